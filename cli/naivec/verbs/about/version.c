/* version: of naivec, and of the service that it talks to. */

#include <stdio.h>
#include <stdlib.h>

#include "cli/lib/json.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

static void print(const Settings *settings, const char *service)
{
        Json json;

        if (settings->json == JSON_OFF) {
                printf("naivec %s\n", PROJECT_VERSION);
                if (service)
                        printf("service %s\n", service);
                return;
        }
        json_init(&json, settings->json == JSON_PRETTY);
        json_open(&json, '{');
        json_key(&json, "naivec");
        json_string(&json, PROJECT_VERSION);
        if (service) {
                json_key(&json, "service");
                json_string(&json, service);
        }
        json_close(&json, '}');
        g_autofree char *text = json_finish(&json);
        fputs(text, stdout);
}

/* Where no service can be had, naivec's own is still told. */
int verb_version(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        const char *value = NULL, *service = NULL;

        if (invocation_next(invocation, &value) != FLAG_END)
                return invocation->status;
        client = client_open(&invocation->settings.client);
        int r = client ? client_new_call(client, MANAGER_PATH, "org.freedesktop.DBus.Properties",
                                         "Get", &call)
                       : -1;
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", INTERFACE_MANAGER, "Version");
        if (r >= 0)
                r = client_call(client, call, 0, &error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "v", "s", &service);
        print(&invocation->settings, service);
        if (r >= 0)
                return EXIT_SUCCESS;
        if (sd_bus_error_is_set(&error))
                client_complain(client, NULL, &error);
        else if (client)
                client_complain_errno(client, "Version", r);
        return EXIT_FAILURE;
}
