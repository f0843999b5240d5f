/* SPDX-License-Identifier: MIT */
/*
 * Shadow paging: guest->npt says what backs what, hv/shadow makes the tables, and everything that the processor would
 * do with the guest's own tables is an exit.
 */
#include "hv/vm/paging_shadow.h"

#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/emulation.h"
#include "hv/vm/paging.h"
#include "hv/vm/paging_write.h"
#include "hv/vm/physmap.h"

#define PAGE_POOL_BASE 64
#define PAGE_POOL_PER_VCPU 40
#define PAGE_BYTES (3u * PAGE_SIZE) /* a table, and two pages for its links */
#define PTE_PER_PDPT 4
#define PAT_TYPES 0xF3u /* memory types that exist: 0, 1, 4 to 7 (APM2 7.8.1) */

/* PDPTEs of guests outside long mode, where a 32-bit CR3 reaches them: hv's image lies below 4 GiB. */
static uint64_t tops[GUESTS_MAX][GUEST_VCPUS_MAX][PTE_PER_PDPT] __attribute__((aligned(32)));

/* ---- What hv/shadow wants to know --------------------------------------------------------------------------- */

static enum shadow_backing frame(void *ctx, uint64_t gfn, bool write, uint64_t *spa)
{
    struct guest *guest = ctx;
    struct npt_page page;

    if (!npt_find(&guest->npt, gfn << PAGE_SHIFT, &page) || !npt_is_present(page.type) ||
        (write && page.type == NPT_READ_ONLY))
        return SHADOW_NO_MEMORY;
    if (write)
        log_dirty_mark(&guest->log, gfn);
    *spa = page.spa;
    return page.type == NPT_RAM || page.type == NPT_FOREIGN ? SHADOW_WRITABLE : SHADOW_READ_ONLY;
}

static void flush(void *ctx)
{
    paging_flush(ctx);
}

/* ---- A guest's life ------------------------------------------------------------------------------------------ */

static void *zeroed(unsigned order)
{
    uint64_t at = memory_alloc(order);

    return at ? text_zero(memory_pointer(at), (size_t)PAGE_SIZE << order) : NULL;
}

static unsigned order_of(uint64_t bytes)
{
    unsigned order = 0;

    while (((uint64_t)PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

static void *new_table(void *ctx)
{
    (void)ctx;
    return zeroed(0);
}

static void *new_links(void *ctx)
{
    (void)ctx;
    return zeroed(order_of(SHADOW_LINKS_BYTES));
}

static uint32_t page_count(const struct guest_spec *spec)
{
    if (spec->shadow_memory)
        return (uint32_t)(spec->shadow_memory / PAGE_BYTES);
    return (uint32_t)(PAGE_POOL_BASE + PAGE_POOL_PER_VCPU * spec->vcpus + (spec->memory >> 20));
}

static void free_one(void *ctx, void *table, void *links)
{
    (void)ctx;
    if (table)
        memory_free((uintptr_t)table, 0);
    if (links)
        memory_free((uintptr_t)links, order_of(SHADOW_LINKS_BYTES));
}

static void guest_end(struct guest *guest)
{
    struct shadow *shadow = &guest->shadow;

    if (shadow->pages) {
        shadow_each_page(shadow, free_one, NULL);
        memory_free((uintptr_t)shadow->pages, order_of(shadow_page_bytes(shadow->page_count)));
    }
    if (shadow->mapped)
        memory_free((uintptr_t)shadow->mapped, order_of(shadow_frame_bytes(shadow->frame_count)));
    *shadow = (struct shadow){ 0 };
}

static bool guest_begin(struct guest *guest)
{
    uint64_t frames = guest_top(guest) >> PAGE_SHIFT;
    uint32_t pages = page_count(&guest->spec);
    struct shadow_host host = { guest, frame, flush };
    struct shadow_memory memory = { zeroed(order_of(shadow_frame_bytes(frames))),
                                    zeroed(order_of(shadow_page_bytes(pages))), new_table, new_links, NULL };

    if (memory.frames && memory.pages && shadow_init(&guest->shadow, &host, frames, pages, &memory))
        return true;
    guest->shadow.mapped = memory.frames;
    guest->shadow.pages = memory.pages;
    guest->shadow.frame_count = frames;
    guest->shadow.page_count = memory.pages ? pages : 0;
    return false;
}

static bool vcpu_begin(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;
    uint64_t *top = tops[guest->place][vcpu->id];

    for (unsigned i = 0; i < PTE_PER_PDPT; i++)
        top[i] = 0;
    if (!shadow_vcpu_init(&guest->shadow, &vcpu->shadow, top))
        return false;
    svm_use_shadow(&vcpu->svm);
    shadow_load_pat(&guest->shadow, &vcpu->shadow, svm_guest_pat(&vcpu->svm), SVM_PROCESSOR_PAT);
    vcpu->svm.context_new = true;
    return true;
}

/* ---- Control registers ---------------------------------------------------------------------------------------- */

static bool same_tables(const struct guest_paging *a, const struct guest_paging *b)
{
    return a->format == b->format && a->cr3 == b->cr3 && a->wp == b->wp && a->nxe == b->nxe;
}

bool paging_shadow_load(struct vcpu *vcpu, const struct svm_paging *to, bool load_pdptes)
{
    struct guest *guest = vcpu->guest;
    struct svm_paging before = svm_guest_paging(&vcpu->svm);
    struct guest_paging paging;
    bool pae, same;

    svm_set_guest_paging(&vcpu->svm, to);
    emulation_paging(vcpu, &paging); /* backs the PDPTEs' frame, too */
    pae = paging.format && guest_format_is_pae(paging.format);
    lock_acquire(&guest->shadow_lock);
    if (pae && load_pdptes && !guest_load_pdptes(&guest->shadow.frames, to->cr3, paging.pdpte)) {
        lock_release(&guest->shadow_lock);
        svm_set_guest_paging(&vcpu->svm, &before);
        return false;
    }
    if (pae && !load_pdptes)
        for (unsigned i = 0; i < PTE_PER_PDPT; i++)
            paging.pdpte[i] = vcpu->shadow.paging.pdpte[i];
    same = same_tables(&paging, &vcpu->shadow.paging) && !load_pdptes;
    if (!same) {
        shadow_load(&guest->shadow, &vcpu->shadow, &paging);
        svm_set_shadow_root(&vcpu->svm, vcpu->shadow.cr3);
        asid_drop(&vcpu->svm.asid); /* no hardware flush happened, nor can the PDPTEs in it be told from others */
    }
    lock_release(&guest->shadow_lock);
    return true;
}

bool paging_shadow_set_pat(struct vcpu *vcpu, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        if ((value >> 8 * i & 0xFF) > 7 || !(PAT_TYPES >> (value >> 8 * i & 7) & 1))
            return false;
    svm_set_guest_pat(&vcpu->svm, value);
    lock_acquire(&vcpu->guest->shadow_lock);
    shadow_load_pat(&vcpu->guest->shadow, &vcpu->shadow, value, SVM_PROCESSOR_PAT);
    paging_flush(vcpu->guest);
    lock_release(&vcpu->guest->shadow_lock);
    return true;
}

/* A context from vcpu_op or a SIPI: PDPTEs that are not legal count as absent, as nested paging finds out at use. */
static void enter(struct vcpu *vcpu)
{
    struct svm_paging now;

    if (!vcpu->svm.context_new)
        return;
    vcpu->svm.context_new = false;
    now = svm_guest_paging(&vcpu->svm);
    if (!paging_shadow_load(vcpu, &now, true)) {
        for (unsigned i = 0; i < PTE_PER_PDPT; i++)
            vcpu->shadow.paging.pdpte[i] = 0;
        vcpu->shadow.paging.format = NULL;
        paging_shadow_load(vcpu, &now, false);
    }
}

/* ---- A table in a bad frame ------------------------------------------------------------------------------------- */

bool paging_shadow_holds(const struct guest *guest, uint64_t spa)
{
    return guest->paging == &paging_shadow && guest->shadow.pages && shadow_page_at(&guest->shadow, spa);
}

bool paging_shadow_rebuild(struct guest *guest, uint64_t spa)
{
    uint64_t fresh = memory_alloc(ORDER_4K);
    uint32_t page;

    if (!fresh)
        return false;
    text_zero(memory_pointer(fresh), PAGE_SIZE);
    lock_acquire(&guest->shadow_lock);
    page = shadow_page_at(&guest->shadow, spa);
    if (page) {
        shadow_replace_table(&guest->shadow, page, memory_pointer(fresh));
        for (unsigned v = 0; v < guest->spec.vcpus; v++)
            if (guest->vcpus[v].shadow.root == page)
                guest->vcpus[v].svm.context_new = true; /* CR3 is another one: loaded at its next entry */
        paging_flush(guest);
    }
    lock_release(&guest->shadow_lock);
    if (!page)
        memory_free(fresh, ORDER_4K);
    return page;
}

/* ---- The memory's map changes ---------------------------------------------------------------------------------- */

static void lowered(struct guest *guest, uint64_t gpa, uint64_t bytes)
{
    lock_acquire(&guest->shadow_lock);
    shadow_forget(&guest->shadow, gpa >> PAGE_SHIFT, (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);
    paging_flush(guest);
    lock_release(&guest->shadow_lock);
}

static void written(struct guest *guest, uint64_t gpa, uint64_t bytes)
{
    lock_acquire(&guest->shadow_lock);
    shadow_written(&guest->shadow, gpa, bytes, false);
    lock_release(&guest->shadow_lock);
}

const struct paging paging_shadow = {
    .name = "shadow",
    .guest_begin = guest_begin,
    .guest_end = guest_end,
    .vcpu_begin = vcpu_begin,
    .enter = enter,
    .lowered = lowered,
    .written = written,
};

/* ---- Page faults ----------------------------------------------------------------------------------------------- */

/* *again: the map of its memory lets it through now. */
static enum exit_result device(struct vcpu *vcpu, const struct guest_walk *walk, bool *again)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;
    struct guest *guest = vcpu->guest;
    bool is_device = exit_is_device(walk->gpa);

    if (!is_device && walk->gpa >> PAGE_SHIFT < guest->shadow.frame_count) {
        switch (physmap_fault(guest, walk->gpa, vmcb->exitinfo1 & WALK_W)) {
        case PHYSMAP_RESUME: *again = true; return EXIT_RESUME;
        case PHYSMAP_DROP_WRITE:
        case PHYSMAP_EMULATE: is_device = true; break;
        default: break;
        }
    }
    guest->shadow.counts.device++; /* a figure for the report: no lock */
    if (!is_device)
        return exit_crash(vcpu, "access outside its memory");
    if (vmcb->exitintinfo & EVENT_V || vmcb->exitinfo1 & WALK_ID)
        return exit_crash(vcpu, "code or an event's delivery in read-only memory, or in none");
    return exit_device(vcpu, walk->gpa);
}

/* A page table where there is no memory yet, or none at all. */
static enum exit_result broken(struct vcpu *vcpu, const struct guest_walk *walk, bool *again)
{
    struct npt_page page;

    *again = !npt_find(&vcpu->guest->npt, walk->gpa, &page) && guest_populate(vcpu->guest, walk->gpa);
    return *again ? EXIT_RESUME : exit_crash(vcpu, "a page table outside its memory, or in read-only memory");
}

enum exit_result vmexit_page_fault(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;
    const struct vmcb *vmcb = vcpu->svm.vmcb;
    enum exit_result done = EXIT_RESUME;
    enum shadow_result result;
    struct guest_walk walk;
    bool again;

    do {
        again = false;
        lock_acquire(&guest->shadow_lock);
        result = shadow_fault(&guest->shadow, &vcpu->shadow, vmcb->exitinfo2, (uint32_t)vmcb->exitinfo1, &walk);
        svm_set_shadow_root(&vcpu->svm, vcpu->shadow.cr3);
        lock_release(&guest->shadow_lock);
        switch (result) {
        case SHADOW_FILLED: break;
        case SHADOW_REFLECT: done = exit_reflect_pf(vcpu, vmcb->exitinfo2, walk.code); break;
        case SHADOW_TABLE_WRITE: done = paging_table_write(vcpu, walk.gpa); break;
        case SHADOW_DEVICE: done = device(vcpu, &walk, &again); break;
        case SHADOW_BROKEN: done = broken(vcpu, &walk, &again); break;
        }
    } while (again);
    return done;
}
