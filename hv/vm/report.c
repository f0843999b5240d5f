/* SPDX-License-Identifier: MIT */
#include "hv/vm/report.h"

#include "hv/core/format.h"
#include "hv/core/percore.h"
#include "hv/vm/guest.h"
#include "hv/vm/machine_check_counts.h"
#include "hv/vm/map_counts.h"
#include "hv/vm/paging.h"
#include "hv/vm/pv_guest.h"
#include "hv/vm/schedule.h"
#include "hv/x86/cpu.h"

static const char *outcome_name(enum guest_outcome outcome)
{
    static const char *const names[] = { "runs", "finished", "crashed", "destroyed" };

    return names[outcome];
}

static void print_reason(const char *guest, const char *vcpu, unsigned index, const struct exit_count *count)
{
    uint64_t code = counts_exitcode(index);
    const char *name = svm_exit_name(code);
    char number[24];

    if (!name) {
        format_text(number, sizeof(number), "VMEXIT_%03lx", (unsigned long)code);
        name = number;
    }
    console_print("exits guest=%s vcpu=%s reason=%s count=%lu cycles=%lu", guest, vcpu, name,
                  (unsigned long)count->count, (unsigned long)count->cycles);
}

static void print_shadow(const struct guest *guest)
{
    const struct shadow_counts *c = &guest->shadow.counts;

    console_print("shadow guest=%s shadow_fill=%lu pf_reflected=%lu table_writes=%lu shadow_emulate=%lu device=%lu",
                  guest->spec.name, (unsigned long)c->fills, (unsigned long)c->reflected,
                  (unsigned long)c->table_writes, (unsigned long)c->emulated, (unsigned long)c->device);
    console_print("shadow_pages guest=%s pool=%u most=%lu made=%lu reclaimed=%lu unshadowed=%lu protected=%lu",
                  guest->spec.name, guest->shadow.page_count, (unsigned long)c->in_use_most, (unsigned long)c->made,
                  (unsigned long)c->reclaimed, (unsigned long)c->unshadowed, (unsigned long)c->protected);
}

static void print_vcpu(const struct vcpu *vcpu)
{
    const char *guest = vcpu->guest->spec.name;
    char id[4];

    format_text(id, sizeof(id), "%u", vcpu->id);
    console_print("vcpu guest=%s id=%s vmcb=%lx n_cr3=%lx runs=%lu halted_cycles=%lu", guest, id,
                  (unsigned long)(uintptr_t)vcpu->svm.vmcb, (unsigned long)vcpu->svm.vmcb->n_cr3,
                  (unsigned long)vcpu->counts.runs, (unsigned long)vcpu->counts.halted_cycles);
    for (unsigned i = 0; i < EXIT_COUNT_REASONS; i++)
        if (vcpu->counts.reason[i].count)
            print_reason(guest, id, i, &vcpu->counts.reason[i]);
    if (vcpu->pv)
        pv_report(vcpu);
}

/* Guests that are gone. */
static struct exit_count retired[EXIT_COUNT_REASONS]; /* under guests_hold */
static unsigned retired_count, retired_failed;

static void add(struct exit_count *to, const struct exit_count *what)
{
    to->count += what->count;
    to->cycles += what->cycles;
}

struct exit_count report_total(unsigned reason)
{
    struct exit_count total;

    guests_hold();
    total = retired[reason];
    for (unsigned g = 0; g < guest_count; g++)
        for (unsigned v = 0; guest_is_there(&guests[g]) && v < guests[g].spec.vcpus; v++)
            add(&total, &guests[g].vcpus[v].counts.reason[reason]);
    guests_release();
    return total;
}

static void print_totals(void)
{
    for (unsigned i = 0; i < EXIT_COUNT_REASONS; i++) {
        struct exit_count total = report_total(i);

        if (total.count)
            print_reason("*", "*", i, &total);
    }
}

static void print_guest(const struct guest *guest)
{
    console_print("guest name=%s outcome=%s result=%016lx npt_tables=%lu npt_4k=%lu npt_2m=%lu npt_1g=%lu",
                  guest->spec.name, outcome_name(guest->outcome), (unsigned long)guest->result,
                  (unsigned long)guest->npt.tables, (unsigned long)npt_entries(&guest->npt, NPT_4K),
                  (unsigned long)npt_entries(&guest->npt, NPT_2M), (unsigned long)npt_entries(&guest->npt, NPT_1G));
    for (enum map_count i = 0; i < MAP_ENTRIES_4K; i++)
        if (map_count_of(guest, i))
            console_print("map guest=%s what=\"%s\" count=%lu", guest->spec.name, map_count_names[i],
                          (unsigned long)map_count_of(guest, i));
    if (guest->paging == &paging_shadow)
        print_shadow(guest);
    for (unsigned v = 0; v < guest->spec.vcpus; v++)
        print_vcpu(&guest->vcpus[v]);
}

void report_retire(const struct guest *guest)
{
    print_guest(guest);
    guests_hold();
    for (unsigned i = 0; i < EXIT_COUNT_REASONS; i++)
        for (unsigned v = 0; v < guest->spec.vcpus; v++)
            add(&retired[i], &guest->vcpus[v].counts.reason[i]);
    retired_count++;
    retired_failed += guest->outcome == GUEST_CRASHED;
    guests_release();
}

void report_and_stop(void)
{
    static bool begun;
    unsigned failed = retired_failed, count = retired_count;

    if (__atomic_exchange_n(&begun, true, __ATOMIC_ACQ_REL))
        for (;;)
            cpu_halt();
    for (unsigned i = 0; i < guest_count; i++) {
        if (!guest_is_there(&guests[i]))
            continue;
        print_guest(&guests[i]);
        count++;
        failed += guests[i].outcome != GUEST_FINISHED;
    }
    print_totals();
    machine_check_report();
    for (unsigned i = 0; i < percore_count; i++)
        console_print("asid core=%u assignments=%lu flushes=%lu", i, (unsigned long)schedule_asid_assignments(i),
                      (unsigned long)schedule_asid_flushes(i));
    console_print("hv: done, %u of %u guests finished", count - failed, count);
    machine_stop(failed ? 1 : 0);
}
