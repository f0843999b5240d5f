/* SPDX-License-Identifier: MIT */
/*
 * A guest of hv that means harm (64-bit): does anything that a guest can call, write or execute stop hv, harm
 * another guest, or show what another guest left in memory?
 *
 * hv has to endure what no honest kernel does. Such attacks found memory of a destroyed guest that came to the next
 * one as it was, and an APIC timer of nanoseconds that left its guest no time.
 *
 * Word `attack=` names what it does, `rounds=` how often, `seed=` which of it; all is drawn from one generator, so
 * that a run is the same every time; roots and descriptors try one target, number `seed=`. Arguments are small numbers,
 * noise and wild addresses: devices, the ends of memory, not canonical, not mapped.
 *
 * The attacks, by file: hypercalls of noise, domctls of noise from the control domain, contexts of noise for vCPU 1
 * (calls.c); page tables with loops and devices in them, CR3 or GDT and IDT in such places, a triple fault
 * (tables.c); storms of ports, MMIO and interrupts (devices.c); SVM's instructions, each of them #UD or #GP, and
 * MSRs (processor.c); moves without end, and a guest that asks for them without the right (storm.c); here, a look
 * for words that are not zero in memory never used. Most leave the guest able to say how they ended: it finishes
 * with their number of exceptions, and prints it; of peek, storm and asks it is what was wrong, and must be 0. Those
 * that destroy the guest itself (roots, descriptors, shutdown) have to end as "crashed".
 *
 * Whatever it does, hv and its other guests go on: scenarios/hostile.lua looks, under nested and shadow paging;
 * scenarios/storms.lua runs storm and asks. No attack is what rightly ends or rearranges its caller, as a reset
 * does. Paravirtual kernels that mean harm: workloads/pv64/hostile.c.
 */
#include "workloads/tests/hostile/hostile.h"

#include "hv/core/text.h"

uint64_t seed;
static uint64_t state;

/* xorshift64* (Marsaglia 2003; Vigna 2014) */
uint64_t random64(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717ull;
}

uint64_t wild_address(void)
{
    static uint8_t here[8192] __attribute__((aligned(4096)));
    const uint64_t addresses[] = {
        0, 1, 0xFFF, 0xA0000, 0xFEC00000, 0xFEC00010, 0xFEE00000, 0xFEE00300, 0xFEE00FFC, 0xC0000000, 0xFFFFFFFF,
        0x100000000, guest_memory_end, guest_memory_end - 1, guest_memory_end + 0x1000, 0x7FFFFFFFFFFF, 0x800000000000,
        0xFFFF7FFFFFFFFFFF, 0xFFFF800000000000, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFF000, 0xFFFFFFFFFFFFFFF9,
        0x8000000000, 0xFFFFFF8000000000, (uintptr_t)here, (uintptr_t)here + 4093, (uintptr_t)here + 8191,
        (uintptr_t)wild_address, 0x000FFFFFFFFFF000, 0x0000010000000000,
    };
    uint64_t pick = random_below(sizeof(addresses) / sizeof(addresses[0]) + 4);

    if (pick < sizeof(addresses) / sizeof(addresses[0]))
        return addresses[pick];
    return pick & 1 ? random64() : random_below(0x100000000);
}

uint64_t attack_peek(uint64_t rounds)
{
    uint64_t found = 0;

    (void)rounds;
    for (const volatile uint64_t *at = (const uint64_t *)0x800000; (uintptr_t)at < guest_memory_end; at++)
        found += *at != 0;
    guest_print("peek: %lu words, %lu of them not zero\n", (unsigned long)((guest_memory_end - 0x800000) / 8),
                (unsigned long)found);
    return found;
}

void guest_main(void)
{
    static const struct {
        const char *name;
        uint64_t (*run)(uint64_t rounds);
    } attacks[] = {
        { "calls", attack_calls }, { "control", attack_control }, { "vcpus", attack_vcpus },
        { "tables", attack_tables },
        { "roots", attack_roots }, { "descriptors", attack_descriptors }, { "shutdown", attack_shutdown },
        { "ports", attack_ports }, { "mmio", attack_mmio }, { "interrupts", attack_interrupts }, { "svm", attack_svm },
        { "msrs", attack_msrs }, { "peek", attack_peek },
        { "storm", attack_storm }, { "asks", attack_asks },
    };
    char chosen[16] = "";
    bool bad = false;
    uint64_t rounds = option_size(guest_options, "rounds", 100, &bad);

    seed = option_size(guest_options, "seed", 1, &bad);
    option_text(guest_options, "attack", chosen, sizeof(chosen));
    state = seed * 0x9E3779B97F4A7C15ull + 1;
    exceptions_init();
    for (unsigned i = 0; !bad && i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (text_equal(chosen, attacks[i].name)) {
            uint64_t raised = attacks[i].run(rounds);

            if (attacks[i].run != attack_peek)
                guest_print("%s: %lu rounds, %lu exceptions\n", attacks[i].name, (unsigned long)rounds,
                            (unsigned long)raised);
            guest_exit((uint32_t)raised);
        }
    }
    guest_fail("attack= names none of the attacks, or rounds= or seed= is no number");
}
