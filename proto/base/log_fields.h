/* SPDX-License-Identifier: MIT */
/*
 * What a message of the log is about, apart from its sentence: those who search a log by field find
 * it by these. A plain header, because what decides (and has no log) fills it in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * struct log_fields - what a message is about; all zero: nothing in particular
 * @pool:      name; NULL: none
 * @client:    name, as the client gave it; NULL: none
 * @buffer:    number; 0: none
 * @has_uid:   @uid is that of the client
 * @has_frame: @frame is a frame's lowest physical address
 *
 * Owns nothing.
 */
struct log_fields {
        const char *pool, *client;
        uint64_t buffer;
        bool has_uid, has_frame;
        uint32_t uid;
        uint64_t frame;
};
