/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads the lists of reserved regions, for a sentence. Refuses to decide by them:
 * which addresses are usable is for the container to say.
 */
#include "reserved.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define GROUPS     "/sys/kernel/iommu_groups"
#define PATH_BYTES 512

/* Regions that VFIO ignores: the device may use them. */
static bool is_usable(const char *kind)
{
        return !strcmp(kind, "direct-relaxable");
}

static bool find_in_file(const char *path, struct range window, char kind[RESERVED_KIND_BYTES])
{
        FILE *file = fopen(path, "re");
        unsigned long long first, last;
        bool found = false;
        char line[128];

        if (!file)
                return false;
        while (!found && fgets(line, sizeof(line), file)) {
                if (sscanf(line, "%llx %llx %31s", &first, &last, kind) != 3 || first > last)
                        continue;
                found = !is_usable(kind) && range_overlaps((struct range){ first, last }, window);
        }
        fclose(file);
        return found;
}

bool reserved_kind(const char *groups, struct range window, char kind[RESERVED_KIND_BYTES])
{
        const struct dirent *entry;
        char path[PATH_BYTES];
        bool found = false;
        DIR *dir;

        groups = groups ? groups : GROUPS;
        dir = opendir(groups);
        if (!dir)
                return false;
        while (!found && (entry = readdir(dir))) {
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof(path), "%s/%s/reserved_regions", groups, entry->d_name);
                found = find_in_file(path, window, kind);
        }
        closedir(dir);
        return found;
}
