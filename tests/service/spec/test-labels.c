/* What a label may be, and what finds it. */

#include "service/spec/labels.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "tests/lib/case.h"

static GPtrArray *list_new(void)
{
        return g_ptr_array_new_with_free_func(g_free);
}

static void add(GPtrArray *list, const char *key, const char *value)
{
        g_autoptr(GError) error = NULL;

        g_assert_true(labels_add(list, key, value, &error));
        g_assert_no_error(error);
}

static void refuse(GPtrArray *list, const char *key, const char *value, const char *word)
{
        g_autoptr(GError) error = NULL;
        guint before = list->len;

        g_assert_false(labels_add(list, key, value, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_ARGS);
        g_assert_nonnull(strstr(error->message, word));
        g_assert_cmpuint(list->len, ==, before);
}

/* A key is of few characters, so that "=" and blanks part it from others; a value is any text. */
TEST(characters)
{
        static const char *const bad[] = {"",   "=",  "a=b", "a b",     ".a",
                                          "-a", "/a", "a\n", "\xc3\xa9"};
        g_autoptr(GPtrArray) list = list_new();

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
                refuse(list, bad[i], "x", "does not match");
        add(list, "org.example.a-b_c/D9", "any = text\n\xc3\xa9");
        add(list, "0", "");
}

/* One of a key; and the first that is too long, too many or too much is refused. */
TEST(bounds)
{
        g_autoptr(GPtrArray) list = list_new(), large = list_new();
        g_autofree char *key = g_strnfill(LABEL_KEY_MAX, 'k');
        g_autofree char *longer = g_strnfill(LABEL_KEY_MAX + 1, 'k');
        g_autofree char *value = g_strnfill(LABELS_BYTES_MAX - 1, 'v');

        add(list, key, "");
        refuse(list, key, "", "twice");
        refuse(list, longer, "", "does not match");
        for (unsigned i = 1; i < LABELS_MAX; i++) {
                g_autofree char *name = g_strdup_printf("n%u", i);
                add(list, name, "");
        }
        refuse(list, "more", "", "more than the 64");
        add(large, "a", value);
        refuse(large, "b", "", "bytes");
}

/* A label is found by its key, or by key and value, whole. */
TEST(found)
{
        char *labels[] = {(char *) "app", (char *) "web=1", (char *) "app2", (char *) "", NULL};

        g_assert_true(labels_have(labels, "app"));
        g_assert_true(labels_have(labels, "app=web=1"));
        g_assert_true(labels_have(labels, "app2="));
        g_assert_false(labels_have(labels, "app="));
        g_assert_false(labels_have(labels, "app=web"));
        g_assert_false(labels_have(labels, "ap"));
        g_assert_false(labels_have(labels, "app22"));
        g_assert_false(labels_have(labels, ""));
        g_assert_false(labels_have(labels, "web=1"));
        g_assert_false(labels_have(NULL, "app"));
}
