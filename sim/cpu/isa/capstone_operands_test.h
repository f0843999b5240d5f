/* SPDX-License-Identifier: MIT */
/* Operands of struct insn and of capstone written the same way, so that they can be compared. */
#ifndef FAM10H_CPU_ISA_CAPSTONE_OPERANDS_H
#define FAM10H_CPU_ISA_CAPSTONE_OPERANDS_H

#include <capstone/capstone.h>
#include <glib.h>

#include "sim/cpu/decode/insn.h"

/*
 * "eax | [rbx+rcx*4+10] | 5": registers by name, memory by address, numbers in hexadecimal, branches by target.
 * `at`: the address of the instruction; `bits`: 16, 32, 64. ST(0), which capstone leaves out here and there,
 * is left out always.
 */
void operands_ours(GString *out, const struct insn *insn, unsigned bits, uint64_t at);
void operands_capstone(GString *out, csh handle, const cs_insn *theirs, const struct insn *insn, unsigned bits);

#endif
