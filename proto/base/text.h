/* SPDX-License-Identifier: MIT */
/*
 * Names and labels: UTF-8 of a bounded length. One judgement for the daemon, which refuses others,
 * and for the library, which makes them. No state, no locale.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 character at @s, of which there are no more than @left; 0: it is none. */
static inline size_t text_character_bytes(const unsigned char *s, size_t left)
{
        uint32_t value;
        size_t n;

        if (s[0] < 0x80)
                return 1;
        if (s[0] >= 0xc2 && s[0] <= 0xdf)
                n = 2;
        else if (s[0] >= 0xe0 && s[0] <= 0xef)
                n = 3;
        else if (s[0] >= 0xf0 && s[0] <= 0xf4)
                n = 4;
        else
                return 0;
        if (n > left)
                return 0;
        value = s[0] & (0x7fu >> n);
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                value = value << 6 | (s[i] & 0x3f);
        }
        /* Longer than needed, half a surrogate pair, or beyond the last character. */
        if ((n == 3 && value < 0x800) || (n == 4 && value < 0x10000) ||
            (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff)
                return 0;
        return n;
}

/**
 * text_is_good() - whether a text is UTF-8 of at most @max_bytes
 *
 * Names and labels from outside have to be: others could not read them in a list otherwise.
 */
static inline bool text_is_good(const char *s, size_t max_bytes)
{
        size_t left = strlen(s);

        if (left > max_bytes)
                return false;
        while (left) {
                size_t n = text_character_bytes((const unsigned char *)s, left);

                if (!n)
                        return false;
                s += n;
                left -= n;
        }
        return true;
}

/**
 * text_copy_good() - copy a text, and make it good
 * @to:   room for @max_bytes and a NUL
 * @from: any bytes; what is no UTF-8 becomes "?", and no character is cut in two
 */
static inline void text_copy_good(char *to, size_t max_bytes, const char *from)
{
        size_t left = strlen(from);

        while (left) {
                size_t n = text_character_bytes((const unsigned char *)from, left);

                if ((n ? n : 1) > max_bytes)
                        break;
                max_bytes -= n ? n : 1;
                if (n)
                        memcpy(to, from, n);
                else
                        *to = '?';
                to += n ? n : 1;
                from += n ? n : 1;
                left -= n ? n : 1;
        }
        *to = '\0';
}
