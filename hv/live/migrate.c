/* SPDX-License-Identifier: MIT */
#include "hv/live/migrate.h"

#include "hv/core/clock.h"
#include "hv/core/format.h"
#include "hv/core/memory.h"
#include "hv/core/percore.h"
#include "hv/core/link.h"
#include "hv/core/text.h"
#include "hv/live/outgoing.h"
#include "hv/live/precopy.h"
#include "hv/live/pv_state.h"
#include "hv/live/receive.h"
#include "hv/live/state.h"
#include "hv/vm/physmap.h"
#include "hv/vm/pv_suspend.h"
#include "hv/vm/schedule.h"
#include "hv/vm/vcpu_timer.h"

#define BATCH 32
#define ROOM_ORDER 6 /* 256 KiB: a batch, or any record of state */

enum stage {
    STAGE_IDLE,
    STAGE_SUSPEND, /* the guest, a paravirtual one, has been asked to suspend itself */
    STAGE_ROUNDS, /* the guest runs */
    STAGE_LAST,   /* it stands still */
    STAGE_DOUBT   /* it stands still: nobody knows whether it runs at the other end of the link */
};

static struct migration {
    enum stage stage;
    struct guest *source;
    uint16_t domid;
    bool remote;
    struct outgoing outgoing; /* remote */
    struct receive receive;   /* not remote */
    struct answer answer;
    struct stream_writer writer;
    void *room;
    uint64_t *bitmap;      /* frames of this round */
    unsigned bitmap_order;
    uint64_t position;     /* the next frame to look at */
    struct precopy round;
    uint64_t checksum, records, cut_after;
    uint64_t begun_at, paused_at; /* clock_now(); paused_at 0: it runs */
    const char *wrong;
} job; /* domctl's lock */

/* ---- Records --------------------------------------------------------------------------------------------- */

static bool send(void)
{
    size_t size = stream_finish(&job.writer);
    const struct stream_record *head = job.room;

    if (!size)
        job.wrong = "a record is larger than its room";
    else if (job.cut_after && ++job.records > job.cut_after)
        job.wrong = "the link was lost";
    else if (job.remote)
        job.wrong = outgoing_transmit(job.room, size);
    else
        job.wrong = receive_record(&job.receive, job.room, size);
    if (!job.wrong)
        job.checksum = stream_checksum(job.checksum, head + 1, head->size);
    return !job.wrong;
}

static void begin(enum stream_record_type type)
{
    stream_begin(&job.writer, job.room, (size_t)PAGE_SIZE << ROOM_ORDER, type);
}

static bool send_head(uint32_t mode)
{
    begin(STREAM_BEGIN);
    stream_put_u64(&job.writer, STREAM_MAGIC);
    stream_put_u64(&job.writer, STREAM_VERSION);
    stream_put_u64(&job.writer, job.outgoing.job);
    stream_put_u64(&job.writer, mode);
    if (!send())
        return false;
    begin(STREAM_GUEST);
    state_put_guest(&job.writer, job.source);
    return send();
}

static bool send_state(void)
{
    uint64_t sum;

    for (unsigned i = 0; i < job.source->spec.vcpus; i++) {
        begin(STREAM_VCPU);
        state_put_vcpu(&job.writer, &job.source->vcpus[i]);
        if (!send())
            return false;
    }
    begin(STREAM_DEVICES);
    state_put_devices(&job.writer, job.source);
    if (!send())
        return false;
    begin(STREAM_XEN);
    state_put_xen(&job.writer, job.source);
    if (!send())
        return false;
    sum = job.checksum;
    begin(STREAM_END);
    stream_put_u64(&job.writer, sum);
    return send();
}

/* ---- Pages ----------------------------------------------------------------------------------------------- */

static bool in_round(uint64_t frame)
{
    return job.bitmap[frame / 64] >> frame % 64 & 1;
}

/* Which of the frames that hv shares with the guest this is. */
static uint64_t shared_number(uint64_t spa)
{
    uint64_t grant = spa - job.source->grant_frames;

    if (spa == (uintptr_t)job.source->shared_info)
        return 0;
    if (!job.source->grant_frames || grant >> PAGE_SHIFT >= GUEST_GRANT_FRAMES)
        job.wrong = "a page of another domain's, or of hv's, is mapped in it";
    return 1 + (grant >> PAGE_SHIFT);
}

static bool is_own(uint64_t word)
{
    enum npt_type type = (enum npt_type)(word & STREAM_FRAME_TYPE);

    return npt_is_present(type) && type != NPT_FOREIGN;
}

/* Collect a batch: frames of this round, less those that were written again meanwhile and will come in the next. */
static unsigned collect(uint64_t words[BATCH], uint64_t spas[BATCH])
{
    uint64_t frames = physmap_frames(job.source);
    struct npt_page page;
    unsigned count = 0;

    for (; job.position < frames && count < BATCH; job.position++) {
        uint64_t gpa = job.position << PAGE_SHIFT;

        if (!job.bitmap[job.position / 64]) {
            job.position |= 63;
            continue;
        }
        if (!in_round(job.position) || !npt_find(&job.source->npt, gpa, &page))
            continue;
        if (job.stage == STAGE_ROUNDS && log_dirty_test(&job.source->log, job.position)) {
            job.round.skipped++;
            continue;
        }
        words[count] = gpa | (page.type == NPT_LOG_DIRTY ? NPT_RAM : page.type);
        if (page.type == NPT_FOREIGN)
            words[count] |= shared_number(page.spa) << STREAM_FRAME_SHARED;
        spas[count++] = page.spa;
    }
    return count;
}

static bool send_batch(void)
{
    static uint64_t words[BATCH], spas[BATCH]; /* domctl's lock */
    unsigned count;

    begin(STREAM_PAGES);
    lock_acquire(&job.source->memory_lock); /* no frame goes elsewhere while it is read */
    count = collect(words, spas);
    stream_put_u64(&job.writer, count);
    stream_put(&job.writer, words, count * sizeof(words[0]));
    for (unsigned i = 0; i < count; i++)
        if (is_own(words[i]))
            stream_put(&job.writer, memory_pointer(spas[i]), PAGE_SIZE);
    lock_release(&job.source->memory_lock);
    job.round.sent += count;
    job.round.total += count;
    return !job.wrong && (!count || send());
}

/* ---- A paravirtual guest: stop and copy ------------------------------------------------------------------- */

/* Nothing tells which of its pages it writes while it runs, so all go while it is suspended. */
static bool send_pv_pages(void)
{
    uint64_t frames = pv_state_frames(job.source);

    while (job.position < frames && !job.wrong) {
        uint64_t count = frames - job.position < BATCH ? frames - job.position : BATCH;

        begin(STREAM_PV_PAGES);
        stream_put_u64(&job.writer, count);
        for (uint64_t i = 0; i < count && !job.wrong; i++)
            job.wrong = pv_state_put_page(&job.writer, job.source, job.position++);
        job.round.sent += count;
        job.round.total += count;
        if (!job.wrong)
            send();
    }
    return !job.wrong;
}

static bool send_pv_state(void)
{
    uint64_t sum;

    begin(STREAM_PV_GUEST);
    job.wrong = pv_state_put_guest(&job.writer, job.source);
    if (job.wrong || !send())
        return false;
    for (unsigned i = 0; i < job.source->spec.vcpus; i++) {
        begin(STREAM_PV_VCPU);
        job.wrong = pv_state_put_vcpu(&job.writer, job.source, i);
        if (job.wrong || !send())
            return false;
    }
    sum = job.checksum;
    begin(STREAM_END);
    stream_put_u64(&job.writer, sum);
    return send();
}

/* ---- Rounds ---------------------------------------------------------------------------------------------- */

static void print_round(const char *then)
{
    console_print("migrate domain=%u round=%u sent=%lu skipped=%lu then=%s", job.domid, job.round.rounds,
                  (unsigned long)job.round.sent, (unsigned long)job.round.skipped, then);
}

static void next_round(void)
{
    job.position = 0;
    job.round.sent = job.round.skipped = 0;
    physmap_log_dirty_take(job.source, job.bitmap, true);
}

/* hv writes the vCPUs' records without noting it: they go once more. From here on it writes nothing. */
static void freeze(void)
{
    for (unsigned i = 0; i < job.source->spec.vcpus; i++) {
        struct vcpu *vcpu = &job.source->vcpus[i];

        vcpu_timer_freeze(vcpu);
        if (vcpu->info_registered)
            log_dirty_mark(&job.source->log, vcpu->info_gpa >> PAGE_SHIFT);
        if (vcpu->runstate_gpa)
            log_dirty_mark(&job.source->log, vcpu->runstate_gpa >> PAGE_SHIFT);
    }
}

static void stop_guest(void)
{
    schedule_pause(job.source);
    job.paused_at = clock_now();
    freeze();
    job.stage = STAGE_LAST;
    next_round();
}

static void end_of_round(void)
{
    enum precopy_verdict verdict;

    job.round.rounds++;
    verdict = precopy_decide(&job.round);
    print_round(precopy_verdict_name(verdict));
    if (verdict == PRECOPY_ANOTHER)
        next_round();
    else
        stop_guest();
}

/* ---- Beginning and end ----------------------------------------------------------------------------------- */

static void release(void)
{
    if (job.room)
        memory_free((uintptr_t)job.room, ROOM_ORDER);
    if (job.bitmap)
        memory_free((uintptr_t)job.bitmap, job.bitmap_order);
    job = (struct migration){ 0 };
}

/* The guest goes on here as before: at the size its pages had, if it is there still. */
static int64_t fail(bool source_is_there, struct domctl_hv_migrate *op)
{
    if (job.remote && job.stage != STAGE_DOUBT)
        outgoing_abort(&job.outgoing);
    receive_abort(&job.receive);
    console_print("migrate domain=%u failed: %s", job.domid, job.wrong);
    if (op)
        format_text(op->reason, sizeof(op->reason), "%s", job.wrong);
    if (source_is_there && job.source->pv) {
        pv_suspend_cancel(job.source);
    } else if (source_is_there) {
        for (unsigned i = 0; job.paused_at && i < job.source->spec.vcpus; i++)
            vcpu_timer_thaw(&job.source->vcpus[i]);
        if (job.paused_at)
            schedule_unpause(job.source);
        physmap_log_dirty_end(job.source);
        physmap_promote(job.source);
    }
    release();
    return -XEN_EIO;
}

static const char *begin_where(const struct domctl_hv_migrate *op)
{
    if (op->where == MIGRATE_LINK) {
        job.remote = true;
        return outgoing_begin(&job.outgoing);
    }
    job.receive.near = op->node;
    if (op->node && !(job.receive.cores = percore_of_node(op->node - 1)))
        return "there is no such node";
    return NULL;
}

static int64_t start(struct guest *source, struct domctl_hv_migrate *op)
{
    uint64_t bytes = log_dirty_bytes(physmap_frames(source));
    int64_t result;

    if (source->pv && !pv_suspend_can(source))
        return -XEN_EOPNOTSUPP; /* its tables, and it, hold this machine's frames */
    if (op->mode > MIGRATE_TO_SHADOW || op->where > MIGRATE_LINK || (op->where && op->node))
        return -XEN_EINVAL;
    job = (struct migration){ .stage = STAGE_ROUNDS, .source = source, .domid = source->domid,
                              .cut_after = op->cut_after, .begun_at = clock_now() };
    while ((uint64_t)PAGE_SIZE << job.bitmap_order < bytes)
        job.bitmap_order++;
    job.room = memory_pointer(memory_alloc(ROOM_ORDER));
    job.bitmap = memory_pointer(memory_alloc(job.bitmap_order));
    result = !job.room || !job.bitmap ? -XEN_ENOMEM : source->pv ? 0 : physmap_log_dirty_begin(source);
    if (result) {
        release();
        return result;
    }
    memset(job.bitmap, 0xFF, bytes);
    job.round.memory = guest_pages(source);
    job.wrong = begin_where(op);
    if (!job.wrong)
        job.wrong = state_cannot_go(source);
    if (source->pv)
        job.stage = STAGE_SUSPEND;
    if (job.wrong || !send_head(op->mode))
        return fail(true, op);
    return 0;
}

/* It runs at the other end, as domain `domid` there. */
static void print_end(uint64_t domid)
{
    uint64_t now = clock_now();

    console_print("migrate domain=%u new=%u rounds=%u pages=%lu memory=%lu downtime_ns=%lu total_ns=%lu", job.domid,
                  (unsigned)domid, job.round.rounds, (unsigned long)job.round.total, (unsigned long)job.round.memory,
                  (unsigned long)(now - job.paused_at), (unsigned long)(now - job.begun_at));
}

static int64_t finish(struct domctl_hv_migrate *op, uint64_t domid)
{
    if (op) {
        op->new_domain = (uint32_t)domid;
        op->rounds = job.round.rounds;
        op->pages = job.round.total;
        op->downtime_ns = clock_now() - job.paused_at;
    }
    print_end(domid);
    job.source->line_length = 0; /* the begun line has moved */
    guest_destroy(job.source);
    release();
    return 0;
}

static int64_t finish_here(struct domctl_hv_migrate *op)
{
    struct guest *target = job.receive.guest;

    job.round.rounds++;
    print_round("end");
    console_print("migrate domain=%u new=%u map=%lx", job.domid, target->domid, (unsigned long)target->npt.root);
    target->pauses = job.source->pauses; /* ours, and whoever else's */
    guest_come_alive(target);
    schedule_unpause(target);
    return finish(op, target->domid);
}

/* The other end has everything: who has the guest from now on? */
static int64_t finish_there(struct domctl_hv_migrate *op)
{
    enum answer_code code;

    job.round.rounds++;
    print_round("end");
    job.wrong = outgoing_wait_ready(&job.outgoing, &job.answer);
    if (job.wrong)
        return fail(true, op);
    code = outgoing_commit(&job.outgoing, job.source->pauses - 1, &job.answer);
    if (code == ANSWER_RUNS)
        return finish(op, job.answer.domid);
    job.wrong = "the other end has dropped it";
    if (code == ANSWER_UNKNOWN)
        return fail(true, op);
    job.stage = STAGE_DOUBT;
    console_print("migrate domain=%u undecided: the link was lost after the guest was released; it waits", job.domid);
    format_text(op->reason, sizeof(op->reason),
                "undecided: paused until the other end answers, or unpause, or destroy");
    return -XEN_EIO;
}

static int64_t step_pv(struct hypercall *call, struct domctl_hv_migrate *op)
{
    int64_t result = pv_suspend(job.source);

    if (result == -XEN_EAGAIN) {
        call->again = true;
        return 0;
    }
    if (result) {
        job.wrong = "it does not suspend itself";
        return fail(true, op);
    }
    job.paused_at = clock_now();
    job.stage = STAGE_LAST;
    console_print("migrate domain=%u suspended: a paravirtual guest moves by stop and copy", job.domid);
    job.wrong = pv_state_cannot_go(job.source);
    if (!job.wrong)
        job.wrong = state_cannot_go(job.source);
    if (job.wrong || !send_pv_pages() || !send_pv_state())
        return fail(true, op);
    return job.remote ? finish_there(op) : finish_here(op);
}

static int64_t step(struct hypercall *call, struct domctl_hv_migrate *op)
{
    uint64_t frames = physmap_frames(job.source);

    job.wrong = job.remote ? outgoing_trouble(&job.outgoing, &job.answer) : NULL;
    if (job.wrong)
        return fail(true, op);
    if (job.source->pv)
        return step_pv(call, op);
    if (job.remote && job.stage == STAGE_ROUNDS && !link_may_send()) {
        call->again = true;
        return 0;
    }
    do /* the guest stands still in the last round, so that nobody else is given time then */
        if (!send_batch())
            return fail(true, op);
    while (job.stage == STAGE_LAST && job.position < frames);
    if (job.stage == STAGE_ROUNDS) {
        if (job.position >= frames)
            end_of_round();
        call->again = true;
        return 0;
    }
    job.wrong = state_cannot_go(job.source);
    if (job.wrong || !send_state())
        return fail(true, op);
    return job.remote ? finish_there(op) : finish_here(op);
}

int64_t migrate_domctl(struct hypercall *call, struct guest *source, struct domctl_hv_migrate *op)
{
    int64_t result;

    if (job.stage == STAGE_DOUBT || (job.stage != STAGE_IDLE && job.source != source))
        return -XEN_EBUSY;
    if (job.stage == STAGE_IDLE) {
        result = start(source, op);
        if (result)
            return result;
    }
    return step(call, op);
}

void migrate_source_destroyed(const struct guest *guest)
{
    if (job.stage == STAGE_IDLE || job.source != guest)
        return;
    if (job.stage == STAGE_DOUBT) { /* the operator has decided it */
        release();
        return;
    }
    job.wrong = "it was destroyed";
    fail(false, NULL);
}

/* ---- Doubt ----------------------------------------------------------------------------------------------- */

/* An operator who has let the guest go on has decided it. */
static void resolve(void)
{
    bool answered;

    if (!job.source->pauses) {
        release();
        return;
    }
    answered = incoming_answer(job.outgoing.job, &job.answer);
    if (answered && job.answer.code == ANSWER_RUNS) {
        finish(NULL, job.answer.domid);
    } else if (answered && job.answer.code == ANSWER_UNKNOWN) {
        job.wrong = "the other end does not have it";
        fail(true, NULL);
    } else if (link_changes() != job.outgoing.changes) {
        job.outgoing.changes = link_changes();
        outgoing_query(&job.outgoing);
    }
}

static void retry(void *ctx)
{
    (void)ctx;
    migrate_link_work();
}

void migrate_link_work(void)
{
    static struct timer timer = { .fire = retry };

    incoming_work();
    if (job.stage != STAGE_DOUBT)
        return;
    if (hypercall_domctl_try_hold()) {
        if (job.stage == STAGE_DOUBT)
            resolve();
        hypercall_domctl_release();
    } else {
        timer_set(&timer, clock_now() + CLOCK_MS);
    }
}
