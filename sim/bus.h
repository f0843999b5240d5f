/* SPDX-License-Identifier: MIT */
/*
 * The ports between parts. A part owns the object behind `ctx`; `machine` connects the ports.
 * Nobody calls another part except through one of these. Sizes are in bytes.
 */
#ifndef FAM10H_BUS_H
#define FAM10H_BUS_H

#include "sim/addr.h"

/* ---- Memory ------------------------------------------------------------------------------- */

/* What somebody wants to be told about a present DRAM page when it is stored to. */
enum dram_page_flag {
    DRAM_PAGE_CODE = 1,  /* decoded blocks were made from bytes of this page */
    DRAM_PAGE_ARMED = 2, /* a MONITOR line lies in this page */
    DRAM_PAGE_BAD = 4,   /* some word of it reads wrong, or an error waits for an access to it: reads ask too (meet) */
    DRAM_PAGE_CLEAN = 8, /* nobody has stored to it since somebody began to ask; the first store clears it */
    DRAM_PAGE_WATCHED = 16, /* not all of it was written since the reset, and the machine's checks want to know */
    DRAM_PAGE_TOLD = 32, /* somebody waits for stores into part of it (machine_on_store) */
};

/* Kinds of access that may meet an error in DRAM, or-ed. */
enum memory_access {
    MEMORY_READ = 1,
    MEMORY_WRITE = 2,
    MEMORY_FETCH = 4,
    MEMORY_WALK = 8,   /* a page-table entry */
    MEMORY_SCRUB = 16, /* by the memory controller's scrubber */
    MEMORY_ANY = 31,
};

struct mca_error; /* mce/mce.h */

/*
 * The system-physical address space as a core, a page walker or a DMA port sees it.
 * Implemented by `platform` (map.c, dram.c). The local APIC page is not here: it belongs to the core.
 */
struct spa_space {
    void *ctx;
    /*
     * The 4096 bytes of the DRAM page that holds `address`, or NULL: not DRAM, or absent and
     * allocate == false (an absent page reads as zero), or the limit on native memory is reached
     * (then `exhausted` below is set). The pointer stays valid until the machine is reset or restored.
     */
    uint8_t *(*dram)(void *ctx, spa_t address, bool allocate);
    /* Whether `address` is DRAM, present or absent. */
    bool (*is_dram)(void *ctx, spa_t address);
    /* The flag byte of a present DRAM page (enum dram_page_flag); NULL where `dram` gives NULL. */
    uint8_t *(*page_flags)(void *ctx, spa_t address);
    /*
     * Set a flag on a present page. `platform` records it and tells every core's MMU to drop its native
     * pointers to the page, so that from now on each store to it comes through spa_write.
     */
    void (*flag_page)(void *ctx, spa_t address, enum dram_page_flag flag);
    void (*unflag_page)(void *ctx, spa_t address, enum dram_page_flag flag);
    /* Somebody stored into a flagged page: tells the owners of the flags. Call after the store. */
    void (*stored)(void *ctx, spa_t address, unsigned size);
    /* Anything that is not DRAM. An address nobody claims reads as all ones and ignores writes. */
    uint64_t (*mmio_read)(void *ctx, spa_t address, unsigned size);
    void (*mmio_write)(void *ctx, spa_t address, unsigned size, uint64_t value);
    /* The node whose memory controller owns `address` (for latency); 0 if none does. */
    unsigned (*home_node)(void *ctx, spa_t address);
    /* `dram` for the DRAM behind the VGA window, A0000-BFFFF, which only SMM sees (ASeg). NULL: there is none. */
    uint8_t *(*smram)(void *ctx, spa_t address, bool allocate);
    /*
     * An access by core `core` to bytes of a page flagged DRAM_PAGE_BAD: what it finds is logged. In a core's own
     * space `core` and `own` do not count: its own unit logs too, and a #MC is pending after it. In the machine's:
     * true if *own is to be logged by the core. NULL: memory never fails.
     */
    bool (*meet)(void *ctx, spa_t address, unsigned size, enum memory_access kind, unsigned core,
                 struct mca_error *own);
    const unsigned *bad_words; /* how many such words there are; NULL: never any */
    const unsigned *armed;     /* not 0: every DRAM page is one, the next access anywhere may go wrong (F3xBC) */
    bool exhausted;
};

/* Whether accesses to this page have to ask `meet`. One comparison while nothing is wrong anywhere. */
static inline bool spa_page_is_bad(struct spa_space *space, spa_t address)
{
    const uint8_t *flags;

    if (!space->bad_words || !(*space->bad_words | *space->armed))
        return false;
    if (*space->armed)
        return space->is_dram(space->ctx, address);
    flags = space->page_flags(space->ctx, address);
    return flags && (*flags & DRAM_PAGE_BAD);
}

/* A device's registers in memory space. Offsets are from `base`; accesses do not cross the region. */
struct mmio_region {
    const char *name;
    spa_t base;
    uint64_t size;
    void *ctx;
    uint64_t (*read)(void *ctx, uint64_t offset, unsigned size);
    void (*write)(void *ctx, uint64_t offset, unsigned size, uint64_t value);
};

/* A device's ports in I/O space. An access is given to the range of its first port. */
struct pio_range {
    const char *name;
    uint16_t base;
    uint32_t count;
    void *ctx;
    uint32_t (*read)(void *ctx, uint16_t port, unsigned size);
    void (*write)(void *ctx, uint16_t port, unsigned size, uint32_t value);
};

/* I/O space as a core sees it: ports nobody claims read all ones. Implemented by `platform`. */
struct pio_space {
    void *ctx;
    uint32_t (*read)(void *ctx, uint16_t port, unsigned size);
    void (*write)(void *ctx, uint16_t port, unsigned size, uint32_t value);
};

/* A PCI function's configuration space. reg is 0..FFFh, naturally aligned for its size (1, 2, 4). */
struct pci_function {
    const char *name;
    uint8_t bus, device, function;
    void *ctx;
    uint32_t (*read)(void *ctx, unsigned reg, unsigned size);
    void (*write)(void *ctx, unsigned reg, unsigned size, uint32_t value);
};

/* The only way a device reaches memory: bound to its DeviceID, so that nothing goes round the IOMMU. */
struct dma_port {
    void *ctx;
    uint16_t device_id; /* bus << 8 | device << 3 | function */
    bool (*read)(void *ctx, uint16_t device_id, uint64_t address, void *data, size_t size);
    bool (*write)(void *ctx, uint16_t device_id, uint64_t address, const void *data, size_t size);
};

/* What SKINIT asks of the machine. Implemented by `machine` over the cores and `platform`. */
struct secure_launch {
    void *ctx;
    /* Protect the loader's block from devices; true if every other core is in INIT, and is then part of the launch. */
    bool (*begin)(void *ctx, unsigned core, spa_t loader);
};

/* ---- Interrupts --------------------------------------------------------------------------- */

/* A level on a wire (an IOAPIC or 8259 input). Edge semantics are the receiver's. */
struct irq_line {
    void *ctx;
    void (*set)(void *ctx, unsigned line, bool level);
};

/* APM2 16.5 message types, ICR[10:8]. */
enum apic_message_type {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_REMOTE_READ = 3,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_STARTUP = 6,
    APIC_EXTINT = 7,
};

/* Not of ICR, but carried like its messages: the northbridge's wires to its node's cores, answers of an APIC. */
enum wire_message_type {
    WIRE_MACHINE_CHECK = 8, /* vector: enum mca_raise */
    WIRE_LVT_EVENT = 9,     /* vector: the extended LVT entry, 0 to 3 */
    WIRE_READ_ANSWER = 10,  /* to a remote read; destination: the index of the core that asked; vector: ICR[17:16] */
};

/* One message on the interrupt network: an IPI, an MSI, or an IOAPIC redirection entry that fired. */
struct apic_message {
    uint8_t type;        /* enum apic_message_type */
    uint8_t vector;
    uint8_t destination; /* ICR[63:56] */
    bool logical;        /* destination mode */
    bool level;          /* trigger mode: true = level */
    bool assert_;        /* ICR[14] */
    uint8_t shorthand;   /* 0 none, 1 self, 2 all, 3 all but self */
    uint8_t source_core; /* index of the sending core; FFh when a device sends */
    uint32_t data;       /* of WIRE_READ_ANSWER: the register's value */
};

/* Sends a message to every core that its destination names; false: none accepts it. Implemented by `machine`. */
struct msi_port {
    void *ctx;
    bool (*send)(void *ctx, const struct apic_message *message);
};

/* Wires into one core. `machine` builds them over the core's APIC and its inbox. */
struct core_pins {
    void *ctx;
    void (*extint)(void *ctx, bool level); /* the 8259 pair's INTR, into LINT0 */
    void (*nmi)(void *ctx, bool level);    /* into LINT1 */
};

/* What a core asks of the interrupt controllers outside it. Implemented by `machine` over `platform`. */
struct interrupt_acknowledge {
    void *ctx;
    uint8_t (*vector)(void *ctx);            /* INTACK cycle to the 8259s */
    void (*eoi)(void *ctx, uint8_t vector);  /* EOI of a level interrupt, to the IOAPICs */
};

/* ---- Model-specific registers ------------------------------------------------------------- */

enum msr_rule {
    MSR_RW = 0,
    MSR_READ_ONLY = 1,  /* WRMSR raises #GP(0) */
    MSR_WRITE_ONLY = 2, /* RDMSR raises #GP(0) */
    MSR_IGNORE = 4,     /* writes are ignored without a fault */
    MSR_CANONICAL = 8,  /* a non-canonical value raises #GP(0) */
};

/* One MSR as data. Side effects alone are code. */
struct msr_row {
    uint32_t msr;
    const char *name;
    uint64_t reset;    /* value after a cold reset */
    uint64_t writable; /* bits that WRMSR changes; others keep their value (reserved) */
    uint64_t mbz;      /* a 1 written here raises #GP(0) */
    unsigned rule;     /* enum msr_rule */
    size_t offset;     /* of the uint64_t that stores it, from the bank's base */
    /* Optional. read gives the value; write gets the masked new value and returns false for #GP(0). */
    uint64_t (*read)(void *ctx, const struct msr_row *row);
    bool (*write)(void *ctx, const struct msr_row *row, uint64_t value);
    const char *cite;
};

/* A part's MSRs. Banks are attached to a core by `machine`; a later bank does not hide an earlier one. */
struct msr_bank {
    const struct msr_row *rows;
    size_t count;
    void *ctx; /* base of the storage and argument of read/write */
};

#endif
