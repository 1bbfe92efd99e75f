/* SPDX-License-Identifier: MIT */
/*
 * Owns struct known_names; asks the system's user and group databases, unless the text knows.
 * Refuses names that nobody knows: a permission for a misspelt group would be a permission for
 * nobody.
 */
#include "config_names.h"

#include "config_file.h"
#include "macros.h"
#include "units.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* (uid_t)-1 means "leave it" to the system, so it is no id. */
static bool parse_id(const char *text, uint32_t *ret)
{
        const char *rest;
        uint64_t id;

        if (units_number(text, &id, &rest) || *rest || id >= UINT32_MAX)
                return false;
        *ret = (uint32_t)id;
        return true;
}

void names_deinit(struct known_names *names)
{
        for (size_t i = 0; i < names->n; i++)
                free(names->known[i].name);
        free(names->known);
        *names = (struct known_names){ 0 };
}

static const struct known_name *find(const struct known_names *names, const char *name,
                                     bool is_group)
{
        for (size_t i = 0; i < names->n; i++)
                if (names->known[i].is_group == is_group && strcmp(names->known[i].name, name) == 0)
                        return &names->known[i];
        return NULL;
}

/* @entry with a copy of the first @length bytes of @name. Return: 0; -ENOMEM. */
static int remember(struct known_names *names, const char *name, size_t length,
                    const struct known_name *entry)
{
        struct known_name *known =
                reallocarray(names->known, names->n + 1, sizeof(names->known[0]));

        if (!known)
                return -ENOMEM;
        names->known = known;
        known[names->n] = *entry;
        known[names->n].name = strndup(name, length);
        if (!known[names->n].name)
                return -ENOMEM;
        names->n++;
        return 0;
}

/* ---- what the text tells -------------------------------------------------------------------- */

/* "998:993", or "993" of a group */
static bool parse_ids(const char *text, struct known_name *ret)
{
        const char *colon = strchr(text, ':');
        char uid[16];

        if (ret->is_group)
                return parse_id(text, &ret->gid);
        if (!colon || (size_t)(colon - text) >= sizeof(uid))
                return false;
        memcpy(uid, text, (size_t)(colon - text));
        uid[colon - text] = '\0';
        return parse_id(uid, &ret->uid) && parse_id(colon + 1, &ret->gid);
}

/* "user:pard=998:993" or "group:radio=993". Return: 0; -EINVAL for another form; -ENOMEM. */
static int read_entry(struct known_names *names, const char *text)
{
        struct known_name entry = { .is_group = strncmp(text, "group:", 6) == 0 };
        const char *equal = strrchr(text, '=');

        if (!entry.is_group && strncmp(text, "user:", 5) != 0)
                return -EINVAL;
        text += entry.is_group ? 6 : 5;
        if (!equal || equal <= text || !parse_ids(equal + 1, &entry))
                return -EINVAL;
        return remember(names, text, (size_t)(equal - text), &entry);
}

int names_read(struct config_file *file, struct known_names *names)
{
        const unsigned n = cfg_size(file->root, "ids");

        names->told = n > 0;
        for (unsigned i = 0; i < n; i++) {
                const char *text = cfg_getnstr(file->root, "ids", i);
                int r = read_entry(names, text);

                if (r == -EINVAL)
                        return config_fail(file, NULL, "ids",
                                           "\"%s\" is neither \"group:NAME=NUMBER\" nor "
                                           "\"user:NAME=NUMBER:NUMBER\"",
                                           text);
                if (r)
                        return r;
        }
        return 0;
}

/* ---- what is looked for --------------------------------------------------------------------- */

int names_group(struct known_names *names, const char *text, gid_t *ret)
{
        const struct known_name *known = find(names, text, true);
        const struct group *group;

        if (parse_id(text, ret))
                return 0;
        if (known) {
                *ret = known->gid;
                return 0;
        }
        group = names->told ? NULL : getgrnam(text);
        if (!group)
                return -ENOENT;
        *ret = group->gr_gid;
        return remember(names, text, strlen(text),
                        &(struct known_name){ .is_group = true, .gid = *ret });
}

int names_user(struct known_names *names, const char *text, uid_t *ret, gid_t *ret_group)
{
        const struct known_name *known = find(names, text, false);
        const struct passwd *user = NULL;
        uid_t id;

        if (known) {
                *ret = known->uid;
                *ret_group = known->gid;
                return 0;
        }
        if (parse_id(text, &id)) {
                if (!names->told)
                        user = getpwuid(id);
                *ret = id;
                *ret_group = user ? user->pw_gid : (gid_t)id;
        } else {
                if (!names->told)
                        user = getpwnam(text);
                if (!user)
                        return -ENOENT;
                *ret = user->pw_uid;
                *ret_group = user->pw_gid;
        }
        return remember(names, text, strlen(text),
                        &(struct known_name){ .uid = *ret, .gid = *ret_group });
}

int names_principal(struct known_names *names, const char *text, struct principal *ret)
{
        const char *colon = strchr(text, ':');
        size_t n = colon ? (size_t)(colon - text) : 0;
        uid_t user = 0;
        gid_t group = 0;
        int r;

        if (!colon || !colon[1])
                return -EINVAL;
        if ((n == 5 && memcmp(text, "group", n) == 0) || (n == 3 && memcmp(text, "gid", n) == 0))
                ret->is_group = true;
        else if ((n == 4 && memcmp(text, "user", n) == 0) ||
                 (n == 3 && memcmp(text, "uid", n) == 0))
                ret->is_group = false;
        else
                return -EINVAL;

        if (n == 3)
                return parse_id(colon + 1, &ret->id) ? 0 : -EINVAL;
        r = ret->is_group ? names_group(names, colon + 1, &group)
                          : names_user(names, colon + 1, &user, &group);
        if (r)
                return r;
        ret->id = ret->is_group ? group : user;
        return 0;
}
