/* SPDX-License-Identifier: MIT */
/*
 * Takes against an invented machine whose every page is seen: where frames come from, what is held
 * and touched on the way, and that everything else is the system's again afterwards, whatever fails
 * and whenever it is told to end.
 */
#include "source.h"

#include "fake_backend.h"
#include "harvest.h"
#include "macros.h"
#include "take.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE  (2 * MiB)
#define LARGE (16 * MiB)
#define LOW   ((struct range){ 0, 4 * GiB - 1 })

#define FRAMES_MAX 1024

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void doze(unsigned ms)
{
        nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

/* ---- the bench ---- */

/**
 * struct bench - a machine, what works on it, and what it reported
 * @frames:  @n_frames that takes got
 * @end:     of the last JOB_TAKE
 * @n_progress: reports on the way; @harvest_told: one said that it harvests
 */
struct bench {
        struct fake_backend fake;
        struct keeper_pool pools[2];
        struct keeper_settings settings;
        struct reports reports;
        struct work work;
        struct backend_frame frames[FRAMES_MAX];
        uint32_t pool_of[FRAMES_MAX];
        unsigned n_frames, n_progress, administrators;
        bool harvest_told;
        struct job_take end;
};

/* All of this is to hold as well where several threads take pages at once. */
static unsigned takers = 1;

/* Threads take their time to begin and end: where there are several, so many cases are one. The
 * number has no factor in common with those of the orders and calls, so all of these meet. */
static size_t step(void)
{
        return takers == 1 ? 1 : 5;
}

static void bench_init(struct bench *bench)
{
        *bench = (struct bench){ 0 };
        fake_backend_init(&bench->fake);
        bench->fake.backend.takers = takers;
        for (unsigned i = 0; i < 2; i++)
                bench->pools[i] = (struct keeper_pool){ .name = "a",
                                                        .page_bytes = PAGE,
                                                        .pin_required = true };
        bench->settings = (struct keeper_settings){
                .backend = &bench->fake.backend,
                .pools = bench->pools,
                .n_pools = 2,
        };
        assert_int_equal(reports_init(&bench->reports), 0);
        work_init(&bench->work, &bench->settings, &bench->reports);
}

static void bench_deinit(struct bench *bench)
{
        work_deinit(&bench->work);
        reports_deinit(&bench->reports);
        fake_backend_deinit(&bench->fake);
}

static struct job *new_take(struct range window, unsigned count, uint64_t run, uint64_t harvest_max)
{
        struct job *job = job_new(JOB_TAKE, &(struct keeper_message){
                                                    .type = KEEPER_TAKE,
                                                    .page_bytes = PAGE,
                                                    .first = window.first,
                                                    .last = window.last,
                                                    .phys = run * PAGE,
                                                    .count = count,
                                                    .node = NODE_ANY,
                                            });

        assert_non_null(job);
        job->take.wanted = count;
        job->take.harvest_max_bytes = harvest_max * PAGE;
        return job;
}

/* Frames that the pool has already. */
static void give_own(struct bench *bench, struct job *job)
{
        for (unsigned i = 0; i < bench->n_frames; i++)
                assert_int_equal(addresses_add(&job->take.own, bench->frames[i].phys), 0);
        addresses_sort(&job->take.own);
}

static void collect(struct bench *bench)
{
        struct report *report;

        while ((report = reports_next(&bench->reports))) {
                switch (report->kind) {
                case REPORT_FRAME:
                        assert_true(bench->n_frames < FRAMES_MAX);
                        bench->pool_of[bench->n_frames] = report->job->request.pool;
                        bench->frames[bench->n_frames++] = report->frame;
                        break;
                case REPORT_PROGRESS:
                        bench->n_progress++;
                        bench->harvest_told |= report->progress.harvests;
                        break;
                case REPORT_DONE:
                        if (report->job->kind == JOB_TAKE)
                                bench->end = report->job->take;
                        break;
                case REPORT_SEEN:
                case REPORT_LINGERS: fail();
                }
                report_free(report);
        }
}

static void run_take(struct bench *bench, struct job *job)
{
        source_take(&bench->work, job);
        collect(bench);
}

static void tidy(struct bench *bench)
{
        struct job *job = job_new(JOB_TIDY, NULL);

        assert_non_null(job);
        work_tidy(&bench->work, job);
        collect(bench);
}

/* Every frame is a page that was taken, once; and besides them nothing is held. */
static void check_books(struct bench *bench, const char *name)
{
        unsigned taken = fake_backend_count(&bench->fake, FAKE_TAKEN);
        unsigned reserved = taken + fake_backend_count(&bench->fake, FAKE_IN_STOCK);

        for (unsigned i = 0; i < bench->n_frames; i++)
                for (unsigned j = 0; j < i; j++)
                        if (bench->frames[i].phys == bench->frames[j].phys)
                                fail_msg("%s: a page is two frames", name);
        if (taken != bench->n_frames)
                fail_msg("%s: %u pages are taken for %u frames", name, taken, bench->n_frames);
        if (reserved < bench->administrators)
                fail_msg("%s: %u pages, of which the administrator had reserved %u", name, reserved,
                         bench->administrators);
        if (reserved > bench->administrators + bench->n_frames)
                fail_msg("%s: %u pages are reserved for %u frames beside the administrator's %u",
                         name, reserved, bench->n_frames, bench->administrators);
        assert_false(atomic_load(&bench->work.harvesting));
        assert_false(debts_any(&bench->work.debts));
}

/* ---- machines: in which order pages come ---- */

/* The system has 192 pages above the range and gives them out before the 16 below. */
static void high_then_low(struct fake_backend *fake)
{
        fake_backend_pages(fake, 4 * GiB, PAGE, 0, 192);
        fake_backend_pages(fake, 64 * MiB, PAGE, 0, 16);
}

static void low_then_high(struct fake_backend *fake)
{
        fake_backend_pages(fake, 64 * MiB, PAGE, 0, 16);
        fake_backend_pages(fake, 4 * GiB, PAGE, 0, 192);
}

/* Every eighth page is low. */
static void mixed(struct fake_backend *fake)
{
        for (unsigned i = 0; i < 16; i++) {
                fake_backend_pages(fake, 4 * GiB + i * 7 * PAGE, PAGE, 0, 7);
                fake_backend_pages(fake, 64 * MiB + i * PAGE, PAGE, 0, 1);
        }
}

/* Low pages come one apart, those between them at the very end. */
static void combed(struct fake_backend *fake)
{
        for (unsigned i = 0; i < 16; i++) {
                fake_backend_pages(fake, 64 * MiB + 2 * i * PAGE, PAGE, 0, 1);
                fake_backend_pages(fake, 4 * GiB + i * 6 * PAGE, PAGE, 0, 6);
        }
        for (unsigned i = 0; i < 16; i++)
                fake_backend_pages(fake, 64 * MiB + (2 * i + 1) * PAGE, PAGE, 0, 1);
}

/* One page here, one there, everywhere. */
static void only_isolated(struct fake_backend *fake)
{
        for (unsigned i = 0; i < 100; i++)
                fake_backend_pages(fake, 64 * MiB + 2 * i * PAGE, PAGE, 0, 1);
}

/* A node that lies in the range, beside one that does not. */
static void two_nodes(struct fake_backend *fake)
{
        fake_backend_pages(fake, 4 * GiB, PAGE, 0, 192);
        fake_backend_pages(fake, 64 * MiB, PAGE, 1, 16);
        fake->tells_nodes = true;
        fake->nodes[0] = (struct range){ 4 * GiB, 8 * GiB - 1 };
        fake->nodes[1] = (struct range){ 0, 2 * GiB - 1 };
}

/* A node that overlaps the range, beside one that does not. */
static void overlapping_node(struct fake_backend *fake)
{
        fake_backend_pages(fake, 64 * GiB, PAGE, 1, 192);
        fake_backend_pages(fake, 4 * GiB, PAGE, 0, 40);
        fake_backend_pages(fake, 64 * MiB, PAGE, 0, 16);
        fake->tells_nodes = true;
        fake->nodes[0] = (struct range){ 0, 8 * GiB - 1 };
        fake->nodes[1] = (struct range){ 64 * GiB, 128 * GiB - 1 };
}

/* Small pages lie scattered; eight adjacent ones are had by taking a large one apart. */
static void with_large(struct fake_backend *fake)
{
        only_isolated(fake);
        fake_backend_pages(fake, 8 * GiB, LARGE, 0, 4);
        fake->large_bytes = LARGE;
}

static void large_high_then_low(struct fake_backend *fake)
{
        fake_backend_pages(fake, 8 * GiB, LARGE, 0, 4);
        fake_backend_pages(fake, 64 * MiB, LARGE, 0, 2);
        fake->large_bytes = LARGE;
}

/* ---- one take ---- */

#define ALL_ORDERS 3

/*
 * @reserved: pages that the administrator has reserved; @keep: pages that keep_free allows, 0: any.
 * @touched: calls of take() at most, in the order of a kernel; 0: not limited.
 */
static const struct take_case {
        const char *name;
        void (*machine)(struct fake_backend *fake);
        unsigned reserved, keep;
        bool blind, may_not_reserve, demotes, window;
        unsigned count, run, harvest_max;
        int result;
        unsigned had, held, touched;
        bool harvested;
} take_cases[] = {
        { .name = "what lies in the stock",
          .machine = high_then_low,
          .reserved = 64,
          .count = 32,
          .had = 32,
          .touched = 32 },
        { .name = "what the system adds",
          .machine = high_then_low,
          .count = 40,
          .had = 40,
          .touched = 41 },
        { .name = "first the one, then the other",
          .machine = high_then_low,
          .reserved = 10,
          .count = 40,
          .had = 40,
          .touched = 41 },
        { .name = "everything that there is",
          .machine = high_then_low,
          .count = 500,
          .result = -ENOMEM,
          .had = 208 },
        { .name = "no more than was reserved, where pard may not",
          .machine = high_then_low,
          .reserved = 10,
          .may_not_reserve = true,
          .count = 40,
          .result = -ENOMEM,
          .had = 10 },
        { .name = "no more than keep_free allows",
          .machine = high_then_low,
          .keep = 20,
          .count = 40,
          .result = -EDQUOT,
          .had = 20 },
        { .name = "in a range: what lies in the stock is all that is touched",
          .machine = mixed,
          .reserved = 64,
          .window = true,
          .count = 8,
          .had = 8 },
        { .name = "in a range: all that is added lies there",
          .machine = low_then_high,
          .window = true,
          .count = 8,
          .had = 8,
          .touched = 8 },
        { .name = "in a range: nothing is touched where nothing lies there",
          .machine = high_then_low,
          .reserved = 50,
          .window = true,
          .count = 8,
          .result = -EFBIG,
          .had = 0,
          .touched = 1 },
        { .name = "harvest: the low ones come last",
          .machine = high_then_low,
          .window = true,
          .count = 8,
          .harvest_max = 300,
          .had = 8,
          .held = 200,
          .touched = 16,
          .harvested = true },
        { .name = "harvest: they come in between",
          .machine = mixed,
          .window = true,
          .count = 8,
          .harvest_max = 300,
          .had = 8,
          .held = 128 - 8,
          .harvested = true },
        { .name = "harvest: not enough of them",
          .machine = high_then_low,
          .window = true,
          .count = 20,
          .harvest_max = 300,
          .result = -ENOMEM,
          .had = 16,
          .held = 208 - 20,
          .harvested = true },
        { .name = "harvest: its limit comes first",
          .machine = high_then_low,
          .window = true,
          .count = 8,
          .harvest_max = 100,
          .result = -EFBIG,
          .held = 100,
          .touched = 1,
          .harvested = true },
        { .name = "harvest: its limit lets it find some",
          .machine = high_then_low,
          .window = true,
          .count = 8,
          .harvest_max = 188,
          .result = -EFBIG,
          .had = 4,
          .held = 192,
          .harvested = true },
        { .name = "harvest: keep_free comes first",
          .machine = high_then_low,
          .keep = 195,
          .window = true,
          .count = 8,
          .harvest_max = 300,
          .result = -EDQUOT,
          .had = 3,
          .held = 192,
          .harvested = true },
        { .name = "harvest: beside what the administrator reserved",
          .machine = high_then_low,
          .reserved = 100,
          .window = true,
          .count = 8,
          .harvest_max = 300,
          .had = 8,
          .held = 108,
          .harvested = true },
        { .name = "harvest: where the stock cannot be seen, pages are touched",
          .machine = high_then_low,
          .blind = true,
          .window = true,
          .count = 8,
          .harvest_max = 300,
          .had = 8,
          .held = 200,
          .harvested = true },
        { .name = "where the stock cannot be seen, and pard may not reserve",
          .machine = mixed,
          .reserved = 64,
          .blind = true,
          .may_not_reserve = true,
          .window = true,
          .count = 16,
          .result = -ENOMEM,
          .had = 8 },
        { .name = "a node in the range: nothing else is touched or held",
          .machine = two_nodes,
          .window = true,
          .count = 8,
          .had = 8,
          .touched = 8 },
        { .name = "a node in the range that has too little",
          .machine = two_nodes,
          .window = true,
          .count = 20,
          .harvest_max = 300,
          .result = -ENOMEM,
          .had = 16 },
        { .name = "no memory of other nodes is held",
          .machine = overlapping_node,
          .window = true,
          .count = 8,
          .harvest_max = 300,
          .had = 8,
          .held = 48,
          .harvested = true },
        { .name = "runs: as they come",
          .machine = low_then_high,
          .count = 16,
          .run = 8,
          .had = 16,
          .touched = 16 },
        { .name = "runs: those that are closed at the very end",
          .machine = combed,
          .window = true,
          .count = 16,
          .run = 8,
          .harvest_max = 300,
          .had = 16,
          .held = 128,
          .harvested = true },
        { .name = "runs: nothing less",
          .machine = only_isolated,
          .count = 16,
          .run = 2,
          .harvest_max = 300,
          .result = -ENOMEM,
          .held = 100 - 16,
          .touched = 0,
          .harvested = true },
        { .name = "runs: not where nothing can be seen",
          .machine = low_then_high,
          .blind = true,
          .count = 16,
          .run = 8,
          .result = -EOPNOTSUPP },
        { .name = "large pages: one is taken apart",
          .machine = with_large,
          .demotes = true,
          .count = 8,
          .had = 8,
          .touched = 8 },
        { .name = "large pages: a part of the last one goes back",
          .machine = with_large,
          .demotes = true,
          .count = 20,
          .had = 20,
          .held = 8,
          .touched = 24 },
        { .name = "large pages: all that there are",
          .machine = with_large,
          .demotes = true,
          .count = 40,
          .result = -ENOMEM,
          .had = 32 },
        { .name = "large pages: none can be taken apart",
          .machine = high_then_low,
          .demotes = true,
          .count = 8,
          .result = -EOPNOTSUPP },
        { .name = "large pages in a range",
          .machine = large_high_then_low,
          .demotes = true,
          .window = true,
          .count = 12,
          .harvest_max = 64,
          .had = 12,
          .held = 48,
          .harvested = true },
        { .name = "nothing", .machine = high_then_low, .count = 0 },
};

static void set_up(struct bench *bench, const struct take_case *c, enum fake_order order)
{
        bench_init(bench);
        c->machine(&bench->fake);
        bench->fake.order = order;
        bench->fake.blind = c->blind;
        bench->fake.may_not_reserve = c->may_not_reserve;
        if (c->keep)
                bench->fake.reservable = c->keep;
        fake_backend_reserve(&bench->fake, c->reserved);
        bench->administrators = c->reserved;
        bench->pools[0].demote = c->demotes;
}

static struct job *take_of(const struct take_case *c)
{
        return new_take(c->window ? LOW : RANGE_ALL, c->count, c->run, c->harvest_max);
}

static bool is_had(const struct bench *bench, uint64_t phys)
{
        for (unsigned i = 0; i < bench->n_frames; i++)
                if (bench->frames[i].phys == phys)
                        return true;
        return false;
}

/* Each frame lies where it should, and in a run of the length that was wanted. */
static void check_frames(const struct bench *bench, const struct take_case *c)
{
        for (unsigned i = 0; i < bench->n_frames; i++) {
                uint64_t first = bench->frames[i].phys, last = first;

                if (c->window && first > LOW.last)
                        fail_msg("%s: a frame at 0x%jx", c->name, (uintmax_t)first);
                while (is_had(bench, first - PAGE))
                        first -= PAGE;
                while (is_had(bench, last + PAGE))
                        last += PAGE;
                if ((last - first) / PAGE + 1 < c->run)
                        fail_msg("%s: a run of %ju", c->name,
                                 (uintmax_t)((last - first) / PAGE + 1));
        }
}

static void check_take(struct bench *bench, const struct take_case *c, enum fake_order order)
{
        unsigned touched = bench->fake.calls[FAKE_TAKE];

        check_frames(bench, c);
        check_books(bench, c->name);
        if (bench->end.result != c->result || bench->end.had != c->had || bench->n_frames != c->had)
                fail_msg("%s, order %d: result %d, %u frames", c->name, order, bench->end.result,
                         bench->end.had);
        if (bench->end.most_held_bytes > c->held * PAGE || bench->end.harvested != c->harvested)
                fail_msg("%s, order %d: held %ju pages, %s", c->name, order,
                         (uintmax_t)(bench->end.most_held_bytes / PAGE),
                         bench->end.harvested ? "harvested" : "not harvested");
        /* Each thread may find out by itself that there are no more. */
        if (order == FAKE_LATEST_FIRST && c->touched && touched > c->touched + takers - 1)
                fail_msg("%s: %u pages were touched", c->name, touched);
}

static void test_source_takes(void **state)
{
        struct bench bench;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(take_cases); i++)
                for (int order = 0; order < ALL_ORDERS; order++) {
                        set_up(&bench, &take_cases[i], (enum fake_order)order);
                        run_take(&bench, take_of(&take_cases[i]));
                        check_take(&bench, &take_cases[i], (enum fake_order)order);
                        bench_deinit(&bench);
                }
}

/* ---- every call that can fail ---- */

static void test_source_survives_every_failing_call(void **state)
{
        static const enum fake_call calls[] = { FAKE_TAKE, FAKE_LET_GO, FAKE_RELEASE,
                                                FAKE_LOOK, FAKE_MORE,   FAKE_DEMOTE };
        static const int errors[] = { EIO, ENOMEM };
        unsigned failed = 0;
        struct bench bench;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(take_cases) * ALL_ORDERS * ARRAY_SIZE(calls) * 2;
             i += step()) {
                const struct take_case *c = &take_cases[i / ALL_ORDERS / ARRAY_SIZE(calls) / 2];
                enum fake_call call = calls[i / 2 % ARRAY_SIZE(calls)];
                bool reached = true;

                for (unsigned n = 1; reached; n = n < 4 ? n + 1 : n * 3 / 2) {
                        set_up(&bench, c,
                               (enum fake_order)(i / 2 / ARRAY_SIZE(calls) % ALL_ORDERS));
                        bench.fake.fail = call;
                        bench.fake.fail_at = n;
                        bench.fake.fail_errno = errors[i % 2];
                        run_take(&bench, take_of(c));
                        reached = bench.fake.calls[call] >= n;
                        failed += reached;
                        check_frames(&bench, c);
                        if (bench.end.had > c->had || bench.n_frames != bench.end.had)
                                fail_msg("%s: call %d/%u: %u frames", c->name, call, n,
                                         bench.end.had);
                        if (bench.end.had == c->count && bench.end.result)
                                fail_msg("%s: call %d/%u: all is there, and %d", c->name, call, n,
                                         bench.end.result);
                        if (bench.end.had < c->count && !bench.end.result)
                                fail_msg("%s: call %d/%u: no reason", c->name, call, n);
                        /* A page that could not be given back is dropped: it is as good as gone. */
                        if (call != FAKE_LET_GO && call != FAKE_RELEASE)
                                check_books(&bench, c->name);
                        bench_deinit(&bench);
                }
        }
        assert_true(failed > 1000 / step());
}

/* ---- being told to end, at any moment ---- */

struct cancelling {
        struct job *job;
        enum fake_call call;
        unsigned at;
        bool reached;
};

static void cancel_at(void *data, enum fake_call call, unsigned n)
{
        struct cancelling *cancelling = data;

        if (call != cancelling->call || n != cancelling->at)
                return;
        cancelling->reached = true;
        atomic_store(&cancelling->job->take.cancelled, true);
}

static void test_source_ends_when_it_is_told(void **state)
{
        unsigned cancelled = 0;
        struct bench bench;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(take_cases) * ALL_ORDERS * FAKE_CALLS; i += step()) {
                const struct take_case *c = &take_cases[i / ALL_ORDERS / FAKE_CALLS];
                enum fake_call call = (enum fake_call)(i % FAKE_CALLS);
                bool reached = true;

                for (unsigned n = 1; reached; n = n < 8 ? n + 1 : n * 5 / 4) {
                        struct cancelling cancelling = { take_of(c), call, n, false };

                        set_up(&bench, c, (enum fake_order)(i / FAKE_CALLS % ALL_ORDERS));
                        bench.fake.happen = cancel_at;
                        bench.fake.data = &cancelling;
                        run_take(&bench, cancelling.job);
                        reached = cancelling.reached;
                        check_frames(&bench, c);
                        check_books(&bench, c->name);
                        assert_true(bench.n_frames <= c->had);
                        if (bench.end.result == -ECANCELED) {
                                cancelled++;
                                /* The page that was being taken, and none after it. */
                                if (takers == 1 && call == FAKE_TAKE &&
                                    bench.fake.calls[FAKE_TAKE] > n)
                                        fail_msg("%s: it went on", c->name);
                        } else if (bench.end.result != c->result) {
                                fail_msg("%s: result %d", c->name, bench.end.result);
                        }
                        bench_deinit(&bench);
                }
        }
        assert_true(cancelled > 400 / step());
}

/* A take that was ended kept what it had found; the next one goes on. */
static void test_source_goes_on_where_it_was(void **state)
{
        struct cancelling cancelling = { .call = FAKE_TAKE, .at = 5 };
        struct bench bench;

        (void)state;
        bench_init(&bench);
        high_then_low(&bench.fake);
        cancelling.job = new_take(LOW, 12, 0, 300);
        bench.fake.happen = cancel_at;
        bench.fake.data = &cancelling;
        run_take(&bench, cancelling.job);
        assert_int_equal(bench.end.result, -ECANCELED);
        assert_in_range(bench.n_frames, 5, takers == 1 ? 5 : 12);
        check_books(&bench, "after the first");

        bench.fake.happen = NULL;
        run_take(&bench, new_take(LOW, 12 - bench.n_frames, 0, 300));
        assert_int_equal(bench.end.result, 0);
        assert_int_equal(bench.n_frames, 12);
        check_books(&bench, "after the second");
        bench_deinit(&bench);
}

/* ---- runs together with what the pool has ---- */

static void test_source_lengthens_what_the_pool_has(void **state)
{
        struct bench bench;
        struct job *job;

        (void)state;
        bench_init(&bench);
        fake_backend_pages(&bench.fake, 64 * MiB, PAGE, 0, 6);
        fake_backend_pages(&bench.fake, 4 * GiB, PAGE, 0, 9);
        fake_backend_pages(&bench.fake, 64 * MiB + 6 * PAGE, PAGE, 0, 4);
        run_take(&bench, new_take(RANGE_ALL, 6, 6, 0));
        assert_int_equal(bench.n_frames, 6);

        /* A longer run lies elsewhere. */
        job = new_take(RANGE_ALL, 4, 8, 100);
        give_own(&bench, job);
        run_take(&bench, job);
        assert_int_equal(bench.end.result, 0);
        assert_int_equal(bench.n_frames, 10);
        for (unsigned i = 0; i < 10; i++)
                assert_true(bench.frames[i].phys < 64 * MiB + 10 * PAGE);
        check_books(&bench, "runs");
        bench_deinit(&bench);
}

/* Somebody else takes a page out of the middle of a run that was chosen. */
static void snatch(void *data, enum fake_call call, unsigned n)
{
        struct fake_backend *fake = data;

        if (call != FAKE_TAKE || n != 3)
                return;
        pthread_mutex_lock(&fake->lock);
        for (size_t i = 0; i < fake->n_pages; i++)
                if (fake->pages[i].phys == 64 * MiB + 3 * PAGE)
                        fake->pages[i].place = FAKE_GONE;
        pthread_mutex_unlock(&fake->lock);
}

static void test_source_lets_no_broken_run_in(void **state)
{
        struct bench bench;

        (void)state;
        bench_init(&bench);
        fake_backend_pages(&bench.fake, 64 * MiB, PAGE, 0, 8);
        bench.fake.happen = snatch;
        bench.fake.data = &bench.fake;
        run_take(&bench, new_take(RANGE_ALL, 8, 5, 0));
        assert_int_equal(bench.n_frames, 0);
        assert_int_equal(fake_backend_count(&bench.fake, FAKE_TAKEN), 0);
        bench_deinit(&bench);

        /* What is left is a run all the same. */
        bench_init(&bench);
        fake_backend_pages(&bench.fake, 64 * MiB, PAGE, 0, 8);
        bench.fake.happen = snatch;
        bench.fake.data = &bench.fake;
        run_take(&bench, new_take(RANGE_ALL, 8, 4, 0));
        assert_int_equal(bench.n_frames, 4);
        for (unsigned i = 0; i < 4; i++)
                assert_true(bench.frames[i].phys >= 64 * MiB + 4 * PAGE);
        bench_deinit(&bench);
}

/* ---- while the pools are filled for the first time ---- */

static void test_source_leaves_pages_for_the_next_pool(void **state)
{
        struct bench bench;

        (void)state;
        bench_init(&bench);
        high_then_low(&bench.fake);
        bench.fake.order = FAKE_OLDEST_FIRST;
        atomic_store(&bench.work.filling, true);
        run_take(&bench, new_take(LOW, 8, 0, 300));
        assert_int_equal(bench.n_frames, 8);
        assert_true(fake_backend_count(&bench.fake, FAKE_TAKEN) > 100);

        run_take(&bench, new_take(RANGE_ALL, 100, 0, 0));
        assert_int_equal(bench.n_frames, 108);
        assert_true(bench.fake.calls[FAKE_MORE] > 0);
        atomic_store(&bench.work.filling, false);
        tidy(&bench);
        check_books(&bench, "after tidying");
        bench_deinit(&bench);
}

/* What a killed daemon left in the stock is added already, and no pool asks for it. */
static void test_source_empties_the_stock(void **state)
{
        struct job *job = job_new(JOB_TIDY, NULL);
        struct bench bench;

        (void)state;
        bench_init(&bench);
        high_then_low(&bench.fake);
        fake_backend_reserve(&bench.fake, 100);
        bench.fake.added = 70;
        bench.administrators = 30;
        job->tidy.stock = true;
        work_tidy(&bench.work, job);
        collect(&bench);
        assert_int_equal(fake_backend_count(&bench.fake, FAKE_IN_STOCK), 30);
        check_books(&bench, "after tidying");
        bench_deinit(&bench);
}

/* The kernel is not done with the pins of pages that were aside: they are seen to later. */
static void test_source_remembers_what_was_late(void **state)
{
        struct bench bench;

        (void)state;
        bench_init(&bench);
        high_then_low(&bench.fake);
        bench.fake.order = FAKE_OLDEST_FIRST;
        bench.fake.fail = FAKE_LET_GO;
        bench.fake.fail_at = 3;
        bench.fake.fail_errno = EBUSY;
        run_take(&bench, new_take(LOW, 8, 0, 300));
        assert_true(debts_any(&bench.work.late));
        assert_int_equal(fake_backend_count(&bench.fake, FAKE_TAKEN), 9);

        pthread_mutex_lock(&bench.fake.lock);
        for (size_t i = 0; i < bench.fake.n_pages; i++)
                if (bench.fake.pages[i].place == FAKE_TAKEN &&
                    !is_had(&bench, bench.fake.pages[i].phys))
                        bench.fake.pages[i].place = FAKE_IN_STOCK;
        pthread_mutex_unlock(&bench.fake.lock);
        tidy(&bench);
        check_books(&bench, "what was late");
        assert_int_equal(fake_backend_count(&bench.fake, FAKE_IN_STOCK), 0);
        bench_deinit(&bench);
}

/* ---- two at once ---- */

struct taker {
        struct bench *bench;
        struct job *job;
        pthread_t thread;
        uint64_t ended_ns;
};

static void *taker_main(void *data)
{
        struct taker *taker = data;

        source_take(&taker->bench->work, taker->job);
        taker->ended_ns = now_ns();
        return NULL;
}

static void start_taker(struct taker *taker, struct bench *bench, struct job *job)
{
        *taker = (struct taker){ .bench = bench, .job = job };
        assert_int_equal(pthread_create(&taker->thread, NULL, taker_main, taker), 0);
}

static void slow_more(void *data, enum fake_call call, unsigned n)
{
        (void)data;
        (void)n;
        if (call == FAKE_MORE)
                doze(20);
}

static void await_harvest(struct bench *bench)
{
        for (unsigned i = 0; i < 10000 && !atomic_load(&bench->work.harvesting); i++)
                doze(1);
        assert_true(atomic_load(&bench->work.harvesting));
}

static void test_source_another_pool_need_not_wait(void **state)
{
        struct taker harvester, other;
        struct bench bench;
        unsigned low = 0;
        struct job *job;

        (void)state;
        bench_init(&bench);
        fake_backend_pages(&bench.fake, 4 * GiB, PAGE, 0, 1000);
        low_then_high(&bench.fake); /* which come after those */
        bench.fake.happen = slow_more;
        start_taker(&harvester, &bench, new_take(LOW, 16, 0, 1200));
        await_harvest(&bench);
        job = new_take(RANGE_ALL, 30, 0, 0);
        job->request.pool = 1;
        start_taker(&other, &bench, job);
        pthread_join(other.thread, NULL);
        assert_true(atomic_load(&bench.work.harvesting));
        pthread_join(harvester.thread, NULL);
        collect(&bench);
        assert_true(other.ended_ns < harvester.ended_ns);
        assert_int_equal(bench.n_frames, 46);
        for (unsigned i = 0; i < 46; i++)
                low += bench.frames[i].phys < 4 * GiB && bench.pool_of[i] == 0;
        assert_int_equal(low, 16);
        tidy(&bench);
        check_books(&bench, "two at once");
        assert_true(bench.harvest_told && bench.n_progress >= 3);
        bench_deinit(&bench);
}

/* Scarce pages that come to somebody who can do with any are left to who looks for them. */
static void test_source_leaves_scarce_pages_to_who_seeks_them(void **state)
{
        struct bench bench;
        struct job *job;

        (void)state;
        bench_init(&bench);
        mixed(&bench.fake);
        atomic_store(&bench.work.harvesting, true);
        bench.work.sought = LOW;
        bench.work.sought_bytes = PAGE;
        job = new_take(RANGE_ALL, 28, 0, 0);
        job->request.pool = 1;
        run_take(&bench, job);
        assert_int_equal(bench.end.result, 0);
        for (unsigned i = 0; i < bench.n_frames; i++)
                assert_true(bench.frames[i].phys >= 4 * GiB);

        /* They are aside, and nothing has to be added for who takes them. */
        atomic_store(&bench.work.harvesting, false);
        bench.fake.may_not_reserve = true;
        run_take(&bench, new_take(LOW, 3, 0, 0));
        assert_int_equal(bench.end.result, 0);
        assert_int_equal(bench.n_frames, 31);
        tidy(&bench);
        check_books(&bench, "left to others");
        bench_deinit(&bench);
}

static struct range held_by_now;

/* Never do two hold pages at the same time: what is reserved stays within one limit. */
static void watch_limit(void *data, enum fake_call call, unsigned n)
{
        struct fake_backend *fake = data;
        unsigned reserved;

        (void)n;
        if (call != FAKE_MORE)
                return;
        reserved = fake_backend_count(fake, FAKE_IN_STOCK);
        if (reserved > held_by_now.last)
                held_by_now.last = reserved;
        doze(1);
}

static void test_source_one_harvest_at_a_time(void **state)
{
        struct taker first, second;
        struct bench bench;

        (void)state;
        bench_init(&bench);
        fake_backend_pages(&bench.fake, 4 * GiB, PAGE, 0, 1000);
        held_by_now.last = 0;
        bench.fake.happen = watch_limit;
        bench.fake.data = &bench.fake;
        start_taker(&first, &bench, new_take(LOW, 8, 0, 400));
        start_taker(&second, &bench, new_take(LOW, 8, 0, 400));
        pthread_join(first.thread, NULL);
        pthread_join(second.thread, NULL);
        collect(&bench);
        assert_true(held_by_now.last >= 300 && held_by_now.last <= 8 + 8 + 400);
        check_books(&bench, "one at a time");
        bench_deinit(&bench);
}

static void test_source_ends_while_it_waits_for_its_turn(void **state)
{
        struct taker harvester, waiter;
        struct bench bench;

        (void)state;
        bench_init(&bench);
        fake_backend_pages(&bench.fake, 4 * GiB, PAGE, 0, 1500);
        bench.fake.happen = slow_more;
        start_taker(&harvester, &bench, new_take(LOW, 8, 0, 1400));
        await_harvest(&bench);
        start_taker(&waiter, &bench, new_take(LOW, 8, 0, 1400));
        doze(60);
        atomic_store(&waiter.job->take.cancelled, true);
        work_wake(&bench.work);
        pthread_join(waiter.thread, NULL);
        assert_int_equal(waiter.job->take.result, -ECANCELED);
        assert_true(atomic_load(&bench.work.harvesting));
        atomic_store(&bench.work.cancelled, true);
        pthread_join(harvester.thread, NULL);
        collect(&bench);
        assert_int_equal(bench.end.result, -ECANCELED);
        check_books(&bench, "ended");
        bench_deinit(&bench);
}

/* ---- giving back beside a harvest ---- */

static struct job *new_leave(struct backend_frame *frame, uint32_t flags, struct range window)
{
        struct job *job = job_new(JOB_LEAVE, &(struct keeper_message){
                                                     .type = KEEPER_LEAVE,
                                                     .first = window.first,
                                                     .last = window.last,
                                                     .flags = flags,
                                                     .node = NODE_ANY,
                                             });

        assert_non_null(job);
        job->leave.frame = *frame;
        job->leave.phys = frame->phys;
        return job;
}

static void test_leave_gives_the_system_its_page(void **state)
{
        enum backend_holder holder;
        struct bench bench;
        struct job *job;

        (void)state;
        bench_init(&bench);
        high_then_low(&bench.fake);
        fake_backend_reserve(&bench.fake, 4);
        bench.administrators = 4;
        run_take(&bench, new_take(RANGE_ALL, 10, 0, 0));
        assert_int_equal(fake_backend_count(&bench.fake, FAKE_TAKEN), 10);
        while (bench.n_frames) {
                job = new_leave(&bench.frames[--bench.n_frames], 0, RANGE_ALL);
                assert_true(work_leave(&bench.work, job, &holder));
                assert_false(job->leave.got);
                check_books(&bench, "leaving");
                job_free(job);
        }
        assert_int_equal(fake_backend_count(&bench.fake, FAKE_IN_STOCK), 4);
        bench_deinit(&bench);
}

/* Pages that come into the stock between the release and the take. */
struct intruding {
        struct bench *bench;
        unsigned pages;
        bool told;
};

static void intrude(void *data, enum fake_call call, unsigned n)
{
        struct intruding *intruding = data;
        struct bench *bench = intruding->bench;

        (void)n;
        if (call != FAKE_TAKE || !intruding->pages)
                return;
        if (intruding->told)
                atomic_fetch_add(&bench->work.adding, 1);
        pthread_mutex_lock(&bench->fake.lock);
        for (size_t i = 0; i < bench->fake.n_pages && intruding->pages; i++)
                if (bench->fake.pages[i].place == FAKE_IN_SYSTEM &&
                    bench->fake.pages[i].phys >= 4 * GiB) {
                        bench->fake.pages[i].place = FAKE_IN_STOCK;
                        bench->fake.pages[i].since = ++bench->fake.clock;
                        bench->fake.added++;
                        intruding->pages--;
                }
        intruding->pages = 0;
        pthread_mutex_unlock(&bench->fake.lock);
}

static const struct {
        const char *name;
        unsigned pages;
        bool told, got, same;
} retake_cases[] = {
        { "nobody adds", 0, false, true, true },
        { "somebody of us adds one", 1, true, true, true },
        { "somebody of us adds many", 15, true, true, true },
        { "somebody of us adds too many", 40, true, false, false },
        { "a stranger adds one", 1, false, false, false },
};

static void test_leave_takes_its_page_again(void **state)
{
        enum backend_holder holder;
        struct bench bench;
        struct job *job;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(retake_cases); i++) {
                struct intruding intruding = { &bench, retake_cases[i].pages,
                                               retake_cases[i].told };

                bench_init(&bench);
                low_then_high(&bench.fake);
                run_take(&bench, new_take(LOW, 1, 0, 0));
                assert_int_equal(bench.n_frames, 1);
                bench.fake.happen = intrude;
                bench.fake.data = &intruding;
                job = new_leave(&bench.frames[0], KEEPER_RETAKE, LOW);
                assert_true(work_leave(&bench.work, job, &holder));
                if (job->leave.got != retake_cases[i].got ||
                    job->leave.same != retake_cases[i].same)
                        fail_msg("%s: got %d, same %d", retake_cases[i].name, job->leave.got,
                                 job->leave.same);
                assert_int_equal(fake_backend_count(&bench.fake, FAKE_TAKEN), retake_cases[i].got);
                assert_false(debts_any(&bench.work.debts));
                job_free(job);
                bench_deinit(&bench);
        }
}

/* However long adding takes: who leaves, or takes its page again, does not wait for it. */
static atomic_bool adding, may_end;

static void block_more(void *data, enum fake_call call, unsigned n)
{
        (void)data;
        (void)n;
        if (call != FAKE_MORE)
                return;
        atomic_store(&adding, true);
        while (!atomic_load(&may_end))
                doze(1);
}

static void test_leave_does_not_wait_for_a_harvest(void **state)
{
        enum backend_holder holder;
        struct taker harvester;
        struct bench bench;
        struct job *job;
        unsigned taken;

        (void)state;
        bench_init(&bench);
        low_then_high(&bench.fake);
        run_take(&bench, new_take(LOW, 8, 0, 0));
        bench.fake.happen = block_more;
        atomic_store(&adding, false);
        atomic_store(&may_end, false);
        start_taker(&harvester, &bench, new_take(LOW, 100, 0, 100));
        while (!atomic_load(&adding))
                doze(1);

        /* These would hang. */
        job = new_leave(&bench.frames[0], KEEPER_RETAKE, LOW);
        assert_true(work_leave(&bench.work, job, &holder));
        assert_true(job->leave.got && job->leave.same);
        bench.frames[0] = job->leave.fresh;
        job_free(job);
        for (unsigned i = 0; i < 3; i++) {
                job = new_leave(&bench.frames[--bench.n_frames], 0, LOW);
                assert_true(work_leave(&bench.work, job, &holder));
                job_free(job);
        }
        taken = fake_backend_count(&bench.fake, FAKE_TAKEN);
        assert_int_equal(taken, 5);
        assert_true(debts_any(&bench.work.debts));

        atomic_store(&harvester.job->take.cancelled, true);
        atomic_store(&may_end, true);
        pthread_join(harvester.thread, NULL);
        collect(&bench);
        check_books(&bench, "beside a harvest");
        bench_deinit(&bench);
}

int main(void)
{
        int failed;

        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_source_takes),
                cmocka_unit_test(test_source_survives_every_failing_call),
                cmocka_unit_test(test_source_ends_when_it_is_told),
                cmocka_unit_test(test_source_goes_on_where_it_was),
                cmocka_unit_test(test_source_lengthens_what_the_pool_has),
                cmocka_unit_test(test_source_lets_no_broken_run_in),
                cmocka_unit_test(test_source_leaves_pages_for_the_next_pool),
                cmocka_unit_test(test_source_empties_the_stock),
                cmocka_unit_test(test_source_remembers_what_was_late),
                cmocka_unit_test(test_source_another_pool_need_not_wait),
                cmocka_unit_test(test_source_leaves_scarce_pages_to_who_seeks_them),
                cmocka_unit_test(test_source_one_harvest_at_a_time),
                cmocka_unit_test(test_source_ends_while_it_waits_for_its_turn),
                cmocka_unit_test(test_leave_gives_the_system_its_page),
                cmocka_unit_test(test_leave_takes_its_page_again),
                cmocka_unit_test(test_leave_does_not_wait_for_a_harvest),
        };

        failed = cmocka_run_group_tests_name("source", tests, NULL, NULL);
        takers = BACKEND_TAKERS_MAX;
        return failed +
               cmocka_run_group_tests_name("source, by several threads", tests, NULL, NULL);
}
