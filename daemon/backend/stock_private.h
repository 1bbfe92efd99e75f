/* SPDX-License-Identifier: MIT */
/*
 * What the stock's beginning and end share with what lies between. The caller holds sysfs_lock(),
 * and the stock's own lock where there are threads.
 */
#pragma once

#include "stock.h"

#include <unistd.h>

/**
 * stock_settle() - note what became of what was under way with an entry
 *
 * Return: 0; negative errno, and it is still not known.
 */
int stock_settle(struct stock *stock, struct record_entry *entry);

/**
 * stock_absorb_strays() - make free pages that the kernel calls surplus persistent ones of an entry
 * @count: how many there may be: those that were to go with the latest stock_lower()
 *
 * Return: 0, the entry tells how many came; negative errno.
 */
int stock_absorb_strays(struct stock *stock, struct record_entry *entry, uint64_t count);

/**
 * stock_lower() - give back pages of an entry
 * @count: at most what the entry has added
 *
 * Used pages that are in the way become surplus: they go when they no longer are.
 *
 * Return: 0, the entry tells how many are left; negative errno.
 */
int stock_lower(struct stock *stock, struct record_entry *entry, uint64_t count);

/**
 * stock_lower_free() - give back pages of an entry that nobody uses
 *
 * Return: how many of @count went.
 */
uint64_t stock_lower_free(struct stock *stock, struct record_entry *entry, uint64_t count);

static inline void stock_unlock_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}
