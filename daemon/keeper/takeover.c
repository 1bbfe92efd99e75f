/* SPDX-License-Identifier: MIT */
/*
 * Owns the mapping of what was read. Believes nothing that does not lie inside of the memfd and sum
 * up; whether descriptors are open and slots make sense is for who uses them.
 */
#include "takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

/* The first version's, whose fields are all that a reader cannot do without. */
#define HEAD_BYTES_LEAST 144u
#define SLOT_BYTES_LEAST 56u
#define RECORD_BYTES_MAX 4096u

/* FNV-1a: against mistakes, not against malice. */
static uint64_t sum_of(uint64_t sum, const unsigned char *bytes, size_t n)
{
        for (size_t i = 0; i < n; i++)
                sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
        return sum;
}

static uint64_t sum_of_all(const unsigned char *bytes, size_t n)
{
        static const unsigned char none[sizeof(uint64_t)];
        const size_t at = offsetof(struct takeover_head, sum), after = at + sizeof(none);
        uint64_t sum = UINT64_C(0xcbf29ce484222325);

        sum = sum_of(sum, bytes, at);
        sum = sum_of(sum, none, sizeof(none));
        return sum_of(sum, bytes + after, n - after);
}

static int write_all(int fd, const unsigned char *bytes, size_t n)
{
        while (n) {
                ssize_t written = write(fd, bytes, n);

                if (written < 0 && errno != EINTR)
                        return -errno;
                if (written > 0) {
                        bytes += written;
                        n -= (size_t)written;
                }
        }
        return 0;
}

static int write_sealed(const unsigned char *bytes, size_t n, int *ret_fd)
{
        int fd, r;

        fd = memfd_create("pard-takeover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        r = write_all(fd, bytes, n);
        if (!r && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
                r = -errno;
        if (r) {
                close(fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

int takeover_write(const struct takeover_head *head, const struct takeover_slot *slots,
                   uint32_t n_slots, const void *backend, size_t backend_bytes, int *ret_fd)
{
        const size_t slots_bytes = n_slots * sizeof(*slots);
        struct takeover_head full = *head;
        unsigned char *bytes;
        int r;

        full.magic = TAKEOVER_MAGIC;
        full.version = TAKEOVER_VERSION;
        full.head_bytes = sizeof(full);
        full.slot_bytes = sizeof(*slots);
        full.n_slots = n_slots;
        full.slots_offset = sizeof(full);
        full.backend_offset = full.slots_offset + slots_bytes;
        full.backend_bytes = backend_bytes;
        full.total_bytes = full.backend_offset + backend_bytes;
        full.sum = 0;
        bytes = malloc(full.total_bytes);
        if (!bytes)
                return -ENOMEM;
        memcpy(bytes, &full, sizeof(full));
        if (slots_bytes)
                memcpy(bytes + full.slots_offset, slots, slots_bytes);
        if (backend_bytes)
                memcpy(bytes + full.backend_offset, backend, backend_bytes);
        full.sum = sum_of_all(bytes, full.total_bytes);
        memcpy(bytes, &full, sizeof(full));
        r = write_sealed(bytes, full.total_bytes, ret_fd);
        free(bytes);
        return r;
}

/* Do @n bytes from @offset on lie behind the head? */
static bool lies_inside(const struct takeover *takeover, uint64_t offset, uint64_t n)
{
        return offset >= takeover->head.head_bytes && offset <= takeover->total_bytes &&
               n <= takeover->total_bytes - offset;
}

/* Return: 0; -EPROTO; -EBADMSG. */
static int check(struct takeover *takeover)
{
        struct takeover_head *head = &takeover->head;

        memcpy(head, takeover->bytes, HEAD_BYTES_LEAST);
        if (head->magic != TAKEOVER_MAGIC || head->version < TAKEOVER_OLDEST ||
            head->version > TAKEOVER_VERSION)
                return -EPROTO;
        if (head->total_bytes != takeover->total_bytes || head->head_bytes < HEAD_BYTES_LEAST ||
            head->head_bytes > RECORD_BYTES_MAX || head->head_bytes > takeover->total_bytes ||
            head->slot_bytes < SLOT_BYTES_LEAST || head->slot_bytes > RECORD_BYTES_MAX ||
            !lies_inside(takeover, head->slots_offset,
                         (uint64_t)head->n_slots * head->slot_bytes) ||
            !lies_inside(takeover, head->backend_offset, head->backend_bytes) ||
            sum_of_all(takeover->bytes, takeover->total_bytes) != head->sum)
                return -EBADMSG;
        memcpy(head, takeover->bytes,
               head->head_bytes < sizeof(*head) ? head->head_bytes : sizeof(*head));
        return 0;
}

int takeover_read(int fd, struct takeover *ret)
{
        struct takeover takeover = { .bytes = NULL };
        struct stat st;
        void *map;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        /* What could be cut while it is read would end us. */
        if (st.st_size < (off_t)HEAD_BYTES_LEAST || fcntl(fd, F_GET_SEALS) != SEALS)
                return -EPROTO;
        takeover.total_bytes = (size_t)st.st_size;
        map = mmap(NULL, takeover.total_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        takeover.bytes = map;
        r = check(&takeover);
        if (r) {
                munmap(map, takeover.total_bytes);
                return r;
        }
        *ret = takeover;
        return 0;
}

void takeover_deinit(struct takeover *takeover)
{
        if (takeover->bytes)
                munmap((void *)(uintptr_t)takeover->bytes, takeover->total_bytes);
        *takeover = (struct takeover){ .bytes = NULL };
}

struct takeover_slot takeover_slot(const struct takeover *takeover, uint32_t i)
{
        const struct takeover_head *head = &takeover->head;
        struct takeover_slot slot = { .number = 0 };

        memcpy(&slot, takeover->bytes + head->slots_offset + (size_t)i * head->slot_bytes,
               head->slot_bytes < sizeof(slot) ? head->slot_bytes : sizeof(slot));
        return slot;
}
