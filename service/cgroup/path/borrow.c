#include "service/cgroup/path/borrow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/cgroup/leaf.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

/* The part below the mount point of the directory in this hierarchy; NULL: there is none. */
static const char *find_below(const CgroupHierarchy *h, const char *const *directories)
{
        size_t length = strlen(h->mount_point);

        for (; *directories; directories++) {
                const char *below = *directories + length;
                if (strncmp(*directories, h->mount_point, length) == 0 && below[0] == '/' &&
                    below[1] && !strstr(below, "/.."))
                        return below;
        }
        return NULL;
}

/* In it, or in a cgroup below, as after an init has divided its own. */
static bool is_in(const CgroupHierarchy *h, const char *path, const ProcCgroup *cgroups, unsigned n)
{
        bool is_unified = h->backend == &cgroup_unified;
        size_t length = strlen(path);

        for (unsigned i = 0; i < n; i++)
                if (cgroups[i].is_unified == is_unified &&
                    strncmp(cgroups[i].path, path, length) == 0 &&
                    (!cgroups[i].path[length] || cgroups[i].path[length] == '/'))
                        return true;
        return false;
}

static void open_leaf(Cgroup *cgroup, unsigned index, const char *below)
{
        const CgroupHierarchy *h = &cgroup->tree->hierarchies[index];
        autofd int mount = open(h->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (mount >= 0)
                cgroup->leaf_fds[index] =
                        openat(mount, below + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_found(const Cgroup *cgroup)
{
        int tracking = cgroup->tree->tracking;

        return tracking >= 0 && cgroup->leaf_fds[tracking] >= 0;
}

/* As cgroup_watch_oom(), but in v2 it stays as its maker has it which processes an OOM ends. */
static bool watch_oom(Cgroup *cgroup, GError **error)
{
        int index = cgroup->tree->serving[CGROUP_MEMORY];
        char text[512];

        if (index < 0 || cgroup->leaf_fds[index] < 0 || cgroup_is_legacy(cgroup, (unsigned) index))
                return cgroup_watch_oom(cgroup, error);
        cgroup->oom_count_fd =
                openat(cgroup->leaf_fds[index], "memory.events", O_RDONLY | O_CLOEXEC);
        if (cgroup->oom_count_fd >= 0)
                (void) !pread(cgroup->oom_count_fd, text, sizeof text, 0);
        return true;
}

bool cgroup_borrow(CgroupTree *tree, pid_t pid, const char *const *directories, Cgroup **ret,
                   GError **error)
{
        g_autoptr(Cgroup) cgroup = cgroup_alloc(tree, 0, 0, false);
        char text[PROC_CGROUP_SIZE];
        ProcCgroup cgroups[PROC_CGROUPS_MAX];
        unsigned n = proc_list_cgroups(pid, text, cgroups);

        cgroup->is_borrowed = true;
        for (unsigned i = 0; i < tree->n_hierarchies; i++) {
                const CgroupHierarchy *h = &tree->hierarchies[i];
                const char *below = find_below(h, directories);
                g_autofree char *path = g_strconcat(h->mount_root, below, NULL);
                if (!below || !is_in(h, path, cgroups, n))
                        continue;
                open_leaf(cgroup, i, below);
                if ((int) i == tree->tracking) {
                        g_free(cgroup->path);
                        cgroup->path = g_steal_pointer(&path);
                }
        }
        if (!is_found(cgroup))
                return error_set(error, RUNTIME_ERROR_FAILED, "its process is not in its cgroup");
        if (!watch_oom(cgroup, error))
                return false;
        *ret = g_steal_pointer(&cgroup);
        return true;
}
