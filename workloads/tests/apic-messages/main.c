/* SPDX-License-Identifier: MIT */
/*
 * Interprocessor messages between two cores (APM2 16.5, 16.6): each type, by each way of naming its targets that is
 * valid for it, must reach whom it names, once, and nobody else. Also LINT0, and AMD's SEOI and IER.
 *
 * A simulator may run kernels and lack SMI, broadcast of NMI, ExtINT and arbitration (doc/conformance.md).
 *
 * The second core counts its NMIs and its interrupts, and takes the latter when told to. This core reads its IRR,
 * or catches the vector. Each core has its own SMM_BASE, whose handler counts its SMIs. A core in INIT no longer
 * advances a counter; STARTUP restarts it.
 *
 * First this core alone: a level-triggered message sets TMR, an edge-triggered one clears it; SEOI ends the vector
 * that it names, not the highest; a vector whose bit of IER is clear waits, a lower one does not. Then fixed, SMI,
 * NMI, ExtINT and INIT by physical id, broadcast, flat logical destinations of one core, the other, both and none,
 * and the shorthand for all others; fixed also by those for self and all, fixed and NMI by clusters. ExtINT gets
 * the 8259s' spurious vector, a de-asserted INIT stops nobody. Lowest priority goes to the core whose arbitration
 * priority is lower, ties to the higher id, but to one that has the vector pending (focus) unless SVR bit 9 is set.
 * Last LINT0, which the 8259s drive: masked, NMI, SMI, fixed by edge (its own vector, once), by level (remote IRR,
 * and again after EOI while the pin is high), and ExtINT, which comes whatever TPR says and leaves ISR alone.
 *
 * INIT is not sent to this core, ExtINT not by a shorthand. With one core the part for two is one skipped check, as
 * are SEOI and IER where 400h does not have both.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/smp64.h"

#define VECTOR 0x51
#define LOWER 0x41
#define EXC_NMI 2
#define ICR_FIXED 0x000u
#define ICR_SMI 0x200u
#define ICR_EXTINT 0x700u
#define ICR_LEVEL 0x8000u
#define ICR_BUSY 0x1000u
#define APIC_LVT_LINT0 0x350
#define LVT_NMI 0x400u
#define LVT_SMI 0x200u
#define LVT_EXTINT 0x700u
#define LVT_LEVEL 0x8000u
#define LVT_REMOTE_IRR 0x4000u
#define APIC_EXT_FEATURE 0x400
#define APIC_EXT_CONTROL 0x410
#define APIC_SEOI 0x420
#define APIC_IER 0x480
#define SMM_BASE 0x30000u         /* of both cores at reset (APM2 10.3) */
#define OTHER_SMM_BASE 0x40000u
#define SMM_MAP_BASE 0xFF00u      /* where RSM finds the next SMM_BASE */
#define MASTER_BASE 0x70
#define SPURIOUS_IRQ7 (MASTER_BASE + 7)
#define PIT_CONTROL 0x43
#define PIT_CHANNEL_0 0x40
#define PIT_ONE_SHOT 0x30   /* channel 0, both bytes, mode 0: low, then high to stay */
#define PIT_CLOCKS 12       /* 10 us */
#define WAIT 4000

static uint8_t self, other;
static volatile uint32_t smis, other_smis;
static uint32_t interrupts_before, nmis_before, smis_before, other_smis_before;

/* inc dword [counter]; mov dword [base + FF00h],next; rsm: 16-bit code with flat data segments. */
static void install_smm(uint32_t base, uint32_t next, volatile uint32_t *counter)
{
    uint8_t *code = (uint8_t *)(uintptr_t)(base + 0x8000);
    uint32_t at = (uint32_t)(uintptr_t)counter, place = base + SMM_MAP_BASE;

    memcpy(code, "\x67\x66\xFF\x05", 4);
    memcpy(code + 4, &at, 4);
    memcpy(code + 8, "\x67\x66\xC7\x05", 4);
    memcpy(code + 12, &place, 4);
    memcpy(code + 16, &next, 4);
    memcpy(code + 20, "\x0F\xAA", 2);
}

static void wait(void)
{
    for (unsigned i = 0; i < WAIT; i++)
        cpu_pause();
}

/* ---- What came -------------------------------------------------------------------------------------------------- */

static void window(void *unused)
{
    (void)unused;
    __asm__ volatile("sti\nnop\nnop\ncli" : : : "memory");
}

/* What interrupts here with IF=1, if anything; its EOI, and more of the same class, are the caller's. */
static unsigned take(void)
{
    return exception_try(window, NULL).vector;
}

static void on_other(void (*function)(void *argument), void *argument)
{
    smp_run(function, argument);
    if (!smp_wait())
        guest_fail("the other core does not answer");
}

static void note(void)
{
    interrupts_before = smp_interrupts;
    nmis_before = smp_nmis;
    smis_before = smis;
    other_smis_before = other_smis;
}

enum { NEITHER, SELF, OTHER, BOTH };

/* What a way of naming targets names. */
struct destination {
    const char *what;
    uint32_t icr;
    uint8_t id;
    unsigned targets;
};

#define LOGICAL APIC_ICR_LOGICAL
static const struct destination anybody[] = {
    { "this core's id", 0, 0, SELF },           { "the other's id", 0, 1, OTHER },
    { "broadcast", 0, 0xFF, BOTH },             { "nobody's id", 0, 0x77, NEITHER },
    { "flat: this core", LOGICAL, 1, SELF },    { "flat: the other", LOGICAL, 2, OTHER },
    { "flat: both", LOGICAL, 3, BOTH },         { "flat: neither", LOGICAL, 0xF0, NEITHER },
    { "others", APIC_ICR_OTHERS, 0, OTHER },
};
/* Of fixed messages alone. */
static const struct destination fixed_alone[] = {
    { "self", APIC_ICR_SELF, 1, SELF }, { "all", APIC_ICR_ALL, 1, BOTH },
};
static const struct destination clusters[] = {
    { "cluster: this core", LOGICAL, 0x21, SELF },  { "cluster: the other", LOGICAL, 0x22, OTHER },
    { "cluster: both", LOGICAL, 0x23, BOTH },       { "cluster: neither", LOGICAL, 0x2C, NEITHER },
    { "another cluster", LOGICAL, 0x33, NEITHER },  { "cluster: broadcast", LOGICAL, 0xFF, BOTH },
};

static void send(const struct destination *d, uint32_t message)
{
    uint8_t id = d->icr & LOGICAL || d->id > 1 ? d->id : d->id ? other : self;

    apic_send(id, message | d->icr | APIC_ICR_ASSERT);
    wait();
}

static void send_once(void *argument)
{
    const struct destination *d = argument;

    send(d, APIC_ICR_NMI);
}

/* ---- Types ------------------------------------------------------------------------------------------------------ */

static void fixed(const struct destination *d, uint32_t message, const char *type)
{
    bool here;

    note();
    send(d, message | VECTOR);
    here = apic_bit(APIC_IRR, VECTOR);
    if (here)
        here = take() == VECTOR;
    apic_write(APIC_EOI, 0);
    on_other(window, NULL);
    check_format(here == (d->targets & SELF) && smp_interrupts == interrupts_before + (d->targets >> 1) &&
                 !(apic_read(APIC_ICR) & ICR_BUSY), "%s, %s", type, d->what);
}

/* Two cores in SMM at once must not save into one map: the other core's first SMI moves its SMM_BASE. */
static void part_smm(void)
{
    static const struct destination it = { "the other's id", 0, 1, OTHER };

    install_smm(SMM_BASE, OTHER_SMM_BASE, &other_smis);
    install_smm(OTHER_SMM_BASE, OTHER_SMM_BASE, &other_smis);
    note();
    send(&it, ICR_SMI);
    check(smis == smis_before && other_smis == other_smis_before + 1, "the other core's first SMI moves its SMM_BASE");
    install_smm(SMM_BASE, SMM_BASE, &smis);
}

static void smi(const struct destination *d)
{
    note();
    send(d, ICR_SMI);
    check_format(smis == smis_before + (d->targets & SELF) && other_smis == other_smis_before + (d->targets >> 1),
                 "SMI, %s", d->what);
}

/* Behind an exception handler that does not return NMIs are masked until the next IRET. */
static void unmask_nmi(void)
{
    __asm__ volatile("movq %%rsp, %%rax\npushq $0x10\npushq %%rax\npushfq\npushq $0x18\npushq $1f\niretq\n1:"
                     : : : "rax", "memory", "cc");
}

static void nmi(const struct destination *d)
{
    struct destination copy = *d;
    struct exception e;

    note();
    e = exception_try(send_once, &copy);
    unmask_nmi();
    wait();
    check_format(e.vector == (d->targets & SELF ? EXC_NMI : EXC_NONE) && smp_nmis == nmis_before + (d->targets >> 1),
                 "NMI, %s", d->what);
}

/* Nobody asked the 8259s: their answer is the spurious vector of the master. */
static void extint(const struct destination *d)
{
    unsigned got;

    note();
    send(d, ICR_EXTINT);
    got = take();
    on_other(window, NULL);
    check_format(got == (d->targets & SELF ? SPURIOUS_IRQ7 : EXC_NONE) &&
                 smp_interrupts == interrupts_before + (d->targets >> 1), "ExtINT, %s", d->what);
}

static void set_logical(uint32_t ldr)
{
    apic_write(APIC_LDR, ldr << 24);
}

static void other_flat(void *unused)
{
    (void)unused;
    apic_write(APIC_DFR, 0xFFFFFFFF);
    set_logical(2);
}

static volatile uint32_t beats;
static volatile bool beating;

static void beat(void *unused)
{
    (void)unused;
    while (beating)
        beats++;
}

/* Whether the other core, counting, stands still after the message. */
static bool stands_after(const struct destination *d, uint32_t message)
{
    uint32_t before;
    bool stands;

    beats = 0;
    beating = true;
    smp_run(beat, NULL);
    wait();
    if (beats == 0)
        guest_fail("the other core does not count");
    if (message & ICR_LEVEL)
        apic_send(other, message); /* de-asserted */
    else
        send(d, message);
    wait();
    before = beats;
    wait();
    stands = beats == before;
    beating = false;
    return stands;
}

/* A core in INIT stands still until its STARTUP, which smp_start sends behind an INIT of its own. */
static void init(const struct destination *d)
{
    bool stands = stands_after(d, APIC_ICR_INIT);

    check_format(stands == (d->targets >> 1), "INIT, %s: the other %s", d->what,
                 d->targets >> 1 ? "stands still" : "goes on");
    if (stands)
        check(smp_start(other), "and STARTUP starts it");
    else
        smp_wait();
    on_other(other_flat, NULL);
}

static void other_cluster(void *unused)
{
    (void)unused;
    apic_write(APIC_DFR, 0x0FFFFFFF);
    set_logical(0x22);
}

#define EACH(rows, call)                                              \
    for (unsigned i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) { \
        const struct destination *d = &(rows)[i];                     \
        call;                                                         \
    }

static void messages(void)
{
    set_logical(1);
    on_other(other_flat, NULL);
    EACH(anybody, fixed(d, ICR_FIXED, "fixed"))
    EACH(fixed_alone, fixed(d, ICR_FIXED, "fixed"))
    part_smm();
    EACH(anybody, smi(d))
    EACH(anybody, nmi(d))
    EACH(anybody, if (!(d->icr & APIC_ICR_OTHERS)) extint(d))
    EACH(anybody, if (!(d->targets & SELF)) init(d))
    on_other(other_cluster, NULL);
    apic_write(APIC_DFR, 0x0FFFFFFF);
    set_logical(0x21);
    EACH(clusters, fixed(d, ICR_FIXED, "fixed"))
    EACH(clusters, nmi(d))
    apic_write(APIC_DFR, 0xFFFFFFFF);
    set_logical(1);
    on_other(other_flat, NULL);
    check(!stands_after(NULL, APIC_ICR_INIT | ICR_LEVEL), "an INIT that is de-asserted stops nobody");
    smp_wait();
}

/* ---- Lowest priority -------------------------------------------------------------------------------------------- */

static void other_tpr(void *argument)
{
    apic_write(APIC_TPR, *(uint32_t *)argument);
}

static void lowest(uint32_t here, uint32_t there, unsigned targets, const char *what)
{
    const struct destination both = { what, LOGICAL, 3, targets };
    uint32_t open = 0;
    bool came;

    apic_write(APIC_TPR, here);
    on_other(other_tpr, &there);
    note();
    send(&both, APIC_ICR_LOWEST | VECTOR);
    came = apic_bit(APIC_IRR, VECTOR);
    apic_write(APIC_TPR, 0);
    on_other(other_tpr, &open);
    on_other(window, NULL);
    if (came)
        take();
    apic_write(APIC_EOI, 0);
    check_format(came == (targets & SELF) && smp_interrupts == interrupts_before + (targets >> 1),
                 "lowest priority, %s", what);
}

static void arbitration(void)
{
    static const struct destination one = { "the other's id", 0, 1, OTHER };

    lowest(0x20, 0x10, OTHER, "TPR here 20h, there 10h: there");
    lowest(0x10, 0x20, SELF, "TPR here 10h, there 20h: here");
    lowest(0x10, 0x10, OTHER, "a tie: the higher id");
    fixed(&one, APIC_ICR_LOWEST, "lowest priority");
    apic_send(self, VECTOR | APIC_ICR_ASSERT); /* pending here: this core is the focus */
    wait();
    lowest(0x30, 0, SELF, "pending here: this core is the focus");
    apic_write(APIC_SVR, APIC_SVR_ENABLE | APIC_SPURIOUS | 0x200);
    apic_send(self, VECTOR | APIC_ICR_ASSERT);
    wait();
    note();
    apic_send(3, APIC_ICR_LOGICAL | APIC_ICR_LOWEST | APIC_ICR_ASSERT | VECTOR);
    wait();
    take();
    apic_write(APIC_EOI, 0);
    on_other(window, NULL);
    check(smp_interrupts == interrupts_before + 1, "lowest priority, focus checking disabled: there");
    apic_enable();
}

/* ---- Level and edge --------------------------------------------------------------------------------------------- */

static void trigger_modes(void)
{
    apic_send(self, VECTOR | ICR_LEVEL | APIC_ICR_ASSERT);
    wait();
    check(apic_bit(APIC_IRR, VECTOR) && apic_bit(APIC_TMR, VECTOR), "a level-triggered message sets TMR");
    check(take() == VECTOR && apic_bit(APIC_ISR, VECTOR), "it is taken");
    apic_write(APIC_EOI, 0);
    apic_send(self, VECTOR | APIC_ICR_ASSERT);
    wait();
    check(apic_bit(APIC_IRR, VECTOR) && !apic_bit(APIC_TMR, VECTOR), "an edge-triggered one clears it");
    take();
    apic_write(APIC_EOI, 0);
}

/* ---- LINT0, which the 8259s drive ------------------------------------------------------------------------------- */

static void start_8259s(void)
{
    static const struct { uint16_t port; uint8_t value; } words[] = {
        { 0x20, 0x11 }, { 0x21, MASTER_BASE }, { 0x21, 0x04 }, { 0x21, 0x01 }, { 0xA1, 0xFF }, { 0x21, 0xFE },
    };

    port_write8(PIT_CONTROL, PIT_ONE_SHOT); /* low */
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        port_write8(words[i].port, words[i].value);
}

/* Raise IRQ 0 and give it time; LINT0 follows the 8259s' output. */
static void raise_lint0(void *unused)
{
    (void)unused;
    port_write8(PIT_CONTROL, PIT_ONE_SHOT);
    port_write8(PIT_CHANNEL_0, PIT_CLOCKS & 0xFF);
    port_write8(PIT_CHANNEL_0, PIT_CLOCKS >> 8);
    for (unsigned i = 0; i < 10; i++)
        wait();
}

/* Acknowledge by poll, and end it there: the output falls. */
static void lower_lint0(void)
{
    port_write8(0x20, 0x0C);
    port_read8(0x20);
    port_write8(0x20, 0x20);
}

static void lint0(void)
{
    struct exception e;

    start_8259s();
    apic_write(APIC_LVT_LINT0, LVT_NMI | APIC_LVT_MASKED);
    check_raised(exception_try(raise_lint0, NULL), EXC_NONE, 0, "LINT0 masked");
    lower_lint0();
    apic_write(APIC_LVT_LINT0, LVT_NMI);
    e = exception_try(raise_lint0, NULL);
    unmask_nmi();
    check_raised(e, EXC_NMI, 0, "LINT0 as NMI");
    lower_lint0();
    note();
    apic_write(APIC_LVT_LINT0, LVT_SMI);
    raise_lint0(NULL);
    check_equal(smis, smis_before + 1, "LINT0 as SMI");
    lower_lint0();
    apic_write(APIC_LVT_LINT0, VECTOR);
    raise_lint0(NULL);
    check(apic_bit(APIC_IRR, VECTOR) && !apic_bit(APIC_TMR, VECTOR), "LINT0 fixed, edge: its vector, not the 8259s'");
    take();
    apic_write(APIC_EOI, 0);
    check(take() == EXC_NONE, "once, although the pin is still high");
    lower_lint0();
    apic_write(APIC_LVT_LINT0, VECTOR | LVT_LEVEL);
    raise_lint0(NULL);
    check(apic_read(APIC_LVT_LINT0) & LVT_REMOTE_IRR && apic_bit(APIC_TMR, VECTOR),
          "LINT0 fixed, level: remote IRR, TMR");
    check(take() == VECTOR, "it is taken");
    apic_write(APIC_EOI, 0);
    check(apic_bit(APIC_IRR, VECTOR), "and comes again after EOI, the pin being high");
    take();
    lower_lint0();
    apic_write(APIC_EOI, 0);
    check(!apic_bit(APIC_IRR, VECTOR) && !(apic_read(APIC_LVT_LINT0) & LVT_REMOTE_IRR), "no more once it is low");
    apic_write(APIC_LVT_LINT0, LVT_EXTINT);
    apic_write(APIC_TPR, 0xF0);
    raise_lint0(NULL);
    check(take() == MASTER_BASE, "LINT0 as ExtINT: the 8259s' vector, whatever TPR says");
    check(!apic_bit(APIC_ISR, MASTER_BASE), "ISR knows nothing of it");
    port_write8(0x20, 0x20);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
    port_write8(0x21, 0xFF);
}

/* ---- AMD's extensions ------------------------------------------------------------------------------------------- */

static void extensions(void)
{
    if ((apic_read(APIC_EXT_FEATURE) & 3) != 3) {
        check_skip("SEOI, IER", "this APIC has neither");
        return;
    }
    apic_write(APIC_EXT_CONTROL, 3);
    apic_send(self, LOWER | APIC_ICR_ASSERT);
    wait();
    take();
    apic_send(self, VECTOR | APIC_ICR_ASSERT);
    wait();
    take();
    check(apic_bit(APIC_ISR, LOWER) && apic_bit(APIC_ISR, VECTOR), "two vectors are in service");
    apic_write(APIC_SEOI, LOWER);
    check(!apic_bit(APIC_ISR, LOWER) && apic_bit(APIC_ISR, VECTOR), "SEOI ends the one that it names, not the highest");
    apic_write(APIC_EOI, 0);
    apic_write(APIC_IER + VECTOR / 32 * 0x10, ~(1u << VECTOR % 32));
    apic_send(self, VECTOR | APIC_ICR_ASSERT);
    apic_send(self, LOWER | APIC_ICR_ASSERT);
    wait();
    check(apic_bit(APIC_IRR, VECTOR) && take() == LOWER,
          "with its bit of IER clear a vector waits, a lower one does not");
    apic_write(APIC_EOI, 0);
    apic_write(APIC_IER + VECTOR / 32 * 0x10, ~0u);
    check(take() == VECTOR, "set again it comes");
    apic_write(APIC_EOI, 0);
    apic_write(APIC_EXT_CONTROL, 0);
    apic_write(APIC_IER + VECTOR / 32 * 0x10, 0);
    check_equal(apic_read(APIC_IER + VECTOR / 32 * 0x10), ~0u, "without its enable IER is not written");
}

void guest_main(void)
{
    exceptions_init();
    apic_enable();
    port_write8(0x21, 0xFF);
    port_write8(0xA1, 0xFF);
    install_smm(SMM_BASE, SMM_BASE, &smis);
    self = (uint8_t)(apic_read(APIC_ID) >> 24);
    other = self ^ 1;
    trigger_modes();
    extensions();
    if ((cpuid(1, 0).ebx >> 16 & 0xFF) < 2) {
        check_skip("two cores", "there is one");
    } else {
        smp_prepare();
        check(smp_start(other), "the other core starts");
        start_8259s(); /* for ExtINT: the base of their vectors */
        port_write8(0x21, 0xFF);
        messages();
        arbitration();
    }
    lint0();
    check_end();
}
