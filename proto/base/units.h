/* SPDX-License-Identifier: MIT */
/*
 * Sizes, addresses and durations as people write them: "2M", "0xffffffff", "5s". One reading for
 * the configuration and the command line. No state, no locale.
 */
#pragma once

#include "macros.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define UNIT_TEXT_BYTES 24 /* room for any text of size_exact() and size_human() */

/**
 * units_number() - the digits at the start of a text
 * @text:     decimal, or hexadecimal after "0x"; no sign, no blank
 * @ret:      the number
 * @ret_rest: what follows it
 *
 * Return: 0; -EINVAL where the text does not start with a digit; -ERANGE above 64 bits.
 */
static inline int units_number(const char *text, uint64_t *ret, const char **ret_rest)
{
        static const char all[] = "0123456789abcdef";
        const char *digits = text, *digit;
        uint64_t base = 10, value = 0;

        if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
                base = 16;
                digits += 2;
        }
        for (*ret_rest = digits; **ret_rest; (*ret_rest)++) {
                digit = memchr(all, **ret_rest | (**ret_rest >= 'A' ? 0x20 : 0), base);
                if (!digit)
                        break;
                if (__builtin_mul_overflow(value, base, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(digit - all), &value))
                        return -ERANGE;
        }
        if (*ret_rest == digits)
                return -EINVAL;
        *ret = value;
        return 0;
}

/**
 * size_parse() - a size or an address
 * @text: "4096", "64K", "2M", "1G", "1T" (binary), "0x1000"
 * @ret:  in bytes
 *
 * Return: 0; -EINVAL for anything else; -ERANGE above 64 bits.
 */
static inline int size_parse(const char *text, uint64_t *ret)
{
        static const char suffixes[] = "KMGT";
        const char *rest, *suffix;
        unsigned shift = 0;
        uint64_t number;
        int r;

        r = units_number(text, &number, &rest);
        if (r)
                return r;
        if (*rest) {
                suffix = strchr(suffixes, *rest);
                if (!suffix || rest[1])
                        return -EINVAL;
                shift = 10 * ((unsigned)(suffix - suffixes) + 1);
        }
        if (number > UINT64_MAX >> shift)
                return -ERANGE;
        *ret = number << shift;
        return 0;
}

/**
 * duration_parse() - a time span
 * @text: "250us", "10ms", "5s", "2m", "1h"; "0" needs no unit
 * @ret:  in nanoseconds
 *
 * Return: 0; -EINVAL for anything else, a number without unit included; -ERANGE above 64 bits.
 */
static inline int duration_parse(const char *text, uint64_t *ret)
{
        static const struct {
                const char *name;
                uint64_t ns;
        } units[] = {
                { "us", NS_PER_US },    { "ms", NS_PER_MS },      { "s", NS_PER_S },
                { "m", 60 * NS_PER_S }, { "h", 3600 * NS_PER_S },
        };
        const char *rest;
        uint64_t number;
        int r;

        r = units_number(text, &number, &rest);
        if (r)
                return r;
        if (!*rest && number == 0) {
                *ret = 0;
                return 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
                if (strcmp(rest, units[i].name) != 0)
                        continue;
                return __builtin_mul_overflow(number, units[i].ns, ret) ? -ERANGE : 0;
        }
        return -EINVAL;
}

/* The shortest text that size_parse() reads back as the same number; returns @buffer. */
static inline const char *size_exact(uint64_t bytes, char buffer[UNIT_TEXT_BYTES])
{
        static const char suffixes[] = "BKMGT";
        size_t i = 0;

        while (bytes && bytes % 1024 == 0 && i + 1 < strlen(suffixes)) {
                bytes /= 1024;
                i++;
        }
        if (i)
                snprintf(buffer, UNIT_TEXT_BYTES, "%" PRIu64 "%c", bytes, suffixes[i]);
        else
                snprintf(buffer, UNIT_TEXT_BYTES, "%" PRIu64, bytes);
        return buffer;
}

/* For reading, not for parsing: "64M", "1.5G", "0B"; cut off, never rounded up; returns @buffer. */
static inline const char *size_human(uint64_t bytes, char buffer[UNIT_TEXT_BYTES])
{
        static const char suffixes[] = "BKMGTPE";
        uint64_t tenths = 0;
        size_t i = 0;

        for (; bytes >= 1024; i++) {
                tenths = bytes % 1024 * 10 / 1024;
                bytes /= 1024;
        }
        if (tenths && bytes < 100)
                snprintf(buffer, UNIT_TEXT_BYTES, "%" PRIu64 ".%u%c", bytes, (unsigned)tenths,
                         suffixes[i]);
        else
                snprintf(buffer, UNIT_TEXT_BYTES, "%" PRIu64 "%c", bytes, suffixes[i]);
        return buffer;
}
