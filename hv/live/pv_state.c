/* SPDX-License-Identifier: MIT */
/* The vCPUs of a paravirtual guest in a stream. */
#include "hv/live/pv_state.h"

#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/pv_frames.h"
#include "hv/vm/pv_guest.h"

#define STATE_ORDER 1
#define FXSAVE_BYTES 512
#define FXSAVE_MXCSR 24
#define MXCSR_DEFINED 0x2FFFFu /* Family 10h: with DAZ and MM */

struct state_pv {
    bool up, initialised, kernel, ts, nmi_pending, mce_pending;
    struct trap_frame frame;
    uint16_t ds, es, fs, gs, kernel_ss;
    uint64_t fs_base, gs_base, other_gs_base, kernel_sp, cr2, cr4;
    uint64_t kernel_root, user_root; /* the guest's own numbers; NO_FRAME: none */
    uint64_t breakpoints[4], dr6, dr7;
    uint32_t iopl, gdt_entries, ldt_entries, priority, saved[3];
    uint64_t gdt[PV_GDT_FRAMES], ldt_base;
    struct pv_trap_info traps[256];
    struct pv_callback callbacks[CALLBACKTYPE_COUNT];
    uint8_t fpu[FXSAVE_BYTES];
};
_Static_assert(sizeof(struct state_pv) <= (size_t)PAGE_SIZE << STATE_ORDER, "its room");

static const struct stream_field fields[] = {
    STREAM_FIELD(struct state_pv, up), STREAM_FIELD(struct state_pv, initialised),
    STREAM_FIELD(struct state_pv, kernel), STREAM_FIELD(struct state_pv, ts),
    STREAM_FIELD(struct state_pv, nmi_pending), STREAM_FIELD(struct state_pv, mce_pending),
    STREAM_FIELD(struct state_pv, frame), STREAM_FIELD(struct state_pv, ds), STREAM_FIELD(struct state_pv, es),
    STREAM_FIELD(struct state_pv, fs), STREAM_FIELD(struct state_pv, gs), STREAM_FIELD(struct state_pv, kernel_ss),
    STREAM_FIELD(struct state_pv, fs_base), STREAM_FIELD(struct state_pv, gs_base),
    STREAM_FIELD(struct state_pv, other_gs_base), STREAM_FIELD(struct state_pv, kernel_sp),
    STREAM_FIELD(struct state_pv, cr2), STREAM_FIELD(struct state_pv, cr4),
    STREAM_FIELD(struct state_pv, kernel_root), STREAM_FIELD(struct state_pv, user_root),
    STREAM_FIELD(struct state_pv, breakpoints), STREAM_FIELD(struct state_pv, dr6),
    STREAM_FIELD(struct state_pv, dr7), STREAM_FIELD(struct state_pv, iopl),
    STREAM_FIELD(struct state_pv, gdt_entries), STREAM_FIELD(struct state_pv, ldt_entries),
    STREAM_FIELD(struct state_pv, priority), STREAM_FIELD(struct state_pv, saved), STREAM_FIELD(struct state_pv, gdt),
    STREAM_FIELD(struct state_pv, ldt_base), STREAM_FIELD(struct state_pv, traps),
    STREAM_FIELD(struct state_pv, callbacks), STREAM_FIELD(struct state_pv, fpu),
};

/* ---- Going ----------------------------------------------------------------------------------------------- */

static bool number(const struct guest *guest, uint64_t frame, uint64_t *pfn)
{
    const uint64_t *place = pv_p2m_place(guest, pv_m2p(frame));

    *pfn = pv_m2p(frame);
    return place && *place == frame;
}

/* What lies in frames; false: one has no number. */
static bool put_frames(const struct guest *guest, const struct pv_vcpu *pv, struct state_pv *state)
{
    bool ok = true;

    state->kernel_root = state->user_root = NO_FRAME;
    if (pv->kernel_root)
        ok = number(guest, pv->kernel_root / PAGE_SIZE, &state->kernel_root);
    if (ok && pv->user_root)
        ok = number(guest, pv->user_root / PAGE_SIZE, &state->user_root);
    for (unsigned i = 0; ok && i < (pv->gdt_entries + 511) / 512; i++)
        ok = number(guest, pv->gdt_frames[i], &state->gdt[i]);
    state->gdt_entries = pv->gdt_entries;
    state->ldt_base = pv->ldt_base;
    state->ldt_entries = pv->ldt_entries;
    return ok;
}

static void put_registers(const struct pv_vcpu *pv, struct state_pv *state)
{
    state->initialised = pv->initialised;
    state->kernel = pv->kernel;
    state->ts = pv->ts;
    state->nmi_pending = pv->nmi_pending;
    state->mce_pending = pv->mce_pending;
    state->frame = pv->frame;
    state->ds = pv->ds;
    state->es = pv->es;
    state->fs = pv->fs;
    state->gs = pv->gs;
    state->kernel_ss = pv->kernel_ss;
    state->fs_base = pv->fs_base;
    state->gs_base = pv->gs_base;
    state->other_gs_base = pv->other_gs_base;
    state->kernel_sp = pv->kernel_sp;
    state->cr2 = pv->cr2;
    state->cr4 = pv->cr4;
    state->dr6 = pv->dr6;
    state->dr7 = pv->dr7;
    state->iopl = pv->iopl;
    state->priority = pv->priority;
    for (unsigned i = 0; i < 3; i++)
        state->saved[i] = pv->saved[i];
    memcpy(state->breakpoints, pv->breakpoints, sizeof(state->breakpoints));
    memcpy(state->traps, pv->traps, sizeof(state->traps));
    memcpy(state->callbacks, pv->callbacks, sizeof(state->callbacks));
    memcpy(state->fpu, pv->fpu, sizeof(state->fpu));
}

const char *pv_state_put_vcpu(struct stream_writer *writer, const struct guest *guest, unsigned id)
{
    struct state_pv *state = memory_pointer(memory_alloc(STATE_ORDER));
    const struct vcpu *vcpu = &guest->vcpus[id];
    bool ok;

    if (!state)
        return "not enough memory";
    text_zero(state, sizeof(*state));
    put_registers(vcpu->pv, state);
    state->up = vcpu->state == VCPU_RUNNABLE || vcpu->state == VCPU_BLOCKED;
    if (id == guest->pv->suspend.vcpu)
        state->frame.rax = 0; /* what sched_op returns there */
    ok = put_frames(guest, vcpu->pv, state);
    stream_put_u64(writer, id);
    stream_put_fields(writer, state, STREAM_FIELDS(fields));
    memory_free((uintptr_t)state, STATE_ORDER);
    return ok ? NULL : "a vCPU uses a frame that the guest's list of frames does not have";
}

/* ---- Coming ---------------------------------------------------------------------------------------------- */

static bool is_flag(const bool *flag)
{
    return *(const uint8_t *)flag <= 1;
}

static bool is_known_rank(uint32_t rank)
{
    return rank <= PV_PRIORITY_MCE;
}

/* What hv would load as it is, and what it would index by. */
static const char *registers_wrong(const struct state_pv *s)
{
    uint32_t mxcsr;

    memcpy(&mxcsr, s->fpu + FXSAVE_MXCSR, sizeof(mxcsr));
    if (mxcsr & ~MXCSR_DEFINED)
        return "MXCSR has reserved bits set";
    if (!is_flag(&s->up) || !is_flag(&s->initialised) || !is_flag(&s->kernel) || !is_flag(&s->ts) ||
        !is_flag(&s->nmi_pending) || !is_flag(&s->mce_pending))
        return "a flag is neither 0 nor 1";
    if (!pv_is_canonical(s->fs_base) || !pv_is_canonical(s->gs_base) || !pv_is_canonical(s->other_gs_base))
        return "a segment base that cannot be";
    if (!pv_debug_is_good(s->breakpoints, s->dr7))
        return "breakpoints that cannot be";
    if (s->iopl > 3 || !is_known_rank(s->priority) || !is_known_rank(s->saved[0]) || !is_known_rank(s->saved[1]) ||
        !is_known_rank(s->saved[2]))
        return "a rank that cannot be";
    for (unsigned i = 0; i < 256; i++)
        if (!pv_is_canonical(s->traps[i].address))
            return "a trap table that cannot be";
    for (unsigned i = 0; i < CALLBACKTYPE_COUNT; i++)
        if (!pv_is_canonical(s->callbacks[i].address) || !is_flag(&s->callbacks[i].masks))
            return "a callback that cannot be";
    if (s->gdt_entries > PV_GDT_RESERVED / 8 || (s->up && !s->initialised) || (!s->kernel && s->user_root == NO_FRAME))
        return "a vCPU that cannot be";
    return NULL;
}

static void get_registers(struct pv_vcpu *pv, const struct state_pv *state)
{
    pv->initialised = state->initialised;
    pv->kernel = state->kernel;
    pv->ts = state->ts;
    pv->nmi_pending = state->nmi_pending;
    pv->mce_pending = state->mce_pending;
    pv->frame = state->frame;
    pv->frame.cs = (state->frame.cs & 0xFFFF) | 3;
    pv->frame.ss = (state->frame.ss & 0xFFFF) | 3;
    pv->frame.rflags = pv_flags_for_guest(state->frame.rflags);
    pv->ds = state->ds;
    pv->es = state->es;
    pv->fs = state->fs;
    pv->gs = state->gs;
    pv->kernel_ss = state->kernel_ss;
    pv->fs_base = state->fs_base;
    pv->gs_base = state->gs_base;
    pv->other_gs_base = state->other_gs_base;
    pv->kernel_sp = state->kernel_sp;
    pv->cr2 = state->cr2;
    pv->cr4 = state->cr4;
    pv->dr6 = state->dr6;
    pv->dr7 = state->dr7;
    pv->iopl = state->iopl;
    pv->priority = (enum pv_priority)state->priority;
    for (unsigned i = 0; i < 3; i++)
        pv->saved[i] = (enum pv_priority)state->saved[i];
    memcpy(pv->breakpoints, state->breakpoints, sizeof(pv->breakpoints));
    memcpy(pv->traps, state->traps, sizeof(pv->traps));
    memcpy(pv->callbacks, state->callbacks, sizeof(pv->callbacks));
    memcpy(pv->fpu, state->fpu, sizeof(state->fpu));
}

/* By the guest's own calls, with all that they check. */
static bool get_frames(struct guest *guest, struct pv_vcpu *pv, const struct state_pv *state)
{
    uint64_t gdt[PV_GDT_FRAMES], kernel, user;
    bool ok = true;

    for (unsigned i = 0; i < PV_GDT_FRAMES; i++)
        gdt[i] = pv_state_frame(guest, state->gdt[i]);
    kernel = pv_state_frame(guest, state->kernel_root);
    user = state->user_root == NO_FRAME ? 0 : pv_state_frame(guest, state->user_root);
    lock_acquire(&guest->pv->lock);
    ok = !pv_set_gdt(pv, gdt, state->gdt_entries) && (!state->initialised || !pv_set_root(pv, true, kernel)) &&
         !pv_set_root(pv, false, user) &&
         (!state->ldt_entries || !pv_set_ldt(pv, state->ldt_base, state->ldt_entries));
    lock_release(&guest->pv->lock);
    return ok;
}

const char *pv_state_get_vcpu(struct stream_reader *reader, struct guest *guest, uint64_t id, char *why,
                              size_t why_size)
{
    struct state_pv *state = memory_pointer(memory_alloc(STATE_ORDER));
    const char *wrong;

    if (!state)
        return "not enough memory";
    wrong = stream_get_fields(reader, state, STREAM_FIELDS(fields), why, why_size);
    if (!wrong)
        wrong = id < guest->spec.vcpus ? registers_wrong(state) : "there is no such vCPU";
    if (!wrong && !get_frames(guest, guest->vcpus[id].pv, state))
        wrong = "a vCPU's tables that cannot be";
    if (!wrong) {
        get_registers(guest->vcpus[id].pv, state);
        guest->vcpus[id].initialised = state->initialised;
        guest->vcpus[id].state = state->up ? VCPU_RUNNABLE : VCPU_DOWN;
    }
    memory_free((uintptr_t)state, STATE_ORDER);
    return wrong;
}
