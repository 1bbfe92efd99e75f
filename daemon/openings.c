/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing: what is open belongs to the keeper's process.
 */
#include "openings.h"

#include "activation.h"
#include "config.h"
#include "log.h"
#include "macros.h"
#include "opener.h"
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define METRICS_MODE 0660

static int open_clients_listener(const struct options *options, struct activation *activation,
                                 struct keeper_process *keeper)
{
        const struct config *config = keeper->config;
        struct listener_settings settings = {
                .type = SOCK_SEQPACKET,
                .at = options->socket_path ? options->socket_path : config->socket_path,
                .mode = config->socket_mode,
                .group = config->socket_group,
                .create_directory =
                        !options->socket_path && strcmp(config->socket_path, SOCKET_DEFAULT) == 0,
        };

        settings.activated = STEAL_FD(activation->clients);
        return listener_open(&settings, &keeper->listener);
}

static int open_metrics_listener(struct activation *activation, struct keeper_process *keeper)
{
        const struct config *config = keeper->config;
        struct listener_settings settings = {
                .type = SOCK_STREAM,
                .at = config->metrics,
                .mode = METRICS_MODE,
                .group = config->socket_group,
        };

        if (activation->metrics < 0 && !config->metrics)
                return 0;
        settings.activated = STEAL_FD(activation->metrics);
        return listener_open(&settings, &keeper->metrics);
}

static int resume_listeners(const struct options *options, struct keeper_process *keeper)
{
        const struct takeover_head *head = &keeper->takeover.head;
        int r;

        r = listener_resume(&head->listener, SOCK_SEQPACKET, keeper_process_socket(options, keeper),
                            &keeper->listener);
        if (!r)
                r = listener_resume(&head->metrics, SOCK_STREAM, keeper->config->metrics,
                                    &keeper->metrics);
        if (r)
                log_error("the former program's sockets are not there: %s", strerror(-r));
        return r;
}

int openings_listen(const struct options *options, struct keeper_process *keeper)
{
        struct activation activation;
        int r;

        if (keeper->takes_over)
                return resume_listeners(options, keeper);
        r = activation_read(&activation);
        if (!r)
                r = open_clients_listener(options, &activation, keeper);
        if (!r)
                r = open_metrics_listener(&activation, keeper);
        keeper->udmabuf_fd = STEAL_FD(activation.udmabuf);
        keeper->parked = activation.parked;
        activation.parked = PARKED_NONE;
        activation_close(&activation);
        return r;
}

int openings_udmabuf(struct keeper_process *keeper)
{
        const struct config *config = keeper->config;
        int r;

        if (keeper->udmabuf_fd >= 0)
                return 0; /* lent by the service manager, out of whose sandbox it lies */
        if (keeper->takes_over && keeper->takeover.head.udmabuf_fd >= 0)
                keeper->udmabuf_fd = keeper->takeover.head.udmabuf_fd;
        else
                keeper->udmabuf_fd = open(UDMABUF_PATH, O_RDWR | O_CLOEXEC);
        if (keeper->udmabuf_fd >= 0)
                return 0;
        r = errno == EACCES ? opener_ask(UDMABUF_PATH, &keeper->udmabuf_fd) : -errno;
        if (!r)
                return 0;
        for (size_t i = 0; i < config->state.n_pools; i++)
                if (config->pools[i].handout == HANDOUT_DMABUF) {
                        log_error("pool \"%s\": handout = \"dmabuf\" takes %s (CONFIG_UDMABUF): "
                                  "%s",
                                  config->pools[i].name, UDMABUF_PATH, strerror(-r));
                        return r;
                }
        log_debug("no buffer can be exported as a dma-buf: %s: %s", UDMABUF_PATH, strerror(-r));
        return 0;
}
