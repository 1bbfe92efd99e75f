/* SPDX-License-Identifier: MIT */
/*
 * Any text is a configuration, or is refused with a message that names a line; and a configuration
 * is the same as itself. Where the text has a form feed, what follows it is another configuration,
 * to which a daemon may go from the first or not. And any text has devices and nothing else, or is
 * refused.
 */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void on_changed(void *data, const char *name)
{
        (void)name;
        if (!data)
                abort(); /* nothing has */
}

/* Return: NULL where it is refused. */
static struct config *load(const char *text)
{
        struct config *config = NULL;
        char error[256] = "";

        if (config_load(text, "f", &config, error, sizeof(error))) {
                assert(!config);
                assert(strncmp(error, "f:", 2) == 0 && error[2] >= '1' && error[2] <= '9');
                return NULL;
        }
        assert(config->state.n_pools > 0 && config_frames(config) > 0);
        assert(config_compare(config, config, config_frames(config), on_changed, NULL, error,
                              sizeof(error)) == 0);
        return config;
}

static void load_devices(const char *text)
{
        struct config *config = NULL;
        char error[256] = "";

        if (config_load_devices(text, "f", &config, error, sizeof(error)))
                assert(!config && strncmp(error, "f:", 2) == 0);
        config_free(config);
}

static void compare(const struct config *from, const struct config *to)
{
        char error[256] = "";

        if (config_compare(from, to, 2 * config_frames(from), on_changed, error, error,
                           sizeof(error)))
                assert(error[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        struct config *config, *other = NULL;
        char *text = malloc(size + 1), *rest;

        if (!text)
                return 0;
        memcpy(text, bytes, size);
        text[size] = '\0';
        rest = strchr(text, '\f');
        if (rest)
                *rest++ = '\0';
        config = load(text);
        if (rest)
                other = load(rest);
        if (config && other) {
                compare(config, other);
                compare(other, config);
        }
        load_devices(text);
        config_free(config);
        config_free(other);
        free(text);
        return 0;
}
