#include "cli/lib/terminal.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "tests/lib/case.h"

/* A pump between two pipes and a socket; the test holds the other ends. */
typedef struct Fixture {
        Pump pump;
        int typing;  /* what the user types */
        int showing; /* what the user sees */
        int far_end; /* the container's side */
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        int in[2], out[2], ends[2];

        g_assert_cmpint(pipe2(in, O_CLOEXEC), ==, 0);
        g_assert_cmpint(pipe2(out, O_CLOEXEC), ==, 0);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        pump_init(&f->pump, in[0], out[1], ends[0]);
        close(in[0]);
        close(out[1]);
        f->typing = in[1];
        f->showing = out[0];
        f->far_end = ends[1];
}

static void tear_down(Fixture *f, const void *unused)
{
        pump_clear(&f->pump);
        fd_clear(&f->typing);
        fd_clear(&f->showing);
        fd_clear(&f->far_end);
}

/* Lets the pump work until it has nothing to do; false if it never rests. */
static bool settle(Fixture *f)
{
        struct pollfd fds[PUMP_FDS];

        for (unsigned i = 0; i < 1000; i++) {
                pump_prepare(&f->pump, fds);
                if (poll(fds, PUMP_FDS, 0) == 0)
                        return true;
                pump_dispatch(&f->pump, fds);
        }
        return false;
}

static void type(Fixture *f, const char *keys)
{
        g_assert_cmpint(write(f->typing, keys, strlen(keys)), ==, (gssize) strlen(keys));
        g_assert_true(settle(f));
}

static void assert_received(Fixture *f, const char *expected)
{
        char data[256];
        ssize_t n = recv(f->far_end, data, sizeof data, MSG_DONTWAIT);

        g_assert_cmpmem(data, MAX(n, 0), expected, strlen(expected));
}

/* Bytes pass both ways, zeros and detach keys among them when those are not wanted. */
FIXTURE_TEST(both_ways)
{
        char bytes[16];

        type(f, "a\x10\x11z");
        assert_received(f, "a\x10\x11z");
        g_assert_false(f->pump.has_detached);
        g_assert_cmpint(write(f->far_end, "\0\xff", 2), ==, 2);
        g_assert_true(settle(f));
        g_assert_cmpint(read(f->showing, bytes, sizeof bytes), ==, 2);
        g_assert_cmpmem(bytes, 2, "\0\xff", 2);
}

/* Ctrl-P Ctrl-Q detaches, in one read or in two; what came before it still arrives. */
static const struct Keys {
        const char *name, *first, *then;
} typings[] = {{"one-read", "x\x10\x11y", ""}, {"two-reads", "x\x10", "\x11"}};

ROW_TEST(detach, typings)
{
        const struct Keys *typed = data;

        g_assert_true(detach_keys_parse(&f->pump.detach_keys, DETACH_KEYS_DEFAULT));
        type(f, typed->first);
        type(f, typed->then);
        g_assert_true(f->pump.has_detached);
        assert_received(f, "x");
}

/* A Ctrl-P that something else follows is typed after all, twice where it was. */
FIXTURE_TEST(not_detach)
{
        g_assert_true(detach_keys_parse(&f->pump.detach_keys, DETACH_KEYS_DEFAULT));
        type(f, "\x10");
        assert_received(f, "");
        type(f, "a\x10\x10"
                "b\x11");
        assert_received(f, "\x10"
                           "a\x10\x10"
                           "b\x11");
        g_assert_false(f->pump.has_detached);
}

/* Other keys, of which the first may come twice: what cannot be their beginning any more is typed.
 */
FIXTURE_TEST(other_keys)
{
        g_assert_true(detach_keys_parse(&f->pump.detach_keys, "a,a,ctrl-B"));
        type(f, "aaac");
        assert_received(f, "aaac");
        type(f, "xaaa\x02");
        assert_received(f, "xa");
        g_assert_true(f->pump.has_detached);
}

/* What a user may say, and what it is called; "" is none. */
TEST(spelled)
{
        static const char *const wrong[] = {
                ",",       "ab",        "ctrl-",
                "ctrl-p,", "ctrl-pq",   "ctrl-1",
                "é",       "ctrl-p,,q", "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"};
        DetachKeys keys;

        g_assert_true(detach_keys_parse(&keys, "ctrl-@,Ctrl-z,q,ctrl-\\"));
        g_assert_cmpmem(keys.keys, keys.n, "\0\x1aq\x1c", 4);
        g_autofree char *words = detach_keys_describe(&keys);
        g_assert_cmpstr(words, ==, "Ctrl-@ Ctrl-Z q Ctrl-\\");
        g_assert_true(detach_keys_parse(&keys, ""));
        g_assert_cmpuint(keys.n, ==, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
                g_assert_false(detach_keys_parse(&keys, wrong[i]));
}

/* The end of a pipe becomes a Ctrl-D where that is wanted, once, and then the pump rests. */
static const struct Eof {
        const char *name;
        bool wanted;
        const char *received;
} eofs[] = {{"wanted", true, "end\x04"}, {"unwanted", false, "end"}};

ROW_TEST(end_of_input, eofs)
{
        const struct Eof *eof = data;

        f->pump.sends_eof = eof->wanted;
        type(f, "end");
        fd_clear(&f->typing);
        g_assert_true(settle(f));
        assert_received(f, eof->received);
        g_assert_false(f->pump.has_hung_up);
}

/* While paused nothing is read, so it stays with whoever reads our input after us. */
FIXTURE_TEST(pause)
{
        f->pump.is_paused = true;
        type(f, "later");
        assert_received(f, "");
        f->pump.is_paused = false;
        g_assert_true(settle(f));
        assert_received(f, "later");
}

/* What the container wrote last comes out although it is gone, and only then the pump is drained.
 */
FIXTURE_TEST(last_words)
{
        char bytes[16];

        g_assert_cmpint(write(f->far_end, "bye", 3), ==, 3);
        fd_clear(&f->far_end);
        g_assert_false(pump_is_drained(&f->pump));
        g_assert_true(settle(f));
        g_assert_true(pump_is_drained(&f->pump));
        g_assert_cmpint(read(f->showing, bytes, sizeof bytes), ==, 3);
}

/* A reader that stops reading stops the pump without blocking it; nothing is lost when it goes on.
 */
FIXTURE_TEST(slow_reader)
{
        size_t sent = 0, received = 0;
        char bytes[4096];
        ssize_t n;

        memset(bytes, 'x', sizeof bytes);
        while ((n = send(f->far_end, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
                sent += (size_t) n;
                g_assert_true(settle(f));
        }
        g_assert_true(pump_has_output(&f->pump));
        fd_clear(&f->far_end);
        fcntl(f->showing, F_SETFL, O_NONBLOCK);
        do {
                while ((n = read(f->showing, bytes, sizeof bytes)) > 0)
                        received += (size_t) n;
                g_assert_true(settle(f));
        } while (!pump_is_drained(&f->pump));
        while ((n = read(f->showing, bytes, sizeof bytes)) > 0)
                received += (size_t) n;
        g_assert_cmpuint(received, ==, sent);
}

/* A reader that is gone is noticed, and the pump rests. */
FIXTURE_TEST(lost_output)
{
        fd_clear(&f->showing);
        g_assert_cmpint(write(f->far_end, "x", 1), ==, 1);
        g_assert_true(settle(f));
        g_assert_true(f->pump.has_lost_output);
}

/* Raw mode is undone completely, however often it was entered. */
TEST(raw_mode)
{
        autofd int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        struct termios before, within, after;
        RawMode mode = {0};

        g_assert_cmpint(master, >=, 0);
        g_assert_cmpint(unlockpt(master), ==, 0);
        autofd int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        g_assert_cmpint(terminal, >=, 0);
        g_assert_cmpint(tcgetattr(terminal, &before), ==, 0);
        raw_mode_enter(&mode, terminal);
        raw_mode_enter(&mode, terminal);
        tcgetattr(terminal, &within);
        g_assert_cmpuint(within.c_lflag & (ICANON | ECHO | ISIG), ==, 0);
        raw_mode_leave(&mode);
        raw_mode_leave(&mode);
        tcgetattr(terminal, &after);
        g_assert_cmpuint(after.c_lflag, ==, before.c_lflag);
        g_assert_cmpuint(after.c_iflag, ==, before.c_iflag);
        g_assert_cmpuint(after.c_oflag, ==, before.c_oflag);
        g_assert_cmpuint(after.c_cflag, ==, before.c_cflag);
}

int main(int argc, char **argv)
{
        struct sigaction ignore = {.sa_handler = SIG_IGN};

        sigaction(SIGPIPE, &ignore, NULL);
        return run_cases(argc, argv);
}
