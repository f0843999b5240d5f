/* SPDX-License-Identifier: MIT */
/* The rows, with their semantics. */
#include "sim/cpu/isa/isa.h"
#include "sim/cpu/isa/semantics.h"

const struct isa_row isa_rows[] = {
#define ROW(name_, encoding_, operands_, modes_, feature_, attributes_, intercept_, flags_, faults_, cost_, run_) \
    { .name = name_, .encoding = encoding_, .operands = operands_, .modes = ISA_MODES_##modes_,                  \
      .feature = ISA_FEATURE_##feature_, .attributes = attributes_, .intercept = { intercept_ },                 \
      .cost = ISA_COST_##cost_, .flags = flags_, .faults = faults_, .run = run_ },
#include "sim/cpu/isa/rows.def"
#undef ROW
};

const unsigned isa_row_count = sizeof(isa_rows) / sizeof(isa_rows[0]);

/*
 * assumed: throughput-like round figures in the spirit of AMD's software optimization guide for Family
 * 10h; the model is in order with one instruction at a time, so that latencies do not overlap.
 */
static const uint8_t cost_cycles[ISA_COST_COUNT] = {
    [ISA_COST_ALU] = 1,      [ISA_COST_MOVE] = 1,     [ISA_COST_BRANCH] = 1,   [ISA_COST_STACK] = 2,
    [ISA_COST_SHIFT] = 3,    [ISA_COST_MUL] = 4,      [ISA_COST_DIV] = 40,     [ISA_COST_FLOAT] = 4,
    [ISA_COST_FDIV] = 20,    [ISA_COST_FMICRO] = 60,  [ISA_COST_STRING] = 2,
    [ISA_COST_LOCKED] = 15,  [ISA_COST_MICRO] = 8,    [ISA_COST_IO] = 100,     [ISA_COST_SEGMENT] = 10,
    [ISA_COST_FAR] = 40,     [ISA_COST_SYSCALL] = 30, [ISA_COST_CONTROL] = 20, [ISA_COST_MSR] = 50,
    [ISA_COST_SERIAL] = 60,  [ISA_COST_WORLD] = 250,
};

uint8_t isa_cost_cycles(enum isa_cost cost)
{
    return cost_cycles[cost];
}
