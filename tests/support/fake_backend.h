/* SPDX-License-Identifier: MIT */
/*
 * A backend whose every page is seen: how the pages of a machine come into the stock and out of it
 * is written down by the test, any call can fail, and something can happen at any call.
 */
#pragma once

#include "backend.h"

#include <pthread.h>

#define FAKE_PAGES_MAX 2048
#define FAKE_NODES     2
#define FAKE_MORE_MAX  UINT64_MAX

/* In which order take() gives out what is in the stock. */
enum fake_order {
        FAKE_LATEST_FIRST, /* as the kernel does */
        FAKE_OLDEST_FIRST,
        FAKE_SHUFFLED,
};

enum fake_call {
        FAKE_TAKE,
        FAKE_LET_GO,
        FAKE_RELEASE,
        FAKE_LOOK,
        FAKE_MORE,
        FAKE_LESS,
        FAKE_DEMOTE,
        FAKE_CALLS,
};

enum fake_place {
        FAKE_IN_SYSTEM, /* more() may put it into the stock */
        FAKE_IN_STOCK,
        FAKE_TAKEN,
        FAKE_GONE, /* taken apart */
};

/* @since: counts up with each page that comes into the stock. */
struct fake_page {
        uint64_t phys, page_bytes;
        int node;
        enum fake_place place;
        uint64_t since;
};

/**
 * struct fake_backend - the machine
 * @pages:     @n_pages of them, in the order in which more() finds them
 * @nodes:     where nodes lie; first above last: there is no such node
 * @tells_nodes: node_range() works
 * @reservable: pages that keep_free lets be in the stock or taken
 * @large_bytes: page size that can be taken apart; 0: none
 * @fail, @fail_at, @fail_errno: this call fails when it comes for the so-many-th time; 0: none does
 * @happen:    called at the start of each call, without a lock; NULL: nothing happens
 * @added:     pages that more() and demote() put into the stock, less those that went
 * @calls:     so far
 */
struct fake_backend {
        struct backend backend;
        pthread_mutex_t lock;
        struct fake_page pages[FAKE_PAGES_MAX];
        size_t n_pages;
        enum fake_order order;
        struct range nodes[FAKE_NODES];
        bool tells_nodes, blind, may_not_reserve;
        uint64_t reservable, large_bytes;
        enum fake_call fail;
        unsigned fail_at;
        int fail_errno;
        void (*happen)(void *data, enum fake_call call, unsigned n);
        void *data;
        uint64_t added, clock;
        unsigned calls[FAKE_CALLS];
};

void fake_backend_init(struct fake_backend *fake);
void fake_backend_deinit(struct fake_backend *fake);

/* More pages, side by side, from @first on. */
void fake_backend_pages(struct fake_backend *fake, uint64_t first, uint64_t page_bytes, int node,
                        unsigned count);

/* The administrator reserves the next @count pages. */
void fake_backend_reserve(struct fake_backend *fake, unsigned count);

/* How many pages there are in a place. */
unsigned fake_backend_count(struct fake_backend *fake, enum fake_place place);
