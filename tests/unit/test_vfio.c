/* SPDX-License-Identifier: MIT */
/* What is read from a VFIO container, and what it is told; the kernel is tests/support/fake_vfio.c.
 */
#include "vfio.h"

#include "error.h"
#include "fake_vfio.h"
#include "heap.h"
#include "macros.h"

#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

/* Any descriptor will do as a container. */
static int container(void)
{
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

static struct mapper *mapper_of(int fd)
{
        struct mapper *mapper;

        assert_int_equal(vfio_new(fd, &mapper), 0);
        return mapper;
}

static struct vfio_iommu_type1_info *head(void)
{
        return (void *)fake_vfio.info;
}

/* The capability of this number. */
static void *capability(unsigned id)
{
        uint32_t at = head()->cap_offset;

        for (;;) {
                struct vfio_info_cap_header *header = (void *)(fake_vfio.info + at);

                assert_int_not_equal(at, 0);
                if (header->id == id)
                        return header;
                at = header->next;
        }
}

/* ---- is it one? ----------------------------------------------------------------------------- */

static void test_vfio_takes_containers_only(void **state)
{
        const size_t descriptors = descriptors_open();
        struct mapper *mapper;
        int fd = container();

        (void)state;
        fake_vfio_init(8);
        assert_int_equal(vfio_new(-1, &mapper), -EBADF);
        fake_vfio.no_container = true;
        assert_int_equal(vfio_new(fd, &mapper), -EINVAL);
        fake_vfio.no_container = false;
        fake_vfio.other_type = true;
        assert_int_equal(vfio_new(fd, &mapper), -ENOTSUP);
        heap_fail(1, 1);
        assert_int_equal(vfio_new(fd, &mapper), -ENOMEM);
        assert_true(heap_mend());
        close(fd);
        assert_int_equal(descriptors_open(), descriptors);
}

static void test_vfio_knows_its_container(void **state)
{
        const size_t descriptors = descriptors_open();
        int fd = container(), same = dup(fd), other = container();
        struct mapper *mapper;

        (void)state;
        fake_vfio_init(8);
        mapper = mapper_of(fd);
        assert_false(mapper->ops->is(mapper, other));
        assert_false(mapper->ops->is(mapper, -1));
        /* A kernel without kcmp() cannot tell. */
        assert_int_equal(mapper->ops->is(mapper, same),
                         !syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, same));
        mapper->ops->free(mapper);
        close(fd);
        close(same);
        close(other);
        assert_int_equal(descriptors_open(), descriptors);
}

/* ---- what it says of itself ----------------------------------------------------------------- */

static void test_vfio_reads_old_and_new_descriptions(void **state)
{
        int fd = container();

        (void)state;
        for (uint32_t align = 4; align <= 8; align += 4) {
                struct mapper *mapper = mapper_of(fd);
                struct mapper_facts facts;

                fake_vfio_init(align);
                assert_int_equal(mapper->ops->describe(mapper, &facts), 0);
                assert_int_equal(facts.n_ranges, 2);
                assert_int_equal(facts.ranges[0].first, 0);
                assert_int_equal(facts.ranges[0].last, 0xfedfffff);
                assert_int_equal(facts.ranges[1].first, 0xfef00000);
                assert_int_equal(facts.ranges[1].last, 0x7fffffffff);
                assert_int_equal(facts.page_sizes, 4 * KiB | 2 * MiB | GiB);
                assert_int_equal(facts.room, 65535);
                mapper->ops->free(mapper);
        }
        close(fd);
}

static void no_iommu(void)
{
        fake_vfio.fail_info = EINVAL;
}

static void no_such_call(void)
{
        fake_vfio.fail_info = ENOTTY;
}

static void no_capabilities(void)
{
        head()->flags &= ~(uint32_t)VFIO_IOMMU_INFO_CAPS;
}

static void no_page_sizes(void)
{
        head()->flags &= ~(uint32_t)VFIO_IOMMU_INFO_PGSIZES;
}

static void many_ranges(void)
{
        struct vfio_iommu_type1_info_cap_iova_range *list =
                capability(VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);

        list->nr_iovas = MAPPER_RANGES_MAX + 1;
}

static void missing_range(void)
{
        fake_vfio.info_bytes -= 8;
}

static void endless_description(void)
{
        fake_vfio.grow_info = true;
}

/* To itself: what follows is not seen. */
static void endless_list(void)
{
        struct vfio_info_cap_header *header = capability(VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);

        header->next = head()->cap_offset;
}

static const struct {
        const char *name;
        void (*spoil)(void);
        int result;
        const char *words;
} description_cases[] = {
        { "no IOMMU is set", no_iommu, -EINVAL, "then VFIO_SET_IOMMU" },
        { "another failure", no_such_call, -ENOTTY, "VFIO_IOMMU_GET_INFO: " },
        { "a kernel that does not tell pages", no_page_sizes, -ENOTSUP, "does not say" },
        { "more ranges than there is room for", many_ranges, -EOVERFLOW, "more than 64" },
        { "fewer ranges than it says", missing_range, -EOVERFLOW, "more than 64" },
        { "a description that has no end", endless_description, -EOVERFLOW, "GET_INFO" },
};

static void test_vfio_believes_no_nonsense(void **state)
{
        int fd = container();

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(description_cases); i++) {
                struct mapper *mapper;
                struct mapper_facts facts;
                int r;

                fake_vfio_init(8);
                mapper = mapper_of(fd);
                description_cases[i].spoil();
                r = mapper->ops->describe(mapper, &facts);
                if (r != description_cases[i].result ||
                    !strstr(par_error(NULL), description_cases[i].words))
                        fail_msg("%s: %d, %s", description_cases[i].name, r, par_error(NULL));
                mapper->ops->free(mapper);
        }
        close(fd);
}

static void test_vfio_tells_no_ranges_where_the_kernel_does_not(void **state)
{
        void (*const spoil[])(void) = { no_capabilities, endless_list };
        int fd = container();

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(spoil); i++) {
                struct mapper_facts facts;
                struct mapper *mapper;

                fake_vfio_init(8);
                mapper = mapper_of(fd);
                spoil[i]();
                assert_int_equal(mapper->ops->describe(mapper, &facts), 0);
                assert_int_equal(facts.n_ranges, 0);
                assert_int_not_equal(facts.page_sizes, 0);
                mapper->ops->free(mapper);
        }
        close(fd);
}

static void test_vfio_describes_with_memory_only(void **state)
{
        int fd = container();
        struct mapper *mapper;
        struct mapper_facts facts;

        (void)state;
        fake_vfio_init(8);
        mapper = mapper_of(fd);
        for (unsigned long n = 1; n <= 2; n++) { /* its head, and all of it */
                heap_fail(n, n);
                assert_int_equal(mapper->ops->describe(mapper, &facts), -ENOMEM);
                assert_true(heap_mend());
        }
        mapper->ops->free(mapper);
        close(fd);
}

/* ---- mapping -------------------------------------------------------------------------------- */

#define MAP_BYTES 8192

static int map(struct mapper *mapper, void *at, uint64_t iova, enum io_access access)
{
        return mapper->ops->map(mapper, at, iova, MAP_BYTES, access);
}

static void test_vfio_maps_and_unmaps(void **state)
{
        static char memory[MAP_BYTES];
        int fd = container();
        struct mapper *mapper;

        (void)state;
        fake_vfio_init(8);
        mapper = mapper_of(fd);
        assert_int_equal(map(mapper, memory, 0x10000, IO_READ_WRITE), 0);
        assert_int_equal(fake_vfio.n_maps, 1);
        assert_int_equal(fake_vfio.maps[0].at, (uintptr_t)memory);
        assert_int_equal(fake_vfio.maps[0].iova, 0x10000);
        assert_int_equal(fake_vfio.maps[0].size, sizeof(memory));
        assert_int_equal(map(mapper, memory, 0x11000, IO_READ_WRITE), -EEXIST);
        fake_vfio.fail_map = ENOMEM;
        assert_int_equal(map(mapper, memory, 0x20000, IO_READ_WRITE), -ENOMEM);

        fake_vfio.fail_unmap = EIO;
        assert_int_equal(mapper->ops->unmap(mapper, 0x10000, sizeof(memory)), -EIO);
        fake_vfio.fail_unmap = EINVAL;
        assert_int_equal(mapper->ops->unmap(mapper, 0x10000, sizeof(memory)), -EINVAL);
        fake_vfio.fail_info = EINVAL; /* the last device has left, and the IOMMU is no more */
        assert_int_equal(mapper->ops->unmap(mapper, 0x10000, sizeof(memory)), 0);
        fake_vfio.fail_info = 0;
        fake_vfio.fail_unmap = 0;
        fake_vfio.unmap_less = true;
        assert_int_equal(mapper->ops->unmap(mapper, 0x10000, sizeof(memory)), -ENOENT);
        fake_vfio.unmap_less = false;
        assert_int_equal(mapper->ops->unmap(mapper, 0x10000, sizeof(memory)), 0);
        assert_int_equal(fake_vfio.n_maps, 0);
        mapper->ops->free(mapper);
        close(fd);
}

static const struct {
        const char *name;
        enum io_access access;
        uint32_t flags;
} access_cases[] = {
        { "both", IO_READ_WRITE, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE },
        { "reads", IO_READ, VFIO_DMA_MAP_FLAG_READ },
        { "writes", IO_WRITE, VFIO_DMA_MAP_FLAG_WRITE },
};

static void test_vfio_maps_as_the_device_may(void **state)
{
        static char memory[MAP_BYTES];
        int fd = container();
        struct mapper *mapper;

        (void)state;
        fake_vfio_init(8);
        mapper = mapper_of(fd);
        for (size_t i = 0; i < ARRAY_SIZE(access_cases); i++) {
                assert_int_equal(map(mapper, memory, i * MAP_BYTES, access_cases[i].access), 0);
                if (fake_vfio.maps[i].flags != access_cases[i].flags)
                        fail_msg("%s: flags %u", access_cases[i].name, fake_vfio.maps[i].flags);
        }
        mapper->ops->free(mapper);
        close(fd);
}

/* What an IOMMU has no pages for it lets the device do both with; what else is the matter stays so.
 */
static void test_vfio_maps_for_both_where_it_has_to(void **state)
{
        static char memory[MAP_BYTES];
        int fd = container();
        struct mapper *mapper;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(access_cases); i++) {
                const bool possible = access_cases[i].access != IO_READ_WRITE;

                fake_vfio_init(8);
                mapper = mapper_of(fd);
                fake_vfio.lacks_flags = access_cases[i].flags;
                assert_int_equal(map(mapper, memory, 0, access_cases[i].access),
                                 possible ? 0 : -EINVAL);
                assert_int_equal(fake_vfio.n_maps, possible);
                if (possible)
                        assert_int_equal(fake_vfio.maps[0].flags, access_cases[0].flags);
                fake_vfio.lacks_flags = 0;
                fake_vfio.fail_map = EINVAL;
                assert_int_equal(map(mapper, memory, MAP_BYTES, access_cases[i].access), -EINVAL);
                fake_vfio.fail_map = EFAULT;
                fake_vfio.good_maps = 0;
                assert_int_equal(map(mapper, memory, MAP_BYTES, access_cases[i].access), -EFAULT);
                assert_int_equal(fake_vfio.n_maps, possible);
                mapper->ops->free(mapper);
        }
        close(fd);
}

/* Which kernel it is; NULL: it does not say. */
static const char *release;

int __wrap_uname(struct utsname *ret);
int __wrap_uname(struct utsname *ret)
{
        if (!release)
                return -1;
        snprintf(ret->release, sizeof(ret->release), "%s", release);
        return 0;
}

/* Whether the kernel pins pages for reading that the process does not have to itself yet. */
static const struct {
        const char *release;
        enum io_access access;
        bool own;
} kernels[] = {
        { "6.1.0-18-amd64", IO_READ, true },
        { "6.1.0-18-amd64", IO_WRITE, false },
        { "6.1.0-18-amd64", IO_READ_WRITE, false },
        { "5.19.17", IO_READ, true },
        { "5.4.0", IO_READ, true },
        { "6.2.0", IO_READ, false },
        { "6.12.117+deb12-cloud-amd64", IO_READ, false },
        { "7.0", IO_READ, false },
        { "something", IO_READ, true },
        { NULL, IO_READ, true },
};

static void test_vfio_pins_for_reading_what_stays(void **state)
{
        int fd = container();
        struct mapper *mapper;

        (void)state;
        fake_vfio_init(8);
        mapper = mapper_of(fd);
        for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
                void *at = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                unsigned char there[MAP_BYTES / 4096] = { 0 };

                assert_ptr_not_equal(at, MAP_FAILED);
                release = kernels[i].release;
                assert_int_equal(map(mapper, at, i * MAP_BYTES, kernels[i].access), 0);
                assert_int_equal(mincore(at, MAP_BYTES, there), 0);
                for (size_t k = 0; k < ARRAY_SIZE(there); k++)
                        if ((there[k] & 1) != kernels[i].own)
                                fail_msg("kernel %s, access %d, page %zu: %d",
                                         release ? release : "?", kernels[i].access, k, there[k]);
                munmap(at, MAP_BYTES);
        }
        mapper->ops->free(mapper);
        close(fd);
}

/* What may not be written is mapped as it is, also where the kernel is old. */
static void test_vfio_maps_what_is_only_read(void **state)
{
        void *at = mmap(NULL, MAP_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int fd = container();
        struct mapper *mapper;

        (void)state;
        assert_ptr_not_equal(at, MAP_FAILED);
        fake_vfio_init(8);
        mapper = mapper_of(fd);
        release = "6.1.0";
        assert_int_equal(map(mapper, at, 0, IO_READ), 0);
        assert_int_equal(fake_vfio.n_maps, 1);
        mapper->ops->free(mapper);
        munmap(at, MAP_BYTES);
        close(fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vfio_takes_containers_only),
                cmocka_unit_test(test_vfio_knows_its_container),
                cmocka_unit_test(test_vfio_reads_old_and_new_descriptions),
                cmocka_unit_test(test_vfio_believes_no_nonsense),
                cmocka_unit_test(test_vfio_tells_no_ranges_where_the_kernel_does_not),
                cmocka_unit_test(test_vfio_describes_with_memory_only),
                cmocka_unit_test(test_vfio_maps_and_unmaps),
                cmocka_unit_test(test_vfio_maps_as_the_device_may),
                cmocka_unit_test(test_vfio_maps_for_both_where_it_has_to),
                cmocka_unit_test(test_vfio_pins_for_reading_what_stays),
                cmocka_unit_test(test_vfio_maps_what_is_only_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
