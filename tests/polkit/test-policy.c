#include <glib.h>
#include <stdbool.h>
#include <string.h>

#include "polkit/actions.h"
#include "tests/lib/case.h"

/* The shipped policy file against the constants in the code. */

typedef struct Action {
        char *id;
        GString *message;
        GPtrArray *defaults; /* char*, in the order any, inactive, active */
} Action;

typedef struct Fixture {
        GHashTable *actions; /* id → Action* */
        Action *current;
} Fixture;

static void action_free(void *data)
{
        Action *action = data;

        g_free(action->id);
        g_string_free(action->message, TRUE);
        g_ptr_array_unref(action->defaults);
        g_free(action);
}

static void on_start(GMarkupParseContext *context, const char *element, const char **names,
                     const char **values, void *data, GError **error)
{
        Fixture *f = data;

        if (!g_str_equal(element, "action"))
                return;
        g_assert_cmpstr(names[0], ==, "id");
        f->current = g_new0(Action, 1);
        f->current->id = g_strdup(values[0]);
        f->current->message = g_string_new(NULL);
        f->current->defaults = g_ptr_array_new_with_free_func(g_free);
        g_assert_true(g_hash_table_insert(f->actions, f->current->id, f->current));
}

static void on_text(GMarkupParseContext *context, const char *text, size_t length, void *data,
                    GError **error)
{
        Fixture *f = data;
        const char *element = g_markup_parse_context_get_element(context);

        if (g_str_equal(element, "message"))
                g_string_append_len(f->current->message, text, (gssize) length);
        else if (g_str_has_prefix(element, "allow_"))
                g_ptr_array_add(f->current->defaults, g_strndup(text, length));
}

static void set_up(Fixture *f, const void *data)
{
        static const GMarkupParser parser = {.start_element = on_start, .text = on_text};
        g_autofree char *path =
                g_test_build_filename(G_TEST_DIST, "..", "polkit", "org.naive.Runc.policy", NULL);
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        size_t length;

        f->actions = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, action_free);
        g_file_get_contents(path, &text, &length, &error);
        g_assert_no_error(error);
        g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, f, NULL);

        g_markup_parse_context_parse(context, text, (gssize) length, &error);
        g_assert_no_error(error);
}

static void tear_down(Fixture *f, const void *data)
{
        g_hash_table_unref(f->actions);
}

static const Action *lookup(const Fixture *f, const char *id)
{
        const Action *action = g_hash_table_lookup(f->actions, id);

        if (!action)
                g_error("no action %s in the policy", id);
        return action;
}

static void assert_defaults_of(const Fixture *f, const char *id, const char *others,
                               const char *active)
{
        const Action *action = lookup(f, id);

        g_assert_cmpuint(action->defaults->len, ==, 3);
        g_assert_cmpstr(g_ptr_array_index(action->defaults, 0), ==, others);
        g_assert_cmpstr(g_ptr_array_index(action->defaults, 1), ==, others);
        g_assert_cmpstr(g_ptr_array_index(action->defaults, 2), ==, active);
}

static void assert_defaults(const Fixture *f, const char *id, const char *active)
{
        assert_defaults_of(f, id, "auth_admin", active);
}

/* Every action that the code asks for is installed, and nothing else is. */
FIXTURE_TEST(actions)
{
        lookup(f, ACTION_SANDBOX);
        lookup(f, ACTION_RUN);
        lookup(f, ACTION_RUN_PRIVILEGED);
        lookup(f, ACTION_MANAGE);
        lookup(f, ACTION_INSPECT);
        lookup(f, ACTION_EXEC);
        g_assert_cmpuint(g_hash_table_size(f->actions), ==, 6);
}

/* An administrator decides by default; the answer is kept for active sessions only, and never for
 * what may equal root on the host. */
FIXTURE_TEST(defaults)
{
        assert_defaults(f, ACTION_RUN, "auth_admin_keep");
        assert_defaults(f, ACTION_MANAGE, "auth_admin_keep");
        assert_defaults(f, ACTION_INSPECT, "auth_admin_keep");
        assert_defaults(f, ACTION_EXEC, "auth_admin");
        assert_defaults(f, ACTION_RUN_PRIVILEGED, "auth_admin");
        assert_defaults_of(f, ACTION_SANDBOX, "auth_admin_keep", "yes");
}

static void assert_keys(const Fixture *f, const char *id, const char *const *keys)
{
        const char *message = lookup(f, id)->message->str;
        unsigned n = 0;

        for (; keys[n]; n++) {
                g_autofree char *reference = g_strdup_printf("$(%s)", keys[n]);

                g_assert_nonnull(strstr(message, reference));
        }
        for (const char *at = strchr(message, '$'); at; at = strchr(at + 1, '$'))
                n--;
        g_assert_cmpuint(n, ==, 0);
}

/* The prompts show exactly the details that actions.h promises them: polkit shows an unknown one
 * raw. */
FIXTURE_TEST(messages)
{
        static const char *const run[] = {DETAIL_ROOTFS, DETAIL_COMMAND_LINE, NULL};
        static const char *const privileged[] = {DETAIL_ROOTFS, DETAIL_COMMAND_LINE,
                                                 DETAIL_DEVIATIONS, NULL};
        static const char *const manage[] = {DETAIL_ID, DETAIL_OWNER, NULL};
        static const char *const exec[] = {DETAIL_ID, DETAIL_OWNER, DETAIL_COMMAND_LINE, NULL};

        assert_keys(f, ACTION_RUN, run);
        assert_keys(f, ACTION_RUN_PRIVILEGED, privileged);
        assert_keys(f, ACTION_MANAGE, manage);
        assert_keys(f, ACTION_INSPECT, manage);
        assert_keys(f, ACTION_EXEC, exec);
}
