/* SPDX-License-Identifier: MIT */
/* AMD-V: switching it on for a core, one vCPU's VMCB, the world switch. */
#ifndef HV_SVM_SVM_H
#define HV_SVM_SVM_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/svm/asid.h"
#include "hv/svm/vmcb.h"

/* What CPUID 8000_000A says. */
struct svm_features {
    uint32_t revision, asids;
    bool nested_paging, lbr_virtualization, lock, nrip_save;
};

/* Per core: the host's own save area and the pages it needs. */
struct svm_core {
    uint64_t host_vmcb; /* VMSAVE's half of the host state */
    struct asid_core asids;
};

/* General registers that the VMCB does not hold; the order is known to world_switch.S. */
struct svm_registers {
    uint64_t rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
};

/* The registers that decide on paging, as the guest sees them (EFER without SVME). */
struct svm_paging {
    uint64_t cr0, cr3, cr4, efer;
};

struct svm_vcpu {
    struct vmcb *vmcb;
    struct svm_registers registers;
    struct asid_vcpu asid;
    uint64_t breakpoints[4]; /* DR0-DR3 while it is on no core */
    void *fpu;      /* FXSAVE image */
    bool in_guest, flush_wanted; /* atomic; flush.c */
    bool shadow;                 /* the VMCB's CR0, CR3, CR4 and EFER are hv's; the guest's are these: */
    struct svm_paging own;
    bool mce;                    /* the guest's own CR4.MCE; the VMCB's is hv's */
    bool context_new;            /* svm_set_context gave it others: tables are to be found for them */
    uint32_t apic_id;            /* of the core it is on while in_guest */
};

/* One line that says what is missing, or NULL: SVM can be used (nested paging: see features). */
const char *svm_missing(struct svm_features *features);
/* Bitmaps shared by all guests. */
struct svm_options {
    bool machine_check;       /* hv takes #MC: CR4.MCE stays set while a guest runs, whatever the guest's own says */
    bool intercept_cr3_write; /* npt_cr3w=: as Xen through 3.4, so that both can be measured */
};
void svm_init(const struct svm_options *options);
/* On the core itself. */
void svm_core_init(struct svm_core *core, bool use_asids);
/* A VMCB for a guest on these nested tables, in the state of a multiboot entry (32-bit flat, paging off). */
bool svm_vcpu_init(struct svm_vcpu *vcpu, uint64_t n_cr3); /* false: no memory */
void svm_vcpu_free(struct svm_vcpu *vcpu);
void svm_vcpu_set_entry(struct svm_vcpu *vcpu, uint32_t rip, uint32_t rsp);
/* Run until the next #VMEXIT. Interrupts come through afterwards, at the STGI inside. Returns the TSC at #VMEXIT. */
uint64_t svm_run(struct svm_core *core, struct svm_vcpu *vcpu);
/*
 * From any core: when this returns, the vCPU uses no translation from before the call, nor will it. Waits for a guest
 * that runs on another core to leave; may be called with locks held that exit handlers take.
 */
void svm_flush(struct svm_vcpu *vcpu);
/* For svm_run alone: around the guest's run, GIF clear. */
void svm_flush_enter(struct svm_vcpu *vcpu);
void svm_flush_leave(struct svm_vcpu *vcpu);

/*
 * The vCPU comes to a core, or leaves it: registers that neither VMRUN nor VMLOAD switches. Those are DR0-DR3, and
 * x87 and SSE registers.
 */
void svm_arrive(const struct svm_vcpu *vcpu);
void svm_leave(struct svm_vcpu *vcpu);

/* ---- What exit handlers may change -------------------------------------------------------------------- */

/* Where the intercepted instruction ends, if the processor says so (revision C and later). */
bool svm_next_rip(const struct svm_vcpu *vcpu, uint64_t *rip);
/* Go on elsewhere; the interrupt shadow belonged to the instruction left behind. */
void svm_set_rip(struct svm_vcpu *vcpu, uint64_t rip);
/* The state that vcpu_op's initialise gives a vCPU; the rest is as at creation. */
struct svm_context {
    struct vmcb_segment cs, ds, es, ss, tr;
    uint64_t cr0, cr3, cr4, efer, rip, rsp, rflags, rax;
};
void svm_set_context(struct svm_vcpu *vcpu, const struct svm_context *context);
/* As INIT leaves it (APM2 14.1.3), but at cs:ip, CS.base being what the selector means in real mode. */
void svm_set_real_mode(struct svm_vcpu *vcpu, uint16_t cs, uint16_t ip);
/* By the number in ModRM and REX.B. */
uint64_t svm_gpr(const struct svm_vcpu *vcpu, unsigned number);
void svm_set_gpr(struct svm_vcpu *vcpu, unsigned number, uint64_t value);
uint64_t svm_tsc_offset(const struct svm_vcpu *vcpu);
bool svm_guest_in_64bit(const struct svm_vcpu *vcpu);
/* The VMCB's fields may be hv's own: ask here. */
struct svm_paging svm_guest_paging(const struct svm_vcpu *vcpu);
/* Values are legal. What they mean for translations is the caller's business. */
void svm_set_guest_paging(struct svm_vcpu *vcpu, const struct svm_paging *value);
/*
 * From nested to shadow paging, once, after svm_vcpu_init: no nested tables, the intercepts that shadow paging wants,
 * and paging always on for the processor, in PAE format unless the guest is in long mode.
 */
void svm_use_shadow(struct svm_vcpu *vcpu);
/* For svm_use_shadow. */
void svm_shadow_msrs(struct svm_vcpu *vcpu);
/* Of svm_options, for svm_set_guest_paging. */
bool svm_takes_machine_checks(void);
/* CR3 for the processor; another one means a new ASID. */
void svm_set_shadow_root(struct svm_vcpu *vcpu, uint64_t cr3);
/* hv's own PAT: every memory type has an index, and index 0 is write-back, which hv itself uses. */
#define SVM_PROCESSOR_PAT 0x0007050100070406ull
void svm_set_rax(struct svm_vcpu *vcpu, uint64_t value);
uint64_t svm_guest_pat(const struct svm_vcpu *vcpu);
void svm_set_guest_pat(struct svm_vcpu *vcpu, uint64_t value);
void svm_set_cr2(struct svm_vcpu *vcpu, uint64_t value);
void svm_set_rflags(struct svm_vcpu *vcpu, uint64_t value);
void svm_inject_exception(struct svm_vcpu *vcpu, unsigned vector, bool has_code, uint32_t code);
/* False: reserved bits, or LME changed under paging; the guest then gets #GP. */
bool svm_set_guest_efer(struct svm_vcpu *vcpu, uint64_t value, bool long_mode_allowed);

/* ---- All of it (state.c): what a guest can see of a vCPU, whatever the paging mode ------------------------ */

#define SVM_FPU_BYTES 512
struct svm_state {
    struct svm_registers registers;
    uint64_t rax, rsp, rip, rflags;
    struct svm_paging paging;
    uint64_t cr2, dr6, dr7, breakpoints[4];
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t cpl;
    bool fpu_used; /* `fpu` means something; else the registers are as at creation */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, pat;
    uint64_t interrupt_shadow;
    uint64_t event; /* EVENTINJ: what was to be injected at the next entry */
    uint64_t tsc;   /* the guest's, at the moment of saving */
    uint8_t fpu[SVM_FPU_BYTES];
};
/* The vCPU is on no core. */
void svm_save_state(const struct svm_vcpu *vcpu, struct svm_state *to);
/* NULL: it can be loaded; else why no processor could have been in this state. */
const char *svm_state_wrong(const struct svm_state *from, bool long_mode_allowed);
void svm_load_state(struct svm_vcpu *vcpu, const struct svm_state *from);

/* What a hardware task switch saves and loads (APM2 12.3); the paging registers are svm_guest_paging's. */
enum svm_segment { SVM_ES, SVM_CS, SVM_SS, SVM_DS, SVM_FS, SVM_GS, SVM_SEGMENTS };
struct svm_task {
    uint32_t gpr[8], eip, eflags; /* gpr by number */
    struct vmcb_segment segment[SVM_SEGMENTS], ldtr, tr, gdtr;
    uint8_t cpl;
    uint64_t dr6, dr7;
};
void svm_save_task(const struct svm_vcpu *vcpu, struct svm_task *to);
/* But gdtr, which no task has of its own. */
void svm_load_task(struct svm_vcpu *vcpu, const struct svm_task *from);

/* ---- Interrupts (interrupt.c) ------------------------------------------------------------------------- */

/* An event that this exit cut off in its delivery is injected again; a software interrupt repeats itself. */
void svm_requeue_event(struct svm_vcpu *vcpu);
/* The vector of the exception whose delivery this exit cut off. */
#define SVM_NO_EXCEPTION 256u
unsigned svm_event_under_delivery(const struct svm_vcpu *vcpu);
/* RFLAGS.IF, and no event waits for injection, nor is there a shadow. */
bool svm_can_take_interrupt(const struct svm_vcpu *vcpu);
bool svm_interrupts_enabled(const struct svm_vcpu *vcpu);
void svm_inject_interrupt(struct svm_vcpu *vcpu, uint8_t vector);
/* Whether an event waits for injection. */
bool svm_has_event(const struct svm_vcpu *vcpu);
/* None does any more: it was delivered. */
void svm_drop_event(struct svm_vcpu *vcpu);
/* EXITINTINFO says that INT n, INT3 or INTO was under delivery, so that RIP is at it. */
bool svm_event_is_software(const struct svm_vcpu *vcpu);
void svm_inject_nmi(struct svm_vcpu *vcpu);
/* Its end tells when the next NMI may come. */
void svm_intercept_iret(struct svm_vcpu *vcpu, bool on);
/*
 * Ask for VMEXIT_VINTR once the guest could take an interrupt of this class: IF set, no shadow, and unless
 * ignore_tpr the class above V_TPR (APM2 15.21.4).
 */
void svm_open_window(struct svm_vcpu *vcpu, unsigned priority, bool ignore_tpr);
void svm_close_window(struct svm_vcpu *vcpu);
/* What the guest reads and writes as CR8. */
unsigned svm_v_tpr(const struct svm_vcpu *vcpu);
void svm_set_v_tpr(struct svm_vcpu *vcpu, unsigned value);
void svm_intercept_cr8(struct svm_vcpu *vcpu, bool reads, bool writes);

/* VMEXIT_name; the exception exits all share one name per vector. NULL for codes no processor gives. */
const char *svm_exit_name(uint64_t exitcode);

#endif
