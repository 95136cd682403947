#include "service/rootfs/lookup.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/rootfs/lookup-internal.h"
#include "service/spec/error.h"
#include "service/util/watch.h"

struct RootfsLookups {
        GPtrArray *abandoned; /* Abandoned, owned */
};

/* A child that was killed and has not ended yet. */
typedef struct Abandoned {
        RootfsLookups *lookups;
        uid_t uid;
        int pidfd;
        Watch *watch;
} Abandoned;

struct RootfsLookup {
        RootfsLookups *lookups;
        uid_t uid;
        char **paths; /* for error messages; "" for an fd */
        size_t n;
        bool has_tree; /* the first is the root tree */
        Credentials *learns;
        RootfsFunc function;
        void *data;
        int pidfd, socket;
        Watch *watch;
        guint timeout;
};

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

/* The error of the `index`th path. It tells a caller no more than its own lookup would. */
static GError *lookup_error(const RootfsLookup *lookup, size_t index, int errnum, mode_t mode)
{
        char *const *paths = lookup->paths;
        const char *who =
                lookup->learns ? "its file system, or the users' database," : "its file system";
        GError *error = NULL;

        if (lookup->n == 0) {
                error_set_errno(&error, RUNTIME_ERROR_SETUP_FAILED, errnum,
                                "UserNamespace=keep-id: the users' database");
                return error;
        }
        bool is_tree = lookup->has_tree && index == 0;
        RuntimeError code = is_tree ? RUNTIME_ERROR_ROOTFS_INVALID : RUNTIME_ERROR_MOUNT_INVALID;
        g_autofree char *what =
                g_strdup_printf("%s '%s'", is_tree ? "rootfs" : "mount source", paths[index]);

        if (!*paths[index]) {
                g_free(what);
                what = g_strdup("RootFD");
        }
        if (errnum == ETIMEDOUT)
                error_set(&error, code, "%s: %s did not answer within %u ms", what, who,
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

void rootfs_lookups_abandon(RootfsLookups *lookups, uid_t uid, int pidfd)
{
        Abandoned *abandoned = g_new0(Abandoned, 1);

        *abandoned = (Abandoned){.lookups = lookups, .uid = uid, .pidfd = pidfd};
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        abandoned->watch = watch_new(pidfd, G_IO_IN, on_abandoned_exit, abandoned);
        g_ptr_array_add(lookups->abandoned, abandoned);
}

bool rootfs_lookups_has_room(const RootfsLookups *lookups, uid_t uid, GError **error)
{
        return count_abandoned(lookups, uid) < RESOLVE_ABANDONED_MAX ||
               error_set(error, RUNTIME_ERROR_BUSY,
                         "%u lookups of yours still wait for file systems that do not "
                         "answer",
                         RESOLVE_ABANDONED_MAX);
}

void rootfs_lookup_cancel(RootfsLookup *lookup)
{
        if (!lookup)
                return;
        watch_clear(&lookup->watch);
        rootfs_lookups_abandon(lookup->lookups, lookup->uid, steal_fd(&lookup->pidfd));
        lookup_free(lookup);
}

static void on_child_exit(int pidfd, GIOCondition condition, void *data)
{
        RootfsLookup *lookup = data;
        LookupReply reply = {0};
        RootfsFunc function = lookup->function;
        void *function_data = lookup->data;
        g_autoptr(GError) error = NULL;
        Place found[LOOKUP_SOURCES_MAX];
        int fds[LOOKUP_SOURCES_MAX];
        size_t n = lookup->n, used = 0;

        waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED);
        ssize_t size = fd_receive_all(lookup->socket, &reply, sizeof reply, fds, &n);
        for (size_t i = 0; i < lookup->n; i++) {
                mode_t mode = reply.found[i].mode;
                int fd = mode && used < n ? fds[used] : -1;
                found[i] = (Place){fd, reply.found[i].uid, reply.found[i].gid, S_ISDIR(mode)};
                used += mode != 0;
        }
        if (size != (ssize_t) sizeof reply || reply.error != 0 || reply.n != lookup->n ||
            n != used) {
                size_t last = CLAMP(reply.n, 1, lookup->n) - 1;
                error = lookup_error(lookup, last, reply.error ? -reply.error : EIO,
                                     reply.found[last].mode);
                for (size_t i = 0; i < n; i++)
                        fd_close(fds[i]);
        }
        if (!error && lookup->learns) {
                lookup->learns->primary = reply.group;
                lookup->learns->has_primary = true;
        }
        lookup_free(lookup);
        function(error ? NULL : found, error, function_data);
}

static gboolean on_timeout(void *data)
{
        RootfsLookup *lookup = data;
        g_autoptr(GError) error = lookup_error(lookup, 0, ETIMEDOUT, 0);
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

        if (!rootfs_lookups_has_room(lookup->lookups, lookup->uid, error))
                return false;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot make a socket");
        lookup->socket = sockets[0];
        autofd int theirs = sockets[1];
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                rootfs_lookup_child(service, request, theirs);
        return pid > 0 || error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                          "cannot make a process to look up the rootfs");
}

RootfsLookup *rootfs_lookup(RootfsLookups *lookups, const RootfsRequest *request,
                            RootfsFunc function, void *data)
{
        Place found;

        g_assert((request->n >= 1 || request->learns) && request->n <= LOOKUP_SOURCES_MAX);
        if (!request->learns && rootfs_find_cached(request, &found)) {
                function(&found, NULL, data);
                return NULL;
        }
        RootfsLookup *lookup = g_new0(RootfsLookup, 1);
        *lookup = (RootfsLookup){
                .lookups = lookups,
                .uid = request->owner->uid,
                .paths = copy_paths(request),
                .n = request->n,
                .has_tree = request->n > 0 && request->sources[0].is_tree,
                .learns = request->learns,
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
