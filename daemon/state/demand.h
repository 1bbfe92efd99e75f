/* SPDX-License-Identifier: MIT */
/*
 * What a request comes down to: its constraint, narrowed by those of its devices, with a note of
 * who set each limit; and the memory in which that can be met.
 */
#pragma once

#include "constraint.h"
#include "reach.h"
#include "state.h"

enum setter {
        SET_BY_NOBODY,
        SET_BY_REQUEST,
        SET_BY_DEVICE,  /* its section of the configuration */
        SET_BY_SYSFS,   /* what sysfs says of it */
        SET_BY_WINDOWS, /* its bus windows */
};

/* Who set a limit. @device: borrowed from the settings; NULL where none did. */
struct limit_source {
        enum setter by;
        const struct device_settings *device;
};

/**
 * struct demand_view - one piece of memory that would do
 * @at:        inside the limits' addresses
 * @one_block: it lies between two boundaries: none has to be heeded inside
 * @first_by_window, @last_by_window: a bus window ends there, not the limits' addresses
 */
struct demand_view {
        struct view at;
        bool one_block, first_by_window, last_by_window;
};

/**
 * struct demand - a normalised request
 * @limits:  of the addresses that the devices see; valid as constraint_check() has it
 * @want:    the same of memory, in the view that is selected: what a search goes by. Valid, too
 * @dma_offset: from memory to what the devices see, in that view
 * @blind:   pools that hide their addresses will do; where one is named, they must
 * @nodes:   bit mask; 0: any. @near_nodes: of these, those to look at first; 0: all are alike
 * @set_by:  who set which limit of @want
 * @views:   @n_views of them, at least 1: a buffer lies in one. Without bus windows there is one
 * @low, @high: who set the addresses of @limits
 * @seq:     of the request
 * @share:   how it may be shared; its name is borrowed from the request
 * @devices: their names, separated by commas; borrowed from the request. NULL or "": none
 * @granularity_bytes: what the size is a multiple of; 0: of whole granules
 * @watched: PCI addresses of its devices, @n_watched of them; @unwatched: it is for something else,
 * too
 * @windows_of: the first device that has bus windows; NULL: none
 */
struct demand {
        struct constraint want, limits;
        uint64_t dma_offset;
        bool blind;
        uint64_t nodes, near_nodes;
        struct limit_source set_by[LIMIT_COUNT];
        struct limit_source low, high;
        uint64_t granularity_bytes;
        uint32_t watched[REQUEST_DEVICES_MAX];
        size_t n_watched;
        bool unwatched;
        const struct device_settings *windows_of;
        const char *label, *devices;
        struct share_request share;
        uint32_t seq;
        size_t n_views;
        struct demand_view views[VIEWS_MAX];
};

/**
 * demand_init() - normalise a request
 * @request:     borrowed; any values
 * @ret_refusal: filled with a result above 0
 *
 * The first view is selected.
 *
 * Return: 0; PAR_REFUSED_INVALID; PAR_REFUSED_NEVER_FITS where its limits contradict one another or
 * those of its devices.
 */
int demand_init(const struct state *state, const struct request *request, struct demand *ret,
                struct refusal *ret_refusal);

/* Have @want, @dma_offset and @set_by be those of a view. */
void demand_select(struct demand *demand, size_t view);

/* From the lowest to the highest physical address of all views. */
struct range demand_hull(const struct demand *demand);

/* "the request", "device capture0", "the bus windows of device pi4" into @room bytes. */
void demand_setter(const struct demand *demand, enum limit limit, char *to, size_t room);

/* No address limit at all: any memory will do. */
bool demand_is_unlimited(const struct demand *demand);
