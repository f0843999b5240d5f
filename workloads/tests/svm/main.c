/* SPDX-License-Identifier: MIT */
/*
 * The basics of SVM (APM2 chapter 15) in one small program that is its own hypervisor: VMRUN starts a guest,
 * intercepts bring it back with EXITCODE, EXITINFO and saved rIP, and an illegal state is refused (APM2 15.5.1,
 * 15.9 to 15.12, 15.20, 15.21, 15.25.6).
 *
 * These are only begun here; svm-intercepts, svm-ioio, svm-msr, svm-events, svm-vmrun, svm-inject, svm-vintr and
 * svm-npf take it further.
 *
 * The guest is a few instructions of switch.S in 64-bit mode at CPL 0, entered with IF=0. CR0, CR3, CR4 and EFER
 * are the host's, so it shares the host's page tables; its IDT is empty. VMRUN, VMMCALL and shutdown are
 * intercepted. That an instruction does not exit is seen by the VMMCALL behind it.
 *
 * VMMCALL and an intercepted CPUID exit with rIP at themselves, HLT with its code. OUT and IN exit for the IOPM bit
 * of any port that they touch, RDMSR and WRMSR of EFER for the read and the write bit in byte 820h of the MSRPM, a
 * read of CR0 with code 000h and a write of CR3 with 013h; with all these bits clear but others set none exits. An
 * intercepted #UD or #PF exits before its delivery, the #PF with the address in EXITINFO2 and CR2 not written.
 * Seven illegal states are VMEXIT_INVALID. An injected #UD is not intercepted but delivered: with the empty IDT
 * that ends in shutdown, or in an intercepted #GP with the #UD in EXITINTINFO. A virtual interrupt exits one
 * instruction after STI and waits while IF=0. With nested paging a gPA that is not mapped exits with VMEXIT_NPF and
 * that address; a mapped one is written, but not in a 2 MiB page without write permission.
 *
 * That last part runs where CPUID announces nested paging. Without SVM the program is one skipped check.
 */
#include "hv/svm/vmcb.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"

#define MSR_EFER 0xC0000080
#define MSR_VM_HSAVE_PA 0xC0010117
#define EFER_SVME (1u << 12)
#define CPUID_ECX_SVM (1u << 2)
#define CPUID_EDX_NP (1u << 0)
#define WINDOW 0x20000000000ull /* guest_read and guest_write go there */
#define STORED 0x600DF00D       /* by guest_write */
#define TARGET 0x1000000u       /* 16 MiB: a 2 MiB page that holds neither the program nor its tables */
#define CR0_CD (1u << 30)
#define CR0_NW (1u << 29)
#define RFLAGS_FIXED 2
#define RFLAGS_IF 0x200

void svm_enter(uint64_t vmcb);
extern char guest_vmmcall[], guest_cpuid[], guest_hlt[], guest_ud2[], guest_out[], after_out[], guest_in[], after_in[],
    guest_rdmsr[], guest_wrmsr[], guest_read[], guest_write[], guest_read_cr0[], guest_write_cr3[], guest_sti_wait[];

static struct vmcb vmcb __attribute__((aligned(4096)));
static uint8_t host_save[4096] __attribute__((aligned(4096)));
static uint8_t iopm[0x3000] __attribute__((aligned(4096))), msrpm[0x2000] __attribute__((aligned(4096)));
static uint8_t guest_stack[4096] __attribute__((aligned(4096)));
static uint64_t nested[3][512] __attribute__((aligned(4096)));

static struct vmcb_segment flat(uint16_t selector, uint16_t attributes)
{
    return (struct vmcb_segment){ selector, attributes, 0xFFFFFFFF, 0 };
}

static void prepare(const char *code)
{
    memset(&vmcb, 0, sizeof(vmcb));
    vmcb.intercept_2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL;
    vmcb.intercept_1 = INTERCEPT_SHUTDOWN;
    vmcb.iopm_base_pa = (uintptr_t)iopm;
    vmcb.msrpm_base_pa = (uintptr_t)msrpm;
    vmcb.asid = 1;
    vmcb.tlb_control = 1;
    vmcb.cs = flat(0x18, SEGMENT_CODE64);
    vmcb.ds = vmcb.es = vmcb.ss = flat(0x10, SEGMENT_DATA32);
    vmcb.efer = msr_read(MSR_EFER);
    vmcb.cr0 = cr0_read();
    vmcb.cr3 = cr3_read();
    vmcb.cr4 = cr4_read();
    vmcb.dr6 = 0xFFFF0FF0;
    vmcb.dr7 = 0x400;
    vmcb.rflags = RFLAGS_FIXED;
    vmcb.rip = (uintptr_t)code;
    vmcb.rsp = (uintptr_t)guest_stack + sizeof(guest_stack);
    vmcb.g_pat = 0x0007040600070406ull;
}

static uint64_t run(void)
{
    svm_enter((uintptr_t)&vmcb);
    return vmcb.exitcode;
}

static void vmmcall_and_cpuid(void)
{
    prepare(guest_vmmcall);
    check_equal(run(), VMEXIT_VMMCALL, "VMMCALL exits with its code");
    check_equal(vmcb.rip, (uintptr_t)guest_vmmcall, "RIP is the instruction's own");
    prepare(guest_cpuid);
    vmcb.intercept_1 |= INTERCEPT_CPUID;
    check_equal(run(), VMEXIT_CPUID, "an intercepted CPUID exits");
    check_equal(vmcb.rip, (uintptr_t)guest_cpuid, "before it is executed");
    prepare(guest_cpuid);
    check_equal(run(), VMEXIT_VMMCALL, "one that is not intercepted runs");
    check_equal(vmcb.rip, (uintptr_t)guest_cpuid + 2, "and the guest goes on to its VMMCALL");
    prepare(guest_hlt);
    vmcb.intercept_1 |= INTERCEPT_HLT;
    check_equal(run(), VMEXIT_HLT, "an intercepted HLT exits");
    prepare(guest_hlt);
    vmcb.intercept_1 |= INTERCEPT_VINTR;
    vmcb.rflags |= RFLAGS_IF;
    vmcb.interrupt_shadow = 1; /* until HLT has run: then the virtual interrupt is due */
    vmcb.v_intr = V_INTR_MASKING | V_IRQ | V_INTR_PRIO;
    check_equal(run(), VMEXIT_VINTR, "one that is not waits for its interrupt");
    check_equal(vmcb.rip, (uintptr_t)guest_hlt + 1, "behind itself");
}

static void io(void)
{
    prepare(guest_out);
    vmcb.intercept_1 |= INTERCEPT_IOIO_PROT;
    iopm[0x1234 / 8] |= 1u << 0x1234 % 8;
    check_equal(run(), VMEXIT_IOIO, "OUT to a port whose IOPM bit is set exits");
    check_equal(vmcb.exitinfo1 & 0xFFFF03FF, 0x12340000 | IOIO_SZ16 | 1u << 9,
                "EXITINFO1: port 1234h, 16 bits, A64, OUT");
    check_equal(vmcb.exitinfo2, (uintptr_t)after_out, "EXITINFO2: the next RIP");
    memset(iopm, 0, sizeof(iopm));
    iopm[0x1235 / 8] |= 1u << 0x1235 % 8;
    prepare(guest_out);
    vmcb.intercept_1 |= INTERCEPT_IOIO_PROT;
    check_equal(run(), VMEXIT_IOIO, "a word exits for its second port's bit, too");
    memset(iopm, 0, sizeof(iopm));
    prepare(guest_out);
    vmcb.intercept_1 |= INTERCEPT_IOIO_PROT;
    check_equal(run(), VMEXIT_VMMCALL, "with clear bits it passes");
    iopm[0x71 / 8] |= 1u << 0x71 % 8;
    prepare(guest_in);
    vmcb.intercept_1 |= INTERCEPT_IOIO_PROT;
    check_equal(run(), VMEXIT_IOIO, "IN from an intercepted port exits");
    check_equal(vmcb.exitinfo1 & 0xFFFF007F, 0x00710000 | IOIO_SZ8 | IOIO_TYPE_IN, "EXITINFO1: port 71h, 8 bits, IN");
    check_equal(vmcb.exitinfo2, (uintptr_t)after_in, "EXITINFO2: the next RIP");
    memset(iopm, 0, sizeof(iopm));
}

/* EFER is MSR 80h of the second range: byte 800h + 20h, bits 0 (read) and 1 (write). */
static void msrs(void)
{
    prepare(guest_rdmsr);
    vmcb.intercept_1 |= INTERCEPT_MSR_PROT;
    msrpm[0x820] = 1;
    check_equal(run(), VMEXIT_MSR, "RDMSR of an MSR whose read bit is set exits");
    check_equal(vmcb.exitinfo1, 0, "EXITINFO1: 0 for RDMSR");
    msrpm[0x820] = 2;
    prepare(guest_rdmsr);
    vmcb.intercept_1 |= INTERCEPT_MSR_PROT;
    check_equal(run(), VMEXIT_VMMCALL, "the write bit does not stop it");
    prepare(guest_wrmsr);
    vmcb.intercept_1 |= INTERCEPT_MSR_PROT;
    check_equal(run(), VMEXIT_MSR, "but stops WRMSR");
    check_equal(vmcb.exitinfo1, 1, "EXITINFO1: 1 for WRMSR");
    msrpm[0x820] = 1;
    prepare(guest_wrmsr);
    vmcb.intercept_1 |= INTERCEPT_MSR_PROT;
    vmcb.rax = (uint32_t)msr_read(MSR_EFER);
    check_equal(run(), VMEXIT_VMMCALL, "which the read bit does not stop");
    msrpm[0x820] = 0;
}

static void control_registers(void)
{
    prepare(guest_read_cr0);
    vmcb.intercept_cr_read = 1;
    check_equal(run(), 0x000, "an intercepted read of CR0 exits with code 000h");
    prepare(guest_read_cr0);
    vmcb.intercept_cr_read = 0xFFFE;
    check_equal(run(), VMEXIT_VMMCALL, "intercepts of other registers do not stop it");
    prepare(guest_write_cr3);
    vmcb.intercept_cr_write = 1 << 3;
    check_equal(run(), VMEXIT_CR3_WRITE, "an intercepted write of CR3 exits with code 013h");
    prepare(guest_write_cr3);
    vmcb.intercept_cr_write = 0xFFFF & ~(1 << 3);
    check_equal(run(), VMEXIT_VMMCALL, "intercepts of other registers do not stop it");
}

static void exceptions(void)
{
    prepare(guest_ud2);
    vmcb.intercept_exceptions = 1u << EXC_UD;
    check_equal(run(), VMEXIT_EXCEPTION + EXC_UD, "an intercepted #UD exits with 040h + 6");
    check_equal(vmcb.rip, (uintptr_t)guest_ud2, "at the faulting instruction");
    prepare(guest_ud2);
    vmcb.intercept_exceptions = ~(1u << EXC_UD);
    check_equal(run(), VMEXIT_EXCEPTION + EXC_GP, "one that is not goes to the IDT, which is empty: #GP");
    check_equal(vmcb.exitintinfo, EVENT_V | EVENT_TYPE_EXCEPTION << 8 | EXC_UD, "while the #UD was being delivered");
    prepare(guest_read);
    vmcb.intercept_exceptions = 1u << EXC_PF;
    vmcb.cr2 = 0x5555;
    check_equal(run(), VMEXIT_EXCEPTION + EXC_PF, "an intercepted #PF exits with 040h + 14");
    check_equal(vmcb.exitinfo1, 0, "EXITINFO1 is the error code");
    check_equal(vmcb.exitinfo2, WINDOW, "EXITINFO2 is the faulting address");
    check_equal(vmcb.cr2, 0x5555, "CR2 is not written");
}

static void refuse(const char *what)
{
    check_equal(run(), VMEXIT_INVALID, what);
}

static void consistency(void)
{
    prepare(guest_vmmcall);
    vmcb.asid = 0;
    refuse("VMRUN refuses ASID 0");
    prepare(guest_vmmcall);
    vmcb.intercept_2 &= ~INTERCEPT_VMRUN;
    refuse("VMRUN refuses a clear VMRUN intercept");
    prepare(guest_vmmcall);
    vmcb.efer &= ~(uint64_t)EFER_SVME;
    refuse("VMRUN refuses EFER.SVME=0");
    prepare(guest_vmmcall);
    vmcb.cr0 = (vmcb.cr0 & ~(uint64_t)CR0_CD) | CR0_NW;
    refuse("VMRUN refuses CR0.NW=1 with CD=0");
    prepare(guest_vmmcall);
    vmcb.cr0 |= 1ull << 32;
    refuse("VMRUN refuses CR0 bits above 31");
    prepare(guest_vmmcall);
    vmcb.cs.attributes |= 1u << 10;
    refuse("VMRUN refuses CS.L and CS.D together in long mode");
    prepare(guest_vmmcall);
    vmcb.dr7 |= 1ull << 32;
    refuse("VMRUN refuses DR7 bits above 31");
    prepare(guest_vmmcall);
    check_equal(run(), VMEXIT_VMMCALL, "and takes the state that all these differ from");
}

static void injection(void)
{
    prepare(guest_vmmcall);
    vmcb.intercept_exceptions = 1u << EXC_UD;
    vmcb.eventinj = EVENT_V | EVENT_TYPE_EXCEPTION << 8 | EXC_UD;
    /* The guest has no IDT (limit 0): delivering the #UD raises #GP, then #DF, then shutdown. */
    check_equal(run(), VMEXIT_SHUTDOWN, "an injected exception is not intercepted but delivered");
    prepare(guest_vmmcall);
    vmcb.eventinj = EVENT_V | EVENT_TYPE_EXCEPTION << 8 | EXC_UD;
    vmcb.intercept_exceptions = 1u << EXC_GP;
    check_equal(run(), VMEXIT_EXCEPTION + EXC_GP, "a fault of its delivery is intercepted");
    check_equal(vmcb.exitintinfo, EVENT_V | EVENT_TYPE_EXCEPTION << 8 | EXC_UD,
                "and EXITINTINFO tells what was being delivered");
    check_equal(vmcb.exitinfo1, EXC_UD * 8 + 3, "EXITINFO1 is the #GP's error code: the IDT's entry, EXT");
    check_equal(vmcb.eventinj & EVENT_V, 0, "EVENTINJ.V is clear after the exit");
}

static void virtual_interrupts(void)
{
    prepare(guest_sti_wait);
    vmcb.intercept_1 |= INTERCEPT_VINTR;
    vmcb.v_intr = V_INTR_MASKING | 1u << 8 | 0xFu << 16 | 0x40ull << 32;
    check_equal(run(), VMEXIT_VINTR, "a pending virtual interrupt exits when the guest can take it");
    check_equal(vmcb.rip, (uintptr_t)guest_sti_wait + 2, "which is one instruction after STI");
    check_equal(vmcb.v_intr >> 8 & 1, 1, "and V_IRQ stays set");
    prepare(guest_vmmcall);
    vmcb.intercept_1 |= INTERCEPT_VINTR;
    vmcb.v_intr = V_INTR_MASKING | 1u << 8 | 0xFu << 16 | 0x40ull << 32;
    check_equal(run(), VMEXIT_VMMCALL, "with IF=0 it waits");
}

/* The first GiB one to one; above it nothing is mapped. */
static void build_nested(void)
{
    nested[0][0] = (uintptr_t)nested[1] | PTE_P | PTE_RW | PTE_US;
    nested[1][0] = (uintptr_t)nested[2] | PTE_P | PTE_RW | PTE_US;
    for (unsigned i = 0; i < 512; i++)
        nested[2][i] = (uint64_t)i << 21 | PTE_P | PTE_RW | PTE_US | PTE_PS;
}

static uint64_t write_nested(void)
{
    prepare(guest_write);
    vmcb.np_enable = 1;
    vmcb.n_cr3 = (uintptr_t)nested[0];
    return run();
}

static void nested_paging(void)
{
    volatile uint32_t *target = (volatile uint32_t *)TARGET;
    uint64_t *entry = paging_entry(WINDOW, 1);
    uint64_t gpa = 0x8000000000ull; /* 512 GiB: the next nested PML4 entry */

    build_nested();
    *entry = gpa | PTE_P | PTE_RW;
    prepare(guest_read);
    vmcb.np_enable = 1;
    vmcb.n_cr3 = (uintptr_t)nested[0];
    check_equal(run(), VMEXIT_NPF, "a guest-physical address that is not mapped exits with VMEXIT_NPF");
    check_equal(vmcb.exitinfo2, gpa, "EXITINFO2 is the address");
    check_equal(vmcb.exitinfo1, NPF_FINAL | PF_U, "EXITINFO1: final address, not present, a user read");
    *entry = TARGET | PTE_P | PTE_RW;
    *target = 0;
    check_equal(write_nested(), VMEXIT_VMMCALL, "a mapped one does not");
    check_equal(*target, STORED, "and is reached");
    nested[2][TARGET >> 21] &= ~PTE_RW;
    *target = 0;
    check_equal(write_nested(), VMEXIT_NPF, "a nested page without write permission stops a store");
    check_equal(vmcb.exitinfo1, NPF_FINAL | NPF_P | NPF_W | PF_U, "EXITINFO1: final address, present, a user write");
    check_equal(vmcb.exitinfo2, TARGET, "EXITINFO2 is the address");
    check_equal(vmcb.rip, (uintptr_t)guest_write + 10, "RIP is the store's");
    check_equal(*target, 0, "which did not write");
}

void guest_main(void)
{
    exceptions_init();
    if (!(cpuid(0x80000001, 0).ecx & CPUID_ECX_SVM)) {
        check_skip("SVM", "this processor has none");
        check_end();
    }
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
    msr_write(MSR_VM_HSAVE_PA, (uintptr_t)host_save);
    vmmcall_and_cpuid();
    io();
    msrs();
    control_registers();
    exceptions();
    consistency();
    injection();
    virtual_interrupts();
    if (cpuid(0x8000000A, 0).edx & CPUID_EDX_NP)
        nested_paging();
    check_end();
}
