/* SPDX-License-Identifier: MIT */
/*
 * Interrupt shadows against debug traps and interrupts in 32-bit code, where POP SS exists (APM2 8.5, 8.2.2, 13.1):
 * which shadow holds off what, how long, and how what was held comes.
 *
 * A load of SS is followed by one of rSP, and nothing may come between. QEMU lets STI hold traps and MOV SS no data
 * breakpoints; Bochs is wrong about a trap held over INT n.
 *
 * A row enters a fragment at CPL 0 by IRET with TF, with a breakpoint in DR0 for reads and writes of the selector
 * that is loaded, or with an interrupt pending in the local APIC, and compares the first event: vector, rIP
 * (stop_NAME), and of #DB all of DR6.
 *
 * MOV SS and POP SS hold off single step and data breakpoints for one instruction, also if it is STI; LSS and MOV DS
 * do not, and STI holds no single step. Traps that were held come together, with B0 and BS in DR6. ICEBP is not held,
 * and sets nothing in DR6. STI holds off interrupts for one instruction, and if that is CLI they do not come at all
 * but stay pending; the shadow ends behind it, so that a POPF that would clear IF comes too late. MOV SS and POP SS
 * hold them off, too, also right behind STI (APM3 MOV, POP). POPF has no shadow of its own.
 *
 * If the instruction in the shadow is an INT n, the held trap comes at the first instruction of its handler, as the
 * reports on CVE-2018-8897 describe. RF lets one instruction pass its breakpoint, as single step behind it shows,
 * and not a second time: the next time round it is hit, and the saved RF is 0.
 *
 * Not here: virtual interrupts (svm-vintr), the shadow in the VMCB (svm-vmrun).
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/world32.h"

#define VECTOR 0x90
#define SOFTWARE 0x91
#define DR6_FIXED 0xFFFF0FF0u
#define DR6_BS 0x4000u
#define DR6_B0 1u
#define DR7_FIXED 0x400u
#define DR7_EXECUTE 0x401u
#define DR7_READ_WRITE_2 0x70401u /* DR0: two bytes, reads and writes */

static uint32_t room[64] __attribute__((aligned(8)));
static uint32_t *const watched = room + 48; /* POP SS takes it from here: events are pushed below */

/* stop_NAME is where the event must be, if it comes. EAX has the selector of the stack, EBX the watched word. */
#define CASE(name, text) WORLD_FRAGMENT(name, text) extern const char stop_##name[];
CASE(nop, "nop\nstop_nop: nop\nnop")
CASE(sti, "sti\nstop_sti: nop\nnop\ncli")
CASE(mov_ss, "movl %eax, %ss\nnop\nstop_mov_ss: nop\nnop")
CASE(pop_ss, "popl %ss\nmovl %ecx, %esp\nstop_pop_ss: nop\nnop")
CASE(lss, "lss (%ecx), %esp\nstop_lss: nop\nnop")
CASE(mov_ds, "movl %eax, %ds\nstop_mov_ds: nop\nnop")
CASE(mov_ss_sti, "movl %eax, %ss\nsti\nstop_mov_ss_sti: nop\ncli")
CASE(ss_memory, "movw (%ebx), %ss\nnop\nstop_ss_memory: nop\nnop")
CASE(ds_memory, "movw (%ebx), %ds\nstop_ds_memory: nop\nnop")
CASE(read, "movw (%ebx), %dx\nstop_read: nop\nnop")
CASE(ss_int, "movw (%ebx), %ss\nint $0x91\nstop_ss_int: nop")
CASE(ss_icebp, "movl %eax, %ss\n.byte 0xF1\nstop_ss_icebp: nop")
CASE(sti_window, "sti\nnop\nstop_sti_window: nop\ncli")
CASE(sti_cli, "sti\ncli\nstop_sti_cli: nop\nnop")
CASE(popf, "pushl $0x202\npopfl\nstop_popf: nop\ncli")
CASE(sti_popf, "sti\npushl $2\nstop_sti_popf: popfl\nnop")
CASE(sti_mov_ss, "sti\nmovl %eax, %ss\nnop\nstop_sti_mov_ss: nop\ncli")
CASE(sti_pop_ss, "sti\npopl %ss\nmovl %ecx, %esp\nstop_sti_pop_ss: nop\ncli")
CASE(twice, "stop_twice: nop\njmp stop_twice")

static const struct row {
    const char *what, *at, *stop;
    bool step, watch, pending;
    unsigned vector;
    uint32_t dr6;
} rows[] = {
    { "single step", at_nop, stop_nop, .step = true, .vector = EXC_DB, .dr6 = DR6_BS },
    { "single step of STI", at_sti, stop_sti, .step = true, .vector = EXC_DB, .dr6 = DR6_BS },
    { "single step of MOV SS", at_mov_ss, stop_mov_ss, .step = true, .vector = EXC_DB, .dr6 = DR6_BS },
    { "single step of POP SS", at_pop_ss, stop_pop_ss, .step = true, .vector = EXC_DB, .dr6 = DR6_BS },
    { "single step of LSS", at_lss, stop_lss, .step = true, .vector = EXC_DB, .dr6 = DR6_BS },
    { "single step of MOV DS", at_mov_ds, stop_mov_ds, .step = true, .vector = EXC_DB, .dr6 = DR6_BS },
    { "single step of MOV SS, STI", at_mov_ss_sti, stop_mov_ss_sti, .step = true, .vector = EXC_DB, .dr6 = DR6_BS },
    { "a breakpoint on the operand of MOV SS", at_ss_memory, stop_ss_memory, .watch = true, .vector = EXC_DB,
      .dr6 = DR6_B0 },
    { "a breakpoint on the operand of POP SS", at_pop_ss, stop_pop_ss, .watch = true, .vector = EXC_DB, .dr6 = DR6_B0 },
    { "a breakpoint on the operand of LSS", at_lss, stop_lss, .watch = true, .vector = EXC_DB, .dr6 = DR6_B0 },
    { "a breakpoint on the operand of MOV DS", at_ds_memory, stop_ds_memory, .watch = true, .vector = EXC_DB,
      .dr6 = DR6_B0 },
    { "a breakpoint on a read", at_read, stop_read, .watch = true, .vector = EXC_DB, .dr6 = DR6_B0 },
    { "breakpoint and single step of MOV SS", at_ss_memory, stop_ss_memory, .step = true, .watch = true,
      .vector = EXC_DB, .dr6 = DR6_B0 | DR6_BS },
    { "breakpoint and single step of a read", at_read, stop_read, .step = true, .watch = true, .vector = EXC_DB,
      .dr6 = DR6_B0 | DR6_BS },
    { "ICEBP in the shadow of MOV SS", at_ss_icebp, stop_ss_icebp, .vector = EXC_DB },
    { "an interrupt after STI", at_sti_window, stop_sti_window, .pending = true, .vector = VECTOR },
    { "an interrupt after STI, CLI", at_sti_cli, next_sti_cli, .pending = true, .vector = WORLD_PASSED },
    { "an interrupt after POPF", at_popf, stop_popf, .pending = true, .vector = VECTOR },
    { "an interrupt after STI, MOV SS", at_sti_mov_ss, stop_sti_mov_ss, .pending = true, .vector = VECTOR },
    { "an interrupt after STI, POP SS", at_sti_pop_ss, stop_sti_pop_ss, .pending = true, .vector = VECTOR },
    { "an interrupt after STI, PUSH, POPF", at_sti_popf, stop_sti_popf, .pending = true, .vector = VECTOR },
};

static uint32_t dr6_read(void)
{
    uint32_t value;

    __asm__ volatile("movl %%dr6, %0" : "=r"(value));
    return value;
}

static void arm(const volatile void *address, uint32_t dr7)
{
    __asm__ volatile("movl %0, %%dr6\nmovl %1, %%dr0\nmovl %2, %%dr7" : : "r"(DR6_FIXED), "r"(address), "r"(dr7));
}

static struct world_state state_of(const char *at)
{
    struct world_state state = world_state_at(at, 0);

    watched[0] = WORLD_DATA0;
    state.eax = WORLD_DATA0;
    state.ebx = (uintptr_t)watched;
    state.ecx = state.esp;
    if (at == at_pop_ss || at == at_sti_pop_ss)
        state.esp = (uintptr_t)watched;
    return state;
}

/* LSS loads its offset first: the watched selector lies behind it. */
static void far_pointer(struct world_state *state)
{
    watched[1] = WORLD_DATA0;
    watched[0] = (uintptr_t)world_stack + 2048;
    state->ecx = (uintptr_t)watched;
}

static void one(const struct row *row)
{
    struct world_state state = state_of(row->at);
    const struct world_event *e;
    bool lss = row->at == at_lss, right;
    uint32_t ip = (uintptr_t)row->stop + (row->vector == WORLD_PASSED ? 2 : 0), dr6;

    if (lss)
        far_pointer(&state);
    state.eflags |= row->step ? RFLAGS_TF : 0;
    if (row->pending)
        apic_write(APIC_ICR, APIC_ICR_SELF | APIC_ICR_ASSERT | VECTOR);
    arm(lss ? &watched[1] : &watched[0], row->watch ? DR7_READ_WRITE_2 : DR7_FIXED);
    e = world_run(&state);
    __asm__ volatile("movl %0, %%dr7" : : "r"(DR7_FIXED));
    dr6 = dr6_read();
    right = e->vector == row->vector && e->eip == ip && (row->vector != EXC_DB || dr6 == (DR6_FIXED | row->dr6));
    check_format(right, "%s", row->what);
    if (!right)
        guest_print("# vector %u at %x, want %u at %x; DR6 %x, want %x", e->vector, e->eip, row->vector, ip, dr6,
                    DR6_FIXED | row->dr6);
    if (row->pending && row->vector == WORLD_PASSED) { /* it is still there */
        state = world_state_at(at_sti_window, 0);
        check_equal(world_run(&state)->vector, VECTOR, "which stays pending");
    }
    if (row->pending)
        apic_write(APIC_EOI, 0);
}

static void held_into_a_handler(void)
{
    struct world_state state = state_of(at_ss_int);
    const struct world_event *e;

    arm(watched, DR7_READ_WRITE_2);
    e = world_run(&state);
    __asm__ volatile("movl %0, %%dr7" : : "r"(DR7_FIXED));
    check(e->vector == EXC_DB && e->eip == world_handler(SOFTWARE) && dr6_read() == (DR6_FIXED | DR6_B0),
          "a trap held by MOV SS over an INT n comes at the first instruction of its handler");
}

static void resume_flag(void)
{
    struct world_state state = world_state_at(at_twice, 0);
    const struct world_event *e;

    arm(stop_twice, DR7_EXECUTE);
    e = world_run(&state);
    check(e->vector == EXC_DB && e->eip == (uintptr_t)stop_twice, "an instruction breakpoint is a fault");
    arm(stop_twice, DR7_EXECUTE);
    state.eflags |= RFLAGS_RF | RFLAGS_TF;
    e = world_run(&state);
    check(e->vector == EXC_DB && e->eip == (uintptr_t)stop_twice + 1 && dr6_read() == (DR6_FIXED | DR6_BS),
          "RF lets the instruction pass");
    arm(stop_twice, DR7_EXECUTE);
    state.eflags &= ~RFLAGS_TF;
    e = world_run(&state);
    __asm__ volatile("movl %0, %%dr7" : : "r"(DR7_FIXED));
    check(e->vector == EXC_DB && e->eip == (uintptr_t)stop_twice && dr6_read() == (DR6_FIXED | DR6_B0) &&
          !(e->eflags & RFLAGS_RF), "once: the next time round it is hit");
}

void guest_main(void)
{
    world_begin();
    apic_enable();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        one(&rows[i]);
    held_into_a_handler();
    resume_flag();
    check_end();
}
