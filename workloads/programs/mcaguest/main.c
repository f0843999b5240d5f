/* SPDX-License-Identifier: MIT */
/*
 * mcaguest: a guest that a machine check may hit. It sums a page of known words over and over and says now and then how
 * it is; an error in that page is met by its loads. With a handler it moves off the page and goes on.
 *
 *     driver=0|1    it speaks hypercall 48: registers (0)
 *     handler=0|1   and has a handler of vector 18 (0)
 *     beats=N       ends behind the N-th message (1000000)
 *     quiet=N       says every N-th message alone (1)
 *     page=ADDRESS  HVM: where its page lies (8 MiB)
 *     calls=0|1     makes the calls that hv must refuse to a guest, once, at the start (0)
 *     processes=N   so many take turns, each with a page of its own (1). From two on its handler does not heal: it ends
 *                   the one whose turn it is, as a kernel does to a process that met an error
 *     balloon=0|1   and the ended one's page goes back to hv: paravirtual (0)
 *
 * First it says where its page lies. A message is "beat N traps=T fetch=RESULT moved=0|1". mcaguest.elf is an HVM
 * guest, mcapv.elf a paravirtual one, whose handler is entry 18 of its trap table.
 */
#include "workloads/programs/mcaguest/mcaguest.h"

#include "workloads/lib/guest.h"

#define WORDS 512u        /* of 64 bits: one page */
#define SUMS_PER_BEAT 64u /* about 150 us at 2.3 GHz */
#define WORD(i) ((i) * 0x9E3779B97F4A7C15ull)

static struct process {
    volatile uint64_t *volatile page; /* NULL: it has ended */
} processes[MCAGUEST_PAGES];
static uint32_t count;
static volatile uint32_t turn, traps;
static volatile bool moved;
static const char *volatile fetched = "-";
static struct mca_call in_handler, in_program;

static void fill(volatile uint64_t *to)
{
    for (uint64_t i = 0; i < WORDS; i++)
        to[i] = WORD(i);
}

/* WORD's sum over a page, times 2 to get rid of the halves. */
static bool sum_is_right(volatile uint64_t *page)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < WORDS; i++)
        sum += page[i];
    return 2 * sum == WORDS * (WORDS - 1) * 0x9E3779B97F4A7C15ull;
}

static uint32_t alive(void)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < count; i++)
        n += processes[i].page != NULL;
    return n;
}

/* The page's contents are known, so that it can be made anew elsewhere: self-healing. A process among several ends. */
static void recover(void)
{
    if (count == 1) {
        processes[0].page = mcaguest_spare();
        fill(processes[0].page);
        moved = true;
        return;
    }
    processes[turn].page = NULL;
    guest_print("process %u has ended, %u go on", turn, alive());
}

void mcaguest_trap(void)
{
    const struct mca_bank_v1 *bank;
    int64_t error = mca_fetch(&in_handler, MCA_INTERFACE_V1, MCA_V1_TRAP);

    traps++;
    fetched = mca_result(error, in_handler.fetch_v1.flags);
    bank = error ? NULL : mca_record(&in_handler.fetch_v1.info, MCA_RECORD_BANK);
    guest_print("trap 18: fetch=%s bank=%u status=%lx addr=%lx", fetched, bank ? bank->bank : 0,
                (unsigned long)(bank ? bank->status : 0), (unsigned long)(bank ? bank->addr : 0));
    recover();
}

/* Without a trap there must be nothing to fetch. */
static void beat(uint32_t number, bool driver)
{
    const char *result = "-";

    if (driver) {
        int64_t error = mca_fetch(&in_program, MCA_INTERFACE_V1, MCA_V1_TRAP);

        result = mca_result(error, in_program.fetch_v1.flags);
    }
    guest_print("beat %u traps=%u fetch=%s moved=%u", number, traps, result, moved);
}

/* A turn of each process. What one has summed up when it is ended meanwhile counts no more. */
static void turns(bool balloon)
{
    for (uint32_t i = 0; i < count; i++) {
        volatile uint64_t *page = processes[i].page;
        bool right;

        if (!page)
            continue;
        turn = i;
        right = sum_is_right(page);
        if (!processes[i].page && balloon)
            guest_print("page given back: %u", mcaguest_give_back(page));
        if (!right && processes[i].page)
            guest_fail("mcaguest: the sum is wrong");
    }
}

/* R2, R3 and R6 of doc/mca.md, R1 and R4. */
static void refused_calls(void)
{
    int64_t error = mca_fetch(&in_program, 0x12345678, MCA_V1_TRAP);

    guest_print("R1 fetch=%s", mca_result(error, in_program.fetch_v1.flags));
    error = mca_fetch(&in_program, MCA_INTERFACE_V1, MCA_V1_CORRECTABLE);
    guest_print("R2 fetch=%s", mca_result(error, in_program.fetch_v1.flags));
    error = mca_fetch(&in_program, MCA_INTERFACE_V1, 0x80);
    guest_print("R3 fetch=%s", mca_result(error, in_program.fetch_v1.flags));
    error = mca_fetch(&in_program, MCA_INTERFACE_V1, MCA_V1_TRAP);
    guest_print("R4 fetch=%s", mca_result(error, in_program.fetch_v1.flags));
    error = mca_notify(&in_program, 1, 0, 0, MCA_V1_TRAP);
    guest_print("R6 notify=%s", mca_result(error, in_program.notify_v1.flags));
}

static uint32_t number(const char *name, uint32_t fallback)
{
    bool bad = false;
    uint32_t value = (uint32_t)option_size(guest_options, name, fallback, &bad);

    if (bad)
        guest_fail("mcaguest: %s= wants a number", name);
    return value;
}

void mcaguest_run(void)
{
    bool handler = number("handler", 0), driver = number("driver", 0) || handler;
    bool balloon = number("balloon", 0);
    uint32_t beats = number("beats", 1000000), quiet = number("quiet", 1);

    count = number("processes", 1);
    if (!count || count > MCAGUEST_PAGES)
        guest_fail("mcaguest: processes= wants 1 to %u", MCAGUEST_PAGES);
    for (uint32_t i = 0; i < count; i++) {
        processes[i].page = mcaguest_page(number("page", 0), i);
        fill(processes[i].page);
    }
    guest_print("page at %lx", (unsigned long)(uintptr_t)processes[0].page);
    mcaguest_arm(handler, driver);
    if (number("calls", 0))
        refused_calls();
    for (uint32_t n = 1; n <= beats; n++) {
        for (unsigned i = 0; i < SUMS_PER_BEAT / count; i++)
            turns(balloon);
        if (n % quiet == 0)
            beat(n, driver);
    }
}
