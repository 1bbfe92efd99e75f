/* SPDX-License-Identifier: MIT */
/*
 * Telling a client where its buffer is: pieces, segments and descriptors, page by page.
 */
#pragma once

#include "reply.h"

/**
 * grant_answer() - the reply to an Alloc, with the first page
 * @buffer: just granted; borrowed. It is released where the reply does not go out
 *
 * Return: 0; negative errno.
 */
int grant_answer(struct session *session, const struct buffer *buffer, struct reply *reply);

/**
 * grant_show_frame() - have a frame's descriptor go with a reply, the first time the client sees it
 * @ret_has_fd: whether it does
 *
 * Return: 0; -EIO where the frame has no descriptor; -ENOMEM.
 */
int grant_show_frame(struct session *session, struct frame_name frame, struct reply *reply,
                     bool *ret_has_fd);

/**
 * grant_continue() - the next page
 * @cursor: of the page before; 0: from the beginning
 *
 * Return: 0; PAR_REFUSED_INVALID where that is no cursor of this buffer; negative errno.
 */
int grant_continue(struct session *session, const struct buffer *buffer, uint64_t cursor,
                   struct reply *reply);
