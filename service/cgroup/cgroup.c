#include "service/cgroup/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/cgroup/leaf.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

Cgroup *cgroup_alloc(CgroupTree *tree, uid_t owner, uint64_t serial, bool is_sandbox)
{
        Cgroup *cgroup = g_new0(Cgroup, 1);

        cgroup->tree = tree;
        cgroup->owner = owner;
        cgroup->is_sandbox = is_sandbox;
        snprintf(cgroup->level, sizeof cgroup->level, "%u%s", (unsigned) owner,
                 is_sandbox ? "/" CGROUP_SANDBOXES : "");
        snprintf(cgroup->name, sizeof cgroup->name, "%s/%" PRIu64, cgroup->level, serial);
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

bool cgroup_is_legacy(const Cgroup *cgroup, unsigned index)
{
        return cgroup->tree->hierarchies[index].backend == &cgroup_legacy;
}

/* "cannot make cgroup /sys/fs/cgroup/memory/system.slice/naive-runc.service/1000/42" */
bool cgroup_fail(const Cgroup *cgroup, unsigned index, const char *verb, int errnum, GError **error)
{
        const CgroupHierarchy *h = &cgroup->tree->hierarchies[index];

        if (cgroup->is_borrowed)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errnum,
                                       "cannot %s cgroup %s", verb, cgroup->path);
        return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errnum,
                               "cannot %s cgroup %s%s/%s", verb, h->mount_point, h->parent,
                               cgroup->name);
}

/* Also without a limit: the whole machine can run out of memory, too, and what that does to a
 * container must not depend on whether the service was started again meanwhile. */
bool cgroup_watch_oom(Cgroup *cgroup, GError **error)
{
        int index = cgroup->tree->serving[CGROUP_MEMORY];

        return index < 0 || cgroup->leaf_fds[index] < 0 ||
               cgroup->tree->hierarchies[index].backend->watch_oom(cgroup->leaf_fds[index],
                                                                   &cgroup->oom_count_fd,
                                                                   &cgroup->oom_event_fd, error);
}

/* NULL: there is none. */
static Cgroup *find_leaf(CgroupTree *tree, uid_t owner, uint64_t serial, bool is_sandbox)
{
        g_autoptr(Cgroup) cgroup = cgroup_alloc(tree, owner, serial, is_sandbox);
        bool found = false;

        for (unsigned i = 0; i < tree->n_hierarchies; i++) {
                cgroup->leaf_fds[i] = openat(tree->hierarchies[i].parent_fd, cgroup->name,
                                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                found = found || cgroup->leaf_fds[i] >= 0;
        }
        return found ? g_steal_pointer(&cgroup) : NULL;
}

bool cgroup_open(CgroupTree *tree, uid_t owner, uint64_t serial, Cgroup **ret, GError **error)
{
        g_autoptr(Cgroup) cgroup = find_leaf(tree, owner, serial, false);

        if (!cgroup)
                cgroup = find_leaf(tree, owner, serial, true);
        if (!cgroup && tree->before)
                return cgroup_open(tree->before, owner, serial, ret, error);
        if (!cgroup)
                return error_set(error, RUNTIME_ERROR_CGROUP_FAILED,
                                 "there is no cgroup leaf %u/%" PRIu64, (unsigned) owner, serial);
        if (!cgroup_watch_oom(cgroup, error))
                return false;
        *ret = g_steal_pointer(&cgroup);
        return true;
}

/* -- using -- */

int cgroup_birth_fd(const Cgroup *cgroup)
{
        int index = cgroup->tree->tracking;

        return index < 0 || cgroup_is_legacy(cgroup, (unsigned) index) ||
                               cgroup->tree->kills_at_birth
                       ? -1
                       : cgroup->leaf_fds[index];
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
        uint64_t events = 0;

        if (cgroup->oom_count_fd < 0)
                return 0;
        if (cgroup->oom_event_fd >= 0 && read(cgroup->oom_event_fd, &events, sizeof events) < 0)
                events = 0; /* EAGAIN: none since the last time */
        cgroup->oom_events += events;
        ssize_t n = pread(cgroup->oom_count_fd, text, sizeof text - 1, 0);
        if (n < 0)
                return 0;
        text[n] = '\0';
        return cgroup_keyed_value(text, "oom_kill");
}

/* It is the tracking one, but a predecessor's leaf may be left in another one only. */
int cgroup_tracking_leaf(const Cgroup *cgroup)
{
        int index = cgroup->tree->tracking;

        if (index < 0 || cgroup->leaf_fds[index] >= 0)
                return index;
        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
                if (cgroup->leaf_fds[i] >= 0)
                        return (int) i;
        return -1;
}

bool cgroup_require_hierarchy(const Cgroup *cgroup, GError **error)
{
        return cgroup->tree->tracking >= 0 ||
               error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                         "cannot reach the processes of a container: there is no cgroup hierarchy");
}

bool cgroup_kill(Cgroup *cgroup, GError **error)
{
        int index = cgroup_tracking_leaf(cgroup);

        if (!cgroup_require_hierarchy(cgroup, error))
                return false;
        if (index < 0 ||
            cgroup->tree->hierarchies[index].backend->kill(cgroup->leaf_fds[index], error))
                return true;
        g_prefix_error(error, "cannot end cgroup %s: ", cgroup->path);
        return false;
}

bool cgroup_signal(Cgroup *cgroup, int signal, pid_t spared, GError **error)
{
        int index = cgroup_tracking_leaf(cgroup);

        if (!cgroup_require_hierarchy(cgroup, error))
                return false;
        if (index >= 0)
                (void) cgroup_signal_others(cgroup->leaf_fds[index], signal, spared);
        return true;
}

bool cgroup_is_populated(Cgroup *cgroup)
{
        int index = cgroup_tracking_leaf(cgroup);

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
                return cgroup_fail(cgroup, index, "remove", -r, error);
        fd_clear(&cgroup->leaf_fds[index]);
        return true;
}

/* The tracking hierarchy first: while the leaf is in use there, it is in use in the others. */
bool cgroup_remove(Cgroup *cgroup, GError **error)
{
        int first = cgroup->tree->tracking;

        if (cgroup->is_borrowed)
                return true; /* whose it is removes it */
        if (first >= 0 && cgroup->leaf_fds[first] >= 0 &&
            !remove_leaf(cgroup, (unsigned) first, error))
                return false;
        for (unsigned i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
                if (cgroup->leaf_fds[i] >= 0 && !remove_leaf(cgroup, i, error))
                        return false;
        return true;
}
