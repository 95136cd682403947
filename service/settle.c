#include "service/settle.h"

#include <errno.h>
#include <fcntl.h>
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
#include "service/spec/limits.h"
#include "service/util/fd.h"

/* As far as the hard limit allows, where we have no right to raise that. */
static void set_limit(__rlimit_resource_t resource, rlim_t value)
{
        struct rlimit limit = {value, value};

        if (setrlimit(resource, &limit) < 0 && getrlimit(resource, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                setrlimit(resource, &limit);
        }
}

/* Resets what containers would inherit from whoever started the service: an administrator's shell
 * perhaps, or a unit with a Nice= of its own. The service resets it, because in the sandbox the
 * kernel would refuse part of it. On a private connection the attributes are the caller's, who may
 * have chosen them. */
static void reset_attributes(void)
{
        /* The first three are also what all of a container has together, whatever its users: the
         * kernel notes them when a user namespace is made. */
        static const struct {
                __rlimit_resource_t resource;
                rlim_t value;
        } limits[] = {{RLIMIT_MSGQUEUE, MESSAGE_QUEUE_BYTES_MAX},
                      {RLIMIT_SIGPENDING, PENDING_SIGNALS_MAX},
                      {RLIMIT_MEMLOCK, LOCKED_BYTES_MAX},
                      {RLIMIT_NICE, 0},
                      {RLIMIT_RTPRIO, 0}};
        struct sched_param normal = {0};
        cpu_set_t all;

        for (size_t i = 0; i < G_N_ELEMENTS(limits); i++)
                set_limit(limits[i].resource, limits[i].value);
        memset(&all, 0xff, sizeof all);
        personality(PER_LINUX);
        prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
        /* the kernel's default; 0 would mean the value that this process inherited */
        prctl(PR_SET_TIMERSLACK, 50000, 0, 0, 0);
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
        sched_setscheduler(0, SCHED_OTHER, &normal);
        sched_setaffinity(0, sizeof all, &all);
        setpriority(PRIO_PROCESS, 0, 0);
}

/* To a socket the kernel (since Linux 6.16) sends a core whatever the limit is. It would spare what
 * is not dumpable, but whoever executes a file that it may read is dumpable again. */
static void warn_of_core_socket(void)
{
        char pattern[128];

        if (fd_read_file_at(AT_FDCWD, "/proc/sys/kernel/core_pattern", pattern, sizeof pattern) >
                    0 &&
            pattern[0] == '@')
                g_warning(
                        "kernel.core_pattern is a socket (%s): what crashes in a container goes to "
                        "the handler there, which no limit prevents",
                        g_strchomp(pattern));
}

bool settle_process(bool is_embedded, int *ret_signals, GError **error)
{
        sigset_t signals;

        if (geteuid() == 0 && (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setgroups(0, NULL) < 0))
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot drop groups");
        /* No core dumps, neither of the service nor of the containers, which inherit the limit: the
         * host's core handler would run as the host's root on their behalf (CVE-2025-4598). A limit
         * of 0 does not keep the kernel from piping a core to a handler. A limit of 1 does: by it
         * the kernel recognises a crash of the handler itself. The filter keeps it so. */
        setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1});
        if (!is_embedded) {
                reset_attributes();
                warn_of_core_socket();
        }
        /* Whoever started the service may have ignored signals. Failures do not matter: SIGKILL,
         * SIGSTOP and signals of libc itself cannot be set. */
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

/* A live container costs the service several fds. The containers get the limits as they were
 * before. */
void settle_file_limit(void)
{
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
}
