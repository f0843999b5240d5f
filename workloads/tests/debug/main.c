/* SPDX-License-Identifier: MIT */
/*
 * Debug exceptions and single step of 64-bit code (APM2 13.1, 8.5, 8.2.2): before or after which instruction #DB
 * comes, and what DR6 says of its cause.
 *
 * A debugger learns from rIP what has run, and from DR6 why it stopped. QEMU lets the shadow of STI hold the trap
 * off, and does not align data breakpoints to their length.
 *
 * exception_try calls a few instructions at CPL 0, with a label where the trap should point and at most DR0 armed;
 * vector, saved rIP and all of DR6 are compared. The 8259s are masked, so that STI lets nothing in.
 *
 * Single step comes after the instruction behind the POPF that sets TF, be it NOP or PUSHF, and of a REP string
 * after its first step, at itself. STI holds interrupts off but not the trap; MOV SS holds the trap off for one
 * instruction, also if that one is STI.
 *
 * Instruction breakpoints are faults: rIP is their own, and RF is 0 in the saved RFLAGS. With RF, as IRET sets it,
 * the instruction passes its breakpoint. Data breakpoints are traps: rIP is the next instruction. A write breakpoint
 * does not see a read, one for reads and writes does; any byte of the access hits it, the byte below does not;
 * lengths 2 and 8 align the address down. If MOV SS reads the watched word, the trap comes one instruction later.
 *
 * With DR7.GD an access to a debug register is #DB before it, with BD in DR6; GD is clear then, or the next DR7
 * write would fault. ICEBP is a trap of vector 1 and leaves DR6. A new breakpoint replaces DR6's B bits; BS and BD
 * stay until software clears them.
 *
 * That RF lasts for one instruction, POP SS and held traps are in debug-shadows.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define DR6_FIXED 0xFFFF0FF0ull
#define DR6_BS 0x4000u
#define DR6_BD 0x2000u
#define DR7_FIXED 0x400u
#define DR7_GD 0x2000u
#define RFLAGS_TF 0x100u
#define RFLAGS_RF 0x10000u
#define W 1u
#define RW 3u
#define LENGTH(n) ((n) << 2)
#define BREAK0(kind) (DR7_FIXED | 1u | (kind) << 16)

extern uint8_t data[64], copy[64]; /* named in assembly */
uint8_t data[64] __attribute__((aligned(64)));
uint8_t copy[64];

/* Each function here is one experiment; the labels are where the trap should point. */
#define TF_ON "pushfq\norq $0x100, (%%rsp)\npopfq\n"
#define EXPERIMENT(name, text)                                                                   \
    static void name(void *unused)                                                               \
    {                                                                                            \
        (void)unused;                                                                            \
        __asm__ volatile(text : : : "rax", "rcx", "rdx", "rsi", "rdi", "memory");                \
    }
extern const char step_1[], rep_1[], sti_1[], ss_2[], both_2[], bp_at[], write_next[], read_ss_next[], gd_at[],
    icebp_next[], pushf_1[], write_8_next[], read_8_next[], resumed[];
EXPERIMENT(step, TF_ON "nop\nstep_1: nop\nnop")
EXPERIMENT(step_rep, "leaq data(%%rip), %%rsi\nleaq copy(%%rip), %%rdi\nmovl $5, %%ecx\n" TF_ON "rep_1: rep movsb\nnop")
EXPERIMENT(step_sti, TF_ON "sti\nsti_1: nop\ncli")
EXPERIMENT(step_ss, "movl %%ss, %%eax\n" TF_ON "movl %%eax, %%ss\nnop\nss_2: nop\nnop")
EXPERIMENT(step_both, "movl %%ss, %%eax\nsti\ncli\n" TF_ON "movl %%eax, %%ss\nsti\nboth_2: nop\ncli")
EXPERIMENT(breakpoint, "bp_at: nop\nnop")
EXPERIMENT(write_1, "movb $1, data+8(%%rip)\nwrite_next: nop\nnop")
EXPERIMENT(write_8, "movq $1, data+8(%%rip)\nwrite_8_next: nop\nnop")
EXPERIMENT(read_8, "movq data+8(%%rip), %%rax\nread_8_next: nop\nnop")
EXPERIMENT(read_ss, "movw data+8(%%rip), %%ss\nnop\nread_ss_next: nop\nnop")
EXPERIMENT(access_dr, "gd_at: mov %%dr0, %%rax")
EXPERIMENT(icebp, ".byte 0xF1\nicebp_next: nop")
EXPERIMENT(pushf, TF_ON "pushfq\npushf_1: popq %%rax\nnop")

/* IRET to the NOP at `resumed`, with these bits more in RFLAGS. */
static void resume(void *flags)
{
    __asm__ volatile("movq %%rsp, %%rdx\nmovl %%ss, %%eax\npushq %%rax\npushq %%rdx\npushfq\norq %0, (%%rsp)\n"
                     "movl %%cs, %%eax\npushq %%rax\nleaq resumed(%%rip), %%rax\npushq %%rax\niretq\nresumed: nop"
                     : : "r"(flags) : "rax", "rdx", "memory");
}

static uint64_t dr6(void)
{
    uint64_t value;

    __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    return value;
}

static void arm(const volatile void *address, uint64_t dr7)
{
    __asm__ volatile("mov %0, %%dr6\nmov %1, %%dr0\nmov %2, %%dr7" : : "r"(DR6_FIXED), "r"(address), "r"(dr7));
}

static void disarm(void)
{
    __asm__ volatile("mov %0, %%dr7\nmov %1, %%dr6" : : "r"((uint64_t)DR7_FIXED), "r"(DR6_FIXED));
}

/* #DB at this address (NULL: none at all) with these conditions in DR6. */
static void expect(void (*function)(void *), const char *at, uint64_t conditions, const char *what)
{
    struct exception got = exception_try(function, NULL);
    uint64_t seen;

    __asm__ volatile("mov %0, %%dr7" : : "r"((uint64_t)DR7_FIXED));
    seen = dr6();
    if (!at) {
        check(got.vector == EXC_NONE, what);
        return;
    }
    check(got.vector == EXC_DB && got.ip == (uintptr_t)at && seen == (DR6_FIXED | conditions), what);
    if (got.vector != EXC_DB || got.ip != (uintptr_t)at || seen != (DR6_FIXED | conditions))
        guest_print("# vector %u at %lx, want %lx; DR6 %llx, want %llx", got.vector, (unsigned long)got.ip,
                    (unsigned long)at, (unsigned long long)seen, (unsigned long long)(DR6_FIXED | conditions));
    disarm();
}

static void steps(void)
{
    expect(step, step_1, DR6_BS, "single step: after the instruction behind the POPF that sets TF");
    expect(step_rep, rep_1, DR6_BS, "a REP string: after its first step, at itself");
    expect(step_sti, sti_1, DR6_BS, "STI's shadow does not hold the trap off");
    expect(step_ss, ss_2, DR6_BS, "MOV SS holds it off for one instruction");
    expect(step_both, both_2, DR6_BS, "STI in the shadow of MOV SS: the trap comes after it");
    expect(pushf, pushf_1, DR6_BS, "PUSHF steps as any other");
}

static void breakpoints(void)
{
    struct exception got;

    arm(bp_at, BREAK0(0));
    expect(breakpoint, bp_at, 1, "an instruction breakpoint is a fault: rIP is its own");
    arm(bp_at, BREAK0(0));
    got = exception_try(breakpoint, NULL);
    disarm();
    check(got.vector == EXC_DB && !(got.flags & RFLAGS_RF),
          "RF is 0 in the saved RFLAGS of #DB's fault unless it was set");
    arm(resumed, BREAK0(0));
    expect(resume, resumed, 1, "IRET without RF: the breakpoint is hit");
    arm(resumed, BREAK0(0));
    got = exception_try(resume, (void *)(uintptr_t)RFLAGS_RF);
    disarm();
    check(got.vector == EXC_NONE, "IRET sets RF, which lets the instruction pass its breakpoint");
    arm(data + 8, BREAK0(W));
    expect(write_1, write_next, 1, "a data breakpoint is a trap: rIP is the next instruction");
    arm(data + 8, BREAK0(W));
    expect(read_8, NULL, 0, "a write breakpoint does not see a read");
    disarm();
    arm(data + 15, BREAK0(W));
    expect(write_8, write_8_next, 1, "any byte of the access hits it");
    arm(data + 15, BREAK0(RW));
    expect(read_8, read_8_next, 1, "a read-or-write breakpoint sees reads");
    arm(data + 7, BREAK0(W));
    expect(write_8, NULL, 0, "the byte below does not");
    disarm();
    arm(data + 15, BREAK0(W | LENGTH(2u)));
    expect(write_1, write_next, 1, "length 8 is aligned: the low address bits do not matter");
    arm(data + 9, BREAK0(W | LENGTH(1u)));
    expect(write_1, write_next, 1, "so is length 2");
    __asm__ volatile("movw %%ss, %0" : "=m"(data[8]) : : "memory");
    arm(data + 8, BREAK0(RW));
    expect(read_ss, read_ss_next, 1, "a data breakpoint on the operand of MOV SS comes one instruction later");
}

static void others(void)
{
    arm(NULL, DR7_FIXED | DR7_GD);
    expect(access_dr, gd_at, DR6_BD, "DR7.GD: an access to a debug register is #DB before it");
    __asm__ volatile("mov %0, %%dr6" : : "r"(DR6_FIXED | DR6_BS));
    expect(icebp, icebp_next, DR6_BS, "ICEBP is a trap of vector 1 and leaves DR6");
    __asm__ volatile("mov %0, %%dr6" : : "r"(DR6_FIXED | DR6_BS | DR6_BD | 8));
    __asm__ volatile("mov %0, %%dr0\nmov %1, %%dr7" : : "r"(bp_at), "r"((uint64_t)BREAK0(0)));
    expect(breakpoint, bp_at, DR6_BS | DR6_BD | 1, "a new breakpoint replaces the B bits and keeps BS and BD");
}

void guest_main(void)
{
    exceptions_init();
    port_write8(0x21, 0xFF);
    port_write8(0xA1, 0xFF);
    steps();
    breakpoints();
    others();
    check_end();
}
