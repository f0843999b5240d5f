/* SPDX-License-Identifier: MIT */
/*
 * Inside interp/: the run loop and its two engines.
 *   run.c       core_run, core_step, waiting
 *   boundary.c  what may happen between two instructions, in order of priority
 *   execute.c   one instruction, and what its outcome comes to
 *   record.c    last-branch recording
 *   cmp_halt.c  every core of a processor in HLT: MSRC001_0055
 *   sample.c    an instruction that instruction-based sampling has tagged
 *   fetch.c     from rIP to a decoded instruction
 *   fast.c      the same by decoded blocks
 */
#ifndef FAM10H_CPU_INTERP_INTERP_H
#define FAM10H_CPU_INTERP_INTERP_H

#include "sim/cpu/interp/block.h"

/* What an instruction begins with, and its end depends on. All false on the fast path. */
struct before {
    bool shadow, blocks_debug; /* interrupt_shadow, shadow_blocks_debug */
    bool tf, rf;               /* RFLAGS */
};

static inline struct decode_mode core_decode_mode(const struct core *core)
{
    return (struct decode_mode){
        .code_bits = core->mode == MODE_64BIT ? 64 : (uint8_t)(8 * core->code_size),
        .real_style = core_in_real_style(core),
    };
}

/* rIP of what follows: 32 bits wide outside 64-bit mode. */
static inline uint64_t rip_advance(const struct core *core, unsigned length)
{
    uint64_t rip = core->rip + length;

    return core->mode == MODE_64BIT ? rip : (uint32_t)rip;
}

/* ---- boundary.c ---------------------------------------------------------------------------------- */

/* true: an event was taken, or delivered as an exit; then the boundary begins again. */
bool boundary_take_event(struct core *core);
/* Instruction breakpoints DR0-DR3 of the instruction about to run; true: #DB was delivered. */
bool boundary_code_breakpoint(struct core *core);
/* Whether the next instruction needs the careful path: single step, shadow, debug registers, a hook. */
bool boundary_is_careful(const struct core *core);
/* DebugCtl's answer to any #DB. */
void debug_exception_taken(struct core *core);

/* ---- record.c ------------------------------------------------------------------------------------ */

/* Control-transfer recording (APM2 13.1.1.6): a branch from `from` to rip has been taken. */
void record_branch(struct core *core, uint64_t from);
/* An interrupt or exception has been delivered: execution went from `from` to its handler at rip. */
void record_event(struct core *core, uint64_t from);

/* ---- fetch.c ------------------------------------------------------------------------------------- */

/* Decode the instruction at rIP: one ITLB lookup, two across a page. OUTCOME_NEXT, a fault, a #VMEXIT. */
enum outcome fetch_insn(struct core *core, struct insn *insn);
/* The same after the lookup of the first byte gave `spa`. */
enum outcome fetch_insn_at(struct core *core, spa_t spa, struct insn *insn);
/* Linear address of rIP, checked against the CS limit or for canonical form. */
enum outcome fetch_linear(struct core *core, gva_t *linear);
enum outcome fetch_translate(struct core *core, gva_t linear, spa_t *spa);

/* ---- execute.c ----------------------------------------------------------------------------------- */

/* Fetch and run one instruction, of a REP instruction one step, with everything around it. */
void execute_one(struct core *core);
/* The second half: `outcome` is fetch_insn's. */
void execute_fetched(struct core *core, const struct insn *insn, enum outcome outcome);
/* `insn` came to `outcome`, not OUTCOME_NEXT or OUTCOME_REPEAT: act on it. */
void execute_conclude(struct core *core, const struct insn *insn, enum outcome outcome, const struct before *before);
/* Faults, exits and shutdown, until the core stands at a boundary again. */
void execute_settle(struct core *core, enum outcome outcome);

/* ---- cmp_halt.c ---------------------------------------------------------------------------------- */

/* This core has just executed HLT. */
void cmp_halt_entered(struct core *core);

/* ---- sample.c ------------------------------------------------------------------------------------ */

/* execute_one, described in the registers of instruction-based sampling. */
void sample_one(struct core *core);

/* ---- fast.c -------------------------------------------------------------------------------------- */

/* Run blocks until attention or the horizon. */
void fast_run(struct core *core);
/* execute_one with the decoded instruction of a block. */
void fast_step(struct core *core);

#endif
