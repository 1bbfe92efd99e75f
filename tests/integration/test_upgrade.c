/* SPDX-License-Identifier: MIT */
/*
 * A worker finds a ledger that a worker of the former version left. Its clients go on with what
 * they have, and nothing is kept aside; also where the former one died in the middle of a first
 * try, and as often as there are upgrades.
 */
#include "former_ledger.h"
#include "keeper_protocol.h"
#include "ledger_former.h"
#include "ledger_memory.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <par.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE        (2 * MiB)
#define POOL_FRAMES 32
#define PATIENCE_NS (60 * NS_PER_S)
#define UPGRADES    3
#define CLIENTS     3
#define BUFFERS     4

static const char config[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"64M\" quarantine = \"1s\" }\n";

struct client {
        struct par *par;
        struct par_buffer *buffers[BUFFERS];
        uint64_t dma[BUFFERS];
};

/* ---- clients -------------------------------------------------------------------------------- */

static size_t bytes_of(unsigned i)
{
        return i % 2 ? PAGE : 12 * KiB * (i + 1);
}

static void fill(const struct par_buffer *buffer, unsigned i, unsigned char value)
{
        memset(par_buffer_data(buffer), value, bytes_of(i));
}

static void get(struct client *client, unsigned i, unsigned char value)
{
        const struct par_alloc_options options = { .label = "upgraded" };

        if (par_alloc(client->par, bytes_of(i), NULL, &options, &client->buffers[i]))
                die("alloc: %s", par_error(NULL));
        client->dma[i] = par_buffer_dma(client->buffers[i]);
        fill(client->buffers[i], i, value);
}

static void start(const struct pard_fixture *pard, struct client *client, unsigned char value)
{
        if (par_connect(pard->socket, NULL, &client->par))
                die("connect: %s", par_error(NULL));
        for (unsigned i = 0; i < BUFFERS; i++)
                get(client, i, (unsigned char)(value + i));
}

/* All is what it was; then it gets one more and gives one back. */
static void go_on(struct client *client, unsigned char value)
{
        struct par_buffer *more;

        if (par_alloc(client->par, PAGE, NULL, NULL, &more))
                die("alloc: %s", par_error(NULL));
        memset(par_buffer_data(more), 0xee, PAGE);
        for (unsigned i = 0; i < BUFFERS; i++) {
                const unsigned char *data = par_buffer_data(client->buffers[i]);

                if (data[0] != (unsigned char)(value + i) ||
                    memcmp(data, data + 1, bytes_of(i) - 1) != 0)
                        die("a buffer is not what it was");
                if (par_buffer_dma(client->buffers[i]) != client->dma[i] ||
                    par_buffer_dma(more) == client->dma[i])
                        die("an address is not what it was, or had twice");
        }
        par_free(more);
        par_free(client->buffers[1]);
        get(client, 1, (unsigned char)(value + 1));
}

static void finish(struct client *client)
{
        for (unsigned i = 0; i < BUFFERS; i++)
                par_free(client->buffers[i]);
        par_disconnect(client->par);
}

/* ---- the ledger ----------------------------------------------------------------------------- */

static void write_former(struct keeper_ledger *memory)
{
        const size_t half_bytes = memory->records_bytes / 2;
        char *first = (char *)memory + memory->records_offset, *half, *other;
        struct ledger *ledger;
        uint32_t version;
        int n;

        n = ledger_half_in_force((const void *const[]){ first, first + half_bytes }, half_bytes,
                                 memory->slots, &version);
        if (n < 0 || version != LEDGER_VERSION)
                die("no ledger of this version is in force");
        half = first + (size_t)n * half_bytes;
        other = first + (size_t)!n * half_bytes;
        if (ledger_open(half, half_bytes, memory->slots, &ledger))
                die("the ledger cannot be opened");
        former_ledger_write(ledger, other);
        ledger_free(ledger);
        if (madvise(half, half_bytes, MADV_REMOVE))
                die("the ledger cannot be emptied: %s", strerror(errno));
        memset(half + PAGE, 0x5a, 64 * KiB); /* of a try that came to no end */
}

/*
 * Have the worker followed by one that finds a ledger of the former version. The keeper stands
 * still meanwhile, and does not replace the worker too early. @takes_over: a program takes over
 * that first tries whether it can; otherwise the worker dies.
 */
static void upgrade(const struct pard_fixture *pard, bool takes_over)
{
        const pid_t worker = pard_fixture_worker(pard);
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        size_t bytes;
        char *memory;

        if (kill(pard->pid, SIGSTOP) || kill(worker, SIGSTOP))
                die("cannot be stopped: %s", strerror(errno));
        memory = ledger_memory_map(pard->pid, &bytes);
        write_former((struct keeper_ledger *)(void *)memory);
        munmap(memory, bytes);
        if (kill(takes_over ? pard->pid : worker, takes_over ? SIGUSR2 : SIGKILL) ||
            kill(pard->pid, SIGCONT))
                die("cannot go on: %s", strerror(errno));
        while (!pard_fixture_worker(pard) || pard_fixture_worker(pard) == worker) {
                if (now_ns() > deadline)
                        die("no other worker");
                usleep(1000);
        }
}

/* How often the log says so. */
static unsigned count_in_log(const struct pard_fixture *pard, const char *words)
{
        FILE *file = fopen(pard->log, "re");
        char line[1024];
        unsigned n = 0;

        while (file && fgets(line, sizeof(line), file))
                n += strstr(line, words) != NULL;
        if (file)
                fclose(file);
        return n;
}

static void expect_nothing_aside(const struct pard_fixture *pard)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        struct wire_client admin;

        wire_client_open(pard->socket, "the test", &admin);
        while (wire_client_status(&admin)->bytes->free != POOL_FRAMES * PAGE) {
                if (now_ns() > deadline)
                        die("%llu bytes are free in the end",
                            (unsigned long long)wire_client_status(&admin)->bytes->free);
                usleep(10000);
        }
        wire_client_close(&admin);
}

int main(void)
{
        struct client clients[CLIENTS];
        struct pard_fixture pard;
        unsigned found;

        pard_fixture_start_filled(config, &pard);
        for (unsigned i = 0; i < CLIENTS; i++)
                start(&pard, &clients[i], (unsigned char)(0x10 * (i + 1)));
        for (unsigned round = 0; round < UPGRADES; round++) {
                upgrade(&pard, round % 2);
                for (unsigned i = 0; i < CLIENTS; i++)
                        go_on(&clients[i], (unsigned char)(0x10 * (i + 1)));
        }
        found = count_in_log(&pard, "the ledger of the former worker was of version");
        if (found != UPGRADES)
                die("%u ledgers of the former version were found", found);
        if (count_in_log(&pard, "took over") != UPGRADES / 2)
                die("no program took over a ledger of the former version");
        if (count_in_log(&pard, "do not check") || count_in_log(&pard, "it is refused"))
                die("what the former version wrote was not believed");
        for (unsigned i = 0; i < CLIENTS; i++)
                finish(&clients[i]);
        expect_nothing_aside(&pard);
        pard_fixture_stop(&pard);
        printf("%d clients went on over %d ledgers of the former version\n", CLIENTS, UPGRADES);
        return 0;
}
