/* SPDX-License-Identifier: MIT */
/*
 * SKINIT (APM2 15.27), from revision C on: the state in which a secure loader starts, what keeps devices off it,
 * and how the other core joins. On revision B it is #UD.
 *
 * What ran before must not be able to tamper with the loader: registers, paging, breakpoints, interrupts, devices
 * and the other core each have their checks here.
 *
 * The block is at 16 MiB. A loader of a few instructions in it notes what it finds, through SS, for DS ends at 64
 * KiB, and comes back to 64-bit mode with GIF still 0. Before it EAX has low bits set, EBX, EBP and DR7 are filled,
 * and EFER.SVME is 0.
 *
 * First the second core comes up by INIT and STARTUP without SKINIT: VM_CR has none of DPD, R_INIT and DIS_A20M. It
 * is then put in INIT. DEV control (F3xF4 function 4) is 2. After the launch EAX is the block, its bits 15:0 clear,
 * EDX the signature, ESP the block's end, all other registers 0, RFLAGS 2; CR0 has PE and ET and no paging, CR3,
 * CR4 and EFER are 0; CS is 0008h, SS 0010h, DS a real-mode segment at 0; VM_CR has those three bits set, Lock and
 * SVMDIS as before; DR7 and DR6 are as after INIT. An NMI waits for STGI. DEV control has SLDEV and IoDis: the
 * northbridge protects the 64 KiB until software says otherwise. At its STARTUP the second core begins with GIF 0
 * and the same three bits, and takes its NMI at STGI, which SKINIT's CPUID bit allows without EFER.SVME.
 *
 * It is run on 10h-b3, 10h-c2 and 10h-d0. Revision D has no DEV: there its two checks are skipped. Devices
 * themselves are northbridge_test's; sim/cpu/svm/instructions_test tries CPL above 0, the measurement by the TPM,
 * and a launch while another core runs.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/smp64.h"

#define MSR_EFER 0xC0000080
#define MSR_VM_CR 0xC0010114
#define SKINIT_BIT (1u << 12)
#define BLOCK 0x1000000u        /* 16 MiB */
#define ENTRY 0x40u
#define VM_CR_SECURE 7u
#define DEV_CONTROL 0x400u
#define SLDEV_IODIS 0x24u
#define EXC_NMI 2
#define MARK_AT 0x8F00          /* below 64 KiB, behind the second core's trampoline; the loader says it, too */
#define MARK 0x5A17D5C3u

/* What the loader noted, in the order of its stores. */
extern volatile struct found {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp, eflags, cr0, cr3, cr4, cs, ss, ds, efer, vm_cr, dr7, dr6;
    uint32_t ds_mark, ds_end;
} found;
volatile struct found found;
extern uint64_t resume_rsp;
uint64_t resume_rsp;
void launch(uint32_t block);
extern const uint8_t loader[], loader_beyond[], loader_end[];
extern uint64_t launch_idt[];
uint64_t launch_idt[EXC_GP + 1];

/* launch: keep what the compiler wants kept, go; the loader ends at `resume`, in 64-bit mode. */
__asm__(".text\n.globl launch\nlaunch:\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp, resume_rsp\n"
        "movl %edi, %eax\nmovl $0x11111111, %ebx\nmovl $0x22222222, %ebp\n"
        "skinit %eax\n"
        "resume: movq resume_rsp, %rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
        /* The loader; only SS reaches beyond 64 KiB: #GP of DS ends at loader_beyond, not in the block. */
        ".code32\n.globl loader, loader_beyond, loader_end\nloader:\n"
        "movl %eax, %ss:found\nmovl %ebx, %ss:found+4\nmovl %ecx, %ss:found+8\nmovl %edx, %ss:found+12\n"
        "movl %esi, %ss:found+16\nmovl %edi, %ss:found+20\nmovl %ebp, %ss:found+24\nmovl %esp, %ss:found+28\n"
        "pushfl\npopl %ss:found+32\n"
        "movl %cr0, %eax\nmovl %eax, %ss:found+36\nmovl %cr3, %eax\nmovl %eax, %ss:found+40\n"
        "movl %cr4, %eax\nmovl %eax, %ss:found+44\n"
        "movl %cs, %eax\nmovl %eax, %ss:found+48\nmovl %ss, %eax\nmovl %eax, %ss:found+52\n"
        "movl %ds, %eax\nmovl %eax, %ss:found+56\n"
        "movl $0xC0000080, %ecx\nrdmsr\nmovl %eax, %ss:found+60\n"
        "movl $0xC0010114, %ecx\nrdmsr\nmovl %eax, %ss:found+64\n"
        "movl %dr7, %eax\nmovl %eax, %ss:found+68\nmovl %dr6, %eax\nmovl %eax, %ss:found+72\n"
        "lgdt %ss:launch_gdt_pointer\nlidt %ss:launch_idt_pointer\n"
        "movl %ds:0x8F00, %eax\nmovl %eax, %ss:found+76\n"
        "movb %ds:0xFFFF, %al\nmovl $1, %ss:found+80\nmovb %ds:0x10000, %al\nmovl $2, %ss:found+80\n"
        "loader_beyond: movl $0x10, %eax\nmovl %eax, %ds\n"
        "movl %ss:resume_rsp, %esp\nmovl $resume, %ebp\nmovl $guest_enter_long_mode, %eax\njmp *%eax\n"
        "loader_end:\n.code64\n"
        ".data\nlaunch_gdt_pointer: .word 31\n.long guest_gdt\n"
        "launch_idt_pointer: .word 14 * 8 - 1\n.long launch_idt\n.text\n");

/* ---- PCI configuration ------------------------------------------------------------------------------------------ */

static void check_dev_control(uint32_t want, const char *what)
{
    port_write32(0xCF8, 0x8000C3F0);
    if (port_read32(0xCFC) != 0x0010000F) {
        check_skip(what, "this processor has no DEV");
        return;
    }
    port_write32(0xCF8, 0x8000C3F4);
    port_write32(0xCFC, DEV_CONTROL);
    port_write32(0xCF8, 0x8000C3F8);
    check_equal(port_read32(0xCFC), want, what);
}

/* ---- The second core -------------------------------------------------------------------------------------------- */

static uint64_t other_vm_cr;

static void look(void *unused)
{
    (void)unused;
    other_vm_cr = msr_read(MSR_VM_CR);
}

static void open_gate(void *unused)
{
    (void)unused;
    __asm__ volatile("stgi");
}

static void pause_a_while(void)
{
    for (unsigned i = 0; i < 10000; i++)
        cpu_pause();
}

static void other_core(void)
{
    uint32_t nmis;

    apic_send(1, APIC_ICR_STARTUP | APIC_ICR_ASSERT | SMP_PAGE >> 12);
    check(smp_arrived(), "the core that was in INIT starts at its SIPI");
    smp_run(look, NULL);
    check(smp_wait() && (other_vm_cr & VM_CR_SECURE) == VM_CR_SECURE, "with DPD, R_INIT and DIS_A20M set");
    nmis = smp_nmis;
    apic_send(1, APIC_ICR_NMI | APIC_ICR_ASSERT);
    pause_a_while();
    check_equal(smp_nmis, nmis, "and GIF 0: it takes no NMI");
    smp_run(open_gate, NULL);
    check(smp_wait() && smp_nmis == nmis + 1, "until STGI, which SKINIT's feature bit allows without SVME");
}

/* ---- The launch ------------------------------------------------------------------------------------------------- */

static void prepare_block(void)
{
    uint8_t *block = (uint8_t *)(uintptr_t)BLOCK;

    ((uint16_t *)block)[0] = ENTRY;
    ((uint16_t *)block)[1] = 0x200;
    memcpy(block + ENTRY, loader, (size_t)(loader_end - loader));
    launch_idt[EXC_GP] = ((uintptr_t)loader_beyond & 0xFFFF) | 0x8E0000080000 |
                         ((uintptr_t)loader_beyond & 0xFFFF0000) << 32; /* through the GDT's 32-bit code */
    *(volatile uint32_t *)MARK_AT = MARK;
}

static void do_launch(void *unused)
{
    (void)unused;
    launch(BLOCK | 0x1234); /* bits 15:0 do not count */
}

static void raise_nmi(void *unused)
{
    (void)unused;
    apic_send_self(APIC_ICR_NMI);
    pause_a_while();
    found.esp = 0; /* still here: the NMI waits */
    __asm__ volatile("stgi\nnop");
}

static void secure_loader(void)
{
    uint64_t vm_cr = msr_read(MSR_VM_CR);

    msr_write(MSR_EFER, msr_read(MSR_EFER) & ~0x1000ull);
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x4FFull));
    check_raised(exception_try(do_launch, NULL), EXC_NONE, 0, "SKINIT starts the loader, which comes back");
    exceptions_init(); /* IDTR is as after reset */
    check_equal(found.eax, BLOCK, "EAX: the block, 64 KiB aligned");
    check_equal(found.edx, cpuid(1, 0).eax, "EDX: the signature");
    check_equal(found.esp, BLOCK + 0x10000, "ESP: the block's end");
    check(!(found.ebx | found.ecx | found.esi | found.edi | found.ebp), "all other registers are 0");
    check_equal(found.eflags, 2, "RFLAGS is 2");
    check_equal(found.cr0 & 0x8000003F, 0x11, "CR0: PE and ET, paging off");
    check(!(found.cr3 | found.cr4 | found.efer), "CR3, CR4 and EFER are 0");
    check_equal(found.cs << 16 | found.ss, 0x080010, "CS is 0008h, SS 0010h");
    check_equal(found.ds, 0, "DS is a real-mode segment: selector 0");
    check_equal(found.ds_mark, MARK, "its base is 0");
    check_equal(found.ds_end, 1, "its limit is FFFFh: a byte beyond is #GP");
    check_equal(found.vm_cr, vm_cr | VM_CR_SECURE, "VM_CR: DPD, R_INIT and DIS_A20M are set, the rest stays");
    check(found.dr7 == 0x400 && found.dr6 == 0xFFFF0FF0, "no breakpoint is left");
    check_raised(exception_try(raise_nmi, NULL), EXC_NMI, 0, "an NMI comes");
    check_equal(found.esp, 0, "but only at STGI: GIF was 0");
}

void guest_main(void)
{
    exceptions_init();
    apic_enable();
    prepare_block();
    if (!(cpuid(0x80000001, 0).ecx & SKINIT_BIT)) {
        check_raised(exception_try(do_launch, NULL), EXC_UD, 0, "SKINIT without its CPUID bit is #UD");
        check_end();
    }
    smp_prepare();
    check(smp_start(1), "the second core runs");
    smp_run(look, NULL);
    check(smp_wait() && !(other_vm_cr & VM_CR_SECURE), "after INIT and SIPI alone VM_CR has none of the three bits");
    apic_send(1, APIC_ICR_INIT | APIC_ICR_ASSERT);
    pause_a_while();
    check_dev_control(2, "DEV control is 2 after reset");
    secure_loader();
    check_dev_control(2 | SLDEV_IODIS, "SLDEV and IoDis are set in the northbridge");
    other_core();
    check_end();
}
