/* SPDX-License-Identifier: MIT */
/*
 * A daemon of a test's own: in a temporary directory, on a socket of its own, gone at the end.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define EXIT_SKIPPED 77 /* what ctest shows as skipped */

/**
 * struct pard_fixture - one running pard
 * @pid:              the keeper
 * @directory:        of this daemon; removed by pard_fixture_stop()
 * @socket:           for par_connect() and PAR_SOCKET
 * @log:              file of what pard says
 * @hugepages_before: nr_hugepages of the 2 MiB pages when it was started; -1: it uses none
 */
struct pard_fixture {
        pid_t pid;
        char directory[64];
        char socket[96];
        char log[96];
        long hugepages_before;
};

/* Pools and devices for most tests: on invented memory, and on real hugepages. */
extern const char pard_config_sim[];
extern const char pard_config_hugetlb[];

/**
 * pard_fixture_start() - start a daemon and wait until it serves
 * @config: text of the configuration, without the socket; "user" and "socket" are added
 * @ret:    pard_fixture_stop() it
 *
 * The daemon dies with the calling thread. Ends the test program with a message where the daemon
 * does not come up within three minutes.
 */
void pard_fixture_start(const char *config, struct pard_fixture *ret);

/**
 * pard_fixture_try() - the same where it may well not come up
 * @ret_status: how it ended instead, as of waitpid()
 *
 * Return: 0; -1 where it ended: pard_fixture_forget() it.
 */
int pard_fixture_try(const char *config, struct pard_fixture *ret, int *ret_status);

/* One that has ended: look whether it left anything behind, and remove its directory. */
void pard_fixture_forget(struct pard_fixture *pard);

/**
 * pard_fixture_start_filled() - the same, and wait until its pools are filled
 */
void pard_fixture_start_filled(const char *config, struct pard_fixture *ret);

/* Write another configuration, in one step; pard reads it when it is told to. */
void pard_fixture_configure(const struct pard_fixture *pard, const char *config);

/**
 * pard_fixture_stop() - stop it with SIGTERM, and look whether it left anything behind
 *
 * Ends the test program with a message and the daemon's log where it did not stop within a minute,
 * stopped with another status than 0, or has not given back its hugepages.
 */
void pard_fixture_stop(struct pard_fixture *pard);

/* Wait until the system has as many hugepages as before; dies where it does not come to that. For
 * what a client has mapped when its pard stops: then set @hugepages_before to -1 meanwhile. */
void pard_fixture_expect_hugepages(const struct pard_fixture *pard);

/* The worker: the keeper's one child; 0 while there is none. */
pid_t pard_fixture_worker(const struct pard_fixture *pard);

/* Say what the daemon said. */
void pard_fixture_show_log(const struct pard_fixture *pard);

/**
 * require_hugepages() - skip the test (exit 77) where @mebibytes of real hugepages are not to be
 * had
 *
 * That takes root, the size of 2 MiB, and available memory of twice as much and 1 GiB on top.
 */
void require_hugepages(unsigned mebibytes);
