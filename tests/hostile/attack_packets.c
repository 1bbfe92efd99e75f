/* SPDX-License-Identifier: MIT */
/* Too many packets, packets that are none, and answers that nobody reads. */
#include "attack.h"
#include "line.h"

#include "macros.h"
#include "process.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE      64
#define FLOOD_BURSTS 64 /* of one session, then comes another */
#define SLOW_US      5000
#define UNREAD_MS    200

/* Whoever is not let in tries again a little later. */
static bool begin(struct line *line)
{
        if (line_open(line, 0))
                return true;
        usleep(1000);
        return false;
}

/* Bytes of a request, its number @seq. */
static size_t bytes_of(Wire__Request *request, uint32_t seq, unsigned char to[4096])
{
        size_t size;

        request->seq = seq;
        if (message_pack_request(request, to, 4096, &size))
                die("a hostile request does not fit");
        return size;
}

/* An Alloc of 64 KiB, with much in it. */
static size_t alloc_bytes(uint32_t seq, unsigned char to[4096])
{
        Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        char label[] = "a label of some length", pool[] = "any";

        constraint.addr_max = UINT64_MAX;
        constraint.align = 4096;
        constraint.max_segments = UINT32_MAX;
        alloc.size = 64 * KiB;
        alloc.label = label;
        alloc.pool = pool;
        alloc.constraint = &constraint;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        return bytes_of(&request, seq, to);
}

static size_t list_bytes(Wire__Request__BodyCase which, uint32_t seq, unsigned char to[4096])
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;

        request.body_case = which;
        request.status = &list; /* all of them are lists */
        return bytes_of(&request, seq, to);
}

/* ---- floods ---------------------------------------------------------------------------------- */

void attack_flood_status(struct attacker *attacker, const struct attack *attack)
{
        unsigned char bytes[4096];
        size_t size = list_bytes(WIRE__REQUEST__BODY_STATUS, 1, bytes);
        struct line line;

        (void)attack;
        if (!begin(&line))
                return;
        for (int burst = 0; burst < FLOOD_BURSTS; burst++) {
                for (int i = 0; i < AT_ONCE && line_say(&line, bytes, size); i++)
                        ++*attacker->tries;
                line_drain(&line, 0);
        }
        line_close(&line);
}

/* The buffers of a session are numbered by the daemon; one answer tells which. */
void attack_flood_allocs(struct attacker *attacker, const struct attack *attack)
{
        unsigned char bytes[4096];
        uint64_t buffer;
        struct line line;

        (void)attack;
        if (!begin(&line))
                return;
        for (int burst = 0; burst < FLOOD_BURSTS; burst++) {
                for (uint32_t i = 0; i < AT_ONCE; i++) {
                        size_t size = alloc_bytes(1000 + i, bytes);

                        *attacker->tries += line_say(&line, bytes, size);
                }
                if (line_alloc(&line, 4096, 0, &buffer) < 0)
                        break;
                for (uint32_t i = 0; i <= AT_ONCE; i++)
                        if (line_free(&line, buffer - i) < 0)
                                break;
        }
        line_close(&line);
}

static size_t costly_bytes(struct random *random, uint32_t seq, unsigned char to[4096])
{
        static const Wire__Request__BodyCase lists[] = {
                WIRE__REQUEST__BODY_FRAMES,  WIRE__REQUEST__BODY_BUFFERS,
                WIRE__REQUEST__BODY_CLIENTS, WIRE__REQUEST__BODY_MAP,
                WIRE__REQUEST__BODY_POOLS,
        };
        Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;

        if (random_one_in(random, 2))
                return list_bytes(lists[random_below(random, ARRAY_SIZE(lists))], seq, to);
        constraint.align = UINT64_C(1) << random_below(random, 40);
        constraint.boundary = UINT64_C(1) << (12 + random_below(random, 30));
        constraint.addr_max = random_next(random) | 4095;
        constraint.max_segments = (uint32_t)random_next(random);
        alloc.size = random_next(random) >> random_below(random, 64);
        alloc.constraint = &constraint;
        request.body_case = WIRE__REQUEST__BODY_EXPLAIN;
        request.explain = &alloc;
        return bytes_of(&request, seq, to);
}

void attack_costly_questions(struct attacker *attacker, const struct attack *attack)
{
        unsigned char bytes[4096];
        struct line line;

        (void)attack;
        if (!begin(&line))
                return;
        for (int burst = 0; burst < FLOOD_BURSTS; burst++) {
                for (uint32_t i = 1; i <= AT_ONCE; i++) {
                        size_t size = costly_bytes(&attacker->random, i, bytes);

                        *attacker->tries += line_say(&line, bytes, size);
                }
                line_drain(&line, 0);
        }
        line_close(&line);
}

/* ---- what is no request ---------------------------------------------------------------------- */

void attack_garbage(struct attacker *attacker, const struct attack *attack)
{
        unsigned char bytes[4096];
        struct line line;

        (void)attack;
        if (!(random_one_in(&attacker->random, 4) ? line_connect(&line) : begin(&line)))
                return;
        for (int i = 0; i < 8; i++) {
                size_t size = 1 + random_below(&attacker->random, sizeof(bytes));

                for (size_t j = 0; j < size; j++)
                        bytes[j] = (unsigned char)random_next(&attacker->random);
                if (!line_say(&line, bytes, size))
                        break;
                ++*attacker->tries;
        }
        line_close(&line);
}

void attack_mutations(struct attacker *attacker, const struct attack *attack)
{
        struct random *random = &attacker->random;
        unsigned char bytes[4096];
        struct line line;

        (void)attack;
        if (!begin(&line))
                return;
        for (uint32_t i = 2; i < AT_ONCE; i++) {
                size_t size = random_one_in(random, 2) ? alloc_bytes(i, bytes)
                                                       : costly_bytes(random, i, bytes);

                for (uint64_t n = 1 + random_below(random, 3); n; n--)
                        bytes[random_below(random, size)] ^=
                                (unsigned char)(1u << random_below(random, 8));
                if (!line_say(&line, bytes, size))
                        break;
                ++*attacker->tries;
        }
        line_drain(&line, 0);
        line_close(&line);
}

void attack_oversized(struct attacker *attacker, const struct attack *attack)
{
        static unsigned char bytes[2 * PACKET_BYTES_MAX];
        struct line line;

        (void)attack;
        /* The most that is a packet: half of it names of frames that nobody has. */
        if (begin(&line)) {
                memset(bytes, 0, PACKET_BYTES_MAX);
                *attacker->tries += line_say(&line, bytes, PACKET_BYTES_MAX);
                line_close(&line);
        }
        if (!begin(&line))
                return;
        if (line_say(&line, bytes, PACKET_BYTES_MAX + 1)) {
                ++*attacker->tries;
                if (!line_ends(&line))
                        die("a packet that is too long does not end a session");
        }
        line_close(&line);
}

void attack_empty(struct attacker *attacker, const struct attack *attack)
{
        bool known = random_one_in(&attacker->random, 2);
        struct line line;

        (void)attack;
        if (!(known ? begin(&line) : line_connect(&line)))
                return;
        for (int i = 0; i < AT_ONCE && line_say(&line, "", 0); i++)
                ++*attacker->tries;
        if (!line_ends(&line))
                die("an empty packet does not end a session");
}

/* ---- halves ---------------------------------------------------------------------------------- */

void attack_truncated(struct attacker *attacker, const struct attack *attack)
{
        unsigned char bytes[4096];
        size_t size = alloc_bytes(2, bytes);
        struct line line;

        (void)attack;
        if (!begin(&line))
                return;
        *attacker->tries += line_say(&line, bytes, 1 + random_below(&attacker->random, size - 1));
        /* Half a request may be a whole one, where a field ends. */
        line_drain(&line, 1);
        line_close(&line);
}

void attack_shutdown(struct attacker *attacker, const struct attack *attack)
{
        static const int ways[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };
        struct random *random = &attacker->random;
        unsigned char bytes[4096];
        struct line line;

        (void)attack;
        if (!begin(&line))
                return;
        for (uint32_t i = 2; i < 2 + random_below(random, AT_ONCE); i++)
                *attacker->tries += line_say(&line, bytes, alloc_bytes(i, bytes));
        shutdown(line.fd, ways[random_below(random, ARRAY_SIZE(ways))]);
        if (random_one_in(random, 2))
                usleep(5000);
        line_close(&line);
}

/* ---- slow readers ---------------------------------------------------------------------------- */

/* Ask until nothing more goes out. */
static void ask_for_all(struct attacker *attacker, const struct line *line)
{
        unsigned char bytes[4096];

        for (uint32_t i = 2; line_say(line, bytes, alloc_bytes(i, bytes)); i++)
                if (!line_say(line, bytes,
                              list_bytes(WIRE__REQUEST__BODY_BUFFERS, 1000000 + i, bytes)))
                        return;
                else
                        *attacker->tries += 2;
}

void attack_never_read(struct attacker *attacker, const struct attack *attack)
{
        uint64_t until = now_ns() + UNREAD_MS * NS_PER_MS;
        struct line line;

        (void)attack;
        if (!begin(&line))
                return;
        do {
                ask_for_all(attacker, &line);
                usleep(1000);
        } while (now_ns() < until);
        line_close(&line);
}

void attack_read_slowly(struct attacker *attacker, const struct attack *attack)
{
        static char bytes[PACKET_BYTES_MAX];
        int small = 4096;
        struct line line;

        (void)attack;
        if (!begin(&line))
                return;
        (void)setsockopt(line.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        for (int i = 0; i < 100; i++) {
                ask_for_all(attacker, &line);
                usleep(SLOW_US);
                /* One byte of an answer; the kernel throws away the rest. */
                if (recv(line.fd, bytes, i % 2 ? 1 : sizeof(bytes), MSG_DONTWAIT) == 0)
                        break;
        }
        line_close(&line);
}
