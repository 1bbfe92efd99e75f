/* SPDX-License-Identifier: MIT */
/*
 * Addresses of PCI devices, as sysfs writes them ("0000:01:00.0") and as a number: domain, bus,
 * device and function from the highest bits to the lowest. Part of a file's name and of messages,
 * so nothing but the exact form is one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PCI_ADDRESS_TEXT_BYTES 13

/* The address of a device; false where @text is none. */
static inline bool pci_address_parse(const char *text, uint32_t *ret)
{
        static const char form[] = "xxxx:xx:xx.x", digits[] = "0123456789abcdef";
        uint64_t value = 0; /* with eight bits for the device, and four for the function */

        for (size_t i = 0; i < sizeof(form); i++) {
                const char *digit;

                if (form[i] != 'x' && text[i] != form[i])
                        return false;
                if (form[i] != 'x')
                        continue;
                digit = text[i] ? strchr(digits, text[i]) : NULL;
                if (!digit)
                        return false;
                value = value << 4 | (uint64_t)(digit - digits);
        }
        if ((value >> 4 & 0xff) > 31 || (value & 0xf) > 7)
                return false;
        *ret = (uint32_t)(value >> 12 << 8 | (value >> 4 & 0x1f) << 3 | (value & 7));
        return true;
}

/* The reverse. Return: @to. */
static inline const char *pci_address_text(uint32_t address, char to[PCI_ADDRESS_TEXT_BYTES])
{
        snprintf(to, PCI_ADDRESS_TEXT_BYTES, "%04x:%02x:%02x.%x", address >> 16,
                 address >> 8 & 0xff, address >> 3 & 0x1f, address & 7);
        return to;
}
