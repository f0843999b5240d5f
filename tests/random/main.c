/* SPDX-License-Identifier: MIT */
/*
 * Random instructions by the million: usage: random [--seed N] [--count N] [--machine N] [--compare N] [--progress].
 * One machine after the other (numbered; seed and number give all that it does) goes through many worlds of random
 * code, in ring 0 and as SVM guest, until --count random instructions have retired. One machine in --compare N (1:
 * each) runs on the reference engine too, one in sixteen of those once more: state hash and counters must be the same.
 * --machine N runs that one alone. What the handlers of exceptions and the VMRUN loop retire does not count as random.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/cpu/core.h"
#include "sim/cpu/core_counters.h"
#include "tests/random/code.h"

#define EPISODES 48        /* worlds of one machine */
#define ROUNDS 600         /* of one world: each begins at a random place of the code */
#define INSTRUCTIONS 250   /* of one round, at most */
#define ROUND_PS (10 * PS_PER_US)
#define HANDLER 3          /* instructions of the longest handler, */
#define HANDLER_REAL 5     /* ... of the only one in real mode */
#define EXIT_LOOP 9        /* instructions between #VMEXIT and the next guest instruction */
#define DIFFERENCES 12     /* lines shown */
#define HANG_SECONDS 600   /* so long no machine takes, under any sanitizer */

struct sums {
    uint64_t machines, retired, events, exits, overhead, random, drawn;
    uint64_t units[WORLD_COUNT][2]; /* episodes by world, and whether a guest's */
};

static char hang_message[128];

static void hang(int signal_number)
{
    ssize_t unused = write(STDERR_FILENO, hang_message, strlen(hang_message));

    (void)unused;
    (void)signal_number;
    _exit(1);
}

/* ---- One machine -------------------------------------------------------------------------------------------- */

static void draw_world(struct random_world *world, uint8_t *code, uint64_t *seed, struct sums *sums)
{
    uint64_t roll = next_random(seed);

    world->world = roll >> 8 & 3;
    world->guest = roll >> 16 & 1;
    world->seed = next_random(seed);
    world->code = code;
    world->code_size = CODE_BYTES;
    sums->drawn += random_code(code, CODE_BYTES, world->world, seed);
    sums->units[world->world][world->guest]++;
}

/*
 * FAM10H_RANDOM_TRACE=N: where each round ended, and all state after the one that ended with N instructions retired, to
 * find where two runs part.
 */
static void trace_round(struct machine *machine, const char *dump, enum machine_stop stop)
{
    g_autofree char *hash = machine_hash(machine);
    g_autoptr(GString) text = g_string_new(NULL);

    if (machine_instructions(machine) == g_ascii_strtoull(dump, NULL, 0))
        machine_dump(machine, NULL, text);
    printf("%s# round: %s after %" G_GUINT64_FORMAT ", rip %" PRIx64 ", %s\n", text->str, machine_stop_name(stop),
           machine_instructions(machine), machine_core(machine, 0)->rip, hash);
}

static void run_episode(struct machine *machine, const struct random_world *world, uint64_t *seed)
{
    const char *trace = getenv("FAM10H_RANDOM_TRACE");
    struct core *core = machine_core(machine, 0);

    for (unsigned round = 0; round < ROUNDS; round++) {
        enum machine_stop stop = machine_run(machine, machine_now_ps(machine) + ROUND_PS,
                                             machine_instructions(machine) + INSTRUCTIONS);
        uint64_t rip = random_code_rip(world->world) + next_random(seed) % CODE_BYTES;

        if (trace)
            trace_round(machine, trace, stop);
        if (stop != MACHINE_STOP_INSNS && stop != MACHINE_STOP_TIME)
            return;
        if (!world->guest || core->svm.guest)
            core_set_register(core, "rip", rip);
    }
}

/* What has run a handler, all in all. */
static uint64_t events_of(struct machine *machine)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < machine_core_count(machine); i++) {
        const struct core_counters *count = machine_core(machine, i)->count;

        for (unsigned vector = 0; vector < 32; vector++)
            sum += count->exceptions[vector];
        sum += count->interrupts + count->virtual_interrupts + count->nmis;
    }
    return sum;
}

static void add_exits(void *ctx, const char *name, const struct counter_row *row, uint64_t value)
{
    struct sums *sums = ctx;

    (void)row;
    if (strstr(name, "].svm.exits"))
        sums->exits += value;
}

static GString *run_machine(uint64_t seed, enum engine engine, struct sums *sums)
{
    static uint8_t code[CODE_BYTES];
    struct random_world world = { 0 };
    struct sums now = { 0 };
    struct machine *machine;
    GString *text;

    world.two_cores = next_random(&seed) >> 20 & 1;
    draw_world(&world, code, &seed, &now);
    machine = random_machine(&world, engine);
    for (unsigned episode = 0; episode < EPISODES; episode++) {
        if (episode) {
            draw_world(&world, code, &seed, &now);
            random_machine_enter(machine, &world);
        }
        run_episode(machine, &world, &seed);
        now.overhead += (events_of(machine) - now.events) * (world.world == WORLD_REAL ? HANDLER_REAL : HANDLER);
        now.events = events_of(machine);
    }
    text = random_machine_text(machine);
    counters_each(machine_counters(machine), add_exits, &now);
    now.retired = machine_instructions(machine);
    now.overhead += EXIT_LOOP * now.exits;
    sums->machines++;
    sums->retired += now.retired;
    sums->events += now.events;
    sums->exits += now.exits;
    sums->drawn += now.drawn;
    sums->random += now.retired > now.overhead ? now.retired - now.overhead : 0;
    for (unsigned i = 0; i < 2 * WORLD_COUNT; i++)
        sums->units[i / 2][i % 2] += now.units[i / 2][i % 2];
    machine_free(machine);
    return text;
}

/* ---- All of them -------------------------------------------------------------------------------------------- */

/* The first lines that differ; FAM10H_FUZZ_DUMP adds every register and TLB entry to the texts. */
static void print_differences(const char *a, const char *b)
{
    char **first = g_strsplit(a, "\n", -1), **second = g_strsplit(b, "\n", -1);
    unsigned shown = 0;

    for (size_t i = 0; first[i] && second[i] && shown < DIFFERENCES; i++)
        if (strcmp(first[i], second[i])) {
            printf("# %s | %s\n", first[i], second[i]);
            shown++;
        }
    g_strfreev(first);
    g_strfreev(second);
}

static bool same(const GString *a, const GString *b, const char *what, uint64_t seed, uint64_t number)
{
    if (g_string_equal(a, b))
        return true;
    printf("not ok 1 - seed %" G_GUINT64_FORMAT ", machine %" G_GUINT64_FORMAT ": %s differ\n", seed, number, what);
    print_differences(a->str, b->str);
    return false;
}

/* The machine on the reference engine, and on the fast one again. */
static bool compare_machine(uint64_t seed, uint64_t number, uint64_t own, const GString *fast, bool twice)
{
    struct sums ignored = { 0 };
    GString *reference = run_machine(own, ENGINE_REFERENCE, &ignored);
    bool good = same(reference, fast, "the engines", seed, number);

    g_string_free(reference, TRUE);
    if (good && twice) {
        GString *again = run_machine(own, ENGINE_FAST, &ignored);

        good = same(fast, again, "two runs", seed, number);
        g_string_free(again, TRUE);
    }
    return good;
}

/* Runs machine `number` as often as it is compared; its text goes into the sum. */
static bool check_machine(uint64_t seed, uint64_t number, uint64_t compare, GChecksum *checksum, struct sums *sums)
{
    uint64_t own = seed * UINT64_C(0xD1342543DE82EF95) ^ (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
    GString *fast;
    bool good;

    snprintf(hang_message, sizeof(hang_message), "not ok 1 - seed %llu, machine %llu hangs\n",
             (unsigned long long)seed, (unsigned long long)number);
    alarm(HANG_SECONDS);
    own = own ? own : 1;
    fast = run_machine(own, ENGINE_FAST, sums);
    good = number % compare || compare_machine(seed, number, own, fast, number % (16 * compare) == 0);
    alarm(0);
    g_checksum_update(checksum, (const guchar *)fast->str, (gssize)fast->len);
    g_string_free(fast, TRUE);
    return good;
}

static void print_sums(uint64_t seed, const struct sums *sums, GChecksum *checksum)
{
    static const char *const names[WORLD_COUNT] = { "real", "flat 32-bit", "paged 32-bit", "long" };

    printf("ok 1 - seed %" G_GUINT64_FORMAT ": %" G_GUINT64_FORMAT " random instructions\n", seed, sums->random);
    printf("# %" G_GUINT64_FORMAT " machines, %" G_GUINT64_FORMAT " retired, %" G_GUINT64_FORMAT
           " exceptions and interrupts, %" G_GUINT64_FORMAT " #VMEXITs, %" G_GUINT64_FORMAT " pieces of code drawn\n",
           sums->machines, sums->retired, sums->events, sums->exits, sums->drawn);
    for (unsigned i = 0; i < WORLD_COUNT; i++)
        printf("# %s: %" G_GUINT64_FORMAT " worlds in ring 0, %" G_GUINT64_FORMAT " as guest\n", names[i],
               sums->units[i][0], sums->units[i][1]);
    printf("# SHA-256 of every counter and state hash: %s\n", g_checksum_get_string(checksum));
}

int main(int argc, char **argv)
{
    struct { gint64 seed, count, machine, compare; gboolean progress; } option = { 1, 1000000, -1, 1, FALSE };
    const GOptionEntry entries[] = {
        { "seed", 0, 0, G_OPTION_ARG_INT64, &option.seed, "what everything comes from (1)", "N" },
        { "count", 0, 0, G_OPTION_ARG_INT64, &option.count, "random instructions (1000000)", "N" },
        { "machine", 0, 0, G_OPTION_ARG_INT64, &option.machine, "only this one", "N" },
        { "compare", 0, 0, G_OPTION_ARG_INT64, &option.compare, "every so many-th machine on both engines (1)", "N" },
        { "progress", 0, 0, G_OPTION_ARG_NONE, &option.progress, "each machine's number to stderr", NULL },
        { 0 },
    };
    GOptionContext *context = g_option_context_new(NULL);
    GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA256);
    struct sums sums = { 0 };
    GError *error = NULL;
    bool good = true;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1 || option.compare < 1) {
        fprintf(stderr, "random: %s\n", error ? error->message : "only options are right; --help lists them");
        return 2;
    }
    signal(SIGALRM, hang);
    printf("1..1\n");
    for (guint64 number = option.machine < 0 ? 0 : (guint64)option.machine; good; number++) {
        if (option.progress)
            fprintf(stderr, "machine %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT " so far\n", number, sums.random);
        good = check_machine((uint64_t)option.seed, number, (uint64_t)option.compare, checksum, &sums);
        if (option.machine >= 0 || sums.random >= (uint64_t)option.count)
            break;
    }
    if (good)
        print_sums((uint64_t)option.seed, &sums, checksum);
    g_checksum_free(checksum);
    g_option_context_free(context);
    return good ? 0 : 1;
}
