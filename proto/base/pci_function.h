/* SPDX-License-Identifier: MIT */
/*
 * PCI addresses as people and the kernel write them: "0000:03:00.0", or "03:00.0" where there is
 * only one domain. One reading for the daemon and the command line. No state, no locale.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PCI_FUNCTION_BYTES 16 /* room for any text of pci_function_text() */

/**
 * struct pci_function - a PCI function
 * @has_domain: otherwise @domain is 0, and not known
 */
struct pci_function {
        bool has_domain;
        uint32_t domain;
        uint8_t bus, device, function;
};

/* The value of a hexadecimal digit; -1: it is none. */
static inline int pci_function_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* @min to @max hexadecimal digits, after an optional "0x". Return: what follows; NULL: it is none.
 */
static inline const char *pci_function_digits(const char *text, size_t min, size_t max,
                                              uint32_t *ret)
{
        uint32_t value = 0;
        size_t n = 0;

        if (text[0] == '0' && text[1] == 'x')
                text += 2;
        for (int digit; n < max && (digit = pci_function_digit(text[n])) >= 0; n++)
                value = value << 4 | (uint32_t)digit;
        *ret = value;
        return n >= min ? text + n : NULL;
}

/**
 * pci_function_parse() - the address at the start of a text
 * @ret:      the address
 * @ret_rest: what follows it; NULL: nothing may follow
 *
 * Return: whether there was one.
 */
static inline bool pci_function_parse(const char *text, struct pci_function *ret,
                                      const char **ret_rest)
{
        uint32_t part[4] = { 0 };
        const char *at = pci_function_digits(text, 1, 6, &part[0]);
        bool domain;

        if (!at || *at++ != ':')
                return false;
        at = pci_function_digits(at, 1, 2, &part[1]);
        domain = at && *at == ':';
        if (domain) {
                at = pci_function_digits(at + 1, 1, 2, &part[2]);
        } else {
                part[2] = part[1];
                part[1] = part[0];
                part[0] = 0;
        }
        if (!at || *at != '.' || part[1] > UINT8_MAX || part[2] > 31)
                return false;
        at = pci_function_digits(at + 1, 1, 1, &part[3]);
        if (!at || part[3] > 7 || (!ret_rest && *at))
                return false;
        *ret = (struct pci_function){ domain, part[0], (uint8_t)part[1], (uint8_t)part[2],
                                      (uint8_t)part[3] };
        if (ret_rest)
                *ret_rest = at;
        return true;
}

/* Whether they may be the same function: a domain that is not known may be any. */
static inline bool pci_function_matches(const struct pci_function *a, const struct pci_function *b)
{
        return a->bus == b->bus && a->device == b->device && a->function == b->function &&
               (!a->has_domain || !b->has_domain || a->domain == b->domain);
}

/* As sysfs has it, without the domain where that is not known; returns @buffer. */
static inline const char *pci_function_text(const struct pci_function *address,
                                            char buffer[PCI_FUNCTION_BYTES])
{
        const int n = address->has_domain ? snprintf(buffer, PCI_FUNCTION_BYTES,
                                                     "%04x:", address->domain & 0xffffff)
                                          : 0;

        snprintf(buffer + n, PCI_FUNCTION_BYTES - (size_t)n, "%02x:%02x.%x", address->bus,
                 address->device & 0x1fu, address->function & 7u);
        return buffer;
}
