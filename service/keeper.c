/* naive-runc-keeper: keeps the containers' subtree of cgroups, where there is systemd.
 *
 * The subtree belongs to a unit of its own, naive-runc-containers.service, so that systemd can
 * start the service again at any time: it cannot put a process into a cgroup that hands controllers
 * down (EBUSY), and so none into a unit below which limited containers live. A unit needs a
 * process, and a cgroup that hands controllers down has none but in its leaves: this process moves
 * itself into the leaf "keeper", tells systemd, and waits. It touches nothing else, and when it is
 * killed the containers go on (ExitType=cgroup).
 *
 * libc alone, and no allocation: it stays as long as the machine runs. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

static int complain(const char *what, const char *which)
{
        int errnum = errno;

        dprintf(STDERR_FILENO, "naive-runc-keeper: cannot %s%s: %s\n", what, which,
                strerror(errnum));
        return EXIT_FAILURE;
}

/* The path of our v2 cgroup; "" if there is no v2 hierarchy, "/" if it is not systemd's. */
static bool read_own_cgroup(char *path, size_t size)
{
        char text[PATH_MAX * 2];
        int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

        if (n < 0)
                return false;
        close(fd);
        text[n] = '\0';
        char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
        *path = '\0';
        if (!line)
                return true;
        line = strchr(line, '/');
        line[strcspn(line, "\n")] = '\0';
        return (size_t) snprintf(path, size, "%s", line) < size;
}

/* Where systemd mounts the v2 hierarchy: in unified mode, and in hybrid mode. */
static int open_unified(void)
{
        static const char *const points[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
        struct statfs fs;

        for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
                int fd = open(points[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
                        return fd;
                if (fd >= 0)
                        close(fd);
        }
        errno = ENOENT;
        return -1;
}

static bool enter_leaf(int mount, const char *cgroup)
{
        char path[PATH_MAX];

        if (snprintf(path, sizeof path, "%s/keeper/cgroup.procs", cgroup + 1) >= PATH_MAX)
                return errno = ENAMETOOLONG, false;
        *strrchr(path, '/') = '\0';
        if (mkdirat(mount, path, 0755) < 0 && errno != EEXIST)
                return false;
        path[strlen(path)] = '/';
        int fd = openat(mount, path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
                return false;
        return close(fd) == 0;
}

/* sd_notify() without its library. */
static bool notify_ready(const char *path)
{
        static const char message[] = "READY=1\nSTATUS=Keeping the containers' cgroups.";
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t length = strlen(path);
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return false;
        if (length >= sizeof address.sun_path)
                return errno = ENAMETOOLONG, false;
        memcpy(address.sun_path, path, length);
        if (*path == '@')
                address.sun_path[0] = '\0';
        socklen_t size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length);
        if (sendto(fd, message, sizeof message - 1, MSG_NOSIGNAL, (struct sockaddr *) &address,
                   size) < 0)
                return false;
        return close(fd) == 0;
}

int main(void)
{
        const char *socket_path = getenv("NOTIFY_SOCKET");
        char cgroup[PATH_MAX];

        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        if (!read_own_cgroup(cgroup, sizeof cgroup))
                return complain("read ", "/proc/self/cgroup");
        if (*cgroup && strcmp(cgroup, "/") != 0) {
                int mount = open_unified();
                if (mount < 0)
                        return complain("find the v2 hierarchy in ", "/sys/fs/cgroup");
                if (!enter_leaf(mount, cgroup))
                        return complain("enter a leaf of ", cgroup);
                close(mount);
        }
        if (socket_path && !notify_ready(socket_path))
                return complain("notify ", socket_path);
        for (;;)
                pause();
}
