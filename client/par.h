/* SPDX-License-Identifier: MIT */
/*
 * par.h - memory that your device can really address, for user-space drivers
 *
 * pard, a daemon on this machine, holds hugepages, knows where each lies in physical memory, and
 * grants buffers that meet a device's limits. This library asks it, maps what it grants, and tells
 * the addresses to program into the device:
 *
 *     struct par *par;
 *     struct par_buffer *ring;
 *     struct par_constraint want = par_constraint_for_mask(30);
 *
 *     r = par_connect(NULL, NULL, &par);
 *     r = par_alloc(par, 65536, &want, NULL, &ring);
 *     program_the_device(par_buffer_dma(ring));
 *     use(par_buffer_data(ring));
 *
 * Results. Every int is 0 or negative: -errno where the machine or the caller failed, -PAR_* where
 * pard said no. par_error() then has a sentence with figures. Outputs are NULL or 0 on failure, and
 * nothing has changed. Zeroed structs are valid and mean "no limit, the default"; a reserved field
 * that is not zero is -EINVAL.
 *
 * errno is not used. par_free(), par_device_close() and par_disconnect() leave it as it was, so
 * that they can clean up after a system call that failed.
 *
 * Threads. Several threads may share a handle and its buffers; freeing what another thread still
 * uses is the caller's mistake. The library has no thread of its own and installs no signal
 * handler. A thread that is inside the library must not be cancelled, and a signal handler must
 * neither call it, except par_debug_describe(), nor jump out of it.
 *
 * fork. A child has no buffers (their memory is not copied to it, unless PAR_ALLOC_KEEP_ON_FORK)
 * and its calls on the parent's handle return -ECHILD. It may par_disconnect() it to give back the
 * memory of the handle itself, and par_connect() for itself. Until it does so, calls exec() or
 * ends, it holds the parent's connection open: pard learns of the parent's death only then. So a
 * program that puts itself into the background connects after that, not before.
 *
 * All sizes, lengths and offsets are in bytes; address ranges are inclusive at both ends.
 */
#ifndef PAR_H
#define PAR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define PAR_MUST_CHECK __attribute__((__warn_unused_result__))
#else
#define PAR_MUST_CHECK
#endif

#define PAR_VERSION_MAJOR 0
#define PAR_VERSION_MINOR 1
#define PAR_VERSION_PATCH 0

/**
 * enum par_result - what pard answers when it says no; functions return the negative value
 * @PAR_NEVER_FITS: no memory that pard holds or may hold satisfies the request, even if all other
 *                  clients gave theirs back. Permanent: waiting does not help, and par_error()
 *                  names the limit that rules it out. What this client has itself counts as taken:
 *                  where that is what stands in the way, freeing it helps
 * @PAR_EXHAUSTED:  too few bytes are free in the window now
 * @PAR_FRAGMENTED: enough bytes are free in the window, but not in such pieces
 * @PAR_QUOTA:      a limit of yours is reached: give something back
 * @PAR_DENIED:     you may not do this, or not with this pool. Permanent
 * @PAR_BUSY:       in use, or already under way
 * @PAR_TIMED_OUT:  wait_ms went by
 * @PAR_INVALID:    the request makes no sense, or names something that does not exist. Permanent
 * @PAR_GONE:       the daemon or the connection is gone, or what was named is no longer there.
 *                  Buffers that you have go on working; connect again for new ones
 */
enum par_result {
        PAR_NEVER_FITS = 5001,
        PAR_EXHAUSTED,
        PAR_FRAGMENTED,
        PAR_QUOTA,
        PAR_DENIED,
        PAR_BUSY,
        PAR_TIMED_OUT,
        PAR_INVALID,
        PAR_GONE
};

#define PAR_SEGMENTS_ANY UINT32_MAX
#define PAR_PHYS_NONE    UINT64_MAX /* a segment's phys or dma: not disclosed, none, or several */

struct par;        /* a connection to pard */
struct par_device; /* limits of one device, by a name that pard's configuration knows */
struct par_buffer; /* granted memory: mapped, pinned, zeroed */

/**
 * struct par_constraint - what the device demands. All zero: no limit, one segment
 * @addr_min:          lowest usable address of the device's view (dma), inclusive
 * @addr_max:          highest usable address, inclusive; 0: no limit
 * @align:             power of two; every segment starts on a multiple of it; 0: 1. The granule of
 *                     pard is 4 KiB, so every buffer is aligned to that at least
 * @boundary:          power of two that no segment straddles; 0: none
 * @max_segment_bytes: longest segment; 0: no limit. Rounded down to a multiple of @align
 * @max_segments:      0 or 1: one segment; PAR_SEGMENTS_ANY: as many as it takes
 * @flags:             0
 * @nodes:             bit n: memory of NUMA node n will do; 0: any
 * @reserved:          zero
 *
 * With a device given, the constraint only narrows the device's own limits.
 */
struct par_constraint {
        uint64_t addr_min, addr_max;
        uint64_t align, boundary, max_segment_bytes;
        uint32_t max_segments;
        uint32_t flags;
        uint64_t nodes;
        uint64_t reserved[5];
};

/* par_alloc_options.flags */
/* Recycled memory of yours need not be zeroed again. */
#define PAR_ALLOC_UNINITIALIZED UINT32_C(1)
/* A child of fork() has the mapping, too: of the buffer and of all else of this connection that
 * lies in the same hugepages. Memory that is freed meanwhile stays charged until the child ends,
 * calls exec(), or says par_disconnect() on its copy of the handle. */
#define PAR_ALLOC_KEEP_ON_FORK UINT32_C(2)
/* Others may be given the buffer: par_buffer_share(). It has whole pages to itself, so a small one
 * costs as much as a page of its pool. A name implies this. */
#define PAR_ALLOC_SHARED UINT32_C(4)
/* It stays when nobody has it any more, also where its last holder died, until par_remove(). Takes
 * a name. */
#define PAR_ALLOC_LASTING UINT32_C(8)

/* struct par_alloc_options.allow: so many at most. */
#define PAR_ALLOW_MAX 8

/**
 * struct par_alloc_options - the rest of a request; NULL is the same as all zero
 * @device:   whose limits apply in addition; borrowed for the call. NULL: none
 * @pool:     only this pool; borrowed. NULL: pard chooses
 * @label:    shown to administrators, at most 63 bytes of UTF-8; borrowed. NULL: none
 * @name:     under which others can par_open() it while anybody has it; at most 63 bytes of UTF-8,
 *            no slash, and not in use by this uid; borrowed. NULL: none
 * @wait_ms:  how long to wait where memory may become free, in milliseconds; 0: not for others;
 *            negative: without limit. Where pard gets more memory from the system for the request,
 *            it may take longer than that, but at most 2,000 ms
 * @flags:    PAR_ALLOC_*
 * @allow:    who may open it by its name beside this uid: up to PAR_ALLOW_MAX, separated by commas,
 *            as "user:alice", "group:radio", "uid:1001" or "gid:44"; borrowed. NULL: nobody
 * @reserved: zero
 */
struct par_alloc_options {
        const struct par_device *device;
        const char *pool, *label, *name;
        int32_t wait_ms;
        uint32_t flags;
        const char *allow;
        uint64_t reserved[3];
};

/* par_connect_options.flags */
/* Look after mistakes with buffers and mappings, as with PAR_DEBUG=1 in the environment: each is
 * told to the log, with what it is about and the calls that made and ended it. Buffers are at
 * addresses of their own, with pages around them that cannot be touched, and take more descriptors
 * and address space. See par_debug_describe(). */
#define PAR_CONNECT_DEBUG UINT32_C(1)

/**
 * struct par_connect_options - how to connect; NULL is the same as all zero
 * @client_name: shown to administrators and used by par_reclaim(), at most 63 bytes of UTF-8;
 *               borrowed. NULL: the name of the program
 * @spin_us:     how long to busy-poll for a reply before sleeping, in microseconds
 * @flags:       PAR_CONNECT_*
 * @log:         called with (log_data, level as in syslog.h, a sentence without newline), from the
 *               thread whose call it is about. It must not call this library. NULL: no log
 * @log_data:    handed to @log
 * @reserved:    zero
 */
struct par_connect_options {
        const char *client_name;
        uint32_t spin_us, flags;
        void (*log)(void *log_data, int level, const char *message);
        void *log_data;
        uint64_t reserved[4];
};

/**
 * struct par_segment - contiguous memory of a buffer
 * @dma:    address to give to the device; PAR_PHYS_NONE where the buffer's pool hides its
 *          addresses, and it was not allocated for a device that is attached to a VFIO container
 * @phys:   CPU physical address; PAR_PHYS_NONE where pard does not disclose it, and behind an IOMMU
 *          where the segment lies in several places of memory
 * @length: bytes
 * @offset: where in the buffer it starts
 *
 * An array element: this struct never changes.
 */
struct par_segment {
        uint64_t dma, phys, length, offset;
};

/**
 * enum par_event_type - what can happen to a client's memory
 * @PAR_EVENT_NONE:        nothing (never delivered)
 * @PAR_EVENT_MOVED:       memory of the buffer moved: its addresses are no longer true. Stop the
 *                         device and free the buffer
 * @PAR_EVENT_POISONED:    memory of the buffer failed (a hardware error): what was in it is lost,
 *                         touching it raises SIGBUS. Stop the device and free the buffer
 * @PAR_EVENT_DRAINING:    an administrator empties the pool: free the buffer when you can
 * @PAR_EVENT_WANTED:      others wait for memory like this: free the buffer if you can do without
 *                         it. Told of the largest buffers that are in their way, each once a
 *                         minute at most
 * @PAR_EVENT_REVOKED:     an administrator took the buffer away: stop the device, then free the
 *                         buffer. Until then it stays mapped, nobody else gets its memory, and you
 *                         are charged for it
 * @PAR_EVENT_RECONNECTED: the daemon's worker was replaced, or the daemon; everything goes on, and
 *                         calls that were made meanwhile have waited
 * @PAR_EVENT_LOST:        the connection is gone: pard was stopped, or nobody came back within 60
 *                         seconds; buffers go on working, calls give -PAR_GONE
 * @PAR_EVENT_LINGERING:   memory that you freed cannot leave: something of yours still refers to
 *                         it (a descriptor, mapping, dma-buf, pin or child), and you are charged
 *                         for it. buffer is NULL, length is how much that is now
 */
enum par_event_type {
        PAR_EVENT_NONE,
        PAR_EVENT_MOVED,
        PAR_EVENT_POISONED,
        PAR_EVENT_DRAINING,
        PAR_EVENT_WANTED,
        PAR_EVENT_REVOKED,
        PAR_EVENT_RECONNECTED,
        PAR_EVENT_LOST,
        PAR_EVENT_LINGERING
};

/**
 * struct par_event - one event
 * @type:     enum par_event_type
 * @buffer:   which buffer, or NULL; the caller's own pointer from par_alloc(). It may have been
 *            freed since only if another thread did that: an event of a freed buffer is dropped
 * @flags:    0
 * @offset:   first byte of the buffer that is concerned
 * @length:   bytes concerned
 * @reserved: zero
 */
struct par_event {
        uint32_t type;
        uint32_t flags;
        struct par_buffer *buffer;
        uint64_t offset, length;
        uint64_t reserved[4];
};

/**
 * par_connect() - open a session with pard
 * @socket_path: NULL: the environment variable PAR_SOCKET, else /run/pard/pard.sock. A program
 *               that runs set-user-ID or with file capabilities does not heed the variable
 * @options:     NULL: all defaults; borrowed
 * @ret:         the handle, owned by the caller: par_disconnect()
 *
 * Waits until pard answers.
 *
 * Return: 0; -EINVAL for a bad option or a path that is too long; -ENOENT or -ECONNREFUSED where no
 * pard listens; -EACCES without permission for the socket; -PAR_DENIED where pard refuses the
 * client; -PAR_QUOTA where it has too many sessions; -PAR_GONE where it closes the connection;
 * -EPROTO where it speaks another protocol version; -EMFILE, -ENOMEM.
 */
int par_connect(const char *socket_path, const struct par_connect_options *options,
                struct par **ret) PAR_MUST_CHECK;

/**
 * par_disconnect() - end the session and give everything back
 * @par: consumed; NULL is fine
 *
 * Says that the devices are quiet: unlike the memory of a client that dies, the memory is used
 * again without a quarantine. Buffers and devices that are still open are freed; their pointers are
 * dead. Must not race other calls on the handle. In a child after fork() it only gives back the
 * child's copy of the handle.
 */
void par_disconnect(struct par *par);

/**
 * par_device_open() - the limits of a device
 * @par:  connection
 * @name_or_pci: a name from pard's configuration ("capture0") or a PCI address that it lists; or
 *        up to 4 of them, separated by commas: a buffer is then for all of these devices
 * @ret:  owned by the caller: par_device_close(), at the latest before par_disconnect()
 *
 * Where a device sees memory elsewhere than the processor does, the constraint and the segments'
 * dma are of the addresses that it sees.
 *
 * Return: 0; -EINVAL; -PAR_INVALID where pard does not know the device; -PAR_NEVER_FITS where the
 * devices have nothing in common; -PAR_GONE; -ECHILD; -ENOMEM.
 */
int par_device_open(struct par *par, const char *name_or_pci,
                    struct par_device **ret) PAR_MUST_CHECK;

/**
 * par_device_attach_vfio() - map every further buffer of this device through a VFIO container
 * @device:       from par_device_open()
 * @container_fd: an open /dev/vfio/vfio, of type 1, with the device's group and an IOMMU set;
 *                borrowed: a duplicate is kept while the device is open or such a buffer is there
 *
 * From now on limits that par_alloc() is given with this device, and the device's own, are of the
 * addresses that the IOMMU translates (IOVA): any memory of pard's will do, and however scattered
 * it is, the device sees it as one, in one mapping. dma is such an address; par_buffer_runs() tells
 * where the memory lies. par_free() and par_disconnect() unmap.
 *
 * The addresses are planned here, for the ranges that the container says are usable. What others
 * map in the same container is found where it is in the way, and avoided. The plan binds nobody:
 * who has the container can map and unmap what he likes.
 *
 * Return: 0; -EBADF; -EINVAL where it is no container, or has no IOMMU yet; -ENOTSUP where the
 * IOMMU is of another type, or nobody says what is usable; -EBUSY where the device is attached
 * already; -EOVERFLOW where more than 64 ranges are usable; -EMFILE, also where the connection has
 * 32 containers; -ENOMEM; -ECHILD.
 */
int par_device_attach_vfio(struct par_device *device, int container_fd) PAR_MUST_CHECK;

/* par_device_close() - forget a device; consumed, NULL is fine. Its buffers stay as they are. */
void par_device_close(struct par_device *device);

/**
 * par_alloc() - get a buffer that meets a constraint
 * @par:        connection
 * @size:       bytes, > 0; rounded up to 4 KiB
 * @constraint: NULL: as all zero, so one segment, also of a device that takes more; borrowed
 * @options:    NULL: as all zero; borrowed
 * @ret:        owned by the caller: par_free()
 *
 * The buffer is pinned, mapped contiguously in virtual memory, and zeroed. Its pointer and its
 * physical address are congruent modulo the page size of the pool.
 *
 * Return: 0; -EINVAL for a reserved or unknown bit that is set, a bad name, or one in @allow that
 * the system does not know; -PAR_BUSY where this uid has a buffer of that name already;
 * -PAR_INVALID for size 0, an alignment or boundary that is no power of two, addr_min above
 * addr_max, an unknown pool or device; -PAR_NEVER_FITS, -PAR_EXHAUSTED, -PAR_FRAGMENTED,
 * -PAR_QUOTA, -PAR_DENIED; -PAR_TIMED_OUT after wait_ms; -EINTR where a signal ended the waiting
 * (only with wait_ms not 0, and with SA_RESTART, too; a signal that comes just before the call
 * sleeps is not noticed); -PAR_BUSY where other threads' buffers got in the way again and again;
 * -EHWPOISON where memory was granted again and again that has failed (mostly another try gets
 * sound memory, by itself); -EMFILE where the process has too few descriptors left, -ENOMEM without
 * memory or address space; -EPROTO where pard sends nonsense, which ends the session; -PAR_GONE;
 * -ECHILD.
 *
 * With a device that is attached to a VFIO container the first four are said of its addresses, too,
 * and wait_ms does not wait for these; -PAR_QUOTA also where RLIMIT_MEMLOCK or the container's
 * number of mappings is reached; -PAR_BUSY where others' mappings are in the way everywhere; and
 * what else the kernel says to the mapping, as -errno.
 */
int par_alloc(struct par *par, size_t size, const struct par_constraint *constraint,
              const struct par_alloc_options *options, struct par_buffer **ret) PAR_MUST_CHECK;

/**
 * par_free() - give a buffer back
 * @buffer: consumed; NULL is fine. The device must not use it any more, and neither may the caller
 *
 * Of one that others have as well, or that lasts, only this connection lets go.
 *
 * Cannot fail: where the daemon is gone, the memory is unmapped all the same.
 */
void par_free(struct par_buffer *buffer);

/* Buffers of one batch. */
#define PAR_BATCH_MAX 64

/**
 * par_alloc_batch() - get several equal buffers in one round trip, or none
 * @par:        connection
 * @count:      1 to PAR_BATCH_MAX
 * @size:       bytes of each, > 0; rounded up to 4 KiB
 * @constraint: as for par_alloc(), of each of them
 * @options:    as for par_alloc(), but wait_ms is 0, and they are not to be shared: no name, no
 *              allow, neither PAR_ALLOC_SHARED nor PAR_ALLOC_LASTING
 * @ret:        @count buffers, each owned by the caller: par_free() or par_free_batch(). On failure
 *              all are NULL
 *
 * Each is as par_alloc() would have given it. They lie side by side where there is room. Where they
 * cannot be had in one request (each is larger than a page, or for a device that is attached to a
 * VFIO container, or memory has to be taken from the system first) they are asked for one by one.
 *
 * Return: 0; what par_alloc() returns; -EINVAL where @count or an option is none for a batch. Then
 * nothing has changed.
 */
int par_alloc_batch(struct par *par, size_t count, size_t size,
                    const struct par_constraint *constraint,
                    const struct par_alloc_options *options,
                    struct par_buffer **ret) PAR_MUST_CHECK;

/**
 * par_free_batch() - give several buffers back, PAR_BATCH_MAX in one round trip
 * @buffers: @count of them, however they were allocated; consumed. NULLs among them are fine
 * @count:   any number
 *
 * As par_free() of each.
 */
void par_free_batch(struct par_buffer *const *buffers, size_t count);

/* Where the buffer is mapped: par_buffer_size() contiguous bytes, readable and writable. */
void *par_buffer_data(const struct par_buffer *buffer);

/* Bytes: what was asked for, rounded up to 4 KiB. */
size_t par_buffer_size(const struct par_buffer *buffer);

/* Address of the first byte as the device sees it. The whole buffer lies there in one piece only
 * where par_buffer_segments() is 1. PAR_PHYS_NONE: see struct par_segment. */
uint64_t par_buffer_dma(const struct par_buffer *buffer);

/* Bytes of the pages behind the buffer: hugepages, or those of a carve-out. */
size_t par_buffer_page_size(const struct par_buffer *buffer);

/* The number under which pard's lists and messages show the buffer; 0 for NULL. */
uint64_t par_buffer_id(const struct par_buffer *buffer);

/* Name of the pool that the memory is from. Belongs to the buffer; never NULL, "" for NULL. */
const char *par_buffer_pool(const struct par_buffer *buffer);

/**
 * par_buffer_segments() - the buffer as the device sees it
 * @buffer: borrowed
 * @ret:    NULL, or where to store a pointer to the array; it belongs to the buffer and stays the
 *          same until par_free()
 *
 * Return: how many segments, at least 1. Together they are the whole buffer, in order.
 */
size_t par_buffer_segments(const struct par_buffer *buffer, const struct par_segment **ret);

/**
 * par_buffer_runs() - the buffer as it lies in memory: contiguous physical pieces, uncut
 *
 * As par_buffer_segments(), without boundaries and segment lengths.
 */
size_t par_buffer_runs(const struct par_buffer *buffer, const struct par_segment **ret);

/**
 * par_buffer_pages() - the dma address of every page, as PRP lists and DPDK want them
 * @buffer:     borrowed
 * @offset:     where in the buffer to start; a multiple of @page_bytes
 * @page_bytes: power of two; each page must be contiguous for the device
 * @dma:        array of @count addresses
 * @count:      how many pages; @offset + @count * @page_bytes is at most the buffer's size
 *
 * Return: 0; -EINVAL where an argument is off; -ERANGE where a page would lie in two pieces or not
 * start on a multiple of @page_bytes of the device's addresses; -PAR_DENIED where the buffer has no
 * address for any device (nothing is written then).
 */
int par_buffer_pages(const struct par_buffer *buffer, size_t offset, size_t page_bytes,
                     uint64_t *dma, size_t count) PAR_MUST_CHECK;

/**
 * par_buffer_export_dmabuf() - a dma-buf of the buffer, for another process or driver
 * @buffer: borrowed
 * @ret_fd: a descriptor, close-on-exec, owned by the caller: close(). -1 on failure
 *
 * It opens exactly the buffer's pages, par_buffer_size() bytes, for reading and writing, and stays
 * valid after par_free(). Whoever receives it, of any uid, can map it and import it into a driver,
 * but neither truncate it, nor punch holes into it, nor see what lies beside it. As long as anybody
 * has it open, mapped or imported after par_free(), the pages behind it are yours: charged to you,
 * and granted to nobody.
 *
 * Memory that is mapped through a dma-buf is for the processor alone: the kernel neither pins nor
 * splices it (O_DIRECT, io_uring's buffers, vmsplice and VFIO's type 1 give EFAULT).
 *
 * Return: 0; -ENOTSUP where the kernel makes no dma-buf of it (no /dev/udmabuf, or memory of
 * another kind than hugepages); -PAR_NEVER_FITS where it makes none so large; -PAR_QUOTA where the
 * buffer was exported 16 times, or 64 are under way; -PAR_DENIED where another uid allocated it,
 * and shares it; -PAR_GONE, also where the buffer was revoked; -EMFILE where the process has too
 * few descriptors left; -EPROTO; -EINVAL; -ECHILD.
 */
int par_buffer_export_dmabuf(struct par_buffer *buffer, int *ret_fd) PAR_MUST_CHECK;

/**
 * struct par_open_options - how to open; NULL is the same as all zero
 * @flags:    PAR_ALLOC_KEEP_ON_FORK, or 0
 * @reserved_flags, @reserved: zero
 */
struct par_open_options {
        uint32_t flags, reserved_flags;
        uint64_t reserved[7];
};

/**
 * par_open() - have a buffer that exists, by its name
 * @par:     connection
 * @name:    "ring": that of this uid; "1001/ring": that of uid 1001, who allows it; borrowed
 * @options: NULL: as all zero; borrowed
 * @ret:     owned by the caller: par_free()
 *
 * It is the same memory at the same addresses, with what is in it: nothing is zeroed. Segments and
 * runs are those of par_alloc(). It is charged to whoever allocated it.
 *
 * So a driver that was killed and started again goes on with the memory that its device is using:
 * it opens its buffers under the names that it gave them, with PAR_ALLOC_LASTING, and allocates
 * those that are not there (-PAR_GONE). As long as pard knows of a driver that died with a buffer
 * and did not come back under the same client name, the memory goes into quarantine when it is
 * given up.
 *
 * A buffer of another uid comes as a dma-buf where the kernel makes one (see
 * par_buffer_export_dmabuf()). It is not mapped for devices behind an IOMMU.
 *
 * Return: 0; -EINVAL; -PAR_INVALID for a name that cannot be; -PAR_GONE where there is no buffer of
 * that name that the caller may open, or the connection is gone; -PAR_BUSY where this connection
 * has it already, or other threads' buffers got in the way again and again; -PAR_QUOTA where this
 * connection has too many buffers, or too many connections of other uids have this one;
 * -PAR_NEVER_FITS where it is another uid's and the kernel makes no dma-buf so large; -ENOTSUP
 * where it makes none of such memory; -EHWPOISON where its memory has failed; -EMFILE, -ENOMEM,
 * -EPROTO, -ECHILD as par_alloc().
 */
int par_open(struct par *par, const char *name, const struct par_open_options *options,
             struct par_buffer **ret) PAR_MUST_CHECK;

/* struct par_token - opens one buffer for whoever has it; nobody can guess one */
struct par_token {
        unsigned char bytes[16];
};

/**
 * par_buffer_share() - the token of a buffer, to be passed on
 * @buffer: allocated with PAR_ALLOC_SHARED or a name, by this uid; borrowed
 * @ret:    the token; all zero on failure
 *
 * A buffer has one token at a time: it is the same until par_buffer_unshare(), or until the buffer
 * is gone. Whoever has it can par_open_shared(), of any uid.
 *
 * Return: 0; -PAR_INVALID where the buffer is none that may be shared; -PAR_DENIED where another
 * uid allocated it; -PAR_GONE, also where the buffer was revoked; -EINVAL; -EPROTO; -ECHILD.
 */
int par_buffer_share(struct par_buffer *buffer, struct par_token *ret) PAR_MUST_CHECK;

/**
 * par_buffer_unshare() - the token opens nothing any more
 * @buffer: as par_buffer_share()
 *
 * Who has the buffer keeps it.
 *
 * Return: as par_buffer_share().
 */
int par_buffer_unshare(struct par_buffer *buffer) PAR_MUST_CHECK;

/**
 * par_open_shared() - have a buffer that exists, by a token
 * @par:     connection
 * @token:   borrowed
 * @options: NULL: as all zero; borrowed
 * @ret:     owned by the caller: par_free()
 *
 * Return: as par_open().
 */
int par_open_shared(struct par *par, const struct par_token *token,
                    const struct par_open_options *options, struct par_buffer **ret) PAR_MUST_CHECK;

/**
 * par_remove() - free a name, as shm_unlink() does
 * @par:  connection
 * @name: as par_open()'s; borrowed
 *
 * The buffer is given up when nobody has it any more, perhaps at once. Where a driver died with it
 * and did not come back it goes into quarantine then, as all memory of the dead.
 *
 * Return: 0; -EINVAL; -PAR_INVALID for a name that cannot be; -PAR_GONE where there is none, or the
 * connection is gone; -PAR_DENIED where it is another uid's, and the caller no administrator;
 * -ECHILD.
 */
int par_remove(struct par *par, const char *name) PAR_MUST_CHECK;

/**
 * par_dma_address() - the dma address of a pointer into any buffer of this connection
 * @par:     connection
 * @pointer: anything
 * @ret_dma: the address
 * @ret_contiguous_bytes: NULL, or how many bytes from there on are contiguous for the device, and
 *           belong to the same segment
 *
 * Takes no lock, and some nanoseconds however many buffers there are. Where another thread frees
 * the buffer at the same time it tells either the address or -EFAULT.
 *
 * Return: 0; -EFAULT where no buffer is there; -PAR_DENIED where it has no address for any device;
 * -EINVAL; -ECHILD.
 */
int par_dma_address(struct par *par, const void *pointer, uint64_t *ret_dma,
                    size_t *ret_contiguous_bytes) PAR_MUST_CHECK;

/**
 * par_dma_pointer() - back: a pointer to what a device sees at an address
 * @par:     connection
 * @device:  whose addresses are meant; borrowed. NULL: those of memory itself, where no device of
 *           the buffer's is behind an IOMMU or sees memory elsewhere than the processor does
 * @dma:     anything, such as what a device reports as completed
 * @ret_pointer: where that is mapped
 * @ret_contiguous_bytes: NULL, or how many bytes from there on belong to the same segment
 *
 * Of a device that is attached to a VFIO container, what was allocated for any device of the same
 * container is found. A device that sees memory elsewhere finds what was allocated for a device of
 * the same name, and not what was opened by a name or a token.
 *
 * Return: 0; -EFAULT where no buffer is there; -EINVAL; -ECHILD.
 */
int par_dma_pointer(struct par *par, const struct par_device *device, uint64_t dma,
                    void **ret_pointer, size_t *ret_contiguous_bytes) PAR_MUST_CHECK;

/**
 * par_fd() - a descriptor to wait on for events
 * @par: connection
 *
 * Readable while par_next_event() has something to do. It belongs to the handle and stays the same
 * as long as that lives; do not read or close it.
 *
 * Return: a descriptor; -EINVAL; -ECHILD.
 */
int par_fd(const struct par *par);

/**
 * par_next_event() - the next event, without blocking
 * @par: connection
 * @ret: the event; PAR_EVENT_NONE on failure
 *
 * Call it whenever par_fd() is readable until it says -EAGAIN: some of what arrives there is for
 * the library alone.
 *
 * Return: 0; -EAGAIN where there is none; -EINVAL; -ECHILD.
 */
int par_next_event(struct par *par, struct par_event *ret) PAR_MUST_CHECK;

/**
 * par_reclaim() - end the quarantine of memory of an earlier process of mine
 * @par:         connection
 * @client_name: the name under which it was connected, by the same uid; NULL: this connection's
 * @ret_bytes:   NULL, or bytes that left quarantine
 *
 * Says that the device was reset and no longer uses that memory.
 *
 * Return: 0, also where nothing was there; -EINVAL; -PAR_GONE; -ECHILD.
 */
int par_reclaim(struct par *par, const char *client_name, uint64_t *ret_bytes) PAR_MUST_CHECK;

/**
 * par_error() - the calling thread's last failure as a sentence
 * @par: the handle; may be NULL, the sentence is the thread's
 *
 * Return: a string that stays until this thread's next failing call; never NULL, "" where nothing
 * has failed yet.
 */
const char *par_error(const struct par *par);

/**
 * struct par_refusal_info - the figures behind a refusal's sentence
 * @result:         -PAR_*
 * @permanent:      1: asking again or waiting cannot help; 0: it can
 * @size:           bytes that were asked for, rounded up
 * @free_in_window: bytes of it that were free for the asker: of memory, or, where the device is
 *                  behind an IOMMU and its addresses are what is short, of I/O addresses
 * @largest_run:    the longest run of these, in bytes
 * @limit:          what rules it out: the field of the constraint ("addr_max"), "dma_entry_limit"
 *                  or "RLIMIT_MEMLOCK"; "": no limit of the request's
 * @limit_set_by:   "the request", "device capture0", "the VFIO container", "the process"; "" where
 *                  @limit is
 * @reserved:       0
 */
struct par_refusal_info {
        int32_t result;
        uint32_t permanent;
        uint64_t size, free_in_window, largest_run;
        char limit[32];
        char limit_set_by[96];
        uint64_t reserved[8];
};

/**
 * par_last_refusal() - the figures of the calling thread's last failure
 * @par: the handle; may be NULL, the failure is the thread's
 * @ret: the figures; all zero on failure
 *
 * Return: 0; -ENOENT where nothing has failed yet, or what failed last was no refusal (its result
 * was an errno); -EINVAL where @ret is NULL.
 */
int par_last_refusal(const struct par *par, struct par_refusal_info *ret) PAR_MUST_CHECK;

/**
 * par_debug_describe() - what is, or was, at an address: for a handler of SIGSEGV
 * @address: anything, such as siginfo_t.si_addr; it is not touched
 * @text:    a sentence, cut at @bytes - 1; "" on failure
 * @bytes:   room in @text, > 0
 *
 * Knows buffers of connections that were made with PAR_CONNECT_DEBUG or PAR_DEBUG=1: those that are
 * there and the last 1,024 that were freed, and the pages around them. It takes no lock and
 * allocates nothing, so that a signal handler may call it at any time, unlike the rest of the
 * library. par_error() stays as it was.
 *
 * Return: 0; -ENOENT where nothing is known of that address; -EINVAL where there is no room.
 */
int par_debug_describe(const void *address, char *text, size_t bytes);

/* A short text for any result of this library, negative or positive; static, never NULL. */
const char *par_strerror(int r);

/* 1 where waiting or trying again cannot help: refused for ever, denied or invalid; otherwise 0. */
int par_is_permanent(int r);

/* A constraint for a device that drives @bits address lines, 1 to 64; others mean no limit. */
static inline struct par_constraint par_constraint_for_mask(unsigned bits)
{
        struct par_constraint c = { 0, 0, 0, 0, 0, 0, 0, 0, { 0, 0, 0, 0, 0 } };

        if (bits >= 1 && bits < 64)
                c.addr_max = (UINT64_C(1) << bits) - 1;
        return c;
}

#ifdef __cplusplus
}
#endif

#endif /* PAR_H */
