/* SPDX-License-Identifier: MIT */
/*
 * Owns the channel, the mapped ledger, and a descriptor for each frame that is in service.
 * Invariant: a slot has a descriptor exactly while its frame is held and was not told to leave.
 * Refuses everything that the keeper may not say: a keeper that says it is broken, and a new worker
 * is better than one that guesses.
 */
#include "keeper_link.h"

#include "keeper_protocol.h"
#include "ledger.h"
#include "log.h"
#include "packet.h"
#include "records.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

/* A frame by its slot; generation 0: none. */
struct slot {
        uint32_t generation;
        int fd;
};

struct outgoing_message {
        STAILQ_ENTRY(outgoing_message) link; /* keeper_link::queue */
        struct keeper_message message;
};

/**
 * struct keeper_link - see above
 * @records:   the part of the ledger that is the workers' own; @records_lost: what was in it is not
 * @slots:     @n_slots of them, as many as were needed so far
 * @expected:  frames that follow the welcome
 * @asked:     for each pool the frames of the take that is under way; 0: none is
 * @reloads:   how often the keeper was asked to read its configuration, and has not answered
 * @stops:     the keeper ends; @wait_ms: for how long clients may wait for another;
 *             @socket_time_ns: see KEEPER_STOP
 * @fault:     something could not be queued
 */
struct keeper_link {
        int channel;
        const struct state_settings *settings;
        struct keeper_ledger *ledger;
        size_t ledger_bytes;
        struct ledger *records;
        struct slot *slots;
        uint32_t n_slots;
        uint32_t expected, worker_starts;
        uint32_t asked[KEEPER_POOLS_MAX];
        unsigned reloads;
        bool welcomed, started, stops, records_lost;
        uint32_t wait_ms;
        uint64_t socket_time_ns;
        int fault;
        STAILQ_HEAD(, outgoing_message) queue;
};

DEFINE_CLEANUP(struct keeper_link, keeper_link_free)

static int map_ledger(struct keeper_link *link, int fd)
{
        struct keeper_ledger *ledger;
        struct stat info;
        uint64_t room;

        if (fstat(fd, &info))
                return -errno;
        if (info.st_size < (off_t)sizeof(*ledger))
                return -EPROTO;
        ledger = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (ledger == MAP_FAILED)
                return -errno;
        link->ledger = ledger;
        link->ledger_bytes = (size_t)info.st_size;

        room = (link->ledger_bytes - sizeof(*ledger)) / sizeof(ledger->lent[0]);
        if (ledger->magic != KEEPER_LEDGER_MAGIC || ledger->version != KEEPER_LEDGER_VERSION ||
            ledger->slots == 0 || ledger->slots > KEEPER_SLOTS_MAX || ledger->slots > room ||
            ledger->records_offset > link->ledger_bytes ||
            ledger->records_bytes > link->ledger_bytes - ledger->records_offset)
                return -EPROTO;
        return 0;
}

static int open_records(struct keeper_link *link)
{
        const struct keeper_ledger *ledger = link->ledger;

        return records_open((unsigned char *)link->ledger + ledger->records_offset,
                            ledger->records_bytes, ledger->slots, &link->records,
                            &link->records_lost);
}

int keeper_link_new(int channel_fd, int ledger_fd, const struct state_settings *settings,
                    struct keeper_link **ret)
{
        _cleanup_(keeper_link_freep) struct keeper_link *link = calloc(1, sizeof(*link));
        int flags, r;

        if (!link) {
                close(channel_fd);
                close(ledger_fd);
                return -ENOMEM;
        }
        link->channel = channel_fd;
        link->settings = settings;
        STAILQ_INIT(&link->queue);

        r = map_ledger(link, ledger_fd);
        close(ledger_fd);
        if (!r)
                r = open_records(link);
        if (r)
                return r;
        flags = fcntl(channel_fd, F_GETFL);
        if (flags < 0 || fcntl(channel_fd, F_SETFL, flags | O_NONBLOCK))
                return -errno;
        *ret = STEAL(link);
        return 0;
}

void keeper_link_free(struct keeper_link *link)
{
        struct outgoing_message *next;

        if (!link)
                return;
        while ((next = STAILQ_FIRST(&link->queue))) {
                STAILQ_REMOVE_HEAD(&link->queue, link);
                free(next);
        }
        for (uint32_t i = 0; i < link->n_slots; i++)
                if (link->slots[i].fd >= 0)
                        close(link->slots[i].fd);
        free(link->slots);
        ledger_free(link->records);
        if (link->ledger)
                munmap(link->ledger, link->ledger_bytes);
        close(link->channel);
        free(link);
}

int keeper_link_fd(const struct keeper_link *link)
{
        return link->channel;
}

bool keeper_link_stops(const struct keeper_link *link, uint32_t *ret_wait_ms,
                       uint64_t *ret_socket_time_ns)
{
        if (link->stops) {
                *ret_wait_ms = link->wait_ms;
                *ret_socket_time_ns = link->socket_time_ns;
        }
        return link->stops;
}

bool keeper_link_is_started(const struct keeper_link *link)
{
        return link->started;
}

struct ledger *keeper_link_records(const struct keeper_link *link)
{
        return link->records;
}

bool keeper_link_records_lost(const struct keeper_link *link)
{
        return link->records_lost;
}

uint32_t keeper_link_worker_starts(const struct keeper_link *link)
{
        return link->worker_starts;
}

static struct slot *slot_of(const struct keeper_link *link, struct frame_name frame)
{
        if (frame.slot >= link->n_slots || link->slots[frame.slot].generation != frame.generation)
                return NULL;
        return &link->slots[frame.slot];
}

int keeper_link_frame_fd(const struct keeper_link *link, struct frame_name frame)
{
        const struct slot *slot = slot_of(link, frame);

        return slot ? slot->fd : -1;
}

/* Return: 0; -ENOMEM. */
static int slots_reach(struct keeper_link *link, uint32_t index)
{
        uint32_t n = link->n_slots ? link->n_slots : 64;
        struct slot *slots;

        if (index < link->n_slots)
                return 0;
        while (n <= index)
                n *= 2; /* at most KEEPER_SLOTS_MAX, itself a power of two */
        slots = reallocarray(link->slots, n, sizeof(*slots));
        if (!slots)
                return -ENOMEM;
        for (uint32_t i = link->n_slots; i < n; i++)
                slots[i] = (struct slot){ .fd = -1 };
        link->slots = slots;
        link->n_slots = n;
        return 0;
}

static void say(struct keeper_link *link, const struct keeper_message *message)
{
        struct outgoing_message *outgoing = malloc(sizeof(*outgoing));

        if (!outgoing) { /* keeper_link_flush() tells */
                link->fault = -ENOMEM;
                return;
        }
        outgoing->message = *message;
        STAILQ_INSERT_TAIL(&link->queue, outgoing, link);
}

/* ---- what the keeper says ------------------------------------------------------------------- */

static struct frame_name named(const struct keeper_message *message)
{
        return (struct frame_name){ message->slot, message->generation };
}

static int hear_welcome(struct keeper_link *link, const struct keeper_message *message)
{
        if (message->count > link->ledger->slots)
                return -EPROTO;
        link->welcomed = true;
        link->expected = message->count;
        link->worker_starts = message->first > UINT32_MAX ? UINT32_MAX : (uint32_t)message->first;
        return 0;
}

static int hear_frame(struct keeper_link *link, const struct keeper_message *message,
                      struct packet *packet, struct state *state, uint64_t now_ns)
{
        bool given_up = message->flags & KEEPER_GIVEN_UP;
        struct frame_news news = {
                .name = named(message),
                .pool = message->pool,
                .page_bytes = message->page_bytes,
                .phys = message->phys,
                .node = message->node,
                .pinned = message->flags & KEEPER_PINNED,
                .lent = message->flags & KEEPER_LENT,
                .given_up = given_up,
        };
        struct slot *slot;
        int r;

        if (packet->count != (given_up ? 0 : 1) || message->first > UINT32_MAX)
                return -EPROTO;
        if (message->flags & KEEPER_RETAKE)
                news.former = (struct frame_name){ message->count, (uint32_t)message->first };
        r = slots_reach(link, message->slot);
        if (r)
                return r;
        slot = &link->slots[message->slot];
        if (slot->fd >= 0 || slot->generation == message->generation)
                return -EPROTO;
        slot->generation = message->generation;
        if (packet->count) {
                slot->fd = packet->descriptors[0];
                packet->count = 0;
        }
        if (!link->started && link->expected)
                link->expected--;

        r = state_frame_arrived(state, &news, now_ns);
        if (r == -EINVAL) {
                log_error("the keeper's frame %u.%u of pool %u at 0x%llx contradicts the rest: it "
                          "goes back",
                          message->slot, message->generation, message->pool,
                          (unsigned long long)message->phys);
                keeper_link_leave(link, news.name, message->pool, 0);
                return 0;
        }
        return r;
}

static void hear_left(struct keeper_link *link, const struct keeper_message *message,
                      struct state *state, uint64_t now_ns)
{
        struct slot *slot = slot_of(link, named(message));

        if (slot) {
                if (slot->fd >= 0)
                        close(slot->fd);
                *slot = (struct slot){ .fd = -1 };
        }
        state_frame_left(state, named(message), message->flags & KEEPER_LOST, now_ns);
}

/* The state knows nothing of messages, but hears what they say as it is. */
_Static_assert((int)FRAME_HOLDER_FILE == KEEPER_HOLDER_FILE &&
                       (int)FRAME_HOLDER_PAGES == KEEPER_HOLDER_PAGES &&
                       (int)FRAME_HOLDER_HOLE == KEEPER_HOLDER_HOLE &&
                       (int)FRAME_HOLDER_PATH == KEEPER_HOLDER_PATH,
               "the same values");

static int hear_taken(struct keeper_link *link, const struct keeper_message *message,
                      struct state *state, uint64_t now_ns)
{
        const struct take_result result = {
                .got = message->count,
                .r = message->result,
                .seen = { message->first, message->last },
                .held_bytes = message->phys,
                .harvested = message->flags & KEEPER_HARVESTED,
        };

        if (!link->asked[message->pool] || message->count > link->asked[message->pool] ||
            message->result > 0)
                return -EPROTO;
        link->asked[message->pool] = 0;
        state_taken(state, message->pool, &result, now_ns);
        return 0;
}

static int hear_progress(struct keeper_link *link, const struct keeper_message *message,
                         struct state *state, uint64_t now_ns)
{
        if (!link->asked[message->pool] || message->count > link->asked[message->pool])
                return -EPROTO;
        state_taking(state, message->pool, message->count, message->phys, now_ns);
        return 0;
}

static int hear_config(struct keeper_link *link, const struct keeper_message *message,
                       struct packet *packet, struct keeper_verdict *verdict)
{
        bool asked = message->count == 1;

        if (message->count > 1 || message->result > 0 || packet->count > 1 ||
            (message->result == 0 && !packet->count) || (asked && !link->reloads))
                return -EPROTO;
        if (asked)
                link->reloads--;
        verdict->heard = true;
        verdict->asked = asked;
        verdict->result = message->result;
        if (packet->count) {
                verdict->fd = packet->descriptors[0];
                packet->count = 0;
        }
        return 0;
}

static int hear_seen(const struct keeper_message *message, struct state *state, uint64_t now_ns)
{
        enum device_sight sight = SIGHT_FAILED;

        if (message->result > KEEPER_SEEN_MASTER || message->first > UINT32_MAX)
                return -EPROTO;
        if (message->result == KEEPER_SEEN_QUIET)
                sight = SIGHT_QUIET;
        else if (message->result == KEEPER_SEEN_MASTER)
                sight = SIGHT_MASTER;
        state_device_seen(state, message->count, (uint32_t)message->first, sight, now_ns);
        return 0;
}

static int hear_stop(struct keeper_link *link, const struct keeper_message *message)
{
        link->stops = true;
        link->wait_ms = message->count;
        link->socket_time_ns = message->first;
        return 0;
}

/* Whether a message of this kind is right before the worker looks at what it says. */
static bool may_be_heard(const struct keeper_link *link, const struct keeper_message *message,
                         const struct packet *packet)
{
        bool about_frame = false, about_pool = false, brings = false;

        switch (message->type) {
        case KEEPER_WELCOME: return !link->welcomed && !packet->count;
        case KEEPER_FRAME: about_frame = about_pool = brings = true; break;
        case KEEPER_LINGERS:
        case KEEPER_LEFT:
        case KEEPER_MOVED:
        case KEEPER_POISONED: about_frame = true; break;
        case KEEPER_TAKEN:
        case KEEPER_PROGRESS: about_pool = true; break;
        case KEEPER_CONFIG: brings = true; break;
        case KEEPER_SEEN:
        case KEEPER_STOP:
        case KEEPER_PING: break;
        default: return false;
        }
        if (!link->welcomed || (packet->count && !brings))
                return false;
        if (about_frame && (message->slot >= link->ledger->slots || !message->generation))
                return false;
        return !about_pool || message->pool < link->settings->n_pools;
}

static int hear(struct keeper_link *link, const struct keeper_message *message,
                struct packet *packet, struct state *state, uint64_t now_ns,
                struct keeper_verdict *verdict)
{
        if (!may_be_heard(link, message, packet))
                return -EPROTO;

        switch (message->type) {
        case KEEPER_WELCOME: return hear_welcome(link, message);
        case KEEPER_FRAME: return hear_frame(link, message, packet, state, now_ns);
        case KEEPER_TAKEN: return hear_taken(link, message, state, now_ns);
        case KEEPER_PROGRESS: return hear_progress(link, message, state, now_ns);
        case KEEPER_CONFIG: return hear_config(link, message, packet, verdict);
        case KEEPER_PING: say(link, &(struct keeper_message){ .type = KEEPER_PONG }); return 0;
        case KEEPER_LINGERS:
                state_frame_lingers(state, named(message), message->result, now_ns);
                return 0;
        case KEEPER_LEFT: hear_left(link, message, state, now_ns); return 0;
        case KEEPER_MOVED:
                state_frame_moved(state, named(message), message->phys, now_ns);
                return 0;
        case KEEPER_POISONED: state_frame_poisoned(state, named(message), now_ns); return 0;
        case KEEPER_SEEN: return hear_seen(message, state, now_ns);
        case KEEPER_STOP: return hear_stop(link, message);
        default: return -EPROTO;
        }
}

int keeper_link_receive(struct keeper_link *link, struct state *state, uint64_t now_ns,
                        struct keeper_verdict *ret_verdict)
{
        struct keeper_message message = { 0 };
        struct packet packet;
        int r;

        *ret_verdict = (struct keeper_verdict){ .fd = -1 };
        r = packet_receive(link->channel, &message, sizeof(message), &packet);
        if (r == -EINTR)
                return 0;
        if (r == -ECONNRESET)
                return -EPIPE;
        if (r)
                return r;
        if (!packet.size && !packet.count)
                return -EPIPE;

        if (packet.descriptors_cut)
                r = -EMFILE;
        else if (packet.size != sizeof(message) || packet.bytes_cut)
                r = -EPROTO;
        else
                r = hear(link, &message, &packet, state, now_ns, ret_verdict);
        packet_close_descriptors(&packet);
        if (r == -EPROTO)
                log_error("the keeper said what it may not say: message %u about frame %u.%u, "
                          "pool %u",
                          message.type, message.slot, message.generation, message.pool);
        if (r)
                return r;

        if (link->welcomed && !link->started && !link->expected) {
                link->started = true;
                return state_start(state, now_ns);
        }
        return 0;
}

/* ---- what the keeper is told ---------------------------------------------------------------- */

int keeper_link_flush(struct keeper_link *link)
{
        struct outgoing_message *next;
        int r;

        while ((next = STAILQ_FIRST(&link->queue))) {
                r = packet_send(link->channel, &next->message, sizeof(next->message), NULL, 0);
                if (r)
                        return r;
                STAILQ_REMOVE_HEAD(&link->queue, link);
                free(next);
        }
        return link->fault;
}

void keeper_link_take(struct keeper_link *link, const struct take_wish *wish)
{
        const struct pool_settings *settings = &link->settings->pools[wish->pool];
        struct keeper_message message = {
                .type = KEEPER_TAKE,
                .pool = wish->pool,
                .page_bytes = settings->page_bytes,
                .first = wish->window.first,
                .last = wish->window.last,
                .phys = wish->run_bytes,
                .count = wish->count,
                .node = settings->node < 0 ? KEEPER_NODE_ANY : settings->node,
        };

        assert(wish->pool < ARRAY_SIZE(link->asked) && !link->asked[wish->pool]);
        link->asked[wish->pool] = wish->count;
        say(link, &message);
}

void keeper_link_cancel(struct keeper_link *link, uint32_t pool)
{
        if (link->asked[pool])
                say(link, &(struct keeper_message){ .type = KEEPER_CANCEL, .pool = pool });
}

void keeper_link_filled(struct keeper_link *link)
{
        say(link, &(struct keeper_message){ .type = KEEPER_FILLED });
        say(link, &(struct keeper_message){ .type = KEEPER_READY });
}

void keeper_link_lend(struct keeper_link *link, struct frame_name frame)
{
        assert(frame.slot < link->ledger->slots);
        /* Before any client can know of the frame: the reply is sent after this. */
        atomic_store_explicit(&link->ledger->lent[frame.slot], frame.generation,
                              memory_order_release);
}

void keeper_link_leave(struct keeper_link *link, struct frame_name frame, uint32_t pool,
                       unsigned flags)
{
        const struct pool_settings *settings = &link->settings->pools[pool];
        struct slot *slot = slot_of(link, frame);
        struct keeper_message message = {
                .type = KEEPER_LEAVE,
                .pool = pool,
                .slot = frame.slot,
                .generation = frame.generation,
                .page_bytes = settings->page_bytes,
                .first = settings->window.first,
                .last = settings->window.last,
                .node = settings->node < 0 ? KEEPER_NODE_ANY : settings->node,
                .flags = (flags & LEAVE_RETAKE ? KEEPER_RETAKE : 0) |
                         (flags & LEAVE_PATIENT ? KEEPER_PATIENT : 0) |
                         (flags & LEAVE_OWNER_GONE ? KEEPER_OWNER_GONE : 0),
        };

        if (slot && slot->fd >= 0)
                close(STEAL_FD(slot->fd));
        say(link, &message);
}

void keeper_link_nudge(struct keeper_link *link, struct frame_name frame)
{
        struct keeper_message message = {
                .type = KEEPER_NUDGE,
                .slot = frame.slot,
                .generation = frame.generation,
        };

        say(link, &message);
}

void keeper_link_watch(struct keeper_link *link, uint32_t device, uint32_t round)
{
        struct keeper_message message = { .type = KEEPER_WATCH, .count = device, .first = round };

        say(link, &message);
}

void keeper_link_unwatch(struct keeper_link *link, uint32_t device)
{
        say(link, &(struct keeper_message){ .type = KEEPER_UNWATCH, .count = device });
}

void keeper_link_reload(struct keeper_link *link)
{
        link->reloads++;
        say(link, &(struct keeper_message){ .type = KEEPER_RELOAD });
}

void keeper_link_reconfigure(struct keeper_link *link, const struct state_settings *settings)
{
        link->settings = settings;
}
