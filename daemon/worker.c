/* SPDX-License-Identifier: MIT */
/*
 * As the worker, takes up the descriptors that the keeper left for it. Refuses to serve where it
 * does not find them: nobody but a keeper starts it.
 */
#include "worker.h"

#include "config.h"
#include "config_source.h"
#include "confine.h"
#include "keeper_protocol.h"
#include "log.h"
#include "server.h"
#include "worker_reload.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_socket(int fd, int type)
{
        int actual;
        socklen_t length = sizeof(actual);

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &actual, &length) == 0 && actual == type;
}

/* KEEPER_FD_UDMABUF, where the keeper left it: what else is open now, it has closed. */
static int udmabuf_of_keeper(void)
{
        struct stat status;

        if (fstat(KEEPER_FD_UDMABUF, &status) || !S_ISCHR(status.st_mode))
                return -1;
        return KEEPER_FD_UDMABUF;
}

/* Whether a keeper started us: nobody else leaves just these descriptors. */
static bool has_keeper(void)
{
        return is_socket(KEEPER_FD_CHANNEL, SOCK_SEQPACKET) &&
               fcntl(KEEPER_FD_LEDGER, F_GET_SEALS) >= 0 &&
               fcntl(KEEPER_FD_CONFIG, F_GET_SEALS) >= 0 &&
               is_socket(KEEPER_FD_LISTEN, SOCK_SEQPACKET);
}

/* For server_settings.confine. A kernel without such filters is no reason to serve nobody. */
static int confine(void)
{
        int r;

        if (!PARD_CONFINED)
                return 0; /* sanitizers and coverage do other things than pard */
        r = confine_worker();
        if (r)
                log_warning("the process that serves clients runs without a filter of system "
                            "calls: %s",
                            strerror(-r));
        return 0;
}

/* Serve clients by this configuration, and by others as the keeper reads them; consumed. */
static int serve_by(const struct options *options, struct config *config, int udmabuf_fd)
{
        struct worker_reload worker;
        const struct server_reload reload = { &worker, worker_reload_propose, worker_reload_adopt };
        const struct server_settings settings = {
                .state = &config->state,
                .reload = &reload,
                .confine = confine,
                .listen_fd = KEEPER_FD_LISTEN,
                .metrics_fd = is_socket(KEEPER_FD_METRICS, SOCK_STREAM) ? KEEPER_FD_METRICS : -1,
                .udmabuf_fd = udmabuf_fd,
                .keeper_fd = KEEPER_FD_CHANNEL,
                .ledger_fd = KEEPER_FD_LEDGER,
        };
        int r;

        r = worker_reload_init(&worker, config, KEEPER_FD_LEDGER, options);
        if (!r)
                r = server_run(&settings);
        if (r)
                log_error("clients cannot be served: %s", strerror(-r));
        worker_reload_deinit(&worker);
        return r;
}

int worker_main(const struct options *options)
{
        /* Before anything else is opened that could take the number. */
        const int udmabuf_fd = udmabuf_of_keeper();
        struct config *config;
        int r;

        if (!has_keeper()) {
                fprintf(stderr, "pard: --worker is for pard itself, which prepares descriptors for "
                                "it\nTry: pard --help\n");
                return EXIT_USAGE;
        }
        prctl(PR_SET_NAME, "pard-worker"); /* it was executed under the name "exe" */
        log_open("pard-worker", options->log_level >= 0 ? options->log_level : LOG_INFO);
        r = config_source_load(KEEPER_FD_CONFIG, options->config_path, &config);
        if (r)
                return EXIT_FAILURE;
        close(KEEPER_FD_CONFIG);
        if (options->log_level < 0)
                log_open("pard-worker", config->log_level);
        return serve_by(options, config, udmabuf_fd) ? EXIT_FAILURE : EXIT_SUCCESS;
}
