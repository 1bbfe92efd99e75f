/* SPDX-License-Identifier: MIT */
/*
 * par-bench map: what a streaming mapping costs, beside the copying that it cannot do without.
 */
#pragma once

/* The command "map" of par-bench. Return: an exit status. */
int map_bench_main(int argc, char **argv);
