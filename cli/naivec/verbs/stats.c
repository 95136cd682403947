/* stats: what containers use, once or again and again. */

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/lib/table.h"
#include "cli/lib/text.h"
#include "cli/naivec/listing.h"
#include "cli/naivec/variants.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

#define INTERVAL_USEC G_USEC_PER_SEC
#define CLEAR         "\033[H\033[2J" /* to the top, and everything erased */

static const Flag stats_flags[] = {
        {"no-stream", NULL, "show the figures once, instead of every second", FLAG_OF_VERB},
        {0},
};

const Flag *verb_stats_flags(void)
{
        return stats_flags;
}

static const Column columns[] = {
        {"ID", NULL, false},     {"CPU", NULL, false},     {"CPU-TIME", NULL, false},
        {"MEMORY", NULL, false}, {"PEAK", NULL, false},    {"TASKS", NULL, false},
        {"READ", NULL, false},   {"WRITTEN", NULL, false}, {0},
};

typedef struct {
        const Settings *settings;
        Client *client;
        char **ids;         /* none: all that live */
        GHashTable *before; /* path → CPU time and wall time at the last look, owned */
        bool is_once;
} Look;

typedef struct {
        uint64_t cpu, wall;
} Times;

/* The share of a processor since the last look, at the first look since the start. */
static void add_share(Look *look, Table *table, const char *path, sd_bus_message *reply)
{
        Times now = {0}, *before = g_hash_table_lookup(look->before, path);
        const Times then = before ? *before : (Times){0};

        if (!variants_number(reply, "CPUUsageUSec", &now.cpu) ||
            !variants_number(reply, "WallUSec", &now.wall) || now.wall <= then.wall ||
            now.cpu < then.cpu) {
                table_add_string(table, "-");
                return;
        }
        g_autofree char *share = g_strdup_printf("%.1f%%", 100.0 * (double) (now.cpu - then.cpu) /
                                                                   (double) (now.wall - then.wall));
        table_add_string(table, share);
        g_hash_table_insert(look->before, g_strdup(path), g_memdup2(&now, sizeof now));
}

static void add_figure(Table *table, sd_bus_message *reply, const char *key,
                       char *(*words)(uint64_t value))
{
        uint64_t value;
        g_autofree char *text = variants_number(reply, key, &value) ? words(value) : g_strdup("-");

        table_add_string(table, text);
}

static char *seconds(uint64_t usec)
{
        return g_strdup_printf("%.2fs", (double) usec / G_USEC_PER_SEC);
}

static char *plain(uint64_t number)
{
        return g_strdup_printf("%" G_GUINT64_FORMAT, number);
}

/* One object a line, with all that the service tells. */
static int print_json(const char *name, sd_bus_message *reply, bool is_pretty)
{
        Json json;

        json_init(&json, is_pretty);
        json_open(&json, '{');
        json_key(&json, "id");
        json_string(&json, name);
        json_key(&json, "stats");
        int r = variants_to_json(reply, &json);
        json_close(&json, '}');
        g_autofree char *text = json_finish(&json);
        if (r >= 0)
                fputs(text, stdout);
        return r;
}

static int add_container(Look *look, Table *table, const char *name, const char *path,
                         sd_bus_error *error)
{
        g_autoptr(sd_bus_message) reply = NULL;
        int r = client_call_container(look->client, path, "GetStats", error, &reply, "");

        if (r < 0)
                return r;
        if (look->settings->json != JSON_OFF)
                return print_json(name, reply, look->settings->json == JSON_PRETTY);
        table_add_string(table, name);
        add_share(look, table, path, reply);
        add_figure(table, reply, "CPUUsageUSec", seconds);
        add_figure(table, reply, "MemoryCurrent", text_size);
        add_figure(table, reply, "MemoryPeak", text_size);
        add_figure(table, reply, "TasksCurrent", plain);
        add_figure(table, reply, "IOReadBytes", text_size);
        add_figure(table, reply, "IOWriteBytes", text_size);
        return 0;
}

/* A container that has ended, or is forgotten, has no figures any more. */
static bool is_over(const sd_bus_error *error)
{
        return sd_bus_error_has_name(error, ERROR_INVALID_STATE) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT);
}

/* How many of the named ones there are still to look at; -1 after a complaint. */
static int look_at_named(Look *look, Table *table, char **paths)
{
        int n = 0;

        for (char **id = look->ids; *id; id++) {
                g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
                char **path = &paths[id - look->ids];
                if (!*path)
                        continue;
                if (add_container(look, table, *id, *path, &error) >= 0) {
                        n++;
                        continue;
                }
                if (!is_over(&error) || look->is_once) {
                        client_complain(look->client, *id, &error);
                        return -1;
                }
                g_clear_pointer(path, g_free);
        }
        return n;
}

static int look_at_all(Look *look, Table *table)
{
        g_autoptr(GPtrArray) containers = listing_fetch(look->client);

        for (unsigned i = 0; containers && i < containers->len; i++) {
                g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
                const ListedContainer *container = containers->pdata[i];
                if (!strcmp(container->state, "stopped"))
                        continue;
                if (add_container(look, table, container->name, container->path, &error) < 0 &&
                    !is_over(&error)) {
                        client_complain(look->client, container->name, &error);
                        return -1;
                }
        }
        return containers ? 1 : -1;
}

static int stream(Look *look, char **paths)
{
        for (;;) {
                g_autoptr(Table) table = table_new(columns);
                int n = *look->ids ? look_at_named(look, table, paths) : look_at_all(look, table);
                if (n < 0)
                        return EXIT_FAILURE;
                if (n == 0)
                        return EXIT_SUCCESS; /* all have ended */
                if (look->settings->json == JSON_OFF) {
                        g_autofree char *text =
                                table_format(table, JSON_OFF, look->settings->has_legend);
                        bool clears = !look->is_once && isatty(STDOUT_FILENO);
                        printf("%s%s", clears ? CLEAR : "", text);
                }
                if (fflush(stdout) == EOF)
                        return EXIT_FAILURE;
                if (look->is_once)
                        return EXIT_SUCCESS;
                g_usleep(INTERVAL_USEC);
        }
}

int verb_stats(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(GHashTable) before =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        Look look = {.settings = &invocation->settings, .before = before};
        const char *value = NULL;
        int id;

        while ((id = invocation_next(invocation, &value)) != FLAG_END) {
                if (id != FLAG_OF_VERB)
                        return invocation->status;
                look.is_once = true;
        }
        look.client = client = client_open(&invocation->settings.client);
        if (!client)
                return EXIT_FAILURE;
        look.ids = invocation->arguments;
        g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
        for (char **name = look.ids; *name; name++) {
                char *path = client_find_container(client, *name);
                if (!path)
                        return EXIT_FAILURE;
                g_ptr_array_add(paths, path);
        }
        return stream(&look, (char **) paths->pdata);
}
