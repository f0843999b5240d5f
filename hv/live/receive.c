/* SPDX-License-Identifier: MIT */
#include "hv/live/receive.h"

#include "hv/core/format.h"
#include "hv/abi/control.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/live/pv_state.h"
#include "hv/live/state.h"
#include "hv/vm/physmap.h"
#include "hv/vm/schedule.h"
#include "hv/vm/shared_info.h"

/* ---- Records --------------------------------------------------------------------------------------------- */

static const char *begin(struct receive *receive, struct stream_reader *body)
{
    if (stream_get_u64(body) != STREAM_MAGIC)
        return "this is no migration stream";
    if (stream_get_u64(body) != STREAM_VERSION)
        return "the stream is of another version";
    receive->job = stream_get_u64(body);
    receive->mode = stream_get_u64(body);
    receive->begun = true;
    return body->bad || receive->mode > MIGRATE_TO_SHADOW ? "the stream's head is wrong" : NULL;
}

/* The last word of a string counts. */
static bool choose_mode(char string[GUEST_STRING_MAX], uint64_t mode)
{
    const char *word = mode == MIGRATE_TO_SHADOW ? " hap=off" : " hap=on";
    size_t length = text_length(string), more = text_length(word);

    if (mode == MIGRATE_TO_SAME)
        return true;
    if (length + more >= GUEST_STRING_MAX)
        return false;
    memcpy(string + length, word, more + 1);
    return true;
}

/* Cores that it had and that are not here leave it none: then all. */
static void choose_cores(const struct receive *receive)
{
    for (unsigned i = 0; i < receive->guest->spec.vcpus; i++) {
        struct vcpu *vcpu = &receive->guest->vcpus[i];

        if (!schedule_set_affinity(vcpu, receive->cores ? receive->cores : vcpu->affinity))
            schedule_set_affinity(vcpu, UINT64_MAX);
    }
}

/* It goes on with the features that it has seen, all of which must be here. */
static const char *adopt_features(struct receive *receive, const struct cpu_features *seen)
{
    char missing[RECEIVE_WHY - sizeof("not here: ")];

    if (features_missing(seen, &receive->guest->features, missing, sizeof(missing))) {
        format_text(receive->why, sizeof(receive->why), "not here: %s", missing);
        return receive->why;
    }
    receive->guest->features = *seen;
    return NULL;
}

static const char *build(struct receive *receive, struct stream_reader *body)
{
    struct state_guest state;
    const char *wrong = state_get_guest(body, &state, receive->why, sizeof(receive->why));
    struct guest *guest;

    if (wrong || receive->guest)
        return wrong ? wrong : "a second guest";
    if (!choose_mode(state.string, receive->mode))
        return "the guest's string is too long";
    guest = guest_claim(false);
    if (!guest)
        return "no more domains";
    wrong = guest_build_empty(guest, state.string);
    if (wrong)
        return wrong;
    receive->guest = guest;
    guest->near = receive->near;
    memcpy(guest->spec.name, state.name, sizeof(state.name));
    if (physmap_frames(guest) != state.frames || guest->spec.vcpus != state.vcpus || guest->spec.width != state.width)
        return "hv's options make another guest of it here";
    choose_cores(receive);
    wrong = adopt_features(receive, &state.features);
    return wrong || !guest->pv ? wrong : pv_state_begin(guest);
}

/* One frame as the sender has it; `data`: its contents, NULL for a type without. */
static const char *put_frame(struct guest *guest, uint64_t gpa, enum npt_type type, const void *data)
{
    struct npt_page page;
    bool there = npt_find(&guest->npt, gpa, &page);

    if (!data)
        return physmap_set_type(guest, gpa, type) ? "not enough memory" : NULL;
    if (there && !npt_is_present(page.type) && physmap_back(guest, gpa))
        return "not enough memory";
    if (!there && !guest_populate(guest, gpa))
        return "not enough memory for the guest";
    if (!npt_find(&guest->npt, gpa, &page) || !npt_is_present(page.type))
        return "a frame outside the guest's memory";
    memcpy(memory_pointer(page.spa & ~(uint64_t)(PAGE_SIZE - 1)), data, PAGE_SIZE);
    if (page.type != type && physmap_set_type(guest, gpa, type) != 0)
        return "not enough memory";
    return NULL;
}

static const char *share_frame(struct guest *guest, uint64_t gpa, uint64_t shared)
{
    if (!shared)
        return shared_info_map(guest, gpa) ? NULL : "not enough memory";
    if (shared > GUEST_GRANT_FRAMES)
        return "a frame that cannot be";
    return guest_make_grant_frames(guest) &&
                   !physmap_share(guest, gpa, guest->grant_frames + (shared - 1) * PAGE_SIZE)
               ? NULL
               : "not enough memory";
}

/* A word for each frame. */
static const char *pages(struct receive *receive, struct stream_reader *body)
{
    uint64_t count = stream_get_u64(body);
    const uint64_t *words = count <= UINT64_MAX / 8 ? stream_get(body, count * 8) : NULL;
    const char *wrong = NULL;

    if (!words || !receive->guest)
        return "a page record is cut short, or comes too early";
    for (uint64_t i = 0; i < count && !wrong; i++) {
        uint64_t gpa = words[i] & ~(uint64_t)(PAGE_SIZE - 1), type = words[i] & STREAM_FRAME_TYPE;
        uint64_t shared = (words[i] & (PAGE_SIZE - 1)) >> STREAM_FRAME_SHARED;
        const void *data = NULL;

        if (type >= NPT_TYPE_COUNT || type == NPT_LOG_DIRTY || (shared && type != NPT_FOREIGN) ||
            gpa >> PAGE_SHIFT >= physmap_frames(receive->guest))
            return "a frame that cannot be";
        if (type == NPT_FOREIGN) {
            wrong = share_frame(receive->guest, gpa, shared);
            continue;
        }
        if (npt_is_present((enum npt_type)type)) {
            data = stream_get(body, PAGE_SIZE);
            if (!data)
                return "a page record is cut short";
        }
        wrong = put_frame(receive->guest, gpa, (enum npt_type)type, data);
    }
    return wrong;
}

static const char *vcpu(struct receive *receive, struct stream_reader *body)
{
    uint64_t id = body->left >= 8 ? *(const uint64_t *)(const void *)body->at : 0;

    if (!receive->guest)
        return "a vCPU before its guest";
    if (id < GUEST_VCPUS_MAX)
        receive->vcpus_seen |= 1ull << id;
    return state_get_vcpu(body, receive->guest, receive->why, sizeof(receive->why));
}

static const char *devices(struct receive *receive, struct stream_reader *body)
{
    if (!receive->guest)
        return "devices before their guest";
    receive->devices_seen = true;
    return state_get_devices(body, receive->guest, receive->why, sizeof(receive->why));
}

/* It sets the guest's clocks by its vCPUs' time stamp counters. */
static const char *xen(struct receive *receive, struct stream_reader *body)
{
    if (!receive->guest || !receive->devices_seen || receive->xen_seen ||
        receive->vcpus_seen != (1ull << receive->guest->spec.vcpus) - 1)
        return "events before their vCPUs";
    receive->xen_seen = true;
    return state_get_xen(body, receive->guest);
}

/* ---- A paravirtual guest: pages, what it is, vCPUs -------------------------------------------------------- */

static const char *pv_guest(struct receive *receive, struct stream_reader *body)
{
    if (receive->xen_seen)
        return "a second record of the guest";
    receive->xen_seen = true;
    return pv_state_get_guest(body, receive->guest);
}

static const char *pv_vcpu(struct receive *receive, struct stream_reader *body)
{
    uint64_t id = stream_get_u64(body);

    if (!receive->xen_seen || id >= GUEST_VCPUS_MAX || receive->vcpus_seen >> id & 1)
        return "a vCPU before its guest, or twice";
    receive->vcpus_seen |= 1ull << id;
    return pv_state_get_vcpu(body, receive->guest, id, receive->why, sizeof(receive->why));
}

static const char *take_pv(struct receive *receive, uint32_t type, struct stream_reader *body)
{
    if (!receive->guest || !receive->guest->pv)
        return "a record of a paravirtual guest, which this is not";
    if (type == STREAM_PV_PAGES)
        return receive->xen_seen ? "a page record comes too late" : pv_state_get_pages(body, receive->guest);
    return type == STREAM_PV_GUEST ? pv_guest(receive, body) : pv_vcpu(receive, body);
}

static bool is_hvm_record(uint32_t type)
{
    return type == STREAM_PAGES || type == STREAM_VCPU || type == STREAM_DEVICES || type == STREAM_XEN;
}

/* ---------------------------------------------------------------------------------------------------------- */

static const char *end(struct receive *receive, struct stream_reader *body)
{
    if (stream_get_u64(body) != receive->checksum || body->bad)
        return "the stream was damaged on the way";
    if (!receive->guest || !receive->xen_seen || receive->vcpus_seen != (1ull << receive->guest->spec.vcpus) - 1)
        return "the stream ends before all state has come";
    receive->complete = true;
    return NULL;
}

/* ---------------------------------------------------------------------------------------------------------- */

static const char *take(struct receive *receive, uint32_t type, struct stream_reader *body)
{
    if (receive->complete || receive->begun == (type == STREAM_BEGIN))
        return "a record out of order";
    if (is_hvm_record(type) && receive->guest && receive->guest->pv)
        return "a record that a paravirtual guest does not have";
    switch (type) {
    case STREAM_BEGIN: return begin(receive, body);
    case STREAM_GUEST: return build(receive, body);
    case STREAM_PAGES: return pages(receive, body);
    case STREAM_VCPU: return vcpu(receive, body);
    case STREAM_DEVICES: return devices(receive, body);
    case STREAM_XEN: return xen(receive, body);
    case STREAM_PV_PAGES:
    case STREAM_PV_GUEST:
    case STREAM_PV_VCPU: return take_pv(receive, type, body);
    case STREAM_END: return end(receive, body);
    default: return "a record of a type that is not known here";
    }
}

const char *receive_record(struct receive *receive, const void *record, size_t size)
{
    const struct stream_record *head = record;
    struct stream_reader body;
    const char *wrong;

    if (size < sizeof(*head) || head->size != size - sizeof(*head) || head->size % 8)
        return "a record is cut short";
    stream_open(&body, head + 1, head->size);
    wrong = take(receive, head->type, &body);
    receive->checksum = stream_checksum(receive->checksum, head + 1, head->size);
    if (wrong)
        receive_abort(receive);
    return wrong;
}

void receive_abort(struct receive *receive)
{
    if (receive->guest && !receive->complete)
        guest_forget(receive->guest);
    if (!receive->complete)
        receive->guest = NULL;
}
