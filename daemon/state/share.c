/* SPDX-License-Identifier: MIT */
/*
 * Owns names, tokens, and the life of shared buffers. Each lies in frames and in a holding of its
 * own, so that it ends like what one client had: at once, or after a quarantine.
 *
 * Invariant: a share is found, by name, token or in the list, from the commit of its buffer until
 * that is given up; and that is when nobody has it and it does not last. Refuses names beyond what
 * one uid may have: they outlive sessions, and so does the memory.
 */
#include "share.h"

#include "holder.h"
#include "holding.h"
#include "macros.h"
#include "refusal.h"
#include "state_private.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int compare_uids(const struct share_uid *a, const struct share_uid *b)
{
        if (a->uid != b->uid)
                return a->uid < b->uid ? -1 : 1;
        return 0;
}

static int compare_names(const struct share *a, const struct share *b)
{
        return strcmp(a->name, b->name);
}

static int compare_tokens(const struct share *a, const struct share *b)
{
        for (size_t i = 0; i < ARRAY_SIZE(a->token.half); i++)
                if (a->token.half[i] != b->token.half[i])
                        return a->token.half[i] < b->token.half[i] ? -1 : 1;
        return 0;
}

TREE_GENERATE(share_uid_tree, share_uid, by_uid, compare_uids)
TREE_GENERATE(share_name_tree, share, by_name, compare_names)
TREE_GENERATE(share_token_tree, share, by_token, compare_tokens)

/* ---- uids ----------------------------------------------------------------------------------- */

static struct share_uid *find_uid(const struct state *state, uint32_t uid)
{
        struct share_uid_tree tree = state->share_uids;
        struct share_uid key = { .uid = uid };

        return RB_FIND(share_uid_tree, &tree, &key);
}

/* Return: 0; -ENOMEM. */
static int uid_ref(struct state *state, uint32_t uid, struct share_uid **ret)
{
        struct share_uid *of = find_uid(state, uid);

        if (!of) {
                of = calloc(1, sizeof(*of));
                if (!of)
                        return -ENOMEM;
                of->uid = uid;
                RB_INIT(&of->names);
                RB_INSERT(share_uid_tree, &state->share_uids, of);
        }
        of->n_shares++;
        *ret = of;
        return 0;
}

static void uid_unref(struct state *state, struct share_uid *of)
{
        if (--of->n_shares)
                return;
        RB_REMOVE(share_uid_tree, &state->share_uids, of);
        free(of);
}

/* ---- finding -------------------------------------------------------------------------------- */

struct share *share_named(const struct state *state, uint32_t uid, const char *name)
{
        struct share_uid *of = find_uid(state, uid);
        struct share key;

        if (!of || !*name || strlen(name) >= sizeof(key.name))
                return NULL;
        memcpy(key.name, name, strlen(name) + 1);
        return RB_FIND(share_name_tree, &of->names, &key);
}

struct share *share_of_token(const struct state *state, const struct share_token *token)
{
        struct share_token_tree tree = state->share_tokens;
        struct share key = { .token = *token };

        return RB_FIND(share_token_tree, &tree, &key);
}

/* ---- birth ---------------------------------------------------------------------------------- */

static bool name_is_good(const char *name)
{
        return strlen(name) <= LABEL_BYTES_MAX && !strchr(name, '/');
}

int share_check(const struct state *state, const struct client *client,
                const struct share_request *request, struct refusal *refusal)
{
        const struct share_uid *of = find_uid(state, client->identity.uid);
        const char *name = request->name ? request->name : "";

        if (!request->wanted)
                return 0;
        if (!name_is_good(name))
                return refusal_set(refusal, PAR_REFUSED_INVALID,
                                   "a name has at most %d bytes, and no slash", LABEL_BYTES_MAX);
        if (request->lasting && !*name)
                return refusal_set(refusal, PAR_REFUSED_INVALID,
                                   "a buffer that lasts takes a name: nobody would find it");
        if (share_named(state, client->identity.uid, name))
                return refusal_set(refusal, PAR_REFUSED_BUSY,
                                   "uid %u has a buffer \"%s\" already: open it, or remove it",
                                   client->identity.uid, name);
        if (of && of->n_shares >= SHARES_PER_UID_MAX)
                return refusal_set(refusal, PAR_REFUSED_QUOTA,
                                   "uid %u has %u buffers that may be shared: no more may", of->uid,
                                   of->n_shares);
        if (!ledger_has_room_to_share(state->ledger))
                return refusal_set(refusal, PAR_REFUSED_QUOTA,
                                   "there are so many shared buffers that no more can be kept "
                                   "account of");
        return 0;
}

/* Without a record. Return: 0; -ENOMEM. */
static int make(struct client *client, struct account *account, struct share **ret)
{
        struct share *share = calloc(1, sizeof(*share));
        int r;

        if (!share)
                return -ENOMEM;
        r = holding_new(client, account, &share->holding);
        if (!r) {
                r = uid_ref(client->state, client->identity.uid, &share->uid);
                if (r)
                        holding_discard(share->holding);
        }
        if (r) {
                free(share);
                return r;
        }
        share->state = client->state;
        share->holding->client = NULL;
        share->holding->share = share;
        share->record = LEDGER_NONE;
        LIST_INIT(&share->holders);
        *ret = share;
        return 0;
}

int share_new(struct client *client, struct account *account, const struct share_request *request,
              struct share **ret)
{
        struct ledger_right rights[LEDGER_RIGHTS] = { 0 };
        struct ledger_share entry = { .lasting = request->lasting,
                                      .rights = rights,
                                      .n_rights = request->n_allow };
        struct share *share;
        int r;

        _Static_assert(SHARE_ALLOW_MAX == LEDGER_RIGHTS, "all of them");
        r = make(client, account, &share);
        if (r)
                return r;
        share->lasting = request->lasting;
        name_copy(share->name, sizeof(share->name), request->name);
        share->n_allow = request->n_allow;
        for (size_t i = 0; i < request->n_allow; i++) {
                share->allow[i] = request->allow[i];
                rights[i] =
                        (struct ledger_right){ request->allow[i].is_group, request->allow[i].id };
        }
        entry.name = share->name;
        r = ledger_add_share(client->state->ledger, &entry, &share->record);
        if (r) {
                share_free(share);
                return r;
        }
        *ret = share;
        return 0;
}

static void restore_left(struct share *share, const struct client *client,
                         const struct ledger_share *entry)
{
        share->disclosed = client->was_admin;
        share->left = entry->left;
        share->left_uid = entry->left_uid;
        share->left_pid = entry->left_pid;
        name_copy(share->left_name, sizeof(share->left_name), entry->left_name);
}

int share_restore(struct client *client, struct account *account, const struct ledger_share *entry,
                  struct share **ret)
{
        const struct state *state = client->state;
        struct share *share;
        int r;

        r = make(client, account, &share);
        if (r)
                return r;
        if (!entry->removed && !entry->ended_ns) {
                name_copy(share->name, sizeof(share->name), entry->name);
                share->lasting = entry->lasting;
        }
        /* Two of one name, or token: nobody made it so. The second has none. */
        if (share_named(state, share->uid->uid, share->name))
                share->name[0] = '\0';
        /* What nobody can find does not last. */
        if (!*share->name)
                share->lasting = false;
        share->n_allow = entry->n_rights;
        for (size_t i = 0; i < entry->n_rights; i++)
                share->allow[i] =
                        (struct principal){ entry->rights[i].is_group, entry->rights[i].id };
        if (entry->token && !entry->ended_ns)
                memcpy(share->token.half, entry->token, sizeof(share->token.half));
        if (share_of_token(state, &share->token))
                share->token = (struct share_token){ { 0, 0 } };
        restore_left(share, client, entry);
        share->holding->ended_ns = entry->ended_ns;
        *ret = share;
        return 0;
}

void share_free(struct share *share)
{
        if (!share)
                return;
        ledger_drop_share(share->state->ledger, share->record);
        uid_unref(share->state, share->uid);
        holding_discard(share->holding);
        free(share);
}

static bool has_token(const struct share *share)
{
        return share->token.half[0] || share->token.half[1];
}

void share_begin(struct share *share, struct buffer *buffer)
{
        struct state *state = share->state;

        share->buffer = buffer;
        buffer->share = share;
        LIST_INSERT_HEAD(&state->shares, share, link);
        if (*share->name)
                RB_INSERT(share_name_tree, &share->uid->names, share);
        if (has_token(share))
                RB_INSERT(share_token_tree, &state->share_tokens, share);
}

/* ---- deaths of those who have it ------------------------------------------------------------ */

void share_note_end(struct share *share, const struct client *client, bool orderly)
{
        const char *name = client_name(client);

        share->disclosed |= client->was_admin;
        if (orderly)
                return;
        if (!share->left) {
                share->left_uid = client->identity.uid;
                share->left_pid = client->identity.pid;
                name_copy(share->left_name, sizeof(share->left_name), name);
        } else {
                if (share->left_uid != client->identity.uid)
                        share->left_uid = UINT32_MAX;
                if (strcmp(share->left_name, name) != 0)
                        share->left_name[0] = '\0';
        }
        share->left = true;
        ledger_leave_share(share->state->ledger, share->record, share->left_uid, share->left_pid,
                           share->left_name);
}

void share_note_return(struct share *share, const struct client *client)
{
        if (!share->left || share->left_uid != client->identity.uid ||
            strcmp(share->left_name, client_name(client)) != 0)
                return;
        share->left = false;
        ledger_leave_share(share->state->ledger, share->record, 0, 0, NULL);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void forget_name(struct share *share)
{
        if (*share->name)
                RB_REMOVE(share_name_tree, &share->uid->names, share);
        share->name[0] = '\0';
        share->lasting = false;
}

void share_remove_name(struct share *share)
{
        forget_name(share);
        ledger_remove_share(share->state->ledger, share->record);
}

static void forget_token(struct share *share)
{
        if (has_token(share))
                RB_REMOVE(share_token_tree, &share->state->share_tokens, share);
        share->token = (struct share_token){ { 0, 0 } };
}

int share_set_token(struct share *share, const struct share_token *token)
{
        forget_token(share);
        if (share_of_token(share->state, token))
                return -EEXIST;
        share->token = *token;
        if (has_token(share))
                RB_INSERT(share_token_tree, &share->state->share_tokens, share);
        ledger_set_token(share->state->ledger, share->record,
                         has_token(share) ? token->half : NULL);
        return 0;
}

/* Its holding ends like that of a client: whoever died with it is who left it. */
static void give_up(struct share *share, uint64_t now_ns, unsigned *steps)
{
        struct holding *holding = share->holding;
        struct state *state = share->state;
        const bool orderly = !share->left;
        const bool disclosed = share->disclosed || !holding->account->pool->settings->hidden;

        if (holding->ended_ns) /* as the ledger says */
                now_ns = holding->ended_ns;
        ledger_end_share(state->ledger, share->record, now_ns);
        forget_name(share);
        forget_token(share);
        if (share->left) {
                holding->uid = share->left_uid;
                holding->pid = share->left_pid;
                memcpy(holding->name, share->left_name, sizeof(holding->name));
        }
        LIST_REMOVE(share, link);
        share->buffer->share = NULL;
        holding->share = NULL;
        uid_unref(state, share->uid);
        free(share);
        holding_end_shared(state, holding, disclosed, orderly, now_ns, steps);
}

void share_settle(struct share *share, uint64_t now_ns, unsigned *steps)
{
        if (!share->n_holders && !share->lasting)
                give_up(share, now_ns, steps);
}

void share_revoke(struct share *share, uint64_t now_ns, unsigned *steps)
{
        const struct buffer *buffer = share->buffer;
        struct holder *holder;

        buffer_tell(share->state, buffer, EVENT_REVOKED, 0, buffer->size_bytes);
        while ((holder = LIST_FIRST(&share->holders)))
                holder_remove(holder, false);
        share_remove_name(share);
        share_settle(share, now_ns, steps);
}

void shares_settle(struct state *state, uint64_t now_ns)
{
        struct share *share, *next;
        unsigned steps = UINT_MAX;

        LIST_FOREACH_SAFE (share, &state->shares, link, next)
                share_settle(share, now_ns, &steps);
}

void shares_free(struct state *state)
{
        struct share *share;

        while ((share = LIST_FIRST(&state->shares))) {
                LIST_REMOVE(share, link);
                while (!LIST_EMPTY(&share->holders))
                        holder_forget(LIST_FIRST(&share->holders));
                uid_unref(state, share->uid);
                free(share->holding);
                free(share);
        }
}
