#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/oci/engine/build.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

#define DEPTH_MAX 64u

static bool copy_directory(int from, int to, unsigned depth);

static bool copy_bytes(int from, int to)
{
        ssize_t n;

        while ((n = sendfile(to, from, NULL, 1u << 20)) > 0 || (n < 0 && errno == EINTR))
                ;
        return n == 0;
}

static bool copy_file(int from, int to, const char *name, const struct stat *status)
{
        autofd int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        autofd int target =
                openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        struct stat opened;

        return source >= 0 && target >= 0 && fstat(source, &opened) == 0 &&
               opened.st_ino == status->st_ino && S_ISREG(opened.st_mode) &&
               copy_bytes(source, target) && fchown(target, status->st_uid, status->st_gid) == 0 &&
               fchmod(target, status->st_mode & 07777) == 0;
}

static bool copy_link(int from, int to, const char *name, const struct stat *status)
{
        char text[PATH_MAX];
        ssize_t length = readlinkat(from, name, text, sizeof text - 1);

        if (length < 0)
                return false;
        text[length] = '\0';
        return symlinkat(text, to, name) == 0 &&
               fchownat(to, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool copy_entry(int from, int to, const char *name, unsigned depth)
{
        struct stat status;

        if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return false;
        if (S_ISREG(status.st_mode))
                return copy_file(from, to, name, &status);
        if (S_ISLNK(status.st_mode))
                return copy_link(from, to, name, &status);
        if (!S_ISDIR(status.st_mode))
                return true; /* sockets and pipes are their makers' */
        if (depth == DEPTH_MAX || mkdirat(to, name, 0700) < 0)
                return false;
        autofd int source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        autofd int target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return source >= 0 && target >= 0 && copy_directory(source, target, depth + 1) &&
               fchown(target, status.st_uid, status.st_gid) == 0 &&
               fchmod(target, status.st_mode & 07777) == 0;
}

static bool copy_directory(int from, int to, unsigned depth)
{
        int copy = fcntl(from, F_DUPFD_CLOEXEC, 3);
        DIR *directory = copy >= 0 ? fdopendir(copy) : NULL;
        bool done = directory;
        struct dirent *entry;

        if (!directory)
                fd_close(copy);
        while (done && (entry = readdir(directory)))
                if (g_strcmp0(entry->d_name, ".") != 0 && g_strcmp0(entry->d_name, "..") != 0)
                        done = copy_entry(from, to, entry->d_name, depth);
        int saved = errno;
        if (directory)
                closedir(directory);
        errno = saved;
        return done;
}

static bool configure(int fs, const OciMount *mount)
{
        for (char **item = mount->data; *item; item++) {
                g_auto(GStrv) pair = g_strsplit(*item, "=", 2);
                if (syscall(SYS_fsconfig, fs,
                            pair[0] && pair[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, pair[0],
                            pair[0] ? pair[1] : NULL, 0) < 0)
                        return false;
        }
        return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", "tmpfs", 0) == 0 &&
               syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
}

static bool gives(const OciMount *mount, const char *key)
{
        for (char **item = mount->data; *item; item++)
                if (g_str_has_prefix(*item, key))
                        return true;
        return false;
}

/* With the owner and mode of the directory that it covers, unless the bundle says others. */
static bool fill(int tree, int source, const OciMount *mount)
{
        struct stat status;

        return copy_directory(source, tree, 0) && fstat(source, &status) == 0 &&
               (gives(mount, "uid=") || fchown(tree, status.st_uid, (gid_t) -1) == 0) &&
               (gives(mount, "gid=") || fchown(tree, (uid_t) -1, status.st_gid) == 0) &&
               (gives(mount, "mode=") || fchmod(tree, status.st_mode & 07777) == 0);
}

/* What the root itself has there: of what earlier mounts of the bundle put there, nothing. */
bool build_copy_up(const OciMount *mount, int root, int *ret, GError **error)
{
        const char *target = mount->destination + strspn(mount->destination, "/");
        struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                               .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
        autofd int fs = (int) syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
        autofd int source = (int) syscall(SYS_openat2, root, target, &how, sizeof how);

        if (fs < 0 || !configure(fs, mount))
                return error_set_errno(error, RUNTIME_ERROR_MOUNT_INVALID, errno,
                                       "cannot make a tmpfs with these options");
        /* read-only comes later: targets are made in it still */
        autofd int tree = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
                                        mount->set & ~(uint64_t) MOUNT_ATTR_RDONLY);
        autofd int top = tree < 0 ? -1 : openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (tree < 0 || top < 0 || (source >= 0 && !fill(top, source, mount)))
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "tmpcopyup: cannot copy what the root has there");
        *ret = steal_fd(&tree);
        return true;
}
