#pragma once

/* What the kernel has counted of a leaf: one row for each figure. A figure that this kernel, or
 * this layout of cgroups, does not tell is not `known`, which is another thing than 0. Read by
 * container/stats.c; the names are those of the bus, and org.naive.Runc(5) says which file each
 * figure comes from. */

#include <stdbool.h>
#include <stdint.h>

#include "service/cgroup/cgroup.h"

/* What is kept when the leaf goes comes first, up to WallUSec, which no cgroup tells. */
#define CGROUP_FIGURES(X)                                                                          \
        X(CPUUsageUSec)                                                                            \
        X(CPUUserUSec)                                                                             \
        X(CPUSystemUSec)                                                                           \
        X(MemoryPeak)                                                                              \
        X(TasksPeak)                                                                               \
        X(IOReadBytes)                                                                             \
        X(IOWriteBytes)                                                                            \
        X(OOMKills)                                                                                \
        X(WallUSec)                                                                                \
        X(CPUPeriods)                                                                              \
        X(CPUThrottledPeriods)                                                                     \
        X(CPUThrottledUSec)                                                                        \
        X(MemoryCurrent)                                                                           \
        X(MemorySwapCurrent)                                                                       \
        X(MemoryAnonymous)                                                                         \
        X(MemoryFile)                                                                              \
        X(MemoryFileInactive)                                                                      \
        X(MemoryShared)                                                                            \
        X(MemoryKernel)                                                                            \
        X(PageFaults)                                                                              \
        X(MajorPageFaults)                                                                         \
        X(TasksCurrent)                                                                            \
        X(CPUPressureSomeUSec)                                                                     \
        X(MemoryPressureSomeUSec)                                                                  \
        X(MemoryPressureFullUSec)                                                                  \
        X(IOPressureSomeUSec)                                                                      \
        X(IOPressureFullUSec)

typedef enum CgroupFigure {
#define FIGURE(name) CGROUP_FIGURE_##name,
        CGROUP_FIGURES(FIGURE) _CGROUP_FIGURE_MAX,
#undef FIGURE
        _CGROUP_USAGE_MAX = CGROUP_FIGURE_WallUSec + 1,
} CgroupFigure;
const char *cgroup_figure_name(CgroupFigure figure);

typedef struct CgroupStats {
        uint64_t known; /* bits of the figures that are */
        uint64_t values[_CGROUP_FIGURE_MAX];
} CgroupStats;

/* The part that is kept. */
typedef struct CgroupUsage {
        uint64_t known;
        uint64_t values[_CGROUP_USAGE_MAX];
} CgroupUsage;

/* Reads all figures that there are, each file once. */
void cgroup_read_stats(const Cgroup *cgroup, CgroupStats *ret);
/* Reads those of CgroupUsage, in as few reads as can be: each container's end passes here. OOMKills
 * and WallUSec are left to the caller. */
void cgroup_read_usage(const Cgroup *cgroup, CgroupUsage *ret);

/* Adds the pids (pid_t) of up to `max` processes in the leaf and below it. */
void cgroup_list_processes(const Cgroup *cgroup, size_t max, GArray *pids);

/* The number in the text of a file. `key` NULL: the text is the number. "name": the number behind
 * it at the beginning of a line. "name=": the sum of the numbers behind it in lines that begin with
 * the word `line`, or in all lines (NULL), where none is 0. */
bool cgroup_parse_figure(const char *text, const char *line, const char *key, uint64_t *ret);
