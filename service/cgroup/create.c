/* Making a leaf: in which hierarchies, below which directory of its owner, and with which limits.
 */

#include "service/cgroup/leaf.h"
#include "service/cgroup/live/update.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

bool cgroup_memory_too_low(uint64_t memory_max, const char *what, GError **error)
{
        if (memory_max == CGROUP_NO_LIMIT)
                return error_set(error, RUNTIME_ERROR_MEMORY_TOO_LOW,
                                 "too little is left of the memory that all of your containers may "
                                 "have together, or of the machine's, to %s",
                                 what);
        return error_set(error, RUNTIME_ERROR_MEMORY_TOO_LOW,
                         "a memory limit of %" G_GUINT64_FORMAT
                         " bytes, or what is left of the memory that all of your containers may "
                         "have together, is too low to %s",
                         memory_max, what);
}

static bool find_controller(const CgroupTree *tree, CgroupController controller, const char *limit,
                            GError **error)
{
        if (tree->serving[controller] >= 0)
                return true;
        return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                         "cannot limit %s: no %s controller: %s", limit,
                         cgroup_controller_name(controller), tree->missing[controller]);
}

static bool limits_memory(const CgroupLimits *limits)
{
        return limits->memory_max != CGROUP_NO_LIMIT || limits->memory_swap_max != CGROUP_NO_LIMIT;
}

static bool limits_tasks(const CgroupLimits *limits)
{
        return limits->tasks_max != CGROUP_NO_LIMIT;
}

/* Does anything limit the leaf, itself or above? */
static bool is_limited(const CgroupTree *tree, uid_t owner, const CgroupLimits *limits,
                       bool (*has_limit)(const CgroupLimits *limits))
{
        const CgroupLimits ceilings = cgroup_ceilings_of(tree, owner, false),
                           sandboxes = cgroup_ceilings_of(tree, owner, true);

        return has_limit(&ceilings) ||
               (limits && (has_limit(limits) || (limits->is_sandbox && has_limit(&sandboxes))));
}

static bool check_controllers(const CgroupTree *tree, uid_t owner, const CgroupLimits *limits,
                              GError **error)
{
        bool memory = is_limited(tree, owner, limits, limits_memory);
        bool tasks = is_limited(tree, owner, limits, limits_tasks);

        return (!memory || find_controller(tree, CGROUP_MEMORY, "memory", error)) &&
               (!tasks || find_controller(tree, CGROUP_PIDS, "tasks", error));
}

/* The hierarchies (bits) that this container needs a leaf in. */
unsigned cgroup_choose_hierarchies(const CgroupTree *tree, uid_t owner, const CgroupLimits *limits)
{
        unsigned chosen = tree->tracking < 0 ? 0 : 1u << tree->tracking;

        if (tree->serving[CGROUP_MEMORY] >= 0 &&
            (!limits || is_limited(tree, owner, limits, limits_memory)))
                chosen |= 1u << tree->serving[CGROUP_MEMORY];
        if (tree->serving[CGROUP_PIDS] >= 0 &&
            (!limits || is_limited(tree, owner, limits, limits_tasks)))
                chosen |= 1u << tree->serving[CGROUP_PIDS];
        if (tree->serving[CGROUP_CPU] >= 0) /* in v2 that is the tracking one */
                chosen |= 1u << tree->serving[CGROUP_CPU];
        if (limits && limits->more && *limits->more->allowed_cpus &&
            tree->serving[CGROUP_CPUSET] >= 0)
                chosen |= 1u << tree->serving[CGROUP_CPUSET];
        if (limits && limits->more && limits->more->io_weight && tree->serving[CGROUP_IO] >= 0)
                chosen |= 1u << tree->serving[CGROUP_IO];
        return chosen;
}

/* Opens the parent again, for a copy of the service: the service may have made it anew. */
static bool find_parent(CgroupHierarchy *h)
{
        g_autofree char *path = g_strconcat(h->mount_point, h->parent, NULL);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return false;
        fd_clear(&h->parent_fd);
        h->parent_fd = fd;
        return true;
}

/* An owner's directory stays when its last leaf goes: to make the directory for every run would
 * cost more than the leaf. A parent that is gone (swept, or removed by systemd after the last
 * process) is made again. */
bool cgroup_make_owner(const Cgroup *cgroup, unsigned index, GError **error)
{
        CgroupHierarchy *h = &cgroup->tree->hierarchies[index];
        char name[16];

        if (cgroup->tree->is_copy)
                return find_parent(h) ||
                       cgroup_fail(cgroup, index, "find the parent of", errno, error);
        g_hash_table_remove(cgroup->tree->capped, GUINT_TO_POINTER(cgroup->owner));
        snprintf(name, sizeof name, "%u", (unsigned) cgroup->owner);
        g_hash_table_remove(cgroup->tree->told, name);
        if (mkdirat(h->parent_fd, name, 0755) == 0 || errno == EEXIST)
                return true;
        if (errno != ENOENT && errno != EBADF)
                return cgroup_fail(cgroup, index, "make the parent of", errno, error);
        if (!cgroup_hierarchy_make_parent(h, error))
                return false;
        if (mkdirat(h->parent_fd, name, 0755) < 0)
                return cgroup_fail(cgroup, index, "make the parent of", errno, error);
        return true;
}

static bool enable(const Cgroup *cgroup, unsigned index, const char *level, unsigned wanted,
                   GError **error)
{
        g_auto(GStrv) reasons = g_new0(char *, _CGROUP_CONTROLLER_MAX + 1);
        autofd int fd = openat(cgroup->tree->hierarchies[index].parent_fd, level,
                               O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return cgroup_fail(cgroup, index, "open the parent of", errno, error);
        unsigned missing = wanted & ~cgroup_unified_enable(fd, wanted, reasons);
        if (missing == 0)
                return true;
        CgroupController first = (CgroupController) __builtin_ctz(missing);
        return error_set(error, RUNTIME_ERROR_CGROUP_FAILED,
                         "cannot hand the %s controller down to cgroup %s: %s",
                         cgroup_controller_name(first), cgroup->path, reasons[first]);
}

static bool enable_for_sandboxes(const Cgroup *cgroup, unsigned index, unsigned wanted,
                                 GError **error)
{
        char owner[16];

        snprintf(owner, sizeof owner, "%u", (unsigned) cgroup->owner);
        return enable(cgroup, index, owner, wanted, error);
}

bool cgroup_hand_down(const Cgroup *cgroup, unsigned index, unsigned wanted, GError **error)
{
        return (!cgroup->is_sandbox || enable_for_sandboxes(cgroup, index, wanted, error)) &&
               enable(cgroup, index, cgroup->level, wanted, error);
}

/* The directory that the leaf lies in. In v2 that of an owner's sandboxes gets the controllers that
 * limit them together before it is there: it never is without. */
static bool make_level(const Cgroup *cgroup, unsigned index, GError **error)
{
        const CgroupHierarchy *h = &cgroup->tree->hierarchies[index];
        const unsigned wanted =
                h->controllers & (1u << CGROUP_MEMORY | 1u << CGROUP_PIDS | 1u << CGROUP_CPU);

        if (!cgroup_make_owner(cgroup, index, error))
                return false;
        if (!cgroup->is_sandbox)
                return true;
        if (!cgroup_is_legacy(cgroup, index) && !enable_for_sandboxes(cgroup, index, wanted, error))
                return false;
        g_hash_table_remove(cgroup->tree->told, cgroup->level);
        return mkdirat(h->parent_fd, cgroup->level, 0755) == 0 || errno == EEXIST ||
               cgroup_fail(cgroup, index, "make the parent of", errno, error);
}

/* In v1's cpuset: processors for the leaf, and for what is above it. 0 or -errno. */
static int fill_down(const Cgroup *cgroup, int parent, int leaf)
{
        autofd int level = openat(leaf, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        autofd int owner =
                cgroup->is_sandbox ? openat(level, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        int r = owner >= 0 ? cgroup_legacy_fill(parent, owner) : 0;

        if (r == 0)
                r = cgroup_legacy_fill(owner >= 0 ? owner : parent, level);
        return r == 0 ? cgroup_legacy_fill(level, leaf) : r;
}

static bool make_leaf(Cgroup *cgroup, unsigned index, GError **error)
{
        CgroupHierarchy *h = &cgroup->tree->hierarchies[index];
        int r = mkdirat(h->parent_fd, cgroup->name, 0755) < 0 ? -errno : 0;

        if (r == -ENOENT || r == -EBADF) {
                if (!make_level(cgroup, index, error))
                        return false;
                r = mkdirat(h->parent_fd, cgroup->name, 0755) < 0 ? -errno : 0;
        }
        if (r == -ENOMEM) /* what the kernel needs for a leaf counts as its owner's memory */
                return cgroup_memory_too_low(CGROUP_NO_LIMIT, "make another cgroup", error);
        if (r < 0)
                return cgroup_fail(cgroup, index, "make", -r, error);
        int fd = openat(h->parent_fd, cgroup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                r = -errno;
                (void) unlinkat(h->parent_fd, cgroup->name, AT_REMOVEDIR);
                return cgroup_fail(cgroup, index, "open", -r, error);
        }
        cgroup->leaf_fds[index] = fd;
        if (!(h->controllers & 1u << CGROUP_CPUSET) || !cgroup_is_legacy(cgroup, index))
                return true;
        r = fill_down(cgroup, h->parent_fd, fd);
        return r == 0 || cgroup_fail(cgroup, index, "give processors to", -r, error);
}

/* In v2 the owner's directory must hand the controllers down. It does not yet if the leaf is the
 * owner's first, or if a predecessor died between making and enabling. So look at what the leaf
 * has, not at what we made. */
static bool hand_down(const Cgroup *cgroup, unsigned index, GError **error)
{
        const CgroupHierarchy *h = &cgroup->tree->hierarchies[index];
        /* processors are shared among owners: their directories have the controller already; the
         * other two come with the first container that asks */
        const unsigned wanted =
                h->controllers & ~(1u << CGROUP_CPU | 1u << CGROUP_CPUSET | 1u << CGROUP_IO);
        const char *file = wanted & 1u << CGROUP_MEMORY ? "memory.max" : "pids.max";

        return cgroup_is_legacy(cgroup, index) || wanted == 0 ||
               faccessat(cgroup->leaf_fds[index], file, F_OK, 0) == 0 ||
               cgroup_hand_down(cgroup, index, wanted, error);
}

static bool limit_basics(Cgroup *cgroup, const CgroupLimits *limits, GError **error)
{
        const CgroupTree *tree = cgroup->tree;
        int memory = tree->serving[CGROUP_MEMORY], pids = tree->serving[CGROUP_PIDS];

        if (!check_controllers(tree, cgroup->owner, limits, error))
                return false;
        if (limits_tasks(limits) &&
            !cgroup_set_tasks(cgroup->leaf_fds[pids], limits->tasks_max, error))
                return false;
        return !limits_memory(limits) || tree->hierarchies[memory].backend->set_memory(
                                                 cgroup->leaf_fds[memory], limits->memory_max,
                                                 limits->memory_swap_max, error);
}

bool cgroup_limit(Cgroup *cgroup, const CgroupLimits *limits, GError **error)
{
        return limit_basics(cgroup, limits, error) &&
               (!limits->more || cgroup_limit_more(cgroup, limits->more, error));
}

bool cgroup_open_entries(Cgroup *cgroup, GError **error)
{
        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++) {
                bool is_legacy = cgroup->leaf_fds[i] >= 0 && cgroup_is_legacy(cgroup, i);
                if (cgroup->leaf_fds[i] < 0 || (!is_legacy && !cgroup->tree->kills_at_birth))
                        continue;
                int fd = openat(cgroup->leaf_fds[i], is_legacy ? "tasks" : "cgroup.procs",
                                O_WRONLY | O_CLOEXEC);
                if (fd < 0)
                        return cgroup_fail(cgroup, i, "open the tasks of", errno, error);
                cgroup->entry_fds[cgroup->n_entries++] = fd;
        }
        return true;
}

static bool fill_cgroup(Cgroup *cgroup, const CgroupLimits *limits, GError **error)
{
        unsigned chosen = cgroup_choose_hierarchies(cgroup->tree, cgroup->owner, limits);

        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
                if (chosen & 1u << i &&
                    (!make_leaf(cgroup, i, error) || !hand_down(cgroup, i, error)))
                        return false;
        return (cgroup->tree->is_copy || cgroup_cap_owner(cgroup->tree, cgroup->owner, error)) &&
               (!limits || cgroup_limit(cgroup, limits, error)) &&
               cgroup_watch_oom(cgroup, error) && cgroup_open_entries(cgroup, error);
}

bool cgroup_new(CgroupTree *tree, uid_t owner, uint64_t serial, const CgroupLimits *limits,
                Cgroup **ret, GError **error)
{
        g_autoptr(Cgroup) cgroup = NULL;

        if (!check_controllers(tree, owner, limits, error))
                return false;
        cgroup = cgroup_alloc(tree, owner, serial, limits && limits->is_sandbox);
        if (!fill_cgroup(cgroup, limits, error)) {
                (void) cgroup_remove(cgroup, NULL); /* only where we made it: there it has an fd */
                return false;
        }
        *ret = g_steal_pointer(&cgroup);
        return true;
}
