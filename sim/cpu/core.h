/* SPDX-License-Identifier: MIT */
/*
 * One processor core, as seen inside sim/cpu only (others use cpu/cpu.h).
 * Layers: isa <- decode <- exec <- {event, svm, apic} <- interp. A lower layer never calls a higher one:
 * it returns an outcome, and interp acts on it.
 */
#ifndef FAM10H_CPU_CORE_H
#define FAM10H_CPU_CORE_H

#include "sim/bits.h"
#include "sim/bus.h"
#include "sim/clock.h"
#include "sim/cpu/cpu.h"
#include "sim/mce/mce.h"
#include "sim/mmu/mmu.h"
#include "sim/unmodelled.h"

/* ---- Names --------------------------------------------------------------------------------------- */

enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPR_COUNT };

/* Order of the VMCB's records and of ModRM.reg for the first six. */
enum segment_name { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

enum vector {
    EXC_DE, EXC_DB, EXC_NMI, EXC_BP, EXC_OF, EXC_BR, EXC_UD, EXC_NM, EXC_DF, EXC_TS = 10, EXC_NP, EXC_SS,
    EXC_GP, EXC_PF, EXC_MF = 16, EXC_AC, EXC_MC, EXC_XF, EXC_SX = 30
};

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME BIT(0)
#define CR4_PVI BIT(1)
#define CR4_TSD BIT(2)
#define CR4_DE BIT(3)
#define CR4_PSE BIT(4)
#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_PGE BIT(7)
#define CR4_PCE BIT(8)
#define CR4_OSFXSR BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_IMPLEMENTED bits_mask(10, 0)

#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define EFER_SVME BIT(12)
#define EFER_LMSLE BIT(13)
#define EFER_FFXSE BIT(14)

#define RFLAGS_CF BIT(0)
#define RFLAGS_PF BIT(2)
#define RFLAGS_AF BIT(4)
#define RFLAGS_ZF BIT(6)
#define RFLAGS_SF BIT(7)
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_DF BIT(10)
#define RFLAGS_OF BIT(11)
#define RFLAGS_IOPL bits_mask(13, 12)
#define RFLAGS_NT BIT(14)
#define RFLAGS_RF BIT(16)
#define RFLAGS_VM BIT(17)
#define RFLAGS_AC BIT(18)
#define RFLAGS_VIF BIT(19)
#define RFLAGS_VIP BIT(20)
#define RFLAGS_ID BIT(21)
#define RFLAGS_ARITH (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* ---- Segments ------------------------------------------------------------------------------------ */

/* Hidden part in the VMCB's format (APM2 15.5.1): attr = descriptor bits 47:40 and 55:52. */
struct segment {
    uint16_t selector;
    uint16_t attr;
    uint32_t limit; /* in bytes, expanded */
    uint64_t base;
};

#define ATTR_TYPE 3, 0
#define ATTR_S 4
#define ATTR_DPL 6, 5
#define ATTR_P 7
#define ATTR_AVL 8
#define ATTR_L 9
#define ATTR_DB 10
#define ATTR_G 11

struct table_register {
    uint64_t base;
    uint16_t limit;
};

/* Operating mode of the code that runs, derived from CR0.PE, EFER.LMA, RFLAGS.VM and CS. */
enum mode { MODE_REAL, MODE_VIRTUAL_8086, MODE_PROTECTED, MODE_COMPATIBILITY, MODE_64BIT };

/* ---- What an instruction comes to ------------------------------------------------------------------ */

enum outcome {
    OUTCOME_NEXT,     /* retired: rip becomes next_rip */
    OUTCOME_REPEAT,   /* one step of a REP instruction: rip stays, interrupts may be taken */
    OUTCOME_FAULT,    /* core->fault is to be delivered; rip stays at the instruction */
    OUTCOME_TRAP,     /* retired, then core->fault is delivered (INT3, INTO: rip becomes next_rip first) */
    OUTCOME_SOFT_INT, /* INT n: deliver core->fault.vector as a software interrupt */
    OUTCOME_IRET,     /* IRET of operand size core->pending.size, not yet begun */
    OUTCOME_TASK,     /* a far transfer met a TSS or task gate: core->pending holds selector and cause */
    OUTCOME_HALT,     /* HLT: retired, then wait */
    OUTCOME_MWAIT,    /* MWAIT with an armed line: retired, then wait */
    OUTCOME_VMRUN,    /* world switch into the guest at core->pending.address */
    OUTCOME_RSM,      /* RSM in SMM: back to what the save map holds */
    OUTCOME_VMEXIT,   /* intercepted: core->exit is filled; rip stays unless exit.rip_next */
    OUTCOME_SHUTDOWN, /* triple fault */
    OUTCOME_STOP      /* retired; core_run must return (debug-exit port, native memory exhausted ...) */
};

/* Kinds of event, numbered as EVENTINJ.TYPE (APM2 15.20). */
enum event_kind { EVENT_INTR = 0, EVENT_NMI = 2, EVENT_EXCEPTION = 3, EVENT_SOFT_INT = 4 };

struct event {
    uint8_t vector;
    uint8_t kind;      /* enum event_kind */
    bool has_error;
    uint32_t error;
    uint64_t address;  /* #PF: CR2; #DB: bits to or into DR6 */
    bool icebp;        /* F1: through vector 1 but not through the #DB intercept */
    bool breakpoint;   /* INT3/INTO: the gate's DPL is checked although the kind is exception */
};

/* Why OUTCOME_TASK, OUTCOME_IRET or OUTCOME_VMRUN. */
struct pending {
    uint16_t selector;
    uint8_t size;      /* operand size in bytes */
    bool is_call, is_jump;
    uint64_t address;
};

/* #VMEXIT to be taken: written to the VMCB by svm. */
struct vmexit {
    uint64_t code;
    uint64_t info1, info2;
    bool rip_next;     /* save next_rip, not rip (trap-like exits) */
};

/* SVM: what the running guest intercepts. Words as in the VMCB: bit (code & 31) of word (code >> 5). */
#define INTERCEPT_WORDS 5

struct svm_core {
    bool guest;                          /* between VMRUN and #VMEXIT */
    uint32_t intercept[INTERCEPT_WORDS]; /* all zero in the host */
    spa_t vmcb;                          /* of the running guest */
    spa_t iopm, msrpm;
    uint64_t tsc_offset;
    uint16_t asid;
    bool np_enable;
    bool secure_startup;                 /* another core's SKINIT found this one in INIT */
    bool lbr_virtual;                    /* DebugCtl and LBRs are the guest's own */
    uint64_t n_cr3;
    uint64_t host_pat;
    uint64_t host_cr0, host_cr4, host_efer; /* paging mode of the nested tables */
    /* virtual interrupts (VMCB 060) */
    uint8_t v_tpr, v_intr_prio, v_intr_vector;
    bool v_irq, v_ign_tpr, v_intr_masking;
    bool host_if;                        /* RFLAGS.IF saved at VMRUN: gates physical INTR with masking */
    struct event delivering;             /* for EXITINTINFO; valid while delivering_valid */
    bool delivering_valid;
    struct event inject;                 /* EVENTINJ of the VMRUN just done: interp delivers it before the */
    bool inject_valid;                   /* first guest instruction and clears the flag; no intercept applies */
    /* the last MOV to CR8 in a guest, carried out or intercepted: for cr8.unmasked alone */
    bool cr8_valid;                      /* no interrupt has been counted for it */
    spa_t cr8_vmcb;                      /* whose */
    uint64_t cr8_next_rip;
    uint8_t cr8_before;                  /* the level until then */
    /* MSRs */
    uint64_t vm_cr, vm_hsave_pa, svm_key;
    bool gif;
    uint64_t entry_cycle;                /* when this VMRUN began, for the exit table */
    uint64_t exit_cycle;                 /* when the last #VMEXIT began */
    uint64_t halted_cycles;              /* all cycles this core ever waited in HLT; interp adds to it */
    struct svm_counters *count;          /* svm/exits.h */
    struct exit_table *own_exits;        /* NULL when the machine gave one (core->exits) */
};

/* System-management mode (APM2 chapter 10); smm/smm.h. */
struct smm_core {
    bool active;              /* between SMI and RSM (or SMM_CTL's enter and exit) */
    bool internal;            /* an I/O trap asks for an SMI at the next boundary */
    bool was_halted;          /* this boundary ended a HLT */
    bool nmi_masked;          /* before SMM_CTL's enter */
    uint32_t status;          /* local SMI status, FEC4 of the save map: what the next SMI reports */
    uint64_t held_dr6;        /* #DB traps that an SMI was faster than: taken after RSM */
    bool io_valid;            /* this boundary follows an I/O access: */
    uint32_t io_info;         /* ... as EXITINFO1 of VMEXIT_IOIO, with bit 1 VALID and bit 11 TF */
    uint64_t io_rip, io_rcx, io_rsi, io_rdi; /* before it */
    /* derived from MSRs and `active` by smm_changed */
    bool windows;             /* ASeg or TSeg is enabled: memory is not what the map says everywhere */
    bool io_traps;
    bool fetching;            /* what memory is asked for now is instruction bytes */
    uint8_t no_flags;         /* page flags of ASeg's DRAM: nobody watches it */
    struct spa_space *memory; /* the machine's; core->space is `view` */
    struct spa_space view;
};

/*
 * The four performance counters (model/perf.h). A counter is brought up to date when software looks at it and
 * whenever what decides about counting changes; between, the model's own counters do the work.
 */
#define PERF_COUNTERS 4
struct perf_core {
    uint64_t last[PERF_COUNTERS]; /* value of its event when the counter was last brought up to date */
    bool user, guest;             /* who has run since */
    bool overflowed;              /* a counter with INT did: LVT_PERFORMANCE at the next boundary */
    /* derived from PERF_CTL by perf_changed */
    uint8_t enabled;              /* a bit for each counter that counts something */
    bool interrupts;              /* one of them interrupts on overflow */
    bool exact;                   /* one of them needs a boundary behind every instruction */
};

/* Instruction-based sampling (model/ibs.h). */
struct ibs_core {
    uint64_t fetch_count, op_count; /* since the last sample */
    uint64_t fetch_last, op_last;   /* their clocks when they were last brought up to date */
    bool counting;                  /* derived by ibs_changed: one of them runs */
};

/* ---- Flags, lazily ------------------------------------------------------------------------------- */

/*
 * Arithmetic flags are the result's until somebody asks. exec/flags.h is the only reader of `lazy`;
 * everybody else calls rflags_read and rflags_write.
 */
struct lazy_flags {
    uint8_t kind;  /* enum lazy_kind in exec/flags.h; 0: `rflags` is exact */
    uint8_t size;  /* operand size in bytes */
    uint64_t result, a, b;
};

/* ---- The core ------------------------------------------------------------------------------------- */

/* ---- x87, MMX and SSE registers ------------------------------------------------------------------- */

union lanes {
    uint8_t b[16];
    uint16_t w[8];
    uint32_t d[4];
    uint64_t q[2];
};

/* 80 bits. The significand is also an MMX register. */
struct x87_register {
    uint64_t significand;
    uint16_t exponent; /* sign in bit 15 */
};

struct x87 {
    struct x87_register reg[8]; /* by physical number: ST(i) is reg[(TOP + i) & 7] */
    uint16_t control, status;   /* FCW; FSW with TOP */
    uint8_t full;               /* a bit for each register that is not empty */
    uint16_t opcode;            /* FOP: low three bits of the first byte, ModRM byte */
    uint64_t instruction, data; /* offsets of the last non-control instruction and of its operand */
    uint16_t code_selector, data_selector;
    bool error_reported;        /* CR0.NE = 0: FERR# was asserted for the pending exception */
    bool error_ignored;         /* and answered by IGNNE# */
};

struct local_apic;   /* apic/apic.h */
struct block_cache;  /* interp/block.h */
struct exit_table;   /* svm/exits.h */

struct core {
    /* hot */
    uint64_t gpr[GPR_COUNT];
    uint64_t zero;      /* always 0: stands for an address register that an instruction does not have (exec/quick.h) */
    uint64_t rip, next_rip;
    uint64_t rflags; /* use rflags_read/rflags_write */
    struct lazy_flags lazy;
    struct segment seg[SEG_COUNT];
    uint8_t mode;       /* enum mode */
    uint8_t cpl;
    uint8_t code_size;  /* default operand size of CS: 2, 4 (64-bit mode: 4) */
    uint8_t stack_size; /* 2, 4 or 8 */
    uint8_t access;     /* MMU_USER when cpl == 3, else 0: or-ed into every explicit access */
    struct mmu *mmu;
    uint64_t cycles;    /* master clock of this core */
    uint64_t limit;     /* core_run returns at the first boundary with cycles >= limit */
    uint64_t horizon;   /* the one test between instructions: `limit`, or 0 after core_attention */
    uint64_t instructions; /* retired */
    struct event fault;
    union lanes xmm[16];
    uint32_t mxcsr;
    struct x87 x87;
    struct pending pending;
    struct vmexit exit;
    struct svm_core svm;
    struct smm_core smm;
    struct perf_core perf;
    struct mca_core mca;
    struct ibs_core ibs;

    /* system registers */
    struct table_register gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, efer;
    uint64_t pdpte[4];
    uint64_t dr[4], dr6, dr7;
    uint64_t pat;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t tsc_aux, tsc_offset_host;  /* TSC = cycles + tsc_offset_host (+ svm.tsc_offset in a guest) */
    uint64_t hwcr;

    /* between instructions */
    bool repeating;         /* a string instruction has made some of its steps: RF in what is saved (APM2 3.1.6) */
    bool interrupt_shadow;  /* STI, MOV SS, POP SS: the next boundary takes no INTR (and no #DB trap) */
    bool shadow_blocks_debug; /* MOV SS/POP SS only */
    bool nmi_masked, nmi_pending, init_pending, smi_pending, mc_pending; /* mc: how is mca.raised */
    bool halted, mwaiting, waiting_for_sipi, shutdown;
    bool mwait_breaks;      /* MWAIT with ECX[0]: a masked INTR ends the wait too */
    bool breakpoint_passed; /* the breakpoint hook stopped here: do not ask again for this instruction */
    bool intr_line;         /* 8259 INTR level on LINT0 */
    uint8_t tpr;            /* local APIC register 080; here because bits 7:4 are CR8 */
    uint64_t pending_dr6;   /* #DB trap conditions collected by the current instruction */
    bool data_breakpoints;  /* DR7 enables a data or I/O breakpoint: memory accesses leave the fast path */
    bool code_breakpoints;
    spa_t monitor_line;     /* armed 64-byte line, or NEVER */
    bool stop_request;      /* core_run returns after this instruction */

    /* surroundings */
    unsigned index, node, in_node; /* machine-wide index; node number; number inside the node */
    unsigned cores_in_node;
    uint8_t initial_apic_id;
    bool bsp;
    const struct cpu_model *model;
    struct spa_space *space;        /* as this core sees it now: smm.view */
    struct pio_space *pio;
    struct clock *clock;
    struct irq_line numeric_error;
    struct halt_port halts;
    struct secure_launch secure_launch;
    struct unmodelled *unmodelled;
    struct local_apic *apic;
    struct mmio_region apic_page;   /* base moves with APIC_BAR; size 0 when disabled */
    struct block_cache *blocks;     /* shared by the machine's cores */
    struct exit_table *exits;
    struct core_hooks hooks;
    const struct core_watch *watch; /* NULL: nobody */
    bool watched;                   /* it is told of the instruction that runs: decided at each boundary (run.c) */
    struct msr_bank banks[16];
    size_t bank_count;
    struct msr_storage *msr;        /* model/msr.h: storage of the core's own plain MSRs */
    struct core_counters *count;    /* core_counters.h */
    bool smash_1g;                  /* what firmware sets BU_CFG2[29] to: the geometry says */
    bool reference;
};

/* An access has just met an error that this core reports: it faults now. Under GIF = 0 the #MC waits, as it may. */
static inline bool core_met_error(const struct core *core)
{
    return core->mc_pending && (core->mca.raised & MCA_RAISE_PRECISE) && core->svm.gif;
}

/* ---- Small things every layer needs --------------------------------------------------------------- */

static inline bool core_in_64bit(const struct core *core)
{
    return core->mode == MODE_64BIT;
}

static inline bool core_in_long_mode(const struct core *core)
{
    return (core->efer & EFER_LMA) != 0;
}

/* Real mode or virtual-8086: selectors are paragraphs. */
static inline bool core_in_real_style(const struct core *core)
{
    return core->mode <= MODE_VIRTUAL_8086;
}

/* Whether the running guest intercepts `code` (VMEXIT codes 000-09F). Never in the host. */
static inline bool intercepts(const struct core *core, unsigned code)
{
    return (core->svm.intercept[code >> 5] >> (code & 31)) & 1;
}

/* Leave by #VMEXIT: `return core_vmexit(core, VMEXIT_MSR, 1, 0);` */
static inline enum outcome core_vmexit(struct core *core, uint64_t code, uint64_t info1, uint64_t info2)
{
    core->exit = (struct vmexit){ .code = code, .info1 = info1, .info2 = info2 };
    return OUTCOME_VMEXIT;
}

/* Raise a fault: `return core_fault(core, EXC_UD);` and, with an error code, core_fault_code. */
static inline enum outcome core_fault(struct core *core, uint8_t vector)
{
    core->fault = (struct event){ .vector = vector, .kind = EVENT_EXCEPTION };
    return OUTCOME_FAULT;
}

static inline enum outcome core_fault_code(struct core *core, uint8_t vector, uint32_t error)
{
    core->fault = (struct event){ .vector = vector, .kind = EVENT_EXCEPTION, .has_error = true, .error = error };
    return OUTCOME_FAULT;
}

/* Recompute mode, cpl-dependent access bits, code_size, stack_size (core.c). After any change of CR0,
 * EFER, CS, SS, CPL or RFLAGS.VM. Also gives the MMU its new struct paging if `paging` is true. */
void core_mode_changed(struct core *core, bool paging);

/* Recompute data_breakpoints and code_breakpoints. After any change of DR7 (core.c). */
void core_debug_changed(struct core *core);

/* SMM was entered or left, or one of its MSRs written: derived state anew, no stale native pointer (smm/smm.c). */
void smm_changed(struct core *core);

/* Bring the performance counters up to date before CPL or guest mode changes (model/perf.c). */
void perf_sync(struct core *core);

/*
 * The next boundary has something to look at: an event arrived, or IF, TF, TPR, GIF, a shadow or a wait
 * changed outside a row marked A_END. Cheap; calling it needlessly changes nothing but speed.
 */
static inline void core_attention(struct core *core)
{
    core->horizon = 0;
}

/* A STARTUP message reached a core that waits for it: real mode at vector * 1000h (core.c). */
void core_startup(struct core *core, uint8_t vector);

/* Machine time of this core, and telling the clock that this core acts now (before a device access). */
uint64_t core_now_ps(const struct core *core);
void core_touch_clock(struct core *core);
/* Reads the time that all cores share: before the next instruction the others come as far (struct clock, observed). */
void core_observe_time(struct core *core);
/* Both, for a device outside the core. */
void core_touch_devices(struct core *core);

#endif
