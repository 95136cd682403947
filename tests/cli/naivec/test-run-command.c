#include "cli/naivec/run-command.h"

#include <glib.h>
#include <string.h>

static const Flag *flags(void)
{
        static Flag storage[SPAWN_FLAGS_SIZE];

        return run_command_flags(storage);
}

static int never_run(Invocation *invocation)
{
        g_assert_not_reached();
}

static const Verb verbs[] = {{"run", "", "", 1, -1, true, flags, never_run}, {0}};

/* ROOTFS and command as `line` gives them, with blanks between; NULL if it is refused. */
static char *command_of(const char *line)
{
        g_auto(GStrv) words = g_strsplit(line, " ", -1);
        unsigned n = g_strv_length(words);
        /* getopt changes the order of these, and argv[0] is written twice */
        g_autofree char **argv = g_memdup2(words, (n + 1) * sizeof(char *));
        g_auto(RunCommand) command = {0};
        Invocation invocation;
        char *said = NULL;

        invocation_init(&invocation);
        g_assert_true(invocation_find_verb(&invocation, verbs, (int) n, argv));
        if (run_command_parse(&command, &invocation)) {
                g_autofree char *rest = g_strjoinv(" ", (char **) command.argv);
                said = g_strjoin(" ", command.rootfs, rest, NULL);
        }
        invocation_clear(&invocation);
        return said;
}

/* "--" may stand before ROOTFS and before the command, each time once; what follows the command's
 * name is its own, dashes and all. Without a command it is a shell. */
static void test_command(void)
{
        static const struct {
                const char *line, *command;
        } rows[] = {
                {"naivec run /r", "/r /bin/sh"},
                {"naivec run /r cmd --memory=1 -q -- --help", "/r cmd --memory=1 -q -- --help"},
                {"naivec run -i -- /r cmd", "/r cmd"},
                {"naivec run /r -- cmd -- -x", "/r cmd -- -x"},
                {"naivec -- run -- /r -- cmd", "/r cmd"},
                {"naivec run /r -- -x", "/r -x"},
                {"naivec run /r -- -- x", "/r -- x"},
                {"naivec run /r --", "/r /bin/sh"},
                {"naivec run --", NULL},
        };

        g_assert_cmpint(chdir("/"), ==, 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *command = command_of(rows[i].line);

                g_test_message("%s", rows[i].line);
                g_assert_cmpstr(command, ==, rows[i].command);
        }
}

int main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/run-command/command", test_command);
        return g_test_run();
}
