/* SPDX-License-Identifier: MIT */
/*
 * Guests in every mode under a 64-bit host (APM2 15.5, 15.19): VMRUN starts each from the VMCB alone, and the guest
 * then does what its mode demands.
 *
 * Firmware and boot code begin in real mode; under shadow paging hv runs them in paged real mode, PG without PE,
 * which only VMRUN can start. A peer of doc/conformance.md does not check real-mode limits.
 *
 * A guest is a few instructions and a VMMCALL, without nested paging. Each vector of its IVT or IDT leads to a
 * VMMCALL of its own, so the exit's rIP tells the vector taken, and the frame is at its rSP. In real mode the VMCB
 * says CPL 3, in virtual-8086 mode 0: VMRUN must not care.
 *
 * Real mode: INT goes through the IVT with IP, CS and FLAGS in 16 bits each; a hidden base of the VMCB holds until
 * a selector is loaded, then it is selector * 16; a limit of 4 GiB ("big real") reaches above 1 MiB, one of 64 KiB
 * is #GP; an IVT too short for #UD, #GP and #DF is shutdown. Paged real mode walks page tables and delivers through
 * the IVT; an intercepted #PF has the protected-mode error code and the address in EXITINFO; with EFER.LME it is
 * refused. Virtual-8086 mode: HLT is #GP, delivered at CPL 0 with ten doublewords, INT with IOPL below 3 is #GP
 * unless intercepted, VMMCALL exits. In 16-bit protected mode operands and SP have 16 bits and selectors are of the
 * GDT. An absent page of 32-bit paging is the guest's #PF, PAE's PDPTEs are loaded by VMRUN, CS.L=0 with EFER.LMA
 * is compatibility mode. Last, a guest climbs from real mode through protected to long mode.
 *
 * Paged real mode without a #PF intercept is undefined (APM2 15.19) and not tried. Nested paging is svm-npf-cube's.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/svm64.h"

#define EFER_SVME 0x1000u
#define CR0_PE 1u
#define CR0_PG 0x80000000u
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define RFLAGS_VM 0x20000u
#define HOLE 0x00400000u  /* second 4 MiB: not mapped in the legacy tables */
#define FRAME(n) (((const uint16_t *)(SVM_REAL_CODE + svm_vmcb.rsp))[n])

SVM_CODE(16, real, "movw $0x1234, %ax\nint $0x21")
SVM_CODE(16, shift, "movw %cs, %ax\nmovw (%bx), %dx\nmovw %bx, %es\nmovw %es, %cx")
/* A NOP before what faults: its IP is then not 0, as an error code would be. */
SVM_CODE(16, big, "nop\nmovl (%ebx), %edx") SVM_CODE(16, store, "nop\nmovl %edx, (%ebx)")
SVM_CODE(16, ud2, "ud2") SVM_CODE(16, priv, "nop\nhlt") SVM_CODE(16, int_v86, "int $0x21")
SVM_CODE(16, prot16, "movw $0x1234, %ax\nmovw %cx, %es\npushw %ax\nint $0x21")
SVM_CODE(32, compat, "movl $0x87654321, %eax\nmovl %eax, %ecx\nincl %ecx")
SVM_CODE(32, load, "movl (%edx), %ecx")
/* real -> protected -> long mode; EBX: CR3, EDX: a far pointer to the 64-bit code, EDI: the GDT's pointer */
SVM_CODE(16, climb, "movl %edi, %edi\n.byte 0x67\nlgdtl (%edi)\nmovl %cr0, %eax\norb $1, %al\nmovl %eax, %cr0\n"
                    "ljmpl $0x08, $climb_32\n.code32\nclimb_32: movl %cr4, %eax\norl $0x20, %eax\nmovl %eax, %cr4\n"
                    "movl %ebx, %cr3\nmovl $0xC0000080, %ecx\nrdmsr\norl $0x100, %eax\nwrmsr\nmovl %cr0, %eax\n"
                    "orl $0x80000000, %eax\nmovl %eax, %cr0\nljmp $0x18, $climb_64\n.code64\n"
                    "climb_64: movabsq $0x123456789ABCDEF0, %rsi")

static uint32_t page_directory[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(32))), pd[512] __attribute__((aligned(4096)));
static struct { uint16_t limit; uint32_t base; } __attribute__((packed)) gdt_pointer;

static void prepare_real(const char *at, const char *next)
{
    svm_prepare_real(at, (unsigned)(next - at) + 3);
}

static void expect(uint64_t rip, const char *what)
{
    uint64_t code = svm_run();

    check(code == VMEXIT_VMMCALL && svm_vmcb.rip == rip, what);
    if (code != VMEXIT_VMMCALL || svm_vmcb.rip != rip)
        guest_print("# got %llx at %llx, INFO1 %llx", (unsigned long long)code, (unsigned long long)svm_vmcb.rip,
                    (unsigned long long)svm_vmcb.exitinfo1);
}

static void real_mode(void)
{
    prepare_real(at_real, next_real);
    svm_vmcb.cpl = 3;
    expect(SVM_REAL_STUBS + 16 * 0x21, "real mode: INT goes through the IVT");
    check((uint16_t)svm_vmcb.rax == 0x1234 && FRAME(0) == next_real - at_real && FRAME(1) == SVM_REAL_CODE >> 4 &&
          FRAME(2) == 2, "IP, CS, FLAGS are on the stack, 16 bits each");
    check_equal(svm_vmcb.rsp, SVM_REAL_STACK - 6, "and nothing else");
    check_equal(svm_vmcb.cpl, 0, "CPL is 0 in real mode, whatever the VMCB said");
    prepare_real(at_shift, next_shift);
    svm_vmcb.ds.base = 0x5000;
    *(uint16_t *)0x5100 = 0xBEEF;
    svm_registers.rbx = 0x100;
    expect((uintptr_t)(next_shift - at_shift), "real mode: hidden bases of the VMCB hold");
    check((svm_registers.rdx & 0xFFFF) == 0xBEEF && svm_vmcb.es.base == 0x1000 && svm_vmcb.es.selector == 0x100,
          "until a selector is loaded: base = selector * 16");
    prepare_real(at_big, next_big);
    svm_vmcb.ds = (struct vmcb_segment){ 0, SEGMENT_DATA32, 0xFFFFFFFF, 0 };
    svm_registers.rbx = (uintptr_t)page_directory;
    page_directory[0] = 0xCAFE0083;
    expect((uintptr_t)(next_big - at_big), "big real mode: a limit of 4 GiB holds");
    check_equal((uint32_t)svm_registers.rdx, 0xCAFE0083, "and memory above 1 MiB is read");
    prepare_real(at_big, next_big);
    svm_registers.rbx = 0x10000;
    expect(SVM_REAL_STUBS + 16 * EXC_GP, "an ordinary limit of 64 KiB: #GP without error code");
    check(FRAME(0) == 1 && svm_vmcb.rsp == SVM_REAL_STACK - 6, "whose frame begins with IP and has three words");
    prepare_real(at_big, next_big);
    svm_registers.rbx = 0x10000;
    svm_intercept_exceptions(1u << EXC_GP);
    check_equal(svm_run(), VMEXIT_EXCEPTION + EXC_GP, "it can be intercepted");
    prepare_real(at_ud2, next_ud2);
    svm_vmcb.idtr.limit = 4 * EXC_UD + 2;
    check_equal(svm_run(), VMEXIT_SHUTDOWN, "an IVT too short for #UD, #GP and #DF: shutdown");
}

static void map_4m(void)
{
    memset(page_directory, 0, sizeof(page_directory));
    page_directory[0] = 0x83; /* the first 4 MiB */
}

static void paged_real_mode(void)
{
    map_4m();
    prepare_real(at_real, next_real);
    svm_vmcb.cr0 |= CR0_PG;
    svm_vmcb.cr3 = (uintptr_t)page_directory;
    svm_vmcb.cr4 = CR4_PSE;
    svm_intercept_exceptions(1u << EXC_PF);
    expect(SVM_REAL_STUBS + 16 * 0x21, "paged real mode: PG without PE runs");
    check((svm_vmcb.cr0 & (CR0_PG | CR0_PE)) == CR0_PG, "and CR0 is saved so");
    check(page_directory[0] & 0x20, "the page tables are used: A is set");
    prepare_real(at_store, next_store);
    svm_vmcb.cr0 |= CR0_PG;
    svm_vmcb.cr3 = (uintptr_t)page_directory;
    svm_vmcb.cr4 = CR4_PSE;
    svm_vmcb.ds.base = 0;
    svm_vmcb.ds.limit = 0xFFFFFFFF;
    svm_registers.rbx = HOLE + 4;
    svm_intercept_exceptions(1u << EXC_PF);
    check(svm_run() == VMEXIT_EXCEPTION + EXC_PF && svm_vmcb.rip == 1, "#PF there exits at the store");
    check_equal(svm_vmcb.exitinfo1, 2, "EXITINFO1 is the error code of protected mode: not present, a write");
    check_equal(svm_vmcb.exitinfo2, HOLE + 4, "EXITINFO2 is the address");
    prepare_real(at_climb, next_climb);
    svm_vmcb.cr0 |= CR0_PG;
    svm_vmcb.efer |= 0x100;
    svm_vmcb.cr4 = CR4_PAE;
    check_equal(svm_run(), VMEXIT_INVALID, "but not with EFER.LME");
}

static void prepare_v86(const char *at, const char *next)
{
    prepare_real(at, next);
    svm_vmcb.cr0 |= CR0_PE;
    svm_vmcb.rflags |= RFLAGS_VM;
    svm_vmcb.cpl = 0; /* VMRUN makes it 3 */
    svm_vmcb.cs.attributes = svm_vmcb.ds.attributes = svm_vmcb.es.attributes = svm_vmcb.ss.attributes = 0xF3;
    svm_vmcb.idtr = (struct vmcb_segment){ .limit = sizeof(svm_idt32) - 1, .base = (uintptr_t)svm_idt32 };
}

static void virtual_8086(void)
{
    static uint32_t tss[32];

    tss[1] = (uint32_t)SVM_STACK_TOP;
    tss[2] = SVM_DATA;
    prepare_v86(at_priv, next_priv);
    svm_vmcb.tr.base = (uintptr_t)tss;
    expect(svm_vector(EXC_GP), "virtual-8086 mode: HLT is #GP");
    check(((const uint32_t *)svm_vmcb.rsp)[0] == 0 && ((const uint32_t *)svm_vmcb.rsp)[1] == 1 &&
          ((const uint32_t *)svm_vmcb.rsp)[3] & RFLAGS_VM && svm_vmcb.cpl == 0 && !(svm_vmcb.rflags & RFLAGS_VM),
          "delivered in protected mode at CPL 0, VM is in the saved EFLAGS");
    check_equal(svm_vmcb.rsp, SVM_STACK_TOP - 40, "GS, FS, DS, ES are on the stack, too");
    prepare_v86(at_int_v86, next_int_v86);
    svm_vmcb.tr.base = (uintptr_t)tss;
    expect(svm_vector(EXC_GP), "INT with IOPL below 3 is #GP");
    prepare_v86(at_int_v86, next_int_v86);
    svm_vmcb.tr.base = (uintptr_t)tss;
    svm_intercept(0x075, true);
    check_equal(svm_run(), 0x075, "unless it is intercepted: that comes first");
    prepare_v86(at_shift, next_shift);
    svm_registers.rbx = 0x200;
    expect((uintptr_t)(next_shift - at_shift), "VMMCALL exits from virtual-8086 mode at CPL 3");
    check(svm_vmcb.es.base == 0x2000 && svm_vmcb.es.limit == 0xFFFF && svm_vmcb.cpl == 3 &&
          svm_vmcb.rflags & RFLAGS_VM, "segments loaded there are those of virtual-8086 mode");
}

/* A stack segment of 16 bits: ESP 31:16 would be beyond its limit. */
static void protected_16(void)
{
    const uint32_t *frame;

    svm_prepare16(at_prot16);
    svm_vmcb.ss = (struct vmcb_segment){ SVM_DATA16, SEGMENT_DATA16, 0xFFFF, SVM_STACK_TOP - 0x400 };
    svm_vmcb.rsp = 0xABCD0400;
    svm_vmcb.rax = 0x56780000;
    svm_registers.rcx = SVM_DATA16;
    expect(svm_vector(0x21), "16-bit protected mode: INT goes through the IDT");
    check_equal((uint32_t)svm_vmcb.rax, 0x56781234, "operands have 16 bits");
    check(svm_vmcb.es.selector == SVM_DATA16 && svm_vmcb.es.base == 0 && svm_vmcb.es.limit == 0xFFFF,
          "a selector is of the GDT");
    check_equal(svm_vmcb.rsp & 0xFFFF, 0x400 - 2 - 12, "SP is the stack pointer; a 32-bit gate stores doublewords");
    frame = (const uint32_t *)(svm_vmcb.ss.base + (svm_vmcb.rsp & 0xFFFF));
    check(frame[0] == (uintptr_t)next_prot16 && frame[1] == SVM_CODE16 && frame[2] == 2 &&
          *(const uint16_t *)&frame[3] == 0x1234, "EIP, CS, EFLAGS, and what was pushed before");
}

static void protected_modes(void)
{
    map_4m();
    svm_prepare32(at_load);
    svm_vmcb.cr0 |= CR0_PG;
    svm_vmcb.cr4 = CR4_PSE;
    svm_vmcb.cr3 = (uintptr_t)page_directory;
    svm_registers.rdx = HOLE;
    expect(svm_vector(EXC_PF), "32-bit paging: a page not present is the guest's #PF");
    check(svm_vmcb.cr2 == HOLE && *(const uint32_t *)svm_vmcb.rsp == 0, "with CR2 and error code");
    pdpt[0] = (uintptr_t)pd | 1;
    pd[0] = 0x000083;
    pd[1] = 0x200083;
    svm_prepare32(at_load);
    svm_vmcb.cr0 |= CR0_PG;
    svm_vmcb.cr4 = CR4_PAE;
    svm_vmcb.cr3 = (uintptr_t)pdpt;
    svm_registers.rdx = (uintptr_t)pd + 8;
    expect((uintptr_t)next_load, "PAE paging: the PDPTEs are loaded by VMRUN");
    check_equal(svm_registers.rcx, pd[1] & 0xFFFFFFFF, "and used");
    svm_prepare(at_compat);
    svm_vmcb.cs = (struct vmcb_segment){ SVM_CODE32, SEGMENT_CODE32, 0xFFFFFFFF, 0 };
    expect((uintptr_t)next_compat, "compatibility mode: CS.L=0 with EFER.LMA");
    check_equal(svm_registers.rcx, 0x87654322, "runs 32-bit code");
}

static void climbs(void)
{
    gdt_pointer.limit = sizeof(svm_gdt) - 1;
    gdt_pointer.base = (uint32_t)(uintptr_t)svm_gdt;
    prepare_real(at_climb, next_climb);
    svm_vmcb.ds.base = 0;
    svm_vmcb.ds.limit = 0xFFFFFFFF;
    svm_registers.rdi = (uintptr_t)&gdt_pointer;
    svm_registers.rbx = cr3_read();
    expect((uintptr_t)next_climb, "a guest goes from real to protected to long mode");
    check(svm_registers.rsi == 0x123456789ABCDEF0 && (svm_vmcb.efer & 0x500) == 0x500 && svm_vmcb.cs.attributes & 0x200,
          "and runs 64-bit code with EFER.LMA");
}

void guest_main(void)
{
    svm_begin();
    real_mode();
    paged_real_mode();
    virtual_8086();
    protected_16();
    protected_modes();
    climbs();
    check_end();
}
