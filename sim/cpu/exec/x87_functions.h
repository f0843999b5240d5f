/* SPDX-License-Identifier: MIT */
/* Transcendental functions of finite, nonzero arguments in the range that the manual defines (APM5). */
#ifndef FAM10H_CPU_EXEC_X87_FUNCTIONS_H
#define FAM10H_CPU_EXEC_X87_FUNCTIONS_H

#include "sim/cpu/exec/wide.h"

/* |x| < 2^63. */
void function_sine_cosine(struct wide x, struct wide *sine, struct wide *cosine);
/* Angle of the point (x, y), by both signs. */
struct wide function_arc_tangent(struct wide y, struct wide x);
/* 2^x - 1, |x| <= 1. */
struct wide function_power(struct wide x);
/* log2(x), x > 0. */
struct wide function_logarithm(struct wide x);
/* log2(x + 1), x > -1. */
struct wide function_logarithm_plus_one(struct wide x);

#endif
