#include "service/sandbox/join.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/sandbox/child/child.h"
#include "service/sandbox/compile.h"
#include "service/sandbox/memory.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

#define OOM_SCORE_FILE "/proc/%d/oom_score_adj"
#define END_LOOKS      1000u
#define END_LOOK_USEC  1000u

/* -- what the first process has -- */

static bool gone(GError **error)
{
        return error_set(error, RUNTIME_ERROR_INVALID_STATE, "the container has ended");
}

/* What was read by the pid is of the process of the pidfd if that is still there afterwards. */
static bool is_alive(const JoinInput *input)
{
        return syscall(SYS_pidfd_send_signal, input->pidfd, 0, NULL, 0) == 0;
}

static uint64_t limit_from_text(const char *word)
{
        return strcmp(word, "unlimited") == 0 ? RLIM_INFINITY : g_ascii_strtoull(word, NULL, 10);
}

/* From /proc/PID/limits, whose lines stand in the order of the resources' numbers, behind a name of
 * 25 columns: prlimit() asks for a capability that a service in a container may lack. */
static bool read_limits(const JoinInput *input, SandboxLimits *ret, GError **error)
{
        char path[64], text[4096];

        g_snprintf(path, sizeof path, "/proc/%d/limits", (int) input->pid);
        if (fd_read_file_at(AT_FDCWD, path, text, sizeof text) < 0 || !is_alive(input))
                return gone(error);
        const char *line = strchr(text, '\n');
        for (ret->n = 0; ret->n < RLIM_NLIMITS && line; line = strchr(line + 1, '\n')) {
                char soft[32], hard[32];
                if (sscanf(line, "\n%*25c%31s%31s", soft, hard) != 2)
                        break;
                ret->list[ret->n] =
                        (SandboxLimit){(int) ret->n, limit_from_text(soft), limit_from_text(hard)};
                ret->n++;
        }
        return ret->n == RLIM_NLIMITS ||
               error_set(error, RUNTIME_ERROR_FAILED, "cannot read the limits in '%s'", path);
}

static bool check_limits(const JoinInput *input, const SandboxLimits *limits, GError **error)
{
        const ProcessLimit *files = &input->order->process.attributes.limits[PROCESS_LIMIT_NOFILE];
        uint64_t most = limits->list[RLIMIT_NOFILE].hard;

        return !files->is_given || files->hard <= most ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "LimitNOFILE: the hard limit is at most that of the container's first "
                         "process, %" G_GUINT64_FORMAT ", not %" G_GUINT64_FORMAT,
                         most, files->hard);
}

/* The groups that keep a process out of files, too, so the one that joins has all of them. Nobody
 * in the container can have changed those of the first process. */
static bool read_groups(const JoinInput *input, GArray *ret, GError **error)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/status", (int) input->pid), *text = NULL;
        const char *line;

        if (!g_file_get_contents(path, &text, NULL, NULL) || !is_alive(input))
                return gone(error);
        if (!(line = strstr(text, "\nGroups:")))
                return error_set(error, RUNTIME_ERROR_FAILED, "cannot read the groups in '%s'",
                                 path);
        line += strlen("\nGroups:");
        g_autofree char *words = g_strndup(line, strcspn(line, "\n"));
        g_auto(GStrv) numbers = g_strsplit_set(words, " \t", -1);
        for (char **number = numbers; *number; number++) {
                gid_t group = (gid_t) g_ascii_strtoull(*number, NULL, 10);
                if (**number)
                        g_array_append_val(ret, group);
        }
        return true;
}

/* Inside, the process has no right to do so. Where the service has none either, the process gets as
 * much as the service has. */
static void raise_limits(pid_t joiner, SandboxLimits *limits)
{
        for (SandboxLimit *limit = limits->list; limit < limits->list + limits->n; limit++) {
                __rlimit_resource_t resource = (__rlimit_resource_t) limit->resource;
                struct rlimit ours;
                if (getrlimit(resource, &ours) < 0 || limit->hard <= ours.rlim_max ||
                    prlimit(joiner, resource, &(struct rlimit){ours.rlim_cur, limit->hard}, NULL) ==
                            0)
                        continue;
                limit->hard = ours.rlim_max;
                limit->soft = MIN(limit->soft, limit->hard);
        }
}

/* The OOM killer spares the service, and so the joiner, until this. */
static bool copy_oom_score(const JoinInput *input, pid_t joiner, GError **error)
{
        char path[64], score[16];
        int r;

        g_snprintf(path, sizeof path, OOM_SCORE_FILE, (int) input->pid);
        if (fd_read_file_at(AT_FDCWD, path, score, sizeof score) < 0 || !is_alive(input))
                return gone(error);
        g_snprintf(path, sizeof path, OOM_SCORE_FILE, (int) joiner);
        r = fd_write_file_at(AT_FDCWD, path, score);
        return r >= 0 ||
               error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, -r, "cannot write '%s'", path);
}

/* -- the joiner -- */

static int compare_fds(const void *a, const void *b)
{
        return *(const int *) a - *(const int *) b;
}

static bool clone_joiner(Sandbox *joiner, const JoinInput *input, int sync, int first,
                         GError **error)
{
        int entries[CGROUP_ENTRY_FDS_MAX + 1], keep[] = {sync, first};
        int birth = cgroup_birth_fd(input->cgroup);
        struct clone_args args = {
                .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | (birth >= 0 ? CLONE_INTO_CGROUP : 0),
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t) (uintptr_t) &joiner->pidfd,
                .cgroup = birth >= 0 ? (uint64_t) birth : 0,
        };

        for (unsigned i = 0; i <= CGROUP_ENTRY_FDS_MAX; i++)
                entries[i] = i < CGROUP_ENTRY_FDS_MAX ? cgroup_entry_fd(input->cgroup, i) : -1;
        qsort(keep, G_N_ELEMENTS(keep), sizeof keep[0], compare_fds);
        /* all that `base` points to is on the stack, or in the plan's memory */
        const SandboxBase base = {
                .sync_fd = sync,
                .keep_fds = keep,
                .n_keep_fds = G_N_ELEMENTS(keep),
                .cgroup_fds = entries,
                .uid = input->rights->keeps_groups ? input->rights->uid : 0,
                .gid = input->rights->keeps_groups ? input->rights->gid : 0,
                .plan = joiner->plan,
                .join = first,
                .join_namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC |
                                   CLONE_NEWNET | CLONE_NEWCGROUP |
                                   (input->rights->has_user_namespace ? CLONE_NEWUSER : 0),
                .joined = &joiner->plan->joined,
        };
        memory_hide_heap(true);
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                sandbox_child_join(&base); /* and `joiner`, on the heap, is not there */
        memory_hide_heap(false);
        joiner->pid = pid;
        if (pid < 0 && errno == EBUSY)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno,
                                       "cannot start a process in the container's cgroup, which "
                                       "has sub-cgroups");
        return pid < 0 ? sandbox_clone_error(errno, error) : true;
}

static bool make_joiner(Sandbox *joiner, const JoinInput *input, GError **error)
{
        int sockets[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot make a socket");
        joiner->sync_fd = sockets[0];
        autofd int low = sockets[1];
        autofd int theirs = fcntl(low, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
        autofd int first = fcntl(input->pidfd, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
        if (theirs < 0 || first < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot copy a file descriptor");
        bool done = cgroup_open_entries(input->cgroup, error) &&
                    clone_joiner(joiner, input, theirs, first, error);
        cgroup_close_entries(input->cgroup);
        return done;
}

bool join(const JoinInput *input, Sandbox **ret, GError **error)
{
        g_autoptr(Sandbox) joiner = sandbox_alloc();
        const LaunchInput plan = {
                .order = input->order, .profile = input->profile, .output_fd = input->output_fd};
        g_autoptr(GArray) groups = g_array_new(FALSE, FALSE, sizeof(gid_t));
        SandboxInherited inherited = {.groups = groups};
        int fds[SANDBOX_FDS_MAX];

        if (!sandbox_share_plan(joiner, false, error) ||
            !read_limits(input, &inherited.limits, error) ||
            !check_limits(input, &inherited.limits, error) ||
            (input->rights->keeps_groups && !read_groups(input, groups, error)) ||
            !make_joiner(joiner, input, error))
                return false;
        raise_limits(joiner->pid, &inherited.limits);
        /* the joiner looks at the plan when it gets GO */
        if (!compile_join(&plan, input->rights, &inherited, joiner, fds, error))
                return false;
        /* later children must not get this plan */
        madvise(joiner->plan, SANDBOX_PLAN_SIZE, MADV_DONTFORK);
        if (!copy_oom_score(input, joiner->pid, error) ||
            !sandbox_go(joiner, fds, joiner->plan->n_targets, error))
                return false;
        fcntl(joiner->sync_fd, F_SETFL, O_NONBLOCK);
        *ret = g_steal_pointer(&joiner);
        return true;
}

/* -- what comes of it -- */

/* The number stands in memory that who has joined has as well, and through it perhaps the
 * container: nothing but a child of ours is touched. */
static bool is_our_child(pid_t pid)
{
        return pid > 0 &&
               waitid(P_PID, (id_t) pid, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Our child, not reaped: the number is its own. In a frozen v1 leaf it ends when that thaws, which
 * is not waited for. */
static void end_child(pid_t pid)
{
        if (!is_our_child(pid))
                return;
        kill(pid, SIGKILL);
        for (unsigned i = 0; i < END_LOOKS && waitpid(pid, NULL, WNOHANG) == 0; i++)
                g_usleep(END_LOOK_USEC);
}

bool join_finish(Sandbox *joiner, Launched *ret, SandboxReport *ret_report)
{
        const char word = SANDBOX_MAPPED;
        pid_t pid = joiner->plan->joined; /* the kernel wrote it before the joiner ended */
        int terminal = -1;

        waitid(P_PIDFD, (id_t) joiner->pidfd, &(siginfo_t){0}, WEXITED);
        fd_clear(&joiner->pidfd);
        joiner->plan->joined = 0; /* ours from here on, no matter of join_cancel() */
        int pidfd = is_our_child(pid) ? (int) syscall(SYS_pidfd_open, pid, 0) : -1;
        if (pidfd < 0) {
                *ret_report = (SandboxReport){.stage = _STAGE_MAX, .error = errno};
                end_child(pid);
                if (pid <= 0)
                        launch_read(joiner->sync_fd, ret_report, &terminal);
                return false;
        }
        /* if it has died meanwhile, the pidfd tells */
        (void) !send(joiner->sync_fd, &word, 1, MSG_NOSIGNAL);
        *ret = (Launched){.pid = pid,
                          .pidfd = pidfd,
                          .sync_fd = steal_fd(&joiner->sync_fd),
                          .mount_namespace = -1,
                          .rights = {0}};
        return true;
}

void join_cancel(Sandbox *joiner)
{
        pid_t joined;

        if (!joiner)
                return;
        if (joiner->pidfd >= 0) {
                end_child(joiner->pid);
                fd_clear(&joiner->pidfd);
        }
        joined = joiner->plan->joined;
        sandbox_free(joiner);
        end_child(joined);
}
