/* SPDX-License-Identifier: MIT */
/*
 * Puts the parts together: as the keeper, reads the configuration, listens and makes the backend,
 * in this order, so that whatever can be wrong without touching the system's memory is found first;
 * as the worker, takes up the descriptors that the keeper left for it. Owns what it makes until
 * keeper_run() or server_run() returns. Refuses to start with a configuration that is not right
 * from end to end.
 */
#include "activation.h"
#include "config.h"
#include "config_source.h"
#include "confine.h"
#include "keeper.h"
#include "keeper_protocol.h"
#include "keeper_reload.h"
#include "listen.h"
#include "log.h"
#include "macros.h"
#include "make_backend.h"
#include "opener.h"
#include "options.h"
#include "pci.h"
#include "privileges.h"
#include "protocol.h"
#include "reclaim.h"
#include "server.h"
#include "successor.h"
#include "worker_reload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

#define METRICS_MODE 0660
#define UDMABUF_PATH "/dev/udmabuf"

/*
 * Descriptors: the keeper has one for each frame, and the worker one more; then clients, what is
 * queued for them (it counts while it is on its way), and room to breathe.
 */
#define DESCRIPTORS_A_FRAME  3u
#define DESCRIPTORS_A_CLIENT 66u
#define DESCRIPTORS_SPARE    1024u
#define DESCRIPTORS_LEAST    16u /* besides the frames' */

/**
 * struct keeper - what the keeper's process owns
 * @config_fd: sealed text of the configuration
 * @metrics:   where metrics are asked for, if anywhere
 * @udmabuf_fd: /dev/udmabuf, which the worker itself may not open; -1: there is none
 * @takeover:  what a former program of this process left, where @takes_over
 * @parked:    what a former process left with the service manager; where @reclaims, @reclaim
 */
struct keeper {
        struct config *config;
        int config_fd;
        struct listener listener, metrics;
        int udmabuf_fd;
        struct backend *backend;
        struct keeper_pool *pools;
        struct successor successor;
        struct takeover takeover;
        bool takes_over;
        struct parked parked;
        struct reclaim reclaim;
        bool reclaims;
};

#define KEEPER_NONE                                  \
        ((struct keeper){ .config_fd = -1,           \
                          .listener = LISTENER_NONE, \
                          .metrics = LISTENER_NONE,  \
                          .udmabuf_fd = -1,          \
                          .parked = PARKED_NONE })

static void keeper_deinit(struct keeper *keeper)
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
        const uint64_t want = frames * DESCRIPTORS_A_FRAME +
                              config->state.max_clients * DESCRIPTORS_A_CLIENT + DESCRIPTORS_SPARE;
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

static int load_config(const struct options *options, struct keeper *keeper)
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

static const char *socket_path(const struct options *options, const struct config *config)
{
        return options->socket_path ? options->socket_path : config->socket_path;
}

static int open_clients_listener(const struct options *options, struct activation *activation,
                                 struct keeper *keeper)
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

static int open_metrics_listener(struct activation *activation, struct keeper *keeper)
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

static int resume_listeners(const struct options *options, struct keeper *keeper)
{
        const struct takeover_head *head = &keeper->takeover.head;
        int r;

        r = listener_resume(&head->listener, SOCK_SEQPACKET, socket_path(options, keeper->config),
                            &keeper->listener);
        if (!r)
                r = listener_resume(&head->metrics, SOCK_STREAM, keeper->config->metrics,
                                    &keeper->metrics);
        if (r)
                log_error("the former program's sockets are not there: %s", strerror(-r));
        return r;
}

static int open_listeners(const struct options *options, struct keeper *keeper)
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

/* Many systems have none, and most configurations need none. Return: 0; negative errno where a pool
 * does need it. */
static int open_udmabuf(struct keeper *keeper)
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

static int copy_pools(struct keeper *keeper)
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

static int open_backend(const struct options *options, struct keeper *keeper)
{
        const struct takeover_head *head = &keeper->takeover.head;
        int r;

        r = make_backend(keeper->config, socket_path(options, keeper->config), keeper->takes_over,
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
static void reclaim(const struct options *options, struct keeper *keeper)
{
        int r;

        r = reclaim_parked(&keeper->parked, keeper->config, options->config_path, &keeper->reclaim);
        keeper->reclaims = !r;
        if (!r)
                keeper->parked.ledger = -1; /* the takeover's now */
        if (r && r != -ENOENT)
                parked_forget();
}

static const struct takeover *takeover_of(const struct keeper *keeper)
{
        if (keeper->takes_over)
                return &keeper->takeover;
        return keeper->reclaims ? &keeper->reclaim.takeover : NULL;
}

static int run(const struct options *options, struct keeper *keeper)
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

static int read_takeover(const struct options *options, struct keeper *keeper)
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

/* For opener_start() */
static int settle_opener(void)
{
        int r = privileges_settle_opener();

        if (!r && PARD_CONFINED)
                r = confine_opener();
        if (r)
                log_error("the opener cannot give up what it does not need: %s", strerror(-r));
        return r;
}

static int start_opener(void)
{
        int r = opener_start(settle_opener);

        if (r)
                log_error("the process that keeps files open which take privilege cannot be "
                          "started: %s",
                          strerror(-r));
        return r;
}

/* A program of before the opener executed this one as root: so it stays until it is started again,
 * since frames of root's are nobody else's. */
static bool stays_root(const struct keeper *keeper)
{
        return keeper->takes_over && geteuid() == 0;
}

/* Become who pard is from now on, with what it takes to open the rest. */
static int become_user(struct keeper *keeper)
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
static int open_opener(const struct options *options, const struct keeper *keeper)
{
        int r;

        if (keeper->takes_over)
                return opener_resume(keeper->takeover.head.opener_fd - 1);
        r = opener_resume(options->opener_fd);
        if (r || keeper->config->backend != BACKEND_HUGETLB) {
                opener_end();
                return r;
        }
        return opener_descriptor() < 0 ? start_opener() : 0;
}

/* Everything is open. */
static int drop_privileges(const struct keeper *keeper)
{
        int r;

        if (stays_root(keeper))
                return 0;
        r = privileges_drop(keeper->config->n_carveouts > 0, opener_descriptor() >= 0);
        if (r)
                log_error("pard cannot give up its privileges: %s", strerror(-r));
        return r;
}

/* What is checked before anything is touched, and who pard is from then on. */
static int prepare(const struct options *options, struct keeper *keeper)
{
        int r;

        r = read_takeover(options, keeper);
        if (r)
                return r;
        r = load_config(options, keeper);
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

static int start(const struct options *options, struct keeper *keeper)
{
        int r;

        r = prepare(options, keeper);
        if (r)
                return r;
        hold_signals();
        r = open_listeners(options, keeper);
        if (r)
                return r;
        r = copy_pools(keeper);
        if (r)
                return r;
        r = open_udmabuf(keeper);
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

/* The service manager has lent capabilities: the opener keeps them, and this program begins again
 * without. Returns where that fails. */
static void begin_without(char *const *argv)
{
        char path[PATH_MAX], fd[16], option[] = "--opener";
        size_t n = 0;
        char **again;

        while (argv[n])
                n++;
        again = calloc(n + 3, sizeof(*again));
        if (!again || successor_path(path) || start_opener())
                return;
        snprintf(fd, sizeof(fd), "%d", opener_descriptor());
        memcpy(again, argv, n * sizeof(*again));
        again[n] = option;
        again[n + 1] = fd;
        if (fcntl(opener_descriptor(), F_SETFD, 0) == 0 && privileges_return() == 0)
                execv(path, again);
        log_error("%s cannot be executed: %s", path, strerror(errno));
}

static int serve(const struct options *options)
{
        struct keeper keeper = KEEPER_NONE;
        int r;

        r = start(options, &keeper);
        /* What was short is named where it is known what for; memory may be short anywhere. */
        if (r && !log_has_complained())
                log_error("pard cannot go on: %s", strerror(-r));
        keeper_deinit(&keeper);
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int check_config(const struct options *options)
{
        struct keeper keeper = KEEPER_NONE;
        int r;

        r = load_config(options, &keeper);
        if (!r) {
                warn_of_page_sizes(keeper.config);
                printf("%s: good; pools: %zu, devices: %zu\n", options->config_path,
                       keeper.config->state.n_pools, keeper.config->state.n_devices);
        }
        keeper_deinit(&keeper);
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

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

static int work(const struct options *options)
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

int main(int argc, char **argv)
{
        struct options options;

        log_open("pard", LOG_INFO);
        if (options_parse(argc, argv, &options))
                return EXIT_USAGE;
        switch (options.action) {
        case ACTION_HELP: options_print_help(); return EXIT_SUCCESS;
        case ACTION_VERSION: printf("pard %s\n", PARD_VERSION); return EXIT_SUCCESS;
        case ACTION_CHECK_CONFIG: return check_config(&options);
        case ACTION_WORK: return work(&options);
        case ACTION_TRY_TAKEOVER: return successor_try(&options) ? EXIT_FAILURE : EXIT_SUCCESS;
        case ACTION_STORE_UDMABUF:
                (void)activation_store_udmabuf(UDMABUF_PATH); /* many systems have none */
                return EXIT_SUCCESS;
        case ACTION_SERVE:
                if (!privileges_are_lent())
                        return serve(&options);
                begin_without(argv);
                return EXIT_FAILURE;
        }
        return EXIT_USAGE;
}
