#include "service/util/namespace.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "service/util/fd.h"

bool namespace_device(uint64_t *ret)
{
        struct stat own;

        if (stat("/proc/self/ns/net", &own) < 0)
                return false;
        *ret = own.st_dev;
        return true;
}

bool namespace_is_network(int fd)
{
        return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

bool namespace_owner(int fd, uid_t *ret)
{
        autofd int users = ioctl(fd, NS_GET_USERNS);
        struct stat theirs, own;

        return users >= 0 && fstat(users, &theirs) == 0 && stat("/proc/self/ns/user", &own) == 0 &&
               (theirs.st_ino != own.st_ino || theirs.st_dev != own.st_dev) &&
               ioctl(users, NS_GET_OWNER_UID, ret) == 0;
}
