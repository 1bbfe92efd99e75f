/* SPDX-License-Identifier: MIT */
/*
 * The tables in a Markdown file that the experiment writes itself.
 */
#pragma once

#include "experiment_study.h"

/**
 * experiment_doc_renew() - put new tables between the marks of a file
 * @path:  borrowed; the rest of the file stays
 * @study: borrowed
 *
 * Return: 0; -EINVAL for a file without the marks; -errno; -ENOMEM. The file is whole in any case.
 */
int experiment_doc_renew(const char *path, const struct study *study);
