/* SPDX-License-Identifier: MIT */
/*
 * What a lookup is about: an address, or a line of the kernel that has one.
 */
#pragma once

#include "fault_line.h"

enum subject_kind {
        SUBJECT_PHYS,
        SUBJECT_IOVA,
        SUBJECT_FAULT, /* an I/O address most likely; see command_lookup.c */
};

/**
 * struct subject - what is asked about
 * @fault: of SUBJECT_FAULT
 */
struct subject {
        enum subject_kind kind;
        uint64_t address;
        struct fault_line fault;
};

/**
 * subject_parse() - read an operand, or a line
 * @text: "0x38a01000", "4G", "iova:0x1000", or a line of an IOMMU fault
 * @iova: plain addresses are I/O addresses
 *
 * Return: whether it is one of these.
 */
bool subject_parse(const char *text, bool iova, struct subject *ret);
