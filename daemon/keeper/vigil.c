/* SPDX-License-Identifier: MIT */
/*
 * Who is alive, and what is done: the worker is asked each second, and replaced when it has not
 * answered ten times; the service manager hears from this loop, whose threads may take as long as
 * they need. It is not time that counts against the worker but questions: a machine that slept, or
 * a keeper that was stopped, is not the worker's fault.
 */
#include "keeper_private.h"
#include "log.h"
#include "macros.h"
#include "units.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define PING_EVERY_NS   NS_PER_S
#define UNANSWERED_MAX  10u
#define STATUS_EVERY_NS (500 * NS_PER_MS)
#define EXTEND_EVERY_NS (5 * NS_PER_S)
#define EXTEND_BY_NS    (30 * NS_PER_S)

void keeper_begin_vigil(struct keeper *keeper)
{
        uint64_t usec;

        if (sd_watchdog_enabled(0, &usec) > 0 && usec)
                keeper->watchdog_ns = usec * NS_PER_US / 2;
}

static void ping(struct keeper *keeper, uint64_t now_ns)
{
        if (!keeper->ready) {
                keeper->unanswered = 0;
                keeper->ping_due_ns = now_ns + PING_EVERY_NS;
                return;
        }
        if (now_ns < keeper->ping_due_ns)
                return;
        keeper->ping_due_ns = now_ns + PING_EVERY_NS;
        if (keeper->unanswered == UNANSWERED_MAX) {
                log_error("the worker has not answered for %u seconds; starting another",
                          UNANSWERED_MAX);
                worker_process_kill(&keeper->worker);
                return;
        }
        keeper->unanswered++;
        keeper_tell(keeper, &(struct keeper_message){ .type = KEEPER_PING });
}

/* ---- the status line ------------------------------------------------------------------------ */

struct line {
        char text[STATUS_BYTES];
        size_t used;
};

static void say(struct line *line, const char *format, ...)
        __attribute__((__format__(__printf__, 2, 3)));

static void say(struct line *line, const char *format, ...)
{
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(line->text + line->used, sizeof(line->text) - line->used, format, args);
        va_end(args);
        if (n > 0)
                line->used += (size_t)n;
        if (line->used >= sizeof(line->text))
                line->used = sizeof(line->text) - 1;
}

static void say_take(struct line *line, const struct keeper_pool *pool,
                     const struct pool_take *take)
{
        char held[UNIT_TEXT_BYTES];

        say(line, "; %s: %s, %u of %u frames", pool->name,
            take->progress.harvests ? "harvesting" : "growing", take->progress.had,
            take->job->request.count);
        if (take->progress.held_bytes)
                say(line, ", %s held", size_human(take->progress.held_bytes, held));
}

static void write_status(const struct keeper *keeper, struct line *line)
{
        line->used = 0;
        say(line, "%s", keeper->ready ? "serving" : keeper->welcomed ? "filling" : "starting");
        for (uint32_t i = 0; i < keeper->settings->n_pools; i++)
                if (keeper->taking[i].job)
                        say_take(line, &keeper->settings->pools[i], &keeper->taking[i]);
}

/* Only what goes on is worth waiting for. */
static void ask_for_patience(struct keeper *keeper, uint64_t now_ns)
{
        struct status *status = &keeper->status;

        if (keeper->announced || !status->reports || now_ns < status->extend_ns + EXTEND_EVERY_NS)
                return;
        status->extend_ns = now_ns;
        status->reports = 0;
        notifier_tell(keeper->notifier, "EXTEND_TIMEOUT_USEC=%" PRIu64, EXTEND_BY_NS / NS_PER_US);
}

static void tell_status(struct keeper *keeper, uint64_t now_ns)
{
        struct status *status = &keeper->status;
        struct line line;

        if (now_ns < status->next_ns)
                return;
        ask_for_patience(keeper, now_ns);
        write_status(keeper, &line);
        if (strcmp(line.text, status->text) == 0)
                return;
        memcpy(status->text, line.text, line.used + 1);
        status->next_ns = now_ns + STATUS_EVERY_NS;
        notifier_tell(keeper->notifier, "STATUS=%s", line.text);
}

/* Whether the last line is out of date, for which nothing else may wake this loop. */
static bool status_is_due(const struct keeper *keeper)
{
        struct line line;

        write_status(keeper, &line);
        return strcmp(line.text, keeper->status.text) != 0;
}

void keeper_vigil(struct keeper *keeper, uint64_t now_ns)
{
        ping(keeper, now_ns);
        tell_status(keeper, now_ns);
        if (keeper->watchdog_ns && now_ns >= keeper->watchdog_due_ns) {
                keeper->watchdog_due_ns = now_ns + keeper->watchdog_ns;
                notifier_tell(keeper->notifier, "WATCHDOG=1");
        }
}

uint64_t keeper_vigil_due(const struct keeper *keeper)
{
        uint64_t due = UINT64_MAX;

        if (keeper->ready)
                due = keeper->ping_due_ns;
        if (keeper->watchdog_ns && keeper->watchdog_due_ns < due)
                due = keeper->watchdog_due_ns;
        if (keeper->status.next_ns < due && status_is_due(keeper))
                due = keeper->status.next_ns;
        return due;
}
