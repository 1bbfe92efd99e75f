/* SPDX-License-Identifier: MIT */
/*
 * The wire's structs to the state's, and back. Strings are not copied: what comes out borrows from
 * what went in.
 */
#pragma once

#include "message.h"
#include "state.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

/* Instead of an address that the client may not know. */
#define WIRE_PHYS_HIDDEN UINT64_MAX

/**
 * request_from_wire() - what an Alloc asks for
 * @alloc: borrowed
 * @ret:   borrows the strings
 * @ret_complaint: static sentence; written only with a refusal
 *
 * Only what the state could not judge is judged here.
 *
 * Return: 0; PAR_REFUSED_INVALID.
 */
int request_from_wire(const Wire__Alloc *alloc, struct request *ret, const char **ret_complaint);

/**
 * window_from_wire() - the addresses that a request is about
 * @addr_min, @addr_max: as on the wire: inclusive, and no limit where @addr_max is 0
 *
 * Return: 0; PAR_REFUSED_INVALID where they are the wrong way round.
 */
int window_from_wire(uint64_t addr_min, uint64_t addr_max, struct range *ret);

/**
 * selection_from_wire() - which buffers
 * @from: borrowed
 * @ret:  borrows the strings
 * @ret_complaint: static sentence; written only with a refusal
 *
 * Return: 0; PAR_REFUSED_INVALID.
 */
int selection_from_wire(const Wire__Selection *from, struct selection *ret,
                        const char **ret_complaint);

/**
 * io_tell_from_wire() - where a buffer is mapped
 * @from:  borrowed
 * @ret:   borrows the strings, and the rooms below
 * @parts: room
 * @pci:   room
 * @ret_complaint: static sentence; written only with a refusal
 *
 * Only what the state could not judge is judged here.
 *
 * Return: 0; PAR_REFUSED_INVALID.
 */
int io_tell_from_wire(const Wire__Mapped *from, struct io_tell *ret,
                      struct io_tell_part parts[IO_PARTS_MAX], struct pci_function *pci,
                      const char **ret_complaint);

/* What hangs on the row of a device. */
struct device_parts {
        Wire__Constraint limits;
        Wire__BusWindow windows[BUS_WINDOWS_MAX];
        Wire__BusWindow *window_pointers[BUS_WINDOWS_MAX];
};

/* What hangs on a Device. */
struct sight_parts {
        Wire__BusWindow windows[VIEWS_MAX];
        Wire__BusWindow *pointers[VIEWS_MAX];
};

/* In all of these @to is initialised here, and borrows from @from. */
void constraint_to_wire(const struct constraint *from, uint64_t nodes, Wire__Constraint *to);
void refusal_to_wire(const struct refusal *from, Wire__Refusal *to);
/* @dma_offset: from memory to what the device sees, modulo 2^64. */
void segment_to_wire(struct range from, uint64_t dma_offset, Wire__Segment *to);
void bytes_to_wire(const struct state_bytes *from, Wire__StateBytes *to);
void status_to_wire(const struct status_report *from, Wire__StateBytes *bytes, Wire__Status *to);
void pool_to_wire(const struct pool_report *from, const char *backend, Wire__StateBytes *bytes,
                  Wire__Pool *to);
void limit_to_wire(const struct limit_report *from, Wire__Limit *to);
void frame_to_wire(const struct frame_report *from, Wire__Frame *to);
void buffer_to_wire(const struct buffer_report *from, Wire__Buffer *to);
void client_to_wire(const struct client_report *from, Wire__StateBytes *bytes, Wire__Client *to);
void extent_to_wire(const struct extent_report *from, Wire__Extent *to);
void former_to_wire(const struct former_report *from, Wire__FormerHolder *to);
/* @pci: room for the text, borrowed by @to. */
void io_holder_to_wire(const struct io_holder *from, char pci[PCI_FUNCTION_BYTES],
                       Wire__IoHolder *to);
void blocker_to_wire(const struct blocker *from, Wire__Blocker *to);
/* @to was initialised; the rest of it stays as it is. */
void sight_to_wire(const struct sight *from, struct sight_parts *parts, Wire__Device *to);
void device_to_wire(const struct device_settings *from, struct device_parts *parts,
                    Wire__DeviceRow *to);
