/* SPDX-License-Identifier: MIT */
/*
 * Who may connect, who may use which pool, and who sees whose names: by uid, by group, and by a
 * further group. Needs root, to become all of them.
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <grp.h>
#include <par.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_BYTES (2 * MiB)

static const char config[] =
        "backend = \"sim\"\n"
        "group = \"65001\"\nmode = \"0660\"\nadmin_group = \"65002\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n"
        "pool \"open\" { size_min = \"16M\" }\n"
        "pool \"private\" { size_min = \"16M\" allow = { \"uid:65010\", \"gid:65020\" } }\n";

static void insist(bool good, const char *what)
{
        if (!good)
                die("%s: %s", what, strerror(errno));
}

struct person {
        uid_t uid;
        gid_t gid, further; /* 0: no further group */
};

/* In a process of its own: what somebody else finds. */
static void as(const struct person *person, void (*see)(const void *data), const void *data)
{
        int status;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        insist(pid >= 0, "fork");
        if (pid == 0) {
                insist(setgroups(person->further != 0, &person->further) == 0 &&
                               setresgid(person->gid, person->gid, person->gid) == 0 &&
                               setresuid(person->uid, person->uid, person->uid) == 0,
                       "becoming somebody else");
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                see(data);
                exit(0);
        }
        insist(waitpid(pid, &status, 0) == pid, "wait");
        if (status)
                exit(EXIT_FAILURE); /* it has said why */
}

/* ---- the socket and the pools ---------------------------------------------------------------- */

static const struct access_case {
        const char *name;
        struct person person;
        int connect, open, private;
} cases[] = {
        { "root", { 0, 0, 0 }, 0, 0, -PAR_DENIED },
        { "nobody's friend", { 65030, 65030, 0 }, -EACCES, 0, 0 },
        { "of the socket's group", { 65030, 65001, 0 }, 0, 0, -PAR_DENIED },
        { "with the socket's group", { 65030, 65030, 65001 }, 0, 0, -PAR_DENIED },
        { "allowed by uid", { 65010, 65001, 0 }, 0, 0, 0 },
        { "allowed by a further group", { 65030, 65001, 65020 }, 0, 0, 0 },
        { "allowed by its group, but kept out", { 65030, 65020, 0 }, -EACCES, 0, 0 },
        { "allowed by its group", { 65030, 65020, 65001 }, 0, 0, 0 },
        { "of a uid that is an allowed gid", { 65020, 65001, 0 }, 0, 0, -PAR_DENIED },
        { "of a gid that is an allowed uid", { 65030, 65010, 65001 }, 0, 0, -PAR_DENIED },
};

static void expect(const struct access_case *at, const char *what, int r, int expected)
{
        if (r != expected)
                die("%s: %s: %s (%s), and not %s", at->name, what, par_strerror(r), par_error(NULL),
                    par_strerror(expected));
}

static int take_from(struct par *par, const char *pool)
{
        struct par_alloc_options options = { .pool = pool };
        struct par_buffer *buffer;
        int r;

        r = par_alloc(par, 4096, NULL, &options, &buffer);
        if (!r && strcmp(par_buffer_pool(buffer), pool) != 0)
                die("a buffer from pool %s and not %s", par_buffer_pool(buffer), pool);
        if (!r)
                par_free(buffer);
        return r;
}

static void try_access(const void *data)
{
        const struct access_case *at = data;
        char sentence[128];
        struct par *par;

        expect(at, "connect", par_connect(NULL, NULL, &par), at->connect);
        if (at->connect)
                return;
        expect(at, "pool open", take_from(par, "open"), at->open);
        expect(at, "pool private", take_from(par, "private"), at->private);
        snprintf(sentence, sizeof(sentence), "is open to uid %u: not private", at->person.uid);
        if (at->private && !strstr(par_error(par), sentence))
                die("%s: the refusal says: %s", at->name, par_error(par));
        par_disconnect(par);
}

/* ---- names ----------------------------------------------------------------------------------- */

static const struct name_case {
        const char *name;
        struct person person;
        bool knows;
} name_cases[] = {
        { "root", { 0, 0, 0 }, true },
        { "an administrator by group", { 65031, 65001, 65002 }, true },
        { "the same uid", { 65010, 65001, 0 }, true },
        { "another uid", { 65031, 65001, 0 }, false },
};

static void check_names(const struct name_case *at, const char *what, bool known,
                        const char *client, uint32_t uid)
{
        if (known != at->knows || strcmp(client, known ? "secret" : "") != 0 ||
            uid != (known ? 65010 : 0))
                die("%s sees \"%s\" of uid %u in the list of %s", at->name, client, uid, what);
}

static void look_at_names(const void *data)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        const struct name_case *at = data;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;
        struct wire_client client;
        size_t strangers = 0;

        wire_client_open(getenv("PAR_SOCKET"), "curious", &client);
        request.body_case = WIRE__REQUEST__BODY_BUFFERS;
        request.buffers = &list;
        reply = wire_client_ask(&client, &request);
        if (reply->result || reply->buffers->n_buffers != 1)
                die("%s: no list of one buffer", at->name);
        check_names(at, "buffers", reply->buffers->buffers[0]->known,
                    reply->buffers->buffers[0]->client, reply->buffers->buffers[0]->uid);
        if (strcmp(reply->buffers->buffers[0]->label, at->knows ? "secret label" : "") != 0)
                die("%s sees the label \"%s\"", at->name, reply->buffers->buffers[0]->label);
        if (!at->knows && reply->buffers->buffers[0]->pid)
                die("%s sees a stranger's pid", at->name);

        request.body_case = WIRE__REQUEST__BODY_CLIENTS;
        request.clients = &list;
        reply = wire_client_ask(&client, &request);
        for (size_t i = 0; !reply->result && i < reply->clients->n_clients; i++) {
                const Wire__Client *row = reply->clients->clients[i];

                /* What those before gave back may still be on its way. */
                if (row->mine || !row->connected)
                        continue;
                strangers++;
                check_names(at, "clients", row->known, row->name, row->uid);
        }
        if (strangers != 1)
                die("%s: %zu other clients", at->name, strangers);
        request.body_case = WIRE__REQUEST__BODY_FRAMES;
        request.frames = &list;
        reply = wire_client_ask(&client, &request);
        for (size_t i = 0; !reply->result && i < reply->frames->n_frames; i++) {
                const Wire__Frame *row = reply->frames->frames[i];

                if (strcmp(row->state, "granted") == 0)
                        check_names(at, "frames", row->known, row->client, row->uid);
        }
        wire_client_close(&client);
}

/* Holds one buffer, and has all others look at it. */
static void hold_and_show(const void *data)
{
        struct par_connect_options connect_options = { .client_name = "secret" };
        struct par_alloc_options options = { .label = "secret label" };
        const int *ends = data;
        struct par_buffer *buffer;
        struct par *par;
        char byte;

        insist(par_connect(NULL, &connect_options, &par) == 0, "connect");
        insist(par_alloc(par, FRAME_BYTES, NULL, &options, &buffer) == 0, "alloc");
        insist(write(ends[1], "x", 1) == 1, "tell");
        insist(read(ends[0], &byte, 1) == 1, "hear");
        par_disconnect(par);
}

static void show_names(void)
{
        static const struct person owner = { 65010, 65001, 0 };
        int down[2], up[2], status;
        pid_t pid;
        char byte;

        insist(pipe(down) == 0 && pipe(up) == 0, "pipe");
        fflush(NULL);
        pid = fork();
        insist(pid >= 0, "fork");
        if (pid == 0) {
                int ends[] = { down[0], up[1] };

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                as(&owner, hold_and_show, ends);
                exit(0);
        }
        insist(read(up[0], &byte, 1) == 1, "hear");
        for (size_t i = 0; i < ARRAY_SIZE(name_cases); i++)
                as(&name_cases[i].person, look_at_names, &name_cases[i]);
        insist(write(down[1], "x", 1) == 1, "tell");
        insist(waitpid(pid, &status, 0) == pid && !status, "the holder");
}

int main(void)
{
        struct pard_fixture pard;

        if (getuid() != 0) {
                printf("skipped: becoming other users takes root\n");
                return EXIT_SKIPPED;
        }
        pard_fixture_start_filled(config, &pard);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                as(&cases[i].person, try_access, &cases[i]);
        show_names();
        pard_fixture_stop(&pard);
        return 0;
}
