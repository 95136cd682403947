#include "service/sandbox/child/oci/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/sandbox/child/report.h"
#include "service/sandbox/child/root.h"

/* The state as a file: a hook that does not read it holds nobody up. */
static int open_state(const char *text, size_t length)
{
        int file = (int) syscall(SYS_memfd_create, "state", 1 /* MFD_CLOEXEC */);

        while (file >= 0 && length > 0) {
                ssize_t n = write(file, text, length);
                if (n < 0 && errno != EINTR)
                        return -1;
                text += n > 0 ? n : 0;
                length -= n > 0 ? (size_t) n : 0;
        }
        return file >= 0 && syscall(SYS_lseek, file, 0, 0) == 0 ? file : -1;
}

static _Noreturn void execute(const OciPlan *plan, const OciInnerHook *hook, int state,
                              OciHookRights rights)
{
        sigset_t none;

        if (dup2(state, STDIN_FILENO) < 0 || (rights && !rights(plan)))
                _exit(126);
        syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(hook->path, hook->argv, hook->environment);
        _exit(errno == ENOENT ? 127 : 126);
}

/* Waits for its end, not longer than it may take. Its exit status, or 128 and the signal; -1 on
 * failure. */
static int await(int pidfd, uint32_t timeout)
{
        struct pollfd end = {.fd = pidfd, .events = POLLIN};
        struct __kernel_timespec left = {.tv_sec = timeout};
        siginfo_t info;
        long n;

        do
                n = syscall(SYS_ppoll, &end, 1, timeout ? &left : NULL, NULL, 0);
        while (n < 0 && errno == EINTR); /* the kernel has subtracted what is over */
        if (n <= 0)
                syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        while (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED, NULL) < 0)
                if (errno != EINTR)
                        return -1;
        if (n > 0)
                return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        errno = ETIMEDOUT;
        return -1;
}

static bool run(const OciPlan *plan, const OciInnerHook *hook, int state, OciHookRights rights)
{
        int pidfd = -1, status;
        struct clone_args args = {.flags = CLONE_PIDFD,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &pidfd};
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);

        if (pid == 0)
                execute(plan, hook, state, rights);
        if (pid < 0)
                return false;
        status = await(pidfd, hook->timeout);
        root_close(pidfd);
        if (status > 0)
                errno = status == 127 ? ENOENT : status == 126 ? EACCES : ECHILD;
        return status == 0;
}

void oci_hooks_run(const SandboxBase *base, const OciPlan *plan, const OciInnerHook *hooks,
                   size_t n, OciHookRights rights)
{
        const OciHookState *state = plan->state;
        const bool is_created = hooks == plan->start_hooks;

        for (size_t i = 0; i < n; i++) {
                int file = open_state(is_created ? state->created : state->creating,
                                      is_created ? state->created_length : state->creating_length);
                if (file < 0 || !run(plan, &hooks[i], file, rights))
                        report_failure_at(base, is_created ? STAGE_START_HOOK : STAGE_CREATE_HOOK,
                                          (uint32_t) i);
                root_close(file);
        }
}
