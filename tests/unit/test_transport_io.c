/* SPDX-License-Identifier: MIT */
/*
 * I/O addresses over the wire: what clients may tell, and who is told what of it.
 */
#include "worker_fixture.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PAGE WORKER_PAGE_BYTES

static struct worker worker;

static int setup_admin(void **state)
{
        (void)state;
        worker_start(&worker, &(struct worker_options){ .admin_group = true });
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        return worker_stop(&worker);
}

/* What a client tells of a buffer; parts that are not given are as good ones. */
struct mapped {
        uint64_t buffer;
        uint32_t space;
        const char *device, *pci;
        uint64_t iova, length, offset;
        size_t n_parts;
};

#define PARTS_MAX 8

/* Return: the number of the request. */
static uint32_t send_mapped(struct caller *caller, const struct mapped *mapped)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Mapped body = WIRE__MAPPED__INIT;
        Wire__IoPart parts[PARTS_MAX], *pointers[PARTS_MAX];

        for (size_t i = 0; i < mapped->n_parts; i++) {
                wire__io_part__init(&parts[i]);
                parts[i].iova = mapped->iova + i * mapped->length;
                parts[i].length = mapped->length;
                parts[i].offset = mapped->offset + i * mapped->length;
                pointers[i] = &parts[i];
        }
        body.buffer = mapped->buffer;
        body.space = mapped->space;
        body.device = (char *)(uintptr_t)(mapped->device ? mapped->device : "");
        body.pci = (char *)(uintptr_t)(mapped->pci ? mapped->pci : "");
        body.n_parts = mapped->n_parts;
        body.parts = pointers;
        request.body_case = WIRE__REQUEST__BODY_MAPPED;
        request.mapped = &body;
        return caller_send(caller, &request);
}

static const Wire__FoundIo *look(struct caller *caller, uint64_t address, const char *device)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__LookupIo body = WIRE__LOOKUP_IO__INIT;
        const Wire__Reply *reply;

        body.address = address;
        body.device = (char *)(uintptr_t)device;
        request.body_case = WIRE__REQUEST__BODY_LOOKUP_IO;
        request.lookup_io = &body;
        reply = caller_ask(caller, &request);
        assert_int_equal(reply->result, 0);
        assert_non_null(reply->lookup_io);
        return reply->lookup_io;
}

/* 63 characters, and 64. */
#define SIXTEEN "0123456789abcdef"
#define NAME_63 SIXTEEN SIXTEEN SIXTEEN "0123456789abcde"

static const struct {
        const char *name;
        struct mapped mapped;
        uint32_t result;
} tell_cases[] = {
        { "all of it", { 1, 1, "disk", "0000:03:00.0", 0x10000, PAGE, 0, 1 }, 0 },
        { "four parts", { 1, 1, "disk", NULL, 0x10000, PAGE / 4, 0, 4 }, 0 },
        { "not mapped", { 1, 0, NULL, NULL, 0, 0, 0, 0 }, 0 },
        { "the longest name", { 1, 1, NAME_63, NULL, 0, 1, 0, 1 }, 0 },
        { "a name too long", { 1, 1, NAME_63 "x", NULL, 0, 1, 0, 1 }, PAR_REFUSED_INVALID },
        { "no UTF-8", { 1, 1, "\xff", NULL, 0, 1, 0, 1 }, PAR_REFUSED_INVALID },
        { "no PCI address", { 1, 1, "", "3", 0, 1, 0, 1 }, PAR_REFUSED_INVALID },
        { "one with a rest", { 1, 1, "", "0000:03:00.0 ", 0, 1, 0, 1 }, PAR_REFUSED_INVALID },
        { "five parts", { 1, 1, "", NULL, 0x10000, 1, 0, 5 }, PAR_REFUSED_INVALID },
        { "no bytes", { 1, 1, "", NULL, 0x10000, 0, 0, 1 }, PAR_REFUSED_INVALID },
        { "beyond 2^64", { 1, 1, "", NULL, UINT64_MAX, 2, 0, 1 }, PAR_REFUSED_INVALID },
        { "all addresses", { 1, 1, "", NULL, 0, UINT64_MAX, 0, 1 }, PAR_REFUSED_INVALID },
        { "larger than the buffer", { 1, 1, "", NULL, 0, PAGE + 1, 0, 1 }, PAR_REFUSED_INVALID },
        { "behind it", { 1, 1, "", NULL, 0, 1, PAGE, 1 }, PAR_REFUSED_INVALID },
        { "space 0", { 1, 0, "", NULL, 0, 1, 0, 1 }, PAR_REFUSED_INVALID },
        { "space 65", { 1, 65, "", NULL, 0, 1, 0, 1 }, PAR_REFUSED_INVALID },
        { "somebody else's buffer", { 2, 1, "", NULL, 0, 1, 0, 1 }, PAR_REFUSED_GONE },
        { "no buffer", { 0, 1, "", NULL, 0, 1, 0, 1 }, PAR_REFUSED_GONE },
};

static void test_io_what_may_be_told(void **state)
{
        struct caller caller, other;

        (void)state;
        caller_open(&worker, "radio0", &caller);
        caller_open(&worker, "other", &other);
        assert_int_equal(caller_alloc(&caller, PAGE, "any")->alloc->buffer, 1);
        assert_int_equal(caller_alloc(&other, PAGE, "any")->alloc->buffer, 2);
        for (size_t i = 0; i < ARRAY_SIZE(tell_cases); i++) {
                const Wire__Reply *reply;

                reply = caller_reply(&caller, send_mapped(&caller, &tell_cases[i].mapped));
                if (reply->result != tell_cases[i].result)
                        fail_msg("%s: %u", tell_cases[i].name, reply->result);
                assert_true(!reply->result || *reply->refusal->sentence);
        }
        caller_close(&caller);
        caller_close(&other);
}

/* Sent ahead, as libpar does: the replies come in their order. */
static void test_io_need_not_be_waited_for(void **state)
{
        const struct mapped good = { 1, 1, "disk", NULL, 0x10000, PAGE, 0, 1 };
        struct mapped bad = good;
        uint32_t first, second;
        struct caller caller;

        (void)state;
        caller_open(&worker, "radio0", &caller);
        caller_alloc(&caller, PAGE, "any");
        bad.space = 0;
        first = send_mapped(&caller, &good);
        second = send_mapped(&caller, &bad);
        assert_int_equal(caller_reply(&caller, first)->result, 0);
        assert_int_equal(caller_reply(&caller, second)->result, PAR_REFUSED_INVALID);
        assert_int_equal(look(&caller, 0x10000, "")->n_holders, 1);
        caller_close(&caller);
}

/* @phys: 0: not for the asker to know */
static void check_holder(const Wire__IoHolder *holder, bool may_know, bool former, uint64_t phys)
{
        assert_int_equal(holder->known, may_know);
        assert_string_equal(holder->client, may_know ? "secret-name" : "");
        assert_string_equal(holder->device, may_know ? "secret-device" : "");
        assert_string_equal(holder->pci, may_know ? "0000:03:00.0" : "");
        assert_int_equal(holder->uid, may_know ? 65533 : 0);
        assert_int_equal(holder->pid != 0, may_know);
        assert_int_equal(holder->has_phys, phys != 0);
        assert_int_equal(holder->phys, phys ? phys + 16 : 0);
        assert_int_equal(holder->offset, 16);
        assert_int_equal(holder->first, 0x10000);
        assert_int_equal(holder->last, 0x10000 + PAGE - 1);
        assert_string_equal(holder->state, former ? "" : "granted");
        assert_string_equal(holder->pool, former ? "" : "any");
}

static void test_io_names_are_for_administrators(void **state)
{
        static const enum caller_role roles[] = { CALLER_ADMIN, CALLER_USER, CALLER_STRANGER };
        struct mapped mapped = {
                .space = 1,
                .device = "secret-device",
                .pci = "0000:03:00.0",
                .iova = 0x10000,
                .length = PAGE,
                .n_parts = 1,
        };
        struct caller user;
        uint64_t phys;

        (void)state;
        if (!caller_can_be(&worker, CALLER_STRANGER))
                skip();
        caller_open_as(&worker, CALLER_USER, "secret-name", &user);
        mapped.buffer = caller_alloc(&user, PAGE, "any")->alloc->buffer;
        phys = user.packet->reply->alloc->extents->segments[0]->phys;
        assert_int_equal(caller_reply(&user, send_mapped(&user, &mapped))->result, 0);

        for (int freed = 0; freed < 2; freed++) {
                for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
                        const bool may_know = roles[i] != CALLER_STRANGER;
                        const Wire__FoundIo *found;
                        struct caller asker;

                        caller_open_as(&worker, roles[i], "asker", &asker);
                        found = look(&asker, 0x10010, "03:00.0");
                        assert_int_equal(found->n_holders, !freed);
                        assert_int_equal(found->n_former, freed);
                        assert_int_equal(found->other_devices, !may_know);
                        check_holder(freed ? found->former[0] : found->holders[0], may_know, freed,
                                     roles[i] == CALLER_ADMIN ? phys : 0);
                        caller_close(&asker);
                }
                if (!freed)
                        assert_int_equal(caller_free(&user, mapped.buffer)->result, 0);
        }
        caller_close(&user);
}

static void test_io_questions_are_checked(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__LookupIo body = WIRE__LOOKUP_IO__INIT;
        char name[] = NAME_63 "x";
        struct caller caller;

        (void)state;
        caller_open(&worker, "asker", &caller);
        body.device = name;
        request.body_case = WIRE__REQUEST__BODY_LOOKUP_IO;
        request.lookup_io = &body;
        assert_int_equal(caller_ask(&caller, &request)->result, PAR_REFUSED_INVALID);
        assert_int_equal(look(&caller, UINT64_MAX, "no such device")->n_holders, 0);
        caller_close(&caller);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_io_what_may_be_told, setup_admin, teardown),
                cmocka_unit_test_setup_teardown(test_io_need_not_be_waited_for, setup_admin,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_io_names_are_for_administrators, setup_admin,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_io_questions_are_checked, setup_admin,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
