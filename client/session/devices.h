/* SPDX-License-Identifier: MIT */
/*
 * The open devices of a handle.
 */
#pragma once

#include "device.h"

/* Free the object, and what its streaming mappings share; the lock of the handle is held where it
 * is attached. NULL is fine. */
void device_free(struct par_device *device);
