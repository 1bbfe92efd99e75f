/* SPDX-License-Identifier: MIT */
/*
 * Two backends as one: each call goes to the one that has pages of that size, with what it was
 * given, and what that one says comes back.
 */
#include "by_size.h"

#include "heap.h"
#include "macros.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SMALL UINT64_C(4096)
#define LARGE (UINT64_C(2) << 20)
#define OTHER (UINT64_C(1) << 30)

/**
 * struct one - a backend that notes what it is asked
 * @call:    the last one; NULL: none
 * @answers: what it says
 * @ended:   points there; counts its ends
 */
struct one {
        struct backend backend;
        const char *call;
        uint64_t page_bytes, n;
        int node;
        const void *data;
        int answers;
        unsigned *ended;
};

static struct one *one_of(struct backend *backend)
{
        return CONTAINER_OF(backend, struct one, backend);
}

static int note(struct backend *backend, const char *call, uint64_t page_bytes, int node,
                uint64_t n, const void *data)
{
        struct one *one = one_of(backend);

        one->call = call;
        one->page_bytes = page_bytes;
        one->node = node;
        one->n = n;
        one->data = data;
        return one->answers;
}

static int one_take(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                    bool must_pin, struct backend_frame *ret)
{
        return note(backend, "take", page_bytes, node, window.last + must_pin, ret);
}

static int one_open_file(struct backend *backend, const struct backend_frame *frame, int *ret_fd)
{
        *ret_fd = 17;
        return note(backend, "open_file", frame->page_bytes, 0, 0, frame);
}

static int one_let_go(struct backend *backend, struct backend_frame *frame, bool owner_gone,
                      enum backend_holder *ret_holder)
{
        *ret_holder = HOLDER_PAGES;
        return note(backend, "let_go", frame->page_bytes, 0, owner_gone, frame);
}

static int one_release(struct backend *backend, struct backend_frame *frame,
                       enum backend_holder *ret_holder)
{
        *ret_holder = HOLDER_PATH;
        return note(backend, "release", frame->page_bytes, 0, 0, frame);
}

static int one_verify(struct backend *backend, const struct backend_frame *frame,
                      uint64_t *ret_phys)
{
        *ret_phys = 0x1234000;
        return note(backend, "verify", frame->page_bytes, 0, 0, frame);
}

static void one_deinit(struct backend *backend)
{
        ++*one_of(backend)->ended;
}

static int one_look(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                    void (*visit)(void *data, uint64_t phys), void *data)
{
        visit(data, window.first);
        return note(backend, "look", page_bytes, node, window.last, data);
}

static int one_more(struct backend *backend, uint64_t page_bytes, int node, uint64_t count,
                    uint64_t *ret_added)
{
        *ret_added = count / 2;
        return note(backend, "more", page_bytes, node, count, ret_added);
}

static void one_less(struct backend *backend, uint64_t page_bytes, int node, uint64_t count)
{
        (void)note(backend, "less", page_bytes, node, count, NULL);
}

static uint64_t one_demotable(struct backend *backend, uint64_t small_bytes)
{
        (void)note(backend, "demotable", small_bytes, 0, 0, NULL);
        return OTHER;
}

static int one_demote(struct backend *backend, uint64_t page_bytes, int node, uint64_t small_bytes)
{
        return note(backend, "demote", small_bytes, node, page_bytes, NULL);
}

static int one_node_range(struct backend *backend, int node, struct range *ret)
{
        *ret = (struct range){ 1, 2 };
        return note(backend, "node_range", 0, node, 0, ret);
}

static void one_set_keep_free(struct backend *backend, uint64_t bytes)
{
        (void)note(backend, "set_keep_free", 0, 0, bytes, NULL);
}

static int one_save(struct backend *backend, void **ret_bytes, size_t *ret_n)
{
        *ret_n = 3;
        return note(backend, "save", 0, 0, 0, ret_bytes);
}

static int one_resume(struct backend *backend, const void *bytes, size_t n)
{
        return note(backend, "resume", 0, 0, n, bytes);
}

static int one_adopt(struct backend *backend, struct backend_frame *frame)
{
        return note(backend, "adopt", frame->page_bytes, 0, 0, frame);
}

static int one_reclaim(struct backend *backend, struct backend_frame *frame)
{
        return note(backend, "reclaim", frame->page_bytes, 0, 0, frame);
}

static void one_reclaimed(struct backend *backend)
{
        (void)note(backend, "reclaimed", 0, 0, 0, NULL);
}

static const struct backend_ops one_ops = {
        .name = "one",
        .take = one_take,
        .open_file = one_open_file,
        .let_go = one_let_go,
        .release = one_release,
        .verify = one_verify,
        .deinit = one_deinit,
        .look = one_look,
        .more = one_more,
        .less = one_less,
        .demotable = one_demotable,
        .demote = one_demote,
        .node_range = one_node_range,
        .set_keep_free = one_set_keep_free,
        .save = one_save,
        .resume = one_resume,
        .adopt = one_adopt,
        .reclaim = one_reclaim,
        .reclaimed = one_reclaimed,
};

static struct one *one_new(unsigned *ended, bool can_pin)
{
        struct one *one = calloc(1, sizeof(*one));

        assert_non_null(one);
        one->backend = (struct backend){ .ops = &one_ops, .can_pin = can_pin };
        one->ended = ended;
        return one;
}

static unsigned ended;
static struct one *small, *rest;
static struct backend *both;

static int setup(void **state)
{
        (void)state;
        ended = 0;
        small = one_new(&ended, false);
        rest = one_new(&ended, true);
        return by_size_new(SMALL, &small->backend, &rest->backend, &both);
}

static int teardown(void **state)
{
        (void)state;
        backend_free(both);
        assert_int_equal(ended, 2);
        return 0;
}

static void visit(void *data, uint64_t phys)
{
        *(uint64_t *)data = phys;
}

/* What the last call was; there was one, of one of the two. */
static struct one asked(struct one *want)
{
        struct one *other = want == small ? rest : small, have = *want;

        assert_null(other->call);
        assert_non_null(have.call);
        want->call = NULL;
        return have;
}

static const struct {
        uint64_t page_bytes;
        struct one **whose;
} sizes[] = { { SMALL, &small }, { LARGE, &rest }, { OTHER, &rest } };

/* Calls about a page size. */
static void test_by_size_asks_who_has_such_pages(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                const uint64_t bytes = sizes[i].page_bytes;
                struct one *whose = *sizes[i].whose, call;
                struct backend_frame frame;
                uint64_t n = 0;

                print_message("pages of %ju\n", (uintmax_t)bytes);
                whose->answers = -EDQUOT;
                assert_int_equal(
                        both->ops->take(both, bytes, 3, (struct range){ 5, 7 }, true, &frame),
                        -EDQUOT);
                call = asked(whose);
                assert_string_equal(call.call, "take");
                assert_int_equal(call.page_bytes, bytes);
                assert_int_equal(call.node, 3);
                assert_int_equal(call.n, 8);
                assert_ptr_equal(call.data, &frame);

                assert_int_equal(both->ops->look(both, bytes, 1, (struct range){ 5, 7 }, visit, &n),
                                 -EDQUOT);
                call = asked(whose);
                assert_string_equal(call.call, "look");
                assert_int_equal(call.page_bytes, bytes);
                assert_int_equal(n, 5);

                assert_int_equal(both->ops->more(both, bytes, 1, 10, &n), -EDQUOT);
                call = asked(whose);
                assert_string_equal(call.call, "more");
                assert_int_equal(call.n, 10);
                assert_int_equal(n, 5);

                both->ops->less(both, bytes, 1, 11);
                call = asked(whose);
                assert_string_equal(call.call, "less");
                assert_int_equal(call.n, 11);

                /* The size of the pages that are to be had counts, not of the one taken apart. */
                assert_int_equal(both->ops->demotable(both, bytes), OTHER);
                assert_string_equal(asked(whose).call, "demotable");
                assert_int_equal(both->ops->demote(both, OTHER, 1, bytes), -EDQUOT);
                call = asked(whose);
                assert_string_equal(call.call, "demote");
                assert_int_equal(call.n, OTHER);
        }
}

/* Calls about a frame. */
static void test_by_size_asks_where_a_frame_is_from(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                struct backend_frame frame = { .page_bytes = sizes[i].page_bytes };
                struct one *whose = *sizes[i].whose, call;
                enum backend_holder holder = HOLDER_NONE;
                uint64_t phys = 0;
                int fd = -1;

                print_message("a frame of %ju\n", (uintmax_t)frame.page_bytes);
                whose->answers = -EBUSY;
                assert_int_equal(both->ops->open_file(both, &frame, &fd), -EBUSY);
                assert_int_equal(fd, 17);
                assert_ptr_equal(asked(whose).data, &frame);

                assert_int_equal(both->ops->let_go(both, &frame, true, &holder), -EBUSY);
                assert_int_equal(holder, HOLDER_PAGES);
                call = asked(whose);
                assert_string_equal(call.call, "let_go");
                assert_int_equal(call.n, 1);

                assert_int_equal(both->ops->release(both, &frame, &holder), -EBUSY);
                assert_int_equal(holder, HOLDER_PATH);
                assert_string_equal(asked(whose).call, "release");

                assert_int_equal(both->ops->verify(both, &frame, &phys), -EBUSY);
                assert_int_equal(phys, 0x1234000);
                assert_string_equal(asked(whose).call, "verify");

                assert_int_equal(both->ops->adopt(both, &frame), -EBUSY);
                assert_string_equal(asked(whose).call, "adopt");
                assert_int_equal(both->ops->reclaim(both, &frame), -EBUSY);
                assert_string_equal(asked(whose).call, "reclaim");
        }
}

/* Calls about neither: the second one's affair. */
static void test_by_size_asks_the_second_one_of_the_whole(void **state)
{
        struct range node;
        struct one call;
        void *bytes;
        size_t n;

        (void)state;
        assert_true(both->can_pin);
        rest->answers = -ENOENT;
        assert_int_equal(both->ops->node_range(both, 2, &node), -ENOENT);
        assert_int_equal(node.last, 2);
        assert_int_equal(asked(rest).node, 2);

        both->ops->set_keep_free(both, 4096);
        assert_int_equal(asked(rest).n, 4096);

        assert_int_equal(both->ops->save(both, &bytes, &n), -ENOENT);
        assert_int_equal(n, 3);
        assert_ptr_equal(asked(rest).data, &bytes);
        assert_int_equal(both->ops->resume(both, &n, 8), -ENOENT);
        call = asked(rest);
        assert_string_equal(call.call, "resume");
        assert_ptr_equal(call.data, &n);
        assert_int_equal(call.n, 8);

        both->ops->reclaimed(both);
        assert_string_equal(asked(rest).call, "reclaimed");
}

static void test_by_size_without_memory_ends_both(void **state)
{
        struct backend *none = NULL;
        unsigned ends = 0;
        struct one *a = one_new(&ends, true), *b = one_new(&ends, true);

        (void)state;
        heap_fail(1, ULONG_MAX);
        assert_int_equal(by_size_new(SMALL, &a->backend, &b->backend, &none), -ENOMEM);
        assert_true(heap_mend());
        assert_null(none);
        assert_int_equal(ends, 2);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_by_size_asks_who_has_such_pages),
                TEST(test_by_size_asks_where_a_frame_is_from),
                TEST(test_by_size_asks_the_second_one_of_the_whole),
                cmocka_unit_test(test_by_size_without_memory_ends_both),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
