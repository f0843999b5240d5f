/* SPDX-License-Identifier: MIT */
/*
 * The IOIO intercept (APM2 15.10, exit code 07Bh): which accesses to ports exit, and what EXITINFO1 and EXITINFO2
 * say of them.
 *
 * A hypervisor that emulates devices works from these fields: hv decodes no more of the instruction than the
 * segment prefix of OUTS.
 *
 * The guest is one instruction at CPL 0 with a VMMCALL behind it, in 16-, 32- and 64-bit code: IN and OUT of 8, 16
 * and 32 bits by DX and of 8 bits by immediate, INS and OUTS of every size with and without REP, an INS and a REP
 * OUTS with the other address size. The port is CFCh, where nothing happens while CF8h's enable bit is 0, or 84h.
 *
 * Each form runs three times. With IOIO_PROT and the port's IOPM bit set it exits: EXITINFO1 is compared in 31:16
 * (port) and 9:0 (0 IN, 2 string, 3 REP, 6:4 size, 9:7 address size), EXITINFO2 is the next rIP, saved rIP is the
 * instruction, and no register has changed. With the bits clear, and with the bits set and IOIO_PROT clear, it does
 * not exit, and the index and count of a string move on.
 *
 * An access is checked byte by byte: each of its ports' bits alone makes it exit, the bits beside them do not; a
 * doubleword at FFFFh runs on into bits 10000h to 10002h, in the map's third page, and never wraps to port 0. Last,
 * at CPL 3 in 32-bit code: above IOPL, where the TSS's map does not reach the port, it is #GP before the intercept;
 * with IOPL=3 it exits.
 *
 * EXITINFO1 12:10, the segment, came after Family 10h and is left out, as are segment prefixes. Virtual-8086 mode
 * and faults of a string's memory are not asked.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/svm64.h"

#define PORT 0xCFC      /* nothing happens there while CF8h's enable bit is 0 */
#define PORT_IMMEDIATE 0x84
#define REP (1u << 3)
#define A16 (1u << 7)
#define A32 (1u << 8)
#define A64 (1u << 9)
#define IN IOIO_TYPE_IN
#define STR IOIO_STR
#define S8 IOIO_SZ8
#define S16 IOIO_SZ16
#define S32 IOIO_SZ32
#define INFO_DEFINED 0xFFFF03FF /* bits 12:10, the segment, came after Family 10h */

#define EVERY_FORM(W)                                                                                              \
    SVM_CODE(W, in8_##W, "inb %dx, %al") SVM_CODE(W, in16_##W, "inw %dx, %ax") SVM_CODE(W, in32_##W, "inl %dx, %eax") \
    SVM_CODE(W, ini8_##W, "inb $0x84, %al") SVM_CODE(W, outi8_##W, "outb %al, $0x84")                              \
    SVM_CODE(W, out8_##W, "outb %al, %dx") SVM_CODE(W, out16_##W, "outw %ax, %dx")                                 \
    SVM_CODE(W, out32_##W, "outl %eax, %dx") SVM_CODE(W, ins8_##W, "insb") SVM_CODE(W, ins16_##W, "insw")          \
    SVM_CODE(W, ins32_##W, "insl") SVM_CODE(W, outs8_##W, "outsb") SVM_CODE(W, outs16_##W, "outsw")                \
    SVM_CODE(W, outs32_##W, "outsl") SVM_CODE(W, rins8_##W, "rep insb") SVM_CODE(W, rins16_##W, "rep insw")        \
    SVM_CODE(W, rins32_##W, "rep insl") SVM_CODE(W, routs8_##W, "rep outsb") SVM_CODE(W, routs16_##W, "rep outsw") \
    SVM_CODE(W, routs32_##W, "rep outsl")                                                                          \
    SVM_CODE(W, ains8_##W, ".byte 0x67\ninsb") SVM_CODE(W, arouts32_##W, ".byte 0x67\nrep outsl")
EVERY_FORM(16) EVERY_FORM(32) EVERY_FORM(64)

struct row {
    const char *what;
    const char *at, *next;
    uint32_t info;  /* EXITINFO1 without port */
    unsigned width; /* of the code */
};

#define ROW(W, name, bits) { #name " in " #W "-bit code", at_##name##_##W, next_##name##_##W, (bits), W }
#define EVERY_ROW(W, a, other)                                                                                     \
    ROW(W, in8, IN | S8 | (a)), ROW(W, in16, IN | S16 | (a)), ROW(W, in32, IN | S32 | (a)),                        \
    ROW(W, ini8, IN | S8 | (a)), ROW(W, outi8, S8 | (a)), ROW(W, out8, S8 | (a)), ROW(W, out16, S16 | (a)),        \
    ROW(W, out32, S32 | (a)), ROW(W, ins8, IN | STR | S8 | (a)), ROW(W, ins16, IN | STR | S16 | (a)),              \
    ROW(W, ins32, IN | STR | S32 | (a)), ROW(W, outs8, STR | S8 | (a)), ROW(W, outs16, STR | S16 | (a)),           \
    ROW(W, outs32, STR | S32 | (a)), ROW(W, rins8, IN | STR | REP | S8 | (a)),                                     \
    ROW(W, rins16, IN | STR | REP | S16 | (a)), ROW(W, rins32, IN | STR | REP | S32 | (a)),                        \
    ROW(W, routs8, STR | REP | S8 | (a)), ROW(W, routs16, STR | REP | S16 | (a)),                                  \
    ROW(W, routs32, STR | REP | S32 | (a)), ROW(W, ains8, IN | STR | S8 | (other)),                                \
    ROW(W, arouts32, STR | REP | S32 | (other))
static const struct row rows[] = { EVERY_ROW(16, A16, A32), EVERY_ROW(32, A32, A16), EVERY_ROW(64, A64, A32) };

static uint8_t buffer[64];

/* Strings are at offset 8 of the buffer: by base where 16-bit addresses must reach it. */
static void prepare(const struct row *row)
{
    uint64_t string = 8;

    if (row->width == 64) {
        svm_prepare(row->at);
        string += (uintptr_t)buffer;
    } else {
        if (row->width == 32)
            svm_prepare32(row->at);
        else
            svm_prepare16(row->at);
        svm_vmcb.ds.base = svm_vmcb.es.base = (uintptr_t)buffer;
    }
    svm_registers.rsi = svm_registers.rdi = string;
    svm_registers.rcx = 3;
    svm_registers.rdx = PORT;
    svm_vmcb.rax = 0x12345678;
}

static uint16_t port_of(const struct row *row)
{
    bool immediate = row->at == at_ini8_16 || row->at == at_outi8_16 || row->at == at_ini8_32 ||
                     row->at == at_outi8_32 || row->at == at_ini8_64 || row->at == at_outi8_64;

    return immediate ? PORT_IMMEDIATE : PORT;
}

static void set_port(uint32_t port, bool on)
{
    svm_iopm[port / 8] = (uint8_t)(on ? svm_iopm[port / 8] | 1u << port % 8 : svm_iopm[port / 8] & ~(1u << port % 8));
}

static void exits(const struct row *row)
{
    struct svm_registers before;
    uint64_t code, want = row->info | (uint64_t)port_of(row) << 16;

    prepare(row);
    before = svm_registers;
    svm_intercept(VMEXIT_IOIO, true);
    set_port(port_of(row), true);
    code = svm_run();
    set_port(port_of(row), false);
    check_format(code == VMEXIT_IOIO && (svm_vmcb.exitinfo1 & INFO_DEFINED) == want, "%s exits with EXITINFO1 %llx",
                 row->what, (unsigned long long)want);
    if (code != VMEXIT_IOIO || (svm_vmcb.exitinfo1 & INFO_DEFINED) != want)
        guest_print("# got %llx, EXITINFO1 %llx", (unsigned long long)code, (unsigned long long)svm_vmcb.exitinfo1);
    check_format(svm_vmcb.exitinfo2 == (uintptr_t)row->next && svm_vmcb.rip == (uintptr_t)row->at,
                 "%s: EXITINFO2 is the next rIP, saved rIP its own", row->what);
    check_format(memcmp(&before, &svm_registers, sizeof(before)) == 0 && svm_vmcb.rax == 0x12345678,
                 "%s: no register has changed", row->what);
}

static void passes(const struct row *row, bool prot)
{
    unsigned size = row->info >> 4 & 7, count = row->info & REP ? 3 : row->info & STR ? 1 : 0;
    uint64_t *moved = row->info & IN ? &svm_registers.rdi : &svm_registers.rsi, before;

    prepare(row);
    before = *moved;
    svm_intercept(VMEXIT_IOIO, prot);
    svm_vmcb.exitcode = 0;
    for (unsigned i = 0; i < 4; i++)
        set_port(port_of(row) + i, !prot);
    svm_run();
    for (unsigned i = 0; i < 4; i++)
        set_port(port_of(row) + i, false);
    check_format(svm_vmcb.exitcode == VMEXIT_VMMCALL && svm_vmcb.rip == (uintptr_t)row->next,
                 prot ? "%s does not exit with clear bits" : "%s does not exit without IOIO_PROT", row->what);
    check_format(*moved == before + size * count && svm_registers.rcx == (row->info & REP ? 0 : 3),
                 "%s: index and count move on", row->what);
}

/* ---- The map ---------------------------------------------------------------------------------------------------- */

static bool port_exits(const char *code, uint16_t port, uint32_t bit)
{
    bool result;

    svm_prepare(code);
    svm_registers.rdx = port;
    svm_intercept(VMEXIT_IOIO, true);
    set_port(bit, true);
    result = svm_run() == VMEXIT_IOIO;
    set_port(bit, false);
    return result;
}

static void every_byte(void)
{
    for (unsigned i = 0; i < 4; i++)
        check_format(port_exits(at_in32_64, PORT, PORT + i), "a doubleword exits for the bit of its byte %u", i);
    check(!port_exits(at_in32_64, PORT, PORT - 1), "not for the port below it");
    check(!port_exits(at_in32_64, PORT, PORT + 4), "nor for the one above");
    check(port_exits(at_in16_64, PORT, PORT + 1) && !port_exits(at_in16_64, PORT, PORT + 2), "a word has two");
    check(!port_exits(at_in8_64, PORT, PORT + 1), "a byte has one");
    for (uint32_t bit = 0xFFFF; bit <= 0x10002; bit++)
        check_format(port_exits(at_in32_64, 0xFFFF, bit), "a doubleword at FFFFh exits for bit %x", bit);
    check(!port_exits(at_in32_64, 0xFFFF, 0), "and does not wrap to port 0");
}

static void user_first(void)
{
    svm_prepare32(at_in8_32);
    svm_registers.rdx = PORT;
    svm_vmcb.cpl = 3;
    svm_vmcb.cs.attributes |= 0x60;
    svm_vmcb.ss.attributes |= 0x60;
    svm_intercept(VMEXIT_IOIO, true);
    svm_intercept_exceptions(1u << 13);
    set_port(PORT, true);
    check_equal(svm_run(), VMEXIT_EXCEPTION + 13, "CPL above IOPL and no TSS map: #GP before the intercept");
    svm_vmcb.rflags |= 0x3000;
    check_equal(svm_run(), VMEXIT_IOIO, "with IOPL=3 it exits");
    set_port(PORT, false);
}

void guest_main(void)
{
    svm_begin();
    port_write32(0xCF8, 0);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        exits(&rows[i]);
        passes(&rows[i], true);
        passes(&rows[i], false);
    }
    every_byte();
    user_first();
    check_end();
}
