/* SPDX-License-Identifier: MIT */
/*
 * What a client can do to a frame of its, and what it can keep of it.
 */
#pragma once

#include "macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_BYTES (2 * MiB)

/**
 * struct held - what the hostile process has of its frame
 * @fd, @map: as a client gets them; -1, NULL: it let go of them
 * @kept:     descriptors and a mapping that it keeps beyond that
 * @child:    a process that has a mapping of it, at @child_map
 */
struct held {
        int fd;
        char *map;
        int kept[2];
        void *kept_map, *child_map;
        pid_t child;
};

/* The trick that others build on: the page goes out of the file. */
void punch(struct held *held);

/* Unmap the frame, as a client does before it gives it back. */
void held_unmap(struct held *held);

/* Let go of everything that was kept beyond that. */
void held_let_go(struct held *held);

/* What a client that has filled its frame with this must find there as long as it keeps it, or
 * zeros where it punched it: anything else is somebody else's. */
#define HELD_WORD UINT64_C(0xa5a5a5a5a5a5a5a5)

/* held_look() - read all that what is kept lets one read, out of a pipe or a socket once. Return:
 * whether every word is HELD_WORD or 0. */
bool held_look(struct held *held);

#define FILE_NOTE  "still open"
#define PAGES_NOTE "still referred to"
#define HOLE_NOTE  "punched"
#define PATH_NOTE  "O_PATH"

/**
 * struct trick - one of them, and what is seen of it
 * @note:     why the frame lingers when it was given back; NULL: it does not
 * @holder:   the same in a word, as lists have it; NULL
 * @outlives: it lingers on when the session has ended, until the client lets go
 * @steals:   what the client keeps then cannot be seen, so the page is lost until it lets go
 * @spare:    it takes a hugepage of the system's
 */
struct trick {
        const char *name;
        void (*play)(struct held *held);
        const char *note, *holder;
        bool outlives, steals, spare;
};

extern const struct trick tricks[];
extern const size_t n_tricks;

/* Or end the test: the system did not do what the trick needs. */
void insist(bool good, const char *what);
