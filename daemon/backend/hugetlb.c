/* SPDX-License-Identifier: MIT */
/*
 * Owns the pins, the descriptors of pagemap and kpageflags, and what was added to the
 * system's hugepages; frames belong to
 * the caller. A frame's address is read after its pin. Refuses to touch the bytes of a frame that
 * was handed out, since its holder may have punched them: looking goes through MADV_POPULATE_READ,
 * which fails where a touch would raise SIGBUS.
 */
#include "hugetlb.h"

#include "free_pages.h"
#include "hugetlb_private.h"
#include "letgo.h"
#include "macros.h"
#include "numa.h"
#include "opener.h"
#include "pagemap.h"
#include "sysfs.h"
#include "zones.h"

#include <errno.h>
#include <fcntl.h>
#include <hugetlbfs.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A page on its way to become a frame. */
struct taking {
        struct hugetlb *hugetlb;
        struct backend_frame frame;
        void *map;
};

static void taking_deinit(struct taking *taking)
{
        if (taking->map != MAP_FAILED)
                munmap(taking->map, taking->frame.page_bytes);
        if (taking->frame.pinned)
                pins_remove(&taking->hugetlb->pins, taking->frame.pin);
        if (taking->frame.memfd >= 0)
                close(taking->frame.memfd);
}

static int make_file(struct backend_frame *frame)
{
        unsigned size = (unsigned)__builtin_ctzll(frame->page_bytes);

        frame->memfd = memfd_create("pard", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB |
                                                    size << MFD_HUGE_SHIFT);
        if (frame->memfd < 0)
                return -errno;
        /* Or any process of the system could open it through /proc. */
        if (fchmod(frame->memfd, 0600) < 0)
                return -errno;
        if (ftruncate(frame->memfd, (off_t)frame->page_bytes) < 0)
                return -errno;
        if (fcntl(frame->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
                return -errno;
        return 0;
}

/* The kernel breaks off before it has a page where the thread has anything to do on its way back
 * (hugetlbfs_fallocate(), 6.18): not only a signal, but also what an io_uring has left for it. */
static int allocate(const struct backend_frame *frame)
{
        int r;

        do {
                r = fallocate(frame->memfd, 0, 0, (off_t)frame->page_bytes) < 0 ? -errno : 0;
        } while (r == -EINTR);
        return r == -ENOSPC ? -ENOMEM : r;
}

static int allocate_bound(const struct backend_frame *frame, int node)
{
        struct numa_policy saved;
        int r;

        if (node != NODE_ANY) {
                r = numa_bind(node, &saved);
                if (r)
                        return r;
        }
        r = allocate(frame);
        if (node != NODE_ANY)
                numa_restore(&saved);
        return r;
}

/* There were free pages, and none was to be had. Where there still are, somebody keeps us from
 * them: a limit of the cgroup. */
static int no_page(uint64_t page_bytes, int node)
{
        struct hugepages pages;

        return sysfs_hugepages("", page_bytes, node, &pages) == 0 && hugepages_available(&pages)
                       ? -EUSERS
                       : -ENOMEM;
}

static int fill_file(struct taking *taking, int node)
{
        struct hugepages pages;
        int r;

        /* With nr_overcommit_hugepages the kernel would go on making pages that nobody reserved. */
        r = sysfs_hugepages("", taking->frame.page_bytes, node, &pages);
        if (r)
                return r == -ENOENT ? -ENOMEM : r;
        if (!hugepages_available(&pages))
                return -ENOMEM;

        r = allocate_bound(&taking->frame, node);
        if (r)
                return r == -ENOMEM ? no_page(taking->frame.page_bytes, node) : r;
        taking->map = mmap(NULL, taking->frame.page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                           taking->frame.memfd, 0);
        if (taking->map == MAP_FAILED)
                return errno == ENOMEM ? no_page(taking->frame.page_bytes, node) : -errno;
        if (madvise(taking->map, taking->frame.page_bytes, MADV_POPULATE_WRITE) < 0)
                return -errno;
        return 0;
}

int hugetlb_pin(struct hugetlb *hugetlb, struct backend_frame *frame, void *map, bool must_pin)
{
        struct iovec at = { map, frame->page_bytes };

        if (at.iov_len > PINS_BYTES_MAX)
                at.iov_len = PINS_BYTES_MAX;
        if (hugetlb->backend.can_pin)
                frame->pinned = pins_add(&hugetlb->pins, at, &frame->pin) == 0;
        return must_pin && !frame->pinned ? -EPERM : 0;
}

static int locate_frame(struct taking *taking, int node)
{
        struct backend_frame *frame = &taking->frame;
        int r;

        r = pagemap_read(taking->hugetlb->pagemap, (uint64_t)(uintptr_t)taking->map, &frame->phys);
        if (r)
                return r;
        r = numa_node_of(taking->map, &frame->node);
        if (r && r != -ENOSYS)
                return r;
        /* The pin may have moved the page off its node. */
        return node != NODE_ANY && frame->node != node ? -ENOMEM : 0;
}

static int hugetlb_take(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                        bool must_pin, struct backend_frame *ret)
{
        _cleanup_(taking_deinit) struct taking taking = {
                .hugetlb = hugetlb_of(backend),
                .frame = BACKEND_FRAME_NONE,
                .map = MAP_FAILED,
        };
        int r;

        (void)window; /* the kernel hands out what comes */
        if (must_pin && !backend->can_pin)
                return -EPERM;
        taking.frame.page_bytes = page_bytes;
        taking.frame.pin = PINS_NONE;

        r = make_file(&taking.frame);
        if (r)
                return r;
        r = fill_file(&taking, node);
        if (r)
                return r;
        r = hugetlb_pin(taking.hugetlb, &taking.frame, taking.map, must_pin);
        if (r)
                return r;
        r = locate_frame(&taking, node);
        if (r)
                return r;

        released_seen(&taking.hugetlb->released, taking.frame.phys);
        *ret = taking.frame;
        taking.frame = BACKEND_FRAME_NONE;
        munmap(taking.map, page_bytes);
        taking.map = MAP_FAILED;
        return 0;
}

static int hugetlb_open_file(struct backend *backend, const struct backend_frame *frame,
                             int *ret_fd)
{
        (void)backend;
        return letgo_reopen(frame->memfd, ret_fd);
}

/* Is there a page in the file at all? */
static int is_hole(int memfd, bool *ret)
{
        struct stat st;

        if (fstat(memfd, &st) < 0)
                return -errno;
        *ret = st.st_blocks == 0;
        return 0;
}

int hugetlb_verify(struct backend *backend, const struct backend_frame *frame, uint64_t *ret_phys)
{
        bool hole = false;
        int r;

        r = is_hole(frame->memfd, &hole);
        if (r)
                return r;
        if (hole) {
                *ret_phys = UINT64_MAX;
                return 0;
        }
        return pagemap_read_file(hugetlb_of(backend)->pagemap, frame->memfd, frame->page_bytes,
                                 ret_phys);
}

static int probe_files(const struct hugetlb *hugetlb, int memfd, bool owner_gone)
{
        int own, r;

        r = letgo_reopen(memfd, &own);
        if (r)
                return r;
        r = letgo_probe_files(own);
        close(own);
        if (!r || r == -EBUSY)
                return r;

        /* No leases here. Whoever still has the file is seen in kpageflags after the release;
         * without that too, nothing proves that nobody has it. */
        return hugetlb->kpageflags >= 0 || owner_gone ? 0 : -EBUSY;
}

static int probe_pages(struct backend_frame *frame, bool owner_gone)
{
        int r;

        r = letgo_seal(frame->memfd, &frame->sealed);
        if (r != -EPERM)
                return r;
        /* Its holder meddled with the seals, which only somebody who wants to hide does: he stays
         * charged as long as he is there. */
        return owner_gone ? 0 : -EBUSY;
}

static int busy(enum backend_holder holder, enum backend_holder *ret_holder)
{
        *ret_holder = holder;
        return -EBUSY;
}

/* Our own reference to the pages may outlast its end; nobody is to be blamed for that. */
static bool still_unpinning(struct hugetlb *hugetlb, struct backend_frame *frame)
{
        if (frame->pin != PINS_NONE && pins_ended(&hugetlb->pins, frame->pin))
                frame->pin = PINS_NONE;
        return frame->pin != PINS_NONE;
}

static bool has_failed(const struct hugetlb *hugetlb, struct backend_frame *frame)
{
        uint64_t phys;

        frame->poisoned = pagemap_read_file(hugetlb->pagemap, frame->memfd, frame->page_bytes,
                                            &phys) == -EHWPOISON;
        return frame->poisoned;
}

static int hugetlb_let_go(struct backend *backend, struct backend_frame *frame, bool owner_gone,
                          enum backend_holder *ret_holder)
{
        struct hugetlb *hugetlb = hugetlb_of(backend);
        uint64_t phys;
        bool hole;
        int r;

        if (frame->pinned) {
                pins_remove(&hugetlb->pins, frame->pin);
                frame->was_pinned = true;
        }
        frame->pinned = false;
        if (frame->released)
                return 0;

        r = probe_files(hugetlb, frame->memfd, owner_gone);
        if (r)
                return r == -EBUSY ? busy(HOLDER_FILE, ret_holder) : r;
        r = is_hole(frame->memfd, &hole);
        if (r)
                return r;
        if (hole && !owner_gone)
                return busy(HOLDER_HOLE, ret_holder);
        if (still_unpinning(hugetlb, frame))
                return busy(HOLDER_NONE, ret_holder);
        r = probe_pages(frame, owner_gone);
        /* The kernel itself refers to a page that failed, for good, and lends it to nobody. */
        if (r == -EBUSY && !hole && has_failed(hugetlb, frame))
                return 0;
        if (r)
                return r == -EBUSY ? busy(HOLDER_PAGES, ret_holder) : r;

        r = hole ? -ENOENT
                 : pagemap_read_file(hugetlb->pagemap, frame->memfd, frame->page_bytes, &phys);
        frame->poisoned = r == -EHWPOISON;
        if (r || phys == frame->phys)
                return 0;
        /* Another page: a pinned one does not move, so its holder punched it and touched it again,
         * and may have the old page yet. When he is gone, the new one is to become free. */
        if (frame->was_pinned && !owner_gone)
                return busy(HOLDER_HOLE, ret_holder);
        frame->phys = phys;
        return 0;
}

/* Does the page that was given back still belong to a file? Whoever has that one is not visible,
 * so as a rule it is an O_PATH descriptor; but see released.h. The note of the pin, which ended
 * long ago, names the watch. */
static int still_in_file(struct hugetlb *hugetlb, struct backend_frame *frame,
                         enum backend_holder *ret_holder)
{
        bool in_file;
        int r;

        r = kpageflags_in_file(hugetlb->kpageflags, frame->phys, &in_file);
        if (!r && in_file && !released_was_seen(&hugetlb->released, frame->pin))
                return busy(HOLDER_PATH, ret_holder);
        released_forget(&hugetlb->released, frame->pin);
        return 0;
}

static int hugetlb_release(struct backend *backend, struct backend_frame *frame,
                           enum backend_holder *ret_holder)
{
        struct hugetlb *hugetlb = hugetlb_of(backend);
        bool hole, watched;
        int r;

        if (frame->released)
                return still_in_file(hugetlb, frame, ret_holder);

        r = is_hole(frame->memfd, &hole);
        if (r)
                return r;
        watched = !hole && hugetlb->kpageflags >= 0 &&
                  released_watch(&hugetlb->released, frame->phys, &frame->pin) == 0;
        close(STEAL_FD(frame->memfd));
        frame->released = true;
        /* At once: somebody else who takes the page has to zero it first. */
        return watched ? still_in_file(hugetlb, frame, ret_holder) : 0;
}

/* The largest of the system's page sizes below this one; 0: there is none. */
static uint64_t next_smaller(uint64_t page_bytes)
{
        uint64_t sizes[HUGETLB_SIZES_MAX], below = 0;
        size_t n = hugetlb_page_sizes(sizes, HUGETLB_SIZES_MAX);

        for (size_t i = 0; i < n && i < HUGETLB_SIZES_MAX; i++)
                if (sizes[i] < page_bytes)
                        below = sizes[i];
        return below;
}

static int hugetlb_look(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                        void (*visit)(void *data, uint64_t phys), void *data)
{
        struct hugetlb *hugetlb = hugetlb_of(backend);
        const struct free_pages what = {
                .kpageflags = hugetlb->kpageflags,
                .page_bytes = page_bytes,
                .smaller_bytes = next_smaller(page_bytes),
                .node = node,
                .window = window,
        };
        struct zone *zones;
        size_t n_zones;
        int r;

        if (hugetlb->kpageflags < 0)
                return -EOPNOTSUPP;
        r = zones_read("", &zones, &n_zones);
        if (r)
                return r;
        r = free_pages_visit(&what, zones, n_zones, visit, data);
        free(zones);
        return r;
}

static int hugetlb_more(struct backend *backend, uint64_t page_bytes, int node, uint64_t count,
                        uint64_t *ret_added)
{
        return stock_more(&hugetlb_of(backend)->stock, page_bytes, node, count, ret_added);
}

static void hugetlb_less(struct backend *backend, uint64_t page_bytes, int node, uint64_t count)
{
        stock_less(&hugetlb_of(backend)->stock, page_bytes, node, count);
}

static uint64_t hugetlb_demotable(struct backend *backend, uint64_t small_bytes)
{
        return stock_demotable(&hugetlb_of(backend)->stock, small_bytes);
}

static int hugetlb_demote(struct backend *backend, uint64_t page_bytes, int node,
                          uint64_t small_bytes)
{
        return stock_demote(&hugetlb_of(backend)->stock, page_bytes, node, small_bytes);
}

static int hugetlb_node_range(struct backend *backend, int node, struct range *ret)
{
        struct zone *zones;
        size_t n_zones;
        int r;

        (void)backend;
        r = zones_read("", &zones, &n_zones);
        if (r)
                return r;
        r = zones_node_range(zones, n_zones, node, ret);
        free(zones);
        return r;
}

static void hugetlb_set_keep_free(struct backend *backend, uint64_t bytes)
{
        stock_set_keep_free(&hugetlb_of(backend)->stock, bytes);
}

static void hugetlb_deinit(struct backend *backend)
{
        struct hugetlb *hugetlb = hugetlb_of(backend);

        if (backend->can_pin)
                pins_deinit(&hugetlb->pins);
        if (hugetlb->pagemap >= 0)
                close(hugetlb->pagemap);
        if (hugetlb->kpageflags >= 0)
                close(hugetlb->kpageflags);
        stock_deinit(&hugetlb->stock);
        released_deinit(&hugetlb->released);
}

static const struct backend_ops hugetlb_ops = {
        .name = "hugetlb",
        .take = hugetlb_take,
        .open_file = hugetlb_open_file,
        .let_go = hugetlb_let_go,
        .release = hugetlb_release,
        .verify = hugetlb_verify,
        .deinit = hugetlb_deinit,
        .look = hugetlb_look,
        .more = hugetlb_more,
        .less = hugetlb_less,
        .demotable = hugetlb_demotable,
        .demote = hugetlb_demote,
        .node_range = hugetlb_node_range,
        .set_keep_free = hugetlb_set_keep_free,
        .save = hugetlb_save,
        .resume = hugetlb_resume,
        .adopt = hugetlb_adopt,
        .reclaim = hugetlb_reclaim,
        .reclaimed = hugetlb_reclaimed,
};

/* Return: -1 where it may not be read. */
static int open_kpageflags(void)
{
        static const char path[] = "/proc/kpageflags";
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd >= 0 || opener_ask(path, &fd) == 0 ? fd : -1;
}

/* The kernel zeroes each page on the processor of who takes it. */
static unsigned count_takers(void)
{
        cpu_set_t processors;
        unsigned n = 1;

        if (sched_getaffinity(0, sizeof(processors), &processors) == 0)
                n = (unsigned)CPU_COUNT(&processors);
        return n < BACKEND_TAKERS_MAX ? n : BACKEND_TAKERS_MAX;
}

int hugetlb_new(const struct hugetlb_settings *settings, struct backend **ret, char *error,
                size_t error_bytes)
{
        _cleanup_(backend_freep) struct backend *backend = NULL;
        struct hugetlb *hugetlb;
        int r;

        hugetlb = calloc(1, sizeof(*hugetlb));
        if (!hugetlb) {
                snprintf(error, error_bytes, "%s", strerror(ENOMEM));
                return -ENOMEM;
        }
        hugetlb->pagemap = hugetlb->kpageflags = -1;
        backend = &hugetlb->backend;
        backend->ops = &hugetlb_ops;
        released_init(&hugetlb->released);

        r = pagemap_open(&hugetlb->pagemap, error, error_bytes);
        if (r)
                return r;
        hugetlb->kpageflags = open_kpageflags();
        backend->takers = count_takers();
        backend->can_pin = pins_init(&hugetlb->pins, settings->pins) == 0;
        r = stock_init(&hugetlb->stock, settings, error, error_bytes);
        if (r)
                return r;

        *ret = STEAL(backend);
        return 0;
}

static int by_size(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

size_t hugetlb_page_sizes(uint64_t *ret, size_t room)
{
        long sizes[32];
        size_t n_written = 0;
        int n;

        n = gethugepagesizes(sizes, ARRAY_SIZE(sizes));
        if (n <= 0)
                return 0;
        qsort(sizes, (size_t)n, sizeof(*sizes), by_size);
        for (size_t i = 0; i < (size_t)n && i < room; i++)
                ret[n_written++] = (uint64_t)sizes[i];
        return (size_t)n;
}
