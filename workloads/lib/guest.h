/* SPDX-License-Identifier: MIT */
/*
 * The tiny runtime of guest programs. A program defines guest_main; it runs on hv or alone on the machine,
 * 32-bit with paging off (start32.S) or 64-bit with 4 GiB mapped one to one (start64.S).
 */
#ifndef WORKLOADS_LIB_GUEST_H
#define WORKLOADS_LIB_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/core/format.h"
#include "hv/core/multiboot.h"
#include "hv/core/options.h"

/* Scenario marks (VMMCALL, number in EAX). */
#define MARK_BEGIN 0x46310001u
#define MARK_END 0x46310002u
#define MARK_DONE 0x46310003u /* result in EBX */

/* Known to the program before guest_main. */
extern const char *guest_options;    /* command line */
extern uint64_t guest_memory_end;    /* of the RAM that begins at 1 MiB */
extern bool guest_under_hv;          /* CPUID leaf 4000_0000h says XenVMMXenVMM */

void guest_main(void);
/* The run is over: mark 3 with the result under hv, the debug-exit port otherwise. */
void guest_exit(uint32_t result) __attribute__((noreturn));
/* As guest_exit, but as a failure. */
void guest_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void guest_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Nothing on the bare machine, where VMMCALL is #UD. */
void guest_mark(uint32_t mark, uint32_t argument);

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size); /* 64-bit programs only */

#endif
