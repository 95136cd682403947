/* inspect: all that is known of containers: their properties, and what they were made with. */

#include <stdlib.h>

#include "cli/lib/pager.h"
#include "cli/lib/properties.h"
#include "cli/naivec/listing.h"
#include "cli/naivec/variants.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

/* Properties that stand in no list of properties: those that a newer service has besides are not
 * shown. */
static const char *const explicit_properties[] = {"Labels", "Usage"};

static int add_property(Client *client, const char *path, const char *name, Json *json,
                        sd_bus_error *error)
{
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        int r = client_new_call(client, path, "org.freedesktop.DBus.Properties", "Get", &call);

        if (r >= 0)
                r = sd_bus_message_append(call, "ss", INTERFACE_CONTAINER, name);
        if (r >= 0)
                r = client_call(client, call, 0, error, &reply);
        if (r < 0)
                return r;
        json_key(json, name);
        return variants_to_json(reply, json);
}

/* A container that an older service made has none. */
static int add_config(Client *client, const char *path, Json *json, sd_bus_error *error)
{
        g_autoptr(sd_bus_message) reply = NULL;
        int r = client_call_container(client, path, "GetConfig", error, &reply, "");

        if (r < 0 && sd_bus_error_has_name(error, SD_BUS_ERROR_NOT_SUPPORTED)) {
                sd_bus_error_free(error);
                return 0;
        }
        if (r < 0)
                return r;
        json_key(json, "Config");
        return variants_to_json(reply, json);
}

/* Writes nothing if the container is gone: the text is put aside until it is whole. */
static int add_container(Client *client, const char *path, Json *json, sd_bus_error *error)
{
        g_auto(Properties) properties = {0};
        const Json before = *json;
        size_t length = json->text->len;
        int r = properties_fetch(&properties, client, path, error);

        if (r < 0)
                return r;
        json_open(json, '{');
        properties_members_to_json(&properties, json);
        for (unsigned i = 0; i < G_N_ELEMENTS(explicit_properties) && r >= 0; i++)
                r = add_property(client, path, explicit_properties[i], json, error);
        if (r >= 0)
                r = add_config(client, path, json, error);
        json_close(json, '}');
        if (r < 0) {
                g_string_truncate(json->text, length);
                *json = before;
        }
        return r;
}

static int complain_of(Client *client, const char *name, const sd_bus_error *error, int r)
{
        return sd_bus_error_is_set(error) ? client_complain(client, name, error)
                                          : client_complain_errno(client, name, r);
}

static int add_named(Client *client, char **ids, Json *json)
{
        int status = EXIT_SUCCESS;

        for (; *ids; ids++) {
                g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
                g_autofree char *path = client_find_container(client, *ids);
                int r = path ? add_container(client, path, json, &error) : 0;
                if (r < 0)
                        complain_of(client, *ids, &error, r);
                if (r < 0 || !path)
                        status = EXIT_FAILURE;
        }
        return status;
}

static int add_all(Client *client, Json *json)
{
        g_autoptr(GPtrArray) containers = listing_fetch(client);
        int status = containers ? EXIT_SUCCESS : EXIT_FAILURE;

        for (unsigned i = 0; containers && i < containers->len; i++) {
                g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
                const ListedContainer *container = containers->pdata[i];
                int r = add_container(client, container->path, json, &error);
                if (r < 0 && !sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT))
                        status = complain_of(client, container->name, &error, r);
        }
        return status;
}

int verb_inspect(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        const Settings *settings = &invocation->settings;
        const char *value = NULL;
        Json json;

        if (invocation_next(invocation, &value) != FLAG_END)
                return invocation->status;
        client = client_open(&settings->client);
        if (!client)
                return EXIT_FAILURE;
        json_init(&json, settings->json != JSON_SHORT);
        json_open(&json, '[');
        int status = *invocation->arguments ? add_named(client, invocation->arguments, &json)
                                            : add_all(client, &json);
        json_close(&json, ']');
        g_autofree char *text = json_finish(&json);
        pager_print(text, settings->has_pager);
        return status;
}
