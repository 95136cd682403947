#include "service/cgroup/stats.h"

#include <string.h>

#include "service/cgroup/leaf.h"
#include "service/util/fd.h"

#define FILE_MAX 8192u /* memory.stat has up to 3 KiB */

/* Where a figure stands. `divisor` makes it what its name says. Rows of one file are one block,
 * read at once; of several rows for a figure the first that is there counts. */
typedef struct Source {
        CgroupController controller; /* in whose hierarchy; _CGROUP_CONTROLLER_MAX: where the
                                        container is born */
        bool is_legacy;
        const char *file, *line, *key;
        CgroupFigure figure;
        unsigned divisor;
} Source;

#define V1(controller) CGROUP_##controller, true
#define V2(controller) CGROUP_##controller, false
#define V2_ANYWHERE    _CGROUP_CONTROLLER_MAX, false /* also where v2 has no controllers */
#define TO(name)       CGROUP_FIGURE_##name, 1
#define NSEC_TO(name)  CGROUP_FIGURE_##name, 1000

static const Source sources[] = {
        {V2_ANYWHERE, "cpu.stat", NULL, "usage_usec", TO(CPUUsageUSec)},
        {V2_ANYWHERE, "cpu.stat", NULL, "user_usec", TO(CPUUserUSec)},
        {V2_ANYWHERE, "cpu.stat", NULL, "system_usec", TO(CPUSystemUSec)},
        {V2_ANYWHERE, "cpu.stat", NULL, "nr_periods", TO(CPUPeriods)},
        {V2_ANYWHERE, "cpu.stat", NULL, "nr_throttled", TO(CPUThrottledPeriods)},
        {V2_ANYWHERE, "cpu.stat", NULL, "throttled_usec", TO(CPUThrottledUSec)},
        {V1(CPU), "cpuacct.usage", NULL, NULL, NSEC_TO(CPUUsageUSec)},
        {V1(CPU), "cpuacct.usage_user", NULL, NULL, NSEC_TO(CPUUserUSec)},
        {V1(CPU), "cpuacct.usage_sys", NULL, NULL, NSEC_TO(CPUSystemUSec)},
        {V1(CPU), "cpu.stat", NULL, "nr_periods", TO(CPUPeriods)},
        {V1(CPU), "cpu.stat", NULL, "nr_throttled", TO(CPUThrottledPeriods)},
        {V1(CPU), "cpu.stat", NULL, "throttled_time", NSEC_TO(CPUThrottledUSec)},
        {V2(MEMORY), "memory.peak", NULL, NULL, TO(MemoryPeak)},
        {V2(MEMORY), "memory.current", NULL, NULL, TO(MemoryCurrent)},
        {V2(MEMORY), "memory.swap.current", NULL, NULL, TO(MemorySwapCurrent)},
        {V2(MEMORY), "memory.stat", NULL, "anon", TO(MemoryAnonymous)},
        {V2(MEMORY), "memory.stat", NULL, "file", TO(MemoryFile)},
        {V2(MEMORY), "memory.stat", NULL, "inactive_file", TO(MemoryFileInactive)},
        {V2(MEMORY), "memory.stat", NULL, "shmem", TO(MemoryShared)},
        {V2(MEMORY), "memory.stat", NULL, "kernel", TO(MemoryKernel)},
        {V2(MEMORY), "memory.stat", NULL, "pgfault", TO(PageFaults)},
        {V2(MEMORY), "memory.stat", NULL, "pgmajfault", TO(MajorPageFaults)},
        {V1(MEMORY), "memory.max_usage_in_bytes", NULL, NULL, TO(MemoryPeak)},
        {V1(MEMORY), "memory.usage_in_bytes", NULL, NULL, TO(MemoryCurrent)},
        {V1(MEMORY), "memory.kmem.usage_in_bytes", NULL, NULL, TO(MemoryKernel)},
        {V1(MEMORY), "memory.stat", NULL, "total_swap", TO(MemorySwapCurrent)},
        {V1(MEMORY), "memory.stat", NULL, "total_rss", TO(MemoryAnonymous)},
        {V1(MEMORY), "memory.stat", NULL, "total_cache", TO(MemoryFile)},
        {V1(MEMORY), "memory.stat", NULL, "total_inactive_file", TO(MemoryFileInactive)},
        {V1(MEMORY), "memory.stat", NULL, "total_shmem", TO(MemoryShared)},
        {V1(MEMORY), "memory.stat", NULL, "total_pgfault", TO(PageFaults)},
        {V1(MEMORY), "memory.stat", NULL, "total_pgmajfault", TO(MajorPageFaults)},
        {V2(MEMORY), "memory.events", NULL, "oom_kill", TO(OOMKills)},
        {V1(MEMORY), "memory.oom_control", NULL, "oom_kill", TO(OOMKills)},
        {V2(PIDS), "pids.peak", NULL, NULL, TO(TasksPeak)},
        {V2(PIDS), "pids.current", NULL, NULL, TO(TasksCurrent)},
        {V1(PIDS), "pids.peak", NULL, NULL, TO(TasksPeak)},
        {V1(PIDS), "pids.current", NULL, NULL, TO(TasksCurrent)},
        {V2_ANYWHERE, "io.stat", NULL, "rbytes=", TO(IOReadBytes)},
        {V2_ANYWHERE, "io.stat", NULL, "wbytes=", TO(IOWriteBytes)},
        {V2_ANYWHERE, "cpu.pressure", "some", "total=", TO(CPUPressureSomeUSec)},
        {V2_ANYWHERE, "memory.pressure", "some", "total=", TO(MemoryPressureSomeUSec)},
        {V2_ANYWHERE, "memory.pressure", "full", "total=", TO(MemoryPressureFullUSec)},
        {V2_ANYWHERE, "io.pressure", "some", "total=", TO(IOPressureSomeUSec)},
        {V2_ANYWHERE, "io.pressure", "full", "total=", TO(IOPressureFullUSec)},
};

const char *cgroup_figure_name(CgroupFigure figure)
{
        static const char *const names[] = {
#define NAME(name) #name,
                CGROUP_FIGURES(NAME)
#undef NAME
        };

        return names[figure];
}

/* -- the files -- */

static bool parse_number(const char *text, uint64_t *ret)
{
        char *end;

        if (!g_ascii_isdigit(*text))
                return false; /* "max" */
        *ret = g_ascii_strtoull(text, &end, 10);
        return !*end || g_ascii_isspace(*end);
}

/* Adds the numbers behind `key` in one line, which ends at `end`. */
static uint64_t sum_line(const char *line, const char *end, const char *key)
{
        size_t length = strlen(key);
        uint64_t sum = 0, value;

        for (const char *word = line; word < end; word++)
                if ((word == line || word[-1] == ' ') && strncmp(word, key, length) == 0 &&
                    parse_number(word + length, &value))
                        sum += value;
        return sum;
}

static bool begins_with_word(const char *line, const char *word)
{
        size_t length = strlen(word);

        return strncmp(line, word, length) == 0 && line[length] == ' ';
}

bool cgroup_parse_figure(const char *text, const char *line, const char *key, uint64_t *ret)
{
        bool is_named = key && g_str_has_suffix(key, "="), is_found = is_named && !line;
        uint64_t sum = 0;

        if (!key)
                return parse_number(text, ret);
        for (const char *next = text, *end; *next; next = *end ? end + 1 : end) {
                end = strchrnul(next, '\n');
                if (!is_named && begins_with_word(next, key))
                        return parse_number(next + strlen(key) + 1, ret);
                if (!is_named || (line && !begins_with_word(next, line)))
                        continue;
                sum += sum_line(next, end, key);
                is_found = true;
        }
        if (is_found)
                *ret = sum;
        return is_found;
}

/* -1: the leaf is in no such hierarchy. */
static int leaf_of(const Cgroup *cgroup, const Source *source)
{
        const CgroupTree *tree = cgroup->tree;
        int index = source->controller == _CGROUP_CONTROLLER_MAX
                            ? tree->tracking
                            : tree->serving[source->controller];

        return index >= 0 && cgroup_is_legacy(cgroup, (unsigned) index) == source->is_legacy
                       ? cgroup->leaf_fds[index]
                       : -1;
}

static bool is_same_file(const Source *a, const Source *b)
{
        return a->controller == b->controller && a->is_legacy == b->is_legacy &&
               strcmp(a->file, b->file) == 0;
}

static void read_figures(const Cgroup *cgroup, uint64_t wanted, uint64_t *known, uint64_t *values)
{
        char text[FILE_MAX];
        const Source *read = NULL;
        bool is_there = false;

        for (const Source *source = sources; source < sources + G_N_ELEMENTS(sources); source++) {
                uint64_t bit = UINT64_C(1) << source->figure, value;
                if (!(wanted & ~*known & bit))
                        continue;
                if (!read || !is_same_file(read, source)) {
                        int leaf = leaf_of(cgroup, source);
                        is_there = leaf >= 0 &&
                                   fd_read_file_at(leaf, source->file, text, sizeof text) >= 0;
                        read = source;
                }
                if (!is_there || !cgroup_parse_figure(text, source->line, source->key, &value))
                        continue;
                values[source->figure] = value / source->divisor;
                *known |= bit;
        }
}

void cgroup_read_stats(const Cgroup *cgroup, CgroupStats *ret)
{
        *ret = (CgroupStats){0};
        read_figures(cgroup, UINT64_MAX, &ret->known, ret->values);
}

void cgroup_read_usage(const Cgroup *cgroup, CgroupUsage *ret)
{
        const uint64_t wanted = (UINT64_C(1) << CGROUP_FIGURE_OOMKills) - 1;

        *ret = (CgroupUsage){0};
        read_figures(cgroup, wanted, &ret->known, ret->values);
}

void cgroup_list_processes(const Cgroup *cgroup, size_t max, GArray *pids)
{
        int index = cgroup_tracking_leaf(cgroup);

        if (index >= 0)
                cgroup_list_below(cgroup->leaf_fds[index], CGROUP_DEPTH_MAX, max, pids);
}
