/* Opening a path with the rights of a caller. */

#include "service/rootfs/lookup-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* No magic links: "/proc/self/…" would mean the service's own, not the caller's. */
int rootfs_open_path(const char *path, uint64_t flags, uint64_t resolve)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC | flags,
                .resolve = RESOLVE_NO_MAGICLINKS | resolve,
        };

        return (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

int rootfs_become(const Credentials *owner)
{
        /* Raw system calls change the ids of this thread only, and no state of the library. The
         * file system ids decide what a lookup may pass; the other ids stay root's, so that the
         * caller cannot signal or trace this process. */
        if (syscall(SYS_setgroups, owner->n_groups, owner->groups) < 0)
                return -errno;
        gid_t gid = owner->n_groups ? owner->groups[0] : (gid_t) 65534;
        setfsgid(gid);
        setfsuid(owner->uid);
        if ((gid_t) setfsgid((gid_t) -1) != gid || (uid_t) setfsuid((uid_t) -1) != owner->uid)
                return -EPERM;
        return 0;
}

bool rootfs_come_back(void)
{
        setfsuid(geteuid());
        setfsgid(getegid());
        return (uid_t) setfsuid((uid_t) -1) == geteuid() &&
               (gid_t) setfsgid((gid_t) -1) == getegid() && syscall(SYS_setgroups, 0, NULL) == 0 &&
               /* where fs.suid_dumpable says so, the change of ids has made us dumpable */
               prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}
