/* SPDX-License-Identifier: MIT */
/*
 * The virtual machine control block (APM2 appendix B): offsets with the manual's digits.
 *   (i) the VMM sets it, VMRUN reads it      (o) #VMEXIT writes it
 *   (a) the processor keeps it up to date: read by VMRUN, written back by #VMEXIT
 *   (l) read by VMLOAD, written by VMSAVE    (-) not on Family 10h, or not modelled: ignored
 * vmcb_fields in vmcb.c is the same list as data.
 */
#ifndef FAM10H_CPU_SVM_VMCB_H
#define FAM10H_CPU_SVM_VMCB_H

#include <string.h>

#include "sim/cpu/core.h"
#include "sim/spa.h"

/* ---- Control area ------------------------------------------------------------------------------------ */

#define VMCB_INTERCEPTS 0x000      /* (i) five words: CR, DR, exceptions, general 1, general 2 */
#define VMCB_IOPM_BASE_PA 0x040    /* (i) */
#define VMCB_MSRPM_BASE_PA 0x048   /* (i) */
#define VMCB_TSC_OFFSET 0x050      /* (i) */
#define VMCB_GUEST_ASID 0x058      /* (i) */
#define VMCB_TLB_CONTROL 0x05C     /* (i) never written by the processor */
#define VMCB_V_INTR 0x060          /* (a) V_TPR, V_IRQ; (i) the rest */
#define VMCB_INTERRUPT_SHADOW 0x068 /* (a) */
#define VMCB_EXITCODE 0x070        /* (o) */
#define VMCB_EXITINFO1 0x078       /* (o) */
#define VMCB_EXITINFO2 0x080       /* (o) */
#define VMCB_EXITINTINFO 0x088     /* (o) */
#define VMCB_NP_ENABLE 0x090       /* (i) */
#define VMCB_EVENTINJ 0x0A8        /* (i), bit 31 (a): cleared by every #VMEXIT */
#define VMCB_N_CR3 0x0B0           /* (i) */
#define VMCB_LBR_ENABLE 0x0B8      /* (i) */
#define VMCB_NRIP 0x0C8            /* (o) from revision C on */

#define V_INTR_TPR 7, 0
#define V_INTR_IRQ 8
#define V_INTR_PRIO 19, 16
#define V_INTR_IGN_TPR 20
#define V_INTR_MASKING 24
#define V_INTR_VECTOR 39, 32

#define TLB_CONTROL_FLUSH_ALL 1

/* EVENTINJ and EXITINTINFO (APM2 15.20). */
#define EVENTINJ_VECTOR 7, 0
#define EVENTINJ_TYPE 10, 8
#define EVENTINJ_EV 11
#define EVENTINJ_V 31
#define EVENTINJ_ERROR 63, 32

/* ---- State-save area --------------------------------------------------------------------------------- */

#define VMCB_SEGMENT(n) (0x400 + 0x10 * (n)) /* (a) ES CS SS DS, (l) FS GS: enum segment_name's order */
#define VMCB_GDTR 0x460            /* (a) */
#define VMCB_LDTR 0x470            /* (l) */
#define VMCB_IDTR 0x480            /* (a) */
#define VMCB_TR 0x490              /* (l) */
#define VMCB_CPL 0x4CB             /* (a) one byte */
#define VMCB_EFER 0x4D0            /* (a) from here to RAX */
#define VMCB_CR4 0x548
#define VMCB_CR3 0x550
#define VMCB_CR0 0x558
#define VMCB_DR7 0x560
#define VMCB_DR6 0x568
#define VMCB_RFLAGS 0x570
#define VMCB_RIP 0x578
#define VMCB_RSP 0x5D8
#define VMCB_RAX 0x5F8
#define VMCB_STAR 0x600            /* (l) from here to SYSENTER_EIP */
#define VMCB_LSTAR 0x608
#define VMCB_CSTAR 0x610
#define VMCB_SFMASK 0x618
#define VMCB_KERNEL_GS_BASE 0x620
#define VMCB_SYSENTER_CS 0x628
#define VMCB_SYSENTER_ESP 0x630
#define VMCB_SYSENTER_EIP 0x638
#define VMCB_CR2 0x640             /* (a) */
#define VMCB_G_PAT 0x668           /* (a) with nested paging only */
#define VMCB_DBGCTL 0x670          /* (a) from here to LASTEXCPTO, with LBR virtualization only */
#define VMCB_BR_FROM 0x678
#define VMCB_BR_TO 0x680
#define VMCB_LASTEXCPFROM 0x688
#define VMCB_LASTEXCPTO 0x690
#define VMCB_USED 0x698             /* bytes of the page that VMRUN and #VMEXIT touch */

/* Inside a segment record. */
#define VMCB_SEG_SELECTOR 0
#define VMCB_SEG_ATTR 2
#define VMCB_SEG_LIMIT 4
#define VMCB_SEG_BASE 8

/* A field by name, for tests and debuggers. */
struct vmcb_field {
    const char *name;
    uint16_t offset;
    uint8_t size;
    char who; /* 'i', 'o', 'a', 'l' or '-' as above */
};
extern const struct vmcb_field vmcb_fields[];
extern const size_t vmcb_field_count;

/* ---- Access ------------------------------------------------------------------------------------------ */

/* A VMCB, or the host save area, in system-physical memory. Values are little-endian as the native ones. */
struct vmcb {
    struct spa_space *space;
    spa_t pa;
    uint8_t *page; /* NULL: not DRAM, every access goes through the space */
};

static inline struct vmcb vmcb_at(struct core *core, spa_t pa)
{
    return (struct vmcb){ core->space, pa, core->space->dram(core->space->ctx, pa, true) };
}

static inline uint64_t vmcb_read(const struct vmcb *vmcb, unsigned offset, unsigned size)
{
    uint64_t value = 0;

    if (!vmcb->page)
        return spa_read(vmcb->space, vmcb->pa + offset, size);
    memcpy(&value, vmcb->page + offset, size);
    return value;
}

static inline void vmcb_write(const struct vmcb *vmcb, unsigned offset, unsigned size, uint64_t value)
{
    if (vmcb->page)
        memcpy(vmcb->page + offset, &value, size);
    else
        spa_write(vmcb->space, vmcb->pa + offset, size, value);
}

/* After a group of writes to `size` bytes from `offset`: tells who watches the page. */
static inline void vmcb_stored(const struct vmcb *vmcb, unsigned offset, unsigned size)
{
    if (vmcb->page)
        spa_stored(vmcb->space, vmcb->pa + offset, size);
}

/* Segment records (APM2 15.5.1): bases are made canonical, attributes cut to twelve bits. */
struct segment vmcb_read_segment(const struct vmcb *vmcb, unsigned offset);
void vmcb_write_segment(const struct vmcb *vmcb, unsigned offset, const struct segment *segment);
struct table_register vmcb_read_table(const struct vmcb *vmcb, unsigned offset);
void vmcb_write_table(const struct vmcb *vmcb, unsigned offset, const struct table_register *table);

/* ---- Registers that switch with the world ------------------------------------------------------------- */

/* A uint64_t member of struct core and its place in the save area. */
struct vmcb_register {
    uint16_t offset;
    uint16_t member; /* offset in struct core */
};

/* Switched both ways at VMRUN and #VMEXIT: host by VM_HSAVE_PA's page, guest by the VMCB. */
extern const struct vmcb_register vmcb_world[];
extern const size_t vmcb_world_count;
/* Of the guest alone: CR2, DR6, DR7. */
extern const struct vmcb_register vmcb_guest_only[];
extern const size_t vmcb_guest_only_count;
/* VMLOAD and VMSAVE (besides FS, GS, LDTR, TR). */
extern const struct vmcb_register vmcb_vmload[];
extern const size_t vmcb_vmload_count;

void vmcb_load_registers(const struct vmcb *vmcb, struct core *core, const struct vmcb_register *rows, size_t count);
void vmcb_save_registers(const struct vmcb *vmcb, const struct core *core, const struct vmcb_register *rows,
                         size_t count);

/* ---- Events ------------------------------------------------------------------------------------------- */

uint64_t vmcb_pack_event(const struct event *event);
/* `cr2` goes along with an injected #PF: delivery writes CR2, and EVENTINJ leaves it to the VMCB's field. */
struct event vmcb_unpack_event(uint64_t eventinj, uint64_t cr2);

#endif
