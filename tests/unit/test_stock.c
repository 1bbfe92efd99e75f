/* SPDX-License-Identifier: MIT */
/*
 * The stock on a kernel made of numbers, which behaves as the real one does with surplus pages,
 * nodes and memory that runs out; and a process that ends at every call that it makes.
 */
#include "stock.h"

#include "backend.h"
#include "macros.h"
#include "sysfs.h"

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
#include <sys/wait.h>
#include <unistd.h>

#define NODES      2
#define SIZES      2
#define WAS_KILLED 42

/* ---- the kernel ------------------------------------------------------------------------------ */

/* The pages of one size on one node; the surplus ones are among the used. */
struct model_pages {
        uint64_t persistent, surplus, used;
};

enum kill_when {
        KILL_BEFORE,
        KILL_HALFWAY,
        KILL_AFTER,
};

/**
 * struct model - the system
 * @memory:   that is free, on each node
 * @promised: pages of 2 MiB that mappings have reserved
 * @let_go:   used pages of 2 MiB on node 0 that become free while a number is lowered: most
 *            of them the first time, and so on
 * @calls:    made so far; the process ends at number @kill_at, before or (@kill_after) after what
 *            it does, or halfway
 */
struct model {
        struct model_pages pages[SIZES][NODES];
        uint64_t memory[NODES];
        uint64_t promised;
        uint64_t let_go;
        unsigned calls, kill_at;
        enum kill_when kill_when;
        int fail_errno; /* of writing numbers; 0: none */
};

static struct model *model; /* shared with processes that end */

static unsigned size_index(uint64_t page_bytes)
{
        assert_true(page_bytes == 2 * MiB || page_bytes == GiB);
        return page_bytes == GiB;
}

static void kill_point(enum kill_when when)
{
        if (model->calls == model->kill_at && model->kill_when == when)
                _exit(WAS_KILLED);
}

static struct hugepages sum(unsigned size, int node)
{
        struct hugepages sum = { 0 };

        for (int n = 0; n < NODES; n++) {
                const struct model_pages *pages = &model->pages[size][n];

                if (node != NODE_ANY && node != n)
                        continue;
                sum.total += pages->persistent + pages->surplus;
                sum.free += pages->persistent + pages->surplus - pages->used;
                sum.surplus += pages->surplus;
        }
        if (node == NODE_ANY && size == 0)
                sum.promised = model->promised;
        return sum;
}

static bool raise_one(unsigned size, int node)
{
        uint64_t bytes = size ? GiB : 2 * MiB;
        bool fewer;

        for (int n = 0; n < NODES; n++)
                if ((node == NODE_ANY || node == n) && model->pages[size][n].surplus) {
                        model->pages[size][n].surplus--;
                        model->pages[size][n].persistent++;
                        return true;
                }
        fewer = model->pages[size][1].persistent < model->pages[size][0].persistent;
        for (int k = 0; k < NODES; k++) {
                int n = k ? !fewer : fewer;

                if ((node != NODE_ANY && node != n) || model->memory[n] < bytes)
                        continue;
                model->memory[n] -= bytes;
                model->pages[size][n].persistent++;
                return true;
        }
        return false;
}

static bool free_one(unsigned size, int node)
{
        for (int n = 0; n < NODES; n++) {
                struct model_pages *pages = &model->pages[size][n];

                if ((node != NODE_ANY && node != n) || !pages->persistent ||
                    pages->persistent + pages->surplus == pages->used)
                        continue;
                pages->persistent--;
                model->memory[n] += size ? GiB : 2 * MiB;
                return true;
        }
        return false;
}

static bool make_one_surplus(unsigned size, int node)
{
        for (int n = 0; n < NODES; n++)
                if ((node == NODE_ANY || node == n) && model->pages[size][n].persistent) {
                        model->pages[size][n].persistent--;
                        model->pages[size][n].surplus++;
                        return true;
                }
        return false;
}

/* Others take pages and let them go. */
static void use(uint64_t page_bytes, int node, uint64_t count)
{
        struct model_pages *pages = &model->pages[size_index(page_bytes)][node];

        pages->used += count;
        assert_true(pages->used <= pages->persistent + pages->surplus);
}

static void unuse(uint64_t page_bytes, int node, uint64_t count)
{
        struct model_pages *pages = &model->pages[size_index(page_bytes)][node];

        for (; count > 0; count--) {
                pages->used--;
                if (!pages->surplus)
                        continue;
                pages->surplus--;
                model->memory[node] += page_bytes;
        }
}

static uint64_t persistent_pages(unsigned size)
{
        struct hugepages all = sum(size, NODE_ANY);

        return hugepages_persistent(&all);
}

/* The kernel has no lock while it gives the free pages to the system. */
static void let_go_meanwhile(void)
{
        uint64_t count = model->let_go - model->let_go / 4;

        model->let_go -= count;
        unuse(2 * MiB, 0, count);
}

/* Free pages go as long as there are more persistent ones than used ones of any kind; what is still
 * too many then is called surplus, used or not. */
static void lower_to(unsigned size, int node, uint64_t goal)
{
        struct hugepages all = sum(size, NODE_ANY);
        uint64_t used = all.total - all.free + all.promised, least = goal > used ? goal : used;

        while (persistent_pages(size) > least && free_one(size, node))
                ;
        if (persistent_pages(size) > goal)
                let_go_meanwhile();
        while (persistent_pages(size) > goal && make_one_surplus(size, node))
                ;
}

static void set(uint64_t page_bytes, int node, uint64_t goal, bool halfway)
{
        unsigned size = size_index(page_bytes);
        uint64_t now = persistent_pages(size);

        if (halfway)
                goal = goal > now ? now + (goal - now) / 2 : now - (now - goal) / 2;
        while (persistent_pages(size) < goal && raise_one(size, node))
                ;
        lower_to(size, node, goal);
}

/* ---- what the stock calls ----------------------------------------------------------------------
 */

int __wrap_sysfs_hugepages(const char *root, uint64_t page_bytes, int node, struct hugepages *ret);
int __wrap_sysfs_set_hugepages(const char *root, uint64_t page_bytes, int node, uint64_t count);
int __wrap_sysfs_may_set_hugepages(const char *root, uint64_t page_bytes, int node);
int __wrap_sysfs_demote_hugepage(const char *root, uint64_t page_bytes, int node,
                                 uint64_t small_bytes);
int __wrap_sysfs_nodes(const char *root, int **ret, size_t *ret_n);
int __wrap_sysfs_memory_available(const char *root, uint64_t *ret_bytes);
int __wrap_sysfs_lock(const char *root, int *ret_fd);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);
ssize_t __real_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);

int __wrap_sysfs_hugepages(const char *root, uint64_t page_bytes, int node, struct hugepages *ret)
{
        (void)root;
        if ((page_bytes != 2 * MiB && page_bytes != GiB) || node >= NODES)
                return -ENOENT;
        *ret = sum(size_index(page_bytes), node);
        return 0;
}

int __wrap_sysfs_set_hugepages(const char *root, uint64_t page_bytes, int node, uint64_t count)
{
        (void)root;
        model->calls++;
        kill_point(KILL_BEFORE);
        if (model->fail_errno)
                return -model->fail_errno;
        if (model->calls == model->kill_at && model->kill_when == KILL_HALFWAY) {
                set(page_bytes, node, count, true);
                _exit(WAS_KILLED);
        }
        set(page_bytes, node, count, false);
        kill_point(KILL_AFTER);
        return 0;
}

int __wrap_sysfs_may_set_hugepages(const char *root, uint64_t page_bytes, int node)
{
        (void)root;
        (void)page_bytes;
        (void)node;
        return -model->fail_errno;
}

int __wrap_sysfs_demote_hugepage(const char *root, uint64_t page_bytes, int node,
                                 uint64_t small_bytes)
{
        struct model_pages *large = &model->pages[1][node];

        (void)root;
        assert_true(page_bytes == GiB && small_bytes == 2 * MiB);
        model->calls++;
        kill_point(KILL_BEFORE);
        if (large->persistent + large->surplus == large->used)
                return -ENOMEM;
        large->persistent--;
        model->pages[0][node].persistent += 512;
        kill_point(KILL_HALFWAY);
        kill_point(KILL_AFTER);
        return 0;
}

int __wrap_sysfs_nodes(const char *root, int **ret, size_t *ret_n)
{
        (void)root;
        *ret = calloc(NODES, sizeof(**ret));
        assert_non_null(*ret);
        for (int n = 0; n < NODES; n++)
                (*ret)[n] = n;
        *ret_n = NODES;
        return 0;
}

int __wrap_sysfs_memory_available(const char *root, uint64_t *ret_bytes)
{
        (void)root;
        *ret_bytes = model->memory[0] + model->memory[1];
        return 0;
}

int __wrap_sysfs_lock(const char *root, int *ret_fd)
{
        (void)root;
        *ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return 0;
}

ssize_t __wrap_pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
        model->calls++;
        kill_point(KILL_BEFORE);
        if (model->calls == model->kill_at && model->kill_when == KILL_HALFWAY) {
                (void)!__real_pwrite(fd, buffer, bytes / 2, offset);
                _exit(WAS_KILLED);
        }
        (void)!__real_pwrite(fd, buffer, bytes, offset);
        kill_point(KILL_AFTER);
        return (ssize_t)bytes;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static char record_path[64], told[1024];
static struct stock stock;

static void tell(const char *sentence)
{
        size_t used = strlen(told);

        snprintf(told + used, sizeof(told) - used, "%s\n", sentence);
}

static int setup(void **state)
{
        (void)state;
        snprintf(record_path, sizeof(record_path), "/tmp/par-test-stock-%d.reserved", getpid());
        model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                     0);
        if (model == MAP_FAILED)
                return -1;
        /* Two nodes of 8 GiB; an administrator has 6 pages on one and 4 on the other. */
        *model = (struct model){
                .pages = { { { .persistent = 6 }, { .persistent = 4 } }, { { 0 }, { 0 } } },
                .memory = { 8 * GiB, 8 * GiB },
        };
        *told = '\0';
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        stock_deinit(&stock);
        munmap(model, sizeof(*model));
        return unlink(record_path) < 0 && errno != ENOENT ? -1 : 0;
}

static void open_stock(bool reserve)
{
        const struct hugetlb_need need = { 2 * MiB, NODE_ANY };
        const struct hugetlb_settings settings = {
                .reserve = reserve,
                .needs = &need,
                .n_needs = 1,
                .record_path = record_path,
                .tell = tell,
                .sysfs_root = "",
        };
        char error[512];

        if (stock_init(&stock, &settings, error, sizeof(error)))
                fail_msg("%s", error);
}

static uint64_t more(uint64_t page_bytes, int node, uint64_t count)
{
        uint64_t added = UINT64_MAX;

        assert_int_equal(stock_more(&stock, page_bytes, node, count, &added), 0);
        return added;
}

static void check_pages(uint64_t page_bytes, uint64_t first, uint64_t second)
{
        const struct model_pages *pages = model->pages[size_index(page_bytes)];

        if (pages[0].persistent != first || pages[1].persistent != second)
                fail_msg("%ju and %ju pages instead of %ju and %ju", (uintmax_t)pages[0].persistent,
                         (uintmax_t)pages[1].persistent, (uintmax_t)first, (uintmax_t)second);
}

static bool is_recorded(void)
{
        return access(record_path, F_OK) == 0;
}

static void test_stock_grows_and_shrinks(void **state)
{
        (void)state;
        open_stock(true);
        check_pages(2 * MiB, 6, 4);
        assert_int_equal(more(2 * MiB, NODE_ANY, 0), 0);
        assert_int_equal(more(2 * MiB, NODE_ANY, 6), 6);
        check_pages(2 * MiB, 8, 8);
        assert_int_equal(more(2 * MiB, 1, 10), 10);
        check_pages(2 * MiB, 8, 18);
        assert_int_equal(more(GiB, 0, 1), 1);
        check_pages(GiB, 1, 0);

        /* Never what somebody else reserved, and only what is free. */
        stock_less(&stock, 2 * MiB, 0, 100);
        check_pages(2 * MiB, 6, 18);
        use(2 * MiB, 1, 17);
        stock_less(&stock, 2 * MiB, NODE_ANY, 5);
        check_pages(2 * MiB, 6, 17);
        unuse(2 * MiB, 1, 17);
        model->promised = 20;
        stock_less(&stock, 2 * MiB, NODE_ANY, 5);
        check_pages(2 * MiB, 6, 14);
        model->promised = 0;

        stock_deinit(&stock);
        check_pages(2 * MiB, 6, 4);
        check_pages(GiB, 0, 0);
        assert_false(is_recorded());
        assert_string_equal(told, "");
}

static void test_stock_tells_how_many_came(void **state)
{
        uint64_t added = 77;

        (void)state;
        open_stock(true);
        assert_int_equal(stock_more(&stock, 2 * MiB, 5, 1, &added), -ENOENT);
        assert_int_equal(stock_more(&stock, 3 * MiB, 0, 1, &added), -ENOENT);
        assert_int_equal(added, 77);
        model->memory[0] = 7 * MiB;
        model->memory[1] = 600 * MiB;
        assert_int_equal(more(GiB, NODE_ANY, 1), 0);
        assert_int_equal(more(2 * MiB, 0, 10), 3);
        assert_int_equal(more(2 * MiB, NODE_ANY, 1000), 300);
        assert_int_equal(more(2 * MiB, NODE_ANY, 1), 0);
        stock_deinit(&stock);
        check_pages(2 * MiB, 6, 4);
}

static void test_stock_minds_keep_free(void **state)
{
        uint64_t added = 77;

        (void)state;
        open_stock(true);
        stock_set_keep_free(&stock, 16 * GiB - 1025 * 2 * MiB);
        assert_int_equal(stock_more(&stock, 2 * MiB, NODE_ANY, 2000, &added), -EDQUOT);
        assert_int_equal(added, 1025);
        assert_int_equal(stock_more(&stock, 2 * MiB, NODE_ANY, 1, &added), -EDQUOT);
        assert_int_equal(added, 0);
        stock_set_keep_free(&stock, 0);
        assert_int_equal(more(2 * MiB, NODE_ANY, 1), 1);
        stock_less(&stock, 2 * MiB, NODE_ANY, 2000);
        check_pages(2 * MiB, 6, 4);
}

/* Pages of a client that outlived an earlier daemon are no new ones, and are not ours for good. */
static void test_stock_sees_through_surplus_pages(void **state)
{
        (void)state;
        model->pages[0][0].surplus = 3;
        model->pages[0][0].used = 3;
        open_stock(true);
        assert_int_equal(more(2 * MiB, 0, 2), 2);
        check_pages(2 * MiB, 11, 4);
        assert_int_equal(more(2 * MiB, NODE_ANY, 10), 10);
        assert_int_equal(sum(0, NODE_ANY).free, 22);
        stock_deinit(&stock);
        check_pages(2 * MiB, 6, 4);
        unuse(2 * MiB, 0, 3);
        check_pages(2 * MiB, 6, 4);
        assert_int_equal(sum(0, NODE_ANY).total, 10);
        assert_int_equal(model->memory[0] + model->memory[1], 16 * GiB + 6 * MiB);
}

/* Frames that are still in use at the end go when they no longer are. */
static void test_stock_gives_back_used_pages(void **state)
{
        (void)state;
        open_stock(true);
        assert_int_equal(more(2 * MiB, 1, 10), 10);
        use(2 * MiB, 1, 13);
        stock_less(&stock, 2 * MiB, 1, 10);
        check_pages(2 * MiB, 6, 13);
        stock_deinit(&stock);
        check_pages(2 * MiB, 6, 4);
        unuse(2 * MiB, 1, 13);
        assert_int_equal(sum(0, NODE_ANY).total, 10);
        assert_int_equal(sum(0, NODE_ANY).free, 10);
}

/* Used surplus pages elsewhere must not turn free pages into surplus ones, which would stay. */
static void test_stock_leaves_no_free_surplus(void **state)
{
        (void)state;
        model->pages[0][0] = (struct model_pages){ .surplus = 3, .used = 3 };
        model->pages[0][1] = (struct model_pages){ 0 };
        open_stock(true);
        assert_int_equal(more(2 * MiB, 1, 4), 4);
        check_pages(2 * MiB, 0, 4);
        stock_less(&stock, 2 * MiB, 1, 3);
        assert_int_equal(sum(0, 1).total, 1);
        assert_int_equal(sum(0, 1).surplus, 0);
        stock_deinit(&stock);
        assert_int_equal(sum(0, 1).total, 0);
        check_pages(2 * MiB, 0, 0);
        unuse(2 * MiB, 0, 3);
        assert_int_equal(sum(0, NODE_ANY).total, 0);

        /* The same at once. */
        model->pages[0][0] = (struct model_pages){ .surplus = 3, .used = 3 };
        open_stock(true);
        assert_int_equal(more(2 * MiB, 1, 4), 4);
        stock_deinit(&stock);
        unuse(2 * MiB, 0, 3);
        assert_int_equal(sum(0, NODE_ANY).total, 0);

        /* On both nodes everything is used at the end. */
        open_stock(true);
        assert_int_equal(more(2 * MiB, NODE_ANY, 20), 20);
        use(2 * MiB, 0, 8);
        use(2 * MiB, 1, 10);
        stock_deinit(&stock);
        check_pages(2 * MiB, 0, 0);
        assert_int_equal(sum(0, NODE_ANY).free, 0);
        unuse(2 * MiB, 0, 8);
        unuse(2 * MiB, 1, 10);
        assert_int_equal(sum(0, NODE_ANY).total, 0);
        assert_false(is_recorded());
}

/* Pages that become free just before the kernel calls them surplus would stay. */
static void test_stock_leaves_no_page_that_is_let_go_meanwhile(void **state)
{
        (void)state;
        open_stock(true);
        assert_int_equal(more(2 * MiB, 0, 10), 10);
        use(2 * MiB, 0, 16);
        use(2 * MiB, 1, 4);
        model->let_go = 4;
        stock_deinit(&stock);
        check_pages(2 * MiB, 6, 4);
        assert_int_equal(model->let_go, 0);
        unuse(2 * MiB, 0, 12);
        unuse(2 * MiB, 1, 4);
        assert_int_equal(sum(0, NODE_ANY).total, 10);
        assert_int_equal(sum(0, NODE_ANY).free, 10);
        assert_int_equal(model->memory[0] + model->memory[1], 16 * GiB);
        assert_false(is_recorded());
}

static void test_stock_lives_with_others(void **state)
{
        (void)state;
        open_stock(true);
        assert_int_equal(more(2 * MiB, 0, 10), 10);
        model->pages[0][0].persistent += 7;
        assert_int_equal(more(2 * MiB, 0, 1), 1);
        stock_deinit(&stock);
        check_pages(2 * MiB, 13, 4);

        /* What they took away is not given back once more. */
        open_stock(true);
        assert_int_equal(more(2 * MiB, 0, 10), 10);
        model->pages[0][0].persistent = 3;
        assert_int_equal(more(2 * MiB, 1, 1), 1);
        stock_less(&stock, 2 * MiB, 0, 1);
        model->pages[0][0].persistent += 5;
        stock_deinit(&stock);
        check_pages(2 * MiB, 5, 4);
}

static void test_stock_demotes_its_own(void **state)
{
        (void)state;
        model->pages[1][0].persistent = 1; /* an administrator's */
        open_stock(true);
        assert_int_equal(stock_demote(&stock, GiB, NODE_ANY, 2 * MiB), -ENOMEM);
        assert_int_equal(more(GiB, 1, 2), 2);
        use(GiB, 1, 2);
        assert_int_equal(stock_demote(&stock, GiB, NODE_ANY, 2 * MiB), -ENOMEM);
        unuse(GiB, 1, 1);
        assert_int_equal(stock_demote(&stock, GiB, 0, 2 * MiB), -ENOMEM);
        assert_int_equal(stock_demote(&stock, GiB, NODE_ANY, 2 * MiB), 0);
        check_pages(GiB, 1, 1);
        check_pages(2 * MiB, 6, 4 + 512);
        assert_int_equal(stock_demote(&stock, GiB, NODE_ANY, GiB), -EOPNOTSUPP);
        assert_int_equal(stock_demote(&stock, GiB, NODE_ANY, 0), -EOPNOTSUPP);
        stock_less(&stock, 2 * MiB, NODE_ANY, 12);
        check_pages(2 * MiB, 6, 4 + 500);
        unuse(GiB, 1, 1);
        stock_deinit(&stock);
        check_pages(GiB, 1, 0);
        check_pages(2 * MiB, 6, 4);
        assert_false(is_recorded());
}

static void test_stock_existing_takes_nothing(void **state)
{
        uint64_t added = 77;

        (void)state;
        open_stock(false);
        assert_int_equal(stock_more(&stock, 2 * MiB, NODE_ANY, 1, &added), -EOPNOTSUPP);
        assert_int_equal(stock_demote(&stock, GiB, NODE_ANY, 2 * MiB), -EOPNOTSUPP);
        stock_less(&stock, 2 * MiB, NODE_ANY, 1);
        assert_int_equal(added, 77);
        assert_false(is_recorded());
        stock_deinit(&stock);
        check_pages(2 * MiB, 6, 4);
}

static void test_stock_keeps_the_record_of_what_it_could_not_give_back(void **state)
{
        uint64_t added = 77;

        (void)state;
        open_stock(true);
        assert_int_equal(more(2 * MiB, 0, 5), 5);
        model->fail_errno = EPERM;
        assert_int_equal(stock_more(&stock, 2 * MiB, 0, 5, &added), -EPERM);
        assert_int_equal(added, 77);
        stock_deinit(&stock);
        assert_string_equal(told, "5 hugepages of 2M on node 0 could not be given back: the next "
                                  "start tries again\n");
        assert_true(is_recorded());

        *told = '\0';
        model->fail_errno = 0;
        open_stock(false);
        assert_string_equal(told, "5 hugepages of 2M on node 0 were left reserved by a pard that "
                                  "was killed: they are given back\n");
        check_pages(2 * MiB, 6, 4);
        stock_deinit(&stock);
        assert_false(is_recorded());
}

static const struct {
        const char *name;
        struct hugetlb_need need;
        int fail_errno, result;
        const char *error;
} start_cases[] = {
        { "no such size", { 3 * MiB, NODE_ANY }, 0, -ENOENT, "there are no hugepages of 3M; this" },
        { "no such node",
          { 2 * MiB, 5 },
          0,
          -ENOENT,
          "there are no hugepages of 2M on node 5; this" },
        { "no permission",
          { 2 * MiB, 1 },
          EACCES,
          -EACCES,
          "cannot reserve hugepages of 2M on node 1: Permission denied (only root may write "
          "nr_hugepages; with hugepages = \"existing\" those are taken that are there)" },
};

static void test_stock_says_what_cannot_be(void **state)
{
        char error[512];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(start_cases); i++) {
                struct hugetlb_settings settings = {
                        .reserve = true,
                        .needs = &start_cases[i].need,
                        .n_needs = 1,
                        .record_path = record_path,
                        .sysfs_root = "",
                };
                int r;

                model->fail_errno = start_cases[i].fail_errno;
                r = stock_init(&stock, &settings, error, sizeof(error));
                if (r != start_cases[i].result || !strstr(error, start_cases[i].error))
                        fail_msg("%s: %d, \"%s\"", start_cases[i].name, r, error);
                stock_deinit(&stock);
                assert_false(is_recorded());
        }
}

static void *grow_and_shrink(void *data)
{
        unsigned seed = *(unsigned *)data;
        uint64_t added;

        for (unsigned i = 0; i < 100; i++) {
                if (stock_more(&stock, 2 * MiB, rand_r(&seed) % 2 ? 1 : NODE_ANY, 5, &added))
                        return "more() failed";
                stock_less(&stock, 2 * MiB, rand_r(&seed) % 2 ? 0 : NODE_ANY, 4);
                stock_set_keep_free(&stock, i);
        }
        return NULL;
}

static void test_stock_serves_several_threads(void **state)
{
        pthread_t threads[4];
        unsigned seeds[4] = { 1, 2, 3, 4 };
        void *complaint;

        (void)state;
        open_stock(true);
        for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, grow_and_shrink, &seeds[i]), 0);
        for (unsigned i = 0; i < ARRAY_SIZE(threads); i++) {
                assert_int_equal(pthread_join(threads[i], &complaint), 0);
                assert_null(complaint);
        }
        stock_deinit(&stock);
        check_pages(2 * MiB, 6, 4);
        assert_false(is_recorded());
}

/* A life with everything in it. What it uses is let go by whoever sees it die. */
static void live(void)
{
        uint64_t added;

        open_stock(true);
        (void)stock_more(&stock, 2 * MiB, NODE_ANY, 6, &added);
        use(2 * MiB, 0, 7);
        (void)stock_more(&stock, 2 * MiB, 0, 200, &added);
        stock_less(&stock, 2 * MiB, NODE_ANY, 50);
        (void)stock_more(&stock, GiB, 1, 1, &added);
        (void)stock_demote(&stock, GiB, NODE_ANY, 2 * MiB);
        stock_less(&stock, 2 * MiB, NODE_ANY, 100);
        (void)stock_more(&stock, GiB, NODE_ANY, 2, &added);
        for (int n = 0; n < NODES; n++)
                use(2 * MiB, n, sum(0, n).free);
        model->let_go = model->pages[0][0].used - 3;
        stock_deinit(&stock);
}

static bool live_until(unsigned call, enum kill_when when)
{
        int status;
        pid_t child;

        /* A client of an earlier daemon still has three pages. */
        model->pages[0][0].surplus = 3;
        use(2 * MiB, 0, 3);
        model->memory[0] -= 6 * MiB;

        model->calls = 0;
        model->kill_at = call;
        model->kill_when = when;
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                live();
                _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == WAS_KILLED);
        model->kill_at = 0;
        model->let_go = 0;
        unuse(2 * MiB, 0, model->pages[0][0].used - 3);
        unuse(2 * MiB, 1, model->pages[0][1].used);
        return WEXITSTATUS(status) == WAS_KILLED;
}

/* A process that ends at any of its calls, before it, halfway or after: what it added is given back
 * by the next one, which may reserve or not. */
static void test_stock_survives_a_kill_anywhere(void **state)
{
        unsigned call = 0, killed = 0;
        bool once_more = true;

        (void)state;
        while (once_more) {
                once_more = false;
                call++;
                for (enum kill_when when = KILL_BEFORE; when <= KILL_AFTER; when++)
                        for (int reserve = 0; reserve < 2; reserve++) {
                                if (live_until(call, when)) {
                                        once_more = true;
                                        killed++;
                                }
                                open_stock(reserve);
                                stock_deinit(&stock);
                                unuse(2 * MiB, 0, 3);
                                if (sum(0, 0).total != 6 || sum(0, 1).total != 4 ||
                                    sum(1, NODE_ANY).total != 0 || is_recorded() ||
                                    model->memory[0] != 8 * GiB || model->memory[1] != 8 * GiB)
                                        fail_msg("killed at call %u (%u), %s: %ju and %ju pages, "
                                                 "%ju large ones",
                                                 call, (unsigned)when,
                                                 reserve ? "reserve" : "existing",
                                                 (uintmax_t)sum(0, 0).total,
                                                 (uintmax_t)sum(0, 1).total,
                                                 (uintmax_t)sum(1, NODE_ANY).total);
                        }
        }
        assert_true(killed > 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_stock_grows_and_shrinks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stock_tells_how_many_came, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stock_minds_keep_free, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stock_sees_through_surplus_pages, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_stock_gives_back_used_pages, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stock_leaves_no_free_surplus, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stock_leaves_no_page_that_is_let_go_meanwhile,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(test_stock_lives_with_others, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stock_demotes_its_own, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stock_existing_takes_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_stock_keeps_the_record_of_what_it_could_not_give_back, setup,
                        teardown),
                cmocka_unit_test_setup_teardown(test_stock_says_what_cannot_be, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stock_serves_several_threads, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stock_survives_a_kill_anywhere, setup,
                                                teardown),
        };

        return cmocka_run_group_tests_name("stock", tests, NULL, NULL);
}
