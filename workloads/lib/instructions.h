/* SPDX-License-Identifier: MIT */
/* Instructions that C cannot name, for 32- and 64-bit programs. */
#ifndef WORKLOADS_LIB_INSTRUCTIONS_H
#define WORKLOADS_LIB_INSTRUCTIONS_H

#include <stdint.h>

struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result r;

    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t msr_read(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint8_t port_read8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void port_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t port_read32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void port_write32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline void vmmcall_mark(uint32_t mark, uint32_t argument)
{
    __asm__ volatile("vmmcall" : "+a"(mark) : "b"(argument) : "memory");
}

/* Xen's calling convention: RDI RSI RDX, or EBX ECX EDX (only under a hypervisor). */
static inline intptr_t hypercall3(uintptr_t number, uintptr_t a, uintptr_t b, uintptr_t c)
{
    intptr_t result;

#ifdef __x86_64__
    __asm__ volatile("vmmcall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "memory");
#else
    __asm__ volatile("vmmcall" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
#endif
    return result;
}

#define CONTROL_REGISTER(n)                                                \
    static inline uintptr_t cr##n##_read(void)                             \
    {                                                                      \
        uintptr_t value;                                                   \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory"); \
        return value;                                                      \
    }                                                                      \
    static inline void cr##n##_write(uintptr_t value)                      \
    {                                                                      \
        __asm__ volatile("mov %0, %%cr" #n : : "r"(value) : "memory");     \
    }
CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)
#undef CONTROL_REGISTER

static inline uint16_t cs_read(void)
{
    uint16_t value;

    __asm__ volatile("mov %%cs, %0" : "=r"(value));
    return value;
}

/* Limit in 16 bits, then the base. */
static inline void idt_load(const void *pointer)
{
    __asm__ volatile("lidt (%0)" : : "r"(pointer) : "memory");
}

static inline void gdt_load(const void *pointer)
{
    __asm__ volatile("lgdt (%0)" : : "r"(pointer) : "memory");
}

static inline void tlb_invalidate(uintptr_t linear)
{
    __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory");
}

static inline uint32_t load32(uintptr_t at)
{
    uint32_t value;

    __asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(at) : "memory");
    return value;
}

static inline void store32(uintptr_t at, uint32_t value)
{
    __asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(at) : "memory");
}

static inline void cpu_halt(void)
{
    __asm__ volatile("hlt" : : : "memory");
}

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

#endif
