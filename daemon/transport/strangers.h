/* SPDX-License-Identifier: MIT */
/*
 * Connections that said no Hello yet, by the uid whose they are. Their places are few, so a uid has
 * a share of them: who has more makes way where somebody else has none.
 */
#pragma once

#include <bsd/sys/tree.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Strangers of one uid that nobody makes way for. */
#define STRANGERS_SHARE 16

struct session;

/**
 * struct stranger_uid - who has strangers
 * @n:        how many
 * @sessions: they, in the order in which they came
 */
struct stranger_uid {
        uint32_t uid;
        size_t n;
        TAILQ_HEAD(, session) sessions;
        RB_ENTRY(stranger_uid) by_uid;
        RB_ENTRY(stranger_uid) by_count;
};

RB_HEAD(stranger_uid_tree, stranger_uid);
RB_HEAD(stranger_count_tree, stranger_uid);

/**
 * struct strangers - embedded in the server; zeroed: nobody
 * @by_uid, @by_count: the same uids; those with the most strangers are the last of the latter
 */
struct strangers {
        struct stranger_uid_tree by_uid;
        struct stranger_count_tree by_count;
};

/**
 * strangers_add() - somebody connected
 * @session: of a known peer; borrowed until strangers_remove()
 *
 * Costs a logarithm of the number of uids, as does everything here.
 *
 * Return: 0; -ENOMEM.
 */
int strangers_add(struct strangers *strangers, struct session *session);

/* It said Hello, or ends. Nothing happens where it is none of them. */
void strangers_remove(struct strangers *strangers, struct session *session);

/* Who has to make way: the oldest of the uid that has the most, where that is more than its share;
 * NULL: nobody. */
struct session *strangers_first_to_go(const struct strangers *strangers);
