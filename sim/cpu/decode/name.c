/* SPDX-License-Identifier: MIT */
/* Mnemonics, and the table printed. */
#include <string.h>

#include "sim/cpu/cpu.h"
#include "sim/cpu/decode/name.h"

/* CMPPS and its kin by immediate. */
static const char *const predicates[8] = { "eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord" };

/* In the order of the low nibble; of synonyms the one that disassemblers print. */
static const char *const conditions[16] = {
    "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g",
};

static void copy_part(char *out, size_t size, const char *from, size_t length)
{
    g_snprintf(out, (gulong)size, "%.*s", (int)length, from);
}

/* The n-th of names separated by slashes; the last if there are fewer. */
static void copy_alternative(char *out, size_t size, const char *names, unsigned n)
{
    const char *slash;

    while (n-- > 0 && (slash = strchr(names, '/')) != NULL)
        names = slash + 1;
    copy_part(out, size, names, strcspn(names, "/"));
}

void isa_mnemonic(const struct insn *insn, char *out, size_t size)
{
    const char *name = insn->row->name;
    size_t length = strlen(name);

    if (strchr(name, '/') != NULL) {
        unsigned bytes = insn->row->attributes & A_NAME_BY_ADDRESS ? insn->address_size : insn->operand_size;

        copy_alternative(out, size, name, bytes == 2 ? 0 : bytes == 4 ? 1 : 2);
    } else if (length > 2 && strcmp(name + length - 2, "cc") == 0 && name[0] != 'p') { /* but PFACC ... */
        g_snprintf(out, (gulong)size, "%.*s%s", (int)(length - 2), name, conditions[insn->opcode & 15]);
    } else if (insn->opcode == 0xC2 && insn->op[2].kind == OPERAND_IMMEDIATE && insn->immediate < 8) {
        g_snprintf(out, (gulong)size, "cmp%s%s", predicates[insn->immediate], name + 3);
    } else {
        copy_part(out, size, name, length);
    }
}
