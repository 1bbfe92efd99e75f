/* SPDX-License-Identifier: MIT */
#include "sim.h"

#include "descriptors.h"
#include "macros.h"

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct sim_extent extents[] = {
        { { 0x100000, 0xffffff }, 0, 4096 },
        { { 64 * MiB, 128 * MiB - 1 }, 0, 2 * MiB },
        { { 4 * GiB, 4 * GiB + 64 * MiB - 1 }, 1, 2 * MiB },
};

static struct backend *sim(struct sim_settings *settings)
{
        struct backend *backend;

        settings->extents = extents;
        settings->n_extents = ARRAY_SIZE(extents);
        assert_int_equal(sim_new(settings, &backend), 0);
        return backend;
}

static struct backend_frame take(struct backend *backend, int node, struct range window)
{
        struct backend_frame frame;

        assert_int_equal(backend->ops->take(backend, 2 * MiB, node, window, true, &frame), 0);
        return frame;
}

static void give_back(struct backend *backend, struct backend_frame *frame)
{
        enum backend_holder holder;

        assert_int_equal(backend->ops->let_go(backend, frame, false, &holder), 0);
        assert_int_equal(backend->ops->release(backend, frame, &holder), 0);
        assert_true(frame->released);
        assert_int_equal(frame->memfd, -1);
}

/* What look() visits. */
struct seen {
        uint64_t pages[80];
        size_t n;
};

static void visit(void *data, uint64_t phys)
{
        struct seen *seen = data;

        assert_true(seen->n < ARRAY_SIZE(seen->pages));
        assert_true(seen->n == 0 || seen->pages[seen->n - 1] < phys);
        seen->pages[seen->n++] = phys;
}

static struct seen look(struct backend *backend, int node, struct range window)
{
        struct seen seen = { .n = 0 };

        assert_int_equal(backend->ops->look(backend, 2 * MiB, node, window, visit, &seen), 0);
        return seen;
}

static uint64_t more(struct backend *backend, int node, uint64_t count)
{
        uint64_t added = UINT64_MAX;

        assert_int_equal(backend->ops->more(backend, 2 * MiB, node, count, &added), 0);
        return added;
}

static void test_sim_takes_from_the_top_down_without_a_seed(void **state)
{
        struct sim_settings settings = { 0 };
        struct backend *backend = sim(&settings);
        struct backend_frame frame;

        (void)state;
        for (uint64_t i = 0; i < 64; i++) {
                frame = take(backend, NODE_ANY, RANGE_ALL);
                assert_int_equal(frame.phys, i < 32 ? 4 * GiB + (31 - i) * 2 * MiB
                                                    : 64 * MiB + (63 - i) * 2 * MiB);
                assert_int_equal(frame.node, i < 32);
                assert_true(frame.pinned);
                close(frame.memfd);
        }
        assert_int_equal(backend->ops->take(backend, 2 * MiB, NODE_ANY, RANGE_ALL, true, &frame),
                         -ENOMEM);
        backend_free(backend);
}

static void test_sim_visits_each_page_once_in_any_order(void **state)
{
        static const uint64_t seeds[] = { 1, 2, 77, UINT64_MAX };
        (void)state;

        for (size_t s = 0; s < ARRAY_SIZE(seeds); s++) {
                struct sim_settings settings = { .seed = seeds[s] };
                struct backend *backend = sim(&settings);
                struct backend *twin = sim(&settings);
                bool seen[32] = { false }, sorted = true;
                uint64_t last = UINT64_MAX;

                for (unsigned i = 0; i < 32; i++) {
                        struct backend_frame frame = take(backend, 1, RANGE_ALL);
                        struct backend_frame same = take(twin, 1, RANGE_ALL);
                        uint64_t page = (frame.phys - 4 * GiB) / (2 * MiB);

                        assert_int_equal(frame.phys, same.phys);
                        assert_true(page < 32 && !seen[page]);
                        seen[page] = true;
                        sorted &= frame.phys < last;
                        last = frame.phys;
                        close(frame.memfd);
                        close(same.memfd);
                }
                assert_false(sorted);
                backend_free(backend);
                backend_free(twin);
        }
}

static const struct {
        const char *name;
        uint64_t page_bytes;
        int node;
        struct range window;
        bool blind, unpinned;
        int result;
        uint64_t first, last;
} wish_cases[] = {
        { "a window that cuts pages at both ends",
          2 * MiB,
          NODE_ANY,
          { 70 * MiB + 1, 75 * MiB },
          false,
          false,
          0,
          72 * MiB,
          72 * MiB },
        { "a window narrower than a page",
          2 * MiB,
          NODE_ANY,
          { 64 * MiB, 66 * MiB - 2 },
          false,
          false,
          -ENOMEM,
          0,
          0 },
        { "a window outside of all memory",
          2 * MiB,
          NODE_ANY,
          { 0, MiB },
          false,
          false,
          -ENOMEM,
          0,
          0 },
        { "a blind machine does not look at the window",
          2 * MiB,
          NODE_ANY,
          { 0, MiB },
          true,
          false,
          0,
          64 * MiB,
          5 * GiB },
        { "the lower node", 2 * MiB, 0, { 0, UINT64_MAX }, false, false, 0, 64 * MiB, 126 * MiB },
        { "a node that has no memory", 2 * MiB, 7, { 0, UINT64_MAX }, false, false, -ENOMEM, 0, 0 },
        { "small pages", 4096, NODE_ANY, { 0, UINT64_MAX }, false, false, 0, MiB, 16 * MiB },
        { "a page size that it has not",
          GiB,
          NODE_ANY,
          { 0, UINT64_MAX },
          false,
          false,
          -ENOMEM,
          0,
          0 },
        { "a pin where there is none",
          2 * MiB,
          NODE_ANY,
          { 0, UINT64_MAX },
          false,
          true,
          -EPERM,
          0,
          0 },
};

static void test_sim_honours_the_wish(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wish_cases); i++) {
                struct sim_settings settings = { .seed = 5,
                                                 .blind = wish_cases[i].blind,
                                                 .unpinned = wish_cases[i].unpinned };
                struct backend *backend = sim(&settings);
                struct backend_frame frame = BACKEND_FRAME_NONE;
                int r;

                if (wish_cases[i].blind)
                        assert_int_equal(more(backend, NODE_ANY, 1), 1);
                r = backend->ops->take(backend, wish_cases[i].page_bytes, wish_cases[i].node,
                                       wish_cases[i].window, true, &frame);
                if (r != wish_cases[i].result ||
                    (!r && (frame.phys < wish_cases[i].first || frame.phys > wish_cases[i].last)))
                        fail_msg("%s: %d, 0x%jx", wish_cases[i].name, r, (uintmax_t)frame.phys);
                if (!r)
                        close(frame.memfd);
                backend_free(backend);
        }
}

static void test_sim_returned_page_comes_first(void **state)
{
        struct sim_settings settings = { .seed = 3 };
        struct backend *backend = sim(&settings);
        struct backend_frame a, b, again;

        (void)state;
        a = take(backend, NODE_ANY, RANGE_ALL);
        b = take(backend, NODE_ANY, RANGE_ALL);
        give_back(backend, &b);
        give_back(backend, &a);
        again = take(backend, NODE_ANY, RANGE_ALL);
        assert_int_equal(again.phys, a.phys);
        close(again.memfd);
        again = take(backend, NODE_ANY, RANGE_ALL);
        assert_int_equal(again.phys, b.phys);
        close(again.memfd);
        backend_free(backend);
}

static void test_sim_loses_every_snatched_page(void **state)
{
        struct sim_settings settings = { .snatch_every = 2 };
        struct backend *backend = sim(&settings);
        struct backend_frame frame;
        unsigned had = 0;

        (void)state;
        while (backend->ops->take(backend, 2 * MiB, NODE_ANY, RANGE_ALL, true, &frame) == 0) {
                give_back(backend, &frame);
                had++;
        }
        assert_int_equal(had, 2 * 64);
        backend_free(backend);
}

static void test_sim_a_terabyte_costs_nothing(void **state)
{
        struct sim_extent huge[] = { { { 0, TiB - 1 }, 0, 2 * MiB },
                                     { { TiB, 2 * TiB - 1 }, 0, GiB } };
        struct sim_settings settings = { .extents = huge, .n_extents = 2, .seed = 9 };
        struct backend_frame frame;
        struct backend *backend;
        struct stat st;

        (void)state;
        assert_int_equal(sim_new(&settings, &backend), 0);
        for (unsigned i = 0; i < 100; i++) {
                frame = take(backend, NODE_ANY, RANGE_ALL);
                assert_true(frame.phys < TiB && frame.phys % (2 * MiB) == 0);
                assert_int_equal(fstat(frame.memfd, &st), 0);
                assert_int_equal(st.st_blocks, 0);
                assert_int_equal(st.st_mode & 0777, 0600);
                assert_int_equal(fcntl(frame.memfd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
                close(frame.memfd);
        }
        backend_free(backend);
}

static void test_sim_blind_stock(void **state)
{
        struct sim_settings settings = { .blind = true };
        const struct range low = { 0, 4 * GiB - 1 };
        struct backend *backend = sim(&settings);
        struct backend_frame frame, other;

        (void)state;
        /* Nothing is stock by itself. */
        assert_int_equal(look(backend, NODE_ANY, RANGE_ALL).n, 0);
        assert_int_equal(backend->ops->take(backend, 2 * MiB, NODE_ANY, RANGE_ALL, true, &frame),
                         -ENOMEM);

        /* It comes from the top down: 32 pages above before any below. */
        assert_int_equal(more(backend, NODE_ANY, 30), 30);
        assert_int_equal(look(backend, NODE_ANY, low).n, 0);
        assert_int_equal(more(backend, NODE_ANY, 5), 5);
        assert_int_equal(look(backend, NODE_ANY, low).n, 3);
        assert_int_equal(look(backend, 0, RANGE_ALL).n, 3);
        assert_int_equal(look(backend, 1, RANGE_ALL).n, 32);

        /* It is taken latest first, whatever is wished for; and is stock when it comes back. */
        frame = take(backend, NODE_ANY, (struct range){ 4 * GiB, UINT64_MAX });
        assert_int_equal(frame.phys, 64 * MiB + 29 * 2 * MiB);
        assert_int_equal(look(backend, NODE_ANY, low).n, 2);
        other = take(backend, 1, low);
        assert_int_equal(other.phys, 4 * GiB);
        give_back(backend, &other);
        give_back(backend, &frame);
        assert_int_equal(look(backend, NODE_ANY, low).n, 3);

        /* What is given up last comes again first. */
        backend->ops->less(backend, 2 * MiB, NODE_ANY, 2);
        assert_int_equal(look(backend, NODE_ANY, RANGE_ALL).n, 33);
        backend->ops->less(backend, 2 * MiB, 1, 40);
        assert_int_equal(look(backend, 1, RANGE_ALL).n, 0);
        assert_int_equal(look(backend, 0, RANGE_ALL).n, 2);
        assert_int_equal(more(backend, NODE_ANY, 100), 62);
        assert_int_equal(look(backend, NODE_ANY, RANGE_ALL).n, 64);
        assert_int_equal(more(backend, NODE_ANY, 1), 0);
        assert_int_equal(more(backend, 9, 1), 0);
        backend_free(backend);
}

static void test_sim_stock_that_follows_wishes(void **state)
{
        struct sim_settings settings = { .blind = false };
        const struct range low = { 0, 4 * GiB - 1 };
        struct backend *backend = sim(&settings);
        struct backend_frame frame;

        (void)state;
        /* Every page might as well be stock. */
        assert_int_equal(look(backend, NODE_ANY, RANGE_ALL).n, 64);
        assert_int_equal(look(backend, NODE_ANY, low).n, 32);
        assert_int_equal(more(backend, NODE_ANY, 4), 4);
        frame = take(backend, NODE_ANY, low);
        assert_int_equal(frame.phys, 126 * MiB);
        assert_int_equal(look(backend, NODE_ANY, low).n, 31);
        give_back(backend, &frame);
        backend->ops->less(backend, 2 * MiB, NODE_ANY, 5);
        assert_int_equal(look(backend, NODE_ANY, RANGE_ALL).n, 64);
        backend_free(backend);
}

static const struct {
        const char *name;
        uint64_t free_bytes, keep_free_bytes, count;
        int result;
        uint64_t added;
} limit_cases[] = {
        { "all of the extents", 0, TiB, 100, 0, 64 },
        { "as much as there is", 20 * MiB, 0, 100, 0, 10 },
        { "what is no whole page stays", 21 * MiB + 1, 0, 100, 0, 10 },
        { "enough in spite of what is kept", 20 * MiB, 10 * MiB, 5, 0, 5 },
        { "more than what is kept allows", 20 * MiB, 10 * MiB, 6, -EDQUOT, 5 },
        { "all is kept", 20 * MiB, 20 * MiB, 6, -EDQUOT, 0 },
        { "nothing is asked for", 20 * MiB, TiB, 0, 0, 0 },
};

static void test_sim_stock_has_limits(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(limit_cases); i++) {
                struct sim_settings settings = { .blind = true,
                                                 .free_bytes = limit_cases[i].free_bytes };
                struct backend *backend = sim(&settings);
                uint64_t added = UINT64_MAX, again = UINT64_MAX;
                int r;

                backend->ops->set_keep_free(backend, limit_cases[i].keep_free_bytes);
                r = backend->ops->more(backend, 2 * MiB, NODE_ANY, limit_cases[i].count, &added);
                if (r != limit_cases[i].result || added != limit_cases[i].added)
                        fail_msg("%s: %d, %ju", limit_cases[i].name, r, (uintmax_t)added);
                /* What goes back can come again. */
                backend->ops->less(backend, 2 * MiB, NODE_ANY, added);
                backend->ops->more(backend, 2 * MiB, NODE_ANY, added, &again);
                if (again != added)
                        fail_msg("%s: again %ju", limit_cases[i].name, (uintmax_t)again);
                backend_free(backend);
        }
}

static void test_sim_demotes_large_pages(void **state)
{
        struct sim_extent large[] = {
                { { 4 * GiB, 6 * GiB - 1 }, 1, GiB },
                { { 64 * MiB, 128 * MiB - 1 }, 0, 2 * MiB },
        };
        struct sim_settings settings = { .extents = large, .n_extents = 2, .blind = true };
        struct backend_frame frame;
        struct backend *backend;
        uint64_t added;

        (void)state;
        assert_int_equal(sim_new(&settings, &backend), 0);
        assert_int_equal(backend->ops->demotable(backend, 2 * MiB), GiB);
        assert_int_equal(backend->ops->demotable(backend, GiB), 0);
        assert_int_equal(backend->ops->demote(backend, GiB, 1, 2 * MiB), -ENOMEM);
        assert_int_equal(backend->ops->more(backend, GiB, NODE_ANY, 3, &added), 0);
        assert_int_equal(added, 2);
        assert_int_equal(backend->ops->demote(backend, GiB, 0, 2 * MiB), -ENOMEM);
        assert_int_equal(backend->ops->demote(backend, GiB, 1, GiB), -EOPNOTSUPP);
        assert_int_equal(backend->ops->demote(backend, GiB, 1, 2 * MiB), 0);

        /* The page that came last, in 512 adjacent pieces; the lowest is handed out first. */
        for (uint64_t i = 0; i < 512; i++) {
                frame = take(backend, NODE_ANY, RANGE_ALL);
                assert_int_equal(frame.phys, 4 * GiB + i * 2 * MiB);
                assert_int_equal(frame.node, 1);
                close(frame.memfd);
        }
        assert_int_equal(backend->ops->take(backend, 2 * MiB, NODE_ANY, RANGE_ALL, true, &frame),
                         -ENOMEM);
        /* The other large page is there as it was, and comes no second time. */
        assert_int_equal(backend->ops->take(backend, GiB, NODE_ANY, RANGE_ALL, true, &frame), 0);
        assert_int_equal(frame.phys, 5 * GiB);
        close(frame.memfd);
        assert_int_equal(backend->ops->more(backend, GiB, 1, 1, &added), 0);
        assert_int_equal(added, 0);
        backend_free(backend);
}

static void test_sim_tells_where_nodes_lie(void **state)
{
        struct sim_settings settings = { 0 };
        struct backend *backend = sim(&settings);
        struct range range;

        (void)state;
        assert_int_equal(backend->ops->node_range(backend, 0, &range), 0);
        assert_true(range.first == 0x100000 && range.last == 128 * MiB - 1);
        assert_int_equal(backend->ops->node_range(backend, 1, &range), 0);
        assert_true(range.first == 4 * GiB && range.last == 4 * GiB + 64 * MiB - 1);
        assert_int_equal(backend->ops->node_range(backend, 2, &range), -ENOENT);
        backend_free(backend);
}

static void test_sim_is_as_slow_as_wanted(void **state)
{
        struct sim_settings settings = { .delay_ns = 20 * NS_PER_MS };
        struct backend *backend = sim(&settings);
        struct timespec begin, end;

        (void)state;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        close(take(backend, NODE_ANY, RANGE_ALL).memfd);
        clock_gettime(CLOCK_MONOTONIC, &end);
        assert_true((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >=
                    20);
        backend_free(backend);
}

static void count(void *data, uint64_t phys)
{
        (void)phys;
        ++*(size_t *)data;
}

static void *come_and_go(void *data)
{
        struct backend *backend = data;
        enum backend_holder holder;
        struct backend_frame frame;
        uint64_t added;
        size_t n;

        for (unsigned i = 0; i < 200; i++) {
                n = 0;
                if (backend->ops->more(backend, 2 * MiB, NODE_ANY, 3, &added))
                        return "more() failed";
                if (backend->ops->look(backend, 2 * MiB, NODE_ANY, RANGE_ALL, count, &n) || n > 64)
                        return "look() saw too much";
                if (backend->ops->take(backend, 2 * MiB, NODE_ANY, RANGE_ALL, true, &frame) == 0 &&
                    (backend->ops->let_go(backend, &frame, false, &holder) ||
                     backend->ops->release(backend, &frame, &holder)))
                        return "a frame could not be given back";
                backend->ops->less(backend, 2 * MiB, i % 2 ? 1 : 0, 2);
                backend->ops->set_keep_free(backend, i);
        }
        return NULL;
}

static void test_sim_serves_several_threads(void **state)
{
        struct sim_settings settings = { .blind = true, .seed = 4 };
        struct backend *backend = sim(&settings);
        pthread_t threads[4];
        void *complaint;

        (void)state;
        for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, backend), 0);
        for (unsigned i = 0; i < ARRAY_SIZE(threads); i++) {
                assert_int_equal(pthread_join(threads[i], &complaint), 0);
                if (complaint)
                        fail_msg("%s", (const char *)complaint);
        }
        backend->ops->less(backend, 2 * MiB, NODE_ANY, 64);
        assert_int_equal(look(backend, NODE_ANY, RANGE_ALL).n, 0);
        assert_int_equal(more(backend, NODE_ANY, 100), 64);
        backend_free(backend);
}

/* Each of them fails once, changes nothing then, and works the next time. */
static void test_sim_stock_calls_fail_on_request(void **state)
{
        struct seen seen = { .n = 0 };
        struct range range;
        uint64_t added = 77;

        (void)state;
        for (unsigned n = 1; n <= 4; n++) {
                struct sim_settings settings = { .blind = true, .fail_call = n, .fail_errno = EIO };
                struct backend *backend = sim(&settings);
                const struct backend_ops *ops = backend->ops;
                int results[4];

                results[0] = ops->more(backend, 2 * MiB, NODE_ANY, 3, &added);
                results[1] = ops->look(backend, 2 * MiB, NODE_ANY, RANGE_ALL, visit, &seen);
                results[2] = ops->demote(backend, 2 * MiB, NODE_ANY, 4096);
                results[3] = ops->node_range(backend, 1, &range);
                for (unsigned i = 0; i < 4; i++) {
                        int expected = i == n - 1 ? -EIO : i == 2 && n == 1 ? -ENOMEM : 0;

                        if (results[i] != expected)
                                fail_msg("call %u of 4, %u fails: %d", i + 1, n, results[i]);
                }
                assert_int_equal(seen.n, n == 1 || n == 2 ? 0 : 3);
                seen.n = 0;
                backend_free(backend);
        }
}

/* Everything that fails on the way: no descriptor and no page is lost. */
static int use_once(struct backend *backend)
{
        enum backend_holder holder;
        struct backend_frame frame;
        int fd, r;

        r = backend->ops->take(backend, 2 * MiB, NODE_ANY, RANGE_ALL, true, &frame);
        if (r)
                return r;
        r = backend->ops->open_file(backend, &frame, &fd);
        if (!r)
                close(fd);
        if (!r)
                r = backend->ops->let_go(backend, &frame, false, &holder);
        if (r) {
                /* A second try is no failure any more. */
                assert_int_equal(backend->ops->let_go(backend, &frame, false, &holder), 0);
        }
        assert_int_equal(backend->ops->release(backend, &frame, &holder), 0);
        return r;
}

static void test_sim_failing_call_leaks_nothing(void **state)
{
        unsigned descriptors = descriptors_open();
        uint64_t n;
        int r;

        (void)state;
        for (n = 1;; n++) {
                struct sim_settings settings = { .fail_call = n, .fail_errno = EMFILE };
                struct backend *backend = sim(&settings);

                r = use_once(backend);
                if (r != 0 && r != -EMFILE && r != -EBUSY)
                        fail_msg("call %ju: %d", (uintmax_t)n, r);
                for (unsigned i = 0; r && i < 64; i++)
                        close(take(backend, NODE_ANY, RANGE_ALL).memfd);
                backend_free(backend);
                assert_int_equal(descriptors_open(), descriptors);
                if (!r)
                        break;
        }
        assert_int_equal(n, 9); /* 4 to make a frame, 1 to open it, 3 to let go of it */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sim_takes_from_the_top_down_without_a_seed),
                cmocka_unit_test(test_sim_visits_each_page_once_in_any_order),
                cmocka_unit_test(test_sim_honours_the_wish),
                cmocka_unit_test(test_sim_returned_page_comes_first),
                cmocka_unit_test(test_sim_loses_every_snatched_page),
                cmocka_unit_test(test_sim_a_terabyte_costs_nothing),
                cmocka_unit_test(test_sim_blind_stock),
                cmocka_unit_test(test_sim_stock_that_follows_wishes),
                cmocka_unit_test(test_sim_stock_has_limits),
                cmocka_unit_test(test_sim_demotes_large_pages),
                cmocka_unit_test(test_sim_tells_where_nodes_lie),
                cmocka_unit_test(test_sim_is_as_slow_as_wanted),
                cmocka_unit_test(test_sim_serves_several_threads),
                cmocka_unit_test(test_sim_stock_calls_fail_on_request),
                cmocka_unit_test(test_sim_failing_call_leaks_nothing),
        };

        return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
