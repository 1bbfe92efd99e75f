/* SPDX-License-Identifier: MIT */
/*
 * An NVMe driver that may be killed anywhere. Its queues, its data and its place in both lie in
 * lasting buffers; the controller is started once, by the first one, and never stopped by those
 * that come after.
 *
 * Invariant: all that a successor has to know is one word, which changes in one store: so what is
 * seen in it has happened, and what came after it can be done again.
 */
#include "lasting.h"
#include "nvme.h"

#include <stdlib.h>

#define CHUNK_BYTES (32 * KiB)
#define CHUNKS      32u
#define IN_FLIGHT   16u /* commands at once; a chunk has the slot of its number modulo that */
#define DATA_BYTES  (CHUNKS * CHUNK_BYTES)
#define CHUNK_PAGES (CHUNK_BYTES / NVME_PAGE_BYTES)
#define LIST_BYTES  (NVME_PAGE_BYTES / IN_FLIGHT)

enum page { PAGE_ADMIN, PAGE_IO = 2, PAGE_IDENTITY = 4, PAGE_LISTS, PAGE_PLACE, N_PAGES };

enum step { STARTING, FILLING, WRITING, READING, COMPARING };

/**
 * union place - where the driver is
 * @round:   of data
 * @step:    of the round
 * @next:    chunk that is to be begun
 * @busy:    bit n: slot n has a command at the controller
 * @tail, @head, @phase: as in struct nvme_queue
 */
union place {
        struct {
                uint64_t round : 16, step : 3, next : 6, busy : 16, tail : 8, head : 8, phase : 1;
        };
        uint64_t word;
};

struct driver {
        struct figures *figures;
        struct nvme nvme;
        struct par *par;
        struct par_buffer *queues, *out, *in;
        uint64_t lists_dma, *lists;
        _Atomic uint64_t *saved;
        union place at;
        unsigned begun, die_after, block_bytes;
};

static void save(struct driver *driver)
{
        atomic_store(driver->saved, driver->at.word);
}

/* The same numbers for every life. */
static uint64_t number(unsigned round, size_t i)
{
        uint64_t x = ((uint64_t)round << 32 | i) * UINT64_C(0x9e3779b97f4a7c15);

        return x ^ x >> 29;
}

static void next_step(struct driver *driver, enum step step)
{
        driver->at.step = step;
        driver->at.next = 0;
        save(driver);
}

/* ---- the controller -------------------------------------------------------------------------- */

static void begin(struct driver *driver, uint8_t opcode, unsigned chunk)
{
        const struct par_buffer *data = opcode == NVME_WRITE ? driver->out : driver->in;
        const unsigned slot = chunk % IN_FLIGHT;
        uint64_t *list = driver->lists + slot * LIST_BYTES / sizeof(*list), pages[CHUNK_PAGES];
        struct nvme_command command = {
                .opcode = opcode,
                .id = (uint16_t)slot,
                .namespace_id = 1,
                .prp2 = driver->lists_dma + slot * LIST_BYTES,
                .dword10 = (uint32_t)(chunk * CHUNK_BYTES / driver->block_bytes),
                .dword12 = (uint32_t)(CHUNK_BYTES / driver->block_bytes - 1),
        };

        insist(par_buffer_pages(data, chunk * CHUNK_BYTES, NVME_PAGE_BYTES, pages, CHUNK_PAGES),
               "pages");
        command.prp1 = pages[0];
        memcpy(list, pages + 1, sizeof(pages) - sizeof(pages[0]));
        driver->nvme.io.commands[driver->at.tail] = command;
        driver->at.tail = (driver->at.tail + 1) % NVME_QUEUE_ENTRIES;
        driver->at.busy |= 1u << slot;
        driver->at.next = (chunk + 1) & 0x3f;
        save(driver);
        nvme_ring(&driver->nvme, &driver->nvme.io, 0, driver->at.tail);
        if (++driver->begun == driver->die_after)
                be_killed();
}

/* Return: whether there was one. */
static bool take_completion(struct driver *driver)
{
        const volatile struct nvme_completion *done = &driver->nvme.io.completions[driver->at.head];

        if ((done->status & NVME_PHASE) != driver->at.phase)
                return false;
        atomic_thread_fence(memory_order_acquire);
        if (done->status >> 1 || done->id >= IN_FLIGHT || !(driver->at.busy & 1u << done->id))
                die("nvme: command %u ended with status %#x", done->id, done->status >> 1);
        driver->at.busy = driver->at.busy & ~(1u << done->id) & 0xffff;
        driver->at.head = (driver->at.head + 1) % NVME_QUEUE_ENTRIES;
        if (!driver->at.head)
                driver->at.phase ^= NVME_PHASE;
        save(driver);
        nvme_ring(&driver->nvme, &driver->nvme.io, 1, driver->at.head);
        return true;
}

static void await_completion(struct driver *driver)
{
        for (unsigned i = 0; !take_completion(driver); i++) {
                if (i == 60000)
                        die("nvme: nothing completes");
                usleep(1000);
        }
}

/* All chunks, as many at once as there are slots. */
static void move(struct driver *driver, uint8_t opcode)
{
        while (driver->at.next < CHUNKS || driver->at.busy) {
                const unsigned chunk = driver->at.next;

                if (chunk < CHUNKS && !(driver->at.busy & 1u << chunk % IN_FLIGHT))
                        begin(driver, opcode, chunk);
                else
                        await_completion(driver);
        }
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void fill(struct driver *driver)
{
        uint64_t *words = par_buffer_data(driver->out);

        for (size_t i = 0; i < DATA_BYTES / sizeof(*words); i++)
                words[i] = number(driver->at.round, i);
        memset(par_buffer_data(driver->in), 0, DATA_BYTES);
}

static void compare(struct driver *driver)
{
        const uint64_t *words = par_buffer_data(driver->in);

        for (size_t i = 0; i < DATA_BYTES / sizeof(*words); i++)
                if (words[i] != number(driver->at.round, i))
                        die("nvme: round %u: word %zu is %#llx", (unsigned)driver->at.round, i,
                            (unsigned long long)words[i]);
        atomic_fetch_add(&driver->figures->nvme_rounds, 1);
}

static void work(struct driver *driver)
{
        switch ((enum step)driver->at.step) {
        case STARTING:
        case FILLING:
                fill(driver);
                next_step(driver, WRITING);
                break;
        case WRITING:
                move(driver, NVME_WRITE);
                next_step(driver, READING);
                break;
        case READING:
                move(driver, NVME_READ);
                next_step(driver, COMPARING);
                break;
        case COMPARING:
                compare(driver);
                driver->at.round++;
                next_step(driver, FILLING);
        }
}

/* ---- a life ---------------------------------------------------------------------------------- */

static void get_memory(struct driver *driver)
{
        bool first[3];
        uint64_t dma[N_PAGES];
        char *data;

        driver->queues = lasting_get(driver->figures, driver->par, "nvme-queues",
                                     N_PAGES * NVME_PAGE_BYTES, &first[0]);
        driver->out = lasting_get(driver->figures, driver->par, "nvme-out", DATA_BYTES, &first[1]);
        driver->in = lasting_get(driver->figures, driver->par, "nvme-in", DATA_BYTES, &first[2]);
        insist(par_buffer_pages(driver->queues, 0, NVME_PAGE_BYTES, dma, N_PAGES), "pages");
        data = par_buffer_data(driver->queues);
        nvme_queue_init(0, data, dma + PAGE_ADMIN, &driver->nvme.admin);
        nvme_queue_init(1, data + PAGE_IO * NVME_PAGE_BYTES, dma + PAGE_IO, &driver->nvme.io);
        driver->lists = (void *)(data + PAGE_LISTS * NVME_PAGE_BYTES);
        driver->lists_dma = dma[PAGE_LISTS];
        driver->saved = (void *)(data + PAGE_PLACE * NVME_PAGE_BYTES);
        driver->at.word = atomic_load(driver->saved);
}

/* The first life's; a block's size is found again where the controller put it. */
static void start_controller(struct driver *driver, const uint64_t identity_dma)
{
        insist(nvme_start(&driver->nvme), "nvme");
        insist(nvme_identify(&driver->nvme, NVME_IDENTIFY_NAMESPACE, 1, identity_dma), "identify");
        insist(nvme_create_io_queue(&driver->nvme), "queue");
        driver->at.phase = NVME_PHASE;
        next_step(driver, FILLING);
}

static void find_controller(struct driver *driver)
{
        if (!(pci_read32(&driver->nvme.pci, NVME_STATUS) & NVME_READY))
                die("nvme: somebody has stopped the controller");
        driver->nvme.doorbell_stride =
                (size_t)4 << (pci_read64(&driver->nvme.pci, NVME_CAPABILITIES) >> 32 & 0xf);
        while (take_completion(driver))
                atomic_fetch_add(&driver->figures->dead_completions, 1);
        /* The one before may have died between the memory and the doorbells. */
        nvme_ring(&driver->nvme, &driver->nvme.io, 0, driver->at.tail);
        nvme_ring(&driver->nvme, &driver->nvme.io, 1, driver->at.head);
}

static void learn_block_size(struct driver *driver)
{
        const unsigned char *identity = (const unsigned char *)par_buffer_data(driver->queues) +
                                        PAGE_IDENTITY * NVME_PAGE_BYTES;

        driver->block_bytes = 1u << identity[128 + 4 * (identity[26] & 0xf) + 2];
}

void drive_nvme(struct figures *figures, const char *address, unsigned die_after)
{
        struct driver driver = { .figures = figures, .die_after = die_after };
        uint64_t identity_dma;

        insist(pci_open(address, &driver.nvme.pci), address);
        driver.par = lasting_connect("nvme");
        get_memory(&driver);
        insist(par_buffer_pages(driver.queues, PAGE_IDENTITY * NVME_PAGE_BYTES, NVME_PAGE_BYTES,
                                &identity_dma, 1),
               "page");
        if (driver.at.step == STARTING)
                start_controller(&driver, identity_dma);
        else
                find_controller(&driver);
        learn_block_size(&driver);
        atomic_fetch_add(&figures->nvme_lives, 1);
        while (!atomic_load(&figures->stop) || driver.at.step != FILLING)
                work(&driver);

        nvme_stop(&driver.nvme);
        insist(par_remove(driver.par, "nvme-queues"), "remove");
        insist(par_remove(driver.par, "nvme-out"), "remove");
        insist(par_remove(driver.par, "nvme-in"), "remove");
        par_disconnect(driver.par);
        exit(0);
}
