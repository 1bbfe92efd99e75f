/* SPDX-License-Identifier: MIT */
/*
 * A worker that has no descriptor left, as where clients connect faster than connections can be
 * closed: what the keeper sends arrives nevertheless, nobody loses his session, and who comes is
 * let in when there is room again. Needs root, to become the worker's user.
 *
 *     test_descriptors
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <par.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_BYTES (2 * MiB)
#define FRAMES      8
#define WAIT_MS     20000

static const char config[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"2M\" size_max = \"64M\" }\n";

/* The lowest number that is nobody's: the next that it opens. */
static rlim_t next_descriptor(pid_t pid)
{
        char path[64];

        for (rlim_t fd = 0;; fd++) {
                snprintf(path, sizeof(path), "/proc/%d/fd/%llu", (int)pid, (unsigned long long)fd);
                if (faccessat(-1, path, F_OK, AT_SYMLINK_NOFOLLOW))
                        return fd;
        }
}

/* From now on it opens none, unless it knows better. Limits of others are for who has their uid and
 * gid, or CAP_SYS_RESOURCE. */
static void exhaust(pid_t pid)
{
        const rlim_t next = next_descriptor(pid);
        struct rlimit limit;
        struct stat who;
        char path[64];
        int status;
        pid_t child;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        if (stat(path, &who))
                die("%s: %s", path, strerror(errno));
        child = fork();
        if (child == 0) {
                if (setgroups(0, NULL) || setresgid(who.st_gid, who.st_gid, who.st_gid) ||
                    setresuid(who.st_uid, who.st_uid, who.st_uid) ||
                    prlimit(pid, RLIMIT_NOFILE, NULL, &limit))
                        _exit(EXIT_FAILURE);
                limit.rlim_cur = next;
                _exit(prlimit(pid, RLIMIT_NOFILE, &limit, NULL) ? EXIT_FAILURE : EXIT_SUCCESS);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status)
                die("the worker's limit of descriptors cannot be set");
}

static struct par_buffer *take(struct par *par, size_t bytes)
{
        const struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
        const struct par_alloc_options options = { .wait_ms = WAIT_MS };
        struct par_buffer *buffer;

        if (par_alloc(par, bytes, &want, &options, &buffer))
                die("%s", par_error(par));
        return buffer;
}

int main(void)
{
        struct par_buffer *first, *rest;
        struct pard_fixture pard;
        struct par *par, *next;
        struct par_event event;
        pid_t worker;

        pard_fixture_start_filled(config, &pard);
        if (par_connect(pard.socket, NULL, &par))
                die("%s", par_error(NULL));
        first = take(par, FRAME_BYTES);
        worker = pard_fixture_worker(&pard);

        exhaust(worker);
        rest = take(par, (FRAMES - 1) * FRAME_BYTES);
        if (pard_fixture_worker(&pard) != worker)
                die("the worker is another one");
        if (par_next_event(par, &event) != -EAGAIN)
                die("an event: %d", (int)event.type);

        if (par_connect(pard.socket, NULL, &next))
                die("a new client: %s", par_error(NULL));
        par_disconnect(next);
        par_free(rest);
        par_free(first);
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
