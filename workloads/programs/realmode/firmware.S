/* SPDX-License-Identifier: MIT */
/*
 * The least firmware: from the reset vector F000:FFF0, copies climb.S from F000:0000 to 0000:7C00 and goes there. One
 * 64 KiB image; firmware.ld puts climb.bin at its beginning.
 */
#define IMAGE_SEGMENT 0xF000
#define BOOT_AT 0x7C00

        .section .reset, "ax"
        .code16
        .globl reset
reset:  ljmp $IMAGE_SEGMENT, $copy
        .skip 16 - (. - reset), 0xFF

        .section .copy, "ax"
        .code16
copy:   cli
        cld
        movw $IMAGE_SEGMENT, %ax
        movw %ax, %ds
        xorw %ax, %ax
        movw %ax, %es
        xorw %si, %si
        movw $BOOT_AT, %di
        movw $climb_end, %cx    /* its size: it begins at 0 */
        rep movsb
        ljmp $0, $BOOT_AT

        .section .climb, "a"
        .incbin "workloads/climb.bin"
climb_end:
