/* SPDX-License-Identifier: MIT */
/*
 * Whether memory that changes its owner is clean, and whether who keeps hold of what he gave back
 * stays charged for it, while the others get all that is theirs.
 *
 *     test_isolation [CHANGES [SECONDS [sim]]]   default: 50 changes of owner, then 2 seconds of
 *                                                them beside a process that grabs hugepages
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "wire_client.h"

#include <errno.h>
#include <fcntl.h>
#include <par.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES  (16 * MiB)
#define FRAME_BYTES (2 * MiB)
#define WAIT_MS     20000

/* Nothing is kept for its owner: each free is a change of owner. */
static const char pool[] = "pool \"any\" { page_size = \"2M\" size_min = \"16M\" reuse_delay = "
                           "\"0ms\" quarantine = \"100ms\" }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n";

static struct par *connect_as(const char *name)
{
        struct par_connect_options options = { .client_name = name };
        struct par *par;

        if (par_connect(NULL, &options, &par))
                die("%s: %s", name, par_error(NULL));
        return par;
}

/* All of what is there for one owner, in whatever pieces; waits until it is. */
static int alloc_waiting(struct par *par, uint64_t bytes, struct par_buffer **ret)
{
        struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
        struct par_alloc_options options = { .wait_ms = WAIT_MS };

        return par_alloc(par, bytes, &want, &options, ret);
}

static void check_zero(const struct par_buffer *buffer)
{
        const uint64_t *words = par_buffer_data(buffer);

        for (size_t i = 0; i < par_buffer_size(buffer) / sizeof(*words); i++)
                if (words[i])
                        die("a byte of a former owner at %zu", i * sizeof(*words));
}

/* ---- fill, free, take again as another owner ------------------------------------------------ */

static void change_owners(unsigned changes)
{
        struct par *owners[2] = { connect_as("odd"), connect_as("even") };
        uint64_t started = now_ns();

        for (unsigned i = 0; i < changes; i++) {
                struct par_buffer *buffer;

                if (alloc_waiting(owners[i % 2], POOL_BYTES, &buffer))
                        die("change %u: %s", i, par_error(NULL));
                check_zero(buffer);
                memset(par_buffer_data(buffer), 0xa5, par_buffer_size(buffer));
                par_free(buffer);
        }
        par_disconnect(owners[0]);
        par_disconnect(owners[1]);
        printf("%u changes of owner of %llu MiB in %.1f s: every byte zero\n", changes,
               (unsigned long long)(POOL_BYTES / MiB), (double)(now_ns() - started) / 1e9);
}

/* ---- a client that keeps references to what it freed ----------------------------------------- */

/* A page of the buffer is in the pipe from here on, whatever becomes of the buffer. */
static void splice_page(const struct par_buffer *buffer, int pipe_end)
{
        struct iovec page = { par_buffer_data(buffer), 4096 };

        if (vmsplice(pipe_end, &page, 1, 0) != 4096)
                die("vmsplice: %s", strerror(errno));
}

static void wait_for_lingering(struct wire_client *admin, uint64_t bytes)
{
        uint64_t deadline = now_ns() + WAIT_MS * NS_PER_MS;

        for (;;) {
                const Wire__StateBytes *states = wire_client_pool(admin, "any")->bytes;

                check_sum_of_states(states);
                if (states->lingering == bytes && states->leaving == 0)
                        return;
                if (now_ns() > deadline)
                        die("%llu bytes linger, %llu should", (unsigned long long)states->lingering,
                            (unsigned long long)bytes);
                usleep(10000);
        }
}

static void keep_references(struct wire_client *admin)
{
        struct par *holder = connect_as("holder"), *other = connect_as("other");
        struct par_buffer *buffer;
        uint64_t held;
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                die("pipe: %s", strerror(errno));
        if (alloc_waiting(holder, FRAME_BYTES, &buffer))
                die("holder: %s", par_error(NULL));
        memset(par_buffer_data(buffer), 0x5a, par_buffer_size(buffer));
        splice_page(buffer, ends[1]);
        par_free(buffer);
        wait_for_lingering(admin, FRAME_BYTES);

        /* All the rest is to be had, and only that. */
        if (alloc_waiting(other, POOL_BYTES - FRAME_BYTES, &buffer))
                die("other: %s", par_error(NULL));
        check_zero(buffer);
        par_free(buffer);

        /* Once it lets go, so is the frame. */
        close(ends[0]);
        close(ends[1]);
        wait_for_lingering(admin, 0);
        /* All that is there: on its way back another process may have had the page. */
        held = wire_client_pool(admin, "any")->bytes->held;
        if (held < POOL_BYTES - FRAME_BYTES || alloc_waiting(other, held, &buffer))
                die("other, all of %llu bytes: %s", (unsigned long long)held, par_error(NULL));
        check_zero(buffer);
        par_free(buffer);
        par_disconnect(holder);
        par_disconnect(other);
        printf("vmsplice references: charged while held, back when let go\n");
}

/* ---- beside a process that grabs hugepages --------------------------------------------------- */

static void grab_hugepages(pid_t parent)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent) {
                char *page = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26, -1, 0);

                if (page == MAP_FAILED)
                        continue;
                page[0] = 1;
                usleep(500);
                munmap(page, FRAME_BYTES);
        }
        _exit(0);
}

static void change_owners_beside_a_thief(struct wire_client *admin, uint64_t seconds)
{
        struct par *owners[2] = { connect_as("odd"), connect_as("even") };
        uint64_t deadline = now_ns() + seconds * NS_PER_S, lost, changes = 0, refused = 0;
        const Wire__Status *status;
        pid_t parent = getpid(), thief;

        lost = wire_client_status(admin)->lost_to_system;
        fflush(NULL);
        thief = fork();
        if (thief < 0)
                die("fork: %s", strerror(errno));
        if (thief == 0)
                grab_hugepages(parent);

        for (; now_ns() < deadline; changes++) {
                struct par_alloc_options options = { .wait_ms = 200 };
                struct par_buffer *buffer;
                int r;

                r = par_alloc(owners[changes % 2], FRAME_BYTES, NULL, &options, &buffer);
                if (r == -PAR_TIMED_OUT || r == -PAR_EXHAUSTED || r == -PAR_NEVER_FITS)
                        refused++;
                else if (r)
                        die("beside a thief: %s: %s", par_strerror(r), par_error(NULL));
                if (r)
                        continue;
                check_zero(buffer);
                memset(par_buffer_data(buffer), 0xa5, FRAME_BYTES);
                par_free(buffer);
        }
        kill(thief, SIGKILL);
        waitpid(thief, NULL, 0);
        par_disconnect(owners[0]);
        par_disconnect(owners[1]);

        status = wire_client_status(admin);
        check_sum_of_states(status->bytes);
        printf("beside a process that grabs hugepages: %llu changes of owner in %llu s, %llu pages "
               "lost to the system, %llu requests without an answer in time\n",
               (unsigned long long)changes, (unsigned long long)seconds,
               (unsigned long long)(status->lost_to_system - lost), (unsigned long long)refused);
}

int main(int argc, char **argv)
{
        unsigned changes = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 50;
        uint64_t seconds = argc > 2 ? strtoull(argv[2], NULL, 0) : 2;
        bool invented = argc > 3 && strcmp(argv[3], "sim") == 0;
        struct wire_client admin;
        struct pard_fixture pard;
        char config[1024];

        if (!invented)
                require_hugepages(POOL_BYTES / MiB);
        snprintf(config, sizeof(config), "%s%s", invented ? sim : hugetlb, pool);
        pard_fixture_start_filled(config, &pard);
        wire_client_open(pard.socket, "isolation-admin", &admin);

        change_owners(changes);
        keep_references(&admin);
        if (!invented)
                change_owners_beside_a_thief(&admin, seconds);

        wire_client_close(&admin);
        pard_fixture_stop(&pard);
        return 0;
}
