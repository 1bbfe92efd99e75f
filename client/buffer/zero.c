/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. An ordinary store of a line that is not in the caches reads it first, and throws
 * out another one; of what is larger than the caches nothing would be left there for who uses it
 * next.
 */
#include "zero.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#include <stdint.h>

#define LINE_BYTES 64u

/* @at is a multiple of a line, and so is @bytes. */
static void stream(char *at, size_t bytes)
{
        const __m128i zero = _mm_setzero_si128();

        for (const char *const past = at + bytes; at != past; at += LINE_BYTES) {
                __m128i *line = (__m128i *)(void *)at;

                _mm_stream_si128(line, zero);
                _mm_stream_si128(line + 1, zero);
                _mm_stream_si128(line + 2, zero);
                _mm_stream_si128(line + 3, zero);
        }
        _mm_sfence(); /* such stores are in no order with others by themselves */
}

void zero_past_caches(void *at, size_t bytes)
{
        const size_t head = -(uintptr_t)at % LINE_BYTES;
        const size_t lines = bytes > head ? (bytes - head) & ~(size_t)(LINE_BYTES - 1) : 0;
        char *first = (char *)at + head;

        if (!lines) {
                memset(at, 0, bytes);
                return;
        }
        memset(at, 0, head);
        stream(first, lines);
        memset(first + lines, 0, bytes - head - lines);
}
#else
void zero_past_caches(void *at, size_t bytes)
{
        memset(at, 0, bytes);
}
#endif

void zero_bytes(void *at, size_t bytes)
{
        if (bytes < ZERO_PAST_CACHES_BYTES)
                memset(at, 0, bytes);
        else
                zero_past_caches(at, bytes);
}
