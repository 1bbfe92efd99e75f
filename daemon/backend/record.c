/* SPDX-License-Identifier: MIT */
/*
 * Owns the file. It has two places for the same text, written in turns: while one is being written,
 * the other holds. A text counts only as a whole: magic, sum, boot, and every number in its range.
 * Refuses to believe a file that somebody else could have written, and to follow a link to one.
 */
#include "record.h"

#include "backend.h"
#include "macros.h"
#include "numa.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC       "pardres1"
#define PLACE_BYTES 4096
#define COUNT_MAX   (INT64_C(1) << 40)

/* A process that was killed may be busy in the kernel for a while. */
#define LOCK_TRIES   50
#define LOCK_REST_NS (100 * 1000 * 1000)

/* The file may be removed between open() and flock(). */
#define OPEN_TRIES 10

#define NOT_TRUSTED 1

struct sentence {
        char *text;
        size_t room;
};

/* struct record_text - one place of the file */
struct record_text {
        char magic[8];
        uint64_t generation;
        char boot[RECORD_BOOT_BYTES];
        uint64_t n;
        struct record_entry entries[RECORD_ENTRIES_MAX];
        uint64_t sum;
};

static_assert(sizeof(struct record_text) <= PLACE_BYTES, "a text fits its place");

static uint64_t sum_of(const struct record_text *text)
{
        const unsigned char *bytes = (const unsigned char *)text;
        uint64_t sum = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < offsetof(struct record_text, sum); i++)
                sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
        return sum;
}

static bool entry_is_good(const struct record_entry *entry)
{
        return __builtin_popcountll(entry->page_bytes) == 1 && entry->node >= NODE_ANY &&
               entry->node < NUMA_NODES_MAX && entry->added <= COUNT_MAX &&
               entry->before <= COUNT_MAX && entry->change <= COUNT_MAX &&
               entry->change >= -COUNT_MAX;
}

static bool text_is_good(const struct record_text *text)
{
        if (memcmp(text->magic, MAGIC, sizeof(text->magic)) != 0 || text->sum != sum_of(text) ||
            text->n > RECORD_ENTRIES_MAX)
                return false;
        for (size_t i = 0; i < text->n; i++)
                if (!entry_is_good(&text->entries[i]))
                        return false;
        return true;
}

/* Return: whether there is a text at all, of whichever boot. */
static bool read_latest(struct record *record)
{
        struct record_text text, latest = { .n = 0 };
        bool found = false;

        for (int place = 0; place < 2; place++) {
                if (pread(record->fd, &text, sizeof(text), place * PLACE_BYTES) != sizeof(text) ||
                    !text_is_good(&text) || (found && text.generation < latest.generation))
                        continue;
                latest = text;
                found = true;
        }
        if (!found)
                return false;
        record->generation = latest.generation;
        if (strncmp(latest.boot, record->boot, sizeof(record->boot)) == 0) {
                memcpy(record->entries, latest.entries, sizeof(record->entries));
                record->n = latest.n;
        }
        return true;
}

static int read_boot(struct record *record, const char *root)
{
        char path[512];
        ssize_t n;
        int fd;

        if (snprintf(path, sizeof(path), "%s/proc/sys/kernel/random/boot_id", root) >=
            (int)sizeof(path))
                return -ENAMETOOLONG;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        n = read(fd, record->boot, sizeof(record->boot) - 1);
        close(fd);
        return n > 0 ? 0 : -EIO;
}

static int lock(int fd)
{
        for (unsigned i = 0; i < LOCK_TRIES; i++) {
                if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                        return 0;
                if (errno != EWOULDBLOCK)
                        return -errno;
                nanosleep(&(struct timespec){ .tv_nsec = LOCK_REST_NS }, NULL);
        }
        return -EBUSY;
}

/* Is what was opened still what the path names? */
static bool is_in_place(int fd, const char *path)
{
        struct stat opened, named;

        return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 &&
               opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

static bool is_trusted(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink <= 1 &&
               (st.st_uid == 0 || st.st_uid == geteuid()) && (st.st_mode & 022) == 0;
}

static int open_once(const char *path, bool create, int *ret_fd)
{
        int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, fd, r;

        fd = open(path, create ? flags | O_CREAT : flags, 0600);
        if (fd < 0)
                return errno == ELOOP || errno == EISDIR || errno == ENXIO ? NOT_TRUSTED : -errno;
        r = is_trusted(fd) ? lock(fd) : NOT_TRUSTED;
        if (!r && !is_in_place(fd, path))
                r = -EAGAIN;
        if (r) {
                close(fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

/* Return: 0; NOT_TRUSTED; -ENOENT where none is there and none is to be made; negative errno. */
static int open_file(const char *path, bool create, int *ret_fd)
{
        int r = -EAGAIN;

        for (unsigned i = 0; r == -EAGAIN && i < OPEN_TRIES; i++)
                r = open_once(path, create, ret_fd);
        return r;
}

static int open_trusted(struct record *record, bool create, struct sentence note)
{
        int r;

        r = open_file(record->path, create, &record->fd);
        if (r != NOT_TRUSTED)
                return r;
        snprintf(note.text, note.room,
                 "%s is no file that only pard may write: what it says about reserved hugepages is "
                 "not believed",
                 record->path);
        if (!create)
                return -ENOENT;
        if (unlink(record->path) < 0 && errno != ENOENT)
                return -errno;
        r = open_file(record->path, true, &record->fd);
        return r == NOT_TRUSTED ? -EPERM : r;
}

static int load(struct record *record, struct sentence note)
{
        struct stat st;

        if (fstat(record->fd, &st) < 0)
                return -errno;
        if (st.st_size > 0 && !read_latest(record))
                snprintf(note.text, note.room,
                         "%s cannot be understood: what it says about reserved hugepages is not "
                         "believed",
                         record->path);
        return 0;
}

int record_open(struct record *record, const char *path, const char *root, bool create, char *error,
                size_t error_bytes)
{
        struct sentence note = { error, error_bytes };
        int r;

        *record = RECORD_NONE;
        snprintf(error, error_bytes, "%s", "");
        record->path = strdup(path);
        if (!record->path) {
                snprintf(error, error_bytes, "%s", strerror(ENOMEM));
                return -ENOMEM;
        }
        r = read_boot(record, root);
        if (!r)
                r = open_trusted(record, create, note);
        if (r == -ENOENT && !create)
                return 0;
        if (!r)
                r = load(record, note);
        if (r) {
                snprintf(error, error_bytes, "what is reserved cannot be written down in %s: %s",
                         path, r == -EBUSY ? "another pard does so" : strerror(-r));
                record_close(record);
        }
        return r;
}

int record_save(struct record *record)
{
        struct record_text text = { .generation = record->generation + 1, .n = record->n };

        if (record->fd < 0)
                return 0;
        memcpy(text.magic, MAGIC, sizeof(text.magic));
        memcpy(text.boot, record->boot, sizeof(text.boot));
        memcpy(text.entries, record->entries, record->n * sizeof(*record->entries));
        text.sum = sum_of(&text);
        errno = EIO; /* for a short write */
        if (pwrite(record->fd, &text, sizeof(text), (off_t)(text.generation % 2) * PLACE_BYTES) !=
            sizeof(text))
                return -errno;
        record->generation++;
        return 0;
}

struct record_entry *record_entry(struct record *record, uint64_t page_bytes, int node, bool create)
{
        struct record_entry *entry;

        for (size_t i = 0; i < record->n; i++) {
                entry = &record->entries[i];
                if (entry->page_bytes == page_bytes && entry->node == node)
                        return entry;
        }
        if (!create || record->n == RECORD_ENTRIES_MAX)
                return NULL;
        entry = &record->entries[record->n++];
        *entry = (struct record_entry){ .page_bytes = page_bytes, .node = node };
        return entry;
}

static bool is_settled(const struct record *record)
{
        for (size_t i = 0; i < record->n; i++)
                if (record->entries[i].added || record->entries[i].change)
                        return false;
        return true;
}

void record_close(struct record *record)
{
        if (record->fd >= 0) {
                if (is_settled(record) && is_in_place(record->fd, record->path))
                        unlink(record->path);
                close(record->fd);
        }
        free(record->path);
        *record = RECORD_NONE;
}
