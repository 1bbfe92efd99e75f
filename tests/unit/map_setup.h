/* SPDX-License-Identifier: MIT */
/*
 * What tests of streaming mappings begin with: a daemon in a thread, its client, and a device of
 * which that daemon says what it is told to. What a device would do is done where par_dma_pointer()
 * says that its address is.
 */
#pragma once

#include "dma.h"

#include "handle.h"
#include "macros.h"
#include "mock_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE (2 * MiB) /* of the daemon's frames */

/* What the daemon says of the device; all zero: nothing. */
static struct {
        Wire__Constraint limits;
        uint64_t start_align, min_align_mask;
        Wire__BusWindow window;
        char *name;
} said;

static inline void spoil(struct mock *mock, struct mock_reply *reply)
{
        static Wire__BusWindow *windows[1] = { &said.window };
        Wire__Reply *body = reply->packet->reply;

        (void)mock;
        if (body->body_case != WIRE__REPLY__BODY_DEVICE_OPEN)
                return;
        if (said.name)
                body->device_open->name = said.name;
        body->device_open->limits = &said.limits;
        body->device_open->start_align = said.start_align;
        body->device_open->min_align_mask = said.min_align_mask;
        if (said.window.length) {
                body->device_open->n_windows = 1;
                body->device_open->windows = windows;
        }
}

/* struct setup - a daemon, its client and a device; @log: what the library said last */
struct setup {
        struct mock *mock;
        struct par *par;
        struct par_device *device;
        int container;
        char log[512];
};

static inline void take_log(void *data, int level, const char *message)
{
        struct setup *setup = data;

        if (level <= LOG_INFO && level != LOG_NOTICE)
                snprintf(setup->log, sizeof(setup->log), "%s", message);
}

static inline void say_nothing(void)
{
        memset(&said, 0, sizeof(said));
        wire__constraint__init(&said.limits);
        wire__bus_window__init(&said.window);
}

/* With what was said. */
static inline void begin_as_said(struct setup *setup)
{
        struct par_connect_options options = { .log = take_log, .log_data = setup };
        struct mock_settings settings = { .page_bytes = PAGE, .spoil = spoil };

        *setup = (struct setup){ .mock = mock_start(&settings), .container = -1 };
        assert_int_equal(par_connect(setup->mock->path, &options, &setup->par), 0);
        assert_int_equal(par_device_open(setup->par, "capture0", &setup->device), 0);
}

static inline void begin(struct setup *setup)
{
        say_nothing();
        begin_as_said(setup);
}

static inline void end(struct setup *setup)
{
        par_device_close(setup->device);
        assert_string_equal(setup->log, "");
        assert_int_equal(mock_counts(setup->mock).buffers, 0);
        par_disconnect(setup->par);
        mock_stop(setup->mock);
        if (setup->container >= 0)
                close(setup->container);
}

static inline struct par_map_stats stats_of(struct par_device *device)
{
        struct par_map_stats stats;

        assert_int_equal(par_map_stats(device, &stats), 0);
        return stats;
}

/* What the device sees at an address. */
static inline unsigned char *seen(const struct setup *setup, uint64_t dma)
{
        void *at;

        if (par_dma_pointer(setup->par, setup->device, dma, &at, NULL))
                fail_msg("%s", par_error(NULL));
        return at;
}

static inline void map(struct setup *setup, const void *memory, size_t length,
                       enum par_direction direction, const struct par_map_options *options,
                       struct par_mapping *ret)
{
        if (par_map(setup->device, memory, length, direction, options, ret))
                fail_msg("%s", par_error(NULL));
        assert_int_equal(ret->length, length);
        assert_ptr_equal(ret->pointer, memory);
        assert_ptr_equal(ret->device, setup->device);
}

static inline void fill(unsigned char *at, size_t bytes, unsigned seed)
{
        for (size_t i = 0; i < bytes; i++)
                at[i] = (unsigned char)(seed + i * 7 + i / 251);
}

static inline bool is_filled(const unsigned char *at, size_t bytes, unsigned seed)
{
        for (size_t i = 0; i < bytes; i++)
                if (at[i] != (unsigned char)(seed + i * 7 + i / 251))
                        return false;
        return true;
}
