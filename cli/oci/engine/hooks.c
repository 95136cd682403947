#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/oci/engine/engine.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

#define WORDS_MAX 2048u /* of what a hook writes to stderr, in an error */

/* stdin is the state, as a file; nothing that a hook leaves behind keeps our caller's descriptors
 * open. Its path may be a magic link: docker's is /proc/PID/exe. */
static _Noreturn void execute(const OciHook *hook, int state, int words)
{
        char *alone[] = {hook->path, NULL};
        struct sigaction action = {.sa_handler = SIG_DFL};
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        sigset_t none;

        if (null < 0 || dup2(state, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
            dup2(words, STDERR_FILENO) < 0)
                _exit(126);
        close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
        sigaction(SIGPIPE, &action, NULL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(hook->path, hook->args && hook->args[0] ? hook->args : alone, hook->env);
        _exit(errno == ENOENT ? 127 : 126);
}

static int await(int pidfd, uint32_t timeout)
{
        struct pollfd end = {.fd = pidfd, .events = POLLIN};
        gint64 until = g_get_monotonic_time() + (gint64) timeout * G_USEC_PER_SEC;
        siginfo_t info;
        int n;

        do {
                gint64 left = MAX(until - g_get_monotonic_time(), 0) / 1000;
                n = poll(&end, 1, timeout ? (int) MIN(left, G_MAXINT) : -1);
        } while (n < 0 && errno == EINTR);
        if (n <= 0)
                syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED) < 0 && errno == EINTR)
                ;
        if (n <= 0)
                return -1;
        return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static int open_file(const char *name, const char *text)
{
        autofd int file = memfd_create(name, MFD_CLOEXEC);
        size_t length = strlen(text);

        if (file < 0 || write(file, text, length) != (ssize_t) length || lseek(file, 0, SEEK_SET))
                return -1;
        return steal_fd(&file);
}

static bool hook_error(const OciHook *hook, const char *place, int status, int words,
                       GError **error)
{
        char text[WORDS_MAX + 1];
        ssize_t n = pread(words, text, WORDS_MAX, 0);

        text[MAX(n, 0)] = '\0';
        if (status < 0)
                return error_set(error, RUNTIME_ERROR_SETUP_FAILED,
                                 "%s: '%s' took longer than its timeout, %u s", place, hook->path,
                                 hook->timeout);
        return error_set(error, RUNTIME_ERROR_SETUP_FAILED, "%s: '%s' ended with %d%s%s", place,
                         hook->path, status, *text ? ": " : "", g_strchomp(text));
}

static bool run(const OciHook *hook, const char *place, const char *state, GError **error)
{
        autofd int file = open_file("state", state), words = memfd_create("stderr", MFD_CLOEXEC);
        autofd int pidfd = -1;
        struct clone_args args = {.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &pidfd};
        pid_t pid = file < 0 || words < 0 ? -1 : (pid_t) syscall(SYS_clone3, &args, sizeof args);

        if (pid == 0)
                execute(hook, file, words);
        if (pid < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "%s: cannot start '%s'", place, hook->path);
        int status = await(pidfd, hook->timeout);
        return status == 0 || hook_error(hook, place, status, words, error);
}

bool engine_run_hooks(const OciHooks *hooks, const char *kind, const char *state, GError **error)
{
        for (size_t i = 0; i < hooks->n; i++) {
                g_autofree char *place = g_strdup_printf("hooks.%s[%zu]", kind, i);
                if (!run(&hooks->items[i], place, state, error))
                        return false;
        }
        return true;
}
