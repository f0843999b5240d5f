/* SPDX-License-Identifier: MIT */
/* The pages of a paravirtual guest, and what says where they are. */
#include "hv/live/pv_state.h"

#include "hv/core/clock.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/pv_frames.h"
#include "hv/vm/pv_guest.h"
#include "hv/vm/shared_info.h"

#define PER_PAGE (PAGE_SIZE / sizeof(uint64_t))
#define KIND_CAME 0x80u /* beside the bits of a page's word */
static const char has_no_number[] = "it uses a frame that its list of frames does not have";

/* While it comes: what is where, in memory that ends with the guest. */
struct arrival {
    uint64_t count, came;
    uint64_t *frames; /* by its own numbers */
    uint8_t *kinds;
};

uint64_t pv_state_frames(const struct guest *guest)
{
    return guest->spec.memory / PAGE_SIZE;
}

static bool is_table(unsigned type)
{
    return type >= PV_L1 && type <= PV_L4;
}

/* ---- Going ----------------------------------------------------------------------------------------------- */

const char *pv_state_cannot_go(const struct guest *guest)
{
    if (!guest_runs(guest))
        return "it has ended";
    if (guest->shared_info->max_pfn < pv_state_frames(guest) || guest_pages(guest) != pv_state_frames(guest))
        return "its list of frames is not all of its memory";
    return NULL;
}

/* Its own number of a frame, by both lists. */
static bool number_of(const struct guest *guest, uint64_t frame, uint64_t *pfn)
{
    const uint64_t *place;

    if (!pv_owns(&guest->pv->types, frame))
        return false;
    *pfn = pv_m2p(frame);
    place = pv_p2m_place(guest, *pfn);
    return place && *place == frame;
}

static bool number_table(const struct guest *guest, unsigned type, uint64_t *table)
{
    for (unsigned i = 0; i < PV_TABLE_ENTRIES; i++) {
        uint64_t pfn;

        if (type == PV_L4 && i >= PV_RESERVED_FIRST && i < PV_RESERVED_END) {
            table[i] = 0;
            continue;
        }
        if (!(table[i] & PTE_P))
            continue;
        if (!number_of(guest, (table[i] & PTE_ADDRESS) / PAGE_SIZE, &pfn))
            return false;
        table[i] = (table[i] & ~PTE_ADDRESS) | pfn * PAGE_SIZE;
    }
    return true;
}

const char *pv_state_put_page(struct stream_writer *writer, const struct guest *guest, uint64_t pfn)
{
    const uint64_t *place = pv_p2m_place(guest, pfn);
    uint64_t frame = place ? *place : ~0ull, at;
    const struct pv_frame *f;
    void *copy;

    if (!pv_owns(&guest->pv->types, frame) || !npt_find_spa(&guest->npt, frame * PAGE_SIZE, &at))
        return "its list names a frame that it does not have";
    f = pv_machine_frame(frame);
    stream_put_u64(writer, pfn * PAGE_SIZE | f->type | (f->pinned ? PV_WORD_PINNED : 0));
    copy = writer->room + writer->used;
    stream_put(writer, memory_pointer(frame * PAGE_SIZE), PAGE_SIZE);
    if (!writer->full && is_table(f->type) && !number_table(guest, f->type, copy))
        return "a page table of its maps a frame that its list of frames does not have";
    return NULL;
}

const char *pv_state_put_guest(struct stream_writer *writer, const struct guest *guest)
{
    uint64_t pages = (pv_state_frames(guest) + PER_PAGE - 1) / PER_PAGE, start;

    if (!number_of(guest, guest->pv->suspend.start_info, &start))
        return has_no_number;
    stream_put_u64(writer, guest_system_time(guest, clock_now()));
    stream_put_u64(writer, guest->pv->assists);
    stream_put_u64(writer, start);
    stream_put_u64(writer, pages);
    for (uint64_t i = 0; i < pages; i++) {
        const uint64_t *page = pv_p2m_list_place(guest, i);
        uint64_t pfn;

        if (!page || !number_of(guest, *page, &pfn))
            return has_no_number;
        stream_put_u64(writer, pfn);
    }
    stream_put(writer, guest->shared_info, PAGE_SIZE);
    stream_put_u64(writer, guest->line_length);
    stream_put(writer, guest->line, sizeof(guest->line));
    return NULL;
}

/* ---- Coming ---------------------------------------------------------------------------------------------- */

static unsigned order_of(uint64_t bytes)
{
    unsigned order = 0;

    while ((uint64_t)PAGE_SIZE << order < bytes)
        order++;
    return order;
}

const char *pv_state_begin(struct guest *guest)
{
    uint64_t count = pv_state_frames(guest);
    unsigned order = order_of(sizeof(struct arrival) + count * (sizeof(uint64_t) + 1));
    uint64_t room = memory_alloc(order);
    struct arrival *arrival = memory_pointer(room);

    if (!room)
        return "not enough memory for the guest";
    text_zero(arrival, (size_t)PAGE_SIZE << order);
    guest->pv->arrival = arrival;
    guest->pv->arrival_order = order;
    arrival->count = count;
    arrival->frames = (uint64_t *)(arrival + 1);
    arrival->kinds = (uint8_t *)(arrival->frames + count);
    return pv_guest_add_frames(guest, 0, count, arrival->frames) == count ? NULL : "not enough memory for the guest";
}

/* A frame of the new guest's, by its own number; ~0: there is none. */
static uint64_t frame_of(const struct arrival *arrival, uint64_t pfn)
{
    return pfn < arrival->count ? arrival->frames[pfn] : ~0ull;
}

uint64_t pv_state_frame(const struct guest *guest, uint64_t pfn)
{
    return frame_of(guest->pv->arrival, pfn);
}

/* Memory that hv may write to: plain. */
static uint64_t *plain_page(const struct arrival *arrival, uint64_t pfn)
{
    unsigned type = pfn < arrival->count ? arrival->kinds[pfn] & PV_WORD_TYPE : PV_L1;

    return type == PV_NONE || type == PV_WRITABLE ? memory_pointer(arrival->frames[pfn] * PAGE_SIZE) : NULL;
}

static const char *place_table(const struct arrival *arrival, uint64_t *table)
{
    for (unsigned i = 0; i < PV_TABLE_ENTRIES; i++) {
        uint64_t frame = frame_of(arrival, (table[i] & PTE_ADDRESS) / PAGE_SIZE);

        if (!(table[i] & PTE_P))
            continue;
        if (frame == ~0ull)
            return "a page table leads out of the guest's memory";
        table[i] = (table[i] & ~PTE_ADDRESS) | frame * PAGE_SIZE;
    }
    return NULL;
}

const char *pv_state_get_pages(struct stream_reader *reader, struct guest *guest)
{
    struct arrival *arrival = guest->pv->arrival;
    uint64_t count = stream_get_u64(reader);
    const char *wrong = NULL;

    for (uint64_t i = 0; i < count && !wrong; i++) {
        uint64_t word = stream_get_u64(reader), pfn = word / PAGE_SIZE;
        const void *data = stream_get(reader, PAGE_SIZE);
        void *to;

        if (reader->bad)
            return "a page record is cut short";
        if (word % PAGE_SIZE > (PV_WORD_PINNED | PV_WORD_TYPE) || (word & PV_WORD_TYPE) > PV_DESCRIPTORS ||
            pfn >= arrival->count || arrival->kinds[pfn])
            return "a frame that cannot be";
        arrival->kinds[pfn] = (uint8_t)(KIND_CAME | word % PAGE_SIZE);
        arrival->came++;
        to = memory_pointer(arrival->frames[pfn] * PAGE_SIZE);
        memcpy(to, data, PAGE_SIZE);
        if (is_table(word & PV_WORD_TYPE))
            wrong = place_table(arrival, to);
    }
    return wrong;
}

/* Each is checked as if its kernel had just asked for it, and all below it. */
static const char *pin_all(struct guest *guest)
{
    const struct arrival *arrival = guest->pv->arrival;
    const char *wrong = NULL;

    lock_acquire(&guest->pv->lock);
    for (uint64_t pfn = 0; pfn < arrival->count && !wrong; pfn++) {
        unsigned type = arrival->kinds[pfn] & PV_WORD_TYPE;

        if (arrival->kinds[pfn] & PV_WORD_PINNED &&
            (!is_table(type) || pv_pin(&guest->pv->types, arrival->frames[pfn], (enum pv_type)type)))
            wrong = "a page table that cannot be";
    }
    lock_release(&guest->pv->lock);
    return wrong;
}

/* Where its frames are now. */
static const char *write_list(struct guest *guest, struct stream_reader *reader, uint64_t start_pfn)
{
    const struct arrival *arrival = guest->pv->arrival;
    struct pv_start_info *start = (struct pv_start_info *)plain_page(arrival, start_pfn);
    uint64_t pages = stream_get_u64(reader);

    if (!start || pages != (arrival->count + PER_PAGE - 1) / PER_PAGE)
        return "start information or a list of frames that cannot be";
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t *page = plain_page(arrival, stream_get_u64(reader)), left = arrival->count - i * PER_PAGE;

        if (reader->bad || !page)
            return "a list of frames that cannot be";
        memcpy(page, arrival->frames + i * PER_PAGE, (left < PER_PAGE ? left : PER_PAGE) * sizeof(*page));
    }
    start->nr_pages = arrival->count;
    start->shared_info = (uintptr_t)guest->shared_info;
    start->flags = 0;
    start->store_mfn = start->console_mfn = 0;
    start->store_evtchn = start->console_evtchn = 0;
    return NULL;
}

/* As Xen's restoring tool leaves it: no event is pending, all are masked, and nobody knows where the list is. */
static void clear_events(struct shared_info_64 *shared)
{
    for (unsigned i = 0; i < SHARED_VCPUS; i++) {
        shared->vcpu_info[i].evtchn_upcall_pending = 0;
        shared->vcpu_info[i].evtchn_pending_sel = 0;
    }
    text_zero(shared->evtchn_pending, sizeof(shared->evtchn_pending));
    memset(shared->evtchn_mask, 0xFF, sizeof(shared->evtchn_mask));
    shared->pfn_to_mfn_frame_list_list = shared->max_pfn = 0;
}

const char *pv_state_get_guest(struct stream_reader *reader, struct guest *guest)
{
    uint64_t time = stream_get_u64(reader), assists = stream_get_u64(reader), start = stream_get_u64(reader), length;
    const struct arrival *arrival = guest->pv->arrival;
    const char *wrong = arrival->came == arrival->count ? write_list(guest, reader, start) : "pages are missing";
    const void *shared = stream_get(reader, PAGE_SIZE), *line;

    length = stream_get_u64(reader);
    line = stream_get(reader, sizeof(guest->line));
    if (!wrong && (reader->bad || length >= sizeof(guest->line)))
        wrong = "the record of a paravirtual guest is cut short";
    if (!wrong)
        wrong = pin_all(guest);
    if (wrong)
        return wrong;
    guest->pv->assists = assists;
    memcpy(guest->line, line, sizeof(guest->line));
    guest->line_length = (unsigned)length;
    memcpy(guest->shared_info, shared, PAGE_SIZE);
    clear_events(guest->shared_info);
    guest->system_offset = time - clock_now();
    for (unsigned i = 0; i < guest->spec.vcpus; i++)
        shared_info_stamp(&guest->vcpus[i]);
    return NULL;
}
