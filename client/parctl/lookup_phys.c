/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. What of strangers the asker may not know, pard does not tell.
 */
#include "lookup_phys.h"

#include "ask.h"
#include "json.h"
#include "lookup_fault.h"
#include "moment.h"
#include "safe_text.h"
#include "table.h"
#include "units.h"

/**
 * struct found - an answer, with what it may lack filled in
 * @buffer: NULL: the address lies in none
 * @known:  the asker may know whose it is
 * @pid:    0: not known
 */
struct found {
        uint64_t address;
        const Wire__Found *wire;
        const Wire__Frame *frame;
        const Wire__Buffer *buffer;
        bool known;
        const char *client, *label;
        uint32_t uid, pid;
};

static struct found found_of(uint64_t address, const Wire__Found *wire)
{
        struct found found = { .address = address, .wire = wire, .client = "", .label = "" };

        if (!wire->held || !wire->frame)
                return found;
        found.frame = wire->frame;
        if (wire->buffer && wire->buffer->buffer) {
                found.buffer = wire->buffer;
                found.label = wire->buffer->label;
                found.known = wire->buffer->known;
                found.client = wire->buffer->client;
                found.uid = wire->buffer->uid;
                found.pid = wire->buffer->pid;
        } else {
                found.known = wire->frame->known;
                found.client = wire->frame->client;
                found.uid = wire->frame->uid;
        }
        return found;
}

static json_t *previous_json(const Wire__Found *wire)
{
        json_t *array = json_array();

        for (size_t i = 0; i < wire->n_former; i++) {
                const Wire__FormerHolder *former = wire->former[i];
                json_t *object = json_object();
                char text[MOMENT_BYTES];

                json_object_set_new(object, "client",
                                    json_text(former->known ? former->client : NULL));
                json_object_set_new(object, "uid",
                                    former->known ? json_integer(former->uid) : json_null());
                json_object_set_new(object, "label",
                                    json_text(former->known ? former->label : NULL));
                json_object_set_new(object, "until", json_text(moment_text(former->age_ms, text)));
                json_array_append_new(array, object);
        }
        return array;
}

json_t *lookup_phys_json(const struct subject *subject, const Wire__Found *wire)
{
        const struct found of = found_of(subject->address, wire), *found = &of;
        const Wire__Frame *frame = found->frame;
        const Wire__Buffer *buffer = found->buffer;
        json_t *object = json_object();

        json_object_set_new(object, "address", json_address(found->address));
        json_object_set_new(object, "space", json_text("phys"));
        json_object_set_new(object, "frame", frame ? json_address(frame->phys) : json_null());
        json_object_set_new(object, "state", json_text(frame ? frame->state : NULL));
        json_object_set_new(object, "buffer", buffer ? json_size(buffer->buffer) : json_null());
        json_object_set_new(object, "offset",
                            buffer ? json_size(found->wire->offset) : json_null());
        json_object_set_new(object, "label", json_text(found->label));
        json_object_set_new(object, "client", json_text(found->known ? found->client : NULL));
        json_object_set_new(object, "pid",
                            found->known && found->pid ? json_integer(found->pid) : json_null());
        json_object_set_new(object, "uid",
                            found->known && *found->client ? json_integer(found->uid)
                                                           : json_null());
        json_object_set_new(object, "previous", previous_json(found->wire));
        json_object_set_new(object, "held", json_boolean(frame != NULL));
        json_object_set_new(object, "pool", json_text(frame ? frame->pool : NULL));
        json_object_set_new(object, "page_size", frame ? json_size(frame->size) : json_null());
        json_object_set_new(object, "node",
                            frame && frame->node >= 0 ? json_integer(frame->node) : json_null());
        json_object_set_new(object, "note", json_text(frame ? frame->note : NULL));
        json_object_set_new(object, "fault", lookup_fault_json(subject));
        return object;
}

static void print_holder(const struct found *found, FILE *stream)
{
        char safe[SAFE_TEXT_BYTES];

        if (!found->known) {
                fprintf(stream, "%-8s somebody else\n", "client");
                return;
        }
        fprintf(stream, "%-8s %s", "client", safe_text(found->client, safe));
        if (found->pid)
                fprintf(stream, ", pid %" PRIu32, found->pid);
        fprintf(stream, ", uid %" PRIu32 "\n", found->uid);
}

static void print_frame(const struct found *found, bool exact, FILE *stream)
{
        const Wire__Frame *frame = found->frame;
        char safe[SAFE_TEXT_BYTES], size[UNIT_TEXT_BYTES];

        fprintf(stream, "%-8s %s\n", "state", safe_text(frame->state, safe));
        fprintf(stream, "%-8s 0x%" PRIx64 ", %s of pool %s", "frame", frame->phys,
                size_text(frame->size, exact, size), safe_text(frame->pool, safe));
        if (frame->node >= 0)
                fprintf(stream, ", node %" PRId32, frame->node);
        fputc('\n', stream);
        if (*frame->note)
                fprintf(stream, "%-8s %s\n", "note", safe_text(frame->note, safe));
        if (found->buffer) {
                fprintf(stream, "%-8s %" PRIu64 ", offset 0x%" PRIx64 " of 0x%" PRIx64, "buffer",
                        found->buffer->buffer, found->wire->offset, found->buffer->size);
                if (*found->label)
                        fprintf(stream, ", \"%s\"", safe_text(found->label, safe));
                fputc('\n', stream);
        }
        /* A free frame is nobody's. */
        if (found->buffer || *found->client || frame->buffers)
                print_holder(found, stream);
}

static void print_former(const Wire__FormerHolder *former, FILE *stream)
{
        char safe[SAFE_TEXT_BYTES], text[MOMENT_BYTES], age[64];

        if (former->known)
                fprintf(stream, "%-8s %s, uid %" PRIu32, "before", safe_text(former->client, safe),
                        former->uid);
        else
                fprintf(stream, "%-8s somebody else", "before");
        if (former->known && *former->label)
                fprintf(stream, ", \"%s\"", safe_text(former->label, safe));
        fprintf(stream, ", until %s (%s ago)\n", moment_text(former->age_ms, text),
                duration_text(former->age_ms / 1000, age));
}

void lookup_phys_print(const struct subject *subject, const Wire__Found *wire, bool exact,
                       FILE *stream)
{
        const struct found found = found_of(subject->address, wire);

        if (subject->kind == SUBJECT_FAULT)
                fprintf(stream, "%-8s 0x%" PRIx64 ", taken as a physical one\n", "address",
                        found.address);
        else
                fprintf(stream, "%-8s 0x%" PRIx64 "\n", "address", found.address);
        if (found.frame)
                print_frame(&found, exact, stream);
        else
                fprintf(stream, "%-8s not held: pard has no memory there\n", "state");
        for (size_t i = 0; i < found.wire->n_former; i++)
                print_former(found.wire->former[i], stream);
}

int lookup_phys_ask(struct ask *ask, uint64_t address, const Wire__Found **ret)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Lookup lookup = WIRE__LOOKUP__INIT;
        const Wire__Reply *reply;
        int status;

        lookup.address = address;
        request.body_case = WIRE__REQUEST__BODY_LOOKUP;
        request.lookup = &lookup;
        status = ask_for(ask, &request, WIRE__REPLY__BODY_LOOKUP, &reply);
        if (!status)
                *ret = reply->lookup;
        return status;
}

bool lookup_phys_is_known(const Wire__Found *found)
{
        return found->held || found->n_former;
}
