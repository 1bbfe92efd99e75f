/* SPDX-License-Identifier: MIT */
#include "letgo.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE ((size_t)4096)

/* What a client may do with the descriptor that it got; each is undone by dropping the client. */
struct client {
        int fd, other;
        int pipe[2];
        void *map;
        pid_t child;
};

static void do_nothing(struct client *client)
{
        close(STEAL_FD(client->fd));
}

static void keep_descriptor(struct client *client)
{
        (void)client;
}

static void keep_dup(struct client *client)
{
        client->other = dup(client->fd);
        close(STEAL_FD(client->fd));
}

static void map_fd(struct client *client, int protection)
{
        client->map = mmap(NULL, SIZE, protection, MAP_SHARED, client->fd, 0);
        assert_ptr_not_equal(client->map, MAP_FAILED);
        close(STEAL_FD(client->fd));
}

static void map_to_write(struct client *client)
{
        map_fd(client, PROT_READ | PROT_WRITE);
}

static void map_to_read(struct client *client)
{
        map_fd(client, PROT_READ);
}

static void reopen_to_read(struct client *client)
{
        char path[32];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", client->fd);
        client->other = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(client->other >= 0);
        close(STEAL_FD(client->fd));
}

static void fork_child(struct client *client)
{
        client->child = fork();
        assert_true(client->child >= 0);
        if (client->child == 0)
                for (;;)
                        pause();
        close(STEAL_FD(client->fd));
}

static void splice_page(struct client *client)
{
        struct iovec at;

        map_to_write(client);
        *(volatile char *)client->map = 1;
        at = (struct iovec){ client->map, SIZE };
        assert_int_equal(pipe(client->pipe), 0);
        assert_int_equal(vmsplice(client->pipe[1], &at, 1, 0), SIZE);
        munmap(client->map, SIZE);
        client->map = NULL;
}

static void keep_path(struct client *client)
{
        char path[32];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", client->fd);
        client->other = open(path, O_PATH | O_CLOEXEC);
        assert_true(client->other >= 0);
        close(STEAL_FD(client->fd));
}

static void seal_seals(struct client *client)
{
        assert_int_equal(fcntl(client->fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
        close(STEAL_FD(client->fd));
}

static void seal_future(struct client *client)
{
        assert_int_equal(fcntl(client->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
        close(STEAL_FD(client->fd));
}

static void client_drop(struct client *client)
{
        if (client->fd >= 0)
                close(client->fd);
        if (client->other >= 0)
                close(client->other);
        if (client->map)
                munmap(client->map, SIZE);
        if (client->pipe[0] >= 0) {
                close(client->pipe[0]);
                close(client->pipe[1]);
        }
        if (client->child > 0) {
                kill(client->child, SIGKILL);
                waitpid(client->child, NULL, 0);
        }
}

/* The kernel may say either: it counts a mapping that could be made writable, or does not. */
#define EITHER 1

static const struct {
        const char *name;
        void (*act)(struct client *client);
        int files, pages; /* what the two probes say */
        int pages_after;  /* and the second when the client is gone */
} cases[] = {
        { "nobody", do_nothing, 0, 0, 0 },
        { "the descriptor itself", keep_descriptor, -EBUSY, 0, 0 },
        { "a duplicate", keep_dup, -EBUSY, 0, 0 },
        { "a writable mapping", map_to_write, -EBUSY, -EBUSY, 0 },
        { "a read-only mapping", map_to_read, -EBUSY, EITHER, 0 },
        { "a file opened to read", reopen_to_read, -EBUSY, 0, 0 },
        { "a child's copy", fork_child, -EBUSY, 0, 0 },
        { "a page in a pipe", splice_page, 0, -EBUSY, 0 },
        { "an O_PATH descriptor is not seen", keep_path, 0, 0, 0 },
        { "sealed seals", seal_seals, 0, -EPERM, -EPERM },
        { "a seal of the client's own", seal_future, 0, 0, 0 },
};

static int probe_files(int memfd)
{
        int own, r;

        assert_int_equal(letgo_reopen(memfd, &own), 0);
        r = letgo_probe_files(own);
        close(own);
        return r;
}

static void test_letgo_sees_who_holds_on(void **state)
{
        (void)state;
        signal(SIGIO, SIG_IGN);

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct client client = { .fd = -1, .other = -1, .pipe = { -1, -1 } };
                int memfd, files, pages, files_after, pages_after;
                bool sealed = false;

                memfd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                assert_true(memfd >= 0);
                assert_int_equal(ftruncate(memfd, SIZE), 0);
                assert_int_equal(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
                assert_int_equal(letgo_reopen(memfd, &client.fd), 0);

                cases[i].act(&client);
                files = probe_files(memfd);
                pages = letgo_seal(memfd, &sealed);
                client_drop(&client);
                files_after = probe_files(memfd);
                pages_after = letgo_seal(memfd, &sealed);
                close(memfd);

                if (cases[i].pages == EITHER && (pages == 0 || pages == -EBUSY))
                        pages = EITHER;
                if (files != cases[i].files || pages != cases[i].pages || files_after != 0 ||
                    pages_after != cases[i].pages_after)
                        fail_msg("%s: files %d, pages %d, afterwards %d and %d", cases[i].name,
                                 files, pages, files_after, pages_after);
        }
}

static void test_letgo_reopen_of_nothing(void **state)
{
        int fd = -5;

        (void)state;
        assert_int_equal(letgo_reopen(123456, &fd), -ENOENT);
        assert_int_equal(fd, -5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_letgo_sees_who_holds_on),
                cmocka_unit_test(test_letgo_reopen_of_nothing),
        };

        return cmocka_run_group_tests_name("letgo", tests, NULL, NULL);
}
