#include "service/cgroup/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/cgroup/copy.h"
#include "service/cgroup/internal.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

/* Fds are indexed like the tree's hierarchies; -1 where the leaf is not. */
struct Cgroup {
        CgroupTree *tree; /* borrowed: it outlives its leaves */
        uid_t owner;
        char name[sizeof "4294967295/18446744073709551615"];
        char *path;
        int leaf_fds[CGROUP_HIERARCHIES_MAX];
        int entry_fds[CGROUP_ENTRY_FDS_MAX]; /* packed: the v1 ones */
        unsigned n_entries;
        int oom_count_fd, oom_event_fd;
};

static Cgroup *cgroup_alloc(CgroupTree *tree, uid_t owner, uint64_t serial)
{
        Cgroup *cgroup = g_new0(Cgroup, 1);

        cgroup->tree = tree;
        cgroup->owner = owner;
        snprintf(cgroup->name, sizeof cgroup->name, "%u/%" PRIu64, (unsigned) owner, serial);
        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
                cgroup->leaf_fds[i] = -1;
        cgroup->oom_count_fd = cgroup->oom_event_fd = -1;
        if (tree->tracking < 0) {
                cgroup->path = g_strdup("");
        } else {
                const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
                cgroup->path = g_strconcat(h->mount_root, h->parent, "/", cgroup->name, NULL);
        }
        return cgroup;
}

void cgroup_close_entries(Cgroup *cgroup)
{
        while (cgroup->n_entries > 0)
                fd_close(cgroup->entry_fds[--cgroup->n_entries]);
}

void cgroup_free(Cgroup *cgroup)
{
        if (!cgroup)
                return;
        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
                fd_close(cgroup->leaf_fds[i]);
        cgroup_close_entries(cgroup);
        fd_close(cgroup->oom_count_fd);
        fd_close(cgroup->oom_event_fd);
        g_free(cgroup->path);
        g_free(cgroup);
}

static bool is_legacy(const Cgroup *cgroup, unsigned index)
{
        return cgroup->tree->hierarchies[index].backend == &cgroup_legacy;
}

/* "cannot make cgroup /sys/fs/cgroup/memory/system.slice/naive-runc.service/1000/42" */
static bool fail_leaf(const Cgroup *cgroup, unsigned index, const char *verb, int errnum,
                      GError **error)
{
        const CgroupHierarchy *h = &cgroup->tree->hierarchies[index];

        return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errnum,
                               "cannot %s cgroup %s%s/%s", verb, h->mount_point, h->parent,
                               cgroup->name);
}

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

/* -- making -- */

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

static bool check_controllers(const CgroupTree *tree, uid_t owner, const CgroupLimits *limits,
                              GError **error)
{
        const CgroupLimits ceilings = cgroup_ceilings_of(tree, owner);
        bool memory = limits_memory(&ceilings) || (limits && limits_memory(limits));
        bool tasks = limits_tasks(&ceilings) || (limits && limits_tasks(limits));

        return (!memory || find_controller(tree, CGROUP_MEMORY, "memory", error)) &&
               (!tasks || find_controller(tree, CGROUP_PIDS, "tasks", error));
}

/* The hierarchies (bits) that this container needs a leaf in. */
static unsigned choose_hierarchies(const CgroupTree *tree, uid_t owner, const CgroupLimits *limits)
{
        const CgroupLimits ceilings = cgroup_ceilings_of(tree, owner);
        unsigned chosen = tree->tracking < 0 ? 0 : 1u << tree->tracking;

        if (tree->serving[CGROUP_MEMORY] >= 0 &&
            (!limits || limits_memory(limits) || limits_memory(&ceilings)))
                chosen |= 1u << tree->serving[CGROUP_MEMORY];
        if (tree->serving[CGROUP_PIDS] >= 0 &&
            (!limits || limits_tasks(limits) || limits_tasks(&ceilings)))
                chosen |= 1u << tree->serving[CGROUP_PIDS];
        return chosen;
}

/* For a copy of the service, which makes none: the service may have made it anew. */
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

/* The owner's directory stays when its last leaf goes: to make it for every run would cost more
 * than the leaf. A parent that is gone (swept, or by systemd after the last process) is made again.
 */
static bool make_owner(const Cgroup *cgroup, unsigned index, GError **error)
{
        CgroupHierarchy *h = &cgroup->tree->hierarchies[index];
        char name[16];

        if (cgroup->tree->is_copy)
                return find_parent(h) ||
                       fail_leaf(cgroup, index, "find the parent of", errno, error);
        g_hash_table_remove(cgroup->tree->capped, GUINT_TO_POINTER(cgroup->owner));
        snprintf(name, sizeof name, "%u", (unsigned) cgroup->owner);
        if (mkdirat(h->parent_fd, name, 0755) == 0 || errno == EEXIST)
                return true;
        if (errno != ENOENT && errno != EBADF)
                return fail_leaf(cgroup, index, "make the parent of", errno, error);
        if (!cgroup_hierarchy_make_parent(h, error))
                return false;
        if (mkdirat(h->parent_fd, name, 0755) < 0)
                return fail_leaf(cgroup, index, "make the parent of", errno, error);
        return true;
}

static bool make_leaf(Cgroup *cgroup, unsigned index, GError **error)
{
        CgroupHierarchy *h = &cgroup->tree->hierarchies[index];
        int r = mkdirat(h->parent_fd, cgroup->name, 0755) < 0 ? -errno : 0;

        if (r == -ENOENT || r == -EBADF) {
                if (!make_owner(cgroup, index, error))
                        return false;
                r = mkdirat(h->parent_fd, cgroup->name, 0755) < 0 ? -errno : 0;
        }
        if (r == -ENOMEM) /* the kernel's part of a leaf counts as its owner's memory */
                return cgroup_memory_too_low(CGROUP_NO_LIMIT, "make another cgroup", error);
        if (r < 0)
                return fail_leaf(cgroup, index, "make", -r, error);
        int fd = openat(h->parent_fd, cgroup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                r = -errno;
                (void) unlinkat(h->parent_fd, cgroup->name, AT_REMOVEDIR);
                return fail_leaf(cgroup, index, "open", -r, error);
        }
        cgroup->leaf_fds[index] = fd;
        return true;
}

/* v2: the owner's directory must hand the controllers down. It does, but for the first leaf of an
 * owner, and after a predecessor that died between making and enabling: so look at the leaf, not at
 * what we made. */
static bool hand_down(const Cgroup *cgroup, unsigned index, GError **error)
{
        const CgroupHierarchy *h = &cgroup->tree->hierarchies[index];
        g_auto(GStrv) reasons = g_new0(char *, _CGROUP_CONTROLLER_MAX + 1);
        const char *file = h->controllers & 1u << CGROUP_MEMORY ? "memory.max" : "pids.max";
        char name[16];

        if (is_legacy(cgroup, index) || h->controllers == 0 ||
            faccessat(cgroup->leaf_fds[index], file, F_OK, 0) == 0)
                return true;
        snprintf(name, sizeof name, "%u", (unsigned) cgroup->owner);
        autofd int fd = openat(h->parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return fail_leaf(cgroup, index, "open the parent of", errno, error);
        if ((cgroup_unified_enable(fd, h->controllers, reasons) & h->controllers) == h->controllers)
                return true;
        return error_set(error, RUNTIME_ERROR_CGROUP_FAILED,
                         "cannot hand controllers down to cgroup %s: %s", cgroup->path,
                         reasons[CGROUP_MEMORY] ? reasons[CGROUP_MEMORY] : reasons[CGROUP_PIDS]);
}

/* Whether there is a limit or not: the machine too can be out of memory, and what that does to a
 * container must not depend on whether the service was started again. */
static bool watch_oom(Cgroup *cgroup, GError **error)
{
        int index = cgroup->tree->serving[CGROUP_MEMORY];

        return index < 0 || cgroup->leaf_fds[index] < 0 ||
               cgroup->tree->hierarchies[index].backend->watch_oom(cgroup->leaf_fds[index],
                                                                   &cgroup->oom_count_fd,
                                                                   &cgroup->oom_event_fd, error);
}

bool cgroup_limit(Cgroup *cgroup, const CgroupLimits *limits, GError **error)
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

static bool open_entries(Cgroup *cgroup, GError **error)
{
        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++) {
                if (cgroup->leaf_fds[i] < 0 || !is_legacy(cgroup, i))
                        continue;
                int fd = openat(cgroup->leaf_fds[i], "tasks", O_WRONLY | O_CLOEXEC);
                if (fd < 0)
                        return fail_leaf(cgroup, i, "open the tasks of", errno, error);
                cgroup->entry_fds[cgroup->n_entries++] = fd;
        }
        return true;
}

static bool fill_cgroup(Cgroup *cgroup, const CgroupLimits *limits, GError **error)
{
        unsigned chosen = choose_hierarchies(cgroup->tree, cgroup->owner, limits);

        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
                if (chosen & 1u << i &&
                    (!make_leaf(cgroup, i, error) || !hand_down(cgroup, i, error)))
                        return false;
        return (cgroup->tree->is_copy || cgroup_cap_owner(cgroup->tree, cgroup->owner, error)) &&
               (!limits || cgroup_limit(cgroup, limits, error)) && watch_oom(cgroup, error) &&
               open_entries(cgroup, error);
}

bool cgroup_new(CgroupTree *tree, uid_t owner, uint64_t serial, const CgroupLimits *limits,
                Cgroup **ret, GError **error)
{
        g_autoptr(Cgroup) cgroup = NULL;

        if (!check_controllers(tree, owner, limits, error))
                return false;
        cgroup = cgroup_alloc(tree, owner, serial);
        if (!fill_cgroup(cgroup, limits, error)) {
                (void) cgroup_remove(cgroup, NULL); /* what has an fd in it was made by us */
                return false;
        }
        *ret = g_steal_pointer(&cgroup);
        return true;
}

bool cgroup_open(CgroupTree *tree, uid_t owner, uint64_t serial, Cgroup **ret, GError **error)
{
        g_autoptr(Cgroup) cgroup = cgroup_alloc(tree, owner, serial);
        bool found = false;

        for (unsigned i = 0; i < tree->n_hierarchies; i++) {
                cgroup->leaf_fds[i] = openat(tree->hierarchies[i].parent_fd, cgroup->name,
                                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                found = found || cgroup->leaf_fds[i] >= 0;
        }
        if (!found)
                return error_set(error, RUNTIME_ERROR_CGROUP_FAILED, "there is no cgroup leaf %s",
                                 cgroup->name);
        if (!watch_oom(cgroup, error))
                return false;
        *ret = g_steal_pointer(&cgroup);
        return true;
}

/* -- leaves made by a copy -- */

bool cgroup_make_way(CgroupTree *tree, uid_t owner, uint64_t serial, GError **error)
{
        g_autoptr(Cgroup) cgroup = cgroup_alloc(tree, owner, serial);
        unsigned chosen = choose_hierarchies(tree, owner, NULL);
        char name[16];

        snprintf(name, sizeof name, "%u", (unsigned) owner);
        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
                if (chosen & 1u << i &&
                    faccessat(tree->hierarchies[i].parent_fd, name, F_OK, 0) < 0 &&
                    !make_owner(cgroup, i, error))
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
        Cgroup *cgroup = cgroup_alloc(tree, owner, serial);

        memcpy(cgroup->leaf_fds, fds, sizeof cgroup->leaf_fds);
        cgroup->oom_count_fd = fds[CGROUP_HIERARCHIES_MAX];
        cgroup->oom_event_fd = fds[CGROUP_HIERARCHIES_MAX + 1];
        return cgroup;
}

/* -- using -- */

int cgroup_birth_fd(const Cgroup *cgroup)
{
        int index = cgroup->tree->tracking;

        return index < 0 || is_legacy(cgroup, (unsigned) index) ? -1 : cgroup->leaf_fds[index];
}

int cgroup_entry_fd(const Cgroup *cgroup, unsigned index)
{
        return index < cgroup->n_entries ? cgroup->entry_fds[index] : -1;
}

const char *cgroup_path(const Cgroup *cgroup)
{
        return cgroup->path;
}

int cgroup_oom_fd(const Cgroup *cgroup, short *ret_events)
{
        bool has_event = cgroup->oom_event_fd >= 0;

        *ret_events = has_event ? POLLIN : POLLPRI;
        return has_event ? cgroup->oom_event_fd : cgroup->oom_count_fd;
}

uint64_t cgroup_oom_kills(Cgroup *cgroup)
{
        char text[512];
        uint64_t events;

        if (cgroup->oom_count_fd < 0)
                return 0;
        if (cgroup->oom_event_fd >= 0 && read(cgroup->oom_event_fd, &events, sizeof events) < 0)
                events = 0; /* EAGAIN: none since the last time */
        ssize_t n = pread(cgroup->oom_count_fd, text, sizeof text - 1, 0);
        if (n < 0)
                return 0;
        text[n] = '\0';
        return cgroup_keyed_value(text, "oom_kill");
}

/* The hierarchy to look for processes in, or -1: a predecessor's leaf may be left in another one
 * only, and a removed one is in none. */
static int tracking_leaf(const Cgroup *cgroup)
{
        int index = cgroup->tree->tracking;

        if (index < 0 || cgroup->leaf_fds[index] >= 0)
                return index;
        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
                if (cgroup->leaf_fds[i] >= 0)
                        return (int) i;
        return -1;
}

static bool require_hierarchy(const Cgroup *cgroup, GError **error)
{
        return cgroup->tree->tracking >= 0 ||
               error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                         "cannot reach the processes of a container: there is no cgroup hierarchy");
}

bool cgroup_kill(Cgroup *cgroup, GError **error)
{
        int index = tracking_leaf(cgroup);

        if (!require_hierarchy(cgroup, error))
                return false;
        if (index < 0 ||
            cgroup->tree->hierarchies[index].backend->kill(cgroup->leaf_fds[index], error))
                return true;
        g_prefix_error(error, "cannot end cgroup %s: ", cgroup->path);
        return false;
}

bool cgroup_signal(Cgroup *cgroup, int signal, GError **error)
{
        int index = tracking_leaf(cgroup);

        if (!require_hierarchy(cgroup, error))
                return false;
        if (index >= 0)
                (void) cgroup_signal_all(cgroup->leaf_fds[index], signal);
        return true;
}

bool cgroup_is_populated(Cgroup *cgroup)
{
        int index = tracking_leaf(cgroup);

        return index >= 0 &&
               cgroup->tree->hierarchies[index].backend->is_populated(cgroup->leaf_fds[index]);
}

/* -- removing -- */

static bool remove_leaf(Cgroup *cgroup, unsigned index, GError **error)
{
        const CgroupHierarchy *h = &cgroup->tree->hierarchies[index];
        int r = unlinkat(h->parent_fd, cgroup->name, AT_REMOVEDIR) < 0 ? -errno : 0;

        if (r == -EBUSY || r == -ENOTEMPTY) {
                (void) cgroup_remove_children(cgroup->leaf_fds[index]);
                r = unlinkat(h->parent_fd, cgroup->name, AT_REMOVEDIR) < 0 ? -errno : 0;
        }
        if (r == -EBUSY && cgroup_has_processes(cgroup->leaf_fds[index]))
                return error_set(error, RUNTIME_ERROR_CGROUP_FAILED,
                                 "cannot remove cgroup %s%s/%s: there are processes in it",
                                 h->mount_point, h->parent, cgroup->name);
        if (r < 0 && r != -ENOENT)
                return fail_leaf(cgroup, index, "remove", -r, error);
        fd_clear(&cgroup->leaf_fds[index]);
        return true;
}

/* The tracking one first: while it is in use, so are the others. */
bool cgroup_remove(Cgroup *cgroup, GError **error)
{
        int first = cgroup->tree->tracking;

        if (first >= 0 && cgroup->leaf_fds[first] >= 0 &&
            !remove_leaf(cgroup, (unsigned) first, error))
                return false;
        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
                if (cgroup->leaf_fds[i] >= 0 && !remove_leaf(cgroup, i, error))
                        return false;
        return true;
}
