/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Says of everything here that it was told by clients: pard cannot check it.
 */
#include "lookup_io.h"

#include "ask.h"
#include "json.h"
#include "lookup_fault.h"
#include "moment.h"
#include "safe_text.h"
#include "table.h"

#include <inttypes.h>
#include <string.h>

int lookup_io_ask(struct ask *ask, const struct subject *subject, const char *device,
                  const Wire__FoundIo **ret)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__LookupIo lookup = WIRE__LOOKUP_IO__INIT;
        char requester[PCI_FUNCTION_BYTES] = "";
        const Wire__Reply *reply;
        int status;

        if (subject->kind == SUBJECT_FAULT && subject->fault.has_requester)
                pci_function_text(&subject->fault.requester, requester);
        lookup.address = subject->address;
        lookup.device = device ? (char *)(uintptr_t)device : requester;
        request.body_case = WIRE__REQUEST__BODY_LOOKUP_IO;
        request.lookup_io = &lookup;
        status = ask_for(ask, &request, WIRE__REPLY__BODY_LOOKUP_IO, &reply);
        if (!status)
                *ret = reply->lookup_io;
        return status;
}

bool lookup_io_is_known(const Wire__FoundIo *found)
{
        return (found->n_holders || found->n_former) && !found->other_devices;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* What present and former holders have in common. */
static void set_holder(json_t *object, const Wire__IoHolder *holder)
{
        const bool known = holder && holder->known;

        json_object_set_new(object, "buffer", holder ? json_size(holder->buffer) : json_null());
        json_object_set_new(object, "offset", holder ? json_size(holder->offset) : json_null());
        json_object_set_new(object, "label", json_text(known ? holder->label : NULL));
        json_object_set_new(object, "client", json_text(known ? holder->client : NULL));
        json_object_set_new(object, "pid", known ? json_integer(holder->pid) : json_null());
        json_object_set_new(object, "uid", known ? json_integer(holder->uid) : json_null());
        json_object_set_new(object, "device", json_text(known ? holder->device : NULL));
        json_object_set_new(object, "pci", json_text(known ? holder->pci : NULL));
        json_object_set_new(object, "part", holder ? json_integer(holder->part) : json_null());
        json_object_set_new(object, "first", holder ? json_address(holder->first) : json_null());
        json_object_set_new(object, "last", holder ? json_address(holder->last) : json_null());
        json_object_set_new(object, "phys",
                            known && holder->has_phys ? json_address(holder->phys) : json_null());
}

/* What only present ones have; @holder: NULL: there is none. */
static void set_present(json_t *object, const Wire__IoHolder *holder)
{
        const bool lies = holder && holder->has_phys && holder->page_size;

        json_object_set_new(object, "frame",
                            lies ? json_address(holder->phys & ~(holder->page_size - 1))
                                 : json_null());
        json_object_set_new(object, "state", json_text(holder ? holder->state : NULL));
        json_object_set_new(object, "pool", json_text(holder ? holder->pool : NULL));
        json_object_set_new(object, "page_size",
                            holder ? json_size(holder->page_size) : json_null());
        set_holder(object, holder);
}

static json_t *previous_json(const Wire__FoundIo *found)
{
        json_t *array = json_array();

        for (size_t i = 0; i < found->n_former; i++) {
                json_t *object = json_object();
                char text[MOMENT_BYTES];

                set_holder(object, found->former[i]);
                json_object_set_new(object, "until",
                                    json_text(moment_text(found->former[i]->age_ms, text)));
                json_array_append_new(array, object);
        }
        return array;
}

/* All but the first, which stands on top. */
static json_t *others_json(const Wire__FoundIo *found)
{
        json_t *array = json_array();

        for (size_t i = 1; i < found->n_holders; i++) {
                json_t *object = json_object();

                set_present(object, found->holders[i]);
                json_array_append_new(array, object);
        }
        return array;
}

json_t *lookup_io_json(const struct subject *subject, const Wire__FoundIo *found)
{
        json_t *object = json_object();

        json_object_set_new(object, "address", json_address(subject->address));
        json_object_set_new(object, "space", json_text("iova"));
        set_present(object, found->n_holders ? found->holders[0] : NULL);
        json_object_set_new(object, "previous", previous_json(found));
        json_object_set_new(object, "held", json_boolean(found->n_holders));
        json_object_set_new(object, "node", json_null());
        json_object_set_new(object, "note", json_null());
        json_object_set_new(object, "others", others_json(found));
        json_object_set_new(object, "other_devices", json_boolean(found->other_devices));
        json_object_set_new(object, "more", json_boolean(found->more));
        json_object_set_new(object, "fault", lookup_fault_json(subject));
        return object;
}

/* ---- text ----------------------------------------------------------------------------------- */

/* "radio0, pid 812, uid 1001", of which a stranger learns nothing. */
static void print_who(const Wire__IoHolder *holder, FILE *stream)
{
        char safe[SAFE_TEXT_BYTES];

        if (holder->known)
                fprintf(stream, "%s, pid %" PRIu32 ", uid %" PRIu32,
                        safe_text(holder->client, safe), holder->pid, holder->uid);
        else
                fprintf(stream, "somebody else");
}

/* "17, offset 0x1000 of 0x2000, "iq-ring"". */
static void print_buffer(const Wire__IoHolder *holder, FILE *stream)
{
        char safe[SAFE_TEXT_BYTES];

        fprintf(stream, "%" PRIu64 ", offset 0x%" PRIx64 " of 0x%" PRIx64, holder->buffer,
                holder->offset, holder->size);
        if (*holder->label)
                fprintf(stream, ", \"%s\"", safe_text(holder->label, safe));
}

/* "0x10000 to 0x11fff of device capture0 (0000:03:00.0)". */
static void print_place(const Wire__IoHolder *holder, FILE *stream)
{
        char safe[SAFE_TEXT_BYTES];

        fprintf(stream, "0x%" PRIx64 " to 0x%" PRIx64, holder->first, holder->last);
        if (*holder->device)
                fprintf(stream, " of device %s", safe_text(holder->device, safe));
        if (*holder->pci && strcmp(holder->pci, holder->device) != 0)
                fprintf(stream, " (%s)", safe_text(holder->pci, safe));
}

static void print_present(const Wire__IoHolder *holder, FILE *stream)
{
        char safe[SAFE_TEXT_BYTES];

        fprintf(stream, "%-8s %s\n", "state", safe_text(holder->state, safe));
        fprintf(stream, "%-8s ", "mapped");
        print_place(holder, stream);
        fprintf(stream, "\n%-8s ", "buffer");
        print_buffer(holder, stream);
        if (holder->has_phys)
                fprintf(stream, "\n%-8s 0x%" PRIx64 ", of pool %s", "memory", holder->phys,
                        safe_text(holder->pool, safe));
        fprintf(stream, "\n%-8s ", "client");
        print_who(holder, stream);
        fputc('\n', stream);
}

static void print_former(const Wire__IoHolder *former, FILE *stream)
{
        char text[MOMENT_BYTES], age[64];

        fprintf(stream, "%-8s ", "before");
        print_who(former, stream);
        fprintf(stream, ", until %s (%s ago)\n", moment_text(former->age_ms, text),
                duration_text(former->age_ms / 1000, age));
        fprintf(stream, "%-8s buffer ", "");
        print_buffer(former, stream);
        fprintf(stream, "\n%-8s mapped ", "");
        print_place(former, stream);
        if (former->has_phys)
                fprintf(stream, "\n%-8s memory 0x%" PRIx64, "", former->phys);
        fputc('\n', stream);
}

void lookup_io_print(const struct subject *subject, const Wire__FoundIo *found, FILE *stream)
{
        fprintf(stream, "%-8s 0x%" PRIx64 ", an I/O address: as clients have told\n", "address",
                subject->address);
        if (found->other_devices)
                fprintf(stream, "%-8s nobody has told of it for this device; for others:\n",
                        "note");
        if (!found->n_holders)
                fprintf(stream, "%-8s not mapped, as far as clients have told\n", "state");
        for (size_t i = 0; i < found->n_holders; i++)
                print_present(found->holders[i], stream);
        for (size_t i = 0; i < found->n_former; i++)
                print_former(found->former[i], stream);
        if (found->more)
                fprintf(stream, "%-8s there are more; name the device\n", "note");
}
