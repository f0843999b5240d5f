/* SPDX-License-Identifier: MIT */
#include "sim/platform/cmos.h"

#include <string.h>

#include "sim/bits.h"

__extension__ typedef unsigned __int128 wide;

#define PORT_INDEX 0x70
#define PORT_DATA 0x71

enum { SECONDS = 0, MINUTES = 2, HOURS = 4, WEEKDAY = 6, DAY = 7, MONTH = 8, YEAR = 9, REG_A, REG_B, REG_C, REG_D };

#define A_UPDATING 0x80 /* UIP */
#define A_DEFAULT 0x26  /* 32.768 kHz, 1.024 kHz rate */
#define B_SET 0x80
#define B_INTERRUPTS 0x70 /* periodic, alarm, update: the same bits as in register C */
#define B_BINARY 0x04
#define B_24_HOURS 0x02
#define D_VALID 0x80
#define HOUR_PM 0x80
#define C_REQUEST 0x80
#define C_PERIODIC 0x40
#define C_ALARM 0x20
#define C_UPDATE 0x10
#define A_RATE 3, 0
#define BASE_HZ 32768

#define ALARM_ANY 0xc0 /* an alarm byte from here up matches always */

#define UPDATE_PS (244 * PS_PER_US) /* UIP is set this long before the seconds change */
#define START_DATE INT64_C(1199145600) /* 2008-01-01 00:00:00, a Tuesday */
#define DAY_SECONDS 86400

struct civil {
    int64_t year; /* with the century */
    unsigned month, day, hour, minute, second;
};

/* ---- Calendar: proleptic Gregorian, days from 1970-01-01 ------------------------------------------------------- */

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned month_days(int64_t year, unsigned month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year));
}

static int64_t days_before_year(int64_t year)
{
    int64_t past = year - 1;

    return year * 365 - 1970 * 365 + past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static int64_t civil_seconds(const struct civil *civil)
{
    int64_t days = days_before_year(civil->year);

    for (unsigned month = 1; month < civil->month; month++)
        days += month_days(civil->year, month);
    days += civil->day - 1;
    return days * DAY_SECONDS + civil->hour * 3600 + civil->minute * 60 + civil->second;
}

static struct civil civil_from(int64_t seconds)
{
    struct civil civil = { .month = 1 };
    int64_t days = seconds / DAY_SECONDS, rest = seconds % DAY_SECONDS;

    civil.year = 1970 + days / 366; /* at most a few years too early */
    while (days_before_year(civil.year + 1) <= days)
        civil.year++;
    days -= days_before_year(civil.year);
    while (days >= month_days(civil.year, civil.month))
        days -= month_days(civil.year, civil.month++);
    civil.day = (unsigned)days + 1;
    civil.hour = (unsigned)(rest / 3600);
    civil.minute = (unsigned)(rest / 60 % 60);
    civil.second = (unsigned)(rest % 60);
    return civil;
}

/* ---- Registers in the format of register B ---------------------------------------------------------------------- */

static uint8_t cmos_encode(const struct cmos *cmos, unsigned value)
{
    return (uint8_t)(cmos->ram[REG_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static unsigned cmos_decode(const struct cmos *cmos, uint8_t value)
{
    return cmos->ram[REG_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static uint8_t cmos_encode_hour(const struct cmos *cmos, unsigned hour)
{
    if (cmos->ram[REG_B] & B_24_HOURS)
        return cmos_encode(cmos, hour);
    return cmos_encode(cmos, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned cmos_decode_hour(const struct cmos *cmos, uint8_t value)
{
    if (cmos->ram[REG_B] & B_24_HOURS)
        return cmos_decode(cmos, value);
    return cmos_decode(cmos, value & 0x7f) % 12 + (value & HOUR_PM ? 12 : 0);
}

static uint64_t cmos_now_ps(const struct cmos *cmos)
{
    return cmos->wiring->clock ? cmos->wiring->clock->now_ps : 0;
}

/* Show the running time in the registers; while SET is 1 they stand still. */
static void cmos_show_time(struct cmos *cmos)
{
    int64_t now = cmos->epoch + (int64_t)(cmos_now_ps(cmos) / PS_PER_S);
    struct civil civil = civil_from(now < 0 ? 0 : now);

    if (cmos->ram[REG_B] & B_SET)
        return;
    cmos->ram[SECONDS] = cmos_encode(cmos, civil.second);
    cmos->ram[MINUTES] = cmos_encode(cmos, civil.minute);
    cmos->ram[HOURS] = cmos_encode_hour(cmos, civil.hour);
    cmos->ram[WEEKDAY] = cmos_encode(cmos, (unsigned)((now / DAY_SECONDS + 4) % 7) + 1); /* 1970-01-01: Thursday = 5 */
    cmos->ram[DAY] = cmos_encode(cmos, civil.day);
    cmos->ram[MONTH] = cmos_encode(cmos, civil.month);
    cmos->ram[YEAR] = cmos_encode(cmos, (unsigned)(civil.year % 100));
    cmos->ram[CMOS_CENTURY] = cmos_encode(cmos, (unsigned)(civil.year / 100));
}

static unsigned within(unsigned value, unsigned low, unsigned high)
{
    return value < low ? low : value > high ? high : value;
}

/* Set the clock to what the registers show; nonsense is brought into range. */
static void cmos_take_time(struct cmos *cmos)
{
    struct civil civil = {
        .year = within(cmos_decode(cmos, cmos->ram[CMOS_CENTURY]), 19, 99) * 100 +
                within(cmos_decode(cmos, cmos->ram[YEAR]), 0, 99),
        .month = within(cmos_decode(cmos, cmos->ram[MONTH]), 1, 12),
        .hour = within(cmos_decode_hour(cmos, cmos->ram[HOURS]), 0, 23),
        .minute = within(cmos_decode(cmos, cmos->ram[MINUTES]), 0, 59),
        .second = within(cmos_decode(cmos, cmos->ram[SECONDS]), 0, 59),
    };

    civil.year = civil.year < 1970 ? 1970 : civil.year;
    civil.day = within(cmos_decode(cmos, cmos->ram[DAY]), 1, month_days(civil.year, civil.month));
    cmos->epoch = civil_seconds(&civil) - (int64_t)(cmos_now_ps(cmos) / PS_PER_S);
}

static bool cmos_is_time(unsigned index)
{
    return index == SECONDS || index == MINUTES || index == HOURS || (index >= WEEKDAY && index <= YEAR) ||
           index == CMOS_CENTURY;
}

static void cmos_write_b(struct cmos *cmos, uint8_t value)
{
    bool starts = (cmos->ram[REG_B] & B_SET) && !(value & B_SET);

    if ((value & B_SET) && !(cmos->ram[REG_B] & B_SET))
        cmos_show_time(cmos);
    cmos->ram[REG_B] = value;
    if (starts)
        cmos_take_time(cmos);
}

static void cmos_write_data(struct cmos *cmos, unsigned index, uint8_t value)
{
    if (index == REG_B) {
        cmos_write_b(cmos, value);
    } else if (index == REG_A) {
        cmos->ram[REG_A] = value & (uint8_t)~A_UPDATING;
    } else if (cmos_is_time(index)) {
        cmos_show_time(cmos);
        cmos->ram[index] = value;
        if (!(cmos->ram[REG_B] & B_SET))
            cmos_take_time(cmos);
    } else if (index != REG_C && index != REG_D) { /* C and D are read-only */
        cmos->ram[index] = value;
    }
}

/* ---- Interrupts (MC146818A: register C) ------------------------------------------------------------------------- */

static bool alarm_matches(const struct cmos *cmos)
{
    for (unsigned index = SECONDS; index <= HOURS; index += 2) {
        if (cmos->ram[index + 1] < ALARM_ANY && cmos->ram[index + 1] != cmos->ram[index])
            return false;
    }
    return true;
}

/* Periods are counted from time 0; 0: none. Rates 1 and 2 are 256 and 128 Hz. */
static uint64_t cmos_period(const struct cmos *cmos)
{
    unsigned rate = (unsigned)bits(cmos->ram[REG_A], A_RATE);

    rate += rate == 1 || rate == 2 ? 7 : 0;
    return rate ? UINT64_C(1) << (rate - 1) : 0;
}

static uint64_t cmos_ticks(uint64_t ps)
{
    return (uint64_t)((wide)ps * BASE_HZ / PS_PER_S);
}

static void cmos_drive(struct cmos *cmos)
{
    bool request = cmos->ram[REG_C] & cmos->ram[REG_B] & B_INTERRUPTS;

    cmos->ram[REG_C] = (uint8_t)((cmos->ram[REG_C] & ~C_REQUEST) | (request ? C_REQUEST : 0));
    cmos->irq.set(cmos->irq.ctx, CMOS_IRQ, request);
}

/* deviation: with update and alarm interrupts off, of several seconds since the last look only the last may match. */
static void cmos_catch_up(struct cmos *cmos)
{
    uint64_t now = cmos_now_ps(cmos), period = cmos_period(cmos);

    if (period && cmos_ticks(now) / period != cmos_ticks(cmos->looked_ps) / period)
        cmos->ram[REG_C] |= C_PERIODIC;
    if (now / PS_PER_S != cmos->looked_ps / PS_PER_S && !(cmos->ram[REG_B] & B_SET)) {
        cmos_show_time(cmos);
        cmos->ram[REG_C] |= C_UPDATE | (alarm_matches(cmos) ? C_ALARM : 0);
    }
    cmos->looked_ps = now;
    cmos_drive(cmos);
}

/* The next moment that may raise the request: each second for update and alarm, each period. */
static void cmos_plan(struct cmos *cmos)
{
    uint64_t now = cmos_now_ps(cmos), period = cmos_period(cmos), due = NEVER;

    if (cmos->ram[REG_B] & (C_UPDATE | C_ALARM) && !(cmos->ram[REG_B] & B_SET))
        due = (now / PS_PER_S + 1) * PS_PER_S;
    if (cmos->ram[REG_B] & C_PERIODIC && period) {
        uint64_t next = (cmos_ticks(now) / period + 1) * period;
        uint64_t at = (uint64_t)(((wide)next * PS_PER_S + BASE_HZ - 1) / BASE_HZ);

        due = at < due ? at : due;
    }
    if (due == NEVER)
        timer_disarm(&cmos->event);
    else
        timer_arm(&cmos->event, due);
}

static void cmos_event(void *ctx)
{
    cmos_catch_up(ctx);
    cmos_plan(ctx);
}

static uint8_t cmos_take_flags(struct cmos *cmos)
{
    uint8_t flags;

    cmos_catch_up(cmos);
    flags = cmos->ram[REG_C];
    cmos->ram[REG_C] = 0;
    cmos_drive(cmos);
    return flags;
}

static uint32_t cmos_read(void *ctx, uint16_t port, unsigned size)
{
    struct cmos *cmos = ctx;
    bool updating = cmos_now_ps(cmos) % PS_PER_S >= PS_PER_S - UPDATE_PS && !(cmos->ram[REG_B] & B_SET);

    (void)size;
    if (port == PORT_INDEX)
        return 0xff; /* write-only */
    if (cmos->index == REG_A)
        return cmos->ram[REG_A] | (updating ? A_UPDATING : 0);
    if (cmos->index == REG_C)
        return cmos_take_flags(cmos);
    if (cmos_is_time(cmos->index))
        cmos_show_time(cmos);
    return cmos->ram[cmos->index];
}

static void cmos_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct cmos *cmos = ctx;

    (void)size;
    if (port == PORT_INDEX) {
        cmos->index = value & (CMOS_BYTES - 1);
        return;
    }
    cmos_catch_up(cmos); /* by the registers as they were */
    cmos_write_data(cmos, cmos->index, (uint8_t)value);
    cmos_drive(cmos);
    cmos_plan(cmos);
}

/* ---- Building --------------------------------------------------------------------------------------------------- */

static void cmos_put(struct cmos *cmos, unsigned index, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        cmos->ram[index + i] = (uint8_t)(value >> (8 * i));
}

/* Memory sizes where PC firmware keeps them: KiB below and above 1 MiB, 64 KiB units above 16 MiB and above 4 GiB. */
static void cmos_put_memory(struct cmos *cmos, const struct map *map)
{
    uint64_t extended = (map->top_mem - MIB) / 1024;
    uint64_t above_16m = (map->top_mem - 16 * MIB) / 0x10000;

    extended = extended > 0xffff ? 0xffff : extended;
    cmos_put(cmos, 0x15, MAP_EBDA_BASE / 1024 + 1, 2);
    cmos_put(cmos, 0x17, extended, 2);
    cmos_put(cmos, 0x30, extended, 2);
    cmos_put(cmos, 0x34, above_16m, 2);
    cmos_put(cmos, 0x5b, (map->tom2 - MAP_4G) / 0x10000, 3);
}

void cmos_reset(struct cmos *cmos, const struct map *map)
{
    memset(cmos->ram, 0, sizeof cmos->ram);
    cmos->index = 0;
    cmos->epoch = START_DATE;
    cmos->looked_ps = cmos_now_ps(cmos);
    timer_disarm(&cmos->event);
    cmos->ram[REG_A] = A_DEFAULT;
    cmos->ram[REG_B] = B_24_HOURS;
    cmos->ram[REG_D] = D_VALID;
    cmos_put_memory(cmos, map);
    cmos_show_time(cmos);
    cmos_drive(cmos);
}

void cmos_connect(struct cmos *cmos, struct clock *clock)
{
    clock_attach(clock, &cmos->event);
}

void cmos_init(struct cmos *cmos, const struct irq_line *irq, const struct platform_wiring *wiring,
               struct ports *ports)
{
    const struct pio_range range = { "cmos", PORT_INDEX, 2, cmos, cmos_read, cmos_write };

    cmos->irq = *irq;
    cmos->wiring = wiring;
    cmos->event = (struct timer){ .name = "cmos.event", .fire = cmos_event, .ctx = cmos };
    ports_attach(ports, &range, 1);
}

static const struct state_field cmos_fields[] = {
    STATE_VALUE_UP_TO(struct cmos, index, CMOS_BYTES - 1), STATE_ARRAY(struct cmos, ram),
    STATE_VALUE(struct cmos, epoch), STATE_VALUE(struct cmos, looked_ps),
};

/* A date that no guest can set: a damaged snapshot. */
static void cmos_restored(void *object)
{
    struct cmos *cmos = object;

    if (cmos->epoch < -(INT64_C(1) << 40) || cmos->epoch > INT64_C(1) << 40)
        cmos->epoch = START_DATE;
}

const struct state_part cmos_state = {
    .name = "cmos", .fields = cmos_fields, .count = G_N_ELEMENTS(cmos_fields), .after = cmos_restored,
};
