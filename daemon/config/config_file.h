/* SPDX-License-Identifier: MIT */
/*
 * A configuration file being read: the parser's tree, the line of each key, and the first error.
 * Only this folder includes it.
 */
#pragma once

#include "range.h"

#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_line;
struct known_names;

/**
 * struct config_file - one reading of one text
 * @name:     of the file; borrowed
 * @names:    users and groups that are known already, and those that are found; borrowed
 * @error:    where the first error goes, @error_bytes of it; borrowed
 * @root:     the tree; NULL before config_file_parse() and where that failed
 * @opts:     what the tree was made from
 * @lines:    @n_lines entries: where each key was set
 * @last_line: of the text
 */
struct config_file {
        const char *name;
        struct known_names *names;
        char *error;
        size_t error_bytes;
        cfg_t *root;
        struct config_opts *opts;
        struct key_line *lines;
        size_t n_lines;
        unsigned last_line;
        bool failed;
};

/**
 * config_file_parse() - text to tree; every value is still the text that was written
 *
 * Return: 0; -EINVAL, with the error told; -ENOMEM.
 */
int config_file_parse(struct config_file *file, const char *text);
void config_file_deinit(struct config_file *file);

/**
 * config_fail() - tell an error
 * @section: where it is; NULL: at the top level
 * @key:     which key, for its line and name; NULL: the section as a whole
 * @format:  the sentence
 *
 * Return: -EINVAL. Only the first error of a file is kept.
 */
int config_fail(struct config_file *file, cfg_t *section, const char *key, const char *format, ...)
        __attribute__((__format__(__printf__, 4, 5)));

/* Line of a key; that of the section's last brace where it is not set. */
unsigned config_line(const struct config_file *file, cfg_t *section, const char *key);

/* The text of a key; NULL where it is not set. Lives as long as the tree. */
const char *config_string(cfg_t *section, const char *key);

/*
 * The values. Each leaves *ret as it is where the key is not set, and
 * returns 0, or -EINVAL with the error told.
 */
int config_size(struct config_file *file, cfg_t *section, const char *key, uint64_t *ret);
int config_duration(struct config_file *file, cfg_t *section, const char *key, uint64_t *ret);
int config_number(struct config_file *file, cfg_t *section, const char *key, uint64_t min,
                  uint64_t max, uint64_t *ret);
int config_bool(struct config_file *file, cfg_t *section, const char *key, bool *ret);
/* @words: NULL-terminated; *ret is the index of the one that was written. */
int config_word(struct config_file *file, cfg_t *section, const char *key, const char *const *words,
                unsigned *ret);
int config_power_of_two(struct config_file *file, cfg_t *section, const char *key, uint64_t *ret);
int config_node(struct config_file *file, cfg_t *section, int *ret);

/**
 * config_window() - addr_min with one of addr_max, below and dma_bits
 * @is_device: the section knows dma_bits
 * @window:    in: everything; out: the range
 * @limited:   whether any of them is set
 * @highest_key: which of the three set the highest address; NULL: none
 *
 * Return: 0; -EINVAL with the error told.
 */
int config_window(struct config_file *file, cfg_t *section, bool is_device, struct range *window,
                  bool *limited, const char **highest_key);

/* A name of a pool or device: 1 to 63 letters, digits and ".:_-". 0, or -EINVAL with the error
 * told. */
int config_title(struct config_file *file, cfg_t *section);
