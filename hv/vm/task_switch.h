/* SPDX-License-Identifier: MIT */
/*
 * A hardware task switch in software (APM2 12.3), for guests under shadow paging: the processor would load CR3 from the
 * new TSS, so that the switch exits, after its checks of gates and privilege. Pure: memory and paging come through
 * callbacks.
 *
 * What fails before the commit is the old task's fault, and nothing has changed; what fails after it, while the new
 * state is loaded, is the new task's, which then has its registers but not all of its segments.
 */
#ifndef HV_VM_TASK_SWITCH_H
#define HV_VM_TASK_SWITCH_H

#include "hv/svm/svm.h"

enum task_cause { TASK_JUMP, TASK_CALL, TASK_GATE, TASK_IRET }; /* TASK_GATE: an event whose gate is a task gate */

struct task_switch {
    enum task_cause cause;
    uint16_t selector;    /* of the new TSS */
    uint32_t eip, eflags; /* to be saved in the old TSS */
    bool external;        /* an event other than INT n: EXT in error codes */
    bool has_error;       /* an error code goes to the new task's stack */
    uint32_t error;
};

struct task_fault {
    uint8_t vector;       /* all that can be have an error code */
    uint32_t code;
    uint64_t linear;      /* of #PF: CR2 */
};

enum task_access { TASK_READ, TASK_WRITE, TASK_MAY_READ, TASK_MAY_WRITE }; /* MAY: data is NULL, only faults count */
enum task_result {
    TASK_SWITCHED,
    TASK_TRAPPED,         /* switched, and the new TSS's T bit wants #DB first; DR6.BT is set */
    TASK_FAULTED,         /* with *fault; `committed` says whose it is */
    TASK_CANNOT           /* a table or TSS lies where the guest has no memory */
};

struct task_host {
    void *ctx;
    /* Linear memory with the rights of CPL 0, or of CPL 3 if `user`; it may lie in several pages. */
    enum task_result (*reach)(void *ctx, uint64_t linear, void *data, unsigned size, enum task_access access,
                              bool user, struct task_fault *fault);
    /* CR0.TS is set; CR3 is loaded if `cr3` is not NULL and paging is on. False: PDPTEs that are not legal. */
    bool (*load)(void *ctx, const uint32_t *cr3);
};

/* *task: the old one's registers; then the new one's if *committed, else as it was. */
enum task_result task_switch(const struct task_switch *how, const struct task_host *host, struct svm_task *task,
                             bool *committed, struct task_fault *fault);

#endif
