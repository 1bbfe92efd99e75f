/* SPDX-License-Identifier: MIT */
/*
 * A ledger as the version before this one wrote it.
 */
#pragma once

#include "ledger_former_layout.h"
#include "ledger_private.h"

struct former_ledger {
        struct former_head *head;
        struct former_frame *frames;
        struct former_session *sessions;
        struct former_buffer *buffers;
        struct former_extent *extents;
        struct former_share *shares;
        struct former_holder *holders;
};

/**
 * former_ledger_write() - have what is in a ledger written by the former version
 * @from:   of this version; the groups of its sessions are left out: the former one knew none
 * @memory: as large as @from's, all zero, aligned for any object
 */
void former_ledger_write(const struct ledger *from, void *memory);

/* Where its tables are; @memory: written before. */
struct former_ledger former_ledger_at(void *memory);
