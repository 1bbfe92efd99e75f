/* SPDX-License-Identifier: MIT */
/*
 * One figure of a daemon's metrics, read over their Unix socket. Every failure ends the test
 * program.
 */
#pragma once

/**
 * metrics_value() - ask for the metrics and pick one
 * @socket: path
 * @sample: name and labels as they stand in the text: "pard_waits_total{pool=\"any\"}"
 *
 * Return: its value.
 */
double metrics_value(const char *socket, const char *sample);
