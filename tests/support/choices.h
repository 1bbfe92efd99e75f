/* SPDX-License-Identifier: MIT */
/*
 * Where a trial takes its decisions from: a seed, or the input of a fuzz target.
 */
#pragma once

#include "random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct choices - decisions to come
 * @random: gives them where there is no input
 * @bytes:  input, two bytes a decision that has few outcomes, eight for others; borrowed. NULL:
 * none
 * @left:   bytes of input that are left
 * @over:   the input is used up: all further decisions are 0
 */
struct choices {
        struct random random;
        const uint8_t *bytes;
        size_t left;
        bool over;
};

/* Without end; the same for the same seed. */
struct choices choices_from_seed(uint64_t seed);
struct choices choices_from_input(const uint8_t *bytes, size_t size);

/* 0 to @below - 1; @below > 0. */
uint64_t choose(struct choices *choices, uint64_t below);

/* One in @n; never where the input is used up. @n > 1. */
bool choose_one_in(struct choices *choices, uint64_t n);

/* Any 64-bit number. */
uint64_t choose_any(struct choices *choices);

/* A power of two, 2^@from to 2^@to; @from <= @to <= 63. */
uint64_t choose_power(struct choices *choices, unsigned from, unsigned to);
