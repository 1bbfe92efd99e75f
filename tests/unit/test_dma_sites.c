/* SPDX-License-Identifier: MIT */
/* Counters of who bounces: exact once those who count are quiet, however many they are. */
#include "dma_sites.h"

#include "macros.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define THREADS (SITE_THREADS + 4) /* some have no tallies of their own */
#define TIMES   20000

static struct sites sites;

static void begin(void)
{
        memset(&sites, 0, sizeof(sites));
}

/* All places together. Return: how many there are. */
static size_t add_up(struct par_map_site *ret)
{
        struct par_map_site told[SITES_MAX];
        const size_t n = sites_list(&sites, told, SITES_MAX);

        *ret = (struct par_map_site){ .bounces = 0 };
        for (size_t i = 0; i < n; i++) {
                ret->bounces += told[i].bounces;
                ret->bytes_in += told[i].bytes_in;
                ret->bytes_out += told[i].bytes_out;
        }
        return n;
}

/* How many threads have tallies of their own. */
static size_t owners(void)
{
        size_t n = 0;

        for (size_t i = 0; i < SITE_THREADS; i++)
                n += atomic_load(&sites.threads[i]) != 0;
        return n;
}

/* ---- one thread ----------------------------------------------------------------------------- */

static void test_sites_lose_nothing(void **state)
{
        static const uint64_t bytes = (UINT64_C(1) << 39) - 1;
        static char labels[200];
        struct par_map_site all;

        (void)state;
        begin();
        /* More places than there are. */
        for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
                const size_t site = sites_find(&sites, &labels[i], NULL);

                assert_int_equal(site, sites_find(&sites, &labels[i], &all));
                for (unsigned k = 0; k < 5; k++)
                        (void)sites_count(&sites, site, bytes);
                sites_copied(&sites, site, 7, true);
                sites_copied(&sites, site, 3, false);
        }
        assert_int_equal(add_up(&all), SITES_MAX);
        assert_int_equal(all.bounces, 1000);
        assert_int_equal(all.bytes_in, 1000 * bytes + 200 * 7);
        assert_int_equal(all.bytes_out, 200 * 3);
        assert_int_equal(owners(), 1);
}

/* Each place tells how many there were before, so that each 64th is told apart. */
static void test_sites_tell_how_many_there_were(void **state)
{
        size_t one, other;

        (void)state;
        begin();
        one = sites_find(&sites, "one", NULL);
        other = sites_find(&sites, NULL, &sites);
        for (uint64_t i = 0; i < 100; i++) {
                assert_int_equal(sites_count(&sites, one, i), i);
                assert_int_equal(sites_count(&sites, other, 0), i);
        }
}

/* ---- threads -------------------------------------------------------------------------------- */

static pthread_barrier_t all_are_there;

static void count(void)
{
        const size_t mine = sites_find(&sites, NULL, &all_are_there);
        const size_t other = sites_find(&sites, "other", NULL);

        for (unsigned i = 0; i < TIMES; i++) {
                (void)sites_count(&sites, mine, 10);
                sites_copied(&sites, i & 1 ? mine : other, 1, false);
                sites_copied(&sites, other, 100, true);
        }
        (void)sites_count(&sites, other, 0);
}

static void *count_beside_others(void *unused)
{
        struct par_map_site all;

        (void)unused;
        pthread_barrier_wait(&all_are_there);
        count();
        (void)add_up(&all); /* also while others count */
        pthread_barrier_wait(&all_are_there);
        return NULL;
}

static void *count_alone(void *unused)
{
        (void)unused;
        count();
        return NULL;
}

static void check_total(uint64_t threads)
{
        struct par_map_site all;

        assert_int_equal(add_up(&all), 2);
        assert_int_equal(all.bounces, threads * (TIMES + 1));
        assert_int_equal(all.bytes_in, threads * TIMES * 110);
        assert_int_equal(all.bytes_out, threads * TIMES);
}

static void test_sites_of_many_threads(void **state)
{
        static const struct {
                const char *name;
                size_t taken; /* tallies that are others' already */
        } cases[] = {
                { "most have tallies of their own", 0 },
                { "one has", SITE_THREADS - 1 },
                { "all share", SITE_THREADS },
        };
        pthread_t threads[THREADS];

        (void)state;
        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                print_message("%s\n", cases[c].name);
                begin();
                for (size_t i = 0; i < cases[c].taken; i++)
                        atomic_store(&sites.threads[i], i + 1); /* no thread's pointer */
                assert_int_equal(pthread_barrier_init(&all_are_there, NULL, THREADS), 0);
                for (size_t i = 0; i < THREADS; i++)
                        assert_int_equal(
                                pthread_create(&threads[i], NULL, count_beside_others, NULL), 0);
                for (size_t i = 0; i < THREADS; i++)
                        pthread_join(threads[i], NULL);
                pthread_barrier_destroy(&all_are_there);
                check_total(THREADS);
                assert_int_equal(owners(), SITE_THREADS);
        }
}

/* What a thread counted stays when it ends, and so does what another one counts in its place. */
static void test_sites_of_threads_that_end(void **state)
{
        pthread_t thread;

        (void)state;
        begin();
        for (size_t i = 0; i < 3 * SITE_THREADS; i++) {
                assert_int_equal(pthread_create(&thread, NULL, count_alone, NULL), 0);
                pthread_join(thread, NULL);
                check_total(i + 1);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sites_lose_nothing),
                cmocka_unit_test(test_sites_tell_how_many_there_were),
                cmocka_unit_test(test_sites_of_many_threads),
                cmocka_unit_test(test_sites_of_threads_that_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
