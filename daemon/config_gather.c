/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing beyond a call. Each file of devices is parsed alone before it is added, so that what
 * is wrong in it is told by its own name and line, and nothing of it can reach into what follows.
 * Refuses a device that is described twice.
 */
#include "config_gather.h"

#include "config.h"
#include "log.h"
#include "macros.h"
#include "pci.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_BYTES_MAX (1 * MiB)

static void freep(char **text)
{
        free(*text);
}

static void closep(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static void config_freep(struct config **config)
{
        config_free(*config);
}

/* Put @more behind @text, and @between between them; @path is whose that is. Logs why it fails. */
static int join(const char *path, char **text, char between, const char *more)
{
        const size_t size = strlen(*text), added = strlen(more);
        char *joined;

        if (size + added + 2 > TEXT_BYTES_MAX) {
                log_error("%s: with that the configuration is larger than 1 MiB", path);
                return -EFBIG;
        }
        joined = realloc(*text, size + added + 2);
        if (!joined) {
                log_error("%s: out of memory", path);
                return -ENOMEM;
        }
        joined[size] = between;
        memcpy(joined + size + 1, more, added + 1);
        *text = joined;
        return 0;
}

/* On a line of its own. */
static int append(const char *path, char **text, const char *more)
{
        return join(path, text, '\n', more);
}

/* ---- further devices ------------------------------------------------------------------------ */

/* *ret is owned by the caller. Does not wait for anybody. */
static int read_file(const char *path, char **ret)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        _cleanup_(freep) char *text = NULL;
        struct stat about;
        ssize_t n;

        if (fd < 0 || fstat(fd, &about))
                return -errno;
        if (!S_ISREG(about.st_mode))
                return -EINVAL;
        if ((uint64_t)about.st_size > TEXT_BYTES_MAX)
                return -EFBIG;
        text = malloc((size_t)about.st_size + 1);
        if (!text)
                return -ENOMEM;
        n = pread(fd, text, (size_t)about.st_size, 0);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        if (strlen(text) != (size_t)n)
                return -EINVAL;
        *ret = STEAL(text);
        return 0;
}

/* Return: 0; -EINVAL where a device of one is in the other; logs that. */
static int check_twice(const char *path, const struct config *one, const struct config *other)
{
        for (size_t i = 0; i < one->state.n_devices; i++)
                for (size_t j = 0; j < other->state.n_devices; j++)
                        if (strcmp(one->devices[i].name, other->devices[j].name) == 0) {
                                log_error("%s: device \"%s\" is described elsewhere, too", path,
                                          one->devices[i].name);
                                return -EINVAL;
                        }
        return 0;
}

/* One file of devices, behind @text, which is a configuration. */
static int add_file(const char *path, char **text)
{
        _cleanup_(config_freep) struct config *known = NULL, *more = NULL;
        _cleanup_(freep) char *file = NULL;
        char error[1024];
        int r;

        r = read_file(path, &file);
        if (r) {
                log_error("the devices of %s cannot be read: %s", path, strerror(-r));
                return r;
        }
        assert(file);
        r = config_load_devices(file, path, &more, error, sizeof(error));
        if (!r)
                r = config_load(*text, path, &known, error, sizeof(error));
        if (r) {
                log_error("%s", error);
                return r;
        }
        r = check_twice(path, more, known);
        return r ? r : append(path, text, file);
}

static int is_conf(const struct dirent *entry)
{
        const size_t n = strlen(entry->d_name);

        return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

/* "devices" beside /etc/pard/pard.conf is /etc/pard/devices. */
static int folder_path(const char *path, const char *folder, char to[PATH_MAX])
{
        const char *slash = strrchr(path, '/');
        const int beside = *folder != '/' && slash ? (int)(slash - path) + 1 : 0;

        if (snprintf(to, PATH_MAX, "%.*s%s", beside, path, folder) >= PATH_MAX)
                return -ENAMETOOLONG;
        return 0;
}

static int add_folder(const char *folder, char **text)
{
        struct dirent **names;
        char path[PATH_MAX];
        int n, r = 0;

        n = scandir(folder, &names, is_conf, alphasort);
        if (n < 0) {
                r = -errno;
                log_error("devices_dir: %s cannot be read: %s", folder, strerror(-r));
                return r;
        }
        for (int i = 0; i < n; i++) {
                if (!r && snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name) >=
                                  (int)sizeof(path))
                        r = -ENAMETOOLONG;
                if (!r)
                        r = add_file(path, text);
                free(names[i]);
        }
        free(names);
        return r;
}

/* ---- sysfs ---------------------------------------------------------------------------------- */

static int add_facts(const struct device_settings *device, const char *root, char **text)
{
        struct pci_device found;
        char section[160];
        size_t n;
        int r;

        r = pci_device_read(root, device->pci, &found);
        if (r) {
                log_warning("device %s: PCI device %s: %s", device->name, device->pci,
                            r == -ENOENT ? "it is not there" : strerror(-r));
                return 0; /* it is refused until it is */
        }
        n = (size_t)snprintf(section, sizeof(section), "pci \"%s\" {\n dma_mask_bits = %u\n",
                             device->pci, found.dma_mask_bits);
        if (found.node >= 0)
                n += (size_t)snprintf(section + n, sizeof(section) - n, " numa_node = %d\n",
                                      found.node);
        if (found.iommu_group >= 0)
                n += (size_t)snprintf(section + n, sizeof(section) - n, " iommu_group = %d\n",
                                      found.iommu_group);
        snprintf(section + n, sizeof(section) - n, "}\n");
        return append(device->pci, text, section);
}

static bool is_repeated(const struct config *config, size_t device)
{
        for (size_t i = 0; i < device; i++)
                if (strcmp(config->devices[i].pci, config->devices[device].pci) == 0)
                        return true;
        return false;
}

static int add_all_facts(const struct config *config, const char *root, char **text)
{
        int r = 0;

        for (size_t i = 0; i < config->state.n_devices && !r; i++) {
                const struct device_settings *device = &config->devices[i];

                if (device->pci[0] && !device->facts.known && !is_repeated(config, i))
                        r = add_facts(device, root, text);
        }
        return r;
}

/* ---- users and groups ----------------------------------------------------------------------- */

/* Into quotes: what means something to the parser there is escaped. */
static void write_quoted(FILE *to, const char *name)
{
        for (; *name; name++) {
                if (*name == '"' || *name == '\\')
                        fputc('\\', to);
                fputc(*name, to);
        }
}

/* Root is there everywhere, and a list of nobody would be no list. */
static void write_ids(FILE *to, const struct known_names *names)
{
        fprintf(to, "ids = { \"user:root=0:0\"");
        for (size_t i = 0; i < names->n; i++) {
                const struct known_name *known = &names->known[i];

                fprintf(to, ", \"%s:", known->is_group ? "group" : "user");
                write_quoted(to, known->name);
                if (known->is_group)
                        fprintf(to, "=%u\"", (unsigned)known->gid);
                else
                        fprintf(to, "=%u:%u\"", (unsigned)known->uid, (unsigned)known->gid);
        }
        fprintf(to, " }");
}

/* *ret is owned by the caller. */
static int make_ids(const struct known_names *names, char **ret)
{
        _cleanup_(freep) char *ids = NULL;
        size_t size;
        FILE *to;

        to = open_memstream(&ids, &size);
        if (!to)
                return -errno;
        write_ids(to, names);
        if (fclose(to) || !ids)
                return -ENOMEM;
        *ret = STEAL(ids);
        return 0;
}

/* What the names are that were found on this system, so that nobody asks again. */
static int add_ids(const char *path, const struct known_names *names, char **text)
{
        _cleanup_(freep) char *ids = NULL;
        int r;

        if (names->told)
                return 0;
        r = make_ids(names, &ids);
        return r ? r : append(path, text, ids);
}

/* The same of a text with a mistake, of which no line may become another. */
static int put_ids_before(const char *path, const struct known_names *names, char **text)
{
        _cleanup_(freep) char *ids = NULL;
        int r;

        if (names->told || !names->n)
                return 0;
        r = make_ids(names, &ids);
        if (!r)
                r = join(path, &ids, ' ', *text);
        if (r)
                return r;
        free(*text);
        *text = STEAL(ids);
        return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

int config_gather(const char *path, const char *root, char **text)
{
        _cleanup_(config_freep) struct config *alone = NULL, *whole = NULL;
        char error[1024], folder[PATH_MAX];
        int r;

        r = config_load_partly(*text, path, &alone, error, sizeof(error));
        if (r)
                return r == -EINVAL ? put_ids_before(path, &alone->names, text) : 0;
        if (alone->devices_dir) {
                r = folder_path(path, alone->devices_dir, folder);
                if (!r)
                        r = add_folder(folder, text);
                if (r)
                        return r;
        }
        r = config_load_partly(*text, path, &whole, error, sizeof(error));
        if (r)
                return r == -EINVAL ? put_ids_before(path, &whole->names, text) : 0;
        r = add_all_facts(whole, root, text);
        return r ? r : add_ids(path, &whole->names, text);
}
