/* SPDX-License-Identifier: MIT */
/*
 * Owns what is below the root, and follows no link out of it.
 */
#include "file_tree.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

void file_tree_init(struct file_tree *tree)
{
        strcpy(tree->root, "/tmp/par-test-XXXXXX");
        assert_non_null(mkdtemp(tree->root));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

void file_tree_deinit(const struct file_tree *tree)
{
        assert_int_equal(nftw(tree->root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void file_tree_put(const struct file_tree *tree, const char *path, const char *text)
{
        char full[512];
        FILE *file;

        snprintf(full, sizeof(full), "%s%s", tree->root, path);
        for (char *at = full + strlen(tree->root) + 1; (at = strchr(at, '/')); at++) {
                *at = '\0';
                if (mkdir(full, 0755) < 0)
                        assert_int_equal(errno, EEXIST);
                *at = '/';
        }
        file = fopen(full, "w");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
}
