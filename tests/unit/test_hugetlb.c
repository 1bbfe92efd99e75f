/* SPDX-License-Identifier: MIT */
/*
 * On real hugepages, which the backend reserves for the test and gives back; skipped where that is
 * not possible.
 */
#include "hugetlb.h"

#include "descriptors.h"
#include "macros.h"
#include "pagemap.h"
#include "sysfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAMES         6
#define LEAVING_FRAMES 32

/* Of 10 ms each: the kernel undoes pins in a worker of its own, which may have to wait. */
#define WAITS_MAX 3000

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101 /* <linux/mman.h>, which does not go with <sys/mman.h> */
#endif

static uint64_t page_bytes;
static struct backend *opened;

static char record_path[64];

static struct hugetlb_settings settings_for(struct hugetlb_need *need)
{
        *need = (struct hugetlb_need){ page_bytes, NODE_ANY };
        return (struct hugetlb_settings){
                .reserve = true,
                .keep_free_bytes = 256 * MiB,
                .needs = need,
                .n_needs = 1,
                .record_path = record_path,
                .sysfs_root = "",
        };
}

static struct backend *hugetlb_with(uint64_t pages)
{
        struct hugetlb_need need;
        struct hugetlb_settings settings = settings_for(&need);
        uint64_t added = 0;
        char error[512];

        if (hugetlb_new(&settings, &opened, error, sizeof(error)))
                fail_msg("%s", error);
        assert_int_equal(opened->ops->more(opened, page_bytes, NODE_ANY, pages, &added), 0);
        assert_int_equal(added, pages);
        return opened;
}

static struct backend *hugetlb(void)
{
        return hugetlb_with(FRAMES);
}

/* Whatever a test comes to: the system gets back what is its own. */
static void hugetlb_done(void)
{
        backend_free(STEAL(opened));
}

/* How often the next fallocate() is interrupted. */
static unsigned interruptions;

int __real_fallocate(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t length);

int __wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
        if (!interruptions)
                return __real_fallocate(fd, mode, offset, length);
        interruptions--;
        errno = EINTR;
        return -1;
}

static int teardown(void **state)
{
        (void)state;
        hugetlb_done();
        return 0;
}

static struct backend_frame take(struct backend *backend)
{
        struct backend_frame frame;

        assert_int_equal(backend->ops->take(backend, page_bytes, NODE_ANY, RANGE_ALL,
                                            backend->can_pin, &frame),
                         0);
        return frame;
}

static void *map(struct backend *backend, const struct backend_frame *frame, int protection,
                 int *ret_fd)
{
        void *at;

        assert_int_equal(backend->ops->open_file(backend, frame, ret_fd), 0);
        at = mmap(NULL, page_bytes, protection, MAP_SHARED, *ret_fd, 0);
        assert_ptr_not_equal(at, MAP_FAILED);
        return at;
}

/* 0 or the holder; another failure fails the test. An older kernel takes a second to unpin. */
static int let_go(struct backend *backend, struct backend_frame *frame, bool owner_gone)
{
        enum backend_holder holder = HOLDER_NONE;
        int r;

        for (unsigned i = 0; i < WAITS_MAX; i++) {
                r = backend->ops->let_go(backend, frame, owner_gone, &holder);
                if (r != -EBUSY || holder != HOLDER_NONE)
                        break;
                nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
        }
        if (r && r != -EBUSY)
                fail_msg("let_go: %s", strerror(-r));
        assert_false(frame->pinned);
        return r ? (int)holder : 0;
}

static int release(struct backend *backend, struct backend_frame *frame)
{
        enum backend_holder holder = HOLDER_NONE;
        int r;

        r = backend->ops->release(backend, frame, &holder);
        assert_true(frame->released);
        assert_int_equal(frame->memfd, -1);
        assert_true(r == 0 || r == -EBUSY);
        return r ? (int)holder : 0;
}

static void give_back(struct backend *backend, struct backend_frame *frame)
{
        assert_int_equal(let_go(backend, frame, false), 0);
        assert_int_equal(release(backend, frame), 0);
}

static struct hugepages figures(void)
{
        struct hugepages pages;

        assert_int_equal(sysfs_hugepages("", page_bytes, NODE_ANY, &pages), 0);
        return pages;
}

static uint64_t phys_of(const void *address)
{
        uint64_t phys;
        int fd;

        fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pagemap_read(fd, (uint64_t)(uintptr_t)address, &phys), 0);
        close(fd);
        return phys;
}

static void test_hugetlb_tells_true_addresses(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frames[FRAMES];
        uint64_t phys;
        struct stat st;
        int fd;

        (void)state;
        for (unsigned i = 0; i < FRAMES; i++) {
                unsigned char *at;

                frames[i] = take(backend);
                assert_int_equal(frames[i].page_bytes, page_bytes);
                assert_int_equal(frames[i].pinned, backend->can_pin);
                assert_true(frames[i].node >= 0);
                assert_int_equal(fstat(frames[i].memfd, &st), 0);
                assert_int_equal(st.st_mode & 0777, 0600);
                assert_int_equal(fcntl(frames[i].memfd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);

                at = map(backend, &frames[i], PROT_READ | PROT_WRITE, &fd);
                for (uint64_t j = 0; j < page_bytes; j += 64)
                        assert_int_equal(at[j], 0);
                memset(at, 0xa5, page_bytes);
                assert_int_equal(phys_of(at), frames[i].phys);
                assert_int_equal(phys_of(at + page_bytes - 1), frames[i].phys + page_bytes - 1);
                munmap(at, page_bytes);
                close(fd);
                assert_int_equal(backend->ops->verify(backend, &frames[i], &phys), 0);
                assert_int_equal(phys, frames[i].phys);
        }
        for (unsigned i = 0; i < FRAMES; i++)
                give_back(backend, &frames[i]);
        hugetlb_done();
}

static void test_hugetlb_takes_the_same_page_again_zeroed(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame = take(backend);
        unsigned char *at;
        unsigned same = 0;
        uint64_t phys;
        int fd;

        (void)state;
        for (unsigned i = 0; i < 20; i++) {
                at = map(backend, &frame, PROT_READ | PROT_WRITE, &fd);
                for (uint64_t j = 0; j < page_bytes; j += 64)
                        assert_int_equal(at[j], 0);
                memset(at, 0xa5, page_bytes);
                munmap(at, page_bytes);
                close(fd);
                phys = frame.phys;
                give_back(backend, &frame);
                frame = take(backend);
                same += frame.phys == phys;
        }
        /* Others of this system may take a page in between, but that is rare. */
        assert_true(same >= 15);
        give_back(backend, &frame);
        hugetlb_done();
}

static void test_hugetlb_pin_holds(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame = take(backend);
        int fd, r;
        void *at;

        (void)state;
        if (!backend->can_pin)
                skip();
        at = map(backend, &frame, PROT_READ | PROT_WRITE, &fd);
        *(volatile char *)at = 1;
        r = madvise(at, page_bytes, MADV_SOFT_OFFLINE);
        /* A kernel without memory failure handling says EINVAL: nothing is shown then. */
        assert_int_equal(r, -1);
        assert_true(errno == EBUSY || errno == EINVAL);
        assert_int_equal(phys_of(at), frame.phys);
        munmap(at, page_bytes);
        close(fd);
        give_back(backend, &frame);
        hugetlb_done();
}

static void test_hugetlb_knows_its_holders(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame = take(backend);
        int fd, ends[2];
        struct iovec at;
        void *readable;

        (void)state;
        assert_int_equal(backend->ops->open_file(backend, &frame, &fd), 0);
        assert_int_equal(let_go(backend, &frame, false), HOLDER_FILE);
        assert_int_equal(let_go(backend, &frame, true), HOLDER_FILE);
        close(fd);

        readable = map(backend, &frame, PROT_READ, &fd);
        close(fd);
        assert_int_equal(let_go(backend, &frame, false), HOLDER_FILE);
        munmap(readable, page_bytes);

        at = (struct iovec){ map(backend, &frame, PROT_READ | PROT_WRITE, &fd), 4096 };
        close(fd);
        *(volatile char *)at.iov_base = 1;
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(vmsplice(ends[1], &at, 1, 0), 4096);
        munmap(at.iov_base, page_bytes);
        assert_int_equal(let_go(backend, &frame, false), HOLDER_PAGES);
        close(ends[0]);
        close(ends[1]);

        give_back(backend, &frame);
        hugetlb_done();
}

static void test_hugetlb_sees_an_o_path_holder_after_the_release(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame = take(backend);
        char path[32];
        int fd;

        (void)state;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", frame.memfd);
        fd = open(path, O_PATH | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(let_go(backend, &frame, false), 0);
        assert_int_equal(release(backend, &frame), HOLDER_PATH);
        assert_int_equal(let_go(backend, &frame, false), 0);
        assert_int_equal(release(backend, &frame), HOLDER_PATH);
        close(fd);
        assert_int_equal(release(backend, &frame), 0);
        hugetlb_done();
}

/* What was kept and then let go may be taken again by us before we look: that is no holder. */
static void test_hugetlb_knows_its_own_page_again(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame = take(backend), again;
        char path[32];
        int fd;

        (void)state;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", frame.memfd);
        fd = open(path, O_PATH | O_CLOEXEC);
        assert_int_equal(let_go(backend, &frame, false), 0);
        assert_int_equal(release(backend, &frame), HOLDER_PATH);
        close(fd);
        again = take(backend);
        if (again.phys == frame.phys)
                assert_int_equal(release(backend, &frame), 0);
        give_back(backend, &again);
        hugetlb_done();
}

static void test_hugetlb_punched_frames(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame = take(backend);
        bool was_pinned;
        uint64_t phys;
        void *at;
        int fd;

        (void)state;
        at = map(backend, &frame, PROT_READ | PROT_WRITE, &fd);
        assert_int_equal(
                fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)page_bytes), 0);
        assert_int_equal(backend->ops->verify(backend, &frame, &phys), 0);
        assert_true(phys == UINT64_MAX);
        munmap(at, page_bytes);
        close(fd);
        assert_int_equal(let_go(backend, &frame, false), HOLDER_HOLE);
        assert_int_equal(let_go(backend, &frame, true), 0);
        assert_int_equal(release(backend, &frame), 0);

        /* Punched and touched again: another page, as long as the pin keeps the old one. */
        frame = take(backend);
        phys = frame.phys;
        at = map(backend, &frame, PROT_READ | PROT_WRITE, &fd);
        assert_int_equal(
                fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)page_bytes), 0);
        *(volatile char *)at = 1;
        munmap(at, page_bytes);
        close(fd);
        if (frame.pinned) {
                assert_int_equal(backend->ops->verify(backend, &frame, &phys), 0);
                assert_int_not_equal(phys, frame.phys);
        }
        /* The old one may be in a pipe of its holder's: he stays charged. */
        was_pinned = frame.pinned;
        assert_int_equal(let_go(backend, &frame, false), was_pinned ? HOLDER_HOLE : 0);
        assert_int_equal(let_go(backend, &frame, true), 0);
        assert_int_equal(frame.phys, phys);
        assert_int_equal(release(backend, &frame), 0);
        hugetlb_done();
}

/* A seal that was there already says nothing about who refers to the pages now. */
static void test_hugetlb_write_seal_is_held_against_the_holder(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame = take(backend);
        enum backend_holder holder;
        int fd;

        (void)state;
        assert_int_equal(backend->ops->open_file(backend, &frame, &fd), 0);
        /* Its file keeps the frame, but the pin is gone: now the holder's own seal is accepted. */
        assert_int_equal(backend->ops->let_go(backend, &frame, false, &holder), -EBUSY);
        /* An older kernel takes a second to unpin. */
        for (unsigned i = 0; i < WAITS_MAX && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0; i++)
                nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
        assert_int_equal(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
        close(fd);
        assert_int_equal(let_go(backend, &frame, false), HOLDER_PAGES);
        assert_int_equal(let_go(backend, &frame, true), 0);
        assert_int_equal(release(backend, &frame), 0);
        hugetlb_done();
}

static void test_hugetlb_seal_of_seals_is_held_against_the_holder(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame = take(backend);
        int fd;

        (void)state;
        assert_int_equal(backend->ops->open_file(backend, &frame, &fd), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
        close(fd);
        assert_int_equal(let_go(backend, &frame, false), HOLDER_PAGES);
        assert_int_equal(let_go(backend, &frame, true), 0);
        assert_int_equal(release(backend, &frame), 0);
        hugetlb_done();
}

static void test_hugetlb_stops_when_there_is_no_page(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame *frames;
        size_t n = 0, room = figures().free + 1;
        int r;

        (void)state;
        frames = calloc(room, sizeof(*frames));
        assert_non_null(frames);
        while (n < room) {
                r = backend->ops->take(backend, page_bytes, NODE_ANY, RANGE_ALL, false, &frames[n]);
                if (r)
                        break;
                n++;
        }
        assert_int_equal(r, -ENOMEM);
        assert_true(n >= FRAMES);
        assert_int_equal(
                backend->ops->take(backend, 3 * GiB, NODE_ANY, RANGE_ALL, false, &frames[0]) < 0,
                true);
        while (n > 0)
                give_back(backend, &frames[--n]);
        free(frames);
        hugetlb_done();
}

static void test_hugetlb_takes_from_the_node(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame;

        (void)state;
        assert_int_equal(backend->ops->take(backend, page_bytes, 0, RANGE_ALL, false, &frame), 0);
        assert_int_equal(frame.node, 0);
        give_back(backend, &frame);
        assert_int_equal(backend->ops->take(backend, page_bytes, 1023, RANGE_ALL, false, &frame),
                         -ENOMEM);
        hugetlb_done();
}

static void settle_at(const struct hugepages *before)
{
        for (unsigned i = 0; i < WAITS_MAX && figures().total != before->total; i++)
                nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
        assert_int_equal(figures().total, before->total);
        assert_int_equal(figures().surplus, before->surplus);
}

static void test_hugetlb_gives_back_what_it_reserved(void **state)
{
        struct hugepages before = figures(), between;
        unsigned descriptors = descriptors_open();
        struct backend_frame frames[FRAMES];
        struct backend *backend;

        (void)state;
        backend = hugetlb();
        between = figures();
        assert_true(hugepages_available(&between) >= FRAMES);
        for (unsigned i = 0; i < FRAMES; i++)
                frames[i] = take(backend);
        /* Dropped by their descriptors, as at the end of the keeper. */
        for (unsigned i = 0; i < FRAMES; i++)
                close(frames[i].memfd);
        hugetlb_done();
        settle_at(&before);
        assert_int_equal(descriptors_open(), descriptors);
}

/* A client outlives the daemon: its page goes when it does, and another daemon is not misled. */
static void test_hugetlb_gives_back_under_a_living_client(void **state)
{
        struct hugepages before = figures();
        struct backend *backend = hugetlb();
        struct backend_frame frame = take(backend);
        void *at;
        int fd;

        (void)state;
        at = map(backend, &frame, PROT_READ | PROT_WRITE, &fd);
        *(volatile char *)at = 1;
        close(fd);
        close(frame.memfd);
        hugetlb_done();
        if (!before.free)
                assert_int_equal(figures().surplus, before.surplus + 1);

        hugetlb();
        assert_true(figures().free - figures().promised >= FRAMES);
        hugetlb_done();
        assert_int_equal(*(volatile char *)at, 1);
        munmap(at, page_bytes);
        settle_at(&before);
}

/* struct leaving - frames of a client that ends just when the daemon does */
struct leaving {
        struct backend_frame frames[LEAVING_FRAMES];
        long delay_ns;
};

static void *leave(void *data)
{
        struct leaving *leaving = data;

        nanosleep(&(struct timespec){ .tv_nsec = leaving->delay_ns }, NULL);
        for (unsigned i = 0; i < LEAVING_FRAMES; i++)
                close(leaving->frames[i].memfd);
        return NULL;
}

/* Pages that become free while the kernel lowers its number. */
static void test_hugetlb_gives_back_what_is_let_go_meanwhile(void **state)
{
        unsigned rounds = getenv("PAR_UNDER_VALGRIND") ? 3 : 100, seed = 1;
        struct hugepages before = figures();

        (void)state;
        for (unsigned round = 0; round < rounds; round++) {
                struct backend *backend = hugetlb_with(LEAVING_FRAMES);
                struct leaving leaving = { .delay_ns = rand_r(&seed) % 600 * 1000 };
                pthread_t thread;

                for (unsigned i = 0; i < LEAVING_FRAMES; i++)
                        leaving.frames[i] = take(backend);
                assert_int_equal(pthread_create(&thread, NULL, leave, &leaving), 0);
                hugetlb_done();
                pthread_join(thread, NULL);
                settle_at(&before);
        }
}

/* The pages that look() visits. */
struct seen {
        uint64_t *pages;
        size_t n, room;
};

static void visit(void *data, uint64_t phys)
{
        struct seen *seen = data;

        if (seen->n == seen->room) {
                seen->room = seen->room ? 2 * seen->room : 64;
                seen->pages = reallocarray(seen->pages, seen->room, sizeof(*seen->pages));
                assert_non_null(seen->pages);
        }
        assert_true(seen->n == 0 || seen->pages[seen->n - 1] < phys);
        seen->pages[seen->n++] = phys;
}

static struct seen look(struct backend *backend, uint64_t size, struct range window)
{
        struct seen seen = { .pages = NULL };

        assert_int_equal(backend->ops->look(backend, size, NODE_ANY, window, visit, &seen), 0);
        return seen;
}

static bool has(const struct seen *seen, uint64_t phys)
{
        for (size_t i = 0; i < seen->n; i++)
                if (seen->pages[i] == phys)
                        return true;
        return false;
}

/* What was added is seen, page by page, without being touched; and nothing else is. */
static void test_hugetlb_looks_for_free_pages(void **state)
{
        struct backend *backend = hugetlb_with(0);
        struct seen before = look(backend, page_bytes, RANGE_ALL), after, half;
        struct backend_frame frames[50];
        uint64_t added;

        (void)state;
        assert_int_equal(backend->ops->more(backend, page_bytes, NODE_ANY, 50, &added), 0);
        assert_int_equal(added, 50);
        after = look(backend, page_bytes, RANGE_ALL);
        assert_int_equal(after.n, before.n + 50);
        for (size_t i = 0; i < before.n; i++)
                assert_true(has(&after, before.pages[i]));

        half = look(backend, page_bytes,
                    (struct range){ 0, after.pages[after.n / 2] + page_bytes - 2 });
        assert_int_equal(half.n, after.n / 2);

        for (unsigned i = 0; i < 50; i++) {
                frames[i] = take(backend);
                assert_true(has(&after, frames[i].phys));
        }
        free(half.pages);
        half = look(backend, page_bytes, RANGE_ALL);
        assert_int_equal(half.n, before.n);
        for (unsigned i = 0; i < 50; i++)
                give_back(backend, &frames[i]);
        backend->ops->less(backend, page_bytes, NODE_ANY, 50);
        free(half.pages);
        half = look(backend, page_bytes, RANGE_ALL);
        assert_int_equal(half.n, before.n);
        free(half.pages);
        free(after.pages);
        free(before.pages);
        hugetlb_done();
}

/* Whoever looks for pages in a range relies on it: the pages of the last step are the first that
 * are taken. */
static void test_hugetlb_hands_out_the_latest_first(void **state)
{
        struct backend *backend = hugetlb_with(FRAMES);
        struct seen before = look(backend, page_bytes, RANGE_ALL);
        struct backend_frame frames[FRAMES];
        unsigned latest = 0;
        uint64_t added;

        (void)state;
        assert_int_equal(backend->ops->more(backend, page_bytes, NODE_ANY, FRAMES, &added), 0);
        for (unsigned i = 0; i < FRAMES; i++) {
                frames[i] = take(backend);
                latest += !has(&before, frames[i].phys);
        }
        assert_int_equal(latest, FRAMES);
        for (unsigned i = 0; i < FRAMES; i++)
                give_back(backend, &frames[i]);
        free(before.pages);
        hugetlb_done();
}

/* The kernel breaks off when the thread has something to do that is none of its business. */
static void test_hugetlb_goes_on_when_it_is_interrupted(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame;

        (void)state;
        interruptions = 3;
        frame = take(backend);
        assert_int_equal(interruptions, 0);
        give_back(backend, &frame);
        hugetlb_done();
}

static void test_hugetlb_knows_where_nodes_lie(void **state)
{
        struct backend *backend = hugetlb();
        struct backend_frame frame = take(backend);
        struct range range;

        (void)state;
        assert_int_equal(backend->ops->node_range(backend, frame.node, &range), 0);
        assert_true(range_contains(range, range_of(frame.phys, page_bytes)));
        assert_int_equal(backend->ops->node_range(backend, 1000, &range), -ENOENT);
        give_back(backend, &frame);
        hugetlb_done();
}

/* One large page, taken apart: so many small ones side by side. */
static void test_hugetlb_demotes(void **state)
{
        struct backend *backend = hugetlb_with(0);
        const struct backend_ops *ops = backend->ops;
        uint64_t large = ops->demotable(backend, page_bytes), added = 0, parts;
        struct seen small, small_after, larges, larges_after;

        (void)state;
        if (!large || ops->more(backend, large, NODE_ANY, 1, &added) || !added) {
                print_message("this system has no larger page to spare\n");
                hugetlb_done();
                skip();
        }
        parts = large / page_bytes;
        larges = look(backend, large, RANGE_ALL);
        small = look(backend, page_bytes, RANGE_ALL);
        assert_int_equal(ops->demote(backend, large, NODE_ANY, page_bytes), 0);
        larges_after = look(backend, large, RANGE_ALL);
        small_after = look(backend, page_bytes, RANGE_ALL);

        /* Before, it was not taken for small ones. */
        assert_int_equal(larges_after.n, larges.n - 1);
        assert_int_equal(small_after.n, small.n + parts);
        for (size_t i = 0; i < larges.n; i++)
                for (uint64_t k = 0; k < parts && !has(&larges_after, larges.pages[i]); k++)
                        assert_true(has(&small_after, larges.pages[i] + k * page_bytes));

        assert_int_equal(ops->demote(backend, large, NODE_ANY, page_bytes), -ENOMEM);
        ops->less(backend, page_bytes, NODE_ANY, parts);
        free(small_after.pages);
        small_after = look(backend, page_bytes, RANGE_ALL);
        assert_int_equal(small_after.n, small.n);
        free(small_after.pages);
        free(small.pages);
        free(larges_after.pages);
        free(larges.pages);
        hugetlb_done();
}

/* Grow, shrink, take apart, take and drop, until killed. */
static void be_busy(unsigned seed)
{
        struct backend *backend = hugetlb_with(0);
        const struct backend_ops *ops = backend->ops;
        uint64_t large = ops->demotable(backend, page_bytes), added;
        struct backend_frame frame;

        for (;;) {
                switch (rand_r(&seed) % 20) {
                case 0:
                        if (large)
                                ops->more(backend, large, NODE_ANY, 1, &added);
                        break;
                case 1:
                        if (large)
                                ops->demote(backend, large, NODE_ANY, page_bytes);
                        break;
                case 2: ops->take(backend, page_bytes, NODE_ANY, RANGE_ALL, false, &frame); break;
                case 3:
                case 4:
                case 5:
                case 6:
                case 7:
                case 8:
                case 9:
                        ops->less(backend, page_bytes, NODE_ANY, (uint64_t)(rand_r(&seed) % 100));
                        break;
                default:
                        ops->more(backend, page_bytes, rand_r(&seed) % 2 ? 0 : NODE_ANY,
                                  (uint64_t)(rand_r(&seed) % 100), &added);
                        break;
                }
                /* Memory is others' too. */
                if (figures().total * page_bytes > 2 * GiB)
                        ops->less(backend, page_bytes, NODE_ANY, 1000);
        }
}

static void test_hugetlb_survives_kills_at_any_moment(void **state)
{
        unsigned rounds = getenv("PAR_UNDER_VALGRIND") ? 3 : 200, left = 0, seed = 1;
        struct hugepages before = figures(), between, large = { 0 };
        char error[512];
        int status;

        (void)state;
        (void)sysfs_hugepages("", GiB, NODE_ANY, &large);
        /* Where the machine is busy a child comes to nothing in so short a life: give it longer. */
        for (unsigned i = 0; i < rounds || (!left && i < 100 * rounds); i++) {
                struct hugetlb_need need;
                struct hugetlb_settings settings = settings_for(&need);
                const long ms = rand_r(&seed) % 30 * (1 + (long)(i / rounds));
                pid_t child = fork();

                assert_true(child >= 0);
                if (child == 0)
                        be_busy(i);
                nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
                kill(child, SIGKILL);
                assert_int_equal(waitpid(child, &status, 0), child);
                assert_true(WIFSIGNALED(status));
                left += figures().total != before.total;

                settings.reserve = i % 2;
                if (hugetlb_new(&settings, &opened, error, sizeof(error)))
                        fail_msg("round %u: %s", i, error);
                hugetlb_done();
                settle_at(&before);
                if (sysfs_hugepages("", GiB, NODE_ANY, &between) == 0)
                        assert_int_equal(between.total, large.total);
                assert_int_equal(access(record_path, F_OK), -1);
        }
        /* Or nothing was shown. */
        assert_true(left > 0);
}

static void test_hugetlb_refuses_what_cannot_be(void **state)
{
        struct hugepages before = figures();
        struct hugetlb_need need;
        struct hugetlb_settings settings;
        struct backend *backend = NULL;
        char error[512];

        (void)state;
        settings = settings_for(&need);
        need.page_bytes = 3 * MiB;
        assert_int_equal(hugetlb_new(&settings, &backend, error, sizeof(error)), -ENOENT);
        assert_non_null(strstr(error, "no hugepages of 3M"));

        settings = settings_for(&need);
        need.node = 1000;
        assert_int_equal(hugetlb_new(&settings, &backend, error, sizeof(error)), -ENOENT);
        assert_non_null(strstr(error, "on node 1000"));

        settings = settings_for(&need);
        settings.record_path = "/proc/none/reserved";
        assert_int_equal(hugetlb_new(&settings, &backend, error, sizeof(error)), -ENOENT);
        assert_non_null(strstr(error, "cannot be written down in /proc/none/reserved"));

        assert_null(backend);
        assert_int_equal(figures().total, before.total);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_hugetlb_tells_true_addresses, teardown),
                cmocka_unit_test_teardown(test_hugetlb_takes_the_same_page_again_zeroed, teardown),
                cmocka_unit_test_teardown(test_hugetlb_pin_holds, teardown),
                cmocka_unit_test_teardown(test_hugetlb_knows_its_holders, teardown),
                cmocka_unit_test_teardown(test_hugetlb_sees_an_o_path_holder_after_the_release,
                                          teardown),
                cmocka_unit_test_teardown(test_hugetlb_knows_its_own_page_again, teardown),
                cmocka_unit_test_teardown(test_hugetlb_punched_frames, teardown),
                cmocka_unit_test_teardown(test_hugetlb_write_seal_is_held_against_the_holder,
                                          teardown),
                cmocka_unit_test_teardown(test_hugetlb_seal_of_seals_is_held_against_the_holder,
                                          teardown),
                cmocka_unit_test_teardown(test_hugetlb_stops_when_there_is_no_page, teardown),
                cmocka_unit_test_teardown(test_hugetlb_takes_from_the_node, teardown),
                cmocka_unit_test_teardown(test_hugetlb_gives_back_what_it_reserved, teardown),
                cmocka_unit_test_teardown(test_hugetlb_gives_back_under_a_living_client, teardown),
                cmocka_unit_test_teardown(test_hugetlb_gives_back_what_is_let_go_meanwhile,
                                          teardown),
                cmocka_unit_test_teardown(test_hugetlb_looks_for_free_pages, teardown),
                cmocka_unit_test_teardown(test_hugetlb_hands_out_the_latest_first, teardown),
                cmocka_unit_test_teardown(test_hugetlb_goes_on_when_it_is_interrupted, teardown),
                cmocka_unit_test_teardown(test_hugetlb_knows_where_nodes_lie, teardown),
                cmocka_unit_test_teardown(test_hugetlb_demotes, teardown),
                cmocka_unit_test_teardown(test_hugetlb_survives_kills_at_any_moment, teardown),
                cmocka_unit_test_teardown(test_hugetlb_refuses_what_cannot_be, teardown),
        };
        struct hugetlb_need need;
        struct hugetlb_settings settings;
        struct backend *backend;
        uint64_t added = 0;
        char error[512];
        int r;

        if (!hugetlb_page_sizes(&page_bytes, 1)) {
                fprintf(stderr, "skipped: this system has no hugepages\n");
                return 77;
        }
        snprintf(record_path, sizeof(record_path), "/tmp/par-test-hugetlb-%d.reserved", getpid());
        settings = settings_for(&need);
        r = hugetlb_new(&settings, &backend, error, sizeof(error));
        if (r) {
                fprintf(stderr, "skipped: %s\n", error);
                return 77;
        }
        r = backend->ops->more(backend, page_bytes, NODE_ANY, FRAMES, &added);
        if (r || added < FRAMES) {
                fprintf(stderr, "skipped: only %ju hugepages can be had\n", (uintmax_t)added);
                backend_free(backend);
                return 77;
        }
        backend_free(backend);
        signal(SIGIO, SIG_IGN);
        return cmocka_run_group_tests_name("hugetlb", tests, NULL, NULL);
}
