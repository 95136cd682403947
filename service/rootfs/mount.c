#include "service/rootfs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/rootfs/lookup.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/mountinfo.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define MOUNT_PRIVATE (1u << 18) /* MS_PRIVATE; sys/mount.h clashes with linux/mount.h */

static RuntimeError code_of(const RootfsTree *tree)
{
        return tree->is_source ? RUNTIME_ERROR_MOUNT_INVALID : RUNTIME_ERROR_ROOTFS_INVALID;
}

static const char *noun_of(const RootfsTree *tree)
{
        return tree->is_source ? "mount source" : "rootfs";
}

bool rootfs_clone(const RootfsTree *tree, int *ret_mount, GError **error)
{
        int mount =
                (int) syscall(SYS_open_tree, tree->fd, "",
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);

        if (mount < 0)
                return error_set_errno(error, code_of(tree), errno,
                                       "%s '%s': cannot clone its mount", noun_of(tree),
                                       tree->path);
        *ret_mount = mount;
        return true;
}

static bool is_below(const char *path, const char *top)
{
        size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);

        return strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Tries a mount of the pinned directory itself. A walk along a path might never end, so mounts
 * below it are judged by their type alone (is_mappable_type()). */
static bool refuses_map(int fd, int user_namespace)
{
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP,
                                        .userns_fd = (uint64_t) user_namespace};
        autofd int mount = (int) syscall(SYS_open_tree, fd, "",
                                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

        return mount >= 0 && syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes,
                                     sizeof attributes) < 0;
}

static bool is_mappable_type(const char *type)
{
        static const char *const types[] = {"ext4", "xfs",   "btrfs",    "f2fs",     "erofs",
                                            "vfat", "exfat", "squashfs", "bcachefs", NULL};

        return g_strv_contains(types, type);
}

/* Since Linux 6.3. */
static bool is_tmpfs_mappable(int user_namespace)
{
        autofd int context = (int) syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
        autofd int mount = -1;

        if (context >= 0 && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
                mount = (int) syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
        return mount >= 0 && !refuses_map(mount, user_namespace);
}

/* The first mount at or below the directory `fd` that refuses the map, as far as can be told: "'/x'
 * (overlay)". Slow, so only for an error message. */
static char *find_unmappable(int fd, int user_namespace)
{
        g_autofree char *top = rootfs_path_of(fd), *below = NULL;
        bool maps_tmpfs = is_tmpfs_mappable(user_namespace);
        g_autoptr(GPtrArray) mounts = mountinfo_read();
        const char *top_type = NULL;

        for (unsigned i = 0; top && i < mounts->len; i++) {
                const MountInfo *mount = mounts->pdata[i];
                bool is_mappable = is_mappable_type(mount->type) ||
                                   (maps_tmpfs && strcmp(mount->type, "tmpfs") == 0);
                if (!below && !is_mappable && strcmp(mount->point, top) != 0 &&
                    is_below(mount->point, top))
                        below = g_strdup_printf("'%s' (%s)", mount->point, mount->type);
                /* a mount stands after the one it is mounted on: the last that fits holds the
                 * tree */
                if (is_below(top, mount->point))
                        top_type = mount->type;
        }
        if (top_type && refuses_map(fd, user_namespace))
                return g_strdup_printf("'%s' (%s)", top, top_type);
        return g_steal_pointer(&below);
}

bool rootfs_protect(const RootfsTree *tree, int mount, int user_namespace, GError **error)
{
        struct mount_attr change = {
                .attr_set = tree->attributes | MOUNT_ATTR_NODEV,
                .propagation = MOUNT_PRIVATE,
        };

        if (user_namespace >= 0) {
                change.attr_set |= MOUNT_ATTR_IDMAP;
                change.userns_fd = (uint64_t) user_namespace;
        }
        if (syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &change,
                    sizeof change) == 0)
                return true;
        int errnum = errno;
        g_autofree char *culprit =
                user_namespace >= 0 ? find_unmappable(tree->fd, user_namespace) : NULL;
        if (culprit)
                return error_set_errno(error, code_of(tree), errnum,
                                       "%s '%s': the file system at %s cannot be id-mapped",
                                       noun_of(tree), tree->path, culprit);
        return error_set_errno(error, code_of(tree), errnum,
                               "%s '%s': cannot set the attributes of its mount", noun_of(tree),
                               tree->path);
}
