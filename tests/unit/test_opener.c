/* SPDX-License-Identifier: MIT */
/*
 * What the opener answers, to whoever asks it as the keeper does.
 */
#include "opener.h"

#include "macros.h"

#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define FLYING 100 /* descriptors; as many go along with one message */

static int settle_for_nothing(void)
{
        return 0;
}

/* Return: what opener_ask() did; a descriptor is closed. */
static int ask(const char *path)
{
        int fd = -1, r;

        r = opener_ask(path, &fd);
        assert_int_equal(r == 0, fd >= 0);
        if (fd >= 0)
                close(fd);
        return r;
}

static void test_opener_hands_out_what_is_on_its_list(void **unused)
{
        static const struct {
                const char *name, *path;
        } refused[] = {
                { "another file", "/etc/passwd" },
                { "another's pagemap", "/proc/1/pagemap" },
                { "the same by another way", "/proc/../proc/self/pagemap" },
                { "a name that goes on", "/proc/self/pagemap2" },
                { "half a name", "/proc/self" },
        };
        char longer[OPENER_PATH_BYTES + 1];

        (void)unused;
        assert_int_equal(ask("/proc/self/pagemap"), -EACCES); /* there is none yet */
        assert_int_equal(opener_start(settle_for_nothing), 0);
        assert_int_equal(ask("/proc/self/pagemap"), 0);
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
                print_message("%s\n", refused[i].name);
                assert_int_equal(ask(refused[i].path), -EACCES);
        }
        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        assert_int_equal(ask(longer), -EACCES);
        longer[OPENER_PATH_BYTES - 1] = '\0';
        assert_int_equal(ask(longer), -EACCES);
        assert_int_equal(ask("/proc/self/pagemap"), 0);
        opener_end();
        assert_int_equal(ask("/proc/self/pagemap"), -EACCES);
}

/* As many descriptors may be on their way for this user as this process may have; root is asked for
 * more than his name. */
static int settle_for_few(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[2] = { { 0 } };

        if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){ FLYING - 1, FLYING - 1 }))
                return -errno;
        return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static void fly(int socket)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(FLYING * sizeof(int))];
        } control = { 0 };
        struct iovec payload = { (char[]){ 0 }, 1 };
        struct msghdr header = { .msg_iov = &payload,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes) };
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(FLYING * sizeof(int));
        for (size_t i = 0; i < FLYING; i++)
                memcpy(CMSG_DATA(rights) + i * sizeof(int), &(int){ STDERR_FILENO }, sizeof(int));
        assert_int_equal(sendmsg(socket, &header, 0), 1);
}

/* A descriptor that the kernel does not let through is no reason to leave who asked waiting. */
static void test_opener_answers_where_no_descriptor_goes_along(void **unused)
{
        /* Root's opener has the first one open; of another user it may look into this process. */
        static const char *const paths[] = { "/proc/kpageflags", "/proc/self/pagemap" };
        int ends[2], before[ARRAY_SIZE(paths)], n = 0;

        (void)unused;
        /* There the limit of descriptors is memcheck's, and the kernel does not hear of it. */
        if (getenv("PAR_UNDER_VALGRIND"))
                skip();
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
        assert_int_equal(opener_start(settle_for_few), 0);
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
                before[i] = ask(paths[i]);
        fly(ends[0]);
        alarm(30); /* no answer */
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
                assert_int_equal(ask(paths[i]), before[i] ? before[i] : -ETOOMANYREFS);
                n += !before[i];
        }
        alarm(0);
        close(ends[0]);
        close(ends[1]);
        opener_end();
        if (!n)
                skip(); /* nothing here can be opened */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_opener_hands_out_what_is_on_its_list),
                cmocka_unit_test(test_opener_answers_where_no_descriptor_goes_along),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
