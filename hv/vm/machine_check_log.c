/* SPDX-License-Identifier: MIT */
#include "hv/vm/machine_check_log.h"

#include "hv/core/format.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/mca/record.h"

#define WORD 24

void machine_check_say(uint32_t record, const char *step, const char *event, const char *format, ...)
{
    char rest[CONSOLE_LINE - 48];
    va_list args;

    va_start(args, format);
    format_text_va(rest, sizeof(rest), format, args);
    va_end(args);
    console_print("mca record=%u step=%s event=%s %s", record, step, event, rest);
}

static const char *context_text(const struct mca_error *error, char text[WORD])
{
    if (error->context == MCA_IN_HV)
        return "hv";
    if (error->context == MCA_IN_IDLE)
        return "idle";
    format_text(text, WORD, "dom%u.%u", error->domid, error->vcpu);
    return text;
}

void machine_check_say_found(const struct mca_error *error)
{
    char context[WORD];

    for (unsigned i = 0; i < error->count; i++) {
        const struct mca_bank *bank = &error->bank[i];

        machine_check_say(error->record, "1", "found",
                          "kind=%s via=%s core=%u context=%s bank=%u status=%016lx addr=%016lx misc=%016lx mcg=%lx",
                          bank->status & MCA_UC ? "UE" : "CE", mca_via_names[error->via], error->core,
                          context_text(error, context), bank->number, (unsigned long)bank->status,
                          (unsigned long)bank->addr, (unsigned long)bank->misc, (unsigned long)error->mcg_status);
    }
}

const char *machine_check_step_of(const struct mca_verdict *verdict)
{
    return verdict->corrected ? "2a" : verdict->impact == MCA_IMPACT_DOMU ? "2c" : "2b";
}

static const char *owner_text(const struct mca_bank *bank, char text[WORD])
{
    switch (bank ? bank->owner : MCA_OWNER_NONE) {
    case MCA_OWNER_XEN:
        return "xen";
    case MCA_OWNER_FREE:
        return "free";
    case MCA_OWNER_DOM0:
    case MCA_OWNER_DOMU:
        format_text(text, WORD, "dom%u", bank->domid);
        return text;
    default:
        return "-";
    }
}

static const char *number_text(char text[WORD], const char *format, uint64_t value, bool there)
{
    if (!there)
        return "-";
    format_text(text, WORD, format, (unsigned long)value);
    return text;
}

void machine_check_say_decided(const struct mca_error *error, const struct mca_verdict *verdict,
                               const struct mca_inputs *inputs, const struct mca_victim *victim,
                               const struct mca_heal_row *heal, const char *row)
{
    const struct mca_bank *bank = victim && victim->bank ? victim->bank : verdict->bank;
    bool frame = bank->owner != MCA_OWNER_NONE, domain = victim || verdict->impact == MCA_IMPACT_DOM0;
    char class[WORD], owner[WORD], frame_text[WORD], domid[WORD], vcpu[WORD], healed[WORD];

    machine_check_say(error->record, machine_check_step_of(verdict), "decide",
                      "class=%s impacts=%s domain=%s vcpu=%s frame=%s owner=%s heal=%s healed=%u dom0_event=%u "
                      "dom0_trap=%u domu=%s row=%s",
                      number_text(class, "I%lu", verdict->first, verdict->first != MCA_REMOTE),
                      mca_impact_names[verdict->impact],
                      number_text(domid, "%lu", victim ? victim->domid : DOMID_CONTROL, domain),
                      number_text(vcpu, "%lu", victim ? victim->vcpu : 0, domain),
                      number_text(frame_text, "%lx", bank->addr >> PAGE_SHIFT, frame), owner_text(bank, owner),
                      heal ? number_text(healed, "H%lu", heal->heal, true) : "-", inputs->healed, inputs->dom0_event,
                      inputs->dom0_trap, victim ? mca_domu_names[inputs->domu] : "-", row);
}

static void dump(unsigned core, const struct mca_bank_v1 *bank, uint64_t mcg_status)
{
    /* One line to console_print: other cores' lines must not come in between. */
    console_print("CPU %u BANK %u\r\nMISC %lx ADDR %lx\r\nSTATUS %lx MCGSTATUS %lx", core, bank->bank,
                  (unsigned long)bank->misc, (unsigned long)bank->addr, (unsigned long)bank->status,
                  (unsigned long)mcg_status);
}

void machine_check_dump(const struct mca_error *error)
{
    for (unsigned i = 0; i < error->count; i++)
        dump(error->core, &(struct mca_bank_v1){ .bank = error->bank[i].number, .status = error->bank[i].status,
                                                 .addr = error->bank[i].addr, .misc = error->bank[i].misc },
             error->mcg_status);
}

void machine_check_dump_info(const struct mca_info *info)
{
    struct mca_global_v1 global = { .core = 0 };
    struct mca_bank_v1 bank;

    for (const struct mca_common *at = mca_record_next(info, 1, NULL); at; at = mca_record_next(info, 1, at)) {
        if (at->type == MCA_RECORD_GLOBAL)
            memcpy(&global, at, sizeof(global));
        if (at->type != MCA_RECORD_BANK)
            continue;
        memcpy(&bank, at, sizeof(bank));
        dump(global.core, &bank, global.gstatus);
    }
}
