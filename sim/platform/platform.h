/* SPDX-License-Identifier: MIT */
/*
 * Everything of the machine that is not a core: the system-physical map, DRAM, I/O space, northbridges,
 * PCI, interrupt controllers, timers, UART, firmware tables, image loaders.
 */
#ifndef FAM10H_PLATFORM_H
#define FAM10H_PLATFORM_H

#include <glib.h>

#include "sim/bus.h"
#include "sim/clock.h"
#include "sim/mce/mce.h"

struct platform;
struct counter_set;
struct state;
struct unmodelled;

#define MAX_NODES 8
#define MAX_CORES_PER_NODE 6
#define PLATFORM_PSTATES 5

/* Where guest output of a UART or of port E9h goes, and where input comes from. */
struct char_port {
    void *ctx;
    void (*put)(void *ctx, uint8_t byte);
    int (*get)(void *ctx); /* next input byte, -1: none now; asked at deterministic moments only */
};

struct platform_config {
    unsigned nodes, cores_per_node;
    uint64_t memory;       /* bytes, split evenly over the nodes; multiple of nodes x 64 MiB */
    uint64_t host_memory;  /* limit on native memory for DRAM, bytes */
    uint32_t cpu_signature;/* F3xFC */
    unsigned mhz;
    bool sync_flood;       /* firmware lets uncorrected northbridge errors flood the links (F3x44) */
    bool debug_exit;       /* port F4h ends the run (`boot` only) */
    bool link;             /* there is a link adapter */
    struct char_port uart; /* COM1, 3F8h */
    struct char_port debug_console; /* port E9h */
};

/* Wrong bits in a 16-byte word of DRAM, or another unit's error that waits for an access to it (`named`). */
struct planted_error {
    spa_t address;
    struct ecc_mask mask;    /* what reads wrong */
    uint8_t kinds;           /* enum memory_access: who is to find it first */
    bool hard;               /* stays when it was corrected or overwritten */
    struct mca_error named;  /* status 0: the ECC error that `mask` makes */
};

/* What platform needs from machine. */
struct platform_wiring {
    struct clock *clock;
    struct unmodelled *unmodelled;
    struct msi_port messages;          /* IOAPIC and MSI messages leave here */
    struct core_pins *bsp_pins;        /* the 8259s' INTR and NMI */
    void *ctx;
    void (*stored)(void *ctx, spa_t address, unsigned size, uint8_t flags); /* store into a flagged page */
    void (*drop_native)(void *ctx, spa_t page);      /* a page's flags changed; SPA_LIMIT: of all pages */
    void (*debug_exit)(void *ctx, uint32_t value);   /* port F4h was written */
    void (*power_off)(void *ctx);
    void (*reset)(void *ctx);                        /* CF9h, 8042, F0x6C */
    void (*ignore_numeric_error)(void *ctx);         /* port F0h: IGNNE#, and IRQ 13 falls */
    struct mca_port machine_check;                   /* what the northbridges ask of their cores */
};

/* NULL and one line for an impossible configuration (what, value, what would be right). */
struct platform *platform_new(const struct platform_config *config, GError **error);
void platform_free(struct platform *platform);
void platform_connect(struct platform *platform, const struct platform_wiring *wiring);
void platform_describe(struct platform *platform, struct state *state, struct counter_set *counters);
void platform_reset(struct platform *platform, bool warm);

struct spa_space *platform_space(struct platform *platform);
/*
 * Which DRAM pages anybody stores to (cores, walkers, devices), from now on until it is switched off, or the platform
 * is reset or restored. The caller drops the cores' native pointers.
 */
void platform_track_stores(struct platform *platform, bool on);
/* Tell every store to DRAM (platform_wiring.stored, DRAM_PAGE_WATCHED), until as above. */
void platform_watch_stores(struct platform *platform, bool on);
/* Go through them in order of address: *position is 0 at first; false: no more. */
bool platform_next_stored(const struct platform *platform, uint64_t *position, spa_t *page);
struct pio_space *platform_ports(struct platform *platform);
struct interrupt_acknowledge platform_acknowledge(struct platform *platform);
/* The ISA interrupt lines, for what asks from outside the platform: FERR#. */
struct irq_line platform_irq_line(struct platform *platform);
/* Attach a device built elsewhere (the IOMMU). */
void platform_attach_mmio(struct platform *platform, const struct mmio_region *region);
void platform_attach_pci(struct platform *platform, const struct pci_function *function);
/* SKINIT: no device reaches the 64 KiB at `loader` until software clears SLDEV (F3xF4 function 4 bit 5) or resets. */
void platform_guard_loader(struct platform *platform, spa_t loader);
struct dma_port platform_dma_port(struct platform *platform, uint16_t device_id);

/* ---- The link adapter (sim/platform/link.h), if platform_config.link is set ------------------------------- */

#define LINK_FRAME_MAX 0x40000u
#define LINK_LATENCY_LEAST PS_PER_US /* of a cable */

/* What travels on a link, in order. */
enum link_message_kind {
    LINK_FRAME,
    LINK_CREDIT,  /* a frame was taken from the receiver's queue */
    LINK_ENABLED, /* the sender's adapter */
    LINK_DISABLED,
    LINK_MESSAGE_KINDS
};
struct link_message {
    uint64_t ps; /* when it arrives, in the sender's time; once it is handed over, in the receiver's */
    uint8_t kind;
    uint32_t size;
    uint8_t data[];
};
/* Where two linked machines stand; kept by the adapter for `machine`, so that a snapshot has it. */
struct link_time {
    uint64_t epoch_ps;    /* time of the link = the machine's + this (modulo 2^64) */
    uint64_t boundary_ps; /* of the link: the next moment at which messages are handed over */
};

bool platform_has_link(const struct platform *platform);
/* Plug in one end of a cable that carries so many bits per second; whatever was plugged in before is out. */
void platform_link_plug(struct platform *platform, uint64_t bits_per_s, uint64_t latency_ps);
bool platform_link_is_plugged(const struct platform *platform);
uint64_t platform_link_latency(const struct platform *platform);
/* The cable is cut, at a time of this machine that has not passed: what has not arrived by then is lost. */
void platform_link_cut(struct platform *platform, uint64_t at_ps);
/* The oldest message that goes out, NULL if none: the caller's to give to the other platform, which keeps it. */
struct link_message *platform_link_fetch(struct platform *platform);
void platform_link_deliver(struct platform *platform, struct link_message *message);
struct link_time *platform_link_time(struct platform *platform);
/* Northbridge MSRs of a node (NB_CFG, MMIO configuration base ...), shared by the node's cores. */
/* FALSE: not DRAM, or too many. */
bool platform_plant_error(struct platform *platform, const struct planted_error *planted, GError **error);
/* Bank 4 of a node: its northbridge's. */
struct mca_node *platform_mca_node(struct platform *platform, unsigned node);
struct msr_bank platform_node_msrs(struct platform *platform, unsigned node);
/* PCI configuration without side effects, for scenarios: bus/device/function/register. */
uint32_t platform_pci_read(struct platform *platform, unsigned bus, unsigned device, unsigned function, unsigned reg);

/* One stretch of the physical map, as E820, multiboot and SRAT report it. */
struct memory_range {
    spa_t base;
    uint64_t size;
    unsigned node;
    unsigned type; /* E820: 1 RAM, 2 reserved, 3 ACPI */
};
/* In ascending order; the array belongs to the platform. */
const struct memory_range *platform_memory(struct platform *platform, size_t *count);
/* Where platform_write_tables puts the RSDP. */
#define PLATFORM_RSDP UINT64_C(0xf0000)
/* What firmware learns from the cores for its tables. */
struct firmware_cores {
    const uint8_t *apic_ids; /* by core index, node by node */
    unsigned count;
    uint64_t pstate[PLATFORM_PSTATES]; /* MSRC001_0064-68, the same in all */
};
/* RSDP address after the tables were written to DRAM. */
spa_t platform_write_tables(struct platform *platform, const struct firmware_cores *cores);

/* ---- Loaders ------------------------------------------------------------------------------------------ */

/* Named bytes: a file's content. */
struct image {
    const char *name; /* for messages */
    const uint8_t *data;
    size_t size;
    const char *string; /* a module's command line, may be NULL */
};

/* How to start the boot processor after loading. */
struct load_result {
    uint64_t entry;
    uint64_t eax, ebx;    /* multiboot: 2BADB002h and the information block; PVH: ebx, the start information */
    uint64_t esi;         /* bzImage: the boot parameters */
    bool protected_flat;  /* false: start in real mode at `entry` */
};

/* Multiboot 1: ELF32, ELF64 and address-field images, modules, command line, memory map. */
bool load_multiboot(struct platform *platform, const struct image *kernel, const char *command_line,
                    const struct image *modules, size_t module_count, struct load_result *result, GError **error);
/*
 * A kernel by what it is: multiboot as above; a Linux bzImage by its 32-bit entry (Linux boot protocol 2.04 and later,
 * at most one module: the initrd); an ELF file with a Xen note that gives a PVH entry.
 */
bool load_kernel(struct platform *platform, const struct image *kernel, const char *command_line,
                 const struct image *modules, size_t module_count, struct load_result *result, GError **error);
/* A flat binary (64 KiB .. 16 MiB, multiple of 64 KiB) that ends at 4 GiB: reset vector FFFFFFF0h. */
bool load_firmware(struct platform *platform, const struct image *image, struct load_result *result, GError **error);
/* The executable pieces (PF_X) of an ELF image, at most `limit`; returns their number, 0 for anything else. */
struct image_code {
    spa_t address;
    uint64_t virtual_address, bytes;
};
unsigned image_code(const struct image *image, struct image_code *code, unsigned limit);
/* The same of all its segments, with what the loader clears behind their bytes (Multiboot 0.6.96 3.1.3). */
unsigned image_memory(const struct image *image, struct image_code *memory, unsigned limit);
/* ELF symbol table of an image: name -> address; FALSE if there is none. */
bool image_symbol(const struct image *image, const char *name, uint64_t *address);
/* Nearest symbol at or below, for reports; NULL if none. The string belongs to the image. */
const char *image_symbol_at(const struct image *image, uint64_t address, uint64_t *offset);

#endif
