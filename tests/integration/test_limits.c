/* SPDX-License-Identifier: MIT */
/*
 * Quotas and claims under a thousand sessions of five users, each in a process of its own, which
 * take and free at random while the worker is killed: no quota is exceeded by a byte, and in the
 * end, when everybody has taken all he gets, those with claims get all of theirs, over a death of
 * the worker, too.
 *
 * Three look at it. The users themselves count the frames that their buffers lie in, by physical
 * addresses, and their buffers, in memory that they share: a buffer is counted after it was granted
 * and until before it is freed, so what they count is never more than what they have, and may at no
 * moment be more than a quota allows; nor may two users have a frame at once. parctl compares what
 * pard says. And in builds with checks the worker walks its own sums. Needs root, to become the
 * users.
 *
 * test_limits [OPERATIONS [KILLS]]: of each user; 3,000. Deaths of the worker meanwhile; 1
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <jansson.h>
#include <par.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_BYTES  (64 * KiB)
#define FRAMES       4096
#define FRAMES_FIRST (UINT64_C(4) << 30)
#define USERS        5
#define SESSIONS     200 /* of each user */
#define BUFFERS_MAX  8   /* of each session */
#define SESSIONS_MAX 220
#define GROUP        65100
#define ANSWER_BYTES 65536 /* of parctl */

/* Deaths of the worker while everybody operates. */
#define KILLS_DEFAULT 1
#define DEATHS_MAX    100

#define STRING_OF(x) #x
#define STRING(x)    STRING_OF(x)

/* Frames. The first user has a claim of his own, the second and third that of the group. */
#define OWN_CLAIM   512
#define GROUP_CLAIM 256

static const char config[] =
        "backend = \"sim\"\n"
        "mode = \"0666\"\n"
        "max_clients = 1200\nmax_clients_per_user = " STRING(
                SESSIONS_MAX) "\n"
                              "sim { extent \"high\" { first = \"4G\" size = \"256M\" "
                              "page_size = "
                              "\"64K\" } }\n"
                              "pool \"any\" { page_size = \"64K\" size_min = \"256M\"\n"
                              "  quota \"user:*\" { frames = 1500 }\n"
                              "  quota \"uid:65014\" { buffers = 1400 }\n"
                              "  quota \"uid:65011\" { bytes = \"50M\" }\n"
                              "  quota \"gid:" STRING(
                                      GROUP) "\" { bytes = \"120M\" buffers = 1000 }\n"
                                             "  claim \"uid:65010\" { bytes = \"32M\" }\n"
                                             "  claim \"gid:" STRING(
                                                     GROUP) "\" { bytes = \"16M\" }\n"
                                                            "}\n";

struct user {
        uid_t uid;
        bool in_group;
        pid_t pid;
        int commands, answers; /* pipes */
};

static struct user users[USERS] = {
        { .uid = 65010 },
        { .uid = 65011, .in_group = true },
        { .uid = 65012, .in_group = true },
        { .uid = 65013 },
        { .uid = 65014 },
};

/* ---- what the users count themselves --------------------------------------------------------- */

#define NO_LIMIT UINT32_MAX

/* As the configuration says, in whole frames; the last one is the group's. */
static const struct {
        uint32_t frames, buffers;
} quotas[USERS + 1] = {
        { 1500, NO_LIMIT }, { 800, NO_LIMIT },  { 1500, NO_LIMIT },
        { 1500, NO_LIMIT }, { NO_LIMIT, 1400 }, /* his own alone */
        { 1920, 1000 },
};

/**
 * struct shared - what all users have
 * @owners: of each frame, user + 1; 0: nobody that knows it
 * @most:   that was seen, for the end
 */
static struct shared {
        _Atomic uint32_t owners[FRAMES];
        _Atomic uint32_t frames[USERS + 1], buffers[USERS + 1];
        _Atomic uint32_t most_frames[USERS + 1], most_buffers[USERS + 1];
} * shared;

/* Buffers of this user in each frame. */
static uint16_t here[FRAMES];

static void keep_most(_Atomic uint32_t *most, uint32_t now)
{
        uint32_t before = atomic_load(most);

        while (now > before && !atomic_compare_exchange_weak(most, &before, now))
                ;
}

static void add_to(size_t quota, bool frame)
{
        _Atomic uint32_t *count = frame ? &shared->frames[quota] : &shared->buffers[quota];
        const uint32_t most = frame ? quotas[quota].frames : quotas[quota].buffers;
        const uint32_t now = atomic_fetch_add(count, 1) + 1;

        if (now > most)
                die("quota %zu: %u %s, and it allows %u", quota, now, frame ? "frames" : "buffers",
                    most);
        keep_most(frame ? &shared->most_frames[quota] : &shared->most_buffers[quota], now);
}

static void add(const struct user *user, bool frame)
{
        add_to((size_t)(user - users), frame);
        if (user->in_group)
                add_to(USERS, frame);
}

static void subtract(const struct user *user, bool frame)
{
        const size_t at[] = { (size_t)(user - users), USERS };

        for (size_t i = 0; i < (user->in_group ? 2 : 1); i++)
                atomic_fetch_sub(frame ? &shared->frames[at[i]] : &shared->buffers[at[i]], 1);
}

static void count_frame(const struct user *user, size_t frame)
{
        uint32_t nobody = 0;

        if (frame >= FRAMES)
                die("uid %u: memory where there is none", user->uid);
        if (here[frame]++)
                return;
        if (!atomic_compare_exchange_strong(&shared->owners[frame], &nobody,
                                            (uint32_t)(user - users) + 1))
                die("uid %u: frame %zu is another's", user->uid, frame);
        add(user, true);
}

static void forget_frame(const struct user *user, size_t frame)
{
        if (--here[frame])
                return;
        subtract(user, true);
        atomic_store(&shared->owners[frame], 0);
}

static void each_frame(const struct user *user, const struct par_buffer *buffer,
                       void (*what)(const struct user *user, size_t frame))
{
        const struct par_segment *runs;
        const size_t n = par_buffer_runs(buffer, &runs);

        for (size_t i = 0; i < n; i++) {
                const uint64_t at = runs[i].phys - FRAMES_FIRST;

                for (uint64_t frame = at / FRAME_BYTES;
                     frame <= (at + runs[i].length - 1) / FRAME_BYTES; frame++)
                        what(user, frame);
        }
}

/* ---- a user ---------------------------------------------------------------------------------- */

static const struct user *self;

static struct session {
        struct par *par;
        struct par_buffer *buffers[BUFFERS_MAX];
} sessions[SESSIONS];

static void put_back(struct par_buffer **buffer)
{
        if (!*buffer)
                return;
        each_frame(self, *buffer, forget_frame);
        subtract(self, false);
        par_free(*buffer);
        *buffer = NULL;
}

/* A worker that dies before it has answered takes the connection along: there is another one. */
static void connect_one(struct session *session)
{
        int r = -PAR_GONE;

        for (unsigned i = 0; r == -PAR_GONE && i < DEATHS_MAX; i++)
                r = par_connect(NULL, NULL, &session->par);
        if (r)
                die("uid %u: connect: %s", getuid(), par_error(NULL));
}

/* Refusals are answers, but each has to be one of these. */
static bool take(struct session *session, size_t slot, size_t bytes, int wait_ms)
{
        const struct par_constraint any = { .max_segments = PAR_SEGMENTS_ANY };
        const struct par_alloc_options options = { .wait_ms = wait_ms };
        int r;

        r = par_alloc(session->par, bytes, &any, &options, &session->buffers[slot]);
        if (r && r != -PAR_QUOTA && r != -PAR_EXHAUSTED && r != -PAR_FRAGMENTED &&
            r != -PAR_NEVER_FITS && r != -PAR_TIMED_OUT)
                die("uid %u: %zu bytes: %s", getuid(), bytes, par_error(session->par));
        if (r == -PAR_QUOTA && !strstr(par_error(session->par), "quota \""))
                die("uid %u: which quota? %s", getuid(), par_error(session->par));
        if (r)
                return false;
        add(self, false);
        each_frame(self, session->buffers[slot], count_frame);
        return true;
}

static void give_back(struct session *session)
{
        for (size_t i = 0; i < BUFFERS_MAX; i++)
                put_back(&session->buffers[i]);
}

static void operate(struct random *random)
{
        struct session *session = &sessions[random_below(random, SESSIONS)];
        const size_t slot = random_below(random, BUFFERS_MAX);

        if (session->buffers[slot]) {
                put_back(&session->buffers[slot]);
        } else if (random_one_in(random, 50)) {
                give_back(session);
                par_disconnect(session->par);
                connect_one(session);
        } else {
                take(session, slot, 4096 * (1 + random_below(random, 64)),
                     random_one_in(random, 8) ? 5 : 0);
        }
}

/* All that there is for this user, in frames. Return: how many. */
static unsigned take_all(void)
{
        unsigned taken = 0;

        for (size_t i = 0; i < SESSIONS; i++)
                for (size_t slot = 0; slot < BUFFERS_MAX; slot++)
                        if (!sessions[i].buffers[slot] && take(&sessions[i], slot, FRAME_BYTES, 0))
                                taken++;
        return taken;
}

/* What is claimed is there, however much others have. It may be on its way back from oneself. */
static void take_claim(unsigned frames)
{
        for (size_t i = 0; i < SESSIONS; i++)
                give_back(&sessions[i]);
        for (unsigned i = 0; i < frames; i++)
                if (!take(&sessions[i % SESSIONS], i / SESSIONS, FRAME_BYTES, -1))
                        die("uid %u: frame %u of %u claimed ones: %s", getuid(), i, frames,
                            par_error(sessions[i % SESSIONS].par));
}

/* A user has no more sessions than he may. */
static void connect_too_many(void)
{
        struct par *more[SESSIONS_MAX - SESSIONS + 1] = { 0 };
        size_t n = 0;
        int r = 0;

        while (n < ARRAY_SIZE(more) && !r)
                r = par_connect(NULL, NULL, &more[n++]);
        if (r != -PAR_QUOTA ||
            !strstr(par_error(NULL), "max_clients_per_user is " STRING(SESSIONS_MAX)))
                die("uid %u: %zu more sessions: %s", getuid(), n, par_error(NULL));
        for (size_t i = 0; i < n; i++)
                par_disconnect(more[i]);
}

static void answer(const struct user *user)
{
        const char done = '.';

        if (write(user->answers, &done, 1) != 1)
                die("uid %u: %s", getuid(), strerror(errno));
}

/* When all sessions are there, the first answer. Commands: 'o': operate at random; 'a': take all
 * there is; 'g': give all back; 'c': take what is claimed; 's': have too many sessions; 'e': the
 * end. */
static void obey(const struct user *user, unsigned operations)
{
        struct random random = { user->uid };
        char command;

        for (size_t i = 0; i < SESSIONS; i++)
                connect_one(&sessions[i]);
        answer(user);
        while (read(user->commands, &command, 1) == 1 && command != 'e') {
                switch (command) {
                case 'o':
                        for (unsigned i = 0; i < operations; i++)
                                operate(&random);
                        break;
                case 'a': (void)take_all(); break;
                case 'c': take_claim(user == users ? OWN_CLAIM : GROUP_CLAIM); break;
                case 'g':
                        for (size_t i = 0; i < SESSIONS; i++)
                                give_back(&sessions[i]);
                        break;
                case 's': connect_too_many(); break;
                }
                answer(user);
        }
        for (size_t i = 0; i < SESSIONS; i++)
                par_disconnect(sessions[i].par);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void start(struct user *user, unsigned operations)
{
        const struct rlimit files = { 4096, 4096 };
        const gid_t group = GROUP;
        int commands[2], answers[2];

        if (pipe(commands) || pipe(answers))
                die("pipe: %s", strerror(errno));
        fflush(NULL);
        user->pid = fork();
        if (user->pid < 0)
                die("fork: %s", strerror(errno));
        if (!user->pid) {
                close(commands[1]);
                close(answers[0]);
                user->commands = commands[0];
                user->answers = answers[1];
                if (setrlimit(RLIMIT_NOFILE, &files) || setgroups(user->in_group, &group) ||
                    setresgid(user->uid, user->uid, user->uid) ||
                    setresuid(user->uid, user->uid, user->uid))
                        die("becoming uid %u: %s", user->uid, strerror(errno));
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                self = user;
                obey(user, operations);
                exit(0);
        }
        close(commands[0]);
        close(answers[1]);
        user->commands = commands[1];
        user->answers = answers[0];
}

static void tell(const struct user *user, char command)
{
        if (write(user->commands, &command, 1) != 1)
                die("uid %u is gone", user->uid);
}

static void expect_answer(const struct user *user)
{
        char done;

        if (read(user->answers, &done, 1) != 1)
                die("uid %u is gone", user->uid);
}

static bool has_answered(const struct user *user)
{
        struct pollfd wait = { .fd = user->answers, .events = POLLIN };

        return poll(&wait, 1, 0) == 1;
}

/* What parctl says of a list; the array is the caller's reference to *@ret_root. */
static const json_t *ask(const char *list, json_t **ret_root)
{
        static char answer[ANSWER_BYTES];
        const char *const argv[] = { "parctl", "--json", list, NULL };

        if (run_program(argv, answer, sizeof(answer)))
                die("parctl %s failed", list);
        *ret_root = json_loads(answer, 0, NULL);
        if (!json_is_array(json_object_get(*ret_root, list)))
                die("parctl %s: %zu bytes that are no list", list, strlen(answer));
        return json_object_get(*ret_root, list);
}

/* Of a row; missing is 0. */
static uint64_t figure(const json_t *row, const char *name)
{
        return (uint64_t)json_integer_value(json_object_get(row, name));
}

static const char *word(const json_t *row, const char *name)
{
        const char *value = json_string_value(json_object_get(row, name));

        return value ? value : "-";
}

/* Return: limits that were seen to be in use. */
static unsigned look_at_quotas(void)
{
        const json_t *rows, *row;
        unsigned seen = 0;
        json_t *root;
        size_t i;

        rows = ask("limits", &root);
        json_array_foreach(rows, i, row)
        {
                const uint64_t used = figure(row, "used"), most = figure(row, "most");

                /* A claim is what there is at least. */
                if (!json_is_integer(json_object_get(row, "used")) ||
                    strcmp(word(row, "limit"), "claim") == 0)
                        continue;
                if (used > most)
                        die("%s of %s in pool %s: %" PRIu64 " of %" PRIu64, word(row, "limit"),
                            word(row, "whom"), word(row, "pool"), used, most);
                seen += used > 0;
        }
        json_decref(root);
        return seen;
}

/* What is claimed and not in use is free. Only what is just being taken again is neither. */
static void look_at_claims(void)
{
        uint64_t free_bytes, held, size_min, unused;
        const json_t *pool;
        json_t *root;

        pool = json_array_get(ask("pools", &root), 0);
        free_bytes = figure(pool, "free");
        held = figure(pool, "held");
        size_min = figure(pool, "size_min");
        unused = figure(pool, "claims_unused");
        if (!held)
                die("parctl pools tells of no memory");
        if (unused > free_bytes + (size_min > held ? size_min - held : 0))
                die("%" PRIu64 " bytes are claimed and not in use, and %" PRIu64 " are free",
                    unused, free_bytes);
        json_decref(root);
}

static unsigned look(void)
{
        look_at_claims();
        return look_at_quotas();
}

/* Not before there is another one than was killed last. */
static void kill_worker(const struct pard_fixture *pard)
{
        static pid_t last;
        pid_t worker;

        while (!(worker = pard_fixture_worker(pard)) || worker == last)
                usleep(1000);
        if (kill(worker, SIGKILL))
                die("kill: %s", strerror(errno));
        last = worker;
}

/* Everybody does it at once, and is looked at meanwhile; the worker dies so often, first of all at
 * once. Return: limits in use, the most seen. */
static unsigned all(const struct pard_fixture *pard, char command, unsigned kills)
{
        unsigned most = 0, n = 0, looks = 0;

        for (size_t i = 0; i < USERS; i++)
                tell(&users[i], command);
        do {
                unsigned seen;

                if (kills) {
                        kill_worker(pard);
                        kills--;
                }
                seen = look();
                most = seen > most ? seen : most;
                looks++;
                n = 0;
                for (size_t i = 0; i < USERS; i++)
                        n += has_answered(&users[i]);
        } while (n < USERS || kills);
        for (size_t i = 0; i < USERS; i++)
                expect_answer(&users[i]);
        printf("%c: looked %u times, %u limits in use\n", command, looks, most);
        return most;
}

/* @pard: whose worker dies meanwhile; NULL: none does. */
static void one(size_t user, char command, const struct pard_fixture *pard)
{
        tell(&users[user], command);
        if (pard)
                kill_worker(pard);
        expect_answer(&users[user]);
        (void)look();
}

/* The test would show nothing if nobody came near his quota. */
static void expect_near(void)
{
        unsigned near = 0;

        for (size_t i = 0; i <= USERS; i++) {
                const uint32_t frames = atomic_load(&shared->most_frames[i]);
                const uint32_t buffers = atomic_load(&shared->most_buffers[i]);

                printf("quota %zu: at most %u frames and %u buffers at once\n", i, frames, buffers);
                near += frames >= quotas[i].frames / 2 || buffers >= quotas[i].buffers / 2;
        }
        if (near < 3)
                die("that is not near");
}

static void stop(struct user *user)
{
        int status;

        tell(user, 'e');
        if (waitpid(user->pid, &status, 0) != user->pid || status)
                die("uid %u ended with status 0x%x", user->uid, status);
        close(user->commands);
        close(user->answers);
}

int main(int argc, char **argv)
{
        const unsigned operations = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 3000;
        const unsigned kills = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : KILLS_DEFAULT;
        const struct rlimit files = { 16384, 16384 };
        struct pard_fixture pard;

        if (getuid()) {
                printf("needs root\n");
                return EXIT_SKIPPED;
        }
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        if (shared == MAP_FAILED)
                die("mmap: %s", strerror(errno));
        signal(SIGPIPE, SIG_IGN);
        setrlimit(RLIMIT_NOFILE, &files);
        pard_fixture_start_filled(config, &pard);
        setenv("PAR_SOCKET", pard.socket, 1);
        for (size_t i = 0; i < USERS; i++)
                start(&users[i], operations);
        for (size_t i = 0; i < USERS; i++)
                expect_answer(&users[i]);

        /* Sessions of all and of each user; quotas of three users alike, two of their own, and two
         * of the group. */
        if (all(&pard, 'o', kills) < 1 + USERS + 3 + 2 + 2)
                die("too few limits were in use");
        (void)all(&pard, 's', 0);
        (void)all(&pard, 'a', 1);
        /* Whatever those with claims do not use nobody else gets... */
        one(0, 'g', NULL);
        one(1, 'g', NULL);
        one(3, 'a', NULL);
        one(4, 'a', NULL);
        one(2, 'a', NULL);
        /* ...so that they get it. The group has its own in the third user's hands alone. */
        one(0, 'c', &pard);
        one(2, 'c', NULL);
        expect_near();
        for (size_t i = 0; i < USERS; i++)
                stop(&users[i]);
        pard_fixture_stop(&pard);
        return 0;
}
