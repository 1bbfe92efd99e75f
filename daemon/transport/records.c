/* SPDX-License-Identifier: MIT */
/*
 * Owns which half is emptied when: the one that is not in force before anything is written there,
 * the one that was in force after the other one counts.
 */
#include "records.h"

#include "ledger_former.h"
#include "log.h"

#include <errno.h>
#include <sys/mman.h>

/* Its pages are given back, and read as zero. */
static int empty(void *half, size_t bytes)
{
        return madvise(half, bytes, MADV_REMOVE) ? -errno : 0;
}

/* Records that this worker does not understand are of no use to anybody: then there are none, and
 * the frames that clients have seen are kept aside. */
static int begin_anew(void *memory, size_t bytes, uint32_t slots, struct ledger **ret)
{
        const int r = empty(memory, bytes);

        log_error("the ledger of the former worker is not one that this one understands: it is "
                  "refused");
        return r ? r : ledger_open(memory, bytes / 2, slots, ret);
}

/* Return: 0: it is in the other half now; negative errno. */
static int convert(void *former, void *half, size_t half_bytes, uint32_t slots, uint32_t version)
{
        ledger_convert(former, half_bytes, slots, half);
        log_info("the ledger of the former worker was of version %u, and is of version %u now",
                 version, LEDGER_VERSION);
        return empty(former, half_bytes);
}

int records_open(void *memory, size_t bytes, uint32_t slots, struct ledger **ret, bool *ret_lost)
{
        const size_t half_bytes = bytes / 2;
        unsigned char *const halves[2] = { memory, (unsigned char *)memory + half_bytes };
        uint32_t version;
        int half, r;

        half = ledger_half_in_force((const void *const[]){ halves[0], halves[1] }, half_bytes,
                                    slots, &version);
        *ret_lost = half < 0;
        if (half < 0)
                return begin_anew(memory, bytes, slots, ret);
        r = empty(halves[!half], half_bytes);
        if (!r && version && version != LEDGER_VERSION) {
                r = convert(halves[half], halves[!half], half_bytes, slots, version);
                half = !half;
        }
        return r ? r : ledger_open(halves[half], half_bytes, slots, ret);
}
