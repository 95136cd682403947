#include "cli/lib/session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/lib/session/signals.h"
#include "cli/lib/session/target.h"
#include "cli/lib/terminal.h"
#include "cli/lib/text.h"
#include "dbus/names.h"
#include "service/util/fd.h"

/* When a pipe on stdin has ended, Ctrl-D is typed again and again: after the first time, then after
 * longer times, up to the last. */
#define EOF_FIRST_USEC (G_USEC_PER_SEC / 10)
#define EOF_LAST_USEC  (5 * (int64_t) G_USEC_PER_SEC)
/* How long to wait for the last bytes of the terminal once the container has ended, and for the
 * container's end once the terminal has hung up. */
#define LINGER_USEC (2 * (int64_t) G_USEC_PER_SEC)
/* How often to see whether a terminal of others has become ours: a shell's fg tells nobody. */
#define LOOK_USEC (G_USEC_PER_SEC / 4)

struct Session {
        Client *client;
        Target target;
        int signal_fd;
        sigset_t saved_mask;
        bool forwards;

        RawMode raw;
        Pump *pump; /* NULL without a terminal */
        bool is_read_only, is_watched, is_leaving;

        bool is_starting; /* Start is not answered yet: signals wait in `held` */
        sigset_t held;
        sigset_t sent; /* to leave, and it is not known yet whether the command minds */
        int ended_by;  /* the signal for which naivec has ended the command, or 0 */
        bool has_waited;
        char *result; /* from the reply of Wait; NULL if it failed */
        int code;
        int status; /* what naivec will exit with */
        bool is_over;
        int64_t deadline; /* when LINGER_USEC is over, or 0 */
        int64_t next_eof; /* when to type another Ctrl-D, or 0 */
        int64_t eof_usec; /* the time between two */
        LeaveCount leave_signals;
};

Session *session_new(Client *client, const char *path, const char *interface)
{
        Session *session = g_new0(Session, 1);

        session->client = client;
        session->target = (Target){client, path, interface};
        session->signal_fd = signals_catch(&session->saved_mask);
        session->status = EXIT_RUNTIME_FAILED;
        sigemptyset(&session->held);
        sigemptyset(&session->sent);
        return session;
}

static void drop_terminal(Session *session)
{
        raw_mode_leave(&session->raw);
        if (session->pump)
                pump_clear(session->pump);
        g_clear_pointer(&session->pump, g_free);
}

void session_free(Session *session)
{
        struct signalfd_siginfo info;

        if (!session)
                return;
        drop_terminal(session);
        /* Drop the signals that came too late: a pending SIGPIPE of a broken stdout would end us as
         * soon as it is no longer blocked. */
        while (read(session->signal_fd, &info, sizeof info) > 0)
                ;
        fd_clear(&session->signal_fd);
        g_free(session->result);
        sigprocmask(SIG_SETMASK, &session->saved_mask, NULL);
        g_free(session);
}

void session_forward_signals(Session *session)
{
        session->forwards = true;
}

static void end_with(Session *session, int status)
{
        session->status = status;
        session->is_over = true;
}

static void tell_size(Session *session)
{
        unsigned short rows, columns;

        if (session->pump && !session->is_read_only && terminal_size(&rows, &columns))
                target_tell_size(&session->target, rows, columns);
}

/* Reads the user's terminal, in raw mode, as long as it is ours. */
static void follow_terminal(Session *session)
{
        Pump *pump = session->pump;
        bool was_background = pump->is_background;

        pump->is_background = pump->input_is_tty && !terminal_is_ours(pump->input);
        if (was_background && !pump->is_background) {
                raw_mode_enter(&session->raw, STDIN_FILENO);
                tell_size(session);
        }
}

int session_attach(Session *session, TerminalOptions options)
{
        int fd, status = target_attach(&session->target, options.is_read_only, &fd);

        if (status != 0)
                return status;
        session->pump = g_new(Pump, 1);
        pump_init(session->pump, options.is_read_only ? -1 : STDIN_FILENO, STDOUT_FILENO, fd);
        session->pump->sends_eof = options.sends_eof;
        session->is_read_only = options.is_read_only;
        session->is_watched = options.is_watched;
        if (session->pump->input_is_tty && options.detach_keys.n > 0) {
                g_autofree char *keys = detach_keys_describe(&options.detach_keys);
                session->pump->detach_keys = options.detach_keys;
                hint("%s detaches", keys);
        }
        tell_size(session);
        if (!options.is_read_only)
                raw_mode_enter(&session->raw, STDIN_FILENO);
        return 0;
}

static int on_waited(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        Session *session = data;
        const char *result;

        session->has_waited = true;
        if (session->pump)
                session->deadline = g_get_monotonic_time() + LINGER_USEC;
        if (sd_bus_message_read(reply, "si", &result, &session->code) >= 0) {
                session->result = g_strdup(result);
                if (session->ended_by && !strcmp(result, "signal") && session->code == SIGKILL)
                        session->code = session->ended_by;
                session->status = session_status_of(result, session->code);
        } else if (!session->is_starting) {
                /* If Start failed as well, its error says more than that of Wait. */
                raw_mode_leave(&session->raw);
                client_complain(session->client, NULL, sd_bus_message_get_error(reply));
                if (strcmp(session->target.interface, INTERFACE_EXEC) == 0)
                        hint("the command may go on in the container, and its result is lost");
        }
        return 0;
}

/* The signals went to the process first, so it has had its chance. */
static int on_pid(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        Session *session = data;
        uint32_t pid;

        if (sd_bus_message_read(reply, "v", "u", &pid) < 0)
                return 0;
        for (int signal = 1; signal <= SIGTERM && pid > 0; signal++)
                if (sigismember(&session->sent, signal) && !session->ended_by &&
                    signals_are_spared((pid_t) pid, signal)) {
                        session->ended_by = signal;
                        target_tell_signal(&session->target, SIGKILL);
                }
        sigemptyset(&session->sent);
        return 0;
}

/* A signal that asks to leave ends what does nothing about it. */
static void pass_signal(Session *session, int signal)
{
        g_autoptr(sd_bus_message) call = NULL;

        target_tell_signal(&session->target, signal);
        if (!signals_ask_to_leave(signal) || client_is_remote(session->client) ||
            client_new_call(session->client, session->target.path,
                            "org.freedesktop.DBus.Properties", "Get", &call) < 0 ||
            sd_bus_message_append(call, "ss", session->target.interface, "Pid") < 0)
                return;
        sigaddset(&session->sent, signal);
        sd_bus_call_async(client_bus(session->client), NULL, call, on_pid, session, 0);
}

static void pass_if_held(int signal, void *data)
{
        Session *session = data;

        if (sigismember(&session->held, signal))
                pass_signal(session, signal);
}

static int on_started(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        Session *session = data;

        session->is_starting = false;
        if (session->pump)
                session->pump->is_paused = false;
        if (sd_bus_message_is_method_error(reply, NULL)) {
                const sd_bus_error *error = sd_bus_message_get_error(reply);

                raw_mode_leave(&session->raw);
                client_complain(session->client, NULL, error);
                g_clear_pointer(&session->result, g_free);
                end_with(session, session_status_of_error(error->name));
                return 0;
        }
        signals_foreach(pass_if_held, session);
        return 0;
}

/* Whether the user has asked to leave so often that naivec ends at once; WatchBus then ends the
 * container. */
static bool insists_on_leaving(Session *session)
{
        unsigned n = signals_count_leaving(&session->leave_signals);

        if (n == LEAVE_SIGNALS - 1 && !session->pump)
                hint(LEAVE_HINT);
        return n >= LEAVE_SIGNALS;
}

static void forward_signal(Session *session, int signal)
{
        if (signals_ask_to_leave(signal) && insists_on_leaving(session))
                end_with(session, EXIT_SIGNAL_BASE + signal);
        else if (session->is_starting)
                sigaddset(&session->held, signal);
        else
                pass_signal(session, signal);
}

static void take_signal(Session *session, int signal)
{
        if (signal == SIGWINCH) {
                tell_size(session);
        } else if (signal == SIGPIPE) {
                /* The write that failed has returned EPIPE as well. */
        } else if (signal == SIGCONT && session->pump) {
                if (session->raw.is_raw)
                        raw_mode_enter(&session->raw, session->raw.fd);
                tell_size(session);
        } else if (session->forwards) {
                forward_signal(session, signal);
        } else if (signals_ask_to_leave(signal)) {
                end_with(session, EXIT_SIGNAL_BASE + signal);
        }
}

static void take_signals(Session *session)
{
        struct signalfd_siginfo info;

        while (read(session->signal_fd, &info, sizeof info) == sizeof info)
                take_signal(session, (int) info.ssi_signo);
}

/* After the end of a pipe every read finds the end again; on a terminal each Ctrl-D ends a single
 * read. So type Ctrl-D again, until the container ends. */
static void repeat_eof(Session *session)
{
        int64_t now = g_get_monotonic_time();

        if (!session->pump->has_sent_eof || now < session->next_eof)
                return;
        if (session->next_eof)
                pump_repeat_eof(session->pump);
        session->eof_usec = CLAMP(2 * session->eof_usec, EOF_FIRST_USEC, EOF_LAST_USEC);
        session->next_eof = now + session->eof_usec;
}

static int on_unwatched(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        Session *session = data;

        if (!sd_bus_message_is_method_error(reply, NULL)) {
                end_with(session, 0);
                return 0;
        }
        session->is_leaving = session->pump->has_detached = false;
        client_complain(session->client, "cannot detach", sd_bus_message_get_error(reply));
        return 0;
}

static void leave(Session *session)
{
        session->is_leaving = true;
        if (!session->is_watched)
                end_with(session, 0);
        else if (target_unwatch(&session->target, on_unwatched, session) < 0)
                end_with(session, EXIT_RUNTIME_FAILED);
}

/* Ends the session, or sets its deadline, if the pump has met an end. */
static void judge_pump(Session *session)
{
        Pump *pump = session->pump;

        if (!pump)
                return;
        repeat_eof(session);
        if (pump->has_detached && !session->is_leaving)
                leave(session);
        else if (pump->has_lost_output)
                end_with(session, pump->output_is_tty ? EXIT_SIGNAL_BASE + SIGHUP
                                                      : EXIT_SIGNAL_BASE + SIGPIPE);
        else if (pump->has_hung_up && !session->deadline)
                session->deadline = g_get_monotonic_time() + LINGER_USEC;
}

static void judge(Session *session)
{
        int64_t now = g_get_monotonic_time();

        judge_pump(session);
        if (session->is_over || session->is_starting)
                return;
        /* While our own reader is slow, time does not count. */
        if (session->deadline && session->pump && pump_has_output(session->pump))
                session->deadline = now + LINGER_USEC;
        if (session->has_waited && (!session->pump || pump_is_drained(session->pump)))
                session->is_over = true;
        else if (session->deadline && now >= session->deadline)
                end_with(session,
                         session->has_waited ? session->status : EXIT_SIGNAL_BASE + SIGHUP);
}

/* How long poll() may wait for the next deadline of the session or of the bus; -1: for ever. */
static int timeout_msec(const Session *session)
{
        uint64_t until = UINT64_MAX;
        int64_t now = g_get_monotonic_time();

        if (sd_bus_get_timeout(client_bus(session->client), &until) < 0)
                until = UINT64_MAX;
        if (session->deadline && (uint64_t) session->deadline < until)
                until = (uint64_t) session->deadline;
        if (session->next_eof && (uint64_t) session->next_eof < until)
                until = (uint64_t) session->next_eof;
        if (session->pump && session->pump->is_background)
                until = MIN(until, (uint64_t) now + LOOK_USEC);
        if (until == UINT64_MAX)
                return -1;
        if (until <= (uint64_t) now)
                return 0;
        return (int) MIN((until - (uint64_t) now + 999) / 1000, 60000);
}

static int poll_once(Session *session)
{
        struct pollfd fds[2 + PUMP_FDS];
        int events = sd_bus_get_events(client_bus(session->client));
        unsigned n = session->pump ? 2 + PUMP_FDS : 2;

        if (events < 0)
                return events;
        fds[0] = (struct pollfd){sd_bus_get_fd(client_bus(session->client)), (short) events, 0};
        fds[1] = (struct pollfd){session->signal_fd, POLLIN, 0};
        if (session->pump) {
                follow_terminal(session);
                pump_prepare(session->pump, fds + 2);
        }
        if (poll(fds, n, timeout_msec(session)) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[1].revents)
                take_signals(session);
        if (session->pump)
                pump_dispatch(session->pump, fds + 2);
        return 0;
}

static int send_call(Session *session, const char *member, sd_bus_message_handler_t on_reply)
{
        g_autoptr(sd_bus_message) call = NULL;
        int r = target_new_call(&session->target, member, &call);

        if (r < 0)
                return r;
        return sd_bus_call_async(client_bus(session->client), NULL, call, on_reply, session,
                                 UINT64_MAX);
}

bool session_has_result(const Session *session)
{
        return session->result;
}

int session_run(Session *session, bool starts)
{
        /* Send Wait before Start: a container with Remove is forgotten as soon as it ends, and its
         * result with it. */
        int r = send_call(session, "Wait", on_waited);

        if (r >= 0 && starts) {
                session->is_starting = true;
                /* Until the command runs, what the user types stays in our terminal. */
                if (session->pump)
                        session->pump->is_paused = true;
                r = send_call(session, "Start", on_started);
        }
        while (r >= 0 && !session->is_over) {
                r = sd_bus_process(client_bus(session->client), NULL);
                if (r == 0)
                        r = poll_once(session);
                judge(session);
        }
        drop_terminal(session);
        if (r < 0)
                client_complain_errno(session->client, NULL, r);
        else if (session->result)
                session_explain(session->result, session->code);
        return session->status;
}
