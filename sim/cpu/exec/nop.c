/* SPDX-License-Identifier: MIT */
/* Instructions without a result: NOP and its kin, cache hints, fences, and those that only raise #UD. */
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

enum outcome exec_nop(struct core *core, const struct insn *insn)
{
    (void)core;
    (void)insn;
    return OUTCOME_NEXT;
}

/* Memory is sequentially consistent here (DESIGN section 4): fences have nothing to order. */
enum outcome exec_fence(struct core *core, const struct insn *insn)
{
    return exec_nop(core, insn);
}

/* deviation: a prefetch neither walks nor fills the TLB (DESIGN section 4: no speculative walks). */
enum outcome exec_prefetch(struct core *core, const struct insn *insn)
{
    return exec_nop(core, insn);
}

/* There is no data cache to flush, but the line's address is checked and translated like a byte read. */
enum outcome exec_clflush(struct core *core, const struct insn *insn)
{
    struct mem_ref ref;

    return memory_probe(core, insn->segment, operand_offset(core, insn), 1, MMU_READ, &ref);
}

enum outcome exec_ud(struct core *core, const struct insn *insn)
{
    (void)insn;
    return core_fault(core, EXC_UD);
}
