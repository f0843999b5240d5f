/* SPDX-License-Identifier: MIT */
#include "sim/cpu/svm/vmcb.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Fields as data ---------------------------------------------------------------------------------- */

const struct vmcb_field vmcb_fields[] = {
    { "intercept_cr_read", 0x000, 2, 'i' },
    { "intercept_cr_write", 0x002, 2, 'i' },
    { "intercept_dr_read", 0x004, 2, 'i' },
    { "intercept_dr_write", 0x006, 2, 'i' },
    { "intercept_exceptions", 0x008, 4, 'i' },
    { "intercept_general1", 0x00C, 4, 'i' },
    { "intercept_general2", 0x010, 4, 'i' },
    { "iopm_base_pa", VMCB_IOPM_BASE_PA, 8, 'i' },
    { "msrpm_base_pa", VMCB_MSRPM_BASE_PA, 8, 'i' },
    { "tsc_offset", VMCB_TSC_OFFSET, 8, 'i' },
    { "guest_asid", VMCB_GUEST_ASID, 4, 'i' },
    { "tlb_control", VMCB_TLB_CONTROL, 1, 'i' },
    { "v_intr", VMCB_V_INTR, 8, 'a' },
    { "interrupt_shadow", VMCB_INTERRUPT_SHADOW, 8, 'a' },
    { "exitcode", VMCB_EXITCODE, 8, 'o' },
    { "exitinfo1", VMCB_EXITINFO1, 8, 'o' },
    { "exitinfo2", VMCB_EXITINFO2, 8, 'o' },
    { "exitintinfo", VMCB_EXITINTINFO, 8, 'o' },
    { "np_enable", VMCB_NP_ENABLE, 8, 'i' },
    { "eventinj", VMCB_EVENTINJ, 8, 'i' },
    { "n_cr3", VMCB_N_CR3, 8, 'i' },
    { "lbr_virtualization_enable", VMCB_LBR_ENABLE, 8, 'i' },
    { "nrip", VMCB_NRIP, 8, 'o' }, /* and with EVENTINJ 'i' */
#define SEGMENT(name, offset, who)                                                                   \
    { name ".selector", (offset) + VMCB_SEG_SELECTOR, 2, who }, { name ".attr", (offset) + VMCB_SEG_ATTR, 2, who }, \
    { name ".limit", (offset) + VMCB_SEG_LIMIT, 4, who }, { name ".base", (offset) + VMCB_SEG_BASE, 8, who }
    SEGMENT("es", VMCB_SEGMENT(SEG_ES), 'a'),
    SEGMENT("cs", VMCB_SEGMENT(SEG_CS), 'a'),
    SEGMENT("ss", VMCB_SEGMENT(SEG_SS), 'a'),
    SEGMENT("ds", VMCB_SEGMENT(SEG_DS), 'a'),
    SEGMENT("fs", VMCB_SEGMENT(SEG_FS), 'l'),
    SEGMENT("gs", VMCB_SEGMENT(SEG_GS), 'l'),
    { "gdtr.limit", VMCB_GDTR + VMCB_SEG_LIMIT, 4, 'a' },
    { "gdtr.base", VMCB_GDTR + VMCB_SEG_BASE, 8, 'a' },
    SEGMENT("ldtr", VMCB_LDTR, 'l'),
    { "idtr.limit", VMCB_IDTR + VMCB_SEG_LIMIT, 4, 'a' },
    { "idtr.base", VMCB_IDTR + VMCB_SEG_BASE, 8, 'a' },
    SEGMENT("tr", VMCB_TR, 'l'),
#undef SEGMENT
    { "cpl", VMCB_CPL, 1, 'a' },
    { "efer", VMCB_EFER, 8, 'a' },
    { "cr4", VMCB_CR4, 8, 'a' },
    { "cr3", VMCB_CR3, 8, 'a' },
    { "cr0", VMCB_CR0, 8, 'a' },
    { "dr7", VMCB_DR7, 8, 'a' },
    { "dr6", VMCB_DR6, 8, 'a' },
    { "rflags", VMCB_RFLAGS, 8, 'a' },
    { "rip", VMCB_RIP, 8, 'a' },
    { "rsp", VMCB_RSP, 8, 'a' },
    { "rax", VMCB_RAX, 8, 'a' },
    { "star", VMCB_STAR, 8, 'l' },
    { "lstar", VMCB_LSTAR, 8, 'l' },
    { "cstar", VMCB_CSTAR, 8, 'l' },
    { "sfmask", VMCB_SFMASK, 8, 'l' },
    { "kernel_gs_base", VMCB_KERNEL_GS_BASE, 8, 'l' },
    { "sysenter_cs", VMCB_SYSENTER_CS, 8, 'l' },
    { "sysenter_esp", VMCB_SYSENTER_ESP, 8, 'l' },
    { "sysenter_eip", VMCB_SYSENTER_EIP, 8, 'l' },
    { "cr2", VMCB_CR2, 8, 'a' },
    { "g_pat", VMCB_G_PAT, 8, 'a' },
    { "dbgctl", VMCB_DBGCTL, 8, 'a' },
    { "br_from", VMCB_BR_FROM, 8, 'a' },
    { "br_to", VMCB_BR_TO, 8, 'a' },
    { "lastexcpfrom", VMCB_LASTEXCPFROM, 8, 'a' },
    { "lastexcpto", VMCB_LASTEXCPTO, 8, 'a' },
};
const size_t vmcb_field_count = COUNT_OF(vmcb_fields);

/* ---- Segments ----------------------------------------------------------------------------------------- */

struct segment vmcb_read_segment(const struct vmcb *vmcb, unsigned offset)
{
    return (struct segment){
        .selector = (uint16_t)vmcb_read(vmcb, offset + VMCB_SEG_SELECTOR, 2),
        .attr = vmcb_read(vmcb, offset + VMCB_SEG_ATTR, 2) & 0xFFF,
        .limit = (uint32_t)vmcb_read(vmcb, offset + VMCB_SEG_LIMIT, 4),
        .base = (uint64_t)((int64_t)(vmcb_read(vmcb, offset + VMCB_SEG_BASE, 8) << 16) >> 16),
    };
}

void vmcb_write_segment(const struct vmcb *vmcb, unsigned offset, const struct segment *segment)
{
    vmcb_write(vmcb, offset + VMCB_SEG_SELECTOR, 2, segment->selector);
    vmcb_write(vmcb, offset + VMCB_SEG_ATTR, 2, segment->attr);
    vmcb_write(vmcb, offset + VMCB_SEG_LIMIT, 4, segment->limit);
    vmcb_write(vmcb, offset + VMCB_SEG_BASE, 8, segment->base);
}

struct table_register vmcb_read_table(const struct vmcb *vmcb, unsigned offset)
{
    struct segment segment = vmcb_read_segment(vmcb, offset);

    return (struct table_register){ .base = segment.base, .limit = (uint16_t)segment.limit };
}

void vmcb_write_table(const struct vmcb *vmcb, unsigned offset, const struct table_register *table)
{
    vmcb_write(vmcb, offset + VMCB_SEG_LIMIT, 4, table->limit);
    vmcb_write(vmcb, offset + VMCB_SEG_BASE, 8, table->base);
}

/* ---- Registers ---------------------------------------------------------------------------------------- */

#define MEMBER(name) offsetof(struct core, name)

const struct vmcb_register vmcb_world[] = {
    { VMCB_EFER, MEMBER(efer) },
    { VMCB_CR4, MEMBER(cr4) },
    { VMCB_CR3, MEMBER(cr3) },
    { VMCB_CR0, MEMBER(cr0) },
    { VMCB_RFLAGS, MEMBER(rflags) }, /* the caller makes it exact before, and tidies it after */
    { VMCB_RIP, MEMBER(rip) },
    { VMCB_RSP, MEMBER(gpr[RSP]) },
    { VMCB_RAX, MEMBER(gpr[RAX]) },
};
const size_t vmcb_world_count = COUNT_OF(vmcb_world);

const struct vmcb_register vmcb_guest_only[] = {
    { VMCB_DR7, MEMBER(dr7) },
    { VMCB_DR6, MEMBER(dr6) },
    { VMCB_CR2, MEMBER(cr2) },
};
const size_t vmcb_guest_only_count = COUNT_OF(vmcb_guest_only);

const struct vmcb_register vmcb_vmload[] = {
    { VMCB_STAR, MEMBER(star) },
    { VMCB_LSTAR, MEMBER(lstar) },
    { VMCB_CSTAR, MEMBER(cstar) },
    { VMCB_SFMASK, MEMBER(sfmask) },
    { VMCB_KERNEL_GS_BASE, MEMBER(kernel_gs_base) },
    { VMCB_SYSENTER_CS, MEMBER(sysenter_cs) },
    { VMCB_SYSENTER_ESP, MEMBER(sysenter_esp) },
    { VMCB_SYSENTER_EIP, MEMBER(sysenter_eip) },
};
const size_t vmcb_vmload_count = COUNT_OF(vmcb_vmload);

void vmcb_load_registers(const struct vmcb *vmcb, struct core *core, const struct vmcb_register *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = vmcb_read(vmcb, rows[i].offset, 8);

        memcpy((uint8_t *)core + rows[i].member, &value, sizeof(value));
    }
}

void vmcb_save_registers(const struct vmcb *vmcb, const struct core *core, const struct vmcb_register *rows,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value;

        memcpy(&value, (const uint8_t *)core + rows[i].member, sizeof(value));
        vmcb_write(vmcb, rows[i].offset, 8, value);
    }
}

/* ---- Events ------------------------------------------------------------------------------------------- */

uint64_t vmcb_pack_event(const struct event *event)
{
    uint64_t info = bits_put(0, EVENTINJ_VECTOR, event->vector);

    info = bits_put(info, EVENTINJ_TYPE, event->kind);
    info = bit_put(info, EVENTINJ_EV, event->has_error);
    info = bits_put(info, EVENTINJ_ERROR, event->has_error ? event->error : 0);
    return bit_put(info, EVENTINJ_V, true);
}

struct event vmcb_unpack_event(uint64_t eventinj, uint64_t cr2)
{
    struct event event = {
        .vector = (uint8_t)bits(eventinj, EVENTINJ_VECTOR),
        .kind = (uint8_t)bits(eventinj, EVENTINJ_TYPE),
        .has_error = bit(eventinj, EVENTINJ_EV),
        .error = (uint32_t)bits(eventinj, EVENTINJ_ERROR),
    };

    if (event.kind == EVENT_NMI)
        event.vector = EXC_NMI; /* the vector field is ignored */
    if (event.kind == EVENT_EXCEPTION && (event.vector == EXC_BP || event.vector == EXC_OF))
        event.breakpoint = true; /* as INT3 and INTO: the gate's DPL counts */
    if (event.kind == EVENT_EXCEPTION && event.vector == EXC_PF)
        event.address = cr2;
    return event;
}
