/* SPDX-License-Identifier: MIT */
/*
 * Writes libFuzzer's dictionary for fuzz_config into a file: every key, with its section's words
 * around it, and values of every kind. Made when the targets are built, from the list that the
 * parser is made from.
 */
#include "config.h"

#include "macros.h"

#include <stdio.h>

static const char *const words[] = {
        "pool \\\"p\\\" {",
        "device \\\"d\\\" {",
        "bus_window {",
        "pci \\\"0000:01:00.0\\\" {",
        "sim {",
        "extent {",
        "}",
        "\\x0a",
        "# ",
        "= ",
        "{ ",
        "\\\"",
        "yes",
        "no",
        "reserve",
        "existing",
        "hugetlb",
        "optional",
        "required",
        "session",
        "uid",
        "frames",
        "dmabuf",
        "hidden",
        "shown",
        "demote",
        "any",
        "group:root",
        "user:root",
        "uid:1000",
        "gid:1000",
        "8086:10fb",
        "1234:*",
        "0000:01:00.0",
        "0x100000000",
        "0xffffffff",
        "18446744073709551615",
        "0",
        "-1",
        "2M",
        "4G",
        "1G",
        "64K",
        "4096",
        "5s",
        "10ms",
        "never",
        "debug",
        "0660",
        "ENOMEM",
};

int main(int argc, char **argv)
{
        const struct config_key *keys;
        size_t n;

        if (argc != 2 || !freopen(argv[1], "we", stdout)) {
                fprintf(stderr, "usage: %s FILE\n", argv[0]);
                return 2;
        }
        keys = config_keys(&n);
        for (size_t i = 0; i < n; i++)
                printf("\"%s = %s\"\n", keys[i].name, keys[i].is_list ? "{ \\\"" : "\\\"");
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                printf("\"%s\"\n", words[i]);
        return fflush(stdout) ? 1 : 0;
}
