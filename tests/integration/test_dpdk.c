/* SPDX-License-Identifier: MIT */
/*
 * What docs/dpdk.md says of DPDK, asked of the DPDK that is here: which mistakes it lets pass in
 * silence when it is handed memory of pard's, and that it heeds where the memory is in two pieces.
 *
 * Usage: test_dpdk [EAL OPTION...], with a pard at $PAR_SOCKET that has 8 MiB, and not in one piece
 */
#include <par.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <rte_memzone.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB        (1024u * 1024)
#define PAGE_BYTES (2 * MIB)
#define PAGES      4
#define SIZE_BYTES (PAGES * PAGE_BYTES)
#define HEAP       "test"

static int failures;

static void check(bool holds, const char *what)
{
        if (!holds) {
                printf("FAILED: %s\n", what);
                failures++;
        }
}

static void insist(bool holds, const char *what)
{
        if (!holds) {
                printf("FAILED: %s: %s, %s\n", what, par_error(NULL), rte_strerror(rte_errno));
                exit(1);
        }
}

/* Put the memory into a heap of its own. Return: the heap's number among DPDK's nodes. */
static int add(struct par_buffer *buffer, rte_iova_t *addresses)
{
        insist(!rte_malloc_heap_create(HEAP), "rte_malloc_heap_create");
        insist(!rte_malloc_heap_memory_add(HEAP, par_buffer_data(buffer), SIZE_BYTES, addresses,
                                           PAGES, PAGE_BYTES),
               "rte_malloc_heap_memory_add");
        return rte_malloc_heap_get_socket(HEAP);
}

static void take_out(struct par_buffer *buffer)
{
        insist(!rte_malloc_heap_memory_remove(HEAP, par_buffer_data(buffer), SIZE_BYTES) &&
                       !rte_malloc_heap_destroy(HEAP),
               "rte_malloc_heap_memory_remove");
}

static void test_contents(struct par_buffer *buffer, rte_iova_t *addresses)
{
        char *last = (char *)par_buffer_data(buffer) + SIZE_BYTES - 1;

        *last = 'x';
        insist(!rte_extmem_register(par_buffer_data(buffer), SIZE_BYTES, addresses, PAGES,
                                    PAGE_BYTES),
               "rte_extmem_register");
        check(*last == 'x', "rte_extmem_register leaves what is in the memory");
        insist(!rte_extmem_unregister(par_buffer_data(buffer), SIZE_BYTES),
               "rte_extmem_unregister");
        check(*last == 'x', "rte_extmem_unregister leaves what is in the memory");
        add(buffer, addresses);
        check(*last == 0, "rte_malloc_heap_memory_add wipes the memory");
        take_out(buffer);
}

static void test_no_table(struct par_buffer *buffer)
{
        const int socket = add(buffer, NULL);
        void *block = rte_malloc_socket(NULL, 64, 0, socket);

        check(block != NULL, "a heap without a table of addresses serves");
        check(rte_malloc_virt2iova(block) == RTE_BAD_IOVA, "and has no address for any of it");
        rte_free(block);
        take_out(buffer);
}

static void test_page_size(struct par_buffer *buffer, rte_iova_t *addresses)
{
        check(rte_extmem_register(par_buffer_data(buffer), SIZE_BYTES, addresses, PAGES, 4096) &&
                      rte_errno == EINVAL,
              "a table that is too short for pages of that size is refused");
        check(rte_extmem_register((char *)par_buffer_data(buffer) + 4096, PAGE_BYTES, addresses, 1,
                                  PAGE_BYTES) &&
                      rte_errno == EINVAL,
              "memory that begins within a page of that size is refused");
}

static size_t longest(const struct par_buffer *buffer)
{
        const struct par_segment *pieces;
        const size_t count = par_buffer_segments(buffer, &pieces);
        size_t bytes = 0;

        for (size_t i = 0; i < count; i++)
                if (pieces[i].length > bytes)
                        bytes = pieces[i].length;
        return bytes;
}

static bool has_zone(const char *name, size_t size, int socket, unsigned flags)
{
        const struct rte_memzone *zone = rte_memzone_reserve(name, size, socket, flags);

        rte_memzone_free(zone);
        return zone != NULL;
}

/* Without hugepages of its own DPDK is in its legacy mode, and takes all memory for one piece. */
static void test_pieces(struct par_buffer *buffer, rte_iova_t *addresses)
{
        const size_t piece = longest(buffer);
        int socket;

        insist(piece < SIZE_BYTES - MIB, "a buffer in more than one piece");
        socket = add(buffer, addresses);
        check(has_zone("two", piece + 4096, socket, 0), "a zone that may lie in two pieces");
        check(has_zone("one", piece - MIB, socket, RTE_MEMZONE_IOVA_CONTIG),
              "a zone that is to be in one, and fits");
        check(has_zone("long", piece + 4096, socket, RTE_MEMZONE_IOVA_CONTIG) ==
                      !rte_eal_has_hugepages(),
              "a zone in one that is longer than any: only the legacy mode has it");
        take_out(buffer);
}

static bool straddles(uint64_t first, size_t bytes, size_t bound)
{
        return first / bound != (first + bytes - 1) / bound;
}

/* Addresses in one piece, which lie in the other halves of the blocks than their pointers. */
static void test_bound(struct par_buffer *buffer)
{
        const size_t size = 3 * MIB, bound = (size_t)2 * PAGE_BYTES;
        const uintptr_t data = (uintptr_t)par_buffer_data(buffer);
        const struct rte_memzone *zone;
        rte_iova_t apart[PAGES];
        int socket;

        for (uint64_t i = 0; i < PAGES; i++)
                apart[i] = (UINT64_C(1) << 32) + (data % bound ? 0 : PAGE_BYTES) + i * PAGE_BYTES;
        socket = add(buffer, apart);
        zone = rte_memzone_reserve_bounded("bound", size, socket, RTE_MEMZONE_IOVA_CONTIG, 4096,
                                           (unsigned)bound);
        insist(zone != NULL, "rte_memzone_reserve_bounded");
        check(!straddles(zone->addr_64, size, bound), "a zone's boundary is one of its pointer");
        check(straddles(zone->iova, size, bound), "and not of its address");
        rte_memzone_free(zone);
        take_out(buffer);
}

/* In this mode DPDK answers a question about any memory with its pointer, and does not look. */
static void test_virtual(struct par *par, struct par_buffer *buffer, rte_iova_t *addresses)
{
        const int socket = add(buffer, addresses);
        void *block = rte_malloc_socket(NULL, 64, 0, socket);
        uint64_t dma = 0;

        insist(block && !par_dma_address(par, block, &dma, NULL), "par_dma_address");
        check(rte_malloc_virt2iova(block) == dma, "rte_malloc_virt2iova knows the table");
        if (rte_eal_iova_mode() == RTE_IOVA_VA)
                check(rte_mem_virt2iova(block) == (uintptr_t)block,
                      "rte_mem_virt2iova does not, and tells the pointer");
        else
                check(rte_mem_virt2iova(block) == dma, "and so does the kernel");
        rte_free(block);
        take_out(buffer);
}

int main(int argc, char **argv)
{
        struct par_constraint limits = { .align = PAGE_BYTES, .max_segments = PAR_SEGMENTS_ANY };
        rte_iova_t addresses[PAGES];
        struct par_buffer *buffer = NULL;
        struct par *par;

        insist(rte_eal_init(argc, argv) >= 0, "rte_eal_init");
        insist(!par_connect(NULL, NULL, &par) &&
                       !par_alloc(par, SIZE_BYTES, &limits, NULL, &buffer) &&
                       !par_buffer_pages(buffer, 0, PAGE_BYTES, addresses, PAGES),
               "a buffer");
        test_contents(buffer, addresses);
        test_no_table(buffer);
        test_page_size(buffer, addresses);
        test_pieces(buffer, addresses);
        test_bound(buffer);
        test_virtual(par, buffer, addresses);
        par_disconnect(par);
        rte_eal_cleanup();
        return failures ? 1 : 0;
}
