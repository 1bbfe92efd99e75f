/* SPDX-License-Identifier: MIT */
/*
 * Drivers of edu and NVMe are killed in the middle of transfers, again and again, and so is pard's
 * worker. The device goes on; the next driver opens its lasting buffers, which lie where they did,
 * and goes on where the one before was; all data are right. Others meanwhile allocate and free all
 * that they can of the same pool: nothing of a dead driver comes to them, and no device writes into
 * what they have.
 *
 *     test_restarted_driver EDU NVME       addresses; no IOMMU
 */
#include "insist.h"
#include "lasting.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "wire_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define CYCLES     8u
#define TAKERS     2u
#define TAKEN_MAX  5u
#define MORE       24u /* buffers that others have had before a driver comes back */
#define POOL_BYTES (32 * MiB)
#define FRAME      (2 * MiB)
#define SOON_NS    (100 * NS_PER_S)

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "pool \"low\" { below = \"256M\" size_min = \"32M\" reuse_delay = "
                             "\"10ms\" quarantine = \"1s\" }\n"
                             "device \"edu\" { pci = \"%s\" dma_bits = 28 }\n"
                             "device \"nvme\" { pci = \"%s\" }\n";

static struct figures *figures;
static struct pard_fixture pard;

/* ---- those who take all they can ------------------------------------------------------------- */

struct taken {
        struct par_buffer *buffer;
        unsigned char fill;
};

static void expect_not_lasting(const struct par_buffer *buffer)
{
        const struct par_segment *segments;
        const size_t n = par_buffer_segments(buffer, &segments);

        for (size_t i = 0; i < n; i++)
                for (unsigned k = 0; k < atomic_load(&figures->n_lasting); k++) {
                        const uint64_t frame = atomic_load(&figures->lasting[k]) / FRAME * FRAME;

                        if (segments[i].phys < frame + FRAME &&
                            segments[i].phys + segments[i].length > frame)
                                die("somebody got memory of a driver, at %#llx",
                                    (unsigned long long)segments[i].phys);
                }
}

static void expect_all(const struct par_buffer *buffer, unsigned char value, const char *what)
{
        const unsigned char *data = par_buffer_data(buffer);

        if (data[0] != value || memcmp(data, data + 1, par_buffer_size(buffer) - 1) != 0)
                die("%s", what);
}

static void renew(struct par *par, struct random *random, struct taken *taken)
{
        const struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
        const struct par_alloc_options options = { .pool = "low" };
        int r;

        if (taken->buffer)
                expect_all(taken->buffer, taken->fill, "a device wrote into another's memory");
        par_free(taken->buffer);
        r = par_alloc(par, 4096 + random_below(random, 8 * MiB), &want, &options, &taken->buffer);
        if (r == -PAR_EXHAUSTED || r == -PAR_FRAGMENTED)
                return;
        insist(r, "another's buffer");
        expect_not_lasting(taken->buffer);
        expect_all(taken->buffer, 0, "a buffer that is not zeroed");
        taken->fill = (unsigned char)(1 + random_below(random, 255));
        memset(par_buffer_data(taken->buffer), taken->fill, par_buffer_size(taken->buffer));
        atomic_fetch_add(&figures->taken, 1);
}

static void __attribute__((__noreturn__)) take_all(unsigned number)
{
        struct taken taken[TAKEN_MAX] = { { .buffer = NULL } };
        struct random random = { number };
        struct par *par = lasting_connect("another");

        while (!atomic_load(&figures->stop_taking))
                renew(par, &random, &taken[random_below(&random, TAKEN_MAX)]);
        par_disconnect(par);
        exit(0);
}

/* ---- lives and deaths ------------------------------------------------------------------------ */

static pid_t start(void (*drive)(struct figures *figures, const char *address, unsigned die_after),
                   const char *address, unsigned die_after)
{
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0)
                drive(figures, address, die_after);
        return pid;
}

static void await(const atomic_uint *figure, unsigned value, pid_t who, const char *what)
{
        const uint64_t deadline = now_ns() + SOON_NS;
        int status;

        while (atomic_load(figure) < value) {
                if (waitpid(who, &status, WNOHANG) == who)
                        die("a driver ended with status %#x", (unsigned)status);
                if (now_ns() > deadline)
                        die("%s", what);
                usleep(1000);
        }
}

static void expect_killed(pid_t pid)
{
        int status;

        if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                die("a driver ended with status %#x", (unsigned)status);
}

static void expect_done(pid_t pid, const char *who)
{
        int status;

        if (waitpid(pid, &status, 0) != pid || status)
                die("%s ended with status %#x", who, (unsigned)status);
}

static void kill_worker(void)
{
        const pid_t worker = pard_fixture_worker(&pard);
        const uint64_t deadline = now_ns() + SOON_NS;

        if (!worker)
                die("pard has no worker");
        kill(worker, SIGKILL);
        while (!pard_fixture_worker(&pard) || pard_fixture_worker(&pard) == worker) {
                if (now_ns() > deadline)
                        die("there is no other worker");
                usleep(1000);
        }
}

/* While the drivers are dead, and known to be: what could come to others now has come to them. */
static void let_others_take(void)
{
        const unsigned long goal = atomic_load(&figures->taken) + MORE;
        const uint64_t deadline = now_ns() + SOON_NS;

        while (atomic_load(&figures->taken) < goal) {
                if (now_ns() > deadline)
                        die("the others get nothing any more");
                usleep(1000);
        }
}

/* Every other time they kill themselves, with transfers under way; else they are killed anywhere.
 */
static void cycle(unsigned n, const char *edu, const char *nvme, struct random *random)
{
        const bool themselves = n % 2 == 0;
        const unsigned nvme_lives = atomic_load(&figures->nvme_lives);
        const unsigned edu_lives = atomic_load(&figures->edu_lives);
        const pid_t nvme_pid = start(drive_nvme, nvme, themselves ? 8 + 7 * n : 0);
        const pid_t edu_pid = start(drive_edu, edu, themselves ? 1 + n / 2 % 3 : 0);

        if (n % 3 == 1)
                kill_worker();
        if (!themselves) {
                await(&figures->nvme_lives, nvme_lives + 1, nvme_pid, "nvme does not begin");
                await(&figures->edu_lives, edu_lives + 1, edu_pid, "edu does not begin");
                usleep((useconds_t)random_below(random, 300000));
                kill(nvme_pid, SIGKILL);
                kill(edu_pid, SIGKILL);
        }
        expect_killed(nvme_pid);
        expect_killed(edu_pid);
        if (n % 3 == 2)
                kill_worker();
        let_others_take();
}

static void await_free(void)
{
        const uint64_t deadline = now_ns() + SOON_NS;
        const Wire__StateBytes *bytes;
        struct wire_client admin;

        wire_client_open(pard.socket, "admin", &admin);
        for (;;) {
                bytes = wire_client_pool(&admin, "low")->bytes;
                if (bytes->free == POOL_BYTES)
                        break;
                if (now_ns() > deadline)
                        die("in the end %llu bytes are granted, %llu in quarantine, %llu linger",
                            (unsigned long long)bytes->granted,
                            (unsigned long long)bytes->quarantined,
                            (unsigned long long)bytes->lingering);
                usleep(10000);
        }
        wire_client_close(&admin);
}

static void finish(const char *edu, const char *nvme)
{
        const unsigned nvme_rounds = atomic_load(&figures->nvme_rounds);
        const unsigned edu_rounds = atomic_load(&figures->edu_rounds);
        const pid_t nvme_pid = start(drive_nvme, nvme, 0), edu_pid = start(drive_edu, edu, 0);

        await(&figures->nvme_rounds, nvme_rounds + 2, nvme_pid, "nvme does not go on");
        await(&figures->edu_rounds, edu_rounds + 2, edu_pid, "edu does not go on");
        atomic_store(&figures->stop, true);
        expect_done(nvme_pid, "nvme");
        expect_done(edu_pid, "edu");
}

static void show_log(int status, void *owner)
{
        if (status && getpid() == *(const pid_t *)owner)
                pard_fixture_show_log(&pard);
}

int main(int argc, char **argv)
{
        static pid_t owner;

        struct random random = { 11 };
        pid_t takers[TAKERS];
        char text[1024];

        if (argc != 3)
                die("usage: test_restarted_driver EDU NVME");
        figures = mmap(NULL, sizeof(*figures), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0);
        if (figures == MAP_FAILED)
                die("no memory");
        snprintf(text, sizeof(text), config, argv[1], argv[2]);
        pard_fixture_start_filled(text, &pard);
        owner = getpid();
        on_exit(show_log, &owner);
        for (unsigned i = 0; i < TAKERS; i++) {
                fflush(NULL);
                takers[i] = fork();
                if (takers[i] == 0)
                        take_all(i);
        }
        for (unsigned i = 0; i < CYCLES; i++)
                cycle(i, argv[1], argv[2], &random);
        finish(argv[1], argv[2]);
        atomic_store(&figures->stop_taking, true);
        for (unsigned i = 0; i < TAKERS; i++)
                expect_done(takers[i], "one of the others");
        await_free();
        printf("%u deaths of each driver: %u commands and %u transfers ended while nobody was "
               "there; "
               "%u and %u rounds right; others had %lu buffers meanwhile, none of a driver's\n",
               CYCLES, atomic_load(&figures->dead_completions),
               atomic_load(&figures->dead_transfers), atomic_load(&figures->nvme_rounds),
               atomic_load(&figures->edu_rounds), atomic_load(&figures->taken));
        if (!atomic_load(&figures->dead_completions) || !atomic_load(&figures->dead_transfers))
                die("no device went on without its driver");
        pard_fixture_stop(&pard);
        return 0;
}
