/* SPDX-License-Identifier: MIT */
/* Declares the semantics function of every row. The files that define them include this. */
#ifndef FAM10H_CPU_ISA_SEMANTICS_H
#define FAM10H_CPU_ISA_SEMANTICS_H

#include "sim/cpu/isa/isa.h"

#define ROW(name, encoding, operands, modes, feature, attributes, intercept, flags, faults, cost, run) exec_fn run;
#include "sim/cpu/isa/rows.def"
#undef ROW

#endif
