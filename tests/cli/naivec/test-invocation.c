#include "cli/naivec/invocation.h"

#include <glib.h>
#include <string.h>

#include "tests/lib/case.h"

enum { FLAG_LONG = FLAG_OF_VERB };

static const Flag own[] = {
        {"long", "N", "", FLAG_LONG},
        {"short", NULL, "", 's'},
        {"maybe", "[=BOOL]", "", 'm'},
        {"verse", "[N@]N", "", 'v'},
        {0},
};

static const Flag *own_flags(void)
{
        return own;
}

static int never_run(Invocation *invocation)
{
        g_assert_not_reached();
}

static const Verb verbs[] = {
        {"run", "ROOTFS", "Run", 1, -1, true, own_flags, never_run},
        {"list", "", "List", 0, 0, false, NULL, never_run},
        {"logs", "ID", "Logs", 1, 1, false, own_flags, never_run},
        {0},
};

/* A command line taken apart, every flag noted as "id" or "id=value". */
typedef struct {
        Invocation invocation;
        bool has_verb;
        int end;
        GString *flags;
        GStrv words;
        char **argv; /* the same strings; getopt permutes these, and argv[0] is written twice */
} Parsed;

static void parsed_clear(Parsed *parsed)
{
        invocation_clear(&parsed->invocation);
        g_string_free(parsed->flags, TRUE);
        g_strfreev(parsed->words);
        g_free(parsed->argv);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Parsed, parsed_clear)

static void parse(Parsed *parsed, const char *line)
{
        const char *value = NULL;
        int id = FLAG_STOP;

        *parsed = (Parsed){.flags = g_string_new(NULL), .words = g_strsplit(line, " ", -1)};
        unsigned n = g_strv_length(parsed->words);
        parsed->argv = g_memdup2(parsed->words, (n + 1) * sizeof(char *));
        invocation_init(&parsed->invocation);
        parsed->has_verb = invocation_find_verb(&parsed->invocation, verbs, (int) n, parsed->argv);
        while (parsed->has_verb &&
               (id = invocation_next(&parsed->invocation, &value)) != FLAG_END && id != FLAG_STOP)
                g_string_append_printf(parsed->flags, "%d%s%s ", id, value ? "=" : "",
                                       value ? value : "");
        parsed->end = id;
}

static void assert_wrong(const char *line)
{
        g_auto(Parsed) parsed;

        g_test_message("%s", line);
        parse(&parsed, line);
        g_assert_cmpint(parsed.end, ==, FLAG_STOP);
        g_assert_cmpint(parsed.invocation.status, ==, EXIT_USAGE);
}

/* Global options work before the verb and after it, as with busctl. */
TEST(global_flags)
{
        g_auto(Parsed) before, after;

        parse(&before, "naivec --json=short --no-legend list");
        g_assert_cmpint(before.end, ==, FLAG_END);
        g_assert_cmpint(before.invocation.settings.json, ==, JSON_SHORT);
        g_assert_false(before.invocation.settings.has_legend);
        parse(&after, "naivec logs x --json=pretty -s --no-ask-password --address=unix:path=/x");
        g_assert_cmpint(after.end, ==, FLAG_END);
        g_assert_cmpint(after.invocation.settings.json, ==, JSON_PRETTY);
        g_assert_false(after.invocation.settings.client.asks_password);
        g_assert_cmpstr(after.invocation.settings.client.address, ==, "unix:path=/x");
        g_assert_cmpstr(after.flags->str, ==, "115 ");
        g_assert_cmpstr(after.invocation.arguments[0], ==, "x");
}

/* A value that may be left out is only taken behind "=". */
TEST(optional_value)
{
        g_auto(Parsed) parsed;

        parse(&parsed, "naivec run --maybe --maybe=no -m --long=5 --long 6 /r");
        g_assert_cmpint(parsed.end, ==, FLAG_END);
        g_assert_cmpstr(parsed.flags->str, ==, "109 109=no 109 1000=5 1000=6 ");
        g_assert_cmpstr(parsed.invocation.arguments[0], ==, "/r");
}

/* A verb may have a letter of a global flag for itself, whose long form is still to be had; a value
 * whose name begins with a bracket cannot be left out. */
TEST(shared_letter)
{
        static const struct {
                const char *line, *flags;
                bool is_verbose;
        } rows[] = {
                {"naivec -v list", "", true},
                {"naivec list -v", "", true},
                {"naivec run -v 1 /r", "118=1 ", false},
                {"naivec run --verse 1@2 /r", "118=1@2 ", false},
                {"naivec run --verbose -v 1 /r", "118=1 ", true},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Parsed) parsed;

                g_test_message("%s", rows[i].line);
                parse(&parsed, rows[i].line);
                g_assert_cmpint(parsed.end, ==, FLAG_END);
                g_assert_cmpstr(parsed.flags->str, ==, rows[i].flags);
                g_assert_cmpint(parsed.invocation.settings.client.is_verbose, ==,
                                rows[i].is_verbose);
        }
}

/* Wrong command lines end with status 2. */
TEST(wrong)
{
        assert_wrong("naivec");
        assert_wrong("naivec nonsense");
        assert_wrong("naivec --nonsense list");
        assert_wrong("naivec list --nonsense");
        assert_wrong("naivec list --short");
        assert_wrong("naivec list x");
        assert_wrong("naivec run");
        assert_wrong("naivec run --long");
        assert_wrong("naivec logs a b");
        assert_wrong("naivec --json=xml list");
        assert_wrong("naivec --embedded --address=x list");
        assert_wrong("naivec -H a list -M b");
        assert_wrong("naivec list -x");
        assert_wrong("naivec logs --short=1 x");
}

/* Nothing but a whole name is one: what begins like a flag may be podman's flag, or a later one of
 * ours. */
TEST(no_abbreviations)
{
        assert_wrong("naivec --verb list");
        assert_wrong("naivec --no-p list");
        assert_wrong("naivec logs x --sho");
        assert_wrong("naivec logs x --lon=5");
        assert_wrong("naivec logs --lon 5 x");
        assert_wrong("naivec run --may=yes /r");
        assert_wrong("naivec run --ma /r");
        assert_wrong("naivec run --ver /r");
        assert_wrong("naivec logs --long");
}

/* What follows ROOTFS, or "--", is not ours, whatever it looks like. */
TEST(not_ours)
{
        g_auto(Parsed) command, words;

        parse(&command, "naivec run --long 5 /r --lon --nonsense");
        g_assert_cmpint(command.end, ==, FLAG_END);
        g_assert_cmpint(command.invocation.n_arguments, ==, 3);
        parse(&words, "naivec logs -- --lon");
        g_assert_cmpint(words.end, ==, FLAG_END);
        g_assert_cmpstr(words.invocation.arguments[0], ==, "--lon");
}

/* No global flag has the id of a verb's: each would be taken for the other. */
TEST(global_ids)
{
        static const char *const globals[] = {
                "--quiet",           "--verbose",  "--json=off",  "--no-legend", "--no-pager",
                "--no-ask-password", "--embedded", "--address=x", "--host=x",    "--machine=x"};

        for (unsigned i = 0; i < G_N_ELEMENTS(globals); i++) {
                g_autofree char *line = g_strdup_printf("naivec logs %s x", globals[i]);
                g_auto(Parsed) parsed;

                parse(&parsed, line);
                g_test_message("%s", line);
                g_assert_cmpint(parsed.end, ==, FLAG_END);
                g_assert_cmpstr(parsed.flags->str, ==, "");
        }
}
