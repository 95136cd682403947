#include "cli/lib/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/util/fd.h"

#define CTRL_D '\x04'

/* A pipe that poll() calls writable takes this many bytes without blocking. */
#define WRITE_MAX 4096

bool terminal_is_ours(int fd)
{
        pid_t group = tcgetpgrp(fd); /* fails for a terminal that does not control us */

        return group < 0 || group == getpgrp();
}

void raw_mode_enter(RawMode *mode, int fd)
{
        struct termios raw;

        if (!terminal_is_ours(fd))
                return;
        /* After a SIGCONT raw mode is entered again, for the shell may have changed the terminal.
         * The state to restore is that of the first time. */
        if (!mode->is_raw && tcgetattr(fd, &mode->saved) < 0)
                return;
        raw = mode->saved;
        cfmakeraw(&raw);
        mode->fd = fd;
        mode->is_raw = tcsetattr(fd, TCSADRAIN, &raw) >= 0;
}

void raw_mode_leave(RawMode *mode)
{
        /* whoever has taken the terminal has set its own mode */
        if (mode->is_raw && terminal_is_ours(mode->fd))
                tcsetattr(mode->fd, TCSADRAIN, &mode->saved);
        mode->is_raw = false;
}

bool terminal_size(unsigned short *ret_rows, unsigned short *ret_columns)
{
        struct winsize size;

        for (int fd = 0; fd <= 2; fd++) {
                if (ioctl(fd, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
                        continue;
                *ret_rows = size.ws_row;
                *ret_columns = size.ws_col;
                return true;
        }
        return false;
}

/* O_NONBLOCK is a flag of the open file description, which the shell shares with us. A terminal is
 * therefore opened anew, so that only we get the flag. */
static int reopen_terminal(int fd, int flags)
{
        char path[32];

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int own = isatty(fd) ? open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
        return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

void pump_init(Pump *pump, int input, int output, int peer)
{
        *pump = (Pump){
                .input = input < 0 ? -1 : reopen_terminal(input, O_RDONLY),
                .output = reopen_terminal(output, O_WRONLY),
                .peer = peer,
                .input_is_tty = input >= 0 && isatty(input),
                .output_is_tty = isatty(output),
        };
}

void pump_clear(Pump *pump)
{
        fd_clear(&pump->input);
        fd_clear(&pump->output);
        fd_clear(&pump->peer);
}

static bool is_empty(const Chunk *chunk)
{
        return chunk->start == chunk->end;
}

bool pump_is_drained(const Pump *pump)
{
        return pump->peer < 0 && is_empty(&pump->down);
}

bool pump_has_output(const Pump *pump)
{
        return !is_empty(&pump->down);
}

/* Without events the fd is -1: poll() reports POLLHUP and POLLERR even if no event is asked for,
 * and the loop would spin. */
static struct pollfd ask(int fd, short events)
{
        return (struct pollfd){.fd = events ? fd : -1, .events = events};
}

static bool wants_input(const Pump *pump)
{
        return !pump->is_paused && !pump->is_background && is_empty(&pump->up) && pump->peer >= 0;
}

void pump_prepare(const Pump *pump, struct pollfd fds[PUMP_FDS])
{
        short peer_events =
                (is_empty(&pump->down) ? POLLIN : 0) | (is_empty(&pump->up) ? 0 : POLLOUT);

        fds[0] = ask(pump->input, wants_input(pump) ? POLLIN : 0);
        fds[1] = ask(pump->output, is_empty(&pump->down) ? 0 : POLLOUT);
        fds[2] = ask(pump->peer, peer_events);
}

/* Looks for the detach keys in what was typed. */
static void filter_keys(Pump *pump, const char *keys, size_t n)
{
        Chunk *up = &pump->up;

        for (size_t i = 0; i < n && !pump->has_detached; i++)
                pump->has_detached =
                        detach_keys_type(&pump->detach_keys, keys[i], up->data, &up->end);
}

void pump_repeat_eof(Pump *pump)
{
        if (!is_empty(&pump->up) || pump->peer < 0)
                return;
        pump->up = (Chunk){.data = {CTRL_D}, .end = 1};
        pump->has_sent_eof = true;
}

static void end_input(Pump *pump)
{
        fd_clear(&pump->input);
        if (pump->input_is_tty)
                pump->has_hung_up = true;
        else if (pump->sends_eof)
                pump_repeat_eof(pump);
}

static void read_input(Pump *pump)
{
        char keys[sizeof pump->up.data - DETACH_KEYS_MAX]; /* room for what was held back */
        ssize_t n = read(pump->input, keys, sizeof keys);

        if (n < 0 && (errno == EAGAIN || errno == EINTR || !terminal_is_ours(pump->input)))
                return;
        pump->up.start = pump->up.end = 0;
        if (n <= 0) {
                end_input(pump);
        } else if (pump->detach_keys.n > 0) {
                filter_keys(pump, keys, (size_t) n);
        } else {
                memcpy(pump->up.data, keys, (size_t) n);
                pump->up.end = (size_t) n;
        }
}

static void read_peer(Pump *pump)
{
        Chunk *down = &pump->down;
        ssize_t n = recv(pump->peer, down->data, sizeof down->data, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                fd_clear(&pump->peer);
                return;
        }
        down->start = 0;
        down->end = (size_t) n;
}

static void write_peer(Pump *pump)
{
        Chunk *up = &pump->up;
        ssize_t n = send(pump->peer, up->data + up->start, up->end - up->start,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0)
                up->start += (size_t) n;
        else if (errno != EAGAIN && errno != EINTR)
                up->start =
                        up->end; /* the container reads no more; its last output may still come */
}

static void write_output(Pump *pump)
{
        Chunk *down = &pump->down;
        size_t length = down->end - down->start;
        ssize_t n = write(pump->output, down->data + down->start,
                          length < WRITE_MAX ? length : WRITE_MAX);

        if (n >= 0) {
                down->start += (size_t) n;
        } else if (errno != EAGAIN && errno != EINTR) {
                down->start = down->end;
                pump->has_lost_output = true;
        }
}

void pump_dispatch(Pump *pump, const struct pollfd fds[PUMP_FDS])
{
        if (fds[0].revents && pump->input >= 0 && is_empty(&pump->up))
                read_input(pump);
        if (fds[2].revents && pump->peer >= 0 && is_empty(&pump->down))
                read_peer(pump);
        if (pump->peer >= 0 && !is_empty(&pump->up))
                write_peer(pump);
        /* Our terminal was opened non-blocking. To any other output write only if poll() said so.
         */
        if (!is_empty(&pump->down) && (pump->output_is_tty || fds[1].revents))
                write_output(pump);
}
