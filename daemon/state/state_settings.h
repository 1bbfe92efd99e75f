/* SPDX-License-Identifier: MIT */
/*
 * What the configuration says of pools, devices and clients.
 */
#pragma once

#include "constraint.h"
#include "device_settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LABEL_BYTES_MAX 63 /* of a buffer's label, and of a client's name */
#define GRANULE_BYTES   4096u

enum isolation {
        ISOLATE_SESSION, /* each connection is an owner */
        ISOLATE_UID,     /* connections of one uid share an owner */
};

/* What a client is given of its memory. */
enum handout {
        HANDOUT_FRAMES, /* descriptors of whole frames */
        HANDOUT_DMABUF, /* for each buffer a dma-buf of exactly its pages */
};

/* One entry of a pool's allow list. */
struct principal {
        bool is_group;
        uint32_t id;
};

/* Of one pool: a bit each in a mask. */
#define QUOTAS_MAX 64
#define CLAIMS_MAX 64

#define QUOTA_NONE UINT64_MAX /* no limit */

/**
 * struct quota_settings - what somebody may have of a pool at most
 * @name:    as it was written: "group:radio"; owned
 * @each:    every user who has no quota of his own, each for himself; @who is not used
 * @bytes:   of frames that are charged to all their sessions together; QUOTA_NONE
 * @frames:  the same, counted
 * @buffers: how many; QUOTA_NONE
 */
struct quota_settings {
        char *name;
        struct principal who;
        bool each;
        uint64_t bytes, frames, buffers;
};

/**
 * struct claim_settings - what of a pool is kept for somebody
 * @name:  as it was written; owned
 * @bytes: in whole frames; a multiple of pool_settings::page_bytes
 */
struct claim_settings {
        char *name;
        struct principal who;
        uint64_t bytes;
};

/* Where a pool's frames come from. */
enum pool_source {
        SOURCE_ANY,      /* hugepages of the pool's size */
        SOURCE_DEMOTE,   /* the largest hugepages there are, which the kernel takes apart: long runs
                          */
        SOURCE_CARVEOUT, /* small pages of memory that the kernel does not use itself */
};

/**
 * struct pool_settings - a pool as configured
 * @name:          owned
 * @window:        addresses of its frames
 * @limited:       it has an address range of its own (window is not everything)
 * @page_bytes:    size of its frames
 * @node:          NUMA node or -1
 * @size_min_bytes, @size_max_bytes: what it holds; multiples of @page_bytes
 * @spare_bytes:   free frames that growing keeps ahead of demand, up to @size_max_bytes
 * @run_min_bytes: frames are taken in physically contiguous runs of at least this; 0: as they come
 * @source:        where they come from
 * @harvest_max_bytes: pages that may be held at once, beyond those wanted, while looking for some
 *                 inside @window; 0: no harvest
 * @shrink_delay_ns: what was not needed for this long goes back, down to @size_min_bytes
 * @spill:         requests without an address limit may end up here
 * @pin_required:  frames that are not pinned are refused
 * @hidden:        clients are not told where in memory its frames lie; administrators are
 * @isolation:     who shares frames
 * @handout:       what of it is given to clients
 * @reuse_delay_ns: how long an owner keeps its last empty frame
 * @quarantine_ns: how long memory of a client that died is held where nothing is known of its
 *                 devices
 * @quarantine_is_max: and not longer, whatever is seen of them
 * @allow:         @n_allow entries, owned; none: everybody
 * @quotas:        @n_quotas entries, owned, at most QUOTAS_MAX; no two of the same
 * @claims:        @n_claims entries, owned, at most CLAIMS_MAX; no two of the same; together at
 *                 most @size_min_bytes
 */
struct pool_settings {
        char *name;
        struct range window;
        bool limited;
        uint64_t page_bytes;
        int node;
        enum pool_source source;
        uint64_t size_min_bytes, size_max_bytes, spare_bytes;
        uint64_t run_min_bytes;
        uint64_t harvest_max_bytes;
        uint64_t shrink_delay_ns;
        bool spill;
        bool pin_required, hidden;
        enum isolation isolation;
        enum handout handout;
        uint64_t reuse_delay_ns, quarantine_ns;
        bool quarantine_is_max;
        struct principal *allow;
        size_t n_allow;
        struct quota_settings *quotas;
        size_t n_quotas;
        struct claim_settings *claims;
        size_t n_claims;
};

/* Beyond max_clients, which several users can have among them: somebody has to see who they are. */
#define CLIENTS_FOR_ADMINS 8

/**
 * struct state_settings - all that state needs to know of the configuration; borrowed for the life
 * of the state
 * @backend:     name for lists
 * @invented:    its addresses are nowhere: no page of the kernel's was looked at for them
 * @admin_group: gid whose members are administrators; (gid_t)-1: only root
 * @max_buffers: of one client; beyond that PAR_REFUSED_QUOTA
 * @max_clients: sessions at once; administrators may have CLIENTS_FOR_ADMINS more
 * @max_clients_per_user: of these, of one uid that is no administrator's; 0: all of them
 * @max_waiting: requests of one client that wait at once
 */
struct state_settings {
        const char *backend;
        bool invented;
        const struct pool_settings *pools;
        size_t n_pools;
        const struct device_settings *devices;
        size_t n_devices;
        gid_t admin_group;
        uint32_t max_buffers, max_clients, max_clients_per_user, max_waiting;
};
