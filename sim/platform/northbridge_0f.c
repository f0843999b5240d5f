/* SPDX-License-Identifier: MIT */
/*
 * The northbridge of Family 0Fh: functions 0 to 3 alone, with ids 1100 to 1103, 256 bytes of configuration space each,
 * three links of HyperTransport 1. What is listed here it shares with Family 10h; every other register reads 0.
 * deviation: revisions C to E have DDR, and other fields in their DRAM controller's registers; here those of F.
 */
#include "sim/bits.h"
#include "sim/platform/northbridge.h"

static const struct {
    uint8_t function;
    bool from_f; /* from revision F on: DDR2, SVM, thermal control */
    uint16_t first, last;
} in_0fh[] = {
    { 0, false, 0x00, 0x6c }, { 0, false, 0x80, 0x98 }, { 0, false, 0xa0, 0xb8 }, { 0, false, 0xc0, 0xd8 },
    { 1, false, 0x00, 0xf0 },
    { 2, false, 0x00, 0x6c }, { 2, true, 0x78, 0x7c }, { 2, false, 0x80, 0x80 }, { 2, false, 0x88, 0x98 },
    { 2, true, 0x9c, 0xa0 },
    { 3, false, 0x00, 0x60 }, { 3, true, 0x64, 0x68 }, { 3, false, 0x70, 0x9c }, { 3, true, 0xa0, 0xb0 },
    { 3, false, 0xd4, 0xd8 }, { 3, true, 0xdc, 0xdc }, { 3, false, 0xe4, 0xe8 }, { 3, true, 0xf0, 0xf8 },
    { 3, false, 0xfc, 0xfc },
};

bool northbridge_is_0f(const struct northbridge *nb)
{
    uint32_t signature = nb->config->cpu_signature; /* family 0Fh without an extended one */

    return bits(signature, 11, 8) == 0xf && bits(signature, 27, 20) == 0;
}

bool northbridge_is_0f_revision_f(const struct northbridge *nb)
{
    return northbridge_is_0f(nb) && bits(nb->config->cpu_signature, 19, 16) >= 4;
}

bool northbridge_has(const struct northbridge *nb, unsigned function, unsigned offset)
{
    if (!northbridge_is_0f(nb))
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(in_0fh); i++)
        if (in_0fh[i].function == function && offset >= in_0fh[i].first && offset <= in_0fh[i].last)
            return !in_0fh[i].from_f || northbridge_is_0f_revision_f(nb);
    return false;
}

/* 1 MPCap, 2 eight nodes, 3 ECC, 4 Chipkill, 8 memory controller; 9 SVM, 10 HTC from revision F on; 13:12 cores */
#define CAPABILITIES (1u | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 8)
#define CAPABILITIES_F (1u << 9 | 1u << 10)

#define LINK_FREQUENCY UINT32_C(0x00750622) /* HT 1.0x register set, 1000 MHz, 200 to 1000 MHz possible */
#define VGA_ENABLE BIT(4)                   /* F1xC0: there is no F1xF4 */

void northbridge_program_0f(struct northbridge *nb)
{
    uint32_t capabilities = CAPABILITIES | (northbridge_is_0f_revision_f(nb) ? CAPABILITIES_F : 0);

    for (unsigned function = 0; function < 4; function++)
        nb_set(nb, function, 0x00, (0x1100 + function) << 16 | 0x1022);
    for (unsigned link = 0; link < 3; link++) {
        unsigned base = 0x80 + 0x20 * link;

        if (nb_get(nb, 0, base + 0x08))
            nb_set(nb, 0, base + 0x08, LINK_FREQUENCY);
        if (link == 2) /* the last of the capabilities */
            nb_set(nb, 0, base, nb_get(nb, 0, base) & 0xffff00ff);
    }
    if (!northbridge_is_0f_revision_f(nb)) { /* no DEV, whose capability is F3's only one */
        nb_set(nb, 3, 0x04, 0);
        nb_set(nb, 3, 0x34, 0);
    }
    nb_set(nb, 1, 0xc0, nb_get(nb, 1, 0xc0) | (nb->node == 0 ? (uint32_t)VGA_ENABLE : 0));
    nb_set(nb, 3, 0xe8, (uint32_t)bits_put(capabilities, 13, 12, nb->config->cores_per_node - 1));
}
