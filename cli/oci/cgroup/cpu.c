/* Processors: how much of them, and which. */

#include "cli/oci/cgroup/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/shares.h"

#define PERIOD_DEFAULT UINT64_C(100000)

static bool is_said(const OciUnsigned *number)
{
        return number->is_given && number->value != 0;
}

static bool set_shares(Place *place, const OciCpu *cpu, GError **error)
{
        place->key = "cpu.shares";
        if (!is_said(&cpu->shares))
                return true;
        return place->is_unified
                       ? oci_write_unsigned(place, "cpu.weight",
                                            shares_to_weight(cpu->shares.value), error)
                       : oci_write_unsigned(place, "cpu.shares", cpu->shares.value, error);
}

/* A cgroup that is idle has no weight, and refuses one. */
static bool set_weight(Place *place, const OciCpu *cpu, GError **error)
{
        bool becomes_idle = cpu->idle.is_given && cpu->idle.value > 0;

        if (becomes_idle && !set_shares(place, cpu, error))
                return false;
        place->key = "cpu.idle";
        if (cpu->idle.is_given && !oci_write_number(place, "cpu.idle", cpu->idle.value, error))
                return false;
        return becomes_idle || set_shares(place, cpu, error);
}

/* The kernel refuses a period that is too short for the quota of before. */
static bool set_legacy_quota(const Place *place, const OciCpu *cpu, GError **error)
{
        bool has_quota = cpu->quota.is_given && cpu->quota.value != 0;
        bool has_period = is_said(&cpu->period), is_set = false;

        if (has_period && has_quota) {
                is_set = oci_write_unsigned(place, "cpu.cfs_period_us", cpu->period.value, NULL);
                if (!is_set &&
                    !oci_write_number(place, "cpu.cfs_quota_us", cpu->quota.value, error))
                        return false;
        }
        return (!has_period || is_set ||
                oci_write_unsigned(place, "cpu.cfs_period_us", cpu->period.value, error)) &&
               (!has_quota || oci_write_number(place, "cpu.cfs_quota_us", cpu->quota.value, error));
}

static bool set_unified_quota(const Place *place, const OciCpu *cpu, GError **error)
{
        char before[64], text[64], quota[24] = "max";
        uint64_t period = PERIOD_DEFAULT;

        if (fd_read_file_at(place->fd, "cpu.max", before, sizeof before) > 0) {
                const char *space = strchr(before, ' ');
                period = space ? g_ascii_strtoull(space + 1, NULL, 10) : period;
                g_strlcpy(quota, before, MIN(sizeof quota, strcspn(before, " ") + 1));
        }
        if (cpu->quota.is_given && cpu->quota.value < 0)
                g_strlcpy(quota, "max", sizeof quota);
        else if (cpu->quota.is_given && cpu->quota.value > 0)
                snprintf(quota, sizeof quota, "%" PRId64, cpu->quota.value);
        if (is_said(&cpu->period))
                period = cpu->period.value;
        snprintf(text, sizeof text, "%s %" PRIu64, quota, period);
        return oci_write(place, "cpu.max", text, error);
}

static bool set_quota(Place *place, const OciCpu *cpu, GError **error)
{
        bool has_quota = (cpu->quota.is_given && cpu->quota.value != 0) || is_said(&cpu->period);

        place->key = "cpu.quota";
        if (has_quota &&
            !(place->is_unified ? set_unified_quota : set_legacy_quota)(place, cpu, error))
                return false;
        place->key = "cpu.burst";
        return !cpu->burst.is_given ||
               oci_write_unsigned(place, place->is_unified ? "cpu.max.burst" : "cpu.cfs_burst_us",
                                  cpu->burst.value, error);
}

static bool set_realtime(Place *place, const OciCpu *cpu, GError **error)
{
        place->key = "cpu.realtimePeriod";
        if (is_said(&cpu->realtime_period) &&
            (!oci_only_in(place, false, error) ||
             !oci_write_unsigned(place, "cpu.rt_period_us", cpu->realtime_period.value, error)))
                return false;
        place->key = "cpu.realtimeRuntime";
        return !cpu->realtime_runtime.is_given || cpu->realtime_runtime.value == 0 ||
               (oci_only_in(place, false, error) &&
                oci_write_number(place, "cpu.rt_runtime_us", cpu->realtime_runtime.value, error));
}

static bool set_lists(const PathCgroup *cgroup, const OciCpu *cpu, GError **error)
{
        bool has_cpus = cpu->cpus && *cpu->cpus, has_mems = cpu->mems && *cpu->mems;
        Place place;

        if (!has_cpus && !has_mems)
                return true;
        if (!oci_find_place(cgroup, "cpuset", has_cpus ? "cpu.cpus" : "cpu.mems", &place, error) ||
            (has_cpus && !oci_write(&place, "cpuset.cpus", cpu->cpus, error)))
                return false;
        place.key = "cpu.mems";
        return !has_mems || oci_write(&place, "cpuset.mems", cpu->mems, error);
}

bool oci_set_cpu(const PathCgroup *cgroup, const OciCpu *cpu, GError **error)
{
        bool is_asked = is_said(&cpu->shares) || is_said(&cpu->period) || cpu->burst.is_given ||
                        is_said(&cpu->realtime_period) || cpu->realtime_runtime.value != 0 ||
                        cpu->quota.value != 0 || cpu->idle.is_given;
        Place place;

        if (!set_lists(cgroup, cpu, error))
                return false;
        return !is_asked || (oci_find_place(cgroup, "cpu", "cpu", &place, error) &&
                             set_weight(&place, cpu, error) && set_quota(&place, cpu, error) &&
                             set_realtime(&place, cpu, error));
}
