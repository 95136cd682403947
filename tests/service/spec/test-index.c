/* The form of a file of the index. */

#include "service/spec/index.h"

#include "tests/lib/case.h"

static IndexEntry example(void)
{
        const char *directories[] = {"/sys/fs/cgroup/unified/a b/c;d", "/sys/fs/cgroup/cpu/x",
                                     NULL};

        return (IndexEntry){
                .id = g_strdup("web_1.x+y"),
                .root = g_strdup("/run/a root;\\"),
                .belongs_to = g_strdup("podman"),
                .directories = g_strdupv((char **) directories),
                .serial = 5,
                .pid = 4711,
                .start_time = UINT64_MAX,
                .created_usec = 1,
                .started_usec = 2,
        };
}

/* What is written is read, whatever signs are in it. */
TEST(there_and_back)
{
        g_auto(IndexEntry) before = example(), after = {0};
        g_autofree char *text = index_entry_to_text(&before);
        g_autoptr(GError) error = NULL;

        index_entry_parse(text, &after, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(after.id, ==, before.id);
        g_assert_cmpstr(after.root, ==, before.root);
        g_assert_cmpstr(after.belongs_to, ==, before.belongs_to);
        g_assert_cmpstrv(after.directories, before.directories);
        g_assert_cmpuint(after.serial, ==, before.serial);
        g_assert_cmpint(after.pid, ==, before.pid);
        g_assert_cmpuint(after.start_time, ==, before.start_time);
        g_assert_cmpuint(after.created_usec, ==, before.created_usec);
        g_assert_cmpuint(after.started_usec, ==, before.started_usec);
}

static char *without(const char *text, const char *key)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        g_autoptr(GString) left = g_string_new(NULL);

        for (char **line = lines; *line; line++)
                if (!g_str_has_prefix(*line, key))
                        g_string_append_printf(left, "%s\n", *line);
        return g_strdup(left->str);
}

/* A file that lacks anything is none, and nothing of it is taken. */
TEST(incomplete)
{
        static const char *const keys[] = {
                "Id=",  "Root=",      "BelongsTo=",   "Cgroups=",     "Serial=",
                "Pid=", "StartTime=", "CreatedUSec=", "StartedUSec=", "[Container]"};
        g_auto(IndexEntry) before = example();
        g_autofree char *text = index_entry_to_text(&before);

        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
                g_autofree char *less = without(text, keys[i]);
                g_autoptr(GError) error = NULL;
                IndexEntry after = {0};
                g_assert_false(index_entry_parse(less, &after, &error));
                g_assert_nonnull(error);
                g_assert_null(after.id);
        }
}

/* Nor is one with what cannot be told on a bus, or is no process. */
TEST(bad)
{
        static const char *const more[] = {"Id=a\\nb",
                                           "Id=\xff",
                                           "Root=",
                                           "Pid=0",
                                           "Pid=-1",
                                           "Pid=2147483648",
                                           "Pid=x",
                                           "Serial=0",
                                           "Serial=-1",
                                           "Serial=x",
                                           "Serial=9223372036854775808",
                                           "StartTime=",
                                           "Cgroups="};
        g_auto(IndexEntry) before = example();
        g_autofree char *text = index_entry_to_text(&before);

        for (size_t i = 0; i < G_N_ELEMENTS(more); i++) {
                g_autofree char *worse = g_strconcat(text, more[i], "\n", NULL);
                g_autoptr(GError) error = NULL;
                IndexEntry after = {0};
                g_assert_false(index_entry_parse(worse, &after, &error));
                g_assert_nonnull(error);
        }
}
