/* SPDX-License-Identifier: MIT */
/* Streaming mappings, against a daemon in a thread: what goes through, what is copied, and lists.
 */
#include "map_setup.h"

#include "dma_cut.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

/* ---- arguments ------------------------------------------------------------------------------ */

static void test_map_arguments(void **state)
{
        const struct {
                const char *name;
                size_t length;
                unsigned direction;
                struct par_map_options options;
                int result;
        } cases[] = {
                { "a byte", 1, PAR_TO_DEVICE, { 0 }, 0 },
                { "nothing", 0, PAR_TO_DEVICE, { 0 }, -EINVAL },
                { "more than there is", SIZE_MAX, PAR_TO_DEVICE, { 0 }, -EINVAL },
                { "a direction that is none", 1, 3, { 0 }, -EINVAL },
                { "a flag that is none", 1, PAR_TO_DEVICE, { .flags = 16 }, -EINVAL },
                { "reserved", 1, PAR_TO_DEVICE, { .reserved = { [4] = 1 } }, -EINVAL },
        };
        struct par_mapping mapping;
        struct setup setup;
        char byte = 0;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("%s\n", cases[i].name);
                mapping.n_segments = 1;
                assert_int_equal(par_map(setup.device, &byte, cases[i].length,
                                         (enum par_direction)cases[i].direction, &cases[i].options,
                                         &mapping),
                                 cases[i].result);
                assert_int_equal(mapping.n_segments, cases[i].result ? 0 : 1);
                assert_int_equal(par_unmap(&mapping), 0);
        }
        assert_int_equal(par_map(NULL, &byte, 1, PAR_TO_DEVICE, NULL, &mapping), -EINVAL);
        assert_int_equal(par_map(setup.device, NULL, 1, PAR_TO_DEVICE, NULL, &mapping), -EINVAL);
        assert_int_equal(par_map(setup.device, &byte, 1, PAR_TO_DEVICE, NULL, NULL), -EINVAL);
        assert_int_equal(par_map_sg(setup.device, NULL, 1, PAR_TO_DEVICE, NULL, &mapping), -EINVAL);
        assert_int_equal(par_map_sg(setup.device, &(struct iovec){ &byte, 0 }, 1, PAR_TO_DEVICE,
                                    NULL, &mapping),
                         -EINVAL);
        assert_int_equal(
                par_map_sg(setup.device, &(struct iovec){ &byte, 1 }, 1, PAR_TO_DEVICE, NULL, NULL),
                -EINVAL);
        assert_int_equal(par_unmap(NULL), -EINVAL);
        assert_int_equal(par_sync_for_cpu(NULL, 0, 0), -EINVAL);
        assert_int_equal(par_mapping_segments(NULL, NULL), 0);
        assert_int_equal(par_device_max_mapping(NULL), 0);
        assert_int_equal(par_map_stats(setup.device, NULL), -EINVAL);
        assert_int_equal(par_map_sites(setup.device, NULL, 0, NULL), -EINVAL);
        assert_int_equal(par_bounce_trim(NULL, NULL), -EINVAL);
        assert_int_equal(par_bounce_reserve(NULL, 0), -EINVAL);
        assert_null(par_buffer_bounces(NULL));
        end(&setup);
}

static void test_setup_arguments(void **state)
{
        const struct par_constraint odd = { .align = 3 }, flagged = { .flags = 1 },
                                    high = { .addr_min = 1024 * GiB }, node = { .nodes = 1 };
        const struct {
                const char *name;
                struct par_map_setup setup;
                int result;
        } cases[] = {
                { "flags", { .flags = 1 }, -EINVAL },
                { "reserved", { .reserved = { [5] = 1 } }, -EINVAL },
                { "a mask with a hole", { .min_align_mask = 5 }, -EINVAL },
                { "a mask that is too wide", { .min_align_mask = 2 * MiB - 1 + 2 * MiB }, -EINVAL },
                { "an align that is none", { .constraint = &odd }, -EINVAL },
                { "flags of the constraint", { .constraint = &flagged }, -EINVAL },
                { "nodes", { .constraint = &node }, -EINVAL },
                { "what the device does not reach", { .constraint = &high }, -PAR_NEVER_FITS },
                { "nothing", { 0 }, 0 },
                { "and again", { 0 }, -EBUSY },
        };
        struct setup setup;

        (void)state;
        say_nothing();
        said.limits.addr_max = 512 * GiB;
        begin_as_said(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("%s\n", cases[i].name);
                assert_int_equal(par_map_setup(setup.device, &cases[i].setup), cases[i].result);
        }
        assert_int_equal(par_map_setup(setup.device, NULL), -EINVAL);
        end(&setup);
}

/* ---- memory that the device sees ------------------------------------------------------------ */

static void test_reachable_memory_goes_through(void **state)
{
        const struct par_segment *segments;
        struct par_mapping mapping, copy;
        struct par_buffer *buffer;
        struct setup setup;
        unsigned char *data;

        (void)state;
        begin(&setup);
        assert_int_equal(par_alloc(setup.par, 64 * KiB, NULL, NULL, &buffer), 0);
        data = par_buffer_data(buffer);
        for (unsigned direction = 0; direction < 3; direction++) {
                map(&setup, data + 100, 5000, (enum par_direction)direction, NULL, &mapping);
                assert_int_equal(mapping.dma, par_buffer_dma(buffer) + 100);
                assert_int_equal(mapping.flags & 0xff, 0);
                assert_int_equal(par_mapping_segments(&mapping, &segments), 1);
                assert_int_equal(segments[0].dma, mapping.dma);
                assert_int_equal(segments[0].length, 5000);
                assert_int_equal(segments[0].offset, 0);
                assert_int_equal(segments[0].phys, PAR_PHYS_NONE);
                assert_int_equal(par_sync_for_cpu(&mapping, 0, 0), 0);
                assert_int_equal(par_sync_for_device(&mapping, 4999, 1), 0);
                assert_int_equal(par_sync_for_device(&mapping, 4999, 2), -EINVAL);
                assert_int_equal(par_sync_for_cpu(&mapping, 5001, 0), -EINVAL);
                copy = mapping;
                assert_int_equal(par_unmap(&copy), 0);
                assert_int_equal(copy.n_segments, 0);
                assert_int_equal(par_unmap(&copy), -EALREADY);
                assert_int_equal(par_sync_for_cpu(&copy, 0, 0), -EINVAL);
        }
        assert_int_equal(stats_of(setup.device).bounces, 0);
        assert_int_equal(stats_of(setup.device).slot_bytes, 0);
        par_free(buffer);
        end(&setup);
}

static void test_memory_within_the_limits_goes_through(void **state)
{
        const struct {
                const char *name;
                Wire__Constraint limits;
                uint64_t start_align, min_align_mask, window;
                size_t offset, length;
                bool bounces;
        } cases[] = {
#define LIMITS(...) { .base = { .descriptor = NULL }, __VA_ARGS__ }
                { "no limit", LIMITS(.align = 0), 0, 0, 0, 5, 100000, false },
                { "too high", LIMITS(.addr_max = 0xffffffff), 0, 0, 0, 0, 1, true },
                { "too low", LIMITS(.addr_min = UINT64_C(0x8000000000)), 0, 0, 0, 0, 1, true },
                { "up to a boundary", LIMITS(.boundary = 4096), 0, 0, 0, 4000, 96, false },
                { "over it", LIMITS(.boundary = 4096), 0, 0, 0, 4000, 97, true },
                { "as long as a segment", LIMITS(.max_segment_bytes = 8192), 0, 0, 0, 1, 8192,
                  false },
                { "longer", LIMITS(.max_segment_bytes = 8192), 0, 0, 0, 1, 8193, true },
                { "aligned", LIMITS(.align = 64), 64, 0, 0, 128, 1, false },
                { "not aligned", LIMITS(.align = 64), 64, 0, 0, 129, 1, true },
                { "an align that is of the mask alone", LIMITS(.align = 4096), 1, 4095, 0, 129, 1,
                  false },
                { "seen elsewhere", LIMITS(.align = 0), 0, 0, 0x10000000, 77, 1000, false },
#undef LIMITS
        };
        struct par_mapping mapping;
        struct par_buffer *buffer;
        struct setup setup;
        unsigned char *data;
        int r;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("%s\n", cases[i].name);
                say_nothing();
                said.limits.addr_min = cases[i].limits.addr_min;
                said.limits.addr_max = cases[i].limits.addr_max;
                said.limits.align = cases[i].limits.align;
                said.limits.boundary = cases[i].limits.boundary;
                said.limits.max_segment_bytes = cases[i].limits.max_segment_bytes;
                said.start_align = cases[i].start_align;
                said.min_align_mask = cases[i].min_align_mask;
                begin_as_said(&setup);
                assert_int_equal(par_alloc(setup.par, 256 * KiB, NULL, NULL, &buffer), 0);
                data = par_buffer_data(buffer);
                par_device_close(setup.device);
                if (cases[i].window) {
                        said.window.cpu_first = par_buffer_dma(buffer) & ~(PAGE - 1);
                        said.window.dma_first = cases[i].window;
                        said.window.length = PAGE;
                }
                assert_int_equal(par_device_open(setup.par, "capture0", &setup.device), 0);
                r = par_map(setup.device, data + cases[i].offset, cases[i].length, PAR_TO_DEVICE,
                            &(struct par_map_options){ .flags = PAR_MAP_NO_BOUNCE }, &mapping);
                assert_int_equal(r, cases[i].bounces ? -PAR_NEVER_FITS : 0);
                if (r)
                        assert_non_null(strstr(par_error(NULL), "PAR_MAP_NO_BOUNCE forbids"));
                else
                        assert_int_equal(mapping.dma, (cases[i].window ? cases[i].window
                                                                       : par_buffer_dma(buffer)) +
                                                              cases[i].offset);
                assert_int_equal(par_unmap(&mapping), 0);
                par_free(buffer);
                end(&setup);
        }
}

/* What ends with the last address of all is not followed by the first. */
static void test_cut_does_not_wrap(void **state)
{
        const struct par_constraint none = { .align = 1 };
        struct par_segment segments[3];
        struct dma_reach reach;
        struct cut cut;

        (void)state;
        reach_init(&reach, &none, 1, 0);
        cut_init(&cut, &reach, segments, 3);
        cut_add(&cut, 0x1000, UINT64_MAX - 8191, 4096);
        cut_add(&cut, 0x2000, UINT64_MAX - 4095, 4096);
        cut_add(&cut, 0x3000, 0, 4096);
        assert_true(cut_end(&cut));
        assert_int_equal(cut.n, 2);
        assert_int_equal(segments[0].length, 8192);
        assert_int_equal(segments[1].dma, 0);
        assert_int_equal(segments[1].offset, 8192);
}

/* A window is memory side by side for both. */
static void test_bus_windows_that_wrap(void **state)
{
        static const struct {
                const char *name;
                uint64_t cpu_first, dma_first, length;
                int result;
        } cases[] = {
                { "up to the last address", 0, UINT64_MAX - 4095, 4096, 0 },
                { "beyond it, for the device", 0, UINT64_MAX - 4095, 8192, -EPROTO },
                { "beyond it, for the processor", UINT64_MAX - 4095, 0, 8192, -EPROTO },
        };
        const struct mock_settings settings = { .page_bytes = PAGE, .spoil = spoil };
        struct par_device *device;
        struct mock *mock;
        struct par *par;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("%s\n", cases[i].name);
                say_nothing();
                said.window.cpu_first = cases[i].cpu_first;
                said.window.dma_first = cases[i].dma_first;
                said.window.length = cases[i].length;
                mock = mock_start(&settings);
                assert_int_equal(par_connect(mock->path, NULL, &par), 0);
                assert_int_equal(par_device_open(par, "capture0", &device), cases[i].result);
                par_disconnect(par);
                mock_stop(mock);
        }
}

/* What a device reports is found where it lies, not where its address is memory's own. */
static void test_back_through_bus_windows(void **state)
{
        struct par_buffer *buffer, *other;
        struct par_mapping mapping;
        struct setup setup;
        size_t contiguous;
        void *at;

        (void)state;
        begin(&setup);
        assert_int_equal(par_alloc(setup.par, PAGE, NULL, NULL, &buffer), 0);
        assert_int_equal(par_alloc(setup.par, PAGE, NULL, NULL, &other), 0);
        par_device_close(setup.device);
        said.window.cpu_first = par_buffer_dma(buffer);
        said.window.dma_first = par_buffer_dma(other);
        said.window.length = PAGE;
        assert_int_equal(par_device_open(setup.par, "capture0", &setup.device), 0);
        map(&setup, (char *)par_buffer_data(buffer) + 8192, 100, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(mapping.dma, par_buffer_dma(other) + 8192);
        assert_int_equal(par_dma_pointer(setup.par, setup.device, mapping.dma, &at, &contiguous),
                         0);
        assert_ptr_equal(at, (char *)par_buffer_data(buffer) + 8192);
        assert_int_equal(contiguous, PAGE - 8192);
        assert_int_equal(
                par_dma_pointer(setup.par, setup.device, par_buffer_dma(buffer), &at, NULL),
                -EFAULT);
        assert_int_equal(par_unmap(&mapping), 0);
        par_free(buffer);
        par_free(other);
        end(&setup);
}

/* A buffer is in one piece for the device, but not within its limits for one segment. */
static void test_reachable_memory_in_several_segments(void **state)
{
        const struct par_map_options several = { .max_segments = 3 }, any = {
                .max_segments = PAR_SEGMENTS_ANY,
                .flags = PAR_MAP_NO_BOUNCE,
        };
        const struct par_segment *segments;
        struct par_mapping mapping;
        struct par_buffer *buffer;
        struct setup setup;
        unsigned char *data;

        (void)state;
        say_nothing();
        said.limits.boundary = 4096;
        begin_as_said(&setup);
        assert_int_equal(par_alloc(setup.par, 64 * KiB, NULL, NULL, &buffer), 0);
        data = par_buffer_data(buffer);
        map(&setup, data + 4000, 4096 + 200, PAR_BIDIRECTIONAL, &several, &mapping);
        assert_int_equal(par_mapping_segments(&mapping, &segments), 3);
        assert_int_equal(mapping.flags & PAR_MAPPING_BOUNCED, 0);
        assert_int_equal(segments[0].length, 96);
        assert_int_equal(segments[1].length, 4096);
        assert_int_equal(segments[1].dma, par_buffer_dma(buffer) + 4096);
        assert_int_equal(segments[2].length, 104);
        assert_int_equal(segments[2].offset, 4192);
        assert_int_equal(mapping.dma, segments[0].dma);
        assert_int_equal(par_sync_for_cpu(&mapping, 100, 4000), 0);
        assert_int_equal(par_unmap(&mapping), 0);

        map(&setup, data, 64 * KiB, PAR_BIDIRECTIONAL, &any, &mapping);
        assert_int_equal(par_mapping_segments(&mapping, NULL), 16);
        assert_int_equal(par_unmap(&mapping), 0);
        par_free(buffer);
        end(&setup);
}

/* ---- memory that it does not see ------------------------------------------------------------ */

/* What is copied, and when. The device writes the first half of what it is given. */
static void test_bounce_copies_as_the_direction_says(void **state)
{
        const struct {
                const char *name;
                enum par_direction direction;
                uint32_t flags;
                bool in, out, rest;
        } cases[] = {
                { "to the device", PAR_TO_DEVICE, 0, true, false, true },
                { "from the device", PAR_FROM_DEVICE, 0, true, true, true },
                { "both", PAR_BIDIRECTIONAL, 0, true, true, true },
                { "it writes all", PAR_FROM_DEVICE, PAR_MAP_OVERWRITE, false, true, false },
                { "both, with a flag that means nothing", PAR_BIDIRECTIONAL, PAR_MAP_OVERWRITE,
                  true, true, true },
                { "by hand", PAR_BIDIRECTIONAL, PAR_MAP_SKIP_SYNC, false, false, true },
        };
        unsigned char *plain = malloc(6000);
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct par_map_options options = { .flags = cases[i].flags };
                unsigned char *device;

                print_message("%s\n", cases[i].name);
                /* What an earlier mapping has left there. */
                map(&setup, plain, 6000, PAR_TO_DEVICE, NULL, &mapping);
                memset(seen(&setup, mapping.dma), 0x5a, 6000);
                assert_int_equal(par_unmap(&mapping), 0);

                fill(plain, 6000, 1);
                map(&setup, plain, 6000, cases[i].direction, &options, &mapping);
                assert_int_equal(mapping.flags & 0xff, PAR_MAPPING_BOUNCED);
                device = seen(&setup, mapping.dma);
                assert_ptr_not_equal(device, plain);
                assert_int_equal(is_filled(device, 6000, 1), cases[i].in);
                fill(device, 3000, 99);
                assert_true(is_filled(plain, 6000, 1));
                assert_int_equal(par_unmap(&mapping), 0);
                assert_int_equal(is_filled(plain, 3000, 99), cases[i].out);
                if (cases[i].rest && cases[i].out) {
                        fill(plain, 3000, 1);
                        assert_true(is_filled(plain, 6000, 1));
                }
        }
        free(plain);
        end(&setup);
}

static void test_bounce_syncs_what_it_is_told(void **state)
{
        unsigned char *plain = calloc(1, 9000), *device;
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        begin(&setup);
        map(&setup, plain, 9000, PAR_BIDIRECTIONAL, NULL, &mapping);
        device = seen(&setup, mapping.dma);
        memset(device, 1, 9000);
        assert_int_equal(par_sync_for_cpu(&mapping, 100, 200), 0);
        assert_int_equal(plain[99], 0);
        assert_int_equal(plain[100], 1);
        assert_int_equal(plain[299], 1);
        assert_int_equal(plain[300], 0);
        memset(plain, 2, 9000);
        assert_int_equal(par_sync_for_device(&mapping, 8999, 1), 0);
        assert_int_equal(device[8998], 1);
        assert_int_equal(device[8999], 2);
        assert_int_equal(par_sync_for_device(&mapping, 0, 9001), -EINVAL);
        assert_int_equal(par_sync_for_device(&mapping, 0, 0), 0);
        assert_int_equal(device[0], 2);
        assert_int_equal(par_unmap(&mapping), 0);

        /* Nothing goes against the direction. */
        map(&setup, plain, 9000, PAR_TO_DEVICE, NULL, &mapping);
        device = seen(&setup, mapping.dma);
        memset(device, 3, 9000);
        assert_int_equal(par_sync_for_cpu(&mapping, 0, 0), 0);
        assert_int_equal(plain[5], 2);
        assert_int_equal(par_unmap(&mapping), 0);
        map(&setup, plain, 9000, PAR_FROM_DEVICE, NULL, &mapping);
        device = seen(&setup, mapping.dma);
        memset(plain, 4, 9000);
        assert_int_equal(par_sync_for_device(&mapping, 0, 0), 0);
        assert_int_equal(device[5], 2);
        assert_int_equal(par_unmap(&mapping), 0);
        assert_int_equal(plain[5], 2);
        free(plain);
        end(&setup);
}

static void test_bounce_keeps_the_bits_of_the_mask(void **state)
{
        static const uint64_t masks[] = { 7, 511, 4095, 16383, 65535 };
        unsigned char *plain = aligned_alloc(65536, 5 * 65536);
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
                say_nothing();
                said.min_align_mask = masks[i];
                said.start_align = 1;
                begin_as_said(&setup);
                assert_true(par_device_max_mapping(setup.device) <= 2 * MiB - masks[i]);
                for (size_t offset = 0; offset < 65536; offset += 1237) {
                        map(&setup, plain + offset, 3001, PAR_TO_DEVICE, NULL, &mapping);
                        assert_int_equal(mapping.dma & masks[i], offset & masks[i]);
                        assert_int_equal(par_unmap(&mapping), 0);
                }
                map(&setup, plain + 4099, par_device_max_mapping(setup.device) / 8, PAR_TO_DEVICE,
                    NULL, &mapping);
                assert_int_equal(mapping.dma & masks[i], 4099 & masks[i]);
                assert_int_equal(par_unmap(&mapping), 0);
                end(&setup);
        }
        free(plain);
}

/* An address that is aligned and keeps bits that are not. */
static void test_bounce_of_what_contradicts_itself(void **state)
{
        unsigned char *plain = aligned_alloc(4096, 8192);
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        say_nothing();
        said.min_align_mask = 4095;
        said.start_align = 4;
        begin_as_said(&setup);
        map(&setup, plain + 8, 100, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(par_unmap(&mapping), 0);
        assert_int_equal(par_map(setup.device, plain + 9, 100, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_NEVER_FITS);
        assert_non_null(strstr(par_error(NULL), "multiples of 0x4, and to keep the bits 0xfff"));
        free(plain);
        end(&setup);
}

/* What the device sees in a segment is @expected, and becomes @byte. Slots of two buffers may lie
 * side by side for the device, and not here. */
static void replace_seen(struct setup *setup, const struct par_segment *segment,
                         const unsigned char *expected, int byte)
{
        size_t contiguous;
        void *at;

        for (size_t done = 0; done < segment->length; done += contiguous) {
                assert_int_equal(par_dma_pointer(setup->par, setup->device, segment->dma + done,
                                                 &at, &contiguous),
                                 0);
                if (contiguous > segment->length - done)
                        contiguous = segment->length - done;
                assert_memory_equal(at, expected + done, contiguous);
                memset(at, byte, contiguous);
        }
}

static void test_longest_of_what_the_limits_leave(void **state)
{
        const struct {
                const char *name;
                uint64_t boundary, max_segment_bytes, min_align_mask, longest;
        } cases[] = {
                { "no limit", 0, 0, 0, 2 * MiB },
                { "a boundary", 64 * KiB, 0, 0, 64 * KiB },
                { "a count register of 16 bits", 0, 65535, 0, 60 * KiB },
                { "of 12 bits", 0, 4095, 0, 2048 },
                { "bits that are kept", 64 * KiB, 0, 4095, 60 * KiB },
                { "as many as there are", 4096, 0, 4095, 0 },
                { "shorter than a slot", 512, 0, 0, 0 },
        };
        struct par_mapping mapping;
        struct setup setup;
        char plain = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("%s\n", cases[i].name);
                say_nothing();
                said.limits.boundary = cases[i].boundary;
                said.limits.max_segment_bytes = cases[i].max_segment_bytes;
                said.min_align_mask = cases[i].min_align_mask;
                begin_as_said(&setup);
                assert_int_equal(par_device_max_mapping(setup.device), cases[i].longest);
                assert_int_equal(par_map(setup.device, &plain, 1, PAR_TO_DEVICE, NULL, &mapping),
                                 cases[i].longest ? 0 : -PAR_NEVER_FITS);
                assert_int_equal(par_unmap(&mapping), 0);
                end(&setup);
        }
}

static void test_bounce_of_long_memory(void **state)
{
        const size_t bytes = 5 * MiB + 123;
        const struct par_map_options some = { .max_segments = 64 };
        unsigned char *plain = malloc(bytes);
        const struct par_segment *segments;
        struct par_refusal_info figures;
        struct par_mapping mapping;
        struct setup setup;
        size_t n, all = 0;

        (void)state;
        /* Slots side by side are one segment, but not over a boundary. */
        say_nothing();
        said.limits.boundary = 2 * MiB;
        begin_as_said(&setup);
        assert_int_equal(par_device_max_mapping(setup.device), 2 * MiB);
        fill(plain, bytes, 3);
        map(&setup, plain, 2 * MiB, PAR_BIDIRECTIONAL, NULL, &mapping);
        assert_int_equal(par_mapping_segments(&mapping, NULL), 1);
        assert_true(is_filled(seen(&setup, mapping.dma), 2 * MiB, 3));
        assert_int_equal(par_unmap(&mapping), 0);

        /* For ever too long for one segment. */
        assert_int_equal(par_map(setup.device, plain, 2 * MiB + 1, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_NEVER_FITS);
        assert_true(par_is_permanent(-PAR_NEVER_FITS));
        assert_non_null(strstr(par_error(NULL), "2097153 bytes at once have to be bounced for "
                                                "device capture0: at most 2097152 can be"));
        assert_int_equal(par_last_refusal(NULL, &figures), 0);
        assert_int_equal(figures.size, 2 * MiB + 1);
        assert_int_equal(figures.largest_run, 2 * MiB);

        map(&setup, plain, bytes, PAR_BIDIRECTIONAL, &some, &mapping);
        n = par_mapping_segments(&mapping, &segments);
        assert_true(n > 1 && n <= 64);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(segments[i].offset, all);
                replace_seen(&setup, &segments[i], plain + all, (int)i);
                all += segments[i].length;
        }
        assert_int_equal(all, bytes);
        assert_int_equal(par_sync_for_cpu(&mapping, segments[1].offset - 1, 2), 0);
        assert_int_equal(plain[segments[1].offset - 1], 0);
        assert_int_equal(plain[segments[1].offset], 1);
        assert_true(is_filled(plain, segments[1].offset - 1, 3));
        assert_int_equal(par_unmap(&mapping), 0);
        assert_int_equal(plain[0], 0);
        assert_int_equal(plain[bytes - 1], n - 1);
        free(plain);
        end(&setup);
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void test_list_of_all_kinds(void **state)
{
        unsigned char *plain = malloc(10000), *data;
        const struct par_segment *segments;
        struct par_mapping mapping;
        struct par_buffer *buffer;
        struct iovec list[4];
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(par_alloc(setup.par, 64 * KiB, NULL, NULL, &buffer), 0);
        data = par_buffer_data(buffer);
        fill(plain, 10000, 5);
        list[0] = (struct iovec){ data, 4096 };
        list[1] = (struct iovec){ data + 4096, 100 }; /* side by side */
        list[2] = (struct iovec){ plain, 10000 };
        list[3] = (struct iovec){ data + 8192, 50 };
        assert_int_equal(par_map_sg(setup.device, list, 4, PAR_BIDIRECTIONAL, NULL, &mapping), 0);
        assert_int_equal(par_mapping_segments(&mapping, &segments), 3);
        assert_int_equal(mapping.length, 4096 + 100 + 10000 + 50);
        assert_int_equal(mapping.flags & 0xff, PAR_MAPPING_BOUNCED);
        assert_int_equal(segments[0].dma, par_buffer_dma(buffer));
        assert_int_equal(segments[0].length, 4196);
        assert_int_equal(segments[1].offset, 4196);
        assert_int_equal(segments[1].length, 10000);
        assert_int_equal(segments[2].dma, par_buffer_dma(buffer) + 8192);
        assert_true(is_filled(seen(&setup, segments[1].dma), 10000, 5));
        fill(seen(&setup, segments[1].dma), 10000, 6);
        assert_int_equal(par_sync_for_cpu(&mapping, 4196 + 50, 100), 0);
        assert_int_equal(plain[49], (unsigned char)(5 + 49 * 7));
        assert_int_equal(plain[50], (unsigned char)(6 + 50 * 7));
        assert_int_equal(par_unmap(&mapping), 0);
        assert_true(is_filled(plain, 10000, 6));
        assert_int_equal(stats_of(setup.device).bounces, 1);
        assert_int_equal(stats_of(setup.device).bytes_in, 10000);
        assert_int_equal(stats_of(setup.device).bytes_out, 10100);
        assert_int_equal(stats_of(setup.device).used_bytes, 0);
        par_free(buffer);
        free(plain);
        end(&setup);
}

/* A device without scatter-gather has all of it in one piece. */
static void test_list_in_fewer_segments(void **state)
{
        unsigned char *plain = malloc(3 * MiB), *data;
        struct par_mapping mapping;
        struct par_buffer *buffer;
        struct iovec list[3];
        struct setup setup;

        (void)state;
        say_nothing();
        said.limits.max_segments = 1;
        begin_as_said(&setup);
        assert_int_equal(par_alloc(setup.par, 64 * KiB, NULL, NULL, &buffer), 0);
        data = par_buffer_data(buffer);
        fill(data, 1000, 1);
        fill(plain, 3000, 2);
        list[0] = (struct iovec){ data, 1000 };
        list[1] = (struct iovec){ plain, 3000 };
        list[2] = (struct iovec){ data + 1000, 500 };
        assert_int_equal(par_map_sg(setup.device, list, 3, PAR_BIDIRECTIONAL, NULL, &mapping), 0);
        assert_int_equal(par_mapping_segments(&mapping, NULL), 1);
        assert_true(is_filled(seen(&setup, mapping.dma), 1000, 1));
        assert_true(is_filled(seen(&setup, mapping.dma + 1000), 3000, 2));
        memset(seen(&setup, mapping.dma), 9, 4500);
        assert_int_equal(par_unmap(&mapping), 0);
        assert_int_equal(data[999], 9);
        assert_int_equal(plain[2999], 9);
        assert_int_equal(data[1499], 9);
        assert_int_equal(stats_of(setup.device).used_bytes, 0);

        list[1].iov_len = 3 * MiB;
        assert_int_equal(par_map_sg(setup.device, list, 3, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_NEVER_FITS);
        list[1].iov_len = 2 * MiB - 1000;
        assert_int_equal(par_map_sg(setup.device, list, 3, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_NEVER_FITS);
        assert_string_equal(par_error(NULL), "3 segments, where device capture0 takes 1");
        assert_int_equal(stats_of(setup.device).used_bytes, 0);
        par_free(buffer);
        free(plain);
        end(&setup);
}

/* Two slots are too few for three pieces, but not for what is in them. */
static void test_small_pieces_share_slots(void **state)
{
        const struct par_map_setup few = { .bounce_bytes_max = 4096 };
        unsigned char plain[600];
        const struct iovec list[] = { { plain, 100 }, { plain + 200, 100 }, { plain + 400, 100 } };
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        begin(&setup);
        fill(plain, sizeof(plain), 1);
        assert_int_equal(par_map_setup(setup.device, &few), 0);
        assert_int_equal(par_map_sg(setup.device, list, 3, PAR_BIDIRECTIONAL, NULL, &mapping), 0);
        assert_int_equal(par_mapping_segments(&mapping, NULL), 1);
        assert_int_equal(stats_of(setup.device).used_bytes, 2048);
        for (size_t i = 0; i < 3; i++)
                assert_memory_equal(seen(&setup, mapping.dma) + i * 100, list[i].iov_base, 100);
        memset(seen(&setup, mapping.dma), 9, 300);
        assert_int_equal(par_unmap(&mapping), 0);
        assert_int_equal(plain[299], 9);
        assert_int_equal(plain[499], 9);
        assert_true(is_filled(plain + 500, 1, 1 + 500 * 7 + 1));
        assert_int_equal(stats_of(setup.device).used_bytes, 0);
        end(&setup);
}

/* A long piece is cut into short parts only where there are segments enough for all of them. */
static void test_list_of_long_and_short_pieces(void **state)
{
        enum { SHORT = 10, AREAS = 32 };
        unsigned char *plain = calloc(1, 2 * MiB + AREAS * AREA_BYTES);
        struct par_mapping mappings[AREAS], mapping;
        struct iovec list[1 + SHORT];
        struct setup setup;

        (void)state;
        say_nothing();
        said.limits.max_segments = 17;
        begin_as_said(&setup);
        /* No two areas that are free lie side by side. */
        assert_int_equal(par_bounce_reserve(setup.device, AREAS * AREA_BYTES), 0);
        for (size_t i = 0; i < AREAS; i++)
                map(&setup, plain, AREA_BYTES, PAR_TO_DEVICE, NULL, &mappings[i]);
        assert_int_equal(stats_of(setup.device).growths, 2);
        for (size_t i = 0; i < AREAS; i++)
                if (mappings[i].dma / AREA_BYTES % 2)
                        assert_int_equal(par_unmap(&mappings[i]), 0);
        list[0] = (struct iovec){ plain, 2 * MiB };
        for (size_t i = 0; i < SHORT; i++)
                list[1 + i] = (struct iovec){ plain + 2 * MiB + i * 100, 1 };
        if (par_map_sg(setup.device, list, 1 + SHORT, PAR_TO_DEVICE, NULL, &mapping))
                fail_msg("%s", par_error(NULL));
        assert_true(par_mapping_segments(&mapping, NULL) <= 17);
        assert_int_equal(par_unmap(&mapping), 0);
        for (size_t i = 0; i < AREAS; i++)
                if (mappings[i].n_segments)
                        assert_int_equal(par_unmap(&mappings[i]), 0);
        free(plain);
        end(&setup);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_map_arguments),
                cmocka_unit_test(test_setup_arguments),
                cmocka_unit_test(test_reachable_memory_goes_through),
                cmocka_unit_test(test_memory_within_the_limits_goes_through),
                cmocka_unit_test(test_cut_does_not_wrap),
                cmocka_unit_test(test_bus_windows_that_wrap),
                cmocka_unit_test(test_back_through_bus_windows),
                cmocka_unit_test(test_reachable_memory_in_several_segments),
                cmocka_unit_test(test_bounce_copies_as_the_direction_says),
                cmocka_unit_test(test_bounce_syncs_what_it_is_told),
                cmocka_unit_test(test_bounce_keeps_the_bits_of_the_mask),
                cmocka_unit_test(test_bounce_of_what_contradicts_itself),
                cmocka_unit_test(test_longest_of_what_the_limits_leave),
                cmocka_unit_test(test_bounce_of_long_memory),
                cmocka_unit_test(test_list_of_all_kinds),
                cmocka_unit_test(test_list_in_fewer_segments),
                cmocka_unit_test(test_small_pieces_share_slots),
                cmocka_unit_test(test_list_of_long_and_short_pieces),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
