/* SPDX-License-Identifier: MIT */
/*
 * Every call of the backend fails in turn, first to last, in a session that asks for everything:
 * with each error that it may give. The keeper runs in a child of this program, on the simulated
 * backend behind a table of operations that fail; its worker is pard's own. Both live on, the next
 * session is served, and no frame or descriptor is lost.
 *
 *     test_faults_backend [EVERY]      default 1: all points
 */
#include "backend.h"
#include "fault_session.h"
#include "keeper.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "sim.h"
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES  (32 * MiB)
#define ALL_BYTES   (36 * MiB) /* of both pools */
#define PAGE_BYTES  (2 * MiB)
#define PATIENCE_NS (60 * NS_PER_S)
#define PATIENCE_S  150
#define WARM_UP     5u
#define STILL       20u
#define CONFIG                                                                                 \
        "backend = \"sim\"\n"                                                                  \
        "sim { extent \"low\" { first = \"64M\" size = \"128M\" page_size = \"2M\" } }\n"      \
        "pool \"any\" { size_min = \"32M\" size_max = \"40M\" spare = \"2M\"\n"                \
        "             reuse_delay = \"5ms\" quarantine = \"10ms\" shrink_delay = \"20ms\" }\n" \
        "pool \"narrow\" { below = \"128M\" size_min = \"4M\" }\n"                             \
        "device \"capture0\" { dma_bits = 30 boundary = \"64K\" max_segments = 1 }\n"

enum call { TAKE, OPEN_FILE, LET_GO, RELEASE, VERIFY, LOOK, MORE, NODE_RANGE };

/* What each call may fail with, other than what sim itself says. */
static const struct {
        const char *name;
        enum call call;
        int error;
} faults[] = {
        { "take: no page", TAKE, -ENOMEM },
        { "take: no address", TAKE, -EACCES },
        { "take: another error", TAKE, -EIO },
        { "open_file: no descriptor", OPEN_FILE, -EMFILE },
        { "let_go: somebody has it", LET_GO, -EBUSY },
        { "let_go: another error", LET_GO, -EIO },
        { "release: not free yet", RELEASE, -EBUSY },
        { "verify: another error", VERIFY, -EIO },
        { "look: not shown", LOOK, -EOPNOTSUPP },
        { "look: another error", LOOK, -EIO },
        { "more: keep_free", MORE, -EDQUOT },
        { "more: another error", MORE, -EIO },
        { "node_range: not known", NODE_RANGE, -EOPNOTSUPP },
};

/* Shared with the keeper. @fault: of faults; @nth: call that fails; 0: none. @frames: taken and not
 * yet released. */
static struct plan {
        atomic_uint fault, nth, count;
        atomic_bool failed;
        atomic_int frames;
} * plan;

static struct pard_fixture pard; /* as far as a session needs it */
static const struct backend_ops *sim;

/* ---- the backend ----------------------------------------------------------------------------- */

/* 0; how this call fails. */
static int fails(enum call call)
{
        const unsigned fault = atomic_load(&plan->fault);

        if (faults[fault].call != call ||
            atomic_fetch_add(&plan->count, 1) + 1 != atomic_load(&plan->nth))
                return 0;
        atomic_store(&plan->failed, true);
        return faults[fault].error;
}

static int take(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                bool must_pin, struct backend_frame *ret)
{
        int r = fails(TAKE);

        if (!r)
                r = sim->take(backend, page_bytes, node, window, must_pin, ret);
        if (!r)
                atomic_fetch_add(&plan->frames, 1);
        return r;
}

static int open_file(struct backend *backend, const struct backend_frame *frame, int *ret_fd)
{
        int r = fails(OPEN_FILE);

        return r ? r : sim->open_file(backend, frame, ret_fd);
}

static int let_go(struct backend *backend, struct backend_frame *frame, bool owner_gone,
                  enum backend_holder *ret_holder)
{
        int r = fails(LET_GO);

        *ret_holder = HOLDER_NONE;
        return r ? r : sim->let_go(backend, frame, owner_gone, ret_holder);
}

static int release(struct backend *backend, struct backend_frame *frame,
                   enum backend_holder *ret_holder)
{
        int r = fails(RELEASE);

        *ret_holder = HOLDER_PATH;
        if (!r)
                r = sim->release(backend, frame, ret_holder);
        if (!r)
                atomic_fetch_sub(&plan->frames, 1);
        return r;
}

static int verify(struct backend *backend, const struct backend_frame *frame, uint64_t *ret_phys)
{
        int r = fails(VERIFY);

        return r ? r : sim->verify(backend, frame, ret_phys);
}

static int look(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                void (*visit)(void *data, uint64_t phys), void *data)
{
        int r = fails(LOOK);

        return r ? r : sim->look(backend, page_bytes, node, window, visit, data);
}

static int more(struct backend *backend, uint64_t page_bytes, int node, uint64_t count,
                uint64_t *ret_added)
{
        int r = fails(MORE);

        *ret_added = 0;
        return r ? r : sim->more(backend, page_bytes, node, count, ret_added);
}

static int node_range(struct backend *backend, int node, struct range *ret)
{
        int r = fails(NODE_RANGE);

        return r ? r : sim->node_range(backend, node, ret);
}

/* ---- the keeper ------------------------------------------------------------------------------ */

static int listen_at(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
            listen(fd, SOMAXCONN))
                die("%s: %s", path, strerror(errno));
        return fd;
}

static int seal(const char *text)
{
        int fd = memfd_create("config", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
                die("a configuration: %s", strerror(errno));
        return fd;
}

/* The same text each time. */
static int read_again(void *data, int *ret_config_fd)
{
        (void)data;
        *ret_config_fd = seal(CONFIG);
        return 0;
}

static int be_keeper(void)
{
        static struct sim_extent extents[] = { { { 64 * MiB, 192 * MiB - 1 }, 0, PAGE_BYTES } };
        const struct sim_settings settings = { .extents = extents, .n_extents = 1, .blind = true };
        const struct keeper_pool pools[] = {
                { .name = "any", .page_bytes = PAGE_BYTES },
                { .name = "narrow", .page_bytes = PAGE_BYTES, .harvest_max_bytes = 128 * MiB }
        };
        char path[] = PARD_PATH, role[] = "--worker", option[] = "--config", name[] = "the test's";
        char *argv[] = { path, role, option, name, NULL };
        struct backend_ops failing;
        struct backend *backend;
        int r;

        if (sim_new(&settings, &backend))
                return EXIT_FAILURE;
        sim = backend->ops;
        failing = *sim;
        failing.take = take;
        failing.open_file = open_file;
        failing.let_go = let_go;
        failing.release = release;
        failing.verify = verify;
        failing.look = look;
        failing.more = more;
        failing.node_range = node_range;
        backend->ops = &failing;
        r = keeper_run(&(struct keeper_settings){
                .backend = backend,
                .pools = pools,
                .n_pools = ARRAY_SIZE(pools),
                .slots = 64,
                .listen_fd = listen_at(pard.socket),
                .metrics_fd = -1,
                .udmabuf_fd = -1,
                .config_fd = seal(CONFIG),
                .worker_argv = argv,
                .worker_uid = (uid_t)-1,
                .worker_gid = (gid_t)-1,
                .threads = 2,
                .verify_ns = 5 * NS_PER_MS,
                .reload = read_again,
        });
        backend->ops = sim;
        backend_free(backend);
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void start_keeper(void)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        int log;

        snprintf(pard.directory, sizeof(pard.directory), "/tmp/par-test.XXXXXX");
        if (!mkdtemp(pard.directory))
                die("%s: %s", pard.directory, strerror(errno));
        snprintf(pard.socket, sizeof(pard.socket), "%s/pard.sock", pard.directory);
        snprintf(pard.log, sizeof(pard.log), "%s/log", pard.directory);
        fflush(NULL);
        pard.pid = fork();
        if (pard.pid < 0)
                die("fork: %s", strerror(errno));
        if (pard.pid == 0) {
                log = open(pard.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
                if (log < 0 || dup2(log, STDERR_FILENO) < 0)
                        _exit(EXIT_FAILURE);
                _exit(be_keeper());
        }
        while (access(pard.socket, F_OK))
                if (now_ns() > deadline)
                        die("no keeper");
}

/* ---- points ---------------------------------------------------------------------------------- */

static char point[96];

static void __attribute__((__noreturn__)) lose(const char *how)
{
        pard_fixture_show_log(&pard);
        kill(pard.pid, SIGTERM);
        die("%s: %s", point, how);
}

static void too_long(void)
{
        lose("something hangs");
}

static void have_session(void)
{
        int status;
        pid_t pid;

        watchdog_set(PATIENCE_S);
        fflush(NULL);
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0) {
                fault_session(&pard, false);
                _exit(0);
        }
        if (waitpid(pid, &status, 0) != pid || status)
                lose("the client failed");
}

/* All is free, held by the keeper and nobody else, who has at most so many descriptors. */
static void settle(unsigned descriptors)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        int status;

        fault_session_clean_up(&pard, POOL_BYTES);
        for (;;) {
                if (waitpid(pard.pid, &status, WNOHANG))
                        lose("the keeper ended");
                if (fault_session_is_over(&pard, ALL_BYTES) &&
                    atomic_load(&plan->frames) == (int)(ALL_BYTES / PAGE_BYTES) &&
                    process_descriptors(pard.pid) <= descriptors)
                        return;
                if (now_ns() > deadline)
                        lose("not all is as before");
                usleep(2000);
        }
}

/* Return: its descriptors when nothing is under way any more: the same so many times. */
static unsigned stand_still(void)
{
        unsigned descriptors = 0;

        for (unsigned same = 0; same < STILL; same++) {
                const unsigned now = process_descriptors(pard.pid);

                if (now != descriptors)
                        same = 0;
                descriptors = now;
                usleep(2000);
        }
        return descriptors;
}

static unsigned fail_each(unsigned fault, unsigned every, unsigned descriptors)
{
        unsigned n, points = 0;

        for (n = 1;; n += every) {
                snprintf(point, sizeof(point), "%s, %u", faults[fault].name, n);
                atomic_store(&plan->nth, 0);
                atomic_store(&plan->fault, fault);
                atomic_store(&plan->failed, false);
                atomic_store(&plan->count, 0);
                atomic_store(&plan->nth, n);
                have_session();
                atomic_store(&plan->nth, 0);
                settle(descriptors);
                if (!atomic_load(&plan->failed))
                        break;
                points++;
        }
        printf("%s: %u points failed in turn\n", faults[fault].name, points);
        return points;
}

int main(int argc, char **argv)
{
        const unsigned every = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 1;
        unsigned descriptors, points = 0;
        const char *const remove[] = { "rm", "-rf", pard.directory, NULL };
        int status;

        plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (plan == MAP_FAILED)
                die("no memory");
        start_keeper();
        /* Not before it: a sanitizer's allocator does not survive a fork() beside a thread that
         * begins. */
        watchdog_start(too_long);
        for (unsigned i = 0; i < WARM_UP; i++) {
                have_session();
                settle(UINT_MAX);
        }
        descriptors = stand_still();
        for (unsigned i = 0; i < ARRAY_SIZE(faults); i++)
                points += fail_each(i, every, descriptors);
        kill(pard.pid, SIGTERM);
        if (waitpid(pard.pid, &status, 0) != pard.pid || status)
                die("the keeper ended with status %#x", (unsigned)status);
        run_program(remove, NULL, 0);
        if (!points)
                die("nothing ever failed");
        return 0;
}
