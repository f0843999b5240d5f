/* SPDX-License-Identifier: MIT */
/* Exceptions as values: run a function and learn what it raised. */
#ifndef WORKLOADS_LIB_EXCEPTIONS_H
#define WORKLOADS_LIB_EXCEPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define EXC_DE 0
#define EXC_DB 1
#define EXC_BP 3
#define EXC_OF 4
#define EXC_BR 5
#define EXC_UD 6
#define EXC_NM 7
#define EXC_DF 8
#define EXC_TS 10
#define EXC_NP 11
#define EXC_SS 12
#define EXC_GP 13
#define EXC_PF 14
#define EXC_NONE 256

struct exception {
    unsigned vector; /* EXC_NONE: nothing was raised */
    uintptr_t error_code;
    uintptr_t ip, flags;
    uintptr_t cr2; /* of a page fault */
};

/* Load an IDT whose every vector comes here; without exception_try an exception fails the program. */
void exceptions_init(void);
/* Call function(argument); what it raised, if anything, ends it. */
struct exception exception_try(void (*function)(void *argument), void *argument);
/* Mark a vector's gate present or not. */
void exception_gate_present(unsigned vector, bool present);

#endif
