/* SPDX-License-Identifier: MIT */
/*
 * One vCPU's virtual local APIC: registers, and which vector comes next (APM2 chapter 16). Pure; how a vector
 * reaches the guest is interrupts.h. There is no timer: every LVT entry stays masked.
 */
#ifndef HV_VM_VLAPIC_H
#define HV_VM_VLAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define VLAPIC_BASE 0xFEE00000u
#define VLAPIC_NONE (-1)
#define VLAPIC_LVTS 6

struct vlapic {
    uint8_t id, tpr;
    uint32_t svr, ldr, dfr, icr_low, icr_high, esr, esr_noted;
    uint32_t lvt[VLAPIC_LVTS];
    uint32_t irr[8], isr[8];
};

void vlapic_init(struct vlapic *apic, uint8_t id);
/* 32-bit registers at multiples of 16; what has none reads 0 and ignores writes. */
uint32_t vlapic_read(const struct vlapic *apic, unsigned offset);
/* False: an ICR message that is not modelled (only fixed ones to this vCPU itself are). */
bool vlapic_write(struct vlapic *apic, unsigned offset, uint32_t value);

/* The highest vector requested, TPR and in-service vectors left aside; VLAPIC_NONE also while disabled. */
int vlapic_requested(const struct vlapic *apic);
/* As vlapic_requested, but none unless it is above what is in service. TPR is still left aside. */
int vlapic_pending(const struct vlapic *apic);
/* Whether the vector's class is not above TPR's. */
bool vlapic_tpr_masks(const struct vlapic *apic, int vector);
/* The vector is given to the vCPU: from IRR to ISR. */
void vlapic_accept(struct vlapic *apic, int vector);

#endif
