/* SPDX-License-Identifier: MIT */
/* One decoded instruction: what its row says, with the operands of these very bytes. */
#ifndef FAM10H_CPU_DECODE_INSN_H
#define FAM10H_CPU_DECODE_INSN_H

#include "sim/cpu/core.h"
#include "sim/cpu/isa/isa.h" /* struct isa_row, exec_fn: the semantics of a row. Guards first, effect last */

enum operand_kind {
    OPERAND_NONE,
    OPERAND_GPR,       /* general register `reg` of `size` bytes; high_byte: AH, CH, DH, BH */
    OPERAND_MEMORY,    /* the ModRM memory operand or a moffs, `size` bytes */
    OPERAND_IMMEDIATE, /* insn->immediate, already extended to `size` */
    OPERAND_RELATIVE,  /* branch displacement in insn->immediate, sign-extended */
    OPERAND_SEGMENT,   /* segment register `reg` */
    OPERAND_CONTROL,   /* CR `reg` */
    OPERAND_DEBUG,     /* DR `reg` */
    OPERAND_FAR,       /* immediate = offset, immediate2 = selector */
    OPERAND_STRING_SI, /* seg:[rSI], seg in insn->segment */
    OPERAND_STRING_DI, /* ES:[rDI] */
    OPERAND_MMX,       /* MMX register `reg` */
    OPERAND_XMM,       /* XMM register `reg` */
    OPERAND_ST,        /* ST(`reg`) */
};

struct operand {
    uint8_t kind; /* enum operand_kind */
    uint8_t size; /* bytes */
    uint8_t reg;
    bool high_byte;
};

#define NO_REGISTER 0xFF

struct insn {
    exec_fn *run;
    const struct isa_row *row;
    uint8_t length;
    uint8_t operand_size; /* effective: 2, 4, 8 (of byte forms too: it decides nothing there) */
    uint8_t address_size; /* effective: 2, 4, 8 */
    uint8_t cost;         /* cycles of the row's cost class, memory stalls excluded */
    uint8_t rep;          /* 0, F2h or F3h, where the row takes it as REP */
    bool lock;
    bool modrm_memory;    /* ModRM.mod != 3 */
    bool rip_relative;    /* displacement is from the next instruction */
    uint8_t modrm;        /* raw byte */
    uint8_t reg, rm;      /* ModRM.reg and, for mod = 3, ModRM.rm, extended by REX */
    uint8_t segment;      /* of the memory operand: default or override */
    uint8_t base, index, scale; /* NO_REGISTER if none; scale 0..3 */
    uint8_t opcode;       /* last opcode byte */
    int64_t displacement; /* or moffs */
    uint64_t immediate;
    uint32_t immediate2;
    struct operand op[3];
};

enum decode_result {
    DECODE_OK,
    DECODE_INVALID,  /* #UD; insn->length covers what was read */
    DECODE_TRUNCATED,/* the bytes given end inside the instruction: fetch more */
    DECODE_TOO_LONG, /* more than 15 bytes: #GP(0) */
};

/* What decoding depends on besides the bytes. */
struct decode_mode {
    uint8_t code_bits;   /* 16, 32, 64 */
    bool real_style;     /* real or virtual-8086 mode: some rows are #UD there */
};

enum decode_result decode(const uint8_t *bytes, size_t size, struct decode_mode mode, struct insn *insn);

#endif
