/* SPDX-License-Identifier: MIT */
/*
 * Small things that every part of the project uses. Header only; no state, no calls.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define KiB (UINT64_C(1) << 10)
#define MiB (UINT64_C(1) << 20)
#define GiB (UINT64_C(1) << 30)
#define TiB (UINT64_C(1) << 40)

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Run fn on the address of the variable when it leaves its scope. */
#define _cleanup_(fn) __attribute__((__cleanup__(fn)))

/* Take the value out of a cleanup variable: the caller owns it now. */
#define STEAL(p)                             \
        ({                                   \
                __typeof__(p) stolen_ = (p); \
                (p) = NULL;                  \
                stolen_;                     \
        })

/* The same for a descriptor. */
#define STEAL_FD(fd)                \
        ({                          \
                int stolen_ = (fd); \
                (fd) = -1;          \
                stolen_;            \
        })

/* Define name##p(), the cleanup function for a variable of type T * freed by name(). */
#define DEFINE_CLEANUP(T, name)           \
        static inline void name##p(T **p) \
        {                                 \
                if (*p)                   \
                        name(*p);         \
        }

/* container_of() of the kernel: the object that embeds this member. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
