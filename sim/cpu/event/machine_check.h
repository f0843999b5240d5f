/* SPDX-License-Identifier: MIT */
/* Machine-check exceptions of a core (APM2 8.2.19, chapter 9). What is logged and reported is sim/mce's business. */
#ifndef FAM10H_CPU_EVENT_MACHINE_CHECK_H
#define FAM10H_CPU_EVENT_MACHINE_CHECK_H

#include "sim/cpu/core.h"

/* #MC comes up: MCG_STATUS is written. false: shutdown, because CR4.MCE is clear or MCIP set already. */
bool machine_check_begin(struct core *core);

#endif
