/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. libsmartcols does the same for what stands in tables.
 */
#include "safe_text.h"

#include "text.h"

const char *safe_text(const char *text, char buffer[SAFE_TEXT_BYTES])
{
        text_copy_good(buffer, SAFE_TEXT_BYTES - 1, text);
        for (char *at = buffer; *at; at++) {
                const unsigned char c = (unsigned char)*at;

                /* U+0080 to U+009F are two bytes; some terminals heed them. */
                if (c == 0xc2 && (unsigned char)at[1] < 0xa0)
                        at[0] = at[1] = '?';
                else if (c < 0x20 || c == 0x7f)
                        *at = '?';
        }
        return buffer;
}
