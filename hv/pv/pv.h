/* SPDX-License-Identifier: MIT */
/*
 * Paravirtual guests: kernel and user code at CPL 3 under hv's own CPL 0, on page tables of the guest's that hv has
 * checked (types.h). This header is what a vCPU and a guest have; nothing here knows a struct guest.
 *
 *   frame64.c   what is particular to 64-bit kernels: bounce frames, iret, entry
 *   frame32.c   the same of 32-bit kernels, which are at CPL 1
 *   run.c       a vCPU on a core: segments, FPU, breakpoints, into the guest and out
 *   relocate.c  another frame for one that is in use
 *   walk.c      linear memory of the guest
 *   machine.c   all frames of the machine, the machine-to-physical table
 */
#ifndef HV_PV_PV_H
#define HV_PV_PV_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/abi/pv.h"
#include "hv/abi/xen.h"
#include "hv/pv/types.h"
#include "hv/x86/descriptors.h"
#include "hv/x86/lock.h"
#include "hv/x86/pv_layout.h"

#define PV_VCPUS_MAX 8

/* What interrupts a guest's kernel whatever it does, by rank; a handler is interrupted by a higher rank alone. */
enum pv_priority { PV_PRIORITY_NONE, PV_PRIORITY_NMI, PV_PRIORITY_MCE };
#define PV_TRAP_NMI 2
#define PV_TRAP_MCE 18

struct pv_counts {
    uint64_t entries;                /* into the guest */
    uint64_t traps[32];              /* exceptions by vector, NMI and #MC too */
    uint64_t interrupts;             /* of the machine */
    uint64_t hypercalls[HYPERCALL_COUNT]; /* by number; the last also for numbers above. Without multicall's own */
    uint64_t system_calls;           /* user code's */
    uint64_t int_n;                  /* of the #GPs: INT n */
    uint64_t bounced[32];            /* exceptions given to the kernel */
    uint64_t refused[32];            /* what loading its selectors, CS, SS, RIP raised */
    uint64_t upcalls, failsafes;     /* callbacks */
    uint64_t emulated;               /* privileged instructions carried out for it */
};

struct pv_callback {
    uint64_t address; /* 0: none */
    bool masks;       /* events are masked in the handler */
    uint16_t cs;      /* 32-bit kernels */
};

struct pv_vcpu {
    struct trap_frame frame; /* filled by pv_entry.S */
    uint16_t ds, es, fs, gs, ldt, pad[3];
    uint64_t fs_base, gs_base; /* gs_base: of the mode that runs; other_gs_base: of the other one */
    uint64_t other_gs_base;
    struct pv_guest *guest;
    unsigned id;
    bool kernel;               /* the guest's kernel mode, not its user mode */
    bool initialised;
    bool ts;                   /* fpu_taskswitch: the next x87 or SSE instruction traps */
    uint64_t kernel_root, user_root; /* machine addresses of L4s; user_root may be 0 */
    uint64_t *own_root;        /* 32-bit: hv's L4, which both roots are; the guest's L3 is its first entry */
    uint64_t narrow_root;      /* that L3's frame */
    uint64_t kernel_sp;
    uint16_t kernel_ss;
    uint64_t cr2;
    uint64_t cr4;              /* as the guest sees it */
    uint64_t breakpoints[4], dr6, dr7;
    unsigned iopl;
    struct pv_trap_info traps[256];
    struct pv_callback callbacks[CALLBACKTYPE_COUNT];
    uint64_t gdt_frames[PV_GDT_FRAMES];
    unsigned gdt_entries;
    uint64_t ldt_base;
    unsigned ldt_entries;
    uint64_t *tables;          /* 32 L1 entries: GDT, LDT */
    uint64_t *reserved_gdt;    /* hv's page of the GDT */
    void *fpu;
    /* Traps 2 and 18 wait here. saved[]: what each rank has interrupted. */
    bool nmi_pending, mce_pending; /* atomic */
    enum pv_priority priority, saved[3];
    /* For flushes: atomic. */
    bool in_guest;
    uint64_t entered;
    uint32_t apic_id;
    struct pv_counts counts;
};

/* The guest stands still by its own will: hypervisor and tools may change which frames it has (hv/vm/pv_suspend.h). */
enum pv_suspend_state { PV_GOES_ON, PV_SUSPEND_ASKED, PV_SUSPENDED };
struct pv_suspend {
    enum pv_suspend_state state; /* atomic */
    uint64_t deadline;           /* asked: clock_now() */
    unsigned vcpu;               /* suspended: which one said so */
    uint64_t start_info;         /* and the frame of its start information */
};

struct pv_guest {
    struct pv_types types;
    struct lock lock;        /* types, tables */
    struct pv_vcpu *vcpus[PV_VCPUS_MAX];
    unsigned vcpu_count;
    uint64_t *tables_pdpt, *tables_directory, *tables_l1; /* slot 260: GDTs and LDTs of all vCPUs */
    uint64_t start_info_pfn; /* for tests of what the builder did */
    uint64_t p2m_frames;
    uint64_t assists;        /* vm_assist bits */
    struct pv_suspend suspend;
    void *arrival;           /* hv/live's, while the guest comes from elsewhere; NULL: none */
    unsigned arrival_order;  /* of its memory */
};

/* ---- Pending traps (for hv/mca and whoever sends NMIs) --------------------------------------------------- */

/* Whether the vCPU's kernel has an entry for this vector in its trap table. */
static inline bool pv_has_trap_handler(const struct pv_vcpu *vcpu, uint8_t vector)
{
    return vcpu->traps[vector].address != 0;
}

/* Trap 18, or 2, before the next instruction of the guest that its priority allows. Wake the vCPU afterwards. */
static inline void pv_raise_mce(struct pv_vcpu *vcpu)
{
    __atomic_store_n(&vcpu->mce_pending, true, __ATOMIC_RELEASE);
}

static inline void pv_raise_nmi(struct pv_vcpu *vcpu)
{
    __atomic_store_n(&vcpu->nmi_pending, true, __ATOMIC_RELEASE);
}

/* The highest of what may be delivered now. Pure. */
enum pv_priority pv_priority_due(const struct pv_vcpu *vcpu);
/* It is being delivered: no longer pending, its rank is the vCPU's. */
void pv_priority_begin(struct pv_vcpu *vcpu, enum pv_priority rank);
/* The iret hypercall: the rank that the handler had interrupted. */
void pv_priority_end(struct pv_vcpu *vcpu);

/* ---- machine.c ------------------------------------------------------------------------------------------- */

/* Before the first paravirtual guest is made; may be called again. False: no memory. */
bool pv_machine_init(void);
/* The machine's frames for types.h. NULL: there is no such frame. */
struct pv_frame *pv_machine_frame(uint64_t frame);
/* The frame is this guest's, at this number of its own. False: no memory for the tables that say so. */
bool pv_machine_give(uint64_t frame, uint16_t owner, uint64_t guest_frame);
void pv_machine_take(uint64_t frame);
/* Machine-to-physical. */
void pv_m2p_set(uint64_t frame, uint64_t guest_frame);
uint64_t pv_m2p(uint64_t frame);
/* The L4 entry of the whole table. */
uint64_t pv_m2p_root(void);

/* ---- guest.c: a guest and its vCPUs ---------------------------------------------------------------------- */

struct pv_guest *pv_guest_new(uint16_t owner, unsigned vcpus); /* NULL: no memory */
void pv_guest_free(struct pv_guest *guest);
/* No vCPU but `self` (NULL: none) uses a translation from before the call. */
void pv_flush(struct pv_guest *guest, const struct pv_vcpu *self);

/* ---- walk.c ---------------------------------------------------------------------------------------------- */

/* Where the tables at root lead; false: nowhere, not for writing if that is wanted, or into hv's range. */
bool pv_walk(uint64_t root, uint64_t linear, bool write, uint64_t *address);
/* Machine address of the L1 entry; false: there is none. */
bool pv_walk_entry(uint64_t root, uint64_t linear, uint64_t *address);
uint64_t pv_root(const struct pv_vcpu *vcpu);
bool pv_copy_in(struct pv_vcpu *vcpu, void *to, uint64_t linear, uint64_t size);
bool pv_copy_out(struct pv_vcpu *vcpu, uint64_t linear, const void *from, uint64_t size);

/* ---- run.c ----------------------------------------------------------------------------------------------- */

void pv_arrive(struct pv_vcpu *vcpu);
void pv_leave(struct pv_vcpu *vcpu);
/* Until the next trap, which the frame then describes. IF=0 before and after. */
void pv_run(struct pv_vcpu *vcpu);
static inline bool pv_is_canonical(uint64_t linear)
{
    return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}

/* ---- tables.c: GDT and LDT ------------------------------------------------------------------------------- */

/* 0, or one of Xen's errors, negated. */
int64_t pv_set_gdt(struct pv_vcpu *vcpu, const uint64_t *frames, unsigned entries);
int64_t pv_set_ldt(struct pv_vcpu *vcpu, uint64_t linear, unsigned entries);
int64_t pv_update_descriptor(struct pv_guest *guest, uint64_t address, uint64_t descriptor);
/* A new page-table root for kernel or user mode; 0 for the user's: none. */
int64_t pv_set_root(struct pv_vcpu *vcpu, bool kernel, uint64_t frame);

/* ---- relocate.c: the guest is suspended, the caller holds its lock ---------------------------------------- */

/*
 * The guest's frame `to`, unused, takes over what `from` is: contents, counts, type, and its place in every table, of
 * the guest's (frames below `limit` are looked at), its vCPUs' roots, GDTs and LDTs. `from` is unused then.
 */
void pv_relocate(struct pv_guest *guest, uint64_t limit, uint64_t from, uint64_t to);
/* The types' and tables' part of it. Pure. */
void pv_types_relocate(struct pv_types *types, uint64_t limit, uint64_t from, uint64_t to);

/* ---- frame64.c ------------------------------------------------------------------------------------------- */

/* As the first vCPU of a guest begins. */
void pv64_enter(struct pv_vcpu *vcpu, uint64_t rip, uint64_t rsp, uint64_t rsi);
int64_t pv64_set_context(struct pv_vcpu *vcpu, const struct pv_vcpu_context *context);
/* The vCPU goes on in its kernel; false: the kernel's stack is not there. */
bool pv64_bounce_trap(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, unsigned vector, bool has_code, uint64_t code);
bool pv64_bounce_callback(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, unsigned type);
/* False: no frame at RSP, or one that no iret can follow. */
bool pv64_iret(struct pv_vcpu *vcpu, struct vcpu_info_64 *info);
/* Between kernel and user mode: page tables and GS follow. */
void pv64_set_mode(struct pv_vcpu *vcpu, bool kernel);
/* Stubs of the hypercall page. */
void pv64_hypercall_page(uint8_t page[4096]);
/* What a kernel may put into RFLAGS, and what a handler begins with. */
uint64_t pv_flags_for_guest(uint64_t rflags);
uint64_t pv_flags_for_handler(uint64_t rflags);

/* ---- frame32.c: as above ---------------------------------------------------------------------------------- */

/* Makes a guest, new yet, one of 32 bits. False: no memory. */
bool pv32_guest_begin(struct pv_guest *guest);
void pv32_enter(struct pv_vcpu *vcpu, uint32_t eip, uint32_t esp, uint32_t esi);
bool pv32_bounce_trap(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, unsigned vector, bool has_code, uint64_t code);
bool pv32_bounce_callback(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, unsigned type);
bool pv32_iret(struct pv_vcpu *vcpu, struct vcpu_info_64 *info);
void pv32_hypercall_page(uint8_t page[4096]);
/* A selector that the kernel has given for its own use: CPL 0 means its own, 1. */
uint16_t pv32_kernel_selector(uint16_t selector);

/* ---- Either width ----------------------------------------------------------------------------------------- */

static inline bool pv_bounce_trap(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, unsigned vector, bool has_code,
                                  uint64_t code)
{
    return (vcpu->guest->types.narrow ? pv32_bounce_trap : pv64_bounce_trap)(vcpu, info, vector, has_code, code);
}

static inline bool pv_bounce_callback(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, unsigned type)
{
    return (vcpu->guest->types.narrow ? pv32_bounce_callback : pv64_bounce_callback)(vcpu, info, type);
}

#endif
