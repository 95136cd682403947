#include "service/cgroup/start/abilities.h"

#include <fcntl.h>
#include <unistd.h>

#include "service/cgroup/internal.h"
#include "service/util/fd.h"

static const CgroupHierarchy *serving(const CgroupTree *tree, CgroupController controller)
{
        int index = tree->serving[controller];

        return index < 0 ? NULL : &tree->hierarchies[index];
}

static bool has_file(const CgroupHierarchy *hierarchy, const char *unified, const char *legacy)
{
        return hierarchy &&
               faccessat(hierarchy->parent_fd,
                         hierarchy->backend == &cgroup_unified ? unified : legacy, F_OK, 0) == 0;
}

static bool counts_cpu_time(const CgroupHierarchy *tracking, const CgroupHierarchy *cpu)
{
        char text[1024];

        return (tracking && tracking->backend == &cgroup_unified &&
                fd_read_file_at(tracking->parent_fd, "cpu.stat", text, sizeof text) > 0 &&
                g_str_has_prefix(text, "usage_usec ")) ||
               has_file(cpu, "cpu.stat", "cpuacct.usage");
}

/* A kernel with PSI that is switched off has the file, and does not open it. */
static bool tells_pressure(const CgroupHierarchy *tracking)
{
        autofd int fd = tracking && tracking->backend == &cgroup_unified
                                ? openat(tracking->parent_fd, "cpu.pressure", O_RDONLY | O_CLOEXEC)
                                : -1;

        return fd >= 0;
}

void cgroup_find_abilities(const CgroupTree *tree, CgroupAbilities *ret)
{
        const CgroupHierarchy *tracking =
                tree->tracking < 0 ? NULL : &tree->hierarchies[tree->tracking];
        const CgroupHierarchy *memory = serving(tree, CGROUP_MEMORY);
        const CgroupHierarchy *cpu = serving(tree, CGROUP_CPU);
        const CgroupHierarchy *io = serving(tree, CGROUP_IO);

        *ret = (CgroupAbilities){0};
        if (!tracking)
                ret->missing[CGROUP_ABILITY_TRACKING] = ret->missing[CGROUP_ABILITY_FREEZER] =
                        "there is no cgroup hierarchy to be used";
        else if (!has_file(tracking, "cgroup.freeze", "freezer.state"))
                ret->missing[CGROUP_ABILITY_FREEZER] = "there is no freezer";
        ret->missing[CGROUP_ABILITY_MEMORY] = memory ? NULL : tree->missing[CGROUP_MEMORY];
        if (!memory || memory->backend != &cgroup_unified)
                ret->missing[CGROUP_ABILITY_MEMORY_V2] =
                        "cgroup v2 does not have the memory controller here";
        ret->missing[CGROUP_ABILITY_SWAP] = ret->missing[CGROUP_ABILITY_MEMORY];
        if (memory && !has_file(memory, "memory.swap.max", "memory.memsw.limit_in_bytes"))
                ret->missing[CGROUP_ABILITY_SWAP] = "the kernel does not count swap by cgroup";
        ret->missing[CGROUP_ABILITY_PIDS] =
                serving(tree, CGROUP_PIDS) ? NULL : tree->missing[CGROUP_PIDS];
        ret->missing[CGROUP_ABILITY_CPU] = cpu ? NULL : tree->missing[CGROUP_CPU];
        ret->missing[CGROUP_ABILITY_CPU_QUOTA] = ret->missing[CGROUP_ABILITY_CPU];
        if (cpu && !has_file(cpu, "cpu.max", "cpu.cfs_quota_us"))
                ret->missing[CGROUP_ABILITY_CPU_QUOTA] = "the kernel has no quota of processors";
        if (!counts_cpu_time(tracking, cpu))
                ret->missing[CGROUP_ABILITY_CPU_TIME] =
                        "it needs cgroup v2, or v1 with cpu and cpuacct together";
        ret->missing[CGROUP_ABILITY_CPUSET] =
                serving(tree, CGROUP_CPUSET) ? NULL : tree->missing[CGROUP_CPUSET];
        ret->missing[CGROUP_ABILITY_IO] = io ? NULL : tree->missing[CGROUP_IO];
        if (io && !has_file(io, "io.weight", "blkio.bfq.weight") &&
            !has_file(io, "io.bfq.weight", "blkio.bfq.weight"))
                ret->missing[CGROUP_ABILITY_IO] = "the kernel has no weight of input and output";
        if (!tells_pressure(tracking))
                ret->missing[CGROUP_ABILITY_PRESSURE] =
                        "it needs cgroup v2, and a kernel that tells of pressure (PSI)";
}
