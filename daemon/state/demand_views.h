/* SPDX-License-Identifier: MIT */
/*
 * The views of a demand, made of what its devices see.
 */
#pragma once

#include "demand.h"

/**
 * demand_make_views() - fill in n_views and views
 * @demand:  its limits, low, high and windows_of are filled in
 * @reach:   what its devices see; not looked at where none has bus windows
 * @refusal: filled with a result above 0
 *
 * Return: 0; PAR_REFUSED_NEVER_FITS, PAR_REFUSED_INVALID where there is no view.
 */
int demand_make_views(struct demand *demand, const struct reach *reach, struct refusal *refusal);
