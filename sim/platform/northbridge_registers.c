/* SPDX-License-Identifier: MIT */
/*
 * The northbridge's registers as data: function, offset, how many and how far apart, the manual's name, reset value,
 * writable bits, write-1-to-clear bits. A register that is not here reads as 0 (BKDG10 2.11, unimplemented registers).
 * Values that firmware programs are in northbridge_firmware.c; F3x40-54, 160-170 and 180 are sim/mce's, F3xF0-F8
 * dev.c's.
 */
#include "sim/platform/northbridge.h"

#define ALL UINT32_C(0xffffffff)

#define REG(function, offset, name, reset, writable, w1c) { function, 1, 0, offset, name, reset, writable, w1c }
#define REGS(function, offset, count, stride, name, reset, writable, w1c) \
    { function, count, stride, offset, name, reset, writable, w1c }
/* One function's header: ids, status, class, header type (multi-function), first capability. */
#define HEADER(function, id, status, capability) \
    REG(function, 0x000, "F" #function "x00 Device/Vendor ID", (uint32_t)(id) << 16 | 0x1022, 0, 0), \
    REG(function, 0x004, "F" #function "x04 Status/Command", status, 0, 0), \
    REG(function, 0x008, "F" #function "x08 Class Code/Revision ID", 0x06000000, 0, 0), \
    REG(function, 0x00c, "F" #function "x0C Header Type", 0x00800000, 0, 0), \
    REG(function, 0x034, "F" #function "x34 Capabilities Pointer", capability, 0, 0)
/* The two DRAM controllers have the same registers, 100h apart. */
#define BOTH(offset, name, reset, writable) \
    REG(2, offset, "F2x0" name, reset, writable, 0), REG(2, 0x100 + (offset), "F2x1" name, reset, writable, 0)

const struct nb_register nb_registers[] = {
    /* ---- Function 0: HyperTransport ---- */
    HEADER(0, 0x1200, 0x00100000, 0x80),
    REGS(0, 0x040, 8, 4, "F0x[5C:40] Routing Table", 0x00040201, 0x07ffffff, 0),
    REG(0, 0x060, "F0x60 Node ID", 0, 0x001f7777, 0),
    REG(0, 0x064, "F0x64 Unit ID", 0x000000e0, 0x000007f3, 0),
    REG(0, 0x068, "F0x68 Link Transaction Control", 0, 0x83ffffff, 0),
    REG(0, 0x06c, "F0x6C Link Initialization Control", 0, 0x00000f7f, 0),
    REGS(0, 0x080, 4, 0x20, "F0x[E0,C0,A0,80] Link Capabilities", 0, 0, 0),
    REGS(0, 0x084, 4, 0x20, "F0x[E4,C4,A4,84] Link Control", 0, 0x7700f00a, 0x00000310),
    REGS(0, 0x088, 4, 0x20, "F0x[E8,C8,A8,88] Link Frequency/Revision", 0, 0x00000f00, 0),
    REGS(0, 0x08c, 4, 0x20, "F0x[EC,CC,AC,8C] Link Feature Capability", 0, 0x00000020, 0),
    REGS(0, 0x090, 4, 0x20, "F0x[F0,D0,B0,90] Link Base Channel Buffer Count", 0, ALL, 0),
    REGS(0, 0x094, 4, 0x20, "F0x[F4,D4,B4,94] Link Isochronous Channel Buffer Count", 0, ALL, 0),
    REGS(0, 0x098, 4, 0x20, "F0x[F8,D8,B8,98] Link Type", 0, 0, 0),
    REGS(0, 0x09c, 4, 0x20, "F0x[FC,DC,BC,9C] Link Frequency Extension", 0, 0x00000001, 0),
    REGS(0, 0x110, 4, 4, "F0x[11C:110] Link Clumping Enable", 0, ALL, 0),
    REGS(0, 0x130, 4, 4, "F0x[13C:130] Link Retry", 0, 0xffff00df, 0x00001f00),
    REG(0, 0x150, "F0x150 Link Global Retry Control", 0, ALL, 0),
    REG(0, 0x160, "F0x160 Extended Node ID", 0, 0x00070000, 0),
    REG(0, 0x164, "F0x164 Coherent Link Traffic Distribution", 0, 0x00ff0707, 0),
    REG(0, 0x168, "F0x168 Extended Link Transaction Control", 0, 0x0000070f, 0),
    REG(0, 0x16c, "F0x16C Link Global Extended Control", 0, ALL, 0),
    REGS(0, 0x170, 4, 4, "F0x[17C:170] Link Extended Control", 0, ALL, 0),
    REG(0, 0x1a0, "F0x1A0 Link Initialization Status", 0, 0, 0),

    /* ---- Function 1: address maps ---- */
    HEADER(1, 0x1201, 0, 0),
    REGS(1, 0x040, 8, 8, "F1x[78:40] DRAM Base", 0, 0xffff0703, 0),
    REGS(1, 0x044, 8, 8, "F1x[7C:44] DRAM Limit", 0, 0xffff0707, 0),
    REGS(1, 0x080, 8, 8, "F1x[B8:80] MMIO Base", 0, 0xffffff0b, 0),
    REGS(1, 0x084, 8, 8, "F1x[BC:84] MMIO Limit", 0, 0xfffffff7, 0),
    REGS(1, 0x0c0, 4, 8, "F1x[D8:C0] I/O Base", 0, 0x01fff033, 0),
    REGS(1, 0x0c4, 4, 8, "F1x[DC:C4] I/O Limit", 0, 0x01fff077, 0),
    REGS(1, 0x0e0, 4, 4, "F1x[EC:E0] Configuration Map", 0, 0xffff0777, 0),
    REG(1, 0x0f0, "F1xF0 DRAM Hole Address", 0, 0xff00ff83, 0),
    REG(1, 0x0f4, "F1xF4 VGA Enable", 0, 0x0000707b, 0),
    REG(1, 0x110, "F1x110 Extended Address Map Control", 0, 0x7000000f, 0),
    REG(1, 0x114, "F1x114 Extended Address Map Data", 0, 0, 0),
    REG(1, 0x120, "F1x120 DRAM Base System Address", 0, 0x00ffffff, 0),
    REG(1, 0x124, "F1x124 DRAM Limit System Address", 0x001fffff, 0x00ffffff, 0),
    REGS(1, 0x140, 8, 8, "F1x[178:140] DRAM Base High", 0, 0x000000ff, 0),
    REGS(1, 0x144, 8, 8, "F1x[17C:144] DRAM Limit High", 0, 0x000000ff, 0),

    /* ---- Function 2: DRAM controllers ---- */
    HEADER(2, 0x1202, 0, 0),
    REGS(2, 0x040, 8, 4, "F2x[5C:40] DRAM CS Base", 0, 0x1ff83fef, 0),
    REGS(2, 0x140, 8, 4, "F2x[15C:140] DRAM CS Base", 0, 0x1ff83fef, 0),
    REGS(2, 0x060, 4, 4, "F2x[6C:60] DRAM CS Mask", 0, 0x1ff83fe0, 0),
    REGS(2, 0x160, 4, 4, "F2x[16C:160] DRAM CS Mask", 0, 0x1ff83fe0, 0),
    BOTH(0x78, "78 DRAM Control", 0, ALL),
    BOTH(0x7c, "7C DRAM Initialization", 0, ALL),
    BOTH(0x80, "80 DRAM Bank Address Mapping", 0, 0x0000ffff),
    BOTH(0x84, "84 DRAM MRS", 0, ALL),
    BOTH(0x88, "88 DRAM Timing Low", 0, ALL),
    BOTH(0x8c, "8C DRAM Timing High", 0, ALL),
    BOTH(0x90, "90 DRAM Configuration Low", 0, 0x007bf902),
    BOTH(0x94, "94 DRAM Configuration High", 0x00080200, 0xf055fc0f | 0x00080200),
    BOTH(0x98, "98 DRAM Controller Additional Data Offset", 0x80000000, 0x7fffffff),
    BOTH(0x9c, "9C DRAM Controller Additional Data Port", 0, 0),
    BOTH(0xa0, "A0 DRAM Controller Miscellaneous", 0, ALL),
    BOTH(0xa8, "A8 DRAM Controller Miscellaneous 2", 0, ALL),
    REG(2, 0x110, "F2x110 DRAM Controller Select Low", 0, 0xfffff8ff, 0),
    REG(2, 0x114, "F2x114 DRAM Controller Select High", 0, 0xfffffc00, 0),
    REG(2, 0x118, "F2x118 Memory Controller Configuration Low", 0, ALL, 0),
    REG(2, 0x11c, "F2x11C Memory Controller Configuration High", 0, ALL, 0),

    /* ---- Function 3: miscellaneous ---- */
    HEADER(3, 0x1203, 0x00100000, 0xf0),
    REG(3, 0x058, "F3x58 Scrub Rate Control", 0, 0x1f1f1f1f, 0),
    REG(3, 0x05c, "F3x5C DRAM Scrub Address Low", 0, 0xffffffc1, 0),
    REG(3, 0x060, "F3x60 DRAM Scrub Address High", 0, 0x0000ffff, 0),
    REG(3, 0x064, "F3x64 Hardware Thermal Control", 0, 0x7fff00c1, 0x00000020),
    REG(3, 0x068, "F3x68 Software Thermal Control", 0, 0x7f7f00e0, 0),
    REG(3, 0x06c, "F3x6C Data Buffer Count", 0, ALL, 0),
    REG(3, 0x070, "F3x70 SRI to XBAR Command Buffer Count", 0, ALL, 0),
    REG(3, 0x074, "F3x74 XBAR to SRI Command Buffer Count", 0, ALL, 0),
    REG(3, 0x078, "F3x78 MCT to XBAR Buffer Count", 0, ALL, 0),
    REG(3, 0x07c, "F3x7C Free List Buffer Count", 0, ALL, 0),
    REGS(3, 0x080, 2, 4, "F3x[84:80] ACPI Power State Control", 0, ALL, 0),
    REG(3, 0x088, "F3x88 NB Configuration Low", 0x00000008, ALL, 0),
    REG(3, 0x08c, "F3x8C NB Configuration High", 0, ALL, 0),
    REG(3, 0x090, "F3x90 GART Aperture Control", 0, 0x0000007f, 0),
    REG(3, 0x094, "F3x94 GART Aperture Base", 0, 0x00007fff, 0),
    REG(3, 0x098, "F3x98 GART Table Base", 0, 0xfffffff0, 0),
    REG(3, 0x09c, "F3x9C GART Cache Control", 0, 0x00000001, 0x00000002),
    REG(3, 0x0a0, "F3xA0 Power Control Miscellaneous", 0, 0xafff3bff, 0),
    REG(3, 0x0a4, "F3xA4 Reported Temperature Control", 0, 0x00031fff, 0),
    REG(3, 0x0b0, "F3xB0 On-Line Spare Control", 0, 0xffbff775, 0),
    REG(3, 0x0b8, "F3xB8 NB Array Address", 0, ALL, 0),
    REG(3, 0x0bc, "F3xBC NB Array Data Port", 0, ALL, 0),
    REG(3, 0x0d4, "F3xD4 Clock Power/Timing Control 0", 0, ALL, 0),
    REG(3, 0x0d8, "F3xD8 Clock Power/Timing Control 1", 0, 0x0f7f7f77, 0),
    REG(3, 0x0dc, "F3xDC Clock Power/Timing Control 2", 0, ALL, 0),
    REG(3, 0x0e4, "F3xE4 Thermtrip Status", 0, 0, 0),
    REG(3, 0x0e8, "F3xE8 Northbridge Capabilities", 0, 0, 0),
    REG(3, 0x0fc, "F3xFC CPUID Family/Model", 0, 0, 0),
    REG(3, 0x188, "F3x188 NB Extended Configuration", 0, ALL, 0),
    REG(3, 0x190, "F3x190 Downcore Control", 0, 0x0000003f, 0),
    REG(3, 0x1a0, "F3x1A0 L3 Buffer Count", 0, 0x000071f7, 0),
    REG(3, 0x1c4, "F3x1C4 L3 Cache Parameter", 0, 0x80003311, 0),
    REG(3, 0x1cc, "F3x1CC IBS Control", 0, 0x0000010f, 0),
    REG(3, 0x1e4, "F3x1E4 SBI Control", 0, ALL, 0),
    REG(3, 0x1f0, "F3x1F0 Product Information", 0, 0, 0),
    REG(3, 0x1fc, "F3x1FC Product Information 2", 0, 0, 0),

    /* ---- Function 4: link and P-state control ---- */
    HEADER(4, 0x1204, 0, 0),
    REG(4, 0x180, "F4x180 Link Phy Offset", 0x80000000, 0x7fffffff, 0),
    REG(4, 0x1c4, "F4x1C4 L3 Power Control", 0, ALL, 0),
    REG(4, 0x1c8, "F4x1C8 L3 Hit Statistics", 0, 0, 0),
    REGS(4, 0x1e0, 5, 4, "F4x[1F0:1E0] P-state Specification", 0, 0, 0),
    REG(4, 0x1f4, "F4x1F4 Northbridge P-state Specification", 0, 0, 0),
};

const size_t nb_register_count = sizeof nb_registers / sizeof nb_registers[0];
