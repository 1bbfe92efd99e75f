/* SPDX-License-Identifier: MIT */
/*
 * A driver that may be killed and started again while its device goes on: its memory waits for it
 * under a name, at the same addresses and with what the device has written meanwhile. Copy from it.
 *
 *     lasting            attach to the ring, or make it; count, and end
 *     lasting --remove   the device was stopped for good: free the name, and with it the memory
 */
#include <par.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define RING_NAME  "example-ring"
#define RING_BYTES 65536u
#define RING_MAGIC 0x474e4952u

/* At the beginning of the ring: what the next driver must know of the device. A real one has the
 * indexes of its queues here. */
struct ring_head {
        uint32_t magic, starts;
};

static int complain(const char *what, struct par *par, int r)
{
        fprintf(stderr, "%s: %s: %s\n", what, par_strerror(r), par_error(par));
        return r;
}

/* The ring as it was left; or a new one, of which the device knows nothing yet. */
static int attach(struct par *par, struct par_buffer **ret)
{
        const struct par_constraint limits = par_constraint_for_mask(32);
        const struct par_alloc_options options = { .name = RING_NAME, .flags = PAR_ALLOC_LASTING };
        int r;

        r = par_open(par, RING_NAME, NULL, ret);
        if (r == -PAR_GONE)
                r = par_alloc(par, RING_BYTES, &limits, &options, ret);
        return r;
}

static int run(struct par *par)
{
        struct par_buffer *ring;
        struct ring_head *head;
        int r;

        r = attach(par, &ring);
        if (r)
                return complain("ring", par, r);
        head = par_buffer_data(ring);
        if (head->magic != RING_MAGIC) {
                /* New, and zeroed: here the device would be reset and given the address. */
                head->starts = 0;
                head->magic = RING_MAGIC;
        }
        printf("start %u, ring at %#llx\n", ++head->starts,
               (unsigned long long)par_buffer_dma(ring));
        par_free(ring); /* this process lets go of it; it stays */
        return 0;
}

static int remove_ring(struct par *par)
{
        int r = par_remove(par, RING_NAME);

        return r ? complain("remove", par, r) : 0;
}

int main(int argc, char **argv)
{
        /* The same name each time: by it pard knows who comes back for what. */
        const struct par_connect_options options = { .client_name = "example-lasting" };
        struct par *par;
        int r;

        r = par_connect(NULL, &options, &par);
        if (r)
                complain("connect", NULL, r);
        else if (argc > 1 && strcmp(argv[1], "--remove") == 0)
                r = remove_ring(par);
        else
                r = run(par);
        par_disconnect(par);
        return r ? 1 : 0;
}
