/* SPDX-License-Identifier: MIT */
#include "sim/cpu/smm/smm.h"

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/model/msr.h"
#include "sim/cpu/smm/save_map.h"

/* ---- Causes -------------------------------------------------------------------------------------------------- */

#define SMI_SOURCE_EXTERNAL BIT(0) /* EXITINFO1 of VMEXIT_SMI */
#define IO_BRP 12                  /* of the I/O trap dword: breakpoints that matched */
#define IO_ADDRESS_SIZES BITS(9, 7) /* in EXITINFO1 only */

/* The I/O instruction that this boundary follows, 0 for none. */
static uint64_t io_info(const struct core *core)
{
    return core->smm.io_valid ? core->smm.io_info | (core->pending_dr6 & 0xF) << IO_BRP : 0;
}

struct vmexit smm_exit_info(const struct core *core)
{
    return (struct vmexit){
        .code = VMEXIT_SMI, .info1 = (core->smm.internal ? 0 : SMI_SOURCE_EXTERNAL) | io_info(core) << 32,
        .info2 = core->smm.io_valid ? core->smm.io_rip : 0,
    };
}

/* ---- Entering -------------------------------------------------------------------------------------------------- */

#define ATTR_SMM_CODE 0x89B /* 16-bit, readable, accessed, G */
#define ATTR_SMM_DATA 0x893
#define SMM_ENTRY 0x8000
#define DR7_RESET BIT(10)

static void store_causes(struct core *core)
{
    const struct smm_core *smm = &core->smm;

    save_write(core, SAVE_IO_RIP, 8, smm->io_valid ? smm->io_rip : 0);
    save_write(core, SAVE_IO_RCX, 8, smm->io_valid ? smm->io_rcx : 0);
    save_write(core, SAVE_IO_RSI, 8, smm->io_valid ? smm->io_rsi : 0);
    save_write(core, SAVE_IO_RDI, 8, smm->io_valid ? smm->io_rdi : 0);
    save_write(core, SAVE_IO_TRAP, 4, io_info(core) & ~IO_ADDRESS_SIZES);
    save_write(core, SAVE_SMI_STATUS, 4, smm->status);
    save_write(core, SAVE_IO_RESTART, 1, 0);
    save_write(core, SAVE_AUTO_HALT, 1, smm->was_halted);
    save_write(core, SAVE_NMI_MASK, 1, core->nmi_masked);
}

/* Fact sheet 2.8; the descriptor tables, CR2, CR3, DR0 to DR3 and every MSR but EFER stay. */
static void enter_real_mode(struct core *core)
{
    uint32_t base = (uint32_t)core->msr->smm_base;

    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        core->seg[n] = (struct segment){ .attr = ATTR_SMM_DATA, .limit = 0xFFFFFFFF };
    core->seg[SEG_CS] = (struct segment){ .selector = (uint16_t)(base >> 4), .attr = ATTR_SMM_CODE,
                                          .limit = 0xFFFFFFFF, .base = base };
    core->rip = core->next_rip = SMM_ENTRY;
    core->cr0 &= ~(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
    core->cr4 = 0;
    core->dr7 = DR7_RESET;
    core->efer &= EFER_SVME;
    rflags_write(core, 2);
    core->cpl = 0;
}

/* Every translation of every ASID goes (fact sheet 3.13). */
static void mode_switched(struct core *core)
{
    mmu_flush_all(core->mmu);
    smm_changed(core);
    core_debug_changed(core);
    core_mode_changed(core, true);
}

void smm_enter(struct core *core)
{
    struct smm_core *smm = &core->smm;
    struct svm_suspended suspended;

    core->rflags = rflags_read(core);
    smm->active = true;
    smm_changed(core); /* from here on SMRAM is open */
    save_map_store(core);
    store_causes(core);
    svm_suspend(core, &suspended);
    save_map_store_guest(core, &suspended);
    if (smm->internal) /* an external one that came too waits for RSM */
        smm->internal = false;
    else
        core->smi_pending = false;
    smm->status = 0;
    smm->held_dr6 = core->pending_dr6;
    core->pending_dr6 = 0;
    core->nmi_masked = true;
    core->monitor_line = NEVER;
    enter_real_mode(core);
    mode_switched(core);
    core->cycles += core->model->costs.smi;
}

/* ---- Leaving ---------------------------------------------------------------------------------------------------- */

static bool legacy_pae(const struct core *core)
{
    return (core->cr0 & CR0_PG) && (core->cr4 & CR4_PAE) && !(core->efer & EFER_LME);
}

static void restart_io(struct core *core)
{
    core->rip = save_read(core, SAVE_IO_RIP, 8);
    core->gpr[RCX] = save_read(core, SAVE_IO_RCX, 8);
    core->gpr[RSI] = save_read(core, SAVE_IO_RSI, 8);
    core->gpr[RDI] = save_read(core, SAVE_IO_RDI, 8);
}

/* What the handler asked for in the map (APM2 10.3.4, 10.3.5, 10.3.6). */
static void load_causes(struct core *core)
{
    if (save_read(core, SAVE_IO_RESTART, 1) == IO_RESTART && bit(save_read(core, SAVE_IO_TRAP, 4), 1))
        restart_io(core);
    core->halted = save_read(core, SAVE_AUTO_HALT, 1) & 1;
    core->nmi_masked = save_read(core, SAVE_NMI_MASK, 1) & 1;
}

enum outcome smm_leave(struct core *core)
{
    struct smm_core *smm = &core->smm;
    struct svm_suspended suspended;
    uint32_t base;

    core->cycles += core->model->costs.rsm;
    if (save_map_illegal(core))
        return OUTCOME_SHUTDOWN;
    suspended = save_map_load_guest(core);
    save_map_load(core);
    load_causes(core);
    base = (uint32_t)save_read(core, SAVE_SMM_BASE, 4);
    core->msr->smm_base = base;
    core->efer = bit_put(core->efer, 10, (core->efer & EFER_LME) && (core->cr0 & CR0_PG));
    rflags_write(core, core->rflags);
    smm->active = false;
    smm_changed(core);
    svm_resume(core, &suspended);
    core->pending_dr6 = smm->held_dr6;
    smm->held_dr6 = 0;
    core->interrupt_shadow = core->shadow_blocks_debug = false;
    if (legacy_pae(core) && !core->svm.np_enable && !mmu_load_pdptes(core->mmu, core->cr3, core->pdpte))
        return OUTCOME_SHUTDOWN;
    core->next_rip = core->rip;
    mode_switched(core);
    return OUTCOME_NEXT;
}

/* ---- SMM_CTL (APM2 15.30.3) ----------------------------------------------------------------------------------- */

#define SMM_CTL_DISMISS 0
#define SMM_CTL_ENTER 1
#define SMM_CTL_EXIT 3

static void containerized_enter(struct core *core)
{
    if (core->smm.active)
        return;
    core->smm.active = true;
    core->smm.nmi_masked = core->nmi_masked;
    core->nmi_masked = true;
    smm_changed(core);
}

static void containerized_exit(struct core *core)
{
    if (!core->smm.active)
        return;
    core->smm.active = false;
    core->nmi_masked = core->smm.nmi_masked;
    smm_changed(core);
}

/* In the order enter, smi_cycle, dismiss, rsm_cycle, exit; the two bus cycles tell nobody here anything. */
static bool write_smm_ctl(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct core *core = ctx;

    (void)row;
    if (core->hwcr & HWCR_SMM_LOCK)
        return false;
    if (bit(value, SMM_CTL_ENTER))
        containerized_enter(core);
    if (bit(value, SMM_CTL_DISMISS)) {
        core->smi_pending = false;
        core->msr->local_smi_status = core->smm.status;
        core->smm.status = 0;
    }
    if (bit(value, SMM_CTL_EXIT))
        containerized_exit(core);
    return true;
}

struct msr_bank smm_msr_bank(struct core *core)
{
    static const struct msr_row rows[] = {
        { .msr = 0xC0010116, .name = "SMM_CTL", .writable = BITS(4, 0), .mbz = BITS(63, 5), .rule = MSR_WRITE_ONLY,
          .offset = offsetof(struct core, smm.status), .write = write_smm_ctl, .cite = "MSRC001_0116, APM2 15.30.3" },
    };

    return (struct msr_bank){ rows, 1, core };
}

/* ---- Composition ------------------------------------------------------------------------------------------------ */

#define IO_TRAP_ENABLE 15                           /* MSRC001_0054 */
#define IO_TRAP_SOURCES (BIT(1) | BIT(3) | BIT(5) | BIT(7))

void smm_new(struct core *core, struct spa_space *memory)
{
    smm_view_init(core, memory);
}

void smm_reset(struct core *core, enum core_reset kind)
{
    struct smm_core *smm = &core->smm;

    (void)kind; /* an INIT in SMM waits for RSM, so that this is a reset */
    smm->active = smm->internal = smm->was_halted = smm->nmi_masked = smm->io_valid = false;
    smm->status = smm->io_info = 0;
    smm->held_dr6 = 0;
    smm->io_rip = smm->io_rcx = smm->io_rsi = smm->io_rdi = 0;
    smm_changed(core);
}

void smm_changed(struct core *core)
{
    const struct msr_storage *msr = core->msr;
    bool had = core->smm.windows;

    core->smm.windows = (msr->smm_mask & 3) != 0; /* AValid, TValid */
    core->smm.io_traps = bit(msr->io_trap_control, IO_TRAP_ENABLE) && (msr->io_trap_control & IO_TRAP_SOURCES) != 0;
    if (had || core->smm.windows)
        mmu_drop_all_native(core->mmu);
}
