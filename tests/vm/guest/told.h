/* SPDX-License-Identifier: MIT */
/*
 * What pard told of a buffer, held against this process's own pagemap. Takes root. Whatever does
 * not match ends the test program.
 */
#pragma once

#include <par.h>
#include <stddef.h>
#include <stdint.h>

/* Where a page of this process lies in physical memory; the page must be there. */
uint64_t physical_address(const void *pointer);

/**
 * told_compare() - compare each 4 KiB page of a buffer
 *
 * Counts for told_print().
 */
void told_compare(const struct par_buffer *buffer);

/* "N addresses compared, 0 wrong": over all calls of told_compare(). */
void told_print(void);
