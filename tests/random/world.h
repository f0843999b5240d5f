/* SPDX-License-Identifier: MIT */
/*
 * Worlds for random code: a machine whose core runs in real, flat, paged or long mode, in ring 0, directly or as an SVM
 * guest with a random VMCB. Everything comes from a seed.
 */
#ifndef FAM10H_TESTS_RANDOM_WORLD_H
#define FAM10H_TESTS_RANDOM_WORLD_H

#include "sim/machine/machine.h"

/* Where things lie; all of it is identity-mapped where there is paging. */
#define RANDOM_MEMORY (UINT64_C(64) << 20)
#define CODE 0x200000
#define CODE_BYTES 0x3000 /* three pages: instructions cross two page ends */
#define STACK 0x280000
#define DATA 0x288000
#define GDT 0x290000
#define IDT 0x291000
#define TSS 0x292000
#define HANDLERS 0x294000
#define TABLES 0x300000 /* PML4, PDPT, four page directories, one page table */
#define LEGACY_TABLE 0x310000
#define VMCB 0x320000
#define HOST_SAVE 0x321000
#define HOST_CODE 0x322000
#define PERMISSIONS 0x330000

enum world { WORLD_REAL, WORLD_FLAT, WORLD_PAGED, WORLD_LONG, WORLD_COUNT };

struct random_world {
    unsigned world;      /* enum world */
    bool guest;          /* inside an SVM guest */
    bool two_cores;
    uint64_t seed;       /* not 0 */
    const uint8_t *code; /* first of all; random bytes follow */
    size_t code_size;
};

/* xorshift64: a seed that is not 0 never becomes 0. */
static inline uint64_t next_random(uint64_t *seed)
{
    uint64_t x = *seed;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *seed = x;
}

/* Often an address that something is at. `wide`: 64 bits. */
uint64_t random_address(uint64_t *seed, bool wide);
/* First byte of the code of a world, system-physical and as rIP. */
spa_t random_code_at(unsigned world);
uint64_t random_code_rip(unsigned world);

/* A machine with 64 MiB, core 0 at the first byte of the world's code. Aborts when it cannot be built. */
struct machine *random_machine(const struct random_world *world, enum engine engine);
/* Core 0 enters another world; what else the machine has been through stays. */
void random_machine_enter(struct machine *machine, const struct random_world *world);
/* Everything that the two engines must agree in, as lines of text. */
GString *random_machine_text(struct machine *machine);

#endif
