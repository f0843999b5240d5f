/* SPDX-License-Identifier: MIT */
/*
 * A guest that begins in real mode, as boot=c of hv enters it (0000:7C00), or firmware.S. Twice it climbs from real
 * mode through 16-bit and 32-bit protected mode, 32-bit paging, PAE and long mode, and back. On the way: INT n
 * through the interrupt vector table and through 16-, 32- and 64-bit gates, ports, string I/O, timer interrupts by
 * the 8259 in real mode, the second vCPU started by INIT and SIPI, a segment register that keeps its 4 GiB in real
 * mode.
 *
 * Each step ends with a value in EAX that arithmetic foretells (workloads/tests/real-mode): sum = rol(sum, 5) + EAX.
 * The result of mark 3 is the sum. Whatever goes wrong changes it, or ends the guest.
 */
#define TRIPS 2
#define MARK_DONE 0x46310003
#define PIC_COMMAND 0x20
#define PIC_DATA 0x21
#define PIT_CHANNEL0 0x40
#define PIT_CONTROL 0x43
#define PIT_MODE2 0x34
#define PIT_COUNT 1193          /* 1 ms */
#define CONSOLE 0xE9
#define FAIL 0xF4
#define VECTOR_TIMER 8
#define VECTOR 0x60
#define VECTOR_AP 0x61
#define APIC_ICR 0xFEE00300
#define INIT_OTHERS 0x000C4500
#define SIPI_OTHERS 0x000C4600
#define AP_PAGE 6               /* 6000h */
#define AP_STACK 0x5000
#define AP_PATIENCE 10000000
#define CODE32 0x08
#define DATA32 0x10
#define CODE64 0x18
#define CODE16 0x20
#define DATA16 0x28
#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define MSR_EFER 0xC0000080
#define EFER_LME 0x100
/* Page tables; ALIAS shows 4 MiB or 2 MiB elsewhere. */
#define TABLES 0x10000
#define PDPT 0x10000
#define PD 0x11000
#define PD_ALIAS 0x12000
#define DIRECTORY 0x13000
#define PML4 0x14000
#define PDPT64 0x15000
#define TABLES_END 0x16000
#define ALIAS 0x40000000
#define BEHIND_LEGACY 0x400000
#define BEHIND_PAE 0x200000
#define LARGE 0x83              /* P, W, PS */

        .macro fold             /* EAX into the sum; any mode */
        roll $5, sum
        addl %eax, sum
        .endm

        .macro ints count       /* INT with BX from count to 1, which its handler adds up */
        movl $0, total
        movl $\count, %ebx
1:      int $VECTOR
        decl %ebx
        jnz 1b
        movl total, %eax
        fold
        .endm

        .macro squares count    /* 1 + 4 + ... in EAX, as far as its 32 bits go; clobbers ECX EDX */
        movl $\count, %ecx
        xorl %eax, %eax
1:      movl %ecx, %edx
        imull %ecx, %edx
        addl %edx, %eax
        decl %ecx
        jnz 1b
        .endm

        .macro squares16 count  /* the same in 16 bits */
        movw $\count, %cx
        xorl %eax, %eax
1:      movw %cx, %dx
        imulw %cx, %dx
        addw %dx, %ax
        loop 1b
        .endm

        .text
        .code16
        .globl start
start:  jmp begin
        .balign 4
trips:  .long TRIPS             /* 4 bytes into the image, where a test may write more */
begin:  cli
        cld
        xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movw $start, %sp
        ljmp $0, $1f            /* CS is 0 even for who came by 07C0:0000 */
1:      movw $int_16, VECTOR * 4
        movw %ax, VECTOR * 4 + 2
        movw $int_timer, VECTOR_TIMER * 4
        movw %ax, VECTOR_TIMER * 4 + 2
        movw $int_ap, VECTOR_AP * 4
        movw %ax, VECTOR_AP * 4 + 2
        movw $ap_jump, %si      /* what the second vCPU finds at AP_PAGE:0000 */
        movw $AP_PAGE << 12, %di
        movw $ap_jump_end - ap_jump, %cx
        rep movsb
        call pic_begin

/* ---- Real mode -------------------------------------------------------------------------------------------------- */

trip:   movw $text_up, %si
        movw $text_up_end - text_up, %cx
        call print
        squares16 1000
        fold
        ints 50
        xorl %ebx, %ebx         /* each value of the mask register, written and read */
        xorw %cx, %cx
1:      movb %cl, %al
        outb %al, $PIC_DATA
        xorl %eax, %eax
        inb $PIC_DATA, %al
        addl %eax, %ebx
        incb %cl
        jnz 1b
        movl %ebx, %eax
        fold
        movw $5, %bx
        call wait_ticks

/* ---- 16-bit protected mode -------------------------------------------------------------------------------------- */

        lgdt gdt_pointer
        lidt idt16_pointer
        movl %cr0, %eax
        orb $CR0_PE, %al
        movl %eax, %cr0
        ljmp $CODE16, $1f
1:      movw $DATA16, %ax
        movw %ax, %ds
        movw %ax, %ss
        squares16 700
        fold
        ints 20
        ljmpl $CODE32, $protected32

/* ---- 32-bit protected mode, paging off -------------------------------------------------------------------------- */

        .code32
protected32:
        movl $DATA32, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        lidt idt32_pointer
        squares 5000
        fold
        ints 30
        call start_ap
        call make_tables

/* 32-bit paging, 4M pages: ALIAS is BEHIND_LEGACY. */
        movl trips, %eax
        addl $0x13579BDF, %eax
        movl %eax, BEHIND_LEGACY
        movl $CR4_PSE, %eax
        movl %eax, %cr4
        movl $DIRECTORY, %eax
        call paging_on
        movl ALIAS, %eax
        fold
        call paging_off

/* PAE: ALIAS is BEHIND_PAE. */
        movl trips, %eax
        addl $0x12345678, %eax
        movl %eax, BEHIND_PAE
        movl $CR4_PAE, %eax
        movl %eax, %cr4
        movl $PDPT, %eax
        call paging_on
        movl ALIAS, %eax
        fold
        movl $0x2468ACE0, ALIAS
        call paging_off

/* ---- Long mode -------------------------------------------------------------------------------------------------- */

        movl $CR4_PAE, %eax
        movl %eax, %cr4
        movl $EFER_LME, %eax
        call write_efer
        movl $PML4, %eax
        call paging_on
        lidt idt64_pointer
        ljmp $CODE64, $long_mode

        .code64
long_mode:
        movl $50000, %ecx       /* 1 + 8 + 27 ... in RAX */
        xorl %eax, %eax
1:      movq %rcx, %rdx
        imulq %rcx, %rdx
        imulq %rcx, %rdx
        addq %rdx, %rax
        decl %ecx
        jnz 1b
        movq %rax, %rsi
        fold
        movq %rsi, %rax
        shrq $32, %rax
        fold
        ints 40
        movl trips, %eax
        addl %eax, ALIAS        /* what PAE wrote there */
        subq $16, %rsp          /* a far return to 32-bit code */
        movq $compatibility, (%rsp)
        movq $CODE32, 8(%rsp)
        lretq

        .code32
compatibility:
        movl $DATA32, %eax
        movl %eax, %ss
        call paging_off
        xorl %eax, %eax
        call write_efer

/* ---- Back ------------------------------------------------------------------------------------------------------- */

        movl $DATA32, %eax
        movl %eax, %fs          /* stays 4 GiB long in real mode */
        ljmp $CODE16, $1f
        .code16
1:      movw $DATA16, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        lidt ivt_pointer
        movl %cr0, %eax
        andb $~CR0_PE, %al
        movl %eax, %cr0
        ljmp $0, $1f
1:      xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movl $BEHIND_PAE, %ebx
        movl %fs:(%ebx), %eax
        fold
        squares16 100
        fold
        ints 50
        movw $3, %bx
        call wait_ticks
        decl trips
        jnz trip
        movw $text_end, %si
        movw $text_end_end - text_end, %cx
        call print
        movl sum, %ebx
        movl $MARK_DONE, %eax
        vmmcall
        movb $2, %al            /* not a guest of hv */
        outb %al, $FAIL
1:      hlt
        jmp 1b

/* ---- 16-bit pieces ---------------------------------------------------------------------------------------------- */

print:  movw $CONSOLE, %dx
        rep outsb
        ret

/* The first 8259: vectors from 08h, as a PC's firmware has them. The second's input is masked. */
pic_begin:
        movb $0x11, %al
        outb %al, $PIC_COMMAND
        movb $VECTOR_TIMER, %al
        outb %al, $PIC_DATA
        movb $4, %al
        outb %al, $PIC_DATA
        movb $1, %al
        outb %al, $PIC_DATA
        movb $0xFF, %al
        outb %al, $PIC_DATA
        movb $PIT_MODE2, %al
        outb %al, $PIT_CONTROL
        movb $PIT_COUNT & 0xFF, %al
        outb %al, $PIT_CHANNEL0
        movb $PIT_COUNT >> 8, %al
        outb %al, $PIT_CHANNEL0
        ret

/* BX timer interrupts, after which the handler masks them. Folds how many came. */
wait_ticks:
        movw %bx, ticks_wanted
        movl $0, ticks
        movb $0xFE, %al
        outb %al, $PIC_DATA
1:      sti
        hlt
        cli
        cmpw %bx, ticks
        jb 1b
        movl ticks, %eax
        fold
        ret

int_timer:
        pushw %ax
        incw ticks
        movw ticks, %ax
        cmpw ticks_wanted, %ax
        jb 1f
        movb $0xFF, %al
        outb %al, $PIC_DATA
1:      movb $0x20, %al         /* EOI */
        outb %al, $PIC_COMMAND
        popw %ax
        iret

int_16: addw %bx, total         /* of real mode, and of a 16-bit gate */
        iret

int_ap: addw %bx, ap_total
        iret

ap_jump:
        ljmp $0, $ap_start
ap_jump_end:
ap_start:
        xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %ss
        movw $AP_STACK, %sp
        movw $10, %bx
1:      int $VECTOR_AP
        decw %bx
        jnz 1b
        squares16 300
        movl %eax, ap_squares
        movl $1, ap_done
1:      cli
        hlt
        jmp 1b

/* ---- 32-bit pieces ---------------------------------------------------------------------------------------------- */

        .code32
int_32: addl %ebx, total
        iretl

/* EAX to CR3; paging is on when it returns. */
paging_on:
        movl %eax, %cr3
        movl %cr0, %eax
        orl $CR0_PG, %eax
        movl %eax, %cr0
        ret

paging_off:
        movl %cr0, %eax
        andl $~CR0_PG, %eax
        movl %eax, %cr0
        xorl %eax, %eax
        movl %eax, %cr4
        ret

write_efer:
        movl $MSR_EFER, %ecx
        xorl %edx, %edx
        wrmsr
        ret

start_ap:
        xorl %eax, %eax
        movl %eax, ap_done
        movl %eax, ap_total
        movl %eax, ap_squares
        movl $INIT_OTHERS, APIC_ICR
        movl $SIPI_OTHERS + AP_PAGE, APIC_ICR
        movl $AP_PATIENCE, %ecx
1:      pause
        decl %ecx
        jz 2f
        cmpl $0, ap_done
        je 1b
        movl ap_squares, %eax
        fold
        movl ap_total, %eax
        fold
        ret
2:      movb $1, %al            /* there is no second vCPU, or it did not start */
        outb %al, $FAIL
        jmp 2b

make_tables:
        movl $TABLES, %edi
        movl $(TABLES_END - TABLES) / 4, %ecx
        xorl %eax, %eax
        rep stosl
        movl $LARGE, DIRECTORY
        movl $BEHIND_LEGACY + LARGE, DIRECTORY + (ALIAS >> 22) * 4
        movl $PD + 1, PDPT
        movl $PD_ALIAS + 1, PDPT + (ALIAS >> 30) * 8
        movl $LARGE, PD
        movl $BEHIND_PAE + LARGE, PD_ALIAS
        movl $PDPT64 + 3, PML4
        movl $PD + 3, PDPT64
        movl $PD_ALIAS + 3, PDPT64 + (ALIAS >> 30) * 8
        ret

        .code64
int_64: addl %ebx, total
        iretq

/* ---- Data ------------------------------------------------------------------------------------------------------- */

        .balign 8
gdt:    .quad 0
        .quad 0x00CF9B000000FFFF
        .quad 0x00CF93000000FFFF
        .quad 0x00AF9B000000FFFF
        .quad 0x00009B000000FFFF
        .quad 0x000093000000FFFF
gdt_end:
idt16:  .word int_16, CODE16, 0x8600, 0
idt32:  .word int_32, CODE32, 0x8E00, 0
idt64:  .word int_64, CODE64, 0x8E00, 0
        .quad 0
gdt_pointer:
        .word gdt_end - gdt - 1
        .long gdt
idt16_pointer:                  /* tables of one gate, VECTOR's */
        .word VECTOR * 8 + 7
        .long idt16 - VECTOR * 8
idt32_pointer:
        .word VECTOR * 8 + 7
        .long idt32 - VECTOR * 8
idt64_pointer:
        .word VECTOR * 16 + 15
        .quad idt64 - VECTOR * 16
ivt_pointer:
        .word 0x3FF
        .long 0
text_up:
        .ascii "real mode: up\n"
text_up_end:
text_end:
        .ascii "real mode: back\n"
text_end_end:
        .balign 4
sum:    .long 0
total:  .long 0
ticks:  .long 0
ticks_wanted: .long 0
ap_done: .long 0
ap_total: .long 0
ap_squares: .long 0
