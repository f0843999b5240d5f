/* SPDX-License-Identifier: MIT */
/* Page types on a machine of 64 frames: two guests' and nobody's. Expectations are types.h's rules. */
#include "hv/pv/types.h"

#include <check.h>
#include <string.h>

#include "hv/abi/pv.h"
#include "hv/abi/xen.h"
#include "hv/pv/pv.h"
#include "sim/unit_test.h"

#define FRAMES 64
#define OTHERS 60 /* frames from here on are another guest's; 63: nobody's */
#define RW (PTE_P | PTE_W)
#define AT(frame, index) ((frame) * 4096ull + (index) * 8)

static uint64_t memory[FRAMES][512];
static struct pv_frame frames[FRAMES];
static unsigned flushes;
static struct pv_types types;

static struct pv_frame *frame_of(void *ctx, uint64_t frame)
{
    (void)ctx;
    return frame < FRAMES ? &frames[frame] : NULL;
}

static uint64_t *memory_of(void *ctx, uint64_t frame)
{
    (void)ctx;
    return memory[frame];
}

static void flush(void *ctx)
{
    (void)ctx;
    flushes++;
}

static void setup(void)
{
    memset(memory, 0, sizeof(memory));
    memset(frames, 0, sizeof(frames));
    for (unsigned i = 0; i < FRAMES; i++)
        frames[i].owner = i < OTHERS ? 1 : i == FRAMES - 1 ? PV_NOBODY : 2;
    types = (struct pv_types){ .owner = 1, .frame = frame_of, .memory = memory_of, .flush = flush };
    types.hv_slots[0] = 0xABC000 | PTE_P;
    flushes = 0;
}

/* L4 1 -> L3 2 -> L2 3 -> L1 4 -> frames 10 (writable) and 4, itself (read-only). */
static void small_tree(void)
{
    memory[1][0] = AT(2, 0) | RW;
    memory[2][0] = AT(3, 0) | RW;
    memory[3][0] = AT(4, 0) | RW;
    memory[4][0] = AT(10, 0) | RW;
    memory[4][1] = AT(4, 0) | PTE_P;
}

/* Counts of every frame are zero and no type is left. */
static bool all_untouched(void)
{
    for (unsigned i = 0; i < FRAMES; i++)
        if (frames[i].refs || frames[i].uses || frames[i].type || frames[i].pinned)
            return false;
    return true;
}

START_TEST(a_tree_is_typed_by_its_pin_and_freed_by_the_unpin)
{
    setup();
    small_tree();
    ck_assert_int_eq(pv_pin(&types, 1, PV_L4), 0);
    ck_assert_int_eq(frames[1].type, PV_L4);
    ck_assert_int_eq(frames[2].type, PV_L3);
    ck_assert_int_eq(frames[3].type, PV_L2);
    ck_assert_int_eq(frames[4].type, PV_L1);
    ck_assert_int_eq(frames[10].type, PV_WRITABLE);
    ck_assert_uint_eq(frames[4].uses, 1);
    ck_assert_uint_eq(frames[4].refs, 2); /* the L2's entry and its own read-only mapping */
    ck_assert_uint_eq(memory[4][0], AT(10, 0) | RW | PTE_U);
    ck_assert_uint_eq(memory[1][256], 0xABC000 | PTE_P);
    ck_assert_uint_eq(flushes, 5); /* each frame's first use */
    ck_assert_int_eq(pv_unpin(&types, 1), 0);
    ck_assert(all_untouched());
    ck_assert_uint_eq(memory[1][256], 0);
}
END_TEST

START_TEST(an_error_anywhere_below_undoes_everything)
{
    static const struct {
        uint64_t entry;
        int64_t error;
    } bad[] = {
        { AT(1, 0) | RW, -XEN_EBUSY },   /* the L4, writable */
        { AT(4, 0) | RW, -XEN_EBUSY },   /* itself */
        { AT(60, 0) | PTE_P, -XEN_EINVAL },  /* another guest's */
        { AT(63, 0) | PTE_P, -XEN_EINVAL },  /* nobody's */
        { AT(64, 0) | PTE_P, -XEN_EINVAL },  /* no memory */
        { AT(10, 0) | PTE_P | 1ull << 48, -XEN_EINVAL },
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setup();
        small_tree();
        memory[4][511] = bad[i].entry;
        ck_assert_int_eq(pv_pin(&types, 1, PV_L4), bad[i].error);
        ck_assert(all_untouched());
    }
}
END_TEST

START_TEST(bits_that_no_table_entry_may_have_are_refused_at_each_level)
{
    static const uint64_t bits[] = { PTE_PS, PTE_G, 1ull << 3, 1ull << 4, 1ull << 51 };

    for (unsigned level = 1; level <= 3; level++) {
        for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
            setup();
            small_tree();
            memory[level][0] |= bits[i];
            ck_assert_int_eq(pv_pin(&types, 1, PV_L4), -XEN_EINVAL);
            ck_assert(all_untouched());
        }
    }
}
END_TEST

START_TEST(a_loop_of_tables_is_refused)
{
    setup();
    memory[1][5] = AT(1, 0) | RW;
    ck_assert_int_eq(pv_pin(&types, 1, PV_L4), -XEN_EBUSY);
    ck_assert(all_untouched());
    small_tree();
    memory[1][5] = 0;
    memory[3][1] = AT(2, 0) | RW; /* the L3 as an L1 */
    ck_assert_int_eq(pv_pin(&types, 1, PV_L4), -XEN_EBUSY);
    ck_assert(all_untouched());
}
END_TEST

START_TEST(a_frame_is_a_table_or_mapped_writable_and_never_both)
{
    setup();
    small_tree();
    ck_assert_int_eq(pv_pin(&types, 1, PV_L4), 0);
    ck_assert_int_eq(pv_pin(&types, 10, PV_L1), -XEN_EBUSY);
    for (unsigned table = 1; table <= 4; table++)
        ck_assert_int_eq(pv_entry_write(&types, AT(4, 7), AT(table, 0) | RW, false), -XEN_EBUSY);
    ck_assert_int_eq(pv_entry_write(&types, AT(4, 1), AT(4, 0) | RW, false), -XEN_EBUSY);
    ck_assert_uint_eq(memory[4][1], AT(4, 0) | PTE_P | PTE_U);
    ck_assert_int_eq(pv_entry_write(&types, AT(4, 0), AT(10, 0) | PTE_P, false), 0); /* read-only now */
    ck_assert_int_eq(pv_pin(&types, 10, PV_L1), 0);
    ck_assert_int_eq(pv_entry_write(&types, AT(4, 0), AT(10, 0) | RW, false), -XEN_EBUSY);
    ck_assert_int_eq(pv_unpin(&types, 10), 0);
    ck_assert_int_eq(pv_entry_write(&types, AT(4, 0), AT(10, 0) | RW, false), 0);
    ck_assert_int_eq(pv_unpin(&types, 1), 0);
    ck_assert(all_untouched());
}
END_TEST

START_TEST(an_entry_that_is_replaced_gives_up_what_it_led_to)
{
    setup();
    small_tree();
    ck_assert_int_eq(pv_pin(&types, 1, PV_L4), 0);
    ck_assert_int_eq(pv_entry_write(&types, AT(4, 0), AT(11, 0) | RW, false), 0);
    ck_assert(pv_is_unused(&types, 10));
    ck_assert_int_eq(frames[11].type, PV_WRITABLE);
    ck_assert_int_eq(pv_entry_write(&types, AT(3, 0), 0, false), 0); /* the L1 goes, and its entries */
    ck_assert(pv_is_unused(&types, 4));
    ck_assert(pv_is_unused(&types, 11));
    ck_assert_int_eq(pv_unpin(&types, 1), 0);
    ck_assert(all_untouched());
}
END_TEST

START_TEST(hv_slots_of_an_l4_cannot_be_written)
{
    setup();
    small_tree();
    ck_assert_int_eq(pv_pin(&types, 1, PV_L4), 0);
    for (unsigned i = PV_RESERVED_FIRST; i < PV_RESERVED_END; i++)
        ck_assert_int_eq(pv_entry_write(&types, AT(1, i), 0, false), -XEN_EINVAL);
    ck_assert_int_eq(pv_entry_write(&types, AT(1, PV_RESERVED_FIRST - 1), AT(2, 0) | RW, false), 0);
    ck_assert_int_eq(pv_entry_write(&types, AT(1, PV_RESERVED_END), AT(2, 0) | RW, false), 0);
    ck_assert_uint_eq(frames[2].uses, 3);
}
END_TEST

START_TEST(accessed_and_dirty_stay_only_if_asked)
{
    setup();
    small_tree();
    ck_assert_int_eq(pv_pin(&types, 1, PV_L4), 0);
    memory[4][0] |= PTE_A | PTE_D; /* the processor */
    ck_assert_int_eq(pv_entry_write(&types, AT(4, 0), AT(10, 0) | RW | PTE_NX, true), 0);
    ck_assert_uint_eq(memory[4][0], AT(10, 0) | RW | PTE_U | PTE_NX | PTE_A | PTE_D);
    ck_assert_int_eq(pv_entry_write(&types, AT(4, 0), AT(10, 0) | RW | PTE_G, false), 0);
    ck_assert_uint_eq(memory[4][0], AT(10, 0) | RW | PTE_U);
}
END_TEST

START_TEST(memory_that_is_no_table_takes_any_value)
{
    setup();
    ck_assert_int_eq(pv_entry_write(&types, AT(20, 3), 0xFFFFFFFFFFFFFFFFull, false), 0);
    ck_assert_uint_eq(memory[20][3], 0xFFFFFFFFFFFFFFFFull);
    ck_assert_int_eq(pv_entry_write(&types, AT(60, 3), 1, false), -XEN_EINVAL);
    ck_assert_int_eq(pv_entry_write(&types, AT(20, 3) + 4, 1, false), -XEN_EINVAL);
    ck_assert_int_eq(pv_entry_write(&types, AT(FRAMES, 0), 1, false), -XEN_EINVAL);
}
END_TEST

START_TEST(descriptors_are_made_accessed_and_dpl_3_and_gates_are_refused)
{
    setup();
    memory[30][1] = 0x00AF9A000000FFFFull;
    ck_assert_int_eq(pv_type_get(&types, 30, PV_DESCRIPTORS), 0);
    ck_assert_uint_eq(memory[30][1], 0x00AFFB000000FFFFull);
    ck_assert_int_eq(pv_entry_write(&types, AT(30, 2), 0, false), -XEN_EBUSY);
    pv_type_put(&types, 30);
    for (unsigned type = 0; type < 16; type++) { /* every system type, present */
        memory[30][511] = (uint64_t)type << 40 | 1ull << 47;
        ck_assert_int_eq(pv_type_get(&types, 30, PV_DESCRIPTORS), -XEN_EINVAL);
    }
    memory[30][511] = 0x0000EC0000080000ull & ~(1ull << 47);
    ck_assert_int_eq(pv_type_get(&types, 30, PV_DESCRIPTORS), 0);
}
END_TEST

/* L3 2 -> L2 3 -> L1 4 -> frame 10, as a PAE kernel at CPL 1 writes them: no rights in the L3, U where it likes. */
START_TEST(a_32_bit_guests_u_bits_are_its_own_and_its_l3_gets_rights)
{
    setup();
    types.narrow = true;
    memory[2][0] = AT(3, 0) | PTE_P;
    memory[3][0] = AT(4, 0) | RW;
    memory[4][0] = AT(10, 0) | RW | PTE_G;
    memory[4][1] = AT(11, 0) | RW | PTE_U;
    ck_assert_int_eq(pv_pin(&types, 2, PV_L3), 0);
    ck_assert_uint_eq(memory[2][0], AT(3, 0) | RW | PTE_U);
    ck_assert_uint_eq(memory[3][0], AT(4, 0) | RW);
    ck_assert_uint_eq(memory[4][0], AT(10, 0) | RW);
    ck_assert_uint_eq(memory[4][1], AT(11, 0) | RW | PTE_U);
    ck_assert_int_eq(pv_entry_write(&types, AT(4, 0), AT(10, 0) | PTE_P, false), 0);
    ck_assert_uint_eq(memory[4][0], AT(10, 0) | PTE_P);
    ck_assert_int_eq(pv_entry_write(&types, AT(2, 1), AT(3, 0) | PTE_P, false), 0);
    ck_assert_uint_eq(memory[2][1], AT(3, 0) | RW | PTE_U);
    ck_assert_int_eq(pv_unpin(&types, 2), 0);
    ck_assert(all_untouched());
}
END_TEST

/* Access byte in bits 47:40 (P, DPL, S, type), L in bit 53. */
START_TEST(a_32_bit_guests_descriptors_are_of_dpl_1_and_above_and_never_64_bit_code)
{
    static const struct {
        uint64_t given, becomes; /* 0: refused */
    } cases[] = {
        { 0x00CF9A000000FFFF, 0x00CFBB000000FFFF }, /* code: DPL 0 to 1 */
        { 0x00CFB2000000FFFF, 0x00CFB3000000FFFF }, /* data of DPL 1, 2 and 3 stay */
        { 0x00CFD2000000FFFF, 0x00CFD3000000FFFF },
        { 0x00CFF2000000FFFF, 0x00CFF3000000FFFF },
        { 0x00AF9A000000FFFF, 0 }, /* 64-bit code, at any DPL, conforming too */
        { 0x00AFFA000000FFFF, 0 },
        { 0x00AFFE000000FFFF, 0 },
        { 0x00AF92000000FFFF, 0x00AFB3000000FFFF }, /* in data the bit means nothing */
        { 0x0000890000000067, 0 }, /* TSS, call gate */
        { 0x0000EC0000080000, 0 },
        { 0x00AF1A000000FFFF, 0x00AF1A000000FFFF }, /* not present: anything */
    };

    setup();
    types.narrow = true;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t descriptor = cases[i].given;

        ck_assert_msg(pv_descriptor_check(&types, &descriptor) == (cases[i].becomes != 0), "case %u", i);
        if (cases[i].becomes)
            ck_assert_uint_eq(descriptor, cases[i].becomes);
    }
}
END_TEST

START_TEST(counts_do_not_wrap)
{
    setup();
    frames[10].type = PV_WRITABLE;
    frames[10].uses = frames[10].refs = UINT32_MAX;
    ck_assert_int_eq(pv_type_get(&types, 10, PV_WRITABLE), -XEN_EBUSY);
    memory[4][0] = AT(10, 0) | PTE_P;
    ck_assert_int_eq(pv_pin(&types, 4, PV_L1), -XEN_EBUSY);
}
END_TEST

START_TEST(a_pin_is_one_and_only_its_owner_unpins)
{
    setup();
    ck_assert_int_eq(pv_unpin(&types, 4), -XEN_EINVAL);
    ck_assert_int_eq(pv_pin(&types, 4, PV_L1), 0);
    ck_assert_int_eq(pv_pin(&types, 4, PV_L1), -XEN_EINVAL);
    ck_assert_int_eq(pv_pin(&types, 60, PV_L1), -XEN_EINVAL);
    types.owner = 2;
    ck_assert_int_eq(pv_unpin(&types, 4), -XEN_EINVAL);
    types.owner = 1;
    ck_assert_int_eq(pv_unpin(&types, 4), 0);
    ck_assert(all_untouched());
}
END_TEST

/*
 * Whatever a guest asks for, at random over few frames: counts are those that a count over all tables gives, and no
 * frame that is a table is mapped writable.
 */
static void expect_consistent(void)
{
    uint32_t refs[FRAMES] = { 0 }, uses[FRAMES] = { 0 };

    for (unsigned f = 0; f < FRAMES; f++) {
        refs[f] += frames[f].pinned;
        uses[f] += frames[f].pinned;
        for (unsigned i = 0; i < 512 && frames[f].type >= PV_L1 && frames[f].type <= PV_L4; i++) {
            uint64_t entry = memory[f][i], target = (entry & PTE_ADDRESS) >> 12;

            if (!(entry & PTE_P) || (frames[f].type == PV_L4 && i >= 256 && i < 272))
                continue;
            ck_assert_uint_lt(target, OTHERS);
            refs[target]++;
            uses[target] += frames[f].type != PV_L1 || entry & PTE_W;
            ck_assert(entry & PTE_U);
            if (frames[f].type != PV_L1)
                ck_assert_uint_eq(frames[target].type, frames[f].type - 1u);
            else if (entry & PTE_W)
                ck_assert_uint_eq(frames[target].type, PV_WRITABLE);
        }
    }
    for (unsigned f = 0; f < FRAMES; f++) {
        ck_assert_uint_eq(frames[f].refs, refs[f]);
        ck_assert_uint_eq(frames[f].uses, uses[f]);
        ck_assert(frames[f].uses || frames[f].type == PV_NONE);
    }
}

START_TEST(any_order_of_requests_keeps_the_counts)
{
    uint64_t state = 0x9E3779B97F4A7C15ull;
    unsigned succeeded = 0;
    setup();

    for (unsigned step = 0; step < 60000; step++) {
        uint64_t r = state = state * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t frame = r >> 33 & 15, target = r >> 37 & 63, index = r >> 43 & 3;
        int64_t error;

        if ((r >> 60 & 3) == 0)
            error = pv_pin(&types, frame, (enum pv_type)(PV_L1 + (r >> 50 & 3)));
        else if ((r >> 60 & 15) == 1)
            error = pv_unpin(&types, frame);
        else
            error = pv_entry_write(&types, AT(frame, index + (r >> 52 & 1) * 255),
                                   AT((r >> 53 & 7) ? target & 15 : target, 0) | (r >> 56 & 7), false);
        succeeded += !error;
        if (step % 64 == 0)
            expect_consistent();
    }
    ck_assert_uint_gt(succeeded, 1000);
    expect_consistent();
}
END_TEST

/* Frame 4, an L1 that maps itself read-only, goes to 20; then 10, data, to 21; then the root, 1, to 22. */
START_TEST(a_frame_in_use_gives_place_to_another)
{
    setup();
    small_tree();
    memory[10][7] = 0x1234;
    ck_assert_int_eq(pv_pin(&types, 1, PV_L4), 0);
    pv_types_relocate(&types, FRAMES, 4, 20);
    ck_assert_uint_eq(memory[3][0], AT(20, 0) | RW | PTE_U);
    ck_assert_uint_eq(memory[20][1], AT(20, 0) | PTE_P | PTE_U);
    ck_assert_int_eq(frames[20].type, PV_L1);
    ck_assert(pv_is_unused(&types, 4));
    pv_types_relocate(&types, FRAMES, 10, 21);
    ck_assert_uint_eq(memory[20][0], AT(21, 0) | RW | PTE_U);
    ck_assert_uint_eq(memory[21][7], 0x1234);
    pv_types_relocate(&types, FRAMES, 1, 22);
    ck_assert(frames[22].pinned && frames[22].type == PV_L4 && pv_is_unused(&types, 1));
    ck_assert_uint_eq(memory[22][256], types.hv_slots[0]);
    expect_consistent();
    ck_assert_int_eq(pv_unpin(&types, 22), 0);
    ck_assert(all_untouched());
}
END_TEST

START_TEST(a_machine_check_interrupts_an_nmi_and_not_the_other_way_round)
{
    static struct pv_vcpu vcpu;

    memset(&vcpu, 0, sizeof(vcpu));
    ck_assert_int_eq(pv_priority_due(&vcpu), PV_PRIORITY_NONE);
    pv_raise_nmi(&vcpu);
    ck_assert_int_eq(pv_priority_due(&vcpu), PV_PRIORITY_NMI);
    pv_priority_begin(&vcpu, PV_PRIORITY_NMI);
    pv_raise_nmi(&vcpu);
    ck_assert_int_eq(pv_priority_due(&vcpu), PV_PRIORITY_NONE);
    pv_raise_mce(&vcpu);
    ck_assert_int_eq(pv_priority_due(&vcpu), PV_PRIORITY_MCE);
    pv_priority_begin(&vcpu, PV_PRIORITY_MCE);
    ck_assert_int_eq(pv_priority_due(&vcpu), PV_PRIORITY_NONE);
    pv_priority_end(&vcpu); /* the machine check's iret: the NMI's handler goes on */
    ck_assert_int_eq(vcpu.priority, PV_PRIORITY_NMI);
    ck_assert_int_eq(pv_priority_due(&vcpu), PV_PRIORITY_NONE);
    pv_priority_end(&vcpu);
    ck_assert_int_eq(vcpu.priority, PV_PRIORITY_NONE);
    ck_assert_int_eq(pv_priority_due(&vcpu), PV_PRIORITY_NMI); /* the one that waited */
}
END_TEST

UNIT_TESTS("hv pv types", a_tree_is_typed_by_its_pin_and_freed_by_the_unpin,
           an_error_anywhere_below_undoes_everything, bits_that_no_table_entry_may_have_are_refused_at_each_level,
           a_loop_of_tables_is_refused, a_frame_is_a_table_or_mapped_writable_and_never_both,
           an_entry_that_is_replaced_gives_up_what_it_led_to, hv_slots_of_an_l4_cannot_be_written,
           accessed_and_dirty_stay_only_if_asked, memory_that_is_no_table_takes_any_value,
           descriptors_are_made_accessed_and_dpl_3_and_gates_are_refused,
           a_32_bit_guests_u_bits_are_its_own_and_its_l3_gets_rights,
           a_32_bit_guests_descriptors_are_of_dpl_1_and_above_and_never_64_bit_code, counts_do_not_wrap,
           a_pin_is_one_and_only_its_owner_unpins, any_order_of_requests_keeps_the_counts,
           a_frame_in_use_gives_place_to_another,
           a_machine_check_interrupts_an_nmi_and_not_the_other_way_round)
