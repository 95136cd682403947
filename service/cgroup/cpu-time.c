#include "service/cgroup/cpu-time.h"

#include "service/cgroup/leaf.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

bool cgroup_cpu_time(const Cgroup *cgroup, uint64_t *ret_usec, GError **error)
{
        int tracking = cgroup->tree->tracking, cpu = cgroup->tree->serving[CGROUP_CPU];
        char text[1024];

        if (tracking >= 0 && cgroup->leaf_fds[tracking] >= 0 &&
            fd_read_file_at(cgroup->leaf_fds[tracking], "cpu.stat", text, sizeof text) > 0 &&
            g_str_has_prefix(text, "usage_usec ")) {
                *ret_usec = cgroup_keyed_value(text, "usage_usec");
                return true;
        }
        if (cpu >= 0 && cgroup->leaf_fds[cpu] >= 0 &&
            fd_read_file_at(cgroup->leaf_fds[cpu], "cpuacct.usage", text, sizeof text) > 0) {
                *ret_usec = g_ascii_strtoull(text, NULL, 10) / 1000;
                return true;
        }
        return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                         "CPUTimeMaxUSec needs cgroup v2, or v1 with cpu and cpuacct together");
}
