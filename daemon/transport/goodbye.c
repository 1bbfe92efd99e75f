/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. No session ends by it: in the ledger they go on. Clients that may wait for another
 * pard must not knock meanwhile: where systemd has the socket, that would start a pard which
 * somebody has just stopped. They look at the time of the socket's file instead, which every pard
 * changes, and are told the present one.
 */
#include "goodbye.h"

#include "server_private.h"

void goodbye_say(struct server *server, uint32_t wait_ms, uint64_t socket_time_ns)
{
        Wire__Packet packet = WIRE__PACKET__INIT;
        Wire__Notice notice = WIRE__NOTICE__INIT;
        Wire__Goodbye goodbye = WIRE__GOODBYE__INIT;
        struct session *session;
        size_t size;

        goodbye.wait_ms = wait_ms;
        goodbye.socket_time = socket_time_ns;
        notice.goodbye = &goodbye;
        packet.kind_case = WIRE__PACKET__KIND_NOTICE;
        packet.notice = &notice;
        if (message_pack_packet(&packet, server->out, sizeof(server->out), &size))
                return; /* it is a few bytes long */
        TAILQ_FOREACH (session, &server->sessions, link) {
                if (!session->client || session->end)
                        continue;
                (void)outbox_flush(&session->outbox);
                (void)outbox_push(&session->outbox, server->out, size, NULL, 0);
        }
}
