/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. A memfd is told from the next by its inode alone: all have the same name. What is
 * closed meanwhile is passed over.
 */
#include "belongings.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES   64
#define TARGET_BYTES 256
#define BLOCK_BYTES  512 /* of st_blocks, whatever the file system */

static DIR *open_list(pid_t pid)
{
        char path[PATH_BYTES];

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        return opendir(path);
}

static bool look(DIR *list, const char *name, struct stat *ret)
{
        return name[0] != '.' && fstatat(dirfd(list), name, ret, 0) == 0;
}

static bool has(pid_t pid, const struct stat *file)
{
        DIR *list = open_list(pid);
        bool found = false;
        struct stat st;

        if (!list)
                return false;
        for (struct dirent *entry; !found && (entry = readdir(list));)
                found = look(list, entry->d_name, &st) && st.st_dev == file->st_dev &&
                        st.st_ino == file->st_ino;
        closedir(list);
        return found;
}

void belongings_print(pid_t pid, pid_t other)
{
        DIR *list = open_list(pid);
        struct stat st;

        if (!list)
                return;
        fprintf(stderr, "process %d has open (+: process %d has not):\n", (int)pid, (int)other);
        for (struct dirent *entry; (entry = readdir(list));) {
                char target[TARGET_BYTES];
                ssize_t n;

                if (!look(list, entry->d_name, &st))
                        continue;
                n = readlinkat(dirfd(list), entry->d_name, target, sizeof(target) - 1);
                target[n < 0 ? 0 : n] = '\0';
                fprintf(stderr,
                        "%c %s: %s, inode %" PRIuMAX ", %" PRIdMAX " bytes, %" PRIdMAX
                        " allocated\n",
                        has(other, &st) ? ' ' : '+', entry->d_name, target, (uintmax_t)st.st_ino,
                        (intmax_t)st.st_size, (intmax_t)st.st_blocks * BLOCK_BYTES);
        }
        closedir(list);
}
