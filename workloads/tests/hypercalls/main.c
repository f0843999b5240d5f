/* SPDX-License-Identifier: MIT */
/*
 * hv seen from its guest (64-bit, 2 vCPUs): the Xen leaves of CPUID, what CPUID and MSRs hide, faults that hv
 * injects, Xen's hypercalls with their errors, the page of stubs, and sysctl perfc_op, whose counts must have moved
 * by what this program did in between.
 *
 * Guests find Xen by these leaves and call it by these stubs. What must not show through is the processor's own SVM:
 * hv runs its guests with EFER.SVME set, as VMRUN demands. Where an exit brings no address of the next instruction
 * (revision B), hv must find an instruction's length itself, prefixes included.
 *
 * Each hypercall's result is compared as a number with 0, a value or an error negated; exception_try catches the
 * faults.
 *
 * Leaf 4000_0000h reaches at least 4000_0002h, which names MSR 4000_0000h; CPUID says that a hypervisor is there, no
 * SVM, and two vCPUs; EFER.SVME reads 0. An unknown MSR and setting SVME are #GP(0), VMRUN is #UD, and a CPUID with
 * 66h and REX.W in front is stepped over whole. xen_version is 4.x, an unknown call -ENOSYS; vcpu_op refuses a vCPU
 * that is not there, one not initialised, a bad pointer and a context of no known mode, then starts vCPU 1, once.
 * The page that is written to MSR 4000_0000h gets stubs of 32 bytes by number, iret's is #UD; the MSR reads 0, and a
 * second page or a place without memory is #GP(0). Ten CPUIDs count as ten more VMEXIT_CPUID.
 *
 * Runs as a guest of hv on both engines, and again under shadow paging, where it must say the same
 * (workloads/tests/paging-modes). On the bare machine there is nothing to see, and the test skips. The calls with
 * structures are asked in events; perfc_op answers because there is no control domain.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/vcpu.h"

#define HYPERCALL_XEN_VERSION 17
#define HYPERCALL_VCPU_OP 24
#define HYPERCALL_SYSCTL 35
#define HYPERCALL_NONE 63
#define HYPERCALL_IRET 23
#define MSR_HYPERCALL_PAGE 0x40000000
#define STUB_BYTES 32
#define ENOENT 2
#define EFAULT 14
#define EEXIST 17
#define EINVAL 22
#define ENOSYS 38
#define VCPUOP_INITIALISE 0
#define VCPUOP_UP 1
#define VCPUOP_IS_UP 3
#define SYSCTL_PERFC_OP 5
#define SYSCTL_INTERFACE 0x15
#define PERFC_QUERY 2
#define NOT_MAPPED 0x8000000000ull
#define MSR_EFER 0xC0000080
#define MSR_NONE 0x12345678
#define EFER_SVME (1u << 12)

struct perfc_desc {
    char name[80];
    uint32_t nr_vals;
};
struct perfc_op {
    uint32_t cmd, interface_version, op, nr_counters, nr_vals, pad;
    uint64_t desc, val;
    uint8_t rest[96];
};

static struct perfc_desc descs[160];
static uint32_t values[160];
static uint8_t stack[4096] __attribute__((aligned(16)));
static uint8_t hypercall_page[4096] __attribute__((aligned(4096)));
static volatile bool other_ran;

static bool text_equal(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* hv's count of one reason; UINT32_MAX: the query failed. */
static uint32_t count_of(const char *name)
{
    struct perfc_op op = { .cmd = SYSCTL_PERFC_OP, .interface_version = SYSCTL_INTERFACE, .op = PERFC_QUERY,
                           .desc = (uintptr_t)descs,
                           .val = (uintptr_t)values };

    if (hypercall3(HYPERCALL_SYSCTL, (uintptr_t)&op, 0, 0) != 0 || op.nr_counters > 160)
        return UINT32_MAX;
    for (uint32_t i = 0; i < op.nr_counters; i++)
        if (text_equal(descs[i].name, name))
            return values[i];
    return 0;
}

static void other_main(unsigned id)
{
    other_ran = id == 1;
    for (;;)
        cpu_halt();
}

static void identity(void)
{
    struct cpuid_result r = cpuid(0x40000000, 0);

    check(r.eax >= 0x40000002, "the hypervisor's leaves go at least to 4000_0002h");
    check_equal(cpuid(0x40000002, 0).ebx, 0x40000000, "the hypercall page's MSR is named");
    check_equal(cpuid(1, 0).ecx >> 31, 1, "CPUID says that a hypervisor is there");
    check_equal(cpuid(0x80000001, 0).ecx >> 2 & 1, 0, "and no SVM");
    check_equal(cpuid(1, 0).ebx >> 16 & 0xFF, 2, "two vCPUs");
    check_equal(msr_read(MSR_EFER) & EFER_SVME, 0, "EFER.SVME is not to be seen");
}

static void read_no_msr(void *unused)
{
    (void)unused;
    msr_read(MSR_NONE);
}

static void set_svme(void *unused)
{
    (void)unused;
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
}

static void use_vmrun(void *unused)
{
    (void)unused;
    __asm__ volatile("vmrun %0" : : "a"(0x1000ull));
}

/* 66h and REX.W in front: hv must step over the whole instruction. */
static uint32_t prefixed_cpuid(void)
{
    uint32_t eax = 0, ebx, ecx, edx;

    __asm__ volatile(".byte 0x66, 0x48, 0x0F, 0xA2" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    return ebx;
}

static void faults(void)
{
    check_raised(exception_try(read_no_msr, NULL), EXC_GP, 0, "an unknown MSR raises #GP(0)");
    check_raised(exception_try(set_svme, NULL), EXC_GP, 0, "setting EFER.SVME raises #GP(0)");
    check_raised(exception_try(use_vmrun, NULL), EXC_UD, 0, "VMRUN raises #UD");
    check_equal(prefixed_cpuid(), cpuid(0, 0).ebx, "prefixes before an intercepted CPUID are stepped over, too");
}

static void hypercalls(void)
{
    check_equal((uint64_t)hypercall3(HYPERCALL_XEN_VERSION, 0, 0, 0) >> 16, 4, "xen_version: major 4");
    check_equal((uint64_t)hypercall3(HYPERCALL_NONE, 0, 0, 0), (uint64_t)-ENOSYS, "an unknown one: -ENOSYS");
    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_UP, 2, 0), (uint64_t)-ENOENT,
                "vcpu_op on a vCPU that is not there: -ENOENT");
    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_UP, 1, 0), (uint64_t)-EINVAL,
                "up before initialise: -EINVAL");
    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, 1, NOT_MAPPED), (uint64_t)-EFAULT,
                "a pointer to nowhere: -EFAULT");
    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, 0, (uintptr_t)stack), (uint64_t)-EINVAL,
                "a context of no known mode: -EINVAL");
    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_IS_UP, 1, 0), 0, "vCPU 1 is down");
    check(vcpu_start(1, other_main, stack + sizeof(stack)), "it can be started");
    while (!other_ran)
        vcpu_yield();
    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_IS_UP, 1, 0), 1, "then it is up");
    check(!vcpu_start(1, other_main, stack + sizeof(stack)), "and cannot be initialised again");
}

static void write_page_msr(void *value)
{
    msr_write(MSR_HYPERCALL_PAGE, *(uint64_t *)value);
}

static int64_t call_stub(unsigned number, uint64_t first, uint64_t second)
{
    int64_t result;

    __asm__ volatile("call *%1" : "=a"(result) : "r"(hypercall_page + number * STUB_BYTES), "D"(first), "S"(second)
                     : "memory", "cc");
    return result;
}

static void call_iret(void *unused)
{
    (void)unused;
    call_stub(HYPERCALL_IRET, 0, 0);
}

/* Xen's stubs: 32 bytes each, by number. */
static void stubs(void)
{
    uint64_t page = (uintptr_t)hypercall_page, odd = page + 1, nowhere = 0xFFFFFF000, hole = 0xA0000;

    check_equal(cpuid(0x40000002, 0).eax, 1, "there is one hypercall page");
    check_raised(exception_try(write_page_msr, &page), EXC_NONE, 0, "its MSR takes a page");
    check_equal((uint64_t)call_stub(HYPERCALL_XEN_VERSION, 0, 0),
                (uint64_t)hypercall3(HYPERCALL_XEN_VERSION, 0, 0, 0), "stub 17 is xen_version");
    check_equal((uint64_t)call_stub(HYPERCALL_NONE, 0, 0), (uint64_t)-ENOSYS, "stub 63 is no hypercall");
    check_raised(exception_try(call_iret, NULL), EXC_UD, 0, "iret's stub is #UD");
    check_equal(msr_read(MSR_HYPERCALL_PAGE), 0, "the MSR reads 0");
    check_raised(exception_try(write_page_msr, &odd), EXC_GP, 0, "a second page is #GP");
    check_raised(exception_try(write_page_msr, &nowhere), EXC_GP, 0, "an address beyond the memory is #GP");
    check_raised(exception_try(write_page_msr, &hole), EXC_GP, 0, "one without memory is #GP");
}

static void counts(void)
{
    uint32_t before = count_of("vmexits VMEXIT_CPUID"), after;

    memset(stack, 1, sizeof(stack));
    for (unsigned i = 0; i < 10; i++)
        cpuid(0, 0);
    after = count_of("vmexits VMEXIT_CPUID");
    check(before != UINT32_MAX && before > 0, "perfc_op knows CPUID exits");
    check_equal(after - before, 10, "ten more after ten CPUIDs");
    check_equal((uint64_t)hypercall3(HYPERCALL_SYSCTL, NOT_MAPPED, 0, 0), (uint64_t)-EFAULT,
                "a pointer to nowhere: -EFAULT");
}

void guest_main(void)
{
    exceptions_init();
    if (!guest_under_hv) {
        check_skip("hv's guest interface", "hv is not below");
        check_end();
    }
    memset(stack, 1, sizeof(stack)); /* as a context: mode 01010101h */
    identity();
    faults();
    hypercalls();
    stubs();
    counts();
    check_end();
}
