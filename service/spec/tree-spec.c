#include "service/spec/tree-spec.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

void tree_spec_init(TreeSpec *spec)
{
        *spec = (TreeSpec){.root = {.fd = -1, .gid = (gid_t) -1},
                           .read_only_root = true,
                           .network_namespace.fd = -1};
}

void tree_spec_close(TreeSpec *spec)
{
        fd_clear(&spec->root.fd);
        fd_clear(&spec->network_namespace.fd);
        for (size_t i = 0; i < spec->n_mounts; i++)
                fd_clear(&spec->mounts[i].place.fd);
}

void tree_spec_clear(TreeSpec *spec)
{
        tree_spec_close(spec);
        g_free(spec->rootfs);
        g_free(spec->hostname);
        sysctls_clear(&spec->sysctls);
        for (size_t i = 0; i < spec->n_mounts; i++)
                mount_spec_clear(&spec->mounts[i]);
        g_free(spec->mounts);
        tree_spec_init(spec);
}

bool tree_spec_root_is_read_only(const TreeSpec *spec)
{
        return spec->read_only_root && (spec->has_read_only_root || !spec->is_volatile);
}

bool tree_spec_root_writes_to_host(const TreeSpec *spec)
{
        return !spec->read_only_root && !spec->empty_root && !spec->is_volatile;
}

bool tree_spec_writes_to_host(const TreeSpec *spec)
{
        bool writes = tree_spec_root_writes_to_host(spec);

        for (size_t i = 0; i < spec->n_mounts; i++)
                writes = writes || mount_spec_writes_to_host(&spec->mounts[i]);
        return writes;
}

bool tree_spec_has_privileged_mount(const TreeSpec *spec)
{
        for (size_t i = 0; i < spec->n_mounts; i++)
                if (spec->mounts[i].is_privileged)
                        return true;
        return false;
}

bool tree_spec_has_own_network(const TreeSpec *spec)
{
        return !spec->host_network && !spec->network_namespace.is_given;
}

bool tree_spec_uncovers(const TreeSpec *spec)
{
        for (size_t i = 0; i < spec->n_mounts; i++)
                if (spec->mounts[i].uncovers)
                        return true;
        return false;
}

/* -- checks -- */

static bool check_rootfs(const TreeSpec *spec, GError **error)
{
        bool is_empty = !spec->rootfs || !*spec->rootfs;

        if (spec->empty_root)
                return (is_empty && !spec->has_root_fd) ||
                       error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "EmptyRoot excludes a rootfs and RootFD");
        if (spec->has_root_fd)
                return is_empty || error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                             "rootfs and RootFD exclude each other");
        if (is_empty)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "rootfs is empty, not a path, and there is neither RootFD nor "
                                 "EmptyRoot");
        if (strlen(spec->rootfs) > ROOTFS_PATH_MAX)
                return error_set(
                        error, RUNTIME_ERROR_ROOTFS_INVALID,
                        "rootfs is a path of %zu bytes, more than the %u that a path can have",
                        strlen(spec->rootfs), ROOTFS_PATH_MAX);
        if (*spec->rootfs != '/')
                return error_set(error, RUNTIME_ERROR_ROOTFS_INVALID,
                                 "rootfs '%s' is not an absolute path", spec->rootfs);
        return true;
}

static bool check_hostname(const TreeSpec *spec, GError **error)
{
        size_t length = spec->hostname ? strlen(spec->hostname) : 1;

        if (length == 0 || length > HOSTNAME_LENGTH_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Hostname has %zu bytes, not 1 to %u", length,
                                 HOSTNAME_LENGTH_MAX);
        for (const char *c = spec->hostname; c && *c; c++)
                if (!g_ascii_isalnum(*c) && !strchr("_.-", *c))
                        return error_set(
                                error, RUNTIME_ERROR_INVALID_ARGS,
                                "Hostname may have letters, digits, '-', '_' and '.' only");
        return true;
}

/* The kinds of root exclude each other, and their options need one. */
static bool check_root_options(const TreeSpec *spec, GError **error)
{
        if (spec->empty_root && spec->is_volatile)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "EmptyRoot and Volatile exclude each other: an empty root is "
                                 "gone with its container in any case");
        if (spec->has_root_size && (spec->root_size == 0 || spec->root_size == UINT64_MAX))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "RootSize is no number of bytes");
        return !spec->has_root_size || spec->empty_root || spec->is_volatile ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS, "RootSize needs EmptyRoot or Volatile");
}

/* Is the target "/", one of the service's own mounts, or below one? */
static bool is_ours(const char *target)
{
        static const char *const ours[] = {"/proc", "/sys", "/dev"};

        for (size_t i = 0; i < G_N_ELEMENTS(ours); i++) {
                size_t length = strlen(ours[i]);
                if (strncmp(target, ours[i], length) == 0 &&
                    (target[length] == '/' || target[length] == '\0'))
                        return true;
        }
        return target[1] == '\0';
}

static bool has_twice(const TreeSpec *spec, size_t index, bool by_type)
{
        const MountSpec *mount = &spec->mounts[index];

        for (size_t i = 0; i < index; i++)
                if (by_type ? spec->mounts[i].type == mount->type
                            : strcmp(spec->mounts[i].target, mount->target) == 0)
                        return true;
        return false;
}

/* A root tree has /proc, /sys and /dev from the service, in their places; an empty one has them
 * where it is said. */
static bool check_mount(const TreeSpec *spec, size_t index, GError **error)
{
        const MountSpec *mount = &spec->mounts[index];
        bool is_early = mount->type == MOUNT_TYPE_PROC || mount->type == MOUNT_TYPE_DEV;
        const char *name = mount_spec_type_name(mount);

        if (!spec->empty_root && is_early)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount type '%s' is for an EmptyRoot: every other root has that "
                                 "already",
                                 name);
        if (!spec->empty_root && is_ours(mount->target))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount target '%s': '/', '/proc', '/sys' and '/dev' are the "
                                 "service's to mount",
                                 mount->target);
        if (is_early && has_twice(spec, index, true))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "Mounts has a %s twice", name);
        return spec->empty_root || !has_twice(spec, index, false) ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS, "Mounts has the target '%s' twice",
                         mount->target);
}

static bool check_mounts(const TreeSpec *spec, GError **error)
{
        size_t bytes = 0;

        for (size_t i = 0; i < spec->n_mounts; i++) {
                bytes += spec->mounts[i].data_size;
                if (!check_mount(spec, i, error))
                        return false;
        }
        return bytes <= MOUNT_FILES_MAX ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "the files of Mounts have %zu bytes, more than the %u allowed", bytes,
                         MOUNT_FILES_MAX);
}

static bool check_network(const TreeSpec *spec, GError **error)
{
        const char *key = sysctls_network_key(&spec->sysctls);

        if (spec->network_namespace.is_given && spec->has_network)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Network and NetworkNamespaceFD exclude each other");
        return !key || tree_spec_has_own_network(spec) ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "Sysctl: '%s' needs a network of the container's own", key);
}

bool tree_spec_validate(const TreeSpec *spec, GError **error)
{
        return check_rootfs(spec, error) && check_root_options(spec, error) &&
               check_hostname(spec, error) && check_mounts(spec, error) &&
               check_network(spec, error);
}
