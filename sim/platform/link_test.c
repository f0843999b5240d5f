/* SPDX-License-Identifier: MIT */
/* The link adapter: two of them, and a cable between that the test carries the messages of. */
#include "sim/platform/link.h"

#include "sim/platform/fixture.h"

#define BITS_PER_S UINT64_C(1000000000)
#define LATENCY (20 * PS_PER_US)
#define BUFFER 0x200000
#define FRAME 0x300000
#define SIZE 1000
#define FRAME_PS (SIZE * 8 * 1000) /* 1000 bytes at 1 Gbit/s */

struct ends {
    struct fixture *a, *b;
};

static void set(struct fixture *f, unsigned reg, uint32_t value)
{
    out(f, (uint16_t)(LINK_PORTS + reg), 4, value);
}

static uint32_t get(struct fixture *f, unsigned reg)
{
    return in(f, (uint16_t)(LINK_PORTS + reg), 4);
}

static void carry(struct fixture *from, struct fixture *to)
{
    struct link_message *message;

    while ((message = platform_link_fetch(from->platform)))
        platform_link_deliver(to->platform, message);
}

/* Both go to `ps`, exchanging every microsecond. */
static void both_until(const struct ends *e, uint64_t ps)
{
    for (uint64_t at = e->a->clock.now_ps / PS_PER_US * PS_PER_US; at <= ps; at += PS_PER_US) {
        run_until(e->a, MAX(at, e->a->clock.now_ps));
        run_until(e->b, MAX(at, e->b->clock.now_ps));
        carry(e->a, e->b);
        carry(e->b, e->a);
    }
    run_until(e->a, ps);
    run_until(e->b, ps);
}

static struct ends plugged(void)
{
    struct ends e = { fixture_new_with(1, 1, 64 * MIB, 0x00100f23, true),
                      fixture_new_with(1, 1, 64 * MIB, 0x00100f23, true) };

    platform_link_plug(e.a->platform, BITS_PER_S, LATENCY);
    platform_link_plug(e.b->platform, BITS_PER_S, LATENCY);
    return e;
}

/* Both enabled, each with a buffer, at 100 us. */
static struct ends linked(void)
{
    struct ends e = plugged();

    set(e.a, LINK_RX_PAGE, BUFFER >> 12);
    set(e.b, LINK_RX_PAGE, BUFFER >> 12);
    set(e.a, LINK_CONTROL, LINK_CONTROL_ENABLE);
    set(e.b, LINK_CONTROL, LINK_CONTROL_ENABLE | LINK_CONTROL_INTERRUPTS);
    both_until(&e, 100 * PS_PER_US);
    set(e.a, LINK_EVENTS, ~0u);
    set(e.b, LINK_EVENTS, ~0u);
    return e;
}

static void done(struct ends *e)
{
    fixture_free(e->a);
    fixture_free(e->b);
}

static void send(struct fixture *f, uint8_t first, unsigned size)
{
    store(f, FRAME, 1, first);
    set(f, LINK_TX_PAGE, FRAME >> 12);
    set(f, LINK_TX_LENGTH, size);
}

START_TEST(a_machine_without_adapter_shows_none)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    ck_assert_uint_eq(platform_pci_read(f->platform, 0, LINK_DEVICE, 0, 0), UINT32_MAX);
    ck_assert_uint_eq(get(f, LINK_STATUS), UINT32_MAX);
    fixture_free(f);
}
END_TEST

START_TEST(configuration_space_names_the_adapter_and_sizes_its_ports)
{
    struct ends e = plugged();

    ck_assert_uint_eq(platform_pci_read(e.a->platform, 0, LINK_DEVICE, 0, 0), 0x0001f10f);
    ck_assert_uint_eq(platform_pci_read(e.a->platform, 0, LINK_DEVICE, 0, 0x10), LINK_PORTS | 1);
    out(e.a, 0xcf8, 4, 0x80000000u | LINK_DEVICE << 11 | 0x10);
    out(e.a, 0xcfc, 4, UINT32_MAX);
    ck_assert_uint_eq((~(in(e.a, 0xcfc, 4) & ~3u) + 1) & 0xffff, LINK_PORTS_COUNT);
    ck_assert_uint_eq(get(e.a, LINK_STATUS), UINT32_MAX); /* not there any more */
    out(e.a, 0xcfc, 4, LINK_PORTS | 1);
    ck_assert_uint_eq(get(e.a, LINK_STATUS), 0);
    done(&e);
}
END_TEST

START_TEST(the_carrier_comes_when_both_are_enabled_whoever_is_first)
{
    struct ends e = plugged();

    set(e.a, LINK_CONTROL, LINK_CONTROL_ENABLE);
    both_until(&e, 50 * PS_PER_US);
    ck_assert_uint_eq(get(e.a, LINK_STATUS), 0);
    set(e.b, LINK_CONTROL, LINK_CONTROL_ENABLE);
    both_until(&e, 100 * PS_PER_US);
    ck_assert_uint_eq(get(e.a, LINK_STATUS), LINK_STATUS_CARRIER | LINK_STATUS_READY);
    ck_assert_uint_eq(get(e.b, LINK_STATUS), LINK_STATUS_CARRIER | LINK_STATUS_READY);
    ck_assert_uint_eq(get(e.a, LINK_EVENTS), LINK_EVENT_CARRIER);
    set(e.b, LINK_CONTROL, 0);
    both_until(&e, 150 * PS_PER_US);
    ck_assert_uint_eq(get(e.a, LINK_STATUS), 0);
    done(&e);
}
END_TEST

START_TEST(a_frame_takes_its_bits_and_the_latency)
{
    struct ends e = linked();
    uint64_t due = 100 * PS_PER_US + FRAME_PS + LATENCY;

    send(e.a, 0x5a, SIZE);
    ck_assert_uint_eq(get(e.a, LINK_STATUS), LINK_STATUS_CARRIER); /* busy */
    both_until(&e, due - 1);
    ck_assert_uint_eq(get(e.b, LINK_RX_LENGTH), 0);
    both_until(&e, due);
    ck_assert_uint_eq(get(e.b, LINK_RX_LENGTH), SIZE);
    ck_assert_uint_eq(get(e.b, LINK_EVENTS), LINK_EVENT_ARRIVED);
    ck_assert_uint_eq(load(e.b, BUFFER, 1), 0x5a);
    done(&e);
}
END_TEST

/* One frame in the driver's buffer, two that wait: the next has to wait at the sender until one is taken out. */
START_TEST(no_frame_is_lost_when_nobody_takes_it)
{
    struct ends e = linked();

    for (unsigned i = 1; i <= 3; i++) {
        ck_assert_uint_eq(get(e.a, LINK_STATUS), LINK_STATUS_CARRIER | LINK_STATUS_READY);
        send(e.a, (uint8_t)i, SIZE);
        both_until(&e, (100 + i * 100) * PS_PER_US);
    }
    ck_assert_uint_eq(get(e.a, LINK_STATUS), LINK_STATUS_CARRIER);
    send(e.a, 4, SIZE);
    ck_assert_uint_eq(get(e.a, LINK_EVENTS), LINK_EVENT_NOT_SENT);
    for (unsigned i = 1; i <= 3; i++) {
        ck_assert_uint_eq(load(e.b, BUFFER, 1), i);
        set(e.b, LINK_RX_PAGE, BUFFER >> 12);
    }
    ck_assert_uint_eq(get(e.b, LINK_RX_LENGTH), 0);
    both_until(&e, 600 * PS_PER_US);
    ck_assert_uint_eq(get(e.a, LINK_STATUS), LINK_STATUS_CARRIER | LINK_STATUS_READY);
    done(&e);
}
END_TEST

START_TEST(what_cannot_be_a_frame_is_not_sent)
{
    struct ends e = linked();
    static const uint32_t sizes[] = { 0, LINK_FRAME_MAX + 1, UINT32_MAX };

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        send(e.a, 1, sizes[i]);
        ck_assert_uint_eq(get(e.a, LINK_EVENTS), LINK_EVENT_NOT_SENT);
        set(e.a, LINK_EVENTS, ~0u);
    }
    set(e.a, LINK_TX_PAGE, UINT32_MAX); /* no memory there: it reads as ones */
    set(e.a, LINK_TX_LENGTH, SIZE);
    both_until(&e, 200 * PS_PER_US);
    ck_assert_uint_eq(load(e.b, BUFFER, 1), 0xff);
    done(&e);
}
END_TEST

/* Both ends see the cut at its moment; a frame whose last bit comes later is lost. */
START_TEST(a_cut_loses_what_has_not_arrived)
{
    struct ends e = linked();
    uint64_t due = 100 * PS_PER_US + FRAME_PS + LATENCY, cut = due - 1;

    send(e.a, 1, SIZE);
    platform_link_cut(e.a->platform, cut);
    platform_link_cut(e.b->platform, cut);
    both_until(&e, cut - 1);
    ck_assert_uint_eq(get(e.a, LINK_STATUS) & LINK_STATUS_CARRIER, LINK_STATUS_CARRIER);
    both_until(&e, cut);
    ck_assert_uint_eq(get(e.a, LINK_STATUS), 0);
    ck_assert_uint_eq(get(e.b, LINK_STATUS), 0);
    both_until(&e, 300 * PS_PER_US);
    ck_assert_uint_eq(get(e.b, LINK_EVENTS), LINK_EVENT_CARRIER);
    ck_assert_uint_eq(get(e.b, LINK_RX_LENGTH), 0);
    ck_assert_uint_eq(e.b->platform->link.frames_lost, 1);
    done(&e);
}
END_TEST

START_TEST(a_reset_takes_the_carrier_from_the_other_end)
{
    struct ends e = linked();

    platform_reset(e.b->platform, false);
    both_until(&e, 200 * PS_PER_US);
    ck_assert_uint_eq(get(e.a, LINK_STATUS), 0);
    set(e.b, LINK_CONTROL, LINK_CONTROL_ENABLE);
    both_until(&e, 300 * PS_PER_US);
    ck_assert_uint_eq(get(e.a, LINK_STATUS), LINK_STATUS_CARRIER | LINK_STATUS_READY);
    done(&e);
}
END_TEST

UNIT_TESTS("link adapter", a_machine_without_adapter_shows_none,
           configuration_space_names_the_adapter_and_sizes_its_ports,
           the_carrier_comes_when_both_are_enabled_whoever_is_first, a_frame_takes_its_bits_and_the_latency,
           no_frame_is_lost_when_nobody_takes_it, what_cannot_be_a_frame_is_not_sent, a_cut_loses_what_has_not_arrived,
           a_reset_takes_the_carrier_from_the_other_end)
