#include "service/isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

static bool become_root_of_own(GError **error)
{
        uid_t uid = geteuid();
        gid_t gid = getegid();
        g_autofree char *uids = g_strdup_printf("0 %u 1", uid);
        g_autofree char *gids = g_strdup_printf("0 %u 1", gid);
        int r;

        if (unshare(CLONE_NEWUSER) < 0)
                return error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, errno,
                                       "this system does not let user %u make user namespaces",
                                       uid);
        if ((r = fd_write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny")) < 0 ||
            (r = fd_write_file_at(AT_FDCWD, "/proc/self/uid_map", uids)) < 0 ||
            (r = fd_write_file_at(AT_FDCWD, "/proc/self/gid_map", gids)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, -r,
                                       "cannot map user %u into a user namespace", uid);
        return true;
}

bool isolate(GError **error)
{
        if (geteuid() != 0 && !become_root_of_own(error))
                return false;
        /* mounts that the host makes later still appear here; ours do not appear on the host */
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, errno,
                                       "cannot make a mount namespace");
        return true;
}
