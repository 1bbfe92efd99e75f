/* SPDX-License-Identifier: MIT */
/*
 * Several threads that take pages for one take: that they do so at once, that none takes a page
 * while another one is given back and taken again, and how they end. What becomes of the pages is
 * for test_source, which runs with several threads, too.
 */
#include "drawing.h"

#include "fake_backend.h"
#include "macros.h"
#include "source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <time.h>

#define PAGE  (2 * MiB)
#define PAGES 64u

/**
 * struct bench - a machine with PAGES pages in the stock
 * @inside: calls of take() that go on just now; @most_inside: at once, so far
 * @meet:   so many have to be inside at once before the first one goes on
 * @cancel: the job that is to end when each thread has begun a page
 * @left_alone: no page was taken while one was given back
 */
struct bench {
        struct fake_backend fake;
        struct keeper_pool pool;
        struct keeper_settings settings;
        struct reports reports;
        struct work work;
        atomic_uint inside, most_inside;
        unsigned meet;
        struct job *cancel;
        bool left_alone;
        unsigned n_frames;
        struct backend_frame frames[PAGES];
        struct job_take end;
};

static void doze(void)
{
        nanosleep(&(struct timespec){ .tv_nsec = (long)NS_PER_MS }, NULL);
}

static void inside_take(struct bench *bench, unsigned n)
{
        unsigned most = bench->most_inside, now;

        if (bench->cancel && n == BACKEND_TAKERS_MAX)
                atomic_store(&bench->cancel->take.cancelled, true);
        now = ++bench->inside;
        while (now > most && !atomic_compare_exchange_weak(&bench->most_inside, &most, now)) {
        }
        /* Without the others this would not end. */
        while (bench->most_inside < bench->meet)
                doze();
        sched_yield();
        bench->inside--;
}

static void happen(void *data, enum fake_call call, unsigned n)
{
        struct bench *bench = data;

        if (call == FAKE_TAKE) {
                inside_take(bench, n);
        } else if (call == FAKE_RELEASE) {
                bench->left_alone &= !bench->inside;
                sched_yield();
                bench->left_alone &= !bench->inside;
        }
}

static void bench_init(struct bench *bench, unsigned takers)
{
        *bench = (struct bench){ .left_alone = true };
        fake_backend_init(&bench->fake);
        fake_backend_pages(&bench->fake, 4 * GiB, PAGE, 0, PAGES);
        fake_backend_reserve(&bench->fake, PAGES);
        bench->fake.backend.takers = takers;
        bench->fake.happen = happen;
        bench->fake.data = bench;
        bench->pool = (struct keeper_pool){ .name = "a", .page_bytes = PAGE };
        bench->settings = (struct keeper_settings){
                .backend = &bench->fake.backend,
                .pools = &bench->pool,
                .n_pools = 1,
        };
        assert_int_equal(reports_init(&bench->reports), 0);
        work_init(&bench->work, &bench->settings, &bench->reports);
}

static void bench_deinit(struct bench *bench)
{
        assert_int_equal(bench->n_frames, fake_backend_count(&bench->fake, FAKE_TAKEN));
        work_deinit(&bench->work);
        reports_deinit(&bench->reports);
        fake_backend_deinit(&bench->fake);
}

static struct job *new_job(enum job_kind kind, unsigned count, uint32_t flags)
{
        struct job *job = job_new(kind, &(struct keeper_message){ .page_bytes = PAGE,
                                                                  .last = UINT64_MAX,
                                                                  .count = count,
                                                                  .flags = flags,
                                                                  .node = NODE_ANY });

        assert_non_null(job);
        return job;
}

static void collect(struct bench *bench)
{
        struct report *report;

        while ((report = reports_next(&bench->reports))) {
                if (report->kind == REPORT_FRAME)
                        bench->frames[bench->n_frames++] = report->frame;
                if (report->kind == REPORT_DONE)
                        bench->end = report->job->take;
                report_free(report);
        }
}

static void run(struct bench *bench, struct job *job)
{
        source_take(&bench->work, job);
        collect(bench);
}

/* As many threads as the backend can use, and no more. */
static void test_drawing_is_done_by_several_threads(void **state)
{
        struct bench bench;

        (void)state;
        bench_init(&bench, BACKEND_TAKERS_MAX);
        bench.meet = BACKEND_TAKERS_MAX;
        run(&bench, new_job(JOB_TAKE, PAGES, 0));
        assert_int_equal(bench.end.result, 0);
        assert_int_equal(bench.n_frames, PAGES);
        assert_int_equal(bench.most_inside, BACKEND_TAKERS_MAX);
        bench_deinit(&bench);
}

/* What is not worth it, and what the backend does not want. */
static void test_drawing_is_done_by_one(void **state)
{
        static const struct {
                const char *name;
                unsigned takers, pages;
        } cases[] = {
                { "the backend knows nothing of it", 0, PAGES },
                { "the backend wants one", 1, PAGES },
                { "few pages", BACKEND_TAKERS_MAX, 7 },
        };
        struct bench bench;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                bench_init(&bench, cases[i].takers);
                run(&bench, new_job(JOB_TAKE, cases[i].pages, 0));
                if (bench.n_frames != cases[i].pages || bench.most_inside != 1)
                        fail_msg("%s: %u frames, %u threads", cases[i].name, bench.n_frames,
                                 bench.most_inside);
                bench_deinit(&bench);
        }
}

/* What was begun is a frame; nothing else is begun. */
static void test_drawing_ends_when_it_is_told(void **state)
{
        struct bench bench;

        (void)state;
        bench_init(&bench, BACKEND_TAKERS_MAX);
        bench.meet = BACKEND_TAKERS_MAX;
        bench.cancel = new_job(JOB_TAKE, PAGES, 0);
        run(&bench, bench.cancel);
        assert_int_equal(bench.end.result, -ECANCELED);
        assert_int_equal(bench.n_frames, BACKEND_TAKERS_MAX);
        bench_deinit(&bench);
}

/* The thread that fails ends the others; why is found out by one alone. */
static void test_drawing_tells_of_a_failure_once(void **state)
{
        struct bench bench;

        (void)state;
        bench_init(&bench, BACKEND_TAKERS_MAX);
        bench.fake.fail = FAKE_TAKE;
        bench.fake.fail_at = 9;
        bench.fake.fail_errno = EUSERS;
        run(&bench, new_job(JOB_TAKE, PAGES, 0));
        assert_int_equal(bench.end.result, 0); /* the next call did not fail */
        assert_int_equal(bench.n_frames, PAGES);
        bench_deinit(&bench);
}

/* The stock has fewer than are wanted. */
static void test_drawing_ends_with_the_stock(void **state)
{
        struct bench bench;

        (void)state;
        bench_init(&bench, BACKEND_TAKERS_MAX);
        bench.fake.may_not_reserve = true;
        run(&bench, new_job(JOB_TAKE, PAGES + 10, 0));
        assert_int_equal(bench.end.result, -ENOMEM);
        assert_int_equal(bench.n_frames, PAGES);
        bench_deinit(&bench);
}

static void *take_rest(void *data)
{
        struct bench *bench = data;

        source_take(&bench->work, new_job(JOB_TAKE, PAGES, 0));
        return NULL;
}

/* Frames that are given back and taken again get their own page, while others are taken. */
static void test_drawing_leaves_alone_what_is_taken_again(void **state)
{
        enum backend_holder holder;
        struct bench bench;
        struct job *job;
        pthread_t thread;

        (void)state;
        bench_init(&bench, BACKEND_TAKERS_MAX);
        bench.fake.may_not_reserve = true;
        run(&bench, new_job(JOB_TAKE, 4, 0));
        assert_int_equal(pthread_create(&thread, NULL, take_rest, &bench), 0);
        for (unsigned i = 0; i < 200; i++) {
                job = new_job(JOB_LEAVE, 0, KEEPER_RETAKE);
                job->leave.frame = bench.frames[i % 4];
                job->leave.phys = job->leave.frame.phys;
                assert_true(work_leave(&bench.work, job, &holder));
                assert_true(job->leave.got && job->leave.same);
                bench.frames[i % 4] = job->leave.fresh;
                job_free(job);
        }
        pthread_join(thread, NULL);
        collect(&bench);
        assert_true(bench.left_alone);
        assert_int_equal(bench.n_frames, PAGES);
        bench_deinit(&bench);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_drawing_is_done_by_several_threads),
                cmocka_unit_test(test_drawing_is_done_by_one),
                cmocka_unit_test(test_drawing_ends_when_it_is_told),
                cmocka_unit_test(test_drawing_tells_of_a_failure_once),
                cmocka_unit_test(test_drawing_ends_with_the_stock),
                cmocka_unit_test(test_drawing_leaves_alone_what_is_taken_again),
        };

        return cmocka_run_group_tests_name("drawing", tests, NULL, NULL);
}
