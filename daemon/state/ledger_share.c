/* SPDX-License-Identifier: MIT */
/*
 * The ledger's records of buffers that several sessions may have, and of who has them.
 *
 * Invariant: a share counts exactly while its buffer does; a holder counts only while its session
 * and its buffer do, so it is written before the buffer and dropped before either. What changes
 * later is written so that a process may end between any two stores: the word that says that
 * something holds good comes last, and goes first.
 */
#include "ledger_private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int ledger_add_share(struct ledger *ledger, const struct ledger_share *share, uint32_t *ret)
{
        struct ledger_share_record *record;
        uint32_t number;

        *ret = LEDGER_NONE;
        if (!ledger)
                return 0;
        number = ledger_claim(ledger, LEDGER_SHARES);
        if (number == LEDGER_NONE)
                return -ENOSPC;
        assert(share->n_rights <= LEDGER_RIGHTS);
        record = ledger_share(ledger, number);
        record->lasting = share->lasting;
        record->n_rights = (uint32_t)share->n_rights;
        if (share->n_rights)
                memcpy(record->rights, share->rights, share->n_rights * sizeof(share->rights[0]));
        ledger_copy_text(record->name, share->name);
        record->sum = ledger_share_sum(record);
        ledger_commit(&record->begin, 1);
        *ret = number;
        return 0;
}

/* NULL: nothing is kept of it. */
static struct ledger_share_record *find(const struct ledger *ledger, uint32_t share)
{
        return ledger && share != LEDGER_NONE ? ledger_share(ledger, share) : NULL;
}

void ledger_drop_share(struct ledger *ledger, uint32_t share)
{
        if (find(ledger, share))
                ledger_spare(ledger, LEDGER_SHARES, share);
}

void ledger_remove_share(struct ledger *ledger, uint32_t share)
{
        struct ledger_share_record *record = find(ledger, share);

        if (record)
                atomic_store(&record->removed, 1);
}

void ledger_set_token(struct ledger *ledger, uint32_t share, const uint64_t token[2])
{
        struct ledger_share_record *record = find(ledger, share);

        if (!record)
                return;
        atomic_store(&record->has_token, 0);
        if (!token)
                return;
        memcpy(record->token, token, sizeof(record->token));
        atomic_store_explicit(&record->has_token, 1, memory_order_release);
}

void ledger_leave_share(struct ledger *ledger, uint32_t share, uint32_t uid, uint32_t pid,
                        const char *name)
{
        struct ledger_share_record *record = find(ledger, share);

        if (!record)
                return;
        atomic_store(&record->left, 0);
        if (!name)
                return;
        record->left_uid = uid;
        record->left_pid = pid;
        memset(record->left_name, 0, sizeof(record->left_name));
        ledger_copy_text(record->left_name, name);
        atomic_store_explicit(&record->left, 1, memory_order_release);
}

void ledger_end_share(struct ledger *ledger, uint32_t share, uint64_t now_ns)
{
        struct ledger_share_record *record = find(ledger, share);

        if (record)
                atomic_store(&record->ended_ns, now_ns);
}

int ledger_add_holder(struct ledger *ledger, uint32_t session, uint32_t buffer, uint32_t seq,
                      uint32_t *ret)
{
        struct ledger_holder_record *record;
        uint32_t number;

        *ret = LEDGER_NONE;
        if (!ledger)
                return 0;
        number = ledger_claim(ledger, LEDGER_HOLDERS);
        if (number == LEDGER_NONE)
                return -ENOSPC;
        record = ledger_holder(ledger, number);
        record->session = session;
        record->buffer = buffer;
        record->seq = seq;
        record->sum = ledger_holder_sum(record);
        ledger_commit(&record->begin, 1);
        *ret = number;
        return 0;
}

void ledger_drop_holder(struct ledger *ledger, uint32_t holder)
{
        if (ledger && holder != LEDGER_NONE)
                ledger_spare(ledger, LEDGER_HOLDERS, holder);
}
