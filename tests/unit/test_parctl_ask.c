/* SPDX-License-Identifier: MIT */
/*
 * What parctl makes of what pard says: which exit status a script sees, and which sentence people
 * read, also where the other side is no pard, or a broken one.
 */
#include "ask.h"

#include "complain.h"
#include "descriptors.h"
#include "exits.h"
#include "macros.h"
#include "packet.h"
#include "protocol.h"
#include "result.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a server that does what a case says ------------------------------------------------------
 */

enum answer {
        END,        /* hangs up */
        WELCOME,    /* to Hello */
        OTHER_PARD, /* of another version of the protocol */
        STATUS,     /* what the test asks for */
        LATE,       /* first replies to others' requests, and a notice; then STATUS */
        RUBBISH,    /* bytes that are no message */
        TOO_LONG,   /* more than a packet has */
        RESULT,     /* as the case has it, with its refusal */
};

struct ask_case {
        const char *name;
        enum answer answers[2]; /* to Hello, and to the request */
        uint32_t result;
        const char *sentence; /* NULL: no refusal comes along */
        bool permanent;
        int status;
        const char *says;
};

static struct server {
        char dir[32], path[64];
        int listener;
        pthread_t thread;
        const struct ask_case *it;
} server;

static void send_packet(int fd, const Wire__Packet *packet)
{
        uint8_t bytes[PACKET_BYTES_MAX];
        size_t size;

        assert_int_equal(message_pack_packet(packet, bytes, sizeof(bytes), &size), 0);
        (void)packet_send(fd, bytes, size, NULL, 0);
}

static void send_reply(int fd, Wire__Reply *reply)
{
        Wire__Packet packet = WIRE__PACKET__INIT;

        packet.kind_case = WIRE__PACKET__KIND_REPLY;
        packet.reply = reply;
        send_packet(fd, &packet);
}

static void answer(int fd, enum answer what, uint32_t seq)
{
        Wire__Packet notice_packet = WIRE__PACKET__INIT;
        Wire__Notice notice = WIRE__NOTICE__INIT;
        Wire__Reply reply = WIRE__REPLY__INIT;
        Wire__Welcome welcome = WIRE__WELCOME__INIT;
        Wire__Status status = WIRE__STATUS__INIT;
        Wire__Refusal refusal = WIRE__REFUSAL__INIT;
        static uint8_t zeros[2 * PACKET_BYTES_MAX];

        reply.seq = seq;
        switch (what) {
        case END: return;
        case WELCOME:
        case OTHER_PARD:
                welcome.version = PROTOCOL_VERSION + (what == OTHER_PARD);
                reply.body_case = WIRE__REPLY__BODY_HELLO;
                reply.hello = &welcome;
                break;
        case LATE:
                notice_packet.kind_case = WIRE__PACKET__KIND_NOTICE;
                notice_packet.notice = &notice;
                send_packet(fd, &notice_packet);
                reply.seq = seq - 1;
                reply.result = ENOMEM;
                send_reply(fd, &reply);
                reply.seq = seq;
                reply.result = 0;
                /* fall through */
        case STATUS:
                status.clients = 42;
                reply.body_case = WIRE__REPLY__BODY_STATUS;
                reply.status = &status;
                break;
        case RUBBISH: (void)packet_send(fd, "\xff\xff\xff\xff", 4, NULL, 0); return;
        case TOO_LONG: (void)!send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL); return;
        case RESULT:
                reply.result = server.it->result;
                refusal.sentence = (char *)(uintptr_t)server.it->sentence;
                refusal.permanent = server.it->permanent;
                reply.refusal = server.it->sentence ? &refusal : NULL;
                break;
        }
        send_reply(fd, &reply);
}

static void *serve(void *data)
{
        struct message_arena arena = { 0 };
        uint8_t bytes[PACKET_BYTES_MAX];
        Wire__Request *request;
        struct packet packet;
        int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC);

        (void)data;
        for (size_t i = 0; i < ARRAY_SIZE(server.it->answers); i++) {
                if (packet_receive(fd, bytes, sizeof(bytes), &packet) || !packet.size)
                        break;
                if (message_unpack_request(&arena, bytes, packet.size, &request))
                        break;
                if (server.it->answers[i] == END)
                        break;
                answer(fd, server.it->answers[i], request->seq);
                message_arena_reset(&arena);
        }
        close(fd);
        message_arena_deinit(&arena);
        return NULL;
}

static void server_listen(int type)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        strcpy(server.dir, "/tmp/par-test-XXXXXX");
        assert_non_null(mkdtemp(server.dir));
        snprintf(server.path, sizeof(server.path), "%s/s", server.dir);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", server.path);
        server.listener = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        assert_true(server.listener >= 0);
        assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(server.listener, 1), 0);
}

static void server_end(void)
{
        close(server.listener);
        unlink(server.path);
        rmdir(server.dir);
}

/* ---- what is asked ----------------------------------------------------------------------------
 */

static const struct ask_case cases[] = {
        { "an answer", { WELCOME, STATUS }, .status = EXIT_DONE },
        { "an answer among others", { WELCOME, LATE }, .status = EXIT_DONE },
        { "another version",
          { OTHER_PARD },
          .status = EXIT_OTHER,
          .says = "parctl: pard speaks another version of the protocol\n" },
        { "no room for another client",
          { RESULT },
          .result = PAR_REFUSED_BUSY,
          .sentence = "there are 1024 clients, and no more may be",
          .status = EXIT_REFUSED,
          .says = "parctl: there are 1024 clients, and no more may be\n" },
        { "a refusal for ever",
          { WELCOME, RESULT },
          .result = PAR_REFUSED_DENIED,
          .sentence = "only administrators may",
          .permanent = true,
          .status = EXIT_REFUSED_EVER,
          .says = "parctl: only administrators may\n" },
        { "a refusal without a sentence",
          { WELCOME, RESULT },
          .result = PAR_REFUSED_QUOTA,
          .sentence = "",
          .status = EXIT_REFUSED,
          .says = "parctl: quota\n" },
        { "a refusal without anything",
          { WELCOME, RESULT },
          .result = PAR_REFUSED_TIMED_OUT,
          .status = EXIT_REFUSED,
          .says = "parctl: timed_out\n" },
        { "a sentence that would move the cursor",
          { WELCOME, RESULT },
          .result = PAR_REFUSED_BUSY,
          .sentence = "a\x1b[2Jb\n",
          .status = EXIT_REFUSED,
          .says = "parctl: a?[2Jb?\n" },
        { "a fault with a sentence",
          { WELCOME, RESULT },
          .result = EIO,
          .sentence = "the page cannot be read",
          .status = EXIT_OTHER,
          .says = "parctl: pard failed: the page cannot be read\n" },
        { "a fault without one",
          { WELCOME, RESULT },
          .result = ENOMEM,
          .status = EXIT_OTHER,
          .says = "parctl: pard failed: Cannot allocate memory\n" },
        { "another answer to Hello",
          { STATUS },
          .status = EXIT_OTHER,
          .says = "parctl: pard answered something else\n" },
        { "another answer than was asked for",
          { WELCOME, WELCOME },
          .status = EXIT_OTHER,
          .says = "parctl: pard answered something else\n" },
        { "no answer to Hello",
          { END },
          .status = EXIT_NO_DAEMON,
          .says = "parctl: pard closed the connection\n" },
        { "no answer",
          { WELCOME, END },
          .status = EXIT_NO_DAEMON,
          .says = "parctl: pard closed the connection\n" },
        { "an answer that is none",
          { WELCOME, RUBBISH },
          .status = EXIT_OTHER,
          .says = "parctl: pard's answer cannot be read: Bad message\n" },
        { "an answer that is too long",
          { WELCOME, TOO_LONG },
          .status = EXIT_OTHER,
          .says = "parctl: pard's answer cannot be read: Bad message\n" },
};

static int ask_for_status(const char *path)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;
        struct ask *ask;
        int status;

        status = ask_open(path, &ask);
        if (status)
                return status;
        request.body_case = WIRE__REQUEST__BODY_STATUS;
        request.status = &list;
        status = ask_for(ask, &request, WIRE__REPLY__BODY_STATUS, &reply);
        if (!status)
                assert_int_equal(reply->status->clients, 42);
        ask_close(ask);
        return status;
}

/* Ask there, and compare exit status and complaint. Return: whether they are right. */
static bool is_right(const char *path, const char *name, int status, const char *says)
{
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);
        bool right;
        int have;

        assert_non_null(stream);
        complain_to(stream);
        have = ask_for_status(path);
        complain_to(NULL);
        fclose(stream);
        right = have == status && strcmp(text, says ? says : "") == 0;
        if (!right)
                print_error("%s: status %d instead of %d, and \"%s\"\n", name, have, status, text);
        free(text);
        return right;
}

static void test_ask_tells_what_pard_says(void **state)
{
        const unsigned before = descriptors_open();
        int failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                server.it = &cases[i];
                server_listen(SOCK_SEQPACKET);
                assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
                failed += !is_right(server.path, cases[i].name, cases[i].status, cases[i].says);
                pthread_join(server.thread, NULL);
                server_end();
        }
        assert_int_equal(failed, 0);
        assert_int_equal(descriptors_open(), before);
}

static void test_ask_tells_where_nobody_is(void **state)
{
        char path[200], says[300];

        (void)state;
        server_listen(SOCK_SEQPACKET);
        close(server.listener);
        server.listener = -1;
        snprintf(says, sizeof(says), "parctl: no pard listens on %s\n", server.path);
        assert_true(is_right(server.path, "nobody any more", EXIT_NO_DAEMON, says));
        unlink(server.path);
        assert_true(is_right(server.path, "nobody", EXIT_NO_DAEMON, says));
        server_end();

        /* Another program's. */
        server_listen(SOCK_STREAM);
        snprintf(says, sizeof(says), "parctl: %s: %s\n", server.path, strerror(EPROTOTYPE));
        assert_true(is_right(server.path, "another program", EXIT_OTHER, says));
        server_end();

        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        snprintf(says, sizeof(says), "parctl: %s: File name too long\n", path);
        assert_true(is_right(path, "a path that is no address", EXIT_OTHER, says));

        /* Where nothing else is said. */
        assert_int_equal(setenv("PAR_SOCKET", "/nonexistent/s", 1), 0);
        assert_true(is_right(NULL, "the environment's", EXIT_NO_DAEMON,
                             "parctl: no pard listens on /nonexistent/s\n"));
        unsetenv("PAR_SOCKET");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ask_tells_what_pard_says),
                cmocka_unit_test(test_ask_tells_where_nobody_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
