/* SPDX-License-Identifier: MIT */
/*
 * Which thread this is, told without a call.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

/* The thread pointer: an address that is this thread's own. */
static inline uintptr_t thread_here(void)
{
#if defined(__has_builtin) && __has_builtin(__builtin_thread_pointer)
        return (uintptr_t)__builtin_thread_pointer();
#else
        return (uintptr_t)pthread_self();
#endif
}
