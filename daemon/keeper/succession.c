/* SPDX-License-Identifier: MIT */
/*
 * Replacing the worker, and this program by another, which goes on in the same process with all
 * frames, pins and sockets. First a process tries whether the other one runs at all, and
 * understands what it is going to find; clients are served meanwhile. Then the worker ends, what
 * the threads have under way is called back, and when nothing is left that only memory knows, it is
 * written down and the other program executed. Refuses to go that far with one that has not tried;
 * where it cannot be executed all the same, this one goes on.
 */
#include "keeper_private.h"
#include "log.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIAL_NS   (20 * NS_PER_S)
#define DISMISS_NS (2 * NS_PER_S)

/* ---- the worker ----------------------------------------------------------------------------- */

void keeper_dismiss_worker(struct keeper *keeper)
{
        if (!keeper->worker.pid || keeper->dismissed)
                return;
        keeper->dismissed = true;
        keeper->dismissed_due_ns = 0;
        kill(keeper->worker.pid, SIGTERM);
}

static void hurry_worker(struct keeper *keeper, uint64_t now_ns)
{
        if (!keeper->dismissed)
                return;
        if (!keeper->dismissed_due_ns)
                keeper->dismissed_due_ns = now_ns + DISMISS_NS;
        else if (now_ns >= keeper->dismissed_due_ns)
                worker_process_kill(&keeper->worker);
}

/* ---- what is written down ------------------------------------------------------------------- */

static uint32_t frame_flags(const struct backend_frame *frame)
{
        return (frame->pinned ? TAKEOVER_FRAME_PINNED : 0) |
               (frame->was_pinned ? TAKEOVER_FRAME_WAS_PINNED : 0) |
               (frame->sealed ? TAKEOVER_FRAME_SEALED : 0) |
               (frame->released ? TAKEOVER_FRAME_RELEASED : 0) |
               (frame->poisoned ? TAKEOVER_FRAME_POISONED : 0);
}

struct takeover_slot keeper_record(const struct slot *slot, uint32_t number)
{
        const struct backend_frame *frame = &slot->frame;

        if (slot->state != SLOT_HELD)
                return (struct takeover_slot){ .number = number,
                                               .generation = slot->generation,
                                               .memfd = -1 };
        return (struct takeover_slot){
                .number = number,
                .generation = slot->generation,
                .pool = slot->pool,
                .flags = TAKEOVER_HELD | (slot->given_up ? TAKEOVER_GIVEN_UP : 0) |
                         (slot->poisoned ? TAKEOVER_POISONED : 0) | frame_flags(frame),
                .page_bytes = frame->page_bytes,
                .phys = frame->phys,
                .told_phys = slot->told_phys,
                .memfd = frame->memfd,
                .node = frame->node,
                .pin = frame->pin,
        };
}

/* Every slot that ever held a frame, since generations must not come again. */
static struct takeover_slot *list_slots(const struct slots *slots, uint32_t *ret_n)
{
        struct takeover_slot *list;
        uint32_t n = 0;

        for (uint32_t i = 0; i < slots->room; i++)
                n += slots->slots[i].generation != 0;
        list = calloc(n ? n : 1, sizeof(*list));
        if (!list)
                return NULL;
        n = 0;
        for (uint32_t i = 0; i < slots->room; i++)
                if (slots->slots[i].generation)
                        list[n++] = keeper_record(&slots->slots[i], i);
        *ret_n = n;
        return list;
}

struct takeover_head keeper_head(const struct keeper *keeper)
{
        const struct keeper_settings *settings = keeper->settings;

        return (struct takeover_head){
                .room = keeper->slots.room,
                .flags = (keeper->announced ? TAKEOVER_ANNOUNCED : 0) |
                         (keeper->filled_once ? TAKEOVER_FILLED : 0),
                .starts = keeper->starts,
                .config_fd = keeper->config_fd,
                .ledger_fd = keeper->ledger.fd,
                .udmabuf_fd = settings->udmabuf_fd,
                .listener = settings->listener,
                .metrics = settings->metrics,
                .opener_fd = settings->opener_fd + 1,
        };
}

static int write_down(struct keeper *keeper, int *ret_fd)
{
        struct backend *backend = keeper->settings->backend;
        const struct takeover_head head = keeper_head(keeper);
        struct takeover_slot *slots;
        void *bytes = NULL;
        size_t n_bytes = 0;
        uint32_t n;
        int r;

        slots = list_slots(&keeper->slots, &n);
        if (!slots)
                return -ENOMEM;
        r = backend->ops->save(backend, &bytes, &n_bytes);
        if (!r)
                r = takeover_write(&head, slots, n, bytes, n_bytes, ret_fd);
        free(bytes);
        free(slots);
        return r;
}

/* ---- the trial ------------------------------------------------------------------------------ */

/* In the child: it has what it is to read, and nothing else. */
static void __attribute__((__noreturn__)) try_it(const struct keeper *keeper, int takeover)
{
        const int fds[] = { takeover, keeper->config_fd, keeper->ledger.fd };
        sigset_t none;

        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
                for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                        (void)fcntl(fds[i], F_SETFD, 0);
                signal(SIGIO, SIG_DFL);
                signal(SIGPIPE, SIG_DFL);
                sigemptyset(&none);
                sigprocmask(SIG_SETMASK, &none, NULL);
                execv(keeper->settings->trial_argv[0], keeper->settings->trial_argv);
        }
        _exit(127);
}

static int start_trial(struct keeper *keeper)
{
        int takeover, r = 0;

        r = write_down(keeper, &takeover);
        if (r)
                return r;
        snprintf(keeper->settings->successor_fd, SUCCESSOR_FD_BYTES, "%d", takeover);
        keeper->trial = fork();
        if (keeper->trial == 0)
                try_it(keeper, takeover);
        if (keeper->trial < 0) {
                r = -errno;
                keeper->trial = 0;
        }
        close(takeover);
        return r;
}

void keeper_begin_succession(struct keeper *keeper)
{
        int r;

        if (!keeper->settings->successor_argv || keeper->succession != SUCCESSION_NONE)
                return;
        r = start_trial(keeper);
        if (r) {
                log_error("pard cannot be replaced: %s", strerror(-r));
                return;
        }
        keeper->succession = SUCCESSION_TRIAL;
        keeper->trial_due_ns = 0;
}

static void hear_trial(struct keeper *keeper, uint64_t now_ns)
{
        int status;

        if (!keeper->trial_due_ns)
                keeper->trial_due_ns = now_ns + TRIAL_NS;
        if (waitpid(keeper->trial, &status, WNOHANG) != keeper->trial) {
                if (now_ns >= keeper->trial_due_ns)
                        kill(keeper->trial, SIGKILL);
                return;
        }
        keeper->trial = 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                keeper->succession = SUCCESSION_STILL;
                keeper->tidy_due_ns = 0;
                keeper_dismiss_worker(keeper);
                return;
        }
        keeper->succession = SUCCESSION_NONE;
        log_error("%s cannot take over (%s %d): this one goes on",
                  keeper->settings->successor_argv[0], WIFEXITED(status) ? "status" : "signal",
                  WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* ---- the replacement ------------------------------------------------------------------------ */

/* Whether nothing is under way. What is aside is on its way back to the system: see
 * keeper_tidy(). */
static bool is_still(const struct keeper *keeper)
{
        return !keeper->worker.pid && LIST_EMPTY(&keeper->jobs_out) &&
               !aside_is_loose((struct aside *)(uintptr_t)&keeper->jobs.work.aside);
}

static void keep_open(int fd)
{
        if (fd >= 0)
                (void)fcntl(fd, F_SETFD, 0);
}

static void close_on_exec(int fd)
{
        if (fd >= 0)
                (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Everything that takeover_slot and takeover_head name. */
static void for_each_descriptor(const struct keeper *keeper, int takeover, void (*do_it)(int fd))
{
        const struct takeover_head head = keeper_head(keeper);
        const int fds[] = { takeover,        head.config_fd,       head.ledger_fd,
                            head.udmabuf_fd, head.listener.fd,     head.listener.lock_fd,
                            head.metrics.fd, head.metrics.lock_fd, head.opener_fd - 1 };

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                do_it(fds[i]);
        for (uint32_t i = slots_next(&keeper->slots, 0); i < keeper->slots.room;
             i = slots_next(&keeper->slots, i + 1))
                do_it(keeper->slots.slots[i].frame.memfd);
}

/* Return: negative errno, and everything is as before. */
static int execute(struct keeper *keeper)
{
        int takeover, r;

        r = write_down(keeper, &takeover);
        if (r)
                return r;
        snprintf(keeper->settings->successor_fd, SUCCESSOR_FD_BYTES, "%d", takeover);
        for_each_descriptor(keeper, takeover, keep_open);
        execv(keeper->settings->successor_argv[0], keeper->settings->successor_argv);
        r = -errno;
        for_each_descriptor(keeper, takeover, close_on_exec);
        close(takeover);
        return r;
}

int keeper_succeed(struct keeper *keeper, uint64_t now_ns)
{
        int r;

        hurry_worker(keeper, now_ns);
        if (keeper->trial)
                hear_trial(keeper, now_ns);
        if (keeper->succession != SUCCESSION_STILL || !is_still(keeper))
                return 0;
        notifier_tell(keeper->notifier, "STATUS=%s", "being replaced");
        keeper_end_threads(keeper);
        r = execute(keeper);
        log_error("%s cannot be executed: %s; this one goes on",
                  keeper->settings->successor_argv[0], strerror(-r));
        keeper->succession = SUCCESSION_NONE;
        keeper->status.text[0] = '\0';
        keeper->loose_stock = keeper->filled_once;
        return keeper_start_threads(keeper);
}

uint64_t keeper_succession_due(const struct keeper *keeper)
{
        uint64_t due = UINT64_MAX;

        if (keeper->dismissed)
                due = keeper->dismissed_due_ns;
        if (keeper->trial && keeper->trial_due_ns < due)
                due = keeper->trial_due_ns;
        return due;
}

/* ---- afterwards ----------------------------------------------------------------------------- */

static struct slot slot_of(const struct takeover_slot *record)
{
        const bool given_up = record->flags & TAKEOVER_GIVEN_UP;

        return (struct slot){
                .state = SLOT_HELD,
                .pool = record->pool,
                .given_up = given_up,
                .poisoned = record->flags & TAKEOVER_POISONED,
                .told_phys = record->told_phys,
                /* What verify saw, it will see again. */
                .seen_phys = given_up ? record->told_phys : record->phys,
                .frame = {
                        .page_bytes = record->page_bytes,
                        .phys = record->phys,
                        .memfd = record->memfd,
                        .node = record->node,
                        .pin = record->pin,
                        .pinned = record->flags & TAKEOVER_FRAME_PINNED,
                        .was_pinned = record->flags & TAKEOVER_FRAME_WAS_PINNED,
                        .sealed = record->flags & TAKEOVER_FRAME_SEALED,
                        .released = record->flags & TAKEOVER_FRAME_RELEASED,
                        .poisoned = record->flags & TAKEOVER_FRAME_POISONED,
                },
        };
}

/* What nobody kept from moving, and who knows what else. 0; -EBADMSG. */
static int reclaim(struct keeper *keeper, struct slot *slot)
{
        const struct keeper_settings *settings = keeper->settings;
        struct backend *backend = settings->backend;
        const int i = slot->frame.memfd;
        int r;

        if (i < 0 || (uint64_t)i >= settings->takeover->head.n_parked ||
            settings->parked_fds[i] < 0)
                return -EBADMSG;
        slot->frame.memfd = STEAL_FD(settings->parked_fds[i]);
        r = backend->ops->reclaim(backend, &slot->frame);
        if (r == -EHWPOISON)
                slot->poisoned = true;
        else if (r)
                log_warning("frame at 0x%llx: where it is now cannot be seen: %s",
                            (unsigned long long)slot->told_phys, strerror(-r));
        slot->seen_phys = r ? slot->told_phys : slot->frame.phys;
        return 0;
}

static int adopt(struct keeper *keeper, struct slot *slot)
{
        struct backend *backend = keeper->settings->backend;

        if (slot->frame.released ? slot->frame.memfd != -1
                                 : fcntl(slot->frame.memfd, F_SETFD, FD_CLOEXEC) < 0)
                return -EBADMSG;
        return backend->ops->adopt(backend, &slot->frame);
}

static int restore_slot(struct keeper *keeper, const struct takeover_slot *record)
{
        const bool parked = keeper->settings->takeover->head.flags & TAKEOVER_PARKED;
        struct slot slot = slot_of(record);
        int r;

        if (!(record->flags & TAKEOVER_HELD))
                return slots_restore(&keeper->slots, record->number, record->generation, NULL);
        if (record->pool >= keeper->settings->n_pools || !is_power_of_two(record->page_bytes))
                return -EBADMSG;
        r = parked ? reclaim(keeper, &slot) : adopt(keeper, &slot);
        if (!r)
                r = slots_restore(&keeper->slots, record->number, record->generation, &slot);
        if (!r && parked && slot.seen_phys != slot.told_phys)
                keeper_frame_moved(keeper, record->number, slot.seen_phys);
        return r;
}

/* Those that are released, or the others. */
static int restore_slots(struct keeper *keeper, bool released)
{
        const struct takeover *takeover = keeper->settings->takeover;
        int r = 0;

        for (uint32_t i = 0; !r && i < takeover->head.n_slots; i++) {
                const struct takeover_slot record = takeover_slot(takeover, i);

                if (!(record.flags & TAKEOVER_FRAME_RELEASED) == !released)
                        r = restore_slot(keeper, &record);
        }
        return r;
}

int keeper_take_over(struct keeper *keeper)
{
        const struct takeover *takeover = keeper->settings->takeover;
        const struct takeover_head *head = &takeover->head;
        const bool parked = head->flags & TAKEOVER_PARKED;
        int r;

        r = restore_slots(keeper, true);
        if (!r)
                r = restore_slots(keeper, false);
        slots_restored(&keeper->slots);
        if (parked)
                keeper->settings->backend->ops->reclaimed(keeper->settings->backend);
        if (!r)
                r = ledger_resume(&keeper->ledger, head->ledger_fd, keeper->slots.room);
        if (r) {
                log_error("what the former program left cannot be taken over: %s", strerror(-r));
                return r;
        }
        keeper->starts = head->starts;
        if (!parked) {
                keeper->announced = head->flags & TAKEOVER_ANNOUNCED;
                keeper->filled_once = head->flags & TAKEOVER_FILLED;
                keeper->loose_stock = keeper->filled_once; /* nobody knows what was owed */
        }
        log_info("took over %u frames", slots_used(&keeper->slots));
        return 0;
}

int keeper_try_takeover(const struct takeover *takeover)
{
        const struct takeover_head *head = &takeover->head;
        struct ledger ledger;
        struct slots slots;
        int r;

        r = ledger_resume(&ledger, head->ledger_fd, head->room);
        if (r)
                return r;
        ledger_deinit(&ledger);
        if (head->room < 2 || head->room > KEEPER_SLOTS_MAX)
                return -EBADMSG;
        r = slots_init(&slots, head->room);
        if (r)
                return r;
        for (uint32_t i = 0; !r && i < head->n_slots; i++) {
                const struct takeover_slot record = takeover_slot(takeover, i);

                r = slots_restore(&slots, record.number, record.generation, NULL);
        }
        slots_deinit(&slots);
        return r;
}
