/* SPDX-License-Identifier: MIT */
/*
 * Gates of the IDT and system descriptors of long mode (APM2 4.8.3, 4.8.4, 8.9; APM3 INT, LLDT, LTR), null
 * selectors, and SYSCALL and SYSRET (APM2 6.1.1).
 *
 * A 64-bit kernel lives on these. In QEMU the error codes of the IDT have twice the vector; in Bochs a null
 * selector clears the base of FS or GS (doc/conformance.md).
 *
 * A case changes the tables of world64.h, enters 64-bit or compatibility mode at any CPL, and compares the first
 * event with what the rules give.
 *
 * INT n goes through interrupt and trap gates, with IST and without, of every DPL and P, to 64-bit and 32-bit code,
 * L with D, and data, of every DPL. The stack is IST's when the gate names one, else RSPn's if CPL changes, else
 * the interrupted one, aligned down to 16. SS is null on a change of CPL; the whole frame is quadwords. An
 * interrupt gate clears IF, both clear NT, TF and RF. Then each defect: type, selector, offset, RSP0 and IST3 not
 * canonical (#SS(0)), limit of the IDT. A type in a gate's upper half is ignored, where a call gate's is #GP.
 *
 * LLDT takes type 2, LTR type 9, from the GDT alone, of 16 bytes in 64-bit mode and of 8 in compatibility mode. SS
 * may be null in 64-bit mode inside CPL 3, with RPL = CPL; a null FS or GS leaves its base (AMD's processors), a
 * descriptor clears the upper half; SWAPGS is #GP(0) at CPL 3, #UD in compatibility mode. SYSCALL goes to LSTAR or
 * CSTAR, sets rCX and R11 and clears the flags of SFMASK, SYSRET clears RF; CS and SS come from STAR, and no
 * descriptor is looked at: there is none.
 *
 * It runs on the bare machine. Not asked: SYSCALL with SCE = 0.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"
#include "workloads/lib/world64.h"

#define TARGET WORLD64_FREE
#define SYSTEM (WORLD64_FREE + 8)   /* two entries */
#define LAST 0x178                  /* the last entry of the GDT: no system descriptor fits */
#define BEYOND 0x400
#define VECTOR 0x90
#define IDT_ERROR(vector) ((vector) * 8 + 2)
#define LANDED 0x70
#define LANDED_CSTAR 0x73
#define INTERRUPT_GATE 0xEu
#define TRAP_GATE 0xFu
#define P 0x80u
#define NON_CANONICAL 0x0000800000000000ull
#define RFLAGS_TF 0x100ull
#define RFLAGS_IF 0x200ull
#define RFLAGS_NT 0x4000ull
#define RFLAGS_RF 0x10000ull
#define MSR_EFER 0xC0000080u
#define MSR_STAR 0xC0000081u
#define MSR_LSTAR 0xC0000082u
#define MSR_CSTAR 0xC0000083u
#define MSR_SFMASK 0xC0000084u
#define MSR_FS_BASE 0xC0000100u
#define MSR_GS_BASE 0xC0000101u

#define BOTH(name, text) WORLD64_FRAGMENT(64, name##_64, text) WORLD64_FRAGMENT(32, name##_32, text)
BOTH(int_n, "int $0x90") BOTH(int_last, "int $0xFF")
BOTH(mov_ss, "movl %ecx, %ss") BOTH(mov_ds, "movl %ecx, %ds")
BOTH(mov_fs, "movl %ecx, %fs") BOTH(mov_gs, "movl %ecx, %gs")
BOTH(syscall, "syscall") BOTH(swapgs, ".byte 0x0F, 0x01, 0xF8")
BOTH(lldt, "lldt %cx") BOTH(ltr, "ltr %cx")
WORLD64_FRAGMENT(64, ud2, "ud2")
WORLD64_FRAGMENT(64, sysretl, "sysretl") WORLD64_FRAGMENT(64, sysretq, ".byte 0x48, 0x0F, 0x07")
WORLD64_FRAGMENT(64, landing, ".globl landed64\nlanded64:\nint $0x70")
WORLD64_FRAGMENT(64, landing_cstar, ".globl landed_cstar\nlanded_cstar:\nint $0x73")
extern const char landed64[], landed_cstar[];

static const struct world64_event *e;
static unsigned cases, wrong;
static uint8_t ist_stack[256] __attribute__((aligned(16)));

static void set_pointer(unsigned doubleword, uint64_t value)
{
    world64_tss[doubleword] = (uint32_t)value;
    world64_tss[doubleword + 1] = (uint32_t)(value >> 32);
}

static uint64_t get_pointer(unsigned doubleword)
{
    return world64_tss[doubleword] | (uint64_t)world64_tss[doubleword + 1] << 32;
}

static void show(const char *what, uint64_t vector, uint64_t error)
{
    guest_print("# %s: vector %u, error code %llx, want %u, %llx; cs %llx ss %llx rsp %llx", what, (unsigned)e->vector,
                (unsigned long long)e->error, (unsigned)vector, (unsigned long long)error, (unsigned long long)e->cs,
                (unsigned long long)e->ss, (unsigned long long)e->rsp);
}

/* ---- INT n through every gate ----------------------------------------------------------------------------------- */

struct subject {
    bool wide, present, conforming, target_present, trap, ist;
    unsigned kind, dpl, cpl, target_dpl;
};

struct want {
    unsigned vector;
    uint32_t error;
    unsigned cpl;
};

/*
 * Code that is not of 64 bits: APM2 4.8.4 says that call gates report its selector, interrupt and trap gates the
 * vector. The latter stands nowhere else: all else that is wrong with the target is reported with the selector, Bochs
 * went over from the vector to it, VirtualBox gives it, and so it is asked here.
 */
static struct want gate_rule(const struct subject *s)
{
    if (s->dpl < s->cpl)
        return (struct want){ EXC_GP, IDT_ERROR(VECTOR), 0 };
    if (!s->present)
        return (struct want){ EXC_NP, IDT_ERROR(VECTOR), 0 };
    if (s->kind != WORLD64_IS_CODE64 || s->target_dpl > s->cpl)
        return (struct want){ EXC_GP, TARGET, 0 };
    if (!s->target_present)
        return (struct want){ EXC_NP, TARGET, 0 };
    return (struct want){ LANDED, 0, s->conforming ? s->cpl : s->target_dpl };
}

static bool landed_right(const struct subject *s, const struct world64_state *state, unsigned cpl)
{
    bool inner = cpl < s->cpl;
    uint64_t top = s->ist ? get_pointer(TSS64_IST(2)) : inner ? get_pointer(TSS64_RSP(cpl)) : state->rsp;
    const uint64_t frame[5] = { (uintptr_t)(s->wide ? next_int_n_64 : next_int_n_32), state->cs, state->rflags,
                                state->rsp, state->ss };
    uint64_t cleared = RFLAGS_NT | RFLAGS_TF | RFLAGS_RF | (s->trap ? 0 : RFLAGS_IF);
    bool right = e->rsp == (top & ~15ull) - 40 && e->cs == (TARGET | cpl) && e->ss == (inner ? cpl : state->ss) &&
                 e->rflags == (state->rflags & ~cleared);

    for (unsigned i = 0; i < 5 && right; i++) /* whether INT n pushes RF is left open */
        right = ((((const uint64_t *)e->rsp)[i] ^ frame[i]) & ~(i == 2 ? RFLAGS_RF : 0)) == 0;
    return right;
}

static void gate(const struct subject *s)
{
    struct world64_state state = world64_state_at(s->wide ? at_int_n_64 : at_int_n_32, s->wide, s->cpl);
    struct want want = gate_rule(s);
    bool right;

    world64_gate(&world64_idt[2 * VECTOR], TARGET | 3, (uintptr_t)landed64,
                 (s->trap ? TRAP_GATE : INTERRUPT_GATE) | s->dpl << 5 | (s->present ? P : 0), s->ist ? 2 : 0);
    world64_gdt[TARGET / 8] = world64_target(s->kind, s->conforming, s->target_present, s->target_dpl);
    state.rsp += 4; /* aligned to 4 alone */
    state.rflags |= RFLAGS_IF | RFLAGS_NT | RFLAGS_TF | RFLAGS_RF | 0x40000 | 0x8D5;
    e = world64_run(&state);
    cases++;
    right = e->vector == want.vector && e->error == want.error;
    if (right && want.vector == LANDED)
        right = landed_right(s, &state, want.cpl);
    else if (right)
        right = e->rip == state.rip && e->rsp == state.rsp && e->cs == state.cs && e->ss == state.ss;
    if (!right && wrong++ < 3) {
        guest_print("# %u bits, CPL %u, gate P%u DPL %u trap%u ist%u, to kind %u conforming%u P%u DPL %u",
                    s->wide ? 64 : 32, s->cpl, s->present, s->dpl, s->trap, s->ist, s->kind, s->conforming,
                    s->target_present, s->target_dpl);
        show("INT n", want.vector, want.error);
    }
}

static void gates(bool wide, bool trap, bool ist)
{
    struct subject s = { .wide = wide, .trap = trap, .ist = ist };

    cases = wrong = 0;
    for (unsigned n = 0; n < 1u << 11; n++) {
        s.present = n & 1;
        s.conforming = n & 2;
        s.target_present = n & 4;
        s.kind = n >> 3 & 3;
        s.dpl = n >> 5 & 3;
        s.cpl = n >> 7 & 3;
        s.target_dpl = n >> 9 & 3;
        gate(&s);
    }
    check_format(wrong == 0, "INT n from %u-bit mode, %s gate%s: %u cases", wide ? 64 : 32, trap ? "trap" : "interrupt",
                 ist ? " with IST" : "", cases);
}

/* INT n has cleared RF by itself before its handler begins; a fault comes with RF as it was. */
static void resume_flag(void)
{
    struct world64_state state = world64_state_at(at_ud2, true, 3);
    uint64_t armed = 0x401, off = 0x400;

    world64_gate(&world64_idt[2 * EXC_UD], WORLD64_CODE64, (uintptr_t)landed64, P | INTERRUPT_GATE, 0);
    state.rflags |= RFLAGS_RF;
    __asm__ volatile("mov %0, %%dr0\nmov %1, %%dr7" : : "r"(landed64), "r"(armed));
    e = world64_run(&state);
    __asm__ volatile("mov %0, %%dr7" : : "r"(off));
    check(e->vector == EXC_DB && e->rip == (uintptr_t)landed64,
          "a handler begins with RF = 0: a breakpoint there comes");
    world64_reset();
}

/* ---- Defects of IDT, gate, stack -------------------------------------------------------------------------------- */

static void raises(const char *code, unsigned cpl, unsigned vector, uint64_t error, const char *what)
{
    struct world64_state state = world64_state_at(code, true, cpl);

    e = world64_run(&state);
    check_format(e->vector == vector && e->error == error, "%s: vector %u, error code %llx", what, vector,
                 (unsigned long long)error);
    if (e->vector != vector || e->error != error)
        show(what, vector, error);
}

static uint64_t *good_gate(uint16_t selector, unsigned ist)
{
    world64_gate(&world64_idt[2 * VECTOR], selector, (uintptr_t)landed64, P | 3 << 5 | INTERRUPT_GATE, ist);
    return &world64_idt[2 * VECTOR];
}

static void defects(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) whole = { sizeof(world64_idt) - 1, (uintptr_t)world64_idt },
                              cut = { sizeof(world64_idt) - 2, (uintptr_t)world64_idt };
    bool right = true;

    for (unsigned type = 0; type < 32; type++) {
        struct world64_state state = world64_state_at(at_int_n_64, true, 0);
        bool is_gate = type == INTERRUPT_GATE || type == TRAP_GATE;

        world64_gate(&world64_idt[2 * VECTOR], WORLD64_CODE64, (uintptr_t)landed64, P | 3 << 5 | type, 0);
        e = world64_run(&state);
        if (is_gate ? e->vector != LANDED : e->vector != EXC_GP || e->error != IDT_ERROR(VECTOR)) {
            show("type", type, 0);
            right = false;
        }
    }
    check(right, "types Eh and Fh alone are gates of the IDT");
    right = true;
    for (unsigned b = 32; b < 64; b++) { /* APM2 4.8.4, figure 4-24 */
        struct world64_state state = world64_state_at(at_int_n_64, true, 3);

        good_gate(WORLD64_CODE64, 0)[1] |= 1ull << b;
        right &= world64_run(&state)->vector == LANDED;
    }
    check(right, "the last doubleword of a gate of the IDT is ignored, with what were S and type too");
    good_gate(0, 0);
    raises(at_int_n_64, 3, EXC_GP, 0, "a null selector");
    good_gate(BEYOND, 0);
    raises(at_int_n_64, 3, EXC_GP, BEYOND, "a selector beyond the GDT");
    good_gate(WORLD64_TSS, 0);
    raises(at_int_n_64, 3, EXC_GP, WORLD64_TSS, "the selector of a TSS");
    world64_gate(&world64_idt[2 * VECTOR], WORLD64_CODE64, NON_CANONICAL, P | 3 << 5 | INTERRUPT_GATE, 0);
    raises(at_int_n_64, 3, EXC_GP, 0, "an offset that is not canonical");
    good_gate(WORLD64_CODE64, 0);
    set_pointer(TSS64_RSP(0), NON_CANONICAL + 64);
    raises(at_int_n_64, 3, EXC_SS, 0, "RSP0 not canonical");
    raises(at_int_n_64, 0, LANDED, 0, "at CPL 0 it does not matter");
    good_gate(WORLD64_CODE64, 3);
    set_pointer(TSS64_IST(3), NON_CANONICAL + 64);
    raises(at_int_n_64, 0, EXC_SS, 0, "IST3 not canonical");
    world64_reset();
    idt_load(&cut);
    raises(at_int_last_64, 0, EXC_GP, IDT_ERROR(0xFF), "a gate whose last byte is beyond the IDT");
    idt_load(&whole);
    raises(at_int_last_64, 3, 0xFF, 0, "and one that ends with it");
}

/* ---- LLDT and LTR ----------------------------------------------------------------------------------------------- */

static void system_descriptor(uint16_t selector, unsigned access, uint64_t base)
{
    world64_gdt[selector / 8] = world64_segment((uint32_t)base, 0xFFF, access, 0);
    world64_gdt[selector / 8 + 1] = base >> 32;
}

static void load(const char *code, uint16_t selector, unsigned vector, uint64_t error, const char *what)
{
    bool wide = code == at_lldt_64 || code == at_ltr_64;
    struct world64_state state = world64_state_at(code, wide, 0);

    state.rcx = selector;
    e = world64_run(&state);
    check_format(e->vector == vector && e->error == error, "%s%s: vector %u, error code %llx", what,
                 wide ? "" : " in compatibility mode", vector, (unsigned long long)error);
    if (e->vector != vector || e->error != error)
        show(what, vector, error);
}

static void types(const char *code, bool wide, unsigned good, const char *what)
{
    unsigned bad = 0;

    for (unsigned n = 0; n < 64; n++) {
        unsigned type = n & 31, want = type != good ? EXC_GP : n & 32 ? WORLD64_PASSED : EXC_NP;
        struct world64_state state = world64_state_at(code, wide, 0);

        world64_reset();
        system_descriptor(SYSTEM, type | (n & 32 ? P : 0), (uintptr_t)world64_tss);
        state.rcx = SYSTEM;
        e = world64_run(&state);
        if (e->vector != want || (want != WORLD64_PASSED && e->error != SYSTEM)) {
            show(what, want, SYSTEM);
            bad++;
        }
    }
    check_format(bad == 0, "%s in %u-bit mode takes type %x alone, present or #NP", what, wide ? 64 : 32, good);
}

/* There system descriptors have 8 bytes (APM2 4.8.5): what follows, here no canonical base, is not looked at. */
static void compatibility_loads(void)
{
    struct world64_state state = world64_state_at(at_mov_ds_64, true, 0);

    world64_reset();
    world64_ldt[2] = world64_segment(0, 0xFFFFFFFF, 0x93, 0xC);
    system_descriptor(SYSTEM, P | 2, (uintptr_t)world64_ldt);
    world64_gdt[SYSTEM / 8 + 1] = ~0ull;
    load(at_lldt_32, SYSTEM, WORLD64_PASSED, 0, "LLDT of 8 bytes");
    state.rcx = 0x14;
    e = world64_run(&state);
    check(e->vector == WORLD64_PASSED && e->ds == 0x14, "and the LDT lies where they say");
    world64_gdt[LAST / 8] = world64_gdt[SYSTEM / 8];
    load(at_lldt_32, LAST, WORLD64_PASSED, 0, "LLDT of the GDT's last entry");
    world64_gdt[SYSTEM / 8] = world64_gdt[WORLD64_TSS / 8] & ~(2ull << 40); /* not busy */
    load(at_ltr_32, SYSTEM, WORLD64_PASSED, 0, "LTR of 8 bytes"); /* and IST1 of the right TSS leads here */
    check_equal(world64_gdt[SYSTEM / 8] >> 40 & 0x1F, 0xB, "which makes the TSS busy");
    load(at_ltr_32, SYSTEM, EXC_GP, SYSTEM, "LTR of a busy TSS");
    load(at_ltr_32, 0, EXC_GP, 0, "LTR of null");
    load(at_lldt_32, 0, WORLD64_PASSED, 0, "LLDT of null");
    load(at_ltr_32, BEYOND, EXC_GP, BEYOND, "LTR beyond the GDT");
    load(at_lldt_32, BEYOND, EXC_GP, BEYOND, "LLDT beyond the GDT");
    world64_reset();
}

static void system_loads(void)
{
    for (unsigned n = 0; n < 2; n++) {
        types(n ? at_lldt_32 : at_lldt_64, !n, 2, "LLDT");
        types(n ? at_ltr_32 : at_ltr_64, !n, 9, "LTR");
    }
    world64_reset();
    system_descriptor(SYSTEM, P | 9, (uintptr_t)world64_tss);
    load(at_ltr_64, SYSTEM, WORLD64_PASSED, 0, "LTR");
    check_equal(world64_gdt[SYSTEM / 8] >> 40 & 0x1F, 0xB, "LTR makes the TSS busy");
    load(at_ltr_64, SYSTEM, EXC_GP, SYSTEM, "LTR of a busy TSS");
    load(at_ltr_64, 0, EXC_GP, 0, "LTR of null");
    world64_ldt[2] = world64_gdt[WORLD64_LDT / 8];
    load(at_lldt_64, 0x14, EXC_GP, 0x14, "LLDT of an LDT that the LDT describes");
    world64_ldt[2] = world64_segment((uintptr_t)world64_tss, 0xFFF, P | 9, 0);
    load(at_ltr_64, 0x14, EXC_GP, 0x14, "LTR of a TSS that the LDT describes");
    load(at_lldt_64, 0, WORLD64_PASSED, 0, "LLDT of null");
    load(at_lldt_64, BEYOND, EXC_GP, BEYOND, "LLDT beyond the GDT");
    load(at_ltr_64, BEYOND, EXC_GP, BEYOND, "LTR beyond the GDT");
    for (unsigned n = 0; n < 2; n++) {
        const char *code = n ? at_ltr_64 : at_lldt_64;
        unsigned access = P | (n ? 9 : 2);

        system_descriptor(SYSTEM, access, NON_CANONICAL);
        load(code, SYSTEM, EXC_GP, SYSTEM, n ? "LTR, base not canonical" : "LLDT, base not canonical");
        system_descriptor(SYSTEM, access, (uintptr_t)world64_tss);
        world64_gdt[SYSTEM / 8 + 1] |= 1ull << 40;
        load(code, SYSTEM, EXC_GP, SYSTEM, n ? "LTR, upper half with a type" : "LLDT, upper half with a type");
        world64_gdt[LAST / 8] = world64_gdt[SYSTEM / 8];
        load(code, LAST, EXC_GP, LAST, n ? "LTR, upper half beyond the GDT" : "LLDT, upper half beyond the GDT");
    }
    world64_reset();
}

/* ---- Null selectors --------------------------------------------------------------------------------------------- */

/* Its RPL must be CPL, as of any other (APM2 4.10.2). */
static void null_stack(bool wide, unsigned cpl)
{
    struct world64_state state = world64_state_at(wide ? at_mov_ss_64 : at_mov_ss_32, wide, cpl);
    unsigned want = wide && cpl < 3 ? WORLD64_PASSED : EXC_GP;
    bool right = true;

    for (unsigned rpl = 0; rpl < 4; rpl++) {
        state.rcx = rpl;
        e = world64_run(&state);
        right &= e->error == 0 && (want == EXC_GP || rpl != cpl ? e->vector == EXC_GP && e->ss == state.ss :
                                   e->vector == want && e->ss == cpl);
    }
    check_format(right, "MOV SS, null with RPL %u in %u-bit mode at CPL %u: vector %u, with another 13", cpl,
                 wide ? 64 : 32, cpl, want);
}

static void null_data(const char *code, uint32_t base_msr, const char *what)
{
    struct world64_state state = world64_state_at(code, true, 3);

    msr_write(base_msr, 0x123456789ABCull);
    for (uint64_t rpl = 0; rpl < 4; rpl++) {
        state.rcx = rpl;
        e = world64_run(&state);
        check_format(e->vector == WORLD64_PASSED, "%s of null with RPL %u at CPL 3", what, (unsigned)rpl);
    }
}

static void null_selectors(void)
{
    struct world64_state state;

    for (unsigned n = 0; n < 8; n++)
        null_stack(n & 4, n & 3);
    null_data(at_mov_ds_64, MSR_FS_BASE, "MOV DS");
    null_data(at_mov_fs_64, MSR_FS_BASE, "MOV FS");
    null_data(at_mov_gs_64, MSR_GS_BASE, "MOV GS");
    /* Entering through IRETQ loads them with selectors; at CPL 0 they are null before and after. */
    state = world64_state_at(at_mov_fs_64, true, 0);
    state.fs = state.gs = 0;
    msr_write(MSR_FS_BASE, 0x123456789ABCull);
    e = world64_run(&state);
    check_equal(msr_read(MSR_FS_BASE), 0x123456789ABCull, "a null FS leaves its base");
    state.rip = (uintptr_t)at_mov_gs_64;
    msr_write(MSR_GS_BASE, 0xFFFF812345678000ull);
    e = world64_run(&state);
    check_equal(msr_read(MSR_GS_BASE), 0xFFFF812345678000ull, "a null GS leaves its base");
    world64_gdt[TARGET / 8] = world64_segment(0xFEDCBA98, 0xFFFFFFFF, 0x93, 0xC);
    state.rcx = TARGET;
    e = world64_run(&state);
    check_equal(msr_read(MSR_GS_BASE), 0xFEDCBA98, "a descriptor gives 32 bits of base and clears the rest");
    state = world64_state_at(at_swapgs_64, true, 3);
    e = world64_run(&state);
    check(e->vector == EXC_GP && !e->error, "SWAPGS at CPL 3 is #GP(0)");
    state = world64_state_at(at_swapgs_32, false, 0);
    e = world64_run(&state);
    check(e->vector == EXC_UD, "SWAPGS in compatibility mode is #UD");
}

/* ---- SYSCALL and SYSRET ------------------------------------------------------------------------------------------ */

/* Selectors that name nothing in the GDT: the descriptors are not looked at. */
#define SYSCALL_CS 0x408u
#define SYSRET_CS 0x503u

static void syscall_from(bool wide, unsigned cpl)
{
    struct world64_state state = world64_state_at(wide ? at_syscall_64 : at_syscall_32, wide, cpl);
    uint64_t next = (uintptr_t)(wide ? next_syscall_64 : next_syscall_32);

    state.rflags |= 0xCD5 | RFLAGS_NT | RFLAGS_IF;
    e = world64_run(&state);
    check_format(e->vector == (wide ? LANDED : LANDED_CSTAR) && e->cs == SYSCALL_CS && e->ss == SYSCALL_CS + 8 &&
                 e->rsp == state.rsp, "SYSCALL from %u-bit mode, CPL %u: %cSTAR, CS and SS of STAR, no stack",
                 wide ? 64 : 32, cpl, wide ? 'L' : 'C');
    check_format(e->rcx == next && e->r11 == state.rflags && e->rflags == (state.rflags & ~(RFLAGS_IF | 0x400)),
                 "rCX, R11 and SFMASK");
}

static void sysret_to(bool wide)
{
    struct world64_state state = world64_state_at(wide ? at_sysretq : at_sysretl, true, 0);

    state.rcx = (uintptr_t)landed64;
    state.r11 = 0xCD5 | RFLAGS_NT | 0x10002;
    e = world64_run(&state);
    check_format(e->vector == LANDED && e->cs == (wide ? SYSRET_CS + 16 : SYSRET_CS) && e->ss == SYSRET_CS + 8 &&
                 e->rsp == state.rsp, "SYSRET to %u-bit mode: CS and SS of STAR", wide ? 64 : 32);
    check_equal(e->rflags, (state.r11 & ~RFLAGS_RF) | 2, "flags from R11, RF clear");
}

static void system_calls(void)
{
    msr_write(MSR_EFER, msr_read(MSR_EFER) | 1);
    msr_write(MSR_STAR, (uint64_t)SYSRET_CS << 48 | (uint64_t)SYSCALL_CS << 32);
    msr_write(MSR_LSTAR, (uintptr_t)landed64);
    msr_write(MSR_CSTAR, (uintptr_t)landed_cstar);
    msr_write(MSR_SFMASK, RFLAGS_IF | 0x400);
    syscall_from(true, 3);
    syscall_from(false, 3);
    syscall_from(true, 0);
    sysret_to(true);
    sysret_to(false);
}

void guest_main(void)
{
    world64_begin();
    set_pointer(TSS64_IST(2), (uintptr_t)ist_stack + sizeof(ist_stack) - 7);
    for (unsigned cpl = 0; cpl < 3; cpl++) /* aligned to nothing, 4 and 8 */
        set_pointer(TSS64_RSP(cpl), get_pointer(TSS64_RSP(cpl)) - (1u << (cpl ? cpl + 1 : 0)));
    for (unsigned n = 0; n < 8; n++)
        gates(n & 1, n & 2, n & 4);
    world64_reset();
    resume_flag();
    defects();
    system_loads();
    compatibility_loads();
    null_selectors();
    system_calls();
    check_end();
}
