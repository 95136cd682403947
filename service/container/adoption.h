#pragma once

/* Finds again what a predecessor left running: its process, its leaf, its ids, the other end of its
 * output. Refuses whatever is not surely the container that a record tells of. Knows no table of
 * containers. */

#include <glib.h>
#include <stdbool.h>

#include "service/cgroup/cgroup.h"
#include "service/container/container.h"
#include "service/rootfs/id-map.h"

/* Where terminals' masters live on when the service ends, by serial. All zero: nowhere. */
typedef struct FdKeeper {
        void (*keep)(uint64_t serial, int fd, void *data); /* fd is borrowed */
        int (*take)(uint64_t serial, void *data); /* what a predecessor kept, or -1. Owned */
        void (*drop)(uint64_t serial, void *data);
        void *data;
} FdKeeper;

typedef struct AdoptionSource {
        CgroupTree *cgroups;
        IdRanges *ranges;
        const FdKeeper *keeper;
} AdoptionSource;

/* Fails, with the reason, if the process has ended or is another; then nothing is taken. */
bool adoption_find(const AdoptionSource *source, const ContainerInfo *info, ContainerAdoption *ret,
                   GError **error);
