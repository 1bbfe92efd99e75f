/* SPDX-License-Identifier: MIT */
/*
 * Clients of a former worker that have not come back: as long as their processes live they may.
 */
#pragma once

struct client;
struct server;

/* Watch the processes of all whom the state awaits; whose process is gone is dead. Those that
 * cannot be watched have the time that the state gives them. Called once, when the state has
 * started. */
void awaited_watch(struct server *server);

/* This one is back. */
void awaited_forget(struct server *server, const struct client *client);

void awaited_free_all(struct server *server);
