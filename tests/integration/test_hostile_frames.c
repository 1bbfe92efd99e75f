/* SPDX-License-Identifier: MIT */
/*
 * What a client can do to its frames, and what it can keep of them: none of it costs anybody else
 * anything. Each trick is played by a process of another uid, three times: it gives the frame back
 * and lets go of what it kept; it ends its session first and lets go then; it is killed with the
 * frame granted. Needs real hugepages.
 *
 *     test_hostile_frames [TRICK]      default: all of them; "tricks": all but the hoard
 */
#include "frame_tricks.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES (48 * MiB)
#define STRANGER   65533
#define SOON_MS    60000 /* until a frame is free again; a page reference is looked for seldom */
#define TRIES_MAX  20    /* to have the kernel give a page that was punched to the next frame */
#define SHORT_MS   10000 /* what another client's allocation may take, however busy the machine */

static const char config[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\nverify = \"0\"\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"48M\" reuse_delay = \"0ms\" "
        "quarantine = \"100ms\" }\n";

/* ---- the hostile process --------------------------------------------------------------------- */

/* What it is told to do. After each it says one byte, after the first also who its child is. */
enum order {
        ORDER_TAKE = 't', /* take a frame and play the trick */
        ORDER_FREE = 'f', /* give it back, and everything that the trick does not need */
        ORDER_LET_GO = 'l',
        ORDER_BYE = 'b',
};

static uint64_t ask_for_frame(struct wire_client *client, uint64_t size, int32_t wait_ms,
                              uint32_t segments, uint32_t *ret_result)
{
        Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__Reply *reply;

        constraint.max_segments = segments;
        alloc.size = size;
        alloc.wait_ms = wait_ms;
        alloc.constraint = &constraint;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        reply = wire_client_ask(client, &request);
        *ret_result = reply->result;
        return reply->result ? 0 : reply->alloc->buffer;
}

static void free_buffer(struct wire_client *client, uint64_t buffer, uint64_t *dropped, size_t n)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Free body = WIRE__FREE__INIT;
        const Wire__Reply *reply;

        body.buffer = buffer;
        body.dropped_frames = dropped;
        body.n_dropped_frames = n;
        request.body_case = WIRE__REQUEST__BODY_FREE;
        request.free = &body;
        reply = wire_client_ask(client, &request);
        if (reply->result)
                die("free: result %u", reply->result);
}

static void become_stranger(void)
{
        insist(setgroups(0, NULL) == 0 && setresgid(STRANGER, STRANGER, STRANGER) == 0 &&
                       setresuid(STRANGER, STRANGER, STRANGER) == 0,
               "becoming somebody else");
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* which a change of identity clears */
}

static void obey(struct wire_client *client, const struct trick *trick, int orders)
{
        struct held held = { .fd = -1, .kept = { -1, -1 } };
        uint64_t buffer = 0, frame = 0;
        uint32_t result;
        char order;

        while (read(orders, &order, 1) == 1) {
                switch (order) {
                case ORDER_TAKE:
                        buffer = ask_for_frame(client, FRAME_BYTES, SOON_MS, 1, &result);
                        if (result || client->got.count != 1)
                                die("%s: no frame: %u", trick->name, result);
                        frame = 0;
                        held.fd = client->got.descriptors[0];
                        client->got.count = 0;
                        held.map = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                                        held.fd, 0);
                        insist(held.map != MAP_FAILED, "map");
                        memset(held.map, 0xa5, FRAME_BYTES);
                        trick->play(&held);
                        break;
                case ORDER_FREE:
                        held_unmap(&held);
                        close(STEAL_FD(held.fd));
                        free_buffer(client, buffer, &frame, frame != 0);
                        break;
                case ORDER_LET_GO: held_let_go(&held); break;
                case ORDER_BYE: wire_client_close(client); break;
                default: die("no such order");
                }
                insist(write(orders, &held.child, sizeof(held.child)) > 0, "answer");
        }
}

struct hostile {
        pid_t pid, child;
        int orders;
};

static struct hostile start_hostile(const struct pard_fixture *pard, const struct trick *trick)
{
        struct hostile hostile = { .pid = -1 };
        int ends[2];

        insist(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "orders");
        fflush(NULL);
        hostile.pid = fork();
        insist(hostile.pid >= 0, "fork");
        if (hostile.pid == 0) {
                struct wire_client client;

                close(ends[0]);
                become_stranger();
                wire_client_open(pard->socket, "hostile", &client);
                obey(&client, trick, ends[1]);
                _exit(0);
        }
        close(ends[1]);
        hostile.orders = ends[0];
        return hostile;
}

static void tell(struct hostile *hostile, enum order order)
{
        char byte = (char)order;

        insist(write(hostile->orders, &byte, 1) == 1, "order");
        if (read(hostile->orders, &hostile->child, sizeof(hostile->child)) !=
            sizeof(hostile->child))
                die("the hostile client gave up at '%c'", order);
}

static void end_hostile(struct hostile *hostile)
{
        kill(hostile->pid, SIGKILL);
        waitpid(hostile->pid, NULL, 0);
        close(hostile->orders);
}

/* ---- what the others see --------------------------------------------------------------------- */

struct scene {
        struct pard_fixture pard;
        struct wire_client admin, other;
        char doing[128];
};

/* Wait until @free_bytes are free and nothing is on its way. */
static void await_free(struct scene *scene, uint64_t free_bytes, uint64_t held_bytes)
{
        uint64_t deadline = now_ns() + SOON_MS * NS_PER_MS;

        for (;;) {
                const Wire__StateBytes *bytes = wire_client_pool(&scene->admin, "any")->bytes;

                check_sum_of_states(bytes);
                if (bytes->free == free_bytes && bytes->held == held_bytes)
                        return;
                if (now_ns() > deadline)
                        die("%s: %llu of %llu bytes are free, %llu of %llu should be; lingering "
                            "%llu, quarantined %llu, leaving %llu, retired %llu",
                            scene->doing, (unsigned long long)bytes->free,
                            (unsigned long long)bytes->held, (unsigned long long)free_bytes,
                            (unsigned long long)held_bytes, (unsigned long long)bytes->lingering,
                            (unsigned long long)bytes->quarantined,
                            (unsigned long long)bytes->leaving, (unsigned long long)bytes->retired);
                usleep(2000);
        }
}

/* The one frame that lingers says why; @note NULL: none does. */
static bool lingers_with(struct scene *scene, const char *note)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;
        size_t lingering = 0, right = 0;

        request.body_case = WIRE__REQUEST__BODY_FRAMES;
        request.frames = &list;
        reply = wire_client_ask(&scene->admin, &request);
        for (size_t i = 0; i < reply->frames->n_frames; i++) {
                const Wire__Frame *frame = reply->frames->frames[i];

                if (strcmp(frame->state, "lingering") != 0)
                        continue;
                lingering++;
                right += note && strstr(frame->note, note) && frame->uid == STRANGER &&
                         strcmp(frame->client, "hostile") == 0;
        }
        return note ? lingering == 1 && right == 1 : lingering == 0;
}

static void await_note(struct scene *scene, const char *note)
{
        uint64_t deadline = now_ns() + SOON_MS * NS_PER_MS;

        while (!lingers_with(scene, note)) {
                if (now_ns() > deadline)
                        die("%s: no frame of the hostile client's lingers with \"%s\"",
                            scene->doing, note);
                usleep(2000);
        }
}

/* Until a process has no more descriptors open than it once had: it may have more for a moment. */
static void await_descriptors(const struct scene *scene, const char *whose, pid_t pid,
                              unsigned before)
{
        uint64_t deadline = now_ns() + SOON_MS * NS_PER_MS;

        while (process_descriptors(pid) > before) {
                if (now_ns() > deadline)
                        die("%s: the %s has %u descriptors, before %u", scene->doing, whose,
                            process_descriptors(pid), before);
                usleep(10000);
        }
}

static void check_clean(const struct scene *scene, const struct packet *got)
{
        for (size_t i = 0; i < got->count; i++) {
                const uint64_t *words = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                                             got->descriptors[i], 0);

                insist(words != MAP_FAILED, "map");
                for (size_t j = 0; j < FRAME_BYTES / sizeof(*words); j++)
                        if (words[j])
                                die("%s: a byte of a former owner", scene->doing);
                munmap((void *)(uintptr_t)words, FRAME_BYTES);
        }
}

/* Another client has all of the rest, at once, and every byte of it is zero. */
static void take_the_rest(struct scene *scene, uint64_t bytes)
{
        uint64_t started = now_ns(), buffer, taken;
        struct wire_client other;
        uint32_t result;

        wire_client_open(scene->pard.socket, "other", &other);
        buffer = ask_for_frame(&other, bytes, SOON_MS, UINT32_MAX, &result);
        taken = now_ns() - started;
        if (result)
                die("%s: another client does not get the rest: %u", scene->doing, result);
        if (taken > SHORT_MS * NS_PER_MS)
                die("%s: another client waits for %llu ms", scene->doing,
                    (unsigned long long)(taken / NS_PER_MS));
        check_clean(scene, &other.got);
        free_buffer(&other, buffer, NULL, 0);
        wire_client_close(&other);
}

/* Hugepages that are nobody's. */
static void add_hugepages(int count)
{
        static const char path[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
        FILE *file = fopen(path, "r+e");
        char line[32];

        insist(file && fgets(line, sizeof(line), file), path);
        rewind(file);
        insist(fprintf(file, "%ld\n", strtol(line, NULL, 10) + count) > 0 && fclose(file) == 0,
               path);
}

/* ---- the three ways -------------------------------------------------------------------------- */

static void give_back(struct scene *scene, const struct trick *trick, struct hostile *hostile)
{
        tell(hostile, ORDER_TAKE);
        tell(hostile, ORDER_FREE);
        if (!trick->note)
                return;
        await_note(scene, trick->note);
        take_the_rest(scene, POOL_BYTES - FRAME_BYTES);
        await_free(scene, POOL_BYTES - FRAME_BYTES, POOL_BYTES);
        await_note(scene, trick->note);
}

/* Give the frame back, let go of it, and only then end the session. */
static void play_and_let_go(struct scene *scene, const struct trick *trick)
{
        struct hostile hostile = start_hostile(&scene->pard, trick);

        give_back(scene, trick, &hostile);
        tell(&hostile, ORDER_LET_GO);
        if (trick->outlives && !trick->steals)
                await_free(scene, POOL_BYTES, POOL_BYTES);
        tell(&hostile, ORDER_BYE);
        await_free(scene, POOL_BYTES, POOL_BYTES);
        end_hostile(&hostile);
}

/* End the session, and let go later. */
static void play_and_leave(struct scene *scene, const struct trick *trick)
{
        struct hostile hostile = start_hostile(&scene->pard, trick);

        give_back(scene, trick, &hostile);
        tell(&hostile, ORDER_BYE);
        if (trick->steals) {
                /* It is as gone as if the client had taken a page of the system's. */
                await_free(scene, POOL_BYTES - FRAME_BYTES, POOL_BYTES - FRAME_BYTES);
        } else if (trick->outlives) {
                usleep(50000);
                await_note(scene, trick->note);
                take_the_rest(scene, POOL_BYTES - FRAME_BYTES);
        } else {
                await_free(scene, POOL_BYTES, POOL_BYTES);
        }
        tell(&hostile, ORDER_LET_GO);
        await_free(scene, POOL_BYTES, POOL_BYTES);
        end_hostile(&hostile);
}

/* Die with everything. */
static void play_and_die(struct scene *scene, const struct trick *trick)
{
        struct hostile hostile = start_hostile(&scene->pard, trick);

        tell(&hostile, ORDER_TAKE);
        end_hostile(&hostile);
        if (hostile.child) {
                await_note(scene, trick->note);
                take_the_rest(scene, POOL_BYTES - FRAME_BYTES);
                kill(hostile.child, SIGKILL);
        }
        await_free(scene, POOL_BYTES, POOL_BYTES);
}

static void play(struct scene *scene, const struct trick *trick)
{
        static const struct {
                const char *name;
                void (*way)(struct scene *scene, const struct trick *trick);
        } ways[] = {
                { "freed, let go", play_and_let_go },
                { "freed, session ended", play_and_leave },
                { "killed", play_and_die },
        };
        if (trick->spare)
                add_hugepages(1);
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
                uint64_t started = now_ns(), lost;

                snprintf(scene->doing, sizeof(scene->doing), "%s, %s", trick->name, ways[i].name);
                lost = wire_client_status(&scene->admin)->lost_to_system;
                ways[i].way(scene, trick);
                take_the_rest(scene, POOL_BYTES);
                await_free(scene, POOL_BYTES, POOL_BYTES);
                lost = wire_client_status(&scene->admin)->lost_to_system - lost;
                printf("%-60s %5llu ms, %llu pages lost\n", scene->doing,
                       (unsigned long long)((now_ns() - started) / NS_PER_MS),
                       (unsigned long long)lost);
        }
        if (trick->spare)
                add_hugepages(-1);
}

/* ---- the worker's death ---------------------------------------------------------------------- */

static void replace_worker(struct scene *scene)
{
        const pid_t worker = pard_fixture_worker(&scene->pard);
        pid_t next;

        wire_client_close(&scene->admin);
        kill(worker, SIGKILL);
        while ((next = pard_fixture_worker(&scene->pard)) == worker || !next)
                usleep(1000);
        wire_client_open(scene->pard.socket, "admin", &scene->admin);
}

/* So much is granted, and so much is retired since it was punched. */
static void await_retired(struct scene *scene, uint64_t granted_bytes, uint64_t retired_bytes)
{
        uint64_t deadline = now_ns() + SOON_MS * NS_PER_MS;

        for (;;) {
                const Wire__StateBytes *bytes = wire_client_pool(&scene->admin, "any")->bytes;

                check_sum_of_states(bytes);
                if (bytes->granted == granted_bytes && bytes->retired == retired_bytes)
                        return;
                if (now_ns() > deadline)
                        die("%s: %llu bytes are granted, %llu should be; retired %llu, "
                            "quarantined %llu, leaving %llu, lingering %llu, free %llu",
                            scene->doing, (unsigned long long)bytes->granted,
                            (unsigned long long)granted_bytes, (unsigned long long)bytes->retired,
                            (unsigned long long)bytes->quarantined,
                            (unsigned long long)bytes->leaving,
                            (unsigned long long)bytes->lingering, (unsigned long long)bytes->free);
                usleep(2000);
        }
}

/* ---- a frame that moved -----------------------------------------------------------------------
 */

/* pard finds out that a granted frame was punched: it is taken out of service, and replaced when
 * its holder gives it back, or ends; and until then it is his, whoever dies. */
static void play_moved(bool killed, unsigned deaths)
{
        static const struct trick moved = {
                "punched and noticed", punch, HOLE_NOTE, "hole", false, false, false
        };
        struct scene scene = { .doing = "punched and noticed" };
        char watchful[512], *verify;
        struct hostile hostile;

        snprintf(watchful, sizeof(watchful), "%s", config);
        verify = strstr(watchful, "verify = \"0\"");
        memcpy(verify, "verify=\"9ms\"", strlen("verify=\"9ms\""));
        pard_fixture_start_filled(watchful, &scene.pard);
        wire_client_open(scene.pard.socket, "admin", &scene.admin);
        hostile = start_hostile(&scene.pard, &moved);
        tell(&hostile, ORDER_TAKE);
        await_retired(&scene, 0, FRAME_BYTES);
        for (unsigned i = 0; i < deaths; i++) {
                snprintf(scene.doing, sizeof(scene.doing), "punched and noticed, %u workers dead",
                         i + 1);
                replace_worker(&scene);
                await_retired(&scene, 0, FRAME_BYTES);
        }
        if (!killed) {
                tell(&hostile, ORDER_FREE);
                tell(&hostile, ORDER_BYE);
        }
        end_hostile(&hostile);
        await_free(&scene, POOL_BYTES, POOL_BYTES);
        take_the_rest(&scene, POOL_BYTES);
        wire_client_close(&scene.admin);
        pard_fixture_stop(&scene.pard);
        printf("a frame that was punched and noticed, %u workers dead: replaced\n", deaths);
}

/* ---- a page that is in use again --------------------------------------------------------------
 */

/* One frame lingers, and another one is where it was. */
static bool page_is_in_use_again(struct scene *scene)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__FrameList *frames;

        request.body_case = WIRE__REQUEST__BODY_FRAMES;
        request.frames = &list;
        frames = wire_client_ask(&scene->admin, &request)->frames;
        return frames->n_frames == 2 && frames->frames[0]->phys == frames->frames[1]->phys;
}

static void play_nothing(struct held *held)
{
        (void)held;
}

static const char one_frame[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n"
        "verify = \"0\"\npool \"any\" { page_size = \"2M\" size_min = \"2M\" "
        "size_max = \"4M\" reuse_delay = \"0ms\" quarantine = \"100ms\" pin = \"optional\" }\n";

/* A page that is pinned is nobody else's after it was punched; from now on there are no pins. */
static void forbid_pins(void)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog program = { ARRAY_SIZE(code), code };

        insist(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

/* A client punches its frame and gives it back, or keeps it, another one has a frame: whether it is
 * the same page is for the kernel to choose, which mostly takes what was freed last. */
static bool lose_page(struct scene *scene, bool keeps, struct hostile *hostile,
                      struct hostile *next)
{
        static const struct trick punched = { "punched", punch, HOLE_NOTE, "hole",
                                              false,     false, false };
        static const struct trick plain = {
                "plain", play_nothing, NULL, NULL, false, false, false
        };

        *hostile = start_hostile(&scene->pard, &punched);
        tell(hostile, ORDER_TAKE);
        if (!keeps) {
                tell(hostile, ORDER_FREE);
                await_note(scene, HOLE_NOTE);
        }
        *next = start_hostile(&scene->pard, &plain);
        tell(next, ORDER_TAKE);
        if (page_is_in_use_again(scene))
                return true;
        end_hostile(hostile);
        end_hostile(next);
        await_free(scene, FRAME_BYTES, FRAME_BYTES);
        return false;
}

/* What was punched and given back, or kept, has lost its page to another frame when the worker
 * dies: it is still charged to who did it, and goes when he ends. */
static void play_worker_dies(bool keeps)
{
        struct scene scene = { .doing = "punched, and the page in use again" };
        struct hostile hostile, next;
        unsigned keeper_fds, tries = 0;

        pard_fixture_start_filled(one_frame, &scene.pard);
        wire_client_open(scene.pard.socket, "admin", &scene.admin);
        keeper_fds = process_descriptors(scene.pard.pid);
        while (!lose_page(&scene, keeps, &hostile, &next))
                if (++tries == TRIES_MAX)
                        die("%s: %u times the kernel took another page", scene.doing, tries);

        for (int deaths = 0; deaths < 2; deaths++) {
                replace_worker(&scene);
                snprintf(scene.doing, sizeof(scene.doing), "punched, and %d workers dead",
                         deaths + 1);
                if (keeps)
                        await_retired(&scene, FRAME_BYTES, FRAME_BYTES);
                else
                        await_note(&scene, HOLE_NOTE);
                if (!page_is_in_use_again(&scene))
                        die("%s: the page is not where it was", scene.doing);
        }
        end_hostile(&hostile);
        await_free(&scene, 0, FRAME_BYTES);
        end_hostile(&next);
        await_free(&scene, FRAME_BYTES, FRAME_BYTES);
        await_descriptors(&scene, "keeper", scene.pard.pid, keeper_fds);
        wire_client_close(&scene.admin);
        pard_fixture_stop(&scene.pard);
        printf("a frame that was punched%s, whose page is in use again: charged over the worker's "
               "death (%u tries)\n",
               keeps ? " and kept" : " and given back", tries + 1);
}

/* ---- a client that keeps a lot ----------------------------------------------------------------
 */

#define HOARD_FRAMES 20

/* Take frames, keep a reference to a page of each, and give them all back at once. */
static void hoard(struct wire_client *client)
{
        uint64_t buffer;
        uint32_t result;
        int ends[2];

        insist(pipe2(ends, O_CLOEXEC) == 0 && fcntl(ends[1], F_SETPIPE_SZ, 256 * 4096) > 0, "pipe");
        buffer = ask_for_frame(client, HOARD_FRAMES * FRAME_BYTES, 0, UINT32_MAX, &result);
        if (result || client->got.count != HOARD_FRAMES)
                die("no hoard: %u", result);
        for (size_t i = 0; i < HOARD_FRAMES; i++) {
                struct iovec page = { .iov_len = 4096 };

                page.iov_base = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                                     client->got.descriptors[i], 0);
                insist(page.iov_base != MAP_FAILED, "map");
                insist(vmsplice(ends[1], &page, 1, 0) == 4096, "vmsplice");
                munmap(page.iov_base, FRAME_BYTES);
        }
        packet_close_descriptors(&client->got);
        free_buffer(client, buffer, NULL, 0);
}

/* Meanwhile the rest changes its owner again and again, and nobody waits for long. */
static void play_hoarder(struct scene *scene)
{
        const uint64_t rest = POOL_BYTES - HOARD_FRAMES * FRAME_BYTES;
        uint64_t longest = 0;
        int ends[2];
        char byte;
        pid_t pid;

        snprintf(scene->doing, sizeof(scene->doing), "a hoard");
        insist(pipe2(ends, O_CLOEXEC) == 0, "pipe");
        fflush(NULL);
        pid = fork();
        insist(pid >= 0, "fork");
        if (pid == 0) {
                struct wire_client client;

                become_stranger();
                wire_client_open(scene->pard.socket, "hostile", &client);
                hoard(&client);
                insist(write(ends[1], "x", 1) == 1, "tell");
                for (;;)
                        pause();
        }
        insist(read(ends[0], &byte, 1) == 1, "hear");
        for (int i = 0; i < 50; i++) {
                uint64_t started = now_ns();

                take_the_rest(scene, rest);
                if (now_ns() - started > longest)
                        longest = now_ns() - started;
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(ends[0]);
        close(ends[1]);
        await_free(scene, POOL_BYTES, POOL_BYTES);
        printf("beside a hoard of %d frames: a change of owner took at most %llu ms\n",
               HOARD_FRAMES, (unsigned long long)(longest / NS_PER_MS));
}

static bool is_wanted(const char *name, const char *wanted)
{
        if (!wanted || strcmp(name, wanted) == 0)
                return true;
        return strcmp(wanted, "tricks") == 0 && strcmp(name, "a hoard") != 0;
}

int main(int argc, char **argv)
{
        const char *wanted = argc > 1 ? argv[1] : NULL;
        struct scene scene = { .doing = "first" };
        unsigned keeper_fds, worker_fds;
        pid_t worker;

        require_hugepages(POOL_BYTES / MiB);
        prctl(PR_SET_CHILD_SUBREAPER, 1); /* the hostile client's child becomes ours */
        pard_fixture_start_filled(config, &scene.pard);
        wire_client_open(scene.pard.socket, "admin", &scene.admin);
        take_the_rest(&scene, POOL_BYTES);
        await_free(&scene, POOL_BYTES, POOL_BYTES);
        worker = pard_fixture_worker(&scene.pard);
        keeper_fds = process_descriptors(scene.pard.pid);
        worker_fds = process_descriptors(worker);

        for (size_t i = 0; i < n_tricks; i++)
                if (is_wanted(tricks[i].name, wanted))
                        play(&scene, &tricks[i]);
        if (is_wanted("a hoard", wanted))
                play_hoarder(&scene);

        if (pard_fixture_worker(&scene.pard) != worker)
                die("the worker is another one");
        await_descriptors(&scene, "keeper", scene.pard.pid, keeper_fds);
        await_descriptors(&scene, "worker", worker, worker_fds);
        wire_client_close(&scene.admin);
        pard_fixture_stop(&scene.pard);
        for (int killed = 0; killed < 2; killed++)
                if (is_wanted("moved", wanted))
                        play_moved(killed, 0);
        if (is_wanted("moved", wanted))
                play_moved(true, 2);
        if (is_wanted("the worker dies", wanted)) {
                play_worker_dies(false);
                forbid_pins();
                play_worker_dies(true);
        }
        return 0;
}
