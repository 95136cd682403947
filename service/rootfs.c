#include "service/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/error.h"
#include "service/limits.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define MOUNT_PRIVATE (1u << 18) /* MS_PRIVATE; sys/mount.h clashes with linux/mount.h */

struct RootfsLookups {
        GPtrArray *abandoned; /* Abandoned, owned */
};

/* A child that was killed and is not gone yet. */
typedef struct Abandoned {
        RootfsLookups *lookups;
        uid_t uid;
        int pidfd;
        guint watch;
} Abandoned;

struct RootfsLookup {
        RootfsLookups *lookups;
        uid_t uid;
        char *path;
        RootfsFunc function;
        void *data;
        int pidfd, socket;
        guint watch, timeout;
};

typedef struct LookupReply {
        int32_t error;
        gid_t gid;
} LookupReply;

/* No magic links: "/proc/self/…" would mean the service's own, not the caller's. */
static int open_directory(const char *path, uint64_t more)
{
        struct open_how how = {
                .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_NO_MAGICLINKS | more,
        };

        return (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

/* -- in the throw-away child: no GLib from here ---------------------------------------------------
 */

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

static _Noreturn void lookup_child(pid_t parent, const char *path, const Credentials *owner,
                                   int socket)
{
        LookupReply reply = {0};
        struct stat status;
        int fd = -1;
        struct iovec iov = {.iov_base = &reply, .iov_len = sizeof reply};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

        memset(&control, 0, sizeof control);
        if (owner->uid != 0)
                reply.error = become(owner);
        proc_detach(parent, socket);
        if (reply.error == 0 &&
            ((fd = open_directory(path, 0)) < 0 || fstat(fd, &status) < 0 ||
             /* a directory is opened without a right to it: ask for that too */
             syscall(SYS_faccessat2, fd, "", X_OK, AT_EACCESS | AT_EMPTY_PATH) < 0))
                reply.error = -errno;
        if (reply.error == 0) {
                reply.gid = status.st_gid;
                message.msg_control = &control;
                message.msg_controllen = sizeof control;
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        }
        sendmsg(socket, &message, MSG_NOSIGNAL);
        _exit(0);
}

/* -- in the service -- */

static GError *lookup_error(const char *path, int errnum)
{
        GError *error = NULL;

        if (errnum == ETIMEDOUT)
                error_set(&error, RUNTIME_ERROR_ROOTFS_INVALID,
                          "rootfs '%s': its file system did not answer within %u ms", path,
                          RESOLVE_TIMEOUT_MSEC);
        else
                error_set_errno(&error, RUNTIME_ERROR_ROOTFS_INVALID, errnum, "rootfs '%s'", path);
        return error;
}

static void lookup_free(RootfsLookup *lookup)
{
        if (lookup->watch)
                g_source_remove(lookup->watch);
        if (lookup->timeout)
                g_source_remove(lookup->timeout);
        fd_close(lookup->pidfd);
        fd_close(lookup->socket);
        g_free(lookup->path);
        g_free(lookup);
}

static void abandoned_free(void *data)
{
        Abandoned *abandoned = data;

        if (abandoned->watch)
                g_source_remove(abandoned->watch);
        fd_close(abandoned->pidfd);
        g_free(abandoned);
}

static gboolean on_abandoned_exit(int pidfd, GIOCondition condition, void *data)
{
        Abandoned *abandoned = data;

        waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED);
        abandoned->watch = 0;
        g_ptr_array_remove_fast(abandoned->lookups->abandoned, abandoned);
        return G_SOURCE_REMOVE;
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
        abandoned->pidfd = steal_fd(&lookup->pidfd);
        syscall(SYS_pidfd_send_signal, abandoned->pidfd, SIGKILL, NULL, 0);
        abandoned->watch = g_unix_fd_add(abandoned->pidfd, G_IO_IN, on_abandoned_exit, abandoned);
        g_ptr_array_add(lookup->lookups->abandoned, abandoned);
        lookup_free(lookup);
}

static gboolean on_child_exit(int pidfd, GIOCondition condition, void *data)
{
        RootfsLookup *lookup = data;
        LookupReply reply = {0};
        RootfsFunc function = lookup->function;
        void *function_data = lookup->data;
        g_autoptr(GError) error = NULL;

        waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED);
        int fd = -1;
        if (fd_receive(lookup->socket, &reply, sizeof reply, &fd) != (ssize_t) sizeof reply ||
            fd < 0)
                error = lookup_error(lookup->path, reply.error ? -reply.error : EIO);
        lookup->watch = 0;
        lookup_free(lookup);
        function(fd, reply.gid, error, function_data);
        return G_SOURCE_REMOVE;
}

static gboolean on_timeout(void *data)
{
        RootfsLookup *lookup = data;
        g_autofree char *path = g_strdup(lookup->path);
        RootfsFunc function = lookup->function;
        void *function_data = lookup->data;

        lookup->timeout = 0;
        rootfs_lookup_cancel(lookup);
        g_autoptr(GError) error = lookup_error(path, ETIMEDOUT);
        function(-1, 0, error, function_data);
        return G_SOURCE_REMOVE;
}

RootfsLookup *rootfs_lookup(RootfsLookups *lookups, const char *path, const Credentials *owner,
                            RootfsFunc function, void *data)
{
        struct clone_args args = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};
        pid_t service = getpid();
        int sockets[2], pidfd = -1, fd = -1;

        if (owner->uid == 0 && (fd = open_directory(path, RESOLVE_CACHED)) >= 0) {
                function(fd, 0, NULL, data);
                return NULL;
        }
        if (count_abandoned(lookups, owner->uid) >= RESOLVE_ABANDONED_MAX) {
                g_autoptr(GError) error = NULL;
                error_set(&error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                          "%u lookups of yours still wait for file systems that do not answer",
                          RESOLVE_ABANDONED_MAX);
                function(-1, 0, error, data);
                return NULL;
        }
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
                g_autoptr(GError) error = lookup_error(path, errno);
                function(-1, 0, error, data);
                return NULL;
        }
        args.pidfd = (uint64_t) (uintptr_t) &pidfd;
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                lookup_child(service, path, owner, sockets[1]);
        fd_close(sockets[1]);
        if (pid < 0) {
                g_autoptr(GError) error = lookup_error(path, errno);
                fd_close(sockets[0]);
                function(-1, 0, error, data);
                return NULL;
        }
        RootfsLookup *lookup = g_new0(RootfsLookup, 1);
        lookup->lookups = lookups;
        lookup->uid = owner->uid;
        lookup->path = g_strdup(path);
        lookup->function = function;
        lookup->data = data;
        lookup->pidfd = pidfd;
        lookup->socket = sockets[0];
        lookup->watch = g_unix_fd_add(pidfd, G_IO_IN, on_child_exit, lookup);
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

bool rootfs_clone(int fd, const char *path, int *ret_mount, GError **error)
{
        int mount =
                (int) syscall(SYS_open_tree, fd, "",
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);

        if (mount < 0)
                return error_set_errno(error, RUNTIME_ERROR_ROOTFS_INVALID, errno,
                                       "rootfs '%s': cannot clone its mount", path);
        *ret_mount = mount;
        return true;
}

static bool is_below(const char *path, const char *top)
{
        size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);

        return strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Without a walk along any path, which might never end: by a mount of the pinned directory itself,
 * or by type. */
static bool refuses_map(int fd, int user_namespace)
{
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP,
                                        .userns_fd = (uint64_t) user_namespace};
        autofd int mount = (int) syscall(SYS_open_tree, fd, "",
                                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

        return mount >= 0 && syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes,
                                     sizeof attributes) < 0;
}

static bool is_mappable_type(const char *type)
{
        static const char *const types[] = {"ext4",     "xfs",      "btrfs", "tmpfs",
                                            "f2fs",     "erofs",    "vfat",  "exfat",
                                            "squashfs", "bcachefs", NULL};

        return g_strv_contains(types, type);
}

/* The first mount at or below the directory `fd` that refuses the map (as far as can be told), as
 * "'/x' (overlay)". Slow: only after a failure. */
static char *find_unmappable(int fd, int user_namespace)
{
        g_autofree char *text = NULL, *top = rootfs_path_of(fd), *top_type = NULL, *below = NULL;

        if (!top || !g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL))
                return NULL;
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, " ", -1);
                const char *type = strstr(*line, " - ");
                if (g_strv_length(fields) < 7 || !type)
                        continue;
                g_autofree char *point = g_strcompress(fields[4]);
                g_autofree char *name = g_strndup(type + 3, strcspn(type + 3, " "));
                if (!below && strcmp(point, top) != 0 && is_below(point, top) &&
                    !is_mappable_type(name))
                        below = g_strdup_printf("'%s' (%s)", point, name);
                /* in mountinfo a mount stands after what it is mounted on: the last that fits has
                 * the tree */
                if (is_below(top, point)) {
                        g_free(top_type);
                        top_type = g_steal_pointer(&name);
                }
        }
        return refuses_map(fd, user_namespace) ? g_strdup_printf("'%s' (%s)", top, top_type)
                                               : g_steal_pointer(&below);
}

bool rootfs_protect(int mount, int fd, const char *path, uint64_t attributes, int user_namespace,
                    GError **error)
{
        struct mount_attr change = {
                .attr_set = attributes | MOUNT_ATTR_NODEV,
                .propagation = MOUNT_PRIVATE,
        };

        if (user_namespace >= 0) {
                change.attr_set |= MOUNT_ATTR_IDMAP;
                change.userns_fd = (uint64_t) user_namespace;
        }
        if (syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &change,
                    sizeof change) == 0)
                return true;
        int errnum = errno;
        g_autofree char *culprit = user_namespace >= 0 ? find_unmappable(fd, user_namespace) : NULL;
        if (culprit)
                return error_set_errno(error, RUNTIME_ERROR_ROOTFS_INVALID, errnum,
                                       "rootfs '%s': the file system at %s cannot be id-mapped",
                                       path, culprit);
        return error_set_errno(error, RUNTIME_ERROR_ROOTFS_INVALID, errnum,
                               "rootfs '%s': cannot set the attributes of its mount", path);
}
