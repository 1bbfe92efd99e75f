/* SPDX-License-Identifier: MIT */
/* What a device may do behind an IOMMU with what is mapped for it; the container is without a
 * kernel. */
#include "fake_vfio.h"
#include "map_setup.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define READ  VFIO_DMA_MAP_FLAG_READ
#define WRITE VFIO_DMA_MAP_FLAG_WRITE
#define BOTH  (READ | WRITE)

static const struct {
        const char *name;
        enum par_direction direction;
        uint32_t flags;
} directions[] = {
        { "both", PAR_BIDIRECTIONAL, BOTH },
        { "to the device", PAR_TO_DEVICE, READ },
        { "from the device", PAR_FROM_DEVICE, WRITE },
};

#define DIRECTIONS ARRAY_SIZE(directions)

static void begin_attached(struct setup *setup)
{
        fake_vfio_init(8);
        begin(setup);
        setup->container = memfd_create("container", MFD_CLOEXEC);
        assert_true(setup->container >= 0);
        assert_int_equal(par_device_attach_vfio(setup->device, setup->container), 0);
}

/* What the device may do at an address; 0: nothing is mapped there. */
static uint32_t flags_at(uint64_t dma)
{
        for (size_t i = 0; i < fake_vfio.n_maps; i++) {
                if (dma - fake_vfio.maps[i].iova < fake_vfio.maps[i].size)
                        return fake_vfio.maps[i].flags;
        }
        return 0;
}

static void expect(size_t i, uint64_t dma, const char *what)
{
        if (flags_at(dma) != directions[i].flags)
                fail_msg("%s, %s: flags %u", what, directions[i].name, flags_at(dma));
}

static void test_access_is_as_the_direction_says(void **state)
{
        const struct par_map_options several = { .max_segments = PAR_SEGMENTS_ANY };
        unsigned char *plain = aligned_alloc(4096, 65536);
        const struct par_segment *segments;
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        begin_attached(&setup);
        for (size_t i = 0; i < DIRECTIONS; i++) {
                const struct iovec list[] = { { plain + 10, 5000 }, { plain + 20000, 5000 } };

                map(&setup, plain + 100, 8000, directions[i].direction, NULL, &mapping);
                expect(i, mapping.dma, "memory");
                assert_int_equal(par_unmap(&mapping), 0);
                map(&setup, plain, 40000, directions[i].direction, &several, &mapping);
                expect(i, mapping.dma, "memory in several segments");
                assert_int_equal(par_unmap(&mapping), 0);
                assert_int_equal(par_map_sg(setup.device, list, ARRAY_SIZE(list),
                                            directions[i].direction, NULL, &mapping),
                                 0);
                assert_int_equal(par_mapping_segments(&mapping, &segments), ARRAY_SIZE(list));
                expect(i, segments[0].dma, "a list");
                expect(i, segments[1].dma, "the end of a list");
                assert_int_equal(par_unmap(&mapping), 0);
                assert_int_equal(fake_vfio.n_maps, 0);
        }
        free(plain);
        end(&setup);
}

/* Mappings of one page: each kind has it at an address of its own, where it stays as it is while
 * others come and go. Those of one kind share it. */
static void test_access_is_no_other_mappings(void **state)
{
        unsigned char *plain = aligned_alloc(4096, 4096);
        struct par_mapping mappings[DIRECTIONS], again;
        struct setup setup;

        (void)state;
        for (size_t first = 0; first < DIRECTIONS; first++) {
                begin_attached(&setup);
                for (size_t k = 0; k < DIRECTIONS; k++) {
                        const size_t i = (first + k) % DIRECTIONS;

                        map(&setup, plain + 64 * i, 64, directions[i].direction, NULL,
                            &mappings[i]);
                        assert_int_equal(fake_vfio.n_maps, k + 1);
                }
                for (size_t i = 0; i < DIRECTIONS; i++) {
                        expect(i, mappings[i].dma, "three of a page");
                        map(&setup, plain + 1000, 100, directions[i].direction, NULL, &again);
                        assert_int_equal(again.dma - 1000, mappings[i].dma - 64 * i);
                        assert_int_equal(par_unmap(&again), 0);
                }
                assert_int_equal(stats_of(setup.device).iommu_maps, DIRECTIONS);
                assert_int_equal(stats_of(setup.device).iommu_shared, DIRECTIONS);
                for (size_t k = 0; k < DIRECTIONS; k++) {
                        const size_t i = (first + k) % DIRECTIONS;

                        expect(i, mappings[i].dma, "while others go");
                        assert_int_equal(par_unmap(&mappings[i]), 0);
                        assert_int_equal(flags_at(mappings[i].dma), 0);
                        assert_int_equal(fake_vfio.n_maps, DIRECTIONS - 1 - k);
                }
                end(&setup);
        }
        free(plain);
}

/* Memory of pard's is for both, whatever it is used for: buffers of the device, and slots. */
static void test_access_to_buffers_and_slots(void **state)
{
        struct par_alloc_options options = { 0 };
        struct par_buffer *buffer;
        struct par_mapping mapping;
        unsigned char plain[64];
        struct setup setup;

        (void)state;
        for (size_t i = 0; i < DIRECTIONS; i++) {
                begin_attached(&setup);
                options.device = setup.device;
                assert_int_equal(par_alloc(setup.par, 4096, NULL, &options, &buffer), 0);
                map(&setup, par_buffer_data(buffer), 100, directions[i].direction, NULL, &mapping);
                assert_int_equal(flags_at(mapping.dma), BOTH);
                assert_int_equal(par_unmap(&mapping), 0);

                assert_int_equal(par_bounce_reserve(setup.device, 4096), 0);
                fake_vfio.fail_map = EFAULT; /* so that it is bounced */
                map(&setup, plain, sizeof(plain), directions[i].direction, NULL, &mapping);
                assert_int_equal(mapping.flags & 0xff, PAR_MAPPING_BOUNCED);
                assert_int_equal(flags_at(mapping.dma), BOTH);
                assert_int_equal(par_unmap(&mapping), 0);
                fake_vfio.fail_map = 0;
                par_free(buffer);
                end(&setup);
        }
}

/* All three kinds go with the device, when nobody has unmapped them. */
static void test_access_ends_with_the_device(void **state)
{
        unsigned char *plain = aligned_alloc(4096, 4096);
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        begin_attached(&setup);
        for (size_t i = 0; i < DIRECTIONS; i++)
                map(&setup, plain, 100, directions[i].direction, NULL, &mapping);
        assert_int_equal(fake_vfio.n_maps, DIRECTIONS);
        par_device_close(setup.device);
        assert_int_equal(fake_vfio.n_maps, 0);
        setup.log[0] = '\0';
        assert_int_equal(par_device_open(setup.par, "capture0", &setup.device), 0);
        free(plain);
        end(&setup);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_access_is_as_the_direction_says),
                cmocka_unit_test(test_access_is_no_other_mappings),
                cmocka_unit_test(test_access_to_buffers_and_slots),
                cmocka_unit_test(test_access_ends_with_the_device),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
