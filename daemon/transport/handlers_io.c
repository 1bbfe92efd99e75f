/* SPDX-License-Identifier: MIT */
/*
 * Requests about I/O addresses: clients tell where their buffers are mapped, and people ask whose
 * an address is. Owns nothing.
 */
#include "dispatch.h"

#include "convert.h"
#include "server_private.h"

int handle_mapped(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct io_tell_part parts[IO_PARTS_MAX];
        struct pci_function pci;
        struct io_tell tell;
        const char *complaint;
        int r;

        r = io_tell_from_wire(request->mapped, &tell, parts, &pci, &complaint);
        if (r)
                return reply_say(reply, r, "%s", complaint);
        return state_io_tell(session->server->state, session->client, &tell, server_now_ns(),
                             &reply->refusal);
}

static size_t fill(const struct io_holder *from, size_t n, char (*pci)[PCI_FUNCTION_BYTES],
                   Wire__IoHolder *to, Wire__IoHolder **pointers)
{
        for (size_t i = 0; i < n; i++) {
                io_holder_to_wire(&from[i], pci[i], &to[i]);
                pointers[i] = &to[i];
        }
        return n;
}

int handle_lookup_io(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct reply_found_io *room = &reply->room->found_io;
        const struct io_report *report = &room->report;
        const char *device = request->lookup_io->device;
        Wire__FoundIo *body = &room->found;

        if (!text_is_good(device, LABEL_BYTES_MAX))
                return reply_say(reply, PAR_REFUSED_INVALID, "no device has such a name");
        state_io_lookup(session->server->state, session->client, request->lookup_io->address,
                        device, server_now_ns(), &room->report);
        wire__found_io__init(body);
        body->n_holders = fill(report->holders, report->n_holders, room->pci, room->holders,
                               room->holder_pointers);
        body->holders = room->holder_pointers;
        body->n_former = fill(report->former, report->n_former, &room->pci[IO_HOLDERS_MAX],
                              room->former, room->former_pointers);
        body->former = room->former_pointers;
        body->other_devices = report->other_devices;
        body->more = report->more;
        reply->wire.body_case = WIRE__REPLY__BODY_LOOKUP_IO;
        reply->wire.lookup_io = body;
        return 0;
}
