/* SPDX-License-Identifier: MIT */
/*
 * Events: interrupts, exceptions, software interrupts, IRET and hardware task switches (APM2 chapters 8
 * and 12). The interpreter hands over what an instruction came to; everything here is checked first and
 * committed last, so that a failing delivery leaves the interrupted program as it was.
 */
#ifndef FAM10H_CPU_EVENT_H
#define FAM10H_CPU_EVENT_H

#include "sim/cpu/core.h"

/*
 * Deliver an event, with everything that may happen on the way: SVM exception intercepts, faults during
 * delivery, double fault, shutdown.
 *
 * On entry rip is the instruction to come back to: the faulting one for a fault, the next to run for an
 * interrupt or a trap. For INT n, INT3, INTO and ICEBP (event->breakpoint, event->icebp or
 * EVENT_SOFT_INT) rip is the instruction itself and next_rip the one behind: next_rip is what gets
 * pushed, and rip what an intercept or a fault during delivery shows.
 *
 * OUTCOME_NEXT: rip and next_rip are the handler's. OUTCOME_VMEXIT: core->exit is filled, rip stays, and
 * core->svm.delivering(_valid) says what EXITINTINFO is to report. OUTCOME_SHUTDOWN: triple fault.
 */
enum outcome event_deliver(struct core *core, const struct event *event);

/*
 * The same for EVENTINJ (APM2 15.20): the event itself is not intercepted, an exception does not touch
 * DR6 or CR2's neighbours, and an NMI does not mask further NMIs. The pushed rIP is rip; with NRIPS, for INT n and for
 * vectors 3 and 4 as exceptions (event->breakpoint), it is next_rip, which VMRUN has taken from the VMCB's nRIP.
 */
enum outcome event_inject(struct core *core, const struct event *event);

/* OUTCOME_IRET: the return, in any mode. OUTCOME_NEXT, a fault, a #VMEXIT. */
enum outcome event_iret(struct core *core);

enum task_cause { TASK_JUMP, TASK_CALL, TASK_IRET, TASK_GATE };

/*
 * Switch to the task of the TSS `selector` (APM2 12.3) for JMP, CALL or IRET, which has checked its
 * privilege to do so. OUTCOME_NEXT: rip and next_rip are the new task's. A fault may be one of the old
 * task or one of the new: rip says whose. A set T bit leaves DR6_BT in pending_dr6 for the next boundary.
 */
enum outcome event_task(struct core *core, uint16_t selector, enum task_cause cause);

/*
 * Carry an instruction's outcome through: FAULT, TRAP, SOFT_INT, IRET and TASK are acted on here, until
 * only OUTCOME_NEXT (rip is already the new one, and next_rip equals it), VMEXIT or SHUTDOWN is left.
 * Other outcomes come back unchanged and with rip as it was.
 */
enum outcome event_resolve(struct core *core, enum outcome outcome);

#endif
