/* SPDX-License-Identifier: MIT */
/*
 * The single ports of a PC: POST code 80h, system control 92h, reset control CF9h, debug console E9h, numeric
 * error F0h, and QEMU's debug-exit F4h.
 */
#ifndef FAM10H_PLATFORM_SYSTEM_PORTS_H
#define FAM10H_PLATFORM_SYSTEM_PORTS_H

#include "sim/platform/platform.h"
#include "sim/platform/ports.h"
#include "sim/state.h"

struct system_ports {
    uint8_t post;           /* last code written to port 80h */
    uint8_t control_a;      /* port 92h: 0 fast reset, 1 A20 gate */
    uint8_t reset_control;  /* port CF9h: 1 system (cold) reset, 2 reset, 3 full reset */
    struct char_port console;
    const struct platform_wiring *wiring;
    uint64_t console_bytes; /* counter */
};

void system_ports_init(struct system_ports *system, const struct platform_config *config,
                       const struct platform_wiring *wiring, struct ports *ports);
void system_ports_reset(struct system_ports *system);

extern const struct state_part system_ports_state;

#endif
