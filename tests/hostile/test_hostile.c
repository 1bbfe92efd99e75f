/* SPDX-License-Identifier: MIT */
/*
 * Hostile clients against a whole pard, beside a well-behaved one that must not notice. Takes root,
 * to be several users.
 *
 *     test_hostile [--sim | --hugepages] [--json] [--judge] [--rounds=N]
 *                  [ATTACK | each | mixed | list] [SECONDS]
 *
 * ATTACK:      one of the list, by its name
 * each:        (default) one after another
 * mixed:       all at once
 * --sim:       on invented memory, without those that are about frames
 * --hugepages: on real hugepages; of "each" those that are about frames
 *              Without either an attack is tried where it belongs, and "mixed" on real hugepages.
 * --judge:     the well-behaved client's 99th percentile must stay below 5 ms, or three times that
 *              of a bare ping-pong. It takes a machine that does nothing else
 * --rounds=N:  ATTACK or "mixed" so often against the same pard, each with a line of its own: shows
 *              whether what it leaves in memory grows
 * SECONDS:     of each, at least; default: 1
 */
#include "attack.h"
#include "outcome.h"
#include "siege.h"

#include "pard_fixture.h"
#include "process.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct options {
        int sim, hugepages, json, judge;
        unsigned long rounds;
        const char *what;
        double seconds;
} options = { .rounds = 1, .what = "each", .seconds = 1 };

/* Fewer say nothing of the hundredth that takes longest. */
#define ANSWERS_TO_JUDGE 2000

static unsigned late;

/* ---- what is run ----------------------------------------------------------------------------- */

static void suffer(struct siege *siege, const struct attack *attack)
{
        struct outcome outcome;
        struct good_client report = { 0 };
        const char *why;

        siege->answers = options.judge ? ANSWERS_TO_JUDGE : 0;
        siege_suffer(siege, attack, options.seconds, &outcome);
        if (options.json)
                outcome_print_json(&outcome, stdout);
        else
                outcome_print(&outcome, stdout);
        why = outcome_late(&outcome);
        if (why && options.judge) {
                fprintf(stderr, "%s\n", why);
                late++;
        }
        report.report = outcome.report;
        good_client_forget(&report);
}

static void run_each(bool real)
{
        struct siege siege;

        siege_begin(&siege, real);
        for (size_t i = 0; i < n_attacks; i++)
                if (attacks[i].real == real)
                        suffer(&siege, &attacks[i]);
        siege_end(&siege);
}

static void run_one(const struct attack *attack, bool real)
{
        struct siege siege;

        siege_begin(&siege, real);
        for (unsigned long i = 0; i < options.rounds; i++)
                suffer(&siege, attack);
        siege_end(&siege);
}

static const struct attack *attack_named(const char *name)
{
        for (size_t i = 0; i < n_attacks; i++)
                if (strcmp(attacks[i].name, name) == 0)
                        return &attacks[i];
        die("there is no attack %s: see test_hostile list", name);
}

static void list(void)
{
        for (size_t i = 0; i < n_attacks; i++)
                printf("%-18s %-9s %s\n", attacks[i].name, attacks[i].real ? "hugepages" : "",
                       attacks[i].about);
}

/* ---- how it is called ------------------------------------------------------------------------ */

static void read_options(int argc, char **argv)
{
        static const struct option known[] = {
                { "sim", no_argument, &options.sim, 1 },
                { "hugepages", no_argument, &options.hugepages, 1 },
                { "json", no_argument, &options.json, 1 },
                { "judge", no_argument, &options.judge, 1 },
                { "rounds", required_argument, NULL, 'r' },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
                if (c == '?')
                        exit(2);
                else if (c == 'r')
                        options.rounds = strtoul(optarg, NULL, 10);
        if (optind < argc)
                options.what = argv[optind++];
        if (optind < argc)
                options.seconds = strtod(argv[optind++], NULL);
        if (optind < argc || options.seconds <= 0 || !options.rounds ||
            (options.sim && options.hugepages))
                die("usage: test_hostile [--sim | --hugepages] [--json] [--judge] [--rounds=N] "
                    "[ATTACK | each | mixed | list] [SECONDS]");
}

int main(int argc, char **argv)
{
        read_options(argc, argv);
        if (strcmp(options.what, "list") == 0) {
                list();
                return 0;
        }
        if (getuid() != 0) {
                printf("skipped: it takes root to be several users\n");
                return EXIT_SKIPPED;
        }
        if (!options.json)
                outcome_print_head(stdout);
        if (strcmp(options.what, "mixed") == 0) {
                run_one(NULL, !options.sim);
        } else if (strcmp(options.what, "each") == 0) {
                if (!options.hugepages)
                        run_each(false);
                if (!options.sim)
                        run_each(true);
        } else {
                const struct attack *attack = attack_named(options.what);

                run_one(attack, options.hugepages || (attack->real && !options.sim));
        }
        return late ? EXIT_FAILURE : 0;
}
