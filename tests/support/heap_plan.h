/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail on demand, in whatever program, those of its libraries included: what a
 * test and the programs that run with LD_PRELOAD=failing_heap.so share. The file named by
 * PAR_HEAP_PLAN is mapped by all of them. One count runs through all processes and threads.
 */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#define HEAP_PLAN_VARIABLE     "PAR_HEAP_PLAN"
#define HEAP_PLAN_PROCESSES    4096
#define HEAP_PLAN_CALLERS      12
#define HEAP_PLAN_CALLER_BYTES 96

/* What one process has from the heap. @pid: 0: a slot that nobody has yet. */
struct heap_process {
        _Atomic pid_t pid;
        atomic_long blocks, bytes;
};

/**
 * struct heap_plan - the mapping
 * @nth:     which allocation from now on fails, from 1 on; 0: none
 * @count:   allocations since it was set to 0
 * @failed:  one did
 * @spared:  it was to, but was on behalf of a library that ends the process then
 * @process: whose it was
 * @callers: where it was called, as "program+0x1234", innermost first; for addr2line
 */
struct heap_plan {
        atomic_ulong nth, count;
        atomic_bool failed, spared;
        _Atomic pid_t process;
        char callers[HEAP_PLAN_CALLERS][HEAP_PLAN_CALLER_BYTES];
        struct heap_process processes[HEAP_PLAN_PROCESSES];
};
