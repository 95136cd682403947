#include "service/cgroup/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/cgroup/leaf.h"

bool cgroup_make_way(CgroupTree *tree, uid_t owner, uint64_t serial, GError **error)
{
        g_autoptr(Cgroup) cgroup = cgroup_alloc(tree, owner, serial, false);
        unsigned chosen = cgroup_choose_hierarchies(tree, owner, NULL);
        char name[16];

        snprintf(name, sizeof name, "%u", (unsigned) owner);
        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
                if (chosen & 1u << i &&
                    faccessat(tree->hierarchies[i].parent_fd, name, F_OK, 0) < 0 &&
                    !cgroup_make_owner(cgroup, i, error))
                        return false;
        return cgroup_cap_owner(tree, owner, error);
}

void cgroup_remove_empty(CgroupTree *tree, uid_t owner, uint64_t serial)
{
        char name[40];

        g_snprintf(name, sizeof name, "%u/%" G_GUINT64_FORMAT, (unsigned) owner, serial);
        for (unsigned i = 0; i < tree->n_hierarchies; i++)
                if (unlinkat(tree->hierarchies[i].parent_fd, name, AT_REMOVEDIR) < 0 &&
                    errno != ENOENT)
                        g_warning("cannot remove cgroup %s%s/%s: %s",
                                  tree->hierarchies[i].mount_point, tree->hierarchies[i].parent,
                                  name, g_strerror(errno));
}

size_t cgroup_tree_become_copy(CgroupTree *tree, int fds[CGROUP_TREE_FDS_MAX])
{
        tree->is_copy = true;
        for (unsigned i = 0; i < tree->n_hierarchies; i++)
                fds[i] = tree->hierarchies[i].parent_fd;
        return tree->n_hierarchies;
}

_Static_assert(CGROUP_FDS == CGROUP_HIERARCHIES_MAX + 2 &&
                       CGROUP_TREE_FDS_MAX == CGROUP_HIERARCHIES_MAX,
               "a leaf in each hierarchy, and two to watch it");

void cgroup_list_fds(const Cgroup *cgroup, int fds[CGROUP_FDS])
{
        memcpy(fds, cgroup->leaf_fds, sizeof cgroup->leaf_fds);
        fds[CGROUP_HIERARCHIES_MAX] = cgroup->oom_count_fd;
        fds[CGROUP_HIERARCHIES_MAX + 1] = cgroup->oom_event_fd;
}

Cgroup *cgroup_adopt(CgroupTree *tree, uid_t owner, uint64_t serial, const int fds[CGROUP_FDS])
{
        Cgroup *cgroup = cgroup_alloc(tree, owner, serial, false);

        memcpy(cgroup->leaf_fds, fds, sizeof cgroup->leaf_fds);
        cgroup->oom_count_fd = fds[CGROUP_HIERARCHIES_MAX];
        cgroup->oom_event_fd = fds[CGROUP_HIERARCHIES_MAX + 1];
        return cgroup;
}
