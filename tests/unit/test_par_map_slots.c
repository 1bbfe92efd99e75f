/* SPDX-License-Identifier: MIT */
/* Slots of streaming mappings: more and less of them, who uses them, and what happens to them. */
#include "clock.h"
#include "heap.h"
#include "in_child.h"
#include "map_setup.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

/* ---- more slots, and less ------------------------------------------------------------------- */

static void test_atomic_never_asks_pard(void **state)
{
        const struct par_map_options atomic = { .flags = PAR_MAP_ATOMIC };
        struct par_mapping mapping;
        struct setup setup;
        char plain[100] = "";
        size_t requests;

        (void)state;
        begin(&setup);
        requests = mock_counts(setup.mock).requests;
        assert_int_equal(par_map(setup.device, plain, 100, PAR_TO_DEVICE, &atomic, &mapping),
                         -PAR_EXHAUSTED);
        assert_false(par_is_permanent(-PAR_EXHAUSTED));
        assert_string_equal(par_error(NULL),
                            "2048 bytes of slots to bounce through for device capture0: 0 of 0 are "
                            "in use; PAR_MAP_ATOMIC asks pard for no more, par_bounce_reserve() "
                            "does");
        assert_int_equal(stats_of(setup.device).failures, 1);
        assert_int_equal(mock_counts(setup.mock).requests, requests);

        /* What was missing is there then. */
        assert_int_equal(par_bounce_reserve(setup.device, 0), 0);
        assert_int_equal(stats_of(setup.device).growths, 1);
        assert_int_equal(par_bounce_reserve(setup.device, 0), 0);
        assert_int_equal(stats_of(setup.device).growths, 1);
        requests = mock_counts(setup.mock).requests;
        map(&setup, plain, 100, PAR_TO_DEVICE, &atomic, &mapping);
        assert_int_equal(par_unmap(&mapping), 0);
        assert_int_equal(mock_counts(setup.mock).requests, requests);
        end(&setup);
}

static void test_bounce_up_to_its_limit(void **state)
{
        const struct par_map_setup few = { .bounce_bytes_max = 64 * KiB };
        struct par_mapping mappings[33];
        struct setup setup;
        char plain[2048];

        (void)state;
        begin(&setup);
        assert_int_equal(par_map_setup(setup.device, &few), 0);
        assert_int_equal(par_bounce_reserve(setup.device, 65 * KiB), -PAR_QUOTA);
        for (size_t i = 0; i < 32; i++)
                map(&setup, plain, 2048, PAR_TO_DEVICE, NULL, &mappings[i]);
        assert_int_equal(par_map(setup.device, plain, 2048, PAR_TO_DEVICE, NULL, &mappings[32]),
                         -PAR_EXHAUSTED);
        assert_string_equal(par_error(NULL),
                            "2048 bytes of slots to bounce through for device capture0: 65536 of "
                            "65536 are in use; there may be no more of them");
        assert_int_equal(stats_of(setup.device).used_bytes, 64 * KiB);

        /* So much is free, but not side by side. */
        for (size_t i = 0; i < 32; i += 2)
                assert_int_equal(par_unmap(&mappings[i]), 0);
        assert_int_equal(par_map(setup.device, plain, 2049, PAR_TO_DEVICE, NULL, &mappings[32]),
                         -PAR_FRAGMENTED);
        assert_non_null(strstr(par_error(NULL), "32768 of 65536 are in use, and so much is not "
                                                "free side by side"));
        map(&setup, plain, 2048, PAR_TO_DEVICE, NULL, &mappings[0]);
        assert_int_equal(par_unmap(&mappings[0]), 0);
        for (size_t i = 1; i < 32; i += 2)
                assert_int_equal(par_unmap(&mappings[i]), 0);
        end(&setup);
}

/* It is refused, or had, but never tried for ever: an alarm would end it. */
static void test_reserve_comes_to_an_end(void **state)
{
        static const struct {
                const char *name;
                size_t most, first, reserve;
                int result;
        } cases[] = {
                { "all there may be", 64 * KiB, 0, 64 * KiB, 0 },
                { "a limit that is no multiple of pages", 5000, 0, 5000, -PAR_QUOTA },
                { "within it", 5000, 0, 4096, 0 },
                { "less than a page", 4095, 0, 1, -PAR_QUOTA },
                { "as many buffers as there may be", 256 * MiB, 0, 128 * MiB, 0 },
                { "more", 256 * MiB, 0, 128 * MiB + 1, -PAR_QUOTA },
                { "some of which are small", 128 * MiB, 1, 128 * MiB, -PAR_EXHAUSTED },
        };
        struct par_mapping mapping;
        struct setup setup;
        char plain[10] = "";

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct par_map_setup most = { .bounce_bytes_max = cases[i].most };

                print_message("%s\n", cases[i].name);
                begin(&setup);
                assert_int_equal(par_map_setup(setup.device, &most), 0);
                if (cases[i].first) {
                        map(&setup, plain, 10, PAR_TO_DEVICE, NULL, &mapping);
                        assert_int_equal(par_unmap(&mapping), 0);
                }
                alarm(60);
                assert_int_equal(par_bounce_reserve(setup.device, cases[i].reserve),
                                 cases[i].result);
                alarm(0);
                if (!cases[i].result)
                        assert_true(stats_of(setup.device).slot_bytes >= cases[i].reserve);
                /* What was had stays. */
                if (cases[i].result == -PAR_EXHAUSTED)
                        assert_int_equal(stats_of(setup.device).slot_bytes, 126 * MiB + 256 * KiB);
                assert_int_equal(stats_of(setup.device).shrinks, 0);
                end(&setup);
        }
}

/* What is more than all slots together never fits: nobody waits for that. */
static void test_longest_is_within_the_limit(void **state)
{
        const struct par_map_setup few = { .bounce_bytes_max = 64 * KiB };
        unsigned char *plain = calloc(1, 64 * KiB + 1);
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(par_map_setup(setup.device, &few), 0);
        assert_int_equal(par_device_max_mapping(setup.device), 64 * KiB);
        assert_int_equal(par_map(setup.device, plain, 64 * KiB + 1, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_NEVER_FITS);
        map(&setup, plain, 64 * KiB, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(par_unmap(&mapping), 0);
        free(plain);
        end(&setup);
}

/* Slots have a label: of the device's name, as far as there is room. */
static void test_slots_of_a_device_of_a_long_name(void **state)
{
        char name[80] = "";
        struct par_mapping mapping;
        struct setup setup;
        char plain = 0;

        (void)state;
        for (size_t i = 36; i <= 40; i++) {
                say_nothing();
                memset(name, 'x', i);
                snprintf(name + i, sizeof(name) - i, "\xe2\x82\xac\xe2\x82\xac");
                said.name = name;
                begin_as_said(&setup);
                map(&setup, &plain, 1, PAR_TO_DEVICE, NULL, &mapping);
                assert_int_equal(par_unmap(&mapping), 0);
                end(&setup);
        }
}

static void refuse(struct setup *setup, uint32_t result)
{
        struct mock_settings settings = { .page_bytes = PAGE, .spoil = spoil, .refuse = result };

        mock_change(setup->mock, &settings);
}

static void test_bounce_where_pard_has_nothing(void **state)
{
        struct par_mapping mapping;
        struct setup setup;
        char plain[10] = "";

        (void)state;
        begin(&setup);
        refuse(&setup, PAR_NEVER_FITS);
        assert_int_equal(par_map(setup.device, plain, 10, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_NEVER_FITS);
        assert_true(par_is_permanent(-PAR_NEVER_FITS));
        assert_string_equal(par_error(NULL), "the mock refuses");
        refuse(&setup, PAR_EXHAUSTED);
        assert_int_equal(par_map(setup.device, plain, 10, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_EXHAUSTED);
        assert_int_equal(stats_of(setup.device).failures, 2);
        refuse(&setup, 0);
        map(&setup, plain, 10, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(par_unmap(&mapping), 0);
        mock_hang_up(setup.mock);
        map(&setup, plain, 10, PAR_TO_DEVICE, NULL, &mapping); /* what is there goes on */
        assert_int_equal(par_unmap(&mapping), 0);
        par_disconnect(setup.par);
        mock_stop(setup.mock);
}

/* What was missing is missing until it is had. */
static void test_reserve_remembers_what_was_missing(void **state)
{
        const struct par_map_options atomic = { .flags = PAR_MAP_ATOMIC };
        struct par_mapping mapping;
        struct setup setup;
        char plain[10] = "";

        (void)state;
        begin(&setup);
        assert_int_equal(par_map(setup.device, plain, 10, PAR_TO_DEVICE, &atomic, &mapping),
                         -PAR_EXHAUSTED);
        refuse(&setup, PAR_EXHAUSTED);
        assert_int_equal(par_bounce_reserve(setup.device, 0), -PAR_EXHAUSTED);
        refuse(&setup, 0);
        assert_int_equal(par_bounce_reserve(setup.device, 0), 0);
        map(&setup, plain, 10, PAR_TO_DEVICE, &atomic, &mapping);
        assert_int_equal(par_unmap(&mapping), 0);
        end(&setup);
}

#define IDLE_MS 1000
#define TRIES   10 /* of what is seen only where this process is not stopped for long */

/* All slots that @device has, after a mapping at a place where there was none: it looks. */
static uint64_t slots_left(struct setup *setup, const struct par_map_options *place)
{
        struct par_mapping mapping;
        char plain[10] = "";

        map(setup, plain, sizeof(plain), PAR_TO_DEVICE, place, &mapping);
        assert_int_equal(par_unmap(&mapping), 0);
        return stats_of(setup->device).slot_bytes;
}

/* Return: whether what was just asked for could be looked at before it was idle for too long. */
static bool asked_for_just_now(struct setup *setup, const struct par_map_options *place)
{
        uint64_t start_ms, left;

        usleep((IDLE_MS + 100) * 1000);
        start_ms = now_ms();
        assert_int_equal(par_bounce_reserve(setup->device, 4 * MiB), 0);
        left = slots_left(setup, place);
        if (now_ms() - start_ms >= IDLE_MS)
                return false;
        assert_int_equal(left, 4 * MiB);
        return true;
}

/* The same of what was in use. */
static bool was_in_use(struct setup *setup, const struct par_map_options places[3])
{
        unsigned char *plain = calloc(1, 2 * MiB);
        struct par_mapping mappings[2];
        uint64_t start_ms, left;

        for (size_t i = 0; i < ARRAY_SIZE(mappings); i++)
                map(setup, plain, 2 * MiB, PAR_TO_DEVICE, &places[i], &mappings[i]);
        usleep((IDLE_MS + 100) * 1000);
        start_ms = now_ms();
        for (size_t i = 0; i < ARRAY_SIZE(mappings); i++)
                assert_int_equal(par_unmap(&mappings[i]), 0);
        left = slots_left(setup, &places[2]);
        free(plain);
        if (now_ms() - start_ms >= IDLE_MS)
                return false;
        assert_int_equal(left, 4 * MiB);
        return true;
}

/* Nothing goes for being idle that was asked for just now, or was in use. */
static void test_idle_is_what_nobody_wants(void **state)
{
        static const struct par_map_options places[] = {
                { .label = "a" }, { .label = "b" }, { .label = "c" },
                { .label = "d" }, { .label = "e" },
        };
        const struct par_map_setup quick = { .idle_ms = IDLE_MS };
        bool seen = false;
        struct setup setup;

        (void)state;
        for (int i = 0; i < TRIES && !seen; i++) {
                begin(&setup);
                assert_int_equal(par_map_setup(setup.device, &quick), 0);
                assert_int_equal(par_bounce_reserve(setup.device, 4 * MiB), 0);
                assert_int_equal(stats_of(setup.device).growths, 2);
                (void)slots_left(&setup, &places[0]); /* a place's first one looks */
                seen = asked_for_just_now(&setup, &places[1]) && was_in_use(&setup, &places[2]);
                end(&setup);
        }
        assert_true(seen);
}

static void test_bounce_grows_and_shrinks(void **state)
{
        const struct par_map_setup quick = { .idle_ms = 1 };
        struct par_mapping mapping, mappings[4];
        unsigned char *plain = malloc(MiB);
        struct par_map_stats stats;
        struct setup setup;
        uint64_t bytes;

        (void)state;
        begin(&setup);
        assert_int_equal(par_map_setup(setup.device, &quick), 0);
        assert_int_equal(par_bounce_reserve(setup.device, 3 * MiB), 0);
        assert_true(stats_of(setup.device).slot_bytes >= 3 * MiB);
        map(&setup, plain, 10, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(par_bounce_trim(setup.device, &bytes), 0);
        assert_true(bytes > 0);
        stats = stats_of(setup.device);
        assert_true(stats.slot_bytes < 3 * MiB && stats.slot_bytes > 0);
        assert_int_equal(mock_counts(setup.mock).buffers, 1);
        assert_int_equal(par_unmap(&mapping), 0);

        for (size_t i = 0; i < 4; i++)
                map(&setup, plain, MiB, PAR_TO_DEVICE, NULL, &mappings[i]);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(par_unmap(&mappings[i]), 0);
        assert_true(mock_counts(setup.mock).buffers > 1);
        /* By themselves, while something is going on. */
        while (mock_counts(setup.mock).buffers > 1) {
                map(&setup, plain, 10, PAR_TO_DEVICE, NULL, &mapping);
                assert_int_equal(par_unmap(&mapping), 0);
        }
        assert_int_equal(par_bounce_trim(setup.device, &bytes), 0);
        stats = stats_of(setup.device);
        assert_int_equal(stats.slot_bytes, 0);
        assert_int_equal(stats.growths, stats.shrinks);
        assert_int_equal(mock_counts(setup.mock).buffers, 0);
        free(plain);
        end(&setup);
}

/* Each allocation fails once: nothing is left of what was half done. */
static void test_mapping_without_memory(void **state)
{
        unsigned char *plain = calloc(1, 4 * MiB);
        struct par_mapping mapping;
        struct iovec list[3];
        struct setup setup;
        unsigned failed = 0;
        int r;

        (void)state;
        begin(&setup);
        assert_int_equal(par_bounce_reserve(setup.device, 2 * MiB), 0);
        for (size_t i = 0; i < 3; i++)
                list[i] = (struct iovec){ plain + i * MiB, 300 * KiB };
        for (unsigned long n = 1;; n++) {
                heap_fail(n, n);
                r = par_map_sg(setup.device, list, 3, PAR_TO_DEVICE, NULL, &mapping);
                if (!heap_mend())
                        break;
                if (r) {
                        failed++;
                        assert_int_equal(mapping.n_segments, 0);
                }
                assert_int_equal(par_unmap(&mapping), 0);
                assert_int_equal(stats_of(setup.device).used_bytes, 0);
        }
        assert_int_equal(r, 0);
        assert_int_equal(failed, 3);
        assert_int_equal(par_unmap(&mapping), 0);
        free(plain);
        end(&setup);
}

/* ---- who bounces ---------------------------------------------------------------------------- */

static void test_sites_tell_who_bounces(void **state)
{
        const struct par_map_options named = { .label = "rx" };
        struct par_map_site sites[SITES_MAX];
        struct par_mapping mapping;
        struct setup setup;
        char plain[100] = "";
        size_t n;

        (void)state;
        begin(&setup);
        for (unsigned i = 0; i < 10; i++) {
                assert_int_equal(par_map(setup.device, plain, 100, PAR_TO_DEVICE, NULL, &mapping),
                                 0);
                assert_int_equal(par_unmap(&mapping), 0);
        }
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(
                        par_map(setup.device, plain, 50, PAR_FROM_DEVICE, &named, &mapping), 0);
                assert_int_equal(par_unmap(&mapping), 0);
        }
        assert_int_equal(par_map_sites(setup.device, sites, 1, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(par_map_sites(setup.device, sites, SITES_MAX, &n), 0);
        assert_int_equal(n, 2);
        for (size_t i = 0; i < n; i++) {
                if (sites[i].label) {
                        assert_string_equal(sites[i].label, "rx");
                        assert_null(sites[i].caller);
                        assert_int_equal(sites[i].bounces, 3);
                        assert_int_equal(sites[i].bytes_in, 150);
                        assert_int_equal(sites[i].bytes_out, 150);
                } else {
                        assert_in_range((uintptr_t)sites[i].caller,
                                        (uintptr_t)test_sites_tell_who_bounces,
                                        (uintptr_t)test_sites_tell_who_bounces + 16384);
                        assert_int_equal(sites[i].bounces, 10);
                        assert_int_equal(sites[i].bytes_in, 1000);
                        assert_int_equal(sites[i].bytes_out, 0);
                }
        }
        end(&setup);
}

/* What events said of the slots of a mapping. */
static unsigned mapping_news(const struct par_mapping *mapping)
{
        struct par_buffer *buffer = buffers_first(&mapping->device->par->buffers);
        const struct bounce_chunk *chunk = atomic_load(&buffer->bounce);

        return atomic_load(&chunk->news);
}

/* ---- what happens to slots ------------------------------------------------------------------ */

static struct par_buffer *slots_of(struct setup *setup)
{
        struct par_buffer *buffer = buffers_first(&setup->par->buffers);

        assert_non_null(buffer);
        assert_ptr_equal(par_buffer_bounces(buffer), setup->device);
        return buffer;
}

static void test_slots_cannot_be_freed_by_others(void **state)
{
        struct par_mapping mapping;
        struct setup setup;
        char plain[10] = "";

        (void)state;
        begin(&setup);
        map(&setup, plain, 10, PAR_TO_DEVICE, NULL, &mapping);
        par_free(slots_of(&setup));
        assert_non_null(strstr(setup.log, "holds slots: it is freed with the last"));
        setup.log[0] = '\0';
        assert_int_equal(mock_counts(setup.mock).buffers, 1);
        assert_int_equal(par_unmap(&mapping), 0);
        end(&setup);
}

static void test_events_of_slots(void **state)
{
        const struct {
                const char *name;
                uint32_t type;
                bool told;
                int result;
        } cases[] = {
                { "moved", PAR_EVENT_MOVED, true, -ESTALE },
                { "poisoned", PAR_EVENT_POISONED, true, -EHWPOISON },
                { "revoked", PAR_EVENT_REVOKED, true, 0 },
                { "draining", PAR_EVENT_DRAINING, false, 0 },
        };
        unsigned char plain[1000];
        struct par_mapping mapping, after;
        struct par_event event;
        struct setup setup;
        int r;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("%s\n", cases[i].name);
                begin(&setup);
                memset(plain, 1, sizeof(plain));
                map(&setup, plain, 1000, PAR_BIDIRECTIONAL, NULL, &mapping);
                memset(seen(&setup, mapping.dma), 2, 1000);
                if (cases[i].type == PAR_EVENT_REVOKED)
                        mock_revoke(setup.mock, true);
                else
                        mock_send_event(setup.mock, cases[i].type, true, 0, PAGE);
                /* The library has to hear of it, whatever the user does. */
                while ((r = par_next_event(setup.par, &event)) == -EAGAIN &&
                       !mapping_news(&mapping))
                        ;
                assert_int_equal(r, cases[i].told ? 0 : -EAGAIN);
                assert_int_equal(par_sync_for_cpu(&mapping, 0, 0), cases[i].result);
                if (cases[i].result)
                        assert_string_not_equal(par_error(NULL), "");

                /* What comes after it lies elsewhere. */
                map(&setup, plain, 10, PAR_TO_DEVICE, NULL, &after);
                assert_int_equal(stats_of(setup.device).growths, 2);
                assert_int_equal(par_unmap(&after), 0);
                assert_int_equal(par_unmap(&mapping), cases[i].result);
                assert_int_equal(plain[0], cases[i].result == -EHWPOISON ? 1 : 2);
                assert_int_equal(stats_of(setup.device).shrinks, 1);
                end(&setup);
        }
}

/* Memory that has failed is no reserve, and nothing of it is free. */
static void test_reserve_is_of_good_memory(void **state)
{
        const struct par_map_options atomic = { .flags = PAR_MAP_ATOMIC };
        unsigned char plain[10] = "";
        struct par_mapping mapping, other;
        struct par_event event;
        struct setup setup;
        uint64_t bytes;

        (void)state;
        begin(&setup);
        map(&setup, plain, 10, PAR_BIDIRECTIONAL, NULL, &mapping);
        bytes = stats_of(setup.device).slot_bytes;
        mock_send_event(setup.mock, PAR_EVENT_POISONED, true, 0, PAGE);
        while (par_next_event(setup.par, &event) == -EAGAIN)
                ;
        assert_int_equal(par_map(setup.device, plain, 10, PAR_TO_DEVICE, &atomic, &other),
                         -PAR_EXHAUSTED);
        assert_int_equal(par_bounce_reserve(setup.device, bytes), 0);
        assert_int_equal(stats_of(setup.device).growths, 2);
        map(&setup, plain, 10, PAR_TO_DEVICE, &atomic, &other);
        assert_int_equal(par_unmap(&other), 0);

        /* Each is told of his own loss. */
        assert_int_equal(par_sync_for_device(&mapping, 0, 0), -EHWPOISON);
        assert_non_null(strstr(par_error(NULL), "nothing can be written there for the device"));
        assert_int_equal(par_unmap(&mapping), -EHWPOISON);
        assert_non_null(strstr(par_error(NULL), "what the device wrote is lost"));
        end(&setup);
}

static void test_slots_that_others_want(void **state)
{
        unsigned char plain[10] = "";
        struct par_mapping mapping;
        struct par_event event;
        struct setup setup;

        (void)state;
        begin(&setup);
        map(&setup, plain, 10, PAR_TO_DEVICE, NULL, &mapping);
        mock_send_event(setup.mock, PAR_EVENT_WANTED, true, 0, PAGE);
        mock_send_event(setup.mock, PAR_EVENT_REVOKED, false, 0, 0);
        while (par_next_event(setup.par, &event) == -EAGAIN)
                ;
        assert_int_equal(event.type, PAR_EVENT_REVOKED); /* the other one before was not told */
        assert_int_equal(mapping_news(&mapping), 0);     /* it is in use */
        assert_int_equal(par_unmap(&mapping), 0);
        assert_int_equal(stats_of(setup.device).shrinks, 0);
        end(&setup);
}

static void test_close_tells_of_what_is_mapped(void **state)
{
        unsigned char plain[10] = "";
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        begin(&setup);
        map(&setup, plain, 10, PAR_TO_DEVICE, NULL, &mapping);
        par_device_close(setup.device);
        assert_string_equal(setup.log, "device capture0 is closed: mappings of 2048 bytes of "
                                       "slots, and 0 in the IOMMU, were not unmapped");
        assert_int_equal(mock_counts(setup.mock).buffers, 0);
        setup.log[0] = '\0';
        assert_int_equal(par_device_open(setup.par, "capture0", &setup.device), 0);
        end(&setup);
}

/* ---- fork ----------------------------------------------------------------------------------- */

struct inherited {
        struct setup *setup;
        struct par_mapping mapping;
};

static int map_in_child(void *data)
{
        struct inherited *inherited = data;
        struct par_device *device = inherited->setup->device;
        struct par_mapping mapping;
        char plain[10] = "";
        int r = 0;

        r |= par_map(device, plain, 10, PAR_TO_DEVICE, NULL, &mapping) != -ECHILD;
        r |= par_sync_for_cpu(&inherited->mapping, 0, 0) != -ECHILD;
        r |= par_unmap(&inherited->mapping) != -ECHILD;
        r |= inherited->mapping.n_segments != 1;
        r |= par_bounce_reserve(device, 0) != -ECHILD;
        r |= par_bounce_trim(device, NULL) != -ECHILD;
        par_device_close(device);
        par_disconnect(inherited->setup->par);
        return r;
}

static void test_not_in_a_child(void **state)
{
        struct inherited inherited;
        struct setup setup;
        char plain[10] = "";

        (void)state;
        begin(&setup);
        inherited.setup = &setup;
        map(&setup, plain, 10, PAR_TO_DEVICE, NULL, &inherited.mapping);
        assert_int_equal(in_child(map_in_child, &inherited), 0);
        assert_int_equal(par_unmap(&inherited.mapping), 0);
        end(&setup);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_atomic_never_asks_pard),
                cmocka_unit_test(test_bounce_up_to_its_limit),
                cmocka_unit_test(test_reserve_comes_to_an_end),
                cmocka_unit_test(test_longest_is_within_the_limit),
                cmocka_unit_test(test_slots_of_a_device_of_a_long_name),
                cmocka_unit_test(test_bounce_where_pard_has_nothing),
                cmocka_unit_test(test_reserve_remembers_what_was_missing),
                cmocka_unit_test(test_idle_is_what_nobody_wants),
                cmocka_unit_test(test_bounce_grows_and_shrinks),
                cmocka_unit_test(test_mapping_without_memory),
                cmocka_unit_test(test_sites_tell_who_bounces),
                cmocka_unit_test(test_slots_cannot_be_freed_by_others),
                cmocka_unit_test(test_events_of_slots),
                cmocka_unit_test(test_reserve_is_of_good_memory),
                cmocka_unit_test(test_slots_that_others_want),
                cmocka_unit_test(test_close_tells_of_what_is_mapped),
                cmocka_unit_test(test_not_in_a_child),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
