/* unmake: with every right that a container can be given, tries to undo its set-up: to take down
 * each mount, to clear its flags in place and in a copy, to write to the root tree. Says of each
 * try how it went, of those that must work first. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MOUNTS_MAX 64

static char points[MOUNTS_MAX][256];
static unsigned n_points;

static void report(const char *what, const char *where, long result)
{
        printf("%s %s: %s\n", what, where, result < 0 ? strerror(errno) : "ok");
}

static void read_points(void)
{
        FILE *file = fopen("/proc/self/mountinfo", "r");
        char line[4096];

        while (file && n_points < MOUNTS_MAX && fgets(line, sizeof line, file))
                if (sscanf(line, "%*s %*s %*s %*s %255s", points[n_points]) == 1)
                        n_points++;
        if (file)
                fclose(file);
}

static long raise_loopback(short flags)
{
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = flags};

        return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &request);
}

/* What shows that the rights are there. */
static void use_rights(void)
{
        report("rights", "mount", mount("mine", "/mnt", "tmpfs", 0, NULL));
        report("rights", "umount", umount2("/mnt", 0));
        report("rights", "hostname", sethostname("mine", 4));
        report("rights", "network", raise_loopback(0) < 0 ? -1 : raise_loopback(IFF_UP));
        report("rights", "chroot", chroot("/"));
}

static long clear_flags(int fd, unsigned long long flags)
{
        struct mount_attr attributes = {.attr_clr = flags};

        return syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
}

/* A recursive copy of a mount may be made; what is locked in it must stay so. */
static void unlock_copy(const char *point)
{
        int copy = (int) syscall(SYS_open_tree, AT_FDCWD, point,
                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | 0x8000 /* AT_RECURSIVE */);

        if (copy < 0) {
                report("copy", point, copy);
                return;
        }
        report("copy-rw", point, clear_flags(copy, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
        close(copy);
        /* one without what is mounted in it would show what that covers */
        if (strcmp(point, "/proc") == 0 || strcmp(point, "/sys") == 0 || strcmp(point, "/") == 0)
                report("copy-bare", point,
                       syscall(SYS_open_tree, AT_FDCWD, point, OPEN_TREE_CLONE));
}

static void unmake(const char *point)
{
        int fd = open(point, O_PATH | O_CLOEXEC);

        report("umount", point, umount2(point, 0));
        report("umount-detach", point, umount2(point, MNT_DETACH));
        report("remount", point, mount(NULL, point, NULL, MS_REMOUNT | MS_BIND, NULL));
        report("remount-superblock", point, mount(NULL, point, NULL, MS_REMOUNT, NULL));
        report("clear-nosuid", point, clear_flags(fd, MOUNT_ATTR_NOSUID));
        report("clear-rdonly", point, clear_flags(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
        close(fd);
        unlock_copy(point);
}

int main(void)
{
        setvbuf(stdout, NULL, _IOLBF, 0);
        read_points();
        use_rights();
        for (unsigned i = n_points; i-- > 0;)
                unmake(points[i]);
        report("write", "/etc/new", open("/etc/new", O_WRONLY | O_CREAT, 0644));
        report("write", "/etc/marker", open("/etc/marker", O_WRONLY));
        report("mknod", "/etc/zero", mknod("/etc/zero", S_IFCHR | 0666, makedev(1, 5)));
        report("mknod", "/dev/sda", mknod("/dev/sda", S_IFBLK | 0666, makedev(8, 0)));
        report("new", "proc", mount("proc", "/mnt", "proc", 0, NULL));
        report("new", "sysfs", mount("sysfs", "/mnt", "sysfs", 0, NULL));
        /* one namespace further down everything is as locked */
        report("rights", "unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS));
        for (unsigned i = n_points; i-- > 0;)
                unmake(points[i]);
        report("write", "/etc/new", open("/etc/new", O_WRONLY | O_CREAT, 0644));
        return 0;
}
