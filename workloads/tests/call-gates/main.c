/* SPDX-License-Identifier: MIT */
/*
 * Call gates and far returns of legacy protected mode (APM2 4.11.2, 4.11.3): which gate, code and stack let CALL,
 * JMP, RETF and IRET through, to what level, and what they leave on the stacks.
 *
 * A call gate raises privilege, so that a check left out is a hole. QEMU calls an absent target #GP, Bochs an
 * absent SS of IRET #NP (doc/conformance.md).
 *
 * A case changes GDT and TSS of world32.h, starts at any CPL without paging, and compares the first event, INT 70h
 * at the target or a fault, with what the rules give.
 *
 * CALL and JMP go through gates of both widths: every DPL, RPL and CPL, to data and code of every DPL, conforming
 * or not, gate and target present or not. DPL below CPL or RPL is #GP of the gate, P = 0 its #NP; then what is no
 * code, or of a DPL out of reach, is #GP of the target, P = 0 its #NP. A CALL to an inner level switches stacks:
 * the old SS:rSP, three parameters and the return address are on the stack of the TSS, in the width of the gate.
 * Then the gate's selector and offset, and a TSS too short (#TS). Each defect of the inner stack, for CALL and INT
 * n, is #TS or #SS, handled by a task. A refusal leaves CS:EIP and SS:ESP.
 *
 * RETF and IRET go to every CS from every CPL. To an outer level they load SS:rSP, tried with each defect; RETF n
 * drops parameters from both stacks; data segments that the outer level may not use become null. IRET loads IOPL at
 * CPL 0 alone, and IF if CPL is not above IOPL. With 16 bits both pop words.
 *
 * It runs alone and under hv with nested and shadow paging.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/world32.h"

#define GATE 0x58
#define TARGET 0x60
#define ABSENT 0x68
#define READ_ONLY 0x70
#define SMALL 0x78          /* a stack segment of a few bytes */
#define CONFORMING 0x80     /* readable code of DPL 0 */
#define HANDLERS 0x90
#define BEYOND 0x400
#define PARAMETERS 3u
#define LANDED 0x70
#define GATE16 4u
#define GATE32 0xCu
#define P 0x80u

WORLD_FRAGMENT(jump, "ljmp $0x58, $0x11111111") WORLD_FRAGMENT(call, "lcall $0x58, $0x11111111")
WORLD_FRAGMENT(jump1, "ljmp $0x59, $0x11111111") WORLD_FRAGMENT(call1, "lcall $0x59, $0x11111111")
WORLD_FRAGMENT(jump2, "ljmp $0x5A, $0x11111111") WORLD_FRAGMENT(call2, "lcall $0x5A, $0x11111111")
WORLD_FRAGMENT(jump3, "ljmp $0x5B, $0x11111111") WORLD_FRAGMENT(call3, "lcall $0x5B, $0x11111111")
WORLD_FRAGMENT(retf, "lretl") WORLD_FRAGMENT(retf_n, "lretl $12") WORLD_FRAGMENT(iret, "iretl")
WORLD_FRAGMENT(int_gate, "int $0x90") WORLD_FRAGMENT(call_local, "lcall $0x0F, $0x11111111")
WORLD_FRAGMENT(retf16, "lretw") WORLD_FRAGMENT(iret16, "iretw")
__asm__(".text\n.globl landed\nlanded:\nint $0x70\n");
extern const char landed[];

static const char *const jumps[] = { at_jump, at_jump1, at_jump2, at_jump3 };
static const char *const calls[] = { at_call, at_call1, at_call2, at_call3 };
static const char *const after_calls[] = { next_call, next_call1, next_call2, next_call3 };

static const struct world_event *e;
static unsigned cases, wrong;

static void prepare(void)
{
    world_reset();
    world_gdt[ABSENT / 8] = world_segment(0, 0xFFFFFFFF, 0x13, 0xC);
    world_gdt[READ_ONLY / 8] = world_segment(0, 0xFFFFFFFF, 0x91, 0xC);
    world_gdt[SMALL / 8] = world_segment((uintptr_t)world_stack0, 0xFFF, 0x93, 4);
    world_gdt[CONFORMING / 8] = world_segment(0, 0xFFFFFFFF, 0x9F, 0xC);
}

/* ---- Gates ------------------------------------------------------------------------------------------------------ */

struct subject {
    bool call, wide, present, conforming, target_present, target_code;
    unsigned dpl, rpl, cpl, target_dpl;
};

struct want {
    unsigned vector;
    uint32_t error;
    unsigned cpl;
};

static struct want gate_rule(const struct subject *s)
{
    bool reaches;

    if (s->dpl < s->cpl || s->dpl < s->rpl)
        return (struct want){ EXC_GP, GATE, 0 };
    if (!s->present)
        return (struct want){ EXC_NP, GATE, 0 };
    if (!s->target_code)
        return (struct want){ EXC_GP, TARGET, 0 };
    reaches = s->call || s->conforming ? s->target_dpl <= s->cpl : s->target_dpl == s->cpl;
    if (!reaches)
        return (struct want){ EXC_GP, TARGET, 0 };
    if (!s->target_present)
        return (struct want){ EXC_NP, TARGET, 0 };
    return (struct want){ LANDED, 0, s->conforming ? s->cpl : s->target_dpl };
}

/* The frame of a CALL, lowest word first: rIP, CS, then on a new stack the parameters, rSP, SS. */
static bool frame_is_right(const struct subject *s, const struct world_state *state, const struct want *want)
{
    bool inner = want->cpl < s->cpl;
    unsigned size = s->wide ? 4 : 2, words = inner ? 4 + PARAMETERS : 2;
    uint32_t at = world_event_esp(e), top = inner ? world_tss[TSS_ESP0 + 2 * want->cpl] : state->esp;
    uint32_t expected[4 + PARAMETERS] = { (uintptr_t)after_calls[s->rpl], WORLD_CODE(s->cpl) };
    bool right = at == top - words * size &&
                 world_event_ss(e) == (inner ? world_tss[TSS_SS0 + 2 * want->cpl] : state->ss);

    if (words > 2) {
        for (unsigned i = 0; i < PARAMETERS; i++)
            expected[2 + i] = s->wide ? 0x11110000 * (i + 1) + i : i & 1 ? 0x1111 * (i / 2 + 1) : i / 2;
        expected[2 + PARAMETERS] = state->esp;
        expected[3 + PARAMETERS] = state->ss;
    }
    for (unsigned i = 0; i < words && right; i++) {
        bool selector = i == 1 || i == 3 + PARAMETERS;
        uint32_t mask = selector || !s->wide ? 0xFFFF : 0xFFFFFFFF, value = *(uint32_t *)(uintptr_t)(at + i * size);

        right &= ((value ^ expected[i]) & mask) == 0;
    }
    return right;
}

static void gate(const struct subject *s)
{
    struct world_state state = world_state_at(s->call ? calls[s->rpl] : jumps[s->rpl], s->cpl);
    unsigned access = s->target_code ? s->conforming ? 0x1E : 0x1A : 0x12;
    struct want want = gate_rule(s);
    bool right;

    for (unsigned i = 0; i < PARAMETERS; i++) /* high half counted from 1, low half from 0 */
        ((uint32_t *)(uintptr_t)state.esp)[i] = 0x11110000 * (i + 1) + i;
    world_gdt[GATE / 8] = world_gate(TARGET | 3, (uintptr_t)landed,
                                     (s->wide ? GATE32 : GATE16) | s->dpl << 5 | (s->present ? P : 0), PARAMETERS);
    world_gdt[TARGET / 8] = world_segment(s->wide ? 0 : (uintptr_t)landed & 0xFFFF0000, 0xFFFFFFFF,
                                          access | s->target_dpl << 5 | (s->target_present ? P : 0), 0xC);
    e = world_run(&state);
    cases++;
    right = e->vector == want.vector && e->error == want.error;
    if (right && want.vector == LANDED)
        right = (e->cs & 0xFFFF) == (TARGET | want.cpl) &&
                (s->call ? frame_is_right(s, &state, &want) :
                 world_event_esp(e) == state.esp && world_event_ss(e) == state.ss);
    else if (right)
        right = world_event_stayed(e, &state);
    if (!right && wrong++ < 3)
        guest_print("# %s %u bits, P%u DPL %u RPL %u CPL %u to code%u conforming%u P%u DPL %u: vector %u error %x "
                    "cs %x, want %u %x", s->call ? "CALL" : "JMP", s->wide ? 32 : 16, s->present, s->dpl, s->rpl,
                    s->cpl, s->target_code, s->conforming, s->target_present, s->target_dpl, e->vector, e->error, e->cs,
                    want.vector, want.error);
}

static void gates(bool call, bool wide)
{
    struct subject s = { .call = call, .wide = wide };

    cases = wrong = 0;
    prepare();
    for (unsigned n = 0; n < 1u << 12; n++) {
        s.present = n & 1;
        s.conforming = n & 2;
        s.target_present = n & 4;
        s.target_code = n & 8;
        s.dpl = n >> 4 & 3;
        s.rpl = n >> 6 & 3;
        s.cpl = n >> 8 & 3;
        s.target_dpl = n >> 10 & 3;
        gate(&s);
    }
    check_format(wrong == 0, "%s through a %u-bit gate: %u cases", call ? "CALL" : "JMP", wide ? 32 : 16, cases);
}

/* ---- The inner stack -------------------------------------------------------------------------------------------- */

static const struct stack {
    const char *what;
    uint32_t ss, esp;       /* esp 0: as it was */
    unsigned vector;
    uint32_t error;
} stack_rows[] = {
    { "null", 0, 0, EXC_TS, 0 }, { "beyond the GDT", BEYOND, 0, EXC_TS, BEYOND },
    { "with RPL 1", WORLD_DATA0 | 1, 0, EXC_TS, WORLD_DATA0 }, { "of DPL 1", WORLD_DATA1, 0, EXC_TS, WORLD_DATA1 },
    { "code", WORLD_CODE0, 0, EXC_TS, WORLD_CODE0 }, { "read-only", READ_ONLY, 0, EXC_TS, READ_ONLY },
    { "a TSS", WORLD_TSS, 0, EXC_TS, WORLD_TSS }, { "absent", ABSENT, 0, EXC_SS, ABSENT },
    { "too small", SMALL, 0x10, EXC_SS, SMALL },
};

/* The handlers of these faults are tasks: at CPL 0 there is no stack for them. */
static void inner_stack(const struct stack *row, bool by_int)
{
    struct world_state state = world_state_at(by_int ? at_int_gate : at_call3, 3);

    prepare();
    world_gdt[GATE / 8] = world_gate(WORLD_CODE0, (uintptr_t)landed, P | 3 << 5 | GATE32, PARAMETERS);
    world_handler_task(0, EXC_TS, HANDLERS);
    world_handler_task(1, EXC_SS, HANDLERS + 8);
    world_tss[TSS_SS0] = row->ss;
    if (row->esp)
        world_tss[TSS_ESP0] = row->esp;
    e = world_run(&state);
    check_format(e->vector == row->vector && e->error == row->error && world_tss[TSS_EIP] == state.eip &&
                 world_tss[TSS_EAX + 4] == state.esp, "%s, SS of the TSS %s: vector %u, error code %x",
                 by_int ? "INT n" : "CALL", row->what, row->vector, row->error);
    if (e->vector != row->vector || e->error != row->error)
        guest_print("# got vector %u, error code %x", e->vector, e->error);
}

/* ---- Returns ---------------------------------------------------------------------------------------------------- */

/* APM2 4.11.3: CS of a far return or IRET. */
static struct want return_rule(const struct subject *s)
{
    if (s->rpl < s->cpl || !s->target_code)
        return (struct want){ EXC_GP, TARGET, 0 };
    if (s->conforming ? s->target_dpl > s->rpl : s->target_dpl != s->rpl)
        return (struct want){ EXC_GP, TARGET, 0 };
    if (!s->target_present)
        return (struct want){ EXC_NP, TARGET, 0 };
    return (struct want){ LANDED, 0, s->rpl };
}

static uint32_t words_of_stack[64];
static uint32_t *const frame = words_of_stack + 32; /* at CPL 0 events are pushed below it */

static void returns_to(const struct subject *s, bool iret)
{
    struct world_state state = world_state_at(iret ? at_iret : at_retf, s->cpl);
    unsigned access = s->target_code ? s->conforming ? 0x1E : 0x1A : 0x12, words = iret ? 3 : 2;
    struct want want = return_rule(s);
    bool outer = s->rpl != s->cpl, right;

    world_gdt[TARGET / 8] = world_segment(0, 0xFFFFFFFF,
                                          access | s->target_dpl << 5 | (s->target_present ? P : 0), 0xC);
    frame[0] = (uintptr_t)landed;
    frame[1] = TARGET | s->rpl;
    frame[2] = 2;
    frame[words] = (uintptr_t)world_stack + 1024;
    frame[words + 1] = WORLD_DATA(s->rpl);
    state.esp = (uintptr_t)frame;
    e = world_run(&state);
    cases++;
    right = e->vector == want.vector && e->error == want.error;
    if (right && want.vector == LANDED)
        right = (e->cs & 0xFFFF) == (TARGET | s->rpl) && world_event_ss(e) == WORLD_DATA(s->rpl) &&
                world_event_esp(e) == (outer ? (uintptr_t)world_stack + 1024 : (uintptr_t)(frame + words));
    else if (right)
        right = world_event_stayed(e, &state);
    if (!right && wrong++ < 3)
        guest_print("# CPL %u to RPL %u, code%u conforming%u P%u DPL %u: vector %u error %x, want %u %x", s->cpl,
                    s->rpl, s->target_code, s->conforming, s->target_present, s->target_dpl, e->vector, e->error,
                    want.vector, want.error);
}

static void returns(bool iret)
{
    struct subject s = { .call = false };

    cases = wrong = 0;
    prepare();
    for (unsigned n = 0; n < 1u << 9; n++) {
        s.conforming = n & 1;
        s.target_present = n & 2;
        s.target_code = n & 4;
        s.rpl = n >> 3 & 3;
        s.cpl = n >> 5 & 3;
        s.target_dpl = n >> 7 & 3;
        returns_to(&s, iret);
    }
    check_format(wrong == 0, "%s: %u cases", iret ? "IRET" : "RETF", cases);
}

/* A return from CPL 0 to CPL 3 with this in the place of SS. */
static const struct stack return_stacks[] = {
    { "null", 0, 0, EXC_GP, 0 }, { "beyond the GDT", BEYOND | 3, 0, EXC_GP, BEYOND },
    { "with RPL 0", WORLD_DATA3, 0, EXC_GP, WORLD_DATA3 }, { "of DPL 0", WORLD_DATA0 | 3, 0, EXC_GP, WORLD_DATA0 },
    { "code", WORLD_CODE(3), 0, EXC_GP, WORLD_CODE3 }, { "absent", ABSENT | 3, 0, EXC_SS, ABSENT },
    { "read-only", READ_ONLY | 3, 0, EXC_GP, READ_ONLY },
};

static void return_stack(const struct stack *row, bool iret)
{
    struct world_state state = world_state_at(iret ? at_iret : at_retf, 0);
    unsigned words = iret ? 3 : 2;

    prepare();
    world_gdt[ABSENT / 8] = world_segment(0, 0xFFFFFFFF, 0x73, 0xC);
    world_gdt[READ_ONLY / 8] = world_segment(0, 0xFFFFFFFF, 0xF1, 0xC);
    frame[0] = (uintptr_t)landed;
    frame[1] = WORLD_CODE(3);
    frame[2] = 2;
    frame[words] = (uintptr_t)world_stack + 1024;
    frame[words + 1] = row->ss;
    state.esp = (uintptr_t)frame;
    e = world_run(&state);
    check_format(e->vector == row->vector && e->error == row->error && world_event_stayed(e, &state),
                 "%s to CPL 3, SS %s: vector %u, error code %x", iret ? "IRET" : "RETF", row->what, row->vector,
                 row->error);
    if (e->vector != row->vector || e->error != row->error)
        guest_print("# got vector %u, error code %x", e->vector, e->error);
}

/* Words instead of doublewords, from CPL 0 to `cpl`: IP, CS, FLAGS of IRET, SP, SS. */
static void return_words(bool iret, unsigned cpl)
{
    struct world_state state = world_state_at(iret ? at_iret16 : at_retf16, 0);
    uint16_t *word = (uint16_t *)frame;
    unsigned n = iret ? 3 : 2;

    prepare();
    world_gdt[TARGET / 8] = world_segment((uintptr_t)landed & 0xFFFF0000, 0xFFFF, 0x9A | cpl << 5, 4);
    world_gdt[SMALL / 8] = world_segment((uintptr_t)world_stack, 0xFFF, 0x92 | cpl << 5, 0);
    word[0] = (uint16_t)(uintptr_t)landed;
    word[1] = TARGET | cpl;
    word[2] = RFLAGS_CF | 2;
    word[n] = 0x800;
    word[n + 1] = SMALL | cpl;
    state.esp = (uintptr_t)frame;
    state.eflags |= RFLAGS_AC;
    e = world_run(&state);
    check_format(e->vector == LANDED && (uint16_t)e->cs == (TARGET | cpl) &&
                 (cpl ? (uint16_t)e->esp == 0x800 && world_event_ss(e) == (SMALL | cpl) :
                  world_event_esp(e) == state.esp + 2 * n && world_event_ss(e) == state.ss) &&
                 e->eflags == (RFLAGS_AC | 2 | (iret ? RFLAGS_CF : 0)), "16-bit %s to CPL %u pops words",
                 iret ? "IRET" : "RETF", cpl);
}

/* The frame `words` long to CPL 3, from CPL 0 with these data segments. */
static void to_cpl3(const char *code, unsigned words, uint32_t eflags)
{
    struct world_state state = world_state_at(code, 0);

    prepare();
    frame[0] = (uintptr_t)landed;
    frame[1] = WORLD_CODE(3);
    frame[2] = eflags;
    frame[words] = (uintptr_t)world_stack + 1024;
    frame[words + 1] = WORLD_DATA(3);
    state.esp = (uintptr_t)frame;
    state.ds = WORLD_DATA(0);
    state.es = WORLD_DATA(3);
    state.fs = CONFORMING;
    state.gs = WORLD_DATA(2);
    e = world_run(&state);
}

static void outer_level(void)
{
    to_cpl3(at_retf, 2, 0);
    check(e->vector == LANDED && !(e->ds & 0xFFFF) && !(e->gs & 0xFFFF),
          "RETF to CPL 3 makes data segments of DPL 0 and 2 null");
    check((e->es & 0xFFFF) == WORLD_DATA(3) && (e->fs & 0xFFFF) == CONFORMING,
          "and keeps one of DPL 3 and conforming code");
    to_cpl3(at_retf_n, 5, 0);
    check(e->vector == LANDED && e->esp == (uintptr_t)world_stack + 1024 + 12,
          "RETF n drops parameters of both stacks");
    to_cpl3(at_iret, 3, RFLAGS_IOPL(3) | RFLAGS_IF | 2);
    check(e->vector == LANDED && e->eflags == (RFLAGS_IOPL(3) | RFLAGS_IF | 2) && !(e->ds & 0xFFFF),
          "IRET from CPL 0 loads IOPL and IF");
}

static void flags_of_iret(unsigned cpl, unsigned iopl, uint32_t before, uint32_t image, uint32_t after)
{
    struct world_state state = world_state_at(at_iret, cpl);

    prepare();
    frame[0] = (uintptr_t)landed;
    frame[1] = WORLD_CODE(cpl);
    frame[2] = image;
    state.esp = (uintptr_t)frame;
    state.eflags = before | RFLAGS_IOPL(iopl) | 2;
    e = world_run(&state);
    check_format(e->vector == LANDED && e->eflags == (after | 2), "IRET at CPL %u, IOPL %u of %x: %x", cpl, iopl, image,
                 after);
}

static void selectors(void)
{
    struct world_state state = world_state_at(at_call, 0);

    prepare();
    world_gdt[GATE / 8] = world_gate(0, (uintptr_t)landed, P | GATE32, 0);
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == 0, "a gate with a null selector is #GP(0)");
    world_gdt[GATE / 8] = world_gate(BEYOND, (uintptr_t)landed, P | GATE32, 0);
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == BEYOND, "one to a selector beyond the GDT is #GP of it");
    world_gdt[GATE / 8] = world_gate(GATE, (uintptr_t)landed, P | GATE32, 0);
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == GATE, "one to a gate is #GP of the target");
    world_gdt[GATE / 8] = world_gate(TARGET, 0x10000, P | GATE32, 0);
    world_gdt[TARGET / 8] = world_segment(0, 0xFFFF, 0x9B, 4);
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == 0, "an offset beyond the target's limit is #GP(0)");
    world_gdt[WORLD_TSS / 8] = world_segment((uintptr_t)world_tss, 0xB, 0x89, 0); /* up to SS0 */
    world_gdt[GATE / 8] = world_gate(WORLD_CODE1, (uintptr_t)landed, P | 3 << 5 | GATE32, 0);
    __asm__ volatile("ltr %w0" : : "r"(WORLD_TSS));
    state = world_state_at(at_call3, 3);
    e = world_run(&state);
    check(e->vector == EXC_TS && e->error == WORLD_TSS,
          "a CALL to CPL 1 with a TSS that ends before ESP1 is #TS of TR");
    prepare();
    state = world_state_at(at_call_local, 3);
    world_ldt[1] = world_gate(WORLD_CODE0, (uintptr_t)landed, P | 3 << 5 | GATE32, 0);
    e = world_run(&state);
    check(e->vector == LANDED && !(e->cs & 3), "a gate of the LDT leads to CPL 0, too");
    world_ldt[1] = world_gate(WORLD_CODE0, (uintptr_t)landed, P | 2 << 5 | GATE32, 0);
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == 0x0C && world_event_stayed(e, &state), "#GP of it names it with TI");
}

void guest_main(void)
{
    world_begin();
    for (unsigned n = 0; n < 4; n++)
        gates(n & 1, n & 2);
    selectors();
    for (unsigned i = 0; i < 2 * (sizeof(stack_rows) / sizeof(stack_rows[0])); i++)
        inner_stack(&stack_rows[i / 2], i & 1);
    returns(false);
    returns(true);
    for (unsigned i = 0; i < 2 * (sizeof(return_stacks) / sizeof(return_stacks[0])); i++)
        return_stack(&return_stacks[i / 2], i & 1);
    for (unsigned n = 0; n < 4; n++)
        return_words(n & 1, n & 2 ? 3 : 0);
    outer_level();
    flags_of_iret(0, 0, 0, RFLAGS_IF | RFLAGS_IOPL(2), RFLAGS_IF | RFLAGS_IOPL(2));
    flags_of_iret(1, 1, 0, RFLAGS_IF | RFLAGS_IOPL(3), RFLAGS_IF | RFLAGS_IOPL(1));
    flags_of_iret(2, 1, RFLAGS_IF, RFLAGS_CF, RFLAGS_IF | RFLAGS_IOPL(1) | RFLAGS_CF);
    flags_of_iret(3, 3, RFLAGS_IF, RFLAGS_IOPL(3), RFLAGS_IOPL(3));
    check_end();
}
