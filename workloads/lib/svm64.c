/* SPDX-License-Identifier: MIT */
#include "workloads/lib/svm64.h"

#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define MSR_EFER 0xC0000080
#define MSR_VM_HSAVE_PA 0xC0010117
#define EFER_SVME (1u << 12)
#define CPUID_ECX_SVM (1u << 2)
#define SEGMENT_TSS64 0x08B
#define STUB_SIZE 16
#define VECTORS 256
#define TSS_BYTES 0x68
#define CR0_PE_ET 0x11
#define PAT_RESET 0x0007040600070406ull

struct gate64 {
    uint16_t offset_0, selector, attributes, offset_16;
    uint32_t offset_32, reserved;
};

void svm_switch(uintptr_t guest, uintptr_t host, struct svm_registers *registers);
void svm_switch_gif0(uintptr_t guest, uintptr_t host, struct svm_registers *registers);
extern char svm_stubs[];

struct vmcb svm_vmcb __attribute__((aligned(4096))), svm_host_vmcb __attribute__((aligned(4096)));
struct svm_registers svm_registers;
uint8_t svm_iopm[0x3000] __attribute__((aligned(4096))), svm_msrpm[0x2000] __attribute__((aligned(4096)));
uint8_t svm_stack[4096] __attribute__((aligned(4096)));
static uint8_t host_save[4096] __attribute__((aligned(4096)));
static uint32_t tss[TSS_BYTES / 4];
static struct gate64 idt64[VECTORS];
uint64_t svm_idt32[VECTORS];
static uint64_t idt16[VECTORS];

uint64_t svm_gdt[SVM_GDT_ENTRIES] = {
    [SVM_CODE32 / 8] = 0x00CF9B000000FFFF, [SVM_DATA / 8] = 0x00CF93000000FFFF, [SVM_CODE64 / 8] = 0x00AF9B000000FFFF,
    [SVM_CODE16 / 8] = 0x008F9B000000FFFF, [SVM_DATA16 / 8] = 0x000093000000FFFF,
    [SVM_USER_DATA / 8] = 0x00CFF3000000FFFF, [SVM_USER_CODE64 / 8] = 0x00AFFB000000FFFF,
    [SVM_ABSENT / 8] = 0x00CF13000000FFFF,
};

/* ---- Tables ------------------------------------------------------------------------------------------------ */

/* Interrupt gates of both widths: offset, selector, attributes 8Eh (32-bit and 64-bit). */
static void build_tables(void)
{
    for (unsigned v = 0; v < VECTORS; v++) {
        uintptr_t at = svm_vector(v);
        uint64_t gate = (at & 0xFFFF) | 0x8E00ull << 32 | (at >> 16 & 0xFFFF) << 48;

        idt64[v] = (struct gate64){ (uint16_t)at, SVM_CODE64, 0x8E00, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0 };
        svm_idt32[v] = gate | SVM_CODE32 << 16;
        idt16[v] = gate | SVM_CODE16 << 16;
    }
    svm_gdt[SVM_TSS / 8] = 0x0000890000000000 | (TSS_BYTES - 1) | ((uintptr_t)tss & 0xFFFFFF) << 16 |
                           ((uintptr_t)tss & 0xFF000000) << 32;
    tss[1] = (uint32_t)SVM_STACK_TOP; /* RSP0 of a 64-bit TSS, ESP0 of a 32-bit one */
    svm_gdt[SVM_LDT / 8] = 0x0000820000000000 | 0x0F | ((uintptr_t)svm_gdt & 0xFFFFFF) << 16;
}

uintptr_t svm_vector(unsigned vector)
{
    return (uintptr_t)svm_stubs + vector * STUB_SIZE;
}

uint64_t svm_frame(unsigned n)
{
    return ((const uint64_t *)svm_vmcb.rsp)[n];
}

/* ---- Life -------------------------------------------------------------------------------------------------- */

void svm_begin(void)
{
    exceptions_init();
    if (!(cpuid(0x80000001, 0).ecx & CPUID_ECX_SVM)) {
        check_skip("SVM", "this processor has none");
        check_end();
    }
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
    msr_write(MSR_VM_HSAVE_PA, (uintptr_t)host_save);
    build_tables();
}

static struct vmcb_segment flat(uint16_t selector, uint16_t attributes)
{
    return (struct vmcb_segment){ selector, attributes, 0xFFFFFFFF, 0 };
}

static struct vmcb_segment table(const void *base, unsigned bytes)
{
    return (struct vmcb_segment){ .limit = bytes - 1, .base = (uintptr_t)base };
}

/* Every field of the save area is written: nothing of the last guest stays. */
static void prepare(const void *code)
{
    memset(&svm_vmcb, 0, sizeof(svm_vmcb));
    memset(&svm_registers, 0, sizeof(svm_registers));
    svm_vmcb.intercept_2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL;
    svm_vmcb.intercept_1 = INTERCEPT_SHUTDOWN;
    svm_vmcb.iopm_base_pa = (uintptr_t)svm_iopm;
    svm_vmcb.msrpm_base_pa = (uintptr_t)svm_msrpm;
    svm_vmcb.asid = 1;
    svm_vmcb.tlb_control = 1;
    svm_vmcb.ds = svm_vmcb.es = svm_vmcb.ss = flat(SVM_DATA, SEGMENT_DATA32);
    svm_vmcb.fs = svm_vmcb.gs = svm_vmcb.ds;
    svm_vmcb.gdtr = table(svm_gdt, sizeof(svm_gdt));
    svm_vmcb.tr = (struct vmcb_segment){ SVM_TSS, SEGMENT_TSS32, TSS_BYTES - 1, (uintptr_t)tss };
    svm_vmcb.ldtr = (struct vmcb_segment){ .attributes = SEGMENT_LDT };
    svm_vmcb.dr6 = 0xFFFF0FF0;
    svm_vmcb.dr7 = 0x400;
    svm_vmcb.rflags = 2;
    svm_vmcb.rip = (uintptr_t)code;
    svm_vmcb.rsp = SVM_STACK_TOP;
    svm_vmcb.g_pat = PAT_RESET;
    svm_vmcb.efer = EFER_SVME;
    svm_vmcb.cr0 = CR0_PE_ET;
    svm_gdt[SVM_TSS / 8] |= 2ull << 40; /* busy, as TR says */
}

void svm_prepare(const void *code)
{
    prepare(code);
    svm_vmcb.cs = flat(SVM_CODE64, SEGMENT_CODE64);
    svm_vmcb.idtr = table(idt64, sizeof(idt64));
    svm_vmcb.efer = msr_read(MSR_EFER);
    svm_vmcb.cr0 = cr0_read();
    svm_vmcb.cr3 = cr3_read();
    svm_vmcb.cr4 = cr4_read();
}

void svm_prepare32(const void *code)
{
    prepare(code);
    svm_vmcb.cs = flat(SVM_CODE32, SEGMENT_CODE32);
    svm_vmcb.idtr = table(svm_idt32, sizeof(svm_idt32));
}

void svm_prepare16(const void *code)
{
    prepare(code);
    svm_vmcb.cs = flat(SVM_CODE16, SEGMENT_CODE16 | 0x800);
    svm_vmcb.idtr = table(idt16, sizeof(idt16));
}

void svm_prepare_real(const void *code, unsigned bytes)
{
    const struct vmcb_segment segment = { SVM_REAL_CODE >> 4, SEGMENT_DATA16, 0xFFFF, SVM_REAL_CODE };
    uint16_t *ivt = (uint16_t *)SVM_REAL_IVT;

    prepare(NULL);
    memcpy((void *)SVM_REAL_CODE, code, bytes);
    memcpy((void *)(SVM_REAL_CODE + SVM_REAL_STUBS), svm_stubs, VECTORS * STUB_SIZE);
    for (unsigned v = 0; v < VECTORS; v++) {
        ivt[2 * v] = (uint16_t)(SVM_REAL_STUBS + v * STUB_SIZE);
        ivt[2 * v + 1] = SVM_REAL_CODE >> 4;
    }
    svm_vmcb.cs = segment;
    svm_vmcb.cs.attributes = SEGMENT_CODE16;
    svm_vmcb.ds = svm_vmcb.es = svm_vmcb.ss = svm_vmcb.fs = svm_vmcb.gs = segment;
    svm_vmcb.idtr = table((const void *)SVM_REAL_IVT, 4 * VECTORS);
    svm_vmcb.cr0 = 0x10;
    svm_vmcb.rip = 0;
    svm_vmcb.rsp = SVM_REAL_STACK;
}

void svm_intercept(unsigned code, bool on)
{
    uint8_t *word = (uint8_t *)&svm_vmcb + code / 8;

    *word = (uint8_t)(on ? *word | 1u << code % 8 : *word & ~(1u << code % 8));
}

/* Up to MWAIT_CONDITIONAL, but SMI: nothing above is known to Family 10h. */
void svm_intercept_all(void)
{
    for (unsigned code = 0; code <= 0x8C; code++)
        svm_intercept(code, code != 0x62);
}

void svm_intercept_exceptions(uint32_t vectors)
{
    svm_vmcb.intercept_exceptions = vectors;
}

uint64_t svm_run(void)
{
    svm_switch((uintptr_t)&svm_vmcb, (uintptr_t)&svm_host_vmcb, &svm_registers);
    return svm_vmcb.exitcode;
}

uint64_t svm_run_gif0(void)
{
    svm_switch_gif0((uintptr_t)&svm_vmcb, (uintptr_t)&svm_host_vmcb, &svm_registers);
    return svm_vmcb.exitcode;
}
