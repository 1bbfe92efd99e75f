/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. The rules of parctl's JSON: addresses are hexadecimal strings, sizes are numbers,
 * what is missing is null, keys stay in the order in which they were set.
 */
#include "json.h"

#include <errno.h>
#include <inttypes.h>

json_t *json_address(uint64_t address)
{
        return json_sprintf("0x%" PRIx64, address);
}

json_t *json_size(uint64_t bytes)
{
        return json_integer(bytes > INT64_MAX ? INT64_MAX : (json_int_t)bytes);
}

json_t *json_text(const char *text)
{
        return text && *text ? json_string(text) : json_null();
}

int json_print(FILE *stream, const char *key, json_t *value)
{
        json_t *object = json_object();
        int r;

        if (!object || json_object_set_new(object, key, value)) {
                json_decref(object);
                return -ENOMEM;
        }
        r = json_dumpf(object, stream, JSON_PRESERVE_ORDER);
        json_decref(object);
        return r || fputc('\n', stream) == EOF || fflush(stream) ? -EIO : 0;
}
