/* The command lines that podman, conmon and containerd write, and wrong ones. */

#include "cli/oci/line/line.h"
#include "tests/lib/case.h"

static bool parse(OciLine *line, const char *words, GError **error)
{
        static char **argv; /* the line borrows it */

        g_strfreev(argv);
        argv = g_strsplit(words, " ", -1);
        return oci_line_parse(line, argv, error);
}

/* podman by conmon: flags before the command and behind it, with "=" and without. */
TEST(conmon)
{
        g_autoptr(GError) error = NULL;
        g_auto(OciLine) line = {0};

        g_assert_true(parse(&line,
                            "oci --log-format=json --log /l create --bundle /b --pid-file /p "
                            "--no-new-keyring --preserve-fds 2 --console-socket /s ID",
                            &error));
        g_assert_no_error(error);
        g_assert_cmpint(line.is, ==, OCI_VERB_CREATE);
        g_assert_cmpstr(line.options.log_format, ==, "json");
        g_assert_cmpstr(line.options.bundle, ==, "/b");
        g_assert_cmpstr(line.options.preserve_fds, ==, "2");
        g_assert_true(line.options.no_new_keyring);
        g_assert_cmpstr(line.words[0], ==, "ID");
}

/* A command's own flags are not ours: parsing stops at the id. */
TEST(exec_stops)
{
        g_auto(OciLine) line = {0};

        g_assert_true(parse(&line, "oci exec -d --pid-file=/p ID sh -c --tty", NULL));
        g_assert_true(line.options.detach);
        g_assert_false(line.options.tty);
        g_assert_cmpuint(line.n_words, ==, 4);
        g_assert_cmpstr(line.words[3], ==, "--tty");
}

/* An empty value is a value. */
TEST(empty_root)
{
        g_auto(OciLine) line = {0};

        g_assert_true(parse(&line, "oci --root= state ID", NULL));
        g_assert_cmpstr(line.options.root, ==, "");
}

TEST(wrong)
{
        static const char *const lines[] = {
                "oci --nothing state ID",
                "oci checkpoint --help ID",
                "oci state",
                "oci state A B",
                "oci --log",
                "oci state ../x",
                "oci state .x",
                "oci delete --force=perhaps ID",
                "oci create --force ID",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
                g_autoptr(GError) error = NULL;
                g_auto(OciLine) line = {0};

                g_assert_false(parse(&line, lines[i], &error));
                g_assert_nonnull(error);
        }
}
