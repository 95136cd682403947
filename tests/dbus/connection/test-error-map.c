#include "dbus/connection/error-map.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/case.h"

static char *text_of(const char *text)
{
        sd_bus_error mapped = SD_BUS_ERROR_NULL;

        error_map_set(&mapped, g_error_new_literal(RUNTIME_ERROR, RUNTIME_ERROR_FAILED, text));
        char *copy = g_strdup(mapped.message);
        sd_bus_error_free(&mapped);
        return copy;
}

/* Every code has a valid name, of the bus or of ours, and no two share one. */
TEST(every_code)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        for (int code = 0; code < _RUNTIME_ERROR_MAX; code++) {
                const char *name = error_name((RuntimeError) code);
                if (!name)
                        g_error("code %d has no name", code);
                g_assert_true(sd_bus_interface_name_is_valid(name) > 0);
                g_assert_true(g_str_has_prefix(name, "org.freedesktop.DBus.Error.") ||
                              g_str_has_prefix(name, "org.naive.Runc.Error."));
                g_assert_true(g_hash_table_add(seen, (char *) name));
        }
}

/* The words of the manual's list of errors, in a set; those of the bus first, as in the manual. */
static GHashTable *read_manual(void)
{
        GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autofree char *path =
                g_test_build_filename(G_TEST_DIST, "..", "dbus", "org.naive.Runc.5", NULL);
        g_autofree char *text = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        const char *start = strstr(text, "\n.Sh ERRORS\n"), *end = strstr(text, "\n.Sh EXAMPLES\n");
        g_assert_true(start && end && start < end);
        g_autofree char *section = g_strndup(start, (gsize) (end - start));
        g_auto(GStrv) lines = g_strsplit(section, "\n", -1);
        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, ".It Li "))
                        g_hash_table_add(names, g_strdup(*line + strlen(".It Li ")));
        return names;
}

/* The manual lists every error, and none that there is not. */
TEST(manual)
{
        g_autoptr(GHashTable) names = read_manual();

        for (int code = 0; code < _RUNTIME_ERROR_MAX; code++) {
                const char *name = strrchr(error_name((RuntimeError) code), '.') + 1;
                if (!g_hash_table_remove(names, name))
                        g_error("the manual does not list %s", name);
        }
        /* sd-bus's own, for what it does not find */
        g_assert_true(g_hash_table_remove(names, "UnknownObject"));
        g_assert_cmpuint(g_hash_table_size(names), ==, 0);
}

/* What a handler returns is negative, and the error has name and text. */
TEST(set)
{
        sd_bus_error mapped = SD_BUS_ERROR_NULL;

        g_assert_cmpint(
                error_map_set(&mapped, g_error_new_literal(RUNTIME_ERROR,
                                                           RUNTIME_ERROR_CONTAINER_EXISTS, "why")),
                <, 0);
        g_assert_cmpstr(mapped.name, ==, "org.naive.Runc.Error.ContainerExists");
        g_assert_cmpstr(mapped.message, ==, "why");
        sd_bus_error_free(&mapped);
}

/* An error of another domain does not pick a name by its number. */
TEST(other_domain)
{
        sd_bus_error mapped = SD_BUS_ERROR_NULL;

        g_assert_cmpint(
                error_map_set(&mapped, g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_NOENT, "x")),
                <, 0);
        g_assert_cmpstr(mapped.name, ==, SD_BUS_ERROR_FAILED);
        sd_bus_error_free(&mapped);
}

/* Whatever bytes a path or an argument puts into the text, what leaves is valid and printable. */
TEST(any_bytes)
{
        const char *const texts[] = {"a\nb\tc",          "\x1b[31mred",    "\xff\xfe",
                                     "cut \xe2\x82",     "\xed\xa0\x80",   "\xe2\x80\xae txt.exe",
                                     "\x7f\x01\x02",     "back\\slash",    "\xc2\x85 newline",
                                     "\xf4\x90\x80\x80", "\xc0\x80 a NUL?"};

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autofree char *text = text_of(texts[i]);
                g_assert_true(g_utf8_validate(text, -1, NULL));
                for (const char *c = text; *c; c = g_utf8_next_char(c))
                        g_assert_true(g_unichar_isprint(g_utf8_get_char(c)));
        }
}

/* Every single byte, wherever it stands, leaves a valid text that still tells the rest. */
TEST(each_byte)
{
        for (int byte = 1; byte < 256; byte++) {
                const char raw[] = {'<', (char) byte, '>', '\0'};
                g_autofree char *text = text_of(raw);
                g_assert_true(g_utf8_validate(text, -1, NULL));
                g_assert_cmpint(text[0], ==, '<');
                g_assert_cmpint(text[strlen(text) - 1], ==, '>');
        }
}

/* Ordinary words in any language pass as they are. */
TEST(plain_text)
{
        g_autofree char *text = text_of("rootfs '/srv/größe/日本': No such file or directory");

        g_assert_cmpstr(text, ==, "rootfs '/srv/größe/日本': No such file or directory");
}

/* A text of any length becomes one of a bounded length. */
TEST(long_text)
{
        g_autofree char *endless = g_strnfill(1000000, '\x01');
        g_autofree char *text = text_of(endless);

        g_assert_cmpuint(strlen(text), <=, 8192);
        g_assert_true(g_utf8_validate(text, -1, NULL));
}
