/* features: what the service has found on its machine, and what there is by that. */

#include <glib.h>
#include <stdlib.h>

#include "cli/lib/pager.h"
#include "cli/lib/table.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

typedef struct Feature {
        const char *name, *reason;
        int is_there;
        char **enables; /* owned */
} Feature;

static void feature_clear(void *data)
{
        g_strfreev(((Feature *) data)->enables);
}

/* A newer service may tell features of another type: those are left out. */
static int read_feature(sd_bus_message *reply, GArray *features)
{
        Feature feature = {0};
        const char *contents;
        int r = sd_bus_message_read(reply, "s", &feature.name);

        if (r >= 0)
                r = sd_bus_message_peek_type(reply, NULL, &contents);
        if (r < 0)
                return r;
        if (!g_str_equal(contents, "(bass)"))
                return sd_bus_message_skip(reply, "v");
        if ((r = sd_bus_message_enter_container(reply, 'v', contents)) < 0 ||
            (r = sd_bus_message_enter_container(reply, 'r', "bass")) < 0 ||
            (r = sd_bus_message_read(reply, "b", &feature.is_there)) < 0 ||
            (r = sd_bus_message_read_strv(reply, &feature.enables)) < 0 ||
            (r = sd_bus_message_read(reply, "s", &feature.reason)) < 0) {
                g_strfreev(feature.enables);
                return r;
        }
        g_array_append_val(features, feature);
        r = sd_bus_message_exit_container(reply);
        return r < 0 ? r : sd_bus_message_exit_container(reply);
}

static int read_features(sd_bus_message *reply, GArray *features)
{
        int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = read_feature(reply, features);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r;
}

static char *to_table(const GArray *features, bool has_legend)
{
        static const Column columns[] = {{"FEATURE", NULL, false},
                                         {"THERE", NULL, false},
                                         {"FOR", NULL, false},
                                         {"WHY NOT", NULL, false},
                                         {0}};
        g_autoptr(Table) table = table_new(columns);

        for (unsigned i = 0; i < features->len; i++) {
                const Feature *feature = &g_array_index(features, Feature, i);
                g_autofree char *enables =
                        feature->enables ? g_strjoinv(" ", feature->enables) : g_strdup("");
                table_add_string(table, feature->name);
                table_add_string(table, feature->is_there ? "yes" : "no");
                table_add_string(table, enables);
                table_add_string(table, feature->reason);
        }
        return table_format(table, JSON_OFF, has_legend);
}

static char *to_json(const GArray *features, bool is_pretty)
{
        Json json;

        json_init(&json, is_pretty);
        json_open(&json, '{');
        for (unsigned i = 0; i < features->len; i++) {
                const Feature *feature = &g_array_index(features, Feature, i);
                json_key(&json, feature->name);
                json_open(&json, '{');
                json_key(&json, "available");
                json_bool(&json, feature->is_there);
                json_key(&json, "enables");
                json_open(&json, '[');
                for (char **word = feature->enables; word && *word; word++)
                        json_string(&json, *word);
                json_close(&json, ']');
                json_key(&json, "reason");
                json_string(&json, feature->reason);
                json_close(&json, '}');
        }
        json_close(&json, '}');
        return json_finish(&json);
}

int verb_features(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        g_autoptr(GArray) features = g_array_new(FALSE, FALSE, sizeof(Feature));
        const Settings *settings = &invocation->settings;
        const char *value = NULL;

        g_array_set_clear_func(features, feature_clear);
        if (invocation_next(invocation, &value) != FLAG_END)
                return invocation->status;
        client = client_open(&settings->client);
        if (!client)
                return EXIT_FAILURE;
        int r = client_new_call(client, MANAGER_PATH, INTERFACE_MANAGER, "GetFeatures", &call);
        if (r >= 0 && client_call(client, call, 0, &error, &reply) < 0)
                return client_complain(client, NULL, &error);
        if (r >= 0)
                r = read_features(reply, features);
        if (r < 0)
                return client_complain_errno(client, "GetFeatures", r);
        g_autofree char *text = settings->json == JSON_OFF
                                        ? to_table(features, settings->has_legend)
                                        : to_json(features, settings->json == JSON_PRETTY);
        pager_print(text, settings->has_pager);
        return EXIT_SUCCESS;
}
