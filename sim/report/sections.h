/* SPDX-License-Identifier: MIT */
/* Sections of a report that are gathered in files of their own. */
#ifndef FAM10H_REPORT_SECTIONS_H
#define FAM10H_REPORT_SECTIONS_H

#include "sim/report/report.h"

void report_gather_tlb(struct report *report, const struct counter_set *set);
void report_gather_walks(struct report *report, const struct counter_set *set);

#endif
