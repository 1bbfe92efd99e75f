/* SPDX-License-Identifier: MIT */
/*
 * What the command line asks for: be the keeper, or its worker, or something small.
 */
#include "activation.h"
#include "config.h"
#include "keeper_process.h"
#include "log.h"
#include "make_backend.h"
#include "opener_process.h"
#include "openings.h"
#include "options.h"
#include "privileges.h"
#include "successor.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int serve(const struct options *options)
{
        struct keeper_process keeper = KEEPER_PROCESS_NONE;
        int r;

        r = keeper_process_run(options, &keeper);
        /* What was short is named where it is known what for; memory may be short anywhere. */
        if (r && !log_has_complained())
                log_error("pard cannot go on: %s", strerror(-r));
        keeper_process_deinit(&keeper);
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int check_config(const struct options *options)
{
        struct keeper_process keeper = KEEPER_PROCESS_NONE;
        int r;

        r = keeper_process_configure(options, &keeper);
        if (!r) {
                warn_of_page_sizes(keeper.config);
                printf("%s: good; pools: %zu, devices: %zu\n", options->config_path,
                       keeper.config->state.n_pools, keeper.config->state.n_devices);
        }
        keeper_process_deinit(&keeper);
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
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
        case ACTION_WORK: return worker_main(&options);
        case ACTION_TRY_TAKEOVER: return successor_try(&options) ? EXIT_FAILURE : EXIT_SUCCESS;
        case ACTION_STORE_UDMABUF:
                (void)activation_store_udmabuf(UDMABUF_PATH); /* many systems have none */
                return EXIT_SUCCESS;
        case ACTION_SERVE:
                if (!privileges_are_lent())
                        return serve(&options);
                opener_process_begin_without(argv);
                return EXIT_FAILURE;
        }
        return EXIT_USAGE;
}
