/* SPDX-License-Identifier: MIT */
/*
 * Owns the daemon and the order of things: look, attack, stop, wait until all is as it was, look
 * again. Waits for conditions, never for a time.
 */
#include "siege.h"

#include "belongings.h"
#include "macros.h"
#include "process.h"
#include "troop.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL_BYTES   (256 * MiB)
#define LOOK_US      5000
#define REVOKE_EVERY 4 /* times looked */
#define QUIET_LOOKS  50
#define GROW_S       1.0

/* What 1,000 sessions at once with full queues leave of the heap, which the next ones use; a
 * sanitizer keeps freed memory for itself. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GROWTH_KIB_MAX (1 << 20)
#else
#define GROWTH_KIB_MAX 16384
#endif

/* Of three sorts, 20 in 10 s each, and what is said of pools. */
#define LOG_LINES_MAX      150
#define LOG_LINES_A_SECOND 10
#define BEGIN_NS           (300 * NS_PER_S)

#define SETTLE_NS (60 * NS_PER_S)

/* Each uid has a sixteenth at most: six hostile ones leave enough for the rest. */
static const char pool[] = "pool \"any\" { page_size = \"2M\" size_min = \"256M\" "
                           "quota \"user:*\" { bytes = \"16M\" } "
                           "reuse_delay = \"50ms\" quarantine = \"50ms\" }\n";
static const char access_keys[] = "group = \"65101\"\nmode = \"0660\"\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n";
static const char hugetlb[] = "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = "
                              "\"512M\"\nverify = \"100ms\"\n";

/* ---- what is looked at ----------------------------------------------------------------------- */

/* Lines of the log, and whether pard has called anything an error. Who punches his own frames and
 * touches them again moves them, and that is said as an error: their addresses are not true. */
static uint64_t read_log(const struct siege *siege)
{
        FILE *file = fopen(siege->pard.log, "re");
        uint64_t lines = 0;
        char line[2048];

        if (!file)
                die("%s cannot be read", siege->pard.log);
        while (fgets(line, sizeof(line), file)) {
                lines++;
                if (line[0] == '<' && line[1] <= '3' &&
                    !(siege->real && strstr(line, " moved to ")))
                        die("pard says: %s", line);
        }
        fclose(file);
        return lines;
}

static void expect_worker(const struct siege *siege, const char *name)
{
        if (pard_fixture_worker(&siege->pard) == siege->worker)
                return;
        pard_fixture_show_log(&siege->pard);
        die("%s: the worker is another one", name);
}

static bool is_settled(struct siege *siege, const struct footprint *before)
{
        const Wire__Status *status = wire_client_status(&siege->admin);

        check_sum_of_states(status->bytes);
        return status->bytes->free == POOL_BYTES && status->bytes->held == POOL_BYTES &&
               status->clients == 1 && status->buffers == 0 && status->waiting == 0 &&
               process_descriptors(siege->pard.pid) <= before->descriptors[0] &&
               process_descriptors(siege->worker) <= before->descriptors[1];
}

/* Return: how long that took, in ms. */
static uint64_t settle(struct siege *siege, const struct footprint *before, const char *name)
{
        uint64_t started = now_ns();

        while (!is_settled(siege, before)) {
                const Wire__Status *status;

                expect_worker(siege, name);
                usleep(LOOK_US);
                if (now_ns() < started + SETTLE_NS)
                        continue;
                belongings_print(siege->pard.pid, siege->worker);
                belongings_print(siege->worker, siege->pard.pid);
                status = wire_client_status(&siege->admin);
                die("%s: %" PRIu64 " of %" PRIu64 " bytes free, lingering %" PRIu64
                    ", quarantined %" PRIu64 ", leaving %" PRIu64 ", retired %" PRIu64
                    ", %u clients, %" PRIu64 " buffers, %" PRIu64
                    " waiting; descriptors %u and %u, %u and %u before",
                    name, status->bytes->free, status->bytes->held, status->bytes->lingering,
                    status->bytes->quarantined, status->bytes->leaving, status->bytes->retired,
                    status->clients, status->buffers, status->waiting,
                    process_descriptors(siege->pard.pid), process_descriptors(siege->worker),
                    before->descriptors[0], before->descriptors[1]);
        }
        return (now_ns() - started) / NS_PER_MS;
}

static void look_at_footprint(const struct siege *siege, struct footprint *ret)
{
        ret->descriptors[0] = process_descriptors(siege->pard.pid);
        ret->descriptors[1] = process_descriptors(siege->worker);
        ret->resident_kib[0] = process_resident_kib(siege->pard.pid);
        ret->resident_kib[1] = process_resident_kib(siege->worker);
}

/* As long as it begins, pard opens and closes this and that. */
static void look_when_quiet(const struct siege *siege, struct footprint *ret)
{
        struct footprint before;
        unsigned same = 0;

        look_at_footprint(siege, ret);
        while (same < QUIET_LOOKS) {
                before = *ret;
                usleep(LOOK_US);
                look_at_footprint(siege, ret);
                same = memcmp(before.descriptors, ret->descriptors, sizeof(ret->descriptors)) == 0
                               ? same + 1
                               : 0;
        }
}

/* ---- the fight ------------------------------------------------------------------------------- */

static void take_away(struct siege *siege)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Selection which = WIRE__SELECTION__INIT;
        char name[] = "revoked";

        which.client_name = name;
        request.body_case = WIRE__REQUEST__BODY_REVOKE;
        request.revoke = &which;
        siege->revocations++;
        (void)wire_client_ask(&siege->admin, &request); /* or there is none at the moment */
}

/* Whether each attack was tried, and the well-behaved client had its answers. */
static bool is_under_way(const struct siege *siege, const struct troop *troop,
                         const struct good_client *good)
{
        for (size_t i = 0; i < troop->count; i++)
                if (!troop->soldiers[i].attack->optional &&
                    troop_tries(troop, troop->soldiers[i].attack) == 0)
                        return false;
        return good->report->answers.count > (siege->grown ? siege->answers : 0);
}

static void watch(struct siege *siege, struct troop *troop, const struct good_client *good,
                  const char *name, bool revokes, uint64_t until_ns)
{
        for (unsigned i = 1; now_ns() < until_ns || !is_under_way(siege, troop, good); i++) {
                if (now_ns() > until_ns + BEGIN_NS)
                        die("%s: nothing was tried, or nothing answered", name);
                check_sum_of_states(wire_client_status(&siege->admin)->bytes);
                if (revokes && i % REVOKE_EVERY == 0)
                        take_away(siege);
                expect_worker(siege, name);
                troop_look(troop);
                if (!good_client_lives(good))
                        die("%s: the good client has given up", name);
                usleep(LOOK_US);
        }
}

/* Return: whether any of them revokes. */
static bool start_troop(const struct siege *siege, struct troop *troop, const struct attack *attack)
{
        bool revokes = false;

        if (attack) {
                troop_add(troop, attack, attack->processes, 0);
                return attack->revoked;
        }
        for (size_t i = 0; i < n_attacks; i++) {
                if (attacks[i].real && !siege->real)
                        continue;
                troop_add(troop, &attacks[i], attacks[i].together, (unsigned)i);
                revokes |= attacks[i].revoked;
        }
        return revokes;
}

static uint64_t count_tries(const struct troop *troop)
{
        uint64_t all = 0;

        for (size_t i = 0; i < n_attacks; i++)
                all += troop_tries(troop, &attacks[i]);
        return all;
}

/* What an administrator asks for is told, and what came of it. */
static uint64_t lines_expected(const struct siege *siege, double seconds)
{
        return LOG_LINES_MAX + (uint64_t)(seconds * LOG_LINES_A_SECOND) + 2 * siege->revocations;
}

static void judge(const struct siege *siege, const struct outcome *outcome)
{
        const struct good_report *report = outcome->report;

        for (int i = 0; i < 2 && siege->grown; i++)
                if (outcome->after.resident_kib[i] - outcome->before.resident_kib[i] >
                    GROWTH_KIB_MAX)
                        die("%s: the %s has %ld KiB, %ld KiB before", outcome->name,
                            i ? "worker" : "keeper", outcome->after.resident_kib[i],
                            outcome->before.resident_kib[i]);

        if (report->refused)
                die("%s: the good client was refused %" PRIu64 " times: %s", outcome->name,
                    report->refused, report->why);
        if (outcome->log_lines > lines_expected(siege, outcome->seconds))
                die("%s: %" PRIu64 " lines of log", outcome->name, outcome->log_lines);
}

void siege_suffer(struct siege *siege, const struct attack *attack, double seconds,
                  struct outcome *ret)
{
        const char *name = attack ? attack->name : "all at once";
        static struct troop troop;
        struct good_client good = { 0 };
        uint64_t lines, until;
        bool revokes;

        *ret = (struct outcome){ .name = name,
                                 .about = attack ? attack->about : "all attacks at the same time",
                                 .real = siege->real,
                                 .seconds = seconds,
                                 .fresh = siege->fresh };
        look_at_footprint(siege, &ret->before);
        lines = read_log(siege);
        siege->revocations = 0;
        good_client_start(&good, siege->worker, siege->real);
        ret->report = good.report;
        troop_init(&troop, &good.report->victim);
        good_client_measure(&good);
        revokes = start_troop(siege, &troop, attack);
        until = now_ns() + (uint64_t)(seconds * (double)NS_PER_S);
        watch(siege, &troop, &good, name, revokes, until);
        ret->processes = (unsigned)troop.count;
        troop_end(&troop);
        ret->tries = count_tries(&troop);
        troop_deinit(&troop);
        good_client_stop(&good);
        ret->settle_ms = settle(siege, &ret->before, name);
        look_at_footprint(siege, &ret->after);
        ret->log_lines = read_log(siege) - lines;
        judge(siege, ret);
}

/* After that it must not grow any more. */
static void grow(struct siege *siege)
{
        struct outcome outcome;
        struct good_client good = { 0 };

        siege_suffer(siege, NULL, GROW_S, &outcome);
        good.report = outcome.report;
        good_client_forget(&good);
        siege->grown = true;
}

/* Where the system has no memory at the moment pard says that it is filled for now. */
static void wait_until_full(struct siege *siege)
{
        uint64_t deadline = now_ns() + BEGIN_NS;

        while (wire_client_status(&siege->admin)->bytes->free < POOL_BYTES) {
                if (now_ns() > deadline)
                        die("the pool does not become full");
                usleep(LOOK_US);
        }
}

void siege_begin(struct siege *siege, bool real)
{
        char config[1024];

        *siege = (struct siege){ .real = real };
        if (real)
                require_hugepages(2 * POOL_BYTES / MiB);
        snprintf(config, sizeof(config), "%s%s%s", real ? hugetlb : sim, access_keys, pool);
        pard_fixture_start_filled(config, &siege->pard);
        wire_client_open(siege->pard.socket, "siege", &siege->admin);
        siege->worker = pard_fixture_worker(&siege->pard);
        wait_until_full(siege);
        look_when_quiet(siege, &siege->fresh);
        grow(siege);
}

void siege_end(struct siege *siege)
{
        wire_client_close(&siege->admin);
        pard_fixture_stop(&siege->pard);
}
