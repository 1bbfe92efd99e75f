/* SPDX-License-Identifier: MIT */
/*
 * Owns the text while it is read. One statement a line, words between blanks, comments after "#".
 * Refuses whatever it does not understand whole, with the line's number: an experiment on something
 * else than what the file says is worse than none.
 */
#include "workload.h"

#include "macros.h"
#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 40
#define HELD_MAX  64
#define PPM       UINT64_C(1000000)

/**
 * struct reader - a file that is being read
 * @workload: what has been read
 * @path:     for sentences
 * @line:     number of the line, from 1
 * @words:    of the line
 * @n_words:  how many
 * @error:    where the sentence goes
 * @error_bytes: room there
 */
struct reader {
        struct workload *workload;
        const char *path;
        unsigned line;
        char *words[WORDS_MAX];
        size_t n_words;
        char *error;
        size_t error_bytes;
};

static int fail(struct reader *reader, const char *format, ...)
{
        va_list args;
        int n;

        n = snprintf(reader->error, reader->error_bytes, "%s:%u: ", reader->path, reader->line);
        if (n > 0 && (size_t)n < reader->error_bytes) {
                va_start(args, format);
                vsnprintf(reader->error + n, reader->error_bytes - (size_t)n, format, args);
                va_end(args);
        }
        return -EINVAL;
}

/* Cut a line into words, in place; what is in quotes is one word. */
static int split(struct reader *reader, char *line)
{
        reader->n_words = 0;
        for (char *at = line;;) {
                const char *stop = " \t\n";

                at += strspn(at, " \t\n");
                if (!*at || *at == '#')
                        return 0;
                if (reader->n_words == WORDS_MAX)
                        return fail(reader, "more than %d words", WORDS_MAX);
                if (*at == '"') {
                        stop = "\"";
                        at++;
                }
                reader->words[reader->n_words++] = at;
                at += strcspn(at, stop);
                if (!*at)
                        return *stop == '"' ? fail(reader, "a quote is not closed") : 0;
                *at++ = '\0';
        }
}

static int copy_name(struct reader *reader, const char *from, char *to, size_t to_bytes)
{
        if (!*from || strlen(from) >= to_bytes)
                return fail(reader, "\"%s\" is no name of 1 to %zu characters", from, to_bytes - 1);
        for (const char *c = from; *c; c++) {
                if (!isprint((unsigned char)*c) || strchr("<>&|\\", *c))
                        return fail(reader, "a character in \"%s\" is not for names", from);
        }
        memcpy(to, from, strlen(from) + 1);
        return 0;
}

typedef int parse_fn(const char *text, uint64_t *ret);

/* "A..B", or "A" for a range of one value. Cuts the word. */
static int parse_span(struct reader *reader, char *word, parse_fn *parse, struct range *ret)
{
        char *dots = strstr(word, "..");

        if (dots) {
                *dots = '\0';
                dots += 2;
        }
        if (parse(word, &ret->first) || parse(dots ? dots : word, &ret->last) || ret->first == 0 ||
            ret->first > ret->last)
                return fail(reader, "\"%s%s%s\" is no span such as 4K..1M or 1ms..5s", word,
                            dots ? ".." : "", dots ? dots : "");
        return 0;
}

/* "12.5%", in millionths. */
static int parse_percent(struct reader *reader, const char *word, uint32_t *ret)
{
        uint64_t whole, part = 0;
        uint64_t unit = PPM / 100;
        const char *rest;

        if (units_number(word, &whole, &rest) || whole > 100)
                return fail(reader, "\"%s\" is no share such as 12.5%%", word);
        if (*rest == '.') {
                for (rest++; isdigit((unsigned char)*rest) && unit > 1; rest++) {
                        unit /= 10;
                        part += unit * (uint64_t)(*rest - '0');
                }
        }
        if (strcmp(rest, "%") != 0 || whole * (PPM / 100) + part > PPM)
                return fail(reader, "\"%s\" is no share such as 12.5%%", word);
        *ret = (uint32_t)(whole * (PPM / 100) + part);
        return 0;
}

static struct workload_machine *last_machine(struct reader *reader)
{
        return &reader->workload->machines[reader->workload->n_machines - 1];
}

static struct workload_mix *last_mix(struct reader *reader)
{
        return &reader->workload->mixes[reader->workload->n_mixes - 1];
}

/* "machine NAME" */
static int read_machine(struct reader *reader)
{
        struct workload *workload = reader->workload;

        if (reader->n_words != 2)
                return fail(reader, "write: machine NAME");
        if (workload->n_machines == WORKLOAD_MACHINES_MAX)
                return fail(reader, "more than %d machines", WORKLOAD_MACHINES_MAX);
        workload->n_machines++;
        return copy_name(reader, reader->words[1], last_machine(reader)->name, WORKLOAD_NAME_BYTES);
}

static int parse_memory(struct reader *reader, struct range *ret)
{
        uint64_t first, below;

        if (reader->workload->n_machines == 0 || reader->workload->n_mixes > 0)
                return fail(reader, "memory belongs to a machine");
        if (reader->n_words != 3 || size_parse(reader->words[1], &first) ||
            size_parse(reader->words[2], &below) || first >= below)
                return fail(reader, "write: %s FIRST BELOW, such as %s 1M 3G", reader->words[0],
                            reader->words[0]);
        *ret = (struct range){ first, below - 1 };
        if (!range_on_granule(*ret, WORKLOAD_GRANULE_BYTES))
                return fail(reader, "memory comes in multiples of %u bytes",
                            (unsigned)WORKLOAD_GRANULE_BYTES);
        return 0;
}

static int add_memory(struct reader *reader, struct range memory)
{
        struct workload_machine *machine = last_machine(reader);

        if (machine->n_memory == WORKLOAD_RANGES_MAX)
                return fail(reader, "more than %d pieces of memory", WORKLOAD_RANGES_MAX);
        machine->memory[machine->n_memory++] = memory;
        return 0;
}

/* "ram FIRST BELOW" */
static int read_ram(struct reader *reader)
{
        struct workload_machine *machine;
        struct range memory = RANGE_ALL;
        int r;

        r = parse_memory(reader, &memory);
        if (r)
                return r;
        machine = last_machine(reader);
        if (machine->n_memory && machine->memory[machine->n_memory - 1].last >= memory.first)
                return fail(reader, "memory is listed in ascending order");
        return add_memory(reader, memory);
}

/* "held FIRST BELOW": not for devices, the kernel has it. */
static int read_held(struct reader *reader)
{
        struct workload_machine *machine, before;
        struct range held = RANGE_ALL;
        int r;

        r = parse_memory(reader, &held);
        if (r)
                return r;
        machine = last_machine(reader);
        before = *machine;
        machine->n_memory = 0;
        for (size_t i = 0; i < before.n_memory && !r; i++) {
                const struct range memory = before.memory[i];

                if (!range_overlaps(memory, held)) {
                        r = add_memory(reader, memory);
                        continue;
                }
                if (memory.first < held.first)
                        r = add_memory(reader, (struct range){ memory.first, held.first - 1 });
                if (!r && held.last < memory.last)
                        r = add_memory(reader, (struct range){ held.last + 1, memory.last });
        }
        return r;
}

/* "mix NAME "TITLE"" */
static int read_mix(struct reader *reader)
{
        struct workload *workload = reader->workload;
        int r;

        if (reader->n_words != 3)
                return fail(reader, "write: mix NAME \"TITLE\"");
        if (workload->n_mixes == WORKLOAD_MIXES_MAX)
                return fail(reader, "more than %d mixes", WORKLOAD_MIXES_MAX);
        workload->n_mixes++;
        r = copy_name(reader, reader->words[1], last_mix(reader)->name, WORKLOAD_NAME_BYTES);
        if (r)
                return r;
        return copy_name(reader, reader->words[2], last_mix(reader)->title, WORKLOAD_TITLE_BYTES);
}

/* "on MACHINE..." */
static int read_on(struct reader *reader)
{
        const struct workload *workload = reader->workload;
        struct workload_mix *mix;

        if (workload->n_mixes == 0)
                return fail(reader, "machines belong to a mix");
        mix = last_mix(reader);
        for (size_t w = 1; w < reader->n_words; w++) {
                size_t i = 0;

                while (i < workload->n_machines &&
                       strcmp(workload->machines[i].name, reader->words[w]) != 0)
                        i++;
                if (i == workload->n_machines)
                        return fail(reader, "no machine is called \"%s\"", reader->words[w]);
                if (mix->n_machines == WORKLOAD_MACHINES_MAX)
                        return fail(reader, "more than %d machines", WORKLOAD_MACHINES_MAX);
                mix->machines[mix->n_machines++] = i;
        }
        return 0;
}

static int parse_window(struct reader *reader, const char *key, const char *word,
                        struct workload_class *class)
{
        const bool is_bits = strcmp(key, "bits") == 0;
        const char *rest;
        uint64_t number;

        if (is_bits) {
                if (units_number(word, &number, &rest) || *rest || number == 0 ||
                    number > WORKLOAD_BITS_MAX)
                        return fail(reader, "\"%s\" are no address bits: 1 to 64", word);
                class->bits = (unsigned)number;
                class->window.last = UINT64_MAX >> (WORKLOAD_BITS_MAX - number);
                return 0;
        }
        if (size_parse(word, &class->window.first))
                return fail(reader, "\"%s\" is no address", word);
        return 0;
}

static int parse_power(struct reader *reader, const char *word, uint64_t *ret)
{
        if (size_parse(word, ret) || !is_power_of_two(*ret))
                return fail(reader, "\"%s\" is no power of two", word);
        return 0;
}

static int parse_sizes(struct reader *reader, char *word, struct workload_class *class)
{
        char *save = NULL;

        for (char *part = strtok_r(word, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
                int r;

                if (class->n_sizes == WORKLOAD_SIZES_MAX)
                        return fail(reader, "more than %d sizes", WORKLOAD_SIZES_MAX);
                r = parse_span(reader, part, size_parse, &class->sizes[class->n_sizes++]);
                if (r)
                        return r;
        }
        return 0;
}

static int parse_share(struct reader *reader, const char *key, const char *word,
                       struct workload_class *class)
{
        static const char *const measures[] = {
                [WORKLOAD_OF_REACH] = "reach",
                [WORKLOAD_OF_REST] = "rest",
                [WORKLOAD_OF_ARRIVALS] = "arrivals",
        };

        for (size_t i = 0; i < ARRAY_SIZE(measures); i++) {
                if (strcmp(key, measures[i]) == 0) {
                        class->measure = (enum workload_measure)i;
                        return parse_percent(reader, word, &class->share_ppm);
                }
        }
        return fail(reader, "\"%s\" says nothing about a class", key);
}

static int read_key(struct reader *reader, const char *key, char *word,
                    struct workload_class *class)
{
        if (strcmp(key, "bits") == 0 || strcmp(key, "above") == 0)
                return parse_window(reader, key, word, class);
        if (strcmp(key, "size") == 0)
                return parse_sizes(reader, word, class);
        if (strcmp(key, "align") == 0)
                return parse_power(reader, word, &class->align_bytes);
        if (strcmp(key, "boundary") == 0)
                return parse_power(reader, word, &class->boundary_bytes);
        if (strcmp(key, "life") == 0)
                return parse_span(reader, word, duration_parse, &class->life_ns);
        return parse_share(reader, key, word, class);
}

static int check_class(struct reader *reader, const struct workload_class *class)
{
        if (!class->bits || !class->n_sizes || !class->life_ns.last || !class->share_ppm)
                return fail(reader, "class %s lacks bits, size, life or a share", class->name);
        if (class->window.first >= class->window.last)
                return fail(reader, "class %s reaches nothing", class->name);
        for (size_t i = 0; i < class->n_sizes; i++) {
                if (class->boundary_bytes && class->sizes[i].last > class->boundary_bytes)
                        return fail(reader, "class %s: a size is above the boundary", class->name);
        }
        return 0;
}

/* "class NAME KEY VALUE..." */
static int read_class(struct reader *reader)
{
        struct workload_class *class;
        struct workload_mix *mix;
        int r;

        if (reader->workload->n_mixes == 0)
                return fail(reader, "a class belongs to a mix");
        mix = last_mix(reader);
        if (mix->n_classes == WORKLOAD_CLASSES_MAX)
                return fail(reader, "more than %d classes", WORKLOAD_CLASSES_MAX);
        if (reader->n_words < 2 || reader->n_words % 2 != 0)
                return fail(reader, "write: class NAME KEY VALUE KEY VALUE ...");
        class = &mix->classes[mix->n_classes++];
        class->align_bytes = WORKLOAD_GRANULE_BYTES;
        r = copy_name(reader, reader->words[1], class->name, WORKLOAD_NAME_BYTES);
        for (size_t w = 2; w < reader->n_words && !r; w += 2)
                r = read_key(reader, reader->words[w], reader->words[w + 1], class);
        return r ? r : check_class(reader, class);
}

static int read_line(struct reader *reader, char *line)
{
        static const struct {
                const char *name;
                int (*read)(struct reader *reader);
        } statements[] = {
                { "machine", read_machine }, { "ram", read_ram }, { "held", read_held },
                { "mix", read_mix },         { "on", read_on },   { "class", read_class },
        };
        int r;

        r = split(reader, line);
        if (r || reader->n_words == 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
                if (strcmp(reader->words[0], statements[i].name) == 0)
                        return statements[i].read(reader);
        }
        return fail(reader, "\"%s\" begins no statement", reader->words[0]);
}

static int check_all(struct reader *reader)
{
        const struct workload *workload = reader->workload;

        for (size_t i = 0; i < workload->n_machines; i++) {
                if (!workload->machines[i].n_memory)
                        return fail(reader, "machine %s has no memory", workload->machines[i].name);
        }
        for (size_t i = 0; i < workload->n_mixes; i++) {
                if (!workload->mixes[i].n_machines || !workload->mixes[i].n_classes)
                        return fail(reader, "mix %s has no machine or no class",
                                    workload->mixes[i].name);
        }
        return workload->n_mixes ? 0 : fail(reader, "there is no mix");
}

int workload_read(const char *path, struct workload *ret, char *error, size_t error_bytes)
{
        struct reader reader = {
                .workload = ret, .path = path, .error = error, .error_bytes = error_bytes
        };
        char *line = NULL;
        size_t line_bytes = 0;
        FILE *file;
        int r = 0;

        *ret = (struct workload){ 0 };
        file = fopen(path, "re");
        if (!file)
                return -errno;
        while (!r && (errno = 0, getline(&line, &line_bytes, file) >= 0)) {
                reader.line++;
                r = read_line(&reader, line);
        }
        if (!r && !feof(file))
                r = errno ? -errno : -EIO;
        free(line);
        fclose(file);
        return r ? r : check_all(&reader);
}

uint64_t workload_bytes_in(const struct workload_machine *machine, struct range window)
{
        struct range part;
        uint64_t bytes = 0;

        for (size_t i = 0; i < machine->n_memory; i++) {
                if (range_intersect(machine->memory[i], window, &part))
                        bytes += range_size(part);
        }
        return bytes;
}
