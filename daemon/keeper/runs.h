/* SPDX-License-Identifier: MIT */
/*
 * Which of the pages that could be had are worth having, where a pool wants runs of physically
 * adjacent frames. Pure.
 */
#pragma once

#include "addresses.h"

/**
 * struct runs_wish - what a pool wants
 * @page_bytes: size of its frames
 * @run_bytes:  each page that is chosen lies in a run of at least this; 0: any will do
 * @count:      pages at most
 */
struct runs_wish {
        uint64_t page_bytes, run_bytes;
        size_t count;
};

/**
 * runs_choose() - choose pages
 * @wish: what is wanted
 * @pages: that could be had; sorted, borrowed
 * @own:   frames that the pool has, which count as parts of runs; sorted, borrowed; none of @pages
 * @ret:   sorted; what it had before is lost; owned by the caller
 *
 * Pages that lengthen what the pool has come first, then those of the longest runs. Of a run that
 * is longer than what is still wanted a part is chosen that is a long enough run itself.
 *
 * Return: 0; -ENOMEM.
 */
int runs_choose(const struct runs_wish *wish, const struct addresses *pages,
                const struct addresses *own, struct addresses *ret);
