/* SPDX-License-Identifier: MIT */
/* What each core has of its own; reached through GS. */
#ifndef HV_CORE_PERCORE_H
#define HV_CORE_PERCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/x86/cpu.h"
#include "hv/x86/descriptors.h"
#include "hv/x86/pv_layout.h"

#define CORES_MAX 48 /* 8 nodes x 6 cores */

struct percore {
    struct percore *self; /* at gs:0 */
    /* The way into a paravirtual guest and back (hv/x86/pv_entry.S). */
    uint64_t pv_stack, pv_user_rsp, pv_frame, pv_frame_end, pv_unused;
    uint64_t pv_room[48]; /* stack of the way in */
    unsigned index;
    uint32_t apic_id;
    uint32_t node;
    bool running;            /* answers; atomic */
    bool idle;               /* in HLT for want of a vCPU; atomic */
    volatile bool reschedule; /* set by the end of a slice and by wake-ups, cleared by the scheduler */
    volatile bool timer_due;  /* set by the timer's interrupt, cleared by timers_run */
    volatile bool threshold_due;     /* of machine check: its interrupt came */
    bool machine_check_due;          /* a #MC has left something to do, or another core wants it; atomic */
    unsigned mask_generation; /* of the CPUID mask that the core reports */
    struct descriptor_tables tables;
} __attribute__((aligned(16)));

_Static_assert(offsetof(struct percore, pv_stack) == PERCORE_PV_STACK &&
               offsetof(struct percore, pv_user_rsp) == PERCORE_PV_USER_RSP &&
               offsetof(struct percore, pv_frame) == PERCORE_PV_FRAME &&
               offsetof(struct percore, pv_frame_end) == PERCORE_PV_FRAME_END &&
               offsetof(struct percore, pv_room) + sizeof(((struct percore *)0)->pv_room) == PERCORE_PV_ROOM_END,
               "known to pv_entry.S");

extern struct percore percores[CORES_MAX];
extern unsigned percore_count;

static inline struct percore *percore_self(void)
{
    return gs_pointer();
}

/* The cores of a node, one bit each; 0: there is no such node. */
uint64_t percore_of_node(unsigned node);
/* On the core itself: descriptor tables, GS. */
void percore_init(unsigned index, uint32_t apic_id);

#endif
