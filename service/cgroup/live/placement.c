#include "service/cgroup/live/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/cpu-list.h"
#include "service/util/fd.h"
#include "service/util/shares.h"

/* The leaf in the hierarchy of a controller. */
static bool find_leaf(const Cgroup *cgroup, CgroupController controller, const char *key,
                      int *ret_leaf, GError **error)
{
        const int index = cgroup->tree->serving[controller];

        *ret_leaf = index < 0 ? -1 : cgroup->leaf_fds[index];
        return *ret_leaf >= 0 ||
               error_set(error, RUNTIME_ERROR_NOT_SUPPORTED, "%s needs the %s controller: %s", key,
                         cgroup_controller_name(controller),
                         index < 0 ? cgroup->tree->missing[controller]
                                   : "the container began without it, and cgroup v1 has no place "
                                     "for a later one");
}

/* Of processors that its owner's directory does not have, v1 takes none, and v2 takes them without
 * a word and gives all the others. */
static bool check_processors(int leaf, bool is_legacy, const char *wanted, GError **error)
{
        const char *file = is_legacy ? "../cpuset.cpus" : "../cpuset.cpus.effective";
        char text[CHANGE_TEXT_MAX];
        CpuList have, want;
        ssize_t n = fd_read_file_at(leaf, file, text, sizeof text);

        if (n <= 0 || !cpu_list_parse(text, &have))
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, n < 0 ? (int) -n : EIO,
                                       "cannot read %s", file + 3);
        return (cpu_list_parse(wanted, &want) && cpu_list_has_all(&have, &want)) ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "AllowedCPUs is %s: the processors of this machine are %s", wanted,
                         g_strchomp(text));
}

static bool change_cpus(const Cgroup *cgroup, const char *cpus, Changes *changes, GError **error)
{
        int leaf;

        if (!find_leaf(cgroup, CGROUP_CPUSET, "AllowedCPUs", &leaf, error))
                return false;
        bool is_legacy = cgroup_is_legacy(cgroup, (unsigned) cgroup->tree->serving[CGROUP_CPUSET]);
        return (is_legacy || changes_hand_down(cgroup, CGROUP_CPUSET, "cpuset.cpus", error)) &&
               check_processors(leaf, is_legacy, cpus, error) &&
               changes_add(changes, leaf, "cpuset.cpus", cpus, error);
}

/* Which files there are depends on how the kernel was built and on the schedulers that it has
 * loaded; each is heeded for the disks that have that scheduler. */
static const struct {
        bool is_legacy, is_for_bfq;
        const char *file;
} weights[] = {{false, false, "io.weight"},
               {false, true, "io.bfq.weight"},
               {true, true, "blkio.bfq.weight"}};

static bool change_io(const Cgroup *cgroup, uint64_t weight, Changes *changes, GError **error)
{
        const unsigned before = changes->n;
        char text[24];
        int leaf;

        if (!find_leaf(cgroup, CGROUP_IO, "IOWeight", &leaf, error))
                return false;
        bool is_legacy = cgroup_is_legacy(cgroup, (unsigned) cgroup->tree->serving[CGROUP_IO]);
        if (!is_legacy && !changes_hand_down(cgroup, CGROUP_IO, "io.stat", error))
                return false;
        for (size_t i = 0; i < G_N_ELEMENTS(weights); i++) {
                if (weights[i].is_legacy != is_legacy ||
                    faccessat(leaf, weights[i].file, F_OK, 0) < 0)
                        continue;
                snprintf(text, sizeof text, "%" PRIu64,
                         weights[i].is_for_bfq ? shares_of_bfq(weight) : weight);
                if (!changes_add(changes, leaf, weights[i].file, text, error))
                        return false;
        }
        return changes->n > before ||
               error_set(error, RUNTIME_ERROR_NOT_SUPPORTED, "IOWeight: this kernel has no %s",
                         is_legacy ? "blkio.bfq.weight" : "io.weight, nor io.bfq.weight");
}

bool changes_add_placement(Changes *changes, const Cgroup *cgroup, const Resources *resources,
                           GError **error)
{
        return (!*resources->allowed_cpus ||
                change_cpus(cgroup, resources->allowed_cpus, changes, error)) &&
               (!resources->io_weight || change_io(cgroup, resources->io_weight, changes, error));
}
