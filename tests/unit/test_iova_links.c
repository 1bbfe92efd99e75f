/* SPDX-License-Identifier: MIT */
#include "iova_links.h"
#include "macros.h"
#include "par_iova.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LINKS_MAX 4

/* A link by its place, its length and where its memory is. */
struct line {
        uint64_t at, length;
        uintptr_t memory;
        bool apart;
        uint32_t directions;
};

static void begin(struct iova_links *links, const struct line *lines)
{
        *links = (struct iova_links){ .by_at = RB_INITIALIZER(NULL) };
        for (size_t i = 0; i < LINKS_MAX && lines[i].length; i++) {
                struct iova_link *link = calloc(1, sizeof(*link));

                assert_non_null(link);
                link->at = lines[i].at;
                link->length = lines[i].length;
                link->memory = (char *)lines[i].memory;
                link->apart = lines[i].apart;
                link->directions = lines[i].directions;
                iova_links_insert(links, link);
        }
}

/* ---- overlaps ------------------------------------------------------------------------------- */

static const struct line few[LINKS_MAX] = { { .at = 20, .length = 10 },
                                            { .at = 40, .length = 10 },
                                            { .at = 10, .length = 10 } };

/* first: of the link that is found from there on; cut: of the one that is only partly in there */
#define NONE UINT64_MAX

static const struct {
        const char *name;
        uint64_t at, length;
        uint64_t first;
        bool overlaps;
        uint64_t cut;
} overlaps[] = {
        { "before all", 0, 10, 10, false, NONE },
        { "up to the first byte of one", 0, 11, 10, true, 10 },
        { "the last byte before one", 9, 1, 10, false, NONE },
        { "exactly one", 10, 10, 10, true, NONE },
        { "one and some more", 5, 16, 10, true, 20 },
        { "two", 10, 20, 10, true, NONE },
        { "inside of one", 12, 2, 10, true, 10 },
        { "the last byte of one", 29, 1, 20, true, 20 },
        { "the end of one, and the gap", 25, 15, 20, true, 20 },
        { "the gap", 30, 10, 40, false, NONE },
        { "the gap and the beginning of one", 30, 11, 40, true, 40 },
        { "all", 0, 100, 10, true, NONE },
        { "behind all", 50, 10, NONE, false, NONE },
        { "the last byte there is", UINT64_MAX, 1, NONE, false, NONE },
};

static void test_iova_links_overlap(void **state)
{
        struct iova_links links, nothing = { .by_at = RB_INITIALIZER(NULL) };

        (void)state;
        begin(&links, few);
        for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++) {
                const uint64_t at = overlaps[i].at, length = overlaps[i].length;
                const struct iova_link *from = iova_links_from(&links, at);
                const struct iova_link *cut = iova_links_cut(&links, at, length);

                if ((from ? from->at : NONE) != overlaps[i].first ||
                    iova_links_overlap(&links, at, length) != overlaps[i].overlaps ||
                    (cut ? cut->at : NONE) != overlaps[i].cut)
                        fail_msg("%s: %p, %p", overlaps[i].name, (const void *)from,
                                 (const void *)cut);
                assert_false(iova_links_overlap(&nothing, at, length));
                assert_null(iova_links_cut(&nothing, at, length));
        }
        iova_links_clear(&links);
        assert_null(iova_links_from(&links, 0));
}

/* ---- batches -------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct line lines[LINKS_MAX];
        uint64_t batch, next; /* of the first one */
} batches[] = {
        { "alone", { { 0, 10, 100, false, 0 } }, 10, NONE },
        { "neighbours in the range and in memory",
          { { 0, 10, 100, false, 0 }, { 10, 5, 110, false, 0 }, { 15, 5, 115, false, 0 } },
          20,
          NONE },
        { "neighbours in the range alone",
          { { 0, 10, 100, false, 0 }, { 10, 5, 111, false, 0 } },
          10,
          10 },
        { "neighbours in memory alone",
          { { 0, 10, 100, false, 0 }, { 11, 5, 110, false, 0 } },
          10,
          11 },
        { "the other way round in memory",
          { { 0, 5, 105, false, 0 }, { 5, 5, 100, false, 0 } },
          5,
          5 },
        { "the first apart", { { 0, 10, 100, true, 0 }, { 10, 5, 110, false, 0 } }, 10, 10 },
        { "the second apart",
          { { 0, 10, 100, false, 0 }, { 10, 5, 110, true, 0 }, { 15, 5, 115, false, 0 } },
          10,
          10 },
        { "the third elsewhere",
          { { 0, 10, 100, false, 0 }, { 10, 5, 110, false, 0 }, { 15, 5, 200, false, 0 } },
          15,
          15 },
        { "the third for reading alone",
          { { 0, 10, 100, false, 0 },
            { 10, 5, 110, false, 0 },
            { 15, 5, 115, false, PAR_IOVA_TO_DEVICE } },
          15,
          15 },
        { "all for writing alone",
          { { 0, 10, 100, false, PAR_IOVA_FROM_DEVICE },
            { 10, 5, 110, false, PAR_IOVA_FROM_DEVICE } },
          15,
          NONE },
};

static void test_iova_links_are_mapped_together(void **state)
{
        struct iova_links links;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(batches); i++) {
                struct iova_link *first, *next;

                begin(&links, batches[i].lines);
                first = iova_links_from(&links, 0);
                next = iova_links_batch(first);
                if (first->batch != batches[i].batch || (next ? next->at : NONE) != batches[i].next)
                        fail_msg("%s: %llu bytes", batches[i].name,
                                 (unsigned long long)first->batch);
                iova_links_clear(&links);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_iova_links_overlap),
                cmocka_unit_test(test_iova_links_are_mapped_together),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
