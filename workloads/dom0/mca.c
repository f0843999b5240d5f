/* SPDX-License-Identifier: MIT */
/*
 * Two handlers, each on or off: VIRQ_MCA's event tells of corrected errors, trap 18 of those that nobody
 * corrected. The trap
 * handler fetches the record and answers as it was told to: notify the domain, carry out an operation on it,
 * both, nothing.
 */
#include "workloads/dom0/mca.h"

#include "hv/abi/guest_calls.h"
#include "hv/abi/xen.h"
#include "hv/core/format.h"
#include "hv/core/options.h"
#include "hv/core/text.h"
#include "workloads/dom0/calls.h"
#include "workloads/dom0/ras.h"
#include "workloads/dom0/verbs.h"
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/mca.h"

#define PAGE_SHIFT 12
#define CYCLES_PER_US 2300u

enum operation { OPERATION_NONE, OPERATION_DESTROY, OPERATION_PAUSE, OPERATION_UNPAUSE, OPERATION_OFFLINE };
static const char *const operations[] = { "none", "destroy", "pause", "unpause", "offline" };
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static struct {
    bool notify;
    enum operation operation;
    uint32_t dwell_us; /* time in the handler before it answers */
} answer;

static uint32_t event_port, traps, events, nested;
static volatile bool in_trap;
static struct mca_call record, notice, by_hand;

/* ---- What a record says --------------------------------------------------------------------------------------- */

static const struct mca_global_v1 *global_of(const struct mca_call *call)
{
    return mca_record(&call->fetch_v1.info, MCA_RECORD_GLOBAL);
}

static const struct mca_bank_v1 *bank_of(const struct mca_call *call)
{
    return mca_record(&call->fetch_v1.info, MCA_RECORD_BANK);
}

static void say_record(const char *how, const struct mca_call *call, int64_t error)
{
    const struct mca_global_v1 *global = error ? 0 : global_of(call);
    const struct mca_bank_v1 *bank = error ? 0 : bank_of(call);

    say("mca: %s fetch=%s idx=%u", how, mca_result(error, call->fetch_v1.flags), call->fetch_v1.fetch_idx);
    if (error || call->fetch_v1.flags & MCA_NODATA)
        return;
    if (global)
        say("mca: global domid=%u vcpu=%u core=%u mcg=%lx flags=%x", global->domid, global->vcpu, global->core,
            (unsigned long)global->gstatus, global->flags);
    if (bank)
        say("mca: bank=%u owner=%u status=%lx addr=%lx misc=%lx", bank->bank, bank->domid,
            (unsigned long)bank->status, (unsigned long)bank->addr, (unsigned long)bank->misc);
    if (mca_record(&call->fetch_v1.info, MCA_RECORD_RECOVERY))
        say("mca: recovery actions=%x types=%x",
            ((const struct mca_recovery *)mca_record(&call->fetch_v1.info, MCA_RECORD_RECOVERY))->action_flags,
            ((const struct mca_recovery *)mca_record(&call->fetch_v1.info, MCA_RECORD_RECOVERY))->action_types);
}

/*
 * ---- Trap 18
 * ------------------------------------------------------------------------------------------------------
 */

static void dwell(void)
{
    uint32_t low, high;
    uint64_t now, end = 0;

    do {
        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        now = (uint64_t)high << 32 | low;
        end = end ? end : now + (uint64_t)answer.dwell_us * CYCLES_PER_US;
    } while (now < end);
}

static void operate(uint16_t domain, uint64_t frame)
{
    struct domctl op = { .command = 0 };
    uint32_t status = 0;
    struct sysctl page = { .command = 0 };
    int64_t error = 0;

    if (answer.operation == OPERATION_DESTROY)
        error = calls_domctl(DOMCTL_DESTROYDOMAIN, domain, &op);
    else if (answer.operation == OPERATION_PAUSE)
        error = calls_domctl(DOMCTL_PAUSEDOMAIN, domain, &op);
    else if (answer.operation == OPERATION_UNPAUSE)
        error = calls_domctl(DOMCTL_UNPAUSEDOMAIN, domain, &op);
    else
        error = calls_page_offline(&page, PAGE_OFFLINE, frame, &status);
    say("mca: %s domain=%u frame=%lx result=%ld status=%x", operations[answer.operation], domain,
        (unsigned long)frame, (long)error, status);
}

__attribute__((interrupt)) static void trap(struct interrupt_frame *frame)
{
    const struct mca_global_v1 *global;
    const struct mca_bank_v1 *bank;
    int64_t error;

    (void)frame;
    traps++;
    nested += in_trap;
    in_trap = true;
    error = mca_fetch(&record, MCA_INTERFACE_V1, MCA_V1_TRAP);
    say_record("T0", &record, error);
    global = error ? 0 : global_of(&record);
    bank = error ? 0 : bank_of(&record);
    dwell();
    if (global && global->domid != DOMID_CONTROL && global->domid < DOMID_FIRST_RESERVED) {
        if (answer.notify) {
            error = mca_notify(&notice, global->domid, global->vcpu, record.fetch_v1.fetch_idx, MCA_V1_TRAP);
            say("mca: notify domain=%u vcpu=%u result=%s", global->domid, global->vcpu,
                mca_result(error, notice.notify_v1.flags));
        }
        if (answer.operation != OPERATION_NONE)
            operate(global->domid, bank ? bank->addr >> PAGE_SHIFT : 0);
    }
    in_trap = false;
}

/*
 * ---- VIRQ_MCA
 * ------------------------------------------------------------------------------------------------------
 */

uint32_t mca_port(void)
{
    return event_port;
}

void mca_event(void)
{
    int64_t error;

    events++;
    for (;;) {
        error = mca_fetch(&by_hand, MCA_INTERFACE_V1, MCA_V1_CORRECTABLE);
        if (error || by_hand.fetch_v1.flags & MCA_NODATA)
            return;
        say_record("event", &by_hand, error);
        ras_count(&by_hand.fetch_v1.info);
    }
}

/*
 * ---- The verb
 * -------------------------------------------------------------------------------------------------------
 */

static void handlers(unsigned count, char *const *words)
{
    bool event = false, trapped = false;

    for (unsigned i = 2; i < count; i++) {
        event |= text_equal(words[i], "event");
        trapped |= text_equal(words[i], "trap");
    }
    if (event && !event_port)
        event_port = calls_bind(VIRQ_MCA);
    if (!event && event_port) {
        calls_close(event_port);
        event_port = 0;
    }
    mca_trap(trapped ? trap : 0);
    if (mca_register(trapped))
        say("mca: hv knows no machine check");
    say("mca: event handler %s, trap handler %s", event ? "on" : "off", trapped ? "on" : "off");
}

static bool find_operation(const char *word)
{
    for (unsigned i = 0; i < OPERATIONS; i++) {
        if (text_equal(word, operations[i])) {
            answer.operation = (enum operation)i;
            return true;
        }
    }
    return false;
}

static void set_answer(unsigned count, char *const *words)
{
    bool bad = false;

    answer.notify = false;
    answer.operation = OPERATION_NONE;
    answer.dwell_us = 0;
    for (unsigned i = 2; i < count; i++) {
        if (text_equal(words[i], "notify"))
            answer.notify = true;
        else if (!find_operation(words[i]))
            answer.dwell_us = (uint32_t)option_size(words[i], "dwell", UINT32_MAX, &bad);
        if (bad || answer.dwell_us == UINT32_MAX) {
            answer.dwell_us = 0;
            say("mca answer: notify, destroy, pause, unpause, offline, dwell=MICROSECONDS are the words");
            return;
        }
    }
    say("mca: answers %s%s", answer.notify ? "notify " : "", operations[answer.operation]);
}

static uint32_t word_number(unsigned count, char *const *words, unsigned at)
{
    uint32_t value = 0;

    for (const char *digit = at < count ? words[at] : ""; *digit >= '0' && *digit <= '9'; digit++)
        value = value * 10 + (uint32_t)(*digit - '0');
    return value;
}

/* Calls by hand, for what hv must refuse: mca fetch VERSION FLAGS, mca notify DOMAIN VCPU IDX FLAGS. */
static void call(unsigned count, char *const *words)
{
    uint32_t version = word_number(count, words, 2);
    int64_t error;

    if (text_equal(words[1], "fetch")) {
        error = mca_fetch(&by_hand, version == 1 ? MCA_INTERFACE_V1 : version == 2 ? MCA_INTERFACE_V2 : version,
                          word_number(count, words, 3));
        say_record("call", &by_hand, error);
        return;
    }
    error = mca_notify(&notice, (uint16_t)word_number(count, words, 2), (uint16_t)word_number(count, words, 3),
                       word_number(count, words, 4), word_number(count, words, 5));
    say("mca: notify result=%s", mca_result(error, notice.notify_v1.flags));
}

void mca_verb(unsigned count, char *const *words)
{
    if (count > 1 && text_equal(words[1], "handlers"))
        handlers(count, words);
    else if (count > 1 && text_equal(words[1], "answer"))
        set_answer(count, words);
    else if (count > 1 && (text_equal(words[1], "fetch") || text_equal(words[1], "notify")))
        call(count, words);
    else
        say("mca: traps=%u nested=%u events=%u", traps, nested, events);
}
