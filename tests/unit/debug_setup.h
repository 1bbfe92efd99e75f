/* SPDX-License-Identifier: MIT */
/*
 * A connection whose mistakes are looked for, and what is said of them.
 */
#pragma once

#include "public.h"

#include "mock_server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

/* A function whose calls are found under its name: not inlined, not cloned, and in the symbol
 * table.
 */
#if __has_attribute(__noipa__)
#define PLACE __attribute__((__noipa__, __visibility__("default")))
#else
#define PLACE __attribute__((__noinline__, __visibility__("default")))
#endif

/* Stands behind a call, so that it is not the function's last act: the call would become a jump,
 * and return to somewhere else. */
#define NOT_LAST() __asm__ volatile("")

/**
 * struct setup - a daemon and its client
 * @reports: mistakes and leaks told, @last: what was told last; @lock protects them
 */
struct setup {
        struct mock *mock;
        struct par *par;
        pthread_mutex_t lock;
        unsigned reports;
        char last[2048];
};

static inline void take_report(void *data, int level, const char *message)
{
        struct setup *setup = data;

        if (level > LOG_WARNING || !strncmp(message, "device ", 7))
                return; /* of slots that were not free, other tests look at it */
        pthread_mutex_lock(&setup->lock);
        snprintf(setup->last, sizeof(setup->last), "%s", message);
        setup->reports++;
        pthread_mutex_unlock(&setup->lock);
}

static inline struct par *connect_debugging(struct setup *setup, uint32_t flags)
{
        struct par_connect_options options = {
                .client_name = "radio0",
                .flags = flags,
                .log = take_report,
                .log_data = setup,
        };
        struct par *par;

        assert_int_equal(par_connect(setup->mock->path, &options, &par), 0);
        return par;
}

static inline void begin_with(struct setup *setup, const struct mock_settings *settings)
{
        *setup = (struct setup){ .lock = PTHREAD_MUTEX_INITIALIZER, .mock = mock_start(settings) };
        setup->par = connect_debugging(setup, PAR_CONNECT_DEBUG);
}

/* Nothing was reported that was not looked at: expect_report() takes it away. */
static inline void expect_silence(struct setup *setup)
{
        if (setup->reports)
                fail_msg("%u reports; the last one: %s", setup->reports, setup->last);
}

static inline void end(struct setup *setup)
{
        expect_silence(setup);
        par_disconnect(setup->par);
        expect_silence(setup);
        mock_stop(setup->mock);
}

/* All these are in what was reported, once. */
static inline void expect_report(struct setup *setup, const char *const parts[], size_t n)
{
        if (setup->reports != 1)
                fail_msg("%u reports; the last one: %s", setup->reports, setup->last);
        for (size_t i = 0; i < n; i++)
                if (!strstr(setup->last, parts[i]))
                        fail_msg("not \"%s\": %s", parts[i], setup->last);
        setup->reports = 0;
}

#define EXPECT_REPORT(setup, ...)                                  \
        expect_report(setup, (const char *const[]){ __VA_ARGS__ }, \
                      sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))
