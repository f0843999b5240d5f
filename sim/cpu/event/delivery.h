/* SPDX-License-Identifier: MIT */
/* Inside event/: one attempt at delivering one event, by mode. */
#ifndef FAM10H_CPU_EVENT_DELIVERY_H
#define FAM10H_CPU_EVENT_DELIVERY_H

#include "sim/cpu/event/event.h"
#include "sim/cpu/exec/descriptor.h"
#include "sim/cpu/exec/frame.h"
#include "sim/cpu/exec/tss.h"

struct delivery {
    const struct event *event;
    unsigned ext;       /* EXT bit of error codes: 0 for INT n, INT3, INTO (APM2 8.4.1) */
    bool software;      /* the gate's DPL is checked against CPL */
    uint64_t rip;       /* pushed */
    uint64_t rflags;    /* pushed: RF set for faults (APM2 3.1.6) */
};

/* Error code that names an IDT entry. */
static inline uint32_t delivery_idt_error(const struct delivery *delivery)
{
    return (uint32_t)delivery->event->vector << 3 | 2 | delivery->ext;
}

enum outcome delivery_real(struct core *core, const struct delivery *delivery);
enum outcome delivery_protected(struct core *core, const struct delivery *delivery);
enum outcome delivery_long(struct core *core, const struct delivery *delivery);
/* INT n in virtual-8086 mode: *done if it went through the virtual IVT, else go on with the IDT. */
enum outcome delivery_virtual_8086(struct core *core, const struct delivery *delivery, bool *done);

/*
 * Check the code segment that a gate names; `inner` says that the CPL changes to its DPL. The hidden part
 * goes to *cs with the new CPL as RPL; is64: it must be a 64-bit segment.
 * assumed: else #GP of its selector, as for any other unfit target; APM2 4.8.4 says that interrupt and trap gates
 * report the vector instead. Bochs did that at first and went over to the selector, which VirtualBox gives, too.
 */
enum outcome delivery_code(struct core *core, const struct delivery *delivery, uint16_t selector, bool is64,
                           struct segment *cs, bool *inner);

/* The end of every protected-mode delivery: CS:rIP, CPL, RFLAGS, mode. */
void delivery_enter(struct core *core, const struct segment *cs, unsigned cpl, uint64_t rip, bool mask_interrupts);

#endif
