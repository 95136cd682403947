#include "cli/lib/text.h"

#include <glib.h>
#include <string.h>

#include "tests/lib/case.h"

static void assert_escaped(const char *text, const char *expected)
{
        g_autofree char *escaped = text_escape(text);

        g_assert_cmpstr(escaped, ==, expected);
}

/* Nothing that drives a terminal, or breaks a line, gets through. */
TEST(controls)
{
        assert_escaped("plain text, ümläut, 漢字", "plain text, ümläut, 漢字");
        assert_escaped("\x1b[2J", "\\x1b[2J");
        assert_escaped("a\nb\rc\td\x7f", "a\\x0ab\\x0dc\\x09d\\x7f");
        /* C1 CSI, as U+009B and as a lone byte */
        assert_escaped("\xc2\x9b"
                       "2J",
                       "\\u009b2J");
        assert_escaped("\x9b"
                       "2J",
                       "\\x9b2J");
}

/* Neither does what reorders or hides text. */
TEST(direction_marks)
{
        assert_escaped("a\u202eb", "a\\u202eb");
        assert_escaped("a\u200bb\u2066c\ufeff", "a\\u200bb\\u2066c\\ufeff");
        assert_escaped("a\U000e0041", "a\\U000e0041");
}

/* Broken UTF-8 is shown byte by byte, whole characters around it as they are. */
TEST(broken_utf8)
{
        assert_escaped("ü\xc3", "ü\\xc3");
        assert_escaped("\xff\xfeok", "\\xff\\xfeok");
        assert_escaped("\xe2\x82", "\\xe2\\x82");
        assert_escaped("\xc0\xaf", "\\xc0\\xaf");
}

/* Output keeps its lines and tabs, and NUL bytes do not end it. */
TEST(lines)
{
        static const char bytes[] = "a\tb\n\0\x1bz\r\n";
        g_autofree char *escaped = text_escape_bytes(bytes, sizeof bytes - 1, true);

        g_assert_cmpstr(escaped, ==, "a\tb\n\\x00\\x1bz\\x0d\n");
}

/* Sizes are short where they are round, and never wrong by much. */
TEST(size)
{
        static const struct {
                uint64_t bytes;
                const char *text;
        } rows[] = {{0, "0B"},
                    {1023, "1023B"},
                    {1024, "1K"},
                    {10485760, "10M"},
                    {1536, "1.5K"},
                    {UINT64_MAX, "infinity"},
                    {UINT64_C(3) << 40, "3T"}};

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *text = text_size(rows[i].bytes);
                g_assert_cmpstr(text, ==, rows[i].text);
        }
}

/* Times come in words; "never" is a dash, and no number crashes it. */
TEST(time)
{
        g_autofree char *time = text_time(UINT64_C(1795449606364387));
        g_autofree char *never = text_time(0);
        g_autofree char *beyond = text_time(UINT64_MAX);

        g_assert_true(g_str_has_prefix(time, "Mon 2026-11-23 ") ||
                      g_str_has_prefix(time, "Tue 2026-11-24 "));
        g_assert_cmpstr(never, ==, "-");
        g_assert_nonnull(beyond);
}
