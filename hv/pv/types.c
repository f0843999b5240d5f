/* SPDX-License-Identifier: MIT */
#include "hv/pv/types.h"

#include "hv/abi/pv.h"
#include "hv/abi/xen.h"

#define FRAME(entry) (((entry) & PTE_ADDRESS) >> 12)
#define FRAME_BYTES 4096
/* Bits a guest may not set: in a table entry PCD, PWT, PS, G, and address bits that Family 10h has not (51:48). */
#define FORBIDDEN_ADDRESS (0xFull << 48)
#define FORBIDDEN_TABLE (FORBIDDEN_ADDRESS | 1ull << 3 | 1ull << 4 | PTE_PS | PTE_G)
#define FORBIDDEN_L1 FORBIDDEN_ADDRESS
/* What may change in an entry without another count: A, D, caching, bits for software, NX. */
#define PTE_COUNTED (PTE_P | PTE_W | PTE_ADDRESS)

static bool is_table(unsigned type)
{
    return type >= PV_L1 && type <= PV_L4;
}

static bool is_hv_slot(unsigned type, unsigned index)
{
    return type == PV_L4 && index >= PV_RESERVED_FIRST && index < PV_RESERVED_END;
}

static struct pv_frame *own_frame(const struct pv_types *types, uint64_t frame)
{
    struct pv_frame *f = types->frame(types->ctx, frame);

    return f && f->owner == types->owner ? f : NULL;
}

bool pv_owns(const struct pv_types *types, uint64_t frame)
{
    return own_frame(types, frame);
}

bool pv_is_unused(const struct pv_types *types, uint64_t frame)
{
    const struct pv_frame *f = own_frame(types, frame);

    return f && !f->refs && !f->uses;
}

/*
 * All of a 64-bit guest runs at CPL 3; entries that stay over a switch of kernel and user tables must not be global. A
 * 32-bit guest's L3 entries have no rights, as PAE's have none: here they are entries of long mode's.
 */
static uint64_t adapt(const struct pv_types *types, unsigned type, uint64_t entry)
{
    if (!(entry & PTE_P))
        return entry;
    if (type == PV_L1)
        entry &= ~PTE_G;
    if (types->narrow)
        return type == PV_L3 ? entry | PTE_W | PTE_U : entry;
    return entry | PTE_U;
}

/* ---- Entries: what they refer to is counted -------------------------------------------------------------- */

static int64_t entry_get(struct pv_types *types, unsigned type, uint64_t entry)
{
    uint64_t frame = FRAME(entry);
    struct pv_frame *f;
    int64_t error = 0;

    if (!(entry & PTE_P))
        return 0;
    if (entry & (type == PV_L1 ? FORBIDDEN_L1 : FORBIDDEN_TABLE))
        return -XEN_EINVAL;
    f = own_frame(types, frame);
    if (!f)
        return -XEN_EINVAL;
    if (f->refs == UINT32_MAX)
        return -XEN_EBUSY;
    if (type != PV_L1)
        error = pv_type_get(types, frame, (enum pv_type)(type - 1));
    else if (entry & PTE_W)
        error = pv_type_get(types, frame, PV_WRITABLE);
    if (!error)
        f->refs++;
    return error;
}

static void entry_put(struct pv_types *types, unsigned type, uint64_t entry)
{
    if (!(entry & PTE_P))
        return;
    own_frame(types, FRAME(entry))->refs--;
    if (type != PV_L1 || entry & PTE_W)
        pv_type_put(types, FRAME(entry));
}

/* ---- Tables ---------------------------------------------------------------------------------------------- */

static void put_entries(struct pv_types *types, uint64_t *table, unsigned type, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!is_hv_slot(type, i))
            entry_put(types, type, table[i]);
}

static int64_t begin_table(struct pv_types *types, uint64_t frame, unsigned type)
{
    uint64_t *table = types->memory(types->ctx, frame);

    for (unsigned i = 0; i < PV_TABLE_ENTRIES; i++) {
        int64_t error = is_hv_slot(type, i) ? 0 : entry_get(types, type, table[i]);

        if (error) {
            put_entries(types, table, type, i);
            return error;
        }
        if (!is_hv_slot(type, i))
            table[i] = adapt(types, type, table[i]);
    }
    for (unsigned i = PV_RESERVED_FIRST; type == PV_L4 && i < PV_RESERVED_END; i++)
        table[i] = types->hv_slots[i - PV_RESERVED_FIRST];
    return 0;
}

/* hv's entries are not the guest's to keep. */
static void end_table(struct pv_types *types, uint64_t frame, unsigned type)
{
    uint64_t *table = types->memory(types->ctx, frame);

    put_entries(types, table, type, PV_TABLE_ENTRIES);
    for (unsigned i = PV_RESERVED_FIRST; type == PV_L4 && i < PV_RESERVED_END; i++)
        table[i] = 0;
}

/* Base, limit and type are the guest's business: it is at CPL 3, and so is all that these can open. */
bool pv_descriptor_check(const struct pv_types *types, uint64_t *descriptor)
{
    const uint64_t present = 1ull << 47, segment = 1ull << 44, dpl_3 = 3ull << 45, accessed = 1ull << 40;
    const uint64_t code = 1ull << 43, long_mode = 1ull << 53, dpl_1 = 1ull << 45;

    if (!(*descriptor & present))
        return true;
    if (!(*descriptor & segment)) /* gates, TSS, LDT */
        return false;
    if (types->narrow && *descriptor & code && *descriptor & long_mode) /* at CPL 1 it would reach hv */
        return false;
    *descriptor |= accessed; /* the table is read-only to the processor */
    if (!types->narrow)
        *descriptor |= dpl_3;
    else if (!(*descriptor & dpl_3))
        *descriptor |= dpl_1;
    return true;
}

static int64_t begin_descriptors(struct pv_types *types, uint64_t frame)
{
    uint64_t *descriptors = types->memory(types->ctx, frame);

    for (unsigned i = 0; i < PV_TABLE_ENTRIES; i++)
        if (!pv_descriptor_check(types, &descriptors[i]))
            return -XEN_EINVAL;
    return 0;
}

/* ---- Types ----------------------------------------------------------------------------------------------- */

static int64_t begin_type(struct pv_types *types, uint64_t frame, struct pv_frame *f, enum pv_type type)
{
    int64_t error = 0;

    /* What was writable, or a table, may still be so in another core's TLB. */
    types->flush(types->ctx);
    f->type = (uint8_t)type; /* before its entries are looked at: they may lead back here */
    f->uses = 1;
    if (is_table(type))
        error = begin_table(types, frame, type);
    else if (type == PV_DESCRIPTORS)
        error = begin_descriptors(types, frame);
    if (error) {
        f->type = PV_NONE;
        f->uses = 0;
    }
    return error;
}

int64_t pv_type_get(struct pv_types *types, uint64_t frame, enum pv_type type)
{
    struct pv_frame *f = own_frame(types, frame);

    if (!f)
        return -XEN_EINVAL;
    if (f->uses == 0)
        return begin_type(types, frame, f, type);
    if (f->type != type || f->uses == UINT32_MAX)
        return -XEN_EBUSY;
    f->uses++;
    return 0;
}

void pv_type_put(struct pv_types *types, uint64_t frame)
{
    struct pv_frame *f = own_frame(types, frame);

    if (--f->uses != 0)
        return;
    if (is_table(f->type))
        end_table(types, frame, f->type);
    f->type = PV_NONE;
}

int64_t pv_pin(struct pv_types *types, uint64_t frame, enum pv_type type)
{
    struct pv_frame *f = own_frame(types, frame);
    int64_t error;

    if (!f || f->pinned)
        return -XEN_EINVAL;
    error = pv_type_get(types, frame, type);
    if (error)
        return error;
    f->pinned = true;
    f->refs++;
    return 0;
}

int64_t pv_unpin(struct pv_types *types, uint64_t frame)
{
    struct pv_frame *f = own_frame(types, frame);

    if (!f || !f->pinned)
        return -XEN_EINVAL;
    f->pinned = false;
    f->refs--;
    pv_type_put(types, frame);
    return 0;
}

/* ---- Writes ---------------------------------------------------------------------------------------------- */

/* Another core may be setting A or D. Returns what was there. */
static uint64_t exchange(uint64_t *at, uint64_t value, bool keep_ad)
{
    uint64_t old = __atomic_load_n(at, __ATOMIC_RELAXED), wanted;

    do
        wanted = keep_ad ? value | (old & (PTE_A | PTE_D)) : value;
    while (!__atomic_compare_exchange_n(at, &old, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return old;
}

static int64_t write_table(struct pv_types *types, unsigned type, uint64_t *at, uint64_t value, bool keep_ad)
{
    uint64_t old = *at;
    int64_t error;

    value = adapt(types, type, value);
    if (value & old & PTE_P && ((value ^ old) & PTE_COUNTED) == 0) {
        if (value & (type == PV_L1 ? FORBIDDEN_L1 : FORBIDDEN_TABLE))
            return -XEN_EINVAL;
        exchange(at, value, keep_ad);
        return 0;
    }
    error = entry_get(types, type, value);
    if (error)
        return error;
    entry_put(types, type, exchange(at, value, keep_ad));
    return 0;
}

int64_t pv_entry_write(struct pv_types *types, uint64_t address, uint64_t value, bool keep_ad)
{
    uint64_t frame = address / FRAME_BYTES;
    unsigned index = (unsigned)(address % FRAME_BYTES / sizeof(value));
    const struct pv_frame *f = own_frame(types, frame);
    uint64_t *table;

    if (!f || address % sizeof(value))
        return -XEN_EINVAL;
    table = types->memory(types->ctx, frame);
    if (is_hv_slot(f->type, index))
        return -XEN_EINVAL;
    if (is_table(f->type))
        return write_table(types, f->type, &table[index], value, keep_ad);
    if (f->type == PV_DESCRIPTORS)
        return -XEN_EBUSY;
    exchange(&table[index], value, keep_ad);
    return 0;
}
