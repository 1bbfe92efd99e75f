/* SPDX-License-Identifier: MIT */
/* Any text is a configuration, or is refused with a message that names a line; and a configuration
 * is the same as itself. */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void on_changed(void *data, const char *name)
{
        (void)data;
        (void)name;
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        struct config *config = NULL;
        char error[256] = "";
        char *text = malloc(size + 1);

        if (!text)
                return 0;
        memcpy(text, bytes, size);
        text[size] = '\0';
        if (config_load(text, "f", &config, error, sizeof(error))) {
                assert(!config);
                assert(strncmp(error, "f:", 2) == 0 && error[2] >= '1' && error[2] <= '9');
        } else {
                assert(config->state.n_pools > 0 && config_frames(config) > 0);
                assert(config_compare(config, config, config_frames(config), on_changed, NULL,
                                      error, sizeof(error)) == 0);
        }
        config_free(config);
        free(text);
        return 0;
}
