/* SPDX-License-Identifier: MIT */
/* A guest: its memory on nested tables, its vCPUs, its console. */
#ifndef HV_VM_GUEST_H
#define HV_VM_GUEST_H

#include "hv/core/console.h"
#include "hv/core/multiboot.h"
#include "hv/npt/npt.h"
#include "hv/svm/svm.h"
#include "hv/vm/counts.h"
#include "hv/vm/guest_spec.h"
#include "hv/vm/vlapic.h"
#include "hv/x86/lock.h"

#define GUESTS_MAX 32

enum vcpu_state {
    VCPU_DOWN,     /* not started (another vCPU does that) */
    VCPU_RUNNABLE, /* waits for a core */
    VCPU_RUNNING,
    VCPU_BLOCKED,  /* in HLT; woken by vcpu_op */
    VCPU_DONE
};

struct guest;

struct vcpu {
    struct svm_vcpu svm;
    struct guest *guest;
    unsigned id;
    enum vcpu_state state;     /* the scheduler's lock guards it */
    volatile bool down_wanted; /* and this: leave at the next exit */
    bool initialised;          /* has a context to run */
    uint64_t halted_since;     /* TSC, 0: not halted */
    struct exit_counts counts;
    struct vlapic apic;
    bool cr8_armed;            /* generation 1: the next CR8 write exits */
};

enum guest_outcome { GUEST_RUNS, GUEST_FINISHED, GUEST_CRASHED };

struct guest {
    struct guest_spec spec;
    const char *string; /* the module's; also the guest's command line */
    struct npt npt;
    struct lock memory_lock; /* nested tables of a guest populated on demand */
    struct vcpu *vcpus;
    enum guest_outcome outcome;
    uint64_t result;     /* what the guest reported with mark 3 */
    struct lock console_lock;
    char line[CONSOLE_LINE / 2];
    unsigned line_length;
    uint8_t uart_scratch, uart_lcr;
};

extern struct guest guests[GUESTS_MAX];
extern unsigned guest_count;

/* A guest from one module. NULL, or one line: what is wrong. */
const char *guest_create(struct guest *guest, unsigned index, const struct multiboot_module *module,
                         enum npt_size limit);
/* Back gpa if it is the guest's RAM and not yet backed; false if it is no RAM or memory ran out. */
bool guest_populate(struct guest *guest, uint64_t gpa);
bool guest_write(struct guest *guest, uint64_t gpa, const void *data, uint64_t size);
bool guest_read(struct guest *guest, uint64_t gpa, void *data, uint64_t size);
void guest_console_put(struct guest *guest, char c);
/* The run of this guest is over; its vCPUs will not be entered again. */
void guest_finish(struct guest *guest, enum guest_outcome outcome, uint64_t result);

#endif
