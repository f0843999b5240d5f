/* SPDX-License-Identifier: MIT */
/* The composition root: builds the parts, connects their ports, runs them in virtual time. */
#ifndef FAM10H_MACHINE_H
#define FAM10H_MACHINE_H

#include <glib.h>

#include "sim/counters.h"
#include "sim/cpu/cpu.h"
#include "sim/executed.h"
#include "sim/mce/mce.h"
#include "sim/mmu/mmu.h"
#include "sim/platform/platform.h"
#include "sim/state.h"
#include "sim/unmodelled.h"

struct machine;

enum engine { ENGINE_FAST, ENGINE_REFERENCE };

/* Instructions by linear address, end exclusive. */
struct machine_code_range {
    uint64_t first, end;
};

/*
 * Checks on what the booted kernel, a hypervisor, does outside guest mode; sim/machine/access_check.h. Its pool of
 * pages is followed by the names of its functions (pages_init, pages_add, pages_alloc, pages_free, memory_alloc_page),
 * its own memory by hv_image_start and hv_image_end: without those, whose memory is whose is not checked.
 */
struct machine_check_rules {
    struct machine_code_range pool;           /* the pool's own code, which may touch free pages */
    const struct machine_code_range *atomic;  /* ascending: what orders other accesses; none: no race is looked for */
    size_t atomic_count;
};

enum machine_finding_kind {
    FINDING_TEXT_WRITE,     /* it stored into its own text */
    FINDING_FREE_WRITE,     /* ... into a page that is free in its pool */
    FINDING_FREE_READ,      /* it read one */
    FINDING_FOREIGN_WRITE,  /* it stored to memory above 1 MiB that is neither its own nor ever was in its pool */
    FINDING_UNINITIALISED,  /* it read what nobody has written since the reset: above 1 MiB, not a guest's, no stack */
    FINDING_EXECUTE,        /* it executed 64-bit code outside its text */
    FINDING_RACE,           /* it met a byte of its own that another core had stored to, in no order with it */
};

struct machine_finding {
    enum machine_finding_kind kind;
    unsigned core;
    uint64_t rip, other;    /* of the access; of the store that a race is with, of the instruction before (EXECUTE) */
    spa_t address;
    unsigned size;
    uint64_t count;         /* of the same by the same instruction */
};

struct machine_config {
    const char *model;       /* "10h-b3" */
    unsigned nodes, cores;   /* cores: in each node */
    uint64_t memory;         /* bytes */
    uint64_t host_memory;    /* bytes */
    enum engine engine;
    bool has_geometry;       /* else the model's */
    struct mmu_geometry geometry;
    bool sync_flood;         /* platform_config's */
    bool debug_exit;
    bool link;               /* platform_config's */
    bool svm_lock;           /* firmware leaves VM_CR locked with SVM enabled (BKDG10 2.14.1); else unlocked */
    struct char_port uart, debug_console;
    struct executed *executed; /* optional, the caller's: gets what is executed of each kernel that is booted */
};

/* Sensible defaults: 10h-b3, 1 node, 1 core, 512 MiB, 4 GiB of native memory, fast engine. */
void machine_config_defaults(struct machine_config *config);
struct machine *machine_new(const struct machine_config *config, GError **error);
void machine_free(struct machine *machine);

/* Load and put the boot processor at the entry, all others into wait-for-SIPI, registers as firmware leaves them. */
bool machine_boot_kernel(struct machine *machine, const struct image *kernel, const char *command_line,
                         const struct image *modules, size_t module_count, GError **error);
/*
 * The reset that the next machine_boot_ begins with is a warm one: MCi_STATUS, MCi_ADDR and the threshold counts stay
 * (fact sheet 5.1, 5.7), and so do hard errors of DRAM. assumed: firmware clears memory all the same.
 */
void machine_boot_warm(struct machine *machine);
bool machine_boot_firmware(struct machine *machine, const struct image *image, GError **error);

enum machine_stop {
    MACHINE_STOP_TIME,       /* the time limit */
    MACHINE_STOP_INSNS,      /* the instruction limit (all cores together) */
    MACHINE_STOP_HOOK,       /* a watch asked for it */
    MACHINE_STOP_EXIT,       /* debug-exit port: machine_exit_value */
    MACHINE_STOP_POWER_OFF,
    MACHINE_STOP_RESET,
    MACHINE_STOP_SHUTDOWN,   /* triple fault, or a machine check that cannot be delivered */
    MACHINE_STOP_FLOOD,      /* sync flood: a northbridge stopped the machine (F3x44, F3x180) */
    MACHINE_STOP_HALTED,     /* all cores halted, nothing pending */
    MACHINE_STOP_MEMORY,     /* native memory limit reached */
    MACHINE_STOP_INTERRUPTED /* machine_interrupt, from a signal handler or a monitor */
};
const char *machine_stop_name(enum machine_stop stop);

/* Run until the absolute machine time or instruction count (NEVER: no limit) or a stop. */
enum machine_stop machine_run(struct machine *machine, uint64_t until_ps, uint64_t until_instructions);
/* One instruction of one core, time advancing with it. */
enum machine_stop machine_step(struct machine *machine, unsigned core);
/* From a port or a hook: the run ends behind the current instruction, with MACHINE_STOP_HOOK. */
void machine_pause(struct machine *machine);
void machine_interrupt(struct machine *machine); /* async-signal-safe */

/*
 * Two machines on one link (machine_config.link), each at most the cable's latency ahead of the other. The caller keeps
 * the structure, and says which of them has booted.
 */
struct machine_pair {
    struct machine *machine[2]; /* NULL: gone */
    bool booted[2];
    bool stopped[2];            /* stood still by itself while the other was asked to run, as `stop` says */
    enum machine_stop stop[2];
    uint64_t cut_ps;            /* time of the link at which the cable is to be cut, NEVER */
};
/* latency_ps: LINK_LATENCY_LEAST or more; windows are its whole microseconds. Time of the link: the first machine's. */
void machine_pair_plug(struct machine_pair *pair, struct machine *first, struct machine *second,
                       uint64_t bits_per_s, uint64_t latency_ps);
/* It has begun anew, at its time 0, which is the link's next boundary. */
void machine_pair_booted(struct machine_pair *pair, struct machine *machine);
/* At that time of the link, or as soon after it as messages are handed over. */
void machine_pair_cut(struct machine_pair *pair, uint64_t at_ps);
/* The machine goes away. */
void machine_pair_leave(struct machine_pair *pair, struct machine *machine);
/* Whether both stand at one moment: not so if one of them was restored from a snapshot of another moment. */
bool machine_pair_is_sound(const struct machine_pair *pair);
/* machine_run of one of them, the other keeping pace. */
enum machine_stop machine_pair_run(struct machine_pair *pair, struct machine *machine, uint64_t until_ps,
                                   uint64_t until_instructions);
/* An error that a unit met, and when: the first MACHINE_CHECKS_KEPT of them, in order of time. */
#define MACHINE_CHECKS_KEPT 10000
struct machine_check_record {
    uint64_t ps;
    struct mca_event event;
};
const struct machine_check_record *machine_checks(const struct machine *machine, size_t *count);
/* An error found by a unit of core `core`, or (MCA_NB) by its node's northbridge for a request of that core. */
enum mca_fate machine_error(struct machine *machine, unsigned core, const struct mca_error *error);
uint32_t machine_exit_value(const struct machine *machine);

uint64_t machine_now_ps(const struct machine *machine);
uint64_t machine_instructions(const struct machine *machine);
unsigned machine_core_count(const struct machine *machine);
struct core *machine_core(struct machine *machine, unsigned index);
struct platform *machine_platform(struct machine *machine);
struct counter_set *machine_counters(struct machine *machine);
struct unmodelled *machine_unmodelled(struct machine *machine);
const struct machine_config *machine_configuration(const struct machine *machine);
struct clock *machine_clock(struct machine *machine);

/* Note from now on which DRAM pages are stored to (platform_next_stored lists them); changes no counter and no time. */
void machine_track_stores(struct machine *machine, bool on);
/*
 * Call told(ctx, core, address, size) at every store by anybody into a page of DRAM that machine_tell_stores named;
 * core: whose instruction it is, or that has its turn. It may look and call machine_pause, which stops behind that
 * instruction.
 */
typedef void machine_store_hook(void *ctx, unsigned core, spa_t address, unsigned size);
void machine_on_store(struct machine *machine, machine_store_hook *told, void *ctx);
/* A reset forgets it. */
void machine_tell_stores(struct machine *machine, spa_t page, bool on);

/* Check the kernel that is booted next, from its first instruction on. The rules are copied. */
void machine_check_kernel(struct machine *machine, const struct machine_check_rules *rules);
/* What the checks found, by time; none without them. */
const struct machine_finding *machine_findings(const struct machine *machine, size_t *count);

char *machine_hash(struct machine *machine);
bool machine_save(struct machine *machine, const char *file, GError **error);
bool machine_restore(struct machine *machine, const char *file, GError **error);
void machine_dump(struct machine *machine, const char *prefix, GString *out);

#endif
