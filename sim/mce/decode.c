/* SPDX-License-Identifier: MIT */
/* STATUS and ADDR in words; errors by name. One table each: words.def, signatures.def. */
#include <inttypes.h>
#include <string.h>

#include "sim/mce/mce.h"

/* ---- The tables ------------------------------------------------------------------------------------------- */

static const struct words {
    uint8_t bank, extended;
    uint16_t code, mask;
    const char *words;
} words[] = {
#define WORDS(bank, extended, code, mask, words) { MCA_##bank, extended, code, mask, words },
#include "sim/mce/words.def"
#undef WORDS
};

#define U MCA_UC
#define A MCA_ADDRV
#define P MCA_PCC
#define C MCA_CECC
#define E MCA_UECC
#define S MCA_SCRUB
static const struct mca_signature signatures[] = {
#define ERROR(bank, name, ctl, extended, code, flags, address) \
    { name, MCA_##bank, ctl, (flags) | (uint64_t)(extended) << 16 | (code), address },
#include "sim/mce/signatures.def"
#undef ERROR
};
#undef U
#undef A
#undef P
#undef C
#undef E
#undef S

const struct mca_signature *mca_signature_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(signatures); i++)
        if (strcmp(signatures[i].name, name) == 0)
            return &signatures[i];
    return NULL;
}

const struct mca_signature *mca_signature_at(unsigned index)
{
    return index < G_N_ELEMENTS(signatures) ? &signatures[index] : NULL;
}

/* Banks 0 to 3 and 5 have 4 bits of extended code, bank 4 five. */
static unsigned extended_code(unsigned bank, uint64_t status)
{
    return (unsigned)(bank == MCA_NB ? bits(status, MCA_EXT_CODE) : bits(status, 19, 16));
}

const char *mca_error_words(unsigned bank, uint64_t status)
{
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (words[i].bank == bank && words[i].extended == extended_code(bank, status) &&
            (bits(status, MCA_CODE) & words[i].mask) == words[i].code)
            return words[i].words;
    return "unknown error";
}

/* ---- The error code (fact sheet 5.4) ------------------------------------------------------------------------- */

static const char *const transactions[4] = { "instruction", "data", "generic", "reserved" };
static const char *const levels[4] = { "level 0", "L1", "L2", "L3 or generic" };
static const char *const requests[16] = { "generic", "read", "write", "data read", "data write", "instruction fetch",
                                          "prefetch", "evict", "snoop", "?", "?", "?", "?", "?", "?", "?" };
static const char *const participants[4] = { "source", "responder", "observer", "generic" };
static const char *const spaces[4] = { "memory", "reserved", "I/O", "generic" };

static void decode_code(GString *out, unsigned code)
{
    const char *request = requests[bits(code, 7, 4)];

    if (bits(code, 15, 4) == 1)
        g_string_append_printf(out, "; TLB, %s, %s", transactions[bits(code, 3, 2)], levels[bits(code, 1, 0)]);
    else if (bits(code, 15, 8) == 1)
        g_string_append_printf(out, "; memory, %s, %s, %s", request, transactions[bits(code, 3, 2)],
                               levels[bits(code, 1, 0)]);
    else if (bits(code, 15, 11) == 1)
        g_string_append_printf(out, "; bus, %s, %s, %s, %s%s", participants[bits(code, 10, 9)], request,
                               spaces[bits(code, 3, 2)], levels[bits(code, 1, 0)], bit(code, 8) ? ", timeout" : "");
    else
        g_string_append_printf(out, "; code %04X", code);
}

/* ---- All of it ------------------------------------------------------------------------------------------------ */

static const struct flag {
    uint64_t bit;
    const char *set;
} flags[] = {
    { MCA_OVER, "overflow" }, { MCA_PCC, "processor context corrupt" }, { MCA_SCRUB, "found by a scrubber" },
};

static uint64_t syndrome_of(uint64_t status)
{
    return bits(status, MCA_SYNDROME_HIGH) << 8 | bits(status, MCA_SYNDROME_LOW);
}

static void decode_ecc(GString *out, unsigned bank, uint64_t status)
{
    unsigned wrong;
    int symbol;

    if (!(status & (MCA_CECC | MCA_UECC)))
        return;
    g_string_append_printf(out, ", syndrome %04X", (unsigned)syndrome_of(status));
    if (bank != MCA_NB || extended_code(bank, status) != 0x08)
        return;
    symbol = ecc_symbol((uint16_t)syndrome_of(status), &wrong);
    if (symbol >= 0)
        g_string_append_printf(out, " (symbol %s%d, bits %X)", symbol < 32 ? "D" : "C", symbol & 31, wrong);
}

void mca_decode(GString *out, unsigned bank, uint64_t status, uint64_t addr)
{
    g_string_append_printf(out, "MC%u %s: ", bank, bank < MCA_BANKS ? mca_bank_rows[bank].name : "?");
    if (!(status & MCA_VAL)) {
        g_string_append(out, "no error");
        return;
    }
    g_string_append_printf(out, "%s %s%s", status & MCA_UC ? "uncorrected" : "corrected",
                           mca_error_words(bank, status), status & MCA_EN ? "" : " (not enabled)");
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
        if (status & flags[i].bit)
            g_string_append_printf(out, ", %s", flags[i].set);
    if (status & MCA_ADDRV)
        g_string_append_printf(out, ", address %" PRIX64, addr);
    decode_ecc(out, bank, status);
    decode_code(out, (unsigned)bits(status, MCA_CODE));
}
