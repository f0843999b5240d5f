/* SPDX-License-Identifier: MIT */
/* VMMCALL: scenario marks, and hypercalls by Xen's public numbers. */
#include "hv/vm/hypercall.h"

#include "hv/core/memory.h"
#include "hv/vm/linear.h"

#define VMMCALL_BYTES 3 /* without prefixes, which mean nothing to it */

static bool read_gpa(void *ctx, uint64_t gpa, void *data, uint64_t size)
{
    return guest_read(ctx, gpa, data, size);
}

bool exit_linear(struct vcpu *vcpu, uint64_t linear, uint64_t *gpa)
{
    struct svm_paging registers = svm_guest_paging(&vcpu->svm);
    struct linear_paging paging = { registers.cr0, registers.cr3, registers.cr4, registers.efer };

    if (vcpu->pv)
        return pv_walk(pv_root(vcpu->pv), linear, true, gpa);
    return linear_to_gpa(&paging, read_gpa, vcpu->guest, linear, gpa);
}

/* Piece by piece, as far as each page goes. */
static bool copy(const struct hypercall *call, uint64_t linear, void *data, uint64_t size, bool out)
{
    struct guest *guest = call->vcpu->guest;
    char *bytes = data;

    if (call->vcpu->pv)
        return out ? pv_copy_out(call->vcpu->pv, linear, data, size) : pv_copy_in(call->vcpu->pv, data, linear, size);
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
    struct hypercall call = { .vcpu = vcpu, .in_64bit = svm_guest_in_64bit(&vcpu->svm), .result = EXIT_RESUME };
    const uint64_t wide[5] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8 };
    const uint64_t narrow[5] = { r->rbx, r->rcx, r->rdx, r->rsi, r->rdi };

    call.control = vcpu->guest->domid == DOMID_CONTROL;
    for (unsigned i = 0; i < 5; i++)
        call.argument[i] = call.in_64bit ? wide[i] : (uint32_t)narrow[i];
    return call;
}

int64_t hypercall_dispatch(struct hypercall *call, const struct hypercall_row *rows, unsigned count, uint64_t number)
{
    for (unsigned i = 0; i < count; i++) {
        if (rows[i].number != number)
            continue;
        return rows[i].caller == CALLER_CONTROL && !call->control ? -XEN_EPERM : rows[i].handle(call);
    }
    return -XEN_ENOSYS;
}

struct guest *hypercall_guest(const struct hypercall *call, uint16_t domid)
{
    struct guest *own = call->vcpu->guest;

    if (domid == DOMID_SELF || domid == own->domid)
        return own;
    return call->control ? guest_by_domid(domid) : NULL;
}

static const struct hypercall_row hypercalls[] = {
    { HYPERCALL_PLATFORM_OP, "platform_op", hypercall_platform_op, CALLER_CONTROL },
    { HYPERCALL_MEMORY_OP, "memory_op", hypercall_memory_op, CALLER_ANY },
    { HYPERCALL_XEN_VERSION, "xen_version", hypercall_xen_version, CALLER_ANY },
    { HYPERCALL_CONSOLE_IO, "console_io", hypercall_console_io, CALLER_ANY },
    { HYPERCALL_GRANT_TABLE_OP, "grant_table_op", hypercall_grant_table_op, CALLER_ANY },
    { HYPERCALL_VCPU_OP, "vcpu_op", hypercall_vcpu_op, CALLER_ANY },
    { HYPERCALL_SCHED_OP, "sched_op", hypercall_sched_op, CALLER_ANY },
    { HYPERCALL_EVENT_CHANNEL_OP, "event_channel_op", hypercall_event_channel_op, CALLER_ANY },
    { HYPERCALL_HVM_OP, "hvm_op", hypercall_hvm_op, CALLER_ANY },
    { HYPERCALL_SYSCTL, "sysctl", hypercall_sysctl, CALLER_ANY },
    { HYPERCALL_MCA, "mca", hypercall_mca, CALLER_ANY },
    { HYPERCALL_DOMCTL, "domctl", hypercall_domctl, CALLER_CONTROL },
};

static enum exit_result xen_hypercall(struct vcpu *vcpu, uint32_t number)
{
    struct hypercall call = read_arguments(vcpu);
    int64_t value = hypercall_dispatch(&call, HYPERCALL_ROWS(hypercalls), number);

    if (call.again) /* interrupts and other vCPUs come in between */
        svm_set_rip(&vcpu->svm, vcpu->svm.vmcb->rip - VMMCALL_BYTES);
    else
        svm_set_rax(&vcpu->svm, (uint64_t)value);
    return call.result;
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
