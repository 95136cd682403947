#include "cli/lean/plan.h"

#include "tests/lib/case.h"

static bool reads(const char *line, Plan *plan)
{
        g_auto(GStrv) words = g_strsplit(line, " ", -1);
        bool is_read = plan_read(plan, words);

        if (is_read)
                plan->rootfs = g_intern_string(plan->rootfs);
        return is_read;
}

/* What is not a run of the common kind, or not understood to the letter, is left to naivec-full. */
TEST(for_the_other)
{
        static const char *const lines[] = {
                "naivec",
                "naivec list",
                "naivec --help",
                "naivec run",
                "naivec run --help",
                "naivec run --",
                "naivec run -d /r",
                "naivec run -t /r",
                "naivec run -v /a:/b /r",
                "naivec run --memory /r",
                "naivec run --memory= /r",
                "naivec run --memory=0 /r",
                "naivec run --memory=1.5G /r",
                "naivec run --memory=1Z /r",
                "naivec run --memory=999999999999999T /r",
                "naivec run --memory=-1 /r",
                "naivec run --mem=1M /r",
                "naivec run --memory-swap=1M /r",
                "naivec run --hostname=\xc3\xa4 /r",
                "naivec run --rm=maybe /r",
                "naivec run --env=A /r",
                "naivec run --env==a /r",
                "naivec run -e A=1 -e A=2 /r",
                "naivec run -eA=1 /r",
                "naivec run --network=host /r",
                "naivec run --userns=host /r",
                "naivec -- run /r",
                "naivec --embedded run /r",
                "naivec --host=x run /r",
                "naivec --address=unix:abstract=/x run /r",
                "naivec --address=unix:path=/x,guid=1 run /r",
                "naivec --address=unix:path=/x%20 run /r",
                "naivec run - true",
        };
        Plan plan;

        g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/bus", TRUE);
        for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
                g_test_message("%s", lines[i]);
                g_assert_false(reads(lines[i], &plan));
        }
        g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "tcp:host=x", TRUE);
        g_assert_false(reads("naivec run /r", &plan));
        g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/bus", TRUE);
}

/* The common ones are taken. */
TEST(taken)
{
        static const char *const lines[] = {
                "naivec run r",
                "naivec run r -- ls -l",
                "naivec run -- r ls",
                "naivec -q --no-ask-password run --rm --memory=1M -m 2G --pids-limit 5 r true",
                ("naivec --address=unix:path=/x/y run --rm=no -e A=1 --env=B=2=3 -w /tmp "
                 "--read-only=no r"),
                "naivec run --name=x --hostname y --init --volatile --cpuset-cpus=0-1 -i r",
        };
        Plan plan;

        g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/bus", TRUE);
        for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
                g_test_message("%s", lines[i]);
                g_assert_true(reads(lines[i], &plan));
                g_assert_cmpstr(plan.rootfs, ==, "r");
        }
}

/* What has no room in the message is left to naivec-full as well. */
TEST(too_long)
{
        static WireBody body;
        g_autofree char *word = g_strnfill(sizeof body.bytes, 'x');
        const char *argv[] = {"naivec", "run", "/r", word, NULL};
        Plan plan;

        g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/bus", TRUE);
        g_assert_true(plan_read(&plan, (char *const *) argv));
        plan_write(&plan, 3, &body);
        g_assert_true(body.is_full);
        argv[3] = NULL;
        plan_write(&plan, 3, &body);
        g_assert_false(body.is_full);
        g_assert_cmpuint(body.n_fds, ==, 4);
}
