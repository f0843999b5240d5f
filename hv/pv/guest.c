/* SPDX-License-Identifier: MIT */
/* A paravirtual guest: hv's tables for it, its vCPUs. */
#include "hv/core/lapic.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/core/traps.h"
#include "hv/pv/pv.h"
#include "hv/x86/cpu.h"

#define TABLE_RIGHTS (PTE_P | PTE_W)
#define VCPU_ORDER 2
#define VCPU_ENTRIES 32 /* of the L1: 16 of the GDT, 16 of the LDT */
#define GDT_RESERVED_ENTRY (PV_GDT_RESERVED / PAGE_SIZE)
#define DR6_RESET 0xFFFF0FF0ull
#define DR7_RESET 0x400ull

_Static_assert(sizeof(struct pv_vcpu) <= (size_t)PAGE_SIZE << VCPU_ORDER, "room for a vCPU");
_Static_assert(offsetof(struct pv_vcpu, ds) == PV_VCPU_DS && offsetof(struct pv_vcpu, gs) == PV_VCPU_GS &&
               offsetof(struct pv_vcpu, ldt) == PV_VCPU_LDT && offsetof(struct pv_vcpu, fs_base) == PV_VCPU_FS_BASE &&
               offsetof(struct pv_vcpu, gs_base) == PV_VCPU_GS_BASE &&
               offsetof(struct trap_frame, rip) == PV_FRAME_RIP &&
               offsetof(struct trap_frame, vector) == PV_FRAME_VECTOR, "known to pv_entry.S");

extern uint64_t boot_pdpt[];

static void *zeroed(unsigned order)
{
    uint64_t at = memory_alloc(order);

    return at ? text_zero(memory_pointer(at), (size_t)PAGE_SIZE << order) : NULL;
}

static void release(void *page, unsigned order)
{
    if (page)
        memory_free((uintptr_t)page, order);
}

static uint64_t *frame_memory(void *ctx, uint64_t frame)
{
    (void)ctx;
    return memory_pointer(frame * PAGE_SIZE);
}

static struct pv_frame *frame_record(void *ctx, uint64_t frame)
{
    (void)ctx;
    return pv_machine_frame(frame);
}

/* The hypercall's own vCPU is in no guest mode now, and comes back with CR3 loaded anew. */
static void flush_others(void *ctx)
{
    pv_flush(ctx, NULL);
}

void pv_flush(struct pv_guest *guest, const struct pv_vcpu *self)
{
    for (unsigned i = 0; i < guest->vcpu_count; i++) {
        const struct pv_vcpu *vcpu = guest->vcpus[i];
        uint64_t entered = __atomic_load_n(&vcpu->entered, __ATOMIC_SEQ_CST);

        if (vcpu == self || !__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST))
            continue;
        lapic_send_fixed(vcpu->apic_id, VECTOR_FLUSH);
        while (__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST) &&
               __atomic_load_n(&vcpu->entered, __ATOMIC_SEQ_CST) == entered)
            cpu_pause();
    }
}

/* hv's part of the GDT: numbers as in Xen's public headers. */
static void fill_reserved_gdt(uint64_t *gdt)
{
    gdt[(PV_SELECTOR_CODE - PV_GDT_RESERVED) / 8] = 0x00AF9B000000FFFFull;
    gdt[(PV_SELECTOR_DATA - PV_GDT_RESERVED) / 8] = 0x00CF93000000FFFFull;
    gdt[(PV_FLAT_CS32 - PV_GDT_RESERVED) / 8] = 0x00CFFB000000FFFFull;
    gdt[(PV_FLAT_DS - PV_GDT_RESERVED) / 8] = 0x00CFF3000000FFFFull;
    gdt[(PV_FLAT_CS64 - PV_GDT_RESERVED) / 8] = 0x00AFFB000000FFFFull;
}

static struct pv_vcpu *new_vcpu(struct pv_guest *guest, unsigned id)
{
    struct pv_vcpu *vcpu = zeroed(VCPU_ORDER);

    if (!vcpu)
        return NULL;
    guest->vcpus[id] = vcpu;
    vcpu->guest = guest;
    vcpu->id = id;
    vcpu->fpu = zeroed(ORDER_4K);
    vcpu->reserved_gdt = zeroed(ORDER_4K);
    if (!vcpu->fpu || !vcpu->reserved_gdt)
        return NULL;
    vcpu->tables = &guest->tables_l1[id * VCPU_ENTRIES];
    fill_reserved_gdt(vcpu->reserved_gdt);
    vcpu->tables[GDT_RESERVED_ENTRY] = (uintptr_t)vcpu->reserved_gdt | PTE_P | PTE_NX;
    *(uint16_t *)vcpu->fpu = 0x037F; /* FCW and MXCSR as FNINIT and RESET leave them */
    *(uint32_t *)((char *)vcpu->fpu + 24) = 0x1F80;
    vcpu->dr6 = DR6_RESET;
    vcpu->dr7 = DR7_RESET;
    vcpu->kernel = true;
    return vcpu;
}

static bool make_tables(struct pv_guest *guest)
{
    guest->tables_pdpt = zeroed(ORDER_4K);
    guest->tables_directory = zeroed(ORDER_4K);
    guest->tables_l1 = zeroed(ORDER_4K);
    if (!guest->tables_pdpt || !guest->tables_directory || !guest->tables_l1)
        return false;
    guest->tables_pdpt[0] = (uintptr_t)guest->tables_directory | TABLE_RIGHTS;
    guest->tables_directory[0] = (uintptr_t)guest->tables_l1 | TABLE_RIGHTS;
    return true;
}

struct pv_guest *pv_guest_new(uint16_t owner, unsigned vcpus)
{
    struct pv_guest *guest = pv_machine_init() ? zeroed(ORDER_4K) : NULL;
    bool ok;

    _Static_assert(sizeof(*guest) <= PAGE_SIZE, "one page");
    if (!guest)
        return NULL;
    guest->types = (struct pv_types){ .owner = owner, .ctx = guest, .frame = frame_record, .memory = frame_memory,
                                      .flush = flush_others };
    ok = make_tables(guest);
    for (unsigned i = 0; ok && i < vcpus; i++) {
        ok = new_vcpu(guest, i);
        guest->vcpu_count = i + 1;
    }
    if (!ok) {
        pv_guest_free(guest);
        return NULL;
    }
    guest->types.hv_slots[PV_SLOT_M2P - PV_RESERVED_FIRST] = pv_m2p_root();
    guest->types.hv_slots[PV_SLOT_TABLES - PV_RESERVED_FIRST] = (uintptr_t)guest->tables_pdpt | TABLE_RIGHTS;
    guest->types.hv_slots[PV_SLOT_ALIAS - PV_RESERVED_FIRST] = (uintptr_t)boot_pdpt | TABLE_RIGHTS;
    return guest;
}

void pv_guest_free(struct pv_guest *guest)
{
    for (unsigned i = 0; i < guest->vcpu_count; i++) {
        struct pv_vcpu *vcpu = guest->vcpus[i];

        if (!vcpu)
            continue;
        release(vcpu->fpu, ORDER_4K);
        release(vcpu->reserved_gdt, ORDER_4K);
        release(vcpu->own_root, ORDER_4K);
        release(vcpu, VCPU_ORDER);
    }
    release(guest->arrival, guest->arrival_order);
    release(guest->tables_pdpt, ORDER_4K);
    release(guest->tables_directory, ORDER_4K);
    release(guest->tables_l1, ORDER_4K);
    release(guest, ORDER_4K);
}
