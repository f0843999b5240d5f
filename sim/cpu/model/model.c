/* SPDX-License-Identifier: MIT */
/* The list of models. Each is data in a file of its own, with the evidence beside the numbers. */
#include "sim/cpu/model/models.h"

#include <string.h>

static const struct cpu_model *const models[] = { &model_10h_b3, &model_10h_c2, &model_10h_d0,
                                              &model_k8_b, &model_k8_c, &model_k8_d, &model_k8_e, &model_k8_f,
                                              &model_k8_g };

const struct cpu_model *cpu_model_find(const char *name)
{
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
        if (strcmp(models[i]->name, name) == 0)
            return models[i];
    return NULL;
}

const char *const *cpu_model_names(void)
{
    static const char *const names[] = { "10h-b3", "10h-c2", "10h-d0",
                                        "k8-b", "k8-c", "k8-d", "k8-e", "k8-f", "k8-g", NULL };

    return names;
}
