/* SPDX-License-Identifier: MIT */
/*
 * The profile with a clock, as NT keeps it: the RTC's periodic interrupt, 64 Hz, at level 13, whose handler asks for a
 * DPC each time. Between ticks the program runs sections at DISPATCH, in bursts, and sleeps in HLT for a random time
 * after each burst, so that the ticks do not fall in step with it. The vector that ends the sleep is of class 14, which
 * no level masks.
 *
 *     ticks=N      run until so many have come
 *     burst=N      sections between two sleeps (553)
 *     divides=N    DIV instructions inside a section: how long the level stays raised (14)
 *     sleep=N      longest sleep in ticks of the APIC's timer, divided by 16 (390000)
 *
 * A tick that interrupts a raised level is one more lowering that leaves its DPC masked. A sleep that ends while a tick
 * is served overtakes the DPC: until its vector is taken, hypervisor and processor wait for IF alone, and the DPC comes
 * after it, often without a CR8 write having let it in. So with generation 1 the CR8 exits are ticks + raised, less at
 * most those overtaken; the program counts all three, and how much of the time the level was raised.
 */
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"
#include "workloads/programs/ntirql/ntirql.h"

#define CLOCK_VECTOR (CLOCK << 4 | 1)
#define SLEEP_VECTOR 0xE1u
#define RTC_INDEX 0x70
#define RTC_DATA 0x71
#define RTC_A 0x0A
#define RTC_B 0x0B
#define RTC_C 0x0C
#define RTC_A_64HZ 0x2A      /* 32,768 Hz / 2^9 */
#define RTC_B_24H 0x02
#define RTC_B_PERIODIC 0x42  /* and 24-hour mode */
#define RTC_IRQ 8
#define IOAPIC_SELECT 0xFEC00000u
#define IOAPIC_WINDOW 0xFEC00010u
#define IOAPIC_ENTRIES 0x10
#define DIVIDE_BY_16 3u
#define XORSHIFT_SEED 0x9E3779B97F4A7C15ull

static uint32_t ticks_wanted;
static volatile uint32_t ticks_seen, ticks_raised, overtaken;
static volatile bool awake;
static uint64_t random_state = XORSHIFT_SEED;
static uint64_t raised_cycles;

static inline uint64_t time_stamp(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static uint8_t rtc_read(uint8_t index)
{
    port_write8(RTC_INDEX, index);
    return port_read8(RTC_DATA);
}

static void rtc_write(uint8_t index, uint8_t value)
{
    port_write8(RTC_INDEX, index);
    port_write8(RTC_DATA, value);
}

static void ioapic_write(uint32_t index, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)IOAPIC_SELECT = index;
    *(volatile uint32_t *)(uintptr_t)IOAPIC_WINDOW = value;
}

__attribute__((interrupt)) static void tick(struct interrupt_frame *frame)
{
    uintptr_t old = level_read();

    (void)frame;
    level_write(CLOCK);
    if (++ticks_seen == ticks_wanted)
        rtc_write(RTC_B, RTC_B_24H);
    ticks_raised += old >= DISPATCH;
    rtc_read(RTC_C);
    request_dpc();
    apic_write(APIC_EOI, 0);
    level_write(old);
}

__attribute__((interrupt)) static void wake(struct interrupt_frame *frame)
{
    (void)frame;
    awake = true;
    overtaken += apic_bit(APIC_IRR, DPC_VECTOR);
    apic_write(APIC_EOI, 0);
}

static void section(uint32_t divides)
{
    uintptr_t old = level_read();
    uint64_t begin;

    level_write(DISPATCH);
    begin = time_stamp();
    for (uint32_t i = 0; i < divides; i++)
        __asm__ volatile("divl %%ecx" : : "a"(1), "d"(0), "c"(1) : "cc");
    raised_cycles += time_stamp() - begin;
    level_write(old);
}

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

/* STI's shadow covers the HLT: a wake-up that comes in between still ends it. */
static void sleep_for(uint32_t count)
{
    awake = false;
    apic_write(APIC_TIMER_INITIAL, count + 1);
    for (;;) {
        __asm__ volatile("cli" : : : "memory");
        if (awake)
            break;
        __asm__ volatile("sti; hlt" : : : "memory");
    }
    __asm__ volatile("sti" : : : "memory");
}

static void start_clock(void)
{
    set_gate(CLOCK_VECTOR, tick);
    set_gate(SLEEP_VECTOR, wake);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
    apic_write(APIC_LVT_TIMER, SLEEP_VECTOR);
    ioapic_write(IOAPIC_ENTRIES + 2 * RTC_IRQ + 1, apic_read(APIC_ID));
    ioapic_write(IOAPIC_ENTRIES + 2 * RTC_IRQ, CLOCK_VECTOR);
    rtc_write(RTC_A, RTC_A_64HZ);
    rtc_write(RTC_B, RTC_B_PERIODIC);
    rtc_read(RTC_C);
}

void clock_profile(uint32_t ticks)
{
    uint32_t burst = number("burst", 553), divides = number("divides", 14), longest = number("sleep", 390000);
    uint64_t sections = 0, begin;

    ticks_wanted = ticks;
    start_clock();
    guest_mark(MARK_BEGIN, ticks);
    begin = time_stamp();
    while (ticks_seen < ticks) {
        for (uint32_t i = 0; i < burst; i++)
            section(divides);
        sections += burst;
        sleep_for(random_below(longest));
    }
    begin = time_stamp() - begin;
    guest_mark(MARK_END, ticks);
    guest_print("ntirql: reads=%lu writes=%lu dpcs=%lu run=%lu", (unsigned long)reads, (unsigned long)writes,
                (unsigned long)dpcs_requested, (unsigned long)dpcs_run);
    guest_print("ntirql: ticks=%u raised=%u overtaken=%u sections=%lu", ticks_seen, ticks_raised, overtaken,
                (unsigned long)sections);
    guest_print("ntirql: kcycles raised=%lu total=%lu", (unsigned long)(raised_cycles >> 10),
                (unsigned long)(begin >> 10));
    guest_exit(ticks_raised);
}
