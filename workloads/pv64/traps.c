/* SPDX-License-Identifier: MIT */
/*
 * How a paravirtual kernel comes to its traps: exceptions of its own and of its user code, INT n by the trap table,
 * system calls, events, timers, NMIs by priority; what it may do of what wants CPL 0; and a second vCPU.
 */
#include "workloads/lib/check.h"
#include "workloads/pv64/kernel.h"

#define MSR_FS_BASE 0xC0000100
#define MSR_EFER 0xC0000080
#define MS 1000000ull

extern char user_code[], user_code_end[], second_stack_end[], kernel_stack_end[], pv_second_start[];

static volatile uint32_t second_seen, second_port;
static volatile uint64_t second_traps;

static uint64_t machine(const void *page)
{
    return frame_of(page) * PAGE;
}

/* ---- The kernel's own exceptions ------------------------------------------------------------------------- */

static void test_exceptions(void)
{
    uint64_t cs, ss;

    __asm__ volatile("movq %%cs, %0; movq %%ss, %1" : "=r"(cs), "=r"(ss));
    check_equal(cs, PV_FLAT_CS64, "the kernel runs at CPL 3 in the flat 64-bit segment");
    check_equal(ss, PV_FLAT_DS, "with the flat stack segment");
    TRY("ud2");
    check_equal(seen.vector, 6, "UD2 is trap 6");
    check_equal(seen.cs & 3, 0, "from the kernel: RPL 0 in the frame's CS");
    TRY("int3");
    check_equal(seen.vector, 3, "INT3 is trap 3");
    TRY("xorl %%ecx, %%ecx; divl %%ecx", : : : "rax", "rcx", "rdx");
    check_equal(seen.vector, 0, "division by zero is trap 0");
    TRY("movq (%0), %%rax", : : "r"(0x123456789000ull) : "rax", "memory");
    check_equal(seen.vector, 14, "a read of nothing is trap 14");
    check_equal(seen.code, 0, "code 0: not present, read, not user");
    check_equal(seen.cr2, 0x123456789000ull, "arch.cr2 has the address");
    TRY("movq (%0), %%rax", : : "r"(1ull << 63) : "rax", "memory");
    check_equal(seen.vector, 13, "a non-canonical address is trap 13");
    check_equal(seen.code, 0, "code 0");
    TRY("int $0x80");
    check_equal(seen.vector, 0x80, "INT 80h comes by the trap table: DPL 3");
    TRY("int $0x81");
    check_equal(seen.vector, 13, "INT 81h, DPL 0, is trap 13");
    check_equal(seen.code, 0x81 << 3 | 2, "with the vector and the IDT bit");
    TRY("int $0x90");
    check_equal(seen.vector, 13, "INT n without an entry is trap 13");
    TRY("vmmcall");
    check_equal(seen.vector, 6, "VMMCALL is trap 6: this is no HVM guest");
    TRY("movq %0, %%rax; vmrun %%rax", : : "r"(0x1000ull) : "rax", "memory");
    check_equal(seen.vector, 13, "VMRUN is trap 13");
    TRY("lgdt (%0)", : : "r"(&seen) : "memory");
    check_equal(seen.vector, 13, "LGDT is trap 13");
}

/* ---- What hv carries out for it -------------------------------------------------------------------------- */

static struct cpuid_pair {
    uint32_t eax, ebx, ecx, edx;
} forced_cpuid(uint32_t leaf)
{
    struct cpuid_pair r;

    __asm__ volatile("ud2; .ascii \"xen\"; cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(0));
    return r;
}

static struct cpuid_pair raw_cpuid(uint32_t leaf)
{
    struct cpuid_pair r;

    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(0));
    return r;
}

static void test_privileged(void)
{
    struct cpuid_pair xen = forced_cpuid(0x40000000), one = forced_cpuid(1), raw = raw_cpuid(1);
    uint64_t cr0, cr4, value;
    uint32_t low, high;

    check(xen.ebx == 0x566E6558 && xen.ecx == 0x65584D4D && xen.edx == 0x4D4D566E, "forced CPUID: XenVMMXenVMM");
    check(one.ecx >> 31 && !(raw.ecx >> 31), "forced CPUID tells of a hypervisor, the processor's own does not");
    check(raw.edx & (1u << 13) && !(one.edx & (1u << 13)), "PGE is the processor's and not the guest's");
    __asm__ volatile("movq %%cr0, %0; movq %%cr4, %1" : "=r"(cr0), "=r"(cr4));
    check_equal(cr0, 0x80050033, "CR0 reads: PG AM WP NE ET MP PE");
    check(cr4 & 0x20, "CR4 reads: PAE");
    TRY("movq %0, %%cr0", : : "r"(cr0 & ~(1ull << 31)));
    check_equal(seen.vector, 13, "paging cannot be switched off");
    TRY("movq %0, %%cr4", : : "r"(cr4 & ~0x20ull));
    check_equal(seen.vector, 13, "nor PAE");
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
    check_equal(low, 0xD01, "EFER reads: NXE LMA LME SCE");
    __asm__ volatile("wrmsr" : : "c"(MSR_FS_BASE), "a"(0x1000), "d"(1));
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_FS_BASE));
    check_equal((uint64_t)high << 32 | low, 0x100001000ull, "FS.base is written and read by MSR");
    check_equal(CALL(HYPERCALL_SET_SEGMENT_BASE, SEGBASE_FS, 0), 0, "and by set_segment_base");
    TRY("wrmsr", : : "c"(MSR_FS_BASE), "a"(0), "d"(0x80000000u));
    check_equal(seen.vector, 13, "a base that is not canonical is trap 13");
    check_equal(CALL(HYPERCALL_SET_SEGMENT_BASE, SEGBASE_GS_USER, 1ull << 62), -XEN_EINVAL, "or -EINVAL");
    TRY("rdmsr", : : "c"(0x12345678) : "rax", "rdx");
    check_equal(seen.vector, 13, "an unknown MSR is trap 13");
    TRY("wrmsr", : : "c"(0xC0010117), "a"(0), "d"(0));
    check_equal(seen.vector, 13, "and so is a write of VM_HSAVE_PA");
    TRY("inb $0x80, %%al", : : : "rax");
    check_equal(seen.vector, 13, "IN without I/O privilege is trap 13");
    {
        uint32_t iopl = 1;

        check_equal(CALL(HYPERCALL_PHYSDEV_OP, PHYSDEVOP_SET_IOPL, &iopl), 0, "set_iopl 1");
        value = 0;
        TRY("inb $0x80, %%al", : "+a"(value));
        check(seen.vector == NO_TRAP && value == 0xFF, "now it reads ones");
        TRY("cli; sti; wbinvd");
        check_equal(seen.vector, NO_TRAP, "CLI, STI and WBINVD do nothing");
        iopl = 0;
        CALL(HYPERCALL_PHYSDEV_OP, PHYSDEVOP_SET_IOPL, &iopl);
    }
}

static void test_fpu(void)
{
    uint64_t value = 0;

    check_equal(CALL(HYPERCALL_FPU_TASKSWITCH, 1), 0, "fpu_taskswitch sets TS");
    TRY("movq %0, %%xmm0", : : "r"(7ull));
    check_equal(seen.vector, 7, "the next SSE instruction is trap 7");
    TRY("movq %0, %%xmm0", : : "r"(7ull));
    check_equal(seen.vector, NO_TRAP, "which has cleared TS");
    CALL(HYPERCALL_SCHED_OP, SCHEDOP_YIELD, 0);
    __asm__ volatile("movq %%xmm0, %0" : "=r"(value));
    check_equal(value, 7, "XMM0 is still there after others have run");
    CALL(HYPERCALL_FPU_TASKSWITCH, 1);
    __asm__ volatile("clts");
    TRY("movq %%xmm0, %%rax", : : : "rax");
    check_equal(seen.vector, NO_TRAP, "CLTS clears TS, too");
}

static void test_debug(void)
{
    static volatile uint64_t watched;

    TRY("pushfq; orl $0x100, (%%rsp); popfq; nop; nop", : : : "memory", "cc");
    check_equal(seen.vector, 1, "RFLAGS.TF is trap 1");
    check_equal(CALL(HYPERCALL_SET_DEBUGREG, 0, &watched), 0, "a breakpoint");
    check_equal(CALL(HYPERCALL_GET_DEBUGREG, 0), (uintptr_t)&watched, "which can be read back");
    check_equal(CALL(HYPERCALL_SET_DEBUGREG, 7, 0x000D0401ull), 0, "on writes of 4 bytes");
    TRY("movl $1, (%0); nop", : : "r"(&watched) : "memory");
    check_equal(seen.vector, 1, "such a write is trap 1");
    check_equal(CALL(HYPERCALL_GET_DEBUGREG, 6) & 1, 1, "DR6 says breakpoint 0");
    check_equal(CALL(HYPERCALL_SET_DEBUGREG, 7, 0), 0, "off");
    check_equal(CALL(HYPERCALL_SET_DEBUGREG, 0, 0xFFFF830000001000ull), -XEN_EPERM, "none in hv's range: -EPERM");
    check_equal(CALL(HYPERCALL_SET_DEBUGREG, 7, 0x2000), -XEN_EPERM, "no DR7.GD: -EPERM");
    check_equal(CALL(HYPERCALL_SET_DEBUGREG, 9, 0), -XEN_ENODEV, "no such register: -ENODEV");
}

static void test_calls(void)
{
    uint64_t version = (uint64_t)CALL(HYPERCALL_XEN_VERSION, XENVER_VERSION, 0);
    struct pv_multicall list[4] = { { HYPERCALL_XEN_VERSION, 1, { XENVER_VERSION } },
                                    { 63, 1, { 0 } }, { HYPERCALL_MULTICALL, 1, { 0 } },
                                    { HYPERCALL_VM_ASSIST, 1, { VMASST_CMD_ENABLE, VMASST_TYPE_4GB_SEGMENTS } } };
    struct pv_callback_register bad = { .type = 9 }, worse = { .type = CALLBACKTYPE_EVENT, .address = 1ull << 60 };

    check_equal(version, 0x00040011, "xen_version says 4.17");
    check_equal(CALL(HYPERCALL_MULTICALL, list, 4), 0, "a multicall");
    check_equal(list[0].result, version, "gives each its result");
    check_equal(list[1].result, (uint64_t)-XEN_ENOSYS, "-ENOSYS where there is no such call");
    check_equal(list[2].result, (uint64_t)-XEN_ENOSYS, "or one within another");
    check_equal(list[3].result, 0, "and goes on");
    check_equal(CALL(HYPERCALL_MULTICALL, 8, 1), -XEN_EFAULT, "one from nowhere: -EFAULT");
    check_equal(CALL(HYPERCALL_VM_ASSIST, VMASST_CMD_ENABLE, 63), -XEN_EINVAL, "an unknown assist: -EINVAL");
    check_equal(CALL(HYPERCALL_HVM_OP, 0, 0), -XEN_ENOSYS, "hvm_op: -ENOSYS");
    check_equal(CALL(HYPERCALL_DOMCTL, 0, 0), -XEN_EPERM, "domctl: -EPERM");
    check_equal(CALL(HYPERCALL_CALLBACK_OP, CALLBACKOP_REGISTER, &bad), -XEN_ENOSYS, "an unknown callback: -ENOSYS");
    check_equal(CALL(HYPERCALL_CALLBACK_OP, CALLBACKOP_REGISTER, &worse), -XEN_EINVAL, "one at no address: -EINVAL");
    check_equal(CALL(HYPERCALL_SET_TRAP_TABLE, 0x8000000000ull), -XEN_EFAULT, "a trap table nowhere: -EFAULT");
    check_equal(call5(62, 0, 0, 0, 0, 0), -XEN_ENOSYS, "an unknown call: -ENOSYS");
}

/* ---- User mode ------------------------------------------------------------------------------------------- */

static uint64_t syscall_number, syscall_a, syscall_b;

static uint64_t take_syscall(uint64_t number, uint64_t a, uint64_t b)
{
    syscall_number = number;
    syscall_a = a;
    syscall_b = b;
    return 4711;
}

static void test_user(void)
{
    char *stack = new_page();
    uint64_t root = pv_user_tables(user_code, (size_t)(user_code_end - user_code), stack);

    *(uint64_t *)(stack + 0x100) = 0xBEEF; /* at the user's GS */
    on_syscall = take_syscall;
    check_equal(CALL(HYPERCALL_STACK_SWITCH, PV_FLAT_DS, kernel_stack_end), 0,
                "the kernel's stack for user code's traps");
    check_equal(extended(MMUEXT_NEW_USER_BASEPTR, root, 0), 0, "tables for user mode");
    check_equal(CALL(HYPERCALL_SET_SEGMENT_BASE, SEGBASE_GS_USER, USER_STACK - PAGE + 0x100), 0, "and its GS");
    check_equal(pv_to_user(USER_TEXT, USER_STACK, 0), 4711, "user code runs, and a system call gives it its answer");
    check(syscall_number == 100 && syscall_a == 5 && syscall_b == 7, "the kernel has seen its arguments");
    pv_to_user(USER_TEXT, USER_STACK, 1);
    check(seen.vector == 14 && seen.user, "the kernel's memory is not there for it: #PF from user mode");
    check_equal(seen.code, 4, "code 4: not present, read, user");
    check_equal(seen.cr2, PV_VIRT_BASE + 0x100000, "at that address");
    pv_to_user(USER_TEXT, USER_STACK, 2);
    check(seen.vector == 3 && seen.user, "INT3 of user code is trap 3");
    pv_to_user(USER_TEXT, USER_STACK, 3);
    check(seen.vector == 13 && seen.user, "HLT of user code is trap 13: hv carries out the kernel's alone");
    check_equal(pv_to_user(USER_TEXT, USER_STACK, 4), 0xBEEF, "user code has its own GS");
    pv_to_user(0x1000, USER_STACK, 0);
    check(seen.vector == 14 && seen.user && seen.code == 0x14, "nowhere to fetch from: #PF with code 14h");
    check_equal(extended(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0, "no user mode any more");
}

/* ---- Events ---------------------------------------------------------------------------------------------- */

static int64_t event(uint32_t command, void *op)
{
    return CALL(HYPERCALL_EVENT_CHANNEL_OP, command, op);
}

static void clear_pending(uint32_t port)
{
    shared->vcpu_info[0].evtchn_pending_sel = 0;
    shared->evtchn_pending[port / 64] &= ~(1ull << port % 64);
}

static void test_events(void)
{
    struct evtchn_bind_ipi bind = { .vcpu = 0 };
    struct evtchn_bind_virq timer = { .virq = VIRQ_TIMER };
    struct vcpu_singleshot_timer at = { 0, 0 };
    uint64_t before;

    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    check_equal(event(EVTCHNOP_BIND_IPI, &bind), 0, "an event channel to itself");
    before = events_seen;
    event(EVTCHNOP_SEND, &(struct evtchn_port){ bind.port });
    check_equal(events_seen, before, "no upcall comes while events are masked");
    shared->vcpu_info[0].evtchn_upcall_mask = 0;
    CALL(HYPERCALL_XEN_VERSION, XENVER_VERSION, 0); /* as a kernel does after unmasking */
    check_equal(events_seen, before + 1, "it comes with the next hypercall after");
    check_equal(shared->vcpu_info[0].evtchn_upcall_mask, 0, "and its iret has unmasked them again");
    clear_pending(bind.port);
    event(EVTCHNOP_SEND, &(struct evtchn_port){ bind.port });
    check_equal(events_seen, before + 2, "unmasked, one comes at once");
    clear_pending(bind.port);
    check_equal(event(EVTCHNOP_BIND_VIRQ, &timer), 0, "a timer's channel");
    at.timeout_ns = shared->vcpu_info[0].time.system_time + 1; /* long ago, or soon: it is due */
    check_equal(CALL(HYPERCALL_VCPU_OP, VCPUOP_SET_SINGLESHOT_TIMER, 0, &at), 0, "a timer");
    for (unsigned i = 0; i < 1000000 && events_seen == before + 2; i++)
        __asm__ volatile("pause" : : : "memory");
    check_equal(events_seen, before + 3, "its event interrupts the kernel");
    clear_pending(timer.port);
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    check_equal(CALL(HYPERCALL_SET_TIMER_OP, 1), 0, "set_timer_op");
    check_equal(CALL(HYPERCALL_SCHED_OP, SCHEDOP_BLOCK, 0), 0, "and block, which unmasks");
    check_equal(events_seen, before + 4, "the event has ended it");
    clear_pending(timer.port);
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    CALL(HYPERCALL_SET_TIMER_OP, 1);
    __asm__ volatile("hlt");
    check_equal(events_seen, before + 5, "HLT waits for an event, too");
    clear_pending(timer.port);
}

static void nmi_in_nmi(void)
{
    if (nmis_seen == 1) {
        CALL(HYPERCALL_VCPU_OP, VCPUOP_SEND_NMI, 0, 0);
        CALL(HYPERCALL_XEN_VERSION, XENVER_VERSION, 0);
        seen.code = nmis_seen;
    }
}

static void test_nmi(void)
{
    on_nmi = nmi_in_nmi;
    check_equal(CALL(HYPERCALL_VCPU_OP, VCPUOP_SEND_NMI, 0, 0), 0, "an NMI to itself");
    CALL(HYPERCALL_XEN_VERSION, XENVER_VERSION, 0);
    check_equal(seen.code, 1, "its handler is not interrupted by another");
    check_equal(nmis_seen, 2, "which comes when it has returned");
    on_nmi = NULL;
}

/* ---- A second vCPU --------------------------------------------------------------------------------------- */

void pv_second(unsigned id)
{
    uint64_t gs;

    __asm__ volatile("movq %%gs:0, %0" : "=r"(gs));
    second_traps = gs;
    __atomic_store_n(&second_seen, id, __ATOMIC_SEQ_CST);
    event(EVTCHNOP_SEND, &(struct evtchn_port){ second_port });
    CALL(HYPERCALL_VCPU_OP, VCPUOP_DOWN, id, 0);
    guest_fail("a vCPU that is down goes on");
}

static void test_second(void)
{
    static struct pv_vcpu_context context;
    static uint64_t at_gs = 0x5678;
    struct evtchn_bind_ipi bind = { .vcpu = 0 };
    uint64_t before = events_seen;

    check_equal(CALL(HYPERCALL_VCPU_OP, VCPUOP_UP, 1, 0), -XEN_EINVAL,
                "a vCPU without a context cannot start: -EINVAL");
    event(EVTCHNOP_BIND_IPI, &bind);
    second_port = bind.port;
    context.flags = VGCF_IN_KERNEL;
    context.user_regs = (struct pv_user_regs){ .rip = (uintptr_t)pv_second_start, .rdi = 1, .cs = PV_FLAT_CS64,
                                               .ss = PV_FLAT_DS, .rsp = (uintptr_t)second_stack_end };
    context.kernel_ss = PV_FLAT_DS;
    context.kernel_sp = (uintptr_t)second_stack_end;
    context.ctrlreg[3] = 0x100000;
    check_equal(CALL(HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, 1, &context), -XEN_EINVAL, "on hv's memory as L4: -EINVAL");
    context.ctrlreg[3] = machine((void *)start->pt_base);
    context.gs_base_kernel = (uintptr_t)&at_gs;
    check_equal(CALL(HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, 1, &context), 0, "a context");
    check_equal(CALL(HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, 1, &context), -XEN_EEXIST, "a second one: -EEXIST");
    check_equal(CALL(HYPERCALL_VCPU_OP, VCPUOP_UP, 1, 0), 0, "it starts");
    while (events_seen == before)
        CALL(HYPERCALL_SCHED_OP, SCHEDOP_BLOCK, 0);
    check_equal(second_seen, 1, "and has sent its event");
    check_equal(second_traps, 0x5678, "with the GS that it was given");
    while (CALL(HYPERCALL_VCPU_OP, VCPUOP_IS_UP, 1, 0))
        CALL(HYPERCALL_SCHED_OP, SCHEDOP_YIELD, 0);
    check(true, "and is down again");
}

void pv_main(void)
{
    check_equal(shared->vcpu_info[0].evtchn_upcall_mask, 1, "events are masked when a kernel begins");
    test_exceptions();
    test_privileged();
    test_fpu();
    test_debug();
    test_calls();
    test_user();
    test_events();
    test_nmi();
    test_second();
    check_end();
}
