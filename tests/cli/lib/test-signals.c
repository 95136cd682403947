#include "cli/lib/session/signals.h"

#include "tests/lib/case.h"

#define STATUS(nspid, blocked, ignored, caught)                                                    \
        "Name:\tsleep\nPid:\t4711\nNSpid:\t" nspid                                                 \
        "\nSigPnd:\t0000000000000000\nSigBlk:\t" blocked "\nSigIgn:\t" ignored                     \
        "\nSigCgt:\t" caught "\nCapInh:\t0000000000000000\n"
#define NONE "0000000000000000"
#define TERM "0000000000004000"

/* A signal is spared only to the first process of an inner pid namespace that does nothing about
 * it; whatever cannot be read spares nobody. */
TEST(spared)
{
        static const struct {
                const char *status;
                bool is_spared;
        } rows[] = {
                {STATUS("4711\t1", NONE, NONE, NONE), true},
                {STATUS("4711\t19\t1", NONE, NONE, NONE), true},
                {STATUS("4711\t1", NONE, NONE, "ffffffffffffbfff"), true},
                {STATUS("1", NONE, NONE, NONE), false},
                {STATUS("4711\t11", NONE, NONE, NONE), false},
                {STATUS("4711\t2", NONE, NONE, NONE), false},
                {STATUS("4711\t1", TERM, NONE, NONE), false},
                {STATUS("4711\t1", NONE, TERM, NONE), false},
                {STATUS("4711\t1", NONE, NONE, TERM), false},
                {"NSpid:\t4711\t1\n", false},
                {"", false},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                g_assert_cmpint(signals_parse_spared(rows[i].status, SIGTERM), ==,
                                rows[i].is_spared);
}

/* Nobody who runs this test is spared. */
TEST(not_us)
{
        g_assert_false(signals_are_spared(getpid(), SIGUSR1));
}
