/* SPDX-License-Identifier: MIT */
/*
 * The orderly end. Frames that nobody uses go back to the system, as ever; those that somebody may
 * be using are left with the service manager, where it keeps things for the next pard, together
 * with the ledger. Their pins end for that time, since rings cannot be passed on. Whether there
 * will be a next pard nobody knows here: if not, the service manager lets go of them.
 */
#include "keeper_private.h"
#include "log.h"
#include "parking.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A restart takes as long as giving hugepages back, and filling pools does not count. */
#define RETURN_MS 30000u

/* May somebody be using it, or does somebody refer to it? */
static bool is_in_use(const struct keeper *keeper, uint32_t number)
{
        const struct slot *slot = &keeper->slots.slots[number];

        if (slot->state != SLOT_HELD || slot->frame.memfd < 0)
                return false;
        return slot->given_up || ledger_says_lent(&keeper->ledger, number, slot->generation);
}

uint32_t keeper_return_ms(const struct keeper *keeper)
{
        if (!keeper->settings->parks)
                return 0;
        for (uint32_t i = slots_next(&keeper->slots, 0); i < keeper->slots.room;
             i = slots_next(&keeper->slots, i + 1))
                if (keeper->slots.slots[i].state == SLOT_LEAVING || is_in_use(keeper, i))
                        return RETURN_MS;
        return 0;
}

/**
 * struct parking - what is parked
 * @slots: @n_slots records, owned
 * @fds:   @n_fds descriptors of frames, borrowed; the array is owned
 */
struct parking {
        struct takeover_slot *slots;
        uint32_t n_slots;
        int *fds;
        size_t n_fds;
};

static void parking_deinit(struct parking *parking)
{
        free(parking->slots);
        free(parking->fds);
}

/* Of frames that are not parked only the generations, which must not come again. */
static struct takeover_slot record_of(const struct keeper *keeper, uint32_t number,
                                      struct parking *parking)
{
        struct takeover_slot record = keeper_record(&keeper->slots.slots[number], number);

        if (!is_in_use(keeper, number))
                return (struct takeover_slot){ .number = number,
                                               .generation = record.generation,
                                               .memfd = -1 };
        parking->fds[parking->n_fds] = record.memfd;
        record.memfd = (int32_t)parking->n_fds++;
        return record;
}

static int collect(const struct keeper *keeper, struct parking *ret)
{
        const struct slots *slots = &keeper->slots;

        *ret = (struct parking){
                .slots = calloc(slots->room, sizeof(*ret->slots)),
                .fds = calloc(slots->room, sizeof(*ret->fds)),
        };
        if (!ret->slots || !ret->fds) {
                parking_deinit(ret);
                return -ENOMEM;
        }
        for (uint32_t i = 0; i < slots->room; i++)
                if (slots->slots[i].generation)
                        ret->slots[ret->n_slots++] = record_of(keeper, i, ret);
        return 0;
}

static uint64_t real_time_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int write_down(const struct keeper *keeper, const struct parking *parking, int *ret_fd)
{
        struct takeover_head head = keeper_head(keeper);

        head.flags = TAKEOVER_PARKED;
        head.n_parked = parking->n_fds;
        head.written_ns = real_time_ns();
        return takeover_write(&head, parking->slots, parking->n_slots, NULL, 0, ret_fd);
}

static int park(const struct keeper *keeper, size_t *ret_n)
{
        struct parked parked = PARKED_NONE;
        struct parking parking;
        int r;

        r = collect(keeper, &parking);
        if (r)
                return r;
        *ret_n = parking.n_fds;
        r = write_down(keeper, &parking, &parked.takeover);
        if (!r) {
                parked.ledger = keeper->ledger.fd;
                parked.config = keeper->config_fd;
                r = parked_store(&parked, parking.fds, parking.n_fds);
                close(parked.takeover);
        }
        parking_deinit(&parking);
        return r;
}

void keeper_park(struct keeper *keeper)
{
        size_t n = 0;
        int r;

        r = park(keeper, &n);
        if (r)
                log_error("what is in use cannot be left with the service manager: %s",
                          strerror(-r));
        else
                log_info("%zu frames that are in use are left with the service manager", n);
}
