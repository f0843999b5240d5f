/* SPDX-License-Identifier: MIT */
/* The processor as the rest of the simulator sees it: cores, their models, their pins and reports. */
#ifndef FAM10H_CPU_H
#define FAM10H_CPU_H

#include <glib.h>

#include "sim/bus.h"
#include "sim/clock.h"
#include "sim/mce/mce.h"
#include "sim/mmu/mmu.h"

struct core;
struct counter_set;
struct executed_image;
struct state;
struct unmodelled;

/* ---- Models ---------------------------------------------------------------------------------------- */

struct cpuid_row {
    uint32_t leaf;
    uint32_t eax, ebx, ecx, edx;
};

/* Cycles of what is not an instruction's own work (interp charges them; svm the last two). */
struct cpu_costs {
    unsigned exception, interrupt, task_switch; /* delivery through the IDT; a hardware task switch */
    unsigned vmrun, vmexit;                     /* the two halves of a world switch */
    unsigned smi, rsm;                          /* writing and reading the save map */
};

/* A revision as data: 10h-b3, 10h-c2, 10h-d0 (fact sheet section 1). */
struct cpu_model {
    const char *name;          /* "10h-b3" */
    const char *brand;         /* 48-character name string */
    uint32_t signature;        /* CPUID 1 EAX */
    unsigned max_cores;        /* in a node */
    unsigned mhz;              /* P0 core frequency = TSC rate */
    bool nrip;                 /* VMCB nRIP is written, and injected INT n push it */
    bool skinit, pause_filter, node_id_msr;
    bool no_cpuid_override;    /* Family 0Fh before revision C: no MSRC001_1004 and MSRC001_1005 */
    bool family_0f;            /* Family 0Fh: what Family 10h brought is not there */
    uint32_t absent;           /* a bit for each enum isa_feature that it does not have */
    bool nested_paging;        /* CPUID 8000_000A EDX[0]; without it VMCB 090 means nothing */
    bool lbr_virtual;          /* CPUID 8000_000A EDX[1] */
    bool smm_host_if;          /* SMM save map FED8[3] holds the host's RFLAGS.IF (DA-C2 and later) */
    unsigned asids;            /* 64 */
    const struct cpuid_row *cpuid;
    size_t cpuid_count;
    struct mmu_geometry mmu;
    struct cpu_costs costs;
    const char *evidence;      /* where the numbers come from, "assumed:" where there is no public source */
};

/* NULL if there is no such model. Names for --help and for the error line: cpu_model_names. */
const struct cpu_model *cpu_model_find(const char *name);
const char *const *cpu_model_names(void);

/* ---- Building a core --------------------------------------------------------------------------------- */

/* Watches that a scenario sets. Each is called with the core stopped at an instruction boundary. */
struct core_hooks {
    void *ctx;
    /* A #VMEXIT has just been written to the VMCB; rax is the guest's. true stops core_run. */
    bool (*vmexit)(void *ctx, struct core *core, uint64_t code, uint64_t rip, uint64_t rax);
    /* About to execute at this linear address, asked only while breakpoints is true. true stops. */
    bool (*breakpoint)(void *ctx, struct core *core, uint64_t linear);
    bool breakpoints;
};

/* Whether every other core of this core's processor stands in HLT. Implemented by `machine`; NULL: there is none. */
struct halt_port {
    void *ctx;
    bool (*others_halted)(void *ctx, unsigned core);
};

struct core_wiring {
    unsigned index, node, in_node;  /* machine-wide index; node number; number inside the node */
    uint8_t apic_id;
    unsigned cores_in_node, nodes;  /* for CPUID */
    const struct cpu_model *model;
    const struct mmu_geometry *geometry; /* NULL: the model's */
    struct spa_space *space;
    struct pio_space *pio;
    struct clock *clock;
    struct unmodelled *unmodelled;
    struct msi_port messages;               /* IPIs leave here */
    struct interrupt_acknowledge acknowledge;
    struct irq_line numeric_error;          /* FERR#: IRQ 13; `set` may be NULL */
    struct halt_port halts;
    struct secure_launch secure_launch;     /* SKINIT; `begin` may be NULL */
    struct block_cache *blocks;             /* shared by all cores of the machine */
    struct exit_table *exits;               /* likewise; NULL: the core keeps one of its own */
    struct mca_node *mca_node;              /* bank 4, the node's; NULL: the core keeps one of its own */
};

/* The machine's table of #VMEXITs: one, because a vCPU may leave on one core and go on on another. */
struct exit_table *exit_table_new(void);
void exit_table_free(struct exit_table *table);
void exit_table_describe(struct exit_table *table, struct state *state, const char *path);
void exit_table_clear(struct exit_table *table);

/* Decoded blocks are shared by a machine's cores, so that cross-modifying code is exact. */
struct block_cache *block_cache_new(struct spa_space *space);
void block_cache_free(struct block_cache *cache);
/* Mark in `image` (sim/executed.h) what of it executes from now on; NULL: nothing. Not while a core runs. */
void block_cache_note_executed(struct block_cache *cache, struct executed_image *image);
/* A store touched a page flagged DRAM_PAGE_CODE. */
void block_cache_stored(struct block_cache *cache, spa_t address, unsigned size);

struct core *core_new(const struct core_wiring *wiring);
void core_free(struct core *core);
/* Attach a part's MSRs (northbridge, MCA, P-states). The core's own come first. */
void core_attach_msrs(struct core *core, struct msr_bank bank);
/* Registers, APIC, MMU, SVM, counters under `path` = "node[n].core[m]". */
void core_describe(struct core *core, struct state *state, struct counter_set *counters, const char *path);
void core_set_reference(struct core *core, bool reference);
struct mmu *core_mmu(struct core *core);
struct core_hooks *core_hooks(struct core *core);
/*
 * Told of what a core does outside guest mode at CPL 0: each instruction that begins to execute (`spa` of its first
 * byte), each load and, before it is done, each store, inside one page. Code outside guest mode runs as in the
 * reference engine.
 */
struct core_watch {
    void *ctx;
    void (*fetches)(void *ctx, unsigned core, spa_t spa, uint64_t rip);
    void (*loads)(void *ctx, unsigned core, spa_t spa, unsigned size);
    void (*stores)(void *ctx, unsigned core, spa_t spa, unsigned size);
};
void core_set_watch(struct core *core, const struct core_watch *watch); /* NULL: nobody */

/* WARM: as COLD, but what the machine-check banks logged stays. */
enum core_reset { CORE_RESET_COLD, CORE_RESET_WARM, CORE_RESET_INIT };
void core_reset(struct core *core, enum core_reset kind);

/* Firmware's hand-over (fact sheet 11.4): caches on, MTRRs, SYS_CFG, SVM enabled; see machine. */
struct core_entry {
    uint64_t rip, rax, rbx, rcx, rdx, rsi, rdi, rsp;
    bool protected_flat; /* 32-bit flat segments, paging off (multiboot, PVH); else real mode at F000:FFF0 */
};
void core_enter(struct core *core, const struct core_entry *entry);
/*
 * The registers of this core as firmware leaves them (fact sheet 11.4): APIC enabled, SVM enabled and, with svm_lock,
 * locked, name string, workarounds. The memory map's MSRs are the machine's business. Before core_enter.
 */
void core_firmware(struct core *core, bool svm_lock);
/* Application processors after firmware: wait for SIPI. */
void core_wait_for_sipi(struct core *core);
/* Another core's SKINIT: is this one in INIT; its next SIPI belongs to the secure launch (APM2 15.27.8). */
bool core_is_in_init(const struct core *core);
void core_secure_startup(struct core *core);

/* ---- Running ------------------------------------------------------------------------------------------ */

enum core_stop {
    CORE_STOP_LIMIT,    /* cycles reached the limit */
    CORE_STOP_WAITING,  /* HLT, MWAIT or wait-for-SIPI with nothing to wake it */
    CORE_STOP_HOOK,     /* a hook asked for it, or core_request_stop */
    CORE_STOP_SHUTDOWN, /* triple fault with nobody to catch it */
};

/* Run to the first instruction boundary at or past `limit` cycles. A waiting core's cycles jump to it. */
enum core_stop core_run(struct core *core, uint64_t limit);
/* Exactly one instruction (or one event delivery). */
enum core_stop core_step(struct core *core);
void core_request_stop(struct core *core);
/* While the core runs: bring its limit forward (a deadline was armed). */
void core_limit(struct core *core, uint64_t limit);
uint64_t core_cycles(const struct core *core);
uint64_t core_instructions(const struct core *core);
bool core_waiting(const struct core *core);
/* In HLT. */
bool core_halted(const struct core *core);
/* Whether a pending interrupt, NMI, INIT or SIPI would end the wait now. */
bool core_wakes(const struct core *core);

/* A message for this core's local APIC whose time has come (address filtering is in core_apic_accepts). */
bool core_apic_accepts(struct core *core, const struct apic_message *message);
void core_apic_deliver(struct core *core, const struct apic_message *message);
/*
 * The cores that a message goes to, as a bit mask of indices into `cores`: everyone that accepts it, or for
 * a lowest-priority message in logical flat mode the one that wins the arbitration (APM2 16.6).
 */
uint64_t core_apic_targets(struct core *const *cores, unsigned count, const struct apic_message *message);
struct core_pins core_pins(struct core *core);
/*
 * A #MC for this core (enum mca_raise): taken at its next boundary, or redirected by MSRC001_0022. Errors that come
 * before it is taken are one #MC with them.
 */
void core_machine_check(struct core *core, unsigned raise);
/* One of this core's own units found an error (any bank but MCA_NB): logged, and raised if it is to be. */
enum mca_fate core_error(struct core *core, const struct mca_error *error);
struct mca_core *core_mca(struct core *core);
/* IGNNE#: a core that reported an x87 error by FERR# goes on, until the error is cleared. */
void core_ignore_numeric_error(struct core *core);
/* A store by anybody touched a page flagged DRAM_PAGE_ARMED. */
void core_line_stored(struct core *core, spa_t address, unsigned size);

/* ---- Looking ------------------------------------------------------------------------------------------ */

/* Register by name as a debugger spells it (rax ... r15, rip, rflags, cr0 ... efer, cs, cs.base ...). */
bool core_register(struct core *core, const char *name, uint64_t *value);
bool core_set_register(struct core *core, const char *name, uint64_t value);
const char *const *core_register_names(void);
/* MSRs without side effects of RDMSR; false: no such MSR (the guest would get #GP). */
bool core_msr(struct core *core, uint32_t msr, uint64_t *value);
bool core_set_msr(struct core *core, uint32_t msr, uint64_t value);
/* Size in bits of the code that runs (16, 32, 64) and its linear rip, for disassembly. */
unsigned core_code_bits(const struct core *core);
uint64_t core_linear_rip(const struct core *core);
bool core_in_guest(const struct core *core);

/* #VMEXITs by vCPU (VMCB address), guest (N_CR3 or 0), exit code and guest rIP; cycles as DESIGN section 4. */
struct exit_row {
    spa_t vmcb;
    uint64_t n_cr3;
    uint64_t code;
    uint64_t rip;
    uint64_t count;
    uint64_t timed;   /* of them: the vCPU has run again, so that its cycles are known */
    uint64_t cycles, cycles_min, cycles_max; /* from #VMEXIT to that vCPU's next VMRUN, HLT excluded */
    uint64_t halted_cycles;
};
typedef void exit_visit(void *ctx, const struct exit_row *row);
/* In order of (vmcb, n_cr3, code, rip). */
void exits_each(const struct exit_table *table, exit_visit *visit, void *ctx);
/* The table that this core writes: the machine's, when its wiring named one. */
void core_exits_each(struct core *core, exit_visit *visit, void *ctx);
/* The manual's name of an exit code ("VMEXIT_NPF"), or NULL. */
const char *vmexit_name(uint64_t code);

/* ---- The instruction table ----------------------------------------------------------------------------- */

/* `fam10h isa`: writes the table, or the rows and faults without a test. Returns their number. */
unsigned isa_print(GString *out);
unsigned isa_coverage(GString *out, const char *evidence_directory, GError **error);

#endif
