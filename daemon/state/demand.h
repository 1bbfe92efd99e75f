/* SPDX-License-Identifier: MIT */
/*
 * What a request comes down to: its constraint, narrowed by its device's, with a note of who set
 * each limit.
 */
#pragma once

#include "constraint.h"
#include "state.h"

enum setter {
        SET_BY_NOBODY,
        SET_BY_REQUEST,
        SET_BY_DEVICE,
        SET_BY_POOL,
};

/**
 * struct demand - a normalised request
 * @want:   valid as constraint_check() has it
 * @nodes:  bit mask; 0: any
 * @set_by: who set which limit
 * @device: borrowed from the settings; NULL: none
 */
struct demand {
        struct constraint want;
        uint64_t nodes;
        enum setter set_by[LIMIT_COUNT];
        const struct device_settings *device;
        const char *label;
};

/**
 * demand_init() - normalise a request
 * @request:     borrowed; any values
 * @ret_refusal: filled with a result above 0
 *
 * Return: 0; PAR_REFUSED_INVALID; PAR_REFUSED_NEVER_FITS where its limits contradict one another or
 * the device's.
 */
int demand_init(const struct state *state, const struct request *request, struct demand *ret,
                struct refusal *ret_refusal);

/* "the request", "device capture0", "pool below4g" into @room bytes. */
void demand_setter(const struct demand *demand, enum limit limit, const char *pool, char *to,
                   size_t room);

/* No address limit at all: any memory will do. */
bool demand_is_unlimited(const struct demand *demand);
