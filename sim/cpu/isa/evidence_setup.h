/* SPDX-License-Identifier: MIT */
/* For unit tests: what their instructions did goes to $FAM10H_ISA_EVIDENCE, where make check collects it. */
#ifndef FAM10H_CPU_ISA_EVIDENCE_SETUP_H
#define FAM10H_CPU_ISA_EVIDENCE_SETUP_H

#include <unistd.h>

#include "sim/cpu/isa/evidence.h"

static inline void record_evidence(const struct core *core, const struct isa_row *row, enum outcome outcome)
{
    static struct isa_evidence *evidence; /* one for each test process */
    const char *directory = g_getenv("FAM10H_ISA_EVIDENCE");

    if (directory == NULL)
        return;
    if (evidence == NULL) {
        char name[32];

        g_snprintf(name, sizeof(name), "unit-%d", (int)getpid());
        evidence = isa_evidence_new(directory, name);
    }
    if (evidence != NULL)
        isa_evidence_record(evidence, core, row, outcome);
}

#endif
