/* SPDX-License-Identifier: MIT */
/*
 * ASIDs and flushes (APM2 15.16): which translations are gone after VMRUN with TLB_CONTROL, INVLPGA, and a guest's
 * or the host's own MOV CR3, a guest's INVLPG or change of CR4.PGE, and whose stay.
 *
 * A hypervisor gives guests ASIDs to spare flushes, so it has to know what a flush reaches: VMRUN and #VMEXIT by
 * themselves flush nothing, and a flush too few shows a guest memory that is no longer its own.
 *
 * Guests of ASIDs 1 and 2, without nested paging, run on the host's own tables, whose entries the host changes
 * behind their backs. Two windows, the second with G=1, both show page 0 or page 1, each of which holds its number:
 * what a guest saw is two digits.
 *
 * What software must see after a flush is architectural; that a translation stays until then is what the modelled
 * TLB does (this small loop evicts nothing): those checks say "kept", and a simulator that flushes more than it
 * must fails them without being wrong (doc/conformance.md).
 *
 * First TLB_CONTROL: 1 flushes all ASIDs and global entries, with 0 each ASID keeps its own, and the 1 is there
 * still after VMRUN, which does not write it. INVLPGA drops one page of one ASID, global or not. In a guest MOV CR3
 * drops what is not global, INVLPG a global page too, a change of CR4.PGE everything, each in its own ASID only; an
 * INVLPG or MOV CR3 that exits drops nothing. The host's translations live through VMRUN, the guests' through the
 * host's MOV CR3; TLB_CONTROL 1 and INVLPGA of ASID 0 drop the host's. Last, rights that were raised, and a page
 * that has become present, need no flush (APM2 5.5.2).
 *
 * Without SVM one check is skipped. Not asked: nested translations, a second core.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"
#include "workloads/lib/svm64.h"

#define WINDOW 0x50000000000ull
#define GLOBAL_WINDOW (WINDOW + 0x1000)
#define CR4_PGE 0x80u
#define KEEP 0 /* TLB_CONTROL */
#define FLUSH 1

SVM_CODE64(read, "movl (%rdx), %ecx\nmovl (%rsi), %ebx")
SVM_CODE64(write, "movl (%rdx), %ecx\nmovl %ecx, (%rdx)")
SVM_CODE64(cr3_read, "mov %cr3, %rax\nmov %rax, %cr3\nmovl (%rdx), %ecx\nmovl (%rsi), %ebx")
SVM_CODE64(invlpg_read, "invlpg (%rdx)\ninvlpg (%rsi)\nmovl (%rdx), %ecx\nmovl (%rsi), %ebx")
SVM_CODE64(pge_read, "mov %cr4, %rax\nxorb $0x80, %al\nmov %rax, %cr4\nxorb $0x80, %al\nmov %rax, %cr4\n"
                     "movl (%rdx), %ecx\nmovl (%rsi), %ebx")

static uint32_t pages[2][1024] __attribute__((aligned(4096)));
static uint64_t *entry, *global_entry;

/* Both windows show page 0 or 1. */
static void map(unsigned page)
{
    *entry = (uintptr_t)pages[page] | PTE_P | PTE_RW;
    *global_entry = (uintptr_t)pages[page] | PTE_P | PTE_RW | PTE_G;
    __asm__ volatile("" : : : "memory");
}

static void run(const char *code, unsigned asid, uint8_t control)
{
    svm_prepare(code);
    svm_vmcb.asid = asid;
    svm_vmcb.tlb_control = control;
    svm_vmcb.cr4 |= CR4_PGE;
    svm_registers.rdx = WINDOW;
    svm_registers.rsi = GLOBAL_WINDOW;
    svm_run();
}

/* Which pages a guest of this ASID saw: the window's in bits 3:0, the global one's in 7:4. */
static unsigned sees(const char *code, unsigned asid, uint8_t control)
{
    run(code, asid, control);
    return (unsigned)svm_registers.rcx | (unsigned)svm_registers.rbx << 4;
}

static void invlpga(uint64_t linear, uint32_t asid)
{
    __asm__ volatile("invlpga %%rax, %%ecx" : : "a"(linear), "c"(asid) : "memory");
}

static void flush_both(unsigned page)
{
    map(page);
    sees(at_read, 1, FLUSH);
    sees(at_read, 2, KEEP);
}

static void kept(unsigned got, unsigned want, const char *what)
{
    check_format(got == want, "kept: %s", what);
}

static void asids(void)
{
    map(0);
    check_equal(sees(at_read, 1, FLUSH), 0x00, "ASID 1 sees the first page");
    map(1);
    kept(sees(at_read, 1, KEEP), 0x00, "after a change without a flush it sees it still");
    check_equal(sees(at_read, 2, KEEP), 0x11, "ASID 2, which never looked, sees the second page");
    kept(sees(at_read, 1, KEEP), 0x00, "ASID 1's translation has survived the other guest");
    check_equal(sees(at_read, 1, FLUSH), 0x11, "TLB_CONTROL 1 flushes it, the global one too");
    sees(at_read, 2, KEEP);
    map(0);
    kept(sees(at_read, 2, KEEP), 0x11, "without TLB_CONTROL ASID 2 keeps its own");
    check_equal(sees(at_read, 1, FLUSH), 0x00, "TLB_CONTROL 1 of ASID 1");
    check_equal(svm_vmcb.tlb_control, FLUSH, "VMRUN does not write TLB_CONTROL");
    check_equal(sees(at_read, 2, KEEP), 0x00, "flushes ASID 2, too");
}

static void invlpga_by_asid(void)
{
    flush_both(0);
    map(1);
    invlpga(WINDOW, 1);
    check_equal(sees(at_read, 1, KEEP) & 0xF, 1, "INVLPGA of ASID 1 drops its translation");
    kept(sees(at_read, 2, KEEP), 0x00, "not ASID 2's");
    invlpga(GLOBAL_WINDOW, 1);
    check_equal(sees(at_read, 1, KEEP), 0x11, "a global one goes, too");
    invlpga(WINDOW, 2);
    invlpga(GLOBAL_WINDOW, 2);
    check_equal(sees(at_read, 2, KEEP), 0x11, "INVLPGA of ASID 2 drops ASID 2's");
}

static void guests_own(void)
{
    unsigned seen;

    flush_both(0);
    map(1);
    seen = sees(at_cr3_read, 1, KEEP);
    check_equal(seen & 0xF, 1, "MOV CR3 in the guest drops what is not global");
    kept(seen >> 4, 0, "the global one");
    kept(sees(at_read, 2, KEEP), 0x00, "of its own ASID only");
    flush_both(0);
    map(1);
    check_equal(sees(at_invlpg_read, 1, KEEP), 0x11, "INVLPG in the guest drops global ones, too");
    kept(sees(at_read, 2, KEEP), 0x00, "of its own ASID only");
    flush_both(0);
    map(1);
    check_equal(sees(at_pge_read, 1, KEEP), 0x11, "a change of CR4.PGE drops everything");
    kept(sees(at_read, 2, KEEP), 0x00, "of its own ASID only");
}

static uint64_t intercepted(const char *code, unsigned intercept)
{
    svm_prepare(code);
    svm_vmcb.tlb_control = KEEP;
    svm_vmcb.cr4 |= CR4_PGE;
    svm_registers.rdx = WINDOW;
    svm_registers.rsi = GLOBAL_WINDOW;
    svm_intercept(intercept, true);
    return svm_run();
}

static void intercepts(void)
{
    flush_both(0);
    map(1);
    check_equal(intercepted(at_invlpg_read, 0x079), 0x079, "an INVLPG that exits");
    kept(sees(at_read, 1, KEEP), 0x00, "drops nothing");
    check_equal(intercepted(at_cr3_read, 0x013), 0x013, "a MOV CR3 that exits");
    kept(sees(at_read, 1, KEEP), 0x00, "drops nothing");
}

static void host(void)
{
    volatile uint32_t *window = (uint32_t *)WINDOW;
    uint32_t first;

    flush_both(0);
    cr3_write(cr3_read());
    first = *window;
    map(1);
    kept(first | *window << 4, 0x00, "the host's translation stays, too");
    sees(at_read, 1, KEEP);
    kept(*window, 0, "through a VMRUN");
    kept(sees(at_read, 1, KEEP), 0x00, "and the guest's");
    cr3_write(cr3_read());
    check_equal(*window, 1, "MOV CR3 in the host drops the host's");
    kept(sees(at_read, 1, KEEP), 0x00, "not the guest's");
    map(0);
    sees(at_read, 1, FLUSH);
    check_equal(*window, 0, "TLB_CONTROL 1 drops the host's, too");
    map(1);
    invlpga(WINDOW, 0);
    check_equal(*window, 1, "INVLPGA of ASID 0 drops the host's");
}

/* A fault drops the translation and walks again before it is reported (APM2 5.5.2). */
static void more_rights(void)
{
    map(0);
    *entry &= ~PTE_RW;
    run(at_read, 1, FLUSH);
    *entry |= PTE_RW;
    run(at_write, 1, KEEP);
    check_equal(svm_vmcb.rip, (uintptr_t)next_write, "raised rights need no INVLPG");
    *entry = 0;
    run(at_read, 1, FLUSH);
    check_equal(svm_vmcb.rip, svm_vector(EXC_PF), "a page not present is a fault");
    map(1);
    run(at_read, 1, KEEP);
    check_equal(svm_vmcb.rip, (uintptr_t)next_read, "and is not remembered");
}

void guest_main(void)
{
    svm_begin();
    entry = paging_entry(WINDOW, 1);
    global_entry = paging_entry(GLOBAL_WINDOW, 1);
    for (unsigned i = 0; i < 2; i++)
        pages[i][0] = i;
    asids();
    invlpga_by_asid();
    guests_own();
    intercepts();
    host();
    more_rights();
    check_end();
}
