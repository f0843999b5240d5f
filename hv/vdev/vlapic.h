/* SPDX-License-Identifier: MIT */
/*
 * One vCPU's virtual local APIC: registers, timer, messages, and which vector comes next (APM2 chapter 16). Pure;
 * how a vector reaches the guest is vm/interrupts.h. Only its own vCPU touches it, but for what others post.
 */
#ifndef HV_VDEV_VLAPIC_H
#define HV_VDEV_VLAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define VLAPIC_BASE 0xFEE00000u
#define VLAPIC_NONE (-1)
#define VLAPIC_LVTS 6
#define VLAPIC_TICK_NS 5 /* the timer's clock before its divider: 200 MHz, as on Family 10h */
#define VLAPIC_PERIOD_MIN_NS 10000u /* periodic requests come no oftener: three times what an exit for one takes */

enum vlapic_mode { /* message types (APM2 16.5) */
    VLAPIC_FIXED, VLAPIC_LOWEST, VLAPIC_SMI, VLAPIC_REMOTE_READ, VLAPIC_NMI, VLAPIC_INIT, VLAPIC_STARTUP, VLAPIC_EXTINT
};
enum vlapic_shorthand { VLAPIC_NO_SHORTHAND, VLAPIC_SELF, VLAPIC_ALL, VLAPIC_OTHERS };

struct vlapic_message {
    enum vlapic_mode mode;
    enum vlapic_shorthand shorthand;
    uint8_t vector, destination;
    bool logical, level; /* level: level-triggered, its EOI goes to the IOAPIC */
};

/* What others have posted; bits of vlapic.posted_events. */
#define VLAPIC_POSTED_VECTORS 1u
#define VLAPIC_POSTED_NMI 2u
#define VLAPIC_POSTED_INIT 4u
#define VLAPIC_POSTED_STARTUP 8u

struct vlapic {
    uint8_t id, tpr;
    uint32_t svr, ldr, dfr, icr_low, icr_high, esr, esr_noted;
    uint32_t lvt[VLAPIC_LVTS];
    uint32_t irr[8], isr[8], tmr[8];
    /* The timer: `left` of its count at the time `from` (vtime.h); 0: it stands. */
    uint32_t divide, initial, left;
    uint64_t from;
    /* Set by any core, atomically. */
    uint32_t posted[8], posted_level[8], posted_events;
    uint8_t startup_page;
};

void vlapic_init(struct vlapic *apic, uint8_t id);
/* As firmware leaves the boot processor's: enabled, the 8259s' INTR at LINT0, NMI at LINT1 (MP 1.4, 3.6.2.2). */
void vlapic_set_virtual_wire(struct vlapic *apic);
/* 32-bit registers at multiples of 16; what has none reads 0 and ignores writes. */
uint32_t vlapic_read(const struct vlapic *apic, unsigned offset, uint64_t now);
enum vlapic_effect {
    VLAPIC_NO_EFFECT,
    VLAPIC_SENDS, /* ICR was written: *message goes to vlapic_route's targets */
    VLAPIC_ENDS   /* EOI of a level-triggered vector: message->vector is for the IOAPIC */
};
enum vlapic_effect vlapic_write(struct vlapic *apic, unsigned offset, uint32_t value, uint64_t now,
                                struct vlapic_message *message);

/* ---- Messages -------------------------------------------------------------------------------------------- */

/*
 * Which of `count` APICs a message goes to, as a bitmap; `from` sends it (-1: the IOAPIC). Of the targets of a
 * lowest-priority message the one with the lowest processor priority, the first of equals.
 */
uint32_t vlapic_route(struct vlapic *const *apics, unsigned count, int from, const struct vlapic_message *message);
/* Leave it for the target's vCPU; from any core. */
void vlapic_post(struct vlapic *to, const struct vlapic_message *message);
static inline bool vlapic_has_posted(const struct vlapic *apic)
{
    return __atomic_load_n(&apic->posted_events, __ATOMIC_ACQUIRE) != 0;
}
/* The target's vCPU takes what was posted: vectors into IRR; the events other than vectors are returned. */
uint32_t vlapic_take_posted(struct vlapic *apic);

/* ---- Timer ----------------------------------------------------------------------------------------------- */

/* When the timer will next request its vector; VTIME_NEVER if it stands or is masked. */
uint64_t vlapic_timer_next(const struct vlapic *apic);
/* Request what is due. Periods missed altogether are one request, as in hardware while IRR is set. */
void vlapic_timer_run(struct vlapic *apic, uint64_t now);

/* ---- Vectors --------------------------------------------------------------------------------------------- */

/* The highest vector requested, TPR and in-service vectors left aside; VLAPIC_NONE also while disabled. */
int vlapic_requested(const struct vlapic *apic);
/* As vlapic_requested, but none unless it is above what is in service. TPR is still left aside. */
int vlapic_pending(const struct vlapic *apic);
/* Whether the vector's class is not above TPR's. */
bool vlapic_tpr_masks(const struct vlapic *apic, int vector);
/* The vector is given to the vCPU: from IRR to ISR. */
void vlapic_accept(struct vlapic *apic, int vector);
/* Whether the 8259s' INTR comes through LINT0 (LVT with ExtINT, unmasked). */
bool vlapic_takes_extint(const struct vlapic *apic);

#endif
