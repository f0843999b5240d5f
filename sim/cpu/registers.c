/* SPDX-License-Identifier: MIT */
/* Registers by name, for debuggers and scenarios. One table; what is not plain storage names its accessors. */
#include <string.h>

#include "sim/cpu/core.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"

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

static void write_flags(struct core *core, uint64_t value)
{
    rflags_write(core, value);
}

#define REGISTER(name, member) { name, offsetof(struct core, member), sizeof(((struct core *)0)->member), NULL, NULL }
#define SPECIAL(name, read, write) { name, 0, 0, read, write }
#define SEGMENT(name, index)                                                                                       \
    REGISTER(name, seg[index].selector), REGISTER(name ".base", seg[index].base),                                  \
    REGISTER(name ".limit", seg[index].limit), REGISTER(name ".attr", seg[index].attr)

static const struct register_row rows[] = {
    REGISTER("rax", gpr[RAX]), REGISTER("rbx", gpr[RBX]), REGISTER("rcx", gpr[RCX]), REGISTER("rdx", gpr[RDX]),
    REGISTER("rsi", gpr[RSI]), REGISTER("rdi", gpr[RDI]), REGISTER("rbp", gpr[RBP]), REGISTER("rsp", gpr[RSP]),
    REGISTER("r8", gpr[R8]), REGISTER("r9", gpr[R9]), REGISTER("r10", gpr[R10]), REGISTER("r11", gpr[R11]),
    REGISTER("r12", gpr[R12]), REGISTER("r13", gpr[R13]), REGISTER("r14", gpr[R14]), REGISTER("r15", gpr[R15]),
    REGISTER("rip", rip), SPECIAL("rflags", rflags_read, write_flags), REGISTER("cpl", cpl),
    SEGMENT("es", SEG_ES), SEGMENT("cs", SEG_CS), SEGMENT("ss", SEG_SS), SEGMENT("ds", SEG_DS),
    SEGMENT("fs", SEG_FS), SEGMENT("gs", SEG_GS), SEGMENT("ldtr", SEG_LDTR), SEGMENT("tr", SEG_TR),
    REGISTER("gdtr.base", gdtr.base), REGISTER("gdtr.limit", gdtr.limit),
    REGISTER("idtr.base", idtr.base), REGISTER("idtr.limit", idtr.limit),
    REGISTER("cr0", cr0), REGISTER("cr2", cr2), REGISTER("cr3", cr3), REGISTER("cr4", cr4), REGISTER("efer", efer),
    REGISTER("dr0", dr[0]), REGISTER("dr1", dr[1]), REGISTER("dr2", dr[2]), REGISTER("dr3", dr[3]),
    REGISTER("dr6", dr6), REGISTER("dr7", dr7), REGISTER("tpr", tpr),
    SPECIAL("apic_id", read_apic_id, NULL),
};

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
    static const char *const names[] = {
#define N4(name) name, name ".base", name ".limit", name ".attr"
        "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
        "rip", "rflags", "cpl", N4("es"), N4("cs"), N4("ss"), N4("ds"), N4("fs"), N4("gs"), N4("ldtr"), N4("tr"),
        "gdtr.base", "gdtr.limit", "idtr.base", "idtr.limit", "cr0", "cr2", "cr3", "cr4", "efer",
        "dr0", "dr1", "dr2", "dr3", "dr6", "dr7", "tpr", "apic_id", NULL,
#undef N4
    };

    G_STATIC_ASSERT(G_N_ELEMENTS(names) == COUNT + 1);
    return names;
}
