#include "cli/oci/launch/foreground.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

/* All that this process could be sent, but what the kernel tells it of its own faults. */
static void list_signals(sigset_t *set)
{
        sigfillset(set);
        sigdelset(set, SIGSEGV);
        sigdelset(set, SIGBUS);
        sigdelset(set, SIGFPE);
        sigdelset(set, SIGILL);
        sigdelset(set, SIGABRT);
        sigdelset(set, SIGTRAP);
}

void foreground_begin(void)
{
        sigset_t set;

        list_signals(&set);
        sigprocmask(SIG_BLOCK, &set, NULL);
}

static void copy_size(int master)
{
        struct winsize size;

        if (master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
                (void) ioctl(master, TIOCSWINSZ, &size);
}

static void relay_signal(int signals, const EngineChild *child)
{
        struct signalfd_siginfo info;

        if (read(signals, &info, sizeof info) != sizeof info || info.ssi_signo == SIGCHLD)
                return;
        if (info.ssi_signo == SIGWINCH)
                copy_size(child->master);
        if (info.ssi_signo == SIGWINCH || info.ssi_signo == SIGTTIN || info.ssi_signo == SIGTTOU)
                return;
        (void) syscall(SYS_pidfd_send_signal, child->pidfd, (int) info.ssi_signo, NULL, 0);
}

/* False: there is no more to come. */
static bool copy(int from, int to)
{
        char buffer[16384];
        ssize_t n = TEMP_FAILURE_RETRY(read(from, buffer, sizeof buffer)), done = 0;

        while (done < n) {
                ssize_t m = TEMP_FAILURE_RETRY(write(to, buffer + done, (size_t) (n - done)));

                if (m < 0)
                        return false;
                done += m;
        }
        return n > 0;
}

/* Until the process has ended, and what it said is read. */
static void relay(const EngineChild *child, int signals)
{
        struct pollfd fds[] = {
                {.fd = child->pidfd, .events = POLLIN},
                {.fd = signals, .events = POLLIN},
                {.fd = child->master, .events = POLLIN},
                {.fd = child->master >= 0 ? STDIN_FILENO : -1, .events = POLLIN},
        };
        bool has_ended = false;

        while (!has_ended) {
                if (poll(fds, G_N_ELEMENTS(fds), -1) < 0)
                        continue;
                has_ended = fds[0].revents;
                if (fds[1].revents)
                        relay_signal(signals, child);
                if (fds[2].revents && !copy(child->master, STDOUT_FILENO))
                        fds[2].fd = -1;
                if (fds[3].revents && !copy(STDIN_FILENO, child->master))
                        fds[3].fd = -1;
        }
        while (fds[2].fd >= 0 && poll(&fds[2], 1, 0) > 0 && copy(child->master, STDOUT_FILENO))
                continue;
}

bool foreground_wait(const EngineChild *child, int *ret_status, GError **error)
{
        struct termios saved, raw;
        bool is_terminal = child->master >= 0 && tcgetattr(STDIN_FILENO, &saved) == 0;
        sigset_t set;
        int status;

        list_signals(&set);
        autofd int signals = signalfd(-1, &set, SFD_CLOEXEC);
        if (signals < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot wait");
        if (is_terminal) {
                raw = saved;
                cfmakeraw(&raw);
                (void) tcsetattr(STDIN_FILENO, TCSANOW, &raw);
                copy_size(child->master);
        }
        relay(child, signals);
        if (is_terminal)
                (void) tcsetattr(STDIN_FILENO, TCSANOW, &saved);
        if (TEMP_FAILURE_RETRY(waitpid(child->pid, &status, 0)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot wait");
        *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        return true;
}
