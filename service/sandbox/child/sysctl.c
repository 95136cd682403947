#include "service/sandbox/child/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/sandbox/child/root.h"

/* A cover that makes /proc/sys read-only lies on this directory, and not on what is below. */
int sysctl_open(int proc)
{
        int low = (int) syscall(SYS_openat, proc, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int high = fcntl(low, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);

        if (low >= 0)
                root_close(low);
        return high;
}

/* In a proc of our own making, which no tree has a say in (CVE-2025-52881). Whose setting it is the
 * kernel tells by the namespaces of who opens it. */
bool sysctl_set(int sys, const SandboxSysctl *sysctl)
{
        struct open_how how = {.flags = O_WRONLY | O_CLOEXEC,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS |
                                          RESOLVE_NO_MAGICLINKS};
        int fd = (int) syscall(SYS_openat2, sys, sysctl->path, &how, sizeof how);
        ssize_t n;

        if (fd < 0)
                return false;
        n = write(fd, sysctl->value, sysctl->length);
        root_close(fd);
        if (n >= 0)
                errno = EINVAL; /* a value of which the kernel takes a part */
        return n == (ssize_t) sysctl->length;
}
