/* SPDX-License-Identifier: MIT */
/*
 * Request sequences against the state: the input decides what clients and keeper do. The model in
 * lives.c and the state's own checker tell what is wrong.
 */
#include "lives.h"

#include <stddef.h>
#include <string.h>

struct input {
        const uint8_t *bytes;
        size_t size;
};

/* Two bytes a decision are enough for every choice, and leave much to an input. */
static bool next(void *data, uint64_t *ret)
{
        struct input *input = data;
        uint16_t bits;

        if (input->size < sizeof(bits))
                return false;
        memcpy(&bits, input->bytes, sizeof(bits));
        input->bytes += sizeof(bits);
        input->size -= sizeof(bits);
        *ret = bits;
        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        struct input input = { bytes, size };
        struct lives lives = { .next = next, .data = &input };

        lives_run(&lives, 4096);
        return 0;
}
