/* SPDX-License-Identifier: MIT */
/*
 * Clients as their sessions see them.
 */
#pragma once

#include "frame_name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_GROUPS_MAX 64

struct buffer;
struct client;
struct state;

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

/* Root is one, and who is in the admin_group of the settings. */
bool client_is_admin(const struct state *state, const struct client *client);

/* A buffer of this client; NULL where it has none of that number. */
struct buffer *client_buffer(const struct client *client, uint64_t id);
