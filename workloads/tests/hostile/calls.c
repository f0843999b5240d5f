/* SPDX-License-Identifier: MIT */
/* Hypercalls with every number, and arguments that are wild pointers, lengths, domains and structures of noise. */
#include "hv/abi/control.h"
#include "hv/abi/guest_calls.h"
#include "hv/abi/xen.h"
#include "workloads/lib/vcpu.h"
#include "workloads/tests/hostile/hostile.h"

#define CALLS 64
#define VCPUOP_DOWN 2
#define VCPUOP_UP 1
#define NOISE_WORDS 64

static uint64_t noise[NOISE_WORDS] __attribute__((aligned(4096)));

intptr_t call5(uint64_t number, const uint64_t a[5])
{
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    intptr_t result;

    __asm__ volatile("vmmcall" : "=a"(result) : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8)
                     : "memory");
    return result;
}

/* What fields of structures are: small numbers, the special domains, pointers, noise. */
static uint64_t field(void)
{
    switch (random_below(6)) {
    case 0: return random_below(32);
    case 1: return 0x7FF0 + random_below(16);
    case 2: return wild_address();
    case 3: return (uintptr_t)noise + random_below(sizeof(noise));
    case 4: return random_below(1024) << 32 | random_below(40);
    default: return random64();
    }
}

static void make_noise(void)
{
    for (unsigned i = 0; i < NOISE_WORDS; i++)
        noise[i] = field();
}

static uint64_t argument(void)
{
    switch (random_below(4)) {
    case 0: return random_below(48);
    case 1: return (uintptr_t)noise;
    case 2: return wild_address();
    default: return field();
    }
}

/* The few calls that rightly stop or rearrange this guest itself, or fill the log, are no attacks. */
static bool ends_the_caller(uint64_t number, const uint64_t a[5])
{
    uint32_t command = (uint32_t)a[0];

    switch (number) {
    case HYPERCALL_SCHED_OP: return command <= 4;      /* yield, block, shutdown, poll */
    case HYPERCALL_VCPU_OP: return command <= VCPUOP_DOWN;
    case HYPERCALL_CONSOLE_IO: return command == 0 && a[1] < 0x100000;
    case HYPERCALL_MEMORY_OP: return command == 7;     /* maps over this program */
    case HYPERCALL_HVM_OP: return command == 0;        /* an upcall vector: events would come as exceptions */
    default: return false;
    }
}

uint64_t attack_calls(uint64_t rounds)
{
    uint64_t a[5];

    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t number = i % 3 ? random_below(CALLS) : random64();

        make_noise();
        for (unsigned n = 0; n < 5; n++)
            a[n] = argument();
        if (((uint32_t)number & 0xFFFFFF00) == 0x46310000 || ends_the_caller((uint32_t)number, a))
            continue;
        call5(number, a);
    }
    return 0;
}

/* hv ends with its control domain. */
static void wait_for_the_neighbour(void)
{
    struct domctl info = { .command = DOMCTL_GETDOMAININFO, .interface_version = CONTROL_INTERFACE_VERSION,
                           .domain = 1 };
    const uint64_t a[5] = { (uintptr_t)&info };

    while (call5(HYPERCALL_DOMCTL, a) == 0 && !(info.getdomaininfo.flags & (DOMINF_SHUTDOWN | DOMINF_DYING)))
        vcpu_yield();
}

/* Domctls of noise, from the control domain: none at the neighbour (domain 1), and none that it may well give. */
uint64_t attack_control(uint64_t rounds)
{
    static const uint32_t commands[] = {
        DOMCTL_PAUSEDOMAIN, DOMCTL_UNPAUSEDOMAIN, DOMCTL_GETDOMAININFO, DOMCTL_SETVCPUAFFINITY, DOMCTL_SHADOW_OP,
        DOMCTL_MAX_MEM, DOMCTL_GETVCPUINFO, DOMCTL_MAX_VCPUS, DOMCTL_SCHEDULER_OP, DOMCTL_GETVCPUAFFINITY,
        DOMCTL_HV_BUILD, DOMCTL_HV_MEMORY, DOMCTL_HV_MIGRATE, DOMCTL_DESTROYDOMAIN, DOMCTL_CREATEDOMAIN,
    };

    for (uint64_t i = 0; i < rounds; i++) {
        struct domctl *op = (struct domctl *)(void *)noise;
        uint64_t a[5] = { (uintptr_t)noise, argument(), argument(), argument(), argument() };

        make_noise();
        op->command = random_below(8) ? commands[random_below(sizeof(commands) / sizeof(commands[0]))]
            : (uint32_t)random64();
        op->interface_version = random_below(16) ? CONTROL_INTERFACE_VERSION : (uint32_t)random64();
        /* Itself, the special ones, none at all. */
        op->domain = (uint16_t)(random_below(2) ? 0x7FF0 + random_below(16) : 2 + random_below(0x10000 - 2));
        if (random_below(4) == 0 && (op->command == DOMCTL_HV_MIGRATE || op->command == DOMCTL_DESTROYDOMAIN ||
                                     op->command == DOMCTL_HV_BUILD))
            op->domain = 0; /* of itself: refused */
        if (random_below(16) == 0)
            a[0] = wild_address();
        call5(i & 1 ? HYPERCALL_DOMCTL : HYPERCALL_SYSCTL, a);
        if (op->command == DOMCTL_CREATEDOMAIN) { /* what did work is undone: domains are few */
            op->command = DOMCTL_DESTROYDOMAIN;
            op->interface_version = CONTROL_INTERFACE_VERSION;
            if (op->domain > 1)
                call5(HYPERCALL_DOMCTL, a);
        }
    }
    wait_for_the_neighbour();
    return 0;
}

/* vCPU 1 with a context of noise, started, stopped and initialised again. */
uint64_t attack_vcpus(uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t a[5] = { random_below(16), random_below(4) ? 1 : random64(), (uintptr_t)noise, 0, 0 };

        make_noise();
        if ((uint32_t)a[1] == 0)
            continue; /* this one */
        call5(HYPERCALL_VCPU_OP, a);
        if (random_below(4) == 0) {
            const uint64_t up[5] = { VCPUOP_UP, 1, 0, 0, 0 };

            call5(HYPERCALL_VCPU_OP, up);
        }
    }
    return 0;
}
