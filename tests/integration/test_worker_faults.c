/* SPDX-License-Identifier: MIT */
/*
 * A worker that hangs, and a ledger that does not check. The first is replaced, and its clients go
 * on. Of the second nothing is thrown away: what can be believed is there again, the frames of the
 * rest are kept aside and listed, until an administrator releases them.
 */
#include "ledger_memory.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <par.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE        (2 * MiB)
#define POOL_FRAMES 16
#define PATIENCE_NS (60 * NS_PER_S)
#define HEAD_BYTES  (8 * MiB) /* of the ledger, where what is in use lies */

static const char config[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"32M\" quarantine = \"1s\" }\n";

/* The beginning of a worker's records, as they lie in memory. */
static const char head_magic[] = "brankers";

static void await_worker_after(const struct pard_fixture *pard, pid_t before)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;

        while (!pard_fixture_worker(pard) || pard_fixture_worker(pard) == before) {
                if (now_ns() > deadline)
                        die("no other worker");
                usleep(1000);
        }
}

static struct par_buffer *get(struct par *par, const char *label, unsigned char fill)
{
        const struct par_alloc_options options = { .label = label };
        struct par_buffer *buffer;

        if (par_alloc(par, PAGE, NULL, &options, &buffer))
                die("alloc: %s", par_error(NULL));
        memset(par_buffer_data(buffer), fill, PAGE);
        return buffer;
}

static void check_fill(const struct par_buffer *buffer, unsigned char fill)
{
        const unsigned char *data = par_buffer_data(buffer);

        if (data[0] != fill || memcmp(data, data + 1, PAGE - 1) != 0)
                die("a buffer is not what it was");
}

static void check_hanging_worker(const struct pard_fixture *pard)
{
        const pid_t worker = pard_fixture_worker(pard);
        struct par_buffer *buffer, *more;
        struct par *par;
        uint64_t dma;

        if (par_connect(pard->socket, NULL, &par))
                die("connect: %s", par_error(NULL));
        buffer = get(par, NULL, 0x33);
        dma = par_buffer_dma(buffer);
        kill(worker, SIGSTOP);
        more = get(par, NULL, 0x44); /* waits for the next worker */
        if (pard_fixture_worker(pard) == worker)
                die("who was stopped has answered");
        check_fill(buffer, 0x33);
        if (par_buffer_dma(buffer) != dma || par_buffer_dma(more) == dma)
                die("an address is not what it was, or had twice");
        par_free(more);
        par_free(buffer);
        par_disconnect(par);
        printf("a worker that hangs is replaced, its clients go on\n");
}

/* ---- the ledger ------------------------------------------------------------------------------ */

static char *find(char *map, size_t bytes, const char *what)
{
        char *at = memmem(map, bytes < HEAD_BYTES ? bytes : HEAD_BYTES, what, strlen(what));

        if (!at)
                at = memmem(map, bytes, what, strlen(what));
        if (!at)
                die("there is no \"%s\" in the ledger", what);
        return at;
}

/* Change a byte of the ledger behind the worker's back, and have another worker read it. It is
 * looked for while the worker still runs: one that does not answer for ten seconds is replaced. */
static void damage(const struct pard_fixture *pard, const char *what)
{
        const pid_t worker = pard_fixture_worker(pard);
        size_t bytes;
        char *map, *at;

        map = ledger_memory_map(pard->pid, &bytes);
        at = find(map, bytes, what);
        kill(worker, SIGSTOP);
        if (memcmp(at, what, strlen(what)) != 0)
                die("\"%s\" has left its place in the ledger", what);
        *at ^= 1;
        munmap(map, bytes);
        kill(worker, SIGKILL);
        await_worker_after(pard, worker);
}

static bool log_says(const struct pard_fixture *pard, const char *words)
{
        FILE *file = fopen(pard->log, "re");
        char line[1024];
        bool said = false;

        while (file && !said && fgets(line, sizeof(line), file))
                said = strstr(line, words) != NULL;
        if (file)
                fclose(file);
        return said;
}

static void expect_log(const struct pard_fixture *pard, const char *words)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;

        while (!log_says(pard, words)) {
                if (now_ns() > deadline) {
                        pard_fixture_show_log(pard);
                        die("pard does not say: %s", words);
                }
                usleep(10000);
        }
}

/* Frames that are kept aside. */
static unsigned count_aside(struct wire_client *client)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;
        unsigned n = 0;

        request.body_case = WIRE__REQUEST__BODY_FRAMES;
        request.frames = &list;
        reply = wire_client_ask(client, &request);
        if (reply->result || reply->body_case != WIRE__REPLY__BODY_FRAMES)
                die("frames: result %u", reply->result);
        for (size_t i = 0; i < reply->frames->n_frames; i++) {
                const Wire__Frame *frame = reply->frames->frames[i];

                n += strcmp(frame->state, "quarantined") == 0 &&
                     strstr(frame->note, "what was known of it is lost");
        }
        return n;
}

static void release(struct wire_client *client)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Selection selection = WIRE__SELECTION__INIT;
        const Wire__Reply *reply;

        selection.pool = (char *)"any";
        request.body_case = WIRE__REQUEST__BODY_RELEASE;
        request.release = &selection;
        reply = wire_client_ask(client, &request);
        if (reply->result)
                die("release: result %u", reply->result);
}

static void await_free(struct wire_client *client, uint64_t frames)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;

        while (wire_client_status(client)->bytes->free != frames * PAGE) {
                if (now_ns() > deadline)
                        die("%llu bytes are free in the end",
                            (unsigned long long)wire_client_status(client)->bytes->free);
                usleep(10000);
        }
}

static void check_damaged_record(const struct pard_fixture *pard)
{
        struct par_buffer *good, *bad, *more;
        struct wire_client admin;
        struct par *par;

        if (par_connect(pard->socket, NULL, &par))
                die("connect: %s", par_error(NULL));
        good = get(par, "remains", 0x55);
        bad = get(par, "is-damaged", 0x66);
        damage(pard, "is-damaged");
        expect_log(pard, "1 records do not check");
        expect_log(pard, "stay in quarantine until an administrator releases them");
        more = get(par, NULL, 0x77);
        check_fill(good, 0x55);
        check_fill(bad, 0x66);
        wire_client_open(pard->socket, "the test", &admin);
        if (count_aside(&admin) != 1)
                die("%u frames are kept aside", count_aside(&admin));
        par_free(good);
        par_free(bad);
        par_free(more);
        par_disconnect(par);
        await_free(&admin, POOL_FRAMES - 1);
        if (count_aside(&admin) != 1)
                die("what was kept aside went by itself");
        if (getuid() == 0) {
                release(&admin);
                await_free(&admin, POOL_FRAMES);
        }
        wire_client_close(&admin);
        printf("a record that does not check: its frame is kept aside, the rest goes on\n");
}

static void check_damaged_head(const struct pard_fixture *pard)
{
        struct par_buffer *buffer, *none;
        struct wire_client admin;
        struct par *par;
        unsigned aside;
        int r;

        if (par_connect(pard->socket, NULL, &par))
                die("connect: %s", par_error(NULL));
        buffer = get(par, NULL, 0x88);
        wire_client_open(pard->socket, "before", &admin);
        aside = count_aside(&admin);
        wire_client_abandon(&admin);
        damage(pard, head_magic);
        expect_log(pard, "it is refused");
        r = par_alloc(par, PAGE, NULL, NULL, &none);
        if (r != -PAR_GONE)
                die("a session that nobody knows: %s", par_strerror(r));
        check_fill(buffer, 0x88);
        wire_client_open(pard->socket, "the test", &admin);
        if (count_aside(&admin) != aside + 1)
                die("%u frames are kept aside", count_aside(&admin));
        par_free(buffer);
        par_disconnect(par);
        if (getuid() == 0) {
                release(&admin);
                await_free(&admin, POOL_FRAMES);
        }
        wire_client_close(&admin);
        printf("a ledger that is none: all that clients had is kept aside\n");
}

int main(void)
{
        struct pard_fixture pard;

        pard_fixture_start_filled(config, &pard);
        check_hanging_worker(&pard);
        check_damaged_record(&pard);
        check_damaged_head(&pard);
        pard_fixture_stop(&pard);
        return 0;
}
