/* events: what happens to containers, as it happens. The one verb that listens to signals, which
 * anybody can send: those count that the owner of the service's name has sent, by the unique name
 * that the bus gives to each sender. */

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/lib/text.h"
#include "cli/naivec/variants.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define BUS        "org.freedesktop.DBus"

static const Flag events_flags[] = {
        {"filter", "status=STATUS", "show these alone; may be repeated", FLAG_OF_VERB},
        {0},
};

const Flag *verb_events_flags(void)
{
        return events_flags;
}

typedef struct {
        Client *client;
        bool is_embedded, is_pretty, is_everybodys;
        GHashTable *paths;    /* set of the containers to show; empty: all */
        GHashTable *statuses; /* the same of statuses */
        char *service;        /* unique name; NULL: there is no service now */
        bool has_to_call;     /* so that a new service knows us: it tells more to those it knows */
        int status;           /* of the program; -1: goes on */
} Watching;

/* What becomes of a signal's arguments, in their order. "": it is left out. */
static const struct {
        const char *interface, *member, *status;
        const char *keys[3];
} told[] = {
        {INTERFACE_MANAGER, "ContainerNew", "new", {"", ""}},
        {INTERFACE_MANAGER, "ContainerRemoved", "removed", {"", ""}},
        {INTERFACE_CONTAINER, "Exited", "exited", {"result", "code"}},
        {INTERFACE_EXEC, "Exited", "exited", {"result", "code"}},
        {INTERFACE_CONTAINER, "OutOfMemory", "out-of-memory", {"kills", "level"}},
        {INTERFACE_CONTAINER, "Denied", "denied", {"call", "count"}},
        {INTERFACE_CONTAINER, "Pressure", "pressure", {"resource", "some_usec"}},
};

/* -- printing -- */

static void begin_line(Watching *watching, Json *json, const char *type, const char *status)
{
        int64_t now = g_get_real_time();

        json_init(json, watching->is_pretty);
        json_open(json, '{');
        json_key(json, "time");
        json_signed(json, now / G_USEC_PER_SEC);
        json_key(json, "timeNano");
        json_signed(json, now * 1000);
        json_key(json, "type");
        json_string(json, type);
        json_key(json, "status");
        json_string(json, status);
}

static void end_line(Watching *watching, Json *json)
{
        json_close(json, '}');
        g_autofree char *text = json_finish(json);
        if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
                complain("cannot write: %s", g_strerror(errno));
                watching->status = EXIT_FAILURE;
        }
}

static bool is_wanted(GHashTable *set, const char *word)
{
        return g_hash_table_size(set) == 0 || g_hash_table_contains(set, word);
}

/* ["UID", "ID"] or ["UID", "ID", "exec", "N"], as in the path; NULL: the path is of nothing that is
 * to be shown. Owned. */
static char **parse_path(Watching *watching, const char *path)
{
        if (!g_str_has_prefix(path, CONTAINER_PATH_PREFIX "/"))
                return NULL;
        g_auto(GStrv) parts = g_strsplit(path + strlen(CONTAINER_PATH_PREFIX "/"), "/", 4);
        guint n = g_strv_length(parts);
        if (n != 2 && n != 4)
                return NULL;
        g_autofree char *container =
                g_strdup_printf(CONTAINER_PATH_PREFIX "/%s/%s", parts[0], parts[1]);
        bool is_ours = watching->is_everybodys ||
                       g_ascii_strtoull(parts[0], NULL, 10) == (uint64_t) geteuid();
        if (!is_wanted(watching->paths, container) ||
            (!is_ours && g_hash_table_size(watching->paths) == 0))
                return NULL;
        g_autofree char *id = client_container_id(container);
        if (!id)
                return NULL;
        g_free(parts[1]);
        parts[1] = g_steal_pointer(&id);
        return g_steal_pointer(&parts);
}

static bool begin_event(Watching *watching, Json *json, const char *status, const char *path)
{
        g_auto(GStrv) parts = parse_path(watching, path);

        if (!parts || !is_wanted(watching->statuses, status))
                return false;
        begin_line(watching, json, "container", status);
        json_key(json, "id");
        json_string(json, parts[1]);
        json_key(json, "owner");
        json_unsigned(json, g_ascii_strtoull(parts[0], NULL, 10));
        if (parts[2]) {
                json_key(json, "exec");
                json_unsigned(json, g_ascii_strtoull(parts[3], NULL, 10));
        }
        return true;
}

/* -- signals -- */

static int print_told(Watching *watching, sd_bus_message *signal, size_t row)
{
        const char *path = sd_bus_message_get_path(signal);
        Json json;
        int r = 0;

        if (strcmp(told[row].interface, INTERFACE_MANAGER) == 0 &&
            (r = sd_bus_message_read(signal, "so", NULL, &path)) < 0)
                return r;
        if (!begin_event(watching, &json, told[row].status, path))
                return 0;
        for (const char *const *key = told[row].keys; *key && **key && r >= 0; key++) {
                json_key(&json, *key);
                r = variants_to_json(signal, &json);
        }
        end_line(watching, &json);
        return r;
}

/* The end of a container is told by Exited. */
static void print_state(Watching *watching, const char *path, const char *state)
{
        Json json;

        if (strcmp(state, "stopped") != 0 && begin_event(watching, &json, state, path))
                end_line(watching, &json);
}

static void print_limit(Watching *watching, const char *path, uint64_t memory_max)
{
        Json json;

        if (!begin_event(watching, &json, "updated", path))
                return;
        json_key(&json, "memory_max");
        json_unsigned(&json, memory_max);
        end_line(watching, &json);
}

static int print_changes(Watching *watching, sd_bus_message *signal)
{
        const char *path = sd_bus_message_get_path(signal), *interface, *key, *state;
        uint64_t memory_max;
        int r = sd_bus_message_read(signal, "s", &interface);

        if (r < 0 || strcmp(interface, INTERFACE_CONTAINER) != 0)
                return r;
        r = sd_bus_message_enter_container(signal, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(signal, 'e', "sv")) > 0) {
                r = sd_bus_message_read(signal, "s", &key);
                if (r >= 0 && strcmp(key, "State") == 0) {
                        if ((r = sd_bus_message_read(signal, "v", "s", &state)) >= 0)
                                print_state(watching, path, state);
                } else if (r >= 0 && strcmp(key, "MemoryMax") == 0) {
                        if ((r = sd_bus_message_read(signal, "v", "t", &memory_max)) >= 0)
                                print_limit(watching, path, memory_max);
                } else if (r >= 0)
                        r = sd_bus_message_skip(signal, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(signal);
        }
        return r;
}

static int on_signal(sd_bus_message *signal, void *data, sd_bus_error *error)
{
        Watching *watching = data;
        int r = 0;

        if (!watching->is_embedded &&
            (!watching->service ||
             g_strcmp0(sd_bus_message_get_sender(signal), watching->service) != 0))
                return 0;
        for (size_t row = 0; row < G_N_ELEMENTS(told); row++)
                if (sd_bus_message_is_signal(signal, told[row].interface, told[row].member) > 0)
                        r = print_told(watching, signal, row);
        if (sd_bus_message_is_signal(signal, PROPERTIES, "PropertiesChanged") > 0)
                r = print_changes(watching, signal);
        if (r < 0)
                complain("the service sent a signal that cannot be read: %s", g_strerror(-r));
        return 0;
}

/* -- the service comes and goes -- */

static void print_service(Watching *watching, const char *status)
{
        Json json;

        begin_line(watching, &json, "service", status);
        end_line(watching, &json);
}

static int on_owner(sd_bus_message *signal, void *data, sd_bus_error *error)
{
        Watching *watching = data;
        const char *name, *before, *now;

        if (g_strcmp0(sd_bus_message_get_sender(signal), BUS) != 0 ||
            sd_bus_message_read(signal, "sss", &name, &before, &now) < 0 ||
            strcmp(name, BUS_NAME) != 0 || g_strcmp0(watching->service, *now ? now : NULL) == 0)
                return 0;
        if (watching->service)
                print_service(watching, "stopped");
        g_free(watching->service);
        watching->service = *now ? g_strdup(now) : NULL;
        if (watching->service)
                print_service(watching, "started");
        watching->has_to_call = *now;
        return 0;
}

/* Any call does; the reply says by whom it was answered. */
static int call_service(Watching *watching)
{
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        int r = client_new_call(watching->client, MANAGER_PATH, INTERFACE_MANAGER, "ListContainers",
                                &call);

        watching->has_to_call = false;
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0 && (r = client_call(watching->client, call, 0, &error, &reply)) < 0) {
                client_complain(watching->client, NULL, &error);
                return r;
        }
        if (r >= 0 && !watching->is_embedded) {
                g_free(watching->service);
                watching->service = g_strdup(sd_bus_message_get_sender(reply));
        }
        return r;
}

static int subscribe(Watching *watching)
{
        sd_bus *bus = client_bus(watching->client);
        int r = 0;

        if (!watching->is_embedded)
                r = sd_bus_add_match(bus, NULL,
                                     "type='signal',sender='" BUS "',interface='" BUS "',"
                                     "member='NameOwnerChanged',arg0='" BUS_NAME "'",
                                     on_owner, watching);
        if (r >= 0)
                r = sd_bus_add_match(bus, NULL,
                                     watching->is_embedded
                                             ? "type='signal',path_namespace='" MANAGER_PATH "'"
                                             : "type='signal',sender='" BUS_NAME
                                               "',path_namespace='" MANAGER_PATH "'",
                                     on_signal, watching);
        return r;
}

static int watch(Watching *watching)
{
        sd_bus *bus = client_bus(watching->client);
        int r = subscribe(watching);

        if (r < 0)
                return client_complain_errno(watching->client, NULL, r);
        if (call_service(watching) < 0)
                return EXIT_FAILURE;
        while (watching->status < 0) {
                if ((r = sd_bus_process(bus, NULL)) < 0 ||
                    (r == 0 && (r = sd_bus_wait(bus, UINT64_MAX)) < 0 && r != -EINTR))
                        return client_complain_errno(watching->client, NULL, r);
                /* not fatal: a service that has left again is told of, and so is the next one */
                if (watching->has_to_call)
                        (void) call_service(watching);
        }
        return watching->status;
}

/* -- the command line -- */

static bool take_filter(Watching *watching, const char *value)
{
        const char *status = g_str_has_prefix(value, "status=") ? strchr(value, '=') + 1 : NULL;

        if (!status || !*status)
                return false;
        g_hash_table_add(watching->statuses, g_strdup(status));
        return true;
}

static int watch_named(Watching *watching, char **ids)
{
        for (; *ids; ids++) {
                char *path = client_find_container(watching->client, *ids);
                if (!path)
                        return EXIT_FAILURE;
                g_hash_table_add(watching->paths, path);
        }
        return watch(watching);
}

int verb_events(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(GHashTable) paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GHashTable) statuses =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        const Settings *settings = &invocation->settings;
        Watching watching = {.paths = paths, .statuses = statuses, .status = -1};
        const char *value = NULL;
        int id;

        while ((id = invocation_next(invocation, &value)) != FLAG_END) {
                if (id != FLAG_OF_VERB)
                        return invocation->status;
                if (!take_filter(&watching, value))
                        return invocation_usage(invocation, "--filter takes status=STATUS");
        }
        watching.client = client = client_open(&settings->client);
        if (!client)
                return EXIT_FAILURE;
        watching.is_embedded = settings->client.is_embedded;
        watching.is_pretty = settings->json == JSON_PRETTY;
        watching.is_everybodys = geteuid() == 0 || client_is_remote(client);
        int status = watch_named(&watching, invocation->arguments);
        g_free(watching.service);
        return status;
}
