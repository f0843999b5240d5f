/* SPDX-License-Identifier: MIT */
/*
 * How long an intercepted instruction is. Revision B saves no nRIP, so hv reads the bytes, as Xen does; only
 * the few instructions that hv steps over are known here. Pure.
 */
#ifndef HV_VM_INSTRUCTION_H
#define HV_VM_INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSTRUCTION_MAX 15

enum instruction { INSTRUCTION_CPUID, INSTRUCTION_RDMSR, INSTRUCTION_WRMSR, INSTRUCTION_HLT, INSTRUCTION_VMMCALL,
                   INSTRUCTION_INVD, INSTRUCTION_COUNT };

/* Prefixes included; 0: the bytes are not that instruction. */
unsigned instruction_length(const uint8_t *bytes, size_t count, bool in_64bit, enum instruction which);

/* MOV to or from CR8, LOCK MOV CR0 included (AltMovCr8). */
struct instruction_cr8 {
    bool is_write;
    unsigned gpr;
};
unsigned instruction_mov_cr8(const uint8_t *bytes, size_t count, bool in_64bit, struct instruction_cr8 *mov);

#endif
