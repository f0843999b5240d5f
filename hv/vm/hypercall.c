/* SPDX-License-Identifier: MIT */
/* VMMCALL: scenario marks, and hypercalls by Xen's public numbers. */
#include "hv/vm/hypercall.h"

#include "hv/core/memory.h"
#include "hv/vm/linear.h"

#define XEN_VERSION 0x00040011 /* XENVER_version: major 4, minor 17 */

static bool read_gpa(void *ctx, uint64_t gpa, void *data, uint64_t size)
{
    return guest_read(ctx, gpa, data, size);
}

bool exit_linear(struct vcpu *vcpu, uint64_t linear, uint64_t *gpa)
{
    struct svm_paging registers = svm_guest_paging(&vcpu->svm);
    struct linear_paging paging = { registers.cr0, registers.cr3, registers.cr4, registers.efer };

    return linear_to_gpa(&paging, read_gpa, vcpu->guest, linear, gpa);
}

/* Piece by piece, as far as each page goes. */
static bool copy(const struct hypercall *call, uint64_t linear, void *data, uint64_t size, bool out)
{
    struct guest *guest = call->vcpu->guest;
    char *bytes = data;

    while (size) {
        uint64_t piece = PAGE_SIZE - (linear & (PAGE_SIZE - 1)), gpa;

        if (piece > size)
            piece = size;
        if (!exit_linear(call->vcpu, linear, &gpa) ||
            !(out ? guest_write(guest, gpa, bytes, piece) : guest_read(guest, gpa, bytes, piece)))
            return false;
        linear += piece;
        bytes += piece;
        size -= piece;
    }
    return true;
}

bool hypercall_copy_in(const struct hypercall *call, void *to, uint64_t linear, uint64_t size)
{
    return copy(call, linear, to, size, false);
}

bool hypercall_copy_out(const struct hypercall *call, uint64_t linear, const void *from, uint64_t size)
{
    return copy(call, linear, (void *)(uintptr_t)from, size, true);
}

static struct hypercall read_arguments(struct vcpu *vcpu)
{
    const struct svm_registers *r = &vcpu->svm.registers;

    if (svm_guest_in_64bit(&vcpu->svm))
        return (struct hypercall){ vcpu, { r->rdi, r->rsi, r->rdx, r->r10, r->r8 } };
    return (struct hypercall){ vcpu, { (uint32_t)r->rbx, (uint32_t)r->rcx, (uint32_t)r->rdx, (uint32_t)r->rsi,
                                       (uint32_t)r->rdi } };
}

static enum exit_result xen_hypercall(struct vcpu *vcpu, uint32_t number)
{
    struct hypercall call = read_arguments(vcpu);
    enum exit_result result = EXIT_RESUME;
    int64_t value;

    switch (number) {
    case HYPERCALL_XEN_VERSION:
        value = call.argument[0] == 0 ? XEN_VERSION : -XEN_ENOSYS;
        break;
    case HYPERCALL_VCPU_OP:
        value = hypercall_vcpu_op(&call);
        break;
    case HYPERCALL_SCHED_OP:
        value = hypercall_sched_op(&call, &result);
        break;
    case HYPERCALL_SYSCTL:
        value = hypercall_sysctl(&call);
        break;
    default:
        value = -XEN_ENOSYS;
        break;
    }
    svm_set_rax(&vcpu->svm, (uint64_t)value);
    return result;
}

enum exit_result vmexit_vmmcall(struct vcpu *vcpu)
{
    uint32_t number = (uint32_t)vcpu->svm.vmcb->rax;

    if (vcpu->svm.vmcb->cpl != 0)
        return exit_inject_ud(vcpu);
    if (!exit_skip(vcpu, INSTRUCTION_VMMCALL))
        return EXIT_RESUME;
    switch (number) {
    case MARK_BEGIN:
    case MARK_END:
        return EXIT_RESUME;
    case MARK_DONE:
        guest_finish(vcpu->guest, GUEST_FINISHED, vcpu->svm.registers.rbx);
        return EXIT_GUEST_OVER;
    default:
        return xen_hypercall(vcpu, number);
    }
}
