/* SPDX-License-Identifier: MIT */
/* Owns nothing. Refuses to forget how many messages it has kept back. */
#include "log_rate.h"

#include "log.h"

#include "macros.h"

#include <inttypes.h>
#include <time.h>

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

bool log_rate_allows(struct log_rate *rate)
{
        uint64_t now = now_ns();

        if (now - rate->since_ns >= LOG_RATE_S * NS_PER_S) {
                if (rate->left_out)
                        log_notice("%" PRIu64 " messages like this one were left out:",
                                   rate->left_out);
                *rate = (struct log_rate){ .since_ns = now };
        }
        if (rate->said == LOG_RATE_MESSAGES) {
                rate->left_out++;
                return false;
        }
        rate->said++;
        return true;
}
