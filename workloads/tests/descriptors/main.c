/* SPDX-License-Identifier: MIT */
/*
 * Descriptor checks of legacy protected mode, exhaustively (APM2 4.7, 4.10, 4.11.1, 4.12, 4.13.1, 6.4): which
 * descriptor may be loaded, looked at, jumped to or called, and what is raised otherwise.
 *
 * Type, DPL, RPL and CPL combine so freely that a few chosen descriptors prove little. Side effects go wrong too:
 * in QEMU a far transfer leaves the accessed bit clear, and a CALL beyond the limit its pushes
 * (doc/conformance.md).
 *
 * One descriptor of the GDT of world32.h takes every type, system or not, present or not, of every DPL, with every
 * RPL, from every CPL: 4096 cases, half for JMP and CALL, which leave the system ones out. It is flat (expand-down
 * data from 1000h on), so that code and stack stay where they are. A fragment ends in INT 71h if nothing stops it.
 *
 * MOV to DS, ES, FS and GS, POP ES, LDS, LES, LFS and LGS want data or readable code with DPL not below CPL and
 * RPL, which conforming code is spared; MOV SS, POP SS and LSS want writable data, DPL = RPL = CPL; JMP and CALL
 * want code with DPL = CPL and RPL not above it, or conforming with DPL not above CPL, and CPL stays. Else #GP, and
 * if absent #NP, for SS #SS, with the selector. What succeeds loads the register and sets the accessed bit, a fault
 * leaves both. LAR, LSL, VERR and VERW never fault: ZF tells, LAR and LSL load or leave their register, P does not
 * count.
 *
 * Then null selectors (LAR and its like clear ZF), selectors beyond the GDT or LDT, a null LDTR, ARPL with every pair
 * of RPLs, and JMP and CALL beyond the limit, #GP(0) with nothing pushed.
 *
 * It runs on the bare machine. Gates, LLDT and LTR: `call-gates`, `interrupt-gates`; long mode: `descriptors64`.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/world32.h"

#define SUBJECT 0x58        /* WORLD_FREE: the descriptor under test */
#define BASE 0u
#define LIMIT 0xFFFFFFFFu   /* flat, so that a jump there finds the same code */
#define TYPE_DOWN 4u        /* data: expand-down; code: conforming */
#define TYPE_WRITABLE 2u    /* data: writable; code: readable */
#define TYPE_CODE 8u
#define TYPE_ACCESSED 1u
#define NOTHING 256u
#define RFLAGS_ZF 0x40u
#define LAR_MASK 0x00F0FF00u /* 19:16 are undefined */

WORLD_FRAGMENT(ds, "movl %eax, %ds") WORLD_FRAGMENT(es, "movl %eax, %es") WORLD_FRAGMENT(fs, "movl %eax, %fs")
WORLD_FRAGMENT(gs, "movl %eax, %gs") WORLD_FRAGMENT(ss, "movl %eax, %ss")
WORLD_FRAGMENT(pop_es, "pushl %eax\npopl %es") WORLD_FRAGMENT(pop_ss, "pushl %eax\npopl %ss")
WORLD_FRAGMENT(lds, "ldsl (%ebx), %ecx") WORLD_FRAGMENT(les, "lesl (%ebx), %ecx")
WORLD_FRAGMENT(lfs, "lfsl (%ebx), %ecx") WORLD_FRAGMENT(lgs, "lgsl (%ebx), %ecx")
WORLD_FRAGMENT(lss, "lssl (%ebx), %ecx")
WORLD_FRAGMENT(lar, "larl %eax, %ecx") WORLD_FRAGMENT(lsl, "lsll %eax, %ecx") WORLD_FRAGMENT(verr, "verr %ax")
WORLD_FRAGMENT(verw, "verw %ax") WORLD_FRAGMENT(arpl, "arpl %cx, %ax")
WORLD_FRAGMENT(jump, "ljmp *(%ebx)") WORLD_FRAGMENT(call, "lcall *(%ebx)")
__asm__(".text\n.globl landed\nlanded:\nint $0x70\n");
extern const char landed[];

struct subject {
    unsigned type;          /* 0-15 */
    bool ordinary, present; /* S, P */
    unsigned dpl, rpl, cpl;
};

struct outcome {
    unsigned vector;
    uint32_t error;
};

static uint32_t pointer[2];

static bool is_code(const struct subject *s)
{
    return s->ordinary && (s->type & TYPE_CODE);
}

static bool is_conforming(const struct subject *s)
{
    return is_code(s) && (s->type & TYPE_DOWN);
}

static bool is_readable(const struct subject *s)
{
    return s->ordinary && (!(s->type & TYPE_CODE) || (s->type & TYPE_WRITABLE));
}

static bool is_writable(const struct subject *s)
{
    return s->ordinary && !(s->type & TYPE_CODE) && (s->type & TYPE_WRITABLE);
}

static bool dpl_allows(const struct subject *s)
{
    return s->dpl >= s->cpl && s->dpl >= s->rpl;
}

/* ---- The rules -------------------------------------------------------------------------------------------------- */

/* APM2 4.10.1; types: 4.7.2, 4.7.3. */
static struct outcome data_rule(const struct subject *s)
{
    if (!is_readable(s) || (!is_conforming(s) && !dpl_allows(s)))
        return (struct outcome){ EXC_GP, SUBJECT };
    return (struct outcome){ s->present ? NOTHING : EXC_NP, SUBJECT };
}

/* APM2 4.10.2. */
static struct outcome stack_rule(const struct subject *s)
{
    if (!is_writable(s) || s->dpl != s->cpl || s->rpl != s->cpl)
        return (struct outcome){ EXC_GP, SUBJECT };
    return (struct outcome){ s->present ? NOTHING : EXC_SS, SUBJECT };
}

/* APM2 4.11.1: direct transfers. Gates and TSSs have tests of their own. */
static struct outcome code_rule(const struct subject *s)
{
    if (!is_code(s) || (is_conforming(s) ? s->dpl > s->cpl : s->dpl != s->cpl || s->rpl > s->cpl))
        return (struct outcome){ EXC_GP, SUBJECT };
    return (struct outcome){ s->present ? NOTHING : EXC_NP, SUBJECT };
}

/* APM3 LAR: 16- and 32-bit TSSs, LDT, call gates, task gate. */
static bool lar_rule(const struct subject *s)
{
    if (s->ordinary)
        return is_conforming(s) || dpl_allows(s);
    return (0x1A3E >> s->type & 1) && dpl_allows(s);
}

/* APM3 LSL: what has a limit. */
static bool lsl_rule(const struct subject *s)
{
    if (s->ordinary)
        return is_conforming(s) || dpl_allows(s);
    return (0x0A0E >> s->type & 1) && dpl_allows(s);
}

/* APM2 6.4.3: readable, and the DPL unless conforming. */
static bool verr_rule(const struct subject *s)
{
    return is_readable(s) && (is_conforming(s) || dpl_allows(s));
}

static bool verw_rule(const struct subject *s)
{
    return is_writable(s) && dpl_allows(s);
}

/* ---- One case --------------------------------------------------------------------------------------------------- */

static unsigned cases, wrong;

static void report(const char *what, const struct subject *s, const struct world_event *e)
{
    if (wrong++ < 3)
        guest_print("# %s: type %x S%u P%u DPL %u RPL %u CPL %u: vector %u error %x eflags %x ecx %x", what, s->type,
                    s->ordinary, s->present, s->dpl, s->rpl, s->cpl, e->vector, e->error, e->eflags, e->ecx);
}

/* Flat also if it expands down: then all but the first page is inside. */
static uint32_t limit_of(const struct subject *s)
{
    return s->ordinary && !is_code(s) && (s->type & TYPE_DOWN) ? 0xFFF : LIMIT;
}

static uint64_t descriptor(const struct subject *s)
{
    unsigned access = s->type | (unsigned)s->ordinary << 4 | s->dpl << 5 | (unsigned)s->present << 7;

    return world_segment(BASE, limit_of(s), access, 0xC);
}

static const struct world_event *run(const struct subject *s, const char *code)
{
    struct world_state state = world_state_at(code, s->cpl);

    world_gdt[SUBJECT / 8] = descriptor(s);
    state.eax = SUBJECT | s->rpl;
    state.ebx = (uintptr_t)pointer;
    state.ecx = 0xCCCCCCCC;
    pointer[0] = (uintptr_t)landed;
    pointer[1] = SUBJECT | s->rpl;
    return world_run(&state);
}

static bool accessed(const struct subject *s)
{
    return !s->ordinary || (world_gdt[SUBJECT / 8] >> 40 & TYPE_ACCESSED);
}

struct transfer {
    const char *what, *code;
    struct outcome (*rule)(const struct subject *);
    unsigned passed;        /* vector that says it */
    uint16_t (*loaded)(const struct world_event *); /* the segment register */
    bool pointer;           /* ECX is loaded too */
};

static uint16_t in_ds(const struct world_event *e)
{
    return (uint16_t)e->ds;
}

static uint16_t in_es(const struct world_event *e)
{
    return (uint16_t)e->es;
}

static uint16_t in_fs(const struct world_event *e)
{
    return (uint16_t)e->fs;
}

static uint16_t in_gs(const struct world_event *e)
{
    return (uint16_t)e->gs;
}

static uint16_t in_cs(const struct world_event *e)
{
    return (uint16_t)e->cs;
}

static void transfers(const struct transfer *t, const struct subject *s)
{
    struct outcome want = t->rule(s);
    const struct world_event *e;

    if (t->passed == 0x70 && !s->ordinary)
        return; /* gates and TSSs */
    e = run(s, t->code);
    cases++;
    if (want.vector == NOTHING) {
        uint16_t selector = SUBJECT | (t->passed == 0x70 ? s->cpl : s->rpl);

        if (e->vector != t->passed || !accessed(s) || t->loaded(e) != selector ||
            (t->pointer && e->ecx != (uintptr_t)landed))
            report(t->what, s, e);
    } else if (e->vector != want.vector || e->error != want.error || t->loaded(e) == (SUBJECT | s->rpl) ||
               e->ecx != 0xCCCCCCCC || (s->type & 1) != (world_gdt[SUBJECT / 8] >> 40 & 1)) {
        report(t->what, s, e);
    }
}

static void looks(const struct subject *s)
{
    const struct world_event *e = run(s, at_lar);
    uint32_t high = (uint32_t)(descriptor(s) >> 32);

    cases += 4;
    if (e->vector != WORLD_PASSED || !(e->eflags & RFLAGS_ZF) != !lar_rule(s) ||
        (lar_rule(s) ? e->ecx & LAR_MASK : e->ecx) != (lar_rule(s) ? high & LAR_MASK : 0xCCCCCCCC))
        report("LAR", s, e);
    e = run(s, at_lsl);
    if (e->vector != WORLD_PASSED || !(e->eflags & RFLAGS_ZF) != !lsl_rule(s) ||
        e->ecx != (lsl_rule(s) ? limit_of(s) : 0xCCCCCCCC))
        report("LSL", s, e);
    e = run(s, at_verr);
    if (e->vector != WORLD_PASSED || !(e->eflags & RFLAGS_ZF) != !verr_rule(s))
        report("VERR", s, e);
    e = run(s, at_verw);
    if (e->vector != WORLD_PASSED || !(e->eflags & RFLAGS_ZF) != !verw_rule(s))
        report("VERW", s, e);
}

static void every_subject(void (*function)(const struct transfer *, const struct subject *), const struct transfer *t)
{
    struct subject s;

    world_reset();
    for (unsigned n = 0; n < 16 * 2 * 2 * 64; n++) {
        s = (struct subject){ n & 15, n >> 4 & 1, n >> 5 & 1, n >> 6 & 3, n >> 8 & 3, n >> 10 & 3 };
        function(t, &s);
    }
}

static void look_all(const struct transfer *unused, const struct subject *s)
{
    (void)unused;
    looks(s);
}

static const struct transfer transfer_rows[] = {
    { "MOV to DS", at_ds, data_rule, WORLD_PASSED, in_ds, false },
    { "MOV to ES", at_es, data_rule, WORLD_PASSED, in_es, false },
    { "MOV to FS", at_fs, data_rule, WORLD_PASSED, in_fs, false },
    { "MOV to GS", at_gs, data_rule, WORLD_PASSED, in_gs, false },
    { "POP to ES", at_pop_es, data_rule, WORLD_PASSED, in_es, false },
    { "LDS", at_lds, data_rule, WORLD_PASSED, in_ds, true },
    { "LES", at_les, data_rule, WORLD_PASSED, in_es, true },
    { "LFS", at_lfs, data_rule, WORLD_PASSED, in_fs, true },
    { "LGS", at_lgs, data_rule, WORLD_PASSED, in_gs, true },
    { "MOV to SS", at_ss, stack_rule, WORLD_PASSED, world_event_ss, false },
    { "POP to SS", at_pop_ss, stack_rule, WORLD_PASSED, world_event_ss, false },
    { "LSS", at_lss, stack_rule, WORLD_PASSED, world_event_ss, true },
    { "JMP far", at_jump, code_rule, 0x70, in_cs, false }, { "CALL far", at_call, code_rule, 0x70, in_cs, false },
};

/* ---- Selectors -------------------------------------------------------------------------------------------------- */

static void selectors(void)
{
    static const char *const loads[] = { at_ds, at_es, at_fs, at_gs };
    static const char *const look[] = { at_lar, at_lsl, at_verr, at_verw };
    struct world_state state;
    const struct world_event *e;
    bool right = true;

    world_reset();
    for (unsigned i = 0; i < 16; i++) {
        state = world_state_at(loads[i & 3], 3);
        state.eax = i >> 2;
        right &= world_run(&state)->vector == WORLD_PASSED;
    }
    check(right, "a null selector with any RPL may go into DS, ES, FS and GS");
    state = world_state_at(at_ss, 0);
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == 0, "in SS it is #GP(0)");
    state = world_state_at(at_jump, 0);
    pointer[1] = 0;
    state.ebx = (uintptr_t)pointer;
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == 0, "a jump to it is #GP(0)");
    state = world_state_at(at_ds, 0);
    state.eax = WORLD_GDT_ENTRIES * 8;
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == WORLD_GDT_ENTRIES * 8, "a selector beyond the GDT is #GP(selector)");
    state.eax = sizeof(world_ldt) | 4 | 3;
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == (sizeof(world_ldt) | 4), "one beyond the LDT too, with TI");
    __asm__ volatile("lldt %w0" : : "r"(0));
    state.eax = 4;
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == 4, "with a null LDTR every local selector is");
    right = true;
    world_gdt[0] = world_gdt[WORLD_DATA3 / 8]; /* which it would find there */
    for (unsigned i = 0; i < 16; i++) {
        state = world_state_at(look[i & 3], 0);
        state.eax = i >> 2;
        state.ecx = 0xCCCCCCCC;
        state.eflags |= RFLAGS_ZF;
        e = world_run(&state);
        right &= e->vector == WORLD_PASSED && !(e->eflags & RFLAGS_ZF) && e->ecx == 0xCCCCCCCC;
    }
    check(right, "LAR, LSL, VERR and VERW of a null selector clear ZF");
}

static void arpl(void)
{
    bool right = true;

    world_reset();
    for (unsigned pair = 0; pair < 16; pair++) {
        unsigned to = pair & 3, from = pair >> 2;
        struct world_state state = world_state_at(at_arpl, 3);
        const struct world_event *e;

        state.eax = 0x1230 | to;
        state.ecx = 0x4560 | from;
        e = world_run(&state);
        right &= e->vector == WORLD_PASSED && e->eax == (0x1230 | (from > to ? from : to)) &&
                 !(e->eflags & RFLAGS_ZF) == !(from > to);
    }
    check(right, "ARPL raises the RPL to the other's and sets ZF when it does");
}

/* A jump or call beyond the limit of its segment. */
static void limits(void)
{
    struct world_state state = world_state_at(at_jump, 0);
    const struct world_event *e;

    world_reset();
    world_gdt[SUBJECT / 8] = world_segment(0, 0xFFFF, 0x9B, 4);
    pointer[0] = 0x10000;
    pointer[1] = SUBJECT;
    state.ebx = (uintptr_t)pointer;
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == 0 && e->eip == (uintptr_t)at_jump,
          "a far jump beyond the new segment's limit is #GP(0), at the jump");
    state.eip = (uintptr_t)at_call;
    e = world_run(&state);
    check(e->vector == EXC_GP && e->error == 0 && e->esp_handler + 20 == state.esp,
          "a far call too, and leaves nothing on the stack");
}

void guest_main(void)
{
    world_begin();
    for (unsigned i = 0; i < sizeof(transfer_rows) / sizeof(transfer_rows[0]); i++) {
        cases = wrong = 0;
        every_subject(transfers, &transfer_rows[i]);
        check_format(wrong == 0, "%s: %u descriptors", transfer_rows[i].what, cases);
    }
    cases = wrong = 0;
    every_subject(look_all, NULL);
    check_format(wrong == 0, "LAR, LSL, VERR, VERW: %u cases", cases);
    selectors();
    arpl();
    limits();
    check_end();
}
