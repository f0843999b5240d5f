/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls without sense (seed=, calls=): numbers, commands, pointers and structures at random, from values that mean
 * something now and then: own pages, their machine addresses and frames, page tables, hv's addresses. Left out is what
 * ends or stops this kernel itself. hv must answer each, and harm nobody; at the end the kernel puts its pages back and
 * each can be a page table and memory again, so that no count has gone astray.
 */
#include "workloads/lib/check.h"
#include "workloads/pv64/kernel.h"

#define PAGES 8
#define ERRORS 128

static uint64_t *pages[PAGES], *argument_page;
static uint64_t state;
static unsigned answers[ERRORS + 1]; /* by -errno; 0: taken */

static uint64_t next(void)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return state >> 16;
}

static uint64_t value(void)
{
    uint64_t r = next(), page = r >> 8 & (PAGES - 1);

    switch (r & 15) {
    case 0:
    case 1:
    case 2:
        return r >> 20 & 15;
    case 3:
        return (uintptr_t)pages[page];
    case 4:
    case 5:
        return frame_of(pages[page]);
    case 6:
    case 7:
        return frame_of(pages[page]) * PAGE + (r >> 20 & 7);
    case 8:
        return frame_of(pages[page]) * PAGE + (r >> 20 & 0xFF8) + (r >> 36 & 3);
    case 9:
        return start->pt_base / PAGE + (r >> 20 & 3);
    case 10:
        return frame_of((void *)start->pt_base) * PAGE | (r >> 20 & 7);
    case 11:
        return 0xFFFF800000000000ull + (r >> 20 << 12 & 0xFFFFFFFFFFFull);
    case 12:
        return DOMID_SELF;
    case 13:
        return r >> 20 & 0xFFFFF;
    case 14:
        return ~0ull - (r >> 20 & 15);
    default:
        return r << 16 ^ next();
    }
}

/* Entries of page tables are written where nothing of the kernel's own is: in the spare pages. */
static bool is_safe_pointer(uint64_t at)
{
    for (unsigned i = 0; i < PAGES; i++)
        if ((at & PTE_ADDRESS) / PAGE == frame_of(pages[i]))
            return true;
    return (at & PTE_ADDRESS) / PAGE < 0x1000; /* below the guests' memory: hv's */
}

static void fill(unsigned number)
{
    for (unsigned i = 0; i < 64; i++)
        argument_page[i] = value();
    for (unsigned i = 0; number == HYPERCALL_MMU_UPDATE && i < 64; i += 2)
        if (!is_safe_pointer(argument_page[i]))
            argument_page[i] = frame_of(pages[i / 2 % PAGES]) * PAGE + (argument_page[i] & 0xFFB);
    for (unsigned i = 0; number == HYPERCALL_MMUEXT_OP && i < 63; i += 3) {
        argument_page[i] %= 18;
        if (argument_page[i] == MMUEXT_NEW_BASEPTR)
            argument_page[i] = MMUEXT_TLB_FLUSH_ALL;
    }
}

static bool is_left_out(unsigned number, uint64_t command)
{
    switch (number) {
    case HYPERCALL_SCHED_OP:
        return command != SCHEDOP_YIELD;
    case HYPERCALL_VCPU_OP:
        return command == VCPUOP_DOWN || command == VCPUOP_SEND_NMI;
    case HYPERCALL_CONSOLE_IO:
    case HYPERCALL_IRET:
    case HYPERCALL_MULTICALL:      /* its entries would be any of the others */
    case HYPERCALL_SET_TRAP_TABLE: /* the kernel wants its own */
    case HYPERCALL_SET_CALLBACKS:
    case HYPERCALL_CALLBACK_OP:
        return true;
    case HYPERCALL_SET_DEBUGREG:
        return command == 7;
    case HYPERCALL_UPDATE_VA_MAPPING: /* of a spare page alone */
        for (unsigned i = 0; i < PAGES; i++)
            if (command == (uintptr_t)pages[i])
                return false;
        return command < PV_RESERVED_START;
    default:
        return false;
    }
}

static void one_call(void)
{
    static const uint8_t memory_calls[] = { HYPERCALL_MMU_UPDATE, HYPERCALL_MMUEXT_OP, HYPERCALL_UPDATE_VA_MAPPING,
                                            HYPERCALL_UPDATE_VA_MAPPING, HYPERCALL_MMU_UPDATE, HYPERCALL_MMUEXT_OP,
                                            HYPERCALL_SET_GDT, HYPERCALL_UPDATE_DESCRIPTOR };
    unsigned number = next() & 1 ? memory_calls[next() & 7] : (unsigned)(next() >> 4) % 40;
    uint64_t a = value(), b = value(), c = value(), d = value();
    int64_t result;

    if (number == HYPERCALL_MMU_UPDATE || number == HYPERCALL_MMUEXT_OP) {
        a = (uintptr_t)argument_page;
        b = next() & 7;
        c = 0;
        d = next() & 7 ? DOMID_SELF : d;
    } else if (number == HYPERCALL_UPDATE_VA_MAPPING) {
        a = (uintptr_t)pages[next() & (PAGES - 1)];
        b = frame_of(pages[next() & (PAGES - 1)]) * PAGE | (next() & 7);
    } else if (next() & 3) {
        b = (uintptr_t)argument_page;
    }
    if (is_left_out(number, a))
        return;
    fill(number);
    result = call5(number, a, b, c, d, value());
    answers[result >= 0 ? 0 : result > -ERRORS ? -result : ERRORS]++;
}

static void put_back(void)
{
    bool ok = true;

    extended(MMUEXT_SET_LDT, 0, 0);
    extended(MMUEXT_NEW_USER_BASEPTR, 0, 0);
    CALL(HYPERCALL_SET_GDT, 0, 0);
    for (unsigned i = 0; i < PAGES; i++)
        extended(MMUEXT_UNPIN_TABLE, frame_of(pages[i]), 0);
    for (unsigned i = 0; i < PAGES; i++) /* whatever each had become, and whoever led to it */
        ok = map(pages[i], frame_of(pages[i]) * PAGE | RW) == 0 && ok;
    check(ok, "each page can be mapped writable again");
    for (unsigned i = 0; i < PAGES && ok; i++)
        memset(pages[i], 0, PAGE);
    for (unsigned i = 0; i < PAGES && ok; i++)
        ok = map(pages[i], frame_of(pages[i]) * PAGE | RO) == 0 &&
             extended(MMUEXT_PIN_L1_TABLE, frame_of(pages[i]), 0) == 0 &&
             extended(MMUEXT_UNPIN_TABLE, frame_of(pages[i]), 0) == 0;
    check(ok, "and be a page table after that");
}

void pv_main(void)
{
    bool bad = false;
    uint64_t calls = option_size(guest_options, "calls", 2000, &bad);

    state = option_size(guest_options, "seed", 1, &bad) * 0x9E3779B97F4A7C15ull;
    argument_page = new_page();
    for (unsigned i = 0; i < PAGES; i++)
        pages[i] = new_page();
    for (uint64_t i = 0; i < calls; i++)
        one_call();
    check(answers[0] >= calls / 20, "some calls are taken");
    check(answers[XEN_EINVAL] && answers[XEN_EBUSY] && answers[XEN_EFAULT] && answers[XEN_ENOSYS] && answers[XEN_EPERM],
          "others are -EINVAL, -EBUSY, -EFAULT, -ENOSYS, -EPERM");
    check_equal(answers[ERRORS], 0, "no answer is neither a result nor an errno");
    put_back();
    for (unsigned i = 0; i < ERRORS; i++)
        if (answers[i])
            guest_print("# errno %u: %u", i, answers[i]);
    check_end();
}
