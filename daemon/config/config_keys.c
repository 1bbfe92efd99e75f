/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of keys. The parser is made from it, and a test compares conf/pard.conf with it:
 * a key that is not here does not exist. Refuses nothing itself.
 */
#include "config.h"

#include "macros.h"

static const struct config_key keys[] = {
        { "", "socket", false },
        { "", "mode", false },
        { "", "group", false },
        { "", "admin_group", false },
        { "", "metrics", false },
        { "", "user", false },
        { "", "log_level", false },
        { "", "backend", false },
        { "", "hugepages", false },
        { "", "carveout", true },
        { "", "keep_free", false },
        { "", "verify", false },
        { "", "threads", false },
        { "", "max_clients", false },
        { "", "max_buffers", false },
        { "", "max_waiting", false },
        { "", "devices_dir", false },
        { "", "ids", true },
        { "pool", "page_size", false },
        { "pool", "size_min", false },
        { "pool", "size_max", false },
        { "pool", "quota", false },
        { "pool", "spare", false },
        { "pool", "shrink_delay", false },
        { "pool", "run_min", false },
        { "pool", "source", false },
        { "pool", "below", false },
        { "pool", "addr_min", false },
        { "pool", "addr_max", false },
        { "pool", "harvest_max", false },
        { "pool", "node", false },
        { "pool", "spill", false },
        { "pool", "pin", false },
        { "pool", "isolation", false },
        { "pool", "handout", false },
        { "pool", "addresses", false },
        { "pool", "reuse_delay", false },
        { "pool", "quarantine", false },
        { "pool", "allow", true },
        { "device", "dma_bits", false },
        { "device", "below", false },
        { "device", "addr_min", false },
        { "device", "addr_max", false },
        { "device", "align", false },
        { "device", "boundary", false },
        { "device", "max_segments", false },
        { "device", "max_segment_bytes", false },
        { "device", "min_align_mask", false },
        { "device", "granularity", false },
        { "device", "node", false },
        { "device", "nodes", true },
        { "device", "pci", false },
        { "bus_window", "cpu_first", false },
        { "bus_window", "dma_first", false },
        { "bus_window", "length", false },
        { "pci", "dma_mask_bits", false },
        { "pci", "numa_node", false },
        { "pci", "iommu_group", false },
        { "sim", "seed", false },
        { "sim", "fail_call", false },
        { "sim", "fail_errno", false },
        { "sim", "snatch_every", false },
        { "sim", "unpinned", false },
        { "sim", "order", false },
        { "sim", "free", false },
        { "sim", "delay", false },
        { "extent", "first", false },
        { "extent", "last", false },
        { "extent", "size", false },
        { "extent", "page_size", false },
        { "extent", "node", false },
};

const struct config_key *config_keys(size_t *ret_count)
{
        *ret_count = ARRAY_SIZE(keys);
        return keys;
}
