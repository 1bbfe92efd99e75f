/* SPDX-License-Identifier: MIT */
/*
 * The readers of sysfs, procfs, pagemap and kpageflags, and the reservation, on machines made of
 * files.
 */
#include "sysfs.h"

#include "hugetlb.h"
#include "macros.h"
#include "pagemap.h"
#include "reserve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void put(const char *path, const char *text)
{
        char full[512];
        FILE *file;

        snprintf(full, sizeof(full), "%s%s", root, path);
        for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
                *at = '\0';
                if (mkdir(full, 0755) < 0)
                        assert_int_equal(errno, EEXIST);
                *at = '/';
        }
        file = fopen(full, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
}

static void put_pages(const char *directory, const char *total, const char *free,
                      const char *surplus, const char *promised)
{
        char path[256];

        snprintf(path, sizeof(path), "%s/nr_hugepages", directory);
        put(path, total);
        snprintf(path, sizeof(path), "%s/free_hugepages", directory);
        put(path, free);
        snprintf(path, sizeof(path), "%s/surplus_hugepages", directory);
        put(path, surplus);
        if (promised) {
                snprintf(path, sizeof(path), "%s/resv_hugepages", directory);
                put(path, promised);
        }
}

#define SYSTEM_2M "/sys/kernel/mm/hugepages/hugepages-2048kB"
#define NODE1_2M  "/sys/devices/system/node/node1/hugepages/hugepages-2048kB"

static int setup(void **state)
{
        (void)state;
        strcpy(root, "/tmp/par-test-sysfs-XXXXXX");
        if (!mkdtemp(root))
                return -1;
        put_pages(SYSTEM_2M, "100\n", "40\n", "7\n", "3\n");
        put_pages(NODE1_2M, "60\n", "10\n", "0\n", NULL);
        put("/proc/meminfo", "MemTotal:       24000000 kB\nMemFree:        20000000 kB\n"
                             "MemAvailable:    1048576 kB\nBuffers:               0 kB\n");
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static int teardown(void **state)
{
        (void)state;
        return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_sysfs_reads_figures(void **state)
{
        struct hugepages pages;
        uint64_t bytes;

        (void)state;
        assert_int_equal(sysfs_hugepages(root, 2 * MiB, NODE_ANY, &pages), 0);
        assert_int_equal(pages.total, 100);
        assert_int_equal(hugepages_persistent(&pages), 93);
        assert_int_equal(hugepages_available(&pages), 37);
        assert_int_equal(sysfs_hugepages(root, 2 * MiB, 1, &pages), 0);
        assert_int_equal(pages.total, 60);
        assert_int_equal(hugepages_available(&pages), 10);
        assert_int_equal(sysfs_hugepages(root, GiB, NODE_ANY, &pages), -ENOENT);
        assert_int_equal(sysfs_hugepages(root, 2 * MiB, 2, &pages), -ENOENT);
        assert_int_equal(sysfs_memory_available(root, &bytes), 0);
        assert_int_equal(bytes, GiB);
}

static void test_sysfs_refuses_what_is_no_number(void **state)
{
        static const char *const texts[] = { "",      "\n",   "-1\n",
                                             "12x\n", " 5\n", "99999999999999999999999\n" };
        struct hugepages pages;
        uint64_t bytes;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                put(SYSTEM_2M "/free_hugepages", texts[i]);
                if (sysfs_hugepages(root, 2 * MiB, NODE_ANY, &pages) != -EBADMSG)
                        fail_msg("\"%s\" was taken for a number", texts[i]);
        }
        put("/proc/meminfo", "MemTotal: 5 kB\n");
        assert_int_equal(sysfs_memory_available(root, &bytes), -EBADMSG);
        put("/proc/meminfo", "MemAvailable: lots\n");
        assert_int_equal(sysfs_memory_available(root, &bytes), -EBADMSG);
}

static const struct {
        const char *name;
        uint64_t keep_free;
        struct backend_demand demands[2];
        size_t n_demands;
        const char *error;
        int result;
        bool reserve;
} reserve_cases[] = {
        { "what is there is enough", 0, { { 2 * MiB, NODE_ANY, 74 * MiB } }, 1, NULL, 0, true },
        { "existing: some will do", 0, { { 2 * MiB, NODE_ANY, GiB } }, 1, NULL, 0, false },
        { "nodes and the rest are told apart",
          0,
          { { 2 * MiB, NODE_ANY, 54 * MiB }, { 2 * MiB, 1, 20 * MiB } },
          2,
          NULL,
          0,
          true },
        { "pools of one size are added up",
          2 * GiB,
          { { 2 * MiB, NODE_ANY, 54 * MiB }, { 2 * MiB, NODE_ANY, 21 * MiB } },
          2,
          "2M more in hugepages are wanted, but of the system's memory 1G are available and "
          "keep_free leaves it 2G",
          -ENOMEM,
          true },
        { "no such size",
          0,
          { { GiB, NODE_ANY, GiB } },
          1,
          "there are no hugepages of 1G; this system has sizes: ",
          -ENOENT,
          true },
        { "no such node",
          0,
          { { 2 * MiB, 5, 2 * MiB } },
          1,
          "there are no hugepages of 2M on node 5; this system has sizes: ",
          -ENOENT,
          true },
        { "more than there is memory",
          0,
          { { 2 * MiB, NODE_ANY, UINT64_MAX } },
          1,
          "more in hugepages are wanted",
          -ENOMEM,
          true },
        { "the system cannot make them",
          0,
          { { 2 * MiB, NODE_ANY, 200 * MiB } },
          1,
          "100 hugepages of 2M are wanted, but the system can only make it 37",
          -ENOMEM,
          true },
        { "the node cannot make them",
          0,
          { { 2 * MiB, 1, 200 * MiB } },
          1,
          "100 hugepages of 2M are wanted on node 1, but the system can only make it 10",
          -ENOMEM,
          true },
};

static uint64_t number_in(const char *path)
{
        char full[512], text[32];
        FILE *file;

        snprintf(full, sizeof(full), "%s%s", root, path);
        file = fopen(full, "r");
        assert_non_null(file);
        assert_non_null(fgets(text, sizeof(text), file));
        fclose(file);
        return strtoull(text, NULL, 10);
}

static void test_reserve_says_what_cannot_be(void **state)
{
        struct reserve reserve;
        char error[256];
        int r;

        (void)state;
        /* These files do not answer; so there is no surplus to stumble over. */
        put(SYSTEM_2M "/surplus_hugepages", "0\n");
        for (size_t i = 0; i < ARRAY_SIZE(reserve_cases); i++) {
                struct hugetlb_settings settings = {
                        .reserve = reserve_cases[i].reserve,
                        .keep_free_bytes = reserve_cases[i].keep_free,
                        .demands = reserve_cases[i].demands,
                        .n_demands = reserve_cases[i].n_demands,
                        .sysfs_root = root,
                };

                *error = '\0';
                r = reserve_init(&reserve, &settings, error, sizeof(error));
                if (!r)
                        reserve_deinit(&reserve);
                if (r != reserve_cases[i].result)
                        fail_msg("%s: %d, \"%s\"", reserve_cases[i].name, r, error);
                if (reserve_cases[i].error && !strstr(error, reserve_cases[i].error))
                        fail_msg("%s: \"%s\"", reserve_cases[i].name, error);
                /* Nothing stays added. */
                if (number_in(SYSTEM_2M "/nr_hugepages") != 100 ||
                    number_in(NODE1_2M "/nr_hugepages") != 60)
                        fail_msg("%s: nr_hugepages is not what it was", reserve_cases[i].name);
        }
}

static void test_reserve_without_permission(void **state)
{
        struct backend_demand demand = { 2 * MiB, NODE_ANY, GiB };
        struct hugetlb_settings settings = { .demands = &demand, .n_demands = 1 };
        struct reserve reserve;
        char error[256];

        (void)state;
        settings.sysfs_root = root;
        put(SYSTEM_2M "/free_hugepages", "0\n");
        assert_int_equal(reserve_init(&reserve, &settings, error, sizeof(error)), -ENOMEM);
        assert_non_null(strstr(error, "no hugepage of 2M is free: write how many"));
}

static void write_entry(int fd, uint64_t index, uint64_t entry)
{
        assert_int_equal(pwrite(fd, &entry, sizeof(entry), (off_t)(index * sizeof(entry))),
                         sizeof(entry));
}

static void test_pagemap_reads_entries(void **state)
{
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), phys;
        bool in_file;
        int fd;

        (void)state;
        fd = memfd_create("test", MFD_CLOEXEC);
        assert_true(fd >= 0);
        write_entry(fd, 3, UINT64_C(1) << 63 | UINT64_C(1) << 61 | 0x123456);
        write_entry(fd, 4, UINT64_C(1) << 63);
        write_entry(fd, 5, 0x123456);
        assert_int_equal(pagemap_read(fd, 3 * page + 17, &phys), 0);
        assert_int_equal(phys, 0x123456 * page + 17);
        assert_int_equal(pagemap_read(fd, 4 * page, &phys), -EACCES);
        assert_int_equal(pagemap_read(fd, 5 * page, &phys), -ENOENT);
        assert_int_equal(pagemap_read(fd, 6 * page, &phys), -EIO);
        assert_int_equal(pagemap_read(-1, 0, &phys), -EBADF);

        write_entry(fd, 0, 0x28018);
        write_entry(fd, 1, 0x28000);
        write_entry(fd, 2, 0x18);
        assert_int_equal(kpageflags_in_file(fd, 0, &in_file), 0);
        assert_true(in_file);
        assert_int_equal(kpageflags_in_file(fd, page, &in_file), 0);
        assert_false(in_file);
        assert_int_equal(kpageflags_in_file(fd, 2 * page, &in_file), 0);
        assert_false(in_file);
        assert_int_equal(kpageflags_in_file(fd, 99 * page, &in_file), -EIO);
        close(fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_sysfs_reads_figures, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sysfs_refuses_what_is_no_number, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_reserve_says_what_cannot_be, setup, teardown),
                cmocka_unit_test_setup_teardown(test_reserve_without_permission, setup, teardown),
                cmocka_unit_test(test_pagemap_reads_entries),
        };

        return cmocka_run_group_tests_name("sysfs", tests, NULL, NULL);
}
