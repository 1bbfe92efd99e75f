/* SPDX-License-Identifier: MIT */
/*
 * Ranges of I/O addresses without their device, their connection, memory, in several threads, and
 * in a child.
 */
#include "heap.h"
#include "in_child.h"
#include "macros.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "iova_setup.h"

static void test_par_iova_outlives_its_device(void **state)
{
        struct par_iova *range;
        struct setup setup;

        (void)state;
        begin(&setup);
        range = reserve(&setup, PAGE);
        par_device_close(setup.device);
        assert_int_equal(link_pages(&setup, range, 0, 0, 1), 0);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 1);
        errno = ENOTTY;
        par_iova_destroy(range);
        par_iova_destroy(NULL);
        assert_int_equal(errno, ENOTTY);
        assert_int_equal(fake_vfio.n_maps, 0);
        assert_int_equal(par_iova_dma(NULL) + par_iova_size(NULL) + par_iova_granule(NULL), 0);
        end(&setup);
}

static void test_par_iova_goes_with_its_connection(void **state)
{
        struct par_iova *range;
        struct setup setup;

        (void)state;
        begin(&setup);
        range = reserve(&setup, 2 * PAGE);
        assert_int_equal(link_pages(&setup, range, 0, 0, 1), 0);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(link_pages(&setup, range, 1, 1, 1), 0);
        (void)reserve(&setup, PAGE);
        end(&setup);
}

static void test_par_iova_without_memory_changes_nothing(void **state)
{
        struct par_iova *range;
        struct setup setup;
        unsigned long failures = 0;
        uint64_t before;
        int r;

        (void)state;
        begin(&setup);
        const struct par_sg_part parts[] = { pages(&setup, 3, 1), pages(&setup, 1, 1) };

        range = reserve(&setup, 2 * PAGE);
        before = par_iova_dma(range);
        par_iova_destroy(range);
        do {
                heap_fail(failures + 1, failures + 1);
                r = par_iova_reserve(setup.device, 2 * PAGE, NULL, NULL, &range);
                failures += heap_mend();
                assert_true(!r || (r == -ENOMEM && !range));
        } while (r);
        assert_true(failures > 0);
        assert_int_equal(par_iova_dma(range), before);
        for (unsigned long i = 1; i <= 2; i++) {
                heap_fail(i, i);
                assert_int_equal(par_iova_link(range, 0, parts, 2, 0), -ENOMEM);
                assert_true(heap_mend());
        }
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 0);

        /* Mapping and unmapping take none. */
        assert_int_equal(par_iova_link(range, 0, parts, 2, 0), 0);
        heap_fail(1, 1);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(par_iova_unlink(range, 0, 2 * PAGE), 0);
        assert_false(heap_mend());
        end(&setup);
}

#define THREADS 4
#define ROUNDS  30

/* One of several threads, with page @own of a range that all of them use. */
struct user {
        struct setup *setup;
        struct par_iova *shared;
        size_t own;
        pthread_t thread;
        int result;
};

static int use_once(struct user *user)
{
        const struct par_sg_part part = pages(user->setup, user->own, 1);
        struct par_iova *range;
        int r;

        r = par_iova_reserve(user->setup->device, 2 * PAGE, NULL, NULL, &range);
        if (!r)
                r = par_iova_link(range, PAGE, &part, 1, 0);
        if (!r)
                r = par_iova_sync(range);
        if (!r)
                r = par_iova_link(user->shared, user->own * PAGE, &part, 1, PAR_IOVA_APART);
        if (!r)
                r = par_iova_sync(user->shared);
        if (!r)
                r = par_iova_unlink(user->shared, user->own * PAGE, PAGE);
        par_iova_destroy(range);
        return r;
}

static void *use_often(void *data)
{
        struct user *user = data;

        for (int i = 0; i < ROUNDS && !user->result; i++)
                user->result = use_once(user);
        return NULL;
}

static void test_par_iova_serves_several_threads(void **state)
{
        struct user users[THREADS];
        struct par_iova *shared;
        struct setup setup;

        (void)state;
        begin(&setup);
        shared = reserve(&setup, THREADS * PAGE);
        for (size_t i = 0; i < THREADS; i++) {
                users[i] = (struct user){ .setup = &setup, .shared = shared, .own = i };
                assert_int_equal(pthread_create(&users[i].thread, NULL, use_often, &users[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
                pthread_join(users[i].thread, NULL);
                assert_int_equal(users[i].result, 0);
        }
        assert_int_equal(fake_vfio.n_maps, 0);
        assert_int_equal(setup.warnings, 0);
        end(&setup);
}

struct child {
        struct setup *setup;
        struct par_iova *range;
};

/* How many descriptors of the container are left in the end. */
static int use_as_child(void *data)
{
        struct child *child = data;
        struct par_iova *range;
        struct stat info, other;
        int n = 0;

        if (link_pages(child->setup, child->range, 0, 0, 1) != -ECHILD ||
            par_iova_sync(child->range) != -ECHILD ||
            par_iova_unlink(child->range, 0, PAGE) != -ECHILD ||
            par_iova_reserve(child->setup->device, PAGE, NULL, NULL, &range) != -ECHILD ||
            fstat(child->setup->container, &info) < 0)
                return -1;
        par_iova_destroy(child->range);
        par_disconnect(child->setup->par);
        for (int fd = 3; fd < 256; fd++)
                n += !fstat(fd, &other) && other.st_ino == info.st_ino;
        return n;
}

static void test_par_iova_is_not_a_childs(void **state)
{
        struct setup setup;
        struct child child = { &setup, NULL };

        (void)state;
        begin(&setup);
        child.range = reserve(&setup, PAGE);
        assert_int_equal(link_pages(&setup, child.range, 0, 0, 1), 0);
        assert_int_equal(par_iova_sync(child.range), 0);
        assert_int_equal(in_child(use_as_child, &child), 1); /* the test's own */

        /* Another thread was changing it at the fork. */
        pthread_mutex_lock(&child.range->lock);
        assert_int_equal(in_child(use_as_child, &child), 1);
        pthread_mutex_unlock(&child.range->lock);
        assert_int_equal(fake_vfio.n_maps, 1);
        end(&setup);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_par_iova_outlives_its_device),
                cmocka_unit_test(test_par_iova_goes_with_its_connection),
                cmocka_unit_test(test_par_iova_without_memory_changes_nothing),
                cmocka_unit_test(test_par_iova_serves_several_threads),
                cmocka_unit_test(test_par_iova_is_not_a_childs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
