/* plant DIRECTORY: tries to leave files with rights there by every way that takes a mode, and says
 * how each went. */
#define _GNU_SOURCE /* O_TMPFILE */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static void report(const char *what, long result)
{
        printf("%s: %s\n", what, result < 0 ? strerror(errno) : "ok");
}

/* struct vfs_cap_data: version 2, effective; CAP_SETUID */
static const uint32_t capability[5] = {0x02000001, 1u << 7, 0, 0, 0};

int main(int argc, char **argv)
{
        if (argc != 2 || chdir(argv[1]) < 0)
                return 2;
        int fd = open("file", O_RDWR | O_CREAT, 0755);
        if (fd < 0)
                return 3;
        report("chmod", chmod("file", 04755));
        report("fchmod", fchmod(fd, 06755));
        report("fchmodat", fchmodat(AT_FDCWD, "file", 02755, 0));
        report("fchmodat2", syscall(SYS_fchmodat2, AT_FDCWD, "file", 04755, 0));
        report("open", open("open", O_RDWR | O_CREAT, 04755));
        report("creat", creat("creat", 04755));
        report("mkdir", mkdir("mkdir", 02755));
        report("mknod", mknod("mknod", S_IFREG | 04755, 0));
        int unnamed = open(".", O_RDWR | O_TMPFILE, 04755);
        report("tmpfile", unnamed);
        if (unnamed >= 0) {
                char path[64];
                snprintf(path, sizeof path, "/proc/self/fd/%d", unnamed);
                report("linkat", linkat(AT_FDCWD, path, AT_FDCWD, "tmpfile", AT_SYMLINK_FOLLOW));
        }
        report("capability",
               fsetxattr(fd, "security.capability", capability, sizeof capability, 0));
        report("harmless", chmod("file", 0711));
        return 0;
}
