/* SPDX-License-Identifier: MIT */
/* Owns nothing. */
#include "events.h"

#include "process.h"

#include <errno.h>
#include <poll.h>

void events_await(struct par *par, int seconds, struct par_event *ret)
{
        uint64_t deadline = now_ns() + (uint64_t)seconds * UINT64_C(1000000000);
        int r;

        while ((r = par_next_event(par, ret)) == -EAGAIN && now_ns() < deadline) {
                struct pollfd fd = { .fd = par_fd(par), .events = POLLIN };

                poll(&fd, 1, 100);
        }
        if (r && r != -EAGAIN)
                die("event: %s: %s", par_strerror(r), par_error(par));
}
