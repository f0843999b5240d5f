/* SPDX-License-Identifier: MIT */
#include "hv/vdev/vrtc.h"

#include "hv/vdev/vtime.h"

#define INDEX_PORT 0x70
#define DATA_PORT 0x71
enum { SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, WEEKDAY, DAY, MONTH, YEAR, REGISTER_A,
       REGISTER_B, REGISTER_C, REGISTER_D, CENTURY = 0x32 };
#define A_UIP 0x80
#define A_RESET 0x26 /* 32,768 Hz crystal, 1,024 Hz periodic rate */
#define B_SET 0x80
#define B_PIE 0x40
#define B_AIE 0x20
#define B_UIE 0x10
#define B_BINARY 0x04
#define B_24H 0x02
#define C_IRQ 0x80
#define C_PERIODIC 0x40
#define C_ALARM 0x20
#define C_UPDATE 0x10
#define D_VALID 0x80
#define HOUR_PM 0x80
#define ALARM_ANY 0xC0 /* both top bits set: matches every value */
#define UPDATE_NS 244000 /* UIP is up so long before each update */
#define PERIODIC_HZ 32768u
#define SECONDS_A_DAY 86400
#define START_SECONDS 1195171200 /* 2007-11-16 00:00:00 UTC, days before the summit */

/* ---- The calendar ---------------------------------------------------------------------------------------- */

struct date {
    unsigned second, minute, hour, weekday, day, month, year; /* weekday: Sunday is 1 */
};

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_of(unsigned month, unsigned year)
{
    static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[(month - 1) % 12] + (month == 2 && is_leap(year));
}

static struct date date_of(uint64_t seconds)
{
    uint64_t days = seconds / SECONDS_A_DAY, rest = seconds % SECONDS_A_DAY;
    struct date date = { (unsigned)(rest % 60), (unsigned)(rest / 60 % 60), (unsigned)(rest / 3600),
                         (unsigned)((days + 4) % 7) + 1, 1, 1, 1970 }; /* 1970-01-01 was a Thursday */

    for (; days >= 365u + is_leap(date.year); date.year++)
        days -= 365u + is_leap(date.year);
    for (; days >= days_of(date.month, date.year); date.month++)
        days -= days_of(date.month, date.year);
    date.day += (unsigned)days;
    return date;
}

static int64_t seconds_of(const struct date *date)
{
    int64_t days = 0;

    for (unsigned year = 1970; year < date->year; year++)
        days += 365 + is_leap(year);
    for (unsigned month = 1; month < date->month && month <= 12; month++)
        days += days_of(month, date->year);
    return (days + date->day - 1) * SECONDS_A_DAY + date->hour * 3600 + date->minute * 60 + date->second;
}

static uint8_t encode(const struct vrtc *rtc, unsigned value)
{
    return (uint8_t)(rtc->byte[REGISTER_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static unsigned decode(const struct vrtc *rtc, uint8_t value)
{
    return rtc->byte[REGISTER_B] & B_BINARY ? value : (value >> 4) * 10u + (value & 15u);
}

static uint8_t encode_hour(const struct vrtc *rtc, unsigned hour)
{
    if (rtc->byte[REGISTER_B] & B_24H)
        return encode(rtc, hour);
    return (uint8_t)(encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0));
}

static unsigned decode_hour(const struct vrtc *rtc, uint8_t value)
{
    if (rtc->byte[REGISTER_B] & B_24H)
        return decode(rtc, value);
    return decode(rtc, value & (uint8_t)~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

static uint64_t clock_seconds(const struct vrtc *rtc, uint64_t now)
{
    return (uint64_t)((int64_t)(now / VTIME_SECOND) + rtc->offset);
}

static void show(struct vrtc *rtc, uint64_t now)
{
    struct date date = date_of(clock_seconds(rtc, now));

    rtc->byte[SECONDS] = encode(rtc, date.second);
    rtc->byte[MINUTES] = encode(rtc, date.minute);
    rtc->byte[HOURS] = encode_hour(rtc, date.hour);
    rtc->byte[WEEKDAY] = encode(rtc, date.weekday);
    rtc->byte[DAY] = encode(rtc, date.day);
    rtc->byte[MONTH] = encode(rtc, date.month);
    rtc->byte[YEAR] = encode(rtc, date.year % 100);
    rtc->byte[CENTURY] = encode(rtc, date.year / 100);
}

/* The registers are the time from now on. */
static void take(struct vrtc *rtc, uint64_t now)
{
    struct date date = {
        decode(rtc, rtc->byte[SECONDS]), decode(rtc, rtc->byte[MINUTES]), decode_hour(rtc, rtc->byte[HOURS]), 0,
        decode(rtc, rtc->byte[DAY]), decode(rtc, rtc->byte[MONTH]),
        decode(rtc, rtc->byte[CENTURY]) * 100 + decode(rtc, rtc->byte[YEAR]),
    };

    rtc->offset = seconds_of(&date) - (int64_t)(now / VTIME_SECOND);
    if ((int64_t)(now / VTIME_SECOND) + rtc->offset < 0)
        rtc->offset = -(int64_t)(now / VTIME_SECOND);
}

/* ---- Interrupts ------------------------------------------------------------------------------------------ */

/* Register A[3:0]: none; 256 and 128 Hz for 1 and 2; else 65,536 / 2^rate Hz. In crystal clocks. */
static unsigned period_clocks(const struct vrtc *rtc)
{
    unsigned rate = rtc->byte[REGISTER_A] & 15;

    if (rate == 0)
        return 0;
    return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

static uint64_t periods(const struct vrtc *rtc, uint64_t now)
{
    unsigned clocks = period_clocks(rtc);

    return clocks ? vtime_ticks(now, PERIODIC_HZ) / clocks : 0;
}

static bool alarm_matches(const struct vrtc *rtc, uint8_t alarm, uint8_t value)
{
    (void)rtc;
    return (alarm & ALARM_ANY) == ALARM_ANY || alarm == value;
}

static void update(struct vrtc *rtc, uint64_t now)
{
    if (rtc->byte[REGISTER_B] & B_SET)
        return;
    show(rtc, now);
    rtc->byte[REGISTER_C] |= C_UPDATE;
    if (alarm_matches(rtc, rtc->byte[SECONDS_ALARM], rtc->byte[SECONDS]) &&
        alarm_matches(rtc, rtc->byte[MINUTES_ALARM], rtc->byte[MINUTES]) &&
        alarm_matches(rtc, rtc->byte[HOURS_ALARM], rtc->byte[HOURS]))
        rtc->byte[REGISTER_C] |= C_ALARM;
}

/* At most a day of seconds is gone through: an alarm matches at least once in each. */
void vrtc_run(struct vrtc *rtc, uint64_t now)
{
    uint64_t seconds = now / VTIME_SECOND, period = periods(rtc, now);

    if (seconds - rtc->update_seen > SECONDS_A_DAY)
        rtc->update_seen = seconds - SECONDS_A_DAY;
    while (rtc->update_seen < seconds) {
        rtc->update_seen++;
        update(rtc, rtc->update_seen * VTIME_SECOND);
    }
    if (period != rtc->periodic_seen && period)
        rtc->byte[REGISTER_C] |= C_PERIODIC;
    rtc->periodic_seen = period;
}

static uint8_t enabled_flags(const struct vrtc *rtc)
{
    return rtc->byte[REGISTER_C] & rtc->byte[REGISTER_B] & (C_PERIODIC | C_ALARM | C_UPDATE);
}

bool vrtc_irq(const struct vrtc *rtc)
{
    return enabled_flags(rtc) != 0;
}

uint64_t vrtc_next(const struct vrtc *rtc)
{
    uint64_t next = VTIME_NEVER;
    unsigned clocks = period_clocks(rtc);

    if (enabled_flags(rtc)) /* the line is up: nothing new before register C is read */
        return VTIME_NEVER;
    if (rtc->byte[REGISTER_B] & (B_AIE | B_UIE) && !(rtc->byte[REGISTER_B] & B_SET))
        next = (rtc->update_seen + 1) * VTIME_SECOND;
    if (rtc->byte[REGISTER_B] & B_PIE && clocks) {
        uint64_t period = vtime_of_tick((rtc->periodic_seen + 1) * clocks, PERIODIC_HZ);

        next = period < next ? period : next;
    }
    return next;
}

/* ---- Ports ----------------------------------------------------------------------------------------------- */

void vrtc_init(struct vrtc *rtc)
{
    *rtc = (struct vrtc){ .offset = START_SECONDS };
    rtc->byte[REGISTER_A] = A_RESET;
    rtc->byte[REGISTER_B] = B_24H;
}

bool vrtc_has_port(unsigned port)
{
    return port == INDEX_PORT || port == DATA_PORT;
}

static uint8_t read_c(struct vrtc *rtc)
{
    uint8_t value = rtc->byte[REGISTER_C] | (vrtc_irq(rtc) ? C_IRQ : 0);

    rtc->byte[REGISTER_C] = 0;
    return value;
}

uint8_t vrtc_read(struct vrtc *rtc, unsigned port, uint64_t now)
{
    bool set = rtc->byte[REGISTER_B] & B_SET;

    if (port == INDEX_PORT)
        return 0xFF; /* write-only */
    vrtc_run(rtc, now);
    if (!set)
        show(rtc, now);
    switch (rtc->index) {
    case REGISTER_A:
        return rtc->byte[REGISTER_A] | (!set && now % VTIME_SECOND >= VTIME_SECOND - UPDATE_NS ? A_UIP : 0);
    case REGISTER_C:
        return read_c(rtc);
    case REGISTER_D:
        return D_VALID;
    default:
        return rtc->byte[rtc->index];
    }
}

static void write_b(struct vrtc *rtc, uint8_t value, uint64_t now)
{
    bool held = rtc->byte[REGISTER_B] & B_SET, hold = value & B_SET;

    if (!held)
        show(rtc, now);
    rtc->byte[REGISTER_B] = hold ? value & (uint8_t)~B_UIE : value; /* SET clears UIE */
    if (held && !hold)
        take(rtc, now);
}

static bool is_time(unsigned index)
{
    return index == SECONDS || index == MINUTES || index == HOURS || (index >= DAY && index <= YEAR) ||
           index == CENTURY;
}

void vrtc_write(struct vrtc *rtc, unsigned port, uint8_t value, uint64_t now)
{
    if (port == INDEX_PORT) {
        rtc->index = value & (VRTC_BYTES - 1); /* bit 7 masks NMI: no guest device raises one */
        return;
    }
    vrtc_run(rtc, now);
    if (rtc->index == REGISTER_B) {
        write_b(rtc, value, now);
    } else if (rtc->index == REGISTER_A) {
        rtc->byte[REGISTER_A] = value & (uint8_t)~A_UIP;
        rtc->periodic_seen = periods(rtc, now);
    } else if (rtc->index != REGISTER_C && rtc->index != REGISTER_D) {
        if (!(rtc->byte[REGISTER_B] & B_SET))
            show(rtc, now);
        rtc->byte[rtc->index] = value;
        if (is_time(rtc->index) && !(rtc->byte[REGISTER_B] & B_SET))
            take(rtc, now);
    }
}
