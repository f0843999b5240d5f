/* SPDX-License-Identifier: MIT */
/* What pv_entry.S and the C of hv/pv agree on. */
#ifndef HV_X86_PV_LAYOUT_H
#define HV_X86_PV_LAYOUT_H

/* L4 entries of hv in every guest's tables: M2P at 256, the guest's descriptor tables, all memory once more. */
#define PV_SLOT_M2P 256
#define PV_SLOT_TABLES 260
#define PV_SLOT_ALIAS 262
#define PV_TABLES_START 0xFFFF820000000000
#define PV_ALIAS 0xFFFF830000000000 /* address of sPA 0 while a guest's tables are in CR3 */

/* In hv's part of a guest's GDT. */
#define PV_SELECTOR_CODE 0xE008
#define PV_SELECTOR_DATA 0xE010
#define PV_SELECTOR_LDT 0xE040

/* struct percore's fields for the way in and out (hv/core/percore.h asserts them). */
#define PERCORE_PV_STACK 8
#define PERCORE_PV_USER_RSP 16
#define PERCORE_PV_FRAME 24
#define PERCORE_PV_FRAME_END 32
#define PERCORE_PV_ROOM_END 432

/* struct pv_vcpu: the frame first, then what is loaded beside it. */
#define PV_FRAME_WORDS 22
#define PV_FRAME_RIP 136
#define PV_FRAME_CS 144
#define PV_FRAME_VECTOR 120
#define PV_FRAME_ERROR 128
#define PV_VCPU_DS 176
#define PV_VCPU_ES 178
#define PV_VCPU_FS 180
#define PV_VCPU_GS 182
#define PV_VCPU_LDT 184
#define PV_VCPU_FS_BASE 192
#define PV_VCPU_GS_BASE 200

/* "Vectors" of what is no interrupt. */
#define PV_VECTOR_SYSCALL 0x100
#define PV_VECTOR_SYSCALL32 0x101
#define PV_VECTOR_NOT_ENTERED 0x200 /* or: a selector that the guest asked for, or CS, SS or RIP, has raised this */

#endif
