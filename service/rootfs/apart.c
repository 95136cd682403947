#include "service/rootfs/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/rootfs/submounts.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
/* sys/mount.h clashes with linux/mount.h */
#define MOUNT_PRIVATE      (1ul << 18)
#define MOUNT_ALL_PRIVATE  (1ul << 14 | MOUNT_PRIVATE)
#define UMOUNT_DETACH      2
#define UMOUNT_LINK_IS_BAD 8 /* UMOUNT_NOFOLLOW */

#define SECONDS_MAX 5

/* -- in the process: system calls alone, it is a copy of the service -- */

static bool attach_on_root(int mount)
{
        return syscall(SYS_move_mount, mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

/* The clone still shares what is mounted in it with the host: unmounted there, it would be gone
 * here and there. */
static int make_pruned(const ApartWork *work)
{
        struct mount_attr alone = {.propagation = MOUNT_PRIVATE};

        if (syscall(SYS_mount_setattr, work->mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &alone,
                    sizeof alone) < 0 ||
            !attach_on_root(work->mount) || fchdir(work->mount) < 0)
                return -1;
        for (const char *const *name = submounts_covered; *name; name++)
                while (syscall(SYS_umount2, *name, UMOUNT_DETACH | UMOUNT_LINK_IS_BAD) == 0)
                        ;
        return (int) syscall(SYS_open_tree, AT_FDCWD, ".",
                             OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

static bool set_option(int fs, const char *key, const char *value)
{
        return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0) == 0;
}

static int finish(int fs, uint64_t attributes)
{
        return syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0
                       ? (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes)
                       : -1;
}

/* The directory that is written to becomes the root of the merged tree, so it looks like that of
 * the lower one. The attribute that an overlay keeps its notes in is root's alone: with it nothing
 * inside can forge them, and who cannot set it makes no layer. */
static bool make_upper(int room, int lower)
{
        struct stat status;
        int upper;

        if (fstat(lower, &status) < 0 || mkdirat(room, "work", 0700) < 0 ||
            mkdirat(room, "upper", 0700) < 0 ||
            (upper = openat(room, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                return false;
        return fsetxattr(upper, "trusted.overlay.origin", "", 0, 0) == 0 &&
               fremovexattr(upper, "trusted.overlay.origin") == 0 &&
               fchown(upper, status.st_uid, status.st_gid) == 0 &&
               fchmod(upper, status.st_mode & 07777) == 0 && close(upper) == 0;
}

static int make_room(const ApartWork *work)
{
        int fs = (int) syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
        char size[24];

        snprintf(size, sizeof size, "%llu", (unsigned long long) work->size);
        return fs >= 0 && set_option(fs, "mode", "0700") &&
                               (work->size == 0 || set_option(fs, "size", size))
                       ? finish(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
                       : -1;
}

/* What the lower tree's mount does not let be executed, or give rights, the overlay does not
 * either.
 */
static uint64_t layered_attributes(const ApartWork *work)
{
        struct statvfs lower = {0};
        uint64_t attributes = work->attributes;

        if (fstatvfs(work->mount, &lower) < 0 || lower.f_flag & ST_NOEXEC)
                attributes |= MOUNT_ATTR_NOEXEC;
        if (lower.f_flag & ST_NOSUID)
                attributes |= MOUNT_ATTR_NOSUID;
        return attributes;
}

/* Attached for this, for before Linux 6.15 an overlay takes no layer that is not. What the lower
 * tree says of other directories, or of where a file's content is, counts for nothing: its author
 * is not trusted. */
static int make_layered(const ApartWork *work)
{
        char lower[64], upper[64], workdir[64];
        int room = make_room(work), fs = (int) syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);

        if (room < 0 || fs < 0 || !attach_on_root(work->mount) || !attach_on_root(room) ||
            !make_upper(room, work->mount))
                return -1;
        snprintf(lower, sizeof lower, "/proc/self/fd/%d", work->mount);
        snprintf(upper, sizeof upper, "/proc/self/fd/%d/upper", room);
        snprintf(workdir, sizeof workdir, "/proc/self/fd/%d/work", room);
        return set_option(fs, "lowerdir", lower) && set_option(fs, "upperdir", upper) &&
                               set_option(fs, "workdir", workdir) &&
                               set_option(fs, "redirect_dir", "nofollow") &&
                               set_option(fs, "metacopy", "off") && set_option(fs, "index", "off")
                       ? finish(fs, layered_attributes(work))
                       : -1;
}

/* The file keeps the namespace, and the namespace the tree, for as long as it is open. */
static int open_table(const ApartWork *work)
{
        return attach_on_root(work->mount) ? open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)
                                           : -1;
}

static int work_on(const ApartWork *work)
{
        switch (work->verb) {
        case APART_PRUNE:
                return make_pruned(work);
        case APART_LAYER:
                return make_layered(work);
        case APART_LOOK:
                return open_table(work);
        }
        errno = EINVAL;
        return -1;
}

static _Noreturn void work_apart(const ApartWork *work, pid_t service, int socket)
{
        const int keep[] = {work->mount < socket ? work->mount : socket,
                            work->mount < socket ? socket : work->mount};
        int made = -1, error;

        proc_detach(service, keep, 2);
        alarm(SECONDS_MAX); /* the service waits */
        if (syscall(SYS_mount, NULL, "/", NULL, MOUNT_ALL_PRIVATE, NULL) == 0)
                made = work_on(work);
        error = made < 0 ? errno : 0;
        fd_send_all(socket, &error, sizeof error, &made, made >= 0 ? 1 : 0);
        _exit(0);
}

/* -- in the service -- */

bool apart_do(const ApartWork *work, int *ret_fd)
{
        int sockets[2], pidfd = -1, error = EINTR, made = -1;
        struct clone_args args = {.flags = CLONE_NEWNS | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &pidfd};
        pid_t service = getpid();

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return false;
        autofd int ours = sockets[0], theirs = sockets[1];
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                work_apart(work, service, theirs);
        if (pid < 0)
                return false;
        while (waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED) < 0 && errno == EINTR)
                ;
        fd_close(pidfd);
        fd_receive(ours, &error, sizeof error, &made);
        errno = error;
        if (made < 0)
                return false;
        *ret_fd = made;
        return true;
}
