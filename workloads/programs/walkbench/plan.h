/* SPDX-License-Identifier: MIT */
/* What the touch loops do; the offsets are known to touch.S. */
#ifndef WORKLOADS_WALKBENCH_PLAN_H
#define WORKLOADS_WALKBENCH_PLAN_H

#define PLAN_BASE 0
#define PLAN_STRIDE 8
#define PLAN_COUNT 16
#define PLAN_PASSES 20
#define PLAN_WARM 24
#define PLAN_KIND 28
#define PLAN_CR3 32
#define PLAN_CR4 36
#define PLAN_PAGING 40

#define KIND_LINEAR 0
#define KIND_CHASE 1 /* each word read is the address of the next */
#define KIND_COLD 2  /* CR3 is written before each touch */

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct touch_plan {
    uint64_t base, stride;
    uint32_t count;  /* touches of one pass */
    uint32_t passes; /* between the marks */
    uint32_t warm;   /* passes before the first mark */
    uint32_t kind;
    uint32_t cr3, cr4;
    uint32_t paging; /* CR0.PG to set */
};

_Static_assert(offsetof(struct touch_plan, stride) == PLAN_STRIDE && offsetof(struct touch_plan, count) == PLAN_COUNT &&
               offsetof(struct touch_plan, kind) == PLAN_KIND && offsetof(struct touch_plan, paging) == PLAN_PAGING,
               "touch.S knows these offsets");

/* Switch paging on as planned, run the passes, mark begin and end, switch it off. Returns the last word read. */
uint32_t touch_run_32(const struct touch_plan *plan);
uint32_t touch_run_long(const struct touch_plan *plan);
#endif

#endif
