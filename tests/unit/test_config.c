/* SPDX-License-Identifier: MIT */
/*
 * The configuration: what is read from good texts, and the exact sentence for each bad one.
 */
#include "config.h"

#include "config_address.h"
#include "macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

#define POOL "pool \"any\" { size_min = 2M }\n"

#define CARVEOUT "carveout = \"/a\"\n"

static const struct {
        const char *name;
        const char *text;
        const char *error;
} bad_texts[] = {
        { "no pool at all", "threads = 2\n\n", "t:3: there is no pool: pard would hold no memory" },
        { "a key without a name", POOL "pool \"a\" {\n\"\" = 3\n}\n",
          "t:2: a key without a name, here or in the section that starts here" },
        { "an unknown key", POOL "colour = \"red\"\n", "t:2: there is no key \"colour\"" },
        { "a key of another section", "pool \"any\" {\n  dma_bits = 32\n}\n",
          "t:2: pool \"any\": there is no key \"dma_bits\" here: it belongs into \"device\"" },
        { "a key of a section outside of any", POOL "quarantine = 5s\n",
          "t:2: there is no key \"quarantine\" here: it belongs into \"pool\"" },
        { "a key of the file in a section", "sim {\n  threads = 2\n}\n",
          "t:2: sim: there is no key \"threads\" here: it belongs outside of all sections" },
        { "a key that is written wrong", "pool \"any\" {\n  size_mni = 2M\n}\n",
          "t:2: pool \"any\": there is no key \"size_mni\": is \"size_min\" meant?" },
        { "a key with a colon", "pool \"any\" {\n  size_min: 2M\n}\n",
          "t:2: pool \"any\": there is no key \"size_min:\": is \"size_min\" meant?" },
        { "a section that is written wrong", POOL "devise \"d\" {\n}\n",
          "t:2: there is no key \"devise\": is \"device\" meant?" },
        { "a short key that is like many", "sim {\n extent \"a\" {\n  sz = 2M\n }\n}\n",
          "t:3: extent \"a\": there is no key \"sz\"" },
        { "a key that is too long for any", POOL "threads_threads_threads_threads = 2\n",
          "t:2: there is no key \"threads_threads_threads_threads\"" },
        { "the line of an error after comments", "# one\n// two\n/* three\n four */\nx = 1\n" POOL,
          "t:5: there is no key \"x\"" },
        { "a key that is set twice", "threads = 2\nthreads = 3\n" POOL,
          "t:2: threads is set twice" },
        { "a list that is set twice",
          "pool \"a\" {\n size_min = 2M\n allow = {\"uid:1\"}\n allow = {\"uid:2\"}\n}\n",
          "t:4: allow is set twice" },
        { "a section that is there twice", POOL "sim {\n}\nsim {\n}\n", "t:5: sim is set twice" },
        { "a duplicate pool", POOL "pool \"any\" { size_min = 4M }\n",
          "t:2: found duplicate title 'any'" },
        { "a duplicate device", POOL "device \"d\" {\n}\ndevice \"d\" {\n}\n",
          "t:4: found duplicate title 'd'" },
        { "an open section", POOL "\npool \"b\" {\n size_min = 2M\n",
          "t:3: this brace is never closed" },
        { "an open comment", POOL "/* \n\n",
          "t:2: this comment is never closed: \"*/\" is missing" },
        { "an open quote", POOL "socket = \"/x\nthreads = 2\n",
          "t:2: a quote is not closed on its line" },
        { "a brace too many", POOL "}\n", "t:2: a closing brace without an opening one" },
        { "a reference to the environment", POOL "socket = \"${HOME}\"\n",
          "t:2: \"${\": a configuration does not refer to the environment" },
        { "a control character", POOL "socket = \"\x01\"\n", "t:2: a control character" },

        { "ids of nothing", "ids = { \"elf:x=1\" }\n" POOL,
          "t:1: ids: \"elf:x=1\" is neither \"group:NAME=NUMBER\" nor "
          "\"user:NAME=NUMBER:NUMBER\"" },
        { "ids without a name", "ids = { \"group:=1\" }\n" POOL,
          "t:1: ids: \"group:=1\" is neither \"group:NAME=NUMBER\" nor "
          "\"user:NAME=NUMBER:NUMBER\"" },
        { "ids of a user without a group", "ids = { \"user:x=1\" }\n" POOL,
          "t:1: ids: \"user:x=1\" is neither \"group:NAME=NUMBER\" nor "
          "\"user:NAME=NUMBER:NUMBER\"" },
        { "ids of a user without a number", "ids = { \"user:x=:1\" }\n" POOL,
          "t:1: ids: \"user:x=:1\" is neither \"group:NAME=NUMBER\" nor "
          "\"user:NAME=NUMBER:NUMBER\"" },
        { "a group that ids do not have", "ids = { \"group:x=1\" }\ngroup = root\n" POOL,
          "t:2: group: there is no group \"root\" here" },
        { "a user that ids do not have", "ids = { \"group:root=0\" }\nuser = root\n" POOL,
          "t:2: user: there is no user \"root\" here" },
        { "a relative socket", "socket = \"pard.sock\"\n" POOL,
          "t:1: socket: \"pard.sock\" is no absolute path" },
        { "a socket path that is too long",
          "socket = \"/123456789/123456789/123456789/123456789/123456789/123456789/123456789"
          "/123456789/123456789/123456789/1234567\"\n" POOL,
          "t:1: socket: the path is longer than 107 bytes" },
#define NO_ADDRESS                                                                                 \
        " is neither an absolute path of at most 107 bytes nor an address of this machine alone, " \
        "\"127.0.0.1:PORT\" or \"[::1]:PORT\""
        { "metrics for everybody", "metrics = \"0.0.0.0:9618\"\n" POOL,
          "t:1: metrics: \"0.0.0.0:9618\"" NO_ADDRESS },
        { "metrics at a name", "metrics = \"localhost:9618\"\n" POOL,
          "t:1: metrics: \"localhost:9618\"" NO_ADDRESS },
        { "metrics at a relative path", "metrics = \"metrics.sock\"\n" POOL,
          "t:1: metrics: \"metrics.sock\"" NO_ADDRESS },
        { "metrics at no port", "metrics = \"127.0.0.1:0\"\n" POOL,
          "t:1: metrics: \"127.0.0.1:0\"" NO_ADDRESS },
        { "metrics at a port that cannot be", "metrics = \"[::1]:65536\"\n" POOL,
          "t:1: metrics: \"[::1]:65536\"" NO_ADDRESS },
        { "metrics at half a port", "metrics = \"[::1]:9618x\"\n" POOL,
          "t:1: metrics: \"[::1]:9618x\"" NO_ADDRESS },
        { "metrics among the clients", "metrics = \"/run/pard/pard.sock\"\n" POOL,
          "t:1: metrics: \"/run/pard/pard.sock\" is where clients connect" },
        { "a mode that is not octal", "mode = \"0680\"\n" POOL,
          "t:1: mode: \"0680\" is no octal mode, such as 0660" },
        { "an unknown group", "group = \"no-such-group\"\n" POOL,
          "t:1: group: there is no group \"no-such-group\" here" },
        { "an unknown admin group", "admin_group = \"no-such-group\"\n" POOL,
          "t:1: admin_group: there is no group \"no-such-group\" here" },
        { "an unknown user", "user = \"no-such-user\"\n" POOL,
          "t:1: user: there is no user \"no-such-user\" here" },
        { "an unknown backend", "backend = \"magic\"\n" POOL,
          "t:1: backend: \"magic\" is neither \"hugetlb\" nor \"sim\"" },
        { "an unknown level", "log_level = \"loud\"\n" POOL,
          "t:1: log_level: \"loud\" is neither \"error\", \"warning\", \"notice\", \"info\" nor "
          "\"debug\"" },
        { "a wrong unit of size", "keep_free = \"2s\"\n" POOL,
          "t:1: keep_free: \"2s\" is no number of bytes, such as 4096, 64K, 2M, 1G, 1T or "
          "0x1000" },
        { "a size of more than 64 bits", "keep_free = \"16777216T\"\n" POOL,
          "t:1: keep_free: \"16777216T\" is more than 64 bits" },
        { "a duration without unit", "verify = 10\n" POOL,
          "t:1: verify: \"10\" is no duration, such as 500us, 20ms, 5s, 2m or 1h" },
        { "a duration that is too long", "verify = \"9999999999999h\"\n" POOL,
          "t:1: verify: \"9999999999999h\" is too long" },
        { "no threads", "threads = 0\n" POOL, "t:1: threads: \"0\" is no number from 1 to 64" },
        { "a negative number", "max_clients = -1\n" POOL,
          "t:1: max_clients: \"-1\" is no number from 1 to 65536" },

        { "a pool without size", "pool \"a\" {\n}\n",
          "t:2: pool \"a\": size_min is missing: how much the pool holds" },
        { "an empty pool", "pool \"a\" { size_min = 0 }\n",
          "t:1: pool \"a\": size_min: a pool holds at least one page" },
        { "a size of broken pages", "pool \"a\" {\n page_size = 2M\n size_min = 3M\n}\n",
          "t:3: pool \"a\": size_min: \"3M\" is no multiple of page_size (2M)" },
        { "a maximum below the minimum", "pool \"a\" {\n size_max = 2M\n size_min = 4M\n}\n",
          "t:2: pool \"a\": size_max: \"2M\" is less than size_min (4M)" },
        { "a stock above the maximum", "pool \"a\" {\n size_min = 4M\n spare = 6M\n}\n",
          "t:3: pool \"a\": spare: \"6M\" is more than the pool may hold" },
        { "a run of broken pages", "pool \"a\" {\n size_min = 8M\n run_min = 3M\n}\n",
          "t:3: pool \"a\": run_min: \"3M\" is no multiple of page_size (2M)" },
        { "a run that is longer than the pool",
          "pool \"a\" {\n run_min = 16M\n size_min = 8M\n size_max = 14M\n}\n",
          "t:2: pool \"a\": run_min: \"16M\" is more than the pool may hold" },
        { "a run that is longer than the range",
          "pool \"a\" {\n below = 8M\n size_min = 8M\n size_max = 16M\n run_min = 10M\n}\n",
          "t:5: pool \"a\": run_min: \"10M\" does not fit into the pool's range, which has room "
          "for 8M in whole pages" },
        { "a stock of broken pages", "pool \"a\" {\n size_min = 8M\n spare = 1M\n}\n",
          "t:3: pool \"a\": spare: \"1M\" is no multiple of page_size (2M)" },
        { "a harvest of broken pages",
          "pool \"a\" {\n below = 4G\n size_min = 8M\n harvest_max = 1G1\n}\n",
          "t:4: pool \"a\": harvest_max: \"1G1\" is no number of bytes, such as 4096, 64K, 2M, 1G, "
          "1T or 0x1000" },
        { "a harvest of less than a page",
          "pool \"a\" {\n below = 4G\n size_min = 8M\n harvest_max = 4K\n}\n",
          "t:4: pool \"a\": harvest_max: \"4K\" is no multiple of page_size (2M)" },
        { "an unknown source", "pool \"a\" {\n size_min = 8M\n source = \"sky\"\n}\n",
          "t:3: pool \"a\": source: \"sky\" is neither \"any\", \"demote\" nor \"carveout\"" },
        { "a delay of shrinking without unit",
          "pool \"a\" {\n size_min = 8M\n shrink_delay = 5\n}\n",
          "t:3: pool \"a\": shrink_delay: \"5\" is no duration, such as 500us, 20ms, 5s, 2m or "
          "1h" },
        { "a page size that is no power of two",
          "pool \"a\" {\n page_size = 3M\n size_min = 3M\n}\n",
          "t:2: pool \"a\": page_size: \"3M\" is no power of two" },
        { "two highest addresses",
          "pool \"a\" {\n below = 4G\n addr_max = 0xffffffff\n size_min = 2M\n}\n",
          "t:3: pool \"a\": addr_max: below already sets the highest address: give one of them" },
        { "an exclusive addr_max", "pool \"a\" {\n addr_max = 4G\n size_min = 2M\n}\n",
          "t:2: pool \"a\": addr_max: \"4G\" is not the last byte of a 4 KiB page: it is "
          "inclusive; meant below = \"4G\"?" },
        { "a crooked below", "pool \"a\" { below = 5000 size_min = 2M }\n",
          "t:1: pool \"a\": below: \"5000\" is no multiple of 4K above 0" },
        { "below nothing", "pool \"a\" { below = 0 size_min = 2M }\n",
          "t:1: pool \"a\": below: \"0\" is no multiple of 4K above 0" },
        { "a crooked addr_min", "pool \"a\" { addr_min = 1 size_min = 2M }\n",
          "t:1: pool \"a\": addr_min: \"1\" is no multiple of 4K" },
        { "an empty range", "pool \"a\" {\n below = 1G\n addr_min = 1G\n size_min = 2M\n}\n",
          "t:3: pool \"a\": addr_min: the range is empty: 0x40000000 is above its last address "
          "0x3fffffff" },
        { "a range that is too small",
          "pool \"a\" {\n below = 5M\n addr_min = 1M\n size_min = 4M\n}\n",
          "t:4: pool \"a\": size_min: \"4M\" does not fit into the pool's range, which has room "
          "for 2M in whole pages" },
        { "a range without a whole page", "pool \"a\" { below = 1M size_min = 2M }\n",
          "t:1: pool \"a\": size_min: \"2M\" does not fit into the pool's range, which has room "
          "for 0 in whole pages" },
        { "a node that cannot be", "pool \"a\" { node = 64 size_min = 2M }\n",
          "t:1: pool \"a\": node: \"64\" is no number from 0 to 63" },
        { "no spill without a range", "pool \"a\" { spill = no size_min = 2M }\n",
          "t:1: pool \"a\": spill: only a pool with an address range can keep requests without "
          "one out" },
        { "something between yes and no", "pool \"a\" { spill = maybe size_min = 2M }\n",
          "t:1: pool \"a\": spill: \"maybe\" is neither yes nor no" },
        { "an unknown pin", "pool \"a\" { pin = \"glue\" size_min = 2M }\n",
          "t:1: pool \"a\": pin: \"glue\" is neither \"required\" nor \"optional\"" },
        { "an unknown isolation", "pool \"a\" { isolation = \"group\" size_min = 2M }\n",
          "t:1: pool \"a\": isolation: \"group\" is neither \"session\" nor \"uid\"" },
        { "an unknown handout", "pool \"a\" { handout = \"pages\" size_min = 2M }\n",
          "t:1: pool \"a\": handout: \"pages\" is neither \"frames\" nor \"dmabuf\"" },
        { "a dma-buf of a carve-out",
          "pool \"a\" { source = carveout handout = dmabuf size_min = 2M }\n",
          "t:1: pool \"a\": handout: the kernel makes no dma-buf of memory of a carve-out" },
        { "an unknown group in allow",
          "pool \"a\" { size_min = 2M allow = { \"gid:5\", \"group:nobody-here\" } }\n",
          "t:1: pool \"a\": allow: \"group:nobody-here\" does not exist here" },
        { "a quota of nobody",
          "pool \"a\" {\n size_min = 2M\n quota \"user:nobody-here\" {\n}\n}\n",
          "t:4: quota \"user:nobody-here\": it does not exist here" },
        { "a quota of something else", "pool \"a\" {\n size_min = 2M\n quota \"radio\" {\n}\n}\n",
          "t:4: quota \"radio\": it is none of \"group:NAME\", \"user:NAME\", \"gid:NUMBER\", "
          "\"uid:NUMBER\"" },
        { "two quotas of one",
          "pool \"a\" {\n size_min = 2M\n quota \"user:root\" {\n}\n quota \"uid:0\" {\n}\n}\n",
          "t:6: quota \"uid:0\": quota \"user:root\" is of the same" },
        { "a quota that is there twice",
          "pool \"a\" {\n size_min = 2M\n quota \"uid:1\" {\n}\n quota \"uid:1\" {\n}\n}\n",
          "t:5: found duplicate title 'uid:1'" },
        { "too many frames",
          "pool \"a\" {\n size_min = 2M\n quota \"uid:1\" {\n frames = 4294967296\n}\n}\n",
          "t:4: quota \"uid:1\": frames: \"4294967296\" is no number from 0 to 4294967295" },
        { "a quota of nobody in particular", "pool \"a\" {\n size_min = 4M\n quota = 6M\n}\n",
          "t:3: missing title for section 'quota'" },
        { "a quota outside a pool", POOL "quota \"uid:1\" {\n}\n",
          "t:2: there is no key \"quota\" here: it belongs into \"pool\"" },
        { "a claim of each user", "pool \"a\" {\n size_min = 2M\n claim \"user:*\" {\n}\n}\n",
          "t:4: claim \"user:*\": it does not exist here" },
        { "a claim of a part of a page",
          "pool \"a\" {\n size_min = 4M\n claim \"uid:1\" {\n bytes = 3M\n}\n}\n",
          "t:4: claim \"uid:1\": bytes: \"3M\" is no multiple of page_size (2M)" },
        { "claims beyond size_min",
          "pool \"a\" {\n size_min = 4M\n size_max = 1G\n claim \"uid:1\" {\n bytes = 4M\n}\n"
          " claim \"gid:1\" {\n bytes = 2M\n}\n}\n",
          "t:8: claim \"gid:1\": bytes: all claims together are more than size_min (4M), which is "
          "what the pool always holds" },
        { "two claims of one",
          "pool \"a\" {\n size_min = 4M\n claim \"gid:0\" {\n}\n claim \"group:root\" {\n}\n}\n",
          "t:6: claim \"group:root\": claim \"gid:0\" is of the same" },
        { "a claim beyond the quota in bytes",
          "pool \"a\" {\n size_min = 8M\n claim \"uid:1\" {\n bytes = 8M\n}\n quota \"uid:1\" {\n"
          " bytes = 6M\n}\n}\n",
          "t:4: claim \"uid:1\": bytes: \"8M\" is more than the quota of the same allows" },
        { "a claim beyond the quota in frames",
          "pool \"a\" {\n size_min = 8M\n quota \"uid:1\" {\n frames = 3\n}\n claim \"uid:1\" {\n"
          " bytes = 8M\n}\n}\n",
          "t:7: claim \"uid:1\": bytes: \"8M\" is more than the quota of the same allows" },
        { "a malformed entry of allow", "pool \"a\" { size_min = 2M allow = { \"radio\" } }\n",
          "t:1: pool \"a\": allow: \"radio\" is none of \"group:NAME\", \"user:NAME\", "
          "\"gid:NUMBER\", \"uid:NUMBER\"" },
        { "a pool's name with a blank", "pool \"a b\" { size_min = 2M }\n",
          "t:1: pool \"a b\": a name is 1 to 63 letters, digits and \".:_-\"" },
        { "a pool's name that is too long",
          "pool \"0123456789012345678901234567890123456789012345678901234567890123\" {}\n",
          "t:1: pool \"0123456789012345678901234567890123456789012345678901234567890123\": a "
          "name is 1 to 63 letters, digits and \".:_-\"" },
        { "more pages than can be held", "pool \"a\" { size_min = 4T page_size = 4K }\n",
          "t:2: the pools have 1073741824 pages together, and at most 524288 can be held: take "
          "larger pages" },

        { "too few address lines", POOL "device \"d\" { dma_bits = 8 }\n",
          "t:2: device \"d\": dma_bits: \"8\" is no number from 12 to 64" },
        { "address lines and a limit", POOL "device \"d\" {\n below = 4G\n dma_bits = 32\n}\n",
          "t:4: device \"d\": dma_bits: below already sets the highest address: give one of "
          "them" },
        { "an alignment that is no power of two", POOL "device \"d\" { align = 12K }\n",
          "t:2: device \"d\": align: \"12K\" is no power of two" },
        { "a boundary below a page", POOL "device \"d\" { boundary = 512 }\n",
          "t:2: device \"d\": boundary: \"512\" is less than 4K" },
        { "no segments", POOL "device \"d\" { max_segments = 0 }\n",
          "t:2: device \"d\": max_segments: \"0\" is no number from 1 to 4294967294" },
        { "segments below the alignment",
          POOL "device \"d\" {\n align = 64K\n max_segment_bytes = 4K\n}\n",
          "t:4: device \"d\": max_segment_bytes: \"4K\" is less than align (64K)" },
        { "a mask with a hole", POOL "device \"d\" { min_align_mask = 0xf0f }\n",
          "t:2: device \"d\": min_align_mask: \"0xf0f\" is no power of two less one, such as "
          "0xfff" },
        { "a mask of more than a page", POOL "device \"d\" {\n min_align_mask = 0x3fffff\n}\n",
          "t:3: device \"d\": min_align_mask: pool any has pages of 2M only" },
        { "a granularity of more than a page", POOL "device \"d\" { granularity = 4M }\n",
          "t:2: device \"d\": granularity: pool any has pages of 2M only" },
        { "segments below the granularity",
          POOL "device \"d\" { granularity = 8K max_segment_bytes = 4K }\n",
          "t:2: device \"d\": max_segment_bytes: \"4K\" is less than align (8K)" },
        { "a node and nodes", POOL "device \"d\" {\n node = 1\n nodes = { 1 }\n}\n",
          "t:4: device \"d\": nodes: node is set already: give one of them" },
        { "no PCI address", POOL "device \"d\" { pci = \"1:0.0\" }\n",
          "t:2: device \"d\": pci: \"1:0.0\" is no PCI address, such as 0000:01:00.0" },
        { "another PCI address than its name",
          POOL "device \"0000:01:00.0\" { pci = \"0000:02:00.0\" }\n",
          "t:2: device \"0000:01:00.0\": pci: \"0000:02:00.0\" is not the address that the device "
          "is named by" },
        { "facts about no PCI address", POOL "pci \"nvme0\" { dma_mask_bits = 64 }\n",
          "t:2: pci \"nvme0\": that is no PCI address, such as 0000:01:00.0" },
        { "facts that cannot be", POOL "pci \"0000:01:00.0\" { dma_mask_bits = 65 }\n",
          "t:2: pci \"0000:01:00.0\": dma_mask_bits: \"65\" is no number from 1 to 64" },
#define WINDOW(cpu, dma, length) \
        " bus_window { cpu_first = " #cpu " dma_first = " #dma " length = " #length " }\n"
        { "half a window", POOL "device \"d\" {\n bus_window { cpu_first = 0 length = 4K }\n}\n",
          "t:3: bus_window: dma_first is missing" },
        { "a crooked window", POOL "device \"d\" {\n" WINDOW(0, 5000, 4K) "}\n",
          "t:3: bus_window: dma_first: \"5000\" is no multiple of 4K" },
        { "an empty window", POOL "device \"d\" {\n" WINDOW(0, 0, 0) "}\n",
          "t:3: bus_window: length: \"0\" from there on is no range" },
        { "a window that wraps", POOL "device \"d\" {\n" WINDOW(0, 0xfffffffffffff000, 8K) "}\n",
          "t:3: bus_window: length: \"8K\" from there on is no range" },
        { "windows that overlap in memory",
          POOL "device \"d\" {\n" WINDOW(0, 0, 8K) WINDOW(4K, 1M, 8K) "}\n",
          "t:4: bus_window: cpu_first: overlaps bus_window 1 of this device" },
        { "windows that overlap on the bus",
          POOL "device \"d\" {\n" WINDOW(0, 0, 8K) WINDOW(1M, 4K, 8K) "}\n",
          "t:4: bus_window: dma_first: overlaps bus_window 1 of this device" },
        { "a window that moves what is aligned",
          POOL "device \"d\" {\n align = 64K\n" WINDOW(1G, 4K, 1G) "}\n",
          "t:4: bus_window: dma_first: it differs from cpu_first by no multiple of the device's "
          "alignment (64K)" },
        { "a window that moves boundaries",
          POOL "device \"d\" {\n boundary = 64K\n" WINDOW(1G, 4K, 1G) "}\n",
          "t:4: bus_window: dma_first: it differs from cpu_first by no multiple of the device's "
          "boundary (64K)" },
        { "too many windows",
          POOL "device \"d\" {\n" WINDOW(0, 0, 4K) WINDOW(1M, 1M, 4K) WINDOW(2M, 2M, 4K)
                  WINDOW(3M, 3M, 4K) WINDOW(4M, 4M, 4K) WINDOW(5M, 5M, 4K) WINDOW(6M, 6M, 4K)
                          WINDOW(7M, 7M, 4K) WINDOW(8M, 8M, 4K) "}\n",
          "t:11: bus_window: there are 9 of them, and at most 8 can be" },
        { "a node of a device that cannot be", POOL "device \"d\" { nodes = { 1, x } }\n",
          "t:2: device \"d\": nodes: \"x\" is no number from 0 to 63" },

        { "an invented machine without memory", "backend = \"sim\"\n" POOL,
          "t:1: backend: \"sim\" needs a sim section with an extent: the invented memory" },
        { "overlapping extents",
          "sim {\n extent \"a\" { first = 0 size = 4M }\n extent \"b\" { first = 2M size = 4M }\n"
          "}\n" POOL,
          "t:3: extent \"b\": first: overlaps extent \"a\"" },
        { "an extent without a length", "sim {\n extent \"a\" { first = 0 }\n}\n" POOL,
          "t:2: extent \"a\": give either last or size" },
        { "an extent with two lengths",
          "sim {\n extent \"a\" { first = 0 size = 2M last = 0x1fffff }\n}\n" POOL,
          "t:2: extent \"a\": give either last or size" },
        { "an extent that wraps",
          "sim {\n extent \"a\" { first = 0xffffffffffe00000 size = 4M }\n}\n" POOL,
          "t:2: extent \"a\": size: \"4M\" from there on is no range" },
        { "an extent that ends before it starts",
          "sim {\n extent \"a\" { first = 4M last = 0x1fffff }\n}\n" POOL,
          "t:2: extent \"a\": last: \"0x1fffff\" is below first (4M)" },
        { "an extent of broken pages", "sim {\n extent \"a\" { first = 0 size = 3M }\n}\n" POOL,
          "t:2: extent \"a\": size: \"3M\" does not end with a whole page" },
        { "an order that the invented machine does not know",
          "sim {\n order = \"random\"\n}\n" POOL,
          "t:2: sim: order: \"random\" is neither \"wish\" nor \"blind\"" },
        { "a pool of parts of pages that the invented machine has not",
          "backend = sim\nsim { extent \"a\" { first = 0 size = 4M } }\n"
          "pool \"a\" {\n size_min = 2M\n source = demote\n}\n",
          "t:5: pool \"a\": source: no extent of sim has pages of more than 2M" },
        { "a pool of pages that the invented machine has not",
          "backend = sim\nsim { extent \"a\" { first = 0 size = 4M } }\n"
          "pool \"a\" { page_size = 4K size_min = 4K }\n",
          "t:3: pool \"a\": page_size: no extent of sim has pages of 4K" },

        { "a carve-out whose place is relative", "carveout = { \"/a\", \"b\" }\n" POOL,
          "t:1: carveout: \"b\" is no absolute path of a directory" },
        { "a carve-out beside invented memory",
          "backend = sim\ncarveout = \"/a\"\nsim { extent \"a\" { first = 0 size = 4M } }\n" POOL,
          "t:2: carveout: real memory goes only with backend = \"hugetlb\"" },
        { "a pool of a carve-out that there is not",
          "pool \"a\" {\n source = carveout\n size_min = 4K }\n",
          "t:2: pool \"a\": source: \"carveout\" needs the key carveout: where that memory is" },
        { "a carve-out of hugepages",
          CARVEOUT "pool \"a\" {\n source = carveout\n page_size = 2M\n size_min = 2M }\n",
          "t:4: pool \"a\": page_size: \"2M\": pages of a carve-out have 4K" },
        { "small pages from elsewhere than the carve-out",
          CARVEOUT "pool \"a\" {\n page_size = 4K\n size_min = 2M }\n",
          "t:3: pool \"a\": page_size: \"4K\": such pages come only with source = \"carveout\"" },
        { "a harvest in a carve-out",
          CARVEOUT "pool \"a\" {\n source = carveout\n harvest_max = 8K\n size_min = 2M }\n",
          "t:4: pool \"a\": harvest_max: pages of a carve-out lie where they lie: nothing else is "
          "held" },
};

static void test_config_says_what_is_wrong(void **state)
{
        int failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad_texts); i++) {
                char error[512] = "no error";
                struct config *config = NULL;
                int r;

                r = config_load(bad_texts[i].text, "t", &config, error, sizeof(error));
                if (r == -EINVAL && !config && strcmp(error, bad_texts[i].error) == 0)
                        continue;
                print_error("%s: got %d, \"%s\"\n  instead of \"%s\"\n", bad_texts[i].name, r,
                            error, bad_texts[i].error);
                failed++;
                config_free(config);
        }
        assert_int_equal(failed, 0);
}

static struct config *load(const char *text)
{
        struct config *config = NULL;
        char error[512] = "";

        if (config_load(text, "t", &config, error, sizeof(error)))
                fail_msg("%s", error);
        return config;
}

static void test_config_has_defaults(void **state)
{
        struct config *config = load("pool \"any\" { size_min = 64M }");
        const struct pool_settings *pool = &config->pools[0];

        (void)state;
        assert_string_equal(config->socket_path, "/run/pard/pard.sock");
        assert_int_equal(config->socket_mode, 0660);
        assert_string_equal(config->user_name, "pard");
        assert_int_equal(config->log_level, LOG_INFO);
        assert_int_equal(config->backend, BACKEND_HUGETLB);
        assert_string_equal(config->state.backend, "hugetlb");
        assert_true(config->reserve);
        assert_int_equal(config->keep_free_bytes, 2 * GiB);
        assert_int_equal(config->verify_ns, 10 * NS_PER_S);
        assert_int_equal(config->threads, 4);
        assert_int_equal(config->state.n_devices, 0);
        assert_int_equal(config->state.n_pools, 1);
        assert_ptr_equal(config->state.pools, pool);
        assert_string_equal(pool->name, "any");
        assert_false(pool->limited);
        assert_true(pool->spill);
        assert_true(pool->pin_required);
        assert_int_equal(pool->page_bytes, 2 * MiB);
        assert_int_equal(pool->size_min_bytes, 64 * MiB);
        assert_int_equal(pool->size_max_bytes, 64 * MiB);
        assert_int_equal(pool->n_quotas, 0);
        assert_int_equal(pool->n_claims, 0);
        assert_int_equal(pool->spare_bytes, 0);
        assert_int_equal(pool->run_min_bytes, 0);
        assert_int_equal(pool->source, SOURCE_ANY);
        assert_int_equal(pool->harvest_max_bytes, 0);
        assert_int_equal(pool->shrink_delay_ns, 30 * NS_PER_S);
        assert_null(config->metrics);
        assert_int_equal(pool->node, NODE_ANY);
        assert_int_equal(pool->isolation, ISOLATE_SESSION);
        assert_int_equal(pool->handout, HANDOUT_FRAMES);
        assert_false(pool->hidden);
        assert_int_equal(pool->reuse_delay_ns, NS_PER_S);
        assert_int_equal(pool->quarantine_ns, 5 * NS_PER_S);
        assert_false(pool->quarantine_is_max);
        assert_int_equal(pool->n_allow, 0);
        assert_int_equal(config_frames(config), 32);
        config_free(config);
}

static void test_config_reads_quotas_and_claims(void **state)
{
        struct config *config = load("max_clients = 7\n"
                                     "pool \"a\" { size_min = 64M\n"
                                     "quota \"group:root\" { bytes = 3M frames = 5 buffers = 0 }\n"
                                     "quota \"user:*\" { buffers = 7 }\n"
                                     "claim \"uid:1000\" { bytes = 62M }\n"
                                     "claim \"group:root\" { bytes = 2M } }\n"
                                     "pool \"b\" { size_min = 2M }");
        const struct pool_settings *pool = &config->pools[0];

        (void)state;
        assert_int_equal(config->state.max_clients_per_user, 4);
        assert_int_equal(pool->n_quotas, 2);
        assert_string_equal(pool->quotas[0].name, "group:root");
        assert_true(pool->quotas[0].who.is_group && !pool->quotas[0].each);
        assert_int_equal(pool->quotas[0].bytes, 3 * MiB);
        assert_int_equal(pool->quotas[0].frames, 5);
        assert_int_equal(pool->quotas[0].buffers, 0);
        assert_true(pool->quotas[1].each);
        assert_true(pool->quotas[1].bytes == QUOTA_NONE && pool->quotas[1].frames == QUOTA_NONE);
        assert_int_equal(pool->quotas[1].buffers, 7);
        assert_int_equal(pool->n_claims, 2);
        assert_true(!pool->claims[0].who.is_group && pool->claims[0].who.id == 1000);
        assert_int_equal(pool->claims[0].bytes, 62 * MiB);
        assert_int_equal(pool->claims[1].bytes, 2 * MiB);
        assert_int_equal(config->pools[1].n_quotas + config->pools[1].n_claims, 0);
        config_free(config);
}

static void test_config_reads_carveouts(void **state)
{
        struct config *config =
                load("carveout = { \"/a\", \"/b c\" }\n"
                     "pool \"any\" { size_min = 2M }\n"
                     "pool \"isa\" { source = carveout below = 16M size_min = 12K }");

        (void)state;
        assert_int_equal(config->n_carveouts, 2);
        assert_string_equal(config->carveouts[0], "/a");
        assert_string_equal(config->carveouts[1], "/b c");
        assert_int_equal(config->pools[0].source, SOURCE_ANY);
        assert_int_equal(config->pools[1].source, SOURCE_CARVEOUT);
        assert_int_equal(config->pools[1].page_bytes, 4096);
        assert_int_equal(config_frames(config), 4);
        config_free(config);
}

static void test_config_reads_pools(void **state)
{
        struct config *config =
                load("pool \"low\" { below = \"4G\" addr_min = 16M page_size = 1G size_min = 2G\n"
                     "size_max = 3G spare = 1G node = 1 spill = yes pin = optional\n"
                     "run_min = 2G source = demote harvest_max = 8G shrink_delay = 1h\n"
                     "isolation = uid handout = dmabuf addresses = hidden reuse_delay = 20ms\n"
                     "quarantine = 2m\n"
                     "allow = { \"group:root\", \"user:root\", \"uid:1000\", \"gid:5\" } }\n"
                     "pool \"any\" { size_min = 2M }\n"
                     "pool \"all\" { addr_max = 0xffffffffffffffff size_min = 2M }");
        const struct pool_settings *pool = &config->pools[0];

        (void)state;
        assert_int_equal(config->state.n_pools, 3);
        assert_true(pool->limited);
        assert_int_equal(pool->window.first, 16 * MiB);
        assert_int_equal(pool->window.last, UINT32_MAX);
        assert_int_equal(pool->page_bytes, GiB);
        assert_int_equal(pool->size_min_bytes, 2 * GiB);
        assert_int_equal(pool->size_max_bytes, 3 * GiB);
        assert_int_equal(pool->spare_bytes, GiB);
        assert_int_equal(pool->run_min_bytes, 2 * GiB);
        assert_int_equal(pool->source, SOURCE_DEMOTE);
        assert_int_equal(pool->harvest_max_bytes, 8 * GiB);
        assert_int_equal(pool->shrink_delay_ns, 3600 * NS_PER_S);
        assert_int_equal(pool->node, 1);
        assert_true(pool->spill);
        assert_false(pool->pin_required);
        assert_int_equal(pool->isolation, ISOLATE_UID);
        assert_int_equal(pool->handout, HANDOUT_DMABUF);
        assert_true(pool->hidden);
        assert_int_equal(pool->reuse_delay_ns, 20 * NS_PER_MS);
        assert_int_equal(pool->quarantine_ns, 120 * NS_PER_S);
        assert_true(pool->quarantine_is_max);
        assert_int_equal(pool->n_allow, 4);
        assert_true(pool->allow[0].is_group && pool->allow[0].id == 0);
        assert_true(!pool->allow[1].is_group && pool->allow[1].id == 0);
        assert_true(!pool->allow[2].is_group && pool->allow[2].id == 1000);
        assert_true(pool->allow[3].is_group && pool->allow[3].id == 5);
        assert_int_equal(config->pools[2].window.last, UINT64_MAX);
        config_free(config);
}

static void test_config_reads_devices(void **state)
{
        struct config *config =
                load(POOL "device \"capture0\" { dma_bits = 28 boundary = 64K max_segments = 1 }\n"
                          "device \"0000:01:00.0\" { addr_min = 4K below = 1T align = 4K\n"
                          "  max_segment_bytes = 1M nodes = { 0, 3 } }\n"
                          "device \"free\" { }");
        const struct device_settings *devices = config->devices;

        (void)state;
        assert_int_equal(config->state.n_devices, 3);
        assert_ptr_equal(config->state.devices, devices);
        assert_string_equal(devices[0].name, "capture0");
        assert_int_equal(devices[0].limits.window.last, 256 * MiB - 1);
        assert_int_equal(devices[0].limits.boundary_bytes, 64 * KiB);
        assert_int_equal(devices[0].limits.max_segments, 1);
        assert_int_equal(devices[1].limits.window.first, 4 * KiB);
        assert_int_equal(devices[1].limits.window.last, TiB - 1);
        assert_int_equal(devices[1].limits.align_bytes, 4 * KiB);
        assert_int_equal(devices[1].limits.max_segment_bytes, MiB);
        assert_int_equal(devices[1].limits.max_segments, SEGMENTS_ANY);
        assert_int_equal(devices[1].nodes, 9);
        assert_int_equal(devices[2].limits.window.last, UINT64_MAX);
        assert_int_equal(devices[2].limits.align_bytes, 1);
        config_free(config);
}

static void test_config_reads_what_moves_a_device(void **state)
{
        struct config *config = load(
                POOL
                "devices_dir = \"devices\"\n"
                "device \"board\" { dma_bits = 31 boundary = 4G min_align_mask = 0xfff\n"
                " granularity = 512 node = 3 pci = \"0000:01:00.0\"\n" WINDOW(0x80000000, 0, 2G)
                        WINDOW(0x8000000000, 2G,
                               1G) "}\n"
                                   "device \"0000:02:00.0\" {}\n"
                                   "device \"0000:03:00.0\" {}\n"
                                   "pci \"0000:01:00.0\" { dma_mask_bits = 30 }\n"
                                   "pci \"0000:02:00.0\" { numa_node = 1 iommu_group = 7 }\n");
        const struct device_settings *device = &config->devices[0];

        (void)state;
        assert_string_equal(config->devices_dir, "devices");
        assert_int_equal(device->min_align_mask, 0xfff);
        assert_int_equal(device->granularity_bytes, 512);
        assert_int_equal(device_align_bytes(device), 4096);
        assert_int_equal(device->nodes, 8);
        assert_int_equal(device->n_windows, 2);
        assert_int_equal(device->windows[0].cpu.first, 2 * GiB);
        assert_int_equal(device->windows[0].cpu.last, 4 * GiB - 1);
        assert_int_equal(device->windows[0].dma_first, 0);
        assert_int_equal(device->windows[1].dma_first, 2 * GiB);
        assert_string_equal(device->pci, "0000:01:00.0");
        assert_int_equal(device_mask_last(device), GiB - 1);
        assert_string_equal(config->devices[1].pci, "0000:02:00.0");
        assert_int_equal(config->devices[1].facts.node, 1);
        assert_int_equal(config->devices[1].facts.iommu_group, 7);
        assert_int_equal(device_mask_last(&config->devices[1]), UINT64_MAX);
        assert_false(config->devices[2].facts.known);
        config_free(config);
}

static void test_config_reads_the_invented_machine(void **state)
{
        struct config *config = load(
                "backend = \"sim\" hugepages = existing keep_free = 0 verify = 0\n"
                "log_level = debug mode = 0600 user = 1234 threads = 1\n"
                "sim { seed = 7 fail_call = 3 fail_errno = 5 snatch_every = 9 unpinned = yes\n"
                "  order = blind free = 64M delay = 3ms\n"
                "  extent \"low\" { first = 16M last = 0x1ffffff node = 1 }\n"
                "  extent \"top\" { first = 0xfffffffff0000000 size = 256M page_size = 4K } }\n"
                "pool \"any\" { size_min = 2M } pool \"small\" { page_size = 4K size_min = 4K "
                "}");

        (void)state;
        assert_int_equal(config->backend, BACKEND_SIM);
        assert_string_equal(config->state.backend, "sim");
        assert_false(config->reserve);
        assert_int_equal(config->keep_free_bytes, 0);
        assert_int_equal(config->verify_ns, 0);
        assert_int_equal(config->log_level, LOG_DEBUG);
        assert_int_equal(config->socket_mode, 0600);
        assert_int_equal(config->user, 1234);
        assert_int_equal(config->sim.seed, 7);
        assert_int_equal(config->sim.fail_call, 3);
        assert_int_equal(config->sim.fail_errno, 5);
        assert_int_equal(config->sim.snatch_every, 9);
        assert_true(config->sim.unpinned);
        assert_true(config->sim.blind);
        assert_int_equal(config->sim.free_bytes, 64 * MiB);
        assert_int_equal(config->sim.delay_ns, 3 * NS_PER_MS);
        assert_int_equal(config->sim.n_extents, 2);
        assert_int_equal(config->sim.extents[0].range.last, 0x1ffffff);
        assert_int_equal(config->sim.extents[0].node, 1);
        assert_int_equal(config->sim.extents[1].range.last, UINT64_MAX);
        assert_int_equal(config->sim.extents[1].page_bytes, 4096);
        config_free(config);
}

static void test_config_reads_where_metrics_are_served(void **state)
{
        static const struct {
                const char *text, *metrics;
                int family, port;
        } cases[] = {
                { "metrics = \"\" " POOL, NULL, 0, 0 },
                { "metrics = /run/pard/metrics.sock " POOL, "/run/pard/metrics.sock", 0, 0 },
                { "metrics = \"127.0.0.1:9618\" " POOL, "127.0.0.1:9618", AF_INET, 9618 },
                { "metrics = \"[::1]:65535\" " POOL, "[::1]:65535", AF_INET6, 65535 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct config *config = load(cases[i].text);
                union {
                        struct sockaddr_storage any;
                        struct sockaddr_in four;
                        struct sockaddr_in6 six;
                } address;
                socklen_t size;

                if (!cases[i].metrics)
                        assert_null(config->metrics);
                else
                        assert_string_equal(config->metrics, cases[i].metrics);
                if (cases[i].family) {
                        address_loopback(config->metrics, &address.any, &size);
                        assert_int_equal(address.any.ss_family, cases[i].family);
                        assert_int_equal(size, cases[i].family == AF_INET ? sizeof(address.four)
                                                                          : sizeof(address.six));
                        assert_int_equal(ntohs(address.four.sin_port), cases[i].port);
                }
                config_free(config);
        }
}

static void test_config_takes_comments_and_bare_words_for_what_they_are(void **state)
{
        struct config *config = load("/* \"{ */ socket = /a//b#c # \"\n"
                                     "// {\r\nmode = '0600' /**/ pool a { # x\n"
                                     "size_min = 2M#}\n } pool 'b' { size_min = \"2M\" /* } */ }");

        (void)state;
        config_free(config);
}

static void test_config_refuses_more_pools_than_the_keeper_knows(void **state)
{
        char text[65 * 48] = "", error[256] = "";
        struct config *config = NULL;
        size_t n = 0;

        (void)state;
        for (int i = 0; i < 65; i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n,
                                      "pool \"p%d\" { size_min = 2M }\n", i);
        assert_int_equal(config_load(text, "t", &config, error, sizeof(error)), -EINVAL);
        assert_string_equal(error, "t:65: pool \"p64\": there are 65 pools, and at most 64 can be");
}

static void test_config_cuts_a_message_at_the_room_it_has(void **state)
{
        char error[8] = "1234567";
        struct config *config = NULL;

        (void)state;
        assert_int_equal(config_load("x = 1", "t", &config, error, sizeof(error)), -EINVAL);
        assert_string_equal(error, "t:1: th");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_config_says_what_is_wrong),
                cmocka_unit_test(test_config_has_defaults),
                cmocka_unit_test(test_config_reads_quotas_and_claims),
                cmocka_unit_test(test_config_reads_carveouts),
                cmocka_unit_test(test_config_reads_pools),
                cmocka_unit_test(test_config_reads_devices),
                cmocka_unit_test(test_config_reads_what_moves_a_device),
                cmocka_unit_test(test_config_reads_the_invented_machine),
                cmocka_unit_test(test_config_reads_where_metrics_are_served),
                cmocka_unit_test(test_config_takes_comments_and_bare_words_for_what_they_are),
                cmocka_unit_test(test_config_refuses_more_pools_than_the_keeper_knows),
                cmocka_unit_test(test_config_cuts_a_message_at_the_room_it_has),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
