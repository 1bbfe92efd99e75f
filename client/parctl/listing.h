/* SPDX-License-Identifier: MIT */
/*
 * A command that prints a list: asks for it page by page and prints it as a table.
 */
#pragma once

#include "arguments.h"
#include "ask.h"
#include "table.h"

/**
 * struct listing - one kind of list
 * @body:  which request
 * @reply: which body its reply has
 * @add:   add the rows of one reply
 *         Return: 0; -ENOMEM.
 */
struct listing {
        Wire__Request__BodyCase body;
        Wire__Reply__BodyCase reply;
        int (*add)(struct table *table, const struct arguments *arguments, const Wire__Reply *reply,
                   uint64_t *ret_cursor);
};

/* Ask and print. Return: the exit status. */
int listing_run(const struct listing *listing, const struct arguments *arguments);

/* A NUMA node of the wire, where -1 is any. */
struct cell listing_node(int32_t node);
