/* SPDX-License-Identifier: MIT */
/*
 * par-bench experiment: mixed traffic on invented machines, placed in different ways.
 */
#pragma once

/* With the command's name as the first argument. Return: an exit status. */
int experiment_main(int argc, char **argv);
