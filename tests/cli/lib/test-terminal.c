#include "cli/lib/terminal.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "tests/lib/case.h"

/* A pump between two pipes and a socket; the test holds the other ends. */
typedef struct {
        Pump pump;
        int typing;  /* what the user types */
        int showing; /* what the user sees */
        int far_end; /* the container's side */
} Bench;

static void bench_init(Bench *bench)
{
        int in[2], out[2], ends[2];

        g_assert_cmpint(pipe2(in, O_CLOEXEC), ==, 0);
        g_assert_cmpint(pipe2(out, O_CLOEXEC), ==, 0);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        pump_init(&bench->pump, in[0], out[1], ends[0]);
        close(in[0]);
        close(out[1]);
        bench->typing = in[1];
        bench->showing = out[0];
        bench->far_end = ends[1];
}

static void bench_clear(Bench *bench)
{
        pump_clear(&bench->pump);
        fd_clear(&bench->typing);
        fd_clear(&bench->showing);
        fd_clear(&bench->far_end);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Bench, bench_clear)

/* Lets the pump work until it has nothing to do; false if it never rests. */
static bool settle(Bench *bench)
{
        struct pollfd fds[PUMP_FDS];

        for (unsigned i = 0; i < 1000; i++) {
                pump_prepare(&bench->pump, fds);
                if (poll(fds, PUMP_FDS, 0) == 0)
                        return true;
                pump_dispatch(&bench->pump, fds);
        }
        return false;
}

static void type(Bench *bench, const char *keys)
{
        g_assert_cmpint(write(bench->typing, keys, strlen(keys)), ==, (gssize) strlen(keys));
        g_assert_true(settle(bench));
}

static void assert_received(Bench *bench, const char *expected)
{
        char data[256];
        ssize_t n = recv(bench->far_end, data, sizeof data, MSG_DONTWAIT);

        g_assert_cmpmem(data, MAX(n, 0), expected, strlen(expected));
}

/* Bytes pass both ways, zeros and detach keys among them when those are not wanted. */
TEST(both_ways)
{
        g_auto(Bench) bench;
        char data[16];

        bench_init(&bench);
        type(&bench, "a\x10\x11z");
        assert_received(&bench, "a\x10\x11z");
        g_assert_false(bench.pump.has_detached);
        g_assert_cmpint(write(bench.far_end, "\0\xff", 2), ==, 2);
        g_assert_true(settle(&bench));
        g_assert_cmpint(read(bench.showing, data, sizeof data), ==, 2);
        g_assert_cmpmem(data, 2, "\0\xff", 2);
}

/* Ctrl-P Ctrl-Q detaches, in one read or in two; what came before it still arrives. */
TEST(detach)
{
        static const char *const lines[][2] = {{"x\x10\x11y", NULL}, {"x\x10", "\x11"}};

        for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
                g_auto(Bench) bench;

                bench_init(&bench);
                bench.pump.has_detach_keys = true;
                type(&bench, lines[i][0]);
                if (lines[i][1])
                        type(&bench, lines[i][1]);
                g_assert_true(bench.pump.has_detached);
                assert_received(&bench, "x");
        }
}

/* A Ctrl-P that something else follows is typed after all, twice where it was. */
TEST(not_detach)
{
        g_auto(Bench) bench;

        bench_init(&bench);
        bench.pump.has_detach_keys = true;
        type(&bench, "\x10");
        assert_received(&bench, "");
        type(&bench, "a\x10\x10"
                     "b\x11");
        assert_received(&bench, "\x10"
                                "a\x10\x10"
                                "b\x11");
        g_assert_false(bench.pump.has_detached);
}

/* The end of a pipe becomes a Ctrl-D where that is wanted, once, and then the pump rests. */
TEST(end_of_input)
{
        for (int wanted = 0; wanted < 2; wanted++) {
                g_auto(Bench) bench;

                bench_init(&bench);
                bench.pump.sends_eof = wanted;
                type(&bench, "end");
                fd_clear(&bench.typing);
                g_assert_true(settle(&bench));
                assert_received(&bench, wanted ? "end\x04" : "end");
                g_assert_false(bench.pump.has_hung_up);
        }
}

/* While paused nothing is read, so it stays with whoever reads our input after us. */
TEST(pause)
{
        g_auto(Bench) bench;

        bench_init(&bench);
        bench.pump.is_paused = true;
        type(&bench, "later");
        assert_received(&bench, "");
        bench.pump.is_paused = false;
        g_assert_true(settle(&bench));
        assert_received(&bench, "later");
}

/* What the container wrote last comes out although it is gone, and only then the pump is drained.
 */
TEST(last_words)
{
        g_auto(Bench) bench;
        char data[16];

        bench_init(&bench);
        g_assert_cmpint(write(bench.far_end, "bye", 3), ==, 3);
        fd_clear(&bench.far_end);
        g_assert_false(pump_is_drained(&bench.pump));
        g_assert_true(settle(&bench));
        g_assert_true(pump_is_drained(&bench.pump));
        g_assert_cmpint(read(bench.showing, data, sizeof data), ==, 3);
}

/* A reader that stops reading stops the pump without blocking it; nothing is lost when it goes on.
 */
TEST(slow_reader)
{
        g_auto(Bench) bench;
        size_t sent = 0, received = 0;
        char data[4096];
        ssize_t n;

        bench_init(&bench);
        memset(data, 'x', sizeof data);
        while ((n = send(bench.far_end, data, sizeof data, MSG_DONTWAIT)) > 0) {
                sent += (size_t) n;
                g_assert_true(settle(&bench));
        }
        g_assert_true(pump_has_output(&bench.pump));
        fd_clear(&bench.far_end);
        fcntl(bench.showing, F_SETFL, O_NONBLOCK);
        do {
                while ((n = read(bench.showing, data, sizeof data)) > 0)
                        received += (size_t) n;
                g_assert_true(settle(&bench));
        } while (!pump_is_drained(&bench.pump));
        while ((n = read(bench.showing, data, sizeof data)) > 0)
                received += (size_t) n;
        g_assert_cmpuint(received, ==, sent);
}

/* A reader that is gone is noticed, and the pump rests. */
TEST(lost_output)
{
        g_auto(Bench) bench;

        bench_init(&bench);
        fd_clear(&bench.showing);
        g_assert_cmpint(write(bench.far_end, "x", 1), ==, 1);
        g_assert_true(settle(&bench));
        g_assert_true(bench.pump.has_lost_output);
}

/* Raw mode is undone completely, however often it was entered. */
TEST(raw_mode)
{
        autofd int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        struct termios before, within, after;
        RawMode mode = {0};

        g_assert_cmpint(master, >=, 0);
        g_assert_cmpint(tcgetattr(master, &before), ==, 0);
        raw_mode_enter(&mode, master);
        raw_mode_enter(&mode, master);
        tcgetattr(master, &within);
        g_assert_cmpuint(within.c_lflag & (ICANON | ECHO | ISIG), ==, 0);
        raw_mode_leave(&mode);
        raw_mode_leave(&mode);
        tcgetattr(master, &after);
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
