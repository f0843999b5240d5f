/* SPDX-License-Identifier: MIT */
/* Loading segment registers (APM2 4.5, 4.10): by MOV and POP, by far transfers, by event delivery. */
#ifndef FAM10H_CPU_EXEC_SEGMENT_H
#define FAM10H_CPU_EXEC_SEGMENT_H

#include "sim/cpu/exec/descriptor.h"

/* ES, CS, SS, DS, FS, GS of real and virtual-8086 mode: the selector is a paragraph. */
void segment_load_paragraph(struct core *core, unsigned which, uint16_t selector);

/*
 * What MOV, POP and LxS do to ES, SS, DS, FS or GS in the current mode: all checks, then the load.
 * The interrupt shadow of SS is the instruction's business.
 */
enum outcome segment_load(struct core *core, unsigned which, uint16_t selector);

/*
 * Check a selector as SS of code at `cpl` and give its hidden part, accessed bit set. `vector`: #GP for
 * instructions, #TS for a stack from a TSS (APM2 8.4). null: an error code of EXT alone.
 */
enum outcome segment_check_stack(struct core *core, uint16_t selector, unsigned cpl, uint8_t vector,
                                 unsigned ext, struct segment *segment);
/* The same for ES, DS, FS, GS; a null selector is fine and changes only selector and attributes of *segment. */
enum outcome segment_check_data(struct core *core, uint16_t selector, unsigned cpl, uint8_t vector,
                                unsigned ext, struct segment *segment);
/* LDTR: null is fine; else a present LDT descriptor in the GDT (16 bytes in 64-bit mode). */
enum outcome segment_check_ldt(struct core *core, uint16_t selector, uint8_t vector, unsigned ext,
                               struct segment *segment);

/* The null SS of 64-bit code at `cpl` (APM2 8.9.3). */
struct segment segment_null_stack(const struct core *core, unsigned cpl);
/* A null selector: hidden base and limit stay on AMD processors. */
void segment_make_null(struct segment *segment, uint16_t selector);
/* After a return to the outer level core->cpl: ES, DS, FS, GS that it may not use become null (APM2 4.11.3). */
void segment_null_inner(struct core *core);

#endif
