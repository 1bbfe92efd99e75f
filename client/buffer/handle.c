/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing: what calls of every kind ask of a handle, and tell it. Refuses to begin or to end
 * one: that is par.c's.
 */
#include "handle.h"

#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int handle_check(const struct par *par)
{
        if (!par)
                return error_set(-EINVAL, "no connection given");
        if (par->pid != getpid())
                return error_set(-ECHILD, "the connection belongs to the parent process");
        return 0;
}

int handle_check_name(const char *what, const char *name)
{
        if (name && strlen(name) > NAME_BYTES_MAX)
                return error_set(-EINVAL, "%s: %zu bytes, where at most %d are possible", what,
                                 strlen(name), NAME_BYTES_MAX);
        if (name && !text_is_good(name, NAME_BYTES_MAX))
                return error_set(-EINVAL, "%s: it is not UTF-8", what);
        return 0;
}

void handle_log(const struct par *par, int level, const char *format, ...)
{
        char line[ERROR_BYTES + 128];
        va_list arguments;

        if (!par->log && !par->debug)
                return;
        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        if (par->log)
                par->log(par->log_data, level, line);
        if (par->debug)
                fprintf(stderr, "<%d>libpar: %s\n", level, line);
}

void handle_tell_dropped(struct par *par)
{
        Wire__Drop body = WIRE__DROP__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;

        message.body_case = WIRE__REQUEST__BODY_DROP;
        message.drop = &body;
        body.frames = par->frames.telling;
        while (!par->connection.gone && (body.n_frames = frames_untold(&par->frames))) {
                if (connection_try_send(&par->connection, &message, NULL))
                        return;
                frames_told(&par->frames, body.n_frames);
        }
}
