/* SPDX-License-Identifier: MIT */
/* CPUID, MSRs, time stamp and performance counters, HLT, MONITOR and MWAIT. */
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"
#include "sim/cpu/model/cpuid.h"
#include "sim/cpu/model/msr.h"
#include "sim/cpu/model/perf.h"

#define MONITOR_LINE 64
#define MWAIT_ECX_INTERRUPT_BREAK BIT(0)

/* EDX:EAX; the upper halves are cleared (APM3 RDMSR). */
static void write_edx_eax(struct core *core, uint64_t value)
{
    core->gpr[RAX] = (uint32_t)value;
    core->gpr[RDX] = value >> 32;
}

enum outcome exec_cpuid(struct core *core, const struct insn *insn)
{
    struct cpuid_values values = cpuid_read(core, (uint32_t)core->gpr[RAX]);

    (void)insn;
    core->gpr[RAX] = values.eax;
    core->gpr[RBX] = values.ebx;
    core->gpr[RCX] = values.ecx;
    core->gpr[RDX] = values.edx;
    return OUTCOME_NEXT;
}

/* ---- MSRs: the CPL first, then the intercept, then the register's own rules (fact sheet 3.11) -------------- */

static bool password_is_missing(const struct core *core, uint32_t msr)
{
    return msr_needs_password(core, msr) && (uint32_t)core->gpr[RDI] != MSR_PASSWORD;
}

enum outcome exec_rdmsr(struct core *core, const struct insn *insn)
{
    uint32_t msr = (uint32_t)core->gpr[RCX];
    uint64_t value;
    bool intercepted;

    (void)insn;
    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    intercepted = svm_msr_intercepted(core, msr, false);
    if (core_met_error(core))
        return core_fault(core, EXC_MC);
    if (intercepted)
        return core_vmexit(core, VMEXIT_MSR, 0, 0);
    if (password_is_missing(core, msr) || !msr_read(core, msr, &value))
        return core_fault_code(core, EXC_GP, 0);
    write_edx_eax(core, value);
    return OUTCOME_NEXT;
}

enum outcome exec_wrmsr(struct core *core, const struct insn *insn)
{
    uint32_t msr = (uint32_t)core->gpr[RCX];
    uint64_t value = core->gpr[RDX] << 32 | (uint32_t)core->gpr[RAX];
    bool intercepted;

    (void)insn;
    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    intercepted = svm_msr_intercepted(core, msr, true);
    if (core_met_error(core))
        return core_fault(core, EXC_MC);
    if (intercepted)
        return core_vmexit(core, VMEXIT_MSR, 1, 0);
    if (password_is_missing(core, msr))
        return core_fault_code(core, EXC_GP, 0);
    core_touch_clock(core); /* the APIC's and the northbridge's registers know the time */
    return msr_write(core, msr, value) ? OUTCOME_NEXT : core_fault_code(core, EXC_GP, 0);
}

/* ---- Counters ----------------------------------------------------------------------------------------- */

static bool time_stamp_denied(const struct core *core)
{
    return (core->cr4 & CR4_TSD) && core->cpl > 0;
}

enum outcome exec_rdtsc(struct core *core, const struct insn *insn)
{
    (void)insn;
    if (time_stamp_denied(core))
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, VMEXIT_RDTSC))
        return core_vmexit(core, VMEXIT_RDTSC, 0, 0);
    core_observe_time(core);
    write_edx_eax(core, core_time_stamp(core));
    return OUTCOME_NEXT;
}

enum outcome exec_rdtscp(struct core *core, const struct insn *insn)
{
    (void)insn;
    if (time_stamp_denied(core))
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, VMEXIT_RDTSCP))
        return core_vmexit(core, VMEXIT_RDTSCP, 0, 0);
    core_observe_time(core);
    write_edx_eax(core, core_time_stamp(core));
    core->gpr[RCX] = (uint32_t)core->tsc_aux;
    return OUTCOME_NEXT;
}

enum outcome exec_rdpmc(struct core *core, const struct insn *insn)
{
    uint32_t counter = (uint32_t)core->gpr[RCX];

    (void)insn;
    if ((!(core->cr4 & CR4_PCE) && core->cpl > 0) || counter > 3)
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, VMEXIT_RDPMC))
        return core_vmexit(core, VMEXIT_RDPMC, 0, 0);
    write_edx_eax(core, perf_read(core, counter));
    return OUTCOME_NEXT;
}

/* ---- Waiting ------------------------------------------------------------------------------------------ */

enum outcome exec_hlt(struct core *core, const struct insn *insn)
{
    (void)insn;
    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, VMEXIT_HLT))
        return core_vmexit(core, VMEXIT_HLT, 0, 0);
    return OUTCOME_HALT;
}

/* HWCR: both are invalid when disabled, and at CPL 1 to 3 unless allowed there (fact sheet 2.4). */
static bool monitor_is_invalid(const struct core *core)
{
    return (core->hwcr & HWCR_MON_MWAIT_DIS) || (core->cpl != 0 && !(core->hwcr & HWCR_MON_MWAIT_USER_EN));
}

/* Arm the line if it lies in memory; what lies elsewhere never triggers, so MWAIT falls through. */
static void arm(struct core *core, spa_t spa)
{
    struct spa_space *space = core->space;

    core->monitor_line = NEVER;
    if (!space->dram(space->ctx, spa, true))
        return;
    space->flag_page(space->ctx, spa & ~PAGE_MASK, DRAM_PAGE_ARMED);
    core->monitor_line = spa & ~(spa_t)(MONITOR_LINE - 1);
}

/* ECX names extensions, of which there are none; the address is a byte read of DS:rAX (APM3 MONITOR). */
enum outcome exec_monitor(struct core *core, const struct insn *insn)
{
    uint64_t offset = zero_extend(core->gpr[RAX], insn->address_size);
    gva_t linear;
    spa_t spa;
    enum outcome outcome;

    if (monitor_is_invalid(core))
        return core_fault(core, EXC_UD);
    if ((uint32_t)core->gpr[RCX] != 0)
        return core_fault_code(core, EXC_GP, 0);
    outcome = segment_linear(core, insn->segment, offset, 1, MMU_READ, &linear);
    if (outcome == OUTCOME_NEXT)
        outcome = linear_locate(core, linear, MMU_READ | core->access, &spa);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (intercepts(core, VMEXIT_MONITOR))
        return core_vmexit(core, VMEXIT_MONITOR, 0, 0);
    arm(core, spa);
    return OUTCOME_NEXT;
}

enum outcome exec_mwait(struct core *core, const struct insn *insn)
{
    bool armed = core->monitor_line != NEVER;

    (void)insn;
    if (monitor_is_invalid(core))
        return core_fault(core, EXC_UD);
    if ((uint32_t)core->gpr[RCX] & ~MWAIT_ECX_INTERRUPT_BREAK)
        return core_fault_code(core, EXC_GP, 0);
    if (armed && intercepts(core, VMEXIT_MWAIT_CONDITIONAL))
        return core_vmexit(core, VMEXIT_MWAIT_CONDITIONAL, 0, 0);
    if (intercepts(core, VMEXIT_MWAIT))
        return core_vmexit(core, VMEXIT_MWAIT, 0, 0);
    if (!armed)
        return OUTCOME_NEXT;
    core->mwait_breaks = (core->gpr[RCX] & MWAIT_ECX_INTERRUPT_BREAK) != 0;
    return OUTCOME_MWAIT;
}
