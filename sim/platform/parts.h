/* SPDX-License-Identifier: MIT */
/* What struct platform is made of: for platform's own files alone. */
#ifndef FAM10H_PLATFORM_PARTS_H
#define FAM10H_PLATFORM_PARTS_H

#include "sim/platform/map.h"
#include "sim/platform/platform.h"
#include "sim/platform/ports.h"
#include "sim/platform/rom.h"
#include "sim/platform/system_ports.h"
#include "sim/platform/uart.h"

struct platform {
    struct platform_config config;
    struct platform_wiring wiring;
    struct map map;
    struct ports ports;
    struct rom rom;
    struct system_ports system;
    struct uart uart;
};

#endif
