/* SPDX-License-Identifier: MIT */
/*
 * Owns the array. Refuses nothing but what there is no memory for.
 */
#include "addresses.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 64

static int compare(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

void addresses_deinit(struct addresses *addresses)
{
        free(addresses->at);
        *addresses = (struct addresses){ 0 };
}

int addresses_add(struct addresses *addresses, uint64_t phys)
{
        size_t room = addresses->room ? 2 * addresses->room : ROOM_FIRST;
        uint64_t *at;

        if (addresses->n == addresses->room) {
                at = reallocarray(addresses->at, room, sizeof(*at));
                if (!at)
                        return -ENOMEM;
                addresses->at = at;
                addresses->room = room;
        }
        addresses->at[addresses->n++] = phys;
        return 0;
}

void addresses_sort(struct addresses *addresses)
{
        if (addresses->n)
                qsort(addresses->at, addresses->n, sizeof(addresses->at[0]), compare);
}

bool addresses_have(const struct addresses *addresses, uint64_t phys)
{
        return addresses->n && bsearch(&phys, addresses->at, addresses->n, sizeof(phys), compare);
}
