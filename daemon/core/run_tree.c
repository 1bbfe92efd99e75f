/* SPDX-License-Identifier: MIT */
/*
 * An AVL tree: the heights of two siblings differ by one at most, so no path is longer than about
 * 1.44 log2 of the number of runs, and recursion along one is harmless. Sums and longest runs are
 * computed again on the way back up. Refuses to own memory.
 */
#include "run_tree.h"

#include <stddef.h>

static int height(const struct run *run)
{
        return run ? run->height : 0;
}

static uint64_t longest(const struct run *run)
{
        return run ? run->longest : 0;
}

static uint64_t bytes(const struct run *run)
{
        return run ? run->bytes : 0;
}

static uint64_t max(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

/* Make a node right again after its children changed. */
static void update(struct run *run)
{
        const int l = height(run->left), r = height(run->right);

        run->height = (l > r ? l : r) + 1;
        run->bytes = bytes(run->left) + range_size(run->at) + bytes(run->right);
        run->longest = max(range_size(run->at), max(longest(run->left), longest(run->right)));
}

static struct run *rotate_left(struct run *run)
{
        struct run *top = run->right;

        run->right = top->left;
        top->left = run;
        update(run);
        update(top);
        return top;
}

static struct run *rotate_right(struct run *run)
{
        struct run *top = run->left;

        run->left = top->right;
        top->right = run;
        update(run);
        update(top);
        return top;
}

/* The root of a subtree whose sides differ by two at most, balanced. */
static struct run *balance(struct run *run)
{
        const int lean = height(run->left) - height(run->right);

        if (lean > 1) {
                if (height(run->left->left) < height(run->left->right))
                        run->left = rotate_left(run->left);
                return rotate_right(run);
        }
        if (lean < -1) {
                if (height(run->right->right) < height(run->right->left))
                        run->right = rotate_right(run->right);
                return rotate_left(run);
        }
        update(run);
        return run;
}

struct run *run_tree_insert(struct run *root, struct run *run)
{
        if (!root) {
                run->left = run->right = NULL;
                update(run);
                return run;
        }
        assert(!range_overlaps(root->at, run->at));
        if (run->at.first < root->at.first)
                root->left = run_tree_insert(root->left, run);
        else
                root->right = run_tree_insert(root->right, run);
        return balance(root);
}

static struct run *remove_lowest(struct run *root, struct run **ret)
{
        if (!root->left) {
                *ret = root;
                return root->right;
        }
        root->left = remove_lowest(root->left, ret);
        return balance(root);
}

struct run *run_tree_remove(struct run *root, uint64_t first, struct run **ret)
{
        struct run *next;

        assert(root);
        if (first < root->at.first) {
                root->left = run_tree_remove(root->left, first, ret);
                return balance(root);
        }
        if (first > root->at.first) {
                root->right = run_tree_remove(root->right, first, ret);
                return balance(root);
        }

        *ret = root;
        if (!root->left || !root->right)
                return root->left ? root->left : root->right;
        root->right = remove_lowest(root->right, &next);
        next->left = root->left;
        next->right = root->right;
        return balance(next);
}

struct run *run_tree_below(struct run *root, uint64_t address, uint64_t bytes)
{
        struct run *found;

        if (!root || root->longest < bytes)
                return NULL;
        if (root->at.first > address)
                return run_tree_below(root->left, address, bytes);

        found = run_tree_below(root->right, address, bytes);
        if (found)
                return found;
        if (range_size(root->at) >= bytes)
                return root;
        /* All of the left side is below the address: this descends straight to the answer. */
        return run_tree_below(root->left, address, bytes);
}

struct run *run_tree_above(struct run *root, uint64_t address)
{
        struct run *found = NULL;

        while (root) {
                if (root->at.first >= address) {
                        found = root;
                        root = root->left;
                } else {
                        root = root->right;
                }
        }
        return found;
}

uint64_t run_tree_bytes(const struct run *root, uint64_t address)
{
        uint64_t sum = 0;

        while (root) {
                if (root->at.first > address) {
                        root = root->left;
                        continue;
                }
                sum += bytes(root->left);
                if (root->at.last >= address)
                        return sum + (address - root->at.first + 1);
                sum += range_size(root->at);
                root = root->right;
        }
        return sum;
}

/* Check one subtree; @low and @high: its lowest and highest address. */
static void check(const struct run *run, uint64_t *low, uint64_t *high)
{
        struct run again = *run;
        uint64_t edge;

        assert(run->at.first <= run->at.last);
        *low = run->at.first;
        *high = run->at.last;
        if (run->left) {
                check(run->left, low, &edge);
                assert(edge < run->at.first && run->at.first - edge > 1);
        }
        if (run->right) {
                check(run->right, &edge, high);
                assert(edge > run->at.last && edge - run->at.last > 1);
        }

        update(&again);
        assert(again.height == run->height && again.bytes == run->bytes);
        assert(again.longest == run->longest);
        assert(height(run->left) - height(run->right) <= 1);
        assert(height(run->right) - height(run->left) <= 1);
}

void run_tree_check(const struct run *root)
{
        uint64_t low, high;

        if (root)
                check(root, &low, &high);
}
