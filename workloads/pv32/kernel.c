/* SPDX-License-Identifier: MIT */
#include "workloads/pv32/kernel.h"

#define TRAPS 20
#define FLAG_MASKS 4

/* What start.S leaves on the stack; esp and ss only if the trap came from CPL 3. */
struct frame {
    uint32_t es, ds, edi, esi, ebp, ignored, ebx, edx, ecx, eax, vector, code, eip, cs, eflags, esp, ss;
};

struct pv32_start_info *start;
struct shared_info_32 *shared;
volatile struct seen seen;
volatile uint32_t trap_resume, events_seen;
const char *guest_options = "";

extern char pv32_stubs[], pv32_failsafe[], from_user[];
static char shared_page[PAGE] __attribute__((aligned(4096)));
static char trap_stack[4 * PAGE] __attribute__((aligned(16)));
static struct pv32_trap_info traps[TRAPS + 2];
static uintptr_t next_free;

void pv32_begin(struct pv32_start_info *info);
void pv32_trap(struct frame *frame);

/* ---- Console and end ------------------------------------------------------------------------------------- */

void guest_print(const char *format, ...)
{
    char line[160];
    unsigned length = 0;
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    while (line[length])
        length++;
    call(HYPERCALL_CONSOLE_IO, CONSOLEIO_WRITE, length, (uintptr_t)line, 0, 0);
    call(HYPERCALL_CONSOLE_IO, CONSOLEIO_WRITE, 1, (uintptr_t)"\n", 0, 0);
}

static void __attribute__((noreturn)) shut_down(uint32_t reason)
{
    struct sched_shutdown op = { reason };

    for (;;)
        call(HYPERCALL_SCHED_OP, SCHEDOP_SHUTDOWN, (uintptr_t)&op, 0, 0, 0);
}

void guest_fail(const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    guest_print("%s", line);
    shut_down(SHUTDOWN_CRASH);
}

void guest_exit(uint32_t result)
{
    (void)result;
    shut_down(SHUTDOWN_POWEROFF);
}

/* ---- Traps ----------------------------------------------------------------------------------------------- */

static void end_user(struct frame *frame, uint32_t result)
{
    frame->eip = (uintptr_t)from_user;
    frame->cs = PV32_KERNEL_CS;
    frame->eax = result;
}

static void caught(struct frame *frame)
{
    seen = (struct seen){ frame->vector, frame->code, shared->vcpu_info[0].arch_cr2, frame->eip, frame->cs & 0xFFFF,
                          frame->eflags };
    if ((frame->cs & 3) == 3)
        end_user(frame, 0);
    else if (trap_resume)
        frame->eip = trap_resume;
    else
        guest_fail("trap %lu at %lx code %lx cr2 %lx", (unsigned long)frame->vector, (unsigned long)frame->eip,
                   (unsigned long)frame->code, (unsigned long)seen.cr2);
    trap_resume = 0;
}

void pv32_trap(struct frame *frame)
{
    switch (frame->vector) {
    case VECTOR_EVENT:
        events_seen++;
        shared->vcpu_info[0].evtchn_upcall_pending = 0;
        return;
    case 0x80:
        if (frame->eax == 101)
            end_user(frame, frame->ebx);
        else
            frame->eax = frame->ebx * 2 + frame->eax;
        return;
    default:
        caught(frame);
    }
}

static uint32_t stub(unsigned vector)
{
    return (uintptr_t)pv32_stubs + 16 * vector;
}

static void set_traps(void)
{
    unsigned n = 0;

    for (unsigned vector = 0; vector < TRAPS; vector++)
        traps[n++] = (struct pv32_trap_info){ (uint8_t)vector, vector == 3 || vector == 4 ? 3 : 0, PV32_KERNEL_CS,
                                              stub(vector) };
    traps[n++] = (struct pv32_trap_info){ 0x80, 3 | FLAG_MASKS, PV32_KERNEL_CS, stub(0x80) };
    traps[n] = (struct pv32_trap_info){ 0 };
    if (call(HYPERCALL_SET_TRAP_TABLE, (uintptr_t)traps, 0, 0, 0, 0) ||
        call(HYPERCALL_SET_CALLBACKS, PV32_KERNEL_CS, stub(VECTOR_EVENT), PV32_KERNEL_CS, (uintptr_t)pv32_failsafe,
             0) ||
        call(HYPERCALL_STACK_SWITCH, PV32_KERNEL_DS, (uintptr_t)(trap_stack + sizeof(trap_stack)), 0, 0, 0))
        shut_down(SHUTDOWN_CRASH);
}

/* ---- Memory ---------------------------------------------------------------------------------------------- */

uint64_t frame_of(const void *page)
{
    return ((const uint32_t *)(uintptr_t)start->mfn_list)[((uintptr_t)page - VIRT_BASE) / PAGE];
}

/* The first tables lie in a row. */
static const uint64_t *table_of(uint64_t entry)
{
    for (unsigned i = 0; i < start->nr_pt_frames; i++) {
        const void *table = (const void *)(uintptr_t)(start->pt_base + i * PAGE);

        if (frame_of(table) == (entry & PTE_ADDRESS) / PAGE)
            return table;
    }
    guest_fail("a table that is none of the first ones");
}

uint64_t entry_of(const void *page)
{
    uintptr_t at = (uintptr_t)page;
    const uint64_t *table = (const uint64_t *)(uintptr_t)start->pt_base;
    uint64_t l2 = table[at >> 30];

    return (table_of(l2)[at >> 21 & 511] & PTE_ADDRESS) + (at >> 12 & 511) * 8;
}

/* From the end of what the builder has used. */
void *new_page(void)
{
    void *page;

    if (!next_free)
        next_free = start->pt_base + (start->nr_pt_frames + 2) * PAGE;
    page = (void *)next_free;
    next_free += PAGE;
    memset(page, 0, PAGE);
    return page;
}

int32_t write_entry(uint64_t address, uint64_t value)
{
    struct pv_mmu_update op = { address, value };

    return call(HYPERCALL_MMU_UPDATE, (uintptr_t)&op, 1, 0, DOMID_SELF, 0);
}

int32_t map(const void *page, uint64_t entry)
{
    return call(HYPERCALL_UPDATE_VA_MAPPING, (uintptr_t)page, (uint32_t)entry, (uint32_t)(entry >> 32), UVMF_INVLPG, 0);
}

int32_t extended(uint32_t command, uint32_t arg1, uint32_t arg2)
{
    struct pv32_mmuext op = { command, arg1, arg2 };

    return call(HYPERCALL_MMUEXT_OP, (uintptr_t)&op, 1, 0, DOMID_SELF, 0);
}

/* ---------------------------------------------------------------------------------------------------------- */

void pv32_begin(struct pv32_start_info *info)
{
    start = info;
    guest_options = start->cmd_line;
    set_traps();
    shared = (struct shared_info_32 *)shared_page;
    if (map(shared_page, start->shared_info | PTE_P | PTE_W))
        guest_fail("the shared page cannot be mapped");
    pv_main();
    guest_exit(0);
}
