/* SPDX-License-Identifier: MIT */
/*
 * How much is said of what strangers can cause: who breaks the protocol 20,000 times a second must
 * not fill the journal, nor hide what else is in it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LOG_RATE_MESSAGES 20
#define LOG_RATE_S        10

/**
 * struct log_rate - of messages of one sort; zeroed: nothing was said yet
 * @since_ns: when the present ten seconds began, of the monotonic clock
 * @said:     how many since then
 * @left_out: how many were not said, and have not been told of
 */
struct log_rate {
        uint64_t since_ns;
        uint32_t said;
        uint64_t left_out;
};

/**
 * log_rate_allows() - whether another message is to be written now
 * @rate: of messages of this sort; it counts this one
 *
 * At most LOG_RATE_MESSAGES in LOG_RATE_S. The first one after some were left out is preceded by
 * one that says how many. Not for several threads at once.
 */
bool log_rate_allows(struct log_rate *rate);
