#include "cli/lean/status-lines.h"

#include <string.h>
#include <unistd.h>

#include "tests/lib/case.h"

#define RUNNING "{\"state\":\"running\",\"path\":\"/org/a\",\"id\":\"a\",\"pid\":42}\n"
#define STOPPED "{\"state\":\"stopped\",\"result\":\"exit-code\",\"code\":3,\"limit_hit\":\"\"}\n"

static void say(StatusLines *lines, int writer, const char *text, size_t length)
{
        g_assert_cmpint(write(writer, text, length), ==, length);
        status_lines_read(lines);
}

/* Lines come in any pieces, and with words that are not known. */
TEST(pieces)
{
        static const char text[] =
                "{\"state\":\"created\"}\n" RUNNING "{\"state\":\"new\"}\n" STOPPED;
        StatusLines lines;
        int writer;

        for (size_t size = 1; size < sizeof text; size++) {
                g_assert_true(status_lines_open(&lines, &writer));
                for (size_t at = 0; at < strlen(text); at += size)
                        say(&lines, writer, text + at, MIN(size, strlen(text) - at));
                g_assert_cmpstr(lines.path, ==, "/org/a");
                g_assert_cmpint(lines.pid, ==, 42);
                g_assert_cmpstr(lines.result, ==, "exit-code");
                g_assert_cmpint(lines.code, ==, 3);
                g_assert_cmpint(lines.fd, >=, 0);
                close(writer);
                status_lines_read(&lines);
                g_assert_cmpint(lines.fd, ==, -1);
        }
}

/* A line longer than any is the end, and a word that has no room is none. */
TEST(too_long)
{
        g_autofree char *word = g_strnfill(600, 'x');
        g_autofree char *line =
                g_strconcat("{\"state\":\"running\",\"path\":\"", word, "\"}", NULL);
        g_autofree char *endless = g_strnfill(5000, 'x');
        StatusLines lines;
        int writer;

        g_assert_true(status_lines_open(&lines, &writer));
        status_lines_take(&lines, line);
        g_assert_cmpstr(lines.path, ==, "");
        say(&lines, writer, endless, strlen(endless));
        status_lines_read(&lines);
        g_assert_cmpint(lines.fd, ==, -1);
        close(writer);
}
