/* SPDX-License-Identifier: MIT */
/*
 * Owns what a thread keeps of small pieces.
 *
 * Invariant: all pieces of a class are as large, and lie as the heap's constraint says, so that one
 * is as good as the other.
 */
#include "magazine.h"

#include "arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A thread keeps so many bytes of a class, within limits. */
#define CLASS_BYTES 131072u
#define ROOM_MIN    16u

void magazine_classes_add(struct magazine_classes *classes, size_t asked, size_t size)
{
        unsigned last = classes->last;
        size_t room;

        if (!size || size > MAGAZINE_SIZE_MAX) {
                classes->of[asked / MAGAZINE_STEP] = MAGAZINE_NONE;
                return;
        }
        if (classes->size[last] != size) {
                last = ++classes->last;
                assert(last < MAGAZINE_CLASSES);
                room = CLASS_BYTES / size;
                room = room < ROOM_MIN ? ROOM_MIN : room;
                classes->size[last] = (uint16_t)size;
                classes->room[last] = (uint8_t)(room > MAGAZINE_ROOM ? MAGAZINE_ROOM : room);
        }
        classes->of[asked / MAGAZINE_STEP] = (uint8_t)last;
}

struct magazines *magazines_new(const struct magazine_classes *classes)
{
        struct magazines *magazines = calloc(1, sizeof(*magazines));

        for (unsigned i = 1; magazines && i <= classes->last; i++) {
                void **pieces = magazines->pieces[i];

                magazines->of[i] = (struct magazine){ pieces, pieces, pieces + classes->room[i] };
        }
        return magazines;
}

void magazine_fill(struct magazine *magazine, size_t size, int flags)
{
        void **half = magazine->bottom + (magazine->full - magazine->bottom) / 2;

        while (magazine->top < half) {
                void *piece = mallocx(size, flags);

                if (!piece)
                        break;
                *magazine->top++ = piece;
        }
}

void magazine_drain(struct magazine *magazine, int flags)
{
        size_t count = (size_t)(magazine->top - magazine->bottom), given = (count + 1) / 2;

        if (!given)
                return; /* that of no class has no place, either */
        for (size_t i = 0; i < given; i++)
                dallocx(magazine->bottom[i], flags);
        memmove(magazine->bottom, magazine->bottom + given, (count - given) * sizeof(void *));
        magazine->top -= given;
}

void magazines_empty(struct magazines *magazines, int flags)
{
        for (unsigned i = 1; i < MAGAZINE_CLASSES; i++)
                while (magazines->of[i].top != magazines->of[i].bottom)
                        magazine_drain(&magazines->of[i], flags);
}
