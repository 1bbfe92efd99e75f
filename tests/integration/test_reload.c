/* SPDX-License-Identifier: MIT */
/*
 * The configuration is read again and again while clients take and free memory: what can change
 * does, what cannot is refused by name and changes nothing, nobody loses a buffer or gets an error,
 * and the daemon is no larger afterwards.
 *
 *     test_reload [TIMES]      default: 20
 */
#include "footprint.h"
#include "latency.h"
#include "load.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "units.h"

#include <errno.h>
#include <par.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOADS     4u
#define KEPT      8u
#define KEPT_SIZE (3 * MiB)
#define SETTLE_NS (20 * NS_PER_S)

#define NO_FILE_NS (8 * NS_PER_S)

static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n";

/**
 * One configuration after the other. @refused: NULL, or what its refusal must name
 */
static const struct {
        const char *name, *text, *refused;
        uint64_t size_min, size_max;
} versions[] = {
        { "small",
          "pool \"any\" { size_min = \"64M\" size_max = \"128M\" quarantine = \"100ms\" }\n", NULL,
          64 * MiB, 128 * MiB },
        { "larger",
          "max_waiting = 16\npool \"any\" { size_min = \"96M\" size_max = \"128M\" spare = \"8M\" "
          "quarantine = \"200ms\" }\n"
          "device \"capture0\" { dma_bits = 40 }\n",
          NULL, 96 * MiB, 128 * MiB },
        { "another page size", "pool \"any\" { page_size = \"4M\" size_min = \"64M\" }\n",
          "page_size", 96 * MiB, 128 * MiB },
        { "another pool",
          "pool \"any\" { size_min = \"64M\" }\npool \"more\" { size_min = \"2M\" }\n", "more",
          96 * MiB, 128 * MiB },
        { "no configuration at all", "pool \"any\" { size_min = }\n", "pard.conf", 96 * MiB,
          128 * MiB },
        { "small again, with an end to idleness",
          "pool \"any\" { size_min = \"64M\" size_max = \"128M\" shrink_delay = \"50ms\" "
          "quarantine = \"100ms\" }\n",
          NULL, 64 * MiB, 128 * MiB },
};

static const Wire__Reply *reload(struct wire_client *admin)
{
        Wire__Reload body = WIRE__RELOAD__INIT;
        Wire__Request request = WIRE__REQUEST__INIT;

        request.body_case = WIRE__REQUEST__BODY_RELOAD;
        request.reload = &body;
        return wire_client_ask(admin, &request);
}

static void check_pool(struct wire_client *admin, uint64_t size_min, uint64_t size_max,
                       const char *name)
{
        const Wire__Pool *pool = wire_client_pool(admin, "any");

        check_sum_of_states(pool->bytes);
        if (pool->size_min != size_min || pool->size_max != size_max)
                die("%s: size_min %llu, size_max %llu", name, (unsigned long long)pool->size_min,
                    (unsigned long long)pool->size_max);
}

static void text_of(size_t i, char *text, size_t room)
{
        snprintf(text, room, "admin_group = \"%u\"\n%s%s", (unsigned)getgid(), sim,
                 versions[i].text);
}

static void try_version(const struct pard_fixture *pard, struct wire_client *admin, size_t i)
{
        const Wire__Reply *reply;
        char text[1024];

        text_of(i, text, sizeof(text));
        pard_fixture_configure(pard, text);
        reply = reload(admin);
        if (!versions[i].refused != !reply->result)
                die("%s: result %u: %s", versions[i].name, reply->result,
                    reply->refusal ? reply->refusal->sentence : "accepted");
        if (versions[i].refused && !strstr(reply->refusal->sentence, versions[i].refused))
                die("%s: \"%s\" does not name %s", versions[i].name, reply->refusal->sentence,
                    versions[i].refused);
        check_pool(admin, versions[i].size_min, versions[i].size_max, versions[i].name);
}

/* What may stand where the configuration was; opening some of it takes for ever. */
static void put_no_file(const char *path, unsigned which)
{
        static const char *const links[] = { "/dev/zero", "/dev/ptmx", "/nowhere" };
        int r;

        unlink(path);
        if (which == 0)
                r = mkfifo(path, 0600);
        else if (which == 1)
                r = mkdir(path, 0700);
        else
                r = symlink(links[which - 2], path);
        if (r < 0)
                die("%s: %s", path, strerror(errno));
}

static void try_no_files(const struct pard_fixture *pard, struct wire_client *admin)
{
        char path[128], text[1024];

        snprintf(path, sizeof(path), "%s/pard.conf", pard->directory);
        for (unsigned which = 0; which < 5; which++) {
                uint64_t start = now_ns();
                const Wire__Reply *reply;

                put_no_file(path, which);
                reply = reload(admin);
                if (!reply->result)
                        die("no file %u: accepted", which);
                if (now_ns() - start > NO_FILE_NS)
                        die("no file %u: refused after %llu ms", which,
                            (unsigned long long)((now_ns() - start) / NS_PER_MS));
                if (which == 1)
                        rmdir(path);
                else
                        unlink(path);
        }
        text_of(0, text, sizeof(text));
        pard_fixture_configure(pard, text);
        if (reload(admin)->result)
                die("a file again: refused");
}

/* ---- the load -------------------------------------------------------------------------------- */

static void take_and_free(struct par *par, struct random *random)
{
        const struct par_alloc_options options = { .wait_ms = 20 };

        load_take_and_free(par, random, &options, 0);
}

/* ---- what must not be lost ------------------------------------------------------------------- */

struct kept {
        struct par *par;
        struct par_buffer *buffers[KEPT];
        uint64_t dma[KEPT];
};

static void keep_some(struct kept *kept)
{
        struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };

        if (par_connect(NULL, NULL, &kept->par))
                die("%s", par_error(NULL));
        for (unsigned i = 0; i < KEPT; i++) {
                if (par_alloc(kept->par, KEPT_SIZE, &want, NULL, &kept->buffers[i]))
                        die("%s", par_error(kept->par));
                kept->dma[i] = par_buffer_dma(kept->buffers[i]);
                memset(par_buffer_data(kept->buffers[i]), (int)i + 1, KEPT_SIZE);
        }
}

static void check_kept(const struct kept *kept)
{
        for (unsigned i = 0; i < KEPT; i++) {
                const unsigned char *data = par_buffer_data(kept->buffers[i]);

                if (par_buffer_dma(kept->buffers[i]) != kept->dma[i])
                        die("a buffer's address has changed");
                for (size_t at = 0; at < KEPT_SIZE; at += 4096)
                        if (data[at] != i + 1)
                                die("a buffer's content has changed");
        }
}

static void give_back(struct kept *kept)
{
        for (unsigned i = 0; i < KEPT; i++)
                par_free(kept->buffers[i]);
        par_disconnect(kept->par);
}

static void await_quiet(struct wire_client *admin)
{
        uint64_t deadline = now_ns() + SETTLE_NS;

        for (;;) {
                const Wire__Pool *pool = wire_client_pool(admin, "any");

                if (pool->bytes->free == pool->bytes->held && pool->bytes->held == 64 * MiB)
                        return;
                if (now_ns() > deadline)
                        die("held %llu, free %llu", (unsigned long long)pool->bytes->held,
                            (unsigned long long)pool->bytes->free);
                usleep(20000);
        }
}

/* Some reloads under load; at the end the first of the configurations is in force, idle. */
static void run(const struct pard_fixture *pard, struct wire_client *admin, unsigned times,
                const char *what, struct footprint *ret)
{
        struct latency latency;
        struct load load;
        struct kept kept;

        keep_some(&kept);
        load_start(&load, LOADS, take_and_free, 1);
        latency_start(&latency, pard_fixture_worker(pard));
        for (unsigned i = 0; i < times; i++) {
                try_version(pard, admin, i % ARRAY_SIZE(versions));
                check_kept(&kept);
                for (unsigned n = 0; n < 50; n++) {
                        latency_sample(&latency, admin);
                        usleep(200);
                }
        }
        latency_finish(&latency, what);
        load_stop(&load);
        give_back(&kept);
        try_version(pard, admin, ARRAY_SIZE(versions) - 1);
        await_quiet(admin);
        footprint_look(pard, ret);
}

int main(int argc, char **argv)
{
        unsigned times = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 20;
        struct footprint before, after;
        struct pard_fixture pard;
        struct wire_client admin;
        char config[1024], what[64];

        text_of(0, config, sizeof(config));
        pard_fixture_start_filled(config, &pard);
        wire_client_open(pard.socket, "admin", &admin);

        try_no_files(&pard, &admin);
        run(&pard, &admin, ARRAY_SIZE(versions), "the first reloads", &before);
        snprintf(what, sizeof(what), "%u reloads under load", times);
        run(&pard, &admin, times, what, &after);
        footprint_compare(&before, &after);

        wire_client_close(&admin);
        pard_fixture_stop(&pard);
        return 0;
}
