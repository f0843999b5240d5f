/* SPDX-License-Identifier: MIT */
/*
 * The intercepts of single instructions (APM2 15.9, appendix C): each exits with its own code when its bit is set,
 * and runs when it is clear. The exit codes are 000h-03Fh and 065h-08Ch but IOIO, MSR, TASK_SWITCH, SHUTDOWN and
 * FERR_FREEZE (tests of their own).
 *
 * A hypervisor emulates by code and rIP. Peers have given INVD the code of WBINVD, missed an LMSW that changes
 * nothing, and let VMLOAD exit unasked (doc/conformance.md).
 *
 * A row is one instruction in a guest of 64-bit code at CPL 0, with a VMMCALL behind it. It runs twice. With its
 * intercept alone the guest exits with the row's code; saved rIP is the instruction itself, the save area and the
 * general registers are what they were before it, EXITINTINFO is 0, and where CPUID has NRIPS nRIP is the next
 * instruction. With every intercept of Family 10h but its own (LMSW has two), SMI and the exceptions, it does not
 * exit, and does its work where that can be seen.
 *
 * CLTS and a MOV to CR0 that changes TS alone do not meet the selective intercept (065h), LMSW does whatever it
 * writes. RSM is intercepted before its #UD. Beyond rows: of the two intercepts of CR0 writes the plain one wins; a
 * MOV from CR1, or from DR4 with CR4.DE, is #UD whatever its bit says, while without DE DR4 and DR5 exit by their
 * own numbers; VMRUN refuses a guest whose VMRUN intercept is clear; VMMCALL is intercepted before its #UD; SKINIT
 * exits, or is #UD where CPUID lacks it; MWAIT behind MONITOR exits with 08Ch before 08Bh is looked at, and a store
 * to the line disarms it.
 *
 * It is run on 10h-b3 and, for SKINIT and nRIP, on 10h-c2. EXITINFO is undefined for all of these; CPL above 0 is
 * not asked.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/svm64.h"

#define MSR_TSC_AUX 0xC0000103
#define CR0_TS 0x8u
#define CR0_NE 0x20u
#define CR4_DE 0x8u
#define CPUID_EDX_NRIPS (1u << 3)
#define STALE 0x5A5A5A5Aull
#define CPUID_ECX_SKINIT (1u << 12)
#define RFLAGS_CF 1
#define SAVE_AREA 0x400
#define SAVE_BYTES 0x300
#define NONE 0xFFFF

SVM_CODE64(read_cr0, "mov %cr0, %rdx") SVM_CODE64(read_cr2, "mov %cr2, %rdx") SVM_CODE64(read_cr3, "mov %cr3, %rdx")
SVM_CODE64(read_cr4, "mov %cr4, %rdx") SVM_CODE64(read_cr8, "mov %cr8, %rdx") SVM_CODE64(smsw, "smsw %edx")
SVM_CODE64(write_cr0, "mov %rdx, %cr0") SVM_CODE64(write_cr2, "mov %rdx, %cr2")
SVM_CODE64(write_cr3, "mov %rdx, %cr3") SVM_CODE64(write_cr4, "mov %rdx, %cr4")
SVM_CODE64(write_cr8, "mov %rdx, %cr8") SVM_CODE64(lmsw, "lmsw %dx") SVM_CODE64(clts, "clts")
SVM_CODE64(read_cr1, ".byte 0x0F, 0x20, 0xCA")
SVM_CODE64(read_dr0, "mov %dr0, %rdx") SVM_CODE64(read_dr1, "mov %dr1, %rdx") SVM_CODE64(read_dr2, "mov %dr2, %rdx")
SVM_CODE64(read_dr3, "mov %dr3, %rdx") SVM_CODE64(read_dr6, "mov %dr6, %rdx") SVM_CODE64(read_dr7, "mov %dr7, %rdx")
SVM_CODE64(write_dr0, "mov %rdx, %dr0") SVM_CODE64(write_dr1, "mov %rdx, %dr1")
SVM_CODE64(write_dr2, "mov %rdx, %dr2") SVM_CODE64(write_dr3, "mov %rdx, %dr3")
SVM_CODE64(write_dr6, "mov %rdx, %dr6") SVM_CODE64(write_dr7, "mov %rdx, %dr7")
SVM_CODE64(read_dr4, "mov %dr4, %rdx") SVM_CODE64(read_dr5, "mov %dr5, %rdx")
SVM_CODE64(write_dr4, "mov %rdx, %dr4") SVM_CODE64(write_dr5, "mov %rdx, %dr5")
SVM_CODE64(sidt, "sidt (%rdx)") SVM_CODE64(sgdt, "sgdt (%rdx)") SVM_CODE64(sldt, "sldt %edx")
SVM_CODE64(str, "str %edx") SVM_CODE64(lidt, "lidt (%rdx)") SVM_CODE64(lgdt, "lgdt (%rdx)")
SVM_CODE64(lldt, "lldt %dx") SVM_CODE64(ltr, "ltr %dx") SVM_CODE64(rdtsc, "rdtsc") SVM_CODE64(rdpmc, "rdpmc")
SVM_CODE64(pushf, "pushfq") SVM_CODE64(popf, "popfq") SVM_CODE64(cpuid, "cpuid") SVM_CODE64(rsm, "rsm")
SVM_CODE64(iret, "iretq") SVM_CODE64(intn, "int $0x80") SVM_CODE64(invd, "invd") SVM_CODE64(pause, "pause")
SVM_CODE64(hlt, "hlt") SVM_CODE64(invlpg, "invlpg (%rdx)") SVM_CODE64(invlpga, "invlpga %rax, %ecx")
SVM_CODE64(vmrun, "vmrun %rax") SVM_CODE64(vmload, "vmload %rax") SVM_CODE64(vmsave, "vmsave %rax")
SVM_CODE64(stgi, "stgi") SVM_CODE64(clgi, "clgi") SVM_CODE64(skinit, "skinit %eax") SVM_CODE64(rdtscp, "rdtscp")
SVM_CODE64(icebp, ".byte 0xF1") SVM_CODE64(wbinvd, "wbinvd") SVM_CODE64(monitor, "monitor")
SVM_CODE64(mwait, "mwait") SVM_CODE64(nop, "nop") SVM_CODE64(int3, "int3")
SVM_CODE64(armed, "monitor\nat_armed_mwait: mwait")
SVM_CODE64(disarmed, "monitor\nmovl $1, (%rax)\nmwait")
extern const char at_armed_mwait[];

struct row {
    const char *what;
    uint16_t code;              /* of the exit and of its intercept */
    uint16_t also;              /* another intercept that the instruction would meet */
    const char *at, *next;
    uint64_t rax, rcx, rdx;     /* before */
    void (*setup)(void);
    bool (*worked)(void);
    unsigned vector;            /* without the intercept the guest takes this vector, or 0 */
    unsigned end;               /* or leaves after the instruction with this code: 0 for VMMCALL */
};

static uint8_t scratch[64] __attribute__((aligned(64)));
static struct vmcb other __attribute__((aligned(4096)));

/* ---- What the instructions do ----------------------------------------------------------------------------------- */

static bool rdx_is_cr0(void) { return svm_registers.rdx == svm_vmcb.cr0; }
static bool rdx_is_cr2(void) { return svm_registers.rdx == 0xABCDE; }
static bool rdx_is_cr3(void) { return svm_registers.rdx == svm_vmcb.cr3; }
static bool rdx_is_cr4(void) { return svm_registers.rdx == svm_vmcb.cr4; }
static bool rdx_is_5(void) { return svm_registers.rdx == 5; }
static bool rdx_is_dr6(void) { return svm_registers.rdx == svm_vmcb.dr6; }
static bool rdx_is_dr7(void) { return svm_registers.rdx == svm_vmcb.dr7; }
static bool rdx_is_ldtr(void) { return svm_registers.rdx == SVM_LDT; }
static bool rdx_is_tr(void) { return svm_registers.rdx == SVM_TSS; }
static bool cr0_is_rdx(void) { return svm_vmcb.cr0 == svm_registers.rdx; }
static bool cr2_is_rdx(void) { return svm_vmcb.cr2 == svm_registers.rdx; }
static bool cr3_is_rdx(void) { return svm_vmcb.cr3 == svm_registers.rdx; }
static bool cr4_is_rdx(void) { return svm_vmcb.cr4 == svm_registers.rdx; }
static bool cr0_has_ts(void) { return svm_vmcb.cr0 & CR0_TS; }
static bool cr0_lacks_ts(void) { return !(svm_vmcb.cr0 & CR0_TS); }
static bool v_tpr_is_5(void) { return (svm_vmcb.v_intr & 0xFF) == 5; }
static bool dr6_is_rdx(void) { return svm_vmcb.dr6 == svm_registers.rdx; }
static bool dr7_is_rdx(void) { return svm_vmcb.dr7 == svm_registers.rdx; }
static bool idtr_is_loaded(void) { return svm_vmcb.idtr.base == 0x5000 && svm_vmcb.idtr.limit == 0x123; }
static bool gdtr_is_loaded(void) { return svm_vmcb.gdtr.base == 0x5000 && svm_vmcb.gdtr.limit == 0x123; }
static bool ldtr_is_loaded(void) { return svm_vmcb.ldtr.selector == SVM_LDT && svm_vmcb.ldtr.limit == 0x0F; }
static bool tr_is_loaded(void) { return svm_vmcb.tr.selector == SVM_FREE && svm_vmcb.tr.limit == 0x67; }
static bool tsc_has_offset(void) { return svm_registers.rdx >= 1u << 8; }
static bool rdx_is_counter(void) { return svm_registers.rdx < 1u << 16; }
static bool flags_are_pushed(void) { return svm_vmcb.rsp == SVM_STACK_TOP - 8 && svm_frame(0) == 2; }
static bool flags_are_popped(void) { return svm_vmcb.rsp == SVM_STACK_TOP + 8 && svm_vmcb.rflags == (2 | RFLAGS_CF); }
static bool cpuid_is_read(void) { return svm_registers.rbx == cpuid(0, 0).ebx; }
static bool returned(void) { return svm_vmcb.rsp == SVM_STACK_TOP && svm_vmcb.rflags == (2 | RFLAGS_CF); }
static bool int_is_a_call(void) { return svm_frame(0) == (uintptr_t)next_intn; }
static bool icebp_is_a_trap(void) { return svm_frame(0) == (uintptr_t)next_icebp; }
static bool kernel_gs_is_loaded(void) { return svm_vmcb.kernel_gs_base == 0x1234; }
static bool kernel_gs_is_saved(void) { return other.kernel_gs_base == 0x4321; }
static bool aux_is_read(void) { return svm_registers.rcx == 0x5A; }

static uint64_t host_dr(unsigned n)
{
    uint64_t value;

    switch (n) {
    case 0: __asm__ volatile("mov %%dr0, %0" : "=r"(value)); break;
    case 1: __asm__ volatile("mov %%dr1, %0" : "=r"(value)); break;
    case 2: __asm__ volatile("mov %%dr2, %0" : "=r"(value)); break;
    default: __asm__ volatile("mov %%dr3, %0" : "=r"(value)); break;
    }
    return value;
}

static void set_dr(void)
{
    __asm__ volatile("mov %0, %%dr0\nmov %1, %%dr1\nmov %2, %%dr2\nmov %3, %%dr3"
                     : : "r"(0x1000ull), "r"(0x1001ull), "r"(0x1002ull), "r"(0x1003ull));
}

/* DR0-DR3 have no place in the VMCB: guest and host share them. */
static bool rdx_is_dr0(void) { return svm_registers.rdx == 0x1000; }
static bool rdx_is_dr1(void) { return svm_registers.rdx == 0x1001; }
static bool rdx_is_dr2(void) { return svm_registers.rdx == 0x1002; }
static bool rdx_is_dr3(void) { return svm_registers.rdx == 0x1003; }
static bool dr0_is_rdx(void) { return host_dr(0) == svm_registers.rdx; }
static bool dr1_is_rdx(void) { return host_dr(1) == svm_registers.rdx; }
static bool dr2_is_rdx(void) { return host_dr(2) == svm_registers.rdx; }
static bool dr3_is_rdx(void) { return host_dr(3) == svm_registers.rdx; }

static bool stored(struct vmcb_segment table)
{
    return *(uint16_t *)scratch == table.limit && *(uint64_t *)(scratch + 2) == table.base;
}

static bool idtr_is_stored(void) { return stored(svm_vmcb.idtr); }
static bool gdtr_is_stored(void) { return stored(svm_vmcb.gdtr); }

/* ---- Before them ------------------------------------------------------------------------------------------------ */

static void set_cr2(void) { svm_vmcb.cr2 = 0xABCDE; }
static void rdx_cr0_ts(void) { svm_registers.rdx = svm_vmcb.cr0 ^ CR0_TS; }
static void rdx_cr0_ne(void) { svm_registers.rdx = svm_vmcb.cr0 ^ CR0_NE; }
static void rdx_cr0(void) { svm_registers.rdx = svm_vmcb.cr0; }
static void rdx_cr3(void) { svm_registers.rdx = svm_vmcb.cr3 | 8; }
static void rdx_cr4(void) { svm_registers.rdx = svm_vmcb.cr4 | 4; }
static void no_de(void) { svm_vmcb.cr4 &= ~(uint64_t)CR4_DE; }
static void set_ts(void) { svm_vmcb.cr0 |= CR0_TS; }
static void set_v_tpr(void) { svm_vmcb.v_intr = V_INTR_MASKING | 5; }
static void mask_v_intr(void) { svm_vmcb.v_intr = V_INTR_MASKING; }
static void set_ldtr(void) { svm_vmcb.ldtr.selector = SVM_LDT; }
static void set_offset(void) { svm_vmcb.tsc_offset = 1ull << 40; }
static void set_aux(void) { msr_write(MSR_TSC_AUX, 0x5A); }
static void push_flags(void) { *(uint64_t *)SVM_STACK_TOP = 2 | RFLAGS_CF; }
static void set_kernel_gs(void) { svm_vmcb.kernel_gs_base = 0x4321; }

static void set_table(void)
{
    *(uint16_t *)scratch = 0x123;
    *(uint64_t *)(scratch + 2) = 0x5000;
}

static void available_tss(void)
{
    svm_gdt[SVM_FREE / 8] = 0x0000890040000067;
    svm_gdt[SVM_FREE / 8 + 1] = 0;
}

static void push_frame(void)
{
    uint64_t *frame = (uint64_t *)(SVM_STACK_TOP - 40);

    svm_vmcb.rsp = (uintptr_t)frame;
    frame[0] = (uintptr_t)next_iret;
    frame[1] = SVM_CODE64;
    frame[2] = 2 | RFLAGS_CF;
    frame[3] = SVM_STACK_TOP;
    frame[4] = SVM_DATA;
}

/* The virtual interrupt cannot be taken under the shadow, which HLT ends: so HLT runs, and is woken at once. */
static void wake_hlt(void)
{
    svm_vmcb.rflags |= 0x200;
    svm_vmcb.interrupt_shadow = 1;
    svm_vmcb.v_intr = V_INTR_MASKING | 1u << 8 | 0xFu << 16;
}

static void other_world(void)
{
    other = svm_vmcb;
    other.kernel_gs_base = 0x1234;
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

#define CODE(name) .also = NONE, .at = at_##name, .next = next_##name
#define ALONE(name) .at = at_##name, .next = next_##name
#define SCRATCH ((uintptr_t)scratch)
static const struct row rows[] = {
    { "MOV from CR0", 0x000, CODE(read_cr0), .worked = rdx_is_cr0 },
    { "SMSW", 0x000, CODE(smsw), .worked = rdx_is_cr0 },
    { "MOV from CR2", 0x002, CODE(read_cr2), .setup = set_cr2, .worked = rdx_is_cr2 },
    { "MOV from CR3", 0x003, CODE(read_cr3), .worked = rdx_is_cr3 },
    { "MOV from CR4", 0x004, CODE(read_cr4), .worked = rdx_is_cr4 },
    { "MOV from CR8", 0x008, CODE(read_cr8), .setup = set_v_tpr, .worked = rdx_is_5 },
    { "MOV to CR0", 0x010, CODE(write_cr0), .setup = rdx_cr0_ts, .worked = cr0_is_rdx },
    { "LMSW", 0x010, .also = 0x065, ALONE(lmsw), .setup = rdx_cr0_ts, .worked = cr0_has_ts },
    { "CLTS", 0x010, CODE(clts), .setup = set_ts, .worked = cr0_lacks_ts },
    { "MOV to CR2", 0x012, CODE(write_cr2), .rdx = 0x1234, .worked = cr2_is_rdx },
    { "MOV to CR3", 0x013, CODE(write_cr3), .setup = rdx_cr3, .worked = cr3_is_rdx },
    { "MOV to CR4", 0x014, CODE(write_cr4), .setup = rdx_cr4, .worked = cr4_is_rdx },
    { "MOV to CR8", 0x018, CODE(write_cr8), .rdx = 5, .setup = mask_v_intr, .worked = v_tpr_is_5 },
    { "MOV from DR0", 0x020, CODE(read_dr0), .setup = set_dr, .worked = rdx_is_dr0 },
    { "MOV from DR1", 0x021, CODE(read_dr1), .setup = set_dr, .worked = rdx_is_dr1 },
    { "MOV from DR2", 0x022, CODE(read_dr2), .setup = set_dr, .worked = rdx_is_dr2 },
    { "MOV from DR3", 0x023, CODE(read_dr3), .setup = set_dr, .worked = rdx_is_dr3 },
    { "MOV from DR4", 0x024, CODE(read_dr4), .setup = no_de, .worked = rdx_is_dr6 },
    { "MOV from DR5", 0x025, CODE(read_dr5), .setup = no_de, .worked = rdx_is_dr7 },
    { "MOV from DR6", 0x026, CODE(read_dr6), .worked = rdx_is_dr6 },
    { "MOV from DR7", 0x027, CODE(read_dr7), .worked = rdx_is_dr7 },
    { "MOV to DR0", 0x030, CODE(write_dr0), .rdx = 0x7770, .worked = dr0_is_rdx },
    { "MOV to DR1", 0x031, CODE(write_dr1), .rdx = 0x7771, .worked = dr1_is_rdx },
    { "MOV to DR2", 0x032, CODE(write_dr2), .rdx = 0x7772, .worked = dr2_is_rdx },
    { "MOV to DR3", 0x033, CODE(write_dr3), .rdx = 0x7773, .worked = dr3_is_rdx },
    { "MOV to DR4", 0x034, CODE(write_dr4), .rdx = 0xFFFF0FF1, .setup = no_de, .worked = dr6_is_rdx },
    { "MOV to DR5", 0x035, CODE(write_dr5), .rdx = 0x500, .setup = no_de, .worked = dr7_is_rdx },
    { "MOV to DR6", 0x036, CODE(write_dr6), .rdx = 0xFFFF0FF1, .worked = dr6_is_rdx },
    { "MOV to DR7", 0x037, CODE(write_dr7), .rdx = 0x500, .worked = dr7_is_rdx },
    { "MOV to CR0, selective", 0x065, .also = 0x010, ALONE(write_cr0), .setup = rdx_cr0_ne, .worked = cr0_is_rdx },
    { "LMSW of the same value, selective", 0x065, .also = 0x010, ALONE(lmsw), .setup = rdx_cr0, .worked = cr0_is_rdx },
    { "SIDT", 0x066, CODE(sidt), .rdx = SCRATCH, .worked = idtr_is_stored },
    { "SGDT", 0x067, CODE(sgdt), .rdx = SCRATCH, .worked = gdtr_is_stored },
    { "SLDT", 0x068, CODE(sldt), .setup = set_ldtr, .worked = rdx_is_ldtr },
    { "STR", 0x069, CODE(str), .worked = rdx_is_tr },
    { "LIDT", 0x06A, CODE(lidt), .rdx = SCRATCH, .setup = set_table, .worked = idtr_is_loaded },
    { "LGDT", 0x06B, CODE(lgdt), .rdx = SCRATCH, .setup = set_table, .worked = gdtr_is_loaded },
    { "LLDT", 0x06C, CODE(lldt), .rdx = SVM_LDT, .worked = ldtr_is_loaded },
    { "LTR", 0x06D, CODE(ltr), .rdx = SVM_FREE, .setup = available_tss, .worked = tr_is_loaded },
    { "RDTSC", 0x06E, CODE(rdtsc), .setup = set_offset, .worked = tsc_has_offset },
    { "RDPMC", 0x06F, CODE(rdpmc), .rdx = ~0ull, .worked = rdx_is_counter },
    { "PUSHF", 0x070, CODE(pushf), .worked = flags_are_pushed },
    { "POPF", 0x071, CODE(popf), .setup = push_flags, .worked = flags_are_popped },
    { "CPUID", 0x072, CODE(cpuid), .worked = cpuid_is_read },
    { "RSM outside SMM", 0x073, CODE(rsm), .vector = EXC_UD },
    { "IRET", 0x074, CODE(iret), .setup = push_frame, .worked = returned },
    { "INTn", 0x075, CODE(intn), .worked = int_is_a_call, .vector = 0x80 },
    { "INVD", 0x076, CODE(invd) },
    { "PAUSE", 0x077, CODE(pause) },
    { "HLT", 0x078, CODE(hlt), .setup = wake_hlt, .end = VMEXIT_VINTR },
    { "INVLPG", 0x079, CODE(invlpg), .rdx = SCRATCH },
    { "INVLPGA", 0x07A, CODE(invlpga), .rax = SCRATCH, .rcx = 1 },
    { "VMLOAD", 0x082, CODE(vmload), .rax = (uintptr_t)&other, .setup = other_world, .worked = kernel_gs_is_loaded },
    { "VMSAVE", 0x083, CODE(vmsave), .rax = (uintptr_t)&other, .setup = set_kernel_gs, .worked = kernel_gs_is_saved },
    { "STGI", 0x084, CODE(stgi) },
    { "CLGI", 0x085, CODE(clgi) },
    { "RDTSCP", 0x087, CODE(rdtscp), .setup = set_aux, .worked = aux_is_read },
    { "ICEBP", 0x088, CODE(icebp), .worked = icebp_is_a_trap, .vector = EXC_DB },
    { "WBINVD", 0x089, CODE(wbinvd) },
    { "MWAIT without MONITOR", 0x08B, CODE(mwait) },
    { "MONITOR", 0x08A, CODE(monitor), .rax = SCRATCH },
};

static void prepare(const struct row *row)
{
    svm_prepare(row->next);
    svm_vmcb.rax = row->rax;
    svm_registers.rcx = row->rcx;
    svm_registers.rdx = row->rdx;
    if (row->setup)
        row->setup();
}

static bool has_nrip(void)
{
    return cpuid(0x8000000A, 0).edx & CPUID_EDX_NRIPS;
}

static void exits(const struct row *row)
{
    static uint8_t before[SAVE_BYTES];
    struct svm_registers registers;
    uint8_t *save = (uint8_t *)&svm_vmcb + SAVE_AREA;
    uint64_t code;

    prepare(row);
    svm_run(); /* the VMMCALL after it: from here on the fields are as #VMEXIT writes them */
    svm_vmcb.rip = (uintptr_t)row->at;
    memcpy(before, save, SAVE_BYTES);
    registers = svm_registers;
    svm_intercept(row->code, true);
    svm_vmcb.nrip = STALE;
    code = svm_run();
    check_format(code == row->code, "%s exits with code %03x", row->what, row->code);
    if (code != row->code)
        guest_print("# got %llx at %llx", (unsigned long long)code, (unsigned long long)svm_vmcb.rip);
    check_format(svm_vmcb.rip == (uintptr_t)row->at && memcmp(before, save, SAVE_BYTES) == 0,
                 "%s: saved rIP is its own, the save area is as before", row->what);
    check_format(memcmp(&registers, &svm_registers, sizeof(registers)) == 0 && svm_vmcb.exitintinfo == 0,
                 "%s: so are the registers; EXITINTINFO is 0", row->what);
    if (has_nrip())
        check_format(svm_vmcb.nrip == (uintptr_t)row->next, "%s: nRIP is the next instruction", row->what);
}

static void works(const struct row *row)
{
    uint64_t code, rip, end = row->end ? row->end : VMEXIT_VMMCALL;

    prepare(row);
    svm_intercept_all();
    svm_intercept_exceptions(0);
    svm_intercept(row->code, false);
    if (row->also != NONE)
        svm_intercept(row->also, false);
    svm_vmcb.rip = (uintptr_t)row->at;
    code = svm_run();
    rip = row->vector ? svm_vector(row->vector) : (uintptr_t)row->next;
    check_format(code == end && svm_vmcb.rip == rip, "%s does not exit without its intercept", row->what);
    if (code != end || svm_vmcb.rip != rip)
        guest_print("# got %llx at %llx, instruction at %lx", (unsigned long long)code,
                    (unsigned long long)svm_vmcb.rip, (unsigned long)row->at);
    if (row->worked)
        check_format(row->worked(), "%s: it does its work", row->what);
}

/* ---- Rows with rules of their own ------------------------------------------------------------------------------- */

static void control_registers(void)
{
    svm_prepare(at_write_cr0);
    svm_intercept(0x010, true);
    svm_intercept(0x065, true);
    rdx_cr0_ne();
    check_equal(svm_run(), 0x010, "with both intercepts of CR0 writes set, the plain one wins");
    svm_prepare(at_read_cr1);
    svm_intercept(0x001, true);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_UD),
          "CR1 does not exist: #UD before its read intercept");
    svm_prepare(at_read_dr4);
    svm_intercept(0x024, true);
    svm_vmcb.cr4 |= CR4_DE;
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_UD),
          "nor does DR4 with CR4.DE: #UD before its read intercept");
}

static void own_instructions(void)
{
    svm_prepare(at_vmrun);
    svm_vmcb.rax = (uintptr_t)&other;
    check(svm_run() == VMEXIT_VMRUN && svm_vmcb.rip == (uintptr_t)at_vmrun, "VMRUN exits with code 080");
    svm_prepare(at_vmrun);
    svm_intercept(VMEXIT_VMRUN, false);
    check_equal(svm_run(), VMEXIT_INVALID, "it cannot be left unintercepted: VMRUN refuses that guest");
    svm_prepare(next_nop);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == (uintptr_t)next_nop, "VMMCALL exits with code 081");
    svm_prepare(next_nop);
    svm_intercept(VMEXIT_VMMCALL, false);
    svm_intercept_exceptions(1u << EXC_UD);
    check(svm_run() == VMEXIT_EXCEPTION + EXC_UD && svm_vmcb.rip == (uintptr_t)next_nop,
          "without its intercept it is #UD");
    svm_prepare(at_skinit);
    svm_intercept(VMEXIT_SKINIT, true);
    if (cpuid(0x80000001, 0).ecx & CPUID_ECX_SKINIT) {
        check_equal(svm_run(), VMEXIT_SKINIT, "SKINIT exits with code 086");
        return;
    }
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_UD),
          "SKINIT, which this revision lacks, is #UD before its intercept");
}

static void mwait_armed(void)
{
    svm_prepare(at_armed);
    svm_vmcb.rax = SCRATCH;
    svm_intercept(0x08C, true);
    svm_intercept(0x08B, true);
    check(svm_run() == 0x08C && svm_vmcb.rip == (uintptr_t)at_armed_mwait,
          "MWAIT after MONITOR exits with code 08C, before 08B is looked at");
    svm_prepare(at_disarmed);
    svm_vmcb.rax = SCRATCH;
    svm_intercept(0x08C, true);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == (uintptr_t)next_disarmed,
          "a store to the line disarms it: no exit, no wait");
}

/* APM2 15.7.1: besides instructions' exits, those of #BP, #OF and #BR have it; all others write 0. */
static void next_rip(void)
{
    if (!has_nrip()) {
        check_skip("nRIP", "this processor does not save it");
        return;
    }
    svm_prepare(next_nop);
    svm_vmcb.nrip = STALE;
    svm_run();
    check_equal(svm_vmcb.nrip, (uintptr_t)next_nop + 3, "VMMCALL: nRIP is the next instruction");
    svm_prepare(at_int3);
    svm_intercept_exceptions(1u << EXC_BP);
    svm_vmcb.nrip = STALE;
    check(svm_run() == VMEXIT_EXCEPTION + EXC_BP && svm_vmcb.rip == (uintptr_t)at_int3 &&
          svm_vmcb.nrip == (uintptr_t)next_int3, "#BP of INT3: rIP is its own, nRIP the next");
    svm_prepare(at_rsm);
    svm_intercept_exceptions(1u << EXC_UD);
    svm_vmcb.nrip = STALE;
    check(svm_run() == VMEXIT_EXCEPTION + EXC_UD && svm_vmcb.nrip == 0, "#UD: nRIP is 0");
    svm_prepare(at_hlt);
    wake_hlt();
    svm_intercept(VMEXIT_VINTR, true);
    svm_vmcb.nrip = STALE;
    check(svm_run() == VMEXIT_VINTR && svm_vmcb.nrip == 0, "a virtual interrupt: nRIP is 0");
}

void guest_main(void)
{
    svm_begin();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        exits(&rows[i]);
        works(&rows[i]);
    }
    control_registers();
    own_instructions();
    mwait_armed();
    next_rip();
    check_end();
}
