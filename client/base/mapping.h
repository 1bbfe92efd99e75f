/* SPDX-License-Identifier: MIT */
/*
 * Address space: where frames are mapped in this process. Plain system calls, no memory of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/**
 * mapping_reserve() - take contiguous address space, without memory behind it
 * @bytes: multiple of @align
 * @align: power of two, at least the system's page size
 * @ret:   starts on a multiple of @align; mapping_release()
 *
 * Return: 0; -ENOMEM.
 */
int mapping_reserve(size_t bytes, size_t align, char **ret);

/**
 * mapping_place() - map a frame, whole, over reserved address space
 * @fd:    of the frame's memory; borrowed
 * @bytes: size of the frame
 * @place: reserved; stays reserved on failure
 * @ret_huge: set on success: it is one page of the kernel's, a hugepage
 *
 * A child of fork() does not get the mapping.
 *
 * Return: 0; -ENOMEM; -EPROTO where there is less memory behind @fd than @bytes; another -errno of
 * mmap().
 */
int mapping_place(int fd, size_t bytes, char *place, bool *ret_huge);

/**
 * mapping_map() - map a frame, whole, wherever there is room
 * @fd:    of the frame's memory; borrowed
 * @bytes: size of the frame, a power of two
 * @ret:   starts on a multiple of @bytes; mapping_release()
 * @ret_huge: as of mapping_place(); undefined on failure
 *
 * For a hugepage that is one system call, where reserving its place would take three more.
 *
 * Return: as mapping_place().
 */
int mapping_map(int fd, size_t bytes, char **ret, bool *ret_huge);

/* Map a part of a frame once more: @offset and @bytes in the system's units of it. As
 * mapping_place().
 */
int mapping_place_part(int fd, size_t offset, size_t bytes, char *place);

/* Take memory out of address space, and leave it so that it cannot be touched. Return: 0; -ENOMEM:
 * it is as it was. */
int mapping_forbid(char *at, size_t bytes);

/* Whether the memory of the page that is mapped at @at has failed, so that touching it would be a
 * SIGBUS. Faults the page in; kernels before 5.14 do not tell, which is a no. */
bool mapping_has_failed(char *at);

/**
 * mapping_move() - move a mapped frame over reserved address space
 *
 * What lay at @from is no longer there; data and physical memory stay the same.
 *
 * Return: 0; -ENOMEM, another -errno of mremap(): the frame is where it was.
 */
int mapping_move(char *from, size_t bytes, char *to);

/* Give address space back, reserved or mapped. */
void mapping_release(char *at, size_t bytes);

/* Whether a child of fork() has this mapping too. */
void mapping_keep_on_fork(char *at, size_t bytes, bool keep);
