/* SPDX-License-Identifier: MIT */
/*
 * A whole worker inside the test program: server_run() in a thread, a fake keeper on its one side,
 * and on the other callers who speak the protocol by hand. Every failure is the test's.
 */
#pragma once

#include "fake_keeper.h"
#include "message.h"
#include "packet.h"
#include "server.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Pages of the pools "any" and "below4g". */
#define WORKER_PAGE_BYTES (UINT64_C(2) << 20)
#define WORKER_LOW_PAGES  4

/**
 * struct worker_options - what a test wants otherwise; zeroed: 64 pages, frames leave at once, only
 * root is an administrator
 * @pages:      of the pool "any"
 * @more_pages: by which it may grow
 * @clumsy:     frames linger
 * @handout_dmabuf: the pool "below4g" hands out dma-bufs alone
 * @admin_group: the test's own group is the administrators'
 * @reload_ms:  as in struct server_settings
 * @metrics_fd, @udmabuf_fd: likewise, but 0: none
 */
struct worker_options {
        unsigned pages, more_pages;
        bool clumsy, handout_dmabuf, admin_group;
        uint32_t max_clients, max_waiting;
        unsigned reload_ms;
        int metrics_fd, udmabuf_fd;
};

/* Settings, as the server has them; on the heap, so that it is seen who uses them too long. */
struct worker_config {
        struct pool_settings pools[2];
        struct device_settings devices[1];
        struct state_settings state;
};

/**
 * struct worker - see above
 * @config:   in force
 * @proposed: what the keeper has read meanwhile; NULL: nothing
 * @changed:  what differs between the two
 * @listener: its listening socket, for the next one
 */
struct worker {
        struct worker_config *config, *proposed;
        char changed[300][96];
        const char *changed_pointers[300];
        struct server_reload reload;
        struct server_settings settings;
        struct fake_keeper *keeper;
        struct sockaddr_un address;
        socklen_t address_bytes;
        pthread_t thread;
        int result, listener;
};

/*
 * The configuration's language here, one word and perhaps a number:
 *     pages N     size_max of the pool "any"
 *     quarantine N   of both pools, in ms
 *     changes N   nothing, in so many places
 *     bad         it is refused with a sentence that is no UTF-8
 *     lost        there is no memory to read it
 */

void worker_start(struct worker *worker, const struct worker_options *options);

/* It ends without a word, and another one starts with the same frames and ledger. */
void worker_restart(struct worker *worker);

/* Quarantines last so long from now on. For a test that is to see one: however short the time that
 * it is stopped for, 100 ms are over. */
void worker_set_quarantine(struct worker *worker, unsigned ms);

/* Return: what server_run() did. */
int worker_stop(struct worker *worker);

/* The same without stopping it: it ends by itself. The keeper is still there. */
int worker_end(struct worker *worker);

/**
 * struct caller - one connection
 * @packet:  the last one received; lives in the arena until the next
 * @got:     its descriptors
 */
struct caller {
        int fd;
        uint32_t seq;
        struct message_arena arena;
        Wire__Packet *packet;
        struct packet got;
};

/* Connect without Hello. */
void caller_connect(const struct worker *worker, struct caller *ret);

/* With Hello. */
void caller_open(const struct worker *worker, const char *name, struct caller *ret);

enum caller_role {
        CALLER_ADMIN,
        CALLER_USER,
        CALLER_STRANGER, /* another user */
};

/* Whether a caller can be that here: without root there is one user, who is an administrator with
 * worker_options.admin_group. */
bool caller_can_be(const struct worker *worker, enum caller_role role);

/* Say Hello, and be welcomed. */
void caller_greet(const char *name, struct caller *caller);

/* Connect as somebody, without Hello. */
void caller_connect_as(const struct worker *worker, enum caller_role role, struct caller *ret);

/* With Hello, as somebody. */
void caller_open_as(const struct worker *worker, enum caller_role role, const char *name,
                    struct caller *ret);

/* Close without Bye. */
void caller_close(struct caller *caller);

/* Return: the request's seq. */
uint32_t caller_send(struct caller *caller, Wire__Request *request);
void caller_send_bytes(struct caller *caller, const void *bytes, size_t size);

/* The next packet, within 10 seconds. Return: false where the connection was closed. */
bool caller_receive(struct caller *caller);

/* Read until the connection is closed. */
void caller_expect_end(struct caller *caller);

/* The reply to a request; notices are passed over. */
const Wire__Reply *caller_reply(struct caller *caller, uint32_t seq);
const Wire__Reply *caller_ask(struct caller *caller, Wire__Request *request);

/* Ready-made requests. */
uint32_t caller_send_alloc(struct caller *caller, uint64_t size, const char *pool, int32_t wait_ms);
const Wire__Reply *caller_alloc(struct caller *caller, uint64_t size, const char *pool);
const Wire__Reply *caller_free(struct caller *caller, uint64_t buffer);
const Wire__Status *caller_status(struct caller *caller);

/* What of a status is waited for: bytes in a state, and numbers. */
uint64_t status_free(const Wire__Status *status);
uint64_t status_granted(const Wire__Status *status);
uint64_t status_held(const Wire__Status *status);
uint64_t status_lingering(const Wire__Status *status);
uint64_t status_quarantined(const Wire__Status *status);
uint64_t status_clients(const Wire__Status *status);
uint64_t status_waiting(const Wire__Status *status);

/* Ask for the status until what @pick returns of it is @value; 10 seconds at most. */
void caller_await(struct caller *caller, uint64_t (*pick)(const Wire__Status *), uint64_t value);
