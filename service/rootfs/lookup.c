#include "service/rootfs/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "service/util/watch.h"

struct RootfsLookups {
        GPtrArray *abandoned; /* Abandoned, owned */
};

/* A child that was killed and is not gone yet. */
typedef struct Abandoned {
        RootfsLookups *lookups;
        uid_t uid;
        int pidfd;
        Watch *watch;
} Abandoned;

struct RootfsLookup {
        RootfsLookups *lookups;
        uid_t uid;
        char **paths; /* for words; "" for an fd */
        size_t n;
        RootfsFunc function;
        void *data;
        int pidfd, socket;
        Watch *watch;
        guint timeout;
};

#define SOURCES_MAX (1 + MOUNTS_MAX)
G_STATIC_ASSERT(SOURCES_MAX <= FD_RECEIVE_MAX);

typedef struct LookupReply {
        int32_t error; /* negative: of the last of these */
        uint32_t n;
        struct {
                uid_t uid;
                gid_t gid;
                mode_t mode;
        } found[SOURCES_MAX];
} LookupReply;

/* No magic links: "/proc/self/…" would mean the service's own, not the caller's. */
static int open_path(const char *path, uint64_t flags, uint64_t resolve)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC | flags,
                .resolve = RESOLVE_NO_MAGICLINKS | resolve,
        };

        return (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

static int become(const Credentials *owner)
{
        /* raw: this thread's ids only, and no library state. The file system ids decide what a
         * lookup may pass; the others stay root's, so that the caller cannot signal or trace this
         * process. */
        if (syscall(SYS_setgroups, owner->n_groups, owner->groups) < 0)
                return -errno;
        gid_t gid = owner->n_groups ? owner->groups[0] : (gid_t) 65534;
        setfsgid(gid);
        setfsuid(owner->uid);
        if ((gid_t) setfsgid((gid_t) -1) != gid || (uid_t) setfsuid((uid_t) -1) != owner->uid)
                return -EPERM;
        return 0;
}

static bool come_back(void)
{
        setfsuid(geteuid());
        setfsgid(getegid());
        return (uid_t) setfsuid((uid_t) -1) == geteuid() &&
               (gid_t) setfsgid((gid_t) -1) == getegid() && syscall(SYS_setgroups, 0, NULL) == 0 &&
               /* a change of ids undoes it where fs.suid_dumpable says so */
               prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* -- in the kernel's cache: an answer at once, asked of no file system and no server of one, or
 * none -
 */

/* What statmount() tells of a mount, since Linux 6.8; the headers here are older. */
typedef struct MountRequest {
        uint32_t size, unused;
        uint64_t mount, wanted;
} MountRequest;
typedef struct MountStatus {
        uint32_t size, options;
        uint64_t told;
        uint32_t major, minor;
        uint64_t magic;
} MountStatus;
#define SYS_STATMOUNT        457
#define STATMOUNT_SUPERBLOCK 1
#define STATX_UNIQUE_MOUNT   0x4000u

static bool is_surely_not_proc(const struct statx *status)
{
        MountRequest request = {sizeof request, 0, status->stx_mnt_id, STATMOUNT_SUPERBLOCK};
        MountStatus mount = {0};

        return status->stx_dev_major != 0 || /* one with a device */
               (status->stx_mask & STATX_UNIQUE_MOUNT &&
                syscall(SYS_STATMOUNT, &request, &mount, sizeof mount, 0) == 0 &&
                mount.told & STATMOUNT_SUPERBLOCK && mount.magic != PROC_SUPER_MAGIC);
}

/* Passing through "." asks for the right that any use of the directory needs. */
static bool find_cached_as(const char *path, const Credentials *owner, RootfsFound *ret)
{
        char inside[PATH_MAX];
        struct statx status;
        int r = become(owner);
        autofd int fd = -1;

        if (r == 0 && snprintf(inside, sizeof inside, "%s/.", path) < (int) sizeof inside)
                fd = open_path(inside, O_DIRECTORY, RESOLVE_CACHED);
        if (!come_back())
                g_error("cannot take back the ids of the service");
        if (fd < 0 ||
            statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
                  STATX_UID | STATX_GID | STATX_UNIQUE_MOUNT, &status) < 0 ||
            !is_surely_not_proc(&status))
                return false;
        *ret = (RootfsFound){steal_fd(&fd), status.stx_uid, status.stx_gid, true};
        return true;
}

static bool find_cached(const RootfsRequest *request, RootfsFound *ret)
{
        const char *path = request->sources[0].path;

        if (request->n > 1 || !path)
                return false;
        if (request->owner->uid != 0)
                return find_cached_as(path, request->owner, ret);
        *ret = (RootfsFound){.fd = open_path(path, O_DIRECTORY, RESOLVE_CACHED),
                             .is_directory = true};
        return ret->fd >= 0;
}

/* -- in the throw-away child: no GLib from here ---------------------------------------------------
 */

/* What the kernel says to be an fd's path counts from wherever its mount begins, if that is not in
 * our mount namespace: believe it, and let a rule judge it, only if it leads back. With root's
 * rights, for whoever holds an fd need not be able to walk to it. */
static int check_reachable(int fd)
{
        char link[32], path[PATH_MAX + 1];
        struct statx given, found;

        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length <= 0 || path[0] != '/')
                return -EXDEV;
        path[length] = '\0';
        int other = open_path(path, O_DIRECTORY, RESOLVE_NO_SYMLINKS);
        if (other < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &given) < 0 ||
            statx(other, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &found) < 0)
                return -EXDEV;
        close(other);
        return given.stx_mnt_id == found.stx_mnt_id && given.stx_ino == found.stx_ino &&
                               given.stx_dev_major == found.stx_dev_major &&
                               given.stx_dev_minor == found.stx_dev_minor
                       ? 0
                       : -EXDEV;
}

/* What is opened as a path needs no right to it: ask for the one that any use of it would need. */
static int judge(int fd, bool is_tree, struct stat *status)
{
        struct statfs fs;
        int right = F_OK;

        if (fstat(fd, status) < 0)
                return -errno;
        if (S_ISDIR(status->st_mode))
                right = X_OK;
        else if (is_tree)
                return -ENOTDIR;
        else if (S_ISREG(status->st_mode))
                right = R_OK;
        else if (!S_ISFIFO(status->st_mode) && !S_ISSOCK(status->st_mode))
                return -ENODEV;
        /* a file system in user space need not answer to that */
        if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
                return -EMEDIUMTYPE;
        return syscall(SYS_faccessat2, fd, "", right, AT_EACCESS | AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static _Noreturn void lookup_child(pid_t parent, const RootfsRequest *request, int socket)
{
        LookupReply reply = {.n = 1};
        struct stat status = {.st_mode = 0};
        int fds[SOURCES_MAX];
        bool has_fd = !request->sources[0].path;

        if (has_fd) {
                dup2(request->sources[0].fd, STDIN_FILENO); /* where it is kept */
                proc_detach(parent, &socket, 1);
                if (fstat(STDIN_FILENO, &status) < 0)
                        reply.error = -errno;
                else
                        reply.error =
                                S_ISDIR(status.st_mode) ? check_reachable(STDIN_FILENO) : -ENOTDIR;
                reply.found[0].mode = status.st_mode;
        }
        if (reply.error == 0 && request->owner->uid != 0)
                reply.error = become(request->owner);
        proc_detach(parent, &socket, 1);
        for (size_t i = 0; reply.error == 0 && i < request->n; i++) {
                reply.n = (uint32_t) i + 1;
                fds[i] = i == 0 && has_fd
                                 ? STDIN_FILENO
                                 : open_path(request->sources[i].path, i == 0 ? O_DIRECTORY : 0, 0);
                reply.error = fds[i] < 0 ? -errno : judge(fds[i], i == 0, &status);
                reply.found[i].uid = status.st_uid;
                reply.found[i].gid = status.st_gid;
                reply.found[i].mode = status.st_mode;
        }
        fd_send_all(socket, &reply, sizeof reply, fds, reply.error == 0 ? reply.n : 0);
        _exit(0);
}

/* -- in the service -- */

static const char *kind_of(mode_t mode)
{
        switch (mode & S_IFMT) {
        case S_IFREG:
                return "a file";
        case S_IFIFO:
                return "a pipe";
        case S_IFSOCK:
                return "a socket";
        case S_IFLNK:
                return "a symbolic link";
        case S_IFCHR:
        case S_IFBLK:
                return "a device";
        default:
                return "no place in a file system";
        }
}

/* Of the `index`th path; it tells a caller no more than its own lookup would. */
static GError *lookup_error(char *const *paths, size_t index, int errnum, mode_t mode)
{
        RuntimeError code = index == 0 ? RUNTIME_ERROR_ROOTFS_INVALID : RUNTIME_ERROR_MOUNT_INVALID;
        g_autofree char *what =
                g_strdup_printf("%s '%s'", index == 0 ? "rootfs" : "mount source", paths[index]);
        GError *error = NULL;

        if (!*paths[index]) {
                g_free(what);
                what = g_strdup("RootFD");
        }
        if (errnum == ETIMEDOUT)
                error_set(&error, code, "%s: its file system did not answer within %u ms", what,
                          RESOLVE_TIMEOUT_MSEC);
        else if (errnum == EXDEV)
                error_set(&error, code,
                          "%s is no directory that a path leads to: it is deleted, hidden or in "
                          "another mount namespace",
                          what);
        else if (errnum == EMEDIUMTYPE)
                error_set(&error, code, "%s lies in a proc file system", what);
        else if (errnum == ENODEV)
                error_set(&error, code, "%s is %s, which cannot be bound", what, kind_of(mode));
        else if (errnum == ENOTDIR && !*paths[index])
                error_set(&error, code, "%s is %s, not a directory", what, kind_of(mode));
        else
                error_set_errno(&error, code, errnum, "%s", what);
        return error;
}

static void lookup_free(RootfsLookup *lookup)
{
        watch_clear(&lookup->watch);
        if (lookup->timeout)
                g_source_remove(lookup->timeout);
        fd_close(lookup->pidfd);
        fd_close(lookup->socket);
        g_strfreev(lookup->paths);
        g_free(lookup);
}

static void abandoned_free(void *data)
{
        Abandoned *abandoned = data;

        watch_clear(&abandoned->watch);
        fd_close(abandoned->pidfd);
        g_free(abandoned);
}

static void on_abandoned_exit(int pidfd, GIOCondition condition, void *data)
{
        Abandoned *abandoned = data;

        waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED);
        g_ptr_array_remove_fast(abandoned->lookups->abandoned, abandoned);
}

static unsigned count_abandoned(const RootfsLookups *lookups, uid_t uid)
{
        unsigned n = 0;

        for (guint i = 0; i < lookups->abandoned->len; i++)
                n += ((const Abandoned *) lookups->abandoned->pdata[i])->uid == uid;
        return n;
}

RootfsLookups *rootfs_lookups_new(void)
{
        RootfsLookups *lookups = g_new0(RootfsLookups, 1);

        lookups->abandoned = g_ptr_array_new_with_free_func(abandoned_free);
        return lookups;
}

void rootfs_lookups_free(RootfsLookups *lookups)
{
        if (!lookups)
                return;
        g_ptr_array_free(lookups->abandoned, TRUE);
        g_free(lookups);
}

void rootfs_lookup_cancel(RootfsLookup *lookup)
{
        if (!lookup)
                return;
        Abandoned *abandoned = g_new0(Abandoned, 1);
        abandoned->lookups = lookup->lookups;
        abandoned->uid = lookup->uid;
        watch_clear(&lookup->watch);
        abandoned->pidfd = steal_fd(&lookup->pidfd);
        syscall(SYS_pidfd_send_signal, abandoned->pidfd, SIGKILL, NULL, 0);
        abandoned->watch = watch_new(abandoned->pidfd, G_IO_IN, on_abandoned_exit, abandoned);
        g_ptr_array_add(lookup->lookups->abandoned, abandoned);
        lookup_free(lookup);
}

static void on_child_exit(int pidfd, GIOCondition condition, void *data)
{
        RootfsLookup *lookup = data;
        LookupReply reply = {0};
        RootfsFunc function = lookup->function;
        void *function_data = lookup->data;
        g_autoptr(GError) error = NULL;
        RootfsFound found[SOURCES_MAX];
        int fds[SOURCES_MAX];
        size_t n = lookup->n;

        waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED);
        ssize_t size = fd_receive_all(lookup->socket, &reply, sizeof reply, fds, &n);
        for (size_t i = 0; i < n; i++)
                found[i] = (RootfsFound){fds[i], reply.found[i].uid, reply.found[i].gid,
                                         S_ISDIR(reply.found[i].mode)};
        if (size != (ssize_t) sizeof reply || n != lookup->n) {
                size_t last = CLAMP(reply.n, 1, lookup->n) - 1;
                error = lookup_error(lookup->paths, last, reply.error ? -reply.error : EIO,
                                     reply.found[last].mode);
                for (size_t i = 0; i < n; i++)
                        fd_close(fds[i]);
        }
        lookup_free(lookup);
        function(error ? NULL : found, error, function_data);
}

static gboolean on_timeout(void *data)
{
        RootfsLookup *lookup = data;
        g_autoptr(GError) error = lookup_error(lookup->paths, 0, ETIMEDOUT, 0);
        RootfsFunc function = lookup->function;
        void *function_data = lookup->data;

        lookup->timeout = 0;
        rootfs_lookup_cancel(lookup);
        function(NULL, error, function_data);
        return G_SOURCE_REMOVE;
}

static char **copy_paths(const RootfsRequest *request)
{
        char **paths = g_new0(char *, request->n + 1);

        for (size_t i = 0; i < request->n; i++)
                paths[i] = g_strdup(request->sources[i].path ? request->sources[i].path : "");
        return paths;
}

static bool start_child(RootfsLookup *lookup, const RootfsRequest *request, GError **error)
{
        struct clone_args args = {.flags = CLONE_PIDFD,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &lookup->pidfd};
        pid_t service = getpid();
        int sockets[2];

        if (count_abandoned(lookup->lookups, lookup->uid) >= RESOLVE_ABANDONED_MAX)
                return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                 "%u lookups of yours still wait for file systems that do not "
                                 "answer",
                                 RESOLVE_ABANDONED_MAX);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot make a socket");
        lookup->socket = sockets[0];
        autofd int theirs = sockets[1];
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                lookup_child(service, request, theirs);
        return pid > 0 || error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                          "cannot make a process to look up the rootfs");
}

RootfsLookup *rootfs_lookup(RootfsLookups *lookups, const RootfsRequest *request,
                            RootfsFunc function, void *data)
{
        RootfsFound found;

        g_assert(request->n >= 1 && request->n <= SOURCES_MAX);
        if (find_cached(request, &found)) {
                function(&found, NULL, data);
                return NULL;
        }
        RootfsLookup *lookup = g_new0(RootfsLookup, 1);
        *lookup = (RootfsLookup){
                .lookups = lookups,
                .uid = request->owner->uid,
                .paths = copy_paths(request),
                .n = request->n,
                .function = function,
                .data = data,
                .pidfd = -1,
                .socket = -1,
        };
        g_autoptr(GError) error = NULL;
        if (!start_child(lookup, request, &error)) {
                lookup_free(lookup);
                function(NULL, error, data);
                return NULL;
        }
        lookup->watch = watch_new(lookup->pidfd, G_IO_IN, on_child_exit, lookup);
        lookup->timeout = g_timeout_add(RESOLVE_TIMEOUT_MSEC, on_timeout, lookup);
        return lookup;
}

char *rootfs_path_of(int fd)
{
        char link[64], path[PATH_MAX + 1];

        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length <= 0 || path[0] != '/')
                return NULL;
        path[length] = '\0';
        return g_str_has_suffix(path, " (deleted)") ? NULL : g_strdup(path);
}
