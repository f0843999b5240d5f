/* SPDX-License-Identifier: MIT */
/* Debug registers (APM2 13.1): what their values mean to the core. */
#ifndef FAM10H_CPU_EXEC_DEBUG_H
#define FAM10H_CPU_EXEC_DEBUG_H

#include "sim/cpu/core.h"

/* DR6. B3-B0 are bits 3:0. */
#define DR6_CONDITIONS 3, 0
#define DR6_BD BIT(13) /* MOV DRn with DR7.GD set */
#define DR6_BS BIT(14) /* single step */
#define DR6_BT BIT(15) /* a task switch to a TSS with its T bit set */
#define DR6_FIXED UINT64_C(0xFFFF0FF0)
#define DR6_WRITABLE UINT64_C(0x0000E00F)

#define DR7_LOCAL UINT64_C(0x155) /* L0-L3 and LE: cleared by a task switch */
#define DR7_GD BIT(13)
#define DR7_FIXED BIT(10)
#define DR7_WRITABLE UINT64_C(0xFFFF23FF)

/* #DB is raised: its conditions go to DR6; B3-B0 are replaced, BD BS BT accumulate. DR7.GD is cleared. */
void debug_record(struct core *core, uint64_t conditions);

#endif
