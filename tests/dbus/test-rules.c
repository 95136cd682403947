/* Every method that the live objects offer has its row in the one table of who may do what, and
 * what changes anything has an action. Read from introspection, so that a new vtable cannot be
 * forgotten here. */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dbus/connection/bus-source.h"
#include "dbus/container-api.h"
#include "dbus/manager-api.h"
#include "dbus/names.h"
#include "dbus/rules.h"
#include "dbus/server.h"
#include "polkit/actions.h"
#include "service/container/record.h"
#include "service/util/bus-auto.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fake-launch.h"
#include "tests/lib/loop.h"

#define CONTAINER_PATH CONTAINER_PATH_PREFIX "/0/web"

/* What only reads: everything else changes something. A new method belongs here only if it is one
 * of them. */
static const char *const reading[] = {
        INTERFACE_MANAGER ".GetContainer",
        INTERFACE_MANAGER ".ListContainers",
        INTERFACE_CONTAINER ".Wait",
        INTERFACE_CONTAINER ".ReadLog",
        INTERFACE_CONTAINER ".OpenLog",
        INTERFACE_CONTAINER ".GetStats",
        INTERFACE_CONTAINER ".GetProcesses",
        INTERFACE_CONTAINER ".GetConfig",
        INTERFACE_MANAGER ".GetFeatures",
        INTERFACE_MANAGER ".GetContainerByPIDFD",
        NULL,
};

/* What tells of the caller's own containers, or of none. */
static const char *const of_nobody_else[] = {INTERFACE_MANAGER ".ListContainers",
                                             INTERFACE_MANAGER ".GetContainerByPIDFD",
                                             INTERFACE_MANAGER ".GetFeatures", NULL};

/* What makes a container is a right of its own, whoever owns what. */
static const char *const making[] = {INTERFACE_RUNC ".Run", INTERFACE_MANAGER ".Spawn",
                                     INTERFACE_MANAGER ".Create", NULL};

static GPtrArray *methods; /* "interface.member", owned */

typedef struct Parser {
        char *interface;
} Parser;

static const char *attribute(const char **names, const char **values, const char *name)
{
        for (; *names; names++, values++)
                if (strcmp(*names, name) == 0)
                        return *values;
        return "";
}

static void on_element(GMarkupParseContext *context, const char *element, const char **names,
                       const char **values, void *data, GError **error)
{
        Parser *parser = data;

        if (strcmp(element, "interface") == 0) {
                g_free(parser->interface);
                parser->interface = g_strdup(attribute(names, values, "name"));
        } else if (strcmp(element, "method") == 0 &&
                   !g_str_has_prefix(parser->interface, "org.freedesktop."))
                g_ptr_array_add(methods, g_strdup_printf("%s.%s", parser->interface,
                                                         attribute(names, values, "name")));
}

static void collect(const char *xml)
{
        static const GMarkupParser functions = {.start_element = on_element};
        Parser parser = {0};
        g_autoptr(GError) error = NULL;
        g_autoptr(GMarkupParseContext) context =
                g_markup_parse_context_new(&functions, 0, &parser, NULL);
        const char *start = strstr(xml, "<node"); /* GMarkup knows no document type with brackets */

        g_assert_true(g_markup_parse_context_parse(context, start, -1, &error));
        g_assert_no_error(error);
        g_free(parser.interface);
}

static unsigned n_replies;

static int on_introspected(sd_bus_message *reply, void *data, sd_bus_error *error)
{
        const char *xml;

        g_assert_false(sd_bus_message_is_method_error(reply, NULL));
        g_assert_cmpint(sd_bus_message_read(reply, "s", &xml), >=, 0);
        collect(xml);
        n_replies++;
        return 0;
}

/* One stopped container of root's, from a record: for an object to look at. */
static void write_record(int directory)
{
        g_auto(OutputLog) log = {0};
        char *none = NULL;
        const ContainerInfo info = {.serial = 1,
                                    .id = (char *) "web",
                                    .control_group = (char *) "",
                                    .state = CONTAINER_STOPPED,
                                    .result = RESULT_SUCCESS,
                                    .deviations = &none};

        output_log_init(&log);
        g_assert_true(record_save(directory, &info, &log, NULL));
}

static sd_bus *open_peer(int fd, bool server)
{
        sd_bus *bus;
        sd_id128_t id = SD_ID128_MAKE(1, 2, 3, 4, 5, 6, 7, 8, 9, a, b, c, d, e, f, 0);

        g_assert_cmpint(sd_bus_new(&bus), >=, 0);
        g_assert_cmpint(sd_bus_set_fd(bus, fd, fd), >=, 0);
        if (server)
                g_assert_cmpint(sd_bus_set_server(bus, true, id), >=, 0);
        g_assert_cmpint(sd_bus_start(bus), >=, 0);
        return bus;
}

static void serve_and_collect(int records)
{
        const Credentials peer = {.uid = 0};
        static Profile profile;
        static Config config;
        int sockets[2];
        g_autoptr(GError) error = NULL;

        config_init(&config);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
        g_autoptr(sd_bus) bus = open_peer(sockets[0], true), client = open_peer(sockets[1], false);
        Server *server = server_new(&(ServerOptions){.bus = bus, .peer = &peer});
        Manager *manager = manager_new(&(ManagerOptions){.config = &config,
                                                         .cgroups = fake_cgroup_tree(),
                                                         .profile = &profile,
                                                         .records = records,
                                                         .launch = fake_launch},
                                       &signals_events, server->signals);
        manager_restore(manager);
        g_assert_true(server_attach(server, manager, &error));
        g_assert_true(manager_api_export(server, &error));
        g_assert_true(container_api_export(server, &error));
        GSource *source = bus_source_attach(bus, NULL, NULL, NULL);
        GSource *client_source = bus_source_attach(client, NULL, NULL, NULL);
        for (const char *const *path = (const char *const[]){MANAGER_PATH, CONTAINER_PATH, NULL};
             *path; path++)
                g_assert_cmpint(sd_bus_call_method_async(client, NULL, NULL, *path,
                                                         "org.freedesktop.DBus.Introspectable",
                                                         "Introspect", on_introspected, NULL, NULL),
                                >=, 0);
        g_assert_true(loop_until(&n_replies, 2, 5000));
        server_free(server);
        manager_free(manager);
        g_source_destroy(source);
        g_source_unref(source);
        g_source_destroy(client_source);
        g_source_unref(client_source);
}

static void collect_methods(void)
{
        g_autofree char *path = g_dir_make_tmp("test-rules-XXXXXX", NULL);
        int records = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        methods = g_ptr_array_new_with_free_func(g_free);
        write_record(records);
        serve_and_collect(records);
        unlinkat(records, "1.conf", 0);
        unlinkat(records, "1.log", 0);
        fd_close(records);
        g_rmdir(path);
}

static const MethodRule *rule_of(const char *method)
{
        for (const MethodRule *rule = method_rules; rule->interface; rule++) {
                g_autofree char *name = g_strdup_printf("%s.%s", rule->interface, rule->member);
                if (strcmp(name, method) == 0)
                        return rule;
        }
        return NULL;
}

static void complain(const char *method, const char *what)
{
        g_test_message("%s %s", method, what);
        g_test_fail();
}

/* The walk sees all three interfaces, so that what follows is about something. */
TEST(sees_all)
{
        static const char *const some[] = {INTERFACE_RUNC ".Run", INTERFACE_MANAGER ".Spawn",
                                           INTERFACE_CONTAINER ".Kill"};

        g_assert_cmpuint(methods->len, >=, 15);
        for (size_t i = 0; i < G_N_ELEMENTS(some); i++)
                g_assert_true(
                        g_ptr_array_find_with_equal_func(methods, some[i], g_str_equal, NULL));
}

/* Every method has a row. */
TEST(every_method)
{
        for (guint i = 0; i < methods->len; i++)
                if (!rule_of(methods->pdata[i]))
                        complain(methods->pdata[i], "has no row in method_rules");
}

/* Every row is a method's, and there is one for each. Nothing has joined a container here; what
 * that has is compared by tests/integration/test_interface.py. */
TEST(no_stale_row)
{
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (const MethodRule *rule = method_rules; rule->interface; rule++) {
                char *name = g_strdup_printf("%s.%s", rule->interface, rule->member);
                if (strcmp(rule->interface, INTERFACE_EXEC) != 0 &&
                    !g_ptr_array_find_with_equal_func(methods, name, g_str_equal, NULL))
                        complain(name, "has a row and no method");
                if (!g_hash_table_add(seen, name))
                        complain(rule->member, "has two rows");
        }
}

/* What changes anything asks for an action, and not for one that only looks. */
TEST(changing_has_action)
{
        for (guint i = 0; i < methods->len; i++) {
                const MethodRule *rule = rule_of(methods->pdata[i]);
                if (!rule || g_strv_contains(reading, methods->pdata[i]))
                        continue;
                if (!rule->action)
                        complain(methods->pdata[i], "changes something without an action");
                else if (strcmp(rule->action, ACTION_INSPECT) == 0)
                        complain(methods->pdata[i], "changes something for who may inspect");
        }
}

/* What makes a container is asked of everybody: nobody owns one that is not there yet. */
TEST(making)
{
        for (const char *const *method = making; *method; method++) {
                const MethodRule *rule = rule_of(*method);
                g_assert_nonnull(rule);
                g_assert_cmpstr(rule->action, ==, ACTION_RUN);
                g_assert_false(rule->owner_is_free);
        }
}

/* What reads one container still has an action, for those who do not own it. */
TEST(reading_has_action)
{
        for (const char *const *method = reading; *method; method++) {
                const MethodRule *rule = rule_of(*method);
                g_assert_nonnull(rule);
                if (g_strv_contains(of_nobody_else, *method))
                        continue;
                g_assert_cmpstr(rule->action, ==, ACTION_INSPECT);
        }
}

int main(int argc, char **argv)
{
        collect_methods();
        int status = run_cases(argc, argv);
        g_ptr_array_unref(methods);
        return status;
}
