/* SPDX-License-Identifier: MIT */
/* The guest's I/O space: a UART without interrupts at 3F8h, the debug-exit port, nothing else. */
#include "hv/vm/exits.h"

#define UART 0x3F8
#define UART_DATA 0
#define UART_LCR 3
#define UART_LSR 5
#define UART_MSR 6
#define UART_SCRATCH 7
#define LCR_DIVISOR 0x80
#define LSR_TRANSMIT_EMPTY 0x60
#define MSR_CONNECTED 0xB0
#define DEBUG_CONSOLE 0xE9
#define DEBUG_EXIT 0xF4

static uint8_t uart_read(const struct guest *guest, unsigned offset)
{
    switch (offset) {
    case UART_LCR: return guest->uart_lcr;
    case UART_LSR: return LSR_TRANSMIT_EMPTY;
    case UART_MSR: return MSR_CONNECTED;
    case UART_SCRATCH: return guest->uart_scratch;
    default: return 0;
    }
}

static void uart_write(struct guest *guest, unsigned offset, uint8_t value)
{
    switch (offset) {
    case UART_DATA:
        if (!(guest->uart_lcr & LCR_DIVISOR))
            guest_console_put(guest, (char)value);
        break;
    case UART_LCR:
        guest->uart_lcr = value;
        break;
    case UART_SCRATCH:
        guest->uart_scratch = value;
        break;
    default:
        break;
    }
}

static uint32_t io_read(struct guest *guest, unsigned port)
{
    if (port >= UART && port < UART + 8)
        return 0xFFFFFF00 | uart_read(guest, port - UART);
    if (port == DEBUG_CONSOLE)
        return 0xFFFFFF00 | DEBUG_CONSOLE; /* a read tells that the port is there */
    return 0xFFFFFFFF; /* an empty bus */
}

static enum exit_result io_write(struct guest *guest, unsigned port, uint32_t value)
{
    if (port >= UART && port < UART + 8)
        uart_write(guest, port - UART, (uint8_t)value);
    else if (port == DEBUG_CONSOLE)
        guest_console_put(guest, (char)value);
    else if (port == DEBUG_EXIT) {
        guest_finish(guest, value ? GUEST_CRASHED : GUEST_FINISHED, value);
        return EXIT_GUEST_OVER;
    }
    return EXIT_RESUME;
}

enum exit_result vmexit_ioio(struct vcpu *vcpu)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;
    uint64_t info = vmcb->exitinfo1;
    unsigned port = info >> 16 & 0xFFFF;
    uint64_t mask = info & IOIO_SZ8 ? 0xFF : info & IOIO_SZ16 ? 0xFFFF : 0xFFFFFFFF;
    enum exit_result result = EXIT_RESUME;

    if (info & IOIO_STR)
        return exit_crash(vcpu, "string I/O to a port without a device");
    if (info & IOIO_TYPE_IN) {
        uint64_t value = io_read(vcpu->guest, port) & mask;

        /* A 32-bit IN clears RAX[63:32], smaller ones keep the rest. */
        svm_set_rax(&vcpu->svm, info & IOIO_SZ32 ? value : (vmcb->rax & ~mask) | value);
    } else {
        result = io_write(vcpu->guest, port, (uint32_t)(vmcb->rax & mask));
    }
    svm_set_rip(&vcpu->svm, vmcb->exitinfo2);
    return result;
}
