/* SPDX-License-Identifier: MIT */
/*
 * Mistakes of the program: what the rest of the library tells of its calls, and asks before it
 * believes a pointer. PAR_DEBUG=1 in the environment, or PAR_CONNECT_DEBUG.
 *
 * Declared where it is told: who looks for mistakes knows buffers, and buffers not him.
 *
 * Costs a load and a branch where no connection of the process ever asked for it.
 */
#pragma once

#include "public.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct debug_owner;

/* Some connection of this process has asked for it; it stays so when that is gone, since its
 * buffers may still be in use. */
extern atomic_bool debug_wanted;

static inline bool debug_on(void)
{
        return __builtin_expect(atomic_load_explicit(&debug_wanted, memory_order_relaxed), 0);
}

/**
 * struct debug_call - a call of the program's
 * @function: which one of the library's
 * @address:  where it returns to
 */
struct debug_call {
        const char *function;
        const void *address;
};

/* That of the exported function in which this stands, which is the outermost of the library. */
#define DEBUG_CALL ((struct debug_call){ __func__, __builtin_return_address(0) })

/* ---- connections: debug_owner.c ------------------------------------------------------------- */

/**
 * debug_begin() - look after a connection, if that is wanted
 * @par: its log is set up; its owner is set where it is wanted and there is memory
 */
void debug_begin(struct par *par, bool wanted);

/* A connection ends, or never came about: its log is not called any more. */
void debug_end(struct par *par);

/* Tell of all that is not freed or unmapped. Nobody else uses the connection. */
void debug_tell_leaks(struct par *par, struct debug_call call);

/* ---- buffers: debug_buffer.c ---------------------------------------------------------------- */

enum debug_holder {
        DEBUG_OF_USER,
        DEBUG_OF_SLAB,
        DEBUG_OF_SLOTS, /* the library has it for bouncing: no leak of the user's */
};

/**
 * struct debug_birth - what is told of a new buffer; all borrowed
 * @label: what the user calls it, or NULL
 * @asked_bytes: what he asked for, where he knows of no more: what lies behind is filled with a
 *               pattern until he does. 0: all of it is his
 * @holder: whose it is within the library
 */
struct debug_birth {
        struct debug_call call;
        const char *label;
        size_t asked_bytes;
        enum debug_holder holder;
};

/* A buffer is about to be the user's. Without memory nobody looks after it. */
void debug_buffer_made(struct par_buffer *buffer, const struct debug_birth *birth);

enum debug_use {
        DEBUG_USE_FACT,  /* he asks for anything */
        DEBUG_USE_WHOLE, /* he is told of all its bytes, also those that he did not ask for */
};

/**
 * debug_buffer_is_stale() - whether a pointer is of a buffer that is no more, or never was
 * @buffer: anything; not NULL
 *
 * Return: true: it was reported, and must not be looked at.
 */
bool debug_buffer_is_stale(const struct par_buffer *buffer, enum debug_use use,
                           struct debug_call call);

#define IS_STALE(buffer, use) (debug_on() && debug_buffer_is_stale(buffer, use, DEBUG_CALL))

/**
 * debug_buffer_ends() - a buffer is about to be freed
 * @buffer: anything; not NULL
 *
 * Return: false: it was freed before, or is none; that was reported. Leave it alone.
 */
bool debug_buffer_ends(struct par_buffer *buffer, struct debug_call call);

/* A buffer is gone: as buffer_free(), but its pointer and its place in memory stay taken for a
 * while, so that it is known whose they were. */
void debug_buffer_bury(struct par_buffer *buffer);

/* A look-up found nothing: was there something? */
void debug_pointer_missed(const void *pointer, struct debug_call call);

/* A look-up tells how long a buffer goes on. */
void debug_pointer_measured(const void *pointer, struct debug_call call);

/* ---- where buffers are mapped: debug_window.c ----------------------------------------------- */

/* Give a buffer address space of its own, with pages around it that cannot be touched. Where that
 * is not possible it stays where it is. */
void debug_window_open(struct par_buffer *buffer);

/* Take its memory out of it: with @keep the addresses stay taken, and cannot be touched. */
void debug_window_close(struct par_buffer *buffer, bool keep);
