/* SPDX-License-Identifier: MIT */
/*
 * The only place that names a concrete backend.
 */
#pragma once

#include "config.h"

#include <stdbool.h>

/**
 * make_backend() - the backend that the configuration asks for
 * @config:      borrowed until backend_free()
 * @socket_path: where pard is found; what is reserved is written down beside it; borrowed for the
 *               call
 * @resumed:     a former program of this process had the same, whose save() is going to be resumed
 * @ret:         owned by the caller: backend_free()
 *
 * Logs why it fails, and what is missing.
 *
 * Return: 0; negative errno.
 */
int make_backend(const struct config *config, const char *socket_path, bool resumed,
                 struct backend **ret);

/* Log a warning for each pool whose page size this system does not have. */
void warn_of_page_sizes(const struct config *config);
