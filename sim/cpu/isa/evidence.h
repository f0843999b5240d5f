/* SPDX-License-Identifier: MIT */
/*
 * What test runs leave behind for `fam10h isa --coverage`: text files in a directory, one line for each
 * thing that a row was seen to do, "ENCODING<tab>NAME<tab>EVENT". EVENT: "retired", "exit", or a fault's
 * name as in the row ("PF"). Lines may repeat; every file of the directory counts.
 */
#ifndef FAM10H_CPU_ISA_EVIDENCE_H
#define FAM10H_CPU_ISA_EVIDENCE_H

#include "sim/cpu/isa/isa.h"

struct isa_evidence;

/* Appends to DIRECTORY/NAME.evidence; NULL if it cannot be written. Several processes may share a file. */
struct isa_evidence *isa_evidence_new(const char *directory, const char *name);
void isa_evidence_free(struct isa_evidence *evidence);
/* An instruction of `row` ran on `core` and came to `outcome`. */
void isa_evidence_record(struct isa_evidence *evidence, const struct core *core, const struct isa_row *row,
                         enum outcome outcome);

#endif
