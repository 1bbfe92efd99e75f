/* SPDX-License-Identifier: MIT */
/*
 * Owns the memfd and its mapping. What the worker writes there is believed only as far as it goes:
 * a wrong word makes one frame look lent or not.
 */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int ledger_init(struct ledger *ledger, uint32_t slots)
{
        const size_t page = (size_t)sysconf(_SC_PAGESIZE);
        size_t records;
        int r;

        *ledger = (struct ledger){ .fd = -1, .map = MAP_FAILED };
        ledger->bytes = sizeof(struct keeper_ledger) + slots * sizeof(ledger->map->lent[0]);
        records = (ledger->bytes + page - 1) / page * page;
        ledger->fd = memfd_create("pard-ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (ledger->fd < 0)
                return -errno;
        if (ftruncate(ledger->fd, (off_t)(records + KEEPER_RECORDS_BYTES)) < 0 ||
            fcntl(ledger->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
                r = -errno;
                ledger_deinit(ledger);
                return r;
        }
        ledger->map = mmap(NULL, ledger->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ledger->fd, 0);
        if (ledger->map == MAP_FAILED) {
                r = -errno;
                ledger_deinit(ledger);
                return r;
        }
        ledger->map->magic = KEEPER_LEDGER_MAGIC;
        ledger->map->version = KEEPER_LEDGER_VERSION;
        ledger->map->slots = slots;
        ledger->map->records_offset = records;
        ledger->map->records_bytes = KEEPER_RECORDS_BYTES;
        return 0;
}

static bool is_ledger(const struct keeper_ledger *map, uint32_t slots, uint64_t total_bytes)
{
        return map->magic == KEEPER_LEDGER_MAGIC && map->version == KEEPER_LEDGER_VERSION &&
               map->slots == slots && map->records_offset <= total_bytes &&
               map->records_bytes <= total_bytes - map->records_offset;
}

int ledger_resume(struct ledger *ledger, int fd, uint32_t slots)
{
        struct stat st;
        int r = 0;

        *ledger = (struct ledger){ .fd = fd, .map = MAP_FAILED };
        ledger->bytes = sizeof(struct keeper_ledger) + slots * sizeof(ledger->map->lent[0]);
        if (fstat(fd, &st) < 0)
                r = -errno;
        else if (st.st_size < (off_t)ledger->bytes || !(fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK))
                r = -EPROTO;
        if (!r) {
                ledger->map = mmap(NULL, ledger->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                if (ledger->map == MAP_FAILED)
                        r = -errno;
                else if (!is_ledger(ledger->map, slots, (uint64_t)st.st_size))
                        r = -EPROTO;
        }
        if (r)
                ledger_deinit(ledger);
        return r;
}

void ledger_deinit(struct ledger *ledger)
{
        if (ledger->map != MAP_FAILED)
                munmap(ledger->map, ledger->bytes);
        if (ledger->fd >= 0)
                close(ledger->fd);
}

void ledger_clear(struct ledger *ledger, uint32_t slot)
{
        atomic_store(&ledger->map->lent[slot], 0);
}

bool ledger_says_lent(const struct ledger *ledger, uint32_t slot, uint32_t generation)
{
        return atomic_load(&ledger->map->lent[slot]) == generation;
}
