/* SPDX-License-Identifier: MIT */
/*
 * ping: leaves the guest over and over, for the cost of an exit and for what the TLB keeps across it.
 *
 *     count=N   exits between the marks (1000)
 *     by=vmmcall|cpuid|yield|out|cr3   what causes them: a hypercall that does nothing (xen_version), CPUID,
 *               sched_op yield, OUT to port 80h, or a CR3 write (an exit only if hv has npt_cr3w=1)
 *     pages=N   pages of 4 KiB touched before each exit (0)
 *     tag=N     write it into each page first, and look each time whether it is still there (0: only touch)
 */
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/vcpu.h"

#define AREA 0x800000u
#define PAGE 4096u
#define PORT_POST 0x80
#define HYPERCALL_XEN_VERSION 17

enum cause { BY_VMMCALL, BY_CPUID, BY_YIELD, BY_OUT, BY_CR3, CAUSES };

static const char *const cause_names[CAUSES] = { "vmmcall", "cpuid", "yield", "out", "cr3" };

static enum cause read_cause(void)
{
    char text[8] = "vmmcall";

    option_text(guest_options, "by", text, sizeof(text));
    for (unsigned i = 0; i < CAUSES; i++) {
        const char *a = cause_names[i], *b = text;

        while (*a && *a == *b) {
            a++;
            b++;
        }
        if (*a == *b)
            return (enum cause)i;
    }
    guest_fail("ping: by= must be vmmcall, cpuid, yield, out or cr3");
}

static uint32_t number(const char *name, uint32_t fallback)
{
    bool bad = false;
    uint64_t value = option_size(guest_options, name, fallback, &bad);

    if (bad || value > UINT32_MAX)
        guest_fail("ping: %s= wants a number", name);
    return (uint32_t)value;
}

static void leave(enum cause cause)
{
    switch (cause) {
    case BY_VMMCALL:
        hypercall3(HYPERCALL_XEN_VERSION, 0, 0, 0);
        break;
    case BY_CPUID:
        cpuid(0, 0);
        break;
    case BY_YIELD:
        vcpu_yield();
        break;
    case BY_OUT:
        port_write8(PORT_POST, 0);
        break;
    default:
        cr3_write(cr3_read());
        break;
    }
}

static inline volatile uint32_t *word_of(uint32_t page)
{
    return (volatile uint32_t *)(uintptr_t)(AREA + page * PAGE);
}

void guest_main(void)
{
    uint32_t count = number("count", 1000), pages = number("pages", 0);
    uint32_t tag = number("tag", 0);
    enum cause cause = read_cause();

    if (AREA + (uint64_t)pages * PAGE > guest_memory_end)
        guest_fail("ping: pages= exceeds the memory");
    if (!guest_under_hv && (cause == BY_VMMCALL || cause == BY_YIELD))
        guest_fail("ping: by=%s needs hv below", cause_names[cause]);
    for (uint32_t page = 0; tag && page < pages; page++)
        *word_of(page) = tag;
    guest_mark(MARK_BEGIN, count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t page = 0; page < pages; page++)
            if (*word_of(page) != tag && tag)
                guest_fail("ping: page %u holds %u, not %u: another guest's", page, *word_of(page), tag);
        leave(cause);
    }
    guest_mark(MARK_END, count);
    guest_print("ping: %u exits by %s", count, cause_names[cause]);
    guest_exit(count);
}
