/* SPDX-License-Identifier: MIT */
/* Access to I/O space with its checks: privilege, the TSS bitmap, the IOIO intercept, I/O breakpoints. */
#ifndef FAM10H_CPU_EXEC_IO_H
#define FAM10H_CPU_EXEC_IO_H

#include "sim/cpu/decode/insn.h"

/* The guards (fact sheet 3.11: privilege and bitmap #GP, then IOPM). After them the access cannot fail. */
enum outcome io_check(struct core *core, const struct insn *insn, uint16_t port, unsigned size, bool in,
                      bool string);
uint32_t io_read(struct core *core, uint16_t port, unsigned size);
void io_write(struct core *core, uint16_t port, unsigned size, uint32_t value);

#endif
