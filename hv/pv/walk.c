/* SPDX-License-Identifier: MIT */
/* The guest's linear memory. Its tables have been checked: an entry that is there leads to a frame of the guest's. */
#include "hv/pv/pv.h"

#include "hv/core/memory.h"
#include "hv/core/text.h"

static bool is_reserved(uint64_t linear)
{
    return linear >> 39 >= (PV_RESERVED_START >> 39) && linear >> 39 < (PV_RESERVED_START >> 39) + 16;
}

bool pv_walk_entry(uint64_t root, uint64_t linear, uint64_t *address)
{
    uint64_t at = root;

    if (!root || !pv_is_canonical(linear) || is_reserved(linear))
        return false;
    for (unsigned shift = 39;; shift -= 9) {
        uint64_t entry;

        *address = at + (linear >> shift & (PV_TABLE_ENTRIES - 1)) * sizeof(entry);
        if (shift == 12)
            return true;
        entry = *(const volatile uint64_t *)memory_pointer(*address);
        if (!(entry & PTE_P))
            return false;
        at = entry & PTE_ADDRESS;
    }
}

bool pv_walk(uint64_t root, uint64_t linear, bool write, uint64_t *address)
{
    uint64_t at = root;

    if (!root || !pv_is_canonical(linear) || is_reserved(linear))
        return false;
    for (unsigned shift = 39; shift >= 12; shift -= 9) {
        const volatile uint64_t *table = memory_pointer(at);
        uint64_t entry = table[linear >> shift & (PV_TABLE_ENTRIES - 1)];

        if (!(entry & PTE_P) || (write && !(entry & PTE_W)))
            return false;
        at = entry & PTE_ADDRESS;
    }
    *address = at | (linear & (PAGE_SIZE - 1));
    return true;
}

uint64_t pv_root(const struct pv_vcpu *vcpu)
{
    return vcpu->kernel ? vcpu->kernel_root : vcpu->user_root;
}

/* Page by page; while one is copied, its frame cannot become something else. */
static bool copy(struct pv_vcpu *vcpu, uint64_t linear, void *data, uint64_t size, bool out)
{
    char *bytes = data;

    while (size) {
        uint64_t piece = PAGE_SIZE - (linear & (PAGE_SIZE - 1)), address;
        bool ok;

        if (piece > size)
            piece = size;
        lock_acquire(&vcpu->guest->lock);
        ok = pv_walk(pv_root(vcpu), linear, out, &address);
        if (ok && out)
            memcpy(memory_pointer(address), bytes, piece);
        else if (ok)
            memcpy(bytes, memory_pointer(address), piece);
        lock_release(&vcpu->guest->lock);
        if (!ok)
            return false;
        linear += piece;
        bytes += piece;
        size -= piece;
    }
    return true;
}

bool pv_copy_in(struct pv_vcpu *vcpu, void *to, uint64_t linear, uint64_t size)
{
    return copy(vcpu, linear, to, size, false);
}

bool pv_copy_out(struct pv_vcpu *vcpu, uint64_t linear, const void *from, uint64_t size)
{
    return copy(vcpu, linear, (void *)(uintptr_t)from, size, true);
}
