/* SPDX-License-Identifier: MIT */
/* SVM's state of one core: description, reset, MSRs, and the gates of physical and virtual interrupts. */
#include "sim/cpu/svm/svm.h"

#include "sim/cpu/svm/exits.h"
#include "sim/state.h"

/* ---- Interrupt gates ---------------------------------------------------------------------------------- */

bool svm_physical_interrupts_enabled(const struct core *core)
{
    const struct svm_core *svm = &core->svm;

    /* assumed: the interrupt shadow holds back a physical interrupt also with V_INTR_MASKING. */
    if (!svm->gif || core->interrupt_shadow)
        return false;
    if (svm->guest && svm->v_intr_masking)
        return svm->host_if;
    return (core->rflags & RFLAGS_IF) != 0;
}

bool svm_virtual_interrupt_ready(const struct core *core)
{
    const struct svm_core *svm = &core->svm;

    return svm->guest && svm->v_irq && svm->gif && !core->interrupt_shadow && (core->rflags & RFLAGS_IF) &&
           (svm->v_ign_tpr || svm->v_intr_prio > (svm->v_tpr & 0xF));
}

uint8_t svm_virtual_interrupt_take(struct core *core)
{
    core->svm.v_irq = false;
    return core->svm.v_intr_vector;
}

/* ---- MSRs --------------------------------------------------------------------------------------------- */

#define VM_CR_LOCK BIT(3)
#define VM_CR_SVMDIS BIT(4)

/* No host save area in the HyperTransport reserved range (BKDG10 MSRC001_0117). */
#define HT_RESERVED_FIRST UINT64_C(0xFD00000000)
#define HT_RESERVED_LAST UINT64_C(0xFFFFFFFFFF)

static bool write_vm_cr(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct core *core = ctx;
    uint64_t old = core->svm.vm_cr;

    (void)row;
    if ((value & VM_CR_SVMDIS) && (core->efer & EFER_SVME))
        return false; /* whether or not Lock would have ignored it */
    if (old & VM_CR_LOCK)
        value = (value & ~(VM_CR_LOCK | VM_CR_SVMDIS)) | (old & (VM_CR_LOCK | VM_CR_SVMDIS));
    core->svm.vm_cr = value;
    return true;
}

static bool write_vm_hsave_pa(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct core *core = ctx;

    (void)row;
    if (value >= HT_RESERVED_FIRST && value <= HT_RESERVED_LAST)
        return false;
    core->svm.vm_hsave_pa = value;
    return true;
}

static uint64_t read_svm_key(void *ctx, const struct msr_row *row)
{
    (void)ctx;
    (void)row;
    return 0;
}

/* Unlocked: sets the key. Locked: the right key, if there is one, opens the lock; a wrong one is ignored. */
static bool write_svm_key(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct svm_core *svm = &((struct core *)ctx)->svm;

    (void)row;
    if (!(svm->vm_cr & VM_CR_LOCK))
        svm->svm_key = value;
    else if (svm->svm_key != 0 && svm->svm_key == value)
        svm->vm_cr &= ~VM_CR_LOCK;
    return true;
}

static const struct msr_row svm_msrs[] = {
    { .msr = 0xC0010114, .name = "VM_CR", .writable = 0x1F, .mbz = 0xFFFFFFE0,
      .offset = offsetof(struct core, svm.vm_cr), .write = write_vm_cr, .cite = "MSRC001_0114, APM2 15.30.1" },
    { .msr = 0xC0010117, .name = "VM_HSAVE_PA", .writable = SPA_LIMIT - PAGE_BYTES,
      .mbz = ~(SPA_LIMIT - PAGE_BYTES), .offset = offsetof(struct core, svm.vm_hsave_pa),
      .write = write_vm_hsave_pa, .cite = "MSRC001_0117, APM2 15.30.4" },
    { .msr = 0xC0010118, .name = "SVM_KEY", .writable = ~UINT64_C(0), .offset = offsetof(struct core, svm.svm_key),
      .read = read_svm_key, .write = write_svm_key, .cite = "MSRC001_0118, APM2 15.31.1" },
};

struct msr_bank svm_msr_bank(struct core *core)
{
    return (struct msr_bank){ svm_msrs, sizeof(svm_msrs) / sizeof(svm_msrs[0]), core };
}

/* ---- Composition -------------------------------------------------------------------------------------- */

void svm_new(struct core *core)
{
    core->svm.count = g_new0(struct svm_counters, 1);
    if (!core->exits)
        core->exits = core->svm.own_exits = exit_table_new();
    exits_attach(core->exits, core);
}

void svm_free(struct core *core)
{
    exit_table_free(core->svm.own_exits);
    g_free(core->svm.count);
}

/* INIT keeps VM_CR.Lock, and SVMDIS while locked (fact sheet 2.3); VM_HSAVE_PA and the key stay. */
static void init_vm_cr(struct svm_core *svm)
{
    svm->vm_cr &= svm->vm_cr & VM_CR_LOCK ? VM_CR_LOCK | VM_CR_SVMDIS : 0;
}

void svm_reset(struct core *core, enum core_reset kind)
{
    struct svm_core old = core->svm;

    core->svm = (struct svm_core){ .gif = true, .count = old.count, .own_exits = old.own_exits,
                                   .halted_cycles = old.halted_cycles };
    if (kind == CORE_RESET_INIT) {
        core->svm.vm_cr = old.vm_cr;
        core->svm.vm_hsave_pa = old.vm_hsave_pa;
        core->svm.svm_key = old.svm_key;
        core->svm.secure_startup = old.secure_startup;
        init_vm_cr(&core->svm);
    }
}

static const struct state_field svm_fields[] = {
    STATE_VALUE(struct core, svm.guest),
    STATE_ARRAY(struct core, svm.intercept),
    STATE_VALUE(struct core, svm.vmcb),
    STATE_VALUE(struct core, svm.iopm),
    STATE_VALUE(struct core, svm.msrpm),
    STATE_VALUE(struct core, svm.tsc_offset),
    STATE_VALUE(struct core, svm.asid),
    STATE_VALUE(struct core, svm.np_enable),
    STATE_VALUE(struct core, svm.lbr_virtual),
    STATE_VALUE(struct core, svm.n_cr3),
    STATE_VALUE(struct core, svm.host_pat),
    STATE_VALUE(struct core, svm.host_cr0),
    STATE_VALUE(struct core, svm.host_cr4),
    STATE_VALUE(struct core, svm.host_efer),
    STATE_VALUE(struct core, svm.v_tpr),
    STATE_VALUE_UP_TO(struct core, svm.v_intr_prio, 15),
    STATE_VALUE(struct core, svm.v_intr_vector),
    STATE_VALUE(struct core, svm.v_irq),
    STATE_VALUE(struct core, svm.v_ign_tpr),
    STATE_VALUE(struct core, svm.v_intr_masking),
    STATE_VALUE(struct core, svm.host_if),
    STATE_VALUE(struct core, svm.delivering.vector),
    STATE_VALUE_UP_TO(struct core, svm.delivering.kind, EVENT_SOFT_INT),
    STATE_VALUE(struct core, svm.delivering.has_error),
    STATE_VALUE(struct core, svm.delivering.error),
    STATE_VALUE(struct core, svm.delivering.address),
    STATE_VALUE(struct core, svm.delivering.icebp),
    STATE_VALUE(struct core, svm.delivering.breakpoint),
    STATE_VALUE(struct core, svm.delivering_valid),
    STATE_VALUE(struct core, svm.inject.vector),
    STATE_VALUE_UP_TO(struct core, svm.inject.kind, EVENT_SOFT_INT),
    STATE_VALUE(struct core, svm.inject.has_error),
    STATE_VALUE(struct core, svm.inject.error),
    STATE_VALUE(struct core, svm.inject.address),
    STATE_VALUE(struct core, svm.inject.icebp),
    STATE_VALUE(struct core, svm.inject.breakpoint),
    STATE_VALUE(struct core, svm.inject_valid),
    STATE_VALUE(struct core, svm.cr8_valid),
    STATE_VALUE(struct core, svm.cr8_vmcb),
    STATE_VALUE(struct core, svm.cr8_next_rip),
    STATE_VALUE(struct core, svm.cr8_before),
    STATE_VALUE(struct core, svm.vm_cr),
    STATE_VALUE(struct core, svm.vm_hsave_pa),
    STATE_VALUE(struct core, svm.svm_key),
    STATE_VALUE(struct core, svm.gif),
    STATE_VALUE(struct core, svm.secure_startup),
    STATE_VALUE(struct core, svm.entry_cycle),
    STATE_VALUE(struct core, svm.exit_cycle),
    STATE_VALUE(struct core, svm.halted_cycles),
};

static const struct state_part svm_part = {
    .name = "svm", .fields = svm_fields, .count = sizeof(svm_fields) / sizeof(svm_fields[0]),
};

void svm_describe(struct core *core, struct state *state, struct counter_set *counters, const char *path)
{
    char *exits = g_strdup_printf("%s.exits", path);

    state_add(state, path, &svm_part, core);
    if (core->svm.own_exits)
        exit_table_describe(core->svm.own_exits, state, exits);
    counters_attach(counters, path, svm_counter_rows, svm_counter_row_count, core->svm.count);
    g_free(exits);
}
