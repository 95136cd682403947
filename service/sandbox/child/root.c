#include "service/sandbox/child/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UMOUNT_DETACH 2 /* sys/mount.h clashes with linux/mount.h */

/* A new file system as a detached mount, or -1. */
int sandbox_new_mount(const char *type, const SandboxMountOption *options, size_t n,
                      unsigned attributes)
{
        int mount = -1;
        int fs = (int) syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);

        if (fs < 0)
                return -1;
        for (size_t i = 0; i < n; i++)
                if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, options[i].key, options[i].value,
                            0) < 0)
                        return -1;
        if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
                mount = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
        sandbox_close(fs);
        return mount;
}

/* Opens a mount point that must be a real one: the root tree is hostile, no link is followed. */
static int open_target(int dir, const char *path, uint64_t flags)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC | flags,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        int fd;

        /* EAGAIN: somebody renames on the host while we look; bounded, or a race could hold us here
         */
        for (int tries = 0; tries < 32; tries++) {
                fd = (int) syscall(SYS_openat2, dir, path, &how, sizeof how);
                if (fd >= 0 || errno != EAGAIN)
                        return fd;
        }
        return fd;
}

static bool attach(int mount, int dir, const char *path, uint64_t flags)
{
        int target = open_target(dir, path, flags);
        bool done;

        if (target < 0)
                return false;
        done = syscall(SYS_move_mount, mount, "", target, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
        sandbox_close(target);
        return done;
}

/* Covers one path of our own proc or sysfs, found from its mount: the directory that it is mounted
 * on may have got another name meanwhile. The sources are ours too, or the host's
 * before the pivot: an empty tmpfs, /dev/null, or the path itself, never a file of the root tree.
 */
static bool mask(const SandboxBase *base, const SandboxMask *what, int dir)
{
        const int dev = base->masks_late ? base->dev_fd : AT_FDCWD;
        const char *null = base->masks_late ? "null" : "/dev/null";
        const bool is_read_only = what->kind == MASK_READ_ONLY;
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                                                    MOUNT_ATTR_NOEXEC};
        int mount;

        if (what->kind == MASK_EMPTY_DIRECTORY)
                mount = sandbox_new_mount(
                        "tmpfs", (SandboxMountOption[]){{"size", "4096"}, {"mode", "0555"}}, 2,
                        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                MOUNT_ATTR_NOEXEC);
        else
                mount = (int) syscall(SYS_open_tree, is_read_only ? dir : dev,
                                      is_read_only ? what->path : null,
                                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (mount < 0)
                return false;
        if (what->kind != MASK_EMPTY_DIRECTORY &&
            syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) <
                    0)
                return false;
        if (!attach(mount, dir, what->path, 0))
                return false;
        sandbox_close(mount);
        return true;
}

/* `proc` and `sys`: those file systems, attached or not. */
static void mask_all(const SandboxBase *base, int proc, int sys)
{
        for (size_t i = 0; i < base->n_masks; i++)
                if (!mask(base, &base->masks[i], base->masks[i].in_sys ? sys : proc) &&
                    errno != ENOENT) /* was there when the service began */
                        sandbox_fail(base, STAGE_MASK);
}

/* On top of "/", which needs no directory of its own. */
static void attach_root(const SandboxBase *base, int root)
{
        if (syscall(SYS_move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                sandbox_fail(base, STAGE_ATTACH_ROOT);
        if (fchdir(root) < 0)
                sandbox_fail(base, STAGE_PIVOT_ROOT);
        /* one that waits for its start holds no directory */
        sandbox_close(root);
}

static void change_root(const SandboxBase *base, int root)
{
        attach_root(base, root);
        /* "." is the new root for both arguments; then what is detached by "." is the old one, now
         * on top of it. */
        if (syscall(SYS_pivot_root, ".", ".") < 0)
                sandbox_fail(base, STAGE_PIVOT_ROOT);
        if (syscall(SYS_umount2, ".", UMOUNT_DETACH) < 0 || chdir("/") < 0)
                sandbox_fail(base, STAGE_DETACH_OLD_ROOT);
}

/* Of one that has left the host: its old root is an empty, read-only tmpfs and stays below, for to
 * detach it would mean to wait for an RCU grace period (0.1 to 0.4 ms). Nothing leads there: ".."
 * of a mount that lies on the namespace's root is that mount again, whatever chroot() is played
 * with, and to unmount it takes a capability over the mounts that no command in here has. So it is
 * no chroot jail, and the kernel does not take it for one (user namespaces could be made). */
static void cover_root(const SandboxBase *base, int root)
{
        attach_root(base, root);
        if (chroot(".") < 0)
                sandbox_fail(base, STAGE_PIVOT_ROOT);
}

/* One that waits for its call leaves the host's tree early, for an empty one: late, there is less
 * to detach, and meanwhile it holds nothing of the host's. */
static void leave_host(const SandboxBase *base)
{
        int stage = sandbox_new_mount("tmpfs", (SandboxMountOption[]){{"size", "4096"}}, 1,
                                      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                              MOUNT_ATTR_NOEXEC);

        if (stage < 0)
                sandbox_fail(base, STAGE_NEW_TMP);
        change_root(base, stage);
}

/* Made while the host's proc and sysfs are still visible: the kernel asks for that in a user
 * namespace, so that nothing masked on the host comes to light here. */
void sandbox_make_mounts(const SandboxBase *base, SandboxMounts *mounts)
{
        const unsigned safe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        const SandboxMountOption pts[] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}};
        const SandboxMountOption shm[] = {{"mode", "1777"}, {"size", "65536k"}};
        const SandboxMountOption tmp[] = {{"mode", "1777"}};

        if ((mounts->proc = sandbox_new_mount("proc", NULL, 0, safe)) < 0)
                sandbox_fail(base, STAGE_NEW_PROC);
        if ((mounts->sys = base->sys_fd) < 0 &&
            (mounts->sys = sandbox_new_mount("sysfs", NULL, 0, safe | MOUNT_ATTR_RDONLY)) < 0)
                sandbox_fail(base, STAGE_NEW_SYS);
        if ((mounts->pts = sandbox_new_mount("devpts", pts, base->has_tty_gid ? 3 : 2,
                                             MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)) < 0)
                sandbox_fail(base, STAGE_NEW_PTS);
        if ((mounts->shm = sandbox_new_mount("tmpfs", shm, 2, safe)) < 0 ||
            (mounts->tmp =
                     sandbox_new_mount("tmpfs", tmp, 1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)) < 0)
                sandbox_fail(base, STAGE_NEW_TMP);
        if ((mounts->mqueue = sandbox_new_mount("mqueue", NULL, 0, safe)) < 0)
                sandbox_fail(base, STAGE_NEW_MQUEUE);
        if (!base->masks_late)
                mask_all(base, mounts->proc, mounts->sys);
        if (base->leaves_host)
                leave_host(base);
}

/* After the pivot links in the tree can lead nowhere but into it; ours are not followed at all. */
static void attach_mounts(const SandboxBase *base, const SandboxMounts *mounts)
{
        if (!attach(mounts->proc, AT_FDCWD, "proc", O_DIRECTORY))
                sandbox_fail(base, STAGE_MOUNT_PROC);
        if (!attach(mounts->sys, AT_FDCWD, "sys", O_DIRECTORY))
                sandbox_fail(base, STAGE_MOUNT_SYS);
        if (!attach(base->dev_fd, AT_FDCWD, "dev", O_DIRECTORY))
                sandbox_fail(base, STAGE_MOUNT_DEV);
        if (!attach(mounts->pts, base->dev_fd, "pts", O_DIRECTORY) ||
            !attach(mounts->shm, base->dev_fd, "shm", O_DIRECTORY) ||
            !attach(mounts->mqueue, base->dev_fd, "mqueue", O_DIRECTORY))
                sandbox_fail(base, STAGE_MOUNT_DEV_ENTRY);
        if (!attach(mounts->tmp, AT_FDCWD, "tmp", O_DIRECTORY) &&
            errno != ENOENT) /* a tree need not have one */
                sandbox_fail(base, STAGE_MOUNT_TMP);
}

static bool mount_one(const SandboxMount *what, const int *fds)
{
        const SandboxMountOption options[] = {{"size", what->size}, {"mode", what->mode}};
        size_t first = what->size ? 0 : 1, end = what->mode ? 2 : 1;
        int directory = what->is_directory ? -1 : open_target(AT_FDCWD, what->target, O_DIRECTORY);
        int mount = what->fd < 0 ? -1 : fds[what->fd];
        bool done;

        if (directory >= 0) { /* the kernel says EINVAL, as it does for much else */
                errno = EISDIR;
                return false;
        }
        if (mount < 0)
                mount = sandbox_new_mount("tmpfs", options + first, end - first, what->attributes);
        done = mount >= 0 &&
               attach(mount, AT_FDCWD, what->target, what->is_directory ? O_DIRECTORY : 0);
        if (done)
                sandbox_close(mount);
        return done;
}

/* After all that is ours, and in the caller's order, for one may lie in another. Nothing is made in
 * the tree: a target is there, or it is an error. */
static void mount_others(const SandboxBase *base, const int *fds)
{
        const SandboxPlan *plan = base->plan;

        for (uint32_t i = 0; i < plan->n_mounts; i++)
                if (!mount_one(&plan->mounts[i], fds))
                        sandbox_fail_at(base, STAGE_MOUNT, i);
}

void sandbox_enter_root(const SandboxBase *base, const SandboxMounts *mounts, const int *fds)
{
        if (base->leaves_host)
                cover_root(base, fds[0]);
        else
                change_root(base, fds[0]);
        attach_mounts(base, mounts);
        if (base->masks_late)
                mask_all(base, mounts->proc, mounts->sys);
        /* the mounts' own fds: all that is kept has higher numbers */
        syscall(SYS_close_range, 0, SANDBOX_FD_BASE - 1, 0);
        mount_others(base, fds);
}
