/* SPDX-License-Identifier: MIT */
/* Hypercalls of paravirtual kernels: SYSCALL, number in EAX, arguments in RDI RSI RDX R10 R8 R9. */
#include "hv/vm/machine_check.h"
#include "hv/vm/pv_guest.h"

#include "hv/core/clock.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/shared_info.h"
#include "hv/vm/vcpu_timer.h"
#include "hv/x86/cpu.h"

#define MULTICALLS_MAX 4096
#define MULTICALL_BATCH 64
#define SYSCALL_BYTES 2
#define DR6_FIXED 0xFFFF0FF0ull
#define DR6_WRITABLE 0xE00Full
#define DR7_FIXED 0x400ull
#define DR7_WRITABLE 0xFFFF03FFull /* no GD: hv's own MOV DR must not trap */
#define DR7_LEN_RW(dr7, n) ((dr7) >> (16 + 4 * (n)) & 0xF)
#define RW_IO 2u

static struct pv_vcpu *caller(const struct hypercall *call)
{
    return call->vcpu->pv;
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
    for (unsigned i = 0; i <= 256; i++, at += sizeof(struct pv_trap_info)) { /* ends with one that has no address */
        struct pv_trap_info trap;

        if (!hypercall_copy_in(call, &trap, at, sizeof(trap)))
            return -XEN_EFAULT;
        if (!trap.address)
            return 0;
        if (!pv_is_canonical(trap.address))
            return -XEN_EINVAL;
        pv->traps[trap.vector] = trap;
    }
    return -XEN_EINVAL;
}

static int64_t set_callback(struct pv_vcpu *pv, unsigned type, uint64_t address, bool masks)
{
    const unsigned known = 1u << CALLBACKTYPE_EVENT | 1u << CALLBACKTYPE_FAILSAFE | 1u << CALLBACKTYPE_SYSCALL |
                           1u << CALLBACKTYPE_NMI | 1u << CALLBACKTYPE_SYSENTER | 1u << CALLBACKTYPE_SYSCALL32;

    if (type >= CALLBACKTYPE_COUNT || !(known >> type & 1))
        return -XEN_ENOSYS;
    if (!pv_is_canonical(address))
        return -XEN_EINVAL;
    if (type == CALLBACKTYPE_NMI)
        pv->traps[PV_TRAP_NMI] = (struct pv_trap_info){ .vector = PV_TRAP_NMI, .flags = TRAP_INFO_MASKS,
                                                        .address = address };
    /* Events are masked when one is delivered, and in the failsafe callback, whatever the flags say. */
    pv->callbacks[type] = (struct pv_callback){
        .address = address, .masks = masks || type == CALLBACKTYPE_EVENT || type == CALLBACKTYPE_FAILSAFE
    };
    return 0;
}

static int64_t set_callbacks(struct hypercall *call)
{
    for (unsigned type = CALLBACKTYPE_EVENT; type <= CALLBACKTYPE_SYSCALL; type++)
        if (!pv_is_canonical(call->argument[type]))
            return -XEN_EINVAL;
    for (unsigned type = CALLBACKTYPE_EVENT; type <= CALLBACKTYPE_SYSCALL; type++)
        set_callback(caller(call), type, call->argument[type], false);
    return 0;
}

static int64_t register_callback(struct hypercall *call)
{
    struct pv_callback_register op;

    if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
        return -XEN_EFAULT;
    return set_callback(caller(call), op.type, op.address, op.flags & CALLBACKF_MASK_EVENTS);
}

/* As in Xen, those that a kernel cannot do without stay. */
static int64_t unregister_callback(struct hypercall *call)
{
    struct pv_callback_unregister op;

    if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
        return -XEN_EFAULT;
    switch (op.type) {
    case CALLBACKTYPE_EVENT:
    case CALLBACKTYPE_FAILSAFE:
    case CALLBACKTYPE_SYSCALL:
        return -XEN_EINVAL;
    default:
        return set_callback(caller(call), op.type, 0, false);
    }
}

static const struct hypercall_row callback_commands[] = {
    { CALLBACKOP_REGISTER, "register", register_callback, CALLER_ANY },
    { CALLBACKOP_UNREGISTER, "unregister", unregister_callback, CALLER_ANY },
};

static int64_t callback_op(struct hypercall *call)
{
    return hypercall_dispatch(call, HYPERCALL_ROWS(callback_commands), call->argument[0]);
}

static int64_t stack_switch(struct hypercall *call)
{
    caller(call)->kernel_ss = (uint16_t)call->argument[0] | 3;
    caller(call)->kernel_sp = call->argument[1];
    return 0;
}

/* ---- Segments, debug registers, FPU ---------------------------------------------------------------------- */

int64_t pv_set_segment_base(struct pv_vcpu *pv, unsigned which, uint64_t base)
{
    if (which <= SEGBASE_GS_KERNEL && !pv_is_canonical(base))
        return -XEN_EINVAL;
    switch (which) {
    case SEGBASE_FS:
        pv->fs_base = base;
        return 0;
    case SEGBASE_GS_KERNEL: /* hypercalls come from the kernel */
        pv->gs_base = base;
        return 0;
    case SEGBASE_GS_USER:
        pv->other_gs_base = base;
        return 0;
    default:
        return -XEN_EINVAL;
    }
}

/* The selector is loaded with user mode's GS: hv keeps one selector for both modes, and a base for each. */
static int64_t set_segment_base(struct hypercall *call)
{
    if (call->argument[0] == SEGBASE_GS_USER_SEL) {
        caller(call)->gs = (uint16_t)call->argument[1];
        return 0;
    }
    return pv_set_segment_base(caller(call), (unsigned)call->argument[0], call->argument[1]);
}

static int64_t set_gdt(struct hypercall *call)
{
    uint64_t frames[PV_GDT_FRAMES];
    uint64_t entries = call->argument[1];
    int64_t error;

    if (entries > PV_GDT_RESERVED / 8)
        return -XEN_EINVAL;
    if (!hypercall_copy_in(call, frames, call->argument[0], (entries + 511) / 512 * sizeof(frames[0])))
        return -XEN_EFAULT;
    lock_acquire(&caller(call)->guest->lock);
    error = pv_set_gdt(caller(call), frames, (unsigned)entries);
    lock_release(&caller(call)->guest->lock);
    return error;
}

static int64_t update_descriptor(struct hypercall *call)
{
    struct pv_guest *guest = caller(call)->guest;
    int64_t error;

    lock_acquire(&guest->lock);
    error = pv_update_descriptor(guest, call->argument[0], call->argument[1]);
    lock_release(&guest->lock);
    return error;
}

/* A breakpoint may watch what the guest may reach, and no I/O. */
static bool is_good_dr7(uint64_t value)
{
    for (unsigned i = 0; i < 4; i++)
        if ((DR7_LEN_RW(value, i) & 3) == RW_IO && value >> (2 * i) & 3)
            return false;
    return !(value & ~(DR7_WRITABLE | DR7_FIXED));
}

static bool is_good_breakpoint(uint64_t value)
{
    return pv_is_canonical(value) && !(value >= PV_RESERVED_START && value < PV_RESERVED_START + (16ull << 39));
}

bool pv_debug_is_good(const uint64_t breakpoints[4], uint64_t dr7)
{
    for (unsigned i = 0; i < 4; i++)
        if (!is_good_breakpoint(breakpoints[i]))
            return false;
    return is_good_dr7(dr7);
}

int64_t pv_set_debug(struct pv_vcpu *pv, unsigned number, uint64_t value)
{
    switch (number) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (!is_good_breakpoint(value))
            return -XEN_EPERM;
        pv->breakpoints[number] = value;
        breakpoints_write(pv->breakpoints);
        return 0;
    case 4:
    case 6:
        pv->dr6 = (value & DR6_WRITABLE) | DR6_FIXED;
        return 0;
    case 5:
    case 7:
        if (!is_good_dr7(value))
            return -XEN_EPERM;
        pv->dr7 = value | DR7_FIXED;
        return 0;
    default:
        return -XEN_ENODEV;
    }
}

uint64_t pv_get_debug(const struct pv_vcpu *pv, unsigned number)
{
    if (number < 4)
        return pv->breakpoints[number];
    return number == 4 || number == 6 ? pv->dr6 : number == 5 || number == 7 ? pv->dr7 : (uint64_t)-XEN_EINVAL;
}

static int64_t set_debugreg(struct hypercall *call)
{
    return pv_set_debug(caller(call), call->argument[0] < 8 ? (unsigned)call->argument[0] : 8, call->argument[1]);
}

static int64_t get_debugreg(struct hypercall *call)
{
    return (int64_t)pv_get_debug(caller(call), call->argument[0] < 8 ? (unsigned)call->argument[0] : 8);
}

static int64_t fpu_taskswitch(struct hypercall *call)
{
    caller(call)->ts = call->argument[0];
    return 0;
}

/* ---- Rest ------------------------------------------------------------------------------------------------ */

static int64_t vm_assist(struct hypercall *call)
{
    const uint64_t known = 1ull << VMASST_TYPE_4GB_SEGMENTS | 1ull << VMASST_TYPE_ARCHITECTURAL_IOPL |
                           1ull << VMASST_TYPE_RUNSTATE_UPDATE_FLAG;
    uint64_t type = call->argument[1], *assists = &caller(call)->guest->assists;

    if (type >= 64 || !(known >> type & 1))
        return -XEN_EINVAL;
    if (call->argument[0] == VMASST_CMD_ENABLE)
        __atomic_fetch_or(assists, 1ull << type, __ATOMIC_RELAXED);
    else if (call->argument[0] == VMASST_CMD_DISABLE)
        __atomic_fetch_and(assists, ~(1ull << type), __ATOMIC_RELAXED);
    else
        return -XEN_ENOSYS;
    return 0;
}

/* The older timer: 0 stops it. */
static int64_t set_timer_op(struct hypercall *call)
{
    if (call->argument[0])
        vcpu_timer_set(call->vcpu, call->argument[0]);
    else
        vcpu_timer_stop(call->vcpu);
    return 0;
}

static int64_t set_iopl(struct hypercall *call)
{
    uint32_t iopl;

    if (!hypercall_copy_in(call, &iopl, call->argument[1], sizeof(iopl)))
        return -XEN_EFAULT;
    if (iopl > 3)
        return -XEN_EINVAL;
    caller(call)->iopl = iopl;
    return 0;
}

/* No guest has a port that a bitmap could open. */
static int64_t set_iobitmap(struct hypercall *call)
{
    (void)call;
    return 0;
}

static const struct hypercall_row physdev_commands[] = {
    { PHYSDEVOP_SET_IOPL, "set_iopl", set_iopl, CALLER_ANY },
    { PHYSDEVOP_SET_IOBITMAP, "set_iobitmap", set_iobitmap, CALLER_ANY },
};

static int64_t physdev_op(struct hypercall *call)
{
    return hypercall_dispatch(call, HYPERCALL_ROWS(physdev_commands), call->argument[0]);
}

int64_t pv_initialise(struct hypercall *call, struct vcpu *target)
{
    struct pv_vcpu_context context;
    int64_t error;

    if (!hypercall_copy_in(call, &context, call->argument[2], sizeof(context)))
        return -XEN_EFAULT;
    lock_acquire(&target->pv->guest->lock);
    error = target->pv->initialised ? -XEN_EEXIST : pv64_set_context(target->pv, &context);
    lock_release(&target->pv->guest->lock);
    if (!error)
        target->initialised = true;
    return error;
}

bool pv_hold_writable(struct vcpu *vcpu, uint64_t address)
{
    struct pv_guest *guest = vcpu->guest->pv;
    bool ok;

    if (!guest)
        return true;
    lock_acquire(&guest->lock);
    ok = !pv_type_get(&guest->types, address / PAGE_SIZE, PV_WRITABLE);
    if (ok)
        pv_machine_frame(address / PAGE_SIZE)->refs++;
    lock_release(&guest->lock);
    return ok;
}

static int64_t multicall(struct hypercall *call);

static const struct hypercall_row hypercalls[] = {
    { HYPERCALL_SET_TRAP_TABLE, "set_trap_table", set_trap_table, CALLER_ANY },
    { HYPERCALL_MMU_UPDATE, "mmu_update", pv_mmu_update, CALLER_ANY },
    { HYPERCALL_SET_GDT, "set_gdt", set_gdt, CALLER_ANY },
    { HYPERCALL_STACK_SWITCH, "stack_switch", stack_switch, CALLER_ANY },
    { HYPERCALL_SET_CALLBACKS, "set_callbacks", set_callbacks, CALLER_ANY },
    { HYPERCALL_FPU_TASKSWITCH, "fpu_taskswitch", fpu_taskswitch, CALLER_ANY },
    { HYPERCALL_PLATFORM_OP, "platform_op", hypercall_platform_op, CALLER_CONTROL },
    { HYPERCALL_SET_DEBUGREG, "set_debugreg", set_debugreg, CALLER_ANY },
    { HYPERCALL_GET_DEBUGREG, "get_debugreg", get_debugreg, CALLER_ANY },
    { HYPERCALL_UPDATE_DESCRIPTOR, "update_descriptor", update_descriptor, CALLER_ANY },
    { HYPERCALL_MEMORY_OP, "memory_op", pv_memory_op, CALLER_ANY },
    { HYPERCALL_MULTICALL, "multicall", multicall, CALLER_ANY },
    { HYPERCALL_UPDATE_VA_MAPPING, "update_va_mapping", pv_update_va_mapping, CALLER_ANY },
    { HYPERCALL_SET_TIMER_OP, "set_timer_op", set_timer_op, CALLER_ANY },
    { HYPERCALL_XEN_VERSION, "xen_version", hypercall_xen_version, CALLER_ANY },
    { HYPERCALL_CONSOLE_IO, "console_io", hypercall_console_io, CALLER_ANY },
    { HYPERCALL_VM_ASSIST, "vm_assist", vm_assist, CALLER_ANY },
    { HYPERCALL_VCPU_OP, "vcpu_op", hypercall_vcpu_op, CALLER_ANY },
    { HYPERCALL_SET_SEGMENT_BASE, "set_segment_base", set_segment_base, CALLER_ANY },
    { HYPERCALL_MMUEXT_OP, "mmuext_op", pv_mmuext_op, CALLER_ANY },
    { HYPERCALL_SCHED_OP, "sched_op", hypercall_sched_op, CALLER_ANY },
    { HYPERCALL_CALLBACK_OP, "callback_op", callback_op, CALLER_ANY },
    { HYPERCALL_EVENT_CHANNEL_OP, "event_channel_op", hypercall_event_channel_op, CALLER_ANY },
    { HYPERCALL_PHYSDEV_OP, "physdev_op", physdev_op, CALLER_ANY },
    { HYPERCALL_SYSCTL, "sysctl", hypercall_sysctl, CALLER_ANY },
    { HYPERCALL_MCA, "mca", hypercall_mca, CALLER_ANY },
    { HYPERCALL_DOMCTL, "domctl", hypercall_domctl, CALLER_CONTROL },
};

enum entry_end { ENTRY_DONE, ENTRY_GOES_ON, ENTRY_NOWHERE };

/* One entry, which cannot be a multicall. One that is not over says in its own arguments what is left of it. */
static enum entry_end one_of_several(struct hypercall *call, uint64_t at)
{
    struct pv_multicall entry;
    struct hypercall one = { .vcpu = call->vcpu, .in_64bit = true, .control = call->control, .result = EXIT_RESUME };

    if (!hypercall_copy_in(call, &entry, at, sizeof(entry)))
        return ENTRY_NOWHERE;
    for (unsigned i = 0; i < 5; i++)
        one.argument[i] = entry.args[i];
    entry.result = (uint64_t)-XEN_ENOSYS;
    if (entry.op != HYPERCALL_MULTICALL)
        entry.result = (uint64_t)hypercall_dispatch(&one, HYPERCALL_ROWS(hypercalls), entry.op);
    if (one.result != EXIT_RESUME)
        call->result = one.result;
    if (one.again) {
        entry.args[0] = one.argument[0];
        entry.args[1] = one.argument[1];
    }
    if (!hypercall_copy_out(call, at, &entry, sizeof(entry)))
        return ENTRY_NOWHERE;
    return one.again ? ENTRY_GOES_ON : ENTRY_DONE;
}

/* A batch at a time: the call repeats itself with the rest of its list, also after the vCPU has given up its core. */
static int64_t multicall(struct hypercall *call)
{
    uint64_t count = call->argument[1], i;
    enum entry_end end = ENTRY_DONE;

    if (count > MULTICALLS_MAX)
        return -XEN_EINVAL;
    for (i = 0; i < count && i < MULTICALL_BATCH && end == ENTRY_DONE && call->result == EXIT_RESUME;
         i += end == ENTRY_DONE)
        end = one_of_several(call, call->argument[0] + i * sizeof(struct pv_multicall));
    if (end == ENTRY_NOWHERE)
        return -XEN_EFAULT;
    if (i < count) {
        call->argument[0] += i * sizeof(struct pv_multicall);
        call->argument[1] -= i;
        call->again = true;
    }
    return 0;
}

int64_t pv_dispatch(struct hypercall *call, uint64_t number)
{
    return hypercall_dispatch(call, HYPERCALL_ROWS(hypercalls), number);
}

static enum exit_result iret(struct vcpu *vcpu)
{
    if (pv64_iret(vcpu->pv, shared_info_vcpu(vcpu))) {
        machine_check_iret(vcpu);
        return EXIT_RESUME;
    }
    return pv_crash(vcpu, "hypercall iret without a frame that can be returned by");
}

enum exit_result pv_hypercall(struct vcpu *vcpu)
{
    struct trap_frame *f = &vcpu->pv->frame;
    uint32_t number = (uint32_t)f->rax;
    struct hypercall call = { .vcpu = vcpu, .in_64bit = true, .argument = { f->rdi, f->rsi, f->rdx, f->r10, f->r8 },
                              .control = vcpu->guest->domid == DOMID_CONTROL, .result = EXIT_RESUME };
    int64_t value;

    vcpu->pv->counts.hypercalls[number < HYPERCALL_COUNT ? number : HYPERCALL_COUNT - 1]++;
    if (number == HYPERCALL_IRET)
        return iret(vcpu);
    value = hypercall_dispatch(&call, HYPERCALL_ROWS(hypercalls), number);
    if (call.again) { /* SYSCALL once more, with what is left to do; EAX is still the number */
        f->rip -= SYSCALL_BYTES;
        f->rdi = call.argument[0];
        f->rsi = call.argument[1];
    } else {
        f->rax = (uint64_t)value;
    }
    return call.result;
}
