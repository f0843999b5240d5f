/* SPDX-License-Identifier: MIT */
/* Random VMCBs, permission maps, code and APIC accesses: the simulator goes on, and twice the same way. */
#include "sim/cpu/svm/guest_fixture.h"

#define ROUNDS 1500
#define STEPS 40

/* xorshift64*, so that the sequence is the same everywhere. */
static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(0x2545F4914F6CDD1D);
}

/* Mostly legal, so that VMRUN passes often: a few fields and much of the memory are made random. */
static void disturb(struct fixture *fix, uint64_t *seed)
{
    put_guest(fix, next(seed) % 2);
    for (unsigned i = 0; i < 64; i++)
        put(fix, GUEST_CODE + 8 * i, 8, next(seed));
    for (unsigned n = next(seed) % 6; n > 0; n--) {
        const struct vmcb_field *row = &vmcb_fields[next(seed) % vmcb_field_count];

        put(fix, VMCB_PA + row->offset, row->size, next(seed) >> next(seed) % 64);
    }
    for (unsigned word = 0; word < INTERCEPT_WORDS; word++)
        put(fix, VMCB_PA + 4 * word, 4, (next(seed) & next(seed)) | (word == 4));
    for (unsigned n = next(seed) % 4; n > 0; n--) {
        static const spa_t tables[] = { 0x30000, 0x31000, 0x32000, GUEST_GDT, GUEST_IDT, GUEST_TSS, IOPM_PA, MSRPM_PA };

        put(fix, tables[next(seed) % 8] + next(seed) % 512 * 8, 8, next(seed));
    }
}

static uint64_t one_run(uint64_t seed)
{
    struct fixture *fix = fixture_new("10h-b3");
    uint64_t digest = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct core *core = fix->core[0];

        disturb(fix, &seed);
        core_reset(core, CORE_RESET_COLD);
        apic_enter(core->apic);
        fixture_host(fix);
        put(fix, HOST_RIP, 4, 0xF4D8010F);
        if (next(&seed) % 8 == 0)
            core_apic_deliver(core, &(struct apic_message){ .type = next(&seed) & 7, .vector = (uint8_t)next(&seed) });
        for (unsigned step = 0; step < STEPS && core_step(core) == CORE_STOP_LIMIT; step++)
            digest = (digest << 7 | digest >> 57) ^ core->rip ^ core->gpr[RAX] ^ core->cycles;
        digest ^= field(fix, VMCB_EXITCODE, 8) << round % 32;
    }
    digest ^= fix->core[0]->svm.count->vmruns;
    fixture_free(fix);
    return digest;
}

START_TEST(random_guests_do_no_harm_and_repeat)
{
    for (uint64_t seed = 1; seed <= 2; seed++)
        ck_assert_uint_eq(one_run(seed), one_run(seed));
}
END_TEST

START_TEST(random_apic_accesses_do_no_harm)
{
    struct fixture *fix = fixture_new("10h-b3");
    uint64_t seed = 7;

    for (unsigned i = 0; i < FIXTURE_CORES; i++)
        apic_enter(fix->core[i]->apic);
    for (unsigned i = 0; i < 200000; i++) {
        struct core *core = fix->core[next(&seed) % FIXTURE_CORES];
        unsigned offset = next(&seed) % 64 * 0x10 + (next(&seed) % 16 == 0 ? next(&seed) % 16 : 0);
        unsigned size = next(&seed) % 16 == 0 ? 1u << next(&seed) % 4 : 4;

        fix->clock.now_ps += next(&seed) % 20000;
        if (next(&seed) % 3)
            core->apic_page.write(core->apic_page.ctx, offset, size, next(&seed));
        else
            core->apic_page.read(core->apic_page.ctx, offset, size);
        if (next(&seed) % 8 == 0)
            clock_fire(&fix->clock, fix->clock.now_ps);
        if (apic_interrupt_ready(core))
            apic_interrupt_acknowledge(core);
    }
    fixture_free(fix);
}
END_TEST

UNIT_TESTS("svm random", random_guests_do_no_harm_and_repeat, random_apic_accesses_do_no_harm)
