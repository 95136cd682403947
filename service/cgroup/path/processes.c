/* What is done to the processes of a cgroup at a path. One hierarchy has all of them: v2 if it is
 * mounted, else the freezer's. A privileged container may have moved some in the others. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "service/cgroup/path/internal.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

#define FREEZE_WAIT_MSEC 10000
#define LOOK_MSEC        5

static bool is_freezer(const PathLeaf *leaf)
{
        return leaf->backend == &cgroup_legacy &&
               g_strv_contains((const char *const *) leaf->controllers, "freezer");
}

/* NULL: none is left. */
static const PathLeaf *tracking(const PathCgroup *cgroup)
{
        for (unsigned i = 0; i < cgroup->n; i++)
                if (cgroup->leaves[i].backend == &cgroup_unified || is_freezer(&cgroup->leaves[i]))
                        return &cgroup->leaves[i];
        return cgroup->n ? &cgroup->leaves[0] : NULL;
}

/* v1: who was killed has to go on to end, and whoever froze it may have been somebody else, inside
 * perhaps. */
static void thaw_below(int dirfd, unsigned depth)
{
        g_autoptr(GPtrArray) names = cgroup_list_directories(dirfd);

        (void) cgroup_legacy.tell_freezer(dirfd, false);
        for (unsigned i = 0; depth > 0 && i < names->len; i++) {
                autofd int child = openat(dirfd, names->pdata[i],
                                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child >= 0)
                        thaw_below(child, depth - 1);
        }
}

bool path_cgroup_kill(PathCgroup *cgroup, GError **error)
{
        const PathLeaf *leaf = tracking(cgroup);
        bool ok = !leaf || leaf->backend->kill(leaf->fd, error);

        for (unsigned i = 0; i < cgroup->n; i++) {
                const PathLeaf *other = &cgroup->leaves[i];
                if (other != leaf)
                        (void) cgroup_signal_all(other->fd, SIGKILL);
                if (is_freezer(other))
                        thaw_below(other->fd, CGROUP_DEPTH_MAX);
        }
        if (!ok)
                g_prefix_error(error, "cannot end cgroup %s: ", cgroup->name);
        return ok;
}

void path_cgroup_signal(PathCgroup *cgroup, int signal)
{
        const PathLeaf *leaf = tracking(cgroup);

        if (leaf)
                (void) cgroup_signal_all(leaf->fd, signal);
}

bool path_cgroup_is_populated(const PathCgroup *cgroup)
{
        for (unsigned i = 0; i < cgroup->n; i++)
                if (cgroup->leaves[i].backend->is_populated(cgroup->leaves[i].fd))
                        return true;
        return false;
}

void path_cgroup_list(const PathCgroup *cgroup, size_t max, GArray *pids)
{
        const PathLeaf *leaf = tracking(cgroup);

        if (leaf)
                cgroup_list_below(leaf->fd, CGROUP_DEPTH_MAX, max, pids);
}

/* -- standing still -- */

/* v2 reports each change; v1 does not, and tries again with each look what it was told. */
static bool wait_for(const PathLeaf *leaf, bool frozen)
{
        const char *file = leaf->backend->freeze_events;
        autofd int events = file ? openat(leaf->fd, file, O_RDONLY | O_CLOEXEC) : -1;
        gint64 deadline = g_get_monotonic_time() + FREEZE_WAIT_MSEC * G_TIME_SPAN_MILLISECOND;
        char text[512];

        while (leaf->backend->is_frozen(leaf->fd) != frozen) {
                gint64 left = (deadline - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
                if (left <= 0)
                        return false;
                struct pollfd change = {.fd = events, .events = POLLPRI};
                if (events < 0 && leaf->backend->tell_freezer(leaf->fd, frozen) < 0)
                        return false;
                (void) poll(&change, events >= 0, events >= 0 ? (int) left : LOOK_MSEC);
                if (events >= 0)
                        (void) !pread(events, text, sizeof text, 0);
        }
        return true;
}

static bool freeze_leaf(const PathCgroup *cgroup, const PathLeaf *leaf, bool frozen, GError **error)
{
        const char *verb = frozen ? "freeze" : "thaw";
        int r = leaf->backend->tell_freezer(leaf->fd, frozen);

        if (r == -ENOENT)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "cannot %s cgroup %s: no freezer is mounted", verb, cgroup->name);
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, -r,
                                       "cannot %s cgroup %s", verb, cgroup->name);
        if (wait_for(leaf, frozen))
                return true;
        (void) leaf->backend->tell_freezer(leaf->fd, !frozen);
        return error_set(error, RUNTIME_ERROR_CGROUP_FAILED,
                         "cannot %s cgroup %s: not all of its processes did so within %d s, "
                         "perhaps as a cgroup above it is frozen",
                         verb, cgroup->name, FREEZE_WAIT_MSEC / 1000);
}

bool path_cgroup_set_frozen(PathCgroup *cgroup, bool frozen, GError **error)
{
        const PathLeaf *leaf = tracking(cgroup);

        if (!leaf)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "cannot %s the container: it has no cgroup",
                                 frozen ? "pause" : "resume");
        /* whoever froze it may have used the other hierarchy */
        for (unsigned i = 0; i < cgroup->n && !frozen; i++) {
                const PathLeaf *other = &cgroup->leaves[i];
                if (other != leaf && is_freezer(other) &&
                    other->backend->is_told_to_freeze(other->fd) &&
                    !freeze_leaf(cgroup, other, false, error))
                        return false;
        }
        return freeze_leaf(cgroup, leaf, frozen, error);
}

bool path_cgroup_is_frozen(const PathCgroup *cgroup)
{
        for (unsigned i = 0; i < cgroup->n; i++)
                if (cgroup->leaves[i].backend->is_told_to_freeze(cgroup->leaves[i].fd))
                        return true;
        return false;
}

/* -- removing -- */

static bool remove_leaf(const PathLeaf *leaf, GError **error)
{
        g_autofree char *path = g_strconcat(leaf->mount_point, leaf->below, NULL);
        int r = rmdir(path) < 0 ? -errno : 0;

        if (r == -EBUSY || r == -ENOTEMPTY) {
                (void) cgroup_remove_children(leaf->fd);
                r = rmdir(path) < 0 ? -errno : 0;
        }
        if (r < 0 && r != -ENOENT)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, -r,
                                       "cannot remove cgroup %s", path);
        /* what only ever holds ours goes with the last of them */
        g_autofree char *parent = g_path_get_dirname(path);
        if (g_str_has_suffix(parent, "/" PATH_CGROUP_PARENT))
                (void) rmdir(parent);
        return true;
}

bool path_cgroup_remove(PathCgroup *cgroup, GError **error)
{
        for (unsigned i = 0; i < cgroup->n; i++)
                if (!remove_leaf(&cgroup->leaves[i], error))
                        return false;
        return true;
}
