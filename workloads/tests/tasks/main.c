/* SPDX-License-Identifier: MIT */
/*
 * Hardware task switches on the bare machine (APM2 12.3, 12.2.4 to 12.2.6): what the old TSS gets, what the new
 * task has, and what becomes of busy bits, back link, NT, CR0.TS and DR7.
 *
 * Under shadow paging hv carries task switches out itself (hv/vm/task_switch.c) (workloads/tests/paging-modes). QEMU
 * leaves DR7's local enables, and saves no RF for faults.
 *
 * In 32-bit protected mode the old TSS is filled with a pattern, the new one with a state whose code is INT 70h.
 * What its handler finds is compared, then TSSs and descriptors.
 *
 * Nine causes, each between tasks of 16 and of 32 bits: JMP and CALL to the TSS and through a task gate, INT n,
 * #UD, #NP, an external interrupt, IRET with NT. The new task has its TSS's registers, selectors, LDTR and flags,
 * and NT if nested. The old TSS has the old task's: the next rIP, for faults and the interrupt that of the
 * instruction that did not run; RF for faults alone; no NT after IRET. Nothing else of it is written. JMP and IRET
 * leave it available, CALL and events leave it busy, with the back link in the new TSS. CR0.TS is set; L0-L3 and LE
 * of DR7 are cleared, G0-G3 and GE stay. #NP's error code is on the new stack in the width of the new TSS.
 *
 * Then: T raises #DB with DR6.BT before the first instruction, but a 16-bit TSS has none; CPL 3 may switch through a
 * gate of DPL 3; a TSS may bring CPL 3 or virtual-8086 mode. With paging, PAE too, CR3 comes from a 32-bit TSS; it is
 * not saved, and a 16-bit TSS leaves it.
 *
 * All selectors differ. Not looked at: a 16-bit task's FS, GS and upper halves of registers, which the manual leaves
 * open. Faults: task-faults.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/world32.h"

#define OLD_TSS 0x60
#define NEW_TSS 0x68
#define TASK_GATE 0x70
#define NEW_LDT 0x78
#define ABSENT 0x80
#define NEW_CODE 0x88       /* its base is the landing place: a 16-bit IP reaches it */
#define STACK_SEGMENT16 0x90
#define NEW_DATA(n) (0xA0u + 8 * (n))   /* flat, one for each of ES, SS, DS, FS, GS; DPL 0 */
#define OLD_DATA(n) (0xC8u + 8 * (n))
#define VECTOR 0x90
#define LANDED 0x70
#define STACK16 0x9800u     /* of the new task: reached by 16 bits */
#define TSS32_LIMIT 0x67
#define TSS16_LIMIT 0x2B
#define BUSY (2ull << 40)
#define CR0_TS 8u
#define CR0_PG 0x80000000u
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define DR6_BT 0x8000u
#define DR7_FIXED 0x400u
#define OLD_FLAGS (RFLAGS_ID | 0x8D7u)          /* all arithmetic flags; IF is added where needed */
#define NEW_FLAGS (RFLAGS_ID | RFLAGS_IOPL(3) | 0x446u)
#define CANARY 0x5A

WORLD_FRAGMENT(jump, "ljmp $0x68, $0") WORLD_FRAGMENT(call, "lcall $0x68, $0")
WORLD_FRAGMENT(jump_gate, "ljmp $0x70, $0") WORLD_FRAGMENT(call_gate, "lcall $0x70, $0")
WORLD_FRAGMENT(int_gate, "int $0x90") WORLD_FRAGMENT(ud2, "ud2") WORLD_FRAGMENT(absent, "movl %edx, %ds")
WORLD_FRAGMENT(nop, "nop") WORLD_FRAGMENT(iret, "iretl")
__asm__(".text\n.balign 16\n.globl landing, landed\nlanding: movw %ss, new_ss\nint $0x70\nlanded:\n");
extern const char landing[], landed[];
extern volatile uint16_t new_ss; /* named in assembly */
volatile uint16_t new_ss;

enum nesting { JUMPS, NESTS, RETURNS };

static const struct row {
    const char *what, *at, *saved;
    enum nesting nesting;
    unsigned gate;          /* this vector's gate is a task gate */
    bool fault, has_error, interrupt;
} rows[] = {
    { "JMP to a TSS", at_jump, next_jump, .nesting = JUMPS },
    { "CALL of a TSS", at_call, next_call, .nesting = NESTS },
    { "JMP to a task gate", at_jump_gate, next_jump_gate, .nesting = JUMPS },
    { "CALL of a task gate", at_call_gate, next_call_gate, .nesting = NESTS },
    { "INT n", at_int_gate, next_int_gate, .nesting = NESTS, .gate = VECTOR },
    { "#UD", at_ud2, at_ud2, .nesting = NESTS, .gate = EXC_UD, .fault = true },
    { "#NP", at_absent, at_absent, .nesting = NESTS, .gate = EXC_NP, .fault = true, .has_error = true },
    { "an interrupt", at_nop, at_nop, .nesting = NESTS, .gate = VECTOR, .interrupt = true },
    { "IRET with NT", at_iret, next_iret, .nesting = RETURNS },
};
#define COUNT (sizeof(rows) / sizeof(rows[0]))

static uint32_t old_tss[64], new_tss[64];
static uint32_t directory_a[1024] __attribute__((aligned(4096))), directory_b[1024] __attribute__((aligned(4096)));
static uint64_t pointers_a[4] __attribute__((aligned(32))), pointers_b[4] __attribute__((aligned(32)));
static uint64_t pae_directory[512] __attribute__((aligned(4096)));
static const struct world_event *event;

/* ---- The two tasks ---------------------------------------------------------------------------------------------- */

static uint32_t new_eflags(bool wide)
{
    return wide ? NEW_FLAGS : NEW_FLAGS & 0xFFFF;
}

/* Register n (in the order of the TSS, AX first) starts with this, its doublewords in the new task. */
static uint32_t new_register(unsigned n)
{
    return n == 4 ? STACK16 : 0xB0 + n;
}

static void fill32(void)
{
    new_tss[TSS_EIP] = 0;
    new_tss[TSS_EFLAGS] = NEW_FLAGS;
    for (unsigned n = 0; n < 8; n++)
        new_tss[TSS_EAX + n] = new_register(n);
    new_tss[TSS_ES] = NEW_DATA(0);
    new_tss[TSS_CS] = NEW_CODE;
    new_tss[TSS_SS] = NEW_DATA(1);
    new_tss[TSS_DS] = NEW_DATA(2);
    new_tss[TSS_FS] = NEW_DATA(3);
    new_tss[TSS_GS] = NEW_DATA(4);
    new_tss[TSS_LDT] = NEW_LDT;
}

static void fill16(void)
{
    uint16_t *words = (uint16_t *)new_tss;

    words[TSS16_IP] = 0;
    words[TSS16_FLAGS] = (uint16_t)NEW_FLAGS;
    for (unsigned n = 0; n < 8; n++)
        words[TSS16_AX + n] = (uint16_t)new_register(n);
    words[TSS16_ES] = NEW_DATA(0);
    words[TSS16_CS] = NEW_CODE;
    words[TSS16_SS] = STACK_SEGMENT16;
    words[TSS16_DS] = NEW_DATA(2);
    words[TSS16_LDT] = NEW_LDT;
}

static void prepare(const struct row *row, bool old_wide, bool new_wide)
{
    world_reset();
    memset(old_tss, CANARY, sizeof(old_tss));
    memset(new_tss, 0, sizeof(new_tss));
    if (new_wide)
        fill32();
    else
        fill16();
    *(uint16_t *)old_tss = row->nesting == RETURNS ? NEW_TSS : CANARY;
    world_gdt[OLD_TSS / 8] = world_segment((uintptr_t)old_tss, old_wide ? TSS32_LIMIT : TSS16_LIMIT,
                                           old_wide ? 0x89 : 0x81, 0);
    world_gdt[NEW_TSS / 8] = world_segment((uintptr_t)new_tss, new_wide ? TSS32_LIMIT : TSS16_LIMIT,
                                           new_wide ? 0x89 : 0x81, 0) | (row->nesting == RETURNS ? BUSY : 0);
    world_gdt[TASK_GATE / 8] = world_gate(NEW_TSS, 0, 0xE5, 0);
    world_gdt[NEW_LDT / 8] = world_segment((uintptr_t)world_ldt, sizeof(world_ldt) - 1, 0x82, 0);
    world_gdt[ABSENT / 8] = world_segment(0, 0xFFFFFFFF, 0x13, 0xC);
    world_gdt[NEW_CODE / 8] = world_segment((uintptr_t)landing, 0xFFFF, 0x9B, 4);
    world_gdt[STACK_SEGMENT16 / 8] = world_segment(0, 0xFFFF, 0x93, 0);
    for (unsigned n = 0; n < 5; n++)
        world_gdt[NEW_DATA(n) / 8] = world_gdt[OLD_DATA(n) / 8] = world_gdt[WORLD_DATA0 / 8];
    new_ss = 0;
    if (row->gate)
        world_idt[row->gate] = world_gate(NEW_TSS, 0, 0xE5, 0);
    __asm__ volatile("ltr %w0" : : "r"(OLD_TSS));
    __asm__ volatile("movl %0, %%dr6\nmovl %1, %%dr7" : : "r"(0xFFFF0FF0), "r"(DR7_FIXED | 0x3FF));
}

static struct world_state old_state(const struct row *row)
{
    struct world_state state = world_state_at(row->at, 0);

    state.eax = 0xA0;
    state.ecx = 0xA1;
    state.edx = ABSENT;
    state.ebx = 0xA3;
    state.ebp = 0xA5;
    state.esi = 0xA6;
    state.edi = 0xA7;
    state.es = OLD_DATA(0);
    state.ss = OLD_DATA(1);
    state.ds = OLD_DATA(2);
    state.fs = OLD_DATA(3);
    state.gs = OLD_DATA(4);
    state.eflags = OLD_FLAGS | (row->interrupt ? RFLAGS_IF : 0) | (row->nesting == RETURNS ? RFLAGS_NT : 0);
    return state;
}

/* ---- What must be seen ------------------------------------------------------------------------------------------ */

static bool registers_loaded(const struct row *row, bool wide)
{
    uint32_t mask = wide ? 0xFFFFFFFF : 0xFFFF; /* the upper halves of a 16-bit task are nobody's */
    unsigned pushed = row->has_error ? wide ? 4 : 2 : 0;
    const struct world_event *e = event;

    return ((e->eax ^ new_register(0)) & mask) == 0 && ((e->ecx ^ new_register(1)) & mask) == 0 &&
           ((e->edx ^ new_register(2)) & mask) == 0 && ((e->ebx ^ new_register(3)) & mask) == 0 &&
           ((e->esp_handler + 20 + pushed - STACK16) & mask) == 0 && ((e->ebp ^ new_register(5)) & mask) == 0 &&
           ((e->esi ^ new_register(6)) & mask) == 0 && ((e->edi ^ new_register(7)) & mask) == 0;
}

static bool selectors_loaded(bool wide)
{
    uint32_t ldt = 0;

    __asm__ volatile("sldt %0" : "=r"(ldt));
    return (event->cs & 0xFFFF) == NEW_CODE && (event->ds & 0xFFFF) == NEW_DATA(2) &&
           (event->es & 0xFFFF) == NEW_DATA(0) && (ldt & 0xFFFF) == NEW_LDT &&
           new_ss == (wide ? NEW_DATA(1) : STACK_SEGMENT16) &&
           (!wide || ((event->fs & 0xFFFF) == NEW_DATA(3) && (event->gs & 0xFFFF) == NEW_DATA(4)));
}

static bool saved32(const struct world_state *old, uint32_t eip, uint32_t eflags)
{
    const uint32_t registers[8] = { old->eax, old->ecx, old->edx, old->ebx, old->esp, old->ebp, old->esi, old->edi };
    const uint32_t selectors[6] = { old->es, old->cs, old->ss, old->ds, old->fs, old->gs };
    bool right = old_tss[TSS_EIP] == eip && old_tss[TSS_EFLAGS] == eflags;

    for (unsigned n = 0; n < 8; n++)
        right &= old_tss[TSS_EAX + n] == registers[n];
    for (unsigned n = 0; n < 6; n++)
        right &= (old_tss[TSS_ES + n] & 0xFFFF) == selectors[n];
    return right;
}

static bool saved16(const struct world_state *old, uint32_t eip, uint32_t eflags)
{
    const uint32_t registers[8] = { old->eax, old->ecx, old->edx, old->ebx, old->esp, old->ebp, old->esi, old->edi };
    const uint32_t selectors[4] = { old->es, old->cs, old->ss, old->ds };
    const uint16_t *words = (const uint16_t *)old_tss;
    bool right = words[TSS16_IP] == (uint16_t)eip && words[TSS16_FLAGS] == (uint16_t)eflags;

    for (unsigned n = 0; n < 8; n++)
        right &= words[TSS16_AX + n] == (uint16_t)registers[n];
    for (unsigned n = 0; n < 4; n++)
        right &= words[TSS16_ES + n] == selectors[n];
    return right;
}

/* Bytes 2 up to the saved state (a 32-bit TSS: CR3 too), and from LDT on, are never written by a switch. */
static bool statics_kept(bool wide)
{
    const uint8_t *bytes = (const uint8_t *)old_tss;
    bool kept = true;

    for (unsigned i = 2; i < (wide ? 0x20u : 0x0Eu); i++)
        kept &= bytes[i] == CANARY;
    for (unsigned i = wide ? 0x60 : 0x2A; i < sizeof(old_tss); i++)
        kept &= bytes[i] == CANARY;
    return kept;
}

static void one(const struct row *row, bool old_wide, bool new_wide)
{
    struct world_state old = old_state(row);
    uint32_t flags = OLD_FLAGS | (row->interrupt ? RFLAGS_IF : 0) | (row->fault ? RFLAGS_RF : 0) | 2, dr7;
    bool nests = row->nesting == NESTS, old_busy, new_busy;
    char name[64];

    format_text(name, sizeof(name), "%s, %u to %u bits", row->what, old_wide ? 32 : 16, new_wide ? 32 : 16);
    prepare(row, old_wide, new_wide);
    if (row->interrupt)
        apic_write(APIC_ICR, APIC_ICR_SELF | APIC_ICR_ASSERT | VECTOR);
    event = world_run(&old);
    __asm__ volatile("movl %%dr7, %0" : "=r"(dr7));
    if (row->interrupt)
        apic_write(APIC_EOI, 0);
    check_format(event->vector == LANDED && event->eip == (uint32_t)(landed - landing), "%s: the new task runs", name);
    if (event->vector != LANDED) {
        guest_print("# vector %u error %x at %x", event->vector, event->error, event->eip);
        return;
    }
    check_format(registers_loaded(row, new_wide), "%s: with its general registers", name);
    check_format(selectors_loaded(new_wide), "%s: with its selectors and LDTR", name);
    check_format((event->eflags | RFLAGS_NT) == (new_eflags(new_wide) | RFLAGS_NT | 2) &&
                 !(event->eflags & RFLAGS_NT) == !nests, "%s: with its flags, NT as the nesting says", name);
    check_format(old_wide ? saved32(&old, (uintptr_t)row->saved, flags) : saved16(&old, (uintptr_t)row->saved, flags),
                 "%s: the old one's state is saved", name);
    check_format(statics_kept(old_wide) && *(uint16_t *)old_tss == (row->nesting == RETURNS ? NEW_TSS : CANARY),
                 "%s: no other byte of the old TSS is written", name);
    old_busy = world_gdt[OLD_TSS / 8] & BUSY;
    new_busy = world_gdt[NEW_TSS / 8] & BUSY;
    check_format(old_busy == nests && new_busy && *(uint16_t *)new_tss == (nests ? OLD_TSS : 0),
                 "%s: busy bits and back link", name);
    check_format((cr0_read() & CR0_TS) && (dr7 & 0xFF) == 0xAA && !(dr7 & 0x100) && (dr7 & 0x200),
                 "%s: CR0.TS is set, L0-L3 and LE of DR7 are clear, G0-G3 and GE stay", name);
    if (row->has_error) {
        uint32_t found = *(uint32_t *)(uintptr_t)(STACK16 - (new_wide ? 4 : 2));

        check_format((new_wide ? found : found & 0xFFFF) == ABSENT, "%s: the error code is on its stack", name);
    }
}

/* ---- The trap bit, privilege, virtual-8086 mode, CR3 ------------------------------------------------------------ */

static void trap_bit(void)
{
    struct world_state old = old_state(&rows[0]);
    uint32_t dr6;

    prepare(&rows[0], true, true);
    new_tss[TSS_TRAP] = 1;
    event = world_run(&old);
    __asm__ volatile("movl %%dr6, %0\nmovl %1, %%dr6" : "=&r"(dr6) : "r"(0xFFFF0FF0));
    check(event->vector == EXC_DB && event->eip == 0 && (event->cs & 0xFFFF) == NEW_CODE,
          "the T bit raises #DB before the first instruction of the new task");
    check_equal(dr6, 0xFFFF0FF0 | DR6_BT, "DR6.BT says so");
    prepare(&rows[0], true, false);
    new_tss[TSS_TRAP] = 1;
    event = world_run(&old);
    __asm__ volatile("movl %%dr6, %0" : "=r"(dr6));
    check(event->vector == LANDED && dr6 == 0xFFFF0FF0, "a 16-bit TSS has none: the byte behind it means nothing");
}

static void privilege(void)
{
    struct world_state old = world_state_at(at_call_gate, 3);

    prepare(&rows[3], true, true);
    event = world_run(&old);
    check(event->vector == LANDED, "CPL 3 may call a task gate of DPL 3, whatever the DPL of the TSS");
    check((old_tss[TSS_CS] & 0xFFFF) == WORLD_CODE(3) && (old_tss[TSS_SS] & 0xFFFF) == WORLD_DATA(3) &&
          old_tss[TSS_EIP] == (uintptr_t)next_call_gate && old_tss[TSS_EAX + 4] == old.esp,
          "its CS, SS, rIP and rSP are saved");
    prepare(&rows[4], true, true);
    old = world_state_at(at_int_gate, 3);
    event = world_run(&old);
    check(event->vector == LANDED && (old_tss[TSS_CS] & 3) == 3, "and INT n with a task gate of DPL 3");
    prepare(&rows[0], true, true);
    new_tss[TSS_CS] = WORLD_CODE(3);
    new_tss[TSS_EIP] = (uintptr_t)landing;
    new_tss[TSS_SS] = new_tss[TSS_DS] = new_tss[TSS_ES] = new_tss[TSS_FS] = new_tss[TSS_GS] = WORLD_DATA(3);
    new_tss[TSS_ESP0] = (uintptr_t)world_stack0 + 2048;
    new_tss[TSS_SS0] = WORLD_DATA(0);
    old = old_state(&rows[0]);
    event = world_run(&old);
    check(event->vector == LANDED && (event->cs & 0xFFFF) == WORLD_CODE(3) && event->esp == STACK16 &&
          (event->ss & 0xFFFF) == WORLD_DATA(3), "a TSS whose CS has RPL 3 runs at CPL 3");
    check_equal(event->esp_handler, (uintptr_t)world_stack0 + 2048 - 28, "and leaves it on the new TSS's ESP0");
}

static void virtual_8086(void)
{
    struct world_state old = old_state(&rows[1]);

    prepare(&rows[1], true, true);
    memcpy((void *)WORLD_V86_CODE, "\xCD\x70", 2);
    new_tss[TSS_EFLAGS] = NEW_FLAGS | RFLAGS_VM;
    new_tss[TSS_CS] = WORLD_V86_CODE >> 4;
    new_tss[TSS_SS] = WORLD_V86_STACK >> 4;
    new_tss[TSS_DS] = 0x1111;
    new_tss[TSS_ES] = 0x2222;
    new_tss[TSS_FS] = 0x3333;
    new_tss[TSS_GS] = 0x4444;
    new_tss[TSS_ESP0] = (uintptr_t)world_stack0 + 2048;
    new_tss[TSS_SS0] = WORLD_DATA(0);
    event = world_run(&old);
    check(event->vector == LANDED && event->eflags == (NEW_FLAGS | RFLAGS_VM | RFLAGS_NT | 2),
          "a TSS with EFLAGS.VM starts virtual-8086 mode");
    check((event->cs & 0xFFFF) == WORLD_V86_CODE >> 4 && (event->ss & 0xFFFF) == WORLD_V86_STACK >> 4 &&
          (event->v_ds & 0xFFFF) == 0x1111 && (event->v_es & 0xFFFF) == 0x2222 && (event->v_fs & 0xFFFF) == 0x3333 &&
          (event->v_gs & 0xFFFF) == 0x4444, "with the selectors of its TSS as paragraphs");
}

static void page_directories(void)
{
    struct world_state old = old_state(&rows[0]);

    for (uint32_t i = 0; i < 1024; i++)
        directory_a[i] = directory_b[i] = i << 22 | 0xE7;
    directory_b[0x100] = 0xE7; /* 40000000h shows address 0 in B */
    cr4_write(cr4_read() | CR4_PSE);
    cr3_write((uintptr_t)directory_a);
    cr0_write(cr0_read() | CR0_PG);
    prepare(&rows[0], true, true);
    new_tss[TSS_CR3] = (uintptr_t)directory_b;
    event = world_run(&old);
    check(event->vector == LANDED && cr3_read() == (uintptr_t)directory_b, "with paging CR3 comes from a 32-bit TSS");
    check_equal(*(uint32_t *)0x9000, *(volatile uint32_t *)0x40009000, "and its tables are in use");
    check_equal(old_tss[TSS_CR3], 0x5A5A5A5A, "CR3 is not saved in the old TSS");
    cr3_write((uintptr_t)directory_a);
    prepare(&rows[0], true, false);
    event = world_run(&old);
    check(event->vector == LANDED && cr3_read() == (uintptr_t)directory_a, "a 16-bit TSS leaves CR3");
    cr0_write(cr0_read() & ~CR0_PG);
    cr4_write(cr4_read() & ~CR4_PSE);
}

static void page_directory_pointers(void)
{
    struct world_state old = old_state(&rows[0]);

    for (uint32_t i = 0; i < 512; i++)
        pae_directory[i] = i << 21 | 0xE7;
    pointers_a[0] = pointers_b[0] = pointers_b[1] = (uintptr_t)pae_directory | 1; /* 40000000h shows address 0 in B */
    cr4_write(cr4_read() | CR4_PAE);
    cr3_write((uintptr_t)pointers_a);
    cr0_write(cr0_read() | CR0_PG);
    prepare(&rows[0], true, true);
    new_tss[TSS_CR3] = (uintptr_t)pointers_b;
    event = world_run(&old);
    check(event->vector == LANDED && cr3_read() == (uintptr_t)pointers_b, "with PAE CR3 comes from a 32-bit TSS");
    check_equal(*(uint32_t *)0x9000, *(volatile uint32_t *)0x40009000, "and what it points to is in use");
    cr0_write(cr0_read() & ~CR0_PG);
    cr4_write(cr4_read() & ~CR4_PAE);
}

void guest_main(void)
{
    world_begin();
    apic_enable();
    for (unsigned i = 0; i < COUNT; i++)
        for (unsigned widths = 0; widths < 4; widths++)
            one(&rows[i], widths & 1, widths & 2);
    trap_bit();
    privilege();
    virtual_8086();
    page_directories();
    page_directory_pointers();
    check_end();
}
