/* SPDX-License-Identifier: MIT */
#include "workloads/dom0/verbs.h"

#include "hv/abi/guest_calls.h"
#include "hv/abi/xen.h"
#include "hv/core/format.h"
#include "hv/core/options.h"
#include "hv/core/text.h"
#include "workloads/dom0/calls.h"
#include "workloads/dom0/create.h"
#include "workloads/dom0/domains.h"
#include "workloads/dom0/inject.h"
#include "workloads/dom0/mca.h"
#include "workloads/dom0/ras.h"

#define WORDS_MAX 16
#define MIB_PAGES 256
#define NS_PER_SECOND 1000000000ull
#define CORES 64

struct words {
    unsigned count;
    char *word[WORDS_MAX];
};

void say(const char *format, ...)
{
    char line[256];
    va_list args;
    size_t length;

    va_start(args, format);
    length = format_text_va(line, sizeof(line) - 1, format, args);
    va_end(args);
    line[length++] = '\n';
    calls_write(line, length);
}

static bool find(const char *text, uint16_t *domain)
{
    if (domains_find(text, domain))
        return true;
    say("%s: no such domain", text);
    return false;
}

/* Says what was wrong; true: nothing was. */
static bool fine(const char *verb, const char *what, int64_t error)
{
    if (error < 0)
        say("%s %s: %s (%ld)", verb, what, calls_error(error), (long)error);
    return error >= 0;
}

/* ---- Looking --------------------------------------------------------------------------------------------- */

static void info(const struct words *w)
{
    struct sysctl op = { .command = 0 };
    int64_t version = calls_version();

    (void)w;
    if (!fine("info", "", calls_sysctl(SYSCTL_PHYSINFO, &op)))
        return;
    say("nr_cpus                : %u", op.physinfo.nr_cpus);
    say("nr_nodes               : %u", op.physinfo.nr_nodes);
    say("cores_per_socket       : %u", op.physinfo.cores_per_socket);
    say("cpu_mhz                : %u", op.physinfo.cpu_khz / 1000);
    say("hw_caps                : %08x:%08x:%08x:%08x", op.physinfo.hw_cap[0], op.physinfo.hw_cap[1],
        op.physinfo.hw_cap[2], op.physinfo.hw_cap[3]);
    say("virt_caps              : hvm%s", op.physinfo.capabilities & PHYSCAP_HAP ? " hap" : "");
    say("total_memory           : %lu", (unsigned long)(op.physinfo.total_pages / MIB_PAGES));
    say("free_pages             : %lu", (unsigned long)op.physinfo.free_pages);
    say("xen_version            : %lu.%lu", (unsigned long)version >> 16, (unsigned long)version & 0xFFFF);
    say("xen_scheduler          : credit");
}

static void state_text(uint32_t flags, char text[7])
{
    bool crashed = flags & DOMINF_SHUTDOWN && (flags >> DOMINF_REASON_SHIFT & 0xFF) == SHUTDOWN_CRASH;

    text[0] = flags & DOMINF_RUNNING ? 'r' : '-';
    text[1] = flags & DOMINF_BLOCKED ? 'b' : '-';
    text[2] = flags & DOMINF_PAUSED ? 'p' : '-';
    text[3] = flags & DOMINF_SHUTDOWN && !crashed ? 's' : '-';
    text[4] = crashed ? 'c' : '-';
    text[5] = flags & DOMINF_DYING ? 'd' : '-';
    text[6] = '\0';
}

static void list(const struct words *w)
{
    struct domctl_getdomaininfo domain;

    (void)w;
    say("Name                  ID   Mem VCPUs State   Time(s)");
    for (unsigned next = 0; calls_next_domain(next, &domain); next = domain.domain + 1u) {
        char state[7];

        state_text(domain.flags, state);
        say("%-20s %3u %5lu %5u %s %5lu.%lu", domains_name_of(domain.domain), domain.domain,
            (unsigned long)((domain.total_pages + MIB_PAGES - 1) / MIB_PAGES), domain.max_vcpu_id + 1, state,
            (unsigned long)(domain.cpu_time_ns / NS_PER_SECOND),
            (unsigned long)(domain.cpu_time_ns / (NS_PER_SECOND / 10) % 10));
    }
}

/* Cores as xl writes them: 0,2-3; all of them are "all". */
static void cores_text(uint64_t cores, char *to, size_t size)
{
    size_t length = 0;

    to[0] = '\0';
    if (cores == ~0ull)
        format_text(to, size, "all");
    for (unsigned first = 0; cores != ~0ull && first < CORES; first++) {
        unsigned last = first;

        if (!(cores >> first & 1))
            continue;
        while (last + 1 < CORES && cores >> (last + 1) & 1)
            last++;
        length += format_text(to + length, size - length, last > first ? "%s%u-%u" : "%s%u", length ? "," : "", first,
                              last);
        first = last;
    }
}

static uint64_t cores_of(uint16_t domain, unsigned vcpu)
{
    uint64_t cores = 0;
    struct domctl op = { .vcpuaffinity = { .vcpu = vcpu, .flags = AFFINITY_HARD,
                                           .hard = { (uintptr_t)&cores, CORES, 0 } } };

    return calls_domctl(DOMCTL_GETVCPUAFFINITY, domain, &op) ? 0 : cores;
}

static void vcpu_list(const struct words *w)
{
    struct domctl_getdomaininfo domain;
    uint16_t only = 0;

    if (w->count > 1 && !find(w->word[1], &only))
        return;
    say("Name                  ID  VCPU   CPU State   Time(us) Affinity");
    for (unsigned next = only; calls_next_domain(next, &domain); next = domain.domain + 1u) {
        if (w->count > 1 && domain.domain != only)
            return;
        for (unsigned v = 0; v != domain.max_vcpu_id + 1; v++) {
            struct domctl op = { .getvcpuinfo = { .vcpu = v } };
            const struct domctl_getvcpuinfo *vcpu = &op.getvcpuinfo;
            char cores[64];

            if (calls_domctl(DOMCTL_GETVCPUINFO, domain.domain, &op))
                break;
            cores_text(cores_of(domain.domain, v), cores, sizeof(cores));
            say("%-20s %3u %5u %5u %c%c%c %11lu %s", domains_name_of(domain.domain), domain.domain, v, vcpu->cpu,
                vcpu->running ? 'r' : '-', vcpu->blocked ? 'b' : '-', vcpu->online ? '-' : 'p',
                (unsigned long)(vcpu->cpu_time_ns / 1000), cores);
        }
    }
}

/* As far as there is something now: what this prints comes behind it. */
static uint32_t history_end(void)
{
    struct sysctl op = { .readconsole = { .incremental = 1 } };
    char bytes[512];

    do {
        op.readconsole.buffer = (uintptr_t)bytes;
        op.readconsole.count = sizeof(bytes);
    } while (!calls_sysctl(SYSCTL_READCONSOLE, &op) && op.readconsole.count);
    return op.readconsole.index;
}

/* Carriage returns come by themselves. */
static void write_lines(const char *bytes, uint32_t count)
{
    for (uint32_t from = 0, to; from < count; from = to + 1) {
        for (to = from; to < count && bytes[to] != '\r'; to++)
            ;
        calls_write(bytes + from, to - from);
    }
}

static void dmesg(const struct words *w)
{
    struct sysctl op = { .readconsole = { .incremental = 1 } };
    uint32_t end = history_end();
    char bytes[512];

    (void)w;
    while (op.readconsole.index < end) {
        op.readconsole.buffer = (uintptr_t)bytes;
        op.readconsole.count = sizeof(bytes);
        if (calls_sysctl(SYSCTL_READCONSOLE, &op) || !op.readconsole.count)
            return;
        write_lines(bytes, op.readconsole.count);
    }
}

/* ---- Ruling ---------------------------------------------------------------------------------------------- */

static void simple(const struct words *w, uint32_t command)
{
    struct domctl op = { .command = 0 };
    uint16_t domain;

    if (find(w->word[1], &domain))
        fine(w->word[0], w->word[1], calls_domctl(command, domain, &op));
}

static void pause(const struct words *w)
{
    simple(w, DOMCTL_PAUSEDOMAIN);
}

static void unpause(const struct words *w)
{
    simple(w, DOMCTL_UNPAUSEDOMAIN);
}

static void destroy(const struct words *w)
{
    struct domctl op = { .command = 0 };
    uint16_t domain;

    if (find(w->word[1], &domain) && fine("destroy", w->word[1], calls_domctl(DOMCTL_DESTROYDOMAIN, domain, &op)))
        domains_forget(domain);
}

static void shutdown(const struct words *w)
{
    uint16_t domain;

    if (find(w->word[1], &domain))
        fine("shutdown", w->word[1], calls_remote_shutdown(domain, SHUTDOWN_POWEROFF));
}

static void wait(const struct words *w)
{
    struct domctl_getdomaininfo info_now;
    uint16_t domain;
    uint32_t reason;

    if (!find(w->word[1], &domain))
        return;
    for (;;) {
        if (!calls_next_domain(domain, &info_now) || info_now.domain != domain) {
            say("%s: gone", w->word[1]);
            return;
        }
        if (info_now.flags & DOMINF_SHUTDOWN)
            break;
        calls_wait(true);
    }
    reason = info_now.flags >> DOMINF_REASON_SHIFT & 0xFF;
    say("%s: %s", w->word[1], reason == SHUTDOWN_POWEROFF ? "powered off" : reason == SHUTDOWN_CRASH ? "crashed" :
                              reason == SHUTDOWN_REBOOT ? "wants to reboot" : "has ended");
}

static void vcpu_pin(const struct words *w)
{
    uint64_t cores = 0;
    struct domctl op = { .vcpuaffinity = { .flags = AFFINITY_HARD, .hard = { (uintptr_t)&cores, CORES, 0 } } };
    uint16_t domain, vcpu;

    if (!find(w->word[1], &domain))
        return;
    if (!domains_find(w->word[2], &vcpu) || !create_parse_cores(w->word[3], &cores)) {
        say("vcpu-pin: DOMAIN VCPU CORES, as in vcpu-pin 1 0 2-3");
        return;
    }
    op.vcpuaffinity.vcpu = vcpu;
    fine("vcpu-pin", w->word[1], calls_domctl(DOMCTL_SETVCPUAFFINITY, domain, &op));
}

static void sched_credit(const struct words *w)
{
    struct domctl op = { .scheduler_op = { .scheduler = SCHEDULER_CREDIT, .cap = UINT16_MAX } };
    uint16_t domain;
    bool bad = false;

    if (!find(w->word[1], &domain))
        return;
    op.scheduler_op.command = w->count > 2 ? SCHEDOP_PUT_INFO : SCHEDOP_GET_INFO;
    for (unsigned i = 2; i < w->count; i++) {
        op.scheduler_op.weight = (uint16_t)option_size(w->word[i], "weight", op.scheduler_op.weight, &bad);
        op.scheduler_op.cap = (uint16_t)option_size(w->word[i], "cap", op.scheduler_op.cap, &bad);
    }
    if (bad) {
        say("sched-credit: weight= and cap= want numbers");
        return;
    }
    if (fine("sched-credit", w->word[1], calls_domctl(DOMCTL_SCHEDULER_OP, domain, &op)) && w->count == 2)
        say("%s: weight %u cap %u", w->word[1], op.scheduler_op.weight, op.scheduler_op.cap);
}

/* A name of this machine itself. */
static bool is_here(const char *host)
{
    return text_equal(host, "127.0.0.1") || text_equal(host, "localhost");
}

/* [--live] [--node=N] DOMAIN [HOST]; false: not so. Returns where the domain's name stands. */
static unsigned migrate_words(const struct words *w, struct domctl_hv_migrate *op)
{
    unsigned at = 1;
    bool bad = false;

    for (; at < w->count && w->word[at][0] == '-'; at++) {
        if (option_is_given(w->word[at], "--node"))
            op->node = (uint32_t)option_size(w->word[at], "--node", 0, &bad) + 1;
        else if (!text_equal(w->word[at], "--live"))
            return 0;
    }
    if (bad || at >= w->count || w->count > at + 2)
        return 0;
    op->where = w->count > at + 1 && !is_here(w->word[at + 1]) ? MIGRATE_LINK : MIGRATE_HERE;
    return op->where && op->node ? 0 : at;
}

/* There is one link, and one machine at its other end, whatever it is called. */
static void migrate(const struct words *w)
{
    struct domctl op = { .command = 0 };
    unsigned at = migrate_words(w, &op.hv_migrate);
    uint16_t domain;
    int64_t result;

    if (!at) {
        say("migrate: [--live] [--node=N] DOMAIN [127.0.0.1|HOST]: --node is for this machine");
        return;
    }
    if (!find(w->word[at], &domain))
        return;
    result = calls_domctl(DOMCTL_HV_MIGRATE, domain, &op);
    if (result == -XEN_EIO)
        say("migrate %s: %s", w->word[at], op.hv_migrate.reason);
    else if (fine("migrate", w->word[at], result) && op.hv_migrate.where == MIGRATE_HERE) {
        domains_name((uint16_t)op.hv_migrate.new_domain, domains_name_of(domain));
        domains_forget(domain);
        say("%s is domain %u now", domains_name_of((uint16_t)op.hv_migrate.new_domain), op.hv_migrate.new_domain);
    } else if (!result) {
        say("%s is domain %u of %s now", domains_name_of(domain), op.hv_migrate.new_domain, w->word[at + 1]);
        domains_forget(domain);
    }
}

/* By the name of the oldest machine of a pool. */
static void cpuid_mask(const struct words *w)
{
    struct platform_op op = { .command = 0 };
    size_t length = text_length(w->word[1]);

    memcpy(op.hv_mask.name, w->word[1], length < sizeof(op.hv_mask.name) ? length : sizeof(op.hv_mask.name));
    if (fine("cpuid-mask", w->word[1], calls_platform(PLATFORM_HV_CPUID_MASK, &op)))
        say("1.ecx=%08x 1.edx=%08x 80000001.ecx=%08x 80000001.edx=%08x", op.hv_mask.ecx1, op.hv_mask.edx1,
            op.hv_mask.ecx81, op.hv_mask.edx81);
}

static void create(const struct words *w)
{
    create_domain(w->count - 1, w->word + 1);
}

static void mca(const struct words *w)
{
    mca_verb(w->count, w->word);
}

static void mca_policy(const struct words *w)
{
    ras_policy(w->count, w->word);
}

static void page(const struct words *w)
{
    ras_page(w->count, w->word);
}

static void retire_page(const struct words *w)
{
    ras_retire(w->count, w->word);
}

static void core(const struct words *w)
{
    ras_core(w->count, w->word);
}

static void mce_inject(const struct words *w)
{
    inject_error(w->count, w->word);
}

static void mce_cores(const struct words *w)
{
    inject_cores(w->count, w->word);
}

static void mce_fetch(const struct words *w)
{
    inject_fetch(w->count, w->word);
}

static void spare(const struct words *w)
{
    ras_spare(w->count, w->word);
}

static void power_off(const struct words *w)
{
    (void)w;
    calls_power_off();
}

/* ---------------------------------------------------------------------------------------------------------- */

static void help(const struct words *w);

static const struct verb {
    const char *name;
    unsigned words; /* it needs, itself included */
    void (*run)(const struct words *w);
    const char *usage;
} verbs[] = {
    { "core-offline", 2, core, "CORE   its vCPUs go elsewhere" },
    { "core-online", 2, core, "CORE" },
    { "cpuid-mask", 2, cpuid_mask, "NAME   what CPUID reports from now on: fam_0f_rev_c ... fam_10_rev_c" },
    { "create", 2, create, "NAME [WORD=VALUE ...] [-p]   a guest from hv's module of that name; -p: leave it paused" },
    { "destroy", 2, destroy, "DOMAIN" },
    { "dmesg", 1, dmesg, "" },
    { "help", 1, help, "" },
    { "info", 1, info, "" },
    { "list", 1, list, "" },
    { "mca", 1, mca,
      "handlers [event] [trap] | answer [notify] [OPERATION] [dwell=US] | fetch, notify ... (doc/mca.md)" },
    { "mca-policy", 1, mca_policy, "[page=N] [cs=N] [core=N] [hours=N]   corrected errors before something is done" },
    { "mce-cores", 1, mce_cores, "" },
    { "mce-fetch", 1, mce_fetch, "" },
    { "mce-inject", 5, mce_inject, "CORE BANK STATUS ADDR [MCGSTATUS]   hexadecimal" },
    { "migrate", 2, migrate, "[--live] [--node=N] DOMAIN [127.0.0.1|HOST]" },
    { "offline-page", 2, page, "FRAME   hexadecimal; one in use goes when it is freed" },
    { "online-page", 2, page, "FRAME" },
    { "pause", 2, pause, "DOMAIN" },
    { "poweroff", 1, power_off, "" },
    { "query-page", 2, page, "FRAME" },
    { "retire-page", 3, retire_page, "DOMAIN FRAME   its contents go to another frame" },
    { "sched-credit", 2, sched_credit, "DOMAIN [weight=N] [cap=PERCENT]" },
    { "shutdown", 2, shutdown, "DOMAIN" },
    { "spare", 1, spare, "[NODE DCT CS]   the spare rank takes over a chip-select" },
    { "unpause", 2, unpause, "DOMAIN" },
    { "vcpu-list", 1, vcpu_list, "[DOMAIN]" },
    { "vcpu-pin", 4, vcpu_pin, "DOMAIN VCPU CORES" },
    { "wait", 2, wait, "DOMAIN   until it has shut down" },
};

static void help(const struct words *w)
{
    (void)w;
    for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        say("%s %s", verbs[i].name, verbs[i].usage);
}

static void split(char *line, struct words *w)
{
    w->count = 0;
    while (w->count < WORDS_MAX) {
        while (*line == ' ')
            *line++ = '\0';
        if (!*line)
            return;
        w->word[w->count++] = line;
        while (*line && *line != ' ')
            line++;
    }
}

void verbs_run(char *line)
{
    struct words w;

    split(line, &w);
    if (!w.count)
        return;
    for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (!text_equal(verbs[i].name, w.word[0]))
            continue;
        if (w.count < verbs[i].words)
            say("usage: %s %s", verbs[i].name, verbs[i].usage);
        else
            verbs[i].run(&w);
        return;
    }
    say("%s: unknown; help lists what there is", w.word[0]);
}
