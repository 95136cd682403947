#pragma once

/* What the hierarchies that a tree has found can do, and why they cannot do the rest: to be told to
 * callers. Decides nothing: whether a limit can be set, setting it shows. */

#include "service/cgroup/cgroup.h"

typedef enum CgroupAbility {
        CGROUP_ABILITY_TRACKING, /* a leaf for each container */
        CGROUP_ABILITY_FREEZER,
        CGROUP_ABILITY_MEMORY,
        CGROUP_ABILITY_MEMORY_V2, /* what v2 alone has of memory */
        CGROUP_ABILITY_SWAP,
        CGROUP_ABILITY_PIDS,
        CGROUP_ABILITY_CPU,
        CGROUP_ABILITY_CPU_QUOTA,
        CGROUP_ABILITY_CPU_TIME,
        CGROUP_ABILITY_CPUSET,
        CGROUP_ABILITY_IO,
        CGROUP_ABILITY_PRESSURE,
        _CGROUP_ABILITY_MAX,
} CgroupAbility;

typedef struct CgroupAbilities {
        const char *missing[_CGROUP_ABILITY_MAX]; /* why; borrowed of the tree. NULL: it is there */
} CgroupAbilities;

/* At the service's start alone: a sweep may remove the directories that are looked at. */
void cgroup_find_abilities(const CgroupTree *tree, CgroupAbilities *ret);
