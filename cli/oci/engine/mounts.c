#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/oci/engine/build.h"
#include "cli/oci/engine/user-namespace.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

/* -- what is bound: cloned here, by whoever may open the source -- */

static bool change(int tree, unsigned flags, const struct mount_attr *attributes)
{
        return (!attributes->attr_set && !attributes->attr_clr && !attributes->propagation) ||
               syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | flags, attributes,
                       sizeof *attributes) == 0;
}

/* A clone of a shared mount is its peer: what the container mounts there would appear on the host.
 * Only where the bundle's root is shared as well may it stay one. */
static bool set_propagation(const OciSpec *spec, const OciMount *mount, int tree)
{
        const struct mount_attr slave = {.propagation = MS_SLAVE},
                                asked = {.propagation = mount->propagation};
        const unsigned below = mount->propagation_is_recursive ? AT_RECURSIVE : 0;
        bool is_peer = spec->root_propagation & MS_SHARED && mount->propagation == MS_SHARED;

        return (is_peer || change(tree, AT_RECURSIVE, &slave)) && change(tree, below, &asked);
}

static bool map_ids(const OciSpec *spec, const OciMount *mount, int tree, GError **error)
{
        const OciIdMaps *uids = mount->uid_maps.n ? &mount->uid_maps : &spec->uid_maps;
        const OciIdMaps *gids = mount->gid_maps.n ? &mount->gid_maps : &spec->gid_maps;
        const unsigned below = mount->idmapping == OCI_IDMAPPING_RECURSIVE ? AT_RECURSIVE : 0;
        autofd int users = -1;

        if (mount->idmapping == OCI_IDMAPPING_NONE && !mount->uid_maps.n && !mount->gid_maps.n)
                return true;
        if (!user_namespace_make(uids, gids, &users, error))
                return false;
        return change(tree, below,
                      &(struct mount_attr){.attr_set = MOUNT_ATTR_IDMAP,
                                           .userns_fd = (uint64_t) users}) ||
               error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                               "cannot map the ids of source '%s'", mount->source);
}

static bool set_attributes(const OciSpec *spec, const OciMount *mount, int tree, GError **error)
{
        const struct mount_attr own = {.attr_set = mount->set, .attr_clr = mount->clear},
                                below = {.attr_set = mount->set_below,
                                         .attr_clr = mount->clear_below};

        if (!change(tree, AT_RECURSIVE, &below) || !change(tree, 0, &own) ||
            !set_propagation(spec, mount, tree))
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "cannot set the options of source '%s'", mount->source);
        return map_ids(spec, mount, tree, error);
}

static bool clone_source(const Build *build, const OciMount *mount, int *ret, GError **error)
{
        const char *source = mount->source ? mount->source : "";
        g_autofree char *path = g_path_is_absolute(source)
                                        ? g_strdup(source)
                                        : g_build_filename(build->input->bundle, source, NULL);
        autofd int tree = (int) syscall(SYS_open_tree, AT_FDCWD, path,
                                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                                                (mount->bind_recursive ? AT_RECURSIVE : 0) |
                                                (mount->source_nofollow ? AT_SYMLINK_NOFOLLOW : 0));

        if (tree < 0 && errno == ENOENT) /* callers take the kernel's words for a missing command */
                return error_set(error, RUNTIME_ERROR_MOUNT_INVALID, "source '%s' does not exist",
                                 path);
        if (tree < 0)
                return error_set_errno(error, RUNTIME_ERROR_MOUNT_INVALID, errno,
                                       "cannot open source '%s'", path);
        if (!set_attributes(build->input->spec, mount, tree, error))
                return false;
        *ret = steal_fd(&tree);
        return true;
}

static bool is_directory(int fd)
{
        struct stat status;

        return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

static void add_tree(Build *build, const OciMount *mount, int tree, const char *label)
{
        OciStep *step = build_add_step(build, OCI_STEP_TREE, mount->destination, label);

        step->fd = build_own_fd(build, tree);
        step->is_directory = is_directory(tree);
        step->is_plain = mount->destination_nofollow;
}

/* -- new file systems -- */

static void write_options(Build *build, const OciMount *mount, OciStep *step)
{
        static const struct {
                uint64_t flag;
                const char *key;
        } flags[] = {{MS_SYNCHRONOUS, "sync"},
                     {MS_DIRSYNC, "dirsync"},
                     {MS_MANDLOCK, "mand"},
                     {MS_LAZYTIME, "lazytime"}};
        GArray *options = g_array_new(FALSE, FALSE, sizeof(OciOption));

        for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
                if (mount->superblock & flags[i].flag) {
                        const OciOption option = {flags[i].key, NULL};
                        g_array_append_val(options, option);
                }
        for (char **item = mount->data; *item; item++) {
                char *key = build_own(build, g_strdup(*item)), *equals = strchr(key, '=');
                const OciOption option = {key, equals ? equals + 1 : NULL};
                if (equals)
                        *equals = '\0';
                g_array_append_val(options, option);
        }
        step->n_options = options->len;
        step->options = build_own(build, g_array_free(options, FALSE));
}

static bool is_dev(const OciMount *mount)
{
        g_autofree char *path = g_canonicalize_filename(mount->destination, "/");

        return strcmp(path, "/dev") == 0;
}

bool build_new_mount(Build *build, const OciMount *mount, const char *label, OciStep **ret)
{
        OciStep *step = build_add_step(build, OCI_STEP_NEW, mount->destination, label);

        step->type = mount->type;
        step->source = mount->source;
        step->is_directory = true;
        step->is_plain = mount->destination_nofollow || strcmp(mount->type, "proc") == 0 ||
                         strcmp(mount->type, "sysfs") == 0;
        step->set = mount->set;
        step->clear = mount->clear;
        step->set_below = mount->set_below;
        step->clear_below = mount->clear_below;
        step->propagation = mount->propagation;
        step->is_propagation_below = mount->propagation_is_recursive;
        /* targets are made in it still */
        step->seals = step->set & MOUNT_ATTR_RDONLY &&
                      (strcmp(mount->type, "tmpfs") == 0 || is_dev(mount));
        if (step->seals)
                step->set &= ~(uint64_t) MOUNT_ATTR_RDONLY;
        write_options(build, mount, step);
        *ret = step;
        return true;
}

static void add_remount(Build *build, const OciMount *mount, const char *label)
{
        OciStep *step = build_add_step(build, OCI_STEP_REMOUNT, mount->destination, label);

        step->set = mount->set;
        step->clear = mount->clear;
        step->set_below = mount->set_below;
        step->clear_below = mount->clear_below;
        step->propagation = mount->propagation;
        step->is_propagation_below = mount->propagation_is_recursive;
        if (!mount->bind && !mount->bind_recursive)
                write_options(build, mount, step);
}

static bool add_copy_up(Build *build, const OciMount *mount, int root, const char *label,
                        GError **error)
{
        int tree = -1;
        OciStep *step;

        if (!build_copy_up(mount, root, &tree, error))
                return false;
        step = build_add_step(build, OCI_STEP_TREE, mount->destination, label);
        step->fd = build_own_fd(build, tree);
        step->is_directory = true;
        step->seals = mount->set & MOUNT_ATTR_RDONLY;
        return true;
}

static bool add_mount(Build *build, const OciMount *mount, int root, const char *label,
                      GError **error)
{
        OciStep *step;
        int tree = -1;

        if (mount->remount) {
                add_remount(build, mount, label);
                return true;
        }
        if (mount->bind || mount->bind_recursive) {
                if (!clone_source(build, mount, &tree, error))
                        return false;
                add_tree(build, mount, tree, label);
                return true;
        }
        if (!mount->type)
                return error_set(error, RUNTIME_ERROR_MOUNT_INVALID,
                                 "neither a type nor the option bind or rbind is given");
        if (strcmp(mount->type, "cgroup") == 0)
                return build_cgroup_mount(build, mount, label, error);
        if (mount->copy_up)
                return add_copy_up(build, mount, root, label, error);
        return build_new_mount(build, mount, label, &step);
}

bool build_mounts(Build *build, int root, GError **error)
{
        const OciSpec *spec = build->input->spec;

        for (size_t i = 0; i < spec->n_mounts; i++) {
                g_autofree char *label =
                        g_strdup_printf("mounts[%zu] ('%s')", i, spec->mounts[i].destination);
                if (!add_mount(build, &spec->mounts[i], root, label, error)) {
                        g_prefix_error(error, "%s: ", label);
                        return false;
                }
        }
        for (char **path = spec->masked_paths; *path; path++)
                build_add_cover(build, OCI_STEP_MASK, *path);
        for (char **path = spec->read_only_paths; *path; path++)
                build_add_cover(build, OCI_STEP_READ_ONLY, *path);
        return true;
}
