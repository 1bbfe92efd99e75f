/* SPDX-License-Identifier: MIT */
/*
 * Owns two treaps: the runs by address, and the pieces that the tiers cut them into by tier, rank
 * and address. Priorities are hashes of the addresses, so that the shape depends on the content
 * alone. What was taken pays for the nodes that its giving back may need: giving back cannot fail.
 */
#include "policy_runs.h"

#include "random.h"

#include <errno.h>
#include <stdlib.h>

/* One more run when something is taken out of the middle of one, and one more piece of it. */
#define NODES_FOR_TAKING 2

/**
 * struct key - the order of a treap
 * @high: first address of a run; tier and rank of a piece
 * @low:  0; the first address of a piece, upside down
 */
struct key {
        uint64_t high, low;
};

/**
 * struct node - a run or a piece
 * @at:       where it is
 * @key:      its place in the order
 * @priority: not above that of its parent
 * @longest:  bytes of the longest run of this subtree
 */
struct node {
        struct range at;
        struct key key;
        uint64_t priority, longest;
        struct node *left, *right;
};

/**
 * struct policy_runs - see the header
 * @runs:    by address
 * @pieces:  by tier, rank and address; none without ranks
 * @spare:   nodes that are set aside, linked by their right; owned
 * @n_nodes: all of them
 * @bytes:   that are free
 * @tiers:   last addresses, ascending
 * @tier_bytes: that are free in each
 * @n_tiers: how many
 * @rank:    see policy_rank_fn()
 */
struct policy_runs {
        struct node *runs, *pieces, *spare;
        size_t n_nodes;
        uint64_t bytes;
        uint64_t tiers[POLICY_TIERS_MAX], tier_bytes[POLICY_TIERS_MAX];
        size_t n_tiers;
        policy_rank_fn *rank;
};

static bool key_below(struct key a, struct key b)
{
        return a.high != b.high ? a.high < b.high : a.low < b.low;
}

static void update(struct node *node)
{
        node->longest = range_size(node->at);
        if (node->left && node->left->longest > node->longest)
                node->longest = node->left->longest;
        if (node->right && node->right->longest > node->longest)
                node->longest = node->right->longest;
}

/* What is below the key, and the rest. */
static void split(struct node *root, struct key key, struct node **ret_below,
                  struct node **ret_rest)
{
        if (!root) {
                *ret_below = *ret_rest = NULL;
                return;
        }
        if (key_below(root->key, key)) {
                split(root->right, key, &root->right, ret_rest);
                *ret_below = root;
        } else {
                split(root->left, key, ret_below, &root->left);
                *ret_rest = root;
        }
        update(root);
}

/* Everything in @a is below everything in @b. */
static struct node *merge(struct node *a, struct node *b)
{
        if (!a || !b)
                return a ? a : b;
        if (a->priority >= b->priority) {
                a->right = merge(a->right, b);
                update(a);
                return a;
        }
        b->left = merge(a, b->left);
        update(b);
        return b;
}

static struct node *insert(struct node *root, struct node *node)
{
        if (!root || node->priority > root->priority) {
                split(root, node->key, &node->left, &node->right);
                update(node);
                return node;
        }
        if (key_below(node->key, root->key))
                root->left = insert(root->left, node);
        else
                root->right = insert(root->right, node);
        update(root);
        return root;
}

static struct node *take_out(struct node *root, struct key key, struct node **ret)
{
        assert(root);
        if (key_below(key, root->key)) {
                root->left = take_out(root->left, key, ret);
        } else if (key_below(root->key, key)) {
                root->right = take_out(root->right, key, ret);
        } else {
                *ret = root;
                return merge(root->left, root->right);
        }
        update(root);
        return root;
}

/* The lowest node that is not below the key. */
static const struct node *ceiling(const struct node *root, struct key key)
{
        const struct node *found = NULL;

        while (root) {
                if (key_below(root->key, key)) {
                        root = root->right;
                } else {
                        found = root;
                        root = root->left;
                }
        }
        return found;
}

static struct key run_key(struct range run)
{
        return (struct key){ run.first, 0 };
}

static struct key piece_key(size_t tier, uint64_t rank, uint64_t first)
{
        return (struct key){ ((uint64_t)tier << 56) | rank, ~first };
}

static struct node *node_get(struct policy_runs *runs, struct range at, struct key key)
{
        struct random hash = { .state = at.first };
        struct node *node = runs->spare;

        assert(node);
        runs->spare = node->right;
        *node = (struct node){ .at = at, .key = key, .priority = random_next(&hash) };
        return node;
}

static void node_put(struct policy_runs *runs, struct node *node)
{
        node->right = runs->spare;
        runs->spare = node;
}

static void nodes_free(struct policy_runs *runs, size_t count)
{
        for (; count; count--) {
                struct node *node = runs->spare;

                runs->spare = node->right;
                runs->n_nodes--;
                free(node);
        }
}

static int nodes_reserve(struct policy_runs *runs, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                struct node *node = malloc(sizeof(*node));

                if (!node) {
                        nodes_free(runs, i);
                        return -ENOMEM;
                }
                runs->n_nodes++;
                node_put(runs, node);
        }
        return 0;
}

/* The part of a run that lies in a tier. */
static bool piece_of(const struct policy_runs *runs, struct range run, size_t tier,
                     struct range *ret)
{
        const uint64_t first = tier ? runs->tiers[tier - 1] + 1 : 0;

        return range_intersect(run, (struct range){ first, runs->tiers[tier] }, ret);
}

static struct key piece_at(const struct policy_runs *runs, size_t tier, struct range piece)
{
        return piece_key(tier, runs->rank(range_size(piece)), piece.first);
}

static void add_run(struct policy_runs *runs, struct range run)
{
        struct range piece;

        runs->runs = insert(runs->runs, node_get(runs, run, run_key(run)));
        for (size_t t = 0; t < runs->n_tiers; t++) {
                if (!piece_of(runs, run, t, &piece))
                        continue;
                runs->tier_bytes[t] += range_size(piece);
                if (runs->rank)
                        runs->pieces = insert(runs->pieces,
                                              node_get(runs, piece, piece_at(runs, t, piece)));
        }
}

static void drop_run(struct policy_runs *runs, struct range run)
{
        struct range piece;
        struct node *node;

        runs->runs = take_out(runs->runs, run_key(run), &node);
        node_put(runs, node);
        for (size_t t = 0; t < runs->n_tiers; t++) {
                if (!piece_of(runs, run, t, &piece))
                        continue;
                runs->tier_bytes[t] -= range_size(piece);
                if (!runs->rank)
                        continue;
                runs->pieces = take_out(runs->pieces, piece_at(runs, t, piece), &node);
                node_put(runs, node);
        }
}

static struct node *below(struct node *root, uint64_t address, uint64_t bytes)
{
        struct node *found;

        if (!root || root->longest < bytes)
                return NULL;
        if (root->at.first > address)
                return below(root->left, address, bytes);
        found = below(root->right, address, bytes);
        if (found)
                return found;
        return range_size(root->at) >= bytes ? root : below(root->left, address, bytes);
}

static struct node *above(struct node *root, uint64_t address, uint64_t bytes)
{
        struct node *found;

        if (!root || root->longest < bytes)
                return NULL;
        if (root->at.last < address)
                return above(root->right, address, bytes);
        found = above(root->left, address, bytes);
        if (found)
                return found;
        return range_size(root->at) >= bytes ? root : above(root->right, address, bytes);
}

/* Make a range free; what it touches becomes one run with it. */
static void add(struct policy_runs *runs, struct range range)
{
        const struct node *left = NULL, *right = NULL;

        if (range.first)
                left = below(runs->runs, range.first - 1, 1);
        if (range.last < UINT64_MAX)
                right = above(runs->runs, range.last + 1, 1);
        runs->bytes += range_size(range);
        if (left && left->at.last + 1 == range.first) {
                range.first = left->at.first;
                drop_run(runs, left->at);
        }
        if (right && right->at.first == range.last + 1) {
                range.last = right->at.last;
                drop_run(runs, right->at);
        }
        add_run(runs, range);
}

int policy_runs_new(const struct range *memory, size_t n_memory, const uint64_t *tiers,
                    size_t n_tiers, policy_rank_fn *rank, struct policy_runs **ret)
{
        struct policy_runs *runs;
        int r;

        assert(n_tiers > 0 && n_tiers <= POLICY_TIERS_MAX && tiers[n_tiers - 1] == UINT64_MAX);
        runs = calloc(1, sizeof(*runs));
        if (!runs)
                return -ENOMEM;
        for (size_t t = 0; t < n_tiers; t++)
                runs->tiers[t] = tiers[t];
        runs->n_tiers = n_tiers;
        runs->rank = rank;
        /* Each range is one run, and a border between tiers makes one more piece. */
        r = nodes_reserve(runs, 2 * n_memory + n_tiers);
        if (r) {
                policy_runs_free(runs);
                return r;
        }
        for (size_t i = 0; i < n_memory; i++)
                add(runs, memory[i]);
        *ret = runs;
        return 0;
}

static void tree_free(struct node *root)
{
        if (!root)
                return;
        tree_free(root->left);
        tree_free(root->right);
        free(root);
}

void policy_runs_free(struct policy_runs *runs)
{
        if (!runs)
                return;
        tree_free(runs->runs);
        tree_free(runs->pieces);
        while (runs->spare)
                nodes_free(runs, 1);
        free(runs);
}

int policy_runs_take(struct policy_runs *runs, struct range range)
{
        const struct node *node;
        struct range run;
        int r;

        r = nodes_reserve(runs, NODES_FOR_TAKING);
        if (r)
                return r;
        node = below(runs->runs, range.first, 1);
        assert(node && range_contains(node->at, range));
        run = node->at;
        drop_run(runs, run);
        if (run.first < range.first)
                add_run(runs, (struct range){ run.first, range.first - 1 });
        if (range.last < run.last)
                add_run(runs, (struct range){ range.last + 1, run.last });
        runs->bytes -= range_size(range);
        return 0;
}

void policy_runs_give(struct policy_runs *runs, struct range range)
{
        add(runs, range);
        nodes_free(runs, NODES_FOR_TAKING);
}

bool policy_runs_below(const struct policy_runs *runs, uint64_t address, uint64_t bytes,
                       struct range *ret)
{
        const struct node *node = below(runs->runs, address, bytes);

        if (node)
                *ret = node->at;
        return node;
}

bool policy_runs_above(const struct policy_runs *runs, uint64_t address, uint64_t bytes,
                       struct range *ret)
{
        const struct node *node = above(runs->runs, address, bytes);

        if (node)
                *ret = node->at;
        return node;
}

bool policy_runs_shortest(const struct policy_runs *runs, size_t tier, uint64_t bytes,
                          const struct range *after, struct range *ret)
{
        struct key key = piece_key(tier, runs->rank(bytes), UINT64_MAX);
        const struct node *node;

        if (after) {
                key = piece_at(runs, tier, *after);
                if (++key.low == 0)
                        key.high++;
        }
        node = ceiling(runs->pieces, key);
        if (!node || node->key.high >> 56 != tier)
                return false;
        *ret = node->at;
        return true;
}

uint64_t policy_runs_bytes(const struct policy_runs *runs)
{
        return runs->bytes;
}

uint64_t policy_runs_tier_bytes(const struct policy_runs *runs, size_t tier)
{
        return runs->tier_bytes[tier];
}

size_t policy_runs_metadata(const struct policy_runs *runs)
{
        return sizeof(*runs) + runs->n_nodes * sizeof(struct node);
}

/* Check one subtree; add up its bytes and nodes. */
static void check(const struct node *root, uint64_t *bytes, size_t *n_nodes)
{
        if (!root)
                return;
        for (int side = 0; side < 2; side++) {
                const struct node *child = side ? root->right : root->left;

                if (!child)
                        continue;
                assert(child->priority <= root->priority && child->longest <= root->longest);
                assert(side ? key_below(root->key, child->key) : key_below(child->key, root->key));
                check(child, bytes, n_nodes);
        }
        *bytes += range_size(root->at);
        (*n_nodes)++;
}

void policy_runs_check(const struct policy_runs *runs)
{
        uint64_t bytes = 0, piece_bytes = 0, from = 0;
        size_t n_nodes = 0;
        struct range run;

        check(runs->runs, &bytes, &n_nodes);
        check(runs->pieces, &piece_bytes, &n_nodes);
        for (const struct node *spare = runs->spare; spare; spare = spare->right)
                n_nodes++;
        assert(bytes == runs->bytes && n_nodes == runs->n_nodes);
        assert(piece_bytes == (runs->rank ? runs->bytes : 0));
        while (policy_runs_above(runs, from, 1, &run)) {
                assert(run.first > from || from == 0);
                if (run.last == UINT64_MAX)
                        break;
                from = run.last + 1;
        }
}
