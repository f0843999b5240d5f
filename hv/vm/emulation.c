/* SPDX-License-Identifier: MIT */
#include "hv/vm/emulation.h"

#include "hv/core/memory.h"
#include "hv/vm/exits.h"
#include "hv/x86/cpu.h"

#define CR0_WP (1ull << 16)
#define CPUID_EDX_PAGE1GB (1u << 26)

static unsigned code_width(const struct svm_vcpu *svm)
{
    if (svm_guest_in_64bit(svm))
        return 64;
    return svm->vmcb->cs.attributes & SEGMENT_D ? 32 : 16;
}

static void read_registers(const struct svm_vcpu *svm, struct emulate_registers *to)
{
    const struct vmcb *vmcb = svm->vmcb;
    const struct vmcb_segment *segments[EMULATE_SEGMENTS] = { &vmcb->es, &vmcb->cs, &vmcb->ss, &vmcb->ds, &vmcb->fs,
                                                              &vmcb->gs };

    for (unsigned i = 0; i < 16; i++)
        to->gpr[i] = svm_gpr(svm, i);
    for (unsigned i = 0; i < EMULATE_SEGMENTS; i++)
        to->base[i] = segments[i]->base;
    to->rip = vmcb->rip;
    to->rflags = vmcb->rflags;
}

bool emulation_fetch(struct vcpu *vcpu, struct emulate_insn *insn, struct emulate_registers *registers)
{
    uint8_t bytes[INSTRUCTION_MAX];

    read_registers(&vcpu->svm, registers);
    return emulate_decode(bytes, exit_fetch(vcpu, bytes), code_width(&vcpu->svm), insn);
}

void emulation_commit(struct vcpu *vcpu, const struct emulate_registers *registers)
{
    for (unsigned i = 0; i < 16; i++)
        svm_set_gpr(&vcpu->svm, i, registers->gpr[i]);
    svm_set_rflags(&vcpu->svm, registers->rflags);
    svm_set_rip(&vcpu->svm, registers->rip);
}

/* ---- Memory ------------------------------------------------------------------------------------------------- */

static void *frame_memory(void *ctx, uint64_t gfn, bool write)
{
    struct guest *guest = ctx;
    enum npt_size size;
    uint64_t spa;

    if (!npt_lookup(&guest->npt, gfn << 12, &spa, &size) &&
        !(guest_populate(guest, gfn << 12) && npt_lookup(&guest->npt, gfn << 12, &spa, &size)))
        return NULL;
    if (write)
        log_dirty_mark(&guest->log, gfn);
    return memory_pointer(spa);
}

void emulation_paging(struct vcpu *vcpu, struct guest_paging *paging)
{
    struct svm_paging now = svm_guest_paging(&vcpu->svm);
    struct guest_frames frames = { vcpu->guest, frame_memory };

    *paging = (struct guest_paging){
        .format = guest_format_of(now.cr0, now.cr4, now.efer, cpuid(0x80000001, 0).edx & CPUID_EDX_PAGE1GB),
        .cr3 = now.cr3, .wp = now.cr0 & CR0_WP, .nxe = now.efer & EFER_NXE,
    };
    if (paging->format && guest_format_is_pae(paging->format) && !guest_load_pdptes(&frames, now.cr3, paging->pdpte))
        for (unsigned i = 0; i < 4; i++)
            paging->pdpte[i] = 0;
}

static enum emulate_status translate(struct vcpu *vcpu, uint64_t linear, unsigned size, unsigned access, uint64_t *gpa,
                                     struct emulation_fault *fault)
{
    if ((linear & (PAGE_SIZE - 1)) + size > PAGE_SIZE)
        return EMULATE_CANNOT;
    if (vcpu->svm.vmcb->cpl == 3)
        access |= WALK_U;
    return emulation_translate(vcpu, linear, access, gpa, fault);
}

enum emulate_status emulation_translate(struct vcpu *vcpu, uint64_t linear, unsigned access, uint64_t *gpa,
                                        struct emulation_fault *fault)
{
    struct guest_frames frames = { vcpu->guest, frame_memory };
    struct guest_paging paging;
    struct guest_walk walk;

    emulation_paging(vcpu, &paging);
    switch (guest_walk(&paging, &frames, linear, access, &walk)) {
    case GUEST_WALK_OK:
        *gpa = walk.gpa;
        return EMULATE_DONE;
    case GUEST_WALK_FAULT:
        *fault = (struct emulation_fault){ linear, walk.code };
        return EMULATE_FAULT;
    default:
        return EMULATE_CANNOT;
    }
}

enum emulate_status emulation_read(struct vcpu *vcpu, uint64_t linear, void *data, unsigned size,
                                   struct emulation_fault *fault)
{
    uint64_t gpa;
    enum emulate_status status = translate(vcpu, linear, size, 0, &gpa, fault);

    if (status != EMULATE_DONE)
        return status;
    return guest_read(vcpu->guest, gpa, data, size) ? EMULATE_DONE : EMULATE_CANNOT;
}

enum emulate_status emulation_write(struct vcpu *vcpu, uint64_t linear, const void *data, unsigned size,
                                    struct emulation_fault *fault)
{
    uint64_t gpa;
    enum emulate_status status = translate(vcpu, linear, size, WALK_W, &gpa, fault);

    if (status != EMULATE_DONE)
        return status;
    return guest_write(vcpu->guest, gpa, data, size) ? EMULATE_DONE : EMULATE_CANNOT;
}
