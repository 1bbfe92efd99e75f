/* SPDX-License-Identifier: MIT */
/*
 * leave STATUS - ends the virtual machine. QEMU's isa-debug-exit turns what is written to its port
 * into its own exit status: twice that, and 1. What is written keeps clear of what QEMU exits with
 * by itself (0, 1) and of what timeout and signals give (124 and more).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>

#define EXIT_PORT      0x501
#define STATUS_MAX     59 /* others that are larger count as this one */
#define STATUS_SKIPPED 77

static unsigned char port_value(long status)
{
        if (status == STATUS_SKIPPED)
                return STATUS_MAX + 2;
        return (unsigned char)(1 + (status < 0 || status > STATUS_MAX ? STATUS_MAX : status));
}

int main(int argc, char **argv)
{
        long status = argc > 1 ? strtol(argv[1], NULL, 10) : EXIT_FAILURE;

        if (ioperm(EXIT_PORT, 1, 1) < 0) {
                perror("ioperm");
                return EXIT_FAILURE;
        }
        outb(port_value(status), EXIT_PORT);
        return EXIT_FAILURE; /* not reached under QEMU */
}
