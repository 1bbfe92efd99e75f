/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing: the one thing that all backends share is how they end.
 */
#include "backend.h"

#include <stdlib.h>

void backend_free(struct backend *backend)
{
        if (!backend)
                return;
        backend->ops->deinit(backend);
        free(backend);
}
