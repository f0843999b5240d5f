/* SPDX-License-Identifier: MIT */
/* Instructions that C cannot name. Only hv/x86 and .S files hold assembly. */
#ifndef HV_X86_CPU_H
#define HV_X86_CPU_H

#include <stdbool.h>
#include <stdint.h>

#define MSR_APIC_BASE 0x0000001B
#define MSR_PAT 0x00000277
#define MSR_EFER 0xC0000080
#define MSR_STAR 0xC0000081
#define MSR_LSTAR 0xC0000082
#define MSR_CSTAR 0xC0000083
#define MSR_SFMASK 0xC0000084
#define MSR_FS_BASE 0xC0000100
#define MSR_GS_BASE 0xC0000101
#define MSR_KERNEL_GS_BASE 0xC0000102
#define MSR_BU_CFG2 0xC001102A
#define MSR_VM_CR 0xC0010114
#define MSR_VM_HSAVE_PA 0xC0010117

#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NXE (1u << 11)
#define EFER_SVME (1u << 12)

#define RFLAGS_FIXED (1u << 1)
#define RFLAGS_IF (1u << 9)

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

/* Some MSRs of Family 0Fh want a password in EDI; where there is none it does no harm. */
#define MSR_PASSWORD 0x9C5A203Au

static inline uint64_t msr_read_keyed(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr), "D"(MSR_PASSWORD) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void msr_write_keyed(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "D"(MSR_PASSWORD)
                     : "memory");
}

static inline uint64_t tsc_read(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
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

/* CR0.TS: the next x87, MMX or SSE instruction raises #NM. */
static inline void task_switched_write(bool ts)
{
    uint64_t value;

    __asm__ volatile("movq %%cr0, %0" : "=r"(value));
    __asm__ volatile("movq %0, %%cr0" : : "r"((value & ~8ull) | (uint64_t)ts << 3) : "memory");
}

static inline uint64_t cr2_read(void)
{
    uint64_t value;

    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}

static inline uint64_t cr3_read(void)
{
    uint64_t value;

    __asm__ volatile("movq %%cr3, %0" : "=r"(value));
    return value;
}

static inline void cr3_write(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

#define CR4_MCE (1u << 6)
#define CR4_OSFXSR (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)

static inline uint64_t cr4_read(void)
{
    uint64_t value;

    __asm__ volatile("movq %%cr4, %0" : "=r"(value));
    return value;
}

static inline void cr4_write(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

/* Breakpoint addresses; VMRUN and #VMEXIT switch only DR6 and DR7. */
static inline void breakpoints_read(uint64_t address[4])
{
    __asm__ volatile("movq %%dr0, %0; movq %%dr1, %1; movq %%dr2, %2; movq %%dr3, %3"
                     : "=&r"(address[0]), "=&r"(address[1]), "=&r"(address[2]), "=&r"(address[3]));
}

static inline void breakpoints_write(const uint64_t address[4])
{
    __asm__ volatile("movq %0, %%dr0; movq %1, %%dr1; movq %2, %%dr2; movq %3, %%dr3"
                     : : "r"(address[0]), "r"(address[1]), "r"(address[2]), "r"(address[3]));
}

static inline uint64_t dr6_read(void)
{
    uint64_t value;

    __asm__ volatile("movq %%dr6, %0" : "=r"(value));
    return value;
}

static inline void dr6_write(uint64_t value)
{
    __asm__ volatile("movq %0, %%dr6" : : "r"(value));
}

static inline void dr7_write(uint64_t value)
{
    __asm__ volatile("movq %0, %%dr7" : : "r"(value));
}

/* DS, ES, FS and GS as selectors. */
static inline void selectors_read(uint16_t *ds, uint16_t *es, uint16_t *fs, uint16_t *gs)
{
    __asm__ volatile("movw %%ds, %0; movw %%es, %1; movw %%fs, %2; movw %%gs, %3"
                     : "=r"(*ds), "=r"(*es), "=r"(*fs), "=r"(*gs));
}

/* x87, MMX and SSE registers, 512 bytes on a 16-byte boundary. hv itself uses none of them. */
static inline void fpu_save(void *image)
{
    __asm__ volatile("fxsave64 (%0)" : : "r"(image) : "memory");
}

static inline void fpu_load(const void *image)
{
    __asm__ volatile("fxrstor64 (%0)" : : "r"(image) : "memory");
}

/* INT 18: the handler is called as by a #MC, but MCG_STATUS says nothing (BKDG10 2.12.1, simulated errors). */
static inline void machine_check_raise(void)
{
    __asm__ volatile("int $18" : : : "memory");
}

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void cpu_halt(void)
{
    __asm__ volatile("hlt" : : : "memory");
}

static inline void interrupts_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void interrupts_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

/* STI's shadow covers the HLT: an interrupt that comes in between still wakes it. */
static inline void interrupts_wait(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

static inline void gif_set(void)
{
    __asm__ volatile("stgi" : : : "memory");
}

static inline void gif_clear(void)
{
    __asm__ volatile("clgi" : : : "memory");
}

/* FS, GS, TR, LDTR and the system-call MSRs, to the VMCB at this address (APM2 15.5.2). */
static inline void vmsave(uint64_t vmcb)
{
    __asm__ volatile("vmsave %0" : : "a"(vmcb) : "memory");
}

/* What lies at gs:0, where each core keeps a pointer to its own record. */
static inline void *gs_pointer(void)
{
    void *p;

    __asm__ volatile("movq %%gs:0, %0" : "=r"(p));
    return p;
}

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static inline void idt_load(const struct table_pointer *pointer)
{
    __asm__ volatile("lidt %0" : : "m"(*pointer));
}

static inline void gdt_load(const struct table_pointer *pointer)
{
    __asm__ volatile("lgdt %0" : : "m"(*pointer));
}

static inline void tr_load(uint16_t selector)
{
    __asm__ volatile("ltr %0" : : "r"(selector));
}

#endif
