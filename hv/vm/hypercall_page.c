/* SPDX-License-Identifier: MIT */
/*
 * The hypercall page of an HVM guest: it writes MSR 4000_0000h, which CPUID 4000_0002 EBX names, and finds at the page
 * it gave one stub of 32 bytes for each number, as Xen lays them out.
 */
#include "hv/vm/hypercall.h"

#include "hv/abi/pv.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"

#define STUBS (PAGE_SIZE / HYPERCALL_STUB_BYTES)
#define NUMBER_AT 1

bool hypercall_page_write(struct guest *guest, uint64_t value)
{
    /* mov EAX, number; vmmcall; ret */
    static const uint8_t stub[] = { 0xB8, 0, 0, 0, 0, 0x0F, 0x01, 0xD9, 0xC3 };
    static const uint8_t iret[] = { 0x0F, 0x0B }; /* ud2: only a paravirtual guest has that */
    uint8_t page[PAGE_SIZE];

    if (value & (PAGE_SIZE - 1)) /* the low bits are the page's number, and there is one */
        return false;
    memset(page, 0xCC, sizeof(page));
    for (unsigned i = 0; i < STUBS; i++) {
        memcpy(page + i * HYPERCALL_STUB_BYTES, stub, sizeof(stub));
        page[i * HYPERCALL_STUB_BYTES + NUMBER_AT] = (uint8_t)i;
    }
    memcpy(page + HYPERCALL_IRET * HYPERCALL_STUB_BYTES, iret, sizeof(iret));
    return guest_is_ram(guest, value) && guest_write(guest, value, page, sizeof(page));
}
