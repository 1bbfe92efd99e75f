/* SPDX-License-Identifier: MIT */
/* Mistakes with buffers are reported, with the calls that made them; what is no mistake is not. */
#include "debug_setup.h"

#include "debug_registry.h"
#include "handle.h"
#include "heap.h"
#include "in_child.h"
#include "macros.h"
#include "par_sg.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE (64 * KiB) /* of the daemon in a thread */

/* ---- places from which the library is called ------------------------------------------------ */

PLACE struct par_buffer *start_ring(struct par *par, size_t size, const char *label);
PLACE void stop_ring(struct par_buffer *buffer);
PLACE void stop_again(struct par_buffer *buffer);
PLACE struct par_buffer *open_ring(struct par *par, const char *name);

struct par_buffer *start_ring(struct par *par, size_t size, const char *label)
{
        struct par_alloc_options options = { .label = label };
        struct par_buffer *buffer;
        int r = par_alloc(par, size, NULL, &options, &buffer);

        if (r)
                fail_msg("%zu bytes: %s", size, par_error(par));
        NOT_LAST();
        return buffer;
}

void stop_ring(struct par_buffer *buffer)
{
        par_free(buffer);
        NOT_LAST();
}

void stop_again(struct par_buffer *buffer)
{
        par_free(buffer);
        NOT_LAST();
}

struct par_buffer *open_ring(struct par *par, const char *name)
{
        struct par_buffer *buffer;
        int r = par_open(par, name, NULL, &buffer);

        if (r)
                fail_msg("%s: %s", name, par_error(par));
        NOT_LAST();
        return buffer;
}

static void begin(struct setup *setup)
{
        begin_with(setup, NULL);
}

/* ---- nothing is done unasked ---------------------------------------------------------------- */

/* The first test: later ones leave the process in a state in which something was asked for. */
static void test_debug_is_off_by_default(void **state)
{
        struct setup setup = { .lock = PTHREAD_MUTEX_INITIALIZER, .mock = mock_start(NULL) };
        struct par_buffer *buffer;
        char text[64] = "x";

        (void)state;
        setup.par = connect_debugging(&setup, 0);
        buffer = start_ring(setup.par, 5000, "ring");
        assert_false(debug_on());
        assert_null(buffer->record);
        assert_null(buffer->room);
        assert_int_equal(par_debug_describe(buffer->data, text, sizeof(text)), -ENOENT);
        assert_string_equal(text, "");
        assert_int_equal(((char *)par_buffer_data(buffer))[5000], 0);
        end(&setup);
}

/* What a test before has left unwatched is gone: unknown pointers are mistakes again. */
static void watch_all(void)
{
        atomic_store(&debug_others, false);
}

/* ---- freed twice, and used after that ------------------------------------------------------- */

static void test_debug_tells_who_freed_twice(void **state)
{
        struct setup setup;
        struct par_buffer *buffer;
        char thread[32], number[32];

        (void)state;
        begin(&setup);
        buffer = start_ring(setup.par, 8192, "rx-ring");
        snprintf(number, sizeof(number), "buffer %llu ", (unsigned long long)buffer->id);
        snprintf(thread, sizeof(thread), "thread %d", gettid());
        stop_ring(buffer);
        expect_silence(&setup);
        stop_again(buffer);
        EXPECT_REPORT(&setup, "freed twice", number, "\"rx-ring\"", "of radio0", "8192 bytes",
                      "; by par_free() in stop_again (", "; freed by par_free() in stop_ring (",
                      "; made by par_alloc() in start_ring (", "test_debug+0x", thread);
        assert_int_equal(mock_counts(setup.mock).frees, 1);
        end(&setup);
}

/* Each function that takes a buffer, of one that was freed. */
PLACE void touch(struct par_buffer *buffer, unsigned which);

static const char *const functions[] = {
        "par_buffer_data",          "par_buffer_size",
        "par_buffer_dma",           "par_buffer_id",
        "par_buffer_page_size",     "par_buffer_pool",
        "par_buffer_runs",          "par_buffer_segments",
        "par_buffer_pages",         "par_buffer_slab",
        "par_buffer_export_dmabuf", "par_buffer_share",
        "par_buffer_unshare",       "par_sg_add",
};

void touch(struct par_buffer *buffer, unsigned which)
{
        const struct par_segment *segments = (void *)1;
        struct par_token token;
        struct par_sg *list;
        uint64_t dma;
        int fd;

        switch (which) {
        case 13:
                assert_int_equal(par_sg_create(NULL, NULL, NULL, &list), 0);
                assert_int_equal(
                        par_sg_add(list, &(struct par_sg_part){ .buffer = buffer, .length = 8 }, 1),
                        -EINVAL);
                par_sg_destroy(list);
                break;
        case 0: assert_null(par_buffer_data(buffer)); break;
        case 1: assert_int_equal(par_buffer_size(buffer), 0); break;
        case 2: assert_int_equal(par_buffer_dma(buffer), 0); break;
        case 3: assert_int_equal(par_buffer_id(buffer), 0); break;
        case 4: assert_int_equal(par_buffer_page_size(buffer), 0); break;
        case 5: assert_string_equal(par_buffer_pool(buffer), ""); break;
        case 6: assert_int_equal(par_buffer_runs(buffer, NULL), 0); break;
        case 7:
                assert_int_equal(par_buffer_segments(buffer, &segments), 0);
                assert_null(segments);
                break;
        case 8: assert_int_equal(par_buffer_pages(buffer, 0, 4096, &dma, 1), -EINVAL); break;
        case 9: assert_null(par_buffer_slab(buffer)); break;
        case 10: assert_int_equal(par_buffer_export_dmabuf(buffer, &fd), -EINVAL); break;
        case 11: assert_int_equal(par_buffer_share(buffer, &token), -EINVAL); break;
        default: assert_int_equal(par_buffer_unshare(buffer), -EINVAL); break;
        }
}

static void test_debug_tells_of_use_after_free(void **state)
{
        struct setup setup;
        struct par_buffer *buffer;

        (void)state;
        begin(&setup);
        buffer = start_ring(setup.par, 8192, "rx-ring");
        stop_ring(buffer);
        for (unsigned i = 0; i < ARRAY_SIZE(functions); i++) {
                touch(buffer, i);
                EXPECT_REPORT(&setup, "use of a freed buffer", functions[i], "() in touch (",
                              "freed by par_free() in stop_ring (", "in start_ring (",
                              "\"rx-ring\"");
        }
        end(&setup);
}

static void test_debug_says_it_once_a_place(void **state)
{
        struct setup setup;
        struct par_buffer *buffer;

        (void)state;
        begin(&setup);
        buffer = start_ring(setup.par, 8192, NULL);
        stop_ring(buffer);
        for (int i = 0; i < 100; i++)
                stop_again(buffer);
        EXPECT_REPORT(&setup, "freed twice");
        end(&setup);
}

static void test_debug_tells_of_what_is_no_buffer(void **state)
{
        struct setup setup;
        char place[64];

        (void)state;
        begin(&setup);
        watch_all();
        snprintf(place, sizeof(place), "there is no buffer %p, nor was one lately", (void *)&setup);
        stop_ring((struct par_buffer *)(void *)&setup);
        EXPECT_REPORT(&setup, "freed twice", place, "par_free() in stop_ring (");
        assert_null(par_buffer_data((struct par_buffer *)(void *)&setup));
        EXPECT_REPORT(&setup, "use of a freed buffer", place);
        end(&setup);
}

/* One connection is not looked after: its buffers are not judged. */
static void test_debug_leaves_others_alone(void **state)
{
        struct setup setup, plain = { .lock = PTHREAD_MUTEX_INITIALIZER };
        struct par_buffer *buffer;

        (void)state;
        begin(&setup);
        plain.mock = mock_start(NULL);
        plain.par = connect_debugging(&plain, 0);
        buffer = start_ring(plain.par, 8192, NULL);
        assert_null(buffer->record);
        assert_ptr_equal(par_buffer_data(buffer), buffer->data);
        assert_int_equal(par_buffer_size(buffer), 8192);
        stop_ring(buffer);
        end(&plain);
        end(&setup);
}

/* ---- what is left behind -------------------------------------------------------------------- */

PLACE void go_away(struct setup *setup);

void go_away(struct setup *setup)
{
        par_disconnect(setup->par);
        NOT_LAST();
}

static void test_debug_tells_of_leaks(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup);
        stop_ring(start_ring(setup.par, 4096, "freed"));
        start_ring(setup.par, 3 * PAGE, "leaked");
        go_away(&setup);
        EXPECT_REPORT(&setup, "not freed: buffer", "\"leaked\"", "196608 bytes",
                      "; by par_disconnect() in go_away (",
                      "; made by par_alloc() in start_ring (");
        mock_stop(setup.mock);
}

static void test_debug_tells_of_many_leaks_by_their_number(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup);
        for (int i = 0; i < 40; i++)
                start_ring(setup.par, 4096, NULL);
        go_away(&setup);
        assert_int_equal(setup.reports, 33);
        assert_string_equal(setup.last, "and 8 more");
        mock_stop(setup.mock);
}

PLACE void leave_slab(struct par *par);

void leave_slab(struct par *par)
{
        struct par_slab_options options = { .label = "packets" };
        struct par_object object;
        struct par_slab *slab;

        assert_int_equal(par_slab_create(par, 2048, NULL, &options, &slab), 0);
        assert_int_equal(par_slab_get(slab, &object), 0);
        NOT_LAST();
}

static void test_debug_tells_of_a_slab_that_is_left(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup);
        leave_slab(setup.par);
        go_away(&setup);
        EXPECT_REPORT(&setup, "not freed", "\"packets\", of a slab, of radio0",
                      "made by par_slab_get() in leave_slab (");
        mock_stop(setup.mock);
}

/* The pointers are known when the connection is not there any more; another one's log is told. */
static void test_debug_knows_buffers_of_a_connection_that_is_gone(void **state)
{
        struct setup setup, other;
        struct par_buffer *buffer;

        (void)state;
        begin(&other);
        begin(&setup);
        buffer = start_ring(setup.par, 4096, "ring");
        go_away(&setup);
        EXPECT_REPORT(&setup, "not freed");
        stop_again(buffer);
        expect_silence(&setup);
        EXPECT_REPORT(&other, "freed twice", "freed by par_disconnect() in go_away (",
                      "made by par_alloc() in start_ring (");
        mock_stop(setup.mock);
        end(&other);
}

/* ---- written to behind what was asked for --------------------------------------------------- */

static const struct {
        const char *name;
        size_t asked, offset;
        bool told; /* of the whole, before he writes */
        const char *found;
} overruns[] = {
        { "the last byte", 5000, 4999, false, NULL },
        { "the first byte behind", 5000, 5000, false,
          "written at offset 5000, asked for 5000 bytes" },
        { "the last byte behind", 5000, 8191, false, "written at offset 8191" },
        { "one byte of a page", 1, 1, false, "written at offset 1, asked for 1 byte" },
        { "nothing lies behind", 8192, 8191, false, NULL },
        { "he knew of it", 5000, 5000, true, NULL },
};

static void test_debug_finds_overruns_when_freed(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(overruns); i++) {
                struct par_buffer *buffer = start_ring(setup.par, overruns[i].asked, "short");
                char *data = par_buffer_data(buffer);

                print_message("%s\n", overruns[i].name);
                if (overruns[i].told)
                        assert_int_equal(par_buffer_size(buffer), 8192);
                data[overruns[i].offset] = 1;
                stop_ring(buffer);
                if (overruns[i].found)
                        EXPECT_REPORT(&setup, "overrun found", overruns[i].found,
                                      "; by par_free() in stop_ring (", "in start_ring (");
                expect_silence(&setup);
        }
        end(&setup);
}

static void ask_size(struct par *par, struct par_buffer *buffer)
{
        (void)par;
        assert_int_equal(par_buffer_size(buffer), 8192);
}

static void ask_segments(struct par *par, struct par_buffer *buffer)
{
        (void)par;
        assert_int_equal(par_buffer_segments(buffer, NULL), 1);
}

static void ask_runs(struct par *par, struct par_buffer *buffer)
{
        (void)par;
        assert_int_equal(par_buffer_runs(buffer, NULL), 1);
}

static void ask_pages(struct par *par, struct par_buffer *buffer)
{
        uint64_t dma[2];

        (void)par;
        assert_int_equal(par_buffer_pages(buffer, 0, 4096, dma, 2), 0);
}

static void ask_address(struct par *par, struct par_buffer *buffer)
{
        size_t contiguous;
        uint64_t dma;

        assert_int_equal(par_dma_address(par, par_buffer_data(buffer), &dma, &contiguous), 0);
        assert_int_equal(contiguous, 8192);
}

static void ask_pointer(struct par *par, struct par_buffer *buffer)
{
        size_t contiguous;
        void *pointer;

        assert_int_equal(par_dma_pointer(par, NULL, par_buffer_dma(buffer), &pointer, &contiguous),
                         0);
        assert_ptr_equal(pointer, par_buffer_data(buffer));
        assert_int_equal(contiguous, 8192);
}

static void ask_list(struct par *par, struct par_buffer *buffer)
{
        const struct par_sg_part part = { .buffer = buffer };
        struct par_sg *list;

        assert_int_equal(par_sg_create(par, NULL, NULL, &list), 0);
        assert_int_equal(par_sg_add(list, &part, 1), 0);
        assert_int_equal(par_sg_bytes(list), 8192);
        par_sg_destroy(list);
}

static const struct {
        const char *name;
        void (*ask)(struct par *par, struct par_buffer *buffer);
} askers[] = {
        { "its size", ask_size },
        { "its segments", ask_segments },
        { "its runs", ask_runs },
        { "its pages", ask_pages },
        { "its address", ask_address },
        { "its pointer", ask_pointer },
        { "all of it for a list", ask_list },
};

/* Who asks how long it is gets what he was promised: zeros. */
static void test_debug_gives_all_bytes_to_who_asks(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(askers); i++) {
                struct par_buffer *buffer = start_ring(setup.par, 5000, "short");
                char *data = par_buffer_data(buffer);

                print_message("%s\n", askers[i].name);
                assert_int_equal((unsigned char)data[5000], 0xbb);
                askers[i].ask(setup.par, buffer);
                for (size_t at = 0; at < 8192; at++)
                        assert_int_equal(data[at], 0);
                data[8191] = 1;
                stop_ring(buffer);
                expect_silence(&setup);
        }
        end(&setup);
}

/* Others see the whole of what is shared, and of what they open they asked for no size. */
static void test_debug_fills_nothing_that_others_have(void **state)
{
        static const struct par_alloc_options options[] = {
                { .name = "ring" },
                { .flags = PAR_ALLOC_SHARED },
                { .name = "lasting", .flags = PAR_ALLOC_LASTING },
        };
        struct par_buffer *buffer;
        struct setup setup;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                assert_int_equal(par_alloc(setup.par, 5000, NULL, &options[i], &buffer), 0);
                assert_int_equal(((char *)par_buffer_data(buffer))[5000], 0);
                stop_ring(buffer);
        }
        buffer = open_ring(setup.par, "other");
        ((char *)par_buffer_data(buffer))[MOCK_OPENED_BYTES - 1] = 1;
        stop_ring(buffer);
        expect_silence(&setup);
        stop_again(buffer);
        EXPECT_REPORT(&setup, "freed twice", "\"other\"", "made by par_open() in open_ring (");
        end(&setup);
}

/* ---- pages that cannot be touched ----------------------------------------------------------- */

static sigjmp_buf touched;
static char described[512];
static int describing;

static void on_fault(int number, siginfo_t *info, void *context)
{
        (void)number;
        (void)context;
        describing = par_debug_describe(info->si_addr, described, sizeof(described));
        siglongjmp(touched, 1);
}

/* Whether a byte may be read, as the kernel says. */
static bool is_readable(const volatile char *at)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        bool readable = false;
        char line[512];

        assert_non_null(maps);
        while (fgets(line, sizeof(line), maps)) {
                char *end;
                uintptr_t first = strtoul(line, &end, 16), last = strtoul(end + 1, &end, 16);

                if ((uintptr_t)at >= first && (uintptr_t)at < last)
                        readable = end[1] == 'r';
        }
        fclose(maps);
        return readable;
}

/* Whether reading a byte is a fault; what the handler said of it is in @described. Memcheck objects
 * to trying. */
static bool faults(const volatile char *at)
{
        struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, before;
        bool faulted = true;

        *described = '\0';
        describing = 1;
        if (getenv("PAR_UNDER_VALGRIND")) {
                describing = par_debug_describe((const void *)(uintptr_t)at, described,
                                                sizeof(described));
                return !is_readable(at);
        }
        sigaction(SIGSEGV, &action, &before);
        if (!sigsetjmp(touched, 1)) {
                (void)*at;
                faulted = false;
        }
        sigaction(SIGSEGV, &before, NULL);
        return faulted;
}

static void expect_fault(const char *at, const char *const parts[], size_t n)
{
        assert_true(faults(at));
        assert_int_equal(describing, 0);
        for (size_t i = 0; i < n; i++)
                if (!strstr(described, parts[i]))
                        fail_msg("not \"%s\": %s", parts[i], described);
}

#define EXPECT_FAULT(at, ...)                                  \
        expect_fault(at, (const char *const[]){ __VA_ARGS__ }, \
                     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static const struct {
        const char *name;
        size_t size;
        struct mock_settings settings;
} windows[] = {
        { "a part of a page", 8192, { 0 } },
        { "a page", 64 * KiB, { 0 } },
        { "several pages", 200 * KiB, { 0 } },
        { "pages that are kept", 200 * KiB, { .keep = true } },
        { "a dma-buf", 8192, { .handout_dmabuf = true } },
        { "a dma-buf of several pages", 200 * KiB, { .handout_dmabuf = true } },
};

static void test_debug_surrounds_buffers(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
                struct setup setup;
                struct par_buffer *first, *buffer;
                char *data, *other;

                print_message("%s\n", windows[i].name);
                begin_with(&setup, &windows[i].settings);
                first = start_ring(setup.par, windows[i].size, "before it");
                buffer = start_ring(setup.par, windows[i].size, "rx-ring");
                data = par_buffer_data(buffer);
                assert_false(faults(data));
                assert_false(faults(data + windows[i].size - 1));
                memset(data, 1, windows[i].size);
                EXPECT_FAULT(data - 1, "1 byte before the start of buffer ", "\"rx-ring\"",
                             "of radio0", "; made by par_alloc() in start_ring (");
                EXPECT_FAULT(data + windows[i].size, "1 byte behind the end of buffer ");
                EXPECT_FAULT(data + windows[i].size + 99, "100 bytes behind the end of buffer ");

                stop_ring(buffer);
                EXPECT_FAULT(data, "offset 0 of the freed buffer ",
                             "; freed by par_free() in stop_ring (",
                             "; made by par_alloc() in start_ring (");
                EXPECT_FAULT(data + 5000, "offset 5000 of the freed buffer ");
                /* Its memory is given out again, but not its addresses. */
                buffer = start_ring(setup.par, windows[i].size, "rx-ring");
                other = par_buffer_data(buffer);
                assert_ptr_not_equal(other, data);
                for (size_t at = 0; at < windows[i].size; at += 4096)
                        assert_int_equal(other[at], 0);
                stop_ring(buffer);
                stop_ring(first);
                end(&setup);
        }
}

static void test_debug_describes_what_is_there(void **state)
{
        struct setup setup;
        struct par_buffer *buffer;
        char text[512], some[16];
        char *data;

        (void)state;
        begin(&setup);
        buffer = start_ring(setup.par, 8192, "ring");
        data = par_buffer_data(buffer);
        assert_int_equal(par_debug_describe(data + 17, text, sizeof(text)), 0);
        assert_ptr_equal(strstr(text, "offset 17 of buffer "), text);
        assert_int_equal(par_debug_describe(data + 17, some, sizeof(some)), 0);
        assert_string_equal(some, "offset 17 of bu");
        assert_int_equal(par_debug_describe(data, text, 1), 0);
        assert_string_equal(text, "");
        assert_int_equal(par_debug_describe(text, text, sizeof(text)), -ENOENT);
        assert_int_equal(par_debug_describe(NULL, text, sizeof(text)), -ENOENT);
        assert_int_equal(par_debug_describe(data, text, 0), -EINVAL);
        assert_int_equal(par_debug_describe(data, NULL, 10), -EINVAL);
        stop_ring(buffer);
        end(&setup);
}

/* What was freed long ago is forgotten: it is counted, and so is the address space that it takes.
 */
static void test_debug_forgets(void **state)
{
        struct setup setup;
        struct par_buffer *buffer;
        char text[256], *first = NULL;

        (void)state;
        begin(&setup);
        for (unsigned i = 0; i < DEBUG_ENDED_MAX + 100; i++) {
                buffer = start_ring(setup.par, 4096, NULL);
                if (!first)
                        first = par_buffer_data(buffer);
                stop_ring(buffer);
                assert_true(debug_registry()->n_ended[DEBUG_BUFFER] <= DEBUG_ENDED_MAX);
                if (i == DEBUG_ENDED_MAX / 2)
                        assert_int_equal(par_debug_describe(first, text, sizeof(text)), 0);
        }
        assert_int_equal(debug_registry()->n_ended[DEBUG_BUFFER], DEBUG_ENDED_MAX);
        if (!par_debug_describe(first, text, sizeof(text)))
                assert_null(strstr(text, "offset 0 of the freed buffer 1 "));
        end(&setup);
}

/* The program's descriptors are left to it: buffers have no surroundings then, and work. */
static void test_debug_leaves_descriptors(void **state)
{
        struct rlimit before, few;
        struct setup setup;
        struct par_buffer *buffer;
        char *data;

        (void)state;
        begin(&setup);
        getrlimit(RLIMIT_NOFILE, &before);
        few = before;
        few.rlim_cur = 20;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        buffer = start_ring(setup.par, 5000, "ring");
        setrlimit(RLIMIT_NOFILE, &before);
        assert_null(buffer->room);
        data = par_buffer_data(buffer);
        memset(data, 1, 5000);
        stop_ring(buffer);
        expect_silence(&setup);
        stop_again(buffer);
        EXPECT_REPORT(&setup, "freed twice", "in stop_ring (");
        end(&setup);
}

/* ---- look-ups ------------------------------------------------------------------------------- */

static void test_debug_tells_of_addresses_of_freed_buffers(void **state)
{
        struct setup setup;
        struct par_buffer *buffer;
        struct par_sg *list;
        uint64_t dma;
        char *data, on_stack;

        (void)state;
        begin(&setup);
        buffer = start_ring(setup.par, 8192, "ring");
        data = par_buffer_data(buffer);
        assert_int_equal(par_dma_address(setup.par, data + 100, &dma, NULL), 0);
        assert_int_equal(dma, par_buffer_dma(buffer) + 100);
        assert_int_equal(par_dma_address(setup.par, &on_stack, &dma, NULL), -EFAULT);
        assert_int_equal(par_dma_address(setup.par, data + 8192, &dma, NULL), -EFAULT);
        stop_ring(buffer);
        expect_silence(&setup);
        assert_int_equal(par_dma_address(setup.par, data + 100, &dma, NULL), -EFAULT);
        EXPECT_REPORT(&setup, "address of a freed buffer", "offset 100",
                      "; by par_dma_address() in ", "; freed by par_free() in stop_ring (",
                      "in start_ring (");
        assert_int_equal(par_sg_create(setup.par, NULL, NULL, &list), 0);
        assert_int_equal(par_sg_add(list, &(struct par_sg_part){ .memory = data, .length = 8 }, 1),
                         -EFAULT);
        EXPECT_REPORT(&setup, "address of a freed buffer", "offset 0", "; by par_sg_add() in ");
        par_sg_destroy(list);
        end(&setup);
}

/* ---- processes and threads ------------------------------------------------------------------ */

/* What a child of fork() has of its parent is looked at as ever; what it makes is looked after. */
static int use_in_child(void *data)
{
        struct setup *setup = data;
        struct par_buffer *buffer = buffers_first(&setup->par->buffers);
        char text[512];

        if (*(char *)par_buffer_data(buffer) != 7 || par_buffer_size(buffer) != 8192)
                return 1;
        if (par_debug_describe(par_buffer_data(buffer), text, sizeof(text)))
                return 2;
        par_free(buffer);
        par_free(buffer);
        if (par_buffer_size(buffer) != 8192)
                return 3;
        par_disconnect(setup->par);
        return setup->reports ? 4 : 0;
}

static void test_debug_is_the_parents(void **state)
{
        struct par_alloc_options options = { .flags = PAR_ALLOC_KEEP_ON_FORK };
        struct par_buffer *buffer;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(par_alloc(setup.par, 8192, NULL, &options, &buffer), 0);
        *(char *)par_buffer_data(buffer) = 7;
        assert_int_equal(in_child(use_in_child, &setup), 0);
        stop_ring(buffer);
        expect_silence(&setup);
        stop_again(buffer);
        EXPECT_REPORT(&setup, "freed twice");
        end(&setup);
}

/* A child that connects for itself has a registry of its own, and does not know its parent's
 * buffers. Its daemon is the parent's, where threads still are. */
struct child_case {
        struct setup *setup;
        struct par_buffer *parents;
};

static int connect_in_child(void *data)
{
        struct child_case *this = data;
        struct setup own = { .lock = PTHREAD_MUTEX_INITIALIZER, .mock = this->setup->mock };
        struct par_buffer *buffer;

        own.par = connect_debugging(&own, PAR_CONNECT_DEBUG);
        buffer = start_ring(own.par, 4096, "child's");
        stop_ring(buffer);
        stop_again(buffer);
        if (own.reports != 1 || !strstr(own.last, "\"child's\""))
                return 1;
        stop_again(this->parents);
        if (own.reports != 1)
                return 2;
        par_disconnect(own.par);
        return own.reports == 1 ? 0 : 3;
}

static void test_debug_in_a_child_is_its_own(void **state)
{
        struct setup setup, serving = { .mock = NULL };
        struct child_case this = { .setup = &serving };

        (void)state;
        begin(&setup);
        this.parents = start_ring(setup.par, 4096, "parent's");
        serving.mock = mock_start(NULL);
        assert_int_equal(in_child(connect_in_child, &this), 0);
        mock_stop(serving.mock);
        stop_ring(this.parents);
        end(&setup);
}

#define THREADS 4
#define ROUNDS  300

static void *work(void *data)
{
        struct setup *setup = data;
        char text[512];

        for (unsigned i = 0; i < ROUNDS; i++) {
                struct par_buffer *buffer = start_ring(setup->par, 5000 + i, "ring");
                char *at = par_buffer_data(buffer);
                uint64_t dma;

                memset(at, 1, 5000);
                assert_int_equal(par_dma_address(setup->par, at + 10, &dma, NULL), 0);
                (void)par_debug_describe(at + 10, text, sizeof(text));
                if (i % 2)
                        assert_true(par_buffer_size(buffer) >= 8192);
                stop_ring(buffer);
                (void)par_debug_describe(at + 10, text, sizeof(text));
        }
        return NULL;
}

static void test_debug_from_several_threads(void **state)
{
        pthread_t threads[THREADS];
        struct setup setup;

        (void)state;
        begin(&setup);
        for (unsigned i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, work, &setup), 0);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(mock_counts(setup.mock).buffers, 0);
        end(&setup);
}

/* Of several threads that free the same buffer, one does. */
static void *free_it(void *data)
{
        par_free(data);
        return NULL;
}

static void test_debug_frees_once_whoever_tries(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup);
        for (unsigned round = 0; round < 50; round++) {
                struct par_buffer *buffer = start_ring(setup.par, 4096, NULL);
                const size_t frees = mock_counts(setup.mock).frees;
                pthread_t threads[THREADS];

                for (unsigned i = 0; i < THREADS; i++)
                        assert_int_equal(pthread_create(&threads[i], NULL, free_it, buffer), 0);
                for (unsigned i = 0; i < THREADS; i++)
                        pthread_join(threads[i], NULL);
                assert_int_equal(mock_counts(setup.mock).frees, frees + 1);
                EXPECT_REPORT(&setup, "freed twice", "by par_free() in test_debug+0x");
        }
        end(&setup);
}

/* ---- the environment, and no memory --------------------------------------------------------- */

/* What the library prints on standard error while @run runs. */
static void read_stderr(void (*run)(struct setup *), struct setup *setup, char *text, size_t room)
{
        FILE *file = tmpfile();
        const int before = dup(STDERR_FILENO);
        size_t n;

        assert_non_null(file);
        dup2(fileno(file), STDERR_FILENO);
        run(setup);
        dup2(before, STDERR_FILENO);
        close(before);
        rewind(file);
        n = fread(text, 1, room - 1, file);
        text[n] = '\0';
        fclose(file);
}

static void free_twice_and_leave(struct setup *setup)
{
        struct par_buffer *buffer = start_ring(setup->par, 4096, "ring");

        stop_ring(buffer);
        stop_again(buffer);
        start_ring(setup->par, 4096, "left");
        par_disconnect(setup->par);
        stop_again(buffer);
        stop_ring(buffer);
}

static void test_debug_by_the_environment_prints(void **state)
{
        struct setup setup = { .lock = PTHREAD_MUTEX_INITIALIZER, .mock = mock_start(NULL) };
        char text[4096];

        (void)state;
        setenv("PAR_DEBUG", "1", 1);
        setup.par = connect_debugging(&setup, 0);
        unsetenv("PAR_DEBUG");
        read_stderr(free_twice_and_leave, &setup, text, sizeof(text));
        assert_non_null(strstr(text, "<3>libpar: freed twice: buffer "));
        assert_non_null(strstr(text, "<4>libpar: not freed: buffer "));
        assert_non_null(strstr(text, "\"left\""));
        assert_int_equal(setup.reports, 2); /* and the third went to standard error alone */
        mock_stop(setup.mock);
}

static const struct {
        const char *value;
        bool on;
} environments[] = { { "0", false }, { "", false }, { "yes", false }, { "1", true } };

static void test_debug_heeds_one_value(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(environments); i++) {
                struct setup setup = { .lock = PTHREAD_MUTEX_INITIALIZER,
                                       .mock = mock_start(NULL) };

                setenv("PAR_DEBUG", environments[i].value, 1);
                setup.par = connect_debugging(&setup, 0);
                unsetenv("PAR_DEBUG");
                assert_int_equal(setup.par->owner != NULL, environments[i].on);
                end(&setup);
        }
}

/* Without memory a buffer is not looked after; that is all. */
static void test_debug_without_memory(void **state)
{
        bool failed = true;

        (void)state;
        for (unsigned long n = 1; failed && n < 200; n++) {
                struct par_buffer *buffer = NULL;
                struct setup setup;
                int r;

                begin(&setup);
                heap_fail(n, n);
                r = par_alloc(setup.par, 5000, NULL, NULL, &buffer);
                failed = heap_mend();
                assert_true(!r || r == -ENOMEM || r == -PAR_GONE || r == -EPROTO);
                if (!r) {
                        memset(par_buffer_data(buffer), 1, 5000);
                        stop_ring(buffer);
                } else {
                        setup.reports = 0; /* that the connection is gone */
                }
                end(&setup);
        }
        assert_false(failed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_debug_is_off_by_default),
                cmocka_unit_test(test_debug_tells_who_freed_twice),
                cmocka_unit_test(test_debug_tells_of_use_after_free),
                cmocka_unit_test(test_debug_says_it_once_a_place),
                cmocka_unit_test(test_debug_tells_of_what_is_no_buffer),
                cmocka_unit_test(test_debug_leaves_others_alone),
                cmocka_unit_test(test_debug_tells_of_leaks),
                cmocka_unit_test(test_debug_tells_of_many_leaks_by_their_number),
                cmocka_unit_test(test_debug_tells_of_a_slab_that_is_left),
                cmocka_unit_test(test_debug_knows_buffers_of_a_connection_that_is_gone),
                cmocka_unit_test(test_debug_finds_overruns_when_freed),
                cmocka_unit_test(test_debug_gives_all_bytes_to_who_asks),
                cmocka_unit_test(test_debug_fills_nothing_that_others_have),
                cmocka_unit_test(test_debug_surrounds_buffers),
                cmocka_unit_test(test_debug_describes_what_is_there),
                cmocka_unit_test(test_debug_forgets),
                cmocka_unit_test(test_debug_leaves_descriptors),
                cmocka_unit_test(test_debug_tells_of_addresses_of_freed_buffers),
                cmocka_unit_test(test_debug_is_the_parents),
                cmocka_unit_test(test_debug_in_a_child_is_its_own),
                cmocka_unit_test(test_debug_from_several_threads),
                cmocka_unit_test(test_debug_frees_once_whoever_tries),
                cmocka_unit_test(test_debug_by_the_environment_prints),
                cmocka_unit_test(test_debug_heeds_one_value),
                cmocka_unit_test(test_debug_without_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
