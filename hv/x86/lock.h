/* SPDX-License-Identifier: MIT */
/* Ticket lock: cores enter in the order they asked. Never held across an enabled interrupt window. */
#ifndef HV_X86_LOCK_H
#define HV_X86_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct lock {
    uint32_t next, serving;
};

static inline void lock_acquire(struct lock *lock)
{
    uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

    while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
        __builtin_ia32_pause();
}

/* Only if nobody has it or waits for it. */
static inline bool lock_try(struct lock *lock)
{
    uint32_t serving = __atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE), ticket = serving;

    return __atomic_compare_exchange_n(&lock->next, &ticket, serving + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void lock_release(struct lock *lock)
{
    __atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

#endif
