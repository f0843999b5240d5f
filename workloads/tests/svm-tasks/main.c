/* SPDX-License-Identifier: MIT */
/*
 * The task-switch intercept (APM2 15.14.1, exit code 07Dh): a task switch exits after the checks of the
 * incoming TSS, before anything is committed, and says enough to do the switch in software.
 *
 * Under shadow paging, where a switch would load CR3, hv does so (hv/vm/task_switch.c). QEMU exits when the switch
 * has begun; Bochs is wrong in EXITINTINFO of INT n.
 *
 * Guests run in 32- and 16-bit protected mode, with two TSSs of that width and task gates in GDT and IDT. Each
 * cause runs with the intercept, then with all others but those of exceptions, interrupts, SMI, IRET and INT n.
 *
 * The causes are JMP and CALL to a TSS and through a task gate, IRET with NT, and by the IDT INT n, #UD, #NP and an
 * interrupt, injected or of the APIC. With the intercept EXITINFO1 is the new TSS's selector, EXITINFO2 says how (36
 * IRET, 38 JMP, neither: CALL or a gate), 44 and 31:0 the error code, 48 the RF that would be saved: 1 for the two
 * faults. EXITINTINFO is what was being delivered, of type 4, 3 or 0, and 0 for JMP, CALL and IRET. Saved rIP is the
 * instruction's own; TR, busy bits, CR0.TS, LDTR, CR3 and both TSSs are untouched.
 *
 * Without the intercept the new task runs, up to a VMMCALL: TR is its, the old TSS has the old rIP (the next one's
 * but for faults and the interrupt), CR0.TS is set, LDTR and (32-bit) CR3 are loaded, whose own intercepts do not
 * count, and busy bits, back link and NT are as the cause demands.
 *
 * Last, an absent TSS or gate is #NP, a busy TSS #GP, a short one #TS, RPL over the gate's DPL #GP, in the guest and
 * with no exit. Without SVM it skips.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/svm64.h"

#define NEW_TSS 0x68        /* SVM_FREE */
#define TASK_GATE 0x70      /* to NEW_TSS */
#define OLD_TSS 0x78        /* of the test: TR */
#define CODE_VECTOR 0x90    /* a task gate in the IDT */
#define BY_IRET (1ull << 36)
#define BY_JUMP (1ull << 38)
#define HAS_ERROR (1ull << 44)
#define WITH_RF (1ull << 48)
#define RFLAGS_IF 0x200u
#define RFLAGS_NT 0x4000u
#define BUSY (2ull << 40)
#define TSS32_TYPE 0x89ull
#define TSS16_TYPE 0x81ull
#define CR0_PG 0x80000000u
#define CR4_PSE 0x10u
#define TSS_CR3 7           /* doublewords of a 32-bit TSS */
#define TSS_LDT 24
#define TSS16_LDT 21        /* a word of a 16-bit one */

#define BOTH(name, text) SVM_CODE(32, name##_32, text) SVM_CODE(16, name##_16, text)
BOTH(jump, "ljmp $0x68, $0") BOTH(call, "lcall $0x68, $0") BOTH(jump_gate, "ljmp $0x70, $0")
BOTH(call_gate, "lcall $0x70, $0") BOTH(iret, "iret") BOTH(int_gate, "int $0x90") BOTH(ud2, "ud2")
BOTH(absent, "movl %edx, %ds") BOTH(nop, "nop")
SVM_CODE(32, jump_gate3, "ljmp $0x73, $0")

struct row {
    const char *what;
    const char *at, *next;
    uint64_t info2;
    uint64_t event;     /* EXITINTINFO */
    unsigned gate;      /* this vector's gate becomes a task gate */
    uint32_t rflags;
    uint64_t inject;
    bool pending;       /* in the APIC */
};

#define ABSENT_ERROR (SVM_ABSENT)
#define EVENT(type, vector) (EVENT_V | (type) << 8 | (vector))
#define ROWS(w)                                                                                                    \
    { "JMP to a TSS, " #w "-bit", at_jump_##w, next_jump_##w, .info2 = BY_JUMP },                                  \
    { "CALL of a TSS, " #w "-bit", at_call_##w, next_call_##w, .info2 = 0 },                                       \
    { "JMP to a task gate, " #w "-bit", at_jump_gate_##w, next_jump_gate_##w, .info2 = BY_JUMP },                  \
    { "CALL of a task gate, " #w "-bit", at_call_gate_##w, next_call_gate_##w, .info2 = 0 },                       \
    { "IRET with NT, " #w "-bit", at_iret_##w, next_iret_##w, .info2 = BY_IRET, .rflags = RFLAGS_NT },             \
    { "INT n through a task gate, " #w "-bit", at_int_gate_##w, next_int_gate_##w, .event = EVENT(4, CODE_VECTOR), \
      .gate = CODE_VECTOR },                                                                                       \
    { "#UD through a task gate, " #w "-bit", at_ud2_##w, at_ud2_##w, .info2 = WITH_RF, .event = EVENT(3, EXC_UD),  \
      .gate = EXC_UD },                                                                                            \
    { "#NP through a task gate, " #w "-bit", at_absent_##w, at_absent_##w,                                         \
      .info2 = HAS_ERROR | WITH_RF | ABSENT_ERROR,                                                                 \
      .event = (uint64_t)ABSENT_ERROR << 32 | EVENT_EV | EVENT(3, EXC_NP), .gate = EXC_NP },                       \
    { "an injected interrupt through a task gate, " #w "-bit", at_nop_##w, at_nop_##w,                             \
      .event = EVENT(0, CODE_VECTOR), .gate = CODE_VECTOR, .inject = EVENT(0, CODE_VECTOR) },                      \
    { "the APIC's interrupt through a task gate, " #w "-bit", at_nop_##w, at_nop_##w,                              \
      .event = EVENT(0, CODE_VECTOR), .gate = CODE_VECTOR, .rflags = RFLAGS_IF, .pending = true }
static const struct row rows32[] = { ROWS(32) }, rows16[] = { ROWS(16) };
#define COUNT (sizeof(rows32) / sizeof(rows32[0]))

static uint32_t old_tss[32], new_tss[32], old_before[32], new_before[32];
static uint32_t directory_a[1024] __attribute__((aligned(4096))), directory_b[1024] __attribute__((aligned(4096)));

static uint64_t tss_descriptor(const void *at, uint64_t type, unsigned limit)
{
    return type << 40 | limit | ((uintptr_t)at & 0xFFFFFF) << 16 | ((uintptr_t)at & 0xFF000000) << 32;
}

/* The new task starts at the VMMCALL of vector 0's handler, on a stack of its own. */
static void fill32(void)
{
    memset(new_tss, 0, sizeof(new_tss));
    new_tss[8] = (uint32_t)svm_vector(0);
    new_tss[9] = 2;
    new_tss[14] = (uint32_t)SVM_STACK_TOP - 512;
    new_tss[18] = new_tss[20] = new_tss[21] = SVM_DATA;
    new_tss[19] = SVM_CODE32;
    new_tss[TSS_CR3] = (uint32_t)(uintptr_t)directory_b;
    new_tss[TSS_LDT] = SVM_LDT;
}

/* 16-bit: IP, FLAGS, AX.., ES CS SS DS are 16-bit words from byte 14; the code lies at the base of CS. */
static void fill16(void)
{
    uint16_t *words = (uint16_t *)new_tss;

    memset(new_tss, 0, sizeof(new_tss));
    words[7] = (uint16_t)svm_vector(0);
    words[8] = 2;
    words[13] = 0x800;
    words[18] = SVM_CODE16;
    words[17] = words[19] = words[20] = SVM_DATA;
    words[TSS16_LDT] = SVM_LDT;
}

/* One to one, by tables of the old task's or of the new one's. */
static void enable_paging(void)
{
    for (uint32_t i = 0; i < 1024; i++)
        directory_a[i] = directory_b[i] = i << 22 | 0xE7;
    svm_vmcb.cr0 |= CR0_PG;
    svm_vmcb.cr4 |= CR4_PSE;
    svm_vmcb.cr3 = (uintptr_t)directory_a;
}

static void prepare(const struct row *row, bool wide)
{
    unsigned limit = wide ? 0x67 : 0x2B;
    uint64_t type = wide ? TSS32_TYPE : TSS16_TYPE;

    svm_prepare32(row->at);
    if (!wide)
        svm_vmcb.cs = (struct vmcb_segment){ SVM_CODE16, SEGMENT_CODE16 | 0x800, 0xFFFFFFFF, 0 };
    if (wide)
        fill32();
    else
        fill16();
    enable_paging();
    memset(old_tss, 0, sizeof(old_tss));
    *(uint16_t *)old_tss = NEW_TSS; /* the back link of IRET */
    svm_gdt[NEW_TSS / 8] = tss_descriptor(new_tss, type, limit) | (row->rflags & RFLAGS_NT ? BUSY : 0);
    svm_gdt[TASK_GATE / 8] = 0x0000850000000000 | NEW_TSS << 16;
    svm_gdt[OLD_TSS / 8] = tss_descriptor(old_tss, type, limit) | BUSY;
    /* the new CS of a 16-bit task: its IP has 16 bits only */
    svm_gdt[SVM_CODE16 / 8] = 0x008F9B000000FFFF | (svm_vector(0) & 0xFF0000) << 16;
    svm_vmcb.tr = (struct vmcb_segment){ OLD_TSS, wide ? 0x8B : 0x83, limit, (uintptr_t)old_tss };
    svm_vmcb.rflags |= row->rflags;
    svm_vmcb.eventinj = row->inject;
    svm_registers.rdx = SVM_ABSENT;
    if (row->gate)
        svm_idt32[row->gate] = 0x0000850000000000 | NEW_TSS << 16;
    memcpy(old_before, old_tss, sizeof(old_tss));
    memcpy(new_before, new_tss, sizeof(new_tss));
}

static void restore_gate(const struct row *row)
{
    uintptr_t at = svm_vector(row->gate);

    if (row->gate)
        svm_idt32[row->gate] = (at & 0xFFFF) | SVM_CODE32 << 16 | 0x8E00ull << 32 | (at >> 16 & 0xFFFF) << 48;
}

/* VMRUN, and the IDT as it was. */
static uint64_t run(const struct row *row)
{
    uint64_t code;

    if (row->pending) {
        apic_write(APIC_ICR, APIC_ICR_SELF | APIC_ICR_ASSERT | CODE_VECTOR);
        while (!apic_bit(APIC_IRR, CODE_VECTOR))
            cpu_pause();
    }
    code = svm_run();
    if (row->pending)
        apic_write(APIC_EOI, 0);
    restore_gate(row);
    return code;
}

static void exits(const struct row *row, bool wide)
{
    uint64_t code, busy;

    prepare(row, wide);
    busy = svm_gdt[NEW_TSS / 8];
    svm_intercept(0x07D, true);
    code = run(row);
    check_format(code == 0x07D && (svm_vmcb.exitinfo1 & 0xFFFF) == NEW_TSS, "%s exits with code 07d and its selector",
                 row->what);
    check_format(svm_vmcb.exitinfo2 == row->info2, "%s: EXITINFO2 is %llx", row->what,
                 (unsigned long long)row->info2);
    check_format(svm_vmcb.exitintinfo == row->event, "%s: EXITINTINFO is %llx", row->what,
                 (unsigned long long)row->event);
    check_format(svm_vmcb.rip == (uintptr_t)row->at, "%s: saved rIP is its own", row->what);
    check_format(svm_vmcb.tr.selector == OLD_TSS && svm_gdt[NEW_TSS / 8] == busy &&
                 (svm_gdt[OLD_TSS / 8] & BUSY) && !(svm_vmcb.cr0 & 8) && svm_vmcb.ldtr.selector == 0 &&
                 svm_vmcb.cr3 == (uintptr_t)directory_a, "%s: TR, busy bits, CR0.TS, LDTR and CR3 are as before",
                 row->what);
    check_format(memcmp(old_tss, old_before, sizeof(old_tss)) == 0 && memcmp(new_tss, new_before,
                 sizeof(new_tss)) == 0, "%s: both TSSs are as before", row->what);
    if (code != 0x07D || svm_vmcb.exitinfo2 != row->info2 || svm_vmcb.exitintinfo != row->event)
        guest_print("# got %llx, INFO1 %llx, INFO2 %llx, EXITINTINFO %llx, rIP %llx", (unsigned long long)code,
                    (unsigned long long)svm_vmcb.exitinfo1, (unsigned long long)svm_vmcb.exitinfo2,
                    (unsigned long long)svm_vmcb.exitintinfo, (unsigned long long)svm_vmcb.rip);
}

static void switches(const struct row *row, bool wide)
{
    bool back = row->rflags & RFLAGS_NT, jump = row->info2 == BY_JUMP, nests = !back && !jump;
    uint32_t saved;
    uint64_t code, rip = wide ? svm_vector(0) : svm_vector(0) & 0xFFFF;

    prepare(row, wide);
    svm_intercept_all();
    svm_intercept(0x07D, false);
    svm_intercept(0x070 + 4, false);        /* IRET and INT n have intercepts of their own */
    svm_intercept(0x075, false);
    svm_intercept(0x060, false);            /* INTR, too */
    svm_intercept_exceptions(0);
    code = run(row);
    saved = wide ? old_tss[8] : ((uint16_t *)old_tss)[7];
    check_format(code == VMEXIT_VMMCALL && svm_vmcb.rip == rip && svm_vmcb.tr.selector == NEW_TSS,
                 "%s switches without the intercept", row->what);
    if (code != VMEXIT_VMMCALL)
        guest_print("# got %llx at %llx", (unsigned long long)code, (unsigned long long)svm_vmcb.rip);
    check_format(saved == (wide ? (uintptr_t)row->next : (uintptr_t)row->next & 0xFFFF) && (svm_vmcb.cr0 & 8),
                 "%s: the old task's rIP is in its TSS, CR0.TS is set", row->what);
    check_format(svm_vmcb.ldtr.selector == SVM_LDT && svm_vmcb.cr3 == (uintptr_t)(wide ? directory_b : directory_a),
                 "%s: LDTR is the new one's, and CR3 if the TSS has one", row->what);
    check_format((svm_gdt[NEW_TSS / 8] & BUSY) && !(svm_gdt[OLD_TSS / 8] & BUSY) == !nests,
                 "%s: the busy bits follow", row->what);
    check_format(((uint16_t *)new_tss)[0] == (nests ? OLD_TSS : 0) && !(svm_vmcb.rflags & RFLAGS_NT) == !nests,
                 "%s: back link and NT as the nesting says", row->what);
}

/* What is found before the intercept is the guest's fault, with this selector as error code. */
static void first(unsigned vector, uint32_t error, const char *what)
{
    svm_intercept(0x07D, true);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(vector) && (uint32_t)svm_frame(0) == error, what);
}

static void checks_first(void)
{
    prepare(&rows32[0], true);
    svm_gdt[NEW_TSS / 8] &= ~(0x80ull << 40);
    first(EXC_NP, NEW_TSS, "an absent TSS is #NP, no exit");
    prepare(&rows32[0], true);
    svm_gdt[NEW_TSS / 8] |= BUSY;
    first(EXC_GP, NEW_TSS, "a busy TSS is #GP, no exit");
    prepare(&rows32[0], true);
    svm_gdt[NEW_TSS / 8] &= ~0xFFFFull;
    first(EXC_TS, NEW_TSS, "a short TSS is #TS, no exit");
    prepare(&rows32[2], true);
    svm_gdt[TASK_GATE / 8] &= ~(0x80ull << 40);
    first(EXC_NP, TASK_GATE, "an absent gate is #NP, no exit");
    prepare(&rows32[2], true);
    svm_vmcb.rip = (uintptr_t)at_jump_gate3;
    first(EXC_GP, TASK_GATE, "RPL over a gate's DPL is #GP, no exit");
}

void guest_main(void)
{
    svm_begin();
    apic_enable();
    for (unsigned i = 0; i < COUNT; i++) {
        exits(&rows32[i], true);
        switches(&rows32[i], true);
        exits(&rows16[i], false);
        switches(&rows16[i], false);
    }
    checks_first();
    check_end();
}
