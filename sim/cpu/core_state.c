/* SPDX-License-Identifier: MIT */
/* A core's state as data: what a snapshot holds, a hash covers and `dump` prints. */
#include "sim/state.h"

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/core.h"
#include "sim/cpu/core_counters.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/interp/block.h"
#include "sim/cpu/model/msr.h"
#include "sim/cpu/model/ibs.h"
#include "sim/cpu/model/perf.h"
#include "sim/cpu/smm/smm.h"
#include "sim/cpu/svm/svm.h"

#define V(member) STATE_VALUE(struct core, member)
#define A(member) STATE_ARRAY(struct core, member)
#define UP_TO(member, max) STATE_VALUE_UP_TO(struct core, member, max)

static const struct state_field core_fields[] = {
    A(gpr), V(rip), V(rflags),
    STATE_EACH(struct core, seg, selector), STATE_EACH(struct core, seg, attr), STATE_EACH(struct core, seg, limit),
    STATE_EACH(struct core, seg, base),
    UP_TO(cpl, 3), V(cycles), V(instructions),
    { "xmm", offsetof(struct core, xmm), 8, 32, 8, 0 }, V(mxcsr),
    STATE_EACH(struct core, x87.reg, significand), STATE_EACH(struct core, x87.reg, exponent),
    V(x87.control), V(x87.status), V(x87.full), V(x87.opcode), V(x87.instruction), V(x87.data),
    V(x87.code_selector), V(x87.data_selector), V(x87.error_reported), V(x87.error_ignored),
    V(gdtr.base), V(gdtr.limit), V(idtr.base), V(idtr.limit),
    V(cr0), V(cr2), V(cr3), V(cr4), V(efer), A(pdpte),
    A(dr), V(dr6), V(dr7), V(pat),
    V(star), V(lstar), V(cstar), V(sfmask), V(kernel_gs_base),
    V(sysenter_cs), V(sysenter_esp), V(sysenter_eip),
    V(tsc_aux), V(tsc_offset_host), V(hwcr), V(tpr),
    V(repeating), V(interrupt_shadow), V(shadow_blocks_debug), V(nmi_masked), V(nmi_pending), V(init_pending),
    V(smi_pending), V(mc_pending), V(halted), V(mwaiting), V(waiting_for_sipi), V(shutdown),
    V(smm.active), V(smm.internal), V(smm.was_halted), V(smm.nmi_masked), V(smm.status), V(smm.held_dr6),
    V(smm.io_valid), V(smm.io_info), V(smm.io_rip), V(smm.io_rcx), V(smm.io_rsi), V(smm.io_rdi),
    A(perf.last), V(perf.user), V(perf.guest), V(perf.overflowed),
    V(ibs.fetch_count), V(ibs.op_count), V(ibs.fetch_last), V(ibs.op_last),
    V(mwait_breaks), V(intr_line), V(pending_dr6), V(monitor_line),
};

#define M(member) STATE_VALUE(struct msr_storage, member)
#define MA(member) STATE_ARRAY(struct msr_storage, member)

static const struct state_field msr_fields[] = {
    MA(name), M(cpuid_features), M(cpuid_ext_features), M(debug_ctl), M(br_from), M(br_to), M(last_exc_from),
    M(last_exc_to), M(patch_level), M(ebl_cr_poweron),
    MA(perf_ctl), MA(perf_ctr), MA(io_trap), M(io_trap_control),
    M(interrupt_pending), M(smi_trigger), M(pstate_limit), M(pstate_control), M(pstate_status), MA(pstate),
    M(cofvid_control), M(cofvid_status), M(cpu_watchdog), M(fidvid_control), M(fidvid_status),
    M(smm_base), M(smm_addr), M(smm_mask), M(ignne),
    M(local_smi_status), M(osvw_length), M(osvw_status), M(node_id), M(ls_cfg), M(ic_cfg), M(dc_cfg), M(bu_cfg),
    M(de_cfg), M(bu_cfg2), M(ibs_fetch_ctl), M(ibs_fetch_linear), M(ibs_fetch_physical), M(ibs_op_ctl),
    M(ibs_op_rip), MA(ibs_op_data), M(ibs_dc_linear), M(ibs_dc_physical),
};

static void fold(void *object)
{
    rflags_read(object); /* leaves the flags exact */
}

/* Derived state, and everything that the simulator keeps for speed, is made anew. */
static void rebuild(void *object)
{
    struct core *core = object;

    core->perf.enabled = 0; /* until perf_changed: nothing is to be brought up to date */
    rflags_write(core, core->rflags);
    core->next_rip = core->rip;
    core->breakpoint_passed = core->stop_request = false;
    core_debug_changed(core);
    core_mode_changed(core, true);
    smm_changed(core);
    perf_changed(core);
    ibs_changed(core);
    mmu_set_smash_1g(core->mmu, bit(core->msr->bu_cfg2, BU_CFG2_SMASH_1G));
    mmu_drop_all_native(core->mmu);
    if (core->blocks)
        block_cache_clear(core->blocks);
}

static const struct state_part msr_part = { "msr", msr_fields, G_N_ELEMENTS(msr_fields), NULL, NULL, NULL, NULL };
static const struct state_part core_part = {
    "core", core_fields, G_N_ELEMENTS(core_fields), fold, rebuild, NULL, NULL,
};

/* The core comes last: what it rebuilds depends on svm's fields. */
void core_describe(struct core *core, struct state *state, struct counter_set *counters, const char *path)
{
    g_autofree char *msr_path = g_strdup_printf("%s.msr", path);

    svm_describe(core, state, counters, path);
    apic_describe(core->apic, state, counters, path);
    mca_core_describe(&core->mca, state, counters, path);
    mmu_describe(core->mmu, state, counters, path);
    state_add(state, msr_path, &msr_part, core->msr);
    state_add(state, path, &core_part, core);
    core_counters_attach(core, counters, path);
}
