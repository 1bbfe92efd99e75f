/* SPDX-License-Identifier: MIT */
/* As much as one may have, and as often as one can: limits, waiting requests, connections; and
 * clients that stop or die in the middle. */
#include "attack.h"
#include "line.h"

#include "macros.h"
#include "process.h"
#include "result.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BURST    64
#define HELD     4096
#define SESSIONS 400
#define UNKNOWN  200

/* ---- a uid's share --------------------------------------------------------------------------- */

void attack_quota(struct attacker *attacker, const struct attack *attack)
{
        static uint64_t held[HELD];
        size_t n = 0;
        struct line line;
        int result = 0;

        (void)attack;
        if (!line_open(&line, 0))
                return;
        while (n < HELD && result == 0) {
                uint64_t bytes = (4 * KiB) << random_below(&attacker->random, 11);

                result = line_alloc(&line, bytes, 0, &held[n]);
                n += result == 0;
                ++*attacker->tries;
        }
        for (size_t i = 0; i < n && i < HELD / 2; i++)
                (void)line_free(&line, held[i]);
        line_close(&line); /* and the rest as who dies */
}

/* Return: the result; -1: there is none. */
static int take_batch(struct line *line, uint32_t count, uint64_t bytes)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__AllocBatch body = WIRE__ALLOC_BATCH__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__Reply *reply;

        alloc.size = bytes;
        body.alloc = &alloc;
        body.count = count;
        request.body_case = WIRE__REQUEST__BODY_ALLOC_BATCH;
        request.alloc_batch = &body;
        reply = line_ask(line, &request);
        return reply ? (int)reply->result : -1;
}

/* Also such as are no one's. */
static void free_any(struct attacker *attacker, struct line *line)
{
        uint64_t buffers[BURST];
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__FreeBatch body = WIRE__FREE_BATCH__INIT;

        for (size_t i = 0; i < BURST; i++)
                buffers[i] = random_below(&attacker->random, HELD);
        body.buffers = buffers;
        body.n_buffers = BURST;
        request.body_case = WIRE__REQUEST__BODY_FREE_BATCH;
        request.free_batch = &body;
        (void)line_ask(line, &request);
}

void attack_batches(struct attacker *attacker, const struct attack *attack)
{
        struct line line;
        int result = 0;

        (void)attack;
        if (!line_open(&line, 0))
                return;
        for (unsigned refused = 0; refused < BURST && result >= 0; refused += result != 0) {
                uint64_t bytes = (4 * KiB) << random_below(&attacker->random, 10);
                uint32_t count = 1 + (uint32_t)random_below(&attacker->random, BURST + 1);

                result = take_batch(&line, count, bytes);
                ++*attacker->tries;
                if (random_one_in(&attacker->random, 8))
                        free_any(attacker, &line);
        }
        line_close(&line);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Requests that wait, sent at once; numbered from @first. */
static void send_waits(struct attacker *attacker, struct line *line, uint32_t count, uint64_t bytes,
                       int32_t wait_ms)
{
        for (uint32_t i = 0; i < count; i++) {
                Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
                Wire__Request request = WIRE__REQUEST__INIT;
                Wire__Alloc alloc = WIRE__ALLOC__INIT;

                alloc.size = bytes;
                alloc.wait_ms = wait_ms;
                constraint.max_segments = UINT32_MAX;
                constraint.align = UINT64_C(1) << (12 + i % 16);
                alloc.constraint = &constraint;
                request.body_case = WIRE__REQUEST__BODY_ALLOC;
                request.alloc = &alloc;
                if (!line_send(line, &request))
                        return;
                ++*attacker->tries;
        }
}

static void cancel(struct attacker *attacker, struct line *line, uint32_t seq)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Cancel body = WIRE__CANCEL__INIT;

        body.seq = seq;
        request.body_case = WIRE__REQUEST__BODY_CANCEL;
        request.cancel = &body;
        *attacker->tries += line_ask(line, &request) != NULL;
}

/* More than its share of the pool, so that all wait; and requests for all there is. */
void attack_waiting(struct attacker *attacker, const struct attack *attack)
{
        struct line line;

        (void)attack;
        if (!line_open(&line, 0))
                return;
        send_waits(attacker, &line, BURST, random_one_in(&attacker->random, 2) ? 8 * MiB : 64 * MiB,
                   -1);
        for (uint32_t i = 0; i < BURST; i++)
                cancel(attacker, &line,
                       line.seq - BURST - i + (uint32_t)random_below(&attacker->random, BURST));
        if (random_one_in(&attacker->random, 2))
                (void)line_bye(&line);
        line_close(&line);
}

void attack_timeouts(struct attacker *attacker, const struct attack *attack)
{
        struct line line;

        (void)attack;
        if (!line_open(&line, 0))
                return;
        for (int i = 0; i < 8; i++) {
                send_waits(attacker, &line, BURST / 2, 64 * MiB, 1 + i % 5);
                line_drain(&line, 10);
        }
        line_close(&line);
}

/* ---- connections ----------------------------------------------------------------------------- */

void attack_connects(struct attacker *attacker, const struct attack *attack)
{
        struct line line;

        (void)attack;
        for (int i = 0; i < 1000; i++) {
                if (!line_connect(&line))
                        continue;
                ++*attacker->tries;
                line_close(&line);
        }
}

void attack_hellos(struct attacker *attacker, const struct attack *attack)
{
        struct line line;

        (void)attack;
        for (int i = 0; i < 100; i++) {
                if (i % 2 ? line_open(&line, 0) : line_connect(&line)) {
                        if (i % 2 == 0) /* not waiting for the answer */
                                (void)line_say(&line, line_hello, sizeof(line_hello));
                        ++*attacker->tries;
                }
                line_close(&line);
        }
}

void attack_strangers(struct attacker *attacker, const struct attack *attack)
{
        static struct line lines[UNKNOWN];

        (void)attack;
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                *attacker->tries += line_connect(&lines[i]);
        usleep(20000);
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                line_close(&lines[i]);
}

void attack_sessions(struct attacker *attacker, const struct attack *attack)
{
        static struct line lines[SESSIONS];

        (void)attack;
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                *attacker->tries += line_open(&lines[i], 0);
        usleep(50000);
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                line_close(&lines[i]);
}

/* ---- stopping and dying ---------------------------------------------------------------------- */

/* A session that takes and gives, stopping after each packet, at one of them for ever. */
static void stop_after_each(void)
{
        static char bytes[PACKET_BYTES_MAX];
        struct line line;

        if (!line_connect(&line))
                return;
        raise(SIGSTOP);
        if (!line_say(&line, line_hello, sizeof(line_hello)))
                return;
        raise(SIGSTOP);
        (void)recv(line.fd, bytes, sizeof(bytes), 0);
        line.seq = 1;
        for (int i = 0; i < 4; i++) {
                Wire__Request request = WIRE__REQUEST__INIT;
                Wire__Alloc alloc = WIRE__ALLOC__INIT;

                alloc.size = (64 * KiB) << (3 * i);
                alloc.wait_ms = 100;
                request.body_case = WIRE__REQUEST__BODY_ALLOC;
                request.alloc = &alloc;
                if (!line_send(&line, &request))
                        return;
                raise(SIGSTOP); /* its grant is on the way */
                if (!line_drain(&line, 20))
                        return;
                raise(SIGSTOP);
        }
        (void)line_bye(&line);
}

/* Let it go on so and so often; then it is killed as it stands. */
void attack_stops(struct attacker *attacker, const struct attack *attack)
{
        uint64_t steps = random_below(&attacker->random, 12);
        int status;
        pid_t pid;

        (void)attack;
        pid = attacker_fork();
        if (pid == 0) {
                stop_after_each();
                _exit(0);
        }
        while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
                ++*attacker->tries;
                if (steps-- == 0) {
                        usleep((useconds_t)random_below(&attacker->random, 20000));
                        attacker_end_child(pid);
                        return;
                }
                kill(pid, SIGCONT);
        }
}

void attack_deaths(struct attacker *attacker, const struct attack *attack)
{
        useconds_t life_us = (useconds_t)random_below(&attacker->random, 3000);
        pid_t pid;

        (void)attack;
        pid = attacker_fork();
        if (pid == 0) {
                struct line line;

                if (line_open(&line, 0))
                        send_waits(attacker, &line, BURST, 1 * MiB, -1);
                pause();
                _exit(0);
        }
        usleep(life_us);
        attacker_end_child(pid);
        ++*attacker->tries;
}
