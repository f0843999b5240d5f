/* SPDX-License-Identifier: MIT */
/*
 * A paravirtual kernel that lets itself be moved: it keeps its list of frames where hv finds it, binds VIRQ_SUSPEND,
 * and suspends when that comes. Its data are numbers whose sum can be computed elsewhere; it reads them over and over
 * through two mappings, uses a segment of its own GDT, and a second vCPU counts. Each time that it goes on after a
 * suspension it says what it has: the sum, and the machine frames of each kind of page that it uses.
 */
#include "hv/core/options.h"
#include "workloads/pv64/kernel.h"

#define DATA_PAGES 16
#define WORDS 512
#define MULTIPLIER 0x9E3779B97F4A7C15ull
#define ALIAS 0x10000000ull   /* the second mapping, with tables of its own */
#define OWN_SELECTOR 0x000B   /* GDT entry 1 */
#define OWN_LIMIT 0x12345u
#define SUSPEND_HERE 1        /* what the call returns in the same domain */

extern char second_stack_end[], pv_second_start[];

static uint64_t *data, *gdt, *list, *list_list, *alias_l3, *alias_l2, *alias_l1;
static char record[64] __attribute__((aligned(64)));
static volatile bool suspend_wanted;
static volatile uint64_t second_count;
static unsigned resumes, moves;
static char lie[8];

static uint64_t machine(const void *page)
{
    return frame_of(page) * PAGE;
}

static void must(int64_t result, const char *what)
{
    if (result)
        guest_fail("%s: %ld", what, (long)result);
}

/* ---- What it has ----------------------------------------------------------------------------------------- */

static void make_data(void)
{
    data = new_page();
    for (unsigned page = 1; page < DATA_PAGES; page++)
        new_page();
    for (uint64_t i = 0; i < DATA_PAGES * WORDS; i++)
        data[i] = (i + 1) * MULTIPLIER;
}

static void make_read_only(void *page)
{
    must(map(page, machine(page) | RO), "a page read-only");
}

/* Tables of its own for a read-only view of the data. */
static void make_alias(void)
{
    alias_l3 = new_page();
    alias_l2 = new_page();
    alias_l1 = new_page();
    for (unsigned page = 0; page < DATA_PAGES; page++)
        alias_l1[page] = machine(data + page * WORDS) | RO | PTE_NX;
    alias_l2[ALIAS >> 21 & 511] = machine(alias_l1) | RW;
    make_read_only(alias_l1);
    make_read_only(alias_l2);
    /* The builder's L3 covers it: VIRT_BASE and ALIAS are in the same 512 GiB. */
    must(extended(MMUEXT_PIN_L1_TABLE + 1, frame_of(alias_l2), 0), "pin an L2");
    must(write_entry((((uint64_t *)start->pt_base)[0] & PTE_ADDRESS) + (ALIAS >> 30) * 8, machine(alias_l2) | RW),
         "an L3 entry");
}

static void make_gdt(void)
{
    uint64_t frame;

    gdt = new_page();
    gdt[1] = 0x0000F30000000000ull | (OWN_LIMIT & 0xFFFF) | (uint64_t)(OWN_LIMIT >> 16) << 48;
    make_read_only(gdt);
    frame = frame_of(gdt);
    must(CALL(HYPERCALL_SET_GDT, &frame, 8), "set_gdt");
    __asm__ volatile("movl %0, %%fs" : : "r"(OWN_SELECTOR));
}

/* lie=: a list that would have hv write into a page table or into memory of hv's, or that is too short. */
static void tell_lie(void)
{
    switch (lie[0]) {
    case 't':
        list[0] = frame_of(alias_l1);
        break;
    case 'r':
        shared->pfn_to_mfn_frame_list_list = frame_of((void *)start->pt_base);
        break;
    case 'h':
        list_list[0] = 0x100;
        break;
    case 's':
        shared->max_pfn = 16;
        break;
    default:
        break;
    }
}

/* Where whoever moves it finds its list: what Linux does in xen_setup_mfn_list_list. */
static void publish_list(void)
{
    for (uint64_t page = 0; page < start->nr_p2m_frames; page++)
        list[page] = frame_of((const void *)(start->mfn_list + page * PAGE));
    list_list[0] = frame_of(list);
    shared->pfn_to_mfn_frame_list_list = frame_of(list_list);
    shared->max_pfn = start->nr_pages;
    tell_lie();
}

/* ---- Suspending ------------------------------------------------------------------------------------------ */

static void wanted(void)
{
    uint64_t *pending = shared->evtchn_pending;

    pending[0] = 0;
    shared->vcpu_info[0].evtchn_pending_sel = 0;
    suspend_wanted = true;
}

static void bind(void)
{
    struct evtchn_bind_virq op = { VIRQ_SUSPEND, 0, 0 };

    must(CALL(HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_BIND_VIRQ, &op), "bind VIRQ_SUSPEND");
    shared->evtchn_mask[op.port / 64] &= ~(1ull << op.port % 64);
    shared->vcpu_info[0].evtchn_upcall_mask = 0;
}

/* hv writes the second vCPU's clock there. */
static void register_record(void)
{
    struct vcpu_register_info op = { .gfn = frame_of((void *)((uintptr_t)record & ~(PAGE - 1))),
                                     .offset = (uint32_t)((uintptr_t)record % PAGE) };

    must(CALL(HYPERCALL_VCPU_OP, VCPUOP_REGISTER_VCPU_INFO, 1, &op), "register_vcpu_info");
}

/* Nothing of hv's is mapped meanwhile: that frame is none of its own. */
static void suspend(void)
{
    struct sched_shutdown op = { SHUTDOWN_SUSPEND };
    int64_t result;

    suspend_wanted = false;
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    must(map(shared, machine(shared) | RW), "unmap the shared page");
    result = CALL(HYPERCALL_SCHED_OP, SCHEDOP_SHUTDOWN, &op, frame_of(start));
    must(map(shared, start->shared_info | RW), "map the shared page");
    publish_list();
    resumes++;
    if (result == SUSPEND_HERE) {
        shared->vcpu_info[0].evtchn_upcall_mask = 0;
        return;
    }
    must(result, "suspend");
    moves++;
    bind();
    register_record();
}

/* ---- The work -------------------------------------------------------------------------------------------- */

static uint64_t sum_of(const volatile uint64_t *words)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < DATA_PAGES * WORDS; i++)
        sum += words[i];
    return sum;
}

static uint64_t own_limit(void)
{
    uint64_t limit = 0;

    __asm__("lsl %1, %0" : "+r"(limit) : "r"((uint64_t)OWN_SELECTOR));
    return limit;
}

/* An entry that the table gets now must be one that the processor finds. */
static void use_entry(const uint64_t *table, unsigned index, uint64_t entry, const volatile uint64_t *view)
{
    uint64_t at = machine(table) + index * 8, was = table[index];

    must(write_entry(at, entry), "a new entry");
    if (*view != data[0])
        guest_fail("a new entry of a table leads elsewhere");
    must(write_entry(at, was), "the entry as it was");
}

/* What it has is what the processor uses: changes arrive. A frame that only looks right keeps its old contents. */
static void use_what_it_has(void)
{
    const uint64_t *root = (const uint64_t *)start->pt_base;
    uint64_t l3 = root[0], limit = 0;

    data[0]++;
    if (*(volatile uint64_t *)ALIAS != data[0])
        guest_fail("the second mapping has another page");
    data[0]--;
    use_entry(alias_l1, DATA_PAGES, machine(data) | RO, (uint64_t *)(ALIAS + DATA_PAGES * PAGE));
    use_entry(alias_l2, (ALIAS >> 21 & 511) + 1, machine(alias_l1) | RW, (uint64_t *)(ALIAS + (1ull << 21)));
    use_entry(root, 1, l3, (uint64_t *)(ALIAS + (1ull << 39)));
    must(CALL(HYPERCALL_UPDATE_DESCRIPTOR, machine(gdt) + 16, gdt[1] + resumes), "a descriptor");
    __asm__("lsl %1, %0" : "+r"(limit) : "r"((uint64_t)OWN_SELECTOR + 8));
    if (limit != OWN_LIMIT + resumes)
        guest_fail("its GDT is another page");
}

static void say_what_it_has(void)
{
    uint64_t counted = second_count;

    use_what_it_has();
    while (second_count == counted)
        __asm__ volatile("pause");
    guest_print("has resumes=%u moves=%u sum=%lx limit=%lx", resumes, moves, (unsigned long)sum_of(data),
                (unsigned long)own_limit());
    guest_print("frames data=%lx l1=%lx l2=%lx root=%lx", (unsigned long)frame_of(data),
                (unsigned long)frame_of(alias_l1), (unsigned long)frame_of(alias_l2),
                (unsigned long)frame_of((void *)start->pt_base));
    guest_print("frames gdt=%lx p2m=%lx list=%lx lists=%lx", (unsigned long)frame_of(gdt),
                (unsigned long)frame_of((void *)start->mfn_list), (unsigned long)frame_of(list),
                (unsigned long)frame_of(list_list));
    guest_print("frames start=%lx text=%lx record=%lx end", (unsigned long)frame_of(start),
                (unsigned long)frame_of((void *)((uintptr_t)pv_second_start & ~(PAGE - 1))),
                (unsigned long)frame_of((void *)((uintptr_t)record & ~(PAGE - 1))));
}

void pv_second(unsigned id)
{
    (void)id;
    for (;;)
        second_count++;
}

static void start_second(void)
{
    static struct pv_vcpu_context context;

    context.flags = VGCF_IN_KERNEL;
    context.user_regs = (struct pv_user_regs){ .rip = (uintptr_t)pv_second_start, .rdi = 1, .cs = PV_FLAT_CS64,
                                               .ss = PV_FLAT_DS, .rsp = (uintptr_t)second_stack_end };
    context.kernel_ss = PV_FLAT_DS;
    context.kernel_sp = (uintptr_t)second_stack_end;
    context.ctrlreg[3] = machine((void *)start->pt_base);
    must(CALL(HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, 1, &context), "a second vCPU");
    must(CALL(HYPERCALL_VCPU_OP, VCPUOP_UP, 1, 0), "its start");
}

void pv_main(void)
{
    bool refuses = option_flag(guest_options, "deaf", false);
    uint64_t sum;

    option_text(guest_options, "lie", lie, sizeof(lie));
    list = new_page();
    list_list = new_page();
    make_data();
    make_alias();
    make_gdt();
    start_second();
    register_record();
    publish_list();
    sum = sum_of(data);
    on_event = wanted;
    bind();
    say_what_it_has();
    for (unsigned round = 0;; round++) {
        unsigned before = resumes;

        if (sum_of(round % 2 ? data : (const uint64_t *)ALIAS) != sum)
            guest_fail("the sum is wrong");
        if (own_limit() != OWN_LIMIT)
            guest_fail("the segment is wrong");
        if (suspend_wanted && !refuses)
            suspend();
        if (resumes != before)
            say_what_it_has();
    }
}
