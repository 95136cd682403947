#pragma once

/* A set of processors as the kernel and systemd write it: "0-3,5". */

#include <stdbool.h>
#include <stdint.h>

#define CPU_LIST_MAX    8192u /* the kernel's highest number of processors */
#define CPU_LIST_LENGTH 255u  /* of a text that is taken */

typedef struct CpuList {
        uint64_t words[CPU_LIST_MAX / 64];
} CpuList;

/* False: it is no such list, or empty. Numbers and ranges, apart by commas or spaces. */
bool cpu_list_parse(const char *text, CpuList *ret);
bool cpu_list_has_all(const CpuList *list, const CpuList *of);
