/* SPDX-License-Identifier: MIT */
/*
 * Owns the process: signals, the worker's life, and the loop. While the worker lives, its messages
 * and the threads' reports are dealt with as they come. When it dies, all jobs are called back, and
 * only when the last has come back is the next worker told what is held: so it knows everything,
 * and nothing changes behind its back.
 */
#include "keeper.h"

#include "keeper_private.h"
#include "log.h"
#include "macros.h"
#include "parking.h"
#include "serving_mark.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EARLY_DEATHS_MAX 5
#define EARLY_NS         (100 * NS_PER_MS)
#define RESTART_WAIT_NS  (100 * NS_PER_MS)
#define RESTART_MAX_NS   (5 * NS_PER_S)
#define STALLED_WAIT_NS  (10 * NS_PER_MS)

/* Messages of the worker that are dealt with before anybody else has a turn. */
#define REQUESTS_A_TURN 256

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* What goes along with a message when it is sent: an open file of the frame's own, or the text of
 * a configuration. */
static int open_for(void *data, const struct keeper_message *message, int *ret_fd)
{
        struct keeper *keeper = data;
        struct backend *backend = keeper->settings->backend;
        const struct slot *slot;

        if (message->type == KEEPER_CONFIG && keeper->offered_fd >= 0) {
                *ret_fd = fcntl(keeper->offered_fd, F_DUPFD_CLOEXEC, 0);
                return *ret_fd < 0 ? -errno : 0;
        }
        if (message->type != KEEPER_FRAME || message->flags & KEEPER_GIVEN_UP)
                return 0;
        slot = &keeper->slots.slots[message->slot];
        if (slot->state != SLOT_HELD || slot->generation != message->generation)
                return -ESTALE;
        return backend->ops->open_file(backend, &slot->frame, ret_fd);
}

void keeper_tell(struct keeper *keeper, const struct keeper_message *message)
{
        int r;

        if (!keeper->welcomed)
                return;
        r = channel_send(&keeper->channel, message);
        if (!r || r == -EPIPE || r == -ECONNRESET)
                return; /* its death is about to be heard of */
        /* A worker that misses one message is wrong about everything from then on. */
        log_error("cannot tell the worker: %s; starting another", strerror(-r));
        worker_process_kill(&keeper->worker);
}

void keeper_tell_frame(struct keeper *keeper, uint32_t number, uint32_t flags,
                       const struct keeper_message *former)
{
        const struct slot *slot = &keeper->slots.slots[number];
        struct keeper_message message = {
                .type = KEEPER_FRAME,
                .pool = slot->pool,
                .slot = number,
                .generation = slot->generation,
                .page_bytes = slot->frame.page_bytes,
                .phys = slot->told_phys,
                .flags = flags | (slot->frame.pinned ? KEEPER_PINNED : 0),
                .node = slot->frame.node,
        };

        if (former) {
                message.flags |= KEEPER_RETAKE;
                message.count = former->slot;
                message.first = former->generation;
        }
        keeper_tell(keeper, &message);
        if (slot->poisoned)
                keeper_tell_poisoned(keeper, number);
}

void keeper_tell_poisoned(struct keeper *keeper, uint32_t number)
{
        const struct slot *slot = &keeper->slots.slots[number];
        struct keeper_message message = {
                .type = KEEPER_POISONED,
                .slot = number,
                .generation = slot->generation,
                .pool = slot->pool,
                .node = KEEPER_NODE_ANY,
        };

        keeper_tell(keeper, &message);
}

/* Those that are held, or those that were given up. */
static void tell_frames(struct keeper *keeper, bool given_up)
{
        for (uint32_t i = slots_next(&keeper->slots, 0); i < keeper->slots.room;
             i = slots_next(&keeper->slots, i + 1)) {
                const struct slot *slot = &keeper->slots.slots[i];
                uint32_t flags;

                if (slot->state != SLOT_HELD || slot->given_up != given_up)
                        continue;
                flags = given_up ? KEEPER_LENT | KEEPER_GIVEN_UP : 0;
                if (ledger_says_lent(&keeper->ledger, i, slot->generation))
                        flags |= KEEPER_LENT;
                keeper_tell_frame(keeper, i, flags, NULL);
                if (slot->seen_phys != slot->told_phys)
                        keeper_tell_moved(keeper, i);
        }
}

static void welcome(struct keeper *keeper)
{
        struct keeper_message message = {
                .type = KEEPER_WELCOME,
                .first = keeper->starts,
                .count = slots_used(&keeper->slots),
                .flags = keeper->settings->backend->can_pin ? KEEPER_PINNED : 0,
                .node = KEEPER_NODE_ANY,
        };

        jobs_wind_up(&keeper->jobs, false);
        keeper_filling(keeper, true);
        keeper->welcomed = true;
        keeper_tell(keeper, &message);
        serving_mark(keeper->settings->listen_fd);
        /* The page of one that was given up may be another frame by now. */
        tell_frames(keeper, false);
        tell_frames(keeper, true);
}

static void put_off_restart(struct keeper *keeper, uint64_t lived_ns)
{
        uint64_t wait = keeper->restart_wait_ns;

        if (lived_ns >= EARLY_NS)
                wait = 0;
        keeper->restart_ns = now_ns() + wait;
        wait = wait ? 2 * wait : RESTART_WAIT_NS;
        keeper->restart_wait_ns = wait < RESTART_MAX_NS ? wait : RESTART_MAX_NS;
}

static void start_worker(struct keeper *keeper)
{
        int channel, r;

        r = worker_process_start(&keeper->worker, keeper->settings, keeper->config_fd,
                                 keeper->ledger.fd, &channel);
        if (r) {
                log_error("cannot start the worker: %s", strerror(-r));
                put_off_restart(keeper, 0);
                return;
        }
        keeper->starts++;
        log_debug("worker is process %d", (int)keeper->worker.pid);
        channel_attach(&keeper->channel, channel);
}

static void log_death(const struct keeper *keeper, int status)
{
        const char *when = keeper->ready ? "" : " before it served";

        if (WIFSIGNALED(status))
                log_warning("the worker was killed%s by signal %d (%s)", when, WTERMSIG(status),
                            strsignal(WTERMSIG(status)));
        else if (WEXITSTATUS(status) == 127)
                log_error("the worker could not be started: %s", keeper->settings->worker_argv[0]);
        else
                log_warning("the worker ended%s with status %d", when, WEXITSTATUS(status));
}

/* 0; -ECHILD where it is hopeless. */
static int reap_worker(struct keeper *keeper)
{
        int status;

        if (!worker_process_reap(&keeper->worker, &status))
                return 0;
        if (!keeper->dismissed || WIFSIGNALED(status))
                log_death(keeper, status);
        channel_detach(&keeper->channel);
        keeper_forget_takes(keeper);
        jobs_wind_up(&keeper->jobs, true);
        watches_clear(&keeper->jobs.watches);
        keeper_filling(keeper, false);
        keeper->reloads = 0;
        put_off_restart(keeper, now_ns() - keeper->worker.started_ns);
        if (keeper->dismissed)
                keeper->restart_ns = 0;

        keeper->early_deaths = keeper->ready || keeper->dismissed ? 0 : keeper->early_deaths + 1;
        keeper->dismissed = false;
        keeper->welcomed = false;
        keeper->ready = false;
        /* One has served, so it is not hopeless, and clients have memory that must not be lost. */
        if (keeper->announced || keeper->early_deaths < EARLY_DEATHS_MAX)
                return 0;
        log_error("the worker died %d times in a row before it served", EARLY_DEATHS_MAX);
        return -ECHILD;
}

static void announce(struct keeper *keeper)
{
        if (!keeper->ready || keeper->announced)
                return;
        keeper->announced = true;
        notifier_tell(keeper->notifier, "READY=1");
        /* What an earlier pard had left is here now. */
        for (size_t i = 0; keeper->settings->parks && parked_names[i]; i++)
                notifier_tell(keeper->notifier, "FDSTOREREMOVE=1\nFDNAME=%s", parked_names[i]);
}

static void hear_worker(struct keeper *keeper)
{
        struct keeper_message message;
        int r = 0;

        for (unsigned i = 0; !r && i < REQUESTS_A_TURN; i++) {
                r = channel_receive(&keeper->channel, &message);
                if (!r)
                        r = keeper_request(keeper, &message);
        }
        announce(keeper);
        if (!r || r == -EAGAIN)
                return;
        if (r != -EPIPE && r != -ECONNRESET)
                log_error("the worker is broken (%s); starting another", strerror(-r));
        /* One that has closed its channel is of no use either; one that was told to end is ending.
         */
        if (!keeper->dismissed)
                worker_process_kill(&keeper->worker);
        keeper->welcomed = false;
        channel_detach(&keeper->channel);
}

/* Milliseconds until something is due that no descriptor tells; -1: nothing is. */
static int wait_ms(const struct keeper *keeper, uint64_t now)
{
        uint64_t due = UINT64_MAX;

        if (!keeper->worker.pid && keeper->succession != SUCCESSION_STILL)
                due = keeper->restart_ns;
        if (keeper->channel.stalled && now + STALLED_WAIT_NS < due)
                due = now + STALLED_WAIT_NS;
        if (keeper->settings->verify_ns && !keeper->verifying && keeper->verify_due_ns < due)
                due = keeper->verify_due_ns;
        if (keeper_vigil_due(keeper) < due)
                due = keeper_vigil_due(keeper);
        if (keeper_reload_due(keeper) < due)
                due = keeper_reload_due(keeper);
        if (keeper_tidy_due(keeper) < due)
                due = keeper_tidy_due(keeper);
        if (keeper_succession_due(keeper) < due)
                due = keeper_succession_due(keeper);
        if (due == UINT64_MAX)
                return -1;
        if (due <= now)
                return 0;
        due = (due - now + NS_PER_MS - 1) / NS_PER_MS;
        return due < 60000 ? (int)due : 60000;
}

/* Which signal ends the keeper: 0: none did yet. */
static int hear_signals(struct keeper *keeper, int fd)
{
        struct signalfd_siginfo info;
        int end = 0;

        while (read(fd, &info, sizeof(info)) == sizeof(info)) {
                switch (info.ssi_signo) {
                case SIGHUP: keeper->hung_up = true; break;
                case SIGUSR1: keeper_dismiss_worker(keeper); break;
                case SIGUSR2: keeper_begin_succession(keeper); break;
                case SIGCHLD: break;
                default: end = (int)info.ssi_signo;
                }
        }
        return end;
}

static void wait_for_news(struct keeper *keeper, int signals)
{
        /* Before the welcome only the worker's death is of interest, which is a signal. */
        struct pollfd news[] = {
                { .fd = signals, .events = POLLIN },
                { .fd = keeper->jobs.reports.event, .events = POLLIN },
                { .fd = keeper->welcomed ? keeper->channel.fd : -1, .events = POLLIN },
                { .fd = keeper->jobs.lingering.closings.fd, .events = POLLIN },
        };

        if (channel_is_full(&keeper->channel))
                news[2].events |= POLLOUT;
        (void)poll(news, ARRAY_SIZE(news), wait_ms(keeper, now_ns()));
}

static int loop(struct keeper *keeper, int signals)
{
        int end, r;

        for (;;) {
                wait_for_news(keeper, signals);
                end = hear_signals(keeper, signals);
                if (end) {
                        log_info("ending on signal %d", end);
                        return 0;
                }
                if (keeper->welcomed)
                        hear_worker(keeper);
                /* After that: what the worker said before somebody let go counts before it. */
                lingering_hear(&keeper->jobs.lingering);
                keeper_hear_reports(keeper);
                r = reap_worker(keeper);
                if (r)
                        return r;
                r = keeper_succeed(keeper, now_ns());
                if (r)
                        return r;
                if (!keeper->worker.pid && now_ns() >= keeper->restart_ns &&
                    keeper->succession != SUCCESSION_STILL)
                        start_worker(keeper);
                if (keeper->worker.pid && keeper->channel.fd >= 0 && !keeper->welcomed &&
                    !keeper->n_out)
                        welcome(keeper);
                if (keeper->welcomed)
                        (void)channel_flush(&keeper->channel); /* its death is a signal */
                keeper_reload(keeper);
                keeper_verify(keeper, now_ns());
                keeper_tidy(keeper, now_ns());
                keeper_vigil(keeper, now_ns());
        }
}

/* The most descriptors that the system gives to a process; 0 where it does not say. */
static rlim_t most_descriptors(void)
{
        unsigned long long most = 0;
        char line[32];
        FILE *file;

        file = fopen("/proc/sys/fs/nr_open", "re");
        if (!file)
                return 0;
        if (fgets(line, sizeof(line), file))
                most = strtoull(line, NULL, 10);
        fclose(file);
        return (rlim_t)most;
}

void keeper_raise_descriptor_limit(void)
{
        rlim_t most = most_descriptors();
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        if (most > limit.rlim_max && setrlimit(RLIMIT_NOFILE, &(struct rlimit){ most, most }) == 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* All signals that the loop wants; threads that are started later do not get them. */
static int open_signals(int *ret_fd)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGUSR2);
        sigaddset(&set, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        /* A lease that somebody breaks while it is probed; a worker that is gone. */
        signal(SIGIO, SIG_IGN);
        signal(SIGPIPE, SIG_IGN);
        *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return *ret_fd < 0 ? -errno : 0;
}

/* The threads have ended: nobody has a frame but the slots, the jobs and what they reported. */
static void drop_jobs(struct keeper *keeper)
{
        struct job *job;

        keeper_forget_takes(keeper);
        keeper_hear_reports(keeper);
        while ((job = LIST_FIRST(&keeper->jobs_out))) {
                LIST_REMOVE(job, link);
                if (job->kind == JOB_LEAVE)
                        keeper_called_back(keeper, job);
                job_free(job);
        }
}

int keeper_start_threads(struct keeper *keeper)
{
        int r;

        r = notifier_new(&keeper->notifier);
        if (r)
                return r;
        r = jobs_init(&keeper->jobs, keeper->settings);
        if (r)
                notifier_free(STEAL(keeper->notifier));
        return r;
}

void keeper_end_threads(struct keeper *keeper)
{
        jobs_stop(&keeper->jobs);
        drop_jobs(keeper);
        jobs_deinit(&keeper->jobs);
        notifier_free(STEAL(keeper->notifier));
}

/* Clients hear of it before the worker ends. */
static void stop_in_order(struct keeper *keeper)
{
        notifier_tell(keeper->notifier, "STOPPING=1");
        keeper->return_ms = keeper_return_ms(keeper);
        keeper_tell(keeper, &(struct keeper_message){
                                    .type = KEEPER_STOP,
                                    .count = keeper->return_ms,
                                    .first = serving_mark_read(keeper->settings->listen_fd) });
        keeper->welcomed = false;
        if (worker_process_stop(&keeper->worker, keeper->channel.fd))
                log_error("the worker (pid %d) cannot be ended: pard lacks the right to signal it",
                          (int)keeper->worker.pid);
        channel_detach(&keeper->channel);
        keeper_end_threads(keeper);
        if (keeper->return_ms)
                keeper_park(keeper);
}

static int run(struct keeper *keeper)
{
        int signals = -1, r;

        r = open_signals(&signals);
        if (r)
                return r;
        r = keeper_start_threads(keeper);
        if (!r) {
                r = loop(keeper, signals);
                if (keeper->notifier)
                        stop_in_order(keeper);
        }
        close(signals);
        return r;
}

int keeper_run(const struct keeper_settings *settings)
{
        struct keeper keeper = {
                .settings = settings,
                .config_fd = settings->config_fd,
                .offered_fd = -1,
        };
        int r;

        assert(settings->slots >= 1 && settings->slots < KEEPER_SLOTS_MAX);
        assert(settings->n_pools <= KEEPER_POOLS_MAX);

        LIST_INIT(&keeper.jobs_out);
        STAILQ_INIT(&keeper.takes);
        channel_init(&keeper.channel, open_for, &keeper);
        keeper_raise_descriptor_limit();
        keeper_begin_vigil(&keeper);

        r = slots_init(&keeper.slots, settings->slots + 1);
        if (r)
                return r;
        if (settings->takeover)
                r = keeper_take_over(&keeper);
        else
                r = ledger_init(&keeper.ledger, settings->slots + 1);
        if (!r) {
                r = run(&keeper);
                ledger_deinit(&keeper.ledger);
        }
        slots_deinit(&keeper.slots);
        if (keeper.config_fd != settings->config_fd)
                close(keeper.config_fd);
        if (keeper.offered_fd >= 0)
                close(keeper.offered_fd);
        return r;
}
