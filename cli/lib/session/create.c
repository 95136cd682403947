#include "cli/lib/session/create.h"

#include "cli/lib/session.h"
#include "cli/lib/text.h"
#include "dbus/names.h"

static int complain_refused(Client *client, const NewContainer *container,
                            const sd_bus_error *error)
{
        client_complain(client, NULL, error);
        if (container->denied_hint &&
            (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED) ||
             sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED)))
                hint("%s", container->denied_hint);
        return session_status_of_error(error->name);
}

int session_make_container(Client *client, const NewContainer *container, char **ret_path)
{
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        const char *path;
        int r = client_new_call(client, MANAGER_PATH, INTERFACE_MANAGER, container->member, &call);

        if (r >= 0)
                r = spawn_request_append(container->request, call, container->rootfs,
                                         container->argv);
        if (r < 0) {
                client_complain_errno(client, container->member, r);
                return EXIT_RUNTIME_FAILED;
        }
        r = client_call(client, call, 0, &error, &reply);
        if (r < 0)
                return complain_refused(client, container, &error);
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0) {
                client_complain_errno(client, container->member, r);
                return EXIT_RUNTIME_FAILED;
        }
        *ret_path = g_strdup(path);
        return 0;
}
