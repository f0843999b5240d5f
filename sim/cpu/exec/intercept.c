/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/intercept.h"

#include "sim/spa.h"

#include "sim/cpu/core_counters.h"
#include "sim/cpu/exec/memory.h"

/* ---- Permission maps ------------------------------------------------------------------------------- */

/* The MSRPM's three ranges of 2000h MSRs, two bits each: read, then write (APM2 15.11). */
static const struct {
    uint32_t first;
    uint32_t byte_offset;
} msrpm_range[] = {
    { 0x00000000, 0x0000 },
    { 0xC0000000, 0x0800 },
    { 0xC0010000, 0x1000 },
};
#define MSRPM_RANGE_MSRS 0x2000u

bool svm_msr_intercepted(struct core *core, uint32_t msr, bool write)
{
    if (!intercepts(core, VMEXIT_MSR))
        return false;
    for (size_t i = 0; i < sizeof(msrpm_range) / sizeof(msrpm_range[0]); i++) {
        uint32_t n = msr - msrpm_range[i].first;

        if (n < MSRPM_RANGE_MSRS) {
            uint32_t position = n * 2 + write;
            spa_t byte = core->svm.msrpm + msrpm_range[i].byte_offset + position / 8;

            memory_meet(core, byte, 1, MEMORY_READ); /* the caller asks whether it is to fault */
            return bit(spa_read(core->space, byte, 1), position % 8);
        }
    }
    return true; /* outside every range: always, while MSR_PROT is set */
}

bool svm_io_intercepted(struct core *core, uint16_t port, unsigned size)
{
    uint64_t map;

    if (!intercepts(core, VMEXIT_IOIO))
        return false;
    memory_meet(core, core->svm.iopm + port / 8, 2, MEMORY_READ);
    /* An access at FFFFh runs on into bits 10000h-10002h, in the map's third page: no wrap to port 0. */
    map = spa_read(core->space, core->svm.iopm + port / 8, 1) |
          spa_read(core->space, core->svm.iopm + port / 8 + 1, 1) << 8;
    return (map >> port % 8 & bits_mask(size - 1, 0)) != 0;
}

uint64_t svm_ioio_info(uint16_t port, unsigned size, unsigned address_size, bool in, bool string, bool rep)
{
    uint64_t info = bits_put(0, IOIO_PORT, port);

    info = bit_put(info, IOIO_TYPE_IN, in);
    info = bit_put(info, IOIO_STR, string);
    info = bit_put(info, IOIO_REP, rep);
    /* Sizes 1, 2, 4 are bits 4, 5, 6; address sizes 2, 4, 8 are bits 7, 8, 9. */
    return info | (uint64_t)size << IOIO_SZ8 | (uint64_t)(address_size / 2) << IOIO_A16;
}

/* ---- Single intercepts with rules of their own -------------------------------------------------------- */

bool svm_cr0_write_intercepted(const struct core *core, uint64_t value, enum cr0_writer writer, uint64_t *code)
{
    bool selective = writer == CR0_BY_LMSW || /* whether or not anything changes */
                     (writer == CR0_BY_MOV && ((core->cr0 ^ value) & ~(CR0_TS | CR0_MP)) != 0);

    if (intercepts(core, VMEXIT_CR0_WRITE)) {
        *code = VMEXIT_CR0_WRITE; /* wins when both are set */
        return true;
    }
    *code = VMEXIT_CR0_SEL_WRITE;
    return selective && intercepts(core, VMEXIT_CR0_SEL_WRITE);
}

bool svm_exception_intercepted(const struct core *core, const struct event *event)
{
    if (event->kind != EVENT_EXCEPTION || event->icebp || event->vector > 31)
        return false;
    if (event->vector == EXC_NMI || event->vector == 9)
        return false;
    return intercepts(core, VMEXIT_EXCP0 + event->vector);
}

/* ---- Names ---------------------------------------------------------------------------------------------- */

const char *const vmexit_names[VMEXIT_KINDS] = {
    "VMEXIT_CR0_READ", "VMEXIT_CR1_READ", "VMEXIT_CR2_READ", "VMEXIT_CR3_READ",
    "VMEXIT_CR4_READ", "VMEXIT_CR5_READ", "VMEXIT_CR6_READ", "VMEXIT_CR7_READ",
    "VMEXIT_CR8_READ", "VMEXIT_CR9_READ", "VMEXIT_CR10_READ", "VMEXIT_CR11_READ",
    "VMEXIT_CR12_READ", "VMEXIT_CR13_READ", "VMEXIT_CR14_READ", "VMEXIT_CR15_READ",
    "VMEXIT_CR0_WRITE", "VMEXIT_CR1_WRITE", "VMEXIT_CR2_WRITE", "VMEXIT_CR3_WRITE",
    "VMEXIT_CR4_WRITE", "VMEXIT_CR5_WRITE", "VMEXIT_CR6_WRITE", "VMEXIT_CR7_WRITE",
    "VMEXIT_CR8_WRITE", "VMEXIT_CR9_WRITE", "VMEXIT_CR10_WRITE", "VMEXIT_CR11_WRITE",
    "VMEXIT_CR12_WRITE", "VMEXIT_CR13_WRITE", "VMEXIT_CR14_WRITE", "VMEXIT_CR15_WRITE",
    "VMEXIT_DR0_READ", "VMEXIT_DR1_READ", "VMEXIT_DR2_READ", "VMEXIT_DR3_READ",
    "VMEXIT_DR4_READ", "VMEXIT_DR5_READ", "VMEXIT_DR6_READ", "VMEXIT_DR7_READ",
    "VMEXIT_DR8_READ", "VMEXIT_DR9_READ", "VMEXIT_DR10_READ", "VMEXIT_DR11_READ",
    "VMEXIT_DR12_READ", "VMEXIT_DR13_READ", "VMEXIT_DR14_READ", "VMEXIT_DR15_READ",
    "VMEXIT_DR0_WRITE", "VMEXIT_DR1_WRITE", "VMEXIT_DR2_WRITE", "VMEXIT_DR3_WRITE",
    "VMEXIT_DR4_WRITE", "VMEXIT_DR5_WRITE", "VMEXIT_DR6_WRITE", "VMEXIT_DR7_WRITE",
    "VMEXIT_DR8_WRITE", "VMEXIT_DR9_WRITE", "VMEXIT_DR10_WRITE", "VMEXIT_DR11_WRITE",
    "VMEXIT_DR12_WRITE", "VMEXIT_DR13_WRITE", "VMEXIT_DR14_WRITE", "VMEXIT_DR15_WRITE",
    "VMEXIT_EXCP_DE", "VMEXIT_EXCP_DB", "VMEXIT_EXCP2", "VMEXIT_EXCP_BP",
    "VMEXIT_EXCP_OF", "VMEXIT_EXCP_BR", "VMEXIT_EXCP_UD", "VMEXIT_EXCP_NM",
    "VMEXIT_EXCP_DF", "VMEXIT_EXCP9", "VMEXIT_EXCP_TS", "VMEXIT_EXCP_NP",
    "VMEXIT_EXCP_SS", "VMEXIT_EXCP_GP", "VMEXIT_EXCP_PF", "VMEXIT_EXCP15",
    "VMEXIT_EXCP_MF", "VMEXIT_EXCP_AC", "VMEXIT_EXCP_MC", "VMEXIT_EXCP_XF",
    "VMEXIT_EXCP20", "VMEXIT_EXCP21", "VMEXIT_EXCP22", "VMEXIT_EXCP23",
    "VMEXIT_EXCP24", "VMEXIT_EXCP25", "VMEXIT_EXCP26", "VMEXIT_EXCP27",
    "VMEXIT_EXCP28", "VMEXIT_EXCP29", "VMEXIT_EXCP_SX", "VMEXIT_EXCP31",
    [VMEXIT_INTR] = "VMEXIT_INTR",
    [VMEXIT_NMI] = "VMEXIT_NMI",
    [VMEXIT_SMI] = "VMEXIT_SMI",
    [VMEXIT_INIT] = "VMEXIT_INIT",
    [VMEXIT_VINTR] = "VMEXIT_VINTR",
    [VMEXIT_CR0_SEL_WRITE] = "VMEXIT_CR0_SEL_WRITE",
    [VMEXIT_IDTR_READ] = "VMEXIT_IDTR_READ",
    [VMEXIT_GDTR_READ] = "VMEXIT_GDTR_READ",
    [VMEXIT_LDTR_READ] = "VMEXIT_LDTR_READ",
    [VMEXIT_TR_READ] = "VMEXIT_TR_READ",
    [VMEXIT_IDTR_WRITE] = "VMEXIT_IDTR_WRITE",
    [VMEXIT_GDTR_WRITE] = "VMEXIT_GDTR_WRITE",
    [VMEXIT_LDTR_WRITE] = "VMEXIT_LDTR_WRITE",
    [VMEXIT_TR_WRITE] = "VMEXIT_TR_WRITE",
    [VMEXIT_RDTSC] = "VMEXIT_RDTSC",
    [VMEXIT_RDPMC] = "VMEXIT_RDPMC",
    [VMEXIT_PUSHF] = "VMEXIT_PUSHF",
    [VMEXIT_POPF] = "VMEXIT_POPF",
    [VMEXIT_CPUID] = "VMEXIT_CPUID",
    [VMEXIT_RSM] = "VMEXIT_RSM",
    [VMEXIT_IRET] = "VMEXIT_IRET",
    [VMEXIT_SWINT] = "VMEXIT_SWINT",
    [VMEXIT_INVD] = "VMEXIT_INVD",
    [VMEXIT_PAUSE] = "VMEXIT_PAUSE",
    [VMEXIT_HLT] = "VMEXIT_HLT",
    [VMEXIT_INVLPG] = "VMEXIT_INVLPG",
    [VMEXIT_INVLPGA] = "VMEXIT_INVLPGA",
    [VMEXIT_IOIO] = "VMEXIT_IOIO",
    [VMEXIT_MSR] = "VMEXIT_MSR",
    [VMEXIT_TASK_SWITCH] = "VMEXIT_TASK_SWITCH",
    [VMEXIT_FERR_FREEZE] = "VMEXIT_FERR_FREEZE",
    [VMEXIT_SHUTDOWN] = "VMEXIT_SHUTDOWN",
    [VMEXIT_VMRUN] = "VMEXIT_VMRUN",
    [VMEXIT_VMMCALL] = "VMEXIT_VMMCALL",
    [VMEXIT_VMLOAD] = "VMEXIT_VMLOAD",
    [VMEXIT_VMSAVE] = "VMEXIT_VMSAVE",
    [VMEXIT_STGI] = "VMEXIT_STGI",
    [VMEXIT_CLGI] = "VMEXIT_CLGI",
    [VMEXIT_SKINIT] = "VMEXIT_SKINIT",
    [VMEXIT_RDTSCP] = "VMEXIT_RDTSCP",
    [VMEXIT_ICEBP] = "VMEXIT_ICEBP",
    [VMEXIT_WBINVD] = "VMEXIT_WBINVD",
    [VMEXIT_MONITOR] = "VMEXIT_MONITOR",
    [VMEXIT_MWAIT] = "VMEXIT_MWAIT",
    [VMEXIT_MWAIT_CONDITIONAL] = "VMEXIT_MWAIT_CONDITIONAL",
    [VMEXIT_KINDS - 2] = "VMEXIT_NPF",
    [VMEXIT_KINDS - 1] = "VMEXIT_INVALID",
};

unsigned vmexit_kind(uint64_t code)
{
    if (code == VMEXIT_INVALID)
        return VMEXIT_KINDS - 1;
    if (code == VMEXIT_NPF)
        return VMEXIT_KINDS - 2;
    return code <= VMEXIT_MWAIT_CONDITIONAL ? (unsigned)code : VMEXIT_KINDS;
}

const char *vmexit_name(uint64_t code)
{
    unsigned kind = vmexit_kind(code);

    return kind < VMEXIT_KINDS ? vmexit_names[kind] : NULL;
}

/* ---- CR8 ---------------------------------------------------------------------------------------------- */

void cr8_count(struct core *core, bool write)
{
    unsigned of = !core->svm.guest ? 0 : core->svm.v_intr_masking ? 1 : 2;

    core->count->cr8[write][of]++;
}

void cr8_write_begins(struct core *core)
{
    if (!core->svm.guest)
        return;
    core->svm.cr8_valid = true;
    core->svm.cr8_vmcb = core->svm.vmcb;
    core->svm.cr8_next_rip = core->next_rip;
    core->svm.cr8_before = (uint8_t)cr8_read(core);
}

void cr8_interrupt_arrives(struct core *core, uint8_t vector)
{
    struct svm_core *svm = &core->svm;

    if (!svm->guest || !svm->cr8_valid || svm->cr8_vmcb != svm->vmcb || svm->cr8_next_rip != core->rip)
        return;
    if (vector >> 4 > svm->cr8_before || vector >> 4 <= cr8_read(core))
        return;
    core->count->cr8_unmasked++;
    svm->cr8_valid = false; /* one delivery cut off and made again is one */
}
