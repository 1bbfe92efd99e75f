/* SPDX-License-Identifier: MIT */
#pragma once

#include "client.h"
#include "state.h"

/* Who holds something, as far as the asker may know: himself, his uid, or all to an administrator.
 */
void report_holding(const struct holding *holding, const struct client *asker,
                    struct holder_report *ret);
void report_owner(const struct owner *owner, const struct client *asker, struct holder_report *ret);
