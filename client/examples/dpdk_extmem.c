/* SPDX-License-Identifier: MIT */
/*
 * DPDK on memory of pard's: a heap that rte_malloc() serves and a pool of mbufs in it, then a pool
 * of mbufs whose data lie in a buffer that DPDK only knows of. DPDK believes the addresses that it
 * is told, so this program asks it afterwards what it believes, of each page and each mbuf.
 *
 * Usage: dpdk_extmem [EAL OPTION...], for instance, without root:
 *
 *     dpdk_extmem --no-huge --no-shconf --no-pci --no-telemetry -m 64
 *
 * docs/dpdk.md tells which options a driver takes. Copy from it.
 */
#define ALLOW_EXPERIMENTAL_API /* rte_pktmbuf_pool_create_extbuf() is, in DPDK 22.11 */
#include <par.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define KIB 1024u
#define MIB (1024u * KIB)

/* The addresses are told DPDK in pages of this size, whatever pard's pages are: 2 MiB or 1 GiB. */
#define PAGE_BYTES  (2 * MIB)
#define PAGES       4
#define BLOCK_BYTES (64 * KIB)
#define MBUFS       3000u
#define MBUF_BYTES  RTE_MBUF_DEFAULT_BUF_SIZE
#define HEAP        "par"

static int complain(const char *what, const char *why)
{
        fprintf(stderr, "%s: %s\n", what, why);
        return -1;
}

static int complain_of_dpdk(const char *what)
{
        return complain(what, rte_strerror(rte_errno));
}

/* Each piece begins on a multiple of PAGE_BYTES, so each page is one piece for the device. */
static int get_memory(struct par *par, const char *label, struct par_buffer **ret)
{
        struct par_constraint limits = { .align = PAGE_BYTES, .max_segments = PAR_SEGMENTS_ANY };
        struct par_alloc_options options = { .label = label };

        if (par_alloc(par, PAGES * PAGE_BYTES, &limits, &options, ret))
                return complain(label, par_error(par));
        return 0;
}

/* ---- what DPDK believes --------------------------------------------------------------------- */

/* @iova: where DPDK thinks that @at lies; @length: bytes that the device takes to be in one piece.
 * Return: whether it is so. */
static bool is_true(struct par *par, void *at, rte_iova_t iova, size_t length)
{
        uint64_t dma;
        size_t contiguous;

        if (par_dma_address(par, at, &dma, &contiguous)) {
                complain("par_dma_address", par_error(par));
                return false;
        }
        if (iova == dma && length <= contiguous)
                return true;
        fprintf(stderr, "%p: DPDK has %#llx for %zu bytes, pard %#llx for %zu\n", at,
                (unsigned long long)iova, length, (unsigned long long)dma, contiguous);
        return false;
}

/* DPDK's table of pages, and, where it uses physical addresses, what the kernel tells it. */
static bool pages_are_true(struct par *par, const struct par_buffer *buffer)
{
        for (size_t page = 0; page < PAGES; page++) {
                char *at = (char *)par_buffer_data(buffer) + page * PAGE_BYTES;
                const struct rte_memseg *entry = rte_mem_virt2memseg(at, NULL);

                if (!entry || !is_true(par, at, entry->iova, entry->len))
                        return false;
                if (rte_eal_iova_mode() == RTE_IOVA_PA &&
                    !is_true(par, at, rte_mem_virt2iova(at), PAGE_BYTES))
                        return false;
        }
        return true;
}

/* Take all mbufs of a pool, look at each, write to it, and give them back. */
static int try_mbufs(struct par *par, struct rte_mempool *pool)
{
        static struct rte_mbuf *mbufs[MBUFS];
        unsigned i;
        int r = 0;

        if (rte_pktmbuf_alloc_bulk(pool, mbufs, MBUFS))
                return complain(pool->name, "not all of its mbufs are there");
        for (i = 0; i < MBUFS && !r; i++) {
                if (!is_true(par, mbufs[i]->buf_addr, rte_mbuf_iova_get(mbufs[i]),
                             mbufs[i]->buf_len))
                        r = complain(pool->name, "a device would not find its mbufs");
                memset(mbufs[i]->buf_addr, 0x5a, mbufs[i]->buf_len);
        }
        rte_pktmbuf_free_bulk(mbufs, MBUFS);
        if (!r)
                printf("%s: %u mbufs, each where DPDK says\n", pool->name, MBUFS);
        return r;
}

/* ---- a heap --------------------------------------------------------------------------------- */

/* The table of addresses must not be NULL: DPDK would take the memory, and have no address for it.
 * What was in the memory before is lost: DPDK writes zeroes over it. */
static int make_heap(const struct par_buffer *buffer, int *ret_socket)
{
        rte_iova_t addresses[PAGES];

        if (par_buffer_pages(buffer, 0, PAGE_BYTES, addresses, PAGES))
                return complain(HEAP, par_error(NULL));
        if (rte_malloc_heap_create(HEAP))
                return complain_of_dpdk("rte_malloc_heap_create");
        if (rte_malloc_heap_memory_add(HEAP, par_buffer_data(buffer), par_buffer_size(buffer),
                                       addresses, PAGES, PAGE_BYTES)) {
                complain_of_dpdk("rte_malloc_heap_memory_add");
                rte_malloc_heap_destroy(HEAP);
                return -1;
        }
        *ret_socket = rte_malloc_heap_get_socket(HEAP);
        return 0;
}

static void end_heap(const struct par_buffer *buffer)
{
        if (rte_malloc_heap_memory_remove(HEAP, par_buffer_data(buffer), par_buffer_size(buffer)) ||
            rte_malloc_heap_destroy(HEAP))
                complain_of_dpdk(HEAP); /* somebody still has memory of it */
}

static int try_block(struct par *par, int socket)
{
        void *block = rte_malloc_socket("block", BLOCK_BYTES, 0, socket);
        bool found;

        if (!block)
                return complain("rte_malloc_socket", "nothing left");
        found = is_true(par, block, rte_malloc_virt2iova(block), 1);
        rte_free(block);
        return found ? 0 : complain("rte_malloc_virt2iova", "tells another address");
}

static int try_heap(struct par *par, const struct par_buffer *buffer, int socket)
{
        struct rte_mempool *pool;
        int r;

        if (!pages_are_true(par, buffer) || try_block(par, socket))
                return -1;
        pool = rte_pktmbuf_pool_create("mbufs in the heap", MBUFS, 0, 0, MBUF_BYTES, socket);
        if (!pool)
                return complain_of_dpdk("rte_pktmbuf_pool_create");
        r = try_mbufs(par, pool);
        rte_mempool_free(pool);
        return r;
}

static int run_heap(struct par *par)
{
        struct par_buffer *buffer;
        int socket = SOCKET_ID_ANY, r;

        if (get_memory(par, "dpdk-heap", &buffer))
                return -1;
        r = make_heap(buffer, &socket);
        if (!r) {
                r = try_heap(par, buffer, socket);
                end_heap(buffer);
        }
        par_free(buffer);
        return r;
}

/* ---- mbufs in a buffer of ours -------------------------------------------------------------- */

/* An external area has one address for all its bytes, so each piece of the buffer is one: an mbuf
 * never lies across two. */
static struct rte_mempool *make_pool(const struct par_buffer *buffer)
{
        struct rte_pktmbuf_extmem areas[PAGES];
        const struct par_segment *pieces;
        size_t count = par_buffer_segments(buffer, &pieces);

        for (size_t i = 0; i < count; i++)
                areas[i] = (struct rte_pktmbuf_extmem){
                        .buf_ptr = (char *)par_buffer_data(buffer) + pieces[i].offset,
                        .buf_iova = pieces[i].dma,
                        .buf_len = pieces[i].length,
                        .elt_size = MBUF_BYTES,
                };
        return rte_pktmbuf_pool_create_extbuf("mbufs in the buffer", MBUFS, 0, 0, MBUF_BYTES,
                                              SOCKET_ID_ANY, areas, (unsigned)count);
}

static int try_buffer(struct par *par, const struct par_buffer *buffer)
{
        struct rte_mempool *pool;
        int r;

        if (!pages_are_true(par, buffer))
                return -1;
        pool = make_pool(buffer);
        if (!pool)
                return complain_of_dpdk("rte_pktmbuf_pool_create_extbuf");
        r = try_mbufs(par, pool);
        rte_mempool_free(pool);
        return r;
}

/* Registered, the memory keeps its contents, and drivers that map for themselves find it. */
static int run_buffer(struct par *par)
{
        rte_iova_t addresses[PAGES];
        struct par_buffer *buffer;
        int r;

        if (get_memory(par, "dpdk-mbufs", &buffer))
                return -1;
        if (par_buffer_pages(buffer, 0, PAGE_BYTES, addresses, PAGES))
                r = complain("par_buffer_pages", par_error(par));
        else if (rte_extmem_register(par_buffer_data(buffer), par_buffer_size(buffer), addresses,
                                     PAGES, PAGE_BYTES))
                r = complain_of_dpdk("rte_extmem_register");
        else {
                r = try_buffer(par, buffer);
                if (rte_extmem_unregister(par_buffer_data(buffer), par_buffer_size(buffer)))
                        r = complain_of_dpdk("rte_extmem_unregister");
        }
        par_free(buffer);
        return r;
}

static int run(void)
{
        struct par_connect_options options = { .client_name = "dpdk_extmem" };
        struct par *par;
        int r;

        if (par_connect(NULL, &options, &par))
                return complain("connect", par_error(NULL));
        r = run_heap(par);
        if (!r)
                r = run_buffer(par);
        par_disconnect(par);
        return r;
}

int main(int argc, char **argv)
{
        int r;

        if (rte_eal_init(argc, argv) < 0) {
                complain_of_dpdk("rte_eal_init");
                return 1;
        }
        printf("addresses for devices are %s\n",
               rte_eal_iova_mode() == RTE_IOVA_PA ? "physical" : "virtual, but for memory of pard");
        r = run();
        rte_eal_cleanup();
        return r ? 1 : 0;
}
