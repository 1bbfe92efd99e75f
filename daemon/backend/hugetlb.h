/* SPDX-License-Identifier: MIT */
/*
 * Real hugepages: one sealed hugetlb memfd a frame, faulted in, pinned through io_uring, its frame
 * number read after the pin.
 */
#pragma once

#include "backend.h"

/* struct hugetlb_need - a page size that is used, on a node or (NODE_ANY) wherever */
struct hugetlb_need {
        uint64_t page_bytes;
        int node;
};

/**
 * struct hugetlb_settings - how to get hugepages
 * @reserve:      more() raises nr_hugepages, and deinit() gives back; otherwise take only what the
 *                administrator has reserved
 * @keep_free_bytes: never leave the system less available memory than this
 * @needs:        @n_needs entries, borrowed for the call
 * @pins:         frames that may be pinned at once, for which there is room from the start: later a
 *                process may not be allowed any more
 * @record_path:  where it is written down what was added, for the next start after a kill; borrowed
 *                for the call
 * @tell:         called with a sentence for the operator about what is no failure; may be NULL
 * @resumed:      what an earlier program of this process has added is there, and nothing to tell of
 * @sysfs_root:   "" on a real machine; a directory of fixtures in tests
 */
struct hugetlb_settings {
        bool reserve;
        uint64_t keep_free_bytes;
        const struct hugetlb_need *needs;
        size_t n_needs;
        uint32_t pins;
        const char *record_path;
        void (*tell)(const char *sentence);
        bool resumed;
        const char *sysfs_root;
};

/**
 * hugetlb_new() - open what needs privilege, and see that hugepages can be had
 * @settings: borrowed for the call
 * @ret:      owned by the caller: backend_free()
 * @error:    a sentence for the operator, of at most @error_bytes; written only on failure
 *
 * Reserves nothing yet; what an earlier daemon left reserved when it was killed is adopted.
 *
 * Return: 0; -EACCES, -EPERM, -EROFS without permission (for pagemap, nr_hugepages); -ENOENT where
 * the system has no hugepages of a needed size; -EBUSY where another daemon uses @record_path;
 * other negative errno.
 */
int hugetlb_new(const struct hugetlb_settings *settings, struct backend **ret, char *error,
                size_t error_bytes);

/**
 * hugetlb_page_sizes() - the hugepage sizes of this system
 * @ret: array of @room sizes in bytes, ascending
 *
 * Return: how many there are (may exceed @room).
 */
size_t hugetlb_page_sizes(uint64_t *ret, size_t room);
