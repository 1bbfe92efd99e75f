/* SPDX-License-Identifier: MIT */
/*
 * Puts the parts together: what is asked comes from workload.h, who places it from placer.h and
 * policy.h, what came of it goes to tables, JSON, a picture and the documentation.
 */
#include "experiment.h"

#include "experiment_doc.h"
#include "experiment_json.h"
#include "experiment_options.h"
#include "experiment_plot.h"
#include "experiment_text.h"
#include "policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is going on, for whoever looks on; it is no part of the result. */
static void progress(const struct study_case *of)
{
        fprintf(stderr, "\r\033[K%s on %s, load %u %%", of->mix->name, of->machine->name,
                of->load_percent);
}

static int list(void)
{
        static const struct {
                const char *name, *about;
        } others[] = {
                { "par", "the engine of this project" },
                { "zones", "three zones with a buddy each, as Linux has them" },
                { "buddy", "blocks of powers of two on multiples of their size" },
        };

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                printf("%-14s %s\n", others[i].name, others[i].about);
        for (const struct policy *policy = policies; policy->ops.name; policy++)
                printf("%-14s %s\n", policy->ops.name, policy->about);
        return fflush(stdout) ? 1 : 0;
}

/* What is to be said about a file. */
static int file_failed(const char *path, int r)
{
        fprintf(stderr, "par-bench experiment: %s: %s\n", path,
                r == -EINVAL ? "there are no marks for the tables" : strerror(-r));
        return r;
}

static int tell(const struct experiment_options *options, const struct study *study)
{
        int r = 0;

        if (options->json)
                r = experiment_json_print(study, &options->study, stdout);
        else
                experiment_text_print(study, stdout);
        if (!r && fflush(stdout))
                r = -errno;
        if (r)
                return file_failed("standard output", r);
        if (options->svg) {
                r = experiment_plot_write(options->svg, study);
                if (r)
                        return file_failed(options->svg, r);
        }
        if (options->doc) {
                r = experiment_doc_renew(options->doc, study);
                if (r)
                        return file_failed(options->doc, r);
        }
        return 0;
}

static int run(struct experiment_options *options)
{
        static struct workload workload; /* too large for a stack */
        char error[256];
        struct study study;
        int r;

        r = workload_read(options->path, &workload, error, sizeof(error));
        if (r) {
                fprintf(stderr, "par-bench experiment: %s\n", r == -EINVAL ? error : strerror(-r));
                return r;
        }
        options->study.workload = &workload;
        r = study_run(&options->study, isatty(STDERR_FILENO) ? progress : NULL, &study);
        if (isatty(STDERR_FILENO))
                fputs("\r\033[K", stderr);
        if (r) {
                fprintf(stderr, "par-bench experiment: %s\n",
                        r == -EINVAL ? "a mix asks for more than its machine has" : strerror(-r));
                return r;
        }
        if (!study.n_cases)
                fputs("par-bench experiment: there is no such mix on such a machine\n", stderr);
        r = study.n_cases ? tell(options, &study) : -ENOENT;
        study_deinit(&study);
        return r;
}

int experiment_main(int argc, char **argv)
{
        struct experiment_options options;

        if (experiment_options_parse(argc, argv, &options))
                return 2;
        if (options.help)
                return fputs(experiment_options_help, stdout) == EOF || fflush(stdout);
        if (options.list)
                return list();
        return run(&options) ? 1 : 0;
}
