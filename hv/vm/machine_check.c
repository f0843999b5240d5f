/* SPDX-License-Identifier: MIT */
#include "hv/vm/machine_check.h"

#include "hv/core/format.h"
#include "hv/core/lapic.h"
#include "hv/core/memory.h"
#include "hv/core/options.h"
#include "hv/core/text.h"
#include "hv/core/traps.h"
#include "hv/mca/banks.h"
#include "hv/mca/heal.h"
#include "hv/mca/record.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/frame_owner.h"
#include "hv/vm/machine_check_case.h"
#include "hv/vm/machine_check_counts.h"
#include "hv/vm/machine_check_heal.h"
#include "hv/vm/machine_check_inject.h"
#include "hv/vm/machine_check_log.h"
#include "hv/vm/machine_check_poll.h"
#include "hv/vm/machine_check_trap.h"
#include "hv/vm/schedule.h"

#define DEADLINE_MS 1000
#define QUEUE 4 /* errors of a core that wait for its loop */

struct mca_ring_v1 machine_check_ring;
struct mca_ring_v2 machine_check_entries;
struct mca_panic_record mca_panic_record;

static struct lock ring_lock;
static unsigned ring_version = 1;
static bool enabled, heals_without_dom0;
static unsigned threshold; /* errors of DRAM until an interrupt, 0: never */

/* Written in #MC context, read by the same core's loop. */
static struct {
    volatile unsigned head, tail;
    struct mca_error error[QUEUE];
} queues[CORES_MAX];
static struct {
    volatile unsigned head, tail;
    volatile uint32_t record[MCA_RING_SLOTS];
} forgotten[CORES_MAX]; /* records of errors that found no room in the queue */
static struct mca_info told[CORES_MAX]; /* what each told last, version 1: left behind if it stops the machine */
static bool stopped; /* atomic: a core has left its record behind; those that stop beside it do not */

void machine_check_lock(void)
{
    lock_acquire(&ring_lock);
}

void machine_check_unlock(void)
{
    lock_release(&ring_lock);
}

void machine_check_note_version(unsigned version)
{
    __atomic_store_n(&ring_version, version, __ATOMIC_RELAXED);
}

uint32_t machine_check_lost(void)
{
    const uint32_t *lost = ring_version == 1 ? &machine_check_ring.lost : &machine_check_entries.lost;

    return __atomic_load_n(lost, __ATOMIC_RELAXED);
}

/* ---- Who is impacted ---------------------------------------------------------------------------------------- */

/* What was decided of an error, while it is carried out. */
struct handling {
    const struct mca_error *error;
    struct mca_verdict verdict;
    struct frame_owner owner; /* of the frame of the bank that decides */
    const struct mca_heal_row *heal;
    struct mca_inputs inputs;
    const char *step;
};

static void find_owners(struct mca_error *error)
{
    for (unsigned i = 0; i < error->count; i++) {
        struct mca_bank *bank = &error->bank[i];
        struct frame_owner owner = { .kind = MCA_OWNER_NONE };

        if (mca_has_frame(bank->number, bank->status))
            frame_owner_find(bank->addr, &owner);
        if (owner.kind == MCA_OWNER_DOMU && owner.guest->outcome != GUEST_RUNS)
            owner = (struct frame_owner){ .kind = MCA_OWNER_FREE }; /* it has ended: nobody is hurt any more */
        bank->owner = owner.kind;
        bank->domid = owner.guest ? owner.guest->domid : MCA_NO_DOMAIN;
        bank->gpa = owner.gpa;
    }
}

static struct vcpu *dom0_vcpu(void)
{
    struct guest *control = guest_by_domid(DOMID_CONTROL);

    return control && control->outcome == GUEST_RUNS ? &control->vcpus[0] : NULL;
}

static void look_at_dom0(struct mca_inputs *inputs)
{
    struct vcpu *vcpu = dom0_vcpu();

    inputs->dom0_event = vcpu && vcpu->virq_port[VIRQ_MCA];
    inputs->dom0_trap = vcpu && machine_check_can_trap(vcpu);
}

/* ---- Records ------------------------------------------------------------------------------------------------ */

static bool has_uncorrected(const struct mca_error *error)
{
    for (unsigned i = 0; i < error->count; i++)
        if (error->bank[i].status & MCA_UC)
            return true;
    return false;
}

/* hv itself was interrupted where it cannot go on: nothing can be put off. */
static bool is_the_end(const struct mca_error *error)
{
    if (error->context == MCA_IN_GUEST || !has_uncorrected(error))
        return false;
    if (error->context == MCA_IN_HV)
        return mca_is_final(error);
    return mca_is_final(error) && error->mcg_status & MCG_RIPV; /* idle, RIPV=0: its halt goes on; PCC: nothing does */
}

/* At the end nobody is waited for: the core that holds the lock may be this one. */
static void commit_v1(const struct mca_error *error, const struct mca_info *info)
{
    bool locks = !is_the_end(error);

    if (locks)
        machine_check_lock();
    mca_ring_commit(&machine_check_ring, error->record, info);
    if (locks)
        machine_check_unlock();
}

static void commit(const struct handling *h, const struct mca_victim *victim)
{
    const struct mca_error *error = h->error;
    const struct percore *core = &percores[error->core];
    struct mca_telling telling = { .domid = error->domid == MCA_NO_DOMAIN ? DOMID_SELF : error->domid,
                                   .vcpu = error->vcpu, .socket = core->node, .apic_id = core->apic_id,
                                   .core = (uint16_t)error->core, .recovered = h->inputs.healed };
    struct mca_entry *entry;
    struct mca_info info;

    if (victim || h->verdict.impact == MCA_IMPACT_DOM0) {
        telling.domid = victim ? victim->domid : DOMID_CONTROL;
        telling.vcpu = victim ? victim->vcpu : 0;
    }
    if (h->verdict.bank->owner != MCA_OWNER_NONE)
        telling.frame = h->verdict.bank->addr >> PAGE_SHIFT;
    if (mca_ring_tell_lost(&machine_check_ring))
        telling.flags |= MCA_GLOBAL_LOST;
    mca_record_v1(&info, error, &telling);
    commit_v1(error, &info);
    memcpy(&told[percore_self()->index], &info, sizeof(info));
    entry = mca_entry_reserve(&machine_check_entries, !h->verdict.corrected, error->record);
    if (!entry)
        return;
    mca_record_v2(&info, error, &telling);
    mca_entry_commit(entry, &info);
}

/* Nobody is told: the console has it. */
static void dump_and_release(const struct handling *h)
{
    machine_check_say(h->error->record, h->step, "dump", "banks=%u", h->error->count);
    machine_check_dump(h->error);
    machine_check_lock();
    mca_ring_release(&machine_check_ring, h->error->record);
    mca_entry_release(&machine_check_entries, h->error->record);
    machine_check_unlock();
}

/* ---- What becomes of it -------------------------------------------------------------------------------------- */

static void leave_record(const struct handling *h, const struct mca_row *row)
{
    if (__atomic_exchange_n(&stopped, true, __ATOMIC_ACQ_REL))
        return;
    memcpy(&mca_panic_record.info, &told[percore_self()->index], sizeof(mca_panic_record.info));
    memcpy(mca_panic_record.row, row->id, sizeof(row->id));
    mca_panic_record.record = h->error->record;
    mca_panic_record.core = h->error->core;
    mca_panic_record.mcg_status = h->error->mcg_status;
    __atomic_store_n(&mca_panic_record.magic, MCA_PANIC_MAGIC, __ATOMIC_RELEASE);
}

static void stop_machine(const struct handling *h, const struct mca_row *row)
{
    console_break_lock();
    machine_check_say(h->error->record, h->step, "panic", "row=%s", row->id);
    machine_check_dump(h->error);
    leave_record(h, row);
    panic("machine check, %s", row->id);
}

static void trap_dom0(const struct handling *h)
{
    struct vcpu *vcpu = dom0_vcpu();
    bool sent = machine_check_send(vcpu, h->error->core, h->error->record, h->step);

    machine_check_say(h->error->record, h->step, "notify", "to=dom0.0 by=trap from=hv result=%s",
                      sent ? "OK" : "NOTDELIVERED");
}

static void tell_by_virq(const struct handling *h)
{
    event_raise_control(VIRQ_MCA);
    machine_check_say(h->error->record, h->step, "notify", "to=dom0.0 by=virq from=hv result=OK");
}

static void trap_domu(const struct handling *h, struct vcpu *vcpu)
{
    bool sent = machine_check_send(vcpu, h->error->core, h->error->record, h->step);

    machine_check_say(h->error->record, h->step, "notify", "to=dom%u.%u by=trap from=hv result=%s", vcpu->guest->domid,
                      vcpu->id, sent ? "OK" : "NOTDELIVERED");
}

static void carry_out(const struct handling *h, const struct mca_row *row, const struct mca_victim *victim,
                      struct vcpu *vcpu)
{
    switch (row->first) {
    case MCA_FIRST_VIRQ:
        tell_by_virq(h);
        return;
    case MCA_FIRST_DUMP:
        dump_and_release(h);
        return;
    case MCA_FIRST_PANIC:
        if (!(heals_without_dom0 && mca_panics_only_without_dom0(row)))
            stop_machine(h, row);
        dump_and_release(h);
        return;
    case MCA_FIRST_TRAP_DOM0:
        if (victim)
            machine_check_case_begin(h->error, vcpu, h->inputs.domu,
                                     victim->bank ? victim->bank->addr : MACHINE_CHECK_NO_FRAME, h->step);
        trap_dom0(h);
        return;
    case MCA_FIRST_TRAP_DOMU:
        trap_domu(h, vcpu);
        return;
    case MCA_FIRST_KILL:
        machine_check_kill(h->error->record, h->step, vcpu->guest, row->id, "no_handler");
        dump_and_release(h);
        return;
    }
}

/* One DomU, with a record and a row of its own. */
static void handle_victim(struct handling *h, const struct mca_victim *victim)
{
    struct guest *guest = guest_by_domid(victim->domid);
    struct vcpu *vcpu = guest && victim->vcpu < guest->spec.vcpus ? &guest->vcpus[victim->vcpu] : NULL;
    const struct mca_row *row, *last;
    char rows[16];

    if (!vcpu) /* it has ended meanwhile */
        return;
    if (victim->bank && !h->verdict.corrected) /* when the guest gives it back, nobody gets it again */
        memory_offline(victim->bank->addr, true);
    h->inputs.domu = machine_check_domu_kind(vcpu);
    h->inputs.answer = MCA_ANSWER_NOTIFY;
    row = mca_decide(&h->inputs);
    h->inputs.answer = MCA_ANSWER_NONE;
    last = mca_decide(&h->inputs);
    format_text(rows, sizeof(rows), row == last ? "%s" : "%s..%s", row->id, last->id);
    machine_check_say_decided(h->error, &h->verdict, &h->inputs, victim, h->heal, rows);
    commit(h, victim);
    carry_out(h, row, victim, vcpu);
}

static void handle_others(struct handling *h)
{
    const struct mca_row *row;

    if (h->verdict.impact == MCA_IMPACT_NOBODY) { /* I9: retired if it could be; nobody stops */
        bool remote = h->verdict.first == MCA_REMOTE;

        machine_check_say_decided(h->error, &h->verdict, &h->inputs, NULL, h->heal, remote ? "remote" : "I9");
        commit(h, NULL);
        if (h->inputs.dom0_trap && !remote)
            trap_dom0(h);
        else
            dump_and_release(h);
        return;
    }
    row = mca_decide(&h->inputs);
    machine_check_say_decided(h->error, &h->verdict, &h->inputs, NULL, h->heal, row->id);
    commit(h, NULL);
    carry_out(h, row, NULL, NULL);
}

/* Step 2b. */
static void heal(struct handling *h)
{
    enum mca_content content = MCA_HOLDS_OTHER;

    if (h->verdict.corrected || h->verdict.impact == MCA_IMPACT_DOMU || h->verdict.first == MCA_REMOTE)
        return;
    if (h->verdict.bank->owner != MCA_OWNER_NONE) {
        frame_owner_find(h->verdict.bank->addr, &h->owner);
        content = h->verdict.bank->owner == MCA_OWNER_FREE ? MCA_HOLDS_NOTHING : h->owner.content;
    }
    h->heal = mca_heal_choose(h->verdict.first == MCA_I4 ? MCA_HOLDS_OTHER : content, mca_is_final(h->error));
    h->inputs.healed = h->heal->success && machine_check_heal(h->heal, &h->owner, h->verdict.bank->addr);
    if (h->inputs.healed)
        machine_check_say(h->error->record, h->step, "heal", "action=\"%s\" frame=%lx", h->heal->action,
                          (unsigned long)(h->verdict.bank->addr >> PAGE_SHIFT));
}

static void handle(struct mca_error *error)
{
    struct handling h = { .error = error };

    find_owners(error);
    mca_classify(error, &h.verdict);
    if (h.verdict.spurious) {
        console_print("mca record=- step=1 event=spurious core=%u", error->core);
        return;
    }
    h.step = machine_check_step_of(&h.verdict);
    h.inputs = (struct mca_inputs){ .corrected = h.verdict.corrected, .impact = h.verdict.impact };
    look_at_dom0(&h.inputs);
    machine_check_say_found(error);
    heal(&h);
    if (h.verdict.impact != MCA_IMPACT_DOMU) {
        handle_others(&h);
        return;
    }
    for (unsigned i = 0; i < h.verdict.victims; i++) {
        if (i > 0) /* each has a record to itself */
            error->record = mca_ring_take(&machine_check_ring);
        handle_victim(&h, &h.verdict.victim[i]);
    }
}

/* ---- The exception -------------------------------------------------------------------------------------------- */

static void note_who_ran(struct mca_error *error, enum mca_via via)
{
    const struct vcpu *vcpu = schedule_running(percore_self()->index);

    error->via = via;
    error->core = percore_self()->index;
    error->context = via == MCA_VIA_EXIT ? MCA_IN_GUEST : vcpu ? MCA_IN_HV : MCA_IN_IDLE;
    error->domid = vcpu ? vcpu->guest->domid : MCA_NO_DOMAIN;
    error->vcpu = (uint16_t)(vcpu ? vcpu->id : MCA_VCPU_INVALID);
}

/* With no lock. False: there is no room, the record is lost. */
static bool put_off(const struct mca_error *error)
{
    unsigned core = error->core, head = queues[core].head;

    if (head - queues[core].tail == QUEUE)
        return false;
    memcpy(&queues[core].error[head % QUEUE], error, sizeof(*error));
    __atomic_store_n(&queues[core].head, head + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&percores[core].machine_check_due, true, __ATOMIC_RELEASE);
    return true;
}

/* It has a number, so that those behind it in the ring can be fetched, and that is all. */
static void forget(const struct mca_error *error)
{
    unsigned core = error->core, head = forgotten[core].head;

    if (!error->count)
        return;
    /* One that gives way here was overtaken in the ring, too. */
    forgotten[core].record[head % MCA_RING_SLOTS] = error->record;
    __atomic_store_n(&forgotten[core].head, head + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&percores[core].machine_check_due, true, __ATOMIC_RELEASE);
}

static void drop_forgotten(unsigned core)
{
    unsigned head = __atomic_load_n(&forgotten[core].head, __ATOMIC_ACQUIRE);

    machine_check_lock();
    for (; forgotten[core].tail != head; forgotten[core].tail++)
        mca_ring_forget(&machine_check_ring, forgotten[core].record[forgotten[core].tail % MCA_RING_SLOTS]);
    machine_check_unlock();
}

static void take(enum mca_via via)
{
    struct mca_error error;

    text_zero(&error, sizeof(error));
    mca_banks_collect(&error, false);
    note_who_ran(&error, via);
    error.record = error.count ? mca_ring_take(&machine_check_ring) : 0;
    mca_banks_end();
    machine_check_count(&error);
    if (is_the_end(&error)) {
        console_break_lock();
        handle(&error);
    } else if (!put_off(&error)) {
        machine_check_count_lost();
        forget(&error);
    }
}

/* From IDT entry 18: hv was interrupted, wherever, or a paravirtual guest, which runs at CPL 3. */
static void exception(const struct trap_frame *frame)
{
    take(frame->cs & 3 ? MCA_VIA_EXIT : MCA_VIA_MC);
    lapic_send_self(VECTOR_FLUSH); /* out of a halt, or of the guest that is just being entered */
}

enum exit_result vmexit_machine_check(struct vcpu *vcpu)
{
    (void)vcpu;
    take(MCA_VIA_EXIT);
    return EXIT_RESUME;
}

void machine_check_run(struct percore *core)
{
    __atomic_store_n(&core->machine_check_due, false, __ATOMIC_RELAXED);
    machine_check_inject_run(core);
    while (queues[core->index].tail != __atomic_load_n(&queues[core->index].head, __ATOMIC_ACQUIRE)) {
        handle(&queues[core->index].error[queues[core->index].tail % QUEUE]);
        queues[core->index].tail++;
    }
    if (forgotten[core->index].tail != forgotten[core->index].head)
        drop_forgotten(core->index);
    machine_check_poll_run(core);
}

void machine_check_found_by_poll(struct mca_error *error, enum mca_via via)
{
    note_who_ran(error, via);
    machine_check_count(error);
    error->record = mca_ring_take(&machine_check_ring);
    handle(error);
}

/* ---- Setting up ----------------------------------------------------------------------------------------------- */

static uint32_t milliseconds(const char *options, const char *name, uint32_t fallback)
{
    bool bad = false;
    uint64_t value = option_size(options, name, fallback, &bad);

    if (bad || value < 1 || value > UINT32_MAX)
        panic("%s= wants a number of milliseconds, 1 or more", name);
    return (uint32_t)value;
}

bool machine_check_init(const char *options)
{
    struct mca_poll poll = { milliseconds(options, "mce_poll_ms", MCA_POLL_FIRST_MS),
                             milliseconds(options, "mce_poll_min_ms", MCA_POLL_MIN_MS),
                             milliseconds(options, "mce_poll_max_ms", MCA_POLL_MAX_MS) };

    bool bad = false;

    threshold = (unsigned)option_size(options, "mce_threshold", 0, &bad);
    if (bad || threshold > MCA_THRESHOLD_MAX)
        panic("mce_threshold= wants a number of errors, at most %u", MCA_THRESHOLD_MAX);
    enabled = option_flag(options, "mce", true);
    heals_without_dom0 = option_flag(options, "mce_heal_without_dom0", false);
    machine_check_case_init(milliseconds(options, "mce_dom0_deadline_ms", DEADLINE_MS));
    machine_check_poll_init(&poll);
    if (enabled) {
        memory_keep_text();
        trap_take_machine_checks(exception); /* here: the other cores have not started */
    }
    return enabled;
}

void machine_check_core_begin(void)
{
    if (!enabled)
        return;
    if (threshold)
        lapic_set_extended(VECTOR_THRESHOLD);
    if (!mca_banks_begin(threshold))
        return;
    if (percore_self()->index == 0)
        machine_check_poll_begin();
}
