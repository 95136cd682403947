/* A container whose root is the host's root (UserNamespace `host`, or `self` of root) could open
 * the program through /proc/self/exe, keep the fd, and write to the file once nothing executes it
 * any more: the next start would run the container's code (CVE-2019-5736 of runc). The kernel opens
 * that link in the mount from which the program was executed. So the service executes itself from a
 * read-only clone of the mount, attached nowhere: no namespace has the clone, and nobody can make
 * it writable. Rejected: a sealed copy in memory, as runc has; it would cost a process's worth of
 * pages. */

#include "service/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

#define EXE "/proc/self/exe"

/* Clones the mount at "/" without its submounts if the program lies there: whoever looks at the
 * process then sees the program's usual path. Otherwise clones the file alone, as in a user
 * namespace, whose inherited mounts can only be cloned together with what is mounted on them.
 * *ret_path: the program, relative to the clone. */
static int clone_mount(char *path, const char **ret_path)
{
        const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
        ssize_t length = readlink(EXE, path, PATH_MAX - 1);
        autofd int top = (int) syscall(SYS_open_tree, AT_FDCWD, "/", flags);
        struct stat ours, there;

        *ret_path = "";
        if (length <= 1 || stat(EXE, &ours) < 0)
                return -1;
        path[length] = '\0';
        if (top < 0 || fstatat(top, path + 1, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
            there.st_dev != ours.st_dev || there.st_ino != ours.st_ino)
                return (int) syscall(SYS_open_tree, AT_FDCWD, EXE, flags);
        *ret_path = path + 1;
        return steal_fd(&top);
}

bool program_protect(char **argv, GError **error)
{
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
        autofd int program = open(EXE, O_PATH | O_CLOEXEC);
        char buffer[PATH_MAX];
        const char *path;
        struct statfs status;

        if (program < 0 || fstatfs(program, &status) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot look at " EXE);
        if (geteuid() != 0 || (status.f_flags & ST_RDONLY))
                return true;
        autofd int mount = clone_mount(buffer, &path);
        if (mount < 0 ||
            syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) <
                    0 ||
            syscall(SYS_execveat, mount, path, argv, environ, AT_EMPTY_PATH) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot execute " EXE " from a read-only mount");
        return true;
}
