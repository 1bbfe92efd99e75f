/* SPDX-License-Identifier: MIT */
/*
 * Owns the directories, a descriptor of pagemap, and the pages that are no frames: those that came
 * back, and those that somebody of an earlier daemon's clients still refers to. Frames belong to
 * the caller. What the file system gives is not believed: an address is read from pagemap, and a
 * page is nobody's only when the kernel has emptied it. Refuses to lend a descriptor that can do
 * anything but be mapped.
 */
#include "carveout.h"

#include "block_range.h"
#include "deadline.h"
#include "letgo.h"
#include "macros.h"
#include "numa.h"
#include "page_file.h"
#include "page_list.h"
#include "pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/**
 * struct area - one file system
 * @directory: owned
 * @range:     where its memory lies, with what the file system itself uses; everything where the
 *             system does not tell
 */
struct area {
        int directory;
        struct range range;
};

/**
 * struct carveout - the backend
 * @areas:   @n_areas entries, owned
 * @any_memory: as in struct carveout_settings
 * @clean:   pages that were frames, and that nobody refers to any more
 * @busy:    pages that the file system gave, and that somebody does refer to
 */
struct carveout {
        struct backend backend;
        struct area *areas;
        size_t n_areas;
        bool any_memory;
        int pagemap;
        struct page_list clean, busy;
};

/* A page on its way to become a frame. */
struct taking {
        struct carveout *carveout;
        struct backend_frame frame;
        bool dax;
        void *map;
};

static void taking_deinit(struct taking *taking)
{
        if (taking->map != MAP_FAILED)
                munmap(taking->map, taking->frame.page_bytes);
        if (taking->frame.memfd >= 0)
                close(taking->frame.memfd);
}

static struct carveout *carveout_of(struct backend *backend)
{
        return CONTAINER_OF(backend, struct carveout, backend);
}

uint64_t carveout_page_bytes(void)
{
        return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- taking --------------------------------------------------------------------------------- */

static int fault_in(struct taking *taking)
{
        if (taking->map == MAP_FAILED)
                taking->map = mmap(NULL, taking->frame.page_bytes, PROT_READ | PROT_WRITE,
                                   MAP_SHARED, taking->frame.memfd, 0);
        if (taking->map == MAP_FAILED)
                return -errno;
        return madvise(taking->map, taking->frame.page_bytes, MADV_POPULATE_WRITE) < 0 ? -errno : 0;
}

/* A client of a daemon that was killed may have kept the page in a pipe. */
static int empty_page(struct taking *taking)
{
        int r;

        if (!taking->dax)
                return 0;
        r = page_file_clear(taking->frame.memfd, taking->frame.page_bytes);
        return r ? r : fault_in(taking);
}

static int locate_page(struct taking *taking)
{
        struct backend_frame *frame = &taking->frame;
        int r;

        r = pagemap_read(taking->carveout->pagemap, (uint64_t)(uintptr_t)taking->map, &frame->phys);
        if (r)
                return r;
        /* Memory of a device, which that is for the kernel, has a node as a rule. */
        if (numa_node_of(taking->map, &frame->node))
                frame->node = NODE_ANY;
        return 0;
}

/* Make a frame of the file in @taking. -EBUSY: somebody else refers to its page. */
static int make_frame(struct taking *taking)
{
        int r;

        r = page_file_is_dax(taking->frame.memfd, &taking->dax);
        if (!r && !taking->dax && !taking->carveout->any_memory)
                r = -EMEDIUMTYPE;
        if (!r)
                r = fault_in(taking);
        if (!r)
                r = empty_page(taking);
        if (!r)
                r = page_file_freeze(taking->frame.memfd, true);
        if (!r)
                r = locate_page(taking);
        /* The kernel moves no page of persistent memory; others it may. */
        taking->frame.pinned = taking->dax;
        return r;
}

/**
 * take_file() - make a frame of a file
 * @fd: consumed
 *
 * Return: as take() of struct backend_ops; -EBUSY where the page was put to those that others refer
 * to.
 */
static int take_file(struct carveout *carveout, int fd, struct backend_frame *ret)
{
        _cleanup_(taking_deinit) struct taking taking = {
                .carveout = carveout,
                .frame = BACKEND_FRAME_NONE,
                .map = MAP_FAILED,
        };
        int r;

        taking.frame.memfd = fd;
        taking.frame.page_bytes = carveout_page_bytes();
        r = make_frame(&taking);
        if (r == -EBUSY)
                page_list_add(&carveout->busy, (struct page){ STEAL_FD(taking.frame.memfd), 0 });
        if (r)
                return r;
        *ret = taking.frame;
        taking.frame.memfd = -1;
        return 0;
}

static int take_from(struct carveout *carveout, const struct area *area, struct backend_frame *ret)
{
        int fd, r;

        /* Each that is busy stays out of the file system: the next one is another. */
        do {
                r = page_file_make(area->directory, carveout_page_bytes(), &fd);
                if (!r)
                        r = take_file(carveout, fd, ret);
        } while (r == -EBUSY);
        return r;
}

/* What was given back last comes first: so a page that is taken again in the same step is the same.
 */
static int take_clean(struct carveout *carveout, struct range window, struct backend_frame *ret)
{
        int own, fd, r;

        own = page_list_take_latest(&carveout->clean, window);
        if (own < 0)
                return -ENOMEM;
        r = letgo_reopen(own, &fd);
        close(own);
        return r ? r : take_file(carveout, fd, ret);
}

static int carveout_take(struct backend *backend, uint64_t page_bytes, int node,
                         struct range window, bool must_pin, struct backend_frame *ret)
{
        struct carveout *carveout = carveout_of(backend);
        int fd, r;

        (void)node; /* the caller looks */
        if (page_bytes != carveout_page_bytes())
                return -ENOMEM;
        if (must_pin && !backend->can_pin)
                return -EPERM;
        r = take_clean(carveout, window, ret);
        for (size_t i = 0; r == -ENOMEM && i < carveout->n_areas; i++)
                if (range_overlaps(carveout->areas[i].range, window))
                        r = take_from(carveout, &carveout->areas[i], ret);
        if (r != -ENOMEM)
                return r;

        fd = page_list_take_first(&carveout->busy);
        return fd >= 0 && take_file(carveout, fd, ret) == 0 ? 0 : -ENOMEM;
}

/* ---- lending, and giving back --------------------------------------------------------------- */

/*
 * All who have the frame share one open file, of which let_go() has no part any more: one that is
 * frozen cannot be opened again. What they share with it is an offset, and nobody reads.
 */
static int carveout_open_file(struct backend *backend, const struct backend_frame *frame,
                              int *ret_fd)
{
        int fd;

        (void)backend;
        fd = fcntl(frame->memfd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

static int busy(enum backend_holder holder, enum backend_holder *ret_holder)
{
        *ret_holder = holder;
        return -EBUSY;
}

static int carveout_let_go(struct backend *backend, struct backend_frame *frame, bool owner_gone,
                           enum backend_holder *ret_holder)
{
        bool dax;
        int r;

        (void)backend;
        frame->was_pinned |= frame->pinned;
        frame->pinned = false;
        if (frame->released)
                return 0;
        r = page_file_is_dax(frame->memfd, &dax);
        if (!r)
                r = page_file_withdraw(&frame->memfd, &frame->sealed);
        if (r)
                return r;

        r = letgo_probe_files(frame->memfd);
        if (r == -EBUSY || (r && !owner_gone))
                return busy(HOLDER_FILE, ret_holder); /* no lease, no proof */
        if (!dax)
                return 0;
        r = page_file_clear(frame->memfd, frame->page_bytes);
        return r == -EBUSY ? busy(HOLDER_PAGES, ret_holder) : r;
}

static int carveout_release(struct backend *backend, struct backend_frame *frame,
                            enum backend_holder *ret_holder)
{
        struct page page = { frame->memfd, frame->phys };

        (void)ret_holder; /* who has an O_PATH descriptor cannot open the file: it is not his */
        if (frame->released)
                return 0;
        frame->memfd = -1;
        frame->released = true;
        if (frame->was_pinned) /* DAX, and let_go() has emptied it */
                page_list_add(&carveout_of(backend)->clean, page);
        else
                close(page.fd);
        return 0;
}

static int carveout_verify(struct backend *backend, const struct backend_frame *frame,
                           uint64_t *ret_phys)
{
        return pagemap_read_file(carveout_of(backend)->pagemap, frame->memfd, frame->page_bytes,
                                 ret_phys);
}

/* ---- the stock: the file system, which is as large as it is --------------------------------- */

static int carveout_look(struct backend *backend, uint64_t page_bytes, int node,
                         struct range window, void (*visit)(void *data, uint64_t phys), void *data)
{
        (void)backend, (void)page_bytes, (void)node, (void)window, (void)visit, (void)data;
        return -EOPNOTSUPP;
}

static int carveout_more(struct backend *backend, uint64_t page_bytes, int node, uint64_t count,
                         uint64_t *ret_added)
{
        (void)backend, (void)page_bytes, (void)node, (void)count, (void)ret_added;
        return -EOPNOTSUPP;
}

static void carveout_less(struct backend *backend, uint64_t page_bytes, int node, uint64_t count)
{
        (void)backend, (void)page_bytes, (void)node, (void)count;
}

static uint64_t carveout_demotable(struct backend *backend, uint64_t small_bytes)
{
        (void)backend, (void)small_bytes;
        return 0;
}

static int carveout_demote(struct backend *backend, uint64_t page_bytes, int node,
                           uint64_t small_bytes)
{
        (void)backend, (void)page_bytes, (void)node, (void)small_bytes;
        return -EOPNOTSUPP;
}

static int carveout_node_range(struct backend *backend, int node, struct range *ret)
{
        (void)backend, (void)node, (void)ret;
        return -EOPNOTSUPP;
}

static void carveout_set_keep_free(struct backend *backend, uint64_t bytes)
{
        (void)backend, (void)bytes;
}

static void carveout_deinit(struct backend *backend)
{
        struct carveout *carveout = carveout_of(backend);

        page_list_deinit(&carveout->busy);
        page_list_deinit(&carveout->clean);
        for (size_t i = 0; i < carveout->n_areas; i++)
                close(carveout->areas[i].directory);
        free(carveout->areas);
        if (carveout->pagemap >= 0)
                close(carveout->pagemap);
}

static const struct backend_ops carveout_ops = {
        .name = "carveout",
        .take = carveout_take,
        .open_file = carveout_open_file,
        .let_go = carveout_let_go,
        .release = carveout_release,
        .verify = carveout_verify,
        .deinit = carveout_deinit,
        .look = carveout_look,
        .more = carveout_more,
        .less = carveout_less,
        .demotable = carveout_demotable,
        .demote = carveout_demote,
        .node_range = carveout_node_range,
        .set_keep_free = carveout_set_keep_free,
};

/* ---- opening -------------------------------------------------------------------------------- */

/* A frame, and back again: what is missing is better found now. Not every file system keeps one
 * who has a descriptor from cutting a frozen file. */
static int try_area(struct carveout *carveout, const struct area *area)
{
        struct backend_frame frame;
        int r;

        r = take_from(carveout, area, &frame);
        if (r)
                return r;
        if (ftruncate(frame.memfd, 0) == 0 && !carveout->any_memory)
                r = -EOPNOTSUPP;
        close(frame.memfd);
        return r;
}

static const char *reason(int r)
{
        switch (-r) {
        case EMEDIUMTYPE:
                return "its file system is not mounted with -o dax, or lies on no persistent "
                       "memory (memmap=nn!ss)";
        case EPERM: return "pages cannot be frozen there: that takes CAP_LINUX_IMMUTABLE";
        case ENOMEM: return "no page is free in it";
        case EOPNOTSUPP:
        case ENOTTY:
                return "its file system lacks what is needed: ext4 on persistent memory has it";
        default: return strerror(-r);
        }
}

static int open_area(struct carveout *carveout, const struct carveout_settings *settings,
                     const char *path)
{
        struct area *area = &carveout->areas[carveout->n_areas];
        struct stat about;

        area->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (area->directory < 0)
                return -errno;
        carveout->n_areas++;
        if (fstat(area->directory, &about) < 0)
                return -errno;
        area->range = block_range(settings->sysfs_root, about.st_dev);
        return try_area(carveout, area);
}

static int open_areas(struct carveout *carveout, const struct carveout_settings *settings,
                      char *error, size_t error_bytes)
{
        int r;

        carveout->areas = calloc(settings->n_paths, sizeof(*carveout->areas));
        if (!carveout->areas) {
                snprintf(error, error_bytes, "%s", strerror(ENOMEM));
                return -ENOMEM;
        }
        for (size_t i = 0; i < settings->n_paths; i++) {
                r = open_area(carveout, settings, settings->paths[i]);
                if (r) {
                        snprintf(error, error_bytes, "%s: %s", settings->paths[i], reason(r));
                        return r;
                }
        }
        return 0;
}

int carveout_new(const struct carveout_settings *settings, struct backend **ret, char *error,
                 size_t error_bytes)
{
        _cleanup_(backend_freep) struct backend *backend = NULL;
        struct carveout *carveout;
        int r;

        carveout = calloc(1, sizeof(*carveout));
        if (!carveout) {
                snprintf(error, error_bytes, "%s", strerror(ENOMEM));
                return -ENOMEM;
        }
        carveout->pagemap = -1;
        carveout->any_memory = settings->any_memory;
        page_list_init(&carveout->clean);
        page_list_init(&carveout->busy);
        backend = &carveout->backend;
        backend->ops = &carveout_ops;
        backend->can_pin = !settings->any_memory;

        r = pagemap_open(&carveout->pagemap, error, error_bytes);
        if (r)
                return r;
        r = deadline_prepare();
        if (r) {
                snprintf(error, error_bytes, "%s", strerror(-r));
                return r;
        }
        r = open_areas(carveout, settings, error, error_bytes);
        if (r)
                return r;
        *ret = STEAL(backend);
        return 0;
}
