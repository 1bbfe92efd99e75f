/* SPDX-License-Identifier: MIT */
/*
 * A world around a state, without processes: a keeper that answers when it is told to, clients
 * whose news are written down, and a clock that the test moves.
 */
#pragma once

#include "ledger.h"
#include "macros.h"
#include "state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_FRAMES_MAX 4096

/* Room for more buffers than any test wants; what is not used costs nothing. */
#define WORLD_LEDGER_BYTES (64 * MiB)

/* One page of the fake keeper. */
struct world_frame {
        struct frame_name name;
        uint32_t pool;
        uint64_t phys;
        bool held;      /* the state knows it */
        bool leaving;   /* the state wants it gone */
        bool given_up;  /* a former one did, when it ended */
        unsigned flags; /* of the last leave() */
        bool lent;
        bool moved; /* the keeper knows that its page is elsewhere */
};

struct world_answer {
        uint64_t ticket;
        int r;
        uint64_t buffer;
        struct refusal refusal;
};

/* A device that the state wants looked at. @looks: how often it asked. */
struct world_watch {
        uint32_t device, round;
        bool on;
        unsigned looks;
};

struct world_event {
        enum event_type type;
        uint64_t buffer, offset, length;
};

/**
 * struct world - the surroundings of one state
 * @late:    takes are not answered by themselves: the test calls world_serve()
 * @supply:  pages that the system still has; UINT32_MAX: any number
 * @scatter: they come in runs of so many; 0: adjacent
 * @clumsy:  leave() does not answer by itself: the test calls world_let_leave()
 * @snatch:  pages that leave are not had again
 * @unheard: the state is not told of frames that arrive; the next one is
 * @slow_restart_ns: time that goes by between the next worker's frames and what it makes of them
 * @poison_at_restart: a frame of which the keeper tells the next worker that it has failed;
 *           generation 0: none
 * @last_token: that of the client that came last; the others have those before it
 * @ledger_memory: outlives the state; WORLD_LEDGER_BYTES
 * @ledger_lost: the next state is told that what was in it could not be read
 */
struct world {
        struct state_settings settings;
        struct pool_settings pools[4];
        struct device_settings devices[16];
        struct state *state;
        uint64_t now_ns;
        bool clumsy, snatch, late, unheard;
        uint32_t supply, scatter;
        struct world_frame frames[WORLD_FRAMES_MAX];
        uint32_t n_slots;
        uint32_t want[4]; /* what take() asked for */
        struct take_wish wishes[4];
        bool cancelled[4];
        unsigned n_takes;
        unsigned n_filled, n_unneeded, n_events, n_nudges;
        struct world_event last_event;
        unsigned n_of_type[EVENT_LINGERING + 1]; /* of the events */
        uint64_t last_event_buffer;
        struct world_answer answers[256];
        size_t n_answers;
        struct world_watch watches[16];
        char last_log[256];
        uint64_t slow_restart_ns;
        struct frame_name poison_at_restart;
        void *ledger_memory;
        bool ledger_lost;
        struct ledger *ledger;
        uint64_t last_token;
};

/* One pool "any" of @frames frames of 2 MiB that end at 4 GiB; fill in more before world_start().
 */
void world_init(struct world *world, unsigned frames);

/* Add a pool of @frames frames in [first, last]; return its index. */
uint32_t world_add_pool(struct world *world, const char *name, uint64_t first, uint64_t last,
                        unsigned frames);

/* Make the state, and nothing more. */
void world_new(struct world *world);

/* Make the state, and let the keeper fill the pools. */
void world_start(struct world *world);
void world_stop(struct world *world);

/* The worker dies; the next one starts, and is told what the keeper holds and what the ledger says.
 * Pointers to clients and buffers are void. */
void world_restart(struct world *world);

/* A client comes back. Return: NULL: it may not. */
struct client *world_resume(struct world *world, uint32_t uid, uint64_t token);

/* A frame arrives, asked for or not. */
void world_arrive_at(struct world *world, uint32_t pool, uint64_t phys);

/* The page of a frame is elsewhere, and the keeper sees it: each state is told. */
void world_move(struct world *world, struct frame_name name);

/* Some frames arrive for a pool, from the top of its last wish down. */
void world_arrive(struct world *world, uint32_t pool, uint32_t count);

/* Answer takes: with what there is, from the top of their windows down. */
void world_serve(struct world *world);

/* Answer one take with at most @most frames; @r, where not 0, is why not more. Return: how many. */
uint32_t world_serve_take(struct world *world, uint32_t pool, uint32_t most, int r);

/* Answer what leave() asked for: all frames that are leaving now. */
void world_let_leave(struct world *world);
void world_let_frame_leave(struct world *world, struct world_frame *frame);

/* Move the clock, and let everything happen that becomes due. */
void world_pass(struct world *world, uint64_t ns);

/* The watch of a device; one that was never asked for is off. */
struct world_watch *world_watch(struct world *world, uint32_t device);

/* The device was seen, after all that was asked for so far. */
void world_see(struct world *world, uint32_t device, enum device_sight sight);

/* A client of a uid. */
struct client *world_client(struct world *world, uint32_t uid, const char *name);

/* A request for @size bytes without limits. */
struct request world_request(uint64_t size);

/* Grant or fail the test. */
struct buffer *world_alloc(struct world *world, struct client *client, struct request request);

/* The client maps all of it, as a library would. */
void world_show(struct world *world, struct client *client, const struct buffer *buffer);

/* Where a buffer begins; its number. */
uint64_t world_first(const struct buffer *buffer);
uint64_t world_id(const struct buffer *buffer);

/* A pool as lists show it. */
struct pool_report world_pool(const struct world *world, uint32_t pool);

/* Ask; what is refused must have changed nothing. Return: the result. */
int world_refused(struct world *world, struct client *client, struct request request,
                  struct refusal *refusal);

/* Ask, and wait for pools to grow where that is called for, as the worker does. Return: the result
 * of state_alloc(), or of state_wait() where that was called. */
int world_ask(struct world *world, struct client *client, struct request request, uint64_t ticket,
              struct refusal *refusal);

struct state_bytes world_bytes(const struct world *world);
