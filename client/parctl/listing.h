/* SPDX-License-Identifier: MIT */
/*
 * A command that prints a list: asks for it page by page and prints it as a table.
 */
#pragma once

#include "arguments.h"
#include "ask.h"
#include "output.h"
#include "table.h"

/**
 * struct listing_page - the rows of one reply
 * @rows: @n messages of the wire; borrowed from the reply
 * @next_cursor: where the list goes on; 0: that was all
 */
struct listing_page {
        void *const *rows;
        size_t n;
        uint64_t next_cursor;
};

#define LISTING_COLUMNS_MAX 48

/**
 * struct listing - one kind of list
 * @body:   which request
 * @reply:  which body its reply has
 * @page:   the rows of a reply
 * @wanted: whether a row that pard sent is to be shown; NULL: all are
 * @fill:   the cells of a row, one for each column of the command
 */
struct listing {
        Wire__Request__BodyCase body;
        Wire__Reply__BodyCase reply;
        struct listing_page (*page)(const Wire__Reply *reply);
        bool (*wanted)(const void *row, const struct arguments *arguments);
        void (*fill)(const void *row, struct cell cells[LISTING_COLUMNS_MAX]);
};

/* Ask and print. Return: the exit status. */
int listing_show(const struct listing *listing, const struct arguments *arguments, struct ask *ask,
                 const struct output *output);

/* A NUMA node of the wire, where -1 is any. */
struct cell listing_node(int32_t node);
