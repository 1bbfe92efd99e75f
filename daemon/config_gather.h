/* SPDX-License-Identifier: MIT */
/*
 * What belongs to a configuration beside its file: further devices, what sysfs says of those that
 * have a PCI address, and the numbers of users and groups. The keeper finds all that out, once;
 * everybody else gets it with the text.
 */
#pragma once

/**
 * config_gather() - add to the text of a configuration
 * @path: of its file, for messages and for what is relative to it; borrowed
 * @root: where /sys is: "" on a real machine; borrowed
 * @text: in: the file, allocated; out: the same with devices, pci sections and the key ids behind
 *        it. Owned by the caller in either case: free()
 *
 * Whoever parses a text that is no configuration says why. It only gets the names that were found
 * until the mistake, before it and on its first line, so that he finds the same one. Logs why it
 * fails.
 *
 * Return: 0; -EINVAL where a file of devices is wrong; -EFBIG above 1 MiB in all; other negative
 * errno.
 */
int config_gather(const char *path, const char *root, char **text);
