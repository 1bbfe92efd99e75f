/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing, keeps nothing. The only place that knows both how the wire says "no limit" (0) and
 * how the state does.
 */
#include "convert.h"

#include "macros.h"

#include <string.h>

/* protobuf-c's strings are not const, although nothing writes to them. */
static char *text(const char *from)
{
        return from ? (char *)(uintptr_t)from : (char *)(uintptr_t)protobuf_c_empty_string;
}

static void constraint_from_wire(const Wire__Constraint *from, struct constraint *ret,
                                 uint64_t *ret_nodes)
{
        *ret = (struct constraint){
                .window = { from->addr_min, from->addr_max ? from->addr_max : UINT64_MAX },
                .align_bytes = from->align,
                .boundary_bytes = from->boundary,
                .max_segment_bytes = from->max_segment_bytes,
                .max_segments = from->max_segments,
        };
        *ret_nodes = from->nodes;
}

/* Return: 0; PAR_REFUSED_INVALID. */
static int share_from_wire(const Wire__Alloc *alloc, struct share_request *ret,
                           const char **ret_complaint)
{
        *ret = (struct share_request){ .wanted = alloc->shared || alloc->lasting || alloc->name[0],
                                       .lasting = alloc->lasting,
                                       .name = alloc->name,
                                       .n_allow = alloc->n_allow };
        if (!text_is_good(alloc->name, LABEL_BYTES_MAX)) {
                *ret_complaint = "name is longer than 63 bytes, or not UTF-8";
                return PAR_REFUSED_INVALID;
        }
        if (alloc->n_allow > SHARE_ALLOW_MAX) {
                *ret_complaint = "more than 8 users and groups are allowed";
                return PAR_REFUSED_INVALID;
        }
        for (size_t i = 0; i < alloc->n_allow; i++)
                ret->allow[i] = (struct principal){ alloc->allow[i]->group, alloc->allow[i]->id };
        return 0;
}

int request_from_wire(const Wire__Alloc *alloc, struct request *ret, const char **ret_complaint)
{
        static const Wire__Constraint no_limit = WIRE__CONSTRAINT__INIT;
        struct request request = {
                .device = alloc->device,
                .pool = alloc->pool,
                .label = alloc->label,
                .blind = alloc->blind,
        };
        int r;

        if (!text_is_good(alloc->label, LABEL_BYTES_MAX)) {
                *ret_complaint = "label is longer than 63 bytes, or not UTF-8";
                return PAR_REFUSED_INVALID;
        }
        if (!text_is_good(alloc->pool, LABEL_BYTES_MAX)) {
                *ret_complaint = "no pool has such a name";
                return PAR_REFUSED_INVALID;
        }
        if (!text_is_good(alloc->device, DEVICES_TEXT_BYTES_MAX)) {
                *ret_complaint = "no device has such a name";
                return PAR_REFUSED_INVALID;
        }
        r = share_from_wire(alloc, &request.share, ret_complaint);
        if (r)
                return r;
        constraint_from_wire(alloc->constraint ? alloc->constraint : &no_limit, &request.want,
                             &request.nodes);
        request.want.size_bytes = alloc->size;
        *ret = request;
        return 0;
}

int window_from_wire(uint64_t addr_min, uint64_t addr_max, struct range *ret)
{
        struct range window = { addr_min, addr_max ? addr_max : UINT64_MAX };

        if (window.first > window.last)
                return PAR_REFUSED_INVALID;
        *ret = window;
        return 0;
}

/* Return: whether there are addresses that it could be. */
static bool part_from_wire(const Wire__IoPart *from, struct io_tell_part *ret)
{
        uint64_t last;

        if (!from->length || __builtin_add_overflow(from->iova, from->length - 1, &last))
                return false;
        *ret = (struct io_tell_part){ { from->iova, last }, from->offset };
        return true;
}

int io_tell_from_wire(const Wire__Mapped *from, struct io_tell *ret,
                      struct io_tell_part parts[IO_PARTS_MAX], struct pci_function *pci,
                      const char **ret_complaint)
{
        if (!text_is_good(from->device, LABEL_BYTES_MAX)) {
                *ret_complaint = "device is longer than 63 bytes, or not UTF-8";
                return PAR_REFUSED_INVALID;
        }
        if (from->pci[0] && !pci_function_parse(from->pci, pci, NULL)) {
                *ret_complaint = "pci is no PCI address, such as 0000:03:00.0";
                return PAR_REFUSED_INVALID;
        }
        if (from->n_parts > IO_PARTS_MAX) {
                *ret_complaint = "a buffer has at most 4 parts";
                return PAR_REFUSED_INVALID;
        }
        for (size_t i = 0; i < from->n_parts; i++) {
                if (part_from_wire(from->parts[i], &parts[i]))
                        continue;
                *ret_complaint = "a part has no bytes, or ends above 2^64";
                return PAR_REFUSED_INVALID;
        }
        *ret = (struct io_tell){
                .buffer = from->buffer,
                .space = from->space,
                .device = from->device,
                .pci = from->pci[0] ? pci : NULL,
                .parts = parts,
                .n_parts = from->n_parts,
        };
        return 0;
}

int selection_from_wire(const Wire__Selection *from, struct selection *ret,
                        const char **ret_complaint)
{
        if (!text_is_good(from->client_name, LABEL_BYTES_MAX)) {
                *ret_complaint = "client_name is longer than 63 bytes, or not UTF-8";
                return PAR_REFUSED_INVALID;
        }
        if (!text_is_good(from->pool, LABEL_BYTES_MAX)) {
                *ret_complaint = "no pool has such a name";
                return PAR_REFUSED_INVALID;
        }
        *ret = (struct selection){
                .buffer = from->buffer,
                .client = from->client,
                .name = from->client_name,
                .pool = from->pool,
        };
        return 0;
}

void constraint_to_wire(const struct constraint *from, uint64_t nodes, Wire__Constraint *to)
{
        wire__constraint__init(to);
        to->addr_min = from->window.first;
        to->addr_max = from->window.last == UINT64_MAX ? 0 : from->window.last;
        to->align = from->align_bytes;
        to->boundary = from->boundary_bytes;
        to->max_segment_bytes = from->max_segment_bytes;
        to->max_segments = from->max_segments;
        to->nodes = nodes;
}

void refusal_to_wire(const struct refusal *from, Wire__Refusal *to)
{
        wire__refusal__init(to);
        to->sentence = text(from->sentence);
        to->permanent = from->permanent;
        to->limit = text(limit_name(from->limit));
        to->limit_set_by = text(from->limit_set_by);
        to->conflict = text(limit_name(from->conflict));
        to->conflict_set_by = text(from->conflict_set_by);
        to->size = from->size_bytes;
        to->free_in_window = from->free_in_window_bytes;
        to->largest_run = from->largest_run_bytes;
}

void segment_to_wire(struct range from, uint64_t dma_offset, Wire__Segment *to)
{
        wire__segment__init(to);
        to->dma = from.first + dma_offset;
        to->phys = from.first;
        to->length = range_size(from);
}

void bytes_to_wire(const struct state_bytes *from, Wire__StateBytes *to)
{
        wire__state_bytes__init(to);
        to->held = from->held;
        to->free = from->free;
        to->granted = from->granted;
        to->reusable = from->reusable;
        to->leaving = from->leaving;
        to->lingering = from->lingering;
        to->quarantined = from->quarantined;
        to->retired = from->retired;
}

void status_to_wire(const struct status_report *from, Wire__StateBytes *bytes, Wire__Status *to)
{
        wire__status__init(to);
        bytes_to_wire(&from->bytes, bytes);
        to->backend = text(from->backend);
        to->state = text(from->state);
        to->bytes = bytes;
        to->pinned = from->pinned;
        to->pools = from->pools;
        to->clients = from->clients;
        to->buffers = from->buffers;
        to->grants = from->grants;
        to->refusals = from->refusals;
        to->waiting = from->waiting;
        to->lost_to_system = from->lost_to_system;
        to->moved = from->moved;
        to->uptime_ms = from->uptime_ns / NS_PER_MS;
        to->note = text(from->note);
}

/* What is not over takes a millisecond at least. */
static uint64_t ms_up(uint64_t ns)
{
        return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

/* What a user may have of whom no quota speaks by name; 0: anything. */
static uint64_t quota_of_each(const struct pool_settings *settings)
{
        for (size_t i = 0; i < settings->n_quotas; i++)
                if (settings->quotas[i].each && settings->quotas[i].bytes != QUOTA_NONE)
                        return settings->quotas[i].bytes;
        return 0;
}

void pool_to_wire(const struct pool_report *from, const char *backend, Wire__StateBytes *bytes,
                  Wire__Pool *to)
{
        wire__pool__init(to);
        bytes_to_wire(&from->bytes, bytes);
        to->pool = text(from->settings->name);
        to->backend = text(backend);
        to->first = from->settings->window.first;
        to->last = from->settings->window.last;
        to->page_size = from->settings->page_bytes;
        to->node = from->settings->node;
        to->size_min = from->settings->size_min_bytes;
        to->size_max = from->settings->size_max_bytes;
        to->bytes = bytes;
        to->largest_run = from->largest_run_bytes;
        to->pinned = from->pinned;
        to->state = text(from->state);
        to->lost_to_system = from->lost_to_system;
        to->allowed = from->allowed;
        to->note = text(from->note);
        to->goal = from->goal_bytes;
        to->spare = from->settings->spare_bytes;
        to->run_min = from->settings->run_min_bytes;
        to->taking = from->taking_bytes;
        to->taken = from->taken_bytes;
        to->held_aside = from->held_aside_bytes;
        to->draining = from->draining_bytes;
        to->waiting = from->waiting;
        to->hidden = from->settings->hidden;
        to->quota = quota_of_each(from->settings);
        to->claimed = from->claimed_bytes;
        to->claims_unused = from->unmet_bytes;
}

void limit_to_wire(const struct limit_report *from, Wire__Limit *to)
{
        wire__limit__init(to);
        to->pool = text(from->pool);
        to->whom = text(from->whom);
        to->limit = text(from->limit);
        to->set_by = text(from->set_by);
        to->most = from->most;
        to->used = from->used;
        to->counted = true;
}

void frame_to_wire(const struct frame_report *from, Wire__Frame *to)
{
        wire__frame__init(to);
        to->frame = frame_id(from->name);
        to->pool = text(from->pool);
        to->phys = from->phys;
        to->size = from->page_bytes;
        to->node = from->node;
        to->state = text(from->state);
        to->holder = text(from->kept_by);
        to->pinned = from->pinned;
        to->buffers = from->buffers;
        to->known = from->holder.known;
        to->client = text(from->holder.client);
        to->uid = from->holder.uid;
        to->note = text(from->note);
}

void buffer_to_wire(const struct buffer_report *from, Wire__Buffer *to)
{
        wire__buffer__init(to);
        to->buffer = from->id;
        to->label = text(from->label);
        to->client = text(from->holder.client);
        to->pid = from->holder.pid;
        to->uid = from->holder.uid;
        to->known = from->holder.known;
        to->mine = from->holder.mine;
        to->pool = text(from->pool);
        to->size = from->size_bytes;
        to->segments = from->segments;
        to->first = from->extent.first;
        to->last = from->extent.last;
        to->needs_below = from->needs_below;
        to->state = text(from->state);
        to->age_ms = from->age_ns / NS_PER_MS;
        to->hidden = from->hidden;
        to->note = text(from->note);
        to->name = text(from->name);
        to->shared = from->shared;
        to->holders = from->holders;
        to->lasting = from->lasting;
        to->quarantine_ms = ms_up(from->quarantine_ns);
}

void client_to_wire(const struct client_report *from, Wire__StateBytes *bytes, Wire__Client *to)
{
        wire__client__init(to);
        bytes_to_wire(&from->bytes, bytes);
        to->client = from->id;
        to->name = text(from->holder.client);
        to->pid = from->holder.pid;
        to->uid = from->holder.uid;
        to->known = from->holder.known;
        to->mine = from->holder.mine;
        to->buffers = from->buffers;
        to->bytes = bytes;
        to->waiting_since_ms = (from->waiting_ns + NS_PER_MS - 1) / NS_PER_MS; /* 0: it does not */
        to->waiting_for = from->waiting_bytes;
        to->age_ms = from->age_ns / NS_PER_MS;
        to->connected = from->connected;
        to->waiting = from->waiting;
        to->waiting_for_words = text(from->waiting_for);
        to->note = text(from->note);
        to->quarantine_ms = ms_up(from->quarantine_ns);
}

void extent_to_wire(const struct extent_report *from, Wire__Extent *to)
{
        wire__extent__init(to);
        to->first = from->range.first;
        to->last = from->range.last;
        to->pool = text(from->pool);
        to->state = text(from->state);
        to->draining = from->draining;
        to->page_size = from->page_bytes;
        to->free = from->free_bytes;
}

void former_to_wire(const struct former_report *from, Wire__FormerHolder *to)
{
        wire__former_holder__init(to);
        to->age_ms = from->age_ns / NS_PER_MS;
        to->known = from->known;
        if (!from->known)
                return;
        to->client = text(from->client);
        to->label = text(from->label);
        to->uid = from->uid;
}

void io_holder_to_wire(const struct io_holder *from, char pci[PCI_FUNCTION_BYTES],
                       Wire__IoHolder *to)
{
        wire__io_holder__init(to);
        to->known = from->known;
        to->client = text(from->client);
        to->label = text(from->label);
        to->device = text(from->device);
        if (from->has_pci)
                to->pci = text(pci_function_text(&from->pci, pci));
        to->uid = from->uid;
        to->pid = from->pid;
        to->buffer = from->buffer;
        to->size = from->size_bytes;
        to->offset = from->offset;
        to->part = (uint32_t)from->part;
        to->first = from->iova.first;
        to->last = from->iova.last;
        to->has_phys = from->has_phys;
        to->phys = from->phys;
        to->age_ms = from->age_ns / NS_PER_MS;
        to->pool = text(from->pool);
        to->state = text(from->state);
        to->page_size = from->page_bytes;
}

void blocker_to_wire(const struct blocker *from, Wire__Blocker *to)
{
        wire__blocker__init(to);
        to->buffer = from->buffer;
        to->client = text(from->holder.client);
        to->uid = from->holder.uid;
        to->known = from->holder.known;
        to->size = from->size_bytes;
        to->needs_below = from->needs_below;
}

static void bus_window_to_wire(const struct bus_window *from, Wire__BusWindow *to)
{
        wire__bus_window__init(to);
        to->cpu_first = from->cpu.first;
        to->dma_first = from->dma_first;
        to->length = range_size(from->cpu);
}

void sight_to_wire(const struct sight *from, struct sight_parts *parts, Wire__Device *to)
{
        const struct reach *reach = &from->reach;

        to->min_align_mask = from->min_align_mask;
        to->start_align = from->start_align_bytes;
        for (size_t i = 0; i < reach->count && !reach_is_all(reach); i++) {
                const struct view *view = &reach->views[i];
                Wire__BusWindow *window = &parts->windows[i];

                wire__bus_window__init(window);
                window->cpu_first = view->phys.first;
                window->dma_first = view->phys.first + view->dma_offset;
                window->length = range_size(view->phys);
                parts->pointers[i] = window;
                to->n_windows = i + 1;
        }
        to->windows = parts->pointers;
}

void device_to_wire(const struct device_settings *from, struct device_parts *parts,
                    Wire__DeviceRow *to)
{
        struct constraint limits = from->limits;

        wire__device_row__init(to);
        to->addr_max_from_sysfs = device_mask_last(from) < limits.window.last;
        if (to->addr_max_from_sysfs)
                limits.window.last = device_mask_last(from);
        limits.align_bytes = device_align_bytes(from);
        constraint_to_wire(&limits, from->nodes, &parts->limits);
        for (size_t i = 0; i < from->n_windows; i++) {
                bus_window_to_wire(&from->windows[i], &parts->windows[i]);
                parts->window_pointers[i] = &parts->windows[i];
        }
        to->device = text(from->name);
        to->limits = &parts->limits;
        to->min_align_mask = from->min_align_mask;
        to->granularity = from->granularity_bytes;
        to->n_windows = from->n_windows;
        to->windows = parts->window_pointers;
        to->pci = text(from->pci);
        to->missing = from->pci[0] && !from->facts.known;
        to->numa_node = from->facts.known ? from->facts.node : -1;
        to->iommu_group = from->facts.known ? from->facts.iommu_group : -1;
}
