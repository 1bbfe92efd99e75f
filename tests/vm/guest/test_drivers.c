/* SPDX-License-Identifier: MIT */
/*
 * Two drivers at once, in two processes of two users, each with a device and a buffer of its own:
 * nothing of one comes to the other. That is correctness, not isolation: without an IOMMU each of
 * the devices could write to both.
 *
 *     test_drivers ADDRESS ADDRESS [TRIPS]      default: 1,000 trips each, of two transfers
 */
#include "pard_fixture.h"
#include "process.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRIVERS     2
#define USERS_FIRST 65030
#define GROUP       65001 /* of the socket */

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "verify = \"1s\"\n"
                             "group = \"65001\"\n"
                             "pool \"bits28\" { below = \"256M\" size_min = \"16M\" }\n";

/* An administrator gives a device to a user: it is enabled, and these two files are his. */
static void hand_over(const char *address, uid_t uid)
{
        static const char *const names[] = { "resource0", "config" };
        char path[128];
        FILE *enable;

        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", address);
        enable = fopen(path, "w");
        if (!enable || fputs("1", enable) < 0 || fclose(enable) != 0)
                die("%s: %s", path, strerror(errno));
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", address, names[i]);
                if (chown(path, uid, GROUP) < 0)
                        die("%s: %s", path, strerror(errno));
        }
}

static pid_t start_driver(uid_t uid, const char *address, const char *trips)
{
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid)
                return pid;
        if (setgroups(0, NULL) < 0 || setresgid(GROUP, GROUP, GROUP) < 0 ||
            setresuid(uid, uid, uid) < 0)
                die("becoming user %u: %s", uid, strerror(errno));
        execlp("edu_dma", "edu_dma", address, trips, NULL);
        die("edu_dma: %s", strerror(errno));
}

int main(int argc, char **argv)
{
        const char *trips = argc > 3 ? argv[3] : "1000";
        struct pard_fixture pard;
        int status, failed = 0;
        uint64_t started;

        if (argc < 1 + DRIVERS)
                die("usage: test_drivers ADDRESS ADDRESS [TRIPS]");
        pard_fixture_start_filled(config, &pard);
        started = now_ns();
        for (unsigned i = 0; i < DRIVERS; i++) {
                hand_over(argv[1 + i], USERS_FIRST + i);
                start_driver(USERS_FIRST + i, argv[1 + i], trips);
        }
        for (unsigned i = 0; i < DRIVERS; i++) {
                if (waitpid(-1, &status, 0) < 0)
                        die("wait: %s", strerror(errno));
                failed += status != 0;
        }
        if (failed)
                die("%d drivers failed", failed);
        printf("%d drivers of two users, %lu transfers in %.1f s: 0 bytes came to the other one\n",
               DRIVERS, 2 * DRIVERS * strtoul(trips, NULL, 0), (double)(now_ns() - started) / 1e9);
        pard_fixture_stop(&pard);
        return 0;
}
