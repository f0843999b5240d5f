/* SPDX-License-Identifier: MIT */
/* The control-register bits that translation depends on (APM2 3.1). */
#ifndef FAM10H_MMU_CONTROL_H
#define FAM10H_MMU_CONTROL_H

#include "sim/bits.h"

#define CR0_WP BIT(16)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)
#define CR4_PSE BIT(4)
#define CR4_PAE BIT(5)
#define CR4_PGE BIT(7)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)

#endif
