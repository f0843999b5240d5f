/* SPDX-License-Identifier: MIT */
/*
 * What comes over the link: guests, and answers about those that have gone. A guest is whole before its sender lets go
 * of it, and runs only once the sender has said so:
 *
 *   sender                                       receiver
 *   BEGIN .. pages, rounds .. state, END  ->
 *                                         <-     READY, or at any time REFUSED and why
 *   GO (from here on it does not resume alone) ->  the guest runs
 *   destroys its own                      <-     RUNS
 *
 * If the link is lost before READY the guest goes on at the sender; the receiver drops what has come as soon as it
 * loses the carrier. Lost between GO and RUNS the sender cannot know: it holds the guest, paused, and asks (QUERY) when
 * the carrier comes back. RUNS or UNKNOWN decides; so does the operator, who can look at the other end.
 */
#ifndef HV_LIVE_INCOMING_H
#define HV_LIVE_INCOMING_H

#include "hv/live/receive.h"

enum answer_code { ANSWER_NONE, ANSWER_READY, ANSWER_RUNS, ANSWER_REFUSED, ANSWER_UNKNOWN };
struct answer {
    uint64_t code; /* enum answer_code */
    uint64_t job;
    uint64_t domid;
    char text[RECEIVE_WHY];
};

/* Take in whatever has arrived, and notice a carrier that is gone. On any core; one at a time. */
void incoming_work(void);
/* The last answer about this job; false: none has come. */
bool incoming_answer(uint64_t job, struct answer *answer);

#endif
