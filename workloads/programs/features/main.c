/* SPDX-License-Identifier: MIT */
/*
 * features: what CPUID says about the processor's features, at CPL 0 and at CPL 3, on the bare machine or under hv; and
 * whether guests that have seen certain features can go on here.
 *
 *     mask=NAME      first mask the core as hv does, by one of its names (on the bare machine)
 *     override       read the CPUID override MSRs, with and without Family 0Fh's password, and what hv says of them
 *     popcnt         execute POPCNT, whatever CPUID says of it
 *     guest0=A,B,C,D guest1= ...   1.ECX, 1.EDX, 8000_0001.ECX, 8000_0001.EDX that a guest has seen, hexadecimal
 */
#include "hv/migrate/cpuid_mask.h"
#include "workloads/lib/exceptions.h"
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"

#define MSR_EFER 0xC0000080
#define MSR_STAR 0xC0000081
#define EFER_SCE 1u
#define KERNEL_SELECTOR 0x18ull
#define USER_SELECTOR 0x20ull /* SYSRET adds 16 for CS */
#define PTE_U 4u
#define PTE_ADDRESS 0x000FFFFFFFFFF000ull
#define GUESTS_MAX 64

extern uint64_t guest_pml4[512];
unsigned user_cpuid(uint32_t leaf, struct cpuid_result *result);

static struct cpu_features kernel_view(void)
{
    struct cpuid_result one = cpuid(1, 0), extended = cpuid(0x80000001, 0);

    return (struct cpu_features){ one.ecx, one.edx, extended.ecx, extended.edx };
}

/* The first 16 MiB for CPL 3, too. */
static void open_pages(void)
{
    uint64_t *pointers = (uint64_t *)(guest_pml4[0] & PTE_ADDRESS);
    uint64_t *directory = (uint64_t *)(pointers[0] & PTE_ADDRESS);

    guest_pml4[0] |= PTE_U;
    pointers[0] |= PTE_U;
    for (unsigned i = 0; i < 8; i++)
        directory[i] |= PTE_U;
    cr3_write(cr3_read());
}

static struct cpu_features user_view(void)
{
    struct cpuid_result one, extended;

    open_pages();
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE);
    msr_write(MSR_STAR, (USER_SELECTOR | 3) << 48 | KERNEL_SELECTOR << 32);
    if ((user_cpuid(1, &one) & 3) != 3 || (user_cpuid(0x80000001, &extended) & 3) != 3)
        guest_fail("features: that was not CPL 3");
    return (struct cpu_features){ one.ecx, one.edx, extended.ecx, extended.edx };
}

static void print(const char *who, const struct cpu_features *f)
{
    guest_print("features %s %08x,%08x,%08x,%08x", who, f->ecx1, f->edx1, f->ecx81, f->edx81);
}

#define MSR_CPUID_FEATURES 0xC0011004
#define MSR_CPUID_EXT_FEATURES 0xC0011005
#define PASSWORD 0x9C5A203Au

struct keyed_read {
    uint32_t msr, key, low, high;
};

static void read_keyed(void *argument)
{
    struct keyed_read *read = argument;

    __asm__ volatile("rdmsr" : "=a"(read->low), "=d"(read->high) : "c"(read->msr), "D"(read->key) : "memory");
}

/* The MSR, and what CPUID then says: the mask's bits that the processor has. */
static void mask_word(uint32_t msr, uint32_t ecx, uint32_t edx)
{
    struct keyed_read now = { msr, PASSWORD, 0, 0 };

    read_keyed(&now);
    __asm__ volatile("wrmsr" : : "c"(msr), "a"(now.low & edx), "d"(now.high & ecx), "D"(PASSWORD) : "memory");
}

/* What hv does on each core (hv/migrate/mask_cores.c). */
static void mask_core(void)
{
    char name[CPUID_MASK_NAME_MAX];
    const struct cpuid_mask *mask;

    if (!option_text(guest_options, "mask", name, sizeof(name)))
        return;
    mask = cpuid_mask_find(name);
    if (!mask || cpuid_mask_refused(cpuid(1, 0).eax))
        guest_fail("features: mask=%s: %s", name, mask ? cpuid_mask_refused(cpuid(1, 0).eax) : "no such mask");
    mask_word(MSR_CPUID_FEATURES, mask->features.ecx1, mask->features.edx1);
    mask_word(MSR_CPUID_EXT_FEATURES, mask->features.ecx81, mask->features.edx81);
}

static void try_override(void)
{
    const char *refused = cpuid_mask_refused(cpuid(1, 0).eax);

    exceptions_init();
    for (unsigned i = 0; i < 4; i++) {
        struct keyed_read read = { MSR_CPUID_FEATURES + i / 2, i % 2 ? 0 : PASSWORD, 0, 0 };
        bool gp = exception_try(read_keyed, &read).vector == EXC_GP;

        guest_print("override %x %s %s %08x%08x", read.msr, i % 2 ? "plain" : "keyed", gp ? "#GP" : "read", read.high,
                    read.low);
    }
    guest_print("override %s", refused ? refused : "can be masked");
}

/* A mask only tells: the instruction is there. */
static void count_bits(void)
{
    uint32_t count;

    __asm__ volatile("popcnt %1, %0" : "=r"(count) : "r"(0xF0F0F0F1u));
    guest_print("popcnt of f0f0f0f1 is %u", count);
}

static bool read_word(const char **at, uint32_t *word)
{
    unsigned digits = 0;

    for (*word = 0;; ++*at, digits++) {
        if (**at >= '0' && **at <= '9')
            *word = *word << 4 | (uint32_t)(**at - '0');
        else if (**at >= 'a' && **at <= 'f')
            *word = *word << 4 | (uint32_t)(**at - 'a' + 10);
        else
            break;
    }
    return digits >= 1 && digits <= 8;
}

static bool read_features(const char *text, struct cpu_features *f)
{
    uint32_t *const words[4] = { &f->ecx1, &f->edx1, &f->ecx81, &f->edx81 };

    for (unsigned i = 0; i < 4; i++) {
        if (!read_word(&text, words[i]) || *text != (i < 3 ? ',' : '\0'))
            return false;
        text++;
    }
    return true;
}

static void judge(unsigned number, const struct cpu_features *here)
{
    char name[16], text[64], missing[120];
    struct cpu_features guest;

    format_text(name, sizeof(name), "guest%u", number);
    if (!option_text(guest_options, name, text, sizeof(text)))
        return;
    if (!read_features(text, &guest))
        guest_fail("%s= wants four hexadecimal words with commas between", name);
    if (features_missing(&guest, here, missing, sizeof(missing)))
        guest_print("%s refused: %s", name, missing);
    else
        guest_print("%s accepted", name);
}

void guest_main(void)
{
    struct cpu_features kernel, user;

    mask_core();
    kernel = kernel_view();
    user = user_view();
    print("kernel", &kernel);
    print("user", &user);
    if (option_flag(guest_options, "override", false))
        try_override();
    if (option_flag(guest_options, "popcnt", false))
        count_bits();
    for (unsigned i = 0; i < GUESTS_MAX; i++)
        judge(i, &kernel);
}
