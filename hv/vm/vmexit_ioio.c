/* SPDX-License-Identifier: MIT */
/* The guest's I/O space: its devices (hv/vdev), and two ports that are ours: E9h, a console, and F4h, the end. */
#include "hv/vm/exits.h"

#include "hv/vm/prefixes.h"
#include "hv/vm/devices.h"
#include "hv/vm/hypercall.h"

#define DEBUG_CONSOLE 0xE9
#define DEBUG_EXIT 0xF4
#define GPR_RCX 1
#define GPR_RSI 6
#define GPR_RDI 7
#define RFLAGS_DF (1u << 10)
#define PF_WRITE 2u
#define PF_USER 4u
#define STRING_STEPS 64 /* of a REP in one exit; the rest comes again, interrupts between */

static unsigned access_size(uint64_t info)
{
    return info & IOIO_SZ8 ? 1 : info & IOIO_SZ16 ? 2 : 4;
}

static uint32_t io_read(struct vcpu *vcpu, unsigned port, unsigned size)
{
    if (port == DEBUG_CONSOLE)
        return 0xFFFFFF00 | DEBUG_CONSOLE; /* a read tells that the port is there */
    return devices_port_read(vcpu, port, size);
}

static void io_write(struct vcpu *vcpu, unsigned port, unsigned size, uint32_t value)
{
    if (port == DEBUG_CONSOLE)
        guest_console_put(vcpu->guest, (char)value);
    else if (port == DEBUG_EXIT)
        guest_finish(vcpu->guest, value ? GUEST_CRASHED : GUEST_FINISHED, value);
    else
        devices_port_write(vcpu, port, size, value);
}

static enum exit_result result_of(const struct vcpu *vcpu)
{
    return vcpu->guest->outcome == GUEST_RUNS ? EXIT_RESUME : EXIT_GUEST_OVER;
}

enum exit_result vmexit_ioio(struct vcpu *vcpu)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;
    uint64_t info = vmcb->exitinfo1;
    unsigned port = info >> 16 & 0xFFFF, size = access_size(info);
    uint64_t mask = UINT32_MAX >> (32 - size * 8);

    if (info & IOIO_STR)
        return vmexit_ioio_string(vcpu);
    if (info & IOIO_TYPE_IN) {
        uint64_t value = io_read(vcpu, port, size) & mask;

        /* A 32-bit IN clears RAX[63:32], smaller ones keep the rest. */
        svm_set_rax(&vcpu->svm, size == 4 ? value : (vmcb->rax & ~mask) | value);
    } else {
        io_write(vcpu, port, size, (uint32_t)(vmcb->rax & mask));
    }
    svm_set_rip(&vcpu->svm, vmcb->exitinfo2);
    return result_of(vcpu);
}

/* ---- INS and OUTS ---------------------------------------------------------------------------------------- */

/* OUTS reads DS unless a prefix says otherwise; Family 10h does not report it, so the bytes tell. INS writes ES. */
static const struct vmcb_segment *string_segment(struct vcpu *vcpu, bool in)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;
    const struct vmcb_segment *segments[] = { &vmcb->es, &vmcb->cs, &vmcb->ss, &vmcb->ds, &vmcb->fs, &vmcb->gs };
    uint8_t bytes[INSTRUCTION_MAX];
    struct prefixes prefixes;

    if (in)
        return &vmcb->es;
    prefixes_skip(bytes, exit_fetch(vcpu, bytes), svm_guest_in_64bit(&vcpu->svm), &prefixes);
    return segments[prefixes.segment == PREFIX_NO_SEGMENT ? PREFIX_DS : prefixes.segment];
}

/* 64-bit mode: only FS and GS have a base (APM2 4.5.3). */
static uint64_t linear_of(const struct vcpu *vcpu, const struct vmcb_segment *segment, uint64_t offset)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;

    if (!svm_guest_in_64bit(&vcpu->svm))
        return (uint32_t)(segment->base + offset);
    return segment == &vmcb->fs || segment == &vmcb->gs ? segment->base + offset : offset;
}

static uint64_t address_mask(uint64_t info)
{
    return info & IOIO_A16 ? 0xFFFF : info & IOIO_A32 ? UINT32_MAX : UINT64_MAX;
}

/* As a register write of the address size: 32 bits clear the upper half, 16 keep the rest. */
static void set_counter(struct vcpu *vcpu, unsigned gpr, uint64_t value, uint64_t mask)
{
    uint64_t old = svm_gpr(&vcpu->svm, gpr);

    svm_set_gpr(&vcpu->svm, gpr, mask == 0xFFFF ? (old & ~mask) | (value & mask) : value & mask);
}

/* One element; false: the guest's memory is not there, #PF is injected. */
static bool string_step(struct vcpu *vcpu, uint64_t info, uint64_t linear)
{
    struct hypercall memory = { .vcpu = vcpu };
    unsigned port = info >> 16 & 0xFFFF, size = access_size(info);
    uint32_t value = 0, user = vcpu->svm.vmcb->cpl == 3 ? PF_USER : 0;

    if (info & IOIO_TYPE_IN) {
        /* Asked before the port is read: a fault leaves no trace there. */
        if (!hypercall_copy_in(&memory, &value, linear, size)) {
            exit_inject_pf(vcpu, linear, PF_WRITE | user);
            return false;
        }
        value = io_read(vcpu, port, size);
        hypercall_copy_out(&memory, linear, &value, size);
    } else {
        if (!hypercall_copy_in(&memory, &value, linear, size)) {
            exit_inject_pf(vcpu, linear, user);
            return false;
        }
        io_write(vcpu, port, size, value);
    }
    return true;
}

/* deviation: of the guest's page tables only presence is asked, not rights, and no A or D bit is set. */
enum exit_result vmexit_ioio_string(struct vcpu *vcpu)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;
    uint64_t info = vmcb->exitinfo1, next_rip = vmcb->exitinfo2, mask = address_mask(info);
    const struct vmcb_segment *segment = string_segment(vcpu, info & IOIO_TYPE_IN);
    unsigned gpr = info & IOIO_TYPE_IN ? GPR_RDI : GPR_RSI;
    uint64_t step = vmcb->rflags & RFLAGS_DF ? 0 - (uint64_t)access_size(info) : access_size(info);
    uint64_t left = info & IOIO_REP ? svm_gpr(&vcpu->svm, GPR_RCX) & mask : 1;

    for (unsigned done = 0; left && done < STRING_STEPS && vcpu->guest->outcome == GUEST_RUNS; done++, left--) {
        uint64_t offset = svm_gpr(&vcpu->svm, gpr) & mask;

        if (!string_step(vcpu, info, linear_of(vcpu, segment, offset)))
            return EXIT_RESUME;
        set_counter(vcpu, gpr, offset + step, mask);
        if (info & IOIO_REP)
            set_counter(vcpu, GPR_RCX, left - 1, mask);
    }
    if (left == 0)
        svm_set_rip(&vcpu->svm, next_rip);
    return result_of(vcpu);
}
