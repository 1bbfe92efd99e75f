/* SPDX-License-Identifier: MIT */
/*
 * Whose is this address, and whose was it?
 *
 * A fault's address is an I/O address. But where nobody has told of a mapping there, it may be a
 * physical one: a driver that does not know of the IOMMU gives its device those. So the answer is
 * the I/O address's where it is known for the requester, and otherwise also the physical one's.
 */
#include "ask.h"
#include "commands.h"
#include "complain.h"
#include "exits.h"
#include "json.h"
#include "lookup_fault.h"
#include "lookup_io.h"
#include "lookup_phys.h"
#include "output.h"

#include <string.h>

/* Longer lines of standard input are cut: a kernel's line has at most 1,024 bytes. */
#define LINE_BYTES 4096

/**
 * struct looking - a run of the command
 * @n: answers so far
 */
struct looking {
        const struct arguments *arguments;
        struct ask *ask;
        FILE *stream;
        size_t n;
};

/* Before an answer that is printed as text. */
static void begin_text(struct looking *looking, const struct subject *subject)
{
        if (looking->n++)
                fputc('\n', looking->stream);
        lookup_fault_print(subject, looking->stream);
}

/* Return: the exit status. */
static int end(struct looking *looking, int r)
{
        if (!r && fflush(looking->stream) == 0)
                return EXIT_DONE;
        complain("the answer cannot be printed");
        return EXIT_OTHER;
}

static int show_phys(struct looking *looking, const struct subject *subject,
                     const Wire__Found *found)
{
        if (looking->arguments->json)
                return end(looking,
                           json_print(looking->stream, "lookup", lookup_phys_json(subject, found)));
        begin_text(looking, subject);
        lookup_phys_print(subject, found, looking->arguments->bytes, looking->stream);
        return end(looking, 0);
}

static int show_io(struct looking *looking, const struct subject *subject,
                   const Wire__FoundIo *found)
{
        if (looking->arguments->json)
                return end(looking,
                           json_print(looking->stream, "lookup", lookup_io_json(subject, found)));
        begin_text(looking, subject);
        lookup_io_print(subject, found, looking->stream);
        return end(looking, 0);
}

/* Return: the exit status. @if_known: no answer where pard knows nothing of it. */
static int look_up_phys(struct looking *looking, const struct subject *subject, bool if_known)
{
        const Wire__Found *found;
        const int status = lookup_phys_ask(looking->ask, subject->address, &found);

        if (status || (if_known && !lookup_phys_is_known(found)))
                return status;
        return show_phys(looking, subject, found);
}

static int look_up_io(struct looking *looking, const struct subject *subject)
{
        const Wire__FoundIo *found;
        bool known;
        int status;

        status = lookup_io_ask(looking->ask, subject, looking->arguments->device, &found);
        if (status)
                return status;
        known = lookup_io_is_known(found);
        status = show_io(looking, subject, found);
        if (status || known || subject->kind != SUBJECT_FAULT)
                return status;
        return look_up_phys(looking, subject, true);
}

static int look_up(struct looking *looking, const struct subject *subject)
{
        if (subject->kind == SUBJECT_PHYS)
                return look_up_phys(looking, subject, false);
        return look_up_io(looking, subject);
}

/* Read a line; what does not fit is passed over. Return: whether there was one. */
static bool read_line(FILE *stream, char line[LINE_BYTES])
{
        size_t n = 0;
        int c;

        while ((c = getc(stream)) != EOF && c != '\n')
                if (n < LINE_BYTES - 1 && c)
                        line[n++] = (char)c;
        line[n] = '\0';
        return c != EOF || n;
}

/* Faults among the lines of standard input. */
static int look_up_lines(struct looking *looking)
{
        char line[LINE_BYTES];
        bool some = false;

        while (read_line(stdin, line)) {
                struct subject subject;
                int status;

                if (!subject_parse(line, looking->arguments->iova, &subject))
                        continue;
                some = true;
                status = look_up(looking, &subject);
                if (status)
                        return status;
        }
        if (some)
                return EXIT_DONE;
        complain("no line of standard input reports a DMA that an IOMMU has stopped");
        return EXIT_USAGE;
}

static int show(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        struct looking looking = { arguments, ask, output->stream, 0 };
        int status = EXIT_DONE;

        for (size_t i = 0; i < arguments->n_operands && !status; i++) {
                struct subject subject;

                if (strcmp(arguments->operands[i], "-") == 0) {
                        status = look_up_lines(&looking);
                        continue;
                }
                if (!subject_parse(arguments->operands[i], arguments->iova, &subject))
                        return EXIT_USAGE; /* checked with the command line */
                status = look_up(&looking, &subject);
        }
        return status;
}

const struct command command_lookup = {
        .name = "lookup",
        .operands = "ADDRESS|LINE|-...",
        .operand = OPERAND_SUBJECT,
        .operands_min = 1,
        .operands_max = SIZE_MAX,
        .takes = TAKES_LOOKUP,
        .summary = "Tell whose memory lies at addresses, and whose it was",
        .help = "An ADDRESS is physical; with --iova, or as iova:ADDRESS, it is one that an IOMMU "
                "translates, as a device uses it. Clients tell where they map their buffers, pard "
                "cannot check it. A LINE is what the kernel's log says of a DMA that an IOMMU "
                "(Intel, AMD, Arm) has stopped, as one argument; - reads lines from standard "
                "input and passes over others: dmesg | parctl lookup -. Its device is looked for; "
                "if nobody has told of its address for that device, it is looked up as a physical "
                "one, too.\n\nWith --json one object a line for each answer. Whose memory it is "
                "and was, only administrators are told of others. Times are in UTC. That pard has "
                "no memory at an address is an answer: the exit status is 0.",
        .show = show,
};
