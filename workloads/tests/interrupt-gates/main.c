/* SPDX-License-Identifier: MIT */
/*
 * Gates of the IDT and the system descriptors of legacy protected mode (APM2 4.7.4, 4.7.5, 8.7; APM3 INT, LLDT,
 * LTR): who gets through a gate, to which code, and with what on the stack.
 *
 * A gate's DPL is all that keeps CPL 3 from raising any vector by INT n, while an exception must come whatever the
 * DPL. Bochs agrees with every check, QEMU stops before the first (doc/conformance.md).
 *
 * A case changes the tables of world32.h, starts at any CPL without paging, and compares the first event, INT 70h
 * at the target or a fault, with what the rules give.
 *
 * INT n goes through interrupt and trap gates of both widths: every DPL, CPL and P, to data and code of every DPL,
 * conforming or not, present or not. DPL below CPL is #GP of the gate (vector * 8 + 2), P = 0 its #NP; the target
 * must be code of a DPL not above CPL (#GP of its selector) and present (#NP). The frame has the gate's width and,
 * if CPL changes, lies on the TSS's stack with SS:rSP. An interrupt gate clears IF, both clear NT, TF and RF. A
 * refusal leaves CS:EIP and SS:ESP.
 *
 * INT n, INT3 and INTO look at the gate's DPL, #UD and ICEBP do not. Every type but 5, 6, 7, Eh and Fh is no gate;
 * a null selector, one beyond the GDT or of a TSS, an offset beyond the limit and a gate cut by the IDT's limit are
 * #GP. LLDT takes type 2, LTR 1 and 9, present or #NP, from the GDT alone; LTR makes the TSS busy; LLDT takes null,
 * LTR does not.
 *
 * It runs on the bare machine. Task gates: `tasks`, `task-faults`; the inner stack's own faults: `call-gates`; long
 * mode: `descriptors64`.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/world32.h"

#define TARGET 0x58
#define SYSTEM 0x60
#define BEYOND 0x400
#define VECTOR 0x90
#define IDT_ERROR(vector) ((vector) * 8 + 2)
#define LANDED 0x70
#define P 0x80u
#define RFLAGS_ALL (RFLAGS_IF | RFLAGS_NT | RFLAGS_IOPL(3) | RFLAGS_AC | 0x8D5u)

WORLD_FRAGMENT(int_n, "int $0x90") WORLD_FRAGMENT(int3, "int3") WORLD_FRAGMENT(into, "into") WORLD_FRAGMENT(ud2, "ud2")
WORLD_FRAGMENT(icebp, ".byte 0xF1") WORLD_FRAGMENT(int_last, "int $0xFF")
WORLD_FRAGMENT(lldt, "lldt %cx") WORLD_FRAGMENT(ltr, "ltr %cx")
__asm__(".text\n.globl landed\nlanded:\nint $0x70\n");
extern const char landed[];

static const struct world_event *e;
static unsigned cases, wrong;

struct subject {
    unsigned type;          /* of the gate: 6, 7, Eh, Fh */
    bool present, conforming, target_present, target_code;
    unsigned dpl, cpl, target_dpl;
};

struct want {
    unsigned vector;
    uint32_t error;
    unsigned cpl;
};

static struct want gate_rule(const struct subject *s)
{
    if (s->dpl < s->cpl)
        return (struct want){ EXC_GP, IDT_ERROR(VECTOR), 0 };
    if (!s->present)
        return (struct want){ EXC_NP, IDT_ERROR(VECTOR), 0 };
    if (!s->target_code || s->target_dpl > s->cpl)
        return (struct want){ EXC_GP, TARGET, 0 };
    if (!s->target_present)
        return (struct want){ EXC_NP, TARGET, 0 };
    return (struct want){ LANDED, 0, s->conforming ? s->cpl : s->target_dpl };
}

static bool landed_right(const struct subject *s, const struct world_state *state, unsigned cpl)
{
    bool inner = cpl < s->cpl, wide = s->type & 8;
    unsigned size = wide ? 4 : 2, words = inner ? 5 : 3;
    uint32_t top = inner ? world_tss[TSS_ESP0 + 2 * cpl] : state->esp, at = world_event_esp(e);
    const uint32_t expected[5] = { (uintptr_t)next_int_n, state->cs, state->eflags, state->esp, state->ss };
    uint32_t cleared = RFLAGS_NT | RFLAGS_TF | RFLAGS_RF | (s->type & 1 ? 0 : RFLAGS_IF);
    bool right = at == top - words * size && (e->cs & 0xFFFF) == (TARGET | cpl) &&
                 e->eflags == (state->eflags & ~cleared) &&
                 world_event_ss(e) == (inner ? world_tss[TSS_SS0 + 2 * cpl] : state->ss);

    for (unsigned i = 0; i < words && right; i++) {
        bool selector = i == 1 || i == 4;
        uint32_t mask = selector || !wide ? 0xFFFF : i == 2 ? ~RFLAGS_RF : 0xFFFFFFFF; /* of RF nothing is said */

        right &= ((*(uint32_t *)(uintptr_t)(at + i * size) ^ expected[i]) & mask) == 0;
    }
    return right;
}

static void set_gate(unsigned vector, unsigned type, unsigned dpl, bool present)
{
    world_idt[vector] = world_gate(TARGET | 3, (uintptr_t)landed, type | dpl << 5 | (present ? P : 0), 0);
}

static void set_target(const struct subject *s)
{
    unsigned access = s->target_code ? s->conforming ? 0x1E : 0x1A : 0x12;

    /* a gate of 16 bits has an offset of 16 */
    world_gdt[TARGET / 8] = world_segment(s->type & 8 ? 0 : (uintptr_t)landed & 0xFFFF0000, 0xFFFFFFFF,
                                          access | s->target_dpl << 5 | (s->target_present ? P : 0), 0xC);
}

static void gate(const struct subject *s)
{
    struct world_state state = world_state_at(at_int_n, s->cpl);
    struct want want = gate_rule(s);
    bool right;

    set_gate(VECTOR, s->type, s->dpl, s->present);
    set_target(s);
    state.eflags |= RFLAGS_ALL | RFLAGS_TF | RFLAGS_RF;
    e = world_run(&state);
    cases++;
    right = e->vector == want.vector && e->error == want.error;
    if (right && want.vector == LANDED)
        right = landed_right(s, &state, want.cpl);
    else if (right)
        right = world_event_stayed(e, &state);
    if (!right && wrong++ < 3)
        guest_print("# type %x P%u DPL %u CPL %u to code%u conforming%u P%u DPL %u: vector %u error %x cs %x eflags "
                    "%x, want %u %x", s->type, s->present, s->dpl, s->cpl, s->target_code, s->conforming,
                    s->target_present, s->target_dpl, e->vector, e->error, e->cs, e->eflags, want.vector, want.error);
}

static void gates(unsigned type, const char *what)
{
    struct subject s = { .type = type };

    cases = wrong = 0;
    world_reset();
    for (unsigned n = 0; n < 1u << 10; n++) {
        s.present = n & 1;
        s.conforming = n & 2;
        s.target_present = n & 4;
        s.target_code = n & 8;
        s.dpl = n >> 4 & 3;
        s.cpl = n >> 6 & 3;
        s.target_dpl = n >> 8 & 3;
        gate(&s);
    }
    check_format(wrong == 0, "INT n through %s: %u cases", what, cases);
}

/* ---- Who looks at the DPL --------------------------------------------------------------------------------------- */

static void privilege(const char *code, unsigned vector, bool looks, const char *what)
{
    struct subject s = { .type = 0xE, .target_code = true, .target_present = true };
    struct world_state state = world_state_at(code, 3);

    world_reset();
    set_target(&s);
    set_gate(vector, 0xE, 0, true);
    state.eflags |= 0x800; /* OF */
    e = world_run(&state);
    check_format(looks ? e->vector == EXC_GP && e->error == IDT_ERROR(vector) : e->vector == LANDED,
                 "%s at CPL 3, gate of DPL 0: %s", what, looks ? "#GP of the gate" : "delivered");
    if (vector == EXC_UD)
        return;
    set_gate(vector, 0xE, 3, true);
    e = world_run(&state);
    check_format(e->vector == LANDED, "%s at CPL 3, gate of DPL 3", what);
}

/* INT n has cleared RF by itself before its handler begins; a fault comes with RF as it was. */
static void resume_flag(void)
{
    struct subject s = { .type = 0xE, .target_code = true, .target_present = true };
    struct world_state state = world_state_at(at_ud2, 3);

    world_reset();
    set_target(&s);
    set_gate(EXC_UD, s.type, 0, true);
    state.eflags |= RFLAGS_RF;
    __asm__ volatile("movl %0, %%dr0\nmovl %1, %%dr7" : : "r"(landed), "r"(0x401));
    e = world_run(&state);
    __asm__ volatile("movl %0, %%dr7" : : "r"(0x400));
    check(e->vector == EXC_DB && e->eip == (uintptr_t)landed, "a handler begins with RF = 0: a breakpoint there comes");
}

/* ---- Defects ---------------------------------------------------------------------------------------------------- */

static void raises(const char *code, unsigned vector, uint32_t error, const char *what)
{
    struct world_state state = world_state_at(code, 3);

    e = world_run(&state);
    check_format(e->vector == vector && e->error == error, "%s: vector %u, error code %x", what, vector, error);
    if (e->vector != vector || e->error != error)
        guest_print("# got vector %u, error code %x", e->vector, e->error);
}

static void defects(void)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) whole = { sizeof(world_idt) - 1, (uintptr_t)world_idt },
                              cut = { sizeof(world_idt) - 2, (uintptr_t)world_idt };
    unsigned taken = 0;

    world_reset();
    for (unsigned type = 0; type < 32; type++) {
        struct world_state state = world_state_at(at_int_n, 0);

        if (type == 5 || type == 6 || type == 7 || type == 0xE || type == 0xF)
            continue;
        set_gate(VECTOR, type, 3, true);
        e = world_run(&state);
        taken += e->vector != EXC_GP || e->error != IDT_ERROR(VECTOR);
    }
    check(taken == 0, "every other type is no gate of the IDT");
    world_idt[VECTOR] = world_gate(0, (uintptr_t)landed, P | 3 << 5 | 0xE, 0);
    raises(at_int_n, EXC_GP, 0, "a null selector");
    world_idt[VECTOR] = world_gate(BEYOND, (uintptr_t)landed, P | 3 << 5 | 0xE, 0);
    raises(at_int_n, EXC_GP, BEYOND, "a selector beyond the GDT");
    world_idt[VECTOR] = world_gate(WORLD_TSS, (uintptr_t)landed, P | 3 << 5 | 0xE, 0);
    raises(at_int_n, EXC_GP, WORLD_TSS, "the selector of a TSS");
    world_idt[VECTOR] = world_gate(TARGET, 0x10000, P | 3 << 5 | 0xE, 0);
    world_gdt[TARGET / 8] = world_segment(0, 0xFFFF, 0x9B, 4);
    raises(at_int_n, EXC_GP, 0, "an offset beyond the limit of its code");
    world_reset();
    idt_load(&cut);
    raises(at_int_last, EXC_GP, IDT_ERROR(0xFF), "a gate whose last byte is beyond the IDT");
    idt_load(&whole);
    raises(at_int_last, 0xFF, 0, "and one that ends with it");
}

/* ---- LLDT and LTR ----------------------------------------------------------------------------------------------- */

static void load(const char *code, uint16_t selector, unsigned vector, uint32_t error, const char *what)
{
    struct world_state state = world_state_at(code, 0);

    state.ecx = selector;
    e = world_run(&state);
    check_format(e->vector == vector && e->error == error, "%s: vector %u, error code %x", what, vector, error);
    if (e->vector != vector || e->error != error)
        guest_print("# got vector %u, error code %x", e->vector, e->error);
}

static void types(const char *code, unsigned good, unsigned good16, const char *what)
{
    unsigned bad = 0;

    for (unsigned n = 0; n < 64; n++) {
        unsigned type = n & 31;
        unsigned want = type != good && type != good16 ? EXC_GP : n & 32 ? WORLD_PASSED : EXC_NP;
        struct world_state state = world_state_at(code, 0);

        world_reset();
        world_gdt[SYSTEM / 8] = world_segment((uintptr_t)world_tss, 0xFFF, type | (n & 32 ? P : 0), 0);
        state.ecx = SYSTEM;
        e = world_run(&state);
        bad += e->vector != want || (want != WORLD_PASSED && e->error != SYSTEM);
    }
    check_format(bad == 0, "%s takes type %x%s, present or #NP", what, good, good == good16 ? "" : " and 1");
}

static void system_loads(void)
{
    types(at_lldt, 2, 2, "LLDT");
    types(at_ltr, 9, 1, "LTR");
    world_reset();
    world_gdt[SYSTEM / 8] = world_segment((uintptr_t)world_tss, 0xFFF, P | 9, 0);
    load(at_ltr, SYSTEM, WORLD_PASSED, 0, "LTR");
    check_equal(world_gdt[SYSTEM / 8] >> 40 & 0x1F, 0xB, "LTR makes the TSS busy");
    load(at_ltr, SYSTEM, EXC_GP, SYSTEM, "LTR of a busy TSS");
    load(at_ltr, 0, EXC_GP, 0, "LTR of null");
    load(at_ltr, BEYOND, EXC_GP, BEYOND, "LTR beyond the GDT");
    world_ldt[1] = world_segment((uintptr_t)world_ldt, sizeof(world_ldt) - 1, P | 2, 0);
    world_ldt[2] = world_segment((uintptr_t)world_tss, 0xFFF, P | 9, 0);
    load(at_lldt, 0x0C, EXC_GP, 0x0C, "LLDT of an LDT that the LDT describes");
    load(at_ltr, 0x14, EXC_GP, 0x14, "LTR of a TSS that the LDT describes");
    load(at_lldt, BEYOND, EXC_GP, BEYOND, "LLDT beyond the GDT");
    load(at_lldt, 0, WORLD_PASSED, 0, "LLDT of null");
}

void guest_main(void)
{
    world_begin();
    gates(6, "16-bit interrupt gates");
    gates(7, "16-bit trap gates");
    gates(0xE, "32-bit interrupt gates");
    gates(0xF, "32-bit trap gates");
    privilege(at_int_n, VECTOR, true, "INT n");
    privilege(at_int3, EXC_BP, true, "INT3");
    privilege(at_into, EXC_OF, true, "INTO");
    privilege(at_ud2, EXC_UD, false, "#UD");
    privilege(at_icebp, EXC_DB, false, "ICEBP");
    resume_flag();
    defects();
    system_loads();
    check_end();
}
