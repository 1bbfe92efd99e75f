/* SPDX-License-Identifier: MIT */
/*
 * Where pard listens: what is in the way there, what is said of it, and that nothing of anybody
 * else's is removed.
 */
#include "listen.h"

#include "descriptors.h"
#include "file_tree.h"
#include "log.h"
#include "macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct file_tree tree;
static char told[1024];   /* the last message */
static int chown_result;  /* errno of the next lchown(); 0: as if it were done */
static gid_t group_given; /* by lchown() */

void __wrap_log_write(int level, const struct log_place *place, const struct log_fields *about,
                      const char *format, ...);
int __wrap_lchown(const char *path, uid_t uid, gid_t gid);

void __wrap_log_write(int level, const struct log_place *place, const struct log_fields *about,
                      const char *format, ...)
{
        va_list args;

        (void)level;
        (void)place;
        (void)about;
        va_start(args, format);
        vsnprintf(told, sizeof(told), format, args);
        va_end(args);
}

int __wrap_lchown(const char *path, uid_t uid, gid_t gid)
{
        (void)path;
        assert_int_equal(uid, (uid_t)-1);
        group_given = gid;
        errno = chown_result;
        return chown_result ? -1 : 0;
}

/* A path in the tree; static. */
static const char *at(const char *name)
{
        static char path[96];

        snprintf(path, sizeof(path), "%s/%s", tree.root, name);
        return path;
}

static struct listener_settings settings_at(const char *path)
{
        return (struct listener_settings){ .activated = -1,
                                           .type = SOCK_SEQPACKET,
                                           .at = path,
                                           .mode = 0660,
                                           .group = (gid_t)-1 };
}

static int setup(void **state)
{
        (void)state;
        told[0] = '\0';
        chown_result = 0;
        group_given = (gid_t)-1;
        file_tree_init(&tree);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        file_tree_deinit(&tree);
        return 0;
}

/* Whether somebody is served there. */
static bool is_served(const char *path, int type)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        bool served;

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        assert_true(fd >= 0);
        served = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        return served;
}

/* ---- what is in the way ---------------------------------------------------------------------- */

/* Descriptors of whoever is there already. */
static int others[2];

static void nothing(void)
{
}

static void file_for_directory(void)
{
        file_tree_put(&tree, "/pard", "");
}

static void file(void)
{
        file_tree_put(&tree, "/pard/s", "precious");
}

static void stream(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", at("pard/s"));
        others[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(others[0], (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(others[0], 1), 0);
}

static void starting(void)
{
        file_tree_put(&tree, "/pard/s.lock", "");
        others[0] = open(at("pard/s.lock"), O_RDWR | O_CLOEXEC);
        assert_int_equal(flock(others[0], LOCK_EX), 0);
}

static void serving(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        starting();
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", at("pard/s"));
        others[1] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(others[1], (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(others[1], 1), 0);
}

static void link_for_lock(void)
{
        file_tree_put(&tree, "/pard/precious", "");
        assert_int_equal(symlink("precious", at("pard/s.lock")), 0);
}

static void folder_for_socket(void)
{
        file_tree_put(&tree, "/pard/s/file", "precious");
}

/* @leaves: a file that must be there afterwards; NULL: none. */
static const struct {
        const char *name;
        void (*is_there)(void);
        const char *path;
        bool create_directory;
        int result;
        const char *says, *leaves;
} refusals[] = {
        { "no directory", nothing, "none/s", false, -ENOENT,
          "none/s.lock cannot be locked: No such", NULL },
        { "no directory to make one in", nothing, "none/pard/s", true, -ENOENT,
          "none/pard cannot be made: No such", NULL },
        { "a file where a directory belongs", file_for_directory, "pard/s", true, -ENOTDIR,
          "s.lock cannot be locked: Not a directory", "pard" },
        { "a file", file, "pard/s", true, -EADDRINUSE, "pard/s is there and is no socket",
          "pard/s" },
        { "a folder", folder_for_socket, "pard/s", true, -EADDRINUSE,
          "pard/s is there and is no socket", "pard/s/file" },
        { "another program", stream, "pard/s", false, -EADDRINUSE, "another program listens on ",
          "pard/s" },
        { "a pard that is just starting", starting, "pard/s", false, -EADDRINUSE,
          "another pard is just starting or stopping on ", "pard/s.lock" },
        { "a pard that serves", serving, "pard/s", false, -EADDRINUSE, "another pard serves ",
          "pard/s" },
        { "a link in the lock's place", link_for_lock, "pard/s", false, -ELOOP,
          "s.lock cannot be locked: Too many levels of symbolic links", "pard/precious" },
};

static void test_listen_refuses_what_is_in_the_way(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                const unsigned before = descriptors_open();
                struct listener_settings settings;
                struct listener listener = { .fd = -2 };
                char path[96];

                print_message("%s\n", refusals[i].name);
                if (i)
                        setup(state);
                others[0] = others[1] = -1;
                if (strncmp(refusals[i].path, "pard/", 5) == 0 &&
                    refusals[i].is_there != file_for_directory)
                        file_tree_put(&tree, "/pard/x", "");
                refusals[i].is_there();
                snprintf(path, sizeof(path), "%s", at(refusals[i].path));
                settings = settings_at(path);
                settings.create_directory = refusals[i].create_directory;
                assert_int_equal(listener_open(&settings, &listener), refusals[i].result);
                assert_int_equal(listener.fd, -2); /* not written */
                if (!strstr(told, refusals[i].says))
                        fail_msg("\"%s\" is not in: %s", refusals[i].says, told);
                if (refusals[i].leaves)
                        assert_int_equal(access(at(refusals[i].leaves), F_OK), 0);
                for (size_t k = 0; k < ARRAY_SIZE(others); k++)
                        if (others[k] >= 0)
                                close(others[k]);
                assert_int_equal(descriptors_open(), before);
                if (i + 1 < ARRAY_SIZE(refusals))
                        teardown(state);
        }
}

/* ---- a socket of our own --------------------------------------------------------------------- */

static void test_listen_makes_its_directory(void **state)
{
        struct listener_settings settings;
        struct listener listener;
        struct stat status;
        char path[96];

        (void)state;
        snprintf(path, sizeof(path), "%s", at("pard/s"));
        settings = settings_at(path);
        settings.create_directory = true;
        settings.group = 1234;
        assert_int_equal(listener_open(&settings, &listener), 0);
        assert_true(is_served(path, SOCK_SEQPACKET));
        assert_int_equal(lstat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0660);
        assert_int_equal(group_given, 1234);
        assert_int_equal(lstat(at("pard"), &status), 0);
        assert_int_equal(status.st_mode & 07022, 0); /* nobody else may replace the socket */
        listener_close(&listener);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(access(at("pard/s.lock"), F_OK), -1);
        /* It was there before, this time. */
        assert_int_equal(listener_open(&settings, &listener), 0);
        listener_close(&listener);
}

/* Fewer can connect then, never more: a warning. */
static void test_listen_goes_on_without_its_group(void **state)
{
        struct listener_settings settings;
        struct listener listener;
        char path[96];

        (void)state;
        snprintf(path, sizeof(path), "%s", at("s"));
        settings = settings_at(path);
        settings.group = 1234;
        chown_result = EPERM;
        assert_int_equal(listener_open(&settings, &listener), 0);
        assert_non_null(strstr(told, "cannot be given to group 1234: Operation not permitted"));
        assert_true(is_served(path, SOCK_SEQPACKET));
        listener_close(&listener);
}

static void test_listen_replaces_a_dead_socket(void **state)
{
        struct listener_settings settings;
        struct listener listener;
        char path[96];

        (void)state;
        file_tree_put(&tree, "/pard/x", "");
        stream(); /* of whatever type */
        close(others[0]);
        snprintf(path, sizeof(path), "%s", at("pard/s"));
        settings = settings_at(path);
        settings.type = SOCK_STREAM;
        assert_int_equal(listener_open(&settings, &listener), 0);
        assert_non_null(strstr(told, "which nobody serves"));
        assert_true(is_served(path, SOCK_STREAM));
        listener_close(&listener);
}

/* Somebody has replaced the file: it is his. */
static void test_listen_leaves_what_is_not_its_own(void **state)
{
        struct listener_settings settings;
        struct listener listener;
        char path[96];

        (void)state;
        snprintf(path, sizeof(path), "%s", at("s"));
        settings = settings_at(path);
        assert_int_equal(listener_open(&settings, &listener), 0);
        assert_int_equal(unlink(path), 0);
        file_tree_put(&tree, "/s", "precious");
        listener_close(&listener);
        assert_int_equal(access(path, F_OK), 0);
}

/* As the next program of the same process has it after exec. */
static void test_listen_goes_on_after_exec(void **state)
{
        struct takeover_listener left;
        struct listener_settings settings;
        struct listener listener, next;
        char path[96];

        (void)state;
        snprintf(path, sizeof(path), "%s", at("s"));
        settings = settings_at(path);
        assert_int_equal(listener_open(&settings, &listener), 0);
        left = listener_leave(&listener);
        assert_int_equal(fcntl(left.fd, F_SETFD, 0), 0);
        assert_int_equal(fcntl(left.lock_fd, F_SETFD, 0), 0);
        free(listener.path);

        assert_int_equal(listener_resume(&left, SOCK_SEQPACKET, path, &next), 0);
        assert_int_equal(fcntl(next.fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(next.lock_fd, F_GETFD), FD_CLOEXEC);
        assert_true(is_served(path, SOCK_SEQPACKET));
        listener_close(&next);
        assert_int_equal(access(path, F_OK), -1);

        /* What was left is no descriptor: nothing to go on with. */
        left.fd = next.fd = 1000000;
        assert_int_equal(listener_resume(&left, SOCK_SEQPACKET, path, &next), -EBADF);
        left.fd = -1;
        left.lock_fd = 1000000;
        assert_int_equal(listener_resume(&left, SOCK_SEQPACKET, path, &next), -EBADF);
}

/* ---- others' addresses ----------------------------------------------------------------------- */

static void test_listen_on_a_port_that_is_taken(void **state)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct listener_settings settings;
        const unsigned before = descriptors_open();
        struct listener listener;
        char where[32];

        (void)state;
        assert_int_equal(bind(taken, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(taken, 1), 0);
        assert_int_equal(getsockname(taken, (struct sockaddr *)&address, &size), 0);
        snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(address.sin_port));
        settings = settings_at(where);
        settings.type = SOCK_STREAM;
        assert_int_equal(listener_open(&settings, &listener), -EADDRINUSE);
        assert_non_null(strstr(told, where));
        assert_non_null(strstr(told, "cannot be bound: Address already in use"));
        assert_int_equal(descriptors_open(), before);
        close(taken);
        assert_int_equal(listener_open(&settings, &listener), 0);
        assert_null(listener.path);
        listener_close(&listener);
}

/* The service manager's is used as it is, and its file is not ours to remove. */
static void test_listen_uses_what_is_passed(void **state)
{
        struct listener_settings settings;
        struct listener listener, passed;
        char path[96];

        (void)state;
        snprintf(path, sizeof(path), "%s", at("s"));
        settings = settings_at(path);
        assert_int_equal(listener_open(&settings, &passed), 0);
        settings.activated = passed.fd;
        settings.at = "/nonexistent/s";
        assert_int_equal(listener_open(&settings, &listener), 0);
        assert_int_equal(listener.fd, passed.fd);
        assert_int_equal(listener.lock_fd, -1);
        listener_close(&listener);
        assert_int_equal(access(path, F_OK), 0);
        passed.fd = -1;
        listener_close(&passed);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_listen_refuses_what_is_in_the_way),
                TEST(test_listen_makes_its_directory),
                TEST(test_listen_goes_on_without_its_group),
                TEST(test_listen_replaces_a_dead_socket),
                TEST(test_listen_leaves_what_is_not_its_own),
                TEST(test_listen_goes_on_after_exec),
                TEST(test_listen_on_a_port_that_is_taken),
                TEST(test_listen_uses_what_is_passed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
