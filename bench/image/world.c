/* SPDX-License-Identifier: MIT */
/* Guests: world switches, and the chase under nested paging (APM2 15.5, 15.25). */
#include "bench.h"

#define VM_HSAVE_PA 0xC0010117u
#define EFER 0xC0000080u
#define ATTR_CODE64 0xA9Bu
#define ATTR_DATA 0xC93u

static uint8_t hsave[PAGE] __attribute__((aligned(4096)));
static uint8_t vmcb[PAGE] __attribute__((aligned(4096)));
static uint8_t host_state[PAGE] __attribute__((aligned(4096)));
static uint8_t guest_stack[PAGE] __attribute__((aligned(16)));

void guest_switch(void);
void guest_chase(void);

static void put32(unsigned offset, uint32_t value)
{
    *(uint32_t *)(vmcb + offset) = value;
}

static void put64(unsigned offset, uint64_t value)
{
    *(uint64_t *)(vmcb + offset) = value;
}

static void put_segment(unsigned offset, uint16_t selector, uint16_t attributes)
{
    put32(offset, (uint32_t)attributes << 16 | selector);
    put32(offset + 4, 0xFFFFFFFF);
    put64(offset + 8, 0);
}

/* A 64-bit ring-0 guest at `entry` with tables `root`; nested_root 0: no nested paging. */
static void vmcb_build(uint64_t entry, uint64_t root, uint64_t nested_root)
{
    uint64_t cr0, cr4;

    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    for (unsigned i = 0; i < PAGE; i++)
        vmcb[i] = 0;
    put32(0x010, 3);                    /* intercept VMRUN and VMMCALL */
    put32(0x058, 1);                    /* ASID */
    put64(0x090, nested_root != 0);
    put64(0x0B0, nested_root);
    put_segment(0x400, 0x10, ATTR_DATA);
    put_segment(0x410, 0x08, ATTR_CODE64);
    put_segment(0x420, 0x10, ATTR_DATA);
    put_segment(0x430, 0x10, ATTR_DATA);
    put64(0x4D0, rdmsr(EFER));
    put64(0x548, cr4);
    put64(0x550, root);
    put64(0x558, cr0);
    put64(0x560, 0x400);
    put64(0x568, 0xFFFF0FF0);
    put64(0x570, 2);
    put64(0x578, entry);
    put64(0x5D8, (uintptr_t)guest_stack + sizeof(guest_stack));
    put64(0x668, 0x0007040600070406);
    wrmsr(VM_HSAVE_PA, (uintptr_t)hsave);
}

static uint64_t exit_code(void)
{
    return *(uint64_t *)(vmcb + 0x070);
}

/* VMMCALL, back to the host, RIP past it, VMRUN: one switch there and back each time. */
uint64_t row_switch(void)
{
    uint64_t registers[3] = { 0, 0, 0 }, sum = 0;

    vmcb_build((uintptr_t)guest_switch, read_cr3(), 0);
    for (unsigned i = 0; i < 50000; i++) {
        svm_run((uintptr_t)vmcb, registers, (uintptr_t)host_state);
        sum += exit_code();
        put64(0x578, (uintptr_t)guest_switch);
    }
    return sum;
}

uint64_t row_nested(uint64_t guest_root, uint64_t nested_root, uint64_t hops)
{
    uint64_t registers[3] = { CHASE, hops, 0 };

    vmcb_build((uintptr_t)guest_chase, guest_root, nested_root);
    svm_run((uintptr_t)vmcb, registers, (uintptr_t)host_state);
    return registers[2] ^ exit_code();
}
