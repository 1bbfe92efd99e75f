/* SPDX-License-Identifier: MIT */
/*
 * Owns a page that the kernel clears in a child.
 *
 * Invariant: what says 1 belongs to this process. Refuses to fail: without such a page nothing is
 * ever known to be ours, which is slow but right.
 */
#include "fork_mark.h"

#include <sys/mman.h>
#include <unistd.h>

static const unsigned char unknown;

void fork_mark_init(struct fork_mark *mark)
{
        const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
        unsigned char *page;

        mark->ours = &unknown;
        page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
                return;
        if (madvise(page, bytes, MADV_WIPEONFORK)) {
                munmap(page, bytes);
                return;
        }
        *page = 1;
        mark->ours = page;
}

void fork_mark_deinit(struct fork_mark *mark)
{
        if (mark->ours && mark->ours != &unknown)
                munmap((void *)(unsigned long)mark->ours, (size_t)sysconf(_SC_PAGESIZE));
        mark->ours = &unknown;
}
