/* SPDX-License-Identifier: MIT */
/*
 * Moves inside the machine without end (scenarios/storms.lua). The control domain has two vCPUs: one moves the
 * guests that compute beside it, to both paging modes, by requests that are right, wrong, or cut; the other pauses
 * them, asks for moves while one is under way, and destroys two guests in the middle of their moves, the second after
 * all others. Domains 1 and 2 are innocent, 3 to 5 doomed, all five alike. In the end all are destroyed, and hv has
 * to have as many free pages as before and five times what the first gave back, which nothing had moved.
 */
#include "hv/abi/control.h"
#include "hv/abi/guest_calls.h"
#include "hv/abi/xen.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/vcpu.h"
#include "workloads/tests/hostile/hostile.h"

#define INNOCENT 2
#define VICTIMS 4 /* and the doomed ones */
#define DOOMED 2
#define LAST 3
#define NOBODY VICTIMS
#define STACK 8192
#define NO_NODE 9
#define CUT_AT_ONCE 1
#define PATIENCE 1000 /* yields */

static uint32_t victims[VICTIMS] = { 1, 2, 4, 5 }; /* their numbers of now; either vCPU may have moved them */
static uint64_t moves, refused, wrong;
static unsigned doom = NOBODY; /* who is to be destroyed under a move; the other vCPU does it and sets it back */
static bool stop, stopped;
static uint8_t stack[STACK] __attribute__((aligned(16)));

static uint32_t victim(unsigned index)
{
    return __atomic_load_n(&victims[index], __ATOMIC_ACQUIRE);
}

static bool is_set(const bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag)
{
    __atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static int64_t domctl(uint32_t command, uint32_t domain, struct domctl *op)
{
    const uint64_t a[5] = { (uintptr_t)op };

    op->command = command;
    op->interface_version = CONTROL_INTERFACE_VERSION;
    op->domain = (uint16_t)domain;
    return call5(HYPERCALL_DOMCTL, a);
}

static int64_t plain(uint32_t command, uint32_t domain)
{
    struct domctl op = { .command = 0 };

    return domctl(command, domain, &op);
}

static int64_t move(uint32_t domain, struct domctl_hv_migrate wish, uint32_t *to)
{
    struct domctl op = { .hv_migrate = wish };
    int64_t result = domctl(DOMCTL_HV_MIGRATE, domain, &op);

    if (!result && to)
        __atomic_store_n(to, op.hv_migrate.new_domain, __ATOMIC_RELEASE);
    __atomic_fetch_add(result ? &refused : &moves, 1, __ATOMIC_RELAXED);
    return result;
}

static int64_t move_victim(unsigned index, struct domctl_hv_migrate wish)
{
    return move(victim(index), wish, &victims[index]);
}

static void want(bool right)
{
    wrong += !right;
}

static uint64_t free_pages(void)
{
    struct sysctl op = { .command = SYSCTL_PHYSINFO, .interface_version = CONTROL_INTERFACE_VERSION };
    const uint64_t a[5] = { (uintptr_t)&op };

    want(call5(HYPERCALL_SYSCTL, a) == 0);
    return op.physinfo.free_pages;
}

/* ---- The other vCPU ---------------------------------------------------------------------------------------- */

static unsigned doomed(void)
{
    return __atomic_load_n(&doom, __ATOMIC_ACQUIRE);
}

/* Another guest cannot be moved while one is. */
static bool a_move_is_under_way(void)
{
    return move_victim(0, (struct domctl_hv_migrate){ .cut_after = CUT_AT_ONCE }) == -XEN_EBUSY;
}

/* Whoever moves it meanwhile takes the pause along: it is the one of the new number that goes on. */
static void pause_and_unpause(unsigned index)
{
    if (plain(DOMCTL_PAUSEDOMAIN, victim(index)))
        return;
    for (unsigned n = 0; plain(DOMCTL_UNPAUSEDOMAIN, victim(index)) && n < PATIENCE; n++)
        vcpu_yield();
}

/* Nobody asks for a move after the last one's, which has to end by itself. */
static void destroy_the_doomed(void)
{
    unsigned who = doomed();

    if (who == NOBODY || !a_move_is_under_way() || plain(DOMCTL_DESTROYDOMAIN, victim(who)))
        return;
    if (who == LAST)
        set(&stop);
    __atomic_store_n(&doom, NOBODY, __ATOMIC_RELEASE);
}

static void interfere(unsigned id)
{
    static const uint32_t nobody[] = { 0, 0x7FF0, 0x7FF1, 77, 0xFFFF };

    (void)id;
    for (unsigned i = 0; !is_set(&stop); i++) {
        plain(DOMCTL_GETDOMAININFO, victim(i % VICTIMS));
        if (move(nobody[i % 5], (struct domctl_hv_migrate){ 0 }, NULL) == 0)
            __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
        if (i % 8 == 0)
            move_victim(i / 8 % INNOCENT, (struct domctl_hv_migrate){ .cut_after = 20 });
        if (i % 8 == 4)
            pause_and_unpause(i / 8 % INNOCENT);
        destroy_the_doomed();
        for (unsigned n = 0; n < 20000 && doomed() == NOBODY; n++)
            cpu_pause();
    }
    set(&stopped);
    for (;;)
        cpu_halt();
}

/* ---- The one that moves -------------------------------------------------------------------------------------- */

static void one_round(uint64_t round)
{
    struct domctl_hv_migrate wish = { .mode = (uint32_t)(round % (MIGRATE_TO_SHADOW + 2)) }; /* the last is none */

    if (round % 4 == 0)
        wish.cut_after = 1 + random_below(60);
    if (round % 8 == 5)
        wish.where = MIGRATE_LINK; /* this machine has none */
    if (round % 8 == 6)
        wish.node = NO_NODE;
    for (unsigned n = 0; move_victim((unsigned)(round % INNOCENT), wish) == -XEN_EBUSY && n < PATIENCE; n++)
        vcpu_yield(); /* the other vCPU's */
}

/* Again and again until it is destroyed under a move. */
static void move_to_its_end(unsigned who)
{
    __atomic_store_n(&doom, who, __ATOMIC_RELEASE);
    while (doomed() != NOBODY)
        move_victim(who, (struct domctl_hv_migrate){ 0 });
}

/* What a destroyed guest had comes back once no core runs it any more. */
static uint64_t free_pages_from(uint64_t wanted)
{
    uint64_t now = free_pages();

    for (unsigned n = 0; now < wanted && n < PATIENCE; n++, now = free_pages())
        vcpu_yield();
    return now;
}

/* It has said its sum, wherever it is. */
static void wait_for(uint32_t domain)
{
    struct domctl info = { .command = 0 };

    while (domctl(DOMCTL_GETDOMAININFO, domain, &info) == 0 &&
           !(info.getdomaininfo.flags & (DOMINF_SHUTDOWN | DOMINF_DYING)))
        vcpu_yield();
}

uint64_t attack_storm(uint64_t rounds)
{
    uint64_t before = free_pages(), given, after;

    want(plain(DOMCTL_DESTROYDOMAIN, 3) == 0);
    given = free_pages_from(before + 1) - before;
    want(vcpu_start(1, interfere, stack + STACK));
    for (uint64_t round = 0; round < rounds; round++) {
        if (round == rounds / 2)
            move_to_its_end(DOOMED);
        one_round(round);
    }
    move_to_its_end(LAST);
    while (!is_set(&stopped))
        vcpu_yield();
    for (unsigned i = 0; i < INNOCENT; i++) {
        wait_for(victim(i));
        plain(DOMCTL_DESTROYDOMAIN, victim(i));
    }
    after = free_pages_from(before + (INNOCENT + 3) * given);
    guest_print("storm: %lu moves, %lu refused or cut, %lu free pages and %lu given back: %lu\n", (unsigned long)moves,
                (unsigned long)refused, (unsigned long)before, (unsigned long)given, (unsigned long)after);
    want(after == before + (INNOCENT + 3) * given);
    return wrong;
}

uint64_t attack_asks(uint64_t rounds)
{
    static const uint32_t domains[] = { 0, 1, 2, 3, 4, 5, 6, 7, 0x7FF0, 0xFFFF };
    uint64_t allowed = 0;

    for (uint64_t i = 0; i < rounds; i++)
        for (unsigned n = 0; n < sizeof(domains) / sizeof(domains[0]); n++) {
            struct domctl_hv_migrate wish = { .mode = (uint32_t)random_below(4), .cut_after = random_below(4) };

            allowed += move(domains[n], wish, NULL) >= 0;
        }
    return allowed;
}
