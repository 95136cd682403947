#include "service/rootfs/unmappable.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/rootfs/lookup-internal.h"
#include "service/rootfs/submounts.h"

/* -- what refuses -- */

/* 0, or the errno with which the mount of the directory itself refuses to be id-mapped. */
static int refusal_of(int fd, int user_namespace)
{
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP,
                                        .userns_fd = (uint64_t) user_namespace};
        autofd int mount = (int) syscall(SYS_open_tree, fd, "",
                                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

        return mount >= 0 && syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes,
                                     sizeof attributes) < 0
                       ? errno
                       : 0;
}

/* In the kernel's cache there is the way to whatever is mounted, and no file system is asked. */
static int open_cached(int top, const char *part)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_CACHED | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };

        return (int) syscall(SYS_openat2, top, *part ? part : ".", &how, sizeof how);
}

/* Types some version of which can be id-mapped, so that it has to be tried. All others cannot, and
 * to open the root of a network's file system may mean to ask the network. */
static bool may_be_mappable(const char *type)
{
        static const char *const types[] = {"ext4",  "xfs",      "btrfs", "f2fs",
                                            "erofs", "vfat",     "exfat", "squashfs",
                                            "tmpfs", "bcachefs", "ntfs3", NULL};

        return g_strv_contains(types, type);
}

static int refusal_below(int top, const char *part, const MountInfo *mount, int user_namespace)
{
        if (!may_be_mappable(mount->type))
                return EINVAL;
        autofd int fd = open_cached(top, part);
        return fd >= 0 && submounts_id_of(fd) == mount->id ? refusal_of(fd, user_namespace) : 0;
}

/* -- what may be told -- */

/* Whoever may enter the directory that a mount is in learns its type by statfs(). */
static bool may_look_up(int top, const char *part, const Credentials *owner)
{
        g_autofree char *directory = g_path_get_dirname(part);
        g_autofree char *inside = g_strdup_printf("%s/.", directory);
        int r = owner->uid == 0 ? 0 : rootfs_become(owner);
        autofd int fd = r == 0 ? open_cached(top, inside) : -1;

        if (owner->uid != 0 && !rootfs_come_back())
                g_error("cannot take back the ids of the service");
        return fd >= 0 || owner->uid == 0;
}

/* The kernel says EPERM of a mount that is id-mapped already, such as a home directory of
 * systemd-homed. */
static char *describe(const MountInfo *mount, int refusal)
{
        return refusal == EPERM
                       ? g_strdup_printf("the mount at '%s' (%s) is id-mapped already",
                                         mount->point, mount->type)
                       : g_strdup_printf("the file system at '%s' (%s) cannot be id-mapped",
                                         mount->point, mount->type);
}

char *unmappable_find(const UnmappableTree *tree)
{
        g_auto(Submounts) submounts = {0};
        int refusal = refusal_of(tree->fd, tree->user_namespace);

        submounts_read(tree->fd, &submounts);
        if (refusal)
                return submounts.own ? describe(submounts.own, refusal) : NULL;
        for (guint i = 0; i < submounts.list->len; i++) {
                const MountInfo *mount = submounts.list->pdata[i];
                const char *part = submounts_part(&submounts, mount);
                if (tree->is_root && submounts_is_covered(&submounts, mount))
                        continue;
                if ((refusal = refusal_below(tree->fd, part, mount, tree->user_namespace)))
                        return may_look_up(tree->fd, part, tree->owner)
                                       ? describe(mount, refusal)
                                       : g_strdup("what is mounted in it cannot be id-mapped");
        }
        return NULL;
}
