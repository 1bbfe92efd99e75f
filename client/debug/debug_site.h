/* SPDX-License-Identifier: MIT */
/*
 * Places in the program from which the library is called: "start_ring (driver+0x11ef)".
 */
#pragma once

#include "rb_tree.h"

#include <pthread.h>

#define SITE_BYTES 160

/**
 * struct debug_site - a place; it stays as it is to the end of the process
 * @address: of the instruction after the call
 * @text:    where that is: the symbol, if the program has it, the module, and the offset in it of
 *           the call, as addr2line takes it
 */
struct debug_site {
        RB_ENTRY(debug_site) by_address; /* debug_sites::by_address */
        const void *address;
        char text[SITE_BYTES];
};

RB_HEAD(debug_site_tree, debug_site);

/* struct debug_sites - all places that were ever met: as many as the program has calls */
struct debug_sites {
        pthread_mutex_t lock;
        struct debug_site_tree by_address;
};

void debug_sites_init(struct debug_sites *sites);

/**
 * debug_site() - the place of a return address, looked up once
 *
 * Return: never NULL; without memory, a place that says "an unknown place".
 */
const struct debug_site *debug_site(struct debug_sites *sites, const void *address);
