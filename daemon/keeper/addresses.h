/* SPDX-License-Identifier: MIT */
/*
 * A growing list of physical addresses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct addresses - the list
 * @at: @n of them, owned; NULL where there is none
 */
struct addresses {
        uint64_t *at;
        size_t n, room;
};

void addresses_deinit(struct addresses *addresses);

/* Return: 0; -ENOMEM, and nothing changed. */
int addresses_add(struct addresses *addresses, uint64_t phys);

/* In ascending order. */
void addresses_sort(struct addresses *addresses);

/* Whether a sorted list has it. */
bool addresses_have(const struct addresses *addresses, uint64_t phys);
