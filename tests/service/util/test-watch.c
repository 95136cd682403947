/* Fds that the main loop waits for: pipes and sockets of the test's own. */

#include "service/util/watch.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fds.h"

static bool turn(void)
{
        return g_main_context_iteration(NULL, FALSE);
}

static void turns(void)
{
        for (unsigned i = 0; i < 20; i++)
                turn();
}

/* What was called, and what it did with itself or with another. */
typedef struct Spy {
        Watch *watch, **ends;
        unsigned calls;
        int fd;
        GIOCondition condition;
        int reused; /* the number that another fd is to have from then on */
        struct Spy *starts;
} Spy;

static void on_call(int fd, GIOCondition condition, void *data)
{
        Spy *spy = data;

        spy->calls++;
        spy->fd = fd;
        spy->condition = condition;
        if (spy->ends)
                watch_clear(spy->ends);
        if (spy->starts) {
                int silent = eventfd(0, EFD_CLOEXEC);
                g_assert_cmpint(dup2(silent, spy->reused), ==, spy->reused);
                close(silent);
                spy->starts->watch = watch_new(spy->reused, G_IO_IN, on_call, spy->starts);
                spy->starts = NULL;
        }
}

static int ready(void)
{
        return eventfd(1, EFD_CLOEXEC);
}

/* A watch is called with its fd while there is something, and no longer. */
TEST(called_while_ready)
{
        autofd int fd = ready();
        Spy spy = {.fd = -1};
        uint64_t value;

        spy.watch = watch_new(fd, G_IO_IN, on_call, &spy);
        turn();
        turn();
        g_assert_cmpuint(spy.calls, ==, 2);
        g_assert_cmpint(spy.fd, ==, fd);
        g_assert_cmpint(spy.condition, ==, G_IO_IN);
        g_assert_cmpint(read(fd, &value, sizeof value), ==, sizeof value);
        turns();
        g_assert_cmpuint(spy.calls, ==, 2);
        watch_clear(&spy.watch);
        g_assert_null(spy.watch);
        watch_clear(&spy.watch);
}

/* A hang-up comes without being asked for. */
TEST(hang_up)
{
        Spy spy = {0};
        int ends[2];

        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        spy.watch = watch_new(ends[0], G_IO_IN, on_call, &spy);
        turns();
        g_assert_cmpuint(spy.calls, ==, 0);
        close(ends[1]);
        turn();
        g_assert_cmpuint(spy.calls, ==, 1);
        g_assert_cmpint(spy.condition, ==, G_IO_HUP);
        watch_clear(&spy.watch);
        close(ends[0]);
}

/* An event of POLLPRI, as memory.events has them: out-of-band data. */
TEST(priority_data)
{
        Spy spy = {0};
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
            send(ends[1], "x", 1, MSG_OOB) != 1) {
                g_test_skip("no out-of-band data here");
                return;
        }
        spy.watch = watch_new(ends[0], G_IO_PRI, on_call, &spy);
        turn();
        g_assert_cmpuint(spy.calls, ==, 1);
        g_assert_cmpint(spy.condition & (G_IO_IN | G_IO_PRI), ==, G_IO_PRI);
        watch_clear(&spy.watch);
        close(ends[0]);
        close(ends[1]);
}

/* One that ends itself is not called again. */
TEST(ends_itself)
{
        autofd int fd = ready();
        Spy spy = {.ends = &spy.watch};

        spy.watch = watch_new(fd, G_IO_IN, on_call, &spy);
        turns();
        g_assert_cmpuint(spy.calls, ==, 1);
}

/* Of two that are ready and end each other only one is called. */
TEST(ends_another)
{
        autofd int one_fd = ready(), other_fd = ready();
        Spy one = {0}, other = {.ends = &one.watch};

        one.ends = &other.watch;
        one.watch = watch_new(one_fd, G_IO_IN, on_call, &one);
        other.watch = watch_new(other_fd, G_IO_IN, on_call, &other);
        turn();
        g_assert_cmpuint(one.calls + other.calls, ==, 1);
        one.ends = other.ends = NULL;
        turns();
        g_assert_true(one.calls == 0 || other.calls == 0);
        watch_clear(&one.watch);
        watch_clear(&other.watch);
}

/* Of a watch that is ended in a callback, and its number given to another, no event is left for
 * that. */
TEST(no_stale_event)
{
        autofd int first_fd = ready();
        int second_fd = ready();
        Spy first = {0}, second = {0}, silent = {0};

        first.watch = watch_new(first_fd, G_IO_IN, on_call, &first);
        second.watch = watch_new(second_fd, G_IO_IN, on_call, &second);
        first.ends = &second.watch;
        first.reused = second_fd;
        first.starts = &silent;
        do
                turn();
        while (first.calls == 0);
        unsigned calls = second.calls;
        turns();
        g_assert_cmpuint(second.calls, ==, calls);
        g_assert_cmpuint(silent.calls, ==, 0);
        g_assert_cmpint(eventfd_write(second_fd, 1), ==, 0);
        turns();
        g_assert_cmpuint(silent.calls, >, 0);
        watch_clear(&first.watch);
        watch_clear(&silent.watch);
        close(second_fd);
}

/* What is always ready keeps no other from being called. */
TEST(fair)
{
        enum { N = 8 };
        Spy spies[N] = {{0}};
        int fds[N];

        for (unsigned i = 0; i < N; i++) {
                fds[i] = ready();
                spies[i].watch = watch_new(fds[i], G_IO_IN, on_call, &spies[i]);
        }
        for (unsigned i = 0; i < 3 * N; i++)
                turn();
        for (unsigned i = 0; i < N; i++) {
                g_assert_cmpuint(spies[i].calls, ==, 3);
                watch_clear(&spies[i].watch);
                close(fds[i]);
        }
}

/* A regular file, which epoll refuses, is always ready, as poll() has it. */
TEST(regular_file)
{
        g_autofree char *name = NULL;
        int fd = g_file_open_tmp(NULL, &name, NULL);
        Spy spy = {0};

        g_assert_cmpint(fd, >=, 0);
        unlink(name);
        spy.watch = watch_new(fd, G_IO_IN, on_call, &spy);
        turn();
        g_assert_cmpuint(spy.calls, ==, 1);
        spy.ends = &spy.watch;
        turns();
        g_assert_cmpuint(spy.calls, ==, 2);
        g_assert_null(spy.watch);
        close(fd);
}

/* One fd can be watched for two things at once; either ends without the other. */
TEST(twice)
{
        Spy in = {0}, out = {0};
        int ends[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        in.watch = watch_new(ends[0], G_IO_IN, on_call, &in);
        out.watch = watch_new(ends[0], G_IO_OUT, on_call, &out);
        turns();
        g_assert_cmpuint(in.calls, ==, 0);
        g_assert_cmpuint(out.calls, >, 0);
        watch_clear(&in.watch);
        unsigned calls = out.calls;
        turns();
        g_assert_cmpuint(out.calls, >, calls);
        watch_clear(&out.watch);
        g_assert_cmpint(send(ends[1], "x", 1, 0), ==, 1);
        turns();
        g_assert_cmpuint(in.calls, ==, 0);
        close(ends[0]);
        close(ends[1]);
}

/* Nothing wakes the loop while nothing happens, however many are watched, and nothing is left when
 * the last has ended. */
TEST(idle_and_gone)
{
        enum { N = 500 };
        Spy spies[N] = {{0}};
        int fds[N];

        turns();
        unsigned before = count_fds();
        for (unsigned i = 0; i < N; i++) {
                fds[i] = eventfd(0, EFD_CLOEXEC);
                spies[i].watch = watch_new(fds[i], G_IO_IN, on_call, &spies[i]);
        }
        g_assert_false(turn());
        g_assert_cmpuint(count_fds(), ==, before + N + 1);
        g_assert_cmpint(eventfd_write(fds[N / 2], 1), ==, 0);
        g_assert_true(turn());
        for (unsigned i = 0; i < N; i++) {
                g_assert_cmpuint(spies[i].calls, ==, i == N / 2);
                watch_clear(&spies[i].watch);
                close(fds[i]);
        }
        g_assert_cmpuint(count_fds(), ==, before);
}

/* A file that is open elsewhere as well is not heard of once its watch has ended. */
TEST(kept_open)
{
        int fd = ready();
        G_GNUC_UNUSED autofd int elsewhere = dup(fd);
        Spy spy = {0};

        spy.watch = watch_new(fd, G_IO_IN, on_call, &spy);
        turn();
        watch_clear(&spy.watch);
        close(fd);
        turns();
        g_assert_cmpuint(spy.calls, ==, 1);
}

/* To close the number first is a mistake that cannot go on unseen. */
TEST(closed_too_early)
{
        if (g_test_subprocess()) {
                int fd = ready();
                Watch *watch = watch_new(fd, G_IO_IN, on_call, NULL);
                close(fd);
                watch_clear(&watch);
                return;
        }
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_failed();
        g_test_trap_assert_stderr("*was closed while it was watched*");
}

int main(int argc, char **argv)
{
        g_main_context_wakeup(NULL); /* makes the context's own fd, which stays */
        return run_cases(argc, argv);
}
