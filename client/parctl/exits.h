/* SPDX-License-Identifier: MIT */
/*
 * Exit statuses. They are interface: scripts decide by them whether to try again.
 */
#pragma once

enum {
        EXIT_DONE = 0,
        EXIT_REFUSED = 1,       /* for now; waiting may help */
        EXIT_USAGE = 2,         /* the command line makes no sense */
        EXIT_REFUSED_EVER = 3,  /* waiting does not help */
        EXIT_NO_DAEMON = 4,     /* nobody listens, or not any more */
        EXIT_OTHER = 5,         /* another failure */
        EXIT_BEFORE_CHILD = 125 /* alloc -- COMMAND: parctl failed, COMMAND did not run */
};
