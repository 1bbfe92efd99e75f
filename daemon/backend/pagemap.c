/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads from descriptors that were opened while there was permission. Refuses to call
 * frame number 0 an address: it is what the kernel shows to those who may not know.
 */
#include "pagemap.h"

#include "opener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGEMAP_PRESENT  (UINT64_C(1) << 63)
#define PAGEMAP_PFN_MASK ((UINT64_C(1) << 55) - 1)

/* Bits of <linux/kernel-page-flags.h>. */
#define FLAG_UPTODATE (UINT64_C(1) << 3)
#define FLAG_MMAP     (UINT64_C(1) << 11)
#define FLAG_HEAD     (UINT64_C(1) << 15)
#define FLAG_HUGE     (UINT64_C(1) << 17)
#define FLAG_HWPOISON (UINT64_C(1) << 19)

static uint64_t base_page_bytes(void)
{
        return (uint64_t)sysconf(_SC_PAGESIZE);
}

static int read_entry(int fd, uint64_t index, uint64_t *ret)
{
        ssize_t n;

        n = pread(fd, ret, sizeof(*ret), (off_t)(index * sizeof(*ret)));
        if (n < 0)
                return -errno;
        return n == sizeof(*ret) ? 0 : -EIO;
}

int pagemap_read(int fd, uint64_t address, uint64_t *ret_phys)
{
        uint64_t page_bytes = base_page_bytes();
        uint64_t entry;
        int r;

        r = read_entry(fd, address / page_bytes, &entry);
        if (r)
                return r;
        if (!(entry & PAGEMAP_PRESENT))
                return -ENOENT;
        if (!(entry & PAGEMAP_PFN_MASK))
                return -EACCES;
        *ret_phys = (entry & PAGEMAP_PFN_MASK) * page_bytes + address % page_bytes;
        return 0;
}

/* Does it show where memory is? */
static int try_map(int fd)
{
        const char here = 0;
        uint64_t phys;

        return pagemap_read(fd, (uint64_t)(uintptr_t)&here, &phys);
}

static int open_with_help(const char *path, int *ret)
{
        int r;

        *ret = open(path, O_RDONLY | O_CLOEXEC);
        r = *ret < 0 ? -errno : try_map(*ret);
        if (r != -EACCES && r != -EPERM)
                return r;
        if (*ret >= 0)
                close(*ret);
        *ret = -1;
        r = opener_ask(path, ret);
        return r ? r : try_map(*ret);
}

int pagemap_open(int *ret, char *error, size_t error_bytes)
{
        int r;

        r = open_with_help("/proc/self/pagemap", ret);
        if (r == -EACCES || r == -EPERM)
                snprintf(error, error_bytes,
                         "no permission to read physical addresses from /proc/self/pagemap: that "
                         "takes root (CAP_SYS_ADMIN), outside of user namespaces");
        else if (r)
                snprintf(error, error_bytes, "cannot read /proc/self/pagemap: %s", strerror(-r));
        return r;
}

int pagemap_read_file(int fd, int file, uint64_t bytes, uint64_t *ret_phys)
{
        void *map;
        int r = 0;

        /* No reservation: it would outlive the mapping. */
        map = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, file, 0);
        if (map == MAP_FAILED)
                return -errno;
        if (madvise(map, bytes, MADV_POPULATE_READ) < 0)
                r = -errno;
        if (!r)
                r = pagemap_read(fd, (uint64_t)(uintptr_t)map, ret_phys);
        munmap(map, bytes);
        return r;
}

int kpageflags_in_file(int fd, uint64_t phys, bool *ret)
{
        uint64_t flags;
        int r;

        r = read_entry(fd, phys / base_page_bytes(), &flags);
        if (r)
                return r;

        /* Removing a hugepage from its file clears UPTODATE; a page that went on to the system's
         * ordinary memory may have it again at once, but is no hugepage. */
        *ret = (flags & FLAG_HUGE) && (flags & FLAG_UPTODATE);
        return 0;
}

int kpageflags_part(int fd, uint64_t phys, enum hugepage_part *ret)
{
        uint64_t flags;
        int r;

        r = read_entry(fd, phys / base_page_bytes(), &flags);
        if (r)
                return r;
        if (!(flags & FLAG_HUGE) || (flags & FLAG_HWPOISON))
                *ret = HUGEPAGE_NONE;
        else if (!(flags & FLAG_HEAD))
                *ret = HUGEPAGE_REST;
        else if (flags & (FLAG_UPTODATE | FLAG_MMAP))
                *ret = HUGEPAGE_USED_HEAD;
        else
                *ret = HUGEPAGE_FREE_HEAD;
        return 0;
}
