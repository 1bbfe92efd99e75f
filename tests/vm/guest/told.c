/* SPDX-License-Identifier: MIT */
/* Owns one descriptor of pagemap for the life of the program. */
#include "told.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES      4096u
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_FRAME   ((UINT64_C(1) << 55) - 1)

static unsigned long compared;

uint64_t physical_address(const void *pointer)
{
        static int pagemap = -1;
        uintptr_t at = (uintptr_t)pointer;
        uint64_t entry;

        if (pagemap < 0)
                pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
        if (pread(pagemap, &entry, sizeof(entry), (off_t)(at / PAGE_BYTES * sizeof(entry))) !=
            sizeof(entry))
                die("pagemap: %s", strerror(errno));
        if (!(entry & PAGEMAP_PRESENT) || !(entry & PAGEMAP_FRAME))
                die("pagemap shows no page at %p: %#lx", pointer, entry);
        return (entry & PAGEMAP_FRAME) * PAGE_BYTES + at % PAGE_BYTES;
}

void told_compare(const struct par_buffer *buffer)
{
        const struct par_segment *segments;
        size_t count = par_buffer_segments(buffer, &segments);
        const volatile char *data = par_buffer_data(buffer);

        for (size_t i = 0; i < count; i++) {
                for (uint64_t at = 0; at < segments[i].length; at += PAGE_BYTES) {
                        const volatile char *page = data + segments[i].offset + at;
                        uint64_t is;

                        (void)*page; /* pagemap shows what this process has touched */
                        is = physical_address((const void *)page);
                        if (segments[i].dma + at != is)
                                die("at %#lx of segment %zu: told %#lx, is %#lx", at, i,
                                    segments[i].dma + at, is);
                        compared++;
                }
        }
}

void told_print(void)
{
        printf("%lu addresses compared, 0 wrong\n", compared);
}
