/* SPDX-License-Identifier: MIT */
/*
 * Owns the answer to "what is at this address?", for a program's own signal handler.
 *
 * Refuses to lock, to allocate, and to touch the address, or the thread's error.
 */
#include "debug_registry.h"

#include <errno.h>

static void add_place(struct line *line, const struct debug_facts *facts, uintptr_t address)
{
        if (address < facts->first) {
                line_add_bytes(line, facts->first - address);
                line_add(line, " before the start of ");
        } else if (address - facts->first < facts->bytes) {
                line_add(line, "offset ");
                line_add_number(line, address - facts->first);
                line_add(line, facts->ended.function ? " of the freed " : " of ");
        } else {
                line_add_bytes(line, address - facts->first - facts->bytes + 1);
                line_add(line, " behind the end of ");
        }
}

static bool covers(const struct debug_facts *facts, uintptr_t address)
{
        if (facts->room_bytes)
                return address - facts->room_first < facts->room_bytes;
        return !facts->ended.function && address - facts->first < facts->bytes;
}

int par_debug_describe(const void *address, char *text, size_t bytes)
{
        const struct debug_registry *registry = debug_registry_look();
        const struct debug_record *record;
        struct debug_facts facts;
        struct line line;

        if (!text || !bytes)
                return -EINVAL;
        line = line_begin(text, bytes);
        record = registry ? debug_registry_at(registry, address) : NULL;
        if (!record || !debug_record_read(record, &facts) || !covers(&facts, (uintptr_t)address))
                return -ENOENT;

        add_place(&line, &facts, (uintptr_t)address);
        debug_facts_add(&line, &facts);
        if (facts.ended.function) {
                line_add(&line, "; ");
                line_add(&line, debug_ended_word(&facts));
                line_add(&line, " by ");
                debug_moment_add(&line, &facts.ended);
        }
        line_add(&line, "; made by ");
        debug_moment_add(&line, &facts.made);
        return 0;
}
