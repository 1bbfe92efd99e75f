/* SPDX-License-Identifier: MIT */
/*
 * A worker dies, somebody changes its ledger, and the next worker reads that: of this version or of
 * the one before, in either half of the memory. Each input is a row of choices: a short life, what
 * is changed, and a life after that.
 *
 * Held: nothing crashes or loops, every invariant of the state; a record that nobody changed, and
 * that needs none that was, says what it said, and one that does not check says nothing; no frame
 * that a client has seen is free before it has been with the kernel, and where something did not
 * check those without a buffer wait for an administrator; a third worker finds what the second one
 * had; and in the end all memory comes back.
 */
#include "ledger_life.h"
#include "ledger_spoil.h"

#include "log.h"
#include "macros.h"
#include "records.h"
#include "state_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#define STEPS_BEFORE 40
#define STEPS_AFTER  20

/* Two halves, as the keeper's memory has. */
static unsigned char *memory;
static struct world world;
static struct life life;
static struct spoil spoil;

static unsigned char *half(unsigned which)
{
        return memory + which * WORLD_LEDGER_BYTES;
}

static void empty(unsigned which)
{
        assert_int_equal(madvise(half(which), WORLD_LEDGER_BYTES, MADV_REMOVE), 0);
}

static void map_memory(void)
{
        const int fd = memfd_create("ledger", MFD_CLOEXEC);

        log_open("pard", LOG_EMERG); /* refusals are what this is about */
        assert_true(fd >= 0 && !ftruncate(fd, 2 * WORLD_LEDGER_BYTES));
        memory = mmap(NULL, 2 * WORLD_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(memory != MAP_FAILED);
        close(fd);
}

/* The former version wrote the same, in the other half. */
static void become_former(void)
{
        const unsigned from = world.ledger_memory != half(0);

        former_ledger_write(world.ledger, half(!from));
        empty(from);
        spoil_begin_former(&spoil, half(!from));
}

/* As the worker does before anything else. Return: whether the ledger was refused as a whole. */
static bool open_records(void)
{
        struct ledger *ledger;

        assert_int_equal(records_open(memory, 2 * WORLD_LEDGER_BYTES, WORLD_FRAMES_MAX, &ledger,
                                      &world.ledger_lost),
                         0);
        world.ledger_memory = ledger->head;
        ledger_free(ledger);
        return world.ledger_lost;
}

static bool is_on_its_way_out(const struct frame *frame)
{
        return frame->given_up || frame->state == FRAME_LEAVING || frame->state == FRAME_LINGERING;
}

/* What clients have seen is nobody's for the asking: nothing has left so far. @doubt: nor for any
 * waiting, where no buffer tells whose it is. */
static void check_lent(const bool lent[WORLD_FRAMES_MAX], bool doubt)
{
        for (uint32_t i = 0; i < world.n_slots; i++) {
                const struct frame *frame = world.state->slots[i];

                if (!lent[i])
                        continue;
                assert_int_not_equal(frame->state, FRAME_FREE);
                if (doubt && !frame->n_pieces && !is_on_its_way_out(frame))
                        assert_true(frame->aside);
        }
}

static void note_lent(bool lent[WORLD_FRAMES_MAX])
{
        for (uint32_t i = 0; i < world.n_slots; i++)
                lent[i] = world.frames[i].held && world.frames[i].lent;
}

/* Die and be read again. @remembered: from before anything was spoilt; consumed. @trust: records
 * that were not spoilt say what they said. */
static void die(struct remembered *remembered, bool trust)
{
        bool lent[WORLD_FRAMES_MAX];
        bool lost;

        note_lent(lent);
        lost = open_records();
        world_restart(&world);
        check_lent(lent, lost || spoil_is_noticed(&spoil));
        life_come_back(&life);
        state_check(world.state);
        if (trust && !lost && !spoil.head_too)
                life_compare(&life, remembered, &spoil);
        free(remembered);
}

static void run(struct choices *choices)
{
        const bool former = choose_one_in(choices, 3);
        struct remembered *remembered;

        life_begin(&life, &world, choices, !former);
        world.ledger_memory = half((unsigned)choose(choices, 2));
        world_start(&world);
        life_go_on(&life, STEPS_BEFORE);
        remembered = life_remember(&life);
        if (former)
                become_former();
        else
                spoil_begin(&spoil, world.ledger);
        spoil_some(&spoil, choices);
        die(remembered, !spoil_is_plausible(&spoil));

        life_go_on(&life, STEPS_AFTER);
        remembered = life_remember(&life);
        spoil_begin(&spoil, world.ledger);
        die(remembered, true);
        life_end(&life);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        struct choices choices = choices_from_input(bytes, size);

        if (!memory)
                map_memory();
        run(&choices);
        world.ledger_memory = NULL; /* it is not the world's */
        world_stop(&world);
        empty(0);
        empty(1);
        return 0;
}
