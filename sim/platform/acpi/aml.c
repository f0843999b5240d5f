/* SPDX-License-Identifier: MIT */
#include "sim/platform/acpi/aml.h"

#include <string.h>

#include "sim/bits.h"
#include "sim/platform/acpi/tables.h"

enum { AML_ZERO = 0x00, AML_ONE = 0x01, AML_NAME = 0x08, AML_BYTE = 0x0a, AML_WORD = 0x0b, AML_DWORD = 0x0c,
       AML_QWORD = 0x0e, AML_SCOPE = 0x10, AML_PACKAGE = 0x12, AML_DEVICE = 0x5b82 };

static void aml_opcode(GByteArray *aml, unsigned opcode)
{
    if (opcode > 0xff) /* ExtOpPrefix first */
        acpi_add(aml, opcode >> 8, 1);
    acpi_add(aml, opcode & 0xff, 1);
}

unsigned aml_open(GByteArray *aml, unsigned opcode)
{
    aml_opcode(aml, opcode);
    return aml->len;
}

/* PkgLength counts itself: 6 bits in one byte, or 4 bits and one to three bytes more. */
void aml_close(GByteArray *aml, unsigned opened)
{
    unsigned body = aml->len - opened, extra = body + 1 < 64 ? 0 : body + 2 < 4096 ? 1 : 2;
    unsigned length = body + 1 + extra;

    acpi_add(aml, 0, 1 + extra);
    memmove(aml->data + opened + 1 + extra, aml->data + opened, body);
    acpi_put(aml, opened, extra ? extra << 6 | (length & 0x0f) : length, 1);
    if (extra)
        acpi_put(aml, opened + 1, length >> 4, extra);
}

void aml_name(GByteArray *aml, const char *name)
{
    if (*name == '\\')
        acpi_add(aml, (uint8_t)*name++, 1);
    for (unsigned i = 0, length = (unsigned)strlen(name); i < 4; i++)
        acpi_add(aml, i < length ? (uint8_t)name[i] : '_', 1);
}

void aml_integer(GByteArray *aml, uint64_t value)
{
    unsigned size = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= UINT32_MAX ? 4 : 8;

    if (value <= 1) {
        aml_opcode(aml, value ? AML_ONE : AML_ZERO);
        return;
    }
    aml_opcode(aml, size == 1 ? AML_BYTE : size == 2 ? AML_WORD : size == 4 ? AML_DWORD : AML_QWORD);
    acpi_add(aml, value, size);
}

void aml_define(GByteArray *aml, const char *name)
{
    aml_opcode(aml, AML_NAME);
    aml_name(aml, name);
}

void aml_define_integer(GByteArray *aml, const char *name, uint64_t value)
{
    aml_define(aml, name);
    aml_integer(aml, value);
}

/* Three letters of five bits, four hexadecimal digits, the bytes from the highest. */
void aml_define_hid(GByteArray *aml, const char *id)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 3; i++)
        value = value << 5 | ((unsigned)id[i] & 0x1f);
    for (unsigned i = 3; i < 7; i++)
        value = value << 4 | (unsigned)g_ascii_xdigit_value(id[i]);
    aml_define(aml, "_HID");
    aml_opcode(aml, AML_DWORD);
    for (unsigned i = 4; i-- > 0;)
        acpi_add(aml, bits(value, 8 * i + 7, 8 * i), 1);
}

unsigned aml_open_device(GByteArray *aml, const char *name)
{
    unsigned opened = aml_open(aml, AML_DEVICE);

    aml_name(aml, name);
    return opened;
}

unsigned aml_open_scope(GByteArray *aml, const char *name)
{
    unsigned opened = aml_open(aml, AML_SCOPE);

    aml_name(aml, name);
    return opened;
}

unsigned aml_open_package(GByteArray *aml, unsigned elements)
{
    unsigned opened = aml_open(aml, AML_PACKAGE);

    acpi_add(aml, elements, 1);
    return opened;
}

/* ---- Resource descriptors (6.4) ---------------------------------------------------------------------------------- */

enum { SMALL_IRQ = 0x22, SMALL_PORT = 0x47, SMALL_END = 0x79, LARGE_REGISTER = 0x82, LARGE_MEMORY32 = 0x86,
       LARGE_DWORD = 0x87, LARGE_WORD = 0x88 };
enum { WINDOW_MEMORY = 0, WINDOW_PORT = 1, WINDOW_BUS = 2 };

#define WINDOW_FIXED 0x0c        /* producer, positive decode, both limits fixed */
#define WINDOW_READ_WRITE 0x01
#define WINDOW_ENTIRE_RANGE 0x03
#define DECODE_16 1
#define FIXED_HARDWARE 0x7f

GByteArray *resources_open(void)
{
    return g_byte_array_new();
}

void resources_close(GByteArray *resources, GByteArray *aml)
{
    unsigned buffer;

    acpi_add(resources, SMALL_END, 1);
    acpi_add(resources, 0, 1); /* no checksum */
    buffer = aml_open(aml, AML_BUFFER);
    aml_integer(aml, resources->len);
    g_byte_array_append(aml, resources->data, resources->len);
    aml_close(aml, buffer);
    g_byte_array_unref(resources);
}

void resources_add_port(GByteArray *resources, unsigned base, unsigned count)
{
    acpi_add(resources, SMALL_PORT, 1);
    acpi_add(resources, DECODE_16, 1);
    acpi_add(resources, base, 2);
    acpi_add(resources, base, 2);
    acpi_add(resources, 1, 1); /* alignment */
    acpi_add(resources, count, 1);
}

/* Edge-triggered, active high: an ISA interrupt. */
void resources_add_irq(GByteArray *resources, unsigned irq)
{
    acpi_add(resources, SMALL_IRQ, 1);
    acpi_add(resources, BIT(irq), 2);
}

void resources_add_memory(GByteArray *resources, uint32_t base, uint32_t size)
{
    acpi_add(resources, LARGE_MEMORY32, 1);
    acpi_add(resources, 9, 2);
    acpi_add(resources, WINDOW_READ_WRITE, 1);
    acpi_add(resources, base, 4);
    acpi_add(resources, size, 4);
}

static void resources_add_window(GByteArray *resources, unsigned type, unsigned flags, unsigned width, uint64_t first,
                                 uint64_t last)
{
    acpi_add(resources, width == 2 ? LARGE_WORD : LARGE_DWORD, 1);
    acpi_add(resources, 3 + 5 * width, 2);
    acpi_add(resources, type, 1);
    acpi_add(resources, WINDOW_FIXED, 1);
    acpi_add(resources, flags, 1);
    acpi_add(resources, 0, width); /* granularity */
    acpi_add(resources, first, width);
    acpi_add(resources, last, width);
    acpi_add(resources, 0, width); /* translation */
    acpi_add(resources, last - first + 1, width);
}

void resources_add_bus_window(GByteArray *resources, unsigned first, unsigned last)
{
    resources_add_window(resources, WINDOW_BUS, 0, 2, first, last);
}

void resources_add_port_window(GByteArray *resources, unsigned first, unsigned last)
{
    resources_add_window(resources, WINDOW_PORT, WINDOW_ENTIRE_RANGE, 2, first, last);
}

void resources_add_memory_window(GByteArray *resources, uint32_t first, uint32_t last)
{
    resources_add_window(resources, WINDOW_MEMORY, WINDOW_READ_WRITE, 4, first, last);
}

void resources_add_fixed_hardware(GByteArray *resources)
{
    acpi_add(resources, LARGE_REGISTER, 1);
    acpi_add(resources, 12, 2);
    acpi_add(resources, FIXED_HARDWARE, 1);
    acpi_add(resources, 0, 3); /* width, offset, access size */
    acpi_add(resources, 0, 8);
}
