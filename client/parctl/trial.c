/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing beyond a call: what it gets it gives back.
 */
#include "trial.h"

#include "exits.h"
#include "explanation.h"
#include "request_device.h"

struct par_constraint trial_constraint(const struct arguments *arguments)
{
        return (struct par_constraint){
                .addr_min = arguments->addr_min,
                .addr_max = arguments->addr_max,
                .align = arguments->align,
                .boundary = arguments->boundary,
                .max_segment_bytes = arguments->max_segment_bytes,
                .max_segments = arguments->max_segments,
        };
}

/* @r: of a call of libpar that failed. */
static int explain_failure(int r, const struct arguments *arguments, FILE *text)
{
        if (r > -PAR_NEVER_FITS || r == -PAR_GONE)
                return request_failed(r);
        return explanation_print_last(NULL, arguments, text);
}

static int try_with(struct par *par, const struct par_device *device,
                    const struct arguments *arguments, FILE *text)
{
        const struct par_constraint want = trial_constraint(arguments);
        const struct par_alloc_options options = { .device = device,
                                                   .pool = arguments->pool,
                                                   .label = arguments->label };
        struct par_buffer *buffer;
        int r, status;

        r = par_alloc(par, arguments->size, &want, &options, &buffer);
        if (r)
                return explain_failure(r, arguments, text);
        status = explanation_print_last(buffer, arguments, text);
        par_free(buffer);
        return status;
}

int trial_print(const struct arguments *arguments, FILE *text)
{
        const struct par_connect_options options = { .client_name = "parctl" };
        struct request_device device;
        struct par *par;
        int r, status;

        r = par_connect(arguments->socket_path, &options, &par);
        if (r)
                return request_failed(r);
        r = request_device_open(par, arguments, &device);
        if (r <= -PAR_NEVER_FITS)
                status = explain_failure(r, arguments, text);
        else if (r)
                status = EXIT_OTHER;
        else
                status = try_with(par, device.device, arguments, text);
        request_device_close(&device);
        par_disconnect(par);
        return status;
}
