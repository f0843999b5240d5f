/* SPDX-License-Identifier: MIT */
#include "hv/svm/asid.h"

#include "sim/unit_test.h"

#define BARCELONA_ASIDS 64 /* CPUID 8000_000A EBX; 0 is the host's */

/* Flushes for n assignments on one core: each VMRUN finds a vCPU without a number. */
static uint64_t flushes_for(unsigned assignments)
{
    struct asid_core core;
    struct asid_vcpu vcpu = { 0 };

    asid_core_init(&core, BARCELONA_ASIDS, true);
    for (unsigned i = 0; i < assignments; i++) {
        asid_drop(&vcpu);
        asid_choose(&core, &vcpu);
    }
    ck_assert_uint_eq(core.assignments, assignments);
    return core.flushes;
}

/* hypervisor-features.md C: ceil(n / 63). */
START_TEST(flushes_are_one_for_63_assignments)
{
    ck_assert_uint_eq(flushes_for(63), 1);
    ck_assert_uint_eq(flushes_for(64), 2);
    ck_assert_uint_eq(flushes_for(126), 2);
    ck_assert_uint_eq(flushes_for(127), 3);
    ck_assert_uint_eq(flushes_for(1000), 16);
    ck_assert_uint_eq(flushes_for(100000), 1588);
}
END_TEST

START_TEST(a_vcpu_keeps_its_number_within_a_generation)
{
    struct asid_core core;
    struct asid_vcpu a = { 0 }, b = { 0 };
    struct asid_choice first, again;

    asid_core_init(&core, BARCELONA_ASIDS, true);
    asid_drop(&a);
    asid_drop(&b);
    first = asid_choose(&core, &a);
    ck_assert_uint_eq(first.asid, 1);
    ck_assert_uint_eq(first.tlb_control, TLB_CONTROL_FLUSH_ALL);
    ck_assert_uint_eq(asid_choose(&core, &b).asid, 2);
    again = asid_choose(&core, &a);
    ck_assert_uint_eq(again.asid, 1);
    ck_assert_uint_eq(again.tlb_control, TLB_CONTROL_NOTHING);
}
END_TEST

START_TEST(another_core_gives_another_number)
{
    struct asid_core cores[2];
    struct asid_vcpu vcpu = { 0 }, other = { 0 };

    asid_core_init(&cores[0], BARCELONA_ASIDS, true);
    asid_core_init(&cores[1], BARCELONA_ASIDS, true);
    asid_drop(&vcpu);
    asid_drop(&other);
    asid_choose(&cores[1], &other);
    ck_assert_uint_eq(asid_choose(&cores[0], &vcpu).asid, 1);
    ck_assert_uint_eq(asid_choose(&cores[1], &vcpu).asid, 2); /* same generation number, other core */
    ck_assert_uint_eq(asid_choose(&cores[0], &vcpu).asid, 2); /* and back: its old number is not its own any more */
}
END_TEST

START_TEST(a_bumped_core_flushes_at_the_next_vmrun_and_once)
{
    struct asid_core core;
    struct asid_vcpu a = { 0 }, b = { 0 };

    asid_core_init(&core, BARCELONA_ASIDS, true);
    asid_drop(&a);
    asid_drop(&b);
    asid_choose(&core, &a);
    asid_choose(&core, &b);
    asid_core_bump(&core);
    ck_assert_uint_eq(asid_choose(&core, &b).tlb_control, TLB_CONTROL_FLUSH_ALL);
    ck_assert_uint_eq(asid_choose(&core, &a).tlb_control, TLB_CONTROL_NOTHING);
    ck_assert_uint_eq(core.flushes, 2);
}
END_TEST

START_TEST(without_asids_every_vmrun_flushes)
{
    struct asid_core core;
    struct asid_vcpu vcpu = { 0 };

    asid_core_init(&core, BARCELONA_ASIDS, false);
    asid_drop(&vcpu);
    for (unsigned i = 0; i < 10; i++) {
        struct asid_choice choice = asid_choose(&core, &vcpu);

        ck_assert_uint_eq(choice.asid, 1);
        ck_assert_uint_eq(choice.tlb_control, TLB_CONTROL_FLUSH_ALL);
    }
    ck_assert_uint_eq(core.flushes, 10);
}
END_TEST

START_TEST(the_last_generation_ends_in_flushing_always)
{
    struct asid_core core;
    struct asid_vcpu vcpu = { 0 };

    asid_core_init(&core, BARCELONA_ASIDS, true);
    core.generation = ASID_NONE - 2;
    core.next = BARCELONA_ASIDS;
    asid_drop(&vcpu);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(asid_choose(&core, &vcpu).tlb_control, TLB_CONTROL_FLUSH_ALL);
    ck_assert(!core.enabled);
}
END_TEST

/* The simulator's own models, and the borders. */
START_TEST(asids_are_for_revision_g_and_later)
{
    static const struct { uint32_t signature; bool usable; } rows[] = {
        { 0x00000F5A, false }, /* C */ { 0x00040F13, false }, /* F */ { 0x00040F82, false }, /* model 48h */
        { 0x00060F70, false }, /* model 67h */ { 0x00060F80, false }, /* 68h, stepping 0 */
        { 0x00060F81, true }, { 0x00060FB1, true }, /* G */ { 0x00100F23, true }, /* 10h B3 */ { 0x00100F80, true },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(asid_usable(rows[i].signature) == rows[i].usable, "%x", rows[i].signature);
}
END_TEST

START_TEST(flushes_are_one_for_63_assignments_up_to_100000)
{
    struct asid_core core;
    struct asid_vcpu vcpu = { 0 };
    unsigned flushes = 0;

    asid_core_init(&core, BARCELONA_ASIDS, true);
    for (unsigned i = 0; i < 100000; i++) {
        asid_drop(&vcpu);
        flushes += asid_choose(&core, &vcpu).tlb_control;
    }
    ck_assert_uint_eq(flushes, 1588); /* ceil(100,000 / 63) */
}
END_TEST

UNIT_TESTS("hv asid", asids_are_for_revision_g_and_later, flushes_are_one_for_63_assignments_up_to_100000,
           flushes_are_one_for_63_assignments, a_vcpu_keeps_its_number_within_a_generation,
           another_core_gives_another_number, a_bumped_core_flushes_at_the_next_vmrun_and_once,
           without_asids_every_vmrun_flushes, the_last_generation_ends_in_flushing_always)
