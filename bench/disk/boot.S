/* SPDX-License-Identifier: MIT */
/*
 * A boot sector for a raw disk: reads the flat image that follows it, copies it to where it is linked, and enters it as
 * a multiboot loader would. For simulators that have no multiboot loader of their own (Bochs). Fixed when it is
 * assembled (make-disk): IMAGE_SECTORS, IMAGE_ENTRY, IMAGE_TARGET.
 */
#define STAGING 0x10000          /* the image as read, below the EBDA: at most 512 KiB */
#define SECTORS_PER_READ 32      /* 16 KiB: no read crosses a 64 KiB boundary */

        .code16
        .globl _start
_start:
        ljmp    $0, $1f
1:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7C00, %sp
        movb    %dl, drive
        sti

        movw    $((IMAGE_SECTORS + SECTORS_PER_READ - 1) / SECTORS_PER_READ), %cx
read:   pushw   %cx
        movw    $packet, %si
        movb    drive, %dl
        movb    $0x42, %ah
        int     $0x13
        jc      failed
        addw    $(SECTORS_PER_READ * 512 / 16), packet_segment
        addl    $SECTORS_PER_READ, packet_sector
        popw    %cx
        loop    read

        movw    $0x2401, %ax     /* A20 on, by the BIOS and by port 92h */
        int     $0x15
        inb     $0x92, %al
        orb     $2, %al
        andb    $0xFE, %al
        outb    %al, $0x92

        movw    $0x3FB, %dx      /* COM1: 8 bits, for images that take it as firmware leaves it */
        movb    $3, %al
        outb    %al, %dx

        cli
        lgdtl   gdt_pointer
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $protected

failed: movw    $message, %si
2:      lodsb
        testb   %al, %al
        jz      3f
        outb    %al, $0xE9
        jmp     2b
3:      hlt
        jmp     3b

        .code32
protected:
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    %ax, %fs
        movw    %ax, %gs
        cld
        movl    $STAGING, %esi
        movl    $IMAGE_TARGET, %edi
        movl    $(IMAGE_SECTORS * 128), %ecx
        rep movsl
        movl    $0x2BADB002, %eax
        movl    $information, %ebx
        movl    $IMAGE_ENTRY, %ecx
        jmp     *%ecx

        .balign 4
packet: .byte   16, 0
        .word   SECTORS_PER_READ
        .word   0
packet_segment:
        .word   STAGING >> 4
packet_sector:
        .quad   1
        .balign 8
gdt:    .quad   0
        .quad   0x00CF9A000000FFFF
        .quad   0x00CF92000000FFFF
gdt_pointer:
        .word   23
        .long   gdt
        /* Multiboot information: lower and upper memory only (flags bit 0); upper is a promise of 512 MiB. */
information:
        .long   1, 640, 511 * 1024
drive:  .byte   0
message:
        .asciz  "disk read error\n"

        .org    510
        .word   0xAA55
