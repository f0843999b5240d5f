/* SPDX-License-Identifier: MIT */
/*
 * Instructions of a guest's kernel that want CPL 0, which it has not: they come as #GP with error code 0. What is not
 * here stays #GP.
 */
#include "hv/vm/pv_guest.h"

#include "hv/abi/pv32.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/shared_info.h"
#include "hv/x86/cpu.h"

#define MSR_TSC 0x10
#define MSR_PATCH_LEVEL 0x8B
#define CR0_PV 0x80050033ull /* PG, AM, WP, NE, ET, MP, PE */
#define CR0_TS 8ull
#define CR4_OF_HV 0x6A0ull   /* PAE, PGE (hv's), OSFXSR, OSXMMEXCPT */
#define CR4_GUEST 0x60Cull   /* TSD, DE, OSFXSR, OSXMMEXCPT: what a kernel may set; hv notes it */
#define PREFIX_OPERAND 0x66

struct privileged {
    uint8_t bytes[INSTRUCTION_MAX];
    unsigned count, at; /* at: behind prefixes and opcode */
    bool operand16;
    bool narrow; /* 40h-4Fh are instructions */
    uint8_t rex;
    uint8_t opcode;
    bool two_bytes;
};

/* By the number in ModRM and REX.B. */
static uint64_t *gpr(struct pv_vcpu *pv, unsigned number)
{
    struct trap_frame *f = &pv->frame;
    uint64_t *const registers[16] = { &f->rax, &f->rcx, &f->rdx, &f->rbx, &f->rsp, &f->rbp, &f->rsi, &f->rdi,
                                      &f->r8, &f->r9, &f->r10, &f->r11, &f->r12, &f->r13, &f->r14, &f->r15 };

    return registers[number];
}

static unsigned fetch(struct pv_vcpu *pv, uint8_t bytes[INSTRUCTION_MAX])
{
    for (unsigned count = INSTRUCTION_MAX; count > 0; count--) /* less where the next page cannot be read */
        if (pv_copy_in(pv, bytes, pv->frame.rip, count))
            return count;
    return 0;
}

static bool decode(struct privileged *p)
{
    while (p->at < p->count) {
        uint8_t byte = p->bytes[p->at++];

        if (byte == PREFIX_OPERAND)
            p->operand16 = true;
        else if (byte == 0xF2 || byte == 0xF3 || byte == 0x2E || byte == 0x3E || byte == 0x67)
            p->rex = 0;
        else if ((byte & 0xF0) == 0x40 && !p->narrow)
            p->rex = byte;
        else if (byte == 0x0F && !p->two_bytes)
            p->two_bytes = true;
        else {
            p->opcode = byte;
            return true;
        }
    }
    return false;
}

/* ---- Registers ------------------------------------------------------------------------------------------- */

static bool read_cr(struct vcpu *vcpu, unsigned number, uint64_t *value)
{
    struct pv_vcpu *pv = vcpu->pv;

    switch (number) {
    case 0:
        *value = CR0_PV | (pv->ts ? CR0_TS : 0);
        return true;
    case 2:
        *value = pv->guest->types.narrow ? ((struct vcpu_info_32 *)shared_info_vcpu(vcpu))->arch_cr2
                                         : ((struct vcpu_info_64 *)shared_info_vcpu(vcpu))->arch_cr2;
        return true;
    case 3:
        *value = pv->guest->types.narrow ? pv->narrow_root * PAGE_SIZE : pv->kernel_root;
        return true;
    case 4:
        *value = CR4_OF_HV | pv->cr4;
        return true;
    default:
        return false;
    }
}

static bool write_cr(struct vcpu *vcpu, unsigned number, uint64_t value)
{
    struct pv_vcpu *pv = vcpu->pv;
    int64_t error;

    switch (number) {
    case 0:
        if ((value ^ CR0_PV) & ~(uint64_t)CR0_TS)
            return false;
        pv->ts = value & CR0_TS;
        return true;
    case 2:
        if (pv->guest->types.narrow)
            ((struct vcpu_info_32 *)shared_info_vcpu(vcpu))->arch_cr2 = (uint32_t)value;
        else
            ((struct vcpu_info_64 *)shared_info_vcpu(vcpu))->arch_cr2 = value;
        return true;
    case 3:
        lock_acquire(&pv->guest->lock);
        error = pv_set_root(pv, true, value / PAGE_SIZE);
        lock_release(&pv->guest->lock);
        return !error;
    case 4:
        if ((value ^ CR4_OF_HV) & ~CR4_GUEST)
            return false;
        pv->cr4 = value & CR4_GUEST;
        return true;
    default:
        return false;
    }
}

static bool read_msr(const struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    const struct pv_vcpu *pv = vcpu->pv;

    switch (msr) {
    case MSR_FS_BASE:
        *value = pv->fs_base;
        return true;
    case MSR_GS_BASE:
        *value = pv->gs_base;
        return true;
    case MSR_KERNEL_GS_BASE:
        *value = pv->other_gs_base;
        return true;
    case MSR_EFER:
        *value = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
        return true;
    case MSR_TSC:
        *value = tsc_read();
        return true;
    case MSR_PATCH_LEVEL:
        *value = msr_read(msr);
        return true;
    default:
        return false;
    }
}

static bool write_msr(const struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_FS_BASE:
        return !pv_set_segment_base(vcpu->pv, SEGBASE_FS, value);
    case MSR_GS_BASE:
        return !pv_set_segment_base(vcpu->pv, SEGBASE_GS_KERNEL, value);
    case MSR_KERNEL_GS_BASE:
        return !pv_set_segment_base(vcpu->pv, SEGBASE_GS_USER, value);
    case MSR_EFER: /* as it is, and no other */
        return value == (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    default:
        return false;
    }
}

/* ---- Instructions ---------------------------------------------------------------------------------------- */

static bool move_register(struct vcpu *vcpu, struct privileged *p)
{
    uint8_t modrm;
    unsigned number;
    uint64_t *general;

    if (p->at >= p->count)
        return false;
    modrm = p->bytes[p->at++]; /* the mode field means nothing to these */
    number = (modrm >> 3 & 7u) | (p->rex & 4u) << 1;
    general = gpr(vcpu->pv, (modrm & 7u) | (p->rex & 1u) << 3);
    switch (p->opcode) {
    case 0x20:
        return read_cr(vcpu, number, general);
    case 0x22:
        return write_cr(vcpu, number, *general);
    case 0x21:
        *general = pv_get_debug(vcpu->pv, number);
        return number < 8;
    default:
        return !pv_set_debug(vcpu->pv, number, *general);
    }
}

static bool read_to_edx_eax(struct vcpu *vcpu)
{
    struct trap_frame *f = &vcpu->pv->frame;
    uint64_t value;

    if (!read_msr(vcpu, (uint32_t)f->rcx, &value))
        return false;
    f->rax = (uint32_t)value;
    f->rdx = value >> 32;
    return true;
}

/* Ports: none is any guest's. With the I/O privilege that it asked for it reads ones and writes nowhere. */
static bool access_port(struct vcpu *vcpu, struct privileged *p)
{
    static const uint64_t ones[] = { 0xFF, 0xFFFF, 0xFFFFFFFF };
    bool in = !(p->opcode & 2), immediate = p->opcode < 0xE8;
    unsigned size = !(p->opcode & 1) ? 0 : p->operand16 ? 1 : 2;
    uint64_t *rax = &vcpu->pv->frame.rax;

    if (vcpu->pv->iopl < (vcpu->pv->kernel ? 1u : 3u))
        return false;
    p->at += immediate;
    if (in)
        *rax = size == 2 ? ones[2] : (*rax & ~ones[size]) | ones[size];
    return p->at <= p->count;
}

static bool two_byte(struct vcpu *vcpu, struct privileged *p)
{
    const struct trap_frame *f = &vcpu->pv->frame;

    switch (p->opcode) {
    case 0x06: /* CLTS */
        vcpu->pv->ts = false;
        return true;
    case 0x08: /* INVD, WBINVD: the caches are the machine's */
    case 0x09:
        return true;
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23:
        return move_register(vcpu, p);
    case 0x30:
        return write_msr(vcpu, (uint32_t)f->rcx, f->rdx << 32 | (uint32_t)f->rax);
    case 0x32:
        return read_to_edx_eax(vcpu);
    default:
        return false;
    }
}

static bool one_byte(struct vcpu *vcpu, struct privileged *p, enum exit_result *result)
{
    switch (p->opcode) {
    case 0xF4: /* HLT, as sched_op block */
        ((struct vcpu_info_64 *)shared_info_vcpu(vcpu))->evtchn_upcall_mask = 0;
        *result = event_is_due(vcpu) ? EXIT_RESUME : EXIT_BLOCK;
        return true;
    case 0xFA: /* CLI and STI: the guest's interrupt flag is the events' mask */
    case 0xFB:
        return vcpu->pv->iopl >= 1;
    default:
        return false;
    }
}

/* Elsewhere addresses and sizes may be others: hv does not look. */
static uint64_t flat_code(const struct pv_vcpu *pv)
{
    if (!pv->guest->types.narrow)
        return PV_FLAT_CS64;
    return pv->kernel ? PV32_KERNEL_CS : PV32_USER_CS;
}

bool pv_emulate(struct vcpu *vcpu, enum exit_result *result)
{
    struct privileged p = { 0 };
    bool port, ok;

    p.count = fetch(vcpu->pv, p.bytes);
    *result = EXIT_RESUME;
    p.narrow = vcpu->pv->guest->types.narrow;
    if (vcpu->pv->frame.cs != flat_code(vcpu->pv) || !decode(&p))
        return false;
    port = !p.two_bytes && ((p.opcode & 0xFC) == 0xE4 || (p.opcode & 0xFC) == 0xEC);
    if (port)
        ok = access_port(vcpu, &p);
    else if (!vcpu->pv->kernel)
        ok = false;
    else
        ok = p.two_bytes ? two_byte(vcpu, &p) : one_byte(vcpu, &p, result);
    if (ok)
        vcpu->pv->frame.rip += p.at;
    return ok;
}

bool pv_forced_cpuid(struct vcpu *vcpu)
{
    static const uint8_t wanted[] = { 0x0F, 0x0B, 'x', 'e', 'n', 0x0F, 0xA2 };
    struct trap_frame *f = &vcpu->pv->frame;
    uint8_t bytes[sizeof(wanted)];
    struct cpuid_result r;

    if (!pv_copy_in(vcpu->pv, bytes, f->rip, sizeof(bytes)) || memcmp(bytes, wanted, sizeof(wanted)) != 0)
        return false;
    r = exit_cpuid(vcpu, (uint32_t)f->rax, (uint32_t)f->rcx);
    f->rax = r.eax;
    f->rbx = r.ebx;
    f->rcx = r.ecx;
    f->rdx = r.edx;
    f->rip += sizeof(wanted);
    return true;
}
