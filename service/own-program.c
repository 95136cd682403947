#include "service/own-program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/error.h"
#include "service/util/fd.h"

static bool execute_read_only(const char *program, char **argv)
{
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
        g_autofree char *directory = g_path_get_dirname(program);
        g_autofree char *name = g_path_get_basename(program);
        autofd int mount = (int) syscall(SYS_open_tree, AT_FDCWD, directory,
                                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (mount < 0 || syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes,
                                 sizeof attributes) < 0)
                return false;
        syscall(SYS_execveat, mount, name, argv, environ, 0);
        return false;
}

bool own_program_protect(char **argv, GError **error)
{
        char program[PATH_MAX] = "";
        struct statvfs status;

        if (geteuid() != 0)
                return true;
        if (readlink("/proc/self/exe", program, sizeof program - 1) > 0 &&
            statvfs("/proc/self/exe", &status) == 0 &&
            (status.f_flag & ST_RDONLY || execute_read_only(program, argv)))
                return true;
        return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                               "cannot run from a read-only mount of '%s'", program);
}
