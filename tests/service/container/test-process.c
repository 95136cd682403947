/* One process, a forked child that speaks the sandbox's protocol: what it says and how it ends
 * arrives through the hooks, in this order and once. No container around it. */

#include "service/container/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "service/util/proc.h"
#include "tests/lib/case.h"
#include "tests/lib/fake-launch.h"
#include "tests/lib/loop.h"

typedef struct Fixture {
        Process *process;
        GString *order; /* of the hooks, a letter each */
        SandboxReport report;
        siginfo_t status;
        int terminal;
        unsigned n_ready, n_executed, n_overdue, n_ended;
        bool had_executed; /* by its name, when `executed` was told */
        pid_t child;       /* of this test's own; 0: none */
} Fixture;

static void on_ready(int terminal, void *data)
{
        Fixture *f = data;

        f->terminal = terminal;
        f->n_ready++;
        g_string_append_c(f->order, 'r');
}

static void on_failed(const SandboxReport *report, void *data)
{
        Fixture *f = data;

        f->report = *report;
        g_string_append_c(f->order, 'f');
}

static void on_executed(void *data)
{
        Fixture *f = data;

        f->had_executed = process_has_executed(f->process);
        f->n_executed++;
        g_string_append_c(f->order, 'x');
}

static void on_overdue(void *data)
{
        Fixture *f = data;

        f->n_overdue++;
        g_string_append_c(f->order, 'o');
}

/* Freed in here, as an owner does it. */
static void on_ended(const siginfo_t *status, void *data)
{
        Fixture *f = data;

        f->status = *status;
        g_clear_pointer(&f->process, process_free);
        f->n_ended++;
        g_string_append_c(f->order, 'e');
}

static const ProcessHooks hooks = {on_ready, on_failed, on_executed, on_overdue, on_ended};

static void set_up(Fixture *f, const void *unused)
{
        fake_launch_reset();
        f->order = g_string_new(NULL);
        f->terminal = -1;
}

static void tear_down(Fixture *f, const void *unused)
{
        process_free(f->process);
        fd_close(f->terminal);
        if (f->child > 0) {
                kill(f->child, SIGKILL);
                waitpid(f->child, NULL, 0);
        }
        fake_launch_reset();
        g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
        g_assert_cmpint(errno, ==, ECHILD);
        g_string_free(f->order, TRUE);
}

static void begin(Fixture *f, FakeScript script, bool execute)
{
        const Order order = {.execute = execute};
        const LaunchInput input = {.order = &order, .output_fd = -1};
        Launched launched;

        fake_launch_how.script = script;
        g_assert_true(fake_launch(&input, &launched, NULL));
        f->process = process_new(&launched, execute, &hooks, f);
        g_assert_cmpint(process_pidfd(f->process), ==, launched.pidfd);
}

static void finish(Fixture *f, const char *order)
{
        g_assert_true(loop_until(&f->n_ended, 1, 5000));
        g_assert_cmpstr(f->order->str, ==, order);
}

static void assert_ended(const Fixture *f, int code, int status)
{
        g_assert_cmpint(f->status.si_code, ==, code);
        g_assert_cmpint(f->status.si_status, ==, status);
}

/* -- a child of the test's own, for what the fake one does not say -- */

static pid_t fork_child(void (*body)(int socket), int *ret_socket)
{
        int sockets[2];

        g_assert_cmpint(
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets), ==,
                0);
        pid_t pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                fd_close(sockets[0]);
                fcntl(sockets[1], F_SETFL, 0);
                body(sockets[1]);
                _exit(0);
        }
        fd_close(sockets[1]);
        *ret_socket = sockets[0];
        return pid;
}

static int open_pidfd(pid_t pid)
{
        int pidfd = (int) syscall(SYS_pidfd_open, pid, 0);

        g_assert_cmpint(pidfd, >=, 0);
        return pidfd;
}

static void begin_child(Fixture *f, void (*body)(int socket), bool execute)
{
        Launched launched = {.mount_namespace = -1};

        launched.pid = fork_child(body, &launched.sync_fd);
        launched.pidfd = open_pidfd(launched.pid);
        f->process = process_new(&launched, execute, &hooks, f);
}

static void say_ready(int socket, int terminal)
{
        const SandboxReport ready = {.stage = STAGE_EXEC};

        if (!fd_send_all(socket, &ready, sizeof ready, &terminal, terminal >= 0))
                _exit(99);
}

/* -- until exec -- */

/* Set up, the process waits; told to go on, it executes and ends: each is told once, in order. */
FIXTURE_TEST(waits)
{
        fake_launch_how.code = 7;
        begin(f, FAKE_EXIT, false);
        g_assert_true(loop_until(&f->n_ready, 1, 5000));
        loop_for(50);
        g_assert_cmpstr(f->order->str, ==, "r");
        g_assert_false(process_is_executing(f->process));
        process_execute(f->process);
        g_assert_true(process_is_executing(f->process));
        finish(f, "rxe");
        assert_ended(f, CLD_EXITED, 7);
}

/* Who is to execute at once needs no word for it. */
FIXTURE_TEST(at_once)
{
        begin(f, FAKE_LIVE, true);
        g_assert_true(loop_until(&f->n_executed, 1, 5000));
        g_assert_cmpstr(f->order->str, ==, "rx");
        g_assert_cmpint(process_signal(f->process, SIGUSR1), ==, 0);
        finish(f, "rxe");
        assert_ended(f, CLD_KILLED, SIGUSR1);
}

/* What a process has said is told before its end, though both are there at the first look. */
FIXTURE_TEST(ended_before_look)
{
        begin(f, FAKE_EXIT, true);
        waitid(P_PID, (id_t) fake_launch_how.last_pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
        finish(f, "rxe");
        assert_ended(f, CLD_EXITED, 0);
}

static void send_terminal(int socket)
{
        say_ready(socket, open("/dev/null", O_RDWR | O_CLOEXEC));
}

/* The terminal's master that comes with the report is the owner's. */
FIXTURE_TEST(terminal)
{
        begin_child(f, send_terminal, true);
        finish(f, "rxe");
        g_assert_cmpint(f->terminal, >=, 0);
        g_assert_cmpint(fcntl(f->terminal, F_GETFD), ==, FD_CLOEXEC);
}

/* -- failures -- */

static void assert_report(const Fixture *f, SandboxStage stage, int error)
{
        g_assert_cmpuint(f->report.stage, ==, stage);
        g_assert_cmpint(f->report.error, ==, error);
}

/* A failed stage is told as the sandbox reported it. Nothing was executed. */
FIXTURE_TEST(stage_fails)
{
        fake_launch_how.stage = STAGE_HOSTNAME;
        fake_launch_how.error = EPERM;
        begin(f, FAKE_FAIL, true);
        finish(f, "fe");
        assert_report(f, STAGE_HOSTNAME, EPERM);
}

/* The socket's end after a failed exec is not taken for an exec. */
FIXTURE_TEST(exec_fails)
{
        fake_launch_how.error = ENOENT;
        begin(f, FAKE_FAIL_EXEC, true);
        finish(f, "rfe");
        assert_report(f, STAGE_EXEC, ENOENT);
}

static void fail_twice(int socket)
{
        const SandboxReport first = {.stage = STAGE_HOSTNAME, .error = EPERM},
                            second = {.stage = STAGE_EXEC, .error = ENOENT};

        (void) !write(socket, &first, sizeof first);
        (void) !write(socket, &second, sizeof second);
}

/* The first failure is the reason, and the only one that is told. */
FIXTURE_TEST(first_failure)
{
        begin_child(f, fail_twice, true);
        finish(f, "fe");
        assert_report(f, STAGE_HOSTNAME, EPERM);
}

/* The end of the socket proves no exec while something else was left to do. */
FIXTURE_TEST(vanished)
{
        fake_launch_how.code = 3;
        begin(f, FAKE_VANISH, true);
        finish(f, "e");
        assert_ended(f, CLD_EXITED, 3);
}

FIXTURE_TEST(vanished_waiting)
{
        begin(f, FAKE_VANISH_READY, false);
        finish(f, "re");
}

static void vanish_as_sandbox(int socket)
{
        prctl(PR_SET_NAME, SANDBOX_COMM);
        say_ready(socket, -1);
        raise(SIGKILL);
}

/* Killed at the moment of exec, a process is told of as executed; its name tells the truth. */
FIXTURE_TEST(vanished_at_exec)
{
        begin_child(f, vanish_as_sandbox, true);
        finish(f, "rxe");
        g_assert_false(f->had_executed);
        assert_ended(f, CLD_KILLED, SIGKILL);
}

static void rename_itself(int socket)
{
        say_ready(socket, -1);
        prctl(PR_SET_NAME, "command"); /* as exec does */
        fd_close(socket);
        pause();
}

FIXTURE_TEST(has_executed)
{
        begin_child(f, rename_itself, true);
        g_assert_true(loop_until(&f->n_executed, 1, 5000));
        g_assert_true(f->had_executed);
        process_signal(f->process, SIGKILL);
        finish(f, "rxe");
}

/* -- time -- */

/* The owner is told when the time is over, not before, and once; it ends nothing by itself. */
FIXTURE_TEST(overdue)
{
        begin(f, FAKE_LIVE, true);
        g_assert_true(loop_until(&f->n_executed, 1, 5000));
        gint64 begun = g_get_monotonic_time();
        process_set_time(f->process, 60000);
        g_assert_true(loop_until(&f->n_overdue, 1, 5000));
        g_assert_cmpint(g_get_monotonic_time() - begun, >=, 60000);
        loop_for(100);
        g_assert_cmpstr(f->order->str, ==, "rxo");
}

/* A new time takes the place of the old one, and no end of it is no time at all. */
FIXTURE_TEST(time_anew)
{
        begin(f, FAKE_LIVE, true);
        process_set_time(f->process, 20000);
        process_set_time(f->process, UINT64_MAX);
        loop_for(60);
        g_assert_cmpuint(f->n_overdue, ==, 0);
}

/* A time longer than a timer can be is a long one, not a short one. */
FIXTURE_TEST(very_long)
{
        begin(f, FAKE_LIVE, true);
        process_set_time(f->process, UINT64_MAX - 1);
        loop_for(60);
        g_assert_cmpuint(f->n_overdue, ==, 0);
}

/* -- one that is not our child -- */

/* Forks once more, tells of that pid, and reaps it when it is told to. */
static void be_parent(int socket)
{
        char byte;
        pid_t pid = fork();

        if (pid == 0) {
                (void) !read(socket, &byte, 1);
                _exit(7);
        }
        (void) !write(socket, &pid, sizeof pid);
        waitid(P_PID, (id_t) pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
        (void) !write(socket, &pid, sizeof pid); /* a zombie by now */
        (void) !read(socket, &byte, 1);
        waitpid(pid, NULL, 0);
        pause();
}

static pid_t read_pid(int socket)
{
        pid_t pid = 0;

        fcntl(socket, F_SETFL, 0);
        g_assert_cmpint(read(socket, &pid, sizeof pid), ==, sizeof pid);
        return pid;
}

/* Its exit code is read once its parent has reaped it; where the kernel does not tell strangers of
 * it, it is unknown and never made up. */
FIXTURE_TEST(adopted)
{
        int socket = -1, status;

        f->child = fork_child(be_parent, &socket);
        autofd int ours = socket;
        pid_t pid = read_pid(ours);
        autofd int other = open_pidfd(pid);
        f->process = process_adopt(pid, open_pidfd(pid), &hooks, f);
        loop_for(20);
        g_assert_cmpstr(f->order->str, ==, "");
        g_assert_cmpint(write(ours, "x", 1), ==, 1);
        g_assert_cmpint(read_pid(ours), ==, pid);
        bool tells = proc_exit_status(other, &status) == 0;
        loop_for(120);
        g_assert_cmpstr(f->order->str, ==, tells ? "" : "e");
        g_assert_cmpint(write(ours, "x", 1), ==, 1);
        finish(f, "e");
        if (tells)
                assert_ended(f, CLD_EXITED, 7);
        else
                g_assert_cmpint(f->status.si_code, ==, 0);
}

/* -- signals, the end -- */

/* A signal to a process that has ended meanwhile is no error; a wrong signal is. */
FIXTURE_TEST(signal)
{
        begin(f, FAKE_LIVE, true);
        g_assert_cmpint(process_signal(f->process, 1000), ==, -EINVAL);
        g_assert_cmpint(process_signal(f->process, SIGKILL), ==, 0);
        process_reap(f->process);
        g_assert_cmpint(process_signal(f->process, SIGKILL), ==, 0);
}

/* Freed, it runs on, for a successor to take over, and no hook is called any more. */
FIXTURE_TEST(free)
{
        begin(f, FAKE_LIVE, true);
        g_clear_pointer(&f->process, process_free);
        loop_for(50);
        g_assert_cmpstr(f->order->str, ==, "");
        g_assert_cmpint(waitpid(fake_launch_how.last_pid, NULL, WNOHANG), ==, 0);
}
