/* SPDX-License-Identifier: MIT */
/*
 * Whatever can fail beneath libpar fails in turn, first to last: each allocation, its libraries'
 * included, or each system call that can run out of something; or a signal interrupts each call
 * that waits. Each time a result that par.h knows; the handle goes on or is lost cleanly; and no
 * descriptor, mapping or block of the heap is left, nor memory at the daemon.
 *
 *     test_faults_client heap|calls|interrupts session|restart [EVERY [FIRST]]
 *
 * restart: the daemon's worker dies in the middle. EVERY: only each so-manieth point; default 1.
 *
 * Memory of a session that could not go on with the next worker is awaited for as long as its
 * process lives: then this process ends, and another one goes on.
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
#include <par.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES  (32 * MiB)
#define PATIENCE_NS (60 * NS_PER_S)
#define LIFE_US     120000
#define PATIENCE_S  150
#define WARM_UP     3u
#define CONFIG                                                                              \
        "backend = \"sim\"\n"                                                               \
        "sim { extent \"low\" { first = \"64M\" size = \"256M\" page_size = \"2M\" } }\n"   \
        "pool \"any\" { size_min = \"32M\" reuse_delay = \"5ms\" quarantine = \"10ms\" }\n" \
        "device \"capture0\" { dma_bits = 30 boundary = \"64K\" max_segments = 1 }\n"

enum what { HEAP, CALLS, INTERRUPTS };

static const char *const whats[] = { "heap", "calls", "interrupts" };

#define LOST 3 /* exit status: another process has to go on */

/**
 * struct shared - of the processes that are clients, one after the other
 * @heap: first: that is all that failing_heap.so knows of
 * @next, @points: where the next one goes on; what has failed so far
 */
struct shared {
        struct heap_plan heap;
        atomic_ulong next, points;
};

static enum what what;
static bool restart;
static struct shared *shared;
static atomic_bool lost; /* the session of this point, for a reason, or its end may be unnoticed */
static struct pard_fixture pard;
static struct failing_calls *calls; /* of CALLS and INTERRUPTS */
static struct heap_plan *plan;      /* of HEAP */
static struct heap_process *self;   /* of HEAP */
static char point[160];             /* for whoever has to say what went wrong */

/* ---- a client, in a thread of its own, which alone is watched -------------------------------- */

static sem_t told, done, may_kill, killed;

static void __attribute__((__noreturn__)) lose(const char *how)
{
        for (int i = 0; plan && i < HEAP_PLAN_CALLERS; i++)
                fprintf(stderr, "    %s\n", plan->callers[i]);
        die("%s: %s", point, how);
}

static bool has_failed(void)
{
        struct failed_call call;

        return plan ? atomic_load(&plan->failed) : failing_calls_failed(calls, &call);
}

/* A refusal, or an errno; and nothing is lost without a reason. */
static int known(const char *call, int r)
{
        if (r > 0 || (r < -4095 && (r > -PAR_NEVER_FITS || r < -PAR_GONE)))
                lose(call);
        if (r == -PAR_GONE && !has_failed())
                lose(par_error(NULL));
        if (r == -PAR_GONE)
                atomic_store(&lost, true);
        return r;
}

static struct par_buffer *get(struct par *par, const struct par_device *device, size_t size,
                              int32_t wait_ms)
{
        const struct par_constraint want = { .max_segments = device ? 1 : PAR_SEGMENTS_ANY };
        const struct par_alloc_options options = { .device = device, .wait_ms = wait_ms };
        struct par_buffer *buffer;
        const char *data;

        if (known("par_alloc", par_alloc(par, size, &want, &options, &buffer))) {
                if (buffer)
                        lose("a buffer, and a failure");
                return NULL;
        }
        data = par_buffer_data(buffer);
        if (data[0] || memcmp(data, data + 1, size - 1) != 0)
                lose("a buffer that is not zeroed");
        memset(par_buffer_data(buffer), 1, size);
        return buffer;
}

static void read_events(struct par *par)
{
        struct par_event event;

        while (!known("par_next_event", par_next_event(par, &event)))
                ;
}

/* What has failed is over: the handle is as good as before, or lost. */
static void expect_usable(struct par *par)
{
        struct par_buffer *buffer;
        int r;

        if (!has_failed())
                return;
        r = par_alloc(par, 4096, NULL, NULL, &buffer);
        if (r && r != -PAR_GONE)
                lose(par_error(par));
        if (r)
                atomic_store(&lost, true);
        par_free(buffer);
}

static void use(struct par *par)
{
        struct par_device *device = NULL;
        struct par_buffer *small, *large, *again;
        int dmabuf;

        (void)known("par_device_open", par_device_open(par, "capture0", &device));
        small = get(par, device, 4096, 0);
        large = get(par, NULL, 5 * MiB, 0);
        par_free(get(par, NULL, 29 * MiB, 1));
        if (small && !known("par_buffer_export_dmabuf", par_buffer_export_dmabuf(small, &dmabuf)))
                close(dmabuf);
        if (restart) {
                sem_post(&may_kill);
                sem_wait(&killed);
        }
        read_events(par);
        par_free(small);
        again = get(par, device, 8192, 0);
        par_free(large);
        par_free(get(par, NULL, 3 * MiB, 0));
        (void)known("par_reclaim", par_reclaim(par, "mortal", NULL));
        par_free(again);
        read_events(par);
        expect_usable(par);
        par_device_close(device);
}

static void *be_a_client(void *ret)
{
        int r = what == HEAP ? 0 : failing_calls_start(false, &calls);

        *(int *)ret = r;
        for (;;) {
                const struct par_connect_options options = { .client_name = "user" };
                struct par *par;

                sem_post(&done);
                sem_wait(&told);
                if (r || !point[0])
                        return NULL;
                if (known("par_connect", par_connect(pard.socket, &options, &par))) {
                        if (par)
                                lose("a handle, and a failure");
                        if (!has_failed())
                                lose(par_error(NULL));
                        /* The worker may die before it sees that nobody is there any more. */
                        atomic_store(&lost, restart);
                } else {
                        use(par);
                        par_disconnect(par);
                }
                if (restart)
                        sem_post(&may_kill);
        }
}

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
        atomic_store(&plan->count, 0);
        atomic_store(&plan->nth, n);
}

static bool disarm(void)
{
        struct failed_call call;

        if (what == HEAP) {
                atomic_store(&plan->nth, 0);
                return atomic_load(&plan->failed);
        }
        if (!failing_calls_disarm(calls, &call))
                return false;
        snprintf(point + strlen(point), sizeof(point) - strlen(point), ": %s gave %s", call.name,
                 strerrorname_np(call.error));
        return true;
}

static void kill_worker(void)
{
        pid_t worker;

        do
                worker = pard_fixture_worker(&pard);
        while (!worker);
        kill(worker, SIGKILL);
}

static void have_session(void)
{
        /* A worker that dies younger than that is replaced later and later. */
        if (restart)
                usleep(LIFE_US);
        sem_post(&told);
        if (restart) {
                sem_wait(&may_kill);
                kill_worker();
                sem_post(&killed);
        }
        sem_wait(&done);
        /* One that failed before its worker was to die has left one of these behind. */
        while (!sem_trywait(&may_kill) || !sem_trywait(&killed))
                ;
}

/* Pieces of frames that are mapped. */
static unsigned mappings(void)
{
        char line[512];
        unsigned n = 0;
        FILE *file = fopen("/proc/self/maps", "re");

        if (!file)
                die("/proc/self/maps: %s", strerror(errno));
        while (fgets(line, sizeof(line), file))
                n += strstr(line, "/memfd:") != NULL;
        fclose(file);
        return n;
}

static void await_all_back(void)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;

        while (!fault_session_is_over(&pard, POOL_BYTES)) {
                if (now_ns() > deadline)
                        lose("the daemon has not got all back");
                usleep(2000);
        }
}

static void settle(unsigned descriptors)
{
        if (descriptors && process_descriptors(getpid()) != descriptors)
                lose("a descriptor is left");
        if (mappings())
                lose("something is still mapped");
        if (!restart || !atomic_load(&lost))
                await_all_back();
}

/* Return: 0; LOST. */
static int fail_each(unsigned long every)
{
        unsigned descriptors;
        bool failed = true;
        long blocks;

        for (unsigned i = 0; i < WARM_UP; i++) {
                arm(0);
                have_session();
                settle(0);
        }
        descriptors = process_descriptors(getpid());
        while (failed) {
                blocks = self ? atomic_load(&self->blocks) : 0;
                atomic_store(&lost, false);
                arm(atomic_load(&shared->next));
                have_session();
                failed = disarm();
                if (self && atomic_load(&self->blocks) != blocks)
                        lose("memory is left");
                settle(descriptors);
                atomic_fetch_add(&shared->next, every);
                atomic_fetch_add(&shared->points, failed);
                if (getenv("PAR_FAULTS_TELL"))
                        printf("%s%s\n", point, atomic_load(&lost) ? "; lost" : "");
                if (restart && atomic_load(&lost))
                        return LOST;
        }
        return 0;
}

/* ---- setting it up --------------------------------------------------------------------------- */

static void too_long(void)
{
        lose("something hangs");
}

static void map_shared(const char *path)
{
        int fd = open(path, O_RDWR | O_CLOEXEC);

        if (fd < 0 || ftruncate(fd, sizeof(*shared)) < 0)
                die("%s: %s", path, strerror(errno));
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (shared == MAP_FAILED)
                die("no memory");
        if (what != HEAP)
                return;
        plan = &shared->heap;
        for (size_t i = 0; i < HEAP_PLAN_PROCESSES && !self; i++)
                if (atomic_load(&plan->processes[i].pid) == getpid())
                        self = &plan->processes[i];
}

/* This program again, as a client, with a heap that can fail. Return: its exit status. */
static int run_client(char **argv, const char *path)
{
        char text[32];
        int status;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0) {
                snprintf(text, sizeof(text), "%d", (int)pard.pid);
                setenv("PAR_FAULTS_KEEPER", text, 1);
                setenv(HEAP_PLAN_VARIABLE, path, 1);
                if (what == HEAP)
                        setenv("LD_PRELOAD", FAILING_HEAP_PATH, 1);
                execv("/proc/self/exe", argv);
                _exit(127);
        }
        waitpid(pid, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

/* One client after the other, until all points have failed. */
static int run_clients(char **argv, unsigned long every, unsigned long first)
{
        char path[] = "/tmp/par-plan.XXXXXX";
        unsigned losses = 0;
        int fd = mkstemp(path), r;

        if (fd < 0)
                die("%s: %s", path, strerror(errno));
        close(fd);
        map_shared(path);
        atomic_store(&shared->next, first);
        while ((r = run_client(argv, path)) == LOST) {
                losses++;
                memset(shared->heap.processes, 0, sizeof(shared->heap.processes));
                await_all_back();
        }
        unlink(path);
        if (!r)
                printf("%s of a client: %lu of %lu points failed in turn; %u sessions lost\n",
                       whats[what], atomic_load(&shared->points),
                       atomic_load(&shared->next) - every - 1, losses);
        return r;
}

static int be_client(unsigned long every)
{
        pthread_t thread;
        int r, failure;

        sem_init(&told, 0, 0);
        sem_init(&done, 0, 0);
        sem_init(&may_kill, 0, 0);
        sem_init(&killed, 0, 0);
        if (pthread_create(&thread, NULL, be_a_client, &failure))
                die("a thread cannot be had");
        sem_wait(&done);
        r = failure;
        if (!failure)
                r = fail_each(every);
        point[0] = '\0';
        sem_post(&told);
        pthread_join(thread, NULL);
        failing_calls_stop(calls);
        if (failure && failure != -ENOSYS)
                die("system calls cannot be watched: %s", strerror(-failure));
        if (failure)
                printf("skipped: the kernel tells nobody of system calls\n");
        return failure ? EXIT_SKIPPED : r;
}

int main(int argc, char **argv)
{
        unsigned long every = argc > 3 ? strtoul(argv[3], NULL, 0) : 1;
        unsigned long first = argc > 4 ? strtoul(argv[4], NULL, 0) : 1;
        const char *keeper = getenv("PAR_FAULTS_KEEPER");
        int r;

        while (argc > 2 && what < ARRAY_SIZE(whats) && strcmp(whats[what], argv[1]) != 0)
                what++;
        if (argc < 3 || what == ARRAY_SIZE(whats))
                die("test_faults_client heap|calls|interrupts session|restart [EVERY [FIRST]]");
        restart = strcmp(argv[2], "restart") == 0;
        watchdog_start(too_long);
        setvbuf(stdout, NULL, _IOLBF, 0);
        if (keeper) {
                pard.pid = (pid_t)strtol(keeper, NULL, 10);
                snprintf(pard.socket, sizeof(pard.socket), "%s", getenv("PAR_SOCKET"));
                map_shared(getenv(HEAP_PLAN_VARIABLE));
                return be_client(every);
        }
        pard_fixture_start_filled(CONFIG, &pard);
        r = run_clients(argv, every, first);
        pard_fixture_stop(&pard);
        return r;
}
