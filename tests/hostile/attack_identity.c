/* SPDX-License-Identifier: MIT */
/* Being somebody else, and having what is somebody else's. */
#include "attack.h"
#include "line.h"

#include "macros.h"
#include "process.h"
#include "result.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- resume tokens --------------------------------------------------------------------------- */

static void expect_new(struct line *line, const char *what)
{
        if (line->resumed)
                die("%s resumes a session", what);
        line_close(line);
}

void attack_forge_tokens(struct attacker *attacker, const struct attack *attack)
{
        struct line own, forged;
        uint64_t token;

        (void)attack;
        if (!line_open(&own, 0))
                return;
        for (int i = 0; i < 32; i++) {
                token = i % 2 ? random_next(&attacker->random)
                              : own.token ^ (UINT64_C(1) << random_below(&attacker->random, 64));
                if (!line_open(&forged, token))
                        continue;
                ++*attacker->tries;
                expect_new(&forged, "a forged token");
        }
        line_close(&own);
}

void attack_replay_tokens(struct attacker *attacker, const struct attack *attack)
{
        uint64_t token, buffer;
        struct line own, again;

        (void)attack;
        if (attacker->victim->token && line_open(&again, attacker->victim->token)) {
                ++*attacker->tries;
                expect_new(&again, "another's token");
        }
        if (!line_open(&own, 0))
                return;
        token = own.token;
        (void)line_alloc(&own, 4096, 0, &buffer);
        /* While the session lives it is the kernel that knows who that is: nothing to resume. */
        if (line_open(&again, token)) {
                ++*attacker->tries;
                expect_new(&again, "the token of a session that goes on");
        }
        if (line_bye(&own) == 0 && line_open(&again, token)) {
                ++*attacker->tries;
                expect_new(&again, "the token of a session that said Bye");
        }
        line_close(&own);
}

/* ---- buffers by number ----------------------------------------------------------------------- */

static void expect_refusal(struct attacker *attacker, struct line *line, Wire__Request *request,
                           const char *what)
{
        const Wire__Reply *reply = line_ask(line, request);

        if (!reply)
                return;
        ++*attacker->tries;
        if (reply->result == 0 || line->got.count)
                die("%s: another's is given out", what);
}

static void try_buffer(struct attacker *attacker, struct line *line, uint64_t buffer)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Free free_it = WIRE__FREE__INIT;
        Wire__Extents extents = WIRE__EXTENTS__INIT;
        Wire__ExportDmabuf export = WIRE__EXPORT_DMABUF__INIT;
        Wire__Share share = WIRE__SHARE__INIT;
        Wire__Mapped mapped = WIRE__MAPPED__INIT;

        free_it.buffer = extents.buffer = export.buffer = share.buffer = mapped.buffer = buffer;
        mapped.space = 1;
        request.body_case = WIRE__REQUEST__BODY_FREE;
        request.free = &free_it;
        expect_refusal(attacker, line, &request, "free");
        request.body_case = WIRE__REQUEST__BODY_EXTENTS;
        request.extents = &extents;
        expect_refusal(attacker, line, &request, "extents");
        request.body_case = WIRE__REQUEST__BODY_EXPORT_DMABUF;
        request.export_dmabuf = &export;
        expect_refusal(attacker, line, &request, "export");
        request.body_case = WIRE__REQUEST__BODY_SHARE;
        request.share = &share;
        expect_refusal(attacker, line, &request, "share");
        request.body_case = WIRE__REQUEST__BODY_MAPPED;
        request.mapped = &mapped;
        expect_refusal(attacker, line, &request, "mapped");
}

/* Frames that others have mapped: saying that one has dropped, or kept, them changes nothing. */
static void drop_frames(struct attacker *attacker, struct line *line)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Drop drop = WIRE__DROP__INIT;
        Wire__Kept kept = WIRE__KEPT__INIT;
        uint64_t frames[64];

        for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
                frames[i] = (random_below(&attacker->random, 2) << 32) |
                            random_below(&attacker->random, 512);
        drop.frames = kept.frames = frames;
        drop.n_frames = kept.n_frames = ARRAY_SIZE(frames);
        request.body_case = WIRE__REQUEST__BODY_DROP;
        request.drop = &drop;
        *attacker->tries += line_ask(line, &request) != NULL;
        request.body_case = WIRE__REQUEST__BODY_KEPT;
        request.kept = &kept;
        *attacker->tries += line_ask(line, &request) != NULL;
}

void attack_foreign_buffers(struct attacker *attacker, const struct attack *attack)
{
        struct line line;

        (void)attack;
        if (!line_open(&line, 0))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(attacker->victim->buffers); i++)
                if (attacker->victim->buffers[i])
                        try_buffer(attacker, &line, attacker->victim->buffers[i]);
        for (int i = 0; i < 16; i++)
                try_buffer(attacker, &line,
                           random_next(&attacker->random) >> random_below(&attacker->random, 64));
        drop_frames(attacker, &line);
        line_close(&line);
}

/* ---- names ----------------------------------------------------------------------------------- */

void attack_foreign_names(struct attacker *attacker, const struct attack *attack)
{
        static const char *const spellings[] = {
                "%u/" VICTIM_NAME,
                "+%u/" VICTIM_NAME,
                "0%u/" VICTIM_NAME,
                " %u/" VICTIM_NAME,
                "%u/../" VICTIM_NAME,
                "%u//" VICTIM_NAME,
                "%u/" VICTIM_NAME "/",
                VICTIM_NAME,
                "/" VICTIM_NAME,
                "../%u/" VICTIM_NAME,
                "4295032396/" VICTIM_NAME, /* the uid and 2^32 */
                "-4294902196/" VICTIM_NAME,
        };
        struct line line;

        (void)attack;
        if (!line_open(&line, 0))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
                Wire__Request request = WIRE__REQUEST__INIT;
                Wire__Remove remove = WIRE__REMOVE__INIT;
                Wire__Open open = WIRE__OPEN__INIT;
                char name[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                snprintf(name, sizeof(name), spellings[i], UID_GOOD);
#pragma GCC diagnostic pop
                open.name = remove.name = name;
                request.body_case = WIRE__REQUEST__BODY_OPEN;
                request.open = &open;
                expect_refusal(attacker, &line, &request, name);
                request.body_case = WIRE__REQUEST__BODY_REMOVE;
                request.remove = &remove;
                expect_refusal(attacker, &line, &request, name);
        }
        line_close(&line);
}

void attack_guess_shares(struct attacker *attacker, const struct attack *attack)
{
        struct line line;

        (void)attack;
        if (!line_open(&line, 0))
                return;
        for (int i = 0; i < 64; i++) {
                Wire__Request request = WIRE__REQUEST__INIT;
                Wire__Open open = WIRE__OPEN__INIT;
                uint64_t token[2] = { random_next(&attacker->random),
                                      random_next(&attacker->random) };

                open.token.data = (uint8_t *)token;
                open.token.len = i % 8 ? sizeof(token) : random_below(&attacker->random, 17);
                request.body_case = WIRE__REQUEST__BODY_OPEN;
                request.open = &open;
                expect_refusal(attacker, &line, &request, "a token by chance");
        }
        line_close(&line);
}

/* ---- rights ---------------------------------------------------------------------------------- */

static void expect_denial(struct attacker *attacker, struct line *line, Wire__Request *request)
{
        const Wire__Reply *reply = line_ask(line, request);

        if (!reply)
                return;
        ++*attacker->tries;
        if (reply->result != PAR_REFUSED_DENIED && reply->result != PAR_REFUSED_GONE)
                die("what only an administrator may is answered with %u", reply->result);
}

void attack_play_admin(struct attacker *attacker, const struct attack *attack)
{
        char pool[] = "any", name[] = "good";
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Selection which = WIRE__SELECTION__INIT;
        Wire__Resize resize = WIRE__RESIZE__INIT;
        Wire__Reload reload = WIRE__RELOAD__INIT;
        Wire__Drain drain = WIRE__DRAIN__INIT;
        struct line line;

        (void)attack;
        if (!line_open(&line, 0))
                return;
        resize.pool = drain.pool = pool;
        which.client_name = name;
        for (int i = 0; i < 16; i++) {
                request.body_case = WIRE__REQUEST__BODY_RESIZE;
                request.resize = &resize;
                expect_denial(attacker, &line, &request);
                request.body_case = WIRE__REQUEST__BODY_DRAIN;
                request.drain = &drain;
                expect_denial(attacker, &line, &request);
                request.body_case = WIRE__REQUEST__BODY_REVOKE;
                request.revoke = &which;
                expect_denial(attacker, &line, &request);
                request.body_case = WIRE__REQUEST__BODY_RELEASE;
                request.release = &which;
                expect_denial(attacker, &line, &request);
                request.body_case = WIRE__REQUEST__BODY_RELOAD;
                request.reload = &reload;
                expect_denial(attacker, &line, &request);
        }
        line_close(&line);
}

void attack_no_member(struct attacker *attacker, const struct attack *attack)
{
        struct line line;

        (void)attack;
        if (line_connect(&line) || errno != EACCES)
                die("who is not of the socket's group is let in: %s", strerror(errno));
        ++*attacker->tries;
}
