/* SPDX-License-Identifier: MIT */
/*
 * A guest, which Xen calls a domain: its memory on nested tables, its vCPUs, its console. It lives in one of
 * GUESTS_MAX places, which is free again after its end; its number (domid) names it and is not given twice in a row.
 *
 *   free -> building -> alive -> dying -> free
 *             |  ^
 *             created (domctl: a number, and no more)
 *
 * A guest that has ended by itself stays alive, with an outcome, until it is destroyed or hv reports. Dying: no
 * vCPU is entered again, and whoever sees the last one leave gives back what the guest had.
 */
#ifndef HV_VM_GUEST_H
#define HV_VM_GUEST_H

#include "hv/abi/xen.h"
#include "hv/core/console.h"
#include "hv/core/multiboot.h"
#include "hv/core/timer.h"
#include "hv/migrate/features.h"
#include "hv/npt/log_dirty.h"
#include "hv/npt/npt.h"
#include "hv/pv/pv.h"
#include "hv/shadow/shadow.h"
#include "hv/svm/svm.h"
#include "hv/vdev/vdev.h"
#include "hv/vm/counts.h"
#include "hv/vm/credit.h"
#include "hv/vm/guest_spec.h"
#include "hv/x86/lock.h"

#define GUESTS_MAX 32
#define GUEST_STRING_MAX 1024
#define GUEST_GRANT_ORDER 2
#define GUEST_GRANT_FRAMES (1u << GUEST_GRANT_ORDER)
#define HVM_PARAMS 40
#define GUEST_RAM_PIECES 3


enum vcpu_state {
    VCPU_DOWN,     /* not started (another vCPU does that) */
    VCPU_RUNNABLE, /* waits for a core */
    VCPU_RUNNING,
    VCPU_BLOCKED,  /* in HLT; woken by vcpu_op, an event or a timer */
    VCPU_DONE
};

struct event_port;
struct guest;
struct paging;

/* An instruction that hv cannot carry out on a page table and that comes back with the registers it had. */
struct paging_progress {
    uint64_t rip, registers; /* a sum of them: loops go on by some */
    unsigned times;
};

struct vcpu {
    struct svm_vcpu svm;       /* of a paravirtual vCPU never run */
    struct pv_vcpu *pv;        /* NULL: an HVM vCPU */
    struct guest *guest;
    unsigned id;
    enum vcpu_state state;     /* the scheduler's lock guards it */
    volatile bool down_wanted; /* and this: leave at the next exit */
    volatile bool woken;       /* and this: something came while it was not in HLT */
    unsigned core;             /* where it runs, or ran last */
    /* The scheduler's, under its lock. */
    struct credit_vcpu credit;
    uint64_t affinity;         /* cores it may run on */
    uint64_t queued;           /* its turn among those that wait */
    uint64_t charged_at, state_since, state_ns[4];
    bool was_parked;
    /* Events. */
    bool info_registered, polling;
    uint32_t poll_port;        /* 0: several */
    uint64_t info_gpa;         /* of its vcpu_info, if registered */
    uint16_t virq_port[VIRQ_COUNT]; /* 0: not bound */
    struct timer singleshot, poll_timer;
    bool frozen;               /* the guest moves: its single-shot timer waits with it ... */
    uint64_t frozen_at;        /* ... until this system time */

    uint64_t runstate_gpa;     /* where it wants its runstate written, 0: nowhere */
    bool initialised;          /* has a context to run */
    uint64_t halted_since;     /* TSC, 0: not halted */
    struct exit_counts counts;
    struct shadow_vcpu shadow; /* under shadow paging; guest->shadow_lock guards it */
    struct paging_progress progress;
    struct vlapic apic;
    struct timer apic_timer;
    uint64_t apic_due;         /* clock_now() of the local APIC's next timer interrupt; VTIME_NEVER */
    bool halted;               /* in HLT: only an interrupt or vcpu_op ends it */
    bool nmi_pending, nmi_blocked; /* blocked: from its injection to the handler's IRET */
    bool machine_check_pending; /* atomic: #MC is to be injected */
    bool machine_check_active;  /* from its injection to the handler's IRET */
    bool held;                  /* took an error that is not resolved; the scheduler's lock guards it */
    uint64_t affinity_before;   /* the machine check moved it: where it may run otherwise; 0: it did not */
    uint32_t machine_check_record; /* that was sent last */
    bool cr8_armed;            /* generation 1: the next CR8 write exits */
};

enum guest_life { GUEST_FREE, GUEST_BUILDING, GUEST_CREATED, GUEST_ALIVE, GUEST_DYING };
enum guest_outcome { GUEST_RUNS, GUEST_FINISHED, GUEST_CRASHED, GUEST_DESTROYED };

struct guest {
    enum guest_life life;      /* atomic */
    uint16_t domid;
    unsigned place;            /* index in guests[] */
    volatile unsigned pauses;  /* above 0: no vCPU is entered; the scheduler's lock guards it */
    unsigned wakers;           /* atomic: armed timers, bound event channels ... that may end a HLT */
    struct guest_spec spec;
    const struct paging *paging; /* nested, shadow, paravirtual */
    struct pv_guest *pv;       /* NULL: an HVM guest */
    char string[GUEST_STRING_MAX]; /* the module's; also the guest's command line */
    struct credit_guest share;
    struct cpu_features features; /* that its CPUID shows */
    uint32_t shutdown_reason;  /* with an outcome: SHUTDOWN_ */
    struct shared_info_64 *shared_info; /* one page; its layout is the 32-bit one if ... */
    bool shared_info_32;
    struct event_port *ports;  /* NULL: no events (any more) */
    uint8_t callback_vector;   /* of events, 0: none */
    uint64_t hvm_params[HVM_PARAMS];
    uint32_t vcpus_allowed;    /* by domctl, 0: no limit */
    uint64_t memory_allowed;
    unsigned near;             /* 1 + the node whose memory it is to get, 0: any */
    struct npt npt;
    struct lock memory_lock; /* changes of npt, and hv's own writes to the guest's memory */
    struct log_dirty log;
    void *log_room;      /* its bitmap's memory, also while it is off; NULL: never on yet */
    struct shadow shadow;    /* under shadow paging */
    struct lock shadow_lock; /* taken inside memory_lock */
    struct vcpu *vcpus;
    enum guest_outcome outcome;
    uint64_t result;     /* what the guest reported with mark 3 */
    struct lock console_lock;
    char line[CONSOLE_LINE / 2];
    unsigned line_length;
    uint64_t grant_frames; /* spa of the grant table, 0: not asked for */
    bool mca_driver, mca_ready; /* hvm_register was called; with ready=1 */
    uint64_t nb_cfg;     /* MSRC001_001F as the guest wrote it */
    struct vdev vdev;
    struct lock vdev_lock;
    struct timer vdev_timer;
    uint64_t vdev_due;   /* clock_now() when a device will next do something; VTIME_NEVER */
    uint64_t epoch;      /* clock_now() when the devices' time began */
    uint64_t system_offset; /* its system time (pvclock, timers, runstates) less clock_now(): not 0 once it has moved */
};

/* What the guest takes for the time since hv started. */
static inline uint64_t guest_system_time(const struct guest *guest, uint64_t clock)
{
    return clock + guest->system_offset;
}

extern struct guest guests[GUESTS_MAX];
extern unsigned guest_count; /* places ever used: the ones above are free */
static inline unsigned guest_places(void)
{
    return __atomic_load_n(&guest_count, __ATOMIC_ACQUIRE);
}

/* Not yet finished, crashed or destroyed: who does that may be another core. */
static inline bool guest_runs(const struct guest *guest)
{
    return __atomic_load_n(&guest->outcome, __ATOMIC_ACQUIRE) == GUEST_RUNS;
}

/* hv's hap_2mb= and hap_1gb=, before any guest is made. */
void guest_init(enum npt_size limit);
/* A free place and a number for a new guest, which stays GUEST_BUILDING; NULL: none is free. */
struct guest *guest_claim(bool control);
/* domctl's create and build: between them the guest has a number and no more. False: it is not in that state. */
void guest_set_created(struct guest *guest);
struct guest *guest_take_created(unsigned domid);
/* Back to free: one that was taken and is not built after all. */
void guest_forget(struct guest *guest);
/* A guest from one module and the string that describes it. NULL: it is alive. Or one line: what is wrong. */
const char *guest_build(struct guest *guest, const struct multiboot_module *module, const char *string);
/*
 * The same without image, and no memory backed: it stays GUEST_BUILDING, for its state to be put in, until
 * guest_come_alive or guest_forget. NULL, or what is wrong: then it is gone already.
 */
const char *guest_build_empty(struct guest *guest, const char *string);
void guest_come_alive(struct guest *guest);
/* For those who build one: its vCPUs, shared page, events; false: no memory. */
bool guest_create_vcpus(struct guest *guest);
/* An alive guest by number, NULL: none. */
struct guest *guest_by_domid(unsigned domid);
static inline bool guest_is_alive(const struct guest *guest)
{
    return __atomic_load_n(&guest->life, __ATOMIC_ACQUIRE) == GUEST_ALIVE;
}
/* Has a life that a report is about. */
static inline bool guest_is_there(const struct guest *guest)
{
    return __atomic_load_n(&guest->life, __ATOMIC_ACQUIRE) >= GUEST_ALIVE;
}
/* While held, no guest's life begins or ends. Wait for nothing meanwhile. */
void guests_hold(void);
void guests_release(void);
/* End of a guest's life; the caller's own core runs none of its vCPUs. Its pages come back soon after. */
void guest_destroy(struct guest *guest);
/* A dying guest's vCPU has left its core. */
void guest_left(struct guest *guest);
/* End of its RAM, the highest gPA of any. */
uint64_t guest_top(const struct guest *guest);
/* Whether gpa is RAM by the guest's memory map, backed or not. */
bool guest_is_ram(const struct guest *guest, uint64_t gpa);
/* Back gpa if it is the guest's RAM and not yet backed; false if it is no RAM or memory ran out. */
bool guest_populate(struct guest *guest, uint64_t gpa);
/* An empty map, and all of its RAM backed: false, no memory. */
bool guest_memory_begin(struct guest *guest);
bool guest_populate_all(struct guest *guest);
/* Notes the frames as written; what lies in read-only memory stays as it was. */
bool guest_write(struct guest *guest, uint64_t gpa, const void *data, uint64_t size);
bool guest_zero(struct guest *guest, uint64_t gpa, uint64_t size);
bool guest_read(struct guest *guest, uint64_t gpa, void *data, uint64_t size);
void guest_console_put(struct guest *guest, char c);
struct guest_ram {
    uint64_t start, end;
};
/* RAM as the guest is told; returns how many pieces. */
unsigned guest_ram_told(const struct guest *guest, struct guest_ram ram[GUEST_RAM_PIECES]);
/* Pages that back the guest. */
uint64_t guest_pages(const struct guest *guest);
/* The frames of its grant table, if it has none yet; false: no memory. */
bool guest_make_grant_frames(struct guest *guest);
/* 2^order frames to back it, of its node if it has one; 0: none. */
uint64_t guest_alloc(const struct guest *guest, unsigned order);
/* With the reason that sched_op gives. */
void guest_shutdown(struct guest *guest, uint32_t reason);
/* The run of this guest is over; its vCPUs will not be entered again. */
void guest_finish(struct guest *guest, enum guest_outcome outcome, uint64_t result);

#endif
