/* The throw-away child of a look-up. It is a copy of the service, which has one thread: so it may
 * call what allocates, and calls nothing of GLib. */

#include "service/rootfs/lookup-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "service/util/envelope.h"
#include "service/util/proc.h"

/* If an fd's mount is not in our mount namespace, the path that the kernel tells begins at that
 * mount and means another place here. So let a polkit rule judge the path only if it leads back to
 * the same directory. Walk it with root's rights: whoever holds the fd need not be able to walk
 * there. */
static int check_reachable(int fd)
{
        char link[32], path[PATH_MAX + 1];
        struct statx given, found;

        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length <= 0 || path[0] != '/')
                return -EXDEV;
        path[length] = '\0';
        int other = rootfs_open_path(path, O_DIRECTORY, RESOLVE_NO_SYMLINKS);
        if (other < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &given) < 0 ||
            statx(other, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &found) < 0)
                return -EXDEV;
        close(other);
        return given.stx_mnt_id == found.stx_mnt_id && given.stx_ino == found.stx_ino &&
                               given.stx_dev_major == found.stx_dev_major &&
                               given.stx_dev_minor == found.stx_dev_minor
                       ? 0
                       : -EXDEV;
}

/* O_PATH opens without any right to the file: ask for the right that any use of it would need. */
static int judge(int fd, bool is_tree, struct stat *status)
{
        struct statfs fs;
        int right = F_OK;

        if (fstat(fd, status) < 0)
                return -errno;
        if (S_ISDIR(status->st_mode))
                right = X_OK;
        else if (is_tree)
                return -ENOTDIR;
        else if (S_ISREG(status->st_mode))
                right = R_OK;
        else if (!S_ISFIFO(status->st_mode) && !S_ISSOCK(status->st_mode))
                return -ENODEV;
        /* needs the file system's answer, which one in user space may not give */
        if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
                return -EMEDIUMTYPE;
        return syscall(SYS_faccessat2, fd, "", right, AT_EACCESS | AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static gid_t find_group(uid_t uid)
{
        char text[16384];
        struct passwd entry, *found = NULL;

        return getpwuid_r(uid, &entry, text, sizeof text, &found) == 0 && found ? found->pw_gid
                                                                                : (gid_t) -1;
}

_Noreturn void rootfs_lookup_child(pid_t parent, const RootfsRequest *request, int socket)
{
        LookupReply reply = {.n = request->n > 0};
        struct stat status = {.st_mode = 0};
        int fds[LOOKUP_SOURCES_MAX], fd;
        size_t n = 0;
        bool has_fd = request->n > 0 && !request->sources[0].path;

        if (has_fd) {
                /* proc_detach() keeps it there */
                int given = dup2(envelope_open(request->sources[0].fd), STDIN_FILENO);
                proc_detach(parent, &socket, 1);
                if (given < 0 || fstat(STDIN_FILENO, &status) < 0)
                        reply.error = given < 0 ? -EBADF : -errno;
                else
                        reply.error =
                                S_ISDIR(status.st_mode) ? check_reachable(STDIN_FILENO) : -ENOTDIR;
                reply.found[0].mode = status.st_mode;
        }
        if (reply.error == 0 && request->owner->uid != 0)
                reply.error = rootfs_become(request->owner);
        proc_detach(parent, &socket, 1);
        for (size_t i = 0; reply.error == 0 && i < request->n; i++) {
                const RootfsSource *source = &request->sources[i];
                reply.n = (uint32_t) i + 1;
                fd = source->path
                             ? rootfs_open_path(source->path, source->is_tree ? O_DIRECTORY : 0, 0)
                             : STDIN_FILENO;
                if (fd < 0 && source->is_optional && errno == ENOENT)
                        continue;
                reply.error = fd < 0 ? -errno : judge(fd, source->is_tree, &status);
                reply.found[i].uid = status.st_uid;
                reply.found[i].gid = status.st_gid;
                reply.found[i].mode = status.st_mode;
                fds[n++] = fd;
        }
        if (reply.error == 0 && request->learns)
                reply.group = find_group(request->owner->uid);
        fd_send_all(socket, &reply, sizeof reply, fds, reply.error == 0 ? n : 0);
        _exit(0);
}
