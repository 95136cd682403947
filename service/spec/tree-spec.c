#include "service/spec/tree-spec.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

void tree_spec_init(TreeSpec *spec)
{
        *spec = (TreeSpec){.root.fd = -1, .read_only_root = true, .network_namespace.fd = -1};
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

bool tree_spec_writes_to_host(const TreeSpec *spec)
{
        bool writes = !spec->read_only_root;

        for (size_t i = 0; i < spec->n_mounts; i++)
                writes = writes || (spec->mounts[i].source && !spec->mounts[i].read_only);
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

/* -- checks -- */

static bool check_rootfs(const TreeSpec *spec, GError **error)
{
        bool is_empty = !spec->rootfs || !*spec->rootfs;

        if (spec->has_root_fd)
                return is_empty || error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                             "rootfs and RootFD exclude each other");
        if (is_empty)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "rootfs is empty, not a path, and there is no RootFD");
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

static bool check_mounts(const TreeSpec *spec, GError **error)
{
        for (size_t i = 0; i < spec->n_mounts; i++)
                for (size_t k = 0; k < i; k++)
                        if (strcmp(spec->mounts[i].target, spec->mounts[k].target) == 0)
                                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                                 "Mounts has the target '%s' twice",
                                                 spec->mounts[i].target);
        return true;
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
        return check_rootfs(spec, error) && check_hostname(spec, error) &&
               check_mounts(spec, error) && check_network(spec, error);
}
