/* SPDX-License-Identifier: MIT */
/*
 * Ways of placing that an engine could have, for the experiment. Only where they place matters
 * here, not how fast.
 */
#pragma once

#include "placer.h"

/**
 * struct policy - one of them
 * @ops:   how it is called
 * @know:  tell what the devices reach, before anything is taken; NULL: it does not want to know.
 *         Return: 0; -ENOMEM
 * @hint:  tell how long what is taken next will live; NULL: it does not want to know
 * @about: what it does, one line
 */
struct policy {
        struct placer_ops ops;
        int (*know)(void *placer, const struct range *windows, size_t n_windows);
        void (*hint)(void *placer, uint64_t life_ns);
        const char *about;
};

/* All of them; ends with an entry without a name. */
extern const struct policy policies[];

/* By name; NULL: there is none. */
const struct policy *policy_find(const char *name);
