/* SPDX-License-Identifier: MIT */
#include "hv/vm/task_switch.h"

#include "hv/core/text.h"

#define EXC_TS 10
#define EXC_NP 11
#define EXC_SS 12
#define EXC_GP 13

#define SELECTOR_RPL 3u
#define SELECTOR_TI 4u
#define DESCRIPTOR_BYTES 8u
#define ACCESS_BYTE 5u  /* of a descriptor: P, DPL, S, type */
/* Attributes as a VMCB has them: descriptor bits 47:40 and 55:52. */
#define ATTR_ACCESSED 0x001u
#define ATTR_WRITABLE 0x002u /* of data; of code: readable */
#define ATTR_CONFORMING 0x004u
#define ATTR_CODE 0x008u
#define ATTR_SEGMENT 0x010u
#define ATTR_PRESENT 0x080u
#define ATTR_BIG 0x400u
#define ATTR_GRANULAR 0x800u
#define ATTR_V86 0x0F3u
#define TYPE_MASK 0x1Fu      /* with S */
#define TYPE_LDT 0x02u
#define TYPE_TSS16 0x01u
#define TYPE_BUSY 0x02u
#define TYPE_WIDE 0x08u

#define EFLAGS_NT 0x4000u
#define EFLAGS_VM 0x20000u
#define EFLAGS_LOADED32 0x3F7FD5u /* every flag there is; a 16-bit TSS has the lower half */
#define EFLAGS_FIXED 2u
#define DR6_BT 0x8000u
#define DR7_LOCAL 0x155u     /* L0-L3, LE */
#define GPR_ESP 4

/* APM2 12.2.4: the TSS of 16 and of 32 bits. */
struct layout {
    unsigned bytes, size, saved, saved_bytes, segments; /* size: of a field; saved: EIP to the last selector */
};
static const struct layout layouts[2] = { { 44, 2, 0x0E, 28, 4 }, { 104, 4, 0x20, 64, 6 } };
#define TSS_MAX 104
#define TSS32_CR3 0x1C
#define TSS32_TRAP 0x64

struct image {
    uint32_t cr3, eip, eflags, gpr[8];
    uint16_t selector[SVM_SEGMENTS], ldt;
    bool trap;
};

struct switching {
    const struct task_switch *how;
    const struct task_host *host;
    struct svm_task *task;
    struct task_fault *fault;
    struct vmcb_segment tr;     /* of the new task */
    uint64_t entry;             /* its descriptor's linear address */
    const struct layout *from, *to;
};

struct descriptor {
    uint64_t linear;
    struct vmcb_segment segment;
};

static bool nests(const struct switching *s)
{
    return s->how->cause == TASK_CALL || s->how->cause == TASK_GATE;
}

static const struct layout *layout_of(const struct vmcb_segment *tr)
{
    return &layouts[tr->attributes & TYPE_WIDE ? 1 : 0];
}

/* ---- Faults and memory --------------------------------------------------------------------------------------- */

static enum task_result fail(struct switching *s, unsigned vector, uint32_t code)
{
    *s->fault = (struct task_fault){ .vector = (uint8_t)vector, .code = code };
    return TASK_FAULTED;
}

static uint32_t external(const struct switching *s)
{
    return s->how->external;
}

static uint32_t selector_code(uint16_t selector, uint32_t ext)
{
    return (selector & ~SELECTOR_RPL) | ext;
}

static bool is_null(uint16_t selector)
{
    return !(selector & ~SELECTOR_RPL);
}

static enum task_result reach(struct switching *s, uint64_t linear, void *data, unsigned size, enum task_access access)
{
    return s->host->reach(s->host->ctx, (uint32_t)linear, data, size, access, false, s->fault);
}

static uint32_t get(const uint8_t *bytes, unsigned at, unsigned size)
{
    uint32_t value = 0;

    memcpy(&value, bytes + at, size);
    return value;
}

/* ---- Descriptors (APM2 4.7) ------------------------------------------------------------------------------------ */

static struct vmcb_segment segment_of(uint16_t selector, uint64_t raw)
{
    struct vmcb_segment segment = {
        .selector = selector,
        .attributes = (uint16_t)((raw >> 40 & 0xFF) | (raw >> 44 & 0xF00)),
        .limit = (uint32_t)((raw & 0xFFFF) | (raw >> 32 & 0xF0000)),
        .base = (raw >> 16 & 0xFFFFFF) | (raw >> 32 & 0xFF000000),
    };

    if (segment.attributes & ATTR_GRANULAR)
        segment.limit = segment.limit << 12 | 0xFFF;
    return segment;
}

/* Beyond its table's end, or of an LDT that is not there: `vector`. */
static enum task_result read_descriptor(struct switching *s, uint16_t selector, unsigned vector, uint32_t ext,
                                        struct descriptor *to)
{
    bool local = selector & SELECTOR_TI;
    const struct vmcb_segment *table = local ? &s->task->ldtr : &s->task->gdtr;
    unsigned offset = selector & ~(SELECTOR_RPL | SELECTOR_TI);
    enum task_result result;
    uint64_t raw;

    if ((local && !(table->attributes & ATTR_PRESENT)) || offset + DESCRIPTOR_BYTES - 1 > table->limit)
        return fail(s, vector, selector_code(selector, ext));
    to->linear = (uint32_t)(table->base + offset);
    result = reach(s, to->linear, &raw, sizeof(raw), TASK_READ);
    if (result == TASK_SWITCHED)
        to->segment = segment_of(selector, raw);
    return result;
}

static enum task_result mark_accessed(struct switching *s, struct descriptor *descriptor)
{
    uint8_t access;

    if (descriptor->segment.attributes & ATTR_ACCESSED)
        return TASK_SWITCHED;
    descriptor->segment.attributes |= ATTR_ACCESSED;
    access = (uint8_t)descriptor->segment.attributes;
    return reach(s, descriptor->linear + ACCESS_BYTE, &access, 1, TASK_WRITE);
}

static unsigned dpl_of(const struct vmcb_segment *segment)
{
    return segment->attributes >> 5 & 3;
}

/* ---- The old task: checks, and what cannot fail behind them ------------------------------------------------------ */

/* The processor has checked this before the exit; since then another vCPU may have changed it. */
static enum task_result check_incoming(struct switching *s)
{
    bool iret = s->how->cause == TASK_IRET;
    unsigned vector = iret ? EXC_TS : EXC_GP, expected = iret ? TYPE_TSS16 | TYPE_BUSY : TYPE_TSS16;
    uint32_t code = selector_code(s->how->selector, external(s));
    struct descriptor descriptor;
    enum task_result result;

    if (s->how->selector & SELECTOR_TI || is_null(s->how->selector))
        return fail(s, vector, code);
    result = read_descriptor(s, s->how->selector, vector, external(s), &descriptor);
    if (result != TASK_SWITCHED)
        return result;
    s->tr = descriptor.segment;
    s->entry = descriptor.linear;
    if ((s->tr.attributes & TYPE_MASK & ~TYPE_WIDE) != expected)
        return fail(s, vector, code);
    if (!(s->tr.attributes & ATTR_PRESENT))
        return fail(s, EXC_NP, code);
    s->from = layout_of(&s->task->tr);
    s->to = layout_of(&s->tr);
    if (s->tr.limit < s->to->bytes - 1)
        return fail(s, EXC_TS, code);
    if (s->from->saved + s->from->saved_bytes - 1 > s->task->tr.limit) /* assumed: the state to be saved must fit */
        return fail(s, EXC_TS, selector_code(s->task->tr.selector, external(s)));
    return TASK_SWITCHED;
}

static uint64_t old_entry(const struct switching *s)
{
    return s->task->gdtr.base + (s->task->tr.selector & ~(SELECTOR_RPL | SELECTOR_TI));
}

/* All that will be read and written, in this order, so that a page fault still is the old task's. */
static enum task_result probe(struct switching *s)
{
    const struct {
        bool wanted;
        uint64_t linear;
        unsigned size;
        enum task_access access;
    } rows[] = {
        { true, s->task->tr.base + s->from->saved, s->from->saved_bytes, TASK_MAY_WRITE },
        { true, s->tr.base, s->to->bytes, TASK_MAY_READ },
        { nests(s), s->tr.base, 2, TASK_MAY_WRITE },
        { !nests(s), old_entry(s) + ACCESS_BYTE, 1, TASK_MAY_WRITE },
        { s->how->cause != TASK_IRET, s->entry + ACCESS_BYTE, 1, TASK_MAY_WRITE },
    };
    enum task_result result = TASK_SWITCHED;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]) && result == TASK_SWITCHED; i++)
        if (rows[i].wanted)
            result = reach(s, rows[i].linear, NULL, rows[i].size, rows[i].access);
    return result;
}

static enum task_result save_old(struct switching *s)
{
    uint8_t bytes[TSS_MAX] = { 0 };
    unsigned size = s->from->size, at = 2 * size;
    uint32_t eflags = s->how->cause == TASK_IRET ? s->how->eflags & ~EFLAGS_NT : s->how->eflags;

    memcpy(bytes, &s->how->eip, size);
    memcpy(bytes + size, &eflags, size);
    for (unsigned i = 0; i < 8; i++, at += size)
        memcpy(bytes + at, &s->task->gpr[i], size);
    for (unsigned i = 0; i < s->from->segments; i++, at += size) /* the upper words of a 32-bit TSS become 0 */
        memcpy(bytes + at, &s->task->segment[i].selector, 2);
    return reach(s, s->task->tr.base + s->from->saved, bytes, s->from->saved_bytes, TASK_WRITE);
}

static enum task_result put_busy(struct switching *s, uint64_t entry, bool busy)
{
    enum task_result result;
    uint8_t access;

    result = reach(s, entry + ACCESS_BYTE, &access, 1, TASK_READ);
    access = (uint8_t)(busy ? access | TYPE_BUSY : access & ~TYPE_BUSY);
    return result == TASK_SWITCHED ? reach(s, entry + ACCESS_BYTE, &access, 1, TASK_WRITE) : result;
}

static void decode_image(const uint8_t *bytes, const struct layout *layout, struct image *to)
{
    unsigned size = layout->size, at = layout->saved + 2 * size;

    *to = (struct image){ .eip = get(bytes, layout->saved, size), .eflags = get(bytes, layout->saved + size, size) };
    for (unsigned i = 0; i < 8; i++, at += size)
        to->gpr[i] = get(bytes, at, size);
    for (unsigned i = 0; i < layout->segments; i++, at += size) /* a 16-bit TSS has no FS and GS: null */
        to->selector[i] = (uint16_t)get(bytes, at, 2);
    to->ldt = (uint16_t)get(bytes, at, 2);
    if (size == 4) {
        to->cr3 = get(bytes, TSS32_CR3, 4);
        to->trap = bytes[TSS32_TRAP] & 1;
    }
}

/* Written where `probe` has been: what another vCPU takes away in between is lost to the guest, and to it alone. */
static enum task_result commit_memory(struct switching *s, struct image *image)
{
    uint8_t bytes[TSS_MAX];
    enum task_result result = save_old(s);

    if (result == TASK_SWITCHED && !nests(s))
        result = put_busy(s, old_entry(s), false);
    if (result == TASK_SWITCHED && s->how->cause != TASK_IRET)
        result = put_busy(s, s->entry, true);
    if (result == TASK_SWITCHED && nests(s))
        result = reach(s, s->tr.base, &s->task->tr.selector, 2, TASK_WRITE);
    if (result == TASK_SWITCHED)
        result = reach(s, s->tr.base, bytes, s->to->bytes, TASK_READ);
    if (result == TASK_SWITCHED)
        decode_image(bytes, s->to, image);
    return result;
}

/* ---- The new task ------------------------------------------------------------------------------------------------ */

/* Until they have been checked the segments are null, but the selectors are there to be saved. */
static void load_registers(struct switching *s, const struct image *image)
{
    struct svm_task *task = s->task;

    memcpy(task->gpr, image->gpr, sizeof(task->gpr)); /* assumed: a 16-bit TSS clears the upper halves */
    task->eip = image->eip;
    task->eflags = (image->eflags & EFLAGS_LOADED32) | (nests(s) ? EFLAGS_NT : 0) | EFLAGS_FIXED;
    for (unsigned i = 0; i < SVM_SEGMENTS; i++)
        task->segment[i] = (struct vmcb_segment){ .selector = image->selector[i] };
    task->ldtr = (struct vmcb_segment){ .selector = image->ldt };
    task->tr = s->tr;
    task->tr.attributes |= TYPE_BUSY;
    task->dr7 &= ~(uint64_t)DR7_LOCAL;
    task->cpl = task->eflags & EFLAGS_VM ? 3 : (uint8_t)(image->selector[SVM_CS] & SELECTOR_RPL);
}

static enum task_result load_ldt(struct switching *s)
{
    uint16_t selector = s->task->ldtr.selector;
    uint32_t code = selector_code(selector, 0);
    struct descriptor descriptor;
    enum task_result result;

    if (is_null(selector))
        return TASK_SWITCHED;
    if (selector & SELECTOR_TI)
        return fail(s, EXC_TS, code);
    result = read_descriptor(s, selector, EXC_TS, 0, &descriptor);
    if (result != TASK_SWITCHED)
        return result;
    if ((descriptor.segment.attributes & TYPE_MASK) != TYPE_LDT || !(descriptor.segment.attributes & ATTR_PRESENT))
        return fail(s, EXC_TS, code);
    s->task->ldtr = descriptor.segment;
    return TASK_SWITCHED;
}

static bool code_fits(const struct vmcb_segment *segment, unsigned rpl)
{
    unsigned a = segment->attributes;

    if ((a & (ATTR_SEGMENT | ATTR_CODE)) != (ATTR_SEGMENT | ATTR_CODE))
        return false;
    return a & ATTR_CONFORMING ? dpl_of(segment) <= rpl : dpl_of(segment) == rpl;
}

static bool stack_fits(const struct vmcb_segment *segment, unsigned rpl, unsigned cpl)
{
    return (segment->attributes & (ATTR_SEGMENT | ATTR_CODE | ATTR_WRITABLE)) == (ATTR_SEGMENT | ATTR_WRITABLE) &&
           rpl == cpl && dpl_of(segment) == cpl;
}

static bool data_fits(const struct vmcb_segment *segment, unsigned rpl, unsigned cpl)
{
    unsigned a = segment->attributes;

    if (!(a & ATTR_SEGMENT) || (a & (ATTR_CODE | ATTR_WRITABLE)) == ATTR_CODE)
        return false;
    if ((a & (ATTR_CODE | ATTR_CONFORMING)) == (ATTR_CODE | ATTR_CONFORMING))
        return true;
    return dpl_of(segment) >= (rpl > cpl ? rpl : cpl);
}

static enum task_result load_segment(struct switching *s, enum svm_segment which)
{
    struct vmcb_segment *to = &s->task->segment[which];
    unsigned rpl = to->selector & SELECTOR_RPL, cpl = s->task->cpl;
    uint32_t code = selector_code(to->selector, 0);
    struct descriptor descriptor;
    enum task_result result;
    bool fits;

    if (is_null(to->selector))
        return which == SVM_CS || which == SVM_SS ? fail(s, EXC_TS, 0) : TASK_SWITCHED;
    result = read_descriptor(s, to->selector, EXC_TS, 0, &descriptor);
    if (result != TASK_SWITCHED)
        return result;
    fits = which == SVM_CS   ? code_fits(&descriptor.segment, rpl)
           : which == SVM_SS ? stack_fits(&descriptor.segment, rpl, cpl)
                             : data_fits(&descriptor.segment, rpl, cpl);
    if (!fits)
        return fail(s, EXC_TS, code);
    if (!(descriptor.segment.attributes & ATTR_PRESENT))
        return fail(s, which == SVM_SS ? EXC_SS : EXC_NP, code);
    result = mark_accessed(s, &descriptor);
    if (result == TASK_SWITCHED)
        *to = descriptor.segment;
    return result;
}

static enum task_result load_segments(struct switching *s)
{
    static const uint8_t order[SVM_SEGMENTS] = { SVM_CS, SVM_SS, SVM_DS, SVM_ES, SVM_FS, SVM_GS };
    enum task_result result = load_ldt(s);

    if (result == TASK_SWITCHED && s->task->eflags & EFLAGS_VM) {
        for (unsigned i = 0; i < SVM_SEGMENTS; i++) {
            struct vmcb_segment *to = &s->task->segment[i];

            *to = (struct vmcb_segment){ to->selector, ATTR_V86, 0xFFFF, (uint64_t)to->selector << 4 };
        }
        return result;
    }
    for (unsigned i = 0; i < SVM_SEGMENTS && result == TASK_SWITCHED; i++)
        result = load_segment(s, order[i]);
    if (result == TASK_SWITCHED && s->task->eip > s->task->segment[SVM_CS].limit)
        return fail(s, EXC_GP, 0);
    return result;
}

/* Offsets below its end, or, of a segment that grows down, above its limit (APM2 4.7.2). */
static bool stack_reaches(const struct vmcb_segment *ss, uint32_t first, uint32_t last)
{
    bool down = !(ss->attributes & ATTR_CODE) && ss->attributes & ATTR_CONFORMING; /* of data: expand-down */

    if (first > last)
        return false;
    return down ? first > ss->limit && (ss->attributes & ATTR_BIG || last <= 0xFFFF) : last <= ss->limit;
}

/* The error code goes to the new task's stack, in the width of its TSS. */
static enum task_result push_error(struct switching *s)
{
    const struct vmcb_segment *ss = &s->task->segment[SVM_SS];
    uint32_t mask = ss->attributes & ATTR_BIG ? UINT32_MAX : 0xFFFF, error = s->how->error;
    uint32_t sp = (s->task->gpr[GPR_ESP] - s->to->size) & mask;
    enum task_result result;

    if (!s->how->has_error)
        return TASK_SWITCHED;
    if (!stack_reaches(ss, sp, sp + s->to->size - 1))
        return fail(s, EXC_SS, 0);
    result = s->host->reach(s->host->ctx, (uint32_t)(ss->base + sp), &error, s->to->size, TASK_WRITE,
                            s->task->cpl == 3, s->fault);
    if (result == TASK_SWITCHED)
        s->task->gpr[GPR_ESP] = (s->task->gpr[GPR_ESP] & ~mask) | sp;
    return result;
}

enum task_result task_switch(const struct task_switch *how, const struct task_host *host, struct svm_task *task,
                             bool *committed, struct task_fault *fault)
{
    struct switching s = { .how = how, .host = host, .task = task, .fault = fault };
    enum task_result result;
    struct image image;

    *committed = false;
    result = check_incoming(&s);
    if (result == TASK_SWITCHED)
        result = probe(&s);
    if (result == TASK_SWITCHED)
        result = commit_memory(&s, &image);
    if (result != TASK_SWITCHED)
        return result;
    *committed = true;
    load_registers(&s, &image);
    if (!host->load(host->ctx, s.to->size == 4 ? &image.cr3 : NULL))
        return fail(&s, EXC_GP, 0);
    result = load_segments(&s);
    if (result == TASK_SWITCHED)
        result = push_error(&s);
    if (result != TASK_SWITCHED || !image.trap)
        return result;
    task->dr6 |= DR6_BT;
    return TASK_TRAPPED;
}
