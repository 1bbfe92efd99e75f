/* SPDX-License-Identifier: MIT */
#include "ledger_memory.h"

#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

char *ledger_memory_map(pid_t keeper, size_t *ret_bytes)
{
        char directory[64], path[96 + 256], target[128];
        const struct dirent *entry;
        struct stat status;
        char *map;
        int fd = -1;
        DIR *dir;

        snprintf(directory, sizeof(directory), "/proc/%d/fd", (int)keeper);
        dir = opendir(directory);
        while (dir && fd < 0 && (entry = readdir(dir))) {
                ssize_t n;

                snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
                n = readlink(path, target, sizeof(target) - 1);
                target[n > 0 ? n : 0] = '\0';
                if (strstr(target, "memfd:pard-ledger"))
                        fd = open(path, O_RDWR | O_CLOEXEC);
        }
        if (dir)
                closedir(dir);
        if (fd < 0 || fstat(fd, &status))
                die("the ledger is not found");
        *ret_bytes = (size_t)status.st_size;
        map = mmap(NULL, *ret_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (map == MAP_FAILED)
                die("the ledger cannot be mapped: %s", strerror(errno));
        return map;
}
