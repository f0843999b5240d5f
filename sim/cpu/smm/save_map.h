/* SPDX-License-Identifier: MIT */
/* The SMM save map of Family 10h (fact sheet 2.8; BKDG10 2.4.2.5), offsets from SMM_BASE. smm/ alone includes it. */
#ifndef FAM10H_CPU_SMM_SAVE_MAP_H
#define FAM10H_CPU_SMM_SAVE_MAP_H

#include "sim/cpu/svm/svm.h"

/* ES CS SS DS FS GS: selector; FS and GS base 47:32 at +4; descriptor at +8 */
#define SAVE_SEGMENT(n) (0xFE00 + 0x10 * (n))
#define SAVE_GDTR 0xFE60                      /* limit at +4, base at +8 */
#define SAVE_LDTR 0xFE70                      /* selector, attributes, limit, base */
#define SAVE_IDTR 0xFE80
#define SAVE_TR 0xFE90
#define SAVE_IO_RIP 0xFEA0
#define SAVE_IO_RCX 0xFEA8
#define SAVE_IO_RSI 0xFEB0
#define SAVE_IO_RDI 0xFEB8
#define SAVE_IO_TRAP 0xFEC0
#define SAVE_SMI_STATUS 0xFEC4
#define SAVE_IO_RESTART 0xFEC8
#define SAVE_AUTO_HALT 0xFEC9
#define SAVE_NMI_MASK 0xFECA
#define SAVE_CPL 0xFECB /* assumed: a reserved byte; SS.DPL may differ from CPL after SYSRET */
#define SAVE_SVM_STATE 0xFED8
#define SAVE_VMCB 0xFEE0
#define SAVE_V_INTR 0xFEE8
#define SAVE_REVISION 0xFEFC
#define SAVE_SMM_BASE 0xFF00
#define SAVE_GUEST_PAT 0xFF20
#define SAVE_HOST_EFER 0xFF28
#define SAVE_HOST_CR4 0xFF30
#define SAVE_HOST_CR3 0xFF38
#define SAVE_HOST_CR0 0xFF40

#define SMM_REVISION 0x00030064 /* I/O restart and SMM_BASE relocation */
#define IO_RESTART 0xFF

uint64_t save_read(struct core *core, unsigned offset, unsigned size);
void save_write(struct core *core, unsigned offset, unsigned size, uint64_t value);

/* Registers and segments as they are; rflags must be exact. */
void save_map_store(struct core *core);
/* The same back, masks applied; nothing of what depends on them is brought up to date. */
void save_map_load(struct core *core);
/* A reason why the map cannot be loaded (APM2 10.3.3), or NULL. */
const char *save_map_illegal(struct core *core);

void save_map_store_guest(struct core *core, const struct svm_suspended *suspended);
struct svm_suspended save_map_load_guest(struct core *core);

#endif
