/* SPDX-License-Identifier: MIT */
/*
 * A thread's small pieces of one heap that are free: taken and put without asking the allocator.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MAGAZINE_SIZE_MAX ((size_t)4096) /* larger pieces are the allocator's */
#define MAGAZINE_STEP     ((size_t)8)    /* sizes within one are of one class */
#define MAGAZINE_CLASSES  32u
#define MAGAZINE_ROOM     64u
#define MAGAZINE_NONE     0u /* the class of what has none; the others follow */

/**
 * struct magazine_classes - the sizes that a heap hands out
 * @of:    class of a size, by (size + MAGAZINE_STEP - 1) / MAGAZINE_STEP
 * @size:  bytes of a class
 * @room:  how many of it a thread keeps
 * @last:  the highest class; MAGAZINE_NONE: there is none
 *
 * What is of one class may be had for any request of that class.
 */
struct magazine_classes {
        uint8_t of[MAGAZINE_SIZE_MAX / MAGAZINE_STEP + 1];
        uint16_t size[MAGAZINE_CLASSES];
        uint8_t room[MAGAZINE_CLASSES];
        unsigned last;
};

/**
 * struct magazine - pieces of one class
 * @top:    behind the one that was put last
 * @bottom: the one that was put first
 * @full:   how far @top may go
 *
 * All zero, as that of MAGAZINE_NONE, it is both empty and full.
 */
struct magazine {
        void **top, **bottom, **full;
};

/**
 * struct magazines - of one thread and heap
 * @of:     each class
 * @pieces: what they have
 */
struct magazines {
        struct magazine of[MAGAZINE_CLASSES];
        void *pieces[MAGAZINE_CLASSES][MAGAZINE_ROOM];
};

/* The class of a size. */
static inline unsigned magazine_class(const struct magazine_classes *classes, size_t size)
{
        if (size > MAGAZINE_SIZE_MAX)
                return MAGAZINE_NONE;
        return classes->of[(size + MAGAZINE_STEP - 1) / MAGAZINE_STEP];
}

/* Whoever asks for @asked bytes gets @size; to be told of each multiple of MAGAZINE_STEP, from 0 on
 * in ascending order. @size 0: nothing. */
void magazine_classes_add(struct magazine_classes *classes, size_t asked, size_t size);

/* Empty magazines of all classes, or NULL without memory; free() them. */
struct magazines *magazines_new(const struct magazine_classes *classes);

/**
 * magazine_fill() - have the allocator fill an empty magazine up to half
 * @size:  bytes of its class
 * @flags: the allocator's, for this thread and heap
 *
 * It stays empty where the allocator has none.
 */
void magazine_fill(struct magazine *magazine, size_t size, int flags);

/* Give half of what a magazine has back to the allocator: those that were put first. */
void magazine_drain(struct magazine *magazine, int flags);

/* Give everything back. */
void magazines_empty(struct magazines *magazines, int flags);
