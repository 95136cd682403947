/* Figures in texts as the kernel writes them. */

#include "service/cgroup/stats.h"

#include "tests/lib/case.h"

typedef struct Row {
        const char *text, *line, *key;
        bool is_found;
        uint64_t value;
} Row;

static void check(const Row *row)
{
        uint64_t value = 4711;

        g_assert_cmpint(cgroup_parse_figure(row->text, row->line, row->key, &value), ==,
                        row->is_found);
        g_assert_cmpuint(value, ==, row->is_found ? row->value : 4711);
}

/* The text is the number. "max" is none. */
TEST(number)
{
        static const Row rows[] = {
                {"42\n", NULL, NULL, true, 42},
                {"18446744073709551615\n", NULL, NULL, true, UINT64_MAX},
                {"0", NULL, NULL, true, 0},
                {"max\n", NULL, NULL, false, 0},
                {"", NULL, NULL, false, 0},
                {"\n", NULL, NULL, false, 0},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                check(&rows[i]);
}

#define STAT "usage_usec 5\nuser_usec 3\nsystem_usec 2\n"

/* The number behind a name, which is a whole word at the beginning of a line. */
TEST(keyed)
{
        static const Row rows[] = {
                {STAT, NULL, "usage_usec", true, 5},
                {STAT, NULL, "system_usec", true, 2},
                {STAT, NULL, "usec", false, 0},
                {STAT, NULL, "user", false, 0},
                {STAT, NULL, "user_usec 3", false, 0},
                {"a b 7\n", NULL, "b", false, 0},
                {"oom_kill", NULL, "oom_kill", false, 0},
                {"oom_kill \n", NULL, "oom_kill", false, 0},
                {"oom_kill_x 1\noom_kill 2", NULL, "oom_kill", true, 2},
                {"", NULL, "usage_usec", false, 0},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                check(&rows[i]);
}

#define IO                                                                                         \
        "8:0 rbytes=10 wbytes=20 rios=1\n"                                                         \
        "8:16 rbytes=5 wbytes=0 rios=2\n"
#define PRESSURE                                                                                   \
        "some avg10=0.00 avg60=0.12 avg300=1.00 total=99\n"                                        \
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"

/* The sum over all lines, of which none is 0; or the number in one line, which has to be there. */
TEST(summed)
{
        static const Row rows[] = {
                {IO, NULL, "rbytes=", true, 15},       {IO, NULL, "wbytes=", true, 20},
                {IO, NULL, "bytes=", true, 0},         {"", NULL, "rbytes=", true, 0},
                {"8:0\n", NULL, "rbytes=", true, 0},   {PRESSURE, "some", "total=", true, 99},
                {PRESSURE, "full", "total=", true, 7}, {PRESSURE, "ful", "total=", false, 0},
                {"", "some", "total=", false, 0},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                check(&rows[i]);
}
