#include "cli/oci/engine/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "cli/oci/spec/validate.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

static const struct {
        int type;
        const char *name, *file;
} kinds[] = {
        {CLONE_NEWUSER, "user", "user"},       {CLONE_NEWNS, "mount", "mnt"},
        {CLONE_NEWPID, "pid", "pid"},          {CLONE_NEWNET, "network", "net"},
        {CLONE_NEWIPC, "ipc", "ipc"},          {CLONE_NEWUTS, "uts", "uts"},
        {CLONE_NEWCGROUP, "cgroup", "cgroup"},
};

static int open_joined(Build *build, const OciNamespace *namespace, const char *name,
                       GError **error)
{
        int fd = build_own_fd(build, open(namespace->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));

        if (fd < 0) {
                error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, errno == ENOENT ? ESRCH : errno,
                                "linux.namespaces: %s: cannot open '%s'", name, namespace->path);
        } else if (ioctl(fd, NS_GET_NSTYPE) != namespace->type) {
                error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                          "linux.namespaces: %s: '%s' is no %s namespace", name, namespace->path,
                          name);
                fd = -1;
        }
        return fd;
}

static bool sets_sysctls(const OciSpec *spec, int type)
{
        for (size_t i = 0; i < spec->sysctls.n; i++)
                if (oci_sysctl_namespace(spec->sysctls.items[i].key) == type)
                        return true;
        return false;
}

/* A path may lead to the host's own, and then the settings would be the host's. */
static bool check_settings(const OciSpec *spec, const OciNamespace *namespace, int fd,
                           const char *file, GError **error)
{
        g_autofree char *path = g_strconcat("/proc/self/ns/", file, NULL);
        struct stat own, its;

        if (!sets_sysctls(spec, namespace->type))
                return true;
        if (stat(path, &own) < 0 || fstat(fd, &its) < 0 ||
            (own.st_dev == its.st_dev && own.st_ino == its.st_ino))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "linux.sysctl: '%s', which has them, is the host's own namespace",
                                 namespace->path);
        return true;
}

static bool take(Build *build, const OciNamespace *namespace, const char *name, const char *file,
                 GError **error)
{
        OciPlan *plan = &build->plan;
        int fd;

        if (!namespace->path) {
                if (namespace->type == CLONE_NEWCGROUP)
                        plan->makes_cgroup_namespace = true;
                else
                        plan->new_namespaces |= (uint64_t) namespace->type;
                return true;
        }
        if (namespace->type == CLONE_NEWNS)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "linux.namespaces: mount: to join one by its path is not "
                                 "supported");
        if ((fd = open_joined(build, namespace, name, error)) < 0 ||
            !check_settings(build->input->spec, namespace, fd, file, error))
                return false;
        if (namespace->type == CLONE_NEWUSER)
                plan->user_namespace = fd;
        build->joined[build->n_joined++] = (Joined){namespace->type, fd};
        return true;
}

bool namespaces_open(Build *build, GError **error)
{
        const OciSpec *spec = build->input->spec;
        OciPlan *plan = &build->plan;

        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
                const OciNamespace *namespace = oci_spec_find_namespace(spec, kinds[i].type);
                if (namespace && !take(build, namespace, kinds[i].name, kinds[i].file, error))
                        return false;
        }
        if (oci_spec_find_namespace(spec, CLONE_NEWTIME))
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "linux.namespaces: time is not supported");
        if (!(plan->new_namespaces & CLONE_NEWNS))
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "linux.namespaces: a container without a mount namespace of its "
                                 "own is not supported");
        plan->has_user_namespace =
                plan->new_namespaces & CLONE_NEWUSER || plan->user_namespace >= 0;
        build->is_nested = build->is_nested || plan->has_user_namespace;
        /* processes are joined from between, so that what is between stays outside */
        for (size_t i = 0; i < build->n_joined; i++)
                if (build->joined[i].type == CLONE_NEWPID && plan->user_namespace >= 0)
                        plan->pid_namespace = build->joined[i].fd;
        return true;
}

static const char *own_file(int type)
{
        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
                if (kinds[i].type == type)
                        return kinds[i].file;
        return "";
}

static bool enter(const Joined *joined, Saved *saved, GError **error)
{
        g_autofree char *path = g_strconcat("/proc/self/ns/", own_file(joined->type), NULL);
        autofd int own = open(path, O_RDONLY | O_CLOEXEC);

        if (own < 0 || setns(joined->fd, joined->type) < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "linux.namespaces: %s: cannot join it",
                                       own_file(joined->type));
        saved->types[saved->n] = joined->type;
        saved->fds[saved->n++] = steal_fd(&own);
        return true;
}

bool namespaces_enter(const Build *build, Saved *saved, GError **error)
{
        bool is_between = build->plan.user_namespace >= 0;

        saved->n = 0;
        for (size_t i = 0; i < build->n_joined; i++) {
                const Joined *joined = &build->joined[i];
                if (joined->type == CLONE_NEWUSER || (joined->type == CLONE_NEWPID && is_between))
                        continue;
                if (!enter(joined, saved, error))
                        return false;
        }
        return true;
}

/* Hooks, and whatever this process does besides, belong on the host. */
void namespaces_return(Saved *saved)
{
        while (saved->n > 0) {
                saved->n--;
                if (setns(saved->fds[saved->n], saved->types[saved->n]) < 0)
                        g_error("cannot come back to the host's %s namespace: %s",
                                own_file(saved->types[saved->n]), g_strerror(errno));
                fd_close(saved->fds[saved->n]);
        }
}
