/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry for what a guest may do: random code in ring 0 (16-, 32- and 64-bit, or under VMRUN with a random
 * VMCB) on a whole machine. Each input runs on both engines, which must agree in the state hash and every counter.
 * Input: byte 0 picks the world, bytes 1-8 seed everything the input does not say, the rest is code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/core.h"
#include "tests/random/world.h"

#define ROUNDS 8          /* one if the input brings code: a fuzzer wants many inputs */
#define INSTRUCTIONS 2000 /* of each round */
#define TIME_PS (400 * PS_PER_US)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything the two engines must agree in, as text. */
static GString *run(const struct random_world *world, enum engine engine)
{
    struct machine *machine = random_machine(world, engine);
    struct core *core = machine_core(machine, 0);
    unsigned rounds = world->code_size ? 1 : ROUNDS;
    uint64_t seed = world->seed;
    enum machine_stop stop = MACHINE_STOP_INSNS;
    GString *out;

    for (unsigned round = 1; round <= rounds && stop == MACHINE_STOP_INSNS; round++) {
        stop = machine_run(machine, TIME_PS, round * INSTRUCTIONS);
        if (!world->guest || core->svm.guest) /* lost in zeros, often */
            core_set_register(core, "rip", random_code_rip(world->world) + next_random(&seed) % CODE_BYTES);
    }
    out = random_machine_text(machine);
    g_string_append_printf(out, "%s\n", machine_stop_name(stop));
    machine_free(machine);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct random_world world = { 0 };
    GString *fast, *reference;

    if (size < 9)
        return 0;
    world.world = data[0] % WORLD_COUNT;
    world.guest = data[0] & 0x10;
    world.two_cores = data[0] & 0x20;
    memcpy(&world.seed, data + 1, 8);
    world.seed |= 1;
    world.code = data + 9;
    world.code_size = size - 9;
    fast = run(&world, ENGINE_FAST);
    reference = run(&world, ENGINE_REFERENCE);
    if (!g_string_equal(fast, reference)) {
        fprintf(stderr, "the engines differ\nreference:\n%s\nfast:\n%s\n", reference->str, fast->str);
        abort();
    }
    if (getenv("FAM10H_FUZZ_PRINT"))
        printf("%s", fast->str);
    g_string_free(fast, TRUE);
    g_string_free(reference, TRUE);
    return 0;
}
