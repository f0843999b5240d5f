/* SPDX-License-Identifier: MIT */
/*
 * The one instruction table: every instruction form is one row of the .def files here (list: rows.def).
 *
 *   ROW(name, encoding, operands, modes, feature, attributes, intercept, flags, faults, cost, run)
 *
 * name        mnemonic, lower case. "jcc": the condition of the opcode's low nibble replaces `cc`.
 *             "cbw/cwde/cdqe": by operand size 16/32/64 (by address size with A_NAME_BY_ADDRESS).
 * encoding    tokens in this order:
 *               66 F2 F3   mandatory prefix      NP    none of the three      !F3  anything but F3
 *                          (NP|66: one of these)
 *               0F         second opcode map
 *               0F0F       3DNow!: the opcode byte is the suffix behind the operands
 *               81, 50-57  opcode byte, or a range of them
 *               /3, /4-7   ModRM.reg             mem, reg   ModRM.mod != 3, = 3
 *               D8         (a second hex byte)   the whole ModRM byte
 *               rexw=0|1, rexb=0|1               REX bit, where it selects the row
 *             No token for the prefix: all accepted (66 is then the operand size, F2/F3 are REP or ignored).
 *             The generator refuses two rows that accept the same bytes in the same mode.
 * operands    up to three codes as in APM3 appendix A, separated by blanks: method letter, then size.
 *               E G M R S C D   by ModRM: register or memory, reg, memory, rm as register (mod ignored),
 *                               segment register, control register, debug register
 *               P Q N           MMX register by ModRM.reg; register or memory; register by ModRM.rm
 *               V W U           the same for XMM registers
 *               ST(0) ST(i)     x87 stack: its top; by ModRM.rm
 *               Z               register in the opcode's low three bits (the manual writes rAX/r8)
 *               I J A O         immediate, relative branch, far pointer in the code, moffs
 *               X Y             DS:[rSI] (override allowed), ES:[rDI]
 *               AL CL AX eAX rAX DX 1    implied operands (eAX: 16/32 bits, rAX: operand size)
 *               ES CS SS DS FS GS        implied segment register
 *             sizes: b w d q dq; v operand size; z operand size, at most 32; y 64 with REX.W, else 32;
 *               d/q 64 in 64-bit mode, else 32; p far pointer in memory; s pseudo-descriptor; a two v's;
 *               bs (of I) a byte sign-extended to the operand size; none: an address only (LEA, INVLPG)
 *               ps, pd, ss, sd (packed and scalar single and double): dq, dq, d, q; t: 80 bits
 *               Mw/Rv: a word in memory, else a register of operand size.
 * modes       ANY; NOT64; ONLY64; PROT (protected and 64-bit: #UD in real and virtual-8086 mode);
 *             PROT_NOT64. Elsewhere the bytes are #UD.
 * feature     what CPUID bit announces it (enum isa_feature). All Family 10h models have all but SKINIT;
 *             semantics test that one. Family 0Fh models lack more (cpu_model.absent): #UD before they run.
 * attributes  A_... below, or 0.
 * intercept   X_NONE; X_PRE(code): the interpreter tests it before the semantics run; X_SEM(code): the
 *             semantics test it, after their own exception checks (fact sheet 3.11). code: VMEXIT code,
 *             for CRn/DRn the first of sixteen.
 * flags       OF SF ZF AF PF CF, one letter each: M computed, 0 cleared, 1 set, - kept; undefined in the
 *             manual and therefore by our rule: k kept, z cleared, s set, m computed as the semantics say.
 *             Others after a blank: "------ IF DF".
 * faults      exceptions it may raise beyond those of fetch, decode and LOCK: "GP SS PF AC DE ..."; F_MEM
 *             and, of one byte, F_BYTE are the sets of an ordinary memory operand. Coverage asks for a test of each.
 * cost        cost class (enum isa_cost).
 * run         the semantics, declared by semantics.h.
 */
#ifndef FAM10H_CPU_ISA_ISA_H
#define FAM10H_CPU_ISA_ISA_H

#include "sim/cpu/core.h"

struct insn;
typedef enum outcome exec_fn(struct core *core, const struct insn *insn);

/* ---- Columns ------------------------------------------------------------------------------------- */

#define ISA_IN_REAL_STYLE 1
#define ISA_IN_PROTECTED 2 /* legacy protected and compatibility mode */
#define ISA_IN_64BIT 4
#define ISA_MODES_ANY (ISA_IN_REAL_STYLE | ISA_IN_PROTECTED | ISA_IN_64BIT)
#define ISA_MODES_NOT64 (ISA_IN_REAL_STYLE | ISA_IN_PROTECTED)
#define ISA_MODES_ONLY64 ISA_IN_64BIT
#define ISA_MODES_PROT (ISA_IN_PROTECTED | ISA_IN_64BIT)
#define ISA_MODES_PROT_NOT64 ISA_IN_PROTECTED

enum isa_feature {
    ISA_FEATURE_BASE, ISA_FEATURE_FPU, ISA_FEATURE_TSC, ISA_FEATURE_MSR, ISA_FEATURE_CX8, ISA_FEATURE_SEP,
    ISA_FEATURE_CMOV, ISA_FEATURE_CLFSH, ISA_FEATURE_MMX, ISA_FEATURE_FXSR, ISA_FEATURE_SSE,
    ISA_FEATURE_SSE2, ISA_FEATURE_SSE3, ISA_FEATURE_MONITOR, ISA_FEATURE_CX16, ISA_FEATURE_POPCNT,
    ISA_FEATURE_LAHF64, ISA_FEATURE_SVM, ISA_FEATURE_ABM, ISA_FEATURE_SSE4A, ISA_FEATURE_PREFETCHW,
    ISA_FEATURE_SKINIT, ISA_FEATURE_SYSCALL, ISA_FEATURE_RDTSCP, ISA_FEATURE_LM, ISA_FEATURE_3DNOW,
};

#define ISA_MAPS 3

#define A_LOCK BIT(0)      /* LOCK allowed when the first operand is memory */
#define A_D64 BIT(1)       /* 64-bit mode: operand size 64 by default, 16 with 66, never 32 */
#define A_F64 BIT(2)       /* 64-bit mode: operand size 64 whatever the prefixes */
#define A_REP BIT(3)       /* F2 and F3 both mean REP */
#define A_REPCC BIT(4)     /* F3 is REPE, F2 is REPNE */
#define A_END BIT(5)       /* ends a decoded block: rip, mode, IF, TF, shadow, TLB or pins may have changed */
#define A_BRANCH BIT(6)    /* a control transfer (implies nothing; combine with A_END) */
#define A_LOCK_CR8 BIT(7)  /* LOCK turns CR0 into CR8 (AltMovCr8) */
#define A_NAME_BY_ADDRESS BIT(8)
#define A_STORE BIT(9)     /* first operand is written only: a pure store (no read of memory) */
#define A_IMPLICIT_LOCK BIT(10) /* XCHG with memory */
#define A_NEVER_RETIRES BIT(12) /* a fault or an exit is all it ever comes to */
#define A_ALIGNED BIT(13)   /* 16-byte memory operand: #GP unless aligned, whatever MXCSR.MM says */
#define A_UNALIGNED BIT(14) /* 16-byte memory operand: any alignment */
#define A_UNMODELLED BIT(11)    /* placeholder: decodes to the right length, raises #UD, is reported */

#define X_NONE 0, ISA_STAGE_NONE
#define X_PRE(code) code, ISA_STAGE_PRE
#define X_SEM(code) code, ISA_STAGE_SEMANTICS
enum isa_stage { ISA_STAGE_NONE, ISA_STAGE_PRE, ISA_STAGE_SEMANTICS };

#define F_NONE ""
#define F_MEM "SS GP PF AC"
#define F_BYTE "SS GP PF"

/* Cycles of each class: isa.c. */
enum isa_cost {
    ISA_COST_ALU,    /* one simple operation */
    ISA_COST_MOVE,   /* moves, LEA, NOP */
    ISA_COST_BRANCH,
    ISA_COST_STACK,  /* PUSH, POP, near CALL and RET */
    ISA_COST_SHIFT,  /* double shifts, rotates through carry, BT with memory bit offset */
    ISA_COST_MUL,
    ISA_COST_DIV,
    ISA_COST_FLOAT,  /* floating-point add, multiply, compare, convert */
    ISA_COST_FDIV,   /* floating-point divide, square root */
    ISA_COST_FMICRO, /* x87 microcode: transcendentals, BCD, environment; FXSAVE */
    ISA_COST_STRING, /* one step */
    ISA_COST_LOCKED, /* implicitly locked, fences */
    ISA_COST_MICRO,  /* short microcode: PUSHA, ENTER, BCD ... */
    ISA_COST_IO,
    ISA_COST_SEGMENT,/* segment register load */
    ISA_COST_FAR,    /* far transfer, IRET, INT */
    ISA_COST_SYSCALL,/* SYSCALL, SYSRET, SYSENTER, SYSEXIT */
    ISA_COST_CONTROL,/* MOV CRn, DRn, LGDT, INVLPG, CLTS */
    ISA_COST_MSR,    /* RDMSR, WRMSR, RDTSC, RDPMC, CPUID */
    ISA_COST_SERIAL, /* WBINVD, INVD, VMLOAD, VMSAVE, STGI, CLGI */
    ISA_COST_WORLD,  /* VMRUN */
    ISA_COST_COUNT
};

/* ---- Rows ------------------------------------------------------------------------------------------ */

struct isa_row {
    const char *name, *encoding, *operands;
    uint8_t modes;
    uint8_t feature;
    uint16_t attributes;
    struct {
        uint16_t code;
        uint8_t stage;
    } intercept;
    uint8_t cost;
    const char *flags, *faults;
    exec_fn *run;
};

extern const struct isa_row isa_rows[];
extern const unsigned isa_row_count;
/* Cycles of a cost class, memory stalls excluded. */
uint8_t isa_cost_cycles(enum isa_cost cost);
static inline bool isa_row_ends_block(const struct isa_row *row)
{
    return (row->attributes & A_END) != 0;
}

/* ---- What the generator makes of encoding and operands (decode_tables.c) ------------------------------ */

enum isa_method {
    ISA_METHOD_NONE, ISA_METHOD_E, ISA_METHOD_G, ISA_METHOD_M, ISA_METHOD_R, ISA_METHOD_S, ISA_METHOD_C,
    ISA_METHOD_D, ISA_METHOD_Z, ISA_METHOD_I, ISA_METHOD_J, ISA_METHOD_A, ISA_METHOD_O, ISA_METHOD_X,
    ISA_METHOD_Y, ISA_METHOD_P, ISA_METHOD_Q, ISA_METHOD_N, ISA_METHOD_V, ISA_METHOD_W, ISA_METHOD_U, ISA_METHOD_ST0,
    ISA_METHOD_STI, ISA_METHOD_GPR, ISA_METHOD_SEGMENT, ISA_METHOD_ONE,
};

enum isa_size {
    ISA_SIZE_NONE, ISA_SIZE_B, ISA_SIZE_W, ISA_SIZE_D, ISA_SIZE_Q, ISA_SIZE_DQ, ISA_SIZE_V, ISA_SIZE_Z,
    ISA_SIZE_Y, ISA_SIZE_NATURAL, ISA_SIZE_P, ISA_SIZE_S, ISA_SIZE_A, ISA_SIZE_BS, ISA_SIZE_WV, ISA_SIZE_T,
};

struct isa_operand {
    uint8_t method, size, reg;
};

/* Bits of `prefixes`. */
#define ISA_PREFIX_NONE 1
#define ISA_PREFIX_66 2
#define ISA_PREFIX_F3 4
#define ISA_PREFIX_F2 8

struct isa_form {
    uint8_t map;           /* 0: one byte, 1: 0F, 2: 3DNow! by suffix */
    uint8_t first, last;   /* opcode range */
    uint8_t prefixes;      /* accepted, ISA_PREFIX_... */
    bool modrm;
    uint8_t mods;          /* 1: memory, 2: register; 3: both */
    uint8_t regs, rms;     /* accepted values, a bit each; rms only counts for mod = 3 */
    uint8_t rexw, rexb;    /* accepted values, a bit each */
    uint8_t modes;         /* as the row's */
    struct isa_operand op[3];
};

#define ISA_NO_ROW 0xFFFF
extern const struct isa_form isa_forms[];       /* one for each row, same order */
extern const uint16_t isa_candidates[];         /* row numbers, lists ended by ISA_NO_ROW */
extern const uint16_t isa_first_candidate[ISA_MAPS][256]; /* index into isa_candidates */
extern const uint8_t isa_has_modrm[ISA_MAPS][32];      /* a bit for each opcode: some row there has a ModRM byte */

#endif
