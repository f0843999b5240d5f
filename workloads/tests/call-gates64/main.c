/* SPDX-License-Identifier: MIT */
/*
 * Far transfers in long mode (APM2 4.8.3, 4.8.4, 4.11.1 to 4.11.3, 8.9.5; APM3 CALL, JMP, RET far, IRET): call
 * gates, direct CALL and JMP, RETF and IRET, from 64-bit and compatibility mode to code of either.
 *
 * A call gate raises privilege, and a null SS marks the nested 64-bit procedures that returns must lead back to.
 * QEMU takes code with both L and D, Bochs makes RSPn that is not canonical #SS of a selector (doc/conformance.md).
 *
 * A case changes the tables of world64.h, enters at any CPL and compares the first event with what the rules give.
 * Handlers run on IST1, so that RSPn serves the transfer alone.
 *
 * Gates are 16 bytes long: every DPL, RPL, CPL and P, to 64-bit and 32-bit code, L with D, and data, of every DPL.
 * Only 64-bit code is reached, else #GP of the target. A CALL to an inner level takes rSP from RSPn (IST has no
 * part, nothing is aligned), loads SS with null and the new CPL, and pushes SS:RSP and CS:RIP as quadwords, with no
 * parameters; a refusal of any transfer leaves rIP, rSP, CS and SS. Then type Ch alone, 0 in bits 12:8 of byte +12,
 * offset, table limits; RSPn beyond the TSS (#TS), not canonical (#SS(0)), in an absent or read-only page (#PF);
 * the caller's flags and segments; the pointer with 66h and with REX.W.
 *
 * Direct transfers and returns go to each of these targets too. IRET in 64-bit mode pops SS:rSP always, the others
 * only to an outer level. A null SS, of any RPL, may come back to 64-bit code inside CPL 3 only. Then RETF n, data
 * segments made null, addresses that are not canonical, and IRET with NT (#GP(0)).
 *
 * It runs on the bare machine. Not asked: 16-bit code and returns.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"
#include "workloads/lib/world64.h"

#define GATE WORLD64_FREE           /* two entries */
#define TARGET (WORLD64_FREE + 0x10)
#define ABSENT (WORLD64_FREE + 0x18)
#define READ_ONLY (WORLD64_FREE + 0x20)
#define LAST 0x178                  /* the last entry of the GDT: no gate fits */
#define BEYOND 0x400
#define LANDED 0x70
#define CALL_GATE 0xCu
#define P 0x80u
#define NON_CANONICAL 0x0000800000000000ull
#define MAPPED 0x4000000000ull      /* pages of the test's own, beyond the 4 GiB */

/* The same bytes in either mode: the far pointer is at rBX. */
WORLD64_FRAGMENT(64, jump, "ljmp *(%rbx)")
WORLD64_FRAGMENT(64, call, "lcall *(%rbx)")
WORLD64_FRAGMENT(64, call_word, "lcallw *(%rbx)")
WORLD64_FRAGMENT(64, call_wide, ".byte 0x48, 0xFF, 0x1B")
WORLD64_FRAGMENT(64, retf, "lretl")
WORLD64_FRAGMENT(64, retf_wide, "lretq")
WORLD64_FRAGMENT(64, retf_n, "lretq $24")
WORLD64_FRAGMENT(64, iret, "iretl")
WORLD64_FRAGMENT(64, iret_wide, "iretq")
/* INT n, in code of either width. */
WORLD64_FRAGMENT(64, landing, ".globl landed\nlanded:\nint $0x70")
extern const char landed[];

static struct {
    uint32_t offset;
    uint16_t selector;
} __attribute__((packed)) far_pointer;

static const struct world64_event *e;
static unsigned cases, wrong;

struct subject {
    bool wide, call, present, conforming, target_present;
    unsigned kind, dpl, rpl, cpl, target_dpl;
};

struct want {
    unsigned vector;
    uint32_t error;
    unsigned cpl;
};

static void write_target(const struct subject *s)
{
    world64_gdt[TARGET / 8] = world64_target(s->kind, s->conforming, s->target_present, s->target_dpl);
}

static struct world64_state state_of(const struct subject *s, const char *code)
{
    struct world64_state state = world64_state_at(code, s->wide, s->cpl);

    state.rbx = (uintptr_t)&far_pointer;
    return state;
}

static void report(const struct subject *s, const char *what, struct want want)
{
    if (wrong++ < 3)
        guest_print("# %s from %u-bit mode, P%u DPL %u RPL %u CPL %u to kind %u conforming%u P%u DPL %u: vector %u "
                    "error %llx cs %llx, want %u %x", what, s->wide ? 64 : 32, s->present, s->dpl, s->rpl, s->cpl,
                    s->kind,
                    s->conforming, s->target_present, s->target_dpl, (unsigned)e->vector,
                    (unsigned long long)e->error, (unsigned long long)e->cs, want.vector, want.error);
}

/* ---- Gates ------------------------------------------------------------------------------------------------------ */

static struct want gate_rule(const struct subject *s)
{
    bool reaches = s->call || s->conforming ? s->target_dpl <= s->cpl : s->target_dpl == s->cpl;

    if (s->dpl < s->cpl || s->dpl < s->rpl)
        return (struct want){ EXC_GP, GATE, 0 };
    if (!s->present)
        return (struct want){ EXC_NP, GATE, 0 };
    if (s->kind != WORLD64_IS_CODE64 || !reaches)
        return (struct want){ EXC_GP, TARGET, 0 };
    if (!s->target_present)
        return (struct want){ EXC_NP, TARGET, 0 };
    return (struct want){ LANDED, 0, s->conforming ? s->cpl : s->target_dpl };
}

static uint64_t rsp_of_tss(unsigned cpl)
{
    return world64_tss[TSS64_RSP(cpl)] | (uint64_t)world64_tss[TSS64_RSP(cpl) + 1] << 32;
}

/* RIP, CS and, on a new stack, RSP, SS; SS itself is null with the new CPL. */
static bool frame_is_right(const struct subject *s, const struct world64_state *state, const char *next, unsigned cpl)
{
    bool inner = cpl < s->cpl;
    unsigned words = !s->call ? 0 : inner ? 4 : 2;
    const uint64_t expected[4] = { (uintptr_t)next, state->cs, state->rsp, state->ss };
    bool right = e->rsp == (inner ? rsp_of_tss(cpl) : state->rsp) - 8 * words && e->ss == (inner ? cpl : state->ss);

    for (unsigned i = 0; i < words && right; i++)
        right &= ((const uint64_t *)e->rsp)[i] == expected[i];
    return right;
}

static void gate(const struct subject *s)
{
    struct world64_state state = state_of(s, s->call ? at_call : at_jump);
    struct want want = gate_rule(s);
    bool right;

    world64_gate(&world64_gdt[GATE / 8], TARGET | 3, (uintptr_t)landed, CALL_GATE | s->dpl << 5 | (s->present ? P : 0),
                 0xFF); /* what would be IST and a parameter count is ignored */
    write_target(s);
    far_pointer.selector = (uint16_t)(GATE | s->rpl);
    e = world64_run(&state);
    cases++;
    right = e->vector == want.vector && e->error == want.error;
    if (right && want.vector == LANDED)
        right = e->cs == (TARGET | want.cpl) && frame_is_right(s, &state, next_call, want.cpl);
    else if (right)
        right = e->rip == state.rip && e->rsp == state.rsp && e->cs == state.cs && e->ss == state.ss;
    if (!right)
        report(s, s->call ? "CALL" : "JMP", want);
}

static void gates(bool call, bool wide)
{
    struct subject s = { .call = call, .wide = wide };

    cases = wrong = 0;
    world64_reset();
    far_pointer.offset = 0x11111111; /* a gate's own offset counts */
    for (unsigned n = 0; n < 1u << 13; n++) {
        s.present = n & 1;
        s.conforming = n & 2;
        s.target_present = n & 4;
        s.kind = n >> 3 & 3;
        s.dpl = n >> 5 & 3;
        s.rpl = n >> 7 & 3;
        s.cpl = n >> 9 & 3;
        s.target_dpl = n >> 11 & 3;
        gate(&s);
    }
    check_format(wrong == 0, "%s through a gate from %u-bit mode: %u cases", call ? "CALL" : "JMP", wide ? 64 : 32,
                 cases);
}

/* Every system type but that of the gate is #GP: the TSS and task gates of legacy mode too (APM2 4.8.3). */
static void types(bool call, bool wide)
{
    struct subject s = { .wide = wide, .cpl = 0 };
    bool right = true;

    world64_reset();
    far_pointer.selector = GATE;
    for (unsigned type = 0; type < 16; type++) {
        struct world64_state state = state_of(&s, call ? at_call : at_jump);
        unsigned want = type == CALL_GATE ? LANDED : EXC_GP;

        world64_gate(&world64_gdt[GATE / 8], WORLD64_CODE64, (uintptr_t)landed, P | type, 0);
        e = world64_run(&state);
        if (e->vector != want || (want == EXC_GP && e->error != GATE)) {
            guest_print("# type %x: vector %u", type, (unsigned)e->vector);
            right = false;
        }
    }
    check_format(right, "%s from %u-bit mode to a system descriptor: type Ch alone is a gate", call ? "CALL" : "JMP",
                 wide ? 64 : 32);
}

/* ---- One defect at a time --------------------------------------------------------------------------------------- */

/* A CALL from CPL 3 in 64-bit mode through the gate that is there, of RPL 3. */
static struct world64_state call_from_3(uint16_t selector)
{
    struct subject s = { .wide = true, .cpl = 3 };

    far_pointer.selector = selector | 3;
    return state_of(&s, at_call);
}

static void refused(uint16_t selector, unsigned vector, uint64_t error, const char *what)
{
    struct world64_state state = call_from_3(selector);

    e = world64_run(&state);
    check_format(e->vector == vector && e->error == error && e->rip == state.rip && e->rsp == state.rsp &&
                 e->ss == state.ss && e->cs == state.cs, "%s: vector %u, error code %llx", what, vector,
                 (unsigned long long)error);
    if (e->vector != vector || e->error != error)
        guest_print("# got vector %u, error code %llx, cr2 %llx", (unsigned)e->vector, (unsigned long long)e->error,
                    (unsigned long long)e->cr2);
}

static uint64_t *good_gate(uint16_t target)
{
    world64_reset();
    world64_gate(&world64_gdt[GATE / 8], target, (uintptr_t)landed, P | CALL_GATE | 3 << 5, 0);
    return &world64_gdt[GATE / 8];
}

static void targets(void)
{
    uint64_t *at;

    good_gate(3);
    refused(GATE, EXC_GP, 0, "a gate with a null selector, RPL 3");
    good_gate(BEYOND);
    refused(GATE, EXC_GP, BEYOND, "a gate to a selector beyond the GDT");
    good_gate(GATE);
    refused(GATE, EXC_GP, GATE, "a gate to a gate");
    good_gate(WORLD64_TSS);
    refused(GATE, EXC_GP, WORLD64_TSS, "a gate to a TSS");
    for (unsigned b = 8; b < 13; b++) {
        at = good_gate(WORLD64_CODE64);
        at[1] |= 1ull << (32 + b);
        refused(GATE, EXC_GP, GATE, "a gate whose upper half has a type");
    }
    at = good_gate(WORLD64_CODE64);
    at[1] |= 0xFFFFE0FF00000000ull;
    struct world64_state state = call_from_3(GATE);
    e = world64_run(&state);
    check(e->vector == LANDED, "the other reserved bits of the upper half are ignored");
    at = good_gate(WORLD64_CODE64);
    world64_gate(at, WORLD64_CODE64, NON_CANONICAL, P | CALL_GATE | 3 << 5, 0);
    refused(GATE, EXC_GP, 0, "an offset that is not canonical");
    at[1] &= ~0xFFFFFFFFull;
    world64_gdt[LAST / 8] = at[0];
    refused(LAST, EXC_GP, LAST, "a gate whose upper half is beyond the GDT");
    good_gate(WORLD64_CODE64);
    world64_gate(&world64_ldt[2], WORLD64_CODE64, (uintptr_t)landed, CALL_GATE | 3 << 5, 0);
    refused(0x14, EXC_NP, 0x14, "an absent gate of the LDT");
    world64_ldt[7] = world64_ldt[2] | (uint64_t)P << 40;
    refused(0x3C, EXC_GP, 0x3C, "a gate whose upper half is beyond the LDT");
}

/* ---- The inner stack -------------------------------------------------------------------------------------------- */

static void set_rsp0(uint64_t rsp)
{
    world64_tss[TSS64_RSP(0)] = (uint32_t)rsp;
    world64_tss[TSS64_RSP(0) + 1] = (uint32_t)(rsp >> 32);
}

static void inner_stacks(void)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));
    uint64_t *entry = paging_entry(MAPPED, 1), top = (uintptr_t)world64_stack0 + 4096 - 8;
    struct world64_state state;

    good_gate(WORLD64_CODE64 + 0x30);
    /* RSP2 ends at 1Bh. The handler's stack is RSP0: IST1 lies beyond too. */
    world64_gate(&world64_idt[2 * EXC_TS], WORLD64_CODE64, world64_handler(EXC_TS), 0x8E, 0);
    world64_gdt[WORLD64_TSS / 8] = world64_segment((uintptr_t)world64_tss, 0x1A, 0x89, 0);
    __asm__ volatile("ltr %w0" : : "r"(WORLD64_TSS));
    refused(GATE, EXC_TS, WORLD64_TSS, "RSP2 beyond the limit of the TSS");
    world64_gdt[WORLD64_TSS / 8] = world64_segment((uintptr_t)world64_tss, 0x2B, 0x89, 0);
    __asm__ volatile("ltr %w0" : : "r"(WORLD64_TSS));
    state = call_from_3(GATE);
    e = world64_run(&state);
    check(e->vector == LANDED && (e->cs & 3) == 2, "a TSS that ends behind IST1 is long enough");
    good_gate(WORLD64_CODE64);
    set_rsp0(NON_CANONICAL);
    refused(GATE, EXC_SS, 0, "RSP0 not canonical");
    set_rsp0(0xFFFF800000000010ull); /* its last two quadwords are below the canonical half */
    *paging_entry(0xFFFF800000000000ull, 1) = (uintptr_t)page | PTE_P | PTE_RW;
    refused(GATE, EXC_SS, 0, "RSP0 from which the pushes leave the canonical half");
    good_gate(WORLD64_CODE64);
    set_rsp0(top);
    state = call_from_3(GATE);
    e = world64_run(&state);
    check(e->vector == LANDED && e->rsp == top - 32 && e->ss == 0,
          "RSP0 is taken as it is, aligned to 8 only, and SS is null");
    good_gate(WORLD64_CODE64);
    *entry = 0;
    set_rsp0(MAPPED + 4096);
    state = call_from_3(GATE);
    refused(GATE, EXC_PF, PF_W, "RSP0 in a page that is absent");
    check(e->cr2 == MAPPED + 4096 - 8, "CR2 is where the first push would go");
    *entry = (uintptr_t)page | PTE_P;
    tlb_invalidate(MAPPED);
    refused(GATE, EXC_PF, PF_P | PF_W, "RSP0 in a read-only page");
    *entry = (uintptr_t)page | PTE_P | PTE_RW;
    tlb_invalidate(MAPPED);
    state = call_from_3(GATE);
    e = world64_run(&state);
    check(e->vector == LANDED && e->rsp == MAPPED + 4096 - 32 && *entry & PTE_D,
          "a supervisor page serves as inner stack");
    set_rsp0(MAPPED + 4096 + 16);
    *paging_entry(MAPPED + 4096, 1) = (uintptr_t)page | PTE_P | PTE_RW;
    *entry = 0;
    tlb_invalidate(MAPPED);
    refused(GATE, EXC_PF, PF_W, "RSP0 whose third push is in an absent page");
    check(e->cr2 == MAPPED + 4096 - 8, "and CR2 says so");
}

/* IF, TF, NT and the rest are those of the caller; LDTR and data segments stay. */
static void what_stays(void)
{
    struct world64_state state;
    uint16_t ldtr;

    good_gate(WORLD64_CODE64);
    state = call_from_3(GATE);
    state.rflags |= 0x200 | 0x3000 | 0x4000 | 0x40000 | 0x8D5;
    state.ds = WORLD64_SELECTOR(WORLD64_DATA, 3);
    state.es = WORLD64_DATA + 0x48;
    state.fs = 1;
    state.gs = WORLD64_CODE64 + 0x48;
    e = world64_run(&state);
    __asm__ volatile("sldt %0" : "=m"(ldtr));
    check(e->vector == LANDED && e->rflags == state.rflags && ldtr == WORLD64_LDT,
          "flags and LDTR are the caller's behind a gate");
    check(e->ds == state.ds && e->es == state.es && e->fs == state.fs && e->gs == state.gs, "and the data segments");
    state.rflags |= 0x100;
    e = world64_run(&state);
    check(e->vector == EXC_DB && e->rip == (uintptr_t)landed && (e->cs & 3) == 0 && e->rflags == state.rflags &&
          e->dr6 & 0x4000, "TF too: the single step comes at the target");
    state = call_from_3(GATE);
    state.rip = (uintptr_t)at_call_word;
    far_pointer.offset = (GATE | 3) << 16; /* where m16:16 has its selector */
    e = world64_run(&state);
    check(e->vector == LANDED && e->rsp == rsp_of_tss(0) - 32 && *(uint64_t *)e->rsp == (uintptr_t)next_call_word,
          "m16:16 names the gate too, and quadwords are pushed");
    state = call_from_3(GATE);
    far_pointer.selector = GATE | 3;
    state.rip = (uintptr_t)at_call_wide;
    e = world64_run(&state);
    check(e->vector == LANDED && *(uint64_t *)e->rsp == (uintptr_t)next_call_wide, "REX.W leaves the pointer m16:32");
}

/* ---- Direct ----------------------------------------------------------------------------------------------------- */

static struct want direct_rule(const struct subject *s)
{
    if (s->kind == WORLD64_IS_DATA || s->kind == WORLD64_IS_L_AND_D ||
        (s->conforming ? s->target_dpl > s->cpl : s->target_dpl != s->cpl || s->rpl > s->cpl))
        return (struct want){ EXC_GP, TARGET, 0 };
    if (!s->target_present)
        return (struct want){ EXC_NP, TARGET, 0 };
    return (struct want){ LANDED, 0, s->cpl };
}

static void direct(const struct subject *s)
{
    struct world64_state state = state_of(s, s->call ? at_call : at_jump);
    struct want want = direct_rule(s);
    bool right;

    write_target(s);
    far_pointer.offset = (uint32_t)(uintptr_t)landed;
    far_pointer.selector = (uint16_t)(TARGET | s->rpl);
    e = world64_run(&state);
    cases++;
    right = e->vector == want.vector && e->error == want.error;
    if (right && want.vector == LANDED)
        right = e->cs == (TARGET | s->cpl) && e->rsp == state.rsp - (s->call ? 8 : 0) && e->ss == state.ss &&
                (!s->call || (*(uint32_t *)e->rsp == (uintptr_t)next_call && ((uint16_t *)e->rsp)[2] == state.cs));
    else if (right)
        right = e->rip == state.rip && e->rsp == state.rsp && e->cs == state.cs && e->ss == state.ss;
    if (!right)
        report(s, s->call ? "direct CALL" : "direct JMP", want);
}

static void directs(bool call, bool wide)
{
    struct subject s = { .call = call, .wide = wide };

    cases = wrong = 0;
    world64_reset();
    for (unsigned n = 0; n < 1u << 10; n++) {
        s.conforming = n & 1;
        s.target_present = n & 2;
        s.kind = n >> 2 & 3;
        s.rpl = n >> 4 & 3;
        s.cpl = n >> 6 & 3;
        s.target_dpl = n >> 8 & 3;
        direct(&s);
    }
    check_format(wrong == 0, "direct %s from %u-bit mode: %u cases", call ? "CALL" : "JMP", wide ? 64 : 32, cases);
}

/* ---- Returns ---------------------------------------------------------------------------------------------------- */

static const struct form {
    const char *name, *code;
    bool wide, iret;
    unsigned size;  /* of each item popped */
} forms[] = {
    { "RETF", at_retf, true, false, 4 },        { "RETFQ", at_retf_wide, true, false, 8 },
    { "RETF", at_retf, false, false, 4 },       { "IRETD", at_iret, true, true, 4 },
    { "IRETQ", at_iret_wide, true, true, 8 },   { "IRETD", at_iret, false, true, 4 },
};

static uint64_t stack_words[16];

/* CS:rIP, rFLAGS for IRET, SS:rSP, in items of the form's size. */
static void write_frame(const struct form *form, uint64_t rip, uint16_t cs, uint64_t rsp, uint16_t ss)
{
    uint64_t items[5] = { rip, cs, 2, rsp, ss };
    unsigned n = 0;

    for (unsigned i = 0; i < 5; i++) {
        if (i == 2 && !form->iret)
            continue;
        memcpy((uint8_t *)stack_words + form->size * n++, &items[i], form->size);
    }
}

static struct want return_rule(const struct subject *s)
{
    if (s->rpl < s->cpl || s->kind == WORLD64_IS_DATA || s->kind == WORLD64_IS_L_AND_D ||
        (s->conforming ? s->target_dpl > s->rpl : s->target_dpl != s->rpl))
        return (struct want){ EXC_GP, TARGET, 0 };
    if (!s->target_present)
        return (struct want){ EXC_NP, TARGET, 0 };
    return (struct want){ LANDED, 0, s->rpl };
}

static void returns_to(const struct subject *s, const struct form *form)
{
    struct world64_state state = state_of(s, form->code);
    struct want want = return_rule(s);
    bool pops = s->rpl != s->cpl || (form->iret && form->wide), right;
    uint64_t rsp = (uintptr_t)world64_stack + 1024;

    write_target(s);
    write_frame(form, (uintptr_t)landed, (uint16_t)(TARGET | s->rpl), rsp, WORLD64_SELECTOR(WORLD64_DATA, s->rpl));
    state.rsp = (uintptr_t)stack_words;
    e = world64_run(&state);
    cases++;
    right = e->vector == want.vector && e->error == want.error;
    if (right && want.vector == LANDED)
        right = e->cs == (TARGET | s->rpl) && e->ss == WORLD64_SELECTOR(WORLD64_DATA, s->rpl) &&
                e->rsp == (pops ? rsp : state.rsp + form->size * (form->iret ? 3 : 2));
    else if (right)
        right = e->rip == state.rip && e->cs == state.cs && e->rsp == state.rsp && e->ss == state.ss;
    if (!right)
        report(s, form->name, want);
}

static void returns(const struct form *form)
{
    struct subject s = { .wide = form->wide };

    cases = wrong = 0;
    world64_reset();
    for (unsigned n = 0; n < 1u << 10; n++) {
        s.conforming = n & 1;
        s.target_present = n & 2;
        s.kind = n >> 2 & 3;
        s.rpl = n >> 4 & 3;
        s.cpl = n >> 6 & 3;
        s.target_dpl = n >> 8 & 3;
        returns_to(&s, form);
    }
    check_format(wrong == 0, "%s from %u-bit mode: %u cases", form->name, form->wide ? 64 : 32, cases);
}

/* ---- The SS that comes back ------------------------------------------------------------------------------------- */

/* Of a null SS only the target's mode and CPL count, whatever its RPL, and the manual leaves open which RPL SS gets. */
static const struct return_stack {
    const char *what;
    unsigned cpl;       /* returned to */
    bool wide;          /* to 64-bit code */
    uint16_t ss;
    unsigned vector;
    uint32_t error;
} return_stacks[] = {
    { "null, to 64-bit code of CPL 0", 0, true, 0, LANDED, 0 },
    { "null with RPL 1, to 64-bit code of CPL 1", 1, true, 1, LANDED, 0 },
    { "null with RPL 2, to 64-bit code of CPL 2", 2, true, 2, LANDED, 0 },
    { "null with RPL 3, to 64-bit code of CPL 1", 1, true, 3, LANDED, 0 },
    { "null with RPL 0, to 64-bit code of CPL 2", 2, true, 0, LANDED, 0 },
    { "null with RPL 0, to 64-bit code of CPL 3", 3, true, 0, EXC_GP, 0 },
    { "null, to 64-bit code of CPL 3", 3, true, 3, EXC_GP, 0 },
    { "null, to compatibility mode of CPL 0", 0, false, 0, EXC_GP, 0 },
    { "null with RPL 1, to compatibility mode of CPL 1", 1, false, 1, EXC_GP, 0 },
    { "null, to compatibility mode of CPL 3", 3, false, 3, EXC_GP, 0 },
    { "beyond the GDT", 3, true, BEYOND | 3, EXC_GP, BEYOND },
    { "with RPL 0 to CPL 3", 3, true, WORLD64_DATA + 0x48, EXC_GP, WORLD64_DATA + 0x48 },
    { "of DPL 0 to CPL 3", 3, true, WORLD64_DATA | 3, EXC_GP, WORLD64_DATA },
    { "code", 3, true, WORLD64_SELECTOR(WORLD64_CODE64, 3), EXC_GP, WORLD64_CODE64 + 0x48 },
    { "read-only", 3, true, READ_ONLY | 3, EXC_GP, READ_ONLY },
    { "absent", 3, true, ABSENT | 3, EXC_SS, ABSENT },
};

static void return_stack(const struct return_stack *row, const struct form *form)
{
    struct subject s = { .wide = true, .cpl = 0 };
    struct world64_state state = state_of(&s, form->code);
    uint64_t rsp = (uintptr_t)world64_stack + 1024;

    if (!form->iret && row->cpl == 0)
        return; /* RETF to the same level leaves SS alone */
    world64_gdt[ABSENT / 8] = world64_segment(0, 0xFFFFFFFF, 0x73, 0xC);
    world64_gdt[READ_ONLY / 8] = world64_segment(0, 0xFFFFFFFF, 0xF1, 0xC);
    write_frame(form, (uintptr_t)landed, WORLD64_SELECTOR(row->wide ? WORLD64_CODE64 : WORLD64_CODE32, row->cpl), rsp,
                row->ss);
    state.rsp = (uintptr_t)stack_words;
    e = world64_run(&state);
    check_format(e->vector == row->vector && e->error == row->error &&
                 (row->vector != LANDED ? e->rip == state.rip && e->rsp == state.rsp && e->cs == state.cs :
                  e->rsp == rsp && (row->ss < 4 ? e->ss < 4 : e->ss == row->ss)),
                 "%s, SS %s: vector %u, error code %x", form->name, row->what, row->vector, row->error);
    if (e->vector != row->vector || e->error != row->error)
        guest_print("# got vector %u, error code %llx", (unsigned)e->vector, (unsigned long long)e->error);
}

static void outer_level(void)
{
    struct subject s = { .wide = true, .cpl = 0 };
    struct world64_state state = state_of(&s, at_retf_n);
    uint64_t rsp = (uintptr_t)world64_stack + 1024;

    world64_reset();
    write_frame(&forms[1], (uintptr_t)landed, WORLD64_SELECTOR(WORLD64_CODE64, 3), 0, 0);
    stack_words[2 + 3] = rsp;
    stack_words[3 + 3] = WORLD64_SELECTOR(WORLD64_DATA, 3);
    state.rsp = (uintptr_t)stack_words;
    state.es = WORLD64_SELECTOR(WORLD64_DATA, 3);
    e = world64_run(&state);
    check(e->vector == LANDED && e->rsp == rsp + 24 && (e->cs & 3) == 3, "RETF n drops parameters of both stacks");
    check(!e->ds && !e->fs && !e->gs && e->es == WORLD64_SELECTOR(WORLD64_DATA, 3),
          "data segments of DPL 0 become null, one of DPL 3 stays");
    write_frame(&forms[1], NON_CANONICAL, WORLD64_CODE64, 0, 0);
    state.rip = (uintptr_t)at_retf_wide;
    e = world64_run(&state);
    check(e->vector == EXC_GP && !e->error && e->rip == state.rip, "RETF to an rIP that is not canonical is #GP(0)");
    write_frame(&forms[4], NON_CANONICAL, WORLD64_CODE64, rsp, WORLD64_DATA);
    state.rip = (uintptr_t)at_iret_wide;
    e = world64_run(&state);
    check(e->vector == EXC_GP && !e->error && e->rip == state.rip, "so is IRET to one");
    write_frame(&forms[4], (uintptr_t)landed, WORLD64_CODE64, NON_CANONICAL, WORLD64_DATA);
    e = world64_run(&state);
    check(e->vector == LANDED && e->rsp == NON_CANONICAL, "IRET loads an rSP that is not canonical");
    state.rflags |= 0x4000;
    e = world64_run(&state);
    check(e->vector == EXC_GP && !e->error, "IRET with NT is #GP(0): no tasks in long mode");
}

void guest_main(void)
{
    world64_begin();
    for (unsigned n = 0; n < 4; n++)
        gates(n & 1, n & 2);
    for (unsigned n = 0; n < 4; n++)
        types(n & 1, n & 2);
    targets();
    inner_stacks();
    what_stays();
    for (unsigned n = 0; n < 4; n++)
        directs(n & 1, n & 2);
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        returns(&forms[i]);
    world64_reset();
    for (unsigned i = 0; i < 2 * (sizeof(return_stacks) / sizeof(return_stacks[0])); i++)
        return_stack(&return_stacks[i / 2], i & 1 ? &forms[4] : &forms[1]);
    outer_level();
    check_end();
}
