/* SPDX-License-Identifier: MIT */
/*
 * What the experiment is run on: the text that says it, and the requests that are made of it.
 */
#include "macros.h"
#include "workload.h"
#include "workload_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

/* Too large for a stack. */
static struct workload workload;

static int read_text(const char *text, char *error, size_t error_bytes)
{
        char path[] = "/tmp/test_workload.XXXXXX";
        const int fd = mkostemp(path, O_CLOEXEC);
        int r;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
        r = workload_read(path, &workload, error, error_bytes);
        unlink(path);
        return r;
}

#define MACHINE "machine pc\nram 1M 4M\nram 5M 16M\n"

static const struct {
        const char *name, *text, *error;
} bad_texts[] = {
        { "nothing", "", ":0: there is no mix" },
        { "no statement", "computer pc\n", ":1: \"computer\" begins no statement" },
        { "memory of nobody", "ram 1M 2M\n", ":1: memory belongs to a machine" },
        { "memory backwards", "machine pc\nram 2M 1M\n", ":2: write: ram FIRST BELOW" },
        { "memory in the wrong order", "machine pc\nram 4M 5M\nram 1M 2M\n",
          ":3: memory is listed in ascending order" },
        { "half a granule", "machine pc\nram 1M 1050624\n", ":2: memory comes in multiples" },
        { "a mix without memory",
          "machine pc\nmix a \"t\"\non pc\nclass c bits 32 size 4K life 1s "
          "reach 1%\n",
          ": machine pc has no memory" },
        { "a mix on nothing", MACHINE "mix a \"t\"\non laptop\n", ":5: no machine is called" },
        { "a mix without classes", MACHINE "mix a \"t\"\non pc\n", ": mix a has no machine or no" },
        { "a class of nobody", MACHINE "class c bits 32\n", ":4: a class belongs to a mix" },
        { "half a key", MACHINE "mix a \"t\"\non pc\nclass c bits\n", ":6: write: class NAME KEY" },
        { "no bits", MACHINE "mix a \"t\"\non pc\nclass c bits 65\n", "are no address bits" },
        { "no size", MACHINE "mix a \"t\"\non pc\nclass c size 4K..2K\n", "\"4K..2K\" is no span" },
        { "size 0", MACHINE "mix a \"t\"\non pc\nclass c size 0..2K\n", "\"0..2K\" is no span" },
        { "no life", MACHINE "mix a \"t\"\non pc\nclass c life 5\n", "\"5\" is no span" },
        { "no share", MACHINE "mix a \"t\"\non pc\nclass c reach 101%\n", "is no share" },
        { "no share either", MACHINE "mix a \"t\"\non pc\nclass c reach 100.1%\n", "is no share" },
        { "no power", MACHINE "mix a \"t\"\non pc\nclass c align 3K\n", "is no power of two" },
        { "an unknown key", MACHINE "mix a \"t\"\non pc\nclass c colour red\n",
          "\"colour\" says nothing" },
        { "a class that lacks something", MACHINE "mix a \"t\"\non pc\nclass c bits 32\n",
          "class c lacks bits, size, life or a share" },
        { "a boundary below a size",
          MACHINE "mix a \"t\"\non pc\nclass c bits 32 size 8K boundary 4K life 1s reach 1%\n",
          "class c: a size is above the boundary" },
        { "a window the wrong way round",
          MACHINE "mix a \"t\"\non pc\nclass c bits 20 above 2M size 8K life 1s reach 1%\n",
          "class c reaches nothing" },
        { "an open quote", MACHINE "mix a \"t\n", "a quote is not closed" },
        { "a name that would spoil a picture", MACHINE "mix a<b \"t\"\n", "is not for names" },
};

static void test_workload_refuses_bad_texts(void **state)
{
        char error[256];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad_texts); i++) {
                error[0] = '\0';
                if (read_text(bad_texts[i].text, error, sizeof(error)) != -EINVAL ||
                    !strstr(error, bad_texts[i].error))
                        fail_msg("%s: \"%s\"", bad_texts[i].name, error);
        }
        assert_int_equal(workload_read("/nowhere/at/all", &workload, error, sizeof(error)),
                         -ENOENT);
}

static void test_workload_reads_what_it_says(void **state)
{
        static const char text[] =
                "# a comment\n" MACHINE "  held 2M 6M # the kernel\n"
                "mix first \"The first\"\non pc\n"
                "class one bits 24 above 1M size 4K..8K,5000 align 8K boundary 64K life 1us..2h "
                "reach 12.25%\n"
                "class two bits 64 size 1M life 1s arrivals 100%\n";
        const struct workload_class *class;
        char error[256];

        (void)state;
        assert_int_equal(read_text(text, error, sizeof(error)), 0);
        assert_int_equal(workload.n_machines, 1);
        assert_int_equal(workload.machines[0].n_memory, 2);
        assert_int_equal(workload.machines[0].memory[0].first, MiB);
        assert_int_equal(workload.machines[0].memory[0].last, 2 * MiB - 1);
        assert_int_equal(workload.machines[0].memory[1].first, 6 * MiB);
        assert_int_equal(
                workload_bytes_in(&workload.machines[0], (struct range){ MiB + 4096, 7 * MiB - 1 }),
                2 * MiB - 4096);
        assert_string_equal(workload.mixes[0].title, "The first");
        assert_int_equal(workload.mixes[0].n_classes, 2);
        class = &workload.mixes[0].classes[0];
        assert_int_equal(class->window.first, MiB);
        assert_int_equal(class->window.last, 16 * MiB - 1);
        assert_int_equal(class->n_sizes, 2);
        assert_int_equal(class->sizes[1].first, 5000);
        assert_int_equal(class->align_bytes, 8 * KiB);
        assert_int_equal(class->boundary_bytes, 64 * KiB);
        assert_int_equal(class->life_ns.first, NS_PER_US);
        assert_int_equal(class->life_ns.last, 7200 * NS_PER_S);
        assert_int_equal(class->measure, WORKLOAD_OF_REACH);
        assert_int_equal(class->share_ppm, 122500);
        assert_int_equal(workload.mixes[0].classes[1].window.last, UINT64_MAX);
        assert_int_equal(workload.mixes[0].classes[1].share_ppm, 1000000);
}

static void test_workload_span_is_logarithmic(void **state)
{
        const struct range span = { 1000, 1024000 };
        uint64_t before = 0;

        (void)state;
        assert_int_equal(span_at((struct range){ 7, 7 }, 0), 7);
        assert_int_equal(span_at((struct range){ 7, 7 }, UINT32_MAX), 7);
        assert_int_equal(span_at((struct range){ 1, UINT64_MAX }, 0), 1);
        for (uint64_t place = 0; place <= UINT32_MAX; place += 65537) {
                const uint64_t value = span_at(span, (uint32_t)place);

                assert_in_range(value, before > 1000 ? before : 1000, 1024000);
                before = value;
        }
        assert_in_range(before, 1023000, 1024000);
        /* In the middle of ten doublings there are five. */
        assert_in_range(span_at(span, UINT32_MAX / 2), 31500, 32500);
        /* (last - first) / ln(last / first) is 147,588; straight lines add a little. */
        assert_in_range(span_mean(span), 145000, 156000);
}

/* ---- traces ---------------------------------------------------------------------------------- */

static const char mix_text[] = "machine pc\nram 0 64M\n"
                               "mix a \"t\"\non pc\n"
                               "class low bits 24 size 4K..64K life 1s..100s reach 50%\n"
                               "class big bits 64 size 256K,1000000 life 10s..1000s rest 75%\n"
                               "class long bits 64 size 4K life 1000s..2000s rest 25%\n"
                               "class brief bits 64 size 8K life 1us..1ms arrivals 30%\n";

static void make(unsigned load_percent, uint64_t seed, struct trace *ret)
{
        const struct trace_options options = {
                .load_percent = load_percent, .n_requests = 5000, .n_turns = 2, .seed = seed
        };
        char error[256];

        assert_int_equal(read_text(mix_text, error, sizeof(error)), 0);
        assert_int_equal(trace_make(&workload.mixes[0], &workload.machines[0], &options, ret), 0);
}

static bool is_same(const struct trace *a, const struct trace *b)
{
        if (a->n_requests != b->n_requests || a->n_events != b->n_events)
                return false;
        for (size_t i = 0; i < a->n_requests; i++) {
                const struct trace_request *x = &a->requests[i], *y = &b->requests[i];

                if (x->from_ns != y->from_ns || x->until_ns != y->until_ns ||
                    x->size_bytes != y->size_bytes || x->class != y->class)
                        return false;
        }
        for (size_t i = 0; i < a->n_events; i++) {
                if (a->events[i].request != b->events[i].request ||
                    a->events[i].is_end != b->events[i].is_end)
                        return false;
        }
        return true;
}

static void test_workload_trace_depends_on_the_seed_alone(void **state)
{
        struct trace a, b, c;

        (void)state;
        make(80, 1, &a);
        make(80, 1, &b);
        make(80, 2, &c);
        assert_true(is_same(&a, &b));
        assert_false(is_same(&a, &c));
        trace_deinit(&a);
        trace_deinit(&b);
        trace_deinit(&c);
}

/* Sums over a trace. */
struct sums {
        uint64_t classes_alive[4], alive; /* byte-nanoseconds / 2^20, after filling */
        size_t classes_come[4];           /* after filling */
};

/* The events follow one another, each request once, and the load is kept. */
static void walk(const struct trace *trace, unsigned load_percent, struct sums *ret)
{
        const uint64_t target = trace->capacity_bytes / 100 * load_percent;
        uint64_t classes[4] = { 0 }, live = 0, now = 0;
        size_t next = 0;

        *ret = (struct sums){ 0 };
        for (size_t i = 0; i < trace->n_events; i++) {
                const struct trace_event event = trace->events[i];
                const struct trace_request *request = &trace->requests[event.request];
                const uint64_t at = event.is_end ? request->until_ns : request->from_ns;

                assert_true(event.is_end ? event.request < next : event.request == next);
                assert_true(at + 1 >=
                            now); /* what ends before something comes may be noted after */
                if (next > trace->n_fill && at > now) {
                        for (size_t c = 0; c < 4; c++)
                                ret->classes_alive[c] += classes[c] / 4096 * ((at - now) / 256);
                        ret->alive += live / 4096 * ((at - now) / 256);
                        assert_in_range(live, target - 2 * MiB, target);
                }
                now = at > now ? at : now;
                live += event.is_end ? -request->size_bytes : request->size_bytes;
                classes[request->class] +=
                        event.is_end ? -request->size_bytes : request->size_bytes;
                if (!event.is_end) {
                        assert_int_equal(request->size_bytes % WORKLOAD_GRANULE_BYTES, 0);
                        assert_true(request->until_ns > request->from_ns);
                        ret->classes_come[request->class] += next >= trace->n_fill;
                        next++;
                }
        }
        assert_int_equal(next, trace->n_requests);
        assert_int_equal(trace->n_warm, trace->n_fill + (trace->n_requests - trace->n_fill) / 2);
        assert_int_equal(trace->n_requests - trace->n_fill, 5000 + 2 * trace->n_fill);
}

static void test_workload_trace_keeps_load_and_shares(void **state)
{
        static const unsigned loads[] = { 50, 90, 98 };
        /* 8 of 64 MiB are low; three quarters of the rest are big. */
        static const unsigned shares[] = { 12, 66, 22, 0 };

        (void)state;
        for (size_t l = 0; l < ARRAY_SIZE(loads); l++) {
                struct trace trace;
                struct sums sums = { 0 };
                size_t come = 0;

                make(loads[l], 1, &trace);
                walk(&trace, loads[l], &sums);
                for (size_t c = 0; c < 4; c++) {
                        const uint64_t percent = sums.classes_alive[c] * 100 / sums.alive;

                        assert_in_range(percent + 8, shares[c], shares[c] + 16);
                        come += sums.classes_come[c];
                }
                assert_in_range(sums.classes_come[3] * 100 / come, 27, 33);
                trace_deinit(&trace);
        }
}

static void test_workload_trace_refuses_what_cannot_be(void **state)
{
        static const char *const texts[] = {
                "machine pc\nram 32M 64M\nmix a \"t\"\non pc\n"
                "class low bits 24 size 4K life 1s reach 50%\n",
                "machine pc\nram 0 64M\nmix a \"t\"\non pc\n"
                "class a bits 64 size 4K life 1s reach 60%\n"
                "class b bits 64 size 4K life 1s reach 50%\n",
                "machine pc\nram 0 64M\nmix a \"t\"\non pc\n"
                "class a bits 64 size 4K life 1s arrivals 100%\n",
                "machine pc\nram 0 1M\nmix a \"t\"\non pc\n"
                "class a bits 64 size 4K..2M life 1s reach 100%\n",
        };
        const struct trace_options options = { .load_percent = 90, .n_requests = 1000 };
        struct trace trace;
        char error[256];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                assert_int_equal(read_text(texts[i], error, sizeof(error)), 0);
                assert_int_equal(
                        trace_make(&workload.mixes[0], &workload.machines[0], &options, &trace),
                        -EINVAL);
        }
}

/* Every file that is delivered can be run. */
static void test_workload_delivered_files_are_right(void **state)
{
        char error[256];

        (void)state;
        assert_int_equal(workload_read(PAR_BENCH_WORKLOAD, &workload, error, sizeof(error)), 0);
        for (size_t m = 0; m < workload.n_mixes; m++) {
                for (size_t k = 0; k < workload.mixes[m].n_machines; k++) {
                        const struct trace_options options = { .load_percent = 98,
                                                               .n_requests = 10 };
                        struct trace trace;

                        assert_int_equal(
                                trace_make(&workload.mixes[m],
                                           &workload.machines[workload.mixes[m].machines[k]],
                                           &options, &trace),
                                0);
                        trace_deinit(&trace);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_workload_refuses_bad_texts),
                cmocka_unit_test(test_workload_reads_what_it_says),
                cmocka_unit_test(test_workload_span_is_logarithmic),
                cmocka_unit_test(test_workload_trace_depends_on_the_seed_alone),
                cmocka_unit_test(test_workload_trace_keeps_load_and_shares),
                cmocka_unit_test(test_workload_trace_refuses_what_cannot_be),
                cmocka_unit_test(test_workload_delivered_files_are_right),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
