/* SPDX-License-Identifier: MIT */
/* Owns the pieces that it allocates, and the threads that do so. */
#include "heap_case.h"

#include "macros.h"
#include "random.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define THREADS_MAX 16
#define BATCH       16 /* pieces that are allocated before they are freed, among live ones */
#define TOGETHER    64 /* turns of several threads are so much longer: they are not woken at once */

/**
 * struct turns - what one thread does
 * @live: its share of the live pieces, for each allocator
 * @ns:   a pair of calls, for each allocator and round
 */
struct turns {
        const struct heap_case *of;
        const struct heap_peer *const *peers;
        size_t count;
        unsigned rounds, pairs, n_live;
        const struct ticks *ticks;
        pthread_barrier_t *barrier;
        pthread_t thread;
        struct random random;
        void **live[HEAP_PEERS_MAX];
        double *ns[HEAP_PEERS_MAX];
        int r;
};

/* ---- one turn ------------------------------------------------------------------------------- */

/* The compiler must not see that nobody uses it. */
static inline void keep(void *pointer)
{
        __asm__ volatile("" : : "r"(pointer) : "memory");
}

static int pairs_alone(const struct turns *turns, const struct heap_peer *peer)
{
        for (unsigned i = 0; i < turns->pairs; i++) {
                void *piece = peer->alloc(turns->of->size);

                if (!piece)
                        return -ENOMEM;
                keep(piece);
                peer->free(piece);
        }
        return 0;
}

static int pairs_in_batches(const struct turns *turns, const struct heap_peer *peer)
{
        void *pieces[BATCH];

        for (unsigned i = 0; i < turns->pairs; i += BATCH) {
                for (unsigned j = 0; j < BATCH; j++) {
                        pieces[j] = peer->alloc(turns->of->size);
                        if (!pieces[j])
                                return -ENOMEM;
                }
                for (unsigned j = 0; j < BATCH; j++)
                        peer->free(pieces[j]);
        }
        return 0;
}

/* ---- what lives around it ------------------------------------------------------------------- */

static size_t mixed_size(struct random *random)
{
        return (size_t)random_below(random, UINT64_C(64) << random_below(random, 8)) + 1;
}

/* Some of the live pieces are others now. */
static int stir(struct turns *turns, size_t peer, unsigned count)
{
        for (unsigned i = 0; i < count && turns->n_live; i++) {
                void **piece = &turns->live[peer][random_below(&turns->random, turns->n_live)];

                if (*piece)
                        turns->peers[peer]->free(*piece);
                *piece = turns->peers[peer]->alloc(mixed_size(&turns->random));
                if (!*piece)
                        return -ENOMEM;
        }
        return 0;
}

static int begin_life(struct turns *turns)
{
        int r = 0;

        for (size_t i = 0; i < turns->count; i++) {
                turns->live[i] = calloc(turns->n_live + 1, sizeof(void *));
                turns->ns[i] = calloc(turns->rounds, sizeof(double));
                if (!turns->live[i] || !turns->ns[i])
                        return -ENOMEM;
                if (turns->peers[i]->enter && turns->peers[i]->enter())
                        return -EAGAIN;
                if (!r)
                        r = stir(turns, i, 6 * turns->n_live);
        }
        return r;
}

static void end_life(struct turns *turns)
{
        for (size_t i = 0; i < turns->count; i++) {
                for (unsigned j = 0; turns->live[i] && j < turns->n_live; j++)
                        if (turns->live[i][j])
                                turns->peers[i]->free(turns->live[i][j]);
                free(turns->live[i]);
                if (turns->peers[i]->leave && turns->of->threads > 1)
                        turns->peers[i]->leave();
        }
}

/* ---- all turns ------------------------------------------------------------------------------ */

/* All threads begin together; one that has failed goes along, so that nobody waits for it. */
static void take_turn(struct turns *turns, size_t peer, unsigned round)
{
        uint64_t began, ended;

        if (!turns->r)
                turns->r = stir(turns, peer, turns->n_live / 100);
        if (turns->barrier)
                pthread_barrier_wait(turns->barrier);
        if (turns->r)
                return;
        began = ticks_now();
        turns->r = turns->n_live ? pairs_in_batches(turns, turns->peers[peer])
                                 : pairs_alone(turns, turns->peers[peer]);
        ended = ticks_now();
        turns->ns[peer][round] = (double)ticks_between(turns->ticks, began, ended) *
                                 turns->ticks->ns_each / turns->pairs;
}

static void *take_turns(void *data)
{
        struct turns *turns = data;

        turns->r = begin_life(turns);
        for (unsigned round = 0; round < turns->rounds; round++)
                for (size_t i = 0; i < turns->count; i++)
                        take_turn(turns, i, round);
        end_life(turns);
        return NULL;
}

static int by_value(const void *a, const void *b)
{
        const double *one = a, *other = b;

        return (*one > *other) - (*one < *other);
}

/* The median of all threads' rounds. */
static void sum_up(struct turns *turns, unsigned threads, struct heap_result *ret)
{
        static double all[THREADS_MAX * HEAP_ROUNDS_MAX];
        const unsigned rounds = turns->rounds;

        for (size_t i = 0; i < turns->count; i++) {
                size_t n = 0;

                for (unsigned j = 0; j < threads; j++)
                        for (unsigned k = 0; k < rounds; k++)
                                all[n++] = turns[j].ns[i][k];
                qsort(all, n, sizeof(all[0]), by_value);
                ret->ns[i] = n % 2 ? all[n / 2] : (all[n / 2 - 1] + all[n / 2]) / 2;
        }
}

static int run_threads(struct turns *turns, unsigned threads)
{
        int r = 0;

        if (threads == 1) {
                take_turns(turns);
                return turns->r;
        }
        for (unsigned i = 0; i < threads && !r; i++)
                r = -pthread_create(&turns[i].thread, NULL, take_turns, &turns[i]);
        if (r)
                return r; /* the others wait for one that does not come: par-bench ends */
        for (unsigned i = 0; i < threads; i++) {
                pthread_join(turns[i].thread, NULL);
                if (turns[i].r)
                        r = turns[i].r;
        }
        return r;
}

int heap_case_run(const struct heap_case *heap_case, const struct heap_peer *const *peers,
                  size_t count, unsigned rounds, unsigned pairs, const struct ticks *ticks,
                  struct heap_result *ret)
{
        struct turns turns[THREADS_MAX] = { 0 };
        pthread_barrier_t barrier;
        int r;

        pthread_barrier_init(&barrier, NULL, heap_case->threads);
        for (unsigned i = 0; i < heap_case->threads; i++)
                turns[i] = (struct turns){
                        .of = heap_case,
                        .peers = peers,
                        .count = count,
                        .rounds = rounds,
                        .pairs = heap_case->threads > 1 ? pairs * TOGETHER : pairs,
                        .n_live = heap_case->live / heap_case->threads,
                        .ticks = ticks,
                        .barrier = heap_case->threads > 1 ? &barrier : NULL,
                        .random = { i },
                };
        r = run_threads(turns, heap_case->threads);
        if (!r)
                sum_up(turns, heap_case->threads, ret);
        for (unsigned i = 0; i < heap_case->threads; i++)
                for (size_t j = 0; j < count; j++)
                        free(turns[i].ns[j]);
        pthread_barrier_destroy(&barrier);
        return r;
}
