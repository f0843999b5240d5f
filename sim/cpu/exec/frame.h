/* SPDX-License-Identifier: MIT */
/*
 * A stack frame in the making: far calls and event delivery push on a stack that is perhaps not yet the
 * current one. Every push is checked and translated first; frame_commit then stores all and cannot fail.
 */
#ifndef FAM10H_CPU_EXEC_FRAME_H
#define FAM10H_CPU_EXEC_FRAME_H

#include "sim/cpu/exec/memory.h"

#define FRAME_ITEMS 36 /* a call gate's 31 parameters and SS, rSP, CS, rIP */

struct frame {
    struct segment ss;
    uint64_t rsp;
    uint8_t width;   /* bytes of rSP that pushes move: 2, 4, 8 (8: 64-bit mode, SS is not looked at) */
    unsigned access; /* MMU_WRITE, with MMU_USER if the new CPL is 3 */
    uint32_t error;  /* of #SS: the selector of a new inner stack, else 0, and EXT */
    unsigned count;
    struct frame_item {
        struct mem_ref ref;
        uint64_t value;
    } item[FRAME_ITEMS];
};

/* On the current stack. */
void frame_begin(const struct core *core, struct frame *frame, unsigned ext);
/* On another stack, of code that runs at `cpl`; is64: in 64-bit mode. */
void frame_begin_at(struct frame *frame, const struct segment *ss, uint64_t rsp, unsigned cpl, bool is64,
                    uint32_t error);
/* Check one push of 2, 4 or 8 bytes. */
enum outcome frame_push(struct core *core, struct frame *frame, unsigned size, uint64_t value);
/* Store everything pushed and set rSP. SS itself is the caller's. */
void frame_commit(struct core *core, const struct frame *frame);

/* Whether `size` bytes at `offset` lie inside a stack segment, expand-down included (APM2 4.12.2). */
bool stack_limit_allows(const struct segment *ss, uint64_t offset, unsigned size);

#endif
