#include "service/rootfs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/rootfs/unmappable.h"
#include "service/spec/error.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define MOUNT_PRIVATE (1u << 18) /* MS_PRIVATE; sys/mount.h clashes with linux/mount.h */

#define WAY_OUT                                                                                    \
        "copy the %s to a local file system such as ext4, or choose UserNamespace=self, which "    \
        "isolates less"

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
                user_namespace >= 0 ? unmappable_find(tree->fd, user_namespace, tree->owner) : NULL;
        if (culprit)
                return error_set(error, code_of(tree), "%s '%s': %s; " WAY_OUT, noun_of(tree),
                                 tree->path, culprit, noun_of(tree));
        return error_set_errno(error, code_of(tree), errnum,
                               "%s '%s': cannot set the attributes of its mount", noun_of(tree),
                               tree->path);
}
