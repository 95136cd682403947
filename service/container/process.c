#include "service/container/process.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "service/util/watch.h"

#define EXIT_LOOK_MSEC 50u
#define EXIT_LOOKS     100u

/* For the end of a process that was killed; and once one has not ended within that time. */
#define REAP_MSEC       5000
#define REAP_AGAIN_MSEC 50

struct Process {
        const ProcessHooks *hooks;
        void *data;
        pid_t pid;
        int pidfd, sync_fd;
        Watch *pidfd_watch, *sync_watch;
        guint timer; /* of the set-up, or of what the owner allowed */
        guint look;  /* timer: look again for the exit code, which is not known yet */
        unsigned looks;
        bool execute;   /* exec is wanted as soon as all is ready */
        bool executing; /* nothing is left to do but exec */
        bool failed;    /* the owner was told */
        bool adopted;   /* no child of ours: waitid() does not know it */
        bool is_reaped;
        struct rusage usage; /* then */
};

static void timer_clear(guint *timer)
{
        if (*timer)
                g_source_remove(*timer);
        *timer = 0;
}

static void stop_listening(Process *process)
{
        watch_clear(&process->pidfd_watch);
        watch_clear(&process->sync_watch);
        timer_clear(&process->timer);
        timer_clear(&process->look);
}

/* -- time -- */

static gboolean on_timer(void *data)
{
        Process *process = data;

        process->timer = 0;
        process->hooks->overdue(process->data);
        return G_SOURCE_REMOVE;
}

static void set_timer(Process *process, guint msec)
{
        timer_clear(&process->timer);
        process->timer = g_timeout_add(msec, on_timer, process);
}

void process_set_time(Process *process, uint64_t usec)
{
        timer_clear(&process->timer);
        if (usec != UINT64_MAX)
                set_timer(process, (guint) MIN(usec / 1000 + 1, G_MAXUINT - 1));
}

/* -- what the sandbox reports -- */

static void handle_ready(Process *process, int terminal)
{
        if (process->execute)
                process->executing = true;
        else
                timer_clear(&process->timer);
        process->hooks->ready(terminal, process->data);
}

static void handle_failure(Process *process, const SandboxReport *report)
{
        if (process->failed)
                return;
        process->failed = true;
        process->hooks->failed(report, process->data);
}

static void handle_stream_end(Process *process)
{
        watch_clear(&process->sync_watch);
        fd_clear(&process->sync_fd);
        if (!process->executing || process->failed)
                return;
        timer_clear(&process->timer);
        process->hooks->executed(process->data);
}

static void handle_reports(Process *process)
{
        while (process->sync_fd >= 0) {
                SandboxReport report;
                int terminal = -1;
                switch (launch_read(process->sync_fd, &report, &terminal)) {
                case LAUNCH_AGAIN:
                        return;
                case LAUNCH_READY:
                        handle_ready(process, terminal);
                        break;
                case LAUNCH_ASKS:
                        process->hooks->asks(terminal, process->data);
                        break;
                case LAUNCH_FAILED:
                        handle_failure(process, &report);
                        break;
                case LAUNCH_END:
                        handle_stream_end(process);
                        break;
                }
        }
}

static void on_sync(int fd, GIOCondition condition, void *data)
{
        handle_reports(data);
}

void process_execute(Process *process)
{
        process->executing = true;
        set_timer(process, SETUP_TIMEOUT_MSEC);
        launch_execute(process->sync_fd); /* if the process is gone, the pidfd tells */
}

bool process_is_executing(const Process *process)
{
        return process->executing;
}

static bool read_name(const Process *process, char name[static 32])
{
        char path[32];

        snprintf(path, sizeof path, "/proc/%d/comm", (int) process->pid);
        return fd_read_file_at(AT_FDCWD, path, name, 32) > 0;
}

bool process_has_executed(const Process *process)
{
        char name[32];

        return read_name(process, name) && strcmp(name, SANDBOX_COMM "\n") != 0;
}

pid_t process_init(const Process *process)
{
        char name[32];

        return read_name(process, name) && strcmp(name, SANDBOX_INIT_COMM "\n") == 0 ? process->pid
                                                                                     : 0;
}

/* -- the end -- */

static void on_pidfd(int fd, GIOCondition condition, void *data);

static gboolean on_look(void *data)
{
        Process *process = data;

        process->look = 0;
        on_pidfd(process->pidfd, G_IO_IN, process);
        return G_SOURCE_REMOVE;
}

static bool read_status(const Process *process, siginfo_t *ret)
{
        int status, known = proc_exit_status(process->pidfd, &status);

        ret->si_code = 0;
        if (known > 0) {
                ret->si_code = WIFEXITED(status)   ? CLD_EXITED
                               : WCOREDUMP(status) ? CLD_DUMPED
                                                   : CLD_KILLED;
                ret->si_status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
        }
        return known != 0;
}

bool process_look_for_end(const Process *process, siginfo_t *ret)
{
        if (poll(&(struct pollfd){.fd = process->pidfd, .events = POLLIN}, 1, 0) != 1)
                return false;
        (void) read_status(process, ret);
        return true;
}

/* The kernel shows the exit code to processes other than the parent once the parent has reaped, and
 * the parent may take its time for that. False: look again later. */
static bool read_strangers_exit(Process *process, siginfo_t *ret)
{
        if (!read_status(process, ret) && process->looks++ < EXIT_LOOKS) {
                /* the pidfd stays readable: the timer looks in its place */
                watch_clear(&process->pidfd_watch);
                process->look = g_timeout_add(EXIT_LOOK_MSEC, on_look, process);
                return false;
        }
        return true;
}

static bool read_exit(Process *process, siginfo_t *ret)
{
        if (process->adopted)
                return read_strangers_exit(process, ret);
        /* libc's waitid() leaves out the last argument */
        process->is_reaped = syscall(SYS_waitid, P_PIDFD, process->pidfd, ret, WEXITED | WNOHANG,
                                     &process->usage) == 0 &&
                             ret->si_pid != 0;
        return process->is_reaped;
}

static void on_pidfd(int fd, GIOCondition condition, void *data)
{
        Process *process = data;
        siginfo_t status = {0};

        /* what the process said comes before how it ended */
        handle_reports(process);
        if (!read_exit(process, &status))
                return;
        stop_listening(process);
        process->hooks->ended(&status, process->data);
}

bool process_usage(const Process *process, struct rusage *ret)
{
        *ret = process->usage;
        return process->is_reaped;
}

int process_pidfd(const Process *process)
{
        return process->pidfd;
}

int process_signal(const Process *process, int signal)
{
        if (syscall(SYS_pidfd_send_signal, process->pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
                return -errno;
        return 0;
}

bool process_reap(const Process *process)
{
        static int patience = REAP_MSEC;
        struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
        bool ended = poll(&end, 1, patience) == 1;

        if (!ended)
                patience = REAP_AGAIN_MSEC;
        waitid(P_PIDFD, (id_t) process->pidfd, &(siginfo_t){0}, WEXITED | WNOHANG);
        return ended;
}

/* -- life -- */

static Process *new_process(pid_t pid, int pidfd, const ProcessHooks *hooks, void *data)
{
        Process *process = g_new0(Process, 1);

        process->hooks = hooks;
        process->data = data;
        process->pid = pid;
        process->pidfd = pidfd;
        process->sync_fd = -1;
        process->pidfd_watch = watch_new(pidfd, G_IO_IN, on_pidfd, process);
        return process;
}

Process *process_new(const Launched *launched, bool execute, const ProcessHooks *hooks, void *data)
{
        Process *process = new_process(launched->pid, launched->pidfd, hooks, data);

        process->sync_fd = launched->sync_fd;
        process->execute = execute;
        process->sync_watch = watch_new(process->sync_fd, G_IO_IN, on_sync, process);
        set_timer(process, SETUP_TIMEOUT_MSEC);
        return process;
}

Process *process_adopt(pid_t pid, int pidfd, const ProcessHooks *hooks, void *data)
{
        Process *process = new_process(pid, pidfd, hooks, data);

        process->adopted = true;
        return process;
}

void process_free(Process *process)
{
        if (!process)
                return;
        stop_listening(process);
        fd_close(process->pidfd);
        fd_close(process->sync_fd);
        g_free(process);
}
