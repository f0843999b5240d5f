/* SPDX-License-Identifier: MIT */
#include "workloads/dom0/create.h"

#include "hv/abi/xen.h"
#include "hv/core/format.h"
#include "hv/core/options.h"
#include "hv/core/text.h"
#include "workloads/dom0/calls.h"
#include "workloads/dom0/domains.h"
#include "workloads/dom0/verbs.h"

#define STRING_MAX 1024
#define VCPUS_MAX 8
#define CORES 64

bool create_parse_cores(const char *list, uint64_t *cores)
{
    *cores = text_equal(list, "all") ? ~0ull : 0;
    if (*cores)
        return true;
    for (;; list++) {
        unsigned bound[2] = { 0, 0 };

        for (unsigned i = 0; i < 2; i++) {
            if (*list < '0' || *list > '9')
                return false;
            for (; *list >= '0' && *list <= '9' && bound[i] < CORES; list++)
                bound[i] = bound[i] * 10 + (unsigned)(*list - '0');
            if (i == 0 && *list == '-')
                list++;
            else if (i == 0) {
                bound[1] = bound[0];
                break;
            }
        }
        if (bound[1] >= CORES || bound[1] < bound[0])
            return false;
        *cores |= (~0ull << bound[0]) & (~0ull >> (CORES - 1 - bound[1]));
        if (*list != ',')
            return *list == '\0';
    }
}

/* The module whose string says name=NAME. */
static bool find_module(const char *name, unsigned *index, char string[STRING_MAX])
{
    char its[DOMAIN_NAME_MAX];

    for (*index = 0; calls_module(*index, string, STRING_MAX / 2); ++*index)
        if (option_text(string, "name", its, sizeof(its)) && text_equal(its, name))
            return true;
    return false;
}

static bool append(char string[STRING_MAX], const char *word)
{
    size_t length = text_length(string);

    return format_text(string + length, STRING_MAX - length, " %s", word) == text_length(word) + 1;
}

static void build(uint16_t domain, unsigned module, const char *string, bool paused)
{
    struct domctl op = { .hv_build = { .module = module, .string_length = (uint32_t)text_length(string),
                                       .string = (uintptr_t)string } };
    char name[DOMAIN_NAME_MAX] = "?";
    int64_t error = calls_domctl(DOMCTL_HV_BUILD, domain, &op);

    if (error) {
        say("create: %s", error == -XEN_EINVAL ? op.hv_build.reason : calls_error(error));
        return;
    }
    option_text(string, "name", name, sizeof(name));
    domains_name(domain, name);
    if (!paused)
        calls_domctl(DOMCTL_UNPAUSEDOMAIN, domain, &op);
    say("%s is domain %u", name, domain);
}

void create_domain(unsigned count, char *const *words)
{
    static char string[STRING_MAX];
    struct domctl op = { .createdomain = { .flags = DOMCTL_CDF_HVM | DOMCTL_CDF_HAP, .max_vcpus = VCPUS_MAX } };
    bool paused = false;
    unsigned module;
    int64_t error;

    if (!find_module(words[0], &module, string)) {
        say("create: hv's loader brought no module with name=%s", words[0]);
        return;
    }
    for (unsigned i = 1; i < count; i++) {
        if (text_equal(words[i], "-p")) {
            paused = true;
        } else if (!append(string, words[i])) {
            say("create: too many words");
            return;
        }
    }
    error = calls_domctl(DOMCTL_CREATEDOMAIN, 0, &op);
    if (error)
        say("create: %s (%ld)", calls_error(error), (long)error);
    else
        build(op.domain, module, string, paused);
}
