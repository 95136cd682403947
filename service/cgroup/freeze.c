#include "service/cgroup/freeze.h"

#include <errno.h>
#include <fcntl.h>

#include "service/cgroup/leaf.h"
#include "service/spec/error.h"

static const CgroupBackend *backend_of(const Cgroup *cgroup, int *ret_leaf)
{
        int index = cgroup_tracking_leaf(cgroup);

        *ret_leaf = index < 0 ? -1 : cgroup->leaf_fds[index];
        return index < 0 ? NULL : cgroup->tree->hierarchies[index].backend;
}

bool cgroup_freeze(Cgroup *cgroup, bool frozen, GError **error)
{
        int leaf;
        const CgroupBackend *backend = backend_of(cgroup, &leaf);

        if (!cgroup_require_hierarchy(cgroup, error))
                return false;
        int r = backend ? backend->tell_freezer(leaf, frozen) : 0;
        if (r == -ENOENT)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED, "cannot pause a container: %s",
                                 backend == &cgroup_unified
                                         ? "the kernel has no cgroup.freeze (before Linux 5.2)"
                                         : "no cgroup hierarchy with the freezer is mounted");
        return r == 0 ||
               error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, -r, "cannot %s cgroup %s",
                               frozen ? "freeze" : "thaw", cgroup->path);
}

bool cgroup_is_told_to_freeze(const Cgroup *cgroup)
{
        int leaf;
        const CgroupBackend *backend = backend_of(cgroup, &leaf);

        return backend && backend->is_told_to_freeze(leaf);
}

bool cgroup_is_frozen(const Cgroup *cgroup)
{
        int leaf;
        const CgroupBackend *backend = backend_of(cgroup, &leaf);

        return backend && backend->is_frozen(leaf);
}

int cgroup_open_freeze_events(const Cgroup *cgroup)
{
        int leaf;
        const CgroupBackend *backend = backend_of(cgroup, &leaf);

        return backend && backend->freeze_events
                       ? openat(leaf, backend->freeze_events, O_RDONLY | O_CLOEXEC)
                       : -1;
}
