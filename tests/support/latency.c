/* SPDX-License-Identifier: MIT */
/*
 * Owns the samples and the process at the other end of the ping-pong. Refuses to take an answer
 * whose figures do not add up.
 */
#include "latency.h"

#include "macros.h"
#include "process.h"
#include "units.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A sanitizer makes the daemon slower by a factor of 10 or so. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LATENCY_NS_MAX (200 * NS_PER_MS)
#else
#define LATENCY_NS_MAX (5 * NS_PER_MS)
#endif

static int compare_ns(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static uint64_t percentile(struct latency_samples *samples, unsigned percent)
{
        if (samples->count == 0)
                return 0;
        qsort(samples->ns, samples->count, sizeof(samples->ns[0]), compare_ns);
        return samples->ns[(samples->count - 1) * percent / 100];
}

static void add_sample(struct latency_samples *samples, uint64_t ns)
{
        if (samples->count < LATENCY_SAMPLES_MAX)
                samples->ns[samples->count++] = ns;
}

static uint64_t waited_ns(const struct latency *latency)
{
        return process_waited_ns(latency->worker) + process_waited_ns(0);
}

/* The other end of the ping-pong. */
static void echo(int socket)
{
        char bytes[256];
        ssize_t n;

        while ((n = recv(socket, bytes, sizeof(bytes), 0)) > 0)
                send(socket, bytes, (size_t)n, MSG_NOSIGNAL);
        _exit(0);
}

static struct latency_samples *samples_new(void)
{
        struct latency_samples *samples = calloc(1, sizeof(*samples));

        if (!samples)
                die("no memory for samples");
        return samples;
}

void latency_start(struct latency *latency, pid_t worker)
{
        int ends[2];

        latency->worker = worker;
        latency->answers = samples_new();
        latency->served = samples_new();
        latency->pings = samples_new();
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                die("socketpair: %s", strerror(errno));
        fflush(NULL);
        latency->echo_pid = fork();
        if (latency->echo_pid < 0)
                die("fork: %s", strerror(errno));
        if (latency->echo_pid == 0) {
                close(ends[0]);
                echo(ends[1]);
        }
        close(ends[1]);
        latency->echo = ends[0];
}

static void ping(struct latency *latency)
{
        uint64_t started = now_ns();
        char bytes[64] = "";

        if (send(latency->echo, bytes, sizeof(bytes), MSG_NOSIGNAL) != sizeof(bytes) ||
            recv(latency->echo, bytes, sizeof(bytes), 0) != sizeof(bytes))
                die("ping: %s", strerror(errno));
        add_sample(latency->pings, now_ns() - started);
}

void latency_sample(struct latency *latency, struct wire_client *idle)
{
        uint64_t waited = waited_ns(latency), started = now_ns(), took;
        const Wire__Status *status = wire_client_status(idle);

        took = now_ns() - started;
        waited = waited_ns(latency) - waited;
        add_sample(latency->answers, took);
        add_sample(latency->served, took > waited ? took - waited : 0);
        check_sum_of_states(status->bytes);
        ping(latency);
}

void latency_finish(struct latency *latency, const char *what)
{
        uint64_t p99, bound;

        /* Other processes of the test have inherited its socket: closing ours would not end it. */
        kill(latency->echo_pid, SIGKILL);
        waitpid(latency->echo_pid, NULL, 0);
        close(latency->echo);

        p99 = percentile(latency->served, 99);
        bound = 3 * percentile(latency->pings, 99);
        if (bound < LATENCY_NS_MAX)
                bound = LATENCY_NS_MAX;
        printf("%s: an idle client's status: median %.3f ms, p99 %.3f ms, longest %.3f ms of %zu; "
               "without the time for want of a processor: p99 %.3f ms, longest %.3f ms; bare "
               "ping-pong beside it: p99 %.3f ms\n",
               what, (double)percentile(latency->answers, 50) / 1e6,
               (double)percentile(latency->answers, 99) / 1e6,
               (double)percentile(latency->answers, 100) / 1e6, latency->answers->count,
               (double)p99 / 1e6, (double)percentile(latency->served, 100) / 1e6,
               (double)percentile(latency->pings, 99) / 1e6);
        if (p99 > bound)
                die("p99 of %.3f ms, %.3f ms allowed", (double)p99 / 1e6, (double)bound / 1e6);
        free(latency->answers);
        free(latency->served);
        free(latency->pings);
}
