/* SPDX-License-Identifier: MIT */
/*
 * Random descriptors, TSSs, gates, registers and system instructions: nothing may crash or hang, and the
 * same seed must give the same state. Run under the sanitizers too.
 */
#include "sim/cpu/event/event_setup.h"

#define ROUNDS 300
#define STEPS 200

/* xorshift64*: the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

/* A random descriptor or gate, half of them plausible: present, in low memory, of a useful type. */
static uint64_t random_entry(uint64_t *random)
{
    uint64_t value = next_random(random);

    if (value & 1)
        return value;
    value = (value & ~UINT64_C(0xFF00FFFFFFF00000)) | BIT(47) | (next_random(random) & UINT64_C(0x7F0000000000));
    return value & 2 ? value : bits_put(value, 31, 16, next_random(random) & 0xCF); /* a gate to the GDT */
}

/* Random gates beyond the exceptions', random free descriptors, LDT and second TSS; the rest works. */
static void scribble(struct setup *s, uint64_t *random)
{
    unsigned gate = core_in_long_mode(s->core) ? 16 : 8;

    set_fault_gates(s);
    for (unsigned vector = 0; vector < 32 && !core_in_long_mode(s->core); vector++)
        set_gate(s, vector, CODE32_0, 0x8E); /* virtual-8086 mode can reach this one too */
    for (unsigned at = IDT + 32 * gate; at < IDT + 0x1000; at += 8)
        poke(s, at, 8, at % gate ? next_random(random) & 1 : random_entry(random));
    for (unsigned at = GDT + FREE; at < GDT + GDT_BYTES; at += 8)
        poke(s, at, 8, random_entry(random));
    for (unsigned at = LDT; at < LDT + 0x100; at += 8)
        poke(s, at, 8, random_entry(random));
    for (unsigned at = TSS_B; at < TSS_B + 0x68; at += 4)
        poke(s, at, 4, next_random(random) & 0xCF);
    poke(s, TSS_B + 0x20, 4, CODE);
    poke(s, TSS_B + 0x38, 4, STACK);
}

static struct setup *setup_random(uint64_t *random)
{
    unsigned cpl = next_random(random) & 1 ? 3 : 0;

    switch (next_random(random) % 5) {
    case 0: return setup_real();
    case 1: return setup_virtual_8086((unsigned)(next_random(random) & 3));
    case 2: return setup_protected(cpl);
    case 3: return setup_compatibility(cpl);
    default: return setup_64(cpl);
    }
}

/* Opcodes of system.def, each with random bytes behind it. */
static const uint8_t opcodes[][2] = {
    { 0x8C }, { 0x8E }, { 0x06 }, { 0x07 }, { 0x17 }, { 0x1F }, { 0xC4 }, { 0xC5 }, { 0x0F, 0xB2 }, { 0x0F, 0xB4 },
    { 0x0F, 0xB5 }, { 0xEA }, { 0x9A }, { 0xFF, 0x28 }, { 0xFF, 0x18 }, { 0xCA }, { 0xCB }, { 0xCC }, { 0xCD },
    { 0xCE }, { 0xF1 }, { 0xCF }, { 0xFA }, { 0xFB }, { 0x9C }, { 0x9D }, { 0x0F, 0x05 }, { 0x0F, 0x07 },
    { 0x0F, 0x34 }, { 0x0F, 0x35 }, { 0x0F, 0x20 }, { 0x0F, 0x21 }, { 0x0F, 0x22 }, { 0x0F, 0x23 }, { 0x0F, 0x06 },
    { 0x0F, 0x00 }, { 0x0F, 0x01 }, { 0x0F, 0x02 }, { 0x0F, 0x03 }, { 0x63 }, { 0x0F, 0x08 }, { 0x0F, 0x09 },
};

static enum outcome random_step(struct setup *s, uint64_t *random)
{
    const uint8_t *opcode = opcodes[next_random(random) % (sizeof(opcodes) / sizeof(opcodes[0]))];
    uint64_t tail = next_random(random), which = next_random(random);
    uint8_t code[16];
    unsigned size = 0;

    if ((which & 7) == 0)
        return event_deliver(s->core, &(struct event){ .vector = (uint8_t)(which >> 8), .kind = which & 8 ? 0 : 4 });
    if ((which & 0x70) == 0)
        code[size++] = 0x66;
    if (s->core->mode == MODE_64BIT && (which & 0x180) == 0)
        code[size++] = (uint8_t)(0x40 | bits(which, 12, 9));
    code[size++] = opcode[0];
    if (opcode[1])
        code[size++] = opcode[1];
    memcpy(code + size, &tail, 8);
    return event_resolve(s->core, setup_run(s, code, size + 8));
}

static void perturb(struct setup *s, uint64_t *random)
{
    struct core *core = s->core;
    uint64_t what = next_random(random);

    core->gpr[what & 15] = next_random(random) & (what & 0x100 ? UINT64_MAX : what & 0x10 ? 0xCF : 0xFFF8);
    if ((what & 0xE00) == 0)
        core->gpr[RSP] = core_in_real_style(core) ? 0xF000 : STACK;
    if ((what & 0x3F00000) == 0)
        poke(s, GDT + (next_random(random) & 0x2FF8), 8, next_random(random)); /* GDT, IDT, TSS */
    if ((what & 0xF000) == 0)
        rflags_write(core, (next_random(random) & 0x3D7FFF) | (rflags_read(core) & RFLAGS_VM));
    if ((what & 0xF0000) == 0)
        core->star = next_random(random) & UINT64_C(0x00FF00FF00FFFFFF);
}

/* A digest of what the core and memory came to. */
static uint64_t run_round(uint64_t seed)
{
    uint64_t random = seed, digest = 0;
    struct setup *s = setup_random(&random);

    scribble(s, &random);
    for (unsigned step = 0; step < STEPS; step++) {
        enum outcome outcome;

        perturb(s, &random);
        outcome = random_step(s, &random);
        ck_assert(outcome == OUTCOME_NEXT || outcome == OUTCOME_SHUTDOWN);
        ck_assert(s->core->cpl <= 3 && s->core->stack_size <= 8);
        digest = (digest ^ s->core->rip ^ s->core->gpr[RSP]) * UINT64_C(0x100000001B3) + (uint64_t)s->core->mode;
        if (outcome == OUTCOME_SHUTDOWN)
            break;
    }
    for (unsigned at = GDT; at < STACK + 0x1000; at += 8)
        digest = (digest ^ peek(s, at, 8)) * UINT64_C(0x100000001B3);
    setup_free(s);
    return digest;
}

START_TEST(random_system_code_neither_crashes_nor_differs_the_second_time)
{
    for (uint64_t round = 1; round <= ROUNDS; round++)
        ck_assert_uint_eq(run_round(round * 977), run_round(round * 977));
}
END_TEST

UNIT_TESTS("event_random", random_system_code_neither_crashes_nor_differs_the_second_time)
