/* SPDX-License-Identifier: MIT */
#include "sim/cpu/smm/save_map.h"

#include <string.h>

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/memory.h"
#include "sim/cpu/model/msr.h"
#include "sim/spa.h"

#define MEMBER(name) offsetof(struct core, name)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Access ------------------------------------------------------------------------------------------------- */

static spa_t save_place(const struct core *core, unsigned offset)
{
    return (uint32_t)core->msr->smm_base + (uint64_t)offset;
}

uint64_t save_read(struct core *core, unsigned offset, unsigned size)
{
    memory_meet_late(core, save_place(core, offset), size, MEMORY_READ);
    return spa_read(core->space, save_place(core, offset), size);
}

void save_write(struct core *core, unsigned offset, unsigned size, uint64_t value)
{
    memory_meet_late(core, save_place(core, offset), size, MEMORY_WRITE);
    spa_write(core->space, save_place(core, offset), size, value);
}

/* ---- Registers of 64 bits -------------------------------------------------------------------------------------- */

enum { ROW_EFER, ROW_CR4, ROW_CR3, ROW_CR0, ROW_DR7, ROW_DR6, ROW_CHECKED };

static const struct save_row {
    uint16_t offset, member;
    uint64_t mask, ones; /* what the register holds of the value */
} rows[] = {
#define FLAGS_KEPT (RFLAGS_ARITH | BITS(14, 8) | BITS(21, 16))
    [ROW_EFER] = { 0xFED0, MEMBER(efer),
                   EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_LMSLE | EFER_FFXSE, 0 },
    [ROW_CR4] = { 0xFF48, MEMBER(cr4), BITS(10, 0), 0 },
    [ROW_CR3] = { 0xFF50, MEMBER(cr3), SPA_LIMIT - 1, 0 },
    [ROW_CR0] = { 0xFF58, MEMBER(cr0), CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |
                  CR0_PG, CR0_ET },
    [ROW_DR7] = { 0xFF60, MEMBER(dr7), BITS(31, 16) | BIT(13) | BITS(9, 0), BIT(10) },
    [ROW_DR6] = { 0xFF68, MEMBER(dr6), 0xE00F, 0xFFFF0FF0 },
    { 0xFF70, MEMBER(rflags), FLAGS_KEPT, BIT(1) },
    { 0xFF78, MEMBER(rip), ~UINT64_C(0), 0 },
#define GPR(place, reg) { place, MEMBER(gpr[reg]), ~UINT64_C(0), 0 }
    GPR(0xFF80, R15), GPR(0xFF88, R14), GPR(0xFF90, R13), GPR(0xFF98, R12), GPR(0xFFA0, R11), GPR(0xFFA8, R10),
    GPR(0xFFB0, R9), GPR(0xFFB8, R8), GPR(0xFFC0, RDI), GPR(0xFFC8, RSI), GPR(0xFFD0, RBP), GPR(0xFFD8, RSP),
    GPR(0xFFE0, RBX), GPR(0xFFE8, RDX), GPR(0xFFF0, RCX), GPR(0xFFF8, RAX),
};

static void store_rows(struct core *core)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t value;

        memcpy(&value, (const uint8_t *)core + rows[i].member, sizeof(value));
        save_write(core, rows[i].offset, 8, value);
    }
}

static void load_rows(struct core *core)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t value = (save_read(core, rows[i].offset, 8) & rows[i].mask) | rows[i].ones;

        memcpy((uint8_t *)core + rows[i].member, &value, sizeof(value));
    }
}

/* ---- Segments --------------------------------------------------------------------------------------------------- */

/* A descriptor as it lies in a table (APM2 4.7.1) from the hidden part, and back. */
static uint64_t pack_descriptor(const struct segment *segment)
{
    bool granular = bit(segment->attr, ATTR_G);
    uint32_t limit = granular ? segment->limit >> 12 : segment->limit;
    uint64_t value = bits_put(0, 15, 0, limit);

    value = bits_put(value, 39, 16, segment->base);
    value = bits_put(value, 47, 40, segment->attr);
    value = bits_put(value, 51, 48, limit >> 16);
    value = bits_put(value, 55, 52, segment->attr >> 8);
    return bits_put(value, 63, 56, segment->base >> 24);
}

static struct segment unpack_descriptor(uint64_t value, uint16_t selector, uint32_t base_high)
{
    uint32_t limit = (uint32_t)(bits(value, 51, 48) << 16 | bits(value, 15, 0));
    struct segment segment = {
        .selector = selector, .attr = (uint16_t)(bits(value, 55, 52) << 8 | bits(value, 47, 40)),
        .base = (uint64_t)base_high << 32 | bits(value, 63, 56) << 24 | bits(value, 39, 16),
    };

    segment.limit = bit(segment.attr, ATTR_G) ? limit << 12 | 0xFFF : limit;
    return segment;
}

/* Bases are 48 bits wide. */
static uint64_t canonical(uint64_t base)
{
    return (uint64_t)((int64_t)(base << 16) >> 16);
}

static void store_segments(struct core *core)
{
    for (unsigned n = SEG_ES; n <= SEG_GS; n++) {
        save_write(core, SAVE_SEGMENT(n), 2, core->seg[n].selector);
        if (n >= SEG_FS)
            save_write(core, SAVE_SEGMENT(n) + 4, 4, core->seg[n].base >> 32);
        save_write(core, SAVE_SEGMENT(n) + 8, 8, pack_descriptor(&core->seg[n]));
    }
}

static void load_segments(struct core *core)
{
    for (unsigned n = SEG_ES; n <= SEG_GS; n++) {
        uint32_t high = n >= SEG_FS ? (uint32_t)save_read(core, SAVE_SEGMENT(n) + 4, 4) : 0;

        core->seg[n] = unpack_descriptor(save_read(core, SAVE_SEGMENT(n) + 8, 8),
                                         (uint16_t)save_read(core, SAVE_SEGMENT(n), 2), high);
        core->seg[n].base = canonical(core->seg[n].base);
    }
}

static void store_system_segment(struct core *core, unsigned offset, const struct segment *segment)
{
    save_write(core, offset, 2, segment->selector);
    save_write(core, offset + 2, 2, segment->attr);
    save_write(core, offset + 4, 4, segment->limit);
    save_write(core, offset + 8, 8, segment->base);
}

static struct segment load_system_segment(struct core *core, unsigned offset)
{
    uint64_t base = save_read(core, offset + 8, 8);

    return (struct segment){
        .selector = (uint16_t)save_read(core, offset, 2), .attr = (uint16_t)save_read(core, offset + 2, 2) & 0xFFF,
        .limit = (uint32_t)save_read(core, offset + 4, 4), .base = canonical(base),
    };
}

static void store_table(struct core *core, unsigned offset, const struct table_register *table)
{
    save_write(core, offset + 4, 2, table->limit);
    save_write(core, offset + 8, 8, table->base);
}

static struct table_register load_table(struct core *core, unsigned offset)
{
    uint64_t base = save_read(core, offset + 8, 8);

    return (struct table_register){ .limit = (uint16_t)save_read(core, offset + 4, 2),
                                    .base = canonical(base) };
}

/* ---- The whole map ----------------------------------------------------------------------------------------- */

void save_map_store(struct core *core)
{
    store_segments(core);
    store_system_segment(core, SAVE_LDTR, &core->seg[SEG_LDTR]);
    store_system_segment(core, SAVE_TR, &core->seg[SEG_TR]);
    store_table(core, SAVE_GDTR, &core->gdtr);
    store_table(core, SAVE_IDTR, &core->idtr);
    save_write(core, SAVE_CPL, 1, core->cpl);
    save_write(core, SAVE_REVISION, 4, SMM_REVISION);
    save_write(core, SAVE_SMM_BASE, 4, (uint32_t)core->msr->smm_base);
    store_rows(core);
}

void save_map_load(struct core *core)
{
    load_segments(core);
    core->seg[SEG_LDTR] = load_system_segment(core, SAVE_LDTR);
    core->seg[SEG_TR] = load_system_segment(core, SAVE_TR);
    core->gdtr = load_table(core, SAVE_GDTR);
    core->idtr = load_table(core, SAVE_IDTR);
    core->cpl = (uint8_t)save_read(core, SAVE_CPL, 1) & 3;
    load_rows(core);
}

void save_map_store_guest(struct core *core, const struct svm_suspended *suspended)
{
    save_write(core, SAVE_SVM_STATE, 8, suspended->state);
    save_write(core, SAVE_VMCB, 8, suspended->vmcb);
    save_write(core, SAVE_V_INTR, 8, suspended->v_intr);
    save_write(core, SAVE_GUEST_PAT, 8, suspended->pat);
    save_write(core, SAVE_HOST_EFER, 8, suspended->host_efer);
    save_write(core, SAVE_HOST_CR4, 8, suspended->host_cr4);
    save_write(core, SAVE_HOST_CR3, 8, suspended->host_cr3);
    save_write(core, SAVE_HOST_CR0, 8, suspended->host_cr0);
}

struct svm_suspended save_map_load_guest(struct core *core)
{
    return (struct svm_suspended){
        .state = save_read(core, SAVE_SVM_STATE, 8), .vmcb = save_read(core, SAVE_VMCB, 8),
        .v_intr = save_read(core, SAVE_V_INTR, 8), .pat = save_read(core, SAVE_GUEST_PAT, 8),
        .host_efer = save_read(core, SAVE_HOST_EFER, 8), .host_cr4 = save_read(core, SAVE_HOST_CR4, 8),
        .host_cr3 = save_read(core, SAVE_HOST_CR3, 8), .host_cr0 = save_read(core, SAVE_HOST_CR0, 8),
    };
}

/* ---- Illegal states ---------------------------------------------------------------------------------------- */

struct image {
    uint64_t reg[ROW_CHECKED];
    uint16_t cs_attr;
    bool guest;
};

static bool upper_half(const struct image *i)
{
    return (i->reg[ROW_CR0] | i->reg[ROW_DR6] | i->reg[ROW_DR7]) >> 32 != 0;
}

static bool nw_without_cd(const struct image *i)
{
    return (i->reg[ROW_CR0] & (CR0_CD | CR0_NW)) == CR0_NW;
}

/* A guest may run in paged real mode. */
static bool pg_without_pe(const struct image *i)
{
    return !i->guest && (i->reg[ROW_CR0] & (CR0_PE | CR0_PG)) == CR0_PG;
}

static bool reserved_cr3(const struct image *i)
{
    return i->reg[ROW_CR3] >= SPA_LIMIT;
}

static bool reserved_cr4(const struct image *i)
{
    return (i->reg[ROW_CR4] & ~BITS(10, 0)) != 0;
}

static bool reserved_efer(const struct image *i)
{
    return (i->reg[ROW_EFER] & (BITS(63, 15) | BIT(9))) != 0;
}

static bool long_paging(const struct image *i)
{
    return (i->reg[ROW_EFER] & EFER_LME) && (i->reg[ROW_CR0] & CR0_PG);
}

static bool long_without_pae_or_pe(const struct image *i)
{
    return long_paging(i) && !((i->reg[ROW_CR4] & CR4_PAE) && (i->reg[ROW_CR0] & CR0_PE));
}

static bool long_with_both_sizes(const struct image *i)
{
    return long_paging(i) && bit(i->cs_attr, ATTR_L) && bit(i->cs_attr, ATTR_DB);
}

static const struct {
    const char *name;
    bool (*illegal)(const struct image *image);
} checks[] = {
    { "CR0, DR6 or DR7 bits 63:32", upper_half },
    { "CR0.NW without CD", nw_without_cd },
    { "CR0.PG without PE", pg_without_pe },
    { "CR3 beyond 48 bits", reserved_cr3 },
    { "CR4 reserved bits", reserved_cr4 },
    { "EFER reserved bits", reserved_efer },
    { "long mode without CR4.PAE or CR0.PE", long_without_pae_or_pe },
    { "long mode with CS.L and CS.D", long_with_both_sizes },
};

const char *save_map_illegal(struct core *core)
{
    struct image image = { .guest = bit(save_read(core, SAVE_SVM_STATE, 8), SVM_STATE_GUEST) };

    for (unsigned i = 0; i < ROW_CHECKED; i++)
        image.reg[i] = save_read(core, rows[i].offset, 8);
    image.cs_attr = unpack_descriptor(save_read(core, SAVE_SEGMENT(SEG_CS) + 8, 8), 0, 0).attr;
    for (size_t i = 0; i < COUNT(checks); i++)
        if (checks[i].illegal(&image))
            return checks[i].name;
    return NULL;
}
