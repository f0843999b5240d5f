/* SPDX-License-Identifier: MIT */
/* Where the stubs of x86/traps.S come out. */
#include "hv/core/traps.h"

#include "hv/core/console.h"
#include "hv/core/lapic.h"
#include "hv/core/link.h"
#include "hv/core/percore.h"
#include "hv/x86/cpu.h"

#define EXC_MC 18

static void (*machine_check)(const struct trap_frame *frame);

void trap_take_machine_checks(void (*handler)(const struct trap_frame *frame))
{
    machine_check = handler;
}

void trap_handle(struct trap_frame *frame)
{
    struct percore *core = percore_self();

    switch (frame->vector) {
    case VECTOR_TIMER:
        core->timer_due = true;
        lapic_eoi();
        return;
    case VECTOR_WAKE:
        core->reschedule = true;
        lapic_eoi();
        return;
    case VECTOR_FLUSH:
        lapic_eoi();
        return;
    case VECTOR_UART:
        console_input_take();
        core->timer_due = true; /* so that the core's loop looks */
        lapic_eoi();
        return;
    case VECTOR_LINK:
        link_interrupt();
        core->timer_due = true;
        lapic_eoi();
        return;
    case VECTOR_THRESHOLD:
        core->threshold_due = true;
        __atomic_store_n(&core->machine_check_due, true, __ATOMIC_RELEASE);
        lapic_eoi();
        return;
    case EXC_MC:
        if (machine_check) {
            machine_check(frame);
            return;
        }
        break;
    case VECTOR_SPURIOUS:
        return; /* no EOI (APM2 16.4.7) */
    default:
        break;
    }
    panic("core %u: vector %lu error %lx rip %lx rsp %lx cr2 %lx", core ? core->index : 0,
          (unsigned long)frame->vector, (unsigned long)frame->error_code, (unsigned long)frame->rip,
          (unsigned long)frame->rsp, (unsigned long)cr2_read());
}
