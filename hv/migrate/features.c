/* SPDX-License-Identifier: MIT */
#include "hv/migrate/features.h"

#include "hv/core/format.h"

#define HYPERVISOR (1u << 31)

/* Names of the manual (BKDG10 2.16, CPUID 25481); NULL: reserved. */
static const char *const names_ecx1[32] = { [0] = "SSE3", [3] = "MONITOR", [9] = "SSSE3", [13] = "CMPXCHG16B",
                                            [19] = "SSE4.1", [20] = "SSE4.2", [23] = "POPCNT" };
static const char *const names_edx1[32] = { "FPU", "VME", "DE", "PSE", "TSC", "MSR", "PAE", "MCE", "CMPXCHG8B",
                                            "APIC", [11] = "SysEnterSysExit", "MTRR", "PGE", "MCA", "CMOV", "PAT",
                                            "PSE36",
                                            [19] = "CLFSH", [23] = "MMX", "FXSR", "SSE", "SSE2", [28] = "HTT" };
static const char *const names_ecx81[32] = { "LahfSahf", "CmpLegacy", "SVM", "ExtApicSpace", "AltMovCr8", "ABM",
                                             "SSE4A", "MisAlignSse", "3DNowPrefetch", "OSVW", "IBS", [12] = "SKINIT",
                                             "WDT",
                                             [19] = "NodeId" };
static const char *const names_edx81[32] = { "FPU", "VME", "DE", "PSE", "TSC", "MSR", "PAE", "MCE", "CMPXCHG8B",
                                             "APIC", [11] = "SysCallSysRet", "MTRR", "PGE", "MCA", "CMOV", "PAT",
                                             "PSE36",
                                             [20] = "NX", [22] = "MmxExt", "MMX", "FXSR", "FFXSR", "Page1GB", "RDTSCP",
                                             [29] = "LM", "3DNowExt", "3DNow" };

struct cpu_features features_common(const struct cpu_features *a, const struct cpu_features *b)
{
    return (struct cpu_features){ a->ecx1 & b->ecx1, a->edx1 & b->edx1, a->ecx81 & b->ecx81, a->edx81 & b->edx81 };
}

struct list {
    char *text;
    size_t size, length;
    bool full;
};

static void add(struct list *list, const char *name)
{
    char word[24];
    size_t length = format_text(word, sizeof(word), "%s%s", list->length ? " " : "", name);

    if (list->full)
        return;
    list->full = list->length + length + sizeof(" ...") > list->size; /* no room for this one and the dots */
    list->length += format_text(list->text + list->length, list->size - list->length, "%s", list->full ? " ..." : word);
}

static void add_word(struct list *list, uint32_t missing, const char *const names[32], const char *word)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        char number[24];

        if (!(missing >> bit & 1))
            continue;
        format_text(number, sizeof(number), "%s[%u]", word, bit);
        add(list, names[bit] ? names[bit] : number);
    }
}

bool features_missing(const struct cpu_features *guest, const struct cpu_features *host, char *text, size_t size)
{
    struct cpu_features missing = { guest->ecx1 & ~host->ecx1 & ~HYPERVISOR, guest->edx1 & ~host->edx1,
                                    guest->ecx81 & ~host->ecx81, guest->edx81 & ~host->edx81 };
    struct list list = { text, size, 0, false };

    text[0] = '\0';
    add_word(&list, missing.ecx1, names_ecx1, "1.ECX");
    add_word(&list, missing.edx1, names_edx1, "1.EDX");
    add_word(&list, missing.ecx81, names_ecx81, "8000_0001.ECX");
    /* 8000_0001.EDX repeats some bits of 1.EDX: each once. */
    add_word(&list, missing.edx81 & ~(missing.edx1 & 0x0183F3FF), names_edx81, "8000_0001.EDX");
    return missing.ecx1 | missing.edx1 | missing.ecx81 | missing.edx81;
}
