/* SPDX-License-Identifier: MIT */
/*
 * Whatever can fail beneath the daemon fails in turn, first to last: each allocation of its two
 * processes, their libraries included, or each system call that can run out of something; or a
 * signal interrupts each call that waits. The daemon lives, or, while it starts, says why it
 * cannot; who comes next is served; and no descriptor, byte of the pool or block of the heap is
 * lost.
 *
 *     test_faults WHAT WHEN [EVERY [FIRST [LAST]]]
 *
 * WHAT: heap, calls, interrupts. WHEN: start, session, restart. EVERY: only each so-manieth point;
 * default 1, which is all of them.
 */
#include "failing_calls.h"
#include "fault_session.h"
#include "heap_plan.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES  (32 * MiB)
#define PATIENCE_NS (60 * NS_PER_S)
#define WARM_UP     10u
#define STILL       20u
#define LIFE_US     120000
#define PATIENCE_S  150
#define CONFIG                                                                                 \
        "backend = \"sim\"\n"                                                                  \
        "sim { extent \"low\" { first = \"64M\" size = \"256M\" page_size = \"2M\" } }\n"      \
        "pool \"any\" { size_min = \"32M\" size_max = \"40M\" spare = \"2M\"\n"                \
        "             reuse_delay = \"5ms\" quarantine = \"10ms\" shrink_delay = \"20ms\" }\n" \
        "device \"capture0\" { dma_bits = 30 boundary = \"64K\" max_segments = 1 }\n"

enum what { HEAP, CALLS, INTERRUPTS };

static const char *const whats[] = { "heap", "calls", "interrupts" };

/* What is measured before and after. */
struct footing {
        unsigned descriptors[2];
        long blocks[2];
};

static enum what what;
static struct pard_fixture pard;
static struct failing_calls *calls; /* of CALLS and INTERRUPTS */
static struct heap_plan *plan;      /* of HEAP */
static char point[128];             /* for whoever has to say what went wrong */

/* ---- one point ------------------------------------------------------------------------------- */

static void arm(unsigned long n)
{
        snprintf(point, sizeof(point), "%s %lu", whats[what], n);
        watchdog_set(PATIENCE_S);
        if (what != HEAP) {
                failing_calls_arm(calls, n, what == CALLS ? FAIL_AS_SHORT : FAIL_INTERRUPTED);
                return;
        }
        atomic_store(&plan->failed, false);
        atomic_store(&plan->spared, false);
        atomic_store(&plan->count, 0);
        atomic_store(&plan->nth, n);
}

static void tell_callers(void)
{
        for (int i = 0; i < HEAP_PLAN_CALLERS; i++)
                printf("    %s\n", plan->callers[i]);
}

/* Return: whether something failed. */
static bool disarm(void)
{
        struct failed_call call;

        if (what == HEAP) {
                atomic_store(&plan->nth, 0);
                if (atomic_load(&plan->failed) && getenv("PAR_FAULTS_TELL"))
                        tell_callers();
                snprintf(point + strlen(point), sizeof(point) - strlen(point), " of %d",
                         (int)atomic_load(&plan->process));
                return atomic_load(&plan->failed) || atomic_load(&plan->spared);
        }
        if (!failing_calls_disarm(calls, &call))
                return false;
        snprintf(point + strlen(point), sizeof(point) - strlen(point), ": %s of %s (%d) gave %s",
                 call.name, call.program, (int)call.process, strerrorname_np(call.error));
        return true;
}

static void tell_descriptors(pid_t process)
{
        char path[64], link[256];

        for (int fd = 0; process && fd < 256; fd++) {
                ssize_t n;

                snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)process, fd);
                n = readlink(path, link, sizeof(link) - 1);
                if (n > 0)
                        fprintf(stderr, "    %d: %.*s\n", fd, (int)n, link);
        }
}

static void __attribute__((__noreturn__)) lose(const char *how)
{
        tell_descriptors(pard.pid);
        tell_descriptors(pard_fixture_worker(&pard));
        pard_fixture_show_log(&pard);
        if (what == HEAP)
                tell_callers();
        die("%s: %s", point, how);
}

static void too_long(void)
{
        lose("something hangs");
}

/* ---- what is the same afterwards ------------------------------------------------------------- */

static long blocks_of(pid_t process)
{
        for (size_t i = 0; plan && i < HEAP_PLAN_PROCESSES; i++)
                if (atomic_load(&plan->processes[i].pid) == process)
                        return atomic_load(&plan->processes[i].blocks);
        return 0;
}

static void look(struct footing *ret)
{
        const pid_t pids[2] = { pard.pid, pard_fixture_worker(&pard) };

        for (int i = 0; i < 2; i++) {
                ret->descriptors[i] = pids[i] ? process_descriptors(pids[i]) : 0;
                ret->blocks[i] = blocks_of(pids[i]);
        }
}

static bool has_more_descriptors(const struct footing *now, const struct footing *before)
{
        return now->descriptors[0] > before->descriptors[0] ||
               now->descriptors[1] > before->descriptors[1];
}

/* But for that of the dynamic loader, before the worker has its name. */
static void expect_no_crash(void)
{
        static const char *const crashes[] = { "(Aborted)", "(Segmentation fault)", "(Bus error)",
                                               "(Illegal instruction)", "(Bad system call)" };
        static char log[1 << 20];
        static pid_t keeper;
        static long seen; /* of its log */
        FILE *file = fopen(pard.log, "re");
        size_t n;

        if (!file)
                return;
        if (keeper != pard.pid)
                seen = 0;
        keeper = pard.pid;
        fseek(file, seen, SEEK_SET);
        n = fread(log, 1, sizeof(log) - 1, file);
        log[n] = '\0';
        seen = ftell(file);
        fclose(file);
        for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
                if (strstr(log, crashes[i]) && !strstr(point, " of exe "))
                        lose("the worker crashed");
}

/* Everything is free, and no descriptor is left: at once, or when quarantines and takes are over.
 */
static void settle(const struct footing *before, struct footing *ret)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        int status;

        fault_session_clean_up(&pard, POOL_BYTES);
        for (;;) {
                if (waitpid(pard.pid, &status, WNOHANG) != 0)
                        lose("the keeper ended");
                if (fault_session_is_over(&pard, POOL_BYTES)) {
                        look(ret);
                        if (!before || !has_more_descriptors(ret, before))
                                return;
                }
                if (now_ns() > deadline)
                        break;
                usleep(2000);
        }
        look(ret);
        if (before)
                printf("descriptors: %u and %u, before %u and %u\n", ret->descriptors[0],
                       ret->descriptors[1], before->descriptors[0], before->descriptors[1]);
        lose("not all is as before");
}

/* What it has when nothing is under way any more: the same so many times. */
static void stand_still(struct footing *ret)
{
        struct footing now;

        settle(NULL, ret);
        for (unsigned same = 0; same < STILL; same++) {
                usleep(2000);
                look(&now);
                if (memcmp(now.descriptors, ret->descriptors, sizeof(now.descriptors)) != 0)
                        same = 0;
                *ret = now;
        }
}

/* ---- the daemon ------------------------------------------------------------------------------ */

enum order { LOAD, START, START_FILLED, STOP, FORGET, QUIT };

/*
 * The daemon's own thread: it is watched with all that it starts, and the daemon ends with it. It
 * does one thing after the other, as it is told.
 */
static struct {
        sem_t told, done;
        enum order order;
        int r, status;
} keeping;

static void *keep(void *unused)
{
        static const char *const version[] = { PARD_PATH, "--version", NULL };
        char output[64];

        (void)unused;
        if (what != HEAP)
                keeping.r = failing_calls_start(true, &calls);
        for (;;) {
                sem_post(&keeping.done);
                sem_wait(&keeping.told);
                switch (keeping.order) {
                case LOAD: keeping.r = run_program(version, output, sizeof(output)); break;
                case START: keeping.r = pard_fixture_try(CONFIG, &pard, &keeping.status); break;
                case START_FILLED: pard_fixture_start_filled(CONFIG, &pard); break;
                case STOP: pard_fixture_stop(&pard); break;
                case FORGET: pard_fixture_forget(&pard); break;
                case QUIT: return NULL;
                }
        }
}

static int tell(enum order order)
{
        keeping.order = order;
        sem_post(&keeping.told);
        sem_wait(&keeping.done);
        return keeping.r;
}

static void begin_to_keep(pthread_t *ret)
{
        sem_init(&keeping.told, 0, 0);
        sem_init(&keeping.done, 0, 0);
        if (pthread_create(ret, NULL, keep, NULL))
                die("a thread cannot be had");
        sem_wait(&keeping.done);
        if (keeping.r == -ENOSYS) {
                printf("skipped: the kernel tells nobody of system calls\n");
                exit(EXIT_SKIPPED);
        }
        if (keeping.r)
                die("system calls cannot be watched: %s", strerror(-keeping.r));
}

/* ---- the points ------------------------------------------------------------------------------ */

/* In a process of its own: nobody waits for the sessions of one that has ended. */
static void have_session(bool restart)
{
        int status;
        pid_t pid;

        /* A worker that dies younger than that is replaced later and later. */
        if (restart)
                usleep(LIFE_US);
        fflush(NULL);
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0) {
                alarm(PATIENCE_S / 2);
                fault_session(&pard, restart);
                _exit(0);
        }
        if (waitpid(pid, &status, 0) != pid || status) {
                (void)disarm(); /* it says which call it was */
                lose("the client failed");
        }
}

static void fail_each_of_sessions(bool restart, unsigned long every, unsigned long first,
                                  unsigned long last)
{
        struct footing before, after;
        unsigned long n, points = 0, replaced = 0;
        pid_t worker;
        uint64_t took;
        bool failed = true;

        for (unsigned i = 0; i < WARM_UP; i++) {
                have_session(restart);
                settle(NULL, &after);
        }
        stand_still(&before);
        for (n = first; failed && n <= last; n += every) {
                worker = pard_fixture_worker(&pard);
                arm(n);
                have_session(restart);
                failed = disarm();
                took = now_ns();
                settle(&before, &after);
                took = now_ns() - took;
                points += failed && !(plan && atomic_load(&plan->spared));
                replaced += pard_fixture_worker(&pard) != worker;
                if (getenv("PAR_FAULTS_TELL"))
                        printf("%s%s; %llu ms; %ld and %ld blocks more\n", point,
                               pard_fixture_worker(&pard) != worker ? "; the worker was replaced"
                                                                    : "",
                               (unsigned long long)took / 1000000,
                               after.blocks[0] - before.blocks[0],
                               after.blocks[1] - before.blocks[1]);
                expect_no_crash();
        }
        printf("%s of a session: %lu of %lu points failed in turn; the worker was replaced %lu "
               "times; %ld blocks "
               "of the keeper's heap more\n",
               whats[what], points, n - every, replaced, after.blocks[0] - before.blocks[0]);
}

/* It said something, and did not crash. */
static void expect_ended_well(int status)
{
        char line[8] = "";
        FILE *file = fopen(pard.log, "re");

        if (file) {
                if (!fgets(line, sizeof(line), file))
                        line[0] = '\0';
                fclose(file);
        }
        if (!WIFEXITED(status) || !WEXITSTATUS(status)) {
                printf("status %#x\n", (unsigned)status);
                lose("pard did not end as it should");
        }
        if (!line[0] && !strstr(point, "write of pard"))
                lose("pard did not say why it ended");
}

static void fail_each_of_start(unsigned long every, unsigned long first, unsigned long last)
{
        unsigned long n, points = 0, refused = 0;
        bool failed = true;

        /* What the dynamic loader does with a failure is its own. */
        arm(0);
        tell(LOAD);
        if (what != HEAP && first <= failing_calls_count(calls))
                first = failing_calls_count(calls) + 1;
        for (n = first; failed && n <= last; n += every) {
                if (plan)
                        memset(plan->processes, 0, sizeof(plan->processes));
                arm(n);
                if (tell(START)) {
                        failed = disarm();
                        expect_ended_well(keeping.status);
                        tell(FORGET);
                        refused++;
                } else {
                        struct footing after;

                        failed = disarm();
                        settle(NULL, &after);
                        expect_no_crash();
                        tell(STOP);
                }
                points += failed && !(plan && atomic_load(&plan->spared));
                if (getenv("PAR_FAULTS_TELL"))
                        printf("%s: %s\n", point, pard.pid ? "?" : "");
        }
        printf("%s: %lu of %lu points failed in turn while it starts; it refused %lu times\n",
               whats[what], points, n - every, refused);
}

/* ---- setting it up --------------------------------------------------------------------------- */

static void make_plan(void)
{
        static char path[] = "/tmp/par-plan.XXXXXX";
        int fd = mkstemp(path);

        if (fd < 0 || ftruncate(fd, sizeof(*plan)) < 0 || fchmod(fd, 0666) < 0)
                die("%s: %s", path, strerror(errno));
        plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (plan == MAP_FAILED)
                die("no memory");
        setenv(HEAP_PLAN_VARIABLE, path, 1);
        setenv("LD_PRELOAD", FAILING_HEAP_PATH, 1);
}

int main(int argc, char **argv)
{
        unsigned long every = argc > 3 ? strtoul(argv[3], NULL, 0) : 1;
        unsigned long first = argc > 4 ? strtoul(argv[4], NULL, 0) : 1;
        unsigned long last = argc > 5 ? strtoul(argv[5], NULL, 0) : ULONG_MAX;
        pthread_t thread;

        while (argc > 2 && what < ARRAY_SIZE(whats) && strcmp(whats[what], argv[1]) != 0)
                what++;
        if (argc < 3 || what == ARRAY_SIZE(whats))
                die("test_faults heap|calls|interrupts start|session|restart [EVERY [FIRST "
                    "[LAST]]]");
        watchdog_start(too_long);
        setvbuf(stdout, NULL, _IOLBF, 0);
        if (what == HEAP)
                make_plan();
        begin_to_keep(&thread);
        if (strcmp(argv[2], "start") == 0) {
                fail_each_of_start(every, first, last);
        } else {
                tell(START_FILLED);
                fail_each_of_sessions(strcmp(argv[2], "restart") == 0, every, first, last);
                tell(STOP);
        }
        keeping.order = QUIT;
        sem_post(&keeping.told);
        pthread_join(thread, NULL);
        failing_calls_stop(calls);
        if (what == HEAP)
                unlink(getenv(HEAP_PLAN_VARIABLE));
        return 0;
}
