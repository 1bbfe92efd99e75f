/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing beyond the caller's struct. A group of VFIO has one owner: who drives the device now
 * keeps parctl from trying, and the kernel's answer says so.
 */
#include "request_device.h"

#include "complain.h"
#include "exits.h"

#include <errno.h>
#include <string.h>

int request_failed(int r)
{
        const char *sentence = par_error(NULL);

        complain("%s", *sentence ? sentence : par_strerror(r));
        if (r == -ENOENT || r == -ECONNREFUSED || r == -PAR_GONE)
                return EXIT_NO_DAEMON;
        if (r > -PAR_NEVER_FITS)
                return EXIT_OTHER;
        return par_is_permanent(r) ? EXIT_REFUSED_EVER : EXIT_REFUSED;
}

int request_device_open(struct par *par, const struct arguments *arguments,
                        struct request_device *ret)
{
        int r;

        *ret = (struct request_device){ .container = { -1, -1 } };
        if (!arguments->device)
                return 0;
        r = par_device_open(par, arguments->device, &ret->device);
        if (!r && arguments->vfio) {
                r = vfio_container_open(arguments->device, &ret->container);
                if (r)
                        return r;
                r = par_device_attach_vfio(ret->device, ret->container.container);
        }
        if (r && r > -PAR_NEVER_FITS)
                (void)request_failed(r);
        return r;
}

void request_device_close(struct request_device *device)
{
        par_device_close(device->device);
        vfio_container_close(&device->container);
}
