/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Follows the cursor until pard says that this was all; what changes meanwhile may be
 * there twice or not at all.
 */
#include "map_ask.h"

#include "complain.h"
#include "exits.h"

static int add(struct map *map, const Wire__Extent *wire, uint64_t first, uint64_t last)
{
        const struct map_extent extent = {
                .first = wire->first,
                .last = wire->last,
                .page_bytes = wire->page_size,
                .free_bytes = wire->free,
                .state = map_state_of(wire->state),
                .draining = wire->draining,
        };

        return map_add(map, &extent, wire->pool, first, last);
}

int map_ask(struct ask *ask, const struct arguments *arguments, struct map *ret)
{
        const uint64_t last = arguments->addr_max ? arguments->addr_max : UINT64_MAX;
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;

        list.addr_min = arguments->addr_min;
        list.addr_max = arguments->addr_max;
        if (arguments->pool)
                list.pool = (char *)arguments->pool;
        request.body_case = WIRE__REQUEST__BODY_MAP;
        request.map = &list;
        do {
                const Wire__Reply *reply;
                int status;

                status = ask_for(ask, &request, WIRE__REPLY__BODY_MAP, &reply);
                if (status)
                        return status;
                for (size_t i = 0; i < reply->map->n_extents; i++) {
                        if (add(ret, reply->map->extents[i], arguments->addr_min, last)) {
                                complain("out of memory");
                                return EXIT_OTHER;
                        }
                }
                list.cursor = reply->map->next_cursor;
        } while (list.cursor);
        map_sort(ret);
        return 0;
}
