/* SPDX-License-Identifier: MIT */
#include "hv/vm/machine_check_inject.h"

#include "hv/core/lapic.h"
#include "hv/core/traps.h"
#include "hv/mca/banks.h"
#include "hv/vm/guest.h"

#define REGISTERS_MAX 8
#define MSR_IS_ADDR(msr) ((msr) % 4 == 2 && mca_banks_is_register(msr))

/* What a core is asked for, one thing at a time. */
static struct request {
    bool wanted; /* atomic */
    bool interpose, raise;
    unsigned count;
    struct mca_register msr[REGISTERS_MAX];
} requests[CORES_MAX];

static void call(uint32_t cpu)
{
    __atomic_store_n(&percores[cpu].machine_check_due, true, __ATOMIC_RELEASE);
    if (cpu != percore_self()->index)
        lapic_send_fixed(percores[cpu].apic_id, VECTOR_FLUSH);
}

/* Two callers at once: the second one is refused. */
static int64_t ask(uint32_t cpu, const struct request *what)
{
    static struct lock ask_lock;
    struct request *request = &requests[cpu];
    bool busy;

    lock_acquire(&ask_lock);
    busy = __atomic_load_n(&request->wanted, __ATOMIC_ACQUIRE);
    if (!busy) {
        *request = *what;
        __atomic_store_n(&request->wanted, true, __ATOMIC_RELEASE);
    }
    lock_release(&ask_lock);
    if (busy)
        return -XEN_EBUSY;
    call(cpu);
    return 0;
}

/* Values of ADDR registers may be a guest's own addresses. */
static int64_t translate(struct mca_register *msr, uint16_t domid)
{
    const struct guest *guest = guest_by_domid(domid);
    struct npt_page page;

    if (!guest)
        return -XEN_ESRCH;
    if (!npt_find(&guest->npt, msr->value, &page) || !npt_is_present(page.type))
        return -XEN_EINVAL;
    msr->value = page.spa;
    return 0;
}

int64_t machine_check_inject_registers(const struct mca_msrinject *op)
{
    struct request what = { .interpose = op->flags & MCA_INJECT_INTERPOSE, .count = op->count };

    if (op->cpu >= percore_count || op->count > REGISTERS_MAX ||
        op->flags & ~(MCA_INJECT_INTERPOSE | MCA_INJECT_GPADDR))
        return -XEN_EINVAL;
    for (unsigned i = 0; i < op->count; i++) {
        what.msr[i] = op->msr[i];
        if (op->msr[i].reg > UINT32_MAX || !mca_banks_is_register((uint32_t)op->msr[i].reg))
            return -XEN_EINVAL;
        if (op->flags & MCA_INJECT_GPADDR && MSR_IS_ADDR(op->msr[i].reg)) {
            int64_t error = translate(&what.msr[i], op->domid);

            if (error)
                return error;
        }
    }
    return ask(op->cpu, &what);
}

int64_t machine_check_inject_exception(uint32_t cpu)
{
    return cpu < percore_count ? ask(cpu, &(struct request){ .raise = true }) : -XEN_EINVAL;
}

void machine_check_inject_run(const struct percore *core)
{
    struct request *request = &requests[core->index];
    bool raise;

    if (!__atomic_load_n(&request->wanted, __ATOMIC_ACQUIRE))
        return;
    raise = request->raise;
    for (unsigned i = 0; i < request->count; i++) {
        if (request->interpose)
            mca_banks_interpose(core->index, (uint32_t)request->msr[i].reg, request->msr[i].value);
        else
            mca_banks_write((uint32_t)request->msr[i].reg, request->msr[i].value);
    }
    __atomic_store_n(&request->wanted, false, __ATOMIC_RELEASE);
    if (raise)
        machine_check_raise();
}
