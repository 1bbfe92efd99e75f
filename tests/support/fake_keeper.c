/* SPDX-License-Identifier: MIT */
/*
 * Owns a memfd for each frame, and one thread that answers the worker. Pages of a pool are handed
 * out side by side, and a page that left is the next to be had again.
 */
#include "fake_keeper.h"

#include "keeper_protocol.h"
#include "packet.h"

#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGES_BACK_MAX 4096
#define RECORDS_BYTES  (8 * MiB)

/* A frame that is held; generation 0: none. */
struct held {
        uint32_t generation, pool;
        uint64_t phys, page_bytes;
        int fd;
        bool leaving;
        struct keeper_message leave;
};

/**
 * struct pages - of a pool
 * @begun, @next, @back: the addresses that were had so far
 * @had:   how many are held
 * @open:  a take that is not answered, .count 0: none; @given: frames that it got
 */
struct pages {
        bool begun;
        uint32_t had, given;
        struct keeper_message open;
        uint64_t next;
        uint64_t back[PAGES_BACK_MAX];
        size_t n_back;
};

struct fake_keeper {
        struct fake_keeper_settings settings;
        int channel;
        struct keeper_ledger *ledger;
        int ledger_fd;
        size_t ledger_bytes;
        bool serves; /* @thread lives */
        uint32_t starts;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool ready;
        bool holds_takes;
        unsigned cancels, pongs, reloads;
        uint32_t last_generation;
        struct held *held;
        struct pages pages[KEEPER_POOLS_MAX];
};

/* What cannot fail in a test: not an assertion, because it has to be done in every build. */
static void must(bool ok)
{
        if (!ok)
                abort();
}

static int send_message(struct fake_keeper *keeper, const struct keeper_message *message, int fd)
{
        return packet_send(keeper->channel, message, sizeof(*message), &fd, fd < 0 ? 0 : 1);
}

int fake_keeper_say(struct fake_keeper *keeper, const struct keeper_message *message, int fd)
{
        return send_message(keeper, message, fd);
}

/* The page that left last of those in the window. Return: whether there is one. */
static bool page_back(struct pages *pages, const struct keeper_message *want, uint64_t *ret)
{
        for (size_t i = pages->n_back; i-- > 0;) {
                if (pages->back[i] < want->first || pages->back[i] > want->last)
                        continue;
                *ret = pages->back[i];
                pages->n_back--;
                memmove(&pages->back[i], &pages->back[i + 1],
                        (pages->n_back - i) * sizeof(pages->back[0]));
                return true;
        }
        return false;
}

/* Return: whether the window has another page. */
static bool next_page(struct fake_keeper *keeper, const struct keeper_message *want, uint64_t *ret)
{
        struct pages *pages = &keeper->pages[want->pool];
        uint64_t size = want->page_bytes;
        uint64_t last = want->last == UINT64_MAX ? (UINT64_C(1) << 40) - 1 : want->last;

        if (page_back(pages, want, ret))
                return true;
        if (!pages->begun) {
                pages->next = keeper->settings.descending ? ((last + 1) / size - 1) * size
                                                          : (want->first + size - 1) / size * size;
                pages->begun = true;
        }
        if (pages->next < want->first || pages->next > last || last - pages->next < size - 1)
                return false;
        *ret = pages->next;
        pages->next += keeper->settings.descending ? -size : size;
        return true;
}

/* Take one page and tell the worker. Return: whether it could be had. */
static bool take_one(struct fake_keeper *keeper, const struct keeper_message *want)
{
        struct keeper_message news = {
                .type = KEEPER_FRAME,
                .pool = want->pool,
                .page_bytes = want->page_bytes,
                .flags = KEEPER_PINNED,
                .node = 0,
        };
        struct pages *pages = &keeper->pages[want->pool];
        uint32_t stock = keeper->settings.stock[want->pool];
        struct held *held;
        uint32_t slot;
        uint64_t phys;
        int fd;

        if (stock && pages->had >= stock)
                return false;
        for (slot = 0; slot < keeper->settings.slots; slot++)
                if (!keeper->held[slot].generation)
                        break;
        if (slot == keeper->settings.slots || !next_page(keeper, want, &phys))
                return false;
        fd = memfd_create("fake frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        must(fd >= 0 && !ftruncate(fd, (off_t)want->page_bytes));

        held = &keeper->held[slot];
        *held = (struct held){
                .generation = ++keeper->last_generation,
                .pool = want->pool,
                .phys = phys,
                .page_bytes = want->page_bytes,
                .fd = fd,
        };
        news.slot = slot;
        news.generation = held->generation;
        news.phys = phys;
        pages->had++;
        return !send_message(keeper, &news, fd);
}

static void end_take(struct fake_keeper *keeper, const struct keeper_message *want, uint32_t got,
                     int result)
{
        struct keeper_message taken = {
                .type = KEEPER_TAKEN,
                .pool = want->pool,
                .first = 1,
                .last = 0,
                .count = got,
                .result = result,
        };

        (void)send_message(keeper, &taken, -1);
}

static void take(struct fake_keeper *keeper, const struct keeper_message *want)
{
        struct pages *pages = &keeper->pages[want->pool];
        uint32_t got = 0;
        int result = keeper->settings.stock_result ? keeper->settings.stock_result : -ENOMEM;

        must(!pages->open.count && want->count);
        if (keeper->holds_takes) {
                pages->open = *want;
                pages->given = 0;
                return;
        }
        while (got < want->count && take_one(keeper, want))
                got++;
        end_take(keeper, want, got, got < want->count ? result : 0);
}

static void cancel_take(struct fake_keeper *keeper, uint32_t pool)
{
        struct pages *pages = &keeper->pages[pool];

        keeper->cancels++;
        if (pages->open.count)
                end_take(keeper, &pages->open, pages->given, -ECANCELED);
        pages->open.count = 0;
}

static void finish_leave(struct fake_keeper *keeper, struct held *held)
{
        struct keeper_message leave = held->leave, left = leave;
        struct pages *pages = &keeper->pages[held->pool];

        pages->had--;
        if (pages->n_back < PAGES_BACK_MAX)
                pages->back[pages->n_back++] = held->phys;
        close(held->fd);
        if (keeper->ledger->lent[leave.slot] == held->generation)
                keeper->ledger->lent[leave.slot] = 0;
        left.type = KEEPER_LEFT;
        left.flags = 0;
        if (leave.flags & KEEPER_RETAKE && !take_one(keeper, &leave))
                left.flags = KEEPER_LOST;
        *held = (struct held){ 0 };
        (void)send_message(keeper, &left, -1);
}

static void leave_frame(struct fake_keeper *keeper, const struct keeper_message *message)
{
        struct held *held = &keeper->held[message->slot];

        must(message->slot < keeper->settings.slots && held->generation == message->generation);
        held->leave = *message;
        held->leaving = true;
        if (keeper->settings.let_go) {
                finish_leave(keeper, held);
        } else {
                struct keeper_message lingers = *message;

                lingers.type = KEEPER_LINGERS;
                lingers.flags = 0;
                lingers.result = KEEPER_HOLDER_FILE;
                (void)send_message(keeper, &lingers, -1);
        }
}

static void tell_config(struct fake_keeper *keeper, const struct fake_reload *reload, bool asked)
{
        struct keeper_message message = {
                .type = KEEPER_CONFIG,
                .result = reload->result,
                .count = asked,
        };
        int fd = -1;

        if (reload->text) {
                size_t size = strlen(reload->text);

                fd = memfd_create("fake configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                must(fd >= 0 && write(fd, reload->text, size) == (ssize_t)size);
        }
        (void)send_message(keeper, &message, fd);
        if (fd >= 0)
                close(fd);
}

static void reload_config(struct fake_keeper *keeper)
{
        keeper->reloads++;
        if (!keeper->settings.reload.silent)
                tell_config(keeper, &keeper->settings.reload, true);
}

static size_t count_held(const struct fake_keeper *keeper)
{
        size_t n = 0;

        for (uint32_t i = 0; i < keeper->settings.slots; i++)
                n += keeper->held[i].generation != 0;
        return n;
}

/* What is held when a worker starts. */
static void tell_held(struct fake_keeper *keeper)
{
        for (uint32_t i = 0; i < keeper->settings.slots; i++) {
                const struct held *held = &keeper->held[i];
                struct keeper_message news = {
                        .type = KEEPER_FRAME,
                        .pool = held->pool,
                        .slot = i,
                        .generation = held->generation,
                        .page_bytes = held->page_bytes,
                        .phys = held->phys,
                        .flags = KEEPER_PINNED,
                };

                if (!held->generation)
                        continue;
                if (keeper->ledger->lent[i] == held->generation)
                        news.flags |= KEEPER_LENT;
                if (held->leaving)
                        news.flags |= KEEPER_LENT | KEEPER_GIVEN_UP;
                (void)send_message(keeper, &news, held->leaving ? -1 : held->fd);
        }
}

static void welcome(struct fake_keeper *keeper)
{
        const struct keeper_message message = { .type = KEEPER_WELCOME,
                                                .first = keeper->starts,
                                                .count = (uint32_t)count_held(keeper),
                                                .flags = KEEPER_PINNED };

        (void)send_message(keeper, &message, -1);
        tell_held(keeper);
}

static void answer(struct fake_keeper *keeper, const struct keeper_message *message)
{
        switch (message->type) {
        case KEEPER_TAKE: take(keeper, message); break;
        case KEEPER_LEAVE: leave_frame(keeper, message); break;
        case KEEPER_READY: keeper->ready = true; break;
        case KEEPER_CANCEL: cancel_take(keeper, message->pool); break;
        case KEEPER_RELOAD: reload_config(keeper); break;
        case KEEPER_PONG: keeper->pongs++; break;
        default: break;
        }
}

/* Return: whether there was a message. */
static bool hear(struct fake_keeper *keeper)
{
        struct keeper_message message;
        struct packet packet;

        if (packet_receive(keeper->channel, &message, sizeof(message), &packet) ||
            packet.size != sizeof(message))
                return false;
        pthread_mutex_lock(&keeper->lock);
        answer(keeper, &message);
        pthread_cond_broadcast(&keeper->changed);
        pthread_mutex_unlock(&keeper->lock);
        return true;
}

static void *serve(void *data)
{
        struct fake_keeper *keeper = data;

        welcome(keeper);
        while (hear(keeper))
                ;
        return NULL;
}

void fake_keeper_turn(struct fake_keeper *keeper)
{
        must(keeper->settings.by_hand);
        while (hear(keeper))
                ;
}

int fake_keeper_new(const struct fake_keeper_settings *settings, int *ret_channel, int *ret_ledger,
                    struct fake_keeper **ret)
{
        struct fake_keeper *keeper = calloc(1, sizeof(*keeper));
        const size_t offset = 4096 + settings->slots * sizeof(uint32_t) / 4096 * 4096 + 4096;
        const size_t bytes = offset + RECORDS_BYTES;
        int ledger_fd;

        must(keeper);
        keeper->settings = *settings;
        keeper->held = calloc(settings->slots, sizeof(*keeper->held));
        must(keeper->held);
        ledger_fd = memfd_create("fake ledger", MFD_CLOEXEC);
        must(ledger_fd >= 0 && !ftruncate(ledger_fd, (off_t)bytes));
        keeper->ledger = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ledger_fd, 0);
        must(keeper->ledger != MAP_FAILED);
        keeper->ledger_bytes = bytes;
        keeper->ledger->magic = KEEPER_LEDGER_MAGIC;
        keeper->ledger->version = KEEPER_LEDGER_VERSION;
        keeper->ledger->slots = settings->slots;
        keeper->ledger->records_offset = offset;
        keeper->ledger->records_bytes = RECORDS_BYTES;

        keeper->ledger_fd = ledger_fd;
        pthread_mutex_init(&keeper->lock, NULL);
        pthread_cond_init(&keeper->changed, NULL);
        *ret = keeper;
        return fake_keeper_next_worker(keeper, ret_channel, ret_ledger);
}

int fake_keeper_next_worker(struct fake_keeper *keeper, int *ret_channel, int *ret_ledger)
{
        int ends[2];

        must(!keeper->serves);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
                return -errno;
        keeper->channel = ends[0];
        keeper->ready = false;
        keeper->starts++;
        if (keeper->settings.by_hand) {
                must(!fcntl(keeper->channel, F_SETFL, O_NONBLOCK));
                welcome(keeper);
        } else if (pthread_create(&keeper->thread, NULL, serve, keeper)) {
                return -EAGAIN;
        }
        keeper->serves = true;
        *ret_channel = ends[1];
        *ret_ledger = dup(keeper->ledger_fd);
        must(*ret_ledger >= 0);
        return 0;
}

void fake_keeper_leave_worker(struct fake_keeper *keeper)
{
        if (!keeper->serves)
                return;
        shutdown(keeper->channel, SHUT_RDWR);
        if (!keeper->settings.by_hand)
                pthread_join(keeper->thread, NULL);
        close(keeper->channel);
        keeper->serves = false;
        for (uint32_t i = 0; i < KEEPER_POOLS_MAX; i++)
                keeper->pages[i].open.count = 0;
}

void fake_keeper_free(struct fake_keeper *keeper)
{
        if (!keeper)
                return;
        fake_keeper_leave_worker(keeper);
        close(keeper->ledger_fd);
        for (uint32_t i = 0; i < keeper->settings.slots; i++)
                if (keeper->held[i].generation)
                        close(keeper->held[i].fd);
        munmap(keeper->ledger, keeper->ledger_bytes);
        pthread_cond_destroy(&keeper->changed);
        pthread_mutex_destroy(&keeper->lock);
        free(keeper->held);
        free(keeper);
}

void fake_keeper_keep(struct fake_keeper *keeper)
{
        pthread_mutex_lock(&keeper->lock);
        keeper->settings.let_go = false;
        pthread_mutex_unlock(&keeper->lock);
}

void fake_keeper_let_go(struct fake_keeper *keeper)
{
        pthread_mutex_lock(&keeper->lock);
        keeper->settings.let_go = true;
        for (uint32_t i = 0; i < keeper->settings.slots; i++)
                if (keeper->held[i].leaving)
                        finish_leave(keeper, &keeper->held[i]);
        pthread_mutex_unlock(&keeper->lock);
}

void fake_keeper_wait_ready(struct fake_keeper *keeper)
{
        pthread_mutex_lock(&keeper->lock);
        while (!keeper->ready)
                pthread_cond_wait(&keeper->changed, &keeper->lock);
        pthread_mutex_unlock(&keeper->lock);
}

size_t fake_keeper_held(struct fake_keeper *keeper)
{
        size_t n;

        pthread_mutex_lock(&keeper->lock);
        n = count_held(keeper);
        pthread_mutex_unlock(&keeper->lock);
        return n;
}

size_t fake_keeper_lent(struct fake_keeper *keeper)
{
        size_t n = 0;

        for (uint32_t i = 0; i < keeper->settings.slots; i++)
                n += keeper->ledger->lent[i] != 0;
        return n;
}

/* ---- takes, pings, the configuration -------------------------------------------------------- */

void fake_keeper_hold_takes(struct fake_keeper *keeper)
{
        pthread_mutex_lock(&keeper->lock);
        keeper->holds_takes = true;
        pthread_mutex_unlock(&keeper->lock);
}

uint32_t fake_keeper_await_take(struct fake_keeper *keeper, uint32_t pool)
{
        uint32_t count;

        pthread_mutex_lock(&keeper->lock);
        while (!(count = keeper->pages[pool].open.count))
                pthread_cond_wait(&keeper->changed, &keeper->lock);
        pthread_mutex_unlock(&keeper->lock);
        return count;
}

void fake_keeper_give(struct fake_keeper *keeper, uint32_t pool, uint32_t count, uint64_t aside)
{
        struct keeper_message progress = {
                .type = KEEPER_PROGRESS,
                .pool = pool,
                .phys = aside,
        };
        struct pages *pages = &keeper->pages[pool];

        pthread_mutex_lock(&keeper->lock);
        while (count-- && take_one(keeper, &pages->open))
                pages->given++;
        progress.count = pages->given;
        (void)send_message(keeper, &progress, -1);
        pthread_mutex_unlock(&keeper->lock);
}

void fake_keeper_end_take(struct fake_keeper *keeper, uint32_t pool, int result)
{
        struct pages *pages = &keeper->pages[pool];

        pthread_mutex_lock(&keeper->lock);
        must(pages->open.count);
        end_take(keeper, &pages->open, pages->given, result);
        pages->open.count = 0;
        pthread_mutex_unlock(&keeper->lock);
}

unsigned fake_keeper_cancels(struct fake_keeper *keeper)
{
        unsigned n;

        pthread_mutex_lock(&keeper->lock);
        n = keeper->cancels;
        pthread_mutex_unlock(&keeper->lock);
        return n;
}

void fake_keeper_ping(struct fake_keeper *keeper)
{
        unsigned before;

        pthread_mutex_lock(&keeper->lock);
        before = keeper->pongs;
        (void)send_message(keeper, &(struct keeper_message){ .type = KEEPER_PING }, -1);
        while (keeper->pongs == before)
                pthread_cond_wait(&keeper->changed, &keeper->lock);
        pthread_mutex_unlock(&keeper->lock);
}

void fake_keeper_set_reload(struct fake_keeper *keeper, const struct fake_reload *reload)
{
        pthread_mutex_lock(&keeper->lock);
        keeper->settings.reload = *reload;
        pthread_mutex_unlock(&keeper->lock);
}

void fake_keeper_tell_config(struct fake_keeper *keeper, const struct fake_reload *reload,
                             bool asked)
{
        pthread_mutex_lock(&keeper->lock);
        tell_config(keeper, reload, asked);
        pthread_mutex_unlock(&keeper->lock);
}

unsigned fake_keeper_reloads(struct fake_keeper *keeper)
{
        unsigned n;

        pthread_mutex_lock(&keeper->lock);
        n = keeper->reloads;
        pthread_mutex_unlock(&keeper->lock);
        return n;
}

void fake_keeper_await_reloads(struct fake_keeper *keeper, unsigned count)
{
        pthread_mutex_lock(&keeper->lock);
        while (keeper->reloads < count)
                pthread_cond_wait(&keeper->changed, &keeper->lock);
        pthread_mutex_unlock(&keeper->lock);
}
