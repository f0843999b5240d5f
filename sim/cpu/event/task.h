/* SPDX-License-Identifier: MIT */
/* Inside event/: the pieces of a hardware task switch (APM2 12.2, 12.3). */
#ifndef FAM10H_CPU_EVENT_TASK_H
#define FAM10H_CPU_EVENT_TASK_H

#include "sim/cpu/event/delivery.h"

/* What a TSS holds of a task, in either width. */
struct task_image {
    uint64_t cr3;
    uint64_t rip, rflags;
    uint64_t gpr[8];
    uint16_t selector[6]; /* ES CS SS DS FS GS */
    uint16_t ldt;
    bool trap;            /* T bit: #DB before the first instruction */
};

#define TSS32_BYTES 104
#define TSS16_BYTES 44
#define TSS32_SAVED 0x20 /* the dynamic part, which a switch writes: rIP to the last selector */
#define TSS32_SAVED_BYTES 64
#define TSS16_SAVED 0x0E
#define TSS16_SAVED_BYTES 28

/* bytes: the whole TSS, TSS32_BYTES or TSS16_BYTES. */
void task_image_decode(struct task_image *image, const uint8_t *bytes, bool wide);
/* bytes: the dynamic part. */
void task_image_encode(const struct task_image *image, uint8_t *bytes, bool wide);

/*
 * The second half of a switch, in the new task: registers, CR3, LDTR and segments. A fault is the new
 * task's, which then has loaded what came before (APM2 12.3).
 */
enum outcome task_enter(struct core *core, const struct task_image *image, bool wide);

/* Through a task gate of the IDT. */
enum outcome task_gate(struct core *core, const struct delivery *delivery, uint16_t selector);

#endif
