#include "service/rootfs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/rootfs/apart.h"
#include "service/rootfs/submounts.h"
#include "service/rootfs/uncopied.h"
#include "service/rootfs/unmappable.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define MOUNT_PRIVATE (1u << 18) /* MS_PRIVATE; sys/mount.h clashes with linux/mount.h */

#define WAY_OUT                                                                                    \
        "copy the %s to a local file system such as ext4, or choose UserNamespace=keep-id or "     \
        "self, which isolate less"

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
        int mount = (int) syscall(SYS_open_tree, tree->fd, "",
                                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
                                          (tree->is_alone ? 0u : AT_RECURSIVE));

        if (mount < 0)
                return error_set_errno(error, code_of(tree), errno,
                                       "%s '%s': cannot clone its mount", noun_of(tree),
                                       tree->path);
        *ret_mount = mount;
        return true;
}

static bool protect(const RootfsTree *tree, int mount, int user_namespace)
{
        struct mount_attr change = {
                .attr_set = tree->attributes | MOUNT_ATTR_NODEV,
                .propagation = MOUNT_PRIVATE,
        };

        if (user_namespace >= 0) {
                change.attr_set |= MOUNT_ATTR_IDMAP;
                change.userns_fd = (uint64_t) user_namespace;
        }
        return syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &change,
                       sizeof change) == 0;
}

/* Leaves out of the clone what every container covers. The tree is in use by somebody else: a
 * chroot with /proc, /sys and /dev mounted in it. */
static bool prune(const RootfsTree *tree, int *mount)
{
        g_auto(Submounts) submounts = {0};
        ApartWork work = {.verb = APART_PRUNE, .mount = *mount};
        bool any = false;
        int pruned;

        submounts_read(tree->fd, &submounts);
        for (guint i = 0; i < submounts.list->len; i++)
                any = any || submounts_is_covered(&submounts, submounts.list->pdata[i]);
        if (!any || !apart_do(&work, &pruned))
                return false;
        fd_close(*mount);
        *mount = pruned;
        return true;
}

bool rootfs_protect(const RootfsTree *tree, int *mount, int user_namespace, GError **error)
{
        if (protect(tree, *mount, user_namespace))
                return true;
        int errnum = errno;
        bool is_root = !tree->is_source;
        if (is_root && !tree->is_alone && user_namespace >= 0 && prune(tree, mount) &&
            protect(tree, *mount, user_namespace))
                return true;
        const UnmappableTree trouble = {tree->fd, user_namespace, is_root, tree->owner};
        g_autofree char *culprit = user_namespace >= 0 ? unmappable_find(&trouble) : NULL;
        if (culprit)
                return error_set(error, code_of(tree), "%s '%s': %s; " WAY_OUT, noun_of(tree),
                                 tree->path, culprit, noun_of(tree));
        return error_set_errno(error, code_of(tree), errnum,
                               "%s '%s': cannot set the attributes of its mount", noun_of(tree),
                               tree->path);
}

static bool check_whole(const RootfsTree *tree, const char *table, GError **error)
{
        g_autofree char *left_out = tree->is_alone ? NULL : uncopied_find(table, tree->fd);

        /* whoever may not look it up is not told where it is */
        return !left_out ||
               error_set(error, code_of(tree),
                         "%s '%s': what is mounted %s%s is unbindable, and without it what it "
                         "hides would come to light; make that mount private, or choose a "
                         "directory beside it",
                         noun_of(tree), tree->path, tree->owner->uid == 0 ? "at " : "in it",
                         tree->owner->uid == 0 ? left_out : "");
}

bool rootfs_check_whole(const RootfsTree *trees, size_t n, GError **error)
{
        g_autofree char *table = uncopied_read();

        for (size_t i = 0; table && i < n; i++)
                if (!check_whole(&trees[i], table, error))
                        return false;
        return true;
}

bool rootfs_has_mounts(int fd)
{
        SubmountsSeen seen;

        return !submounts_see(fd, &seen) || seen != SUBMOUNTS_NONE;
}

/* An overlay shows its lower tree without what is mounted in it, and asks its file system. */
static bool check_lower(const RootfsTree *tree, GError **error)
{
        g_auto(Submounts) submounts = {0};
        SubmountsSeen seen;

        submounts_read(tree->fd, &submounts);
        if (!submounts.own || !submounts_is_local(submounts.own))
                return error_set(error, RUNTIME_ERROR_ROOTFS_INVALID,
                                 "rootfs '%s': Volatile needs a local file system such as ext4, "
                                 "and this is %s",
                                 tree->path, submounts.own ? submounts.own->type : "unknown");
        if (!submounts_see(tree->fd, &seen))
                return error_set_errno(error, RUNTIME_ERROR_ROOTFS_INVALID, errno,
                                       "rootfs '%s': cannot see what is mounted in it", tree->path);
        if (seen == SUBMOUNTS_OTHERS)
                return error_set(error, RUNTIME_ERROR_ROOTFS_INVALID,
                                 "rootfs '%s': with Volatile nothing may be mounted in it "
                                 "but on /proc, /sys and /dev, or what lies below would "
                                 "come to light; bind it by Mounts, or copy the rootfs",
                                 tree->path);
        return true;
}

bool rootfs_add_layer(const RootfsTree *tree, uint64_t size, int *mount, GError **error)
{
        const ApartWork work = {.verb = APART_LAYER,
                                .mount = *mount,
                                .size = size,
                                .attributes = tree->attributes | MOUNT_ATTR_NODEV};
        int merged;

        if (!check_lower(tree, error))
                return false;
        if (!apart_do(&work, &merged))
                return errno == EPERM
                               ? error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                           "Volatile needs a service that runs as root")
                               : error_set_errno(error, RUNTIME_ERROR_ROOTFS_INVALID, errno,
                                                 "rootfs '%s': cannot mount a layer on top of it",
                                                 tree->path);
        fd_close(*mount);
        *mount = merged;
        return true;
}
