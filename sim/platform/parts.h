/* SPDX-License-Identifier: MIT */
/* What struct platform is made of: for platform's own files alone. */
#ifndef FAM10H_PLATFORM_PARTS_H
#define FAM10H_PLATFORM_PARTS_H

#include "sim/platform/cmos.h"
#include "sim/platform/dram_controller.h"
#include "sim/platform/dram_errors.h"
#include "sim/platform/fabric.h"
#include "sim/platform/hpet.h"
#include "sim/platform/i8042.h"
#include "sim/platform/ioapic.h"
#include "sim/platform/link.h"
#include "sim/platform/map.h"
#include "sim/platform/northbridge.h"
#include "sim/platform/pci.h"
#include "sim/platform/pic.h"
#include "sim/platform/pit.h"
#include "sim/platform/platform.h"
#include "sim/platform/pm.h"
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
    struct pci pci;
    struct fabric fabric;
    struct northbridge node[MAX_NODES];
    struct dram_errors errors;
    struct ioapic ioapic;
    struct pic_pair pic;
    struct pit pit;
    struct hpet hpet;
    struct uart uart;
    struct cmos cmos;
    struct i8042 kbc;
    struct pm pm;
    struct system_ports system;
    struct link_port link;
};

#endif
