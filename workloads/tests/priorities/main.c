/* SPDX-License-Identifier: MIT */
/*
 * Several exceptions of one instruction: which comes (APM2 8.5; the orders of the pseudo-code of APM3).
 *
 * A kernel sees one reason alone, so that a wrong order sends it the wrong way: to its pager, say, instead of its
 * FPU switch. An interpreter that checks where it is convenient errs: QEMU has #NM before #UD and #MF after #PF,
 * Bochs #GP of the limit of CS before a breakpoint (doc/conformance.md).
 *
 * A row is a fragment in 64-bit or compatibility mode, at a CPL, with bits of CR0, CR4, EFER, MXCSR and DR7, and
 * operands that are absent, read-only, misaligned, beyond a limit or not canonical. Vector, error code, rIP, rSP,
 * CR2 of #PF and DR6 of #DB must be those of the reason that comes first. Nearly every row has two reasons to fault
 * or is the counterpart of one that has.
 *
 * Before the instruction counts, its fetch does: an instruction breakpoint (not with RF), the limit of CS, then the
 * page fault of any of its bytes; a sixteenth byte is #GP and not fetched, and the hole of non-canonical addresses
 * is #GP(0). Then #UD and #NM. Then what it does: #MF of an earlier instruction; CPL and operands that need no
 * memory, where #UD by SVME, SCE, DE or the mode comes before #GP; the I/O bitmap; then each access in its turn, of
 * which segment limit and canonical form come before alignment and alignment before the page (the manual leaves
 * this last order open; native processors do so); last what was read: #XF, #DE, #BR, reserved bits. An LDT, and at
 * the end the I/O bitmap, in an absent page is a supervisor's read, error code 0.
 *
 * It runs on the bare machine. Priorities between instructions: `gif`, `debug-shadows`.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"
#include "workloads/lib/world64.h"

#define EXC_MF 16
#define EXC_AC 17
#define EXC_XF 19
#define FETCH (PF_U | PF_ID)

/* Pages of the test's own, in reach of compatibility mode, with nothing behind. */
#define WINDOW 0x30000000u
enum { PAGE_PRESENT, PAGE_ABSENT, PAGE_READ_ONLY, PAGE_LAST };
#define AT(page) (WINDOW + 4096 * (page))
#define NON_CANONICAL 0x0000800000000000ull

/* Segments of the test's own. */
enum {
    SHORT_CODE = WORLD64_FREE + 3, SHORT_DATA = SHORT_CODE + 8, READ_ONLY = SHORT_DATA + 8, STRAY_TSS = READ_ONLY + 5
};

static const struct world64_event *e;
static uint8_t pages[4][4096] __attribute__((aligned(4096)));

/* ---- Circumstances ---------------------------------------------------------------------------------------------- */

enum {
    TS = 1 << 0, EM = 1 << 1, MP = 1 << 2,              /* of CR0 */
    NO_OSFXSR = 1 << 3, NO_OSXMM = 1 << 4, DE = 1 << 5, TSD = 1 << 6, /* of CR4 */
    SCE = 1 << 7, SVME = 1 << 8,                        /* of EFER */
    AC = 1 << 9,                                        /* of CR0 (AM) and RFLAGS */
    MF = 1 << 10,                                       /* an x87 exception is pending */
    XM = 1 << 11,                                       /* all SSE exceptions are unmasked; xmm0 = 1, xmm1 = 0 */
    BREAK = 1 << 12,                                    /* an instruction breakpoint at rIP */
    RF = 1 << 13, MISALIGNED_SSE = 1 << 14,
    PCE = 1 << 15,                                      /* of CR4 */
};

#define CR0_BITS 0xEull /* MP, EM, TS */
#define CR0_NE 0x20ull
#define CR0_AM 0x40000ull
#define CR4_DE 8ull
#define CR4_TSD 4ull
#define CR4_OSFXSR 0x200ull
#define CR4_OSXMM 0x400ull
#define CR4_PCE 0x100ull
#define DR6_KNOWN 0xE00Full /* BT, BS, BD, B3 to B0 */
#define EFER_BITS 0x1001u /* SVME, SCE */
#define MSR_EFER 0xC0000080u
#define RFLAGS_AC 0x40000ull
#define RFLAGS_RF 0x10000ull

static void registers_set(unsigned with, uint64_t breakpoint)
{
    uint64_t cr0 = cr0_read() & ~(CR0_BITS | CR0_AM), cr4 = cr4_read();
    uint32_t efer = (uint32_t)msr_read(MSR_EFER) & ~EFER_BITS;

    cr0_write(cr0 | (with & TS ? 8 : 0) | (with & EM ? 4 : 0) | (with & MP ? 2 : 0) | (with & AC ? CR0_AM : 0) |
              CR0_NE);
    cr4 &= ~(CR4_DE | CR4_TSD | CR4_OSXMM | CR4_OSFXSR | CR4_PCE);
    cr4_write(cr4 | (with & NO_OSFXSR ? 0 : CR4_OSFXSR) | (with & NO_OSXMM ? 0 : CR4_OSXMM) | (with & DE ? CR4_DE : 0) |
              (with & TSD ? CR4_TSD : 0) | (with & PCE ? CR4_PCE : 0));
    msr_write(MSR_EFER, efer | (with & SCE ? 1 : 0) | (with & SVME ? 0x1000 : 0));
    __asm__ volatile("mov %0, %%dr0\nmov %1, %%dr7" : : "r"(breakpoint), "r"(with & BREAK ? 0x401ull : 0x400ull));
}

/* What the FPU holds, with CR0 and CR4 as they let it be changed. */
static void media_set(unsigned with)
{
    static const uint64_t one = 0x3FF0000000000000;
    static const uint16_t zero_divide_unmasked = 0x37B;
    uint32_t mxcsr = (with & XM ? 0 : 0x1F80) | (with & MISALIGNED_SSE ? 0x20000 : 0);

    __asm__ volatile("fninit\nldmxcsr %0\nmovsd %1, %%xmm0\nxorps %%xmm1, %%xmm1" : : "m"(mxcsr), "m"(one));
    if (with & MF)
        __asm__ volatile("fldcw %0\nfldz\nfld1\nfdiv %%st(1), %%st" : : "m"(zero_divide_unmasked) : "memory");
}

/* ---- Cases ------------------------------------------------------------------------------------------------------ */

/* Where rBX points, or what runs where. */
enum place {
    PRESENT, ONES, ONES_ODD,    /* what is there is 0, or FFh */
    ABSENT, ABSENT_ODD, ABSENT_CROSSED, READ_ONLY_PAGE, READ_ONLY_ODD, PRESENT_ODD, WILD_ODD,
    IN_LAST_BYTES,      /* rIP: the code is copied so that all but its first `keep` bytes are in the absent page */
    IN_ABSENT,          /* rIP is the absent page's first byte */
    BEHIND_NOP,         /* the same after a NOP, since IRET looks at the limit itself */
};

struct row {
    const char *what, *code;
    unsigned bits, cpl, with;
    enum place place;
    unsigned vector;
    uint32_t error;
    unsigned keep;      /* IN_LAST_BYTES: how many bytes are present */
    uint16_t cs, ds, ss; /* compatibility mode: others than usual */
    uint16_t port;
    uint64_t rsp;
    uint64_t cr2;       /* 0: where rBX points */
    uint64_t rcx, rbp;
};

#define CODE(bits, name, text) WORLD64_FRAGMENT(bits, name, text)
#define CODE2(name, text) CODE(64, name##_64, text) CODE(32, name##_32, text)

CODE2(ud2, "ud2") CODE2(lock_nop, ".byte 0xF0, 0x90")
CODE2(lock_add_register, ".byte 0xF0, 0x81, 0xC0, 1, 2, 3, 4")
CODE2(prefixes_14, ".fill 14, 1, 0x3E\nnop") CODE2(prefixes_15, ".fill 15, 1, 0x3E\nnop")
CODE2(nop, "nop") CODE2(fld, "flds (%ebx)")
CODE2(fld_displaced, ".byte 0xD9, 0x83, 0, 0, 0, 0")
CODE2(add_immediate, ".byte 0x81, 0x03, 1, 2, 3, 4") CODE2(lock_fld, ".byte 0xF0, 0xD9, 0x03")
CODE2(fwait, "fwait") CODE2(fnstcw, "fnstcw (%ebx)")
CODE2(fnop, "fnop") CODE2(movd, "movd (%ebx), %mm0")
CODE2(emms, "emms") CODE2(femms, "femms")
CODE2(paddb, "paddb (%ebx), %mm0") CODE2(movaps, "movaps (%ebx), %xmm0")
CODE2(movaps_store, "movaps %xmm0, (%ebx)") CODE2(addps, "addps (%ebx), %xmm0")
CODE2(lock_addps, ".byte 0xF0, 0x0F, 0x58, 0x03") CODE2(divsd, "divsd %xmm1, %xmm0")
CODE2(divsd_memory, "divsd (%ebx), %xmm0") CODE2(ldmxcsr, "ldmxcsr (%ebx)")
CODE2(fxsave, "fxsave (%ebx)") CODE2(fxrstor, "fxrstor (%ebx)")
CODE2(lock_fxsave, ".byte 0xF0, 0x0F, 0xAE, 0x03") CODE2(movnti, "movnti %eax, (%ebx)")
CODE2(load, "movl (%ebx), %eax") CODE2(store, "movl %eax, (%ebx)")
CODE2(load_stack, "movl %ss:(%ebx), %eax") CODE2(store_code, "movl %eax, %cs:(%ebx)")
CODE2(increment, "incl (%ebx)") CODE2(lock_increment, "lock incl (%ebx)")
CODE2(compare_exchange, "cmpxchgl %ecx, (%ebx)") CODE2(cmpxchg8b, "cmpxchg8b (%ebx)")
CODE2(cmpxchg8b_register, ".byte 0x0F, 0xC7, 0xC8") CODE2(divide, "divl (%ebx)")
CODE(64, cmpxchg16b, "cmpxchg16b (%rbx)") CODE(64, load_wide, "movq (%rbx), %rax")
CODE(64, push_memory, "pushq (%rbx)") CODE(64, pop_memory, "popq (%rbx)")
CODE(64, call_memory, "call *(%rbx)") CODE(64, call_register, "call *%rcx")
CODE(64, return_n, "ret $8") CODE(64, movs, "movsb")
CODE(64, call_far, "lcall *(%rbx)") CODE(64, enter_2, "enter $16, $2")
CODE2(mov_to_ds, "movw (%ebx), %ds") CODE2(mov_ds_ecx, "movl %ecx, %ds")
CODE(32, bound, "bound %eax, (%ebx)") CODE(32, bound_register, ".byte 0x62, 0xC0")
CODE(64, bound_64, ".byte 0x62, 0x03") CODE(64, into_64, ".byte 0xCE")
CODE2(vmrun, "vmrun") CODE2(vmload, "vmload") CODE2(vmsave, "vmsave") CODE2(stgi, "stgi") CODE2(clgi, "clgi")
CODE2(invlpga, "invlpga") CODE2(skinit, "skinit") CODE2(vmmcall, "vmmcall")
CODE(64, sysret, "sysretl") CODE2(sysenter, "sysenter") CODE2(sysexit, ".byte 0x0F, 0x35") CODE2(rsm, "rsm")
CODE2(mov_cr1, ".byte 0x0F, 0x22, 0xC8") CODE2(mov_dr4, ".byte 0x0F, 0x23, 0xE0")
CODE2(lock_mov_cr3, ".byte 0xF0, 0x0F, 0x22, 0xD8")
CODE2(lldt, "lldt (%ebx)") CODE2(ltr, "ltr (%ebx)") CODE2(lgdt, "lgdt (%ebx)") CODE2(lidt, "lidt (%ebx)")
CODE2(lmsw, "lmsw (%ebx)") CODE2(invlpg, "invlpg (%ebx)") CODE2(lgdt_register, ".byte 0x0F, 0x01, 0xD0")
CODE2(lock_lgdt, ".byte 0xF0, 0x0F, 0x01, 0x13") CODE2(sgdt, "sgdt (%ebx)") CODE2(lar, "lar (%ebx), %eax")
CODE(64, monitor, "monitor") CODE(64, mwait, "mwait")
CODE2(ins, "insb") CODE2(outs, "outsb") CODE2(in, "inb %dx, %al")
CODE2(int_inner, "int $0x92") CODE2(int_beyond, "int $0x93")
CODE2(rdtsc_lock, ".byte 0xF0, 0x0F, 0x31") CODE2(rdpmc, "rdpmc") CODE2(rdpmc_lock, ".byte 0xF0, 0x0F, 0x33")

/* Both widths of a code: the row of 64-bit mode, then the same in compatibility mode. */
#define BOTH(text, name, level, circumstances, ...)                                  \
    { .what = text, .code = at_##name##_64, .bits = 64, .cpl = level, .with = circumstances, __VA_ARGS__ }, \
    { .what = text, .code = at_##name##_32, .bits = 32, .cpl = level, .with = circumstances, __VA_ARGS__ }
#define ONE(mode, text, name, level, circumstances, ...) \
    { .what = text, .code = at_##name, .bits = mode, .cpl = level, .with = circumstances, __VA_ARGS__ }
#define PF(code) .vector = EXC_PF, .error = code
#define RAISES(v) .vector = v

static const struct row fetch_rows[] = {
    BOTH("breakpoint, absent page of code", nop, 3, BREAK, .place = IN_ABSENT, RAISES(EXC_DB)),
    BOTH("the same with RF", nop, 3, BREAK | RF, .place = IN_ABSENT, PF(FETCH), .cr2 = AT(PAGE_ABSENT)),
    ONE(32, "breakpoint, beyond the limit of CS", nop_32, 3, BREAK, .place = BEHIND_NOP, RAISES(EXC_DB),
        .cs = SHORT_CODE),
    ONE(32, "beyond the limit of CS, absent page", nop_32, 3, 0, .place = BEHIND_NOP, RAISES(EXC_GP), .cs = SHORT_CODE),
    ONE(32, "UD2 half beyond the limit of CS, absent page", ud2_32, 3, 0, .place = IN_LAST_BYTES, .keep = 1,
        RAISES(EXC_GP), .cs = SHORT_CODE),
    ONE(32, "LOCK, its opcode beyond the limit of CS", lock_nop_32, 3, 0, .place = IN_LAST_BYTES, .keep = 1,
        RAISES(EXC_GP), .cs = SHORT_CODE),
    ONE(32, "#NM, displacement beyond the limit of CS", fld_displaced_32, 3, TS, .place = IN_LAST_BYTES, .keep = 2,
        RAISES(EXC_GP), .cs = SHORT_CODE),
    BOTH("breakpoint, UD2", ud2, 3, BREAK, RAISES(EXC_DB)),
    BOTH("the same with RF", ud2, 3, BREAK | RF, RAISES(EXC_UD)),
    BOTH("breakpoint, #NM, absent page", fld, 3, BREAK | TS, .place = ABSENT, RAISES(EXC_DB)),
    BOTH("breakpoint, #GP by CPL", lmsw, 3, BREAK, RAISES(EXC_DB)),
    BOTH("second byte of UD2 in an absent page", ud2, 3, 0, .place = IN_LAST_BYTES, .keep = 1, PF(FETCH)),
    BOTH("opcode behind LOCK in an absent page", lock_nop, 3, 0, .place = IN_LAST_BYTES, .keep = 1, PF(FETCH)),
    BOTH("illegal LOCK, immediate in an absent page", lock_add_register, 3, 0, .place = IN_LAST_BYTES, .keep = 4,
         PF(FETCH)),
    BOTH("#NM, displacement in an absent page", fld_displaced, 3, TS, .place = IN_LAST_BYTES, .keep = 2, PF(FETCH)),
    BOTH("operand and immediate in absent pages", add_immediate, 3, 0, .place = IN_LAST_BYTES, .keep = 3, PF(FETCH)),
    BOTH("14 prefixes, the opcode in an absent page", prefixes_14, 3, 0, .place = IN_LAST_BYTES, .keep = 14, PF(FETCH)),
    BOTH("15 prefixes, the opcode in an absent page", prefixes_15, 3, 0, .place = IN_LAST_BYTES, .keep = 15,
         RAISES(EXC_GP)),
};

static const struct row media_rows[] = {
    BOTH("LOCK FLD, TS, absent page", lock_fld, 3, TS, .place = ABSENT, RAISES(EXC_UD)),
    BOTH("FLD, TS, absent page", fld, 3, TS, .place = ABSENT, RAISES(EXC_NM)),
    ONE(64, "FLD, TS, not canonical", fld_64, 3, TS, .place = ABSENT, RAISES(EXC_NM)),
    ONE(32, "FLD, TS, beyond a limit", fld_32, 3, TS, .place = ABSENT, RAISES(EXC_NM), .ds = SHORT_DATA),
    BOTH("FLD, EM, TS, #MF", fld, 3, EM | TS | MF, .place = ABSENT, RAISES(EXC_NM)),
    BOTH("FLD, #MF, absent page", fld, 3, MF, .place = ABSENT, RAISES(EXC_MF)),
    ONE(32, "FLD, #MF, beyond a limit", fld_32, 3, MF, .place = ABSENT, RAISES(EXC_MF), .ds = SHORT_DATA),
    BOTH("FNSTCW, #MF pending, absent page", fnstcw, 3, MF, .place = ABSENT, PF(PF_U | PF_W)),
    BOTH("FWAIT, TS and MP, #MF", fwait, 3, TS | MP | MF, RAISES(EXC_NM)),
    BOTH("FWAIT, TS without MP, #MF", fwait, 3, TS | MF, RAISES(EXC_MF)),
    BOTH("FNOP, TS without MP, #MF", fnop, 3, TS | MF, RAISES(EXC_NM)),
    BOTH("MMX, EM, TS, absent page", movd, 3, EM | TS, .place = ABSENT, RAISES(EXC_UD)),
    BOTH("MMX, TS, #MF, absent page", movd, 3, TS | MF, .place = ABSENT, RAISES(EXC_NM)),
    BOTH("MMX, #MF, absent page", paddb, 3, MF, .place = ABSENT, RAISES(EXC_MF)),
    BOTH("EMMS, EM, TS, #MF", emms, 3, EM | TS | MF, RAISES(EXC_UD)),
    BOTH("EMMS, TS, #MF", emms, 3, TS | MF, RAISES(EXC_NM)),
    BOTH("FEMMS, TS, #MF", femms, 3, TS | MF, RAISES(EXC_NM)),
    BOTH("FEMMS, EM, TS", femms, 3, EM | TS, RAISES(EXC_UD)),
    BOTH("SSE, EM, TS, absent and misaligned", movaps, 3, EM | TS, .place = ABSENT_ODD, RAISES(EXC_UD)),
    BOTH("SSE, no OSFXSR, TS", movaps, 3, NO_OSFXSR | TS, .place = ABSENT_ODD, RAISES(EXC_UD)),
    BOTH("LOCK SSE, TS", lock_addps, 3, TS, .place = ABSENT_ODD, RAISES(EXC_UD)),
    BOTH("SSE, TS, absent and misaligned", movaps, 3, TS, .place = ABSENT_ODD, RAISES(EXC_NM)),
    BOTH("SSE, TS, absent", movaps, 3, TS, .place = ABSENT, RAISES(EXC_NM)),
    BOTH("SSE, absent and misaligned", movaps, 3, 0, .place = ABSENT_ODD, RAISES(EXC_GP)),
    BOTH("SSE store, read-only and misaligned", movaps_store, 3, 0, .place = READ_ONLY_ODD, RAISES(EXC_GP)),
    BOTH("SSE, misaligned, AC", addps, 3, AC, .place = PRESENT_ODD, RAISES(EXC_GP)),
    BOTH("SSE, misaligned, AC, misaligned mode", addps, 3, AC | MISALIGNED_SSE, .place = PRESENT_ODD, RAISES(EXC_AC)),
    BOTH("SSE, misaligned mode, absent and misaligned", addps, 3, MISALIGNED_SSE, .place = ABSENT_ODD, PF(PF_U)),
    BOTH("SSE move, misaligned mode is not for it", movaps, 3, AC | MISALIGNED_SSE, .place = PRESENT_ODD,
         RAISES(EXC_GP)),
    BOTH("#XF without OSXMMEXCPT", divsd, 3, XM | NO_OSXMM, RAISES(EXC_UD)),
    BOTH("#XF without OSXMMEXCPT, TS", divsd, 3, XM | NO_OSXMM | TS, RAISES(EXC_NM)),
    BOTH("#XF, TS", divsd, 3, XM | TS, RAISES(EXC_NM)),
    BOTH("#XF, absent page", divsd_memory, 3, XM, .place = ABSENT, PF(PF_U)),
    BOTH("#XF, AC", divsd_memory, 3, XM | AC, .place = PRESENT_ODD, RAISES(EXC_AC)),
    BOTH("SSE with #MF pending", divsd, 3, XM | MF, RAISES(EXC_XF)),
    BOTH("LDMXCSR, EM, TS", ldmxcsr, 3, EM | TS, .place = ABSENT, RAISES(EXC_UD)),
    BOTH("LDMXCSR, TS, absent page", ldmxcsr, 3, TS, .place = ABSENT, RAISES(EXC_NM)),
    BOTH("LDMXCSR, reserved bits, AC", ldmxcsr, 3, AC, .place = ONES_ODD, RAISES(EXC_AC)),
    BOTH("LDMXCSR, reserved bits, TS", ldmxcsr, 3, TS, .place = ONES, RAISES(EXC_NM)),
    BOTH("LOCK FXSAVE, TS", lock_fxsave, 3, TS, .place = ABSENT_ODD, RAISES(EXC_UD)),
    BOTH("FXSAVE, EM, TS, misaligned", fxsave, 3, EM | TS, .place = ABSENT_ODD, RAISES(EXC_UD)),
    BOTH("FXSAVE, TS, misaligned", fxsave, 3, TS, .place = ABSENT_ODD, RAISES(EXC_NM)),
    BOTH("FXSAVE, misaligned, absent page", fxsave, 3, 0, .place = ABSENT_ODD, RAISES(EXC_GP)),
    BOTH("FXSAVE, #MF pending, absent page", fxsave, 3, MF, .place = ABSENT, PF(PF_U | PF_W)),
    BOTH("FXRSTOR, reserved bits, misaligned, TS", fxrstor, 3, TS, .place = ONES_ODD, RAISES(EXC_NM)),
    BOTH("MOVNTI, EM, TS: neither counts; absent page", movnti, 3, EM | TS, .place = ABSENT, PF(PF_U | PF_W)),
};

static const struct row memory_rows[] = {
    ONE(32, "beyond the limit of DS, absent page", load_32, 3, 0, .place = ABSENT, RAISES(EXC_GP), .ds = SHORT_DATA),
    ONE(32, "beyond the limit of SS, absent page", load_stack_32, 3, 0, .place = ABSENT, RAISES(EXC_SS),
        .ss = SHORT_DATA),
    ONE(32, "beyond the limit, misaligned, AC", load_32, 3, AC, .place = ABSENT_ODD, RAISES(EXC_GP), .ds = SHORT_DATA),
    ONE(32, "the limit cuts the operand, its end absent", load_32, 3, AC, .place = ABSENT_CROSSED, RAISES(EXC_GP),
        .ds = SHORT_DATA),
    ONE(32, "null DS, absent page", load_32, 3, 0, .place = ABSENT, RAISES(EXC_GP), .ds = 3),
    ONE(32, "null DS, misaligned, AC", load_32, 3, AC, .place = PRESENT_ODD, RAISES(EXC_GP), .ds = 3),
    ONE(32, "read-only segment, read-only page", store_32, 3, 0, .place = READ_ONLY_PAGE, RAISES(EXC_GP),
        .ds = READ_ONLY),
    ONE(32, "read-only segment, absent page", increment_32, 3, 0, .place = ABSENT, RAISES(EXC_GP), .ds = READ_ONLY),
    ONE(32, "write to code, absent page", store_code_32, 3, 0, .place = ABSENT, RAISES(EXC_GP)),
    ONE(64, "not canonical, misaligned, AC", load_wide, 3, AC, .place = WILD_ODD, RAISES(EXC_GP)),
    BOTH("misaligned, AC, absent page", load, 3, AC, .place = ABSENT_ODD, RAISES(EXC_AC)),
    BOTH("misaligned, AC, the end in an absent page", load, 3, AC, .place = ABSENT_CROSSED, RAISES(EXC_AC)),
    BOTH("misaligned, AC, read-only page", store, 3, AC, .place = READ_ONLY_ODD, RAISES(EXC_AC)),
    BOTH("misaligned, AC at CPL 0: the page alone", load, 0, AC, .place = ABSENT_ODD, PF(0)),
    BOTH("read, changed and written: read-only page", increment, 3, 0, .place = READ_ONLY_PAGE, PF(PF_P | PF_U | PF_W)),
    BOTH("absent page, to be read and written", lock_increment, 3, 0, .place = ABSENT, PF(PF_U | PF_W)),
    BOTH("CMPXCHG that differs: read-only page", compare_exchange, 3, 0, .place = READ_ONLY_PAGE,
         PF(PF_P | PF_U | PF_W)),
    BOTH("CMPXCHG8B of a register", cmpxchg8b_register, 3, AC, .place = ABSENT, RAISES(EXC_UD)),
    BOTH("CMPXCHG8B that differs: read-only page", cmpxchg8b, 3, 0, .place = READ_ONLY_PAGE, PF(PF_P | PF_U | PF_W)),
    ONE(64, "CMPXCHG16B, misaligned, absent page", cmpxchg16b, 3, 0, .place = ABSENT_ODD, RAISES(EXC_GP)),
    ONE(64, "CMPXCHG16B, misaligned, AC", cmpxchg16b, 3, AC, .place = PRESENT_ODD, RAISES(EXC_GP)),
    BOTH("DIV by what is absent", divide, 3, 0, .place = ABSENT, PF(PF_U)),
    BOTH("DIV by 0, misaligned, AC", divide, 3, AC, .place = PRESENT_ODD, RAISES(EXC_AC)),
    ONE(64, "PUSH: source absent, stack absent", push_memory, 3, 0, .place = READ_ONLY_PAGE, PF(PF_U | PF_W),
        .rsp = AT(PAGE_ABSENT) + 8, .cr2 = AT(PAGE_ABSENT)),
    ONE(64, "PUSH: source absent, stack read-only", push_memory, 3, 0, .place = ABSENT, PF(PF_U),
        .rsp = AT(PAGE_READ_ONLY) + 8),
    ONE(64, "PUSH: source absent, stack not canonical", push_memory, 3, 0, .place = ABSENT, PF(PF_U),
        .rsp = NON_CANONICAL + 64),
    ONE(64, "POP: stack absent, destination read-only", pop_memory, 3, 0, .place = READ_ONLY_PAGE, PF(PF_U),
        .rsp = AT(PAGE_ABSENT), .cr2 = AT(PAGE_ABSENT)),
    ONE(64, "POP: stack not canonical, destination absent", pop_memory, 3, 0, .place = ABSENT, RAISES(EXC_SS),
        .rsp = NON_CANONICAL),
    ONE(64, "CALL: pointer absent, stack not canonical", call_memory, 3, 0, .place = ABSENT, PF(PF_U),
        .rsp = NON_CANONICAL + 64),
    ONE(64, "CALL: stack absent, target not canonical", call_register, 3, 0, PF(PF_U | PF_W),
        .rsp = AT(PAGE_ABSENT) + 8, .cr2 = AT(PAGE_ABSENT), .rcx = NON_CANONICAL),
    ONE(64, "CALL: stack not canonical, target neither", call_register, 3, 0, RAISES(EXC_SS), .rsp = NON_CANONICAL + 64,
        .rcx = NON_CANONICAL),
    ONE(64, "RET n: stack absent", return_n, 3, 0, PF(PF_U), .rsp = AT(PAGE_ABSENT), .cr2 = AT(PAGE_ABSENT)),
    ONE(64, "ENTER: stack absent, old frame not canonical", enter_2, 3, 0, PF(PF_U | PF_W), .rsp = AT(PAGE_ABSENT) + 8,
        .cr2 = AT(PAGE_ABSENT), .rbp = NON_CANONICAL + 8),
    ONE(64, "ENTER: old frame absent, space read-only", enter_2, 3, 0, PF(PF_U), .rsp = AT(PAGE_LAST) + 24,
        .cr2 = AT(PAGE_ABSENT), .rbp = AT(PAGE_ABSENT) + 8),
    ONE(64, "ENTER: space read-only, written to last", enter_2, 3, 0, PF(PF_P | PF_U | PF_W), .rsp = AT(PAGE_LAST) + 24,
        .cr2 = AT(PAGE_LAST) - 16, .rbp = AT(PAGE_PRESENT) + 8),
    ONE(64, "CALL far: pointer absent, stack not canonical", call_far, 3, 0, .place = ABSENT, PF(PF_U),
        .rsp = NON_CANONICAL + 64),
    ONE(64, "MOVS: source and destination absent", movs, 3, 0, .place = ABSENT, PF(PF_U)),
    BOTH("MOV to DS: a bad selector, of which a byte is absent", mov_to_ds, 3, AC, .place = ABSENT_ODD, RAISES(EXC_AC)),
    BOTH("MOV to DS: the selector absent", mov_to_ds, 3, 0, .place = ABSENT, PF(PF_U)),
    BOTH("MOV to DS: beyond the LDT, which is absent", mov_ds_ecx, 0, 0, RAISES(EXC_GP), .error = 0x104, .rcx = 0x107),
    BOTH("MOV to DS: LDT absent", mov_ds_ecx, 0, 0, PF(0), .rcx = 0x0C, .cr2 = AT(PAGE_ABSENT) + 8),
    BOTH("MOV to DS: LDT absent, at CPL 3 a supervisor's access", mov_ds_ecx, 3, 0, PF(0), .rcx = 0x0F,
         .cr2 = AT(PAGE_ABSENT) + 8),
    ONE(32, "BOUND of registers, #BR", bound_register, 3, 0, .place = ABSENT, RAISES(EXC_UD)),
    ONE(32, "BOUND, bounds absent", bound, 3, 0, .place = ABSENT, PF(PF_U)),
    ONE(64, "BOUND in 64-bit mode, bounds absent", bound_64, 3, 0, .place = ABSENT, RAISES(EXC_UD)),
    ONE(64, "INTO in 64-bit mode", into_64, 3, 0, RAISES(EXC_UD)),
    BOTH("INT n: DPL 0, absent", int_inner, 3, 0, RAISES(EXC_GP), .error = 0x92 * 8 + 2),
    BOTH("INT n: absent, at CPL 0", int_inner, 0, 0, RAISES(EXC_NP), .error = 0x92 * 8 + 2),
    BOTH("INT n: no gate and absent", int_beyond, 0, 0, RAISES(EXC_GP), .error = 0x93 * 8 + 2),
};

#define SVM_ROWS(name)                                                              \
    BOTH(#name " at CPL 3, SVME = 0", name, 3, 0, RAISES(EXC_UD)), \
    BOTH(#name " at CPL 3", name, 3, SVME, RAISES(EXC_GP))

static const struct row system_rows[] = {
    SVM_ROWS(vmrun), SVM_ROWS(vmload), SVM_ROWS(vmsave), SVM_ROWS(stgi), SVM_ROWS(clgi), SVM_ROWS(invlpga),
    BOTH("SKINIT without SVME and SKINIT at CPL 3", skinit, 3, 0, RAISES(EXC_UD)),
    BOTH("VMMCALL at CPL 3", vmmcall, 3, SVME, RAISES(EXC_UD)),
    BOTH("RSM at CPL 3", rsm, 3, 0, RAISES(EXC_UD)),
    ONE(64, "SYSRET at CPL 3, SCE = 0", sysret, 3, 0, RAISES(EXC_UD)),
    ONE(64, "SYSRET at CPL 3", sysret, 3, SCE, RAISES(EXC_GP)),
    BOTH("SYSENTER, SYSENTER_CS = 0: none in long mode", sysenter, 3, 0, RAISES(EXC_UD)),
    BOTH("SYSEXIT at CPL 3: none in long mode", sysexit, 3, 0, RAISES(EXC_UD)),
    BOTH("MOV to CR1 at CPL 3", mov_cr1, 3, 0, RAISES(EXC_UD)),
    BOTH("LOCK MOV to CR3 at CPL 3", lock_mov_cr3, 3, 0, RAISES(EXC_UD)),
    BOTH("MOV to DR4 with DE at CPL 3", mov_dr4, 3, DE, RAISES(EXC_UD)),
    BOTH("MOV to DR4 at CPL 3", mov_dr4, 3, 0, RAISES(EXC_GP)),
    BOTH("LLDT at CPL 3, absent", lldt, 3, 0, .place = ABSENT, RAISES(EXC_GP)),
    BOTH("LTR at CPL 3, absent", ltr, 3, 0, .place = ABSENT, RAISES(EXC_GP)),
    BOTH("LGDT at CPL 3, absent", lgdt, 3, 0, .place = ABSENT, RAISES(EXC_GP)),
    BOTH("LIDT at CPL 3, absent, misaligned", lidt, 3, AC, .place = ABSENT_ODD, RAISES(EXC_GP)),
    BOTH("LMSW at CPL 3, absent", lmsw, 3, 0, .place = ABSENT, RAISES(EXC_GP)),
    BOTH("INVLPG at CPL 3, absent", invlpg, 3, 0, .place = ABSENT, RAISES(EXC_GP)),
    BOTH("LGDT of a register at CPL 3", lgdt_register, 3, 0, RAISES(EXC_UD)),
    BOTH("LOCK LGDT at CPL 3", lock_lgdt, 3, 0, .place = ABSENT, RAISES(EXC_UD)),
    ONE(32, "LGDT, absent", lgdt_32, 0, 0, .place = ABSENT, PF(0)),
    BOTH("SGDT at CPL 3, read-only page", sgdt, 3, 0, .place = READ_ONLY_PAGE, PF(PF_P | PF_U | PF_W)),
    BOTH("LAR, a selector of nothing, absent", lar, 3, 0, .place = ABSENT, PF(PF_U)),
    BOTH("LOCK RDTSC, TSD", rdtsc_lock, 3, TSD, RAISES(EXC_UD)),
    BOTH("LOCK RDPMC, no PCE", rdpmc_lock, 3, 0, RAISES(EXC_UD)),
    BOTH("RDPMC, no PCE", rdpmc, 3, 0, RAISES(EXC_GP)),
    BOTH("RDPMC, PCE", rdpmc, 3, PCE, RAISES(WORLD64_PASSED)),
    BOTH("RDPMC of no counter, PCE", rdpmc, 3, PCE, RAISES(EXC_GP), .rcx = 0x10000),
    BOTH("RDPMC, no PCE, at CPL 0", rdpmc, 0, 0, RAISES(WORLD64_PASSED)),
    ONE(64, "MONITOR at CPL 3, ECX = 1", monitor, 3, 0, .place = ABSENT, RAISES(EXC_UD), .rcx = 1),
    ONE(64, "MONITOR, ECX = 1, absent", monitor, 0, 0, .place = ABSENT, RAISES(EXC_GP), .rcx = 1),
    ONE(64, "MWAIT at CPL 3, ECX = 2", mwait, 3, 0, RAISES(EXC_UD), .rcx = 2),
    BOTH("IN that the bitmap forbids", in, 3, 0, RAISES(EXC_GP), .port = 0x81),
    BOTH("INS that the bitmap forbids, absent", ins, 3, 0, .place = ABSENT, RAISES(EXC_GP), .port = 0x81),
    BOTH("INS that it allows, absent", ins, 3, 0, .place = ABSENT, PF(PF_U | PF_W), .port = 0x80),
    BOTH("OUTS that the bitmap forbids, absent", outs, 3, 0, .place = ABSENT, RAISES(EXC_GP), .port = 0x81),
    BOTH("OUTS that it allows, absent", outs, 3, 0, .place = ABSENT, PF(PF_U), .port = 0x80),
    ONE(32, "OUTS that the bitmap forbids, beyond the limit", outs_32, 3, 0, .place = ABSENT, RAISES(EXC_GP),
        .port = 0x81, .ds = SHORT_DATA),
};

/* ---- Running ---------------------------------------------------------------------------------------------------- */

static uint64_t place_address(enum place place)
{
    switch (place) {
    case ABSENT: return AT(PAGE_ABSENT);
    case ABSENT_ODD: return AT(PAGE_ABSENT) + 1;
    case ABSENT_CROSSED: return AT(PAGE_ABSENT) - 2;
    case ONES: return AT(PAGE_PRESENT) + 64;
    case ONES_ODD: return AT(PAGE_PRESENT) + 65;
    case READ_ONLY_PAGE: return AT(PAGE_READ_ONLY);
    case READ_ONLY_ODD: return AT(PAGE_READ_ONLY) + 1;
    case PRESENT_ODD: return AT(PAGE_PRESENT) + 1;
    case WILD_ODD: return NON_CANONICAL + 1;
    default: return AT(PAGE_PRESENT);
    }
}

/* The code itself ends in the absent page. */
static uint64_t place_code(const struct row *row)
{
    uint8_t *to = pages[PAGE_PRESENT] + 4096 - row->keep;

    memcpy(to, row->code, row->keep);
    return AT(PAGE_ABSENT) - row->keep;
}

static struct world64_state prepare(const struct row *row)
{
    struct world64_state state = world64_state_at(row->code, row->bits == 64, row->cpl);

    memset(pages[PAGE_PRESENT], 0xFF, sizeof(pages[0]));
    memset(pages[PAGE_PRESENT], 0, 64);
    if (row->place == IN_LAST_BYTES)
        state.rip = place_code(row);
    else if (row->place == IN_ABSENT)
        state.rip = AT(PAGE_ABSENT);
    else if (row->place == BEHIND_NOP) {
        pages[PAGE_PRESENT][4095] = 0x90;
        state.rip = AT(PAGE_ABSENT) - 1;
    }
    state.rbx = state.rsi = state.rdi = place_address(row->place);
    if (row->place == IN_LAST_BYTES)
        state.rbx = AT(PAGE_ABSENT) + 64;
    state.rax = state.rbx;
    state.rdx = row->port;
    state.rcx = row->rcx;
    state.rbp = row->rbp;
    state.rsp = row->rsp ? row->rsp : state.rsp;
    state.cs = row->cs ? row->cs : state.cs;
    state.ds = row->ds ? row->ds : state.ds;
    state.ss = row->ss ? row->ss : state.ss;
    state.rflags |= (row->with & AC ? RFLAGS_AC : 0) | (row->with & RF ? RFLAGS_RF : 0);
    return state;
}

static void run(const struct row *row)
{
    struct world64_state state = prepare(row);
    uint64_t cr2 = row->cr2 ? row->cr2 : row->place == IN_LAST_BYTES ? AT(PAGE_ABSENT) : state.rbx;
    uint64_t rip = state.rip + (row->place == BEHIND_NOP);
    bool right, passed = row->vector == WORLD64_PASSED;

    registers_set(0, 0);
    media_set(row->with);
    registers_set(row->with, rip);
    e = world64_run(&state);
    registers_set(0, 0);
    __asm__ volatile("fninit");
    right = e->vector == row->vector && e->error == row->error && (passed || e->rip == rip) && e->rsp == state.rsp &&
            (row->vector != EXC_PF || e->cr2 == cr2) && (row->vector != EXC_DB || (e->dr6 & DR6_KNOWN) == 1);
    check_format(right, "%s, %u bits: vector %u", row->what, row->bits, row->vector);
    if (!right)
        guest_print("# got vector %u, error code %llx, rip %llx (%llx), cr2 %llx, dr6 %llx", (unsigned)e->vector,
                    (unsigned long long)e->error, (unsigned long long)e->rip, (unsigned long long)rip,
                    (unsigned long long)e->cr2, (unsigned long long)e->dr6);
}

#define RUN(rows)                                                   \
    for (unsigned i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) \
        run(&(rows)[i])

/* The bitmap of a TSS whose end is in the absent page: a supervisor's read. */
static void bitmap_in_absent_page(void)
{
    struct row row = ONE(64, "INS, I/O bitmap absent, destination read-only", ins_64, 3, 0, .place = READ_ONLY_PAGE,
                         PF(0), .port = 0x81, .cr2 = AT(PAGE_LAST + 1) + 0x81 / 8);

    world64_gdt[STRAY_TSS / 8] = world64_segment(AT(PAGE_LAST + 1) - WORLD64_IOPB, WORLD64_TSS_BYTES - 1, 0x89, 0);
    memcpy(pages[PAGE_LAST] + 4096 - WORLD64_IOPB, world64_tss, WORLD64_IOPB);
    __asm__ volatile("ltr %w0" : : "r"(STRAY_TSS));
    run(&row);
}

/* The last byte before the hole of non-canonical addresses: no page fault, #GP(0), and no #UD of what is half read. */
static void into_the_hole(void)
{
    static uint8_t last[4096] __attribute__((aligned(4096)));
    struct world64_state state = world64_state_at(last, true, 3);

    *paging_entry(NON_CANONICAL - 4096, 1) = (uintptr_t)last | PTE_P | PTE_US;
    last[4095] = 0xF0; /* LOCK */
    state.rip = NON_CANONICAL - 1;
    e = world64_run(&state);
    check(e->vector == EXC_GP && !e->error && e->rip == state.rip, "an opcode behind LOCK, not canonical: vector 13");
    last[4095] = 0x90;
    e = world64_run(&state);
    check(e->vector == EXC_GP && !e->error && e->rip == NON_CANONICAL, "a whole instruction, not canonical: vector 13");
}

static void map_window(void)
{
    static const uint64_t bits[] = { PTE_P | PTE_RW | PTE_US, 0, PTE_P | PTE_US, PTE_P | PTE_RW | PTE_US };

    *paging_entry(WINDOW, 2) = 0; /* one 2M page becomes 4K ones */
    for (unsigned i = 0; i < 4; i++)
        *paging_entry(AT(i), 1) = bits[i] ? (uintptr_t)pages[i] | bits[i] : 0;
    cr3_write(cr3_read());
}

void guest_main(void)
{
    world64_begin();
    map_window();
    cr0_write(cr0_read() | 0x10000); /* WP */
    world64_gdt[SHORT_CODE / 8] = world64_segment(0, AT(PAGE_ABSENT) - 1, 0xFB, 0xC);
    world64_gdt[SHORT_DATA / 8] = world64_segment(0, AT(PAGE_ABSENT) - 1, 0xF3, 0xC);
    world64_gdt[READ_ONLY / 8] = world64_segment(0, 0xFFFFFFFF, 0xF1, 0xC);
    world64_gate(&world64_idt[2 * 0x92], WORLD64_CODE64, world64_handler(0x92), 0x0E, 1);
    world64_gate(&world64_idt[2 * 0x93], WORLD64_CODE64, world64_handler(0x93), 0x0C, 1);
    ((uint8_t *)world64_tss)[WORLD64_IOPB + 0x81 / 8] = 1 << (0x81 & 7);
    RUN(fetch_rows);
    into_the_hole();
    RUN(media_rows);
    RUN(system_rows);
    world64_gdt[WORLD64_LDT / 8] = world64_segment(AT(PAGE_ABSENT), 0xFF, 0x82, 0);
    __asm__ volatile("lldt %w0" : : "r"(WORLD64_LDT));
    RUN(memory_rows);
    bitmap_in_absent_page();
    check_end();
}
