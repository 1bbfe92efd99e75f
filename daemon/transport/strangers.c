/* SPDX-License-Identifier: MIT */
/*
 * Owns an entry for each uid that has strangers, and no session. Closes nothing.
 */
#include "strangers.h"

#include "session.h"

#include <errno.h>
#include <stdlib.h>

static int compare_uids(const struct stranger_uid *a, const struct stranger_uid *b)
{
        if (a->uid != b->uid)
                return a->uid < b->uid ? -1 : 1;
        return 0;
}

static int compare_counts(const struct stranger_uid *a, const struct stranger_uid *b)
{
        if (a->n != b->n)
                return a->n < b->n ? -1 : 1;
        return compare_uids(a, b);
}

RB_GENERATE_INTERNAL(stranger_uid_tree, stranger_uid, by_uid, compare_uids,
                     static __attribute__((__unused__)))
RB_GENERATE_INTERNAL(stranger_count_tree, stranger_uid, by_count, compare_counts,
                     static __attribute__((__unused__)))

static struct stranger_uid *uid_of(struct strangers *strangers, uint32_t uid)
{
        struct stranger_uid key = { .uid = uid };
        struct stranger_uid *of = RB_FIND(stranger_uid_tree, &strangers->by_uid, &key);

        if (of)
                return of;
        of = calloc(1, sizeof(*of));
        if (!of)
                return NULL;
        of->uid = uid;
        TAILQ_INIT(&of->sessions);
        RB_INSERT(stranger_uid_tree, &strangers->by_uid, of);
        RB_INSERT(stranger_count_tree, &strangers->by_count, of);
        return of;
}

static void set_count(struct strangers *strangers, struct stranger_uid *of, size_t n)
{
        RB_REMOVE(stranger_count_tree, &strangers->by_count, of);
        of->n = n;
        RB_INSERT(stranger_count_tree, &strangers->by_count, of);
}

int strangers_add(struct strangers *strangers, struct session *session)
{
        struct stranger_uid *of = uid_of(strangers, session->peer.identity.uid);

        if (!of)
                return -ENOMEM;
        TAILQ_INSERT_TAIL(&of->sessions, session, stranger_link);
        session->stranger_of = of;
        set_count(strangers, of, of->n + 1);
        return 0;
}

void strangers_remove(struct strangers *strangers, struct session *session)
{
        struct stranger_uid *of = session->stranger_of;

        if (!of)
                return;
        TAILQ_REMOVE(&of->sessions, session, stranger_link);
        session->stranger_of = NULL;
        set_count(strangers, of, of->n - 1);
        if (of->n)
                return;
        RB_REMOVE(stranger_uid_tree, &strangers->by_uid, of);
        RB_REMOVE(stranger_count_tree, &strangers->by_count, of);
        free(of);
}

struct session *strangers_first_to_go(const struct strangers *strangers)
{
        struct stranger_count_tree tree = strangers->by_count; /* the macro wants to write */
        struct stranger_uid *most = RB_MAX(stranger_count_tree, &tree);

        return most && most->n > STRANGERS_SHARE ? TAILQ_FIRST(&most->sessions) : NULL;
}
