/* SPDX-License-Identifier: MIT */
/* Streaming mappings of registers and memory of devices, and for a container without a kernel. */
#include "fake_vfio.h"
#include "map_setup.h"
#include "par_iova.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>

/* ---- devices' memory ------------------------------------------------------------------------ */

/* A folder like one of sysfs, with a BAR 2 at 0xfe000000 that is mapped. */
struct bar {
        char dir[64], maps[96], resource[96], list[96];
        unsigned char *at;
};

static void write_file(const char *name, const char *text)
{
        FILE *file = fopen(name, "we");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static void make_bar(struct setup *setup, struct bar *bar)
{
        int fd;

        snprintf(bar->dir, sizeof(bar->dir), "/tmp/par-bar-XXXXXX");
        assert_non_null(mkdtemp(bar->dir));
        snprintf(bar->resource, sizeof(bar->resource), "%s/resource2", bar->dir);
        snprintf(bar->list, sizeof(bar->list), "%s/resource", bar->dir);
        write_file(bar->list, "0x00000000fd000000 0x00000000fd000fff 0x0000000000040200\n"
                              "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
                              "0x00000000fe000000 0x00000000fe003fff 0x0000000000040200\n");
        fd = open(bar->resource, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, 16384), 0);
        bar->at = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_ptr_not_equal(bar->at, MAP_FAILED);
        close(fd);
        setup->par->bars.sysfs = bar->dir;
}

static void remove_bar(struct bar *bar)
{
        munmap(bar->at, 16384);
        unlink(bar->resource);
        unlink(bar->list);
        rmdir(bar->dir);
}

static void test_bar_is_refused(void **state)
{
        struct par_mapping mapping;
        struct setup setup;
        struct bar bar = { .at = NULL };
        char sentence[160];
        void *again;

        (void)state;
        begin(&setup);
        make_bar(&setup, &bar);
        assert_int_equal(par_map(setup.device, bar.at + 5, 100, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_INVALID);
        snprintf(sentence, sizeof(sentence),
                 "100 bytes at %p are registers or memory of a device: par_map_resource() maps "
                 "them",
                 (void *)(bar.at + 5));
        assert_string_equal(par_error(NULL), sentence);
        assert_true(par_is_permanent(-PAR_INVALID));
        assert_int_equal(par_map_sg(setup.device, &(struct iovec){ bar.at, 1 }, 1, PAR_TO_DEVICE,
                                    NULL, &mapping),
                         -PAR_INVALID);
        assert_int_equal(stats_of(setup.device).used_bytes, 0);
        assert_int_equal(stats_of(setup.device).bounces, 0);

        /* Other memory at the same place is no BAR any more. */
        again = mmap(bar.at, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                     -1, 0);
        assert_ptr_equal(again, bar.at);
        map(&setup, bar.at + 5, 100, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(par_unmap(&mapping), 0);
        remove_bar(&bar);
        end(&setup);
}

/* One that is mapped later is known when there are more slots, or with PAR_DEBUG at once. */
static void test_bar_that_came_later(void **state)
{
        struct par_mapping mapping;
        struct setup setup;
        struct bar bar = { .at = NULL };
        char plain = 0;

        (void)state;
        begin(&setup);
        map(&setup, &plain, 1, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(par_unmap(&mapping), 0);
        make_bar(&setup, &bar);
        map(&setup, bar.at, 100, PAR_TO_DEVICE, NULL, &mapping); /* not known yet */
        assert_int_equal(par_unmap(&mapping), 0);
        setup.par->debug = true;
        assert_int_equal(par_map(setup.device, bar.at, 100, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_INVALID);
        setup.par->debug = false;
        assert_int_equal(par_map(setup.device, bar.at, 100, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_INVALID);
        remove_bar(&bar);
        end(&setup);
}

/* Without /proc nothing is known of any, and all else goes on. */
static void test_bars_where_nobody_tells(void **state)
{
        struct par_mapping mapping;
        struct setup setup;
        char plain = 0;

        (void)state;
        begin(&setup);
        setup.par->bars.maps = "/nonexistent/maps";
        assert_int_equal(par_bounce_reserve(setup.device, 4096), 0);
        map(&setup, &plain, 1, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(par_unmap(&mapping), 0);
        end(&setup);
}

static void test_bar_is_mapped_as_what_it_is(void **state)
{
        struct par_mapping mapping;
        struct setup setup;
        struct bar bar = { .at = NULL };
        char plain = 0;

        (void)state;
        begin(&setup);
        make_bar(&setup, &bar);
        assert_int_equal(
                par_map_resource(setup.device, bar.at + 8, 100, PAR_BIDIRECTIONAL, NULL, &mapping),
                0);
        assert_int_equal(mapping.dma, 0xfe000008);
        assert_int_equal(mapping.flags & 0xff, PAR_MAPPING_RESOURCE);
        assert_int_equal(par_sync_for_device(&mapping, 0, 0), 0);
        assert_int_equal(par_unmap(&mapping), 0);
        assert_int_equal(
                par_map_resource(setup.device, bar.at, 16385, PAR_TO_DEVICE, NULL, &mapping),
                -PAR_INVALID);
        assert_int_equal(par_map_resource(setup.device, &plain, 1, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_INVALID);
        assert_non_null(strstr(par_error(NULL), "as far as /proc/self/maps tells"));
        assert_int_equal(par_map_resource(setup.device, bar.at, 1, PAR_TO_DEVICE,
                                          &(struct par_map_options){ .flags = PAR_MAP_ATOMIC },
                                          &mapping),
                         -EINVAL);

        /* A device of 28 bits does not reach it. */
        par_device_close(setup.device);
        said.limits.addr_max = 0xfffffff;
        assert_int_equal(par_device_open(setup.par, "capture0", &setup.device), 0);
        assert_int_equal(par_map_resource(setup.device, bar.at, 1, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_NEVER_FITS);

        /* Nobody says where it is. */
        unlink(bar.list);
        assert_int_equal(par_map_resource(setup.device, bar.at, 1, PAR_TO_DEVICE, NULL, &mapping),
                         -ENOTSUP);
        assert_int_equal(stats_of(setup.device).bounces, 0);
        remove_bar(&bar);
        end(&setup);
}

/* ---- behind an IOMMU ------------------------------------------------------------------------ */

static void attach_as_said(struct setup *setup)
{
        begin_as_said(setup);
        setup->container = memfd_create("container", MFD_CLOEXEC);
        assert_true(setup->container >= 0);
        assert_int_equal(par_device_attach_vfio(setup->device, setup->container), 0);
}

static void begin_attached(struct setup *setup)
{
        say_nothing();
        said.limits.addr_max = 0xfffffff;
        fake_vfio_init(8);
        attach_as_said(setup);
}

static void test_iommu_maps_pages(void **state)
{
        unsigned char *plain = aligned_alloc(4096, 65536);
        struct par_mapping first, second, third;
        struct setup setup;

        (void)state;
        begin_attached(&setup);
        map(&setup, plain + 100, 8000, PAR_TO_DEVICE, NULL, &first);
        assert_int_equal(first.flags & 0xff, PAR_MAPPING_IOMMU);
        assert_int_equal(fake_vfio.n_maps, 1);
        assert_int_equal(fake_vfio.maps[0].at, (uintptr_t)plain);
        assert_int_equal(fake_vfio.maps[0].size, 8192);
        assert_int_equal(first.dma, fake_vfio.maps[0].iova + 100);
        assert_true(first.dma <= 0xfffffff);

        /* What lies in pages that are mapped needs no other. */
        map(&setup, plain + 4096, 100, PAR_TO_DEVICE, NULL, &second);
        assert_int_equal(fake_vfio.n_maps, 1);
        assert_int_equal(second.dma, fake_vfio.maps[0].iova + 4096);
        map(&setup, plain + 4096, 4097, PAR_TO_DEVICE, NULL, &third);
        assert_int_equal(fake_vfio.n_maps, 2);
        assert_int_equal(par_unmap(&first), 0);
        assert_int_equal(fake_vfio.n_maps, 2);
        assert_int_equal(par_unmap(&second), 0);
        assert_int_equal(fake_vfio.n_maps, 1);
        assert_int_equal(par_unmap(&third), 0);
        assert_int_equal(fake_vfio.n_maps, 0);
        assert_int_equal(stats_of(setup.device).bounces, 0);
        assert_int_equal(stats_of(setup.device).iommu_maps, 2);
        assert_int_equal(stats_of(setup.device).iommu_shared, 1);
        free(plain);
        end(&setup);
}

/* Memory that no mapping needs any more may be other memory by now: it is mapped anew, though the
 * pages that it was in are still there for others. */
static void test_iommu_lets_go_of_memory(void **state)
{
        unsigned char *plain = aligned_alloc(4096, 3 * 4096);
        struct par_mapping whole, part, other;
        struct setup setup;

        (void)state;
        begin_attached(&setup);
        map(&setup, plain + 100, 8000, PAR_BIDIRECTIONAL, NULL, &whole);
        map(&setup, plain + 4096, 100, PAR_BIDIRECTIONAL, NULL, &part);
        assert_int_equal(fake_vfio.n_maps, 1);
        assert_int_equal(par_unmap(&whole), 0);
        assert_int_equal(fake_vfio.n_maps, 1);
        /* Here the first page would be given back, and come again. */
        map(&setup, plain, 50, PAR_BIDIRECTIONAL, NULL, &other);
        assert_int_equal(fake_vfio.n_maps, 2);
        assert_int_equal(other.dma, fake_vfio.maps[1].iova);
        assert_int_equal(par_unmap(&other), 0);

        /* As long as there is one that has all of it, the rest may come and go. */
        map(&setup, plain, 12288, PAR_BIDIRECTIONAL, NULL, &whole);
        map(&setup, plain + 1, 12287, PAR_BIDIRECTIONAL, NULL, &other);
        assert_int_equal(fake_vfio.n_maps, 2);
        assert_int_equal(par_unmap(&whole), 0);
        map(&setup, plain + 8192, 1, PAR_BIDIRECTIONAL, NULL, &whole);
        assert_int_equal(fake_vfio.n_maps, 2);
        assert_int_equal(par_unmap(&whole), 0);
        assert_int_equal(par_unmap(&other), 0);
        assert_int_equal(par_unmap(&part), 0);
        assert_int_equal(fake_vfio.n_maps, 0);
        free(plain);
        end(&setup);
}

/* Pages that lie over a boundary are two segments, where that is allowed. */
static void test_iommu_keeps_to_boundaries(void **state)
{
        enum { MAPPINGS = 6 };
        const struct par_map_options several = { .max_segments = 4 }, one = {
                .flags = PAR_MAP_NO_BOUNCE,
        };
        unsigned char *plain = aligned_alloc(65536, MAPPINGS * 64 * KiB);
        struct par_mapping mappings[MAPPINGS], mapping;
        const struct par_segment *segments;
        size_t cut = MAPPINGS;
        struct setup setup;

        (void)state;
        say_nothing();
        said.limits.addr_max = 0xfffffff;
        said.limits.boundary = 64 * KiB;
        fake_vfio_init(8);
        attach_as_said(&setup);
        for (size_t i = 0; i < MAPPINGS; i++) {
                size_t bytes = 0, n;

                map(&setup, plain + i * 64 * KiB, 40000, PAR_TO_DEVICE, &several, &mappings[i]);
                n = par_mapping_segments(&mappings[i], &segments);
                for (size_t k = 0; k < n; k++) {
                        const uint64_t last = segments[k].dma + segments[k].length - 1;

                        assert_int_equal(segments[k].dma / (64 * KiB), last / (64 * KiB));
                        bytes += segments[k].length;
                }
                assert_int_equal(bytes, 40000);
                assert_int_equal(mappings[i].flags & 0xff, PAR_MAPPING_IOMMU);
                cut = n > 1 ? i : cut;
        }
        assert_true(cut < MAPPINGS); /* or it has tried nothing */

        /* Who can have one segment alone gets other pages than those that are cut there. */
        assert_int_equal(par_mapping_segments(&mappings[cut], &segments), 2);
        map(&setup, plain + cut * 64 * KiB + segments[1].offset - 4096, 8192, PAR_TO_DEVICE, &one,
            &mapping);
        assert_int_equal(mapping.flags & 0xff, PAR_MAPPING_IOMMU);
        assert_int_equal(mapping.dma / (64 * KiB), (mapping.dma + 8191) / (64 * KiB));
        assert_int_equal(par_unmap(&mapping), 0);
        for (size_t i = 0; i < MAPPINGS; i++)
                assert_int_equal(par_unmap(&mappings[i]), 0);
        assert_int_equal(fake_vfio.n_maps, 0);
        free(plain);
        end(&setup);
}

/* Its pages are larger than pard's granule: the limit is one all the same. */
static void test_iommu_of_large_pages(void **state)
{
        const struct par_map_setup few = { .bounce_bytes_max = 68 * KiB };
        struct vfio_iommu_type1_info *info = (void *)fake_vfio.info;
        struct setup setup;

        (void)state;
        say_nothing();
        said.limits.addr_max = 0xfffffff;
        fake_vfio_init(8);
        info->iova_pgsizes = 64 * KiB | 2 * MiB;
        attach_as_said(&setup);
        assert_int_equal(par_map_setup(setup.device, &few), 0);
        assert_int_equal(par_bounce_reserve(setup.device, 4096), 0);
        assert_int_equal(stats_of(setup.device).slot_bytes, 64 * KiB);
        assert_int_equal(par_bounce_reserve(setup.device, 68 * KiB), -PAR_EXHAUSTED);
        assert_int_equal(stats_of(setup.device).slot_bytes, 64 * KiB);
        end(&setup);
}

/* Slots that it had before are not at the addresses that it sees now. */
static void test_iommu_that_came_later(void **state)
{
        unsigned char *plain = aligned_alloc(4096, 8192);
        struct par_mapping before, after;
        struct setup setup;

        (void)state;
        fake_vfio_init(8);
        begin(&setup);
        map(&setup, plain, 100, PAR_TO_DEVICE, NULL, &before);
        setup.container = memfd_create("container", MFD_CLOEXEC);
        assert_int_equal(par_device_attach_vfio(setup.device, setup.container), 0);
        assert_int_equal(par_bounce_reserve(setup.device, 2 * MiB), 0);
        assert_int_equal(fake_vfio.n_maps, 1);
        fake_vfio.fail_map = EFAULT;
        map(&setup, plain, 100, PAR_TO_DEVICE, NULL, &after);
        assert_in_range(after.dma, fake_vfio.maps[0].iova,
                        fake_vfio.maps[0].iova + fake_vfio.maps[0].size);
        fake_vfio.fail_map = 0;
        assert_int_equal(par_unmap(&before), 0);
        assert_int_equal(par_unmap(&after), 0);
        free(plain);
        end(&setup);
}

/* It comes while a mapping waits for pard: what that gets is physical memory, which the device does
 * not see any more. */
static struct setup *waiting;

static void attach_meanwhile(struct mock *mock, struct mock_reply *reply)
{
        spoil(mock, reply);
        if (reply->packet->reply->body_case == WIRE__REPLY__BODY_ALLOC && waiting) {
                assert_int_equal(par_device_attach_vfio(waiting->device, waiting->container), 0);
                waiting = NULL;
        }
}

static void test_iommu_that_comes_meanwhile(void **state)
{
        const struct mock_settings settings = { .page_bytes = PAGE, .spoil = attach_meanwhile };
        struct par_mapping mapping;
        struct setup setup;
        char plain = 42;

        (void)state;
        fake_vfio_init(8);
        begin(&setup);
        mock_change(setup.mock, &settings);
        setup.container = memfd_create("container", MFD_CLOEXEC);
        waiting = &setup;
        map(&setup, &plain, 1, PAR_TO_DEVICE, NULL, &mapping);
        assert_null(waiting);
        assert_int_equal(fake_vfio.n_maps, 1);
        assert_in_range(mapping.dma, fake_vfio.maps[0].iova,
                        fake_vfio.maps[0].iova + fake_vfio.maps[0].size - 1);
        assert_int_equal(par_unmap(&mapping), 0);
        end(&setup);
}

static void test_iommu_and_buffers(void **state)
{
        struct par_alloc_options options = { 0 };
        struct par_buffer *own, *other;
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        begin_attached(&setup);
        options.device = setup.device;
        assert_int_equal(par_alloc(setup.par, 8192, NULL, &options, &own), 0);
        assert_int_equal(par_alloc(setup.par, 8192, NULL, NULL, &other), 0);
        assert_int_equal(fake_vfio.n_maps, 1);
        map(&setup, (char *)par_buffer_data(own) + 7, 100, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(mapping.dma, par_buffer_dma(own) + 7);
        assert_int_equal(fake_vfio.n_maps, 1);
        assert_int_equal(par_unmap(&mapping), 0);
        /* Memory's address is not the device's. */
        map(&setup, par_buffer_data(other), 100, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(mapping.flags & 0xff, PAR_MAPPING_IOMMU);
        assert_int_equal(fake_vfio.n_maps, 2);
        assert_int_equal(par_unmap(&mapping), 0);
        par_free(own);
        par_free(other);
        end(&setup);
}

static void test_iommu_refuses(void **state)
{
        unsigned char *plain = aligned_alloc(4096, 8192);
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        begin_attached(&setup);
        fake_vfio.fail_map = ENOSPC;
        assert_int_equal(par_map(setup.device, plain, 100, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_QUOTA);
        assert_non_null(strstr(par_error(NULL), "dma_entry_limit"));
        fake_vfio.fail_map = EFAULT; /* memory that the kernel does not pin, for buffers either */
        assert_int_equal(par_map(setup.device, plain, 100, PAR_TO_DEVICE, NULL, &mapping), -EFAULT);
        fake_vfio.fail_map = 0;
        assert_int_equal(par_bounce_reserve(setup.device, 4096), 0);
        fake_vfio.fail_map = EFAULT;
        plain[0] = 42;
        map(&setup, plain, 100, PAR_TO_DEVICE, NULL, &mapping);
        assert_int_equal(mapping.flags & 0xff, PAR_MAPPING_BOUNCED);
        assert_int_equal(*seen(&setup, mapping.dma), 42);
        assert_int_equal(par_unmap(&mapping), 0);
        fake_vfio.fail_map = 0;
        free(plain);
        end(&setup);
}

static void test_iommu_lists_and_bars(void **state)
{
        unsigned char *plain = aligned_alloc(4096, 65536);
        const struct par_segment *segments;
        struct par_mapping mapping;
        struct iovec list[2];
        struct setup setup;
        struct bar bar = { .at = NULL };

        (void)state;
        begin_attached(&setup);
        list[0] = (struct iovec){ plain, 5000 };
        list[1] = (struct iovec){ plain + 20000, 5000 };
        assert_int_equal(par_map_sg(setup.device, list, 2, PAR_FROM_DEVICE, NULL, &mapping), 0);
        assert_int_equal(par_mapping_segments(&mapping, &segments), 2);
        assert_int_equal(mapping.flags & 0xff, PAR_MAPPING_IOMMU);
        assert_int_equal(segments[1].dma & 4095, 20000 & 4095);
        assert_int_equal(fake_vfio.n_maps, 2);
        assert_int_equal(par_unmap(&mapping), 0);
        assert_int_equal(fake_vfio.n_maps, 0);

        make_bar(&setup, &bar);
        assert_int_equal(
                par_map_resource(setup.device, bar.at + 4, 100, PAR_TO_DEVICE, NULL, &mapping), 0);
        assert_int_equal(mapping.flags & 0xff, PAR_MAPPING_RESOURCE | PAR_MAPPING_IOMMU);
        assert_int_equal(fake_vfio.maps[0].at, (uintptr_t)bar.at);
        assert_int_equal(fake_vfio.maps[0].flags, VFIO_DMA_MAP_FLAG_READ);
        assert_int_equal(mapping.dma, fake_vfio.maps[0].iova + 4);
        assert_int_equal(par_unmap(&mapping), 0);
        assert_int_equal(fake_vfio.n_maps, 0);
        assert_int_equal(par_map(setup.device, bar.at + 4, 100, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_INVALID);
        remove_bar(&bar);
        free(plain);
        end(&setup);
}

/* What is the matter with a BAR is said as it is. */
static void test_iommu_refuses_a_bar(void **state)
{
        struct par_mapping mapping;
        struct par_iova *range;
        struct setup setup;
        struct bar bar = { .at = NULL };

        (void)state;
        begin_attached(&setup);
        make_bar(&setup, &bar);
        fake_vfio.fail_map = EFAULT;
        assert_int_equal(par_map_resource(setup.device, bar.at, 1, PAR_TO_DEVICE, NULL, &mapping),
                         -EFAULT);
        assert_non_null(strstr(par_error(NULL), "Bad address"));
        fake_vfio.fail_map = 0;
        /* Others have all addresses now, and may give them back. */
        assert_int_equal(par_iova_reserve(setup.device, 0x10000000, NULL, NULL, &range), 0);
        assert_int_equal(par_map_resource(setup.device, bar.at, 1, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_EXHAUSTED);
        par_iova_destroy(range);
        assert_int_equal(par_map_resource(setup.device, bar.at, 1, PAR_TO_DEVICE, NULL, &mapping),
                         0);
        assert_int_equal(par_unmap(&mapping), 0);
        par_device_close(setup.device);
        said.min_align_mask = 8191;
        assert_int_equal(par_device_open(setup.par, "capture0", &setup.device), 0);
        assert_int_equal(par_device_attach_vfio(setup.device, setup.container), 0);
        assert_int_equal(par_map_resource(setup.device, bar.at, 1, PAR_TO_DEVICE, NULL, &mapping),
                         -PAR_NEVER_FITS);
        assert_non_null(strstr(par_error(NULL), "do not go with whole pages"));
        remove_bar(&bar);
        end(&setup);
}

/* Nothing stays mapped where nobody unmapped it. */
static void test_iommu_at_the_end(void **state)
{
        unsigned char *plain = aligned_alloc(4096, 8192);
        struct par_mapping mapping;
        struct setup setup;

        (void)state;
        begin_attached(&setup);
        map(&setup, plain, 100, PAR_TO_DEVICE, NULL, &mapping);
        par_disconnect(setup.par);
        assert_int_equal(fake_vfio.n_maps, 0);
        mock_stop(setup.mock);
        close(setup.container);
        free(plain);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bar_is_refused),
                cmocka_unit_test(test_bar_that_came_later),
                cmocka_unit_test(test_bars_where_nobody_tells),
                cmocka_unit_test(test_bar_is_mapped_as_what_it_is),
                cmocka_unit_test(test_iommu_maps_pages),
                cmocka_unit_test(test_iommu_lets_go_of_memory),
                cmocka_unit_test(test_iommu_keeps_to_boundaries),
                cmocka_unit_test(test_iommu_of_large_pages),
                cmocka_unit_test(test_iommu_that_came_later),
                cmocka_unit_test(test_iommu_that_comes_meanwhile),
                cmocka_unit_test(test_iommu_and_buffers),
                cmocka_unit_test(test_iommu_refuses),
                cmocka_unit_test(test_iommu_lists_and_bars),
                cmocka_unit_test(test_iommu_refuses_a_bar),
                cmocka_unit_test(test_iommu_at_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
