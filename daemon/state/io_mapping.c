/* SPDX-License-Identifier: MIT */
/*
 * Owns what is remembered of a mapping. Everything that is needed when it ends is there from its
 * beginning, so that ending cannot fail. Invariant: a mapping with a buffer is that buffer's.
 */
#include "io_mapping.h"

#include "buffer.h"
#include "client.h"
#include "holding.h"
#include "macros.h"

#include <stdlib.h>
#include <string.h>

struct io_mapping *io_mapping_new(struct buffer *buffer, const struct io_tell *tell,
                                  const struct pci_function *pci)
{
        const struct holding *holding = buffer->holding;
        struct io_mapping *mapping;

        mapping = calloc(1, sizeof(*mapping) + tell->n_parts * sizeof(mapping->parts[0]));
        if (!mapping)
                return NULL;
        mapping->buffer = buffer;
        mapping->buffer_id = buffer->id;
        mapping->buffer_bytes = buffer->size_bytes;
        mapping->client_id = holding->client_id;
        mapping->uid = holding->uid;
        mapping->pid = holding->pid;
        mapping->space = tell->space;
        mapping->has_pci = pci;
        if (pci)
                mapping->pci = *pci;
        name_copy(mapping->device, sizeof(mapping->device), tell->device);
        memcpy(mapping->client, holding->name, sizeof(mapping->client));
        memcpy(mapping->label, buffer->label, sizeof(mapping->label));
        mapping->n_parts = tell->n_parts;
        for (size_t i = 0; i < tell->n_parts; i++) {
                mapping->parts[i].iova = tell->parts[i].iova;
                mapping->parts[i].offset = tell->parts[i].offset;
                mapping->parts[i].mapping = mapping;
        }
        return mapping;
}

void io_mapping_free(struct io_mapping *mapping)
{
        if (!mapping)
                return;
        free(mapping->runs);
        free(mapping);
}

void io_mapping_end(struct io_mapping *mapping, uint64_t until_ns)
{
        mapping->buffer->io = NULL;
        mapping->buffer = NULL;
        mapping->until_ns = until_ns;
}

void io_mapping_end_with_buffer(struct io_mapping *mapping, uint64_t until_ns)
{
        struct buffer *buffer = mapping->buffer;

        io_mapping_end(mapping, until_ns);
        if (buffer->n_runs > IO_RUNS_KEPT_MAX)
                return;
        mapping->n_runs = buffer->n_runs;
        mapping->runs = STEAL(buffer->runs);
}

bool io_mapping_phys(const struct io_mapping *mapping, uint64_t offset, uint64_t *ret)
{
        const struct range *runs = mapping->buffer ? mapping->buffer->runs : mapping->runs;
        size_t n = mapping->buffer ? mapping->buffer->n_runs : mapping->n_runs;

        for (size_t i = 0; i < n; i++) {
                if (offset < range_size(runs[i])) {
                        *ret = runs[i].first + offset;
                        return true;
                }
                offset -= range_size(runs[i]);
        }
        return false;
}

/* Whether a name is in a list of names with commas between them. */
static bool list_has(const char *list, const char *name)
{
        const size_t length = strlen(name);

        while (strncmp(list, name, length) != 0 || (list[length] && list[length] != ',')) {
                list = strchr(list, ',');
                if (!list)
                        return false;
                list++;
        }
        return true;
}

bool io_mapping_is_for(const struct io_mapping *mapping, const char *device)
{
        struct pci_function pci;

        if (list_has(mapping->device, device))
                return true;
        return mapping->has_pci && pci_function_parse(device, &pci, NULL) &&
               pci_function_matches(&mapping->pci, &pci);
}
