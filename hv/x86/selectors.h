/* SPDX-License-Identifier: MIT */
/* Selectors of hv's descriptor tables, for C and assembly. */
#ifndef HV_X86_SELECTORS_H
#define HV_X86_SELECTORS_H

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE32 0x18
#define SELECTOR_TSS 0x20

#endif
