/* SPDX-License-Identifier: MIT */
#include "workloads/dom0/inject.h"

#include "hv/abi/mca.h"
#include "hv/abi/xen.h"
#include "workloads/dom0/calls.h"
#include "workloads/dom0/ras.h"
#include "workloads/dom0/verbs.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/mca.h"

#define MSR_MCG_STATUS 0x17A
#define MSR_MC_STATUS(bank) (0x401 + 4 * (bank))
#define MSR_MC_ADDR(bank) (0x402 + 4 * (bank))
#define MCG_RIPV_MCIP 5
#define UC (1ull << 61)
#define CORES 48

static struct mca_call call;

static int64_t go(uint32_t command)
{
    call.command = command;
    call.interface_version = MCA_INTERFACE_V2;
    return mca_hypercall(&call);
}

/* The registers say so to the next handler or poll of the core; an uncorrected one raises #MC there. */
void inject_error(unsigned count, char *const *words)
{
    uint64_t value[5] = { 0, 0, 0, 0, MCG_RIPV_MCIP };
    int64_t error;

    for (unsigned i = 1; i < count && i < 6; i++) {
        if (!ras_number(words[i], 16, &value[i - 1])) {
            say("mce-inject: CORE BANK STATUS ADDR [MCGSTATUS], hexadecimal");
            return;
        }
    }
    call.msrinject = (struct mca_msrinject){
        .cpu = (uint32_t)value[0], .flags = MCA_INJECT_INTERPOSE, .count = 3,
        .msr = { { MSR_MC_STATUS(value[1]), value[2] }, { MSR_MC_ADDR(value[1]), value[3] },
                 { MSR_MCG_STATUS, value[4] } },
    };
    error = go(MCA_MSRINJECT);
    say("mce-inject registers: %s", error ? calls_error(error) : "done");
    if (error || !(value[2] & UC))
        return;
    call.mceinject.cpu = (uint32_t)value[0];
    do
        error = go(MCA_MCEINJECT); /* the registers may be under way */
    while (error == -XEN_EBUSY);
    say("mce-inject #MC: %s", error ? calls_error(error) : "done");
}

void inject_cores(unsigned count, char *const *words)
{
    static struct mca_physcpu cores[CORES];
    int64_t error;

    (void)count;
    (void)words;
    call.physcpuinfo = (struct mca_physcpuinfo){ .info = 0 };
    error = go(MCA_PHYSCPUINFO);
    say("mce-cores: %s, %u", error ? calls_error(error) : "done", call.physcpuinfo.ncpus);
    call.physcpuinfo = (struct mca_physcpuinfo){ .ncpus = CORES, .info = (uintptr_t)cores };
    if (error || go(MCA_PHYSCPUINFO))
        return;
    for (unsigned i = 0; i < call.physcpuinfo.ncpus && i < CORES; i++)
        say("core %u: node %u apic %u of %u cores, family %x model %x stepping %u %s \"%s\" MCG_CAP %lx", cores[i].cpu,
            cores[i].chip, cores[i].apic_id, cores[i].cores, cores[i].family, cores[i].model, cores[i].stepping,
            cores[i].vendor_text, cores[i].brand, (unsigned long)cores[i].msr[0].value);
}

static unsigned fetch_class(uint32_t class, const char *name)
{
    static struct mca_info info;
    unsigned fetched = 0;

    for (;; fetched++) {
        uint64_t id;

        call.fetch_v2 = (struct mca_fetch_v2){ .flags = class, .data = (uintptr_t)&info };
        if (go(MCA_FETCH) || call.fetch_v2.flags & MCA_NODATA)
            return fetched;
        id = call.fetch_v2.id;
        say("mce-fetch %s id=%lu entries=%u", name, (unsigned long)id, info.nentries);
        call.fetch_v2 = (struct mca_fetch_v2){ .flags = class | MCA_V2_ACK, .id = id };
        go(MCA_FETCH);
    }
}

void inject_fetch(unsigned count, char *const *words)
{
    unsigned urgent = fetch_class(MCA_V2_URGENT, "urgent"), other = fetch_class(MCA_V2_NONURGENT, "nonurgent");

    (void)count;
    (void)words;
    say("mce-fetch: %u urgent, %u nonurgent", urgent, other);
}
