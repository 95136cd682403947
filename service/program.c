/* Until a container executes its command, /proc/self/exe there is this program. A tree could have
 * it executed in the command's place, as the interpreter of a script or of a program, with a loader
 * of the tree's own; and a container whose root is the host's root (UserNamespace `host`, or `self`
 * of root) could open it, keep the fd, and write to the file once nothing executes it any more: the
 * next start would run the container's code (CVE-2019-5736 of runc). The kernel opens that link in
 * the mount from which the program was executed. So the service executes itself from a read-only
 * clone of the mount, attached nowhere, and forbids execution in the clone once that is done: no
 * namespace has the clone, nobody can change it, and the kernel itself refuses, at the moment of
 * each open, whatever names were looked at before. It costs a container nothing. Rejected: a sealed
 * copy in memory, as runc has, which would cost a process's worth of pages; another file in its
 * place by PR_SET_MM, for which all that is mapped of the program would have to be mapped anew. */

#include "service/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

#define EXE "/proc/self/exe"

/* Tells the program that is executed again which fd has its mount. */
#define MOUNT_VARIABLE "NAIVE_RUNC_MOUNT"

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

static bool restrict_mount(int mount, uint64_t attribute)
{
        struct mount_attr attributes = {.attr_set = attribute};

        return syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes,
                       sizeof attributes) == 0;
}

/* In the program that was executed again. Does nothing if the variable is somebody else's. */
static void forbid_execution(void)
{
        const char *number = g_getenv(MOUNT_VARIABLE);
        guint64 fd;

        if (!number ||
            !g_ascii_string_to_unsigned(number, 10, STDERR_FILENO + 1, INT_MAX, &fd, NULL))
                return;
        autofd int mount = (int) fd;
        (void) restrict_mount(mount, MOUNT_ATTR_NOEXEC);
        g_unsetenv(MOUNT_VARIABLE);
}

static bool execute_again(char **argv)
{
        char buffer[PATH_MAX], number[16];
        const char *path;
        autofd int mount = clone_mount(buffer, &path);

        if (mount < 0 || !restrict_mount(mount, MOUNT_ATTR_RDONLY) || fcntl(mount, F_SETFD, 0) < 0)
                return false;
        g_snprintf(number, sizeof number, "%d", mount);
        g_setenv(MOUNT_VARIABLE, number, true);
        return syscall(SYS_execveat, mount, path, argv, environ, AT_EMPTY_PATH) == 0;
}

bool program_protect(char **argv, GError **error)
{
        const unsigned long wanted = ST_RDONLY | ST_NOEXEC;
        autofd int program = open(EXE, O_PATH | O_CLOEXEC);
        bool is_again = g_getenv(MOUNT_VARIABLE);
        struct statfs status;

        if (geteuid() != 0)
                return true;
        forbid_execution();
        if (program < 0 || fstatfs(program, &status) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot look at " EXE);
        if (((unsigned long) status.f_flags & wanted) == wanted)
                return true;
        if (is_again || !execute_again(argv))
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot execute " EXE " from a mount of its own");
        return true;
}
