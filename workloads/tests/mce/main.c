/* SPDX-License-Identifier: MIT */
/*
 * Machine check on the bare machine (APM2 chapter 9; BKDG10 2.12): the rules of the registers, the
 * exception, and the northbridge's view of bank 4. Where words of memory have been made wrong, also what each kind
 * of access finds.
 *
 * A handler decides by these registers whether it may go on. What they have after an error can be tried only where
 * errors can be made: here by a link CRC error, which the northbridge makes on request (BKDG10 F3x44,
 * GenCrcErrByte0), and by a scenario.
 *
 * The program runs in long mode at CPL 0, with all banks enabled and cleared and CR4.MCE set before an error. A
 * function makes it or touches the word; whether #MC comes is caught, and the status words are compared, but for
 * bank 4's syndrome and ErrCpu and, of an uncorrected error, the kind of access.
 *
 * Registers: MCG_CAP is 106h and read-only; a write of MCi_STATUS that is not 0 is #GP, but allowed with HWCR[18];
 * F3x48 is the lower half of MC4_STATUS; there is no bank 6. Exception: #MC, MC4_STATUS, its upper half in F3x4C,
 * MCIP alone in MCG_STATUS because of PCC. With MC4_CTL clear nothing is raised, and the error is logged with En
 * clear; an enabled one overwrites it and sets Over.
 *
 * With the option `planted` tests/system/mce.lua makes memory wrong, and there are other checks instead. A
 * corrected error raises nothing, gives the right data, and is logged at its word until a store makes the bits
 * right. An uncorrected one raises #MC on a load or a store (bank 3), a fetch (bank 1) and a table walk (bank 2):
 * the bank of the unit that asked and bank 4 both have it, with the word's address where AddrV says so, and MCIP is
 * alone.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/machine_check.h"
#include "workloads/lib/paging64.h"

#define MSR_MCG_CAP 0x179
#define HWCR_MC_STATUS_WR_EN (1u << 18)
#define MC_ADDRV (1ull << 58)
#define WORD_OF(address) ((address) & ~7ull)
#define FAR 0x20000000000ull    /* not mapped by start64.S */
#define MC4_ECC_CORRECTED 0x9400400000080813ull   /* BKDG10 MSR0000_0411, before syndrome and ErrCpu */
#define MC4_ECC_UNCORRECTED 0xB600200000080813ull
#define MC4_FIXED (~(0xFFull << 47 | 0xFFull << 24 | 0xFull << 32)) /* all but syndrome and ErrCpu */

struct msr_access {
    uint32_t msr;
    uint64_t value;
};

static void try_write(void *argument)
{
    const struct msr_access *access = argument;

    msr_write(access->msr, access->value);
}

static struct exception write_msr(uint32_t msr, uint64_t value)
{
    struct msr_access access = { msr, value };

    return exception_try(try_write, &access);
}

/* ---- Registers -------------------------------------------------------------------------------------------------- */

static void registers(void)
{
    check_equal(msr_read(MSR_MCG_CAP), 0x106, "MCG_CAP: six banks and MCG_CTL");
    check_raised(write_msr(MSR_MCG_CAP, 0), EXC_GP, 0, "MCG_CAP is read-only");
    for (unsigned bank = 0; bank < MCA_BANKS; bank++) {
        check_raised(write_msr(MSR_MC_STATUS(bank), 1), EXC_GP, 0, "a non-zero write of MCi_STATUS is #GP");
        check_raised(write_msr(MSR_MC_STATUS(bank), 0), EXC_NONE, 0, "zero is not");
    }
    msr_write(MSR_HWCR, msr_read(MSR_HWCR) | HWCR_MC_STATUS_WR_EN);
    check_raised(write_msr(MSR_MC_STATUS(4), 0x12345678), EXC_NONE, 0, "with HWCR[18] it is written");
    check_equal(nb_read(0x48), 0x12345678, "F3x48 is MC4_STATUS");
    msr_write(MSR_HWCR, msr_read(MSR_HWCR) & ~(uint64_t)HWCR_MC_STATUS_WR_EN);
    msr_write(MSR_MC_STATUS(4), 0);
    check_raised(write_msr(0x418, 0), EXC_GP, 0, "there is no bank 6");
}

/* ---- The exception ---------------------------------------------------------------------------------------------- */

static void make_error(void *argument)
{
    (void)argument;
    machine_check_make();
}

static void exception(void)
{
    struct exception got;

    machine_check_begin();
    got = exception_try(make_error, 0);
    check_raised(got, EXC_MC, 0, "a link CRC error raises #MC");
    check_equal(msr_read(MSR_MC_STATUS(4)), MC4_CRC_ERROR, "MC4_STATUS tells which");
    check_equal(nb_read(0x4C), (uint32_t)(MC4_CRC_ERROR >> 32), "F3x4C is its upper half");
    check_equal(msr_read(MSR_MCG_STATUS), MCG_MCIP, "MCG_STATUS: MCIP alone, because of PCC");
    machine_check_end();
    msr_write(MSR_MC_CTL(4), 0);
    got = exception_try(make_error, 0);
    check_raised(got, EXC_NONE, 0, "with MC4_CTL clear it raises nothing");
    check_equal(msr_read(MSR_MC_STATUS(4)), MC4_CRC_ERROR & ~(1ull << 60), "and is logged with En clear");
    msr_write(MSR_MC_CTL(4), ~0ull);
    got = exception_try(make_error, 0);
    check_raised(got, EXC_MC, 0, "an enabled error after it raises #MC");
    check_equal(msr_read(MSR_MC_STATUS(4)), MC4_CRC_ERROR | 1ull << 62, "overwrites it and sets Over");
    machine_check_end();
}

/* ---- Wrong words of memory ------------------------------------------------------------------------------------- */

uint64_t planted_words[512] __attribute__((aligned(4096)));
enum planted { PLANTED_CE, PLANTED_UE = 8, PLANTED_STORE = 16 };

static volatile uint64_t seen;

static void read_word(void *argument)
{
    seen = *(volatile uint64_t *)argument;
}

static void write_word(void *argument)
{
    *(volatile uint64_t *)argument = 7;
}

void planted_code(void *argument);
__asm__(".text\n.p2align 12\n.globl planted_code\nplanted_code:\nret\n.p2align 12");

static void corrected(void)
{
    uint64_t *word = &planted_words[PLANTED_CE];

    check_raised(exception_try(read_word, word), EXC_NONE, 0, "a corrected error raises nothing");
    check_equal(seen, 0x1122334455667788, "the data are right");
    check_equal(msr_read(MSR_MC_STATUS(4)) & MC4_FIXED, MC4_ECC_CORRECTED, "MC4: corrected DRAM ECC error");
    check_equal(msr_read(MSR_MC_ADDR(4)), (uintptr_t)word, "at the word");
    msr_write(MSR_MC_STATUS(4), 0);
    read_word(word);
    check(msr_read(MSR_MC_STATUS(4)) != 0, "the bits are still wrong");
    *(volatile uint64_t *)word = 1;
    msr_write(MSR_MC_STATUS(4), 0);
    read_word(word);
    check_equal(msr_read(MSR_MC_STATUS(4)), 0, "a store made them right");
}

/* The bank of the unit that asked: UC, En, Val, AddrV as the signature has it. `word` is the lost one. */
static void uncorrected(void (*function)(void *argument), void *argument, const void *word, unsigned bank,
                        uint64_t status, const char *what)
{
    check_raised(exception_try(function, argument), EXC_MC, 0, what);
    check_equal(msr_read(MSR_MC_STATUS(bank)), status, "the unit's bank");
    if (status & MC_ADDRV)
        check_equal(WORD_OF(msr_read(MSR_MC_ADDR(bank))), (uintptr_t)word, "its address is the word's");
    check_equal(msr_read(MSR_MC_STATUS(4)) & MC4_FIXED & ~0xF0ull, MC4_ECC_UNCORRECTED & ~0xF0ull, "and bank 4");
    check_equal(WORD_OF(msr_read(MSR_MC_ADDR(4))), (uintptr_t)word, "with the word's address");
    check_equal(msr_read(MSR_MCG_STATUS), MCG_MCIP, "MCG_STATUS: a processor's uncorrected read has PCC");
    machine_check_end();
}

/* Where the scenario plants: its argument is the page-table entry. */
__attribute__((noinline)) void planted_ready(uintptr_t entry);
void planted_ready(uintptr_t entry)
{
    __asm__ volatile("" : : "D"(entry) : "memory");
}

static void planted(void)
{
    uint64_t *far = paging_entry(FAR, 1), *load = &planted_words[PLANTED_UE], *store = &planted_words[PLANTED_STORE];

    machine_check_begin();
    planted_words[PLANTED_CE] = 0x1122334455667788;
    *far = (uintptr_t)planted_words | PTE_P | PTE_RW;
    planted_ready((uintptr_t)far);
    corrected();
    uncorrected(read_word, load, load, 3, 0xB400000000000833, "a load of a lost word raises #MC");
    uncorrected(write_word, store, store, 3, 0xB400000000000843, "so does a store");
    uncorrected(planted_code, NULL, (const void *)(uintptr_t)planted_code, 1, 0xB000000000000853, "so does a fetch");
    uncorrected(read_word, (void *)(FAR + 8 * PLANTED_CE), far, 2, 0xB400000000000813, "so does a table walk");
}

void guest_main(void)
{
    exceptions_init();
    if (guest_options && *guest_options) {
        planted();
    } else {
        registers();
        exception();
    }
    check_end();
}
