#include "dbus/connection/callers.h"

#include <errno.h>
#include <string.h>

#define CACHE_MAX    1024u
#define TIMEOUT_USEC (5u * G_USEC_PER_SEC)

struct Callers {
        sd_bus *bus;
        Credentials *peer;
        GHashTable *known; /* unique name → Credentials, owned */
};

static void free_value(void *data)
{
        credentials_free(data);
}

Callers *callers_new(sd_bus *bus, const Credentials *peer)
{
        Callers *callers = g_new0(Callers, 1);

        callers->bus = bus;
        callers->peer = peer ? credentials_copy(peer) : NULL;
        callers->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_value);
        return callers;
}

void callers_free(Callers *callers)
{
        if (!callers)
                return;
        credentials_free(callers->peer);
        g_hash_table_destroy(callers->known);
        g_free(callers);
}

/* Reads the a{sv} of GetConnectionCredentials. False without UnixUserID: then nobody is named. */
static bool parse(sd_bus_message *reply, Credentials *credentials)
{
        bool has_uid = false;
        int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                const char *key;
                if ((r = sd_bus_message_read_basic(reply, 's', &key)) < 0)
                        break;
                if (strcmp(key, "UnixUserID") == 0) {
                        uint32_t uid;
                        r = sd_bus_message_read(reply, "v", "u", &uid);
                        has_uid = r >= 0 && uid != UINT32_MAX;
                        credentials->uid = uid;
                } else if (strcmp(key, "UnixGroupIDs") == 0) {
                        const void *groups;
                        size_t size;
                        if ((r = sd_bus_message_enter_container(reply, 'v', "au")) < 0 ||
                            (r = sd_bus_message_read_array(reply, 'u', &groups, &size)) < 0)
                                break;
                        credentials->n_groups = size / sizeof(gid_t);
                        credentials->groups = g_memdup2(groups, size);
                        r = sd_bus_message_exit_container(reply);
                } else
                        r = sd_bus_message_skip(reply, "v");
                if (r < 0 || (r = sd_bus_message_exit_container(reply)) < 0)
                        break;
        }
        return r >= 0 && has_uid;
}

static const Credentials *ask(Callers *callers, const char *name, GError **error)
{
        g_autoptr(Credentials) credentials = g_new0(Credentials, 1);
        sd_bus_message *call = NULL, *reply = NULL;
        sd_bus_error failure = SD_BUS_ERROR_NULL;

        credentials->uid = (uid_t) -1;
        int r = sd_bus_message_new_method_call(callers->bus, &call, "org.freedesktop.DBus",
                                               "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                               "GetConnectionCredentials");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", name);
        if (r >= 0)
                r = sd_bus_call(callers->bus, call, TIMEOUT_USEC, &failure, &reply);
        bool is_known = r >= 0 && parse(reply, credentials);
        sd_bus_message_unref(call);
        sd_bus_message_unref(reply);
        sd_bus_error_free(&failure);
        if (!is_known) {
                error_set(error, RUNTIME_ERROR_ACCESS_DENIED,
                          "the bus does not say who the caller is");
                return NULL;
        }
        if (g_hash_table_size(callers->known) >= CACHE_MAX)
                g_hash_table_remove_all(callers->known);
        const Credentials *kept = credentials;
        g_hash_table_insert(callers->known, g_strdup(name), g_steal_pointer(&credentials));
        return kept;
}

const Credentials *callers_get(Callers *callers, sd_bus_message *message, GError **error)
{
        const char *name = sd_bus_message_get_sender(message);
        const Credentials *known;

        if (callers->peer)
                return callers->peer;
        if (!name || name[0] != ':') {
                error_set(error, RUNTIME_ERROR_ACCESS_DENIED, "the message has no sender");
                return NULL;
        }
        known = g_hash_table_lookup(callers->known, name);
        return known ? known : ask(callers, name, error);
}
