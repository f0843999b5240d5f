/* SPDX-License-Identifier: MIT */
/* For platform's unit tests: a whole platform whose wires end in a recorder. */
#ifndef FAM10H_PLATFORM_FIXTURE_H
#define FAM10H_PLATFORM_FIXTURE_H

#include <string.h>

#include "sim/bits.h"
#include "sim/platform/parts.h"
#include "sim/counters.h"
#include "sim/spa.h"
#include "sim/state.h"
#include "sim/unit_test.h"
#include "sim/unmodelled.h"

#define FIXTURE_MESSAGES 64

struct fixture {
    struct platform *platform;
    struct clock clock;
    struct unmodelled *unmodelled;
    struct core_pins pins;
    struct apic_message message[FIXTURE_MESSAGES];
    unsigned messages;
    bool extint;
    unsigned rises;          /* of the 8259s' INTR */
    unsigned exits, offs, resets;
    uint32_t exit_value;
    GString *sent, *console; /* UART and port E9h */
    const char *input;       /* what the UART may still receive */
    unsigned stores, drops;
    spa_t store_address;
    uint8_t store_flags;
    spa_t dropped;
};

static inline bool fixture_message(void *ctx, const struct apic_message *message)
{
    struct fixture *f = ctx;

    if (f->messages < FIXTURE_MESSAGES)
        f->message[f->messages] = *message;
    f->messages++;
    return true;
}

static inline void fixture_extint(void *ctx, bool level)
{
    struct fixture *f = ctx;

    f->rises += level;
    f->extint = level;
}

static inline void fixture_nmi(void *ctx, bool level)
{
    (void)ctx, (void)level;
}

static inline void fixture_stored(void *ctx, spa_t address, unsigned size, uint8_t flags)
{
    struct fixture *f = ctx;

    (void)size;
    f->stores++;
    f->store_address = address;
    f->store_flags = flags;
}

static inline void fixture_drop(void *ctx, spa_t page)
{
    struct fixture *f = ctx;

    f->drops++;
    f->dropped = page;
}

static inline void fixture_exit(void *ctx, uint32_t value)
{
    struct fixture *f = ctx;

    f->exits++;
    f->exit_value = value;
}

static inline void fixture_off(void *ctx)
{
    ((struct fixture *)ctx)->offs++;
}

static inline void fixture_reset(void *ctx)
{
    ((struct fixture *)ctx)->resets++;
}

static inline void fixture_sent(void *ctx, uint8_t byte)
{
    g_string_append_c(((struct fixture *)ctx)->sent, (char)byte);
}

static inline void fixture_console(void *ctx, uint8_t byte)
{
    g_string_append_c(((struct fixture *)ctx)->console, (char)byte);
}

static inline int fixture_get(void *ctx)
{
    struct fixture *f = ctx;

    return f->input && *f->input ? (uint8_t)*f->input++ : -1;
}

static inline struct platform_config fixture_config(struct fixture *f, unsigned nodes, unsigned cores, uint64_t memory)
{
    return (struct platform_config){
        .nodes = nodes, .cores_per_node = cores, .memory = memory, .host_memory = 256 * MIB,
        .cpu_signature = 0x00100f23, .mhz = 2300, .debug_exit = true,
        .uart = { f, fixture_sent, fixture_get }, .debug_console = { f, fixture_console, NULL },
    };
}

static inline struct fixture *fixture_new_with(unsigned nodes, unsigned cores, uint64_t memory, uint32_t signature,
                                               bool link)
{
    struct fixture *f = g_new0(struct fixture, 1);
    struct platform_config config = fixture_config(f, nodes, cores, memory);
    struct platform_wiring wiring = {
        .clock = &f->clock, .messages = { f, fixture_message }, .bsp_pins = &f->pins, .ctx = f,
        .stored = fixture_stored, .drop_native = fixture_drop, .debug_exit = fixture_exit,
        .power_off = fixture_off, .reset = fixture_reset,
    };

    config.cpu_signature = signature;
    config.link = link;
    clock_init(&f->clock);
    f->unmodelled = wiring.unmodelled = unmodelled_new();
    f->pins = (struct core_pins){ f, fixture_extint, fixture_nmi };
    f->sent = g_string_new(NULL);
    f->console = g_string_new(NULL);
    f->platform = platform_new(&config, NULL);
    ck_assert_ptr_nonnull(f->platform);
    platform_connect(f->platform, &wiring);
    platform_reset(f->platform, false);
    return f;
}

/* With processors of this CPUID 1 EAX. */
static inline struct fixture *fixture_new_signature(unsigned nodes, unsigned cores, uint64_t memory, uint32_t signature)
{
    return fixture_new_with(nodes, cores, memory, signature, false);
}

static inline struct fixture *fixture_new(unsigned nodes, unsigned cores, uint64_t memory)
{
    return fixture_new_signature(nodes, cores, memory, 0x00100f23);
}

static inline void fixture_free(struct fixture *f)
{
    platform_free(f->platform);
    unmodelled_free(f->unmodelled);
    g_string_free(f->sent, TRUE);
    g_string_free(f->console, TRUE);
    g_free(f);
}

/* ---- What a core does ---- */

static inline void out(struct fixture *f, uint16_t port, unsigned size, uint32_t value)
{
    struct pio_space *pio = platform_ports(f->platform);

    pio->write(pio->ctx, port, size, value);
}

static inline uint32_t in(struct fixture *f, uint16_t port, unsigned size)
{
    struct pio_space *pio = platform_ports(f->platform);

    return pio->read(pio->ctx, port, size);
}

static inline void outb(struct fixture *f, uint16_t port, uint8_t value)
{
    out(f, port, 1, value);
}

static inline uint8_t inb(struct fixture *f, uint16_t port)
{
    return (uint8_t)in(f, port, 1);
}

static inline uint64_t load(struct fixture *f, spa_t address, unsigned size)
{
    return spa_read(platform_space(f->platform), address, size);
}

static inline void store(struct fixture *f, spa_t address, unsigned size, uint64_t value)
{
    spa_write(platform_space(f->platform), address, size, value);
}

static inline void run_until(struct fixture *f, uint64_t ps)
{
    clock_fire(&f->clock, ps);
    f->clock.now_ps = ps;
}

static inline uint32_t config_read(struct fixture *f, unsigned node, unsigned function, unsigned reg)
{
    return platform_pci_read(f->platform, 0, 0x18 + node, function, reg);
}

/* A snapshot of the platform alone. */
static inline char *fixture_hash(struct fixture *f)
{
    struct state *state = state_new();
    struct counter_set *counters = counter_set_new();
    char *hash;

    platform_describe(f->platform, state, counters);
    hash = state_hash(state);
    counter_set_free(counters);
    state_free(state);
    return hash;
}

#endif
