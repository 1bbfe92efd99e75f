/* SPDX-License-Identifier: MIT */
/*
 * How long nobody is served when the worker of a pard with many buffers dies: from its death until
 * a client that has nothing has its first answer, and until those with the buffers go on.
 *
 *     test_recovery [BUFFERS]      default: 5000
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <par.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS     8
#define TIMES       5
#define PATIENCE_MS 60000

static const char config[] =
        "backend = \"sim\"\n"
        "max_buffers = 1000000\n"
        "sim { extent \"high\" { first = \"4G\" size = \"4G\" page_size = \"2M\" } }\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"1G\" quarantine = \"1s\" }\n";

static struct par *clients[CLIENTS];
static struct par_buffer **buffers;
static uint64_t *addresses;

static void get_buffers(size_t count)
{
        buffers = calloc(count, sizeof(*buffers));
        addresses = calloc(count, sizeof(*addresses));
        if (!buffers || !addresses)
                die("no memory");
        for (size_t i = 0; i < count; i++) {
                if (par_alloc(clients[i % CLIENTS], 4096, NULL, NULL, &buffers[i]))
                        die("buffer %zu: %s", i, par_error(NULL));
                addresses[i] = par_buffer_dma(buffers[i]);
                memcpy(par_buffer_data(buffers[i]), &i, sizeof(i));
        }
}

static void check_buffers(size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (memcmp(par_buffer_data(buffers[i]), &i, sizeof(i)) != 0 ||
                    par_buffer_dma(buffers[i]) != addresses[i])
                        die("buffer %zu is not what it was", i);
}

static void await_reconnected(struct par *par)
{
        struct pollfd fd = { .fd = par_fd(par), .events = POLLIN };
        struct par_event event;
        int r;

        do {
                if (poll(&fd, 1, PATIENCE_MS) != 1)
                        die("a client does not come back");
                r = par_next_event(par, &event);
        } while (r == -EAGAIN);
        if (r || event.type != PAR_EVENT_RECONNECTED)
                die("event %u instead of RECONNECTED", event.type);
}

/* Return: until somebody is served, in ns. */
static uint64_t die_and_recover(const struct pard_fixture *pard, size_t count, uint64_t *ret_all)
{
        const uint64_t started = now_ns();
        struct wire_client client;
        uint64_t served;

        kill(pard_fixture_worker(pard), SIGKILL);
        wire_client_open(pard->socket, "the test", &client);
        served = now_ns() - started;
        for (size_t i = 0; i < CLIENTS; i++)
                await_reconnected(clients[i]);
        *ret_all = now_ns() - started;
        if (wire_client_status(&client)->buffers != count)
                die("%llu buffers are known afterwards",
                    (unsigned long long)wire_client_status(&client)->buffers);
        wire_client_close(&client);
        return served;
}

int main(int argc, char **argv)
{
        const size_t count = argc > 1 ? strtoul(argv[1], NULL, 0) : 5000;
        struct pard_fixture pard;

        pard_fixture_start_filled(config, &pard);
        for (size_t i = 0; i < CLIENTS; i++)
                if (par_connect(pard.socket, NULL, &clients[i]))
                        die("connect: %s", par_error(NULL));
        get_buffers(count);
        for (unsigned i = 0; i < TIMES; i++) {
                uint64_t all, served;

                usleep(200000); /* who dies young is replaced later */
                served = die_and_recover(&pard, count, &all);

                printf("%zu buffers: others are served again after %.1f ms, all %d clients go on "
                       "after %.1f ms\n",
                       count, (double)served / 1e6, CLIENTS, (double)all / 1e6);
        }
        check_buffers(count);
        for (size_t i = 0; i < CLIENTS; i++)
                par_disconnect(clients[i]);
        pard_fixture_stop(&pard);
        free(buffers);
        free(addresses);
        return 0;
}
