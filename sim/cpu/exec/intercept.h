/* SPDX-License-Identifier: MIT */
/*
 * What a running guest intercepts: exit codes by the manual's names (APM2 appendix C) and the tests that
 * instruction semantics and event delivery need. They read the intercept state; taking the #VMEXIT is svm's.
 */
#ifndef FAM10H_CPU_EXEC_INTERCEPT_H
#define FAM10H_CPU_EXEC_INTERCEPT_H

#include "sim/cpu/core.h"

/* EXITCODE. The codes up to 09Fh are also the index of the intercept bit: intercepts(core, VMEXIT_HLT). */
enum vmexit_code {
    VMEXIT_CR0_READ = 0x000, /* + n */
    VMEXIT_CR3_READ = 0x003,
    VMEXIT_CR8_READ = 0x008,
    VMEXIT_CR0_WRITE = 0x010, /* + n */
    VMEXIT_CR3_WRITE = 0x013,
    VMEXIT_CR8_WRITE = 0x018,
    VMEXIT_DR0_READ = 0x020,  /* + n */
    VMEXIT_DR0_WRITE = 0x030, /* + n */
    VMEXIT_EXCP0 = 0x040,     /* + vector */
    VMEXIT_INTR = 0x060,
    VMEXIT_NMI = 0x061,
    VMEXIT_SMI = 0x062,
    VMEXIT_INIT = 0x063,
    VMEXIT_VINTR = 0x064,
    VMEXIT_CR0_SEL_WRITE = 0x065,
    VMEXIT_IDTR_READ = 0x066,
    VMEXIT_GDTR_READ = 0x067,
    VMEXIT_LDTR_READ = 0x068,
    VMEXIT_TR_READ = 0x069,
    VMEXIT_IDTR_WRITE = 0x06A,
    VMEXIT_GDTR_WRITE = 0x06B,
    VMEXIT_LDTR_WRITE = 0x06C,
    VMEXIT_TR_WRITE = 0x06D,
    VMEXIT_RDTSC = 0x06E,
    VMEXIT_RDPMC = 0x06F,
    VMEXIT_PUSHF = 0x070,
    VMEXIT_POPF = 0x071,
    VMEXIT_CPUID = 0x072,
    VMEXIT_RSM = 0x073,
    VMEXIT_IRET = 0x074,
    VMEXIT_SWINT = 0x075,
    VMEXIT_INVD = 0x076,
    VMEXIT_PAUSE = 0x077,
    VMEXIT_HLT = 0x078,
    VMEXIT_INVLPG = 0x079,
    VMEXIT_INVLPGA = 0x07A,
    VMEXIT_IOIO = 0x07B,
    VMEXIT_MSR = 0x07C,
    VMEXIT_TASK_SWITCH = 0x07D,
    VMEXIT_FERR_FREEZE = 0x07E,
    VMEXIT_SHUTDOWN = 0x07F,
    VMEXIT_VMRUN = 0x080,
    VMEXIT_VMMCALL = 0x081,
    VMEXIT_VMLOAD = 0x082,
    VMEXIT_VMSAVE = 0x083,
    VMEXIT_STGI = 0x084,
    VMEXIT_CLGI = 0x085,
    VMEXIT_SKINIT = 0x086,
    VMEXIT_RDTSCP = 0x087,
    VMEXIT_ICEBP = 0x088,
    VMEXIT_WBINVD = 0x089,
    VMEXIT_MONITOR = 0x08A,
    VMEXIT_MWAIT = 0x08B,
    VMEXIT_MWAIT_CONDITIONAL = 0x08C, /* taken only if the monitor is armed; tested before 08Bh */
    VMEXIT_NPF = 0x400
};
#define VMEXIT_INVALID UINT64_MAX /* -1, all 64 bits */

/* The codes as a dense index: 000-08C, then VMEXIT_NPF and VMEXIT_INVALID. VMEXIT_KINDS for no code. */
#define VMEXIT_KINDS 0x8F
unsigned vmexit_kind(uint64_t code);
extern const char *const vmexit_names[VMEXIT_KINDS];

/* EXITINFO1 of VMEXIT_IOIO (APM2 15.10.2). Bits 12:10, the segment, came after Family 10h. */
#define IOIO_TYPE_IN 0
#define IOIO_STR 2
#define IOIO_REP 3
#define IOIO_SZ8 4  /* SZ16 and SZ32 follow */
#define IOIO_A16 7  /* A32 and A64 follow */
#define IOIO_PORT 31, 16

/* EXITINFO2 of VMEXIT_TASK_SWITCH (APM2 15.14.1). */
#define TASK_SWITCH_IRET 36
#define TASK_SWITCH_JUMP 38
#define TASK_SWITCH_HAS_ERROR 44
#define TASK_SWITCH_RF 48

/*
 * RDMSR (write false) or WRMSR of `msr`: MSR_PROT set and its bit in the MSRPM, or outside the map.
 * Test after #UD and the CPL's #GP, before the MSR's own rules (APM2 15.11).
 * On true: `return core_vmexit(core, VMEXIT_MSR, write, 0);`, unless the map itself read wrong (core_met_error): #MC.
 */
bool svm_msr_intercepted(struct core *core, uint32_t msr, bool write);

/* IOIO_PROT set and the IOPM's bit of any byte of the access (APM2 15.10.1). It may read wrong as well. */
bool svm_io_intercepted(struct core *core, uint16_t port, unsigned size);

/* EXITINFO1 of an intercepted IN, OUT, INS or OUTS; EXITINFO2 is the rIP of the following instruction. */
uint64_t svm_ioio_info(uint16_t port, unsigned size, unsigned address_size, bool in, bool string, bool rep);

/* Who writes CR0: the selective intercept treats them apart (APM2 15.8.1). */
enum cr0_writer { CR0_BY_MOV, CR0_BY_LMSW, CR0_BY_CLTS };

/* Whether this write of CR0 exits, and with which code: 010h, or 065h for the selective intercept. */
bool svm_cr0_write_intercepted(const struct core *core, uint64_t value, enum cr0_writer writer, uint64_t *code);

/*
 * Whether an event about to be delivered is an intercepted exception. External and software interrupts
 * never match, nor ICEBP (F1); bits 2 and 9 of the exception word do nothing (APM2 15.12).
 */
bool svm_exception_intercepted(const struct core *core, const struct event *event);

/* ---- CR8 ---------------------------------------------------------------------------------------------- */

/* CR8[3:0]: V_TPR with V_INTR_MASKING, else bits 7:4 of the local APIC's TPR (APM2 15.21.2). */
static inline uint64_t cr8_read(const struct core *core)
{
    return core->svm.v_intr_masking ? core->svm.v_tpr & 0xF : core->tpr >> 4;
}

/* `value` is 0..15 (the caller raised #GP for more). Without masking a guest writes both registers. */
static inline void cr8_write(struct core *core, uint64_t value)
{
    if (core->svm.guest)
        core->svm.v_tpr = (uint8_t)value;
    if (!core->svm.v_intr_masking)
        core->tpr = (uint8_t)(value << 4); /* clears TPR[3:0] (APM2 16.6.4) */
    core_attention(core);
}

/* What a completed MOV to or from CR8 counts as. */
void cr8_count(struct core *core, bool write);
/* A guest is about to write CR8, be that intercepted or not; next_rip is behind the MOV. Counting only. */
void cr8_write_begins(struct core *core);
/*
 * An external interrupt is about to be given to the guest, by V_IRQ or EVENTINJ. cr8.unmasked counts it if nothing
 * ran since the guest's last MOV to CR8, and that lowered the level from one that masks the vector to one that
 * does not. All of it is what the guest does and gets, nothing is what the hypervisor keeps: an independent count.
 * deviation: one is missed if its vCPU left the core, or shared it with another's MOV to CR8, in between.
 */
void cr8_interrupt_arrives(struct core *core, uint8_t vector);

#endif
