/* SPDX-License-Identifier: MIT */
/*
 * Self-modifying code on one core (APM2 7.6.1): a store to code is seen by the next instruction that is fetched
 * from there, without a serialising instruction.
 *
 * Loaders, debuggers and compilers at run time rely on it. A simulator that keeps decoded code has to see each such
 * store at once, even in the middle of a straight run, and by physical address; the fast engine keeps decoded
 * blocks, the reference engine none, and both run this program.
 *
 * The program runs in long mode at CPL 0. Code lies in its own text and in three pages of data; most of it is one
 * MOV or ADD whose immediate is changed, so that the value in EAX says which bytes were executed.
 *
 * First, in one straight line: the instruction right behind the store, a later one of the same line, and one behind
 * a jump, have been changed when they run. A loop of ten turns increments the immediate of the next instruction and
 * adds it: each turn sees its own store, and the sum is 55. An ADD to its own immediate runs as it was fetched, and
 * its next turn adds the new value: 1, 2, 4 make 8. A store over its own opcode stores, and is a load the next time.
 *
 * Then by calls: an instruction across a page boundary, changed in its second page and in its first; code of
 * another page, changed by REP STOS; a page with two linear addresses, changed through each and called through the
 * other; and another page put under the same address, with INVLPG.
 *
 * Code that another core changes is in smp.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"

#define ALIAS 0x20000000000ull
#define RETURN 0xC3
#define MOV_EAX 0xB8

static uint8_t pages[3][4096] __attribute__((aligned(4096)));

/* mov $value, %eax; ret */
static void put(uint8_t *at, uint32_t value)
{
    at[0] = MOV_EAX;
    memcpy(at + 1, &value, sizeof(value));
    at[5] = RETURN;
}

static uint32_t call(const void *at)
{
    return ((uint32_t(*)(void))(uintptr_t)at)();
}

/* Each stores 2 over the immediate of an instruction further on and returns what that loaded. */
#define PATCH(name, between)                                                                             \
    static uint32_t name(void)                                                                           \
    {                                                                                                    \
        uint32_t value;                                                                                  \
        __asm__ volatile("leaq 2f+1(%%rip), %%rdx\nmovl $1, (%%rdx)\njmp 1f\n1: movl $2, (%%rdx)\n" between \
                         "2: movl $1, %%eax" : "=a"(value) : : "rdx", "memory");                          \
        return value;                                                                                    \
    }
PATCH(patch_next, "")
PATCH(patch_later, "nop\nnop\nnop\naddl $1, %%eax\n")
PATCH(patch_behind_jump, "jmp 2f\n.skip 200, 0x90\n")

static uint32_t patch_in_loop(void)
{
    uint32_t sum;

    /* 05: add $imm32, %eax */
    __asm__ volatile("xorl %%eax, %%eax\nmovl $10, %%ecx\nleaq 2f+1(%%rip), %%rdx\nmovl $0, (%%rdx)\n"
                     "1: incl (%%rdx)\n2: .byte 0x05\n.long 0\nloop 1b" : "=a"(sum) : : "rcx", "rdx", "memory");
    return sum;
}

/*
 * An ADD whose destination is its own immediate, 1: it runs as it was fetched and once, so that each turn doubles
 * what the next one fetches. Stale bytes would give 4 after three turns, not 8.
 */
static uint32_t patch_itself(void)
{
    uint32_t value;

    __asm__ volatile("leaq 1f(%%rip), %%rdx\nmovl $3, %%ecx\n"
                     "0: .byte 0x80, 0x42, 0xFF, 0x01\n" /* addb $1, -1(%rdx) */
                     "1: loop 0b\nmovzbl -1(%%rdx), %%eax" : "=a"(value) : : "rcx", "rdx", "memory");
    return value;
}

/* A store of AL over its own opcode: the value it has, then one that makes it a load, whose turn is the third. */
static uint32_t patch_opcode(void)
{
    uint32_t stored, value;

    __asm__ volatile("leaq 0f(%%rip), %%rdx\nmovl $3, %%ecx\nmovl $0x88, %%eax\njmp 0f\n"
                     "0: .byte 0x88, 0x02\n" /* movb %al, (%rdx); 8Ah: movb (%rdx), %al */
                     "decl %%ecx\njz 1f\nmovzbl (%%rdx), %%esi\nxorl %%eax, %%eax\ncmpl $2, %%ecx\njne 0b\n"
                     "movl $0x8A, %%eax\njmp 0b\n1:"
                     : "=a"(value), "=S"(stored) : : "rcx", "rdx", "memory");
    return stored << 8 | value;
}

static void across_pages(void)
{
    uint8_t *boundary = pages[1] - 3; /* the immediate lies in both pages */

    put(boundary, 0x11223344);
    check_equal(call(boundary), 0x11223344, "an instruction across a page boundary");
    pages[1][0] = 0x99;
    check_equal(call(boundary), 0x11993344, "changed in its second page");
    boundary[1] = 0x55;
    check_equal(call(boundary), 0x11993355, "and in its first");
    put(pages[2], 7);
    check_equal(call(pages[2]), 7, "code of another page");
    __asm__ volatile("rep stosb" : : "D"(pages[2] + 1), "a"(8), "c"(1) : "memory");
    check_equal(call(pages[2]), 8, "changed by REP STOS");
}

static void aliases(void)
{
    uint64_t *entry = paging_entry(ALIAS, 1);
    volatile uint8_t *alias = (uint8_t *)ALIAS;

    put(pages[0], 1);
    put(pages[2], 2);
    *entry = (uintptr_t)pages[0] | PTE_P | PTE_RW;
    tlb_invalidate(ALIAS);
    check_equal(call(pages[0]), 1, "a page that has another address, too");
    alias[1] = 5;
    check_equal(call(pages[0]), 5, "changed through the other address");
    pages[0][1] = 6;
    check_equal(call((const void *)ALIAS), 6, "and the other way round");
    *entry = (uintptr_t)pages[2] | PTE_P | PTE_RW;
    tlb_invalidate(ALIAS);
    check_equal(call((const void *)ALIAS), 2, "another page under the same address, with INVLPG");
}

void guest_main(void)
{
    exceptions_init();
    check_equal(patch_next(), 2, "the next instruction is the changed one");
    check_equal(patch_later(), 2, "so is a later one of the same line");
    check_equal(patch_behind_jump(), 2, "and one behind a jump");
    check_equal(patch_in_loop(), 55, "in a loop each turn sees its own store: 1 + 2 .. + 10");
    check_equal(patch_itself(), 8, "an instruction that overwrites itself runs as it was fetched, the next time anew");
    check_equal(patch_opcode(), 0x8A8A, "and so if it becomes another instruction");
    across_pages();
    aliases();
    check_end();
}
