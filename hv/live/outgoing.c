/* SPDX-License-Identifier: MIT */
#include "hv/live/outgoing.h"

#include "hv/core/clock.h"
#include "hv/core/link.h"
#include "hv/x86/cpu.h"
#include "hv/x86/lock.h"

#define PATIENCE (300 * CLOCK_MS) /* the slowest cable carries the largest frame in 210 ms */

static const char LOST[] = "the link was lost";

const char *outgoing_transmit(const void *record, size_t size)
{
    uint64_t end = clock_now() + PATIENCE;
    static struct lock lock;

    for (;;) {
        bool sent;

        lock_acquire(&lock);
        sent = link_send(record, size);
        lock_release(&lock);
        if (sent)
            return NULL;
        if (!link_has_carrier())
            return LOST;
        if (clock_now() > end)
            return "the other end takes nothing";
        cpu_pause();
    }
}

const char *outgoing_begin(struct outgoing *outgoing)
{
    if (!link_is_there())
        return "there is no link";
    if (!link_has_carrier())
        return "nobody is at the other end of the link";
    *outgoing = (struct outgoing){ .job = tsc_read(), .changes = link_changes(), .since = clock_now() };
    return NULL;
}

const char *outgoing_trouble(struct outgoing *outgoing, struct answer *answer)
{
    incoming_work();
    if (link_changes() != outgoing->changes || !link_has_carrier())
        return LOST;
    if (incoming_answer(outgoing->job, answer) && answer->code == ANSWER_REFUSED)
        return answer->text;
    if (link_may_send())
        outgoing->since = clock_now();
    return clock_now() - outgoing->since > PATIENCE ? "the other end takes nothing" : NULL;
}

static const char *wait(struct outgoing *outgoing, enum answer_code code, struct answer *answer)
{
    uint64_t end = clock_now() + PATIENCE;

    for (;;) {
        const char *wrong = outgoing_trouble(outgoing, answer);

        if (wrong)
            return wrong;
        if (incoming_answer(outgoing->job, answer) && (answer->code == code || answer->code == ANSWER_UNKNOWN))
            return NULL;
        if (clock_now() > end)
            return "the other end does not answer";
        cpu_pause();
    }
}

const char *outgoing_wait_ready(struct outgoing *outgoing, struct answer *answer)
{
    return wait(outgoing, ANSWER_READY, answer);
}

/* A record of a few words. */
static const char *say(enum stream_record_type type, uint64_t first, uint64_t second)
{
    static struct {
        struct stream_record head;
        uint64_t word[2];
    } record __attribute__((aligned(4096))); /* domctl's lock */

    record.head = (struct stream_record){ type, sizeof(record.word) };
    record.word[0] = first;
    record.word[1] = second;
    return outgoing_transmit(&record, sizeof(record));
}

/* A GO that was not even sent has not been heard. */
enum answer_code outgoing_commit(struct outgoing *outgoing, unsigned pauses, struct answer *answer)
{
    if (say(STREAM_GO, outgoing->job, pauses)) {
        outgoing_abort(outgoing);
        return ANSWER_UNKNOWN;
    }
    return wait(outgoing, ANSWER_RUNS, answer) ? ANSWER_NONE : (enum answer_code)answer->code;
}

void outgoing_abort(const struct outgoing *outgoing)
{
    say(STREAM_ABORT, outgoing->job, 0);
}

void outgoing_query(const struct outgoing *outgoing)
{
    if (link_has_carrier())
        say(STREAM_QUERY, outgoing->job, 0);
}
