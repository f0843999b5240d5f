/* SPDX-License-Identifier: MIT */
/* Canonicalization and consistency checks of VMRUN (APM2 15.5.1). */
#include "sim/cpu/svm/world.h"

#define EFER_MBZ (bits_mask(63, 15) | BIT(9))
#define HIGH_HALF bits_mask(63, 32)
#define ABOVE_PHYSICAL (~(SPA_LIMIT - 1))
#define CS_L_AND_D (BIT(ATTR_L) | BIT(ATTR_DB))

/*
 * Neither map may reach the end of the address space. The 8 KiB MSRPM is refused one page earlier than the
 * manual's rule says, so that both maps need 12 KiB (measured on real parts, fact sheet 3.5).
 */
#define PERMISSION_MAP_BYTES 0x3000

static bool long_mode_paging(const struct vmrun_input *in)
{
    return (in->efer & EFER_LME) && (in->cr0 & CR0_PG);
}

bool pat_is_legal(uint64_t pat)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = (unsigned)bits(pat, 8 * i + 7, 8 * i);

        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

/* ---- Guest registers ------------------------------------------------------------------------------------ */

static bool svme_clear(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return !(in->efer & EFER_SVME);
}

static bool nw_without_cd(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return (in->cr0 & (CR0_CD | CR0_NW)) == CR0_NW;
}

static bool cr0_high(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return (in->cr0 & HIGH_HALF) != 0;
}

/* Low reserved bits (2:0, 11:5) are ignored in every mode. */
static bool cr3_mbz(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return (in->cr3 & ABOVE_PHYSICAL) != 0;
}

static bool cr4_reserved(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return (in->cr4 & ~CR4_IMPLEMENTED) != 0;
}

static bool dr6_high(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return (in->dr6 & HIGH_HALF) != 0;
}

static bool dr7_high(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return (in->dr7 & HIGH_HALF) != 0;
}

static bool efer_mbz(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return (in->efer & EFER_MBZ) != 0;
}

static bool long_mode_without_pae(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return long_mode_paging(in) && !(in->cr4 & CR4_PAE);
}

static bool long_mode_without_pe(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return long_mode_paging(in) && !(in->cr0 & CR0_PE);
}

static bool long_mode_cs_l_and_d(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return long_mode_paging(in) && (in->cr4 & CR4_PAE) && (in->cs_attr & CS_L_AND_D) == CS_L_AND_D;
}

/* ---- Controls ---------------------------------------------------------------------------------------------- */

static bool vmrun_not_intercepted(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return !bit(in->intercept[4], 0);
}

static bool asid_zero(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return in->asid == 0;
}

/* assumed: an ASID that the part does not have is refused; the manual says nothing of it. */
static bool asid_too_large(const struct core *host, const struct vmrun_input *in)
{
    return in->asid >= host->model->asids;
}

static bool iopm_beyond_limit(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return in->iopm > SPA_LIMIT - PERMISSION_MAP_BYTES;
}

static bool msrpm_beyond_limit(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return in->msrpm > SPA_LIMIT - PERMISSION_MAP_BYTES;
}

/* ---- Event injection (APM2 15.20) ------------------------------------------------------------------------- */

static bool injects(const struct vmrun_input *in, enum event_kind kind)
{
    return bit(in->eventinj, EVENTINJ_V) && bits(in->eventinj, EVENTINJ_TYPE) == kind;
}

static bool eventinj_type_reserved(const struct core *host, const struct vmrun_input *in)
{
    unsigned type = (unsigned)bits(in->eventinj, EVENTINJ_TYPE);

    (void)host;
    return bit(in->eventinj, EVENTINJ_V) && (type == 1 || type > EVENT_SOFT_INT);
}

static bool eventinj_no_exception(const struct core *host, const struct vmrun_input *in)
{
    unsigned vector = (unsigned)bits(in->eventinj, EVENTINJ_VECTOR);

    (void)host;
    return injects(in, EVENT_EXCEPTION) && (vector == EXC_NMI || vector > 31);
}

/* BOUND and INTO do not exist in 64-bit mode. */
static bool eventinj_not_in_64bit(const struct core *host, const struct vmrun_input *in)
{
    unsigned vector = (unsigned)bits(in->eventinj, EVENTINJ_VECTOR);

    (void)host;
    return injects(in, EVENT_EXCEPTION) && (vector == EXC_BR || vector == EXC_OF) && long_mode_paging(in) &&
           bit(in->cs_attr, ATTR_L);
}

/* ---- Nested paging (APM2 15.25.3), PAE ---------------------------------------------------------------------- */

static bool g_pat_illegal(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return in->np_enable && !pat_is_legal(in->g_pat);
}

static bool n_cr3_mbz(const struct core *host, const struct vmrun_input *in)
{
    (void)host;
    return in->np_enable && (in->n_cr3 & ABOVE_PHYSICAL) != 0;
}

static bool np_without_host_paging(const struct core *host, const struct vmrun_input *in)
{
    return in->np_enable && !(host->cr0 & CR0_PG);
}

/* With nested paging the PDPTEs are not looked at here but in each walk. */
static bool pdpte_reserved(const struct core *host, const struct vmrun_input *in)
{
    uint64_t pdpte[4];

    return !in->np_enable && pae_paging(in->cr0, in->cr4, in->efer) && !mmu_load_pdptes(host->mmu, in->cr3, pdpte);
}

const struct vmrun_check vmrun_checks[] = {
    { "EFER.SVME is 0", svme_clear },
    { "CR0.CD is 0 and CR0.NW is 1", nw_without_cd },
    { "CR0[63:32] are not 0", cr0_high },
    { "CR3 has a bit above the physical address width", cr3_mbz },
    { "CR4 has a reserved bit", cr4_reserved },
    { "DR6[63:32] are not 0", dr6_high },
    { "DR7[63:32] are not 0", dr7_high },
    { "EFER has a reserved bit", efer_mbz },
    { "EFER.LME and CR0.PG are 1 and CR4.PAE is 0", long_mode_without_pae },
    { "EFER.LME and CR0.PG are 1 and CR0.PE is 0", long_mode_without_pe },
    { "EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are 1", long_mode_cs_l_and_d },
    { "the VMRUN intercept is 0", vmrun_not_intercepted },
    { "the ASID is 0", asid_zero },
    { "the ASID is not below the number of ASIDs", asid_too_large },
    { "the IOPM reaches the physical limit", iopm_beyond_limit },
    { "the MSRPM reaches the physical limit", msrpm_beyond_limit },
    { "EVENTINJ.TYPE is reserved", eventinj_type_reserved },
    { "EVENTINJ names a vector that is no exception", eventinj_no_exception },
    { "EVENTINJ names an exception that 64-bit mode lacks", eventinj_not_in_64bit },
    { "nested paging with an illegal G_PAT", g_pat_illegal },
    { "N_CR3 has a bit above the physical address width", n_cr3_mbz },
    { "nested paging and host CR0.PG is 0", np_without_host_paging },
    { "a PDPTE has a reserved bit", pdpte_reserved },
};
const size_t vmrun_check_count = sizeof(vmrun_checks) / sizeof(vmrun_checks[0]);

const struct vmrun_check *vmrun_first_illegal(const struct core *host, const struct vmrun_input *in)
{
    for (size_t i = 0; i < vmrun_check_count; i++) {
        if (vmrun_checks[i].illegal(host, in))
            return &vmrun_checks[i];
    }
    return NULL;
}
