/* SPDX-License-Identifier: MIT */
/*
 * A 32-bit paravirtual kernel with PAE, at CPL 1, loaded by its section __xen_guest: what it was given, traps, user
 * code at CPL 3, page tables, descriptors, events; and that nothing it may ask for leads to hv or lets CPL 3 into the
 * kernel.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/pv32/kernel.h"

#define RIGHTS (PTE_P | PTE_W)
#define UD 6
#define GP 13
#define PF 14
#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_USER 4u
#define LANDMARK 0x4C414E44u

/* ELF's symbol: name, value, size, info and section. */
struct symbol {
    uint32_t name, value, size;
    uint8_t info, other;
    uint16_t section;
};
/* A row of section headers. */
struct section {
    uint32_t name, type, flags, address, offset, size, link, info, align, entry_size;
};

extern char kernel_end[], user_code[], user_code_end[];
extern const uint32_t pv32_landmark;
const uint32_t pv32_landmark = LANDMARK;

static bool equal(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static void caught(unsigned vector, uint32_t code, const char *what)
{
    bool holds = seen.vector == vector && seen.code == code;

    check(holds, what);
    if (!holds)
        guest_print("# got vector %lu code %lx cr2 %lx eip %lx", (unsigned long)seen.vector, (unsigned long)seen.code,
                    (unsigned long)seen.cr2, (unsigned long)seen.eip);
}

/* ---- What it was given ----------------------------------------------------------------------------------- */

static void check_start(void)
{
    uint16_t cs, ss;

    __asm__("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
    check(equal(start->magic, "xen-3.0-x86_32p"), "the start information says xen-3.0-x86_32p");
    check(cs == PV32_KERNEL_CS && ss == PV32_KERNEL_DS, "the kernel is at CPL 1 in flat segments");
    check_equal(start->nr_pages, 16u << 8, "it has the 16 MiB of memory=");
    check(frame_of((void *)(uintptr_t)start->pt_base) != 0 && start->nr_pt_frames >= 3, "its tables: L3, L2, L1");
}

/* Behind the kernel: the size word, an ELF header, three sections; a symbol of the kernel's own leads back to it. */
static void check_symbols(void)
{
    const uint32_t *word = (const uint32_t *)(((uintptr_t)kernel_end + 3) & ~3u);
    const char *header = (const char *)(word + 1);
    const struct section *sections = (const struct section *)(header + *(const uint32_t *)(header + 32));
    const struct symbol *symbols = (const struct symbol *)(header + sections[1].offset);
    const char *names = header + sections[2].offset;
    uint32_t found = 0;

    check(*(const uint32_t *)header == 0x464C457F && *(const uint16_t *)(header + 48) == 3,
          "BSD_SYMTAB=yes: an ELF header of three sections lies behind the kernel");
    check(sections[1].type == 2 && sections[1].link == 2 && sections[2].type == 3, "symbols, and their strings");
    check_equal(*word, sections[2].offset + sections[2].size, "the word before says where the strings end");
    for (unsigned i = 0; i < sections[1].size / sizeof(*symbols); i++)
        if (equal(names + symbols[i].name, "pv32_landmark"))
            found = symbols[i].value;
    check(found == (uintptr_t)&pv32_landmark && *(const uint32_t *)found == LANDMARK, "a symbol says where it is");
}

/* ---- Traps ----------------------------------------------------------------------------------------------- */

static void check_traps(void)
{
    uint32_t cr0 = 0;

    TRY("ud2");
    caught(UD, 0, "UD2 traps to the kernel");
    check(seen.cs == PV32_KERNEL_CS, "at CPL 1, its frame says");
    TRY("movl 0xB0000000, %%eax", : : : "eax");
    caught(PF, 0, "an address that is not mapped is #PF");
    check_equal(seen.cr2, 0xB0000000, "with the address in the shared page");
    TRY("int3");
    caught(3, 0, "INT3");
    TRY("int $0x21");
    caught(GP, 0x21 << 3 | 2, "INT of a vector without handler is #GP with its number");
    TRY("movl %%cr0, %0", : "=r"(cr0));
    check(seen.vector == NO_TRAP && (cr0 & 0x80000001) == 0x80000001, "hv reads CR0 for it");
    TRY("lgdt 0xC0101000");
    caught(GP, 0, "LGDT is #GP");
    TRY("syscall", : : : "ecx");
    caught(UD, 0, "SYSCALL is #UD");
    TRY("ljmp $0xE008, $0");
    caught(GP, 0xE008, "hv's 64-bit code is no segment for CPL 1");
}

static bool make_user(void)
{
    char *code = new_page(), *stack = new_page();

    memcpy(code, user_code, (size_t)(user_code_end - user_code));
    user_entry = (uintptr_t)code;
    user_stack = (uintptr_t)stack + PAGE;
    return !map(code, frame_of(code) * PAGE | PTE_P | PTE_U) && !map(stack, frame_of(stack) * PAGE | RIGHTS | PTE_U);
}

static void check_user(void)
{
    check(make_user(), "pages for user code");
    check_equal(to_user(0), 110, "user code at CPL 3 makes a system call by INT 80h: 100 + 2 x 5");
    to_user(1);
    caught(PF, PF_PRESENT | PF_USER, "and may not read the kernel");
    check(seen.cs == PV32_USER_CS && seen.cr2 == 0xC0101000, "its frame says CPL 3, and where");
    to_user(2);
    caught(GP, PV32_HYPERCALL_VECTOR << 3 | 2, "nor make a hypercall");
    to_user(3);
    caught(GP, 0, "nor halt");
    to_user(4);
    caught(GP, PV32_KERNEL_DS & ~3u, "nor load the kernel's selectors");
}

/* ---- Page tables ----------------------------------------------------------------------------------------- */

static void check_tables(void)
{
    uint32_t *page = new_page(), *other = new_page();
    uint64_t l1 = entry_of(page) & PTE_ADDRESS, l3 = frame_of((void *)(uintptr_t)start->pt_base) * PAGE;
    uint64_t mine = frame_of(other) * PAGE;

    *page = 1;
    *other = 2;
    check(!map(page, mine | RIGHTS) && *page == 2, "update_va_mapping puts another frame there");
    check(!write_entry(entry_of(page), frame_of(page) * PAGE | RIGHTS) && *page == 1,
          "mmu_update puts the first one back");
    check(!write_entry(entry_of(page), frame_of(page) * PAGE | PTE_P), "and makes it read-only");
    TRY("movl $7, (%0)", : : "r"(page) : "memory");
    caught(PF, PF_PRESENT | PF_WRITE, "so that a write traps, at CPL 1 too");
    check_equal((uint32_t)map(page, l1 | RIGHTS), (uint32_t)-XEN_EBUSY, "its own L1 cannot be mapped writable");
    check_equal((uint32_t)map(page, l3 | RIGHTS), (uint32_t)-XEN_EBUSY, "nor its L3");
    check(!map(page, l1 | PTE_P), "read-only it can");
    check_equal((uint32_t)map(page, 0x100000 | RIGHTS), (uint32_t)-XEN_EINVAL, "a frame of hv's cannot be mapped");
    check_equal((uint32_t)map(page, 0x100000 | PTE_P), (uint32_t)-XEN_EINVAL, "nor read");
    check_equal((uint32_t)write_entry(l3, mine | PTE_P), (uint32_t)-XEN_EBUSY, "a writable page is no L2");
    check_equal((uint32_t)write_entry(l3, l3 | PTE_P), (uint32_t)-XEN_EBUSY, "an L3 leads to no L3");
    check_equal((uint32_t)write_entry(l1, mine | PTE_P | 1ull << 51), (uint32_t)-XEN_EINVAL,
                "reserved bits stay clear");
    TRY("movl $0, (%0)", : : "r"(start->pt_base) : "memory");
    caught(PF, PF_PRESENT | PF_WRITE, "tables are read-only to the kernel");
    check(!map(page, frame_of(page) * PAGE | RIGHTS), "the page's mapping is what it was");
}

/* A second root, pinned, used and given up. */
static void check_roots(void)
{
    uint64_t *l3 = new_page();
    const uint64_t *first = (const uint64_t *)(uintptr_t)start->pt_base;
    uint32_t frame = (uint32_t)frame_of(l3), old = (uint32_t)frame_of(first);

    memcpy(l3, first, 4 * sizeof(*l3));
    check_equal((uint32_t)extended(MMUEXT_PIN_L3_TABLE, frame, 0), (uint32_t)-XEN_EBUSY, "a writable page is no root");
    check(!map(l3, (uint64_t)frame * PAGE | PTE_P) && !extended(MMUEXT_PIN_L3_TABLE, frame, 0), "read-only it is one");
    check_equal((uint32_t)map(l3, (uint64_t)frame * PAGE | RIGHTS), (uint32_t)-XEN_EBUSY, "and stays so");
    check(!extended(MMUEXT_NEW_BASEPTR, frame, 0) && pv32_landmark == LANDMARK, "the kernel goes on with it");
    check(!extended(MMUEXT_NEW_BASEPTR, old, 0) && !extended(MMUEXT_UNPIN_TABLE, frame, 0) &&
              !map(l3, (uint64_t)frame * PAGE | RIGHTS), "and back; then it is a page again");
    check_equal((uint32_t)extended(MMUEXT_PIN_L4_TABLE, frame, 0), (uint32_t)-XEN_EINVAL, "there is no L4");
    check_equal((uint32_t)extended(MMUEXT_NEW_USER_BASEPTR, frame, 0), (uint32_t)-XEN_EINVAL, "nor a root for users");
}

/* ---- Descriptors ----------------------------------------------------------------------------------------- */

static int32_t use_gdt(uint64_t *gdt, unsigned entries)
{
    uint32_t frame = (uint32_t)frame_of(gdt);
    int32_t error = map(gdt, (uint64_t)frame * PAGE | PTE_P);

    return error ? error : call(HYPERCALL_SET_GDT, (uintptr_t)&frame, entries, 0, 0, 0);
}

static int32_t describe(const uint64_t *at, uint64_t descriptor)
{
    uint64_t address = frame_of(at) * PAGE + (uintptr_t)at % PAGE;

    return call(HYPERCALL_UPDATE_DESCRIPTOR, (uint32_t)address, (uint32_t)(address >> 32), (uint32_t)descriptor,
                (uint32_t)(descriptor >> 32), 0);
}

static void check_descriptors(void)
{
    uint64_t *gdt = new_page();
    uint32_t value = 0;

    gdt[1] = 0xFFCF92FFF000FFFFull; /* data at FFFFF000h, DPL 0 */
    gdt[2] = 0x00AF9A000000FFFFull; /* 64-bit code */
    check_equal((uint32_t)use_gdt(gdt, 512), (uint32_t)-XEN_EINVAL, "a GDT with 64-bit code is refused");
    check(!map(gdt, frame_of(gdt) * PAGE | RIGHTS), "and its page is writable again");
    gdt[2] = 0;
    check(!use_gdt(gdt, 512), "without, it is the GDT");
    check_equal((uint32_t)describe(gdt + 2, 0x00AF9A000000FFFFull), (uint32_t)-XEN_EINVAL,
                "64-bit code does not come later");
    check_equal((uint32_t)describe(gdt + 2, 0xC0108C0000010000ull), (uint32_t)-XEN_EINVAL, "nor a call gate");
    check_equal((uint32_t)describe(gdt + 2, 0x0000890000000067ull), (uint32_t)-XEN_EINVAL, "nor a TSS");
    TRY("movl $9, %%eax; movl %%eax, %%fs; movl %%fs:0x1234, %0", : "=r"(value) : : "eax");
    caught(PF, 0, "an offset beyond 4 GiB wraps: no address leads to hv");
    check_equal(seen.cr2, 0x234, "FFFFF000h + 1234h");
    TRY("movl $0x21, %%eax; movl %%eax, %%fs", : : : "eax");
    caught(GP, 0x20, "a selector of nothing is #GP");
    __asm__ volatile("mov %0, %%fs" : : "r"(9));
    check(!describe(gdt + 1, 0) && failsafes == 1, "a descriptor that goes while FS has it: the failsafe callback");
    check(!describe(gdt + 2, 0x00CFFA000000FFFFull) && gdt[2] == 0x00CFFB000000FFFFull,
          "a descriptor of the kernel's own comes");
}

/* ---- Events ---------------------------------------------------------------------------------------------- */

static void check_events(void)
{
    struct evtchn_bind_ipi bind = { .vcpu = 0 };
    struct evtchn_port port;
    struct pv32_multicall calls[2] = { { .op = HYPERCALL_XEN_VERSION, .result = 1 },
                                       { .op = HYPERCALL_MULTICALL, .result = 1 } };

    check(!call(HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_BIND_IPI, (uintptr_t)&bind, 0, 0, 0) && bind.port,
          "a port for IPIs");
    port.port = bind.port;
    shared->vcpu_info[0].evtchn_upcall_mask = 0;
    check(!call(HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_SEND, (uintptr_t)&port, 0, 0, 0) && events_seen == 1,
          "its event comes");
    check(shared->evtchn_pending[bind.port / 32] == 1u << bind.port % 32 && !shared->vcpu_info[0].evtchn_upcall_mask,
          "pending in 32-bit words, and iret has unmasked");
    shared->evtchn_pending[bind.port / 32] = 0;
    shared->vcpu_info[0].evtchn_pending_sel = 0;
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    call(HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_SEND, (uintptr_t)&port, 0, 0, 0);
    check_equal(events_seen, 1, "masked, it waits");
    call(HYPERCALL_SCHED_OP, SCHEDOP_BLOCK, 0, 0, 0, 0);
    check_equal(events_seen, 2, "until the vCPU blocks, which unmasks");
    check(!call(HYPERCALL_MULTICALL, (uintptr_t)calls, 2, 0, 0, 0) && calls[0].result == 0x40011 &&
              calls[1].result == (uint32_t)-XEN_ENOSYS, "multicall: 4.17, and none within one");
}

static void check_refusals(void)
{
    check_equal((uint32_t)call(HYPERCALL_SET_TRAP_TABLE, 0xB0000000, 0, 0, 0, 0), (uint32_t)-XEN_EFAULT,
                "a bad pointer: EFAULT");
    check_equal((uint32_t)call(HYPERCALL_DOMCTL, 0, 0, 0, 0, 0), (uint32_t)-XEN_ENOSYS, "domctl is not for it");
    check_equal((uint32_t)call(63, 0, 0, 0, 0, 0), (uint32_t)-XEN_ENOSYS, "number 63 is nothing");
}

/* Instead of the checks: what CPUID says at CPL 1 and 3, in the words of workloads/programs/features. */
static void print_features(void)
{
    struct cpuid_result one = cpuid(1, 0), extended_1 = cpuid(0x80000001, 0);

    if (!make_user())
        guest_fail("no user mode");
    guest_print("features native %08x,%08x,%08x,%08x", one.ecx, one.edx, extended_1.ecx, extended_1.edx);
    guest_print("features user %08x,%08x,%08x,%08x", to_user(5), to_user(6), to_user(7), to_user(8));
}

void pv_main(void)
{
    if (option_flag(guest_options, "features", false)) {
        print_features();
        return;
    }
    check_start();
    check_symbols();
    check_traps();
    check_user();
    check_tables();
    check_roots();
    check_descriptors();
    check_events();
    check_refusals();
    check_end();
}
