/* SPDX-License-Identifier: MIT */
/*
 * puppet: does what a scenario asks of it, one thing at a time, through a mailbox in its memory. What it stores to
 * meanwhile is known: what it was asked, the mailbox page, and its stack.
 *
 *     mode=off|legacy|pae   of puppet32: paging (off); 4M and 2M pages, all of memory one to one
 *     wait=spin|yield   how it waits for the next request: PAUSE, sched_op yield (default)
 *
 * The mailbox is at MAILBOX. The scenario writes a request and then its number; puppet writes the result and then
 * `done`. Windows map the memory once more, each with guest pages of one size.
 */
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"
#ifdef __x86_64__
#include "workloads/lib/paging64.h"
#endif
#include "workloads/lib/vcpu.h"

#define MAILBOX 0x300000u
#define WINDOW_4K 0x8000000000ull  /* of AREA_BYTES from AREA on, and the same a GiB further */
#define WINDOW_2M 0x10000000000ull /* of the first 2 GiB */
#define WINDOW_1G 0x18000000000ull
#define GIB (1ull << 30)
#define AREA 0x1000000u
#define AREA_BYTES 0x400000u

enum request {
    REQUEST_EXIT,      /* result */
    REQUEST_HYPERCALL, /* number, three arguments */
    REQUEST_STORE,     /* at, how often, stride, value: 64 bits each time, the value going up by 1 */
    REQUEST_LOAD,      /* at, how often, stride: the sum */
    REQUEST_CHURN,     /* the same as store, over and over until the next request; result: rounds */
    REQUEST_CR8_WRITE, /* value */
    REQUEST_CR8_READ,
    REQUEST_FLUSH,     /* CR3 written: what the TLB holds of this guest is gone */
    REQUEST_STORE32,   /* at, value: one 32-bit MOV */
    REQUEST_LOAD32,    /* at */
    REQUEST_REGISTERS, /* a sum over registers that a migration must carry */
    REQUEST_CPUID,     /* leaf: ECX in the high half, EDX in the low one */
    REQUEST_CR0_READ,
    REQUEST_CR0_WRITE, /* value */
    REQUEST_MSR_READ,  /* number */
    REQUEST_PROTECT    /* at: the 2 MiB there of the window of 2M pages read-only from now on */
};

struct mailbox {
    volatile uint64_t request, done;
    volatile uint64_t what, argument[4], result;
};

static struct mailbox *const mailbox = (struct mailbox *)MAILBOX;

#ifdef __x86_64__
static void map_windows(void)
{
    for (uint64_t start = AREA; start <= GIB + AREA; start += GIB)
        for (uint64_t at = start; at < start + AREA_BYTES; at += 4096)
            *paging_entry(WINDOW_4K + at, 1) = at | PTE_P | PTE_RW | PTE_A | PTE_D;
    for (uint64_t at = 0; at < 2 * GIB; at += 2 << 20)
        *paging_entry(WINDOW_2M + at, 2) = at | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PS;
    for (uint64_t at = 0; at < 16 * GIB; at += GIB)
        *paging_entry(WINDOW_1G + at, 3) = at | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PS;
}

static void protect(uint64_t at)
{
    *paging_entry(WINDOW_2M + at, 2) &= ~(uint64_t)PTE_RW;
    cr3_write(cr3_read());
}
#else
static void protect(uint64_t at)
{
    guest_fail("puppet: no window at %lx", (unsigned long)at);
}

#define CR0_WP_PG 0x80010000u
#define CR4_PSE (1u << 4)
#define CR4_PAE (1u << 5)
#define PTE32_LARGE 0xE3u /* present, writable, accessed, dirty, large */

static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint64_t pointers[4] __attribute__((aligned(32)));
static uint64_t directories[4][512] __attribute__((aligned(4096)));

/* Paging on, everything one to one; "windows" have only this size. */
static void map_windows(void)
{
    char mode[8] = "off";

    option_text(guest_options, "mode", mode, sizeof(mode));
    if (mode[0] == 'o')
        return;
    for (unsigned i = 0; i < 1024; i++)
        directory[i] = i << 22 | PTE32_LARGE;
    for (unsigned i = 0; i < 2048; i++)
        directories[i / 512][i % 512] = (uint64_t)i << 21 | PTE32_LARGE;
    for (unsigned i = 0; i < 4; i++)
        pointers[i] = (uintptr_t)directories[i] | 1;
    cr4_write(cr4_read() | (mode[0] == 'p' ? CR4_PAE : CR4_PSE));
    cr3_write(mode[0] == 'p' ? (uintptr_t)pointers : (uintptr_t)directory);
    cr0_write(cr0_read() | CR0_WP_PG);
}
#endif

static void store(uint64_t at, uint64_t count, uint64_t stride, uint64_t value)
{
    for (uint64_t i = 0; i < count; i++)
        *(volatile uint64_t *)(uintptr_t)(at + i * stride) = value + i;
}

static uint64_t load(uint64_t at, uint64_t count, uint64_t stride)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++)
        sum += *(volatile uint64_t *)(uintptr_t)(at + i * stride);
    return sum;
}

static uint64_t churn(uint64_t request)
{
    uint64_t rounds = 0;

    while (mailbox->request == request)
        store(mailbox->argument[0], mailbox->argument[1], mailbox->argument[2], mailbox->argument[3] + rounds++);
    return rounds;
}

#ifdef __x86_64__
static uint64_t cr8_read(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr8, %0" : "=r"(value));
    return value;
}

static void cr8_write(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr8" : : "r"(value) : "memory");
}
#else
#define APIC_TPR 0xFEE00080u /* CR8 is its bits 7:4 */

static uint64_t cr8_read(void)
{
    return load32(APIC_TPR) >> 4;
}

static void cr8_write(uint64_t value)
{
    store32(APIC_TPR, (uint32_t)value << 4);
}
#endif

#define MSR_EFER 0xC0000080
#define MSR_LSTAR 0xC0000082
#define MSR_KERNEL_GS_BASE 0xC0000102
#define MSR_SYSENTER_EIP 0x176
#define MSR_PAT 0x277
#define MSR_EBC_FREQUENCY 0x2A /* an Intel processor's: a guest that began there may read it */

/* What lies in the VMCB, in what VMLOAD switches, and in what neither does. */
static uint64_t registers(void)
{
    static const uint32_t msrs[] = { MSR_EFER, MSR_LSTAR, MSR_KERNEL_GS_BASE, MSR_SYSENTER_EIP, MSR_PAT,
                                     MSR_EBC_FREQUENCY };
    uint64_t sum = cr0_read(), xmm;
    uintptr_t dr0;

    sum = sum * 31 + cr3_read();
    sum = sum * 31 + cr4_read();
    sum = sum * 31 + cs_read();
    for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
        sum = sum * 31 + msr_read(msrs[i]);
    __asm__ volatile("mov %%dr0, %0; movq %%xmm5, %1" : "=&r"(dr0), "=m"(xmm));
    return (sum * 31 + dr0) * 31 + xmm + cr8_read();
}

static void set_registers(void)
{
    uint64_t xmm = 0xFEEDFACECAFEBEEFull;

    cr4_write(cr4_read() | 1u << 9); /* OSFXSR: XMM registers are the guest's own from here on */
    cr0_write(cr0_read() & ~(uintptr_t)(1u << 2)); /* no EM */
    msr_write(MSR_LSTAR, 0x123456789ABCull);
    msr_write(MSR_KERNEL_GS_BASE, 0xFFFF800000001000ull);
    msr_write(MSR_SYSENTER_EIP, 0x77665544);
    __asm__ volatile("mov %0, %%dr0; movq %1, %%xmm5" : : "r"((uintptr_t)0x13579BDF), "m"(xmm));
}

static uint64_t answer_registers(void)
{
    const volatile uint64_t *a = mailbox->argument;

    switch (mailbox->what) {
    case REQUEST_CR8_WRITE:
        cr8_write(a[0]);
        return 0;
    case REQUEST_CR8_READ:
        return cr8_read();
    case REQUEST_FLUSH:
        cr3_write(cr3_read());
        return 0;
    case REQUEST_REGISTERS:
        return registers();
    case REQUEST_CPUID: {
        struct cpuid_result found = cpuid((uint32_t)a[0], 0);

        return (uint64_t)found.ecx << 32 | found.edx;
    }
    case REQUEST_CR0_READ:
        return cr0_read();
    case REQUEST_CR0_WRITE:
        cr0_write((uintptr_t)a[0]);
        return 0;
    case REQUEST_MSR_READ:
        return msr_read((uint32_t)a[0]);
    default:
        guest_exit((uint32_t)a[0]);
    }
}

static uint64_t answer(uint64_t request)
{
    const volatile uint64_t *a = mailbox->argument;

    switch (mailbox->what) {
    case REQUEST_HYPERCALL:
        return (uint64_t)hypercall3((uintptr_t)a[0], (uintptr_t)a[1], (uintptr_t)a[2], (uintptr_t)a[3]);
    case REQUEST_STORE:
        store(a[0], a[1], a[2], a[3]);
        return 0;
    case REQUEST_LOAD:
        return load(a[0], a[1], a[2]);
    case REQUEST_CHURN:
        mailbox->done = request; /* it is under way */
        return churn(request);
    case REQUEST_STORE32:
        store32((uintptr_t)a[0], (uint32_t)a[1]);
        return 0;
    case REQUEST_LOAD32:
        return load32((uintptr_t)a[0]);
    case REQUEST_PROTECT:
        protect(a[0]);
        return 0;
    default:
        return answer_registers();
    }
}

void guest_main(void)
{
    char wait[8] = "yield";
    bool spins;
    uint64_t last = 0;

    option_text(guest_options, "wait", wait, sizeof(wait));
    spins = wait[0] == 's';
    map_windows();
    set_registers();
    guest_print("puppet: ready");
    for (;;) {
        while (mailbox->request == last) {
            if (spins)
                cpu_pause();
            else
                vcpu_yield();
        }
        last = mailbox->request;
        mailbox->result = answer(last);
        mailbox->done = last;
    }
}
