/* SPDX-License-Identifier: MIT */
/*
 * What the service manager passes: sockets that it listens on for us, told apart by type and name,
 * and what an earlier pard has left with it.
 */
#pragma once

#include "parking.h"

/* Name of the metrics' socket (FileDescriptorName=). */
#define ACTIVATION_METRICS "metrics"

/**
 * struct activation - what the service manager passed
 * @clients: where clients connect; -1: we have to listen ourselves; owned
 * @metrics: where metrics are asked for; likewise
 * @udmabuf: /dev/udmabuf, from activation_store_udmabuf(); likewise
 * @parked:  of an earlier pard; owned
 *
 * The sockets are non-blocking; all is close-on-exec.
 */
struct activation {
        int clients, metrics, udmabuf;
        struct parked parked;
};

#define ACTIVATION_NONE \
        ((struct activation){ .clients = -1, .metrics = -1, .udmabuf = -1, .parked = PARKED_NONE })

/**
 * activation_read() - take them, once
 * @ret: written also where it fails; activation_close()
 *
 * Logs why it fails.
 *
 * Return: 0, also where nothing was passed; -EINVAL where something else was passed than these two;
 * other negative errno.
 */
int activation_read(struct activation *ret);
void activation_close(struct activation *activation);

/**
 * activation_store_udmabuf() - have the service manager hand a device to the next start
 *
 * For a command that the unit executes before, outside of its sandbox. The keeper has the manager
 * forget it when it serves.
 *
 * Return: 0; -ENOENT where there is none; other negative errno.
 */
int activation_store_udmabuf(const char *path);
