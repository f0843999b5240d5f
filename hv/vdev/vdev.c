/* SPDX-License-Identifier: MIT */
#include "hv/vdev/vdev.h"

#define IRQ_TIMER 0u
#define IRQ_RTC 8u
#define RESET_CONTROL 0xCF9u
#define RESET_NOW 0x04u
#define RESET_WRITABLE 0x0Eu
#define KEYBOARD_COMMAND 0x64u
#define KEYBOARD_RESET 0xFEu /* pulse output bit 0: the processor's reset line */

void vdev_init(struct vdev *vdev, vuart_put *put, void *ctx)
{
    *vdev = (struct vdev){ .put = put, .put_ctx = ctx };
    vpic_init(&vdev->pics);
    vpit_init(&vdev->pit);
    vioapic_init(&vdev->ioapic);
    vrtc_init(&vdev->rtc);
    vpm_init(&vdev->pm);
    vuart_init(&vdev->uart);
}

void vdev_add_apic(struct vdev *vdev, struct vlapic *apic)
{
    if (vdev->apic_count < VDEV_APICS_MAX)
        vdev->apics[vdev->apic_count++] = apic;
}

/* ---- Messages and lines ---------------------------------------------------------------------------------- */

void vdev_send(struct vdev *vdev, int from, const struct vlapic_message *message)
{
    uint32_t targets = vlapic_route(vdev->apics, vdev->apic_count, from, message);

    vdev->kick |= targets;
    for (; targets; targets &= targets - 1)
        vlapic_post(vdev->apics[__builtin_ctz(targets)], message);
}

static void send_from_ioapic(void *ctx, const struct vlapic_message *message)
{
    vdev_send(ctx, -1, message);
}

void vdev_end(struct vdev *vdev, uint8_t vector)
{
    vioapic_end(&vdev->ioapic, vector, send_from_ioapic, vdev);
}

/* The 8259s' INTR reaches vCPU 0 alone, through its LINT0. */
static void update_intr(struct vdev *vdev)
{
    bool intr = vpic_intr(&vdev->pics);

    if (intr && !vdev->pic_intr)
        vdev->kick |= 1;
    __atomic_store_n(&vdev->pic_intr, intr, __ATOMIC_RELEASE);
}

static void set_irq(struct vdev *vdev, unsigned irq, bool level)
{
    vpic_set_line(&vdev->pics, irq, level);
    vioapic_set_line(&vdev->ioapic, irq == IRQ_TIMER ? VDEV_TIMER_PIN : irq, level, send_from_ioapic, vdev);
}

static void update_lines(struct vdev *vdev)
{
    set_irq(vdev, VUART_IRQ, vuart_irq(&vdev->uart));
    set_irq(vdev, IRQ_RTC, vrtc_irq(&vdev->rtc));
    set_irq(vdev, VPM_SCI, vpm_irq(&vdev->pm));
    update_intr(vdev);
}

uint8_t vdev_acknowledge(struct vdev *vdev)
{
    uint8_t vector = vpic_acknowledge(&vdev->pics);

    update_intr(vdev);
    return vector;
}

bool vdev_receive(struct vdev *vdev, char c)
{
    bool taken = vuart_receive(&vdev->uart, c);

    update_lines(vdev);
    return taken;
}

/* ---- Time ------------------------------------------------------------------------------------------------ */

uint64_t vdev_next(const struct vdev *vdev)
{
    uint64_t next = vpit_next(&vdev->pit), rtc = vrtc_next(&vdev->rtc), pm = vpm_next(&vdev->pm);

    next = rtc < next ? rtc : next;
    return pm < next ? pm : next;
}

void vdev_run(struct vdev *vdev, uint64_t now)
{
    if (vpit_take_edge(&vdev->pit, now)) { /* however short the pulse was, and however long ago: one edge */
        set_irq(vdev, IRQ_TIMER, false);
        set_irq(vdev, IRQ_TIMER, true);
    } else {
        set_irq(vdev, IRQ_TIMER, vpit_out0(&vdev->pit, now));
    }
    vrtc_run(&vdev->rtc, now);
    vpm_run(&vdev->pm, now);
    update_lines(vdev);
}

/* ---- Accesses -------------------------------------------------------------------------------------------- */

static uint8_t byte_read(struct vdev *vdev, unsigned port, uint64_t now)
{
    if (vuart_has_port(port))
        return vuart_read(&vdev->uart, port);
    if (vpic_has_port(port))
        return vpic_read(&vdev->pics, port);
    if (vpit_has_port(port))
        return vpit_read(&vdev->pit, port, now);
    if (vrtc_has_port(port))
        return vrtc_read(&vdev->rtc, port, now);
    return port == RESET_CONTROL ? vdev->reset_control : 0xFF;
}

static void byte_write(struct vdev *vdev, unsigned port, uint8_t value, uint64_t now)
{
    if (vuart_has_port(port))
        vuart_write(&vdev->uart, port, value, vdev->put, vdev->put_ctx);
    else if (vpic_has_port(port))
        vpic_write(&vdev->pics, port, value);
    else if (vpit_has_port(port))
        vpit_write(&vdev->pit, port, value, now);
    else if (vrtc_has_port(port))
        vrtc_write(&vdev->rtc, port, value, now);
    else if (port == RESET_CONTROL)
        vdev->reset_control = value & RESET_WRITABLE;
    if ((port == RESET_CONTROL && value & RESET_NOW) || (port == KEYBOARD_COMMAND && value == KEYBOARD_RESET))
        vdev->power = VDEV_RESET;
}

/* All these devices are eight bits wide: a wider access is one of each of its bytes, as on the LPC bus. */
uint32_t vdev_port_read(struct vdev *vdev, unsigned port, unsigned size, uint64_t now)
{
    uint32_t value = 0;

    if (vpm_has_port(port)) {
        value = vpm_read(&vdev->pm, port, size, now);
    } else {
        for (unsigned i = 0; i < size; i++)
            value |= (uint32_t)byte_read(vdev, port + i, now) << i * 8;
    }
    update_lines(vdev);
    return value;
}

void vdev_port_write(struct vdev *vdev, unsigned port, unsigned size, uint32_t value, uint64_t now)
{
    if (vpm_has_port(port)) {
        if (vpm_write(&vdev->pm, port, size, value, now))
            vdev->power = VDEV_OFF;
    } else {
        for (unsigned i = 0; i < size; i++)
            byte_write(vdev, port + i, (uint8_t)(value >> i * 8), now);
    }
    vdev_run(vdev, now);
}

uint32_t vdev_mmio_read(struct vdev *vdev, uint64_t gpa)
{
    return vioapic_read(&vdev->ioapic, gpa & 0xFFF);
}

void vdev_mmio_write(struct vdev *vdev, uint64_t gpa, uint32_t value)
{
    vioapic_write(&vdev->ioapic, gpa & 0xFFF, value, send_from_ioapic, vdev);
}
