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
#include "service/util/mountinfo.h"

/* -- which mounts there are -- */

/* By the kernel's word for the fd: a path may lead to another mount by now. */
static int mount_id_of(int fd)
{
        g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", fd), *text = NULL;
        const char *line =
                g_file_get_contents(path, &text, NULL, NULL) ? strstr(text, "mnt_id:") : NULL;

        return line ? (int) g_ascii_strtoll(line + strlen("mnt_id:"), NULL, 10) : -1;
}

static GHashTable *index_by_id(const GPtrArray *mounts)
{
        GHashTable *by_id = g_hash_table_new(NULL, NULL);

        for (guint i = 0; i < mounts->len; i++) {
                MountInfo *mount = mounts->pdata[i];
                g_hash_table_insert(by_id, GINT_TO_POINTER(mount->id), mount);
        }
        return by_id;
}

static const MountInfo *find_id(GHashTable *by_id, int id)
{
        return g_hash_table_lookup(by_id, GINT_TO_POINTER(id));
}

/* Steps are counted, for the root is its own parent, and the table may have changed while it was
 * read. */
static bool stands_on(GHashTable *by_id, const MountInfo *mount, int id)
{
        for (guint left = g_hash_table_size(by_id); mount && left > 0; left--) {
                if (mount->parent == id)
                        return true;
                mount = find_id(by_id, mount->parent);
        }
        return false;
}

/* The part of `path` below the directory `top`, "" for `top` itself; NULL: it is not below it. */
static const char *part_below(const char *path, const char *top)
{
        size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);

        if (strncmp(path, top, length) != 0 || (path[length] != '/' && path[length] != '\0'))
                return NULL;
        return path[length] == '/' ? path + length + 1 : path + length;
}

static int by_length(const void *a, const void *b)
{
        const MountInfo *const *one = a, *const *other = b;
        size_t length = strlen((*one)->point), other_length = strlen((*other)->point);

        return (length > other_length) - (length < other_length);
}

/* Those in the tree, outer ones first: where an inner one is opened, all that it lies in may be. */
static GPtrArray *mounts_below(const GPtrArray *mounts, GHashTable *by_id, int id, const char *top)
{
        GPtrArray *below = g_ptr_array_new();

        for (guint i = 0; i < mounts->len; i++) {
                MountInfo *mount = mounts->pdata[i];
                if (part_below(mount->point, top) && stands_on(by_id, mount, id))
                        g_ptr_array_add(below, mount);
        }
        g_ptr_array_sort(below, by_length);
        return below;
}

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
        return fd >= 0 && mount_id_of(fd) == mount->id ? refusal_of(fd, user_namespace) : 0;
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

char *unmappable_find(int fd, int user_namespace, const Credentials *owner)
{
        g_autofree char *top = rootfs_path_of(fd);
        g_autoptr(GPtrArray) mounts = mountinfo_read();
        g_autoptr(GHashTable) by_id = index_by_id(mounts);
        int id = mount_id_of(fd), refusal = refusal_of(fd, user_namespace);
        const MountInfo *own = find_id(by_id, id);

        if (refusal && own)
                return describe(own, refusal);
        if (refusal || !top)
                return NULL;
        g_autoptr(GPtrArray) below = mounts_below(mounts, by_id, id, top);
        for (guint i = 0; i < below->len; i++) {
                const MountInfo *mount = below->pdata[i];
                const char *part = part_below(mount->point, top);
                if ((refusal = refusal_below(fd, part, mount, user_namespace)))
                        return may_look_up(fd, part, owner)
                                       ? describe(mount, refusal)
                                       : g_strdup("what is mounted in it cannot be id-mapped");
        }
        return NULL;
}
