/* SPDX-License-Identifier: MIT */
/*
 * A paravirtual guest from its kernel's image, as Xen's builder leaves one: at VIRT_BASE all of its frames from number
 * 0, in this order, as far as 512 KiB behind the last, rounded up to 4 MiB:
 *
 *   the kernel where its segments say, its symbols | frame list | start information | page tables | stack
 *
 * The tables are read-only; hv has checked them as it will check the kernel's own.
 */
#include "hv/vm/pv_guest.h"

#include "hv/abi/pv32.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/bsd_symbols.h"
#include "hv/vm/kernel_notes.h"

#define SLACK (512ull << 10)
#define END_ALIGN (4ull << 20)
#define RIGHTS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define FEATURES_NOT_HERE (1u << FEATURE_WRITABLE_PAGE_TABLES | 1u << FEATURE_AUTO_TRANSLATED_PHYSMAP | \
                           1u << FEATURE_SUPERVISOR_MODE_KERNEL)
#define PAGES(bytes) (((bytes) + PAGE_SIZE - 1) / PAGE_SIZE)

struct build {
    struct guest *guest;
    struct elf elf;
    struct kernel_notes notes;
    struct kernel_layout kernel;
    uint64_t *frames; /* machine frame of each of the guest's */
    uint64_t count;
    uint64_t base;    /* linear address of frame 0 */
    uint64_t p2m, info, tables, stack, end; /* the guest's frame numbers */
    unsigned frames_order;
    unsigned word;      /* bytes of a frame number in the guest's list */
    enum pv_type root;
};

/* ---- Frames ---------------------------------------------------------------------------------------------- */

static bool give(struct guest *guest, uint64_t frame, uint64_t pfn)
{
    bool ok;

    lock_acquire(&guest->memory_lock);
    ok = npt_place(&guest->npt, frame * PAGE_SIZE, frame * PAGE_SIZE, NPT_RAM, NPT_FOR_BALLOON);
    lock_release(&guest->memory_lock);
    return ok && pv_machine_give(frame, guest->domid, pfn);
}

static bool take_away(struct guest *guest, uint64_t frame)
{
    bool ok;

    lock_acquire(&guest->memory_lock);
    ok = npt_set_type(&guest->npt, frame * PAGE_SIZE, NPT_BALLOONED, NPT_FOR_BALLOON);
    lock_release(&guest->memory_lock);
    return ok;
}

uint64_t pv_guest_add_frames(struct guest *guest, uint64_t first_pfn, uint64_t count, uint64_t *frames)
{
    uint64_t done = 0;

    while (done < count) {
        unsigned order = count - done >= 1u << ORDER_2M ? ORDER_2M : ORDER_4K;
        uint64_t at = memory_clear_used(memory_alloc(order), order);

        if (!at && order)
            at = memory_clear_used(memory_alloc(order = ORDER_4K), ORDER_4K);
        if (!at)
            break;
        for (uint64_t i = 0; i < 1ull << order; i++) {
            if (!give(guest, at / PAGE_SIZE + i, first_pfn + done)) {
                for (; i < 1ull << order; i++)
                    memory_free(at + i * PAGE_SIZE, ORDER_4K);
                return done;
            }
            frames[done++] = at / PAGE_SIZE + i;
        }
    }
    return done;
}

bool pv_guest_drop_frame(struct guest *guest, uint64_t frame)
{
    bool ok;

    lock_acquire(&guest->pv->lock);
    ok = pv_is_unused(&guest->pv->types, frame) && take_away(guest, frame);
    if (ok) {
        pv_machine_take(frame);
        pv_flush(guest->pv, NULL);
    }
    lock_release(&guest->pv->lock);
    if (ok)
        memory_free(frame * PAGE_SIZE, ORDER_4K);
    return ok;
}

static void *page_of(const struct build *b, uint64_t pfn)
{
    return memory_pointer(b->frames[pfn] * PAGE_SIZE);
}

static uint64_t linear_of(const struct build *b, uint64_t pfn)
{
    return b->base + pfn * PAGE_SIZE;
}

/* ---- The image ------------------------------------------------------------------------------------------- */

static bool put(struct build *b, uint64_t linear, const void *data, uint64_t size)
{
    const char *bytes = data;

    while (size) {
        uint64_t offset = linear - b->base, piece = PAGE_SIZE - offset % PAGE_SIZE;
        char *to;

        if (offset / PAGE_SIZE >= b->count)
            return false;
        if (piece > size)
            piece = size;
        to = (char *)page_of(b, offset / PAGE_SIZE) + offset % PAGE_SIZE;
        if (bytes)
            memcpy(to, bytes, piece);
        else
            text_zero(to, piece);
        bytes = bytes ? bytes + piece : NULL;
        linear += piece;
        size -= piece;
    }
    return true;
}

static bool place(void *ctx, uint64_t address, const void *data, uint64_t size, uint64_t memory_size)
{
    struct build *b = ctx;
    uint64_t linear = address + b->kernel.virt_offset;

    return put(b, linear, data, size) && put(b, linear + size, NULL, memory_size - size);
}

static bool place_symbols(void *ctx, uint64_t address, const void *data, uint64_t size, uint64_t memory_size)
{
    return put(ctx, address, data, size) && put(ctx, address + size, NULL, memory_size - size);
}

static const char *load_symbols(struct build *b)
{
    struct elf_extent extent = { b->kernel.symbols, b->kernel.end };

    return b->kernel.symbols ? bsd_symbols_load(&b->elf, &extent, place_symbols, b) : NULL;
}

static const char *read_image(struct build *b, const struct multiboot_module *module)
{
    const char *wrong = elf_open(&b->elf, memory_pointer(module->start), module->end - module->start);

    if (!wrong)
        wrong = kernel_notes_read(&b->elf, &b->notes);
    if (!wrong && b->notes.form == KERNEL_HAS_NO_NOTES)
        wrong = "type=pv wants a kernel with Xen's notes";
    if (!wrong && b->elf.wide != (b->guest->spec.width == 64))
        wrong = "type=pv wants a kernel as wide as width= says, 64 bits or 32";
    if (!wrong && !b->elf.wide && b->notes.pae == KERNEL_PAE_NO)
        wrong = "a 32-bit paravirtual kernel must say that it uses PAE (note 9, PAE=yes)";
    if (!wrong)
        wrong = kernel_notes_lay_out(&b->elf, &b->notes, &b->kernel);
    if (!wrong && b->notes.features_required & FEATURES_NOT_HERE)
        wrong = "the kernel requires a feature that paravirtual guests do not have here";
    b->base = b->notes.virt_base;
    b->word = b->elf.wide ? sizeof(uint64_t) : sizeof(uint32_t);
    b->root = b->elf.wide ? PV_L4 : PV_L3;
    return wrong;
}

/* ---- Layout ---------------------------------------------------------------------------------------------- */

/* Tables of one level that cover [start, end). */
static uint64_t tables_for(uint64_t start, uint64_t end, unsigned shift)
{
    return ((end - 1) >> shift) - (start >> shift) + 1;
}

static uint64_t table_count(const struct build *b, uint64_t end)
{
    return tables_for(b->base, end, 21) + tables_for(b->base, end, 30) +
           (b->root == PV_L4 ? tables_for(b->base, end, 39) : 0) + 1;
}

static const char *lay_out(struct build *b)
{
    uint64_t tables = 0, wanted = 1;

    b->p2m = PAGES(b->kernel.end - b->base);
    b->info = b->p2m + PAGES(b->count * b->word);
    b->tables = b->info + 1;
    while (tables != wanted) { /* more tables may want more tables */
        tables = wanted;
        b->stack = b->tables + tables;
        b->end = (b->stack + 1) * PAGE_SIZE + SLACK;
        b->end = (b->end + END_ALIGN - 1) / END_ALIGN * (END_ALIGN / PAGE_SIZE);
        if (b->end > b->count || (!b->elf.wide && linear_of(b, b->end) > 1ull << 32))
            return "the kernel and its first tables do not fit the guest's memory";
        wanted = table_count(b, linear_of(b, b->end));
    }
    return NULL;
}

/* The next level's table for a linear address, made if need be. */
static uint64_t *table_below(struct build *b, uint64_t *table, uint64_t linear, unsigned shift, uint64_t *next)
{
    uint64_t *entry = &table[linear >> shift & (PV_TABLE_ENTRIES - 1)];

    if (!(*entry & PTE_P))
        *entry = b->frames[(*next)++] * PAGE_SIZE | RIGHTS;
    return memory_pointer(*entry & PTE_ADDRESS);
}

static void make_tables(struct build *b)
{
    uint64_t next = b->tables + 1, rights = b->elf.wide ? RIGHTS : RIGHTS & ~PTE_U;

    for (uint64_t pfn = b->tables; pfn < b->stack; pfn++)
        text_zero(page_of(b, pfn), PAGE_SIZE);
    for (uint64_t pfn = 0; pfn < b->end; pfn++) {
        uint64_t *table = page_of(b, b->tables), linear = linear_of(b, pfn);
        bool is_table = pfn >= b->tables && pfn < b->stack;

        for (unsigned shift = b->root == PV_L4 ? 39 : 30; shift > 12; shift -= 9)
            table = table_below(b, table, linear, shift, &next);
        table[linear >> 12 & (PV_TABLE_ENTRIES - 1)] =
            b->frames[pfn] * PAGE_SIZE | (is_table ? rights & ~PTE_W : rights);
    }
}

/* ---- What the kernel finds ------------------------------------------------------------------------------- */

/* Both widths' structures have fields of the same names. */
#define FILL_START(to, b)                                                                                              \
    do {                                                                                                               \
        (to)->nr_pages = (b)->count;                                                                                 \
        (to)->shared_info = (uintptr_t)(b)->guest->shared_info;                                                      \
        (to)->flags = (b)->guest->domid == DOMID_CONTROL ? SIF_PRIVILEGED | SIF_INITDOMAIN : 0;                      \
        (to)->pt_base = linear_of((b), (b)->tables);                                                                 \
        (to)->nr_pt_frames = (b)->stack - (b)->tables;                                                               \
        (to)->mfn_list = linear_of((b), (b)->p2m);                                                                   \
        (to)->first_p2m_pfn = (b)->p2m;                                                                              \
        (to)->nr_p2m_frames = (b)->info - (b)->p2m;                                                                  \
        memcpy((to)->cmd_line, (b)->guest->string, text_length((b)->guest->string) + 1);                             \
    } while (0)

static void write_info(struct build *b)
{
    struct pv_start_info *info = page_of(b, b->info);
    struct pv32_start_info *narrow = page_of(b, b->info);

    _Static_assert(sizeof(*info) <= PAGE_SIZE, "one page");
    text_zero(info, PAGE_SIZE);
    if (b->elf.wide) {
        memcpy(info->magic, START_INFO_MAGIC, sizeof(START_INFO_MAGIC));
        FILL_START(info, b);
    } else {
        memcpy(narrow->magic, PV32_START_INFO_MAGIC, sizeof(PV32_START_INFO_MAGIC));
        FILL_START(narrow, b);
    }
}

/* Little-endian: a number's low half comes first. */
static void write_frames(struct build *b)
{
    for (uint64_t pfn = 0; pfn < b->count; pfn++)
        put(b, linear_of(b, b->p2m) + pfn * b->word, &b->frames[pfn], b->word);
}

static const char *write_hypercalls(struct build *b)
{
    uint8_t *page = memory_pointer(memory_alloc(ORDER_4K));
    bool ok;

    if (!page)
        return "not enough memory for the guest";
    (b->elf.wide ? pv64_hypercall_page : pv32_hypercall_page)(page);
    ok = put(b, b->notes.hypercall_page, page, PAGE_SIZE);
    memory_free((uintptr_t)page, ORDER_4K);
    return ok ? NULL : "the kernel's hypercall page lies outside its memory";
}

static const char *write_start(struct build *b)
{
    if (text_length(b->guest->string) >= sizeof(((struct pv_start_info *)0)->cmd_line))
        return "the guest's command line is too long";
    write_info(b);
    write_frames(b);
    return kernel_note_is_given(&b->notes, NOTE_HYPERCALL_PAGE) ? write_hypercalls(b) : NULL;
}

/* hv's page that the guest maps as it likes: memory of its own, always writable. */
static bool share_info(struct guest *guest)
{
    uint64_t frame = (uintptr_t)guest->shared_info / PAGE_SIZE;

    if (!pv_machine_give(frame, guest->domid, ~0ull) || pv_type_get(&guest->pv->types, frame, PV_WRITABLE))
        return false;
    pv_machine_frame(frame)->refs++;
    return true;
}

static const char *make_vcpus(struct guest *guest)
{
    if (!guest_create_vcpus(guest))
        return "not enough memory for the vCPUs";
    for (unsigned i = 0; i < guest->spec.vcpus; i++)
        guest->vcpus[i].pv = guest->pv->vcpus[i];
    return share_info(guest) ? NULL : "not enough memory for the guest";
}

const char *pv_guest_build_empty(struct guest *guest)
{
    if (guest->spec.width != 64)
        return "a 32-bit paravirtual guest does not move";
    guest->pv = pv_guest_new(guest->domid, guest->spec.vcpus);
    return guest->pv ? make_vcpus(guest) : "not enough memory for the guest";
}

static const char *begin_vcpus(struct build *b)
{
    struct guest *guest = b->guest;
    struct pv_vcpu *first = guest->pv->vcpus[0];
    uint64_t root = b->frames[b->tables];
    const char *wrong = make_vcpus(guest);

    if (wrong)
        return wrong;
    if (pv_set_root(first, true, root) || pv_pin(&guest->pv->types, root, b->root))
        return "hv's own tables for the guest are wrong";
    if (b->elf.wide)
        pv64_enter(first, b->kernel.entry, linear_of(b, b->stack + 1), linear_of(b, b->info));
    else
        pv32_enter(first, (uint32_t)b->kernel.entry, (uint32_t)linear_of(b, b->stack + 1),
                   (uint32_t)linear_of(b, b->info));
    guest->vcpus[0].initialised = true;
    guest->vcpus[0].state = VCPU_RUNNABLE;
    return NULL;
}

static const char *build(struct build *b, const struct multiboot_module *module)
{
    struct guest *guest = b->guest;
    const char *wrong = read_image(b, module);

    if (wrong)
        return wrong;
    guest->pv = pv_guest_new(guest->domid, guest->spec.vcpus);
    if (!guest->pv || (!b->elf.wide && !pv32_guest_begin(guest->pv)) ||
        pv_guest_add_frames(guest, 0, b->count, b->frames) < b->count)
        return "not enough memory for the guest";
    wrong = lay_out(b);
    if (!wrong)
        wrong = elf_load(&b->elf, place, b);
    if (!wrong)
        wrong = load_symbols(b);
    if (wrong)
        return wrong;
    make_tables(b);
    wrong = begin_vcpus(b);
    return wrong ? wrong : write_start(b);
}

const char *pv_guest_build(struct guest *guest, const struct multiboot_module *module)
{
    struct build b = { .guest = guest, .count = guest->spec.memory / PAGE_SIZE };
    const char *wrong = "not enough memory for the guest";
    uint64_t list;

    while ((uint64_t)PAGE_SIZE << b.frames_order < b.count * sizeof(b.frames[0]))
        b.frames_order++;
    list = memory_alloc(b.frames_order);
    if (!list)
        return wrong;
    b.frames = memory_pointer(list);
    wrong = build(&b, module);
    memory_free(list, b.frames_order);
    return wrong;
}

static void take_back(uint64_t spa, unsigned order)
{
    pv_machine_take(spa / PAGE_SIZE);
    memory_free(spa, order);
}

void pv_guest_end(struct guest *guest)
{
    if (!guest->pv)
        return;
    if (guest->shared_info)
        pv_machine_take((uintptr_t)guest->shared_info / PAGE_SIZE);
    npt_destroy(&guest->npt, take_back);
    pv_guest_free(guest->pv);
    guest->pv = NULL;
}
