/* SPDX-License-Identifier: MIT */
/*
 * Owns the invented memory's books; frames belong to the caller. Files are sparse: memory is used
 * when a client touches it. So a punched hole cannot be told from memory that nobody wrote to yet,
 * and nobody looks for one here; a frame never moves; and there is no page whose flags would show
 * an O_PATH descriptor.
 */
#include "sim.h"

#include "letgo.h"
#include "macros.h"
#include "sim_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/**
 * struct sim - the backend
 * @settings: borrowed
 * @calls:    fallible system calls made so far
 * @lock:     over the rest
 * @released: frames given back so far
 * @keep_free_bytes: what more() leaves of the memory that may become stock
 */
struct sim {
        struct backend backend;
        const struct sim_settings *settings;
        atomic_uint_fast64_t calls;
        pthread_mutex_t lock;
        struct sim_memory memory;
        uint64_t released;
        uint64_t keep_free_bytes;
};

static struct sim *sim_of(struct backend *backend)
{
        return CONTAINER_OF(backend, struct sim, backend);
}

/* Before each system call: is this the one that fails? */
static int may_call(struct sim *sim)
{
        uint64_t call = atomic_fetch_add(&sim->calls, 1) + 1;

        return call == sim->settings->fail_call ? -sim->settings->fail_errno : 0;
}

static int make_file(struct sim *sim, struct backend_frame *frame)
{
        int r;

        r = may_call(sim);
        if (r)
                return r;
        frame->memfd = memfd_create("pard-sim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (frame->memfd < 0)
                return -errno;

        r = may_call(sim);
        if (!r && fchmod(frame->memfd, 0600) < 0)
                r = -errno;
        if (!r)
                r = may_call(sim);
        if (!r && ftruncate(frame->memfd, (off_t)frame->page_bytes) < 0)
                r = -errno;
        if (!r)
                r = may_call(sim);
        if (!r && fcntl(frame->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
                r = -errno;
        if (r)
                close(STEAL_FD(frame->memfd));
        return r;
}

static void return_page(struct sim *sim, uint64_t phys)
{
        pthread_mutex_lock(&sim->lock);
        sim_memory_return(&sim->memory, phys);
        pthread_mutex_unlock(&sim->lock);
}

static void be_slow(const struct sim *sim)
{
        uint64_t ns = sim->settings->delay_ns;
        struct timespec rest = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

        while (nanosleep(&rest, &rest) < 0 && errno == EINTR) {
        }
}

static int sim_take(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                    bool must_pin, struct backend_frame *ret)
{
        struct sim *sim = sim_of(backend);
        struct backend_frame frame = BACKEND_FRAME_NONE;
        struct sim_wish wish = { page_bytes, node, sim->settings->blind ? RANGE_ALL : window };
        int r;

        if (must_pin && !backend->can_pin)
                return -EPERM;

        if (sim->settings->delay_ns)
                be_slow(sim);
        pthread_mutex_lock(&sim->lock);
        r = sim_memory_take(&sim->memory, &wish, &frame.phys, &frame.node);
        pthread_mutex_unlock(&sim->lock);
        if (r)
                return r;

        frame.page_bytes = page_bytes;
        frame.pinned = backend->can_pin;
        r = make_file(sim, &frame);
        if (r) {
                return_page(sim, frame.phys);
                return r;
        }
        *ret = frame;
        return 0;
}

static int sim_open_file(struct backend *backend, const struct backend_frame *frame, int *ret_fd)
{
        int r;

        r = may_call(sim_of(backend));
        return r ? r : letgo_reopen(frame->memfd, ret_fd);
}

static int probe_files(struct sim *sim, int memfd, bool owner_gone)
{
        int own, r;

        r = may_call(sim);
        if (!r)
                r = letgo_reopen(memfd, &own);
        if (r)
                return r;
        r = may_call(sim);
        if (!r)
                r = letgo_probe_files(own);
        close(own);
        if (!r || r == -EBUSY)
                return r;

        /* No leases here, and nothing else would show a file. */
        return owner_gone ? 0 : -EBUSY;
}

static int probe_pages(struct sim *sim, struct backend_frame *frame, bool owner_gone)
{
        int r;

        r = may_call(sim);
        if (!r)
                r = letgo_seal(frame->memfd, &frame->sealed);
        if (r != -EPERM)
                return r;
        return owner_gone ? 0 : -EBUSY; /* its holder meddled with the seals */
}

static int sim_let_go(struct backend *backend, struct backend_frame *frame, bool owner_gone,
                      enum backend_holder *ret_holder)
{
        struct sim *sim = sim_of(backend);
        int r;

        frame->pinned = false;
        if (frame->released)
                return 0;
        r = probe_files(sim, frame->memfd, owner_gone);
        if (r == -EBUSY)
                *ret_holder = HOLDER_FILE;
        if (r)
                return r;
        r = probe_pages(sim, frame, owner_gone);
        if (r == -EBUSY)
                *ret_holder = HOLDER_PAGES;
        return r;
}

static int sim_release(struct backend *backend, struct backend_frame *frame,
                       enum backend_holder *ret_holder)
{
        struct sim *sim = sim_of(backend);
        uint64_t every = sim->settings->snatch_every;

        (void)ret_holder;
        if (frame->released)
                return 0;
        close(STEAL_FD(frame->memfd));
        frame->released = true;

        pthread_mutex_lock(&sim->lock);
        sim->released++;
        if (!every || sim->released % every)
                sim_memory_return(&sim->memory, frame->phys);
        pthread_mutex_unlock(&sim->lock);
        return 0;
}

static int sim_verify(struct backend *backend, const struct backend_frame *frame,
                      uint64_t *ret_phys)
{
        (void)backend;
        *ret_phys = frame->phys;
        return 0;
}

static int sim_look(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                    void (*visit)(void *data, uint64_t phys), void *data)
{
        const struct sim_wish wish = { page_bytes, node, window };
        struct sim *sim = sim_of(backend);
        uint64_t *pages;
        size_t n;
        int r;

        r = may_call(sim);
        if (r)
                return r;
        pthread_mutex_lock(&sim->lock);
        r = sim_memory_look(&sim->memory, &wish, &pages, &n);
        pthread_mutex_unlock(&sim->lock);
        if (r)
                return r;
        for (size_t i = 0; i < n; i++)
                visit(data, pages[i]);
        free(pages);
        return 0;
}

/* Does keep_free leave room for another page? Memory of no certain size is never short. */
static bool may_reserve(const struct sim *sim, uint64_t page_bytes)
{
        uint64_t left = sim_memory_left(&sim->memory);

        return left == UINT64_MAX || left < page_bytes || left - page_bytes >= sim->keep_free_bytes;
}

static int sim_more(struct backend *backend, uint64_t page_bytes, int node, uint64_t count,
                    uint64_t *ret_added)
{
        const struct sim_wish wish = { page_bytes, node, RANGE_ALL };
        struct sim *sim = sim_of(backend);
        uint64_t added = 0;
        int r;

        r = may_call(sim);
        if (r)
                return r;
        pthread_mutex_lock(&sim->lock);
        while (!r && added < count) {
                r = may_reserve(sim, page_bytes) ? sim_memory_more(&sim->memory, &wish) : -EDQUOT;
                added += r == 0;
        }
        pthread_mutex_unlock(&sim->lock);
        *ret_added = added;
        return r == -EDQUOT ? r : 0;
}

static void sim_less(struct backend *backend, uint64_t page_bytes, int node, uint64_t count)
{
        const struct sim_wish wish = { page_bytes, node, RANGE_ALL };
        struct sim *sim = sim_of(backend);

        pthread_mutex_lock(&sim->lock);
        while (count > 0 && sim_memory_less(&sim->memory, &wish))
                count--;
        pthread_mutex_unlock(&sim->lock);
}

static uint64_t sim_demotable(struct backend *backend, uint64_t small_bytes)
{
        const struct sim_settings *settings = sim_of(backend)->settings;
        uint64_t largest = 0;

        for (size_t i = 0; i < settings->n_extents; i++)
                if (settings->extents[i].page_bytes > largest)
                        largest = settings->extents[i].page_bytes;
        return largest > small_bytes ? largest : 0;
}

static int sim_demote(struct backend *backend, uint64_t page_bytes, int node, uint64_t small_bytes)
{
        const struct sim_wish wish = { page_bytes, node, RANGE_ALL };
        struct sim *sim = sim_of(backend);
        int r;

        if (!small_bytes || small_bytes >= page_bytes)
                return -EOPNOTSUPP;
        r = may_call(sim);
        if (r)
                return r;
        pthread_mutex_lock(&sim->lock);
        r = sim_memory_demote(&sim->memory, &wish, small_bytes);
        pthread_mutex_unlock(&sim->lock);
        return r;
}

static int sim_node_range(struct backend *backend, int node, struct range *ret)
{
        struct sim *sim = sim_of(backend);
        struct range all = { UINT64_MAX, 0 };
        int r;

        r = may_call(sim);
        if (r)
                return r;
        for (size_t i = 0; i < sim->settings->n_extents; i++) {
                const struct sim_extent *extent = &sim->settings->extents[i];

                if (extent->node != node)
                        continue;
                if (extent->range.first < all.first)
                        all.first = extent->range.first;
                if (extent->range.last > all.last)
                        all.last = extent->range.last;
        }
        if (all.first > all.last)
                return -ENOENT;
        *ret = all;
        return 0;
}

static void sim_set_keep_free(struct backend *backend, uint64_t bytes)
{
        struct sim *sim = sim_of(backend);

        pthread_mutex_lock(&sim->lock);
        sim->keep_free_bytes = bytes;
        pthread_mutex_unlock(&sim->lock);
}

static void sim_deinit(struct backend *backend)
{
        struct sim *sim = sim_of(backend);

        sim_memory_deinit(&sim->memory);
        pthread_mutex_destroy(&sim->lock);
}

/* The frames say what is taken; all else is free again. */
static int sim_save(struct backend *backend, void **ret_bytes, size_t *ret_n)
{
        (void)backend;
        *ret_bytes = NULL;
        *ret_n = 0;
        return 0;
}

static int sim_resume(struct backend *backend, const void *bytes, size_t n)
{
        (void)backend, (void)bytes;
        return n ? -EPROTO : 0;
}

static int sim_adopt(struct backend *backend, struct backend_frame *frame)
{
        struct sim *sim = sim_of(backend);
        int r;

        if (frame->released)
                return 0;
        pthread_mutex_lock(&sim->lock);
        r = sim_memory_adopt(&sim->memory, frame->phys, frame->page_bytes, frame->node);
        pthread_mutex_unlock(&sim->lock);
        return r;
}

static int sim_reclaim(struct backend *backend, struct backend_frame *frame)
{
        return sim_adopt(backend, frame);
}

static void sim_reclaimed(struct backend *backend)
{
        (void)backend;
}

static const struct backend_ops sim_ops = {
        .name = "sim",
        .take = sim_take,
        .open_file = sim_open_file,
        .let_go = sim_let_go,
        .release = sim_release,
        .verify = sim_verify,
        .deinit = sim_deinit,
        .look = sim_look,
        .more = sim_more,
        .less = sim_less,
        .demotable = sim_demotable,
        .demote = sim_demote,
        .node_range = sim_node_range,
        .set_keep_free = sim_set_keep_free,
        .save = sim_save,
        .resume = sim_resume,
        .adopt = sim_adopt,
        .reclaim = sim_reclaim,
        .reclaimed = sim_reclaimed,
};

int sim_new(const struct sim_settings *settings, struct backend **ret)
{
        struct sim *sim;

        sim = calloc(1, sizeof(*sim));
        if (!sim)
                return -ENOMEM;
        sim->backend.ops = &sim_ops;
        sim->backend.can_pin = !settings->unpinned;
        sim->settings = settings;
        pthread_mutex_init(&sim->lock, NULL);
        sim_memory_init(&sim->memory, settings);
        *ret = &sim->backend;
        return 0;
}
