/* SPDX-License-Identifier: MIT */
/* Random code: rows of the instruction table, accesses to ports, MSRs, MMIO and PCI configuration, plain bytes. */
#ifndef FAM10H_TESTS_RANDOM_CODE_H
#define FAM10H_TESTS_RANDOM_CODE_H

#include "tests/random/world.h"

/* Fills `size` bytes for code of this world; returns how many instructions (or runs of bytes) were drawn. */
unsigned random_code(uint8_t *code, size_t size, unsigned world, uint64_t *seed);

#endif
