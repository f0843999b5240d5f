/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry for the VMCB: a guest that VMRUN would take, whose VMCB the input edits. Byte 0 picks the world, the rest
 * are edits of nine bytes: which field (one beyond the list: any byte of the page), value. Both engines must agree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/svm/vmcb.h"
#include "sim/spa.h"
#include "tests/random/world.h"

#define EDIT_BYTES 9
#define INSTRUCTIONS 500
#define TIME_PS (50 * PS_PER_US)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void edit(struct spa_space *space, const uint8_t *data)
{
    unsigned number = data[0];
    uint64_t value;

    memcpy(&value, data + 1, sizeof(value));
    if (number < vmcb_field_count)
        spa_write(space, VMCB + vmcb_fields[number].offset, vmcb_fields[number].size, value);
    else
        spa_write(space, VMCB + (value & PAGE_MASK), 1, value >> 56);
}

static GString *run(const uint8_t *data, size_t size, enum engine engine)
{
    /* a seed divisible by 3 gives a VMCB without random fields (world.c) */
    const struct random_world world = { .world = data[0] % WORLD_COUNT, .guest = true, .seed = 3 * (1 + data[0] / 4) };
    struct machine *machine = random_machine(&world, engine);
    GString *text;

    for (size_t at = 1; at + EDIT_BYTES <= size; at += EDIT_BYTES)
        edit(platform_space(machine_platform(machine)), data + at);
    machine_run(machine, TIME_PS, INSTRUCTIONS);
    text = random_machine_text(machine);
    machine_free(machine);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GString *fast, *reference;

    if (size < 1)
        return 0;
    fast = run(data, size, ENGINE_FAST);
    reference = run(data, size, ENGINE_REFERENCE);
    if (!g_string_equal(fast, reference)) {
        fprintf(stderr, "the engines differ\nreference:\n%s\nfast:\n%s\n", reference->str, fast->str);
        abort();
    }
    g_string_free(fast, TRUE);
    g_string_free(reference, TRUE);
    return 0;
}
