/* SPDX-License-Identifier: MIT */
/*
 * The readers of sysfs, procfs, pagemap and kpageflags, on machines made of files.
 */
#include "sysfs.h"

#include "backend.h"
#include "file_tree.h"
#include "free_pages.h"
#include "macros.h"
#include "pagemap.h"
#include "zones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct file_tree tree;

static void put(const char *path, const char *text)
{
        file_tree_put(&tree, path, text);
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
        file_tree_init(&tree);
        put_pages(SYSTEM_2M, "100\n", "40\n", "7\n", "3\n");
        put_pages(NODE1_2M, "60\n", "10\n", "0\n", NULL);
        put("/proc/meminfo", "MemTotal:       24000000 kB\nMemFree:        20000000 kB\n"
                             "MemAvailable:    1048576 kB\nBuffers:               0 kB\n");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        file_tree_deinit(&tree);
        return 0;
}

static void test_sysfs_reads_figures(void **state)
{
        struct hugepages pages;
        uint64_t bytes;

        (void)state;
        assert_int_equal(sysfs_hugepages(tree.root, 2 * MiB, NODE_ANY, &pages), 0);
        assert_int_equal(pages.total, 100);
        assert_int_equal(hugepages_persistent(&pages), 93);
        assert_int_equal(hugepages_available(&pages), 37);
        assert_int_equal(sysfs_hugepages(tree.root, 2 * MiB, 1, &pages), 0);
        assert_int_equal(pages.total, 60);
        assert_int_equal(hugepages_available(&pages), 10);
        assert_int_equal(sysfs_hugepages(tree.root, GiB, NODE_ANY, &pages), -ENOENT);
        assert_int_equal(sysfs_hugepages(tree.root, 2 * MiB, 2, &pages), -ENOENT);
        assert_int_equal(sysfs_memory_available(tree.root, &bytes), 0);
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
                if (sysfs_hugepages(tree.root, 2 * MiB, NODE_ANY, &pages) != -EBADMSG)
                        fail_msg("\"%s\" was taken for a number", texts[i]);
        }
        put("/proc/meminfo", "MemTotal: 5 kB\n");
        assert_int_equal(sysfs_memory_available(tree.root, &bytes), -EBADMSG);
        put("/proc/meminfo", "MemAvailable: lots\n");
        assert_int_equal(sysfs_memory_available(tree.root, &bytes), -EBADMSG);
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

#define LARGE "/sys/kernel/mm/hugepages/hugepages-1048576kB"

static void check_file(const char *path, const char *want)
{
        char full[512], text[64] = "";
        FILE *file;

        snprintf(full, sizeof(full), "%s%s", tree.root, path);
        file = fopen(full, "r");
        assert_non_null(file);
        (void)!fgets(text, sizeof(text), file);
        fclose(file);
        assert_string_equal(text, want);
}

static void test_sysfs_demotes(void **state)
{
        (void)state;
        assert_false(sysfs_can_demote(tree.root, GiB));
        assert_int_equal(sysfs_demote_hugepage(tree.root, GiB, NODE_ANY, 2 * MiB), -EOPNOTSUPP);
        put(LARGE "/demote", "");
        put(LARGE "/demote_size", "2048kB\n");
        assert_true(sysfs_can_demote(tree.root, GiB));
        assert_int_equal(sysfs_demote_hugepage(tree.root, GiB, NODE_ANY, 2 * MiB), 0);
        check_file(LARGE "/demote", "1\n");
        put(LARGE "/demote_size", "65536kB\n");
        assert_int_equal(sysfs_demote_hugepage(tree.root, GiB, 1, 2 * MiB), -EOPNOTSUPP);
        check_file(LARGE "/demote_size", "2048kB\n");
}

static void test_sysfs_knows_the_nodes(void **state)
{
        size_t n;
        int *nodes;

        (void)state;
        put("/sys/devices/system/node/node11/hugepages/x", "");
        put("/sys/devices/system/node/node2/cpulist", "a node without memory\n");
        put("/sys/devices/system/node/node3x/hugepages/x", "");
        put("/sys/devices/system/node/node99999/hugepages/x", "");
        assert_int_equal(sysfs_nodes(tree.root, &nodes, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(nodes[0], 1);
        assert_int_equal(nodes[1], 11);
        free(nodes);
        assert_int_equal(sysfs_nodes("/nowhere", &nodes, &n), 0);
        assert_int_equal(n, 0);
        free(nodes);
}

static void test_sysfs_permission_to_set(void **state)
{
        (void)state;
        assert_int_equal(sysfs_may_set_hugepages(tree.root, 2 * MiB, NODE_ANY), 0);
        assert_int_equal(sysfs_may_set_hugepages(tree.root, GiB, NODE_ANY), -ENOENT);
        check_file(SYSTEM_2M "/nr_hugepages", "100\n");
}

static const char two_nodes[] = "Node 1, zone   Normal\n"
                                "  pages free     1\n"
                                "        spanned  1024\n"
                                "        present  1000\n"
                                "  start_pfn:           1049600\n"
                                "Node 0, zone      DMA\n"
                                "        spanned  4095\n"
                                "  start_pfn:           1\n"
                                "Node 0, zone    DMA32\n"
                                "        spanned  520192\n"
                                "  start_pfn:           4096\n"
                                "Node 0, zone  Movable\n"
                                "        spanned  0\n"
                                "  start_pfn:           77\n"
                                "Node 0, zone   Device\n"
                                "        spanned  0\n";

static void test_zones_tells_where_nodes_lie(void **state)
{
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        struct zone *zones;
        struct range range;
        size_t n;

        (void)state;
        assert_int_equal(zones_read(tree.root, &zones, &n), -ENOENT);
        put("/proc/zoneinfo", two_nodes);
        assert_int_equal(zones_read(tree.root, &zones, &n), 0);
        assert_int_equal(n, 3);
        assert_int_equal(zones[0].range.first, page);
        assert_int_equal(zones[1].range.first, 4096 * page);
        assert_int_equal(zones[2].node, 1);
        assert_int_equal(zones_node_range(zones, n, 0, &range), 0);
        assert_true(range.first == page && range.last == (4096 + 520192) * page - 1);
        assert_int_equal(zones_node_range(zones, n, 1, &range), 0);
        assert_true(range.first == 1049600 * page && range.last == (1049600 + 1024) * page - 1);
        assert_int_equal(zones_node_range(zones, n, 2, &range), -ENOENT);
        free(zones);
}

static void test_zones_refuses_nonsense(void **state)
{
        static const char *const texts[] = {
                "",
                "Node 0, zone Normal\n spanned 0\n start_pfn: 5\n",
                "Node 0, zone Normal\n spanned 9\n",
                "Node 0, zone Normal\n spanned 2\n start_pfn: 18446744073709551615\n",
                "Node 5000, zone Normal\n spanned 2\n start_pfn: 0\n",
                "spanned x\nstart_pfn: \nNode\n",
        };
        struct zone *zones;
        size_t n;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                put("/proc/zoneinfo", texts[i]);
                if (zones_read(tree.root, &zones, &n) != -EBADMSG)
                        fail_msg("\"%s\" was taken for zones", texts[i]);
        }
}

enum {
        FREE = 0x28000,     /* the head of a free hugepage */
        USED = 0x28018,     /* in a file */
        ANON = 0x400029808, /* in a program */
        REST = 0x30000,     /* inside of a hugepage */
        POISON = 0xa8000,   /* broken */
        BUDDY = 0x400,      /* free, but no hugepage */
};

static struct visited {
        uint64_t pages[16];
        size_t n;
} visited;

static void visit(void *data, uint64_t phys)
{
        assert_ptr_equal(data, &visited);
        assert_true(visited.n < ARRAY_SIZE(visited.pages));
        visited.pages[visited.n++] = phys / MiB;
}

/* Large pages are 8 MiB here, the others 2 MiB. */
static const struct {
        const char *name;
        uint64_t page_bytes, smaller_bytes;
        int node;
        struct range window;
        size_t n;
        uint64_t pages[8]; /* MiB */
} visit_cases[] = {
        { "all of one size", 2 * MiB, 0, NODE_ANY, { 0, UINT64_MAX }, 4, { 2, 6, 12, 30 } },
        { "the larger ones", 8 * MiB, 2 * MiB, NODE_ANY, { 0, UINT64_MAX }, 1, { 16 } },
        { "whole pages in the window",
          2 * MiB,
          0,
          NODE_ANY,
          { 2 * MiB + 1, 14 * MiB - 1 },
          2,
          { 6, 12 } },
        { "one byte less", 2 * MiB, 0, NODE_ANY, { 2 * MiB, 14 * MiB - 2 }, 2, { 2, 6 } },
        { "one node", 2 * MiB, 0, 1, { 0, UINT64_MAX }, 2, { 12, 30 } },
        { "a node that is not there", 2 * MiB, 0, 7, { 0, UINT64_MAX }, 0, { 0 } },
        { "a window without memory", 2 * MiB, 0, NODE_ANY, { GiB, TiB }, 0, { 0 } },
        { "the end of all addresses",
          2 * MiB,
          0,
          NODE_ANY,
          { UINT64_MAX - 1, UINT64_MAX },
          0,
          { 0 } },
};

static void test_free_pages_are_found(void **state)
{
        /* The zones of the nodes overlap from 10 to 16 MiB. */
        static const struct zone zones[] = { { { 0, 16 * MiB - 1 }, 0 },
                                             { { 10 * MiB, 64 * MiB - 1 }, 1 } };
        static const uint64_t flags[] = {
                BUDDY, FREE,   USED, FREE,
                ANON,  POISON, FREE, BUDDY, /* at 0, 2, .. 14 MiB */
                FREE,  REST,   REST, REST,
                USED,  REST,   REST, FREE, /* a large one at 16, one in use */
        };
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        struct free_pages what;
        int fd;

        (void)state;
        fd = memfd_create("kpageflags", MFD_CLOEXEC);
        assert_true(fd >= 0);
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                for (uint64_t k = 0; k < 2 * MiB / page; k++) {
                        uint64_t entry = flags[i];

                        if (k > 0 && (entry & 0x8000))
                                entry ^= 0x18000; /* the rest of a head's page */
                        assert_int_equal(pwrite(fd, &entry, sizeof(entry),
                                                (off_t)((i * 2 * MiB / page + k) * 8)),
                                         8);
                }
        for (size_t i = 0; i < ARRAY_SIZE(visit_cases); i++) {
                what = (struct free_pages){
                        .kpageflags = fd,
                        .page_bytes = visit_cases[i].page_bytes,
                        .smaller_bytes = visit_cases[i].smaller_bytes,
                        .node = visit_cases[i].node,
                        .window = visit_cases[i].window,
                };
                visited.n = 0;
                assert_int_equal(free_pages_visit(&what, zones, 2, visit, &visited), 0);
                if (visited.n != visit_cases[i].n ||
                    memcmp(visited.pages, visit_cases[i].pages, visited.n * sizeof(uint64_t)) != 0)
                        fail_msg("%s: %zu pages, the first at %ju MiB", visit_cases[i].name,
                                 visited.n, (uintmax_t)visited.pages[0]);
        }
        close(fd);
        what.window = RANGE_ALL;
        assert_int_equal(free_pages_visit(&what, zones, 2, visit, &visited), -EBADF);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_sysfs_reads_figures, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sysfs_refuses_what_is_no_number, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_sysfs_demotes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sysfs_knows_the_nodes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sysfs_permission_to_set, setup, teardown),
                cmocka_unit_test_setup_teardown(test_zones_tells_where_nodes_lie, setup, teardown),
                cmocka_unit_test_setup_teardown(test_zones_refuses_nonsense, setup, teardown),
                cmocka_unit_test(test_pagemap_reads_entries),
                cmocka_unit_test(test_free_pages_are_found),
        };

        return cmocka_run_group_tests_name("sysfs", tests, NULL, NULL);
}
