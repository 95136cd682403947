/* The input is a mountinfo file. What is parsed and written again as the kernel would write it is
 * parsed as the same: no field runs into another, and no line makes two mounts. */

#include <string.h>

#include "service/util/mountinfo.h"
#include "tests/fuzz/target.h"

static void be_silent(const char *domain, GLogLevelFlags level, const char *message, void *data)
{
}

/* The kernel's own: the characters that would end a field. */
static void append_path(GString *line, const char *path)
{
        for (const char *c = path; *c; c++)
                if (strchr(" \t\n\\", *c))
                        g_string_append_printf(line, "\\%03o", (unsigned) *c);
                else
                        g_string_append_c(line, *c);
        g_string_append_c(line, ' ');
}

static void write_and_parse(const MountInfo *mount)
{
        g_autoptr(GString) line = g_string_new("36 31 ");

        g_string_append_printf(line, "%s ", mount->device);
        append_path(line, mount->root);
        append_path(line, mount->point);
        g_string_append_printf(line, "rw,nosuid shared:7 - %s a\\040source %s\n", mount->type,
                               mount->options);
        g_autoptr(GPtrArray) again = mountinfo_parse(line->str);
        g_assert_cmpuint(again->len, ==, 1);
        const MountInfo *same = again->pdata[0];
        g_assert_cmpstr(same->device, ==, mount->device);
        g_assert_cmpstr(same->root, ==, mount->root);
        g_assert_cmpstr(same->point, ==, mount->point);
        g_assert_cmpstr(same->type, ==, mount->type);
        g_assert_cmpstr(same->options, ==, mount->options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *text = g_strndup((const char *) data, size);
        unsigned n_lines = 1;

        g_log_set_default_handler(be_silent, NULL); /* of a backslash at the end of a path */
        g_autoptr(GPtrArray) mounts = mountinfo_parse(text);
        for (const char *c = text; *c; c++)
                n_lines += *c == '\n';
        g_assert_cmpuint(mounts->len, <=, n_lines);
        for (unsigned i = 0; i < mounts->len; i++)
                write_and_parse(mounts->pdata[i]);
        return 0;
}
