/* SPDX-License-Identifier: MIT */
/* AML and resource descriptors, as much as the DSDT needs (ACPI 3.0, chapters 19.2 and 6.4). */
#ifndef FAM10H_PLATFORM_ACPI_AML_H
#define FAM10H_PLATFORM_ACPI_AML_H

#include <glib.h>
#include <stdint.h>

/* Opens a term with a package length; its closing gives it the length of everything added since. */
unsigned aml_open(GByteArray *aml, unsigned opcode);
void aml_close(GByteArray *aml, unsigned opened);

/* A name of at most four characters, padded with '_'; a leading '\' stays in front. */
void aml_name(GByteArray *aml, const char *name);
void aml_integer(GByteArray *aml, uint64_t value);
/* Name (name, ...): what follows is its object. */
void aml_define(GByteArray *aml, const char *name);
void aml_define_integer(GByteArray *aml, const char *name, uint64_t value);
/* Name (_HID, EisaId (id)), id as in "PNP0A03". */
void aml_define_hid(GByteArray *aml, const char *id);
unsigned aml_open_device(GByteArray *aml, const char *name);
unsigned aml_open_scope(GByteArray *aml, const char *name);
unsigned aml_open_package(GByteArray *aml, unsigned elements);

enum { AML_BUFFER = 0x11, AML_PROCESSOR = 0x5b83 };

/* ResourceTemplate () { descriptors }: opened on a buffer of its own, closed into the AML. */
GByteArray *resources_open(void);
void resources_close(GByteArray *resources, GByteArray *aml);
void resources_add_port(GByteArray *resources, unsigned base, unsigned count);
void resources_add_irq(GByteArray *resources, unsigned irq);
void resources_add_memory(GByteArray *resources, uint32_t base, uint32_t size);
/* What a bridge passes on: bus numbers, I/O ports, 32-bit memory; both limits included. */
void resources_add_bus_window(GByteArray *resources, unsigned first, unsigned last);
void resources_add_port_window(GByteArray *resources, unsigned first, unsigned last);
void resources_add_memory_window(GByteArray *resources, uint32_t first, uint32_t last);
/* Register (FFixedHW, 0, 0, 0). */
void resources_add_fixed_hardware(GByteArray *resources);

#endif
