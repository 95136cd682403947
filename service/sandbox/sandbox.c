#include "service/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/sandbox/child/child.h"
#include "service/sandbox/ids.h"
#include "service/sandbox/memory.h"
#include "service/spec/error.h"
#include "service/util/envelope.h"
#include "service/util/fd.h"

#define TTY_GID 5
_Static_assert(SANDBOX_MESSAGE_FDS == FD_MESSAGE_MAX, "what is sent is what is received");

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

bool sandbox_clone_error(int errnum, GError **error)
{
        switch (errnum) {
        case ENOMEM:
                return error_set_errno(error, RUNTIME_ERROR_NO_MEMORY, errnum,
                                       "cannot clone a process");
        case EAGAIN:
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errnum,
                                       "cannot clone a process (a limit of processes is reached)");
        case ENOSPC:
                return error_set_errno(
                        error, RUNTIME_ERROR_LIMITS_EXCEEDED, errnum,
                        "cannot clone into new namespaces (see sysctl user.max_*_namespaces)");
        case EPERM:
                return error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, errnum,
                                       "this system does not let the service make user namespaces");
        case ENOSYS:
        case EINVAL:
                return error_set_errno(
                        error, RUNTIME_ERROR_NOT_SUPPORTED, errnum,
                        "this kernel cannot clone3() into new namespaces and a cgroup");
        default:
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errnum,
                                       "cannot clone into new namespaces");
        }
}

/* With the host's network the service has made the sysfs, and nothing can be mounted on that while
 * it is detached. */
bool sandbox_masks_late(const Profile *profile, uint64_t namespaces)
{
        return profile->masks_late || !(namespaces & CLONE_NEWNET);
}

/* Becomes `uid` and keeps all capabilities: some systems let nobody without CAP_SYS_ADMIN make a
 * user namespace. */
static bool become(uid_t uid, uint64_t capabilities)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        const uint32_t low = (uint32_t) capabilities, high = (uint32_t) (capabilities >> 32);
        const struct __user_cap_data_struct data[2] = {{low, low, 0}, {high, high, 0}};

        /* raw: libc's wrapper signals other threads, and the maker, a cloned copy, has none */
        return syscall(SYS_setresuid, -1, uid, -1) == 0 &&
               syscall(SYS_capset, &header, data) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* Whoever makes a user namespace owns it: whatever is used inside, the kernel counts as the owner's
 * too (inotify instances, queued signals, bytes of message queues), and the owner has all
 * capabilities in it. Root's share of the host would be what the containers leave of it. So for
 * this one call we are somebody whom there is not. */
static pid_t clone_as(uid_t owner, const Profile *profile, struct clone_args *args)
{
        int signal = 0, saved;
        pid_t pid = -1;

        if (owner == 0)
                return (pid_t) syscall(SYS_clone3, args, sizeof *args);
        prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0); /* a change of ids clears it */
        if (become(owner, profile->own_capabilities))
                pid = (pid_t) syscall(SYS_clone3, args, sizeof *args);
        if (pid == 0)
                return 0;
        saved = errno;
        if (!become(0, profile->own_capabilities) || prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) < 0)
                g_error("cannot become root again: %s", g_strerror(errno));
        errno = saved;
        return pid;
}

static pid_t clone_child(const SandboxInput *input, const SandboxBase *base, int *ret_pidfd)
{
        struct clone_args args = {
                .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND |
                         (input->namespaces & ~input->inner_namespaces),
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t) (uintptr_t) ret_pidfd,
        };
        int birth = cgroup_birth_fd(input->cgroup);

        if (input->announce) {
                args.flags |= CLONE_PARENT | CLONE_PARENT_SETTID;
                /* CLONE_PARENT: the kernel takes the signal of the caller itself */
                args.exit_signal = 0;
                args.parent_tid = (uint64_t) (uintptr_t) input->announce;
        }
        if (birth >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t) birth;
        }
        if (!input->announce)
                memory_hide_heap(true);
        pid_t pid = -1;
        if (ids_keep_groups(input->keeps_groups_of))
                pid = clone_as(
                        input->namespaces & CLONE_NEWUSER ? id_map_namespace_owner(input->map) : 0,
                        input->profile, &args);
        if (pid == 0)
                sandbox_child(base);
        ids_drop_groups(input->keeps_groups_of);
        if (!input->announce)
                memory_hide_heap(false);
        return pid;
}

static bool unspare(pid_t pid, GError **error)
{
        char path[64];
        int r;

        g_snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int) pid);
        r = fd_write_file_at(AT_FDCWD, path, "0");
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, -r, "cannot write '%s'",
                                       path)
                     : true;
}

/* Does what needs the pid of the child. */
static bool settle_child(Sandbox *sandbox, const SandboxInput *input, GError **error)
{
        const char word = SANDBOX_MAPPED;
        char path[64];

        if ((input->profile->oom_score < 0 && !unspare(sandbox->pid, error)) ||
            !id_map_apply(input->map, sandbox->pid, error))
                return false;
        /* if it has died meanwhile, the pidfd tells */
        (void) !send(sandbox->sync_fd, &word, 1, MSG_NOSIGNAL);
        /* Whoever drops the last reference to a mount namespace waits for an RCU grace period (0.05
         * to 0.5 ms). This fd moves the wait from the end of the command, before anybody hears of
         * it, to the clean-up afterwards. */
        g_snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int) sandbox->pid);
        sandbox->mount_namespace = open(path, O_RDONLY | O_CLOEXEC);
        return true;
}

/* The fds that only the clone may see. All have high numbers, out of the way of those that the
 * container is to have. */
typedef struct TheirFds {
        int sync, dev, sys; /* -1: not given */
        int list[3];
        size_t n;
} TheirFds;

static void their_fds_clear(TheirFds *fds)
{
        for (size_t i = 0; i < fds->n; i++)
                fd_close(fds->list[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TheirFds, their_fds_clear)

static bool lift(TheirFds *fds, int fd, int *ret, GError **error)
{
        *ret = fcntl(fd, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
        if (*ret < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot copy a file descriptor");
        fds->list[fds->n++] = *ret;
        return true;
}

static int compare_fds(const void *a, const void *b)
{
        return *(const int *) a - *(const int *) b;
}

static bool make_their_fds(const SandboxInput *input, int *ret_sync, TheirFds *fds, GError **error)
{
        autofd int theirs = -1, dev = -1, sys = -1;
        int sockets[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot make a socket");
        *ret_sync = sockets[0];
        theirs = sockets[1];
        if (!profile_clone_dev(input->profile, input->owner, &dev, error) ||
            (!(input->namespaces & CLONE_NEWNET) && !profile_make_host_sys(&sys, error)) ||
            !lift(fds, theirs, &fds->sync, error) || !lift(fds, dev, &fds->dev, error) ||
            (sys >= 0 && !lift(fds, sys, &fds->sys, error)))
                return false;
        qsort(fds->list, fds->n, sizeof fds->list[0], compare_fds);
        return true;
}

Sandbox *sandbox_alloc(void)
{
        Sandbox *sandbox = g_new0(Sandbox, 1);

        sandbox->pid = sandbox->pidfd = sandbox->sync_fd = sandbox->mount_namespace = -1;
        sandbox->plan_fd = -1;
        return sandbox;
}

static bool map_plan(Sandbox *sandbox, GError **error)
{
        int flags = MAP_SHARED | MAP_NORESERVE | (sandbox->plan_fd < 0 ? MAP_ANONYMOUS : 0);
        void *memory =
                mmap(NULL, SANDBOX_PLAN_SIZE, PROT_READ | PROT_WRITE, flags, sandbox->plan_fd, 0);

        if (memory == MAP_FAILED)
                return error_set_errno(error, RUNTIME_ERROR_NO_MEMORY, errno,
                                       "cannot map memory for a plan");
        sandbox->plan = memory;
        return true;
}

bool sandbox_share_plan(Sandbox *sandbox, bool with_parent, GError **error)
{
        if (with_parent) {
                sandbox->plan_fd = memfd_create("plan", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
                if (sandbox->plan_fd < 0 && errno == EINVAL) /* before Linux 6.3 */
                        sandbox->plan_fd = memfd_create("plan", MFD_CLOEXEC);
                if (sandbox->plan_fd < 0 || ftruncate(sandbox->plan_fd, SANDBOX_PLAN_SIZE) < 0)
                        return error_set_errno(error, RUNTIME_ERROR_NO_MEMORY, errno,
                                               "cannot make memory for a plan");
        }
        if (!map_plan(sandbox, error))
                return false;
        sandbox->their_plan = (uintptr_t) sandbox->plan;
        return true;
}

/* Lists the profile's file systems, with the differences of this sandbox: fds that are given, and a
 * devpts without the tty group where the container does not have it. */
static void list_early(const SandboxInput *input, const TheirFds *fds, EarlyMount early[_EARLY_MAX])
{
        for (int i = 0; i < _EARLY_MAX; i++)
                early[i] = (EarlyMount){-1, profile_file_systems[i]};
        early[EARLY_DEV].fd = fds->dev;
        early[EARLY_SYS].fd = fds->sys;
        if (!id_map_has_gid(input->map, TTY_GID)) /* options[3] of devpts is the group */
                early[EARLY_PTS].new.options[3] = (MountOption){NULL, NULL};
}

static void list_masks(const Profile *profile, MountStep masks[PROFILE_MASKS_MAX])
{
        g_assert(profile->n_masks <= PROFILE_MASKS_MAX);
        memcpy(masks, profile->masks, profile->n_masks * sizeof masks[0]);
}

static uint64_t inner_namespaces(const SandboxInput *input)
{
        return input->inner_namespaces ? input->inner_namespaces | CLONE_NEWCGROUP : 0;
}

static void list_entries(const Cgroup *cgroup, int entries[CGROUP_ENTRY_FDS_MAX + 1])
{
        for (unsigned i = 0; i <= CGROUP_ENTRY_FDS_MAX; i++)
                entries[i] = i < CGROUP_ENTRY_FDS_MAX ? cgroup_entry_fd(cgroup, i) : -1;
}

static bool make_child(Sandbox *sandbox, const SandboxInput *input, GError **error)
{
        const Profile *profile = input->profile;
        g_auto(TheirFds) fds = {.sync = -1, .dev = -1, .sys = -1};
        int entries[CGROUP_ENTRY_FDS_MAX + 1];
        EarlyMount early[_EARLY_MAX];
        MountStep masks[PROFILE_MASKS_MAX];
        const SandboxIds ids = ids_write(input->map);

        if (!make_their_fds(input, &sandbox->sync_fd, &fds, error))
                return false;
        list_entries(input->cgroup, entries);
        list_early(input, &fds, early);
        list_masks(profile, masks);
        /* all that `base` points to is on the stack: the child may get nothing else */
        const SandboxBase base = {
                .sync_fd = fds.sync,
                .early = early,
                .n_early = _EARLY_MAX,
                .dev = EARLY_DEV,
                .pts = EARLY_PTS,
                .steps = masks,
                .n_steps = sandbox_masks_late(profile, input->namespaces) ? 0 : profile->n_masks,
                .inner_namespaces = inner_namespaces(input),
                .inner_uids = ids.inner_uids,
                .inner_gids = ids.inner_gids,
                .keep_fds = fds.list,
                .n_keep_fds = fds.n,
                .cgroup_fds = entries,
                .set_groups = id_map_allows_set_groups(input->map),
                .uid = id_map_first_uid(input->map),
                .gid = id_map_first_gid(input->map),
                .raises_loopback = input->namespaces & CLONE_NEWNET,
                .proc = EARLY_PROC,
                .sets_sysctls = input->sets_sysctls,
                .ping_groups = input->namespaces & CLONE_NEWNET ? ids.ping_groups : NULL,
                .leaves_host = input->announce,
                .title = profile->title,
                .plan = sandbox->plan,
        };
        sandbox->pid = clone_child(input, &base, &sandbox->pidfd);
        return sandbox->pid < 0 ? sandbox_clone_error(errno, error) : true;
}

/* A container's root has no right to enter a network that is not its own. So it is born there: for
 * that we go into the network, and make the sysfs that shows it, and come back. */
static bool make_child_in(Sandbox *sandbox, const SandboxInput *input, GError **error)
{
        autofd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        int inside = own >= 0 ? envelope_open(input->network->fd) : -1;
        bool done = inside >= 0 && setns(inside, CLONE_NEWNET) == 0;

        if (!done)
                error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, errno,
                                "the service cannot enter NetworkNamespaceFD");
        if (inside >= 0 && inside != input->network->fd)
                fd_close(inside);
        if (!done)
                return false;
        done = make_child(sandbox, input, error);
        if (setns(own, CLONE_NEWNET) < 0)
                g_error("cannot come back to the service's own network: %s", g_strerror(errno));
        return done;
}

bool sandbox_new(const SandboxInput *input, Sandbox **ret, GError **error)
{
        g_autoptr(Sandbox) sandbox = sandbox_alloc();

        if (!sandbox_share_plan(sandbox, input->announce, error) ||
            !(input->network && input->network->is_given ? make_child_in
                                                         : make_child)(sandbox, input, error))
                return false;
        /* later children must not get this plan, nor anybody the fds by which the child entered its
         * leaves */
        madvise(sandbox->plan, SANDBOX_PLAN_SIZE, MADV_DONTFORK);
        cgroup_close_entries(input->cgroup);
        if (!settle_child(sandbox, input, error))
                return false;
        fcntl(sandbox->sync_fd, F_SETFL, O_NONBLOCK);
        *ret = g_steal_pointer(&sandbox);
        return true;
}

bool sandbox_adopt(const Sandbox *made, Sandbox **ret, GError **error)
{
        g_autoptr(Sandbox) sandbox = sandbox_alloc();

        *sandbox = *made;
        sandbox->plan = NULL;
        if (!map_plan(sandbox, error))
                return false;
        madvise(sandbox->plan, SANDBOX_PLAN_SIZE, MADV_DONTFORK);
        fd_clear(&sandbox->plan_fd);
        *ret = g_steal_pointer(&sandbox);
        return true;
}

void sandbox_free(Sandbox *sandbox)
{
        if (!sandbox)
                return;
        if (sandbox->pidfd >= 0) {
                /* it waits or sets itself up; killed, it is gone at once */
                syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0);
                while (waitid(P_PIDFD, (id_t) sandbox->pidfd, &(siginfo_t){0}, WEXITED) < 0 &&
                       errno == EINTR)
                        ;
        }
        fd_close(sandbox->pidfd);
        fd_close(sandbox->sync_fd);
        fd_close(sandbox->mount_namespace);
        fd_close(sandbox->plan_fd);
        if (sandbox->plan)
                munmap(sandbox->plan, SANDBOX_PLAN_SIZE);
        g_free(sandbox);
}

bool sandbox_is_sound(const Sandbox *sandbox)
{
        struct pollfd sync = {.fd = sandbox->sync_fd, .events = POLLIN};

        return poll(&sync, 1, 0) == 0; /* it says nothing unless it fails */
}

bool sandbox_go(Sandbox *sandbox, const int *fds, size_t n, GError **error)
{
        const char word = SANDBOX_GO;

        g_assert(n <= SANDBOX_FDS_MAX);
        /* if it has died meanwhile (for memory, say), the pidfd tells */
        return fd_send_all(sandbox->sync_fd, &word, 1, fds, n) || errno == EPIPE ||
               errno == ECONNRESET ||
               error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                               "cannot hand over the file descriptors");
}

void prepared_clear(Prepared *prepared)
{
        g_autoptr(GError) error = NULL;

        g_clear_pointer(&prepared->sandbox, sandbox_free);
        if (prepared->cgroup &&
            !cgroup_remove(prepared->cgroup, &error)) /* its one process is reaped */
                g_warning("a prepared sandbox: %s", error->message);
        g_clear_pointer(&prepared->cgroup, cgroup_free);
        g_clear_pointer(&prepared->map, id_map_free);
}
