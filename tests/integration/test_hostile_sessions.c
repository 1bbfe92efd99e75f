/* SPDX-License-Identifier: MIT */
/*
 * Sessions that break the protocol, never read, ask for everything, or stop in the middle, each in
 * a process of another uid: meanwhile a well-behaved client has its answers, and afterwards nothing
 * is missing.
 *
 *     test_hostile_sessions [hugetlb]      default: invented memory
 */
#include "lingering_socket.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "result.h"
#include "wire_client.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <par.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES  (64 * MiB)
#define FRAME_BYTES (2 * MiB)
#define STRANGER    65533
#define SETTLE_MS   20000
#define STATUS_MS   5000  /* who waits longer was blocked, by a close that lingers for 20 s */
#define END_MS      10000 /* half of that */
#define CONNECTS    2000

static const char pool[] = "pool \"any\" { page_size = \"2M\" size_min = \"64M\" reuse_delay = "
                           "\"0ms\" quarantine = \"100ms\" }\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n";

static void insist(bool good, const char *what)
{
        if (!good)
                die("%s: %s", what, strerror(errno));
}

/* ---- the hostile processes ------------------------------------------------------------------- */

static int connect_raw(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        insist(fd >= 0, "socket");
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", getenv("PAR_SOCKET"));
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

static const unsigned char hello[] = { 0x08, 0x01, 0x12, 0x02, 0x08, 0x01 };

static int say_hello(void)
{
        char reply[256];
        int fd = connect_raw();

        insist(fd >= 0, "connect");
        insist(send(fd, hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello), "hello");
        insist(recv(fd, reply, sizeof(reply), 0) > 0, "welcome");
        return fd;
}

/* Read until pard has closed the connection. */
static void expect_end(int fd, const char *what)
{
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        char bytes[4096];
        ssize_t n;

        do {
                if (poll(&wait, 1, END_MS) <= 0)
                        die("%s: the connection is still open", what);
                n = recv(fd, bytes, sizeof(bytes), 0);
        } while (n > 0);
        close(fd);
}

static void talk_nonsense(void)
{
        static const struct {
                const char *name;
                bool after_hello;
                size_t size;
                unsigned char bytes[8];
        } cases[] = {
                { "an empty packet", false, 0, { 0 } },
                { "half a Hello", false, 3, { 0x08, 0x01, 0x12 } },
                { "a Hello of another version", false, 6, { 0x08, 1, 0x12, 2, 0x08, 99 } },
                { "a request before Hello", false, 4, { 0x08, 1, 0x62, 0 } },
                { "an empty packet later", true, 0, { 0 } },
                { "random bytes", true, 5, { 0xff, 0xfe, 0xfd, 0xfc, 0xfb } },
                { "a request cut off", true, 4, { 0x08, 0x02, 0x22, 0x10 } },
                { "seq 0", true, 2, { 0x62, 0x00 } },
        };
        static char large[PACKET_BYTES_MAX + 1];
        struct random random = { 1 };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                int fd = cases[i].after_hello ? say_hello() : connect_raw();

                insist(send(fd, cases[i].bytes, cases[i].size, MSG_NOSIGNAL) >= 0, cases[i].name);
                expect_end(fd, cases[i].name);
        }
        for (unsigned i = 0; i < 200; i++) {
                size_t size = 1 + random_below(&random, 300);
                int fd = say_hello();

                for (size_t j = 0; j < size; j++)
                        large[j] = (char)random_next(&random);
                insist(send(fd, large, size, MSG_NOSIGNAL) >= 0, "random packet");
                insist(send(fd, large, sizeof(large), MSG_NOSIGNAL) >= 0 || errno == EPIPE,
                       "oversized packet");
                expect_end(fd, "an oversized packet");
        }
}

/* Bytes of an Alloc of @frames in any number of segments; seq is @seq < 128. */
static size_t alloc_bytes(unsigned char *to, unsigned char seq, uint64_t frames)
{
        Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        size_t size;

        constraint.max_segments = UINT32_MAX;
        alloc.size = frames * FRAME_BYTES;
        alloc.constraint = &constraint;
        alloc.wait_ms = -1;
        request.seq = seq;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        insist(message_pack_request(&request, to, 256, &size) == 0, "pack");
        return size;
}

/* Ask for frame after frame, and for lists, and read nothing. */
static void never_read(void)
{
        static const unsigned char list[] = { 0x08, 0x7f, 0x72, 0x00 };
        unsigned char bytes[256];
        int fd = say_hello();

        for (unsigned char seq = 1; seq < 64; seq++) {
                size_t size = alloc_bytes(bytes, seq, 1);

                insist(send(fd, bytes, size, MSG_NOSIGNAL) > 0, "send");
        }
        while (send(fd, list, sizeof(list), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
                usleep(10);
        usleep(300000);
}

/* Everything at once, then killed without having read any of it. */
static void die_in_a_grant(void)
{
        unsigned char bytes[256];

        for (int i = 0; i < 20; i++) {
                pid_t pid = fork();

                insist(pid >= 0, "fork");
                if (pid == 0) {
                        int fd = say_hello();
                        size_t size = alloc_bytes(bytes, 1, POOL_BYTES / FRAME_BYTES);

                        insist(send(fd, bytes, size, MSG_NOSIGNAL) > 0, "send");
                        raise(SIGKILL);
                }
                waitpid(pid, NULL, 0);
        }
}

static void stop_with_full_queues(void)
{
        pid_t pids[8];

        for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
                pids[i] = fork();
                insist(pids[i] >= 0, "fork");
                if (pids[i] == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        never_read();
                        raise(SIGSTOP);
                        _exit(0);
                }
        }
        usleep(1000000);
        for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
                kill(pids[i], SIGKILL);
                waitpid(pids[i], NULL, 0);
        }
}

static void flood(void)
{
        static const unsigned char list[] = { 0x08, 0x01, 0x72, 0x00 };
        static char reply[PACKET_BYTES_MAX];
        uint64_t deadline = now_ns() + NS_PER_S;
        int fd = say_hello();

        while (now_ns() < deadline) {
                unsigned sent = 0;

                while (sent < 64 && send(fd, list, sizeof(list), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
                        sent++;
                while (sent--)
                        insist(recv(fd, reply, sizeof(reply), 0) > 0, "reply");
        }
        close(fd);
}

/* Sockets whose closing takes 20 seconds, before Hello and after it, behind an empty packet too. */
static void send_descriptors(void)
{
        for (int i = 0; i < 24; i++) {
                struct lingering_socket lingering;
                int fd = i % 2 ? say_hello() : connect_raw(), r;

                lingering_socket_init(&lingering);
                if (i % 4 < 2) {
                        insist(send(fd, hello, 1, MSG_NOSIGNAL) == 1, "nonsense");
                        (void)send(fd, hello, 0, MSG_NOSIGNAL);
                }
                r = packet_send(fd, "x", 1, &lingering.fd, 1);
                /* The kernel may refuse them at the sender; or pard has closed the session. */
                if (r && r != -EPERM && r != -EPIPE)
                        die("descriptors: %s", strerror(-r));
                if (r == 0) /* pard's is the last */
                        close(STEAL_FD(lingering.fd));
                if (r != -EPERM)
                        expect_end(fd, "descriptors that nobody asked for");
                else
                        close(fd);
                lingering_socket_deinit(&lingering);
        }
}

static void connect_often(void)
{
        static int fds[CONNECTS];
        int good = 0;

        for (int i = 0; i < CONNECTS; i++) {
                fds[i] = connect_raw();
                good += fds[i] >= 0;
        }
        usleep(300000);
        for (int i = 0; i < CONNECTS; i++)
                if (fds[i] >= 0)
                        close(fds[i]);
        if (!good)
                die("nobody could connect");
}

/* No descriptor is left to the client: it is told so, and the grant is taken back. */
static void run_out_of_descriptors(void)
{
        struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
        struct par_alloc_options options = { .wait_ms = SETTLE_MS };
        struct par_buffer *buffer;
        struct rlimit limit;
        struct par *par;
        int r, last;

        if (par_connect(NULL, NULL, &par))
                die("%s", par_error(NULL));
        last = dup(0);
        limit = (struct rlimit){ (rlim_t)last + 3, (rlim_t)last + 3 };
        close(last);
        insist(setrlimit(RLIMIT_NOFILE, &limit) == 0, "limit");
        for (int i = 0; i < 20; i++) {
                r = par_alloc(par, 8 * FRAME_BYTES, &want, &options, &buffer);
                if (r != -EMFILE)
                        die("no descriptor left: %s: %s", par_strerror(r), par_error(par));
        }
        par_disconnect(par);
}

/* What only administrators may ask: he is told so each time, and nothing changes. */
static void play_the_administrator(void)
{
        char any[] = "any", idle[] = "idle";
        Wire__Resize resize = WIRE__RESIZE__INIT;
        Wire__Drain drain = WIRE__DRAIN__INIT;
        Wire__Selection which = WIRE__SELECTION__INIT;
        Wire__Reload reload = WIRE__RELOAD__INIT;
        Wire__Request requests[] = { WIRE__REQUEST__INIT, WIRE__REQUEST__INIT, WIRE__REQUEST__INIT,
                                     WIRE__REQUEST__INIT };
        struct wire_client client;

        resize.pool = drain.pool = any;
        which.client_name = idle;
        requests[0].body_case = WIRE__REQUEST__BODY_RESIZE;
        requests[0].resize = &resize;
        requests[1].body_case = WIRE__REQUEST__BODY_DRAIN;
        requests[1].drain = &drain;
        requests[2].body_case = WIRE__REQUEST__BODY_REVOKE;
        requests[2].revoke = &which;
        requests[3].body_case = WIRE__REQUEST__BODY_RELOAD;
        requests[3].reload = &reload;
        wire_client_open(getenv("PAR_SOCKET"), "pretender", &client);
        for (size_t i = 0; i < 400; i++) {
                Wire__Request *request = &requests[i % ARRAY_SIZE(requests)];
                const Wire__Reply *reply = wire_client_ask(&client, request);

                if (reply->result != PAR_REFUSED_DENIED)
                        die("request %d: result %u", (int)request->body_case, reply->result);
        }
        wire_client_close(&client);
}

static const struct {
        const char *name;
        void (*attack)(void);
} attacks[] = {
        { "nonsense", talk_nonsense },
        { "never reading", never_read },
        { "dying in a grant", die_in_a_grant },
        { "stopping with full queues", stop_with_full_queues },
        { "a flood", flood },
        { "descriptors nobody asked for", send_descriptors },
        { "2000 connections", connect_often },
        { "no descriptors left", run_out_of_descriptors },
        { "a false administrator", play_the_administrator },
};

/* ---- the others ------------------------------------------------------------------------------ */

struct scene {
        struct pard_fixture pard;
        struct wire_client idle;
        unsigned keeper_fds, worker_fds;
        pid_t worker;
};

/*
 * The well-behaved client has a processor as soon as it wants one, where that is allowed: what it
 * waits for then is pard. Pard and the attackers are as usual.
 */
static void go_first(void)
{
        const struct sched_param lowest = { .sched_priority = 1 };

        (void)sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest);
}

static pid_t start_attack(void (*attack)(void))
{
        struct rlimit many = { CONNECTS + 100, CONNECTS + 100 };
        pid_t pid;

        fflush(NULL);
        pid = fork();
        insist(pid >= 0, "fork");
        if (pid)
                return pid;
        (void)setrlimit(RLIMIT_NOFILE, &many);
        if (getuid() == 0)
                insist(setgroups(0, NULL) == 0 && setresgid(STRANGER, STRANGER, STRANGER) == 0 &&
                               setresuid(STRANGER, STRANGER, STRANGER) == 0,
                       "becoming somebody else");
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* which a change of identity clears */
        attack();
        _exit(0);
}

/* For want of a processor, pard's worker and this process. */
static uint64_t waited_ns(const struct scene *scene)
{
        return process_waited_ns(scene->worker) + process_waited_ns(0);
}

/* Ask for the status until the attack is over. Return: the longest that took, without the time for
 * want of a processor. */
static uint64_t watch(struct scene *scene, pid_t pid, const char *name)
{
        uint64_t longest = 0;
        int status;

        while (waitpid(pid, &status, WNOHANG) == 0) {
                uint64_t waited = waited_ns(scene), started = now_ns(), took;

                check_sum_of_states(wire_client_status(&scene->idle)->bytes);
                took = now_ns() - started;
                waited = waited_ns(scene) - waited;
                took = took > waited ? took - waited : 0;
                if (took > longest)
                        longest = took;
                usleep(2000);
        }
        if (status)
                die("%s: the attacker ended with 0x%x", name, (unsigned)status);
        return longest;
}

/* Wait until everything is as it was. */
static void settle(struct scene *scene, const char *name)
{
        uint64_t deadline = now_ns() + SETTLE_MS * NS_PER_MS;

        for (;;) {
                const Wire__Status *status = wire_client_status(&scene->idle);
                unsigned worker_fds = process_descriptors(scene->worker);
                unsigned keeper_fds = process_descriptors(scene->pard.pid);

                if (status->bytes->free == POOL_BYTES && status->clients == 1 &&
                    status->buffers == 0 && worker_fds <= scene->worker_fds &&
                    keeper_fds <= scene->keeper_fds)
                        return;
                if (now_ns() > deadline)
                        die("%s: %llu bytes free, %u clients, %llu buffers, %u and %u descriptors "
                            "(%u and %u before)",
                            name, (unsigned long long)status->bytes->free, status->clients,
                            (unsigned long long)status->buffers, keeper_fds, worker_fds,
                            scene->keeper_fds, scene->worker_fds);
                usleep(10000);
        }
}

static void suffer(struct scene *scene, const char *name, void (*attack)(void))
{
        uint64_t longest = watch(scene, start_attack(attack), name);

        settle(scene, name);
        if (pard_fixture_worker(&scene->pard) != scene->worker)
                die("%s: the worker is another one", name);
        if (longest > STATUS_MS * NS_PER_MS)
                die("%s: another client waited for %llu us", name,
                    (unsigned long long)(longest / 1000));
        printf("%-30s others waited for at most %6llu us\n", name,
               (unsigned long long)(longest / 1000));
}

/* ---- the worker's death ---------------------------------------------------------------------- */

/* The buffers of its clients go on working, and are theirs until they let go. */
static void kill_worker(struct scene *scene)
{
        struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
        struct par_buffer *buffer, *more;
        const Wire__Status *status;
        uint64_t deadline;
        struct par *par;
        int r;

        if (par_connect(NULL, NULL, &par) || par_alloc(par, 8 * FRAME_BYTES, &want, NULL, &buffer))
                die("before the worker's death: %s", par_error(NULL));
        memset(par_buffer_data(buffer), 0x77, par_buffer_size(buffer));
        kill(scene->worker, SIGKILL);
        deadline = now_ns() + SETTLE_MS * NS_PER_MS;
        while (pard_fixture_worker(&scene->pard) == scene->worker ||
               pard_fixture_worker(&scene->pard) == 0) {
                if (now_ns() > deadline)
                        die("no other worker");
                usleep(1000);
        }
        scene->worker = pard_fixture_worker(&scene->pard);
        wire_client_resume(scene->pard.socket, &scene->idle);

        r = par_alloc(par, FRAME_BYTES, NULL, NULL, &more);
        if (r)
                die("an alloc after the worker's death: %s", par_strerror(r));
        par_free(more);
        status = wire_client_status(&scene->idle);
        check_sum_of_states(status->bytes);
        if (status->bytes->held != POOL_BYTES || status->worker_starts != 2 ||
            status->bytes->granted != 8 * FRAME_BYTES)
                die("after the worker's death: %llu held, %llu granted, worker %u",
                    (unsigned long long)status->bytes->held,
                    (unsigned long long)status->bytes->granted, status->worker_starts);
        for (size_t i = 0; i < par_buffer_size(buffer); i += 4096)
                if (((const char *)par_buffer_data(buffer))[i] != 0x77)
                        die("a buffer does not outlive the worker");
        par_free(buffer);
        par_disconnect(par);
        settle(scene, "after the worker's death");
        printf("a killed worker: another one serves, its clients go on\n");
}

int main(int argc, char **argv)
{
        bool real = argc > 1 && strcmp(argv[1], "hugetlb") == 0;
        struct scene scene;
        char config[1024];

        if (real)
                require_hugepages(POOL_BYTES / MiB);
        snprintf(config, sizeof(config), "%s%s", real ? hugetlb : sim, pool);
        pard_fixture_start_filled(config, &scene.pard);
        wire_client_open(scene.pard.socket, "idle", &scene.idle);
        scene.worker = pard_fixture_worker(&scene.pard);
        scene.worker_fds = process_descriptors(scene.worker);
        scene.keeper_fds = process_descriptors(scene.pard.pid);

        go_first();
        for (size_t i = 0; i < ARRAY_SIZE(attacks); i++)
                suffer(&scene, attacks[i].name, attacks[i].attack);
        kill_worker(&scene);

        wire_client_close(&scene.idle);
        pard_fixture_stop(&scene.pard);
        return 0;
}
