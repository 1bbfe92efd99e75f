/* SPDX-License-Identifier: MIT */
/*
 * What the keeper opens for its worker: listening sockets, and /dev/udmabuf. They are the service
 * manager's, the former program's, or new.
 */
#pragma once

#include "keeper_process.h"

#define UDMABUF_PATH "/dev/udmabuf"

/* All of these log why they fail. */

/* Also takes what an earlier pard has parked. Return: 0; negative errno. */
int openings_listen(const struct options *options, struct keeper_process *keeper);

/* Many systems have none, and most configurations need none. Return: 0; negative errno where a pool
 * does need it. */
int openings_udmabuf(struct keeper_process *keeper);
