/* The fields of a config.json that naive-oci(8) tells of are those that the decoder knows, and what
 * the manual says of each is so. */

#include <string.h>

#include "cli/oci/decode/tables.h"
#include "tests/lib/case.h"

static const char *word_of(const DecodeField *field)
{
        return field->decode == decode_unsupported ? "no"
               : field->decode == decode_ignored   ? "ignored"
                                                   : "yes";
}

static void walk(const DecodeObject *object, const char *path, GString *text)
{
        for (size_t i = 0; i < object->n; i++) {
                const DecodeField *field = &object->fields[i];
                bool is_list = field->decode == decode_list;
                bool has_members = is_list || field->decode == decode_object ||
                                   field->decode == decode_seccomp;
                g_autofree char *name = g_strconcat(path, field->name, is_list ? "[]" : "", NULL);
                g_autofree char *below = g_strconcat(name, ".", NULL);
                bool is_rdma = g_str_has_suffix(name, ".rdma");
                g_autofree char *rdma = g_strconcat(name, "{}.", NULL);

                if (has_members || is_rdma)
                        walk(field->of, is_rdma ? rdma : below, text);
                else
                        g_string_append_printf(text, "%s\t%s\n", name, word_of(field));
        }
}

TEST(manual)
{
        g_autofree char *path = g_test_build_filename(G_TEST_DIST, "../cli/oci/naive-oci.8", NULL);
        g_autoptr(GString) ours = g_string_new(NULL);
        g_autofree char *manual = NULL;

        g_assert_true(g_file_get_contents(path, &manual, NULL, NULL));
        walk(&decode_spec_object, "", ours);
        char *start = strstr(manual, "\n.Bd -literal\n");
        g_assert_nonnull(start);
        start += strlen("\n.Bd -literal\n");
        char *end = strstr(start, ".Ed\n");
        g_assert_nonnull(end);
        *end = '\0';
        g_assert_cmpstr(start, ==, ours->str);
}
