/* SPDX-License-Identifier: MIT */
/*
 * Changes a message, whichever it is: the descriptors that protobuf-c makes tell what fields it
 * has. So a field that is added to par.proto is changed here, too.
 */
#pragma once

#include "choices.h"
#include "message.h"

#include <stddef.h>
#include <stdint.h>

/* Change one field of it or of a message inside. All that is written stays valid for as long as
 * the program runs; strings and arrays that were there are not freed, and none grows. */
void mangle_message(ProtobufCMessage *message, struct choices *choices);

/* Change some bytes of a packet, or how many there are. Return: how many; at least 1. */
size_t mangle_bytes(uint8_t *bytes, size_t size, size_t room, struct choices *choices);

/* A number that programs trip over, often near @was. */
uint64_t mangle_number(uint64_t was, struct choices *choices);
