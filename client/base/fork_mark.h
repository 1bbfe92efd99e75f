/* SPDX-License-Identifier: MIT */
/*
 * Whether this is still the process that something belongs to, told by a load instead of a system
 * call.
 */
#pragma once

/**
 * struct fork_mark - of one owner
 * @ours: points to 1 in the process that made it, to 0 in a child of fork(); also to 0 where the
 *        kernel cannot tell, so that the caller has to ask getpid()
 */
struct fork_mark {
        const volatile unsigned char *ours;
};

void fork_mark_init(struct fork_mark *mark);
void fork_mark_deinit(struct fork_mark *mark); /* also in a child */
