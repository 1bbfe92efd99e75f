/* SPDX-License-Identifier: MIT */
/*
 * A program that has buffers of 2 MiB and keeps them, whatever becomes of pard. For each line that
 * it reads it looks at all of them and says what it found: "good"; "gone" where pard does not know
 * it any more, and it has its memory all the same; or what is wrong.
 *
 *     keeps BUFFERS [invented]      addresses are not those of any memory: do not look
 */
#include <fcntl.h>
#include <inttypes.h>
#include <par.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE       ((size_t)2 << 20)
#define PAGE_BYTES 4096
#define FRAME_MASK ((UINT64_C(1) << 55) - 1)

struct kept {
        struct par_buffer *buffer;
        uint64_t dma;
};

static struct par *par;
static struct kept *kept;
static unsigned n_kept;
static int invented;

static void __attribute__((__noreturn__)) die(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
        fflush(stdout);
        exit(1);
}

/* Where the kernel says that the memory is; 0: it does not say. */
static uint64_t look(int pagemap, const void *memory)
{
        uint64_t entry = 0;
        const off_t at = (off_t)((uintptr_t)memory / PAGE_BYTES * sizeof(entry));

        if (pread(pagemap, &entry, sizeof(entry), at) != sizeof(entry))
                return 0;
        return (entry & FRAME_MASK) * PAGE_BYTES;
}

static void check_all(void)
{
        const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

        for (unsigned i = 0; i < n_kept; i++) {
                const uint64_t *words = par_buffer_data(kept[i].buffer);
                const uint64_t actual = look(pagemap, words);

                if (par_buffer_dma(kept[i].buffer) != kept[i].dma)
                        die("buffer %u has another address", i);
                if (words[0] != i || words[SIZE / sizeof(*words) - 1] != ~(uint64_t)i)
                        die("buffer %u has other bytes", i);
                if (!invented && actual && actual != kept[i].dma)
                        die("buffer %u is at 0x%" PRIx64 ", and not at 0x%" PRIx64, i, actual,
                            kept[i].dma);
        }
        close(pagemap);
}

static void take(struct kept *into, unsigned i)
{
        uint64_t *words;

        if (par_alloc(par, SIZE, NULL, NULL, &into->buffer))
                die("buffer %u: %s", i, par_error(par));
        into->dma = par_buffer_dma(into->buffer);
        words = par_buffer_data(into->buffer);
        words[0] = i;
        words[SIZE / sizeof(*words) - 1] = ~(uint64_t)i;
}

static const char *try_another(void)
{
        struct par_buffer *buffer;
        const int r = par_alloc(par, PAGE_BYTES, NULL, NULL, &buffer);

        if (r == -PAR_GONE)
                return "gone";
        if (r)
                die("one more: %s", par_error(par));
        par_free(buffer);
        return "good";
}

int main(int argc, char **argv)
{
        char line[64];

        if (argc < 2 || argc > 3 || par_connect(NULL, NULL, &par))
                die("usage: keeps BUFFERS, where pard serves: %s", par_error(NULL));
        invented = argc == 3;
        n_kept = (unsigned)strtoul(argv[1], NULL, 10);
        kept = calloc(n_kept, sizeof(*kept));
        if (!kept)
                die("no memory");
        for (unsigned i = 0; i < n_kept; i++)
                take(&kept[i], i);
        while (fgets(line, sizeof(line), stdin)) {
                const char *answer = try_another();

                check_all();
                puts(answer);
                fflush(stdout);
        }
        par_disconnect(par);
        return 0;
}
