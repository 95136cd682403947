#include "cli/lib/values.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/util/size.h"
#include "tests/lib/case.h"

/* Sizes are decimal, with suffixes of 1024, and words for "no limit". */
TEST(size)
{
        static const struct {
                const char *text;
                uint64_t size;
        } good[] = {
                {"0", 0},
                {"1", 1},
                {"10485760", 10485760},
                {"10K", 10240},
                {"10k", 10240},
                {"10M", 10485760},
                {"1G", UINT64_C(1) << 30},
                {"2T", UINT64_C(2) << 40},
                {"007", 7},
                {"infinity", UINT64_MAX},
                {"max", UINT64_MAX},
                {"18446744073709551615", UINT64_MAX},
                {"16777215T", UINT64_C(16777215) << 40},
                {"64b", 64},
                {"64kb", 65536},
                {"64mb", 64 << 20},
                {"64MB", 64 << 20},
                {"64MiB", 64 << 20},
                {"64mib", 64 << 20},
                {"0.5g", 512 << 20},
                {"1.5G", UINT64_C(3) << 29},
                {"0.1k", 102},
                {"2.0M", 2 << 20},
                {"1P", UINT64_C(1) << 50},
                {"15E", UINT64_C(15) << 60},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
                uint64_t size = 42;
                g_test_message("%s", good[i].text);
                g_assert_true(size_parse(good[i].text, &size));
                g_assert_cmpuint(size, ==, good[i].size);
        }
}

/* What is no size is refused, overflow too, and leaves the result alone. */
TEST(bad_size)
{
        static const char *const bad[] = {
                "",
                "K",
                "-1",
                "+1",
                " 1",
                "1 ",
                "1KK",
                "1Q",
                "1.5",
                "1.5b",
                ".5G",
                "1.G",
                "1.5.5G",
                "1ib",
                "1i",
                "1KBb",
                "b",
                "16E",
                "0x10",
                "1e3",
                "Infinity",
                "max1",
                "18446744073709551616",
                "16777216T",
                "1\n",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
                uint64_t size = 42;
                g_test_message("'%s'", bad[i]);
                g_assert_false(size_parse(bad[i], &size));
                g_assert_cmpuint(size, ==, 42);
        }
}

/* Numbers keep to their bounds. */
TEST(number)
{
        uint64_t n = 0;

        g_assert_true(value_parse_number("3", 3, 255, &n));
        g_assert_true(value_parse_number("255", 3, 255, &n));
        g_assert_cmpuint(n, ==, 255);
        g_assert_false(value_parse_number("2", 3, 255, &n));
        g_assert_false(value_parse_number("256", 3, 255, &n));
        g_assert_false(value_parse_number("4K", 3, 255000, &n));
        g_assert_false(value_parse_number("", 0, 255, &n));
        g_assert_cmpuint(n, ==, 255);
}

/* All of systemd's words for yes and no, in any case, and no others. */
TEST(truth)
{
        static const char *const yes[] = {"yes", "YES", "true", "1", "on", "y", "t"};
        static const char *const no[] = {"no", "No", "false", "0", "off", "n", "f"};
        static const char *const neither[] = {"", "2", "ja", "yes ", "tru"};
        bool truth;

        for (unsigned i = 0; i < G_N_ELEMENTS(yes); i++) {
                truth = false;
                g_assert_true(value_parse_bool(yes[i], &truth));
                g_assert_true(truth);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(no); i++) {
                truth = true;
                g_assert_true(value_parse_bool(no[i], &truth));
                g_assert_false(truth);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(neither); i++)
                g_assert_false(value_parse_bool(neither[i], &truth));
}

/* Seconds with a fraction; no signs, no exponents, nothing beyond reason. */
TEST(seconds)
{
        static const char *const bad[] = {"",      ".",
                                          "-1",    "1e9",
                                          "inf",   "nan",
                                          "0x1",   "1x",
                                          "1.2.3", "99999999999999",
                                          "s",     "1 minutes ago",
                                          "-5s",   "5s,"};
        uint64_t usec = 42;

        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
                g_assert_false(value_parse_seconds(bad[i], &usec));
        g_assert_cmpuint(usec, ==, 42);
        g_assert_true(value_parse_seconds("0", &usec));
        g_assert_cmpuint(usec, ==, 0);
        g_assert_true(value_parse_seconds("1.5", &usec));
        g_assert_cmpuint(usec, ==, 1500000);
        g_assert_true(value_parse_seconds("30", &usec));
        g_assert_cmpuint(usec, ==, 30000000);
}

/* Times as systemd.time(7) writes them. */
TEST(times)
{
        static const struct {
                const char *text;
                uint64_t usec;
        } good[] = {
                {"90s", 90000000},
                {"90 sec", 90000000},
                {"2min", 120000000},
                {"1m", 60000000},
                {"1min 30s", 90000000},
                {"1min30", 90000000},
                {"500ms", 500000},
                {"7us", 7},
                {"1.5h", UINT64_C(5400000000)},
                {"1d", UINT64_C(86400000000)},
                {"1 week", UINT64_C(604800000000)},
        };
        uint64_t usec = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
                g_test_message("%s", good[i].text);
                g_assert_true(value_parse_seconds(good[i].text, &usec));
                g_assert_cmpuint(usec, ==, good[i].usec);
        }
        g_assert_true(value_parse_seconds("infinity", &usec));
        g_assert_cmpuint(usec, >, UINT64_C(86400000000) * 365 * 999);
        g_assert_cmpuint(usec, <, UINT64_MAX);
}

/* Signals by name, with SIG or without, by number, and the realtime ones by distance. */
TEST(signal)
{
        static const char *const bad[] = {"",        "0",      "65",       "-9",
                                          "SIG",     "NOSUCH", "RTMIN+99", "RTMIN-1",
                                          "RTMAX+1", "RTMINx", "9x"};
        static const struct {
                const char *text;
                int signal;
        } good[] = {{"TERM", SIGTERM}, {"SIGTERM", SIGTERM}, {"sigkill", SIGKILL},
                    {"9", SIGKILL},    {"WINCH", SIGWINCH},  {"USR1", SIGUSR1},
                    {"64", 64},        {"term", SIGTERM},    {"SigTerm", SIGTERM},
                    {"IOT", SIGABRT},  {"CLD", SIGCHLD},     {"IO", SIGPOLL}};
        int signal = 42;

        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_test_message("'%s'", bad[i]);
                g_assert_false(value_parse_signal(bad[i], &signal));
        }
        g_assert_cmpint(signal, ==, 42);
        for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
                g_assert_true(value_parse_signal(good[i].text, &signal));
                g_assert_cmpint(signal, ==, good[i].signal);
        }
        g_assert_true(value_parse_signal("RTMIN+3", &signal));
        g_assert_cmpint(signal, ==, SIGRTMIN + 3);
        g_assert_true(value_parse_signal("SIGRTMAX-1", &signal));
        g_assert_cmpint(signal, ==, SIGRTMAX - 1);
        g_assert_true(value_parse_signal("sigrtmin+0", &signal));
        g_assert_cmpint(signal, ==, SIGRTMIN);
        g_assert_true(value_parse_signal("RTMAX", &signal));
        g_assert_cmpint(signal, ==, SIGRTMAX);
}

/* A path is made absolute and otherwise left as it is: links and dots are the service's to follow.
 */
TEST(absolute_path)
{
        g_autofree char *absolute = value_absolute_path("/a/../b/./c/");
        g_autofree char *relative = NULL, *nothing = NULL;

        g_assert_cmpstr(absolute, ==, "/a/../b/./c/");
        g_assert_cmpint(chdir("/usr"), ==, 0);
        relative = value_absolute_path("../x/");
        g_assert_cmpstr(relative, ==, "/usr/../x/");
        nothing = value_absolute_path("");
        g_assert_null(nothing);
        g_assert_cmpint(errno, ==, ENOENT);
}
