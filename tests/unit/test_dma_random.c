/* SPDX-License-Identifier: MIT */
/*
 * Random mappings against a model: for each a plain array of what the device has to see, and one of
 * what the program has to. The device writes through par_dma_pointer().
 *
 *     test_dma_random [STEPS]      default: 100,000, in one thread; a tenth of it in each of four
 */
#include "handle.h"

#include "macros.h"
#include "mock_server.h"
#include "random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAPPINGS     24
#define BYTES_MAX    20000
#define BUFFER_BYTES (2 * MiB)

static unsigned long steps = 100000;

/**
 * struct entry - a mapping and its model
 * @memory: the program's, @length bytes
 * @here, @there: what the program, and the device, has to see. The same memory where nothing is
 *          copied, @direct: then only @here counts
 * @own:    @memory is of malloc()
 * @known:  bytes that are not the same as anywhere else, but undefined, are not compared
 */
struct entry {
        struct par_mapping mapping;
        enum par_direction direction;
        uint32_t flags;
        bool direct, own;
        size_t length;
        unsigned char *memory, *here, *there;
        bool *known;
};

/* struct world - of one thread: a device that others use as well */
struct world {
        struct par *par;
        struct par_device *device;
        struct random random;
        unsigned char *buffer; /* of pard's, a part of its own for each mapping */
        struct entry all[MAPPINGS];
        uint64_t done[8];
};

/* ---- one mapping ---------------------------------------------------------------------------- */

static unsigned char *seen_at(struct world *world, const struct entry *entry, size_t offset)
{
        const struct par_segment *segments;
        const size_t n = par_mapping_segments(&entry->mapping, &segments);
        void *at = NULL;

        for (size_t i = 0; i < n; i++) {
                if (offset < segments[i].offset ||
                    offset - segments[i].offset >= segments[i].length)
                        continue;
                if (par_dma_pointer(world->par, world->device,
                                    segments[i].dma + (offset - segments[i].offset), &at, NULL))
                        fail_msg("%s", par_error(NULL));
        }
        assert_non_null(at);
        return at;
}

static void compare(struct world *world, const struct entry *entry)
{
        assert_memory_equal(entry->memory, entry->here, entry->length);
        for (size_t i = 0; i < entry->length; i += 1 + random_below(&world->random, 700)) {
                if (entry->direct)
                        assert_ptr_equal(seen_at(world, entry, i), entry->memory + i);
                else if (entry->known[i])
                        assert_int_equal(*seen_at(world, entry, i), entry->there[i]);
        }
}

static void begin_entry(struct world *world, struct entry *entry, size_t i)
{
        static const uint32_t flags[] = { 0, 0, 0, PAR_MAP_OVERWRITE, PAR_MAP_SKIP_SYNC };
        struct random *random = &world->random;
        struct par_map_options options = { .max_segments = (uint32_t)random_below(random, 5) };
        struct iovec list[3];
        size_t pieces = 1 + random_below(random, 3), left;
        int r;

        entry->own = !random_one_in(random, 3);
        entry->direction = (enum par_direction)random_below(random, 3);
        entry->flags = options.flags = flags[random_below(random, ARRAY_SIZE(flags))];
        entry->length = 1 + random_below(random, random_one_in(random, 4) ? BYTES_MAX : 3000);
        entry->memory =
                entry->own ? malloc(entry->length) : world->buffer + i * (BUFFER_BYTES / MAPPINGS);
        assert_non_null(entry->memory);
        for (size_t at = 0; at < entry->length; at++)
                entry->memory[at] = (unsigned char)random_next(random);
        if (random_one_in(random, 3)) {
                entry->flags = 0;
                r = par_map(world->device, entry->memory, entry->length, entry->direction, NULL,
                            &entry->mapping);
        } else if (random_one_in(random, 2)) {
                r = par_map(world->device, entry->memory, entry->length, entry->direction, &options,
                            &entry->mapping);
        } else {
                /* The same memory in pieces: side by side again where the device sees it. */
                left = entry->length;
                for (size_t k = 0; k < pieces; k++) {
                        list[k].iov_base = entry->memory + (entry->length - left);
                        list[k].iov_len = k == pieces - 1 || left < 4
                                                  ? left
                                                  : 1 + random_below(random, left / 2);
                        left -= list[k].iov_len;
                        if (!left)
                                pieces = k + 1;
                }
                options.max_segments = 0;
                r = par_map_sg(world->device, list, pieces, entry->direction, &options,
                               &entry->mapping);
        }
        if (r)
                fail_msg("%s", par_error(NULL));
        entry->direct = !(entry->mapping.flags & PAR_MAPPING_BOUNCED);
        assert_false(entry->own && entry->direct);
        entry->here = malloc(entry->length);
        entry->there = malloc(entry->length);
        entry->known = malloc(entry->length);
        assert_true(entry->here && entry->there && entry->known);
        memcpy(entry->here, entry->memory, entry->length);
        memcpy(entry->there, entry->memory, entry->length);
        memset(entry->known,
               !(entry->flags & PAR_MAP_SKIP_SYNC) &&
                       !(entry->flags & PAR_MAP_OVERWRITE && entry->direction == PAR_FROM_DEVICE),
               entry->length);
        compare(world, entry);
}

/* What is undefined becomes what the program sees. */
static void copy_back(struct entry *entry, size_t offset, size_t length)
{
        if (entry->direct || entry->direction == PAR_TO_DEVICE)
                return;
        for (size_t i = offset; i < offset + length; i++)
                entry->here[i] = entry->known[i] ? entry->there[i] : entry->memory[i];
}

static void end_entry(struct world *world, struct entry *entry)
{
        compare(world, entry);
        assert_int_equal(par_unmap(&entry->mapping), 0);
        if (!(entry->flags & PAR_MAP_SKIP_SYNC))
                copy_back(entry, 0, entry->length);
        assert_memory_equal(entry->memory, entry->here, entry->length);
        if (entry->own)
                free(entry->memory);
        free(entry->here);
        free(entry->there);
        free(entry->known);
        *entry = (struct entry){ .length = 0 };
}

/* ---- what happens to it --------------------------------------------------------------------- */

static void pick(struct world *world, const struct entry *entry, size_t *offset, size_t *length)
{
        *offset = random_below(&world->random, entry->length);
        *length = 1 + random_below(&world->random, entry->length - *offset);
}

static void device_writes(struct world *world, struct entry *entry)
{
        size_t offset, length;

        pick(world, entry, &offset, &length);
        length = length > 300 ? 300 : length;
        for (size_t i = offset; i < offset + length; i++) {
                const unsigned char byte = (unsigned char)random_next(&world->random);

                *seen_at(world, entry, i) = byte;
                (entry->direct ? entry->here : entry->there)[i] = byte;
                entry->known[i] = true;
        }
}

static void program_writes(struct world *world, struct entry *entry)
{
        size_t offset, length;

        pick(world, entry, &offset, &length);
        for (size_t i = offset; i < offset + length; i++)
                entry->memory[i] = entry->here[i] = (unsigned char)random_next(&world->random);
}

static void sync(struct world *world, struct entry *entry, bool for_device)
{
        size_t offset, length;

        pick(world, entry, &offset, &length);
        if (for_device) {
                assert_int_equal(par_sync_for_device(&entry->mapping, offset, length), 0);
                if (entry->direct || entry->direction == PAR_FROM_DEVICE)
                        return;
                memcpy(entry->there + offset, entry->here + offset, length);
                memset(entry->known + offset, true, length);
                return;
        }
        assert_int_equal(par_sync_for_cpu(&entry->mapping, offset, length), 0);
        copy_back(entry, offset, length);
}

static void step(struct world *world)
{
        const size_t i = random_below(&world->random, MAPPINGS);
        struct entry *entry = &world->all[i];
        const uint64_t what = random_below(&world->random, 8);
        uint64_t bytes;

        world->done[what]++;
        if (!entry->length) {
                begin_entry(world, entry, i);
                return;
        }
        switch (what) {
        case 0: device_writes(world, entry); break;
        case 1: program_writes(world, entry); break;
        case 2: sync(world, entry, true); break;
        case 3: sync(world, entry, false); break;
        case 4: compare(world, entry); break;
        case 5:
                if (random_one_in(&world->random, 50))
                        assert_int_equal(par_bounce_trim(world->device, &bytes), 0);
                break;
        default: end_entry(world, entry);
        }
}

/* ---- worlds --------------------------------------------------------------------------------- */

static void live(struct world *world, unsigned long count)
{
        struct par_buffer *buffer;

        assert_int_equal(par_alloc(world->par, BUFFER_BYTES, NULL, NULL, &buffer), 0);
        world->buffer = par_buffer_data(buffer);
        for (unsigned long i = 0; i < count; i++)
                step(world);
        for (size_t i = 0; i < MAPPINGS; i++)
                if (world->all[i].length)
                        end_entry(world, &world->all[i]);
        par_free(buffer);
}

static void *live_in_thread(void *data)
{
        live(data, steps / 10);
        return NULL;
}

/* One device for all, which keeps the lower 9 bits, and takes 64 KiB at once. */
static void spoil(struct mock *mock, struct mock_reply *reply)
{
        static Wire__Constraint limits;
        Wire__Reply *body = reply->packet->reply;

        (void)mock;
        if (body->body_case != WIRE__REPLY__BODY_DEVICE_OPEN)
                return;
        wire__constraint__init(&limits);
        limits.boundary = 64 * KiB;
        body->device_open->limits = &limits;
        body->device_open->start_align = 1;
        body->device_open->min_align_mask = 511;
}

static void run(size_t threads)
{
        struct mock_settings settings = { .page_bytes = 2 * MiB, .spoil = spoil };
        struct mock *mock = mock_start(&settings);
        const struct par_map_setup few = { .idle_ms = 1 };
        static struct world worlds[4];
        struct par_map_stats stats;
        struct par_device *device;
        pthread_t ids[4];
        struct par *par;

        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
        assert_int_equal(par_device_open(par, "capture0", &device), 0);
        assert_int_equal(par_map_setup(device, &few), 0);
        for (size_t i = 0; i < threads; i++)
                worlds[i] = (struct world){ .par = par, .device = device, .random = { i + 1 } };
        if (threads == 1)
                live(&worlds[0], steps);
        for (size_t i = 0; i < threads && threads > 1; i++)
                assert_int_equal(pthread_create(&ids[i], NULL, live_in_thread, &worlds[i]), 0);
        for (size_t i = 0; i < threads && threads > 1; i++)
                pthread_join(ids[i], NULL);
        assert_int_equal(par_map_stats(device, &stats), 0);
        assert_int_equal(stats.used_bytes, 0);
        assert_true(stats.bounces > steps / 30);
        assert_int_equal(stats.failures, 0);
        par_disconnect(par);
        mock_stop(mock);
}

static void test_random_mappings(void **state)
{
        (void)state;
        run(1);
}

static void test_random_mappings_of_four_threads(void **state)
{
        (void)state;
        run(4);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random_mappings),
                cmocka_unit_test(test_random_mappings_of_four_threads),
        };

        if (getenv("PAR_UNDER_VALGRIND"))
                steps = 10000;
        if (argc > 1)
                steps = strtoul(argv[1], NULL, 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
