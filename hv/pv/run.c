/* SPDX-License-Identifier: MIT */
/* A paravirtual vCPU on a core. */
#include "hv/core/memory.h"
#include "hv/core/percore.h"
#include "hv/pv/pv.h"
#include "hv/x86/cpu.h"

#define GDT_BYTES 0xF000u /* 14 frames of the guest's, hv's page */
#define VCPU_BYTES (32ull * PAGE_SIZE)
#define RFLAGS_TF_IF_DF_AC_NT 0x00044700u /* and IOPL is never set */
#define STAR_SYSCALL ((uint64_t)PV_SELECTOR_CODE << 32)
#define STAR_SYSRET ((uint64_t)PV_FLAT_CS32 << 48)
#define DR7_RESET 0x400ull

static uint64_t alias_of(const void *pointer)
{
    return PV_ALIAS + (uintptr_t)pointer;
}

/*
 * VMLOAD of hv's own state puts other values there: no VMRUN comes between this and pv_leave. A 32-bit guest has no
 * SYSCALL: the instruction does not say which CPL it came from.
 */
static void load_system_calls(bool narrow)
{
    msr_write(MSR_EFER, narrow ? msr_read(MSR_EFER) & ~(uint64_t)EFER_SCE : msr_read(MSR_EFER) | EFER_SCE);
    msr_write(MSR_STAR, STAR_SYSCALL | STAR_SYSRET);
    msr_write(MSR_LSTAR, alias_of(pv_syscall64));
    msr_write(MSR_CSTAR, alias_of(pv_syscall32));
    msr_write(MSR_SFMASK, RFLAGS_TF_IF_DF_AC_NT);
}

void pv_arrive(struct pv_vcpu *vcpu)
{
    struct percore *core = percore_self();

    load_system_calls(vcpu->guest->types.narrow);
    cr4_write(cr4_read() | CR4_OSFXSR | CR4_OSXMMEXCPT);
    breakpoints_write(vcpu->breakpoints);
    fpu_load(vcpu->fpu);
    vcpu->apic_id = core->apic_id;
    core->pv_frame = alias_of(&vcpu->frame);
    core->pv_frame_end = alias_of(&vcpu->frame + 1);
    core->tables.tss.rsp[0] = core->pv_frame_end;
}

void pv_leave(struct pv_vcpu *vcpu)
{
    breakpoints_read(vcpu->breakpoints);
    fpu_save(vcpu->fpu);
}

static void load_debug(const struct pv_vcpu *vcpu)
{
    dr6_write(vcpu->dr6);
    dr7_write(vcpu->dr7);
}

static void store_debug(struct pv_vcpu *vcpu)
{
    dr7_write(DR7_RESET);
    vcpu->dr6 = dr6_read();
}

static void store_segments(struct pv_vcpu *vcpu)
{
    selectors_read(&vcpu->ds, &vcpu->es, &vcpu->fs, &vcpu->gs);
    vcpu->fs_base = msr_read(MSR_FS_BASE);
    vcpu->gs_base = msr_read(MSR_KERNEL_GS_BASE);
}

void pv_run(struct pv_vcpu *vcpu)
{
    struct percore *core = percore_self();
    struct table_pointer gdt = { GDT_BYTES - 1, PV_TABLES_START + vcpu->id * VCPU_BYTES };

    gif_clear();
    __atomic_store_n(&vcpu->in_guest, true, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vcpu->entered, vcpu->entered + 1, __ATOMIC_SEQ_CST);
    vcpu->counts.entries++;
    msr_write(MSR_GS_BASE, alias_of(core));
    load_debug(vcpu);
    if (vcpu->ts)
        task_switched_write(true);
    gdt_load(&gdt);
    descriptors_use_pv(true);
    pv_enter(vcpu, pv_root(vcpu));
    vcpu->cr2 = cr2_read();
    if (!(vcpu->frame.vector & PV_VECTOR_NOT_ENTERED)) /* else what was to be loaded stays */
        store_segments(vcpu);
    descriptors_reload(&core->tables);
    msr_write(MSR_GS_BASE, (uintptr_t)core);
    store_debug(vcpu);
    if (vcpu->ts)
        task_switched_write(false);
    __atomic_store_n(&vcpu->in_guest, false, __ATOMIC_SEQ_CST);
    gif_set();
}
