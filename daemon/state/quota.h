/* SPDX-License-Identifier: MIT */
/*
 * Whether somebody may have more of a pool: what quotas allow, and what the claims of others leave.
 * Decides, and changes nothing.
 */
#pragma once

#include "client.h"
#include "demand.h"
#include "usage.h"

#include <stdbool.h>
#include <stdint.h>

enum quota_kind { QUOTA_OF_BYTES, QUOTA_OF_FRAMES, QUOTA_OF_BUFFERS };

/**
 * struct quota_excess - the quota that stands in the way
 * @quota:  NULL: none
 * @most:   how much it allows; @used: of that; @wanted: beside it; @own: what the client itself has
 *          in use, which does not come free while it waits
 * @usage:  all of that
 */
struct quota_excess {
        const struct pool *pool;
        const struct quota_settings *quota;
        enum quota_kind kind;
        uint64_t most, used, wanted, own;
        struct usage usage;
};

/**
 * quota_check() - whether a client may have one more buffer in so many more frames
 * @frames: that are not charged to it yet
 * @ret:    written only where it may not
 *
 * Return: 0; PAR_REFUSED_QUOTA.
 */
int quota_check(const struct client *client, const struct pool *pool, uint64_t frames,
                struct quota_excess *ret);

/* Frames that a buffer takes at least where no frame that the client has a part of has room. */
uint64_t quota_frames_least(const struct client *client, const struct pool *pool,
                            const struct demand *demand);

/**
 * quota_bars() - the pools in which quotas leave a demand no room
 * @pools: which to look at (bits)
 * @ret:   of these quotas the laxest, and among equals the first; written only with an answer
 *         above 0
 */
uint64_t quota_bars(const struct state *state, const struct client *client,
                    const struct demand *demand, uint64_t pools, struct quota_excess *ret);

/* Whether what is charged to an account of the pool counts for the quota, which stands in the
 * client's way. */
bool quota_counts(const struct quota_excess *excess, const struct client *client,
                  const struct account *account);

/* Whether one of two that stand in the way does so less finally: what a refusal of both tells. */
bool quota_is_laxer(const struct quota_excess *excess, const struct quota_excess *than);

/* Whether the quota would leave room when everybody else gave back. */
bool quota_may_help_to_wait(const struct quota_excess *excess);

/* Whether what is on its way back to the kernel would be enough; and that with what is kept for
 * those for whom the quota counts. */
bool quota_is_leaving(const struct quota_excess *excess);
bool quota_is_coming(const struct quota_excess *excess);

/* The refusal: sentence and figures. Return: PAR_REFUSED_QUOTA; PAR_REFUSED_NEVER_FITS where it is
 * more than the quota allows, whatever is used. */
int quota_explain(const struct client *client, const struct demand *demand,
                  const struct quota_excess *excess, struct refusal *ret);

/* "; the quota of group:radio in pool any is 64 MiB, of which 64 MiB are in use" */
void quota_words(const struct quota_excess *excess, char *to, size_t room);

/* ---- claims --------------------------------------------------------------------------------- */

/* Bytes of free frames that are kept for others than the client. */
uint64_t claims_kept_bytes(const struct client *client, const struct pool *pool);

/* Bytes of free frames that the client could have: all but those. */
uint64_t claims_left_bytes(const struct client *client, const struct pool *pool);

/* What others have claimed in all, used or not: it is never the client's. */
uint64_t claims_of_others_bytes(const struct client *client, const struct pool *pool);
