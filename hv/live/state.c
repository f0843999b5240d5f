/* SPDX-License-Identifier: MIT */
#include "hv/live/state.h"

#include "hv/core/clock.h"
#include "hv/core/format.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/devices.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/machine_check_trap.h"
#include "hv/vm/paging.h"
#include "hv/vm/paging_shadow.h"
#include "hv/vm/physmap.h"
#include "hv/vm/shared_info.h"
#include "hv/vm/vcpu_timer.h"

/* ---- Guest ----------------------------------------------------------------------------------------------- */

static const struct stream_field guest_fields[] = {
    STREAM_FIELD(struct state_guest, string), STREAM_FIELD(struct state_guest, name),
    STREAM_FIELD(struct state_guest, frames), STREAM_FIELD(struct state_guest, vcpus),
    STREAM_FIELD(struct state_guest, width), STREAM_FIELD(struct state_guest, features),
};

void state_put_guest(struct stream_writer *writer, const struct guest *guest)
{
    struct state_guest state = { .frames = physmap_frames(guest), .vcpus = guest->spec.vcpus,
                                 .width = guest->spec.width, .features = guest->features };

    memcpy(state.string, guest->string, sizeof(state.string));
    memcpy(state.name, guest->spec.name, sizeof(state.name));
    stream_put_fields(writer, &state, STREAM_FIELDS(guest_fields));
}

const char *state_get_guest(struct stream_reader *reader, struct state_guest *to, char *why, size_t why_size)
{
    const char *wrong = stream_get_fields(reader, to, STREAM_FIELDS(guest_fields), why, why_size);

    if (wrong)
        return wrong;
    if (to->string[GUEST_STRING_MAX - 1] || to->name[GUEST_NAME_MAX - 1])
        return "a text has no end";
    return NULL;
}

/* A channel to another domain would have to be plugged in anew there, which neither end asks of it. */
const char *state_cannot_go(const struct guest *guest)
{
    if (event_channels_lead_elsewhere(guest))
        return "it has an event channel to another domain, which does not move with it";
    for (unsigned i = 0; i < guest->spec.vcpus; i++)
        if (machine_check_is_under_way(&guest->vcpus[i]))
            return "a machine check of it is under way";
    return guest->outcome == GUEST_RUNS ? NULL : "it has ended";
}

/* ---- vCPUs ----------------------------------------------------------------------------------------------- */

struct state_vcpu {
    struct svm_state svm;
    struct vlapic apic;
    bool up, initialised, halted, nmi_pending, nmi_blocked;
    bool info_registered, timer;
    uint64_t info_gpa, runstate_gpa, timer_at;
    uint64_t state_ns[4];
};

#define SVM_FIELD(member) { #member, offsetof(struct state_vcpu, svm.member), sizeof(((struct svm_state *)0)->member) }

static const struct stream_field vcpu_fields[] = {
    SVM_FIELD(registers), SVM_FIELD(rax), SVM_FIELD(rsp), SVM_FIELD(rip), SVM_FIELD(rflags), SVM_FIELD(paging),
    SVM_FIELD(cr2), SVM_FIELD(dr6), SVM_FIELD(dr7), SVM_FIELD(breakpoints), SVM_FIELD(es), SVM_FIELD(cs),
    SVM_FIELD(ss), SVM_FIELD(ds), SVM_FIELD(fs), SVM_FIELD(gs), SVM_FIELD(gdtr), SVM_FIELD(ldtr), SVM_FIELD(idtr),
    SVM_FIELD(tr), SVM_FIELD(cpl), SVM_FIELD(fpu_used), SVM_FIELD(star), SVM_FIELD(lstar), SVM_FIELD(cstar),
    SVM_FIELD(sfmask), SVM_FIELD(kernel_gs_base), SVM_FIELD(sysenter_cs), SVM_FIELD(sysenter_esp),
    SVM_FIELD(sysenter_eip), SVM_FIELD(pat), { "shadow", offsetof(struct state_vcpu, svm.interrupt_shadow), 8 },
    SVM_FIELD(event), SVM_FIELD(tsc), SVM_FIELD(fpu),
    STREAM_FIELD(struct state_vcpu, apic), STREAM_FIELD(struct state_vcpu, up),
    STREAM_FIELD(struct state_vcpu, initialised), STREAM_FIELD(struct state_vcpu, halted),
    STREAM_FIELD(struct state_vcpu, nmi_pending), STREAM_FIELD(struct state_vcpu, nmi_blocked),
    STREAM_FIELD(struct state_vcpu, info_registered), STREAM_FIELD(struct state_vcpu, info_gpa),
    STREAM_FIELD(struct state_vcpu, runstate_gpa), STREAM_FIELD(struct state_vcpu, timer),
    STREAM_FIELD(struct state_vcpu, timer_at), STREAM_FIELD(struct state_vcpu, state_ns),
};
_Static_assert(sizeof(vcpu_fields) / sizeof(vcpu_fields[0]) <= 64, "stream_get_fields keeps one bit for each");

void state_put_vcpu(struct stream_writer *writer, const struct vcpu *vcpu)
{
    struct state_vcpu state = {
        .apic = vcpu->apic, .up = vcpu->state == VCPU_RUNNABLE || vcpu->state == VCPU_BLOCKED,
        .initialised = vcpu->initialised, .halted = vcpu->halted, .nmi_pending = vcpu->nmi_pending,
        .nmi_blocked = vcpu->nmi_blocked, .info_registered = vcpu->info_registered, .info_gpa = vcpu->info_gpa,
        .runstate_gpa = vcpu->runstate_gpa, .timer = vcpu->frozen, .timer_at = vcpu->frozen_at,
    };

    memcpy(state.state_ns, vcpu->state_ns, sizeof(state.state_ns));
    svm_save_state(&vcpu->svm, &state.svm);
    stream_put_u64(writer, vcpu->id);
    stream_put_fields(writer, &state, STREAM_FIELDS(vcpu_fields));
}

static bool is_flag(const bool *flag)
{
    return *(const uint8_t *)flag <= 1;
}

static bool lies_in_a_page(const struct guest *guest, uint64_t gpa, size_t size)
{
    return gpa >> PAGE_SHIFT < physmap_frames(guest) && gpa % PAGE_SIZE + size <= PAGE_SIZE;
}

static const char *vcpu_wrong(const struct state_vcpu *state, const struct guest *guest, uint64_t id)
{
    if (!is_flag(&state->up) || !is_flag(&state->initialised) || !is_flag(&state->halted) ||
        !is_flag(&state->nmi_pending) || !is_flag(&state->nmi_blocked) || !is_flag(&state->svm.fpu_used) ||
        !is_flag(&state->info_registered) || !is_flag(&state->timer))
        return "a flag is neither 0 nor 1";
    if ((state->info_registered && !lies_in_a_page(guest, state->info_gpa, sizeof(struct vcpu_info_64))) ||
        (state->runstate_gpa && !lies_in_a_page(guest, state->runstate_gpa, sizeof(struct vcpu_runstate_info))))
        return "a record of the vCPU's lies outside its memory";
    if (state->apic.id != id)
        return "the local APIC is another vCPU's";
    return svm_state_wrong(&state->svm, guest->spec.width == 64);
}

/* A blocked vCPU is made runnable: if nothing has come for it, it blocks again. */
const char *state_get_vcpu(struct stream_reader *reader, struct guest *guest, char *why, size_t why_size)
{
    uint64_t id = stream_get_u64(reader);
    struct state_vcpu state;
    struct vcpu *vcpu;
    const char *wrong = stream_get_fields(reader, &state, STREAM_FIELDS(vcpu_fields), why, why_size);

    if (!wrong && id >= guest->spec.vcpus)
        wrong = "there is no such vCPU";
    if (!wrong)
        wrong = vcpu_wrong(&state, guest, id);
    if (wrong)
        return wrong;
    vcpu = &guest->vcpus[id];
    svm_load_state(&vcpu->svm, &state.svm);
    if (guest->paging == &paging_shadow && !paging_shadow_set_pat(vcpu, state.svm.pat))
        return "PAT has a type that there is not";
    vcpu->apic = state.apic;
    svm_set_v_tpr(&vcpu->svm, state.apic.tpr >> 4); /* the local APIC's is the one that counts */
    vcpu->initialised = state.initialised;
    vcpu->halted = state.halted;
    vcpu->nmi_pending = state.nmi_pending;
    vcpu->nmi_blocked = state.nmi_blocked;
    vcpu->state = state.up ? VCPU_RUNNABLE : VCPU_DOWN;
    vcpu->info_registered = state.info_registered;
    vcpu->info_gpa = state.info_gpa;
    vcpu->runstate_gpa = state.runstate_gpa;
    vcpu->frozen = state.timer;
    vcpu->frozen_at = state.timer_at;
    memcpy(vcpu->state_ns, state.state_ns, sizeof(vcpu->state_ns));
    return NULL;
}

/* ---- Devices --------------------------------------------------------------------------------------------- */

struct state_devices {
    struct vpics pics;
    struct vpit pit;
    struct vioapic ioapic;
    struct vrtc rtc;
    struct vpm pm;
    struct vuart uart;
    bool pic_intr, mca_driver, mca_ready;
    uint8_t reset_control, callback;
    uint32_t kick;
    uint64_t time; /* of the devices */
    uint64_t nb_cfg;
    uint64_t hvm_params[HVM_PARAMS];
    char line[CONSOLE_LINE / 2]; /* what the console has of a line */
    uint32_t line_length;
};

static const struct stream_field device_fields[] = {
    STREAM_FIELD(struct state_devices, pics), STREAM_FIELD(struct state_devices, pit),
    STREAM_FIELD(struct state_devices, ioapic), STREAM_FIELD(struct state_devices, rtc),
    STREAM_FIELD(struct state_devices, pm), STREAM_FIELD(struct state_devices, uart),
    STREAM_FIELD(struct state_devices, pic_intr), STREAM_FIELD(struct state_devices, mca_driver),
    STREAM_FIELD(struct state_devices, mca_ready), STREAM_FIELD(struct state_devices, reset_control),
    STREAM_FIELD(struct state_devices, callback), STREAM_FIELD(struct state_devices, kick),
    STREAM_FIELD(struct state_devices, time), STREAM_FIELD(struct state_devices, nb_cfg),
    STREAM_FIELD(struct state_devices, hvm_params),
    STREAM_FIELD(struct state_devices, line), STREAM_FIELD(struct state_devices, line_length),
};

void state_put_devices(struct stream_writer *writer, const struct guest *guest)
{
    struct state_devices state = {
        .pics = guest->vdev.pics, .pit = guest->vdev.pit, .ioapic = guest->vdev.ioapic, .rtc = guest->vdev.rtc,
        .pm = guest->vdev.pm, .uart = guest->vdev.uart, .pic_intr = guest->vdev.pic_intr,
        .mca_driver = guest->mca_driver, .mca_ready = guest->mca_ready,
        .reset_control = guest->vdev.reset_control, .callback = guest->callback_vector, .kick = guest->vdev.kick,
        .time = devices_time(guest), .nb_cfg = guest->nb_cfg, .line_length = guest->line_length,
    };

    memcpy(state.hvm_params, guest->hvm_params, sizeof(state.hvm_params));
    memcpy(state.line, guest->line, sizeof(state.line));
    stream_put_fields(writer, &state, STREAM_FIELDS(device_fields));
}

const char *state_get_devices(struct stream_reader *reader, struct guest *guest, char *why, size_t why_size)
{
    struct state_devices state;
    const char *wrong = stream_get_fields(reader, &state, STREAM_FIELDS(device_fields), why, why_size);

    if (!wrong && (state.line_length >= sizeof(state.line) || state.uart.fifo_first >= VUART_FIFO ||
                   state.uart.fifo_count > VUART_FIFO || state.rtc.index >= VRTC_BYTES))
        wrong = "a position lies beyond its buffer";
    if (!wrong && state.kick >> guest->spec.vcpus)
        wrong = "something is posted to a vCPU that is not there";
    if (!wrong && (!is_flag(&state.pic_intr) || !is_flag(&state.mca_driver) || !is_flag(&state.mca_ready)))
        wrong = "a flag is neither 0 nor 1";
    if (wrong)
        return wrong;
    guest->vdev.pics = state.pics;
    guest->vdev.pit = state.pit;
    guest->vdev.ioapic = state.ioapic;
    guest->vdev.rtc = state.rtc;
    guest->vdev.pm = state.pm;
    guest->vdev.uart = state.uart;
    guest->vdev.pic_intr = state.pic_intr;
    guest->vdev.reset_control = state.reset_control;
    guest->vdev.kick = state.kick;
    guest->mca_driver = state.mca_driver;
    guest->mca_ready = state.mca_ready;
    guest->callback_vector = state.callback;
    guest->nb_cfg = state.nb_cfg;
    memcpy(guest->hvm_params, state.hvm_params, sizeof(state.hvm_params));
    memcpy(guest->line, state.line, sizeof(state.line));
    guest->line_length = state.line_length;
    devices_resume(guest, state.time);
    return NULL;
}

/* ---- What Xen's interface has of it ------------------------------------------------------------------------ */

#define GRANT_BYTES ((size_t)PAGE_SIZE << GUEST_GRANT_ORDER)

/* Its timers are frozen. */
void state_put_xen(struct stream_writer *writer, const struct guest *guest)
{
    stream_put_u64(writer, guest_system_time(guest, clock_now()));
    stream_put_u64(writer, guest->domid);
    stream_put_u64(writer, guest->shared_info_32);
    stream_put_u64(writer, guest->grant_frames != 0);
    stream_put(writer, event_channels_state(guest), EVENT_STATE_BYTES);
    stream_put(writer, guest->shared_info, PAGE_SIZE);
    if (guest->grant_frames)
        stream_put(writer, memory_pointer(guest->grant_frames), GRANT_BYTES);
}

static const char *take_xen(struct guest *guest, uint16_t domid, const void *ports, const void *shared,
                            const void *grants)
{
    if (grants && !guest_make_grant_frames(guest))
        return "not enough memory";
    if (!event_channels_adopt(guest, ports, domid))
        return "an event channel that cannot be";
    memcpy(guest->shared_info, shared, PAGE_SIZE);
    if (grants)
        memcpy(memory_pointer(guest->grant_frames), grants, GRANT_BYTES);
    return NULL;
}

/* The vCPUs, with their time stamp counters, have come. Its system time goes on from where it was, whatever hv's is. */
const char *state_get_xen(struct stream_reader *reader, struct guest *guest)
{
    uint64_t time = stream_get_u64(reader), domid = stream_get_u64(reader), narrow = stream_get_u64(reader);
    uint64_t granted = stream_get_u64(reader);
    const void *ports = stream_get(reader, EVENT_STATE_BYTES), *shared = stream_get(reader, PAGE_SIZE);
    const void *grants = granted ? stream_get(reader, GRANT_BYTES) : NULL;
    const char *wrong = "the record of events is cut short";

    if (!reader->bad)
        wrong = take_xen(guest, (uint16_t)domid, ports, shared, grants);
    if (wrong)
        return wrong;
    guest->shared_info_32 = narrow != 0;
    guest->system_offset = time - clock_now();
    for (unsigned i = 0; i < guest->spec.vcpus; i++) {
        shared_info_stamp(&guest->vcpus[i]);
        vcpu_timer_thaw(&guest->vcpus[i]);
    }
    return NULL;
}
