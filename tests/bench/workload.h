/* SPDX-License-Identifier: MIT */
/*
 * What the experiment is run on: machines with their memory, and mixes of requests. Both come from
 * a text file; tests/bench/workloads/ has ready ones, and says what the keys mean.
 */
#pragma once

#include "range.h"

#include <stddef.h>
#include <stdint.h>

#define WORKLOAD_NAME_BYTES   24
#define WORKLOAD_TITLE_BYTES  160
#define WORKLOAD_RANGES_MAX   16
#define WORKLOAD_CLASSES_MAX  16
#define WORKLOAD_MACHINES_MAX 12
#define WORKLOAD_MIXES_MAX    8
#define WORKLOAD_SIZES_MAX    8

/* All memory is managed in, and all sizes are rounded up to, multiples of this. */
#define WORKLOAD_GRANULE_BYTES UINT64_C(4096)

/* The widest device. */
#define WORKLOAD_BITS_MAX 64

/**
 * struct workload_machine - the memory of a machine
 * @name:      what tables call it
 * @memory:    disjoint and ascending: what is RAM and not held by the kernel
 * @n_memory:  how many of them, at least 1
 */
struct workload_machine {
        char name[WORKLOAD_NAME_BYTES];
        struct range memory[WORKLOAD_RANGES_MAX];
        size_t n_memory;
};

/**
 * enum workload_measure - what the share of a class is counted in
 * @WORKLOAD_OF_REACH:    bytes alive, in percent of the memory that its device reaches
 * @WORKLOAD_OF_REST:     bytes alive, in percent of what the classes above leave
 * @WORKLOAD_OF_ARRIVALS: requests, in percent of all of the mix. For what lives so shortly that it
 *                        takes no memory to speak of
 */
enum workload_measure {
        WORKLOAD_OF_REACH,
        WORKLOAD_OF_REST,
        WORKLOAD_OF_ARRIVALS,
};

/**
 * struct workload_class - requests of one kind
 * @name:         what tables call it
 * @window:       what its device reaches
 * @bits:         address bits of the device, 1 to WORKLOAD_BITS_MAX
 * @sizes:        one of these is chosen, each as often; inside it a size between @first and @last,
 *                bytes, small ones as often as large ones on a logarithmic scale
 * @n_sizes:      how many, at least 1
 * @align_bytes:  power of two
 * @boundary_bytes: power of two not below any size; 0: none
 * @life_ns:      shortest and longest life, each length as often on a logarithmic scale
 * @measure:      see enum workload_measure
 * @share_ppm:    millionths of it
 */
struct workload_class {
        char name[WORKLOAD_NAME_BYTES];
        struct range window;
        unsigned bits;
        struct range sizes[WORKLOAD_SIZES_MAX];
        size_t n_sizes;
        uint64_t align_bytes, boundary_bytes;
        struct range life_ns;
        enum workload_measure measure;
        uint32_t share_ppm;
};

/**
 * struct workload_mix - what is asked for at the same time
 * @name:       what tables call it
 * @title:      one line about it
 * @machines:   the numbers of the machines that it is run on
 * @n_machines: how many of them, at least 1
 * @classes:    what it is made of
 * @n_classes:  how many of them, at least 1
 */
struct workload_mix {
        char name[WORKLOAD_NAME_BYTES], title[WORKLOAD_TITLE_BYTES];
        size_t machines[WORKLOAD_MACHINES_MAX], n_machines;
        struct workload_class classes[WORKLOAD_CLASSES_MAX];
        size_t n_classes;
};

/* A file's content. Plain value; owns nothing. */
struct workload {
        struct workload_machine machines[WORKLOAD_MACHINES_MAX];
        size_t n_machines;
        struct workload_mix mixes[WORKLOAD_MIXES_MAX];
        size_t n_mixes;
};

/**
 * workload_read() - read a file
 * @path:        borrowed
 * @ret:         what is in it; unspecified after an error
 * @error:       the sentence that says what is wrong and where, written after -EINVAL
 * @error_bytes: room for it
 *
 * Return: 0; -EINVAL for text that makes no sense; -errno for a file that cannot be read; -ENOMEM.
 */
int workload_read(const char *path, struct workload *ret, char *error, size_t error_bytes);

/* Bytes of memory of a machine inside a window. */
uint64_t workload_bytes_in(const struct workload_machine *machine, struct range window);
