/* SPDX-License-Identifier: MIT */
#include "hv/vm/guest_spec.h"

#include "hv/core/options.h"
#include "hv/core/text.h"

static void parse_name(struct guest_spec *spec, const char *string, unsigned index)
{
    char *to = spec->name;

    *to++ = 'g';
    if (index >= 10)
        *to++ = (char)('0' + index / 10 % 10);
    *to++ = (char)('0' + index % 10);
    *to = '\0';
    option_text(string, "name", spec->name, sizeof(spec->name)); /* one that is too long leaves the default */
}

static const char *parse_backing(struct guest_spec *spec, const char *string, enum npt_size limit)
{
    static const char *const names[NPT_SIZE_COUNT] = { "4k", "2m", "1g" };
    char text[8] = "2m";

    option_text(string, "backing", text, sizeof(text));
    for (unsigned i = 0; i < NPT_SIZE_COUNT; i++) {
        if (text_equal(text, names[i])) {
            spec->backing = i < limit ? (enum npt_size)i : limit;
            return NULL;
        }
    }
    return "backing= must be 4k, 2m or 1g";
}

static bool read_core(const char **at, unsigned *core)
{
    const char *digits = *at;

    *core = 0;
    for (; **at >= '0' && **at <= '9' && *core < GUEST_CORES_MAX; ++*at)
        *core = *core * 10 + (unsigned)(**at - '0');
    return *at != digits && *core < GUEST_CORES_MAX;
}

/* Bits first..last, both included. */
static uint64_t cores_between(unsigned first, unsigned last)
{
    return (~0ull << first) & (~0ull >> (63 - last));
}

bool guest_spec_cores(const char *list, uint64_t *cores)
{
    *cores = 0;
    if (text_equal(list, "all")) {
        *cores = ~0ull;
        return true;
    }
    for (;; list++) {
        bool without = *list == '^';
        unsigned first, last;

        list += without;
        if (!read_core(&list, &first))
            return false;
        last = first;
        if (*list == '-' && (list++, !read_core(&list, &last) || last < first))
            return false;
        *cores = without ? *cores & ~cores_between(first, last) : *cores | cores_between(first, last);
        if (*list != ',')
            return *list == '\0' && *cores;
    }
}

/* cpus= as xl has it; the 2007 slides print cpu=. */
static const char *parse_cores(struct guest_spec *spec, const char *string)
{
    char text[64] = "all";

    if (!option_text(string, "cpus", text, sizeof(text)))
        option_text(string, "cpu", text, sizeof(text));
    return guest_spec_cores(text, &spec->cores) ? NULL : "cpus= wants a list of cores: 0,2-3,^2 or all";
}

static const char *parse_type(struct guest_spec *spec, const char *string)
{
    char text[8] = "hvm";

    option_text(string, "type", text, sizeof(text));
    spec->type = text_equal(text, "pv") ? GUEST_PV : GUEST_HVM;
    if (spec->type == GUEST_HVM && !text_equal(text, "hvm"))
        return "type= must be hvm or pv";
    if (spec->type == GUEST_PV && spec->start != GUEST_START_IMAGE)
        return "type=pv begins by its own entry: no firmware=, no boot=";
    if (spec->type == GUEST_PV && spec->on_demand)
        return "type=pv wants populate=boot";
    if (spec->type == GUEST_PV && spec->width == 32 && spec->vcpus != 1)
        return "type=pv with width=32 has one vCPU: vcpus=1";
    return NULL;
}

static const char *parse_start(struct guest_spec *spec, const char *string)
{
    bool has_firmware = option_is_given(string, "firmware"), has_boot = option_is_given(string, "boot");
    char firmware[8] = "", boot[8] = "";

    option_text(string, "firmware", firmware, sizeof(firmware));
    option_text(string, "boot", boot, sizeof(boot));
    if (has_firmware && has_boot)
        return "firmware= and boot= are two ways to begin: one of them";
    if (has_firmware && !text_equal(firmware, "bios"))
        return "firmware= must be bios";
    if (has_boot && !text_equal(boot, "a") && !text_equal(boot, "c"))
        return "boot= must be a (floppy disk) or c (hard disk)";
    if (has_firmware)
        spec->start = GUEST_START_FIRMWARE;
    if (has_boot)
        spec->start = text_equal(boot, "a") ? GUEST_START_FLOPPY : GUEST_START_HARD_DISK;
    return NULL;
}

const char *guest_spec_parse(struct guest_spec *spec, const char *string, unsigned index, enum npt_size limit)
{
    char text[8] = "boot";
    const char *wrong;
    uint64_t width, vcpus;
    bool bad = false;

    *spec = (struct guest_spec){ 0 };
    parse_name(spec, string, index);
    wrong = parse_backing(spec, string, limit);
    if (!wrong)
        wrong = parse_cores(spec, string);
    if (!wrong)
        wrong = parse_start(spec, string);
    if (wrong)
        return wrong;
    width = option_size(string, "width", 64, &bad);
    vcpus = option_size(string, "vcpus", 1, &bad);
    spec->memory = option_size(string, "memory", 64ull << 20, &bad);
    if (bad)
        return "width=, vcpus= and memory= want numbers (64, 2, 256M)";
    if (width != 64 && width != 32)
        return "width= must be 64 or 32";
    if (vcpus < 1 || vcpus > GUEST_VCPUS_MAX)
        return "vcpus= must be 1 to 8";
    spec->shadow_memory = option_size(string, "shadow_memory", 0, &bad);
    if (bad || (spec->shadow_memory && spec->shadow_memory < GUEST_SHADOW_MIN))
        return "shadow_memory= must be a size, at least 512K";
    spec->hap = option_flag(string, "hap", true);
    spec->xen = option_flag(string, "xen", true);
    spec->width = (unsigned)width;
    spec->vcpus = (unsigned)vcpus;
    if (spec->memory < GUEST_MEMORY_MIN || spec->memory > GUEST_MEMORY_MAX || spec->memory % 0x1000)
        return "memory= must be whole pages, 4M to 512G";
    option_text(string, "populate", text, sizeof(text));
    spec->on_demand = text_equal(text, "demand");
    if (!spec->on_demand && !text_equal(text, "boot"))
        return "populate= must be boot or demand";
    return parse_type(spec, string);
}
