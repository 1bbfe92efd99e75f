/* SPDX-License-Identifier: MIT */
/*
 * A driver of QEMU's edu that may be killed anywhere: also in the tenth of a second that a transfer
 * takes. Its data and its place lie in one lasting buffer; what the device does goes on without it.
 */
#include "edu.h"
#include "lasting.h"

#include <stdlib.h>

#define BYTES       1024u
#define SOURCE_AT   4096u
#define TARGET_AT   8192u
#define BUFFER_SIZE 16384u

enum step { FILLING, FETCHING, STORING };

/**
 * struct place - at the beginning of the buffer
 * @step:  what is under way, or to be done
 * @begun: the device was told to; a successor waits for it, and has it done again only where not
 */
struct place {
        _Atomic uint32_t round, step, begun;
};

struct driver {
        struct figures *figures;
        struct pci_device pci;
        struct par_buffer *buffer;
        struct place *at;
        unsigned begun, die_after;
};

static bool is_busy(const struct driver *driver)
{
        return pci_read64(&driver->pci, EDU_COMMAND) & EDU_COMMAND_START;
}

static void await_end(const struct driver *driver)
{
        for (unsigned i = 0; is_busy(driver); i++) {
                if (i == 60000)
                        die("edu: a transfer has no end");
                usleep(EDU_POLL_US);
        }
}

static void begin(struct driver *driver)
{
        const uint64_t dma = par_buffer_dma(driver->buffer);
        const bool store = atomic_load(&driver->at->step) == STORING;

        pci_write64(&driver->pci, EDU_SOURCE, store ? EDU_OWN_MEMORY : dma + SOURCE_AT);
        pci_write64(&driver->pci, EDU_TARGET, store ? dma + TARGET_AT : EDU_OWN_MEMORY);
        pci_write64(&driver->pci, EDU_COUNT, BYTES);
        pci_write64(&driver->pci, EDU_COMMAND, EDU_COMMAND_START | (store ? EDU_COMMAND_STORE : 0));
        atomic_store(&driver->at->begun, 1);
        if (++driver->begun == driver->die_after)
                be_killed();
}

static unsigned char byte_of(unsigned round, unsigned i)
{
        return (unsigned char)(round * 31 + i * 7 + 1);
}

static void fill(struct driver *driver)
{
        unsigned char *data = par_buffer_data(driver->buffer);

        for (unsigned i = 0; i < BYTES; i++) {
                data[SOURCE_AT + i] = byte_of(atomic_load(&driver->at->round), i);
                data[TARGET_AT + i] = 0;
        }
}

static void compare(struct driver *driver)
{
        const unsigned char *data = par_buffer_data(driver->buffer);
        const unsigned round = atomic_load(&driver->at->round);

        for (unsigned i = 0; i < BYTES; i++)
                if (data[TARGET_AT + i] != byte_of(round, i))
                        die("edu: round %u: byte %u is %#x, not %#x", round, i, data[TARGET_AT + i],
                            byte_of(round, i));
        atomic_fetch_add(&driver->figures->edu_rounds, 1);
}

/* A transfer, from where its beginning is or is not. */
static void transfer(struct driver *driver)
{
        if (!atomic_load(&driver->at->begun))
                begin(driver);
        await_end(driver);
}

/* The next step is first of all not begun: so one that is killed in between does this one again,
 * which changes nothing. */
static void next_step(struct driver *driver, enum step step)
{
        atomic_store(&driver->at->begun, 0);
        atomic_store(&driver->at->step, step);
}

static void work(struct driver *driver)
{
        switch ((enum step)atomic_load(&driver->at->step)) {
        case FILLING:
                atomic_fetch_add(&driver->at->round, 1);
                fill(driver);
                next_step(driver, FETCHING);
                break;
        case FETCHING:
                transfer(driver);
                next_step(driver, STORING);
                break;
        case STORING:
                transfer(driver);
                compare(driver);
                next_step(driver, FILLING);
        }
}

void drive_edu(struct figures *figures, const char *address, unsigned die_after)
{
        struct driver driver = { .figures = figures, .die_after = die_after };
        struct par *par;
        bool first;

        insist(edu_open(address, &driver.pci), address);
        par = lasting_connect("edu");
        driver.buffer = lasting_get(figures, par, "edu", BUFFER_SIZE, &first);
        driver.at = par_buffer_data(driver.buffer);
        if (!first && atomic_load(&driver.at->begun) && !is_busy(&driver))
                atomic_fetch_add(&figures->dead_transfers, 1);
        /* One that the former told to begin and did not live to note. */
        await_end(&driver);
        atomic_fetch_add(&figures->edu_lives, 1);
        while (!atomic_load(&figures->stop) || atomic_load(&driver.at->step) != FILLING)
                work(&driver);

        pci_close(&driver.pci);
        insist(par_remove(par, "edu"), "remove");
        par_disconnect(par);
        exit(0);
}
