/* SPDX-License-Identifier: MIT */
/*
 * Clients as their sessions see them.
 */
#pragma once

#include "frame_name.h"
#include "macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_GROUPS_MAX 64

#define IDENTITY_NO_GROUP UINT32_MAX /* (gid_t)-1 is nobody's */

struct buffer;
struct client;
struct state;

/**
 * struct identity - who is at the other end, as the kernel says
 * @gid:    IDENTITY_NO_GROUP: it is not known
 * @groups: its other groups; where @gid is in a list of the kernel's, it is here as well
 */
struct identity {
        uint32_t uid, gid, pid;
        uint32_t groups[CLIENT_GROUPS_MAX];
        size_t n_groups;
};

/* How long a client of a worker that died may take to come back before it counts as dead, where
 * nobody watches its process. */
#define CLIENT_RESUME_NS (10 * NS_PER_S)

/**
 * client_new() - a session begins
 * @identity: copied
 * @name:     copied, cut at LABEL_BYTES_MAX, control characters replaced
 * @token:    with which it comes back where this process dies; nobody can guess it; not 0
 * @data:     handed to the operations that concern this client
 * @ret:      valid until client_end()
 *
 * Return: 0; PAR_REFUSED_QUOTA; -ENOMEM.
 */
int client_new(struct state *state, const struct identity *identity, const char *name,
               uint64_t token, void *data, uint64_t now_ns, struct client **ret);

/* Why client_new() refused it. */
void client_refusal_words(const struct state *state, const struct identity *identity, char *to,
                          size_t room);

/**
 * client_resume() - a client of a former worker comes back, with all that it had
 * @identity: copied; of the same uid as before
 * @token:    that it was given then
 *
 * Return: 0; PAR_REFUSED_GONE where nobody with this token is awaited.
 */
int client_resume(struct state *state, const struct identity *identity, uint64_t token, void *data,
                  uint64_t now_ns, struct client **ret);

/* Clients that may come back, one after the other; @after: NULL: the first. Return: NULL: no more.
 */
struct client *state_next_awaited(const struct state *state, const struct client *after);

/* Its process is watched: client_end() is called when that has ended. @watch is kept for the
 * caller, who asks for it with client_watch(). */
void client_watched(struct state *state, struct client *client, void *watch);
void *client_watch(const struct client *client); /* NULL: it is not */
uint32_t client_pid(const struct client *client);

/* The buffer that a former worker granted in answer to this request; NULL: it did not. */
struct buffer *client_restored_buffer(const struct client *client, uint32_t seq);

/**
 * client_restored_batch() - the buffers that a former worker granted in answer to one request
 * @ret: the last of them first, at most @room; each has the number after that of the next
 *
 * Fewer than were asked for, where it died while it entered them: nobody has heard of those.
 *
 * Return: how many.
 */
size_t client_restored_batch(const struct client *client, uint32_t seq, struct buffer **ret,
                             size_t room);

/**
 * client_has_mapped() - a client that came back says which frame it still has mapped
 *
 * It is told of those that it should unmap. A frame that is not charged to one of its owners is
 * passed over.
 *
 * Return: 0; -ENOMEM.
 */
int client_has_mapped(struct client *client, struct frame_name name);

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

/* Root is one, and who is in the admin_group of the settings. */
bool client_is_admin(const struct state *state, const struct client *client);

/* A buffer of this client; NULL where it has none of that number. */
struct buffer *client_buffer(const struct client *client, uint64_t id);
