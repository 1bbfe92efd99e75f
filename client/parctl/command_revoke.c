/* SPDX-License-Identifier: MIT */
/*
 * revoke and release: what an administrator does to other people's buffers. Both ask first, since
 * neither can be undone.
 */
#include "ask.h"
#include "commands.h"
#include "complain.h"
#include "confirm.h"
#include "exits.h"
#include "json.h"
#include "owners.h"
#include "pools.h"
#include "table.h"
#include "units.h"

/**
 * struct deed - one of the two
 * @reply:    which body its reply has
 * @done:     what has been done, for people
 * @question: asked first
 * @quarantined: it is about memory in quarantine
 */
struct deed {
        Wire__Request__BodyCase request;
        Wire__Reply__BodyCase reply;
        const char *done, *question;
        bool quarantined;
};

static const struct deed revoke = {
        .request = WIRE__REQUEST__BODY_REVOKE,
        .reply = WIRE__REPLY__BODY_REVOKE,
        .done = "revoked",
        .question = "Cut them off from that?",
};

static const struct deed release = {
        .request = WIRE__REQUEST__BODY_RELEASE,
        .reply = WIRE__REPLY__BODY_RELEASE,
        .done = "released",
        .question = "Is no device using it any more?",
        .quarantined = true,
};

/* One selection. @buffer: 0: any. */
static int act(struct ask *ask, const struct deed *deed, const struct arguments *arguments,
               uint64_t buffer, uint64_t *bytes)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Selection selection = WIRE__SELECTION__INIT;
        const Wire__Reply *reply;
        int status;

        selection.buffer = buffer;
        selection.client = arguments->client;
        if (arguments->client_name)
                selection.client_name = (char *)arguments->client_name;
        if (arguments->pool)
                selection.pool = (char *)arguments->pool;
        request.body_case = deed->request;
        request.revoke = &selection; /* both are asked for with the same message */
        status = ask_for(ask, &request, deed->reply, &reply);
        if (!status)
                *bytes += reply->revoke->bytes; /* and answered with the same */
        return status;
}

/* All buffers that are named, whatever becomes of one of them. Return: the first failure's status.
 */
static int act_on_all(struct ask *ask, const struct deed *deed, const struct arguments *arguments,
                      uint64_t *bytes)
{
        int first = EXIT_DONE;

        if (!arguments->n_operands)
                return act(ask, deed, arguments, 0, bytes);
        for (size_t i = 0; i < arguments->n_operands; i++) {
                uint64_t buffer = 0;
                const char *rest;
                int status;

                if (units_number(arguments->operands[i], &buffer, &rest))
                        return EXIT_USAGE;
                status = act(ask, deed, arguments, buffer, bytes);
                if (status == EXIT_NO_DAEMON)
                        return status;
                if (status && arguments->n_operands > 1)
                        complain("buffer %" PRIu64 " was not %s", buffer, deed->done);
                if (status && first == EXIT_DONE)
                        first = status;
        }
        return first;
}

static int print(const struct deed *deed, const struct arguments *arguments, uint64_t bytes)
{
        char size[UNIT_TEXT_BYTES];
        json_t *object;

        if (arguments->json) {
                object = json_object();
                json_object_set_new(object, "bytes", json_size(bytes));
                if (json_print(stdout, arguments->command->name, object))
                        return EXIT_OTHER;
        } else {
                printf("%s: %s\n", deed->done, size_text(bytes, arguments->bytes, size));
        }
        return fflush(stdout) ? EXIT_OTHER : EXIT_DONE;
}

/* Show what it is about and ask. Return: 0: go on, or the exit status. */
static int ask_first(struct ask *ask, const struct deed *deed, const struct arguments *arguments)
{
        bool any = false;
        int status;

        status = owners_show(ask, arguments, deed->quarantined, &any);
        if (status)
                return status;
        if (any && confirm(deed->question))
                return 0;
        complain(any ? "nothing was done" : "there is nothing of that kind; nothing was done");
        return EXIT_REFUSED;
}

static int with_daemon(struct ask *ask, const struct deed *deed, const struct arguments *arguments)
{
        uint64_t bytes = 0;
        int status, printed;

        status = pools_check(ask, arguments->pool);
        if (!status && !arguments->yes)
                status = ask_first(ask, deed, arguments);
        if (status)
                return status;
        status = act_on_all(ask, deed, arguments, &bytes);
        if (status && !bytes)
                return status;
        printed = print(deed, arguments, bytes);
        return status ? status : printed;
}

static int run(const struct deed *deed, const struct arguments *arguments)
{
        struct ask *ask;
        int status;

        if (!arguments->yes && !confirm_possible()) {
                complain("%s cannot be undone, and nobody is there to be asked: say --yes\n"
                         "Try: parctl %s --help",
                         arguments->command->name, arguments->command->name);
                return EXIT_USAGE;
        }
        status = ask_open(arguments->socket_path, &ask);
        if (status)
                return status;
        status = with_daemon(ask, deed, arguments);
        ask_close(ask);
        return status;
}

static int run_revoke(const struct arguments *arguments)
{
        return run(&revoke, arguments);
}

static int run_release(const struct arguments *arguments)
{
        return run(&release, arguments);
}

const struct command command_revoke = {
        .name = "revoke",
        .operands = "[BUFFER...]",
        .operand = OPERAND_NUMBER,
        .operands_max = SIZE_MAX,
        .takes = TAKES_OWNER,
        .summary = "Cut clients off from buffers of theirs",
        .help = "For administrators. Their clients are told, and these buffers are no longer "
                "theirs to use; the memory is quarantined as if they had died, since their devices "
                "may go on writing, and stays charged to them as long as they keep it mapped.\n\n"
                "Several of BUFFER, --client, --client-name and --pool mean what all of them fit. "
                "Shows what it is about and asks, on a terminal; elsewhere, and where nobody shall "
                "be asked, say --yes. The exit status is 1 where the answer is no.",
        .run = run_revoke,
};

const struct command command_release = {
        .name = "release",
        .operands = "[BUFFER...]",
        .operand = OPERAND_NUMBER,
        .operands_max = SIZE_MAX,
        .takes = TAKES_OWNER,
        .summary = "End the quarantine of memory: no device is using it any more",
        .help = "Everybody may do that for memory that programs of his own left behind, "
                "administrators for all. Make sure first that the device was reset or is switched "
                "off: memory that it still writes to will be somebody else's.\n\nSeveral of "
                "BUFFER, --client, --client-name and --pool mean what all of them fit. Shows what "
                "it is about and asks, on a terminal; elsewhere, and where nobody shall be asked, "
                "say --yes. The exit status is 1 where the answer is no.",
        .run = run_release,
};
