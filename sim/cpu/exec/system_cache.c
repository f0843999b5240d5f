/* SPDX-License-Identifier: MIT */
/* INVLPG, INVD, WBINVD (APM3). The model has no data caches: the last two only check and take their time. */
#include "sim/cpu/exec/descriptor.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

/* No segment check: the address names a page, it is not accessed. */
enum outcome exec_invlpg(struct core *core, const struct insn *insn)
{
    uint64_t base = core_in_64bit(core) && insn->segment < SEG_FS ? 0 : core->seg[insn->segment].base;
    gva_t address = base + operand_offset(core, insn);

    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, VMEXIT_INVLPG))
        return core_vmexit(core, VMEXIT_INVLPG, 0, 0);
    if (!core_in_64bit(core))
        address &= UINT32_MAX;
    if (is_canonical(address))
        mmu_invlpg(core->mmu, address);
    return OUTCOME_NEXT;
}

static enum outcome flush_caches(struct core *core, unsigned code)
{
    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, code))
        return core_vmexit(core, code, 0, 0);
    return OUTCOME_NEXT;
}

enum outcome exec_invd(struct core *core, const struct insn *insn)
{
    (void)insn;
    return flush_caches(core, VMEXIT_INVD);
}

enum outcome exec_wbinvd(struct core *core, const struct insn *insn)
{
    (void)insn;
    return flush_caches(core, VMEXIT_WBINVD);
}
