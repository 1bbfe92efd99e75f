/* SPDX-License-Identifier: MIT */
/*
 * Owns the process, and in it the kept buffers. Refuses to be content: a byte or an address that is
 * another one ends it with a message, and with it the test.
 */
#include "good_client.h"

#include "identity.h"
#include "macros.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <par.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL_BYTES  (64 * KiB)
#define LARGE_BYTES  (2 * MiB)
#define LARGE_EVERY  16
#define CHECK_EVERY  64
#define CONNECT_EACH 32
#define WAIT_MS      2000 /* for a page; a small one does not wait */
#define PAUSE_US     1000
#define BEGIN_MS     60000
#define PAGE_BYTES   4096

#define PAGEMAP_FRAME ((UINT64_C(1) << 55) - 1) /* of an entry of pagemap */

/**
 * struct kept - a buffer that it has all the time, and what is known of it
 */
struct kept {
        struct par_buffer *buffer;
        struct par_segment segment;
};

/**
 * struct life - of the client, in its process
 * @session: another session of its, whose token strangers know
 * @worker:  that serves it
 * @pagemap: of this process, opened by root; -1: addresses are invented
 * @echo:    our end of the ping-pong
 */
struct life {
        struct good_report *report;
        struct par *par;
        struct wire_client session;
        struct kept kept[4];
        pid_t worker;
        int pagemap, echo;
        pid_t echo_pid;
};

/* ---- what it knows of its memory ------------------------------------------------------------- */

static void write_words(const struct life *life, struct par_buffer *buffer)
{
        uint64_t *words = par_buffer_data(buffer);

        for (size_t i = 0; i < par_buffer_size(buffer) / sizeof(*words); i++)
                words[i] = life->report->victim.canary;
}

static void expect_words(const struct par_buffer *buffer, uint64_t word, const char *what)
{
        const uint64_t *words = par_buffer_data(buffer);

        for (size_t i = 0; i < par_buffer_size(buffer) / sizeof(*words); i++)
                if (words[i] != word)
                        die("the good client: %s has another word at %zu: 0x%" PRIx64, what,
                            i * sizeof(*words), words[i]);
}

/* What the kernel says; only where it says something. */
static void expect_address(const struct life *life, const struct kept *kept)
{
        const uintptr_t at = (uintptr_t)par_buffer_data(kept->buffer);
        uint64_t entry, phys;

        if (life->pagemap < 0)
                return;
        if (pread(life->pagemap, &entry, sizeof(entry), (off_t)(at / PAGE_BYTES * sizeof(entry))) !=
            sizeof(entry))
                die("the good client: pagemap: %s", strerror(errno));
        phys = (entry & PAGEMAP_FRAME) * PAGE_BYTES + at % PAGE_BYTES;
        if (phys != kept->segment.phys)
                die("the good client: its memory lies at 0x%" PRIx64 ", and not at 0x%" PRIx64,
                    phys, kept->segment.phys);
}

static void check_kept(struct life *life)
{
        const struct par_segment *segment;
        struct par_event event;

        for (size_t i = 0; i < ARRAY_SIZE(life->kept); i++) {
                const struct kept *kept = &life->kept[i];

                expect_words(kept->buffer, life->report->victim.canary, "what it keeps");
                if (par_buffer_segments(kept->buffer, &segment) != 1 ||
                    memcmp(segment, &kept->segment, sizeof(*segment)) != 0)
                        die("the good client: a buffer has another address");
                expect_address(life, kept);
        }
        while (par_next_event(life->par, &event) > 0)
                if (event.type == PAR_EVENT_MOVED || event.type == PAR_EVENT_REVOKED ||
                    event.type == PAR_EVENT_POISONED || event.type == PAR_EVENT_RECONNECTED)
                        die("the good client: event %d", (int)event.type);
        life->report->checks++;
}

static void keep(struct life *life, struct kept *kept, size_t bytes, const char *name)
{
        struct par_alloc_options options = { .wait_ms = BEGIN_MS, .name = name };
        const struct par_segment *segment;
        int r;

        r = par_alloc(life->par, bytes, NULL, &options, &kept->buffer);
        if (r)
                die("the good client begins: %s: %s", par_strerror(r), par_error(life->par));
        if (par_buffer_segments(kept->buffer, &segment) != 1)
                die("the good client: one segment was asked for");
        kept->segment = *segment;
        write_words(life, kept->buffer);
}

/* ---- what it does ---------------------------------------------------------------------------- */

/* A refusal is counted; nothing else is borne. */
static bool is_granted(struct life *life, int r, const char *what)
{
        if (r == 0)
                return true;
        snprintf(life->report->why, sizeof(life->report->why), "%s: %s: %.120s", what,
                 par_strerror(r), par_error(life->par));
        if (r > -PAR_NEVER_FITS || r == -PAR_GONE)
                die("the good client: %s", life->report->why);
        life->report->refused++;
        return false;
}

/**
 * struct watch - the time that something takes
 * @waited_ns: of that, without a processor: the worker's and this process's time
 */
struct watch {
        uint64_t taken_ns, waited_ns;
};

static uint64_t waited_ns(const struct life *life)
{
        return process_waited_ns(life->worker) + process_waited_ns(0);
}

static void watch_start(const struct life *life, struct watch *watch)
{
        watch->waited_ns -= waited_ns(life);
        watch->taken_ns -= now_ns();
}

static void watch_stop(const struct life *life, struct watch *watch)
{
        watch->taken_ns += now_ns();
        watch->waited_ns += waited_ns(life);
}

static void sample_small(struct life *life)
{
        struct good_report *report = life->report;
        struct par_buffer *buffer;
        struct watch watch = { 0 };
        int r;

        watch_start(life, &watch);
        r = par_alloc(life->par, SMALL_BYTES, NULL, NULL, &buffer);
        watch_stop(life, &watch);
        if (!is_granted(life, r, "64 KiB"))
                return;
        expect_words(buffer, 0, "a new buffer");
        write_words(life, buffer);
        watch_start(life, &watch);
        par_free(buffer);
        watch_stop(life, &watch);
        histogram_add(&report->answers, watch.taken_ns);
        histogram_add(&report->served,
                      watch.taken_ns > watch.waited_ns ? watch.taken_ns - watch.waited_ns : 0);
}

/* A page that was somebody else's a moment ago, and will be. */
static void sample_large(struct life *life)
{
        struct par_alloc_options options = { .wait_ms = WAIT_MS };
        uint64_t started = now_ns();
        struct par_buffer *buffer;
        int r;

        r = par_alloc(life->par, LARGE_BYTES, NULL, &options, &buffer);
        if (!is_granted(life, r, "2 MiB"))
                return;
        histogram_add(&life->report->pages, now_ns() - started);
        expect_words(buffer, 0, "a new page");
        write_words(life, buffer);
        par_free(buffer);
}

/* As many round trips as alloc and free are. */
static void sample_ping(struct life *life)
{
        uint64_t started = now_ns();
        char bytes[64] = "";

        for (int i = 0; i < 2; i++)
                if (send(life->echo, bytes, sizeof(bytes), MSG_NOSIGNAL) != sizeof(bytes) ||
                    recv(life->echo, bytes, sizeof(bytes), 0) != sizeof(bytes))
                        die("ping: %s", strerror(errno));
        histogram_add(&life->report->pings, now_ns() - started);
}

static void sample_newcomer(struct life *life)
{
        uint64_t started = now_ns();
        struct par *par;
        int r;

        r = par_connect(NULL, NULL, &par);
        if (r) {
                snprintf(life->report->why, sizeof(life->report->why), "connecting: %s: %.120s",
                         par_strerror(r), par_error(NULL));
                life->report->turned_away++;
                return;
        }
        histogram_add(&life->report->newcomers, now_ns() - started);
        par_disconnect(par);
}

static void begin(struct life *life)
{
        struct par_connect_options options = { .client_name = "good" };
        int r;

        r = par_connect(NULL, &options, &life->par);
        if (r)
                die("the good client connects: %s: %s", par_strerror(r), par_error(NULL));
        for (size_t i = 0; i < ARRAY_SIZE(life->kept); i++) {
                keep(life, &life->kept[i], i % 2 ? LARGE_BYTES : SMALL_BYTES,
                     i == 3 ? VICTIM_NAME : NULL);
                life->report->victim.buffers[i] = par_buffer_id(life->kept[i].buffer);
        }
        wire_client_open(getenv("PAR_SOCKET"), "good", &life->session);
        life->report->victim.token = life->session.token;
}

static void live(struct life *life)
{
        enum good_phase phase;

        for (unsigned round = 1; (phase = atomic_load(&life->report->phase)) != GOOD_ENDS;
             round++) {
                usleep(PAUSE_US);
                if (phase != GOOD_MEASURES)
                        continue;
                sample_small(life);
                sample_ping(life);
                if (round % LARGE_EVERY == 0)
                        sample_large(life);
                if (round % CONNECT_EACH == 0)
                        sample_newcomer(life);
                if (round % CHECK_EVERY == 0)
                        check_kept(life);
        }
        check_kept(life);
}

/* ---- its process ----------------------------------------------------------------------------- */

static void start_echo(struct life *life)
{
        char bytes[64];
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                die("socketpair: %s", strerror(errno));
        life->echo_pid = fork();
        if (life->echo_pid < 0)
                die("fork: %s", strerror(errno));
        if (life->echo_pid == 0) {
                close(ends[0]);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                while (recv(ends[1], bytes, sizeof(bytes), 0) > 0)
                        (void)send(ends[1], bytes, sizeof(bytes), MSG_NOSIGNAL);
                _exit(0);
        }
        close(ends[1]);
        life->echo = ends[0];
}

static void be_good(struct good_report *report, pid_t worker, bool real)
{
        struct life life = { .report = report, .worker = worker, .pagemap = -1 };

        if (real) {
                life.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
                if (life.pagemap < 0)
                        die("pagemap: %s", strerror(errno));
        }
        identity_become(UID_GOOD, SOCKET_GROUP);
        start_echo(&life);
        begin(&life);
        atomic_store(&report->phase, GOOD_IS_READY);
        live(&life);
        if (wire_client_status(&life.session)->admin)
                die("the good client is an administrator");
        wire_client_close(&life.session);
        par_disconnect(life.par);
        close(life.echo);
        waitpid(life.echo_pid, NULL, 0);
}

void good_client_start(struct good_client *ret, pid_t worker, bool real)
{
        uint64_t deadline = now_ns() + BEGIN_MS * NS_PER_MS;
        struct good_report *report;

        report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        if (report == MAP_FAILED)
                die("shared memory: %s", strerror(errno));
        report->victim.canary = UINT64_C(0x5ec2e75ec2e70001) + now_ns() % 60000;
        fflush(NULL);
        *ret = (struct good_client){ .pid = fork(), .report = report };
        if (ret->pid < 0)
                die("fork: %s", strerror(errno));
        if (ret->pid == 0) {
                be_good(report, worker, real);
                _exit(0);
        }
        while (atomic_load(&report->phase) != GOOD_IS_READY) {
                if (!good_client_lives(ret) || now_ns() > deadline)
                        die("the good client cannot begin");
                usleep(1000);
        }
}

void good_client_measure(struct good_client *good)
{
        atomic_store(&good->report->phase, GOOD_MEASURES);
}

bool good_client_lives(const struct good_client *good)
{
        siginfo_t ended = { 0 };

        return waitid(P_PID, (id_t)good->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               ended.si_pid == 0;
}

void good_client_stop(struct good_client *good)
{
        int status;

        atomic_store(&good->report->phase, GOOD_ENDS);
        if (waitpid(good->pid, &status, 0) != good->pid || status)
                die("the good client ended with 0x%x", (unsigned)status);
        good->pid = 0;
}

void good_client_forget(struct good_client *good)
{
        munmap(good->report, sizeof(*good->report));
        good->report = NULL;
}
