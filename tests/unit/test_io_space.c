/* SPDX-License-Identifier: MIT */
/* The I/O addresses of a container: places, mappings, and each way in which they fail. */
#include "io_space.h"

#include "error.h"
#include "fake_mapper.h"
#include "file_tree.h"
#include "heap.h"
#include "macros.h"

#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

static char memory[64 * KiB];

static const struct io_user edu0 = { "edu0", 0xfffffff, "/nonexistent" };

/* A fake container, and its space with one reference. */
struct setup {
        struct fake_mapper fake;
        struct io_spaces spaces;
        struct io_space *space;
};

static void begin(struct setup *setup)
{
        io_spaces_init(&setup->spaces);
        fake_mapper_init(&setup->fake, 7);
        assert_int_equal(io_space_get(&setup->spaces, &setup->fake.mapper, 7, &edu0, &setup->space),
                         0);
}

static void end(struct setup *setup)
{
        io_space_unref(setup->space);
        assert_int_equal(setup->fake.frees, 1);
        assert_true(LIST_EMPTY(&setup->spaces.list));
}

static struct io_want want_below(uint64_t addr_max, uint64_t size)
{
        return (struct io_want){
                .limits = { .window = { 0, addr_max },
                            .size_bytes = size,
                            .align_bytes = 1,
                            .max_segments = 1 },
                .who = "edu0",
        };
}

static void assert_said(const char *name, const char *words)
{
        if (!strstr(par_error(NULL), words))
                fail_msg("%s: \"%s\" is not in \"%s\"", name, words, par_error(NULL));
}

/* ---- the way of a buffer -------------------------------------------------------------------- */

static void test_io_space_maps_and_unmaps(void **state)
{
        struct io_want want = want_below(0xfffffff, sizeof(memory));
        struct range place, second;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(io_space_granule(setup.space), 4 * KiB);
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(io_space_map(setup.space, memory, &want, &place), 0);
        assert_int_equal(place.last, 0xfffffff);
        assert_int_equal(setup.fake.n_mappings, 1);
        assert_ptr_equal(setup.fake.mappings[0].memory, memory);
        assert_int_equal(setup.fake.mappings[0].at.first, place.first);
        assert_int_equal(range_size(setup.fake.mappings[0].at), sizeof(memory));
        assert_int_equal(setup.fake.mappings[0].access, IO_READ_WRITE);

        want.access = IO_WRITE;
        assert_int_equal(io_space_take(setup.space, &want, &second), 0);
        assert_int_equal(second.last, place.first - 1);
        assert_int_equal(io_space_map(setup.space, memory, &want, &second), 0);
        assert_int_equal(setup.fake.mappings[1].access, IO_WRITE);
        assert_int_equal(io_space_unmap_part(setup.space, second), 0);
        assert_int_equal(io_space_map_part(setup.space, memory, second, IO_READ), 0);
        assert_int_equal(setup.fake.mappings[1].access, IO_READ);
        assert_int_equal(io_space_unmap(setup.space, second), 0);
        assert_int_equal(io_space_unmap(setup.space, place), 0);
        assert_int_equal(setup.fake.n_mappings, 0);
        assert_int_equal(io_space_take(setup.space, &want, &second), 0);
        assert_int_equal(second.first, place.first);
        end(&setup);
}

/* What sysfs says of a machine: a device of 28 bits, and one with registers in its reach. */
static const struct {
        const char *path, *text;
} devices[] = {
        { "/0000:00:01.0/iommu_group/reserved_regions",
          "0x0000000008000000 0x00000000080fffff msi\n" },
        { "/0000:00:01.0/resource", "0x000000000ffff000 0x000000000fffffff 0x0000000000040200\n"
                                    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
                                    "0x000000000fffe000 0x000000000fffe01f 0x0000000000040101\n" },
        { "/0000:00:02.0/resource", "0x000000000fff0800 0x000000000fff0fff 0x0000000000040200\n" },
        { "/0000:00:03.0/resource", "nonsense\n" },
};

static void test_io_space_asks_sysfs(void **state)
{
        struct io_user user = { "0000:00:01.0", 0xfffffff, NULL };
        struct io_want page = want_below(UINT64_MAX, 4 * KiB), many = page;
        struct file_tree tree;
        struct setup setup;
        struct range place;

        (void)state;
        file_tree_init(&tree);
        for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
                file_tree_put(&tree, devices[i].path, devices[i].text);
        user.devices = tree.root;
        io_spaces_init(&setup.spaces);
        fake_mapper_init(&setup.fake, 7);
        setup.fake.facts.n_ranges = 0; /* an old kernel */
        assert_int_equal(io_space_get(&setup.spaces, &setup.fake.mapper, 7, &user, &setup.space),
                         0);
        file_tree_deinit(&tree);

        /* Not where registers are, but next to them; ports are none. */
        assert_int_equal(io_space_take(setup.space, &page, &place), 0);
        assert_int_equal(place.first, 0xfffe000);
        many.limits.size_bytes = 52 * KiB;
        assert_int_equal(io_space_take(setup.space, &many, &place), 0);
        assert_int_equal(place.first, 0xfff1000);
        assert_int_equal(io_space_take(setup.space, &page, &place), 0);
        assert_int_equal(place.first, 0xffef000);

        /* Unless there is no other place. */
        page.limits.window = (struct range){ 0xfff0000, 0xfff0fff };
        assert_int_equal(io_space_take(setup.space, &page, &place), 0);
        assert_int_equal(place.first, 0xfff0000);
        page.limits.window = (struct range){ 0x8000000, 0x80fffff };
        assert_int_equal(io_space_take(setup.space, &page, &place), -PAR_NEVER_FITS);
        end(&setup);
}

static void test_io_space_is_one_for_a_container(void **state)
{
        struct fake_mapper same, other;
        struct io_space *again, *second;
        struct io_want want = want_below(UINT64_MAX, 4 * KiB);
        struct range place;
        struct setup setup;

        (void)state;
        begin(&setup);
        /* A device with a memory region of its own came to it. */
        setup.fake.facts.ranges[1].last = 0xffffffff;
        fake_mapper_init(&same, 7);
        fake_mapper_init(&other, 8);
        assert_int_equal(io_space_get(&setup.spaces, &same.mapper, 7, &edu0, &again), 0);
        assert_ptr_equal(again, setup.space);
        assert_int_equal(same.frees, 1);
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(place.last, 0xffffffff);

        assert_int_equal(io_space_get(&setup.spaces, &other.mapper, 8, &edu0, &second), 0);
        assert_ptr_not_equal(second, setup.space);
        assert_int_equal(io_space_take(second, &want, &place), 0);
        assert_int_equal(place.last, 0x7fffffffff);

        io_space_unref(second);
        assert_int_equal(other.frees, 1);
        io_space_unref(again);
        assert_int_equal(setup.fake.frees, 0);
        io_space_unref(NULL);
        end(&setup);
}

static void test_io_space_is_one_of_a_few(void **state)
{
        static struct fake_mapper fakes[IO_SPACES_MAX + 1];
        struct io_space *got[IO_SPACES_MAX], *none = NULL;
        struct io_spaces spaces;

        (void)state;
        io_spaces_init(&spaces);
        for (int i = 0; i <= IO_SPACES_MAX; i++)
                fake_mapper_init(&fakes[i], 100 + i);
        for (int i = 0; i < IO_SPACES_MAX; i++)
                assert_int_equal(io_space_get(&spaces, &fakes[i].mapper, 100 + i, &edu0, &got[i]),
                                 0);
        assert_int_equal(io_space_get(&spaces, &fakes[IO_SPACES_MAX].mapper, 200, &edu0, &none),
                         -EMFILE);
        assert_null(none);
        assert_said("the last one", "at most 32 containers");
        assert_int_equal(fakes[IO_SPACES_MAX].frees, 1);

        io_space_unref(got[3]);
        fake_mapper_init(&fakes[3], 103);
        assert_int_equal(io_space_get(&spaces, &fakes[3].mapper, 103, &edu0, &got[3]), 0);
        for (int i = 0; i < IO_SPACES_MAX; i++)
                io_space_unref(got[i]);
        assert_true(LIST_EMPTY(&spaces.list));
}

static void test_io_space_lets_go_of_its_containers(void **state)
{
        const unsigned descriptors = descriptors_open();
        const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        struct io_space *space;
        struct io_spaces spaces;
        struct fake_mapper fake;

        (void)state;
        assert_true(fd >= 0);
        io_spaces_init(&spaces);
        fake_mapper_init(&fake, fd);
        assert_int_equal(io_space_get(&spaces, &fake.mapper, fd, &edu0, &space), 0);
        io_spaces_abandon(&spaces);
        assert_int_equal(descriptors_open(), descriptors);
        io_spaces_abandon(&spaces); /* not twice: the number may be another file's */
        io_space_unref(space);
}

/* ---- others in the same container ----------------------------------------------------------- */

static void test_io_space_tries_elsewhere(void **state)
{
        struct io_want want = want_below(0xfffff, sizeof(memory));
        struct range place;
        struct setup setup;

        (void)state;
        begin(&setup);
        fake_mapper_intrude(&setup.fake, (struct range){ 0xff000, 0xfffff });
        fake_mapper_intrude(&setup.fake, (struct range){ 0xe8000, 0xe8fff });
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(io_space_map(setup.space, memory, &want, &place), 0);
        assert_int_equal(place.first, 0xd0000);
        assert_int_equal(setup.fake.calls, 3);

        /* The next one need not find that out again. */
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(place.first, 0xc0000);
        end(&setup);
}

/* Another process has mapped more places side by side than may be tried one by one; between what
 * it has and what it has not, nothing is lost. */
static void test_io_space_gets_past_many_mappings(void **state)
{
        struct io_want want = want_below(0x1fffff, 4 * KiB);
        struct range place;
        struct setup setup;

        (void)state;
        begin(&setup);
        for (uint64_t i = 1; i <= 500; i++)
                fake_mapper_intrude(&setup.fake, range_of(0x200000 - i * 4 * KiB, 4 * KiB));
        for (unsigned i = 0; i < 12; i++) {
                setup.fake.calls = 0;
                assert_int_equal(io_space_take(setup.space, &want, &place), 0);
                if (io_space_map(setup.space, memory, &want, &place))
                        fail_msg("buffer %u: %s", i, par_error(NULL));
                assert_true(place.last < 0x200000 - 500 * 4 * KiB);
                assert_true(setup.fake.calls <= 256);
        }
        assert_int_equal(setup.fake.n_mappings, FAKE_MAPPINGS_MAX);
        end(&setup);
}

static void test_io_space_gives_up_where_others_are_everywhere(void **state)
{
        struct io_want want = want_below(0xffff, 4 * KiB);
        struct range place;
        struct setup setup;

        (void)state;
        begin(&setup);
        fake_mapper_intrude(&setup.fake, (struct range){ 0, 0xffff });
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(io_space_map(setup.space, memory, &want, &place), -PAR_BUSY);
        assert_said("everywhere", "each of 256 places for 4096 bytes");

        setup.fake.n_mappings = 0;
        for (int i = 0; i < 16; i++)
                assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(io_space_take(setup.space, &want, &place), -PAR_EXHAUSTED);
        end(&setup);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct io_want want;
        int result;
        const char *words, *limit, *set_by;
} refusals[] = {
        { "the window of the interrupts",
          { .limits = { { 0xfee00000, 0xfee00fff }, 4096, 1, 0, 0, 1 } },
          -PAR_NEVER_FITS,
          "maps no I/O address from 0xfee00000 to 0xfee00fff",
          "addr_max",
          "the request" },
        { "what it maps instead",
          { .limits = { { 0xfee00000, 0xfee00fff }, 4096, 1, 0, 0, 1 } },
          -PAR_NEVER_FITS,
          "it maps 0-0xfedfffff, 0xfef00000-0x7fffffffff",
          "addr_max",
          "the request" },
        { "beyond the aperture",
          { .limits = { { 0x8000000000, UINT64_MAX }, 4096, 1, 0, 0, 1 } },
          -PAR_NEVER_FITS,
          "from 0x8000000000 to 0xffffffffffffffff",
          "addr_min",
          "the request" },
        { "across the interrupts",
          { .limits = { { 0xfed00000, 0xfeffffff }, 2 * MiB, 1, 0, 0, 1 } },
          -PAR_NEVER_FITS,
          "the IOMMU maps 2097152 there, the longest run is 1048576",
          "addr_max",
          "the request" },
        { "the mask of the device",
          { .limits = { { 0xfed00000, 0xfeffffff }, 2 * MiB, 1, 0, 0, 1 },
            .who = "edu0",
            .set_by_device = { [LIMIT_ADDR_MAX] = true } },
          -PAR_NEVER_FITS,
          "(addr_max of device edu0)",
          "addr_max",
          "device edu0" },
        { "larger than the device reaches",
          { .limits = { { 0, 0xfffffff }, GiB, 1, 0, 0, 1 },
            .who = "edu0",
            .set_by_device = { [LIMIT_ADDR_MAX] = true } },
          -PAR_NEVER_FITS,
          "addr_max cannot be met for I/O addresses: 1073741824 bytes from 0 to 0xfffffff",
          "addr_max",
          "device edu0" },
        { "and who says so",
          { .limits = { { 0, 0xfffffff }, GiB, 1, 0, 0, 1 },
            .who = "edu0",
            .set_by_device = { [LIMIT_ADDR_MAX] = true } },
          -PAR_NEVER_FITS,
          "it is set by device edu0",
          "addr_max",
          "device edu0" },
        { "below what the device reaches",
          { .limits = { { 0x10000, 0xfff }, 4096, 1, 0, 0, 1 },
            .who = "edu0",
            .set_by_device = { [LIMIT_ADDR_MIN] = true } },
          -PAR_NEVER_FITS,
          "addr_min 0x10000 of device edu0 is above addr_max 0xfff of the request",
          "addr_min",
          "device edu0" },
        { "a window that is none",
          { .limits = { { 0x10000, 0xfff }, 4096, 1, 0, 0, 1 } },
          -PAR_INVALID,
          "addr_min is not valid for I/O addresses",
          "addr_min",
          "the request" },
        { "an alignment that is none",
          { .limits = { { 0, UINT64_MAX }, 4096, 3, 0, 0, 1 } },
          -PAR_INVALID,
          "align is not valid for I/O addresses",
          "align",
          "the request" },
};

static void test_io_space_says_why_not(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                struct par_refusal_info figures;
                struct range place;
                int r = io_space_take(setup.space, &refusals[i].want, &place);

                if (r != refusals[i].result)
                        fail_msg("%s: %d, %s", refusals[i].name, r, par_error(NULL));
                assert_said(refusals[i].name, refusals[i].words);
                assert_int_equal(par_last_refusal(NULL, &figures), 0);
                if (strcmp(figures.limit, refusals[i].limit) != 0 ||
                    strcmp(figures.limit_set_by, refusals[i].set_by) != 0)
                        fail_msg("%s: %s, set by %s", refusals[i].name, figures.limit,
                                 figures.limit_set_by);
                assert_int_equal(figures.result, r);
                assert_int_equal(figures.permanent, par_is_permanent(r));
                assert_int_equal(figures.size, refusals[i].want.limits.size_bytes);
        }
        end(&setup);
}

static void test_io_space_says_how_much_is_free(void **state)
{
        struct io_want want = want_below(0xffff, 40 * KiB);
        struct range place;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(io_space_take(setup.space, &want, &place), -PAR_EXHAUSTED);
        assert_said("full", "40960 bytes of I/O addresses from 0 to 0xffff: 24576 of 65536 are "
                            "free there, the longest run is 24576");
        end(&setup);
}

/* ---- faults --------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        int fault, result;
        const char *words;
} map_faults[] = {
        { "no more mappings", -ENOSPC, -PAR_QUOTA, "takes no more mappings" },
        { "whose they are", -ENOSPC, -PAR_QUOTA, "0 are this connection's" },
        { "how many there could be", -ENOSPC, -PAR_QUOTA, "there was room for 65535 when" },
        { "not usable", -EINVAL, -EINVAL,
          "65536 bytes at I/O address 0xfff0000: Invalid argument" },
        { "no memory at all", -ENOMEM, -ENOMEM, "Cannot allocate memory" },
        { "memory that is not there", -EFAULT, -EFAULT, "Bad address" },
};

static void test_io_space_undoes_what_cannot_be_mapped(void **state)
{
        struct io_want want = want_below(0xfffffff, sizeof(memory));
        struct rlimit before, none = { RLIM_INFINITY, RLIM_INFINITY };
        struct setup setup;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
        none.rlim_max = before.rlim_max;
        none.rlim_cur = before.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(map_faults); i++) {
                struct range place, again;
                int r;

                setup.fake.map = map_faults[i].fault;
                assert_int_equal(io_space_take(setup.space, &want, &place), 0);
                again = place;
                r = io_space_map(setup.space, memory, &want, &again);
                if (r != map_faults[i].result)
                        fail_msg("%s: %d, %s", map_faults[i].name, r, par_error(NULL));
                assert_said(map_faults[i].name, map_faults[i].words);
                assert_int_equal(setup.fake.n_mappings, 0);

                assert_int_equal(io_space_take(setup.space, &want, &again), 0);
                assert_int_equal(again.first, place.first);
                io_space_give(setup.space, again);
        }
        end(&setup);
        assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
}

/* Others' mappings are in the container, and a device comes to it when some of ours are, too. */
static void test_io_space_says_what_there_was_room_for(void **state)
{
        struct io_want want = want_below(0xfffffff, sizeof(memory));
        struct range place;
        struct io_space *again;
        struct fake_mapper same;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(io_space_map(setup.space, memory, &want, &place), 0);
        setup.fake.facts.room = 5;
        fake_mapper_init(&same, 7);
        assert_int_equal(io_space_get(&setup.spaces, &same.mapper, 7, &edu0, &again), 0);
        setup.fake.map = -ENOSPC;
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(io_space_map(setup.space, memory, &want, &place), -PAR_QUOTA);
        assert_said("room", "1 are this connection's, one for each buffer or linked piece; there "
                            "was room for 6 ");
        io_space_unref(again);

        /* A kernel that does not say. */
        setup.fake.facts.room = UINT32_MAX;
        fake_mapper_init(&same, 7);
        assert_int_equal(io_space_get(&setup.spaces, &same.mapper, 7, &edu0, &again), 0);
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(io_space_map(setup.space, memory, &want, &place), -PAR_QUOTA);
        if (strstr(par_error(NULL), "room"))
                fail_msg("%s", par_error(NULL));
        io_space_unref(again);
        end(&setup);
}

static void test_io_space_names_the_limit_of_locked_memory(void **state)
{
        struct io_want want = want_below(0xfffffff, sizeof(memory));
        struct rlimit before, small;
        struct range place;
        struct setup setup;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
        small = (struct rlimit){ 32 * KiB, before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &small), 0);
        begin(&setup);
        setup.fake.map = -ENOMEM;
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(io_space_map(setup.space, memory, &want, &place), -PAR_QUOTA);
        assert_said("memlock", "RLIMIT_MEMLOCK: 65536 bytes more than the 0 that are locked are "
                               "above its 32768");
        end(&setup);
        assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
}

static void test_io_space_keeps_what_cannot_be_unmapped(void **state)
{
        struct io_want want = want_below(0xffff, sizeof(memory));
        struct range place;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(io_space_take(setup.space, &want, &place), 0);
        assert_int_equal(io_space_map(setup.space, memory, &want, &place), 0);
        setup.fake.unmap = -EIO;
        assert_int_equal(io_space_unmap(setup.space, place), -EIO);
        assert_int_equal(io_space_take(setup.space, &want, &place), -PAR_EXHAUSTED);
        end(&setup);
}

static const struct {
        const char *name;
        struct mapper_facts facts;
        int fault, result;
} describe_faults[] = {
        { "it does not answer", { .n_ranges = 0 }, -EIO, -EIO },
        { "nobody knows what is usable", { .n_ranges = 0, .page_sizes = 4 * KiB }, 0, -ENOTSUP },
        { "no page of it is usable",
          { .ranges = { { 0, 0xfff } }, .n_ranges = 1, .page_sizes = 64 * KiB },
          0,
          -EINVAL },
        { "no page size", { .ranges = { { 0, 0xfffff } }, .n_ranges = 1 }, 0, -EINVAL },
};

static void test_io_space_needs_facts(void **state)
{
        struct setup setup = { .space = NULL };

        (void)state;
        io_spaces_init(&setup.spaces);
        for (size_t i = 0; i < ARRAY_SIZE(describe_faults); i++) {
                int r;

                fake_mapper_init(&setup.fake, 7);
                setup.fake.facts = describe_faults[i].facts;
                setup.fake.describe = describe_faults[i].fault;
                r = io_space_get(&setup.spaces, &setup.fake.mapper, 7, &edu0, &setup.space);
                if (r != describe_faults[i].result || setup.space)
                        fail_msg("%s: %d", describe_faults[i].name, r);
                assert_int_equal(setup.fake.frees, 1);
                assert_true(LIST_EMPTY(&setup.spaces.list));
        }
}

static void test_io_space_needs_facts_again(void **state)
{
        static const struct io_user wide = { "wide", UINT64_MAX, "/nonexistent" };
        struct io_space *again;
        struct fake_mapper same;
        struct setup setup;

        (void)state;
        begin(&setup);
        fake_mapper_init(&same, 7);
        setup.fake.describe = -EIO;
        assert_int_equal(io_space_get(&setup.spaces, &same.mapper, 7, &edu0, &again), -EIO);
        assert_int_equal(same.frees, 1);
        setup.fake.describe = 0;
        setup.fake.facts.n_ranges = 0;
        assert_int_equal(io_space_get(&setup.spaces, &same.mapper, 7, &edu0, &again), -ENOTSUP);
        assert_said("sysfs", "nor does sysfs for device edu0: No such file");
        assert_int_equal(io_space_get(&setup.spaces, &same.mapper, 7, &wide, &again), -ENOTSUP);
        assert_said("no width", "no limit of device wide is known");
        end(&setup);
}

static void test_io_space_survives_without_memory(void **state)
{
        bool failed = true;

        (void)state;
        for (unsigned long n = 1; failed; n++) {
                struct io_want want = want_below(0xfffffff, 20 * KiB);
                struct setup setup = { .space = NULL };
                struct range place;
                int r;

                io_spaces_init(&setup.spaces);
                fake_mapper_init(&setup.fake, 7);
                heap_fail(n, n);
                r = io_space_get(&setup.spaces, &setup.fake.mapper, 7, &edu0, &setup.space);
                if (!r)
                        r = io_space_take(setup.space, &want, &place);
                failed = heap_mend();
                assert_int_equal(r, failed ? -ENOMEM : 0);
                if (setup.space)
                        io_space_unref(setup.space);
                assert_int_equal(setup.fake.frees, 1);
                assert_true(!failed || n < 1000);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_io_space_maps_and_unmaps),
                cmocka_unit_test(test_io_space_asks_sysfs),
                cmocka_unit_test(test_io_space_is_one_for_a_container),
                cmocka_unit_test(test_io_space_is_one_of_a_few),
                cmocka_unit_test(test_io_space_lets_go_of_its_containers),
                cmocka_unit_test(test_io_space_tries_elsewhere),
                cmocka_unit_test(test_io_space_gets_past_many_mappings),
                cmocka_unit_test(test_io_space_gives_up_where_others_are_everywhere),
                cmocka_unit_test(test_io_space_says_why_not),
                cmocka_unit_test(test_io_space_says_how_much_is_free),
                cmocka_unit_test(test_io_space_undoes_what_cannot_be_mapped),
                cmocka_unit_test(test_io_space_says_what_there_was_room_for),
                cmocka_unit_test(test_io_space_names_the_limit_of_locked_memory),
                cmocka_unit_test(test_io_space_keeps_what_cannot_be_unmapped),
                cmocka_unit_test(test_io_space_needs_facts),
                cmocka_unit_test(test_io_space_needs_facts_again),
                cmocka_unit_test(test_io_space_survives_without_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
