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
 * The accesses at the edges must pass or raise what the manual says. An expand-up segment of 4 KiB allows a byte,
 * word and doubleword up to its last byte; #GP(0) comes as soon as one byte of the operand is outside, and when it
 * wraps around 4 GiB. With the same limit an expand-down segment allows what the other forbids: offsets from 1000h
 * on. A read-only segment and readable code may be read and not written; an execute-only one cannot even be loaded
 * (#GP of the selector); a null selector can, and #GP(0) comes with its use. Outside the stack segment's limit it
 * is #SS(0). INTO with OF = 1 is #OF; BOUND lets both bounds pass and raises #BR beyond either.
 *
 * It runs alone, and as a guest of hv with nested and shadow paging. DPL, RPL and CPL: `descriptors`. Not asked:
 * 16-bit expand-down segments, whose upper bound is FFFFh, and operands of more than 4 bytes.
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

static uint64_t gdt[5];
static uint8_t memory[0x2000] __attribute__((aligned(16)));
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
    if (a->write)
        __asm__ volatile("movb $0, %%es:(%0)" : : "r"(a->offset) : "memory");
    else if (a->size == 1)
        __asm__ volatile("movb %%es:(%0), %%al" : : "r"(a->offset) : "eax");
    else if (a->size == 2)
        __asm__ volatile("movw %%es:(%0), %%ax" : : "r"(a->offset) : "eax");
    else
        __asm__ volatile("movl %%es:(%0), %%eax" : : "r"(a->offset) : "eax");
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

static struct exception try_write(uint32_t offset)
{
    struct access a = { SELECTOR_TEST, offset, 1, true };

    return exception_try(access_es, &a);
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
    check_raised(try_write(0xFFF), EXC_NONE, 0, "the last byte may be written");
}

static void expand_down(void)
{
    make_segment((uintptr_t)memory, 0xFFF, TYPE_DATA_DOWN);
    check_raised(try_read(0xFFF, 1), EXC_GP, 0, "expand-down: offsets up to the limit raise #GP(0)");
    check_raised(try_read(0x1000, 1), EXC_NONE, 0, "the first one above it may be read");
    check_raised(try_read(0xFFE, 4), EXC_GP, 0, "a doubleword that begins below does not");
    check_raised(try_read(0x1000, 4), EXC_NONE, 0, "one that begins above does");
}

static void types(void)
{
    struct access null = { 0, 0, 1, false };

    make_segment((uintptr_t)memory, 0xFFF, TYPE_DATA_READ_ONLY);
    check_raised(try_read(0, 1), EXC_NONE, 0, "a read-only segment may be read");
    check_raised(try_write(0), EXC_GP, 0, "and not written");
    make_segment((uintptr_t)memory, 0xFFF, TYPE_CODE_READ);
    check_raised(try_read(0, 1), EXC_NONE, 0, "a readable code segment may be read");
    check_raised(try_write(0), EXC_GP, 0, "and not written");
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

static void bound(void *index)
{
    static const int32_t bounds[2] = { -5, 5 };

    __asm__ volatile("bound %0, %1" : : "r"((int32_t)(intptr_t)index), "m"(bounds));
}

static void legacy_instructions(void)
{
    check_raised(exception_try(overflow, NULL), EXC_OF, 0, "INTO with OF=1 raises #OF");
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
    expand_up();
    expand_down();
    types();
    stack_limit();
    legacy_instructions();
    check_end();
}
