/* SPDX-License-Identifier: MIT */
/* The child's way into random code and back (stub.c), at fixed addresses: that code owns every register. */
#ifndef FAM10H_TESTS_SILICON_STUB_H
#define FAM10H_TESTS_SILICON_STUB_H

#include <stdint.h>

/* Far from everything that random arithmetic on pointers comes to. */
#define STUB_STATE 0x6B5A3000
#define STUB_CODE 0x6B5A1000 /* one page: the stub is copied there */

/* At STUB_STATE. The offsets are the assembly's. */
struct stub_state {
    uint64_t gpr[16];        /* 000 */
    uint64_t rflags;         /* 080 */
    uint64_t rip;            /* 088: offset of the far pointer, and the near one */
    uint64_t own_rsp;        /* 090 */
    uint16_t seg[8];         /* 098: ES CS SS DS FS GS */
    uint8_t media, segments, fsgsbase, trap, pad[4]; /* 0A8 */
    uint64_t fs_base, gs_base; /* 0B0, 0B8: the child's own */
    uint64_t out_gpr[16];    /* 0C0 */
    uint64_t out_rflags;     /* 140 */
    uint16_t out_seg[8];     /* 148 */
    uint32_t far_offset;     /* 158 */
    uint16_t far_selector, pad2;
    uint64_t case_fs_base, case_gs_base; /* 160, 168 */
    uint64_t frame[5];       /* 170: for IRET into a case with TF: rIP, CS, rFLAGS, rSP, SS */
    uint8_t pad3[0x200 - 0x198];
    uint8_t fx[512];         /* 200 */
    uint8_t out_fx[512];     /* 400 */
};

extern const uint8_t stub_begin[], stub_capture[], stub_enter[], stub_leave[], stub_signal[], stub_end[];

#endif
