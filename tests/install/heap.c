/* SPDX-License-Identifier: MIT */
/* A user's program: that it builds and runs against what is installed. Also compiled as C++. */
#include <par_heap.h>
#include <stdio.h>

int main(void)
{
        struct par_heap *heap;
        int r = par_heap_create(NULL, NULL, NULL, &heap);

        printf("%d (%s)\n", -r, par_heap_error());
        return r == -EINVAL && !heap && !par_heap_malloc(heap, 1) && errno == EINVAL ? 0 : 1;
}
