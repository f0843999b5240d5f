/* SPDX-License-Identifier: MIT */
#ifndef HV_CORE_TRAPS_H
#define HV_CORE_TRAPS_H

#include "hv/x86/descriptors.h"

#define VECTOR_TIMER 0xF0
#define VECTOR_WAKE 0xF1
#define VECTOR_FLUSH 0xF2 /* only to end a guest's run: svm_flush */
#define VECTOR_UART 0xF3
#define VECTOR_LINK 0xF4
#define VECTOR_THRESHOLD 0xF5 /* of machine check: the extended LVT */
#define VECTOR_SPURIOUS 0xFF

void trap_handle(struct trap_frame *frame);
/* Who takes #MC, on its own stack, with whatever locks held by the interrupted: set once, before CR4.MCE is. */
void trap_take_machine_checks(void (*handler)(const struct trap_frame *frame));

#endif
