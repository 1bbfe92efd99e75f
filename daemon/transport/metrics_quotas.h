/* SPDX-License-Identifier: MIT */
/*
 * Quotas and claims of pools, for metrics: of those whom the configuration names, by their numbers,
 * and of each user only how many come near.
 */
#pragma once

#include "metrics.h"
#include "metrics_text.h"

/* Who a quota is of: "uid:1000", "gid:44", "user:*"; nothing that a stranger has chosen. */
void metrics_name_quota(const struct quota_settings *quota, char to[METRICS_WHOM_BYTES]);
void metrics_name_claim(const struct claim_settings *claim, char to[METRICS_WHOM_BYTES]);

void metrics_put_quotas(struct metrics_text *text, const struct metrics_view *view);
