/* SPDX-License-Identifier: MIT */
/* Owns nothing. */
#include "huge_array.h"

#include <sys/mman.h>

void *huge_array_new(size_t bytes)
{
        void *array = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (array == MAP_FAILED)
                return NULL;
        /* Where it fails there are ordinary pages. */
        madvise(array, bytes, MADV_HUGEPAGE);
        return array;
}

void huge_array_free(void *array, size_t bytes)
{
        if (array)
                munmap(array, bytes);
}
