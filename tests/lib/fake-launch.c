#include "tests/lib/fake-launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/cgroup/internal.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

FakeLaunch fake_launch_how;
static GArray *children; /* pid_t; some have been reaped by whoever launched them */
static int release_pipe[2] = {-1, -1};

static void end_children(void)
{
        for (guint i = 0; children && i < children->len; i++) {
                pid_t pid = g_array_index(children, pid_t, i);
                if (waitpid(pid, NULL, WNOHANG) != 0)
                        continue; /* not ours any more */
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
        }
        g_clear_pointer(&children, g_array_unref);
}

void fake_launch_reset(void)
{
        end_children();
        g_free(fake_launch_how.last_hostname);
        fake_launch_how = (FakeLaunch){0};
        fd_clear(&release_pipe[0]);
        fd_clear(&release_pipe[1]);
}

void fake_launch_release(void)
{
        fd_clear(&release_pipe[1]); /* the end of the stream reaches all of them */
}

CgroupTree *fake_cgroup_tree(void)
{
        static CgroupTree tree = {
                .mode = CGROUP_MODE_NONE,
                .serving = {-1, -1, -1},
                .missing = {(char *) "a test", (char *) "a test", (char *) "a test"},
                .ceilings = {CGROUP_NO_LIMIT, CGROUP_NO_LIMIT, CGROUP_NO_LIMIT},
                .tracking = -1,
        };

        if (!tree.capped)
                tree.capped = g_hash_table_new(NULL, NULL);
        return &tree;
}

static void say(int socket, uint32_t stage, int32_t error)
{
        SandboxReport report = {.stage = stage, .error = error};

        (void) !send(socket, &report, sizeof report, MSG_NOSIGNAL);
}

/* The end of the stream instead: the service is gone. */
static void await(int socket)
{
        char word = 0;

        if (read(socket, &word, 1) != 1 || word != SANDBOX_EXEC)
                _exit(99);
}

static _Noreturn void live(void)
{
        for (;;)
                pause();
}

static _Noreturn void child(int socket, int output, bool waits)
{
        const FakeLaunch *how = &fake_launch_how;
        char byte;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (how->script == FAKE_VANISH)
                _exit(how->code);
        if (how->script == FAKE_FAIL) {
                say(socket, how->stage, how->error);
                _exit(255);
        }
        say(socket, STAGE_EXEC, 0);
        if (how->script == FAKE_VANISH_READY)
                _exit(how->code);
        if (waits)
                await(socket);
        if (how->script == FAKE_VANISH_EXEC)
                raise(SIGKILL);
        if (how->script == FAKE_FAIL_EXEC) {
                say(socket, STAGE_EXEC, how->error);
                _exit(255);
        }
        if (how->script == FAKE_STUBBORN)
                for (int i = 1; i < _NSIG; i++)
                        signal(i, SIG_IGN);
        fd_close(socket); /* as exec does */
        if (how->script == FAKE_OUTPUT)
                (void) !write(output, "hello\n", 6);
        if (how->script == FAKE_LIVE || how->script == FAKE_STUBBORN)
                live();
        if (how->script == FAKE_UNTIL_BYTE)
                (void) !read(release_pipe[0], &byte, 1);
        _exit(how->code);
}

bool fake_launch(const LaunchInput *input, Launched *ret, GError **error)
{
        int sockets[2];

        fake_launch_how.n_launches++;
        g_free(fake_launch_how.last_hostname);
        fake_launch_how.last_hostname = g_strdup(input->order->tree.hostname);
        fake_launch_how.last_n_fds = (unsigned) input->order->n_fds;
        fake_launch_how.last_output_fd = input->output_fd;
        if (fake_launch_how.script == FAKE_NO_CHILD)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED, "no child today");
        if (release_pipe[0] < 0)
                g_assert_cmpint(pipe2(release_pipe, O_CLOEXEC), ==, 0);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), ==, 0);
        pid_t pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                int output = input->output_fd >= 0 ? dup2(input->output_fd, 900) : -1;
                int socket = dup2(sockets[1], 901), released = dup2(release_pipe[0], 902);
                syscall(SYS_close_range, 3, 899, 0);
                release_pipe[0] = released;
                child(socket, output, !input->order->execute);
        }
        fd_close(sockets[1]);
        if (!children)
                children = g_array_new(FALSE, FALSE, sizeof(pid_t));
        g_array_append_val(children, pid);
        fake_launch_how.last_pid = pid;
        *ret = (Launched){
                .pid = pid,
                .pidfd = (int) syscall(SYS_pidfd_open, pid, 0),
                .sync_fd = sockets[0],
                .mount_namespace = -1,
                .rights = {.capabilities = 5, .filter = RIGHTS_FILTER_DEFAULT},
        };
        g_assert_cmpint(ret->pidfd, >=, 0);
        fcntl(ret->sync_fd, F_SETFL, O_NONBLOCK);
        return true;
}
