/* SPDX-License-Identifier: MIT */
/*
 * The device that a request is for, as a driver would open it.
 */
#pragma once

#include "arguments.h"
#include "par.h"
#include "vfio_container.h"

/**
 * struct request_device - owned
 * @device: NULL: the request names none
 */
struct request_device {
        struct par_device *device;
        struct vfio_container container;
};

/**
 * request_device_open() - open --device, and with --vfio attach it to a container of its own
 * @ret: request_device_close(), also after a failure
 *
 * Return: 0; negative: par_error() is set where it is a refusal; otherwise it has been complained.
 */
int request_device_open(struct par *par, const struct arguments *arguments,
                        struct request_device *ret);
void request_device_close(struct request_device *device);

/**
 * request_failed() - tell what libpar says of a result that is no refusal
 *
 * Return: the exit status.
 */
int request_failed(int r);
