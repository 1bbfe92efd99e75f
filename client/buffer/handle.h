/* SPDX-License-Identifier: MIT */
/*
 * The handle of a session: what par_connect() returns.
 */
#pragma once

#include "bar_maps.h"
#include "buffer.h"
#include "connection.h"
#include "debug.h"
#include "device.h"
#include "event.h"
#include "fork_mark.h"
#include "frame.h"
#include "io_space.h"
#include "lookup.h"

#include <pthread.h>
#include <sys/types.h>

/* Longest client name and label of the protocol, in bytes. */
#define NAME_BYTES_MAX 63

/**
 * struct par - a session with the daemon
 * @lock:    protects everything below it, and changes of @lookup, which is read without it
 * @pid:     of the process that connected; nobody else may use the session
 * @mark:    says whether this is that process, where the kernel can tell that fast
 * @name:    under which it is connected
 * @log:     the user's hook or NULL, with @log_data
 * @debug:   log lines go to standard error, too
 * @owner:   what is known of it where mistakes are looked for; NULL: they are not. See debug.h
 * @bars:    devices' memory that is mapped; has a lock of its own
 * @devices: open ones
 * @slabs:   that are not destroyed yet
 * @iovas:   ranges of I/O addresses that are not destroyed yet
 * @io_untold: buffers of this number and above are to be told of again, see io_tell.h; 0: none are
 * @io_spaces: of the VFIO containers that devices are attached to, or buffers mapped in
 */
struct par {
        pid_t pid;
        struct fork_mark mark;
        char name[NAME_BYTES_MAX + 1];
        void (*log)(void *log_data, int level, const char *message);
        void *log_data;
        bool debug;
        struct debug_owner *owner;
        struct lookup lookup;
        struct bar_maps bars;

        pthread_mutex_t lock;
        struct connection connection;
        struct frames frames;
        struct buffers buffers;
        struct events events;
        struct device_list devices;
        LIST_HEAD(, par_slab) slabs;
        LIST_HEAD(, par_iova) iovas;
        uint64_t io_untold;
        struct io_spaces io_spaces;
};

/**
 * handle_check() - may this process use the handle?
 *
 * Return: 0; -EINVAL for NULL; -ECHILD in a child of fork(). par_error() is set.
 */
int handle_check(const struct par *par);

/* Whether handle_check() is certain to say 0; where not, it has to be asked. */
static inline bool handle_is_ours(const struct par *par)
{
        return par && *par->mark.ours;
}

/**
 * handle_check_name() - may the wire carry this name?
 * @what: "label" ..., for the sentence
 * @name: NULL is fine
 *
 * Return: 0; -EINVAL: par_error() is set.
 */
int handle_check_name(const char *what, const char *name);

/* Tell the user's hook. @level as in syslog.h. */
void handle_log(const struct par *par, int level, const char *format, ...)
        __attribute__((__format__(__printf__, 3, 4)));

/**
 * handle_tell_dropped() - tell the daemon which frames are no longer mapped
 *
 * With the lock held. Where the socket is full, a later call does it.
 */
void handle_tell_dropped(struct par *par);
