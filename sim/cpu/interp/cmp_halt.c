/* SPDX-License-Identifier: MIT */
/*
 * SmiOnCmpHalt (BKDG10 MSRC001_0055): when the last core of the processor halts, it generates an I/O cycle as the
 * register says, which the chipset answers with an SMI; the local SMI status shows why (SMM FEC4 bit 9).
 * assumed: whatever IOMsgAddr names, the chipset answers, and every core of the machine gets the SMI.
 * deviation: what the other cores do is known as of their last turn, which may lie a quantum back; a core that RSM
 * sends back into HLT does not count as halting again.
 */
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/interp/interp.h"
#include "sim/cpu/model/msr.h"

#define IO_ADDRESS 15, 0
#define IO_DATA 23, 16
#define IO_READ BIT(26)
#define SMI_ON_CMP_HALT BIT(27)

#define STATUS_CMP_HALT 9 /* SMM FEC4, MSRC001_011A */

static void io_cycle(struct core *core, uint64_t control)
{
    uint16_t port = (uint16_t)bits(control, IO_ADDRESS);

    core_touch_devices(core);
    if (control & IO_READ)
        core->pio->read(core->pio->ctx, port, 1);
    else
        core->pio->write(core->pio->ctx, port, 1, (uint32_t)bits(control, IO_DATA));
}

void cmp_halt_entered(struct core *core)
{
    uint64_t control = core->msr->interrupt_pending;

    if (!(control & SMI_ON_CMP_HALT))
        return;
    if (core->halts.others_halted && !core->halts.others_halted(core->halts.ctx, core->index))
        return;
    io_cycle(core, control);
    core->smm.status |= (uint32_t)BIT(STATUS_CMP_HALT);
    apic_broadcast_smi(core);
}
