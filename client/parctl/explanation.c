/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing beyond a call. Prints the same facts as text and as JSON.
 */
#include "explanation.h"

#include "ask.h"
#include "complain.h"
#include "exits.h"
#include "folded.h"
#include "json.h"
#include "macros.h"
#include "output.h"
#include "result.h"
#include "safe_text.h"
#include "segments.h"
#include "table.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *result_word(const Wire__Explanation *explanation)
{
        return explanation->result ? par_refusal_name((int)explanation->result) : "granted";
}

/* Return: the segments as a buffer would have them, owned by the caller; NULL without memory. */
static struct par_segment *segments_of(const Wire__Explanation *explanation)
{
        struct par_segment *segments = calloc(explanation->n_segments + 1, sizeof(*segments));
        uint64_t offset = 0;

        for (size_t i = 0; segments && i < explanation->n_segments; i++) {
                const Wire__Segment *wire = explanation->segments[i];

                segments[i] = (struct par_segment){
                        .dma = wire->dma,
                        .phys = wire->phys,
                        .length = wire->length,
                        .offset = offset,
                };
                offset += wire->length;
        }
        return segments;
}

static json_t *blockers_json(const Wire__Explanation *explanation)
{
        json_t *array = json_array();

        for (size_t i = 0; i < explanation->n_blockers; i++) {
                const Wire__Blocker *blocker = explanation->blockers[i];
                json_t *object = json_object();

                json_object_set_new(object, "buffer",
                                    blocker->buffer ? json_size(blocker->buffer) : json_null());
                json_object_set_new(object, "client",
                                    json_text(blocker->known ? blocker->client : NULL));
                json_object_set_new(object, "uid",
                                    blocker->known ? json_integer(blocker->uid) : json_null());
                json_object_set_new(object, "size", json_size(blocker->size));
                json_object_set_new(object, "needs_below",
                                    blocker->needs_below ? json_address(blocker->needs_below)
                                                         : json_null());
                json_array_append_new(array, object);
        }
        return array;
}

/* Whether anything is free for the asker in the window. */
static bool has_largest(const Wire__Explanation *explanation)
{
        return explanation->largest_last != 0;
}

static json_t *explanation_json(const Wire__Explanation *explanation, const Wire__Refusal *refusal,
                                const struct par_segment *segments)
{
        json_t *object = json_object();

        json_object_set_new(object, "result", json_string(result_word(explanation)));
        json_object_set_new(object, "permanent", json_boolean(refusal->permanent));
        json_object_set_new(object, "sentence", json_text(refusal->sentence));
        json_object_set_new(object, "limit", json_text(refusal->limit));
        json_object_set_new(object, "limit_set_by", json_text(refusal->limit_set_by));
        json_object_set_new(object, "size", json_size(refusal->size));
        json_object_set_new(object, "free_in_window", json_size(refusal->free_in_window));
        json_object_set_new(object, "largest_run", json_size(refusal->largest_run));
        json_object_set_new(object, "blockers", blockers_json(explanation));
        json_object_set_new(object, "pool", json_text(explanation->pool));
        json_object_set_new(object, "largest_first",
                            has_largest(explanation) ? json_address(explanation->largest_first)
                                                     : json_null());
        json_object_set_new(object, "largest_last",
                            has_largest(explanation) ? json_address(explanation->largest_last)
                                                     : json_null());
        json_object_set_new(object, "longer", json_text(explanation->longer));
        json_object_set_new(object, "segments", segments_json(segments, explanation->n_segments));
        json_object_set_new(object, "conflict", json_text(refusal->conflict));
        json_object_set_new(object, "conflict_set_by", json_text(refusal->conflict_set_by));
        return object;
}

static int print_blockers(const Wire__Explanation *explanation, const struct table_style *style)
{
        static const struct column columns[] = {
                { "buffer", CELL_NUMBER, SHOW_ALWAYS },       { "client", CELL_NAME, SHOW_ALWAYS },
                { "uid", CELL_NUMBER, SHOW_ALWAYS },          { "size", CELL_SIZE, SHOW_ALWAYS },
                { "needs_below", CELL_ADDRESS, SHOW_ALWAYS },
        };
        struct table *table = table_new("blockers", columns, ARRAY_SIZE(columns));
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; i < explanation->n_blockers && !r; i++) {
                const Wire__Blocker *blocker = explanation->blockers[i];

                r = table_add(table,
                              (const struct cell[]){
                                      CELL_IF(blocker->buffer != 0, blocker->buffer),
                                      CELL_TEXT_IF(blocker->known, blocker->client),
                                      CELL_IF(blocker->known, blocker->uid),
                                      CELL_OF(blocker->size),
                                      CELL_IF(blocker->needs_below != 0, blocker->needs_below),
                              });
        }
        if (!r)
                r = table_print(table, style);
        table_free(table);
        return r;
}

/* "WORD: SENTENCE.", as wide as the terminal is. */
static void print_sentence(FILE *text, const char *word, const char *sentence)
{
        char safe[SAFE_TEXT_BYTES + 1];
        size_t at;

        safe_text(sentence, safe);
        at = strlen(safe);
        safe[at] = '.';
        safe[at + 1] = '\0';
        at = (size_t)fprintf(text, "%s: ", word);
        folded_print(text, safe, at, 2, output_of(text, true).width);
}

/* Where the largest run lies, and what would lengthen it. */
static void print_largest(const Wire__Explanation *explanation, const struct arguments *arguments,
                          FILE *text)
{
        char size[UNIT_TEXT_BYTES];

        if (!has_largest(explanation))
                return;
        fprintf(text, "Largest free run: %s, 0x%" PRIx64 " to 0x%" PRIx64 ".\n",
                size_text(explanation->largest_last - explanation->largest_first + 1,
                          arguments->bytes, size),
                explanation->largest_first, explanation->largest_last);
        if (*explanation->longer)
                print_sentence(text, "Not longer", explanation->longer);
}

static int print_text(const Wire__Explanation *explanation, const Wire__Refusal *refusal,
                      const struct par_segment *segments, const struct arguments *arguments,
                      FILE *text)
{
        const struct table_style style = {
                .bytes = arguments->bytes,
                .no_headings = arguments->no_headings,
                .stream = text,
        };

        print_sentence(text, result_word(explanation), refusal->sentence);
        if (!explanation->result) {
                fprintf(text, "Pool: %s.\n", explanation->pool);
                print_largest(explanation, arguments, text);
                return segments_print(segments, explanation->n_segments, arguments, text);
        }
        if (*refusal->limit)
                fprintf(text, "Limit: %s, set by %s.\n", refusal->limit, refusal->limit_set_by);
        if (*refusal->conflict)
                fprintf(text, "Against: %s, set by %s.\n", refusal->conflict,
                        refusal->conflict_set_by);
        fprintf(text, "%s\n", refusal->permanent ? "Waiting does not help." : "Waiting may help.");
        print_largest(explanation, arguments, text);
        if (explanation->n_blockers && !style.no_headings)
                fprintf(text, "Who has memory there:\n");
        return print_blockers(explanation, &style);
}

static int print_with(const Wire__Explanation *explanation, const Wire__Refusal *refusal,
                      const struct par_segment *segments, const struct arguments *arguments,
                      FILE *text)
{
        int r;

        if (arguments->json)
                r = json_print(stdout, "explain", explanation_json(explanation, refusal, segments));
        else
                r = print_text(explanation, refusal, segments, arguments, text);
        if (r) {
                complain("the explanation cannot be printed");
                return EXIT_OTHER;
        }
        if (!explanation->result)
                return EXIT_DONE;
        return refusal->permanent ? EXIT_REFUSED_EVER : EXIT_REFUSED;
}

static int print(const Wire__Explanation *explanation, const struct arguments *arguments,
                 FILE *text)
{
        const Wire__Refusal none = WIRE__REFUSAL__INIT;
        const Wire__Refusal *refusal = explanation->refusal ? explanation->refusal : &none;
        struct par_segment *segments = segments_of(explanation);
        int status = EXIT_OTHER;

        if (segments)
                status = print_with(explanation, refusal, segments, arguments, text);
        else
                complain("out of memory");
        free(segments);
        return status;
}

/* Segments of a buffer that are shown: as many as pard itself would tell. */
#define SEGMENTS_SHOWN 64

static int print_granted(const struct par_buffer *buffer, const struct arguments *arguments,
                         FILE *text)
{
        Wire__Explanation explanation = WIRE__EXPLANATION__INIT;
        Wire__Refusal refusal = WIRE__REFUSAL__INIT;
        const struct par_segment *segments;
        char sentence[128], size[UNIT_TEXT_BYTES];
        size_t n = par_buffer_segments(buffer, &segments);

        snprintf(sentence, sizeof(sentence), "%s was granted, mapped for the device and given back",
                 size_text(par_buffer_size(buffer), arguments->bytes, size));
        refusal.sentence = sentence;
        refusal.size = par_buffer_size(buffer);
        explanation.pool = (char *)(uintptr_t)par_buffer_pool(buffer);
        explanation.n_segments = n < SEGMENTS_SHOWN ? n : SEGMENTS_SHOWN;
        return print_with(&explanation, &refusal, segments, arguments, text);
}

int explanation_print_last(const struct par_buffer *buffer, const struct arguments *arguments,
                           FILE *text)
{
        Wire__Explanation explanation = WIRE__EXPLANATION__INIT;
        Wire__Refusal refusal = WIRE__REFUSAL__INIT;
        struct par_refusal_info figures;

        if (buffer)
                return print_granted(buffer, arguments, text);
        if (par_last_refusal(NULL, &figures)) {
                complain("%s", par_error(NULL));
                return EXIT_OTHER;
        }
        explanation.result = (uint32_t)-figures.result;
        refusal.sentence = (char *)(uintptr_t)par_error(NULL);
        refusal.permanent = figures.permanent != 0;
        refusal.limit = figures.limit;
        refusal.limit_set_by = figures.limit_set_by;
        refusal.size = figures.size;
        refusal.free_in_window = figures.free_in_window;
        refusal.largest_run = figures.largest_run;
        return print_with(&explanation, &refusal, NULL, arguments, text);
}

static void fill_request(const struct arguments *arguments, Wire__Alloc *alloc,
                         Wire__Constraint *constraint)
{
        constraint->addr_min = arguments->addr_min;
        constraint->addr_max = arguments->addr_max;
        constraint->align = arguments->align;
        constraint->boundary = arguments->boundary;
        constraint->max_segment_bytes = arguments->max_segment_bytes;
        constraint->max_segments = arguments->max_segments;
        alloc->size = arguments->size;
        alloc->constraint = constraint;
        if (arguments->device)
                alloc->device = (char *)arguments->device;
        if (arguments->pool)
                alloc->pool = (char *)arguments->pool;
        if (arguments->label)
                alloc->label = (char *)arguments->label;
}

static int ask_and_print(const struct arguments *arguments, bool refusals_only, FILE *text)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
        const Wire__Reply *reply;
        struct ask *ask;
        int status;

        status = ask_open(arguments->socket_path, &ask);
        if (status)
                return status;
        fill_request(arguments, &alloc, &constraint);
        request.body_case = WIRE__REQUEST__BODY_EXPLAIN;
        request.explain = &alloc;
        status = ask_for(ask, &request, WIRE__REPLY__BODY_EXPLAIN, &reply);
        if (!status && (reply->explain->result || !refusals_only))
                status = print(reply->explain, arguments, text);
        ask_close(ask);
        return status;
}

int explanation_print(const struct arguments *arguments, FILE *text)
{
        return ask_and_print(arguments, false, text);
}

int explanation_print_refusal(const struct arguments *arguments, FILE *text)
{
        return ask_and_print(arguments, true, text);
}
