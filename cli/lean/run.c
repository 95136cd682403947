#include "cli/lean/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/lean/status-lines.h"
#include "cli/lib/client.h"
#include "cli/lib/session/hints.h"
#include "cli/lib/session.h"
#include "cli/lib/session/signals.h"
#include "cli/lib/text.h"
#include "dbus/names.h"
#include "service/util/fd.h"

/* How long a signal waits to know whether there is a command yet. If there is none it ends us, as
 * it would have done at once: an answer may take as long as somebody needs to give a password. */
#define HOLD_MSEC 2000

typedef struct Run {
        const Plan *plan;
        Wire wire;
        StatusLines lines;
        int signal_fd;
        sigset_t saved_mask;
        LeaveCount leave_signals;
        sigset_t held;      /* came before it was known that the command runs */
        int64_t held_until; /* in milliseconds, or 0 */
        sigset_t sent;      /* to leave, and it is not known yet whether the command minds */
        int ended_by;       /* the signal for which we have ended the command, or 0 */
        uint32_t spawn, wait, kill; /* serials of the calls, the last one's of Kill */
        bool is_answered, is_running, is_over;
        int status;
} Run;

static void end_with(Run *run, int status)
{
        run->status = status;
        run->is_over = true;
}

static uint32_t call_container(Run *run, const char *member, const char *signature,
                               const WireBody *body)
{
        return wire_call(&run->wire,
                         &(WireCall){run->lines.path, INTERFACE_CONTAINER, member, signature},
                         body);
}

static void call_kill(Run *run, int signal)
{
        static WireBody body;

        body.n = 0;
        wire_add_string(&body, "main");
        wire_add_u32(&body, (uint32_t) signal);
        run->kill = call_container(run, "Kill", "si", &body);
}

/* A signal that asks to leave ends what does nothing about it, see end_the_spared(). */
static void pass_signal(Run *run, int signal)
{
        if (signals_ask_to_leave(signal))
                sigaddset(&run->sent, signal);
        call_kill(run, signal);
        /* without the bus nobody is told: who leaves closes the lines, which ends the command */
        if (run->kill == 0 && signals_ask_to_leave(signal))
                end_with(run, EXIT_SIGNAL_BASE + signal);
}

static void pass_if_held(int signal, void *data)
{
        Run *run = data;

        if (sigismember(&run->held, signal))
                pass_signal(run, signal);
}

/* -- the end -- */

static void take_result(Run *run, const char *result, int code)
{
        if (run->ended_by && !strcmp(result, "signal") && code == SIGKILL)
                code = run->ended_by;
        session_explain(result, code);
        end_with(run, session_status_of(result, code));
}

static void complain_lost(Run *run)
{
        complain(CONNECTION_LOST);
        end_with(run, EXIT_RUNTIME_FAILED);
}

static void complain_error(Run *run, const WireReply *reply)
{
        complain("%s", *reply->text ? reply->text : reply->error);
        hints_of_error(reply->error);
        end_with(run, session_status_of_error(reply->error));
}

/* The command has copies of our streams: their other ends are to see it when it closes them. */
static void follow(Run *run)
{
        run->is_running = true;
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        signals_foreach(pass_if_held, run);
}

/* What is known of the container by now, by the lines or the answer. Whether a command that has
 * ended began at all, the answer tells. */
static void look(Run *run)
{
        bool is_to_be_told = run->lines.fd >= 0 && !run->lines.pid && !*run->lines.result;

        /* its pid is wanted for a signal that is held */
        if (!*run->lines.path || is_to_be_told)
                return;
        if (!run->is_running)
                follow(run);
        if (*run->lines.result)
                take_result(run, run->lines.result, run->lines.code);
        else if (run->lines.fd < 0 && !run->wait)
                run->wait = call_container(run, "Wait", "", NULL);
}

/* -- what the bus says -- */

static bool is_printable(const char *text)
{
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        return false;
        return true;
}

/* Whether naivec-full would get further, or has a better word. Nothing was begun. */
static bool is_for_the_other(const Run *run, const WireReply *reply)
{
        return !is_printable(reply->text) || strstr(reply->text, " is lost: ") ||
               (run->plan->asks_password && isatty(STDIN_FILENO) &&
                !strcmp(reply->error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED));
}

static void take_answer(Run *run, const WireReply *reply)
{
        run->is_answered = true;
        if (reply->type != WIRE_ERROR) {
                if (!*run->lines.path && strlen(reply->text) < sizeof run->lines.path)
                        memcpy(run->lines.path, reply->text, strlen(reply->text) + 1);
                look(run);
        } else if (!run->is_running && is_for_the_other(run, reply)) {
                end_with(run, RUN_NOT);
        } else {
                complain_error(run, reply);
        }
}

/* The signals went to the process first, so it has had its chance. */
static void end_the_spared(Run *run)
{
        for (int signal = 1; signal <= SIGTERM && run->lines.pid > 0; signal++)
                if (sigismember(&run->sent, signal) && !run->ended_by &&
                    signals_are_spared(run->lines.pid, signal)) {
                        run->ended_by = signal;
                        call_kill(run, SIGKILL);
                }
        sigemptyset(&run->sent);
}

static void take_reply(Run *run, const WireReply *reply)
{
        if (reply->serial == run->spawn)
                take_answer(run, reply);
        else if (reply->serial == run->wait && reply->type == WIRE_ERROR)
                complain_error(run, reply);
        else if (reply->serial == run->wait)
                take_result(run, reply->text, reply->number);
        else if (reply->serial == run->kill)
                end_the_spared(run);
        else if (reply->serial < run->spawn && reply->type == WIRE_ERROR)
                end_with(run, RUN_NOT); /* the bus does not want us */
}

static void take_messages(Run *run)
{
        WireReply reply;

        wire_receive(&run->wire);
        while (!run->is_over && wire_next(&run->wire, &reply))
                take_reply(run, &reply);
}

/* -- signals -- */

static int64_t now_msec(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (int64_t) time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void hold(Run *run, int signal)
{
        sigaddset(&run->held, signal);
        if (!run->held_until)
                run->held_until = now_msec() + HOLD_MSEC;
}

static void raise_if_held(int signal, void *data)
{
        const Run *run = data;

        if (sigismember(&run->held, signal))
                raise(signal);
}

/* As if they had not been caught: what was asked for so far is dropped by who sees us gone. */
static void give_back_signals(Run *run)
{
        signals_foreach(raise_if_held, run);
        fd_clear(&run->signal_fd);
        sigprocmask(SIG_SETMASK, &run->saved_mask, NULL);
}

/* Goes on only if whoever has started us blocks the signal. */
static void give_up(Run *run)
{
        give_back_signals(run);
        end_with(run, EXIT_RUNTIME_FAILED);
}

static void take_signal(Run *run, int signal)
{
        bool leaves = signals_ask_to_leave(signal);
        unsigned n = leaves ? signals_count_leaving(&run->leave_signals) : 0;

        if (signal == SIGWINCH || signal == SIGPIPE)
                return;
        if (n == LEAVE_SIGNALS - 1)
                hint(LEAVE_HINT);
        if (n >= LEAVE_SIGNALS)
                end_with(run, EXIT_SIGNAL_BASE + signal);
        else if (run->is_running)
                pass_signal(run, signal);
        else if (signal != SIGCONT)
                hold(run, signal);
}

static void take_signals(Run *run)
{
        struct signalfd_siginfo info;

        while (!run->is_over && read(run->signal_fd, &info, sizeof info) == sizeof info)
                take_signal(run, (int) info.ssi_signo);
}

/* -- all together -- */

/* -1: for ever */
static int timeout_msec(const Run *run)
{
        int64_t left = run->held_until - now_msec();

        if (run->is_running)
                return -1;
        if (run->held_until)
                return left > 0 ? (int) left : 0;
        return run->is_answered ? -1 : (int) (CALL_TIMEOUT_USEC / 1000);
}

static void wait_once(Run *run)
{
        struct pollfd fds[] = {
                {.fd = run->lines.fd, .events = POLLIN},
                {.fd = run->wire.fd, .events = POLLIN},
                {.fd = run->signal_fd, .events = POLLIN},
        };
        const WireReply late = {.error = SD_BUS_ERROR_NO_REPLY, .text = "Method call timed out"};
        int n = poll(fds, 3, timeout_msec(run));

        if (n == 0 && !run->held_until)
                complain_error(run, &late);
        if (n > 0 && fds[0].revents) {
                status_lines_read(&run->lines);
                look(run);
        }
        if (n > 0 && !run->is_over && fds[1].revents)
                take_messages(run);
        if (n > 0 && !run->is_over && fds[2].revents)
                take_signals(run);
        if (!run->is_over && !run->is_running && run->held_until && timeout_msec(run) == 0)
                give_up(run);
        /* without the bus the lines still tell the end */
        if (!run->is_over && run->wire.fd < 0 && run->lines.fd < 0)
                complain_lost(run);
}

static bool begin(Run *run, const Plan *plan)
{
        static WireBody body;
        static const WireCall spawn = {MANAGER_PATH, INTERFACE_MANAGER, "Spawn", "ayaaya{uh}a{sv}"};
        autofd int writer = -1;

        if (!status_lines_open(&run->lines, &writer))
                return false;
        plan_write(plan, writer, &body);
        if (body.is_full || !wire_open(&run->wire, plan->bus_path))
                return false;
        /* before the command can run, and make somebody send a signal that is for it */
        run->signal_fd = signals_catch(&run->saved_mask);
        if (run->signal_fd < 0) {
                sigprocmask(SIG_SETMASK, &run->saved_mask, NULL);
                return false;
        }
        run->spawn = wire_call(&run->wire, &spawn, &body);
        return run->spawn > 0;
}

int run_plan(const Plan *plan)
{
        static Run run;

        run.plan = plan;
        run.status = RUN_NOT;
        run.signal_fd = -1;
        sigemptyset(&run.held);
        sigemptyset(&run.sent);
        run.is_over = !begin(&run, plan);
        while (!run.is_over)
                wait_once(&run);
        /* else a SIGPIPE of what we have said would end us now */
        if (run.status == RUN_NOT && run.signal_fd >= 0)
                give_back_signals(&run);
        return run.status;
}
