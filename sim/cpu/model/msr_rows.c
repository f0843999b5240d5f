/* SPDX-License-Identifier: MIT */
/* The core's own MSRs (fact sheet section 2). MTRRs and SYS_CFG are mmu's, VM_CR svm's, APIC_BAR apic's, MCA mce's. */
#include "sim/cpu/model/msr.h"

#define ALL UINT64_MAX
#define FIELD(hi, lo) ((ALL >> (63 - ((hi) - (lo)))) << (lo)) /* bits_mask as a constant expression */
#define LOW(hi) FIELD(hi, 0)
#define ABOVE(lo) FIELD(63, lo)

/* ---- Registers of struct core ---------------------------------------------------------------------- */

#define C(member) .offset = offsetof(struct core, member)

const struct msr_row msr_core_rows[] = {
    { 0xC0000100, "FS_BASE", 0, ALL, 0, MSR_CANONICAL, C(seg[SEG_FS].base), NULL, NULL, "APM2 4.5.3" },
    { 0xC0000101, "GS_BASE", 0, ALL, 0, MSR_CANONICAL, C(seg[SEG_GS].base), NULL, NULL, "APM2 4.5.3" },
    { 0xC0000102, "KERNEL_GS_BASE", 0, ALL, 0, MSR_CANONICAL, C(kernel_gs_base), NULL, NULL, "APM3 SWAPGS" },
    { 0xC0000080, "EFER", 0, EFER_SCE | EFER_LME | EFER_NXE | EFER_SVME | EFER_LMSLE | EFER_FFXSE,
      ABOVE(15) | BIT(9), 0, C(efer), NULL, msr_write_efer, "MSRC000_0080" },
    { 0xC0000081, "STAR", 0, ALL, 0, 0, C(star), NULL, NULL, "MSRC000_0081" },
    { 0xC0000082, "LSTAR", 0, ALL, 0, MSR_CANONICAL, C(lstar), NULL, NULL, "MSRC000_0082" },
    { 0xC0000083, "CSTAR", 0, ALL, 0, MSR_CANONICAL, C(cstar), NULL, NULL, "MSRC000_0083" },
    { 0xC0000084, "SFMASK", 0, LOW(31), 0, 0, C(sfmask), NULL, NULL, "MSRC000_0084" },
    { 0xC0000103, "TSC_AUX", 0, LOW(31), 0, 0, C(tsc_aux), NULL, NULL, "MSRC000_0103" },
    { 0x00000010, "TSC", 0, ALL, 0, 0, C(tsc_offset_host), msr_read_tsc, msr_write_tsc, "MSR0000_0010" },
    { 0x00000174, "SYSENTER_CS", 0, LOW(15), 0, 0, C(sysenter_cs), NULL, NULL, "MSR0000_0174" },
    { 0x00000175, "SYSENTER_ESP", 0, LOW(31), 0, 0, C(sysenter_esp), NULL, NULL, "MSR0000_0175" },
    { 0x00000176, "SYSENTER_EIP", 0, LOW(31), 0, 0, C(sysenter_eip), NULL, NULL, "MSR0000_0176" },
    { 0x00000277, "PAT", 0x0007040600070406, ALL, 0, 0, C(pat), NULL, msr_write_pat, "APM2 7.8.1" },
    { 0xC0010015, "HWCR", 0x10, 0x01B6FF1B, 0, 0, C(hwcr), NULL, msr_write_hwcr, "MSRC001_0015" },
};
const size_t msr_core_row_count = sizeof(msr_core_rows) / sizeof(msr_core_rows[0]);

/* ---- Registers that are storage ------------------------------------------------------------------------ */

#define S(member) .offset = offsetof(struct msr_storage, member)
#define PLAIN(msr, name, reset, writable, member, cite) \
    { msr, name, reset, writable, 0, 0, S(member), NULL, NULL, cite }
#define READ_ONLY(msr, name, reset, member, cite) { msr, name, reset, 0, 0, MSR_READ_ONLY, S(member), NULL, NULL, cite }
#define READS_ZERO(msr, name, cite) { msr, name, 0, 0, 0, MSR_IGNORE, S(none), NULL, NULL, cite }

const struct msr_row msr_storage_rows[] = {
    /* 0000_xxxx */
    READ_ONLY(0x0000002A, "EBL_CR_POWERON", 0, ebl_cr_poweron, "MSR0000_002A"),
    READ_ONLY(0x0000008B, "PATCH_LEVEL", 0, patch_level, "MSR0000_008B"),
    { 0x000001D9, "DBG_CTL", 0, LOW(5), BIT(6), 0, S(debug_ctl), NULL, NULL, "MSR0000_01D9" },
    READ_ONLY(0x000001DB, "BR_FROM", 0, br_from, "MSR0000_01DB"),
    READ_ONLY(0x000001DC, "BR_TO", 0, br_to, "MSR0000_01DC"),
    READ_ONLY(0x000001DD, "LASTEXC_FROM", 0, last_exc_from, "MSR0000_01DD"),
    READ_ONLY(0x000001DE, "LASTEXC_TO", 0, last_exc_to, "MSR0000_01DE"),
    /* C001_00xx */
    { 0xC0010000, "PERF_CTL0", 0, ALL, 0, 0, S(perf_ctl[0]), NULL, msr_write_perf_ctl, "MSRC001_0000" },
    { 0xC0010001, "PERF_CTL1", 0, ALL, 0, 0, S(perf_ctl[1]), NULL, msr_write_perf_ctl, "MSRC001_0001" },
    { 0xC0010002, "PERF_CTL2", 0, ALL, 0, 0, S(perf_ctl[2]), NULL, msr_write_perf_ctl, "MSRC001_0002" },
    { 0xC0010003, "PERF_CTL3", 0, ALL, 0, 0, S(perf_ctl[3]), NULL, msr_write_perf_ctl, "MSRC001_0003" },
    { 0xC0010004, "PERF_CTR0", 0, LOW(47), 0, 0, S(perf_ctr[0]), msr_read_perf_ctr, msr_write_perf_ctr,
      "MSRC001_0004" },
    { 0xC0010005, "PERF_CTR1", 0, LOW(47), 0, 0, S(perf_ctr[1]), msr_read_perf_ctr, msr_write_perf_ctr,
      "MSRC001_0005" },
    { 0xC0010006, "PERF_CTR2", 0, LOW(47), 0, 0, S(perf_ctr[2]), msr_read_perf_ctr, msr_write_perf_ctr,
      "MSRC001_0006" },
    { 0xC0010007, "PERF_CTR3", 0, LOW(47), 0, 0, S(perf_ctr[3]), msr_read_perf_ctr, msr_write_perf_ctr,
      "MSRC001_0007" },
    { 0xC0010020, "PATCH_LOADER", 0, ALL, 0, MSR_WRITE_ONLY, S(none), NULL, msr_write_unmodelled, "MSRC001_0020" },
    PLAIN(0xC0010030, "NAME_STRING0", 0, ALL, name[0], "MSRC001_0030"),
    PLAIN(0xC0010031, "NAME_STRING1", 0, ALL, name[1], "MSRC001_0031"),
    PLAIN(0xC0010032, "NAME_STRING2", 0, ALL, name[2], "MSRC001_0032"),
    PLAIN(0xC0010033, "NAME_STRING3", 0, ALL, name[3], "MSRC001_0033"),
    PLAIN(0xC0010034, "NAME_STRING4", 0, ALL, name[4], "MSRC001_0034"),
    PLAIN(0xC0010035, "NAME_STRING5", 0, ALL, name[5], "MSRC001_0035"),
    { 0xC0010050, "SMI_ON_IO_TRAP0", 0, FIELD(63, 61) | FIELD(55, 0), 0, 0, S(io_trap[0]), NULL, msr_write_smm_source,
      "MSRC001_0050" },
    { 0xC0010051, "SMI_ON_IO_TRAP1", 0, FIELD(63, 61) | FIELD(55, 0), 0, 0, S(io_trap[1]), NULL, msr_write_smm_source,
      "MSRC001_0051" },
    { 0xC0010052, "SMI_ON_IO_TRAP2", 0, FIELD(63, 61) | FIELD(55, 0), 0, 0, S(io_trap[2]), NULL, msr_write_smm_source,
      "MSRC001_0052" },
    { 0xC0010053, "SMI_ON_IO_TRAP3", 0, FIELD(63, 61) | FIELD(55, 0), 0, 0, S(io_trap[3]), NULL, msr_write_smm_source,
      "MSRC001_0053" },
    { 0xC0010054, "SMI_ON_IO_TRAP_CTL", 0, LOW(31), 0, 0, S(io_trap_control), NULL, msr_write_smm_source,
      "MSRC001_0054" },
    { 0xC0010055, "INTERRUPT_PENDING", 0, LOW(31), 0, 0, S(interrupt_pending), NULL, msr_write_interrupt_pending,
      "MSRC001_0055" },
    PLAIN(0xC0010056, "SMI_TRIGGER_IO_CYCLE", 0, LOW(31), smi_trigger, "MSRC001_0056"),
    /* P-states of a real 2.3 GHz part (fact sheet 2.5). */
    READ_ONLY(0xC0010061, "PSTATE_LIMIT", 0x10, pstate_limit, "MSRC001_0061"),
    { 0xC0010062, "PSTATE_CONTROL", 0, LOW(2), ABOVE(3), 0, S(pstate_control), NULL, msr_write_pstate_control,
      "MSRC001_0062" },
    READ_ONLY(0xC0010063, "PSTATE_STATUS", 0, pstate_status, "MSRC001_0063"),
    PLAIN(0xC0010064, "PSTATE0", 0x800001F530003007, ALL, pstate[0], "MSRC001_0064"),
    PLAIN(0xC0010065, "PSTATE1", 0x800001BC30005047, ALL, pstate[1], "MSRC001_0065"),
    PLAIN(0xC0010066, "PSTATE2", 0x0000000030000000, ALL, pstate[2], "MSRC001_0066"),
    PLAIN(0xC0010067, "PSTATE3", 0x0000000030000000, ALL, pstate[3], "MSRC001_0067"),
    PLAIN(0xC0010068, "PSTATE4", 0x0000000030000000, ALL, pstate[4], "MSRC001_0068"),
    PLAIN(0xC0010070, "COFVID_CONTROL", 0x30003007, LOW(31), cofvid_control, "MSRC001_0070"),
    READ_ONLY(0xC0010071, "COFVID_STATUS", 0x28AE00C130003007, cofvid_status, "MSRC001_0071"),
    PLAIN(0xC0010074, "CPU_WATCHDOG", 0, LOW(6), cpu_watchdog, "MSRC001_0074"),
    { 0xC0010111, "SMM_BASE", 0x30000, LOW(31), 0, 0, S(smm_base), NULL, msr_write_smm, "MSRC001_0111" },
    { 0xC0010112, "SMM_ADDR", 0, FIELD(47, 17), 0, 0, S(smm_addr), NULL, msr_write_smm, "MSRC001_0112" },
    { 0xC0010113, "SMM_MASK", 0, FIELD(47, 17) | FIELD(14, 12) | FIELD(10, 8) | LOW(5), 0, 0, S(smm_mask),
      NULL, msr_write_smm, "MSRC001_0113" },
    { 0xC0010115, "IGNNE", 0, BIT(0), ABOVE(1), 0, S(ignne), NULL, NULL, "MSRC001_0115" },
    PLAIN(0xC001011A, "LOCAL_SMI_STATUS", 0, LOW(31), local_smi_status, "MSRC001_011A"),
    PLAIN(0xC0010140, "OSVW_ID_LENGTH", 0, LOW(15), osvw_length, "MSRC001_0140"),
    PLAIN(0xC0010141, "OSVW_STATUS", 0, ALL, osvw_status, "MSRC001_0141"),
    /* C001_10xx */
    PLAIN(0xC0011004, "CPUID_FEATURES", 0, ALL, cpuid_features, "MSRC001_1004"),
    PLAIN(0xC0011005, "CPUID_EXT_FEATURES", 0, ALL, cpuid_ext_features, "MSRC001_1005"),
    PLAIN(0xC0011020, "LS_CFG", 0, ALL, ls_cfg, "MSRC001_1020"),
    PLAIN(0xC0011021, "IC_CFG", 0, ALL, ic_cfg, "MSRC001_1021"),
    PLAIN(0xC0011022, "DC_CFG", UINT64_C(3) << 34, ALL, dc_cfg, "MSRC001_1022"),
    PLAIN(0xC0011023, "BU_CFG", 0x10200020, ALL, bu_cfg, "MSRC001_1023"),
    PLAIN(0xC0011029, "DE_CFG", 0, ALL, de_cfg, "MSRC001_1029"),
    { 0xC001102A, "BU_CFG2", 0x010080C0, ALL, 0, 0, S(bu_cfg2), NULL, msr_write_bu_cfg2, "MSRC001_102A" },
    { 0xC0011030, "IBS_FETCH_CTL", 0, LOW(57), 0, 0, S(ibs_fetch_ctl), msr_read_ibs_ctl, msr_write_ibs_ctl,
      "MSRC001_1030" },
    PLAIN(0xC0011031, "IBS_FETCH_LINEAR", 0, ALL, ibs_fetch_linear, "MSRC001_1031"),
    PLAIN(0xC0011032, "IBS_FETCH_PHYSICAL", 0, ALL, ibs_fetch_physical, "MSRC001_1032"),
    { 0xC0011033, "IBS_OP_CTL", 0, FIELD(51, 32) | FIELD(19, 17) | LOW(15), 0, 0, S(ibs_op_ctl), msr_read_ibs_ctl,
      msr_write_ibs_ctl, "MSRC001_1033" },
    PLAIN(0xC0011034, "IBS_OP_RIP", 0, ALL, ibs_op_rip, "MSRC001_1034"),
    PLAIN(0xC0011035, "IBS_OP_DATA", 0, ALL, ibs_op_data[0], "MSRC001_1035"),
    PLAIN(0xC0011036, "IBS_OP_DATA2", 0, ALL, ibs_op_data[1], "MSRC001_1036"),
    PLAIN(0xC0011037, "IBS_OP_DATA3", 0, ALL, ibs_op_data[2], "MSRC001_1037"),
    PLAIN(0xC0011038, "IBS_DC_LINEAR", 0, ALL, ibs_dc_linear, "MSRC001_1038"),
    PLAIN(0xC0011039, "IBS_DC_PHYSICAL", 0, ALL, ibs_dc_physical, "MSRC001_1039"),
};
const size_t msr_storage_row_count = sizeof(msr_storage_rows) / sizeof(msr_storage_rows[0]);

/* From revision D on (fact sheet 1.1). */
const struct msr_row msr_revision_d_rows[] = {
    PLAIN(0xC001100C, "NODE_ID", 0, LOW(11), node_id, "MSRC001_100C"),
};
const size_t msr_revision_d_row_count = sizeof(msr_revision_d_rows) / sizeof(msr_revision_d_rows[0]);

/* Family 0Fh: frequency and voltage ids in place of P-states. */
const struct msr_row msr_family_0f_rows[] = {
    { 0xC0010041, "FIDVID_CTL", 0, FIELD(51, 32) | BIT(16) | FIELD(13, 8) | LOW(5), 0, 0, S(fidvid_control), NULL,
      msr_write_fidvid, "MSRC001_0041" },
    READ_ONLY(0xC0010042, "FIDVID_STATUS", 0, fidvid_status, "MSRC001_0042"),
};
const size_t msr_family_0f_row_count = sizeof(msr_family_0f_rows) / sizeof(msr_family_0f_rows[0]);
