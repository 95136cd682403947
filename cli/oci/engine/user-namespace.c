#include "cli/oci/engine/user-namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

static bool write_map(pid_t pid, const char *file, const OciIdMaps *maps, GError **error)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int) pid, file);
        g_autoptr(GString) text = g_string_new(NULL);

        for (size_t i = 0; i < maps->n; i++)
                g_string_append_printf(text, "%u %u %u\n", maps->items[i].inside,
                                       maps->items[i].outside, maps->items[i].size);
        int r = fd_write_file_at(AT_FDCWD, path, text->str);
        return r >= 0 || error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, -r,
                                         "linux.%sMappings: cannot write '%s'",
                                         file[0] == 'u' ? "uid" : "gid", path);
}

bool user_namespace_map(pid_t pid, const OciIdMaps *uids, const OciIdMaps *gids, GError **error)
{
        if (uids->n == 0 || gids->n == 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "linux.uidMappings and linux.gidMappings: a new user namespace "
                                 "has at least one of each");
        return write_map(pid, "uid_map", uids, error) && write_map(pid, "gid_map", gids, error);
}

static void end(pid_t pid, int pidfd)
{
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        fd_close(pidfd);
}

/* It has copies of the lock and of the caller's streams, which must not outlive the parent. */
static _Noreturn void stay(pid_t parent)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
                _exit(255);
        syscall(SYS_close_range, 0, ~0u, 0);
        for (;;)
                syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

bool user_namespace_make(const OciIdMaps *uids, const OciIdMaps *gids, int *ret, GError **error)
{
        int pidfd = -1;
        struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_PIDFD,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &pidfd};
        pid_t self = getpid(), pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        char path[64];
        bool done;

        if (pid == 0)
                stay(self);
        if (pid < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "cannot make a user namespace");
        done = user_namespace_map(pid, uids, gids, error);
        g_snprintf(path, sizeof path, "/proc/%d/ns/user", (int) pid);
        *ret = done ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (done && *ret < 0)
                error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno, "cannot open '%s'", path);
        end(pid, pidfd);
        return *ret >= 0;
}

bool user_namespace_is_nested(void)
{
        unsigned inside = 0, outside = 0, size = 0;
        char text[4096];

        return fd_read_file_at(AT_FDCWD, "/proc/self/uid_map", text, sizeof text) < 0 ||
               sscanf(text, "%u %u %u", &inside, &outside, &size) != 3 || inside != 0 ||
               outside != 0 || size != UINT32_MAX;
}
