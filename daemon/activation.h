/* SPDX-License-Identifier: MIT */
/*
 * Sockets that the service manager listens on for us, told apart by type and name.
 */
#pragma once

/* Name of the metrics' socket (FileDescriptorName=). */
#define ACTIVATION_METRICS "metrics"

/**
 * struct activation - what the service manager passed
 * @clients: where clients connect; -1: we have to listen ourselves; owned
 * @metrics: where metrics are asked for; likewise
 *
 * Both are non-blocking and close-on-exec.
 */
struct activation {
        int clients, metrics;
};

#define ACTIVATION_NONE ((struct activation){ -1, -1 })

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
