/* SPDX-License-Identifier: MIT */
/*
 * par-bench heap: what allocating and freeing a piece of memory costs.
 */
#pragma once

/* @argv: with the command's own name first. Return: an exit status. */
int heap_main(int argc, char **argv);
