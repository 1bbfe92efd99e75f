/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads the lists of reserved regions. Refuses to decide by them where the container
 * says what is usable, and to guess how far an IOMMU reaches: a list says only what it does not
 * map below that.
 */
#include "reserved.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS     "/sys/kernel/iommu_groups"
#define DEVICES    "/sys/bus/pci/devices"
#define PATH_BYTES 512

/* A line of a list. */
struct region {
        struct range range;
        char kind[RESERVED_KIND_BYTES];
};

/* Read an address, and move on. Return: whether there is one. */
static bool read_address(char **at, uint64_t *ret)
{
        char *end;

        errno = 0;
        *ret = strtoull(*at, &end, 16);
        if (end == *at || errno)
                return false;
        *at = end;
        return true;
}

/* Return: 0; -ENOENT at the end; -EINVAL where the line is none of a list. */
static int read_region(FILE *file, struct region *ret)
{
        char line[128], *at = line;

        if (!fgets(line, sizeof(line), file))
                return -ENOENT;
        if (!read_address(&at, &ret->range.first) || !read_address(&at, &ret->range.last) ||
            sscanf(at, "%31s", ret->kind) != 1 || ret->range.first > ret->range.last)
                return -EINVAL;
        return 0;
}

/* Regions that VFIO ignores: the device may use them. */
static bool is_usable(const struct region *region)
{
        return !strcmp(region->kind, "direct-relaxable");
}

/* ---- why an address is not usable ----------------------------------------------------------- */

static bool find_in_file(const char *path, struct range window, char kind[RESERVED_KIND_BYTES])
{
        FILE *file = fopen(path, "re");
        struct region region;
        bool found = false;
        int r;

        if (!file)
                return false;
        while (!found && (r = read_region(file, &region)) != -ENOENT)
                found = !r && !is_usable(&region) && range_overlaps(region.range, window);
        fclose(file);
        if (found)
                memcpy(kind, region.kind, RESERVED_KIND_BYTES);
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

/* ---- what is usable ------------------------------------------------------------------------- */

/* Take a region out of the usable ranges. Return: 0; -EOVERFLOW. */
static int cut(struct mapper_facts *facts, struct range region)
{
        const size_t n = facts->n_ranges;

        for (size_t i = 0; i < n; i++) {
                struct range *range = &facts->ranges[i];
                const struct range all = *range;

                if (!range_overlaps(all, region))
                        continue;
                *range = (struct range){ 1, 0 }; /* nothing is left, unless it is below or above */
                if (all.first < region.first)
                        *range = (struct range){ all.first, region.first - 1 };
                if (all.last <= region.last)
                        continue;
                if (range->first <= range->last && facts->n_ranges == MAPPER_RANGES_MAX)
                        return -EOVERFLOW;
                if (range->first <= range->last)
                        range = &facts->ranges[facts->n_ranges++];
                *range = (struct range){ region.last + 1, all.last };
        }
        return 0;
}

static void drop_empty(struct mapper_facts *facts)
{
        size_t kept = 0;

        for (size_t i = 0; i < facts->n_ranges; i++) {
                if (facts->ranges[i].first <= facts->ranges[i].last)
                        facts->ranges[kept++] = facts->ranges[i];
        }
        facts->n_ranges = kept;
}

static int cut_all(FILE *file, struct mapper_facts *facts)
{
        struct region region;
        int r;

        while (!(r = read_region(file, &region))) {
                if (!is_usable(&region))
                        r = cut(facts, region.range);
                if (r)
                        return r;
                drop_empty(facts);
        }
        return r == -ENOENT ? 0 : r;
}

int reserved_usable(const char *devices, const char *device, uint64_t last,
                    struct mapper_facts *facts)
{
        char path[PATH_BYTES];
        FILE *file;
        int r;

        facts->n_ranges = 0;
        if (strchr(device, '/'))
                return -ENOENT;
        snprintf(path, sizeof(path), "%s/%s/iommu_group/reserved_regions",
                 devices ? devices : DEVICES, device);
        file = fopen(path, "re");
        if (!file)
                return -errno;
        facts->ranges[0] = (struct range){ 0, last };
        facts->n_ranges = 1;
        r = cut_all(file, facts);
        fclose(file);
        if (r)
                facts->n_ranges = 0;
        return r;
}
