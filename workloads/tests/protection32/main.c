/* SPDX-License-Identifier: MIT */
/*
 * Segmentation of 32-bit protected mode without paging (APM2 4.7.2, 4.7.3, 4.12.1, 4.13.1): what the limit and the
 * type of a loaded segment allow. Then INTO and BOUND, which 64-bit code does not have.
 *
 * Flat code never meets a limit, so that an emulator may add the base, leave the limit out and run most programs;
 * it fails here, as QEMU does (doc/conformance.md).
 *
 * All runs at CPL 0. A test segment takes the fifth place of the GDT in one form after another; each check loads it
 * into ES, or into SS with base 0 so that the stack stays where it is, and makes one access. The handlers of
 * exceptions.h say what was raised, with its error code.
 *
 * The accesses at the edges must pass or raise what the manual says. An expand-up segment of 4 KiB allows operands
 * of 1 to 16 bytes up to its last byte, read or written; #GP(0) comes as soon as one byte of the operand is outside,
 * and when it wraps around 4 GiB. With the same limit an expand-down segment allows what the other forbids: offsets
 * from 1000h on, with D = 0 up to FFFFh. A read-only segment and readable code may be read and not written; an
 * execute-only one cannot even be loaded (#GP of the selector); a null selector can, and #GP(0) comes with its use.
 * Outside the stack segment's limit it is #SS(0). INTO is #OF if OF = 1; BOUND lets both bounds pass and raises #BR
 * beyond either.
 *
 * It runs alone, and as a guest of hv with nested and shadow paging. DPL, RPL and CPL: `descriptors`.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define SELECTOR_DATA 0x10
#define SELECTOR_TEST 0x20
#define STACK_LIMIT 0x3FFFFF /* the program and its stack lie below 4 MiB */
#define TYPE_DATA_READ_ONLY 0x0
#define TYPE_DATA 0x2
#define TYPE_DATA_DOWN 0x6
#define TYPE_CODE 0x8 /* execute only */
#define TYPE_CODE_READ 0xA
#define CR4_OSFXSR 0x200u

static uint64_t gdt[5];
static uint8_t memory[0x11000] __attribute__((aligned(16)));
extern const uint64_t guest_gdt[4];

/* A present 32-bit segment of DPL 0; a limit that needs more than 20 bits must be one less than whole pages. */
static void make_segment(uint32_t base, uint32_t limit, unsigned type)
{
    uint64_t granularity = limit >> 20 ? 1ull << 55 : 0;

    if (granularity)
        limit >>= 12;
    gdt[SELECTOR_TEST / 8] = (limit & 0xFFFF) | (uint64_t)(base & 0xFFFFFF) << 16 | (uint64_t)(0x90 | type) << 40 |
                             (uint64_t)(limit >> 16 & 0xF) << 48 | 1ull << 54 | granularity |
                             (uint64_t)(base >> 24) << 56;
}

struct access {
    uint32_t selector, offset;
    unsigned size;
    bool write;
};

static void access_es(void *argument)
{
    const struct access *a = argument;

    __asm__ volatile("movl %0, %%es" : : "r"(a->selector));
    switch (a->size * 2 + a->write) {
    case 2: __asm__ volatile("movb %%es:(%0), %%al" : : "r"(a->offset) : "eax"); break;
    case 3: __asm__ volatile("movb $0, %%es:(%0)" : : "r"(a->offset) : "memory"); break;
    case 4: __asm__ volatile("movw %%es:(%0), %%ax" : : "r"(a->offset) : "eax"); break;
    case 5: __asm__ volatile("movw $0, %%es:(%0)" : : "r"(a->offset) : "memory"); break;
    case 8: __asm__ volatile("movl %%es:(%0), %%eax" : : "r"(a->offset) : "eax"); break;
    case 9: __asm__ volatile("movl $0, %%es:(%0)" : : "r"(a->offset) : "memory"); break;
    case 16: __asm__ volatile("movlps %%es:(%0), %%xmm0" : : "r"(a->offset)); break;
    case 17: __asm__ volatile("movlps %%xmm0, %%es:(%0)" : : "r"(a->offset) : "memory"); break;
    case 32: __asm__ volatile("movups %%es:(%0), %%xmm0" : : "r"(a->offset)); break;
    default: __asm__ volatile("movups %%xmm0, %%es:(%0)" : : "r"(a->offset) : "memory"); break;
    }
}

/* Through SS, which is the test segment meanwhile; its base is 0, so the stack stays where it is. */
static void access_ss(void *argument)
{
    const struct access *a = argument;

    __asm__ volatile("movl %0, %%ss" : : "r"(a->selector));
    __asm__ volatile("movl %%ss:(%0), %%eax" : : "r"(a->offset) : "eax");
}

static struct exception try_stack(uint32_t offset)
{
    struct access a = { SELECTOR_TEST, offset, 4, false };
    struct exception e = exception_try(access_ss, &a);

    __asm__ volatile("movl %0, %%ss" : : "r"(SELECTOR_DATA));
    return e;
}

static struct exception try_read(uint32_t offset, unsigned size)
{
    struct access a = { SELECTOR_TEST, offset, size, false };

    return exception_try(access_es, &a);
}

static struct exception try_write(uint32_t offset, unsigned size)
{
    struct access a = { SELECTOR_TEST, offset, size, true };

    return exception_try(access_es, &a);
}

static bool allowed(struct exception e)
{
    return e.vector == EXC_NONE;
}

static bool refused(struct exception e)
{
    return e.vector == EXC_GP && e.error_code == 0;
}

/* Every size, read and written: what ends with `last` passes, what ends with the byte behind it does not. */
static void upper_edge(uint32_t last, const char *what)
{
    for (unsigned size = 1; size <= 16; size *= 2)
        check_format(allowed(try_read(last + 1 - size, size)) && allowed(try_write(last + 1 - size, size)) &&
                     refused(try_read(last + 2 - size, size)) && refused(try_write(last + 2 - size, size)),
                     "%s: operands of %u bytes, read and written, up to the last byte and no further", what, size);
}

static void expand_up(void)
{
    make_segment((uintptr_t)memory, 0xFFF, TYPE_DATA);
    check_raised(try_read(0xFFF, 1), EXC_NONE, 0, "the last byte may be read");
    check_raised(try_read(0x1000, 1), EXC_GP, 0, "the byte behind it raises #GP(0)");
    check_raised(try_read(0xFFE, 2), EXC_NONE, 0, "the last word may be read");
    check_raised(try_read(0xFFF, 2), EXC_GP, 0, "a word half outside raises #GP(0)");
    check_raised(try_read(0xFFC, 4), EXC_NONE, 0, "the last doubleword may be read");
    check_raised(try_read(0xFFD, 4), EXC_GP, 0, "a doubleword partly outside raises #GP(0)");
    check_raised(try_read(0xFFFFFFFF, 4), EXC_GP, 0, "one that wraps around 4 GiB raises #GP(0)");
    upper_edge(0xFFF, "expand-up");
}

static void expand_down(void)
{
    make_segment((uintptr_t)memory, 0xFFF, TYPE_DATA_DOWN);
    check_raised(try_read(0xFFF, 1), EXC_GP, 0, "expand-down: offsets up to the limit raise #GP(0)");
    check_raised(try_read(0x1000, 1), EXC_NONE, 0, "the first one above it may be read");
    check_raised(try_read(0xFFE, 4), EXC_GP, 0, "a doubleword that begins below does not");
    check_raised(try_read(0x1000, 4), EXC_NONE, 0, "one that begins above does");
    check_raised(try_write(0xFFE, 4), EXC_GP, 0, "a doubleword that begins below cannot be written");
    check_raised(try_write(0x1000, 16), EXC_NONE, 0, "16 bytes that begin above can");
    check_raised(try_read(0x10000, 1), EXC_NONE, 0, "with D = 1 FFFFh is no bound");
    check_raised(try_read(0xFFFFFFFE, 4), EXC_GP, 0, "but 4 GiB is");
    gdt[SELECTOR_TEST / 8] &= ~(1ull << 54);
    upper_edge(0xFFFF, "expand-down, D = 0");
    check_raised(try_read(0xFFF, 1), EXC_GP, 0, "and the lower bound is that of D = 1");
    check_raised(try_read(0x1000, 1), EXC_NONE, 0, "which may be read");
}

static void types(void)
{
    struct access null = { 0, 0, 1, false };

    make_segment((uintptr_t)memory, 0xFFF, TYPE_DATA_READ_ONLY);
    check_raised(try_read(0, 1), EXC_NONE, 0, "a read-only segment may be read");
    check_raised(try_write(0, 1), EXC_GP, 0, "and not written");
    make_segment((uintptr_t)memory, 0xFFF, TYPE_CODE_READ);
    check_raised(try_read(0, 1), EXC_NONE, 0, "a readable code segment may be read");
    check_raised(try_write(0, 1), EXC_GP, 0, "and not written");
    make_segment((uintptr_t)memory, 0xFFF, TYPE_CODE);
    check_raised(try_read(0, 1), EXC_GP, SELECTOR_TEST, "an execute-only segment cannot even be loaded: #GP(selector)");
    check_raised(exception_try(access_es, &null), EXC_GP, 0, "a null selector may be loaded, its use raises #GP(0)");
}

static void stack_limit(void)
{
    make_segment(0, STACK_LIMIT, TYPE_DATA);
    check_raised(try_stack(STACK_LIMIT - 3), EXC_NONE, 0, "the stack segment's last doubleword may be read");
    check_raised(try_stack(STACK_LIMIT - 2), EXC_SS, 0, "one partly outside raises #SS(0)");
    check_raised(try_stack(STACK_LIMIT + 1), EXC_SS, 0, "so does one behind it");
}

static void overflow(void *unused)
{
    (void)unused;
    __asm__ volatile("movb $0x7F, %%al; addb $1, %%al; into" : : : "eax", "cc");
}

static void no_overflow(void *unused)
{
    (void)unused;
    __asm__ volatile("movb $0x7E, %%al; addb $1, %%al; into" : : : "eax", "cc");
}

static void bound(void *index)
{
    static const int32_t bounds[2] = { -5, 5 };

    __asm__ volatile("bound %0, %1" : : "r"((int32_t)(intptr_t)index), "m"(bounds));
}

static void legacy_instructions(void)
{
    check_raised(exception_try(overflow, NULL), EXC_OF, 0, "INTO with OF=1 raises #OF");
    check_raised(exception_try(no_overflow, NULL), EXC_NONE, 0, "with OF=0 it passes");
    check_raised(exception_try(bound, (void *)5), EXC_NONE, 0, "BOUND lets the upper bound pass");
    check_raised(exception_try(bound, (void *)-5), EXC_NONE, 0, "and the lower one");
    check_raised(exception_try(bound, (void *)6), EXC_BR, 0, "above it raises #BR");
    check_raised(exception_try(bound, (void *)-6), EXC_BR, 0, "below it raises #BR");
}

void guest_main(void)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) pointer = { sizeof(gdt) - 1, (uintptr_t)gdt };

    memcpy(gdt, guest_gdt, sizeof(guest_gdt));
    gdt_load(&pointer);
    exceptions_init();
    cr4_write(cr4_read() | CR4_OSFXSR);
    expand_up();
    expand_down();
    types();
    stack_limit();
    legacy_instructions();
    check_end();
}
