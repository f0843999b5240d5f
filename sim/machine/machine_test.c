/* SPDX-License-Identifier: MIT */
/* Machines as their users hold them: several in one process, runs in pieces, configurations that cannot be. */
#include "sim/machine/machine.h"

#include <string.h>

#include "sim/unit_test.h"

#define INSTRUCTIONS 300000

/*
 * A multiboot image with addresses: 32 bytes of header at 1 MiB, then flat 32-bit code that stores, multiplies, calls,
 * reads the time-stamp counter and port 61h, and modifies itself.
 */
static const uint8_t program[] = {
    0x02, 0xB0, 0xAD, 0x1B, 0x00, 0x00, 0x01, 0x00, 0xFE, 0x4F, 0x51, 0xE4, 0x00, 0x00, 0x10, 0x00,
    0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x10, 0x00,
    0xBC, 0x00, 0x00, 0x20, 0x00,             /* 20: mov esp,200000h */
    0xBF, 0x00, 0x00, 0x30, 0x00,             /* 25: mov edi,300000h */
    0xBB, 0x05, 0x00, 0x00, 0x00,             /* 2A: mov ebx,5 */
    0x69, 0xDB, 0x0D, 0x66, 0x19, 0x00,       /* 2F: imul ebx,ebx,19660Dh */
    0x81, 0xC3, 0x5F, 0xF3, 0x6E, 0x3C,       /* 35: add ebx,3C6EF35Fh */
    0x89, 0x1F,                               /* 3B: mov [edi],ebx */
    0x81, 0xC7, 0x34, 0x01, 0x00, 0x00,       /* 3D: add edi,134h */
    0x81, 0xE7, 0xFF, 0xFF, 0x3F, 0x00,       /* 43: and edi,3FFFFFh */
    0x81, 0xCF, 0x00, 0x00, 0x30, 0x00,       /* 49: or edi,300000h */
    0x0F, 0x31, 0x01, 0xC3,                   /* 4F: rdtsc; add ebx,eax */
    0xE4, 0x61, 0x00, 0xC3,                   /* 53: in al,61h; add bl,al */
    0x88, 0x1D, 0x31, 0x00, 0x10, 0x00,       /* 57: mov [100031h],bl: a byte of the multiplier */
    0xE8, 0x02, 0x00, 0x00, 0x00,             /* 5D: call 64 */
    0xEB, 0xCB,                               /* 62: jmp 2F */
    0x53, 0x58, 0xC3,                         /* 64: push ebx; pop eax; ret */
};

static struct machine *booted(enum engine engine, unsigned cores, const char *command_line)
{
    static const struct image image = { "program", program, sizeof(program), NULL };
    struct machine_config config;
    struct machine *machine;
    GError *error = NULL;

    machine_config_defaults(&config);
    config.memory = UINT64_C(64) << 20;
    config.engine = engine;
    config.cores = cores;
    machine = machine_new(&config, &error);
    ck_assert_msg(machine != NULL, "%s", error ? error->message : "");
    ck_assert_msg(machine_boot_kernel(machine, &image, command_line, NULL, 0, &error), "%s",
                  error ? error->message : "");
    return machine;
}

static char *finished(struct machine *machine)
{
    enum machine_stop stop = machine_run(machine, NEVER, INSTRUCTIONS);
    char *hash = machine_hash(machine);

    ck_assert_str_eq(machine_stop_name(stop), machine_stop_name(MACHINE_STOP_INSNS));
    ck_assert_uint_eq(machine_instructions(machine), INSTRUCTIONS);
    machine_free(machine);
    return hash;
}

static struct machine *nth_machine(unsigned i)
{
    static const char *const lines[] = { "one", "two", "three" };

    return booted(i == 1 ? ENGINE_REFERENCE : ENGINE_FAST, i == 2 ? 2 : 1, lines[i]);
}

START_TEST(machines_in_one_process_do_not_disturb_one_another)
{
    struct machine *machine[3];
    char *alone[3];

    for (unsigned i = 0; i < 3; i++)
        alone[i] = finished(nth_machine(i));
    for (unsigned i = 0; i < 3; i++)
        machine[i] = nth_machine(i);
    for (unsigned at = 1000; at < INSTRUCTIONS; at += 7919)
        for (unsigned i = 0; i < 3; i++)
            machine_run(machine[i], NEVER, at);
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *together = finished(machine[i]);

        ck_assert_str_eq(together, alone[i]);
        g_free(alone[i]);
    }
}
END_TEST

START_TEST(machines_that_differ_have_different_hashes)
{
    g_autofree char *one = finished(nth_machine(0)), *two = finished(nth_machine(1));

    ck_assert_str_ne(one, two); /* the command line lies in RAM */
}
END_TEST

/* By time, by instructions, and by both at once: no piece's end is seen by the guest. */
START_TEST(a_run_in_pieces_ends_as_one_run)
{
    g_autofree char *whole = finished(booted(ENGINE_FAST, 2, "")), *pieces = NULL;
    struct machine *machine = booted(ENGINE_FAST, 2, "");
    uint64_t random = 12345;

    while (machine_instructions(machine) < INSTRUCTIONS) {
        uint64_t now = machine_now_ps(machine), done = machine_instructions(machine);

        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        switch (random >> 62) {
        case 0: machine_run(machine, now + (random >> 40 & 0xFFFFF), INSTRUCTIONS); break;
        case 1: machine_run(machine, NEVER, MIN(done + (random >> 40 & 0xFF), INSTRUCTIONS)); break;
        case 2: machine_run(machine, now, done); break;
        default: machine_run(machine, now + (random >> 40 & 0xFFFFF), MIN(done + (random >> 30 & 0x3FF), INSTRUCTIONS));
        }
    }
    pieces = finished(machine);
    ck_assert_str_eq(pieces, whole);
}
END_TEST

START_TEST(both_engines_end_alike)
{
    g_autofree char *fast = finished(booted(ENGINE_FAST, 1, ""));
    g_autofree char *reference = finished(booted(ENGINE_REFERENCE, 1, ""));

    ck_assert_str_eq(fast, reference);
}
END_TEST

START_TEST(impossible_machines_are_refused_with_one_line)
{
    static const struct {
        const char *model;
        unsigned nodes, cores;
        uint64_t memory;
        const char *word;
    } wrong[] = {
        { "10h-b3", 9, 1, UINT64_C(1) << 30, "nodes" },   { "10h-b3", 0, 1, UINT64_C(1) << 30, "nodes" },
        { "10h-b3", 1, 0, UINT64_C(1) << 30, "cores" },   { "10h-b3", 1, 5, UINT64_C(1) << 30, "cores" },
        { "10h-d0", 1, 7, UINT64_C(1) << 30, "cores" },   { "11h", 1, 1, UINT64_C(1) << 30, "10h-b3" },
        { "10h-b3", 1, 1, 0, "memory" },                  { "10h-b3", 1, 1, 4096, "memory" },
        { "10h-b3", 1, 1, (UINT64_C(1) << 30) + 1, "memory" }, { "10h-b3", 1, 1, UINT64_C(65) << 30, "memory" },
        { "10h-b3", 1, 1, ~UINT64_C(0), "memory" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        struct machine_config config;
        g_autoptr(GError) error = NULL;

        machine_config_defaults(&config);
        config.model = wrong[i].model;
        config.nodes = wrong[i].nodes;
        config.cores = wrong[i].cores;
        config.memory = wrong[i].memory;
        ck_assert_msg(machine_new(&config, &error) == NULL, "row %zu", i);
        ck_assert_msg(error && strstr(error->message, wrong[i].word) && !strchr(error->message, '\n'), "row %zu: %s", i,
                      error ? error->message : "no message");
    }
}
END_TEST

UNIT_TESTS("machine", machines_in_one_process_do_not_disturb_one_another, machines_that_differ_have_different_hashes,
           a_run_in_pieces_ends_as_one_run, both_engines_end_alike, impossible_machines_are_refused_with_one_line)
