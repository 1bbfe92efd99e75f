/* SPDX-License-Identifier: MIT */
/*
 * /dev/udmabuf without a kernel that has it, for programs that are linked with --wrap=ioctl: a
 * dma-buf is a memfd of the same size. Other ioctls go to the kernel.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_UDMABUF_PARTS_MAX 64

/* A part as the kernel was told. @inode: of the file. */
struct fake_udmabuf_part {
        uint64_t inode, offset, bytes;
};

/**
 * struct fake_udmabuf - what it did last
 * @parts: @n_parts; those beyond FAKE_UDMABUF_PARTS_MAX are counted alone
 * @made:  dma-bufs ever, also where that failed
 * @cloexec: it was asked for
 */
struct fake_udmabuf {
        struct fake_udmabuf_part parts[FAKE_UDMABUF_PARTS_MAX];
        size_t n_parts;
        unsigned made;
        bool cloexec;
};

/* Forget what was done; nothing fails, and nothing is held up. */
void fake_udmabuf_reset(void);

/* From now on fail with this errno; 0: do not. */
void fake_udmabuf_fail(int error);

/* From now on let nobody pass, until told to; wait until somebody stands there. */
void fake_udmabuf_hold(bool hold);
void fake_udmabuf_await_held(void);

/* A copy of what it did. */
struct fake_udmabuf fake_udmabuf_last(void);
