#include "service/container/info.h"

#include <glib.h>
#include <sys/resource.h>

#include "service/container/usage.h"
#include "service/spec/error.h"

const char *container_state_to_string(ContainerState state)
{
        static const char *const words[] = {"creating", "created", "running", "paused", "stopped"};

        return words[state];
}

bool container_state_is_running(ContainerState state)
{
        return state == CONTAINER_RUNNING || state == CONTAINER_PAUSED;
}

static const char *const result_words[_RESULT_MAX] = {
        [RESULT_NONE] = "",
        [RESULT_SUCCESS] = "success",
        [RESULT_EXIT_CODE] = "exit-code",
        [RESULT_SIGNAL] = "signal",
        [RESULT_CORE_DUMP] = "core-dump",
        [RESULT_OOM_KILL] = "oom-kill",
        [RESULT_TIMEOUT] = "timeout",
        [RESULT_SETUP_FAILED] = "setup-failed",
        [RESULT_UNKNOWN] = "unknown",
};

const char *container_result_to_string(ContainerResult result)
{
        return result_words[result];
}

ContainerResult container_result_from_string(const char *word)
{
        for (ContainerResult result = RESULT_SUCCESS; result < _RESULT_MAX; result++)
                if (g_strcmp0(word, result_words[result]) == 0)
                        return result;
        return RESULT_UNKNOWN;
}

void container_info_clear(ContainerInfo *info)
{
        g_free(info->id);
        g_free(info->control_group);
        g_free(info->belongs_to);
        g_free(info->watcher);
        g_strfreev(info->deviations);
        filters_clear(&info->filters);
        g_strfreev(info->labels);
        g_clear_pointer(&info->made_with, g_variant_unref);
        *info = (ContainerInfo){0};
}

bool container_info_maps_range(const ContainerInfo *info)
{
        const char *const *deviations = (const char *const *) info->deviations;

        return info->id_base && !g_strv_contains(deviations, "UserNamespace=self") &&
               !g_strv_contains(deviations, "UserNamespace=keep-id");
}

/* -- usage.h -- */

static void set_figure(CgroupUsage *usage, CgroupFigure figure, uint64_t value)
{
        usage->values[figure] = value;
        usage->known |= UINT64_C(1) << figure;
}

static uint64_t now_usec(void)
{
        return (uint64_t) g_get_real_time();
}

/* The clock may have been set back meanwhile. */
static uint64_t wall_usec(const ContainerInfo *info, uint64_t now)
{
        return now > info->started_usec ? now - info->started_usec : 0;
}

static void read_usage(const ContainerInfo *info, const Cgroup *cgroup, uint64_t now,
                       CgroupUsage *ret)
{
        cgroup_read_usage(cgroup, ret);
        set_figure(ret, CGROUP_FIGURE_OOMKills, info->oom_kills);
        if (info->started_usec)
                set_figure(ret, CGROUP_FIGURE_WallUSec, wall_usec(info, now));
}

void usage_take(ContainerInfo *info, const Cgroup *cgroup)
{
        read_usage(info, cgroup, info->exited_usec, &info->usage);
}

static uint64_t usec_of(const struct timeval *time)
{
        return (uint64_t) time->tv_sec * G_USEC_PER_SEC + (uint64_t) time->tv_usec;
}

void usage_take_process(CgroupUsage *ret, const Process *process)
{
        struct rusage used;

        if (!process_usage(process, &used))
                return;
        uint64_t user = usec_of(&used.ru_utime), system = usec_of(&used.ru_stime);
        set_figure(ret, CGROUP_FIGURE_CPUUsageUSec, user + system);
        set_figure(ret, CGROUP_FIGURE_CPUUserUSec, user);
        set_figure(ret, CGROUP_FIGURE_CPUSystemUSec, system);
        set_figure(ret, CGROUP_FIGURE_MemoryPeak, (uint64_t) used.ru_maxrss * 1024);
        set_figure(ret, CGROUP_FIGURE_IOReadBytes, (uint64_t) used.ru_inblock * 512);
        set_figure(ret, CGROUP_FIGURE_IOWriteBytes, (uint64_t) used.ru_oublock * 512);
}

void usage_set_wall(CgroupUsage *usage, uint64_t usec)
{
        set_figure(usage, CGROUP_FIGURE_WallUSec, usec);
}

void container_usage(const Container *container, CgroupUsage *ret)
{
        const ContainerInfo *info = container_info(container);
        const Cgroup *cgroup = container_cgroup(container);

        *ret = info->usage;
        if (info->state != CONTAINER_STOPPED && cgroup)
                read_usage(info, cgroup, now_usec(), ret);
}

bool container_stats(const Container *container, CgroupStats *ret, GError **error)
{
        const ContainerInfo *info = container_info(container);
        const Cgroup *cgroup = container_cgroup(container);

        if (info->state == CONTAINER_STOPPED || !cgroup)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "there is nothing to count of container '%s' any more: it is %s",
                                 info->id, container_state_to_string(info->state));
        if (!*cgroup_path(cgroup))
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "nothing counts what container '%s' uses: there is no cgroup "
                                 "hierarchy",
                                 info->id);
        cgroup_read_stats(cgroup, ret);
        if (info->started_usec) {
                ret->values[CGROUP_FIGURE_WallUSec] = wall_usec(info, now_usec());
                ret->known |= UINT64_C(1) << CGROUP_FIGURE_WallUSec;
        }
        return true;
}
