/* SPDX-License-Identifier: MIT */
/*
 * Batches through libpar and a real daemon: what is granted is as good as one by one, what cannot
 * be had in one request is had all the same, and what is refused leaves nothing behind.
 *
 *     test_batch [sim|hugetlb]                     default: on invented memory
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <par.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES  (2 * MiB)
#define PATIENCE_NS (60 * NS_PER_S)

/* It grows by what is asked for; nothing is kept for anybody. */
static const char pool[] =
        "pool \"any\" { page_size = \"2M\" size_min = \"8M\" size_max = \"64M\" }\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n";

static struct pard_fixture pard;
static struct par_buffer *got[PAR_BATCH_MAX];

static struct par *connect_as(const char *name)
{
        const struct par_connect_options options = { .client_name = name };
        struct par *par;

        if (par_connect(pard.socket, &options, &par))
                die("connect: %s", par_error(NULL));
        return par;
}

/* Which pages lie side by side is the system's affair. */
static const struct par_constraint anyhow = { .max_segments = PAR_SEGMENTS_ANY };

static bool is_one_segment(size_t size)
{
        return size <= PAGE_BYTES;
}

/* Pard waits two seconds for a page that a pool grows by: on a busy machine that may be too short,
 * and who is refused for now asks again. */
static int ask(struct par *par, size_t count, size_t size, const struct par_constraint *want)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        int r;

        do
                r = par_alloc_batch(par, count, size, want, NULL, got);
        while (r == -PAR_EXHAUSTED && now_ns() < deadline);
        return r;
}

static void get(struct par *par, size_t count, size_t size)
{
        const struct par_constraint *want = is_one_segment(size) ? NULL : &anyhow;

        if (ask(par, count, size, want))
                die("%zu of %zu bytes: %s", count, size, par_error(par));
}

static void check_nothing(const struct par *par, size_t count, int r, int expected)
{
        if (r != expected)
                die("%s instead of %s: %s", par_strerror(r), par_strerror(expected),
                    par_error(par));
        for (size_t i = 0; i < count; i++)
                if (got[i])
                        die("a buffer of a batch that was refused");
}

static uint64_t granted_bytes(void)
{
        struct wire_client client;
        uint64_t bytes;

        wire_client_open(pard.socket, "looker", &client);
        bytes = wire_client_status(&client)->bytes->granted;
        wire_client_close(&client);
        return bytes;
}

/* A batch does not wait for what is on its way back. */
static void wait_until_back(void)
{
        struct wire_client client;

        wire_client_open(pard.socket, "looker", &client);
        while (wire_client_status(&client)->bytes->leaving)
                usleep(1000);
        wire_client_close(&client);
}

/* ---- what is granted ------------------------------------------------------------------------ */

static void check_buffer(struct par *par, struct par_buffer *buffer, size_t size)
{
        const char *data = par_buffer_data(buffer);
        size_t contiguous;
        uint64_t dma;

        if (par_buffer_size(buffer) != size ||
            (is_one_segment(size) && par_buffer_segments(buffer, NULL) != 1))
                die("a buffer of another shape");
        if (data[0] || memcmp(data, data + 1, size - 1) != 0)
                die("a buffer that is not zero");
        if (par_dma_address(par, data + size - 1, &dma, &contiguous) || contiguous != 1 ||
            (is_one_segment(size) && dma != par_buffer_dma(buffer) + size - 1))
                die("a buffer that is not found");
        memset(par_buffer_data(buffer), 0x5a, size);
}

/* What lies side by side is one piece of memory for the device, and each is its own. */
static void check_apart(size_t count, size_t size)
{
        for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < i; j++) {
                        const uint64_t a = par_buffer_dma(got[i]), b = par_buffer_dma(got[j]);

                        if (a < b + size && b < a + size)
                                die("two buffers overlap");
                }
}

static void test_each_is_as_if_alone(struct par *par)
{
        static const struct {
                size_t count, size;
        } batches[] = { { 1, 4096 }, { 64, 4096 }, { 64, 64 * KiB }, { 3, 2 * MiB }, { 2, 12345 } };

        for (size_t i = 0; i < ARRAY_SIZE(batches); i++)
                for (unsigned again = 0; again < 2; again++) {
                        const size_t size = (batches[i].size + 4095) & ~(size_t)4095;

                        get(par, batches[i].count, batches[i].size);
                        for (size_t j = 0; j < batches[i].count; j++)
                                check_buffer(par, got[j], size);
                        check_apart(batches[i].count, size);
                        par_free_batch(got, batches[i].count);
                }
        if (granted_bytes())
                die("something was not given back");
}

static void test_uninitialized(struct par *par)
{
        const struct par_alloc_options options = { .flags = PAR_ALLOC_UNINITIALIZED };
        struct par_buffer *stays;

        if (par_alloc(par, 4096, NULL, NULL, &stays))
                die("%s", par_error(par));
        get(par, 8, 4096);
        for (size_t i = 0; i < 8; i++)
                memset(par_buffer_data(got[i]), 0x77, 4096);
        par_free_batch(got, 8);
        if (par_alloc_batch(par, 8, 4096, NULL, &options, got))
                die("%s", par_error(par));
        for (size_t i = 0; i < 8; i++)
                if (*(char *)par_buffer_data(got[i]) != 0x77)
                        die("it was zeroed although nobody wants that, or lies elsewhere");
        par_free_batch(got, 8);
        par_free(stays);
}

/* ---- what is no batch for pard -------------------------------------------------------------- */

static void test_one_by_one(struct par *par)
{
        /* Larger than a page; and more than the pool holds yet. */
        get(par, 4, 3 * MiB);
        for (size_t i = 0; i < 4; i++)
                check_buffer(par, got[i], 3 * MiB);
        par_free_batch(got, 4);
        get(par, 40, MiB);
        check_apart(40, MiB);
        par_free_batch(got, 40);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void test_refusals(struct par *par)
{
        static const struct {
                const char *name;
                struct par_alloc_options options;
        } options[] = {
                { "that waits", { .wait_ms = 1 } },
                { "that waits for ever", { .wait_ms = -1 } },
                { "with a name", { .name = "ring" } },
                { "for others", { .allow = "uid:0" } },
                { "to be shared", { .flags = PAR_ALLOC_SHARED } },
                { "that lasts", { .flags = PAR_ALLOC_LASTING } },
                { "with a flag that there is not", { .flags = 1u << 31 } },
        };
        const struct par_constraint low = { .addr_max = 4095 };
        const struct par_alloc_options nowhere = { .pool = "none" };

        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                got[0] = got[1] = (void *)1;
                printf("a batch %s\n", options[i].name);
                check_nothing(par, 2, par_alloc_batch(par, 2, 4096, NULL, &options[i].options, got),
                              -EINVAL);
        }
        check_nothing(par, 0, par_alloc_batch(par, 0, 4096, NULL, NULL, got), -EINVAL);
        check_nothing(par, 0, par_alloc_batch(par, PAR_BATCH_MAX + 1, 4096, NULL, NULL, got),
                      -EINVAL);
        check_nothing(par, 0, par_alloc_batch(par, 2, 4096, NULL, NULL, NULL), -EINVAL);
        check_nothing(par, 2, par_alloc_batch(NULL, 2, 4096, NULL, NULL, got), -EINVAL);
        check_nothing(par, 2, par_alloc_batch(par, 2, 0, NULL, NULL, got), -PAR_INVALID);
        check_nothing(par, 2, par_alloc_batch(par, 2, 8192, &low, NULL, got), -PAR_NEVER_FITS);
        check_nothing(par, 2, par_alloc_batch(par, 2, 4096, NULL, &nowhere, got), -PAR_INVALID);
}

static void test_too_much(struct par *par)
{
        struct par *other = connect_as("other");
        const struct par_alloc_options patient = { .wait_ms = 60000 };
        struct par_refusal_info figures;
        struct par_buffer *held;

        check_nothing(par, 40, ask(par, 40, 2 * MiB, NULL), -PAR_NEVER_FITS);
        if (strncmp(par_error(par), "buffer ", 7) != 0)
                die("which one is it? %s", par_error(par));
        if (par_last_refusal(par, &figures) || figures.size != 2 * MiB)
                die("figures of another refusal");

        /* Nobody has any of it now: another one can have nearly all of the pool, all but what this
         * client keeps mapped. */
        if (par_alloc(other, 58 * MiB, &anyhow, &patient, &held))
                die("%s", par_error(other));
        check_nothing(par, 4, par_alloc_batch(par, 4, 2 * MiB, NULL, NULL, got), -PAR_EXHAUSTED);
        par_free(held);
        par_disconnect(other);
        if (granted_bytes())
                die("something was not given back");
        wait_until_back();
}

/* ---- giving back ---------------------------------------------------------------------------- */

static void test_free_of_many(struct par *par)
{
        struct par *other = connect_as("other");
        struct par_buffer *all[3 * PAR_BATCH_MAX + 5] = { NULL };

        for (unsigned i = 0; i < 3; i++) {
                get(i == 1 ? other : par, PAR_BATCH_MAX, 4096);
                memcpy(all + i * PAR_BATCH_MAX + i, got, sizeof(got));
        }
        if (par_alloc(par, 5 * MiB, &anyhow, NULL, &all[ARRAY_SIZE(all) - 1]))
                die("%s", par_error(par));
        par_free_batch(all, ARRAY_SIZE(all));
        par_free_batch(all, 0);
        if (granted_bytes())
                die("something was not given back");
        par_disconnect(other);
}

/* ---- quotas --------------------------------------------------------------------------------- */

/* What was given back a moment ago is as good as there, as for one buffer. */
static void test_at_the_edge_of_a_quota(const char *backend)
{
        char config[512];
        struct par *par, *other;
        struct par_buffer *held;

        snprintf(config, sizeof(config),
                 "%spool \"any\" { page_size = \"2M\" size_min = \"32M\" size_max = \"64M\"\n"
                 "quota \"user:*\" { frames = 6 } }\n",
                 backend);
        pard_fixture_start_filled(config, &pard);
        par = connect_as("batch");
        for (unsigned i = 0; i < 20; i++) {
                get(par, 6, 2 * MiB);
                par_free_batch(got, 6);
        }
        other = connect_as("other");
        if (par_alloc(other, 2 * MiB, NULL, NULL, &held))
                die("%s", par_error(other));
        check_nothing(par, 6, par_alloc_batch(par, 6, 2 * MiB, NULL, NULL, got), -PAR_QUOTA);
        if (strncmp(par_error(par), "buffer 6 of 6: ", 15) != 0)
                die("which one is it? %s", par_error(par));
        get(par, 5, 2 * MiB);
        par_free_batch(got, 5);
        par_free(held);
        par_disconnect(other);
        par_disconnect(par);
        pard_fixture_stop(&pard);
}

int main(int argc, char **argv)
{
        const bool real = argc > 1 && !strcmp(argv[1], "hugetlb");
        char config[512];
        struct par *par;

        if (real)
                require_hugepages(128);
        snprintf(config, sizeof(config), "%s%s", real ? hugetlb : sim, pool);
        pard_fixture_start_filled(config, &pard);
        par = connect_as("batch");
        test_each_is_as_if_alone(par);
        test_uninitialized(par);
        test_one_by_one(par);
        test_refusals(par);
        test_too_much(par);
        test_free_of_many(par);
        par_disconnect(par);
        pard_fixture_stop(&pard);
        test_at_the_edge_of_a_quota(real ? hugetlb : sim);
        return 0;
}
