/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; asks the system's user and group databases. Refuses names that they do not know: a
 * permission for a misspelt group would be a permission for nobody.
 */
#include "config_names.h"

#include "units.h"

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>

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

int names_group(const char *text, gid_t *ret)
{
        const struct group *group;

        if (parse_id(text, ret))
                return 0;
        group = getgrnam(text);
        if (!group)
                return -ENOENT;
        *ret = group->gr_gid;
        return 0;
}

int names_user(const char *text, uid_t *ret, gid_t *ret_group)
{
        const struct passwd *user;
        uid_t id;

        if (parse_id(text, &id)) {
                user = getpwuid(id);
                *ret = id;
                *ret_group = user ? user->pw_gid : (gid_t)id;
                return 0;
        }
        user = getpwnam(text);
        if (!user)
                return -ENOENT;
        *ret = user->pw_uid;
        *ret_group = user->pw_gid;
        return 0;
}

int names_principal(const char *text, struct principal *ret)
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
        r = ret->is_group ? names_group(colon + 1, &group) : names_user(colon + 1, &user, &group);
        if (r)
                return r;
        ret->id = ret->is_group ? group : user;
        return 0;
}
