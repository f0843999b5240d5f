/* SPDX-License-Identifier: MIT */
/* Guests of a few instructions for tests of scenarios, and scenarios run on them. Include once. */
#ifndef FAM10H_SCRIPT_TEST_IMAGES_H
#define FAM10H_SCRIPT_TEST_IMAGES_H

#include <glib/gstdio.h>

#include "sim/script/test_run.h"

/* ---- Images ---------------------------------------------------------------------------------- */

/* Multiboot 1 with address fields: loaded and entered at 1 MiB in flat 32-bit mode (specification 3.1). */
#define LOAD 0x100000u
#define HEADER_WORDS 8

static char *directory;

static void write_image(const char *name, const uint8_t *code, size_t size)
{
    const uint32_t flags = 1u << 16, magic = 0x1badb002;
    const uint32_t end = LOAD + HEADER_WORDS * 4 + (uint32_t)size;
    const uint32_t header[HEADER_WORDS] = { magic, flags, -(magic + flags), LOAD, LOAD, end, end,
                                            LOAD + HEADER_WORDS * 4 };
    GByteArray *bytes = g_byte_array_new();
    g_autofree char *path = g_build_filename(directory, name, NULL);

    g_byte_array_append(bytes, (const guint8 *)header, sizeof(header));
    g_byte_array_append(bytes, code, (guint)size);
    ck_assert(g_file_set_contents(path, (const char *)bytes->data, bytes->len, NULL));
    g_byte_array_unref(bytes);
}

static const uint8_t count_code[] = {
    0xb9, 0x10, 0, 0, 0,                    /* 100020: mov ecx, 16 */
    0xe2, 0xfe,                             /* 100025: loop 100025 */
    0xba, 0xf8, 0x03, 0, 0,                 /* 100027: mov edx, 3F8h */
    0xb0, 'O', 0xee, 0xb0, 'K', 0xee, 0xb0, '\n', 0xee,
    0xb0, 0x07, 0xe6, 0xf4,                 /* 100035: mov al, 7; out F4h, al */
    0xeb, 0xfe,
};
static const uint8_t echo_code[] = {
    0xba, 0xfd, 0x03, 0, 0, 0xec, 0xa8, 0x01, 0x74, 0xfb, /* mov edx, 3FDh; in al, dx; test al, 1; jz */
    0xba, 0xf8, 0x03, 0, 0, 0xec, 0xee, 0xeb, 0xed,       /* mov edx, 3F8h; in al, dx; out dx, al; jmp */
};
static const uint8_t hang_code[] = { 0xeb, 0xfe };
static const uint8_t halt_code[] = { 0xfa, 0xf4 };
static const uint8_t fault_code[] = { 0x0f, 0x0b };
static const uint8_t store_code[] = {
    0xb9, 0x03, 0, 0, 0,                          /* 100020: mov ecx, 3 */
    0xbb, 0, 0, 0x20, 0,                          /* 100025: mov ebx, 200000h */
    0x89, 0x4b, 0x08,                             /* 10002A: mov [ebx + 8], ecx */
    0x8b, 0x83, 0, 0x10, 0, 0,                    /* 10002D: mov eax, [ebx + 1000h] */
    0x81, 0xc3, 0, 0x50, 0, 0,                    /* 100033: add ebx, 5000h */
    0xe2, 0xef,                                   /* 100039: loop 10002A */
    0x01, 0x03,                                   /* 10003B: add [ebx], eax */
    0x31, 0xc0, 0xe6, 0xf4,                       /* 10003D: xor eax, eax; out F4h, al */
};

static void make_images(void)
{
    directory = g_dir_make_tmp("fam10h-calls-XXXXXX", NULL);
    write_image("count.img", count_code, sizeof(count_code));
    write_image("echo.img", echo_code, sizeof(echo_code));
    write_image("hang.img", hang_code, sizeof(hang_code));
    write_image("halt.img", halt_code, sizeof(halt_code));
    write_image("fault.img", fault_code, sizeof(fault_code));
    write_image("store.img", store_code, sizeof(store_code));
}

static void remove_images(void)
{
    GDir *open = g_dir_open(directory, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(open))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        g_unlink(path);
    }
    g_dir_close(open);
    g_rmdir(directory);
    g_free(directory);
}

static struct test_run run_text(const char *text, enum engine engine)
{
    g_autofree char *file = g_build_filename(directory, "t.lua", NULL);
    struct test_run run = test_run_options((struct script_options){ .file = file, .snapshots = directory,
                                                                    .engine = engine }, text);
    size_t skip = strlen(directory) + 1;

    /* Messages begin with the script's path: leave the directory out. */
    if (strncmp(run.message, directory, skip - 1) == 0)
        memmove(run.message, run.message + skip, strlen(run.message + skip) + 1);
    return run;
}

static inline void says(const char *text, const char *output)
{
    make_images();
    for (enum engine engine = ENGINE_FAST; engine <= ENGINE_REFERENCE; engine++) {
        struct test_run run = run_text(text, engine);

        ck_assert_msg(run.status == SCRIPT_OK, "%s\n%s%s", text, run.output->str, run.message);
        ck_assert_str_eq(run.output->str, output);
        test_run_free(&run);
    }
    remove_images();
}

static inline void ends(enum script_status status, const char *text, const char *message)
{
    struct test_run run;

    make_images();
    run = run_text(text, ENGINE_FAST);
    ck_assert_str_eq(run.message, message);
    ck_assert_int_eq(run.status, status);
    test_run_free(&run);
    remove_images();
}

#endif
