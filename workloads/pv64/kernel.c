/* SPDX-License-Identifier: MIT */
#include "workloads/pv64/kernel.h"

#define TRAPS 20
#define FLAG_MASKS 4

/* What start.S leaves on the stack. */
struct frame {
    uint64_t r15, r14, r13, r12, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rax;
    uint64_t vector, rcx, r11;
    uint64_t rest[]; /* an error code for some vectors; RIP, CS, RFLAGS, RSP, SS */
};

struct pv_start_info *start;
struct shared_info_64 *shared;
volatile struct seen seen;
volatile uint64_t fixup_from, fixup_to, fixup_count;
volatile uint64_t trap_resume, events_seen, nmis_seen;
void (*volatile on_event)(void);
void (*volatile on_nmi)(void);
bool guest_under_hv;
void (*volatile on_machine_check)(void);
uint64_t (*volatile on_syscall)(uint64_t number, uint64_t a, uint64_t b);
const char *guest_options = "";

extern char pv_trap_stubs[];
static char shared_page[4096] __attribute__((aligned(4096)));
static struct pv_trap_info traps[TRAPS + 3];
static uint64_t next_free;

void pv_begin(struct pv_start_info *info);
void pv_trap(struct frame *frame, int has_code);
void pv_from_user(void);

/* ---- Console and end ------------------------------------------------------------------------------------- */

static void put_line(const char *line)
{
    unsigned length = 0;

    while (line[length])
        length++;
    CALL(HYPERCALL_CONSOLE_IO, CONSOLEIO_WRITE, length, line);
    CALL(HYPERCALL_CONSOLE_IO, CONSOLEIO_WRITE, 1, "\n");
}

void guest_print(const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    put_line(line);
}

static void shut_down(uint32_t reason)
{
    struct sched_shutdown op = { reason };

    for (;;)
        CALL(HYPERCALL_SCHED_OP, SCHEDOP_SHUTDOWN, &op);
}

void guest_fail(const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    put_line(line);
    shut_down(SHUTDOWN_CRASH);
    __builtin_unreachable();
}

void guest_exit(uint32_t result)
{
    (void)result;
    shut_down(SHUTDOWN_POWEROFF);
    __builtin_unreachable();
}

/* ---- Traps ----------------------------------------------------------------------------------------------- */

uint64_t pv_stub(unsigned vector)
{
    return (uintptr_t)pv_trap_stubs + 16 * vector;
}

static uint64_t cr2(void)
{
    return shared->vcpu_info[0].arch_cr2;
}

static void system_call(struct frame *frame, uint64_t *high)
{
    if (frame->rax == 101) { /* back to whoever called pv_to_user; the frame is not needed any more */
        high[0] = (uintptr_t)pv_from_user;
        high[1] = PV_FLAT_CS64 & ~3;
        return;
    }
    frame->rax = on_syscall ? on_syscall(frame->rax, frame->rdi, frame->rsi) : ~0ull;
}

static void caught(const struct frame *frame, uint64_t *high, bool has_code)
{
    if (frame->vector == 14 && high[0] == fixup_from) {
        high[0] = fixup_to;
        fixup_count++;
        return;
    }
    seen.vector = frame->vector;
    seen.code = has_code ? frame->rest[0] : 0;
    seen.cr2 = cr2();
    seen.rip = high[0];
    seen.cs = high[1] & 0xFFFF;
    seen.rflags = high[2];
    seen.user = (high[1] & 3) == 3;
    if (seen.user) { /* end of the user code's run */
        high[0] = (uintptr_t)pv_from_user;
        high[1] = PV_FLAT_CS64 & ~3;
    } else if (trap_resume) {
        high[0] = trap_resume;
    } else {
        guest_fail("trap %lu at %lx code %lx cr2 %lx", (unsigned long)frame->vector, (unsigned long)high[0],
                   (unsigned long)seen.code, (unsigned long)seen.cr2);
    }
    high[2] &= ~0x100ull; /* RFLAGS.TF */
    trap_resume = 0;
}

void pv_trap(struct frame *frame, int has_code)
{
    uint64_t *high = &frame->rest[has_code];

    switch (frame->vector) {
    case VECTOR_EVENT:
        events_seen++;
        shared->vcpu_info[0].evtchn_upcall_pending = 0;
        if (on_event)
            on_event();
        return;
    case VECTOR_SYSCALL:
        system_call(frame, high);
        return;
    case 2:
        nmis_seen++;
        if (on_nmi)
            on_nmi();
        return;
    case 18:
        if (!on_machine_check)
            caught(frame, high, has_code);
        else
            on_machine_check();
        return;
    default:
        caught(frame, high, has_code);
    }
}

const struct pv_trap_info *pv_traps(void)
{
    unsigned n = 0;

    for (unsigned vector = 0; vector < TRAPS; vector++)
        traps[n++] = (struct pv_trap_info){ .vector = (uint8_t)vector, .flags = vector == 3 || vector == 4 ? 3 : 0,
                                            .cs = PV_FLAT_CS64, .address = pv_stub(vector) };
    traps[n++] = (struct pv_trap_info){ .vector = 0x80, .flags = 3 | FLAG_MASKS, .cs = PV_FLAT_CS64,
                                        .address = pv_stub(0x80) };
    traps[n++] = (struct pv_trap_info){ .vector = 0x81, .flags = 0, .cs = PV_FLAT_CS64, .address = pv_stub(0x81) };
    traps[n] = (struct pv_trap_info){ .address = 0 };
    return traps;
}

/* ---- Memory ---------------------------------------------------------------------------------------------- */

uint64_t frame_of(const void *page)
{
    return ((const uint64_t *)start->mfn_list)[((uintptr_t)page - PV_VIRT_BASE) / PAGE];
}

/* The first tables' pages lie in a row; an entry's address says which machine frame, M2P says which page that is. */
static uint64_t *page_at(uint64_t entry)
{
    const uint64_t *m2p = (const uint64_t *)PV_M2P_START;

    return (uint64_t *)(PV_VIRT_BASE + m2p[(entry & PTE_ADDRESS) / PAGE] * PAGE);
}

uint64_t entry_of(const void *page)
{
    const uint64_t *table = (const uint64_t *)start->pt_base;
    uint64_t at = (uintptr_t)page, frame = frame_of(table);

    for (unsigned shift = 39; shift > 12; shift -= 9) {
        frame = (table[at >> shift & 511] & PTE_ADDRESS) / PAGE;
        table = page_at(table[at >> shift & 511]);
    }
    return frame * PAGE + (at >> 12 & 511) * 8;
}

/* From the end of what the builder has mapped. */
void *new_page(void)
{
    void *page;

    if (!next_free)
        next_free = (start->pt_base + (start->nr_pt_frames + 2) * PAGE);
    page = (void *)next_free;
    next_free += PAGE;
    memset(page, 0, PAGE);
    return page;
}

int64_t write_entry(uint64_t address, uint64_t value)
{
    struct pv_mmu_update op = { address, value };

    return CALL(HYPERCALL_MMU_UPDATE, &op, 1, 0, DOMID_SELF);
}

int64_t map(const void *page, uint64_t entry)
{
    return CALL(HYPERCALL_UPDATE_VA_MAPPING, page, entry, UVMF_INVLPG);
}

int64_t extended(uint32_t command, uint64_t arg1, uint64_t arg2)
{
    struct pv_mmuext op = { .command = command, .arg1 = arg1, .arg2 = arg2 };

    return CALL(HYPERCALL_MMUEXT_OP, &op, 1, 0, DOMID_SELF);
}

uint64_t pv_user_tables(const char *code, size_t bytes, void *stack)
{
    uint64_t *l4 = new_page(), *l3 = new_page(), *l2 = new_page(), *l1 = new_page();
    uint64_t *const tables[] = { l4, l3, l2, l1 };
    char *text = new_page();

    memcpy(text, code, bytes);
    l4[0] = frame_of(l3) * PAGE | RW;
    l3[0] = frame_of(l2) * PAGE | RW;
    l2[USER_TEXT >> 21] = frame_of(l1) * PAGE | RW;
    l1[0] = frame_of(text) * PAGE | RO;
    l1[1] = frame_of(stack) * PAGE | RW;
    for (unsigned i = 0; i < 4; i++)
        map(tables[i], frame_of(tables[i]) * PAGE | RO);
    return frame_of(l4);
}

/* ---------------------------------------------------------------------------------------------------------- */

__attribute__((weak)) void pv_second(unsigned id)
{
    guest_fail("vCPU %u has nothing to do", id);
}

void pv_begin(struct pv_start_info *info)
{
    start = info;
    guest_options = start->cmd_line;
    if (CALL(HYPERCALL_SET_TRAP_TABLE, pv_traps()) ||
        CALL(HYPERCALL_SET_CALLBACKS, pv_stub(VECTOR_EVENT), pv_failsafe, pv_stub(VECTOR_SYSCALL)))
        shut_down(SHUTDOWN_CRASH);
    shared = (struct shared_info_64 *)shared_page;
    if (map(shared_page, start->shared_info | RW))
        guest_fail("the shared page cannot be mapped");
    pv_main();
    guest_exit(0);
}
