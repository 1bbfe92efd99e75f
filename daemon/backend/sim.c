/* SPDX-License-Identifier: MIT */
/*
 * Owns the invented memory's books; frames belong to the caller. Files are sparse: memory is used
 * when a client touches it. So a punched hole cannot be told from memory that nobody wrote to yet,
 * and nobody looks for one here; a frame never moves; and there is no page whose flags would show
 * an O_PATH descriptor.
 */
#include "sim.h"

#include "letgo.h"
#include "sim_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/**
 * struct sim - the backend
 * @settings: borrowed
 * @calls:    fallible system calls made so far
 * @lock:     over the rest
 * @released: frames given back so far
 */
struct sim {
        struct backend backend;
        const struct sim_settings *settings;
        atomic_uint_fast64_t calls;
        pthread_mutex_t lock;
        struct sim_memory memory;
        uint64_t released;
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

static int sim_take(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                    bool must_pin, struct backend_frame *ret)
{
        struct sim *sim = sim_of(backend);
        struct backend_frame frame = BACKEND_FRAME_NONE;
        struct sim_wish wish = { page_bytes, node, sim->settings->blind ? RANGE_ALL : window };
        int r;

        if (must_pin && !backend->can_pin)
                return -EPERM;

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

static void sim_deinit(struct backend *backend)
{
        struct sim *sim = sim_of(backend);

        sim_memory_deinit(&sim->memory);
        pthread_mutex_destroy(&sim->lock);
}

static const struct backend_ops sim_ops = {
        .name = "sim",
        .take = sim_take,
        .open_file = sim_open_file,
        .let_go = sim_let_go,
        .release = sim_release,
        .verify = sim_verify,
        .deinit = sim_deinit,
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
