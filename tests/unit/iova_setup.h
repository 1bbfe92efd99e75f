/* SPDX-License-Identifier: MIT */
/*
 * A device behind an IOMMU, and memory for ranges of its addresses: with a daemon in a thread
 * (tests/support/mock_server.c) and a container without a kernel (tests/support/fake_vfio.c).
 */
#pragma once

#include "fake_vfio.h"
#include "handle.h"
#include "iova.h"
#include "macros.h"
#include "mock_server.h"

#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#define PAGE   (4 * KiB)
#define LAST   UINT64_C(0xfffffff) /* of the device */
#define MEMORY (16 * PAGE)

/**
 * struct setup - a device of 28 bits behind an IOMMU
 * @memory: ordinary memory, MEMORY bytes
 */
struct setup {
        struct mock *mock;
        struct par *par;
        struct par_device *device;
        int container, warnings;
        char *memory;
};

static inline void spoil_limits(struct mock *mock, struct mock_reply *reply)
{
        static Wire__Constraint limits;

        (void)mock;
        wire__constraint__init(&limits);
        limits.addr_max = LAST;
        if (reply->packet->reply->body_case == WIRE__REPLY__BODY_DEVICE_OPEN)
                reply->packet->reply->device_open->limits = &limits;
}

static inline void count_warnings(void *data, int level, const char *message)
{
        struct setup *setup = data;

        (void)message;
        setup->warnings += level == LOG_WARNING;
}

static inline void begin(struct setup *setup)
{
        const struct mock_settings settings = { .spoil = spoil_limits };
        struct par_connect_options options = { .log = count_warnings, .log_data = setup };

        fake_vfio_init(8);
        *setup = (struct setup){ .mock = mock_start(&settings) };
        setup->container = memfd_create("container", MFD_CLOEXEC);
        assert_true(setup->container >= 0);
        assert_int_equal(par_connect(setup->mock->path, &options, &setup->par), 0);
        assert_int_equal(par_device_open(setup->par, "capture0", &setup->device), 0);
        assert_int_equal(par_device_attach_vfio(setup->device, setup->container), 0);
        setup->memory =
                mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(setup->memory, MAP_FAILED);
}

/* All is unmapped, whatever was left. */
static inline void end(struct setup *setup)
{
        par_disconnect(setup->par);
        assert_int_equal(fake_vfio.n_maps, 0);
        mock_stop(setup->mock);
        close(setup->container);
        munmap(setup->memory, MEMORY);
}

static inline struct par_iova *reserve(struct setup *setup, uint64_t size)
{
        struct par_iova *range;

        if (par_iova_reserve(setup->device, size, NULL, NULL, &range))
                fail_msg("%llu bytes: %s", (unsigned long long)size, par_error(NULL));
        return range;
}

/* Pages of ordinary memory, from the @from-th on. */
static inline struct par_sg_part pages(const struct setup *setup, size_t from, size_t count)
{
        return (struct par_sg_part){ .memory = setup->memory,
                                     .offset = from * PAGE,
                                     .length = count * PAGE };
}

static inline int link_pages(struct setup *setup, struct par_iova *range, uint64_t at, size_t from,
                             size_t count)
{
        const struct par_sg_part part = pages(setup, from, count);

        return par_iova_link(range, at * PAGE, &part, 1, 0);
}
