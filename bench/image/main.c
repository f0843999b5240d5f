/* SPDX-License-Identifier: MIT */
/* The rows, fixed before the first figure was taken. Each prints its begin, its end and a checksum. */
#include "bench.h"

#define STAR 0xC0000081u
#define LSTAR 0xC0000082u
#define SFMASK 0xC0000084u

void exception_ud(void);
void syscall_entry(void);
extern uint64_t gdt_tss[2];

static uint64_t idt[512] __attribute__((aligned(16)));

static void print(const char *text)
{
    while (*text)
        outb(0xE9, (uint8_t)*text++);
}

static void print_hex(uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        outb(0xE9, (uint8_t)"0123456789abcdef"[value >> shift & 15]);
}

static void gate(unsigned vector, void (*handler)(void))
{
    uint64_t at = (uintptr_t)handler;

    idt[2 * vector] = (at & 0xFFFF) | 0x08u << 16 | UINT64_C(0x8E00) << 32 | (at >> 16 & 0xFFFF) << 48;
    idt[2 * vector + 1] = at >> 32;
}

static void traps_build(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uintptr_t)idt };

    gate(6, exception_ud);
    __asm__ volatile("lidt %0" : : "m"(pointer));
    wrmsr(STAR, UINT64_C(0x10) << 48 | UINT64_C(0x08) << 32); /* SYSRET: CS 20h|3, SS 18h|3 */
    wrmsr(LSTAR, (uintptr_t)syscall_entry);
    wrmsr(SFMASK, 0x200);
}

static uint64_t kernel_root, root_4k, root_2m;

static uint64_t row_copy_4k(void) { return copy_words(0x1000, 0x1000, 24000); }
static uint64_t row_copy_1m(void) { return copy_words(0x100000, 0x80000, 160); }
static uint64_t row_copy_64m(void) { return copy_words(0x4000000, 0x80000, 160); }
static uint64_t row_exception(void) { return exception_loop(800000); }
static uint64_t row_syscall(void) { return syscall_loop(2000000); }
static uint64_t row_nested_4k(void) { return row_nested(root_4k, root_4k, 500000); }
static uint64_t row_nested_2m(void) { return row_nested(root_2m, root_2m, 500000); }

static uint64_t chase_on(uint64_t root)
{
    uint64_t sum;

    write_cr3(root);
    sum = chase(CHASE, 1000000);
    write_cr3(kernel_root);
    return sum;
}

static uint64_t row_chase_4k(void) { return chase_on(root_4k); }
static uint64_t row_chase_2m(void) { return chase_on(root_2m); }

static uint64_t row_port(void)
{
    for (uint32_t i = 0; i < 4000000; i++)
        outb(0x80, (uint8_t)i);
    return 4000000;
}

static const struct {
    const char *name;
    uint64_t (*run)(void);
} rows[] = {
    { "integer", row_integer },     { "branch", row_branch },       { "copy-4k", row_copy_4k },
    { "copy-1m", row_copy_1m },     { "copy-64m", row_copy_64m },   { "chase-4k", row_chase_4k },
    { "chase-2m", row_chase_2m },   { "nested-4k", row_nested_4k }, { "nested-2m", row_nested_2m },
    { "smc", row_smc },             { "exception", row_exception }, { "syscall", row_syscall },
    { "port", row_port },           { "switch", row_switch },       { "x87", row_x87 },
    { "sse", row_sse },
};

void bench_main(void);
void bench_main(void)
{
    traps_build();
    float_enable();
    kernel_root = read_cr3();
    chase_build();
    root_4k = tables_build(0, 1);
    root_2m = tables_build(1, 1);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t sum;

        print("row ");
        print(rows[i].name);
        print(" begin\n");
        sum = rows[i].run();
        print("row ");
        print(rows[i].name);
        print(" end ");
        print_hex(sum);
        print("\n");
    }
    print("done\n");
}
