/* Finding the hierarchies and the service's place in them, once at start.
 *
 * Each controller is served by v2 if v2 hands it down as far as our parent directory, else by the
 * v1 hierarchy that has it, else by none, and then the reason is kept for whoever asks for that
 * limit.
 *
 * Paths: /proc/PID/cgroup speaks of paths in the hierarchy, as far as our cgroup namespace shows
 * it; a mount may show a part of it only (its root). We make directories below the mount point and
 * add the root when a path is told. */

#include "service/cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/cgroup/hit.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/mountinfo.h"
#include "service/util/proc.h"

#define PARENT_DEFAULT  "/system.slice/naive-runc.service"
#define PARENT_BESIDE   "/system.slice/naive-runc-containers"
#define SERVICE_UNIT    "naive-runc.service"
#define CONTAINERS_UNIT "naive-runc-containers.service"
#define SUPERVISOR      "supervisor"

const char *cgroup_mode_to_string(CgroupMode mode)
{
        static const char *const names[] = {"none", "unified", "hybrid", "legacy"};

        return names[mode];
}

CgroupMode cgroup_tree_mode(const CgroupTree *tree)
{
        return tree->mode;
}

/* -- what is mounted -- */

static bool is_unified(const MountInfo *mount)
{
        return strcmp(mount->type, "cgroup2") == 0;
}

/* The list also has mounts that something else covers: look at what is really there. */
static int open_mount(const MountInfo *mount)
{
        autofd int fd = open(mount->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct statfs fs;

        if (fd < 0 || fstatfs(fd, &fs) < 0)
                return -1;
        if (fs.f_type != (is_unified(mount) ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
                return -1;
        return steal_fd(&fd);
}

static bool has_option(const MountInfo *mount, const char *option)
{
        g_auto(GStrv) options = g_strsplit(mount->options, ",", -1);

        return g_strv_contains((const char *const *) options, option);
}

/* Of several mounts of a hierarchy, the best shows it from its root. `controller` is NULL for
 * v2. */
static const MountInfo *find_mount(const GPtrArray *mounts, const char *controller)
{
        const MountInfo *best = NULL;

        for (unsigned i = 0; i < mounts->len; i++) {
                const MountInfo *mount = mounts->pdata[i];
                if (controller
                            ? strcmp(mount->type, "cgroup") != 0 || !has_option(mount, controller)
                            : !is_unified(mount))
                        continue;
                if (best && (strcmp(best->root, "/") == 0 || strcmp(mount->root, "/") != 0))
                        continue;
                autofd int fd = open_mount(mount);
                if (fd >= 0)
                        best = mount;
        }
        return best;
}

/* -- the parent directory -- */

void cgroup_hierarchy_remove_parent(CgroupHierarchy *h)
{
        g_autofree char *path = g_strconcat(h->mount_point, h->parent, NULL);

        for (; h->parent_made > 0 && rmdir(path) == 0; h->parent_made--)
                *strrchr(path, '/') = '\0';
}

#define V2_CONTROLLERS                                                                             \
        (1u << CGROUP_MEMORY | 1u << CGROUP_PIDS | 1u << CGROUP_CPU | 1u << CGROUP_CPUSET |        \
         1u << CGROUP_IO)

/* Outside systemd nobody hands the controllers down, so try at every level. A failure shows at the
 * last level: the controller is not there. */
static void hand_down(CgroupHierarchy *h, int dirfd)
{
        if (h->backend == &cgroup_unified && !h->is_delegated)
                (void) cgroup_unified_enable(dirfd, V2_CONTROLLERS, NULL);
}

/* Makes one level, unless it is there or is systemd's, and moves `dirfd` on to it. */
static bool descend(CgroupHierarchy *h, int *dirfd, const char *name)
{
        if (!h->is_delegated && mkdirat(*dirfd, name, 0755) == 0)
                h->parent_made++;
        else if (!h->is_delegated && errno != EEXIST)
                return false;
        int fd = openat(*dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return false;
        if (h->backend == &cgroup_legacy)
                (void) cgroup_legacy_fill(*dirfd,
                                          fd); /* what stays empty is told by who needs it */
        fd_clear(dirfd);
        *dirfd = fd;
        return true;
}

/* cgroup v1 before Linux 5.11 may count a directory apart from those below it. */
static void count_hierarchically(const CgroupHierarchy *h)
{
        char text[8];

        if (fd_read_file_at(h->parent_fd, "memory.use_hierarchy", text, sizeof text) > 0 &&
            text[0] == '0')
                (void) fd_write_file_at(h->parent_fd, "memory.use_hierarchy", "1");
}

bool cgroup_hierarchy_make_parent(CgroupHierarchy *h, GError **error)
{
        g_auto(GStrv) names = g_strsplit(h->parent, "/", -1);
        autofd int fd = open(h->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        fd_clear(&h->parent_fd);
        h->parent_made = 0;
        for (char **name = names; fd >= 0 && *name; name++) {
                if (!**name)
                        continue;
                hand_down(h, fd);
                if (!descend(h, &fd, *name)) {
                        error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno,
                                        "cannot make cgroup '%s' in %s%s", *name, h->mount_point,
                                        h->parent);
                        cgroup_hierarchy_remove_parent(h);
                        return false;
                }
        }
        if (fd < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno, "cannot open %s",
                                       h->mount_point);
        /* To root of a user namespace these may be a stranger's directories, which were there
         * before. */
        if (faccessat(fd, ".", W_OK, AT_EACCESS) < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno, "cannot use %s%s",
                                       h->mount_point, h->parent);
        hand_down(h, fd);
        h->parent_fd = steal_fd(&fd);
        count_hierarchically(h);
        return true;
}

/* -- systemd -- */

/* Our own v2 directory below the mount point, or NULL if the mount does not show it. */
static char *own_directory(const MountInfo *mount)
{
        g_autofree char *text = NULL;
        size_t root = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
        ProcCgroup own = {0};

        if (!g_file_get_contents("/proc/self/cgroup", &text, NULL, NULL))
                return NULL;
        char *rest = text;
        while (proc_next_cgroup(&rest, &own) && !own.is_unified)
                ;
        if (!own.is_unified || strncmp(own.path, mount->root, root) != 0 ||
            (own.path[root] && own.path[root] != '/'))
                return NULL;
        return g_strdup(own.path + root);
}

/* A directory is ours to divide only if systemd has left its mark of delegation on it. Its name
 * says nothing: a program that is started by hand inside some other service is in a directory of
 * that service's name. */
static bool is_delegated(const MountInfo *mount, const char *path)
{
        g_autofree char *directory = g_strconcat(mount->point, path, NULL);
        char mark[2];

        return access(directory, W_OK) == 0 &&
               (getxattr(directory, "trusted.delegate", mark, sizeof mark) == 1 ||
                getxattr(directory, "user.delegate", mark, sizeof mark) == 1) &&
               mark[0] == '1';
}

/* The delegated parent below the mount point of v2, or NULL. If systemd started us in the service's
 * unit, it is the directory of the containers' unit, which lies beside: systemd could not start us
 * again in a directory that hands controllers down (EBUSY). In another unit it is the directory
 * above the leaf "supervisor" that we are in (DelegateSubgroup=, since 254). */
static char *find_delegated(const MountInfo *mount)
{
        g_autofree char *unit = mount ? own_directory(mount) : NULL;
        bool in_leaf = unit && g_str_has_suffix(unit, ".service/" SUPERVISOR);

        if (in_leaf)
                *strrchr(unit, '/') = '\0';
        if (unit && g_str_has_suffix(unit, "/" SERVICE_UNIT)) {
                g_autofree char *slice = g_path_get_dirname(unit);
                g_autofree char *beside = g_build_filename(slice, CONTAINERS_UNIT, NULL);
                if (is_delegated(mount, beside))
                        return g_steal_pointer(&beside);
        }
        return in_leaf && is_delegated(mount, unit) ? g_steal_pointer(&unit) : NULL;
}

/* Without the containers' unit: beside the unit's own directory where systemd could not start the
 * unit otherwise, see above. */
static const char *default_parent(const MountInfo *mount)
{
        autofd int fd = mount ? open_mount(mount) : -1;
        char controllers[512];

        if (access("/run/systemd/system", F_OK) == 0 && fd >= 0 &&
            fd_read_file_at(fd, "cgroup.controllers", controllers, sizeof controllers) > 1)
                return PARENT_BESIDE;
        return PARENT_DEFAULT;
}

/* -- putting it together -- */

static void hierarchy_clear(CgroupHierarchy *h)
{
        g_clear_pointer(&h->mount_point, g_free);
        g_clear_pointer(&h->mount_root, g_free);
        g_clear_pointer(&h->device, g_free);
        g_clear_pointer(&h->parent, g_free);
        fd_clear(&h->parent_fd);
}

/* Index of the new hierarchy, or -1. */
static int add_hierarchy(CgroupTree *tree, const MountInfo *mount, const char *parent,
                         bool delegated, GError **error)
{
        CgroupHierarchy *h = &tree->hierarchies[tree->n_hierarchies];

        *h = (CgroupHierarchy){
                .backend = is_unified(mount) ? &cgroup_unified : &cgroup_legacy,
                .mount_point = g_strdup(mount->point),
                .mount_root = g_strdup(strcmp(mount->root, "/") == 0 ? "" : mount->root),
                .device = g_strdup(mount->device),
                .parent = g_strdup(parent),
                .is_delegated = delegated,
                .parent_fd = -1,
        };
        if (!cgroup_hierarchy_make_parent(h, error)) {
                hierarchy_clear(h);
                return -1;
        }
        return (int) tree->n_hierarchies++;
}

static void serve(CgroupTree *tree, CgroupController controller, int index)
{
        tree->serving[controller] = index;
        tree->hierarchies[index].controllers |= 1u << controller;
        g_clear_pointer(&tree->missing[controller], g_free);
}

static void add_unified(CgroupTree *tree, const MountInfo *mount, const char *parent,
                        bool delegated)
{
        g_autoptr(GError) error = NULL;
        int index = add_hierarchy(tree, mount, parent, delegated, &error);

        if (index >= 0) {
                int fd = tree->hierarchies[index].parent_fd;
                tree->tracking = index;
                tree->kills_at_birth = cgroup_kills_at_birth(&tree->hierarchies[index]);
                unsigned enabled = cgroup_unified_enable(fd, V2_CONTROLLERS, tree->missing);
                for (unsigned i = 0; i < _CGROUP_CONTROLLER_MAX; i++)
                        if (enabled & 1u << i)
                                serve(tree, i, index);
        }
        for (unsigned i = 0; error && i < _CGROUP_CONTROLLER_MAX; i++)
                tree->missing[i] = g_strdup(error->message);
}

/* Controllers that are mounted together are one hierarchy. */
static int find_hierarchy(const CgroupTree *tree, const char *device)
{
        for (unsigned i = 0; i < tree->n_hierarchies; i++)
                if (strcmp(tree->hierarchies[i].device, device) == 0)
                        return (int) i;
        return -1;
}

static void add_legacy(CgroupTree *tree, const GPtrArray *mounts, CgroupController controller,
                       const char *parent)
{
        g_autoptr(GError) error = NULL;
        const MountInfo *mount = find_mount(mounts, cgroup_legacy_name(controller));

        if (!mount) {
                if (!tree->missing[controller])
                        tree->missing[controller] =
                                g_strdup("no cgroup hierarchy with it is mounted");
                return;
        }
        int index = find_hierarchy(tree, mount->device);
        if (index < 0)
                index = add_hierarchy(tree, mount, parent, false, &error);
        if (index >= 0) {
                serve(tree, controller, index);
                return;
        }
        g_free(tree->missing[controller]);
        tree->missing[controller] = g_strdup(error->message);
}

static CgroupMode judge_mode(const CgroupTree *tree)
{
        bool has_v2 = tree->n_hierarchies > 0 && tree->hierarchies[0].backend == &cgroup_unified;

        if (tree->n_hierarchies == 0)
                return CGROUP_MODE_NONE;
        if (!has_v2)
                return CGROUP_MODE_LEGACY;
        return tree->n_hierarchies == 1 ? CGROUP_MODE_UNIFIED : CGROUP_MODE_HYBRID;
}

/* Where a version before this one, or one without the containers' unit, has made cgroups under
 * systemd: what runs there stays there until it ends. */
static void find_before(CgroupTree *tree, const MountInfo *mount)
{
        static const char *const places[] = {PARENT_DEFAULT, PARENT_BESIDE};
        CgroupTree **last = &tree->before;

        for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
                g_autofree char *path = g_strconcat(mount->point, places[i], NULL);
                autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                CgroupHierarchy place = {.parent_fd = fd};
                g_autoptr(GPtrArray) owners = cgroup_list_owners(&place);
                if (owners->len == 0)
                        continue;
                *last = cgroup_tree_new(places[i]);
                last = &(*last)->before;
        }
}

CgroupTree *cgroup_tree_new(const char *parent)
{
        static const CgroupController order[] = {CGROUP_FREEZER, CGROUP_PIDS,   CGROUP_MEMORY,
                                                 CGROUP_CPU,     CGROUP_CPUSET, CGROUP_IO};
        CgroupTree *tree = g_new0(CgroupTree, 1);

        tree->tracking = -1;
        tree->ceilings = tree->sandbox_ceilings = (CgroupLimits){
                .memory_max = CGROUP_NO_LIMIT,
                .memory_swap_max = CGROUP_NO_LIMIT,
                .tasks_max = CGROUP_NO_LIMIT,
        };
        tree->capped = g_hash_table_new(NULL, NULL);
        tree->told = cgroup_level_events_new();
        for (unsigned i = 0; i < _CGROUP_CONTROLLER_MAX; i++)
                tree->serving[i] = -1;
        g_autoptr(GPtrArray) mounts = mountinfo_read();
        const MountInfo *unified = find_mount(mounts, NULL);
        g_autofree char *delegated = parent ? NULL : find_delegated(unified);

        if (!parent)
                parent = delegated ? delegated : default_parent(unified);
        if (unified)
                add_unified(tree, unified, parent, delegated != NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
                if (tree->serving[order[i]] < 0 &&
                    (order[i] != CGROUP_FREEZER || tree->tracking < 0))
                        add_legacy(tree, mounts, order[i], parent);
                if (tree->tracking < 0) /* the first controller in the order that is served */
                        tree->tracking = tree->serving[order[i]];
        }
        tree->mode = judge_mode(tree);
        if (delegated && g_str_has_suffix(delegated, "/" CONTAINERS_UNIT))
                find_before(tree, unified);
        return tree;
}

void cgroup_tree_free(CgroupTree *tree)
{
        if (!tree)
                return;
        for (unsigned i = 0; i < tree->n_hierarchies; i++)
                hierarchy_clear(&tree->hierarchies[i]);
        for (unsigned i = 0; i < _CGROUP_CONTROLLER_MAX; i++)
                g_free(tree->missing[i]);
        g_hash_table_destroy(tree->capped);
        g_hash_table_destroy(tree->told);
        cgroup_tree_free(tree->before);
        g_free(tree);
}
