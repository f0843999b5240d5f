/* SPDX-License-Identifier: MIT */
/*
 * SKINIT, from revision C on (APM2 15.27; fact sheet 3.15): the state of the secure loader, the protection of its
 * block from devices, the handshake with the other cores, and the measurement: the loader's bytes go to the TPM as
 * LPC cycles of locality 4, whose addresses the TCG's PC client specification gives (TIS 1.2, table 5).
 */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/svm/world.h"

#define SLB_ALIGN bits_mask(31, 16)
#define SLB_BYTES 0x10000
#define SLB_ENTRY 0  /* the header: offset of the entry, length of what is measured */
#define SLB_LENGTH 2
#define VM_CR_AFTER_SKINIT bits_mask(2, 0) /* DPD, R_INIT, DIS_A20M */
#define TPM_HASH_END UINT64_C(0xFED44020)
#define TPM_HASH_DATA UINT64_C(0xFED44024)
#define TPM_HASH_START UINT64_C(0xFED44028)

/* Flat descriptors with the selectors that SKINIT gives, accessed. */
static const struct segment skinit_cs = { 0x0008, 0xC9B, 0xFFFFFFFF, 0 };
static const struct segment skinit_ss = { 0x0010, 0xC93, 0xFFFFFFFF, 0 };
static const struct segment real_mode_data = { 0, 0x093, 0xFFFF, 0 };
static const struct segment reset_ldtr = { 0, 0x082, 0xFFFF, 0 };
static const struct segment reset_tr = { 0, 0x083, 0xFFFF, 0 };

static void skinit_segments(struct core *core)
{
    core->seg[SEG_CS] = skinit_cs;
    core->seg[SEG_SS] = skinit_ss;
    core->seg[SEG_ES] = core->seg[SEG_DS] = core->seg[SEG_FS] = core->seg[SEG_GS] = real_mode_data;
    core->seg[SEG_LDTR] = reset_ldtr;
    core->seg[SEG_TR] = reset_tr;
    core->gdtr = core->idtr = (struct table_register){ 0, 0xFFFF };
    core->cpl = 0;
}

static void skinit_registers(struct core *core, uint64_t slb)
{
    memset(core->gpr, 0, sizeof(core->gpr));
    core->gpr[RAX] = slb;
    core->gpr[RDX] = core->model->signature;
    core->gpr[RSP] = (slb + SLB_BYTES) & bits_mask(31, 0);
    rflags_write(core, 0);
    core->cr0 = (core->cr0 & (CR0_CD | CR0_NW)) | CR0_ET | CR0_PE;
    core->cr2 = core->cr3 = core->cr4 = core->efer = 0;
    memset(core->dr, 0, sizeof(core->dr));
    core->dr6 = UINT64_C(0xFFFF0FF0);
    core->dr7 = BIT(10);
    core->pending_dr6 = 0;
    core->interrupt_shadow = core->shadow_blocks_debug = false;
}

/* deviation: a part waits for the TPM and checks its answers; here the cycles go out and nothing can fail. */
static void measure(struct core *core, uint64_t slb)
{
    uint64_t length = spa_read(core->space, slb + SLB_LENGTH, 2);

    spa_write(core->space, TPM_HASH_START, 1, 0);
    for (uint64_t i = 0; i < length; i++)
        spa_write(core->space, TPM_HASH_DATA, 1, spa_read(core->space, slb + i, 1));
    spa_write(core->space, TPM_HASH_END, 1, 0);
}

/* A core that the handshake found in INIT starts as part of the secure launch: GIF = 0, INIT redirected. */
void skinit_startup(struct core *core)
{
    if (!core->svm.secure_startup)
        return;
    core->svm.secure_startup = false;
    core->svm.vm_cr |= VM_CR_AFTER_SKINIT;
    core->svm.gif = false;
}

void skinit_begin(struct core *core)
{
    uint64_t slb = core->gpr[RAX] & SLB_ALIGN;
    bool alone = !core->secure_launch.begin || core->secure_launch.begin(core->secure_launch.ctx, core->index, slb);

    skinit_registers(core, slb);
    skinit_segments(core);
    core->svm.vm_cr |= VM_CR_AFTER_SKINIT;
    core->svm.gif = false;
    if (alone) /* assumed: else it goes on unmeasured, as after any failure: PCR 17 then does not vouch for it */
        measure(core, slb);
    core->next_rip = slb + spa_read(core->space, slb + SLB_ENTRY, 2);
    core_mode_changed(core, true);
    core_debug_changed(core);
    mmu_flush_all(core->mmu);
}
