/* SPDX-License-Identifier: MIT */
/* MXCSR, and the 512-byte image of x87, MMX and SSE state (APM2 11.4.4). */
#include <string.h>

#include "sim/cpu/exec/media.h"
#include "sim/cpu/exec/x87.h"
#include "sim/cpu/isa/semantics.h"

/* ---- MXCSR ------------------------------------------------------------------------------------------------- */

enum outcome exec_ldmxcsr(struct core *core, const struct insn *insn)
{
    enum outcome outcome = sse_ready(core);
    uint64_t value;

    if (outcome == OUTCOME_NEXT)
        outcome = operand_read(core, insn, 0, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (value & ~(uint64_t)mxcsr_implemented(core))
        return core_fault_code(core, EXC_GP, 0);
    core->mxcsr = (uint32_t)value;
    return OUTCOME_NEXT;
}

enum outcome exec_stmxcsr(struct core *core, const struct insn *insn)
{
    enum outcome outcome = sse_ready(core);

    return outcome == OUTCOME_NEXT ? operand_write(core, insn, 0, core->mxcsr) : outcome;
}

/* ---- FXSAVE, FXRSTOR ----------------------------------------------------------------------------------------- */

struct fx_image {
    uint16_t control, status;
    uint8_t tags, reserved;   /* a bit for each register that is not empty */
    uint16_t opcode;
    uint64_t instruction;     /* without REX.W: 32 bits of offset, selector, 16 bits reserved */
    uint64_t data;
    uint32_t mxcsr, mxcsr_mask;
    union lanes st[8];       /* ST(0)-ST(7) */
    union lanes xmm[16];
    uint8_t unused[96];
};

G_STATIC_ASSERT(sizeof(struct fx_image) == 512);

#define FX_BYTES 512

/* EFER.FFXSE at CPL 0 in 64-bit mode: without XMM registers (APM2 3.1.7). MXCSR is saved all the same. */
static bool fast_fx(const struct core *core)
{
    return (core->efer & EFER_FFXSE) && core->cpl == 0 && core->mode == MODE_64BIT;
}

static unsigned fx_xmm_count(const struct core *core)
{
    if (fast_fx(core))
        return 0;
    return core->mode == MODE_64BIT ? 16 : 8;
}

/* CR0.EM: #UD; TS: #NM. CR4.OSFXSR is not needed. #GP unless aligned to 16 bytes. */
static enum outcome fx_probe(struct core *core, const struct insn *insn, unsigned access, struct mem_ref *ref)
{
    uint64_t offset = operand_offset(core, insn);
    enum outcome outcome;
    gva_t linear;

    if (core->cr0 & CR0_EM)
        return core_fault(core, EXC_UD);
    if (core->cr0 & CR0_TS)
        return core_fault(core, EXC_NM);
    outcome = segment_linear(core, insn->segment, offset, FX_BYTES, access, &linear);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if ((linear & 15) != 0)
        return core_fault_code(core, EXC_GP, 0);
    return memory_probe_bytes(core, insn->segment, offset, FX_BYTES, 1, access, ref);
}

static void fx_save_pointers(const struct core *core, const struct insn *insn, struct fx_image *image)
{
    const struct x87 *x87 = &core->x87;

    image->opcode = x87->opcode;
    image->instruction = x87->instruction;
    image->data = x87->data;
    if (insn->operand_size == 8)
        return;
    image->instruction = (uint32_t)x87->instruction | (uint64_t)x87->code_selector << 32;
    image->data = (uint32_t)x87->data | (uint64_t)x87->data_selector << 32;
}

/* Reserved bytes keep what memory holds, and so do the pointers unless an exception is pending. */
enum outcome exec_fxsave(struct core *core, const struct insn *insn)
{
    struct mem_ref ref;
    enum outcome outcome = fx_probe(core, insn, MMU_WRITE, &ref);
    struct fx_image image;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    ref_load_bytes(core, &ref, &image);
    image.control = core->x87.control;
    image.status = core->x87.status;
    image.tags = core->x87.full;
    image.reserved = 0;
    if (core->x87.status & X87_ES)
        fx_save_pointers(core, insn, &image);
    image.mxcsr = core->mxcsr;
    image.mxcsr_mask = mxcsr_implemented(core);
    for (unsigned i = 0; i < 8; i++) {
        struct x87_register *st = x87_st(core, i);

        image.st[i] = (union lanes){ .q = { st->significand, st->exponent } };
    }
    memcpy(image.xmm, core->xmm, fx_xmm_count(core) * sizeof(image.xmm[0]));
    ref_store_bytes(core, &ref, &image);
    return OUTCOME_NEXT;
}

static void fx_restore_pointers(struct core *core, const struct insn *insn, const struct fx_image *image)
{
    struct x87 *x87 = &core->x87;

    x87->opcode = image->opcode & 0x7FF;
    x87->instruction = image->instruction;
    x87->data = image->data;
    if (insn->operand_size == 8)
        return;
    x87->instruction = (uint32_t)image->instruction;
    x87->code_selector = (uint16_t)(image->instruction >> 32);
    x87->data = (uint32_t)image->data;
    x87->data_selector = (uint16_t)(image->data >> 32);
}

/*
 * Reserved bits of MXCSR raise #GP. assumed: without CR4.OSFXSR too, and XMM state is then saved and restored as
 * with it.
 */
enum outcome exec_fxrstor(struct core *core, const struct insn *insn)
{
    struct mem_ref ref;
    enum outcome outcome = fx_probe(core, insn, MMU_READ, &ref);
    struct fx_image image;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    ref_load_bytes(core, &ref, &image);
    if (image.mxcsr & ~mxcsr_implemented(core))
        return core_fault_code(core, EXC_GP, 0);
    core->x87.control = (image.control & X87_CONTROL_WRITABLE) | X87_CONTROL_ONE;
    core->x87.status = image.status;
    x87_summarize(core);
    core->x87.full = image.tags;
    if (core->x87.status & X87_ES)
        fx_restore_pointers(core, insn, &image);
    for (unsigned i = 0; i < 8; i++)
        *x87_st(core, i) = (struct x87_register){ image.st[i].q[0], (uint16_t)image.st[i].q[1] };
    core->mxcsr = image.mxcsr;
    memcpy(core->xmm, image.xmm, fx_xmm_count(core) * sizeof(image.xmm[0]));
    return OUTCOME_NEXT;
}
