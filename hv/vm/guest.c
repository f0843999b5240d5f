/* SPDX-License-Identifier: MIT */
#include "hv/vm/guest.h"

#include "hv/abi/guest_calls.h"
#include "hv/core/clock.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/devices.h"
#include "hv/vm/elf.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/exits.h"
#include "hv/vm/kernel_notes.h"
#include "hv/vm/map_counts.h"
#include "hv/vm/paging.h"
#include "hv/vm/physmap.h"
#include "hv/vm/pv_guest.h"
#include "hv/vm/pvh.h"
#include "hv/vm/real_mode.h"
#include "hv/vm/report.h"
#include "hv/vm/schedule.h"
#include "hv/vm/shared_info.h"
#include "hv/vm/vcpu_timer.h"

#define VGA_HOLE_START 0xA0000ull
#define VGA_HOLE_END 0xC0000ull
#define LOW_TOP 0xA0000ull       /* RAM as the guest is told: 0 - A0000h, and from 1 MiB */
#define HIGH_START 0x100000ull
#define MMIO_START 0xC0000000ull /* a larger guest's rest begins at 4 GiB */
#define MMIO_END 0x100000000ull
#define BOOT_INFO 0x9000ull      /* multiboot information block, then the map, then the command line */
#define BOOT_MMAP (BOOT_INFO + 0x100)
#define BOOT_STRING (BOOT_INFO + 0x200)
#define BOOT_STRING_MAX 0x600
#define BOOT_STACK 0x8000u
#define VCPUS_ORDER 3

_Static_assert(GUEST_VCPUS_MAX * sizeof(struct vcpu) <= (size_t)PAGE_SIZE << VCPUS_ORDER, "room for all vCPUs");

struct guest guests[GUESTS_MAX];
unsigned guest_count;

static struct lock life_lock; /* places, numbers, the step from dying to free */
static unsigned last_domid;
static enum npt_size backing_limit = NPT_1G;

void guest_init(enum npt_size limit)
{
    backing_limit = limit;
}

/* ---- Memory ---------------------------------------------------------------------------------------------- */

static uint64_t low_end(const struct guest *guest)
{
    return guest->spec.memory < MMIO_START ? guest->spec.memory : MMIO_START;
}

static uint64_t high_end(const struct guest *guest)
{
    return guest->spec.memory <= MMIO_START ? MMIO_END : MMIO_END + (guest->spec.memory - MMIO_START);
}

/* The stretch of guest RAM that gpa lies in. C0000h-FFFFFh is backed too: firmware lives there. */
static bool ram_stretch(const struct guest *guest, uint64_t gpa, uint64_t *start, uint64_t *end)
{
    const uint64_t stretches[][2] = { { 0, VGA_HOLE_START }, { VGA_HOLE_END, low_end(guest) },
                                      { MMIO_END, high_end(guest) } };

    for (unsigned i = 0; i < 3; i++) {
        if (gpa >= stretches[i][0] && gpa < stretches[i][1]) {
            *start = stretches[i][0];
            *end = stretches[i][1];
            return true;
        }
    }
    return false;
}

uint64_t guest_top(const struct guest *guest)
{
    return high_end(guest) > MMIO_END ? high_end(guest) : low_end(guest);
}

bool guest_is_ram(const struct guest *guest, uint64_t gpa)
{
    uint64_t start, end;

    return ram_stretch(guest, gpa, &start, &end);
}

static uint64_t alloc_table(void)
{
    uint64_t page = memory_alloc(ORDER_4K);

    if (page)
        text_zero(memory_pointer(page), PAGE_SIZE);
    return page;
}

/*
 * The node of the first core that its first vCPU may run on: its memory comes from there, and when that is full from
 * the next node. Whatever the distances say.
 */
static unsigned home_node(const struct guest *guest)
{
    uint64_t cores = guest->vcpus ? guest->vcpus[0].affinity : guest->spec.cores;
    unsigned core = cores ? (unsigned)__builtin_ctzll(cores) : 0;

    return core < ACPI_CORES_MAX ? memory_numa()->core_node[core] : 0;
}

uint64_t guest_alloc(const struct guest *guest, unsigned order)
{
    return guest->near ? memory_alloc_near(order, guest->near - 1) : memory_alloc_on(home_node(guest), order);
}

/* Back the page at gpa with the largest page that fits and is to be had. Returns its size in bytes, 0: no memory. */
static uint64_t back_page(struct guest *guest, uint64_t gpa, uint64_t end)
{
    enum npt_size size = npt_fit(gpa, end, guest->spec.backing);

    for (;; size--) {
        uint64_t spa = memory_clear_used(guest_alloc(guest, 9u * size), 9u * size);

        if (spa) {
            if (npt_map(&guest->npt, gpa, spa, size, NPT_WRITE))
                return npt_bytes(size);
            memory_free(spa, 9u * size);
        }
        if (size == NPT_4K)
            return 0;
    }
}

/* On demand: the whole page of the guest's backing size around gpa, where the stretch allows one. */
bool guest_populate(struct guest *guest, uint64_t gpa)
{
    struct npt_page page;
    uint64_t start, end;
    enum npt_size size;
    bool ok;

    if (guest->pv || !ram_stretch(guest, gpa, &start, &end))
        return false;
    lock_acquire(&guest->memory_lock);
    ok = npt_find(&guest->npt, gpa, &page); /* another vCPU may have been faster */
    for (size = guest->spec.backing; !ok; size--) {
        uint64_t at = gpa & ~(npt_bytes(size) - 1), backed = 0;

        if (at >= start && npt_fit(at, end, size) == size)
            ok = (backed = back_page(guest, at, end)) != 0;
        for (uint64_t i = 0; ok && i < backed >> PAGE_SHIFT; i++)
            log_dirty_mark(&guest->log, (at >> PAGE_SHIFT) + i);
        if (size == NPT_4K)
            break;
    }
    lock_release(&guest->memory_lock);
    return ok;
}

static bool populate_all(struct guest *guest)
{
    uint64_t start, end;
    uint64_t gpa = 0, bytes;

    while (gpa < high_end(guest)) {
        if (!ram_stretch(guest, gpa, &start, &end)) {
            gpa = gpa < VGA_HOLE_END ? VGA_HOLE_END : MMIO_END;
            continue;
        }
        bytes = back_page(guest, gpa, end);
        if (!bytes)
            return false;
        gpa += bytes;
    }
    return true;
}

struct piece_taker {
    void (*take)(void *ctx, uint64_t offset, void *memory, uint64_t size);
    void *ctx;
    bool writes;
};

/*
 * One piece, under the lock when it is written: the frame behind it must not go elsewhere meanwhile. Returns its
 * size, 0: there is no memory.
 */
static uint64_t one_piece(struct guest *guest, uint64_t gpa, uint64_t size, const struct piece_taker *taker,
                          uint64_t offset)
{
    struct npt_page page;
    uint64_t piece = 0;

    if (taker->writes)
        lock_acquire(&guest->memory_lock);
    if (npt_find(&guest->npt, gpa, &page) && npt_is_present(page.type)) {
        piece = npt_bytes(page.size) - (page.spa & (npt_bytes(page.size) - 1));
        if (piece > size)
            piece = size;
        if (!taker->writes || page.type != NPT_READ_ONLY)
            taker->take(taker->ctx, offset, memory_pointer(page.spa), piece);
        for (uint64_t at = gpa & ~(uint64_t)(PAGE_SIZE - 1); taker->writes && at < gpa + piece; at += PAGE_SIZE)
            log_dirty_mark(&guest->log, at >> PAGE_SHIFT);
    }
    if (taker->writes)
        lock_release(&guest->memory_lock);
    return piece;
}

/* Call for each piece of [gpa, gpa + size) that lies within one nested page. */
static bool each_piece(struct guest *guest, uint64_t gpa, uint64_t size, const struct piece_taker *taker)
{
    uint64_t offset = 0;

    while (offset < size) {
        uint64_t piece = one_piece(guest, gpa + offset, size - offset, taker, offset);

        if (!piece && guest_populate(guest, gpa + offset))
            piece = one_piece(guest, gpa + offset, size - offset, taker, offset);
        if (!piece)
            return false;
        offset += piece;
    }
    return true;
}

static void copy_in(void *ctx, uint64_t offset, void *memory, uint64_t size)
{
    memcpy(memory, (const char *)ctx + offset, size);
}

static void copy_out(void *ctx, uint64_t offset, void *memory, uint64_t size)
{
    memcpy((char *)ctx + offset, memory, size);
}

static void clear(void *ctx, uint64_t offset, void *memory, uint64_t size)
{
    (void)ctx;
    (void)offset;
    text_zero(memory, size);
}

bool guest_write(struct guest *guest, uint64_t gpa, const void *data, uint64_t size)
{
    struct piece_taker taker = { copy_in, (void *)(uintptr_t)data, true };

    if (!each_piece(guest, gpa, size, &taker))
        return false;
    paging_written(guest, gpa, size);
    return true;
}

/* Table entries and instruction bytes, which most exits ask for, lie within one nested page. */
bool guest_read(struct guest *guest, uint64_t gpa, void *data, uint64_t size)
{
    enum npt_size page;
    uint64_t spa;

    if (npt_lookup(&guest->npt, gpa, &spa, &page) && (spa & (npt_bytes(page) - 1)) + size <= npt_bytes(page)) {
        if (size == sizeof(uint64_t))
            __builtin_memcpy(data, memory_pointer(spa), sizeof(uint64_t));
        else
            memcpy(data, memory_pointer(spa), size);
        return true;
    }
    return each_piece(guest, gpa, size, &(struct piece_taker){ copy_out, data, false });
}

static bool place_segment(void *ctx, uint64_t address, const void *data, uint64_t size, uint64_t memory_size)
{
    struct guest *guest = ctx;

    return guest_write(guest, address, data, size) &&
           each_piece(guest, address + size, memory_size - size, &(struct piece_taker){ clear, NULL, true });
}

unsigned guest_ram_told(const struct guest *guest, struct guest_ram ram[GUEST_RAM_PIECES])
{
    ram[0] = (struct guest_ram){ 0, LOW_TOP };
    ram[1] = (struct guest_ram){ HIGH_START, low_end(guest) };
    ram[2] = (struct guest_ram){ MMIO_END, high_end(guest) };
    return high_end(guest) > MMIO_END ? 3 : 2;
}

uint64_t guest_pages(const struct guest *guest)
{
    uint64_t pages = 0;

    for (unsigned size = 0; size < NPT_SIZE_COUNT; size++)
        pages += guest->npt.entries[size] * (npt_bytes((enum npt_size)size) / PAGE_SIZE);
    return pages;
}

/* What a multiboot loader leaves (multiboot 0.6.96, 3.3): memory sizes, map, command line. */
static bool write_boot_information(struct guest *guest)
{
    struct guest_ram ram[GUEST_RAM_PIECES];
    struct multiboot_mmap map[GUEST_RAM_PIECES];
    unsigned pieces = guest_ram_told(guest, ram);
    struct multiboot_info info = {
        .flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MMAP,
        .mem_lower = LOW_TOP >> 10,
        .mem_upper = (uint32_t)((low_end(guest) - HIGH_START) >> 10),
        .cmdline = BOOT_STRING,
        .mmap_length = pieces * (uint32_t)sizeof(map[0]),
        .mmap_addr = BOOT_MMAP,
    };
    uint64_t length = text_length(guest->string) + 1;

    for (unsigned i = 0; i < pieces; i++)
        map[i] = (struct multiboot_mmap){ sizeof(map[i]) - 4, ram[i].start, ram[i].end - ram[i].start,
                                          MULTIBOOT_MEMORY_RAM };
    return length <= BOOT_STRING_MAX && guest_write(guest, BOOT_INFO, &info, sizeof(info)) &&
           guest_write(guest, BOOT_MMAP, map, pieces * sizeof(map[0])) &&
           guest_write(guest, BOOT_STRING, guest->string, length);
}

/* ---- Life ------------------------------------------------------------------------------------------------ */

bool guest_create_vcpus(struct guest *guest)
{
    uint64_t room = memory_alloc(VCPUS_ORDER);

    if (!room)
        return false;
    guest->vcpus = memory_pointer(room);
    text_zero(guest->vcpus, GUEST_VCPUS_MAX * sizeof(*guest->vcpus));
    for (unsigned i = 0; i < guest->spec.vcpus; i++) {
        struct vcpu *vcpu = &guest->vcpus[i];

        vcpu->guest = guest;
        vcpu->id = i;
        if (!svm_vcpu_init(&vcpu->svm, guest->npt.root))
            return false;
        counts_init(&vcpu->counts);
        devices_add_vcpu(vcpu);
        credit_vcpu_init(&vcpu->credit);
        vcpu_timer_begin(vcpu);
        vcpu->affinity = guest->spec.cores;
        vcpu->state_since = clock_now();
        if (!guest->paging->vcpu_begin(vcpu))
            return false;
    }
    vmexit_cpuid_features(&guest->vcpus[0], &guest->features);
    return shared_info_begin(guest) && event_channels_begin(guest);
}

static void enter_multiboot(struct vcpu *vcpu, uint32_t entry)
{
    svm_vcpu_set_entry(&vcpu->svm, entry, BOOT_STACK);
    svm_set_rax(&vcpu->svm, MULTIBOOT_LOADER_MAGIC);
    vcpu->svm.registers.rbx = BOOT_INFO;
}

/* The segments, and where the kernel begins: a 64-bit one has a Xen note that says it, a 32-bit one its header. */
static const char *load_image(struct guest *guest, const struct elf *elf, uint32_t *entry)
{
    struct kernel_notes notes;
    const char *wrong = elf->wide ? kernel_notes_read(elf, &notes) : NULL;

    if (!wrong && elf->wide && !kernel_note_is_given(&notes, NOTE_PHYS32_ENTRY))
        wrong = "64-bit ELF image has no Xen note 18 (a PVH entry)";
    if (!wrong)
        *entry = elf->wide ? notes.phys32_entry : (uint32_t)elf->entry;
    return wrong ? wrong : elf_load(elf, place_segment, guest);
}

static void make_first_runnable(struct guest *guest)
{
    guest->vcpus[0].initialised = true;
    guest->vcpus[0].state = VCPU_RUNNABLE;
}

static const char *load_flat(struct guest *guest, const struct multiboot_module *module)
{
    const char *wrong = real_mode_load(guest, module);

    if (wrong)
        return wrong;
    if (!guest_create_vcpus(guest))
        return "not enough memory for the vCPUs";
    real_mode_enter(&guest->vcpus[0]);
    make_first_runnable(guest);
    return NULL;
}

/* A 64-bit ELF kernel enters the PVH way, a 32-bit one as from a multiboot loader. */
static const char *load_elf(struct guest *guest, const struct multiboot_module *module)
{
    struct elf elf;
    uint32_t entry;
    const char *wrong = elf_open(&elf, memory_pointer(module->start), module->end - module->start);
    bool pvh = elf.wide;

    if (!wrong)
        wrong = load_image(guest, &elf, &entry);
    if (!wrong && pvh)
        wrong = pvh_write_start(guest);
    else if (!wrong && !write_boot_information(guest))
        wrong = "the guest's command line is too long";
    if (wrong)
        return wrong;
    if (!guest_create_vcpus(guest))
        return "not enough memory for the vCPUs";
    (pvh ? pvh_enter : enter_multiboot)(&guest->vcpus[0], entry);
    make_first_runnable(guest);
    return NULL;
}

static bool domid_taken(unsigned domid)
{
    for (unsigned i = 0; i < guest_count; i++)
        if (guests[i].life != GUEST_FREE && guests[i].domid == domid)
            return true;
    return false;
}

/* The next number after the one given last, round and round, so that an old number is not soon another guest's. */
static unsigned next_domid(void)
{
    do
        last_domid = last_domid + 1 < DOMID_FIRST_RESERVED ? last_domid + 1 : 1;
    while (domid_taken(last_domid));
    return last_domid;
}

struct guest *guest_claim(bool control)
{
    struct guest *guest = NULL;

    lock_acquire(&life_lock);
    for (unsigned i = 0; i < GUESTS_MAX && !guest; i++)
        if (guests[i].life == GUEST_FREE)
            guest = &guests[i];
    if (guest && !(control && domid_taken(DOMID_CONTROL))) {
        *guest = (struct guest){ .life = GUEST_BUILDING, .place = (unsigned)(guest - guests),
                                 .share = { CREDIT_WEIGHT_DEFAULT, 0 } };
        guest->domid = (uint16_t)(control ? DOMID_CONTROL : next_domid());
        if (guest->place >= guest_count)
            __atomic_store_n(&guest_count, guest->place + 1, __ATOMIC_RELEASE);
    } else {
        guest = NULL;
    }
    lock_release(&life_lock);
    return guest;
}

static void give_back(uint64_t spa, unsigned order)
{
    memory_free(spa, order);
}

/* The guest's vCPUs are on no core, and nobody else looks at it any more. */
static void free_guest(struct guest *guest)
{
    if (guest->vcpus)
        devices_end(guest);
    event_channels_end(guest);
    for (unsigned i = 0; guest->vcpus && i < guest->spec.vcpus; i++)
        vcpu_timer_end(&guest->vcpus[i]);
    shared_info_end(guest);
    if (guest->grant_frames)
        memory_free(guest->grant_frames, GUEST_GRANT_ORDER);
    for (unsigned i = 0; guest->vcpus && i < guest->spec.vcpus; i++)
        svm_vcpu_free(&guest->vcpus[i].svm);
    if (guest->vcpus)
        memory_free((uintptr_t)guest->vcpus, VCPUS_ORDER);
    guest->vcpus = NULL;
    if (guest->paging)
        guest->paging->guest_end(guest);
    map_counts_retire(guest);
    pv_guest_end(guest);
    npt_destroy(&guest->npt, give_back);
    physmap_free(guest);
    __atomic_store_n(&guest->life, GUEST_FREE, __ATOMIC_RELEASE);
}

/* Its string read, its devices and an empty map. */
static const char *begin(struct guest *guest)
{
    const char *wrong = guest_spec_parse(&guest->spec, guest->string, guest->place, backing_limit);

    if (wrong)
        return wrong;
    if (guest->vcpus_allowed && guest->spec.vcpus > guest->vcpus_allowed)
        return "vcpus= is more than the domain may have";
    if (guest->memory_allowed && guest->spec.memory > guest->memory_allowed)
        return "memory= is more than the domain may have";
    guest->paging = guest->spec.type == GUEST_PV ? &paging_pv : paging_of(guest->spec.hap);
    devices_begin(guest);
    return npt_init(&guest->npt, alloc_table) && guest->paging->guest_begin(guest) ? NULL
                                                                                   : "not enough memory for the guest";
}

static const char *build(struct guest *guest, const struct multiboot_module *module)
{
    const char *wrong = begin(guest);

    if (wrong)
        return wrong;
    if (guest->spec.type == GUEST_PV)
        return pv_guest_build(guest, module);
    if (!guest->spec.on_demand && !populate_all(guest))
        return "not enough memory for the guest";
    return (guest->spec.start == GUEST_START_IMAGE ? load_elf : load_flat)(guest, module);
}

/* All but what is in its memory and its vCPUs. */
static const char *build_empty(struct guest *guest)
{
    const char *wrong = begin(guest);

    if (wrong)
        return wrong;
    if (guest->spec.type == GUEST_PV)
        return pv_guest_build_empty(guest);
    return guest_create_vcpus(guest) ? NULL : "not enough memory for the vCPUs";
}

const char *guest_build_empty(struct guest *guest, const char *string)
{
    size_t length = text_length(string);
    const char *wrong = "the guest's string is too long";

    if (length < sizeof(guest->string)) {
        memcpy(guest->string, string, length + 1);
        wrong = build_empty(guest);
    }
    if (wrong)
        free_guest(guest);
    return wrong;
}

void guest_come_alive(struct guest *guest)
{
    __atomic_store_n(&guest->life, GUEST_ALIVE, __ATOMIC_RELEASE);
}

const char *guest_build(struct guest *guest, const struct multiboot_module *module, const char *string)
{
    size_t length = text_length(string);
    const char *wrong = "the guest's string is too long";

    if (length < sizeof(guest->string)) {
        memcpy(guest->string, string, length + 1);
        wrong = build(guest, module);
    }
    if (wrong)
        free_guest(guest);
    else
        __atomic_store_n(&guest->life, GUEST_ALIVE, __ATOMIC_RELEASE);
    return wrong;
}

void guest_forget(struct guest *guest)
{
    free_guest(guest);
}

void guests_hold(void)
{
    lock_acquire(&life_lock);
}

void guests_release(void)
{
    lock_release(&life_lock);
}

void guest_set_created(struct guest *guest)
{
    __atomic_store_n(&guest->life, GUEST_CREATED, __ATOMIC_RELEASE);
}

struct guest *guest_take_created(unsigned domid)
{
    struct guest *found = NULL;

    lock_acquire(&life_lock);
    for (unsigned i = 0; i < guest_count && !found; i++)
        if (guests[i].life == GUEST_CREATED && guests[i].domid == domid)
            found = &guests[i];
    if (found)
        __atomic_store_n(&found->life, GUEST_BUILDING, __ATOMIC_RELEASE);
    lock_release(&life_lock);
    return found;
}

struct guest *guest_by_domid(unsigned domid)
{
    for (unsigned i = 0; i < guest_count; i++)
        if (guest_is_alive(&guests[i]) && guests[i].domid == domid)
            return &guests[i];
    return NULL;
}

void guest_left(struct guest *guest)
{
    bool mine = false;

    lock_acquire(&life_lock);
    if (guest->life == GUEST_DYING && schedule_is_quiet(guest)) {
        mine = true;
        __atomic_store_n(&guest->life, GUEST_BUILDING, __ATOMIC_RELEASE); /* nobody's but ours from here on */
    }
    lock_release(&life_lock);
    if (!mine)
        return;
    report_retire(guest);
    free_guest(guest);
}

void guest_destroy(struct guest *guest)
{
    bool first;

    guest_finish(guest, GUEST_DESTROYED, 0);
    lock_acquire(&life_lock);
    first = guest->life == GUEST_ALIVE;
    if (first)
        __atomic_store_n(&guest->life, GUEST_DYING, __ATOMIC_RELEASE);
    lock_release(&life_lock);
    if (!first)
        return;
    schedule_kick(guest);
    guest_left(guest);
}

/* ---- Console --------------------------------------------------------------------------------------------- */

static void print_line(struct guest *guest)
{
    guest->line[guest->line_length] = '\0';
    console_print("(%s) %s", guest->spec.name, guest->line);
    guest->line_length = 0;
}

void guest_console_put(struct guest *guest, char c)
{
    lock_acquire(&guest->console_lock);
    if (c == '\n') {
        print_line(guest);
    } else if (c != '\r') {
        guest->line[guest->line_length++] = c;
        if (guest->line_length == sizeof(guest->line) - 1)
            print_line(guest);
    }
    lock_release(&guest->console_lock);
}

void guest_shutdown(struct guest *guest, uint32_t reason)
{
    if (guest->outcome == GUEST_RUNS)
        guest->shutdown_reason = reason;
    guest_finish(guest, reason == SHUTDOWN_CRASH ? GUEST_CRASHED : GUEST_FINISHED, 0);
}

void guest_finish(struct guest *guest, enum guest_outcome outcome, uint64_t result)
{
    lock_acquire(&guest->console_lock);
    if (guest->line_length)
        print_line(guest);
    if (guest->outcome == GUEST_RUNS) {
        if (outcome == GUEST_CRASHED)
            guest->shutdown_reason = SHUTDOWN_CRASH;
        guest->result = result;
        __atomic_store_n(&guest->outcome, outcome, __ATOMIC_RELEASE); /* the scheduler looks without this lock */
    }
    lock_release(&guest->console_lock);
}
