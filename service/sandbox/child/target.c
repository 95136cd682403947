#include "service/sandbox/child/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "service/sandbox/child/root.h"

#define UMOUNT_DETACH 2 /* sys/mount.h clashes with linux/mount.h */

#define NO_LINKS     (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
#define LINKS_INSIDE (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

/* -- what is ours -- */

static bool read_mount_id(int fd, uint64_t *ret)
{
        struct statx status;

        if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &status) <
            0)
                return false;
        *ret = status.stx_mnt_id;
        return true;
}

bool own_add(Own *own, int mount, bool is_sealed)
{
        errno = ENOSPC;
        if (own->n == SANDBOX_OWN_MAX || !read_mount_id(mount, &own->ids[own->n]))
                return false;
        own->seals[own->n++] = is_sealed ? mount : -1;
        return true;
}

bool own_seal(Own *own)
{
        struct mount_attr change = {.attr_set = MOUNT_ATTR_RDONLY};

        for (size_t i = 0; i < own->n; i++) {
                if (own->seals[i] < 0)
                        continue;
                if (syscall(SYS_mount_setattr, own->seals[i], "", AT_EMPTY_PATH, &change,
                            sizeof change) < 0)
                        return false;
                root_close(own->seals[i]);
        }
        return true;
}

static bool is_own(const Own *own, int dir)
{
        uint64_t id;

        if (!own || !read_mount_id(dir, &id))
                return false;
        for (size_t i = 0; i < own->n; i++)
                if (own->ids[i] == id)
                        return true;
        return false;
}

bool target_is_in(const Own *own, int target, const int *mounts, size_t n)
{
        uint64_t id, other;

        struct statfs fs;

        if (is_own(own, target))
                return false;
        /* parts of /proc are covered with themselves: other mounts of the same file system */
        if (!read_mount_id(target, &id) || syscall(SYS_fstatfs, target, &fs) < 0 ||
            fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC)
                return true;
        for (size_t i = 0; i < n; i++)
                if (read_mount_id(mounts[i], &other) && other == id)
                        return true;
        return false;
}

bool target_is_root(int target)
{
        struct statx there, root;
        const unsigned wanted = STATX_INO | STATX_MNT_ID;

        return syscall(SYS_statx, target, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, wanted, &there) <
                       0 ||
               syscall(SYS_statx, AT_FDCWD, "/", AT_STATX_DONT_SYNC, wanted, &root) < 0 ||
               (there.stx_ino == root.stx_ino && there.stx_mnt_id == root.stx_mnt_id);
}

/* -- the way there -- */

static int open_path(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
        struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = resolve};
        int fd;

        /* EAGAIN: somebody renames on the host while the kernel looks; bounded, or this race could
         * hold us here */
        for (int tries = 0; tries < 32; tries++) {
                fd = (int) syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof how);
                if (fd >= 0 || errno != EAGAIN)
                        return fd;
        }
        return fd;
}

/* Opens `name` in the directory `dir`, which is closed, and makes it first if it is missing. No
 * link is followed: one that leads nowhere is in the way, and does not say where we make
 * directories. */
static int enter(const Own *own, int dir, const char *name, uint32_t mode)
{
        int fd = -1;

        if (!is_own(own, dir))
                errno = ENOENT;
        else if (syscall(SYS_mkdirat, dir, name, mode) == 0 || errno == EEXIST)
                fd = open_path(dir, name, O_DIRECTORY, NO_LINKS);
        root_close(dir);
        return fd;
}

/* Opens the directory in which the target lies, and makes what is missing of it: goes back along
 * the path to what is there, then forward. `*ret_name` is the target's name in it. */
static int open_parent(const Own *own, int root, const char *target, const char **ret_name)
{
        size_t length = strlen(target), there, begin;
        char path[PATH_MAX];
        int fd;

        while (length > 0 && target[length - 1] != '/')
                length--;
        *ret_name = target + length;
        there = length -= length > 0;
        errno = ENAMETOOLONG;
        if (length >= sizeof path)
                return -1;
        memcpy(path, target, length);
        path[length] = '\0';
        while ((fd = open_path(root, path, O_DIRECTORY, LINKS_INSIDE)) < 0) {
                if (errno != ENOENT || there == 0)
                        return -1;
                while (--there > 0 && path[there] != '/')
                        ;
                path[there] = '\0';
        }
        while (fd >= 0 && there < length) {
                path[there] = target[there];
                begin = there + (there > 0);
                for (there = begin; there < length && target[there] != '/'; there++)
                        ;
                path[there] = '\0';
                fd = enter(own, fd, path + begin, 0755);
        }
        return fd;
}

static int make_target(const Own *own, int root, const MountStep *step)
{
        const char *name;
        int dir = open_parent(own, root, step->target, &name), fd = -1;

        if (dir < 0)
                return -1;
        if (step->is_directory)
                return enter(own, dir, name, step->mode);
        if (!is_own(own, dir))
                errno = ENOENT;
        else if (syscall(SYS_mknodat, dir, name, S_IFREG | 0644, 0) == 0 || errno == EEXIST)
                fd = open_path(dir, name, 0, NO_LINKS);
        root_close(dir);
        return fd;
}

int target_open(const Own *own, int dir, const MountStep *step)
{
        uint64_t resolve = step->follows_links ? LINKS_INSIDE : NO_LINKS;
        int fd;

        /* the kernel would say EINVAL, as it does for much else */
        if (!step->is_directory && (step->kind == MOUNT_TREE || step->kind == MAKE_FILE) &&
            (fd = open_path(dir, step->target, O_DIRECTORY, resolve)) >= 0) {
                root_close(fd);
                errno = EISDIR;
                return -1;
        }
        fd = open_path(dir, step->target, step->is_directory ? O_DIRECTORY : 0, resolve);
        return fd < 0 && errno == ENOENT && step->makes_target ? make_target(own, dir, step) : fd;
}

/* -- what is no mount -- */

bool make_directory(const Own *own, const MountStep *step)
{
        int fd = target_open(own, AT_FDCWD, step);

        if (fd < 0)
                return false;
        root_close(fd);
        return true;
}

/* Where there is the same link already, there is nothing to do. */
bool make_link(const Own *own, const MountStep *step)
{
        const char *name;
        int dir = open_parent(own, AT_FDCWD, step->target, &name);
        char text[PATH_MAX];
        ssize_t length;
        bool done;

        if (dir < 0)
                return false;
        done = is_own(own, dir) && syscall(SYS_symlinkat, step->text, dir, name) == 0;
        if (!done) {
                length = syscall(SYS_readlinkat, dir, name, text, sizeof text);
                done = length == (ssize_t) strlen(step->text) &&
                       memcmp(text, step->text, (size_t) length) == 0;
                if (!done && (length >= 0 || errno == EINVAL))
                        errno = EEXIST;
        }
        root_close(dir);
        return done;
}

static bool write_all(int file, const char *bytes, size_t size)
{
        while (size > 0) {
                ssize_t n = write(file, bytes, size);
                if (n < 0 && errno != EINTR)
                        return false;
                bytes += n > 0 ? n : 0;
                size -= n > 0 ? (size_t) n : 0;
        }
        return true;
}

/* The source may be a pipe whose other end takes its time: whoever waits for the set-up has a limit
 * of time. */
static bool copy_all(int file, int source)
{
        struct pollfd ready = {.fd = source, .events = POLLIN};
        char bytes[16384];
        ssize_t n;

        while ((n = read(source, bytes, sizeof bytes)) != 0) {
                if (n < 0 && errno == EAGAIN)
                        syscall(SYS_ppoll, &ready, 1, NULL, NULL, 0);
                else if (n < 0 && errno != EINTR)
                        return false;
                if (n > 0 && !write_all(file, bytes, (size_t) n))
                        return false;
        }
        return true;
}

/* A new file with the content that the step says. */
static bool fill_file(int dir, const char *name, const MountStep *step, int source)
{
        int file = (int) syscall(SYS_openat, dir, name,
                                 O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, step->mode);
        bool done;

        if (file < 0)
                return false;
        done = source < 0 ? write_all(file, step->text, step->size) : copy_all(file, source);
        root_close(file);
        return done;
}

/* The file as a mount of its own; it lies in a mount that is attached, for before Linux 6.15 no
 * other can be cloned. */
static int clone_file(int dir, const char *name, bool is_read_only)
{
        struct mount_attr change = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                                (is_read_only ? MOUNT_ATTR_RDONLY : 0)};
        int mount = (int) syscall(SYS_open_tree, dir, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (mount >= 0 &&
            syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &change, sizeof change) == 0)
                return mount;
        return -1;
}

static bool attach_file(int mount, int target)
{
        bool done = mount >= 0 && target >= 0 &&
                    syscall(SYS_move_mount, mount, "", target, "",
                            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;

        root_close(mount);
        root_close(target);
        return done;
}

/* Covers a file that is there, in whatever tree, with a new one. The new file is made in a tmpfs
 * that lies on top of "/" meanwhile: no path leads there, and nothing is made in the tree. */
bool cover_file(int target, const MountStep *step, int source)
{
        const NewMount room = {"tmpfs", {{"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
        int stage = root_new_mount(&room), mount = -1, error;

        if (stage < 0 ||
            syscall(SYS_move_mount, stage, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return false;
        if (fill_file(stage, "file", step, source))
                mount = clone_file(stage, "file", step->is_read_only);
        error = errno;
        if (fchdir(stage) < 0 || syscall(SYS_umount2, ".", UMOUNT_DETACH) < 0 || chdir("/") < 0)
                return false;
        root_close(stage);
        errno = error;
        return mount >= 0 && attach_file(mount, target);
}

bool make_file(const Own *own, const MountStep *step, int source)
{
        const char *name;
        int dir = open_parent(own, AT_FDCWD, step->target, &name);
        bool done;

        if (dir < 0)
                return false;
        errno = ENOENT;
        done = is_own(own, dir) && fill_file(dir, name, step, source) &&
               (!step->is_read_only ||
                attach_file(clone_file(dir, name, true), open_path(dir, name, 0, NO_LINKS)));
        root_close(dir);
        return done;
}
