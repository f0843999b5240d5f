/* SPDX-License-Identifier: MIT */
/* What hv answers to keys on its console (Ctrl-A three times): u, memory of nodes and domains; H, free memory. */
#ifndef HV_VM_DEBUG_KEYS_H
#define HV_VM_DEBUG_KEYS_H

/* Answer the keys that wait. On the core that the UART interrupts. */
void debug_keys_run(void);

#endif
