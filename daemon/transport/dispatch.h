/* SPDX-License-Identifier: MIT */
/*
 * From a packet to the handler of its request, and to the reply.
 */
#pragma once

#include "metrics.h"
#include "reply.h"

/**
 * dispatch() - handle one packet
 * @bytes: @size of them, at most PACKET_BYTES_MAX; borrowed
 *
 * Replies, now or later, or decides that the session ends.
 */
void dispatch(struct session *session, const void *bytes, size_t size);

/* What the kinds of requests are called in metrics, by number; NULL: there is none. Static. */
void dispatch_labels(const char *ret[METRICS_REQUESTS_MAX]);

/**
 * A handler: parse, decide, answer.
 *
 * Return: 0 with the body in reply->wire, or with reply->later set; PAR_REFUSED_* with
 * reply->refusal filled where there is more to say than its name; negative errno.
 */
typedef int handler_function(struct session *session, const Wire__Request *request,
                             struct reply *reply);

/* handlers_session.c */
handler_function handle_hello, handle_bye, handle_cancel;
/* handlers_memory.c */
handler_function handle_alloc, handle_extents, handle_free, handle_drop, handle_kept,
        handle_explain, handle_device_open, handle_reclaim;
/* Its client no longer has these frames mapped. */
void drop_frames(struct session *session, const uint64_t *frames, size_t count);
/* handlers_batch.c */
handler_function handle_alloc_batch, handle_free_batch;
/* handlers_sharing.c */
handler_function handle_open, handle_share, handle_remove;
/* export.c */
handler_function handle_export_dmabuf;
/* lists.c */
handler_function handle_status, handle_pools, handle_frames, handle_buffers, handle_clients,
        handle_devices, handle_map, handle_lookup, handle_limits;
/* handlers_io.c */
handler_function handle_mapped, handle_lookup_io;
/* handlers_admin.c */
handler_function handle_resize, handle_drain, handle_revoke, handle_release, handle_reload;
