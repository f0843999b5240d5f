/* SPDX-License-Identifier: MIT */
/*
 * What is particular to 64-bit kernels: they run at CPL 3 like their user code, on an L4 and a GS of their own. A
 * trap's frame on the kernel's stack says by RPL 0 in CS that it came from the kernel.
 */
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/pv/pv.h"
#include "hv/x86/cpu.h"

#define RFLAGS_TF (1u << 8)
#define RFLAGS_IOPL (3u << 12)
#define RFLAGS_NT (1u << 14)
#define RFLAGS_RF (1u << 16)
#define RFLAGS_VM (1u << 17)
#define RFLAGS_VIF_VIP (3u << 19)
#define RFLAGS_NEVER (RFLAGS_IOPL | RFLAGS_NT | RFLAGS_VM | RFLAGS_VIF_VIP)
#define CS_MASK_SHIFT 32 /* of the saved mask in the frame's CS */
#define STUBS 64

void pv64_set_mode(struct pv_vcpu *vcpu, bool kernel)
{
    uint64_t base = vcpu->gs_base;

    if (vcpu->kernel == kernel)
        return;
    vcpu->kernel = kernel;
    vcpu->gs_base = vcpu->other_gs_base;
    vcpu->other_gs_base = base;
}

void pv64_enter(struct pv_vcpu *vcpu, uint64_t rip, uint64_t rsp, uint64_t rsi)
{
    vcpu->frame = (struct trap_frame){ .rip = rip, .rsp = rsp, .rsi = rsi, .cs = PV_FLAT_CS64, .ss = PV_FLAT_DS,
                                       .rflags = RFLAGS_FIXED | RFLAGS_IF };
    vcpu->kernel = true;
    vcpu->kernel_sp = rsp;
    vcpu->kernel_ss = PV_FLAT_DS;
    vcpu->initialised = true;
}

/* What a kernel may put into RFLAGS; IF always, for hv's sake: the guest's own is the events' mask. */
uint64_t pv_flags_for_guest(uint64_t rflags)
{
    return (rflags & 0x3F7FD7ull & ~(uint64_t)RFLAGS_NEVER) | RFLAGS_FIXED | RFLAGS_IF;
}

uint64_t pv_flags_for_handler(uint64_t rflags)
{
    return rflags & ~(uint64_t)(RFLAGS_TF | RFLAGS_RF | RFLAGS_NEVER);
}

/* ---- Bounce frames --------------------------------------------------------------------------------------- */

/* The frame that the kernel's handler finds, lowest address first; how many words. */
static unsigned make_frame(const struct pv_vcpu *vcpu, bool masked, const uint64_t *extra, unsigned extras,
                           uint64_t words[12])
{
    const struct trap_frame *f = &vcpu->frame;
    struct pv_bounce_low low = { f->rcx, f->r11 };
    struct pv_bounce_high high = {
        .rip = f->rip,
        .cs = (vcpu->kernel ? f->cs & ~3ull : f->cs) | (uint64_t)masked << CS_MASK_SHIFT,
        .rflags = (f->rflags & ~(uint64_t)RFLAGS_IF) | (masked ? 0 : RFLAGS_IF) | (uint64_t)vcpu->iopl << 12,
        .rsp = f->rsp,
        .ss = f->ss,
    };

    memcpy(words, &low, sizeof(low));
    memcpy(words + 2, extra, extras * sizeof(words[0]));
    memcpy(words + 2 + extras, &high, sizeof(high));
    return 2 + extras + sizeof(high) / sizeof(words[0]);
}

/* Into the kernel, on its stack, at this address. */
static bool bounce(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, const struct pv_callback *to, const uint64_t *extra,
                   unsigned extras)
{
    uint64_t words[12], rsp;
    unsigned count = make_frame(vcpu, info->evtchn_upcall_mask, extra, extras, words);
    bool was_kernel = vcpu->kernel;

    rsp = ((was_kernel ? vcpu->frame.rsp : vcpu->kernel_sp) & ~15ull) - count * sizeof(words[0]);
    pv64_set_mode(vcpu, true);
    if (!pv_is_canonical(to->address) || !pv_copy_out(vcpu, rsp, words, count * sizeof(words[0]))) {
        pv64_set_mode(vcpu, was_kernel);
        return false;
    }
    vcpu->frame.rsp = rsp;
    vcpu->frame.rip = to->address;
    vcpu->frame.cs = PV_FLAT_CS64;
    vcpu->frame.ss = PV_FLAT_DS;
    vcpu->frame.rflags = pv_flags_for_handler(vcpu->frame.rflags);
    if (to->masks)
        info->evtchn_upcall_mask = 1;
    return true;
}

bool pv64_bounce_trap(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, unsigned vector, bool has_code, uint64_t code)
{
    const struct pv_trap_info *trap = &vcpu->traps[vector];
    struct pv_callback to = { .address = trap->address, .masks = trap->flags & TRAP_INFO_MASKS };

    if (!trap->address)
        return false;
    if (vector < 32)
        vcpu->counts.bounced[vector]++;
    return bounce(vcpu, info, &to, &code, has_code);
}

bool pv64_bounce_callback(struct pv_vcpu *vcpu, struct vcpu_info_64 *info, unsigned type)
{
    /* The failsafe callback gets the selectors that could not be loaded. */
    const uint64_t selectors[4] = { vcpu->ds, vcpu->es, vcpu->fs, vcpu->gs };

    if (!vcpu->callbacks[type].address)
        return false;
    return bounce(vcpu, info, &vcpu->callbacks[type], selectors, type == CALLBACKTYPE_FAILSAFE ? 4 : 0);
}

/* ---- iret ------------------------------------------------------------------------------------------------ */

bool pv64_iret(struct pv_vcpu *vcpu, struct vcpu_info_64 *info)
{
    struct trap_frame *f = &vcpu->frame;
    struct pv_iret iret;
    bool to_user;

    if (!pv_copy_in(vcpu, &iret, f->rsp, sizeof(iret)) || !pv_is_canonical(iret.rip))
        return false;
    to_user = (iret.cs & 3) == 3;
    if (to_user && !vcpu->user_root)
        return false;
    f->rip = iret.rip;
    f->cs = (iret.cs & 0xFFFF) | 3;
    f->ss = (iret.ss & 0xFFFF) | 3;
    f->rsp = iret.rsp;
    f->rflags = pv_flags_for_guest(iret.rflags);
    f->rax = iret.rax;
    if (iret.flags & VGCF_IN_SYSCALL) {
        f->rcx = iret.rip;
        f->r11 = iret.rflags;
        f->cs = PV_FLAT_CS64;
        f->ss = PV_FLAT_DS;
    } else {
        f->rcx = iret.rcx;
        f->r11 = iret.r11;
    }
    if (to_user)
        pv64_set_mode(vcpu, false);
    info->evtchn_upcall_mask = !(iret.rflags & RFLAGS_IF);
    pv_priority_end(vcpu);
    return true;
}

/* ---- vcpu_op initialise ---------------------------------------------------------------------------------- */

static void take_registers(struct pv_vcpu *vcpu, const struct pv_user_regs *r)
{
    vcpu->frame = (struct trap_frame){
        .r15 = r->r15, .r14 = r->r14, .r13 = r->r13, .r12 = r->r12, .rbp = r->rbp, .rbx = r->rbx, .r11 = r->r11,
        .r10 = r->r10, .r9 = r->r9, .r8 = r->r8, .rax = r->rax, .rcx = r->rcx, .rdx = r->rdx, .rsi = r->rsi,
        .rdi = r->rdi, .rip = r->rip, .cs = r->cs | 3u, .ss = (r->ss & 0xFFFF) | 3, .rsp = r->rsp,
        .rflags = pv_flags_for_guest(r->rflags),
    };
    vcpu->ds = (uint16_t)r->ds;
    vcpu->es = (uint16_t)r->es;
    vcpu->fs = (uint16_t)r->fs;
    vcpu->gs = (uint16_t)r->gs;
}

static void take_callbacks(struct pv_vcpu *vcpu, const struct pv_vcpu_context *c)
{
    memcpy(vcpu->traps, c->traps, sizeof(vcpu->traps));
    vcpu->callbacks[CALLBACKTYPE_EVENT] = (struct pv_callback){ .address = c->event_callback, .masks = true };
    vcpu->callbacks[CALLBACKTYPE_FAILSAFE] = (struct pv_callback){ .address = c->failsafe_callback, .masks = true };
    vcpu->callbacks[CALLBACKTYPE_SYSCALL] =
        (struct pv_callback){ .address = c->syscall_callback, .masks = c->flags & VGCF_SYSCALL_DISABLES_EVENTS };
}

static bool is_good(const struct pv_vcpu_context *c)
{
    return c->flags & VGCF_IN_KERNEL && pv_is_canonical(c->user_regs.rip) && pv_is_canonical(c->fs_base) &&
           pv_is_canonical(c->gs_base_kernel) && pv_is_canonical(c->gs_base_user) && c->ldt_ents == 0 &&
           c->gdt_ents <= PV_GDT_RESERVED / 8;
}

/* hv begins vCPUs in kernel mode and without LDT; their kernel can ask for one. The caller holds the guest's lock. */
int64_t pv64_set_context(struct pv_vcpu *vcpu, const struct pv_vcpu_context *c)
{
    int64_t error = is_good(c) ? pv_set_gdt(vcpu, c->gdt_frames, (unsigned)c->gdt_ents) : -XEN_EINVAL;

    if (!error)
        error = pv_set_root(vcpu, true, c->ctrlreg[3] / PAGE_SIZE);
    if (!error)
        error = pv_set_root(vcpu, false, c->ctrlreg[1] / PAGE_SIZE);
    if (error)
        return error;
    take_registers(vcpu, &c->user_regs);
    take_callbacks(vcpu, c);
    vcpu->kernel = true;
    vcpu->kernel_sp = c->kernel_sp;
    vcpu->kernel_ss = (uint16_t)c->kernel_ss;
    vcpu->fs_base = c->fs_base;
    vcpu->gs_base = c->gs_base_kernel;
    vcpu->other_gs_base = c->gs_base_user;
    vcpu->initialised = true;
    return 0;
}

/* ---- The hypercall page ---------------------------------------------------------------------------------- */

void pv64_hypercall_page(uint8_t page[4096])
{
    /* push RCX and R11, which SYSCALL takes; mov EAX, number; syscall; pop them; ret */
    static const uint8_t stub[] = { 0x51, 0x41, 0x53, 0xB8, 0, 0, 0, 0, 0x0F, 0x05, 0x41, 0x5B, 0x59, 0xC3 };
    /* iret does not come back: its frame begins with RAX, R11, RCX as pushed */
    static const uint8_t iret[] = { 0x51, 0x41, 0x53, 0x50, 0xB8, HYPERCALL_IRET, 0, 0, 0, 0x0F, 0x05 };

    memset(page, 0xCC, PAGE_SIZE);
    for (unsigned i = 0; i < STUBS; i++) {
        memcpy(page + i * HYPERCALL_STUB_BYTES, stub, sizeof(stub));
        page[i * HYPERCALL_STUB_BYTES + 4] = (uint8_t)i;
    }
    memcpy(page + HYPERCALL_IRET * HYPERCALL_STUB_BYTES, iret, sizeof(iret));
}
