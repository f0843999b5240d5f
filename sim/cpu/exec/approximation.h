/* SPDX-License-Identifier: MIT */
/*
 * Reciprocals and reciprocal square roots of single precision to a given number of significant bits, in
 * integers, so that every machine gives the same bytes.
 */
#ifndef FAM10H_CPU_EXEC_APPROXIMATION_H
#define FAM10H_CPU_EXEC_APPROXIMATION_H

#include <stdint.h>

/* x normal, `bits` at most 23: 1/x rounded to nearest; results below the normal range are zeros. */
uint32_t approximate_reciprocal(uint32_t x, unsigned bits);
/* x normal and positive, `bits` at most 18: 1/sqrt(x) rounded to nearest. */
uint32_t approximate_reciprocal_root(uint32_t x, unsigned bits);

#endif
