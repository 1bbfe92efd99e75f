/* SPDX-License-Identifier: MIT */
/*
 * Tells the service manager, on a thread of its own: sd_notify() waits where the manager does not
 * read, and the keeper's main loop waits for nobody.
 */
#pragma once

struct notifier;

/**
 * notifier_new() - start the thread, where there is a service manager
 * @ret: owned by the caller: notifier_free()
 *
 * Return: 0; -ENOMEM; other negative errno.
 */
int notifier_new(struct notifier **ret);

/**
 * notifier_tell() - say something soon
 * @format: "STATUS=%s" and the like; one variable or several lines, of less than 600 bytes
 *
 * A status, a sign of life or a plea for time that was not said yet is not said any more where a
 * later one comes.
 */
void notifier_tell(struct notifier *notifier, const char *format, ...)
        __attribute__((__format__(__printf__, 2, 3)));

/* Say what is left to be said, for at most a second. NULL is fine. */
void notifier_free(struct notifier *notifier);
