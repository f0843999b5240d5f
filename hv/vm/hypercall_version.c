/* SPDX-License-Identifier: MIT */
/* xen_version, and the parameters that an HVM guest and its controller leave for each other (hvm_op). */
#include "hv/vm/hypercall.h"

#include "hv/core/memory.h"
#include "hv/core/text.h"

static int64_t version(struct hypercall *call)
{
    (void)call;
    return XEN_VERSION;
}

/* Texts have a fixed room each. */
static int64_t put_text(const struct hypercall *call, const char *text, uint64_t room)
{
    char field[1024] = { 0 };

    memcpy(field, text, text_length(text));
    return hypercall_copy_out(call, call->argument[1], field, room) ? 0 : -XEN_EFAULT;
}

static int64_t extra_version(struct hypercall *call)
{
    return put_text(call, ".0-fam10h", 16);
}

static int64_t capabilities(struct hypercall *call)
{
    return put_text(call, "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ", 1024);
}

static int64_t changeset(struct hypercall *call)
{
    return put_text(call, "fam10h hv", 64);
}

static int64_t get_features(struct hypercall *call)
{
    struct xenver_feature_info info;

    if (!hypercall_copy_in(call, &info, call->argument[1], sizeof(info)))
        return -XEN_EFAULT;
    info.submap = info.submap_index != 0 ? 0
                  : call->vcpu->pv       ? 1u << XENFEAT_PAE_PGDIR_ABOVE_4GB
                                         : 1u << XENFEAT_AUTO_TRANSLATED | 1u << XENFEAT_CALLBACK_VECTOR |
                                               1u << XENFEAT_SAFE_PVCLOCK;
    return hypercall_copy_out(call, call->argument[1], &info, sizeof(info)) ? 0 : -XEN_EFAULT;
}

static int64_t page_size(struct hypercall *call)
{
    (void)call;
    return PAGE_SIZE;
}

/* Of this guest, of no meaning to it: zeros until a controller sets one. */
static int64_t guest_handle(struct hypercall *call)
{
    static const uint8_t none[16];

    return hypercall_copy_out(call, call->argument[1], none, sizeof(none)) ? 0 : -XEN_EFAULT;
}

static const struct hypercall_row commands[] = {
    { XENVER_VERSION, "version", version, CALLER_ANY },
    { XENVER_EXTRAVERSION, "extraversion", extra_version, CALLER_ANY },
    { XENVER_CAPABILITIES, "capabilities", capabilities, CALLER_ANY },
    { XENVER_CHANGESET, "changeset", changeset, CALLER_ANY },
    { XENVER_GET_FEATURES, "get_features", get_features, CALLER_ANY },
    { XENVER_PAGESIZE, "pagesize", page_size, CALLER_ANY },
    { XENVER_GUEST_HANDLE, "guest_handle", guest_handle, CALLER_ANY },
};

int64_t hypercall_xen_version(struct hypercall *call)
{
    return hypercall_dispatch(call, HYPERCALL_ROWS(commands), call->argument[0]);
}

/* ---- hvm_op --------------------------------------------------------------------------------------------- */

#define CALLBACK_TYPE(value) ((value) >> 56)
#define VECTOR_LOWEST 16

static int64_t read_param(const struct hypercall *call, struct hvm_param *op, struct guest **guest)
{
    if (!hypercall_copy_in(call, op, call->argument[1], sizeof(*op)))
        return -XEN_EFAULT;
    if (op->index >= HVM_PARAM_COUNT)
        return -XEN_EINVAL;
    *guest = hypercall_guest(call, op->domid);
    return *guest ? 0 : -XEN_ESRCH;
}

/* Type 2 is a vector, 0 and 0 is none; the others are lines of an interrupt controller that hv does not use for it. */
static int64_t set_callback(struct guest *guest, uint64_t value)
{
    if (value && CALLBACK_TYPE(value) != CALLBACK_TYPE_VECTOR)
        return -XEN_EINVAL;
    if (value && (uint8_t)value < VECTOR_LOWEST)
        return -XEN_EINVAL;
    guest->callback_vector = (uint8_t)value;
    return 0;
}

static int64_t set_param(struct hypercall *call)
{
    struct guest *guest;
    struct hvm_param op;
    int64_t error = read_param(call, &op, &guest);

    if (!error && op.index == HVM_PARAM_CALLBACK_IRQ)
        error = set_callback(guest, op.value);
    if (!error)
        guest->hvm_params[op.index] = op.value;
    return error;
}

static int64_t get_param(struct hypercall *call)
{
    struct guest *guest;
    struct hvm_param op;
    int64_t error = read_param(call, &op, &guest);

    if (error)
        return error;
    op.value = guest->hvm_params[op.index];
    return hypercall_copy_out(call, call->argument[1], &op, sizeof(op)) ? 0 : -XEN_EFAULT;
}

static const struct hypercall_row hvm_commands[] = {
    { HVMOP_SET_PARAM, "set_param", set_param, CALLER_ANY },
    { HVMOP_GET_PARAM, "get_param", get_param, CALLER_ANY },
};

int64_t hypercall_hvm_op(struct hypercall *call)
{
    return hypercall_dispatch(call, HYPERCALL_ROWS(hvm_commands), call->argument[0]);
}
