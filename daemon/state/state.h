/* SPDX-License-Identifier: MIT */
/*
 * Who holds what. Decides about grants, returns, waiting and quarantine; knows no sockets, no
 * system calls and no clock: the time comes with every call, and what has to be done outside goes
 * through struct state_ops.
 *
 * Times are nanoseconds of one monotonic clock. Pointers that are handed out are borrowed and valid
 * until the object dies, which is said at each.
 */
#pragma once

#include "constraint.h"
#include "log_fields.h"
#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LABEL_BYTES_MAX     63
#define SENTENCE_BYTES      512
#define GRANULE_BYTES       4096u
#define REPORT_BLOCKERS_MAX 8
#define CLIENT_GROUPS_MAX   64

struct state;
struct client;
struct buffer;
struct waiter;

/* ---- what the configuration says ------------------------------------------------------------ */

enum isolation {
        ISOLATE_SESSION, /* each connection is an owner */
        ISOLATE_UID,     /* connections of one uid share an owner */
};

/* One entry of a pool's allow list. */
struct principal {
        bool is_group;
        uint32_t id;
};

/* Where a pool's frames come from. */
enum pool_source {
        SOURCE_ANY,    /* hugepages of the pool's size */
        SOURCE_DEMOTE, /* the largest hugepages there are, which the kernel takes apart: long runs
                        */
};

/**
 * struct pool_settings - a pool as configured
 * @name:          owned
 * @window:        addresses of its frames
 * @limited:       it has an address range of its own (window is not everything)
 * @page_bytes:    size of its frames
 * @node:          NUMA node or -1
 * @size_min_bytes, @size_max_bytes: what it holds; multiples of @page_bytes
 * @spare_bytes:   free frames that growing keeps ahead of demand, up to @size_max_bytes
 * @run_min_bytes: frames are taken in physically contiguous runs of at least this; 0: as they come
 * @source:        where they come from
 * @harvest_max_bytes: pages that may be held at once, beyond those wanted, while looking for some
 *                 inside @window; 0: no harvest
 * @shrink_delay_ns: what was not needed for this long goes back, down to @size_min_bytes
 * @spill:         requests without an address limit may end up here
 * @pin_required:  frames that are not pinned are refused
 * @isolation:     who shares frames
 * @reuse_delay_ns: how long an owner keeps its last empty frame
 * @quarantine_ns: how long memory of a client that died is held
 * @allow:         @n_allow entries, owned; none: everybody
 */
struct pool_settings {
        char *name;
        struct range window;
        bool limited;
        uint64_t page_bytes;
        int node;
        enum pool_source source;
        uint64_t size_min_bytes, size_max_bytes, spare_bytes;
        uint64_t run_min_bytes;
        uint64_t harvest_max_bytes;
        uint64_t shrink_delay_ns;
        bool spill;
        bool pin_required;
        enum isolation isolation;
        uint64_t reuse_delay_ns, quarantine_ns;
        struct principal *allow;
        size_t n_allow;
};

/**
 * struct device_settings - a device as configured
 * @name:   owned
 * @limits: its limits; size_bytes is not used
 * @nodes:  bit n: memory of NUMA node n will do; 0: any
 */
struct device_settings {
        char *name;
        struct constraint limits;
        uint64_t nodes;
};

/**
 * struct state_settings - all that state needs to know of the configuration; borrowed for the life
 * of the state
 * @backend:     name for lists
 * @admin_group: gid whose members are administrators; (gid_t)-1: only root
 * @max_buffers: of one client; beyond that PAR_REFUSED_QUOTA
 * @max_clients: sessions at once
 * @max_waiting: requests of one client that wait at once
 */
struct state_settings {
        const char *backend;
        const struct pool_settings *pools;
        size_t n_pools;
        const struct device_settings *devices;
        size_t n_devices;
        gid_t admin_group;
        uint32_t max_buffers, max_clients, max_waiting;
};

/* ---- what state asks of its surroundings ---------------------------------------------------- */

/* A frame by the keeper's name for it. */
struct frame_name {
        uint32_t slot, generation;
};

static inline uint64_t frame_id(struct frame_name name)
{
        return (uint64_t)name.generation << 32 | name.slot;
}

/* state_ops.leave() */
#define LEAVE_RETAKE     1u
#define LEAVE_PATIENT    2u
#define LEAVE_OWNER_GONE 4u

enum event_type { /* the values of the wire and of par.h */
                  EVENT_MOVED = 1,
                  EVENT_POISONED,
                  EVENT_DRAINING,
                  EVENT_WANTED,
                  EVENT_REVOKED,
};

struct refusal;

/**
 * struct take_wish - frames that a pool wants
 * @count:     > 0
 * @window:    inside the pool's own
 * @run_bytes: in runs of at least this; 0: any
 */
struct take_wish {
        uint32_t pool, count;
        struct range window;
        uint64_t run_bytes;
};

/**
 * struct state_ops - called by state; none of them may call state back, or fail
 * @take:    ask the keeper for frames; answered by state_taken(). One at a time for each pool
 * @cancel:  the take of this pool is no longer wanted; it is still answered
 * @filled:  no take is under way, so what no pool wanted may go; the first time 5 s after
 *           state_start() at the latest, whatever is under way then
 * @lend:    note that clients are about to see this frame (the ledger)
 * @leave:   close what is held of the frame and have the keeper give it back; LEAVE_* in @flags
 * @nudge:   a holder may have let go of a lingering frame
 * @unneeded: tell a client that it should unmap a frame
 * @event:   tell a client what happened to @length bytes at @offset of its buffer
 * @answer:  the answer to a request that waited: @buffer, or NULL and @refusal with result @r.
 *           The waiter is gone afterwards; @ticket is what state_wait() was given
 * @log:     something that the operator wants to know; level as in syslog.h; what it is @about is
 *           borrowed and never NULL
 */
struct state_ops {
        void (*take)(void *data, const struct take_wish *wish);
        void (*cancel)(void *data, uint32_t pool);
        void (*filled)(void *data);
        void (*lend)(void *data, struct frame_name frame);
        void (*leave)(void *data, struct frame_name frame, uint32_t pool, unsigned flags);
        void (*nudge)(void *data, struct frame_name frame);
        void (*unneeded)(void *data, void *client_data, struct frame_name frame);
        void (*event)(void *data, void *client_data, enum event_type type, uint64_t buffer,
                      uint64_t offset, uint64_t length);
        void (*answer)(void *data, void *client_data, uint64_t ticket, int r, struct buffer *buffer,
                       const struct refusal *refusal);
        void (*log)(void *data, int level, const struct log_fields *about, const char *message);
};

/**
 * state_new() - an empty state
 * @settings: borrowed until state_free()
 * @ops:      borrowed until state_free()
 * @data:     handed to every operation
 * @now_ns:   the time
 * @ret:      owned by the caller
 *
 * Return: 0; -ENOMEM.
 */
int state_new(const struct state_settings *settings, const struct state_ops *ops, void *data,
              uint64_t now_ns, struct state **ret);
void state_free(struct state *state); /* calls no operation; NULL is fine */

/* ---- the keeper's news ---------------------------------------------------------------------- */

/**
 * struct frame_news - a frame that the keeper holds for a pool
 * @lent: a client of a former worker may still use it: it goes into quarantine
 */
struct frame_news {
        struct frame_name name;
        uint32_t pool;
        uint64_t page_bytes, phys;
        int node;
        bool pinned, lent;
};

/* Ask for what the pools lack. Called once, after the frames that the keeper already had. Then
 * state_ops.filled() follows, at once or when the answers have come. */
void state_start(struct state *state, uint64_t now_ns);

/**
 * state_frame_arrived() - a frame is there
 *
 * Return: 0; -EINVAL where it contradicts what is known (no such pool, wrong size, an address that
 * is taken): it stays out of service; -ENOMEM.
 */
int state_frame_arrived(struct state *state, const struct frame_news *news, uint64_t now_ns);

/**
 * struct take_result - the end of a take()
 * @got:        frames that were had, and arrived before this
 * @r:          0, or why not more: -ENOMEM: the system has none; -EDQUOT: keep_free forbids it;
 *              -EFBIG: it would take more than harvest_max; -ECANCELED; other negative errno
 * @seen:       addresses that were seen on the way (first above last: none)
 * @held_bytes: most that was held at once beyond what was wanted
 * @harvested:  pages were held that were not wanted
 */
struct take_result {
        uint32_t got;
        int r;
        struct range seen;
        uint64_t held_bytes;
        bool harvested;
};
void state_taken(struct state *state, uint32_t pool, const struct take_result *result,
                 uint64_t now_ns);

/* How far a take() is: @got frames so far, @held_bytes held beyond them. */
void state_taking(struct state *state, uint32_t pool, uint32_t got, uint64_t held_bytes,
                  uint64_t now_ns);

/* Why a frame cannot leave yet; the keeper's values. */
enum frame_holder {
        FRAME_HOLDER_NONE,
        FRAME_HOLDER_FILE,
        FRAME_HOLDER_PAGES, /* which takes long to find out, each time */
        FRAME_HOLDER_HOLE,
        FRAME_HOLDER_PATH,
};

/* @holder: enum frame_holder */
void state_frame_lingers(struct state *state, struct frame_name name, int holder, uint64_t now_ns);
void state_frame_left(struct state *state, struct frame_name name, bool lost, uint64_t now_ns);
/* @phys: where it is now; UINT64_MAX: its page was punched out. */
void state_frame_moved(struct state *state, struct frame_name name, uint64_t phys, uint64_t now_ns);

/* ---- clients -------------------------------------------------------------------------------- */

/**
 * struct identity - who is at the other end, as the kernel says
 * @groups: all of its groups, @gid included
 */
struct identity {
        uint32_t uid, gid, pid;
        uint32_t groups[CLIENT_GROUPS_MAX];
        size_t n_groups;
};

/**
 * client_new() - a session begins
 * @identity: copied
 * @name:     copied, cut at LABEL_BYTES_MAX, control characters replaced
 * @data:     handed to the operations that concern this client
 * @ret:      valid until client_end()
 *
 * Return: 0; PAR_REFUSED_QUOTA; -ENOMEM.
 */
int client_new(struct state *state, const struct identity *identity, const char *name, void *data,
               uint64_t now_ns, struct client **ret);

/**
 * client_end() - a session ends
 * @client:  consumed
 * @orderly: it said that its devices are quiet; otherwise its buffers go into quarantine
 *
 * Cannot fail. Waiters of the client are dropped without an answer. No operation is called with the
 * client's data afterwards.
 */
void client_end(struct state *state, struct client *client, bool orderly, uint64_t now_ns);

uint64_t client_id(const struct client *client);
const char *client_name(const struct client *client); /* lives as long as the client */

/**
 * client_shown() - note that a client is being given a frame's descriptor
 *
 * Return: 1 where it already has the frame mapped (no descriptor needed); 0: now noted; -ENOMEM.
 */
int client_shown(struct client *client, struct frame_name name);

/* ---- requests ------------------------------------------------------------------------------- */

/**
 * struct request - a request for memory
 * @want:   constraint; its window's last is UINT64_MAX and its boundary 0 where there is no limit,
 *          align 0 means 1, max_segments 0 means 1: state fills in
 * @nodes:  bit mask; 0: any
 * @device: name; NULL or "": none
 * @pool:   name; NULL or "": any
 * @label:  NULL or ""; copied
 * @patient: state_wait() follows where state_alloc() refuses it for now: the refusal is not
 * counted, the answer to the wait is
 */
struct request {
        struct constraint want;
        uint64_t nodes;
        const char *device, *pool, *label;
        bool patient;
};

/**
 * struct refusal - why not, with figures
 * @result:         PAR_REFUSED_*
 * @permanent:      waiting cannot help
 * @growing:        a pool may grow so that the request can be met: who has the request answered
 *                  now does so with state_wait() and WAIT_FOR_GROWTH, also where its client does
 *                  not want to wait
 * @limit:          what rules it out; LIMIT_NONE: no limit of the request's
 * @limit_set_by:   "the request", "device capture0", "pool below4g"
 * @size_bytes:     asked for
 * @free_in_window_bytes, @largest_run_bytes: of what the client could get
 * @sentence:       all of it in words
 */
struct refusal {
        int result;
        bool permanent;
        bool growing;
        enum limit limit;
        char limit_set_by[96];
        uint64_t size_bytes, free_in_window_bytes, largest_run_bytes;
        char sentence[SENTENCE_BYTES];
};

/**
 * state_alloc() - grant a buffer now
 * @client:      who asks; charged for it
 * @request:     borrowed
 * @ret_buffer:  valid until it is freed
 * @ret_refusal: filled with every result above 0
 *
 * A refusal with @growing set is not counted: state_wait() follows.
 *
 * Return: 0; PAR_REFUSED_*; -ENOMEM. On anything but 0 nothing changed.
 */
int state_alloc(struct state *state, struct client *client, const struct request *request,
                uint64_t now_ns, struct buffer **ret_buffer, struct refusal *ret_refusal);

/* state_wait(): not for what others give back, only while pools grow, for 2 s at most. */
#define WAIT_FOR_GROWTH 0

/**
 * state_wait() - let a request wait that was refused for now
 * @request:     copied
 * @deadline_ns: UINT64_MAX: none; WAIT_FOR_GROWTH
 * @ticket:      handed to state_ops.answer(), and names it in state_cancel()
 * @ret_refusal: filled with a result above 0
 *
 * Pools are asked to grow for it, where they may and that would help. With WAIT_FOR_GROWTH the
 * answer is, as soon as that is known, a buffer or the refusal that state_alloc() gave; never
 * PAR_REFUSED_TIMED_OUT.
 *
 * Return: 0: the answer comes later, never during this call; PAR_REFUSED_QUOTA where too many of
 * this client wait already, or with WAIT_FOR_GROWTH the plain refusal; -ENOMEM.
 */
int state_wait(struct state *state, struct client *client, const struct request *request,
               uint64_t deadline_ns, uint64_t ticket, uint64_t now_ns, struct refusal *ret_refusal);

/* Return: 0: it waited, and is gone without an answer; PAR_REFUSED_GONE. */
int state_cancel(struct state *state, struct client *client, uint64_t ticket);

/**
 * state_release() - a client frees a buffer of its own
 *
 * Return: 0; PAR_REFUSED_GONE where it has no such buffer.
 */
int state_release(struct state *state, struct client *client, uint64_t id, uint64_t now_ns);

/* A client says that it no longer has a frame mapped. Frames it does not have are passed over. */
void state_dropped(struct state *state, struct client *client, struct frame_name name,
                   uint64_t now_ns);

/* End the quarantine of what clients of this name and of this client's uid left behind. */
void state_reclaim(struct state *state, struct client *client, const char *name, uint64_t now_ns,
                   uint64_t *ret_bytes);

/* ---- administration -------------------------------------------------------------------------
 *
 * All but lookup and release are for administrators: others get PAR_REFUSED_DENIED. On anything but
 * 0 nothing changed, and @refusal says why.
 */

bool client_is_admin(const struct state *state, const struct client *client);

/**
 * state_resize() - have a pool hold @bytes from now on, instead of its size_min
 * @bytes: rounded up to whole frames; from size_min to size_max. What it lacks is asked for, what
 *         is free beyond it goes back; buffers are left alone. Demand may make it larger, as always
 *
 * Return: 0: under way; PAR_REFUSED_DENIED; PAR_REFUSED_INVALID.
 */
int state_resize(struct state *state, struct client *asker, const char *pool, uint64_t bytes,
                 uint64_t now_ns, struct refusal *refusal);

/**
 * state_drain() - grant nothing any more from the frames of a pool inside a window, or do again
 * @window:    frames that reach into it
 * @drain:     false: end all drains of this pool that lie inside @window
 * @ret_bytes: what is still in use there; 0: drained
 *
 * Free frames go back to the system; owners are told (EVENT_DRAINING), and what they give back goes
 * too. The pool does not take frames there meanwhile.
 *
 * Return: 0; PAR_REFUSED_DENIED; PAR_REFUSED_INVALID; -ENOMEM.
 */
int state_drain(struct state *state, struct client *asker, const char *pool, struct range window,
                bool drain, uint64_t now_ns, uint64_t *ret_bytes, struct refusal *refusal);

/**
 * struct selection - which buffers
 * @buffer: number; 0: any
 * @client: number, as lists show it; 0: any
 * @name:   of the client; NULL or "": any
 * @pool:   NULL or "": any
 *
 * At least one is given.
 */
struct selection {
        uint64_t buffer, client;
        const char *name, *pool;
};

/**
 * state_revoke() - cut clients off from buffers of theirs
 * @ret_bytes: of how many
 *
 * They are told (EVENT_REVOKED), and know these buffers no longer. The memory is in quarantine as
 * if its client had died, and charged to its owner until nobody refers to it. Nothing more is
 * granted from the frames in which it lies: the client may still write there.
 *
 * Return: 0; PAR_REFUSED_DENIED; PAR_REFUSED_INVALID; PAR_REFUSED_GONE where there are none;
 * -ENOMEM.
 */
int state_revoke(struct state *state, struct client *asker, const struct selection *which,
                 uint64_t now_ns, uint64_t *ret_bytes, struct refusal *refusal);

/**
 * state_end_quarantine() - the devices of these clients, who are gone, are known to be quiet
 *
 * For administrators, and for everybody what clients of his own uid left or were cut off from. What
 * clients of a former worker had is nobody's: administrators end that by the pool alone.
 *
 * Return: 0; PAR_REFUSED_DENIED where it is somebody else's; PAR_REFUSED_INVALID; PAR_REFUSED_GONE
 * where nothing is in quarantine.
 */
int state_end_quarantine(struct state *state, struct client *asker, const struct selection *which,
                         uint64_t now_ns, uint64_t *ret_bytes, struct refusal *refusal);

/**
 * state_reconfigure() - go by other settings from now on
 * @settings: borrowed until state_free(), or until replaced; the same pools in the same order, with
 *            the same page_bytes, window, node, isolation and pin_required
 */
void state_reconfigure(struct state *state, const struct state_settings *settings, uint64_t now_ns);

/* A device of the configuration; NULL where there is none of that name. */
const struct device_settings *state_device(const struct state *state, const char *name);

/* ---- time ----------------------------------------------------------------------------------- */

/* Do what is due: deadlines, ends of quarantine and reuse. */
void state_tick(struct state *state, uint64_t now_ns);

/* When state_tick() has something to do next; UINT64_MAX: never. */
uint64_t state_next_due(const struct state *state);

/* ---- a granted buffer ----------------------------------------------------------------------- */

/**
 * struct piece - a part of a buffer inside one frame
 * @keep: its client should leave the frame mapped when the last buffer in it is freed
 */
struct piece {
        struct frame_name frame;
        uint64_t phys, length_bytes, frame_offset;
        bool zeroed, keep;
};

struct buffer_view {
        uint64_t id, size_bytes, page_bytes, segment_count;
        const char *pool;
        size_t piece_count;
};

void buffer_view(const struct buffer *buffer, struct buffer_view *ret);
void buffer_piece(const struct buffer *buffer, size_t index, struct piece *ret);

/**
 * buffer_next_segment() - the segments of a buffer, in order
 * @cursor: start with { 0 }
 * @ret:    the segment's addresses
 *
 * Return: whether there is one.
 */
struct segment_cursor {
        uint64_t run;
        uint64_t offset_bytes;
};
bool buffer_next_segment(const struct buffer *buffer, struct segment_cursor *cursor,
                         struct range *ret);

/* A buffer of this client; NULL where it has none of that number. */
struct buffer *client_buffer(const struct client *client, uint64_t id);

/* ---- reports -------------------------------------------------------------------------------- */

struct state_bytes { /* together they are held */
        uint64_t held, free, granted, reusable, leaving, lingering, quarantined, retired;
};

struct status_report {
        const char *backend, *state; /* state: "filling", "ready" */
        struct state_bytes bytes;
        bool pinned;
        uint32_t pools, clients;
        uint64_t buffers, grants, refusals, waiting, lost_to_system, moved, uptime_ns;
};

/**
 * struct pool_report - a pool
 * @goal_bytes:        what it wants to hold now
 * @largest_run_bytes: of free frames
 * @taking_bytes, @taken_bytes: of the take that is under way, and how much of it is there
 * @held_aside_bytes:  that a harvest holds meanwhile
 * @draining_bytes:    in frames that are to be drained
 * @state:             "filling", "growing", "harvesting", "draining", "ready", "short"
 * @note:              why it is short, or ""
 */
struct pool_report {
        const struct pool_settings *settings;
        struct state_bytes bytes;
        uint64_t goal_bytes, largest_run_bytes, lost_to_system;
        uint64_t taking_bytes, taken_bytes, held_aside_bytes, draining_bytes;
        uint64_t waiting;
        bool pinned, allowed;
        const char *state;
        const char *note;
};

/* What has happened since the start, for metrics; never decreases. */
struct pool_counters {
        uint64_t grants, frees, grown_frames, shrunk_frames, harvests, lost_to_system, waits;
};
void state_pool_counters(const struct state *state, size_t pool, struct pool_counters *ret);

/* @refused: by result, PAR_REFUSED_NEVER_FITS first; REFUSALS entries. */
#define REFUSALS (PAR_REFUSED_GONE - PAR_REFUSED_NEVER_FITS + 1)
struct state_counters {
        uint64_t refused[REFUSALS];
        uint64_t moved, timed_out_waits, sessions;
};
void state_counters(const struct state *state, struct state_counters *ret);

/* Who is behind something, where the asker may know: himself, or everybody to an administrator. */
struct holder_report {
        bool known, mine;
        const char *client;
        uint32_t uid, pid;
};

struct frame_report {
        struct frame_name name;
        const char *pool, *state, *note;
        uint64_t phys, page_bytes;
        int node;
        bool pinned;
        uint32_t buffers;
        struct holder_report holder;
};

struct buffer_report {
        uint64_t id, size_bytes, segments, age_ns;
        uint64_t needs_below; /* its own highest usable address; 0: it has no such limit */
        struct range extent;  /* lowest and highest address of it */
        const char *label, *pool, *state;
        struct holder_report holder;
};

/**
 * struct client_report - an owner of memory, or a session
 * @waiting:       requests of it that wait
 * @waiting_ns, @waiting_bytes, @waiting_for: of the first of them: since when, how much, in words
 */
struct client_report {
        uint64_t id, buffers, age_ns, waiting, waiting_ns, waiting_bytes;
        char waiting_for[192];
        struct state_bytes bytes;
        bool connected;
        struct holder_report holder;
};

/**
 * struct extent_report - adjacent memory of one pool in one state
 * @free_bytes: of it that can still be granted: all of "free" frames, and of "granted" ones what
 *              their owner may have
 */
struct extent_report {
        struct range range;
        const char *pool, *state;
        bool draining;
        uint64_t page_bytes, free_bytes;
};

/* Who had the frame of an address before. @age_ns: how long ago that ended. */
struct former_holder {
        char client[LABEL_BYTES_MAX + 1], label[LABEL_BYTES_MAX + 1];
        bool known;
        uint32_t uid;
        uint64_t age_ns;
};
#define FORMER_HOLDERS_MAX 4

/**
 * struct lookup_report - what is at an address
 * @held:       pard has a frame there; otherwise only @former can say anything
 * @frame:      its frame
 * @has_buffer: it lies in a live buffer, at @offset
 * @former:     who had it before, latest first; what they were called only where the asker may know
 */
struct lookup_report {
        bool held, has_buffer;
        struct frame_report frame;
        struct buffer_report buffer;
        uint64_t offset;
        struct former_holder former[FORMER_HOLDERS_MAX];
        size_t n_former;
};

struct blocker {
        uint64_t buffer, size_bytes, needs_below;
        struct holder_report holder;
};

/**
 * struct explanation - what would come of a request
 * @result:    0: it would be granted, in @pool
 * @refusal:   sentence and figures in either case
 * @segments:  the first of what it would be, where it would
 * @blockers:  who is in the way, largest first. Where that would take too long to find out, those
 *             among the largest of the pools, and at the beginning of the window
 * @largest:   the largest run in the window that this client could have as one buffer (first above
 *             last: none)
 * @longer:    what would lengthen it, in words: which buffers end at its ends, which memory beside
 *             it pard does not hold; "" where nothing would
 */
struct explanation {
        int result;
        struct refusal refusal;
        const char *pool;
        struct range segments[64];
        size_t n_segments;
        struct blocker blockers[REPORT_BLOCKERS_MAX];
        size_t n_blockers;
        struct range largest;
        char longer[SENTENCE_BYTES];
};

/* Return: 0 (the explanation's own result tells the outcome); -ENOMEM. */
int state_explain(struct state *state, struct client *client, const struct request *request,
                  uint64_t now_ns, struct explanation *ret);

void state_lookup(const struct state *state, const struct client *asker, uint64_t phys,
                  uint64_t now_ns, struct lookup_report *ret);

void state_report(const struct state *state, uint64_t now_ns, struct status_report *ret);

/**
 * The lists. @cursor is 0 at first and moves on with each row; a list goes on where it was,
 * whatever has changed meanwhile. Frames and buffers are in the order of their addresses and
 * numbers; only those that reach into @window (of pool @pool, where not NULL or "") are shown.
 *
 * @steps: how many entries may still be looked at: a filter that nothing passes must not hold up
 * the rest. Where it came down to 0 the list stopped there and goes on at the cursor.
 *
 * state_next_pool() does without an asker (NULL), for metrics.
 *
 * Return: whether there was another row.
 */
bool state_next_pool(const struct state *state, const struct client *asker, uint64_t *cursor,
                     struct pool_report *ret);
bool state_next_frame(const struct state *state, const struct client *asker, struct range window,
                      const char *pool, uint64_t *cursor, unsigned *steps,
                      struct frame_report *ret);
bool state_next_buffer(const struct state *state, const struct client *asker, struct range window,
                       const char *pool, uint64_t now_ns, uint64_t *cursor, unsigned *steps,
                       struct buffer_report *ret);
bool state_next_client(const struct state *state, const struct client *asker, uint64_t now_ns,
                       uint64_t *cursor, struct client_report *ret);
bool state_next_extent(const struct state *state, const struct client *asker, struct range window,
                       const char *pool, uint64_t *cursor, unsigned *steps,
                       struct extent_report *ret);

/* Walk every invariant; asserts. Called after each change where PAR_CHECKS is defined. */
void state_check(const struct state *state);
