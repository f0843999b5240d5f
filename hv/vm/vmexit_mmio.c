/* SPDX-License-Identifier: MIT */
/* CR8, and accesses that no memory answers, a device's or by their frame's type: they are carried out by hv/emulate. */
#include "hv/vm/exits.h"

#include "hv/core/text.h"
#include "hv/vm/devices.h"
#include "hv/vm/emulation.h"
#include "hv/vm/interrupts.h"

#define VGA_START 0xA0000u
#define VGA_END 0xC0000u
#define MMIO_START 0xC0000000u
#define MMIO_END 0x100000000ull

enum exit_result vmexit_cr8(struct vcpu *vcpu)
{
    uint8_t bytes[INSTRUCTION_MAX];
    struct instruction_cr8 mov;
    unsigned length = instruction_mov_cr8(bytes, exit_fetch(vcpu, bytes), svm_guest_in_64bit(&vcpu->svm), &mov);

    if (!length || mov.is_write != (vcpu->svm.vmcb->exitcode == VMEXIT_CR8_WRITE))
        return exit_inject_gp(vcpu);
    if (mov.is_write)
        interrupts_set_tpr(vcpu, (uint8_t)(svm_gpr(&vcpu->svm, mov.gpr) << 4)); /* above 15 was #GP, no exit */
    else
        svm_set_gpr(&vcpu->svm, mov.gpr, vcpu->apic.tpr >> 4);
    svm_set_rip(&vcpu->svm, vcpu->svm.vmcb->rip + length);
    return EXIT_RESUME;
}

/* ---- Device pages ---------------------------------------------------------------------------------------- */

/* Where no RAM is and devices may be: an empty bus reads ones. */
bool exit_is_device(uint64_t gpa)
{
    return (gpa >= VGA_START && gpa < VGA_END) || (gpa >= MMIO_START && gpa < MMIO_END);
}

struct access {
    struct vcpu *vcpu;
    uint64_t gpa; /* as the exit reported it */
    bool two;     /* the instruction has two operands in memory */
};

static bool is_apic(uint64_t gpa)
{
    return gpa >> 12 == VLAPIC_BASE >> 12;
}

/* Registers have 32 bits; a narrower read takes its part of one, of a wider one only the first register is there. */
static uint64_t read_device(struct vcpu *vcpu, uint64_t gpa)
{
    unsigned shift = (gpa & 3) * 8;

    if (is_apic(gpa))
        return devices_apic_read(vcpu, gpa & 0xFFC) >> shift;
    if (vdev_covers(gpa))
        return devices_ioapic_read(vcpu, gpa & ~3ull) >> shift;
    return UINT64_MAX;
}

/* APM2 16.3.2: registers are written 32 bits at a time, aligned; what else is written changes nothing here. */
static void write_device(struct vcpu *vcpu, uint64_t gpa, unsigned size, uint32_t value)
{
    if (size < 4 || gpa & 3)
        return;
    if (is_apic(gpa))
        devices_apic_write(vcpu, gpa & 0xFFF, value);
    else if (vdev_covers(gpa))
        devices_ioapic_write(vcpu, gpa, value);
}

/* ---- The instruction ------------------------------------------------------------------------------------- */

/* Each instruction but MOVS has one operand in memory, and the exit says where; MOVS's other one is looked up. */
static bool find(struct access *access, uint64_t linear, uint64_t *gpa)
{
    *gpa = access->gpa;
    return !access->two || exit_linear(access->vcpu, linear, gpa);
}

static enum emulate_status read_memory(void *ctx, uint64_t linear, void *data, unsigned size, bool written)
{
    struct access *access = ctx;
    uint64_t gpa, value;

    (void)written;
    if (size > sizeof(value) || !find(access, linear, &gpa))
        return EMULATE_CANNOT;
    if (!exit_is_device(gpa) && guest_read(access->vcpu->guest, gpa, data, size))
        return EMULATE_DONE;
    value = read_device(access->vcpu, gpa);
    memcpy(data, &value, size);
    return EMULATE_DONE;
}

static enum emulate_status write_memory(void *ctx, uint64_t linear, const void *data, unsigned size)
{
    struct access *access = ctx;
    uint64_t gpa, value = 0;

    if (size > sizeof(value) || !find(access, linear, &gpa))
        return EMULATE_CANNOT;
    if (!exit_is_device(gpa)) { /* read-only memory, and what is in no memory, keep nothing */
        guest_write(access->vcpu->guest, gpa, data, size);
        return EMULATE_DONE;
    }
    memcpy(&value, data, size);
    write_device(access->vcpu, gpa, size, (uint32_t)value);
    return EMULATE_DONE;
}

enum exit_result exit_device(struct vcpu *vcpu, uint64_t gpa)
{
    struct access access = { vcpu, gpa, false };
    struct emulate_memory memory = { &access, read_memory, write_memory };
    struct emulate_registers registers;
    struct emulate_insn insn;

    if (!emulation_fetch(vcpu, &insn, &registers))
        return exit_crash(vcpu, "a device access by an instruction that hv does not know");
    access.two = insn.operation == EMULATE_MOVS;
    if (emulate_execute(&insn, &registers, &memory) != EMULATE_DONE)
        return exit_crash(vcpu, "a device access by an instruction that hv cannot carry out");
    emulation_commit(vcpu, &registers);
    if (is_apic(gpa))
        svm_set_v_tpr(&vcpu->svm, vcpu->apic.tpr >> 4);
    return EXIT_RESUME;
}
