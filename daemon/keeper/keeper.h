/* SPDX-License-Identifier: MIT */
/*
 * The privileged process: holds frames, pins, the listening socket and the ledger; starts the
 * worker and starts it again when it dies. It hears no client and parses nothing.
 */
#pragma once

#include "backend.h"
#include "takeover.h"

#include <sys/types.h>

/**
 * struct keeper_pool - what the keeper must know of a pool
 * @name:         borrowed, for the status line and the log
 * @page_bytes:   size of its frames
 * @pin_required: frames that are not pinned are refused
 * @demote:       its frames come from larger pages, which the kernel takes apart
 * @harvest_max_bytes: most that may be held at once beyond what is wanted; 0: no harvest. Read by
 *                the main loop alone: reload() may change it
 */
struct keeper_pool {
        const char *name;
        uint64_t page_bytes;
        bool pin_required;
        bool demote;
        uint64_t harvest_max_bytes;
};

/**
 * struct keeper_settings - everything that the keeper needs, decided beforehand
 * @backend:      borrowed; the caller frees it after keeper_run()
 * @pools:        @n_pools entries, borrowed
 * @slots:        most frames that are held at once
 * @listen_fd:    borrowed; non-blocking listening socket
 * @metrics_fd:   borrowed; non-blocking listening socket of the metrics; -1: there is none
 * @udmabuf_fd:   borrowed; an open /dev/udmabuf, for the worker; -1: there is none
 * @config_fd:    borrowed; sealed memfd with the configuration's text, for the worker to read
 * @worker_argv:  what to execute (argv[0] is a path), NULL-terminated; borrowed
 * @worker_uid, @worker_gid: identity of the worker; (uid_t)-1: the keeper's own
 * @threads:      how many take and return frames, >= 1
 * @verify_ns:    period in which the addresses of all frames are read again; 0: never. reload()
 *                may change it
 * @reload:       read the configuration again, and go by it where it is good. Called by the main
 *                loop, after SIGHUP or when the worker asks for it. *ret_config_fd: sealed memfd
 *                with its text, owned by the keeper; -1 where it could not be read. NULL: there is
 *                nothing to be read.
 *                Return: 0: in force; -EINVAL: not good, or changes what cannot change; other
 *                negative errno. On anything but 0 nothing changed
 * @reload_data:  handed to @reload
 * @look:         whether a PCI device (pci_address.h) is bus master: 1, 0 (or it is not there at
 *                all), or a negative errno. Called by a thread, and may take its time
 * @look_data:    handed to @look
 * @takeover:     what a former keeper left, with a ledger that is consumed, for whose slots,
 * backend and descriptors the caller has seen to it that the rest of this fits; borrowed. NULL:
 * nothing
 * @parked_fds:   takeover->head.n_parked descriptors of frames, consumed; the array is borrowed
 * @parks:        park what is in use with the service manager, at an orderly end
 * @opener_fd:    borrowed; what the next program of this process asks for files that take
 * privilege; -1: nobody
 * @listener, @metrics: as they are, for the next keeper's takeover
 * @successor_argv: what to execute when this keeper is to be replaced, NULL-terminated, with a
 *                place for the number of a descriptor; borrowed. NULL: it cannot be
 * @trial_argv:   the same, for a process that only tries whether it could take over
 * @successor_fd: that place in both, of SUCCESSOR_FD_BYTES
 */
struct keeper_settings {
        struct backend *backend;
        const struct keeper_pool *pools;
        uint32_t n_pools;
        uint32_t slots;
        int listen_fd;
        int metrics_fd;
        int udmabuf_fd;
        int config_fd;
        char *const *worker_argv;
        uid_t worker_uid;
        gid_t worker_gid;
        unsigned threads;
        uint64_t verify_ns;
        int (*reload)(void *data, int *ret_config_fd);
        void *reload_data;
        int (*look)(void *data, uint32_t device);
        void *look_data;
        const struct takeover *takeover;
        int *parked_fds;
        bool parks;
        int opener_fd;
        struct takeover_listener listener, metrics;
        char *const *successor_argv, *const *trial_argv;
        char *successor_fd;
};

#define SUCCESSOR_FD_BYTES 16

/**
 * keeper_run() - be the keeper until SIGTERM or SIGINT
 *
 * SIGHUP: read the configuration again. SIGUSR1: replace the worker. SIGUSR2: replace this program
 * by settings->successor_argv, with everything that it holds; then it does not return.
 *
 * Tells the service manager when the worker serves, what it does meanwhile, that it is alive, and
 * that it stops. A worker that does not answer is replaced. At the end the worker is stopped, and
 * every frame is given back or dropped.
 *
 * Return: 0 after an orderly stop; -ECHILD where the worker dies again and again before it serves;
 * other negative errno where the keeper cannot start.
 */
int keeper_run(const struct keeper_settings *settings);

/**
 * keeper_raise_descriptor_limit() - every frame is a descriptor, here and in the worker
 *
 * To what the system gives to a process, or without the right to do so to what this one may have.
 * keeper_run() does it, too; who gives up that right does it before.
 */
void keeper_raise_descriptor_limit(void);

/**
 * keeper_try_takeover() - could it be settings->takeover?
 * @takeover: borrowed; its ledger_fd is consumed
 *
 * Changes nothing. Return: 0; -EPROTO where the ledger is of a version that is not understood;
 * -EBADMSG where slots make no sense; other negative errno.
 */
int keeper_try_takeover(const struct takeover *takeover);
