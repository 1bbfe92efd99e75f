/* SPDX-License-Identifier: MIT */
/*
 * Owns what PAR_SLAB_DEBUG knows of each object.
 *
 * Invariant: what is idle is filled with one pattern, and its red zone with another; an object that
 * is found otherwise is put aside and never handed out again. Refuses to end the program: a mistake
 * is an answer.
 */
#include "slab.h"

#include "macros.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

/* As the kernel's mm/dmapool.c has them; the red zone's is that of mm/slub.c. */
#define POISON_IDLE   0xa7
#define POISON_IN_USE 0xa9
#define POISON_RED    0xbb

/* So many leaks are told one by one. */
#define LEAKS_TOLD 8

static char *red_zone(const struct par_slab *slab, const struct par_object *object)
{
        return (char *)object->data + slab->object_bytes;
}

/* Where something else is than the pattern. Return: @bytes: nowhere. */
static size_t damage(const char *at, unsigned char pattern, size_t bytes)
{
        size_t i = 0;

        while (i < bytes && (unsigned char)at[i] == pattern)
                i++;
        return i;
}

void slab_debug_prepare(const struct par_slab *slab, struct slab_chunk *chunk)
{
        for (size_t i = 0; i < chunk->objects; i++) {
                const struct par_object *object = &chunk->records[i].object;

                memset(object->data, POISON_IDLE, slab->object_bytes);
                memset(red_zone(slab, object), POISON_RED, SLAB_RED_ZONE_BYTES);
        }
}

/* With the lock held: the record of an object; NULL: no object begins there. */
static struct slab_record *record_of(struct par_slab *slab, const void *data)
{
        const struct slab_chunk *chunk = slab_chunk_find(slab, data);
        size_t first = 0, n = chunk ? chunk->objects : 0;

        while (n > 1) {
                const size_t half = n / 2;

                if ((const char *)chunk->records[first + half].object.data <= (const char *)data)
                        first += half, n -= half;
                else
                        n = half;
        }
        return n && chunk->records[first].object.data == data ? &chunk->records[first] : NULL;
}

static void put_aside(struct par_slab *slab, const struct par_object *object)
{
        pthread_mutex_lock(&slab->lock);
        record_of(slab, object->data)->state = RECORD_DAMAGED;
        slab->damaged++;
        pthread_mutex_unlock(&slab->lock);
}

/* Who had an object last. With the lock held, or of an object that nobody else has. */
static const void *caller_of(struct par_slab *slab, const struct par_object *object)
{
        const void *caller;

        pthread_mutex_lock(&slab->lock);
        caller = record_of(slab, object->data)->caller;
        pthread_mutex_unlock(&slab->lock);
        return caller;
}

/* ---- get ------------------------------------------------------------------------------------ */

/* Whether an idle object is as it was left. Return: 0; -EUCLEAN: it was put aside. */
static int inspect_idle(struct par_slab *slab, const struct par_object *object)
{
        const size_t at = damage(object->data, POISON_IDLE, slab->object_bytes);

        if (at == slab->object_bytes)
                return 0;
        error_set(
                -EUCLEAN,
                "object %p was written to at offset %zu after it was put; the caller that had got "
                "it last is at %p",
                object->data, at, caller_of(slab, object));
        put_aside(slab, object);
        return -EUCLEAN;
}

static void hand_out(struct par_slab *slab, const struct par_object *object, const void *caller)
{
        struct slab_record *record;

        pthread_mutex_lock(&slab->lock);
        record = record_of(slab, object->data);
        record->state = RECORD_IN_USE;
        record->caller = caller;
        pthread_mutex_unlock(&slab->lock);
        memset(object->data, POISON_IN_USE, slab->object_bytes);
}

int slab_debug_get(struct par_slab *slab, struct par_object *objects, size_t count,
                   struct debug_call call)
{
        size_t sound = 0;
        int r;

        r = slab_depot_take(slab, objects, count, NULL, call);
        if (r)
                return r;
        for (size_t i = 0; i < count; i++) {
                if (inspect_idle(slab, &objects[i]))
                        r = -EUCLEAN;
                else
                        objects[sound++] = objects[i];
        }
        if (r) {
                slab_depot_give(slab, objects, sound);
                pthread_mutex_lock(&slab->lock);
                slab->totals.gets -= count;
                pthread_mutex_unlock(&slab->lock);
                return r;
        }
        for (size_t i = 0; i < count; i++)
                hand_out(slab, &objects[i], call.address);
        return 0;
}

/* ---- put ------------------------------------------------------------------------------------ */

/* With the lock held: whether this was got and not yet put. Return: 0: it is no longer in use;
 * -EFAULT, -EALREADY. */
static int take_from_user(struct par_slab *slab, const struct par_object *object)
{
        struct slab_record *record = record_of(slab, object->data);

        if (!record)
                return error_set(-EFAULT, "no object of this slab begins at %p", object->data);
        if (record->object.dma != object->dma)
                return error_set(-EFAULT, "object %p is at %#llx for the device, not at %#llx",
                                 object->data, (unsigned long long)record->object.dma,
                                 (unsigned long long)object->dma);
        if (record->state != RECORD_IN_USE)
                return error_set(-EALREADY,
                                 "object %p was put before; the caller that had got it is at %p",
                                 object->data, record->caller);
        record->state = RECORD_IDLE;
        slab->totals.puts++;
        return 0;
}

static int put_one(struct par_slab *slab, const struct par_object *object)
{
        size_t at;
        int r;

        pthread_mutex_lock(&slab->lock);
        r = take_from_user(slab, object);
        pthread_mutex_unlock(&slab->lock);
        if (r)
                return r;
        at = damage(red_zone(slab, object), POISON_RED, SLAB_RED_ZONE_BYTES);
        if (at < SLAB_RED_ZONE_BYTES) {
                error_set(-EUCLEAN,
                          "something was written %zu bytes behind the end of object %p; the caller "
                          "that had got it is at %p",
                          at, object->data, caller_of(slab, object));
                put_aside(slab, object);
                return -EUCLEAN;
        }
        memset(object->data, POISON_IDLE, slab->object_bytes);
        slab_depot_give(slab, object, 1);
        return 0;
}

int slab_debug_put(struct par_slab *slab, const struct par_object *objects, size_t count)
{
        char sentence[ERROR_BYTES];
        int r = 0, one;

        for (size_t i = 0; i < count; i++) {
                one = put_one(slab, &objects[i]);
                if (!one || r)
                        continue;
                r = one;
                snprintf(sentence, sizeof(sentence), "%s", par_error(slab->par));
        }
        return r ? error_set_sentence(r, sentence) : 0;
}

/* ---- leaks ---------------------------------------------------------------------------------- */

/* With the lock held. Return: how many are in use. */
static size_t list_leaks(struct par_slab *slab, struct par_slab_leak *ret, size_t room)
{
        const struct slab_chunk *chunk;
        size_t n = 0;

        for (chunk = slab_chunk_first(slab); chunk;
             chunk = slab_chunk_next((struct slab_chunk *)(uintptr_t)chunk)) {
                for (size_t i = 0; i < chunk->objects; i++) {
                        const struct slab_record *record = &chunk->records[i];

                        if (record->state != RECORD_IN_USE)
                                continue;
                        if (n < room)
                                ret[n] = (struct par_slab_leak){ record->object, record->caller };
                        n++;
                }
        }
        return n;
}

int par_slab_leaks(struct par_slab *slab, struct par_slab_leak *ret, size_t room, size_t *ret_count)
{
        int r;

        if (ret_count)
                *ret_count = 0;
        r = slab_check(slab);
        if (!r && (!ret_count || (!ret && room)))
                r = error_set(-EINVAL, "no place for the leaks");
        if (!r && !slab->debug)
                r = error_set(-ENOTSUP, "the slab was created without PAR_SLAB_DEBUG");
        if (r)
                return r;
        pthread_mutex_lock(&slab->lock);
        *ret_count = list_leaks(slab, ret, room);
        pthread_mutex_unlock(&slab->lock);
        return 0;
}

void slab_debug_tell(struct par_slab *slab)
{
        struct par_slab_leak leaks[LEAKS_TOLD];
        size_t n = list_leaks(slab, leaks, LEAKS_TOLD);
        Dl_info where;

        for (size_t i = 0; i < n && i < LEAKS_TOLD; i++) {
                const struct par_slab_leak *leak = &leaks[i];

                if (!dladdr(leak->caller, &where) || !where.dli_fname)
                        where = (Dl_info){ .dli_fname = "?" };
                handle_log(slab->par, LOG_WARNING, "object %p: got at %p, %s+%#tx%s%s",
                           leak->object.data, leak->caller, where.dli_fname,
                           (const char *)leak->caller - (const char *)where.dli_fbase,
                           where.dli_sname ? ", in " : "", where.dli_sname ? where.dli_sname : "");
        }
}
