/* SPDX-License-Identifier: MIT */
/*
 * On a small tmpfs of its own; or on real carved-out memory, a directory that PAR_CARVEOUT names
 * (tests/vm/guest/carveout.sh), where pages can be looked at more closely. Skipped without the
 * rights that it takes.
 */
#include "carveout.h"

#include "by_size.h"
#include "descriptors.h"
#include "macros.h"
#include "pagemap.h"
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES_MAX 4096

/* Of the kernel's fs/ext4/ext4.h. */
#define EXT4_IOC_MOVE_EXT _IOC(_IOC_READ | _IOC_WRITE, 'f', 15, 40)

static char directory[64];
static bool real; /* it is carved-out memory */
static uint64_t page_bytes;
static struct backend *opened;

static int open_with(const char *path, bool any_memory, char error[512])
{
        const struct carveout_settings settings = { &path, 1, PAGES_MAX, any_memory };

        return carveout_new(&settings, &opened, error, 512);
}

static struct backend *carveout(void)
{
        char error[512];

        if (open_with(directory, !real, error))
                fail_msg("%s", error);
        return opened;
}

static int teardown(void **state)
{
        (void)state;
        backend_free(STEAL(opened));
        return 0;
}

static int try_take(struct backend *backend, struct backend_frame *ret)
{
        return backend->ops->take(backend, page_bytes, NODE_ANY, RANGE_ALL, backend->can_pin, ret);
}

static struct backend_frame take(struct backend *backend)
{
        struct backend_frame frame;

        assert_int_equal(try_take(backend, &frame), 0);
        return frame;
}

static unsigned char *map_file(int fd)
{
        unsigned char *at = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        assert_ptr_not_equal(at, MAP_FAILED);
        return at;
}

/* As a client has it: mapped, and the descriptor too. */
static unsigned char *lend(struct backend *backend, const struct backend_frame *frame, int *ret_fd)
{
        assert_int_equal(backend->ops->open_file(backend, frame, ret_fd), 0);
        return map_file(*ret_fd);
}

/* 0, or the holder. */
static int let_go(struct backend *backend, struct backend_frame *frame)
{
        enum backend_holder holder = HOLDER_NONE;
        int r;

        r = backend->ops->let_go(backend, frame, false, &holder);
        if (r && r != -EBUSY)
                fail_msg("let_go: %s", strerror(-r));
        assert_false(frame->pinned);
        return r ? (int)holder : 0;
}

static void give_back(struct backend *backend, struct backend_frame *frame)
{
        enum backend_holder holder;

        assert_int_equal(let_go(backend, frame), 0);
        assert_int_equal(backend->ops->release(backend, frame, &holder), 0);
        assert_true(frame->released);
        assert_int_equal(frame->memfd, -1);
}

static bool is_clean(const unsigned char *page)
{
        for (uint64_t i = 0; i < page_bytes; i++)
                if (page[i])
                        return false;
        return true;
}

/* All that there are, each of them clean; what was written to them is @mark. */
static size_t take_all(struct backend *backend, struct backend_frame frames[PAGES_MAX], int mark)
{
        unsigned char *page;
        size_t n;
        int fd;

        for (n = 0; n < PAGES_MAX && try_take(backend, &frames[n]) == 0; n++) {
                page = lend(backend, &frames[n], &fd);
                assert_true(is_clean(page));
                memset(page, mark, page_bytes);
                munmap(page, page_bytes);
                close(fd);
        }
        return n;
}

static void test_carveout_tells_true_addresses(void **state)
{
        struct backend *backend = carveout();
        struct backend_frame frame = take(backend);
        uint64_t phys, again;
        unsigned char *page;
        char error[512];
        int fd, pagemap;

        (void)state;
        assert_int_equal(frame.page_bytes, page_bytes);
        assert_int_equal(frame.pinned, real);
        assert_int_equal(pagemap_open(&pagemap, error, sizeof(error)), 0);
        page = lend(backend, &frame, &fd);
        page[page_bytes - 1] = 1;
        assert_int_equal(pagemap_read(pagemap, (uint64_t)(uintptr_t)page, &phys), 0);
        assert_int_equal(frame.phys, phys);
        assert_int_equal(backend->ops->verify(backend, &frame, &again), 0);
        assert_int_equal(again, phys);
        munmap(page, page_bytes);
        close(fd);
        close(pagemap);
        give_back(backend, &frame);
}

static int can_open(const char *path, int mode)
{
        int fd = open(path, mode | O_CLOEXEC);

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

/* Who has two frames cannot have them change places either. */
static void exchange_fails(int fd, int other)
{
        struct {
                uint32_t reserved, donor;
                uint64_t start, donor_start, blocks, moved;
        } extent = { .donor = (uint32_t)other, .blocks = 1 };

        assert_int_equal(ioctl(fd, EXT4_IOC_MOVE_EXT, &extent), -1);
}

/* Its holder may write to the page, and that is all. */
static void test_carveout_lends_a_page_and_nothing_else(void **state)
{
        struct backend *backend = carveout();
        struct backend_frame frame = take(backend), another = take(backend);
        unsigned char *page;
        char path[32];
        int fd;

        (void)state;
        page = lend(backend, &frame, &fd);
        memset(page, 7, page_bytes);
        if (real) { /* a tmpfs thinks otherwise */
                assert_int_equal(ftruncate(fd, 0), -1);
                assert_int_equal(ftruncate(fd, 1 << 20), -1);
        }
        assert_int_equal(fallocate(fd, 0, 0, 1 << 20), -1);
        assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
        assert_int_equal(madvise(page, page_bytes, MADV_REMOVE), -1);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        assert_false(can_open(path, O_RDWR));
        assert_int_equal(linkat(AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW), -1);
        exchange_fails(fd, another.memfd);
        assert_int_equal(page[0], 7);
        munmap(page, page_bytes);
        close(fd);
        give_back(backend, &frame);
        give_back(backend, &another);
}

/* What another user can do about the file with its descriptor; 0: nothing. */
static int try_as_nobody(int fd)
{
        int flags = 0, failures = 0;
        char path[32];

        if (setuid(65534) < 0)
                return 1;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        failures += 2 * can_open(path, O_RDWR);
        failures += 4 * can_open(path, O_RDONLY);
        failures += 8 * (ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0);
        failures += 16 * (fchmod(fd, 0666) == 0);
        failures +=
                32 * (fcntl(fd, F_SETLEASE, F_UNLCK) == 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
        return failures;
}

static void test_carveout_gives_another_user_no_way_in(void **state)
{
        struct backend *backend = carveout();
        struct backend_frame frame = take(backend);
        unsigned char *page;
        int fd, status;
        pid_t child;

        (void)state;
        page = lend(backend, &frame, &fd);
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
                _exit(try_as_nobody(fd));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        munmap(page, page_bytes);
        close(fd);
        give_back(backend, &frame);
}

static void test_carveout_knows_its_holders(void **state)
{
        struct backend *backend = carveout();
        struct backend_frame frame = take(backend);
        unsigned char *page;
        int fd, other;

        (void)state;
        page = lend(backend, &frame, &fd);
        other = dup(fd);
        assert_int_equal(let_go(backend, &frame), HOLDER_FILE);
        close(fd);
        assert_int_equal(let_go(backend, &frame), HOLDER_FILE);
        munmap(page, page_bytes);
        assert_int_equal(let_go(backend, &frame), HOLDER_FILE);
        page = map_file(other);
        close(other);
        assert_int_equal(let_go(backend, &frame), HOLDER_FILE);
        page[0] = 1; /* it is still there */
        munmap(page, page_bytes);
        give_back(backend, &frame);
}

/* A page that lies in a pipe is nobody else's until it is out of it, whatever was closed. */
static void test_carveout_sees_a_page_in_a_pipe(void **state)
{
        struct backend *backend = carveout();
        struct backend_frame frame = take(backend);
        struct iovec part;
        char text[8] = "";
        int fd, ends[2];

        (void)state;
        if (!real)
                skip();
        part = (struct iovec){ lend(backend, &frame, &fd), 7 };
        memcpy(part.iov_base, "secret", 7);
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(vmsplice(ends[1], &part, 1, 0), 7);
        munmap(part.iov_base, page_bytes);
        close(fd);
        assert_int_equal(let_go(backend, &frame), HOLDER_PAGES);
        assert_int_equal(let_go(backend, &frame), HOLDER_PAGES);
        assert_int_equal(read(ends[0], text, 7), 7);
        assert_string_equal(text, "secret");
        give_back(backend, &frame);
        close(ends[0]);
        close(ends[1]);
}

/* A daemon that was killed proved nothing: its successor does, before it takes the page. */
static void test_carveout_spares_what_a_client_of_a_killed_one_has(void **state)
{
        static struct backend_frame frames[PAGES_MAX];
        struct backend *backend = carveout();
        struct backend_frame frame = take(backend), late;
        uint64_t phys = frame.phys;
        struct iovec part;
        char text[8] = "";
        int fd, ends[2];
        size_t n;

        (void)state;
        if (!real)
                skip();
        part = (struct iovec){ lend(backend, &frame, &fd), 7 };
        memcpy(part.iov_base, "secret", 7);
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(vmsplice(ends[1], &part, 1, 0), 7);
        munmap(part.iov_base, page_bytes);
        close(fd);
        close(frame.memfd);
        backend_free(STEAL(opened));

        backend = carveout();
        n = take_all(backend, frames, 0x55);
        for (size_t i = 0; i < n; i++)
                assert_int_not_equal(frames[i].phys, phys);
        assert_int_equal(read(ends[0], text, 7), 7);
        assert_int_equal(text[0], 0); /* lost, when it was looked at; but not what others wrote */
        late = take(backend);         /* now it comes */
        assert_int_equal(late.phys, phys);
        give_back(backend, &late);
        while (n)
                give_back(backend, &frames[--n]);
        close(ends[0]);
        close(ends[1]);
}

static void test_carveout_pages_come_back_clean(void **state)
{
        static struct backend_frame frames[PAGES_MAX], again[PAGES_MAX];
        struct backend *backend = carveout();
        struct backend_frame none;
        uint64_t phys;
        size_t n, m;

        (void)state;
        n = take_all(backend, frames, 0xa5);
        assert_in_range(n, 8, PAGES_MAX - 1);
        assert_int_equal(try_take(backend, &none), -ENOMEM);
        phys = frames[n / 2].phys;
        give_back(backend, &frames[n / 2]);
        frames[n / 2] = take(backend); /* there is no other */
        if (real)
                assert_int_equal(frames[n / 2].phys, phys);
        for (size_t i = 0; i < n; i++)
                give_back(backend, &frames[i]);
        m = take_all(backend, again, 0x5a);
        assert_int_equal(m, n);
        while (m)
                give_back(backend, &again[--m]);
        if (real)
                printf("%zu pages, each clean when it came again\n", n);
}

static void note_page(void *data, uint64_t phys)
{
        uint64_t *seen = data; /* how many, and the last */

        assert_true(seen[0] == 0 || phys > seen[1]);
        seen[0]++;
        seen[1] = phys;
}

static void test_carveout_takes_from_the_window_what_it_shows(void **state)
{
        struct backend *backend = carveout();
        uint64_t all[2] = { 0 }, seen[2] = { 0 };
        struct backend_frame frame;
        struct range window;

        (void)state;
        assert_int_equal(
                backend->ops->look(backend, page_bytes, NODE_ANY, RANGE_ALL, note_page, all), 0);
        assert_true(all[0] > 1);
        window = range_of(all[1], page_bytes);
        assert_int_equal(backend->ops->look(backend, page_bytes, NODE_ANY, window, note_page, seen),
                         0);
        assert_int_equal(seen[0], 1);
        assert_int_equal(backend->ops->take(backend, page_bytes, NODE_ANY, window, false, &frame),
                         0);
        assert_int_equal(frame.phys, all[1]);

        seen[0] = 0;
        assert_int_equal(backend->ops->look(backend, page_bytes, NODE_ANY, window, note_page, seen),
                         0);
        assert_int_equal(seen[0], 0);
        assert_int_equal(backend->ops->take(backend, page_bytes, NODE_ANY, window, false, &frame),
                         -ENOMEM);
        assert_int_equal(backend->ops->take(backend, 2 * MiB, NODE_ANY, RANGE_ALL, false, &frame),
                         -ENOMEM);
        give_back(backend, &frame);
}

static void test_carveout_refuses_what_cannot_be(void **state)
{
        static const struct {
                const char *name, *path;
                int result;
                const char *sentence;
        } cases[] = {
                { "no such directory", "/nonexistent", -ENOENT, "/nonexistent: No such file" },
                { "no directory", "/proc/version", -ENOTDIR, "/proc/version: Not a directory" },
                { "no files without a name", "/proc", -EOPNOTSUPP, "/proc: its file system lacks" },
                { "memory that can move", "/dev/shm", -EMEDIUMTYPE,
                  "/dev/shm: its file system is" },
        };
        unsigned before = descriptors_open();

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char error[512] = "";
                int r = open_with(cases[i].path, false, error);

                if (r != cases[i].result ||
                    strncmp(error, cases[i].sentence, strlen(cases[i].sentence)) != 0)
                        fail_msg("%s: %d, \"%s\"", cases[i].name, r, error);
        }
        assert_int_equal(descriptors_open(), before);
}

static void test_carveout_beside_another_backend(void **state)
{
        static struct sim_extent extent = { .range = { GiB, 2 * GiB - 1 }, .page_bytes = 2 * MiB };
        const struct sim_settings settings = { .extents = &extent, .n_extents = 1 };
        struct backend *small = carveout(), *rest;
        struct backend_frame a, b;
        uint64_t added, phys;
        struct range range;

        (void)state;
        assert_int_equal(sim_new(&settings, &rest), 0);
        assert_int_equal(by_size_new(page_bytes, small, rest, &opened), 0);
        assert_int_equal(opened->can_pin, rest->can_pin);
        assert_int_equal(opened->ops->more(opened, 2 * MiB, NODE_ANY, 1, &added), 0);
        assert_int_equal(opened->ops->more(opened, page_bytes, NODE_ANY, 1, &added), -EOPNOTSUPP);
        assert_int_equal(opened->ops->node_range(opened, 0, &range), 0);
        assert_int_equal(range.first, GiB);

        assert_int_equal(opened->ops->take(opened, page_bytes, NODE_ANY, RANGE_ALL, false, &a), 0);
        assert_int_equal(opened->ops->take(opened, 2 * MiB, NODE_ANY, RANGE_ALL, false, &b), 0);
        assert_int_equal(a.page_bytes, page_bytes);
        assert_int_equal(b.page_bytes, 2 * MiB);
        assert_int_equal(b.phys % (2 * MiB), 0);
        assert_in_range(b.phys, GiB, 2 * GiB - 1);
        assert_int_equal(opened->ops->verify(opened, &a, &phys), 0);
        assert_int_equal(phys, a.phys);
        assert_int_equal(opened->ops->verify(opened, &b, &phys), 0);
        assert_int_equal(phys, b.phys);
        give_back(opened, &a);
        give_back(opened, &b);
}

/* 0, or 77 where the rights are missing. */
static int prepare(void)
{
        const char *path = getenv("PAR_CARVEOUT");
        char error[512];
        int r;

        page_bytes = carveout_page_bytes();
        real = path != NULL;
        snprintf(directory, sizeof(directory), "%s", real ? path : "/tmp/par-carveout.XXXXXX");
        if (!real && (geteuid() != 0 || !mkdtemp(directory) || unshare(CLONE_NEWNS) < 0 ||
                      mount("", "/", "", MS_REC | MS_PRIVATE, "") < 0 ||
                      mount("par", directory, "tmpfs", 0, "size=256K,mode=0700") < 0)) {
                fprintf(stderr, "skipped: no file system of its own: it takes root\n");
                return 77;
        }
        r = open_with(directory, !real, error);
        backend_free(STEAL(opened));
        if (r && real)
                fprintf(stderr, "%s\n", error);
        if (r && !real)
                fprintf(stderr, "skipped: %s\n", error);
        return r ? real ? 1 : 77 : 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_carveout_tells_true_addresses, teardown),
                cmocka_unit_test_teardown(test_carveout_lends_a_page_and_nothing_else, teardown),
                cmocka_unit_test_teardown(test_carveout_gives_another_user_no_way_in, teardown),
                cmocka_unit_test_teardown(test_carveout_knows_its_holders, teardown),
                cmocka_unit_test_teardown(test_carveout_sees_a_page_in_a_pipe, teardown),
                cmocka_unit_test_teardown(test_carveout_spares_what_a_client_of_a_killed_one_has,
                                          teardown),
                cmocka_unit_test_teardown(test_carveout_pages_come_back_clean, teardown),
                cmocka_unit_test_teardown(test_carveout_takes_from_the_window_what_it_shows,
                                          teardown),
                cmocka_unit_test_teardown(test_carveout_refuses_what_cannot_be, teardown),
                cmocka_unit_test_teardown(test_carveout_beside_another_backend, teardown),
        };
        int r;

        r = prepare();
        if (!r)
                r = cmocka_run_group_tests(tests, NULL, NULL);
        if (!real && umount2(directory, MNT_DETACH) == 0)
                rmdir(directory);
        return r;
}
