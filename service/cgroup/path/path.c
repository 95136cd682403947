#include "service/cgroup/path/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/cgroup/path/internal.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

#define MAKE_TRIES 10u /* somebody else may remove what is empty above */

static void leaf_clear(PathLeaf *leaf)
{
        g_free(leaf->mount_point);
        g_free(leaf->mount_root);
        g_strfreev(leaf->controllers);
        g_free(leaf->own);
        g_free(leaf->below);
        fd_clear(&leaf->fd);
}

void path_cgroup_free(PathCgroup *cgroup)
{
        if (!cgroup)
                return;
        for (unsigned i = 0; i < cgroup->n; i++)
                leaf_clear(&cgroup->leaves[i]);
        g_free(cgroup->name);
        g_free(cgroup);
}

/* -- which directories -- */

static bool check_path(const char *path, GError **error)
{
        g_auto(GStrv) parts = g_strsplit(path, "/", -1);
        bool has_name = false;

        for (char **part = parts; *part; part++) {
                if (strcmp(*part, "..") == 0 || strcmp(*part, ".") == 0)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "cgroupsPath '%s' has the part '%s'", path, *part);
                if (strlen(*part) > NAME_MAX || strchr(*part, '\n'))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "cgroupsPath has a part that is no name of a cgroup");
                has_name = has_name || **part;
        }
        if (strlen(path) >= PATH_MAX / 2)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "cgroupsPath is too long");
        if (!strchr(path, '/') && strchr(path, ':'))
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "cgroupsPath '%s' is for the cgroup manager systemd, which is not "
                                 "supported",
                                 path);
        return has_name || error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                     "cgroupsPath '%s' is the root of all cgroups", path);
}

static char *join(const char *parent, const char *path)
{
        g_autofree char *whole = g_strconcat(parent, "/", path, NULL);
        g_autoptr(GString) clean = g_string_new(NULL);

        for (const char *c = whole; *c; c++)
                if (*c != '/' || (c[1] && c[1] != '/'))
                        g_string_append_c(clean, *c);
        return g_string_free(g_steal_pointer(&clean), FALSE);
}

/* In v2 whatever limits us has processes in it, and hands nothing down: what is ours goes beside
 * our own cgroup. */
static char *place_of(const PathLeaf *leaf, const char *path)
{
        g_autofree char *own = g_strdup(leaf->own);

        if (*path == '/')
                return join("", path);
        if (leaf->backend == &cgroup_unified && *own)
                *strrchr(own, '/') = '\0';
        g_autofree char *parent = g_strconcat(own, "/" PATH_CGROUP_PARENT, NULL);
        return join(parent, path);
}

/* -- making them -- */

/* All that there are: which of them the container needs, is not known here. */
static void hand_down(const PathLeaf *leaf, int dirfd)
{
        char text[1024];

        if (leaf->backend != &cgroup_unified ||
            fd_read_file_at(dirfd, "cgroup.controllers", text, sizeof text) <= 0)
                return;
        g_auto(GStrv) names = g_strsplit_set(text, " \n", -1);
        for (char **name = names; *name; name++) {
                g_autofree char *word = g_strconcat("+", *name, NULL);
                if (**name)
                        (void) fd_write_file_at(dirfd, "cgroup.subtree_control", word);
        }
}

static int open_below(int dirfd, const char *name)
{
        return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* 0 or -errno. */
static int descend(PathLeaf *leaf, int *dirfd, const char *name)
{
        hand_down(leaf, *dirfd);
        if (mkdirat(*dirfd, name, 0755) == 0)
                leaf->made++;
        else if (errno != EEXIST)
                return -errno;
        else
                leaf->made = 0;
        int fd = open_below(*dirfd, name);
        if (fd < 0)
                return -errno;
        int r = leaf->backend == &cgroup_legacy ? cgroup_legacy_fill(*dirfd, fd) : 0;
        fd_clear(dirfd);
        *dirfd = fd;
        return r;
}

static int make_once(PathLeaf *leaf)
{
        g_auto(GStrv) names = g_strsplit(leaf->below + 1, "/", -1);
        autofd int fd = open(leaf->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = fd < 0 ? -errno : 0;

        leaf->made = 0;
        for (char **name = names; r == 0 && *name; name++)
                r = descend(leaf, &fd, *name);
        if (r == 0)
                leaf->fd = steal_fd(&fd);
        return r;
}

static bool make_leaf(PathLeaf *leaf, GError **error)
{
        int r = -ENOENT;

        for (unsigned i = 0; i < MAKE_TRIES && r == -ENOENT; i++)
                r = make_once(leaf);
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, -r,
                                       "cannot make cgroup %s%s", leaf->mount_point, leaf->below);
        if (leaf->backend->is_populated(leaf->fd))
                return error_set(error, RUNTIME_ERROR_CGROUP_FAILED,
                                 "cgroup %s%s is in use: there are processes in it",
                                 leaf->mount_point, leaf->below);
        if (leaf->backend->is_told_to_freeze(leaf->fd) || leaf->backend->is_frozen(leaf->fd))
                return error_set(error, RUNTIME_ERROR_CGROUP_FAILED,
                                 "cgroup %s%s is frozen: nothing could start in it",
                                 leaf->mount_point, leaf->below);
        return true;
}

static void unmake(const PathLeaf *leaf)
{
        g_autofree char *path = g_strconcat(leaf->mount_point, leaf->below, NULL);

        for (unsigned i = 0; i < leaf->made && rmdir(path) == 0; i++)
                *strrchr(path, '/') = '\0';
}

static void set_name(PathCgroup *cgroup)
{
        const PathLeaf *leaf = &cgroup->leaves[0];

        cgroup->name = cgroup->n ? g_strconcat(leaf->mount_root, leaf->below, NULL) : g_strdup("");
}

bool path_cgroup_make(const char *path, const char *id, PathCgroup **ret, GError **error)
{
        g_autoptr(PathCgroup) cgroup = g_new0(PathCgroup, 1);
        bool ok = true;

        if (!check_path(path ? path : id, error))
                return false;
        path_cgroup_find(cgroup);
        for (unsigned i = 0; i < cgroup->n; i++)
                cgroup->leaves[i].below = place_of(&cgroup->leaves[i], path ? path : id);
        for (unsigned i = 0; i < cgroup->n && ok; i++)
                ok = make_leaf(&cgroup->leaves[i], error);
        for (unsigned i = 0; i < cgroup->n && !ok; i++)
                unmake(&cgroup->leaves[i]);
        if (!ok)
                return false;
        set_name(cgroup);
        *ret = g_steal_pointer(&cgroup);
        return true;
}

/* -- finding them again -- */

char **path_cgroup_directories(const PathCgroup *cgroup)
{
        char **list = g_new0(char *, cgroup->n + 1);

        for (unsigned i = 0; i < cgroup->n; i++)
                list[i] = g_strconcat(cgroup->leaves[i].mount_point, cgroup->leaves[i].below, NULL);
        return list;
}

/* Keeps of the hierarchies those that one of the directories lies in. */
static bool claim(PathLeaf *leaf, const char *const *directories)
{
        size_t length = strlen(leaf->mount_point);

        for (; *directories; directories++) {
                const char *below = *directories + length;
                if (strncmp(*directories, leaf->mount_point, length) != 0 || *below != '/' ||
                    !below[1] || strstr(below, "/../"))
                        continue;
                autofd int mount = open(leaf->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
                leaf->fd = mount < 0 ? -1 : open_below(mount, below + 1);
                leaf->below = g_strdup(below);
                return leaf->fd >= 0;
        }
        return false;
}

bool path_cgroup_open(const char *const *directories, PathCgroup **ret, GError **error)
{
        g_autoptr(PathCgroup) cgroup = g_new0(PathCgroup, 1);
        unsigned n = 0;

        path_cgroup_find(cgroup);
        for (unsigned i = 0; i < cgroup->n; i++) {
                if (claim(&cgroup->leaves[i], directories))
                        cgroup->leaves[n++] = cgroup->leaves[i];
                else
                        leaf_clear(&cgroup->leaves[i]);
        }
        cgroup->n = n;
        set_name(cgroup);
        *ret = g_steal_pointer(&cgroup);
        return true;
}

/* -- what others need of them -- */

int path_cgroup_unified(const PathCgroup *cgroup)
{
        const PathLeaf *first = &cgroup->leaves[0];

        return cgroup->n && first->backend == &cgroup_unified ? first->fd : -1;
}

int path_cgroup_birth_fd(const PathCgroup *cgroup)
{
        return path_cgroup_unified(cgroup);
}

int path_cgroup_open_of(const PathCgroup *cgroup, pid_t pid)
{
        char text[PROC_CGROUP_SIZE];
        ProcCgroup cgroups[PROC_CGROUPS_MAX];
        unsigned n = proc_list_cgroups(pid, text, cgroups);
        int whole = path_cgroup_unified(cgroup);
        size_t length = strlen(cgroup->name);

        for (unsigned i = 0; i < n && whole >= 0; i++)
                if (cgroups[i].is_unified && strncmp(cgroups[i].path, cgroup->name, length) == 0 &&
                    cgroups[i].path[length] == '/')
                        return open_below(whole, cgroups[i].path + length + 1);
        return -1;
}

bool path_cgroup_open_entries(const PathCgroup *cgroup, int fds[PATH_CGROUPS_MAX + 1],
                              GError **error)
{
        unsigned n = 0;

        for (unsigned i = 0; i < cgroup->n; i++) {
                const PathLeaf *leaf = &cgroup->leaves[i];
                if (leaf->backend == &cgroup_unified)
                        continue;
                fds[n] = openat(leaf->fd, "tasks", O_WRONLY | O_CLOEXEC);
                if (fds[n++] >= 0)
                        continue;
                int errnum = errno;
                while (n-- > 0)
                        fd_close(fds[n]);
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errnum,
                                       "cannot open the tasks of cgroup %s%s", leaf->mount_point,
                                       leaf->below);
        }
        fds[n] = -1;
        return true;
}

const char *path_cgroup_name(const PathCgroup *cgroup)
{
        return cgroup->name;
}

static bool has_controller(const PathLeaf *leaf, const char *controller)
{
        char text[1024];

        if (leaf->backend == &cgroup_legacy)
                return g_strv_contains((const char *const *) leaf->controllers, controller);
        if (fd_read_file_at(leaf->fd, "cgroup.controllers", text, sizeof text) <= 0)
                return false;
        g_auto(GStrv) names = g_strsplit_set(text, " \n", -1);
        return g_strv_contains((const char *const *) names, controller);
}

static const PathLeaf *leaf_of(const PathCgroup *cgroup, const char *controller)
{
        for (unsigned i = 0; i < cgroup->n; i++)
                if (has_controller(&cgroup->leaves[i], controller))
                        return &cgroup->leaves[i];
        return NULL;
}

int path_cgroup_of(const PathCgroup *cgroup, const char *controller, bool *ret_is_unified)
{
        const PathLeaf *leaf = leaf_of(cgroup, controller);

        if (leaf && ret_is_unified)
                *ret_is_unified = leaf->backend == &cgroup_unified;
        return leaf ? leaf->fd : -1;
}
