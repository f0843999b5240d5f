/* SPDX-License-Identifier: MIT */
/* Registers by name, for debuggers and scenarios. One table; what is not plain storage names its accessors. */
#include <string.h>

#include "sim/cpu/core.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/media.h"
#include "sim/cpu/exec/x87.h"

typedef uint64_t read_fn(struct core *core);
typedef void write_fn(struct core *core, uint64_t value);

struct register_row {
    const char *name;
    size_t offset;
    unsigned size; /* bytes of storage; 0: by the accessors alone */
    read_fn *read;
    write_fn *write;
};

static uint64_t read_apic_id(struct core *core)
{
    return core->initial_apic_id;
}

static uint64_t read_asid(struct core *core)
{
    return core->svm.asid;
}

static uint64_t read_cr8(struct core *core)
{
    return cr8_read(core);
}

static void write_cr8(struct core *core, uint64_t value)
{
    cr8_write(core, value & 0xF);
}

static uint64_t read_fcw(struct core *core)
{
    return core->x87.control;
}

static void write_fcw(struct core *core, uint64_t value)
{
    core->x87.control = ((uint16_t)value & X87_CONTROL_WRITABLE) | X87_CONTROL_ONE;
    x87_summarize(core);
}

static uint64_t read_fsw(struct core *core)
{
    return core->x87.status;
}

/* ES and B follow from the others. */
static void write_fsw(struct core *core, uint64_t value)
{
    core->x87.status = (uint16_t)value;
    x87_summarize(core);
}

static uint64_t read_mxcsr(struct core *core)
{
    return core->mxcsr;
}

static void write_mxcsr(struct core *core, uint64_t value)
{
    core->mxcsr = (uint32_t)value & mxcsr_implemented(core);
}

/* ST(i) in two numbers: it counts from TOP, wherever that is. */
#define STACK_ACCESSORS(i)                                                                               \
    static uint64_t read_st##i(struct core *core) { return x87_st(core, i)->significand; }               \
    static void write_st##i(struct core *core, uint64_t value) { x87_st(core, i)->significand = value; } \
    static uint64_t read_st##i##_exponent(struct core *core) { return x87_st(core, i)->exponent; }       \
    static void write_st##i##_exponent(struct core *core, uint64_t value)                                \
    {                                                                                                    \
        x87_st(core, i)->exponent = (uint16_t)value;                                                     \
    }
STACK_ACCESSORS(0)
STACK_ACCESSORS(1)
STACK_ACCESSORS(2)
STACK_ACCESSORS(3)
STACK_ACCESSORS(4)
STACK_ACCESSORS(5)
STACK_ACCESSORS(6)
STACK_ACCESSORS(7)

/* STORED(name, member of struct core) and COMPUTED(name, read, write), in the order that debuggers show. */
#define SEGMENT(STORED, name, index)                                                                     \
    STORED(name, seg[index].selector)                                                                    \
    STORED(name ".base", seg[index].base)                                                                \
    STORED(name ".limit", seg[index].limit)                                                              \
    STORED(name ".attr", seg[index].attr)
#define STACK(COMPUTED, i)                                                                               \
    COMPUTED("st" #i ".significand", read_st##i, write_st##i)                                            \
    COMPUTED("st" #i ".exponent", read_st##i##_exponent, write_st##i##_exponent)
#define MMX(STORED, i) STORED("mm" #i, x87.reg[i].significand)
#define XMM(STORED, i) STORED("xmm" #i ".low", xmm[i].q[0]) STORED("xmm" #i ".high", xmm[i].q[1])
#define REGISTERS(STORED, COMPUTED)                                                                      \
    STORED("rax", gpr[RAX]) STORED("rbx", gpr[RBX]) STORED("rcx", gpr[RCX]) STORED("rdx", gpr[RDX])      \
    STORED("rsi", gpr[RSI]) STORED("rdi", gpr[RDI]) STORED("rbp", gpr[RBP]) STORED("rsp", gpr[RSP])      \
    STORED("r8", gpr[R8]) STORED("r9", gpr[R9]) STORED("r10", gpr[R10]) STORED("r11", gpr[R11])          \
    STORED("r12", gpr[R12]) STORED("r13", gpr[R13]) STORED("r14", gpr[R14]) STORED("r15", gpr[R15])      \
    STORED("rip", rip) COMPUTED("rflags", rflags_read, rflags_write) STORED("cpl", cpl)                  \
    SEGMENT(STORED, "es", SEG_ES) SEGMENT(STORED, "cs", SEG_CS) SEGMENT(STORED, "ss", SEG_SS)            \
    SEGMENT(STORED, "ds", SEG_DS) SEGMENT(STORED, "fs", SEG_FS) SEGMENT(STORED, "gs", SEG_GS)            \
    SEGMENT(STORED, "ldtr", SEG_LDTR) SEGMENT(STORED, "tr", SEG_TR)                                      \
    STORED("gdtr.base", gdtr.base) STORED("gdtr.limit", gdtr.limit)                                      \
    STORED("idtr.base", idtr.base) STORED("idtr.limit", idtr.limit)                                      \
    STORED("cr0", cr0) STORED("cr2", cr2) STORED("cr3", cr3) STORED("cr4", cr4)                          \
    COMPUTED("cr8", read_cr8, write_cr8) STORED("efer", efer)                                            \
    STORED("dr0", dr[0]) STORED("dr1", dr[1]) STORED("dr2", dr[2]) STORED("dr3", dr[3])                  \
    STORED("dr6", dr6) STORED("dr7", dr7) COMPUTED("apic_id", read_apic_id, NULL)                           \
    COMPUTED("asid", read_asid, NULL)                                                                    \
    COMPUTED("fcw", read_fcw, write_fcw) COMPUTED("fsw", read_fsw, write_fsw) STORED("ftw", x87.full)    \
    STORED("fip", x87.instruction) STORED("fdp", x87.data) STORED("fop", x87.opcode)                     \
    STACK(COMPUTED, 0) STACK(COMPUTED, 1) STACK(COMPUTED, 2) STACK(COMPUTED, 3)                          \
    STACK(COMPUTED, 4) STACK(COMPUTED, 5) STACK(COMPUTED, 6) STACK(COMPUTED, 7)                          \
    MMX(STORED, 0) MMX(STORED, 1) MMX(STORED, 2) MMX(STORED, 3)                                          \
    MMX(STORED, 4) MMX(STORED, 5) MMX(STORED, 6) MMX(STORED, 7)                                          \
    COMPUTED("mxcsr", read_mxcsr, write_mxcsr)                                                           \
    XMM(STORED, 0) XMM(STORED, 1) XMM(STORED, 2) XMM(STORED, 3)                                          \
    XMM(STORED, 4) XMM(STORED, 5) XMM(STORED, 6) XMM(STORED, 7)                                          \
    XMM(STORED, 8) XMM(STORED, 9) XMM(STORED, 10) XMM(STORED, 11)                                        \
    XMM(STORED, 12) XMM(STORED, 13) XMM(STORED, 14) XMM(STORED, 15)

#define STORED_ROW(name, member) \
    { name, offsetof(struct core, member), sizeof(((struct core *)0)->member), NULL, NULL },
#define COMPUTED_ROW(name, read, write) { name, 0, 0, read, write },
#define NAME(name, ...) name,

static const struct register_row rows[] = { REGISTERS(STORED_ROW, COMPUTED_ROW) };
static const char *const names[] = { REGISTERS(NAME, NAME) NULL };

#define COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct register_row *find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

bool core_register(struct core *core, const char *name, uint64_t *value)
{
    const struct register_row *row = find(name);

    if (!row)
        return false;
    *value = 0;
    if (row->read)
        *value = row->read(core);
    else
        memcpy(value, (const char *)core + row->offset, row->size); /* little-endian, as the native machine */
    return true;
}

bool core_set_register(struct core *core, const char *name, uint64_t value)
{
    const struct register_row *row = find(name);

    if (!row || (row->size == 0 && !row->write))
        return false;
    if (row->write)
        row->write(core, value);
    else
        memcpy((char *)core + row->offset, &value, row->size);
    core_debug_changed(core);
    core_mode_changed(core, true);
    return true;
}

const char *const *core_register_names(void)
{
    return names;
}
