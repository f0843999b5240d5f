/* SPDX-License-Identifier: MIT */
#include "workloads/dom0/domains.h"

#include "hv/abi/xen.h"
#include "hv/core/text.h"

#define NAMES_MAX 64

static struct {
    bool used;
    uint16_t domain;
    char name[DOMAIN_NAME_MAX];
} names[NAMES_MAX];

void domains_name(uint16_t domain, const char *name)
{
    size_t length = text_length(name);

    for (unsigned i = 0; i < NAMES_MAX; i++) {
        if (names[i].used)
            continue;
        if (length >= DOMAIN_NAME_MAX)
            length = DOMAIN_NAME_MAX - 1;
        names[i].used = true;
        names[i].domain = domain;
        memcpy(names[i].name, name, length);
        names[i].name[length] = '\0';
        return;
    }
}

void domains_forget(uint16_t domain)
{
    for (unsigned i = 0; i < NAMES_MAX; i++)
        if (names[i].domain == domain)
            names[i].used = false;
}

const char *domains_name_of(uint16_t domain)
{
    if (domain == DOMID_CONTROL)
        return "Domain-0";
    for (unsigned i = 0; i < NAMES_MAX; i++)
        if (names[i].used && names[i].domain == domain)
            return names[i].name;
    return "?";
}

bool domains_find(const char *text, uint16_t *domain)
{
    unsigned number = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9' && number < DOMID_FIRST_RESERVED; at++)
        number = number * 10 + (unsigned)(*at - '0');
    if (at != text && !*at && number < DOMID_FIRST_RESERVED) {
        *domain = (uint16_t)number;
        return true;
    }
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        if (names[i].used && text_equal(names[i].name, text)) {
            *domain = names[i].domain;
            return true;
        }
    }
    return false;
}
