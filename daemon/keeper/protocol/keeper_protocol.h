/* SPDX-License-Identifier: MIT */
/*
 * What keeper and worker say to each other: messages of one fixed size over a SOCK_SEQPACKET socket
 * pair, and a ledger page that both map. No text, no lengths, nothing to parse.
 *
 * The keeper holds frames; the worker decides who uses them. A frame is named by its slot (a small
 * number, reused) and the slot's generation (counts up with each frame that the slot holds), so
 * that a late message about a former frame is recognised.
 */
#pragma once

#include <stdint.h>

/* Descriptors that the worker finds open when it starts. */
#define KEEPER_FD_CHANNEL 3 /* its end of the socket pair */
#define KEEPER_FD_LEDGER  4 /* memfd of struct keeper_ledger, read and write */
#define KEEPER_FD_CONFIG  5 /* memfd: the text of the configuration that the keeper uses */
#define KEEPER_FD_LISTEN  6 /* the listening socket */
#define KEEPER_FD_METRICS 7 /* the listening socket of the metrics, where there is one */
#define KEEPER_FD_UDMABUF 8 /* an open /dev/udmabuf, where there is one */

#define KEEPER_SLOTS_MAX 1048576u
#define KEEPER_POOLS_MAX 64u

enum keeper_message_type {
        /* Worker to keeper. */

        /* Get @count frames of @page_bytes inside [@first, @last] on @node for @pool, in runs of
         * @phys bytes at least (0: any). How (the source, how much may be held meanwhile) is in the
         * configuration. Answered by KEEPER_FRAME for each, KEEPER_PROGRESS now and then, and one
         * KEEPER_TAKEN at the end. */
        KEEPER_TAKE = 1,
        /* Pool filling is over: give pages that no pool wanted back to the system. */
        KEEPER_FILLED,
        /* The worker has closed its descriptor of the frame: give the frame back to the kernel as
         * soon as nobody refers to it. With KEEPER_RETAKE take a page again in the same step, for
         * @pool inside [@first, @last]. With KEEPER_PATIENT its owner is known to hold on to
         * memory: it waits behind others; with KEEPER_OWNER_GONE he is no more. May be sent again
         * for a frame that lingers, with other flags. Answered by KEEPER_LINGERS (any number of
         * times), then one KEEPER_LEFT; a page taken again is announced by KEEPER_FRAME before it.
         */
        KEEPER_LEAVE,
        /* A holder of the lingering frame may have let go: look now. No answer. */
        KEEPER_NUDGE,
        /* The worker serves clients. */
        KEEPER_READY,
        /* End the takes for @pool soon; they are answered as usual, with -ECANCELED. */
        KEEPER_CANCEL,
        /* Read the configuration again. Answered by KEEPER_CONFIG. */
        KEEPER_RELOAD,
        /* Answers KEEPER_PING. */
        KEEPER_PONG,
        /* Memory of the dead waits for the PCI device @count (pci_address.h): look at it until it
         * is seen not to be bus master. @first: any number, not above UINT32_MAX, which the answers
         * to looks after this message carry. May be sent again, for one more look at least.
         * Answered by KEEPER_SEEN. */
        KEEPER_WATCH,
        /* Nobody waits for the device @count any more. A KEEPER_SEEN may be on its way. */
        KEEPER_UNWATCH,

        /* Keeper to worker. */

        /* First message: @count frames follow as KEEPER_FRAME, which the keeper already holds for
         * the pools; @flags as below; @first: how often a worker was started, this one included. */
        KEEPER_WELCOME = 64,
        /* A frame: slot, generation, pool, page_bytes, phys (where it was when it came), node,
         * flags. A descriptor comes with it (an open file of its own, read and write), unless
         * KEEPER_GIVEN_UP. With KEEPER_RETAKE
         * it was taken in the same step in which the frame in slot @count with generation @first
         * was given back, whose KEEPER_LEFT follows. */
        KEEPER_FRAME,
        /* The end of a KEEPER_TAKE: @count frames were had; @result 0 or a negative errno tells why
         * not more (-ENOMEM: the system has none; -EDQUOT: keep_free; -EFBIG: harvest_max;
         * -ECANCELED); [@first, @last] are the lowest and the highest physical address that were
         * seen on the way (first above last: none); @phys: the most bytes that were held at once
         * beyond what was wanted; @flags KEEPER_HARVESTED. */
        KEEPER_TAKEN,
        /* The frame cannot leave yet; @result: enum keeper_holder. */
        KEEPER_LINGERS,
        /* The frame is gone. @flags KEEPER_LOST: its page was not had again (though asked to). */
        KEEPER_LEFT,
        /* The frame is no longer where it was: @phys is its address now, or KEEPER_PHYS_NONE where
         * its holder punched it out. The next worker is told so, too, after its KEEPER_FRAME. */
        KEEPER_MOVED,
        /* The frame's memory has failed; it may be on its way out already. Whoever touches it gets
         * SIGBUS. */
        KEEPER_POISONED,
        /* How far the take for @pool is: @count frames had, @phys bytes held beyond them. */
        KEEPER_PROGRESS,
        /* The configuration was read again; its text comes as a sealed memfd, where it could be
         * read. @result: 0: it is in force from now on, here and there; -EINVAL: it is not good, or
         * changes what cannot change; other negative errno: it could not be read. @count: 1 where a
         * KEEPER_RELOAD asked for it. The worker comes to the same verdict by the same rules. */
        KEEPER_CONFIG,
        /* Are you there? */
        KEEPER_PING,
        /* The device @count of a KEEPER_WATCH was looked at after the one with @first; @result:
         * enum keeper_sight, after KEEPER_SEEN_QUIET not again, or a negative errno. Only what
         * differs from the last answer is told. */
        KEEPER_SEEN,

        /* The keeper ends, in order, and you do: say goodbye to the clients. @count: within so many
         * milliseconds another pard may go on with their sessions; 0: none will. @first: the
         * present time of the socket's file, in nanoseconds; 0: not known. */
        KEEPER_STOP = 80,
};

/* keeper_message.flags */
#define KEEPER_RETAKE     UINT32_C(0x01)
#define KEEPER_PATIENT    UINT32_C(0x02)
#define KEEPER_PINNED     UINT32_C(0x04) /* the frame is pinned; in KEEPER_WELCOME: pins can be had */
#define KEEPER_LENT       UINT32_C(0x08) /* a client of a former worker may still use it */
#define KEEPER_LOST       UINT32_C(0x10)
#define KEEPER_OWNER_GONE UINT32_C(0x20) /* its owner no longer exists: what he punched is moot */
#define KEEPER_HARVESTED  UINT32_C(0x40) /* the take held pages that it did not want */
#define KEEPER_GIVEN_UP   UINT32_C(0x80) /* a former worker had it leave: it can do nothing else */

#define KEEPER_PHYS_NONE UINT64_MAX
#define KEEPER_NODE_ANY  (-1)

/* Who keeps a frame from leaving. */
enum keeper_holder {
        KEEPER_HOLDER_NONE,
        KEEPER_HOLDER_FILE,  /* an open descriptor or a mapping */
        KEEPER_HOLDER_PAGES, /* references to its pages: dma-bufs, vmsplice, io_uring, VFIO */
        KEEPER_HOLDER_HOLE,  /* the holder punched it; the page may be anywhere */
        KEEPER_HOLDER_PATH,  /* an O_PATH descriptor keeps the file, and the page with it */
};

/* What was seen of a device. */
enum keeper_sight {
        KEEPER_SEEN_QUIET,  /* not bus master, or not there at all */
        KEEPER_SEEN_MASTER, /* it may read and write memory */
};

#define KEEPER_WATCHES_MAX 4096u /* devices that are looked at; beyond them nothing is seen */

/**
 * struct keeper_message - one message, either way
 * @type:       enum keeper_message_type
 * @pool:       index of the pool in the configuration
 * @slot:       0 to KEEPER_SLOTS_MAX - 1
 * @generation: > 0
 * @page_bytes: size of a frame
 * @first:      as the type says
 * @last:       as the type says
 * @phys:       physical address
 * @count:      as the type says
 * @flags:      KEEPER_*
 * @node:       NUMA node or KEEPER_NODE_ANY
 * @result:     as the type says
 *
 * The receiver refuses another size, and values outside these ranges.
 */
struct keeper_message {
        uint32_t type, pool, slot, generation;
        uint64_t page_bytes, first, last, phys;
        uint32_t count, flags;
        int32_t node, result;
};
_Static_assert(sizeof(struct keeper_message) == 64, "one size, no padding");

/*
 * The ledger: memory that outlives the worker. The keeper reads one thing there when a worker has
 * died: which frames clients may have seen, noted before a client is told of one. The rest is
 * between one worker and the next, who alone know what is in their records.
 */
#define KEEPER_LEDGER_MAGIC   UINT64_C(0x726567646c726170) /* "parldger" */
#define KEEPER_LEDGER_VERSION 2

/* For the workers' records, in two halves of which one is in use, except in an upgrade. It costs
 * memory only where they write: each half holds more than a million buffers. */
#define KEEPER_RECORDS_BYTES (UINT64_C(1) << 30)

/**
 * struct keeper_ledger - shared by keeper and worker
 * @magic:   KEEPER_LEDGER_MAGIC
 * @version: KEEPER_LEDGER_VERSION
 * @slots:   entries of @lent
 * @records_offset: where the records begin, in bytes from the beginning: a multiple of the page
 *           size. All zero at first
 * @records_bytes: KEEPER_RECORDS_BYTES
 * @lent:    generation of the frame in this slot that was lent to a client; 0: none was
 */
struct keeper_ledger {
        uint64_t magic;
        uint32_t version, slots;
        uint64_t records_offset, records_bytes;
        _Atomic uint32_t lent[];
};
