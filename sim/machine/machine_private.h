/* SPDX-License-Identifier: MIT */
/* Inside sim/machine only. */
#ifndef FAM10H_MACHINE_PRIVATE_H
#define FAM10H_MACHINE_PRIVATE_H

#include <signal.h>

#include "sim/machine/machine.h"

#define MAX_CORES (MAX_NODES * MAX_CORES_PER_NODE)

/* A message on the interrupt network that its target has not reached in time yet. */
struct inbox_entry {
    uint64_t ps;
    uint64_t sequence;
    struct apic_message message;
};

struct inbox {
    GArray *entries; /* of struct inbox_entry, in (ps, sequence) order */
};

struct machine {
    struct machine_config config;
    const struct cpu_model *model;
    struct clock clock;
    struct platform *platform;
    struct block_cache *blocks;
    struct exit_table *exits;
    struct unmodelled *unmodelled;
    struct counter_set *counters;
    struct state *state;
    unsigned core_count;
    struct core *core[MAX_CORES];
    struct core_pins bsp_pins;
    struct inbox inbox[MAX_CORES];
    struct access_check *access_check; /* NULL: none */
    machine_store_hook *store_hook;    /* of pages flagged DRAM_PAGE_TOLD */
    void *store_hook_ctx;
    GArray *checks;          /* struct machine_check_record */

    /* Where in virtual time the machine stands: described, so that a run can stop anywhere. */
    uint64_t slice_start_ps; /* every core has reached this time ... */
    uint64_t slice_end_ps;   /* ... and goes to this one, in order of index */
    uint64_t turn;           /* the core whose turn it is */
    uint64_t sequence;       /* of messages */
    uint64_t observed_ps[MAX_CORES]; /* when it last looked at shared time: all others get there before it goes on */
    uint32_t exit_value;
    bool warm;               /* the next boot's reset is a warm one */
    bool flooded;            /* sync flood: nothing runs until a reset */

    /* Of the current call of machine_run. */
    struct core *running;
    bool observed;           /* it has looked at shared time */
    bool stopping;
    enum machine_stop stop;
    volatile sig_atomic_t interrupted;
};

/* firmware.c: registers as firmware leaves them, on every core (fact sheet 11.4). */
void firmware_hand_over(struct machine *machine);

/* network.c: the interrupt network between local APICs, IOAPICs and MSI sources. */
void network_init(struct machine *machine);
void network_free(struct machine *machine);
struct msi_port network_port(struct machine *machine);
/* To one core, by the same rule of time. */
void network_post(struct machine *machine, unsigned target, const struct apic_message *message);
/* Time of the earliest message for a core, NEVER if none. */
uint64_t network_next(const struct machine *machine, unsigned core);
/* Hand a core every message due at or before `ps`. */
void network_deliver(struct machine *machine, unsigned core, uint64_t ps);
void network_describe(struct machine *machine);

/* check_log.c: errors that units met, for reports. */
void check_log_event(void *ctx, const struct mca_event *event);
void check_log_describe(struct machine *machine);

/* secure_launch.c */
struct secure_launch secure_launch_port(struct machine *machine);

/* schedule.c */
void schedule_reset(struct machine *machine);
void schedule_describe(struct machine *machine);
/* Whether the times of a restored machine go together; else a run might have to make up for ages. */
bool schedule_sound(const struct machine *machine, const char *file, GError **error);
/* Stop after the current instruction of the running core, for the given reason. */
void schedule_stop(struct machine *machine, enum machine_stop stop);
void schedule_observed(struct machine *machine);
uint64_t schedule_core_ps(const struct machine *machine, unsigned core);

#endif
