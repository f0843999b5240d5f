/* SPDX-License-Identifier: MIT */
/*
 * The faults of hardware task switches (APM2 12.3, 8.2): vector and error code, and
 * whether it is the old task's, with nothing done, or the new one's, with the switch done.
 *
 * Under shadow paging hv draws this line itself (hv/vm/task_switch.c). QEMU leaves EXT out; Bochs checks SS before
 * CS. Every row sees the first event.
 *
 * What is found before the commit is the old task's fault: rIP is the instruction's own; TR, busy bits, back link,
 * old TSS, CR0.TS and DR7 are as they were. Directly and through a task gate: a selector null, local or beyond the
 * GDT; a descriptor that is no TSS, busy (for IRET: not busy), absent or short; CPL or RPL over DPL; an absent gate.
 * #GP for JMP, CALL and gates, #TS for IRET; #NP if absent; #TS for the limit; EXT for #UD, not for INT n. Then #PF
 * with CR2: the new TSS or its descriptor not mapped; back link, old TSS or a busy bit in a read-only page.
 *
 * What is found while the new state is loaded is the new task's fault: LDT, CS, SS, the data segments, rIP, by JMP
 * and CALL in turn, and by #UD. The handlers are tasks, so that nothing of the new one is needed: their back link
 * names it, its TSS has its rIP, EBX and the bad selector, and the error code is on their stack. #TS, but #NP or
 * #SS for an absent segment (not LDT), #GP(0) for rIP. Last, a reserved bit in a PDPTE of the new CR3 is #GP(0) of
 * the new task; its 16-bit handler finds the old CR3.
 *
 * workloads/tests/paging-modes runs it on hv, without the PDPTEs if paging is nested (APM2 15.25.10). Not compared:
 * EXT of a new task's fault if an event started it.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/world32.h"

#define OLD_TSS 0x60
#define NEW_TSS 0x68
#define TASK_GATE 0x70
#define FREE 0x80           /* the rows' own descriptor */
#define LOCAL 0x0C          /* in the LDT */
#define STACK_SEGMENT16 0x88
#define STACK16 0x9800u
#define LANDED 0x70
#define HANDLERS 0x90       /* TSSs of the handler tasks, 8 bytes each */
#define TSS32_LIMIT 0x67
#define TSS16_LIMIT 0x2B
#define BUSY (2ull << 40)
#define VECTOR 0x90
#define EXT 1u
#define CR0_TS 8u
#define CR0_PG 0x80000000u
#define CR4_PAE 0x20u
#define DR7_FIXED 0x400u
#define DR7_ENABLED 0x3FFu  /* of instructions at address 0, where none is */
#define NEW_EIP 0x12345678u
#define NEW_EBX 0xB3u

WORLD_FRAGMENT(jump, "ljmp $0x68, $0") WORLD_FRAGMENT(call, "lcall $0x68, $0")
WORLD_FRAGMENT(jump_rpl3, "ljmp $0x6B, $0") WORLD_FRAGMENT(jump_gate, "ljmp $0x70, $0")
WORLD_FRAGMENT(call_gate, "lcall $0x70, $0") WORLD_FRAGMENT(jump_gate3, "ljmp $0x73, $0")
WORLD_FRAGMENT(int_gate, "int $0x90") WORLD_FRAGMENT(ud2, "ud2") WORLD_FRAGMENT(iret, "iretl")
WORLD_FRAGMENT(landing, "int $0x70")

static uint32_t old_tss[64] __attribute__((aligned(4096)));
static uint32_t new_tss[64] __attribute__((aligned(4096)));
static uint64_t *gdt = world_gdt; /* as the program sees it */
static const struct world_event *event;

static const uint8_t handler_vectors[] = { EXC_TS, EXC_NP, EXC_SS, EXC_GP, EXC_PF };

static uint64_t tss(const void *at, unsigned access, unsigned limit)
{
    return world_segment((uintptr_t)at, limit, access, 0);
}

/* Code of the new task: never reached in a row that faults; INT 71h if it is. */
static void prepare(void)
{
    world_reset();
    memset(old_tss, 0, 0x68);
    memset(new_tss, 0, 0x68);
    old_tss[TSS_LINK] = NEW_TSS;
    new_tss[TSS_EIP] = (uintptr_t)next_ud2;
    new_tss[TSS_EFLAGS] = 2;
    new_tss[TSS_EAX + 3] = NEW_EBX;
    new_tss[TSS_EAX + 4] = (uintptr_t)world_stack + 2048;
    new_tss[TSS_CS] = WORLD_CODE(0);
    new_tss[TSS_SS] = new_tss[TSS_DS] = new_tss[TSS_ES] = new_tss[TSS_FS] = new_tss[TSS_GS] = WORLD_DATA(0);
    old_tss[TSS_ESP0] = new_tss[TSS_ESP0] = (uintptr_t)world_stack0 + sizeof(world_stack0);
    old_tss[TSS_SS0] = new_tss[TSS_SS0] = WORLD_DATA(0);
    new_tss[TSS_CR3] = cr3_read();
    old_tss[TSS_CR3] = cr3_read();
    world_gdt[OLD_TSS / 8] = tss(old_tss, 0x89, TSS32_LIMIT);
    world_gdt[NEW_TSS / 8] = tss(new_tss, 0x89, TSS32_LIMIT);
    world_gdt[TASK_GATE / 8] = world_gate(NEW_TSS, 0, 0x85, 0);
    __asm__ volatile("ltr %w0" : : "r"(OLD_TSS));
}

/* ---- Before the commit ------------------------------------------------------------------------------------------ */

static const struct before {
    const char *what, *at;
    unsigned cpl;
    uint64_t descriptor;    /* of NEW_TSS, unless 0 */
    uint64_t gate;          /* of TASK_GATE, unless 0 */
    unsigned link;          /* for IRET */
    unsigned vector;
    uint32_t error;
    unsigned event_gate;    /* this vector's gate: `gate` */
} before_rows[] = {
    { "JMP to a busy TSS", at_jump, .descriptor = 0x8B, .vector = EXC_GP, .error = NEW_TSS },
    { "CALL of a busy TSS", at_call, .descriptor = 0x8B, .vector = EXC_GP, .error = NEW_TSS },
    { "CALL of a busy 16-bit TSS", at_call, .descriptor = 0x83, .vector = EXC_GP, .error = NEW_TSS },
    { "JMP to an absent TSS", at_jump, .descriptor = 0x09, .vector = EXC_NP, .error = NEW_TSS },
    { "JMP to an absent busy TSS", at_jump, .descriptor = 0x0B, .vector = EXC_GP, .error = NEW_TSS },
    { "JMP to an LDT descriptor", at_jump, .descriptor = 0x82, .vector = EXC_GP, .error = NEW_TSS },
    { "JMP to an interrupt gate", at_jump, .descriptor = 0x8E, .vector = EXC_GP, .error = NEW_TSS },
    { "JMP with CPL over the DPL of the TSS", at_jump, .cpl = 3, .vector = EXC_GP, .error = NEW_TSS },
    { "JMP with RPL over the DPL of the TSS", at_jump_rpl3, .vector = EXC_GP, .error = NEW_TSS },
    { "JMP to an absent gate", at_jump_gate, .gate = 0x05, .vector = EXC_NP, .error = TASK_GATE },
    { "CALL of an absent gate", at_call_gate, .gate = 0x05, .vector = EXC_NP, .error = TASK_GATE },
    { "JMP with CPL over the DPL of the gate", at_jump_gate, .cpl = 3, .gate = 0x85, .vector = EXC_GP,
      .error = TASK_GATE },
    { "JMP with RPL over the DPL of the gate", at_jump_gate3, .gate = 0x85, .vector = EXC_GP, .error = TASK_GATE },
    { "JMP through a gate to a busy TSS", at_jump_gate, .descriptor = 0x8B, .gate = 0x85, .vector = EXC_GP,
      .error = NEW_TSS },
    { "JMP through a gate to an absent TSS", at_jump_gate, .descriptor = 0x09, .gate = 0x85, .vector = EXC_NP,
      .error = NEW_TSS },
    { "JMP to an absent gate to a busy TSS", at_jump_gate, .descriptor = 0x8B, .gate = 0x05, .vector = EXC_NP,
      .error = TASK_GATE },
    { "JMP with CPL over the DPL of an absent gate to a busy TSS", at_jump_gate, .cpl = 3, .descriptor = 0x8B,
      .gate = 0x05, .vector = EXC_GP, .error = TASK_GATE },
    { "INT n through an absent task gate", at_int_gate, .gate = 0x65, .vector = EXC_NP, .error = VECTOR * 8 + 2,
      .event_gate = VECTOR },
    { "INT n with CPL over the DPL of the task gate", at_int_gate, .cpl = 3, .gate = 0x85, .vector = EXC_GP,
      .error = VECTOR * 8 + 2, .event_gate = VECTOR },
    { "INT n through a task gate to a busy TSS", at_int_gate, .descriptor = 0x8B, .gate = 0xE5, .vector = EXC_GP,
      .error = NEW_TSS, .event_gate = VECTOR },
    { "INT n through a task gate to an absent TSS", at_int_gate, .descriptor = 0x09, .gate = 0xE5, .vector = EXC_NP,
      .error = NEW_TSS, .event_gate = VECTOR },
    { "#UD through an absent task gate", at_ud2, .gate = 0x05, .vector = EXC_NP, .error = EXC_UD * 8 + 2 + EXT,
      .event_gate = EXC_UD },
    { "#UD through a task gate to a busy TSS", at_ud2, .descriptor = 0x8B, .gate = 0x85, .vector = EXC_GP,
      .error = NEW_TSS + EXT, .event_gate = EXC_UD },
    { "#UD through a task gate to an absent TSS", at_ud2, .descriptor = 0x09, .gate = 0x85, .vector = EXC_NP,
      .error = NEW_TSS + EXT, .event_gate = EXC_UD },
    { "IRET to a null link", at_iret, .link = 4, .vector = EXC_TS, .error = 4 },
    { "IRET to a TSS of the LDT", at_iret, .link = LOCAL, .vector = EXC_TS, .error = LOCAL },
    { "IRET to a selector beyond the GDT", at_iret, .link = 0x400, .vector = EXC_TS, .error = 0x400 },
    { "IRET to a TSS that is not busy", at_iret, .link = NEW_TSS, .vector = EXC_TS, .error = NEW_TSS },
    { "IRET to a data segment", at_iret, .link = WORLD_DATA0, .vector = EXC_TS, .error = WORLD_DATA0 },
    { "IRET to an absent TSS", at_iret, .descriptor = 0x0B, .link = NEW_TSS, .vector = EXC_NP, .error = NEW_TSS },
};

static bool nothing_happened(uint64_t new_descriptor)
{
    uint32_t tr = 0, dr7;
    bool kept = true;

    __asm__ volatile("str %0\nmovl %%dr7, %1" : "=r"(tr), "=r"(dr7));
    for (unsigned i = TSS_EIP; i < TSS_LDT; i++)
        kept &= old_tss[i] == 0;
    return kept && (tr & 0xFFFF) == OLD_TSS && (gdt[OLD_TSS / 8] & BUSY) && gdt[NEW_TSS / 8] == new_descriptor &&
           new_tss[TSS_LINK] == 0 && !(cr0_read() & CR0_TS) && (dr7 & DR7_ENABLED) == DR7_ENABLED;
}

static void run_before(const char *what, struct world_state *state, unsigned vector, uint32_t error)
{
    uint64_t descriptor = gdt[NEW_TSS / 8];

    __asm__ volatile("movl %0, %%dr7" : : "r"(DR7_FIXED | DR7_ENABLED));
    event = world_run(state);
    check_format(event->vector == vector && event->error == error, "%s: vector %u, error code %x", what, vector,
                 error);
    if (event->vector != vector || event->error != error)
        guest_print("# got vector %u, error code %x", event->vector, event->error);
    check_format(event->eip == state->eip && nothing_happened(descriptor), "%s: nothing else happened", what);
    __asm__ volatile("movl %0, %%dr7" : : "r"(DR7_FIXED));
}

static void before(const struct before *row)
{
    struct world_state state = world_state_at(row->at, row->cpl);

    prepare();
    if (row->descriptor)
        world_gdt[NEW_TSS / 8] = tss(new_tss, (unsigned)row->descriptor, row->descriptor == 0x83 ? TSS16_LIMIT :
                                     TSS32_LIMIT);
    if (row->gate)
        world_gdt[TASK_GATE / 8] = world_gate(NEW_TSS, 0, (unsigned)row->gate, 0);
    if (row->event_gate)
        world_idt[row->event_gate] = world_gate(NEW_TSS, 0, (unsigned)row->gate, 0);
    if (row->link) {
        old_tss[TSS_LINK] = row->link == 4 ? 0 : row->link;
        state.eflags |= RFLAGS_NT;
    }
    world_idt[EXC_TS] = world_gate(WORLD_CODE0, world_handler(EXC_TS), 0x8E, 0);
    run_before(row->what, &state, row->vector, row->link == 4 ? 0 : row->error);
}

static void gates_and_limits(void)
{
    struct world_state gate = world_state_at(at_jump_gate, 0), jump = world_state_at(at_jump, 0);

    prepare();
    world_gdt[TASK_GATE / 8] = world_gate(0, 0, 0x85, 0);
    run_before("a gate with a null selector", &gate, EXC_GP, 0);
    prepare();
    world_gdt[TASK_GATE / 8] = world_gate(LOCAL, 0, 0x85, 0);
    run_before("a gate to a TSS of the LDT", &gate, EXC_GP, LOCAL);
    prepare();
    world_gdt[TASK_GATE / 8] = world_gate(0x400, 0, 0x85, 0);
    run_before("a gate to a selector beyond the GDT", &gate, EXC_GP, 0x400);
    prepare();
    world_gdt[TASK_GATE / 8] = world_gate(WORLD_DATA0, 0, 0x85, 0);
    run_before("a gate to a data segment", &gate, EXC_GP, WORLD_DATA0);
    prepare();
    world_gdt[NEW_TSS / 8] = tss(new_tss, 0x89, TSS32_LIMIT - 1);
    run_before("a 32-bit TSS of 103 bytes", &jump, EXC_TS, NEW_TSS);
    prepare();
    world_gdt[NEW_TSS / 8] = tss(new_tss, 0x81, TSS16_LIMIT - 1);
    run_before("a 16-bit TSS of 43 bytes", &jump, EXC_TS, NEW_TSS);
}

/* ---- Pages ------------------------------------------------------------------------------------------------------ */

static void load_old_tss_at(uint32_t linear)
{
    world_gdt[OLD_TSS / 8] = world_segment(linear, TSS32_LIMIT, 0x89, 0);
    __asm__ volatile("ltr %w0" : : "r"(OLD_TSS));
}

static void page_fault(const char *what, const char *code, uint32_t address, uint32_t error)
{
    struct world_state state = world_state_at(code, 0);

    if (code == at_iret)
        state.eflags |= RFLAGS_NT;
    run_before(what, &state, EXC_PF, error);
    check_format(cr2_read() == address, "%s: CR2", what);
    if (cr2_read() != address)
        guest_print("# CR2 %x, want %x", (unsigned)cr2_read(), address);
}

static void pages(void)
{
    uint32_t at;

    world_paging(true);
    prepare();
    at = world_page(0, new_tss, 0);
    world_gdt[NEW_TSS / 8] = world_segment(at, TSS32_LIMIT, 0x89, 0);
    page_fault("a new TSS that is not mapped", at_jump, at, 0);
    prepare();
    at = world_page(0, new_tss, 5); /* present, user, read-only */
    world_gdt[NEW_TSS / 8] = world_segment(at, TSS32_LIMIT, 0x89, 0);
    page_fault("CALL of a TSS in a read-only page: the back link", at_call, at, 3);
    prepare();
    load_old_tss_at(world_page(0, old_tss, 7));
    world_page(0, old_tss, 5);
    page_fault("an old TSS in a read-only page", at_jump, WORLD_PAGED + 4 * TSS_EIP, 3);
    world_paging(false);
}

/* A GDT in two pages, where the descriptors from NEW_TSS on lie in the second. */
static void gdt_pages(const char *what, uint32_t first, uint32_t second, unsigned at, uint32_t error)
{
    static uint8_t copy[2][4096] __attribute__((aligned(4096)));
    struct world_state state = world_state_at(at_jump, 0);
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) its = { sizeof(world_gdt) - 1, 0 }, old = { its.limit, (uintptr_t)world_gdt };

    prepare();
    gdt = (uint64_t *)(copy[1] - NEW_TSS);
    memcpy(gdt, world_gdt, sizeof(world_gdt));
    its.base = world_page(2, copy[0], first) + sizeof(copy[0]) - NEW_TSS;
    world_page(3, copy[1], second);
    gdt_load(&its);
    run_before(what, &state, EXC_PF, error);
    gdt_load(&old);
    gdt = world_gdt;
    check_format((cr2_read() & ~7u) == its.base + at, "%s: CR2", what);
}

static void pages_of_the_gdt(void)
{
    world_paging(true);
    gdt_pages("a descriptor of the new TSS that is not mapped", 3, 0, NEW_TSS, 0);
    gdt_pages("one in a read-only page: the busy bit", 3, 1, NEW_TSS, 3);
    gdt_pages("JMP from a TSS whose descriptor is in a read-only page", 1, 3, OLD_TSS, 3);
    world_paging(false);
}

/* ---- After the commit ------------------------------------------------------------------------------------------- */

static const struct after {
    const char *what;
    unsigned field;         /* of the new TSS */
    uint32_t value;
    uint64_t descriptor;    /* at FREE */
    unsigned vector;
    uint32_t error;
} after_rows[] = {
    { "LDT of the LDT", TSS_LDT, LOCAL, 0, EXC_TS, LOCAL },
    { "LDT that is none", TSS_LDT, WORLD_DATA0, 0, EXC_TS, WORLD_DATA0 },
    { "LDT beyond the GDT", TSS_LDT, 0x400, 0, EXC_TS, 0x400 },
    { "LDT that is absent", TSS_LDT, FREE, 0x0000020000000FFF, EXC_TS, FREE },
    { "CS null", TSS_CS, 0, 0, EXC_TS, 0 },
    { "CS beyond the GDT", TSS_CS, 0x400, 0, EXC_TS, 0x400 },
    { "CS a data segment", TSS_CS, WORLD_DATA0, 0, EXC_TS, WORLD_DATA0 },
    { "CS a TSS", TSS_CS, OLD_TSS, 0, EXC_TS, OLD_TSS },
    { "CS of DPL 3, RPL 0", TSS_CS, WORLD_CODE3, 0, EXC_TS, WORLD_CODE3 },
    { "CS of DPL 0, RPL 3", TSS_CS, WORLD_CODE0 | 3, 0, EXC_TS, WORLD_CODE0 },
    { "CS conforming, DPL 3, RPL 0", TSS_CS, FREE, 0x00CFFF000000FFFF, EXC_TS, FREE },
    { "CS absent", TSS_CS, FREE, 0x00CF1B000000FFFF, EXC_NP, FREE },
    { "SS null", TSS_SS, 0, 0, EXC_TS, 0 },
    { "SS beyond the GDT", TSS_SS, 0x400, 0, EXC_TS, 0x400 },
    { "SS with RPL 3 at CPL 0", TSS_SS, WORLD_DATA0 | 3, 0, EXC_TS, WORLD_DATA0 },
    { "SS of DPL 3 at CPL 0", TSS_SS, WORLD_DATA3, 0, EXC_TS, WORLD_DATA3 },
    { "SS a code segment", TSS_SS, WORLD_CODE0, 0, EXC_TS, WORLD_CODE0 },
    { "SS read-only", TSS_SS, FREE, 0x00CF91000000FFFF, EXC_TS, FREE },
    { "SS absent", TSS_SS, FREE, 0x00CF13000000FFFF, EXC_SS, FREE },
    { "DS beyond the GDT", TSS_DS, 0x400, 0, EXC_TS, 0x400 },
    { "ES with RPL over DPL", TSS_ES, WORLD_DATA0 | 3, 0, EXC_TS, WORLD_DATA0 },
    { "FS execute-only", TSS_FS, FREE, 0x00CF99000000FFFF, EXC_TS, FREE },
    { "GS a gate", TSS_GS, TASK_GATE, 0, EXC_TS, TASK_GATE },
    { "DS absent", TSS_DS, FREE, 0x00CF13000000FFFF, EXC_NP, FREE },
    { "ES absent", TSS_ES, FREE, 0x00CF13000000FFFF, EXC_NP, FREE },
    { "FS absent", TSS_FS, FREE, 0x00CF13000000FFFF, EXC_NP, FREE },
    { "GS absent", TSS_GS, FREE, 0x00CF13000000FFFF, EXC_NP, FREE },
    { "rIP beyond CS", TSS_CS, FREE, 0x00009B000000FFFF, EXC_GP, 0 },
};

/* The TSS of the one whose vector this is. */
static const uint32_t *handlers_as_tasks(unsigned vector)
{
    const uint32_t *its = NULL;

    for (unsigned i = 0; i < sizeof(handler_vectors); i++) {
        const uint32_t *t = world_handler_task(i, handler_vectors[i], (uint16_t)(HANDLERS + 8 * i));

        if (handler_vectors[i] == vector)
            its = t;
    }
    return its;
}

enum how { BY_JUMP, BY_CALL, BY_EVENT };

/* EXT of the error code is not compared if an event started the switch: the manual does not say whose it is. */
static void after(const struct after *row, enum how how)
{
    static const struct {
        const char *what, *at, *saved;
    } starts[] = { { "JMP", at_jump, next_jump }, { "CALL", at_call, next_call }, { "#UD", at_ud2, at_ud2 } };
    struct world_state state = world_state_at(starts[how].at, 0);
    uint32_t ext = how == BY_EVENT ? EXT : 0;
    const uint32_t *handler;
    bool right;

    prepare();
    handler = handlers_as_tasks(row->vector);
    world_gdt[FREE / 8] = row->descriptor;
    new_tss[row->field] = row->value;
    if (row->vector == EXC_GP)
        new_tss[TSS_EIP] = NEW_EIP;
    if (how == BY_EVENT)
        world_idt[EXC_UD] = world_gate(NEW_TSS, 0, 0x85, 0);
    event = world_run(&state);
    right = event->vector == row->vector && (event->error & ~ext) == row->error;
    check_format(right, "%s, new task's %s: vector %u, error code %x", starts[how].what, row->what, row->vector,
                 row->error);
    if (!right)
        guest_print("# got vector %u, error code %x", event->vector, event->error);
    check_format((handler[TSS_LINK] & 0xFFFF) == NEW_TSS && new_tss[TSS_EIP] == (row->vector == EXC_GP ? NEW_EIP :
                 (uintptr_t)next_ud2) && new_tss[TSS_EAX + 3] == NEW_EBX &&
                 (new_tss[row->field] & 0xFFFF) == row->value && old_tss[TSS_EIP] == (uintptr_t)starts[how].saved,
                 "%s, new task's %s: the switch is done, its state is saved from it", starts[how].what, row->what);
    check_format(!(world_gdt[OLD_TSS / 8] & BUSY) == (how == BY_JUMP) && (world_gdt[NEW_TSS / 8] & BUSY),
                 "%s, new task's %s: busy bits", starts[how].what, row->what);
}

/* A 16-bit task as handler leaves CR3 as it finds it. It is an INT 70h at its CS's base, with a stack in low memory. */
static const uint16_t *handler_as_task16(unsigned vector)
{
    static uint16_t words[32];

    memset(words, 0, sizeof(words));
    words[TSS16_FLAGS] = 2;
    words[TSS16_AX + 4] = STACK16;
    words[TSS16_CS] = FREE;
    words[TSS16_SS] = STACK_SEGMENT16;
    words[TSS16_DS] = words[TSS16_ES] = WORLD_DATA(0);
    world_gdt[FREE / 8] = world_segment((uintptr_t)at_landing, 0xFFFF, 0x9B, 4);
    world_gdt[STACK_SEGMENT16 / 8] = world_segment(0, 0xFFFF, 0x93, 0);
    world_gdt[HANDLERS / 8] = tss(words, 0x81, TSS16_LIMIT);
    world_idt[vector] = world_gate(HANDLERS, 0, 0x85, 0);
    return words;
}

/* Those of the new task's CR3 are loaded with it, and one that is not legal is the new task's fault. */
static void page_directory_pointers(void)
{
    static uint64_t old_pointers[4] __attribute__((aligned(32))), new_pointers[4] __attribute__((aligned(32)));
    static uint64_t directory[512] __attribute__((aligned(4096)));
    struct world_state state = world_state_at(at_jump, 0);
    volatile uint16_t *error = (uint16_t *)(STACK16 - 2);
    const uint16_t *handler;

    __asm__("" : "+r"(error));
    *error = 0xFFFF;
    for (uint32_t i = 0; i < 512; i++)
        directory[i] = i << 21 | 0xE7;
    old_pointers[0] = new_pointers[0] = (uintptr_t)directory | 1;
    new_pointers[3] = (uintptr_t)directory | 3; /* bit 1 is reserved; nothing is accessed through it */
    cr4_write(cr4_read() | CR4_PAE);
    cr3_write((uintptr_t)old_pointers);
    cr0_write(cr0_read() | CR0_PG);
    prepare();
    handler = handler_as_task16(EXC_GP);
    new_tss[TSS_CR3] = (uintptr_t)new_pointers;
    event = world_run(&state);
    check(event->vector == LANDED && (event->cs & 0xFFFF) == FREE && *error == 0 && handler[TSS16_LINK] == NEW_TSS,
          "new task's CR3, a PDPTE with a reserved bit: #GP(0) of the new task");
    check_equal(cr3_read(), (uintptr_t)old_pointers, "and CR3 keeps the old task's PDPTEs");
    cr0_write(cr0_read() & ~CR0_PG);
    cr4_write(cr4_read() & ~CR4_PAE);
}

void guest_main(void)
{
    world_begin();
    for (unsigned i = 0; i < sizeof(before_rows) / sizeof(before_rows[0]); i++)
        before(&before_rows[i]);
    gates_and_limits();
    pages();
    pages_of_the_gdt();
    for (unsigned i = 0; i < sizeof(after_rows) / sizeof(after_rows[0]); i++)
        for (enum how how = i & 1 ? BY_CALL : BY_JUMP; how <= BY_EVENT; how += how == BY_JUMP ? 2 : 1)
            after(&after_rows[i], how);
    world_reset();
    page_directory_pointers();
    check_end();
}
