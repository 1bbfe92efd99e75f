/* SPDX-License-Identifier: MIT */
/*
 * Sums over records, against mistakes and not against malice: who can write to the ledger can write
 * sums as well.
 */
#include "ledger_private.h"

#include <string.h>

/* Two rounds of a multiplication by an odd number and a shift for each word: every bit of the input
 * reaches all bits of the sum. */
uint64_t ledger_mix(uint64_t sum, uint64_t word)
{
        sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 32;
        sum *= UINT64_C(0xd6e8feb86659fd93);
        return sum ^ (sum >> 32);
}

uint64_t ledger_sum(const void *from, size_t bytes)
{
        const unsigned char *at = from;
        uint64_t sum = bytes;

        for (; bytes; at += sizeof(uint64_t), bytes -= sizeof(uint64_t)) {
                uint64_t word;

                memcpy(&word, at, sizeof(word));
                sum = ledger_mix(sum, word);
        }
        return sum;
}

/* From behind struct ledger_begin up to the sum: all of it is words of 8 bytes, without gaps that
 * nobody writes, since records are zeroed before they are filled in. */
#define SUM_OF(record)                                                        \
        ledger_sum((const unsigned char *)(record) + sizeof((record)->begin), \
                   offsetof(__typeof__(*(record)), sum) - sizeof((record)->begin))

uint64_t ledger_session_sum(const struct ledger_session_record *record)
{
        return SUM_OF(record);
}

uint64_t ledger_buffer_sum(const struct ledger_buffer_record *record)
{
        return SUM_OF(record);
}

uint64_t ledger_extent_sum(const struct ledger_extent_record *record)
{
        return SUM_OF(record);
}

uint64_t ledger_share_sum(const struct ledger_share_record *record)
{
        return SUM_OF(record);
}

uint64_t ledger_holder_sum(const struct ledger_holder_record *record)
{
        return SUM_OF(record);
}

uint32_t ledger_frame_sum(const struct ledger_frame_record *record)
{
        uint64_t sum = ledger_mix(ledger_mix(0, record->generation), record->session);

        return (uint32_t)ledger_mix(ledger_mix(sum, record->uid), record->aside);
}
