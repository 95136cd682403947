/* The process that writes to what a user has passed as StatusFD, told by a service and by the one
 * after it. */

#include "service/container/status/teller.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "tests/lib/case.h"

typedef struct Fixture {
        pid_t pid;
        int socket;
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        int sockets[2];
        pid_t parent = getpid();

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), ==, 0);
        f->socket = sockets[0];
        f->pid = fork();
        if (f->pid == 0)
                teller_work(parent, sockets[1]);
        g_assert_cmpint(f->pid, >, 0);
        close(sockets[1]);
}

static void tear_down(Fixture *f, const void *unused)
{
        close(f->socket);
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
}

static void tell(const Fixture *f, TellerVerb verb, uint64_t number, const char *text)
{
        TellerOrder order = {.number = number, .verb = verb};

        g_strlcpy(order.text, text, sizeof order.text);
        g_assert_true(fd_send_all(f->socket, &order, offsetof(TellerOrder, text) + strlen(text),
                                  NULL, 0));
}

/* Passes a pipe, which has room for nothing more if it is `full`. The end to read is returned. */
static int pass_pipe(const Fixture *f, uint64_t number, bool watches, bool full)
{
        const TellerOrder order = {.number = number, .verb = TELLER_OPEN, .watches = watches};
        int ends[2];

        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        g_assert_cmpint(fcntl(ends[1], F_SETPIPE_SZ, 4096), >=, 4096);
        for (int left = full ? fcntl(ends[1], F_GETPIPE_SZ) / 4096 : 0; left > 0; left--) {
                char page[4096] = "";
                g_assert_cmpint(write(ends[1], page, sizeof page), ==, sizeof page);
        }
        g_assert_true(fd_send_all(f->socket, &order, offsetof(TellerOrder, text), &ends[1], 1));
        close(ends[1]);
        return ends[0];
}

/* All that comes until the teller has closed it, without what the pipe was filled with. */
static void assert_reads(int fd, const char *expected)
{
        g_autoptr(GString) text = g_string_new(NULL);
        char piece[4096];
        ssize_t n;

        while ((n = read(fd, piece, sizeof piece)) > 0)
                for (ssize_t i = 0; i < n; i++)
                        if (piece[i])
                                g_string_append_c(text, piece[i]);
        g_assert_cmpint(n, ==, 0);
        g_assert_cmpstr(text->str, ==, expected);
        close(fd);
}

/* What waits for room has said its last line: the same number is another's from then on. */
FIXTURE_TEST(number_again)
{
        int first = pass_pipe(f, 7, false, true);

        tell(f, TELLER_FINISH, 7, "last\n");
        int second = pass_pipe(f, 7, false, false);
        tell(f, TELLER_SAY, 7, "one\n");
        tell(f, TELLER_FINISH, 7, "two\n");
        assert_reads(second, "one\ntwo\n");
        assert_reads(first, "last\n");
}

/* And that nobody reads its last line is no news: it would be told of the other one. */
FIXTURE_TEST(reader_gone)
{
        uint64_t number;
        int first = pass_pipe(f, 7, true, true);

        tell(f, TELLER_FINISH, 7, "last\n");
        int second = pass_pipe(f, 7, true, false);
        tell(f, TELLER_SAY, 7, "one\n");
        g_assert_cmpint(read(second, &(char[4]){0}, 4), ==, 4); /* the teller has come so far */
        close(first);
        close(pass_pipe(f, 8, true, false));
        g_assert_cmpint(recv(f->socket, &number, sizeof number, 0), ==, sizeof number);
        g_assert_cmpuint(number, ==, 8);
        close(second);
}
