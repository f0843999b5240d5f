/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls of 32-bit paravirtual kernels: INT 82h, number in EAX, arguments in EBX ECX EDX ESI EDI. Here is what has
 * other structures or fewer bits than the 64-bit call; the rest is the same (pv_calls.c).
 */
#include "hv/vm/pv_guest.h"

#include "hv/abi/pv32.h"
#include "hv/core/text.h"
#include "hv/vm/shared_info.h"

#define MULTICALLS_MAX 4096
#define MMUEXT_MAX 512

static struct pv_vcpu *caller(const struct hypercall *call)
{
    return call->vcpu->pv;
}

static uint64_t pair(uint64_t low, uint64_t high)
{
    return low | high << 32;
}

/* ---- Traps and callbacks --------------------------------------------------------------------------------- */

static int64_t set_trap_table(struct hypercall *call)
{
    struct pv_vcpu *pv = caller(call);
    uint64_t at = call->argument[0];

    if (!at) {
        text_zero(pv->traps, sizeof(pv->traps));
        return 0;
    }
    for (unsigned i = 0; i <= 256; i++, at += sizeof(struct pv32_trap_info)) { /* ends with one without address */
        struct pv32_trap_info trap;

        if (!hypercall_copy_in(call, &trap, at, sizeof(trap)))
            return -XEN_EFAULT;
        if (!trap.address)
            return 0;
        pv->traps[trap.vector] = (struct pv_trap_info){ .vector = trap.vector, .flags = trap.flags,
                                                        .cs = pv32_kernel_selector(trap.cs), .address = trap.address };
    }
    return -XEN_EINVAL;
}

/* SYSCALL and SYSENTER are #UD for these guests. */
static int64_t set_callback(struct pv_vcpu *pv, unsigned type, uint16_t cs, uint32_t address, bool masks)
{
    cs = pv32_kernel_selector(cs);
    switch (type) {
    case CALLBACKTYPE_EVENT:
    case CALLBACKTYPE_FAILSAFE:
        pv->callbacks[type] = (struct pv_callback){ address, true, cs };
        return 0;
    case CALLBACKTYPE_NMI:
        pv->traps[PV_TRAP_NMI] = (struct pv_trap_info){ .vector = PV_TRAP_NMI, .flags = masks ? TRAP_INFO_MASKS : 0,
                                                        .cs = cs, .address = address };
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

static int64_t set_callbacks(struct hypercall *call)
{
    const uint64_t *a = call->argument;

    set_callback(caller(call), CALLBACKTYPE_EVENT, (uint16_t)a[0], (uint32_t)a[1], true);
    return set_callback(caller(call), CALLBACKTYPE_FAILSAFE, (uint16_t)a[2], (uint32_t)a[3], true);
}

static int64_t callback_op(struct hypercall *call)
{
    struct pv32_callback_register op;

    if (call->argument[0] != CALLBACKOP_REGISTER)
        return -XEN_ENOSYS;
    if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
        return -XEN_EFAULT;
    return set_callback(caller(call), op.type, (uint16_t)op.cs, op.address, op.flags & CALLBACKF_MASK_EVENTS);
}

static int64_t stack_switch(struct hypercall *call)
{
    caller(call)->kernel_ss = pv32_kernel_selector((uint16_t)call->argument[0]);
    caller(call)->kernel_sp = call->argument[1];
    return 0;
}

/* ---- Tables ---------------------------------------------------------------------------------------------- */

static int64_t set_gdt(struct hypercall *call)
{
    uint32_t narrow[PV_GDT_FRAMES];
    uint64_t frames[PV_GDT_FRAMES], entries = call->argument[1];
    unsigned count = (unsigned)((entries + 511) / 512);
    int64_t error;

    if (entries > PV_GDT_RESERVED / 8)
        return -XEN_EINVAL;
    if (!hypercall_copy_in(call, narrow, call->argument[0], count * sizeof(narrow[0])))
        return -XEN_EFAULT;
    for (unsigned i = 0; i < count; i++)
        frames[i] = narrow[i];
    lock_acquire(&caller(call)->guest->lock);
    error = pv_set_gdt(caller(call), frames, (unsigned)entries);
    lock_release(&caller(call)->guest->lock);
    return error;
}

static int64_t update_descriptor(struct hypercall *call)
{
    struct pv_guest *guest = caller(call)->guest;
    const uint64_t *a = call->argument;
    int64_t error;

    lock_acquire(&guest->lock);
    error = pv_update_descriptor(guest, pair(a[0], a[1]), pair(a[2], a[3]));
    lock_release(&guest->lock);
    return error;
}

/* Linear address, the entry's two halves, flags. */
static int64_t update_va_mapping(struct hypercall *call)
{
    struct hypercall wide = *call;

    wide.argument[1] = pair(call->argument[1], call->argument[2]);
    wide.argument[2] = call->argument[3];
    return pv_update_va_mapping(&wide);
}

static int64_t extended(struct hypercall *call, const struct pv32_mmuext *op)
{
    const struct pv_mmuext wide = { .command = op->command, .arg1 = op->arg1, .arg2 = op->arg2 };
    struct pv_guest *guest = caller(call)->guest;
    int64_t error;

    /* Its root is an L3. */
    if (op->command == MMUEXT_PIN_L4_TABLE || op->command == MMUEXT_NEW_USER_BASEPTR)
        return -XEN_EINVAL;
    lock_acquire(&guest->lock);
    error = pv_mmuext_one(caller(call), &wide);
    lock_release(&guest->lock);
    return error;
}

static int64_t mmuext_op(struct hypercall *call)
{
    uint32_t count = (uint32_t)call->argument[1], done = 0;
    int64_t error = call->argument[3] == DOMID_SELF ? 0 : -XEN_ESRCH;

    if (count > MMUEXT_MAX)
        return -XEN_E2BIG;
    while (!error && done < count) {
        struct pv32_mmuext op;

        if (hypercall_copy_in(call, &op, call->argument[0] + done * sizeof(op), sizeof(op)))
            error = extended(call, &op);
        else
            error = -XEN_EFAULT;
        done += !error;
    }
    if (call->argument[2] && !hypercall_copy_out(call, call->argument[2], &done, sizeof(done)) && !error)
        error = -XEN_EFAULT;
    return error;
}

/* What it has, and how many; to give memory back or take more is for 64-bit kernels alone. */
static int64_t memory_op(struct hypercall *call)
{
    switch (call->argument[0]) {
    case MEMORY_MAXIMUM_RAM_PAGE:
    case MEMORY_CURRENT_RESERVATION:
    case MEMORY_MAXIMUM_RESERVATION:
        return hypercall_memory_op(call);
    default:
        return -XEN_ENOSYS;
    }
}

/* In nanoseconds, 64 of them. */
static int64_t set_timer_op(struct hypercall *call)
{
    struct hypercall wide = *call;

    wide.argument[0] = pair(call->argument[0], call->argument[1]);
    return pv_dispatch(&wide, HYPERCALL_SET_TIMER_OP);
}

/* ---- Dispatch -------------------------------------------------------------------------------------------- */

static int64_t multicall(struct hypercall *call);

static const struct hypercall_row own[] = {
    { HYPERCALL_SET_TRAP_TABLE, "set_trap_table", set_trap_table, CALLER_ANY },
    { HYPERCALL_SET_GDT, "set_gdt", set_gdt, CALLER_ANY },
    { HYPERCALL_STACK_SWITCH, "stack_switch", stack_switch, CALLER_ANY },
    { HYPERCALL_SET_CALLBACKS, "set_callbacks", set_callbacks, CALLER_ANY },
    { HYPERCALL_UPDATE_DESCRIPTOR, "update_descriptor", update_descriptor, CALLER_ANY },
    { HYPERCALL_MEMORY_OP, "memory_op", memory_op, CALLER_ANY },
    { HYPERCALL_MULTICALL, "multicall", multicall, CALLER_ANY },
    { HYPERCALL_UPDATE_VA_MAPPING, "update_va_mapping", update_va_mapping, CALLER_ANY },
    { HYPERCALL_SET_TIMER_OP, "set_timer_op", set_timer_op, CALLER_ANY },
    { HYPERCALL_MMUEXT_OP, "mmuext_op", mmuext_op, CALLER_ANY },
    { HYPERCALL_CALLBACK_OP, "callback_op", callback_op, CALLER_ANY },
};

/* Of the same meaning in both widths, or of structures that the handlers know in both. */
static const uint8_t shared[] = {
    HYPERCALL_MMU_UPDATE, HYPERCALL_FPU_TASKSWITCH, HYPERCALL_SET_DEBUGREG, HYPERCALL_GET_DEBUGREG,
    HYPERCALL_XEN_VERSION, HYPERCALL_CONSOLE_IO, HYPERCALL_VM_ASSIST, HYPERCALL_VCPU_OP, HYPERCALL_SCHED_OP,
    HYPERCALL_EVENT_CHANNEL_OP, HYPERCALL_PHYSDEV_OP,
};

static int64_t dispatch(struct hypercall *call, uint32_t number)
{
    for (unsigned i = 0; i < sizeof(shared); i++)
        if (shared[i] == number)
            return pv_dispatch(call, number);
    return hypercall_dispatch(call, HYPERCALL_ROWS(own), number);
}

/* False: its list is not memory of the guest's. */
static bool one_of_several(struct hypercall *call, uint64_t at)
{
    struct hypercall one = { .vcpu = call->vcpu, .control = call->control, .result = EXIT_RESUME };
    struct pv32_multicall entry;

    if (!hypercall_copy_in(call, &entry, at, sizeof(entry)))
        return false;
    for (unsigned i = 0; i < 5; i++)
        one.argument[i] = entry.args[i];
    entry.result = (uint32_t)-XEN_ENOSYS;
    if (entry.op != HYPERCALL_MULTICALL)
        entry.result = (uint32_t)dispatch(&one, entry.op);
    if (one.result != EXIT_RESUME)
        call->result = one.result;
    return hypercall_copy_out(call, at + offsetof(struct pv32_multicall, result), &entry.result, sizeof(entry.result));
}

static int64_t multicall(struct hypercall *call)
{
    if (call->argument[1] > MULTICALLS_MAX)
        return -XEN_EINVAL;
    for (uint64_t i = 0; i < call->argument[1] && call->result != EXIT_GUEST_OVER; i++)
        if (!one_of_several(call, call->argument[0] + i * sizeof(struct pv32_multicall)))
            return -XEN_EFAULT;
    return 0;
}

enum exit_result pv32_hypercall(struct vcpu *vcpu)
{
    struct trap_frame *f = &vcpu->pv->frame;
    uint32_t number = (uint32_t)f->rax;
    struct hypercall call = { .vcpu = vcpu, .control = vcpu->guest->domid == DOMID_CONTROL, .result = EXIT_RESUME,
                              .argument = { (uint32_t)f->rbx, (uint32_t)f->rcx, (uint32_t)f->rdx, (uint32_t)f->rsi,
                                            (uint32_t)f->rdi } };
    int64_t value;

    vcpu->pv->counts.hypercalls[number < HYPERCALL_COUNT ? number : HYPERCALL_COUNT - 1]++;
    if (number == HYPERCALL_IRET)
        return pv32_iret(vcpu->pv, shared_info_vcpu(vcpu))
                   ? EXIT_RESUME
                   : pv_crash(vcpu, "hypercall iret without a frame that can be returned by");
    value = dispatch(&call, number);
    if (call.again)
        f->rip -= 2; /* INT once more; EAX is still the number */
    else
        f->rax = (uint32_t)value;
    return call.result;
}
