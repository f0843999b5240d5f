/* SPDX-License-Identifier: MIT */
#include "workloads/lib/exceptions.h"

#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"

#define STUB_SIZE 16
#define GATE_ATTRIBUTES 0x8E00 /* present, DPL 0, interrupt gate of the program's width */
#define GATE_P 0x8000
#define GATE_DPL3 0x6000

struct gate {
    uint16_t offset_0, selector, attributes, offset_16;
#ifdef __x86_64__
    uint32_t offset_32, reserved;
#endif
};

/* What the stubs of exceptions32.S and exceptions64.S pass on. */
struct frame {
    uintptr_t vector, error_code, ip, cs, flags;
};

extern char exception_stubs[];
bool exception_call(void (*function)(void *argument), void *argument); /* true: it was left by exception_leave */
void exception_leave(void) __attribute__((noreturn));
void exception_handle(const struct frame *frame) __attribute__((noreturn));

static struct gate idt[256];
static struct exception caught;
static bool trying;

void exceptions_init(void)
{
    struct {
        uint16_t limit;
        uintptr_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uintptr_t)idt };
    uint16_t code = cs_read();

    for (unsigned vector = 0; vector < 256; vector++) {
        uintptr_t at = (uintptr_t)exception_stubs + vector * STUB_SIZE;

        idt[vector] = (struct gate){ .offset_0 = (uint16_t)at, .selector = code,
                                     .attributes = GATE_ATTRIBUTES | GATE_DPL3, .offset_16 = (uint16_t)(at >> 16) };
#ifdef __x86_64__
        idt[vector].offset_32 = (uint32_t)(at >> 32);
#endif
    }
    idt_load(&pointer);
}

void exception_gate_present(unsigned vector, bool present)
{
    idt[vector].attributes = (uint16_t)(present ? idt[vector].attributes | GATE_P : idt[vector].attributes & ~GATE_P);
}

void exception_handle(const struct frame *frame)
{
    caught = (struct exception){ (unsigned)frame->vector, frame->error_code, frame->ip, frame->flags, cr2_read() };
    if (!trying)
        guest_fail("unexpected exception %u, error code %lx, ip %lx, cr2 %lx", caught.vector,
                   (unsigned long)caught.error_code, (unsigned long)caught.ip, (unsigned long)caught.cr2);
    exception_leave();
}

struct exception exception_try(void (*function)(void *argument), void *argument)
{
    trying = true;
    if (!exception_call(function, argument))
        caught = (struct exception){ .vector = EXC_NONE };
    trying = false;
    return caught;
}
