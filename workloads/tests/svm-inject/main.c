/* SPDX-License-Identifier: MIT */
/*
 * Event injection (APM2 15.20) and EXITINTINFO (APM2 15.7.2): does every kind of event in EVENTINJ reach the guest's
 * handler, and does an exit during a delivery say what was being delivered?
 *
 * Both fields have one format, so that a hypervisor can complete by injection what an exit broke off; an
 * acknowledged interrupt cannot be had again. Peers push an error code by vector, forget EXT, call interrupts
 * type 3, or leave EXITINTINFO stale.
 *
 * Every vector of the guest leads to a VMMCALL: delivery is an exit there, with its frame on the stack. Faults are
 * made by absent gates, a short IDT and a stack that is not mapped.
 *
 * An event arrives before the guest's first instruction, whatever IF, V_TPR, shadow and intercepts say; EV alone
 * decides whether an error code is pushed. CR2 and DR6 stay, V and the shadow are clear, EXITINTINFO is 0. Real mode
 * pushes three words and never a code, 32-bit mode doublewords; #OF and #BR are injected in these two only. An
 * injected NMI does not mask the next one. A fault of the delivery is intercepted as any other, before it combines,
 * with the injected event in EXITINTINFO: #NP and #GP of a gate have IDT in the code, and EXT unless the event is
 * INT n. Not intercepted it combines to #DF (which EXITINTINFO then names) and shutdown; #UD and #NP do not combine.
 * From CPL 3 the gate's DPL counts for INT n and #BP, not for others. EXITINTINFO also tells of what the guest met:
 * INT n (type 4), INT3 and #GP (3), physical and virtual interrupts (0); it is 0 at the next exit that is no
 * delivery's.
 *
 * With NRIPS (10h-c2 and 10h-d0, which run it again) INT n, #BP and #OF push the VMCB's nRIP, so that a fault of the
 * delivery still finds rIP at the instruction; without, and for all other events, nRIP means nothing and rIP is
 * pushed. All vectors, and what VMRUN refuses, are svm-vmrun's.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"
#include "workloads/lib/svm64.h"

#define INTR 0u
#define NMI 2u
#define EXCEPTION 3u
#define SOFTWARE 4u
#define RFLAGS_IF 0x200u
#define HOLE 0x20000000000ull
#define USER_PAGE 0x30000000000ull
#define ABSENT_GATE 0x90    /* its gate is not present */
#define VECTOR 0x41
#define EVENT(type, vector) (EVENT_V | (uint64_t)(type) << 8 | (vector))
#define WITH_ERROR(error) (EVENT_EV | (uint64_t)(error) << 32)

SVM_CODE64(nop, "nop\nnop") SVM_CODE64(int_absent, "int $0x90") SVM_CODE64(gp, "movq (%rdx), %rcx")
SVM_CODE64(int3, "int3")
SVM_CODE(32, nop32, "nop") SVM_CODE(16, nop16, "nop")

static bool has_nrips; /* CPUID 8000_000A EDX[3] */

static struct gate {
    uint16_t offset_0, selector, attributes, offset_16;
    uint32_t offset_32, reserved;
} *idt;

static void gate_attributes(unsigned vector, uint16_t attributes)
{
    idt[vector].attributes = attributes;
}

/* ---- Delivered -------------------------------------------------------------------------------------------------- */

struct row {
    const char *what;
    uint64_t eventinj;
    unsigned vector;
    bool has_error;
    uint64_t error;
};

static const struct row rows[] = {
    { "an external interrupt", EVENT(INTR, VECTOR), VECTOR, false, 0 },
    { "an external interrupt of vector 0", EVENT(INTR, 0), 0, false, 0 },
    { "an NMI, whose vector field is ignored", EVENT(NMI, 0x77), 2, false, 0 },
    { "#DE", EVENT(EXCEPTION, EXC_DE), EXC_DE, false, 0 },
    { "#DB", EVENT(EXCEPTION, EXC_DB), EXC_DB, false, 0 },
    { "#BP", EVENT(EXCEPTION, EXC_BP), EXC_BP, false, 0 },
    { "#UD", EVENT(EXCEPTION, EXC_UD), EXC_UD, false, 0 },
    { "#NM", EVENT(EXCEPTION, EXC_NM), EXC_NM, false, 0 },
    { "#DF with its error code", EVENT(EXCEPTION, EXC_DF) | WITH_ERROR(0), EXC_DF, true, 0 },
    { "#TS with its error code", EVENT(EXCEPTION, EXC_TS) | WITH_ERROR(0x48), EXC_TS, true, 0x48 },
    { "#GP with its error code", EVENT(EXCEPTION, EXC_GP) | WITH_ERROR(0x1234), EXC_GP, true, 0x1234 },
    { "#GP without EV: nothing is pushed", EVENT(EXCEPTION, EXC_GP) | 0x1234ull << 32, EXC_GP, false, 0 },
    { "#UD with EV: a code is pushed", EVENT(EXCEPTION, EXC_UD) | WITH_ERROR(0x55), EXC_UD, true, 0x55 },
    { "#PF with its error code", EVENT(EXCEPTION, EXC_PF) | WITH_ERROR(7), EXC_PF, true, 7 },
    { "exception 31", EVENT(EXCEPTION, 31), 31, false, 0 },
    { "INT 80h", EVENT(SOFTWARE, 0x80), 0x80, false, 0 },
    { "INT 3 as a software interrupt", EVENT(SOFTWARE, 3), 3, false, 0 },
};

/* Put the event and an nRIP of two bytes on; gives the rIP that must be pushed. */
static uint64_t inject(const struct row *row)
{
    unsigned type = row->eventinj >> 8 & 7;
    bool software = type == SOFTWARE || (type == EXCEPTION && (row->vector == EXC_BP || row->vector == EXC_OF));

    svm_vmcb.eventinj = row->eventinj;
    svm_vmcb.nrip = svm_vmcb.rip + 2;
    return software && has_nrips ? svm_vmcb.nrip : svm_vmcb.rip;
}

static void deliver(const struct row *row)
{
    uint64_t code, pushed;

    svm_prepare(at_nop);
    svm_intercept_all();
    pushed = inject(row);
    svm_vmcb.interrupt_shadow = 1;
    svm_vmcb.v_intr = V_INTR_MASKING | 0xF;
    svm_vmcb.cr2 = 0x5A5A;
    code = svm_run();
    check_format(code == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(row->vector),
                 "%s is delivered: IF=0, shadow, V_TPR and intercepts do not matter", row->what);
    if (code != VMEXIT_VMMCALL) {
        guest_print("# got %llx at %llx", (unsigned long long)code, (unsigned long long)svm_vmcb.rip);
        return;
    }
    check_format((!row->has_error || svm_frame(0) == row->error) && svm_frame(row->has_error) == pushed &&
                 svm_vmcb.rsp == SVM_STACK_TOP - 40 - 8 * row->has_error,
                 "%s: the frame has the right rIP and as many words as EV says", row->what);
    check_format(svm_vmcb.cr2 == 0x5A5A && svm_vmcb.dr6 == 0xFFFF0FF0 && !(svm_vmcb.eventinj & EVENT_V) &&
                 svm_vmcb.exitintinfo == 0 && !(svm_vmcb.interrupt_shadow & 1),
                 "%s: CR2 and DR6 stay, V and the shadow are clear, EXITINTINFO is 0", row->what);
}

/* In real mode through the IVT: three words, no error code whatever EV says. */
static void in_real_mode(const struct row *row)
{
    const uint16_t *frame = (const uint16_t *)(uintptr_t)(SVM_REAL_CODE + SVM_REAL_STACK - 6);
    uint64_t code, pushed;

    svm_prepare_real(at_nop16, (unsigned)(next_nop16 + 3 - at_nop16));
    svm_intercept_all();
    pushed = inject(row);
    svm_vmcb.rflags = RFLAGS_IF | 2;
    code = svm_run();
    check_format(code == VMEXIT_VMMCALL && svm_vmcb.rip == SVM_REAL_STUBS + 16 * row->vector &&
                 svm_vmcb.rsp == SVM_REAL_STACK - 6 && frame[0] == pushed && frame[1] == SVM_REAL_CODE >> 4 &&
                 frame[2] == (RFLAGS_IF | 2) && !(svm_vmcb.rflags & RFLAGS_IF),
                 "%s in real mode: IP, CS and FLAGS, the IVT's handler", row->what);
}

/* In 32-bit protected mode: doublewords, the error code as EV says. */
static void in_32_bits(const struct row *row)
{
    const uint32_t *frame = (const uint32_t *)(SVM_STACK_TOP - 12 - 4 * row->has_error);
    uint64_t code, pushed;

    svm_prepare32(at_nop32);
    svm_intercept_all();
    pushed = inject(row);
    code = svm_run();
    check_format(code == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(row->vector) &&
                 svm_vmcb.rsp == (uintptr_t)frame && (!row->has_error || frame[0] == row->error) &&
                 frame[row->has_error] == pushed &&
                 frame[1 + row->has_error] == SVM_CODE32, "%s in 32-bit mode", row->what);
}

/* #BR and #OF, which 64-bit mode has not, can be injected there. */
static const struct row legacy_rows[] = {
    { "#OF", EVENT(EXCEPTION, EXC_OF), EXC_OF, false, 0 }, { "#BR", EVENT(EXCEPTION, EXC_BR), EXC_BR, false, 0 },
};

static void nmi_does_not_mask(void)
{
    __asm__ volatile("clgi");
    apic_send_self(APIC_ICR_NMI);
    svm_prepare(at_nop);
    svm_vmcb.eventinj = EVENT(NMI, 2);
    svm_intercept(VMEXIT_NMI, true);
    check(svm_run_gif0() == VMEXIT_NMI && svm_vmcb.rip == svm_vector(2), "an injected NMI does not mask the next one");
    svm_prepare(at_nop);
    svm_run(); /* the guest takes the pending one */
    check_equal(svm_vmcb.rip, svm_vector(2), "which the next guest takes");
    __asm__ volatile("movq %%rsp, %%rax\npushq $0x10\npushq %%rax\npushfq\npushq $0x18\npushq $1f\niretq\n1:"
                     : : : "rax", "memory");
}

/* ---- Faults during the delivery --------------------------------------------------------------------------------- */

static void expect_fault(uint64_t eventinj, unsigned vector, uint64_t error, const char *what)
{
    uint64_t code;

    svm_vmcb.eventinj = eventinj;
    svm_intercept_exceptions(1u << vector);
    code = svm_run();
    check_format(code == VMEXIT_EXCEPTION + vector && svm_vmcb.exitinfo1 == error, "%s", what);
    if (code != VMEXIT_EXCEPTION + vector || svm_vmcb.exitinfo1 != error)
        guest_print("# got %llx, EXITINFO1 %llx", (unsigned long long)code, (unsigned long long)svm_vmcb.exitinfo1);
    check_format(svm_vmcb.exitintinfo == eventinj && !(svm_vmcb.eventinj & EVENT_V) &&
                 svm_vmcb.rip == (uintptr_t)at_nop, "  and EXITINTINFO is the injected event, rIP as before");
    if (svm_vmcb.exitintinfo != eventinj)
        guest_print("# got EXITINTINFO %llx, want %llx", (unsigned long long)svm_vmcb.exitintinfo,
                    (unsigned long long)eventinj);
}

static void faults(void)
{
    svm_prepare(at_nop);
    expect_fault(EVENT(INTR, ABSENT_GATE), EXC_NP, ABSENT_GATE * 8 + 3, "INTR, absent gate: #NP with IDT and EXT");
    svm_prepare(at_nop);
    expect_fault(EVENT(SOFTWARE, ABSENT_GATE), EXC_NP, ABSENT_GATE * 8 + 2, "INT n, absent gate: #NP without EXT");
    svm_prepare(at_nop);
    svm_vmcb.idtr.limit = 16 * 16 - 1;
    expect_fault(EVENT(INTR, VECTOR), EXC_GP, VECTOR * 8 + 3, "INTR beyond the IDT: #GP with IDT and EXT");
    svm_prepare(at_nop);
    svm_vmcb.idtr.limit = 16 * 2 - 1;
    expect_fault(EVENT(NMI, 2), EXC_GP, 2 * 8 + 3, "NMI beyond the IDT: #GP with IDT and EXT");
    svm_prepare(at_nop);
    svm_vmcb.idtr.limit = 16 * 13 - 1;
    expect_fault(EVENT(EXCEPTION, EXC_GP) | WITH_ERROR(0x58), EXC_GP, EXC_GP * 8 + 3,
                 "#GP beyond the IDT: the second #GP is intercepted before they combine");
    svm_prepare(at_nop);
    svm_vmcb.rsp = HOLE + 0x800;
    expect_fault(EVENT(INTR, VECTOR), EXC_PF, PF_W, "a stack that is not mapped: #PF of a write");
    check(svm_vmcb.exitinfo2 >= HOLE + 0x7D8 && svm_vmcb.exitinfo2 < HOLE + 0x800 && svm_vmcb.cr2 == 0,
          "  EXITINFO2 lies in the frame, CR2 is not written");
}

static void combine(void)
{
    svm_prepare(at_nop);
    svm_vmcb.idtr.limit = 16 * 9 - 1; /* #DF is the last gate */
    svm_vmcb.eventinj = EVENT(EXCEPTION, EXC_GP) | WITH_ERROR(0);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_DF), "not intercepted they become #DF");
    svm_prepare(at_nop);
    svm_vmcb.idtr.limit = 16 * 9 - 1;
    svm_vmcb.eventinj = EVENT(EXCEPTION, EXC_GP) | WITH_ERROR(0);
    svm_intercept_exceptions(1u << EXC_DF);
    check_equal(svm_run(), VMEXIT_EXCEPTION + EXC_DF, "which can be intercepted");
    svm_prepare(at_nop);
    svm_vmcb.idtr.limit = 16 * 8 - 1;
    svm_vmcb.eventinj = EVENT(EXCEPTION, EXC_DF) | WITH_ERROR(0);
    check_equal(svm_run(), VMEXIT_SHUTDOWN, "a fault of #DF's delivery is shutdown");
    svm_prepare(at_nop);
    svm_vmcb.idtr.limit = 16 * 11 - 1; /* #GP beyond the limit; #DF's gate is there but absent: #NP */
    gate_attributes(EXC_DF, 0x0E00);
    svm_vmcb.eventinj = EVENT(EXCEPTION, EXC_GP) | WITH_ERROR(0);
    svm_intercept_exceptions(1u << EXC_NP);
    check(svm_run() == VMEXIT_EXCEPTION + EXC_NP && svm_vmcb.exitinfo1 == EXC_DF * 8 + 3,
          "#GP, then #GP, then an intercepted #NP");
    check_equal(svm_vmcb.exitintinfo, EVENT(EXCEPTION, EXC_DF) | WITH_ERROR(0), "EXITINTINFO is the aggregate, #DF");
    gate_attributes(EXC_DF, 0x8E00);
    svm_prepare(at_nop);
    svm_vmcb.eventinj = EVENT(EXCEPTION, EXC_UD);
    gate_attributes(EXC_UD, 0x0E00);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_NP) && svm_frame(0) == EXC_UD * 8 + 3,
          "#UD and #NP do not combine: #NP is delivered");
    gate_attributes(EXC_UD, 0x8E00);
}

/* From CPL 3 through gates of DPL 0. */
static void privilege(unsigned type, unsigned vector, bool checked)
{
    svm_prepare(at_nop);
    *(uint8_t *)USER_PAGE = 0x90;
    svm_vmcb.cpl = 3;
    svm_vmcb.cs = (struct vmcb_segment){ SVM_USER_CODE64, 0xAFB, 0xFFFFFFFF, 0 };
    svm_vmcb.ss = (struct vmcb_segment){ SVM_USER_DATA, 0xCF3, 0xFFFFFFFF, 0 };
    svm_vmcb.rip = USER_PAGE;
    svm_vmcb.rsp = USER_PAGE + 0x800;
    svm_vmcb.eventinj = EVENT(type, vector);
    svm_intercept_exceptions(1u << EXC_GP);
    svm_run();
    if (checked)
        check_format(svm_vmcb.exitcode == VMEXIT_EXCEPTION + EXC_GP && svm_vmcb.exitinfo1 == vector * 8 + 2 &&
                     svm_vmcb.exitintinfo == EVENT(type, vector),
                     "type %u vector %u from CPL 3: the gate's DPL is checked, #GP without EXT", type, vector);
    else
        check_format(svm_vmcb.exitcode == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(vector) && svm_vmcb.cpl == 0,
                     "type %u vector %u from CPL 3: the gate's DPL does not matter", type, vector);
}

/* ---- EXITINTINFO of events that the guest met ------------------------------------------------------------------- */

static void expect_info(uint64_t info, const char *what)
{
    svm_intercept_exceptions(1u << EXC_NP);
    check(svm_run() == VMEXIT_EXCEPTION + EXC_NP && svm_vmcb.exitintinfo == info, what);
    if (svm_vmcb.exitintinfo != info)
        guest_print("# got %llx, EXITINTINFO %llx, want %llx", (unsigned long long)svm_vmcb.exitcode,
                    (unsigned long long)svm_vmcb.exitintinfo, (unsigned long long)info);
}

static void met(void)
{
    svm_prepare(at_int_absent);
    expect_info(EVENT(SOFTWARE, ABSENT_GATE), "INT n, absent gate: EXITINTINFO of type 4");
    check(svm_vmcb.rip == (uintptr_t)at_int_absent && svm_vmcb.exitinfo1 == ABSENT_GATE * 8 + 2,
          "  rIP is the INT's, no EXT");
    gate_attributes(EXC_BP, 0x0E00);
    svm_prepare(at_int3);
    expect_info(EVENT(EXCEPTION, EXC_BP), "INT3, absent gate: EXITINTINFO of type 3");
    gate_attributes(EXC_BP, 0x8E00);
    gate_attributes(EXC_GP, 0x0E00);
    svm_prepare(at_gp);
    svm_registers.rdx = 0x800000000000;
    expect_info(EVENT(EXCEPTION, EXC_GP) | WITH_ERROR(0), "#GP, absent gate: EXITINTINFO with its error code");
    gate_attributes(EXC_GP, 0x8E00);
    apic_write(APIC_ICR, APIC_ICR_SELF | ABSENT_GATE);
    svm_prepare(at_nop);
    svm_vmcb.rflags |= RFLAGS_IF;
    expect_info(EVENT(INTR, ABSENT_GATE), "a physical interrupt, absent gate: EXITINTINFO of type 0");
    check(apic_bit(APIC_ISR, ABSENT_GATE), "  it has been acknowledged");
    apic_write(APIC_EOI, 0);
    svm_prepare(at_nop);
    svm_vmcb.rflags |= RFLAGS_IF;
    svm_vmcb.v_intr = V_INTR_MASKING | 1u << 8 | 0xFu << 16 | (uint64_t)ABSENT_GATE << 32;
    expect_info(EVENT(INTR, ABSENT_GATE), "a virtual interrupt, absent gate: EXITINTINFO of type 0");
    check(!(svm_vmcb.v_intr >> 8 & 1), "  V_IRQ is clear");
    svm_prepare(at_nop);
    svm_vmcb.exitintinfo = EVENT(EXCEPTION, EXC_GP);
    svm_run();
    check_equal(svm_vmcb.exitintinfo, 0, "the next exit that is no delivery's leaves EXITINTINFO 0");
}

void guest_main(void)
{
    svm_begin();
    apic_enable();
    has_nrips = cpuid(0x8000000A, 0).edx & 8;
    *paging_entry(USER_PAGE, 1) = 0x800000 | PTE_P | PTE_RW | PTE_US;
    *paging_entry(HOLE, 1) = 0;
    svm_prepare(at_nop);
    idt = (struct gate *)svm_vmcb.idtr.base;
    gate_attributes(ABSENT_GATE, 0x0E00);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        deliver(&rows[i]);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        in_real_mode(&rows[i]);
        in_32_bits(&rows[i]);
    }
    for (unsigned i = 0; i < sizeof(legacy_rows) / sizeof(legacy_rows[0]); i++) {
        in_real_mode(&legacy_rows[i]);
        in_32_bits(&legacy_rows[i]);
    }
    nmi_does_not_mask();
    faults();
    combine();
    privilege(SOFTWARE, 0x80, true);
    privilege(EXCEPTION, EXC_BP, true);
    privilege(EXCEPTION, EXC_UD, false);
    privilege(INTR, VECTOR, false);
    privilege(NMI, 2, false);
    met();
    check_end();
}
