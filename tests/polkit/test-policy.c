#include <glib.h>
#include <stdbool.h>
#include <string.h>

#include "polkit/actions.h"

/* The shipped policy file against the constants in the code. */

typedef struct Action {
        char *id;
        GString *message;
        GPtrArray *defaults; /* char*, in the order any, inactive, active */
} Action;

typedef struct Policy {
        GHashTable *actions; /* id → Action* */
        Action *current;
} Policy;

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
        Policy *policy = data;

        if (!g_str_equal(element, "action"))
                return;
        g_assert_cmpstr(names[0], ==, "id");
        policy->current = g_new0(Action, 1);
        policy->current->id = g_strdup(values[0]);
        policy->current->message = g_string_new(NULL);
        policy->current->defaults = g_ptr_array_new_with_free_func(g_free);
        g_assert_true(g_hash_table_insert(policy->actions, policy->current->id, policy->current));
}

static void on_text(GMarkupParseContext *context, const char *text, size_t length, void *data,
                    GError **error)
{
        Policy *policy = data;
        const char *element = g_markup_parse_context_get_element(context);

        if (g_str_equal(element, "message"))
                g_string_append_len(policy->current->message, text, (gssize) length);
        else if (g_str_has_prefix(element, "allow_"))
                g_ptr_array_add(policy->current->defaults, g_strndup(text, length));
}

static void policy_load(Policy *policy, const void *data)
{
        static const GMarkupParser parser = {.start_element = on_start, .text = on_text};
        g_autofree char *path =
                g_test_build_filename(G_TEST_DIST, "..", "polkit", "org.naive.Runc.policy", NULL);
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        size_t length;

        policy->actions = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, action_free);
        g_file_get_contents(path, &text, &length, &error);
        g_assert_no_error(error);
        g_autoptr(GMarkupParseContext) context =
                g_markup_parse_context_new(&parser, 0, policy, NULL);

        g_markup_parse_context_parse(context, text, (gssize) length, &error);
        g_assert_no_error(error);
}

static void policy_clear(Policy *policy, const void *data)
{
        g_hash_table_unref(policy->actions);
}

static const Action *lookup(const Policy *policy, const char *id)
{
        const Action *action = g_hash_table_lookup(policy->actions, id);

        if (!action)
                g_error("no action %s in the policy", id);
        return action;
}

static void assert_defaults(const Policy *policy, const char *id, const char *active)
{
        const Action *action = lookup(policy, id);

        g_assert_cmpuint(action->defaults->len, ==, 3);
        g_assert_cmpstr(g_ptr_array_index(action->defaults, 0), ==, "auth_admin");
        g_assert_cmpstr(g_ptr_array_index(action->defaults, 1), ==, "auth_admin");
        g_assert_cmpstr(g_ptr_array_index(action->defaults, 2), ==, active);
}

/* Every action that the code asks for is installed, and nothing else is. */
static void test_actions(Policy *policy, const void *data)
{
        lookup(policy, ACTION_RUN);
        lookup(policy, ACTION_RUN_PRIVILEGED);
        lookup(policy, ACTION_MANAGE);
        lookup(policy, ACTION_INSPECT);
        lookup(policy, ACTION_EXEC);
        g_assert_cmpuint(g_hash_table_size(policy->actions), ==, 5);
}

/* An administrator decides by default; the answer is kept for active sessions only, and never for
 * what equals root on the host. */
static void test_defaults(Policy *policy, const void *data)
{
        assert_defaults(policy, ACTION_RUN, "auth_admin_keep");
        assert_defaults(policy, ACTION_MANAGE, "auth_admin_keep");
        assert_defaults(policy, ACTION_INSPECT, "auth_admin_keep");
        assert_defaults(policy, ACTION_EXEC, "auth_admin_keep");
        assert_defaults(policy, ACTION_RUN_PRIVILEGED, "auth_admin");
}

static void assert_keys(const Policy *policy, const char *id, const char *const *keys)
{
        const char *message = lookup(policy, id)->message->str;
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
static void test_messages(Policy *policy, const void *data)
{
        static const char *const run[] = {DETAIL_ROOTFS, DETAIL_COMMAND_LINE, NULL};
        static const char *const privileged[] = {DETAIL_ROOTFS, DETAIL_COMMAND_LINE,
                                                 DETAIL_DEVIATIONS, NULL};
        static const char *const manage[] = {DETAIL_ID, DETAIL_OWNER, NULL};
        static const char *const exec[] = {DETAIL_ID, DETAIL_OWNER, DETAIL_COMMAND_LINE, NULL};

        assert_keys(policy, ACTION_RUN, run);
        assert_keys(policy, ACTION_RUN_PRIVILEGED, privileged);
        assert_keys(policy, ACTION_MANAGE, manage);
        assert_keys(policy, ACTION_INSPECT, manage);
        assert_keys(policy, ACTION_EXEC, exec);
}

static void add(const char *name, void (*test)(Policy *, const void *))
{
        g_autofree char *path = g_strdup_printf("/policy/%s", name);

        g_test_add(path, Policy, NULL, policy_load, test, policy_clear);
}

int main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        add("actions", test_actions);
        add("defaults", test_defaults);
        add("messages", test_messages);
        return g_test_run();
}
