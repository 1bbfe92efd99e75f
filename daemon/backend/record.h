/* SPDX-License-Identifier: MIT */
/*
 * A file that tells what was added to the system's hugepages and is to be given back, so that the
 * next start knows it where this one is killed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_ENTRIES_MAX 64
#define RECORD_BOOT_BYTES  40

/**
 * struct record_entry - one page size on one node
 * @page_bytes: page size
 * @node:       NODE_ANY where the system has no nodes
 * @added:      persistent pages that are there because of us
 * @before:     persistent pages that were there before what is under way
 * @change:     pages that may come (positive) or go (negative) with it; 0: nothing is under way
 */
struct record_entry {
        uint64_t page_bytes;
        int64_t node;
        uint64_t added;
        uint64_t before;
        int64_t change;
};

/**
 * struct record - the file and what it says
 * @path:       owned
 * @fd:         locked; -1: there is no file
 * @generation: of the latest text
 * @boot:       which boot of the system this is
 * @entries:    @n of them; record_save() makes the file say so
 *
 * Zero it and set @fd to -1 before first use.
 */
struct record {
        char *path;
        int fd;
        uint64_t generation;
        char boot[RECORD_BOOT_BYTES];
        struct record_entry entries[RECORD_ENTRIES_MAX];
        size_t n;
};

#define RECORD_NONE ((struct record){ .fd = -1 })

/**
 * record_open() - open the file, and read what an earlier process left in it
 * @path:   of the file; its directory is there
 * @root:   where procfs is
 * @create: make the file where there is none
 * @error:  a sentence of at most @error_bytes: on failure why; with success about a file that is
 *          not believed, or else empty
 *
 * Believed is a regular file of root's or our own that nobody else may write. What was written
 * before the latest boot counts no longer.
 *
 * Return: 0, also where there is no file and none is to be made; -EBUSY where another process has
 * it open for longer than it takes to end; other negative errno. On failure record_close() does
 * nothing.
 */
int record_open(struct record *record, const char *path, const char *root, bool create, char *error,
                size_t error_bytes);

/**
 * record_save() - write the entries
 *
 * A kill at any moment leaves the entries of before or those of after.
 *
 * Return: 0; negative errno. 0 without a file.
 */
int record_save(struct record *record);

/* record_entry() - the entry of a page size and node, made where @create; NULL: none, or no room */
struct record_entry *record_entry(struct record *record, uint64_t page_bytes, int node,
                                  bool create);

/* record_close() - remove the file if there is nothing left to give back; close it */
void record_close(struct record *record);
