/* SPDX-License-Identifier: MIT */
/*
 * The searches that are measured: what requests ask for, and that it is there, or is not.
 *
 * A search that fails asks for one granule more than the largest place that its limits leave in the
 * memory as it is: the least that is refused, and so the hardest to refuse. The largest place is
 * found by trying, without being timed.
 */
#pragma once

#include "churn.h"

enum search_id {
        SEARCH_MIX, /* what the churn asks for; what is given back then is any that lives */
        SEARCH_ANY,
        SEARCH_WINDOW,
        SEARCH_BELOW_4G,
        SEARCH_BELOW_16M,
        SEARCH_ALIGN,
        SEARCH_BOUNDARY,
        SEARCH_ANY_FAILS,
        SEARCH_WINDOW_FAILS,
        SEARCH_BELOW_4G_FAILS,
        SEARCH_BELOW_16M_FAILS,
        SEARCH_ALIGN_FAILS,
        SEARCH_BOUNDARY_FAILS,
        SEARCHES,
};

/* "below_4g", "align_2m_fails" ... */
const char *search_name(enum search_id search);

/* Whether it is one that asks for what is not there. */
bool search_fails(enum search_id search);

/**
 * search_draw() - a request of a search that does not fail
 * @search: which; what SEARCH_MIX asks for is drawn from the churn itself
 * @churn:  in what memory; borrowed
 * @random: where it lies and how large it is
 */
struct constraint search_draw(enum search_id search, const struct churn *churn,
                              struct random *random);

/**
 * search_draw_failing() - a request that will be refused, as the memory is now
 * @search: one that fails
 * @churn:  in what memory; borrowed
 * @random: where its window lies
 * @ret:    the request
 *
 * Return: whether there is one: a window that is all free has none.
 */
bool search_draw_failing(enum search_id search, const struct churn *churn, struct random *random,
                         struct constraint *ret);
