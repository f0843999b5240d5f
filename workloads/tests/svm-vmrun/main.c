/* SPDX-License-Identifier: MIT */
/*
 * VMRUN's own faults, its consistency checks (APM2 15.5.1; a row for each), what it takes although it looks odd,
 * and the state that a world switch moves.
 *
 * A missing check lets an illegal guest run, one too many stops a good one. Peers have let CR0.NW without CD pass,
 * written 32 bits of ones as EXITCODE, and written a refused guest's save area (doc/conformance.md).
 *
 * Each row starts from a guest that is accepted, in 64-bit code (for PDPTEs: in PAE paging without long mode), and
 * breaks one rule. Refused means: EXITCODE is a 64-bit -1, the save area is untouched, EVENTINJ.V and EXITINTINFO.V
 * are clear, and the host goes on behind VMRUN with GIF=0, seen by an NMI. The MSRPM's limit is as measured on real
 * parts, a page lower than the rule says.
 *
 * After the rows, every reserved bit of CR0, CR3, CR4, DR6, DR7 and EFER is tried alone; every type and vector of
 * EVENTINJ (types 0, 2 and 4 take any, 3 those below 32 but NMI, #OF and #BR), and what is taken is delivered;
 * every value of every byte of G_PAT, where CPUID announces nested paging. Twelve oddities are accepted, among them
 * low reserved bits of CR3, EFER.LMA=0 and a base that is not canonical, which is sign-extended from bit 47. Then
 * come #GP(0) and #UD of VMRUN, VMLOAD and VMSAVE, CPL 3; TF, RF and DR7, of the guest from its first instruction,
 * the host's TF after the exit; CR0, CR3, CR4 and EFER, which are the host's again, while DR7 is 400h, DR6 and CR2
 * stay the guest's; an rIP that is not canonical or beyond the limit, #GP in the guest; the VMCB's interrupt
 * shadow.
 *
 * An ASID beyond the last is not asked; a host without paging is svm-npf-hosts'.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/svm64.h"

#define MSR_EFER 0xC0000080
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define EFER_SVME 0x1000u
#define CR0_PE 1u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u
#define CR4_PAE 0x20u
#define RFLAGS_TF 0x100u
#define RFLAGS_RF 0x10000u
#define SAVE_AREA 0x400
#define SAVE_BYTES 0x300
#define SPA_LIMIT 0x1000000000000ull
#define EXC_NMI 2
#define EVENT(type, vector) (EVENT_V | (uint64_t)(type) << 8 | (vector))

SVM_CODE64(nop, "nop\nnop")
SVM_CODE(32, nop32, "nop\nnop")
SVM_CODE(32, dr6, "movl %dr6, %ecx")
SVM_CODE(32, vmrun, "vmrun %eax") SVM_CODE(32, vmload, "vmload %eax") SVM_CODE(32, vmsave, "vmsave %eax")
SVM_CODE(32, stgi, "stgi") SVM_CODE(32, clgi, "clgi") SVM_CODE(32, invlpga, "invlpga %eax, %ecx")

struct row {
    const char *what;
    void (*change)(void);
};

/* ---- Refused ---------------------------------------------------------------------------------------------------- */

static uint64_t pdpt[4] __attribute__((aligned(32)));

static void no_svme(void) { svm_vmcb.efer &= ~(uint64_t)EFER_SVME; }
static void nw_only(void) { svm_vmcb.cr0 |= CR0_NW; }
static void cr0_high(void) { svm_vmcb.cr0 |= 1ull << 32; }
static void cr0_top(void) { svm_vmcb.cr0 |= 1ull << 63; }
static void cr3_high(void) { svm_vmcb.cr3 |= SPA_LIMIT; }
static void cr4_11(void) { svm_vmcb.cr4 |= 1u << 11; }
static void cr4_high(void) { svm_vmcb.cr4 |= 1ull << 32; }
static void dr6_high(void) { svm_vmcb.dr6 |= 1ull << 32; }
static void dr7_high(void) { svm_vmcb.dr7 |= 1ull << 63; }
static void efer_9(void) { svm_vmcb.efer |= 1u << 9; }
static void efer_15(void) { svm_vmcb.efer |= 1u << 15; }
static void efer_63(void) { svm_vmcb.efer |= 1ull << 63; }
static void no_pae(void) { svm_vmcb.cr4 &= ~(uint64_t)CR4_PAE; }
static void no_pe(void) { svm_vmcb.cr0 &= ~(uint64_t)CR0_PE; }
static void l_and_d(void) { svm_vmcb.cs.attributes |= 0x400; }
static void no_vmrun_intercept(void) { svm_vmcb.intercept_2 &= ~INTERCEPT_VMRUN; }
static void asid_0(void) { svm_vmcb.asid = 0; }
static void iopm_end(void) { svm_vmcb.iopm_base_pa = SPA_LIMIT - 0x2000; }
static void msrpm_end(void) { svm_vmcb.msrpm_base_pa = SPA_LIMIT - 0x1000; }
/* Its last byte is the last that there is: the rule lets it pass, real parts do not. */
static void msrpm_before(void) { svm_vmcb.msrpm_base_pa = SPA_LIMIT - 0x2000; }
static void type_1(void) { svm_vmcb.eventinj = EVENT(1, 0x41); }
static void type_5(void) { svm_vmcb.eventinj = EVENT(5, 0x41); }
static void type_6(void) { svm_vmcb.eventinj = EVENT(6, 0x41); }
static void type_7(void) { svm_vmcb.eventinj = EVENT(7, 0x41); }
static void exception_2(void) { svm_vmcb.eventinj = EVENT(3, 2); }
static void exception_32(void) { svm_vmcb.eventinj = EVENT(3, 32); }
static void bound_in_64(void) { svm_vmcb.eventinj = EVENT(3, EXC_BR); }
static void nested(void)
{
    svm_vmcb.np_enable = 1;
    svm_vmcb.n_cr3 = cr3_read();
}
static void pat_2(void) { nested(); svm_vmcb.g_pat = 0x0007040600070402; }
static void pat_high(void) { nested(); svm_vmcb.g_pat = 0x0807040600070406; }
static void n_cr3_high(void) { nested(); svm_vmcb.n_cr3 |= SPA_LIMIT; }

static void legacy_pae(void)
{
    svm_vmcb.efer = EFER_SVME;
    svm_vmcb.cs = (struct vmcb_segment){ SVM_CODE32, SEGMENT_CODE32, 0xFFFFFFFF, 0 };
    svm_vmcb.rip = (uintptr_t)at_nop32;
    for (unsigned i = 0; i < 4; i++)
        pdpt[i] = 0;
    svm_vmcb.cr3 = (uintptr_t)pdpt;
}

static void bad_pdpte(void) { legacy_pae(); pdpt[3] = 1 | 1u << 1; }
static void bad_pdpte_high(void) { legacy_pae(); pdpt[0] = 1 | SPA_LIMIT; }

static const struct row refused[] = {
    { "EFER.SVME=0", no_svme }, { "CR0.NW=1 with CD=0", nw_only }, { "CR0 bit 32", cr0_high },
    { "CR0 bit 63", cr0_top }, { "CR3 bit 48", cr3_high }, { "CR4 bit 11", cr4_11 }, { "CR4 bit 32", cr4_high },
    { "DR6 bit 32", dr6_high }, { "DR7 bit 63", dr7_high }, { "EFER bit 9", efer_9 }, { "EFER bit 15", efer_15 },
    { "EFER bit 63", efer_63 }, { "LME and PG without PAE", no_pae }, { "LME and PG without PE", no_pe },
    { "CS.L and CS.D in long mode", l_and_d }, { "a clear VMRUN intercept", no_vmrun_intercept },
    { "ASID 0", asid_0 }, { "an IOPM that reaches the physical limit", iopm_end },
    { "an MSRPM that reaches the physical limit", msrpm_end },
    { "an MSRPM two pages below it", msrpm_before }, { "EVENTINJ type 1", type_1 },
    { "EVENTINJ type 5", type_5 }, { "EVENTINJ type 6", type_6 }, { "EVENTINJ type 7", type_7 },
    { "EVENTINJ of exception 2", exception_2 }, { "EVENTINJ of exception 32", exception_32 },
    { "EVENTINJ of #BR in 64-bit mode", bound_in_64 },
    { "a PDPTE with a reserved low bit", bad_pdpte }, { "a PDPTE with bit 48", bad_pdpte_high },
};
/* Where CPUID announces nested paging. */
static const struct row refused_nested[] = {
    { "G_PAT with type 2", pat_2 }, { "G_PAT with a reserved bit", pat_high }, { "N_CR3 bit 48", n_cr3_high },
};

/* All of the save area but what svm_run's VMSAVE writes: FS, GS, LDTR, TR, STAR to SYSENTER_EIP. */
static bool same_state(const uint8_t *a, const uint8_t *b)
{
    static const struct {
        unsigned first, end;
    } ranges[] = { { 0x000, 0x040 }, { 0x060, 0x070 }, { 0x080, 0x090 }, { 0x0A0, 0x200 }, { 0x240, SAVE_BYTES } };
    bool same = true;

    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        same &= memcmp(a + ranges[i].first, b + ranges[i].first, ranges[i].end - ranges[i].first) == 0;
    return same;
}

static void refuse(const struct row *row)
{
    static uint8_t before[SAVE_BYTES];
    uint8_t *save = (uint8_t *)&svm_vmcb + SAVE_AREA;
    uint64_t code;

    svm_prepare(at_nop);
    svm_vmcb.eventinj = EVENT(0, 0x41);
    row->change();
    svm_vmcb.exitintinfo = EVENT_V | 0x33;
    memcpy(before, save, SAVE_BYTES);
    code = svm_run();
    check_format(code == VMEXIT_INVALID, "VMRUN refuses %s", row->what);
    if (code != VMEXIT_INVALID)
        guest_print("# got %llx at %llx", (unsigned long long)code, (unsigned long long)svm_vmcb.rip);
    check_format(same_state(before, save) && !(svm_vmcb.eventinj & EVENT_V),
                 "%s: state is left alone, EVENTINJ.V is clear", row->what);
    check_format(!(svm_vmcb.exitintinfo & EVENT_V), "%s: EXITINTINFO.V is clear", row->what);
}

/* ---- Every bit, every value ------------------------------------------------------------------------------------- */

static bool is_refused(void)
{
    svm_vmcb.exitcode = 0;
    return svm_run() == VMEXIT_INVALID;
}

/* Bits that must be zero, one at a time; physical addresses have 48 bits here. */
static void every_bit(void)
{
    static const struct {
        const char *what;
        uint64_t *field, reserved;
    } rows[] = {
        { "CR0 63:32", &svm_vmcb.cr0, ~0xFFFFFFFFull }, { "CR3 63:48", &svm_vmcb.cr3, ~(SPA_LIMIT - 1) },
        { "CR4 63:11", &svm_vmcb.cr4, ~0x7FFull }, { "DR6 63:32", &svm_vmcb.dr6, ~0xFFFFFFFFull },
        { "DR7 63:32", &svm_vmcb.dr7, ~0xFFFFFFFFull }, { "EFER 63:15 and 9", &svm_vmcb.efer, ~0x7FFFull | 1u << 9 },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned taken = 0;

        for (unsigned b = 0; b < 64; b++) {
            if (!(rows[i].reserved >> b & 1))
                continue;
            svm_prepare(at_nop);
            *rows[i].field |= 1ull << b;
            taken += !is_refused();
        }
        check_format(taken == 0, "VMRUN refuses each bit of %s", rows[i].what);
    }
}

/*
 * Types 0, 2, 4 with every vector, 3 with those of exceptions that 64-bit mode has (no BOUND, no INTO); what is
 * taken is delivered.
 */
static void every_event(void)
{
    for (unsigned type = 0; type < 8; type++) {
        unsigned wrong = 0;

        for (unsigned vector = 0; vector < 256; vector++) {
            bool legal = type == 0 || type == 2 || type == 4 ||
                         (type == 3 && vector < 32 && vector != 2 && vector != EXC_OF && vector != EXC_BR);
            bool invalid;

            svm_prepare(at_nop);
            svm_vmcb.eventinj = EVENT(type, vector);
            invalid = is_refused();
            wrong += invalid == legal;
            wrong += legal && svm_vmcb.rip != svm_vector(type == 2 ? 2 : vector);
        }
        check_format(wrong == 0, "EVENTINJ type %u: every vector taken or refused as the rules say", type);
    }
}

/* Types of memory are 0, 1, 4 to 7 (APM2 7.8.1). */
static void every_pat(void)
{
    static uint64_t top[512] __attribute__((aligned(4096))), below[512] __attribute__((aligned(4096)));
    unsigned wrong = 0;

    top[0] = (uintptr_t)below | 7;
    for (uint64_t i = 0; i < 4; i++)
        below[i] = i << 30 | 0x87;
    for (unsigned n = 0; n < 8 * 256; n++) {
        unsigned byte = n >> 8, value = n & 0xFF;
        bool legal = value < 8 && value != 2 && value != 3;

        svm_prepare(at_nop);
        svm_vmcb.np_enable = 1;
        svm_vmcb.n_cr3 = (uintptr_t)top;
        svm_vmcb.g_pat = (0x0007040600070406ull & ~(0xFFull << 8 * byte)) | (uint64_t)value << 8 * byte;
        wrong += is_refused() == legal;
    }
    check(wrong == 0, "G_PAT: every value of every byte taken or refused");
}

/* ---- Accepted --------------------------------------------------------------------------------------------------- */

static void cr3_low(void) { svm_vmcb.cr3 |= 0xFE7; }
static void no_lma(void) { svm_vmcb.efer &= ~(uint64_t)EFER_LMA; }
static void cd_and_nw(void) { svm_vmcb.cr0 |= CR0_CD | CR0_NW; }
static void cd_only(void) { svm_vmcb.cr0 |= CR0_CD; }
static void asid_63(void) { svm_vmcb.asid = 63; }
static void not_valid(void) { svm_vmcb.eventinj = 7u << 8 | 2; }
static void base_not_canonical(void) { svm_vmcb.gdtr.base |= 1ull << 62; }
static void iopm_below(void) { svm_vmcb.iopm_base_pa = 0x700FFF; }
static void iopm_last(void) { svm_vmcb.iopm_base_pa = SPA_LIMIT - 0x3000; }
static void msrpm_last(void) { svm_vmcb.msrpm_base_pa = SPA_LIMIT - 0x3000; }
static void pat_ignored(void) { svm_vmcb.g_pat = 0x02; }
static void n_cr3_ignored(void) { svm_vmcb.n_cr3 = ~0ull; }

static const struct row accepted[] = {
    { "CR3 with its low reserved bits", cr3_low }, { "EFER.LMA=0 with LME and PG", no_lma },
    { "CR0.CD and NW", cd_and_nw }, { "CR0.CD alone", cd_only }, { "ASID 63", asid_63 },
    { "a bad EVENTINJ with V=0", not_valid }, { "a base that is not canonical", base_not_canonical },
    { "an IOPM address with low bits", iopm_below }, { "an IOPM that ends at the physical limit", iopm_last },
    { "an MSRPM three pages below it", msrpm_last }, { "any G_PAT without nested paging", pat_ignored },
    { "any N_CR3 without nested paging", n_cr3_ignored },
};

static void accept(const struct row *row)
{
    uint64_t code;

    svm_prepare(at_nop);
    row->change();
    code = svm_run();
    check_format(code == VMEXIT_VMMCALL && svm_vmcb.rip == (uintptr_t)next_nop, "VMRUN takes %s", row->what);
    if (code != VMEXIT_VMMCALL)
        guest_print("# got %llx at %llx", (unsigned long long)code, (unsigned long long)svm_vmcb.rip);
}

static void canonicalised(void)
{
    svm_prepare(at_nop);
    svm_vmcb.gdtr.base = 0x1234800000001000;
    svm_vmcb.efer &= ~(uint64_t)EFER_LMA;
    svm_run();
    check_equal(svm_vmcb.gdtr.base, 0xFFFF800000001000, "a base is sign-extended from bit 47");
    check(svm_vmcb.efer & EFER_LMA, "EFER.LMA follows LME and PG");
}

/* ---- VMRUN's own faults ----------------------------------------------------------------------------------------- */

static void vmrun_at(void *address)
{
    __asm__ volatile("vmrun %%rax" : : "a"(address) : "memory");
}

static void vmload_at(void *address)
{
    __asm__ volatile("vmload %%rax" : : "a"(address) : "memory");
}

static void vmsave_at(void *address)
{
    __asm__ volatile("vmsave %%rax" : : "a"(address) : "memory");
}

static void faults(void)
{
    static const struct {
        const char *what;
        void (*at)(void *address);
    } rows[] = { { "VMRUN", vmrun_at }, { "VMLOAD", vmload_at }, { "VMSAVE", vmsave_at } };
    uint8_t *vmcb = (uint8_t *)&svm_vmcb;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct exception e = exception_try(rows[i].at, vmcb + (8u << i));

        check_format(e.vector == EXC_GP && e.error_code == 0, "%s of an address that is no page's: #GP(0)",
                     rows[i].what);
        e = exception_try(rows[i].at, (void *)SPA_LIMIT);
        check_format(e.vector == EXC_GP && e.error_code == 0, "%s above the physical limit: #GP(0)", rows[i].what);
        msr_write(MSR_EFER, msr_read(MSR_EFER) & ~(uint64_t)EFER_SVME);
        e = exception_try(rows[i].at, vmcb);
        check_format(e.vector == EXC_UD, "%s with EFER.SVME=0: #UD", rows[i].what);
        msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
    }
}

/* In a guest with all intercepts: CPL comes first (APM2 15.9). 32-bit without paging has no U/S to mind. */
static void user_faults(void)
{
    static const struct {
        const char *what, *at;
    } rows[] = {
        { "VMRUN", at_vmrun }, { "VMLOAD", at_vmload }, { "VMSAVE", at_vmsave }, { "STGI", at_stgi },
        { "CLGI", at_clgi }, { "INVLPGA", at_invlpga },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        svm_prepare32(rows[i].at);
        svm_intercept_all();
        svm_vmcb.rax = (uintptr_t)&svm_vmcb;
        svm_vmcb.cpl = 3;
        svm_vmcb.cs.attributes |= 0x60;
        svm_vmcb.ss.attributes |= 0x60;
        check_format(svm_run() == VMEXIT_EXCEPTION + EXC_GP && svm_vmcb.exitinfo1 == 0 &&
                     svm_vmcb.rip == (uintptr_t)rows[i].at, "%s at CPL 3: #GP(0) before the intercept", rows[i].what);
    }
}

/* ---- The world switch ------------------------------------------------------------------------------------------- */

static void step_host(void *unused)
{
    (void)unused;
    __asm__ volatile("pushfq\norq $0x100, (%%rsp)\npopfq\nvmrun %%rax\nnop\nnop"
                     : : "a"(&svm_vmcb) : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                     "r14", "r15", "memory");
}

static void debug(void)
{
    struct exception raised;

    svm_prepare(at_nop);
    svm_vmcb.rflags |= RFLAGS_TF;
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_DB) && svm_frame(0) == (uintptr_t)at_nop + 1,
          "a guest that starts with TF traps after its first instruction");
    svm_prepare(at_nop);
    __asm__ volatile("mov %0, %%dr0" : : "r"(at_nop));
    svm_vmcb.dr7 = 0x401;
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_DB) && svm_frame(0) == (uintptr_t)at_nop,
          "DR7 of the VMCB is the guest's: a breakpoint at its first instruction");
    svm_prepare(at_nop);
    svm_vmcb.dr7 = 0x401;
    svm_vmcb.rflags |= RFLAGS_RF;
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == (uintptr_t)next_nop, "which RF suppresses");
    check_equal(svm_vmcb.rflags, 2, "RF is clear after the instruction");
    svm_prepare(next_nop);
    raised = exception_try(step_host, NULL);
    __asm__ volatile("stgi");
    check(raised.vector == EXC_DB && svm_vmcb.exitcode == VMEXIT_VMMCALL,
          "a host with TF gets its #DB after the exit, not in the guest");
}

static uint64_t dr7_read(void)
{
    uint64_t value;

    __asm__ volatile("mov %%dr7, %0" : "=r"(value));
    return value;
}

static uint64_t dr6_read(void)
{
    uint64_t value;

    __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    return value;
}

static void host_state(void)
{
    uint64_t cr3 = cr3_read(), cr4 = cr4_read(), cr0 = cr0_read(), efer = msr_read(MSR_EFER);

    svm_prepare32(at_dr6);
    svm_vmcb.dr6 = 0xFFFF0FF1;
    __asm__ volatile("mov %0, %%dr6" : : "r"(0xFFFF0FF2ull));
    svm_vmcb.cr2 = 0x77777000;
    svm_vmcb.cr4 = 0x10;
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x500ull));
    check_equal(svm_run(), VMEXIT_VMMCALL, "a 32-bit guest without paging runs under a 64-bit host");
    check(cr3_read() == cr3 && cr4_read() == cr4 && cr0_read() == cr0 && msr_read(MSR_EFER) == efer,
          "CR0, CR3, CR4 and EFER are the host's again");
    check_equal(dr7_read(), 0x400, "the host's breakpoints are off after an exit");
    check_equal(svm_registers.rcx, 0xFFFF0FF1, "DR6 was the guest's");
    check_equal(dr6_read(), 0xFFFF0FF1, "and stays so");
    check(cr2_read() == 0x77777000, "CR2 stays the guest's");
    check(svm_vmcb.cr0 == 0x11 && svm_vmcb.cr4 == 0x10 && svm_vmcb.cr3 == 0, "the guest's are saved");
}

static void bad_rip(void)
{
    svm_prepare((const char *)0x800000000000);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_GP),
          "a guest's rIP that is not canonical: #GP in the guest");
    svm_prepare32(at_nop32);
    svm_vmcb.cs.limit = (uint32_t)(uintptr_t)at_nop32 - 1;
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_GP), "one beyond the limit of CS likewise");
}

static void shadow(void)
{
    svm_prepare(next_nop);
    svm_vmcb.interrupt_shadow = 1;
    svm_run();
    check_equal(svm_vmcb.interrupt_shadow & 1, 1, "the VMCB's interrupt shadow covers the guest's first instruction");
    svm_prepare(at_nop);
    svm_vmcb.interrupt_shadow = 1;
    svm_run();
    check_equal(svm_vmcb.interrupt_shadow & 1, 0, "and no more");
}

/* VMRUN with GIF=1, refused: the #VMEXIT clears it (APM2 15.6, 15.17), so that an NMI waits for STGI. */
static volatile unsigned reached;

static void refused_then_nmi(void *unused)
{
    (void)unused;
    vmrun_at(&svm_vmcb);
    apic_send_self(APIC_ICR_NMI);
    for (unsigned i = 0; i < 10000; i++)
        cpu_pause();
    reached = 1;
    __asm__ volatile("stgi\nnop\nnop" : : : "memory");
    reached = 2;
}

static void gif(void)
{
    apic_enable();
    svm_prepare(at_nop);
    asid_0();
    check_raised(exception_try(refused_then_nmi, NULL), EXC_NMI, 0, "an NMI after a refused VMRUN comes");
    check(svm_vmcb.exitcode == VMEXIT_INVALID && reached == 1, "but only at STGI: GIF is 0");
}

void guest_main(void)
{
    bool nested_paging;

    svm_begin();
    nested_paging = cpuid(0x8000000A, 0).edx & 1;
    for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        refuse(&refused[i]);
    for (unsigned i = 0; nested_paging && i < sizeof(refused_nested) / sizeof(refused_nested[0]); i++)
        refuse(&refused_nested[i]);
    every_bit();
    every_event();
    if (nested_paging)
        every_pat();
    for (unsigned i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++)
        accept(&accepted[i]);
    canonicalised();
    faults();
    user_faults();
    debug();
    host_state();
    bad_rip();
    shadow();
    gif();
    check_end();
}
