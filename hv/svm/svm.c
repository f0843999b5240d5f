/* SPDX-License-Identifier: MIT */
#include "hv/svm/svm.h"

#include "hv/core/console.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/x86/cpu.h"

#define CPUID_SVM_LEAF 0x8000000A
#define CPUID_ECX_SVM (1u << 2)      /* 8000_0001 */
#define CPUID_EDX_NP (1u << 0)       /* 8000_000A */
#define CPUID_EDX_LBR (1u << 1)
#define CPUID_EDX_SVML (1u << 2)
#define CPUID_EDX_NRIPS (1u << 3)
#define VM_CR_SVMDIS (1u << 4)
#define BU_CFG2_DIS_WC_PLUS (1ull << 24) /* must be clear with nested paging (Xen and KVM do so) */

#define IOPM_PAGES_ORDER 2  /* 12 KiB, from the next power of two */
#define IOPM_BYTES 0x3000
#define MSRPM_PAGES_ORDER 1
#define MSRPM_BYTES 0x2000

#define G_PAT_RESET 0x0007040600070406ull
#define CR0_RESET 0x00000011ull      /* PE, ET */
#define CR0_INIT 0x60000010ull
#define DR6_RESET 0xFFFF0FF0ull
#define DR7_RESET 0x00000400ull
#define EFER_GUEST_BITS (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define CR0_PG (1ull << 31)
#define EXC_MC 18
#define FCW_INITIAL 0x037F   /* as FNINIT leaves it; MXCSR as reset does */
#define MXCSR_RESET 0x1F80u

uint64_t svm_world_switch(uint64_t guest_vmcb, struct svm_registers *registers, uint64_t host_vmcb);

static struct svm_features features_seen;
static struct svm_options options_chosen;
static uint64_t iopm, msrpm, msrpm_shadow;

const char *svm_missing(struct svm_features *features)
{
    struct cpuid_result r;

    *features = (struct svm_features){ 0 };
    if (cpuid(0x80000000, 0).eax < CPUID_SVM_LEAF || !(cpuid(0x80000001, 0).ecx & CPUID_ECX_SVM))
        return "this processor has no SVM";
    if (msr_read(MSR_VM_CR) & VM_CR_SVMDIS)
        return "SVM is disabled by firmware (VM_CR.SVMDIS)";
    r = cpuid(CPUID_SVM_LEAF, 0);
    features->revision = r.eax & 0xFF;
    features->asids = r.ebx;
    features->nested_paging = r.edx & CPUID_EDX_NP;
    features->lbr_virtualization = r.edx & CPUID_EDX_LBR;
    features->lock = r.edx & CPUID_EDX_SVML;
    features->nrip_save = r.edx & CPUID_EDX_NRIPS;
    features_seen = *features;
    return NULL;
}

/* Clear both bits of an MSR: the guest reads and writes its own copy, which VMLOAD and VMSAVE switch. */
static void msrpm_pass(uint64_t map_address, uint32_t msr)
{
    uint8_t *map = memory_pointer(map_address);
    uint32_t index = msr & 0x1FFF;

    if (msr >= 0xC0010000)
        index += 0x4000;
    else if (msr >= 0xC0000000)
        index += 0x2000;
    map[index / 4] &= (uint8_t)~(3u << index % 4 * 2);
}

void svm_init(const struct svm_options *options)
{
    /* FS.base, GS.base, KernelGSBase; STAR, LSTAR, CSTAR, SFMASK; SYSENTER_CS, ESP, EIP */
    static const uint32_t passed[] = { 0xC0000100, 0xC0000101, 0xC0000102, 0xC0000081, 0xC0000082, 0xC0000083,
                                       0xC0000084, 0x174, 0x175, 0x176 };

    options_chosen = *options;
    iopm = memory_alloc(IOPM_PAGES_ORDER);
    msrpm = memory_alloc(MSRPM_PAGES_ORDER);
    msrpm_shadow = memory_alloc(MSRPM_PAGES_ORDER);
    if (!iopm || !msrpm || !msrpm_shadow)
        panic("out of memory for the permission maps");
    memset(memory_pointer(iopm), 0xFF, IOPM_BYTES);
    memset(memory_pointer(msrpm_shadow), 0xFF, MSRPM_BYTES);
    for (unsigned i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        msrpm_pass(msrpm_shadow, passed[i]);
    memcpy(memory_pointer(msrpm), memory_pointer(msrpm_shadow), MSRPM_BYTES);
    msrpm_pass(msrpm, MSR_PAT); /* under nested paging that is the VMCB's G_PAT, else it would be hv's */
}

static bool is_family_10h(void)
{
    uint32_t eax = cpuid(1, 0).eax;

    return (eax >> 8 & 0xF) + (eax >> 20 & 0xFF) == 0x10;
}

void svm_core_init(struct svm_core *core, bool use_asids)
{
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
    msr_write(MSR_VM_HSAVE_PA, (uintptr_t)memory_alloc_page());
    if (is_family_10h())
        msr_write(MSR_BU_CFG2, msr_read(MSR_BU_CFG2) & ~BU_CFG2_DIS_WC_PLUS);
    cr4_write(cr4_read() | CR4_OSFXSR); /* FXSAVE then includes XMM */
    core->host_vmcb = (uintptr_t)memory_alloc_page();
    vmsave(core->host_vmcb);
    asid_core_init(&core->asids, features_seen.asids, use_asids && asid_usable(cpuid(1, 0).eax));
}

void svm_arrive(const struct svm_vcpu *vcpu)
{
    breakpoints_write(vcpu->breakpoints);
    if (vcpu->shadow && msr_read(MSR_PAT) != SVM_PROCESSOR_PAT)
        msr_write(MSR_PAT, SVM_PROCESSOR_PAT); /* once on each core that runs such a guest: it flushes */
    fpu_load(vcpu->fpu);
}

void svm_leave(struct svm_vcpu *vcpu)
{
    breakpoints_read(vcpu->breakpoints);
    fpu_save(vcpu->fpu);
}

static void set_intercepts(struct vmcb *vmcb)
{
    vmcb->intercept_1 = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_CPUID | INTERCEPT_INVD |
                        INTERCEPT_HLT | INTERCEPT_INVLPGA | INTERCEPT_IOIO_PROT | INTERCEPT_MSR_PROT |
                        INTERCEPT_SHUTDOWN;
    vmcb->intercept_2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI |
                        INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_MONITOR | INTERCEPT_MWAIT;
    vmcb->intercept_exceptions = 1u << EXC_MC;
    if (options_chosen.intercept_cr3_write)
        vmcb->intercept_cr_write = 1u << 3;
    vmcb->iopm_base_pa = iopm;
    vmcb->msrpm_base_pa = msrpm;
    vmcb->v_intr = V_INTR_MASKING;
}

bool svm_takes_machine_checks(void)
{
    return options_chosen.machine_check;
}

/* The guest's PAT MSR is hv's business: the processor's stays hv's. */
void svm_shadow_msrs(struct svm_vcpu *vcpu)
{
    vcpu->vmcb->msrpm_base_pa = msrpm_shadow;
}

static void set_flat_state(struct vmcb *vmcb)
{
    struct vmcb_segment data = { 0x10, SEGMENT_DATA32, 0xFFFFFFFF, 0 };

    vmcb->cs = (struct vmcb_segment){ 0x08, SEGMENT_CODE32, 0xFFFFFFFF, 0 };
    vmcb->ds = vmcb->es = vmcb->ss = vmcb->fs = vmcb->gs = data;
    vmcb->ldtr.attributes = SEGMENT_LDT;
    vmcb->tr = (struct vmcb_segment){ 0, SEGMENT_TSS32, 0x67, 0 };
    vmcb->efer = EFER_SVME; /* VMRUN requires it; the guest does not see it */
    vmcb->cr0 = CR0_RESET;
    vmcb->dr6 = DR6_RESET;
    vmcb->dr7 = DR7_RESET;
    vmcb->rflags = RFLAGS_FIXED;
    vmcb->g_pat = G_PAT_RESET;
}

/* CR0, CR3 and CR4 as set_flat_state left them, with what hv wants to be set in them. */
static void set_flat_paging(struct svm_vcpu *vcpu)
{
    struct svm_paging flat = { .cr0 = CR0_RESET };

    svm_set_guest_paging(vcpu, &flat);
}

/* The beginning of an FXSAVE image (APM2 11.4.4). */
struct fpu_image {
    uint16_t fcw, fsw, ftw, fop;
    uint64_t rip, rdp;
    uint32_t mxcsr;
} __attribute__((packed));

static void *zeroed_page(void)
{
    uint64_t page = memory_alloc(ORDER_4K);

    return page ? text_zero(memory_pointer(page), PAGE_SIZE) : NULL;
}

static void free_page(void *page)
{
    if (page)
        memory_free((uintptr_t)page, ORDER_4K);
}

void svm_vcpu_free(struct svm_vcpu *vcpu)
{
    free_page(vcpu->vmcb);
    free_page(vcpu->fpu);
    *vcpu = (struct svm_vcpu){ 0 };
}

bool svm_vcpu_init(struct svm_vcpu *vcpu, uint64_t n_cr3)
{
    static const struct fpu_image fpu = { .fcw = FCW_INITIAL, .mxcsr = MXCSR_RESET };

    *vcpu = (struct svm_vcpu){ .vmcb = zeroed_page(), .fpu = zeroed_page() };
    if (!vcpu->vmcb || !vcpu->fpu) {
        svm_vcpu_free(vcpu);
        return false;
    }
    memcpy(vcpu->fpu, &fpu, sizeof(fpu));
    asid_drop(&vcpu->asid);
    set_intercepts(vcpu->vmcb);
    set_flat_state(vcpu->vmcb);
    vcpu->vmcb->np_enable = 1;
    vcpu->vmcb->n_cr3 = n_cr3;
    set_flat_paging(vcpu);
    return true;
}

void svm_vcpu_set_entry(struct svm_vcpu *vcpu, uint32_t rip, uint32_t rsp)
{
    vcpu->vmcb->rip = rip;
    vcpu->vmcb->rsp = rsp;
}

uint64_t svm_run(struct svm_core *core, struct svm_vcpu *vcpu)
{
    struct asid_choice choice;
    uint64_t tsc;

    gif_clear();
    svm_flush_enter(vcpu);
    choice = asid_choose(&core->asids, &vcpu->asid);
    vcpu->vmcb->asid = choice.asid;
    vcpu->vmcb->tlb_control = choice.tlb_control;
    tsc = svm_world_switch((uintptr_t)vcpu->vmcb, &vcpu->registers, core->host_vmcb);
    svm_flush_leave(vcpu);
    gif_set();
    return tsc;
}

void svm_set_context(struct svm_vcpu *vcpu, const struct svm_context *context)
{
    struct vmcb *vmcb = vcpu->vmcb;

    set_flat_state(vmcb);
    vmcb->cs = context->cs;
    vmcb->ds = context->ds;
    vmcb->es = context->es;
    vmcb->ss = context->ss;
    vmcb->tr = context->tr;
    svm_set_guest_paging(vcpu, &(struct svm_paging){ context->cr0, context->cr3, context->cr4,
                                                     context->efer & EFER_GUEST_BITS });
    vmcb->rip = context->rip;
    vmcb->rsp = context->rsp;
    vmcb->rflags = context->rflags | RFLAGS_FIXED;
    vmcb->rax = context->rax;
    vmcb->eventinj = 0;
    vmcb->interrupt_shadow = 0;
    vcpu->context_new = true;
    asid_drop(&vcpu->asid); /* its old translations belong to another life */
}

/* CR0: caches off, ET. */
void svm_set_real_mode(struct svm_vcpu *vcpu, uint16_t cs, uint16_t ip)
{
    struct vmcb_segment data = { 0, SEGMENT_DATA16, 0xFFFF, 0 };
    struct svm_context context = {
        .cs = { cs, SEGMENT_CODE16, 0xFFFF, (uint64_t)cs << 4 }, .ds = data, .es = data,
        .ss = data, .tr = { 0, SEGMENT_TSS32, 0xFFFF, 0 }, .cr0 = CR0_INIT, .rip = ip,
    };

    svm_set_context(vcpu, &context);
    vcpu->vmcb->fs = vcpu->vmcb->gs = data;
    vcpu->vmcb->gdtr = vcpu->vmcb->idtr = (struct vmcb_segment){ .limit = 0xFFFF };
    vcpu->registers = (struct svm_registers){ .rdx = cpuid(1, 0).eax };
}

/* RAX and RSP are the VMCB's; the others stand in svm_registers in the order of their numbers. */
static uint64_t *gpr_place(const struct svm_vcpu *vcpu, unsigned number)
{
    static const uint8_t index[16] = { 0, 0, 1, 2, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };

    number &= 15;
    if (number == 0)
        return &vcpu->vmcb->rax;
    if (number == 4)
        return &vcpu->vmcb->rsp;
    return (uint64_t *)(uintptr_t)&vcpu->registers + index[number];
}

uint64_t svm_gpr(const struct svm_vcpu *vcpu, unsigned number)
{
    return *gpr_place(vcpu, number);
}

void svm_set_gpr(struct svm_vcpu *vcpu, unsigned number, uint64_t value)
{
    *gpr_place(vcpu, number) = value;
}

uint64_t svm_tsc_offset(const struct svm_vcpu *vcpu)
{
    return vcpu->vmcb->tsc_offset;
}

bool svm_guest_in_64bit(const struct svm_vcpu *vcpu)
{
    return vcpu->vmcb->efer & EFER_LMA && vcpu->vmcb->cs.attributes & SEGMENT_L;
}

bool svm_next_rip(const struct svm_vcpu *vcpu, uint64_t *rip)
{
    *rip = vcpu->vmcb->nrip;
    return features_seen.nrip_save;
}

void svm_set_rip(struct svm_vcpu *vcpu, uint64_t rip)
{
    if (!svm_guest_in_64bit(vcpu))
        rip = (uint32_t)rip;
    vcpu->vmcb->rip = rip;
    vcpu->vmcb->interrupt_shadow = 0;
}

void svm_set_rax(struct svm_vcpu *vcpu, uint64_t value)
{
    vcpu->vmcb->rax = value;
}

void svm_set_cr2(struct svm_vcpu *vcpu, uint64_t value)
{
    vcpu->vmcb->cr2 = value;
}

void svm_set_rflags(struct svm_vcpu *vcpu, uint64_t value)
{
    vcpu->vmcb->rflags = value | RFLAGS_FIXED;
}

bool svm_set_guest_efer(struct svm_vcpu *vcpu, uint64_t value, bool long_mode_allowed)
{
    struct svm_paging now = svm_guest_paging(vcpu);
    uint64_t allowed = long_mode_allowed ? EFER_GUEST_BITS : EFER_GUEST_BITS & ~(uint64_t)EFER_LME;

    if (value & ~allowed)
        return false;
    if (now.cr0 & CR0_PG && (value ^ now.efer) & EFER_LME)
        return false;
    now.efer = (value & ~(uint64_t)EFER_LMA) | (now.efer & EFER_LMA);
    svm_set_guest_paging(vcpu, &now);
    return true;
}

const char *svm_exit_name(uint64_t exitcode)
{
    switch (exitcode) {
#define NAME(code) case code: return #code
    NAME(VMEXIT_CR0_READ);
    NAME(VMEXIT_CR3_READ);
    NAME(VMEXIT_CR4_READ);
    NAME(VMEXIT_CR8_READ);
    NAME(VMEXIT_CR0_WRITE);
    NAME(VMEXIT_CR3_WRITE);
    NAME(VMEXIT_CR4_WRITE);
    NAME(VMEXIT_CR8_WRITE);
    NAME(VMEXIT_EXCP_PF);
    NAME(VMEXIT_EXCP_MC);
    NAME(VMEXIT_INTR);
    NAME(VMEXIT_NMI);
    NAME(VMEXIT_INIT);
    NAME(VMEXIT_VINTR);
    NAME(VMEXIT_CPUID);
    NAME(VMEXIT_IRET);
    NAME(VMEXIT_INVD);
    NAME(VMEXIT_HLT);
    NAME(VMEXIT_INVLPG);
    NAME(VMEXIT_INVLPGA);
    NAME(VMEXIT_IOIO);
    NAME(VMEXIT_MSR);
    NAME(VMEXIT_TASK_SWITCH);
    NAME(VMEXIT_SHUTDOWN);
    NAME(VMEXIT_VMRUN);
    NAME(VMEXIT_VMMCALL);
    NAME(VMEXIT_VMLOAD);
    NAME(VMEXIT_VMSAVE);
    NAME(VMEXIT_STGI);
    NAME(VMEXIT_CLGI);
    NAME(VMEXIT_SKINIT);
    NAME(VMEXIT_MONITOR);
    NAME(VMEXIT_MWAIT);
    NAME(VMEXIT_NPF);
    NAME(VMEXIT_INVALID);
#undef NAME
    default: return NULL;
    }
}
