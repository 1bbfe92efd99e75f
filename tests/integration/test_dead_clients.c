/* SPDX-License-Identifier: MIT */
/*
 * Clients that are killed, thousands of them, at moments of chance, in pools whose quarantines end
 * in different ways: at once, after a while, by an administrator's release, by the word of the next
 * client of that name. No memory comes back before its quarantine is over, all of it does then, and
 * at the end every byte is accounted for, and no descriptor or memory of the daemon is lost. At
 * last the worker dies as well: what was in quarantine still is.
 *
 *     test_dead_clients [KILLS [CLIENTS]]      default: 300 kills of 16 clients
 */
#include "footprint.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "wire_client.h"

#include <par.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS_MAX   64
#define HELD_MAX      6
#define BUFFER_MAX    (2 * MiB)
#define LIFE_MAX_US   4000
#define SETTLE_NS     (30 * NS_PER_S)
#define KILLS_A_ROUND 50 /* then somebody ends the long quarantines */
#define WARM_UP_KILLS 100

enum { POOL_NOW, POOL_SHORT, POOL_RELEASED, POOL_RECLAIMED, POOLS };

static const char *const pool_names[POOLS] = { "now", "short", "released", "reclaimed" };

static const char config[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"4G\" page_size = \"2M\" } }\n"
        "pool \"now\"       { size_min = \"128M\" quarantine = \"0ms\" reuse_delay = \"20ms\" }\n"
        "pool \"short\"     { size_min = \"128M\" quarantine = \"50ms\" reuse_delay = \"0ms\" }\n"
        "pool \"released\"  { size_min = \"256M\" quarantine = \"1h\" isolation = \"uid\" }\n"
        "pool \"reclaimed\" { size_min = \"256M\" quarantine = \"1h\" }\n";

/**
 * struct life - what a client has, as it knows itself; shared with the test
 * @bytes:  of buffers that it was granted and has not begun to free, by pool
 * @asking: pool of the request under way, whose answer it may not have read; -1: none
 * @leaving: the same of what it frees
 */
struct life {
        _Atomic uint64_t bytes[POOLS];
        _Atomic int asking, leaving;
};

/**
 * struct run - the whole
 * @least, @most: bytes of the dead that must, and that may be in the pools with long quarantines
 */
struct run {
        struct random random;
        struct life *lives;
        pid_t pids[CLIENTS_MAX];
        size_t n_clients;
        uint64_t least[POOLS], most[POOLS];
        struct wire_client admin;
        uint64_t killed, released, reclaimed;
};

/* ---- a client -------------------------------------------------------------------------------- */

static void name_of(size_t number, char name[32])
{
        snprintf(name, 32, "driver-%zu", number);
}

static void take_one(struct par *par, struct random *random, struct life *life,
                     struct par_buffer **ret, int *ret_pool)
{
        const struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
        struct par_alloc_options options = { .wait_ms = random_one_in(random, 8) ? 2 : 0 };
        int pool = (int)random_below(random, POOLS), r;

        options.pool = pool_names[pool];
        atomic_store(&life->asking, pool);
        r = par_alloc(par, 4096 + random_below(random, BUFFER_MAX - 4096), &want, &options, ret);
        if (r == -PAR_GONE || (r < 0 && r > -PAR_NEVER_FITS))
                die("client: %s: %s", par_strerror(r), par_error(par));
        if (!r) {
                atomic_fetch_add(&life->bytes[pool], par_buffer_size(*ret));
                memset(par_buffer_data(*ret), 0xa5, 4096);
        }
        *ret_pool = pool;
        atomic_store(&life->asking, -1);
}

static void free_one(struct life *life, struct par_buffer **buffer, int pool)
{
        if (!*buffer)
                return;
        atomic_store(&life->leaving, pool);
        atomic_fetch_sub(&life->bytes[pool], par_buffer_size(*buffer));
        par_free(*buffer);
        atomic_store(&life->leaving, -1);
        *buffer = NULL;
}

static void __attribute__((__noreturn__)) live(size_t number, struct life *life, uint64_t seed)
{
        struct par_connect_options options = { 0 };
        struct par_buffer *held[HELD_MAX] = { NULL };
        struct random random = { seed };
        int pools[HELD_MAX] = { 0 };
        struct par *par;
        char name[32];

        name_of(number, name);
        options.client_name = name;
        if (par_connect(NULL, &options, &par))
                die("client: %s", par_error(NULL));
        for (;;) {
                size_t i = random_below(&random, HELD_MAX);

                free_one(life, &held[i], pools[i]);
                take_one(par, &random, life, &held[i], &pools[i]);
        }
}

static void start_client(struct run *run, size_t number)
{
        struct life *life = &run->lives[number];
        uint64_t seed = random_next(&run->random);
        pid_t parent = getpid();

        for (int i = 0; i < POOLS; i++)
                atomic_store(&life->bytes[i], 0);
        atomic_store(&life->asking, -1);
        atomic_store(&life->leaving, -1);
        fflush(NULL);
        run->pids[number] = fork();
        if (run->pids[number] < 0)
                die("no process for a client");
        if (run->pids[number])
                return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(0);
        live(number, life, seed);
}

/* What it died with is held from now on; of what it was about, nobody can know. */
static void kill_client(struct run *run, size_t number)
{
        const struct life *life = &run->lives[number];
        int status, pool;

        kill(run->pids[number], SIGKILL);
        waitpid(run->pids[number], &status, 0);
        if (!WIFSIGNALED(status))
                die("a client ended by itself, with %d", WEXITSTATUS(status));
        run->killed++;
        for (int i = 0; i < POOLS; i++) {
                run->least[i] += atomic_load(&life->bytes[i]);
                run->most[i] += atomic_load(&life->bytes[i]);
        }
        pool = atomic_load(&life->asking);
        if (pool >= 0)
                run->most[pool] += BUFFER_MAX;
        pool = atomic_load(&life->leaving);
        if (pool >= 0)
                run->most[pool] += BUFFER_MAX;
}

/* ---- what the lists say ---------------------------------------------------------------------- */

static void add_bytes(Wire__StateBytes *sum, const Wire__StateBytes *more)
{
        sum->held += more->held;
        sum->free += more->free;
        sum->granted += more->granted;
        sum->reusable += more->reusable;
        sum->leaving += more->leaving;
        sum->lingering += more->lingering;
        sum->quarantined += more->quarantined;
        sum->retired += more->retired;
}

static bool same_bytes(const Wire__StateBytes *a, const Wire__StateBytes *b)
{
        return a->held == b->held && a->free == b->free && a->granted == b->granted &&
               a->reusable == b->reusable && a->leaving == b->leaving &&
               a->lingering == b->lingering && a->quarantined == b->quarantined &&
               a->retired == b->retired;
}

static const Wire__Reply *ask_list(struct wire_client *admin, Wire__Request__BodyCase which,
                                   uint64_t cursor)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;

        list.cursor = cursor;
        request.body_case = which;
        request.buffers = &list; /* every list is asked for with the same message */
        reply = wire_client_ask(admin, &request);
        if (reply->result)
                die("a list: %u", reply->result);
        return reply;
}

static Wire__StateBytes sum_of_owners(struct wire_client *admin)
{
        Wire__StateBytes sum = WIRE__STATE_BYTES__INIT;
        uint64_t cursor = 0;

        do {
                const Wire__ClientList *list =
                        ask_list(admin, WIRE__REQUEST__BODY_CLIENTS, cursor)->clients;

                for (size_t i = 0; i < list->n_clients; i++)
                        if (list->clients[i]->bytes)
                                add_bytes(&sum, list->clients[i]->bytes);
                cursor = list->next_cursor;
        } while (cursor);
        return sum;
}

/* Bytes of buffers in quarantine, by pool. */
static void quarantined_buffers(struct wire_client *admin, uint64_t ret[POOLS])
{
        uint64_t cursor = 0;

        memset(ret, 0, POOLS * sizeof(ret[0]));
        do {
                const Wire__BufferList *list =
                        ask_list(admin, WIRE__REQUEST__BODY_BUFFERS, cursor)->buffers;

                for (size_t i = 0; i < list->n_buffers; i++)
                        for (int pool = 0; pool < POOLS; pool++)
                                if (!strcmp(list->buffers[i]->state, "quarantined") &&
                                    !strcmp(list->buffers[i]->pool, pool_names[pool]))
                                        ret[pool] += list->buffers[i]->size;
                cursor = list->next_cursor;
        } while (cursor);
}

/* Status, pools and owners tell of the same bytes. While clients live each list is of a moment of
 * its own, and only the sums in it can be checked. */
static void check_accounts(struct wire_client *admin, bool quiet)
{
        Wire__StateBytes pools = WIRE__STATE_BYTES__INIT, owners;
        const Wire__PoolList *list = ask_list(admin, WIRE__REQUEST__BODY_POOLS, 0)->pools;

        for (size_t i = 0; i < list->n_pools; i++) {
                check_sum_of_states(list->pools[i]->bytes);
                add_bytes(&pools, list->pools[i]->bytes);
        }
        check_sum_of_states(wire_client_status(admin)->bytes);
        if (!quiet)
                return;
        if (!same_bytes(wire_client_status(admin)->bytes, &pools))
                die("status and pools do not agree");
        owners = sum_of_owners(admin);
        if (owners.held != pools.held - pools.free || owners.quarantined != pools.quarantined)
                die("owners have %llu bytes, of the pools' %llu are not free",
                    (unsigned long long)owners.held, (unsigned long long)(pools.held - pools.free));
}

/* What long quarantines must hold they hold. Every session of the dead is gone. */
static void check_quarantine(struct run *run)
{
        uint64_t found[POOLS];

        quarantined_buffers(&run->admin, found);
        for (int i = 0; i < POOLS; i++) {
                if (i == POOL_NOW && found[i])
                        die("%llu bytes are in quarantine where there is none",
                            (unsigned long long)found[i]);
                if (i != POOL_RELEASED && i != POOL_RECLAIMED)
                        continue;
                if (found[i] < run->least[i] || found[i] > run->most[i])
                        die("pool %s: %llu bytes are in quarantine, of the dead were %llu to %llu",
                            pool_names[i], (unsigned long long)found[i],
                            (unsigned long long)run->least[i], (unsigned long long)run->most[i]);
        }
}

/* ---- the ends of quarantines ----------------------------------------------------------------- */

static void release(struct run *run)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Selection which = WIRE__SELECTION__INIT;
        const Wire__Reply *reply;

        which.pool = (char *)(uintptr_t)pool_names[POOL_RELEASED];
        request.body_case = WIRE__REQUEST__BODY_RELEASE;
        request.release = &which;
        reply = wire_client_ask(&run->admin, &request);
        if (reply->result && reply->result != PAR_GONE)
                die("release: %u", reply->result);
        if (!reply->result)
                run->released += reply->release->bytes;
        run->least[POOL_RELEASED] = run->most[POOL_RELEASED] = 0;
}

/* As a driver that was restarted does; what lies in the other pools is reclaimed with it. */
static void reclaim(struct run *run)
{
        struct par *par;

        if (par_connect(NULL, NULL, &par))
                die("reclaim: %s", par_error(NULL));
        for (size_t i = 0; i < run->n_clients; i++) {
                uint64_t bytes;
                char name[32];

                name_of(i, name);
                if (par_reclaim(par, name, &bytes))
                        die("reclaim: %s", par_error(par));
                run->reclaimed += bytes;
        }
        par_disconnect(par);
        run->least[POOL_RECLAIMED] = run->most[POOL_RECLAIMED] = 0;
        run->least[POOL_RELEASED] = run->most[POOL_RELEASED] = 0;
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Sessions of the dead end when the worker comes to it; those that are left are ours. */
static void await_ends(struct run *run, unsigned ours)
{
        uint64_t deadline = now_ns() + SETTLE_NS;

        while (wire_client_status(&run->admin)->clients != ours) {
                if (now_ns() > deadline)
                        die("sessions of dead clients are still there");
                usleep(1000);
        }
}

static void await_free(struct run *run)
{
        uint64_t deadline = now_ns() + SETTLE_NS;

        for (;;) {
                const Wire__StateBytes *bytes = wire_client_status(&run->admin)->bytes;

                if (bytes->held == bytes->free)
                        return;
                if (now_ns() > deadline)
                        die("%llu of %llu bytes are free: granted %llu, reusable %llu, leaving "
                            "%llu, lingering %llu, quarantined %llu",
                            (unsigned long long)bytes->free, (unsigned long long)bytes->held,
                            (unsigned long long)bytes->granted, (unsigned long long)bytes->reusable,
                            (unsigned long long)bytes->leaving,
                            (unsigned long long)bytes->lingering,
                            (unsigned long long)bytes->quarantined);
                usleep(5000);
        }
}

/* So many at once; what they left is looked at, and then somebody ends it. */
static void kill_a_round(struct run *run, uint64_t kills)
{
        for (size_t i = 0; i < run->n_clients; i++)
                start_client(run, i);
        for (uint64_t i = run->n_clients; i < kills; i++) {
                size_t number = random_below(&run->random, run->n_clients);

                usleep((useconds_t)random_below(&run->random, LIFE_MAX_US));
                kill_client(run, number);
                start_client(run, number);
        }
        check_accounts(&run->admin, false);
        for (size_t i = 0; i < run->n_clients; i++)
                kill_client(run, i);
        await_ends(run, 1);
        check_quarantine(run);
        if (random_one_in(&run->random, 2)) {
                release(run);
                check_quarantine(run);
        }
        reclaim(run);
        check_quarantine(run);
}

static void kill_worker(struct run *run, const struct pard_fixture *pard)
{
        kill(pard_fixture_worker(pard), SIGKILL);
        wire_client_abandon(&run->admin);
        wire_client_open(pard->socket, "dead-clients-admin", &run->admin);
}

/* The next worker knows who died, and ends no quarantine before its time. */
static void kill_with_the_worker(struct run *run, const struct pard_fixture *pard)
{
        for (size_t i = 0; i < run->n_clients; i++)
                start_client(run, i);
        usleep(100000);
        for (size_t i = 0; i < run->n_clients; i++)
                kill_client(run, i);
        await_ends(run, 1);
        check_quarantine(run);
        kill_worker(run, pard);
        await_ends(run, 2); /* one of ours may come back, as far as pard knows */
        check_quarantine(run);
        reclaim(run);
        await_free(run);
        check_accounts(&run->admin, true);
        printf("the worker died as well: what was in quarantine still was\n");
}

static void kill_many(struct run *run, uint64_t kills)
{
        uint64_t until = run->killed + kills;

        while (run->killed < until) {
                uint64_t left = until - run->killed;

                kill_a_round(run, left < KILLS_A_ROUND ? left : KILLS_A_ROUND);
        }
        await_free(run);
        check_accounts(&run->admin, true);
}

int main(int argc, char **argv)
{
        uint64_t kills = argc > 1 ? strtoull(argv[1], NULL, 0) : 300;
        struct run run = { .random = { 1 } };
        struct footprint before, after;
        struct pard_fixture pard;
        uint64_t started;

        run.n_clients = argc > 2 ? strtoull(argv[2], NULL, 0) : 16;
        if (!run.n_clients || run.n_clients > CLIENTS_MAX)
                die("1 to %d clients", CLIENTS_MAX);
        run.lives = mmap(NULL, CLIENTS_MAX * sizeof(struct life), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (run.lives == MAP_FAILED)
                die("no memory for what clients say");
        pard_fixture_start_filled(config, &pard);
        wire_client_open(pard.socket, "dead-clients-admin", &run.admin);

        /* The heaps grow to their sizes under a first load; after that they must not grow. */
        kill_many(&run, WARM_UP_KILLS);
        footprint_look(&pard, &before);
        run.killed = run.released = run.reclaimed = 0;
        started = now_ns();
        kill_many(&run, kills);
        printf("%llu clients killed in %.1f s: every byte accounted for; released %llu MiB, "
               "reclaimed %llu MiB\n",
               (unsigned long long)run.killed, (double)(now_ns() - started) / 1e9,
               (unsigned long long)(run.released / MiB), (unsigned long long)(run.reclaimed / MiB));
        footprint_look(&pard, &after);
        footprint_compare(&before, &after);
        kill_with_the_worker(&run, &pard);

        wire_client_close(&run.admin);
        pard_fixture_stop(&pard);
        return 0;
}
