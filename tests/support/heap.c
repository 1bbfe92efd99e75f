/* SPDX-License-Identifier: MIT */
/* Linked in place of the C library's allocators, which it calls. */
#include "heap.h"

#include <errno.h>
#include <stdint.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static _Thread_local struct {
        bool armed, failed;
        unsigned long count, first, last;
        size_t asked_bytes;
} heap;

void heap_fail(unsigned long first, unsigned long last)
{
        heap.armed = true;
        heap.failed = false;
        heap.count = 0;
        heap.first = first;
        heap.last = last;
}

bool heap_mend(void)
{
        heap.armed = false;
        return heap.failed;
}

size_t heap_asked_bytes(void)
{
        return heap.asked_bytes;
}

/* Whether this allocation fails. */
static bool fails(size_t bytes)
{
        heap.count++;
        if (heap.armed && heap.count >= heap.first && heap.count <= heap.last) {
                heap.failed = true;
                errno = ENOMEM;
                return true;
        }
        heap.asked_bytes += bytes;
        return false;
}

void *__wrap_malloc(size_t size)
{
        return fails(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return fails(n * size) ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
        return fails(size) ? NULL : __real_aligned_alloc(align, size);
}

void *__wrap_realloc(void *p, size_t size)
{
        return fails(size) ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
        return fails(n * size) ? NULL : __real_reallocarray(p, n, size);
}
