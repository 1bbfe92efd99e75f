/* SPDX-License-Identifier: MIT */
/*
 * Get a buffer the way a driver does, through libpar, show it, and give it back: after a time,
 * after a command, or at once. A signal never leaves it to quarantine.
 */
#include "child.h"
#include "commands.h"
#include "exits.h"
#include "explanation.h"
#include "json.h"
#include "par.h"
#include "request_device.h"
#include "segments.h"
#include "stop.h"
#include "table.h"
#include "trial.h"
#include "units.h"

#include <stdlib.h>

static json_t *buffer_json(const struct par_buffer *buffer, const struct arguments *arguments)
{
        const struct par_segment *segments;
        const size_t n = par_buffer_segments(buffer, &segments);
        json_t *object = json_object();

        json_object_set_new(object, "buffer", json_size(par_buffer_id(buffer)));
        json_object_set_new(object, "label", json_text(arguments->label));
        json_object_set_new(object, "name", json_text(arguments->name));
        json_object_set_new(object, "pool", json_text(par_buffer_pool(buffer)));
        json_object_set_new(object, "size", json_size(par_buffer_size(buffer)));
        json_object_set_new(object, "dma", segment_address_json(par_buffer_dma(buffer)));
        json_object_set_new(object, "segments", segments_json(segments, n));
        return object;
}

static int print_text(FILE *stream, const struct par_buffer *buffer,
                      const struct arguments *arguments)
{
        const struct par_segment *segments;
        const size_t n = par_buffer_segments(buffer, &segments);
        char size[UNIT_TEXT_BYTES];

        fprintf(stream, "buffer %" PRIu64 ": %s from pool %s, segments: %zu\n",
                par_buffer_id(buffer), size_text(par_buffer_size(buffer), arguments->bytes, size),
                par_buffer_pool(buffer), n);
        return segments_print(segments, n, arguments, stream);
}

/* Standard output is COMMAND's, where there is one. */
static int print_buffer(const struct par_buffer *buffer, const struct arguments *arguments)
{
        FILE *stream = arguments->child_argv ? stderr : stdout;
        int r;

        if (arguments->json)
                r = json_print(stream, "alloc", buffer_json(buffer, arguments));
        else
                r = print_text(stream, buffer, arguments);
        if (!r)
                return EXIT_DONE;
        fprintf(stderr, "parctl: the buffer cannot be printed\n");
        return EXIT_OTHER;
}

/* Or not, where there is none to be known. */
static int set_address(const char *name, uint64_t address)
{
        char text[32];

        if (address == PAR_PHYS_NONE)
                return unsetenv(name);
        snprintf(text, sizeof(text), "0x%" PRIx64, address);
        return setenv(name, text, 1);
}

static int set_environment(const struct par_buffer *buffer)
{
        const struct par_segment *runs;
        char text[32];
        int r;

        par_buffer_runs(buffer, &runs);
        snprintf(text, sizeof(text), "%" PRIu64, par_buffer_id(buffer));
        r = setenv("PAR_BUFFER", text, 1);
        snprintf(text, sizeof(text), "%zu", par_buffer_size(buffer));
        r |= setenv("PAR_SIZE", text, 1);
        r |= set_address("PAR_DMA", par_buffer_dma(buffer));
        return r | set_address("PAR_PHYS", runs[0].phys);
}

/**
 * struct job - one run of alloc
 * @arguments: borrowed
 * @par:       connection
 * @child_ran: COMMAND was started: the exit status is its own
 */
struct job {
        const struct arguments *arguments;
        struct par *par;
        bool child_ran;
};

static int use_buffer(struct job *job, const struct par_buffer *buffer)
{
        const struct arguments *arguments = job->arguments;
        int status;

        status = print_buffer(buffer, arguments);
        if (status)
                return status;
        if (!arguments->child_argv) {
                if (arguments->hold_ns)
                        stop_wait(arguments->hold_ns);
                return EXIT_DONE;
        }
        if (set_environment(buffer)) {
                fprintf(stderr, "parctl: out of memory\n");
                return EXIT_OTHER;
        }
        job->child_ran = true;
        return child_run(arguments->child_argv);
}

/*
 * A refusal is explained as explain does it. That is a second question, which knows no names, so
 * where its answer is another one, or cannot be had, libpar's own sentence stands.
 */
static int not_granted(const struct arguments *arguments, int r)
{
        const int status = par_is_permanent(r) ? EXIT_REFUSED_EVER : EXIT_REFUSED;
        char sentence[512];
        int explained;

        if (r > -PAR_NEVER_FITS || r == -PAR_GONE)
                return request_failed(r);
        if (arguments->vfio) /* pard knows nothing of that */
                return explanation_print_last(NULL, arguments, stderr);
        snprintf(sentence, sizeof(sentence), "%s",
                 *par_error(NULL) ? par_error(NULL) : par_strerror(r));
        explained = explanation_print_refusal(arguments, stderr);
        if (r == -PAR_TIMED_OUT || (explained != EXIT_REFUSED && explained != EXIT_REFUSED_EVER))
                fprintf(stderr, "parctl: %s\n", sentence);
        return status;
}

static int alloc(struct job *job, const struct par_device *device)
{
        const struct arguments *arguments = job->arguments;
        const struct par_constraint want = trial_constraint(arguments);
        const struct par_alloc_options options = {
                .device = device,
                .pool = arguments->pool,
                .label = arguments->label,
                .name = arguments->name,
                .allow = arguments->allow,
                .flags = arguments->lasting ? PAR_ALLOC_LASTING : 0,
                .wait_ms = arguments->wait_ms,
        };
        struct par_buffer *buffer;
        int r, status;

        r = par_alloc(job->par, arguments->size, &want, &options, &buffer);
        if (r)
                return not_granted(arguments, r);
        status = use_buffer(job, buffer);
        par_free(buffer);
        return status;
}

static int with_device(struct job *job)
{
        struct request_device device;
        int r, status;

        r = request_device_open(job->par, job->arguments, &device);
        if (!r)
                status = alloc(job, device.device);
        else if (r <= -PAR_NEVER_FITS)
                status = not_granted(job->arguments, r);
        else
                status = EXIT_OTHER;
        request_device_close(&device);
        return status;
}

static int run(const struct arguments *arguments)
{
        const struct par_connect_options options = { .client_name = "parctl" };
        struct job job = { .arguments = arguments };
        int r, status;

        stop_prepare();
        r = par_connect(arguments->socket_path, &options, &job.par);
        if (r) {
                status = request_failed(r);
        } else {
                status = with_device(&job);
                par_disconnect(job.par);
        }
        /* Whatever failed here must not look like a status of COMMAND. */
        if (arguments->child_argv && !job.child_ran)
                status = EXIT_BEFORE_CHILD;
        return status;
}

const struct command command_alloc = {
        .name = "alloc",
        .takes = TAKES_REQUEST | TAKES_HOLD,
        .summary = "Get a buffer, show it, and give it back at the end",
        .help = "Without --hold and COMMAND the buffer is given back at once. SIGINT and "
                "SIGTERM end --hold and are passed on to COMMAND; the buffer is given "
                "back then too.\n\nCOMMAND finds PAR_BUFFER (the buffer's number), "
                "PAR_DMA, PAR_PHYS (its first addresses, unless its pool hides them) and PAR_SIZE "
                "(bytes) in its environment, and standard output is its own: the buffer is shown "
                "on "
                "standard error. Its exit status is parctl's; 125: parctl failed, 126: "
                "COMMAND cannot be executed, 127: it was not found.\n\nWith --lasting the buffer "
                "stays at the end, for whoever opens it by its name.\n\nA refused request "
                "is explained as \"parctl explain\" does it.",
        .run = run,
};
