/* SPDX-License-Identifier: MIT */
/*
 * A driver, without the device: a descriptor ring that a device with 30 address lines can reach,
 * and a buffer for a device without limits. Copy from it.
 */
#include <par.h>
#include <stdio.h>
#include <string.h>

#define KIB 1024u
#define MIB (1024u * KIB)

static void print_buffer(const char *name, const struct par_buffer *buffer)
{
        const struct par_segment *segments;
        size_t count = par_buffer_segments(buffer, &segments);

        printf("%s: %zu bytes at %p, for the device at %#llx, in pages of %zu\n", name,
               par_buffer_size(buffer), par_buffer_data(buffer),
               (unsigned long long)par_buffer_dma(buffer), par_buffer_page_size(buffer));
        for (size_t i = 0; i < count; i++)
                printf("  segment %zu: %#llx to %#llx\n", i, (unsigned long long)segments[i].dma,
                       (unsigned long long)(segments[i].dma + segments[i].length - 1));
}

static int complain(const char *what, struct par *par, int r)
{
        fprintf(stderr, "%s: %s: %s\n", what, par_strerror(r), par_error(par));
        return r;
}

/* 64 KiB for a device with 30 address lines, which must not cross a multiple of 64 KiB. */
static int get_ring(struct par *par, struct par_buffer **ret)
{
        struct par_constraint limits = par_constraint_for_mask(30);
        struct par_alloc_options options = { .label = "ring" };

        limits.boundary = 64 * KIB;
        return par_alloc(par, 64 * KIB, &limits, &options, ret);
}

/* 4 MiB wherever it lies, in as many segments as it takes. */
static int get_data(struct par *par, struct par_buffer **ret)
{
        struct par_constraint limits = { .max_segments = PAR_SEGMENTS_ANY };
        struct par_alloc_options options = { .label = "data" };

        return par_alloc(par, 4 * MIB, &limits, &options, ret);
}

/* In one piece, below 1 MiB, 16 MiB long: no machine has that, and pard says so. */
static void ask_for_the_impossible(struct par *par)
{
        struct par_constraint limits = par_constraint_for_mask(20);
        struct par_buffer *buffer;
        int r;

        r = par_alloc(par, 16 * MIB, &limits, NULL, &buffer);
        if (r)
                printf("refused, as it must be: %s (%s)\n", par_error(par),
                       par_is_permanent(r) ? "waiting will not help" : "waiting may help");
        par_free(buffer);
}

static int run(struct par *par)
{
        struct par_buffer *ring, *data;
        int r;

        r = get_ring(par, &ring);
        if (r)
                return complain("ring", par, r);
        r = get_data(par, &data);
        if (r)
                return complain("data", par, r);

        memset(par_buffer_data(ring), 0x5a, par_buffer_size(ring));
        memset(par_buffer_data(data), 0xa5, par_buffer_size(data));
        print_buffer("ring", ring);
        print_buffer("data", data);
        ask_for_the_impossible(par);

        /* The device must be quiet now. par_disconnect() frees what is left, too. */
        par_free(data);
        par_free(ring);
        return 0;
}

int main(void)
{
        struct par_connect_options options = { .client_name = "example-ring" };
        struct par *par;
        int r;

        r = par_connect(NULL, &options, &par);
        r = r ? complain("connect", NULL, r) : run(par);
        par_disconnect(par);
        return r ? 1 : 0;
}
