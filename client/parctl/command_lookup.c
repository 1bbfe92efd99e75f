/* SPDX-License-Identifier: MIT */
/*
 * Whose is this address, and whose was it?
 */
#include "ask.h"
#include "commands.h"
#include "complain.h"
#include "exits.h"
#include "json.h"
#include "output.h"
#include "safe_text.h"
#include "table.h"
#include "units.h"

#include <assert.h>
#include <time.h>

#define MOMENT_BYTES 32

/* When something ended that ended so long ago, in UTC. */
static const char *moment(uint64_t age_ms, char text[MOMENT_BYTES])
{
        const time_t then = time(NULL) - (time_t)(age_ms / 1000);
        struct tm tm;

        if (!gmtime_r(&then, &tm) || !strftime(text, MOMENT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm))
                return "";
        return text;
}

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
                json_object_set_new(object, "until", json_text(moment(former->age_ms, text)));
                json_array_append_new(array, object);
        }
        return array;
}

static json_t *found_json(const struct found *found)
{
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
        fprintf(stream, ", until %s (%s ago)\n", moment(former->age_ms, text),
                duration_text(former->age_ms / 1000, age));
}

static void print_text(const struct found *found, bool exact, FILE *stream)
{
        fprintf(stream, "%-8s 0x%" PRIx64 "\n", "address", found->address);
        if (found->frame)
                print_frame(found, exact, stream);
        else
                fprintf(stream, "%-8s not held: pard has no memory there\n", "state");
        for (size_t i = 0; i < found->wire->n_former; i++)
                print_former(found->wire->former[i], stream);
}

static int look_up(struct ask *ask, uint64_t address, const struct arguments *arguments,
                   const struct output *output)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Lookup lookup = WIRE__LOOKUP__INIT;
        const Wire__Reply *reply;
        struct found found;
        int status, r = 0;

        lookup.address = address;
        request.body_case = WIRE__REQUEST__BODY_LOOKUP;
        request.lookup = &lookup;
        status = ask_for(ask, &request, WIRE__REPLY__BODY_LOOKUP, &reply);
        if (status)
                return status;
        found = found_of(address, reply->lookup);
        if (arguments->json)
                r = json_print(output->stream, "lookup", found_json(&found));
        else
                print_text(&found, arguments->bytes, output->stream);
        if (!r && fflush(output->stream) == 0)
                return EXIT_DONE;
        complain("the answer cannot be printed");
        return EXIT_OTHER;
}

static int show(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        int status = EXIT_DONE;

        for (size_t i = 0; i < arguments->n_operands && !status; i++) {
                uint64_t address = 0;
                const int r = size_parse(arguments->operands[i], &address);

                assert(!r); /* checked with the command line */
                (void)r;
                if (i && !arguments->json)
                        fputc('\n', output->stream);
                status = look_up(ask, address, arguments, output);
        }
        return status;
}

const struct command command_lookup = {
        .name = "lookup",
        .operands = "ADDRESS...",
        .operand = OPERAND_ADDRESS,
        .operands_min = 1,
        .operands_max = SIZE_MAX,
        .summary = "Tell whose memory lies at physical addresses, and whose it was",
        .help = "With --json one object a line for each address. Whose memory it is and was, only "
                "administrators are told of others. Times are in UTC. That pard has no memory at "
                "an address is an answer: the exit status is 0.",
        .show = show,
};
