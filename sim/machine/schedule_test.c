/* SPDX-License-Identifier: MIT */
/* What several cores see of each other's time. */
#include <string.h>

#include "sim/bits.h"
#include "sim/machine/machine.h"
#include "sim/spa.h"
#include "sim/unit_test.h"

#define CODE 0x100000
#define LOCK 0x200000
#define LAST 0x200004  /* the last time stamp that any core read, while it held the lock */
#define BACKWARDS 0x200008
#define ROUNDS 500

/*
 * As Linux checks time stamp counters: in a lock, read the last stamp, then the counter, and compare.
 *
 *     0:  mov ecx, 500
 *     5:  mov ebx, 1
 *     a:  xchg [200000h], ebx    ; the lock
 *    10:  test ebx, ebx
 *    12:  jnz 5
 *    14:  mov ebx, [200004h]
 *    1a:  rdtsc
 *    1c:  mov [200004h], eax
 *    21:  cmp eax, ebx
 *    23:  jae 2b
 *    25:  inc dword [200008h]
 *    2b:  mov dword [200000h], 0
 *    35:  dec ecx
 *    36:  jnz 5
 *    38:  hlt
 */
static const uint8_t code[] = {
    0xb9, ROUNDS & 0xff, ROUNDS >> 8, 0, 0, 0xbb, 1, 0, 0, 0, 0x87, 0x1d, 0, 0, 0x20, 0, 0x85, 0xdb, 0x75, 0xf1,
    0x8b, 0x1d, 4, 0, 0x20, 0, 0x0f, 0x31, 0xa3, 4, 0, 0x20, 0, 0x39, 0xd8, 0x73, 0x06, 0xff, 0x05, 8, 0, 0x20, 0,
    0xc7, 0x05, 0, 0, 0x20, 0, 0, 0, 0, 0, 0x49, 0x75, 0xcd, 0xf4,
};

static struct machine *start(enum engine engine)
{
    const struct core_entry entry = { .rip = CODE, .protected_flat = true };
    struct machine_config config;
    struct machine *machine;

    machine_config_defaults(&config);
    config.engine = engine;
    config.nodes = 2;
    config.cores = 2;
    machine = machine_new(&config, NULL);
    ck_assert_ptr_nonnull(machine);
    spa_write_block(platform_space(machine_platform(machine)), CODE, code, sizeof code);
    for (unsigned i = 0; i < 4; i++)
        core_enter(machine_core(machine, i), &entry);
    return machine;
}

START_TEST(no_core_reads_a_time_older_than_one_it_was_told)
{
    for (unsigned engine = ENGINE_FAST; engine <= ENGINE_REFERENCE; engine++) {
        struct machine *machine = start(engine);
        struct spa_space *space = platform_space(machine_platform(machine));

        ck_assert_int_eq(machine_run(machine, NEVER, NEVER), MACHINE_STOP_HALTED);
        ck_assert_uint_ne(spa_read(space, LAST, 4), 0);
        ck_assert_uint_eq(spa_read(space, BACKWARDS, 4), 0);
        machine_free(machine);
    }
}
END_TEST

/* The order of the cores depends on what they have looked at: a cut run has to keep it. */
START_TEST(a_run_in_pieces_ends_as_one_in_a_whole)
{
    struct machine *whole = start(ENGINE_FAST), *pieces = start(ENGINE_REFERENCE);
    g_autofree char *expected = NULL, *hash = NULL;
    uint64_t instructions = 0;

    ck_assert_int_eq(machine_run(whole, NEVER, NEVER), MACHINE_STOP_HALTED);
    while (machine_run(pieces, NEVER, instructions) == MACHINE_STOP_INSNS)
        instructions += 97;
    expected = machine_hash(whole);
    hash = machine_hash(pieces);
    ck_assert_str_eq(hash, expected);
    machine_free(whole);
    machine_free(pieces);
}
END_TEST

#define INTERRUPT_PENDING 0xC0010055
#define SMM_BASE_MSR 0xC0010111
#define SMM_BASE(core) (0x30000 + 0x2000 * (core)) /* handlers and save maps lie apart */

/* mov ecx, n; dec ecx; jnz; hlt: core 1 is the last of its node. Each SMI adds one at 200000h + 4 * core. */
static struct machine *halting(enum engine engine, bool last_one_halts)
{
    static const uint8_t last[] = { 0xb9, 0x88, 0x13, 0, 0, 0x49, 0x75, 0xfd, 0xf4 }, at_once[] = { 0xf4 },
                         endless[] = { 0xeb, 0xfe };
    struct machine *machine = start(engine);
    struct spa_space *space = platform_space(machine_platform(machine));

    for (unsigned i = 0; i < 4; i++) {
        uint8_t handler[] = { 0x66, 0x67, 0xff, 0x05, (uint8_t)(4 * i), 0, 0x20, 0, 0x0f, 0xaa };
        struct core_entry entry = { .rip = CODE + 0x100 * i, .protected_flat = true };

        spa_write_block(space, SMM_BASE(i) + 0x8000, handler, sizeof handler);
        spa_write_block(space, entry.rip, i == 1 && last_one_halts ? last : i == 1 ? endless : at_once,
                        i == 1 && last_one_halts ? sizeof last : i == 1 ? sizeof endless : sizeof at_once);
        core_enter(machine_core(machine, i), &entry);
        ck_assert(core_set_msr(machine_core(machine, i), SMM_BASE_MSR, SMM_BASE(i)));
        if (i < 2) /* node 0 alone asks for it; its cycle: 42h to port 80h */
            ck_assert(core_set_msr(machine_core(machine, i), INTERRUPT_PENDING, BIT(27) | 0x42 << 16 | 0x80));
    }
    return machine;
}

START_TEST(the_last_core_of_a_processor_to_halt_makes_an_smi)
{
    for (unsigned engine = ENGINE_FAST; engine <= ENGINE_REFERENCE; engine++) {
        struct machine *machine = halting(engine, true);
        struct spa_space *space = platform_space(machine_platform(machine));

        ck_assert_int_eq(machine_run(machine, NEVER, NEVER), MACHINE_STOP_HALTED);
        for (unsigned i = 0; i < 4; i++) {
            ck_assert_uint_eq(spa_read(space, LOCK + 4 * i, 4), 1);
            ck_assert_uint_eq(spa_read(space, SMM_BASE(i) + 0xFEC4, 4), i == 1 ? 1u << 9 : 0); /* CmpHalt */
            ck_assert_uint_eq(spa_read(space, SMM_BASE(i) + 0xFEC9, 1), 1); /* it was in HLT */
        }
        machine_free(machine);
    }
}
END_TEST

START_TEST(no_smi_while_a_core_of_the_processor_runs)
{
    struct machine *machine = halting(ENGINE_FAST, false);

    ck_assert_int_eq(machine_run(machine, 100000000, NEVER), MACHINE_STOP_TIME);
    ck_assert_uint_eq(spa_read(platform_space(machine_platform(machine)), LOCK, 4), 0);
    machine_free(machine);
}
END_TEST

UNIT_TESTS("schedule", no_core_reads_a_time_older_than_one_it_was_told, a_run_in_pieces_ends_as_one_in_a_whole,
           the_last_core_of_a_processor_to_halt_makes_an_smi, no_smi_while_a_core_of_the_processor_runs)
