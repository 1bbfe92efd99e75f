/* SPDX-License-Identifier: MIT */
/* The daemon as a whole. */
#include "ask.h"
#include "commands.h"
#include "complain.h"
#include "exits.h"
#include "json.h"
#include "output.h"
#include "pools.h"
#include "progress.h"
#include "safe_text.h"
#include "table.h"
#include "units.h"

static json_t *status_json(const Wire__Status *status, const Wire__StateBytes *bytes)
{
        json_t *object = json_object();

        json_object_set_new(object, "server", json_text(status->server));
        json_object_set_new(object, "backend", json_text(status->backend));
        json_object_set_new(object, "state", json_text(status->state));
        json_object_set_new(object, "pinned", json_boolean(status->pinned));
        json_object_set_new(object, "pools", json_integer(status->pools));
        json_object_set_new(object, "clients", json_integer(status->clients));
        json_object_set_new(object, "buffers", json_size(status->buffers));
        json_object_set_new(object, "waiting", json_size(status->waiting));
        json_object_set_new(object, "grants", json_size(status->grants));
        json_object_set_new(object, "refusals", json_size(status->refusals));
        json_object_set_new(object, "held", json_size(bytes->held));
        json_object_set_new(object, "free", json_size(bytes->free));
        json_object_set_new(object, "granted", json_size(bytes->granted));
        json_object_set_new(object, "reusable", json_size(bytes->reusable));
        json_object_set_new(object, "leaving", json_size(bytes->leaving));
        json_object_set_new(object, "lingering", json_size(bytes->lingering));
        json_object_set_new(object, "quarantined", json_size(bytes->quarantined));
        json_object_set_new(object, "retired", json_size(bytes->retired));
        json_object_set_new(object, "lost_to_system", json_size(status->lost_to_system));
        json_object_set_new(object, "moved", json_size(status->moved));
        json_object_set_new(object, "uptime_s", json_size(status->uptime_ms / 1000));
        json_object_set_new(object, "worker_starts", json_integer(status->worker_starts));
        json_object_set_new(object, "admin", json_boolean(status->admin));
        json_object_set_new(object, "note", json_text(status->note));
        return object;
}

static void print_size(FILE *stream, const char *name, uint64_t bytes, bool exact)
{
        char text[UNIT_TEXT_BYTES];

        fprintf(stream, "%-15s %s\n", name, size_text(bytes, exact, text));
}

static void print_number(FILE *stream, const char *name, uint64_t number)
{
        fprintf(stream, "%-15s %" PRIu64 "\n", name, number);
}

static void print_text(FILE *stream, const Wire__Status *status, const Wire__StateBytes *bytes,
                       bool exact)
{
        char uptime[64], safe[SAFE_TEXT_BYTES];

        fprintf(stream, "%-15s %s\n", "server", status->server);
        fprintf(stream, "%-15s %s\n", "backend", status->backend);
        fprintf(stream, "%-15s %s\n", "state", status->state);
        fprintf(stream, "%-15s %s\n", "pinned",
                status->pinned ? "yes" : "no: the kernel may move memory under a device");
        fprintf(stream, "%-15s %s\n", "uptime", duration_text(status->uptime_ms / 1000, uptime));
        print_number(stream, "pools", status->pools);
        print_number(stream, "clients", status->clients);
        print_number(stream, "buffers", status->buffers);
        print_number(stream, "waiting", status->waiting);
        print_number(stream, "grants", status->grants);
        print_number(stream, "refusals", status->refusals);
        print_size(stream, "held", bytes->held, exact);
        print_size(stream, "  free", bytes->free, exact);
        print_size(stream, "  granted", bytes->granted, exact);
        print_size(stream, "  reusable", bytes->reusable, exact);
        print_size(stream, "  leaving", bytes->leaving, exact);
        print_size(stream, "  lingering", bytes->lingering, exact);
        print_size(stream, "  quarantined", bytes->quarantined, exact);
        print_size(stream, "  retired", bytes->retired, exact);
        if (*status->note)
                fprintf(stream, "%-15s %s\n", "quarantine", safe_text(status->note, safe));
        print_number(stream, "lost to system", status->lost_to_system);
        print_number(stream, "moved", status->moved);
        print_number(stream, "worker starts", status->worker_starts);
}

static int print_status(const Wire__Status *status, const struct arguments *arguments, FILE *stream)
{
        const Wire__StateBytes none = WIRE__STATE_BYTES__INIT;
        const Wire__StateBytes *bytes = status->bytes ? status->bytes : &none;

        if (arguments->json)
                return json_print(stream, "status", status_json(status, bytes));
        print_text(stream, status, bytes, arguments->bytes);
        return 0;
}

static int ask_status(struct ask *ask, const Wire__Reply **ret)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;

        request.body_case = WIRE__REQUEST__BODY_STATUS;
        request.status = &list;
        return ask_for(ask, &request, WIRE__REPLY__BODY_STATUS, ret);
}

static int show(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        struct pools pools = { 0 };
        const Wire__Reply *reply;
        int status, r;

        status = ask_status(ask, &reply);
        if (status)
                return status;
        r = print_status(reply->status, arguments, output->stream);
        if (!r && !arguments->json)
                status = pools_ask(ask, &pools);
        if (!r && !status)
                progress_lines(&pools, NULL, true, arguments->bytes, output);
        pools_deinit(&pools);
        if (!r && fflush(output->stream) == 0)
                return status;
        complain("the status cannot be printed");
        return EXIT_OTHER;
}

const struct command command_status = {
        .name = "status",
        .takes = TAKES_WATCH,
        .summary = "Show the daemon: its memory by state, and what it has done",
        .help = "free + granted + reusable + leaving + lingering + quarantined + retired "
                "= held.\n\nBelow it stands how far pools are that are filling, growing, "
                "harvesting or "
                "draining, and which are short, and why; \"parctl --json pools\" has the figures.",
        .show = show,
};
