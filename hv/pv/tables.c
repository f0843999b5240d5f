/* SPDX-License-Identifier: MIT */
/* Roots of page tables, GDT, LDT: frames that a vCPU uses by itself. The caller holds the guest's lock. */
#include "hv/pv/pv.h"

#include "hv/core/memory.h"

#define LDT_ENTRY 16 /* of a vCPU's 32 */
#define DESCRIPTORS_PER_FRAME (PAGE_SIZE / 8)
#define LDT_ENTRIES_MAX 8192
#define DESCRIPTOR_LDT 0x0000820000000000ull /* present, type 2 */

static int64_t use(struct pv_types *types, uint64_t frame, enum pv_type type)
{
    int64_t error = pv_type_get(types, frame, type);

    if (!error)
        pv_machine_frame(frame)->refs++;
    return error;
}

static void unuse(struct pv_types *types, uint64_t frame)
{
    pv_machine_frame(frame)->refs--;
    pv_type_put(types, frame);
}

/* An L3, behind hv's own L4; for both modes. */
static int64_t set_narrow_root(struct pv_vcpu *vcpu, uint64_t frame)
{
    struct pv_types *types = &vcpu->guest->types;
    uint64_t old = vcpu->narrow_root;
    int64_t error = frame ? use(types, frame, PV_L3) : -XEN_EINVAL;

    if (error)
        return error;
    vcpu->narrow_root = frame;
    vcpu->own_root[0] = frame * PAGE_SIZE | PTE_P | PTE_W | PTE_U;
    if (old)
        unuse(types, old);
    return 0;
}

int64_t pv_set_root(struct pv_vcpu *vcpu, bool kernel, uint64_t frame)
{
    struct pv_types *types = &vcpu->guest->types;
    uint64_t *root = kernel ? &vcpu->kernel_root : &vcpu->user_root;
    uint64_t old = *root;
    int64_t error;

    if (types->narrow)
        return set_narrow_root(vcpu, frame);
    error = frame ? use(types, frame, PV_L4) : kernel ? -XEN_EINVAL : 0;
    if (error)
        return error;
    *root = frame * PAGE_SIZE;
    if (old)
        unuse(types, old / PAGE_SIZE);
    return 0;
}

/* ---- GDT ------------------------------------------------------------------------------------------------- */

static unsigned frames_of(unsigned entries)
{
    return (entries + DESCRIPTORS_PER_FRAME - 1) / DESCRIPTORS_PER_FRAME;
}

static void drop_gdt(struct pv_vcpu *vcpu)
{
    for (unsigned i = 0; i < frames_of(vcpu->gdt_entries); i++) {
        vcpu->tables[i] = 0;
        unuse(&vcpu->guest->types, vcpu->gdt_frames[i]);
    }
    vcpu->gdt_entries = 0;
}

int64_t pv_set_gdt(struct pv_vcpu *vcpu, const uint64_t *frames, unsigned entries)
{
    struct pv_types *types = &vcpu->guest->types;

    if (entries > PV_GDT_RESERVED / 8)
        return -XEN_EINVAL;
    for (unsigned i = 0; i < frames_of(entries); i++) {
        int64_t error = use(types, frames[i], PV_DESCRIPTORS);

        while (error && i > 0)
            unuse(types, frames[--i]);
        if (error)
            return error;
    }
    drop_gdt(vcpu);
    for (unsigned i = 0; i < frames_of(entries); i++) {
        vcpu->gdt_frames[i] = frames[i];
        vcpu->tables[i] = frames[i] * PAGE_SIZE | PTE_P | PTE_NX;
    }
    vcpu->gdt_entries = entries;
    return 0;
}

/* ---- LDT: its frames are found by the kernel's page tables, once ----------------------------------------- */

static void drop_ldt(struct pv_vcpu *vcpu)
{
    for (unsigned i = 0; i < frames_of(vcpu->ldt_entries); i++) {
        unuse(&vcpu->guest->types, vcpu->tables[LDT_ENTRY + i] / PAGE_SIZE & (PTE_ADDRESS >> 12));
        vcpu->tables[LDT_ENTRY + i] = 0;
    }
    vcpu->ldt_entries = 0;
    vcpu->ldt = 0;
}

static void describe_ldt(struct pv_vcpu *vcpu)
{
    uint64_t base = PV_TABLES_START + ((uint64_t)vcpu->id * 32 + LDT_ENTRY) * PAGE_SIZE;
    uint64_t *descriptor = &vcpu->reserved_gdt[(PV_SELECTOR_LDT - PV_GDT_RESERVED) / 8];
    uint64_t limit = vcpu->ldt_entries * 8ull - 1;

    descriptor[0] = DESCRIPTOR_LDT | (limit & 0xFFFF) | (limit >> 16 & 0xF) << 48 | (base & 0xFFFFFF) << 16 |
                    (base >> 24 & 0xFF) << 56;
    descriptor[1] = base >> 32;
    vcpu->ldt = PV_SELECTOR_LDT;
}

int64_t pv_set_ldt(struct pv_vcpu *vcpu, uint64_t linear, unsigned entries)
{
    struct pv_types *types = &vcpu->guest->types;
    uint64_t frames[LDT_ENTRIES_MAX / DESCRIPTORS_PER_FRAME];

    if (entries > LDT_ENTRIES_MAX || linear % PAGE_SIZE)
        return -XEN_EINVAL;
    for (unsigned i = 0; i < frames_of(entries); i++) {
        uint64_t address;
        int64_t error = pv_walk(vcpu->kernel_root, linear + (uint64_t)i * PAGE_SIZE, false, &address) ? 0 : -XEN_EFAULT;

        frames[i] = address / PAGE_SIZE;
        if (!error)
            error = use(types, frames[i], PV_DESCRIPTORS);
        while (error && i > 0)
            unuse(types, frames[--i]);
        if (error)
            return error;
    }
    drop_ldt(vcpu);
    vcpu->ldt_base = linear;
    vcpu->ldt_entries = entries;
    for (unsigned i = 0; i < frames_of(entries); i++)
        vcpu->tables[LDT_ENTRY + i] = frames[i] * PAGE_SIZE | PTE_P | PTE_NX;
    if (entries)
        describe_ldt(vcpu);
    return 0;
}

int64_t pv_update_descriptor(struct pv_guest *guest, uint64_t address, uint64_t descriptor)
{
    const struct pv_frame *frame = pv_machine_frame(address / PAGE_SIZE);
    uint64_t *at = memory_pointer(address);

    if (address % 8 || !pv_owns(&guest->types, address / PAGE_SIZE) || !pv_descriptor_check(&guest->types, &descriptor))
        return -XEN_EINVAL;
    if (frame->type != PV_DESCRIPTORS && frame->type != PV_WRITABLE && frame->type != PV_NONE)
        return -XEN_EBUSY;
    __atomic_store_n(at, descriptor, __ATOMIC_RELEASE);
    return 0;
}
