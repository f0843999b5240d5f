/* SPDX-License-Identifier: MIT */
/*
 * Exceptions while another event is delivered (APM2 8.2.9, table of double faults; 8.4.1 for EXT): does the second
 * come or #DF, and with which error code?
 *
 * A kernel learns from the error code what was broken, and by EXT whether its program asked for the event. QEMU
 * leaves EXT out and makes an absent inner stack #TS (doc/conformance.md).
 *
 * The world is that of world32.h with 32-bit paging. An event arrives at CPL 3 while its gate, its handler's
 * segment or the stack that the TSS names for CPL 0 is unfit. Handlers of second exceptions are tasks, so that
 * nothing fails a third time. Vector and error code must be the rule's, CR2 of #PF where the first push would have
 * gone; but for #DF the task left has CS:EIP of the instruction (not asked of ICEBP) and SS:ESP.
 *
 * Fourteen events come of three classes: contributory #DE, #TS, #NP, #SS and #GP; #PF; and the benign ones, ICEBP,
 * INT3, INTO, #BR, #UD, #NM, #AC and INT n. Their delivery fails in eight ways: the gate absent (#NP of the gate) or
 * of a wrong type (#GP); the handler's segment absent (#NP) or null (#GP); the inner stack null or of DPL 3 (#TS),
 * absent (#SS) or not mapped (#PF, error code 2). After a benign event the second exception is delivered, after a
 * contributory one #PF is and another contributory one is #DF(0), after #PF both are #DF(0). The second one's error
 * code names what failed, with EXT unless the event was INT n, INT3 or INTO; of a null selector it is EXT alone.
 *
 * It runs alone, and as a guest of hv with nested and with shadow paging, where hv itself switches tasks. Not asked:
 * NMI and external interrupts as the first event, and a third failure (`svm-events`).
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/world32.h"

#define ABSENT 0x60         /* data, DPL 3 */
#define ABSENT_STACK 0x68   /* data, DPL 0 */
#define ABSENT_CODE 0x70
#define HANDLERS 0x80
#define GATE 0x58           /* a call gate to CPL 1, where there is no stack */
#define CR0_TS 8u
#define CR0_AM 0x40000u
#define EXC_AC 17
#define VECTOR 0x90
#define IDT_BIT 2u
#define EXT 1u
#define RFLAGS_OF 0x800u
#define PF_WRITE 2u         /* the error code of a push */

WORLD_FRAGMENT(divide, "divl %ecx") WORLD_FRAGMENT(icebp, ".byte 0xF1") WORLD_FRAGMENT(int3, "int3")
WORLD_FRAGMENT(into, "into") WORLD_FRAGMENT(bound, "bound %eax, (%ebx)") WORLD_FRAGMENT(ud2, "ud2")
WORLD_FRAGMENT(fnop, "fnop") WORLD_FRAGMENT(load_ds, "movl %edx, %ds") WORLD_FRAGMENT(load_ss, "movl %edx, %ss")
WORLD_FRAGMENT(hlt, "hlt") WORLD_FRAGMENT(touch, "movl (%esi), %eax") WORLD_FRAGMENT(odd, "movl 1(%ebx), %eax")
WORLD_FRAGMENT(int_n, "int $0x90") WORLD_FRAGMENT(call_1, "lcall $0x58, $0")

enum event_class { BENIGN, CONTRIBUTORY, PAGE_FAULT };
static const struct first {
    const char *what, *at;
    unsigned vector;
    enum event_class class;
    bool software;          /* no EXT */
} firsts[] = {
    { "#DE", at_divide, EXC_DE, CONTRIBUTORY, false }, { "ICEBP", at_icebp, EXC_DB, BENIGN, false },
    { "INT3", at_int3, EXC_BP, BENIGN, true }, { "INTO", at_into, EXC_OF, BENIGN, true },
    { "#BR", at_bound, EXC_BR, BENIGN, false }, { "#UD", at_ud2, EXC_UD, BENIGN, false },
    { "#NM", at_fnop, EXC_NM, BENIGN, false }, { "#NP", at_load_ds, EXC_NP, CONTRIBUTORY, false },
    { "#SS", at_load_ss, EXC_SS, CONTRIBUTORY, false }, { "#GP", at_hlt, EXC_GP, CONTRIBUTORY, false },
    { "#TS", at_call_1, EXC_TS, CONTRIBUTORY, false },
    { "#PF", at_touch, EXC_PF, PAGE_FAULT, false }, { "#AC", at_odd, EXC_AC, BENIGN, false },
    { "INT n", at_int_n, VECTOR, BENIGN, true },
};

enum failure { GATE_ABSENT, GATE_TYPE, CODE_ABSENT, CODE_NULL, STACK_NULL, STACK_LEVEL, STACK_ABSENT, STACK_UNMAPPED,
               FAILURES };
static const char *const failure_names[] = { "an absent gate", "a gate of a wrong type", "an absent handler's segment",
                                             "a null handler's segment", "a null stack", "a stack of DPL 3",
                                             "an absent stack", "an unmapped stack" };

static const uint8_t seconds[] = { EXC_DF, EXC_TS, EXC_NP, EXC_SS, EXC_GP, EXC_PF };

struct want {
    unsigned vector;
    uint32_t error;
};

static struct want second_of(const struct first *first, enum failure failure)
{
    uint32_t ext = first->software ? 0 : EXT, gate = first->vector * 8 | IDT_BIT | ext;

    switch (failure) {
    case GATE_ABSENT:
        return (struct want){ EXC_NP, gate };
    case GATE_TYPE:
        return (struct want){ EXC_GP, gate };
    case CODE_ABSENT:
        return (struct want){ EXC_NP, ABSENT_CODE | ext };
    case CODE_NULL:
        return (struct want){ EXC_GP, ext };
    case STACK_NULL:
        return (struct want){ EXC_TS, ext };
    case STACK_LEVEL:
        return (struct want){ EXC_TS, WORLD_DATA3 | ext };
    case STACK_ABSENT:
        return (struct want){ EXC_SS, ABSENT_STACK | ext };
    default:
        return (struct want){ EXC_PF, PF_WRITE };
    }
}

/* APM2 8.2.9. */
static struct want combined(const struct first *first, struct want second)
{
    if (first->class == PAGE_FAULT || (first->class == CONTRIBUTORY && second.vector != EXC_PF))
        return (struct want){ EXC_DF, 0 };
    return second;
}

static void set_up(const struct first *first, enum failure failure)
{
    uint16_t code = failure == CODE_ABSENT ? ABSENT_CODE : failure == CODE_NULL ? 0 : WORLD_CODE0;
    unsigned access = failure == GATE_ABSENT ? 0x6E : failure == GATE_TYPE ? 0xEC : 0xEE;

    world_reset();
    world_gdt[ABSENT / 8] = world_segment(0, 0xFFFFFFFF, 0x73, 0xC);
    world_gdt[ABSENT_STACK / 8] = world_segment(0, 0xFFFFFFFF, 0x13, 0xC);
    world_gdt[ABSENT_CODE / 8] = world_segment(0, 0xFFFFFFFF, 0x1B, 0xC);
    for (unsigned i = 0; i < sizeof(seconds); i++)
        world_handler_task(i, seconds[i], (uint16_t)(HANDLERS + 8 * i));
    world_gdt[GATE / 8] = world_gate(WORLD_CODE1, 0, 0xEC, 0);
    world_tss[TSS_SS0 + 2] = 0;
    world_idt[first->vector] = world_gate(code, world_handler(first->vector), access, 0);
    world_tss[TSS_CR3] = cr3_read();
    if (failure == STACK_NULL)
        world_tss[TSS_SS0] = 0;
    else if (failure == STACK_LEVEL)
        world_tss[TSS_SS0] = WORLD_DATA3;
    else if (failure == STACK_ABSENT)
        world_tss[TSS_SS0] = ABSENT_STACK;
    else if (failure == STACK_UNMAPPED)
        world_tss[TSS_ESP0] = WORLD_PAGED + 0x3000;
}

/*
 * The task that was left, at the instruction: nothing was delivered. #DF is an abort, whose CS:rIP is undefined (APM2
 * 8.2.9); whether ICEBP, which raises a trap, has been executed by then stands nowhere.
 */
static bool stayed(const struct world_state *state)
{
    return (world_tss[TSS_EIP] == state->eip || state->eip == (uintptr_t)at_icebp) &&
           world_tss[TSS_EAX + 4] == state->esp &&
           (uint16_t)world_tss[TSS_CS] == state->cs && (uint16_t)world_tss[TSS_SS] == state->ss;
}

static void one(const struct first *first, enum failure failure)
{
    static const int32_t bounds[2] __attribute__((aligned(8))) = { 1, 2 };
    struct world_state state = world_state_at(first->at, 3);
    struct want want = combined(first, second_of(first, failure));
    const struct world_event *e;
    uintptr_t cr0 = cr0_read();

    set_up(first, failure);
    state.ebx = (uintptr_t)bounds;
    state.edx = (first->vector == EXC_SS || first->vector == EXC_NP ? ABSENT : 0) | 3;
    state.esi = WORLD_PAGED;
    state.eflags |= (first->vector == EXC_OF ? RFLAGS_OF : 0) | (first->vector == EXC_AC ? RFLAGS_AC : 0);
    cr0_write(cr0 | (first->vector == EXC_NM ? CR0_TS : 0) | (first->vector == EXC_AC ? CR0_AM : 0));
    e = world_run(&state);
    cr0_write(cr0);
    check_format(e->vector == want.vector && e->error == want.error &&
                 (want.vector == EXC_DF || stayed(&state)) &&
                 (want.vector != EXC_PF || cr2_read() == WORLD_PAGED + 0x2FFC), "%s with %s: vector %u, error code %x",
                 first->what, failure_names[failure], want.vector, want.error);
    if (e->vector != want.vector || e->error != want.error)
        guest_print("# got vector %u, error code %x, CR2 %lx", e->vector, e->error, (unsigned long)cr2_read());
}

void guest_main(void)
{
    world_begin();
    world_paging(true);
    for (unsigned i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
        for (unsigned failure = 0; failure < FAILURES; failure++)
            one(&firsts[i], failure);
    check_end();
}
