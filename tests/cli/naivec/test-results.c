/* What a client makes of a container's result, an error and a log. */

#include <string.h>

#include "cli/lib/session.h"
#include "cli/naivec/log-reader.h"
#include "dbus/names.h"
#include "tests/lib/case.h"

/* Every result of the interface has its exit status; an unknown one is a failure of ours. */
TEST(results)
{
        g_assert_cmpint(session_status_of("success", 0), ==, 0);
        g_assert_cmpint(session_status_of("exit-code", 1), ==, 1);
        g_assert_cmpint(session_status_of("exit-code", 255), ==, 255);
        g_assert_cmpint(session_status_of("signal", 15), ==, 143);
        g_assert_cmpint(session_status_of("core-dump", 11), ==, 139);
        g_assert_cmpint(session_status_of("oom-kill", 9), ==, 137);
        g_assert_cmpint(session_status_of("timeout", 9), ==, 137);
        g_assert_cmpint(session_status_of("setup-failed", 0), ==, 125);
        g_assert_cmpint(session_status_of("unknown", 0), ==, 125);
        g_assert_cmpint(session_status_of("", 0), ==, 125);
}

/* Errors about the command are told apart from all others. */
TEST(errors)
{
        g_assert_cmpint(session_status_of_error(ERROR_COMMAND_NOT_FOUND), ==, 127);
        g_assert_cmpint(session_status_of_error(ERROR_COMMAND_NOT_EXECUTABLE), ==, 126);
        g_assert_cmpint(session_status_of_error(ERROR_SETUP_FAILED), ==, 125);
        g_assert_cmpint(session_status_of_error(SD_BUS_ERROR_ACCESS_DENIED), ==, 125);
        g_assert_cmpint(session_status_of_error(NULL), ==, 125);
}

/* The last lines begin after a newline; a newline at the end closes a line and begins none. */
TEST(tail)
{
        static const struct {
                const char *text;
                uint64_t n;
                const char *tail;
        } rows[] = {
                {"a\nb\nc\n", 1, "c\n"},
                {"a\nb\nc", 1, "c"},
                {"a\nb\nc\n", 2, "b\nc\n"},
                {"a\nb\nc\n", 3, "a\nb\nc\n"},
                {"a\nb\n", 9, "a\nb\n"},
                {"a\nb\n", 0, ""},
                {"", 3, ""},
                {"\n\n\n", 2, "\n\n"},
                {"no newline", 1, "no newline"},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GString) text = g_string_new(rows[i].text);
                g_assert_cmpstr(text->str + log_tail_start(text, rows[i].n), ==, rows[i].tail);
        }
}
