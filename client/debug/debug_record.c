/* SPDX-License-Identifier: MIT */
/*
 * Owns the way of facts to readers that wait for nobody.
 *
 * Invariant: what a reader is told was true of one thing at one moment. Refuses to make a reader
 * wait: who comes while they change is told that.
 */
#include "debug_record.h"

#include "debug.h"

#include <string.h>

_Static_assert(sizeof(struct debug_facts) % sizeof(uint64_t) == 0, "facts are words");

static const struct {
        const char *noun, *ended;
} kinds[DEBUG_KINDS] = {
        [DEBUG_BUFFER] = { "buffer", "freed" },
        [DEBUG_MAPPING] = { "mapping", "unmapped" },
};

static const char *const holders[] = {
        [DEBUG_OF_USER] = " of ",
        [DEBUG_OF_SLAB] = ", of a slab, of ",
        [DEBUG_OF_SLOTS] = ", of slots, of ",
};

static const char *const directions[] = {
        [PAR_BIDIRECTIONAL] = "PAR_BIDIRECTIONAL",
        [PAR_TO_DEVICE] = "PAR_TO_DEVICE",
        [PAR_FROM_DEVICE] = "PAR_FROM_DEVICE",
};

const char *debug_ended_word(const struct debug_facts *facts)
{
        return kinds[facts->kind].ended;
}

/* Of a mapping: for nic0 (1500 bytes at 0x55d0c0de, PAR_TO_DEVICE, for the device at 0x12000) */
static void add_mapping(struct line *line, const struct debug_facts *facts)
{
        line_add(line, ", ");
        line_add(line, directions[facts->direction]);
        line_add(line, ", for ");
        line_add(line, facts->device);
        line_add(line, " at ");
        line_add_hex(line, facts->dma);
}

void debug_facts_add(struct line *line, const struct debug_facts *facts)
{
        line_add(line, kinds[facts->kind].noun);
        if (facts->kind == DEBUG_BUFFER) {
                line_add(line, " ");
                line_add_number(line, facts->number);
        }
        if (*facts->label) {
                line_add(line, " \"");
                line_add(line, facts->label);
                line_add(line, "\"");
        }
        line_add(line, holders[facts->holder]);
        line_add(line, facts->owner);
        line_add(line, " (");
        line_add_bytes(line, facts->bytes);
        line_add(line, " at ");
        line_add_hex(line, facts->first);
        if (facts->kind == DEBUG_MAPPING)
                add_mapping(line, facts);
        line_add(line, ")");
}

void debug_moment_add(struct line *line, const struct debug_moment *moment)
{
        line_add(line, moment->function);
        line_add(line, "() in ");
        line_add(line, moment->site->text);
        line_add(line, ", thread ");
        line_add_number(line, moment->thread);
}

void debug_record_publish(struct debug_record *record)
{
        const unsigned version = atomic_load_explicit(&record->version, memory_order_relaxed);
        uint64_t words[DEBUG_FACT_WORDS];

        memcpy(words, &record->facts, sizeof(words));
        /* As span_write() has it. */
        atomic_store_explicit(&record->version, version + 1, memory_order_relaxed);
        for (size_t i = 0; i < DEBUG_FACT_WORDS; i++)
                atomic_store_explicit(&record->words[i], words[i], memory_order_release);
        atomic_store_explicit(&record->version, version + 2, memory_order_release);
}

bool debug_record_read(const struct debug_record *record, struct debug_facts *ret)
{
        const unsigned version = atomic_load_explicit(&record->version, memory_order_acquire);
        uint64_t words[DEBUG_FACT_WORDS] = { 0 };

        for (size_t i = 0; i < DEBUG_FACT_WORDS; i++)
                words[i] = atomic_load_explicit(&record->words[i], memory_order_acquire);
        memcpy(ret, words, sizeof(words));
        return !(version & 1) &&
               atomic_load_explicit(&record->version, memory_order_relaxed) == version;
}
