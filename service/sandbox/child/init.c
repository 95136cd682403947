#include "service/sandbox/child/init.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/sandbox/child/report.h"

/* The kernel's set of signals, all of them; libc's functions leave out two of its own. */
#define SIGNALS_SIZE (_NSIG / 8)
static const uint64_t all_signals[] = {UINT64_MAX, UINT64_MAX};
_Static_assert(SIGNALS_SIZE <= sizeof all_signals, "for each signal there is a bit");

/* By clone, for the filter is loaded: it cannot look into the flags of clone3. CLONE_VFORK: goes on
 * when the child has executed the command, or has ended. */
static pid_t clone_command(void)
{
        const unsigned long flags = CLONE_VFORK | SIGCHLD;

#ifdef __s390__
        return (pid_t) syscall(SYS_clone, 0, flags, 0, 0, 0);
#else
        return (pid_t) syscall(SYS_clone, flags, 0, 0, 0, 0);
#endif
}

/* The exit status of the command if it has ended, else -1. Whatever else has ended is gone then. */
static int reap(pid_t command)
{
        for (;;) {
                siginfo_t end = {0};
                if (syscall(SYS_waitid, P_ALL, 0, &end, WEXITED | WNOHANG, NULL) < 0 ||
                    end.si_pid == 0)
                        return -1;
                if (end.si_pid == command)
                        return end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
        }
}

/* All signals are blocked: so even PID 1 gets those for which it has no handler, and none is lost
 * between a look for what has ended and the wait. */
static _Noreturn void serve(pid_t command)
{
        int status;

        while ((status = reap(command)) < 0) {
                long number = syscall(SYS_rt_sigtimedwait, all_signals, NULL, NULL, SIGNALS_SIZE);
                if (number < 0 && errno != EINTR && errno != EAGAIN)
                        _exit(255); /* a filter that refuses it */
                if (number > 0 && number != SIGCHLD)
                        syscall(SYS_kill, command, number);
        }
        _exit(status);
}

/* The service takes the name for the sign that the command was executed. A command that was killed
 * so early may have been killed before. */
static bool is_killed(pid_t command)
{
        siginfo_t end = {0};

        return syscall(SYS_waitid, P_PID, command, &end, WEXITED | WNOHANG | WNOWAIT, NULL) == 0 &&
               end.si_pid == command && end.si_code == CLD_KILLED && end.si_status == SIGKILL;
}

/* What everybody inside sees of this process, by ps: not the service's command line. */
static void take_name(const SandboxBase *base)
{
        const TitleMemory *title = &base->title;
        size_t size = strlen(SANDBOX_INIT_COMM) + 1;

        memset(title->start, 0, title->size);
        memcpy(title->start, SANDBOX_INIT_COMM, size < title->size ? size : title->size);
}

void init_stay(const SandboxBase *base)
{
        const bool has_terminal = base->plan->attributes.terminal;
        pid_t command;

        take_name(base);
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, all_signals, NULL, SIGNALS_SIZE);
        command = clone_command();
        if (command == 0) {
                if (setsid() < 0 || (has_terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0))
                        report_failure(base, STAGE_INIT);
                return;
        }
        if (command < 0)
                report_failure(base, STAGE_INIT);
        if (!is_killed(command))
                prctl(PR_SET_NAME, SANDBOX_INIT_COMM, 0, 0, 0);
        /* with the socket, by which the service sees that the command was executed; and whoever
         * waits for the end of a pipe waits for the command alone */
        syscall(SYS_close_range, 0, ~0u, 0);
        serve(command);
}
