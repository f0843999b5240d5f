/* SPDX-License-Identifier: MIT */
/* Life of a core: building, resetting, entering, and what is derived from its registers. */
#include "sim/cpu/core.h"

#include <glib.h>
#include <string.h>

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/core_counters.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/interp/block.h"
#include "sim/cpu/model/msr.h"
#include "sim/cpu/smm/smm.h"
#include "sim/cpu/svm/svm.h"

/* ---- Building ------------------------------------------------------------------------------------ */

struct core *core_new(const struct core_wiring *wiring)
{
    struct core *core = g_new0(struct core, 1);

    core->index = wiring->index;
    core->node = wiring->node;
    core->in_node = wiring->in_node;
    core->cores_in_node = wiring->cores_in_node;
    core->initial_apic_id = wiring->apic_id;
    core->bsp = wiring->index == 0;
    core->model = wiring->model;
    smm_new(core, wiring->space);
    core->pio = wiring->pio;
    core->clock = wiring->clock;
    core->unmodelled = wiring->unmodelled;
    core->numeric_error = wiring->numeric_error;
    core->halts = wiring->halts;
    core->secure_launch = wiring->secure_launch;
    core->blocks = wiring->blocks;
    if (core->blocks)
        block_cache_set_absent(core->blocks, core->model->absent);
    core->count = g_new0(struct core_counters, 1);
    core->mmu = mmu_new(wiring->geometry ? wiring->geometry : &wiring->model->mmu, core->space, wiring->node,
                        &core->cycles);
    core->smash_1g = (wiring->geometry ? wiring->geometry : &wiring->model->mmu)->smash_1g;
    core->exits = wiring->exits;
    mca_core_init(&core->mca, wiring->mca_node, wiring->in_node, &core->hwcr);
    core->msr = msr_storage_new(core);
    svm_new(core);
    apic_new(core, wiring->messages, wiring->acknowledge);
    core_attach_msrs(core, mca_core_msrs(&core->mca));
    core_attach_msrs(core, svm_msr_bank(core));
    core_attach_msrs(core, smm_msr_bank(core));
    core_attach_msrs(core, apic_msr_bank(core));
    core_attach_msrs(core, mmu_msr_bank(core->mmu));
    core->limit = NEVER;
    core_reset(core, CORE_RESET_COLD);
    return core;
}

void core_free(struct core *core)
{
    if (!core)
        return;
    apic_free(core->apic);
    svm_free(core);
    msr_storage_free(core->msr);
    mmu_free(core->mmu);
    g_free(core->count);
    g_free(core);
}

void core_attach_msrs(struct core *core, struct msr_bank bank)
{
    g_assert(core->bank_count < G_N_ELEMENTS(core->banks));
    core->banks[core->bank_count++] = bank;
}

void core_set_watch(struct core *core, const struct core_watch *watch)
{
    core->watch = watch;
    core->watched = false;
    mmu_set_reference(core->mmu, core->reference);
}

void core_set_reference(struct core *core, bool reference)
{
    core->reference = reference;
    mmu_set_reference(core->mmu, reference);
}

struct mmu *core_mmu(struct core *core)
{
    return core->mmu;
}

struct core_hooks *core_hooks(struct core *core)
{
    return &core->hooks;
}

/* ---- Derived state ------------------------------------------------------------------------------- */

static enum mode mode_of(const struct core *core)
{
    if (!(core->cr0 & CR0_PE))
        return MODE_REAL;
    if (core->efer & EFER_LMA)
        return bit(core->seg[SEG_CS].attr, ATTR_L) ? MODE_64BIT : MODE_COMPATIBILITY;
    return (core->rflags & RFLAGS_VM) ? MODE_VIRTUAL_8086 : MODE_PROTECTED;
}

static void give_paging(struct core *core)
{
    const struct svm_core *svm = &core->svm;
    struct paging paging = {
        .cr0 = core->cr0, .cr3 = core->cr3, .cr4 = core->cr4, .efer = core->efer, .pat = core->pat,
        .asid = svm->guest ? svm->asid : 0,
        .nested = svm->guest && svm->np_enable,
        .n_cr3 = svm->n_cr3,
        .host_cr0 = svm->host_cr0, .host_cr4 = svm->host_cr4, .host_efer = svm->host_efer,
        .host_pat = svm->host_pat,
    };

    memcpy(paging.pdpte, core->pdpte, sizeof(paging.pdpte));
    mmu_set_paging(core->mmu, &paging);
}

void core_mode_changed(struct core *core, bool paging)
{
    if (core->perf.enabled)
        perf_sync(core);
    core->mode = (uint8_t)mode_of(core);
    if (core->mode == MODE_REAL)
        core->cpl = 0; /* APM2 15.5.1: forced in real mode, and 3 in virtual-8086 mode */
    else if (core->mode == MODE_VIRTUAL_8086)
        core->cpl = 3;
    core->access = core->cpl == 3 ? MMU_USER : 0;
    core->perf.user = core->cpl > 0;
    core->perf.guest = core->svm.guest;
    if (core->mode == MODE_64BIT) {
        core->code_size = 4;
        core->stack_size = 8;
    } else {
        core->code_size = bit(core->seg[SEG_CS].attr, ATTR_DB) ? 4 : 2;
        core->stack_size = bit(core->seg[SEG_SS].attr, ATTR_DB) ? 4 : 2;
    }
    if (paging)
        give_paging(core);
    core_attention(core);
}

/* DR7 (APM2 13.1.1.4): Ln, Gn in bits 1:0 + 2n, R/Wn in 17:16 + 4n; R/W = 0 is an instruction. */
void core_debug_changed(struct core *core)
{
    core->data_breakpoints = false;
    core->code_breakpoints = false;
    for (unsigned n = 0; n < 4; n++) {
        if (!bits(core->dr7, 2 * n + 1, 2 * n))
            continue;
        if (bits(core->dr7, 17 + 4 * n, 16 + 4 * n) == 0)
            core->code_breakpoints = true;
        else
            core->data_breakpoints = true;
    }
    core_attention(core);
}

/* ---- Reset (APM2 14.1, table 14-1) ------------------------------------------------------------------ */

#define ATTR_REAL_CODE 0x09B /* present, code, readable, accessed */
#define ATTR_REAL_DATA 0x093 /* present, data, writable, accessed */
#define ATTR_LDT 0x082
#define ATTR_TSS_BUSY 0x08B

static void reset_segments(struct core *core)
{
    for (unsigned n = 0; n < SEG_COUNT; n++)
        core->seg[n] = (struct segment){ .attr = ATTR_REAL_DATA, .limit = 0xFFFF };
    core->seg[SEG_CS] = (struct segment){ .selector = 0xF000, .attr = ATTR_REAL_CODE, .limit = 0xFFFF,
                                          .base = 0xFFFF0000 };
    core->seg[SEG_LDTR].attr = ATTR_LDT;
    core->seg[SEG_TR].attr = ATTR_TSS_BUSY;
    core->gdtr = core->idtr = (struct table_register){ .limit = 0xFFFF };
}

static void reset_registers(struct core *core, enum core_reset kind)
{
    uint64_t keep = kind == CORE_RESET_INIT ? core->cr0 & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;

    memset(core->gpr, 0, sizeof(core->gpr));
    core->gpr[RDX] = core->model->signature;
    core->rip = core->next_rip = 0xFFF0;
    rflags_write(core, 2);
    core->cr0 = keep | CR0_ET;
    core->cr2 = core->cr3 = core->cr4 = 0;
    core->efer = 0;
    memset(core->pdpte, 0, sizeof(core->pdpte));
    memset(core->dr, 0, sizeof(core->dr));
    core->dr6 = 0xFFFF0FF0;
    core->dr7 = 0x400;
    core->cpl = 0;
    reset_segments(core);
}

/* INIT leaves x87, MMX and SSE state alone. Tags 5555h: all registers hold zero. */
static void reset_media(struct core *core)
{
    core->x87 = (struct x87){ .control = 0x0040, .full = 0xFF };
    memset(core->xmm, 0, sizeof(core->xmm));
    core->mxcsr = 0x1F80;
}

/* Events and waits. An NMI that arrived stays pending over INIT. */
static void reset_boundary(struct core *core, enum core_reset kind)
{
    if (kind != CORE_RESET_INIT) {
        core->nmi_pending = core->smi_pending = core->mc_pending = false;
        core->intr_line = false;
    }
    core->init_pending = core->nmi_masked = false;
    core->interrupt_shadow = core->shadow_blocks_debug = false;
    core->halted = core->mwaiting = core->mwait_breaks = core->shutdown = core->repeating = false;
    core->waiting_for_sipi = !core->bsp; /* deviation: after a cold reset too; no F0x68[5] start at the vector */
    core->pending_dr6 = 0;
    core->monitor_line = NEVER;
    core->breakpoint_passed = false;
}

void core_reset(struct core *core, enum core_reset kind)
{
    reset_registers(core, kind);
    reset_boundary(core, kind);
    svm_reset(core, kind);
    smm_reset(core, kind);
    if (kind != CORE_RESET_INIT) {
        reset_media(core);
        core->tsc_offset_host = 0 - core->cycles;
        msr_reset(core);
        mca_core_reset(&core->mca, kind == CORE_RESET_WARM);
        smm_changed(core);
        mmu_reset(core->mmu);
        block_cache_clear(core->blocks);
    } else {
        mmu_flush_all(core->mmu); /* fact sheet 4.1: INIT flushes every ASID */
    }
    apic_reset(core->apic, kind);
    core_debug_changed(core);
    core_mode_changed(core, true);
}

/* ---- Entering ------------------------------------------------------------------------------------- */

#define ATTR_FLAT_CODE32 0xC9B
#define ATTR_FLAT_DATA32 0xC93

static void enter_flat(struct core *core)
{
    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        core->seg[n] = (struct segment){ .selector = 0x18, .attr = ATTR_FLAT_DATA32, .limit = 0xFFFFFFFF };
    core->seg[SEG_CS].selector = 0x10;
    core->seg[SEG_CS].attr = ATTR_FLAT_CODE32;
    core->gdtr = core->idtr = (struct table_register){ 0 }; /* the image brings its own */
    core->cr0 = CR0_PE | CR0_ET;
}

void core_firmware(struct core *core, bool svm_lock)
{
    msr_enter(core);
    apic_enter(core->apic);
    core->svm.vm_cr = svm_lock ? VM_CR_LOCK : 0; /* BKDG10 2.14.1, SVM enabled: SVMDIS 0, Lock 1, key 0 */
}

void core_enter(struct core *core, const struct core_entry *entry)
{
    reset_registers(core, CORE_RESET_COLD);
    core->waiting_for_sipi = core->halted = core->mwaiting = core->shutdown = false;
    if (entry->protected_flat) {
        enter_flat(core);
        core->rip = entry->rip;
        core->gpr[RAX] = entry->rax;
        core->gpr[RBX] = entry->rbx;
        core->gpr[RCX] = entry->rcx;
        core->gpr[RDX] = entry->rdx;
        core->gpr[RSI] = entry->rsi;
        core->gpr[RDI] = entry->rdi;
        core->gpr[RSP] = entry->rsp;
        apic_enter(core->apic);
    }
    core_debug_changed(core);
    core_mode_changed(core, true);
}

void core_wait_for_sipi(struct core *core)
{
    core->waiting_for_sipi = true;
    apic_enter(core->apic); /* without it the core would not hear the SIPI */
    core->cr0 &= ~(CR0_CD | CR0_NW); /* firmware left the caches on; INIT keeps both bits */
    core_mode_changed(core, true);
}

bool core_is_in_init(const struct core *core)
{
    return core->waiting_for_sipi || core->init_pending;
}

void core_secure_startup(struct core *core)
{
    core->svm.secure_startup = true;
}

void core_startup(struct core *core, uint8_t vector)
{
    if (!core->waiting_for_sipi)
        return;
    if (core->init_pending) /* it came before the SIPI, and the core has not run since */
        core_reset(core, CORE_RESET_INIT);
    core->waiting_for_sipi = false;
    core->seg[SEG_CS].selector = (uint16_t)(vector << 8);
    core->seg[SEG_CS].base = (uint64_t)vector << 12;
    core->rip = 0;
    skinit_startup(core);
    core_mode_changed(core, false);
}

/* ---- Time ----------------------------------------------------------------------------------------- */

uint64_t core_now_ps(const struct core *core)
{
    return cycles_to_ps(core->cycles, core->model->mhz);
}

/* Devices read the time and may raise or drop an interrupt: the next boundary looks. */
void core_touch_clock(struct core *core)
{
    core->clock->now_ps = core_now_ps(core);
    core_attention(core);
}

void core_touch_devices(struct core *core)
{
    core_touch_clock(core);
    core_observe_time(core);
}

void core_observe_time(struct core *core)
{
    if (core->clock)
        clock_observed(core->clock);
}

uint64_t core_cycles(const struct core *core)
{
    return core->cycles;
}

uint64_t core_instructions(const struct core *core)
{
    return core->instructions;
}

bool core_halted(const struct core *core)
{
    return core->halted;
}

bool core_waiting(const struct core *core)
{
    return core->halted || core->mwaiting || core->waiting_for_sipi || core->shutdown;
}

void core_limit(struct core *core, uint64_t limit)
{
    if (limit < core->limit)
        core->limit = limit;
    if (limit < core->horizon)
        core->horizon = limit;
}

void core_request_stop(struct core *core)
{
    core->stop_request = true;
    core_attention(core);
}

/* ---- Looking -------------------------------------------------------------------------------------- */

unsigned core_code_bits(const struct core *core)
{
    return core->mode == MODE_64BIT ? 64 : 8 * core->code_size;
}

uint64_t core_linear_rip(const struct core *core)
{
    if (core->mode == MODE_64BIT)
        return core->rip;
    return (uint32_t)(core->seg[SEG_CS].base + core->rip);
}

bool core_in_guest(const struct core *core)
{
    return core->svm.guest;
}

void core_ignore_numeric_error(struct core *core)
{
    core->x87.error_ignored = core->x87.error_reported;
    core_attention(core);
}

/* MONITOR arms a 64-byte line (fact sheet 1.6); any store to it ends MWAIT. */
void core_line_stored(struct core *core, spa_t address, unsigned size)
{
    if (core->monitor_line == NEVER || address + size <= core->monitor_line || address >= core->monitor_line + 64)
        return;
    core->monitor_line = NEVER;
    core->mwaiting = false;
    core_attention(core);
}
