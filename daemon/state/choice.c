/* SPDX-License-Identifier: MIT */
/*
 * The search for a place, pool by pool. Within a pool a client's own memory comes before what
 * everybody may have: a small request goes into frames that he has a part of already, then into the
 * empty frame that is kept for him, and only then takes new frames, from the top down.
 *
 * A buffer that reaches over several frames takes only frames without live buffers, because the
 * client maps them side by side and must not move what is mapped elsewhere.
 *
 * Whether the frames that are new to the client are within his quotas, and not claimed by others,
 * is looked at before the search, as far as that is known, and after it exactly.
 */
#include "choice.h"

#include "grow.h"
#include "hidden.h"
#include "placement.h"
#include "quota.h"
#include "segment.h"
#include "state_private.h"
#include "two_ends.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void choice_deinit(struct choice *choice)
{
        free(choice->places);
        *choice = (struct choice){ 0 };
}

uint64_t choice_pools(const struct state *state, const struct client *client,
                      const struct demand *demand, const char *name, uint64_t *ret_denied)
{
        bool named = name && *name;
        uint64_t pools = 0;

        *ret_denied = 0;
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool_settings *settings = state->pools[i].settings;
                uint64_t bit = UINT64_C(1) << i;

                if (named && strcmp(settings->name, name) != 0)
                        continue;
                if (settings->hidden && !hidden_suits(settings, demand, named))
                        continue;
                if (!named && settings->limited && !settings->spill && demand_is_unlimited(demand))
                        continue;
                if (!(client->allowed & bit))
                        *ret_denied |= bit;
                else
                        pools |= bit;
        }
        return pools;
}

/* One contiguous place becomes the choice. */
static int choose_one(struct choice *choice, struct range place)
{
        choice->places = malloc(sizeof(place));
        if (!choice->places)
                return -ENOMEM;
        choice->places[0] = place;
        choice->n_places = 1;
        return 0;
}

/* Inside a frame that the client has a part of. Never over the edge of a frame. */
static int find_partial(const struct account *account, const struct demand *demand,
                        struct choice *choice)
{
        uint64_t page_bytes = account->pool->settings->page_bytes;
        struct constraint inside = demand->want;
        struct space_list list = { .count = 0 };
        struct range place;

        if (demand->want.size_bytes > page_bytes)
                return PAR_REFUSED_FRAGMENTED;
        space_list_add(&list, &account->partial, demand->nodes);
        if (!list.count)
                return PAR_REFUSED_EXHAUSTED;

        inside.max_segments = 1;
        inside.max_segment_bytes = 0;
        if (demand->want.max_segments > 1 || !inside.boundary_bytes ||
            inside.boundary_bytes > page_bytes)
                inside.boundary_bytes = page_bytes;
        if (!two_ends_find(list.of, list.count, &inside, &place) &&
            segment_count(&demand->want, place) <= demand->want.max_segments)
                return choose_one(choice, place);

        /* A place that starts on the boundary has the fewest segments that there can be. */
        if (demand->want.max_segments == 1 || !demand->want.boundary_bytes ||
            demand->want.boundary_bytes >= page_bytes)
                return PAR_REFUSED_FRAGMENTED;
        if (demand->want.boundary_bytes > inside.align_bytes)
                inside.align_bytes = demand->want.boundary_bytes;
        if (!two_ends_find(list.of, list.count, &inside, &place) &&
            segment_count(&demand->want, place) <= demand->want.max_segments)
                return choose_one(choice, place);
        return PAR_REFUSED_FRAGMENTED;
}

/* In whole frames: one run of them, or several where the demand allows. */
static int find_whole(const struct pool *pool, const struct space_list *list,
                      const struct demand *demand, struct choice *choice)
{
        struct range place;
        int r;

        r = two_ends_find(list->of, list->count, &demand->want, &place);
        if (!r)
                return choose_one(choice, place);
        if (r < 0 || demand->want.max_segments == 1)
                return r;
        return placement_find_scattered(list->of, list->count, pool->settings->page_bytes,
                                        &demand->want, &choice->places, &choice->n_places);
}

/* Below and above what is kept for somebody else. */
static int find_beside_held(const struct pool *pool, const struct space_list *list,
                            const struct demand *demand, struct choice *choice)
{
        const struct range *held = &pool->held_window;
        struct demand part = *demand;
        enum limit limit;
        int r;

        if (held->last < demand->want.window.last) {
                if (held->last >= demand->want.window.first)
                        part.want.window.first = held->last + 1;
                r = constraint_check(&part.want, &limit);
                if (!r)
                        r = find_whole(pool, list, &part, choice);
                if (r <= 0)
                        return r;
        }
        if (held->first <= demand->want.window.first)
                return PAR_REFUSED_EXHAUSTED;
        part.want.window = demand->want.window;
        if (held->first <= part.want.window.last)
                part.want.window.last = held->first - 1;
        r = constraint_check(&part.want, &limit);
        return r ? r : find_whole(pool, list, &part, choice);
}

/* Whether the client may have so many frames that are nobody's. Return: 0; PAR_REFUSED_QUOTA, noted
 * in the choice; PAR_REFUSED_EXHAUSTED where they are claimed by others. */
static int check_frames(const struct pool *pool, const struct client *client, uint64_t frames,
                        struct choice *choice)
{
        struct quota_excess excess;

        if (quota_check(client, pool, frames, &excess)) {
                if (!choice->barred || quota_is_laxer(&excess, &choice->excess))
                        choice->excess = excess;
                choice->barred |= UINT64_C(1) << pool->index;
                return PAR_REFUSED_QUOTA;
        }
        if (frames > claims_left_bytes(client, pool) / pool->settings->page_bytes)
                return frames ? PAR_REFUSED_EXHAUSTED : 0;
        return 0;
}

/* Frames of the choice that the client has no part of yet. */
static uint64_t new_frames(const struct pool *pool, const struct account *account,
                           const struct choice *choice)
{
        const uint64_t page_bytes = pool->settings->page_bytes;
        const struct frame *reusable = account ? account->reusable : NULL;
        uint64_t frames = 0, last = UINT64_MAX;

        for (size_t i = 0; i < choice->n_places; i++) {
                struct range place = choice->places[i];
                uint64_t from = place.first / page_bytes, to = place.last / page_bytes;

                frames += to - from + 1;
                if (from == last)
                        frames--; /* two places in one frame */
                if (reusable && range_overlaps(place, frame_range(reusable)))
                        frames--;
                last = to;
        }
        return frames;
}

/* Beside what the client has already: in frames that nobody has. */
static int find_new(const struct pool *pool, const struct client *client,
                    const struct demand *demand, const struct space_list *list, bool held_up,
                    struct choice *choice)
{
        int r;

        r = check_frames(pool, client, quota_frames_least(client, pool, demand), choice);
        if (r)
                return r;
        if (held_up)
                r = find_beside_held(pool, list, demand, choice);
        else
                r = find_whole(pool, list, demand, choice);
        if (r)
                return r;
        r = check_frames(pool, client, new_frames(pool, client_account_of(client, pool), choice),
                         choice);
        if (r) {
                free(choice->places);
                choice->places = NULL;
                choice->n_places = 0;
        }
        return r;
}

static int find_in_pool(const struct pool *pool, const struct client *client,
                        const struct demand *demand, bool held_up, struct choice *choice)
{
        const struct account *account = client_account_of(client, pool);
        struct space_list list = { .count = 0 };
        int r;

        r = check_frames(pool, client, 0, choice);
        if (r)
                return r;
        /* What is to be shared shares no frame, and lies in none that somebody may have mapped. */
        if (account && !demand->share.wanted) {
                r = find_partial(account, demand, choice);
                if (r <= 0)
                        return r;
                space_list_add(&list, &account->empty, demand->nodes);
                if (list.count) {
                        r = find_whole(pool, &list, demand, choice);
                        if (r <= 0)
                                return r;
                }
        }
        space_list_add(&list, &pool->free, demand->nodes);
        return find_new(pool, client, demand, &list, held_up, choice);
}

int choice_find(const struct state *state, const struct client *client, const struct demand *demand,
                uint64_t pools, uint64_t held_up, struct choice *ret)
{
        int answer = PAR_REFUSED_EXHAUSTED;

        for (size_t i = 0; i < state->settings->n_pools; i++) {
                struct pool *pool = &state->pools[state->preferred[i]];
                uint64_t bit = UINT64_C(1) << pool->index;
                int r;

                if (!(pools & bit) || !range_overlaps(pool->settings->window, demand->want.window))
                        continue;
                r = find_in_pool(pool, client, demand, held_up & bit, ret);
                if (!r)
                        ret->pool = pool;
                if (r <= 0)
                        return r;
                if (r == PAR_REFUSED_FRAGMENTED)
                        answer = r;
        }
        return answer;
}

/* The longest that lies in one frame: what is left of adjacent frames may be one run. */
static bool longest_part(const struct pool *pool, const struct space_list *parts,
                         struct range window, struct range *ret)
{
        uint64_t page_bytes = pool->settings->page_bytes, low = 0, high;
        struct constraint want = {
                .window = window, .align_bytes = 1, .boundary_bytes = page_bytes, .max_segments = 1
        };
        struct range place;

        if (!placement_find_largest_run(parts->of, parts->count, window, ret))
                return false;
        if (ret->first / page_bytes == ret->last / page_bytes)
                return true;
        high = range_size(*ret) < page_bytes ? range_size(*ret) : page_bytes;
        while (low < high) {
                want.size_bytes = high - align_down((high - low) / 2, GRANULE_BYTES);
                if (placement_find(parts->of, parts->count, &want, &place)) {
                        high = want.size_bytes - GRANULE_BYTES;
                        continue;
                }
                low = want.size_bytes;
                *ret = place;
        }
        return true;
}

/* Of a run of whole frames the upper part that others have not claimed. Return: whether there is
 * any. */
static bool cut_to_claims(const struct client *client, const struct pool *pool,
                          const struct demand *demand, struct range *run)
{
        uint64_t left = claims_left_bytes(client, pool) + client_kept_bytes(client, pool, demand);

        if (range_size(*run) > left && left)
                run->first = run->last - (left - 1);
        return left;
}

bool choice_longest(const struct client *client, const struct pool *pool,
                    const struct demand *demand, struct range *ret)
{
        struct space_list whole, parts;
        struct range part;
        bool found;

        client_memory(client, pool, demand, &whole, &parts);
        found = placement_find_largest_run(whole.of, whole.count, demand->want.window, ret) &&
                cut_to_claims(client, pool, demand, ret);
        if (!longest_part(pool, &parts, demand->want.window, &part))
                return found;
        if (!found || range_size(part) > range_size(*ret))
                *ret = part;
        return true;
}

/* What a client holds itself does not come free by waiting. 0 where it is not known to lie in the
 * demand's window. */
static uint64_t own_bytes(const struct pool *pool, const struct client *client,
                          const struct demand *demand)
{
        const struct account *account = client_account_of(client, pool);
        uint64_t bytes;

        if (!account || demand->want.window.first > pool->settings->window.first ||
            demand->want.window.last < pool->settings->window.last || demand->nodes)
                return 0;
        bytes = account->bytes.granted + account->bytes.quarantined;
        return bytes - node_spaces_bytes(&account->partial);
}

/* What the pool can hold at most for this client, beside what he has of it himself. */
static uint64_t most_ever(const struct pool *pool, const struct client *client, uint64_t own)
{
        uint64_t most = pool->settings->size_max_bytes, not_his;

        if (pool->bytes.held > most)
                most = pool->bytes.held;
        not_his = claims_of_others_bytes(client, pool);
        if (__builtin_add_overflow(not_his, own, &not_his) || not_his > most)
                return 0;
        return most - not_his;
}

int choice_could_ever(const struct state *state, const struct client *client,
                      const struct demand *demand, uint64_t pools, bool own_too)
{
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                struct pool *pool = &state->pools[i];
                struct choice choice = { 0 };
                struct space_list list = { .count = 0 };
                uint64_t all_bytes, own;
                int r;

                if (!(pools >> i & 1))
                        continue;
                space_list_add(&list, &pool->all, demand->nodes);
                all_bytes = placement_free_bytes(list.of, list.count, demand->want.window);
                own = own_too ? 0 : own_bytes(pool, client, demand);
                all_bytes = all_bytes > own ? all_bytes - own : 0;
                if (demand->want.size_bytes > most_ever(pool, client, own))
                        continue;
                if (grow_could_ever(pool, demand, all_bytes))
                        return 1;
                if (demand->want.size_bytes > all_bytes)
                        continue;
                r = find_whole(pool, &list, demand, &choice);
                choice_deinit(&choice);
                if (r <= 0)
                        return r < 0 ? r : 1;
        }
        return 0;
}
