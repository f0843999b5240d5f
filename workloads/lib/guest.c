/* SPDX-License-Identifier: MIT */
#include "workloads/lib/guest.h"

#include "workloads/lib/instructions.h"

#define UART 0x3F8
#define UART_LSR (UART + 5)
#define LSR_TRANSMIT_EMPTY 0x20
#define TRANSMIT_PATIENCE 100000
#define DEBUG_EXIT 0xF4
#define EXIT_FAILED 1

void guest_begin(uint32_t magic, uint32_t info_address) __attribute__((noreturn));

const char *guest_options = "";
uint64_t guest_memory_end;
bool guest_under_hv;

static void put(char c)
{
    for (unsigned i = 0; i < TRANSMIT_PATIENCE && !(port_read8(UART_LSR) & LSR_TRANSMIT_EMPTY); i++)
        ;
    port_write8(UART, (uint8_t)c);
}

static void put_line(const char *line)
{
    for (; *line; line++)
        put(*line);
    if (!guest_under_hv)
        put('\r');
    put('\n');
}

void guest_print(const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    put_line(line);
}

void guest_fail(const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    put_line(line);
    port_write32(DEBUG_EXIT, EXIT_FAILED);
    for (;;)
        cpu_halt();
}

void guest_mark(uint32_t mark, uint32_t argument)
{
    if (guest_under_hv)
        vmmcall_mark(mark, argument);
}

void guest_exit(uint32_t result)
{
    guest_mark(MARK_DONE, result);
    port_write32(DEBUG_EXIT, 0);
    for (;;)
        cpu_halt();
}

static bool hv_is_below(void)
{
    struct cpuid_result r = cpuid(0x40000000, 0);

    return r.ebx == 0x566E6558 && r.ecx == 0x65584D4D && r.edx == 0x4D4D566E; /* "XenVMMXenVMM" */
}

void guest_begin(uint32_t magic, uint32_t info_address)
{
    const struct multiboot_info *info = (const struct multiboot_info *)(uintptr_t)info_address;

    guest_under_hv = hv_is_below();
    if (magic != MULTIBOOT_LOADER_MAGIC)
        guest_fail("not started by a multiboot loader");
    if (info->flags & MULTIBOOT_INFO_CMDLINE)
        guest_options = (const char *)(uintptr_t)info->cmdline;
    guest_memory_end = 0x100000 + ((uint64_t)info->mem_upper << 10);
    guest_main();
    guest_exit(0);
}
