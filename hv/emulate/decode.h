/* SPDX-License-Identifier: MIT */
/*
 * Bytes to an instruction, for what hv carries out itself for a guest: accesses to write-protected page tables and
 * to devices, control registers, INVLPG; and how long an instruction is that leads to another task. The forms come
 * from the simulator's instruction table (forms.h). Pure.
 */
#ifndef HV_EMULATE_DECODE_H
#define HV_EMULATE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMULATE_INSN_MAX 15

enum emulate_operation {
    EMULATE_ADD, EMULATE_OR, EMULATE_ADC, EMULATE_SBB, EMULATE_AND, EMULATE_SUB, EMULATE_XOR, EMULATE_CMP,
    EMULATE_TEST, EMULATE_INC, EMULATE_DEC, EMULATE_NOT, EMULATE_NEG, EMULATE_XADD, EMULATE_CMPXCHG,
    EMULATE_CMPXCHG8B, EMULATE_CMPXCHG16B, EMULATE_BT, EMULATE_BTS, EMULATE_BTR, EMULATE_BTC, EMULATE_SETCC,
    EMULATE_MOV, EMULATE_MOVZX, EMULATE_MOVSX, EMULATE_MOVSXD, EMULATE_XCHG, EMULATE_MOVS, EMULATE_STOS,
    EMULATE_LODS, EMULATE_MOV_FROM_CONTROL, EMULATE_MOV_TO_CONTROL, EMULATE_SMSW, EMULATE_LMSW, EMULATE_CLTS,
    EMULATE_INVLPG,
    EMULATE_JMP_FAR, EMULATE_CALL_FAR, EMULATE_INT3, EMULATE_INT, EMULATE_INTO, EMULATE_IRET, /* ways to a task: last */
};

/* In the order of segment register numbers. */
enum emulate_segment { EMULATE_ES, EMULATE_CS, EMULATE_SS, EMULATE_DS, EMULATE_FS, EMULATE_GS, EMULATE_SEGMENTS };

enum emulate_kind { EMULATE_NO_OPERAND, EMULATE_REGISTER, EMULATE_MEMORY, EMULATE_IMMEDIATE, EMULATE_CONTROL };

struct emulate_operand {
    enum emulate_kind kind;
    uint8_t size;      /* bytes; 0: an address only (INVLPG) */
    uint8_t reg;       /* number of the general or control register */
    bool high;         /* AH CH DH BH: bits 15:8 of reg */
    uint64_t value;    /* the immediate, extended to 64 bits */
};

#define EMULATE_NO_REGISTER 0xFF

struct emulate_insn {
    enum emulate_operation operation;
    uint8_t length;
    uint8_t width;          /* of the code: 16, 32, 64 */
    uint8_t address_size;   /* bytes: 2, 4, 8 */
    uint8_t condition;      /* SETcc: the opcode's low four bits */
    bool lock, rep;
    struct emulate_operand op[2];
    /* of the operand that is memory; for MOVS of the source, the destination being ES:[rDI] */
    enum emulate_segment segment;
    uint8_t base, index, scale; /* registers, or EMULATE_NO_REGISTER; scale as a shift */
    bool rip_relative;
    int64_t displacement;
};

/*
 * The instruction that begins at bytes[0], of code of 16, 32 or 64 bits. False: it is none of the known forms, not
 * valid in 64-bit mode or outside it, has a LOCK prefix it must not have, or is cut off after count bytes.
 */
bool emulate_decode(const uint8_t *bytes, size_t count, unsigned width, struct emulate_insn *insn);

#endif
