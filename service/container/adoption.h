#pragma once

/* Finds again what a predecessor left running: its process, its leaf, its ids, the other end of its
 * pipe. Refuses everything that is not surely the container in the record. Knows the data of
 * records and the kernel, but neither the containers that are there nor where terminals are
 * kept. */

#include <glib.h>
#include <stdbool.h>

#include "service/cgroup/cgroup.h"
#include "service/container/info.h"
#include "service/rootfs/id-map.h"

/* What container_adopt() takes. */
typedef struct ContainerAdoption {
        int pidfd;
        int source; /* the other end of its pipe or terminal; -1: that is lost */
        Cgroup *cgroup;
        IdMap *map; /* NULL: the container has none of ours */
} ContainerAdoption;

/* Fails, with the reason, if the process has ended or its number belongs to another process; then
 * nothing is taken, and `ret` is as it was. The caller has to find the master of a terminal. */
bool adoption_find(CgroupTree *cgroups, IdRanges *ranges, const ContainerInfo *info,
                   ContainerAdoption *ret, GError **error);
