/* SPDX-License-Identifier: MIT */
/*
 * The guest tests tasks and task-faults (workloads/tests) hold hv's task switches against the bare machine's, row by
 * row; here is what they cannot bring about: faults at every access, paging that refuses, tables of noise.
 */
#include "hv/vm/task_switch.h"

#include <string.h>

#include "sim/unit_test.h"

#define RAM_BYTES 0x8000u
#define GDT 0x1000u
#define OLD_TSS 0x2000u
#define NEW_TSS 0x3000u
#define STACK 0x5000u
#define CODE 0x08
#define DATA 0x10
#define OLD 0x18
#define NEW 0x20
#define DOWN 0x28 /* data that grows down, above 4000h */
#define NOWHERE UINT64_MAX
#define EFLAGS_NT 0x4000u
#define CR3 0x12345000u

struct machine {
    uint8_t ram[RAM_BYTES];
    struct svm_task task;
    uint64_t bad;          /* an access there is #PF */
    uint32_t cr3;
    unsigned loads;
    bool refuses;          /* load fails */
};

static enum task_result reach(void *ctx, uint64_t linear, void *data, unsigned size, enum task_access access, bool user,
                              struct task_fault *fault)
{
    struct machine *m = ctx;

    ck_assert(!user || m->task.cpl == 3);
    if (m->bad >= linear && m->bad < linear + size) {
        *fault = (struct task_fault){ .vector = 14, .linear = m->bad };
        return TASK_FAULTED;
    }
    if (linear >= RAM_BYTES || size > RAM_BYTES - linear)
        return TASK_CANNOT;
    if (access == TASK_READ)
        memcpy(data, m->ram + linear, size);
    if (access == TASK_WRITE)
        memcpy(m->ram + linear, data, size);
    return TASK_SWITCHED;
}

static bool load(void *ctx, const uint32_t *cr3)
{
    struct machine *m = ctx;

    m->loads++;
    if (cr3)
        m->cr3 = *cr3;
    return !m->refuses;
}

static void put(struct machine *m, unsigned at, uint64_t value, unsigned size)
{
    memcpy(m->ram + at, &value, size);
}

static uint64_t at(const struct machine *m, unsigned where, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, m->ram + where, size);
    return value;
}

static void begin(struct machine *m)
{
    *m = (struct machine){ .bad = NOWHERE, .task = { .eflags = 0x202, .dr7 = 0x7FF } };
    put(m, GDT + CODE, 0x00CF9B000000FFFF, 8);
    put(m, GDT + DATA, 0x00CF93000000FFFF, 8);
    put(m, GDT + OLD, 0x00008B0020000067, 8);
    put(m, GDT + NEW, 0x0000890030000067, 8);
    put(m, GDT + DOWN, 0x0040970000003FFF, 8);
    m->task.gdtr = (struct vmcb_segment){ .limit = 0x2F, .base = GDT };
    m->task.tr = (struct vmcb_segment){ OLD, 0x08B, 0x67, OLD_TSS };
    for (unsigned i = 0; i < 8; i++) {
        m->task.gpr[i] = 0xA0 + i;
        put(m, NEW_TSS + 0x28 + 4 * i, i == 4 ? STACK : 0xB0 + i, 4);
    }
    put(m, NEW_TSS + 0x1C, CR3, 4);
    put(m, NEW_TSS + 0x20, 0x6000, 4);
    put(m, NEW_TSS + 0x24, 0x202, 4);
    for (unsigned i = 0; i < 6; i++)
        put(m, NEW_TSS + 0x48 + 4 * i, i == 1 ? CODE : DATA, 4);
}

static enum task_result go(struct machine *m, const struct task_switch *how, bool *committed, struct task_fault *fault)
{
    struct task_host host = { m, reach, load };

    return task_switch(how, &host, &m->task, committed, fault);
}

START_TEST(a_call_and_its_iret)
{
    struct task_switch call = { TASK_CALL, NEW, 0x7007, 0x202, false, false, 0 };
    struct task_switch iret = { TASK_IRET, OLD, 0x6001, 0x202 | EFLAGS_NT, false, false, 0 };
    struct task_fault fault;
    struct machine m;
    bool committed;

    begin(&m);
    put(&m, OLD_TSS + 0x1C, 0x1000, 4);
    for (unsigned i = 0; i < 6; i++)
        m.task.segment[i] = (struct vmcb_segment){ i == 1 ? CODE : DATA, 0xC93, UINT32_MAX, 0 };
    ck_assert_int_eq(go(&m, &call, &committed, &fault), TASK_SWITCHED);
    ck_assert(committed);
    ck_assert_uint_eq(m.task.eip, 0x6000);
    ck_assert_uint_eq(m.task.gpr[7], 0xB7);
    ck_assert_uint_eq(m.task.eflags, 0x202 | EFLAGS_NT);
    ck_assert_uint_eq(m.task.dr7, 0x6AA); /* L0-L3 and LE are gone */
    ck_assert_uint_eq(m.cr3, CR3);
    ck_assert_uint_eq(at(&m, NEW_TSS, 2), OLD);
    ck_assert_uint_eq(at(&m, GDT + OLD + 5, 1), 0x8B);
    ck_assert_uint_eq(at(&m, GDT + NEW + 5, 1), 0x8B);
    ck_assert_int_eq(go(&m, &iret, &committed, &fault), TASK_SWITCHED);
    ck_assert_uint_eq(m.task.eip, 0x7007);
    ck_assert_uint_eq(m.task.gpr[7], 0xA7);
    ck_assert_uint_eq(m.task.eflags, 0x202);
    ck_assert_uint_eq(at(&m, NEW_TSS + 0x24, 4), 0x202); /* NT is not saved */
    ck_assert_uint_eq(at(&m, GDT + NEW + 5, 1), 0x89);
}
END_TEST

/* Whatever cannot be reached before the commit, nothing has changed; behind it the fault is the new task's. */
START_TEST(a_fault_at_any_access)
{
    static const struct { uint64_t bad; bool committed; } rows[] = {
        { GDT + NEW, false }, { OLD_TSS + 0x20, false }, { OLD_TSS + 0x5F, false }, { NEW_TSS, false },
        { NEW_TSS + 0x67, false }, { GDT + NEW + 5, false }, { GDT + CODE, true }, { GDT + DATA, true },
        { STACK - 4, true },
    };
    struct task_switch how = { TASK_GATE, NEW, 0x7007, 0x10202, true, true, 0xE };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct machine m, before;
        struct task_fault fault;
        bool committed;

        begin(&m);
        m.bad = rows[i].bad;
        before = m;
        ck_assert_int_eq(go(&m, &how, &committed, &fault), TASK_FAULTED);
        ck_assert_uint_eq(fault.vector, 14);
        ck_assert_uint_eq(fault.linear, rows[i].bad);
        ck_assert_msg(committed == rows[i].committed, "%x", (unsigned)rows[i].bad);
        if (!committed)
            ck_assert_int_eq(memcmp(&m, &before, sizeof(m)), 0);
        else
            ck_assert_uint_eq(m.task.eip, 0x6000);
    }
}
END_TEST

START_TEST(paging_that_refuses_is_gp_of_the_new_task)
{
    struct task_switch how = { TASK_JUMP, NEW, 0x7007, 0x202, false, false, 0 };
    struct task_fault fault;
    struct machine m;
    bool committed;

    begin(&m);
    m.refuses = true;
    ck_assert_int_eq(go(&m, &how, &committed, &fault), TASK_FAULTED);
    ck_assert(committed);
    ck_assert_uint_eq(fault.vector, 13);
    ck_assert_uint_eq(fault.code, 0);
    ck_assert_uint_eq(m.task.tr.selector, NEW);
    ck_assert_uint_eq(m.task.segment[SVM_CS].attributes, 0); /* not loaded yet */
}
END_TEST

/* APM2 4.7.2: a segment that grows down is what lies above its limit. */
START_TEST(the_error_code_wants_room_on_the_stack)
{
    static const struct { uint16_t ss; uint32_t esp; bool fits; } rows[] = {
        { DATA, STACK, true }, { DATA, 2, false }, { DOWN, 0x4004, true }, { DOWN, 0x4003, false },
    };
    struct task_switch how = { TASK_GATE, NEW, 0x7007, 0x10202, true, true, 0x1234 };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct task_fault fault = { 0 };
        struct machine m;
        bool committed;

        begin(&m);
        put(&m, NEW_TSS + 0x50, rows[i].ss, 2);
        put(&m, NEW_TSS + 0x38, rows[i].esp, 4);
        ck_assert_msg((go(&m, &how, &committed, &fault) == TASK_SWITCHED) == rows[i].fits, "%x", rows[i].esp);
        if (rows[i].fits)
            ck_assert_uint_eq(at(&m, rows[i].esp - 4, 4), 0x1234);
        else
            ck_assert_uint_eq(fault.vector, 12);
    }
}
END_TEST

static uint64_t seed = 1;

static uint64_t noise(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* Descriptors and TSSs that another vCPU changed since the processor checked them, or never were any. */
START_TEST(noise_ends_in_a_switch_a_fault_or_no_memory)
{
    unsigned seen[4] = { 0 };

    for (unsigned i = 0; i < 50000; i++) {
        struct task_switch how = { (enum task_cause)(noise() & 3), NEW, 0x7007, 0x202, noise() & 1, noise() & 1, 0x18 };
        struct machine m, before;
        struct task_fault fault;
        enum task_result result;
        bool committed;

        begin(&m);
        for (unsigned n = noise() & 3; n; n--)
            m.ram[GDT + noise() % 0x30] = (uint8_t)noise();
        for (unsigned n = noise() & 7; n; n--)
            m.ram[NEW_TSS + noise() % 0x68] = (uint8_t)noise();
        m.task.tr.limit = noise() & 1 ? 0x67 : (uint32_t)noise() & 0x7F;
        m.task.gdtr.limit = (uint32_t)noise() & 0x3F;
        before = m;
        result = go(&m, &how, &committed, &fault);
        ck_assert_uint_lt(result, 4);
        seen[result]++;
        if (!committed && result == TASK_FAULTED)
            ck_assert_int_eq(memcmp(&m, &before, sizeof(m)), 0);
        ck_assert(m.task.cpl <= 3);
    }
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_gt(seen[i], 0);
}
END_TEST

UNIT_TESTS("hv task_switch", a_call_and_its_iret, a_fault_at_any_access, paging_that_refuses_is_gp_of_the_new_task,
           the_error_code_wants_room_on_the_stack, noise_ends_in_a_switch_a_fault_or_no_memory)
