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
 * @parked:  of an earlier pard; owned
 *
 * The sockets are non-blocking; all is close-on-exec.
 */
struct activation {
        int clients, metrics;
        struct parked parked;
};

#define ACTIVATION_NONE ((struct activation){ .clients = -1, .metrics = -1, .parked = PARKED_NONE })

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
