/* SPDX-License-Identifier: MIT */
/*
 * A daemon that hangs: whoever goes does not wait for ever for its answer, and leaves nothing open.
 */
#include "public.h"

#include "clock.h"
#include "descriptors.h"
#include "macros.h"
#include "mock_server.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PATIENCE_MS 2000 /* of par_disconnect() */

static atomic_bool hangs;
static sem_t over;

/* It hangs until the test says so. */
static void hang(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        (void)reply;
        if (hangs)
                sem_wait(&over);
}

static void test_disconnect_does_not_wait_for_ever(void **state)
{
        const unsigned before = descriptors_open();
        struct mock *mock = mock_start(&(struct mock_settings){ .spoil = hang });
        struct par_buffer *buffer;
        struct par *par;
        uint64_t start_ms;

        (void)state;
        sem_init(&over, 0, 0);
        hangs = false;
        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
        assert_int_equal(par_alloc(par, 4096, NULL, NULL, &buffer), 0);
        hangs = true;
        start_ms = now_ms();
        par_disconnect(par);
        /* It was given its time, since a Bye that is answered spares the memory a quarantine. */
        assert_in_range(now_ms() - start_ms, PATIENCE_MS, UINT32_MAX);
        sem_post(&over);
        mock_stop(mock);
        assert_int_equal(descriptors_open(), before);
        sem_destroy(&over);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_disconnect_does_not_wait_for_ever),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
