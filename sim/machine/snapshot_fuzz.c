/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry for snapshots. First byte even: the rest is the file. Odd: the rest are edits of a sound snapshot,
 * five bytes each (offset, new value; offset FFFFFFFFh cuts the file to value * 256 bytes), whose checksum is then
 * made good again. Whatever is accepted must also run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "sim/machine/machine.h"

#define HASH_BYTES 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A flat image that ends at 4G, the reset vector 16 bytes before: stores in a loop. */
static const uint8_t firmware[65536] = {
    [65520] = 0xB8, 0x34, 0x12, 0x8E, 0xD8, 0xA3, 0x00, 0x01, 0x50, 0x58, 0xFE, 0xC0, 0xEB, 0xF7, 0x90, 0x90,
};

static struct machine *build(void)
{
    static const struct image image = { "fuzz", firmware, sizeof(firmware), NULL };
    struct machine_config config;
    struct machine *machine;
    GError *error = NULL;

    machine_config_defaults(&config);
    config.memory = UINT64_C(64) << 20;
    config.host_memory = config.memory;
    machine = machine_new(&config, &error);
    if (!machine || !machine_boot_firmware(machine, &image, &error)) {
        fprintf(stderr, "%s\n", error->message);
        abort();
    }
    return machine;
}

static char *temporary(void)
{
    char *name = NULL;
    int fd = g_file_open_tmp("fam10h-fuzz-XXXXXX", &name, NULL);

    if (fd < 0)
        abort();
    close(fd);
    return name;
}

/* The sound snapshot, made once. */
static const char *sound(gsize *size)
{
    static char *bytes;
    static gsize length;

    if (!bytes) {
        struct machine *machine = build();
        char *file = temporary();

        machine_run(machine, NEVER, 500);
        if (!machine_save(machine, file, NULL) || !g_file_get_contents(file, &bytes, &length, NULL))
            abort();
        g_unlink(file);
        g_free(file);
        machine_free(machine);
    }
    *size = length;
    return bytes;
}

static char *edited(const uint8_t *data, size_t size, gsize *length)
{
    const char *from = sound(length);
    char *bytes = g_memdup2(from, *length);
    gsize body, digest = HASH_BYTES;
    GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA256);

    for (; size >= 5; data += 5, size -= 5) {
        uint32_t offset;

        memcpy(&offset, data, sizeof(offset));
        if (offset == UINT32_MAX)
            *length = MIN(*length, HASH_BYTES + data[4] * UINT64_C(256));
        else
            bytes[offset % *length] = (char)data[4];
    }
    body = *length - HASH_BYTES;
    g_checksum_update(checksum, (const guchar *)bytes, (gssize)body);
    g_checksum_get_digest(checksum, (guint8 *)bytes + body, &digest);
    g_checksum_free(checksum);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *file;
    struct machine *machine;
    gsize length = size - 1;
    char *bytes;
    GError *error = NULL;

    if (size < 1)
        return 0;
    if (!file)
        file = temporary();
    bytes = data[0] & 1 ? edited(data + 1, size - 1, &length) : g_memdup2(data + 1, length);
    if (!g_file_set_contents(file, bytes, (gssize)length, NULL))
        abort();
    machine = build();
    if (machine_restore(machine, file, &error))
        machine_run(machine, machine_now_ps(machine) + 2 * PS_PER_US, NEVER);
    else if (!error || strchr(error->message, '\n'))
        abort(); /* one line says why */
    g_clear_error(&error);
    machine_free(machine);
    g_unlink(file);
    g_free(bytes);
    return 0;
}
