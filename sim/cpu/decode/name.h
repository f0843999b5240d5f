/* SPDX-License-Identifier: MIT */
#ifndef FAM10H_CPU_DECODE_NAME_H
#define FAM10H_CPU_DECODE_NAME_H

#include "sim/cpu/decode/insn.h"

/* The mnemonic of these very bytes: condition and size filled in. */
void isa_mnemonic(const struct insn *insn, char *out, size_t size);

#endif
