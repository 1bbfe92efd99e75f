/* SPDX-License-Identifier: MIT */
/*
 * The metrics over HTTP: GET /metrics on a listening socket, in the server's event loop.
 */
#pragma once

struct metrics_http;
struct server;

/**
 * metrics_http_new() - serve
 * @server: borrowed until metrics_http_free(); its base, state and keeper's link are there
 * @fd:     listening socket; consumed
 * @ret:    owned by the caller
 *
 * Return: 0; -ENOMEM.
 */
int metrics_http_new(struct server *server, int fd, struct metrics_http **ret);

/* Before the event base is freed; NULL is fine. */
void metrics_http_free(struct metrics_http *http);
