/* SPDX-License-Identifier: MIT */
/*
 * Owns jemalloc's arena of a heap, and the hooks through which it takes pages of the heap's chunks.
 *
 * The library has a jemalloc of its own, hidden in it: neither the program's malloc() nor another
 * jemalloc has anything to do with it. What it remembers of the memory is kept in ordinary memory.
 *
 * Invariant: memory that jemalloc takes for zero is; and no extent lies in two chunks.
 */
#include "arena.h"

#include "macros.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * Read last, after MALLOC_CONF and /etc/malloc.conf, which are meant for the program's malloc():
 * what they say of the same matters does not count here.
 *
 * retain: pages that it gives back are the chunks', so that those can go back to pard as a whole.
 * tcache_nslots_large: as many pieces above 14 KiB of each size are in a thread's cache at most.
 * narenas: of the automatic ones, which hold caches alone.
 */
extern const char *malloc_conf_2_conf_harder;
const char *malloc_conf_2_conf_harder =
        "retain:false,tcache:true,tcache_max:1048576,tcache_nslots_large:8,narenas:1,"
        "percpu_arena:disabled,background_thread:false,muzzy_decay_ms:0,hpa:false,"
        "junk:false,zero:false,abort:false,abort_conf:false,"
        "stats_print:false,prof:false";

/* ---- hooks: false is success ---------------------------------------------------------------- */

static struct arena *arena_of(extent_hooks_t *hooks)
{
        return CONTAINER_OF(hooks, struct arena, hooks);
}

static void *hook_alloc(extent_hooks_t *hooks, void *place, size_t bytes, size_t align, bool *zero,
                        bool *commit, unsigned index)
{
        void *at;

        (void)index;
        if (place) /* the next one to an extent: as good as any other, so it may take any other */
                return NULL;
        if (chunks_take(arena_of(hooks)->chunks, bytes, align, *zero, zero, &at))
                return NULL;
        *commit = true;
        return at;
}

static bool hook_dalloc(extent_hooks_t *hooks, void *at, size_t bytes, bool committed,
                        unsigned index)
{
        struct arena *arena = arena_of(hooks);

        (void)committed;
        (void)index;
        if (!arena->ending)
                chunks_give(arena->chunks, at, bytes);
        return false;
}

static bool hook_split(extent_hooks_t *hooks, void *at, size_t bytes, size_t a, size_t b,
                       bool committed, unsigned index)
{
        (void)hooks;
        (void)at;
        (void)bytes;
        (void)a;
        (void)b;
        (void)committed;
        (void)index;
        return false;
}

static bool hook_merge(extent_hooks_t *hooks, void *a, size_t a_bytes, void *b, size_t b_bytes,
                       bool committed, unsigned index)
{
        (void)a_bytes;
        (void)b_bytes;
        (void)committed;
        (void)index;
        return !chunks_join(arena_of(hooks)->chunks, a, b);
}

/*
 * No purge_forced: it would say that the pages are zero afterwards. No purge_lazy: there is nothing
 * between in use and given back. No commit and decommit: pinned memory is always there.
 */
static const extent_hooks_t hooks_of_chunks = {
        .alloc = hook_alloc,
        .dalloc = hook_dalloc,
        .split = hook_split,
        .merge = hook_merge,
};

/* ---- jemalloc's controls -------------------------------------------------------------------- */

/* @name has a %u for the arena. */
static int arena_control(const struct arena *arena, const char *name, void *old, size_t *old_bytes,
                         void *new, size_t new_bytes)
{
        char text[64];

        snprintf(text, sizeof(text), name, arena->index);
        return mallctl(text, old, old_bytes, new, new_bytes);
}

static uint64_t arena_figure(const struct arena *arena, const char *name)
{
        size_t value = 0, bytes = sizeof(value);

        if (arena_control(arena, name, &value, &bytes, NULL, 0))
                return 0;
        return value;
}

/* What jemalloc takes of arena_config_t, which its header does not show. */
struct arena_config {
        extent_hooks_t *hooks;
        bool metadata_use_hooks;
};

int arena_create(struct arena *arena, struct chunks *chunks, int64_t idle_ms)
{
        struct arena_config config = { .hooks = &arena->hooks, .metadata_use_hooks = false };
        size_t bytes = sizeof(arena->index);
        ssize_t decay_ms = (ssize_t)idle_ms;
        int r;

        arena->hooks = hooks_of_chunks;
        arena->chunks = chunks;
        arena->ending = false;
        r = mallctl("experimental.arenas_create_ext", &arena->index, &bytes, &config,
                    sizeof(config));
        if (r)
                return -r;
        r = arena_control(arena, "arena.%u.dirty_decay_ms", NULL, NULL, &decay_ms,
                          sizeof(decay_ms));
        if (r)
                arena_destroy(arena);
        return -r;
}

void arena_destroy(struct arena *arena)
{
        arena->ending = true;
        (void)arena_control(arena, "arena.%u.destroy", NULL, NULL, NULL, 0);
}

void arena_purge(const struct arena *arena)
{
        (void)arena_control(arena, "arena.%u.purge", NULL, NULL, NULL, 0);
}

/* ---- figures -------------------------------------------------------------------------------- */

/* jemalloc's figures are those of its last epoch. */
static void refresh(void)
{
        uint64_t epoch = 1;

        (void)mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
}

uint64_t arena_live_bytes(const struct arena *arena)
{
        refresh();
        return arena_figure(arena, "stats.arenas.%u.small.allocated") +
               arena_figure(arena, "stats.arenas.%u.large.allocated");
}

/* Sizes are numbered twice: small ones, and the others. */
struct size_kind {
        const char *count, *sizes, *live;
};

static const struct size_kind size_kinds[] = {
        { "arenas.nbins", "arenas.bin.%u.size", "stats.arenas.%u.bins.%u.curregs" },
        { "arenas.nlextents", "arenas.lextent.%u.size", "stats.arenas.%u.lextents.%u.curlextents" },
};

static void describe_kind(const struct arena *arena, const struct size_kind *kind, char *text,
                          size_t room)
{
        size_t bytes = sizeof(unsigned), at = strlen(text), live, size;
        unsigned count = 0;
        char name[64];

        (void)mallctl(kind->count, &count, &bytes, NULL, 0);
        for (unsigned i = 0; i < count && at < room; i++) {
                live = size = 0;
                bytes = sizeof(live);
                snprintf(name, sizeof(name), kind->live, arena->index, i);
                if (mallctl(name, &live, &bytes, NULL, 0) || !live)
                        continue;
                snprintf(name, sizeof(name), kind->sizes, i);
                (void)mallctl(name, &size, &bytes, NULL, 0);
                at += (size_t)snprintf(text + at, room - at, "%s%zu of %zu bytes", at ? ", " : "",
                                       live, size);
        }
}

void arena_describe_live(const struct arena *arena, char *text, size_t room)
{
        *text = '\0';
        refresh();
        for (size_t i = 0; i < ARRAY_SIZE(size_kinds); i++)
                describe_kind(arena, &size_kinds[i], text, room);
}

/* ---- caches of threads ---------------------------------------------------------------------- */

int arena_join(const struct arena *arena, unsigned *ret_tcache)
{
        size_t bytes = sizeof(*ret_tcache);

        if (mallctl("tcache.create", ret_tcache, &bytes, NULL, 0)) {
                *ret_tcache = ARENA_NO_TCACHE;
                return (int)MALLOCX_ARENA(arena->index) | MALLOCX_TCACHE_NONE;
        }
        return (int)MALLOCX_ARENA(arena->index) | (int)MALLOCX_TCACHE(*ret_tcache);
}

void arena_flush(unsigned tcache)
{
        if (tcache != ARENA_NO_TCACHE)
                (void)mallctl("tcache.flush", NULL, NULL, &tcache, sizeof(tcache));
}

void arena_leave(unsigned tcache)
{
        if (tcache != ARENA_NO_TCACHE)
                (void)mallctl("tcache.destroy", NULL, NULL, &tcache, sizeof(tcache));
}
