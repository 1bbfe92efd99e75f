/* SPDX-License-Identifier: MIT */
/*
 * Owns the directories, a descriptor of pagemap, and the pages that are no frames: those that came
 * back, and those that somebody of an earlier daemon's clients still refers to. Frames belong to
 * the caller. What the file system gives is not believed: an address is read from pagemap, and a
 * page is nobody's only when the kernel has emptied it. Refuses to lend a descriptor that can do
 * anything but be mapped.
 */
#include "carveout.h"

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
 * struct carveout - the backend
 * @directories: @n_directories of them, each of another file system, owned
 * @any_memory, @pages_max: as in struct carveout_settings
 * @clean:   pages that are free, emptied
 * @busy:    pages that the file system gave, and that somebody refers to
 */
struct carveout {
        struct backend backend;
        int *directories;
        size_t n_directories, pages_max;
        bool any_memory;
        int pagemap;
        struct page_list clean, busy;
};

/* A page that is looked at. */
struct looking {
        int pagemap;
        struct page page;
        void *map;
};

static void looking_deinit(struct looking *looking)
{
        if (looking->map != MAP_FAILED)
                munmap(looking->map, carveout_page_bytes());
        if (looking->page.fd >= 0)
                close(looking->page.fd);
}

#define LOOKING_AT(carveout, file) \
        ((struct looking){         \
                .pagemap = (carveout)->pagemap, .page = { .fd = (file) }, .map = MAP_FAILED })

static struct carveout *carveout_of(struct backend *backend)
{
        return CONTAINER_OF(backend, struct carveout, backend);
}

uint64_t carveout_page_bytes(void)
{
        return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- the stock ------------------------------------------------------------------------------ */

/* Have the page there, and read where that is. */
static int locate(struct looking *looking)
{
        const uint64_t bytes = carveout_page_bytes();
        int r;

        looking->map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, looking->page.fd, 0);
        if (looking->map == MAP_FAILED)
                return -errno;
        if (madvise(looking->map, bytes, MADV_POPULATE_WRITE) < 0)
                return -errno;
        r = pagemap_read(looking->pagemap, (uint64_t)(uintptr_t)looking->map, &looking->page.phys);
        if (r)
                return r;
        if (numa_node_of(looking->map, &looking->page.node))
                looking->page.node = NODE_ANY;
        return 0;
}

/**
 * put_in_stock() - look at a page that nobody had from this daemon
 * @fd: its file, read and write; consumed
 *
 * A client of a daemon that was killed may have it in a pipe.
 *
 * Return: 0; -EBUSY where somebody refers to it, and it is put to those; -EMEDIUMTYPE where it is
 * not DAX; other negative errno.
 */
static int put_in_stock(struct carveout *carveout, int fd)
{
        _cleanup_(looking_deinit) struct looking looking = LOOKING_AT(carveout, fd);
        struct page_list *list = &carveout->clean;
        bool dax;
        int r;

        r = page_file_is_dax(fd, &dax);
        if (!r && !dax && !carveout->any_memory)
                r = -EMEDIUMTYPE;
        if (!r)
                r = locate(&looking);
        if (!r && dax)
                r = page_file_clear(fd, carveout_page_bytes());
        if (r && r != -EBUSY)
                return r;
        if (r)
                list = &carveout->busy;
        page_list_add(list, looking.page);
        looking.page.fd = -1;
        return r;
}

/* What a file system has, but @most pages. 0; negative errno. */
static int empty_directory(struct carveout *carveout, int directory, size_t most)
{
        int fd, r = 0;

        for (; most > 0 && (!r || r == -EBUSY); most--) {
                r = page_file_make(directory, carveout_page_bytes(), &fd);
                if (!r)
                        r = put_in_stock(carveout, fd);
        }
        return r == -ENOMEM || r == -EBUSY ? 0 : r;
}

/* What came free elsewhere: of clients that outlived a daemon, and one of those that were busy. */
static void gather(struct carveout *carveout)
{
        struct page page;
        size_t have;

        for (size_t i = 0; i < carveout->n_directories; i++) {
                have = page_list_count(&carveout->clean) + page_list_count(&carveout->busy);
                if (have < carveout->pages_max)
                        (void)empty_directory(carveout, carveout->directories[i],
                                              carveout->pages_max - have);
        }
        if (page_list_take_first(&carveout->busy, &page))
                (void)put_in_stock(carveout, page.fd);
}

static int carveout_look(struct backend *backend, uint64_t page_bytes, int node,
                         struct range window, void (*visit)(void *data, uint64_t phys), void *data)
{
        struct carveout *carveout = carveout_of(backend);
        uint64_t *pages;
        size_t n;
        int r;

        if (page_bytes != carveout_page_bytes())
                return 0;
        gather(carveout);
        r = page_list_look(&carveout->clean, window, node, &pages, &n);
        if (r)
                return r;
        for (size_t i = 0; i < n; i++)
                visit(data, pages[i]);
        free(pages);
        return 0;
}

/* ---- taking --------------------------------------------------------------------------------- */

/* The page is consumed. */
static int make_frame(struct carveout *carveout, struct page *page, struct backend_frame *ret)
{
        _cleanup_(looking_deinit) struct looking looking = LOOKING_AT(carveout, -1);
        bool dax = false;
        int r;

        r = letgo_reopen(page->fd, &looking.page.fd);
        close(STEAL_FD(page->fd));
        if (!r)
                r = page_file_is_dax(looking.page.fd, &dax);
        if (!r)
                r = locate(&looking);
        if (!r)
                r = page_file_freeze(looking.page.fd, true);
        if (r)
                return r;
        *ret = BACKEND_FRAME_NONE;
        ret->page_bytes = carveout_page_bytes();
        ret->phys = looking.page.phys;
        ret->node = looking.page.node;
        ret->pinned = dax; /* the kernel moves no page of persistent memory; others it may */
        ret->memfd = STEAL_FD(looking.page.fd);
        return 0;
}

static int carveout_take(struct backend *backend, uint64_t page_bytes, int node,
                         struct range window, bool must_pin, struct backend_frame *ret)
{
        struct carveout *carveout = carveout_of(backend);
        struct page page;

        if (page_bytes != carveout_page_bytes())
                return -ENOMEM;
        if (must_pin && !backend->can_pin)
                return -EPERM;
        /* What was given back last comes first: what is taken again in the same step is the same.
         */
        if (!page_list_take_latest(&carveout->clean, window, node, &page)) {
                gather(carveout);
                if (!page_list_take_latest(&carveout->clean, window, node, &page))
                        return -ENOMEM;
        }
        return make_frame(carveout, &page, ret);
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
        struct page page = { frame->memfd, frame->node, frame->phys };

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

/* ---- what there is, and no more ------------------------------------------------------------- */

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

/* The pages that nobody has went with their files, and are gathered again. */
static int carveout_save(struct backend *backend, void **ret_bytes, size_t *ret_n)
{
        (void)backend;
        *ret_bytes = NULL;
        *ret_n = 0;
        return 0;
}

static int carveout_resume(struct backend *backend, const void *bytes, size_t n)
{
        (void)backend, (void)bytes;
        return n ? -EPROTO : 0;
}

static int carveout_adopt(struct backend *backend, struct backend_frame *frame)
{
        (void)backend, (void)frame;
        return 0;
}

/* The file system moves nothing, with or without a pard. */
static int carveout_reclaim(struct backend *backend, struct backend_frame *frame)
{
        return carveout_verify(backend, frame, &frame->phys);
}

static void carveout_reclaimed(struct backend *backend)
{
        (void)backend;
}

static void carveout_deinit(struct backend *backend)
{
        struct carveout *carveout = carveout_of(backend);

        page_list_deinit(&carveout->busy);
        page_list_deinit(&carveout->clean);
        for (size_t i = 0; i < carveout->n_directories; i++)
                close(carveout->directories[i]);
        free(carveout->directories);
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
        .save = carveout_save,
        .resume = carveout_resume,
        .adopt = carveout_adopt,
        .reclaim = carveout_reclaim,
        .reclaimed = carveout_reclaimed,
};

/* ---- opening -------------------------------------------------------------------------------- */

/* Not every file system keeps one who has a descriptor from cutting a frozen file. Where nothing
 * is free now, all that there is was had by clients of an earlier daemon, and will come. */
static int try_frame(struct carveout *carveout)
{
        struct backend_frame frame;
        struct page page;
        int r;

        if (!page_list_take_latest(&carveout->clean, RANGE_ALL, NODE_ANY, &page))
                return 0;
        r = make_frame(carveout, &page, &frame);
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
        case EACCES: return "it must belong to the user that pard runs as";
        case EPERM: return "pages cannot be frozen there: that takes CAP_LINUX_IMMUTABLE";
        case EOPNOTSUPP:
        case ENOTTY:
                return "its file system lacks what is needed: ext4 on persistent memory has it";
        default: return strerror(-r);
        }
}

/* Files are made there as long as pard runs, and it may have rights now that it is about to give
 * up. */
static int check_owner(int directory)
{
        struct stat status;

        if (fstat(directory, &status) < 0)
                return -errno;
        return geteuid() == 0 || status.st_uid == geteuid() ? 0 : -EACCES;
}

static int open_directory(struct carveout *carveout, const char *path)
{
        int directory, r;

        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return -errno;
        carveout->directories[carveout->n_directories++] = directory;
        r = check_owner(directory);
        if (r)
                return r;
        r = empty_directory(carveout, directory, carveout->pages_max);
        if (!r)
                r = try_frame(carveout);
        if (!r)
                r = empty_directory(carveout, directory, 1); /* which was cut */
        page_list_sort(&carveout->clean);
        return r;
}

static int open_all(struct carveout *carveout, const struct carveout_settings *settings,
                    char *error, size_t error_bytes)
{
        int r;

        carveout->directories = calloc(settings->n_paths, sizeof(*carveout->directories));
        if (!carveout->directories) {
                snprintf(error, error_bytes, "%s", strerror(ENOMEM));
                return -ENOMEM;
        }
        for (size_t i = 0; i < settings->n_paths; i++) {
                r = open_directory(carveout, settings->paths[i]);
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
        carveout->pages_max = settings->pages_max;
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
        r = open_all(carveout, settings, error, error_bytes);
        if (r)
                return r;
        *ret = STEAL(backend);
        return 0;
}
