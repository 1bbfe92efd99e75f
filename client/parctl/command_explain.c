/* SPDX-License-Identifier: MIT */
/* Would this fit, and if not, why? */
#include "commands.h"
#include "explanation.h"
#include "trial.h"

static int run(const struct arguments *arguments)
{
        return arguments->vfio ? trial_print(arguments, stdout)
                               : explanation_print(arguments, stdout);
}

const struct command command_explain = {
        .name = "explain",
        .takes = TAKES_REQUEST,
        .summary = "Tell whether a request would be granted, and if not, why",
        .help = "Nothing is granted. The exit status is that of the request: 0 it would "
                "be granted, 1 not now, 3 never.\n\nWith --vfio the buffer is granted, mapped for "
                "the device and given back, all in a moment: what an IOMMU and the kernel allow "
                "shows in that alone. The device is bound to vfio-pci and has no driver running.",
        .run = run,
};
