/* SPDX-License-Identifier: MIT */
/*
 * A program as it was built against the reference's header, with a daemon and a library of today:
 * everything that it knows still works as it was.
 */
#include "par-0.1.h"

#include "pard_fixture.h"
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void refuse(struct par *par)
{
        struct par_constraint want = par_constraint_for_mask(20);
        struct par_buffer *buffer;
        int r;

        r = par_alloc(par, 1 << 24, &want, NULL, &buffer);
        if (r != -PAR_NEVER_FITS || !par_is_permanent(r) || buffer || !par_error(par)[0])
                die("16 MiB below 1 MiB: %d (%s)", r, par_strerror(r));
        want.reserved[0] = 1;
        if (par_alloc(par, 4096, &want, NULL, &buffer) != -EINVAL)
                die("a reserved field is not refused");
}

static void look_at(struct par *par, struct par_buffer *buffer)
{
        const struct par_segment *segments, *runs;
        size_t contiguous;
        uint64_t dma[16];

        if (par_buffer_size(buffer) != 65536 || par_buffer_page_size(buffer) != 2u << 20 ||
            par_buffer_id(buffer) == 0 || strcmp(par_buffer_pool(buffer), "below1g") != 0)
                die("not the buffer that was asked for");
        if (par_buffer_segments(buffer, &segments) != 1 || par_buffer_runs(buffer, &runs) != 1 ||
            segments[0].dma != par_buffer_dma(buffer) || segments[0].length != 65536 ||
            segments[0].dma > 0x3fffffff)
                die("not in one piece below 1 GiB");
        if (par_buffer_pages(buffer, 0, 4096, dma, 16) || dma[15] != segments[0].dma + 61440)
                die("pages: %s", par_error(par));
        if (par_dma_address(par, (char *)par_buffer_data(buffer) + 100, &dma[0], &contiguous) ||
            dma[0] != segments[0].dma + 100 || contiguous != 65436)
                die("lookup: %s", par_error(par));
        memset(par_buffer_data(buffer), 1, par_buffer_size(buffer));
}

static void use(struct par *par)
{
        struct par_alloc_options options = { .label = "ring", .pool = "below1g", .wait_ms = 100 };
        struct par_buffer *buffer;
        struct par_event event;
        uint64_t reclaimed;

        if (par_device_open(par, "capture0", (struct par_device **)&options.device))
                die("device: %s", par_error(par));
        if (par_alloc(par, 65536, NULL, &options, &buffer))
                die("alloc: %s", par_error(par));
        look_at(par, buffer);
        if (par_fd(par) < 0 || par_next_event(par, &event) != -EAGAIN)
                die("an event that nobody caused");
        if (par_reclaim(par, NULL, &reclaimed) || reclaimed)
                die("reclaimed what was not there");
        if (par_device_attach_vfio((struct par_device *)options.device, 0) == 0)
                die("the reference has no VFIO");
        par_device_close((struct par_device *)options.device);
        par_free(buffer);
}

int main(void)
{
        struct par_connect_options options = { .client_name = "old" };
        struct pard_fixture pard;
        struct par *par;

        pard_fixture_start_filled(pard_config_sim, &pard);
        if (par_connect(pard.socket, &options, &par))
                die("connect: %s", par_error(NULL));
        use(par);
        refuse(par);
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
