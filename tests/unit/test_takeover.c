/* SPDX-License-Identifier: MIT */
#include "slots.h"
#include "takeover.h"

#include "descriptors.h"
#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM 8u

static const struct takeover_head head = {
        .room = ROOM,
        .flags = TAKEOVER_ANNOUNCED,
        .starts = 7,
        .config_fd = 3,
        .ledger_fd = 4,
        .udmabuf_fd = -1,
        .listener = { 5, 6, 1, 2 },
        .metrics = { -1, -1, 0, 0 },
};

static const struct takeover_slot slots[] = {
        { .number = 0, .generation = 3, .memfd = -1 },
        { .number = 5,
          .generation = 1,
          .flags = TAKEOVER_HELD | TAKEOVER_FRAME_PINNED,
          .page_bytes = 2 * MiB,
          .phys = 4 * GiB,
          .told_phys = 4 * GiB,
          .memfd = 9,
          .node = 1,
          .pin = 17 },
};

static const char backend[] = "what the backend knows";

static int write_it(void)
{
        int fd;

        assert_int_equal(
                takeover_write(&head, slots, ARRAY_SIZE(slots), backend, sizeof(backend), &fd), 0);
        return fd;
}

static void test_takeover_says_what_was_written(void **state)
{
        unsigned descriptors = descriptors_open();
        struct takeover takeover;
        struct takeover_slot slot;
        int fd = write_it();

        (void)state;
        assert_int_equal(takeover_read(fd, &takeover), 0);
        close(fd);
        assert_int_equal(takeover.head.starts, 7);
        assert_int_equal(takeover.head.listener.lock_fd, 6);
        assert_int_equal(takeover.head.n_slots, ARRAY_SIZE(slots));
        slot = takeover_slot(&takeover, 1);
        assert_memory_equal(&slot, &slots[1], sizeof(slot));
        assert_int_equal(takeover.head.backend_bytes, sizeof(backend));
        assert_string_equal(takeover_backend(&takeover), backend);
        takeover_deinit(&takeover);
        assert_int_equal(descriptors_open(), descriptors);
}

/* ---- other versions, and what is no takeover at all ------------------------------------------ */

struct image {
        unsigned char *bytes;
        size_t n;
};

static struct image image_of(int fd)
{
        struct image image = { .n = (size_t)lseek(fd, 0, SEEK_END) };

        image.bytes = malloc(image.n + 4096);
        assert_non_null(image.bytes);
        assert_int_equal(pread(fd, image.bytes, image.n, 0), (ssize_t)image.n);
        return image;
}

/* As takeover.c sums up. */
static void sum_up(struct image *image)
{
        uint64_t sum = UINT64_C(0xcbf29ce484222325);

        memset(image->bytes + offsetof(struct takeover_head, sum), 0, sizeof(sum));
        for (size_t i = 0; i < image->n; i++)
                sum = (sum ^ image->bytes[i]) * UINT64_C(0x100000001b3);
        memcpy(image->bytes + offsetof(struct takeover_head, sum), &sum, sizeof(sum));
}

static int read_image(const struct image *image, bool sealed, struct takeover *ret)
{
        int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING), r;

        assert_int_equal(write(fd, image->bytes, image->n), (ssize_t)image->n);
        if (sealed)
                assert_int_equal(fcntl(fd, F_ADD_SEALS,
                                       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL),
                                 0);
        r = takeover_read(fd, ret);
        close(fd);
        return r;
}

static void put(struct image *image, size_t offset, const void *from, size_t n)
{
        memcpy(image->bytes + offset, from, n);
        sum_up(image);
}

#define FIELD(name) offsetof(struct takeover_head, name), sizeof(((struct takeover_head *)0)->name)

static const struct {
        const char *name;
        size_t offset, bytes;
        uint64_t value;
        int result;
} wrong_heads[] = {
        { "is nothing of the kind", FIELD(magic), 1, -EPROTO },
        { "is older than what is understood", FIELD(version), TAKEOVER_OLDEST - 1, -EPROTO },
        { "is newer than what is understood", FIELD(version), TAKEOVER_VERSION + 1, -EPROTO },
        { "has a head that is too small", FIELD(head_bytes), 8, -EBADMSG },
        { "has a head that is too large", FIELD(head_bytes), UINT32_MAX, -EBADMSG },
        { "has slots that are too small", FIELD(slot_bytes), 8, -EBADMSG },
        { "has more slots than it has bytes", FIELD(n_slots), UINT32_MAX, -EBADMSG },
        { "has slots in its head", FIELD(slots_offset), 8, -EBADMSG },
        { "has slots behind its end", FIELD(slots_offset), UINT64_MAX - 8, -EBADMSG },
        { "has a backend behind its end", FIELD(backend_offset), 1 << 20, -EBADMSG },
        { "has a backend of all memory", FIELD(backend_bytes), UINT64_MAX, -EBADMSG },
        { "has another length", FIELD(total_bytes), 1, -EBADMSG },
};

static void test_takeover_refuses_what_makes_no_sense(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong_heads); i++) {
                int fd = write_it(), r;
                struct image image = image_of(fd);
                struct takeover takeover;

                put(&image, wrong_heads[i].offset, &wrong_heads[i].value, wrong_heads[i].bytes);
                r = read_image(&image, true, &takeover);
                if (r != wrong_heads[i].result)
                        fail_msg("what %s: %d instead of %d", wrong_heads[i].name, r,
                                 wrong_heads[i].result);
                free(image.bytes);
                close(fd);
        }
}

static void test_takeover_refuses_each_wrong_byte_and_what_may_change(void **state)
{
        int fd = write_it();
        struct image image = image_of(fd);
        struct takeover takeover;

        (void)state;
        for (size_t i = 0; i < image.n; i++) {
                image.bytes[i] ^= 0x10;
                assert_true(read_image(&image, true, &takeover) < 0);
                image.bytes[i] ^= 0x10;
        }
        assert_int_equal(read_image(&image, false, &takeover), -EPROTO);
        image.n = 20;
        assert_int_equal(read_image(&image, true, &takeover), -EPROTO);
        free(image.bytes);
        close(fd);
}

/* A writer whose records have fields that this reader does not know. */
static void test_takeover_reads_larger_records(void **state)
{
        enum { MORE = 24 };
        const uint32_t head_bytes = sizeof(struct takeover_head) + MORE;
        const uint32_t slot_bytes = sizeof(struct takeover_slot) + MORE;
        const uint64_t slots_offset = head_bytes;
        struct image image = { .n = head_bytes + ARRAY_SIZE(slots) * slot_bytes };
        struct takeover_head large = head;
        struct takeover takeover;
        struct takeover_slot slot;

        (void)state;
        image.bytes = malloc(image.n);
        assert_non_null(image.bytes);
        memset(image.bytes, 0xee, image.n);
        large.magic = TAKEOVER_MAGIC;
        large.version = TAKEOVER_VERSION;
        large.head_bytes = head_bytes;
        large.slot_bytes = slot_bytes;
        large.n_slots = ARRAY_SIZE(slots);
        large.slots_offset = slots_offset;
        large.backend_offset = large.total_bytes = image.n;
        for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
                memcpy(image.bytes + slots_offset + i * slot_bytes, &slots[i], sizeof(slots[i]));
        put(&image, 0, &large, sizeof(large));
        assert_int_equal(read_image(&image, true, &takeover), 0);
        assert_int_equal(takeover.head.starts, 7);
        slot = takeover_slot(&takeover, 1);
        assert_memory_equal(&slot, &slots[1], sizeof(slot));
        takeover_deinit(&takeover);
        free(image.bytes);
}

/* The former version: its head ended before @n_parked. */
static void test_takeover_reads_the_former_version(void **state)
{
        enum { HEAD_BYTES = offsetof(struct takeover_head, n_parked) };
        struct image image = { .n = HEAD_BYTES + sizeof(slots) + sizeof(backend) };
        struct takeover_head former = head;
        struct takeover takeover;
        struct takeover_slot slot;

        (void)state;
        assert_int_equal(HEAD_BYTES, 144);
        image.bytes = malloc(image.n);
        assert_non_null(image.bytes);
        former.magic = TAKEOVER_MAGIC;
        former.version = TAKEOVER_VERSION - 1;
        former.head_bytes = HEAD_BYTES;
        former.slot_bytes = sizeof(slots[0]);
        former.n_slots = ARRAY_SIZE(slots);
        former.slots_offset = HEAD_BYTES;
        former.backend_offset = HEAD_BYTES + sizeof(slots);
        former.backend_bytes = sizeof(backend);
        former.total_bytes = image.n;
        memcpy(image.bytes + former.slots_offset, slots, sizeof(slots));
        memcpy(image.bytes + former.backend_offset, backend, sizeof(backend));
        put(&image, 0, &former, HEAD_BYTES);
        assert_int_equal(read_image(&image, true, &takeover), 0);
        assert_int_equal(takeover.head.starts, 7);
        assert_int_equal(takeover.head.n_parked, 0);
        assert_int_equal(takeover.head.written_ns, 0);
        slot = takeover_slot(&takeover, 1);
        assert_memory_equal(&slot, &slots[1], sizeof(slot));
        assert_string_equal(takeover_backend(&takeover), backend);
        takeover_deinit(&takeover);
        free(image.bytes);
}

/* ---- slots ---------------------------------------------------------------------------------- */

static void test_slots_are_where_they_were(void **state)
{
        const struct slot held = { .state = SLOT_HELD, .pool = 2, .frame = BACKEND_FRAME_NONE };
        const struct backend_frame frame = BACKEND_FRAME_NONE;
        struct slots all;

        (void)state;
        assert_int_equal(slots_init(&all, ROOM), 0);
        assert_int_equal(slots_restore(&all, ROOM, 1, NULL), -EBADMSG);
        assert_int_equal(slots_restore(&all, 1, 0, NULL), -EBADMSG);
        assert_int_equal(slots_restore(&all, 0, 3, NULL), 0);
        assert_int_equal(slots_restore(&all, 0, 4, NULL), -EBADMSG);
        assert_int_equal(slots_restore(&all, 5, 1, &held), 0);
        slots_restored(&all);
        assert_int_equal(slots_used(&all), 1);
        assert_int_equal(slots_next(&all, 0), 5);
        assert_int_equal(all.slots[5].generation, 1);
        assert_int_equal(all.slots[5].pool, 2);
        /* A generation does not come again. */
        assert_int_equal(slots_enter(&all, &frame, 0), 0);
        assert_int_equal(all.slots[0].generation, 4);
        for (unsigned i = 2; i < ROOM; i++)
                assert_int_not_equal(slots_enter(&all, &frame, 0), 5);
        assert_int_equal(all.n_free, 0);
        slots_deinit(&all);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_takeover_says_what_was_written),
                cmocka_unit_test(test_takeover_refuses_what_makes_no_sense),
                cmocka_unit_test(test_takeover_refuses_each_wrong_byte_and_what_may_change),
                cmocka_unit_test(test_takeover_reads_larger_records),
                cmocka_unit_test(test_takeover_reads_the_former_version),
                cmocka_unit_test(test_slots_are_where_they_were),
        };

        return cmocka_run_group_tests_name("takeover", tests, NULL, NULL);
}
