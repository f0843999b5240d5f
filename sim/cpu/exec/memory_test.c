/* SPDX-License-Identifier: MIT */
/* The operand driver's memory side: segments, page crossings, devices, alignment, breakpoints, lookups. */
#include "sim/cpu/exec/exec_setup.h"
#include "sim/cpu/exec/memory.h"

/* Data-side lookups so far. */
static uint64_t lookups(const struct setup *s)
{
    return ((const struct native_map *)s->core.mmu)->accesses;
}

/* ---- Segments --------------------------------------------------------------------------------------- */

static enum outcome linear_of(struct setup *s, unsigned segment, uint64_t offset, unsigned size, unsigned access)
{
    gva_t linear;

    return segment_linear(&s->core, segment, offset, size, access, &linear);
}

#define assert_gp(call)                                              \
    do {                                                             \
        ck_assert_int_eq(call, OUTCOME_FAULT);                       \
        ck_assert_uint_eq(s->core.fault.vector, EXC_GP);             \
        ck_assert(s->core.fault.has_error && s->core.fault.error == 0); \
    } while (0)

START_TEST(the_last_byte_must_lie_inside_the_limit)
{
    struct setup *s = setup_new();

    setup_32(s, 0);
    s->core.seg[SEG_DS].limit = 0xFFF;
    ck_assert_int_eq(linear_of(s, SEG_DS, 0xFFC, 4, MMU_READ), OUTCOME_NEXT);
    assert_gp(linear_of(s, SEG_DS, 0xFFD, 4, MMU_READ));
    assert_gp(linear_of(s, SEG_DS, 0xFFFFFFFF, 1, MMU_READ));
    s->core.seg[SEG_SS].limit = 0xFFF;
    ck_assert_int_eq(linear_of(s, SEG_SS, 0xFFD, 4, MMU_READ), OUTCOME_FAULT);
    ck_assert_uint_eq(s->core.fault.vector, EXC_SS);
    setup_free(s);
}
END_TEST

START_TEST(an_expand_down_segment_allows_what_lies_above_the_limit)
{
    struct setup *s = setup_new();

    setup_32(s, 0);
    s->core.seg[SEG_DS].attr = 0x497; /* present, S, data expand-down writable accessed, 32-bit */
    s->core.seg[SEG_DS].limit = 0xFFF;
    assert_gp(linear_of(s, SEG_DS, 0xFFF, 1, MMU_READ));
    ck_assert_int_eq(linear_of(s, SEG_DS, 0x1000, 4, MMU_READ), OUTCOME_NEXT);
    ck_assert_int_eq(linear_of(s, SEG_DS, 0xFFFFFFFC, 4, MMU_READ), OUTCOME_NEXT);
    assert_gp(linear_of(s, SEG_DS, 0xFFFFFFFD, 4, MMU_READ));
    s->core.seg[SEG_DS].attr = 0x097; /* 16-bit: the top is FFFF */
    ck_assert_int_eq(linear_of(s, SEG_DS, 0xFFFC, 4, MMU_READ), OUTCOME_NEXT);
    assert_gp(linear_of(s, SEG_DS, 0xFFFD, 4, MMU_READ));
    setup_free(s);
}
END_TEST

START_TEST(the_type_decides_between_reading_and_writing)
{
    struct setup *s = setup_new();

    setup_32(s, 0);
    s->core.seg[SEG_DS].attr = 0xC91; /* read-only data */
    ck_assert_int_eq(linear_of(s, SEG_DS, 0, 1, MMU_READ), OUTCOME_NEXT);
    assert_gp(linear_of(s, SEG_DS, 0, 1, MMU_WRITE));
    assert_gp(linear_of(s, SEG_CS, 0, 1, MMU_WRITE)); /* readable code */
    ck_assert_int_eq(linear_of(s, SEG_CS, 0, 1, MMU_READ), OUTCOME_NEXT);
    s->core.seg[SEG_CS].attr = 0xC99; /* execute-only */
    assert_gp(linear_of(s, SEG_CS, 0, 1, MMU_READ));
    s->core.seg[SEG_ES].attr = 0; /* null */
    assert_gp(linear_of(s, SEG_ES, 0, 1, MMU_READ));
    setup_real(s);
    ck_assert_int_eq(linear_of(s, SEG_CS, 0, 1, MMU_WRITE), OUTCOME_NEXT);
    setup_free(s);
}
END_TEST

START_TEST(long_mode_wants_canonical_addresses_and_ignores_limits)
{
    struct setup *s = setup_new();

    setup_64(s, 0);
    s->core.seg[SEG_DS].limit = 0;
    ck_assert_int_eq(linear_of(s, SEG_DS, 0x7FFFFFFFFFFF, 1, MMU_READ), OUTCOME_NEXT);
    assert_gp(linear_of(s, SEG_DS, 0x7FFFFFFFFFFF, 2, MMU_READ));
    assert_gp(linear_of(s, SEG_DS, 0x800000000000, 1, MMU_READ));
    ck_assert_int_eq(linear_of(s, SEG_DS, 0xFFFF800000000000, 8, MMU_READ), OUTCOME_NEXT);
    ck_assert_int_eq(linear_of(s, SEG_SS, 0x800000000000, 1, MMU_READ), OUTCOME_FAULT);
    ck_assert_uint_eq(s->core.fault.vector, EXC_SS);
    s->core.seg[SEG_FS].base = 0x7FFFFFFFF000;
    ck_assert_int_eq(linear_of(s, SEG_FS, 0xFFF, 1, MMU_READ), OUTCOME_NEXT);
    assert_gp(linear_of(s, SEG_FS, 0x1000, 1, MMU_READ));
    s->core.efer |= EFER_LMSLE;
    s->core.seg[SEG_DS].limit = 0xFFFF0FFF;
    ck_assert_int_eq(linear_of(s, SEG_DS, 0xFFFFFFFFFFFF0FF8, 8, MMU_READ), OUTCOME_NEXT);
    assert_gp(linear_of(s, SEG_DS, 0xFFFFFFFFFFFF0FF9, 8, MMU_READ));
    ck_assert_int_eq(linear_of(s, SEG_GS, 0xFFFFFFFFFFFF0FF9, 7, MMU_READ), OUTCOME_NEXT);
    setup_free(s);
}
END_TEST

START_TEST(real_mode_addresses_wrap_with_the_address_size_and_fault_at_the_limit)
{
    struct setup *s = setup_new();

    setup_real(s);
    s->core.seg[SEG_DS].base = 0x20000;
    setup_poke(s, 0x2FFFE, 2, 0xBEEF);
    s->core.gpr[RBX] = 0x8000;
    s->core.gpr[RSI] = 0x7FFE;
    assert_retires(s, "\x8B\x00"); /* mov ax, [bx+si] */
    ck_assert_uint_eq(s->core.gpr[RAX], 0xBEEF);
    s->core.rip = SETUP_RIP;
    s->core.gpr[RSI] = 0x7FFF;
    assert_faults(s, "\x8B\x00", EXC_GP); /* a word at FFFF */
    setup_free(s);
}
END_TEST

/* ---- Pages and devices ------------------------------------------------------------------------------- */

START_TEST(a_page_crossing_access_is_two_lookups_and_joins_the_halves)
{
    struct setup *s = setup_new();
    uint64_t value = 0, before;

    setup_64(s, 3);
    setup_poke(s, 0x10FFD, 8, 0x1122334455667788);
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x10FFD, 8, &value), OUTCOME_NEXT);
    ck_assert_uint_eq(value, 0x1122334455667788);
    before = lookups(s);
    ck_assert_int_eq(memory_write(&s->core, SEG_DS, 0x10FFF, 4, 0xAABBCCDD), OUTCOME_NEXT);
    ck_assert_uint_eq(lookups(s) - before, 2);
    ck_assert_uint_eq(setup_peek(s, 0x10FFF, 4), 0xAABBCCDD);
    before = lookups(s);
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x10FF8, 8, &value), OUTCOME_NEXT);
    ck_assert_uint_eq(lookups(s) - before, 1);
    setup_free(s);
}
END_TEST

START_TEST(a_store_whose_second_page_faults_writes_nothing)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    setup_poke(s, 0x16FF8, 8, 0x1111111111111111);
    ck_assert_int_eq(memory_write(&s->core, SEG_DS, 0x16FFC, 8, 0), OUTCOME_FAULT);
    ck_assert_uint_eq(s->core.fault.vector, EXC_PF);
    ck_assert_uint_eq(s->core.fault.address, 0x17000);
    ck_assert_uint_eq(s->core.fault.error, 6); /* not present, write, user */
    ck_assert_uint_eq(setup_peek(s, 0x16FF8, 8), 0x1111111111111111);
    setup_free(s);
}
END_TEST

START_TEST(supervisor_pages_fault_for_users_only)
{
    struct setup *s = setup_new();
    uint64_t value;

    setup_64(s, 3);
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x14000, 4, &value), OUTCOME_FAULT);
    ck_assert_uint_eq(s->core.fault.error, 5); /* present, user */
    ck_assert_int_eq(linear_read(&s->core, 0x14000, 4, MMU_READ, &value), OUTCOME_NEXT); /* implicit access */
    setup_64(s, 0);
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x14000, 4, &value), OUTCOME_NEXT);
    setup_free(s);
}
END_TEST

START_TEST(devices_get_one_access_of_the_operands_size)
{
    struct setup *s = setup_new();
    uint64_t value;

    setup_64(s, 3);
    s->device = 0x8877665544332211;
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x15000, 4, &value), OUTCOME_NEXT);
    ck_assert_uint_eq(value, 0x44332211);
    ck_assert_int_eq(memory_write(&s->core, SEG_DS, 0x15000, 2, 0xCAFE), OUTCOME_NEXT);
    ck_assert_uint_eq(s->device, 0xCAFE);
    ck_assert_uint_eq(s->device_writes, 1);
    ck_assert_uint_eq(s->core.horizon, 0); /* a device may have raised an interrupt */
    setup_free(s);
}
END_TEST

static uint64_t apic_read(void *ctx, uint64_t offset, unsigned size)
{
    (void)ctx, (void)size;
    return 0xA0000000 + offset;
}

static void apic_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    *(uint64_t *)ctx = offset << 32 | value;
}

START_TEST(the_local_apics_page_belongs_to_the_core)
{
    struct setup *s = setup_new();
    uint64_t value, written = 0;

    setup_64(s, 3);
    s->core.apic_page = (struct mmio_region){ .base = SETUP_DEVICE, .size = 4096, .ctx = &written, .read = apic_read,
                                              .write = apic_write };
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x15020, 4, &value), OUTCOME_NEXT);
    ck_assert_uint_eq(value, 0xA0000020);
    ck_assert_int_eq(memory_write(&s->core, SEG_DS, 0x150B0, 4, 7), OUTCOME_NEXT);
    ck_assert_uint_eq(written, UINT64_C(0xB0) << 32 | 7);
    ck_assert_uint_eq(s->device_writes, 0);
    setup_free(s);
}
END_TEST

/* ---- Alignment and breakpoints -------------------------------------------------------------------------- */

START_TEST(misaligned_user_accesses_fault_when_am_and_ac_are_set)
{
    struct setup *s = setup_new();
    uint64_t value;

    setup_64(s, 3);
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x10001, 4, &value), OUTCOME_NEXT);
    s->core.rflags |= RFLAGS_AC;
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x10001, 4, &value), OUTCOME_NEXT);
    s->core.cr0 |= CR0_AM;
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x10001, 4, &value), OUTCOME_FAULT);
    ck_assert_uint_eq(s->core.fault.vector, EXC_AC);
    ck_assert(s->core.fault.has_error && s->core.fault.error == 0);
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x10004, 4, &value), OUTCOME_NEXT);
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x10003, 1, &value), OUTCOME_NEXT);
    ck_assert_int_eq(linear_read(&s->core, 0x10001, 4, MMU_READ, &value), OUTCOME_NEXT); /* implicit */
    setup_privilege(s, 0);
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x10001, 4, &value), OUTCOME_NEXT);
    setup_free(s);
}
END_TEST

START_TEST(data_breakpoints_collect_what_the_access_touches)
{
    struct setup *s = setup_new();
    uint64_t value;

    setup_64(s, 3);
    s->core.dr[0] = 0x10004; /* L0, write, 4 bytes; G1, read or write, 1 byte at 10010 */
    s->core.dr[1] = 0x10010;
    s->core.dr7 = UINT64_C(1) | UINT64_C(1) << 16 | UINT64_C(3) << 18 | UINT64_C(1) << 3 | UINT64_C(3) << 20;
    s->core.data_breakpoints = true;
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x10004, 4, &value), OUTCOME_NEXT);
    ck_assert_uint_eq(s->core.pending_dr6, 0); /* reads do not match a write breakpoint */
    ck_assert_int_eq(memory_write(&s->core, SEG_DS, 0x10000, 4, 0), OUTCOME_NEXT);
    ck_assert_uint_eq(s->core.pending_dr6, 0);
    ck_assert_int_eq(memory_write(&s->core, SEG_DS, 0x10007, 2, 0), OUTCOME_NEXT);
    ck_assert_uint_eq(s->core.pending_dr6, 1);
    ck_assert_int_eq(memory_read(&s->core, SEG_DS, 0x1000F, 2, &value), OUTCOME_NEXT);
    ck_assert_uint_eq(s->core.pending_dr6, 3);
    setup_free(s);
}
END_TEST

UNIT_TESTS("memory", the_last_byte_must_lie_inside_the_limit,
           an_expand_down_segment_allows_what_lies_above_the_limit,
           the_type_decides_between_reading_and_writing, long_mode_wants_canonical_addresses_and_ignores_limits,
           real_mode_addresses_wrap_with_the_address_size_and_fault_at_the_limit,
           a_page_crossing_access_is_two_lookups_and_joins_the_halves,
           a_store_whose_second_page_faults_writes_nothing, supervisor_pages_fault_for_users_only,
           devices_get_one_access_of_the_operands_size, the_local_apics_page_belongs_to_the_core,
           misaligned_user_accesses_fault_when_am_and_ac_are_set, data_breakpoints_collect_what_the_access_touches)
