/* SPDX-License-Identifier: MIT */
/*
 * Shadow tables against the guest's: a small guest memory, tables written into it, and a processor of a few lines that
 * walks what the shadow code made. The rule of all tests is the architecture's: what the processor finds permitted, the
 * guest's tables permit, at the same place; and after a fault has been handled the access goes through.
 */
#include "hv/shadow/pool.h"

#include <stdlib.h>
#include <string.h>

#include "sim/unit_test.h"

#define FRAMES 64u
#define PAGES 40u
#define OWNED_MAX 256u
#define CR0_PG (1ull << 31)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define EFER_LMA (1ull << 10)
#define P 1ull
#define W 2ull
#define U 4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull
#define NX (1ull << 63)
#define PAT_RESET 0x0007040600070406ull

struct machine {
    uint8_t *memory; /* frame f lies at memory + f * 4K */
    struct shadow shadow;
    struct shadow_vcpu vcpu;
    unsigned flushes, marked;
    enum shadow_backing backing[FRAMES];
    uint64_t pdptes[4] __attribute__((aligned(32)));
    void *owned[OWNED_MAX];
    unsigned owned_count;
};

/* Zeroed memory that machine_free gives back. */
static void *own(struct machine *m, size_t alignment, size_t size)
{
    void *at = aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));

    ck_assert(m->owned_count < OWNED_MAX);
    memset(at, 0, size);
    m->owned[m->owned_count++] = at;
    return at;
}

static enum shadow_backing frame(void *ctx, uint64_t gfn, bool write, uint64_t *spa)
{
    struct machine *m = ctx;

    if (gfn >= FRAMES || m->backing[gfn] == SHADOW_NO_MEMORY)
        return SHADOW_NO_MEMORY;
    *spa = (uintptr_t)(m->memory + gfn * 4096);
    if (write && m->backing[gfn] == SHADOW_READ_ONLY && m->marked) { /* as a log of writes does */
        m->backing[gfn] = SHADOW_WRITABLE;
        m->marked++;
    }
    return m->backing[gfn];
}

static void flush(void *ctx)
{
    ((struct machine *)ctx)->flushes++;
}

static void *page(void *ctx)
{
    return own(ctx, 4096, 4096);
}

static void *links(void *ctx)
{
    return own(ctx, 64, SHADOW_LINKS_BYTES);
}

static struct machine *machine_new(uint32_t pages)
{
    struct machine *m = aligned_alloc(64, (sizeof(*m) + 63) & ~(size_t)63);
    struct shadow_memory memory = { NULL, NULL, page, links, m };
    struct shadow_host host = { m, frame, flush };

    memset(m, 0, sizeof(*m));
    memory.frames = own(m, 64, shadow_frame_bytes(FRAMES));
    memory.pages = own(m, 64, shadow_page_bytes(pages));
    m->memory = own(m, 4096, FRAMES * 4096);
    for (unsigned i = 0; i < FRAMES; i++)
        m->backing[i] = SHADOW_WRITABLE;
    ck_assert(shadow_init(&m->shadow, &host, FRAMES, pages, &memory));
    ck_assert(shadow_vcpu_init(&m->shadow, &m->vcpu, m->pdptes));
    shadow_load_pat(&m->shadow, &m->vcpu, PAT_RESET, PAT_RESET);
    return m;
}

static void machine_free(struct machine *m)
{
    for (unsigned i = 0; i < m->owned_count; i++)
        free(m->owned[i]);
    free(m);
}

static void load(struct machine *m, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer, bool wp, bool nxe)
{
    struct guest_paging paging = { .format = guest_format_of(cr0, cr4, efer, true), .cr3 = cr3, .wp = wp, .nxe = nxe };

    if (paging.format && guest_format_is_pae(paging.format))
        ck_assert(guest_load_pdptes(&m->shadow.frames, cr3, paging.pdpte));
    shadow_load(&m->shadow, &m->vcpu, &paging);
}

static void load_long(struct machine *m, unsigned frame_of_root)
{
    load(m, CR0_PG, frame_of_root * 4096, CR4_PAE, EFER_LMA, true, true);
}

static uint64_t *quad(struct machine *m, unsigned f, unsigned index)
{
    return (uint64_t *)(void *)(m->memory + f * 4096) + index;
}

static uint32_t *word(struct machine *m, unsigned f, unsigned index)
{
    return (uint32_t *)(void *)(m->memory + f * 4096) + index;
}

/* The guest writes a table entry: hv carries it out and is told. */
static void guest_store(struct machine *m, unsigned f, unsigned index, uint64_t value)
{
    *quad(m, f, index) = value;
    shadow_written(&m->shadow, f * 4096 + index * 8, 8, true);
}

/* ---- A processor ------------------------------------------------------------------------------------------------ */

/* Error code of the fault, or -1: the access goes through to *at. */
static int processor(const struct machine *m, uint64_t linear, unsigned access, uint64_t *at)
{
    unsigned level = m->vcpu.root ? 4 : 3;
    const uint64_t *table = (const uint64_t *)(uintptr_t)m->vcpu.cr3;
    bool w = true, u = true, x = true;
    uint64_t entry;

    for (;; level--) {
        entry = table[linear >> (3 + 9 * level) & (level == 3 && !m->vcpu.root ? 3 : 511)];
        if (!(entry & P))
            return (int)access;
        if (level != 3 || m->vcpu.root) {
            w &= (entry & W) != 0;
            u &= (entry & U) != 0;
            x &= !(entry & NX);
            ck_assert_uint_eq(entry & (A | D), A | D); /* the processor never writes a shadow entry */
        } else {
            ck_assert_uint_eq(entry & 0x1E6, 0); /* a PDPTE's reserved bits */
        }
        if (level == 1)
            break;
        table = (const uint64_t *)(uintptr_t)(entry & SPTE_ADDRESS);
    }
    if ((access & WALK_U && !u) || (access & WALK_W && !w) || (access & WALK_ID && !x))
        return (int)(access | WALK_P);
    *at = (entry & SPTE_ADDRESS) | (linear & 0xFFF);
    return -1;
}

/* What the guest sees of an access: where it ends, or its own fault's code. */
struct seen {
    bool fault;
    uint32_t code;
    uint64_t at; /* guest-physical */
    unsigned exits;
    enum shadow_result last;
};

static struct seen touch(struct machine *m, uint64_t linear, unsigned access)
{
    struct seen seen = { .last = SHADOW_FILLED };
    struct guest_walk walk;
    uint64_t at;

    for (;;) {
        int code = processor(m, linear, access, &at);

        if (code == -1) {
            seen.at = at - (uintptr_t)m->memory;
            return seen;
        }
        ck_assert_uint_lt(seen.exits++, 3);
        seen.last = shadow_fault(&m->shadow, &m->vcpu, linear, (uint32_t)code, &walk);
        if (seen.last == SHADOW_FILLED)
            continue;
        seen.fault = seen.last == SHADOW_REFLECT;
        seen.code = walk.code;
        seen.at = walk.gpa;
        return seen;
    }
}

/* Four levels in frames 1 to 4 that map linear 0 to 2M; frame 4 is the page table. */
static void long_tables(struct machine *m)
{
    *quad(m, 1, 0) = 0x2000 | P | W | U;
    *quad(m, 2, 0) = 0x3000 | P | W | U;
    *quad(m, 3, 0) = 0x4000 | P | W | U;
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

START_TEST(an_entry_is_made_at_the_first_access_and_sets_a_at_every_level)
{
    struct machine *m = machine_new(PAGES);
    struct seen seen;

    long_tables(m);
    *quad(m, 4, 5) = 0x9000 | P | W | U;
    load_long(m, 1);
    seen = touch(m, 0x5123, 0);
    ck_assert_uint_eq(seen.at, 0x9123);
    ck_assert_uint_eq(seen.exits, 1);
    for (unsigned f = 1; f <= 3; f++)
        ck_assert_uint_eq(*quad(m, f, 0) & (A | D), A);
    ck_assert_uint_eq(*quad(m, 4, 5) & (A | D), A);
    ck_assert_uint_eq(touch(m, 0x5000, 0).exits, 0);
    /* D only at the first write, which is one more fault */
    ck_assert_uint_eq(touch(m, 0x5000, WALK_W).exits, 1);
    ck_assert_uint_eq(*quad(m, 4, 5) & (A | D), A | D);
    ck_assert_uint_eq(touch(m, 0x5008, WALK_W | WALK_U).exits, 0);
    ck_assert_uint_eq(m->shadow.counts.fills, 2);
    machine_free(m);
}
END_TEST

START_TEST(the_guests_own_faults_are_reflected_with_its_own_code)
{
    struct machine *m = machine_new(PAGES);

    long_tables(m);
    *quad(m, 4, 1) = 0x9000 | P | U;
    *quad(m, 4, 2) = 0xA000 | P | W | NX;
    *quad(m, 4, 3) = 0xB000 | P | 1ull << 51;
    load_long(m, 1);
    ck_assert_uint_eq(touch(m, 0, WALK_W).code, WALK_W);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_W).code, WALK_P | WALK_W);
    ck_assert_uint_eq(*quad(m, 4, 1) & (A | D), A); /* as the processor: A although the access is refused */
    ck_assert_uint_eq(touch(m, 0x2000, WALK_U).code, WALK_P | WALK_U);
    ck_assert_uint_eq(touch(m, 0x2000, WALK_ID).code, WALK_P | WALK_ID);
    ck_assert_uint_eq(touch(m, 0x3000, 0).code, WALK_P | WALK_RSVD);
    ck_assert_uint_eq(*quad(m, 4, 3) & A, 0);
    ck_assert_uint_eq(m->shadow.counts.reflected, 5);
    ck_assert_uint_eq(touch(m, 0x2000, 0).at, 0xA000);
    machine_free(m);
}
END_TEST

START_TEST(a_table_cannot_be_written_and_a_told_write_takes_effect)
{
    struct machine *m = machine_new(PAGES);
    struct seen seen;

    long_tables(m);
    *quad(m, 4, 0) = 0x4000 | P | W | U | A | D; /* the page table maps itself at 0 */
    *quad(m, 4, 1) = 0x9000 | P | W | U | A | D;
    load_long(m, 1);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_W).at, 0x9000);
    ck_assert_uint_eq(touch(m, 0, 0).at, 0x4000);
    seen = touch(m, 8, WALK_W);
    ck_assert_int_eq(seen.last, SHADOW_TABLE_WRITE);
    ck_assert_uint_eq(seen.at, 0x4008);
    guest_store(m, 4, 1, 0xA000 | P | W | U | A | D);
    seen = touch(m, 0x1000, WALK_W);
    ck_assert_uint_eq(seen.at, 0xA000);
    ck_assert_uint_eq(seen.exits, 1);
    guest_store(m, 4, 1, 0);
    ck_assert(touch(m, 0x1000, 0).fault);
    machine_free(m);
}
END_TEST

START_TEST(a_frame_that_becomes_a_table_loses_its_writable_mappings_everywhere)
{
    struct machine *m = machine_new(PAGES);
    unsigned flushes;

    long_tables(m);
    *quad(m, 4, 1) = 0x9000 | P | W | U | A | D;
    *quad(m, 4, 2) = 0x9000 | P | W | U | A | D; /* twice */
    load_long(m, 1);
    touch(m, 0x1000, WALK_W);
    touch(m, 0x2000, WALK_W);
    *quad(m, 9, 0) = 0xB000 | P | W | U | A | D;
    guest_store(m, 3, 1, 0x9000 | P | W | U | A); /* frame 9 is the page table of 2M to 4M from now on */
    flushes = m->flushes;
    ck_assert_uint_eq(touch(m, 0x200000, 0).at, 0xB000);
    ck_assert_uint_eq(m->shadow.counts.protected, 2);
    ck_assert_uint_gt(m->flushes, flushes);
    ck_assert_int_eq(touch(m, 0x1000, WALK_W).last, SHADOW_TABLE_WRITE);
    ck_assert_int_eq(touch(m, 0x2000, WALK_W).last, SHADOW_TABLE_WRITE);
    shadow_unshadow(&m->shadow, 9);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_W).at, 0x9000);
    machine_free(m);
}
END_TEST

START_TEST(many_writes_in_a_row_make_a_frame_ordinary_again)
{
    struct machine *m = machine_new(PAGES);

    long_tables(m);
    *quad(m, 4, 1) = 0x9000 | P | W | U; /* D comes with the first write: a second fill */
    load_long(m, 1);
    touch(m, 0x1000, 0);
    for (unsigned i = 0; i < 3; i++)
        guest_store(m, 4, 10 + i, 0);
    ck_assert(shadow_is_table(&m->shadow, 4));
    touch(m, 0x1000, WALK_W);
    for (unsigned i = 0; i < 3; i++)
        guest_store(m, 4, 10 + i, 0);
    ck_assert(shadow_is_table(&m->shadow, 4)); /* a fill through it in between: the count began anew */
    guest_store(m, 4, 13, 0);
    ck_assert(!shadow_is_table(&m->shadow, 4));
    ck_assert_uint_eq(m->shadow.counts.unshadowed, 1);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_W).at, 0x9000);
    machine_free(m);
}
END_TEST

START_TEST(a_frame_may_be_a_table_of_two_levels_at_once)
{
    struct machine *m = machine_new(PAGES);

    /* Frame 1 is its own PML4, PDPT, directory and page table through slot 511. */
    *quad(m, 1, 0) = 0x2000 | P | W | U;
    *quad(m, 2, 0) = 0x3000 | P | W | U;
    *quad(m, 3, 0) = 0x4000 | P | W | U;
    *quad(m, 4, 0) = 0x9000 | P | W | U;
    *quad(m, 1, 511) = 0x1000 | P | W;
    load_long(m, 1);
    ck_assert_uint_eq(touch(m, 0, 0).at, 0x9000);
    ck_assert_uint_eq(touch(m, 0xFFFFFFFFFFFFF000, 0).at, 0x1000);  /* the PML4 as a page */
    ck_assert_uint_eq(touch(m, 0xFFFFFFFFFFE00000, 0).at, 0x2000);  /* the PDPT */
    ck_assert_uint_eq(touch(m, 0xFFFFFF8000000000, 0).at, 0x4000);  /* the page table */
    ck_assert_int_eq(touch(m, 0xFFFFFF8000000000, WALK_W).last, SHADOW_TABLE_WRITE);
    ck_assert(touch(m, 0xFFFFFFFFFFFFF000, WALK_U).fault);
    guest_store(m, 1, 0, 0);
    ck_assert(touch(m, 0, 0).fault);
    ck_assert(touch(m, 0xFFFFFFFFFFE00000, 0).fault);
    machine_free(m);
}
END_TEST

START_TEST(rights_of_upper_levels_hold_and_the_same_table_may_have_two)
{
    struct machine *m = machine_new(PAGES);

    long_tables(m);
    *quad(m, 3, 0) = 0x4000 | P | U;         /* read-only to 0-2M */
    *quad(m, 3, 1) = 0x4000 | P | W;         /* the same table again, for the supervisor */
    *quad(m, 4, 1) = 0x9000 | P | W | U;
    load_long(m, 1);
    ck_assert_uint_eq(touch(m, 0x201000, WALK_W).at, 0x9000);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_U).at, 0x9000);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_W).code, WALK_P | WALK_W);
    ck_assert_uint_eq(touch(m, 0x201000, WALK_U).code, WALK_P | WALK_U);
    ck_assert_uint_eq(touch(m, 0x201000, WALK_W).exits, 0);
    machine_free(m);
}
END_TEST

START_TEST(without_write_protection_the_supervisor_writes_and_the_user_does_not)
{
    struct machine *m = machine_new(PAGES);

    long_tables(m);
    *quad(m, 4, 1) = 0x9000 | P | U;
    load(m, CR0_PG, 0x1000, CR4_PAE, EFER_LMA, false, true);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_U).at, 0x9000);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_W).at, 0x9000);
    ck_assert_uint_eq(*quad(m, 4, 1) & D, D);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_W | WALK_U).code, WALK_P | WALK_W | WALK_U);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_U).at, 0x9000);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_W).at, 0x9000);
    load_long(m, 1);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_W).code, WALK_P | WALK_W);
    machine_free(m);
}
END_TEST

START_TEST(large_pages_are_mapped_in_pieces_and_have_one_d)
{
    struct machine *m = machine_new(PAGES);

    long_tables(m);
    *quad(m, 3, 1) = P | W | U | PS;         /* 2M to 4M: frames from 0 */
    load_long(m, 1);
    ck_assert_uint_eq(touch(m, 0x205678, 0).at, 0x5678);
    ck_assert_uint_eq(*quad(m, 3, 1) & (A | D), A);
    ck_assert_uint_eq(touch(m, 0x206000, WALK_W).at, 0x6000);
    ck_assert_uint_eq(*quad(m, 3, 1) & (A | D), A | D);
    ck_assert_uint_eq(touch(m, 0x207000, WALK_W).at, 0x7000);
    ck_assert_int_eq(touch(m, 0x203008, WALK_W).last, SHADOW_TABLE_WRITE); /* a table within the large page */
    guest_store(m, 3, 1, P | W | U | PS); /* D cleared: the next write sets it again */
    ck_assert_uint_eq(touch(m, 0x206000, 0).at, 0x6000);
    ck_assert_uint_eq(*quad(m, 3, 1) & (A | D), A);
    ck_assert_uint_eq(touch(m, 0x207000, WALK_W).at, 0x7000); /* writable before, and not faulted on since */
    ck_assert_uint_eq(*quad(m, 3, 1) & (A | D), A | D);
    ck_assert_int_eq(touch(m, 0x200000 + FRAMES * 4096, 0).last, SHADOW_DEVICE);
    machine_free(m);
}
END_TEST

START_TEST(a_pse_guest_has_1024_entries_in_each_table)
{
    struct machine *m = machine_new(PAGES);

    *word(m, 1, 0) = 0x4000 | P | W | U;
    *word(m, 1, 1) = P | W | U | PS;                   /* 4M to 8M: frames from 0 */
    *word(m, 1, 1023) = 0x5000 | P | W | U;            /* the last 4M */
    *word(m, 4, 3) = 0x9000 | P | W | U;
    *word(m, 4, 600) = 0xA000 | P | W | U;             /* the second half: another shadow page */
    *word(m, 5, 1023) = 0xB000 | P | W | U;
    load(m, CR0_PG, 0x1000, CR4_PSE, 0, true, false);
    ck_assert_uint_eq(touch(m, 3 * 4096 + 1, 0).at, 0x9001);
    ck_assert_uint_eq(touch(m, 600 * 4096, WALK_W).at, 0xA000);
    ck_assert_uint_eq(touch(m, 0xFFFFFFFC, 0).at, 0xBFFC);
    ck_assert_uint_eq(touch(m, 0x405000, 0).at, 0x5000);
    ck_assert_uint_eq(touch(m, 0x601000, 0).last, SHADOW_DEVICE); /* its upper half */
    *word(m, 4, 600) = 0xC000 | P | W | U;
    shadow_written(&m->shadow, 0x4000 + 600 * 4, 4, true);
    ck_assert_uint_eq(touch(m, 600 * 4096, 0).at, 0xC000);
    *word(m, 1, 1) = 0;
    shadow_written(&m->shadow, 0x1004, 4, true);
    ck_assert(touch(m, 0x405000, 0).fault);
    ck_assert_uint_eq(touch(m, 0xFFFFFFFC, 0).exits, 0);
    machine_free(m);
}
END_TEST

START_TEST(pae_keeps_the_pdptes_it_loaded)
{
    struct machine *m = machine_new(PAGES);

    *quad(m, 1, 0) = 0x2000 | P;
    *quad(m, 2, 0) = 0x3000 | P | W | U;
    *quad(m, 3, 0) = 0x9000 | P | W | U;
    *quad(m, 5, 0) = 0x6000 | P | W | U;
    *quad(m, 6, 0) = 0xA000 | P | W | U;
    load(m, CR0_PG, 0x1000, CR4_PAE, 0, true, true);
    ck_assert_uint_eq(touch(m, 0x10, 0).at, 0x9010);
    ck_assert_uint_eq(touch(m, 0x40000000, 0).code, 0);
    *quad(m, 1, 0) = 0x5000 | P;
    shadow_written(&m->shadow, 0x1000, 8, true);
    ck_assert_uint_eq(touch(m, 0x10, 0).at, 0x9010);
    load(m, CR0_PG, 0x1000, CR4_PAE, 0, true, true);
    ck_assert_uint_eq(touch(m, 0x10, 0).at, 0xA010);
    *quad(m, 1, 1) = 0x5000 | P | W; /* reserved in a PDPTE */
    {
        uint64_t pdpte[4];

        ck_assert(!guest_load_pdptes(&m->shadow.frames, 0x1000, pdpte));
    }
    machine_free(m);
}
END_TEST

START_TEST(without_paging_linear_is_physical)
{
    struct machine *m = machine_new(PAGES);

    load(m, 0, 0, 0, 0, false, false);
    ck_assert_uint_eq(touch(m, 0x12345, WALK_W | WALK_U).at, 0x12345);
    ck_assert_int_eq(touch(m, 0xFEE00020, 0).last, SHADOW_DEVICE);
    m->backing[7] = SHADOW_NO_MEMORY;
    ck_assert_int_eq(touch(m, 0x7000, 0).last, SHADOW_DEVICE);
    machine_free(m);
}
END_TEST

START_TEST(a_log_of_writes_sees_the_first_write_and_those_of_a_and_d)
{
    struct machine *m = machine_new(PAGES);

    long_tables(m);
    *quad(m, 4, 1) = 0x9000 | P | W | U | A | D;
    load_long(m, 1);
    touch(m, 0x1000, WALK_W);
    for (unsigned i = 0; i < FRAMES; i++)
        m->backing[i] = SHADOW_READ_ONLY;
    m->marked = 1;
    shadow_forget(&m->shadow, 0, FRAMES);
    ck_assert_uint_eq(touch(m, 0x1000, 0).at, 0x9000);
    ck_assert_int_eq(m->backing[9], SHADOW_READ_ONLY);
    ck_assert_uint_eq(touch(m, 0x1000, WALK_W).at, 0x9000);
    ck_assert_int_eq(m->backing[9], SHADOW_WRITABLE);
    *quad(m, 4, 2) = 0xA000 | P | W | U;
    touch(m, 0x2000, 0);
    ck_assert_int_eq(m->backing[4], SHADOW_WRITABLE); /* its A was set in frame 4 */
    ck_assert_int_eq(m->backing[3], SHADOW_READ_ONLY); /* A was there before */
    machine_free(m);
}
END_TEST

/* Every leaf entry there is, against a walk of the guest's tables as they are now. */
static void check_all(struct machine *m, const uint64_t *linears, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned access = 0; access < 32; access++) {
            struct guest_walk walk;
            uint64_t at;

            if (access & (WALK_P | WALK_RSVD) || processor(m, linears[i], access, &at) != -1)
                continue;
            ck_assert_int_eq(guest_walk(&m->vcpu.paging, &m->shadow.frames, linears[i], access, &walk), GUEST_WALK_OK);
            ck_assert_uint_eq(walk.gpa, at - (uintptr_t)m->memory);
            ck_assert(!(access & WALK_W) || walk.dirty);
            ck_assert(!(access & WALK_W) || !shadow_is_table(&m->shadow, walk.gpa >> 12));
        }
    }
}

static unsigned seed = 12345;

static unsigned draw(unsigned below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

/* Random tables in 12 frames that point at each other at all levels, a pool far too small, and every kind of access. */
START_TEST(random_tables_never_show_what_the_guest_forbids)
{
    struct machine *m = machine_new(14);
    uint64_t linears[48];

    for (unsigned i = 0; i < 48; i++)
        linears[i] = (uint64_t)draw(3) << 39 | (uint64_t)draw(3) << 30 | draw(3) << 21 | draw(3) << 12 | draw(4096);
    for (unsigned round = 0; round < 4000; round++) {
        unsigned what = draw(12);

        if (what < 5) {
            uint64_t entry = (uint64_t)draw(12) << 12 | (draw(8) ? P : 0) | (draw(4) ? W : 0) | (draw(4) ? U : 0) |
                             (draw(2) ? A : 0) | (draw(2) ? D : 0) | (draw(10) ? 0 : PS) | (draw(8) ? 0 : NX);

            guest_store(m, draw(12), draw(3), entry);
        } else if (what == 5) {
            load(m, CR0_PG, (uint64_t)draw(12) << 12, CR4_PAE, EFER_LMA, draw(2), true);
        } else if (what == 6) {
            shadow_unshadow(&m->shadow, draw(12));
        } else if (what == 7 && draw(8) == 0) {
            shadow_forget(&m->shadow, draw(12), 3);
        } else if (m->vcpu.root) {
            touch(m, linears[draw(48)], (draw(2) ? WALK_W : 0) | (draw(2) ? WALK_U : 0) | (draw(4) ? 0 : WALK_ID));
        }
        if (m->vcpu.root && round % 16 == 0)
            check_all(m, linears, 48);
    }
    ck_assert_uint_gt(m->shadow.counts.reclaimed, 50);
    ck_assert_uint_gt(m->shadow.counts.fills, 200);
    ck_assert_uint_gt(m->shadow.counts.table_writes, 20);
    machine_free(m);
}
END_TEST

START_TEST(all_pages_come_back_when_everything_is_forgotten)
{
    struct machine *m = machine_new(PAGES);

    long_tables(m);
    *quad(m, 4, 5) = 0x9000 | P | W | U;
    load_long(m, 1);
    touch(m, 0x5000, WALK_W);
    ck_assert_uint_eq(m->shadow.counts.in_use, 4);
    load(m, 0, 0, 0, 0, false, false);
    shadow_forget(&m->shadow, 0, FRAMES);
    ck_assert_uint_eq(m->shadow.counts.in_use, 0);
    for (unsigned i = 0; i < FRAMES; i++)
        ck_assert_uint_eq(m->shadow.mapped[i], 0);
    machine_free(m);
}
END_TEST

/* The page of a level that the walk of linear 0 goes through, from its root. */
static uint64_t *table_of_level(const struct machine *m, unsigned level)
{
    uint64_t *table = (uint64_t *)(uintptr_t)m->vcpu.cr3;

    for (unsigned at = 4; at > level; at--)
        table = (uint64_t *)(uintptr_t)(table[0] & SPTE_ADDRESS);
    return table;
}

/* Filled with ones before: whoever read it would find entries that are none. */
START_TEST(a_lost_table_of_any_level_is_made_anew_without_being_read)
{
    for (unsigned level = 1; level <= 4; level++) {
        struct machine *m = machine_new(PAGES);
        uint64_t *lost, *fresh = own(m, 4096, 4096);
        uint32_t number;

        long_tables(m);
        *quad(m, 3, 1) = 0x5000 | P | W | U;
        for (unsigned i = 0; i < 8; i++) {
            *quad(m, 4, i) = 0x9000 | P | W | U; /* eight mappings of one frame */
            *quad(m, 5, i) = 0x9000 | P | W | U;
        }
        load_long(m, 1);
        for (unsigned i = 0; i < 8; i++) {
            touch(m, i << 12, WALK_W);
            touch(m, 0x200000 | i << 12, WALK_W);
        }
        lost = table_of_level(m, level);
        number = shadow_page_at(&m->shadow, (uintptr_t)lost + 0x123);
        ck_assert_uint_ne(number, 0);
        memset(lost, 0xFF, 4096);
        shadow_replace_table(&m->shadow, number, fresh);
        ck_assert_uint_eq(shadow_page_at(&m->shadow, (uintptr_t)lost), 0);
        ck_assert_uint_eq(shadow_page_at(&m->shadow, (uintptr_t)fresh), number);
        ck_assert_uint_eq(m->shadow.pages[number].present, 0);
        load_long(m, 1);
        for (unsigned i = 0; i < 8; i++) {
            ck_assert_uint_eq(touch(m, i << 12 | 8, WALK_W).at, 0x9008);
            ck_assert_uint_eq(touch(m, 0x200000 | i << 12, WALK_W).at, 0x9000);
        }
        guest_store(m, 4, 3, 0xA000 | P | W | U | A | D); /* what is told still reaches every mapping */
        ck_assert_uint_eq(touch(m, 0x3000, WALK_W).at, 0xA000);
        shadow_forget_all(&m->shadow);
        ck_assert_uint_eq(m->shadow.mapped[9], 0);
        for (unsigned i = 0; i < 512; i++)
            ck_assert_uint_eq(fresh[i], 0);
        machine_free(m);
    }
}
END_TEST

UNIT_TESTS("hv shadow", a_lost_table_of_any_level_is_made_anew_without_being_read,
           an_entry_is_made_at_the_first_access_and_sets_a_at_every_level,
           the_guests_own_faults_are_reflected_with_its_own_code,
           a_table_cannot_be_written_and_a_told_write_takes_effect,
           a_frame_that_becomes_a_table_loses_its_writable_mappings_everywhere,
           many_writes_in_a_row_make_a_frame_ordinary_again, a_frame_may_be_a_table_of_two_levels_at_once,
           rights_of_upper_levels_hold_and_the_same_table_may_have_two,
           without_write_protection_the_supervisor_writes_and_the_user_does_not,
           large_pages_are_mapped_in_pieces_and_have_one_d, a_pse_guest_has_1024_entries_in_each_table,
           pae_keeps_the_pdptes_it_loaded, without_paging_linear_is_physical,
           a_log_of_writes_sees_the_first_write_and_those_of_a_and_d, random_tables_never_show_what_the_guest_forbids,
           all_pages_come_back_when_everything_is_forgotten)
