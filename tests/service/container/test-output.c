/* The output of a container that is a pipe or a pseudo-terminal of the test's own. */

#include "service/container/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fds.h"
#include "tests/lib/loop.h"

typedef struct Fixture {
        Output *output;
        int theirs; /* the command's end: of a pipe, or the terminal's slave */
        unsigned fds_before;
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        int ends[2];

        loop_settle();
        f->fds_before = count_fds();
        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        f->output = output_new();
        output_set_source(f->output, ends[0], false);
        f->theirs = ends[1];
}

static int master = -1; /* of the last test that had a terminal */

static void set_up_terminal(Fixture *f, const void *unused)
{
        loop_settle();
        f->fds_before = count_fds();
        g_assert_cmpint(openpty(&master, &f->theirs, NULL, NULL, NULL), ==, 0);
        f->output = output_new();
        output_set_source(f->output, master, true);
}

/* Whatever was done, nothing is left: neither fd nor source. */
static void tear_down(Fixture *f, const void *unused)
{
        fd_close(f->theirs);
        output_free(f->output);
        for (int i = 0; i < 1000 && g_main_context_iteration(NULL, FALSE); i++)
                ;
        g_assert_cmpuint(count_fds(), ==, f->fds_before);
}

#define TERMINAL_TEST(name) FIXTURE_CASE(name, set_up_terminal, .rows = NULL)

/* Runs the loop until nothing is to be done. Bytes of a terminal are handed over by a worker of the
 * kernel's, which poll() of the terminal itself waits for. */
static void settle(void)
{
        struct pollfd terminal = {.fd = master, .events = POLLIN};
        int i = 0;

        do
                poll(&terminal, 1, 0);
        while (g_main_context_iteration(NULL, FALSE) && i++ < 100000);
}

static void put(int fd, const char *text)
{
        g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t) strlen(text));
}

/* As many bytes as are taken while the loop runs; stops when no more are. */
static size_t flood(Fixture *f, size_t wanted)
{
        char block[4096];
        size_t done = 0;

        memset(block, 'x', sizeof block);
        fcntl(f->theirs, F_SETFL, fcntl(f->theirs, F_GETFL) | O_NONBLOCK);
        while (done < wanted) {
                ssize_t n = write(f->theirs, block, MIN(sizeof block, wanted - done));
                if (n > 0) {
                        done += (size_t) n;
                        continue;
                }
                uint64_t before = output_log_end(output_log(f->output));
                settle();
                if (output_log_end(output_log(f->output)) == before)
                        break;
        }
        settle();
        return done;
}

static int attach(Fixture *f, uint64_t offset, bool follow, bool writes)
{
        g_autoptr(GError) error = NULL;
        int fd = -1;
        const OutputReader how = {
                .offset = offset, .follow = follow, .writes = writes, .holds = writes};

        g_assert_true(output_attach(f->output, &how, &fd, &error));
        g_assert_no_error(error);
        g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
        return fd;
}

/* What is there for a reader now; "…|" at the end if that is the end of the stream. */
static char *get(int fd)
{
        GString *text = g_string_new(NULL);
        char buffer[65536];

        for (;;) {
                settle();
                ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
                if (n <= 0) {
                        if (n == 0)
                                g_string_append_c(text, '|');
                        return g_string_free(text, FALSE);
                }
                g_string_append_len(text, buffer, n);
        }
}

static void assert_gets(int fd, const char *expected)
{
        g_autofree char *text = get(fd);

        g_assert_cmpstr(text, ==, expected);
}

static void assert_log(Fixture *f, const char *expected)
{
        uint64_t offset = 0;
        uint8_t buffer[4096];
        size_t n = output_log_read(output_log(f->output), &offset, buffer, sizeof buffer);

        g_assert_cmpmem(buffer, n, expected, strlen(expected));
}

/* What the command writes to its pipe is in the log, with nobody attached. */
FIXTURE_TEST(log)
{
        put(f->theirs, "one\n");
        settle();
        put(f->theirs, "two\n");
        settle();
        assert_log(f, "one\ntwo\n");
        g_assert_false(output_is_terminal(f->output));
}

/* A command that writes without end is never blocked by a log that nobody reads. */
FIXTURE_TEST(never_blocks)
{
        g_assert_cmpuint(flood(f, 3 * LOG_BYTES_MAX), ==, 3 * LOG_BYTES_MAX);
        g_assert_cmpuint(output_log_end(output_log(f->output)), ==, 3 * LOG_BYTES_MAX);
        g_assert_cmpuint(output_log_start(output_log(f->output)), ==, 2 * LOG_BYTES_MAX);
}

/* A command that closes its output has not ended: nobody is told, and the loop has nothing to do.
 */
FIXTURE_TEST(pipe_closed)
{
        autofd int reader = attach(f, 0, true, false);

        put(f->theirs, "bye");
        fd_clear(&f->theirs);
        settle();
        assert_gets(reader, "bye");
        g_assert_false(g_main_context_pending(NULL));
}

/* A reader gets what there is from its offset on, then what comes, then the end with the command's.
 */
FIXTURE_TEST(follow)
{
        put(f->theirs, "abc");
        settle();
        autofd int reader = attach(f, 1, true, false);
        assert_gets(reader, "bc");
        put(f->theirs, "def");
        assert_gets(reader, "def");
        output_finish(f->output);
        assert_gets(reader, "|");
}

/* In packets each piece has its offset, also behind what is kept no longer; an offset alone is the
 * end. */
FIXTURE_TEST(packets)
{
        g_autoptr(GError) error = NULL;
        const OutputReader how = {.offset = 1, .follow = true, .packets = true};
        struct {
                uint64_t offset;
                char bytes[65536];
        } packet;
        autofd int reader = -1;

        put(f->theirs, "abc");
        settle();
        g_assert_true(output_attach(f->output, &how, &reader, &error));
        g_assert_cmpint(recv(reader, &packet, sizeof packet, MSG_DONTWAIT), ==, 8 + 2);
        g_assert_cmpuint(packet.offset, ==, 1);
        g_assert_cmpmem(packet.bytes, 2, "bc", 2);
        /* the reader takes nothing, and the log turns over */
        g_assert_cmpuint(flood(f, 4 * LOG_BYTES_MAX), ==, 4 * LOG_BYTES_MAX);
        output_finish(f->output);
        uint64_t expected = 3, missed = 0, got = 0;
        for (ssize_t n; (n = recv(reader, &packet, sizeof packet, MSG_DONTWAIT)) > 0; settle()) {
                g_assert_cmpuint(packet.offset, >=, expected);
                missed += packet.offset - expected;
                got += (uint64_t) n - 8;
                expected = packet.offset + (uint64_t) n - 8;
        }
        g_assert_cmpuint(packet.offset, ==, 3 + 4 * LOG_BYTES_MAX);
        g_assert_cmpuint(missed, >, 0);
        g_assert_cmpuint(got + missed, ==, 4 * LOG_BYTES_MAX);
}

/* When the service ends before the command, no packet says that this is the end. */
FIXTURE_TEST(packets_cut)
{
        g_autoptr(GError) error = NULL;
        const OutputReader how = {.follow = true, .packets = true};
        char packet[64];
        autofd int reader = -1;

        g_assert_true(output_attach(f->output, &how, &reader, &error));
        put(f->theirs, "abc");
        output_release(f->output);
        g_assert_cmpint(recv(reader, packet, sizeof packet, MSG_DONTWAIT), ==, 8 + 3);
        g_assert_cmpint(recv(reader, packet, sizeof packet, MSG_DONTWAIT), ==, 0);
}

/* A reader that holds is never farther behind than what is kept: the command waits. */
FIXTURE_TEST(hold)
{
        g_autoptr(GError) error = NULL;
        const OutputReader how = {.follow = true, .holds = true};
        autofd int reader = -1;

        g_assert_true(output_attach(f->output, &how, &reader, &error));
        size_t written = flood(f, 4 * LOG_BYTES_MAX);
        g_assert_cmpuint(written, <, 4 * LOG_BYTES_MAX);
        g_assert_cmpuint(output_log_start(output_log(f->output)), <=, written);
        size_t got = 0;
        for (g_autofree char *text = get(reader); *text; g_free(text), text = get(reader))
                got += strlen(text);
        g_assert_cmpuint(got, ==, written);
}

/* A reader that does not follow gets what there is now, and the end, whatever comes meanwhile. */
FIXTURE_TEST(no_follow_fast)
{
        g_assert_cmpuint(flood(f, LOG_BYTES_MAX), ==, LOG_BYTES_MAX);
        autofd int reader = attach(f, LOG_BYTES_MAX - 100000, false, false);

        g_assert_cmpuint(flood(f, 100000), ==, 100000);
        g_autofree char *text = get(reader);
        g_assert_cmpuint(strlen(text), ==, 100000 + 1);
}

/* A reader that does not follow gets what there is now, and the end. */
FIXTURE_TEST(no_follow)
{
        put(f->theirs, "abc");
        settle();
        autofd int reader = attach(f, 0, false, false);
        put(f->theirs, "def");
        assert_gets(reader, "abc|");
}

/* An offset in the future is no error: its reader waits, and holds nobody back. */
FIXTURE_TEST(offset_beyond)
{
        autofd int watcher = attach(f, 5, true, false);

        put(f->theirs, "abc");
        assert_gets(watcher, "");
        put(f->theirs, "defg");
        assert_gets(watcher, "fg");
}

/* A watcher that does not read loses the oldest bytes, not the newest, and blocks nobody. */
FIXTURE_TEST(slow_watcher)
{
        autofd int reader = attach(f, 0, true, false);

        g_assert_cmpuint(flood(f, 4 * LOG_BYTES_MAX), ==, 4 * LOG_BYTES_MAX);
        put(f->theirs, "the newest");
        settle();
        g_autofree char *text = get(reader);
        size_t length = strlen(text);
        g_assert_true(g_str_has_suffix(text, "the newest"));
        g_assert_cmpuint(length, >=, LOG_BYTES_MAX);
        g_assert_cmpuint(length, <, 4 * LOG_BYTES_MAX);
}

/* Two readers each get everything, at their own pace. */
FIXTURE_TEST(two_readers)
{
        autofd int one = attach(f, 0, true, false);

        put(f->theirs, "abc");
        assert_gets(one, "abc");
        autofd int other = attach(f, 0, true, false);
        put(f->theirs, "def");
        assert_gets(other, "abcdef");
        assert_gets(one, "def");
}

/* ATTACHMENTS_MAX readers are taken, one more is LimitsExceeded, and one that left makes room. */
FIXTURE_TEST(many_readers)
{
        int fds[ATTACHMENTS_MAX], fd = -7;
        const OutputReader how = {.follow = true};
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i < ATTACHMENTS_MAX; i++)
                fds[i] = attach(f, 0, true, false);
        g_assert_false(output_attach(f->output, &how, &fd, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_LIMITS_EXCEEDED);
        g_assert_cmpint(fd, ==, -7);
        fd_clear(&fds[3]);
        settle();
        fds[3] = attach(f, 0, true, false);
        for (unsigned i = 0; i < ATTACHMENTS_MAX; i++)
                fd_clear(&fds[i]);
}

/* A reader that has gone is forgotten at once, though the command is silent. */
FIXTURE_TEST(reader_gone)
{
        unsigned before = count_fds();
        int watcher = attach(f, 0, true, false), writer = attach(f, 0, true, true);

        g_assert_cmpuint(count_fds(), ==, before + 4);
        fd_clear(&watcher);
        fd_clear(&writer);
        settle();
        g_assert_cmpuint(count_fds(), ==, before);
}

/* A reader that goes while it is behind is forgotten too. */
FIXTURE_TEST(reader_gone_behind)
{
        unsigned before = count_fds();
        int reader = attach(f, 0, true, false);

        flood(f, 2 * LOG_BYTES_MAX);
        fd_clear(&reader);
        settle();
        g_assert_cmpuint(count_fds(), ==, before);
}

/* A mere watcher cannot write. */
FIXTURE_TEST(watcher_cannot_write)
{
        autofd int reader = attach(f, 0, true, false);

        g_assert_cmpint(send(reader, "x", 1, MSG_NOSIGNAL), <, 0);
        g_assert_cmpint(errno, ==, EPIPE);
}

/* At the command's end what is still in the pipe is taken. */
FIXTURE_TEST(finish_drains)
{
        autofd int reader = attach(f, 0, true, false);

        put(f->theirs, "last words");
        output_finish(f->output); /* the loop has not run in between */
        assert_log(f, "last words");
        assert_gets(reader, "last words|");
        output_finish(f->output); /* twice is once */
}

/* Somebody outside who still holds the pipe and writes without end does not hold up the end. */
TEST(finish_bounded)
{
        g_autoptr(Output) output = output_new();

        output_set_source(output, open("/dev/zero", O_RDONLY | O_CLOEXEC), false);
        output_finish(output);
        g_assert_cmpuint(output_log_end(output_log(output)), >=, LOG_BYTES_MAX);
        g_assert_cmpuint(output_log_end(output_log(output)), <, 64 * LOG_BYTES_MAX);
}

/* Who attaches after the end gets the log and its end, following or not. */
FIXTURE_TEST(attach_after_end)
{
        put(f->theirs, "done\n");
        output_finish(f->output);
        for (int follow = 0; follow < 2; follow++) {
                autofd int reader = attach(f, 0, follow, false);
                assert_gets(reader, "done\n|");
        }
}

/* A reader that is behind when the container is forgotten still gets all of it; then nothing is
 * left. */
FIXTURE_TEST(free_lingers)
{
        autofd int reader = attach(f, 0, true, false);

        flood(f, LOG_BYTES_MAX);
        fd_clear(&f->theirs);
        output_free(g_steal_pointer(&f->output));
        g_autofree char *text = get(reader);
        g_assert_cmpuint(strlen(text), ==, LOG_BYTES_MAX + 1);
        g_assert_true(g_str_has_suffix(text, "x|"));
}

/* A reader that is behind then and leaves lets the rest go at once. */
FIXTURE_TEST(free_reader_leaves)
{
        int reader = attach(f, 0, true, false);

        flood(f, LOG_BYTES_MAX);
        fd_clear(&f->theirs);
        output_free(g_steal_pointer(&f->output));
        fd_clear(&reader);
        settle();
        g_assert_cmpuint(count_fds(), ==, f->fds_before);
}

/* NULL is fine, and one that never had a source. */
TEST(free_nothing)
{
        output_free(NULL);
        output_free(output_new());
}

/* -- terminals -- */

/* What is typed reaches the command, and its terminal's echo reaches the typist. */
TERMINAL_TEST(echo)
{
        autofd int person = attach(f, 0, true, true);
        char line[64];

        g_assert_true(output_is_terminal(f->output));
        put(person, "hello\n");
        settle();
        g_assert_cmpint(read(f->theirs, line, sizeof line), ==, 6);
        g_assert_cmpmem(line, 6, "hello\n", 6);
        assert_gets(person, "hello\r\n");
        put(f->theirs, "world\n");
        assert_gets(person, "world\r\n");
}

/* A new size reaches the terminal. */
TERMINAL_TEST(resize)
{
        g_autoptr(GError) error = NULL;
        struct winsize size = {0};

        g_assert_true(output_resize(f->output, 33, 111, &error));
        g_assert_cmpint(ioctl(f->theirs, TIOCGWINSZ, &size), ==, 0);
        g_assert_cmpint(size.ws_row, ==, 33);
        g_assert_cmpint(size.ws_col, ==, 111);
}

/* A pipe has no size, and neither has a terminal that is gone. */
static void assert_no_size(Fixture *f)
{
        g_autoptr(GError) error = NULL;

        output_finish(f->output);
        g_assert_false(output_resize(f->output, 1, 1, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NO_TERMINAL);
}

FIXTURE_TEST(resize_pipe)
{
        assert_no_size(f);
}

TERMINAL_TEST(resize_after_end)
{
        assert_no_size(f);
}

/* A person at the terminal who does not read stops the command's output, as a terminal does, and
 * gets every byte of it afterwards. */
TERMINAL_TEST(writer_holds_back)
{
        autofd int person = attach(f, 0, true, true);
        size_t taken = flood(f, 8 * LOG_BYTES_MAX);

        g_assert_cmpuint(taken, <, 8 * LOG_BYTES_MAX);
        size_t got = 0;
        for (int rounds = 0; rounds < 100 && got < 8 * LOG_BYTES_MAX; rounds++) {
                g_autofree char *text = get(person);
                got += strlen(text);
                taken += taken < 8 * LOG_BYTES_MAX ? flood(f, 8 * LOG_BYTES_MAX - taken) : 0;
        }
        g_assert_cmpuint(got, ==, 8 * LOG_BYTES_MAX);
}

/* When the person who held it back leaves, the command goes on. */
TERMINAL_TEST(holder_leaves)
{
        int person = attach(f, 0, true, true);
        size_t taken = flood(f, 8 * LOG_BYTES_MAX);

        g_assert_cmpuint(taken, <, 8 * LOG_BYTES_MAX);
        fd_clear(&person);
        settle();
        g_assert_cmpuint(flood(f, 8 * LOG_BYTES_MAX - taken), ==, 8 * LOG_BYTES_MAX - taken);
}

/* A person who attaches to what is to come, at an offset beyond, does not hold back what is now. */
TERMINAL_TEST(writer_beyond)
{
        autofd int person = attach(f, 1000, true, true);

        put(f->theirs, "abc");
        settle();
        put(f->theirs, "def");
        settle();
        assert_log(f, "abcdef");
        assert_gets(person, "");
}

/* What is typed while the command does not read waits, does not get lost, and arrives in its order.
 */
TERMINAL_TEST(typed_ahead)
{
        autofd int person = attach(f, 0, true, true);
        struct termios raw;
        char block[1000], got[1000];
        size_t sent = 0, received = 0;

        tcgetattr(f->theirs, &raw);
        cfmakeraw(&raw);
        tcsetattr(f->theirs, TCSANOW, &raw);
        fcntl(person, F_SETFL, O_NONBLOCK);
        fcntl(f->theirs, F_SETFL, fcntl(f->theirs, F_GETFL) | O_NONBLOCK);
        for (bool full = false; !full;) {
                for (size_t i = 0; i < sizeof block; i++)
                        block[i] = (char) ('a' + (sent + i) % 23);
                ssize_t n = write(person, block, sizeof block);
                if (n > 0)
                        sent += (size_t) n;
                settle();
                full = n < 0;
        }
        g_assert_cmpuint(sent, >, 4096);
        for (int idle = 0; idle < 200 && received < sent;) {
                ssize_t n = read(f->theirs, got, sizeof got);
                for (ssize_t i = 0; i < n; i++)
                        g_assert_cmpint(got[i], ==, 'a' + (int) ((received + (size_t) i) % 23));
                received += n > 0 ? (size_t) n : 0;
                idle = n > 0 ? 0 : idle + 1;
                settle();
                if (n <= 0)
                        g_usleep(1000);
        }
        g_assert_cmpuint(received, ==, sent);
}

/* A terminal that nobody inside has open for a while is not the end: somebody may open it again. */
TERMINAL_TEST(reopened)
{
        char name[64];
        autofd int person = attach(f, 0, true, true);

        g_assert_cmpint(ttyname_r(f->theirs, name, sizeof name), ==, 0);
        put(f->theirs, "one");
        settle();
        fd_clear(&f->theirs);
        settle();
        g_assert_false(g_main_context_pending(NULL)); /* no spinning meanwhile */
        f->theirs = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        g_assert_cmpint(f->theirs, >=, 0);
        put(f->theirs, "two");
        for (int i = 0; i < 100 && output_log_end(output_log(f->output)) < 6; i++) {
                settle();
                g_usleep(10000);
        }
        assert_gets(person, "onetwo");
        put(person, "typed\n");
        settle();
        char line[64];
        g_assert_cmpint(read(f->theirs, line, sizeof line), ==, 6);
}
