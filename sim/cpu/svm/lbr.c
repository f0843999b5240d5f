/* SPDX-License-Identifier: MIT */
/*
 * LBR virtualization (APM2 15.23): with VMCB 0B8[0] VMRUN and #VMEXIT exchange DebugCtl and the four recording
 * registers. Without it they are the same in host and guest.
 */
#include "sim/cpu/model/msr.h"
#include "sim/cpu/svm/world.h"

#define DEBUG_CTL_WRITABLE UINT64_C(0x3F)

static const struct {
    uint16_t offset, member; /* in the save area; in struct msr_storage */
    uint64_t mask;
} registers[] = {
#define MEMBER(name) offsetof(struct msr_storage, name)
    { VMCB_DBGCTL, MEMBER(debug_ctl), DEBUG_CTL_WRITABLE },
    { VMCB_BR_FROM, MEMBER(br_from), UINT64_MAX },
    { VMCB_BR_TO, MEMBER(br_to), UINT64_MAX },
    { VMCB_LASTEXCPFROM, MEMBER(last_exc_from), UINT64_MAX },
    { VMCB_LASTEXCPTO, MEMBER(last_exc_to), UINT64_MAX },
};

void lbr_save(const struct core *core, const struct vmcb *vmcb)
{
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        uint64_t value;

        memcpy(&value, (const uint8_t *)core->msr + registers[i].member, sizeof(value));
        vmcb_write(vmcb, registers[i].offset, 8, value);
    }
}

void lbr_load(struct core *core, const struct vmcb *vmcb)
{
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        uint64_t value = vmcb_read(vmcb, registers[i].offset, 8) & registers[i].mask;

        memcpy((uint8_t *)core->msr + registers[i].member, &value, sizeof(value));
    }
}
