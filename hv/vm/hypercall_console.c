/* SPDX-License-Identifier: MIT */
/* console_io: the control domain owns the machine's console; what others write comes as lines with their name. */
#include "hv/vm/hypercall.h"

#define CHUNK 128

static int64_t write(struct hypercall *call)
{
    uint64_t left = call->argument[1], from = call->argument[2];
    char bytes[CHUNK];

    while (left) {
        uint64_t piece = left < CHUNK ? left : CHUNK;

        if (!hypercall_copy_in(call, bytes, from, piece))
            return -XEN_EFAULT;
        if (call->control)
            console_write(bytes, piece);
        for (uint64_t i = 0; !call->control && i < piece; i++)
            guest_console_put(call->vcpu->guest, bytes[i]);
        left -= piece;
        from += piece;
    }
    return 0;
}

static int64_t read(struct hypercall *call)
{
    char bytes[CHUNK];
    uint64_t count = console_read(bytes, call->argument[1] < CHUNK ? call->argument[1] : CHUNK);

    return hypercall_copy_out(call, call->argument[2], bytes, count) ? (int64_t)count : -XEN_EFAULT;
}

static const struct hypercall_row commands[] = {
    { CONSOLEIO_WRITE, "write", write, CALLER_ANY },
    { CONSOLEIO_READ, "read", read, CALLER_CONTROL },
};

/* A long write keeps hv busy: more than this goes in several calls. */
#define WRITE_MAX 16384

int64_t hypercall_console_io(struct hypercall *call)
{
    if (call->argument[1] > WRITE_MAX)
        return -XEN_E2BIG;
    return hypercall_dispatch(call, HYPERCALL_ROWS(commands), call->argument[0]);
}
