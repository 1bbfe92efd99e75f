/* SPDX-License-Identifier: MIT */
/*
 * What the engine's searches cost, and those of its peers, in the same used memory in the same run.
 */
#pragma once

/* The command "engine" of par-bench. Return: an exit status. */
int engine_main(int argc, char **argv);
