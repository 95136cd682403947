#include "service/cgroup/live/outside.h"

#include <string.h>

#include "service/cgroup/internal.h"
#include "service/util/proc.h"

/* In the directory of an owner, or below it. What else may lie beside those, such as a leaf of the
 * service's own, has no number for a name. */
static bool is_below(const CgroupHierarchy *h, const char *path)
{
        g_autofree char *parent = g_strconcat(h->mount_root, h->parent, "/", NULL);

        return g_str_has_prefix(path, parent) && g_ascii_isdigit(path[strlen(parent)]);
}

/* In whichever hierarchy: a process cannot leave all of them. */
static bool has(const CgroupTree *tree, const char *path)
{
        for (; tree; tree = tree->before)
                for (unsigned i = 0; i < tree->n_hierarchies; i++)
                        if (is_below(&tree->hierarchies[i], path))
                                return true;
        return false;
}

bool cgroup_is_outside(const CgroupTree *tree, pid_t pid)
{
        char text[PROC_CGROUP_SIZE];
        ProcCgroup cgroups[PROC_CGROUPS_MAX];
        uint64_t before, after;

        if (!proc_start_time(pid, &before))
                return false;
        unsigned n = proc_list_cgroups(pid, text, cgroups);
        for (unsigned i = 0; i < n; i++)
                if (has(tree, cgroups[i].path))
                        return false;
        /* Of a process whose first thread has ended, the kernel says "/" for v1, though its other
         * threads go on. */
        return n > 0 && !proc_is_ending(pid) && proc_start_time(pid, &after) && before == after;
}
