/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing.
 *
 * Refuses to touch memory of the program's: what it has unmapped meanwhile would end the program.
 */
#include "debug_sum.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHUNK_BYTES 4096

/* As FNV-1a has it, a word at a time. */
#define SUM_START UINT64_C(0xcbf29ce484222325)
#define SUM_PRIME UINT64_C(0x100000001b3)

static uint64_t add(uint64_t sum, const unsigned char *bytes, size_t n)
{
        uint64_t word = 0;

        for (; n >= sizeof(word); n -= sizeof(word), bytes += sizeof(word)) {
                memcpy(&word, bytes, sizeof(word));
                sum = (sum ^ word) * SUM_PRIME;
                sum ^= sum >> 32;
        }
        for (; n; n--, bytes++)
                sum = (sum ^ *bytes) * SUM_PRIME;
        return sum;
}

bool debug_sum(const void *at, size_t bytes, uint64_t *sum)
{
        const char *from = at;
        unsigned char chunk[CHUNK_BYTES];

        *sum ^= SUM_START;
        for (size_t done = 0, n; done < bytes; done += n) {
                n = bytes - done < sizeof(chunk) ? bytes - done : sizeof(chunk);
                const struct iovec here = { chunk, n };
                const struct iovec there = { (void *)(uintptr_t)(from + done), n };

                if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != (ssize_t)n)
                        return false;
                *sum = add(*sum, chunk, n);
        }
        return true;
}
