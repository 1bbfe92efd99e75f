/* SPDX-License-Identifier: MIT */
/*
 * As the keeper, reads the configuration, listens and makes the backend, in this order, so that
 * whatever can be wrong without touching the system's memory is found first. Owns what it opens
 * and makes until keeper_run() returns. Refuses to start with a configuration that is not right
 * from end to end.
 */
#include "keeper_process.h"

#include "config.h"
#include "config_source.h"
#include "keeper.h"
#include "keeper_protocol.h"
#include "keeper_reload.h"
#include "log.h"
#include "make_backend.h"
#include "opener.h"
#include "opener_process.h"
#include "openings.h"
#include "pci.h"
#include "privileges.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Descriptors: the keeper has one for each frame, and the worker one more; then clients, what is
 * queued for them (it counts while it is on its way), and room to breathe.
 */
#define DESCRIPTORS_A_FRAME  3u
#define DESCRIPTORS_A_CLIENT 66u
#define DESCRIPTORS_SPARE    1024u
#define DESCRIPTORS_LEAST    16u /* besides the frames' */

void keeper_process_deinit(struct keeper_process *keeper)
{
        backend_free(keeper->backend);
        opener_end();
        if (keeper->udmabuf_fd >= 0)
                close(keeper->udmabuf_fd);
        listener_close(&keeper->metrics);
        listener_close(&keeper->listener);
        if (keeper->config_fd >= 0)
                close(keeper->config_fd);
        free(keeper->pools);
        config_free(keeper->config);
        takeover_deinit(&keeper->takeover);
        reclaim_deinit(&keeper->reclaim);
        parked_deinit(&keeper->parked);
}

/* Return: 0; -EMFILE where not even the frames could be held. */
static int raise_descriptor_limit(const struct config *config)
{
        const uint64_t frames = config_frames(config);
        const uint64_t clients = (uint64_t)config->state.max_clients + CLIENTS_FOR_ADMINS;
        const uint64_t want =
                frames * DESCRIPTORS_A_FRAME + clients * DESCRIPTORS_A_CLIENT + DESCRIPTORS_SPARE;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit))
                return -errno;
        if (limit.rlim_max < want) {
                /* Only with the right to do so; never above the kernel's own limit. */
                struct rlimit raised = { .rlim_cur = want, .rlim_max = want };

                if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
                        return 0;
        }
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur >= frames + DESCRIPTORS_LEAST)
                return 0;
        log_error("at most %llu descriptors may be open, and the %llu frames of the pools need one "
                  "each, in two processes: raise LimitNOFILE (ulimit -n)",
                  (unsigned long long)limit.rlim_cur, (unsigned long long)frames);
        return -EMFILE;
}

int keeper_process_configure(const struct options *options, struct keeper_process *keeper)
{
        int r = 0;

        if (keeper->takes_over)
                keeper->config_fd = keeper->takeover.head.config_fd;
        else
                r = config_source_open(options->config_path, &keeper->config_fd);
        if (r)
                return r;
        r = config_source_load(keeper->config_fd, options->config_path, &keeper->config);
        if (r)
                return r;
        log_open("pard", options->log_level >= 0 ? options->log_level : keeper->config->log_level);
        return 0;
}

/* Root becomes a user of pard's own: a client of the same uid could not be contained. */
static int check_user(const struct config *config)
{
        if (geteuid() != 0)
                return 0;
        if (config->user == (uid_t)-1) {
                log_error(
                        "there is no user \"%s\", whom pard runs as when it has opened what takes "
                        "root: create it, or set user in the configuration",
                        config->user_name);
                return -ENOENT;
        }
        if (config->user == 0)
                log_warning("user = \"%s\": pard remains root, with all of root's files",
                            config->user_name);
        return 0;
}

const char *keeper_process_socket(const struct options *options,
                                  const struct keeper_process *keeper)
{
        return options->socket_path ? options->socket_path : keeper->config->socket_path;
}

static int copy_pools(struct keeper_process *keeper)
{
        const size_t n = keeper->config->state.n_pools;

        keeper->pools = calloc(n, sizeof(*keeper->pools));
        if (!keeper->pools)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                keeper->pools[i] = (struct keeper_pool){
                        .name = keeper->config->pools[i].name,
                        .page_bytes = keeper->config->pools[i].page_bytes,
                        .pin_required = keeper->config->pools[i].pin_required,
                        .demote = keeper->config->pools[i].source == SOURCE_DEMOTE,
                        .harvest_max_bytes = keeper->config->pools[i].harvest_max_bytes,
                };
        return 0;
}

/* A frame that leaves and the one that replaces it are both there for a moment. The keeper needs
 * one slot more, and at the very limit none of them is missed. */
static uint32_t slots_for(const struct config *config)
{
        const uint64_t slots = config_frames(config) * 2;

        return slots < KEEPER_SLOTS_MAX ? (uint32_t)slots : KEEPER_SLOTS_MAX - 1;
}

/* For keeper_settings.look */
static int look_at_device(void *data, uint32_t device)
{
        (void)data;
        return pci_is_master("", device);
}

static int open_backend(const struct options *options, struct keeper_process *keeper)
{
        const struct takeover_head *head = &keeper->takeover.head;
        int r;

        r = make_backend(keeper->config, keeper_process_socket(options, keeper), keeper->takes_over,
                         &keeper->backend);
        if (r || !keeper->takes_over)
                return r;
        r = keeper->backend->ops->resume(keeper->backend, takeover_backend(&keeper->takeover),
                                         head->backend_bytes);
        if (r)
                log_error("the former program's pins cannot be taken over: %s", strerror(-r));
        return r;
}

/* Programs use what the former process had: go on with that, where that is possible. */
static void reclaim(const struct options *options, struct keeper_process *keeper)
{
        int r;

        r = reclaim_parked(&keeper->parked, keeper->config, options->config_path, &keeper->reclaim);
        keeper->reclaims = !r;
        if (!r)
                keeper->parked.ledger = -1; /* the takeover's now */
        if (r && r != -ENOENT)
                parked_forget();
}

static const struct takeover *takeover_of(const struct keeper_process *keeper)
{
        if (keeper->takes_over)
                return &keeper->takeover;
        return keeper->reclaims ? &keeper->reclaim.takeover : NULL;
}

static int run(const struct options *options, struct keeper_process *keeper)
{
        const struct config *config = keeper->config;
        const struct takeover *takeover = takeover_of(keeper);
        const uint32_t slots = takeover ? takeover->head.room - 1 : slots_for(config);
        const bool replaceable = successor_init(&keeper->successor, options) == 0;
        const bool privileged = geteuid() == 0;
        char level_option[] = "--log-level", level[16];
        char path[] = "/proc/self/exe", role[] = "--worker", config_option[] = "--config";
        /* The worker does not open that file: it names it where the text is not good. */
        char *argv[] = { path,
                         role,
                         config_option,
                         (char *)(uintptr_t)options->config_path,
                         options->log_level_name ? level_option : NULL,
                         level,
                         NULL };
        struct keeper_reload reload = {
                .options = options,
                .pools = keeper->pools,
                .backend = keeper->backend,
                .first = config,
                .frames_max = (slots + 1) / 2, /* as the worker says: ledger.slots / 2 */
        };
        struct keeper_settings settings = {
                .backend = keeper->backend,
                .pools = keeper->pools,
                .n_pools = (uint32_t)config->state.n_pools,
                .slots = slots,
                .listen_fd = keeper->listener.fd,
                .metrics_fd = keeper->metrics.fd,
                .udmabuf_fd = keeper->udmabuf_fd,
                .config_fd = keeper->config_fd,
                .worker_argv = argv,
                .worker_uid = privileged ? config->user : (uid_t)-1,
                .worker_gid = privileged ? config->user_group : (gid_t)-1,
                .threads = config->threads,
                .verify_ns = config->verify_ns,
                .reload = keeper_reload_again,
                .reload_data = &reload,
                .look = look_at_device,
                .takeover = takeover,
                .parked_fds = keeper->reclaim.frames,
                .parks = options->parks,
                .opener_fd = opener_descriptor(),
                .listener = listener_leave(&keeper->listener),
                .metrics = listener_leave(&keeper->metrics),
                .successor_argv = replaceable ? keeper->successor.argv : NULL,
                .trial_argv = keeper->successor.trial_argv,
                .successor_fd = keeper->successor.fd,
        };
        int r;

        reload.settings = &settings;
        snprintf(level, sizeof(level), "%s",
                 options->log_level_name ? options->log_level_name : "");
        r = keeper_run(&settings);
        keeper_reload_deinit(&reload);
        return r;
}

/* What is reserved or bound from here on must be undone: the keeper looks at these when it runs. */
static void hold_signals(void)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGUSR2);
        sigprocmask(SIG_BLOCK, &set, NULL);
}

static int read_takeover(const struct options *options, struct keeper_process *keeper)
{
        int r;

        if (options->takeover_fd < 0)
                return 0;
        r = takeover_read(options->takeover_fd, &keeper->takeover);
        close(options->takeover_fd);
        if (r)
                log_error("what the former program left cannot be read: %s", strerror(-r));
        keeper->takes_over = !r;
        return r;
}

/* ---- privileges ----------------------------------------------------------------------------- */

/* A program of before the opener executed this one as root: so it stays until it is started again,
 * since frames of root's are nobody else's. */
static bool stays_root(const struct keeper_process *keeper)
{
        return keeper->takes_over && geteuid() == 0;
}

/* Become who pard is from now on, with what it takes to open the rest. */
static int become_user(struct keeper_process *keeper)
{
        const struct config *config = keeper->config;
        int r = 0;

        keeper_raise_descriptor_limit();
        privileges_raise_limits();
        if (!stays_root(keeper))
                r = privileges_become(config->user, config->user_group, config->n_carveouts > 0);
        if (r)
                log_error("pard cannot become the user %s: %s", config->user_name, strerror(-r));
        return r;
}

/* Before anything is open that it would hold. Invented memory takes no privilege. */
static int open_opener(const struct options *options, const struct keeper_process *keeper)
{
        int r;

        if (keeper->takes_over)
                return opener_resume(keeper->takeover.head.opener_fd - 1);
        r = opener_resume(options->opener_fd);
        if (r || keeper->config->backend != BACKEND_HUGETLB) {
                opener_end();
                return r;
        }
        return opener_descriptor() < 0 ? opener_process_start() : 0;
}

/* Everything is open. */
static int drop_privileges(const struct keeper_process *keeper)
{
        int r;

        if (stays_root(keeper))
                return 0;
        r = privileges_drop(keeper->config->n_carveouts > 0, opener_descriptor() >= 0);
        if (r)
                log_error("pard cannot give up its privileges: %s", strerror(-r));
        return r;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* What is checked before anything is touched, and who pard is from then on. */
static int prepare(const struct options *options, struct keeper_process *keeper)
{
        int r;

        r = read_takeover(options, keeper);
        if (r)
                return r;
        r = keeper_process_configure(options, keeper);
        if (r)
                return r;
        r = check_user(keeper->config);
        if (r)
                return r;
        r = raise_descriptor_limit(keeper->config);
        if (r)
                return r;
        r = become_user(keeper);
        return r ? r : open_opener(options, keeper);
}

int keeper_process_run(const struct options *options, struct keeper_process *keeper)
{
        int r;

        r = prepare(options, keeper);
        if (r)
                return r;
        hold_signals();
        r = openings_listen(options, keeper);
        if (r)
                return r;
        r = copy_pools(keeper);
        if (r)
                return r;
        r = openings_udmabuf(keeper);
        if (r)
                return r;
        r = open_backend(options, keeper);
        if (r)
                return r;
        r = drop_privileges(keeper);
        if (r)
                return r;
        if (!keeper->takes_over)
                reclaim(options, keeper);
        return run(options, keeper);
}
