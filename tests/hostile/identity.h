/* SPDX-License-Identifier: MIT */
/*
 * Becoming somebody else, for processes that root starts.
 */
#pragma once

#include <sys/types.h>

/* From now on this process is @uid, in @group alone, and dies with its parent. The process ends
 * with a message where that fails. */
void identity_become(uid_t uid, gid_t group);
