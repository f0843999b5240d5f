/* SPDX-License-Identifier: MIT */
/*
 * The native side: a child process that runs every case of a ring, one after the other, between two words
 * over a socket. A case ends in the stub's capture code, or in an exception that the signal handler reads
 * out of the ucontext. A child that dies or hangs is replaced, and its case is marked.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* REG_RAX, MAP_FIXED_NOREPLACE */
#endif
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/silicon/silicon.h"
#include "tests/silicon/stub.h"

#define ALTERNATE_STACK 0x10000
#define HANG_MILLISECONDS 10000
#define GLUE_BYTES 8
#define CODE_ALL (CODE_LAST - CODE_FIRST)

struct ring {
    volatile uint32_t at; /* the case that runs */
    struct silicon_case cases[RING];
    struct silicon_result results[RING];
};

struct native {
    const struct native_processor *processor;
    struct ring *ring;
    pid_t child;
    int socket;
};

/* ---- In the child ---------------------------------------------------------------------------------------- */

static struct stub_state *const stub = (struct stub_state *)(uintptr_t)STUB_STATE;
static uint8_t *code_alias;            /* the code pages, writable: cases cannot write theirs */
static struct silicon_result *current; /* of the case that runs: the handler writes it */

static const uint8_t *stub_at(const uint8_t *label)
{
    return (const uint8_t *)(uintptr_t)STUB_CODE + (label - stub_begin);
}

/* From the kernel's register order to ours. */
static void take_registers(struct registers *out, const ucontext_t *context)
{
    static const int order[GPR_COUNT] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                          REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    const greg_t *gregs = context->uc_mcontext.gregs;

    for (unsigned n = 0; n < GPR_COUNT; n++)
        out->gpr[n] = (uint64_t)gregs[order[n]];
    out->rip = (uint64_t)gregs[REG_RIP];
    out->rflags = (uint64_t)gregs[REG_EFL];
    out->seg[SEG_CS] = (uint16_t)gregs[REG_CSGSFS];
    out->seg[SEG_SS] = (uint16_t)((uint64_t)gregs[REG_CSGSFS] >> 48);
    if (stub->media && context->uc_mcontext.fpregs)
        memcpy(out->fx, context->uc_mcontext.fpregs, sizeof(out->fx));
}

static void signal_taken(int number, siginfo_t *info, void *opaque)
{
    const ucontext_t *context = opaque;
    void (*leave)(void);
    const uint8_t *code = stub_at(stub_leave);

    (void)number, (void)info;
    take_registers(&current->out, context);
    current->vector = (uint8_t)context->uc_mcontext.gregs[REG_TRAPNO];
    current->error = (uint32_t)context->uc_mcontext.gregs[REG_ERR];
    current->cr2 = (uint64_t)context->uc_mcontext.gregs[REG_CR2];
    memcpy(&leave, &code, sizeof(leave));
    leave(); /* does not come back: the stack is stub_enter's from here */
}

static bool map_fixed(uint32_t address, size_t bytes, int protection, int fill)
{
    void *want = (void *)(uintptr_t)address;
    void *got = mmap(want, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);

    if (got != want)
        return false;
    memset(got, fill, bytes);
    return mprotect(got, bytes, protection) == 0;
}

/* Code is readable and executable for the cases, and writable elsewhere for the child. */
static bool map_code(void)
{
    void *want = (void *)(uintptr_t)CODE_FIRST, *got;
    int file = memfd_create("silicon", MFD_CLOEXEC);

    if (file < 0 || ftruncate(file, CODE_ALL) != 0)
        return false;
    code_alias = mmap(NULL, CODE_ALL, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    if (code_alias == MAP_FAILED)
        return false;
    memset(code_alias, FILLER, CODE_ALL);
    got = mmap(want, CODE_ALL, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, file, 0);
    return got == want;
}

static bool child_map(void)
{
    const int data = PROT_READ | PROT_WRITE, code = PROT_READ | PROT_WRITE | PROT_EXEC;
    uint8_t *copy = (uint8_t *)(uintptr_t)STUB_CODE;
    void (*handler)(int, siginfo_t *, void *) = signal_taken;
    size_t size = (size_t)(stub_end - stub_begin);

    if (!map_code() || !map_fixed(STUB_CODE, 4096, code, 0) ||
        !map_fixed(STUB_STATE, 4096, data, 0) || !map_fixed(DATA_FIRST, DATA_LAST - DATA_FIRST, data, 0) ||
        !map_fixed(DATA_READ_ONLY, 4096, PROT_READ, READ_ONLY_BYTE))
        return false;
    memcpy(copy, stub_begin, size);
    for (size_t i = 0; i + 8 <= size; i++)
        if (memcmp(copy + i, "\x88\x77\x66\x55\x44\x33\x22\x11", 8) == 0)
            memcpy(copy + i, &handler, 8);
    return true;
}

static bool child_signals(void)
{
    static const int signals[] = { SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP };
    struct sigaction action = { .sa_flags = SA_NODEFER | SA_ONSTACK | SA_SIGINFO };
    stack_t stack = { .ss_size = ALTERNATE_STACK };
    const uint8_t *entry = stub_at(stub_signal);

    stack.ss_sp = mmap(NULL, ALTERNATE_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) != 0)
        return false;
    memcpy(&action.sa_sigaction, &entry, sizeof(entry));
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            return false;
    return true;
}

/* Behind the code: to the capture code, from 64-bit code by a jump, from 32-bit code by a far one. */
static void put_glue(uint8_t *at, uint64_t address, unsigned bits)
{
    uint64_t capture = (uint64_t)(uintptr_t)stub_at(stub_capture);

    if (bits == 64) {
        int32_t distance = (int32_t)(capture - (address + 5));

        at[0] = 0xE9;
        memcpy(at + 1, &distance, 4);
    } else {
        at[0] = 0xEA;
        memcpy(at + 1, &capture, 4);
        at[5] = SELECTOR_CODE64;
        at[6] = 0;
    }
}

static void window_copy_in(const uint8_t *from)
{
    for (unsigned i = 0; i < WINDOWS; from += windows[i].size, i++)
        memcpy((void *)(uintptr_t)windows[i].address, from, windows[i].size);
}

static void window_copy_out(uint8_t *to)
{
    for (unsigned i = 0; i < WINDOWS; to += windows[i].size, i++)
        memcpy(to, (const void *)(uintptr_t)windows[i].address, windows[i].size);
}

static void stub_load(const struct silicon_case *c)
{
    memcpy(stub->gpr, c->in.gpr, sizeof(stub->gpr));
    memcpy(stub->seg, c->in.seg, sizeof(c->in.seg));
    stub->rflags = c->in.rflags;
    stub->rip = c->in.rip;
    stub->far_offset = (uint32_t)c->in.rip;
    stub->far_selector = c->in.seg[SEG_CS];
    stub->media = c->media;
    stub->segments = c->segments;
    stub->trap = (c->in.rflags & RFLAGS_TF) != 0;
    memcpy(stub->frame, (uint64_t[5]){ c->in.rip, c->in.seg[SEG_CS], c->in.rflags, c->in.gpr[RSP], SELECTOR_DATA },
           sizeof(stub->frame));
    if (c->media)
        memcpy(stub->fx, c->in.fx, sizeof(stub->fx));
}

/* The code came out at its end. */
static void take_captured(const struct silicon_case *c, struct silicon_result *result)
{
    memcpy(result->out.gpr, stub->out_gpr, sizeof(stub->out_gpr));
    result->out.rflags = stub->out_rflags;
    result->out.rip = c->in.rip + c->size;
    result->out.seg[SEG_CS] = c->in.seg[SEG_CS];
    result->out.seg[SEG_SS] = stub->out_seg[SEG_SS];
    if (c->media)
        memcpy(result->out.fx, stub->out_fx, sizeof(result->out.fx));
}

/*
 * Where the native processor went on and met filler, or a page that it cannot execute, the case itself was
 * done: it retired to that address. (The model stops there.)
 */
static void normalize(const struct silicon_case *c, struct silicon_result *result)
{
    uint64_t rip = result->out.rip, start = c->in.rip;
    bool inside = rip > start && rip <= start + c->size;

    if (result->vector == EXC_BP && !inside && rip > CODE_FIRST && rip <= CODE_LAST) {
        result->vector = RETIRED;
        result->out.rip--;
    } else if (result->vector == EXC_PF && (result->error & 0x10) && result->cr2 == rip &&
               (rip < start || rip >= start + c->size)) {
        result->vector = RETIRED;
    }
    if (result->vector == RETIRED)
        result->out.rflags &= ~RFLAGS_RF; /* of the filler's exception */
}

static void run_case(const struct silicon_case *c, struct silicon_result *result)
{
    uint8_t *code = code_alias + (c->in.rip - CODE_FIRST);
    size_t room = CODE_LAST - c->in.rip, size = c->size < room ? c->size : room;
    bool glue = c->size + (size_t)GLUE_BYTES <= room;
    const uint8_t *entry = stub_at(stub_enter);
    void (*enter)(void);

    window_copy_in(c->window);
    memcpy(code, c->code, size);
    if (glue)
        put_glue(code + c->size, c->in.rip + c->size, c->bits);
    stub_load(c);
    memset(result, 0, offsetof(struct silicon_result, window));
    result->vector = RETIRED;
    result->error = 0;
    result->cr2 = 0;
    result->died = false;
    current = result;
    stub->out_rflags = 0;
    memcpy(&enter, &entry, sizeof(enter));
    enter();
    if (result->vector == RETIRED)
        take_captured(c, result);
    result->out.seg[SEG_ES] = stub->out_seg[SEG_ES];
    result->out.seg[SEG_DS] = stub->out_seg[SEG_DS];
    result->out.seg[SEG_FS] = stub->out_seg[SEG_FS];
    result->out.seg[SEG_GS] = stub->out_seg[SEG_GS];
    normalize(c, result);
    window_copy_out(result->window);
    memset(code, FILLER, glue ? size + GLUE_BYTES : room);
}

static void child_loop(struct native *native, int socket)
{
    uint32_t count;

    stub->fsgsbase = native->processor->fsgsbase;
    stub->fs_base = native->processor->fs_base;
    stub->gs_base = native->processor->gs_base;
    stub->case_fs_base = CASE_FS_BASE;
    stub->case_gs_base = CASE_GS_BASE;
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(SELECTOR_DATA));
    while (read(socket, &count, sizeof(count)) == sizeof(count)) {
        for (uint32_t i = 0; i < count; i++) {
            native->ring->at = i;
            run_case(&native->ring->cases[i], &native->ring->results[i]);
        }
        if (write(socket, &count, sizeof(count)) != sizeof(count))
            break;
    }
    _exit(0);
}

/* ---- In the parent ----------------------------------------------------------------------------------------- */

static void child_end(struct native *native)
{
    if (native->child <= 0)
        return;
    kill(native->child, SIGKILL);
    waitpid(native->child, NULL, 0);
    close(native->socket);
    native->child = 0;
}

static bool child_start(struct native *native)
{
    int pair[2];
    uint32_t ready;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    native->child = fork();
    if (native->child == 0) {
        close(pair[0]);
        ready = child_map() && child_signals();
        if (!ready || write(pair[1], &ready, sizeof(ready)) != sizeof(ready))
            _exit(1);
        child_loop(native, pair[1]);
    }
    close(pair[1]);
    native->socket = pair[0];
    return native->child > 0 && read(native->socket, &ready, sizeof(ready)) == sizeof(ready);
}

struct native *native_new(const struct native_processor *processor, const char **why)
{
    struct native *native = calloc(1, sizeof(*native));

    native->processor = processor;
    native->ring = mmap(NULL, sizeof(struct ring), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (native->ring != MAP_FAILED && child_start(native))
        return native;
    *why = "no executable memory at fixed low addresses";
    child_end(native);
    free(native);
    return NULL;
}

void native_free(struct native *native)
{
    child_end(native);
    munmap(native->ring, sizeof(struct ring));
    free(native);
}

struct silicon_case *native_cases(struct native *native)
{
    return native->ring->cases;
}

struct silicon_result *native_results(struct native *native)
{
    return native->ring->results;
}

/* true: the child has answered. */
static bool wait_answer(struct native *native)
{
    struct pollfd ready = { .fd = native->socket, .events = POLLIN };
    uint32_t answer;

    return poll(&ready, 1, HANG_MILLISECONDS) == 1 && read(native->socket, &answer, sizeof(answer)) == sizeof(answer);
}

/* false: no child could be had. After a death the rest of the ring is run by a new one. */
bool native_run(struct native *native, unsigned count)
{
    uint32_t done = 0, rest = count;

    while (rest > 0) {
        if (write(native->socket, &rest, sizeof(rest)) == sizeof(rest) && wait_answer(native))
            return true;
        child_end(native);
        done = native->ring->at;
        native->ring->results[done].died = true;
        if (!child_start(native))
            return false;
        /* Cases before the fatal one are done; run the ones after it alone, moved to the front for a moment. */
        rest = count - done - 1;
        if (rest > 0) {
            struct silicon_case *cases = native->ring->cases;
            struct silicon_result *results = native->ring->results;
            struct silicon_case *saved_cases = malloc(sizeof(*cases) * (done + 1));
            struct silicon_result *saved_results = malloc(sizeof(*results) * (done + 1));
            bool good;

            memcpy(saved_cases, cases, sizeof(*cases) * (done + 1));
            memcpy(saved_results, results, sizeof(*results) * (done + 1));
            memmove(cases, cases + done + 1, sizeof(*cases) * rest);
            good = native_run(native, rest);
            memmove(cases + done + 1, cases, sizeof(*cases) * rest);
            memmove(results + done + 1, results, sizeof(*results) * rest);
            memcpy(cases, saved_cases, sizeof(*cases) * (done + 1));
            memcpy(results, saved_results, sizeof(*results) * (done + 1));
            free(saved_cases);
            free(saved_results);
            return good;
        }
    }
    return true;
}
