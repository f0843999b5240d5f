/* SPDX-License-Identifier: MIT */
/* What a module's string says about the guest: name= type= firmware= boot= width= memory= vcpus= backing= ... Pure. */
#ifndef HV_VM_GUEST_SPEC_H
#define HV_VM_GUEST_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/npt/npt.h"

#define GUEST_NAME_MAX 16
#define GUEST_CORES_MAX 64
#define GUEST_VCPUS_MAX 8
#define GUEST_SHADOW_MIN (512ull << 10)
#define GUEST_MEMORY_MIN (4ull << 20)
#define GUEST_MEMORY_MAX (512ull << 30) /* one nested PML4 entry */

enum guest_type { GUEST_HVM, GUEST_PV };
/* An ELF image by its own entry; a flat one in real mode (real_mode.h). */
enum guest_start { GUEST_START_IMAGE, GUEST_START_FIRMWARE, GUEST_START_FLOPPY, GUEST_START_HARD_DISK };

struct guest_spec {
    char name[GUEST_NAME_MAX];
    enum guest_type type;   /* type=hvm|pv */
    enum guest_start start; /* firmware=bios, boot=a|c */
    unsigned width;         /* 64; 32 hides long mode from the guest */
    unsigned vcpus;
    uint64_t memory;        /* bytes */
    enum npt_size backing;  /* largest nested page to use */
    uint64_t shadow_memory; /* shadow_memory=: for shadow tables; 0: by the guest's size */
    bool hap;               /* hap=: nested paging, if hv and the processor have it */
    uint64_t cores;         /* cpus=: bit per core that its vCPUs may run on; all ones: any */
    bool xen;               /* xen=: CPUID shows Xen's leaves, and hypercalls are answered */
    bool on_demand;         /* populate=demand: back a page at its first VMEXIT_NPF */
};

/* A list of cores as xl writes it: 0,2-3 and without: ^2; or all. False: it is none, or leaves none. */
bool guest_spec_cores(const char *list, uint64_t *cores);
/*
 * Read a module's string into spec; `index` names a nameless guest g0, g1 ...; `limit` is the largest backing
 * that hv's own options allow. NULL, or one line: what is wrong.
 */
const char *guest_spec_parse(struct guest_spec *spec, const char *string, unsigned index, enum npt_size limit);

#endif
