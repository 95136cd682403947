#include "cli/naivec/listing.h"

#include <unistd.h>

#include "dbus/names.h"

static void listed_container_free(void *data)
{
        ListedContainer *container = data;

        g_free(container->id);
        g_free(container->state);
        g_free(container->path);
        g_free(container->name);
        g_free(container);
}

/* On another machine the caller may have another uid, so every name has its UID/ there. */
static char *name_of(const Client *client, const char *id, uint32_t owner)
{
        if (!client_is_remote(client) && owner == geteuid())
                return g_strdup(id);
        return g_strdup_printf("%u/%s", owner, id);
}

bool listing_is_ours(const Client *client, const ListedContainer *container)
{
        return client_is_remote(client) || geteuid() == 0 || container->owner == geteuid();
}

static int read_listing(Client *client, sd_bus_message *reply, GPtrArray *containers)
{
        const char *id, *state, *path;
        uint32_t owner;
        uint64_t created;
        int r = sd_bus_message_enter_container(reply, 'a', "(ssuto)");

        while (r >= 0 && (r = sd_bus_message_read(reply, "(ssuto)", &id, &state, &owner, &created,
                                                  &path)) > 0) {
                ListedContainer *container = g_new(ListedContainer, 1);
                *container = (ListedContainer){
                        .id = g_strdup(id),
                        .state = g_strdup(state),
                        .owner = owner,
                        .created_usec = created,
                        .path = g_strdup(path),
                        .name = name_of(client, id, owner),
                };
                g_ptr_array_add(containers, container);
        }
        return r;
}

static int append_filter(sd_bus_message *call, char **labels)
{
        if (!labels || !*labels)
                return sd_bus_message_append(call, "a{sv}", 0);
        int r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", "Labels");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(call, labels);
        for (int i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(call);
        return r;
}

GPtrArray *listing_fetch(Client *client)
{
        return listing_fetch_labelled(client, NULL);
}

GPtrArray *listing_fetch_labelled(Client *client, char **labels)
{
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        g_autoptr(GPtrArray) containers = g_ptr_array_new_with_free_func(listed_container_free);
        int r = client_new_call(client, MANAGER_PATH, INTERFACE_MANAGER, "ListContainers", &call);

        if (r >= 0)
                r = append_filter(call, labels);
        if (r >= 0 && client_call(client, call, 0, &error, &reply) < 0) {
                client_complain(client, NULL, &error);
                return NULL;
        }
        if (r >= 0)
                r = read_listing(client, reply, containers);
        if (r < 0) {
                client_complain_errno(client, "ListContainers", r);
                return NULL;
        }
        return g_steal_pointer(&containers);
}
