/* SPDX-License-Identifier: MIT */
/* Slabs, against a daemon in a thread. */
#include "slab.h"

#include "heap.h"
#include "in_child.h"
#include "macros.h"
#include "mock_server.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE (64 * KiB)
#define MANY 600

/* ---- setup ---------------------------------------------------------------------------------- */

/* struct setup - a daemon and its client; @log: what the library said last, @logged: how often */
struct setup {
        struct mock *mock;
        struct par *par;
        struct par_slab *slab;
        unsigned logged;
        char log[512];
};

static void take_log(void *data, int level, const char *message)
{
        struct setup *setup = data;

        if (level != LOG_WARNING)
                return;
        snprintf(setup->log, sizeof(setup->log), "%s", message);
        setup->logged++;
}

static void begin_with(struct setup *setup, const struct mock_settings *settings)
{
        struct par_connect_options options = { .log = take_log, .log_data = setup };

        *setup = (struct setup){ .mock = mock_start(settings) };
        assert_int_equal(par_connect(setup->mock->path, &options, &setup->par), 0);
}

static void begin(struct setup *setup, size_t object_bytes, const struct par_slab_options *options)
{
        begin_with(setup, NULL);
        assert_int_equal(par_slab_create(setup->par, object_bytes, NULL, options, &setup->slab), 0);
}

/* Nothing is left, and nothing leaked. */
static void end(struct setup *setup)
{
        assert_int_equal(par_slab_destroy(setup->slab), 0);
        assert_int_equal(mock_counts(setup->mock).buffers, 0);
        par_disconnect(setup->par);
        mock_stop(setup->mock);
}

static struct par_object get(struct par_slab *slab)
{
        struct par_object object;

        if (par_slab_get(slab, &object))
                fail_msg("%s", par_error(NULL));
        return object;
}

static struct par_slab_stats stats_of(struct par_slab *slab)
{
        struct par_slab_stats stats;

        assert_int_equal(par_slab_stats(slab, &stats), 0);
        assert_int_equal(stats.objects, stats.in_use + stats.cached + stats.idle + stats.damaged);
        assert_int_equal(stats.gets - stats.puts, stats.in_use);
        return stats;
}

/* ---- arguments ------------------------------------------------------------------------------ */

static const struct {
        const char *name;
        size_t object_bytes;
        struct par_constraint constraint;
        struct par_slab_options options;
        int result;
} arguments[] = {
        { "a byte", 1, { 0 }, { 0 }, 0 },
        { "the largest", PAR_SLAB_OBJECT_MAX, { 0 }, { 0 }, 0 },
        { "nothing", 0, { 0 }, { 0 }, -EINVAL },
        { "too large", PAR_SLAB_OBJECT_MAX + 1, { 0 }, { 0 }, -EINVAL },
        { "align", 64, { .align = 3 }, { 0 }, -EINVAL },
        { "boundary", 64, { .boundary = 100 }, { 0 }, -EINVAL },
        { "as large as the boundary", 4096, { .boundary = 4096 }, { 0 }, 0 },
        { "larger than the boundary", 4097, { .boundary = 4096 }, { 0 }, -PAR_NEVER_FITS },
        { "larger than a segment", 65, { .max_segment_bytes = 64 }, { 0 }, -PAR_NEVER_FITS },
        { "flags of the constraint", 64, { .flags = 1 }, { 0 }, -EINVAL },
        { "reserved, of the constraint", 64, { .reserved = { [4] = 1 } }, { 0 }, -EINVAL },
        { "flags", 64, { 0 }, { .flags = 4 }, -EINVAL },
        { "reserved flags", 64, { 0 }, { .reserved_flags = 1 }, -EINVAL },
        { "reserved", 64, { 0 }, { .reserved = { [3] = 1 } }, -EINVAL },
        { "a label that is not UTF-8", 64, { 0 }, { .label = "\xff" }, -EINVAL },
        { "a pool's name that is too long",
          64,
          { 0 },
          { .pool = "0123456789012345678901234567890123456789012345678901234567890123" },
          -EINVAL },
};

static void test_slab_arguments(void **state)
{
        struct setup setup;

        (void)state;
        begin_with(&setup, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
                print_message("%s\n", arguments[i].name);
                setup.slab = (void *)1;
                assert_int_equal(par_slab_create(setup.par, arguments[i].object_bytes,
                                                 &arguments[i].constraint, &arguments[i].options,
                                                 &setup.slab),
                                 arguments[i].result);
                if (arguments[i].result) {
                        assert_null(setup.slab);
                        assert_string_not_equal(par_error(NULL), "");
                }
                assert_int_equal(par_slab_destroy(setup.slab), 0);
        }
        assert_int_equal(mock_counts(setup.mock).requests, 1); /* Hello */
        par_disconnect(setup.par);
        mock_stop(setup.mock);
}

static void test_slab_takes_nothing_for_an_answer(void **state)
{
        struct par_object object = { &object, 1 };
        struct par_slab_leak leak;
        struct par_slab_stats stats = { .objects = 1 };
        struct setup setup;
        uint64_t bytes = 1;
        size_t n = 1;

        (void)state;
        assert_int_equal(par_slab_create(NULL, 64, NULL, NULL, &setup.slab), -EINVAL);
        assert_null(setup.slab);
        assert_int_equal(par_slab_get(NULL, &object), -EINVAL);
        assert_null(object.data);
        assert_int_equal(par_slab_get_bulk(NULL, &object, 1), -EINVAL);
        assert_int_equal(par_slab_put(NULL, object), -EINVAL);
        assert_int_equal(par_slab_put_bulk(NULL, &object, 1), -EINVAL);
        assert_int_equal(par_slab_reserve(NULL, 1), -EINVAL);
        assert_int_equal(par_slab_trim(NULL, &bytes), -EINVAL);
        assert_int_equal(bytes, 0);
        assert_int_equal(par_slab_stats(NULL, &stats), -EINVAL);
        assert_int_equal(stats.objects, 0);
        assert_int_equal(par_slab_leaks(NULL, &leak, 1, &n), -EINVAL);
        assert_int_equal(n, 0);
        assert_int_equal(par_slab_destroy(NULL), 0);
        assert_null(par_buffer_slab(NULL));

        begin(&setup, 64, NULL);
        assert_int_equal(par_slab_create(setup.par, 64, NULL, NULL, NULL), -EINVAL);
        assert_int_equal(par_slab_get(setup.slab, NULL), -EINVAL);
        assert_int_equal(par_slab_get_bulk(setup.slab, NULL, 1), -EINVAL);
        assert_int_equal(par_slab_get_bulk(setup.slab, &object, 0), 0);
        assert_int_equal(par_slab_put_bulk(setup.slab, NULL, 1), -EINVAL);
        assert_int_equal(par_slab_put_bulk(setup.slab, &object, 0), 0);
        assert_int_equal(par_slab_stats(setup.slab, NULL), -EINVAL);
        assert_int_equal(par_slab_leaks(setup.slab, &leak, 1, &n), -ENOTSUP);
        assert_int_equal(par_slab_leaks(setup.slab, &leak, 1, NULL), -EINVAL);
        end(&setup);
}

/* ---- get and put ---------------------------------------------------------------------------- */

/* With caches of any size, and without: objects are whole, apart, and where the device sees them.
 */
static const struct {
        const char *name;
        struct par_slab_options options;
} caches[] = {
        { "as the library chooses", { 0 } },
        { "two objects", { .cache_objects = 2 } },
        { "an odd number", { .cache_objects = 7 } },
        { "more than there are", { .cache_objects = 100000 } },
        { "none", { .flags = PAR_SLAB_UNCACHED } },
        { "none, and mistakes are looked for", { .flags = PAR_SLAB_DEBUG } },
};

static int by_address(const void *a, const void *b)
{
        const struct par_object *x = a, *y = b;

        return (x->data > y->data) - (x->data < y->data);
}

static void check_apart(struct par *par, struct par_object *objects, size_t n, size_t object_bytes)
{
        size_t contiguous;
        uint64_t dma;
        void *back;

        qsort(objects, n, sizeof(*objects), by_address);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(par_dma_address(par, objects[i].data, &dma, &contiguous), 0);
                assert_int_equal(dma, objects[i].dma);
                assert_true(contiguous >= object_bytes);
                assert_int_equal(par_dma_pointer(par, NULL, dma, &back, NULL), 0);
                assert_ptr_equal(back, objects[i].data);
                if (i)
                        assert_true((char *)objects[i].data - (char *)objects[i - 1].data >=
                                    (ptrdiff_t)object_bytes);
        }
}

static void test_slab_objects_are_apart(void **state)
{
        struct par_object objects[MANY];
        struct setup setup;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(caches); i++) {
                print_message("%s\n", caches[i].name);
                begin(&setup, 1000, &caches[i].options);
                for (size_t n = 0; n < MANY / 2; n++)
                        objects[n] = get(setup.slab);
                assert_int_equal(par_slab_get_bulk(setup.slab, objects + MANY / 2, MANY - MANY / 2),
                                 0);
                check_apart(setup.par, objects, MANY, 1000);
                assert_int_equal(stats_of(setup.slab).in_use, MANY);
                for (size_t n = 0; n < 100; n++)
                        assert_int_equal(par_slab_put(setup.slab, objects[n]), 0);
                assert_int_equal(par_slab_put_bulk(setup.slab, objects + 100, MANY - 100), 0);
                assert_int_equal(stats_of(setup.slab).in_use, 0);
                assert_int_equal(stats_of(setup.slab).gets, MANY);
                end(&setup);
        }
}

/* Neither the cache nor the depot forgets or doubles what goes through them. */
static void test_slab_bulks_of_all_sizes(void **state)
{
        static struct par_object objects[2 * MANY];
        struct setup setup;
        size_t n;

        (void)state;
        begin(&setup, 64, &(struct par_slab_options){ .cache_objects = 16 });
        for (size_t get_count = 1; get_count < 40; get_count++) {
                for (n = 0; n + get_count <= 100; n += get_count)
                        assert_int_equal(par_slab_get_bulk(setup.slab, objects + n, get_count), 0);
                check_apart(setup.par, objects, n, 64);
                for (size_t put = 0, count; put < n; put += count) {
                        count = get_count % 7 + 1 < n - put ? get_count % 7 + 1 : n - put;
                        assert_int_equal(par_slab_put_bulk(setup.slab, objects + put, count), 0);
                }
                assert_int_equal(stats_of(setup.slab).in_use, 0);
        }
        assert_int_equal(stats_of(setup.slab).objects, 1024); /* of one buffer */
        end(&setup);
}

static void test_slab_never_has_more_than_its_limit(void **state)
{
        const struct par_slab_options options = { .object_max = 10, .cache_objects = 4 };
        struct par_object objects[11];
        struct setup setup;

        (void)state;
        begin(&setup, 10000, &options);
        assert_int_equal(par_slab_get_bulk(setup.slab, objects, 11), -PAR_QUOTA);
        assert_null(objects[0].data);
        assert_null(objects[10].data);
        assert_int_equal(par_slab_get_bulk(setup.slab, objects, 10), 0);
        assert_int_equal(par_slab_get(setup.slab, &objects[10]), -PAR_QUOTA);
        assert_non_null(strstr(par_error(NULL), "may have 10: 10 are there, of which 0 are left"));
        assert_int_equal(par_slab_reserve(setup.slab, 11), -PAR_QUOTA);
        assert_int_equal(par_slab_put(setup.slab, objects[3]), 0);
        assert_int_equal(par_slab_get(setup.slab, &objects[3]), 0);
        assert_int_equal(stats_of(setup.slab).objects, 10);
        assert_int_equal(stats_of(setup.slab).refusals, 3);
        assert_int_equal(par_slab_put_bulk(setup.slab, objects, 10), 0);
        end(&setup);
}

/* What pard says no to is said as it says it. */
static void test_slab_forwards_refusals(void **state)
{
        struct par_object object;
        struct setup setup;

        (void)state;
        begin(&setup, 64, NULL);
        object = get(setup.slab);
        mock_hang_up(setup.mock);
        assert_int_equal(par_slab_reserve(setup.slab, 5000), -PAR_GONE);
        assert_string_not_equal(par_error(NULL), "");
        /* What is there goes on. */
        assert_int_equal(par_slab_put(setup.slab, object), 0);
        object = get(setup.slab);
        assert_int_equal(par_slab_destroy(setup.slab), 1);
        par_disconnect(setup.par);
        mock_stop(setup.mock);
}

/* No more than a frame is to be had at a time. */
static void refuse_large(struct mock *mock, struct mock_reply *reply)
{
        static Wire__Refusal refusal;
        Wire__Reply *wire = reply->packet->reply;

        (void)mock;
        if (wire->body_case != WIRE__REPLY__BODY_ALLOC || wire->alloc->size <= PAGE)
                return;
        wire__refusal__init(&refusal);
        refusal.sentence = (char *)(uintptr_t) "in pieces";
        wire->body_case = WIRE__REPLY__BODY__NOT_SET;
        wire->result = PAR_FRAGMENTED;
        wire->refusal = &refusal;
        reply->count = 0;
}

static void test_slab_asks_for_less_where_much_is_not_to_be_had(void **state)
{
        const struct mock_settings settings = { .spoil = refuse_large };
        struct par_object objects[3], large;
        struct par_slab *too_large;
        struct setup setup;

        (void)state;
        begin_with(&setup, &settings);
        assert_int_equal(par_slab_create(setup.par, 60000, NULL, NULL, &setup.slab), 0);
        for (size_t i = 0; i < 3; i++)
                objects[i] = get(setup.slab);
        check_apart(setup.par, objects, 3, 60000);
        assert_int_equal(stats_of(setup.slab).buffers, 3);
        assert_int_equal(stats_of(setup.slab).bytes, 3 * PAGE);
        assert_int_equal(par_slab_create(setup.par, 70000, NULL, NULL, &too_large), 0);
        assert_int_equal(par_slab_get(too_large, &large), -PAR_FRAGMENTED);
        assert_null(large.data);
        assert_string_equal(par_error(NULL), "in pieces");
        assert_int_equal(stats_of(too_large).refusals, 1);
        assert_int_equal(par_slab_destroy(too_large), 0);
        assert_int_equal(par_slab_destroy(setup.slab), 3);
        par_disconnect(setup.par);
        mock_stop(setup.mock);
}

/* ---- memory that comes and goes ------------------------------------------------------------- */

static void test_slab_trim_gives_back_what_is_not_used(void **state)
{
        static struct par_object objects[8 * 1024];
        struct setup setup;
        uint64_t bytes;

        (void)state;
        begin(&setup, 64, &(struct par_slab_options){ .buffer_bytes = PAGE });
        assert_int_equal(par_slab_reserve(setup.slab, 2000), 0);
        assert_int_equal(stats_of(setup.slab).buffers, 2);
        assert_int_equal(par_slab_get_bulk(setup.slab, objects, ARRAY_SIZE(objects)), 0);
        assert_int_equal(stats_of(setup.slab).bytes, 8 * PAGE);
        assert_int_equal(par_slab_trim(setup.slab, &bytes), 0);
        assert_int_equal(bytes, 0);

        /* One object keeps a buffer; what is in this thread's cache keeps none. */
        qsort(objects, ARRAY_SIZE(objects), sizeof(objects[0]), by_address);
        assert_int_equal(par_slab_put_bulk(setup.slab, objects + 1, ARRAY_SIZE(objects) - 1), 0);
        assert_int_equal(par_slab_trim(setup.slab, &bytes), 0);
        assert_int_equal(bytes, 7 * PAGE);
        assert_int_equal(mock_counts(setup.mock).buffers, 1);
        assert_int_equal(stats_of(setup.slab).idle, 1023);
        assert_int_equal(par_slab_get_bulk(setup.slab, objects + 1, 1023), 0);
        check_apart(setup.par, objects, 1024, 64);
        assert_int_equal(par_slab_put_bulk(setup.slab, objects, 1024), 0);
        assert_int_equal(par_slab_trim(setup.slab, NULL), 0);
        assert_int_equal(stats_of(setup.slab).objects, 0);
        (void)par_slab_put(setup.slab, get(setup.slab)); /* it goes on */
        end(&setup);
}

static void test_slab_grows_by_more_and_more(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup, 64, NULL);
        assert_int_equal(par_slab_reserve(setup.slab, 64 * 1024), 0); /* 4 MiB */
        assert_true(stats_of(setup.slab).objects >= 64 * 1024);
        assert_true(stats_of(setup.slab).buffers <= 9);
        end(&setup);
}

/* An event of a buffer says whose it is. */
static void test_slab_of_a_buffer(void **state)
{
        struct par_buffer *plain;
        struct par_event event;
        struct setup setup;
        struct par_object object;

        (void)state;
        begin(&setup, 64, NULL);
        object = get(setup.slab);
        mock_send_event(setup.mock, PAR_EVENT_MOVED, true, 0, 4096);
        while (par_next_event(setup.par, &event))
                continue;
        assert_int_equal(event.type, PAR_EVENT_MOVED);
        assert_ptr_equal(par_buffer_slab(event.buffer), setup.slab);
        assert_int_equal(par_alloc(setup.par, 4096, NULL, NULL, &plain), 0);
        assert_null(par_buffer_slab(plain));
        par_free(plain);
        assert_int_equal(par_slab_put(setup.slab, object), 0);
        end(&setup);
}

/* Return: what came of it: a slab without an object, or with one. */
static int try_without(struct setup *setup, unsigned long nth, uint32_t flags, bool *ret_failed)
{
        const struct par_slab_options options = { .flags = flags };
        struct par_object object = { 0 };
        int r;

        begin_with(setup, NULL);
        heap_fail(nth, nth);
        r = par_slab_create(setup->par, 64, NULL, &options, &setup->slab);
        if (!r)
                r = par_slab_get(setup->slab, &object);
        *ret_failed = heap_mend();
        assert_int_equal(!r, object.data != NULL);
        if (!r)
                assert_int_equal(par_slab_put(setup->slab, object), 0);
        assert_int_equal(par_slab_destroy(setup->slab), 0);
        par_disconnect(setup->par);
        mock_stop(setup->mock);
        return r;
}

static void test_slab_without_memory(void **state)
{
        struct setup setup;
        unsigned long nth;
        bool failed;
        int r;

        (void)state;
        for (unsigned debug = 0; debug < 2; debug++) {
                for (nth = 1; (r = try_without(&setup, nth, debug, &failed)) || failed; nth++)
                        /* A connection does not go on where it could not read. */
                        assert_true(r == -ENOMEM || r == -PAR_GONE);
                assert_true(nth > 5);
        }
}

/* ---- threads -------------------------------------------------------------------------------- */

/* Takes and puts in one thread, so that its cache has objects when it ends. */
static void *use_and_end(void *data)
{
        struct par_slab *slab = data;
        struct par_object objects[10];

        assert_int_equal(par_slab_get_bulk(slab, objects, 10), 0);
        assert_int_equal(par_slab_put_bulk(slab, objects, 9), 0);
        assert_true(stats_of(slab).cached > 0);
        return memcpy(malloc(sizeof(objects[9])), &objects[9], sizeof(objects[9]));
}

static void test_slab_has_back_what_a_thread_kept(void **state)
{
        struct par_object *object;
        struct setup setup;
        pthread_t thread;
        void *result;

        (void)state;
        begin(&setup, 64, NULL);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(pthread_create(&thread, NULL, use_and_end, setup.slab), 0);
                assert_int_equal(pthread_join(thread, &result), 0);
                object = result;
                assert_int_equal(stats_of(setup.slab).in_use, 1);
                assert_int_equal(stats_of(setup.slab).cached, 0);
                assert_int_equal(stats_of(setup.slab).gets, 10 * (i + 1));
                assert_int_equal(par_slab_put(setup.slab, *object), 0); /* another's */
                slab_cache_empty(setup.slab, true);
                free(object);
        }
        end(&setup);
}

/* More threads than a set has places: some go without a cache. */
#define CROWD 200

struct crowd {
        struct par_slab *slab;
        pthread_barrier_t barrier;
};

static void *be_in_a_crowd(void *data)
{
        struct crowd *crowd = data;
        struct par_object object = get(crowd->slab);

        pthread_barrier_wait(&crowd->barrier);
        assert_int_equal(par_slab_put(crowd->slab, object), 0);
        pthread_barrier_wait(&crowd->barrier);
        return NULL;
}

static void test_slab_bears_any_number_of_threads(void **state)
{
        struct crowd crowd;
        struct setup setup;
        pthread_t threads[CROWD];
        pthread_attr_t small;

        (void)state;
        begin(&setup, 64, NULL);
        crowd.slab = setup.slab;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 256 * KiB);
        pthread_barrier_init(&crowd.barrier, NULL, CROWD);
        for (unsigned i = 0; i < CROWD; i++)
                assert_int_equal(pthread_create(&threads[i], &small, be_in_a_crowd, &crowd), 0);
        for (unsigned i = 0; i < CROWD; i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        pthread_barrier_destroy(&crowd.barrier);
        pthread_attr_destroy(&small);
        assert_int_equal(stats_of(setup.slab).cached, 0);
        assert_int_equal(stats_of(setup.slab).gets, CROWD);
        end(&setup);
}

/* A thread may end while, and after, the slab that it used is destroyed. */
static void *use_and_wait(void *data)
{
        struct crowd *crowd = data;

        (void)par_slab_put(crowd->slab, get(crowd->slab));
        pthread_barrier_wait(&crowd->barrier); /* now it may be destroyed */
        return NULL;
}

static void test_slab_is_destroyed_while_threads_end(void **state)
{
        struct crowd crowd;
        struct setup setup;
        pthread_t threads[8];

        (void)state;
        for (unsigned round = 0; round < 20; round++) {
                begin(&setup, 64, NULL);
                crowd.slab = setup.slab;
                pthread_barrier_init(&crowd.barrier, NULL, ARRAY_SIZE(threads) + 1);
                for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                        assert_int_equal(pthread_create(&threads[i], NULL, use_and_wait, &crowd),
                                         0);
                pthread_barrier_wait(&crowd.barrier);
                end(&setup);
                for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                        assert_int_equal(pthread_join(threads[i], NULL), 0);
                pthread_barrier_destroy(&crowd.barrier);
        }
}

/* ---- a child -------------------------------------------------------------------------------- */

/* Return: what all calls say, where it is the same. */
static int use_as_child(void *data)
{
        struct setup *setup = data;
        struct par_slab *slab = setup->slab;
        struct par_object object;
        struct par_slab_stats stats;
        uint64_t bytes;
        int r;

        r = par_slab_get(slab, &object);
        if (object.data || r != par_slab_get_bulk(slab, &object, 1) ||
            r != par_slab_put(slab, object) || r != par_slab_put_bulk(slab, &object, 1) ||
            r != par_slab_reserve(slab, 1) || r != par_slab_trim(slab, &bytes) ||
            r != par_slab_stats(slab, &stats) || par_slab_destroy(slab) != 0)
                return -1;
        par_disconnect(setup->par);
        return r;
}

static void test_slab_not_in_a_child(void **state)
{
        struct par_object object;
        struct setup setup;

        (void)state;
        begin(&setup, 64, NULL);
        object = get(setup.slab);
        assert_true(stats_of(setup.slab).cached > 0);
        assert_int_equal(in_child(use_as_child, &setup), -ECHILD);
        assert_true(stats_of(setup.slab).cached > 0);
        assert_int_equal(par_slab_put(setup.slab, object), 0);
        end(&setup);
}

/* The child has its own. */
static int begin_as_child(void *data)
{
        struct setup *setup = data, own;

        par_disconnect(setup->par);
        begin(&own, 64, NULL);
        (void)par_slab_put(own.slab, get(own.slab));
        end(&own);
        return 5;
}

static void test_slab_of_a_childs_own(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup, 64, NULL);
        (void)par_slab_put(setup.slab, get(setup.slab));
#ifndef __SANITIZE_THREAD__ /* which bears no threads in a child of a process that has some */
        assert_int_equal(in_child(begin_as_child, &setup), 5);
#else
        (void)begin_as_child;
#endif
        end(&setup);
}

/* ---- what a cache takes --------------------------------------------------------------------- */

/* struct refusals - what the system does not do */
static struct refusals {
        bool wipe_on_fork, map, note, make_key;
} refuse;

int __real_madvise(void *at, size_t bytes, int advice);
int __wrap_madvise(void *at, size_t bytes, int advice);
int __wrap_madvise(void *at, size_t bytes, int advice)
{
        if (advice == MADV_WIPEONFORK && refuse.wipe_on_fork) {
                errno = EINVAL;
                return -1;
        }
        return __real_madvise(at, bytes, advice);
}

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
        if ((flags & MAP_ANONYMOUS) && protection != PROT_NONE && refuse.map) {
                errno = ENOMEM;
                return MAP_FAILED;
        }
        return __real_mmap(at, bytes, protection, flags, fd, offset);
}

int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
        return refuse.note ? ENOMEM : __real_pthread_setspecific(key, value);
}

int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *value));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *value));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *value))
{
        return refuse.make_key ? EAGAIN : __real_pthread_key_create(key, destructor);
}

static const struct {
        const char *name;
        struct refusals refuse;
} lacks[] = {
        { "memory that a child finds cleared", { .wipe_on_fork = true } },
        { "address space", { .map = true } },
        { "being told of the thread's end", { .note = true } },
};

/* Then there are no caches, and everything else is as it was. */
static void test_slab_without_what_a_cache_takes(void **state)
{
        struct par_object object;
        struct setup setup;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lacks); i++) {
                print_message("%s\n", lacks[i].name);
                refuse = lacks[i].refuse;
                begin(&setup, 64, NULL);
                object = get(setup.slab);
                assert_int_equal(par_slab_put(setup.slab, object), 0);
                assert_int_equal(stats_of(setup.slab).cached, 0);
                refuse.map = false; /* the test itself takes some */
                assert_int_equal(in_child(use_as_child, &setup), -ECHILD);
                end(&setup);
                refuse = (struct refusals){ 0 };
        }
}

static void test_slab_without_a_key(void **state)
{
        struct setup setup;

        (void)state;
        begin_with(&setup, NULL);
        refuse.make_key = true;
        assert_int_equal(par_slab_create(setup.par, 64, NULL, NULL, &setup.slab), -EAGAIN);
        assert_null(setup.slab);
        assert_string_not_equal(par_error(NULL), "");
        refuse.make_key = false;
        assert_int_equal(par_slab_create(setup.par, 64, NULL, NULL, &setup.slab), 0);
        end(&setup);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void test_slab_says_what_leaked(void **state)
{
        const struct par_slab_options options = { .flags = PAR_SLAB_DEBUG, .label = "packets" };
        struct par_object objects[3];
        struct par_slab_leak leaks[2];
        struct setup setup;
        size_t n;

        (void)state;
        begin(&setup, 64, &options);
        for (size_t i = 0; i < 3; i++)
                objects[i] = get(setup.slab);
        assert_int_equal(par_slab_put(setup.slab, objects[1]), 0);
        assert_int_equal(par_slab_get_bulk(setup.slab, &objects[1], 1), 0);
        assert_int_equal(par_slab_leaks(setup.slab, leaks, 2, &n), 0);
        assert_int_equal(n, 3);
        assert_non_null(leaks[0].object.data);
        assert_non_null(leaks[0].caller);
        assert_int_equal(par_slab_put(setup.slab, objects[1]), 0);
        assert_int_equal(par_slab_put(setup.slab, objects[2]), 0);
        assert_int_equal(par_slab_leaks(setup.slab, leaks, 2, &n), 0);
        assert_int_equal(n, 1);
        assert_ptr_equal(leaks[0].object.data, objects[0].data);
        assert_int_equal(par_slab_leaks(setup.slab, NULL, 0, &n), 0);
        assert_int_equal(par_slab_destroy(setup.slab), 1);
        assert_int_equal(setup.logged, 2);
        assert_non_null(strstr(setup.log, "test_slab+0x"));
        par_disconnect(setup.par);
        mock_stop(setup.mock);
}

static void test_slab_ends_with_its_connection(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup, 64, NULL);
        (void)get(setup.slab);
        par_disconnect(setup.par);
        mock_stop(setup.mock);
}

/* ---- mistakes ------------------------------------------------------------------------------- */

static void put_twice(struct par_slab *slab, struct par_object object)
{
        assert_int_equal(par_slab_put(slab, object), 0);
        assert_int_equal(par_slab_put(slab, object), -EALREADY);
}

static void put_the_middle(struct par_slab *slab, struct par_object object)
{
        struct par_object middle = { (char *)object.data + 8, object.dma + 8 };

        assert_int_equal(par_slab_put(slab, middle), -EFAULT);
        assert_int_equal(par_slab_put(slab, object), 0);
}

static void put_a_strangers(struct par_slab *slab, struct par_object object)
{
        struct par_object stranger = { &stranger, object.dma };

        assert_int_equal(par_slab_put(slab, stranger), -EFAULT);
        assert_int_equal(par_slab_put(slab, (struct par_object){ 0 }), -EFAULT);
        assert_int_equal(par_slab_put(slab, object), 0);
}

static void put_with_another_address(struct par_slab *slab, struct par_object object)
{
        struct par_object other = { object.data, object.dma + 64 };

        assert_int_equal(par_slab_put(slab, other), -EFAULT);
        assert_int_equal(par_slab_put(slab, object), 0);
}

static void write_behind_it(struct par_slab *slab, struct par_object object)
{
        ((char *)object.data)[100] = 1;
        assert_int_equal(par_slab_put(slab, object), -EUCLEAN);
        assert_non_null(strstr(par_error(NULL), "0 bytes behind the end"));
        assert_int_equal(par_slab_put(slab, object), -EALREADY);
}

static void write_far_behind_it(struct par_slab *slab, struct par_object object)
{
        ((char *)object.data)[100 + 63] = 0;
        assert_int_equal(par_slab_put(slab, object), -EUCLEAN);
        assert_non_null(strstr(par_error(NULL), "63 bytes behind the end"));
}

static void write_after_put(struct par_slab *slab, struct par_object object)
{
        struct par_object again;

        assert_int_equal(par_slab_put(slab, object), 0);
        ((char *)object.data)[99] = 5;
        assert_int_equal(par_slab_get(slab, &again), -EUCLEAN);
        assert_null(again.data);
        assert_non_null(strstr(par_error(NULL), "at offset 99 after it was put"));
        assert_int_equal(par_slab_get(slab, &again), 0); /* another one */
        assert_ptr_not_equal(again.data, object.data);
        assert_int_equal(par_slab_put(slab, again), 0);
}

static void one_of_several(struct par_slab *slab, struct par_object object)
{
        struct par_object three[3] = { { &three, 1 }, object, get(slab) };

        assert_int_equal(par_slab_put_bulk(slab, three, 3), -EFAULT);
        assert_non_null(strstr(par_error(NULL), "no object of this slab"));
        assert_int_equal(par_slab_put(slab, three[1]), -EALREADY); /* the others were put */
        assert_int_equal(par_slab_put(slab, three[2]), -EALREADY);
        ((char *)object.data)[0] = 5;
        assert_int_equal(par_slab_get_bulk(slab, three, 3), -EUCLEAN);
        assert_int_equal(stats_of(slab).in_use, 0);
}

static const struct {
        const char *name;
        void (*make)(struct par_slab *slab, struct par_object object);
        unsigned damaged;
} mistakes[] = {
        { "put twice", put_twice, 0 },
        { "put from its middle on", put_the_middle, 0 },
        { "put of what is no object", put_a_strangers, 0 },
        { "put with another address", put_with_another_address, 0 },
        { "written just behind it", write_behind_it, 1 },
        { "written as far behind it as is looked at", write_far_behind_it, 1 },
        { "written after it was put", write_after_put, 1 },
        { "one of several", one_of_several, 1 },
};

static void test_slab_finds_mistakes(void **state)
{
        const struct par_slab_options options = { .flags = PAR_SLAB_DEBUG };
        struct setup setup;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
                print_message("%s\n", mistakes[i].name);
                begin(&setup, 100, &options);
                mistakes[i].make(setup.slab, get(setup.slab));
                assert_int_equal(stats_of(setup.slab).damaged, mistakes[i].damaged);
                assert_int_equal(stats_of(setup.slab).in_use, 0);
                assert_int_equal(par_slab_trim(setup.slab, NULL), 0);
                assert_int_equal(stats_of(setup.slab).buffers, mistakes[i].damaged);
                end(&setup);
        }
}

/* Without PAR_SLAB_DEBUG mistakes are not noticed, but they do not write where they must not. */
static void test_slab_bears_what_was_put_too_often(void **state)
{
        const struct par_slab_options options = { .flags = PAR_SLAB_UNCACHED,
                                                  .buffer_bytes = PAGE };
        struct par_object object;
        struct setup setup;

        (void)state;
        begin(&setup, 64, &options);
        assert_int_equal(par_slab_reserve(setup.slab, 3 * PAGE / 64), 0);
        object = get(setup.slab);
        for (unsigned i = 0; i < 3000; i++)
                assert_int_equal(par_slab_put(setup.slab, object), 0);
        /* The list is full of what there is not, and has room for those of one more buffer. */
        assert_int_equal(setup.slab->n_idle, setup.slab->idle_room);
        assert_int_equal(par_slab_reserve(setup.slab, setup.slab->objects + 1), 0);
        assert_true(setup.slab->n_idle <= setup.slab->idle_room);
        object.data = &object;
        assert_int_equal(par_slab_put(setup.slab, object), 0);
        assert_int_equal(par_slab_trim(setup.slab, NULL), 0);
        (void)par_slab_destroy(setup.slab);
        par_disconnect(setup.par);
        mock_stop(setup.mock);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_slab_arguments),
                cmocka_unit_test(test_slab_takes_nothing_for_an_answer),
                cmocka_unit_test(test_slab_objects_are_apart),
                cmocka_unit_test(test_slab_bulks_of_all_sizes),
                cmocka_unit_test(test_slab_never_has_more_than_its_limit),
                cmocka_unit_test(test_slab_forwards_refusals),
                cmocka_unit_test(test_slab_asks_for_less_where_much_is_not_to_be_had),
                cmocka_unit_test(test_slab_trim_gives_back_what_is_not_used),
                cmocka_unit_test(test_slab_grows_by_more_and_more),
                cmocka_unit_test(test_slab_of_a_buffer),
                cmocka_unit_test(test_slab_without_memory),
                cmocka_unit_test(test_slab_has_back_what_a_thread_kept),
                cmocka_unit_test(test_slab_bears_any_number_of_threads),
                cmocka_unit_test(test_slab_is_destroyed_while_threads_end),
                cmocka_unit_test(test_slab_not_in_a_child),
                cmocka_unit_test(test_slab_of_a_childs_own),
                cmocka_unit_test(test_slab_without_what_a_cache_takes),
                cmocka_unit_test(test_slab_without_a_key),
                cmocka_unit_test(test_slab_says_what_leaked),
                cmocka_unit_test(test_slab_ends_with_its_connection),
                cmocka_unit_test(test_slab_finds_mistakes),
                cmocka_unit_test(test_slab_bears_what_was_put_too_often),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
