/* SPDX-License-Identifier: MIT */
/*
 * Virtual-8086 mode (APM2 8.8, 12.2.4), its extensions (CR4.VME, APM2 8.10.1) and protected-mode virtual interrupts
 * (CR4.PVI, APM2 8.10.2): what instructions that mind IF do, what is refused, how an event leaves the mode.
 *
 * A monitor relies on #GP(0) where it must act for its program, and on VIF where it need not. QEMU has neither VME
 * nor PVI.
 *
 * A row puts 16-bit code, with a UD2 behind it, at 70000h, enters with its VME, IOPL and flags, and compares the
 * first event: vector, error code, rIP, flags, and what was pushed. #UD at the UD2: all has run.
 *
 * At IOPL 3 CLI, STI, PUSHF, POPF, INT n and IRET work as in real mode. Below it they are #GP(0) without VME; with
 * VME their 16-bit forms work on VIF: PUSHF shows IOPL 3 and VIF as IF, a TF or an IF=1 under VIP is #GP(0), and so
 * are the 32-bit forms. With VME INT n goes by the redirection bitmap of the TSS: bit 0 to the program's own vector
 * table, bit 1 to the monitor (#GP(0) below IOPL 3, else the IDT). INT3 and INTO are no INT n. System instructions
 * are #GP(0), but SMSW and SGDT run; those of protected mode alone are #UD. I/O goes by the I/O permission bitmap
 * whatever IOPL is.
 *
 * An event leaves 9 doublewords on ESP0 and null data segments. INT n to the IDT needs a gate of DPL 3 and a
 * non-conforming handler of DPL 0, else #GP names the one at fault. PVI, at CPL 3 below IOPL 3: CLI and STI work on
 * VIF, STI under VIP is #GP, PUSHF shows IF, POPF changes neither; elsewhere PVI makes no difference.
 *
 * workloads/tests/paging-modes runs it on hv.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/world32.h"

#define CR4_VME 1u
#define CR4_PVI 2u
#define HANDLER 0x100u      /* of the program's own vector 21h: its offset */
#define SP 0x800u
#define SEGMENT (WORLD_V86_CODE >> 4)
#define LOOKED_AT (RFLAGS_TF | RFLAGS_IF | RFLAGS_IOPL(3) | RFLAGS_NT | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP)
#define PASSES EXC_UD       /* a UD2 follows every program */
#define BYTES(text) .code = text, .size = sizeof(text) - 1

/* 16-bit code. Words that programs push, low byte first. */
#define CLI "\xFA"
#define STI "\xFB"
#define PUSHF "\x9C"
#define PUSHFD "\x66\x9C"
#define POPF(flags) "\x68" flags "\x9D"
#define POPFD(flags) "\x66\x68" flags "\0\0" "\x66\x9D"
#define INT21 "\xCD\x21"
#define IRET(flags) "\x68" flags "\x68\x00\x70\x68\x0A\x00\xCF"   /* to the UD2 behind it, at 0Ah */
#define IRETD(flags) "\x66\x68" flags "\0\0\x66\x68\x00\x70\0\0\x66\x68\x14\0\0\0\x66\xCF"
#define WORD_IF "\x02\x02"
#define WORD_NONE "\x02\x00"
#define WORD_TF "\x02\x01"

static const struct row {
    const char *what;
    const char *code;
    unsigned size;
    bool vme, redirect_to_monitor;
    unsigned iopl;
    uint32_t flags;         /* set at the start, beyond VM and IOPL */
    unsigned vector;
    uint32_t error, ip;     /* where the event is */
    uint32_t then;          /* flags among LOOKED_AT, VM and IOPL aside, when it comes */
    uint32_t pushed;        /* the word at SP-2, unless 0 */
    uint32_t wide;          /* the doubleword at SP-4, unless 0 */
} rows[] = {
    /* IOPL 3: as in real mode, with and without VME. */
    { "CLI", BYTES(CLI), .iopl = 3, .flags = RFLAGS_IF, .vector = PASSES, .ip = 1 },
    { "STI", BYTES(STI), .iopl = 3, .vector = PASSES, .ip = 1, .then = RFLAGS_IF },
    { "PUSHF", BYTES(PUSHF), .iopl = 3, .vector = PASSES, .ip = 1, .pushed = 0x3002 },
    { "PUSHFD", BYTES(PUSHFD), .iopl = 3, .vector = PASSES, .ip = 2, .wide = 0x3002 },
    { "POPF with IF", BYTES(POPF(WORD_IF)), .iopl = 3, .vector = PASSES, .ip = 4, .then = RFLAGS_IF },
    { "POPFD with IF", BYTES(POPFD(WORD_IF)), .iopl = 3, .vector = PASSES, .ip = 8, .then = RFLAGS_IF },
    { "IRET with IF", BYTES(IRET(WORD_IF)), .iopl = 3, .vector = PASSES, .ip = 10, .then = RFLAGS_IF },
    { "IRETD with IF", BYTES(IRETD(WORD_IF)), .iopl = 3, .vector = PASSES, .ip = 0x14, .then = RFLAGS_IF },
    { "INT n", BYTES(INT21), .iopl = 3, .vector = 0x21, .ip = 2 },
    { "CLI", BYTES(CLI), .vme = true, .iopl = 3, .flags = RFLAGS_IF | RFLAGS_VIF, .vector = PASSES, .ip = 1,
      .then = RFLAGS_VIF },
    { "STI under VIP", BYTES(STI), .vme = true, .iopl = 3, .flags = RFLAGS_VIP, .vector = PASSES, .ip = 1,
      .then = RFLAGS_IF | RFLAGS_VIP },
    { "PUSHF", BYTES(PUSHF), .vme = true, .iopl = 3, .flags = RFLAGS_VIF, .vector = PASSES, .ip = 1,
      .then = RFLAGS_VIF, .pushed = 0x3002 },
    { "POPF with IF", BYTES(POPF(WORD_IF)), .vme = true, .iopl = 3, .vector = PASSES, .ip = 4, .then = RFLAGS_IF },
    { "PUSHFD", BYTES(PUSHFD), .vme = true, .iopl = 3, .flags = RFLAGS_VIF, .vector = PASSES, .ip = 2,
      .then = RFLAGS_VIF, .wide = RFLAGS_VIF | 0x3002 },
    { "POPFD with IF", BYTES(POPFD(WORD_IF)), .vme = true, .iopl = 3, .vector = PASSES, .ip = 8, .then = RFLAGS_IF },
    { "IRET with IF", BYTES(IRET(WORD_IF)), .vme = true, .iopl = 3, .vector = PASSES, .ip = 10, .then = RFLAGS_IF },
    { "IRETD with IF", BYTES(IRETD(WORD_IF)), .vme = true, .iopl = 3, .vector = PASSES, .ip = 0x14,
      .then = RFLAGS_IF },
    { "INT n to the program", BYTES(INT21), .vme = true, .iopl = 3, .flags = RFLAGS_IF, .vector = PASSES,
      .ip = HANDLER, .pushed = 0x3202 },
    { "INT n to the monitor", BYTES(INT21), .vme = true, .redirect_to_monitor = true, .iopl = 3, .flags = RFLAGS_IF,
      .vector = 0x21, .ip = 2, .then = RFLAGS_IF },
    /* IOPL < 3 without VME: #GP(0). */
    { "CLI", BYTES(CLI), .iopl = 2, .vector = EXC_GP },
    { "STI", BYTES(STI), .iopl = 2, .vector = EXC_GP },
    { "PUSHF", BYTES(PUSHF), .iopl = 2, .vector = EXC_GP },
    { "PUSHFD", BYTES(PUSHFD), .iopl = 2, .vector = EXC_GP },
    { "POPF", BYTES(POPF(WORD_NONE)), .iopl = 2, .vector = EXC_GP, .ip = 3 },
    { "POPFD", BYTES(POPFD(WORD_NONE)), .iopl = 2, .vector = EXC_GP, .ip = 6 },
    { "IRET", BYTES(IRET(WORD_NONE)), .iopl = 2, .vector = EXC_GP, .ip = 9 },
    { "IRETD", BYTES(IRETD(WORD_NONE)), .iopl = 2, .vector = EXC_GP, .ip = 0x12 },
    { "INT n", BYTES(INT21), .iopl = 2, .vector = EXC_GP },
    { "INT n", BYTES(INT21), .iopl = 1, .vector = EXC_GP },
    { "STI", BYTES(STI), .iopl = 1, .vector = EXC_GP },
    { "CLI", BYTES(CLI), .iopl = 0, .vector = EXC_GP },
    /* IOPL < 3 with VME: VIF. */
    { "CLI", BYTES(CLI), .vme = true, .flags = RFLAGS_IF | RFLAGS_VIF, .vector = PASSES, .ip = 1,
      .then = RFLAGS_IF },
    { "STI", BYTES(STI), .vme = true, .vector = PASSES, .ip = 1, .then = RFLAGS_VIF },
    { "STI, IOPL 2", BYTES(STI), .vme = true, .iopl = 2, .vector = PASSES, .ip = 1, .then = RFLAGS_VIF },
    { "STI, IOPL 1", BYTES(STI), .vme = true, .iopl = 1, .vector = PASSES, .ip = 1, .then = RFLAGS_VIF },
    { "PUSHF, IOPL 1", BYTES(PUSHF), .vme = true, .iopl = 1, .flags = RFLAGS_VIF, .vector = PASSES, .ip = 1,
      .then = RFLAGS_VIF, .pushed = 0x3202 },
    { "STI under VIP", BYTES(STI), .vme = true, .flags = RFLAGS_VIP, .vector = EXC_GP, .then = RFLAGS_VIP },
    { "CLI under VIP", BYTES(CLI), .vme = true, .flags = RFLAGS_VIP, .vector = PASSES, .ip = 1,
      .then = RFLAGS_VIP },
    { "PUSHF, VIF 1", BYTES(PUSHF), .vme = true, .flags = RFLAGS_VIF, .vector = PASSES, .ip = 1,
      .then = RFLAGS_VIF, .pushed = 0x3202 },
    { "PUSHF, VIF 0, IF 1", BYTES(PUSHF), .vme = true, .flags = RFLAGS_IF, .vector = PASSES, .ip = 1,
      .then = RFLAGS_IF, .pushed = 0x3002 },
    { "PUSHFD", BYTES(PUSHFD), .vme = true, .vector = EXC_GP },
    { "POPF with IF", BYTES(POPF(WORD_IF)), .vme = true, .vector = PASSES, .ip = 4, .then = RFLAGS_VIF },
    { "POPF without IF", BYTES(POPF(WORD_NONE)), .vme = true, .flags = RFLAGS_IF | RFLAGS_VIF, .vector = PASSES,
      .ip = 4, .then = RFLAGS_IF },
    { "POPF with IF under VIP", BYTES(POPF(WORD_IF)), .vme = true, .flags = RFLAGS_VIP, .vector = EXC_GP, .ip = 3,
      .then = RFLAGS_VIP },
    { "POPF without IF under VIP", BYTES(POPF(WORD_NONE)), .vme = true, .flags = RFLAGS_VIP, .vector = PASSES,
      .ip = 4, .then = RFLAGS_VIP },
    { "POPF with TF", BYTES(POPF(WORD_TF)), .vme = true, .vector = EXC_GP, .ip = 3 },
    { "POPFD", BYTES(POPFD(WORD_NONE)), .vme = true, .vector = EXC_GP, .ip = 6 },
    { "IRET with IF", BYTES(IRET(WORD_IF)), .vme = true, .vector = PASSES, .ip = 10, .then = RFLAGS_VIF },
    { "IRET without IF", BYTES(IRET(WORD_NONE)), .vme = true, .flags = RFLAGS_VIF, .vector = PASSES, .ip = 10 },
    { "IRET with IF under VIP", BYTES(IRET(WORD_IF)), .vme = true, .flags = RFLAGS_VIP, .vector = EXC_GP, .ip = 9,
      .then = RFLAGS_VIP },
    { "IRET with TF", BYTES(IRET(WORD_TF)), .vme = true, .vector = EXC_GP, .ip = 9 },
    { "IRETD", BYTES(IRETD(WORD_NONE)), .vme = true, .vector = EXC_GP, .ip = 0x12 },
    { "INT n to the program, VIF 1", BYTES(INT21), .vme = true, .flags = RFLAGS_VIF, .vector = PASSES, .ip = HANDLER,
      .pushed = 0x3202 },
    { "INT n to the program, VIF 0, IF 1", BYTES(INT21), .vme = true, .flags = RFLAGS_IF, .vector = PASSES,
      .ip = HANDLER, .then = RFLAGS_IF, .pushed = 0x3002 },
    { "INT n to the monitor", BYTES(INT21), .vme = true, .redirect_to_monitor = true, .vector = EXC_GP },
    /* INT3 and INTO are no INT n: IOPL, VME and the bitmap do not matter. */
    { "INT3", BYTES("\xCC"), .iopl = 0, .vector = EXC_BP, .ip = 1 },
    { "INT3", BYTES("\xCC"), .vme = true, .iopl = 0, .vector = EXC_BP, .ip = 1 },
    { "INTO with OF", BYTES("\xCE"), .iopl = 0, .flags = 0x800, .vector = EXC_OF, .ip = 1 },
    { "INTO with OF", BYTES("\xCE"), .vme = true, .iopl = 0, .flags = 0x800, .vector = EXC_OF, .ip = 1 },
    /* System instructions: CPL is 3. */
    { "HLT", BYTES("\xF4"), .iopl = 3, .vector = EXC_GP },
    { "CLTS", BYTES("\x0F\x06"), .iopl = 3, .vector = EXC_GP },
    { "MOV to CR0", BYTES("\x0F\x22\xC0"), .iopl = 3, .vector = EXC_GP },
    { "MOV from CR0", BYTES("\x0F\x20\xC0"), .iopl = 3, .vector = EXC_GP },
    { "MOV to DR0", BYTES("\x0F\x23\xC0"), .iopl = 3, .vector = EXC_GP },
    { "LGDT", BYTES("\x0F\x01\x16\x00\x00"), .iopl = 3, .vector = EXC_GP },
    { "LIDT", BYTES("\x0F\x01\x1E\x00\x00"), .iopl = 3, .vector = EXC_GP },
    { "LMSW", BYTES("\x0F\x01\xF0"), .iopl = 3, .vector = EXC_GP },
    { "INVLPG", BYTES("\x0F\x01\x3E\x00\x00"), .iopl = 3, .vector = EXC_GP },
    { "RDMSR", BYTES("\x0F\x32"), .iopl = 3, .vector = EXC_GP },
    { "WBINVD", BYTES("\x0F\x09"), .iopl = 3, .vector = EXC_GP },
    { "SMSW", BYTES("\x0F\x01\xE0"), .iopl = 3, .vector = PASSES, .ip = 3 },
    { "SGDT", BYTES("\x0F\x01\x06\x00\x04"), .iopl = 0, .vector = PASSES, .ip = 5 },
    { "SLDT", BYTES("\x0F\x00\xC0"), .iopl = 3, .vector = EXC_UD },
    { "STR", BYTES("\x0F\x00\xC8"), .iopl = 3, .vector = EXC_UD },
    { "LLDT", BYTES("\x0F\x00\xD0"), .iopl = 3, .vector = EXC_UD },
    { "LTR", BYTES("\x0F\x00\xD8"), .iopl = 3, .vector = EXC_UD },
    { "VERR", BYTES("\x0F\x00\xE0"), .iopl = 3, .vector = EXC_UD },
    { "VERW", BYTES("\x0F\x00\xE8"), .iopl = 3, .vector = EXC_UD },
    { "LAR", BYTES("\x0F\x02\xC0"), .iopl = 3, .vector = EXC_UD },
    { "LSL", BYTES("\x0F\x03\xC0"), .iopl = 3, .vector = EXC_UD },
    { "ARPL", BYTES("\x63\xC0"), .iopl = 3, .vector = EXC_UD },
    /* I/O by the bitmap: port 80h is open, ports 81h and 82h are closed. */
    { "IN from an open port", BYTES("\xE4\x80"), .iopl = 0, .vector = PASSES, .ip = 2 },
    { "IN from a closed port", BYTES("\xE4\x81"), .iopl = 3, .vector = EXC_GP },
    { "OUT to a closed port", BYTES("\xE6\x81"), .iopl = 3, .vector = EXC_GP },
    { "IN of a word whose second byte is closed", BYTES("\xE5\x80"), .iopl = 3, .vector = EXC_GP },
    { "INSB from a closed port", BYTES("\xBA\x81\x00\x6C"), .iopl = 3, .vector = EXC_GP, .ip = 3 },
};

static void set_cr4(uint32_t bits)
{
    cr4_write((cr4_read() & ~(CR4_VME | CR4_PVI)) | bits);
}

static void load(const char *code, unsigned size)
{
    uint16_t *ivt = (uint16_t *)(4 * 0x21);
    uint8_t *text = (uint8_t *)WORLD_V86_CODE;

    __asm__("" : "+r"(ivt)); /* address 84h is as good as any */
    ivt[0] = HANDLER;
    ivt[1] = SEGMENT;
    memcpy(text, code, size);
    memcpy(text + size, "\x0F\x0B", 2);
    memcpy(text + HANDLER, "\x0F\x0B", 2);
}

static uint16_t stack_word(uint32_t at)
{
    return *(volatile uint16_t *)(WORLD_V86_STACK + at);
}

/* What the program's stack must have: FLAGS, and an INT n to the program pushes CS and IP, too. */
static bool pushed_rightly(const struct row *row)
{
    uint32_t wide = stack_word(SP - 4) | (uint32_t)stack_word(SP - 2) << 16;

    if (row->ip == HANDLER && (stack_word(SP - 4) != SEGMENT || stack_word(SP - 6) != row->size))
        return false;
    return (!row->pushed || stack_word(SP - 2) == row->pushed) && (!row->wide || wide == row->wide);
}

static void run(const struct row *row)
{
    struct world_state state = world_state_v86(row->iopl);
    uint32_t want = row->then | RFLAGS_VM | RFLAGS_IOPL(row->iopl);
    const struct world_event *e;
    bool right;

    world_reset();
    memset((uint8_t *)world_tss + 0x68, row->redirect_to_monitor ? 0xFF : 0, 32);
    ((uint8_t *)world_tss)[WORLD_IOPB + 0x80 / 8] = 0x06;
    set_cr4(row->vme ? CR4_VME : 0);
    load(row->code, row->size);
    memset((uint8_t *)WORLD_V86_STACK + SP - 8, 0xCC, 8);
    state.eflags |= row->flags;
    e = world_run(&state);
    set_cr4(0);
    right = e->vector == row->vector && e->error == row->error && e->eip == row->ip &&
            (e->eflags & LOOKED_AT) == want && pushed_rightly(row);
    check_format(right, "%s, VME %u, IOPL %u: vector %u at %x", row->what, row->vme, row->iopl, row->vector, row->ip);
    if (!right)
        guest_print("# vector %u error %x at %x, flags %x (want %x), pushed %x %x %x (want %x)", e->vector, e->error,
                    e->eip, e->eflags & LOOKED_AT, want, stack_word(SP - 2), stack_word(SP - 4), stack_word(SP - 6),
                    row->pushed | row->wide);
}

/* The frame of an event that leaves virtual-8086 mode, and what the handler finds. */
static void leaving(void)
{
    struct world_state state = world_state_v86(3);
    const struct world_event *e;

    world_reset();
    load(INT21, 2);
    state.v_es = 0x1111;
    state.v_ds = 0x2222;
    state.v_fs = 0x3333;
    state.v_gs = 0x4444;
    e = world_run(&state);
    check(e->vector == 0x21 && (e->v_es & 0xFFFF) == 0x1111 && (e->v_ds & 0xFFFF) == 0x2222 &&
          (e->v_fs & 0xFFFF) == 0x3333 && (e->v_gs & 0xFFFF) == 0x4444, "the frame has GS, FS, DS and ES");
    check(e->esp == SP && (e->ss & 0xFFFF) == WORLD_V86_STACK >> 4 && (e->cs & 0xFFFF) == SEGMENT &&
          e->eip == 2, "and SS:SP, CS:IP");
    check(!((e->gs | e->fs | e->es | e->ds) & 0xFFFF), "in the handler they are null");
    check_equal(e->esp_handler + 8 + 36, (uintptr_t)world_stack0 + sizeof(world_stack0), "9 doublewords on ESP0");
}

static void gates(void)
{
    static const struct {
        const char *what;
        unsigned access;
        uint16_t code;
        uint32_t error;
    } cases[] = {
        { "INT n to a gate of DPL 2", 0xCE, WORLD_CODE0, 0x21 * 8 + 2 },
        { "INT n to a handler of DPL 3", 0xEE, WORLD_CODE(3), WORLD_CODE3 },
        { "INT n to a handler of DPL 1", 0xEE, WORLD_CODE(1), WORLD_CODE1 },
        { "INT n to a conforming handler of DPL 0", 0xEE, WORLD_FREE, WORLD_FREE },
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world_state state = world_state_v86(3);
        const struct world_event *e;

        world_reset();
        load(INT21, 2);
        world_gdt[WORLD_FREE / 8] = world_segment(0, 0xFFFFFFFF, 0x9F, 0xC);
        world_idt[0x21] = world_gate(cases[i].code, world_handler(0x21), cases[i].access, 0);
        e = world_run(&state);
        check_format(e->vector == EXC_GP && e->error == cases[i].error && e->eip == 0, "%s is #GP(%x)", cases[i].what,
                     cases[i].error);
        if (e->vector != EXC_GP || e->error != cases[i].error)
            guest_print("# got vector %u, error code %x", e->vector, e->error);
    }
}

/* ---- Protected-mode virtual interrupts -------------------------------------------------------------------------- */

WORLD_FRAGMENT(cli, "cli") WORLD_FRAGMENT(sti, "sti") WORLD_FRAGMENT(pushf, "pushfl\npopl %eax")
WORLD_FRAGMENT(popf, "pushl $0x202\npopfl") WORLD_FRAGMENT(popf_clear, "pushl $2\npopfl")

static const struct pvi {
    const char *what, *at, *next;
    unsigned cpl, iopl;
    bool pvi;
    uint32_t flags, then;
    bool faults;
    uint32_t eax;           /* unless 0 */
} pvi_rows[] = {
    { "CLI", at_cli, next_cli, .cpl = 3, .pvi = true, .flags = RFLAGS_IF | RFLAGS_VIF, .then = RFLAGS_IF },
    { "STI", at_sti, next_sti, .cpl = 3, .pvi = true, .then = RFLAGS_VIF },
    { "STI under VIP", at_sti, next_sti, .cpl = 3, .pvi = true, .flags = RFLAGS_VIP, .then = RFLAGS_VIP,
      .faults = true },
    { "CLI under VIP", at_cli, next_cli, .cpl = 3, .pvi = true, .flags = RFLAGS_VIP, .then = RFLAGS_VIP },
    { "PUSHF shows IF, not VIF", at_pushf, next_pushf, .cpl = 3, .pvi = true, .flags = RFLAGS_VIF,
      .then = RFLAGS_VIF, .eax = RFLAGS_VIF | 2 },
    { "POPF with IF changes neither", at_popf, next_popf, .cpl = 3, .pvi = true },
    { "POPF without IF changes neither", at_popf_clear, next_popf_clear, .cpl = 3, .pvi = true,
      .flags = RFLAGS_IF | RFLAGS_VIF, .then = RFLAGS_IF | RFLAGS_VIF },
    { "CLI", at_cli, next_cli, .cpl = 3, .iopl = 3, .pvi = true, .flags = RFLAGS_IF | RFLAGS_VIF,
      .then = RFLAGS_VIF },
    { "STI", at_sti, next_sti, .cpl = 3, .iopl = 3, .pvi = true, .then = RFLAGS_IF },
    { "CLI", at_cli, next_cli, .cpl = 3, .faults = true },
    { "STI", at_sti, next_sti, .cpl = 3, .iopl = 2, .faults = true },
    { "POPF with IF leaves it", at_popf, next_popf, .cpl = 3, .iopl = 2 },
    { "STI", at_sti, next_sti, .cpl = 2, .iopl = 1, .pvi = true, .faults = true },
    { "CLI", at_cli, next_cli, .cpl = 1, .iopl = 1, .flags = RFLAGS_IF },
    { "STI", at_sti, next_sti, .cpl = 0, .pvi = true, .then = RFLAGS_IF },
    { "POPF with IF", at_popf, next_popf, .cpl = 2, .iopl = 2, .then = RFLAGS_IF },
};

static void protected(const struct pvi *row)
{
    struct world_state state = world_state_at(row->at, row->cpl);
    uint32_t ip = row->faults ? (uintptr_t)row->at : (uintptr_t)row->next + 2;
    const struct world_event *e;
    bool right;

    world_reset();
    set_cr4(row->pvi ? CR4_PVI : 0);
    state.eflags |= row->flags | RFLAGS_IOPL(row->iopl);
    e = world_run(&state);
    set_cr4(0);
    right = e->vector == (row->faults ? EXC_GP : WORLD_PASSED) && e->error == 0 && e->eip == ip &&
            (e->eflags & (RFLAGS_IF | RFLAGS_VIF | RFLAGS_VIP)) == row->then && (!row->eax || e->eax == row->eax);
    check_format(right, "CPL %u, IOPL %u, PVI %u: %s%s", row->cpl, row->iopl, row->pvi, row->what,
                 row->faults ? " is #GP" : "");
    if (!right)
        guest_print("# vector %u error %x at %x, flags %x, eax %x", e->vector, e->error, e->eip, e->eflags, e->eax);
}

void guest_main(void)
{
    world_begin();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        run(&rows[i]);
    leaving();
    gates();
    for (unsigned i = 0; i < sizeof(pvi_rows) / sizeof(pvi_rows[0]); i++)
        protected(&pvi_rows[i]);
    check_end();
}
