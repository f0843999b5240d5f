/* SPDX-License-Identifier: MIT */
#include "hv/live/incoming.h"

#include "hv/core/clock.h"
#include "hv/core/format.h"
#include "hv/core/link.h"
#include "hv/core/text.h"
#include "hv/core/timer.h"
#include "hv/live/outgoing.h"
#include "hv/vm/schedule.h"

#define SILENCE (1000 * CLOCK_MS) /* after so long without a record the sender has given up */

enum incoming_stage { INCOMING_NONE, INCOMING_STREAM, INCOMING_READY };

static struct {
    struct lock lock;
    enum incoming_stage stage;
    struct receive receive;
    unsigned changes;        /* of the carrier, when the stream began */
    uint64_t came, came_domid; /* the last job whose guest runs here */
    struct answer answer;    /* the last one that came */
    struct timer silence;
} incoming;

/* ---- Answers --------------------------------------------------------------------------------------------- */

static void answer(enum answer_code code, uint64_t job, uint64_t domid, const char *text)
{
    static struct answer_record {
        struct stream_record head;
        struct answer body;
    } record __attribute__((aligned(4096))); /* incoming.lock */

    record = (struct answer_record){ { STREAM_ANSWER, sizeof(struct answer) }, { code, job, domid, { 0 } } };
    format_text(record.body.text, sizeof(record.body.text), "%s", text);
    outgoing_transmit(&record, sizeof(record)); /* who does not get it loses the carrier, or asks */
}

static void take_answer(struct stream_reader *body)
{
    const struct answer *sent = stream_get(body, sizeof(*sent));

    if (!sent)
        return;
    incoming.answer = *sent;
    incoming.answer.text[sizeof(incoming.answer.text) - 1] = '\0';
}

bool incoming_answer(uint64_t job, struct answer *found)
{
    bool there;

    lock_acquire(&incoming.lock);
    there = incoming.answer.code != ANSWER_NONE && incoming.answer.job == job;
    if (there)
        *found = incoming.answer;
    lock_release(&incoming.lock);
    return there;
}

/* ---- A guest that comes ---------------------------------------------------------------------------------- */

/* Whatever has come of it goes, also when it is whole: it does not run before the sender says so. */
static void drop(const char *why)
{
    if (incoming.stage == INCOMING_NONE)
        return;
    if (incoming.receive.guest)
        guest_forget(incoming.receive.guest);
    incoming.receive = (struct receive){ 0 };
    incoming.stage = INCOMING_NONE;
    console_print("migrate incoming dropped: %s", why);
}

static void silence_fires(void *ctx)
{
    (void)ctx;
    lock_acquire(&incoming.lock);
    drop("nothing more came");
    lock_release(&incoming.lock);
}

static void take_record(const struct stream_record *head, size_t size)
{
    const char *wrong;

    if (head->type == STREAM_BEGIN) {
        drop("its sender begins anew");
        incoming.receive = (struct receive){ 0 };
        incoming.stage = INCOMING_STREAM;
        incoming.changes = link_changes();
    }
    if (incoming.stage != INCOMING_STREAM)
        return; /* the rest of one that was refused */
    wrong = receive_record(&incoming.receive, head, size);
    if (wrong) {
        answer(ANSWER_REFUSED, incoming.receive.job, 0, wrong);
        incoming.stage = INCOMING_NONE;
        console_print("migrate incoming refused: %s", wrong);
    } else if (incoming.receive.complete) {
        incoming.stage = INCOMING_READY;
        answer(ANSWER_READY, incoming.receive.job, incoming.receive.guest->domid, "");
    }
}

static void go(struct stream_reader *body)
{
    uint64_t job = stream_get_u64(body), pauses = stream_get_u64(body);
    struct guest *guest = incoming.receive.guest;

    if (incoming.stage != INCOMING_READY || incoming.receive.job != job) {
        answer(ANSWER_UNKNOWN, job, 0, "");
        return;
    }
    incoming.stage = INCOMING_NONE;
    incoming.receive = (struct receive){ 0 };
    incoming.came = job;
    incoming.came_domid = guest->domid;
    console_print("migrate incoming guest=%s domain=%u map=%lx pages=%lu", guest->spec.name, guest->domid,
                  (unsigned long)guest->npt.root, (unsigned long)guest_pages(guest));
    guest->pauses = (unsigned)pauses + 1;
    guest_come_alive(guest);
    schedule_unpause(guest);
    answer(ANSWER_RUNS, job, incoming.came_domid, "");
}

static void query(uint64_t job)
{
    bool runs = incoming.came == job && job;

    if (!runs && incoming.receive.job == job)
        drop("its sender has taken it back");
    answer(runs ? ANSWER_RUNS : ANSWER_UNKNOWN, job, incoming.came_domid, "");
}

/* ---------------------------------------------------------------------------------------------------------- */

static void take(const struct stream_record *head, size_t size)
{
    struct stream_reader body;

    if (size < sizeof(*head))
        return;
    stream_open(&body, head + 1, size - sizeof(*head));
    switch (head->type) {
    case STREAM_GO:
        go(&body);
        break;
    case STREAM_ABORT:
        drop("its sender gave up");
        break;
    case STREAM_QUERY:
        query(stream_get_u64(&body));
        break;
    case STREAM_ANSWER:
        take_answer(&body);
        break;
    default:
        take_record(head, size);
        break;
    }
}

void incoming_work(void)
{
    const void *frame;
    size_t size;

    lock_acquire(&incoming.lock);
    while ((frame = link_frame(&size))) {
        take(frame, size);
        link_release();
    }
    if (incoming.stage != INCOMING_NONE && link_changes() != incoming.changes)
        drop("the link was lost");
    incoming.silence.fire = silence_fires;
    if (incoming.stage != INCOMING_NONE)
        timer_set(&incoming.silence, clock_now() + SILENCE);
    else
        timer_stop(&incoming.silence);
    lock_release(&incoming.lock);
}
