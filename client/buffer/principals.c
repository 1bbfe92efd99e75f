/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads what a caller wrote, and asks the system for numbers. pard knows no names:
 * what a client says of users is its own affair, and databases may be slow to answer.
 */
#include "principals.h"

#include "error.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Longest entry, with its NUL; and room for what the databases say, which for a group are all its
 * members. */
#define ENTRY_BYTES  128
#define LOOKUP_BYTES (1u << 20)

/* (uid_t)-1 means "leave it" to the system, so it is no number. */
static bool parse_number(const char *text, uint32_t *ret)
{
        unsigned long number;
        char *end;

        if (*text < '0' || *text > '9')
                return false;
        errno = 0;
        number = strtoul(text, &end, 10);
        if (*end || errno || number >= UINT32_MAX)
                return false;
        *ret = (uint32_t)number;
        return true;
}

/* Return: 0; -ENOENT; other -errno. */
static int find(bool group, const char *name, char *room, uint32_t *ret)
{
        struct passwd user, *user_found;
        struct group all, *group_found;
        int r;

        if (group) {
                r = getgrnam_r(name, &all, room, LOOKUP_BYTES, &group_found);
                if (r || !group_found)
                        return r ? -r : -ENOENT;
                *ret = group_found->gr_gid;
                return 0;
        }
        r = getpwnam_r(name, &user, room, LOOKUP_BYTES, &user_found);
        if (r || !user_found)
                return r ? -r : -ENOENT;
        *ret = user_found->pw_uid;
        return 0;
}

/* Return: 0; -ENOENT; other -errno. */
static int number_of(bool group, const char *name, uint32_t *ret)
{
        char *room;
        int r;

        if (parse_number(name, ret))
                return 0;
        room = malloc(LOOKUP_BYTES);
        if (!room)
                return -ENOMEM;
        r = find(group, name, room, ret);
        free(room);
        return r;
}

/* What comes before the colon: whether it is of a group, and must be a number. */
static const struct {
        const char *word;
        bool group, number;
} kinds[] = {
        { "user:", false, false },
        { "group:", true, false },
        { "uid:", false, true },
        { "gid:", true, true },
};

static int parse_one(const char *entry, Wire__Principal *ret)
{
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                const size_t n = strlen(kinds[i].word);
                uint32_t id;
                int r;

                if (strncmp(entry, kinds[i].word, n) != 0)
                        continue;
                if (kinds[i].number)
                        r = parse_number(entry + n, &id) ? 0 : -ENOENT;
                else
                        r = number_of(kinds[i].group, entry + n, &id);
                if (r == -ENOMEM)
                        return error_set(r, "no memory to look up \"%s\"", entry);
                if (r)
                        return error_set(-EINVAL, "allow: the system knows no \"%s\"", entry);
                wire__principal__init(ret);
                ret->group = kinds[i].group;
                ret->id = id;
                return 0;
        }
        return error_set(-EINVAL,
                         "allow: \"%s\" is none of user:NAME, group:NAME, uid:NUMBER, gid:NUMBER",
                         entry);
}

int principals_parse(const char *text, Wire__Principal ret[PAR_ALLOW_MAX], size_t *ret_count)
{
        char entry[ENTRY_BYTES];
        size_t count = 0;
        int r;

        *ret_count = 0;
        for (const char *at = text;; at++) {
                const size_t n = strcspn(at, ",");

                if (count == PAR_ALLOW_MAX)
                        return error_set(-EINVAL, "allow: more than %d users and groups",
                                         PAR_ALLOW_MAX);
                if (n >= sizeof(entry))
                        return error_set(-EINVAL, "allow: an entry of %zu bytes", n);
                memcpy(entry, at, n);
                entry[n] = '\0';
                r = parse_one(entry, &ret[count]);
                if (r)
                        return r;
                count++;
                at += n;
                if (!*at)
                        break;
        }
        *ret_count = count;
        return 0;
}
