#include "service/settle.h"

#include <errno.h>
#include <grp.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/spec/error.h"

/* What a container inherits of whoever started the service, an administrator's shell perhaps or a
 * unit with a Nice= of its own. It is ours to lose: afterwards the kernel would refuse some of it.
 * On a private connection it is the caller's, who may well have meant it. */
static void reset_attributes(void)
{
        struct sched_param normal = {0};
        cpu_set_t all;

        memset(&all, 0xff, sizeof all);
        personality(PER_LINUX);
        prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
        prctl(PR_SET_TIMERSLACK, 50000, 0, 0, 0); /* the kernel's default; 0 would be our own */
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
        sched_setscheduler(0, SCHED_OTHER, &normal);
        sched_setaffinity(0, sizeof all, &all);
        setpriority(PRIO_PROCESS, 0, 0);
}

bool settle_process(bool is_embedded, int *ret_signals, GError **error)
{
        sigset_t signals;

        if (geteuid() == 0 && (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setgroups(0, NULL) < 0))
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot drop groups");
        /* No core dumps, neither ours nor, since they inherit it, the containers': the host's
         * handler would run as its root on their behalf (CVE-2025-4598). No limit keeps the kernel
         * from piping to a handler, not even 0, except 1, its word for a crash of the handler
         * itself. */
        setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1});
        if (!is_embedded)
                reset_attributes();
        /* whoever started us may have ignored some; those that cannot be set are not ours to set */
        for (int i = 1; i < _NSIG; i++)
                sigaction(i, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot watch signals");
        *ret_signals = fd;
        return true;
}

/* A live container costs several fds. The containers get the limits as they were. */
void settle_file_limit(void)
{
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
}
