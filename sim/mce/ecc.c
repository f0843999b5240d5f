/* SPDX-License-Identifier: MIT */
/* The x4 ECC of revisions B and C: 128 data and 16 check bits, corrects any error inside a 4-bit symbol. */
#include "sim/mce/mce.h"

#define DATA_SYMBOLS 32
#define SYMBOLS 36

/* BKDG10 table 79: the syndromes of a symbol's single bits. The code is linear: others are their exclusive or. */
static const uint16_t basis[SYMBOLS][4] = {
    { 0xe821, 0x7c32, 0xbb44, 0xdd88 }, { 0x5d31, 0xa612, 0x9584, 0xeac8 }, /* D0, D1 */
    { 0x0001, 0x0002, 0x0004, 0x0008 }, { 0x2021, 0x3032, 0x4044, 0x8088 }, /* D2, D3 */
    { 0x5041, 0xa082, 0x9054, 0xe0a8 }, { 0xbe21, 0xd732, 0x2144, 0x3288 }, /* D4, D5 */
    { 0x4951, 0x8ea2, 0x5394, 0xa1e8 }, { 0x74e1, 0x9872, 0xd6b4, 0x6bd8 }, /* D6, D7 */
    { 0x15c1, 0x2a42, 0xcef4, 0x4758 }, { 0x3d01, 0x1602, 0x8504, 0xca08 }, /* D8, D9 */
    { 0x9801, 0xec02, 0x6b04, 0xbd08 }, { 0xd131, 0x6212, 0x3884, 0x1cc8 }, /* D10, D11 */
    { 0xe1d1, 0x7262, 0xb834, 0xdc18 }, { 0x6051, 0xb0a2, 0x1094, 0x20e8 }, /* D12, D13 */
    { 0xa4c1, 0xf842, 0xe6f4, 0x7b58 }, { 0x11c1, 0x2242, 0xc8f4, 0x4c58 }, /* D14, D15 */
    { 0x45d1, 0x8a62, 0x5e34, 0xa718 }, { 0x63e1, 0xb172, 0x14b4, 0x28d8 }, /* D16, D17 */
    { 0xb741, 0xd982, 0x2254, 0x33a8 }, { 0xdd41, 0x6682, 0x3554, 0x1aa8 }, /* D18, D19 */
    { 0x2bd1, 0x3d62, 0x4f34, 0x8518 }, { 0x83c1, 0xc142, 0xa4f4, 0xf858 }, /* D20, D21 */
    { 0x8fd1, 0xc562, 0xa934, 0xfe18 }, { 0x4791, 0x89e2, 0x5264, 0xa3b8 }, /* D22, D23 */
    { 0x5781, 0xa9c2, 0x92a4, 0xe3f8 }, { 0xbf41, 0xd582, 0x2954, 0x3ea8 }, /* D24, D25 */
    { 0x9391, 0xe1e2, 0x6464, 0xb8b8 }, { 0xcce1, 0x4472, 0xfdb4, 0x56d8 }, /* D26, D27 */
    { 0xa761, 0xf9b2, 0xe214, 0x7328 }, { 0xff61, 0x55b2, 0x7914, 0x9e28 }, /* D28, D29 */
    { 0x5451, 0xa8a2, 0x9694, 0xebe8 }, { 0x6fc1, 0xb542, 0x19f4, 0x2e58 }, /* D30, D31 */
    { 0xbe01, 0xd702, 0x2104, 0x3208 }, { 0x4101, 0x8202, 0x5804, 0xac08 }, /* C0, C1 */
    { 0xc441, 0x4882, 0xf654, 0x5ba8 }, { 0x7621, 0x9b32, 0xda44, 0x6f88 }, /* C2, C3 */
};

static unsigned symbol_bits(const struct ecc_mask *mask, unsigned symbol)
{
    if (symbol >= DATA_SYMBOLS)
        return mask->check >> 4 * (symbol - DATA_SYMBOLS) & 0xF;
    return (unsigned)(mask->data[symbol / 16] >> 4 * (symbol % 16)) & 0xF;
}

static uint16_t symbol_syndrome(unsigned symbol, unsigned wrong)
{
    uint16_t syndrome = 0;

    for (unsigned i = 0; i < 4; i++)
        if (wrong >> i & 1)
            syndrome ^= basis[symbol][i];
    return syndrome;
}

uint16_t ecc_syndrome(const struct ecc_mask *mask)
{
    uint16_t syndrome = 0;

    for (unsigned symbol = 0; symbol < SYMBOLS; symbol++)
        syndrome ^= symbol_syndrome(symbol, symbol_bits(mask, symbol));
    return syndrome;
}

int ecc_symbol(uint16_t syndrome, unsigned *wrong)
{
    for (unsigned symbol = 0; syndrome && symbol < SYMBOLS; symbol++)
        for (*wrong = 1; *wrong < 16; ++*wrong)
            if (symbol_syndrome(symbol, *wrong) == syndrome)
                return (int)symbol;
    return -1;
}

uint64_t ecc_status(uint16_t syndrome)
{
    return bits_put(bits_put(0, MCA_SYNDROME_LOW, syndrome & 0xFF), MCA_SYNDROME_HIGH, syndrome >> 8);
}
