/* SPDX-License-Identifier: MIT */
/*
 * What is particular to 32-bit kernels: they run at CPL 1, their user code at CPL 3, both in compatibility mode, on one
 * PAE root. CPL 1 is supervisor to page tables: what keeps it out of hv's memory is that 32-bit code has no address
 * above 4 GiB, and that no descriptor of its own has L=1 (types.c); read-only pages are that because hv has CR0.WP set.
 *
 * assumed: stack segments are flat, as all kernels' are.
 */
#include "hv/pv/pv.h"

#include "hv/abi/pv32.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/x86/cpu.h"

#define RPL(selector) ((selector) & 3u)
#define RPL_KERNEL 1u
#define RPL_USER 3u
#define STUBS 64

static void fill_gdt(uint64_t *gdt)
{
    gdt[(PV32_KERNEL_CS - PV_GDT_RESERVED) / 8] = 0x00CFBB000000FFFFull;
    gdt[(PV32_KERNEL_DS - PV_GDT_RESERVED) / 8] = 0x00CFB3000000FFFFull;
    gdt[(PV32_USER_CS - PV_GDT_RESERVED) / 8] = 0x00CFFB000000FFFFull;
    gdt[(PV32_USER_DS - PV_GDT_RESERVED) / 8] = 0x00CFF3000000FFFFull;
}

/* An L4 of hv's own: its first entry leads to the guest's L3, which PAE would have in CR3. */
static bool make_root(struct pv_vcpu *vcpu)
{
    uint64_t page = memory_alloc(ORDER_4K);

    if (!page)
        return false;
    vcpu->own_root = text_zero(memory_pointer(page), PAGE_SIZE);
    for (unsigned i = PV_RESERVED_FIRST; i < PV_RESERVED_END; i++)
        vcpu->own_root[i] = vcpu->guest->types.hv_slots[i - PV_RESERVED_FIRST];
    vcpu->kernel_root = vcpu->user_root = page;
    return true;
}

bool pv32_guest_begin(struct pv_guest *guest)
{
    guest->types.narrow = true;
    for (unsigned i = 0; i < guest->vcpu_count; i++) {
        if (!make_root(guest->vcpus[i]))
            return false;
        fill_gdt(guest->vcpus[i]->reserved_gdt);
    }
    return true;
}

void pv32_enter(struct pv_vcpu *vcpu, uint32_t eip, uint32_t esp, uint32_t esi)
{
    vcpu->frame = (struct trap_frame){ .rip = eip, .rsp = esp, .rsi = esi, .cs = PV32_KERNEL_CS, .ss = PV32_KERNEL_DS,
                                       .rflags = RFLAGS_FIXED | RFLAGS_IF };
    vcpu->ds = vcpu->es = vcpu->fs = vcpu->gs = PV32_KERNEL_DS;
    vcpu->kernel = true;
    vcpu->kernel_sp = esp;
    vcpu->kernel_ss = PV32_KERNEL_DS;
    vcpu->initialised = true;
}

uint16_t pv32_kernel_selector(uint16_t selector)
{
    return RPL(selector) == 0 ? selector | RPL_KERNEL : selector;
}

/* ---- Bounce frames --------------------------------------------------------------------------------------- */

static bool bounce(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, const struct pv_callback *to, const uint32_t *extra,
                   unsigned extras)
{
    struct trap_frame *f = &vcpu->frame;
    bool same_ring = RPL(f->cs) == RPL_KERNEL, masked = info->evtchn_upcall_mask;
    uint32_t words[9] = { 0 }, esp = (uint32_t)(same_ring ? f->rsp : vcpu->kernel_sp);
    unsigned count = extras + (same_ring ? 3 : 5);

    memcpy(words, extra, extras * sizeof(words[0]));
    words[extras] = (uint32_t)f->rip;
    words[extras + 1] = (uint32_t)(f->cs & 0xFFFF) | (uint32_t)masked << PV32_MASK_SHIFT;
    words[extras + 2] = ((uint32_t)f->rflags & ~RFLAGS_IF) | (masked ? 0 : RFLAGS_IF) | vcpu->iopl << 12;
    if (!same_ring) {
        words[extras + 3] = (uint32_t)f->rsp;
        words[extras + 4] = (uint32_t)f->ss;
    }
    esp -= count * sizeof(words[0]);
    if (esp > UINT32_MAX - count * sizeof(words[0]) || !pv_copy_out(vcpu, esp, words, count * sizeof(words[0])))
        return false;
    f->rsp = esp;
    f->rip = (uint32_t)to->address;
    f->cs = to->cs;
    if (!same_ring)
        f->ss = vcpu->kernel_ss;
    f->rflags = pv_flags_for_handler(f->rflags);
    vcpu->kernel = true;
    if (to->masks)
        info->evtchn_upcall_mask = 1;
    return true;
}

bool pv32_bounce_trap(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, unsigned vector, bool has_code, uint64_t code)
{
    const struct pv_trap_info *trap = &vcpu->traps[vector];
    struct pv_callback to = { trap->address, trap->flags & TRAP_INFO_MASKS, trap->cs };
    uint32_t word = (uint32_t)code;

    if (!trap->address)
        return false;
    if (vector < 32)
        vcpu->counts.bounced[vector]++;
    return bounce(vcpu, info, &to, &word, has_code);
}

bool pv32_bounce_callback(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, unsigned type)
{
    const uint32_t selectors[4] = { vcpu->ds, vcpu->es, vcpu->fs, vcpu->gs };

    if (!vcpu->callbacks[type].address)
        return false;
    return bounce(vcpu, info, &vcpu->callbacks[type], selectors, type == CALLBACKTYPE_FAILSAFE ? 4 : 0);
}

/* ---- iret ------------------------------------------------------------------------------------------------ */

/* CPL 1 or 3: nobody is at CPL 2, and 0 means the kernel's. */
bool pv32_iret(struct pv_vcpu *vcpu, struct vcpu_info_64 *info)
{
    struct trap_frame *f = &vcpu->frame;
    uint32_t esp = (uint32_t)f->rsp;
    struct pv32_iret iret;

    if (!pv_copy_in(vcpu, &iret, esp, PV32_IRET_SAME_RING_BYTES))
        return false;
    iret.cs = pv32_kernel_selector((uint16_t)iret.cs);
    if (RPL(iret.cs) == 2)
        return false;
    if (RPL(iret.cs) == RPL_USER && !pv_copy_in(vcpu, &iret, esp, sizeof(iret)))
        return false;
    f->rsp = RPL(iret.cs) == RPL_USER ? iret.esp : esp + PV32_IRET_SAME_RING_BYTES;
    if (RPL(iret.cs) == RPL_USER)
        f->ss = (uint16_t)iret.ss | RPL_USER;
    f->rax = iret.eax;
    f->rip = iret.eip;
    f->cs = (uint16_t)iret.cs;
    f->rflags = pv_flags_for_guest(iret.eflags);
    vcpu->kernel = RPL(iret.cs) != RPL_USER;
    info->evtchn_upcall_mask = !(iret.eflags & RFLAGS_IF);
    pv_priority_end(vcpu);
    return true;
}

/* ---- The hypercall page ---------------------------------------------------------------------------------- */

void pv32_hypercall_page(uint8_t page[4096])
{
    /* mov EAX, number; int 82h; ret */
    static const uint8_t stub[] = { 0xB8, 0, 0, 0, 0, 0xCD, PV32_HYPERCALL_VECTOR, 0xC3 };
    /* iret does not come back: its frame begins with EAX as pushed */
    static const uint8_t iret[] = { 0x50, 0xB8, HYPERCALL_IRET, 0, 0, 0, 0xCD, PV32_HYPERCALL_VECTOR };

    memset(page, 0xCC, PAGE_SIZE);
    for (unsigned i = 0; i < STUBS; i++) {
        memcpy(page + i * HYPERCALL_STUB_BYTES, stub, sizeof(stub));
        page[i * HYPERCALL_STUB_BYTES + 1] = (uint8_t)i;
    }
    memcpy(page + HYPERCALL_IRET * HYPERCALL_STUB_BYTES, iret, sizeof(iret));
}
