/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables (APM2 4.7, 4.8): reading an entry with its limit check, what its bits say, and the
 * accessed and busy bits. A failing call has filled core->fault.
 */
#ifndef FAM10H_CPU_EXEC_DESCRIPTOR_H
#define FAM10H_CPU_EXEC_DESCRIPTOR_H

#include "sim/cpu/core.h"

/* ---- Selectors ---------------------------------------------------------------------------------- */

#define SELECTOR_RPL 1, 0
#define SELECTOR_TI 2

static inline bool selector_is_null(uint16_t selector)
{
    return (selector & 0xFFFC) == 0;
}

/* Error code that names a selector (APM2 8.4.1); ext is its EXT bit. */
static inline uint32_t selector_error(uint16_t selector, unsigned ext)
{
    return (selector & 0xFFFCu) | ext;
}

/* ---- Entries -------------------------------------------------------------------------------------- */

struct descriptor {
    uint16_t selector;
    uint16_t attr;  /* as in struct segment; of a gate only bits 7:0 mean something */
    uint64_t low;   /* the first 8 bytes */
    uint64_t high;  /* the next 8, for 16-byte entries (descriptor_read_high), else 0 */
    gva_t address;  /* linear address of the entry */
};

/* Types of system descriptors (APM2 4.7.4); in long mode 2, 9, B, C, E and F are what is left. */
enum system_type {
    TYPE_TSS16 = 1,
    TYPE_LDT = 2,
    TYPE_TSS16_BUSY = 3,
    TYPE_CALL_GATE16 = 4,
    TYPE_TASK_GATE = 5,
    TYPE_INTERRUPT_GATE16 = 6,
    TYPE_TRAP_GATE16 = 7,
    TYPE_TSS32 = 9,
    TYPE_TSS32_BUSY = 11,
    TYPE_CALL_GATE32 = 12,
    TYPE_INTERRUPT_GATE32 = 14,
    TYPE_TRAP_GATE32 = 15
};
#define TYPE_BUSY 1 /* bit of a TSS's type */

/* Bits of the type of a code or data segment. */
#define TYPE_ACCESSED 0
#define TYPE_WRITABLE 1    /* data */
#define TYPE_READABLE 1    /* code */
#define TYPE_EXPAND_DOWN 2 /* data */
#define TYPE_CONFORMING 2  /* code */
#define TYPE_CODE 3

static inline bool attr_is_system(uint16_t attr)
{
    return !bit(attr, ATTR_S);
}

static inline bool attr_is_code(uint16_t attr)
{
    return bit(attr, ATTR_S) && bit(attr, TYPE_CODE);
}

static inline bool attr_is_conforming(uint16_t attr)
{
    return attr_is_code(attr) && bit(attr, TYPE_CONFORMING);
}

static inline bool attr_is_data(uint16_t attr)
{
    return bit(attr, ATTR_S) && !bit(attr, TYPE_CODE);
}

static inline bool attr_is_writable_data(uint16_t attr)
{
    return attr_is_data(attr) && bit(attr, TYPE_WRITABLE);
}

static inline bool attr_is_readable(uint16_t attr)
{
    return attr_is_data(attr) || (attr_is_code(attr) && bit(attr, TYPE_READABLE));
}

static inline unsigned attr_type(uint16_t attr)
{
    return (unsigned)bits(attr, ATTR_TYPE);
}

static inline unsigned attr_dpl(uint16_t attr)
{
    return (unsigned)bits(attr, ATTR_DPL);
}

static inline bool attr_is_present(uint16_t attr)
{
    return bit(attr, ATTR_P);
}

/* Attributes, base and expanded limit of the 8 bytes of a segment descriptor. */
uint16_t descriptor_attr(uint64_t low);
uint32_t descriptor_limit(uint64_t low);
uint64_t descriptor_base(uint64_t low);
/* The hidden part that loading this descriptor gives (base of 16-byte entries included). */
struct segment descriptor_segment(const struct descriptor *descriptor);

/* A linear address as the mode has it: 32 bits outside long mode. */
gva_t linear_wrap(const struct core *core, uint64_t address);

/* Whether the 8 bytes of the selector's entry lie inside its table. */
bool descriptor_in_table(const struct core *core, uint16_t selector);
/*
 * Read a non-null selector's entry. Beyond the table, or in an LDT that is not there: `vector` with the
 * selector as error code.
 */
enum outcome descriptor_read(struct core *core, uint16_t selector, uint8_t vector, unsigned ext,
                             struct descriptor *descriptor);
/*
 * The second half of a 16-byte system entry: same limit rule; bits 12:8 of its upper half must be 0,
 * so that it cannot be taken for a segment of its own (APM2 4.8.3).
 */
enum outcome descriptor_read_high(struct core *core, uint8_t vector, unsigned ext, struct descriptor *descriptor);

/* Set the accessed bit, in the table and in `descriptor`, if it is not set yet (APM2 4.7.1). */
enum outcome descriptor_mark_accessed(struct core *core, struct descriptor *descriptor);

/* ---- Gates (APM2 4.7.5, 4.8.4) ---------------------------------------------------------------------- */

struct gate {
    uint16_t selector;
    uint64_t offset;
    uint8_t type;    /* enum system_type */
    uint8_t dpl;
    bool present;
    uint8_t count;   /* call gate: parameters to copy */
    uint8_t ist;     /* long mode interrupt gate */
};

struct gate gate_decode(uint64_t low, uint64_t high);

#endif
