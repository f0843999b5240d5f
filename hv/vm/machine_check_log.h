/* SPDX-License-Identifier: MIT */
/* The lines of doc/mca.md. */
#ifndef HV_VM_MACHINE_CHECK_LOG_H
#define HV_VM_MACHINE_CHECK_LOG_H

#include "hv/abi/mca.h"
#include "hv/mca/decide.h"
#include "hv/mca/heal.h"
#include "hv/vm/guest.h"

/* "mca record=3 step=2c event=EVENT " and what follows. */
void machine_check_say(uint32_t record, const char *step, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Step 1: one line for each bank. */
void machine_check_say_found(const struct mca_error *error);
/* Step 2a, 2b, 2c. `domu`: its kind's name or "-"; `row`: its id, or the range that is left. */
void machine_check_say_decided(const struct mca_error *error, const struct mca_verdict *verdict,
                               const struct mca_inputs *inputs, const struct mca_victim *victim,
                               const struct mca_heal_row *heal, const char *row);
const char *machine_check_step_of(const struct mca_verdict *verdict);
/* In mcelog's own form, for a record that nobody fetches. */
void machine_check_dump(const struct mca_error *error);
/* The same of a record that had to give way. */
void machine_check_dump_info(const struct mca_info *info);

#endif
